"""Self-checks of chapter 2: right answers in several ways, and the mistakes they know."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
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
PASSED = {1: (METADATA,), 2: (METADATA,), 3: (PHOTO,), 4: ()}
OTHERS = [(object(), ""), ("many", "a text"), (np.zeros((2, 2)), "4 numbers"), ({}, "")]


@pytest.mark.parametrize(
    "answer",
    [
        Counter(dx for _, dx in FIRST.values())["nv"] / len(FIRST),
        (METADATA.groupby("lesion_id")["dx"].first() == "nv").mean(),
        0.51,
        51.3,
        np.array([20 / 39]),
    ],
)
def test_one_vote_for_each_lesion_is_right(answer):
    assert check.exercise_1(answer, METADATA).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ((METADATA["dx"] == "nv").mean(), "share of the images"),
        (20 / len(METADATA), "divided lesions by images"),
        (1 / 4, "mean over the classes"),
        (20, "a count"),
        (0.9, "not the share of the lesions that are nv"),
        *OTHERS,
    ],
)
def test_mistakes_in_one_vote_for_each_lesion(answer, fragment):
    feedback = check.exercise_1(answer, METADATA)
    assert feedback.passed is False and fragment in feedback.message


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


@pytest.mark.parametrize(
    "answer", [right_guesses() / 39, (GUESS == LESIONS["dx"]).mean(), 27 / 39, 69.2]
)
def test_guess_from_the_site_is_right(answer):
    assert check.exercise_2(answer, METADATA).passed


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (20 / 39, "one answer for all sites"),
        (TABLE.max(axis=1).sum() / len(METADATA), "These are images"),
        ((16 + 8 + 6 + 2) / 39, "turn it round"),
        (SHARES.mean(), "a site with three lesions"),
        (27, "number of right guesses"),
        (0.1, "take its largest count"),
        *OTHERS,
    ],
)
def test_mistakes_in_the_guess_from_the_site(answer, fragment):
    feedback = check.exercise_2(answer, METADATA)
    assert feedback.passed is False and fragment in feedback.message


def shrunk(photo, resample):
    return np.asarray(Image.fromarray(photo).resize((28, 28), resample))


@pytest.mark.parametrize(
    "answer",
    [
        200 - shrunk(PHOTO, Image.Resampling.BOX).min(),
        100 * 4 / (600 / 28),
        200 - np.repeat(PHOTO[0].astype(float), 28).reshape(28, 600).mean(axis=1).min(),
        18,
    ],
)
def test_what_is_left_of_a_line_is_right(answer):
    assert check.exercise_3(answer, PHOTO).passed


def test_wide_line_keeps_all():
    wide = np.full_like(PHOTO, 200)
    wide[:, 300:321] = 100
    feedback = check.exercise_3(100, wide)
    assert feedback.passed and "Of 100 levels 100 are left" in feedback.message
    assert check.exercise_3(100 * 21 / (600 / 28), wide).passed  # PIL counts whole pixels
    assert check.exercise_3(19, wide).passed is False


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        (181, "value of the darkest pixel"),
        (-19, "without a sign"),
        (100, "contrast in the photograph"),
        (200 - shrunk(PHOTO, Image.Resampling.NEAREST).min(), "NEAREST"),
        (100 * 4 / 600, "over the whole width"),
        (200 - shrunk(PHOTO, Image.Resampling.LANCZOS).min(), "Another filter"),
        (50, "take the smallest value"),
        *OTHERS,
    ],
)
def test_mistakes_in_what_is_left_of_a_line(answer, fragment):
    feedback = check.exercise_3(answer, PHOTO)
    assert feedback.passed is False and fragment in feedback.message


@pytest.mark.parametrize(
    "answer",
    [
        "Not the days: they are counted after the visit, and a doctor who suspects a melanoma cuts "
        "it out at once. The size is fine.",
        "Neither of the two columns: the days are there once the operation is over, and few days "
        "mean that a physician believed it to be cancer.",
        "Leave out the waiting time. It reveals what somebody thought of the lesion, and a new "
        "patient has none. Millimetres may stay.",
    ],
)
def test_open_answer_is_accepted(answer):
    feedback = check.exercise_4(answer)
    assert feedback.passed and "cannot judge" in feedback.message


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ("Not the days, they come after the doctor's decision.", "shorter than 15"),
        (
            "The size is known when a patient comes and the doctor's ruler is not dangerous, so "
            "the model may have it.",
            "days until the lesion was cut out",
        ),
        (
            "The days are filled in after the visit by the doctor, and the size is filled in "
            "before that, at the first one.",
            "The decision is missing",
        ),
        (
            "The model must not have the number of days, because it depends on the suspicion of "
            "the doctor, and the size is fine.",
            "when each column is filled in",
        ),
        (
            "The model must not have the number of days, because the field is filled in after the "
            "visit; the size is fine.",
            "who decides it",
        ),
        (3, "A text is wanted"),
        (object(), "A text is wanted"),
    ],
)
def test_what_an_open_answer_lacks(answer, fragment):
    feedback = check.exercise_4(answer)
    assert feedback.passed is False and fragment in feedback.message


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("answer", [None, ...])
def test_open_exercise_is_the_readers_turn(number, answer):
    assert getattr(check, f"exercise_{number}")(answer, *PASSED[number]).passed is None
