"""Self-checks of chapter 10: weights by hand, neighbours by features, a weighted mean, a plan."""

import numpy as np

from exercises.base import close, compare, exercise, number, numbers, open_question
from utils.classes import DX
from utils.metrics import class_auc

MEL = DX.index("mel")


@exercise("two whole numbers, (of the block, of one convolution)", "'A block of it'")
def exercise_1(answer, *, side=3, maps=32, to=16):
    """Check the weights of a divided convolution, a filter for each map, and of an ordinary one."""
    each, narrow, ordinary = side**2 * maps, maps * to, side**2 * maps * to
    return compare(numbers(answer, 2), [
        ((each + narrow, ordinary), "The fewer maps a filter looks at, the fewer weights it has."),
        (each + narrow + maps + to, "You counted biases; these layers have none."),
        *((one, "This is one layer of the block; add both.") for one in (each, narrow)),
        (each * narrow, "You multiplied the two layers; they stand one behind the other: add."),
        (side * maps + narrow, f"A {side} × {side} filter has {side**2} weights."),
        ((None, side * maps * to), f"A {side} × {side} filter has {side**2} weights."),
        (each * maps + narrow, "In the block each filter looks at one map by itself, not at all."),
        ((None, side**2 * to), f"Each ordinary filter looks at all {maps} maps that come in."),
        (each + narrow, "The first is right; in the second, every filter sees all maps."),
        ((None, ordinary), "The second is right; in the first, add up its two layers."),
        (..., "Count the numbers of one filter, times the filters; in the block for both layers."),
    ], "whole numbers, without biases", within=0.01)  # fmt: skip


@exercise("one share between 0 and 1", "'First try: features and a line'")
def exercise_2(answer, features, labels, features_of_validation, truth, *, code=MEL):
    """Check for how many images of a class the nearest training image, by cosine, is one too."""
    new, known = (np.asarray(part, np.float32) for part in (features_of_validation, features))
    labels, ours = np.asarray(labels), np.asarray(truth) == code
    near = {"within": 0.5 / ours.sum(), "percent": True}  # half an image
    dots, lengths = new @ known.T, np.linalg.norm(known, axis=1)
    cosine = dots / lengths / np.linalg.norm(new, axis=1, keepdims=True)

    def found(nearest: np.ndarray) -> float:
        return float((labels[nearest][ours] == code).mean())

    nearest = cosine.argmax(axis=1)
    share, got = found(nearest), number(answer)
    return compare(got, [
        (got == round(share, 2) or close(got, share, **near),
         "Compare it with the share of this class in training, which a draw by lot would give."),
        (share * ours.sum(), "This is a number of images; divide it by all images of the class."),
        (1 - share, "This is the share whose neighbour is of another class."),
        ((labels[nearest] == truth).mean(), "These are the images of all classes; take one class."),
        (ours[labels[nearest] == code].mean(), "Turned round: begin with images of the class."),
        (found(cosine.argmin(axis=1)), "This is the least similar image; take argmax."),
        (found(dots.argmax(axis=1)), "You left out the lengths: divide each row by its own."),
        (found((lengths**2 - 2 * dots).argmin(axis=1)), "Nearest by distance; take the cosine."),
        ((labels == code).mean(), "This is the share of the class in training: by lot."),
        (..., "Rows to length 1, then @ gives all cosines; the largest of each row is nearest."),
    ], "the share with a neighbour of its own class", **near)  # fmt: skip


@exercise("a weight between 0 and 1, in steps of 0.1", "'What it brings'")
def exercise_3(answer, truth, small, tuned):
    """Check with which weight of the second network the weighted mean has the highest macro AUC."""
    weights = np.arange(11) / 10
    aucs = [class_auc(truth, w * tuned + (1 - w) * small).mean() for w in weights]
    best, got = float(weights[np.argmax(aucs)]), number(answer)
    return compare(got, [
        (best, "Chosen on these images, so its own AUC here is a little too good."),
        (1 - best, "This weighs the small network; the fine-tuned one's weight is wanted."),
        (10 * best, "This is the place in the list; the weight itself is wanted."),
        (float(weights[np.argmin(aucs)]), "This is the lowest one; take argmax."),
        (close(got, max(aucs), 0.001), "This is the macro AUC; its weight is wanted."),
        (any(close(got, w, 0.01) for w in weights), "Another weight gives a higher macro AUC."),
        (..., "Try the eleven weights 0, 0.1 and so on to 1, and take the best one."),
    ], "the weight of the fine-tuned network", within=0.01)  # fmt: skip


exercise_4 = open_question("a text of some sentences", fewest=25, elements={
    "smaller steps, or a frozen body at first":
        r"\b(?:fr[eo]ez|frozen|warm|(?:small|tin|low|short|slow|reduc|differ|two)\w* (?:\w+ ){0,3}"
        r"(?:step|learning|rate)|rate \w+ too|a tenth|(?:head|last layer) (?:first|alone|only))",
    "images of their own by which the epoch is chosen":
        r"\b(?:validation|dev set|third part|three parts|cross-?valid|h[eo]ld[- ]?out|"
        r"(?:set|put|kept) (?:aside|apart))",
    "that all photographs of a plant stay in one part":
        r"\b(?:(?:same|one|per|by|each|every|whole|single|new|unseen|other|different|between|"
        r"across|the|a) plants?\b(?! lea)|group|sibling|leak|plant-?wise)",
    "a small network or a plain method beside it":
        r"\b(?:baseline|(?:small|simpl|plain|tin|shallow)\w* (?:\w+ )?(?:network|model|net|cnn|"
        r"method|classifier)|from (?:nothing|scratch)|linear|logistic|nearest|constant|majority|"
        r"always (?:answer|say|the same|guess)|most (?:common|frequent))",
}, look="'First try: features and a line', 'Second try: fine-tuning', and "
        "'What stays open'")  # fmt: skip
