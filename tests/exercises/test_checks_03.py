"""Self-checks of chapter 3: right answers in several ways, and the mistakes they know."""

import numpy as np
from imblearn.over_sampling import RandomOverSampler

from exercises import chapter_03 as check
from utils.classes import DX

# 6,000 lesions with one image, 1,500 with two, 500 with three: 10,500 images, shuffled.
RNG = np.random.default_rng(0)
SIZES = np.r_[np.ones(6000, int), np.full(1500, 2), np.full(500, 3)]
LESION = RNG.permutation(np.repeat([f"L{n}" for n in range(len(SIZES))], SIZES))
LABELS = RNG.choice(len(DX), size=len(LESION), p=[0.04, 0.05, 0.1, 0.02, 0.66, 0.02, 0.11])
DRAWN = RNG.permutation(len(LESION))
TRAIN, TEST = np.sort(DRAWN[:7350]), np.sort(DRAWN[7350:9450])
IN_BOTH = sum(name in set(LESION[TEST]) for name in np.unique(LESION[TRAIN]))
MERGED = LESION.copy()
MERGED[MERGED == LESION[TRAIN[0]]] = LESION[TEST[0]]

FEW, OTHERS = DRAWN[:3150], DRAWN[3150:5250]  # a split with 30 % and 20 %
SEEN = set(LESION[FEW])
LEAK = sum(name in SEEN for name in LESION[OTHERS]) / len(OTHERS)
LARGE = np.isin(LESION[TEST], LESION[TRAIN]).mean()

CALLS = {
    1: lambda answer: check.exercise_1(answer, LESION, TRAIN, TEST, merged=MERGED),
    2: lambda answer: check.exercise_2(answer, LESION, train=0.3),
    3: lambda answer: check.exercise_3(answer, LABELS, TRAIN, at_least=300),
    4: check.exercise_4,
}


def filled(rows: np.ndarray, least: int | None = 300) -> np.ndarray:
    """Rows with every class at `least` rows (None: as the largest), by imbalanced-learn."""
    counts = np.bincount(LABELS[rows])
    wanted = {k: max(least or counts.max(), int(n)) for k, n in enumerate(counts)}
    sampler = RandomOverSampler(sampling_strategy=wanted, random_state=0)
    return sampler.fit_resample(rows.reshape(-1, 1), LABELS[rows])[0].ravel()


def by_hand() -> list[int]:
    """The same without imbalanced-learn, in another order, as a list."""
    rows = TRAIN.tolist()
    for k in range(len(DX)):
        mine = TRAIN[LABELS[TRAIN] == k]
        if len(mine) < 300:
            rows = np.random.default_rng(k).choice(mine, 300 - len(mine)).tolist() + rows
    return rows


ESSAY = (
    "Tiles of one patient resemble each other. Cut at random, nearly every patient lies in both "
    "parts, so the network may recognise the tissue in place of the tumour. Divide by patient."
)
RIGHT = [
    (1, IN_BOTH),
    (1, len(set(LESION[TRAIN]).intersection(LESION[TEST]))),
    (1, set(LESION[TRAIN]) & set(LESION[TEST])),
    (1, np.intersect1d(LESION[TRAIN], LESION[TEST])),
    (1, np.int64(len(set(MERGED[TRAIN]) & set(MERGED[TEST])))),
    (2, LEAK),
    (2, round(100 * LEAK)),
    (2, np.array([np.isin(LESION[DRAWN[8400:]], LESION[DRAWN[:3150]]).mean()])),  # another draw
    (3, filled(TRAIN)),
    (3, by_hand()),
    (3, filled(TRAIN).reshape(-1, 1).astype(float)),
    (4, ESSAY),
    (4, "The sections come from 50 donors only, and neighbouring pieces are alike. A network that "
     "has already seen a donor needs no knowledge of tumours. Better: keep all tiles of a person "
     "in one part, or test on patients of another hospital."),
]  # fmt: skip


MISTAKES = [
    (1, np.isin(LESION[TEST], LESION[TRAIN]).sum(), "test images, not lesions"),
    (1, np.isin(LESION[TRAIN], LESION[TEST]).sum(), "training images, not lesions"),
    (1, len(set(TRAIN) & set(TEST)), "No image is in both parts"),
    (1, 2000, "all lesions with several images"),
    (1, IN_BOTH / len(set(LESION[TEST])), "This is a share"),
    (1, IN_BOTH + 40, "not the number of names"),
    (2, LEAK * len(OTHERS), "This is a count"),
    (2, np.isin(LESION[FEW], LESION[OTHERS]).mean(), "the parts are exchanged"),
    (2, LARGE, "change train_size"),
    (2, 1 - LEAK, "the share without a sibling"),
    (2, 4500 / 10500, "wherever it went"),
    (2, 0.99, "not the share of test images"),
    (3, filled(np.arange(len(LESION))), "are not in the training part"),
    (3, np.searchsorted(TRAIN, filled(TRAIN)), "positions within the training part"),
    (3, filled(TRAIN, None), "up to the largest"),
    (3, filled(TRAIN)[len(TRAIN) :], "the copies alone"),
    (3, filled(TRAIN)[1:], "training images are gone"),
    (3, np.r_[TRAIN, np.repeat([TRAIN[LABELS[TRAIN] == k][0] for k in (0, 3, 5)], 300)],
     "not the number of copies"),
    (3, TRAIN, "Some classes are not as large"),
    (3, np.zeros((9, 2352)), "a table of pixels"),
    (3, [0.5], "whole numbers"),
    (3, [len(LESION)], "Row numbers go from 0"),
    (4, "The network has learned it by heart, so the result is too good.", "has 13 words"),
    (4, ESSAY.replace("patient", "image"), "what the tiles share"),
    (4, "The patient and the next patient are alike. " * 5, "where those tiles went"),
    (4, "The patient was seen before, and the network has learned that patient by heart. " * 2,
     "how to divide"),
]  # fmt: skip


def test_expected_follows_from_what_is_passed():
    names = np.array(["a", "a", "b", "c", "c"])
    assert check.exercise_1(2, names, np.array([0, 2, 3]), np.array([1, 4])).passed
    assert not check.exercise_1(1, names, np.array([0, 2, 3]), np.array([1, 4])).passed
    assert not check.exercise_2(LEAK, np.array(["x", "y"] * 500)).passed
    assert not check.exercise_3(filled(TRAIN), LABELS, TRAIN, at_least=301).passed
