"""Seconds per epoch by device: the page shows what is stored, and only that."""

import os
import sys
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tools.measure import devices
from utils.weights import device_name


def row(device="CPU, 2 cores", backend="tensorflow", **changes):
    made = {"device": device, "backend": backend, "version": "2.21.0", "batch": 128}
    made |= {"rows": 7007, "seconds": 6.0, "ratio": 0.95, "idle_ratio": 0.9, "data": "x"}
    made |= {"date": "2026-11-25"}
    return made | changes


def test_page_shows_the_stored_rows_and_no_others():
    rows = devices.read_rows()
    assert rows, "models/devices.json is missing; run `python -m tools.measure.devices`"
    page = devices.PAGE.read_text(encoding="utf-8")
    assert devices.with_table(page, rows) == page, "run `python -m tools.measure.devices --page`"
    assert any(row["device"].startswith("CPU") for row in rows)
    assert all(row["rows"] > 5000 and "phantom" not in row["data"] for row in rows)
    assert all(row["ratio"] >= 0.8 for row in rows), "the device waits for its input"


def test_fresh_row_takes_the_place_of_the_older_one_of_its_device_and_backend():
    stored = [row(), row(backend="torch")]
    rows = devices.merged(stored, [row(seconds=5.0), row(device="NVIDIA H100", seconds=0.5)])
    assert [(r["device"], r["backend"], r["seconds"]) for r in rows] == [
        ("CPU, 2 cores", "tensorflow", 5.0),
        ("CPU, 2 cores", "torch", 6.0),
        ("NVIDIA H100", "tensorflow", 0.5),
    ]


def test_table_has_minutes_for_fifty_epochs():
    line = devices.table([row(seconds=6.0)]).splitlines()[-1]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells.pop() == "2026-11-25"
    assert cells == ["CPU, 2 cores", "TensorFlow 2.21.0", "128", "6.0", "5.0", "0.95", "0.90"]


def test_page_without_marks_is_an_error():
    with pytest.raises(ValueError, match="lacks the two marks"):
        devices.with_table("no table", [row()])


@pytest.mark.parametrize("backend", devices.BACKENDS)
def test_every_backend_is_measured_in_a_process_of_its_own(backend, monkeypatch):
    pytest.importorskip(backend)
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    found = devices.measure_apart(backend, rows=300)
    assert found["backend"] == backend and found["rows"] == 300
    assert found["seconds"] > found["idle_seconds"] > found["batches_seconds"] > 0
    assert found["ratio"] > 0 and found["idle_ratio"] > 0 and found["device"]


def test_a_card_that_waited_for_batches_would_show():
    """Batches that take long to get must lower the ratio, or it proves nothing."""

    class Slow(keras.utils.PyDataset):
        fetched = 0

        def __len__(self):
            return 10

        def __getitem__(self, number):
            self.fetched += 1
            time.sleep(0.02)
            return np.zeros((4, 8), "float32"), np.zeros((4, 1), "float32")

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    slow = Slow()
    real, same = devices.timed_pairs(model, slow, pairs=2)
    assert min(real) > 10 * 0.02 > min(same) and min(same) / min(real) < 0.8
    assert 3 * 10 <= slow.fetched <= 3 * 10 + 3 + 2  # three epochs real, three of one batch


def test_backend_that_stops_is_named(monkeypatch):
    monkeypatch.setenv("HAM10000_DIR", "/no/such/folder/of/images")
    with pytest.raises(RuntimeError, match="(?s)TensorFlow stopped.*HAM10000_DIR"):
        devices.measure_apart("tensorflow", rows=300)


# --- Which device is named: made-up backends, because a test machine seldom has a card -----------


def put_backend(monkeypatch, name, module):
    monkeypatch.setattr(keras.backend, "backend", lambda: name)
    monkeypatch.setitem(sys.modules, name, module)


def tensorflow(gpus, details):
    config = SimpleNamespace(
        list_physical_devices=lambda kind: gpus if kind == "GPU" else ["cpu"],
        experimental=SimpleNamespace(get_device_details=lambda gpu: details),
    )
    return SimpleNamespace(config=config)


def torch(*, cuda=False, mps=False):
    return SimpleNamespace(
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        cuda=SimpleNamespace(is_available=lambda: cuda, get_device_name=lambda number: "Tesla T4"),
    )


def jax(kind):
    devices_ = [SimpleNamespace(device_kind="TPU v5e")]
    return SimpleNamespace(default_backend=lambda: kind, devices=lambda: devices_)


CPU = f"CPU, {os.cpu_count()} cores"


@pytest.mark.parametrize(
    "name, module, expected",
    [
        ("tensorflow", tensorflow(["gpu:0"], {"device_name": "Tesla T4"}), "Tesla T4"),
        ("tensorflow", tensorflow(["gpu:0"], {}), "GPU"),
        ("tensorflow", tensorflow([], {}), CPU),
        ("torch", torch(cuda=True), "Tesla T4"),
        ("torch", torch(mps=True), "Apple GPU"),
        ("torch", torch(), CPU),
        ("jax", jax("tpu"), "TPU v5e"),
        ("jax", jax("cpu"), CPU),
    ],
)
def test_device_is_named_under_every_backend(monkeypatch, name, module, expected):
    put_backend(monkeypatch, name, module)
    assert device_name() == expected
