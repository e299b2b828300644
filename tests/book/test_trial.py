"""The copies that nbval runs: a starter that is solved, or a solution that is not, is an error."""

import types
from contextlib import nullcontext

import nbformat
import pytest

from tools.book.course import chapters
from tools.book.trial import trial_copy

v4 = nbformat.v4
PATHS = [path for path in chapters() if path.name[0].isdigit()]


def tags(cell):
    return set(cell.metadata.get("tags", ()))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_exercise_has_a_starter_and_a_solution_that_are_checked(path):
    trial = trial_copy(nbformat.read(path, as_version=4))
    starters, solutions = (
        [cell for cell in trial.cells if kind in tags(cell)] for kind in ("starter", "solution")
    )
    assert len(starters) == len(solutions) > 0
    assert trial.cells[-len(solutions) :] == solutions
    assert all("assert feedback.passed is not True" in cell.source for cell in starters)
    assert all("assert feedback.passed is True" in cell.source for cell in solutions)


@pytest.mark.parametrize(
    "starter, solution, passes", [(None, 7, True), (7, 7, False), (None, 8, False), (8, 7, True)]
)
def test_wrong_verdicts_stop_the_copy(starter, solution, passes):
    def cell(answer, tag):
        source = f"answer_1 = {answer}  # é\ncheck.exercise_1(\n    answer_1, 7\n)"
        return v4.new_code_cell(source, metadata={"tags": [tag]})

    def check(answer, right):
        return types.SimpleNamespace(passed=None if answer is None else answer == right)

    notebook = v4.new_notebook(cells=[cell(solution, "solution"), cell(starter, "starter")])
    program = "\n".join(cell.source for cell in trial_copy(notebook).cells)
    with nullcontext() if passes else pytest.raises(AssertionError):
        exec(program, {"check": types.SimpleNamespace(exercise_1=check)})


def test_outputs_stay_only_where_nbval_compares_them():
    output = v4.new_output("stream", text="1")
    kept = v4.new_code_cell("1", outputs=[output], metadata={"tags": ["nbval-check-output"]})
    trial = trial_copy(v4.new_notebook(cells=[kept, v4.new_code_cell("1", outputs=[output])]))
    assert [len(cell.outputs) for cell in trial.cells] == [1, 0]
