"""Self-checks of chapter 2: right answers in several ways, and the mistakes they know."""

from collections import Counter

import numpy as np
import pandas as pd
from PIL import Image

from exercises import chapter_02 as check

# (site, diagnosis, images of each lesion, lesions)
GROUPS = [
    ("back", "nv", 1, 12),
    ("back", "nv", 2, 4),
    ("back", "mel", 3, 8),
    ("face", "bkl", 1, 6),
    ("face", "mel", 2, 3),
    (None, "nv", 1, 3),
    ("sole", "df", 1, 2),
    ("sole", "nv", 1, 1),
]
ROWS, known = [], 0
for place, diagnosis, copies, how_many in GROUPS:
    for _ in range(how_many):
        ROWS += [(f"HAM_{known}", diagnosis, place)] * copies
        known += 1
METADATA = pd.DataFrame(ROWS, columns=["lesion_id", "dx", "localization"])
FIRST = dict((lesion, (place, dx)) for lesion, dx, place in ROWS)  # each lesion once
PHOTO = np.full((450, 600), 200, dtype=np.uint8)
PHOTO[:, 300:304] = 100


def right_guesses():
    """Guess site by site, in plain Python."""
    sites = {}
    for place, dx in FIRST.values():
        sites.setdefault(place, Counter())[dx] += 1
    return sum(max(found.values()) for found in sites.values())


TABLE = pd.crosstab(METADATA["localization"].fillna("?"), METADATA["dx"])  # images
LESIONS = METADATA.drop_duplicates("lesion_id").fillna({"localization": "?"})
SHARES = pd.crosstab(LESIONS["localization"], LESIONS["dx"], normalize="index").max(axis=1)
GUESS = LESIONS.groupby("localization")["dx"].transform(lambda dx: dx.mode()[0])


def shrunk(photo, resample):
    return np.asarray(Image.fromarray(photo).resize((28, 28), resample))


CALLS = {
    1: lambda answer: check.exercise_1(answer, METADATA),
    2: lambda answer: check.exercise_2(answer, METADATA),
    3: lambda answer: check.exercise_3(answer, PHOTO),
    4: check.exercise_4,
}
RIGHT = [
    (1, Counter(dx for _, dx in FIRST.values())["nv"] / len(FIRST)),
    (1, (METADATA.groupby("lesion_id")["dx"].first() == "nv").mean()),
    (1, 0.51),
    (1, 51.3),
    (1, np.array([20 / 39])),
    (2, right_guesses() / 39),
    (2, (GUESS == LESIONS["dx"]).mean()),
    (2, 27 / 39),
    (2, 69.2),
    (3, 200 - shrunk(PHOTO, Image.Resampling.BOX).min()),
    (3, 100 * 4 / (600 / 28)),
    (3, 200 - np.repeat(PHOTO[0].astype(float), 28).reshape(28, 600).mean(axis=1).min()),
    (3, 18),
    (4, "Not the days: they are counted after the visit, and a doctor who suspects a melanoma "
     "cuts it out at once. The size is fine."),
    (4, "Neither of the two columns: the days are there once the operation is over, and few days "
     "mean that a physician believed it to be cancer."),
    (4, "Leave out the waiting time. It reveals what somebody thought of the lesion, and a new "
     "patient has none. Millimetres may stay."),
]  # fmt: skip
MISTAKES = [
    (1, 20 / 39 + 0.03, "not the share"),  # near, and not near enough
    (2, 27 / 39 + 0.02, "take its largest count"),
    *((n, "many", "This is a text; one number") for n in (1, 2, 3)),
    *((n, np.zeros((2, 2)), "4 numbers") for n in (1, 2, 3)),
    *((n, {}, "a dictionary") for n in (1, 2, 3)),
    (1, (METADATA["dx"] == "nv").mean(), "share of the images"),
    (1, 20 / len(METADATA), "divided lesions by images"),
    (1, 1 / 4, "mean over the classes"),
    (1, 20, "a count"),
    (1, 0.9, "not the share of the lesions that are nv"),
    (2, 20 / 39, "one answer for all sites"),
    (2, TABLE.max(axis=1).sum() / len(METADATA), "These are images"),
    (2, (16 + 8 + 6 + 2) / 39, "turn it round"),
    (2, SHARES.mean(), "a site with three lesions"),
    (2, 27, "number of right guesses"),
    (2, 0.1, "take its largest count"),
    (3, 181, "value of the darkest pixel"),
    (3, -19, "without a sign"),
    (3, 100, "contrast in the photograph"),
    (3, 200 - shrunk(PHOTO, Image.Resampling.NEAREST).min(), "NEAREST"),
    (3, 100 * 4 / 600, "over the whole width"),
    (3, 200 - shrunk(PHOTO, Image.Resampling.LANCZOS).min(), "Another filter"),
    (3, 50, "take the smallest value"),
    (4, "Not the days, they come after the doctor's decision.", "argument needs at least 15"),
    (4, "The size is known when a patient comes and the doctor's ruler is not dangerous, so the "
     "model may have it.", "days until the lesion was cut out"),
    (4, "The days are filled in after the visit by the doctor, and the size is filled in before "
     "that, at the first one.", "the decision: which"),
    (4, "The model must not have the number of days, because it depends on the suspicion of the "
     "doctor, and the size is fine.", "when each column is filled in"),
    (4, "The model must not have the number of days, because the field is filled in after the "
     "visit; the size is fine.", "who decides it"),
]  # fmt: skip


def test_wide_line_keeps_all():
    wide = np.full_like(PHOTO, 200)
    wide[:, 300:321] = 100
    feedback = check.exercise_3(100, wide)
    assert feedback.passed and "Of 100 levels 100 are left" in feedback.message
    assert check.exercise_3(100 * 21 / (600 / 28), wide).passed  # PIL counts whole pixels
    assert check.exercise_3(19, wide).passed is False
