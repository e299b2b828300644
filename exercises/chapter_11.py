"""Self-checks of chapter 11: a map without a network, two AUCs, another rule, a salesman."""

import numpy as np
from sklearn.metrics import roc_auc_score

from exercises.base import compare, exercise, number, numbers, open_question
from utils.classes import DX

MEL, NV = DX.index("mel"), DX.index("nv")


@exercise("one share between 0 and 1", "'Does it lie on the lesion?', the lines above the table")
def exercise_1(answer, images, masks):
    """Check the mean share of the darkness map that lies inside the masks."""
    grey, masks = np.asarray(images, float).mean(axis=-1), np.asarray(masks, bool)
    dark = grey.max(axis=(1, 2), keepdims=True) - grey

    def inside(maps: np.ndarray) -> float:
        return float(np.nanmean((maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))))

    return compare(number(answer), [
        (inside(dark), "No network has seen anything, and the map lies on the lesion."),
        (masks.mean(), "This is the share of the area, which a flat map would reach: chance."),
        (1 - inside(dark), "This is the share outside; the mask is True inside the lesion."),
        (inside(grey), "This is the map of brightness; darkness is maximum minus grey level."),
        ((dark * masks).sum() / dark.sum(),
         "All images in one pot: compute a share for each image, then the mean of those."),
        (..., "For each image: the darkness inside the mask, divided by all darkness; the mean."),
    ], "the mean over the images, a share", percent=True)  # fmt: skip


@exercise(
    "two numbers: (AUC on all images, AUC without the followed-up nevi)",
    "'A shortcut that is really there', the table by how the label was made",
)
def exercise_2(answer, truth, probabilities, label_by):
    """Check the AUC of melanoma on all images and on those whose label is not from follow-up."""
    followed = label_by == "follow_up"
    everything = np.ones(len(truth), bool)

    def auc(rows: np.ndarray, code: int = MEL) -> float:
        return float(roc_auc_score(truth[rows] == code, probabilities[rows, code]))

    of_all, without = auc(everything), auc(~followed)
    return compare(numbers(answer, 2), [
        ((of_all, without), "Which nevi are in the test part moves the number that much."),
        ((of_all, of_all), "Twice the AUC on all images: leave out label_by == 'follow_up'."),
        ((None, auc(truth != NV)), "You left out all nevi; the excised ones are to stay."),
        ((None, auc(followed | (truth == MEL))),
         "You kept the followed-up nevi and left out the rest: turn the condition round."),
        (auc(everything, NV), "This is the AUC of the nevi; take truth == mel and the column mel."),
        (..., "roc_auc_score(truth == mel, answers[:, mel]), once with all rows, once with fewer."),
    ], "(AUC of melanoma on all images, the same without label_by == 'follow_up')")  # fmt: skip


@exercise(
    "two numbers: (share of melanomas found, alarms per melanoma found)",
    "'The mistakes that matter', the last lines of the table",
)
def exercise_3(answer, truth, probabilities):
    """Check what the most probable class finds of the melanomas, and its alarms for each."""
    alarm, ill = probabilities.argmax(axis=1) == MEL, truth == MEL
    share, price = alarm[ill].mean(), alarm.sum() / max((alarm & ill).sum(), 1)
    return compare(numbers(answer, 2), [
        ((share, price), "Fewer are found, and each is cheaper: the rule moves along one curve."),
        ((share, price - 1), "You counted false alarms only; the right ones are cut out as well."),
        ((None, alarm.sum() / ill.sum()), "You divided by all melanomas; divide by those found."),
        ((None, 1 / price), "This is melanomas for each alarm; you want the inverse."),
        ((alarm.mean(), None), "This is the share of all images; take that among the melanomas."),
        ((1 - share, None), "This is the share that is missed; you want the share found."),
        (..., "The share of melanomas with top == mel; then all alarms over the right ones."),
    ], "(share of melanomas with top == mel, alarms / hits)", within=(0.005, 0.02))  # fmt: skip


exercise_4 = open_question("a text of some sentences", fewest=15, elements={
    "that a map can look right without a good network behind it":
        r"\b(?:random|untrained|chance|dark(?:er|est|ness)?|look(?:s|ed)? right|no network|"
        r"without (?:a|any) network|same map|pretty|convinc|persuasi|proves? nothing|sanity|"
        r"no (?:evidence|proof)|cherry|hand-?picked|selected|highlights?|anyway)",
    "that where it looks does not say what it uses or whether it is right":
        r"\b(?:where|place|what it|colou?rs?|shortcuts?|backgrounds?|lights?|camera|reason|wrong|"
        r"mistakes?|correct|errors?|located|location|accura|sound|miss(?:es|ed)|nothing about)",
    "what to ask for instead":
        r"\b(?:test|measur|compar|other clinic|another clinic|hospital|sensitiv|specific|interval|"
        r"groups?|subgroup|corrupt|exchang|chang|new images|new lesions|own patients|ask|validat|"
        r"trial|stud(?:y|ies)|recall|false (?:positive|alarm)|catch|how many|provide|our patients)",
}, look="'What it looks at', and 'A shortcut that is really there'")  # fmt: skip
