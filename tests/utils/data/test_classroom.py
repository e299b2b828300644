"""A classroom's server: eight people load at once, from the download to the cache."""

import functools
import http.server
import json
import subprocess
import sys
import threading
import types

import datafiles
import pytest

from tools.book.course import ROOT
from utils.data.photographs import ZIPS


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
