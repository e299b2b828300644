"""`make test`: style, spelling, tests, every chapter small on the phantom and on real images.

Of the chapters nbval runs copies in which an exercise that goes wrong is an error. One run proves
that the students' copy, which lacks the solutions, runs as it is handed out, and that every
solution passes its check: all solutions stand, in order, at the end.
"""

import ast
import copy
import sys
import time
from pathlib import Path

import nbformat

from tools.book.course import ROOT, chapters, environment, real_data, run_python, small
from utils.files import replace_file

PARALLEL = ["-n", "2", "--dist", "loadfile"]
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


if __name__ == "__main__":  # all steps, whatever fails
    failed, start, real = [], time.perf_counter(), real_data()
    copies = [str(path) for path in write()]
    chapters = ["pytest", "--nbval-lax", *copies, *PARALLEL, "-p", "no:cacheprovider"]
    steps = {
        "ruff: rules": (["ruff", "check", "."], ""),
        "ruff: format": (["ruff", "format", "--check", "."], ""),
        "codespell": (["codespell_lib", "."], ""),
        "pytest": (["pytest", "tests", *PARALLEL], real or "phantom"),
        "chapters on the phantom": (chapters, "phantom"),
    }
    if real:
        steps["chapters on the real images"] = (chapters, real)
    for heading, (arguments, data) in steps.items():
        print(f"\n{'=' * 20} {heading} {'=' * 20}", flush=True)
        env, begin = environment() | {"HAM10000_DIR": data}, time.perf_counter()
        if run_python(["-m", *arguments], env=env, capture=False).returncode:
            failed.append(heading)
        print(f"({heading}: {time.perf_counter() - begin:.0f} s)", flush=True)
    minutes = (time.perf_counter() - start) / 60
    if not real:
        print("\nNo real images here: everything ran on the phantom. (HAM10000_DIR names them.)")
    print(f"\nFAILED: {', '.join(failed)}" if failed else f"\nAll passed in {minutes:.1f} minutes.")
    sys.exit(bool(failed))
