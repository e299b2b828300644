"""Self-checks of First steps."""

import numpy as np

from exercises.base import WrongKind, compare, exercise, number, numbers


@exercise(
    "a tuple of whole numbers, such as (28, 28)", "'An array: many numbers, one name', on slices"
)
def exercise_1(answer, image):
    """Check the shape of ``image[5:20, :, 0]``."""
    got = tuple(numbers(answer).tolist())
    if np.ndim(answer) == 0:
        raise WrongKind("This is one number; a shape has one number for each direction.")
    if not all(value.is_integer() for value in got):
        raise WrongKind("A shape is made of whole numbers.")
    rows, columns = image[5:20, :, 0].shape
    one_more = {(rows + 1, columns), (rows + 1, columns, 1), (rows + 1, columns, 3)}
    return compare(got, [
        (got == (rows, columns), "15 rows, 28 columns, and the colour is gone."),
        (got in one_more, "5:20 takes the places 5 to 19; the end is left out."),
        (len(got) == 3, "A single number in brackets takes one value; its direction disappears."),
        (got == (columns, rows), "Rows come first, then columns."),
        (..., "Count each direction by itself."),
    ], "rows taken, then columns taken")  # fmt: skip


@exercise("a number between 0 and 255", "'All values at once'")
def exercise_2(answer, dataset):
    """Check the mean of the red values of all images, uint8 of shape (N, 28, 28, 3)."""
    images = dataset.images
    red, green, blue = images.mean(axis=(0, 1, 2))
    return compare(number(answer), [
        (red, "Skin is bright in red; green and blue are darker.", 0.5),
        (red / 255, "This is a share of 255; the question asks on the scale from 0 to 255.", 0.003),
        (images.mean(), "These are red, green and blue together; take red alone first."),
        (images[0, ..., 0].mean(), "This is the first image alone; the question is about all."),
        (images[:, 0].mean(), "This is the first row of each image; colour is the last direction."),
        *((other, "This is another colour; red is number 0 of the last direction.")
          for other in (green, blue)),
        (..., "This is not the mean of the red values."),
    ], "the mean of dataset.images over all directions, red only", within=0.3)  # fmt: skip


@exercise("a share between 0 and 1", "'A table: rows with names', on masks")
def exercise_3(answer, table):
    """Check the share of patients of 70 and older among the images of a melanoma."""
    melanoma, old, over_70 = table["dx"] == "mel", table["age"] >= 70, table["age"] > 70
    return compare(number(answer), [
        (old[melanoma].mean(), "Among melanomas, this share is of patients of 70 and older."),
        (melanoma[old].mean(), "The groups are exchanged: these are the melanomas among the old."),
        ((melanoma & old).mean(), "This is a share of all images; take it within the melanomas."),
        ((melanoma & old).sum(), "This is a count; divide it by the number of melanomas.", 0),
        (over_70[melanoma].mean(), "'70 and older' includes those of 70: use >=."),
        (..., "Select the melanomas first, then ask how many of them are of 70 and older."),
    ], "a share within the melanomas", percent=True)  # fmt: skip
