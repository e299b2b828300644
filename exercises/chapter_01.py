"""Self-checks of chapter 1."""

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from exercises.base import Feedback, WrongKind, array, close, exercise, right, wrong
from utils.classes import CLASSES


@exercise(
    wanted="two shares, of the images and of the lesions", look="section 'Images and lesions'"
)
def exercise_1(answer: object, metadata: pd.DataFrame) -> Feedback:
    """Check which share of the images, and of the lesions, is cancer or its early form.

    Shares may be given in percent. Mistakes met: the two in the wrong order, the early form
    forgotten, images counted twice, lesions divided by images, counts in place of shares.
    """
    answer = list(answer.values()) if isinstance(answer, Mapping) else answer
    got = array(answer, shape=(2,)).astype(float)
    look = "section 'Images and lesions' for counting, 'The seven diagnoses' for what is cancer"
    lesions = metadata[metadata["lesion_id"].fillna("") != ""].drop_duplicates("lesion_id")
    if lesions.empty:
        raise WrongKind("These data have no lesion ids; use HAM10000 or the phantom.")
    cancers = [c.dx for c in CLASSES if c.malignant]
    of_images, of_lesions = _share(metadata, cancers), _share(lesions, cancers)
    share = [value / 100 if value > 1 else value for value in got]  # percent, if it can be no share
    if _near(share, (of_images, of_lesions)):
        return right(
            "The lesions' share is smaller: cancers were photographed more often.", got=got
        )
    full = [c for c in cancers if c != "akiec"]
    counted = {int(metadata["dx"].isin(cancers).sum()), int(lesions["dx"].isin(cancers).sum())}
    if _near(share, (of_lesions, of_images)):
        message = "The two are exchanged: images first, then lesions."
    elif _near(share, (_share(metadata, full), _share(lesions, full))):
        message = "One class is missing: akiec is an early cancer and belongs to the three."
    elif close(share[0], of_images) and close(share[1], of_images):
        message = "The second is the share of the images again; count each lesion once."
    elif close(share[0], of_images) and close(share[1], of_lesions * len(lesions) / len(metadata)):
        message = "You divided lesions by images; divide lesions by lesions."
    elif counted & set(got):
        message = "This is a count; divide it by the number of all images or of all lesions."
    else:
        message = "At least one of the two is not the share of akiec, bcc and mel together."
    return wrong(message, got=got, expected="share of images, share of lesions", look=look)


@exercise(wanted="a function that returns row, column and channel", look="section 'How an image …'")
def exercise_2(answer: object, image: np.ndarray) -> Feedback:
    """Check a function that turns a position in the row of numbers into row, column and channel.

    Every position of `image` is tried. Mistakes met: all reds thought to come first, rows and
    columns exchanged, the three colours forgotten, counting from 1, fractions from ``/``.
    """
    look = "section 'How an image becomes 2,352 numbers', the formula before the way back"
    if not callable(answer):
        raise WrongKind("This is no function: write your answer behind return, inside def.")
    rows, columns, colours = image.shape
    wanted = [np.unravel_index(p, image.shape) for p in range(image.size)]
    got = [_place(answer, p) for p in range(image.size)]
    if got[0] is None:
        return Feedback(None, "Put your answer behind return: row, column, channel.")
    if got == wanted:
        return right(f"All {image.size:,} positions come out right.")
    known = {
        "This is an order with all reds first; here the three colours of a pixel stand together.": (
            lambda p: (p % (rows * columns) // columns, p % columns, p // (rows * columns))
        ),
        "Row and column are exchanged: a row of the picture is written out before the next.": (
            lambda p: (p // colours % columns, p // colours // columns, p % colours)
        ),
        "Each pixel takes three places: divide by 3 before you ask for row and column.": (
            lambda p: (p // columns, p % columns, p % colours)
        ),
        "Rows, columns and channels are counted from 0, not from 1.": (
            lambda p: tuple(int(n) + 1 for n in wanted[p])
        ),
    }
    if any(value % 1 for place in got for value in place):
        message = "A place is made of whole numbers: // divides without remainder, / does not."
    else:
        fits = [text for text, f in known.items() if got == [f(p) for p in range(image.size)]]
        message = fits[0] if fits else "Not every position comes out right."
    at = next(p for p in range(image.size) if got[p] != wanted[p])
    at = 1217 if image.size > 1217 and got[1217] != wanted[1217] else at  # the chapter's own
    place = ", ".join(f"{value:g}" for value in got[at])
    expected = ", ".join(map(str, map(int, wanted[at])))
    return wrong(message, got=f"position {at}: {place}", expected=expected, look=look)


@exercise(wanted="a dictionary such as {'akiec': 0, …}", look="section 'Two label codings'")
def exercise_3(answer: object) -> Feedback:
    """Check the coding that the alphabetical order of the seven abbreviations gives.

    Names may be abbreviations or full names. Mistakes met: the order of the course, the order of
    the full names, counting from 1.
    """
    look = "section 'Two label codings, and a trap', the table"
    got = _coding(answer)
    dx = [c.dx for c in CLASSES]
    by_name = [c.dx for c in sorted(CLASSES, key=lambda c: c.name.lower())]
    if got == _numbered(sorted(dx)):
        return right("These are the numbers of DermaMNIST: its coding is the alphabet's.")
    if set(got) != set(dx):
        message = f"The seven classes are {', '.join(sorted(dx))}; each needs one number."
    elif got == _numbered(dx):
        message = "This is the order of the table, the Kaggle coding; sort the abbreviations first."
    elif got == _numbered(by_name):
        message = "The full names are sorted here; the folders bear the abbreviations."
    elif got == {name: number + 1 for name, number in _numbered(sorted(dx)).items()}:
        message = "The order is right, but Python counts from 0."
    else:
        message = "This is not the alphabetical order of the abbreviations, counted from 0."
    order = ", ".join(f"{name} {got[name]}" for name in sorted(got, key=got.get))
    expected = "seven abbreviations in alphabetical order, numbered from 0"
    return wrong(message, got=order, expected=expected, look=look)


LIMITS = {  # a limit of the data, and the beginnings of words that name it
    "the skin's colour": (
        "skin type|skin colo|skin tone|(dark(er)?|brown|black)[ -]skin|"
        "skin (is|was) (dark|brown|black)|how dark|pale|fitzpatrick"
    ),
    "the place on the body": (
        "soles?\\b|acral|foot|feet|heels?\\b|palm|ridge|furrow|body|sites?\\b|locali"
    ),
    "how the images were chosen": "select|chose|collect|photographed|everyday|referr|shares",
    "where they come from": "vienna|queensland|austria|australia|europe|countr",
    "the seven answers": "seven (classes|diagnos|answers|boxes)|other diagnos|bruise|bleed|blood",
    "the instrument": "dermatoscop|dermoscop|phone|camera|pixel|resolution",
}
WISHES = "want|wish|need|should|would|must|ought|requir|instead|include|contain"


@exercise(wanted='a text of three to five sentences, """…"""', look="'What the data cannot say'")
def exercise_4(answer: object) -> Feedback:
    """Look for two limits of the data and a wish in a text; the argument cannot be judged.

    Mistakes met: too short, fewer than two limits named, nothing said on what is missing.
    """
    if not isinstance(answer, str):
        raise WrongKind("A text is wanted, in quotation marks.")
    text, look = answer.lower(), "section 'What the data cannot say', and the output of this cell"
    named = [limit for limit, stems in LIMITS.items() if re.search(rf"\b(?:{stems})", text)]
    if len(text.split()) < 15:
        message = "This is shorter than 15 words; a reason needs a sentence or two."
    elif len(named) < 2:
        found = f"only {named[0]}" if named else "none"
        message = f"Of the limits that this check knows, your text names {found}; name two."
    elif not re.search(rf"\b(?:{WISHES})", text):
        message = "The limits are there. Say as well what the data would need to contain."
    else:
        return right(
            f"Your text speaks of {' and of '.join(named[:2])}, and of what is missing. This check "
            "looks for words and cannot judge an argument: compare yours with the solution."
        )
    return wrong(message, got=answer, expected="two limits of the data, and a wish", look=look)


def _share(table: pd.DataFrame, classes: list[str]) -> float:
    return float(table["dx"].isin(classes).mean())


def _near(got: Iterable[float], wanted: Iterable[float]) -> bool:
    return all(close(a, b) for a, b in zip(got, wanted, strict=True))


def _place(function: Callable[[int], object], position: int) -> tuple[float, ...] | None:
    """Return what a reader's function says of a position; None if it says nothing yet."""
    try:
        place = function(position)
    except Exception as error:
        raise WrongKind(f"At position {position} your function stops: {error!r}.") from error
    if place is None or (isinstance(place, tuple | list) and any(v in (None, ...) for v in place)):
        return None
    values = array(place, shape=(3,))
    return tuple(float(value) for value in values)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _coding(answer: object) -> dict[str, int]:
    """Read a coding: names to numbers or the reverse, a Series, pairs, or the names in order."""
    if isinstance(answer, str):
        raise WrongKind("This is one text; seven names with a number each are wanted.")
    if isinstance(answer, set | frozenset):
        raise WrongKind("A set has no order; a dictionary or a list is wanted.")
    if isinstance(answer, pd.Series):
        answer = answer.to_dict()
    if not isinstance(answer, Mapping):
        entries = list(answer)  # names in order, or pairs as enumerate gives them
        pairs = all(isinstance(entry, tuple) and len(entry) == 2 for entry in entries)
        answer = dict(entries) if pairs else _numbered(entries)
    if all(isinstance(value, str) for value in answer.values()):
        answer = {name: number for number, name in answer.items()}
    full = {c.name.lower(): c.dx for c in CLASSES}
    names = (str(name).strip().lower() for name in answer)
    return dict(zip((full.get(n, n) for n in names), map(int, answer.values()), strict=True))
