"""`make test`: style, spelling, tests, every chapter small on the phantom and on real images.

Of the chapters nbval runs copies in which an exercise that goes wrong is an error. One run proves
that the students' copy, which lacks the solutions, runs as it is handed out, and that every
solution passes its check: all solutions stand, in order, at the end.
"""

import ast
import sys
import time

import nbformat

from tools.book.course import KERNEL, ROOT, chapters, environment, real_data, run_python, small
from utils.files import replace_file

PARALLEL = ["-n", "2", "--dist", "loadfile"]


def trial_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Make a chapter small, with its solutions at the end and verdicts asserted; return it."""
    trial = small(notebook)
    trial.metadata = nbformat.from_dict(KERNEL)
    trial.cells.sort(key=lambda cell: "solution" in cell.metadata.get("tags", ()))
    for cell in (cell for cell in trial.cells if cell.cell_type == "code"):
        tags = cell.metadata.get("tags", ())
        for tag, verdict in (("starter", "is not True"), ("solution", "is True")):
            if tag in tags:
                cell.source = _with_verdict(cell.source, verdict)
        if "nbval-check-output" not in tags:
            cell.outputs = []  # only outputs with this tag are compared
    return trial


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
    copies = {ROOT / "_build" / path.name: path for path in chapters()}
    for copy, path in copies.items():  # the set-up cell looks for the course in the folder above
        trial = trial_copy(nbformat.read(path, as_version=4))
        replace_file(copy, nbformat.writes(trial, version=4) + "\n")
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
