"""Every student's copy runs as handed out, and then every solution passes its check.

One run per chapter proves both: the student's copy first, all solutions after it, in order, in
the same kernel; small, and on the phantom. That the solutions pass in their own place on the real
images, tests/teach/test_student.py reads from the stored outputs.
"""

import re

import nbformat
import pytest

from tools.book.course import ROOT, chapters, execute
from tools.teach import student


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def read(path):
    return nbformat.read(path, as_version=4)


PATHS = [path for path in chapters() if any("starter" in tags(c) for c in read(path).cells)]


def said(cell: nbformat.NotebookNode) -> str:
    """The feedback of the check in a cell: the text of its last result."""
    results = [o for o in cell.outputs if o.output_type == "execute_result"]
    return results[-1].data["text/plain"] if results else ""


def test_there_are_exercises():
    missing = [path.name for path in chapters() if re.match(r"(?!00)\d\d_", path.name)]
    missing = sorted(set(missing) - {path.name for path in PATHS})
    assert not missing, f"without exercises: {missing}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_student_copy_runs_and_solutions_pass(path, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_QUICK", "1")
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    chapter = read(path)
    notebook = student.student_copy(chapter)
    solutions = [c for c in chapter.cells if c.cell_type == "code" and "solution" in tags(c)]
    notebook.cells += solutions
    (tmp_path / "chapters").mkdir()
    (tmp_path / "utils").symlink_to(ROOT / "utils", target_is_directory=True)
    place = tmp_path / "chapters" / path.name
    nbformat.write(notebook, place)

    execute(place, tmp_path / "out" / path.name)

    ran = read(tmp_path / "out" / path.name)
    starters = [cell for cell in ran.cells if "starter" in tags(cell)]
    answered = [cell for cell in ran.cells if "solution" in tags(cell)]
    assert len(starters) == len(answered) == len(solutions) > 0
    for number, (starter, solution) in enumerate(zip(starters, answered, strict=True), 1):
        where = f"{path.name}, exercise {number}"
        text = said(starter)
        assert re.match(r"… Your turn|✗ Not yet", text), f"{where}, as handed out: {text!r}"
        text = said(solution)
        assert text.startswith("✓ Right"), f"{where}, its solution: {text!r}"
