"""Load HAM10000 with one call, from the best source that is there, through a cache."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from utils.data import sources
from utils.data.sources import IMAGES, DataError, Reading, Source

__all__ = ["DataError", "LesionImages", "load_ham10000"]

ROOT = Path(__file__).resolve().parents[2]
RAW_DIR = ROOT / "data" / "raw"
# A classroom can share one cache folder; once it is filled it may be read-only.
CACHE_DIR = Path(os.environ.get("HAM10000_CACHE") or ROOT / "data" / "cache").expanduser()
PHANTOM = "the phantom (synthetic lesions, no patient's image)"
# Change it when the readers or the form of the cache change: old files are then left alone.
_CACHE_FORM = "1"


@dataclass(frozen=True, eq=False)
class LesionImages:
    """Images of skin lesions with their labels and metadata, row for row.

    Attributes
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)
        Red, green and blue, 0 to 255.
    labels : ndarray of int64, shape (N,)
        The Kaggle coding, as in `utils.classes`.
    metadata : DataFrame
        N rows with a RangeIndex: image_id, lesion_id, dx, dx_type, age (years, float), sex,
        localization. What a source does not tell is missing (None or NaN).
    source : str
        Where the images come from, in words.
    fingerprint : str
        Identifies the content: the same for the same source files, size and resize filter.
    """

    images: np.ndarray
    labels: np.ndarray
    metadata: pd.DataFrame
    source: str
    fingerprint: str

    @property
    def is_phantom(self) -> bool:
        """True if the lesions are synthetic."""
        return self.source == PHANTOM

    @property
    def has_lesions(self) -> bool:
        """True if every image has a lesion id, without which no honest split is possible."""
        return bool(self.metadata["lesion_id"].notna().all())


def load_ham10000(
    size: int = 28, source: str | Path = "auto", *, expected_rows: int = IMAGES
) -> LesionImages:
    """Load the images with their labels and metadata, and print one line that says from where.

    Parameters
    ----------
    size : int
        Height and width in pixels. The zips and the JPEGs can be had in any size; the Kaggle CSV
        and the phantom are 28, DermaMNIST is 28, 64, 128 or 224.
    source : str or Path
        - ``"auto"``: the folder that the environment variable ``HAM10000_DIR`` names (the word
          ``phantom`` there asks for the phantom); if it is not set, ``data/raw/``; then a download
          of the Kaggle CSV with its metadata (given up within 10 s where there is no network);
          then the phantom. DermaMNIST is not downloaded here, because it has no lesion ids and so
          allows no split by lesion.
        - ``"kaggle"``, ``"dermamnist"``, ``"dataverse"``: that source, downloaded into
          ``data/raw/`` where missing. ``"dataverse"`` means the two official zips, 2.8 GB.
        - ``"phantom"``: the synthetic lesions of `utils.data.phantom`.
        - a folder: the best complete source that stands in it (zips, JPEGs, Kaggle CSV, npz).
    expected_rows : int
        Number of images the source must have; another number is an error.

    Returns
    -------
    LesionImages
        Rows in the order of the metadata. Images are shrunk with PIL's ``BOX`` (area) filter.

    Raises
    ------
    DataError
        If the data cannot be used; the message says which file, what, where and what to do.
    utils.data.download.DownloadError
        If a source asked for by name cannot be downloaded; the message spells the manual route.

    References
    ----------
    Tschandl, Rosendahl, Kittler, Scientific Data 5:180161 (2018), doi 10.1038/sdata.2018.161.
    """
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size must be a whole number of pixels, 1 or more, not {size!r}")
    dataset = _through_cache(_choose(int(size), source, expected_rows), int(size))
    print(_line(dataset))
    return dataset


def _line(dataset: LesionImages) -> str:
    metadata, size = dataset.metadata, dataset.images.shape[1]
    lesions = (
        f" of {metadata['lesion_id'].nunique():,} lesions"
        if dataset.has_lesions
        else ", no lesion ids (so no split by lesion)"
    )
    return f"Data: {dataset.source}, {len(metadata):,} images{lesions}, {size} × {size} pixels"


def _choose(size: int, source: str | Path, rows: int) -> Source:
    """Return the source that is asked for, or with "auto" the best there is."""
    folder = partial(_in_folder, size=size, expected_rows=rows)
    if source == "phantom":
        return _phantom(size)
    if source in ("kaggle", "dermamnist", "dataverse"):
        return _by_name(str(source), size, rows)
    if source != "auto":
        return folder(Path(source).expanduser(), told_by="source")
    if named := os.environ.get("HAM10000_DIR"):
        if named == "phantom":
            return _phantom(size)
        return folder(Path(named).expanduser(), told_by="the environment variable HAM10000_DIR")
    found = sources.find(RAW_DIR, size, expected_rows=rows)
    if found is not None:
        return found
    from utils.data import download

    if size == 28:
        try:
            download.fetch_kaggle(RAW_DIR)
        except download.DownloadError as error:
            warnings.warn(f"{error}\nUntil then the phantom stands in.", stacklevel=3)
            return _phantom(size)
        return folder(RAW_DIR, told_by="the download")
    raise DataError(
        f"There are no images of {size} × {size} pixels: neither the download of 'auto' nor the "
        f"phantom has any size but 28. {download.manual_route('dataverse', size=size)} Or use "
        f"load_ham10000({size}, source='dermamnist') for 64, 128 or 224 without lesion ids."
    )


def _in_folder(folder: Path, *, size: int, expected_rows: int, told_by: str) -> Source:
    if not folder.is_dir():
        raise DataError(f"The folder {folder} (from {told_by}) does not exist. Correct the path.")
    found = sources.find(folder, size, expected_rows=expected_rows)
    if found is None:
        raise DataError(
            f"The folder {folder} (from {told_by}) holds no complete source. Looked for: "
            f"{sources.LOOKED_FOR}. Put one of them there; see data/README.md for where they "
            "come from."
        )
    return found


def _by_name(name: str, size: int, rows: int) -> Source:
    from utils.data import download

    if name == "kaggle":
        sources.require_size(size, (28,), "the Kaggle CSV")
        download.fetch_kaggle(RAW_DIR)
        return sources.find_csv(RAW_DIR, size, expected_rows=rows)
    if name == "dermamnist":
        download.fetch_dermamnist(size, RAW_DIR)
        return sources.find_npz(RAW_DIR, size, expected_rows=rows)
    download.fetch_dataverse(RAW_DIR)
    return sources.find_zips(RAW_DIR, size, expected_rows=rows)


def _phantom(size: int) -> Source:
    from utils.data import phantom

    sources.require_size(size, (28,), "the phantom")
    key = phantom.fingerprint()

    def read() -> Reading:
        images, labels, metadata, *_ = phantom.sample()
        return Reading(images, labels, metadata, key)

    return Source(PHANTOM, key, read)


# --- Cache --------------------------------------------------------------------------------------


def _through_cache(source: Source, size: int) -> LesionImages:
    """Return what the cache holds for a source, or read the source and fill the cache."""
    key = sources.digest(_CACHE_FORM, source.key, str(size))
    path = CACHE_DIR / f"lesions_{size}_{key[:24]}.npz"
    reading = _read_cache(path, size) if path.exists() else None
    if reading is None:
        _check_writable()
        reading = source.read()
        _write_cache(path, reading)
    return LesionImages(
        images=reading.images,
        labels=reading.labels,
        metadata=reading.metadata,
        source=source.name,
        fingerprint=sources.digest(reading.fingerprint, str(size), "BOX"),
    )


def _read_cache(path: Path, size: int) -> Reading | None:
    """Read a cache file; None, with a warning, if it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
            columns = {name: file[name] for name in sources.COLUMNS}
            fingerprint = str(file["fingerprint"])
        rows = len(labels)
        if (
            images.shape != (rows, size, size, 3)
            or images.dtype != np.uint8
            or labels.dtype != np.int64
            or any(column.shape != (rows,) for column in columns.values())
        ):
            raise ValueError("its arrays do not fit together")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        warnings.warn(
            f"The cache file {path} is damaged ({error}); it is made again.", stacklevel=4
        )
        return None
    return Reading(images, labels, sources.metadata_frame(columns), fingerprint)


def _cache_error(error: OSError) -> DataError:
    return DataError(
        f"The cache folder {CACHE_DIR} cannot be written ({error}). Make it writable and see that "
        "the disk has room, or name another folder in the environment variable HAM10000_CACHE."
    )


def _check_writable() -> None:
    # Before the images are read: an error after 20 seconds of reading would waste them.
    try:
        CACHE_DIR.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=CACHE_DIR):
            pass
    except OSError as error:
        raise _cache_error(error) from error


def _write_cache(path: Path, reading: Reading) -> None:
    """Write atomically: whoever reads, also in another process, sees a whole file or none."""
    columns = {
        name: column.to_numpy(np.float64)
        if name == "age"
        else np.array(["" if pd.isna(value) else value for value in column], dtype=np.str_)
        for name, column in reading.metadata.items()
    }
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            np.savez(
                file,
                images=reading.images,
                labels=reading.labels,
                fingerprint=np.array(reading.fingerprint),
                **columns,
            )
        os.chmod(temporary, 0o644)  # noqa: PTH101
        try:
            os.replace(temporary, path)  # noqa: PTH105
        except PermissionError:
            # On Windows a file that another process is reading cannot be replaced, nor need be.
            if not path.exists():
                raise
    except OSError as error:
        raise _cache_error(error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108
