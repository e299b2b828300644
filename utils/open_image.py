"""Open an image of any kind as a photograph: upright, in red, green and blue, on white ground."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MOST_PIXELS = 100_000_000  # more would take 300 MB and more, and the network sees 784
SIZE = 28
INSTEAD = "Save it as JPEG or PNG and try again."
# Bytes near the beginning of files that are no pictures Pillow reads, and what to say of them.
KNOWN = (
    (4, (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1", b"ftypheim"), "HEIC"),
    (4, (b"ftyp",), "video"),
    (0, (b"%PDF",), "PDF"),
    (128, (b"DICM",), "DICOM"),
    (0, (b"<svg", b"<?xml"), "SVG"),
    (0, (b"<!DOC", b"<html"), "web page"),
)
ADVICE = {
    "HEIC": (
        "This is a HEIC file, the format in which iPhones store photographs. Export it as JPEG, or "
        "set the phone's camera to its most compatible format."
    ),
    "video": f"This is a video, or a photograph of a kind that cannot be read here. {INSTEAD}",
    "PDF": f"This is a PDF document, not an image. {INSTEAD}",
    "DICOM": f"This is a DICOM file. {INSTEAD}",
    "SVG": f"This is a drawing made of lines (SVG), not a photograph. {INSTEAD}",
    "web page": "This is a web page, not an image. Save the image itself.",
}


class PredictError(ValueError):
    """An image or a model cannot be used; the message is meant for the reader."""


def open_image(source: object) -> tuple[Image.Image, list[str]]:
    """Read an image from wherever it is.

    Parameters
    ----------
    source : str, Path, bytes, Pillow image or ndarray
        See `utils.predict.predict`.

    Returns
    -------
    (PIL.Image.Image, list of str)
        The picture, mode RGB, and what was done to it, a sentence each.

    Raises
    ------
    PredictError
        If it cannot be read.
    """
    if isinstance(source, np.ndarray):
        return _rgb(_from_array(source))
    if isinstance(source, Image.Image):
        _refuse_huge(*source.size)
        return _rgb(source)
    if isinstance(source, str | Path):
        content = _content(source)
    elif isinstance(source, bytes | bytearray | memoryview):
        content = bytes(source)
    else:
        raise PredictError(
            f"this is {type(source).__name__}; an image is a path, bytes, a Pillow image or an "
            "array of uint8"
        )
    if not content:
        raise PredictError(f"The file is empty. {INSTEAD}")
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels on; the limit here is the one below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content))
            _refuse_huge(*picture.size)
            picture.load()
    except UnidentifiedImageError:
        raise PredictError(_advice(content)) from None
    except Image.DecompressionBombError:
        raise PredictError(_huge("far more than 100 million pixels")) from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        if isinstance(error, PredictError):
            raise
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


def shrink(picture: Image.Image, *, size: int = SIZE) -> np.ndarray:
    """Shrink a picture as the training images were, by area average.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    """
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX))


def _content(source: str | Path) -> bytes:
    if str(source).startswith(("http://", "https://")):
        raise PredictError(f"{source} is a web address. Download the image and give its path.")
    path = Path(source).expanduser()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PredictError(
            f"There is no file {source} in {Path.cwd().name}/. Check its name and folder."
        ) from None
    except IsADirectoryError:
        raise PredictError(f"{source} is a folder. Give the path of one image in it.") from None
    except OSError as error:
        raise PredictError(f"{source} cannot be read: {error.strerror or error}.") from error


def _from_array(values: np.ndarray) -> Image.Image:
    if values.dtype == np.uint16:
        values = _eight_bits(values)
    if values.dtype != np.uint8:
        raise PredictError(
            f"the array is of type {values.dtype}; pictures are arrays of uint8 with values from 0 "
            "to 255. Shares of 1 become that with `(255 * array).round().astype('uint8')`."
        )
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise PredictError(
            f"the array has the shape {values.shape}; one picture has (height, width), (height, "
            "width, 3) or (height, width, 4)"
        )
    if not values.size:
        raise PredictError(f"the array of shape {values.shape} holds no pixel")
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
        raise PredictError(_huge(f"{width:,} × {height:,} pixels"))


def _huge(size: str) -> str:
    return (
        f"The image has {size}; more than 100 million are not read, because the network sees "
        f"{SIZE} × {SIZE} of them. Save it smaller and try again."
    )


def _advice(content: bytes) -> str:
    for start, beginnings, kind in KNOWN:
        if content[start:].lstrip()[:8].startswith(beginnings):
            return ADVICE[kind]
    return f"The file is not an image that can be read here, or it is broken. {INSTEAD}"
