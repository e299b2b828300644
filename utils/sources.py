"""Read HAM10000 in each form in which people have it: zips, JPEGs, Kaggle's CSV, DermaMNIST."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from utils.classes import CLASSES, DX, kaggle_from_dermamnist

IMAGES = 10_015
ZIPS = ("HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip")
JPEG_FOLDERS = (".", "HAM10000_images_part_1", "HAM10000_images_part_2")
KAGGLE_CSV = "hmnist_28_28_RGB.csv"
METADATA_NAMES = tuple("HAM10000_metadata" + end for end in (".csv", ".tab", ".tsv", ""))
COLUMNS = ("image_id", "lesion_id", "dx", "dx_type", "age", "sex", "localization")

# What the decoder and the zip reader raise on damaged bytes.
_DAMAGE = (
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


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_html(path: Path) -> None:
    """Raise if a web page was saved under the name of a data file, as failed downloads do."""
    with path.open("rb") as file:
        if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise DataError(
                f"{path} is not data but a web page (it starts with '<'): the site sent an error "
                "or login page and the browser saved it under this name. Open it in a browser to "
                "see what the site said, delete it, and download it again."
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


# --- Official zips and folders of JPEGs ---------------------------------------------------------


def _image_id(name: str) -> str:
    """Return the image id that a file's name tells, "" if the file is no JPEG."""
    base = name.rsplit("/", 1)[-1]
    stem, _, ending = base.rpartition(".")
    return stem if ending.lower() in ("jpg", "jpeg") and base[0] != "." else ""


def _match(where: dict[str, str], metadata: pd.DataFrame, path: Path) -> None:
    """Raise unless images and metadata name the same ids."""
    known = set(metadata["image_id"])
    for ids, what in (
        (sorted(known - where.keys()), "has metadata but no image"),
        (sorted(where.keys() - known), "is an image without metadata"),
    ):
        if ids:
            place = f" ({where[ids[0]]})" if ids[0] in where else ""
            raise DataError(
                f"{ids[0]}{place} {what}; {len(ids):,} such image(s) in all. The metadata is "
                f"{path}. Use images and metadata of the same version, complete: see "
                "data/README.md for where each file comes from."
            )


def _decode(
    metadata: pd.DataFrame, fetch: Callable[[str], bytes], where: dict[str, str], size: int
) -> tuple[np.ndarray, dict[str, int]]:
    """Decode and shrink every image on all cores; also return the CRC-32 of each file."""
    ids = metadata["image_id"].tolist()
    images = np.empty((len(ids), size, size, 3), np.uint8)
    checks: dict[str, int] = {}

    def work(rows: range) -> int:
        for row in rows:
            try:
                data = fetch(ids[row])
                with Image.open(io.BytesIO(data)) as image:
                    small = image.convert("RGB").resize((size, size), Image.Resampling.BOX)
            except _DAMAGE as error:
                raise DataError(
                    f"{where[ids[row]]}: the image {ids[row]} cannot be decoded "
                    f"({type(error).__name__}: {error}). The file is damaged: download it again "
                    "(see data/README.md)."
                ) from error
            images[row] = small
            checks[ids[row]] = zlib.crc32(data)
        return len(rows)

    blocks = [range(start, min(start + 64, len(ids))) for start in range(0, len(ids), 64)]
    with (
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        tqdm(
            total=len(ids), desc="Reading images", unit=" images", leave=False, mininterval=0.5
        ) as bar,
    ):
        for done in pool.map(work, blocks):
            bar.update(done)
    return images, checks


def _jpeg_fingerprint(checks: dict[str, int], metadata_hash: str) -> str:
    # The same for zips and for the folder they unpack to: ids and CRC-32 of the JPEGs.
    return digest("jpeg", *(f"{i}:{checks[i]:08x}" for i in sorted(checks)), metadata_hash)


def find_zips(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the two official zips with their metadata; None if neither zip is there."""
    paths = [folder / name for name in ZIPS]
    metadata_path = find_metadata(folder)
    present = [path for path in paths if path.is_file()]
    if not present:
        return None
    missing = [path.name for path in paths if path not in present]
    if metadata_path is None:
        missing.append("HAM10000_metadata.csv (or .tab)")
    if missing:
        raise IncompleteError(
            f"{folder} holds {', '.join(p.name for p in present)} but not {' and '.join(missing)}. "
            "Put the missing file(s) beside it: see data/README.md for where they come from."
        )
    where: dict[str, str] = {}
    checks: dict[str, int] = {}
    members: dict[str, tuple[Path, str]] = {}
    for path in paths:
        refuse_html(path)
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(
                f"{path} cannot be opened as a zip ({error}): it is truncated or damaged "
                f"({path.stat().st_size:,} bytes). Delete it and download it again "
                "(see data/README.md)."
            ) from error
        for entry in entries:
            image = _image_id(entry.filename)
            if not image:
                continue
            place = f"{path}, {entry.filename}"
            if image in where:
                raise DataError(
                    f"{place}: the image id {image} is there twice, first as {where[image]}. "
                    "Keep one of them: download the zips again (see data/README.md)."
                )
            where[image], checks[image] = place, entry.CRC
            members[image] = (path, entry.filename)
    key = _jpeg_fingerprint(checks, _hash_file(metadata_path))

    def read() -> Reading:
        metadata = read_metadata(metadata_path, expected_rows=expected_rows)
        _match(where, metadata, metadata_path)
        archives = {path: zipfile.ZipFile(path) for path in paths}
        try:
            images, _ = _decode(
                metadata, lambda i: archives[members[i][0]].read(members[i][1]), where, size
            )
        finally:
            for archive in archives.values():
                archive.close()
        return Reading(images, labels_of(metadata["dx"]), metadata, key)

    return Source("HAM10000 from the official zips", key, read)


def find_jpegs(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find a folder of the JPEGs, or of the two folders that the zips unpack to."""
    where: dict[str, str] = {}
    stats = []
    for place in (folder / name for name in JPEG_FOLDERS):
        if not place.is_dir():
            continue
        with os.scandir(place) as entries:
            for entry in entries:
                image = _image_id(entry.name)
                if not image or not entry.is_file():
                    continue
                if image in where:
                    raise DataError(
                        f"{entry.path}: the image id {image} is there twice, first as "
                        f"{where[image]}. Remove one of the two."
                    )
                where[image] = entry.path
                stat = entry.stat()
                stats.append(f"{image}:{stat.st_size}:{stat.st_mtime_ns}")
    if not where:
        return None
    metadata_path = find_metadata(folder)
    if metadata_path is None:
        raise IncompleteError(
            f"{folder} holds {len(where):,} JPEG(s) but no HAM10000_metadata.csv (or .tab). Put it "
            "there: see data/README.md for where it comes from."
        )
    metadata_hash = _hash_file(metadata_path)

    def read() -> Reading:
        metadata = read_metadata(metadata_path, expected_rows=expected_rows)
        _match(where, metadata, metadata_path)
        images, checks = _decode(metadata, lambda i: Path(where[i]).read_bytes(), where, size)
        fingerprint = _jpeg_fingerprint(checks, metadata_hash)
        return Reading(images, labels_of(metadata["dx"]), metadata, fingerprint)

    # Hashing every file at every call would cost seconds; a changed file has a new size or time.
    key = digest("folder", str(folder.resolve()), *sorted(stats), metadata_hash)
    return Source("HAM10000 from a folder of JPEGs", key, read)


# --- Kaggle CSV ---------------------------------------------------------------------------------

_PIXELS = [f"pixel{i:04d}" for i in range(28 * 28 * 3)]


def require_size(size: int, sizes: tuple[int, ...], what: str) -> None:
    """Raise unless the size asked for is one that a source has."""
    if size not in sizes:
        raise IncompleteError(
            f"{what} has images of {' or '.join(f'{s} × {s}' for s in sizes)} pixels, not "
            f"{size} × {size}. Ask for size={sizes[0]}, or use the official zips, which give any "
            "size (load_ham10000(size, source='dataverse') downloads them)."
        )


def _parse_lines(lines: list[str], header: list[str], first: int, path: Path) -> np.ndarray:
    """Return lines of whole numbers as int64 (N, columns); name the first bad cell if there is one.

    `first` is the number of the first line in the file, counted from 1.
    """
    top = np.where(np.array(header) == "label", len(CLASSES) - 1, 255)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns of 12.5 where a whole number belongs
            table = np.loadtxt(lines, dtype=np.int64, delimiter=",", comments=None, ndmin=2)
        if table.shape == (len(lines), len(header)) and ((table >= 0) & (table <= top)).all():
            return table
    except (ValueError, OverflowError, Warning):
        pass  # the search below says where
    again = "The file was changed or damaged: download it again (see data/README.md)."
    for number, line in enumerate(lines, start=first):
        cells = line.strip().split(",")
        for name, cell, most in zip(header, cells, top, strict=False):
            digits = cell.strip()
            if not (digits.isascii() and digits.isdigit() and int(digits) <= most):
                raise DataError(
                    f"{path}, line {number}, column {name}: {cell!r} is not a whole number from 0 "
                    f"to {most}. {again}"
                )
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {number}, has {len(cells):,} values where the header has "
                f"{len(header):,} columns. {again}"
            )
    raise DataError(f"{path}, from line {first} on, is not a table of whole numbers. {again}")


def read_kaggle_csv(path: Path, *, expected_rows: int = IMAGES) -> tuple[np.ndarray, np.ndarray]:
    """Read `hmnist_28_28_RGB.csv`: images uint8 (N, 28, 28, 3) and labels int64 (N,).

    Raises
    ------
    DataError
        On missing columns, a value that is text or outside 0 to 255 (0 to 6 for the label), or
        another number of rows than `expected_rows`.
    """
    refuse_html(path)
    images = np.empty((expected_rows, len(_PIXELS)), np.uint8)
    labels = np.empty(expected_rows, np.int64)
    rows = 0
    try:
        with (
            path.open(encoding="utf-8-sig") as file,
            tqdm(total=expected_rows, desc="Reading rows", unit=" rows", leave=False) as bar,
        ):
            header = [name.strip(' "') for name in file.readline().strip().split(",")]
            missing = [name for name in [*_PIXELS, "label"] if name not in header]
            if missing:
                raise DataError(
                    f"{path} lacks {len(missing):,} of its 2,353 columns, first {missing[0]!r}: "
                    f"it is not {KAGGLE_CSV}, or damaged. Download it again (see data/README.md)."
                )
            pixels = [header.index(name) for name in _PIXELS]
            # In pieces, so that not the whole table stands in memory as 64-bit numbers.
            while lines := list(itertools.islice(file, 512)):
                table = _parse_lines(lines, header, rows + 2, path)
                end = rows + len(lines)
                if end <= expected_rows:
                    images[rows:end] = table[:, pixels]
                    labels[rows:end] = table[:, header.index("label")]
                rows = end
                bar.update(len(lines))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a readable table: {error}. Download it again (see data/README.md)."
        ) from error
    if rows != expected_rows:
        raise DataError(
            f"{path} has {rows:,} rows where {expected_rows:,} were expected, one for each image. "
            "It is cut off or of another data set: download it again (see data/README.md)."
        )
    return images.reshape(-1, 28, 28, 3), labels


def find_csv(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the Kaggle CSV, with the metadata for the lesion ids where it stands beside it.

    The CSV has no ids, but its rows stand in the order of the metadata. They are attached only
    after the label of every row has been found equal to the diagnosis of the metadata's row.
    """
    path = folder / KAGGLE_CSV
    if not path.is_file():
        return None
    require_size(size, (28,), str(path))
    metadata_path = find_metadata(folder)
    key = digest("csv", _hash_file(path), _hash_file(metadata_path) if metadata_path else "")

    def read() -> Reading:
        metadata = None
        if metadata_path is not None:
            metadata = read_metadata(metadata_path, expected_rows=expected_rows)
        images, labels = read_kaggle_csv(path, expected_rows=expected_rows)
        if metadata is None:
            ids = [f"kaggle_row_{row:05d}" for row in range(len(labels))]
            return Reading(images, labels, _bare_metadata(ids, labels), key)
        wrong = np.flatnonzero(labels != labels_of(metadata["dx"]))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                f"{path}, line {row + 2}: label {labels[row]} means {DX[labels[row]]}, but line "
                f"{row + 2} of {metadata_path}, image {metadata['image_id'][row]}, says "
                f"{metadata['dx'][row]} ({len(wrong):,} such line(s) in all). The two files do not "
                "belong together or were re-ordered: download both from the same Kaggle page "
                "(see data/README.md)."
            )
        return Reading(images, labels, metadata, key)

    return Source("HAM10000 from the Kaggle CSV", key, read)


def _bare_metadata(ids: list[str], labels: np.ndarray) -> pd.DataFrame:
    """Build the metadata of a source that tells nothing but the diagnosis."""
    empty = [""] * len(ids)
    columns = dict.fromkeys(COLUMNS, empty)
    known = {"image_id": ids, "dx": [DX[i] for i in labels], "age": [np.nan] * len(ids)}
    return metadata_frame({**columns, **known})


# --- DermaMNIST ---------------------------------------------------------------------------------

_PARTS = ("train", "val", "test")


def _npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Check the headers of a DermaMNIST file and return the shape of each array."""
    refuse_html(path)
    again = "Download it again (see data/README.md)."
    shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in (f"{part}_{what}" for part in _PARTS for what in ("images", "labels")):
                if f"{name}.npy" not in archive.namelist():
                    raise DataError(f"{path} lacks the array {name!r}. {again}")
                with archive.open(f"{name}.npy") as file:
                    version = np.lib.format.read_magic(file)
                    header = {
                        (1, 0): np.lib.format.read_array_header_1_0,
                        (2, 0): np.lib.format.read_array_header_2_0,
                    }[version]
                    shape, _, dtype = header(file)
                if dtype.hasobject:
                    raise DataError(
                        f"{path}, array {name!r}, holds pickled Python objects, which could run "
                        f"any program when they are opened; DermaMNIST has none. {again}"
                    )
                images = name.endswith("images")
                fits = (
                    len(shape) == 4 and shape[1] == shape[2] and shape[3] == 3
                    if images
                    else len(shape) in (1, 2) and shape[1:] in ((), (1,))
                )
                if not fits or dtype.kind not in "iu" or (images and dtype != np.uint8):
                    wanted = "uint8 (N, S, S, 3)" if images else "integers (N, 1)"
                    raise DataError(
                        f"{path}, array {name!r}, is {dtype} of shape {shape}, not {wanted}. "
                        f"{again}"
                    )
                shapes[name] = shape
    except (zipfile.BadZipFile, OSError, ValueError, KeyError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} cannot be read as npz ({error}): it is damaged. {again}"
        ) from error
    sizes = {shapes[f"{part}_images"][1] for part in _PARTS}
    pairs = [(shapes[f"{part}_images"][0], shapes[f"{part}_labels"][0]) for part in _PARTS]
    if len(sizes) > 1 or any(images != labels for images, labels in pairs):
        raise DataError(
            f"{path}: the arrays do not fit together (sizes {sorted(sizes)}; images and labels in "
            f"train, val, test: {pairs}). {again}"
        )
    return shapes


def find_npz(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the DermaMNIST file of a size. It has no lesion ids; its labels are converted."""
    paths = sorted(folder.glob("dermamnist*.npz"))
    if not paths:
        return None
    # The plain names first: a corrected or augmented variant stands in for them, not before them.
    paths.sort(key=lambda path: path.name not in ("dermamnist.npz", f"dermamnist_{size}.npz"))
    found: dict[int, tuple[Path, dict]] = {}
    for path in paths:
        shapes = _npz_shapes(path)
        found.setdefault(shapes["train_images"][1], (path, shapes))
        if size in found:
            break
    require_size(size, tuple(sorted(found)), "DermaMNIST in " + str(folder))
    path, shapes = found[size]
    key = digest("npz", _hash_file(path))

    def read() -> Reading:
        counts = [shapes[f"{part}_images"][0] for part in _PARTS]
        if sum(counts) != expected_rows:
            raise DataError(
                f"{path} has {sum(counts):,} images where {expected_rows:,} were expected. It is "
                "of another data set: download it again (see data/README.md)."
            )
        images = np.empty((expected_rows, size, size, 3), np.uint8)
        labels = np.empty(expected_rows, np.int64)
        ids, start = [], 0
        try:
            with np.load(path, allow_pickle=False) as file:
                for part, count in zip(_PARTS, counts, strict=True):
                    images[start : start + count] = file[f"{part}_images"]
                    labels[start : start + count] = file[f"{part}_labels"].reshape(-1)
                    ids += [f"dermamnist_{part}_{row:04d}" for row in range(count)]
                    start += count
        except _DAMAGE as error:
            raise DataError(
                f"{path}, {part} images and labels, cannot be read ({error}): the file is damaged. "
                "Download it again (see data/README.md)."
            ) from error
        bad = np.flatnonzero((labels < 0) | (labels >= len(CLASSES)))
        if len(bad):
            raise DataError(
                f"{path}, image {ids[bad[0]]}: label {labels[bad[0]]} is not from 0 to 6. "
                "Download it again (see data/README.md)."
            )
        labels = kaggle_from_dermamnist(labels)
        return Reading(images, labels, _bare_metadata(ids, labels), key)

    return Source("DermaMNIST", key, read)


# --- What stands in a folder --------------------------------------------------------------------

LOOKED_FOR = (
    f"{ZIPS[0]} and {ZIPS[1]} with HAM10000_metadata.csv (or .tab); the unpacked JPEGs with the "
    f"same metadata; {KAGGLE_CSV}; dermamnist*.npz"
)


def find(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Return the best complete source that stands in a folder, None if there is nothing.

    Order: official zips, JPEGs, Kaggle CSV, DermaMNIST.

    Raises
    ------
    IncompleteError
        If what stands there lacks a file or does not have the size asked for.
    """
    incomplete = None
    for finder in (find_zips, find_jpegs, find_csv, find_npz):
        try:
            found = finder(folder, size, expected_rows=expected_rows)
        except IncompleteError as error:
            incomplete = incomplete or error
            continue
        if found is not None:
            return found
    if incomplete is not None:
        raise incomplete
    return None
