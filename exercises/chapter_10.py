"""Self-checks of chapter 10: putting it to use."""

import re

import numpy as np
from sklearn.metrics import roc_auc_score

from exercises.base import Feedback, WrongKind, array, close, exercise, number, right, wrong

REFUSAL = "section 'How strange is an image?'"


@exercise(wanted="a number of lesions, such as 40", look=REFUSAL)
def exercise_1(
    answer: object, own: np.ndarray, strange: np.ndarray, threshold: float, *, lesions: int = 500
) -> Feedback:
    """Check how many of `lesions` real lesions a practice would be sent away with.

    Mistakes met: the share in place of the number, the refused strangers, the share of the
    validation images that the threshold was set by.
    """
    got = number(answer)
    share = float((np.asarray(own) > threshold).mean())
    foreign = float((np.asarray(strange) > threshold).mean())
    if close(got, share * lesions, to=0.51):
        return right(f"Some {share * lesions:.0f} people would be sent away unanswered.", got=got)
    if close(got, share, to=0.0006) or close(got, 100 * share, to=0.06):
        message = f"This is the share that is refused; the question asks how many of {lesions:,}."
    elif close(got, foreign * lesions, to=0.51):
        message = "These are strangers; the practice photographs lesions, so use the test images."
    elif close(got, 0.03 * lesions, to=0.01):
        message = (
            "3 % is the share of the validation images, which set the threshold; take the test's."
        )
    elif close(got, (1 - share) * lesions, to=0.51):
        message = "These get an answer; the question asks how many get none."
    else:
        message = "Take the share of test images above the threshold, times the lesions."
    expected = f"the refused share of the test images, times {lesions:,}"
    return wrong(message, got=got, expected=expected, look=REFUSAL)


@exercise(wanted="two shares, (of the test images, of the far spots)", look=REFUSAL)
def exercise_2(
    answer: object, validation: np.ndarray, own: np.ndarray, spots: np.ndarray
) -> Feedback:
    """Check the shares above a threshold that 10 % of the validation images exceed.

    Mistakes met: the threshold taken from the test images, the quantile of the other end, the
    order turned round.
    """
    got = array(answer).astype(float).ravel()
    if got.size != 2:
        raise WrongKind(f"These are {got.size} numbers; two are wanted, test images first.")
    validation, own, spots = (np.asarray(part) for part in (validation, own, spots))

    def above(threshold: float) -> np.ndarray:
        return np.array([(own > threshold).mean(), (spots > threshold).mean()])

    def same(expected: np.ndarray) -> bool:
        return all(close(a, b) for a, b in zip(got, expected, strict=True)) or all(
            close(a, 100 * b, to=0.5) for a, b in zip(got, expected, strict=True)
        )

    wanted = above(np.quantile(validation, 0.9))
    if same(wanted):
        return right("More strangers are caught, and more patients are sent away.", got=got)
    if same(wanted[::-1]):
        message = "The order is turned round: test images first, far spots second."
    elif same(above(np.quantile(own, 0.9))):
        message = "This threshold comes from the test images; they may only be judged by it."
    elif same(above(np.quantile(validation, 0.1))):
        message = "This is the tenth that is least strange; refused are those at the upper end."
    elif same(above(np.quantile(validation, 0.97))):
        message = "This is the old threshold, which 3 % of the validation images exceed."
    elif same(1 - wanted):
        message = "These are the shares that get an answer; the question asks for the refused."
    else:
        message = "Set the threshold on the validation images, then count who is above it."
    expected = "shares above the 0.9 quantile of the validation images, test images first"
    return wrong(message, got=got, expected=expected, look=REFUSAL)


@exercise(wanted="an AUC between 0 and 1", look="section 'A softmax always answers'")
def exercise_3(
    answer: object,
    own_probabilities: np.ndarray,
    strange_probabilities: np.ndarray,
    own: np.ndarray,
    strange: np.ndarray,
) -> Feedback:
    """Check the AUC of "not sure" (1 minus the largest probability) for finding strangers.

    Mistakes met: sure in place of not sure, the AUC of the strangeness, a mean probability.
    """
    got = number(answer)
    sure = [np.asarray(p).max(axis=1) for p in (own_probabilities, strange_probabilities)]
    foreign = np.repeat([0, 1], [len(part) for part in sure])
    expected = float(roc_auc_score(foreign, 1 - np.concatenate(sure)))
    look = "section 'A softmax always answers'"
    if close(got, expected, to=0.006):
        return right("How sure a network is says little about whether it should answer.", got=got)
    if close(got, 1 - expected, to=0.006):
        message = "This takes the sure ones for strangers; a stranger should be the unsure one."
    elif close(got, roc_auc_score(foreign, np.concatenate([own, strange])), to=0.006):
        message = (
            "This is the AUC of the strangeness; here the largest probability is asked to do it."
        )
    elif any(close(got, part.mean()) for part in sure):
        message = "This is a mean probability; the AUC compares every stranger with every lesion."
    else:
        message = "The label is 1 for strangers, the score 1 minus the largest probability."
    told = "roc_auc_score(1 for strangers, 1 - largest probability)"
    return wrong(message, got=got, expected=told, look=look)


# What a reasoned answer about the refusal of dark skin says, each by some of its words.
ELEMENTS = {
    "who is harmed, and how": (
        "harm exclu denied denies deny unequal inequal unfair fair access delay miss later worse"
        " left discriminat disadvantag benefit late wait longer danger risk undetected calm"
    ),
    "why it happens, in the data": (
        "train data seen represent sample rare light pale vienna queensland"
        " unknown untested collect austria australia europe white"
    ),
    "what to do about it": (
        "collect test measure validat report tell inform warn label monitor doctor dermatolog"
        " refer stop withdraw retrain study gather recruit diverse advis physician publish"
    ),
}


@exercise(wanted="a text of some sentences", look="section 'The lamp grows old'")
def exercise_4(answer: object) -> Feedback:
    """Look for the elements of a reasoned answer; whether it convinces, no program can say.

    Mistakes met: too short a text, a text about accuracy alone, a text without a remedy.
    """
    look = "section 'The lamp grows old'"
    if not isinstance(answer, str):
        raise WrongKind(f"This is {type(answer).__name__}; a text is wanted.")
    words = answer.split()
    if not words:
        return Feedback(None, "Write some sentences between the quotes.")
    expected = "who is harmed, why it happens, and what to do, in 25 words or more"
    if len(words) < 25:
        message = f"{len(words)} words are too few to give a reason; write 25 or more."
        return wrong(message, got=answer, expected=expected, look=look)
    text = answer.lower()
    missing = [name for name, stems in ELEMENTS.items() if not _names(text, stems)]
    if missing:
        message = (
            f"This check looks for words and found none for: {', '.join(missing)}. If it is "
            "there in other words, trust yourself."
        )
        return wrong(message, got=answer, expected=expected, look=look)
    return right(
        "It names who is harmed, a reason and a remedy. This check found the words; whether the "
        "argument holds, discuss with somebody."
    )


def _names(text: str, stems: str) -> bool:
    return any(re.search(rf"\b{stem}", text) for stem in stems.split() if len(stem) > 3)
