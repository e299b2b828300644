from types import SimpleNamespace

import numpy as np
import pandas as pd
from test_checks_06 import IS, MEL, TRUTH, P, answers

from exercises import chapter_07 as check

CHECKED, CHECKED_P = answers([30, 40, 90, 12, 400, 12, 83])
SHARES = np.bincount(TRUTH) / len(TRUTH)
MENDED = (P * SHARES / (P * SHARES).sum(axis=1, keepdims=True))[:, MEL]


def alarm(goal, fitted=(CHECKED, CHECKED_P), judged=(TRUTH, P)):
    """Sensitivity and alarms for each melanoma found, counted down from the largest bar."""
    (checked, bars), (truth, given) = fitted, judged
    of_melanomas = sorted(bars[checked == MEL, MEL], reverse=True)
    k = next(k for k in range(1, 999) if k / len(of_melanomas) >= goal)
    raised, melanoma = given[:, MEL] >= of_melanomas[k - 1], truth == MEL
    return (raised & melanoma).sum() / melanoma.sum(), raised.sum() / (raised & melanoma).sum()


FOUND_95, PRICE_95 = alarm(0.95)
BAND = np.flatnonzero((MENDED >= 0.1) & (MENDED < 0.3))
KEPT = pd.DataFrame({"bar": MENDED, "is": IS}).query("0.1 <= bar < 0.3").mean()


def benefit(risk, bars=MENDED, weight=None):
    """The net benefit, image by image."""
    weight = risk / (1 - risk) if weight is None else weight
    gains = [1 if own else -weight for own, bar in zip(IS, bars, strict=True) if bar >= risk]
    return sum(gains) / len(IS)


ALL = IS.mean() - (~IS).mean() / 4
GIVEN = {"truth": TRUTH, "probabilities": P, "mended": MENDED, "validation_truth": CHECKED}
GIVEN |= {"validation_answers": CHECKED_P}
RIGHT = {
    1: [tuple(SimpleNamespace(value=x, low=x, high=x) for x in alarm(0.95)),
        (round(100 * FOUND_95, 1), round(PRICE_95, 1))],
    2: [KEPT, np.round([100 * MENDED[BAND].mean(), 100 * IS[BAND].mean()], 1)],
    3: [(benefit(0.2), ALL), [round(benefit(0.2), 4), round(ALL, 4)]],
    4: ["Of a hundred lesions like these with such a bar, some eighteen were melanomas; in "
        "general practice they are rarer, so it will be fewer. A melanoma missed weighs far "
        "more than a scar, so the doctor refers her to a dermatologist and tells her why.",
        "The figure was measured on pictures from Vienna. Dying of a melanoma is worse than a "
        "stitch, so she sends Judith on to a skin clinic within a fortnight, and says so.",
        "The collection has one melanoma in nine images, so the number means little for other "
        "people. To wait may let it spread, to cut leaves a mark; she should decide together with "
        "her doctor, and have the lesion examined under the microscope."],
}  # fmt: skip
MISTAKES = {
    1: [(alarm(0.95, judged=(CHECKED, CHECKED_P)), "validation part; report"),
        (alarm(0.95, fitted=(TRUTH, P)), "chosen on the test part"), (alarm(0.9), "for 90%"),
        ((FOUND_95, 1 / PRICE_95), "is the PPV"), ((FOUND_95, PRICE_95 - 1), "the false alarms"),
        ((FOUND_95, FOUND_95 * PRICE_95), "divides by all melanomas"),
        ((FOUND_95, 99), "sensitivity is right"), ((0.1, 99), "Fix the threshold")],
    2: [((KEPT["is"], KEPT["bar"]), "exchanged"),
        (check._kept(IS, P[:, MEL], 0.1, 0.3), "as trained"),
        ((KEPT["bar"], np.isin(np.flatnonzero(IS), BAND).mean()), "all melanomas lies here"),
        ((KEPT["bar"], (TRUTH[BAND] != MEL).mean()), "is no melanoma"),
        ((MENDED.mean(), IS.mean()), "over all images"),
        ((KEPT["bar"], KEPT["bar"]), "promise twice"), ((KEPT["bar"], 0.55), "promise is right"),
        ((0.9, 0.9), "Make a mask")],
    3: [((ALL, benefit(0.2)), "exchanged"), ((benefit(0.2, weight=0.2), ALL), "not the risk"),
        ((benefit(0.2, weight=1), ALL), "as much as a melanoma"),
        ((benefit(0.1), ALL), "a risk of 10%"),
        ((benefit(0.1, weight=0.25), ALL), "still at 10%"),
        ((benefit(0.2) * len(IS), ALL * len(IS)), "divide by the number"),
        ((benefit(0.2), 0.5), "The first is right"), ((0.5, 0.5), "Count hits")],
    4: [("Of a hundred such lesions 18 are melanomas; refer her, a scar is small.", "has 14 words"),
        ("A melanoma missed is worse than a scar, so the doctor should refer her this week. " * 2,
         "what the 18 refer to"),
        ("Of a hundred lesions like this one, eighteen were bad. The doctor refers her today. " * 2,
         "what is weighed"),
        ("Of a hundred lesions like this one eighteen were bad. To miss one is worse than a scar. "
         * 2, "what is done next")],
}  # fmt: skip
HIGH = MENDED >= 0.6
OTHERWISE = [
    *((1, {"goal": g}, alarm(g), True, "") for g in (0.05, 0.5, 0.8, 0.9, 1.0, 74 / 83)),
    (2, {"low": 0.6, "high": 1.1}, (MENDED[HIGH].mean(), IS[HIGH].mean()), True, ""),
    (3, {"risk": 0.05}, (benefit(0.05), benefit(0.05, np.ones(len(IS)))), True, ""),
]
