"""Files are there whole or not at all, are named by what they hold; pictures open safely."""

import hashlib
import io
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jsonschema import Draft202012Validator
from PIL import Image, ImageOps, UnidentifiedImageError

__all__: list[str] = []

SCHEMAS = Path(__file__).with_name("schemas.json")  # what JSON files must hold, by their names
SIZE, PATIENCE = 28, 15  # pixels that the network sees; seconds to decode a picture
MOST_PIXELS, MOST_MEMORY, MOST_BYTES = 10**8, 26 * 10**7, 2 * 10**8  # of a picture, of a file
# Others are not even tried: Pillow would hand PostScript to a program that runs it.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "TIFF", "WEBP")
INSTEAD = "Save it as JPEG or PNG and try again."
HUGE = "The image has over 100 million pixels (in colour 65, as JPEG 2000 37). Save it smaller."
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
    (0, (b"",), f"empty, broken, or not an image that can be read here. {INSTEAD}"),
)


def replace_file(path: Path, content: str | bytes | Callable[[BinaryIO], object]) -> None:
    """Write text, bytes, or what a function writes into an open file; a missing folder is made.

    Whoever reads, also in another process, sees the old file or the new one: it gets its name last.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    except OSError as error:
        error.add_note(f"Not written: {path}. Make room on the disk, or make its folder writable.")
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def named_source(variable: str = "HAM10000_DIR") -> str:
    """Return what a variable names, without the blanks and quotes that some shells leave."""
    named = os.environ.get(variable, "").strip(" \t\r\n\"'")
    return "phantom" if named.lower() == "phantom" else named


def write_json(path: Path, content: dict) -> None:
    """Write a record as JSON, whole or not at all."""
    replace_file(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Return a JSON file's content; an OSError, ValueError or RecursionError says what is wrong."""
    if _unusable(path, 20 * 10**6):
        raise ValueError("it is no file, or larger than 20 MB")
    text = path.read_text(encoding="utf-8")
    with own_file(SCHEMAS):
        forms = json.loads(SCHEMAS.read_text(encoding="utf-8")).values()
    form = next((f for f in forms if any(map(path.match, f["files"]))), True)  # True: whatever
    for error in Draft202012Validator(form).iter_errors(json.loads(text, parse_constant=str)):
        raise ValueError(f"{error.json_path} ({error.validator}): {error.message}"[:300])
    return json.loads(text)


@contextmanager
def own_file(path: Path) -> Iterator[None]:
    """Turn what a damaged file of the course raises while it is used into an error with a cure."""
    try:
        yield
    except Exception as error:  # decoders and what uses a wrong content have many kinds
        problem = f"{path} is missing or damaged ({type(error).__name__}: {error})."
        cure = f"Restore this file of the course (`git checkout -- {path.name}` in its folder)."
        raise ValueError(f"{problem} {cure}") from error


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits; "" of a folder, a pipe, a giant."""
    if _unusable(path):
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unusable(path: Path, most: int = 2 * 10**9) -> bool:
    """Say whether there is something that is no file, or one of more bytes than can be used."""
    return path.exists() and not (path.is_file() and path.stat().st_size <= most)


class PredictError(ValueError):
    """An image or a model cannot be used; the message is meant for the reader."""


class _InTime(io.BytesIO):
    """Bytes for a decoder: damage can make it take them one by one, for minutes."""

    def read(self, size: int | None = -1) -> bytes:
        if time.monotonic() > self.end:
            raise ValueError(f"after {PATIENCE} s it is still not decoded")
        return super().read(size)


def open_image(image: object) -> tuple[Image.Image, list[str]]:
    """Return an image, given as `predict` takes it, upright, in RGB, on white, and notes on it."""
    try:
        if isinstance(image, np.ndarray):
            form = image.dtype == np.uint8 and image.size and image.ndim in (2, 3)
            if not form or image.shape[2:] not in ((), (3,), (4,)):
                raise PredictError(
                    f"the array is {image.dtype} of shape {image.shape}; a picture is uint8, 0 to "
                    "255, of (height, width[, 3 or 4]). Give `array.round().astype('uint8')`; with "
                    "values up to 1 or 65,535 put `(255 * array)`, `(array / 257)` for `array`."
                )
            image = Image.fromarray(image)
        if isinstance(image, Image.Image):
            return _rgb(image)
        if isinstance(image, str | Path):
            image = _content(image)
        if not isinstance(image, bytes | bytearray | memoryview):
            raise PredictError(f"{type(image).__name__} is no path, bytes, Pillow image or array.")
        with warnings.catch_warnings(record=True, action="always") as told:
            file = _InTime(content := bytes(image))
            file.end = time.monotonic() + PATIENCE
            picture = Image.open(file, formats=FORMATS)
            picture.decodermaxblock = 8192  # bytes; after so many the time is looked at
            return _rgb(picture, told)
    except PredictError:
        raise
    except UnidentifiedImageError:
        for start, beginnings, kind in KNOWN:
            if content[start:].lstrip()[:8].startswith(beginnings):
                raise PredictError(f"This is {kind}") from None
    except Image.DecompressionBombError:  # far beyond, so Pillow does not even say the size
        raise PredictError(HUGE) from None
    except Exception as error:  # decoders of damaged files have many kinds
        why = str(error.__cause__ if type(error) is SystemError else error) or type(error).__name__
        problem = f"The file is broken or incomplete ({why})."
        raise PredictError(f"{problem} Save it elsewhere as JPEG or PNG.") from error


def _content(name: str | Path) -> bytes:
    if str(name).startswith(("http:/", "https:/")):  # a path keeps one slash of two
        raise PredictError(f"{name} is a web address. Download the image and give its path.")
    try:
        path = Path(name).expanduser()
        if _unusable(path, MOST_BYTES):
            raise ValueError(f"it is no file of at most {MOST_BYTES // 10**6} MB")
        return path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:  # no home folder; a NUL in the name
        why = getattr(error, "strerror", error)
        cure = f"Give the whole path of an image that you may read, or from {Path.cwd().name}/ on."
        raise PredictError(f"{name} cannot be read: {why}. {cure}") from error


def _rgb(picture: Image.Image, told: Iterable = ()) -> tuple[Image.Image, list[str]]:
    if picture.format not in (None, "MPO", *FORMATS):
        raise PredictError(f"An image of the format {picture.format} is not read here. {INSTEAD}")
    picture.seek(0)
    light = picture.mode in ("1", "L", "P") and not picture.has_transparency_data
    # Two decoders need more than the 4 bytes of a colour.
    decoders = {"WEBP": 5, "JPEG2000": 5 if picture.mode == "RGB" else 7}
    _refuse_huge(*picture.size, decoders.get(picture.format, 1 if light else 4))
    tags = getattr(picture, "tag_v2", {258: (16,), 262: 1})  # what a TIFF says of itself
    _refuse_huge(tags.get(322, 1), tags.get(323, 1), 4)  # a tile, which can be larger
    picture.load()
    several = "The file holds several pictures; the first one is used."
    notes = [several] if getattr(picture, "is_animated", False) else []
    try:
        picture = ImageOps.exif_transpose(picture)
        for warned in (one.message for one in told if "Tiff" in one.filename):  # it reads EXIF
            raise warned
    except Exception:  # the metadata are damaged, for which Pillow has many errors
        notes.append("What the file says of itself is damaged, so it may lie on its side.")
    if picture.mode[0] in "IF":  # 16 bits of grey, which Pillow keeps in 16 or 32; or others
        form = tags.get(258), tags.get(262), tags.get(339, (1,)), picture.mode[0]  # 0: black; sign
        low, high = (picture := picture.convert("I")).getextrema()
        if low < 0 or not 255 < high < 65536 or form != ((16,), 1, (1,), "I"):
            what = f"Its values, {low} to {high}, are no greys as read here: 16 bits, 0 for black."
            raise PredictError(f"{what} Save it with 8 bits, as JPEG or PNG, and try again.")
        picture = picture.point(lambda value: value / 257 + 0.5).convert("L")
        if picture.info.pop("transparency", None) is not None:  # a value of 16 bits
            notes.append("What is transparent in the image is taken as the grey that it is.")
    if picture.mode == "CMYK":
        notes.append("The colours are made for printing (CMYK); converting them shifts them a bit.")
    if picture.has_transparency_data:
        upper = picture if picture.mode in ("LA", "RGBA") else picture.convert("RGBA")
        picture = Image.new("RGB", upper.size, "white")
        picture.paste(upper, mask=upper)
        notes.append("What is transparent in the image is taken as white.")
    if min(picture.size) < SIZE:
        notes.append(f"The image is smaller than the {SIZE} × {SIZE} pixels the network sees.")
    return picture if picture.mode == "RGB" else picture.convert("RGB"), notes


def _refuse_huge(width: int, height: int, bytes_each: int) -> None:
    if min(width, height) == 0 or max(width, height) > 100_000:
        raise PredictError(f"A side of the image has no pixels, or more than 100,000. {INSTEAD}")
    if width * height > min(MOST_PIXELS, MOST_MEMORY // bytes_each):
        raise PredictError(HUGE)
