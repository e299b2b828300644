"""Load HAM10000 (doi 10.1038/sdata.2018.161) from the best source that is there, with a cache."""

import contextlib
import dataclasses
import hashlib
import os
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from utils.data import download, photographs, records, tables
from utils.data.records import ELSEWHERE, PHANTOM, DataError, IncompleteError, LesionImages, Source
from utils.files import named_source, own_file, replace_file

__all__ = ["data_folder", "dataset_from_folders", "load_external", "load_ham10000"]

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL_IDS = ROOT / "data" / "external_ids.csv"
_LISTED = "1ccef85fb45449d6b6cbab0c63f78964"  # the digest of the ids there
DRIVE = Path("/content/drive/MyDrive/ham10000")  # on Colab, if the reader made and mounted it
RAW_DIR = DRIVE if DRIVE.is_dir() else ROOT / "data" / "raw"
CACHE_DIR = ROOT / os.path.expanduser(named_source("HAM10000_CACHE") or "data/cache")
_CACHE_FORM = "3"  # change it with the readers or the cache's form: old files are left alone
_VARIABLE = "the environment variable HAM10000_DIR"
# Small files with these endings or names hold no images.
_OTHER = r"csv|tab|tsv|txt|md|pdf|docx|xlsx|rtf|html|url|json|ya?ml|md5|bib|ipynb|py|ini|db"
_OTHER = rf"(?i)(?!.*hmnist).*(\.({_OTHER})|[/\\](readme|license|ham10000_metadata[.\w]*))"
_JPEGS, _CSV = [photographs.find_zips, photographs.find_jpegs], [tables.find_csv]


def load_ham10000(
    size: int = 28, source: str | Path = "auto", *, expected_rows: int = records.IMAGES
) -> LesionImages:
    """Load the images with their labels and metadata, and print one line that says from where.

    Parameters
    ----------
    size : int, height and width in pixels
        Zips and JPEGs give any; the Kaggle CSV and the phantom 28.
    source : str or Path
        - ``"auto"``: the folder that the environment variable ``HAM10000_DIR`` names (the word
          ``phantom`` there asks for the phantom); if it is not set, ``data/raw/``; then the Kaggle
          CSV, downloaded (given up within 10 s where there is no network); then the phantom.
        - ``"kaggle"``, ``"dataverse"`` (the two official zips, 2.8 GB): that source, downloaded
          into ``data/raw/`` where missing.
        - ``"phantom"``: the synthetic lesions of `utils.data.phantom`.
        - a folder: the best complete source that stands in it (zips, JPEGs, Kaggle CSV).
    expected_rows : int, the number of images the source must have; another number is an error

    Returns
    -------
    LesionImages, in the order of the metadata, shrunk with PIL's ``BOX`` (area) filter

    Raises
    ------
    DataError, utils.data.download.DownloadError
        If data cannot be used or had; the message says which file, what, where, what to do.
    """
    size = _pixels(size)
    return _told(_through_cache(_choose(size, source, expected_rows), size))


def load_external(size: int = 28) -> LesionImages:
    """Load images of other clinics and cameras, for the one test at the end, and print from where.

    Of the test images of the ISIC 2018 Challenge, Task 3, only those that `data/external_ids.csv`
    lists are ever opened. Search, return and errors are those of `load_ham10000`.
    """
    size = _pixels(size)
    return _told(_through_cache(_choose_external(size), size))


def dataset_from_folders(
    path: str | Path, size: int = 28, *, group_of: Callable[[Path], str] | None = None
) -> LesionImages:
    """Load pictures of your own, with classes of your own, as the record of `load_ham10000`.

    In ``metadata`` the class of a picture is ``dx``, its group ``lesion_id``; `labels` count the
    classes in alphabetical order, in an npz file as it does. A `DataError` says which file cannot
    be used, what is wrong and what to do.

    Parameters
    ----------
    path : str or Path
        - a folder that holds a folder for each class, with its pictures and its name;
        - a table (CSV) of ``file`` (seen from the table), ``label``, perhaps ``group``, and more;
        - an npz file of MedMNIST (2-D, one label a picture), in the size that it has.
    size : int, height and width in pixels
    group_of : function, optional
        Says which group a file belongs to: a patient, a plant, a slide; a table's ``group`` goes
        first. A group stays in one part of a split; without groups there is no split by them.
    """
    path = Path(os.path.abspath(os.path.expanduser(path)))
    return _told(tables.read_own(path, _pixels(size), group_of))


def _pixels(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size must be a whole number of pixels, 1 or more, not {size!r}")
    return int(size)


def _told(dataset: LesionImages) -> LesionImages:
    """Print what a data set is, and return it."""
    known, size = ", no lesion ids (so no split by lesion)", dataset.images.shape[1]
    if dataset.has_lesions:
        what = "groups" if dataset.source.startswith(tables.OWN) else "lesions"
        known = f" of {dataset.metadata['lesion_id'].nunique():,} {what}"
    print(f"Data: {dataset.source}, {len(dataset.labels):,} images{known}, {size} × {size} pixels")
    return dataset


def _choose(size: int, source: str | Path, rows: int) -> Source:
    """Return the source that is asked for, or with "auto" the best there is."""
    if finders := {"dataverse": _JPEGS[:1], "kaggle": _CSV}.get(source):
        with contextlib.suppress(IncompleteError):
            if records.find_table(RAW_DIR) and (there := find(RAW_DIR, size, rows, finders)):
                return there
        download.fetch_source(str(source), RAW_DIR, size)
        return find(RAW_DIR, size, rows, finders)
    asked_by = "source"
    if source == "auto" and (named := named_source()):
        source, asked_by = named, _VARIABLE
    if source == "phantom":
        return _phantom(size)
    if source == "auto":
        if chosen := find(RAW_DIR, size, rows):
            return chosen
        return _download("kaggle", size, partial(tables.find_csv, expected_rows=rows))
    folder = _folder(source, asked_by)
    if chosen := find(folder, size, rows):
        return chosen
    there = ", ".join(str(path.relative_to(folder)) for path in records.files(folder, 6)[:5])[:300]
    raise DataError(
        f"The folder {folder} (from {asked_by}) holds no complete source. Looked for, three deep: "
        f"{' and '.join(photographs.ZIPS)} with HAM10000_metadata.csv (or .tab); the unpacked "
        f"JPEGs with the same metadata; {tables.KAGGLE_CSV}. There is: "
        f"{there or 'nothing'}. Complete it as data/README.md says; unpack a zip that holds zips."
    )


def _folder(path: str | Path, asked_by: str) -> Path:
    """Return a folder, or the one of a file; a relative path may start from the course's."""
    with contextlib.suppress(RuntimeError, OSError):  # no such user; a name too long
        here = Path(path).expanduser()
        for folder in (here, ROOT / here):
            if folder.exists():
                return folder if folder.is_dir() else folder.parent
    places = " and in ".join(map(str, dict.fromkeys([Path.cwd(), ROOT])))
    what = f"does not exist or may not be read. Correct the path (relative: seen from {places})."
    raise DataError(f"The folder {str(path)[:300]} (from {asked_by}) {what}")


def data_folder() -> Path:
    """Return the folder where images are looked for first: that of HAM10000_DIR, else `RAW_DIR`."""
    return _folder(named, _VARIABLE) if (named := named_source()) else RAW_DIR


def _choose_external(size: int) -> Source:
    """Return the test images of other clinics, or synthetic ones."""
    if named_source() == "phantom":
        return _phantom(size, ELSEWHERE)
    with own_file(EXTERNAL_IDS):
        ids = set(records.read_text(EXTERNAL_IDS, ["image_id"])["image_id"])
        if records.digest(*sorted(ids)) != _LISTED:
            raise ValueError(f"its {len(ids)} ids are not those that were published")
    folders = [data_folder(), RAW_DIR]
    for folder in folders:
        if source := photographs.find_external(folder, size, ids):
            return source
    return _download("external", size, partial(photographs.find_external, ids=ids), folders)


def find(folder: Path, size: int = 28, rows: int = records.IMAGES, finders=()) -> Source | None:
    """Return the best complete source in a folder; None, or an error, if it is not complete."""
    incomplete = None
    for finder in finders or _JPEGS + _CSV:
        try:
            if source := finder(folder, size, expected_rows=rows):
                return source
        except IncompleteError as error:
            incomplete = incomplete or error
    if incomplete is not None:
        raise incomplete


def _download(group: str, size: int, finder: Callable[..., Source], folders=()) -> Source:
    """Download a source; where that fails and nothing like it is there, warn, take the phantom."""
    try:
        download.fetch_source(group, RAW_DIR, size)
    except (download.DownloadError, IncompleteError) as error:
        outside = group == "external"  # images of HAM10000 need no outside test, and the reverse
        there = {str(p.absolute()) for f in folders or [RAW_DIR] for p in records.files(f, 6)}
        there = {n for n in there if os.path.getsize(n) > 10**6 or not re.fullmatch(_OTHER, n)}
        if unused := sorted(n for n in there if bool(photographs.OUTSIDE.search(n)) == outside):
            raise DataError(
                f"There is {', '.join(unused[:3])} ({len(unused):,} such files), but no complete "
                "set of images in a form that is read (see data/README.md), so the phantom does "
                f"not stand in. Complete it, move it away, or set HAM10000_DIR=phantom. {error}"
            ) from error
        if isinstance(error, IncompleteError):  # of another size than is asked for
            raise
        warnings.warn(f"{error}\nUntil then the phantom stands in.", stacklevel=4)
        return _phantom(size, ELSEWHERE if outside else PHANTOM)
    return finder(RAW_DIR, size)


def _phantom(size: int, name: str = PHANTOM) -> Source:
    from utils.data import phantom  # it needs SciPy, which takes its time to start

    records.require_28(size, "the phantom")
    draw, seed = (phantom.sample, 0) if name == PHANTOM else (phantom.elsewhere, phantom.ELSEWHERE)
    key = phantom.fingerprint(seed=seed)
    made = own_file(phantom.PARAMETERS)(lambda: LesionImages(*draw(seed), name, key))
    return Source(name, key, made)


def _through_cache(source: Source, size: int) -> LesionImages:
    """Return what the cache holds for a source, or read the source and fill the cache."""
    key = records.digest(_CACHE_FORM, source.key, str(size))
    path = CACHE_DIR / f"lesions_{size}_{key[:24]}.npz"
    dataset = (os.path.isfile(path) and _read_cache(path, source.name)) or _fill_cache(path, source)
    fingerprint = records.digest(dataset.fingerprint, str(size), "BOX")
    return dataclasses.replace(dataset, fingerprint=fingerprint)


def _check_sum(path: Path, arrays: dict[str, np.ndarray]) -> str:
    """Return a check sum of what a cache file holds: it is believed only as it was written."""
    hashes = {name: hashlib.sha256(np.ascontiguousarray(a)) for name, a in arrays.items()}
    parts = [(name, a.dtype.str, a.shape, hashes[name].digest()) for name, a in arrays.items()]
    return records.digest(path.name, repr(sorted(parts)))


def _read_cache(path: Path, name: str) -> LesionImages | None:
    """Read a cache file; None, with a warning, if it is damaged or was changed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if sum(entry.file_size for entry in file.zip.infolist()) > path.stat().st_size:
                raise ValueError("it is packed, as none is written")
            arrays = dict(file)
        if str(arrays.pop("check_sum")) != _check_sum(path, arrays):
            raise ValueError("it is not as it was written")
        images, labels, fingerprint = map(arrays.pop, ("images", "labels", "fingerprint"))
        metadata = records.metadata_frame(arrays)
    except Exception as why:  # of many kinds
        warnings.warn(f"The cache file {path} is damaged ({why}); it is made again.", stacklevel=4)
        return None
    return LesionImages(images, labels, metadata, name, str(fingerprint))


def _fill_cache(path: Path, source: Source) -> LesionImages:
    """Read a source and write it as a cache file: whole, or with a warning not at all."""
    dataset = source.read()
    texts = dataset.metadata.drop(columns="age").fillna("")
    arrays = {name: column.to_numpy(np.str_) for name, column in texts.items()}
    arrays |= {"images": dataset.images, "fingerprint": np.array(dataset.fingerprint)}
    arrays |= {"labels": dataset.labels, "age": dataset.metadata["age"].to_numpy()}

    def write(file) -> None:
        Path(file.name).chmod(0o644)  # a classroom shares it
        np.savez(file, check_sum=_check_sum(path, arrays), **arrays)

    try:
        replace_file(path, write)
    except OSError as error:
        # On Windows a file that another process is reading cannot be replaced, nor need be.
        if not (isinstance(error, PermissionError) and os.path.exists(path)):
            what = f"cannot be written ({error}), so these images are read anew each time"
            cure = "Make it writable, see that the disk has room, or name another in HAM10000_CACHE"
            warnings.warn(f"The cache folder {CACHE_DIR} {what}. {cure}.", stacklevel=4)
    return dataset
