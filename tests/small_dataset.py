"""A small data set made of noise, for tests of code that needs classes and lesions."""

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.data import LesionImages


def small_dataset(
    *, lesions_per_class: int = 20, seed: int = 0, source: str = "test noise"
) -> LesionImages:
    """Make images whose brightness depends on the class; every third lesion has two images."""
    rng = np.random.default_rng(seed)
    rows = []
    for c in CLASSES:
        for k in range(lesions_per_class):
            lesion = f"L{c.kaggle_label}{k:04d}"
            rows += [(lesion, c.dx)] * (2 if k % 3 == 0 else 1)
    metadata = pd.DataFrame(rows, columns=["lesion_id", "dx"])
    metadata.insert(0, "image_id", [f"I{k:05d}" for k in range(len(rows))])
    metadata["dx_type"], metadata["age"] = "histo", 50.0
    metadata["sex"], metadata["localization"] = "female", "back"
    labels = np.array([next(c.kaggle_label for c in CLASSES if c.dx == dx) for _, dx in rows])
    noise = rng.integers(0, 25, size=(len(rows), 28, 28, 3))
    images = (labels[:, None, None, None] * 30 + noise).astype(np.uint8)
    return LesionImages(images, labels.astype(np.int64), metadata, source, f"noise-{seed}")
