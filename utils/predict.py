"""Ask the published model about one image: a file, bytes, a Pillow image or an array."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from utils.classes import LesionClass, by_dx
from utils.open_image import PredictError, middle_square, open_image, shrink

__all__ = ["PredictError", "Prediction", "Reader", "keras_reader", "onnx_reader", "predict"]


@dataclass(frozen=True, eq=False)
class Reader:
    """A model that is ready to be asked, and what has to be known to use it rightly.

    Attributes
    ----------
    answer : callable
        Takes float32 images (n, 28, 28, 3), returns probabilities (n, 7) and strangeness (n,).
    manifest : dict
        As ``utils.manifest.manifest`` makes it.
    """

    answer: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    manifest: dict


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model answers about one image; prints as text, shows as HTML in a notebook.

    Attributes
    ----------
    probabilities : dict of str to float
        From ``dx`` to the calibrated probability, mean over the eight symmetries. Also there if
        the image is refused; do not use them then.
    strangeness, threshold : float
        How unlike the training images it is, and from where on it is refused.
    image : ndarray of uint8, shape (28, 28, 3)
        What the network saw.
    notes : tuple of str
        What was done to the file, a sentence each.
    manifest : dict
        Of the model that answered.
    """

    probabilities: dict[str, float]
    strangeness: float
    threshold: float
    image: np.ndarray
    notes: tuple[str, ...]
    manifest: dict

    @property
    def refused(self) -> bool:
        """True if the image is too unlike the training images to be answered."""
        return self.strangeness > self.threshold

    @property
    def ranked(self) -> list[tuple[LesionClass, float]]:
        """The classes with their probabilities, the most probable first."""
        found = sorted(self.probabilities.items(), key=lambda pair: -pair[1])
        return [(by_dx(dx), share) for dx, share in found]

    def _lines(self) -> tuple[str, list[str], list[str]]:
        """Return a heading, the answer line by line, and what has to be said with it."""
        told = {c["dx"]: c for c in self.manifest["classes"]}
        after = [*self.notes]
        if self.refused:
            heading, lines = "No answer", [self.manifest["refusal"]["text"]]
        else:
            first = self.ranked[0][0]
            says, words = told[first.dx]["says"], told[first.dx]
            heading = f"Most likely: {words['plain']} ({first.dx})"
            lines = [f"{share:6.1%}  {c.dx:5}  {told[c.dx]['plain']}" for c, share in self.ranked]
            after.append(
                f"Of {says['said']:,} test images for which the model said {first.dx}, it was "
                f"right in {says['share']:.0%} ({says['low']:.0%} to {says['high']:.0%})."
            )
        after.append(self.manifest["not_a_medical_device"])
        after.append(self.manifest["when_worried"]["text"])
        return heading, lines, after

    def __str__(self) -> str:
        heading, lines, after = self._lines()
        return "\n".join([heading, *(f"  {line}" for line in lines), "", *after])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heading, lines, after = self._lines()
        shown = "\n".join(map(html.escape, lines))
        tag = "p" if self.refused else "pre"
        rest = "".join(f"<p>{html.escape(text)}</p>" for text in after)
        return (
            f'<div style="border-left:4px solid #5a6470;padding:.3em .8em;max-width:46em">'
            f"<b>{html.escape(heading)}</b><{tag}>{shown}</{tag}>{rest}</div>"
        )


def predict(
    image: str | Path | bytes | Image.Image | np.ndarray,
    *,
    model: Reader | str | Path | None = None,
    square: bool = False,
) -> Prediction:
    """Ask the published model about one image.

    Parameters
    ----------
    image : str, Path, bytes, Pillow image or ndarray
        A file's path or content, or the picture itself; arrays are uint8, (height, width) or
        (height, width, 3 or 4). A file is turned as its EXIF entry says.
    model : Reader, str or Path, optional
        The folder of an exported model, which onnxruntime then runs; a `Reader`; or nothing, and
        the published Keras weights answer. All give the same answer.
    square : bool
        Take the largest square in the middle. Otherwise the whole picture is squeezed to a
        square, as the training images, 4:3, were.

    Returns
    -------
    Prediction

    Raises
    ------
    PredictError
        If the image cannot be read; the message says in plain words why and what to do.
    """
    picture, notes = open_image(image)
    small = shrink(middle_square(picture) if square else picture)
    if model is None:
        reader = keras_reader()
    else:
        reader = model if isinstance(model, Reader) else onnx_reader(Path(model))
    manifest = reader.manifest
    turned = np.stack([_turned(small, **s) for s in manifest["symmetries"]]).astype(np.float32)
    probabilities, strangeness = reader.answer(turned)
    mean = np.asarray(probabilities, dtype=np.float64).mean(axis=0)
    sharpened = mean ** (1 / manifest["temperature"])
    shares = sharpened / sharpened.sum()
    classes = (c["dx"] for c in manifest["classes"])
    return Prediction(
        dict(zip(classes, shares.tolist(), strict=True)),
        float(np.mean(strangeness)),
        float(manifest["refusal"]["threshold"]),
        small,
        tuple(notes),
        manifest,
    )


def _turned(image: np.ndarray, *, rotate: int, flip: bool) -> np.ndarray:
    turned = np.rot90(image, rotate // 90)
    return turned[:, ::-1] if flip else turned


@cache
def keras_reader(name: str = "best") -> Reader:
    """Return the published weights as a `Reader`; they are read from disk once.

    Raises
    ------
    utils.weights.CertificateError
        If weights, refusal or measured numbers are missing, or do not belong together.
    """
    from utils import export, manifest, refusal  # Keras; an exported model needs none

    weights, certificate = export.published(name)
    borders = refusal.read_refusal(name, sha256=certificate.weights_sha256)
    both = refusal.with_strangeness(weights, borders)
    measured = manifest.read_measured(certificate)

    def answer(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = both.predict_on_batch(images)
        return np.asarray(found["probabilities"]), np.asarray(found["strangeness"])

    return Reader(answer, manifest.manifest(certificate, borders, measured))


@cache
def onnx_reader(folder: Path) -> Reader:
    """Return an exported model as a `Reader`; neither Keras nor TensorFlow is needed.

    Parameters
    ----------
    folder : Path
        Holds ``manifest.json`` and the model that it names.

    Raises
    ------
    PredictError
        If the folder lacks a file, the model is not the one the manifest describes, or
        onnxruntime is not installed.
    """
    folder = Path(folder)
    make = "`python -m tools.demo.export_demo` writes it."
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        content = (folder / manifest["model"]).read_bytes()
        expected = manifest["sha256"]
    except FileNotFoundError as error:
        raise PredictError(f"{Path(error.filename).name} is missing in {folder}. {make}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise PredictError(f"the manifest in {folder} cannot be read ({error}). {make}") from None
    if hashlib.sha256(content).hexdigest() != expected:
        raise PredictError(f"the model in {folder} is not the one its manifest describes. {make}")
    try:
        import onnxruntime
    except ImportError as error:
        raise PredictError(
            "onnxruntime is not installed, so an exported model cannot be run. Install it with "
            "`python -m pip install onnxruntime`, or leave `model` out to use Keras."
        ) from error
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    wanted = [manifest["outputs"][name] for name in ("probabilities", "strangeness")]

    def answer(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(session.run(wanted, {manifest["input"]["name"]: images}))

    return Reader(answer, manifest)
