"""Small data files in every form that `utils.data` reads, for tests."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from utils.classes import CLASSES, DX
from utils.data.photographs import JPEG_FOLDERS, ZIPS
from utils.data.tables import KAGGLE_CSV

ROWS = 14


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


def make_images(rows: int = ROWS, height: int = 28, width: int = 28, seed: int = 0) -> np.ndarray:
    """Return smooth coloured images, uint8 (rows, height, width, 3), each different."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 60, height)[:, None, None] + np.linspace(0, 40, width)[None, :, None]
    return (ramp + rng.integers(20, 150, size=(rows, 1, 1, 3))).astype(np.uint8)


def jpeg(image: np.ndarray) -> bytes:
    """Return an image as the bytes of a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return file.getvalue()


def write_metadata(
    folder: Path, metadata: pd.DataFrame, name: str = "HAM10000_metadata.csv", separator: str = ","
) -> Path:
    """Write a metadata table under one of its names."""
    metadata.to_csv(folder / name, sep=separator, index=False)
    return folder / name


def make_jpegs(metadata: pd.DataFrame) -> dict[str, bytes]:
    """Return a JPEG of 60 × 45 pixels for each row of the metadata, by image id."""
    images = make_images(len(metadata), 45, 60)
    return {name: jpeg(image) for name, image in zip(metadata["image_id"], images, strict=True)}


def write_zips(folder: Path, jpegs: dict[str, bytes]) -> list[Path]:
    """Write JPEGs into the two official zips, half of them into each."""
    names = list(jpegs)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    for zip_name, half in zip(ZIPS, halves, strict=True):
        with zipfile.ZipFile(folder / zip_name, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in half:
                archive.writestr(f"{name}.jpg", jpegs[name])
    return [folder / zip_name for zip_name in ZIPS]


def make_official(folder: Path, rows: int = ROWS) -> pd.DataFrame:
    """Write the zips and their metadata into a folder; return the metadata."""
    metadata = make_metadata(rows)
    write_metadata(folder, metadata)
    write_zips(folder, make_jpegs(metadata))
    return metadata


def make_jpeg_folder(folder: Path, *, parts: bool, rows: int = ROWS) -> pd.DataFrame:
    """Write the JPEGs themselves, straight into the folder or into the two folders in it."""
    metadata = make_metadata(rows)
    write_metadata(folder, metadata)
    for row, (name, data) in enumerate(make_jpegs(metadata).items()):
        place = folder / JPEG_FOLDERS[1 + row % 2 if parts else 0]
        place.mkdir(exist_ok=True)
        (place / f"{name}.jpg").write_bytes(data)
    return metadata


def write_kaggle_csv(folder: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    """Write `hmnist_28_28_RGB.csv`."""
    rows = np.column_stack([images.reshape(len(images), -1), labels]).tolist()
    header = [f"pixel{i:04d}" for i in range(len(rows[0]) - 1)] + ["label"]
    lines = [",".join(map(str, row)) for row in [header, *rows]]
    (folder / KAGGLE_CSV).write_text("\n".join(lines) + "\n")
    return folder / KAGGLE_CSV


def make_kaggle(folder: Path, rows: int = ROWS) -> pd.DataFrame:
    """Write the Kaggle CSV and its metadata into a folder; return the metadata."""
    metadata = make_metadata(rows)
    write_metadata(folder, metadata)
    write_kaggle_csv(folder, make_images(rows), make_labels(metadata))
    return metadata


def make_npz_arrays(rows: int = ROWS, size: int = 28) -> dict[str, np.ndarray]:
    """Return the six arrays of a DermaMNIST file."""
    to_dermamnist = {lesion.kaggle_label: lesion.dermamnist_label for lesion in CLASSES}
    kaggle = make_labels(make_metadata(rows))
    labels = np.array([[to_dermamnist[label]] for label in kaggle], np.uint8)
    images = make_images(rows, size, size)
    cuts = [rows // 2, rows - rows // 4]
    arrays = {}
    parts = zip(
        ("train", "val", "test"), np.split(images, cuts), np.split(labels, cuts), strict=True
    )
    for part, part_images, part_labels in parts:
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = part_images, part_labels
    return arrays


def write_npz(folder: Path, arrays: dict[str, np.ndarray], name: str = "dermamnist.npz") -> Path:
    """Write a DermaMNIST file."""
    np.savez_compressed(folder / name, **arrays)
    return folder / name


def make(folder: Path, form: str) -> pd.DataFrame:
    """Write a small data set in the form of that name into a folder; return its metadata."""
    folder.mkdir(exist_ok=True)
    if form == "npz":
        write_npz(folder, make_npz_arrays())
        return make_metadata()
    if form == "bare csv":
        metadata = make_kaggle(folder)
        (folder / "HAM10000_metadata.csv").unlink()
        return metadata
    if form in ("jpegs", "jpegs in two folders"):
        return make_jpeg_folder(folder, parts=form != "jpegs")
    return {"zips": make_official, "csv": make_kaggle}[form](folder)
