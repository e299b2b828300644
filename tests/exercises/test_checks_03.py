import numpy as np
from imblearn.over_sampling import RandomOverSampler

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
LEAK = np.isin(LESION[OTHERS], LESION[FEW]).mean()
LARGE = np.isin(LESION[TEST], LESION[TRAIN]).mean()

GIVEN = {"lesion": LESION, "train": TRAIN, "test": TEST, "merged": MERGED, "labels": LABELS}
GIVEN |= {"at_least": 300, 2: {"train": 0.3, "test": 0.2}}


def filled(rows: np.ndarray, least: int | None = 300, seed: int = 0) -> np.ndarray:
    """Rows with every class at `least` rows (None: as the largest), by imbalanced-learn."""
    counts = np.bincount(LABELS[rows])
    wanted = {k: max(least or counts.max(), int(n)) for k, n in enumerate(counts)}
    sampler = RandomOverSampler(sampling_strategy=wanted, random_state=seed)
    return sampler.fit_resample(rows.reshape(-1, 1), LABELS[rows])[0].ravel()


ESSAY = (
    "Tiles of one patient resemble each other. Cut at random, nearly every patient lies in both "
    "parts, so the network may recognise the tissue in place of the tumour. Divide by patient."
)
RIGHT = {
    1: [IN_BOTH, len(set(LESION[TRAIN]).intersection(LESION[TEST])),
        np.int64(len(set(MERGED[TRAIN]) & set(MERGED[TEST])))],
    2: [LEAK, round(100 * LEAK),
        np.array([np.isin(LESION[DRAWN[8400:]], LESION[DRAWN[:3150]]).mean()])],  # another draw
    3: [filled(TRAIN), filled(TRAIN, seed=1)[::-1].tolist(),
        filled(TRAIN).reshape(-1, 1).astype(float)],
    4: [ESSAY,
        "The sections come from 50 donors only, and neighbouring pieces are alike. A network that "
        "has already seen a donor needs no knowledge of tumours. Better: keep all tiles of a "
        "person in one part, or test on patients of another hospital."],
}  # fmt: skip
MISTAKES = {
    1: [(np.isin(LESION[TEST], LESION[TRAIN]).sum(), "test images, not lesions"),
        (np.isin(LESION[TRAIN], LESION[TEST]).sum(), "training images, not lesions"),
        (len(set(TRAIN) & set(TEST)), "No image is in both parts"),
        (len(set(LESION[TEST])), "all lesions of the test part"),
        (len(set(LESION[TRAIN])), "all lesions of the training part"),
        (set(LESION[TRAIN]), "a set"), (np.unique(LESION[TEST]), "These are texts"),
        (2000, "all lesions with several images"),
        (IN_BOTH / len(set(LESION[TEST])), "This is a share"),
        (IN_BOTH + 40, "not the number of names")],
    2: [(LEAK * len(OTHERS), "This is a count"),
        (np.isin(LESION[FEW], LESION[OTHERS]).mean(), "the parts are exchanged"),
        (LARGE, "change train_size"), (1 - LEAK, "the share without a sibling"),
        (4500 / 10500, "wherever it went"), (1.0, "the test images themselves"),
        (0, "where no lesion crosses"), (0.99, "not the share of test images")],
    3: [(filled(np.arange(len(LESION))), "are not in the training part"),
        (np.searchsorted(TRAIN, filled(TRAIN)), "positions within the training part"),
        (filled(TRAIN, None), "up to the largest"),
        (filled(TRAIN)[len(TRAIN) :], "the copies alone"),
        (filled(TRAIN)[1:], "training images are gone"),
        (np.r_[TRAIN, np.repeat([TRAIN[LABELS[TRAIN] == k][0] for k in (0, 3, 5)], 300)],
         "not the number of copies"),
        (TRAIN, "still have fewer than 300"), (filled(TRAIN, 301), "more than 300 rows"),
        (np.zeros((9, 2352)), "a table of 9 × 2352 numbers"), (LABELS[TRAIN], "These are labels"),
        (np.isin(np.arange(9), TRAIN), "a mask of True and False"), ({0: 300}, "how many rows"),
        ((TRAIN.reshape(-1, 1), LABELS[TRAIN]), "take the first"), (TEST, "draw from split.train"),
        (RandomOverSampler(random_state=0), "the sampler"),
        ([0.5], "whole numbers"), ([len(LESION)], "Row numbers go from 0")],
    4: [("The network has learned it by heart, so the result is too good.", "has 13 words"),
        (ESSAY.replace("patient", "image"), "what the tiles share"),
        ("The patient and the next patient are alike. " * 5, "where those tiles went"),
        ("The patient was seen before, and the network has learned that patient by heart. " * 2,
         "how to divide")],
}  # fmt: skip
FIVE = {"lesion": np.array([*"aabcc"]), "train": np.array([0, 2, 3]), "test": np.array([1, 4])}
OTHERWISE = [
    (1, {**FIVE, "merged": None}, 2, True, ""),
    (1, {**FIVE, "merged": None}, 1, False, ""),
    (2, {"lesion": np.array(["x", "y"] * 500)}, LEAK, False, ""),
    (3, {"labels": np.zeros(9, int), "train": range(9), "at_least": 9}, np.arange(9), True, ""),
]
