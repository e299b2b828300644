"""Self-checks of chapter 13: putting it to use."""

import numpy as np
from sklearn.metrics import roc_auc_score

from exercises.base import close, compare, exercise, number, numbers, open_question

REFUSAL = "'How strange is an image?'"


@exercise("a number of lesions, such as 40", REFUSAL)
def exercise_1(answer, own, strange, threshold, *, lesions=500):
    """Check how many of `lesions` real lesions a practice would be sent away with."""
    share, foreign = ((np.asarray(part) > threshold).mean() for part in (own, strange))
    a_share = f"This is the share that is refused; the question asks how many of {lesions:,}."
    got = number(answer)
    rounded = got == round(share * lesions)  # other parts may give a number near by
    return compare(got, [
        (rounded or close(got, share * lesions, 0.06),
         f"Some {share * lesions:.0f} people would be sent away unanswered."),
        (share, a_share, 0.0006),
        (100 * share, a_share, 0.06),
        (foreign * lesions, "These are strangers; a practice has lesions: use the test images."),
        (0.03 * lesions, "3 % is the share of the validation images; take the test's.", 0.01),
        ((1 - share) * lesions, "These get an answer; the question asks how many get none."),
        (..., "Take the share of test images above the threshold, times the lesions."),
    ], f"the refused share of the test images, times {lesions:,}", within=0.51)  # fmt: skip


@exercise("two shares, (of the test images, of the far spots)", REFUSAL)
def exercise_2(answer, validation, own, spots):
    """Check the shares above a threshold that 10 % of the validation images exceed."""

    def above(images: np.ndarray, share: float) -> np.ndarray:
        threshold = np.quantile(images, share)
        return np.array([(own > threshold).mean(), (spots > threshold).mean()])

    truth = above(validation, 0.9)
    return compare(numbers(answer, 2), [
        (truth, "More strangers are caught, and more patients are sent away."),
        (above(own, 0.9), "This threshold comes from the test images; these may only be judged."),
        (above(validation, 0.1), "This tenth is the least strange; refused is the upper end."),
        (above(validation, 0.97), "This is the old threshold, for 3 % of the validation images."),
        (1 - truth, "These are the shares that get an answer; the question asks for the refused."),
        (..., "Set the threshold on the validation images, then count who is above it."),
    ], "shares above the 0.9 quantile of validation, test images first", percent=True)  # fmt: skip


@exercise("an AUC between 0 and 1", "'A softmax always answers'")
def exercise_3(answer, own_probabilities, strange_probabilities, own, strange):
    """Check the AUC of "not sure" (1 minus the largest probability) for finding strangers."""
    sure = [np.asarray(p).max(axis=1) for p in (own_probabilities, strange_probabilities)]
    foreign = np.repeat([0, 1], [len(part) for part in sure])
    auc = roc_auc_score(foreign, 1 - np.concatenate(sure))
    second, first = np.sort(np.concatenate([own_probabilities, strange_probabilities]))[:, -2:].T
    margin = roc_auc_score(foreign, second - first)
    got = number(answer)
    return compare(got, [
        (got == round(auc, 2) or close(got, auc, 0.0015),
         "How sure a network is says little about whether it should answer."),
        (1 - auc, "This takes the sure ones for strangers; a stranger should be the unsure one."),
        (roc_auc_score(foreign, np.concatenate([own, strange])),
         "This is the AUC of the strangeness; here the largest probability is asked to do it."),
        *((part.mean(), "This is a mean probability; the AUC compares strangers with lesions.")
          for part in sure),
        (margin, "This compares the two largest; the score is 1 minus the largest.", 0.0015),
        (..., "The label is 1 for strangers, the score 1 minus the largest probability."),
    ], "roc_auc_score(1 for strangers, 1 - largest probability)", within=0.006)  # fmt: skip


exercise_4 = open_question("a text of some sentences", fewest=25, elements={
    "who is harmed, and how":
        r"\b(harm|exclu|denied|denies|deny|unequal|inequal|unfair|fair|access|delay|miss|later|"
        r"worse|left|discriminat|disadvantag|benefit|late|wait|longer|danger|risk|undetected|calm)",
    "why it happens, in the data":
        r"\b(train|data|seen|represent|sample|rare|light|pale|vienna|queensland|unknown|untested|"
        r"collect|austria|australia|europe|white)",
    "what to do about it":
        r"\b(collect|test|measure|validat|report|tell|inform|warn|label|monitor|doctor|dermatolog|"
        r"refer|stop|withdraw|retrain|study|gather|recruit|diverse|advis|physician|publish)",
}, look="'The lamp grows old'")  # fmt: skip
