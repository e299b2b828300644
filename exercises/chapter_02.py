"""Self-checks of chapter 2."""

import re

import numpy as np
import pandas as pd
from PIL import Image

from exercises.base import Feedback, WrongKind, close, exercise, number, right, wrong


@exercise(wanted="a share between 0 and 1, or percent", look="'How unequal are the classes?'")
def exercise_1(answer: object, metadata: pd.DataFrame) -> Feedback:
    """Check the score of the majority vote when each lesion counts once.

    Mistakes met: images counted, lesions divided by images, the mean over classes, a count.
    """
    got = number(answer)
    look = (
        "sections 'How unequal are the classes?' and 'How old are the patients?', each lesion once"
    )
    lesions = metadata.drop_duplicates("lesion_id")
    votes = lesions["dx"].value_counts()
    expected = votes.max() / votes.sum()
    share = _share(got)
    if close(share, expected):
        return right("More than with images: nevi have the fewest images per lesion.", got=got)
    if close(share, (metadata["dx"] == votes.idxmax()).mean()):
        message = "This is the share of the images; count each lesion once."
    elif close(share, votes.max() / len(metadata)):
        message = "You divided lesions by images; divide lesions by lesions."
    elif close(share, 1 / len(votes)):
        message = (
            "This is the mean over the classes; the question asks for the share of the lesions."
        )
    elif got in (votes.max(), (metadata["dx"] == votes.idxmax()).sum()):
        message = "This is a count; divide it by the number of all lesions."
    else:
        message = f"This is not the share of the lesions that are {votes.idxmax()}."
    expected_text = f"lesions of the most frequent class, of all {len(lesions):,} lesions"
    return wrong(message, got=got, expected=expected_text, look=look)


@exercise(wanted="a share between 0 and 1, or percent", look="section 'Where on the body?'")
def exercise_2(answer: object, metadata: pd.DataFrame) -> Feedback:
    """Check the share of lesions that a guess from the body site alone gets right.

    Mistakes met: images counted, the same answer for every site, the most frequent site of each
    diagnosis in place of the most frequent diagnosis of each site, sites weighted alike.
    """
    got = number(answer)
    look = "section 'Where on the body?': the table before it becomes percent"
    lesions = metadata.drop_duplicates("lesion_id")
    table, of_images = _by_site(lesions), _by_site(metadata)
    share = _share(got)
    if close(share, _guessed(table), to=0.003):
        return right("Hardly more than 'always nevus', and the image was not looked at.", got=got)
    if close(share, table.sum().max() / len(lesions), to=0.003):
        message = "This is one answer for all sites; give each site its own most frequent class."
    elif close(share, _guessed(of_images), to=0.003):
        message = "These are images; use `lesions`, so that each lesion counts once."
    elif close(share, _guessed(table.T), to=0.003):
        message = "This takes the most frequent site of each diagnosis; turn it round."
    elif close(share, float((table.max(axis=1) / table.sum(axis=1)).mean()), to=0.003):
        message = (
            "Here a site with three lesions weighs as much as the back; add counts, not shares."
        )
    elif got == table.max(axis=1).sum():
        message = "This is the number of right guesses; divide it by the number of lesions."
    else:
        message = (
            "For each site take its largest count; add these; divide by the number of lesions."
        )
    expected = "right guesses of all lesions, one guess per site"
    return wrong(message, got=got, expected=expected, look=look)


@exercise(wanted="a difference in grey levels, 0 to 255", look="'What is lost at 28 × 28 pixels?'")
def exercise_3(answer: object, photo: np.ndarray) -> Feedback:
    """Check how much darker than the skin the darkest pixel is after shrinking to 28 × 28.

    Mistakes met: the pixel's own value, the contrast of the photograph, single pixels picked
    (NEAREST), averaging over the whole width, another filter, a sign.
    """
    got = number(answer)
    look = "section 'What is lost at 28 × 28 pixels?': the line with resize"
    light, dark = float(photo.max()), float(photo.min())
    left = {name: light - _shrunk(photo, name).min() for name in ("BOX", "NEAREST")}
    across = light - float(photo.mean(axis=1).min())
    others = [
        light - _shrunk(photo, f).min() for f in ("BILINEAR", "BICUBIC", "LANCZOS", "HAMMING")
    ]
    if close(got, left["BOX"], to=2):  # PIL rounds a field to whole pixels
        return right(f"Of {light - dark:.0f} levels {left['BOX']:.0f} are left.", got=got)
    if close(got, light - left["BOX"], to=1):
        message = "This is the value of the darkest pixel; how far is it below the skin?"
    elif close(-got, left["BOX"], to=1):
        message = "The size is right; darker is asked for, so give the difference without a sign."
    elif close(got, light - dark):
        message = "This is the contrast in the photograph; a field averages all that falls into it."
    elif close(got, left["NEAREST"], to=0.5):
        message = (
            "One pixel of each field was picked (NEAREST); the course averages the field (BOX)."
        )
    elif close(got, across, to=0.1):
        message = "This spreads the line over the whole width; it falls into one field of 28."
    elif any(close(got, value, to=1) for value in others):
        message = "Another filter than the course's: give resize the filter Image.Resampling.BOX."
    else:
        message = (
            "Shrink the picture with BOX, take the smallest value, and subtract it from the skin."
        )
    expected = "value of the skin minus the smallest value at 28 × 28"
    return wrong(message, got=got, expected=expected, look=look)


# Beginnings of words; what the open answer is searched for.
COLUMN = r"\b(day|wait|column)"
NO = r"n't\b|\b(not?\b|none|neither|nor\b|never|leak|leave|exclud|cannot|refuse|without|only the)"
TIME = (
    r"\b(before|after|when|once the|later|already|known|yet|in time|first visit|future|new patient)"
)
CAUSE = (
    r"\b(suspic|suspect|danger|harmless|urgen|doctor|physician|decid|decision|judg|worr|opinion"
    r"|reveal|believ|fear|cancer|malignan|melanoma|diagnos)"
)


@exercise(wanted='a text of three to five sentences, """…"""', look="'Who says that it is a …?'")
def exercise_4(answer: object) -> Feedback:
    """Look for time, cause and a verdict in a text; the argument cannot be judged.

    Mistakes met: too short, no word on when the column is filled in, none on what it depends on,
    no decision.
    """
    if not isinstance(answer, str):
        raise WrongKind("A text is wanted, in quotation marks.")
    text, look = answer.lower(), "section 'Who says that it is a melanoma?', on leakage"
    if len(text.split()) < 15:
        message = "This is shorter than 15 words; a reason needs a sentence or two."
    elif not re.search(COLUMN, text):
        message = "Say something about the column with the days until the lesion was cut out."
    elif not re.search(NO, text):
        message = "The decision is missing: which of the columns may the model not have?"
    elif not re.search(TIME, text):
        message = "Say when each column is filled in, and what is there when a new patient comes."
    elif not re.search(CAUSE, text):
        message = "Say what makes the number of days large or small: who decides it, and by what?"
    else:
        return right(
            "Your text has a decision, a time and a cause. This check looks for words and cannot "
            "judge an argument: compare yours with the solution."
        )
    expected = "a decision, when the columns are filled in, what the days depend on"
    return wrong(message, got=answer, expected=expected, look=look)


def _share(value: float) -> float:
    return value / 100 if 1 < value <= 100 else value


def _by_site(table: pd.DataFrame) -> pd.DataFrame:
    return pd.crosstab(table["localization"].fillna("unknown"), table["dx"])


def _guessed(counts: pd.DataFrame) -> float:
    return float(counts.max(axis=1).sum() / counts.to_numpy().sum())


def _shrunk(photo: np.ndarray, name: str) -> np.ndarray:
    small = Image.fromarray(photo).resize((28, 28), getattr(Image.Resampling, name))
    return np.asarray(small, dtype=float)
