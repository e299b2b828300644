"""Read HAM10000 as photographs: the two official zips, or a folder of the JPEGs in them."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from utils.data import download, records
from utils.data.records import IMAGES, DataError, IncompleteError, LesionImages, Source
from utils.files import hash_file

__all__ = ["Photographs"]

ZIPS = ("HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip")
EXTERNAL_ZIP, EXTERNAL_TABLE = "ISIC2018_Task3_Test_Images.zip", "ISIC2018_Task3_Test_GroundTruth"
OFFICIAL_SIZE = "600 × 450 pixels"
JPEG_FOLDERS = (".", "HAM10000_images_part_1", "HAM10000_images_part_2")


class _Place(NamedTuple):
    """Where a JPEG is: in a zip (then with its name there) or on its own; `mark` tells versions."""

    path: Path
    member: str
    mark: str

    def __str__(self) -> str:
        return f"{self.path}, {self.member}" if self.member else str(self.path)


class Photographs(ExitStack):
    """The JPEGs in a folder by image id: those of the official zips, else those on their own.

    Use it in a ``with`` statement, which closes the zips; several threads may read at once. A
    `DataError` says which image is missing, there twice or damaged.
    """

    def __init__(self, folder: Path, places: dict[str, _Place] | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.places = places or _by_id(_in_zips(folder)) or _by_id(_in_folders(folder))
        if not self.places:
            raise DataError(
                f"The folder {folder} holds neither {' nor '.join(ZIPS)} nor any JPEG. See "
                "data/README.md for where they come from."
            )
        zips = {place.path for place in self.places.values() if place.member}
        self._archives = {zip_: self.enter_context(zipfile.ZipFile(zip_)) for zip_ in zips}

    def fetch(self, image_id: str) -> bytes:
        """Return the JPEG as it is stored."""
        if image_id not in self.places:
            raise DataError(
                f"The image {image_id} is none of the {len(self.places):,} in {self.folder}. "
                "Correct the id, or put the file there that holds the image (see data/README.md)."
            )
        path, member, _ = self.places[image_id]
        return self._archives[path].read(member) if member else path.read_bytes()

    def open(self, image_id: str) -> Image.Image:
        """Return the photograph in its full size, RGB."""
        return self._decode(image_id)[0]

    def read(self, image_id: str, size: int) -> np.ndarray:
        """Return the photograph shrunk with PIL's area filter, uint8 (size, size, 3)."""
        return np.asarray(self.open(image_id).resize((size, size), Image.Resampling.BOX))

    def read_all(self, image_ids: list[str], size: int) -> tuple[np.ndarray, dict[str, int]]:
        """Shrink photographs on all cores: uint8 (n, size, size, 3), and each file's CRC-32."""
        images = np.empty((len(image_ids), size, size, 3), np.uint8)

        def work(row: int) -> int:
            image, check = self._decode(image_ids[row])
            images[row] = image.resize((size, size), Image.Resampling.BOX)
            return check

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            checks = pool.map(work, range(len(images)))
            look = {"desc": "Reading images", "unit": " images", "leave": False, "mininterval": 0.5}
            checks = tqdm(checks, total=len(images), **look)
            return images, dict(zip(image_ids, checks, strict=True))

    def _decode(self, image_id: str) -> tuple[Image.Image, int]:
        """Return the photograph and the CRC-32 of its file."""
        try:
            data = self.fetch(image_id)
            with Image.open(io.BytesIO(data)) as image:
                return image.convert("RGB"), zlib.crc32(data)
        except DataError:
            raise
        except records.DAMAGE as error:
            raise DataError(
                f"{self.places[image_id]}: the image {image_id} cannot be decoded "
                f"({type(error).__name__}: {error}). The file is damaged: download it again "
                "(see data/README.md)."
            ) from error


def _image_id(name: str) -> str:
    """Return the image id that a file's name tells, "" if the file is no JPEG."""
    base = name.rsplit("/", 1)[-1]
    stem, _, ending = base.rpartition(".")
    return stem if ending.lower() in ("jpg", "jpeg") and base[0] != "." else ""


def _in_zips(folder: Path, zips: Sequence[str] = ZIPS) -> Iterator[_Place]:
    """Yield the files in the official zips, as far as those are there."""
    for path in (folder / name for name in zips if (folder / name).is_file()):
        records.refuse_html(path)
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(
                f"{path} cannot be opened as a zip ({error}): it is truncated or damaged "
                f"({path.stat().st_size:,} bytes). Delete it and download it again "
                "(see data/README.md)."
            ) from error
        yield from (_Place(path, entry.filename, f"{entry.CRC:08x}") for entry in entries)


def _in_folders(folder: Path) -> Iterator[_Place]:
    """Yield the JPEGs in the folder itself and in those that the zips unpack to."""
    for here in (folder / name for name in JPEG_FOLDERS if (folder / name).is_dir()):
        with os.scandir(here) as entries:
            for entry in entries:
                if _image_id(entry.name) and entry.is_file():
                    stat = entry.stat()
                    yield _Place(here / entry.name, "", f"{stat.st_size}:{stat.st_mtime_ns}")


def _by_id(places: Iterator[_Place]) -> dict[str, _Place]:
    """Return the places of JPEGs by image id; raise if an id is there twice."""
    by_id: dict[str, _Place] = {}
    for place in places:
        image_id = _image_id(place.member or place.path.name)
        if image_id in by_id:
            raise DataError(
                f"{place}: the image id {image_id} is there twice, first as {by_id[image_id]}. "
                "Keep one of them, or download the zips again (see data/README.md)."
            )
        if image_id:
            by_id[image_id] = place
    return by_id


def _fingerprint(checks: dict[str, str], metadata_path: Path) -> str:
    # The same for zips and for the folder they unpack to: ids and CRC-32 of the JPEGs.
    images = (f"{image}:{checks[image]}" for image in sorted(checks))
    return records.digest("jpeg", *images, records.hash_metadata(metadata_path))


def find_zips(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the two official zips with their metadata; None if neither zip is there."""
    metadata_path = records.find_metadata(folder)
    if not _complete(folder, ZIPS, metadata_path, "HAM10000_metadata.csv (or .tab)"):
        return None
    places = _by_id(_in_zips(folder))
    form = "the official zips"
    lengths = {file["name"]: file["bytes"] for file in download.registry()["dataverse"]["files"]}
    if any((folder / name).stat().st_size != lengths[name] for name in ZIPS):
        form = f"copies of the official zips, {_pixels(places)}"
    key = _zip_key(places, metadata_path)
    return _source(f"HAM10000 from {form}", key, places, metadata_path, size, expected_rows)


def find_external(folder: Path, size: int, ids: Collection[str]) -> Source | None:
    """Find the zip of the ISIC 2018 test images and its table; only images of `ids` are opened."""
    metadata_path = records.find_metadata(folder, EXTERNAL_TABLE)
    if not _complete(folder, (EXTERNAL_ZIP,), metadata_path, f"{EXTERNAL_TABLE}.csv"):
        return None
    there = _by_id(_in_zips(folder, (EXTERNAL_ZIP,)))
    places = {image: place for image, place in there.items() if image in ids}
    name, pixels = "ISIC 2018 test images (the open half)", _pixels(places)
    if pixels != OFFICIAL_SIZE:
        name = f"{name}, copies of {pixels}"
    key = _zip_key(places, metadata_path)
    return _source(name, key, places, metadata_path, size, len(ids), ids)


def _complete(folder: Path, zips: Sequence[str], metadata_path: Path | None, table: str) -> bool:
    """Say whether zips and their table are there; raise if only some of them are."""
    present = [name for name in zips if (folder / name).is_file()]
    missing = [name for name in zips if name not in present] + [table] * (metadata_path is None)
    if present and missing:
        raise IncompleteError(
            f"{folder} holds {', '.join(present)} but not {' and '.join(missing)}. "
            "Put the missing file(s) beside it: see data/README.md for where they come from."
        )
    return bool(present)


def _pixels(places: dict[str, _Place]) -> str:
    """Return the size of the first photograph in words: what tells copies from the originals."""
    for image_id, place in list(places.items())[:1]:
        with Photographs(place.path.parent, {image_id: place}) as photographs:
            return "{} × {} pixels".format(*photographs.open(image_id).size)
    return "no image"


def _zip_key(places: dict[str, _Place], metadata_path: Path) -> str:
    marks = {image: place.mark for image, place in places.items()}
    return records.digest(_fingerprint(marks, metadata_path), hash_file(metadata_path))


def find_jpegs(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find a folder of the JPEGs, or of the two folders that the zips unpack to."""
    places = _by_id(_in_folders(folder))
    if not places:
        return None
    metadata_path = records.find_metadata(folder)
    if metadata_path is None:
        raise IncompleteError(
            f"{folder} holds {len(places):,} JPEG(s) but no HAM10000_metadata.csv (or .tab). Put "
            "it there: see data/README.md for where it comes from."
        )
    # Hashing every file at every call would cost seconds; a changed file has a new size or time.
    stats = sorted(f"{image}:{place.mark}" for image, place in places.items())
    key = records.digest("folder", str(folder.resolve()), *stats, hash_file(metadata_path))
    name = f"HAM10000 from a folder of JPEGs, {_pixels(places)}"
    return _source(name, key, places, metadata_path, size, expected_rows)


def _source(name, key, places, metadata_path, size, expected_rows, ids=()) -> Source:
    def read() -> LesionImages:
        metadata = records.read_metadata(metadata_path, ids)
        lonely = sorted(set(metadata["image_id"]) ^ places.keys())
        for image in lonely[:1]:
            what = "has metadata but no image"
            if image in places:
                what = f"({places[image]}) is an image without metadata"
            raise DataError(
                f"{image} {what}; {len(lonely):,} such image(s) in all. The metadata is "
                f"{metadata_path}. Use images and metadata of the same version, complete: see "
                "data/README.md for where each file comes from."
            )
        records.require_rows(metadata_path, len(metadata), expected_rows)
        with Photographs(metadata_path.parent, places) as photographs:
            images, checks = photographs.read_all(metadata["image_id"].tolist(), size)
        checks = {image: f"{check:08x}" for image, check in checks.items()}
        fingerprint = _fingerprint(checks, metadata_path)
        return LesionImages(images, records.labels_of(metadata["dx"]), metadata, name, fingerprint)

    return Source(name, key, read)
