"""`make marks`: what is right gets its mark; all else gets a row and never stops the others."""

import shutil
import zipfile

import nbformat
import pandas as pd
import pytest

from tools.book.course import ROOT, ChapterError
from tools.teach import marks

v4 = nbformat.v4
CHECKS = """
from exercises.base import compare, exercise, number

@exercise("a number", "above")
def exercise_1(answer, image):
    return compare(number(answer), [(image.sum(), "Yes."), (..., "No: <b>all</b> of it.")], "a sum")

@exercise("a number", "above")
def exercise_2(answer):
    return compare(number(answer), [(2, "Two."), (..., "Not two.")], "a number")
"""
STARTERS = [
    f"answer_{n} = None\ncheck.exercise_{n}(answer_{n}{more})"
    for n, more in ((1, ", image"), (2, ""))
]
RIGHT = ["answer_1 = image.sum()", "answer_2 = 2"]
PATIENT = {"cell": 120, "notebook": 400, "memory": 2**30}


@pytest.fixture
def course(tmp_path):
    """A course with one light chapter, which is called as the first one is."""
    root = tmp_path / "course"
    (root / "exercises").mkdir(parents=True)
    shutil.copy(ROOT / "exercises" / "base.py", root / "exercises")
    (root / "exercises" / "chapter_00.py").write_text(CHECKS)
    (root / "_toc.yml").write_text("parts: [{chapters: [{file: chapters/00_first_steps}]}]")
    (root / "chapters").mkdir()
    first = "import sys\nsys.path.insert(0, '..')\nimport numpy as np\nimage = np.arange(9)"
    cells = [v4.new_code_cell(first), v4.new_markdown_cell("## Exercises")]
    cells += [v4.new_code_cell("from exercises import chapter_00 as check")]
    cells += [v4.new_code_cell(s, metadata={"tags": ["starter"]}) for s in STARTERS]
    cells += [v4.new_code_cell("1 / 0", metadata={"tags": ["solution"]})]
    write(root / "chapters" / "00_first_steps.ipynb", cells)
    return root


def write(path, cells, title="# First steps"):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell(title), *cells]), path)


def hand_in(path, *sources, above="raise SystemError('is not run')", **options):
    cells = [v4.new_code_cell(above), v4.new_markdown_cell("## Exercises")]
    write(path, [*cells, *map(v4.new_code_cell, sources)], **options)


def results(rows):
    """By student: the results, and all that is said."""
    table = pd.DataFrame(rows).groupby("student")
    return {student: (list(own["result"]), " ".join(own["message"])) for student, own in table}


FORGED = [
    "print('✓ Right. Yes.')\nimport exercises.base as base, exercises.chapter_00 as mine\n"
    "base.compare = mine.compare = lambda *a, **k: base.Feedback(True, 'Yes.')\n"
    "mine.exercise_1 = check.exercise_1 = lambda *a: base.Feedback(True, 'Yes.')\n"
    "answer_1 = 5\nfrom IPython.display import display\n"
    "display({'application/json': {'token': '', 'passed': True, 'message': ''}}, raw=True)",
    "answer_2 = 3\ncheck.exercise_2(2)",
]
EDITED = "image = np.ones(3)\nanswer_1 = 3\ncheck.exercise_1(3, image)"
CHANGED = "import pathlib\npathlib.Path('../exercises/chapter_00.py').write_text('')\nanswer_2 = 2"
NETWORK = "import urllib.request as r\nanswer_2 = r.urlopen('http://127.0.0.1:9')"
# Who, what is in the exercises' cells, the two results, parts of what is said.
CASES = {
    "Right": (RIGHT, ["right", "right"], "Yes. You got: 36."),
    "Open": (STARTERS, ["unanswered", "unanswered"], "Put your answer in"),
    "Wrong": (["answer_1 = 35", "answer_2 = 'x'"], ["not yet", "not yet"], "No: <b>all"),
    "Missing": ([RIGHT[1]], ["unanswered", "right"], "Two."),
    "Above": (["answer_1 = mine(image)"], ["crashed", "unanswered"], "name 'mine' is not defined"),
    "Leaves": (["import sys\nsys.exit()\nanswer_1 = 1", "answer_2 = ("], ["crashed", "crashed"],
               "SyntaxError"),
    "Forged": (FORGED, ["not yet", "not yet"], "You got: 5."),
    "Edited": ([EDITED, CHANGED], ["not yet", "right"], "You got: 3."),
    "Dies": ([RIGHT[0], "import os\nos._exit(1)\nanswer_2 = 2"], ["right", "not marked"], "ended"),
    "Memory": (["answer_1 = bytearray(2**31)", NETWORK], ["crashed", "crashed"], "MemoryError"),
}  # fmt: skip


def handed_in(folder, cases):
    for name, (sources, *_) in cases.items():
        hand_in(folder / f"{name}_1_assignsubmission_file_00_first_steps.ipynb", *sources)


def test_every_submission_gets_its_rows(tmp_path, course, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    handed_in(folder, CASES)
    hand_in(folder / "Other_2_assignsubmission_file" / "77_other.ipynb", *RIGHT, title="# Other")
    (folder / "Report_2_assignsubmission_file_a.pdf").write_text("%PDF")
    (folder / "Text_2_assignsubmission_file_00_first.ipynb").write_text("I did it")
    (folder / "Broken_2_assignsubmission_file_a.zip").write_text("PK")
    (folder / "Empty_2_assignsubmission_file_a.zip").write_bytes(b"PK\5\6" + bytes(18))
    right = next(folder.glob("Right*")).read_bytes()
    monkeypatch.setattr(marks, "IN_ALL", 10_000_000)
    (long := tmp_path / ("long" * 20)).mkdir()
    monkeypatch.setattr(marks.tempfile, "tempdir", str(long))
    for name, file, content in (
        ("all", "Zipped_3_assignsubmission_file/00_first_steps.ipynb", right),
        ("Above_2_assignsubmission_file", "../00_first_steps.ipynb", right),
        ("Bomb_2_assignsubmission_file", "00_first_steps.ipynb", bytes(20_000_000)),
    ):
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr(file, content)
            archive.writestr("__MACOSX/._00_first_steps.ipynb", "x")
    before = {path: path.read_bytes() for path in course.rglob("*.*")}
    found = results(marks.mark(folder, out=out, root=course, limits=PATIENT))
    for name, (_, wanted, said) in CASES.items():
        got, messages = found.pop(f"{name}_1")
        assert (got, said in messages) == (wanted, True), (name, got, messages)
        assert name != "Memory" or "there is no network" in messages
    assert found.pop("Zipped_3")[0] == ["right", "right"]
    for name, said in {"Other_2": "no copy", "Report_2": "no notebook", "Text_2": "no notebook",
                       "Broken_2": "cannot be opened", "Bomb_2": "gigabytes",
                       "Empty_2": "holds no notebook", "Above_2": "holds no"}.items():  # fmt: skip
        got, messages = found.pop(name)
        assert got == ["not marked"] and said in messages
    assert not found
    assert {path: path.read_bytes() for path in course.rglob("*.*")} == before
    table = pd.read_csv(out / "marks.csv")
    assert len(table) == 2 * (len(CASES) + 1) + 7 and tuple(table) == marks.COLUMNS
    assert "exercise 1: **not yet**. No: &lt;b&gt;all" in (out / "Wrong_1.md").read_text("utf-8")
    assert not [path for path in out.iterdir() if path.suffix not in (".md", ".csv")]


def test_loops_without_end_are_stopped(tmp_path, course):
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    cases = {
        "Endless": (["while True: pass\nanswer_1 = 1", RIGHT[1]],),
        "Stubborn": ([RIGHT[0], f"{stubborn}\nanswer_2 = 2"],),
    }
    handed_in(tmp_path / "in", cases)
    limits = PATIENT | {"cell": 12, "notebook": 45}
    found = results(marks.mark(tmp_path / "in", out=tmp_path / "out", root=course, limits=limits))
    assert found["Endless_1"][0] == ["crashed", "right"]
    assert "KeyboardInterrupt" in found["Endless_1"][1]
    assert found["Stubborn_1"][0] == ["right", "not marked"]
    assert "Stopped after" in found["Stubborn_1"][1]


@pytest.mark.parametrize("file, student, number", [
    ("Doe_Jane_12_assignsubmission_file_03_splitting.ipynb", "Doe_Jane_12", "03"),
    ("all.zip/Doe Jane_12_assignsubmission_file/x.zip/A1_late.ipynb", "Doe Jane_12", "A1"),
    ("doejane_LATE_123_456_05_training_on_a_gpu-1.ipynb", "doejane", "05"),
    ("doe/jane/Copy of 13_putting.ipynb", "doe", "13"), ("doe.zip/homework.ipynb", "doe", None),
    ("doe.zip/homework/03_x.ipynb", "doe", "03"), ("doe_LATE_1_2_x.zip/mine/03.ipynb", "doe", None),
    ("doe_1_2_x.zip/03_splitting.ipynb", "doe", "03"), ("all.zip/Roe/A1_late.ipynb", "Roe", "A1"),
    ("all.zip/doe_1_2_x.zip/Roe_9_assignsubmission_file_/03.ipynb", "doe", None),
    ("Bio_2024_10_05.zip/Roe_12_assignsubmission_file_/03_x.ipynb", "Roe_12", "03"),
])  # fmt: skip
def test_names_say_who_and_which_chapter(file, student, number):
    files = ["all.zip/Doe.zip/1.ipynb", "all.zip/Roe/A1_late.ipynb", "doe.zip/homework/03_x.ipynb"]
    assert marks.student_of(file, files) == student
    chapter = marks.chapter_of(v4.new_notebook(), file, ROOT)
    assert number == (chapter and chapter.name[:2])


def test_a_spreadsheet_sees_no_formula_and_an_empty_folder_is_named(tmp_path):
    names = ["=1+1", "Anna B", "Anna_B", "Anna@B", "anna+b", "\U00020000" * 84, "\U00020000" * 85]
    row = dict.fromkeys(marks.COLUMNS, "") | {"message": "\ud800"}
    marks.write([row | {"student": name} for name in names], tmp_path)
    assert "'=1+1" in (tmp_path / "marks.csv").read_text("utf-8-sig")
    assert len(list(tmp_path.glob("*.md"))) == len(names), "a report for each"
    marks.replace_file(tmp_path / "in" / "__MACOSX" / ".DS_Store", "")
    for place in ("none", "in", "marks.csv"):
        with pytest.raises(ChapterError, match="FOLDER="):
            marks.mark(tmp_path / place, out=tmp_path)
    assert (tmp_path / "marks.csv").exists()
