"""The times in the chapters' boxes are those that are measured and stated."""

import base64

import nbformat
import pytest

from tools.book.course import ChapterError, chapters
from tools.book.renew import box, minutes_of_exercises, minutes_to_read, time_to_run

v4 = nbformat.v4
BOX = """> **Time to read** 5 minutes · **Time to run** 1 minute (CPU); stored
>
> **You need** nothing."""
PICTURE = v4.new_output("display_data", {"image/png": base64.b64encode(b"x").decode()})


def chapter(*, text=1000, code=3, figures=2, exercises=(), seconds=None, first=BOX):
    cells = [v4.new_markdown_cell("# Title"), v4.new_markdown_cell(first), v4.new_code_cell("up")]
    cells += [v4.new_markdown_cell("word " * text)]
    cells += [v4.new_code_cell("1", outputs=[PICTURE] if n < figures else []) for n in range(code)]
    for minutes in exercises:
        tag = {"tags": ["exercise"]}
        task = f"### Exercise\n\n*{minutes} minutes · change one thing*\n\n" + "word " * 900
        cells += [v4.new_markdown_cell(task, metadata=tag), v4.new_code_cell("1", metadata=tag)]
        cells += [v4.new_markdown_cell("word " * 900, metadata={"tags": ["solution"]})]
    notebook = v4.new_notebook(cells=cells)
    if seconds is not None:
        notebook.metadata["course"] = {"seconds": seconds}
    return notebook


def test_minutes_follow_from_words_lines_of_code_and_figures():
    assert minutes_to_read(chapter(text=1500, code=0)) == 20
    assert minutes_to_read(chapter(text=1500, code=25, figures=0)) == 25
    assert minutes_to_read(chapter(text=1500, code=25, figures=10)) == 30
    assert minutes_to_read(chapter(text=1, code=0)) == 5
    folded = chapter(text=1500, code=25, figures=0)
    for cell in folded.cells[4:]:
        cell.metadata["tags"] = ["hide-input"]
    assert minutes_to_read(folded) == 20
    with_exercises = chapter(text=1500, code=0, exercises=(5, 10))
    assert minutes_to_read(with_exercises) == 20
    assert minutes_of_exercises(with_exercises) == 15


@pytest.mark.parametrize("seconds, said", [
    (3.8, "less than 1 minute"), (54, "less than 1 minute"), (57, "1 minute"),
    (61, "2 minutes"), (480, "8 minutes"), (487.5, "9 minutes"),
])  # fmt: skip
def test_running_time_in_words(seconds, said):
    assert time_to_run(seconds) == said


def test_box_is_brought_up_to_date_and_keeps_the_rest():
    fresh = box(chapter(exercises=(5, 10), seconds=3))
    assert fresh == (
        "> **Time to read** 15 minutes · **Time to run** less than 1 minute (CPU); stored ·\n"
        "> **Exercises** 15 minutes\n>\n> **You need** nothing."
    )
    assert box(chapter(exercises=(5, 10), seconds=3, first=fresh)) == fresh
    assert "Exercises" not in box(chapter(first=fresh))
    assert "**Time to run** 1 minute (CPU)" in box(chapter()), "nothing is known of the run"


def test_own_words_for_a_long_run_stay_if_they_are_true_and_no_times_are_named():
    spread = BOX.replace("1 minute (CPU); stored", "8 to 30 minutes for 50 epochs; less with a GPU")
    fresh = box(chapter(seconds=487.5, first=spread))
    assert "8 to 30 minutes for 50 epochs; less with a GPU" in fresh
    untrue = "says 8 to 30 minutes, the stored run took"
    bare, words = "> **You need** nothing.", BOX.replace("1 minute (CPU)", "some time")
    for first, seconds, why in (
        (spread, 60 * 7, untrue), (spread, 60 * 31, untrue),
        (bare, 1, "does not begin with the times"), (words, 1, "no number of minutes"),
    ):  # fmt: skip
        with pytest.raises(ChapterError, match=why):
            box(chapter(first=first, seconds=seconds))


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_box_of_a_chapter_says_what_is_measured(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[1].source == box(notebook), "run `python -m tools.book.renew`"
