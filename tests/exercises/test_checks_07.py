"""Self-checks of chapter 7: right answers reached in several ways, and the mistakes they know."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from exercises import chapter_07 as check
from utils.classes import DX

# --- Exercise 1: two draws of 70 and 30 ----------------------------------------------------------

TRAINED, TESTED = np.arange(700), np.arange(493, 793)  # 207 of 300 were trained on
IN_BOTH = len(set(TRAINED.tolist()) & set(TESTED.tolist())) / len(TESTED)


@pytest.mark.parametrize("answer", [0.7, 70, IN_BOTH, np.isin(TESTED, TRAINED).mean(), [0.69]])
def test_known_share_is_right(answer):
    assert check.exercise_1(answer, TRAINED, TESTED).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (0.3, "share that is new"),
        (30, "share that is new"),
        (207, "a count"),
        (0.21, "share of all images"),
        (0.49, "only one draw"),
        (0.8, "chapter's number"),
        (0.1, "Ask of one test image"),
        (True, "one number"),
        ("0.7", "a text"),
        (object(), "array"),
        (np.ones((2, 2)), "4 numbers"),
        (float("nan"), "Ask of one test image"),
    ],
)
def test_mistakes_in_the_known_share(answer, fragment):
    feedback = check.exercise_1(answer, TRAINED, TESTED)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 2: only lesions never met ----------------------------------------------------------


def judged(seed, *, prefix, hit):
    """120 images of 60 lesions; `hit` is the share recognised among the lesions L0 to L39."""
    rng = np.random.default_rng(seed)
    lesions = np.repeat([f"L{k}" for k in range(60)], 2)
    labels = np.repeat(np.arange(60) % 7, 2)
    labels[80:110] = 4  # the lesions never met are mostly nevi
    answers = np.where(rng.random(120) < np.where(np.arange(120) < 80, hit, 0.5), labels, 3)
    ids = np.array([f"{prefix}{k}" for k in range(120)])
    return SimpleNamespace(
        image_ids=ids, lesions=lesions, labels=labels, probabilities=np.eye(7)[answers]
    )


OWN, OTHER = judged(0, prefix="a", hit=0.6), judged(1, prefix="b", hit=0.9)
OTHER.image_ids[60:100] = OWN.image_ids[60:100]  # trained on by neither split
RUN = SimpleNamespace(
    parts={"test": OWN, "other test": OTHER},
    certificate=SimpleNamespace(train_lesions=[f"L{k}" for k in range(40)]),
)


def scores(part, judged=OTHER):
    answers = judged.probabilities.argmax(axis=1)[part]
    labels = judged.labels[part]
    # Not balanced_accuracy_score where it warns: classes are answered that do not occur.
    recall = [np.mean(answers[labels == k] == k) for k in set(labels.tolist())]
    return accuracy_score(labels, answers), float(np.mean(recall))


NEVER = scores(slice(80, None))
COUNTED = OTHER.probabilities[80:][np.arange(40), OTHER.labels[80:]].mean()


@pytest.mark.parametrize(
    "answer",
    [
        NEVER,
        [round(float(COUNTED), 2), round(NEVER[1], 3)],
        np.array([COUNTED, NEVER[1]]),
        (100 * NEVER[0], 100 * NEVER[1]),
    ],
)
def test_score_on_strangers_is_right(answer):
    assert check.exercise_2(answer, RUN).passed


def test_balanced_accuracy_is_that_of_scikit_learn():
    answers = OTHER.probabilities.argmax(axis=1)
    everything = check._scores(OTHER, np.ones(120, dtype=bool))
    assert everything[1] == pytest.approx(balanced_accuracy_score(OTHER.labels, answers))


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (NEVER[::-1], "exchanged"),
        ((NEVER[0], NEVER[0]), "Both are the accuracy"),
        (scores(slice(60, 100)), "never trained on; siblings"),
        (scores(slice(0, 80)), "turn the mask round"),
        (scores(slice(None)), "whole test part"),
        (scores(slice(80, None), OWN), "own test part"),
        ((0.01, 0.02), "Make the mask"),
        (0.5, "shape ()"),
        ("0.5, 0.5", "a text"),
        (object(), "array"),
        (np.ones((2, 7)), "shape (2, 7)"),
        (("a", "b"), "a text"),
    ],
)
def test_mistakes_in_the_score_on_strangers(answer, fragment):
    feedback = check.exercise_2(answer, RUN)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 3: another mix of classes ----------------------------------------------------------

SHARE = np.array([3, 5, 11, 1, 67, 2, 11]) / 100
FOUND = np.array([0.3, 0.25, 0.6, 0.1, 0.9, 0.2, 0.45])
REST = np.delete(np.arange(7), DX.index("nv"))
# One image at a time: 9,000 nevi, and the others 1,000 in their proportions of 33.
MIXED = (9000 * 0.9 + sum(1000 / 33 * 100 * SHARE[k] * FOUND[k] for k in REST)) / 10_000
BALANCED = sum(FOUND) / 7
NEW = SHARE * 0.1 / 0.33
NEW[DX.index("nv")] = 0.9


@pytest.mark.parametrize(
    "answer",
    [
        (MIXED, BALANCED),
        [NEW @ FOUND, FOUND.mean()],
        np.array([100 * MIXED, 100 * BALANCED]).round(1),
        (round(MIXED, 3), round(BALANCED, 3)),
        (round(MIXED, 3), round(BALANCED, 2)),
    ],
)
def test_another_mix_is_right(answer):
    assert check.exercise_3(answer, SHARE, FOUND).passed


def test_another_mix_follows_the_share_of_nevi():
    answer = (0.5 * 0.9 + 0.5 * (SHARE[REST] @ FOUND[REST]) / 0.33, BALANCED)
    assert check.exercise_3(answer, SHARE, FOUND, nevi=0.5).passed
    assert not check.exercise_3(answer, SHARE, FOUND, nevi=0.9).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ((BALANCED, MIXED), "exchanged"),
        ((0.81 + SHARE[REST] @ FOUND[REST], BALANCED), "more than 1"),
        ((0.81 + 0.1 * np.mean(FOUND[REST]), BALANCED), "equally frequent"),
        ((0.81, BALANCED), "nevi alone"),
        ((SHARE @ FOUND, BALANCED), "that of the test part"),
        ((MIXED, MIXED), "Do shares occur"),
        ((0.1, 0.2), "Multiply each class"),
        (MIXED, "shape ()"),
        ("x", "a text"),
        (object(), "array"),
        (FOUND, "shape (7,)"),
    ],
)
def test_mistakes_in_another_mix(answer, fragment):
    feedback = check.exercise_3(answer, SHARE, FOUND)
    assert feedback.passed is False and fragment in feedback.message


# --- Exercise 4: the invented abstract -----------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        [4, 5, 6],
        {6, 5, 4},
        (4.0, 5, np.int64(6)),
        np.arange(4, 7),
        "4, 5 and 6",
        "questions 4-6",
        "4–6",
        ["4", "5", "6"],
    ],
)
def test_flaws_are_right(answer):
    assert check.exercise_4(answer).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ([4, 5, 6, 9], "silent on 9"),
        ([4, 5, 6, 7, 9, 10], "silent on 7, 9 and 10"),
        ([4, 5, 6, 8], "happened before they were taken"),
        ([2, 4, 5, 6], "It answers 2"),
        ([4, 5], "1 of the flaws still missing"),
        (6, "chosen on the test images. 2 of the flaws"),
        ([4, 5, 6, 13], "no number 13"),
        ("none", "Numbers of questions"),
        ([4.5], "Numbers of questions"),
        ([], "Numbers of questions"),
        (object(), "array"),
        (np.ones((2, 2, 2)) * 3, "It answers 3"),
    ],
)
def test_mistakes_in_the_flaws(answer, fragment):
    feedback = check.exercise_4(answer)
    assert feedback.passed is False and fragment in feedback.message


def test_every_question_of_the_checklist_is_judged_once():
    groups = [set(check.SPOILED), check.ANSWERED, check.SILENT]
    assert sorted(number for group in groups for number in group) == list(range(1, 13))


# --- Exercise 5: the letter ----------------------------------------------------------------------

WHY = "The printed number was taken on images most of which the program had been trained on. "
WHAT = "For your patients this means that melanomas are missed although you feel reassured. "
ASK = "Please ask for a test on lesions of your own patients, with an interval around it. "
OTHER_WORDS = (
    "Four fifths of the pictures it was judged on were copies it knew by heart.\nIn your "
    "practice more early tumours would be overlooked than you expect. Demand a split by lesion "
    "and a score from another hospital."
)


FITTED = (
    "The weights had been fitted on four of five of the pictures they were scored on. Somebody may "
    "die of a tumour that was called a nevus. First get results on pictures from your practice."
)


@pytest.mark.parametrize("answer", [WHY + WHAT + ASK, OTHER_WORDS, FITTED])
def test_letter_has_its_elements(answer):
    feedback = check.exercise_5(answer)
    assert feedback.passed and "cannot judge" in feedback.message


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ("It was trained on them; missed melanomas; ask for intervals.", "has 10 words"),
        (WHAT + "Please ask for a report with an interval around each number in it.", "why the"),
        (WHY + ASK, "what that means for a patient"),
        (WHY + WHAT, "what to ask for"),
        ("Please do buy this program, because its accuracy is high and " * 3, "; what that"),
        ("", "0 words"),
        (3, "no text"),
        (object(), "no text"),
        (np.ones((3, 3)), "no text"),
    ],
)
def test_letter_lacks_something(answer, fragment):
    feedback = check.exercise_5(answer)
    assert feedback.passed is False and fragment in feedback.message


@pytest.mark.parametrize(
    ("number", "given"),
    [(1, (TRAINED, TESTED)), (2, (RUN,)), (3, (SHARE, FOUND)), (4, ()), (5, ())],
)
def test_open_answer_is_the_readers_turn(number, given):
    exercise = getattr(check, f"exercise_{number}")
    assert exercise(None, *given).passed is None
    assert exercise((None, ...), *given).passed is None
