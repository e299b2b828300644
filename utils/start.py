"""The end of the set-up cell: install what this machine lacks, and say what was found."""

import importlib
import json
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

__all__ = ["need", "prepare"]

# What all chapters import, and packages with another name than that of their import.
NEEDED = "numpy pandas matplotlib seaborn sklearn imblearn keras".split()
NEEDED += "filelock jsonschema pooch prettytable".split()
PACKAGES = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}
PACKAGES["distributed"] = "dask[distributed]"  # the extra: a version that fits Dask's own
# onnx 1.20 and newer bring another protobuf than Colab's TensorFlow has in memory.
ON_COLAB = {"onnx": "onnx<1.20"}
KERAS_DEFAULTS = ("float32", 1e-07, "tensorflow", "channels_last")  # what Keras itself writes down


def prepare() -> None:
    """Make this machine ready for a chapter; print its versions and its device, a line each."""
    need(*NEEDED)
    leave_settings_aside()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides TensorFlow's start-up notes
    print(f"Versions: {versions()}")
    print(f"Device: {device()}")


def need(*modules: str) -> None:
    """Install on Colab what is missing of `modules`; elsewhere a ModuleNotFoundError names it."""
    missing = [PACKAGES.get(m, m) for m in modules if find_spec(m) is None]
    if missing and on_colab():
        wanted = [ON_COLAB.get(package, package) for package in missing]
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted])
        importlib.invalidate_caches()
        if done.returncode == 0:
            return
    if missing:
        names = " ".join(f'"{name}"' if "[" in name else name for name in missing)
        raise ModuleNotFoundError(
            f"The course needs {', '.join(missing)}, which this Python ({sys.executable}) lacks. "
            f"Install them with `python -m pip install {names}` (or, on your own computer, run "
            "`make lab` in the course's folder), and restart the kernel."
        )


def leave_settings_aside() -> None:
    """Keep Keras and matplotlib from the settings of other work; tell of any that would hurt."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow" and not (backend in ("torch", "jax") and find_spec(backend)):
        os.environ["KERAS_BACKEND"] = "tensorflow"
        print(f"Settings: KERAS_BACKEND, {backend!r}, is left aside: it cannot be had here.")
    drawn = os.environ.get("MPLBACKEND", "")
    shows = "^$|inline|(?<!ipympl.backend_)nbagg" + "|widget|ipympl" * bool(find_spec("ipympl"))
    if "ipykernel" in sys.modules and not re.search(shows, drawn):
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        print(f"Settings: MPLBACKEND, {drawn!r}, is left aside: it shows no figures here.")
    os.environ["MATPLOTLIBRC"] = str(Path(find_spec("matplotlib").origin).with_name("mpl-data"))
    os.environ["KERAS_HOME"] = str(Path(__file__).resolve().parents[1] / "runs" / "keras")
    with suppress(OSError, ValueError, RuntimeError, AttributeError):  # none, or a broken one
        settings = json.loads((file := Path.home() / ".keras" / "keras.json").read_bytes()).items()
        if other := [f"{name}: {value}" for name, value in settings if value not in KERAS_DEFAULTS]:
            choose = "A backend is chosen by the environment variable KERAS_BACKEND."
            print(f"Settings: {file} ({', '.join(other)}) is left aside. {choose}")


def on_colab() -> bool:
    """Say whether this kernel runs on Google Colab."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def versions() -> str:
    """Return Python's version and those of Keras and its backend, without importing them."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    named = f"{backend} {_version(backend, f'{backend}-cpu')}"
    return f"Python {platform.python_version()}, Keras {_version('keras')}, {named}"


def device() -> str:
    """Return the names of the NVIDIA GPUs that the driver reports, or the number of CPU cores."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    options = {"capture_output": True, "encoding": "utf-8", "timeout": 10, "check": True}
    with suppress(OSError, subprocess.SubprocessError):
        if names := subprocess.run(command, **options).stdout.strip().splitlines():
            return f"{len(names)} × {names[0]}" if len(names) > 1 else names[0]
    return f"CPU with {os.cpu_count()} cores, no GPU"


def _version(*packages: str) -> str:
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(package)
    return "not installed"
