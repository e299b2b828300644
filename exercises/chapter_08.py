"""Self-checks of chapter 8: decisions, averaging by hand, seed noise, and what a gain means."""

import math
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
from utils.classes import CLASSES, DX

# What the open answer of exercise 5 should hold, each with beginnings of words that show it.
ELEMENTS = {
    "what choosing on the test lesions does to their number": (
        r"\b(?:cho(?:se|os|ic)|pick|select|used up|tun(?:e|ing)|best of|twelve|tried|tries|trying|"
        r"validation|opened)"
    ),
    "that a hundredth may be chance": (
        r"\b(?:interval|chance|luck|noise|seed|spread|uncertain|random|coincidence|resampl|fold|"
        r"significan|fluctuat|statistical|two (?:image|picture|photo|lesion|dermatofibroma))"
    ),
    "what is not known about another clinic": (
        r"\b(?:clinic|camera|hospital|dermatoscope|device|population|elsewhere|other place|"
        r"other patient|skin (?:type|colou?r|tone)|dark(?:er)? skin|same (?:two )?places|external|"
        r"equipment|from there|(?:its|their) own|transfer|generali[sz])"
    ),
}


@exercise(
    wanted="two class names, such as ('nv', 'mel')",
    look="section 'A probability is not a decision'",
)
def exercise_1(answer: object, probabilities: np.ndarray, shares: np.ndarray) -> Feedback:
    """Check both decisions on one image: most probable, and highest probability by share.

    Mistakes met: the two exchanged, the same class twice, the runner-up, the rarest class, a
    multiplication in place of the division.
    """
    if isinstance(answer, str | set | frozenset | dict) or len(answer) != 2:
        raise WrongKind("Two classes are wanted: the most probable one, and the one written down.")
    got = tuple(_class_name(part) for part in answer)
    p, shares = np.asarray(probabilities, float), np.asarray(shares, float)
    order = np.argsort(-p)
    expected = DX[int(p.argmax())], DX[int((p / shares).argmax())]
    look = "section 'How strongly to rebalance', 'A probability is not a decision'"
    if got == expected:
        return right("The same probabilities, two decisions.", got=got)
    if got == expected[::-1]:
        message = "The two are exchanged: the most probable class comes first."
    elif got[0] != expected[0]:
        message = "The first is the class with the highest probability, nothing divided."
    elif got[1] == expected[0]:
        message = "Twice the most probable class: for the second, divide by the shares first."
    elif got[1] == DX[int(shares.argmin())]:
        message = "This is the rarest class; it wins only if its quotient is the largest."
    elif got[1] == DX[int((p * shares).argmax())]:
        message = "You multiplied by the share; that favours the common classes. Divide."
    elif got[1] == DX[int(order[1])]:
        message = "This is the second most probable class; compute all seven quotients."
    else:
        message = "Divide each probability by the share of its class; the largest quotient wins."
    wanted = "(most probable class, class with the largest probability / share)"
    return wrong(message, got=got, expected=wanted, look=look)


@exercise(wanted="an array of 7 probabilities", look="section 'Averaging when you predict'")
def exercise_2(answer: object, network: object, image: np.ndarray) -> Feedback:
    """Check the mean of the network's answers to the eight orientations of an image.

    Mistakes met: the answers not averaged yet, one orientation only, only turned or only
    mirrored, the sum, the pictures averaged in place of the answers.
    """
    got = array(answer).astype(float)
    views = _orientations(np.asarray(image))
    answers = np.asarray(network.predict_on_batch(views), dtype=float)
    look = "section 'Averaging when you predict'"
    wanted = "the mean over eight answers, an array of shape (7,)"
    expected = answers.mean(axis=0)
    if got.shape == (1, len(DX)):
        got = got[0]
    if got.shape == answers.shape:
        message = "These are eight answers; take their mean, axis=0."
        return wrong(message, got=got, expected=wanted, look=look)
    if got.shape != expected.shape:
        raise WrongKind(f"This has the shape {got.shape}; one mean of seven numbers is wanted.")
    if _near(got, expected):
        return right("Turned or not, this lesion now gets the same answer.", got=got)
    if any(_near(got, one) for one in answers):
        message = "This is the answer to a single orientation."
    elif any(_near(got, answers[part].mean(axis=0)) for part in (slice(4), slice(4, 8))):
        message = "These are four turns only; mirror the picture too."
    elif any(_near(got, answers[[0, k]].mean(axis=0)) for k in range(1, 8)) or _near(
        got, answers[[0, 2, 4, 6]].mean(axis=0)
    ):
        message = "Some orientations are missing: four turns, each as it is and mirrored."
    elif _near(got, answers.sum(axis=0)):
        message = "This is the sum; the probabilities must add up to 1."
    elif _near(got, _answer_to_mean(network, views)):
        message = "You averaged the pictures; average the answers to them."
    else:
        message = "Four turns, each as it is and mirrored: eight answers, then their mean."
    return wrong(message, got=got, expected=wanted, look=look)


@exercise(
    wanted="a list of steps, such as ['01 scaled input'] or [1]",
    look="section 'One change at a time'",
)
def exercise_3(answer: object, ablation: dict, seed_aucs: list[float]) -> Feedback:
    """Check which kept steps change the macro AUC by more than the range of the seeds.

    `ablation` is the chapter's, by step: (balanced accuracy, macro AUC, …). Mistakes met: roads
    not taken in the list, balanced accuracy in place of AUC, every step upwards, the standard
    deviation or half the range as noise, the row with nothing before it.
    """
    kept = [name for name in ablation if "-or-" not in name]
    got = _steps(answer, ablation)
    seeds = np.asarray(seed_aucs, float)
    noise, spread = float(np.ptp(seeds)), float(seeds.std(ddof=1))
    change = _changes(ablation, kept, 1)
    expected = _larger(change, noise)
    balanced = _changes(ablation, kept, 0)
    look = "section 'One change at a time', the table, column macro AUC"
    shown = sorted(name[:2] for name in got)
    if got == expected:
        return right("These steps are larger than what another seed does.", got=shown)
    if strange := sorted(name for name in got if "-or-" in name):
        message = f"{strange[0].replace('-', ' ')!r} is a road not taken; compare the kept steps."
    elif kept[0] in got:
        message = f"{kept[0][:2]} is where it begins; it has no step before it."
    elif got < expected:
        message = "These are larger, but some are missing: go through each pair of kept rows."
    elif got == {name for name, by in change.items() if by > 0}:
        message = "These are all steps upwards; take those larger than the range of the seeds."
    elif got in (_larger(change, spread), _larger(change, noise / 2)):
        message = "Your noise is smaller than the range; take largest minus smallest."
    elif got == set(sorted(balanced, key=lambda name: -abs(balanced[name]))[: len(got)]):
        message = "These steps are those of the balanced accuracy; compare the macro AUC."
    else:
        message = "Subtract from each kept row the kept row before it, and compare with the range."
    wanted = f"steps whose macro AUC differs by more than {noise:.4f} from the kept step before"
    return wrong(message, got=shown, expected=wanted, look=look)


@exercise(
    wanted="two whole numbers: (more images of df, more images of nv)",
    look="section 'The test lesions, once'",
)
def exercise_4(answer: object, labels: np.ndarray, *, gain: float = 0.01) -> Feedback:
    """Check how many more images of df, or of nv, raise the balanced accuracy by `gain`.

    Mistakes met: the seventh forgotten, the accuracy in place of the balanced one, not rounded
    up, rounded down, the two exchanged.
    """
    if isinstance(answer, tuple | list):
        got = tuple(number(part) for part in answer)
    else:
        got = tuple(array(answer).astype(float).ravel().tolist())
    if len(got) != 2:
        raise WrongKind("Two numbers are wanted: images of df, and images of nv.")
    labels = np.asarray(labels)
    count = [int((labels == DX.index(dx)).sum()) for dx in ("df", "nv")]
    exact = [gain * len(DX) * n for n in count]
    expected = tuple(_up(value) for value in exact)
    look = "section 'The test lesions, once', the text below the cross-validation"
    if got == expected:
        return right("A handful of images of the rarest class moves the number.", got=got)
    if got == expected[::-1]:
        message = "The two are exchanged: dermatofibroma comes first."
    elif got == tuple(_up(gain * n) for n in count) or _pair_near(got, [gain * n for n in count]):
        message = "You forgot the seven classes: each counts for a seventh only."
    elif got[0] == got[1] and abs(got[0] - gain * len(labels)) <= 1:
        message = "This is the plain accuracy, where all images count the same."
    elif _pair_near(got, exact, to=0.06):
        message = "An image is recognised or it is not: round up to whole images."
    elif got == tuple(math.floor(value) for value in exact):
        message = "Rounded down, the gain stays below the hundredth: round up."
    else:
        message = "One more image of a class raises the balanced accuracy by 1 / (7 × its images)."
    wanted = "the smallest whole numbers whose gain is a hundredth or more"
    return wrong(message, got=got, expected=wanted, look=look)


@exercise(wanted="a text of some sentences", look="section 'The rules of the game'")
def exercise_5(answer: object) -> Feedback:
    """Look for three elements in the open answer; the argument itself is not judged.

    Mistakes met: too short, nothing on choosing by the test part, on chance, on another clinic.
    """
    look = "sections 'The rules of the game', 'The test lesions, once' and 'What this says …'"
    return essay(answer, ELEMENTS, fewest=15, look=look)


def _class_name(part: object) -> str:
    """Return the abbreviation of a class given by abbreviation, name or number."""
    if not isinstance(part, str):
        code = number(part)
        if code not in range(len(DX)):
            raise WrongKind(f"The classes are numbered 0 to 6; there is no {code:g}.")
        return DX[int(code)]
    name = part.strip().lower()
    for known in CLASSES:
        if name in (known.dx, known.name.lower()):
            return known.dx
    raise WrongKind(f"There is no class {part!r}; the classes are {', '.join(DX)}.")


def _orientations(image: np.ndarray) -> np.ndarray:
    """Return four turns, then the same four mirrored, shape (8, …)."""
    turned = [np.rot90(image, k) for k in range(4)]
    return np.stack([*turned, *(one[:, ::-1] for one in turned)])


def _answer_to_mean(network: object, views: np.ndarray) -> np.ndarray:
    mean = views.mean(axis=0, keepdims=True)
    return np.asarray(network.predict_on_batch(mean), dtype=float)[0]


def _near(got: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.all(np.abs(got - expected) <= 6e-4))  # rounded to three digits is near


def _pair_near(got: tuple, expected: list[float], *, to: float = 0.006) -> bool:
    return all(close(a, b, to=to) for a, b in zip(got, expected, strict=True))


def _up(value: float) -> int:
    return math.ceil(value - 1e-9)


def _changes(ablation: dict, kept: list[str], column: int) -> dict[str, float]:
    pairs = zip(kept, kept[1:], strict=False)
    return {b: ablation[b][column] - ablation[a][column] for a, b in pairs}


def _larger(change: dict[str, float], noise: float) -> set[str]:
    return {name for name, by in change.items() if abs(by) > noise}


def _steps(answer: object, ablation: dict) -> set[str]:
    """Return the names of steps that are given by name or by number."""
    if isinstance(answer, str) and not re.search("[a-z]", answer, re.IGNORECASE):
        answer = re.sub(r"[\s,;]+", ",", answer.strip())  # numbers, with blanks or commas
    values = answer.split(",") if isinstance(answer, str) else list(answer)
    if not values:
        raise WrongKind("The list is empty; some steps are larger than the noise.")
    return {_step(value, list(ablation)) for value in values}


def _step(value: object, known: list[str]) -> str:
    if isinstance(value, str):
        text = value.strip().lower().removeprefix("step").strip(" -").replace(" ", "-")
        if text in known:
            return text
    else:
        text = str(int(number(value)))
    digits = re.match(r"\d+", text)
    wanted = f"{int(digits[0]):02}" if digits else text
    found = [name for name in known if name[:2] == wanted] or [n for n in known if n[3:] == text]
    if not found:
        raise WrongKind(f"There is no step {value!r}; the steps are {', '.join(known)}.")
    return min(found, key=lambda name: "-or-" in name)  # the kept one, if there is one
