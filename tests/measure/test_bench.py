"""`make bench`: every measurement runs, and memory is its own."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from small_dataset import small_dataset

from tools.measure import bench, harness
from utils import data
from utils.data.tables import read_kaggle_csv


@pytest.fixture(scope="module")
def results():
    """A small bench on noise, in this process, to spare the starts."""
    networks, dataset = importlib.import_module("tools.measure.networks"), small_dataset()

    def here(task, *, env=None, **settings):
        module, function = task.split(".")
        run = getattr(importlib.import_module(f"tools.measure.{module}"), function)
        if task in (bench.ORIGINAL, bench.COURSE):
            settings |= {"epochs": 1}
        if "average" in settings:
            settings["average"] = 0.5
        found = run(**json.loads(json.dumps(settings)))  # as they would reach another process
        if task == "networks.prepare":
            csv = Path(settings["folder"]) / "images.csv"
            again, classes = read_kaggle_csv(csv, expected_rows=len(dataset.labels))
            assert (again == dataset.images).all() and (classes == dataset.labels).all()
        return json.loads(json.dumps(found))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "CACHE_DIR", data.CACHE_DIR)  # `load` sets it; set it back
        for module in (data, networks):
            patch.setattr(module, "load_ham10000", lambda: dataset)
        stored = {}
        patch.setattr(harness, "store", stored.__setitem__)
        bench.measure(apart=here)
        return stored["bench"]


def test_everything_is_measured(results):
    found = results["measured"]
    assert len(found) == 9
    for row in found.values():
        assert row["peak_mb"] > 10 and row.get("seconds", 1) > 0
    for key in ("original", "recipe", "short"):
        assert 0 <= found[key]["test"]["balanced accuracy"] <= 1
    assert "test" not in found["original epoch"], "one epoch says nothing about quality"
    count = results["data"]["images"]
    assert results["data"] == {"source": "test noise", "phantom": False, "images": count}
    assert not re.search(r'"(/|[A-Za-z]:\\)', json.dumps(results)), "a path of this machine"


def test_stored_results_come_from_a_whole_run_on_real_images():
    stored = harness.stored("bench")
    assert not stored["data"]["phantom"] and stored["data"]["images"] == 10_015
    assert stored["measured"]["original"]["epochs"] == 50


def test_reading_is_measured_in_a_process_of_its_own(tmp_path):
    ballast = np.ones(60_000_000)  # 480 MB, which are not the measurement's
    (tmp_path / "images.csv").write_text("a,label\n" + "0,0\n" * 2352)
    settings = {"folder": str(tmp_path)}
    found = harness.apart("bench.read_csv", **settings)
    assert found["images"] == 1 and 30 < found["peak_mb"] < 300 < ballast.nbytes / 1e6
    (tmp_path / "images.csv").write_text("a,label\n" + "0,0\n" * 2352 * 8000)
    assert harness.apart("bench.read_csv", **settings)["peak_mb"] > found["peak_mb"] + 290
    with pytest.raises(FileNotFoundError, match="none"):
        harness.apart("bench.read_csv", folder=str(tmp_path / "none"))
