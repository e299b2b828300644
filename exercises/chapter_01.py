"""Self-checks of chapter 1."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from exercises.base import Feedback, WrongKind, compare, essay, exercise, mentions, numbers, show
from utils.classes import CLASSES, DX


@exercise(
    "two shares, of the images and of the lesions",
    "'Images and lesions' for counting, 'The seven diagnoses' for what is cancer",
)
def exercise_1(answer, metadata):
    """Check which share of the images, and of the lesions, is cancer or its early form."""
    lesions = metadata[metadata["lesion_id"].fillna("") != ""].drop_duplicates("lesion_id")
    if lesions.empty:
        raise WrongKind("These data have no lesion ids; use HAM10000 or the phantom.")
    got = numbers(answer, 2)
    cancers = [c.dx for c in CLASSES if c.malignant]
    image, lesion = metadata["dx"].isin(cancers), lesions["dx"].isin(cancers)
    without_early = [table["dx"].isin(set(cancers) - {"akiec"}) for table in (metadata, lesions)]
    return compare(got, [
        ((image.mean(), lesion.mean()),
         "The lesions' share is smaller: cancers were photographed more often."),
        ([mask.mean() for mask in without_early],
         "One class is missing: akiec is an early cancer and belongs to the three."),
        ((image.mean(), image.mean()), "The share of the images again; count each lesion once."),
        ((image.mean(), lesion.sum() / len(metadata)),
         "You divided lesions by images; divide lesions by lesions."),
        (bool({image.sum(), lesion.sum()} & set(got)),
         "This is a count; divide it by the number of all images or of all lesions."),
        (..., "At least one of the two is not the share of akiec, bcc and mel together."),
    ], "share of images, share of lesions", percent=True)  # fmt: skip


@exercise(
    "a function that returns row, column and channel",
    "'How an image becomes 2,352 numbers', the formula before the way back",
)
def exercise_2(answer, image):
    """Check a function from a position in the row of numbers to row, column and channel."""
    # Every position of `image`, of shape (rows, columns, colours), is tried.
    if not callable(answer):
        raise WrongKind("This is no function: write your answer behind return, inside def.")
    rows, columns, colours = image.shape
    truth = [np.unravel_index(p, image.shape) for p in range(image.size)]
    got = [_place(answer, p) for p in range(image.size)]
    if got[0] is None:
        return Feedback(None, "Put your answer behind return: row, column, channel.")

    def gives(order: Callable[[int], tuple]) -> bool:
        return got == [order(p) for p in range(image.size)]

    differ = [p for p in range(image.size) if got[p] != truth[p]]
    place = expected = ""
    if differ:
        at = 1217 if 1217 in differ else differ[0]  # 1217 is the chapter's own
        place = f"position {at}: " + ", ".join(f"{value:g}" for value in got[at])
        expected = ", ".join(str(int(value)) for value in truth[at])
    return compare(place, [
        (not differ, f"All {image.size:,} positions come out right."),
        (any(value % 1 for place in got for value in place),
         "A place is made of whole numbers: // divides without remainder, / does not."),
        (gives(lambda p: (p % (rows * columns) // columns, p % columns, p // (rows * columns))),
         "This is an order with all reds first; here the three colours of a pixel stand together."),
        (gives(lambda p: (p // colours % columns, p // colours // columns, p % colours)),
         "Row and column are exchanged: a row of the picture is written out before the next."),
        (gives(lambda p: (p // columns, p % columns, p % colours)),
         "Each pixel takes three places: divide by 3 before you ask for row and column."),
        (gives(lambda p: tuple(n + 1 for n in truth[p])), "All are counted from 0, not from 1."),
        (..., "Not every position comes out right."),
    ], expected)  # fmt: skip


@exercise("a dictionary such as {'akiec': 0, …}", "'Two label codings, and a trap', the table")
def exercise_3(answer):
    """Check the coding that the alphabetical order of the seven abbreviations gives."""
    got = _coding(answer)
    alphabet = _numbered(sorted(DX))
    by_name = _numbered(c.dx for c in sorted(CLASSES, key=lambda c: c.name.lower()))
    from_1 = {dx: code + 1 for dx, code in alphabet.items()}
    order = ", ".join(f"{name} {got[name]}" for name in sorted(got, key=got.get))
    shown = "" if got == alphabet else order
    return compare(shown, [
        (got == alphabet, "These are the numbers of DermaMNIST: its coding is the alphabet's."),
        (set(got) != set(DX), f"The classes are {', '.join(alphabet)}; each needs one number."),
        (got == _numbered(DX), "This is the table's order, the Kaggle coding; sort abbreviations."),
        (got == by_name, "The full names are sorted here; the folders bear the abbreviations."),
        (got == from_1, "The order is right, but Python counts from 0."),
        (..., "This is not the alphabetical order of the abbreviations, counted from 0."),
    ], "seven abbreviations in alphabetical order, numbered from 0")  # fmt: skip


LIMITS = {  # a limit of the data, and the beginnings of words that name it
    "the skin's colour":
        r"skin type|skin colo|skin tone|(dark(er)?|brown|black)[ -]skin|skin (is|was) (dark|brown|"
        r"black)|how dark|pale|fitzpatrick",
    "the place on the body":
        r"soles?\b|acral|foot|feet|heels?\b|palm|ridge|furrow|body|sites?\b|locali",
    "how the images were chosen": r"select|chose|collect|photographed|everyday|referr|shares",
    "where they come from": r"vienna|queensland|austria|australia|europe|countr",
    "the seven answers": r"seven (classes|diagnos|answers|boxes)|other diagnos|bruise|bleed|blood",
    "the instrument": r"dermatoscop|dermoscop|phone|camera|pixel|resolution",
}  # fmt: skip
WISHES = r"\b(want|wish|need|should|would|must|ought|requir|instead|include|contain)"


@exercise(
    'a text of three to five sentences, """…"""',
    "'What the data cannot say', and the output of this cell",
)
def exercise_4(answer):
    """Look for two limits of the data and a wish in a text."""
    named = [what for what, stems in LIMITS.items() if mentions(str(answer), rf"\b(?:{stems})")]
    yours, limits = " and of ".join(named[:2]), "two limits of the data"
    if len(named) < 2:
        limits += f" (your text names {f'only {yours}' if named else 'none'})"
    elements = {limits: len(named) >= 2, "what the data would need to contain": WISHES}
    return essay(answer, elements, fewest=15)


def _place(function: Callable[[int], object], position: int) -> tuple[float, ...] | None:
    """Return what a reader's function says of a position; None if it says nothing yet."""
    try:
        place = function(position)
    except Exception as error:
        message = f"At position {position} your function stops with an error."
        raise WrongKind(f"{message} Call it there yourself.") from error
    if place is None or (isinstance(place, tuple | list) and any(v in (None, ...) for v in place)):
        return None
    return tuple(numbers(place, 3).tolist())


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


def _coding(answer: object) -> dict[str, int]:
    """Read a coding: names to numbers or the reverse, a Series, or the names in order."""
    if isinstance(answer, str):
        raise WrongKind("This is one text; seven names with a number each are wanted.")
    if isinstance(answer, set | frozenset):
        raise WrongKind("A set has no order; a dictionary or a list is wanted.")
    if isinstance(answer, pd.Series):
        answer = answer.to_dict()
    if not isinstance(answer, Iterable):
        raise WrongKind("These are no names; seven abbreviations with a number each are wanted.")
    if not isinstance(answer, Mapping):
        answer = _numbered(answer)
    if all(isinstance(value, str) for value in answer.values()):
        answer = {name: number for number, name in answer.items()}
    return {show(name).strip().lower(): int(number) for name, number in answer.items()}
