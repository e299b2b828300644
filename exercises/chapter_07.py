"""Self-checks of chapter 7: images that are no news, the mix of classes, and an abstract."""

import re

import numpy as np

from exercises.base import (
    Feedback,
    WrongKind,
    array,
    close,
    essay,
    exercise,
    number,
    right,
    wrong,
)
from utils.classes import DX

# The invented abstract of exercise 4, held against the checklist's twelve questions.
SPOILED = {
    4: "pictures were divided and not lesions, so siblings stand on both sides",
    5: "classes were filled up before the division, so copies stand on both sides",
    6: "the epoch was chosen on the test images",
}
ANSWERED = {1, 2, 3, 8, 12}
SILENT = {7, 9, 10, 11}

# What the open answer of exercise 5 should hold, each with beginnings of words that show it.
ELEMENTS = {
    "why the printed number does not hold for a new lesion": (
        r"\b(?:train|memor|by heart|cop(?:y|ies|ied)|leak|sibling|overlap|acquaint|another split|"
        r"other split|already (?:seen|met|knew|known|stud)|seen before|fitted|learn(?:ed|t)|"
        r"had (?:seen|met|studied))"
    ),
    "what that means for a patient": (
        r"\b(?:miss|overlook|undetect|unrecogni|too late|delay|false alarm|harm|reassur|"
        r"(?:not|never) (?:be )?(?:found|recogni)|biops|excis|unnecessary|untreated|false negative|"
        r"die\b|dies\b|death|fatal|metasta|(?:would|could|may|might|can) (?:grow|spread))"
    ),
    "what to ask for before the program is used": (
        r"\b(?:own (?:patient|image|lesion|clinic|practice|picture|photo)|your practice|"
        r"new (?:lesion|patient)|by lesion|interval|"
        r"external|independent|prospective|other (?:clinic|hospital)|another (?:clinic|hospital)|"
        r"never (?:seen|met|trained)|lesions? (?:kept )?(?:apart|together)|not seen)"
    ),
}


@exercise(wanted="a share between 0 and 1", look="section 'Step 2: the checkpoint …'")
def exercise_1(answer: object, trained_on: np.ndarray, tested_on: np.ndarray) -> Feedback:
    """Check the share of test images of one random split that another split trained on.

    Mistakes met: the share that is new, the share of all images in place of the test images, the
    squared share, a count, the 80 % of the chapter's own splits.
    """
    got = number(answer)
    known = np.isin(tested_on, trained_on)
    expected = float(known.mean())
    look = "section 'Step 2: the checkpoint that was never written', below the two splits"
    if close(got, expected, to=0.02) or close(got, 100 * expected, to=2):
        return right("With this chance the other split gave an image to training.", got=got)
    if close(got, 1 - expected, to=0.02) or close(got, 100 * (1 - expected), to=2):
        message = "This is the share that is new; the question asks for the old acquaintances."
    elif got == known.sum():
        message = "This is a count; divide it by the number of test images."
    elif close(got, expected * (1 - expected), to=0.02):
        message = "This is a share of all images; the question asks within the second test part."
    elif close(got, expected**2, to=0.02):
        message = "The images are in the second test part already; only one draw is left to chance."
    elif close(got, 0.8, to=0.02) or close(got, 80, to=2):
        message = "This is the chapter's number; these splits give another share to training."
    else:
        message = "Ask of one test image: with which chance did the first split train on it?"
    return wrong(message, got=got, expected="a share within the second test part", look=look)


@exercise(
    wanted="a pair of shares: (accuracy, balanced accuracy)",
    look="section 'Step 5: split by image, split by lesion'",
)
def exercise_2(answer: object, run: object) -> Feedback:
    """Check accuracy and balanced accuracy of a run on the lesions that it never met.

    `run` is the contaminated run; judged is its part "other test". Mistakes met: images never
    trained on in place of lesions, the mask turned round, all images, the run's own test part,
    the two numbers exchanged, the accuracy given twice.
    """
    got = _two_shares(answer)
    own, other = run.parts["test"], run.parts["other test"]
    lesions = np.asarray(list(run.certificate.train_lesions))
    met = np.isin(other.lesions, lesions)
    everything = np.ones(len(other.labels), dtype=bool)
    expected = _scores(other, ~met)
    look = "section 'Step 5: split by image, split by lesion', the lines with `met`"
    if _same(got, expected):
        return right("So much is left when no lesion is an old acquaintance.", got=got)
    if _same(got, expected[::-1]):
        message = "The two numbers are exchanged: accuracy first."
    elif _same(got, (expected[0], expected[0])):
        message = "Both are the accuracy; the second is the mean over the classes."
    elif _same(got, _scores(other, np.isin(other.image_ids, own.image_ids))):
        message = "These are images never trained on; siblings of theirs were. Ask for lesions."
    elif _same(got, _scores(other, met)):
        message = "These are the lesions that were met: turn the mask round with ~."
    elif _same(got, _scores(other, everything)):
        message = "This is the whole test part; first select the lesions that were never met."
    elif _same(got, _scores(own, ~np.isin(own.lesions, lesions))):
        message = "This is the run's own test part; take `other`, that of the second split."
    else:
        message = "Make the mask from other.lesions and record.train_lesions, then score within it."
    wanted = "(accuracy, balanced accuracy) on the lesions of `other` never met"
    return wrong(message, got=got, expected=wanted, look=look)


@exercise(
    wanted="a pair of shares: (accuracy, balanced accuracy)",
    look="section 'Step 7: accuracy, and what it is made of'",
)
def exercise_3(
    answer: object, share: np.ndarray, found: np.ndarray, *, nevi: float = 0.9
) -> Feedback:
    """Check both accuracies where `nevi` of all images are nevi and the rest keeps its proportions.

    `share` and `found` are each class's share of the test part and its sensitivity. Mistakes met:
    the other classes not made smaller, made equal, or forgotten; the accuracy of the old mix; a
    balanced accuracy that moved.
    """
    got = _two_shares(answer)
    share, found = np.asarray(share, float), np.asarray(found, float)
    nv = np.arange(len(DX)) == DX.index("nv")
    balanced = float(found.mean())
    mixed = float(nevi * found[nv].sum() + (1 - nevi) * np.average(found[~nv], weights=share[~nv]))
    look = "section 'Step 7: accuracy, and what it is made of', the table of contributions"
    # Equal shares of the rest come near in the accuracy; the other may have two digits only.
    if close(got[0], mixed, to=0.003) and close(got[1], balanced, to=0.006):
        return right("The accuracy moved with the mix of images, the network did not.", got=got)
    first = got[0]
    if _same(got, (balanced, mixed)):
        message = "The two numbers are exchanged: accuracy first."
    elif close(first, mixed, to=0.003):
        message = "The accuracy is right. Do shares occur in the balanced accuracy at all?"
    elif close(first, nevi * found[nv].sum() + (share * found)[~nv].sum()):
        message = "Your shares add up to more than 1: the six other classes must become rarer."
    elif close(first, nevi * found[nv].sum() + (1 - nevi) * found[~nv].mean(), to=0.002):
        message = "You made the six other classes equally frequent; they keep their proportions."
    elif close(first, nevi * found[nv].sum()):
        message = "These are the nevi alone; a part of the others is recognised too."
    elif close(first, float((share * found).sum())):
        message = "This accuracy is that of the test part; put in the new shares."
    else:
        message = "Multiply each class's new share by its `found`, and add up."
    wanted = "(sum of new share × found, mean of found)"
    return wrong(message, got=got, expected=wanted, look=look)


@exercise(
    wanted="the numbers of the checklist's questions, such as [1, 2]",
    look="section 'A checklist for reading a paper'",
)
def exercise_4(answer: object) -> Feedback:
    """Check which answers of the invented abstract spoil its number: questions 4, 5 and 6.

    Mistakes met: a question the abstract leaves open, a question it answers well, one of the
    three flaws overlooked.
    """
    got = _questions(answer)
    look = "section 'A checklist for reading a paper', and steps 4 to 6"
    shown = sorted(got)
    if got == set(SPOILED):
        return right("Parts, order and choice: no number of this paper can be judged.", got=shown)
    if unknown := got - set(SPOILED) - ANSWERED - SILENT:
        message = f"The checklist has twelve questions; there is no number {min(unknown)}."
    elif extra := sorted(got & SILENT):
        message = f"The abstract is silent on {_list(extra)}: a question to ask, no flaw to find."
    elif extra := sorted(got & ANSWERED):
        message = f"It answers {_list(extra)} in a way that spoils nothing by itself."
        if 8 in extra:
            message += " What spoils the measures of 8 happened before they were taken."
    else:
        message = f"Right so far: {SPOILED[min(got)]}. {3 - len(got)} of the flaws still missing."
    wanted = "the questions whose answer stands in the text and makes the number worthless"
    return wrong(message, got=shown, expected=wanted, look=look)


@exercise(wanted="a text of some sentences", look="section 'Step 3: weights of one split …'")
def exercise_5(answer: object) -> Feedback:
    """Look for three elements in the letter to the clinic; the argument itself is not judged.

    Mistakes met: too short, no reason, no consequence for a patient, nothing to ask for.
    """
    look = "section 'Step 3: weights of one split, judged on another', and 'Step 8'"
    return essay(answer, ELEMENTS, fewest=15, look=look)


def _two_shares(answer: object) -> tuple[float, float]:
    """Return a pair as shares; two percentages are divided by 100."""
    if isinstance(answer, tuple | list) and len(answer) == 2:
        values = np.array([number(part) for part in answer])
    else:
        values = array(answer, shape=(2,)).astype(float)
    if (values > 1).all():
        values = values / 100
    return tuple(values.tolist())


def _same(got: tuple[float, float], expected: tuple[float, float], *, to: float = 0.005) -> bool:
    return all(close(a, b, to=to) for a, b in zip(got, expected, strict=True))


def _scores(judged: object, part: np.ndarray) -> tuple[float, float]:
    """Return accuracy and balanced accuracy within a mask, over the classes that occur in it."""
    labels = judged.labels[part]
    hit = judged.probabilities.argmax(axis=1)[part] == labels
    if not len(labels):
        return float("nan"), float("nan")
    return float(hit.mean()), float(np.mean([hit[labels == k].mean() for k in np.unique(labels)]))


def _questions(answer: object) -> set[int]:
    """Return question numbers from a list, tuple, set, array, number or text such as 1, 4-6."""
    if isinstance(answer, set | frozenset | list | tuple):
        if all(isinstance(part, str) for part in answer):
            answer = ", ".join(answer)
    if isinstance(answer, str):
        values = []
        for low, high in re.findall(r"(\d+)(?:\s*(?:-|–|to)\s*(\d+))?", answer):
            values += range(int(low), min(int(high or low), int(low) + 12) + 1)
    elif isinstance(answer, set | frozenset | list | tuple):
        values = [number(part) for part in answer]
    else:
        values = np.atleast_1d(array(answer)).ravel().tolist()
    if not values or not all(float(value).is_integer() for value in values):
        raise WrongKind("Numbers of questions are wanted, whole numbers from 1 to 12.")
    return {int(value) for value in values}


def _list(values: list[int]) -> str:
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}" if most else last
