"""Read HAM10000 as photographs: the two official zips, or a folder of the JPEGs in them."""

import io
import os
import re
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

from utils.data import records
from utils.data.records import IMAGES, DataError, IncompleteError, LesionImages, Source

__all__ = ["Photographs"]

ZIPS = ("HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip")
EXTERNAL_ZIP, EXTERNAL_TABLE = "ISIC2018_Task3_Test_Images.zip", "ISIC2018_Task3_Test_GroundTruth"
OFFICIAL_SIZE = "600 × 450 pixels"
OUTSIDE = re.compile(r"(?i)isic.?2018.?task.?3.?test")  # what holds images of the outside test


class _Place(NamedTuple):
    """Where a JPEG is: in a zip (then with its name there) or on its own; `mark` tells versions."""

    path: Path
    member: str
    mark: str
    length: int

    def __str__(self) -> str:
        return f"{self.path}, {self.member[-80:]}" if self.member else str(self.path)


class Photographs(ExitStack):
    """The JPEGs in a folder by image id: those of the official zips, else those on their own.

    Use it in a ``with`` statement, which closes the zips; several threads may read at once. A
    `DataError` says which image is missing, there twice or damaged.
    """

    def __init__(self, folder: Path, places: dict[str, _Place] | None = None) -> None:
        super().__init__()
        self.folder = folder
        found = places or _by_id(in_zips(filter(zipfile.is_zipfile, zips_in(folder))))
        loose = {} if places or len(found) >= IMAGES else _by_id(in_folders(folder))
        self.places = loose | found
        if not self.places:
            what = f"neither {' nor '.join(ZIPS)} nor any JPEG"
            raise DataError(f"The folder {folder} holds {what}: see data/README.md.")
        zips = {place.path for place in self.places.values() if place.member}
        self._archives = {zip_: self.enter_context(zipfile.ZipFile(zip_)) for zip_ in zips}

    def fetch(self, image_id: str) -> bytes:
        """Return the JPEG as it is stored."""
        if image_id not in self.places:
            what = f"The image {image_id} is none of the {len(self.places):,} in {self.folder}"
            raise DataError(f"{what}. Correct the id, or put it there (see data/README.md).")
        path, member, _, length = self.places[image_id]
        with records.readable(f"{self.places[image_id]}: the image {image_id} cannot be decoded"):
            with self._archives[path].open(member) if member else path.open("rb") as file:
                return file.read(length + 1)  # no more than was told, whatever it unpacks to

    def open(self, image_id: str) -> Image.Image:
        """Return the photograph in its full size, RGB."""
        return self._decode(image_id)[0]

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
        where = self.places.get(image_id, self.folder)
        with records.readable(f"{where}: the image {image_id} cannot be decoded"):
            data = self.fetch(image_id)
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
                if image.width * image.height > 10**7:
                    raise ValueError(f"{image.width:,} × {image.height:,} pixels are too many")
                return image.convert("RGB"), zlib.crc32(data)


def image_id_of(name: str) -> str:
    """Return the image id that the name of a JPEG, or of its copy (1), tells; else ""."""
    told = re.fullmatch(r"(?:.*[/\\])?(ISIC_\d{7}) ?(\(\d\))?\.jpe?g", name, re.IGNORECASE)
    return told[1].upper() if told else ""


def zips_in(folder: Path, outside: bool = False) -> list[Path]:
    """Return the zips in a folder, of whatever names: HAM10000's, or those of the outside test."""
    zips = (path for path in records.files(folder) if path.suffix.lower() == ".zip")
    return [path for path in zips if bool(OUTSIDE.search(path.name)) == outside]


def in_zips(zips: list[Path]) -> Iterator[_Place]:
    for path in zips:
        cure = f"Move it away if it is no part of HAM10000. Or: {records.AGAIN}"
        with records.readable(f"{path} cannot be opened as a zip", cure):
            records.refuse_html(path)
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        outside = bool(OUTSIDE.search(path.name))
        for entry in (e for e in entries if outside or not OUTSIDE.search(e.filename)):
            yield _Place(path, entry.filename, f"{entry.CRC:08x}", entry.file_size)


def in_folders(folder: Path) -> Iterator[_Place]:
    """Yield the JPEGs in the folder itself and in folders within, but for the outside test's."""
    for path in records.files(folder):
        if image_id_of(path.name) and not OUTSIDE.search(str(path)[len(str(folder)) :]):
            stat = path.stat()
            yield _Place(path, "", str(stat.st_mtime_ns), stat.st_size)


def _by_id(places: Iterator[_Place]) -> dict[str, _Place]:
    """Return the places of JPEGs by image id; raise if an id is there with two contents."""
    by_id: dict[str, _Place] = {}
    for place in places:
        if not (image_id := image_id_of(place.member or place.path.name)):
            continue
        first = by_id.setdefault(image_id, place)  # Kaggle's archive holds each image twice
        if place.length != first.length or (place.member and place.mark != first.mark):
            what = f"the image id {image_id} is there twice, first as {first}, and they differ"
            raise DataError(f"{place}: {what}. Keep one of them. Or: {records.AGAIN}")
        if place.length > 10**7:
            raise DataError(f"{place}: {place.length:,} bytes are no photograph. {records.AGAIN}")
    return by_id


def find_zips(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find zips of the photographs with their metadata; None if there is none."""
    places, metadata_path = _complete(folder, ZIPS, "HAM10000_metadata", expected_rows)
    if not places:
        return None
    copies = f", {pixels}" if (pixels := _pixels(places)) != OFFICIAL_SIZE else ""
    name = f"HAM10000 from {'copies of ' * bool(copies)}the official zips{copies}"
    return _source(name, places, metadata_path, size, expected_rows)


def find_external(folder: Path, size: int, ids: Collection[str]) -> Source | None:
    """Find the zip of the ISIC 2018 test images and its table; only images of `ids` are opened."""
    there, metadata_path = _complete(folder, (EXTERNAL_ZIP,), EXTERNAL_TABLE, len(ids))
    if not there:
        return None
    places = {image: place for image, place in there.items() if image in ids}
    copies = f", copies of {pixels}" if (pixels := _pixels(places)) != OFFICIAL_SIZE else ""
    name = f"ISIC 2018 test images (the open half){copies}"
    return _source(name, places, metadata_path, size, len(ids), ids)


def _complete(folder: Path, names: Sequence[str], table: str, rows: int):
    """Return places in zips and the path of their table; raise if only a part of it is there."""
    zips, table_path = zips_in(folder, table == EXTERNAL_TABLE), records.find_table(folder, table)
    missing = [name for name in names if name.lower() not in {zip_.name.lower() for zip_ in zips}]
    half = len(zips) == len(missing) == 1 < len(names)  # perhaps still downloading
    places = {} if half else _by_id(in_zips(zips))
    lacking = missing * (len(places) < rows) + [f"{table}.csv"] * (table_path is None)
    if lacking and (half or places):
        what = f"{', '.join(zip_.name for zip_ in zips)} but not {' and '.join(lacking)}"
        cure = "Put the missing file(s) beside it (see data/README.md)."
        raise IncompleteError(f"{folder} holds {what}. {cure}")
    return places, table_path


def _pixels(places: dict[str, _Place]) -> str:
    """Return the size of the first photograph in words: what tells copies from the originals."""
    for image_id in list(places)[:1]:
        with Photographs(Path(), {image_id: places[image_id]}) as photographs:
            return "{} × {} pixels".format(*photographs.open(image_id).size)
    return "no image"


def find_jpegs(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the JPEGs in a folder, or in folders within."""
    places = _by_id(in_folders(folder))
    if not places:
        return None
    if not (metadata_path := records.find_table(folder)):
        what = f"{len(places):,} JPEG(s) but no HAM10000_metadata.csv (see data/README.md)"
        raise IncompleteError(f"{folder} holds {what}. Put it there.")
    name = f"HAM10000 from a folder of JPEGs, {_pixels(places)}"
    return _source(name, places, metadata_path, size, expected_rows)


def _source(name, places, metadata_path, size, expected_rows, ids=()) -> Source:
    # Hashing every file at every call would cost seconds; a changed file has a new size or time.
    marks = sorted(f"{image}:{place.length}:{place.mark}" for image, place in places.items())
    key = records.digest("jpeg", *marks, records.hash_table(metadata_path), *sorted(ids))

    def read() -> LesionImages:
        metadata = records.read_metadata(metadata_path, ids)
        lonely = sorted(set(metadata["image_id"]) ^ places.keys())
        for image in lonely[:1]:
            here = f"({places[image]}) is an image without metadata" if image in places else ""
            what = here or "has metadata but no image"
            raise DataError(
                f"{image[:80]} {what}; {len(lonely):,} such image(s) in all. The metadata is "
                f"{metadata_path}. Use both of one version; unpack both zips, or none."
            )
        records.require_rows(metadata_path, len(metadata), expected_rows)
        with Photographs(metadata_path.parent, places) as photographs:
            images, checks = photographs.read_all(metadata["image_id"].tolist(), size)
        # The same for zips and for the folder they unpack to: ids and CRC-32 of the JPEGs.
        told = (f"{image}:{checks[image]:08x}" for image in sorted(checks))
        fingerprint = records.digest("jpeg", *told, records.hash_metadata(metadata_path))
        return LesionImages(images, records.labels_of(metadata["dx"]), metadata, name, fingerprint)

    return Source(name, key, read)
