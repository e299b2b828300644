"""Self-checks of chapter 9: right answers reached in several ways, and the mistakes they know."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from exercises import chapter_09 as check
from utils.classes import DX

# --- Exercise 1: a map without a network ---------------------------------------------------------

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


@pytest.mark.parametrize(
    "answer",
    [
        sum(one_by_one()) / 5,
        round(100 * np.mean(one_by_one()), 1),
        np.array([np.einsum("nij,nij->n", DARK, MASKS / DARK.sum((1, 2))[:, None, None]).mean()]),
        pd.Series(one_by_one()).mean().round(2),
    ],
)  # fmt: skip
def test_darkness_inside_is_right(answer):
    assert check.exercise_1(answer, IMAGES, MASKS).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (MASKS.mean(), "a flat map would reach"),
        (1 - np.mean(one_by_one()), "share outside"),
        (np.mean(one_by_one(GREY)), "map of brightness"),
        ((DARK * MASKS).sum() / DARK.sum(), "in one pot"),
        (0.123, "divided by all darkness"),
        ("much", "a text"),
        (object(), "array"),
        (one_by_one(), "5 numbers"),
    ],
)
def test_mistakes_in_the_darkness(answer, fragment):
    feedback = check.exercise_1(answer, IMAGES, MASKS)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 2: two AUCs ------------------------------------------------------------------------

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


@pytest.mark.parametrize(
    "answer",
    [(area(ALL), area(KEPT)), [round(pairs(ALL), 2), round(pairs(KEPT), 2)],
     np.array([pairs(ALL), pairs(KEPT)])],
)  # fmt: skip
def test_two_areas_are_right(answer):
    assert check.exercise_2(answer, TRUTH, ANSWERS, HOW).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ((area(KEPT), area(ALL)), "exchanged"),
        ((area(ALL), area(ALL)), "Twice"),
        ((area(ALL), area(TRUTH != NV)), "left out all nevi"),
        ((area(ALL), area(~KEPT | (TRUTH == MEL))), "turn the condition round"),
        ((area(ALL, NV), area(KEPT, NV)), "AUC of the nevi"),
        ((0.5, 0.5), "roc_auc_score"),
        (0.9, "Two numbers"),
        ("0.9, 0.8", "a text"),
        (object(), "array"),
        (np.ones((2, 3)), "Two numbers"),
    ],
)
def test_mistakes_in_the_areas(answer, fragment):
    feedback = check.exercise_2(answer, TRUTH, ANSWERS, HOW)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 3: many comparisons ----------------------------------------------------------------


def drawn(groups):
    missed = np.random.default_rng(0).random((400_000, groups)) < 0.05
    return missed.any(axis=1).mean()


@pytest.mark.parametrize("groups", [12, 17])
def test_probability_of_one_miss_is_right(groups):
    none = np.prod(np.full(groups, 0.95))
    for answer in (1 - none, round(drawn(groups), 2), round(100 * (1 - none)), [1 - none]):
        assert check.exercise_3(answer, groups).passed, answer


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (0.05, "one given interval"),
        (0.95**17, "none misses"),
        (0.85, "how many miss on average"),
        (0.05**17, "all of them"),
        (0.3, "0.95 times itself"),
        ("most", "a text"),
        (object(), "array"),
        (np.ones((3, 3)), "9 numbers"),
    ],
)
def test_mistakes_in_many_comparisons(answer, fragment):
    feedback = check.exercise_3(answer, 17)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 4: the salesman --------------------------------------------------------------------

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


@pytest.mark.parametrize("answer", [ANYWAY + WHERE + INSTEAD, OTHER_WORDS, CHERRIES])
def test_reply_has_its_elements(answer):
    feedback = check.exercise_4(answer)
    assert feedback.passed and "cannot judge" in feedback.message


FILLER = "Thank you very much for your visit and for all the nice slides you brought along today. "


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ("A random map, where it looks, test it.", "has 8 words"),
        (FILLER + "I wonder which colour it used, so let us measure that.", "can look right"),
        (FILLER + "A random network paints such a map too; measure it.", "what it uses"),
        (FILLER + "A random network looks at the same place as well.", "instead"),
        (FILLER, "; that where"),
        ("", "0 words"),
        (3, "no text"),
        (object(), "no text"),
        (np.ones((3, 3)), "no text"),
    ],
)
def test_reply_lacks_something(answer, fragment):
    feedback = check.exercise_4(answer)
    assert feedback.passed is False and fragment in feedback.message


@pytest.mark.parametrize(
    ("number", "given"),
    [(1, (IMAGES, MASKS)), (2, (TRUTH, ANSWERS, HOW)), (3, (17,)), (4, ())],
)
def test_open_answer_is_the_readers_turn(number, given):
    exercise = getattr(check, f"exercise_{number}")
    assert exercise(None, *given).passed is None
    assert exercise((None, ...), *given).passed is None
