"""Read HAM10000 as ready-made arrays of numbers: Kaggle's CSV, or an npz file of DermaMNIST."""

from __future__ import annotations

import itertools
import warnings
import zipfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from utils.classes import CLASSES, DX, kaggle_from_dermamnist
from utils.data.records import (
    DAMAGE,
    IMAGES,
    DataError,
    Reading,
    Source,
    bare_metadata,
    digest,
    find_metadata,
    labels_of,
    read_metadata,
    refuse_html,
    require_size,
)
from utils.files import hash_file

KAGGLE_CSV = "hmnist_28_28_RGB.csv"


# --- Kaggle CSV ---------------------------------------------------------------------------------

_PIXELS = [f"pixel{i:04d}" for i in range(28 * 28 * 3)]


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
    key = digest("csv", hash_file(path), hash_file(metadata_path) if metadata_path else "")

    def read() -> Reading:
        metadata = None
        if metadata_path is not None:
            metadata = read_metadata(metadata_path, expected_rows=expected_rows)
        images, labels = read_kaggle_csv(path, expected_rows=expected_rows)
        if metadata is None:
            ids = [f"kaggle_row_{row:05d}" for row in range(len(labels))]
            return Reading(images, labels, bare_metadata(ids, labels), key)
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
    key = digest("npz", hash_file(path))

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
        except DAMAGE as error:
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
        return Reading(images, labels, bare_metadata(ids, labels), key)

    return Source("DermaMNIST", key, read)
