"""Find the best complete source of HAM10000 in a folder; the one door to all of its readers."""

from __future__ import annotations

from pathlib import Path

from utils.data.photographs import JPEG_FOLDERS, ZIPS, find_jpegs, find_zips
from utils.data.records import (
    COLUMNS,
    IMAGES,
    METADATA_NAMES,
    DataError,
    IncompleteError,
    Reading,
    Source,
    digest,
    find_metadata,
    labels_of,
    metadata_frame,
    read_metadata,
    refuse_html,
    require_size,
)
from utils.data.tables import KAGGLE_CSV, find_csv, find_npz, read_kaggle_csv

__all__ = [
    "COLUMNS", "IMAGES", "JPEG_FOLDERS", "KAGGLE_CSV", "LOOKED_FOR", "METADATA_NAMES", "ZIPS",
    "DataError", "IncompleteError", "Reading", "Source", "digest", "find", "find_csv",
    "find_jpegs", "find_metadata", "find_npz", "find_zips", "labels_of", "metadata_frame",
    "read_kaggle_csv", "read_metadata", "refuse_html", "require_size",
]  # fmt: skip

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
