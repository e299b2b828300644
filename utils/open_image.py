"""Open an image of any kind as a photograph: upright, in red, green and blue, on white ground."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["PredictError"]

MOST_PIXELS = 100_000_000  # more would take 300 MB and more, and the network sees 784
SIZE = 28
INSTEAD = "Save it as JPEG or PNG and try again."
UNKNOWN = f"The file is not an image that can be read here, or it is broken. {INSTEAD}"
HUGE = (
    f"The image has more than 100 million pixels, and the network sees {SIZE} × {SIZE} of them. "
    "Save it smaller and try again."
)
HEIC = (
    "a HEIC file, the format in which iPhones store photographs. Export it as JPEG, or set the "
    "phone's camera to its most compatible format."
)
# How files begin that Pillow does not read (after so many bytes), and what to say of them.
KNOWN = (
    (4, (b"ftyphe", b"ftypmif1", b"ftypmsf1"), HEIC),
    (4, (b"ftyp",), f"a video, or a photograph of a kind that cannot be read here. {INSTEAD}"),
    (0, (b"%PDF",), f"a PDF document, not an image. {INSTEAD}"),
    (128, (b"DICM",), f"a DICOM file. {INSTEAD}"),
    (0, (b"<svg", b"<?xml"), f"a drawing made of lines (SVG), not a photograph. {INSTEAD}"),
    (0, (b"<!DOC", b"<html"), "a web page, not an image. Save the image itself."),
)


class PredictError(ValueError):
    """An image or a model cannot be used; the message is meant for the reader."""


def open_image(image: object) -> tuple[Image.Image, list[str]]:
    """Return an image, given as `utils.predict.predict` takes it, in RGB, with notes.

    The notes say what was done to it, a sentence each; PredictError says why it cannot be read.
    """
    if isinstance(image, np.ndarray):
        return _rgb(_from_array(image))
    if isinstance(image, Image.Image):
        _refuse_huge(*image.size)
        return _rgb(image)
    if isinstance(image, str | Path):
        image = _content(image)
    if not isinstance(image, bytes | bytearray | memoryview):
        raise PredictError(
            f"this is {type(image).__name__}; an image is a path, bytes, a Pillow image or an "
            "array of uint8"
        )
    content = bytes(image)
    if not content:
        raise PredictError(f"The file is empty. {INSTEAD}")
    try:
        # Pillow warns from 89 million pixels on; the limit here is a little higher.
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            picture = Image.open(io.BytesIO(content))
            _refuse_huge(*picture.size)
            picture.load()
    except PredictError:
        raise
    except UnidentifiedImageError:
        for start, beginnings, kind in KNOWN:
            if content[start:].lstrip()[:8].startswith(beginnings):
                raise PredictError(f"This is {kind}") from None
        raise PredictError(UNKNOWN) from None
    except Image.DecompressionBombError:  # far beyond, so Pillow does not even say the size
        raise PredictError(HUGE) from None
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise PredictError(
            f"The file is broken or incomplete ({error}). Open it elsewhere, and save it again as "
            "JPEG or PNG."
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
        return Path(name).expanduser().read_bytes()
    except OSError as error:
        raise PredictError(
            f"{name} cannot be read: {error.strerror}. Give the path of an image file, seen from "
            f"the folder {Path.cwd().name}/."
        ) from error


def _from_array(values: np.ndarray) -> Image.Image:
    if values.dtype == np.uint16:
        values = _eight_bits(values)
    if values.dtype != np.uint8:
        raise PredictError(
            f"the array is of type {values.dtype}; pictures are arrays of uint8 with values from 0 "
            "to 255. Shares of 1 become that with `(255 * array).round().astype('uint8')`."
        )
    if not values.size or values.ndim not in (2, 3) or values.shape[2:] not in ((), (3,), (4,)):
        raise PredictError(
            f"the array has the shape {values.shape}; one picture has (height, width), (height, "
            "width, 3) or (height, width, 4)"
        )
    _refuse_huge(values.shape[1], values.shape[0])
    return Image.fromarray(values)


def _rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    notes = []
    if getattr(picture, "n_frames", 1) > 1:
        notes.append("The file holds several pictures; the first one is used.")
        picture.seek(0)
    picture = ImageOps.exif_transpose(picture)
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
    return picture.convert("RGB"), notes


def _eight_bits(values: np.ndarray) -> np.ndarray:
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise PredictError(f"The image has values beyond 16 bits. {INSTEAD}")
    return np.round(values / 257).astype(np.uint8)


def _refuse_huge(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise PredictError(HUGE)
