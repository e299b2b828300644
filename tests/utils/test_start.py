"""The end of the set-up cell: what is missing is installed or named, the machine is described."""

import os
import platform
import re
import subprocess
import sys
import types
from importlib import metadata
from importlib.util import find_spec

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
    monkeypatch.setattr(start, "find_spec", lambda name: None if name in names else "there")


def test_every_package_that_chapters_use_is_looked_for():
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.search(r"^dependencies = \[(.*?)^\]", pyproject, re.MULTILINE | re.DOTALL)[1]
    packages = {start.PACKAGES.get(name, name) for name in start.NEEDED}
    assert packages <= set(re.findall(r'"([\w-]+)', needed))
    for name in start.NEEDED:
        assert find_spec(name) is not None, name


def test_where_nothing_is_missing_nothing_is_installed(capsys, no_gpu, elsewhere):
    start.prepare()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Versions: {start.versions()}", f"Device: {start.device()}"]


@pytest.mark.parametrize("code", [0, 1])
def test_on_colab_what_is_missing_is_installed(monkeypatch, commands, colab, capsys, code):
    lacks(monkeypatch, "imblearn", "prettytable")
    commands.code = code
    if code:
        with pytest.raises(ModuleNotFoundError, match="The course needs imbalanced-learn, pretty"):
            start.prepare()
    else:
        start.prepare()
        assert "Versions: Python" in capsys.readouterr().out
    pip = [command for command in commands.seen if "pip" in command]
    names = ["imbalanced-learn", "prettytable"]
    assert pip == [[sys.executable, "-m", "pip", "install", "--quiet", *names]]


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


@pytest.mark.parametrize(
    "backend, installed, named",
    [
        ("tensorflow", {"tensorflow": "2.20.0"}, "tensorflow 2.20.0"),
        ("tensorflow", {"tensorflow-cpu": "2.21.0"}, "tensorflow 2.21.0"),
        ("tensorflow", {}, "tensorflow not installed"),
        ("torch", {"torch": "2.9.0", "tensorflow": "2.20.0"}, "torch 2.9.0"),
        ("jax", {"jax": "0.8.0"}, "jax 0.8.0"),
    ],
)
def test_versions_are_those_installed_of_python_keras_and_its_backend(
    monkeypatch, backend, installed, named
):
    installed = installed | {"keras": "3.13.2"}

    def version(package):
        if package not in installed:
            raise metadata.PackageNotFoundError(package)
        return installed[package]

    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(start.metadata, "version", version)
    python = platform.python_version()
    assert start.versions() == f"Python {python}, Keras 3.13.2, {named}"


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


@pytest.mark.parametrize(
    ("text", "code", "device"),
    [
        ("Tesla T4\\n", 0, "Tesla T4"),
        ("NVIDIA H100\\nNVIDIA H100\\n", 0, "2 × NVIDIA H100"),
        ("No devices were found\\n", 6, None),
        ("", 0, None),
        ("", 9, None),
        (None, 0, None),
    ],
)
def test_device_is_what_the_driver_names(tmp_path, no_gpu, text, code, device):
    if os.name == "nt":
        pytest.skip("the made-up nvidia-smi is a shell script")
    program = tmp_path / "nvidia-smi"
    if text is not None:
        program.write_text(
            f"#!/bin/sh\necho \"$@\" > '{tmp_path}/asked'\nprintf '{text}'\nexit {code}\n"
        )
        program.chmod(0o755)
    assert start.device() == (device or f"CPU with {os.cpu_count()} cores, no GPU")
    if text is not None:
        asked = (tmp_path / "asked").read_text().strip()
        assert asked == "--query-gpu=name --format=csv,noheader"


def test_a_driver_that_hangs_is_a_cpu(monkeypatch):
    def run(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(start.subprocess, "run", run)
    assert start.device().startswith("CPU with ")


def test_a_chapter_can_need_more(monkeypatch, commands, colab):
    start.need("json")
    assert commands.seen == []
    lacks(monkeypatch, "onnx", "distributed")
    start.need("json", "onnx", "distributed")
    assert [command[-2:] for command in commands.seen] == [["onnx<1.20", "dask[distributed]"]]
    monkeypatch.delenv("COLAB_RELEASE_TAG")
    with pytest.raises(ModuleNotFoundError, match=r'pip install onnx "dask\[distributed\]"`'):
        start.need("onnx", "distributed")
