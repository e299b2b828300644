"""The end of the set-up cell: install what this machine lacks, and say what was found."""

import importlib.util
import os
import platform
import subprocess
import sys
from importlib import metadata

# Import name and package name of what the chapters use and Colab may lack.
NEEDED = {
    "numpy": "numpy",
    "pandas": "pandas",
    "matplotlib": "matplotlib",
    "seaborn": "seaborn",
    "sklearn": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "keras": "keras",
    "filelock": "filelock",
    "pooch": "pooch",
    "prettytable": "prettytable",
}
# Versions to ask for on Colab, where a newer one would replace packages that it has in memory:
# onnx 1.20 and newer bring another protobuf than Colab's TensorFlow uses.
ON_COLAB = {"onnx": "onnx<1.20"}


def prepare() -> None:
    """Make this machine ready for a chapter and say in two lines what it is.

    On Colab, packages that are missing are installed; elsewhere that is the reader's own
    decision. Prints the versions and the device, a line each.

    Raises
    ------
    ModuleNotFoundError
        If packages are missing and this is not Colab, or they could not be installed; the message
        names them and says what to do.
    """
    need(*NEEDED)
    print(f"Versions: {versions()}")
    print(f"Device: {device()}")


def need(*modules: str) -> None:
    """See that modules can be imported; on Colab, install those that cannot.

    Parameters
    ----------
    *modules : str
        Names as they are imported.

    Raises
    ------
    ModuleNotFoundError
        As in `prepare`.
    """
    missing = [NEEDED.get(name, name) for name in modules if not _found(name)]
    if missing and on_colab():
        wanted = [ON_COLAB.get(package, package) for package in missing]
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wanted])
        importlib.invalidate_caches()
        if done.returncode == 0:
            missing = []
    if missing:
        raise ModuleNotFoundError(
            f"The course needs {', '.join(missing)}, which this Python ({sys.executable}) lacks. "
            "On your own computer run `make lab` in the course's folder, or install them with "
            f"`python -m pip install {' '.join(missing)}`; then restart the kernel."
        )


def on_colab() -> bool:
    """Say whether this kernel runs on Google Colab."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def versions() -> str:
    """Return Python's version and those of Keras and its backend, without importing them."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    packages = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "torch": ("torch",)}
    found = [f"Python {platform.python_version()}", f"Keras {_version('keras')}"]
    names = packages.get(backend, (backend,))
    found.append(f"{backend} {_version(*names)}")
    return ", ".join(found)


def device() -> str:
    """Return the names of the NVIDIA GPUs that the driver reports, or the number of CPU cores."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            encoding="utf-8",
            timeout=10,
        )
        names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    except (OSError, subprocess.TimeoutExpired):
        names = []
    if names and not done.returncode:
        return f"{len(names)} × {names[0]}" if len(names) > 1 else names[0]
    return f"CPU with {os.cpu_count()} cores, no GPU"


def _found(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _version(*packages: str) -> str:
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"
