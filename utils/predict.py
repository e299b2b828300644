"""Ask the published model about one image: a file, bytes, a Pillow image or an array."""

from __future__ import annotations

import html
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from utils.augment import averaged
from utils.classes import LesionClass, by_dx

__all__ = ["predict"]

MOST_PIXELS = 100_000_000  # more would take 300 MB and more, and the network sees 784
MOST_BYTES = 200_000_000
# Others are not even tried: Pillow would hand PostScript to a program that runs it.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
SIZE = 28
INSTEAD = "Save it as JPEG or PNG and try again."
HUGE = (
    f"The image has more than 100 million pixels, and the network sees {SIZE} × {SIZE} of them. "
    "Save it smaller and try again."
)
HEIC = "a HEIC file, as iPhones make them. Export it as JPEG, or set the camera to JPEG."
# How files begin that Pillow does not read (after so many bytes), and what to say of them.
KNOWN = (
    (4, (b"ftyphe", b"ftypmif1", b"ftypmsf1"), HEIC),
    (4, (b"ftyp",), f"a video, or a photograph of a kind that cannot be read here. {INSTEAD}"),
    (0, (b"%!PS", b"\xc5\xd0\xd3\xc6"), f"a PostScript file. {INSTEAD}"),
    (0, (b"%PDF",), f"a PDF document, not an image. {INSTEAD}"),
    (128, (b"DICM",), f"a DICOM file. {INSTEAD}"),
    (0, (b"<svg", b"<?xml"), f"a drawing made of lines (SVG), not a photograph. {INSTEAD}"),
    (0, (b"<!DOC", b"<html"), "a web page, not an image. Save the image itself."),
)


class PredictError(ValueError):
    """An image or a model cannot be used; the message is meant for the reader."""


@dataclass(frozen=True, eq=False)
class Answerer:
    """A model that can be asked, and its manifest: what has to be known to use it rightly."""

    # From float32 images (n, 28, 28, 3) to probabilities (n, 7) and strangeness (n,).
    ask: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    manifest: dict


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model answers about one image; prints as text, shows as HTML in a notebook.

    `probabilities` (by ``dx``, calibrated) are there for a refused image too; do not use them then.
    An image is refused if its `strangeness` is above `threshold`. `image` is what the network saw,
    uint8 (28, 28, 3); `notes` say what was done to the file.
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
        pairs = sorted(self.probabilities.items(), key=lambda pair: -pair[1])
        return [(by_dx(dx), share) for dx, share in pairs]

    def _lines(self) -> tuple[str, list[str], list[str]]:
        """Return a heading, the answer line by line, and the sentences that go with it."""
        words = {c["dx"]: c for c in self.manifest["classes"]}
        after = [*self.notes]
        if self.refused:
            heading, lines = "No answer", [self.manifest["refusal"]["text"]]
        else:
            first = words[self.ranked[0][0].dx]
            says = first["says"]
            heading = f"Most likely: {first['plain']} ({first['dx']})"
            lines = [f"{share:6.1%}  {c.dx:5}  {words[c.dx]['plain']}" for c, share in self.ranked]
            after.append(
                f"Of {says['said']:,} test images for which the model said {first['dx']}, it was "
                f"right in {says['share']:.0%} ({says['low']:.0%} to {says['high']:.0%})."
            )
            if first["dx"] != "mel":  # the mistake that matters most
                after[-1] += f" {says['melanomas']:,} of them were melanomas."
        after += [self.manifest["not_a_medical_device"], self.manifest["when_worried"]["text"]]
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
    image: str | Path | bytes | Image.Image | np.ndarray, *,
    model: Answerer | None = None, square: bool = False,
) -> Prediction:  # fmt: skip
    """Ask the published model about one image.

    PredictError says in plain words why an image cannot be read, and what to do.

    Parameters
    ----------
    image : str, Path, bytes, Pillow image or ndarray
        A file's path or content, or the picture itself; arrays are uint8, (height, width) or
        (height, width, 3 or 4). A file is turned as its EXIF entry says.
    model : Answerer, optional; by default the published Keras weights answer
    square : bool
        Take the largest square in the middle. Otherwise the whole picture is squeezed to a
        square, as the training images, 4:3, were.
    """
    picture, notes = open_image(image)
    small = shrink(middle_square(picture) if square else picture)
    model = model or keras_answerer()
    manifest = model.manifest
    probabilities, strangeness = averaged(model.ask, small[None])
    mean = probabilities[0].astype(np.float64)
    sharpened = mean ** (1 / manifest["temperature"])
    shares = (sharpened / sharpened.sum()).tolist()
    by_class = dict(zip((c["dx"] for c in manifest["classes"]), shares, strict=True))
    threshold = float(manifest["refusal"]["threshold"])
    return Prediction(by_class, float(strangeness[0]), threshold, small, tuple(notes), manifest)


@cache
def keras_answerer() -> Answerer:
    """Return the published weights, ready to be asked; they are read from disk once."""
    from utils import refusal  # Keras, which takes seconds

    model, manifest = refusal.published()
    return Answerer(partial(refusal.ask, model), manifest)


# --- Opening an image ---------------------------------------------------------------------------


def open_image(image: object) -> tuple[Image.Image, list[str]]:
    """Return an image, given as `predict` takes it, upright, in RGB, on white, and notes on it."""
    if isinstance(image, np.ndarray):
        image = _from_array(image)
    if isinstance(image, Image.Image):
        _refuse_huge(*image.size)
        return _rgb(image)
    if isinstance(image, str | Path):
        image = _content(image)
    if not isinstance(image, bytes | bytearray | memoryview):
        raise PredictError(
            f"this is {type(image).__name__}; an image is a path, bytes, a Pillow image or an array"
        )
    content = bytes(image)
    if not content:
        raise PredictError(f"The file is empty. {INSTEAD}")
    try:
        # Pillow warns from 89 million pixels on; the limit here is a little higher.
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            _refuse_huge(*picture.size)
            picture.load()
    except PredictError:
        raise
    except UnidentifiedImageError:
        for start, beginnings, kind in KNOWN:
            if content[start:].lstrip()[:8].startswith(beginnings):
                raise PredictError(f"This is {kind}") from None
        problem = f"The file is not an image that can be read here, or it is broken. {INSTEAD}"
        raise PredictError(problem) from None
    except Image.DecompressionBombError:  # far beyond, so Pillow does not even say the size
        raise PredictError(HUGE) from None
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise PredictError(
            f"The file is broken or incomplete ({error}). Save it elsewhere as JPEG or PNG."
        ) from error
    return _rgb(picture)


def middle_square(picture: Image.Image) -> Image.Image:
    """Cut the largest square out of the middle of a picture."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def shrink(picture: Image.Image) -> np.ndarray:
    """Shrink a picture by area average, as the training images were: uint8 (28, 28, 3)."""
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX))


def _content(name: str | Path) -> bytes:
    if str(name).startswith(("http://", "https://")):
        raise PredictError(f"{name} is a web address. Download the image and give its path.")
    try:
        path = Path(name).expanduser()
        if path.exists() and not (path.is_file() and path.stat().st_size <= MOST_BYTES):
            raise PredictError(f"{name} is no file of at most {MOST_BYTES // 10**6} MB. {INSTEAD}")
        return path.read_bytes()
    except (OSError, RuntimeError) as error:  # RuntimeError: a home folder that is not there
        raise PredictError(
            f"{name} cannot be read: {getattr(error, 'strerror', error)}. Give the path of an "
            f"image file, seen from the folder {Path.cwd().name}/."
        ) from error


def _from_array(values: np.ndarray) -> Image.Image:
    if values.ndim > 1:
        _refuse_huge(values.shape[1], values.shape[0])  # before its pixels are copied
    if values.dtype == np.uint16:
        values = _eight_bits(values)
    if values.dtype != np.uint8:
        raise PredictError(
            f"the array is of type {values.dtype}; pictures are arrays of uint8 with values from 0 "
            "to 255. Shares of 1 become that with `(255 * array).round().astype('uint8')`."
        )
    if not values.size or values.ndim not in (2, 3) or values.shape[2:] not in ((), (3,), (4,)):
        raise PredictError(
            f"the array has the shape {values.shape}; one picture has (height, width[, 3 or 4])"
        )
    return Image.fromarray(values)


def _rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    notes = []
    if getattr(picture, "n_frames", 1) > 1:
        notes.append("The file holds several pictures; the first one is used.")
        picture.seek(0)
    try:
        picture = ImageOps.exif_transpose(picture)
    except Exception:  # the metadata are damaged, for which Pillow has many errors
        notes.append("What the file says of itself is damaged, so it may lie on its side.")
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow keeps in 16 or 32
        picture = Image.fromarray(_eight_bits(np.asarray(picture)))
    elif picture.mode == "F":
        raise PredictError(f"The image holds measured values, not grey levels. {INSTEAD}")
    if picture.mode == "CMYK":
        notes.append("The colours are made for printing (CMYK); converting them shifts them a bit.")
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
        notes.append("What is transparent in the image is taken as white.")
    if min(picture.size) < SIZE:
        notes.append(f"The image is smaller than the {SIZE} × {SIZE} pixels the network sees.")
    return picture if picture.mode == "RGB" else picture.convert("RGB"), notes


def _eight_bits(values: np.ndarray) -> np.ndarray:
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise PredictError(f"The image has values beyond 16 bits. {INSTEAD}")
    return np.round(values / 257).astype(np.uint8)


def _refuse_huge(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise PredictError(HUGE)
