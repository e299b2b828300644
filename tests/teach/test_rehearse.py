"""Rehearsals: cells are counted in the section they stand in, and late blocks are seen."""

import nbformat
import pytest

from tools.book.course import ChapterError
from tools.teach import rehearse

v4 = nbformat.v4
PAGE = """\
### Session 1: one

| minutes | what happens | where | short of time |
|---:|---|---|---|
| 5 | Look. | [1](../chapters/01_data_overview.ipynb) *First* | keep |
| 1 | Work. | [1](../chapters/01_data_overview.ipynb) *Second*, *Exercises* | keep |
| 4 | Talk. | board | keep |
"""


def code(seconds):
    return v4.new_code_cell("1", metadata={"papermill": {"duration": seconds}})


def chapter():
    md = v4.new_markdown_cell
    cells = [md("# Title"), code(2.0), md("## First\n\nText."), code(3.0), md("More."), code(4.0)]
    cells += [md("## Second"), md("## Exercises"), md("### Exercise 1: a"), code(50.0)]
    cells += [md("### Exercise 2: b"), code(30.0)]
    return v4.new_notebook(cells=cells)


@pytest.fixture
def ran(monkeypatch, tmp_path):
    def execute(path, copy, *, parameters):
        nbformat.write(chapter(), copy)

    monkeypatch.setattr(rehearse, "execute", execute)
    return tmp_path


def test_seconds_are_counted_in_their_section():
    assert rehearse.seconds_of_sections(chapter()) == {
        "": 2.0,
        "First": 7.0,
        "Second": 0.0,
        "Exercises": 80.0,
        "Exercise 1: a": 0.0,
        "Exercise 2: b": 0.0,
    }


def test_blocks_get_the_time_of_their_cells(ran):
    rows = rehearse.rehearse(1, page=PAGE, folder=ran)
    assert [(minutes, seconds) for minutes, seconds, _, _ in rows] == [(5, 9.0), (1, 80.0), (4, 0)]


def test_late_block_is_marked(ran, monkeypatch, capsys):
    rows = rehearse.rehearse(1, page=PAGE, folder=ran)
    monkeypatch.setattr(rehearse, "rehearse", lambda number: rows)
    assert rehearse.main(["1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert ["LATE" in line for line in lines] == [False, False, True, False, False]
    assert "10 min" in lines[-1] and "89.0 s" in lines[-1]


def test_section_that_is_not_there_is_named(ran):
    with pytest.raises(ChapterError, match="Nowhere"):
        rehearse.rehearse(1, page=PAGE.replace("*First*", "*Nowhere*"), folder=ran)


def test_session_that_is_not_there_is_named():
    with pytest.raises(ChapterError, match="no session 9"):
        rehearse.blocks(9, PAGE)
