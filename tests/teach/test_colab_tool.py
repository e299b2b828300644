"""`tools.teach.colab` without an environment: what it puts where, reads, and calls failed."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
import yaml

from tools.book.course import ROOT
from tools.teach import colab

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "colab.yml").read_text("utf-8"))
STEPS = WORKFLOW["jobs"]["chapters"]["steps"]
ON_FAILURE = next(step["run"] for step in STEPS if step.get("if") == "failure()")


def test_repository_holds_the_working_tree_and_nothing_ignored(tmp_path):
    root, fork, clone = (tmp_path / name for name in ("course", "fork", "clone"))
    (root / "utils").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    (root / ".gitignore").write_text("_build\n")
    (root / "utils" / "é b.py").write_text("untracked, with a blank\n")
    (root / "_build").write_text("ignored\n")
    (fork / "utils").mkdir(parents=True)
    (fork / "utils" / "earlier.py").write_text("of an earlier run\n")
    address = colab.make_repository(fork, root=root)
    assert address.startswith("file://") and address.endswith("/fork")
    words = ["clone", "--quiet", "--depth", "1", "--branch", "main", address, str(clone)]
    subprocess.run(["git", *words], cwd=tmp_path, check=True)
    files = {p.relative_to(clone).as_posix() for p in clone.rglob("*") if p.is_file()}
    own = {name for name in files if not name.startswith(".git/")}
    assert own == {".gitignore", "utils/é b.py"}


SAID = """Versions: Python 3.13.15, Keras 3.13.2, tensorflow 2.20.0
Device: Tesla T4
Data: HAM10000 from Kaggle, 10,015 images"""
SEE = """\
REPOSITORY, VERSION = "https://github.com/OWNER/x", "main"
import json, os, sys
seen = {"repository": REPOSITORY, "files": os.listdir(), "python": sys.executable,
        "environment": dict(os.environ)}
json.dump(seen, open(SEEN, "w"))
"""


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A function that runs a chapter of one cell; what went wrong, and what the chapter saw."""
    v4 = nbformat.v4
    monkeypatch.setattr(colab, "FOLDER", tmp_path / "colab")
    for name in colab.NOT_COLABS:
        monkeypatch.setenv(name, "mine")
    path, seen = tmp_path / "03_x.ipynb", tmp_path / "seen.json"

    def run(source):
        source = source.replace("SEEN", repr(str(seen)))
        old = [v4.new_output("stream", text="Device: an old one")]
        code = v4.new_code_cell(source, outputs=old, execution_count=7)
        text = v4.new_markdown_cell('Say REPOSITORY = "x" within a line.')
        nbformat.write(v4.new_notebook(cells=[text, code]), path)
        before = path.read_bytes()
        (colab.FOLDER / "run" / "03_x" / "left over").mkdir(parents=True)
        ran = colab.run(path, repository="file:///fork")
        assert path.read_bytes() == before
        return ran, json.loads(seen.read_text()) if seen.is_file() else {}

    return run


def test_a_chapter_runs_alone_in_colabs_environment(chapter, capsys):
    problem, seen = chapter(SEE + f"print({SAID!r})")
    assert problem == ""
    said = "Keras 3.13.2, tensorflow 2.20.0 | Tesla T4 | HAM10000 from Kaggle, 10,015 images"
    assert said in capsys.readouterr().out
    assert seen["repository"] == "file:///fork" and seen["files"] == ["03_x.ipynb"]
    assert seen["python"] == sys.executable
    environment = seen["environment"]
    assert "mine" not in [environment.get(name) for name in colab.NOT_COLABS]
    assert environment["COLAB_RELEASE_TAG"]
    assert environment["PATH"].startswith(str(colab.Path(sys.executable).parent))
    text, code = nbformat.read(colab.FOLDER / "run" / "03_x" / "03_x.ipynb", 4).cells
    assert 'Say REPOSITORY = "x"' in text.source and code.outputs == []


def test_a_kernel_without_an_answer_has_failed(chapter, tmp_path, monkeypatch):
    stub = tmp_path / "python"
    stub.write_text("#!/bin/sh\necho Traceback: no module named ipykernel\nexit 1\n")
    stub.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stub))
    problem, _ = chapter("")
    assert problem.startswith("the kernel did not answer: ")
    assert "no module named ipykernel" in problem


def test_a_chapter_that_stops_or_does_not_say_what_it_found_has_failed(chapter):
    assert chapter("x")[0] == "NameError: name 'x' is not defined"
    assert chapter("print('Device: x')")[0] == "it did not say its Versions"
    problem, _ = chapter("load_ham10000 = print\nload_ham10000('Versions: 1')")
    assert problem == "it did not say its Device, Data"


@pytest.fixture
def command(tmp_path, monkeypatch):
    """`main` with made-up runs; what they were asked for is in the list."""
    asked = []

    def run(path, **given):
        asked.append((path.stem, given))
        return "it broke" if path.stem.startswith("06") else ""

    stand_ins = {"FOLDER": tmp_path, "run": run, "installed": lambda: {"numpy": "2.1.3"}}
    stand_ins["make_repository"] = lambda folder: f"file:///{folder.name}"
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(colab, name, stand_in)
    return asked


@pytest.mark.parametrize("times, status", [(1, 0), (2, 1)])
def test_a_lost_answer_is_asked_for_once_more(command, capsys, monkeypatch, times, status):
    problems = [f"{colab.SILENT}: cell 3"] * times + [""]
    monkeypatch.setattr(colab, "run", lambda *_, **__: problems.pop(0))
    assert colab.main(["03"]) == status
    assert "again  03_" in capsys.readouterr().out


def test_what_is_named_runs_and_what_failed_is_named_and_is_an_error(command, capsys, monkeypatch):
    assert colab.main(["03", "04"]) == 0
    assert [stem[:2] for stem, _ in command] == ["03", "04"]
    assert all(given["repository"].endswith(colab.FORK) for _, given in command)
    assert colab.main(["06", "03"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"FAILED 06_\w+ .*\n +it broke", out) and re.search(r"^ran +03_", out, re.M)
    with pytest.raises(SystemExit, match="No such chapter"):
        colab.main(["99"])
    lists = iter([{"keras": "3.10", "jax": "1", "numpy": "2"}, {"keras": "3.11", "jax": "1"}])
    monkeypatch.setattr(colab, "installed", lambda: next(lists))
    assert colab.main(["03"]) == 1
    found = re.findall(r"packages: (.*)", capsys.readouterr().out)
    assert found == ["keras 3.10 became 3.11", "numpy 2 became nothing"]


@pytest.mark.parametrize("open_issue, done", [("", "create"), ("12", "comment 12"), ("off", "")])
def test_issue_step_runs_with_a_stub_gh(tmp_path, open_issue, done):
    """A fork begins with its issues off: then the summary of the run says it alone."""
    gh = tmp_path / "gh"
    gh.write_text(
        f'#!/bin/sh\nif [ "$2" = list ]; then echo "{open_issue}"; test "{open_issue}" != off'
        "\nexit; fi\n"
        f'echo "$@" >> "{tmp_path}/done"\ncp body.md "{tmp_path}/said"\n'
    )
    gh.chmod(0o755)
    (tmp_path / "colab.log").write_text("FAILED 06_evaluation\n")
    given = {"TITLE": WORKFLOW["env"]["TITLE"], "GITHUB_RUN_ID": "5", "GITHUB_REPOSITORY": "a/b"}
    given |= {"GITHUB_SERVER_URL": "https://example.org"}
    given |= {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    given |= {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    words = ["bash", "-eo", "pipefail", "-c", ON_FAILURE]
    subprocess.run(words, cwd=tmp_path, env=os.environ | given, check=True)
    said = (tmp_path / "summary").read_text()
    if done:
        (line,) = (tmp_path / "done").read_text().splitlines()
        assert line.startswith(f"issue {done}") and (tmp_path / "said").read_text() == said
    assert "https://example.org/a/b/actions/runs/5" in said and "FAILED 06_evaluation" in said
