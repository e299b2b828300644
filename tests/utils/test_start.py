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

from utils import start


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """A computer of one's own: no sign of Colab, and a PATH without nvidia-smi."""
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
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


def test_every_package_that_chapters_use_is_looked_for(root, capsys):
    pyproject = (root / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.search(r"^dependencies = \[(.*?)^\]", pyproject, re.MULTILINE | re.DOTALL)[1]
    packages = {start.PACKAGES.get(name, name) for name in start.NEEDED}
    assert packages <= set(re.findall(r'"([\w-]+)', needed))
    assert all(find_spec(name) for name in start.NEEDED)
    start.prepare()  # nothing is missing
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"Versions: {start.versions()}", f"Device: {start.device()}"]


@pytest.mark.parametrize("sign", ["its variable", "its module"])
@pytest.mark.parametrize("code", [0, 1])
def test_on_colab_what_is_missing_is_installed(monkeypatch, commands, capsys, sign, code):
    if sign == "its variable":
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_1")
    else:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
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


def test_elsewhere_nothing_is_installed_and_the_error_names_it(monkeypatch, commands, capsys):
    lacks(monkeypatch, "sklearn", "pooch")
    with pytest.raises(ModuleNotFoundError) as caught:
        start.prepare()
    for words in ("scikit-learn, pooch,", "make lab", "pip install scikit-learn pooch`", "restart"):
        assert words in str(caught.value)
    assert commands.seen == [] and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "backend, installed, named",
    [
        ("tensorflow", {"tensorflow-cpu": "2.21.0"}, "tensorflow 2.21.0"),
        ("tensorflow", {}, "tensorflow not installed"),
        ("torch", {"torch": "2.9.0", "tensorflow": "2.20.0"}, "torch 2.9.0"),
    ],
)
def test_versions_are_those_installed_of_python_keras_and_its_backend(
    monkeypatch, backend, installed, named
):
    def version(package):
        if package not in {**installed, "keras": ""}:
            raise metadata.PackageNotFoundError(package)
        return installed.get(package, "3.13.2")

    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(start.metadata, "version", version)
    assert start.versions() == f"Python {platform.python_version()}, Keras 3.13.2, {named}"


@pytest.mark.skipif(os.name == "nt", reason="the made-up nvidia-smi is a shell script")
@pytest.mark.parametrize(
    "script, device",
    [
        ("echo Tesla T4", "Tesla T4"),
        ("echo NVIDIA H100; echo NVIDIA H100", "2 × NVIDIA H100"),
        ("echo No devices were found; exit 6", None),
        ("exit 0", None),
        (None, None),
    ],
)
def test_device_is_what_the_driver_names(tmp_path, script, device):
    if script is not None:
        asked = 'test "$*" = "--query-gpu=name --format=csv,noheader" || exit 1'
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{asked}\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert start.device() == (device or f"CPU with {os.cpu_count()} cores, no GPU")


def test_a_driver_that_hangs_is_a_cpu(monkeypatch):
    def run(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(start.subprocess, "run", run)
    assert start.device().startswith("CPU with ")


def test_a_chapter_can_need_more(monkeypatch, commands):
    start.need("json")
    lacks(monkeypatch, "onnx", "distributed")
    with pytest.raises(ModuleNotFoundError, match=r'pip install onnx "dask\[distributed\]"`'):
        start.need("onnx", "distributed")
    assert commands.seen == []
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    start.need("json", "onnx", "distributed")
    assert [command[-2:] for command in commands.seen] == [["onnx<1.20", "dask[distributed]"]]
