import numpy as np
from sklearn.metrics import confusion_matrix, roc_auc_score

from utils.classes import DX

MEL, NV = DX.index("mel"), DX.index("nv")
RNG = np.random.default_rng(5)


def answers(images_of: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return made-up labels, and probabilities that are often right."""
    labels = np.repeat(np.arange(7), images_of)
    scores = RNG.normal(size=(len(labels), 7)) * 1.6
    scores[np.arange(len(labels)), labels] += 2.0
    powers = np.exp(scores)
    return labels, powers / powers.sum(axis=1, keepdims=True)


TRUTH, P = answers([60, 90, 200, 30, 900, 30, 190])
PREDICTED = P.argmax(axis=1)
COUNTS = confusion_matrix(TRUTH, PREDICTED)
IS, CALLED = TRUTH == MEL, PREDICTED == MEL
COMMON = 0.05
SENT = COUNTS[MEL, NV]

# By image in place of by matrix.
CANCERS = [DX.index(dx) for dx in ("akiec", "bcc", "mel")]
TO_SEE, SEEN = np.isin(TRUTH, CANCERS), np.isin(PREDICTED, CANCERS)
FOUND, SPARED = SEEN[TO_SEE].mean(), (~SEEN[~TO_SEE]).mean()

# 100,000 people with a sum for each of the four boxes.
PEOPLE = 100_000
HITS = PEOPLE * COMMON * CALLED[IS].mean()
FALSE = PEOPLE * (1 - COMMON) * CALLED[~IS].mean()
HERE = IS[CALLED].mean()

AUC = np.mean([a > b for a in P[IS, MEL] for b in P[~IS, MEL]])
GIVEN = {"counts": COUNTS, "common": COMMON, "truth": TRUTH, "probabilities": P}
RIGHT = {
    1: [(FOUND, SPARED), np.round([100 * FOUND, 100 * SPARED], 1)],
    2: [HITS / (HITS + FALSE), round(1 / (1 + FALSE / HITS), 3), 100 * HITS / (HITS + FALSE)],
    3: [AUC, round(100 * AUC, 1), roc_auc_score(IS, P[:, MEL])],
    4: [f"There are {SENT} melanomas among them. Each of these people goes home with a cancer that "
        "spreads. First one has to know how common melanomas are in that practice.",
        f"Of all melanomas {100 * SENT / COUNTS[MEL].sum():.0f} % hide there and are missed, "
        "so they are treated late. A doctor should look at them, or the threshold has to change.",
        f"It is {100 * SENT / COUNTS[:, NV].sum():.1f} % melanomas. To miss one is worse than a "
        "needless visit, and nobody has tested it on the patients of the practice, so they stay."],
}  # fmt: skip

OF_CLASS = np.diag(COUNTS) / COUNTS.sum(axis=1)
DIAGONAL = np.isin(np.arange(7), CANCERS)
TWO = [k for k in CANCERS if DX[k] != "akiec"]

MISTAKES = {
    1: [((SPARED, FOUND), "exchanged"),
        ((np.diag(COUNTS)[CANCERS].sum() / TO_SEE.sum(), SPARED), "the diagonal alone"),
        ((OF_CLASS[CANCERS].mean(), OF_CLASS[~DIAGONAL].mean()), "mean of three"),
        ((TO_SEE[SEEN].mean(), SPARED), "a precision"),
        ((1 - FOUND, 1 - SPARED), "share that is missed"),
        ((np.isin(PREDICTED, TWO)[np.isin(TRUTH, TWO)].mean(),
         (~np.isin(PREDICTED, TWO))[~np.isin(TRUTH, TWO)].mean()), "akiec is missing"),
        ((FOUND, (PREDICTED == TRUTH)[~TO_SEE].mean()), "may stay as well"),
        ((FOUND, 0.111), "The first is right"), ((0.111, 0.111), "three rows")],
    2: [(HERE, "PPV of the test part"), (CALLED[IS].mean(), "This is the sensitivity"),
        ((HITS + FALSE) / HITS, "1 over it"), (HERE * COMMON / IS.mean(), "in proportion"),
        (HITS / PEOPLE, "all lesions that are hits"),
        ((HITS + FALSE) / PEOPLE, "share of lesions that are called"),
        (FALSE / (HITS + FALSE), "share of false alarms"), (0.9999, "10,000 lesions")],
    3: [(1 - AUC, "the other pairs"), (CALLED[IS].mean(), "This is the sensitivity"),
        ((CALLED[IS].mean() + (~CALLED[~IS]).mean()) / 2, "mean of sensitivity and specificity"),
        ((P[IS, MEL] > P[~IS, MEL].mean()).mean(), "not with their mean"),
        (P[IS, MEL].mean() - P[~IS, MEL].mean(), "two means"), (0.05, "For each melanoma")],
    4: [(f"{SENT} melanomas are missed; let a doctor look.", "has 8 words"),
        ("Melanomas are missed and these people are sent home, so a doctor has to look again. " * 2,
         "how many melanomas"),
        (f"Of those called nevus {SENT} are melanomas, and patients are in the practice. " * 2,
         "what that means"),
        (f"Of those called nevus {SENT} are melanomas and so they are missed, which is bad. " * 2,
         "to do first")],
}  # fmt: skip
OTHERWISE = [
    (1, {"counts": 4 * np.eye(7)}, (1, 1), True, ""),
    (2, {"counts": 4 * np.eye(7), "common": 0.001}, 1, True, ""),
    (2, {"common": IS.mean()}, HERE, True, ""),
    (3, {"probabilities": np.eye(7)[TRUTH]}, 1, True, ""),
]
