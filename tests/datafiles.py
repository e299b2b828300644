"""Small data files in every form that `utils.data` reads, for tests."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from utils.classes import DX
from utils.data import records
from utils.data.photographs import EXTERNAL_TABLE, EXTERNAL_ZIP, ZIPS
from utils.data.tables import KAGGLE_CSV

ROWS = 14
JPEG_FOLDERS = (".", "HAM10000_images_part_1", "HAM10000_images_part_2")
METADATA, NPZ = "HAM10000_metadata.csv", "dermamnist.npz"
LISTED = records.digest(*(f"ISIC_{24306 + i:07d}" for i in range(ROWS - 4)))  # the open half


def make_metadata(rows: int = ROWS) -> pd.DataFrame:
    """Return metadata: every class in turn, two images to a lesion where there is room."""
    number = np.arange(rows)
    half = -(-rows // 2)
    return pd.DataFrame(
        {
            "lesion_id": [f"HAM_{i % half:07d}" for i in number],
            "image_id": [f"ISIC_{24306 + i:07d}" for i in number],
            "dx": [DX[(i % half) % 7] for i in number],
            "dx_type": "histo",
            "age": [None if i == 1 else 40.0 + 5 * (i % 8) for i in number],
            "sex": ["unknown" if i == 2 else "female" for i in number],
            "localization": ["unknown" if i == 3 else "back" for i in number],
        }
    )


def make_labels(metadata: pd.DataFrame) -> np.ndarray:
    """Return the labels of a metadata table in the Kaggle coding, written out once more here."""
    coding = {"akiec": 0, "bcc": 1, "bkl": 2, "df": 3, "nv": 4, "vasc": 5, "mel": 6}
    return np.array([coding[dx] for dx in metadata["dx"]])


def make_images(rows: int = ROWS, height: int = 28, width: int = 28) -> np.ndarray:
    """Return smooth coloured images, uint8 (rows, height, width, 3), each different."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 60, height)[:, None, None] + np.linspace(0, 40, width)[None, :, None]
    return (ramp + rng.integers(20, 150, size=(rows, 1, 1, 3))).astype(np.uint8)


def write_metadata(
    folder: Path, metadata: pd.DataFrame, name: str = METADATA, separator: str = ","
) -> Path:
    """Write a metadata table under one of its names."""
    metadata.to_csv(folder / name, sep=separator, index=False)
    return folder / name


def make_jpegs(**changed: bytes) -> dict[str, bytes]:
    """Return a JPEG of 60 × 45 pixels for each image id of the metadata, or what is given."""
    jpegs = {}
    for name, image in zip(make_metadata()["image_id"], make_images(ROWS, 45, 60), strict=True):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=95)
        jpegs[name] = file.getvalue()
    return jpegs | changed


def write_zips(folder: Path, jpegs: dict[str, bytes], packed: int = zipfile.ZIP_DEFLATED) -> None:
    """Write JPEGs into the two official zips, half of them into each."""
    names = list(jpegs)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    for zip_name, half in zip(ZIPS, halves, strict=True):
        with zipfile.ZipFile(folder / zip_name, "w", packed) as archive:
            for name in half:
                archive.writestr(f"{name}.jpg", jpegs[name])


def make_external(folder: Path, *, more: int = 0, leave_out: Iterable = ()) -> pd.DataFrame:
    """Write the test images of other clinics, some left out of the metadata that it returns."""
    folder.mkdir(exist_ok=True)
    metadata = make_metadata().assign(dataset=["external", "rosendahl"] * (ROWS // 2))
    with zipfile.ZipFile(folder / EXTERNAL_ZIP, "w") as archive:
        for name, jpeg in ((n, j) for n, j in make_jpegs().items() if n not in leave_out):
            archive.writestr(f"ISIC2018_Task3_Test_Images/{name}.jpg", jpeg)
    write_metadata(folder, metadata, f"{EXTERNAL_TABLE}.csv")
    return metadata.head(ROWS - more)


def make_kaggle(folder: Path, rows: int = ROWS) -> pd.DataFrame:
    """Write `hmnist_28_28_RGB.csv` and its metadata into a folder; return the metadata."""
    metadata = make_metadata(rows)
    write_metadata(folder, metadata)
    pixels = make_images(rows).reshape(rows, -1)
    header = [f"pixel{i:04d}" for i in range(pixels.shape[1])] + ["label"]
    lines = [header, *np.column_stack([pixels, make_labels(metadata)]).tolist()]
    text = "\n".join(",".join(map(str, line)) for line in lines)
    (folder / KAGGLE_CSV).write_text(text + "\n")
    return metadata


def write_npz(folder: Path) -> None:
    """Write a file as MedMNIST has them."""
    labels = make_labels(make_metadata()).astype(np.uint8)[:, None]
    images, arrays = make_images(ROWS, 28, 28), {}
    for part, rows in {"train": slice(7), "val": slice(7, 11), "test": slice(11, ROWS)}.items():
        arrays |= {f"{part}_images": images[rows], f"{part}_labels": labels[rows]}
    np.savez_compressed(folder / NPZ, **arrays)


def make(folder: Path, form: str) -> pd.DataFrame:
    """Write a small data set in the form of that name into a folder; return its metadata."""
    folder.mkdir(exist_ok=True)
    metadata = make_metadata()
    if form == "npz":
        write_npz(folder)
        return metadata
    if "csv" in form:
        make_kaggle(folder)
        if form == "bare csv":
            (folder / METADATA).unlink()
        return metadata
    write_metadata(folder, metadata)
    if form == "zips":
        write_zips(folder, make_jpegs())
        return metadata
    # straight into the folder, or into the two folders in it
    for row, (name, content) in enumerate(make_jpegs().items()):
        place = folder / JPEG_FOLDERS[0 if form == "jpegs" else 1 + row % 2]
        place.mkdir(exist_ok=True)
        (place / f"{name}.jpg").write_bytes(content)
    return metadata
