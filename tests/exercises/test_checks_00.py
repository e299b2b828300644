from types import SimpleNamespace

import numpy as np
import pandas as pd

IMAGES = np.random.default_rng(0).integers(0, 100, (6, 28, 28, 3), dtype=np.uint8)
IMAGES[..., 0] += 120
IMAGES[0] += 20
IMAGES[:, 0] += 10
DATASET = SimpleNamespace(images=IMAGES)
AGES = [80.0, 75, 70, 40, np.nan] + [70.0] * 2 + [30.0] * 13
TABLE = pd.DataFrame({"dx": ["mel"] * 5 + ["nv"] * 15, "age": AGES})
RED = sum(int(image[r, c, 0]) for image in IMAGES for r in range(28) for c in range(28)) / (6 * 784)
MELANOMAS = TABLE[TABLE["dx"] == "mel"]

GIVEN = {"image": IMAGES[0], "dataset": DATASET, "table": TABLE}
RIGHT = {
    1: [(15, 28), [15, 28], np.array([15, 28]), (15.0, np.int64(28))],
    2: [RED, IMAGES[:, :, :, 0].mean(), IMAGES.mean(axis=(0, 1, 2))[0], round(RED, 1)],
    3: [(MELANOMAS["age"] >= 70).mean(), len(TABLE.query("dx == 'mel' and age >= 70")) / 5, 0.6,
        60],
}  # fmt: skip
MISTAKES = {
    1: [((16, 28), "the end is left out"), ((16, 28, 1), "the end is left out"),
        ((15, 28, 1), "its direction disappears"), ((28, 15), "Rows come first"),
        (420, "one number"), ((15, 15), "each direction"), ((15.5, 28), "whole numbers")],
    2: [(RED / 255, "share of 255"), (IMAGES.mean(), "take red alone"),
        (IMAGES[0, :, :, 0].mean(), "first image alone"), (IMAGES[:, 0].mean(), "first row"),
        (IMAGES[..., 1].mean(), "another colour"), (255, "not the mean"),
        (RED + 2, "not the mean")],  # near, and not near enough
    3: [(0.63, "Select the melanomas first"), (3 / 5 - 1 / 5, "includes those of 70"),
        (3 / 20, "share of all images"), (3, "a count"), (0.99, "Select the melanomas first")],
}  # fmt: skip
OLDER = [80.0, 75, 40, 40, 40] + [70.0] * 6 + [30.0] * 9
OTHERWISE = [(3, {"table": TABLE.assign(age=OLDER)}, 2 / 8, False, "exchanged")]
