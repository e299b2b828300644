"""Hold what all readers of HAM10000 share: their records and errors, checks, and the metadata."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from utils.classes import CLASSES, DX

IMAGES = 10_015
METADATA_NAMES = tuple("HAM10000_metadata" + end for end in (".csv", ".tab", ".tsv", ""))
COLUMNS = ("image_id", "lesion_id", "dx", "dx_type", "age", "sex", "localization")

# What the decoder and the zip reader raise on damaged bytes.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip


class DataError(ValueError):
    """Data that cannot be used; the message says which file, what is wrong, where, what to do."""


class IncompleteError(DataError):
    """A source that stands in a folder lacks a file, or does not have the size asked for."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What a reader returns: images (N, size, size, 3) uint8, labels (N,) int64, N metadata rows.

    `fingerprint` identifies the content that was read, whatever its size on the way out.
    """

    images: np.ndarray
    labels: np.ndarray
    metadata: pd.DataFrame
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Source:
    """A complete source that was found: its name for people, a cheap key, and how to read it."""

    name: str
    key: str
    read: Callable[[], Reading]


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
                f"{path} is not data but a web page (it starts with '<'): the site sent an error "
                "or login page and the browser saved it under this name. Open it in a browser to "
                "see what the site said, delete it, and download it again."
            )


def require_size(size: int, sizes: tuple[int, ...], what: str) -> None:
    """Raise unless the size asked for is one that a source has."""
    if size not in sizes:
        raise IncompleteError(
            f"{what} has images of {' or '.join(f'{s} × {s}' for s in sizes)} pixels, not "
            f"{size} × {size}. Ask for size={sizes[0]}, or use the official zips, which give any "
            "size (load_ham10000(size, source='dataverse') downloads them)."
        )


# --- Metadata -----------------------------------------------------------------------------------


def metadata_frame(columns: dict[str, Iterable]) -> pd.DataFrame:
    """Build the metadata table: text columns with None where empty, `age` float64 with NaN."""
    table = {}
    for name in COLUMNS:
        values = columns[name]
        if name == "age":
            table[name] = np.asarray(values, dtype=np.float64)
        else:
            table[name] = [value or None for value in np.asarray(values, dtype=object).tolist()]
    return pd.DataFrame(table)


def find_metadata(folder: Path) -> Path | None:
    """Return the metadata file that stands in a folder under one of its official names."""
    return next((folder / name for name in METADATA_NAMES if (folder / name).is_file()), None)


def read_metadata(path: Path, *, expected_rows: int = IMAGES) -> pd.DataFrame:
    """Read `HAM10000_metadata` with 7 or 8 columns, separated by commas or tabs.

    Parameters
    ----------
    path : Path
        The file. The eighth column of newer versions, `dataset`, is left out.
    expected_rows : int
        Number of images that the table must describe.

    Returns
    -------
    DataFrame
        `expected_rows` rows in the order of the file, the columns of `COLUMNS`.

    Raises
    ------
    DataError
        On a missing column, an unknown diagnosis, a duplicated or empty image id, an empty lesion
        id, an age that is no number, or another number of rows.
    """
    refuse_html(path)
    again = "Download the file again (see data/README.md) or correct this line."
    try:
        with path.open(encoding="utf-8-sig") as file:
            separator = "\t" if "\t" in file.readline() else ","
        raw = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable table: {error}. {again}") from error
    missing = [name for name in COLUMNS if name not in raw.columns]
    if missing:
        raise DataError(
            f"{path} lacks the column(s) {', '.join(missing)}; it has {', '.join(raw.columns)}. "
            "Download HAM10000_metadata again (see data/README.md)."
        )
    raw = raw.fillna("").reset_index(drop=True)  # a line that is too short leaves NaN

    def refuse(bad: pd.Series, column: str, what: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"{path}, line {row + 2}, column {column}, image {raw['image_id'][row]!r}: {what} "
                f"({raw[column][row]!r}; {int(bad.sum())} such line(s) in all). {again}"
            )

    refuse(raw["image_id"] == "", "image_id", "there is no image id")
    refuse(raw["image_id"].duplicated(), "image_id", "an earlier line has the same image id")
    refuse(raw["lesion_id"] == "", "lesion_id", "there is no lesion id")
    refuse(~raw["dx"].isin(DX), "dx", f"the diagnosis is none of {', '.join(DX)}")
    empty = raw["age"].str.lower().isin(["", "nan", "unknown"])
    age = pd.to_numeric(raw["age"].mask(empty, "nan"), errors="coerce")
    refuse((age.isna() & ~empty) | (age < 0) | (age > 120), "age", "this is no age in years")
    if len(raw) != expected_rows:
        raise DataError(
            f"{path} has {len(raw):,} rows where {expected_rows:,} were expected, one for each "
            "image. It is cut off or of another data set: download it again (see data/README.md)."
        )
    return metadata_frame({**{name: raw[name] for name in COLUMNS}, "age": age})


def labels_of(dx: Iterable[str]) -> np.ndarray:
    """Return the labels in the Kaggle coding, int64 (N,), of diagnoses."""
    code = {lesion.dx: lesion.kaggle_label for lesion in CLASSES}
    return np.array([code[name] for name in dx], dtype=np.int64)


def bare_metadata(ids: list[str], labels: np.ndarray) -> pd.DataFrame:
    """Build the metadata of a source that tells nothing but the diagnosis."""
    empty = [""] * len(ids)
    columns = dict.fromkeys(COLUMNS, empty)
    known = {"image_id": ids, "dx": [DX[i] for i in labels], "age": [np.nan] * len(ids)}
    return metadata_frame({**columns, **known})
