"""Rehearsals: cells are counted in the section they stand in, and late blocks are seen."""

import nbformat
import pytest

from tools.book.course import ROOT
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
    """Chapters run at once; a function writes the plans."""

    def execute(path, copy, *, parameters):
        assert path.is_relative_to(ROOT / "chapters") and parameters == {}
        nbformat.write(chapter(), copy)

    monkeypatch.setattr(rehearse, "execute", execute)
    monkeypatch.setattr(rehearse, "FOLDER", tmp_path)
    monkeypatch.setattr(rehearse, "PLANS", tmp_path / "plans.md")
    return (tmp_path / "plans.md").write_text


def test_blocks_get_the_time_of_their_cells_and_a_late_one_is_marked(ran, capsys):
    ran(PAGE)
    assert rehearse.main(["1"]) == 1
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["Session", "1"],
        ["5", "min", "9.0", "s", "Look."],
        ["1", "min", "80.0", "s", "LATE", "Work."],
        ["4", "min", "0.0", "s", "Talk."],
        ["10", "min", "89.0", "s", "in", "all"],
    ]
    ran(PAGE.replace("| 1 | Work", "| 2 | Work"))
    assert rehearse.main(["1"]) == 0


@pytest.mark.parametrize(
    "number, page, message",
    [("1", PAGE.replace("*First*", "*Nowhere*"), "Nowhere"), ("9", PAGE, "no session 9")],
)
def test_what_is_not_there_is_named(ran, capsys, number, page, message):
    ran(page)
    assert rehearse.main([number]) == 2
    assert message in capsys.readouterr().err
