"""What all readers of HAM10000 share: the record they return, errors, and the metadata."""

import csv
import gzip
import hashlib
import io
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short
from typing import BinaryIO

import numpy as np
import pandas as pd

from utils.classes import DX

__all__: list[str] = []

IMAGES = 10_015
REQUIRED = ("image_id", "lesion_id", "dx", "dx_type", "age", "sex", "localization")
COLUMNS = (*REQUIRED, "dataset")  # Kaggle's copy of the metadata lacks the last
NO_ID = ["", *"nan #n/a n/a na <na> nat none null unknown missing - ? .".split()]  # for none
PUBLISHED = "21e9574571c4804943df1fac14707420"  # the digest of all ids and diagnoses
HIDDEN = re.compile(r"[._$]|(lost\+found|System Volume Information|tmp[a-z0-9_]{8})$")
PHANTOM = "the phantom (synthetic lesions, no patient's image)"
ELSEWHERE = "the phantom with other cameras (synthetic lesions, imagined cameras and clinics)"
AGAIN = "Download it again (see data/README.md)."


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
    metadata : DataFrame, N rows with a RangeIndex; None or NaN where a source tells nothing
        image_id, lesion_id, dx, dx_type, age (years, float), sex, localization, dataset (where
        and how it was taken; ``external``: a clinic that HAM10000 has no image of)
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
    """Files that hold all images: their name in words, a key that is had without decoding them."""

    name: str
    key: str
    read: Callable[[], LesionImages]


def digest(*parts: str) -> str:
    """Return the SHA-256 of some texts as 32 hexadecimal digits."""
    coded = (part.encode(errors="surrogateescape") for part in parts)
    total = b"".join(len(data).to_bytes(8, "little") + data for data in coded)
    return hashlib.sha256(total).hexdigest()[:32]


def refuse_html(path: Path) -> None:
    """Raise if a web page was saved under the name of a data file, as failed downloads do."""
    with path.open("rb") as file:
        if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise DataError(
                f"{path} is not data but a web page, for errors or logging in, saved under this "
                "name. Open it in a browser to see what it says, delete it, and download it again."
            )


@contextmanager
def readable(problem: object, cure: str = AGAIN) -> Iterator[None]:
    """Turn what readers raise on damaged bytes into a `DataError` with a problem in words."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # decoders and readers of zips and tables have many kinds
        why = f"{type(error).__name__}: {error}"[:300].rstrip(".\n")
        mine = isinstance(error, PermissionError)
        what = "get the right to read it" if mine else f"it is truncated or damaged. {cure}"
        if isinstance(error, NotImplementedError) or "encrypted" in why:
            what = "Python cannot unpack it. Use another program for that, then move it away."
        raise DataError(f"{problem} ({why}): {what}") from error


def require_28(size: int, what: str) -> None:
    """Raise if another size is asked for than 28, of a source that has no other."""
    if size != 28:
        raise IncompleteError(
            f"{what} has images of 28 × 28 pixels, not {size} × {size}. Ask for size=28, or use "
            "the official zips (load_ham10000(size, source='dataverse') downloads them)."
        )


def require_rows(path: Path, rows: int, expected_rows: int) -> None:
    """Raise unless a file describes as many images as it must."""
    if rows != expected_rows:
        what = f"{rows:,} rows where {expected_rows:,} were expected, one for each image"
        raise DataError(f"{path} has {what}. It is cut off or of another data set. {AGAIN}")


def metadata_frame(columns: dict[str, Sequence]) -> pd.DataFrame:
    """Build the metadata table: text with None, `age` with NaN where a source tells nothing."""
    rows = len(columns["image_id"])
    filled = {name: np.asarray(columns.get(name, [""] * rows), dtype=object) for name in COLUMNS}
    table = {name: [value or None for value in values] for name, values in filled.items()}
    table["age"] = np.asarray(columns.get("age", [np.nan] * rows), dtype=np.float64)
    return pd.DataFrame(table)


def files(folder: Path, deepest: int = 3) -> list[Path]:
    """Return the visible files in a folder and in folders within, so deep, the nearest first."""

    def refuse(error: OSError) -> None:
        with readable(f"{error.filename} cannot be read"):
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise error

    found = []
    for here, inner, names in os.walk(folder, onerror=refuse, followlinks=True):
        deep = len(Path(here).relative_to(folder).parts) >= deepest
        inner[:] = [] if deep else sorted(name for name in inner if not HIDDEN.match(name))
        found += [Path(here, name) for name in sorted(names) if not HIDDEN.match(name)]
    return sorted(filter(os.path.isfile, found), key=lambda path: len(path.parts))


def find_table(folder: Path, stem: str = "HAM10000_metadata") -> Path | zipfile.Path | None:
    """Return the file that holds a table: under its official name or nearly so, or in a zip."""
    told = re.compile(rf"(?i)(?:.*[/\\])?{stem}( ?\(\d\))?((?:\.(?:csv|tab|tsv|txt))*)(\.gz)?")
    paths = files(folder)
    named = [(path, name) for path in paths if (name := told.fullmatch(path.name))]
    named.sort(key=lambda p: (bool(p[1][3]), len(p[0].parts), p[1][1] or "", not p[1][2]))
    for path, _ in named:
        return path
    for path in (path for path in paths if path.suffix.lower() == ".zip"):
        with suppress(Exception), zipfile.ZipFile(path) as archive:
            for member in filter(told.fullmatch, archive.namelist()):
                return zipfile.Path(path, member)
    return None


@contextmanager
def opened(path: Path | zipfile.Path, cure=AGAIN, most=12 * 10**7) -> Iterator[BinaryIO]:
    """Open a table, maybe a packed one; what goes wrong while it is read becomes a `DataError`."""
    with readable(f"{path} is not a readable table", cure):
        refuse_html(path)
        with path.open("rb") as raw:
            start, _ = raw.read(4), raw.seek(0)
            if start == b"PK\3\4":
                raise DataError(f"{path} is a zip under another name. Use what it holds, unpacked.")
            file = gzip.GzipFile(fileobj=raw) if start[:2] == b"\x1f\x8b" else raw
            while block := file.read(50_000):  # the largest table, Kaggle's, has 10**8 in all
                if file.tell() > most or (block[49_999:] and not re.search(rb"[\r\n]", block)):
                    raise ValueError(f"it has more than {most:,} bytes, or 50,000 in one line")
            file.seek(0)
            yield file


def hash_table(path: Path | zipfile.Path) -> str:
    """Return the SHA-256 of a table, unpacked."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, required: Sequence[str] = REQUIRED, cure: str = AGAIN) -> pd.DataFrame:
    """Read a table, separated by commas, tabs or semicolons, as text."""
    with opened(path, cure, most=10**7) as file:
        text = file.read().decode("utf-8-sig")
        separator = max(",\t;", key=text.partition("\n")[0].count)
        lines = csv.reader(io.StringIO(text, ""), delimiter=separator, strict=True)
        columns, *rows = [
            [cell.strip() for cell in line] for line in lines if any(map(str.strip, line))
        ] or [[]]
        for number, row in enumerate(rows, 2):
            if len(row) != len(columns):
                raise ValueError(f"line {number} has {len(row)} cells, the first {len(columns)}")
        open_end = text[-1:] != "\n" and rows[1:] and required is REQUIRED
        if "\0" in text or (open_end and rows[-1][-1] not in {row[-1] for row in rows[:-1]} - {""}):
            raise ValueError(f"it is cut off: it ends with {text[-9:]!r}, no whole cell")
        if missing := ", ".join(name for name in required if columns.count(name) != 1):
            raise ValueError(f"it lacks the column(s) {missing}, or has two: {columns}"[:400])
    return pd.DataFrame(rows, columns=columns, dtype=object)


def hash_metadata(path: Path) -> str:
    """Return the SHA-256 of the columns that all copies have: official and Kaggle's are alike."""
    table = read_text(path)[["lesion_id", "image_id", *REQUIRED[2:]]]
    return hashlib.sha256(table.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def read_metadata(path: Path, ids: Collection[str] = ()) -> pd.DataFrame:
    """Return the metadata of all images, or of some; refuse what it cannot hold."""
    raw = read_text(path)
    told = sorted(raw["image_id"] + raw["lesion_id"] + raw["dx"])
    if len(told) == IMAGES and digest(*told) != PUBLISHED:
        what = "its ids or diagnoses are not as published, so results will be others"
        warnings.warn(f"{path}: {what}. Is that meant? If not: {AGAIN}", stacklevel=4)
    raw = raw[raw["image_id"].isin(ids)] if ids else raw

    def refuse(bad: pd.Series, column: str, what: str) -> None:
        for row in raw.index[bad][:1]:
            where = f"{path}, line {row + 2}, column {column}, image {short(raw['image_id'][row])}"
            all_ = f"({short(raw[column][row])}; {bad.sum()} such line(s) in all)"
            raise DataError(f"{where}: {what} {all_}. Correct this line. Or: {AGAIN}")

    refuse(raw["image_id"].str.lower().isin(NO_ID), "image_id", "there is no image id")
    refuse(raw["image_id"].duplicated(), "image_id", "an earlier line has the same image id")
    refuse(raw["lesion_id"].str.lower().isin(NO_ID), "lesion_id", "there is no lesion id")
    refuse(~raw["dx"].isin(DX), "dx", f"the diagnosis is none of {', '.join(DX)}")
    empty = raw["age"].str.lower().isin(NO_ID)
    age = pd.to_numeric(raw["age"].mask(empty, "nan"), errors="coerce")
    refuse((age.isna() & ~empty) | (age < 0) | (age > 120), "age", "this is no age in years")
    return metadata_frame({name: raw[name] for name in COLUMNS if name in raw} | {"age": age})


def labels_of(dx: Iterable[str]) -> np.ndarray:
    """Return the labels in the Kaggle coding, int64 (N,), of diagnoses."""
    return np.array([DX.index(name) for name in dx], dtype=np.int64)
