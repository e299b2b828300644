"""Self-checks of the warm-up: right answers in several ways, and the mistakes they know."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from exercises import chapter_00 as check

IMAGES = np.random.default_rng(0).integers(0, 100, (6, 28, 28, 3), dtype=np.uint8)
IMAGES[..., 0] += 120
IMAGES[0] += 20
IMAGES[:, 0] += 10
DATASET = SimpleNamespace(images=IMAGES)
TABLE = pd.DataFrame(
    {
        "dx": ["mel"] * 5 + ["nv"] * 15,
        "age": [80.0, 75, 70, 40, np.nan] + [70.0] * 2 + [30.0] * 13,
    }
)
RED = sum(int(image[r, c, 0]) for image in IMAGES for r in range(28) for c in range(28)) / (6 * 784)
MELANOMAS = TABLE[TABLE["dx"] == "mel"]

CALLS = {
    1: lambda answer: check.exercise_1(answer, IMAGES[0]),
    2: lambda answer: check.exercise_2(answer, DATASET),
    3: lambda answer: check.exercise_3(answer, TABLE),
}
RIGHT = [
    (1, (15, 28)),
    (1, [15, 28]),
    (1, np.array([15, 28])),
    (1, (15.0, np.int64(28))),
    (2, RED),
    (2, IMAGES[:, :, :, 0].mean()),
    (2, IMAGES.mean(axis=(0, 1, 2))[0]),
    (2, round(RED, 1)),
    (3, (MELANOMAS["age"] >= 70).mean()),
    (3, len(TABLE.query("dx == 'mel' and age >= 70")) / 5),
    (3, 0.6),
    (3, 60),
]  # fmt: skip
MISTAKES = [
    (2, RED + 2, "not the mean"),  # near, and not near enough
    (3, 0.63, "Select the melanomas first"),
    (1, (16, 28), "the end is left out"),
    (1, (16, 28, 1), "the end is left out"),
    (1, (15, 28, 1), "its direction disappears"),
    (1, (28, 15), "Rows come first"),
    (1, 420, "one number"),
    (1, (15, 15), "each direction"),
    (1, (15.5, 28), "whole numbers"),
    (2, RED / 255, "share of 255"),
    (2, IMAGES.mean(), "take red alone"),
    (2, IMAGES[0, :, :, 0].mean(), "first image alone"),
    (2, IMAGES[:, 0].mean(), "first row"),
    (2, IMAGES[..., 1].mean(), "another colour"),
    (2, 255, "not the mean"),
    (2, IMAGES, "one is wanted"),
    (3, 3 / 5 - 1 / 5, "includes those of 70"),
    (3, 3 / 20, "share of all images"),
    (3, 3, "a count"),
    (3, 0.99, "Select the melanomas first"),
    (3, [0.1, 0.2], "2 numbers"),
]  # fmt: skip


def test_exchanged_groups_are_recognised():
    table = TABLE.assign(age=[80.0, 75, 40, 40, 40] + [70.0] * 6 + [30.0] * 9)
    feedback = check.exercise_3(2 / 8, table)
    assert feedback.passed is False and "exchanged" in feedback.message
