"""Self-checks of chapter 3: siblings on both sides, row numbers drawn again, a split by patient."""

import numpy as np

from exercises.base import WrongKind, array, compare, exercise, number, open_question
from utils.classes import DX

SIBLINGS = "'A split that looks right'"


@exercise("a whole number of lesions", SIBLINGS)
def exercise_1(answer, lesion, train, test, *, merged=None):
    """Check how many lesions have an image in the training and in the test part."""
    # `merged` has known duplicates under one name: the number counted in it is right as well.
    got = number(answer)
    names = [lesion] if merged is None else [lesion, merged]
    counts = [len(set(name[train]) & set(name[test])) for name in names]
    in_test, in_train = np.isin(lesion[test], lesion[train]), np.isin(lesion[train], lesion[test])
    several = np.unique(np.asarray(lesion, dtype=str), return_counts=True)[1] > 1
    of_test, of_training = len(set(lesion[test])), len(set(lesion[train]))
    expected = "names that stand in lesion[train] and in lesion[test]"
    if counts[0] < in_test.sum():
        expected += f"; below {in_test.sum():,}"
    return compare(got, [
        (got in counts,
         "Each of these lesions has an image on both sides; some bring two test images or more."),
        (in_test.sum(), "These are test images, not lesions; a lesion with two counts once."),
        (in_train.sum(), "These are training images, not lesions: count each lesion's name once."),
        (0, "No image is in both parts, that is true. The question is about names of lesions, and "
            "about the split by image: by_image_train and by_image_test."),
        (of_test, "These are all lesions of the test part; some have no image in training."),
        (of_training, "These are all lesions of the training part; many have none in the test."),
        (several.sum(), "These are all lesions with several images; some lie in one part alone."),
        (0 < got < 1, "This is a share; the question asks how many."),
        (..., "This is not the number of names that occur in both parts."),
    ], expected, within=0)  # fmt: skip


@exercise("a share between 0 and 1", SIBLINGS)
def exercise_2(answer, lesion, *, train=0.3, usual=0.7, test=0.2):
    """Check the share of test images with a sibling in a training part of another size."""
    # `train`, `usual` and `test` are shares of the images. Any seed comes near the chance of it: an
    # image whose lesion has m - 1 others lacks a sibling only if all of them miss that part.
    got = number(answer)
    names = np.asarray(lesion, dtype=str)
    _, place, sizes = np.unique(names, return_inverse=True, return_counts=True)
    others = sizes[place] - 1
    truth, before, exchanged = [(1 - (1 - s) ** others).mean() for s in (train, usual, test)]
    share = got / 100 if 1 < got <= 100 else got
    nearer = abs(share - truth) < abs(share - exchanged)
    return compare(got, [
        (truth if nearer else False,
         f"With {100 * usual:.0f} % for training it was about {100 * before:.0f} %: same images, "
         "another cut."),
        (got > 100, "This is a count; divide it by the number of test images."),
        (exchanged, "These are training images with a sibling in test: the parts are exchanged."),
        (before, f"This is the share with {100 * usual:.0f} % for training; change train_size."),
        (1 - truth, "This is the share without a sibling; the question asks for those with one."),
        (1, "All of them? That part holds the test images themselves: take few_train.", 0.001),
        (0, "So it is where no lesion crosses; this split is by image: take few_train.", 0.001),
        ((others > 0).mean(), "This share of all images has a sibling, wherever it went.", 0.01),
        (..., "This is not the share of test images whose lesion is in the training part."),
    ], f"the mean of a mask, with train_size={train}", within=0.03, percent=True)  # fmt: skip


@exercise("an array of row numbers", "'Making the rare classes count'")
def exercise_3(answer, labels, train, *, at_least=1000):
    """Check row numbers of the training part with every class at `at_least` rows or more."""
    # Any draw and any order pass.
    rows = _row_numbers(answer, len(labels))
    before, got = (np.bincount(labels[part], minlength=len(DX)) for part in (train, rows))
    truth = np.where(before > 0, np.maximum(before, at_least), 0)
    rare = (before > 0) & (before < at_least)
    outside, gone = (~np.isin(rows, train)).sum(), (~np.isin(train, rows)).sum()
    right = not outside and not gone and bool((got == truth).all())
    shown = _per_class(got)
    return compare(f"{len(rows):,} rows: {shown}" if right else shown, [
        (right, f"{len(train):,} images and {len(rows) - len(train):,} copies, of the training "
                "part only."),
        (rows.max() < len(DX), "These are labels, from 0 to 6; take the row numbers."),
        (set(rows.tolist()) == set(range(len(train))),
         "These are positions within the training part; take split.train at these positions."),
        (outside > 0, f"{outside:,} rows are not in the training part: draw from split.train."),
        ((got == before.max())[before > 0].all() and not gone,
         "This fills all classes up to the largest; the task stops earlier (sampling_strategy)."),
        ((got == truth - before)[before < at_least].all(),
         "These are the copies alone; each original must stand in the list as well."),
        (gone > 0, f"{gone:,} training images are gone: the task adds copies and drops nothing."),
        ((got == before + at_least)[rare].all(),
         f"{at_least:,} is the number of rows in the end, not the number of copies."),
        ((got[rare] > truth[rare]).any(),
         f"Some classes have more than {at_least:,} rows now; they are filled up and no further."),
        (..., f"Some classes still have fewer than {at_least:,} rows."),
    ], _per_class(truth))  # fmt: skip


exercise_4 = open_question("a text of two to five sentences", fewest=25, elements={
    "what the tiles share (whose tissue is it?)": r"patient|slide|person|people|donor|individual",
    "where those tiles went, and what a network can do with that":
        r"both (part|side)|leak|sibling|overlap|\bseen|recogni|memor|by heart|remember|already|"
        r"same (patient|slide|person|donor|tissue)|independen|(in|to) training and",
    "how to divide in place of it":
        r"(split|divid|draw|drawn|assign|group|separat|cut|keep|put|hold|held|leave|"
        r"whole)[^.;]{0,60}(patient|slide|person|people|donor|individual)|(patient|"
        r"slide)[- ](wise|level|grouped)|(other|new|unseen|another) (patient|hospital|"
        r"clinic)[^.;]{0,40}(test|part)",
}, look="'The split, built in the open', with 'patient' for 'lesion'")  # fmt: skip


def _row_numbers(answer: object, images: int) -> np.ndarray:
    if hasattr(answer, "fit_resample"):
        raise WrongKind("This is the sampler; the rows are what its fit_resample returns.")
    if isinstance(answer, dict):
        raise WrongKind("This says how many rows are wanted; the answer is the rows drawn so.")
    if isinstance(answer, tuple) and len(answer) == 2 and np.ndim(answer[0]) > 0:
        raise WrongKind("fit_resample returns two things, rows and labels: take the first, [0].")
    values = array(answer)
    if values.ndim > 2 or (values.ndim == 2 and 1 not in values.shape):
        size = " × ".join(map(str, values.shape))
        raise WrongKind(f"This is a table of {size} numbers; one list of row numbers is wanted.")
    values = values.ravel()
    if values.dtype.kind == "b":
        raise WrongKind("This is a mask of True and False; train[mask] would be row numbers.")
    if values.size == 0 or not (values == np.floor(values)).all():
        raise WrongKind("Row numbers are whole numbers, and at least one.")
    if values.min() < 0 or values.max() >= images:
        raise WrongKind(f"Row numbers go from 0 to {images - 1:,}.")
    return values.astype(np.int64)


def _per_class(counts: np.ndarray) -> str:
    return ", ".join(f"{dx} {int(n):,}" for dx, n in zip(DX, counts, strict=True))
