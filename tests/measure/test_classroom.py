"""A classroom's server: what the page says is what was measured, and eight people come at once."""

import functools
import http.server
import json
import re
import subprocess
import sys
import threading
import types

import datafiles
import nbformat
import pytest
import yaml

from tools.book.course import ROOT, chapters
from tools.measure import peak_memory
from utils.data.photographs import ZIPS

PAGE = peak_memory.PAGE.read_text(encoding="utf-8")
STORED = peak_memory.read()


# --- Eight at once, from the download to the cache -----------------------------------------------


@pytest.fixture
def server(tmp_path):
    """Serve a small data set in the official form, and count what is asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    datafiles.make_official(folder)
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{running.server_address[1]}"
        yield types.SimpleNamespace(url=url, folder=folder, asked=asked)
        running.shutdown()
        thread.join()


LOAD = """
import sys
from pathlib import Path
from utils import data
from utils.data import download

registry = download.registry(Path(sys.argv[1]))
download.registry = lambda: registry
data.RAW_DIR, data.CACHE_DIR = Path(sys.argv[2]), Path(sys.argv[3])
dataset = data.load_ham10000(source="dataverse", expected_rows=int(sys.argv[4]))
print(dataset.fingerprint, int(dataset.images.sum()), len(dataset.labels))
"""


def test_eight_people_load_at_once_through_one_folder_and_one_cache(tmp_path, server):
    listed = json.loads((ROOT / "data" / "registry.json").read_text(encoding="utf-8"))
    files = listed["groups"]["dataverse"]["files"]
    for file in files:
        served = server.folder / file["name"]
        file |= {"urls": [f"{server.url}/{served.name}"], "bytes": served.stat().st_size}
        file["hash"] = None
    registry = tmp_path / "registry.json"
    registry.write_text(json.dumps(listed))
    raw, cache = tmp_path / "raw", tmp_path / "cache"
    command = [sys.executable, "-c", LOAD, registry, raw, cache, datafiles.ROWS]
    running = [
        subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(8)
    ]
    results = [process.communicate(timeout=300) for process in running]
    assert all(process.returncode == 0 for process in running), results[0][1][-2000:]
    answers = {out.splitlines()[-1] for out, _ in results}
    assert len(answers) == 1 and answers.pop().endswith(f" {datafiles.ROWS}")
    assert sorted(server.asked) == sorted(f"/{file['name']}" for file in files)
    assert [path.suffix for path in cache.iterdir()] == [".npz"]
    left = {path.name for path in raw.iterdir() if not path.name.startswith(".")}
    assert left == {file["name"] for file in files} >= set(ZIPS)
    assert all("damaged" not in err for _, err in results)


# --- The page and the measurement ----------------------------------------------------------------


def test_every_chapter_was_measured():
    listed = {path.stem for path in chapters()}
    missing = sorted(listed - STORED["chapters"].keys())
    assert not missing, (
        f"Run `python -m tools.measure.peak_memory {' '.join(m[:2] for m in missing)}`."
    )
    for name, found in STORED["chapters"].items():
        for way in ("quick", "full"):
            assert 100 < found[way]["peak_mb"] < 6_000, (name, way)
        assert "phantom" in found["quick"]["data"] or not found["quick"]["data"], name
        assert "phantom" not in found["full"]["data"], name


def test_page_shows_what_is_stored():
    between = PAGE.partition(peak_memory.START)[2].partition(peak_memory.END)[0]
    again = "Run `python -m tools.measure.peak_memory --page`."
    assert between.strip() == peak_memory.table(STORED), again


def test_what_the_page_tells_to_set_is_enough():
    wanted = peak_memory.per_person(STORED)
    hub = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])
    limits = [hub["singleuser"]["memory"]["limit"], re.search(r"limits\.memory (\w+)", PAGE)[1]]
    for limit in limits:
        gigabytes = int(limit.removesuffix("M")) / 1000
        assert gigabytes >= wanted, f"the page sets {limit}, and {wanted} GB are needed"
    # All small runs of the numbered chapters fit into Binder, as the intro of its section says.
    small = {n: f["quick"]["peak_mb"] for n, f in STORED["chapters"].items() if n[0].isdigit()}
    assert max(small.values()) < peak_memory.BINDER_MB, small


def test_page_names_the_loaders_variables_and_the_official_guides():
    code = (ROOT / "utils" / "data" / "__init__.py").read_text(encoding="utf-8")
    for variable in ("HAM10000_DIR", "HAM10000_CACHE"):
        assert f'"{variable}"' in code and PAGE.count(variable) >= 3
    hub = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])["singleuser"]
    (mount,) = hub["storage"]["extraVolumeMounts"].values()
    assert mount["readOnly"] is True
    assert all(folder.startswith(mount["mountPath"]) for folder in hub["extraEnv"].values())
    for guide in ("https://tljh.jupyter.org/", "https://z2jh.jupyter.org/", "mybinder.readthedocs"):
        assert guide in PAGE
    assert "teaching/classroom-server" in (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for name in re.findall(r"`(tests/[\w.]+)`", PAGE):
        assert (ROOT / name).is_file(), name


def test_limit_follows_the_largest_numbered_chapter_and_leaves_appendices_out():
    def made(**full):
        return {
            "date": "2026-01-01",
            "machine": {"cpu": "x", "cores": 2, "system": "y"},
            "chapters": {
                name: {"quick": {"peak_mb": mb // 2}, "full": {"peak_mb": mb}}
                for name, mb in full.items()
            },
        }

    results = made(**{"03_x": 1000, "05_y": 1500, "A1_z": 5000})
    assert peak_memory.per_person(results) == 2.1  # 1500 × 1.3 + 150 = 2100
    text = peak_memory.table(results)
    said = " ".join(text.split())
    assert "`05_y` with 1,500 MB" in said and "**2.1 GB**" in said and "**63 GB**" in said
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [
        ("03_x", "500", "1,000", "yes"),
        ("05_y", "750", "1,500", "yes"),
        ("A1_z", "2,500", "5,000", "no"),
    ]
    assert "small only" in peak_memory.table(made(**{"05_y": 3000}))


def test_measurement_sees_the_kernel_and_the_processes_it_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    code = nbformat.v4.new_code_cell

    def chapter(*sources):
        notebook = nbformat.v4.new_notebook(cells=[code(source) for source in sources])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        path = tmp_path / "03_x.ipynb"
        nbformat.write(notebook, path)
        return path

    small = peak_memory.measure(chapter("print('Data: made up, 5 images')"), quick=True)
    assert small["data"] == "made up" and 30 < small["peak_mb"] < 200
    held = "x = b'x' * 200_000_000; del x\nimport os; print(os.environ['COURSE_QUICK'])"
    assert peak_memory.measure(chapter(held), quick=True)["peak_mb"] > small["peak_mb"] + 150
    child = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', "
    child += "\"import time; x = b'x' * 200_000_000; time.sleep(1)\"])"
    assert peak_memory.measure(chapter(child), quick=False)["peak_mb"] > small["peak_mb"] + 150


def test_page_without_its_marks_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(peak_memory, "PAGE", tmp_path / "page.md")
    peak_memory.PAGE.write_text("# Page\n")
    with pytest.raises(SystemExit, match="lacks the marks"):
        peak_memory.write_page(STORED)
