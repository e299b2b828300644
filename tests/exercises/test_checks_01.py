"""Self-checks of chapter 1: right answers in several ways, and the mistakes they know."""

import numpy as np
import pandas as pd

from exercises import chapter_01 as check
from utils.classes import CLASSES, DX

# 39 images of 25 lesions; of the cancers, melanomas have the most images per lesion.
LESIONS = [("akiec", 1)] * 2 + [("bcc", 2), ("bcc", 1)] + [("mel", 4)] * 2 + [("nv", 1)] * 10
LESIONS += [("nv", 3)] * 2 + [("bkl", 2)] * 3 + [("bkl", 1)] + [("df", 1)] + [("vasc", 1)] * 2
METADATA = pd.DataFrame(
    [(f"HAM_{n}", dx) for n, (dx, images) in enumerate(LESIONS) for _ in range(images)],
    columns=["lesion_id", "dx"],
)
OF_IMAGES, OF_LESIONS = 13 / 39, 6 / 25
IMAGE = np.arange(2352).reshape(28, 28, 3)
ids = METADATA.groupby("dx")["lesion_id"].nunique()
CANCER = METADATA["dx"].isin(["mel", "bcc", "akiec"])


def by_counting(position):
    row = 0
    while position >= 84:
        position, row = position - 84, row + 1
    return [row, position // 3, position % 3]


def stops(position):
    return 1 // (position - 7), 0, 0


ALPHABET = {"akiec": 0, "bcc": 1, "bkl": 2, "df": 3, "mel": 4, "nv": 5, "vasc": 6}

CALLS = {
    1: lambda answer: check.exercise_1(answer, METADATA),
    2: lambda answer: check.exercise_2(answer, IMAGE),
    3: check.exercise_3,
    4: check.exercise_4,
}
RIGHT = [
    (1, (CANCER.mean(), ids[["akiec", "bcc", "mel"]].sum() / ids.sum())),
    (1, [13 / 39, 6 / 25]),
    (1, np.array([33.3, 24.0])),
    (1, {"images": 0.33, "lesions": 0.24}),
    (1, pd.Series([OF_IMAGES, OF_LESIONS])),
    (2, lambda p: (p // 84, p % 84 // 3, p % 3)),
    (2, by_counting),
    (2, lambda p: np.unravel_index(p, (28, 28, 3))),
    (2, lambda p: np.argwhere(p == IMAGE)[0]),
    (2, lambda p: divmod(p // 3, 28) + (p % 3,)),
    (3, ALPHABET),
    (3, {dx: label for label, dx in enumerate(sorted(DX))}),
    (3, {label: dx.upper() for dx, label in ALPHABET.items()}),
    (3, sorted(DX)),
    (3, np.array(sorted(DX))),
    (3, pd.Series(ALPHABET)),
    (3, {c.name: c.dermamnist_label for c in CLASSES}),
    (3, enumerate(sorted(DX))),
    (3, list(ALPHABET.items())),
    (4, "Her skin is brown, and nobody wrote down how dark the skin was. The heel is rare in "
     "these images. One ought to photograph both in many people."),
    (4, "No skin type is known, and hardly any image shows a sole. One would need melanomas of "
     "soles on skin of every colour."),
    (4, "The lesions were selected by specialists in Vienna and Queensland, not met in the "
     "street; the data should contain what a general practice sees, and who lives elsewhere."),
    (4, "Of seven diagnoses one always wins, and a phone is no dermatoscope. I want pictures from"
     " telephones in the collection, and a class for everything else."),
]  # fmt: skip
MISTAKES = [
    (1, (OF_LESIONS, OF_IMAGES), "exchanged"),
    (1, (11 / 39, 4 / 25), "akiec is an early cancer"),
    (1, (OF_IMAGES, OF_IMAGES), "share of the images again"),
    (1, (OF_IMAGES, 6 / 39), "divided lesions by images"),
    (1, (13, 6), "a count"),
    (1, (0.9, 0.9), "At least one"),
    (1, OF_IMAGES, "This is one number; two"),
    (1, OF_IMAGES, "This is one number; two"),
    (1, np.zeros((2, 2)), "These are 4 numbers"),
    (2, lambda p: (p % 784 // 28, p % 28, p // 784), "all reds first"),
    (2, lambda p: (p // 3 % 28, p // 84, p % 3), "Row and column are exchanged"),
    (2, lambda p: (p // 28, p % 28, p % 3), "three places"),
    (2, lambda p: (p // 84 + 1, p % 84 // 3 + 1, p % 3 + 1), "counted from 0"),
    (2, lambda p: (p / 84, p % 84 / 3, p % 3), "// divides without"),
    (2, lambda p: (p // 84, p % 84 // 3, 2 - p % 3), "Not every position"),
    (2, lambda p: (p // 84, np.inf, 0), "// divides without"),
    (2, lambda p: p, "one number; three are"),
    (2, lambda p: (p // 84, p % 28), "2 numbers; three are"),
    (2, lambda p: "here", "a text"),
    (2, lambda: (1, 2, 3), "your function stops"),
    (2, stops, "At position 7 your function stops"),
    (2, (14, 13, 2), "no function"),
    (2, "p // 84", "no function"),
    (3, {dx: n for n, dx in enumerate(DX)}, "the Kaggle coding"),
    (3, DX, "the Kaggle coding"),
    (3, ["akiec", "bcc", "bkl", "df", "nv", "mel", "vasc"], "full names are sorted"),
    (3, {dx: n + 1 for dx, n in ALPHABET.items()}, "counts from 0"),
    (3, sorted(DX, reverse=True), "not the alphabetical order"),
    (3, {"mel": 4}, "each needs one number"),
    (3, set(DX), "no order"),
    (3, "akiec", "one text"),
    (4, "Skin type and sole are missing; they should be there.", "argument needs at least 15"),
    (4, "Nobody knows the skin type of the people in the data, so nobody should believe this "
     "number at all.", "only the skin's colour"),
    (4, "The network is a machine and machines make mistakes, so one should never believe what "
     "one of them says.", "names none"),
    (4, "The skin type is not known, and there are hardly any images of soles in this collection "
     "of ten thousand.", "what the data would need"),
]  # fmt: skip


def test_the_small_table_is_what_it_says():
    assert len(METADATA) == 39 and METADATA["lesion_id"].nunique() == 25


def test_shares_need_lesion_ids():
    feedback = check.exercise_1((0.1, 0.2), METADATA.assign(lesion_id=""))
    assert feedback.passed is False and "no lesion ids" in feedback.message


def test_feedback_names_a_position_with_the_place_found_and_the_right_one():
    feedback = check.exercise_2(lambda p: (p // 3 % 28, p // 84, p % 3), IMAGE)
    assert (feedback.got, feedback.expected) == ("position 1217: 13, 14, 2", "14, 13, 2")


def test_function_without_an_answer_is_the_readers_turn():
    assert check.exercise_2(lambda p: (None, None, None), IMAGE).passed is None
    assert check.exercise_2(lambda p: None, IMAGE).passed is None
