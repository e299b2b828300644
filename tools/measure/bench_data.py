"""Measurements of reading: the Kaggle CSV, the course's loader; and what the others read."""

import dataclasses
import os
import time
from pathlib import Path

from tools.measure.bench_machine import peak_memory


def prepare(*, folder: str, rows: int | None, factors: list[int], size: int) -> dict:
    """Write what the other measurements read, and fill the cache.

    Parameters
    ----------
    folder : str
        Temporary folder for the files.
    rows : int or None
        Take only so many images; None takes all.
    factors : list of int
        Multiples of the phantom to draw, each with seeds of its own.
    size : int
        Height and width in pixels of the upscaled images.

    Returns
    -------
    dict
        ``csv``, the path of the Kaggle CSV, and what the data are: ``source``, ``phantom``,
        ``images``.
    """
    import numpy as np
    from PIL import Image

    from utils.data import phantom, tables
    from utils.splits import lesion_split

    dataset = dataset_of(rows)
    place, count = Path(folder), len(dataset.labels)
    csv = _kaggle_csv(tables, dataset)
    if csv is None:
        csv = place / tables.KAGGLE_CSV
        write_kaggle_csv(csv, dataset.images, dataset.labels)
    split = lesion_split(dataset)
    learn = np.sort(np.concatenate([split.train, split.validation]))
    np.savez(place / "parts.npz", learn=learn, test=split.test)
    large = np.stack(
        [
            np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
            for image in dataset.images
        ]
    )
    np.savez(place / "pixels-28.npz", images=dataset.images, labels=dataset.labels)
    np.savez(place / f"pixels-{size}.npz", images=large, labels=dataset.labels)
    drawn = [phantom.sample(seed)[:2] for seed in range(max(factors))]
    for factor in factors:
        images, labels = (np.concatenate([d[k][:rows] for d in drawn[:factor]]) for k in (0, 1))
        np.savez(place / f"times-{factor}.npz", images=images, labels=labels)
    return {
        "csv": str(csv),
        "source": dataset.source,
        "phantom": dataset.is_phantom,
        "images": count,
    }


def read_csv(*, csv: str, engine: str | None) -> dict:
    """Read the Kaggle CSV with pandas, by its own parser or by the engine named."""
    import numpy as np
    import pandas as pd

    start = time.perf_counter()
    table = pd.read_csv(csv, engine=engine)
    images = np.array(table.drop(columns="label")).reshape(-1, 28, 28, 3)
    return {
        "seconds": time.perf_counter() - start,
        "peak_mb": peak_memory(),
        "images": len(images),
    }


def load(*, cache: str) -> dict:
    """Call `load_ham10000` with its cache in the folder named, empty or filled."""
    from utils import data

    data.CACHE_DIR = Path(cache)
    start = time.perf_counter()
    dataset = data.load_ham10000()
    return {
        "seconds": time.perf_counter() - start,
        "peak_mb": peak_memory(),
        "images": len(dataset.labels),
    }


def write_kaggle_csv(path: Path, images, labels) -> None:
    """Write images, uint8 (n, 28, 28, 3), and labels in the form of Kaggle's CSV."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        width = images[0].size
        file.write(",".join([*(f"pixel{i:04d}" for i in range(width)), "label"]) + "\n")
        for image, label in zip(images, labels, strict=True):
            file.write(",".join(map(str, [*image.ravel().tolist(), int(label)])) + "\n")


def dataset_of(rows: int | None):
    """Return what `load_ham10000` gives, or the first rows of it."""
    from utils.data import load_ham10000

    dataset = load_ham10000()
    if rows is None:
        return dataset
    return dataclasses.replace(
        dataset,
        images=dataset.images[:rows],
        labels=dataset.labels[:rows],
        metadata=dataset.metadata.iloc[:rows].reset_index(drop=True),
    )


def _kaggle_csv(tables, dataset) -> Path | None:
    """Return the CSV that the images came from, if they did."""
    from utils.data import RAW_DIR

    csv = Path(os.environ.get("HAM10000_DIR") or RAW_DIR).expanduser() / tables.KAGGLE_CSV
    return csv if "Kaggle CSV" in dataset.source and csv.is_file() else None
