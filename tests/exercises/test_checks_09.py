"""Self-checks of chapter 9: right answers reached in several ways, and the mistakes they know."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from exercises import chapter_09 as check
from utils.classes import DX

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(120, 256, (5, 8, 8, 3)).astype(np.uint8)
MASKS = np.zeros((5, 8, 8), bool)
for number, image in enumerate(IMAGES):
    MASKS[number, 2 : 3 + number, 1:4] = True
    image[MASKS[number]] //= 3
GREY = IMAGES.mean(axis=-1)
DARK = np.stack([one.max() - one for one in GREY])


def one_by_one(maps=DARK, masks=MASKS):
    return [float(m[k].sum() / m.sum()) for m, k in zip(maps, masks, strict=True)]


TRUTH = np.repeat(np.arange(7), 30)
ANSWERS = RNG.dirichlet(np.ones(7), size=210)
ANSWERS[np.arange(210), TRUTH] += 0.15
MEL, NV = DX.index("mel"), DX.index("nv")
HOW = np.where((TRUTH == NV) & (np.arange(210) % 2 == 0), "follow_up", "histo").astype(object)
ANSWERS[HOW == "follow_up", MEL] *= 0.2
KEPT = HOW != "follow_up"


def area(rows, code=MEL):
    """The area under the curve as the share of pairs in the right order, by ranks."""
    own, scores = TRUTH[rows] == code, ANSWERS[rows, code]
    ranks = rankdata(scores)[own].sum()
    return (ranks - own.sum() * (own.sum() + 1) / 2) / (own.sum() * (~own).sum())


def pairs(rows):
    own = TRUTH[rows] == MEL
    a, b = ANSWERS[rows][own, MEL], ANSWERS[rows][~own, MEL]
    return float(np.mean(a[:, None] > b[None]))


ALL = np.ones(210, bool)


def drawn(groups):
    missed = np.random.default_rng(0).random((400_000, groups)) < 0.05
    return missed.any(axis=1).mean()


ANYWAY = "The darkest pixels lie on the lesion too, with no network at all in the game. "
WHERE = "And the map does not say which reason it had in that spot, the colour for instance. "
INSTEAD = "Let us see its sensitivity on patients from our practice first. "
OTHER_WORDS = (
    "An untrained copy\ngives heat maps that convince just as much. A network may stare at the "
    "right place and be wrong there. We should exchange the light and count decisions."
)
CHERRIES = (
    "The maps may be cherry-picked, and tell me nothing about accuracy. Where is the trial that "
    "says how many cancers are found?"
)
FILLER = "Thank you very much for your visit and for all the nice slides you brought along today. "

NO_MISS = 1 - np.prod(np.full(17, 0.95))
CALLS = {
    1: lambda answer: check.exercise_1(answer, IMAGES, MASKS),
    2: lambda answer: check.exercise_2(answer, TRUTH, ANSWERS, HOW),
    3: lambda answer: check.exercise_3(answer, 17),
    4: check.exercise_4,
}
RIGHT = [
    (1, sum(one_by_one()) / 5),
    (1, round(100 * np.mean(one_by_one()), 1)),
    (1, np.array([np.einsum("nij,nij->n", DARK, MASKS / DARK.sum((1, 2))[:, None, None]).mean()])),
    (1, pd.Series(one_by_one()).mean().round(2)),
    (2, (area(ALL), area(KEPT))),
    (2, [round(pairs(ALL), 2), round(pairs(KEPT), 2)]),
    (2, np.array([pairs(ALL), pairs(KEPT)])),
    *((3, answer) for answer in (NO_MISS, round(drawn(17), 2), round(100 * NO_MISS), [NO_MISS])),
    (4, ANYWAY + WHERE + INSTEAD),
    (4, OTHER_WORDS),
    (4, CHERRIES),
]  # fmt: skip
MISTAKES = [
    (3, NO_MISS + 0.03, "0.95 times itself"),  # near, and not near enough
    (1, np.mean(one_by_one()) + 0.03, "divided by all darkness"),
    (1, MASKS.mean(), "a flat map would reach"),
    (1, 1 - np.mean(one_by_one()), "share outside"),
    (1, np.mean(one_by_one(GREY)), "map of brightness"),
    (1, (DARK * MASKS).sum() / DARK.sum(), "in one pot"),
    (1, 0.123, "divided by all darkness"),
    (1, one_by_one(), "5 numbers"),
    (2, (area(KEPT), area(ALL)), "exchanged"),
    (2, (area(ALL), area(ALL)), "Twice"),
    (2, (area(ALL), area(TRUTH != NV)), "left out all nevi"),
    (2, (area(ALL), area(~KEPT | (TRUTH == MEL))), "turn the condition round"),
    (2, (area(ALL, NV), area(KEPT, NV)), "AUC of the nevi"),
    (2, (0.5, 0.5), "roc_auc_score"),
    (2, 0.9, "one number; two are wanted"),
    (3, 0.05, "one given interval"),
    (3, 0.95**17, "none misses"),
    (3, 0.85, "how many miss on average"),
    (3, 0.05**17, "all of them"),
    (3, 0.3, "0.95 times itself"),
    (4, "A random map, where it looks, test it.", "has 8 words"),
    (4, FILLER + "I wonder which colour it used, so let us measure that.", "can look right"),
    (4, FILLER + "A random network paints such a map too; measure it.", "what it uses"),
    (4, FILLER + "A random network looks at the same place as well.", "instead"),
    (4, FILLER, "; that where"),
]  # fmt: skip


def test_probability_of_one_miss_follows_the_groups():
    assert check.exercise_3(drawn(12), 12).passed and not check.exercise_3(drawn(12), 17).passed
