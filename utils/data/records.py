"""What all readers of HAM10000 share: the record they return, errors, and the metadata."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from utils.classes import CLASSES, DX

__all__: list[str] = []

IMAGES = 10_015
REQUIRED = ("image_id", "lesion_id", "dx", "dx_type", "age", "sex", "localization")
COLUMNS = (*REQUIRED, "dataset")  # Kaggle's copy of the metadata lacks the last
PHANTOM = "the phantom (synthetic lesions, no patient's image)"
ELSEWHERE = "the phantom with other cameras (synthetic lesions, imagined cameras and clinics)"
AGAIN = "Download it again (see data/README.md)."

# What the decoder and the zip reader raise on damaged bytes.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, RuntimeError, KeyError, zipfile.BadZipFile,
    zlib.error, Image.DecompressionBombError,
)  # fmt: skip
# What pandas raises on what is no table.
UNREADABLE = (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError)


class DataError(ValueError):
    """Data that cannot be used; the message says which file, what is wrong, where, what to do."""


class IncompleteError(DataError):
    """A source that stands in a folder lacks a file, or does not have the size asked for."""


@dataclass(frozen=True, eq=False)
class LesionImages:
    """Images of skin lesions with their labels and metadata, row for row.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, size, size, 3); red, green and blue, 0 to 255
    labels : ndarray of int64, shape (N,); the Kaggle coding, as in `utils.classes`
    metadata : DataFrame
        N rows with a RangeIndex: image_id, lesion_id, dx, dx_type, age (years, float), sex,
        localization, dataset (where and how the image was taken: vidir_molemax, vidir_modern,
        rosendahl, vienna_dias; external: a clinic that HAM10000 has no image of). What a source
        does not tell is missing (None or NaN).
    source : str, where the images come from, in words
    fingerprint : str, the same for the same source files, size and resize filter
    """

    images: np.ndarray
    labels: np.ndarray
    metadata: pd.DataFrame
    source: str
    fingerprint: str

    @property
    def is_phantom(self) -> bool:
        """True if the lesions are synthetic."""
        return self.source in (PHANTOM, ELSEWHERE)

    @property
    def has_lesions(self) -> bool:
        """True if every image has a lesion id, without which no honest split is possible."""
        return bool(self.metadata["lesion_id"].notna().all())


@dataclass(frozen=True, eq=False)
class Source:
    """Files that hold all images: their name in words, a key that is had without decoding them.

    What `read` returns has the fingerprint of the files, whatever the size of its images.
    """

    name: str
    key: str
    read: Callable[[], LesionImages]


def digest(*parts: str | bytes) -> str:
    """Return the SHA-256 of some parts as 32 hexadecimal digits."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()[:32]


def refuse_html(path: Path) -> None:
    """Raise if a web page was saved under the name of a data file, as failed downloads do."""
    with path.open("rb") as file:
        if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise DataError(
                f"{path} is not data but a web page (it starts with '<'): an error or login page, "
                "saved under this name. Open it in a browser to see what the site said, delete "
                "it, and download it again."
            )


def require_size(size: int, sizes: tuple[int, ...], what: str) -> None:
    """Raise unless the size asked for is one that a source has."""
    if size not in sizes:
        raise IncompleteError(
            f"{what} has images of {' or '.join(f'{s} × {s}' for s in sizes)} pixels, not "
            f"{size} × {size}. Ask for size={sizes[0]}, or use the official zips, which give any "
            "size (load_ham10000(size, source='dataverse') downloads them)."
        )


def require_rows(path: Path, rows: int, expected_rows: int) -> None:
    """Raise unless a file describes as many images as it must."""
    if rows != expected_rows:
        raise DataError(
            f"{path} has {rows:,} rows where {expected_rows:,} were expected, one for each image. "
            "It is cut off or of another data set: download it again (see data/README.md)."
        )


def metadata_frame(columns: dict[str, Sequence]) -> pd.DataFrame:
    """Build the metadata table: text with None, `age` with NaN where a source tells nothing."""
    rows = len(columns["image_id"])
    filled = {name: np.asarray(columns.get(name, [""] * rows), dtype=object) for name in COLUMNS}
    table = {name: [value or None for value in values] for name, values in filled.items()}
    table["age"] = np.asarray(columns.get("age", [np.nan] * rows), dtype=np.float64)
    return pd.DataFrame(table)


def find_metadata(folder: Path, stem: str = "HAM10000_metadata") -> Path | None:
    """Return the metadata file that stands in a folder under one of its official names."""
    paths = [folder / f"{stem}{end}" for end in (".csv", ".tab", ".tsv", "")]
    return next((path for path in paths if path.is_file()), None)


def _read_text(path: Path) -> pd.DataFrame:
    """Read `HAM10000_metadata`, separated by commas or tabs, as text."""
    refuse_html(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            form = {"sep": "\t" if "\t" in file.readline() else ",", "encoding": "utf-8-sig"}
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, **form)
    except UNREADABLE as error:
        raise DataError(f"{path} is not a readable table: {error}. {AGAIN}") from error
    if missing := [name for name in REQUIRED if name not in raw.columns]:
        columns = ", ".join(raw.columns)
        raise DataError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has {columns}. {AGAIN}"
        )
    return raw.fillna("").reset_index(drop=True)  # a line that is too short leaves NaN


def hash_metadata(path: Path) -> str:
    """Return the SHA-256 of the columns that all copies have: official and Kaggle's are alike."""
    columns = ["lesion_id", "image_id", *REQUIRED[2:]]  # as both files have them
    table = _read_text(path)[columns].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(table.encode()).hexdigest()


def read_metadata(path: Path, ids: Collection[str] = ()) -> pd.DataFrame:
    """Return the metadata of all images, or of some; refuse what it cannot hold."""
    raw = _read_text(path)
    raw = raw[raw["image_id"].isin(ids)] if ids else raw

    def refuse(bad: pd.Series, column: str, what: str) -> None:
        for row in raw.index[bad][:1]:
            raise DataError(
                f"{path}, line {row + 2}, column {column}, image {raw['image_id'][row]!r}: {what} "
                f"({raw[column][row]!r}; {bad.sum()} such line(s) in all). Correct this line, or "
                "download the file again (see data/README.md)."
            )

    refuse(raw["image_id"] == "", "image_id", "there is no image id")
    refuse(raw["image_id"].duplicated(), "image_id", "an earlier line has the same image id")
    refuse(raw["lesion_id"] == "", "lesion_id", "there is no lesion id")
    refuse(~raw["dx"].isin(DX), "dx", f"the diagnosis is none of {', '.join(DX)}")
    empty = raw["age"].str.lower().isin(["", "nan", "unknown"])
    age = pd.to_numeric(raw["age"].mask(empty, "nan"), errors="coerce")
    refuse((age.isna() & ~empty) | (age < 0) | (age > 120), "age", "this is no age in years")
    return metadata_frame({name: raw[name] for name in COLUMNS if name in raw} | {"age": age})


def labels_of(dx: Iterable[str]) -> np.ndarray:
    """Return the labels in the Kaggle coding, int64 (N,), of diagnoses."""
    code = {lesion.dx: lesion.kaggle_label for lesion in CLASSES}
    return np.array([code[name] for name in dx], dtype=np.int64)
