"""`make bench`: every measurement runs, results and page say the same, memory is its own."""

import copy
import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tools.book.course import ROOT
from tools.measure import bench, bench_data, bench_page, bench_tasks
from utils import data, files
from utils.data.tables import read_kaggle_csv
from utils.files import replace_file, write_json

# Even less than `--quick`: what differs only in its numbers is run once.
TINY = dataclasses.replace(
    bench.QUICK, rows=500, short={"epochs": 1}, factors=(2,), size=40, steps=1, calls=1
)


@pytest.fixture(scope="module")
def results():
    """A whole bench in miniature on the phantom, in this process, to spare the starts."""
    known = {}

    def here(task, settings):
        key = task, json.dumps(settings)  # as it would reach another process
        if key not in known or task == "load":
            known[key] = json.dumps(bench_tasks.TASKS[task](**json.loads(key[1])))
        return json.loads(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAM10000_DIR", "phantom")
        patch.setattr(data, "CACHE_DIR", data.CACHE_DIR)  # `load` sets it; set it back
        found = bench.bench(TINY, measure=here)
    assert {task for task, _ in known} == set(bench_tasks.TASKS)
    return found


def test_everything_is_measured(results):
    found = results["measured"]
    flat = [row for row in found.values() if isinstance(row, dict)]
    flat += [row for rows in (found["growth"], found["pixels"]) for row in rows]
    assert len(flat) == len([row for row in found.values() if row]) - 2 + 3
    for row in flat:
        assert row["peak_mb"] > 10
        assert row.get("seconds", 1) > 0
    for key in ("original", "recipe", "short"):
        assert 0 <= found[key]["test"]["balanced accuracy"] <= 1
        assert 0 <= found[key]["test"]["macro AUC"] <= 1
    assert results["machine"]["cores"] >= 1
    assert results["data"] == {"source": data.PHANTOM, "phantom": True, "images": 500}


def test_growth_is_by_the_factors_asked_for(results):
    (growth,) = results["measured"]["growth"]
    assert (growth["factor"], growth["images"]) == (2, 2 * TINY.rows)
    assert growth["steps"] == -(-growth["images"] // growth["batch"])
    pixels = results["measured"]["pixels"]
    assert [row["size"] for row in pixels] == [28, TINY.size]
    assert [row["images"] for row in pixels] == [TINY.rows] * 2
    assert all(row["steps"] == TINY.steps for row in pixels)


def test_the_plan_of_make_bench_grows_from_one():
    assert bench.Plan().factors == (1, 2, 4) and bench.Plan().rows is None


def test_results_hold_no_path(results):
    assert not re.search(r'"(/|[A-Za-z]:\\)', json.dumps(results))


def test_results_can_be_stored_and_shown(results, tmp_path):
    write_json(tmp_path / "bench.json", results)
    again = bench_page.read_results(tmp_path / "bench.json")
    assert again == results
    table = bench.show(again)
    assert "phantom" in table and results["machine"]["cpu"] in table
    assert all(len(row) == len(bench_page.COLUMNS) for row in bench_page.lines(again))
    # Each row of the table on the page has one cell per column, and the numbers are the same.
    page = bench_page.section(again)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {len(bench_page.COLUMNS) + 1}
    for row in bench_page.lines(again):
        assert row[1] in table and f"| {' | '.join(row)} |" in rows


def test_ratios_are_those_of_the_rows(results):
    changed = copy.deepcopy(results)
    changed["measured"]["original"] |= {"seconds": 400.0, "peak_mb": 3000.0}
    changed["measured"]["recipe"] |= {"seconds": 200.0, "peak_mb": 750.0}
    row = bench_page.lines(changed)[1]
    assert row[1:3] == ["200", "750"]
    assert row[-1] == "time × 0.50, memory × 0.25"


def test_the_originals_quality_is_looked_for_on_the_validation_part(results):
    changed = copy.deepcopy(results)
    changed["measured"]["original"]["test"]["balanced accuracy"] = 0.43
    changed["measured"]["short"]["test"]["balanced accuracy"] = 0.1
    changed["measured"]["short"]["validation"]["balanced accuracy"] = 0.43
    assert bench_page.lines(changed)[2][0].endswith("the original's quality reached")
    changed["measured"]["short"]["validation"]["balanced accuracy"] = 0.42
    assert bench_page.lines(changed)[2][0].endswith("the original's quality not reached")


def test_missing_pyarrow_is_said(results):
    without, with_it = copy.deepcopy(results), copy.deepcopy(results)
    without["measured"]["csv pyarrow"] = None
    with_it["measured"]["csv pyarrow"] = with_it["measured"]["csv pandas"]
    assert "pyarrow is not installed" in bench_page.section(without)
    assert "pyarrow is not installed" not in bench_page.section(with_it)
    assert len(bench_page.lines(with_it)) == len(bench_page.lines(without)) + 1


def test_page_shows_the_stored_results():
    text = bench_page.PAGE.read_text(encoding="utf-8")
    assert bench_page.section(bench_page.read_results()) in text, (
        "how-long-things-take.md and models/bench.json differ; write the page anew with "
        "`python -m tools.measure.bench --page`"
    )


def test_stored_results_come_from_a_whole_run_on_real_images():
    stored = bench_page.read_results()
    if stored is None:
        pytest.skip("models/bench.json is not there: nothing has been measured yet")
    plan = bench.Plan()
    assert not stored["data"]["phantom"] and stored["data"]["images"] == 10_015
    assert stored["measured"]["original"]["epochs"] == plan.original_epochs
    assert [row["factor"] for row in stored["measured"]["growth"]] == list(plan.factors)
    assert stored["measured"]["prediction"]["calls"] == plan.calls


def test_page_keeps_its_text_and_needs_its_markers(results):
    text = f"# Title\n\nBefore.\n\n{bench_page.section(None)}\n\nAfter.\n"
    filled = bench_page.spliced(text, results)
    assert filled.startswith("# Title\n\nBefore.\n\n<!--") and filled.endswith("-->\n\nAfter.\n")
    assert bench_page.NOT_YET not in filled
    assert bench_page.spliced(filled, None) == text
    for bad in ("no markers", text.replace(bench_page.END, ""), text + text):
        with pytest.raises(ValueError, match="once each"):
            bench_page.spliced(bad, results)


def test_results_of_another_form_are_refused(tmp_path):
    path = tmp_path / "bench.json"
    assert bench_page.read_results(path) is None
    for text in ("{", '{"measured": {}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="make bench"):
            bench_page.read_results(path)


@pytest.mark.parametrize(
    "value, text",
    [(1234.5, "1,234"), (99.7, "100"), (19.44, "19.4"), (3.217, "3.22"), (0.0087, "0.0087")],
)
def test_numbers_are_short(value, text):
    assert bench_page._number(value) == text


def test_a_measurement_has_its_own_memory_and_not_its_parents():
    ballast = np.ones(60_000_000)  # 480 MB
    script = "import {}; from tools.measure.bench_machine import peak_memory; print(peak_memory())"
    peaks = {}
    for extra in ("sys", "numpy; numpy.ones(25_000_000)"):
        command = [sys.executable, "-c", script.format(extra)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks[extra] = float(done.stdout)
    assert ballast.nbytes / 1e6 > 400
    assert peaks["sys"] < 300, "what the parent holds is counted"
    assert peaks["numpy; numpy.ones(25_000_000)"] > peaks["sys"] + 190


def test_own_process_returns_the_result_and_names_a_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    csv = tmp_path / "table.csv"
    images = np.arange(3 * 28 * 28 * 3).reshape(3, 28, 28, 3).astype(np.uint8)
    bench_data.write_kaggle_csv(csv, images, np.array([0, 4, 6]))
    found = bench.in_own_process("read_csv", {"csv": str(csv), "engine": None})
    assert found["images"] == 3 and found["seconds"] > 0
    with pytest.raises(bench.BenchError, match="'read_csv' ended with status 1"):
        bench.in_own_process("read_csv", {"csv": str(tmp_path / "none.csv"), "engine": None})


def test_written_csv_is_kaggles(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 28, 28, 3)).astype(np.uint8)
    labels = np.array([0, 1, 4, 5, 6])
    path = tmp_path / "hmnist_28_28_RGB.csv"
    bench_data.write_kaggle_csv(path, images, labels)
    again, classes = read_kaggle_csv(path, expected_rows=5)
    assert (again == images).all() and (classes == labels).all()
    assert list(pd.read_csv(path, nrows=1).columns[[0, 2351, 2352]]) == [
        "pixel0000",
        "pixel2351",
        "label",
    ]


def test_a_stopped_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "page.md"
    replace_file(path, "old\n")

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, "new\n")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_quick_run_leaves_results_and_page_alone(results, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    monkeypatch.setattr(bench, "bench", lambda plan: results)
    monkeypatch.setattr(bench, "QUICK_RESULTS", tmp_path / "quick.json")
    before = bench_page.PAGE.read_bytes()
    assert bench.main(["--quick"]) == 0
    assert bench_page.PAGE.read_bytes() == before
    assert json.loads((tmp_path / "quick.json").read_text()) == results
    assert "How long things take" in capsys.readouterr().out


def test_full_run_stores_results_and_page(results, monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{bench_page.section(None)}\n")
    monkeypatch.setattr(bench, "bench", lambda plan: results)
    monkeypatch.setattr(bench_page, "RESULTS", tmp_path / "bench.json")
    written = []
    monkeypatch.setattr(bench_page, "write_page", written.append)
    assert bench.main([]) == 0
    assert written == [results]
    assert bench_page.read_results(tmp_path / "bench.json") == results
