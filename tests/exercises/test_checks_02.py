import numpy as np
import pandas as pd
from PIL import Image

# (site, diagnosis, images of each lesion, lesions)
GROUPS = [
    ("back", "nv", 1, 12), ("back", "nv", 2, 4), ("back", "mel", 3, 8), ("face", "bkl", 1, 6),
    ("face", "mel", 2, 3), (None, "nv", 1, 3), ("sole", "df", 1, 2), ("sole", "nv", 1, 1),
]  # fmt: skip
ROWS = []
for place, diagnosis, copies, how_many in GROUPS:
    for _ in range(how_many):
        ROWS += [(f"HAM_{len(ROWS)}", diagnosis, place)] * copies
METADATA = pd.DataFrame(ROWS, columns=["lesion_id", "dx", "localization"])
PHOTO = np.full((450, 600), 200, dtype=np.uint8)
PHOTO[:, 300:304] = 100
TABLE = pd.crosstab(METADATA["localization"].fillna("?"), METADATA["dx"])  # images
LESIONS = METADATA.drop_duplicates("lesion_id").fillna({"localization": "?"})
SHARES = pd.crosstab(LESIONS["localization"], LESIONS["dx"], normalize="index").max(axis=1)
GUESS = LESIONS.groupby("localization")["dx"].transform(lambda dx: dx.mode()[0])


def shrunk(photo, resample):
    return np.asarray(Image.fromarray(photo).resize((28, 28), resample))


GIVEN = {"metadata": METADATA, "photo": PHOTO}
RIGHT = {
    1: [(METADATA.groupby("lesion_id")["dx"].first() == "nv").mean(), 0.51, 51.3],
    2: [(GUESS == LESIONS["dx"]).mean(), 27 / 39, 69.2],
    3: [200 - shrunk(PHOTO, Image.Resampling.BOX).min(), 100 * 4 / (600 / 28),
        200 - np.repeat(PHOTO[0].astype(float), 28).reshape(28, 600).mean(axis=1).min(), 18],
    4: ["Not the days: they are counted after the visit, and a doctor who suspects a melanoma "
        "cuts it out at once. The size is fine.",
        "Neither of the two columns: the days are there once the operation is over, and few days "
        "mean that a physician believed it to be cancer.",
        "Leave out the waiting time. It reveals what somebody thought of the lesion, and a new "
        "patient has none. Millimetres may stay."],
}  # fmt: skip
MISTAKES = {
    1: [((METADATA["dx"] == "nv").mean(), "share of the images"),
        (20 / len(METADATA), "divided lesions by images"), (1 / 4, "mean over the classes"),
        (20, "a count"), (0.9, "not the share of the lesions that are nv"),
        (20 / 39 + 0.03, "not the share")],  # near, and not near enough
    2: [(27 / 39 + 0.02, "take its largest count"), (20 / 39, "one answer for all sites"),
        (TABLE.max(axis=1).sum() / len(METADATA), "These are images"),
        ((16 + 8 + 6 + 2) / 39, "turn it round"), (SHARES.mean(), "a site with three lesions"),
        (27, "number of right guesses"), (0.1, "take its largest count")],
    3: [(181, "value of the darkest pixel"), (-19, "without a sign"),
        (100, "contrast in the photograph"),
        (200 - shrunk(PHOTO, Image.Resampling.NEAREST).min(), "NEAREST"),
        (100 * 4 / 600, "over the whole width"),
        (200 - shrunk(PHOTO, Image.Resampling.LANCZOS).min(), "Another filter"),
        (50, "take the smallest value")],
    4: [("Not the days, they come after the doctor's decision.", "argument needs at least 15"),
        ("The size is known when a patient comes and the doctor's ruler is not dangerous, so the "
         "model may have it.", "days until the lesion was cut out"),
        ("The days are filled in after the visit by the doctor, and the size is filled in before "
         "that, at the first one.", "the decision: which"),
        ("The model must not have the number of days, because it depends on the suspicion of the "
         "doctor, and the size is fine.", "when each column is filled in"),
        ("The model must not have the number of days, because the field is filled in after the "
         "visit; the size is fine.", "who decides it")],
}  # fmt: skip
WIDE = np.full_like(PHOTO, 200)  # a line that is wider than a field
WIDE[:, 300:321] = 100
OTHERWISE = [
    (3, {"photo": WIDE.T}, 100, True, "Of 100 levels 100 are left"),
    (3, {"photo": WIDE}, 100 * 21 / (600 / 28), True, ""),  # PIL counts whole pixels
    (3, {"photo": WIDE}, 19, False, ""),
]
