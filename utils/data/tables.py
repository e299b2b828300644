"""Read ready-made arrays (Kaggle's CSV, npz files of MedMNIST), and pictures of one's own."""

import hashlib
import os
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from reprlib import repr as short

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from utils.classes import CLASSES, DX
from utils.data import records
from utils.data.records import AGAIN, IMAGES, DataError, LesionImages, Source
from utils.files import PredictError, open_image

__all__: list[str] = []

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".jp2", ".png", ".tif", ".tiff", ".webp")
OWN = "your own pictures"
PARTS = ("train", "training", "val", "valid", "validation", "test", "testing")  # no classes
NAMES = {"file": "image_id", "label": "dx", "group": "lesion_id"}  # there and in the record
LAYOUT = "Give a folder with one for each class, or a table of file, label (and group)."
KAGGLE_CSV = "hmnist_28_28_RGB.csv"
_COLUMNS = [f"pixel{i:04d}" for i in range(28 * 28 * 3)] + ["label"]
_MOST = np.array([255] * (28 * 28 * 3) + [len(CLASSES) - 1])


def _whole_numbers(rows: pd.DataFrame, path: Path) -> np.ndarray:
    """Return pixels and label of each row, uint8 (n, 2353); name the first bad cell if any is."""
    if missing := [name for name in _COLUMNS if name not in rows]:
        what = f"lacks {len(missing):,} of its 2,353 columns, first {missing[0]!r}"
        raise DataError(f"{path} {what}: it is not {KAGGLE_CSV}, or damaged. {AGAIN}")
    table = rows[_COLUMNS]
    if any(dtype.kind not in "iu" for dtype in table.dtypes):
        table = table.apply(pd.to_numeric, errors="coerce")
    numbers = table.to_numpy()
    bad = ~((numbers >= 0) & (numbers <= _MOST) & (numbers == np.floor(numbers)))  # NaN is bad too
    if bad.any():
        row, column = np.argwhere(bad)[0]
        name = _COLUMNS[column]
        cell = short(str(rows[name].iloc[row]))
        what = f"{cell} is not a whole number from 0 to {_MOST[column]}: the file was changed"
        raise DataError(f"{path}, line {rows.index[row] + 2}, column {name}: {what}. {AGAIN}")
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
    if not (path := records.find_table(folder, KAGGLE_CSV[:-4])):
        return None
    records.require_28(size, str(path))
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


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return images uint8 (N, size, size, 3), labels int64 (N,) and ids of a file of MedMNIST."""
    images, labels, ids = [], [], []
    with records.readable(f"{path} cannot be used"), np.load(path, allow_pickle=False) as file:
        if sum(entry.file_size for entry in file.zip.infolist()) > 5 * 10**8:
            raise DataError(f"{path} unpacks to more than 500 MB. Get one of smaller pictures.")
        for part in ("train", "val", "test"):
            pictures, codes = file[f"{part}_images"], file[f"{part}_labels"]
            if codes.ndim == 2 and codes.shape[1] > 1:
                raise DataError(f"{path}: several labels a picture. Give an integer a picture.")
            whole = codes.dtype.kind in "iu" and codes.size == len(codes)
            if not (whole and 0 <= codes.min() <= codes.max() < 1000):
                raise ValueError(f"labels are 0 to 999, an integer a picture, not {codes.dtype}")
            if pictures.ndim == 3:  # grey
                pictures = np.broadcast_to(pictures[..., None], (*pictures.shape, 3))
            wanted = (len(codes), *(n or 28 for n in pictures.shape[1:2] * 2), 3)  # not 0
            if pictures.shape != wanted or pictures.dtype != np.uint8:
                found = f"{pictures.dtype} of shape {pictures.shape}"
                raise ValueError(f"{found}, not uint8 of shape {wanted}, one for each label")
            images.append(pictures)
            labels.append(codes.reshape(-1).astype(np.int64))
            ids += [f"{path.stem.lower()}_{part}_{row:04d}" for row in range(len(codes))]
        return np.concatenate(images), np.concatenate(labels), ids


def read_own(path: Path, size: int, group_of: Callable[[Path], str] | None) -> LesionImages:
    """Read what `utils.data.dataset_from_folders` describes."""
    if not (os.path.isfile(path) or (os.path.isdir(path) and path.suffix.lower() != ".npz")):
        raise DataError(f"{path} does not exist or may not be read, from {Path.cwd()}. {LAYOUT}")
    if path.suffix.lower() == ".npz":
        records.refuse_html(path)
        images, labels, ids = _read_npz(path)
        digits = len(str(labels.max()))  # class 07 before class 10, in the alphabet, too
        table = pd.DataFrame({"file": ids, "label": [f"class {n:0{digits}}" for n in labels]})
    else:
        table = _own_table(path, group_of)
    if (kinds := table["label"].nunique()) < 2:
        raise DataError(f"{path} has pictures of {kinds} class(es). {LAYOUT}")
    if path.suffix.lower() != ".npz":
        images, notes = [], Counter()
        for file in tqdm(table["file"], desc="Reading images", unit=" images", leave=False):
            try:
                picture, of_this = open_image(path.parent / file)
            except PredictError as error:
                raise DataError(_plain(f"{path.parent / file}: {error}")[-480:]) from error
            images.append(np.asarray(picture.resize((size, size), Image.Resampling.BOX)))
            notes.update(note for note in of_this if "28 ×" not in note)  # of the published network
        for note, n in notes.items():
            print(f"{n:,} file(s): {note}")
        images, labels = np.stack(images), np.unique(table["label"], return_inverse=True)[1]
        table["file"] = [f.encode(errors="backslashreplace").decode() for f in table["file"]]
    table = table.rename(columns=NAMES)
    metadata = records.metadata_frame(dict(table))
    metadata = metadata.join(table.drop(columns=metadata.columns, errors="ignore"))
    key = records.digest("own", metadata.to_csv(index=False), hashlib.sha256(images).hexdigest())
    return LesionImages(images, labels, metadata, f"{OWN}, {_plain(path.name)}", key)


def _plain(name: str) -> str:
    """Return a name as it can be printed and compared, whatever the disk's or keyboard's form."""
    return unicodedata.normalize("NFC", name.strip().encode(errors="backslashreplace").decode())


def _own_table(path: Path, group_of: Callable[[Path], str] | None) -> pd.DataFrame:
    """Return file (seen from the folder that `path` is in), label, and what else is told."""
    if not path.is_dir():
        table = records.read_text(path, ("file", "label"), "Save it as CSV in UTF-8.")
    else:
        files = [file for file in records.files(path) if file.suffix.lower() in PICTURES]
        names = [file.relative_to(path.parent).as_posix() for file in files]
        classes = [name.split("/")[1] if name.count("/") > 1 else "" for name in names]
        table = pd.DataFrame({"file": names, "label": classes}, dtype=object)
        unused = {file for file in path.rglob("[!.]*") if not file.is_dir()}.difference(files)
        if kinds := Counter(sorted(file.suffix.lower() for file in unused)).most_common(5):
            told = ", ".join(f"{n:,} {_plain(kind)[:20] or '?'}" for kind, n in kinds)
            print(f"Not used: {len(unused):,} file(s), hidden, deep or of other kinds: {told}")
    if group_of is not None and "group" not in table:
        table["group"] = [str(group_of(path.parent / file)) for file in table["file"]]
    for name in {"label", "group"}.intersection(table):
        table[name] = table[name].map(_plain)
    for name, taken in NAMES.items():
        for other in {taken, name.title(), name.upper()}.intersection(table):
            raise DataError(f"{path}: the column {other} is called {name} here. Rename it.")
    none = {"file": [""], "label": [""], "group": records.NO_ID}
    wrong = {f"{n} is empty": table[n].str.lower().isin(none[n]) for n in none if n in table}
    if "age" in table:  # a number in all records
        told = ~table["age"].str.lower().isin(records.NO_ID)
        table["age"] = pd.to_numeric(table["age"].where(told), errors="coerce")
        wrong["age is no number like 45.5, nor empty"] = told & table["age"].isna()
    part = "it is in a part of a split, no class: give the folder inside"
    wrong[part] = pd.Series(table["label"].str.lower().isin(PARTS).all(), table.index)
    there = table["file"].map(lambda file: os.path.realpath(path.parent / file))
    wrong["it is there twice, perhaps in another spelling or by a link"] = there.duplicated()
    wrong["there is no file that may be read, seen from the table"] = ~there.map(os.path.exists)
    for what, rows in wrong.items():
        for file in table["file"][rows][:1]:
            what = f"{_plain(file)[-99:]}: {what} ({rows.sum():,} such rows)"
            raise DataError(f"{path}, {what}. {LAYOUT}")
    return table
