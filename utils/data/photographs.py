"""Read HAM10000 as photographs: the two official zips, or a folder of the JPEGs in them."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from utils.data.records import (
    DAMAGE,
    IMAGES,
    DataError,
    IncompleteError,
    Reading,
    Source,
    digest,
    find_metadata,
    labels_of,
    read_metadata,
    refuse_html,
)
from utils.files import hash_file

ZIPS = ("HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip")
JPEG_FOLDERS = (".", "HAM10000_images_part_1", "HAM10000_images_part_2")


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
            except DAMAGE as error:
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
    key = _jpeg_fingerprint(checks, hash_file(metadata_path))

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
    metadata_hash = hash_file(metadata_path)

    def read() -> Reading:
        metadata = read_metadata(metadata_path, expected_rows=expected_rows)
        _match(where, metadata, metadata_path)
        images, checks = _decode(metadata, lambda i: Path(where[i]).read_bytes(), where, size)
        fingerprint = _jpeg_fingerprint(checks, metadata_hash)
        return Reading(images, labels_of(metadata["dx"]), metadata, fingerprint)

    # Hashing every file at every call would cost seconds; a changed file has a new size or time.
    key = digest("folder", str(folder.resolve()), *sorted(stats), metadata_hash)
    return Source("HAM10000 from a folder of JPEGs", key, read)
