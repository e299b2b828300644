"""The end of the set-up cell: what is missing is installed or named, the machine is described."""

import os
import platform
import re
import subprocess
import sys
import types
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools.book.course import ROOT
from utils import start


@pytest.fixture
def elsewhere(monkeypatch):
    """A computer of one's own: no sign of Colab."""
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


@pytest.fixture
def colab(elsewhere, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_1")


@pytest.fixture
def no_gpu(monkeypatch, tmp_path):
    """A PATH without nvidia-smi."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def commands(monkeypatch):
    """What was to be run; nothing is. The answer's return code is the attribute `code`."""
    done = types.SimpleNamespace(seen=[], code=0)

    def run(command, **_):
        done.seen.append(command)
        return subprocess.CompletedProcess(command, done.code, stdout="")

    monkeypatch.setattr(start.subprocess, "run", run)
    return done


def lacks(monkeypatch, *names):
    """Make this Python one that has all packages but those."""
    assert set(names) <= set(start.NEEDED)
    monkeypatch.setattr(start, "_found", lambda name: name not in names)


def test_every_package_that_chapters_use_is_looked_for():
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.search(r"^dependencies = \[(.*?)^\]", pyproject, re.MULTILINE | re.DOTALL)[1]
    assert set(start.NEEDED.values()) <= set(re.findall(r'"([\w-]+)', needed))
    for name in start.NEEDED:
        assert find_spec(name) is not None, name
    assert start._found("json") and not start._found("no_such_package_at_all")


def test_where_nothing_is_missing_nothing_is_installed(capsys, no_gpu, elsewhere):
    start.prepare()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Versions: {start.versions()}", f"Device: {start.device()}"]


def test_on_colab_what_is_missing_is_installed(monkeypatch, commands, colab, capsys):
    lacks(monkeypatch, "imblearn", "prettytable")
    start.prepare()
    pip = [command for command in commands.seen if "pip" in command]
    assert pip == [
        [sys.executable, "-m", "pip", "install", "--quiet", "imbalanced-learn", "prettytable"]
    ]
    assert "Versions: Python" in capsys.readouterr().out


def test_on_colab_an_installation_that_fails_is_named(monkeypatch, commands, colab):
    lacks(monkeypatch, "prettytable")
    commands.code = 1
    with pytest.raises(ModuleNotFoundError, match="The course needs prettytable"):
        start.prepare()


def test_elsewhere_nothing_is_installed_and_the_error_names_it(
    monkeypatch, commands, elsewhere, capsys
):
    lacks(monkeypatch, "sklearn", "pooch")
    with pytest.raises(ModuleNotFoundError) as caught:
        start.prepare()
    message = str(caught.value)
    assert "needs scikit-learn, pooch," in message and "make lab" in message
    assert "python -m pip install scikit-learn pooch`" in message and "restart" in message
    assert commands.seen == [] and capsys.readouterr().out == ""


def test_colab_is_known_by_its_module_and_by_its_variable(elsewhere, monkeypatch):
    assert not start.on_colab()
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    assert start.on_colab()
    monkeypatch.delenv("COLAB_RELEASE_TAG")
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert start.on_colab()


# --- Versions ------------------------------------------------------------------------------------


def test_versions_are_those_installed(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    name = "tensorflow" if _has("tensorflow") else "tensorflow-cpu"
    assert start.versions() == (
        f"Python {platform.python_version()}, Keras {metadata.version('keras')}, "
        f"tensorflow {metadata.version(name)}"
    )


def _has(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


@pytest.mark.parametrize(
    "backend, installed, said",
    [
        ("tensorflow", {"tensorflow": "2.20.0"}, "tensorflow 2.20.0"),
        ("tensorflow", {"tensorflow-cpu": "2.21.0"}, "tensorflow 2.21.0"),
        ("tensorflow", {}, "tensorflow not installed"),
        ("torch", {"torch": "2.9.0", "tensorflow": "2.20.0"}, "torch 2.9.0"),
        ("jax", {"jax": "0.8.0"}, "jax 0.8.0"),
    ],
)
def test_backend_of_keras_is_named(monkeypatch, backend, installed, said):
    installed = installed | {"keras": "3.13.2"}

    def version(package):
        if package not in installed:
            raise metadata.PackageNotFoundError(package)
        return installed[package]

    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(start.metadata, "version", version)
    assert start.versions().endswith(f", Keras 3.13.2, {said}")


def test_versions_import_neither_keras_nor_its_backend():
    code = (
        "import sys\n"
        "from utils import start\n"
        "start.prepare()\n"
        "print(sorted({'keras', 'tensorflow', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


# --- The device: a made-up nvidia-smi on PATH ----------------------------------------------------


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Put a program nvidia-smi on PATH that says `text` and exits with `code`."""
    if os.name == "nt":
        pytest.skip("the made-up nvidia-smi is a shell script")

    def put(text: str, code: int = 0) -> Path:
        program = tmp_path / "nvidia-smi"
        program.write_text(
            f"#!/bin/sh\necho \"$@\" > '{tmp_path}/asked'\nprintf '{text}'\nexit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path / "asked"

    return put


def test_gpu_is_named_as_the_driver_does(nvidia_smi):
    asked = nvidia_smi("Tesla T4\\n")
    assert start.device() == "Tesla T4"
    assert asked.read_text().strip() == "--query-gpu=name --format=csv,noheader"


def test_several_gpus_are_counted(nvidia_smi):
    nvidia_smi("NVIDIA H100\\nNVIDIA H100\\n")
    assert start.device() == "2 × NVIDIA H100"


@pytest.mark.parametrize("text, code", [("No devices were found\\n", 6), ("", 0), ("", 9)])
def test_a_driver_without_gpu_is_a_cpu(nvidia_smi, text, code):
    nvidia_smi(text, code)
    assert start.device() == f"CPU with {os.cpu_count()} cores, no GPU"


def test_without_driver_it_is_a_cpu(no_gpu):
    assert start.device() == f"CPU with {os.cpu_count()} cores, no GPU"


def test_a_driver_that_hangs_is_a_cpu(monkeypatch):
    def run(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(start.subprocess, "run", run)
    assert start.device().startswith("CPU with ")


def test_a_chapter_can_need_more(monkeypatch, commands, colab):
    start.need("json", "no_such_package")
    assert len(commands.seen) == 1 and commands.seen[0][-1] == "no_such_package"
    start.need("json")
    assert len(commands.seen) == 1
