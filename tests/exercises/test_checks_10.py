"""Self-checks of chapter 10: right answers in several ways, and the mistakes they know."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from exercises import chapter_10 as check

RNG = np.random.default_rng(0)
VALIDATION, OWN = RNG.gamma(8, 0.12, 300), RNG.gamma(8, 0.125, 250)
SPOTS = RNG.gamma(12, 0.13, 60)
STRANGE = np.concatenate([SPOTS, RNG.gamma(8, 0.8, 140)])
THRESHOLD = 1.6
OURS = RNG.dirichlet([0.3] * 7, 250)
THEIRS = RNG.dirichlet([0.5] * 7, 200)
FIRST = (OWN, STRANGE, THRESHOLD)
SECOND = (VALIDATION, OWN, SPOTS)
THIRD = (OURS, THEIRS, OWN, STRANGE)


def share(values, threshold):
    return sum(float(v) > threshold for v in values) / len(values)


Q9 = np.quantile(VALIDATION, 0.9)


def both(threshold):
    return share(OWN, threshold), share(SPOTS, threshold)


UNSURE = np.concatenate([1 - OURS.max(axis=1), 1 - THEIRS.max(axis=1)])
LABELS = np.repeat([0, 1], [250, 200])
PAIRS = (UNSURE[250:, None] > UNSURE[:250]).mean()
REASONED = [
    "People with dark skin are excluded from the benefit, and a cancer may be found too late. The "
    "training images hardly show them. I would collect such images and tell every user about it.",
    "It denies one group what others get. The reason is the data, which come from light skin. "
    "Until it has been tested there, refer all who are refused to a doctor, and say so openly.",
    "People of colour get no benefit from the tool: their melanomas are spotted too late. It only "
    "ever met pale patients. Gather more diverse pictures, and until then warn all openly.",
]

CALLS = {
    1: lambda answer: check.exercise_1(answer, *FIRST),
    2: lambda answer: check.exercise_2(answer, *SECOND),
    3: lambda answer: check.exercise_3(answer, *THIRD),
    4: check.exercise_4,
}
RIGHT = [
    (1, 500 * (OWN > THRESHOLD).mean()),
    (1, len([v for v in OWN if v > THRESHOLD]) * 2),
    (1, round(share(OWN, THRESHOLD) * 500)),
    (1, np.float32(500 * share(OWN, THRESHOLD))),
    (2, ((OWN > Q9).mean(), (SPOTS > Q9).mean())),
    (2, [share(OWN, Q9), share(SPOTS, Q9)]),
    (2, np.round([100 * share(OWN, Q9), 100 * share(SPOTS, Q9)], 1)),
    (2, pd.Series({"test": share(OWN, Q9), "spots": share(SPOTS, Q9)})),
    (3, roc_auc_score(LABELS, UNSURE)),
    (3, PAIRS),
    (3, round(PAIRS, 2)),
    *((4, text) for text in REASONED),
]  # fmt: skip
MISTAKES = [
    (3, PAIRS + 0.03, "The label is 1"),  # near, and not near enough
    (1, share(OWN, THRESHOLD), "asks how many"),
    (1, 100 * share(OWN, THRESHOLD), "asks how many"),
    (1, 500 * share(STRANGE, THRESHOLD), "strangers"),
    (1, 15, "validation"),
    (1, 500 * (OWN <= THRESHOLD).mean(), "get an answer"),
    (1, 77, "share of test images"),
    (2, both(Q9)[::-1], "order"),
    (2, both(np.quantile(OWN, 0.9)), "comes from the test images"),
    (2, both(np.quantile(VALIDATION, 0.1)), "least strange"),
    (2, both(np.quantile(VALIDATION, 0.97)), "old threshold"),
    (2, tuple(1 - x for x in both(Q9)), "get an answer"),
    (2, (0.5, 0.5), "Set the threshold"),
    (2, 0.08, "two are wanted"),
    (3, 1 - PAIRS, "sure ones"),
    (3, roc_auc_score(LABELS, np.concatenate([OWN, STRANGE])), "of the strangeness"),
    (3, THEIRS.max(axis=1).mean(), "mean probability"),
    (3, 0.123, "The label is 1"),
    (3, [1, 2], "2 numbers"),
    (4, "It is unfair.", "argument needs at least 25"),
    (4, "The accuracy is high, so nothing has to be done, and the number of refusals is what one "
     "would expect of any program that somebody makes for this kind of purpose.", "who is harmed"),
    (4, "People with dark skin are excluded and harmed, because the training images show light "
     "skin and hardly anything else, and so it is with such programs everywhere.", "to do"),
]  # fmt: skip
