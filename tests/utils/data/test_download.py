"""Downloads are whole and checked or leave nothing behind, and every error names the way out."""

import hashlib
import io
import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import datafiles
import kagglehub
import pooch
import pytest
import requests
from datafiles import METADATA

from utils.data import download
from utils.data.download import DownloadError
from utils.data.photographs import EXTERNAL_TABLE, EXTERNAL_ZIP, ZIPS
from utils.data.records import DataError
from utils.data.tables import KAGGLE_CSV

CONTENT = b"PK" + bytes(range(256)) * 400
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
ROUTE = "By hand", "data/raw", "load_ham10000()"


class Handler(BaseHTTPRequestHandler):
    """A server that is as unreliable as its path says."""

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["User-Agent"]))
        name = self.path.strip("/")
        if name.isdigit():
            self.send_error(int(name))
            return
        body = b"<!DOCTYPE html><h1>Sign in</h1>" if name == "html" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if name == "cut":
            return
        time.sleep(1.5 if name == "slow" else 0)
        self.wfile.write(bytes(len(body) - half) if name == "damaged" else body[half:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked, running.daemon_threads, running.block_on_close = [], True, False
        running.url = f"http://127.0.0.1:{running.server_address[1]}"
        threading.Thread(target=running.serve_forever).start()
        yield running
        running.shutdown()


@pytest.fixture
def closed():
    """Return an address where nobody answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as gone:
        return f"http://127.0.0.1:{gone.server_address[1]}"


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    for name, seconds in (("ANSWER", 1.0), ("CONNECT", 1.0), ("READ", 0.5)):
        monkeypatch.setattr(download, name, seconds)


def make_file(name, *urls, size=None, hash=SHA256):
    return {"name": name, "urls": list(urls), "bytes": size, "hash": hash}


def make_group(*files, page="https://example.org/page", handle=None):
    return {"page": page, "handle": handle, "files": list(files)}


def fetch(folder, *urls, size=None):
    file = make_file("part.zip", *urls, size=size)
    return download.fetch(file, folder, make_group(file))


def names_in(folder):
    """Name the files of a folder, without the empty one that holds the lock of downloads."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".download.lock")


def test_a_good_download(tmp_path, server, capfd, monkeypatch):
    notes = io.StringIO()
    pooch.get_logger().setLevel(logging.DEBUG)
    monkeypatch.setattr(pooch.get_logger(), "handlers", [logging.StreamHandler(notes)])
    path = fetch(tmp_path / "new", f"{server.url}/good")
    assert path.name == "part.zip" and path.read_bytes() == CONTENT
    assert names_in(path.parent) == ["part.zip"] and path.stat().st_mode & 0o777 == 0o644
    assert server.asked[0][1].startswith("Mozilla/5.0")
    out, err = capfd.readouterr()
    assert str(tmp_path) not in out + err + notes.getvalue(), "the folder's path is printed"
    assert "100%" in err, "no progress bar"
    fetch(tmp_path / "new", f"{server.url}/good")
    assert len(server.asked) == 1, "downloaded again"


@pytest.mark.parametrize(("path", "word"), [
    ("404", "404"), ("503", "503"), ("cut", "IncompleteRead"), ("slow", "Read timed out"),
    ("damaged", "does not match the known hash"), ("html", "a web page came instead of the file"),
])  # fmt: skip
def test_a_failed_download_leaves_nothing_and_the_next_address_helps(tmp_path, server, path, word):
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, f"{server.url}/{path}")
    for part in (word, "part.zip could not be downloaded", "https://example.org/page", *ROUTE):
        assert part in str(caught.value)
    assert names_in(tmp_path) == []
    second = fetch(tmp_path, f"{server.url}/{path}", f"{server.url}/good")
    assert second.read_bytes() == CONTENT and names_in(tmp_path) == ["part.zip"]


def test_what_does_not_answer_is_given_up_soon(tmp_path, closed, monkeypatch):
    start = time.monotonic()
    with pytest.raises(DownloadError, match="no network.*refused"):
        fetch(tmp_path, f"{closed}/good", f"{closed}/other")
    # A socket that listens and never accepts: the connection stands, the answer does not come.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert download.no_answer(f"http://127.0.0.1:{silent.getsockname()[1]}")
    monkeypatch.setattr(requests, "head", lambda *_, **__: time.sleep(5))  # a name look-up hangs
    assert download.no_answer("http://example.org")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("size", [None, 5])
def test_another_file_of_the_name_is_neither_taken_nor_overwritten(tmp_path, server, size):
    (tmp_path / "part.zip").write_bytes(b"PK of another version")
    with pytest.raises(DownloadError, match=r"not the published file.* 21 bytes.*away.*By hand"):
        fetch(tmp_path, "https://example.org", size=size)
    assert (tmp_path / "part.zip").read_bytes() == b"PK of another version"
    with pytest.raises(DownloadError, match="Error: .*part.zip"):
        fetch(tmp_path / "part.zip", server.url)


def test_the_registry_lists_what_is_looked_for_and_keeps_the_wait_within_ten_seconds(monkeypatch):
    monkeypatch.undo()
    assert 2 * download.ANSWER <= 10
    groups = download.registry()
    names = {name: {f["name"] for f in group["files"]} for name, group in groups.items()}
    official = {"kaggle": {KAGGLE_CSV, METADATA}, "dataverse": {*ZIPS, METADATA}}
    assert names == official | {"external": {EXTERNAL_ZIP, f"{EXTERNAL_TABLE}.csv"}}
    for group in groups.values():
        for file in group["files"]:
            urls = [*file["urls"], *([group["page"]] if group["handle"] else [])]
            assert all(url.startswith("https://") for url in urls)
            # At most two addresses are asked in turn, so that 10 s without network are enough.
            assert 1 <= len(urls) <= 2


@pytest.fixture
def kaggle(tmp_path, server, monkeypatch):
    """Return a Kaggle group on the local server, its files, and what kagglehub was asked for."""
    shop, asked = tmp_path / "kaggle's cache", []
    shop.mkdir()
    datafiles.make_kaggle(shop)
    files = make_file(KAGGLE_CSV, hash=None), make_file(METADATA, f"{server.url}/good")

    def get(handle, *, path):
        assert handle == "someone/lesions"
        asked.append(path)
        if not (shop / path).exists():
            raise RuntimeError("403 Client Error")
        return str(shop / path)

    monkeypatch.setattr(kagglehub, "dataset_download", get)
    return shop, make_group(*files, page=server.url, handle="someone/lesions"), asked


def test_kaggle(tmp_path, kaggle):
    shop, group, asked = kaggle
    raw, other = tmp_path / "raw", tmp_path / "other"
    for _ in "first", "second":  # what is there is not downloaded again
        download.fetch_source("kaggle", raw, group=group)
        assert names_in(raw) == sorted(asked) == sorted([METADATA, KAGGLE_CSV])
    assert all((raw / name).read_bytes() == (shop / name).read_bytes() for name in asked)
    (shop / METADATA).unlink()
    download.fetch_source("kaggle", other, group=group)
    assert (other / METADATA).read_bytes() == CONTENT, "the metadata has a second address"
    with pytest.raises(DataError, match="28 × 28 pixels, not 32 × 32"):
        download.fetch_source("kaggle", other, 32)


def test_metadata_of_another_name_are_not_downloaded_again(tmp_path, kaggle, server):
    datafiles.write_metadata(tmp_path, datafiles.make_metadata(), "HAM10000_metadata.tab", "\t")
    download.fetch_source("kaggle", tmp_path, group=kaggle[1])
    assert kaggle[2] == [KAGGLE_CSV]
    files = [make_file(n, f"{server.url}/good", size=len(CONTENT)) for n in (METADATA, *ZIPS)]
    paths = download.fetch_source("dataverse", tmp_path, group=make_group(*files))
    assert [path.name for path in paths] == list(ZIPS)


def test_external_images_come_from_the_first_address_that_has_them(tmp_path, server):
    table = make_file(f"{EXTERNAL_TABLE}.csv", f"{server.url}/404", f"{server.url}/good", hash=None)
    files = make_file(EXTERNAL_ZIP, f"{server.url}/good", hash=None), table
    paths = download.fetch_source("external", tmp_path, group=make_group(*files))
    assert names_in(tmp_path) == sorted(path.name for path in paths)
    with pytest.raises(DownloadError, match=r"By hand.*data/raw.*load_external\(\) again"):
        download.fetch(make_file(EXTERNAL_ZIP, f"{server.url}/404"), tmp_path / "x", make_group())


@pytest.mark.parametrize("trouble", ["403", "a web page", "no network"])
def test_kaggle_trouble_names_the_manual_route(tmp_path, kaggle, closed, trouble):
    shop, group, asked = kaggle
    (shop / KAGGLE_CSV).unlink()
    if trouble == "a web page":
        (shop / KAGGLE_CSV).write_bytes(b"<html>Sign in</html>")
    elif trouble == "no network":
        group["page"] = closed
    with pytest.raises(DownloadError) as caught:
        download.fetch_source("kaggle", tmp_path / "raw", group=group)
    for part in (trouble, group["page"], KAGGLE_CSV, "could not be downloaded", *ROUTE):
        assert part in str(caught.value)
    if asked:  # without network it is given up before a file is asked for
        assert names_in(tmp_path / "raw") == [METADATA]
