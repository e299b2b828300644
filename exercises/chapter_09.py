"""Self-checks of chapter 9: decisions, averaging by hand, seed noise, and what a gain means."""

import re

import numpy as np

from exercises.base import WrongKind, array, compare, essay, exercise, number, numbers
from utils.classes import CLASSES, DX


@exercise(
    "two class names, such as ('nv', 'mel')",
    "section 'How strongly to rebalance', 'A probability is not a decision'",
)
def exercise_1(answer, probabilities, shares):
    """Check both decisions on one image: most probable, and highest probability by share."""
    # `probabilities` and `shares` have the shape (7,).
    if isinstance(answer, str | set | frozenset | dict) or len(answer) != 2:
        raise WrongKind("Two classes are wanted: the most probable one, and the one written down.")
    first, second = got = tuple(_class_name(part) for part in answer)
    p, shares = np.asarray(probabilities, float), np.asarray(shares, float)
    likely, divided = DX[p.argmax()], DX[(p / shares).argmax()]
    known = [
        (got == (likely, divided), "The same probabilities, two decisions."),
        (got == (divided, likely), "The two are exchanged: the most probable class comes first."),
        (first != likely, "The first is the class with the highest probability, nothing divided."),
        (second == likely, "Twice the most probable class: for the second, divide by the shares."),
        (second == DX[shares.argmin()], "This is the rarest class; the largest quotient wins."),
        (second == DX[(p * shares).argmax()], "You multiplied; divide, or the common classes win."),
        (second == DX[np.argsort(-p)[1]], "The second most probable class; compute all quotients."),
        (..., "Divide each probability by the share of its class; the largest quotient wins."),
    ]  # fmt: skip
    return compare(got, known, "(most probable class, class with the largest probability / share)")


@exercise("an array of 7 probabilities", "section 'Averaging when you predict'")
def exercise_2(answer, network, image):
    """Check the mean of the network's answers to the eight orientations of an image."""
    # `image` has the shape (size, size, 3).
    got = array(answer)
    turned = [np.rot90(image, k) for k in range(4)]
    views = np.stack([*turned, *(one[:, ::-1] for one in turned)])
    eight = np.asarray(network.predict_on_batch(views), dtype=float)
    of_mean = np.asarray(network.predict_on_batch(views.mean(axis=0, keepdims=True)))[0]
    alone, turns, flips = "This is the answer to a single orientation.", eight[:4], eight[4:]
    some = "Some orientations are missing: four turns, each as it is and mirrored."
    known = [
        (eight.mean(axis=0), "Turned or not, this lesion now gets the same answer."),
        (got.shape == eight.shape, "These are eight answers; take their mean, axis=0."),
        *((one, alone) for one in eight),
        (turns.mean(axis=0), "These are four turns only; mirror the picture too."),
        (flips.mean(axis=0), "These are four turns only; mirror the picture too."),
        *((eight[[0, k]].mean(axis=0), some) for k in range(1, 8)),
        (eight[[0, 2, 4, 6]].mean(axis=0), some),
        (eight.sum(axis=0), "This is the sum; the probabilities must add up to 1."),
        (of_mean, "You averaged the pictures; average the answers to them."),
        (..., "Four turns, each as it is and mirrored: eight answers, then their mean."),
    ]
    if got.shape != eight.shape:
        got = numbers(answer, len(DX))
    expected = "the mean over eight answers, an array of 7 numbers"
    return compare(got, known, expected, within=6e-4)  # rounded to three digits is near


@exercise(
    "a list of steps, such as ['01 scaled input'] or [1]",
    "section 'One change at a time', the table, column macro AUC",
)
def exercise_3(answer, ablation, seed_aucs):
    """Check which kept steps change the macro AUC by more than the range of the seeds."""
    # `ablation` is the chapter's, by step: (balanced accuracy, macro AUC, …).
    got = _steps(answer, ablation)
    kept = [name for name in ablation if "-or-" not in name]
    noise, spread = np.ptp(seed_aucs), np.std(seed_aucs, ddof=1)
    balanced, change = (
        {b: ablation[b][k] - ablation[a][k] for a, b in zip(kept, kept[1:], strict=False)}
        for k in (0, 1)
    )

    def larger(than: float) -> set[str]:
        return {name for name, by in change.items() if abs(by) > than}

    most_balanced = sorted(balanced, key=lambda name: -abs(balanced[name]))[: len(got)]
    astray = next((name.replace("-", " ") for name in sorted(got) if "-or-" in name), "")
    known = [
        (got == larger(noise), "These steps are larger than what another seed does."),
        (bool(astray), f"{astray!r} is a road not taken; compare the kept steps."),
        (kept[0] in got, f"{kept[0][:2]} is where it begins; it has no step before it."),
        (got < larger(noise), "These are larger, but some are missing: compare all kept rows."),
        (got == {name for name, by in change.items() if by > 0},
         "These are all steps upwards; take those larger than the range of the seeds."),
        (got in (larger(spread), larger(noise / 2)),
         "Your noise is smaller than the range; take largest minus smallest."),
        (got == set(most_balanced), "These follow the balanced accuracy; compare the macro AUC."),
        (..., "Subtract from each kept row the kept row before it, and compare with the range."),
    ]  # fmt: skip
    expected = f"steps whose macro AUC differs by more than {noise:.4f} from the kept step before"
    return compare(sorted(name[:2] for name in got), known, expected)


@exercise(
    "two whole numbers: (more images of df, more images of nv)",
    "section 'The test lesions, once', the text below the cross-validation",
)
def exercise_4(answer, labels, *, gain=0.01):
    """Check how many more images of df, or of nv, raise the balanced accuracy by `gain`."""
    # `labels` are the true classes of the test images.
    got, labels = numbers(answer, 2), np.asarray(labels)
    plain = gain * np.array([(labels == DX.index(dx)).sum() for dx in ("df", "nv")])
    exact = len(DX) * plain
    truth, of_accuracy = (np.ceil(values - 1e-9) for values in (exact, plain))
    seven = "You forgot the seven classes: each counts for a seventh only."
    known = [
        (truth, "A handful of images of the rarest class moves the number.", 0),
        (truth[::-1], "The two are exchanged: dermatofibroma comes first.", 0),
        (of_accuracy, seven, 0),
        (plain, seven, 0.006),
        (got[0] == got[1] and abs(got[0] - gain * len(labels)) <= 1,
         "This is the plain accuracy, where all images count the same."),
        (exact, "An image is recognised or it is not: round up to whole images.", 0.06),
        (np.floor(exact), "Rounded down, the gain stays below the hundredth: round up.", 0),
        (..., "One more image of a class raises the balanced accuracy by 1 / (7 × its images)."),
    ]  # fmt: skip
    return compare(got, known, "the smallest whole numbers whose gain is a hundredth or more")


ELEMENTS = {
    "what choosing on the test lesions does to their number":
        r"\b(?:cho(?:se|os|ic)|pick|select|used up|tun(?:e|ing)|best of|twelve|tried|tries|trying|"
        r"validation|opened)",
    "that a hundredth may be chance":
        r"\b(?:interval|chance|luck|noise|seed|spread|uncertain|random|coincidence|resampl|fold|"
        r"significan|fluctuat|statistical|two (?:image|picture|photo|lesion|dermatofibroma))",
    "what is not known about another clinic":
        r"\b(?:clinic|camera|hospital|dermatoscope|device|population|elsewhere|other place|"
        r"other patient|skin (?:type|colou?r|tone)|dark(?:er)? skin|same (?:two )?places|external|"
        r"equipment|from there|(?:its|their) own|transfer|generali[sz])",
}  # fmt: skip


@exercise(
    "a text of some sentences",
    "sections 'The rules of the game', 'The test lesions, once' and 'What this says …'",
)
def exercise_5(answer):
    """Look in the open answer for choosing by the test part, chance, and another clinic."""
    return essay(answer, ELEMENTS, fewest=15)


def _class_name(part: object) -> str:
    """Return the abbreviation of a class given by abbreviation, name or number."""
    if not isinstance(part, str):
        code = number(part)
        if code not in range(len(DX)):
            raise WrongKind(f"The classes are numbered 0 to 6; there is no {code:g}.")
        return DX[int(code)]
    names = {name.lower(): c.dx for c in CLASSES for name in (c.dx, c.name)}
    if part.strip().lower() not in names:
        raise WrongKind(f"There is no class {part!r}; the classes are {', '.join(DX)}.")
    return names[part.strip().lower()]


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
