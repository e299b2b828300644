"""Self-checks of chapter 6: seven names or one question, a PPV elsewhere, an AUC, 88 of 100."""

import numpy as np

from exercises.base import compare, essay, exercise, number, numbers
from utils.classes import CLASSES, DX

MEL, NV = DX.index("mel"), DX.index("nv")
CANCER = np.array([c.malignant for c in CLASSES])
BY_HAND = "'Four numbers for one class, by hand'"


@exercise("two shares, (sensitivity, specificity)", BY_HAND)
def exercise_1(answer, counts):
    """Check sensitivity and specificity of the question "is it one of the three cancers?"."""
    rows, columns, diagonal = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    found, spared = _grouped(counts, CANCER)
    only = diagonal[CANCER].sum() / rows[CANCER].sum()
    return compare(numbers(answer, 2), [
        ((found, spared),
         f"Found is {found:.3f}, although only {only:.3f} get the name of their own class: many "
         "mistakes are made between the three."),
        (only, "This is the diagonal alone: a carcinoma that is called melanoma is seen too."),
        ((diagonal / rows)[CANCER].mean(), "This is the mean of three shares; add up the images."),
        (counts[np.ix_(CANCER, CANCER)].sum() / columns[CANCER].sum(),
         "This divides by a column sum: it is a precision. Sensitivity divides by rows."),
        (1 - found, "This is the share that is missed; the question is which share is found."),
        (_grouped(counts, CANCER & (np.array(DX) != "akiec")),
         "akiec is missing: the early form of a cancer is to be seen as well."),
        ((found, diagonal[~CANCER].sum() / rows[~CANCER].sum()),
         "The first is right. A nevus that is called bkl may stay as well: count it."),
        (found, "The first is right. The second: of four other rows, who is called none of three?"),
        (..., "Add up three rows and, within them, three columns; then the other four likewise."),
    ], "called one of three / three rows; called one of 4 / 4 rows", percent=True)  # fmt: skip


@exercise("a share between 0 and 1", f"{BY_HAND}, on precision")
def exercise_2(answer, counts, common):
    """Check the precision (PPV) of "melanoma" where melanomas are the share `common` of lesions."""
    hit, melanomas, called = counts[MEL, MEL], counts[MEL].sum(), counts[:, MEL].sum()
    sensitivity, here = hit / melanomas, hit / called
    hits = sensitivity * common
    alarms = hits + (called - hit) / (counts.sum() - melanomas) * (1 - common)
    return compare(number(answer), [
        (hits / alarms, f"In the test part it is {here:.3f}. The network has not changed; the "
                        "people are others."),
        (here, "This is the PPV of the test part, where melanomas are far more common."),
        (sensitivity, "This is the sensitivity; asked is the share of those called."),
        (alarms / hits, "So many are called for each melanoma; the PPV is 1 over it.", 0.4),
        (here * common / (melanomas / counts.sum()),
         "The PPV does not shrink in proportion: count hits and false alarms, then divide."),
        (hits, "This is the share of all lesions that are hits; divide by all that are called."),
        (alarms, "This is the share of lesions that are called melanoma; how many of them are?"),
        (1 - hits / alarms, "This is the share of false alarms among those called; take the rest."),
        (..., "Take 10,000 lesions: how many melanomas are called, how many others are called?"),
    ], f"hits / (hits + false alarms), at {common:.1%}", within=0.003, percent=True)  # fmt: skip


@exercise("a share between 0 and 1", "'From one threshold to all of them', on the AUC")
def exercise_3(answer, truth, probabilities):
    """Check the share of pairs, a melanoma and another image, in which the melanoma's is larger."""
    bar, melanoma = probabilities[:, MEL], truth == MEL
    own, others = bar[melanoma], bar[~melanoma]
    in_order = float(np.mean([(others < one).mean() for one in own]))
    called = probabilities.argmax(axis=1) == MEL
    found, spared = called[melanoma].mean(), (~called[~melanoma]).mean()
    return compare(number(answer), [
        (in_order, "It is the AUC of the row mel: it asks for the order alone, for no threshold."),
        (1 - in_order, "These are the other pairs: count those where the melanoma's is larger."),
        ((own > others.mean()).mean(), "Compare with each of the others, not with their mean."),
        (found, "This is the sensitivity, where the largest bar decides; compare pairs of images."),
        ((found + spared) / 2, "This is the mean of sensitivity and specificity: one threshold."),
        (own.mean() - others.mean(), "This is how far two means lie apart; count pairs."),
        (..., "For each melanoma: which share of the others has a smaller bar? Then the mean."),
    ], "pairs in the right order / all pairs", percent=True)  # fmt: skip


@exercise(
    "a text of two to five sentences",
    "'Who is taken for whom', and 'What this model may not be used for'",
)
def exercise_4(answer, counts):
    """Look in the open answer for the melanomas called nevus, what that costs, what comes first."""
    missed, called = counts[MEL, NV], counts[:, NV].sum()
    shares = (missed / called, missed / counts[MEL].sum())
    numbers_of = "|".join([rf"\b{missed}\b", *(rf"{100 * share:.0f} ?%" for share in shares)])
    elements = {
        "how many melanomas are among those called nevus (a number)":
            rf"{numbers_of}|{100 * shares[0]:.1f}|one in \w+",
        "what that means for these people":
            r"\b(miss|die|kill|death)|(sent|go|goes) home|overlook|too late|delay|harm|grow|spread",
        "what to know or to do first":
            r"threshold|doctor|dermatolog|second look|another look|look at|patients|practice|"
            r"other people|(common|rare|frequent)|sensitivity|baseline|always nevus|carcinoma|bcc|"
            r"akiec|dark skin|tested",
    }  # fmt: skip
    return essay(answer, elements, fewest=25)


def _grouped(counts: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return sensitivity and specificity of a group of classes against the others."""
    inside, outside = counts[np.ix_(group, group)], counts[np.ix_(~group, ~group)]
    return inside.sum() / counts[group].sum(), outside.sum() / counts[~group].sum()
