"""What all tests share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data_folder() -> Path:
    """The folder with the real images; the test is skipped where HAM10000_DIR names none."""
    folder = os.environ.get("HAM10000_DIR", "")
    if folder in ("", "phantom"):
        pytest.skip("HAM10000_DIR names no folder with the real images")
    return Path(folder).expanduser()
