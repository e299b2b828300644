"""The end of the set-up cell: what is missing is installed or named, the machine is described."""

import os
import platform
import re
import subprocess
import sys
import tomllib
import types
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import MagicMock

import matplotlib
import pytest
from packaging.requirements import Requirement

from utils import start

ASK = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
CPU = f"CPU with {os.cpu_count()} cores, no GPU"


@pytest.fixture(autouse=True)
def commands(monkeypatch, tmp_path):
    """A computer of one's own, on which nothing is run: what was to be run is noted."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    (tmp_path / "matplotlibrc").touch()
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    run = MagicMock(return_value=subprocess.CompletedProcess([], 0, stdout=""))
    monkeypatch.setattr(start.subprocess, "run", run)
    return run


def lacks(monkeypatch, *names):
    """Make this Python one that has all packages but those."""
    there = types.SimpleNamespace(origin="there/x.py")
    monkeypatch.setattr(start, "find_spec", lambda name: None if name in names else there)


def test_every_package_that_chapters_use_is_looked_for(root, capsys, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = {start.PACKAGES.get(name, name) for name in start.NEEDED}
    assert packages <= {Requirement(line).name for line in project["dependencies"]}
    assert all(find_spec(name) for name in start.NEEDED)
    start.prepare()  # nothing is missing
    versions, device = capsys.readouterr().out.splitlines()
    numbers = rf"{platform.python_version()}, Keras {metadata.version('keras')}, [a-z]+ \d"
    assert re.match(f"Versions: Python {numbers}", versions)
    assert device == f"Device: {start.device()}" and start._version("x") == "not installed"


@pytest.mark.parametrize("sign", ["its variable", "its module"])
@pytest.mark.parametrize("code", [0, 1])
def test_on_colab_what_is_missing_is_installed(monkeypatch, commands, capsys, sign, code):
    if sign == "its variable":
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_1")
    else:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    lacks(monkeypatch, "imblearn", "prettytable", "onnx", "distributed")
    commands.return_value.returncode = code
    start.need("json")
    if code:
        with pytest.raises(ModuleNotFoundError, match="The course needs imbalanced-learn, pretty"):
            start.prepare()
    else:
        start.prepare()
        start.need("json", "onnx", "distributed")
        assert "Versions: Python" in capsys.readouterr().out
    names = [["imbalanced-learn", "prettytable"], ["onnx<1.20", "dask[distributed]"]]
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    asked = [call.args[0] for call in commands.call_args_list]
    assert [command for command in asked if command != ASK] == [pip + n for n in names[: 2 - code]]


def test_elsewhere_nothing_is_installed_and_the_error_names_it(monkeypatch, commands, capsys):
    lacks(monkeypatch, "sklearn", "distributed")
    with pytest.raises(ModuleNotFoundError) as caught:
        start.prepare()
    assert all(word in str(caught.value) for word in ("scikit-learn", "make lab", "restart"))
    with pytest.raises(
        ModuleNotFoundError, match=r'pip install scikit-learn "dask\[distributed\]"`'
    ):
        start.need("sklearn", "distributed")
    assert not commands.called and capsys.readouterr().out == ""


@pytest.mark.parametrize("says, error, device", [
    ("NVIDIA H100\nTesla T4\n", None, "2 × NVIDIA H100"), ("Tesla T4\n", None, "Tesla T4"),
    ("", None, CPU), ("", FileNotFoundError(), CPU),  # no nvidia-smi
    ("", subprocess.TimeoutExpired(ASK, 10), CPU),  # a driver that hangs
])  # fmt: skip
def test_device_is_what_the_driver_names(commands, says, error, device):
    commands.side_effect, commands.return_value.stdout = error, says
    assert start.device() == device and commands.call_args.args == (ASK,)
    assert commands.call_args.kwargs["capture_output"]


@pytest.mark.parametrize("settings, told", [
    ('{"backend": "jax", "image_data_format": "channels_first", "epsilon": 1e-07}', True),
    ('{"backend": "tensorflow", "image_data_format": "channels_last"}', False),
    ("[1]", False), ("\x00", False),
])  # fmt: skip
def test_keras_settings_of_other_work_are_left_aside(root, tmp_path, capsys, settings, told):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(settings)
    start.prepare()
    assert os.environ["KERAS_HOME"] == str(root / "runs" / "keras")
    assert matplotlib.matplotlib_fname() == str(Path(matplotlib.get_data_path(), "matplotlibrc"))
    said = "(backend: jax, image_data_format: channels_first) is left aside. A backend is chosen by"
    assert (said in capsys.readouterr().out) == told


@pytest.mark.parametrize("keras, drawn", [("theano", "Agg"), ("torch", "widget")])
def test_backends_that_would_show_nothing_are_left_aside(monkeypatch, capsys, keras, drawn):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    lacks(monkeypatch, "torch", "ipympl")
    monkeypatch.setenv("KERAS_BACKEND", keras)
    monkeypatch.setenv("MPLBACKEND", drawn)
    start.prepare()
    assert os.environ["KERAS_BACKEND"] == "tensorflow" and "inline" in os.environ["MPLBACKEND"]
    assert capsys.readouterr().out.count("is left aside") == 2
