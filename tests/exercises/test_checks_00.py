"""Self-checks of the warm-up: right answers in several ways, and the mistakes they know."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

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


@pytest.mark.parametrize("answer", [(15, 28), [15, 28], np.array([15, 28]), (15.0, np.int64(28))])
def test_shape_is_right(answer):
    assert check.exercise_1(answer, IMAGES[0]).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ((16, 28), "the end is left out"),
        ((16, 28, 1), "the end is left out"),
        ((15, 28, 1), "its direction disappears"),
        ((28, 15), "Rows come first"),
        (420, "one number"),
        ((15, 15), "each direction"),
        ("15, 28", "whole numbers"),
        ((15.5, 28), "whole numbers"),
        (object(), "could not read"),
    ],
)
def test_mistakes_in_the_shape(answer, fragment):
    feedback = check.exercise_1(answer, IMAGES[0])
    assert feedback.passed is False and fragment in feedback.message


@pytest.mark.parametrize(
    "answer", [RED, IMAGES[:, :, :, 0].mean(), IMAGES.mean(axis=(0, 1, 2))[0], round(RED, 1)]
)
def test_red_is_right(answer):
    assert check.exercise_2(answer, DATASET).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (RED / 255, "share of 255"),
        (IMAGES.mean(), "take red alone"),
        (IMAGES[0, :, :, 0].mean(), "first image alone"),
        (IMAGES[:, 0].mean(), "first row"),
        (IMAGES[..., 1].mean(), "another colour"),
        (255, "not the mean"),
        (IMAGES, "one is wanted"),
        ("red", "a text"),
    ],
)
def test_mistakes_in_red(answer, fragment):
    feedback = check.exercise_2(answer, DATASET)
    assert feedback.passed is False and fragment in feedback.message


MELANOMAS = TABLE[TABLE["dx"] == "mel"]


@pytest.mark.parametrize(
    "answer",
    [
        (MELANOMAS["age"] >= 70).mean(),
        len(TABLE.query("dx == 'mel' and age >= 70")) / 5,
        0.6,
        60,
    ],
)
def test_share_is_right(answer):
    assert check.exercise_3(answer, TABLE).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (3 / 5 - 1 / 5, "includes those of 70"),
        (3 / 20, "share of all images"),
        (3, "a count"),
        (0.99, "Select the melanomas first"),
        ([0.1, 0.2], "2 numbers"),
    ],
)
def test_mistakes_in_the_share(answer, fragment):
    feedback = check.exercise_3(answer, TABLE)
    assert feedback.passed is False and fragment in feedback.message


def test_exchanged_groups_are_recognised():
    table = TABLE.assign(age=[80.0, 75, 40, 40, 40] + [70.0] * 6 + [30.0] * 9)
    feedback = check.exercise_3(2 / 8, table)
    assert feedback.passed is False and "exchanged" in feedback.message


@pytest.mark.parametrize("number", [1, 2, 3])
def test_open_answer_is_the_readers_turn(number):
    passed = {1: IMAGES[0], 2: DATASET, 3: TABLE}[number]
    assert getattr(check, f"exercise_{number}")(None, passed).passed is None
