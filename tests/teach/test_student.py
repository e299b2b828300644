"""Exercises are complete and answered rightly; students' copies hold nothing of the solutions."""

import ast
import copy
import io
import re
import zipfile

import nbformat
import pytest

from tools.book.course import ChapterError, chapters
from tools.teach import student

PATHS = chapters()
# Numbered chapters must have exercises; the warm-up, the capstone and appendices may.
MUST = {path for path in PATHS if re.match(r"(?!00)\d\d_", path.name)}


def read(path):
    return nbformat.read(path, as_version=4)


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def has_exercises(path):
    return any("starter" in tags(cell) for cell in read(path).cells)


WITH_EXERCISES = [path for path in PATHS if path in MUST or has_exercises(path)]


def last_call(source: str) -> str | None:
    """The last statement of a cell, if it is a call, in a form that can be compared."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return None
    is_call = body and isinstance(body[-1], ast.Expr) and isinstance(body[-1].value, ast.Call)
    return ast.dump(body[-1]) if is_call else None


def groups(notebook: nbformat.NotebookNode) -> list[list[nbformat.NotebookNode]]:
    """The cells of each exercise, beginning with its heading."""
    found: list[list[nbformat.NotebookNode]] = []
    for cell in notebook.cells:
        if not tags(cell) & {"exercise", "solution"}:
            continue
        if cell.cell_type == "markdown" and cell.source.startswith("### "):
            found.append([cell])
        elif found:
            found[-1].append(cell)
    return found


def problems(notebook: nbformat.NotebookNode, *, number: str) -> list[str]:
    """Return what the exercises of chapter `number` lack, a sentence each."""
    opening = [cell for cell in notebook.cells if cell.source.split("\n")[0] == "## Exercises"]
    if len(opening) != 1 or "exercise" not in tags(opening[0]):
        return ["one Markdown cell with the tag exercise must begin with '## Exercises'"]
    begin = notebook.cells.index(opening[0])
    found = [
        f"cell {place} has the tag {' and '.join(sorted(tags(cell) & {'exercise', 'solution'}))} "
        "and stands before '## Exercises'"
        for place, cell in enumerate(notebook.cells[:begin], 1)
        if tags(cell) & {"exercise", "solution"}
    ]
    brings = f"from exercises import chapter_{number} as check"
    if not any("exercise" in tags(c) and brings in c.source for c in notebook.cells[begin:]):
        found.append(f"a code cell with the tag exercise must hold '{brings}'")
    parts = groups(notebook)
    if not 3 <= len(parts) <= 5:
        found.append(f"it has {len(parts)} exercises; 3 to 5 are wanted")
    for place, part in enumerate(parts, 1):
        found += [f"exercise {place}: {problem}" for problem in _problems(part, place)]
    return found


def _problems(part, place):
    heading = part[0].source
    if not re.match(rf"### Exercise {place}: \S", heading):
        yield f"its heading must be '### Exercise {place}: …'; it is {heading.splitlines()[0]!r}"
    if not re.search(r"^\*\d+ minutes? · [^*\n]+\*$", heading, re.MULTILINE):
        yield "its minutes are not stated, as in '*5 minutes · predict, then run*'"
    hint = re.search(r"<details><summary>Hint</summary>\n\n(.+?)\n\n</details>", heading, re.DOTALL)
    if not hint or len(hint[1].split()) < 4:
        yield "it has no hint: <details><summary>Hint</summary>, blank line, text, blank line"
    kinds = [(cell.cell_type, frozenset(tags(cell) - {"hide-cell", "slide"})) for cell in part]
    wanted = [
        ("markdown", {"exercise"}),
        ("code", {"exercise", "starter"}),
        ("code", {"solution"}),
        ("markdown", {"solution"}),
    ]
    if kinds != wanted:
        seen = ", ".join(f"{kind} {sorted(names)}" for kind, names in kinds)
        yield f"its cells must be task, starter, solution, why, with their tags; they are {seen}"
        return
    _, starter, solution, why = part
    check, again = last_call(starter.source), last_call(solution.source)
    if f"answer_{place}" not in starter.source:
        yield f"its starter has no answer_{place}"
    if check is None or f"'exercise_{place}'" not in check:
        yield f"its starter must end with check.exercise_{place}(…)"
    if check != again:
        yield "its solution must end with the same call of the check as its starter"
    if not solution.source.startswith("# @title Solution\n"):
        yield "its solution must begin with '# @title Solution'"
    folded = solution.metadata.get("jupyter", {}).get("source_hidden") is True
    if (
        not folded
        or solution.metadata.get("cellView") != "form"
        or "hide-cell" not in tags(solution)
    ):
        yield "its solution must be folded: tag hide-cell, source_hidden, cellView form"
    if solution.metadata.get("mystnb", {}).get("code_prompt_show") != "Show the solution":
        yield "its solution needs its label: mystnb, code_prompt_show 'Show the solution'"
    text = re.fullmatch(
        r"<details><summary>Why</summary>\n\n(.+)\n\n</details>", why.source.strip(), re.DOTALL
    )
    if not text or len(text[1].split()) < 10:
        yield "its why must be <details><summary>Why</summary>, blank line, 10 words or more"


def feedback(cell: nbformat.NotebookNode) -> str:
    """What the check in a cell said, as text."""
    said = [o.data.get("text/plain", "") for o in cell.get("outputs", ()) if "data" in o]
    return said[-1] if said else ""


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_exercises_are_complete(path):
    notebook = read(path)
    found = problems(notebook, number=path.name[:2])
    assert not found, f"{path.name}:\n  " + "\n  ".join(found)


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_stored_outputs_say_that_solutions_are_right(path):
    again = f"Run `make publish CHAPTERS={path.name[:2]}` with the real images."
    parts = groups(read(path))
    assert parts, f"{path.name} has no exercises"
    for place, part in enumerate(parts, 1):
        starter, solution = (cell for cell in part if cell.cell_type == "code")
        said = feedback(starter)
        assert re.match(r"… Your turn|✗ Not yet", said), (
            f"{path.name}, exercise {place}: the starter's check says {said!r}. {again}"
        )
        said = feedback(solution)
        assert said.startswith("✓ Right"), (
            f"{path.name}, exercise {place}: the solution's check says {said!r}. {again}"
        )


# --- Students' copies ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_student_copy_is_the_chapter_without_solutions(path):
    notebook = read(path)
    before = copy.deepcopy(notebook)
    fresh = student.student_copy(notebook)
    assert notebook == before, "the chapter itself was changed"
    nbformat.validate(fresh)
    wanted = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    assert [cell.id for cell in fresh.cells] == [cell.id for cell in wanted]
    for cell, original in zip(fresh.cells, wanted, strict=True):
        assert cell.source.startswith(original.source.rstrip())
        assert cell.source.removeprefix(original.source.rstrip()).strip() in ("", student.NOTE)
        assert tags(cell) == tags(original) - {"slide"} and "slide" not in cell.metadata
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
    assert set(fresh.metadata) <= {"kernelspec", "language_info"}
    assert "REPOSITORY" in fresh.cells[2].source
    starters = [cell.source for cell in notebook.cells if "starter" in tags(cell)]
    assert [cell.source for cell in fresh.cells if "starter" in tags(cell)] == starters
    # No line of a solution is anywhere in the file, unless the chapter shows it elsewhere.
    shown = "\n".join(cell.source for cell in wanted)
    text = nbformat.writes(fresh)
    for cell in notebook.cells:
        if "solution" in tags(cell):
            for line in {line.strip() for line in cell.source.splitlines()}:
                if line in shown:
                    continue
                written = nbformat.v4.new_markdown_cell(line, id="x")
                line = nbformat.writes(nbformat.v4.new_notebook(cells=[written]))
                line = re.search(r'"source": \[\s*"(.*)"\s*\]', line)[1]
                assert line not in text, f"{path.name}: of a solution: {line}"


def names_in(path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info).decode() for info in archive.infolist()}


def test_zips_hold_everything(tmp_path):
    written = student.build(folder=tmp_path)
    names = [path.name for path in PATHS]
    assert [path.name for path in written] == [
        *names,
        "reading-skin-student.zip",
        "reading-skin-solutions.zip",
    ]
    for zip_, sources in (
        (student.STUDENT, {name: (tmp_path / name).read_text("utf-8") for name in names}),
        (student.SOLUTIONS, {path.name: path.read_text("utf-8") for path in PATHS}),
    ):
        there = names_in(tmp_path / f"{zip_}.zip")
        readme = there.pop(f"{zip_}/README.txt")
        assert there == {f"{zip_}/{name}": text for name, text in sources.items()}
        for word in ("JupyterLab", "Colab", "HAM10000_DIR", "not a medical\ndevice"):
            assert word in readme
        assert ("solutions" in readme) == (zip_ == student.SOLUTIONS)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_zip_is_the_same_every_time_and_sorted(tmp_path):
    files = {"b.txt": "two", "a.txt": "onë"}
    first = student.zipped("x", files)
    assert first == student.zipped("x", dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["x/a.txt", "x/b.txt"]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read("x/a.txt").decode() == "onë"


def test_only_the_chapters_asked_for(tmp_path):
    (tmp_path / "99_old.ipynb").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    written = student.build(["03"], folder=tmp_path)
    notebooks = sorted(path.name for path in tmp_path.glob("*.ipynb"))
    assert notebooks == [written[0].name] and notebooks[0].startswith("03")
    assert len(names_in(written[1])) == 2 and (tmp_path / "notes.txt").exists()
    with pytest.raises(ChapterError, match="no chapter 77"):
        student.build(["03", "77"], folder=tmp_path)


def test_command_says_what_is_wrong(capsys):
    assert student.main(["77"]) == 1
    assert "no chapter 77" in capsys.readouterr().err


# --- The rules themselves ------------------------------------------------------------------------


def good_chapter() -> nbformat.NotebookNode:
    """The exercises of a chapter that keeps every rule."""
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# Title"),
        v4.new_markdown_cell("## Exercises\n\nFill in.", metadata={"tags": ["exercise"]}),
        v4.new_code_cell(
            "from exercises import chapter_03 as check", metadata={"tags": ["exercise"]}
        ),
    ]
    for n in (1, 2, 3):
        task = (
            f"### Exercise {n}: a title\n\n*5 minutes · predict, then run*\n\nDo it.\n\n"
            "<details><summary>Hint</summary>\n\nLook at the table again.\n\n</details>"
        )
        why = "<details><summary>Why</summary>\n\n" + "Because. " * 10 + "\n\n</details>"
        folded = {
            "tags": ["solution", "hide-cell"],
            "jupyter": {"source_hidden": True},
            "cellView": "form",
            "mystnb": {"code_prompt_show": "Show the solution"},
        }
        call = f"check.exercise_{n}(answer_{n})"
        cells += [
            v4.new_markdown_cell(task, metadata={"tags": ["exercise"]}),
            v4.new_code_cell(
                f"answer_{n} = None\n{call}", metadata={"tags": ["exercise", "starter"]}
            ),
            v4.new_code_cell(f"# @title Solution\nanswer_{n} = {n}{n}\n{call}", metadata=folded),
            v4.new_markdown_cell(why, metadata={"tags": ["solution"]}),
        ]
    cells += [v4.new_markdown_cell("## Further reading")]
    return v4.new_notebook(cells=cells)


def test_good_exercises_have_no_problems():
    assert problems(good_chapter(), number="03") == []
    copied = nbformat.writes(student.student_copy(good_chapter()))
    assert "answer_2 = None" in copied and "answer_2 = 22" not in copied
    assert "Because" not in copied and student.NOTE in copied


def replace(cell, old, new):
    """Return a function that replaces a text in one cell."""

    def change(notebook):
        assert old in notebook.cells[cell].source
        notebook.cells[cell].source = notebook.cells[cell].source.replace(old, new)

    return change


BREAKS = {
    "begin with '## Exercises'": replace(1, "## Exercises", "## Tasks"),
    "stands before '## Exercises'": lambda n: n.cells[0].metadata.update(tags=["solution"]),
    "must hold 'from exercises import chapter_03": lambda n: n.cells.pop(2),
    "it has 2 exercises; 3 to 5": lambda n: n.cells.__delitem__(slice(11, 15)),
    "must be '### Exercise 2: …'": replace(7, "Exercise 2", "Exercise 4"),
    "exercise 1: its minutes": replace(3, "*5 minutes · predict, then run*", "5 minutes"),
    "exercise 2: it has no hint": replace(7, "Hint", "Help"),
    "exercise 2: it has no hint: ": replace(7, "Look at the table again.", "Look."),
    "must be task, starter, solution, why": lambda n: n.cells.pop(5),
    "are markdown ['exercise'], code ['exercise'], ": lambda n: n.cells[4].metadata.update(
        tags=["exercise"]
    ),
    "must be task, starter, solution, why, with": lambda n: n.cells.pop(6),
    "exercise 1: its starter has no answer_1": replace(4, "answer_1", "answer"),
    "exercise 1: its starter must end with check.exercise_1": replace(
        4, "check.exercise_1(answer_1)", "answer_1"
    ),
    "exercise 3: its solution must end with the same call": replace(13, "(answer_3)", "(33)"),
    "must begin with '# @title Solution'": replace(5, "# @title Solution\n", ""),
    "must be folded": lambda n: n.cells[5].metadata.pop("cellView"),
    "must be folded: tag hide-cell": lambda n: n.cells[5].metadata.update(tags=["solution"]),
    "exercise 2: its solution needs its label": lambda n: n.cells[9].metadata.pop("mystnb"),
    "exercise 3: its why must be": replace(14, "Because. " * 10, "So. "),
}


@pytest.mark.parametrize("message", BREAKS)
def test_broken_rule_is_found(message):
    notebook = good_chapter()
    BREAKS[message](notebook)
    found = problems(notebook, number="03")
    assert any(message in problem for problem in found), found


def test_what_only_metadata_would_tell_is_gone():
    notebook = good_chapter()
    notebook.metadata.update(course={"code": "x"}, kernelspec={"name": "python3"})
    notebook.metadata.update(papermill={"parameters": {"answer_1": 11}})
    notebook.cells[0].metadata.update(tags=["slide"], slide={"notes": "answer_1 = 11"})
    notebook.cells[4].outputs = [nbformat.v4.new_output("stream", text="answer_1 = 11")]
    fresh = student.student_copy(notebook)
    text = nbformat.writes(fresh)
    assert "answer_1 = 11" not in text and "slide" not in text
    assert dict(fresh.metadata) == {"kernelspec": {"name": "python3"}}
