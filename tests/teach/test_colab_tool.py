"""`tools.teach.colab` without Colab's versions: what a run is given, reads, and calls failed."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

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
    (course / "utils" / "é b.py").unlink()
    colab.make_repository(tmp_path / "made" / "fork", root=course)
    assert not (tmp_path / "made" / "fork" / "utils" / "é b.py").exists()


# --- A run, with this Python in place of Colab's --------------------------------------------------

PRINTED = """Versions: Python 3.13.15, Keras 3.13.2, tensorflow 2.20.0
Device: Tesla T4
Data: HAM10000 from Kaggle, 10,015 images
Data: a second line that does not count
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a notebook of a set-up cell, old outputs in it, and the cells given."""
    if os.name == "nt":
        pytest.skip("the peak of memory is read as Unix has it")
    monkeypatch.setattr(colab, "FOLDER", tmp_path / "colab")
    v4 = nbformat.v4

    def run_(*cells, stem="03_x", **options):
        set_up = v4.new_code_cell('REPOSITORY = "https://github.com/OWNER/x"\nVERSION = "main"')
        text = v4.new_markdown_cell('Say REPOSITORY = "x" within a line.')
        path = tmp_path / f"{stem}.ipynb"
        notebook = v4.new_notebook(cells=[text, set_up, *map(v4.new_code_cell, cells)])
        notebook.cells[-1].outputs = [v4.new_output("stream", text="Device: of an older run\n")]
        nbformat.write(notebook, path)
        before = path.read_bytes()
        options = {"python": Path(sys.executable), "repository": "file:///fork"} | options
        ran = colab.run(path, **options)
        assert path.read_bytes() == before
        return ran

    return run_


def test_a_run_is_colabs_and_its_lines_are_read(run, monkeypatch, tmp_path):
    for name in colab.NOT_ON_COLAB:
        monkeypatch.setenv(name, "mine")
    (colab.FOLDER / "run" / "03_x" / "left over").mkdir(parents=True)
    ran = run(
        f"print({PRINTED!r}, end='')",
        "import google.colab, json, os, pathlib, sys\n"
        "seen = {'files': os.listdir(), 'own': google.colab.__file__, 'python': sys.executable,\n"
        "        'environment': dict(os.environ), 'repository': REPOSITORY}\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(json.dumps(seen))",
    )
    assert failed(ran) == "" and ran.chapter == "03_x" and ran.seconds > 0
    assert (ran.versions, ran.device, ran.data) == (
        "Python 3.13.15, Keras 3.13.2, tensorflow 2.20.0",
        "Tesla T4",
        "HAM10000 from Kaggle, 10,015 images",
    )
    assert 20 < ran.peak_mb < 1000
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["files"] == ["03_x.ipynb"] and seen["repository"] == "file:///fork"
    assert seen["own"].startswith(str(colab.FOLDER)) and seen["python"] == sys.executable
    environment = seen["environment"]
    assert not {"HAM10000_DIR", "KERAS_BACKEND", "VIRTUAL_ENV"} & set(environment)
    assert environment["COLAB_RELEASE_TAG"] and environment["COURSE_QUICK"] == "1"
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    text, set_up, *_ = nbformat.read(colab.FOLDER / "run" / "03_x" / "03_x.ipynb", 4).cells
    assert set_up.source == 'REPOSITORY = "file:///fork"\nVERSION = "main"'
    assert text.source == 'Say REPOSITORY = "x" within a line.'


def test_real_package_of_colab_is_left_in_place(run):
    ran = run("import os\nassert 'PYTHONPATH' not in os.environ", stand_in=False)
    assert ran.problem == ""


@pytest.mark.parametrize(
    "code, options, message",
    [
        ("nothing", {}, "NameError: name 'nothing' is not defined"),
        ("import os; os._exit(3)", {}, "the kernel did not answer: Kernel died"),
        ("import time; time.sleep(60)", {"limit": 1}, "the kernel did not answer: .*timed out"),
    ],
)
def test_a_cell_that_stops_has_failed(run, code, options, message):
    ran = run(code, f"print({PRINTED!r})", **options)
    assert re.match(f"(?s){message}", failed(ran)) and ran.device == ""


def test_chapters_set_up_cell_is_one_that_gets_the_address():
    for path in colab.chapters():
        cell = nbformat.read(path, as_version=4).cells[2]
        assert re.search(r'^REPOSITORY = ".*"$', cell.source, re.MULTILINE), path.name


@pytest.mark.parametrize(
    "stem, gone, message",
    [
        ("03_x", ("device",), "it did not say its device"),
        ("03_x", ("versions", "data"), "it did not say its versions, data"),
        ("07_x", ("data",), ""),
        ("07_x", ("versions",), "it did not say its versions"),
    ],
)
def test_a_chapter_that_does_not_say_what_it_found_has_failed(stem, gone, message):
    ran = Ran(stem, 1.0, 900, "Python 3", "CPU", "phantom", "")
    assert failed(replace(ran, **dict.fromkeys(gone, ""))) == message


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


@pytest.mark.parametrize("has_colab", [True, False])
def test_here_means_this_python_and_makes_no_environment(command, monkeypatch, tmp_path, has_colab):
    monkeypatch.setattr(colab, "make_environment", lambda *_: pytest.fail("one was made"))
    monkeypatch.setattr(colab, "_has_colab", lambda: has_colab)
    assert colab.main(["--here", "03", "04"]) == 0
    assert [stem[:2] for stem, _ in command] == ["03", "04"]
    for _, given in command:
        assert str(given["python"]) == sys.executable and given["stand_in"] is not has_colab
        assert given["repository"].endswith(colab.FORK)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [row["peak_mb"] for row in report] == [900, 900]


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
    "words",
    [[], ["--here", "--constraints", "x"], ["--constraints", "no/such/file"], ["--here", "99"]],
)
def test_one_way_has_to_be_chosen(command, words):
    with pytest.raises(SystemExit) as caught:
        colab.main(words)
    assert caught.value.code == 2 and command == []


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
    for name, words in (("python3.13", "exit 127"), ("python3.12", "echo Python 3.12.9")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(colab.Path, "home", lambda: tmp_path)
    assert colab.pythons() == [str(tmp_path / "python3.12")]
