"""Self-checks of chapter 9: decisions, averaging by hand, seed noise, and what a gain means."""

import numpy as np

from exercises.base import WrongKind, array, compare, exercise, number, numbers, open_question, show
from utils.classes import CLASSES, DX


@exercise(
    "two class names, such as ('nv', 'mel')",
    "'How strongly to rebalance', 'A probability is not a decision'",
)
def exercise_1(answer, probabilities, shares):
    """Check both decisions on one image: most probable, and highest probability by share."""
    if not isinstance(answer, tuple | list | np.ndarray) or len(answer) != 2:
        raise WrongKind("Two classes are wanted: the most probable one, and the one written down.")
    known = {key: c.dx for c in CLASSES for key in (c.dx, c.name.lower(), c.kaggle_label)}
    first, second = got = tuple(_one_of(part, known, "class") for part in answer)
    p = probabilities
    likely, divided, times = (DX[x.argmax()] for x in (p, p / shares, p * shares))
    return compare(got, [
        (got == (likely, divided), "The same probabilities, two decisions."),
        (got == (divided, likely), "The two are exchanged: the most probable class comes first."),
        (first != likely, "The first is the class with the highest probability, nothing divided."),
        (second == likely, "Twice the most probable class: for the second, divide by the shares."),
        (second == DX[shares.argmin()], "This is the rarest class; the largest quotient wins."),
        (second == times, "You multiplied; divide, or the common classes win."),
        (second == DX[np.argsort(-p)[1]], "The second most probable class; compute all quotients."),
        (..., "Divide each probability by the share of its class; the largest quotient wins."),
    ], "(most probable class, class with the largest probability / share)")  # fmt: skip


@exercise("an array of 7 probabilities", "'Averaging when you predict'")
def exercise_2(answer, network, image):
    """Check the mean of the network's answers to the eight orientations of an image."""
    got = array(answer)
    turned = [np.rot90(image, k) for k in range(4)]
    views = np.stack([*turned, *(one[:, ::-1] for one in turned)])
    eight = np.asarray(network.predict_on_batch(views), dtype=float)
    of_mean = np.asarray(network.predict_on_batch(views.mean(axis=0, keepdims=True)))[0]
    some = "Some orientations are missing: four turns, each as it is and mirrored."
    if got.shape != eight.shape:
        got = numbers(answer, len(DX))
    return compare(got, [
        (eight.mean(axis=0), "Turned or not, this lesion now gets the same answer."),
        (got.shape == eight.shape, "These are eight answers; take their mean, axis=0."),
        *((one, "This is the answer to a single orientation.") for one in eight),
        *((four.mean(axis=0), "These are four turns only; mirror the picture too.")
          for four in (eight[:4], eight[4:])),
        *((eight[ks].mean(axis=0), some) for ks in ([0, 2, 4, 6], *([0, k] for k in range(1, 8)))),
        (eight.sum(axis=0), "This is the sum; the probabilities must add up to 1."),
        (of_mean, "You averaged the pictures; average the answers to them."),
        (..., "Four turns, each as it is and mirrored: eight answers, then their mean."),
    ], "the mean of eight answers, 7 numbers", within=6e-4, percent=got.ndim == 1)  # fmt: skip


@exercise(
    "a list of steps, such as ['01-scaled-input'] or [1]",
    "'One change at a time', the table of changes",
)
def exercise_3(answer, aucs):
    """Check after which steps the worst seed is better than the best seed before."""
    # `aucs` holds the macro AUC of each seed, by step.
    aucs = {name: np.asarray(values) for name, values in aucs.items()}
    names = list(aucs)
    got = _steps(answer, names)

    def steps(is_ahead) -> set[str]:
        return {b for a, b in zip(names, names[1:], strict=False) if is_ahead(aucs[b], aucs[a])}

    right = steps(lambda after, before: after.min() > before.max())
    extra = min(got - right, default=names[1])
    after, before = aucs[extra], aucs[names[max(names.index(extra), 1) - 1]]
    return compare(sorted(name[:2] for name in got), [
        (got == right, "After these steps every seed is ahead of every seed before."),
        (names[0] in got, f"{names[0][:2]} is where it begins; it has no step before it."),
        (got == steps(lambda after, before: after.mean() > before.mean()),
         "These are all steps whose mean rises; compare the worst seed with the best one before."),
        (got == steps(lambda after, before: after.max() > before.min()),
         "Turned round: is the worst seed after the step better than the best one before?"),
        (got == steps(lambda after, before: after.max() > before.max()),
         "You compared best with best; the worst after the step is wanted."),
        (got == steps(lambda after, before: after.min() > before.min()),
         "You compared worst with worst; the best before it is wanted."),
        (got == {name for name in names[1:] if np.min(aucs[name]) > np.max(aucs[names[0]])},
         "You compared with the first row; take the row before each step."),
        (extra in got - right, f"After {extra} the worst seed has {after.min():.4f}, "
         f"the best one before it {before.max():.4f}."),
        (..., "These are right, but some are missing: go through all pairs of neighbours."),
    ], "steps with min(after) > max(before)")  # fmt: skip


@exercise(
    "two whole numbers: (more images of df, more images of nv)",
    "'The test lesions, once', the text below the cross-validation",
)
def exercise_4(answer, labels, *, gain=0.01):
    """Check how many more images of df, or of nv, raise the balanced accuracy by `gain`."""
    got, labels = numbers(answer, 2), np.asarray(labels)
    plain = gain * np.array([(labels == DX.index(dx)).sum() for dx in ("df", "nv")])
    exact = len(DX) * plain
    truth, of_accuracy = (np.ceil(values - 1e-9) for values in (exact, plain))
    seven = "You forgot the seven classes: each counts for a seventh only."
    return compare(got, [
        (truth, "A handful of images of the rarest class moves the number.", 0),
        (of_accuracy, seven, 0),
        (plain, seven, 0.006),
        (got[0] == got[1] and abs(got[0] - gain * len(labels)) <= 1,
         "This is the plain accuracy, where all images count the same."),
        (exact, "An image is recognised or it is not: round up to whole images.", 0.06),
        (np.floor(exact), "Rounded down, the gain stays below the hundredth: round up.", 0),
        (..., "One more image of a class raises the balanced accuracy by 1 / (7 × its images)."),
    ], "the smallest whole numbers whose gain is a hundredth or more")  # fmt: skip


exercise_5 = open_question("a text of some sentences", fewest=15, elements={
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
}, look="'The rules of the game', 'The test lesions, once', and 'What this says …'")  # fmt: skip


def _one_of(part: object, known: dict, what: str) -> str:
    """Return what a name, in any case, or a number stands for."""
    key = part.strip().lower() if isinstance(part, str) else number(part)
    if key not in known:
        names = ", ".join(dict.fromkeys(known.values()))
        raise WrongKind(f"There is no {what} {show(key)}; there are {names}.")
    return known[key]


def _steps(answer: object, names: list[str]) -> set[str]:
    """Return the names of steps that are given by name or by number."""
    if callable(answer) or isinstance(answer, str) or not hasattr(answer, "__len__"):
        raise WrongKind("A list of steps is wanted, by name or by number.")
    if len(answer) == 0:
        raise WrongKind("The list is empty; after some steps all seeds are ahead.")
    known = {key: name for name in names for key in (name, name[:2], name[3:], int(name[:2]))}
    return {_one_of(step, known, "step") for step in answer}
