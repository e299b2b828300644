"""Moved: stored runs are read by `utils.weights`."""

from utils.weights import STUDIES as FOLDER  # noqa: F401
from utils.weights import Judged, StoredRun, read_contaminated_run, read_run  # noqa: F401
from utils.weights import run_names as names  # noqa: F401

__all__ = []
