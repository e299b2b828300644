"""Self-checks of chapter 7: an alarm, a promise, a net benefit, and what to do with 18 %."""

import numpy as np

from exercises.base import compare, exercise, numbers, open_question
from utils.calibration import threshold_for_sensitivity
from utils.classes import DX

MEL = DX.index("mel")


@exercise(
    "two numbers, (sensitivity, alarms for each melanoma found)",
    "'A threshold for melanoma, and its price'",
)
def exercise_1(
    answer, truth, probabilities, validation_truth, validation_answers, *, goal=0.95, before=0.9
):
    """Check what an alarm does on the test part whose threshold reaches `goal` on validation."""
    # `before` is the chapter's goal.
    test = truth == MEL, probabilities[:, MEL]
    validation = validation_truth == MEL, validation_answers[:, MEL]
    of_validation, find = (validation_truth, validation_answers), threshold_for_sensitivity
    threshold = find(*of_validation, sensitivity=goal)
    found, price = _alarm(*test, threshold)
    got = numbers(answer, 2)
    got[0] = got[0] / 100 if got[0] > 1 else got[0]
    expected = f"two numbers of the test part, at the threshold with {goal:.0%} on validation"
    return compare(got, [
        ((found, price),
         f"The goal was {goal:.0%}. What a threshold keeps on new lesions is seen only there."),
        (_alarm(*validation, threshold), "These are of the validation part; report the test part."),
        (_alarm(*test, find(truth, probabilities, sensitivity=goal)),
         "This threshold was chosen on the test part, which proves nothing any more."),
        (_alarm(*test, find(*of_validation, sensitivity=before)),
         f"This is the chapter's threshold, for {before:.0%}; the goal is {goal:.0%} now."),
        ((found, 1 / price), "The second is the PPV; alarms per melanoma are 1 over it.", 0.005),
        ((found, price - 1), "These are the false alarms; the melanoma itself is cut out too."),
        ((found, price * found), "This divides by all melanomas; divide by those that are found."),
        (found, "The sensitivity is right. Divide all alarms by the melanomas among them."),
        (..., "Fix the threshold on the validation part, then count alarms on the test part."),
    ], expected, within=(0.005, 0.05))  # fmt: skip


@exercise("two shares, (promised, kept)", "'The melanoma bar'")
def exercise_2(answer, truth, mended, probabilities, *, low=0.1, high=0.3):
    """Check the mean melanoma bar and the share of melanomas of images within a band."""
    # The band goes from `low` on to below `high`.
    got, melanoma = numbers(answer, 2), truth == MEL
    promised, kept = _kept(melanoma, mended, low, high)
    trained = _kept(melanoma, probabilities[:, MEL], low, high)
    inside = (mended >= low) & (mended < high)
    return compare(got, [
        ((promised, kept),
         f"As trained, {trained[0]:.3f} were promised and {trained[1]:.3f} kept, on other images."),
        (trained, "This is the network as trained; take the mended bars."),
        ((None, inside[melanoma].mean()),
         "This is which share of all melanomas lies here; asked: of those here, how many?"),
        ((None, 1 - kept), "This is the share that is no melanoma."),
        ((mended.mean(), melanoma.mean()),
         "These are the means over all images; select those within the band first."),
        ((promised, None) if got[0] == got[1] else False,
         "This is the promise twice; the second number comes from the true classes."),
        (promised, "The promise is right. Kept is the mean of is_melanoma over the same images."),
        (..., "Make a mask of the images whose melanoma bar lies in the band, then two means."),
    ], f"two means over the images with {low:g} <= mended < {high:g}", percent=True)  # fmt: skip


@exercise(
    "two numbers, (net benefit of the mended bars, of cutting out all)",
    "'What is a melanoma worth?'",
)
def exercise_3(answer, truth, mended, *, risk=0.2, before=0.1):
    """Check the net benefit of acting on the bars from `risk` on, and of cutting out all."""
    # `before` is the chapter's risk.
    melanoma, weight = truth == MEL, risk / (1 - risk)
    right, everybody = _benefit(melanoma, mended, risk, weight), np.ones(len(truth))
    all_cut = _benefit(melanoma, everybody, risk, weight)
    return compare(numbers(answer, 2), [
        ((right, all_cut),
         f"Below 0, a plan does worse than cutting out none; {risk:.0%} is above the share of "
         "melanomas."),
        (_benefit(melanoma, mended, risk, risk),
         f"A false alarm weighs risk / (1 - risk), here {weight:.3g}, not the risk itself."),
        (_benefit(melanoma, mended, risk, 1), "Here a false alarm weighs as much as a melanoma."),
        (_benefit(melanoma, mended, before, before / (1 - before)),
         f"This is for a risk of {before:.0%}, as in the chapter."),
        (_benefit(melanoma, mended, before, weight),
         f"The weight is right; the alarm is still at {before:.0%}."),
        (right * len(truth), "This is the sum; divide by the number of images."),
        (right, "The first is right. The second: every image raises the alarm."),
        (..., "Count hits and false alarms at this risk, weigh the second, divide by all images."),
    ], "(hits - weight * false alarms) / images, twice, four decimals", within=0.0005)  # fmt: skip


exercise_4 = open_question("a text of two to five sentences", fewest=25, elements={
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
}, look="'What is a melanoma worth?', and exercise 2")  # fmt: skip


def _alarm(positive: np.ndarray, scores: np.ndarray, threshold: float) -> tuple[float, float]:
    alarm = scores >= threshold
    return float(alarm[positive].mean()), float(alarm.sum() / max((alarm & positive).sum(), 1))


def _kept(melanoma: np.ndarray, bars: np.ndarray, low: float, high: float) -> tuple[float, float]:
    inside = (bars >= low) & (bars < high)
    return float(bars[inside].mean()), float(melanoma[inside].mean())


def _benefit(melanoma: np.ndarray, bars: np.ndarray, risk: float, weight: float) -> float:
    alarm = bars >= risk
    return float(((alarm & melanoma).sum() - weight * (alarm & ~melanoma).sum()) / len(bars))
