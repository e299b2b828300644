"""The streaming measurement: it runs small, and what is stored is bounded and complete."""

import datafiles
import numpy as np
import pytest

from tools.measure import harness, streaming


def test_measurement_runs_small(tmp_path, monkeypatch):
    """The whole of it on 14 photographs; the table comes from a made-up loader."""
    pytest.importorskip("dask")
    ids = datafiles.make_official(tmp_path)["image_id"].tolist()
    monkeypatch.setenv("HAM10000_DIR", str(tmp_path))

    def apart(task, **settings):
        if task != "streaming.describe":
            return harness.apart(task, **settings)
        labels = np.arange(len(ids)) % 7
        np.savez(f"{settings['folder']}/table.npz", ids=np.array(ids), labels=labels)
        return {"data": {"source": "made up", "images": len(ids)}, "batch_size": 128, "sizes": []}

    (found,) = streaming.measure(sizes=[16], apart=apart)
    (size,) = found["sizes"]
    assert size["written"]["file_mb"] == pytest.approx((len(ids) * 16 * 16 * 3 + 128) / 1e6)
    assert size["memory"]["peak_mb"] > 50 and size["streamed"]["peak_mb"] > 50
    assert found.keys() == harness.stored("streaming").keys()


def test_measurement_without_photographs_says_what_it_needs(monkeypatch):
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    with pytest.raises(harness.MeasureError, match="photographs are needed.*HAM10000_DIR"):
        list(streaming.measure(sizes=[64]))


def test_batches_that_differ_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HAM10000_DIR", str(tmp_path))
    with pytest.raises(harness.MeasureError, match="At 64 pixels"):
        list(streaming.measure(sizes=[64], apart=lambda task, way="", **_: {"batches": way}))


def test_stored_measurement_is_bounded_and_complete():
    stored = harness.stored("streaming")
    assert stored["data"] == {"source": "HAM10000 from the official zips", "images": 10_015}
    assert [size["size"] for size in stored["sizes"]] == [64, 128, 224]
    base = stored["nothing"]["peak_mb"]
    for size in stored["sizes"]:
        all_images, batch = (n * size["size"] ** 2 * 3 / 1e6 for n in (10_015, 128))
        assert size["written"]["file_mb"] == pytest.approx(all_images, rel=1e-3)
        assert size["memory"]["peak_mb"] - base > 0.9 * all_images
        assert size["streamed"]["peak_mb"] - base < 5 * batch + 30
        assert size["written"]["peak_mb"] - base < 50  # nor does writing need them all
