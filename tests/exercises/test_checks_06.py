"""Self-checks of chapter 6: right answers in several ways, and the mistakes they know."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from exercises import chapter_06 as check
from utils.classes import DX

MEL = DX.index("mel")
RNG = np.random.default_rng(5)


def answers(images_of: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return made-up labels, and probabilities that are often right."""
    labels = np.repeat(np.arange(7), images_of)
    scores = RNG.normal(size=(len(labels), 7)) * 1.6
    scores[np.arange(len(labels)), labels] += 2.0
    powers = np.exp(scores)
    return labels, powers / powers.sum(axis=1, keepdims=True)


TRUTH, P = answers([60, 90, 200, 30, 900, 30, 190])
CHECKED, CHECKED_P = answers([30, 40, 90, 12, 400, 12, 83])
SHARES = np.bincount(TRUTH) / len(TRUTH)
FAIR = P * SHARES / (P * SHARES).sum(axis=1, keepdims=True)
PREDICTED = P.argmax(axis=1)
COUNTS = confusion_matrix(TRUTH, PREDICTED)
IS, CALLED = TRUTH == MEL, PREDICTED == MEL
COMMON = 0.05

# By image in place of by matrix.
CANCERS = [DX.index(dx) for dx in ("akiec", "bcc", "mel")]
TO_SEE, SEEN = np.isin(TRUTH, CANCERS), np.isin(PREDICTED, CANCERS)
FOUND, SPARED = SEEN[TO_SEE].mean(), (~SEEN[~TO_SEE]).mean()
TABLE = pd.crosstab(TO_SEE, SEEN)

# 100,000 people with a sum for each of the four boxes.
PEOPLE = 100_000
HITS = PEOPLE * COMMON * CALLED[IS].mean()
FALSE = PEOPLE * (1 - COMMON) * CALLED[~IS].mean()
HERE = IS[CALLED].mean()


def alarm(goal, fitted=(CHECKED, CHECKED_P), judged=(TRUTH, P)):
    """Sensitivity and alarms for each melanoma found, counted down from the largest bar."""
    (checked, bars), (truth, given) = fitted, judged
    of_melanomas = sorted(bars[checked == MEL, MEL], reverse=True)
    k = next(k for k in range(1, 999) if k / len(of_melanomas) >= goal)
    raised, melanoma = given[:, MEL] >= of_melanomas[k - 1], truth == MEL
    return (raised & melanoma).sum() / melanoma.sum(), raised.sum() / (raised & melanoma).sum()


FOUND_95, PRICE_95 = alarm(0.95)
BAND = np.flatnonzero((FAIR[:, MEL] >= 0.1) & (FAIR[:, MEL] < 0.3))
KEPT = pd.DataFrame({"bar": FAIR[:, MEL], "is": IS}).query("0.1 <= bar < 0.3").mean()
PARTS = {"validation_truth": CHECKED, "validation_answers": CHECKED_P}
GIVEN = {
    1: {"counts": COUNTS},
    2: {"counts": COUNTS, "common": COMMON},
    3: {"truth": TRUTH, "probabilities": P, "goal": 0.95, **PARTS},
    4: {"truth": TRUTH, "fair": FAIR, "probabilities": P},
}
RIGHT = {
    1: [(FOUND, SPARED),
        [TABLE.loc[True, True] / TABLE.loc[True].sum(), TABLE.loc[False, False] / (~TO_SEE).sum()],
        np.round([100 * FOUND, 100 * SPARED], 1), {"sensitivity": FOUND, "specificity": SPARED}],
    2: [HITS / (HITS + FALSE), round(1 / (1 + FALSE / HITS), 3),
        100 * COUNTS[MEL, MEL] / (COUNTS[MEL, MEL] + COUNTS[:MEL, MEL].sum() * IS.mean()
        / (~IS).mean() * (1 - COMMON) / COMMON)],
    3: [alarm(0.95), dict(zip(("found", "price"), alarm(0.95), strict=True)),
        tuple(SimpleNamespace(value=x, low=x, high=x) for x in alarm(0.95)),
        (round(100 * FOUND_95, 1), round(PRICE_95, 1))],
    4: [(FAIR[BAND, MEL].mean(), np.bincount(TRUTH[BAND])[MEL] / len(BAND)), KEPT,
        np.round(100 * KEPT.to_numpy(), 1)],
    5: ["Of a hundred lesions like these with such a bar, some eighteen were melanomas; in "
        "general practice they are rarer, so it will be fewer. A melanoma missed weighs far "
        "more than a scar, so the doctor refers her to a dermatologist and tells her why.",
        "The figure was measured on pictures from Vienna. Dying of a melanoma is worse than a "
        "stitch, so she sends Judith on to a skin clinic within a fortnight, and says so.",
        "The collection has one melanoma in nine images, so the number means little for other "
        "people. To wait may let it spread, to cut leaves a mark; she should decide together with "
        "her doctor, and have the lesion examined under the microscope."],
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
    3: [(alarm(0.95, judged=(CHECKED, CHECKED_P)), "validation part; report"),
        (alarm(0.95, fitted=(TRUTH, P)), "chosen on the test part"), (alarm(0.9), "for 90%"),
        ((FOUND_95, 1 / PRICE_95), "is the PPV"), ((FOUND_95, PRICE_95 - 1), "the false alarms"),
        ((FOUND_95, FOUND_95 * PRICE_95), "divides by all melanomas"),
        ((FOUND_95, 99), "sensitivity is right"), ((0.1, 99), "Fix the threshold")],
    4: [((KEPT["is"], KEPT["bar"]), "exchanged"), (check._kept(TRUTH, P, 0.1, 0.3), "as trained"),
        ((KEPT["bar"], np.isin(np.flatnonzero(IS), BAND).mean()), "all melanomas lies here"),
        ((KEPT["bar"], (TRUTH[BAND] != MEL).mean()), "is no melanoma"),
        ((FAIR[:, MEL].mean(), IS.mean()), "over all images"),
        ((KEPT["bar"], KEPT["bar"]), "promise twice"), ((KEPT["bar"], 0.55), "promise is right"),
        ((0.9, 0.9), "Make a mask")],
    5: [("Of a hundred such lesions 18 are melanomas; refer her, a scar is small.", "has 14 words"),
        ("A melanoma missed is worse than a scar, so the doctor should refer her this week. " * 2,
         "what the 18 refer to"),
        ("Of a hundred lesions like this one, eighteen were bad. The doctor refers her today. " * 2,
         "what is weighed"),
        ("Of a hundred lesions like this one eighteen were bad. To miss one is worse than a scar. "
         * 2, "what is done next")],
}  # fmt: skip
HIGH = P[:, MEL] >= 0.6
OTHERWISE = [
    (1, {"counts": 4 * np.eye(7)}, (1, 1), True, ""),
    (2, {"counts": 4 * np.eye(7), "common": 0.001}, 1, True, ""),
    (2, {"common": IS.mean()}, HERE, True, ""),
    *((3, {"goal": g}, alarm(g), True, "") for g in (0.05, 0.5, 0.8, 0.9, 1.0, 74 / 83)),
    (4, {"fair": P, "low": 0.6, "high": 1.1}, (P[HIGH, MEL].mean(), IS[HIGH].mean()), True, ""),
]
