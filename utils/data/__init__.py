"""Load HAM10000 with one call, from the best source that is there, through a cache."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from utils.data import download, photographs, records, tables
from utils.data.records import ELSEWHERE, PHANTOM, DataError, IncompleteError, LesionImages, Source
from utils.files import replace_file

__all__ = ["RAW_DIR", "load_external", "load_ham10000"]

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL_IDS = ROOT / "data" / "external_ids.csv"
DRIVE = Path("/content/drive/MyDrive/ham10000")  # on Colab, if the reader made and mounted it
RAW_DIR = DRIVE if DRIVE.is_dir() else ROOT / "data" / "raw"
# A classroom can share one cache folder; once it is filled it may be read-only.
CACHE_DIR = Path(os.environ.get("HAM10000_CACHE") or ROOT / "data" / "cache").expanduser()
# Change it when the readers or the form of the cache change: old files are then left alone.
_CACHE_FORM = "2"
_VARIABLE = "the environment variable HAM10000_DIR"
_BY_NAME = {
    "kaggle": tables.find_csv, "dermamnist": tables.find_npz, "dataverse": photographs.find_zips,
}  # fmt: skip


def load_ham10000(
    size: int = 28, source: str | Path = "auto", *, expected_rows: int = records.IMAGES
) -> LesionImages:
    """Load the images with their labels and metadata, and print one line that says from where.

    (Tschandl, Rosendahl, Kittler, Scientific Data 5:180161, 2018, doi 10.1038/sdata.2018.161.)

    Parameters
    ----------
    size : int
        Height and width in pixels. The zips and the JPEGs can be had in any size; the Kaggle CSV
        and the phantom are 28, DermaMNIST is 28, 64, 128 or 224.
    source : str or Path
        - ``"auto"``: the folder that the environment variable ``HAM10000_DIR`` names (the word
          ``phantom`` there asks for the phantom); if it is not set, ``data/raw/``; then the Kaggle
          CSV, downloaded (given up within 10 s where there is no network); then the phantom.
        - ``"kaggle"``, ``"dermamnist"`` (no lesion ids), ``"dataverse"`` (the two official zips,
          2.8 GB): that source, downloaded into ``data/raw/`` where missing.
        - ``"phantom"``: the synthetic lesions of `utils.data.phantom`.
        - a folder: the best complete source that stands in it (zips, JPEGs, Kaggle CSV, npz).
    expected_rows : int, the number of images the source must have; another number is an error

    Returns
    -------
    LesionImages, in the order of the metadata, shrunk with PIL's ``BOX`` (area) filter

    Raises
    ------
    DataError, utils.data.download.DownloadError
        If data cannot be used or had; the message says which file, what, where, what to do.
    """
    return _load(size, _choose, source, expected_rows)


def load_external(size: int = 28) -> LesionImages:
    """Load images of other clinics and cameras, for the one test at the end, and print from where.

    They are the open half of the test images of the ISIC 2018 Challenge, Task 3: only those that
    `data/external_ids.csv` lists are ever opened, even if the whole official zip is there. Where
    ``dataset`` is ``external``, HAM10000 has no image of the clinic. Search, return and errors are
    those of `load_ham10000`; the phantom has other cameras here.
    """
    return _load(size, _choose_external)


def _load(size: int, choose: Callable[..., Source], *wanted: object) -> LesionImages:
    """Read the source that `choose` finds for a size and what is wanted; print what it is."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size must be a whole number of pixels, 1 or more, not {size!r}")
    dataset = _through_cache(choose(int(size), *wanted), int(size))
    lesions = ", no lesion ids (so no split by lesion)"
    if dataset.has_lesions:
        lesions = f" of {dataset.metadata['lesion_id'].nunique():,} lesions"
    count = len(dataset.labels)
    print(f"Data: {dataset.source}, {count:,} images{lesions}, {size} × {size} pixels")
    return dataset


# --- Which source -------------------------------------------------------------------------------


def _choose(size: int, source: str | Path, rows: int) -> Source:
    """Return the source that is asked for, or with "auto" the best there is."""
    if source in _BY_NAME:
        download.fetch_source(str(source), RAW_DIR, size)
        return _BY_NAME[source](RAW_DIR, size, expected_rows=rows)
    asked_by = "source"
    if source == "auto" and (named := os.environ.get("HAM10000_DIR")):
        source, asked_by = named, _VARIABLE
    if source == "phantom":
        return _phantom(size)
    if source == "auto":
        return find(RAW_DIR, size, expected_rows=rows) or _download(size, rows)
    folder = _folder(source, asked_by)
    if chosen := find(folder, size, expected_rows=rows):
        return chosen
    raise DataError(
        f"The folder {folder} (from {asked_by}) holds no complete source. Looked for: "
        f"{' and '.join(photographs.ZIPS)} with HAM10000_metadata.csv (or .tab); the unpacked "
        f"JPEGs with the same metadata; {tables.KAGGLE_CSV}; dermamnist*.npz. Put one of them "
        "there; see data/README.md for where they come from."
    )


def _folder(path: str | Path, asked_by: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise DataError(f"The folder {folder} (from {asked_by}) does not exist. Correct the path.")
    return folder


def _choose_external(size: int) -> Source:
    """Return the test images of other clinics, or synthetic ones."""
    named = os.environ.get("HAM10000_DIR", "")
    if named == "phantom":
        return _phantom(size, ELSEWHERE)
    ids = set(EXTERNAL_IDS.read_text(encoding="utf-8").split()[1:])
    for folder in ([_folder(named, _VARIABLE)] if named else []) + [RAW_DIR]:
        if source := photographs.find_external(folder, size, ids):
            return source
    try:
        download.fetch_source("external", RAW_DIR, size)
    except download.DownloadError as error:
        warnings.warn(f"{error}\nUntil then the phantom stands in.", stacklevel=4)
        return _phantom(size, ELSEWHERE)
    return photographs.find_external(RAW_DIR, size, ids)


def find(folder: Path, size: int = 28, *, expected_rows: int = records.IMAGES) -> Source | None:
    """Return the best complete source that stands in a folder, None if there is nothing.

    Raises `IncompleteError` if what stands there lacks a file or has not the size asked for.
    """
    incomplete = None
    for finder in (photographs.find_zips, photographs.find_jpegs, tables.find_csv, tables.find_npz):
        try:
            if source := finder(folder, size, expected_rows=expected_rows):
                return source
        except IncompleteError as error:
            incomplete = incomplete or error
    if incomplete is not None:
        raise incomplete
    return None


def _download(size: int, rows: int) -> Source:
    """Download the Kaggle CSV; where that fails, warn and return the phantom."""
    records.require_size(size, (28,), "what 'auto' downloads")
    try:
        download.fetch_source("kaggle", RAW_DIR)
    except download.DownloadError as error:
        warnings.warn(f"{error}\nUntil then the phantom stands in.", stacklevel=5)
        return _phantom(size)
    return tables.find_csv(RAW_DIR, size, expected_rows=rows)


def _phantom(size: int, name: str = PHANTOM) -> Source:
    from utils.data import phantom  # it needs SciPy, which takes its time to start

    records.require_size(size, (28,), "the phantom")
    draw, seed = (phantom.sample, 0) if name == PHANTOM else (phantom.elsewhere, phantom.ELSEWHERE)
    key = phantom.fingerprint(seed=seed)
    return Source(name, key, lambda: LesionImages(*draw(seed), name, key))


# --- Cache --------------------------------------------------------------------------------------


def _through_cache(source: Source, size: int) -> LesionImages:
    """Return what the cache holds for a source, or read the source and fill the cache."""
    key = records.digest(_CACHE_FORM, source.key, str(size))
    path = CACHE_DIR / f"lesions_{size}_{key[:24]}.npz"
    dataset = _read_cache(path, size, source.name) if path.exists() else None
    if dataset is None:
        dataset = _fill_cache(path, source)
    fingerprint = records.digest(dataset.fingerprint, str(size), "BOX")
    return dataclasses.replace(dataset, fingerprint=fingerprint)


def _read_cache(path: Path, size: int, name: str) -> LesionImages | None:
    """Read a cache file; None, with a warning, if it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in (*records.COLUMNS, "images", "labels")}
            fingerprint = str(file["fingerprint"])
        images, labels = arrays.pop("images"), arrays.pop("labels")
        metadata = records.metadata_frame(arrays)
        if images.shape != (len(labels), size, size, 3) or len(metadata) != len(labels):
            raise ValueError("its arrays do not fit together")
    except records.DAMAGE as error:
        problem = f"The cache file {path} is damaged ({error}); it is made again."
        warnings.warn(problem, stacklevel=5)
        return None
    return LesionImages(images, labels, metadata, name, fingerprint)


def _fill_cache(path: Path, source: Source) -> LesionImages:
    """Read a source and write it as a cache file; whoever reads sees a whole file or none."""
    problem = (
        f"The cache folder {CACHE_DIR} cannot be written ({{}}). Make it writable and see that the "
        "disk has room, or name another folder in the environment variable HAM10000_CACHE."
    )
    try:  # before the images are read: an error after 20 seconds of reading would waste them
        CACHE_DIR.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=CACHE_DIR).close()
    except OSError as error:
        raise DataError(problem.format(error)) from error
    dataset = source.read()
    texts = dataset.metadata.drop(columns="age").fillna("")
    columns = {name: column.to_numpy(np.str_) for name, column in texts.items()}

    def write(file) -> None:
        Path(file.name).chmod(0o644)  # a classroom shares it
        np.savez(
            file, images=dataset.images, labels=dataset.labels, fingerprint=dataset.fingerprint,
            age=dataset.metadata["age"].to_numpy(np.float64), **columns,
        )  # fmt: skip

    try:
        replace_file(path, write)
    except OSError as error:
        # On Windows a file that another process is reading cannot be replaced, nor need be.
        if not (isinstance(error, PermissionError) and path.exists()):
            raise DataError(problem.format(error)) from error
    return dataset
