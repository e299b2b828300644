import numpy as np
from sklearn.metrics import roc_auc_score

RNG = np.random.default_rng(0)
VALIDATION, OWN = RNG.gamma(8, 0.12, 300), RNG.gamma(8, 0.125, 250)
SPOTS = RNG.gamma(12, 0.13, 60)
STRANGE = np.concatenate([SPOTS, RNG.gamma(8, 0.8, 140)])
THRESHOLD = 1.6
OURS = RNG.dirichlet([0.3] * 7, 250)
THEIRS = RNG.dirichlet([0.5] * 7, 200)
Q9 = np.quantile(VALIDATION, 0.9)
REFUSED = (OWN > THRESHOLD).mean()


def both(threshold):
    return (OWN > threshold).mean(), (SPOTS > threshold).mean()


UNSURE = np.concatenate([1 - OURS.max(axis=1), 1 - THEIRS.max(axis=1)])
LABELS = np.repeat([0, 1], [250, 200])
BOTH = np.sort(np.concatenate([OURS, THEIRS]))
MARGIN = roc_auc_score(LABELS, BOTH[:, -2] - BOTH[:, -1])
PAIRS = (UNSURE[250:, None] > UNSURE[:250]).mean()
GIVEN = {"own": OWN, "strange": STRANGE, "threshold": THRESHOLD, "validation": VALIDATION}
GIVEN |= {"spots": SPOTS, "own_probabilities": OURS, "strange_probabilities": THEIRS}
RIGHT = {
    1: [np.float32(500 * REFUSED), round(REFUSED * 500)],
    2: [both(Q9), np.round([100 * x for x in both(Q9)], 1)],
    3: [roc_auc_score(LABELS, UNSURE), PAIRS, round(PAIRS, 2)],
    4: ["People with dark skin are excluded from the benefit, and a cancer may be found too late. "
        "The training images hardly show them. I would collect such images and tell every user "
        "about it.",
        "It denies one group what others get. The reason is the data, which come from light skin. "
        "Until it has been tested there, refer all who are refused to a doctor, and say so openly.",
        "People of colour get no benefit from the tool: their melanomas are spotted too late. It "
        "only ever met pale patients. Gather more diverse pictures, and until then warn all "
        "openly."],
}  # fmt: skip
MISTAKES = {
    1: [(REFUSED, "asks how many"), (100 * REFUSED, "asks how many"),
        (500 * (STRANGE > THRESHOLD).mean(), "strangers"), (15, "validation"),
        (500 * REFUSED + 0.4, "share of test images"),
        (500 * (OWN <= THRESHOLD).mean(), "get an answer"), (77, "share of test images")],
    2: [(both(Q9)[::-1], "exchanged"), (both(np.quantile(OWN, 0.9)), "comes from the test images"),
        (both(np.quantile(VALIDATION, 0.1)), "least strange"),
        (both(np.quantile(VALIDATION, 0.97)), "old threshold"),
        (tuple(1 - x for x in both(Q9)), "get an answer"), ((0.5, 0.5), "Set the threshold"),
        (0.08, "two are wanted")],
    3: [(1 - PAIRS + 0.0055, "sure ones"),
        (roc_auc_score(LABELS, np.concatenate([OWN, STRANGE])), "of the strangeness"),
        (THEIRS.max(axis=1).mean(), "mean probability"), (0.123, "The label is 1"),
        (PAIRS + 0.004, "The label is 1"), (MARGIN, "two largest")],  # near, and not near enough
    4: [("It is unfair.", "argument needs at least 25"),
        ("The accuracy is high, so nothing has to be done, and the number of refusals is what one "
         "would expect of any program that somebody makes for this kind of use.", "who is harmed"),
        ("People with dark skin are excluded and harmed, because the training images show light "
         "skin and hardly anything else, and so it is with such programs everywhere.", "to do")],
}  # fmt: skip
OTHERWISE = [(1, {"lesions": 40}, 40 * REFUSED, True, "")]
