"""`tools.teach.colab` without an environment: what it puts where, reads, and calls failed."""

import json
import os
import re
import subprocess
import sys
import types

import nbformat
import pytest
import yaml

from tools.book.course import ROOT
from tools.teach import colab
from tools.teach.colab import Ran, failed

WORKFLOW = ROOT / ".github" / "workflows" / "colab.yml"


def git(folder, *words):
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def course(tmp_path):
    """A working tree: a file that was committed and changed since, a new one, an ignored one."""
    root = tmp_path / "course"
    (root / "utils").mkdir(parents=True)
    git(root, "init", "--quiet")
    (root / ".gitignore").write_text("_build/\n")
    (root / "utils" / "a.py").write_text("old\n")
    (root / "gone.md").write_text("deleted since\n")
    git(root, "add", "--all")
    name = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    git(root, *name, "commit", "--quiet", "-m", "first")
    (root / "utils" / "a.py").write_text("new\n")
    (root / "utils" / "é b.py").write_text("untracked, with a blank\n")
    (root / "gone.md").unlink()
    (root / "_build").mkdir()
    (root / "_build" / "large").write_text("ignored\n")
    return root


def test_repository_holds_the_working_tree_and_nothing_ignored(course, tmp_path):
    address = colab.make_repository(tmp_path / "made" / "fork", root=course)
    assert address.startswith("file://") and address.endswith("/made/fork")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth", "1", "--branch", "main", address, str(clone))
    files = sorted(p.relative_to(clone).as_posix() for p in clone.rglob("*") if p.is_file())
    own = [name for name in files if not name.startswith(".git/")]
    assert own == [".gitignore", "utils/a.py", "utils/é b.py"]
    assert (clone / "utils" / "a.py").read_text() == "new\n"


def test_an_earlier_repository_is_replaced(course, tmp_path):
    folder = tmp_path / "fork"
    colab.make_repository(folder, root=course)
    (course / "utils" / "a.py").write_text("newest\n")
    (course / "utils" / "é b.py").unlink()
    colab.make_repository(folder, root=course)
    assert (folder / "utils" / "a.py").read_text() == "newest\n"
    assert not (folder / "utils" / "é b.py").exists()


def test_this_courses_own_repository_can_be_made(tmp_path):
    folder = tmp_path / "fork"
    colab.make_repository(folder)
    assert (folder / "utils" / "classes.py").is_file()
    assert not (folder / ".venv").exists() and not (folder / "_build").exists()


# --- A run, with a stub in place of Python -------------------------------------------------------


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A program that notes how it was started, and answers what it was told to."""
    if os.name == "nt":
        pytest.skip("the stub is a shell script")
    monkeypatch.setattr(colab, "FOLDER", tmp_path / "colab")
    folder = tmp_path / "bin"
    folder.mkdir()
    python, answer = folder / "python", folder / "answer"
    python.write_text(
        f'#!/bin/sh\nenv > "{folder}/env"\npwd > "{folder}/cwd"\nls -A > "{folder}/ls"\n'
        f'echo "$3 $4" > "{folder}/arguments"\ncp "$3" "{folder}/notebook"\ncat "{answer}"\n'
    )
    python.chmod(0o755)

    def say(text):
        answer.write_text(text)

    return types.SimpleNamespace(python=python, folder=folder, say=say)


@pytest.fixture
def chapter(tmp_path):
    v4 = nbformat.v4
    set_up = v4.new_code_cell(
        'REPOSITORY = "https://github.com/OWNER/x"\nVERSION = "main"',
        outputs=[v4.new_output("stream", text="old")],
        execution_count=7,
    )
    text = v4.new_markdown_cell('Say REPOSITORY = "x" within a line.')
    path = tmp_path / "03_x.ipynb"
    nbformat.write(v4.new_notebook(cells=[text, set_up]), path)
    return path


SAID = """Versions: Python 3.13.15, Keras 3.13.2, tensorflow 2.20.0
Device: Tesla T4
Data: HAM10000 from Kaggle, 10,015 images
Data: a second line that does not count
@peak 1048576
"""


def answer(**changes):
    return "noise\n@@" + json.dumps({"seconds": 12.34, "problem": "", "said": SAID} | changes)


def test_lines_of_a_run_are_read(stub, chapter):
    stub.say(answer())
    ran = colab.run(chapter, python=stub.python, repository="file:///fork", limit=77)
    assert ran == Ran(
        "03_x",
        12.3,
        1024,
        "Python 3.13.15, Keras 3.13.2, tensorflow 2.20.0",
        "Tesla T4",
        "HAM10000 from Kaggle, 10,015 images",
        "",
    )
    assert failed(ran) == ""
    assert (stub.folder / "arguments").read_text() == "03_x.ipynb 77\n"


def test_folder_holds_the_notebook_alone_and_the_environment_is_colabs(stub, chapter, monkeypatch):
    for name in ("HAM10000_DIR", "KERAS_BACKEND", "VIRTUAL_ENV", "PYTHONPATH"):
        monkeypatch.setenv(name, "mine")
    stub.say(answer())
    leftover = colab.FOLDER / "run" / "03_x" / "left over"
    leftover.mkdir(parents=True)
    colab.run(chapter, python=stub.python, repository="file:///fork")
    assert (stub.folder / "ls").read_text() == "03_x.ipynb\n"
    environment = dict(
        line.split("=", 1) for line in (stub.folder / "env").read_text().splitlines() if "=" in line
    )
    assert not {"HAM10000_DIR", "KERAS_BACKEND", "VIRTUAL_ENV"} & set(environment)
    assert environment["COLAB_RELEASE_TAG"] and environment["COURSE_QUICK"] == "1"
    assert environment["PATH"].split(os.pathsep)[0] == str(stub.folder)
    fake = environment["PYTHONPATH"]
    code = "import google.colab; print(google.colab.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": fake}, capture_output=True
    )
    assert fake in found.stdout.decode()


def test_real_package_of_colab_is_left_in_place(stub, chapter, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    stub.say(answer())
    colab.run(chapter, python=stub.python, repository="file:///fork", stand_in=False)
    assert "PYTHONPATH=" not in (stub.folder / "env").read_text()


def test_set_up_cell_gets_the_address_and_outputs_go(stub, chapter):
    before = chapter.read_bytes()
    stub.say(answer())
    colab.run(chapter, python=stub.python, repository="file:///fork")
    text, set_up = nbformat.read(stub.folder / "notebook", as_version=4).cells
    assert set_up.source == 'REPOSITORY = "file:///fork"\nVERSION = "main"'
    assert set_up.outputs == [] and set_up.execution_count is None
    assert text.source == 'Say REPOSITORY = "x" within a line.'
    assert chapter.read_bytes() == before


def test_chapters_set_up_cell_is_one_that_gets_the_address():
    for path in colab.chapters():
        cell = nbformat.read(path, as_version=4).cells[2]
        assert re.search(r'^REPOSITORY = ".*"$', cell.source, re.MULTILINE), path.name


# --- What counts as failed -----------------------------------------------------------------------


def test_a_kernel_without_an_answer_has_failed(stub, chapter):
    stub.say("Traceback: no module named nbclient\n")
    ran = colab.run(chapter, python=stub.python, repository="file:///fork")
    assert failed(ran).startswith("the kernel did not answer:\n")
    assert "no module named nbclient" in failed(ran)


def test_a_cell_that_stops_has_failed(stub, chapter):
    stub.say(answer(problem="NameError: name 'x' is not defined"))
    ran = colab.run(chapter, python=stub.python, repository="file:///fork")
    assert failed(ran) == "NameError: name 'x' is not defined"


@pytest.mark.parametrize(
    "stem, gone, message",
    [
        ("03_x", ("Device",), "it did not say its device"),
        ("03_x", ("Versions", "Data"), "it did not say its versions, data"),
        ("07_x", ("Data",), ""),
        ("07_x", ("Versions",), "it did not say its versions"),
    ],
)
def test_a_chapter_that_does_not_say_what_it_found_has_failed(stub, chapter, stem, gone, message):
    kept = [line for line in SAID.splitlines(keepends=True) if not line.startswith(gone)]
    stub.say(answer(said="".join(kept)))
    chapter = chapter.rename(chapter.with_name(f"{stem}.ipynb"))
    ran = colab.run(chapter, python=stub.python, repository="file:///fork")
    assert failed(ran) == message


# --- The command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`main` with made-up runs; what they were asked for is in `asked`."""
    asked = []

    def run(path, **given):
        asked.append((path.stem, given))
        broken = "it broke" if path.stem.startswith("06") else ""
        return Ran(path.stem, 1.0, 900, "Python 3", "CPU", "phantom", broken)

    monkeypatch.setattr(colab, "FOLDER", tmp_path)
    monkeypatch.setattr(colab, "run", run)
    monkeypatch.setattr(colab, "make_repository", lambda folder: f"file:///{folder.name}")
    return asked


def test_here_means_this_python_and_makes_no_environment(command, monkeypatch, tmp_path):
    monkeypatch.setattr(colab, "make_environment", lambda *_: pytest.fail("one was made"))
    monkeypatch.setattr(colab, "_has_colab", lambda: True)
    assert colab.main(["--here", "03", "04"]) == 0
    assert [stem[:2] for stem, _ in command] == ["03", "04"]
    for _, given in command:
        assert str(given["python"]) == sys.executable and given["stand_in"] is False
        assert given["repository"].endswith(colab.FORK)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [row["peak_mb"] for row in report] == [900, 900]


def test_here_without_colabs_package_puts_a_stand_in(command, monkeypatch):
    monkeypatch.setattr(colab, "_has_colab", lambda: False)
    assert colab.main(["--here", "03"]) == 0
    assert command[0][1]["stand_in"] is True


def test_constraints_make_an_environment(command, monkeypatch, tmp_path):
    file = tmp_path / "constraints.txt"
    file.write_text("keras==3\n")
    monkeypatch.setattr(colab, "make_environment", lambda *given: given)
    monkeypatch.setattr(colab, "installed", lambda python: {"numpy": "2.1.3"})
    assert colab.main(["--constraints", str(file), "--python", "python3.12", "03"]) == 0
    assert command[0][1]["python"] == (file, ["python3.12"]) and command[0][1]["stand_in"]


def test_a_broken_chapter_is_named_and_is_an_error(command, capsys):
    assert colab.main(["--here", "06", "03"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"FAILED 06_\w+ .*\n +it broke", out) and re.search(r"^ran +03_", out, re.M)


@pytest.mark.parametrize(
    "words", [[], ["--here", "--constraints", "x"], ["--constraints", "no/such/file"]]
)
def test_one_way_has_to_be_chosen(command, words):
    with pytest.raises(SystemExit) as caught:
        colab.main(words)
    assert caught.value.code == 2 and command == []


def test_no_such_chapter_is_an_error(command, capsys):
    assert colab.main(["--here", "99"]) == 1
    assert "No such chapter" in capsys.readouterr().out


# --- The weekly run ------------------------------------------------------------------------------


def test_weekly_run_is_in_colabs_image_and_opens_one_issue():
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    minute, hour, day, month, weekday = triggers["schedule"][0]["cron"].split()
    assert (day, month) == ("*", "*") and weekday.isdigit() and "workflow_dispatch" in triggers
    assert workflow["permissions"] == {"contents": "read", "issues": "write"}
    assert workflow["env"]["IMAGE"].startswith("us-docker.pkg.dev/colab-images/public/")
    steps = workflow["jobs"]["chapters"]["steps"]
    (run,) = [step["run"] for step in steps if "docker run" in step.get("run", "")]
    assert "-m tools.teach.colab --here" in run and '"$IMAGE"' in run
    assert workflow["defaults"]["run"]["shell"] == "bash", "without pipefail tee hides a failure"
    (told,) = [step for step in steps if step.get("if") == "failure()"]
    place = told["run"].index
    assert place("gh issue list") < place("gh issue comment") < place("gh issue create")


@pytest.mark.parametrize("open_issue, done", [("", "create"), ("12", "comment 12")])
def test_issue_step_runs_with_a_stub_gh(tmp_path, open_issue, done):
    if os.name == "nt":
        pytest.skip("a shell script")
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    steps = workflow["jobs"]["chapters"]["steps"]
    script = next(step["run"] for step in steps if step.get("if") == "failure()")
    gh = tmp_path / "gh"
    gh.write_text(
        f'#!/bin/sh\nif [ "$2" = list ]; then echo "{open_issue}"; exit; fi\n'
        f'echo "$@" >> "{tmp_path}/done"\ncp body.md "{tmp_path}/said"\n'
    )
    gh.chmod(0o755)
    (tmp_path / "colab.log").write_text("FAILED 06_evaluation\n")
    given = {"TITLE": workflow["env"]["TITLE"], "GITHUB_RUN_ID": "5", "GITHUB_REPOSITORY": "a/b"}
    environment = os.environ | given | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    environment["GITHUB_SERVER_URL"] = "https://example.org"
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=environment, check=True
    )
    (line,) = (tmp_path / "done").read_text().splitlines()
    assert line.startswith(f"issue {done}")
    said = (tmp_path / "said").read_text()
    assert "https://example.org/a/b/actions/runs/5" in said and "FAILED 06_evaluation" in said


def test_replaced_packages_of_colab_are_found_and_new_ones_are_not():
    before = {"protobuf": "5.29.6", "numpy": "2.1.3", "tensorflow": "2.20.0"}
    now = {"protobuf": "7.36.2", "numpy": "2.1.3", "pooch": "1.9"}
    assert colab.replaced(before, now) == [
        "protobuf 5.29.6 became 7.36.2",
        "tensorflow 2.20.0 became nothing",
    ]


def test_interpreters_are_of_their_version_and_refusing_shims_are_passed_over(
    tmp_path, monkeypatch
):
    for name, words in (("python3.13", "exit 127"), ("python3.12", "echo 3.12")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(colab.Path, "home", lambda: tmp_path)
    assert colab.pythons() == ["python3.12"]
