"""Exercises are complete and answered rightly; students' copies hold nothing of the solutions."""

import ast
import copy
import json
import re
import subprocess
import zipfile

import nbformat
import pytest

from tools.book.course import ROOT, ChapterError, chapters, execute, run_python, text_output
from tools.book.set_repository import pages_address
from tools.teach import student

PATHS = chapters()
NAME = "dr-okafor/skin-2027"
CLASS = f"https://github.com/{NAME}"
# The cells of an exercise: task, starter, solution, why.
FORM = [
    ("markdown", {"exercise"}), ("code", {"exercise", "starter"}),
    ("code", {"solution", "hide-cell"}), ("markdown", {"solution"}),
]  # fmt: skip
FOLDED = "source_hidden, cellView form, code_prompt_show 'Show the solution'"


def read(path):
    return nbformat.read(path, as_version=4)


def tags(cell):
    return set(cell.metadata.get("tags", ()))


# Numbered chapters must have exercises; First steps, the capstone and appendices may.
WITH_EXERCISES = [
    path
    for path in PATHS
    if re.match(r"(?!00)\d\d_", path.name) or any("starter" in tags(c) for c in read(path).cells)
]


def last_statement(source: str) -> str:
    """The last statement of a cell in a form that can be compared."""
    return ast.unparse(ast.parse(source).body[-1])


def groups(notebook: nbformat.NotebookNode) -> list[list[nbformat.NotebookNode]]:
    """The cells of each exercise, beginning with its heading."""
    parts: list[list[nbformat.NotebookNode]] = []
    for cell in notebook.cells:
        if not tags(cell) & {"exercise", "solution"}:
            continue
        if cell.cell_type == "markdown" and cell.source.startswith("### "):
            parts.append([])
        if parts:
            parts[-1].append(cell)
    return parts


def problems(notebook: nbformat.NotebookNode, *, number: str) -> list[str]:
    """Return what the exercises of chapter `number` lack, a sentence each."""
    brings, parts = f"from exercises import chapter_{number} as check", groups(notebook)
    imports = [c for c in notebook.cells if "exercise" in tags(c) and brings in c.source]
    rules = {
        f"a code cell with the tag exercise must hold '{brings}'": imports,
        f"it has {len(parts)} exercises; 3 to 5 are wanted": 3 <= len(parts) <= 5,
    }
    for place, part in enumerate(parts, 1):
        rules |= {f"exercise {place}: {rule}": kept for rule, kept in _rules(part, place).items()}
    return [rule for rule, kept in rules.items() if not kept]


def _rules(part: list[nbformat.NotebookNode], place: int) -> dict[str, object]:
    """Say of each rule for an exercise whether it is kept."""
    if [(cell.cell_type, tags(cell) - {"slide"}) for cell in part] != FORM:
        return {"its cells must be task, starter, solution, why, with their tags": False}
    task, starter, solution, why = part
    check, again = last_statement(starter.source), last_statement(solution.source)
    hint = r"<details><summary>Hint</summary>\n\n(?:\S+\s+){3}.*\S\n\n</details>"
    reason = r"<details><summary>Why</summary>\n\n(?:\S+\s+){9}.*\S\n\n</details>"
    told = solution.metadata
    hidden, prompt = told.get("jupyter", {}), told.get("mystnb", {}).get("code_prompt_show")
    folded = hidden.get("source_hidden"), told.get("cellView"), prompt
    heading, call = re.match(rf"### Exercise {place}: \S", task.source), f"check.exercise_{place}("
    minutes = re.search(r"^\*\d+ minutes? · [^*\n]+\*$", task.source, re.MULTILINE)
    first, title = solution.source.partition("\n")[0], "# @title Solution"
    return {
        f"its heading must be '### Exercise {place}: …'": heading,
        "its minutes are not stated, as in '*5 minutes · predict, then run*'": minutes,
        f"it has no hint: {hint}": re.search(hint, task.source, re.DOTALL),
        f"its starter has no answer_{place}": f"answer_{place}" in starter.source,
        f"its starter must end with {call}…)": check.startswith(call),
        "its solution must end with the same call of the check as its starter": check == again,
        f"its solution must begin with '{title}'": first == title,
        f"its solution must be folded: {FOLDED}": folded == (True, "form", "Show the solution"),
        f"its why must be {reason}": re.fullmatch(reason, why.source.strip(), re.DOTALL),
    }


@pytest.mark.parametrize("path", WITH_EXERCISES, ids=lambda path: path.stem)
def test_exercises_are_complete_and_stored_outputs_say_that_solutions_are_right(path):
    notebook = read(path)
    assert not problems(notebook, number=path.name[:2])
    again = f"Run `make publish CHAPTERS={path.name[:2]}` with the real images."
    for place, (_, starter, solution, _) in enumerate(groups(notebook), 1):
        both = ("starter", starter, "… Your turn|✗ Not yet"), ("solution", solution, "✓ Right")
        for name, cell, wanted in both:
            said = [o.data.get("text/plain", "") for o in cell.outputs if "data" in o]
            assert said and re.match(wanted, said[-1]), (
                f"{path.name}, exercise {place}: the {name}'s check says {said}. {again}"
            )


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
        source = student.to_published(original.source.rstrip())
        assert cell.source.startswith(source)
        assert cell.source.removeprefix(source).strip() in ("", student.NOTE)
        assert tags(cell) == tags(original) - {"slide"} and "slide" not in cell.metadata
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
    assert set(fresh.metadata) <= {"kernelspec", "language_info"}
    assert "REPOSITORY" in fresh.cells[2].source
    assert not groups(notebook) or student.NOTE in nbformat.writes(fresh)
    # No line of a solution is anywhere in the file, unless the chapter shows it elsewhere.
    shown = "\n".join(cell.source for cell in wanted)
    text = nbformat.writes(fresh)
    solutions = [cell.source for cell in notebook.cells if "solution" in tags(cell)]
    for line in {line.strip() for source in solutions for line in source.splitlines()}:
        written = json.dumps(line, ensure_ascii=False)[1:-1]
        assert line in shown or written not in text, f"of a solution: {line}"


def test_what_only_metadata_would_tell_is_gone():
    notebook = read(PATHS[3])
    notebook.metadata.update(papermill={"parameters": {"answer_1": "secret"}})
    notebook.cells[0].metadata.update(tags=["slide"], slide={"notes": "secret"}, execution="secret")
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="secret")]
    fresh = student.student_copy(notebook)
    assert "secret" not in nbformat.writes(fresh) and fresh.cells[0].metadata == {}


def test_zip_holds_the_copies_in_one_folder(tmp_path):
    with zipfile.ZipFile(student.build(folder=tmp_path)) as archive:
        names = archive.namelist()
        there = {n.removeprefix(f"{student.STUDENT}/"): archive.read(n).decode() for n in names}
    readme = there.pop("README.txt")
    assert there == student.copies()
    for word in ("JupyterLab", "Colab", "HAM10000_DIR", "not a medical\ndevice", "https://"):
        assert word in readme and "{" not in readme


@pytest.fixture(scope="module")
def class_folder(tmp_path_factory):
    """The repository of a class, in a folder with spaces in its name."""
    return student.classroom(tmp_path_factory.mktemp("a class") / "our skin", CLASS)


def test_a_class_gets_nothing_of_the_teachers_side(class_folder):
    files = {p.relative_to(class_folder).as_posix() for p in class_folder.rglob("*") if p.is_file()}
    assert {name.partition("/")[0] for name in files} == {
        "chapters", "data", "exercises", "models", "teaching", "utils", "README.md", "LICENSE",
        "CITATION.cff", ".gitignore", ".binder", "environment.yml", "requirements.lock",
        "pyproject.toml", "troubleshooting.md", "data-and-licence.md", "reporting-checklist.md",
    }  # fmt: skip
    assert {name for name in files if re.match("teaching/[^q]", name)} == {
        f"teaching/{name}.md"
        for name in ("glossary", "project-brief", "case-card-1", "case-card-2", "case-card-3")
    }
    chapters_there = {name for name in files if name.startswith("chapters/")}
    assert chapters_there == {f"chapters/{path.name}" for path in PATHS}
    for name in (name for name in files if name.endswith(".ipynb")):
        for cell in read(class_folder / name).cells:
            assert "solution" not in tags(cell) and not cell.get("outputs"), f"{name}: {cell.id}"


def test_a_class_has_its_own_address_and_links_that_lead_somewhere(class_folder):
    readme = (class_folder / "README.md").read_text("utf-8")
    assert f"https://mybinder.org/v2/gh/{NAME}/main?urlpath=lab/tree/chapters" in readme
    for path in PATHS:
        colab = f"https://colab.research.google.com/github/{NAME}/blob/main/chapters/{path.name}"
        assert f"[{path.name}](chapters/{path.name}) ([Colab]({colab}))" in readme
        fresh = read(class_folder / "chapters" / path.name)
        assert f'REPOSITORY, VERSION = "{CLASS}", "main"' in fresh.cells[2].source
        assert "dr-okafor.github.io" not in nbformat.writes(fresh), "a class has no book of its own"
    assert pages_address() in (class_folder / "chapters" / PATHS[0].name).read_text("utf-8")
    assert CLASS not in (class_folder / "CITATION.cff").read_text("utf-8")
    for page in class_folder.rglob("*.md"):
        for link in re.findall(r"\]\((?!\w+:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_a_chapter_runs_from_where_it_stands_without_a_network(class_folder, tmp_path, monkeypatch):
    for name in ("HOME", "PATH"):  # no git, so nothing can be cloned; nothing of this user's
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    monkeypatch.setenv("COURSE_QUICK", "1")
    monkeypatch.delenv("HAM10000_CACHE", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    ran = tmp_path / "ran.ipynb"
    execute(class_folder / "chapters" / PATHS[2].name, ran)
    assert "Data: the phantom" in text_output(read(ran))
    assert list((class_folder / "data" / "cache").glob("lesions_28_*.npz")), "another utils ran"


def test_another_run_renews_a_class_and_keeps_what_is_not_its_own(class_folder, monkeypatch):
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A. Teacher")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "teacher@example.org")
    settings = class_folder.with_name("gitconfig")
    settings.write_text(f"[core]\nexcludesFile = {settings.as_posix()}-ignores\n")
    settings.with_name("gitconfig-ignores").write_text("*.npz\n*.h5\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert student.commit(class_folder) == ""
    (class_folder / ".git" / "index.lock").touch()  # as a killed git leaves it
    assert student.commit(class_folder) == ""
    assert b"best.weights.h5" in subprocess.check_output(["git", "ls-files"], cwd=class_folder)
    for name in ("data/raw/x.zip", "plan.md", "chapters/99_old.ipynb"):
        (class_folder / name).parent.mkdir(exist_ok=True)
        (class_folder / name).write_text("{}")
    student.classroom(class_folder, CLASS)
    assert (class_folder / "data/raw/x.zip").exists() and (class_folder / "plan.md").exists()
    assert not (class_folder / "chapters/99_old.ipynb").exists()
    with pytest.raises(ChapterError, match="not of the form"):
        student.classroom(class_folder.with_name("other"), "https://example.org/x")
    assert PATHS[0].exists() and not class_folder.with_name("other").exists()


def test_what_was_interrupted_goes_on_and_no_other_folder_is_written_to(tmp_path, monkeypatch):
    page, write, part = student.README.read_bytes(), student.replace_file, tmp_path / "new" / "x"
    monkeypatch.setattr(student, "_write", lambda place, *_: write(place / "README.md", page))
    monkeypatch.setattr(student.shutil, "copytree", lambda *_, **__: write(part, ""))
    for _ in range(2):  # copies a part, and then goes on
        student.classroom(part.parent)
    (tmp_path / "README.md").write_bytes(b"\xff")
    for place in (ROOT, tmp_path, tmp_path / "README.md", tmp_path / "README.md" / "x"):
        with pytest.raises(ChapterError, match="FOLDER="):
            student.classroom(place)
    said = run_python(["-m", "tools.teach.student", "~nobody-here/x"]).stdout
    assert "FOLDER=" in said and "Traceback" not in said
