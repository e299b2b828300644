"""Long runs that were made once and stored: their predictions, each with its birth certificate."""

import dataclasses
import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.classes import CLASSES
from utils.weights import MODELS, BirthCertificate, CertificateError, read_certificate

FOLDER = MODELS / "studies"
_FIELDS = ("image_ids", "lesions", "labels", "probabilities", "single")


@dataclass(frozen=True, eq=False)
class Judged:
    """What a network answered on one part of the images.

    Attributes
    ----------
    image_ids, lesions : ndarray of str, shape (n,)
        Which images, of which lesions (known duplicates merged).
    labels : ndarray of int64, shape (n,)
        True classes, Kaggle coding.
    probabilities : ndarray of float32, shape (n, 7)
        The network's answer, the mean over the eight symmetries if its recipe trains with them.
    single : ndarray of float32, shape (n, 7)
        Its answer to the image as it stands, without that mean.
    """

    image_ids: np.ndarray
    lesions: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    single: np.ndarray


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run of ``make studies``: what it was made from, and what it answered.

    Attributes
    ----------
    name : str
    certificate : BirthCertificate
        Its `weights_sha256` is the check sum of the stored predictions; of the weights of
        studies only the answers are kept.
    parts : dict of str to Judged
        By the name of the part: ``"validation"``, ``"test"``, and in chapter 7 ``"other test"``.
    """

    name: str
    certificate: BirthCertificate
    parts: dict[str, Judged]


def names(prefix: str = "", *, folder: Path | None = None) -> list[str]:
    """List the stored runs whose names begin with `prefix`, in alphabetical order."""
    folder = folder or FOLDER
    return sorted(p.stem for p in folder.glob("*.json") if p.stem.startswith(prefix))


def read_run(name: str, *, folder: Path | None = None) -> StoredRun:
    """Read a stored run whose test lesions it has never seen.

    Parameters
    ----------
    name : str
        One of `names`.
    folder : Path, optional
        `FOLDER` unless given.

    Returns
    -------
    StoredRun

    Raises
    ------
    CertificateError
        If the run is missing or damaged, or if a lesion of one of its test parts was trained on,
        or used to choose the weights; the message names such lesions.
    """
    run = read_contaminated_run(name, folder=folder)
    for part, judged in run.parts.items():
        own = {"trained on": run.certificate.train_lesions}
        if part != "validation":
            own["chosen by"] = run.certificate.validation_lesions
        for how, seen in own.items():
            lesions = set(judged.lesions.tolist())
            overlap = sorted(lesions & set(seen))
            if overlap:
                shown = ", ".join(overlap[:5]) + (", …" if len(overlap) > 5 else "")
                raise CertificateError(
                    f"the run {name!r} was {how} {len(overlap):,} of the {len(lesions):,} lesions "
                    f"of its part {part!r} ({shown}). Its score there says nothing about new "
                    "lesions. Take a run whose split keeps lesions together."
                )
    return run


def read_contaminated_run(name: str, *, folder: Path | None = None) -> StoredRun:
    """Read a stored run without asking what it has seen; chapter 7 does, to show the difference.

    Raises
    ------
    CertificateError
        If the run is missing, or its files do not belong together.
    """
    folder = folder or FOLDER
    path = folder / f"{name}.npz"
    if not path.exists():
        raise CertificateError(
            f"there is no stored run {name!r}. The stored runs are: "
            f"{', '.join(names(folder=folder)) or 'none'}. `make studies` makes what is missing."
        )
    certificate = read_certificate(name, folder=folder)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != certificate.weights_sha256:
        raise CertificateError(
            f"{path.name} is not the file that {name}.json describes. Get both files again, or "
            "delete both and run `make studies`."
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        parts = {
            part: Judged(**{field: arrays[f"{part}/{field}"] for field in _FIELDS})
            for part in dict.fromkeys(key.partition("/")[0] for key in arrays)
        }
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise CertificateError(f"{path.name} cannot be read: {error}") from None
    return StoredRun(name, certificate, parts)


def write_run(
    certificate: BirthCertificate, parts: dict[str, Judged], *, folder: Path | None = None
) -> StoredRun:
    """Store a run: predictions first, then the certificate, each complete or not at all.

    Parameters
    ----------
    certificate : BirthCertificate
        Its name is the run's; its check sum is set here.
    parts : dict of str to Judged
    folder : Path, optional
        `FOLDER` unless given; made if it is missing.

    Returns
    -------
    StoredRun
        With the certificate as it was written.
    """
    folder = folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for part, judged in parts.items():
        expected = (len(judged.labels), len(CLASSES))
        if judged.probabilities.shape != expected or judged.single.shape != expected:
            raise ValueError(f"the part {part!r} needs probabilities of shape {expected}")
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        **{f"{part}/{field}": getattr(j, field) for part, j in parts.items() for field in _FIELDS},
    )
    content = buffer.getvalue()
    certificate = dataclasses.replace(
        certificate, weights_sha256=hashlib.sha256(content).hexdigest()
    )
    page = json.dumps(dataclasses.asdict(certificate), separators=(",", ":")) + "\n"
    for ending, data in (("npz", content), ("json", page.encode())):
        temporary = folder / f".{certificate.name}.{os.getpid()}.{ending}"
        temporary.write_bytes(data)
        os.replace(temporary, folder / f"{certificate.name}.{ending}")
    return StoredRun(certificate.name, certificate, parts)
