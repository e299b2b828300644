"""Self-checks of chapter 6: seven names or one question, a PPV elsewhere, an alarm, a promise."""

import numpy as np

from exercises.base import compare, essay, exercise, number, numbers
from utils.classes import CLASSES, DX

MEL = DX.index("mel")
CANCER = np.array([c.malignant for c in CLASSES])
BY_HAND = "section 'Four numbers for one class, by hand'"


@exercise("two shares, (sensitivity, specificity)", BY_HAND)
def exercise_1(answer, counts):
    """Check sensitivity and specificity of the question "is it one of the three cancers?"."""
    # `counts` is the confusion matrix, true classes in rows, int of shape (7, 7).
    counts = np.asarray(counts, float)
    rows, columns, diagonal = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    found, spared = _grouped(counts, CANCER)
    only = diagonal[CANCER].sum() / rows[CANCER].sum()
    known = [
        ((found, spared),
         f"Found is {found:.3f}, although only {only:.3f} get the name of their own class: many "
         "mistakes are made between the three."),
        ((spared, found), "The two are exchanged: sensitivity first, then specificity."),
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
    ]  # fmt: skip
    expected = "called one of the three / the three rows; called one of the four / the four rows"
    return compare(numbers(answer, 2), known, expected, percent=True)


@exercise("a share between 0 and 1", f"{BY_HAND}, on precision")
def exercise_2(answer, counts, common):
    """Check the precision (PPV) of "melanoma" where melanomas are the share `common` of lesions."""
    # `counts` is the confusion matrix, true classes in rows, int of shape (7, 7).
    counts = np.asarray(counts, float)
    hit, melanomas, called = counts[MEL, MEL], counts[MEL].sum(), counts[:, MEL].sum()
    sensitivity, here = hit / melanomas, hit / called
    hits = sensitivity * common
    alarms = hits + (called - hit) / (counts.sum() - melanomas) * (1 - common)
    known = [
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
    ]  # fmt: skip
    expected = f"hits / (hits + false alarms), with {common:.1%} melanomas"
    return compare(number(answer), known, expected, within=0.003, percent=True)


@exercise(
    "two numbers, (sensitivity, alarms for each melanoma found)",
    "section 'A threshold for melanoma, and its price'",
)
def exercise_3(
    answer, truth, probabilities, validation_truth, validation_answers, *, goal=0.95, before=0.9
):
    """Check what an alarm does on the test part whose threshold reaches `goal` on validation."""
    # Numbers may come with their intervals. True classes have the shape (n,), probabilities (n, 7);
    # `before` is the chapter's goal.
    test = truth == MEL, probabilities[:, MEL]
    validation = validation_truth == MEL, validation_answers[:, MEL]
    threshold = _threshold(*validation, goal)
    found, price = _alarm(*test, threshold)
    got = numbers(answer, 2)
    got[0] = got[0] / 100 if got[0] > 1 else got[0]
    known = [
        ((found, price),
         f"The goal was {goal:.0%}. What a threshold keeps on new lesions is seen only there."),
        (_alarm(*validation, threshold), "These are of the validation part; report the test part."),
        (_alarm(*test, _threshold(*test, goal)),
         "This threshold was chosen on the test part, which proves nothing any more."),
        (_alarm(*test, _threshold(*validation, before)),
         f"This is the chapter's threshold, for {before:.0%}; the goal is {goal:.0%} now."),
        ((found, 1 / price), "The second is the PPV; alarms per melanoma are 1 over it.", 0.005),
        ((found, price - 1), "These are the false alarms; the melanoma itself is cut out too."),
        ((found, price * found), "This divides by all melanomas; divide by those that are found."),
        (found, "The sensitivity is right. Divide all alarms by the melanomas among them."),
        (..., "Fix the threshold on the validation part, then count alarms on the test part."),
    ]  # fmt: skip
    expected = (
        f"at the largest threshold with {goal:.0%} on validation: two numbers of the test part"
    )
    return compare(got, known, expected, within=(0.005, 0.05))


@exercise("two shares, (promised, kept)", "section 'What is a melanoma worth?'")
def exercise_4(answer, truth, fair, probabilities, *, low=0.1, high=0.3):
    """Check the mean melanoma bar and the share of melanomas of images within a band."""
    # The band goes from `low` on to below `high`. `truth` has the shape (n,); `fair`, put right,
    # and `probabilities`, as trained, have the shape (n, 7).
    got = numbers(answer, 2)
    promised, kept = _kept(truth, fair, low, high)
    trained = _kept(truth, probabilities, low, high)
    melanoma = truth == MEL
    inside = (fair[:, MEL] >= low) & (fair[:, MEL] < high)
    known = [
        ((promised, kept),
         f"As trained, {trained[0]:.3f} were promised and {trained[1]:.3f} kept, on other images."),
        ((kept, promised), "The two are exchanged: mean bar first, then the share of melanomas."),
        (trained, "This is the network as trained; take fair, with temperature and shares."),
        ((None, inside[melanoma].mean()),
         "This is which share of all melanomas lies here; asked: of those here, how many?"),
        ((None, 1 - kept), "This is the share that is no melanoma."),
        ((fair[:, MEL].mean(), melanoma.mean()),
         "These are the means over all images; select those within the band first."),
        ((promised, None) if got[0] == got[1] else False,
         "This is the promise twice; the second number comes from the true classes."),
        (promised, "The promise is right. Kept is the mean of truth == mel over the same images."),
        (..., "Make a mask of the images whose melanoma bar lies in the band, then two means."),
    ]  # fmt: skip
    expected = f"two means over the images with {low:g} <= fair[:, mel] < {high:g}"
    return compare(got, known, expected, percent=True)


ELEMENTS = {
    "what the 18 refer to (of which hundred lesions?)":
        r"of (a|one|every|each|\d+) ?hundred|in (a|one|every|each|\d+) ?hundred|(of|in|"
        r"out of) 100|calibrat|honest|those (images|lesions|people)|which (images|lesions|hundred|"
        r"people)|(common|rare|frequent)|prevalence|prior|base rate|bayes|collection|"
        r"general practice|other (clinic|camera|people|lesion)|another (clinic|camera)|test part|"
        r"lesions like|vienna|queensland|(measured|counted|found) (on|in|among)|chosen|picked|"
        r"her patients|(pictures|images|lesions) (from|of) (\w+ ){0,3}(clinic|hospital)",
    "what is weighed (a melanoma missed against a cut, or a wait)":
        r"\bmiss|\bscar|\bcut|excis|biops|harm|\bcosts?\b|false alarm|\bwait|worry|anxi|fear|"
        r"delay|threshold|weigh|nothing is found|in vain|worse than|overlook|unnecessary|outweigh|"
        r"\bdying|\bdeath|\bdies?\b",
    "what is done next, and by whom":
        r"refer|dermatolog|specialist|patholog|microscop|histolog|second (look|opinion)|(look|"
        r"photograph|see|seen|come|check)\w* (her |it |again|back|once more)|examin|decid|"
        r"together|explain|tell her|talk|ask her|three months|two weeks|fortnight|sends? (her|"
        r"judith)|skin (doctor|clinic)|appointment",
}  # fmt: skip


@exercise(
    "a text of two to five sentences",
    "section 'What is a melanoma worth?', and 'What this model may not be used for'",
)
def exercise_5(answer):
    """Look in the open answer for what the number refers to, what is weighed, and what is done."""
    return essay(answer, ELEMENTS, fewest=25)


def _grouped(counts: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return sensitivity and specificity of a group of classes against the others."""
    inside, outside = counts[np.ix_(group, group)], counts[np.ix_(~group, ~group)]
    return inside.sum() / counts[group].sum(), outside.sum() / counts[~group].sum()


def _threshold(positive: np.ndarray, scores: np.ndarray, goal: float) -> float:
    """Return the largest score at or above which lies at least `goal` of the positives."""
    ranked = np.sort(scores[positive])[::-1]
    return float(ranked[int(np.ceil(goal * len(ranked) - 1e-9)) - 1])


def _alarm(positive: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float]:
    alarm = scores >= threshold
    return float(alarm[positive].mean()), float(alarm.sum() / max((alarm & positive).sum(), 1))


def _kept(truth: np.ndarray, given: np.ndarray, low: float, high: float) -> tuple[float, float]:
    bar = np.asarray(given)[:, MEL]
    inside = (bar >= low) & (bar < high)
    return float(bar[inside].mean()), float((truth[inside] == MEL).mean())
