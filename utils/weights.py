"""Birth certificates: what weights and stored runs were made from; what does not fit is refused."""

import dataclasses
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path

import h5py
import keras
import numpy as np

from utils.data import LesionImages
from utils.files import hash_file, read_json, replace_file
from utils.models import BUILDERS
from utils.splits import Split, lesion_groups

__all__ = [
    "CertificateError", "MODELS", "RUNS", "device_name", "load_weights", "make_certificate",
    "read_contaminated_run", "read_run", "run_names", "save_weights",
]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"  # published weights, part of the repository
STUDIES = MODELS / "studies"  # answers of long runs, part of the repository too
RUNS = ROOT / "runs"  # weights trained on this computer, ignored by git


class CertificateError(ValueError):
    """Weights and data do not belong together; the message says why and what to do."""


@dataclass(frozen=True)
class BirthCertificate:
    """What weights or a stored run were made from; stored as JSON beside them."""

    name: str  # of the files, without their endings
    recipe: dict  # the fields of the `Recipe`
    data: dict  # source, fingerprint, number of images, whether they are the phantom's
    split: dict  # fingerprint, seed, number of images of each part
    train_lesions: list[str]  # that the weights have seen; known duplicates merged
    validation_lesions: list[str]  # that chose the weights
    seed: int  # of initial weights, order of images and dropout
    versions: dict[str, str]  # of Python, Keras, the backend and NumPy
    device: str  # that it was trained on
    seconds: float  # wall-clock time of the training
    history: dict[str, list[float]]  # of Keras, one value per epoch
    best_epoch: int  # whose weights were kept, counted from 1; the last where the recipe says so
    weights_sha256: str  # check sum of the file beside it: weights, or answers of a stored run
    own_sha256: str = ""  # check sum of all other fields


@dataclass(frozen=True, eq=False)
class Judged:
    """What a network answered on one part of the images; the file of a run holds these fields."""

    image_ids: np.ndarray  # str, shape (n,)
    lesions: np.ndarray  # str, shape (n,); known duplicates merged
    labels: np.ndarray  # int64, shape (n,): true classes, Kaggle coding
    probabilities: np.ndarray  # float32, shape (n, 7): mean over the symmetries it trained with
    # float32, shape (n, 7): the answer to the image as it stands; not kept of further seeds
    single: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run of ``make studies``: what it was made from, and what it answered."""

    name: str
    certificate: BirthCertificate
    parts: dict[str, Judged]  # "validation", "test", "validation, seed 1", "other test"


def save_weights(
    model: keras.Model, certificate: BirthCertificate, *, folder: Path = RUNS
) -> BirthCertificate:
    """Write ``name.weights.h5`` and ``name.json``, its birth certificate, into `folder`.

    The certificate, from `make_certificate`, gives the name, and gets the check sum of the weights.
    A network of more than a million weights is written in half precision.
    """
    if model.compiled:  # Keras would write the optimiser's state too, twice as much again
        compiled, model = model, type(model).from_config(model.get_config())
        model.set_weights(compiled.get_weights())
    content = weights_file(model, half=model.count_params() > 1e6)
    return write_pair(certificate, "weights.h5", content, folder=folder)


def weights_file(model: keras.Model, *, half: bool = False) -> bytes:
    """Return the content of a ``.weights.h5`` file; kernels in half precision where asked for."""
    with tempfile.TemporaryDirectory() as temporary:
        whole, halved = Path(temporary) / "whole.weights.h5", Path(temporary) / "half.weights.h5"
        model.save_weights(whole)
        if not half:
            return whole.read_bytes()
        with h5py.File(whole) as old, h5py.File(halved, "w") as new:

            def copy(name, item):
                if isinstance(item, h5py.Dataset):
                    values = item[()]
                    new[name] = values.astype(np.float16) if values.ndim > 1 else values
                else:
                    new.require_group(name).attrs.update(item.attrs)

            old.visititems(copy)
        return halved.read_bytes()


def write_pair(
    certificate: BirthCertificate, ending: str, content: bytes, *, folder: Path
) -> BirthCertificate:
    """Write a file, then the certificate that knows its check sum; return that certificate."""
    file = folder / f"{certificate.name}.{ending}"
    replace_file(file, content)
    certificate = dataclasses.replace(certificate, weights_sha256=hash_file(file))
    certificate = dataclasses.replace(certificate, own_sha256=own_sum(vars(certificate)))
    text = json.dumps(vars(certificate), separators=(",", ":"))
    replace_file(folder / f"{certificate.name}.json", f"{text}\n")
    return certificate


def own_sum(fields: dict) -> str:
    """Return the check sum of a certificate's fields, of all but ``own_sha256``."""
    text = json.dumps({**fields, "own_sha256": ""}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def make_certificate(
    *, name: str, recipe: dict, dataset: LesionImages, split: Split, seed: int,
    history: dict[str, Sequence[float]], seconds: float,
) -> BirthCertificate:  # fmt: skip
    """Write down what weights are made from, on this device, after a training of some seconds.

    The recipe's ``"network"`` names a function in `utils.models`. The history is that of Keras,
    with ``val_balanced_accuracy`` unless ``recipe["keep"]`` is ``"last"``.
    """
    groups = lesion_groups(dataset.metadata)
    tidy = {key: [round(float(v), 6) for v in values] for key, values in history.items()}
    sizes = {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
    kept = len(tidy["loss"])
    if recipe.get("keep") != "last":
        kept = int(np.argmax(tidy[recipe.get("monitor", "val_balanced_accuracy")])) + 1
    data = {"source": dataset.source, "fingerprint": dataset.fingerprint}
    data |= {"images": len(dataset.labels), "phantom": dataset.is_phantom}
    return BirthCertificate(
        name=name, recipe=recipe, data=data,
        split={"fingerprint": split.fingerprint, "seed": split.seed, **sizes},
        train_lesions=sorted(set(groups[split.train].tolist())),
        validation_lesions=sorted(set(groups[split.validation].tolist())),
        seed=seed, versions=versions(), device=device_name(), seconds=round(seconds, 1),
        history=tidy, best_epoch=kept, weights_sha256="",
    )  # fmt: skip


def read_certificate(name: str, *, folder: Path = MODELS) -> BirthCertificate:
    """Read the birth certificate called `name`, or raise a `CertificateError`."""
    path = folder / f"{name}.json"
    try:
        certificate = BirthCertificate(**read_json(path))
        if certificate.own_sha256 != own_sum(vars(certificate)):
            raise TypeError("it is of an earlier edition, or was changed after it was written")
        return certificate
    except FileNotFoundError:
        raise CertificateError(
            f"{path.name} is missing in {folder.name}/: weights without a birth certificate are "
            "not used, because nobody can say which images they have seen. Train them again "
            "(chapter 5) or take the published ones."
        ) from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CertificateError(
            f"{path.name} is not a birth certificate: {error}. Get it again, or train again."
        ) from None


def certified_file(name: str, ending: str, certificate: BirthCertificate, *, folder: Path) -> Path:
    """Return the path of a file if it is the one that its birth certificate describes."""
    path = folder / f"{name}.{ending}"
    if not path.exists() or hash_file(path) != certificate.weights_sha256:
        raise CertificateError(
            f"{path.name} in {folder.name}/ is missing or is not the file its birth certificate "
            "describes. Get both files again, or make them again: weights by training (chapter "
            "5), a stored run by `make studies`."
        )
    return path


def refuse_seen(
    certificate: BirthCertificate, lesions: np.ndarray, message: str, *, may_choose: bool = False
) -> None:
    """Raise `message` if lesions were trained on, or, unless they may, have chosen the weights."""
    lesions = set(lesions.tolist())
    chosen_by = [] if may_choose else certificate.validation_lesions
    for how, own in (("trained on", certificate.train_lesions), ("chosen by", chosen_by)):
        if overlap := sorted(lesions & set(own)):
            seen = f"{how} {len(overlap):,} of the {len(lesions):,} lesions"
            names = ", ".join(overlap[:5]) + (", …" if len(overlap) > 5 else "")
            raise CertificateError(message.format(seen=seen, names=names))


def check_certificate(
    certificate: BirthCertificate, dataset: LesionImages, test: np.ndarray
) -> None:
    """Refuse weights that have seen lesions of the rows `test`; phantom and real do not mix."""
    if certificate.data["phantom"] != dataset.is_phantom:
        raise CertificateError(
            f"the weights {certificate.name!r} were trained on {certificate.data['source']}, the "
            f"images here come from {dataset.source}. Load weights that were made for these images."
        )
    said = f"the weights {certificate.name!r} were {{seen}} they are to judge ({{names}}). Their "
    said += "score would be too good to be true. Use the split they were made with (seed "
    said += f"{certificate.split['seed']}), or train new weights on this split."
    refuse_seen(certificate, lesion_groups(dataset.metadata)[test], said)


def load_weights(
    name: str, dataset: LesionImages, *, test: np.ndarray, folder: Path = MODELS
) -> tuple[keras.Model, BirthCertificate]:
    """Load weights if, and only if, they may judge the test images.

    CertificateError says so if certificate or weights are missing or damaged, or do not fit.

    Parameters
    ----------
    name : str, ``"original"`` for example; on the phantom ``"original-phantom"`` is taken for it
    dataset : LesionImages
    test : ndarray of int64, row numbers of the images that will be judged
    folder : Path, `MODELS` (published) or `RUNS` (trained here)
    """
    if dataset.is_phantom and folder == MODELS and not name.endswith("-phantom"):
        name = f"{name}-phantom"
    certificate = read_certificate(name, folder=folder)
    check_certificate(certificate, dataset, test)
    return network_of(name, certificate, folder=folder), certificate


def network_of(name: str, certificate: BirthCertificate, *, folder: Path) -> keras.Model:
    """Build the network that a certificate names, with its weights, for no judging of images."""
    path = certified_file(name, "weights.h5", certificate, folder=folder)
    sizes = {}
    try:
        model = BUILDERS[certificate.recipe["network"]]()
        model.load_weights(path)
        with h5py.File(path) as file:  # Keras passes over what the network has no place for
            file.visititems(lambda name, item: sizes.update({name: getattr(item, "size", 0)}))
        if model.count_params() != sum(sizes[n] for n in sizes if not n.startswith("optimizer")):
            raise ValueError("it has other layers")
    except (KeyError, ValueError) as error:  # trained when the networks were others
        what = f"{path.name} fits no network of this edition of the course ({str(error)[:200]})"
        raise CertificateError(f"{what}. Get both files again, or train again.") from error
    return model


def run_names(prefix: str = "", *, folder: Path = STUDIES) -> list[str]:
    """List the stored runs whose names begin with `prefix`, in alphabetical order."""
    return sorted(p.stem for p in folder.glob("*.json") if p.stem.startswith(prefix))


def read_run(name: str, *, folder: Path = STUDIES) -> StoredRun:
    """Read a stored run, one of `run_names`, that has seen none of the lesions it answers about.

    CertificateError says so if the run is missing, its files do not belong together, or it was
    trained on, or chosen by, lesions of a part that it answers about; its validation part may
    have chosen it.
    """
    run = read_contaminated_run(name, folder=folder)
    for part, judged in run.parts.items():
        said = f"the run {name!r} was {{seen}} of its part {part!r} ({{names}}). Its score there "
        said += "says nothing about new lesions. Take a run whose split keeps lesions together."
        refuse_seen(run.certificate, judged.lesions, said, may_choose=part.startswith("validation"))
    return run


def read_contaminated_run(name: str, *, folder: Path = STUDIES) -> StoredRun:
    """Read a stored run as `read_run` does, without asking what it has seen."""
    stored = run_names(folder=folder)
    if name not in stored:
        raise CertificateError(
            f"there is no stored run {name!r}. The stored runs are: {', '.join(stored) or 'none'}. "
            "`make studies` makes what is missing."
        )
    certificate = read_certificate(name, folder=folder)
    fields = [field.name for field in dataclasses.fields(Judged)]
    with np.load(certified_file(name, "npz", certificate, folder=folder)) as file:
        parts = dict.fromkeys(key.partition("/")[0] for key in file.files)
        parts = {part: Judged(*(file.get(f"{part}/{name}") for name in fields)) for part in parts}
    return StoredRun(name, certificate, parts)


def device_name() -> str:
    """Name the device that Keras computes on, as its backend says: ``"CPU, 2 cores"``."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
    elif backend == "torch":
        import torch

        if torch.backends.mps.is_available():
            return "Apple GPU"
        if torch.cuda.is_available():
            return torch.cuda.get_device_name(0)
    elif backend == "jax":
        import jax

        if jax.default_backend() != "cpu":
            return jax.devices()[0].device_kind
    return f"CPU, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on, by package name."""
    backend = keras.backend.backend()
    numbers = {"python": platform.python_version(), "keras": keras.__version__, "backend": backend}
    for package in (backend, f"{backend}-cpu", "numpy"):  # tensorflow-cpu is TensorFlow as well
        with suppress(packages.PackageNotFoundError):
            numbers.setdefault(package.removesuffix("-cpu"), packages.version(package))
    return numbers
