"""What nbval runs: copies of the chapters in which an exercise that goes wrong is an error.

One run proves that the students' copy, which lacks the solutions, runs as it is handed out, and
that every solution passes its check: all solutions stand, in order, at the end.
"""

import ast
import copy
from pathlib import Path

import nbformat

from tools.book.course import ROOT, chapters, small
from utils.files import replace_file

# The set-up cell looks for the course in the folder above.
FOLDER = ROOT / "_build"


def trial_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a small chapter with its solutions at the end, and each check's verdict asserted."""
    trial = small(copy.deepcopy(notebook))
    solutions = [c for c in trial.cells if "solution" in _tags(c)]
    trial.cells = [c for c in trial.cells if "solution" not in _tags(c)]
    trial.cells += [c for c in solutions if c.cell_type == "code"]
    for cell in trial.cells:
        for tag, verdict in (("starter", "is not True"), ("solution", "is True")):
            if tag in _tags(cell):
                cell.source = _with_verdict(cell.source, verdict)
        if cell.cell_type == "code" and "nbval-check-output" not in _tags(cell):
            cell.outputs = []  # only outputs with this tag are compared
    return trial


def write() -> list[Path]:
    """Write a copy of every chapter; return their paths."""
    paths = []
    for chapter in chapters():
        text = nbformat.writes(trial_copy(nbformat.read(chapter, as_version=4)), version=4)
        paths.append(FOLDER / chapter.name)
        replace_file(paths[-1], text + "\n")
    return paths


def _tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def _with_verdict(source: str, verdict: str) -> str:
    """Assert what the check in a cell's last statement says, if there is one."""
    last = ast.parse(source).body[-1]
    if not isinstance(last, ast.Expr):
        return source
    check = ast.get_source_segment(source, last)
    before = "\n".join(source.splitlines()[: last.lineno - 1])
    return f"{before}\nfeedback = {check}\nassert feedback.passed {verdict}, feedback\nfeedback"
