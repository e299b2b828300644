"""Self-checks of the warm-up."""

import numpy as np
import pandas as pd

from exercises.base import Feedback, WrongKind, close, exercise, number, right, wrong


@exercise(wanted="a tuple of whole numbers, such as (28, 28)", look="section 'An array'")
def exercise_1(answer: object, image: np.ndarray) -> Feedback:
    """Check the shape of ``image[5:20, :, 0]``.

    Mistakes met: the end of the slice counted in, the colour kept as a direction, the order
    turned round, and a size in place of a shape.
    """
    expected = image[5:20, :, 0].shape
    look = "section 'An array: many numbers, one name', on slices"
    if isinstance(answer, int | float | np.number):
        message = "This is one number; a shape has one number for each direction."
        return wrong(message, got=answer, expected="a tuple", look=look)
    if isinstance(answer, str) or not all(float(value).is_integer() for value in answer):
        raise WrongKind("A shape is made of whole numbers.")
    got = tuple(int(value) for value in answer)
    if got == expected:
        return right("15 rows, 28 columns, and the colour is gone.", got=got)
    rows, columns = expected
    if got in {(rows + 1, columns), (rows + 1, columns, 1), (rows + 1, columns, 3)}:
        message = "5:20 takes the places 5 to 19; the end is left out."
    elif len(got) == 3:
        message = "A single number in the brackets takes one value, and its direction disappears."
    elif got == (columns, rows):
        message = "Rows come first, then columns."
    else:
        message = "Count each direction by itself."
    return wrong(message, got=got, expected="rows taken, then columns taken", look=look)


@exercise(wanted="a number between 0 and 255", look="section 'All values at once'")
def exercise_2(answer: object, dataset: object) -> Feedback:
    """Check the mean of the red values of all images.

    Mistakes met: all three colours together, one image only, a share of 255, another colour.
    """
    got = number(answer)
    images = dataset.images
    red = float(images[..., 0].mean())
    look = "section 'All values at once'"
    if close(got, red, to=0.5):
        return right("Skin is bright in red; green and blue are darker.", got=got)
    if close(got, red / 255, to=0.003):
        message = "This is a share of 255; the question asks on the scale from 0 to 255."
    elif close(got, float(images.mean()), to=0.3):
        message = "These are red, green and blue together; take red alone first."
    elif close(got, float(images[0, ..., 0].mean()), to=0.3):
        message = "This is the first image alone; the question asks for all images."
    elif close(got, float(images[:, 0].mean()), to=0.3):
        message = "This is the first row of each image: the colour is the last direction."
    elif any(close(got, float(images[..., colour].mean()), to=0.3) for colour in (1, 2)):
        message = "This is another colour; red is number 0 of the last direction."
    else:
        message = "This is not the mean of the red values."
    expected = "the mean of dataset.images over images, rows and columns, red only"
    return wrong(message, got=got, expected=expected, look=look)


@exercise(wanted="a share between 0 and 1", look="section 'A table: rows with names'")
def exercise_3(answer: object, table: pd.DataFrame) -> Feedback:
    """Check the share of patients of 70 and older among the images of a melanoma.

    Mistakes met: the two groups exchanged, the share of all images, over 70 in place of from 70
    on, a count.
    """
    got = number(answer)
    melanoma, old = table["dx"] == "mel", table["age"] >= 70
    expected = float(old[melanoma].mean())
    look = "section 'A table: rows with names', on masks"
    if close(got, expected) or close(got, 100 * expected, to=0.5):
        return right("Among melanomas, this share is of patients of 70 and older.", got=got)
    if close(got, float(melanoma[old].mean())):
        message = "This is the share of melanomas among the old: the groups are exchanged."
    elif close(got, float((melanoma & old).mean())):
        message = "This is a share of all images; the question asks within the melanomas."
    elif got == float((melanoma & old).sum()):
        message = "This is a count; divide it by the number of melanomas."
    elif close(got, float((table["age"] > 70)[melanoma].mean())):
        message = "'70 and older' includes those of 70: use >=."
    else:
        message = "Select the melanomas first, then ask how many of them are of 70 and older."
    return wrong(message, got=got, expected="a share within the melanomas", look=look)
