"""Read HAM10000 as ready-made arrays of numbers: Kaggle's CSV, or an npz file of DermaMNIST."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import CLASSES, DX
from utils.data import records
from utils.data.records import AGAIN, IMAGES, DataError, LesionImages, Source

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
    pieces = []
    bar = tqdm(total=expected_rows, desc="Reading rows", unit=" rows", leave=False)
    with records.opened(path) as file, warnings.catch_warnings(), bar:
        warnings.simplefilter("error", pd.errors.ParserWarning)  # lines of another length
        # In pieces, so that not the whole table stands in memory as 64-bit numbers.
        for rows in pd.read_csv(
            file, chunksize=512, index_col=False, skipinitialspace=True, low_memory=False,
            keep_default_na=False, encoding="utf-8-sig",
        ):  # fmt: skip
            pieces.append(_whole_numbers(rows, path))
            bar.update(len(rows))
    table = np.concatenate(pieces)
    records.require_rows(path, len(table), expected_rows)
    return table[:, :-1].reshape(-1, 28, 28, 3), table[:, -1].astype(np.int64)


def find_csv(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the Kaggle CSV; ids come from the metadata beside it, if all labels are the same."""
    path = records.find_table(folder, KAGGLE_CSV[:-4])
    if path is None:
        return None
    records.require_size(size, (28,), str(path))
    metadata_path = records.find_table(folder)
    told = records.hash_metadata(metadata_path) if metadata_path else ""
    key = records.hash_table(metadata_path) if metadata_path else ""
    fingerprint = records.digest("csv", records.hash_table(path), told)
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
                f"{metadata['dx'][row]} ({len(wrong):,} such line(s) in all). The files were "
                "re-ordered or are no pair: download both from Kaggle (see data/README.md)."
            )
        return LesionImages(images, labels, metadata, name, fingerprint)

    return Source(name, records.digest(fingerprint, key), read)


def size_of(name: str) -> int:
    """Return the height of the images in a DermaMNIST file, which its name tells."""
    number = re.search(r"_(\d+)\.npz$", name)
    return int(number[1]) if number else 28


def _read_npz(path: Path, size: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return images uint8 (N, size, size, 3), labels int64 (N,) in their own coding, and ids."""
    images, labels, ids = [], [], []
    with records.readable(f"{path} cannot be used"), np.load(path, allow_pickle=False) as file:
        for part in ("train", "val", "test"):
            if file.zip.getinfo(f"{part}_images.npy").file_size > IMAGES * size * size * 3 + 1000:
                raise ValueError(f"{part}_images is too large")
            pictures, codes = file[f"{part}_images"], file[f"{part}_labels"].reshape(-1)
            wanted = (len(codes), size, size, 3)
            if pictures.shape != wanted or pictures.dtype != np.uint8:
                found = f"{pictures.dtype} of shape {pictures.shape}"
                raise ValueError(f"{found}, not uint8 of shape {wanted}, one for each label")
            if codes.dtype.kind not in "iu":
                raise ValueError(f"labels are integers, not {codes.dtype}")
            images.append(pictures)
            labels.append(codes)
            ids += [f"dermamnist_{part}_{row:04d}" for row in range(len(codes))]
    codes = np.concatenate(labels)
    for bad in np.flatnonzero((codes < 0) | (codes >= len(CLASSES)))[:1]:
        raise DataError(f"{path}, image {ids[bad]}: label {codes[bad]} is not from 0 to 6. {AGAIN}")
    return np.concatenate(images), codes.astype(np.int64), ids


def find_npz(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the DermaMNIST file of a size. It has no lesion ids; its labels are converted."""
    # The short names first: a corrected or augmented variant stands in for them, not before them.
    paths = [p for p in records.files(folder) if re.match(r"dermamnist.*\.npz$", p.name.lower())]
    paths.sort(key=lambda p: (len(p.name), p.name))
    if not paths:
        return None
    by_size = {size_of(path.name): path for path in reversed(paths)}
    records.require_size(size, tuple(sorted(by_size)), f"DermaMNIST in {folder}")
    path = by_size[size]
    key = records.digest("npz", records.hash_table(path))

    def read() -> LesionImages:
        images, codes, ids = _read_npz(path, size)
        records.require_rows(path, len(images), expected_rows)
        in_order = sorted(CLASSES, key=lambda lesion: lesion.dermamnist_label)
        labels = np.array([lesion.kaggle_label for lesion in in_order])[codes]
        metadata = records.metadata_frame({"image_id": ids, "dx": np.array(DX)[labels]})
        return LesionImages(images, labels, metadata, "DermaMNIST", key)

    return Source("DermaMNIST", key, read)
