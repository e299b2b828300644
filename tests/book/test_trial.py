"""The copies that nbval runs: a starter that is solved, or a solution that is not, is an error."""

import types
from contextlib import nullcontext

import pytest
from nbformat import v4

from tools.book.run_tests import trial_copy


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
    cells = trial_copy(notebook).cells
    assert [cell.metadata["tags"] for cell in cells] == [["starter"], ["solution"]]
    program = "\n".join(cell.source for cell in cells)
    with nullcontext() if passes else pytest.raises(AssertionError):
        exec(program, {"check": types.SimpleNamespace(exercise_1=check)})


def test_outputs_stay_only_where_nbval_compares_them():
    output = v4.new_output("stream", text="1")
    kept = v4.new_code_cell("1", outputs=[output], metadata={"tags": ["nbval-check-output"]})
    notebook = v4.new_notebook(cells=[kept, v4.new_code_cell("1", outputs=[output])])
    notebook.metadata.kernelspec = {"name": "my-env"}  # of an editor
    trial = trial_copy(notebook)
    assert [len(cell.outputs) for cell in trial.cells] == [1, 0]
    assert trial.metadata.kernelspec.name == "python3"
