import numpy as np
import pandas as pd

from exercises import chapter_01 as check
from utils.classes import DX

# 39 images of 25 lesions; of the cancers, melanomas have the most images per lesion.
LESIONS = [("akiec", 1)] * 2 + [("bcc", 2), ("bcc", 1)] + [("mel", 4)] * 2 + [("nv", 1)] * 10
LESIONS += [("nv", 3)] * 2 + [("bkl", 2)] * 3 + [("bkl", 1)] + [("df", 1)] + [("vasc", 1)] * 2
ROWS = [(f"HAM_{n}", dx) for n, (dx, images) in enumerate(LESIONS) for _ in range(images)]
METADATA = pd.DataFrame(ROWS, columns=["lesion_id", "dx"])
OF_IMAGES, OF_LESIONS = 13 / 39, 6 / 25
IMAGE = np.arange(2352).reshape(28, 28, 3)
ids = METADATA.groupby("dx")["lesion_id"].nunique()
CANCER = METADATA["dx"].isin(["mel", "bcc", "akiec"])
ALPHABET = {"akiec": 0, "bcc": 1, "bkl": 2, "df": 3, "mel": 4, "nv": 5, "vasc": 6}
GIVEN = {"metadata": METADATA, "image": IMAGE}
RIGHT = {
    1: [(CANCER.mean(), ids[["akiec", "bcc", "mel"]].sum() / ids.sum()), np.array([33.3, 24.0])],
    2: [lambda p: (p // 84, p % 84 // 3, p % 3), lambda p: [p // 84, p // 3 % 28, p % 3],
        lambda p: np.unravel_index(p, (28, 28, 3)), lambda p: np.argwhere(p == IMAGE)[0],
        lambda p: divmod(p // 3, 28) + (p % 3,)],
    3: [ALPHABET, {dx: label for label, dx in enumerate(sorted(DX))},
        {label: dx.upper() for dx, label in ALPHABET.items()}, sorted(DX), np.array(sorted(DX)),
        pd.Series(ALPHABET)],
    4: ["Her skin is brown, and nobody wrote down how dark the skin was. The heel is rare in "
        "these images. One ought to photograph both in many people.",
        "No skin type is known, and hardly any image shows a sole. One would need melanomas of "
        "soles on skin of every colour.",
        "The lesions were selected by specialists in Vienna and Queensland, not met in the "
        "street; the data should contain what a general practice sees, and who lives elsewhere.",
        "Of seven diagnoses one always wins, and a phone is no dermatoscope. I want pictures from"
        " telephones in the collection, and a class for everything else."],
}  # fmt: skip
MISTAKES = {
    1: [((OF_LESIONS, OF_IMAGES), "exchanged"), ((11 / 39, 4 / 25), "akiec is an early cancer"),
        ((OF_IMAGES, OF_IMAGES), "share of the images again"),
        ((OF_IMAGES, 6 / 39), "divided lesions by images"), ((13, 6), "a count"),
        ((0.9, 0.9), "At least one")],
    2: [(lambda p: (p % 784 // 28, p % 28, p // 784), "all reds first"),
        (lambda p: (p // 3 % 28, p // 84, p % 3), "Row and column are exchanged"),
        (lambda p: (p // 28, p % 28, p % 3), "three places"),
        (lambda p: (p // 84 + 1, p % 84 // 3 + 1, p % 3 + 1), "counted from 0"),
        (lambda p: (p / 84, p % 84 / 3, p % 3), "// divides without"),
        (lambda p: (p // 84, p % 84 // 3, p % 3 + (p == 9)), "Not every position"),
        (lambda p: (p // 84, np.inf, 0), "// divides without"),
        (lambda p: p, "one number; three are"),
        (lambda p: (p // 84, p % 28), "2 numbers; three are"), (lambda p: "here", "a text"),
        (lambda: (1, 2, 3), "your function stops"), (print, "write return"),
        (lambda p: (1 // (p - 7), 0, 0), "At position 7 your function stops"),
        ((14, 13, 2), "no function"), ("p // 84", "no function")],
    3: [({dx: n for n, dx in enumerate(DX)}, "the Kaggle coding"), (DX, "the Kaggle coding"),
        (["akiec", "bcc", "bkl", "df", "nv", "mel", "vasc"], "full names are sorted"),
        ({dx: n + 1 for dx, n in ALPHABET.items()}, "counts from 0"),
        (sorted(DX, reverse=True), "not the alphabetical order"),
        ({"mel": 4}, "each needs one number"), (set(DX), "no order"), ("akiec", "one text"),
        ([np, pd], "each needs one number")],
    4: [("Skin type and sole are missing; they should be there.", "argument needs at least 15"),
        ("Nobody knows the skin type of the people in the data, so nobody should believe this "
         "number at all.", "only the skin's colour"),
        ("The network is a machine and machines make mistakes, so one should never believe what "
         "one of them says.", "names none"),
        ("The skin type is not known, and there are hardly any images of soles in this collection "
         "of ten thousand.", "what the data would need")],
}  # fmt: skip
OTHERWISE = [
    (1, {"metadata": METADATA.assign(lesion_id="")}, (0.1, 0.2), False, "no lesion ids"),
    (2, {}, lambda p: (None, None, None), None, "behind return"),
    (2, {}, lambda p: None, None, "behind return"),
]


def test_feedback_names_a_position_with_the_place_found_and_the_right_one():
    feedback = check.exercise_2(lambda p: (p // 3 % 28, p // 84, p % 3), IMAGE)
    assert (feedback.got, feedback.expected) == ("position 1217: 13, 14, 2", "14, 13, 2")
