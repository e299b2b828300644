"""Self-checks of chapter 8: right answers reached in several ways, and the mistakes they know."""

import numpy as np
import pytest

from exercises import chapter_08 as check
from utils.classes import DX

# --- Exercise 1: two decisions -------------------------------------------------------------------

P = np.array([0.21, 0.05, 0.30, 0.003, 0.10, 0.007, 0.33])
SHARES = np.array([0.033, 0.051, 0.110, 0.012, 0.669, 0.014, 0.111])
BY_HAND = {dx: round(p / s, 1) for dx, p, s in zip(DX, P, SHARES, strict=True)}


@pytest.mark.parametrize(
    "answer",
    [
        ("mel", max(BY_HAND, key=BY_HAND.get)),
        ["MEL", " akiec"],
        (6, 0),
        np.array([P.argmax(), np.argmax(np.log(P) - np.log(SHARES))]),
        ("melanoma", "actinic keratosis or Bowen's disease"),
    ],
)
def test_two_decisions_are_right(answer):
    assert check.exercise_1(answer, P, SHARES).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (("akiec", "mel"), "exchanged"),
        (("nv", "akiec"), "nothing divided"),
        (("mel", "mel"), "Twice the most probable"),
        (("mel", "df"), "rarest class"),
        (("mel", "nv"), "multiplied"),
        (("mel", "bkl"), "second most probable"),
        (("mel", "bcc"), "Divide each probability"),
        ("mel", "Two classes"),
        ({"mel", "akiec"}, "Two classes"),
        (("mel",), "Two classes"),
        (("mel", "mole"), "no class 'mole'"),
        ((6, 7), "no 7"),
        (object(), "could not read"),
        (np.ones((2, 7)), "7 numbers"),
    ],
)
def test_mistakes_in_the_decisions(answer, fragment):
    feedback = check.exercise_1(answer, P, SHARES)
    assert feedback.passed is False and fragment in feedback.message


def test_multiplying_is_recognised():
    p = np.array([0.05, 0.02, 0.2, 0.01, 0.25, 0.01, 0.46])
    feedback = check.exercise_1(("mel", "nv"), p, SHARES)
    assert feedback.passed is False and "You multiplied" in feedback.message


# --- Exercise 2: the mean over eight orientations ------------------------------------------------

IMAGE = np.random.default_rng(0).integers(0, 255, (6, 6, 3), dtype=np.uint8)


class Network:
    """Seven weighted sums of all pixels, bent so that a mean of pictures is another thing."""

    weights = np.random.default_rng(1).normal(0, 0.3, (6 * 6 * 3, 7))

    def predict_on_batch(self, images):
        sums = np.tanh(np.reshape(images, (len(images), -1)) / 255 @ self.weights)
        powers = np.exp(3 * sums)
        return powers / powers.sum(axis=1, keepdims=True)


def ask(*pictures):
    return Network().predict_on_batch(np.stack(pictures))


TURNED = [np.rot90(IMAGE, k) for k in range(4)]
FLIPPED = [a[::s, ::t] for a in (IMAGE, IMAGE.transpose(1, 0, 2)) for s in (1, -1) for t in (1, -1)]
EIGHT = ask(*FLIPPED)


@pytest.mark.parametrize(
    "answer",
    [
        EIGHT.mean(axis=0),
        sum(ask(view)[0] for one in TURNED for view in (one, one[::-1])) / 8,
        EIGHT.mean(axis=0).round(3).tolist(),
        EIGHT.mean(axis=0, keepdims=True),
    ],
)
def test_averaging_is_right(answer):
    assert check.exercise_2(answer, Network(), IMAGE).passed


def test_averaging_is_the_same_for_the_turned_image():
    assert check.exercise_2(EIGHT.mean(axis=0), Network(), TURNED[3]).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (EIGHT, "take their mean"),
        (ask(IMAGE)[0], "single orientation"),
        (ask(FLIPPED[3])[0], "single orientation"),
        (ask(*TURNED).mean(axis=0), "mirror the picture too"),
        (ask(IMAGE, IMAGE[:, ::-1]).mean(axis=0), "orientations are missing"),
        (ask(*FLIPPED[:4]).mean(axis=0), "orientations are missing"),
        (EIGHT.sum(axis=0), "the sum"),
        (ask(np.mean(FLIPPED, axis=0))[0], "averaged the pictures"),
        (np.full(7, 1 / 7), "Four turns, each"),
        (0.5, "shape ()"),
        ("0.5", "a text"),
        (object(), "array"),
        (np.ones((3, 3)), "shape (3, 3)"),
    ],
)
def test_mistakes_in_averaging(answer, fragment):
    feedback = check.exercise_2(answer, Network(), IMAGE)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 3: larger than the seeds' range ----------------------------------------------------

ABLATION = {
    "00-original": (0.40, 0.800, 0.7, 40),
    "01-scaled-input": (0.50, 0.850, 0.7, 40),
    "02-symmetries": (0.51, 0.880, 0.7, 40),
    "03-shift": (0.45, 0.878, 0.7, 40),
    "04-colour": (0.455, 0.862, 0.7, 40),
    "05-drawn-by-root": (0.55, 0.867, 0.7, 40),
    "05-or-weights": (0.45, 0.820, 0.7, 40),
    "06-schedule": (0.55, 0.870, 0.7, 40),
}
SEEDS = [0.941, 0.945, 0.939, 0.937, 0.942]  # range 0.008, standard deviation 0.003
BY_EYE = ["01", "02", "04"]
BY_CODE = [
    after
    for before, after in [
        ("00-original", "01-scaled-input"),
        ("01-scaled-input", "02-symmetries"),
        ("02-symmetries", "03-shift"),
        ("03-shift", "04-colour"),
        ("04-colour", "05-drawn-by-root"),
        ("05-drawn-by-root", "06-schedule"),
    ]
    if abs(ABLATION[after][1] - ABLATION[before][1]) > max(SEEDS) - min(SEEDS)
]


@pytest.mark.parametrize(
    "answer",
    [BY_EYE, BY_CODE, [1, 2, 4], {1, 2, 4}, np.array([1, 2, 4]), "01, 02, 04", "1 2 4",
     ["scaled input", "Symmetries", "04 colour"], ["step-01-scaled-input", "02-symmetries", 4]],
)  # fmt: skip
def test_larger_steps_are_right(answer):
    assert check.exercise_3(answer, ABLATION, SEEDS).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ([1, 2, 4, "05-or-weights"], "road not taken"),
        ([0, 1, 2, 4], "where it begins"),
        ([1, 3, 5], "balanced accuracy; compare"),
        ([1, 5], "balanced accuracy; compare"),
        ([1, 2, 5, 6], "all steps upwards"),
        ([1, 2, 4, 5], "smaller than the range"),
        ([1, 2], "some are missing"),
        ([3], "Subtract from each"),
        ([9], "no step 9"),
        ("many", "no step 'many'"),
        ([], "empty"),
        (object(), "could not read"),
        (np.ones((2, 2)), "2 numbers"),
        ([True, False], "True or False"),
    ],
)
def test_mistakes_in_the_larger_steps(answer, fragment):
    feedback = check.exercise_3(answer, ABLATION, SEEDS)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 4: what a hundredth is -------------------------------------------------------------

LABELS = np.repeat(np.arange(7), [66, 104, 220, 23, 1341, 31, 223])


def fewest(code):
    """Add one recognised image after the other until the mean of the sensitivities has risen."""
    recognised = 0
    while np.mean([recognised / (LABELS == code).sum(), *[0] * 6]) < 0.01:
        recognised += 1
    return recognised


@pytest.mark.parametrize("answer", [(2, 94), [fewest(3), fewest(4)], np.array([2.0, 94.0])])
def test_images_of_a_hundredth_are_right(answer):
    assert check.exercise_4(answer, LABELS).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ((94, 2), "exchanged"),
        ((1, 14), "seven classes"),
        ((0.23, 13.41), "seven classes"),
        ((21, 21), "plain accuracy"),
        ((1.61, 93.87), "whole images"),
        ((1.6, 93.9), "whole images"),
        ((1, 93), "Rounded down"),
        ((5, 5), "One more image"),
        (2, "Two numbers"),
        ("2, 94", "a text"),
        (object(), "array"),
        (np.ones((2, 2)), "Two numbers"),
    ],
)
def test_mistakes_in_the_images_of_a_hundredth(answer, fragment):
    feedback = check.exercise_4(answer, LABELS)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 5: the reply -----------------------------------------------------------------------

CHOSEN = "You picked the best of twelve by the test lesions, so they are training lesions now. "
LUCK = "A difference of a hundredth lies well inside the interval we printed in the table. "
PLACE = "And about the camera of the practice in the other city neither number says anything. "
OTHER_WORDS = (
    "Whoever chooses on\ntest images keeps the luckiest recipe. Another seed moves the number by "
    "more than that. Ask for images from a hospital we have not trained on first."
)


SELECTED = (
    "The test set was used to select a model, so it is biased now. A gain of 0.01 is not "
    "significant. Nothing follows for another town with other equipment."
)


@pytest.mark.parametrize("answer", [CHOSEN + LUCK + PLACE, OTHER_WORDS, SELECTED])
def test_reply_has_its_elements(answer):
    feedback = check.exercise_5(answer)
    assert feedback.passed and "cannot judge" in feedback.message


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ("Chosen on test, inside the interval, other clinic.", "has 8 words"),
        (LUCK + PLACE, "what choosing"),
        (CHOSEN + PLACE, "may be chance"),
        (CHOSEN + LUCK, "another clinic"),
        ("A better number is a better number, so let us write it down. " * 2, "; that a"),
        ("", "0 words"),
        (3, "no text"),
        (object(), "no text"),
        (np.ones((3, 3)), "no text"),
    ],
)
def test_reply_lacks_something(answer, fragment):
    feedback = check.exercise_5(answer)
    assert feedback.passed is False and fragment in feedback.message


@pytest.mark.parametrize(
    ("number", "given"),
    [(1, (P, SHARES)), (2, (Network(), IMAGE)), (3, (ABLATION, SEEDS)), (4, (LABELS,)), (5, ())],
)
def test_open_answer_is_the_readers_turn(number, given):
    exercise = getattr(check, f"exercise_{number}")
    assert exercise(None, *given).passed is None
    assert exercise((None, ...), *given).passed is None
