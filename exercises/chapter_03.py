"""Self-checks of chapter 3: siblings on both sides, row numbers drawn again, a split by patient."""

import numpy as np

from exercises.base import (
    Feedback,
    WrongKind,
    array,
    close,
    essay,
    exercise,
    number,
    right,
    wrong,
)
from utils.classes import DX

SIBLINGS = "section 'A split that looks right'"
OVERSAMPLING = "section 'Making the rare classes count'"


@exercise(wanted="a whole number of lesions", look=SIBLINGS)
def exercise_1(
    answer: object,
    lesion: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    *,
    merged: np.ndarray | None = None,
) -> Feedback:
    """Check how many lesions have an image in the training and in the test part.

    A set, list or array of the lesions' names is counted. Mistakes met: test images counted in
    place of lesions, training images counted, row numbers compared (none is in both parts), all
    lesions with several images, a share.

    Parameters
    ----------
    lesion : ndarray of str, shape (N,)
        The lesion id of every image.
    train, test : ndarray of int
        Row numbers of the two parts.
    merged : ndarray of str, shape (N,), optional
        The same with known duplicates under one name; the number counted in it is right as well.
    """
    got = _how_many(answer)
    names = [lesion] if merged is None else [lesion, merged]
    counts = [len(set(name[train]) & set(name[test])) for name in names]
    expected = counts[0]
    if got in counts:
        text = (
            "Each of these lesions has an image on both sides; some bring two test images or more."
        )
        return right(text, got=int(got))
    in_test, in_train = np.isin(lesion[test], lesion[train]), np.isin(lesion[train], lesion[test])
    several = np.unique(np.asarray(lesion, dtype=str), return_counts=True)[1] > 1
    if got == in_test.sum():
        message = "These are test images, not lesions: a lesion with two test images counts once."
    elif got == in_train.sum():
        message = "These are training images, not lesions: count each lesion's name once."
    elif got == 0:
        message = "No image is in both parts, that is true. The question is about lesions: names."
    elif got == several.sum():
        message = "These are all lesions with several images; some lie in one part as a whole."
    elif 0 < got < 1:
        message = "This is a share; the question asks how many."
    else:
        message = "This is not the number of names that occur in both parts."
    wanted = f"names that stand in lesion[train] and in lesion[test]; below {in_test.sum():,}"
    if not expected < in_test.sum():
        wanted = "names that stand in lesion[train] and in lesion[test]"
    return wrong(message, got=answer if got is None else got, expected=wanted, look=SIBLINGS)


@exercise(wanted="a share between 0 and 1", look=SIBLINGS)
def exercise_2(
    answer: object, lesion: np.ndarray, *, train: float = 0.3, usual: float = 0.7, test: float = 0.2
) -> Feedback:
    """Check the share of test images with a sibling in a training part of another size.

    Expected is the chance of it: an image whose lesion has m - 1 others lacks a sibling in the
    training part only if all of them miss it. Any seed comes near. Mistakes met: the share for
    the usual training part, the two parts exchanged, a count, the complement, all images that
    have a sibling anywhere.

    Parameters
    ----------
    lesion : ndarray of str, shape (N,)
        The lesion id of every image.
    train, usual, test : float
        Share of the images in the smaller training part, in the chapter's, and in the test part.
    """
    got = number(answer)
    inverse, sizes = np.unique(
        np.asarray(lesion, dtype=str), return_inverse=True, return_counts=True
    )[1:]
    others = sizes[inverse] - 1
    expected, before, exchanged = (
        float((1 - (1 - share) ** others).mean()) for share in (train, usual, test)
    )
    share = got / 100 if 1 < got <= 100 else got
    if close(share, expected, to=0.03) and abs(share - expected) < abs(share - exchanged):
        chapter = f"With {100 * usual:.0f} % for training it was about {100 * before:.0f} %"
        text = f"{chapter}: same images, another cut."
        return right(text, got=got)
    if got > 100:
        message = "This is a count; divide it by the number of test images."
    elif close(share, exchanged, to=0.03):
        message = (
            "These are training images with a sibling in the test part: the parts are exchanged."
        )
    elif close(share, before, to=0.03):
        message = f"This is the share with {100 * usual:.0f} % for training; change train_size."
    elif close(share, 1 - expected, to=0.03):
        message = "This is the share without a sibling; the question asks for those with one."
    elif close(share, float((others > 0).mean()), to=0.01):
        message = "This is the share of all images that have a sibling, wherever it went."
    else:
        message = "This is not the share of test images whose lesion is in the training part."
    wanted = f"the mean of a mask over the test images, with train_size={train}"
    return wrong(message, got=got, expected=wanted, look=SIBLINGS)


@exercise(wanted="an array of row numbers", look=OVERSAMPLING)
def exercise_3(
    answer: object, labels: np.ndarray, train: np.ndarray, *, at_least: int = 1000
) -> Feedback:
    """Check row numbers of the training part with every class at `at_least` rows or more.

    Any draw and any order pass. Mistakes met: pixels in place of row numbers, positions within
    the training part, rows of the other parts, the usual levelling to the largest class, copies
    without their originals, large classes cut, the number of copies in place of the total.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        The label of every image.
    train : ndarray of int
        Row numbers of the training part.
    at_least : int
        To how many rows a smaller class is filled up.
    """
    rows = _row_numbers(answer, len(labels))
    before = np.bincount(labels[train], minlength=len(DX))
    expected = np.where(before > 0, np.maximum(before, at_least), 0)
    got = np.bincount(labels[rows], minlength=len(DX))
    outside = int((~np.isin(rows, train)).sum())
    missing = int((~np.isin(train, rows)).sum())
    if not outside and not missing and (got == expected).all():
        copies = len(rows) - len(train)
        text = f"{len(train):,} images and {copies:,} copies, of the training part only."
        return right(text, got=f"{len(rows):,} rows: {_per_class(got)}")
    if set(rows.tolist()) == set(range(len(train))):
        message = (
            "These are positions within the training part; take split.train at these positions."
        )
    elif outside:
        message = (
            f"{outside:,} of these rows are not in the training part: draw from split.train only."
        )
    elif (got == before.max())[before > 0].all() and not missing:
        message = (
            "This fills all classes up to the largest; the task stops earlier (sampling_strategy)."
        )
    elif (got == expected - before)[before < at_least].all():
        message = "These are the copies alone; each original must stand in the list as well."
    elif missing:
        message = f"{missing:,} training images are gone: the task adds copies and drops nothing."
    elif (got == before + at_least)[(before > 0) & (before < at_least)].all():
        message = f"{at_least:,} is the number of rows in the end, not the number of copies."
    else:
        message = (
            "No class is as large as it should be."
            if not (got == expected).any()
            else ("Some classes are not as large as they should be.")
        )
    return wrong(message, got=_per_class(got), expected=_per_class(expected), look=OVERSAMPLING)


# What the open answer should name, each by any of several word stems.
ELEMENTS = {
    "what the tiles share (whose tissue is it?)": r"patient|slide|person|people|donor|individual",
    "where those tiles went, and what a network can do with that": (
        r"both (part|side)|leak|sibling|overlap|\bseen|recogni|memor|by heart|remember|already|"
        r"same (patient|slide|person|donor|tissue)|independen|(in|to) training and"
    ),
    "how to divide in place of it": (
        r"(split|divid|draw|drawn|assign|group|separat|cut|keep|put|hold|held|leave|whole)[^.;]{0,60}"
        r"(patient|slide|person|people|donor|individual)|(patient|slide)[- ](wise|level|grouped)|"
        r"(other|new|unseen|another) (patient|hospital|clinic)[^.;]{0,40}(test|part)"
    ),
}


@exercise(wanted="a text of two to five sentences", look="section 'The split, built in the open'")
def exercise_4(answer: object, *, fewest: int = 25) -> Feedback:
    """Look in the open answer for what tiles share, the leak, and a remedy.

    It looks for words and cannot judge an argument. Named are: a text that is too short, and each
    of the three elements that is missing.
    """
    look = "section 'The split, built in the open', with 'patient' for 'lesion'"
    return essay(answer, ELEMENTS, fewest=fewest, look=look)


def _how_many(answer: object) -> float:
    """Return a number as it is, and count names: a set, list or array of texts."""
    if isinstance(answer, set | frozenset | list | tuple | np.ndarray):
        parts = list(np.ravel(answer)) if isinstance(answer, np.ndarray) else list(answer)
        if len(parts) != 1 and all(isinstance(part, str) for part in parts):
            return float(len(set(parts)))
    return number(answer)


def _row_numbers(answer: object, images: int) -> np.ndarray:
    values = array(answer)
    if values.ndim > 2 or (values.ndim == 2 and 1 not in values.shape):
        raise WrongKind(
            f"This has the shape {values.shape}, as a table of pixels has; row numbers are wanted."
        )
    values = values.ravel()
    if values.dtype.kind == "b" or values.size == 0 or not (values == np.floor(values)).all():
        raise WrongKind("Row numbers are whole numbers, and at least one.")
    if values.min() < 0 or values.max() >= images:
        raise WrongKind(f"Row numbers go from 0 to {images - 1:,}.")
    return values.astype(np.int64)


def _per_class(counts: np.ndarray) -> str:
    return ", ".join(f"{dx} {int(n):,}" for dx, n in zip(DX, counts, strict=True))
