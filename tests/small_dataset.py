"""A small data set made of noise, for tests of code that needs classes and lesions."""

import dataclasses

import numpy as np
import pandas as pd

from utils.classes import DX
from utils.data import LesionImages
from utils.splits import lesion_groups
from utils.weights import Judged


def small_dataset(
    *, lesions_per_class: int = 20, seed: int = 0, source: str = "test noise"
) -> LesionImages:
    """Make images whose brightness depends on the class; every third lesion has two images."""
    rng = np.random.default_rng(seed)
    per_class = [k for k in range(lesions_per_class) for _ in range(1 if k % 3 else 2)]
    labels = np.repeat(np.arange(7), len(per_class))
    lesions = [f"L{label}{k:04d}" for label in range(7) for k in per_class]
    rows = [f"I{k:05d}" for k in range(len(labels))]
    metadata = pd.DataFrame({"image_id": rows, "lesion_id": lesions, "dx": np.array(DX)[labels]})
    metadata[["dx_type", "age", "sex", "localization"]] = "histo", 50.0, "female", "back"
    noise = rng.integers(0, 25, size=(len(rows), 28, 28, 3))
    images = (labels[:, None, None, None] * 30 + noise).astype(np.uint8)
    return LesionImages(images, labels.astype(np.int64), metadata, source, f"noise-{seed}")


def judged(dataset: LesionImages, rows: np.ndarray) -> Judged:
    """Return made-up answers to these rows; those averaged over views are in reverse order."""
    answers = np.random.default_rng(0).dirichlet(np.ones(7), size=len(rows)).astype(np.float32)
    names = dataset.metadata["image_id"].to_numpy(dtype=str), lesion_groups(dataset.metadata)
    ids, lesions = (one[rows].astype(str) for one in names)
    return Judged(ids, lesions, dataset.labels[rows], answers, answers[::-1])


def chosen(dataset: LesionImages, rows: np.ndarray) -> LesionImages:
    """Return the data set of these rows, in their order."""
    metadata = dataset.metadata.iloc[rows].reset_index(drop=True)
    arrays = {"images": dataset.images[rows], "labels": dataset.labels[rows]}
    return dataclasses.replace(dataset, metadata=metadata, **arrays)
