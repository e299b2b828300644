"""Self-checks of chapter 2."""

import numpy as np
import pandas as pd
from PIL import Image

from exercises.base import compare, exercise, number, open_question


@exercise(
    "a share between 0 and 1, or percent",
    "'How unequal are the classes?', and 'How old are the patients?', a lesion once",
)
def exercise_1(answer, metadata):
    """Check the score of the majority vote when each lesion counts once."""
    lesions = metadata.drop_duplicates("lesion_id")
    votes = lesions["dx"].value_counts()
    winner, most = votes.idxmax(), votes.max()
    images = metadata["dx"] == winner
    return compare(number(answer), [
        (most / len(lesions), "More than with images: nevi have the fewest images per lesion."),
        (images.mean(), "This is the share of the images; count each lesion once."),
        (most / len(metadata), "You divided lesions by images; divide lesions by lesions."),
        (1 / len(votes), "This is the mean over the classes; asked is the share of the lesions."),
        (most, "This is a count; divide it by the number of all lesions.", 0),
        (images.sum(), "This is a count; divide it by the number of all lesions.", 0),
        (..., f"This is not the share of the lesions that are {winner}."),
    ], f"lesions of the most frequent class, of all {len(lesions):,}", percent=True)  # fmt: skip


@exercise("a share between 0 and 1, or percent", "'Where on the body?': the crosstab")
def exercise_2(answer, metadata):
    """Check the share of lesions that a guess from the body site alone gets right."""
    images = metadata.fillna({"localization": "unknown"})
    lesions = images.drop_duplicates("lesion_id")
    table, of_images = [pd.crosstab(part["localization"], part["dx"]) for part in (lesions, images)]
    return compare(number(answer), [
        (_guessed(table), "Hardly more than 'always nevus', and the image was not looked at."),
        (table.sum().max() / len(lesions),
         "This is one answer for all sites; give each site its own most frequent class."),
        (_guessed(of_images), "These are images; use `lesions`, so that each lesion counts once."),
        (_guessed(table.T), "This takes the most frequent site of each diagnosis; turn it round."),
        ((table.max(axis=1) / table.sum(axis=1)).mean(),
         "Here a site with three lesions weighs as much as the back; add counts, not shares."),
        (table.max(axis=1).sum(), "This is the number of right guesses; divide by all lesions.", 0),
        (..., "For each site take its largest count; add these; divide by the number of lesions."),
    ], "right guesses of all lesions, one guess per site", within=0.003, percent=True)  # fmt: skip


@exercise("a difference in grey levels, 0 to 255", "'What is lost at 28 × 28 pixels?': resize")
def exercise_3(answer, photo):
    """Check how much darker than the skin the darkest pixel is after shrinking to 28 × 28."""
    # `photo` is uint8 of shape (height, width).
    light, dark = float(photo.max()), float(photo.min())
    shrunk = {f.name: Image.fromarray(photo).resize((28, 28), f) for f in Image.Resampling}
    left = {name: light - np.min(image) for name, image in shrunk.items()}
    box, nearest = left.pop("BOX"), left.pop("NEAREST")
    got = number(answer)
    return compare(got, [
        (box, f"Of {light - dark:.0f} levels {box:.0f} are left.", 2),
        (light - box, "This is the value of the darkest pixel; how far is it below the skin?", 1),
        (-box, "The size is right; darker is asked for, so give the difference without a sign.", 1),
        (light - dark, "This is the contrast in the photograph; a field is the mean of all in it."),
        (nearest, "NEAREST picks one pixel of each field; the course averages them (BOX).", 0.5),
        (light - photo.mean(axis=1).min(),
         "This spreads the line over the whole width; it falls into one field of 28.", 0.1),
        (any(abs(got - value) <= 1 for value in left.values()),
         "Another filter than the course's: give resize the filter Image.Resampling.BOX."),
        (..., "Shrink the picture with BOX, take the smallest value, subtract it from the skin."),
    ], "value of the skin minus the smallest value at 28 × 28")  # fmt: skip


exercise_4 = open_question('a text of three to five sentences, """…"""', fewest=15, elements={
    "the column with the days until the lesion was cut out": r"\b(day|wait|column)",
    "the decision: which of the columns the model may not have":
        r"n't\b|\b(not?\b|none|neither|nor\b|never|leak|leave|exclud|cannot|refuse|without|"
        r"only the)",
    "when each column is filled in, and what is there when a new patient comes":
        r"\b(before|after|when|once the|later|already|known|yet|in time|first visit|future|"
        r"new patient)",
    "what makes the number of days large or small: who decides it, and by what":
        r"\b(suspic|suspect|danger|harmless|urgen|doctor|physician|decid|decision|judg|worr|"
        r"opinion|reveal|believ|fear|cancer|malignan|melanoma|diagnos)",
}, look="'Who says that it is a melanoma?', on leakage")  # fmt: skip


def _guessed(counts: pd.DataFrame) -> float:
    return float(counts.max(axis=1).sum() / counts.to_numpy().sum())
