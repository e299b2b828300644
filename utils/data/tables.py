"""Read HAM10000 as ready-made arrays of numbers: Kaggle's CSV, or an npz file of DermaMNIST."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import CLASSES, DX
from utils.data import records
from utils.data.records import AGAIN, IMAGES, DataError, LesionImages, Source
from utils.files import hash_file

__all__: list[str] = []

KAGGLE_CSV = "hmnist_28_28_RGB.csv"
_COLUMNS = [f"pixel{i:04d}" for i in range(28 * 28 * 3)] + ["label"]
_MOST = np.array([255] * (28 * 28 * 3) + [len(CLASSES) - 1])


def _whole_numbers(rows: pd.DataFrame, path: Path) -> np.ndarray:
    """Return pixels and label of each row, uint8 (n, 2353); name the first bad cell if any is."""
    if missing := [name for name in _COLUMNS if name not in rows]:
        raise DataError(
            f"{path} lacks {len(missing):,} of its 2,353 columns, first {missing[0]!r}: it is not "
            f"{KAGGLE_CSV}, or damaged. {AGAIN}"
        )
    table = rows[_COLUMNS]
    if any(dtype.kind not in "iu" for dtype in table.dtypes):
        table = table.apply(pd.to_numeric, errors="coerce")
    numbers = table.to_numpy()
    bad = ~((numbers >= 0) & (numbers <= _MOST) & (numbers == np.floor(numbers)))  # NaN is bad too
    if bad.any():
        row, column = np.argwhere(bad)[0]
        name = _COLUMNS[column]
        raise DataError(
            f"{path}, line {rows.index[row] + 2}, column {name}: {str(rows[name].iloc[row])!r} is "
            f"not a whole number from 0 to {_MOST[column]}: the file was changed. {AGAIN}"
        )
    return numbers.astype(np.uint8)


def read_kaggle_csv(path: Path, *, expected_rows: int = IMAGES) -> tuple[np.ndarray, np.ndarray]:
    """Read `hmnist_28_28_RGB.csv`: images uint8 (N, 28, 28, 3) and labels int64 (N,)."""
    records.refuse_html(path)
    pieces = []
    try:
        bar = tqdm(total=expected_rows, desc="Reading rows", unit=" rows", leave=False)
        with warnings.catch_warnings(), bar:
            warnings.simplefilter("error", pd.errors.ParserWarning)  # lines of another length
            # In pieces, so that not the whole table stands in memory as 64-bit numbers.
            for rows in pd.read_csv(
                path, chunksize=512, index_col=False, skipinitialspace=True, low_memory=False,
                keep_default_na=False, encoding="utf-8-sig",
            ):  # fmt: skip
                pieces.append(_whole_numbers(rows, path))
                bar.update(len(rows))
    except (*records.UNREADABLE, pd.errors.ParserWarning) as error:
        raise DataError(f"{path} is not a readable table: {error}. {AGAIN}") from error
    table = np.concatenate(pieces)
    records.require_rows(path, len(table), expected_rows)
    return table[:, :-1].reshape(-1, 28, 28, 3), table[:, -1].astype(np.int64)


def find_csv(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the Kaggle CSV, with the metadata for the lesion ids where it stands beside it.

    The CSV has no ids, but its rows stand in the order of the metadata. They are attached only
    after the label of every row has been found equal to the diagnosis of the metadata's row.
    """
    path = folder / KAGGLE_CSV
    if not path.is_file():
        return None
    records.require_size(size, (28,), str(path))
    metadata_path = records.find_metadata(folder)
    parts, key = ["csv", hash_file(path), ""], ""
    if metadata_path:
        parts[2], key = records.hash_metadata(metadata_path), hash_file(metadata_path)
    fingerprint = records.digest(*parts)
    name = "HAM10000 from the Kaggle CSV"

    def read() -> LesionImages:
        images, labels = read_kaggle_csv(path, expected_rows=expected_rows)
        metadata = metadata_path and records.read_metadata(metadata_path)
        if metadata is None:
            ids = [f"kaggle_row_{row:05d}" for row in range(len(labels))]
            metadata = records.metadata_frame({"image_id": ids, "dx": np.array(DX)[labels]})
        records.require_rows(metadata_path or path, len(metadata), expected_rows)
        wrong = np.flatnonzero(labels != records.labels_of(metadata["dx"]))
        for row in wrong[:1].tolist():
            raise DataError(
                f"{path}, line {row + 2}: label {labels[row]} means {DX[labels[row]]}, but line "
                f"{row + 2} of {metadata_path}, image {metadata['image_id'][row]}, says "
                f"{metadata['dx'][row]} ({len(wrong):,} such line(s) in all). The two files do not "
                "belong together or were re-ordered: download both from the same Kaggle page "
                "(see data/README.md)."
            )
        return LesionImages(images, labels, metadata, name, fingerprint)

    return Source(name, records.digest(fingerprint, key), read)


def size_of(name: str) -> int:
    """Return the height of the images in a DermaMNIST file, which its name tells."""
    number = re.search(r"_(\d+)\.npz$", name)
    return int(number[1]) if number else 28


def _read_npz(path: Path, size: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return images uint8 (N, size, size, 3), labels int64 (N,) in their own coding, and ids."""
    records.refuse_html(path)
    images, labels, ids, name = [], [], [], ""
    try:
        with np.load(path, allow_pickle=False) as file:  # pickles could run any program
            for part in ("train", "val", "test"):
                pictures = file[name := f"{part}_images"]
                codes = file[name := f"{part}_labels"].reshape(-1)
                wanted = (len(codes), size, size, 3)
                if pictures.shape != wanted or pictures.dtype != np.uint8:
                    raise ValueError(
                        f"the images are {pictures.dtype} of shape {pictures.shape}, not uint8 "
                        f"of shape {wanted}, one for each label"
                    )
                if codes.dtype.kind not in "iu":
                    raise ValueError(f"labels are integers, not {codes.dtype}")
                images.append(pictures)
                labels.append(codes)
                ids += [f"dermamnist_{part}_{row:04d}" for row in range(len(codes))]
    except records.DAMAGE as error:
        raise DataError(f"{path}, array {name!r}, cannot be used: {error}. {AGAIN}") from error
    codes = np.concatenate(labels)
    for bad in np.flatnonzero((codes < 0) | (codes >= len(CLASSES)))[:1]:
        raise DataError(f"{path}, image {ids[bad]}: label {codes[bad]} is not from 0 to 6. {AGAIN}")
    return np.concatenate(images), codes.astype(np.int64), ids


def find_npz(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the DermaMNIST file of a size. It has no lesion ids; its labels are converted."""
    # The short names first: a corrected or augmented variant stands in for them, not before them.
    paths = sorted(folder.glob("dermamnist*.npz"), key=lambda p: (len(p.name), p.name))
    if not paths:
        return None
    by_size = {size_of(path.name): path for path in reversed(paths)}
    records.require_size(size, tuple(sorted(by_size)), f"DermaMNIST in {folder}")
    path = by_size[size]
    key = records.digest("npz", hash_file(path))

    def read() -> LesionImages:
        images, codes, ids = _read_npz(path, size)
        records.require_rows(path, len(images), expected_rows)
        in_order = sorted(CLASSES, key=lambda lesion: lesion.dermamnist_label)
        labels = np.array([lesion.kaggle_label for lesion in in_order])[codes]
        metadata = records.metadata_frame({"image_id": ids, "dx": np.array(DX)[labels]})
        return LesionImages(images, labels, metadata, "DermaMNIST", key)

    return Source("DermaMNIST", key, read)
