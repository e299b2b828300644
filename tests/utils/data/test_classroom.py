"""A classroom's server: eight people load at once, from the download to the cache."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time

import datafiles

from utils.data.download import REGISTRY

LOAD = """
import os, sys
from pathlib import Path
from utils import data
from utils.data import download

os.umask(0o077)
download.ANSWER = download.CONNECT = download.READ = 60
registry = download.registry(Path(sys.argv[1]))
download.registry = lambda: registry
data.RAW_DIR = Path(sys.argv[2])
dataset = data.load_ham10000(source="dataverse", expected_rows=14)
print(data.CACHE_DIR, dataset.fingerprint, int(dataset.images.sum()), len(dataset.labels))
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    looked, asked = [], []

    def do_HEAD(self):
        self.looked.append(self.path)
        super().do_HEAD()

    def do_GET(self):
        self.asked.append(self.path)
        end = time.monotonic() + 60
        while len(self.looked) < 8 and time.monotonic() < end:
            time.sleep(0.05)  # until all eight have come for the first file
        super().do_GET()

    def log_message(self, *_):
        pass


def test_eight_people_load_at_once_through_one_folder_and_one_cache(tmp_path, root):
    served, raw, cache = (tmp_path / name for name in ("served", "raw", "cache"))
    datafiles.make(served, "zips")

    def load():
        command = [sys.executable, "-c", LOAD, str(tmp_path / "registry.json"), str(raw)]
        env = os.environ | {"HAM10000_CACHE": f' "{cache}"'}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        return subprocess.Popen(command, cwd=root, env=env, **pipes)

    handler = functools.partial(Handler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        registry = json.loads(REGISTRY.read_text(encoding="utf-8"))
        files = registry["groups"]["dataverse"]["files"]
        for file in files:
            url = f"http://127.0.0.1:{server.server_address[1]}/{file['name']}"
            length = (served / file["name"]).stat().st_size
            file |= {"urls": [url], "bytes": length, "hash": None}
        (tmp_path / "registry.json").write_text(json.dumps(registry))
        running = [load() for _ in range(8)]
        results = [process.communicate(timeout=300) for process in running]
        server.shutdown()
    assert all(process.returncode == 0 for process in running), results[0][1][-2000:]
    assert all("damaged" not in err for _, err in results)
    (line,) = {out.splitlines()[-1] for out, _ in results}
    assert line.startswith(str(cache)) and line.endswith(f" {datafiles.ROWS}")
    names = sorted(file["name"] for file in files)
    assert sorted(path[1:] for path in Handler.asked) == names, "fetched twice"
    brought = [path for path in raw.iterdir() if not path.name.startswith(".")]
    assert sorted(path.name for path in brought) == names
    (cache_file,) = cache.iterdir()
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in (cache_file, *brought))
    # Once it is filled, the cache may be read-only.
    before = cache_file.stat().st_mtime_ns
    cache.chmod(0o555)
    try:
        assert load().communicate(timeout=120)[0].splitlines()[-1] == line
    finally:
        cache.chmod(0o755)
    assert list(cache.iterdir()) == [cache_file] and cache_file.stat().st_mtime_ns == before
