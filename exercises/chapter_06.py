"""Self-checks of chapter 6: seven names or one question, a PPV elsewhere, an alarm, a promise."""

from collections.abc import Mapping

import numpy as np

from exercises.base import Feedback, array, close, essay, exercise, number, right, wrong
from utils.classes import CLASSES, DX
from utils.metrics import Interval

MEL = DX.index("mel")
CANCER = np.array([c.malignant for c in CLASSES])
BY_HAND = "section 'Four numbers for one class, by hand'"
ALARM = "section 'A threshold for melanoma, and its price'"
WORTH = "section 'What is a melanoma worth?'"


@exercise(wanted="two shares, (sensitivity, specificity)", look=BY_HAND)
def exercise_1(answer: object, counts: np.ndarray) -> Feedback:
    """Check sensitivity and specificity of the question "is it one of the three cancers?".

    Percent are accepted. Mistakes met: only the diagonal counted, the mean of three
    sensitivities, precision in place of sensitivity, the two exchanged, the early form left out,
    what is missed in place of what is found.

    Parameters
    ----------
    counts : ndarray of int, shape (7, 7)
        The confusion matrix, true classes in rows.
    """
    got = _shares(answer)
    counts = np.asarray(counts, float)
    found, spared = _grouped(counts, CANCER)
    diagonal = np.diag(counts)
    of_class = diagonal / counts.sum(axis=1)
    expected = (found, spared)

    if _near(got, expected):
        only = diagonal[CANCER].sum() / counts[CANCER].sum()
        text = f"Found is {found:.3f}, although only {only:.3f} get the name of their own class"
        return right(f"{text}: many mistakes are made between the three.", got=got)
    if _near(got, expected[::-1]):
        message = "The two are exchanged: sensitivity first, then specificity."
    elif close(got[0], diagonal[CANCER].sum() / counts[CANCER].sum()):
        message = "This is the diagonal alone: a carcinoma that is called melanoma is seen too."
    elif close(got[0], of_class[CANCER].mean()):
        message = "This is the mean of three sensitivities; add up images, not shares."
    elif close(got[0], counts[np.ix_(CANCER, CANCER)].sum() / counts[:, CANCER].sum()):
        message = "This divides by a column sum: it is a precision. Sensitivity divides by rows."
    elif _near(got, (1 - found, 1 - spared)) or close(got[0], 1 - found):
        message = "This is the share that is missed; the question is about the share that is found."
    elif _near(got, _grouped(counts, CANCER & (np.array(DX) != "akiec"))):
        message = "akiec is missing: the early form of a cancer is to be seen as well."
    elif close(got[0], found) and close(got[1], diagonal[~CANCER].sum() / counts[~CANCER].sum()):
        message = "The first is right. A nevus that is called bkl may stay as well: count it."
    elif close(got[0], found):
        message = (
            "The first is right. The second: of the four other rows, who is called none of three?"
        )
    else:
        message = "Add up three rows and, within them, three columns; then the other four likewise."
    wanted = "called one of the three / the three rows; called one of the four / the four rows"
    return wrong(message, got=got, expected=wanted, look=BY_HAND)


@exercise(wanted="a share between 0 and 1", look=BY_HAND)
def exercise_2(answer: object, counts: np.ndarray, common: float) -> Feedback:
    """Check the precision (PPV) of "melanoma" where melanomas make up another share.

    Percent are accepted. Mistakes met: the PPV of the test part, the sensitivity, the PPV scaled
    with the share, the found melanomas as a share of all lesions, the number of lesions for each
    melanoma, the share of alarms, false alarms counted among all lesions.

    Parameters
    ----------
    counts : ndarray of int, shape (7, 7)
        The confusion matrix, true classes in rows.
    common : float
        Share of melanomas among the lesions of the practice.
    """
    got = number(answer)
    counts = np.asarray(counts, float)
    hit = counts[MEL, MEL]
    sensitivity = hit / counts[MEL].sum()
    false_alarm = (counts[:, MEL].sum() - hit) / (counts.sum() - counts[MEL].sum())
    here = hit / counts[:, MEL].sum()
    hits, alarms = sensitivity * common, sensitivity * common + false_alarm * (1 - common)
    expected = hits / alarms
    share = got / 100 if got > 1 else got

    def same(one: float) -> bool:
        return close(share, one, to=0.003)

    if same(expected):
        text = f"In the test part it is {here:.3f}. The network has not changed"
        return right(f"{text}; the people are others.", got=got)
    if same(here):
        message = "This is the PPV of the test part, where melanomas are far more common."
    elif same(sensitivity):
        message = "This is the sensitivity: of the melanomas, those found. Asked: of those called."
    elif close(got, 1 / expected, to=0.4):
        message = "This is how many are called melanoma for each one that is; the PPV is 1 over it."
    elif same(here * common / (counts[MEL].sum() / counts.sum())):
        message = "The PPV does not shrink in proportion: count hits and false alarms, then divide."
    elif same(hits):
        message = "This is the share of all lesions that are hits; divide by all that are called."
    elif same(alarms):
        message = "This is the share of lesions that are called melanoma; how many of them are?"
    elif same(1 - expected):
        message = "This is the share of false alarms among those called; the rest is asked."
    else:
        message = "Take 10,000 lesions: how many melanomas are called, how many others are called?"
    wanted = f"hits / (hits + false alarms), with {common:.1%} melanomas"
    return wrong(message, got=got, expected=wanted, look=f"{BY_HAND}, on precision")


@exercise(wanted="two numbers, (sensitivity, alarms for each melanoma found)", look=ALARM)
def exercise_3(
    answer: object,
    truth: np.ndarray,
    probabilities: np.ndarray,
    validation_truth: np.ndarray,
    validation_answers: np.ndarray,
    *,
    goal: float = 0.95,
    before: float = 0.9,
) -> Feedback:
    """Check what an alarm does on the test part whose threshold reaches `goal` on validation.

    Numbers may come with their intervals, as `utils.calibration` returns them. Mistakes met: the
    threshold chosen on the test part, the chapter's goal kept, judged on the validation part, PPV
    in place of alarms for each melanoma, false alarms only, alarms divided by all melanomas.

    Parameters
    ----------
    truth, validation_truth : ndarray of int, shapes (n,) and (m,)
        True classes of test and validation images.
    probabilities, validation_answers : ndarray of float, shapes (n, 7) and (m, 7)
        What the network answered.
    goal, before : float
        Share of the melanomas of the validation part to find, and that of the chapter.
    """
    if isinstance(answer, list | tuple):  # intervals, as `operating_point` returns them
        answer = [one.value if isinstance(one, Interval) else one for one in answer]
    got = array(answer, shape=(2,)).astype(float)
    test = truth == MEL, probabilities[:, MEL]
    validation = validation_truth == MEL, validation_answers[:, MEL]
    expected = _alarm(*test, _threshold(*validation, goal))
    found, price = got[0] / 100 if got[0] > 1 else got[0], got[1]

    def same(one: tuple[float, float]) -> bool:
        return close(found, one[0]) and close(price, one[1], to=0.05)

    if same(expected):
        text = f"The goal was {goal:.0%}. What a threshold keeps on new lesions is seen only there"
        return right(f"{text}.", got=got)
    if same(_alarm(*validation, _threshold(*validation, goal))):
        message = "These are the numbers of the validation part; report them on the test part."
    elif same(_alarm(*test, _threshold(*test, goal))):
        message = "This threshold was chosen on the test part, which proves nothing any more."
    elif same(_alarm(*test, _threshold(*validation, before))):
        message = f"This is the chapter's threshold, for {before:.0%}; the goal is {goal:.0%} now."
    elif close(found, expected[0]) and close(price, 1 / expected[1]):
        message = "The second number is the PPV; alarms for each melanoma found are 1 over it."
    elif close(found, expected[0]) and close(price, expected[1] - 1, to=0.05):
        message = "These are the false alarms; the melanoma itself is cut out too."
    elif close(found, expected[0]) and close(price, expected[1] * expected[0], to=0.05):
        message = "This divides by all melanomas; divide the alarms by those that are found."
    elif close(found, expected[0]):
        message = "The sensitivity is right. Divide all alarms by the melanomas among them."
    else:
        message = "Fix the threshold on the validation part, then count alarms on the test part."
    wanted = f"at the largest threshold with {goal:.0%} on validation: two numbers of the test part"
    return wrong(message, got=got, expected=wanted, look=ALARM)


@exercise(wanted="two shares, (promised, kept)", look=WORTH)
def exercise_4(
    answer: object,
    truth: np.ndarray,
    fair: np.ndarray,
    probabilities: np.ndarray,
    *,
    low: float = 0.1,
    high: float = 0.3,
) -> Feedback:
    """Check the mean melanoma bar and the share of melanomas of images within a band.

    Percent are accepted. Mistakes met: the network as trained, the two exchanged, the share of
    all melanomas that lie in the band, the share of others, all images, the promise given twice.

    Parameters
    ----------
    truth : ndarray of int, shape (n,)
        True classes of the test images.
    fair, probabilities : ndarray of float, shape (n, 7)
        With temperature and shares put right, and as trained.
    low, high : float
        The band: from `low` on and below `high`.
    """
    got = _shares(answer)
    expected = _kept(truth, fair, low, high)
    trained = _kept(truth, probabilities, low, high)
    if _near(got, expected):
        text = f"As trained, {trained[0]:.3f} were promised and {trained[1]:.3f} kept"
        return right(f"{text}, on other images.", got=got)
    inside = (fair[:, MEL] >= low) & (fair[:, MEL] < high)
    melanoma = truth == MEL
    if _near(got, expected[::-1]):
        message = "The two are exchanged: the mean bar first, then the share that are melanomas."
    elif _near(got, trained):
        message = "This is the network as trained; take fair, with temperature and shares."
    elif close(got[1], inside[melanoma].mean()):
        message = "This is which share of all melanomas lies here; asked: of those here, how many?"
    elif close(got[1], 1 - expected[1]):
        message = "This is the share that is no melanoma."
    elif _near(got, (fair[:, MEL].mean(), melanoma.mean())):
        message = "These are the means over all images; select those within the band first."
    elif close(got[0], expected[0]) and close(got[1], got[0], to=1e-6):
        message = "This is the promise twice; the second number comes from the true classes."
    elif close(got[0], expected[0]):
        message = "The promise is right. Kept is the mean of truth == mel over the same images."
    else:
        message = "Make a mask of the images whose melanoma bar lies in the band, then two means."
    wanted = f"two means over the images with {low:g} <= fair[:, mel] < {high:g}"
    return wrong(message, got=got, expected=wanted, look=WORTH)


# What the open answer should name, each by any of several word stems.
ELEMENTS = {
    "what the 18 refer to (of which hundred lesions?)": (
        r"of (a|one|every|each|\d+) ?hundred|in (a|one|every|each|\d+) ?hundred|(of|in|out of) 100|"
        r"calibrat|honest|those (images|lesions|people)|which (images|lesions|hundred|people)|"
        r"(common|rare|frequent)|prevalence|prior|base rate|bayes|collection|general practice|"
        r"other (clinic|camera|people|lesion)|another (clinic|camera)|test part|lesions like|"
        r"vienna|queensland|(measured|counted|found) (on|in|among)|chosen|picked|her patients|"
        r"(pictures|images|lesions) (from|of) (\w+ ){0,3}(clinic|hospital)"
    ),
    "what is weighed (a melanoma missed against a cut, or a wait)": (
        r"\bmiss|\bscar|\bcut|excis|biops|harm|\bcosts?\b|false alarm|\bwait|worry|anxi|fear|delay|"
        r"threshold|weigh|nothing is found|in vain|worse than|overlook|unnecessary|outweigh|"
        r"\bdying|\bdeath|\bdies?\b"
    ),
    "what is done next, and by whom": (
        r"refer|dermatolog|specialist|patholog|microscop|histolog|second (look|opinion)|"
        r"(look|photograph|see|seen|come|check)\w* (her |it |again|back|once more)|examin|"
        r"decid|together|explain|tell her|talk|ask her|three months|two weeks|fortnight|"
        r"sends? (her|judith)|skin (doctor|clinic)|appointment"
    ),
}


@exercise(
    wanted="a text of two to five sentences", look="section 'What this model may not be used for'"
)
def exercise_5(answer: object, *, fewest: int = 25) -> Feedback:
    """Look in the open answer for what the number refers to, what is weighed, and what is done.

    It looks for words and cannot judge an argument. Named are: a text that is too short, and each
    of the three elements that is missing.
    """
    look = "section 'What is a melanoma worth?', and 'What this model may not be used for'"
    return essay(answer, ELEMENTS, fewest=fewest, look=look)


def _shares(answer: object) -> np.ndarray:
    """Return two shares; numbers above 1 are read as percent."""
    answer = list(answer.values()) if isinstance(answer, Mapping) else answer
    got = array(answer, shape=(2,)).astype(float)
    return got / 100 if (got > 1).any() else got


def _near(got: np.ndarray, one: tuple[float, float]) -> bool:
    return all(close(g, o) for g, o in zip(got, one, strict=True))


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
