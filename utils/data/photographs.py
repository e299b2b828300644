"""Read HAM10000 as photographs: the two official zips, or a folder of the JPEGs in them."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

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


class _Place(NamedTuple):
    """Where a JPEG is: in a zip (then with its name there) or on its own; `mark` tells versions."""

    path: Path
    member: str
    mark: str

    def __str__(self) -> str:
        return f"{self.path}, {self.member}" if self.member else str(self.path)


class Photographs:
    """The JPEGs in a folder by image id: those of the official zips, else those on their own.

    Use it in a ``with`` statement, which closes the zips; several threads may read at once.

    Parameters
    ----------
    folder : Path
    places : dict of str to _Place, optional
        Where each image is, if that is known already.

    Attributes
    ----------
    ids : list of str

    Raises
    ------
    DataError
        If there is no JPEG, an id is there twice, or a zip cannot be opened.
    """

    def __init__(self, folder: Path, places: dict[str, _Place] | None = None) -> None:
        self.folder = Path(folder)
        self.places = places or _in_zips(self.folder) or _in_folders(self.folder)
        if not self.places:
            raise DataError(
                f"The folder {folder} holds neither {' nor '.join(ZIPS)} nor any JPEG. See "
                "data/README.md for where they come from."
            )
        self.ids = list(self.places)
        self._closing = ExitStack()
        zips = {place.path for place in self.places.values() if place.member}
        self._archives = {
            path: self._closing.enter_context(zipfile.ZipFile(path)) for path in sorted(zips)
        }

    def __enter__(self) -> Photographs:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def fetch(self, image_id: str) -> bytes:
        """Return the JPEG as it is stored."""
        if image_id not in self.places:
            raise DataError(
                f"The image {image_id} is none of the {len(self.ids):,} in {self.folder}. Correct "
                "the id, or put the file there that holds the image (see data/README.md)."
            )
        path, member, _ = self.places[image_id]
        return self._archives[path].read(member) if member else path.read_bytes()

    def open(self, image_id: str) -> Image.Image:
        """Return the photograph in its full size, RGB."""
        return self._decode(image_id)[0]

    def read(self, image_id: str, size: int) -> np.ndarray:
        """Return the photograph shrunk with the area filter, uint8 (size, size, 3)."""
        return _shrink(self.open(image_id), size)

    def read_all(self, image_ids: list[str], size: int) -> tuple[np.ndarray, dict[str, int]]:
        """Shrink photographs on all cores: uint8 (n, size, size, 3), and each file's CRC-32."""
        images = np.empty((len(image_ids), size, size, 3), np.uint8)
        checks: dict[str, int] = {}

        def work(rows: range) -> int:
            for row in rows:
                image, checks[image_ids[row]] = self._decode(image_ids[row])
                images[row] = _shrink(image, size)
            return len(rows)

        blocks = [range(i, min(i + 64, len(images))) for i in range(0, len(images), 64)]
        with (
            ThreadPoolExecutor(os.cpu_count() or 1) as pool,
            tqdm(
                total=len(images), desc="Reading images", unit=" images", leave=False,
                mininterval=0.5,
            ) as bar,
        ):  # fmt: skip
            for done in pool.map(work, blocks):
                bar.update(done)
        return images, checks

    def _decode(self, image_id: str) -> tuple[Image.Image, int]:
        try:
            data = self.fetch(image_id)
            with Image.open(io.BytesIO(data)) as image:
                return image.convert("RGB"), zlib.crc32(data)
        except DataError:
            raise
        except DAMAGE as error:
            raise DataError(
                f"{self.places[image_id]}: the image {image_id} cannot be decoded "
                f"({type(error).__name__}: {error}). The file is damaged: download it again "
                "(see data/README.md)."
            ) from error


def _shrink(image: Image.Image, size: int) -> np.ndarray:
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def _image_id(name: str) -> str:
    """Return the image id that a file's name tells, "" if the file is no JPEG."""
    base = name.rsplit("/", 1)[-1]
    stem, _, ending = base.rpartition(".")
    return stem if ending.lower() in ("jpg", "jpeg") and base[0] != "." else ""


def _by_id(places: Iterator[_Place]) -> dict[str, _Place]:
    """Return the places of JPEGs by image id; raise if an id is there twice."""
    by_id: dict[str, _Place] = {}
    for place in places:
        image = _image_id(place.member or place.path.name)
        if image in by_id:
            raise DataError(
                f"{place}: the image id {image} is there twice, first as {by_id[image]}. Keep one "
                "of them, or download the zips again (see data/README.md)."
            )
        if image:
            by_id[image] = place
    return by_id


def _in_zips(folder: Path) -> dict[str, _Place]:
    """Return where the JPEGs of the official zips are, as far as those are there."""

    def places() -> Iterator[_Place]:
        for path in (folder / name for name in ZIPS):
            if not path.is_file():
                continue
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
            yield from (_Place(path, entry.filename, f"{entry.CRC:08x}") for entry in entries)

    return _by_id(places())


def _in_folders(folder: Path) -> dict[str, _Place]:
    """Return where JPEGs are, in the folder itself and in those that the zips unpack to."""

    def places() -> Iterator[_Place]:
        for here in (folder / name for name in JPEG_FOLDERS):
            if not here.is_dir():
                continue
            with os.scandir(here) as entries:
                for entry in entries:
                    if _image_id(entry.name) and entry.is_file():
                        stat = entry.stat()
                        mark = f"{stat.st_size}:{stat.st_mtime_ns}"
                        yield _Place(here / entry.name, "", mark)

    return _by_id(places())


def _match(places: dict[str, _Place], metadata: pd.DataFrame, path: Path) -> None:
    """Raise unless images and metadata name the same ids."""
    known = set(metadata["image_id"])
    for ids, what in (
        (sorted(known - places.keys()), "has metadata but no image"),
        (sorted(places.keys() - known), "is an image without metadata"),
    ):
        if ids:
            place = f" ({places[ids[0]]})" if ids[0] in places else ""
            raise DataError(
                f"{ids[0]}{place} {what}; {len(ids):,} such image(s) in all. The metadata is "
                f"{path}. Use images and metadata of the same version, complete: see "
                "data/README.md for where each file comes from."
            )


def _jpeg_fingerprint(checks: dict[str, str], metadata_hash: str) -> str:
    # The same for zips and for the folder they unpack to: ids and CRC-32 of the JPEGs.
    return digest("jpeg", *(f"{i}:{checks[i]}" for i in sorted(checks)), metadata_hash)


def find_zips(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find the two official zips with their metadata; None if neither zip is there."""
    metadata_path = find_metadata(folder)
    present = [name for name in ZIPS if (folder / name).is_file()]
    if not present:
        return None
    missing = [name for name in ZIPS if name not in present]
    if metadata_path is None:
        missing.append("HAM10000_metadata.csv (or .tab)")
    if missing:
        raise IncompleteError(
            f"{folder} holds {', '.join(present)} but not {' and '.join(missing)}. "
            "Put the missing file(s) beside it: see data/README.md for where they come from."
        )
    places = _in_zips(folder)
    checks = {image: place.mark for image, place in places.items()}
    key = _jpeg_fingerprint(checks, hash_file(metadata_path))

    def read() -> Reading:
        metadata = read_metadata(metadata_path, expected_rows=expected_rows)
        _match(places, metadata, metadata_path)
        with Photographs(folder, places) as photographs:
            images, _ = photographs.read_all(metadata["image_id"].tolist(), size)
        return Reading(images, labels_of(metadata["dx"]), metadata, key)

    return Source("HAM10000 from the official zips", key, read)


def find_jpegs(folder: Path, size: int = 28, *, expected_rows: int = IMAGES) -> Source | None:
    """Find a folder of the JPEGs, or of the two folders that the zips unpack to."""
    places = _in_folders(folder)
    if not places:
        return None
    metadata_path = find_metadata(folder)
    if metadata_path is None:
        raise IncompleteError(
            f"{folder} holds {len(places):,} JPEG(s) but no HAM10000_metadata.csv (or .tab). Put "
            "it there: see data/README.md for where it comes from."
        )
    metadata_hash = hash_file(metadata_path)

    def read() -> Reading:
        metadata = read_metadata(metadata_path, expected_rows=expected_rows)
        _match(places, metadata, metadata_path)
        with Photographs(folder, places) as photographs:
            images, checks = photographs.read_all(metadata["image_id"].tolist(), size)
        fingerprint = _jpeg_fingerprint({i: f"{c:08x}" for i, c in checks.items()}, metadata_hash)
        return Reading(images, labels_of(metadata["dx"]), metadata, fingerprint)

    # Hashing every file at every call would cost seconds; a changed file has a new size or time.
    stats = sorted(f"{image}:{place.mark}" for image, place in places.items())
    key = digest("folder", str(folder.resolve()), *stats, metadata_hash)
    return Source("HAM10000 from a folder of JPEGs", key, read)
