"""What chapter 6 defines in its own cells: the drawing of one answer."""

import numpy as np

from tools.book.chapter_code import definitions

CHAPTER = definitions("06")


def test_the_answer_with_the_largest_bar_stands_on_top():
    figure = CHAPTER.draw_answer(np.zeros((2, 2, 3)), "melanoma", ["nv", "mel"], [0.2, 0.8])
    left, right = figure.axes
    assert left.get_title() == "true: melanoma" and right.get_title() == "predicted: melanoma"
    assert [bar.get_width() for bar in right.patches] == [0.2, 0.8]
