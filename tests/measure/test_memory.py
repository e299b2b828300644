"""Memory of chapters and of streaming: measured in all processes, and what the page tells fits."""

import math
import re
from functools import partial

import nbformat
import numpy as np
import pytest
import yaml

from tools.book.course import chapters
from tools.measure import harness, memory
from utils.data import LesionImages

CLASSROOM = harness.PAGES[1].read_text(encoding="utf-8")
HUB = yaml.safe_load(re.search(r"```yaml\n(.*?)```", CLASSROOM, re.DOTALL)[1])["singleuser"]


def test_every_chapter_was_measured():
    stored = harness.stored("peak_memory")["chapters"]
    missing = sorted({path.stem for path in chapters()} - stored.keys())
    assert not missing, f"measure.memory {' '.join(name[:2] for name in missing)}"
    for name, found in stored.items():
        assert 100 < found["peak_mb"] < 6_000 and "phantom" not in found["data"], name


def test_what_the_page_tells_to_set_is_enough():
    found = harness.stored("peak_memory")["chapters"].items()
    numbered = {name: one for name, one in found if name[0].isdigit()}
    most, name = max((one["peak_mb"], name) for name, one in numbered.items())
    each = math.ceil((most * 1.3 + 150) / 100) / 10  # GB
    words = " ".join(CLASSROOM.split())
    assert f"`{name}` with {most:,} MB" in words
    assert f"**{each} GB**" in words and f"**{math.ceil(30 * each)} GB**" in words
    for limit in (HUB["memory"]["limit"], re.search(r"limits\.memory (\w+)", CLASSROOM)[1]):
        assert int(limit.removesuffix("M")) / 1000 >= each, limit


def test_measurement_sees_the_kernel_and_the_processes_it_starts(tmp_path):
    def run(*sources, **settings):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        cells[0].metadata["tags"] = ["parameters"]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, tmp_path / "03_x.ipynb")
        return harness.apart("memory.run", chapter=str(tmp_path / "03_x.ipynb"), **settings)

    small = run("EPOCHS = 50", "print(f'Data: made up {EPOCHS}, 5 images')", EPOCHS=2)
    assert small["data"] == "made up 2" and 30 < small["peak_mb"] < 250
    hold = "x = b'x' * 200_000_000; time.sleep(0.3)"
    assert run(f"import time; {hold}; del x")["peak_mb"] > small["peak_mb"] + 150
    child = f"[sys.executable, '-c', \"import time; {hold}\"]"
    child = f"import subprocess, sys\nsubprocess.run({child})"
    assert run(child)["peak_mb"] > small["peak_mb"] + 150


def test_streaming_runs_small(monkeypatch):
    """The whole of it on made-up images, larger than those of the phantom."""
    pytest.importorskip("dask")
    images = np.random.default_rng(0).integers(0, 255, (300, 32, 32, 3), np.uint8)
    made_up = LesionImages(images, np.arange(300) % 7, None, "noise", "")
    monkeypatch.setattr("utils.data.load_ham10000", {32: made_up}.__getitem__)

    def apart(task, **settings):
        run = memory.write if task == "memory.write" else partial(harness.apart, task)
        return run(**settings)

    found = memory.streamed(sizes=[32], apart=apart)
    (size,) = found["sizes"]
    assert size["memory"]["peak_mb"] > 50 and size["streamed"]["peak_mb"] > 50
    assert found["data"] == {"source": "noise", "images": 300}
    assert found.keys() <= harness.stored("streaming").keys()


def test_streaming_needs_batches_that_are_the_same():
    with pytest.raises(SystemExit, match="At 64 pixels"):
        memory.streamed(apart=lambda task, way="", **_: {"batches": way})


def test_stored_measurement_is_bounded_and_complete():
    stored = harness.stored("streaming")
    source = "HAM10000 from copies of the official zips, 200 × 150 pixels"
    assert stored["data"] == {"source": source, "images": 10_015}
    assert [size["size"] for size in stored["sizes"]] == [64, 128, 224]
    base = stored["nothing"]["peak_mb"]
    for size in stored["sizes"]:
        all_images, batch = (n * size["size"] ** 2 * 3 / 1e6 for n in (10_015, 128))
        assert size["memory"]["peak_mb"] - base > 0.9 * all_images
        assert size["streamed"]["peak_mb"] - base < 5 * batch + 30
