"""Take a trained model out of Python: an ONNX file, and a manifest that says how to use it."""

import json
import os
import shutil
import warnings
from pathlib import Path

import keras
import numpy as np

from utils.files import hash_file
from utils.manifest import manifest
from utils.refusal import Refusal
from utils.weights import (
    MODELS,
    BirthCertificate,
    CertificateError,
    network_of,
    read_certificate,
)

TOLERANCE = 1e-4  # largest allowed difference of a probability


class ExportError(ValueError):
    """A model and its exported file disagree, or it cannot be exported; the message says where."""


def published(name: str = "best", *, folder: Path = MODELS) -> tuple[keras.Model, BirthCertificate]:
    """Load published weights to use them on new images, not to judge them on known ones.

    To measure how good they are, use ``utils.weights.load_weights``, which asks what they
    have seen.

    Parameters
    ----------
    name : str
    folder : Path

    Returns
    -------
    (keras.Model, BirthCertificate)

    Raises
    ------
    CertificateError
        If certificate or weights are missing or damaged.
    """
    certificate = read_certificate(name, folder=folder)
    return network_of(name, certificate, folder=folder), certificate


def export_onnx(model: keras.Model, path: Path) -> Path:
    """Write a model as an ONNX file, with Keras' own export.

    Parameters
    ----------
    model : keras.Model
        One input, images (n, 28, 28, 3) of raw values 0 to 255.
    path : Path
        Ends in ``.onnx``; its folder is made if it is missing.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ExportError
        If a package that Keras needs for it is missing, or the backend cannot export.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    signature = [
        keras.InputSpec(shape=(None, *model.input_shape[1:]), dtype="float32", name="image")
    ]
    try:
        with warnings.catch_warnings():
            # Keras asks NumPy for a name that NumPy warns about; nothing the reader can change.
            warnings.filterwarnings("ignore", message=".*np.object.*", category=FutureWarning)
            model.export(path, format="onnx", verbose=False, input_signature=signature)
    except ImportError as error:
        raise ExportError(
            f"Keras needs a package to write ONNX files: {error}. Install onnx and tf2onnx (with "
            "PyTorch as backend: onnxscript)."
        ) from error
    return path


def check_onnx(path: Path, model: keras.Model, images: np.ndarray) -> dict:
    """Ask the file and the model the same, and compare.

    Parameters
    ----------
    path : Path
        From `export_onnx`.
    model : keras.Model
    images : ndarray, shape (n, 28, 28, 3)
        Values 0 to 255.

    Returns
    -------
    dict
        ``images``, ``same_class`` (share) and ``largest_difference`` (of any output).

    Raises
    ------
    ExportError
        If a top class differs, or an output differs by more than 1e-4, or onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(
            "onnxruntime is missing, so the exported file cannot be checked. Install it with "
            "`python -m pip install onnxruntime`."
        ) from error
    images = np.asarray(images, dtype=np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {session.get_inputs()[0].name: images})
    wanted = model.predict_on_batch(images)
    if not isinstance(wanted, dict):
        wanted, names = {"probabilities": wanted}, ["probabilities"]
    if set(names) != set(wanted):
        raise ExportError(f"{path.name} has the outputs {names}, the model {sorted(wanted)}")
    found = dict(zip(names, found, strict=True))
    wanted = {name: np.asarray(values) for name, values in wanted.items()}
    top, expected = (d["probabilities"].argmax(axis=1) for d in (found, wanted))
    same = top == expected
    largest = max(float(np.abs(found[name] - wanted[name]).max()) for name in wanted)
    if not same.all() or not largest <= TOLERANCE:
        raise ExportError(
            f"{path.name} does not answer as the model does: {int((~same).sum())} of {len(images)} "
            f"images get another top class, the largest difference is {largest:.2g} "
            f"({TOLERANCE:g} is allowed). Export it again; if that does not help, the converter is "
            "at fault."
        )
    return {
        "images": len(images),
        "same_class": float(same.mean()),
        "largest_difference": largest,
    }


def write_demo(
    folder: Path,
    *,
    model: keras.Model,
    certificate: BirthCertificate,
    refusal: Refusal,
    measured: dict,
    images: np.ndarray,
    images_are: str,
    made_from: str = "",
) -> dict:
    """Write ``model.onnx`` and ``manifest.json``: both, checked, or nothing.

    Parameters
    ----------
    folder : Path
        Made anew as a whole; what was in it before is gone.
    model : keras.Model
        With both outputs, from ``utils.refusal.with_strangeness``.
    certificate : BirthCertificate
    refusal : Refusal
    measured : dict
        What ``models/demo.json`` holds: temperature, what the test part said.
    images : ndarray of uint8, shape (n, 28, 28, 3)
        For the comparison with Keras.
    images_are : str
        Where they come from.
    made_from : str
        A check sum of what the export depends on, kept in the manifest.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    ExportError
        If the exported file does not answer as the model does.
    CertificateError
        If the parts were made for different weights.
    """
    for what, part in (("refusal", refusal.made_from), ("measured numbers", measured)):
        if part.get("weights_sha256") != certificate.weights_sha256:
            raise CertificateError(
                f"the {what} were made for other weights than {certificate.name!r} is now. Run "
                "`python -m tools.demo.export_demo --measure` with the real images."
            )
    folder = Path(folder)
    new = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        path = export_onnx(model, new / "model.onnx")
        check = check_onnx(path, model, images) | {"images_are": images_are}
        made = manifest(certificate, refusal, measured) | {
            "model": path.name,
            "sha256": hash_file(path),
            "bytes": path.stat().st_size,
            "check": check,
            "made_from": made_from,
        }
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        (new / "manifest.json").write_text(text, encoding="utf-8")
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
    except OSError:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        raise
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
    return made
