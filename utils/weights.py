"""Birth certificates: what weights were made from, and the refusal of weights that do not fit."""

import dataclasses
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata as package_versions
from pathlib import Path

import keras
import numpy as np

from utils.data import LesionImages
from utils.files import hash_file
from utils.models import BUILDERS
from utils.splits import Split, lesion_groups

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"  # published weights, part of the repository
RUNS = ROOT / "runs"  # weights trained on this computer, ignored by git


class CertificateError(ValueError):
    """Weights and data do not belong together; the message says why and what to do."""


@dataclass(frozen=True)
class BirthCertificate:
    """What weights were made from; stored as JSON beside them.

    Attributes
    ----------
    name : str
        Name of the weights file without its ending.
    recipe : dict
        The fields of the `Recipe`.
    data, split : dict
        Source, fingerprint and size of the data; fingerprint, seed and sizes of the split.
    train_lesions, validation_lesions : list of str
        Lesions (duplicates merged) that the weights have seen, or were chosen by.
    seed : int
        Seed of initial weights, order of images and dropout.
    versions : dict
        Python, Keras, the backend and NumPy.
    device : str
        What it was trained on.
    seconds : float
        Wall-clock time of the training.
    history : dict of list of float
        Keras' history, one value per epoch.
    best_epoch : int
        The epoch, counted from 1, whose weights were kept: the best on the validation part, or
        the last one where the recipe keeps that.
    weights_sha256 : str
        Check sum of the weights file.
    """

    name: str
    recipe: dict
    data: dict
    split: dict
    train_lesions: list
    validation_lesions: list
    seed: int
    versions: dict
    device: str
    seconds: float
    history: dict
    best_epoch: int
    weights_sha256: str


def save_weights(
    model: keras.Model,
    *,
    name: str,
    recipe: dict,
    dataset: LesionImages,
    split: Split,
    seed: int,
    history: dict[str, Sequence[float]],
    seconds: float,
    folder: Path = RUNS,
) -> BirthCertificate:
    """Write ``name.weights.h5`` and ``name.json``, its birth certificate, into `folder`.

    Both files are written under a temporary name first; a stopped run leaves the old ones.

    Parameters
    ----------
    model : keras.Model
    name : str
    recipe : dict
        How it was trained; ``recipe["network"]`` names the function in ``utils.models``.
    dataset : LesionImages
    split : Split
    seed : int
    history : dict of sequences of float
        Keras' history, with ``val_balanced_accuracy`` unless ``recipe["keep"]`` is ``"last"``.
    seconds : float
        Time the training took.
    folder : Path
        Made if it is missing.

    Returns
    -------
    BirthCertificate
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{name}.weights.h5"
    temporary = folder / f".{name}.{os.getpid()}.weights.h5"
    model.save_weights(temporary)
    certificate = make_certificate(
        name=name,
        recipe=recipe,
        dataset=dataset,
        split=split,
        seed=seed,
        history=history,
        seconds=seconds,
        weights_sha256=hash_file(temporary),
    )
    text = json.dumps(dataclasses.asdict(certificate), indent=None, separators=(",", ":"))
    page = folder / f".{name}.{os.getpid()}.json"
    page.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, weights)
    os.replace(page, folder / f"{name}.json")
    return certificate


def make_certificate(
    *,
    name: str,
    recipe: dict,
    dataset: LesionImages,
    split: Split,
    seed: int,
    history: dict[str, Sequence[float]],
    seconds: float,
    weights_sha256: str = "",
) -> BirthCertificate:
    """Write down what a run was made from; `save_weights` explains the parameters.

    Returns
    -------
    BirthCertificate
        With the versions and the device of this process.
    """
    groups = lesion_groups(dataset.metadata)
    tidy = {key: [round(float(v), 6) for v in values] for key, values in history.items()}
    return BirthCertificate(
        name=name,
        recipe=recipe,
        data={
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "images": len(dataset.labels),
            "phantom": dataset.is_phantom,
        },
        split={
            "fingerprint": split.fingerprint,
            "seed": split.seed,
            "train": len(split.train),
            "validation": len(split.validation),
            "test": len(split.test),
        },
        train_lesions=sorted(set(groups[split.train].tolist())),
        validation_lesions=sorted(set(groups[split.validation].tolist())),
        seed=seed,
        versions=versions(),
        device=device_name(),
        seconds=round(seconds, 1),
        history=tidy,
        best_epoch=_kept_epoch(recipe, tidy),
        weights_sha256=weights_sha256,
    )


def _kept_epoch(recipe: dict, history: dict) -> int:
    if recipe.get("keep", "best") == "last":
        return len(history["loss"])
    return int(np.argmax(history[recipe.get("monitor", "val_balanced_accuracy")])) + 1


def read_certificate(name: str, *, folder: Path = MODELS) -> BirthCertificate:
    """Read the birth certificate of the weights called `name`.

    Raises
    ------
    CertificateError
        If the file is missing or is not a birth certificate.
    """
    path = folder / f"{name}.json"
    try:
        return BirthCertificate(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CertificateError(
            f"{path.name} is missing in {folder.name}/: weights without a birth certificate are "
            "not used, because nobody can say which images they have seen. Train them again "
            "(chapter 5) or take the published ones."
        ) from None
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError) as error:
        raise CertificateError(f"{path.name} is not a birth certificate: {error}") from None


def check_certificate(
    certificate: BirthCertificate, dataset: LesionImages, test: np.ndarray
) -> None:
    """Refuse weights that have seen, or were not made for, the lesions they are to judge.

    Parameters
    ----------
    certificate : BirthCertificate
    dataset : LesionImages
    test : ndarray of int64
        Row numbers of the images to be judged.

    Raises
    ------
    CertificateError
        If a test lesion was trained on or used to choose the weights (the message names the
        lesions), or if one is about phantom lesions and the other is not.
    """
    if certificate.data["phantom"] != dataset.is_phantom:
        made, here = certificate.data["source"], dataset.source
        raise CertificateError(
            f"the weights {certificate.name!r} were trained on {made}, the images here come from "
            f"{here}. Load weights that were made for these images."
        )
    groups = lesion_groups(dataset.metadata)
    judged = set(groups[test].tolist())
    for part, seen in (
        ("trained on", certificate.train_lesions),
        ("chosen by", certificate.validation_lesions),
    ):
        overlap = sorted(judged & set(seen))
        if overlap:
            shown = ", ".join(overlap[:5]) + (", …" if len(overlap) > 5 else "")
            raise CertificateError(
                f"the weights {certificate.name!r} were {part} {len(overlap):,} of the "
                f"{len(judged):,} lesions they are to judge ({shown}). Their score would be too "
                f"good to be true. Use the split they were made with (seed "
                f"{certificate.split['seed']}), or train new weights on this split."
            )


def load_weights(
    name: str, dataset: LesionImages, *, test: np.ndarray, folder: Path = MODELS
) -> tuple[keras.Model, BirthCertificate]:
    """Load weights if, and only if, they may judge the test images.

    Parameters
    ----------
    name : str
        Name of the weights, ``"original"`` for example. On the phantom the weights that were
        trained on the phantom are taken (``"original-phantom"``).
    dataset : LesionImages
    test : ndarray of int64
        Row numbers of the images that will be judged.
    folder : Path
        Where the weights are: `MODELS` (published) or `RUNS` (trained here).

    Returns
    -------
    (keras.Model, BirthCertificate)

    Raises
    ------
    CertificateError
        If certificate or weights are missing or damaged, or do not fit the test images.
    """
    if dataset.is_phantom and folder == MODELS and not name.endswith("-phantom"):
        name = f"{name}-phantom"
    certificate = read_certificate(name, folder=folder)
    check_certificate(certificate, dataset, test)
    return network_of(name, certificate, folder=folder), certificate


def network_of(name: str, certificate: BirthCertificate, *, folder: Path) -> keras.Model:
    """Build the network that a certificate names, with the weights it describes.

    Nothing is asked about images: `load_weights` is for judging, this for what comes before.

    Raises
    ------
    CertificateError
        If the weights are missing or damaged.
    """
    path = folder / f"{name}.weights.h5"
    if not path.exists() or hash_file(path) != certificate.weights_sha256:
        raise CertificateError(
            f"{path.name} in {folder.name}/ is missing or is not the file its birth certificate "
            "describes. Get both files again, or train again."
        )
    model = BUILDERS[certificate.recipe["network"]]()
    model.load_weights(path)
    return model


def device_name() -> str:
    """Name the device that Keras computes on, for example ``"CPU, 2 cores"``."""
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
    found = {"python": platform.python_version(), "keras": keras.__version__, "backend": backend}
    names = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "torch": ("torch",), "jax": ("jax",)}
    for package in (*names[backend], "numpy"):
        try:
            found[package.removesuffix("-cpu")] = package_versions.version(package)
        except package_versions.PackageNotFoundError:
            continue
    return found
