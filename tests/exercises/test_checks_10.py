"""Self-checks of chapter 10: right answers in several ways, and the mistakes they know."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from exercises import chapter_10 as check

RNG = np.random.default_rng(0)
VALIDATION, OWN = RNG.gamma(8, 0.12, 300), RNG.gamma(8, 0.125, 250)
SPOTS = RNG.gamma(12, 0.13, 60)
STRANGE = np.concatenate([SPOTS, RNG.gamma(8, 0.8, 140)])
THRESHOLD = 1.6
OURS = RNG.dirichlet([0.3] * 7, 250)
THEIRS = RNG.dirichlet([0.5] * 7, 200)
FIRST = (OWN, STRANGE, THRESHOLD)
SECOND = (VALIDATION, OWN, SPOTS)
THIRD = (OURS, THEIRS, OWN, STRANGE)


def share(values, threshold):
    return sum(float(v) > threshold for v in values) / len(values)


@pytest.mark.parametrize(
    "answer",
    [
        500 * (OWN > THRESHOLD).mean(),
        len([v for v in OWN if v > THRESHOLD]) * 2,
        round(share(OWN, THRESHOLD) * 500),
        np.float32(500 * share(OWN, THRESHOLD)),
    ],
)
def test_number_sent_away_is_right(answer):
    assert check.exercise_1(answer, *FIRST).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (share(OWN, THRESHOLD), "asks how many"),
        (100 * share(OWN, THRESHOLD), "asks how many"),
        (500 * share(STRANGE, THRESHOLD), "strangers"),
        (15, "validation"),
        (500 * (OWN <= THRESHOLD).mean(), "get an answer"),
        (77, "share of test images"),
        ("twelve", "a text"),
        (object(), "of numbers is wanted"),
        (np.zeros(3), "3 numbers"),
    ],
)
def test_mistakes_in_the_number_sent_away(answer, fragment):
    feedback = check.exercise_1(answer, *FIRST)
    assert feedback.passed is False and fragment in feedback.message


Q9 = np.quantile(VALIDATION, 0.9)


@pytest.mark.parametrize(
    "answer",
    [
        ((OWN > Q9).mean(), (SPOTS > Q9).mean()),
        [share(OWN, Q9), share(SPOTS, Q9)],
        np.round([100 * share(OWN, Q9), 100 * share(SPOTS, Q9)], 1),
        pd.Series({"test": share(OWN, Q9), "spots": share(SPOTS, Q9)}),
    ],
)
def test_stricter_threshold_is_right(answer):
    assert check.exercise_2(answer, *SECOND).passed


def both(threshold):
    return share(OWN, threshold), share(SPOTS, threshold)


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (both(Q9)[::-1], "order"),
        (both(np.quantile(OWN, 0.9)), "comes from the test images"),
        (both(np.quantile(VALIDATION, 0.1)), "least strange"),
        (both(np.quantile(VALIDATION, 0.97)), "old threshold"),
        (tuple(1 - x for x in both(Q9)), "get an answer"),
        ((0.5, 0.5), "Set the threshold"),
        (0.08, "two are wanted"),
        ("a lot", "array of numbers"),
        (np.zeros((2, 2)), "4 numbers"),
    ],
)
def test_mistakes_with_the_stricter_threshold(answer, fragment):
    feedback = check.exercise_2(answer, *SECOND)
    assert feedback.passed is False and fragment in feedback.message


UNSURE = np.concatenate([1 - OURS.max(axis=1), 1 - THEIRS.max(axis=1)])
LABELS = np.repeat([0, 1], [250, 200])
PAIRS = (UNSURE[250:, None] > UNSURE[:250]).mean()


@pytest.mark.parametrize("answer", [roc_auc_score(LABELS, UNSURE), PAIRS, round(PAIRS, 2)])
def test_auc_of_being_unsure_is_right(answer):
    assert check.exercise_3(answer, *THIRD).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (1 - PAIRS, "sure ones"),
        (roc_auc_score(LABELS, np.concatenate([OWN, STRANGE])), "of the strangeness"),
        (THEIRS.max(axis=1).mean(), "mean probability"),
        (0.123, "The label is 1"),
        ([1, 2], "2 numbers"),
        ("half", "a text"),
    ],
)
def test_mistakes_in_the_auc(answer, fragment):
    feedback = check.exercise_3(answer, *THIRD)
    assert feedback.passed is False and fragment in feedback.message


REASONED = [
    "People with dark skin are excluded from the benefit, and a cancer may be found too late. The "
    "training images hardly show them. I would collect such images and tell every user about it.",
    "It denies one group what others get. The reason is the data, which come from light skin. "
    "Until it has been tested there, refer all who are refused to a doctor, and say so openly.",
    "People of colour get no benefit from the tool: their melanomas are spotted too late. It only "
    "ever met pale patients. Gather more diverse pictures, and until then warn all openly.",
]


@pytest.mark.parametrize("answer", REASONED)
def test_reasoned_texts_pass_and_the_check_says_what_it_cannot_judge(answer):
    feedback = check.exercise_4(answer)
    assert feedback.passed and "discuss" in feedback.message


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ("It is unfair.", "too few"),
        (
            "The accuracy is high, so nothing has to be done, and the number of refusals is what "
            "one would expect of any program that somebody makes for this kind of purpose.",
            "who is harmed",
        ),
        (
            "People with dark skin are excluded and harmed, because the training images show light "
            "skin and hardly anything else, and so it is with such programs everywhere.",
            "to do",
        ),
        (7, "a text is wanted"),
        (["a", "b"], "a text is wanted"),
    ],
)
def test_texts_that_lack_something(answer, fragment):
    feedback = check.exercise_4(answer)
    assert feedback.passed is False and fragment in feedback.message


@pytest.mark.parametrize(("number", "given"), [(1, FIRST), (2, SECOND), (3, THIRD), (4, ())])
def test_open_answer_is_the_readers_turn(number, given):
    assert getattr(check, f"exercise_{number}")(None, *given).passed is None
    assert check.exercise_4("  \n").passed is None
    assert check.exercise_2((None, None), *SECOND).passed is None
