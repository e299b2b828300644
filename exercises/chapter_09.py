"""Self-checks of chapter 9: a map without a network, two AUCs, many comparisons, a salesman."""

import numpy as np
from sklearn.metrics import roc_auc_score

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

MEL, NV = DX.index("mel"), DX.index("nv")
# What the open answer of exercise 4 should hold, each with beginnings of words that show it.
ELEMENTS = {
    "that a map can look right without a good network behind it": (
        r"\b(?:random|untrained|chance|dark(?:er|est|ness)?|look(?:s|ed)? right|no network|"
        r"without (?:a|any) network|same map|pretty|convinc|persuasi|proves? nothing|sanity|"
        r"no (?:evidence|proof)|cherry|hand-?picked|selected|highlights?|anyway)"
    ),
    "that where it looks does not say what it uses or whether it is right": (
        r"\b(?:where|place|what it|colou?rs?|shortcuts?|backgrounds?|lights?|camera|reason|wrong|"
        r"mistakes?|correct|errors?|located|location|accura|sound|miss(?:es|ed)|nothing about)"
    ),
    "what to ask for instead": (
        r"\b(?:test|measur|compar|other clinic|another clinic|hospital|sensitiv|specific|interval|"
        r"groups?|subgroup|corrupt|exchang|chang|new images|new lesions|own patients|ask|validat|"
        r"trial|stud(?:y|ies)|recall|false (?:positive|alarm)|catch|how many|provide|our patients)"
    ),
}


@exercise(wanted="one share between 0 and 1", look="section 'Does it lie on the lesion?'")
def exercise_1(answer: object, images: np.ndarray, masks: np.ndarray) -> Feedback:
    """Check the mean share of the darkness map that lies inside the masks.

    Mistakes met: the masks' share of the area, all images in one pot, brightness in place of
    darkness, the share outside.
    """
    got = number(answer)
    grey = np.asarray(images, float).mean(axis=-1)
    masks = np.asarray(masks, bool)
    dark = grey.max(axis=(1, 2), keepdims=True) - grey

    def inside(maps):
        with np.errstate(invalid="ignore"):
            return float(np.nanmean((maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))))

    expected, area = inside(dark), float(masks.mean())
    look = "section 'Does it lie on the lesion?', the two lines above the table"
    if 1 < got <= 100:  # percent
        got /= 100
    if close(got, expected):
        return right("No network has seen anything, and the map lies on the lesion.", got=got)
    if close(got, area):
        message = "This is the share of the area, which a flat map would reach: chance."
    elif close(got, 1 - expected):
        message = "This is the share outside; the mask is True inside the lesion."
    elif close(got, inside(grey)):
        message = "This is the map of brightness; darkness is the maximum minus the grey level."
    elif close(got, float((dark * masks).sum() / dark.sum())):
        message = "All images in one pot: compute a share for each image, then the mean of those."
    else:
        message = "For each image: the darkness inside the mask, divided by all darkness; the mean."
    return wrong(message, got=got, expected="the mean over the images, a share", look=look)


@exercise(
    wanted="two numbers: (AUC on all images, AUC without the followed-up nevi)",
    look="section 'A shortcut that is really there'",
)
def exercise_2(
    answer: object, truth: np.ndarray, probabilities: np.ndarray, label_by: np.ndarray
) -> Feedback:
    """Check the AUC of melanoma on all images and on those whose label is not from follow-up.

    Mistakes met: exchanged, twice the same, all nevi left out, the followed-up nevi kept alone,
    the AUC of the nevi.
    """
    got = tuple(array(answer).astype(float).ravel().tolist())
    if len(got) != 2:
        raise WrongKind("Two numbers are wanted: on all images, and without the followed-up nevi.")
    truth, p = np.asarray(truth), np.asarray(probabilities, float)
    followed = np.asarray(label_by, dtype=str) == "follow_up"

    def auc(rows, code=MEL):
        return float(roc_auc_score(truth[rows] == code, p[rows, code]))

    everything = np.ones(len(truth), bool)
    expected = auc(everything), auc(~followed)
    look = "section 'A shortcut that is really there', the table by how the label was made"

    def is_(one, other):
        return close(got[0], one) and close(got[1], other)

    if is_(*expected):
        return right("Which nevi are in the test part moves the number that much.", got=got)
    if is_(*expected[::-1]):
        message = "The two are exchanged: all images come first."
    elif is_(expected[0], expected[0]):
        message = "Twice the AUC on all images: keep the rows whose label_by is not 'follow_up'."
    elif close(got[1], auc(truth != NV)):
        message = "You left out all nevi; the excised ones are to stay."
    elif close(got[1], auc(followed | (truth == MEL))):
        message = "You kept the followed-up nevi and left out the rest: turn the condition round."
    elif close(got[0], auc(everything, NV)):
        message = "This is the AUC of the nevi; take truth == mel and the column mel."
    else:
        message = (
            "roc_auc_score(truth == mel, answers[:, mel]), once with all rows, once with fewer."
        )
    wanted = "(AUC of melanoma on all images, the same without label_by == 'follow_up')"
    return wrong(message, got=got, expected=wanted, look=look)


@exercise(wanted="one probability between 0 and 1", look="section 'For whom'")
def exercise_3(answer: object, groups: int) -> Feedback:
    """Check the probability that at least one of so many 95 % intervals misses by chance.

    Mistakes met: that of a single interval, the expected number, that none misses, one interval
    too few.
    """
    got, groups = number(answer), int(groups)
    expected = 1 - 0.95**groups
    look = "section 'For whom', 'How large a gap is chance?'"
    if 2 < got <= 100 and not close(got, 0.05 * groups):
        got /= 100
    if close(got, expected):
        return right("So one that stands out is what you must expect.", got=got)
    if close(got, 0.05, to=0.001):
        message = "This is the chance that one given interval misses; there are many of them."
    elif close(got, 1 - expected):
        message = "This is the probability that none misses; you want the opposite."
    elif close(got, 0.05 * groups):
        message = "This is how many miss on average, and no probability: it grows beyond 1."
    elif close(got, 0.05**groups, to=1e-4):
        message = "This is the probability that all of them miss."
    else:
        message = "All are right with 0.95 times itself, once for each group; 1 minus that."
    return wrong(message, got=got, expected=f"1 minus a power of 0.95, {groups} groups", look=look)


@exercise(wanted="a text of some sentences", look="section 'Does it lie on the lesion?'")
def exercise_4(answer: object) -> Feedback:
    """Look for three elements in the open answer; the argument itself is not judged.

    Mistakes met: too short; nothing on maps that look right anyway, on where against what, on
    what to ask for.
    """
    look = "sections 'What it looks at' and 'A shortcut that is really there'"
    return essay(answer, ELEMENTS, fewest=15, look=look)
