"""Downloads are whole and checked or leave nothing behind, and every error names the way out."""

import hashlib
import io
import logging
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import datafiles
import pooch
import pytest

from utils.data import download, sources
from utils.data.download import DownloadError, Group, Limits, RemoteFile

CONTENT = b"PK" + bytes(range(256)) * 400
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
QUICK = Limits(answer=1.0, connect=1.0, read=0.5)


class Handler(BaseHTTPRequestHandler):
    """A server that is as unreliable as its path says."""

    def do_HEAD(self):  # noqa: N802
        self.send_response(200)
        self.end_headers()

    def do_GET(self):  # noqa: N802
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
        if name == "pause":  # long enough for others to come
            time.sleep(0.4)
        if name == "slow":
            time.sleep(1.5)
        if name == "damaged":
            self.wfile.write(bytes(len(body) - half))
            return
        self.wfile.write(body[half:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        running.daemon_threads = True
        running.block_on_close = False
        running.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def closed():
    """Return an address where nobody answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as gone:
        return f"http://127.0.0.1:{gone.server_address[1]}"


def make_group(*urls, name="part.zip", page="https://example.org/page", hash=SHA256):
    file = RemoteFile(name, urls, None, hash)
    return Group("dataverse", "a file", page, None, (file,))


def names_in(folder):
    """Name the files of a folder, without the empty one that holds the lock of downloads."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".download.lock")


def fetch(folder, *urls, **options):
    group = make_group(*urls, **options)
    return download.fetch(group.files[0], folder, group, limits=QUICK)


def test_a_good_download(tmp_path, server):
    path = fetch(tmp_path / "new", f"{server.url}/good")
    assert path.name == "part.zip" and path.read_bytes() == CONTENT
    assert names_in(path.parent) == ["part.zip"]
    assert server.asked[0][1].startswith("Mozilla/5.0")


def test_the_path_of_the_folder_is_not_printed(tmp_path, server, capfd):
    notes = io.StringIO()
    pooch.get_logger().setLevel(logging.DEBUG)
    handler = logging.StreamHandler(notes)
    pooch.get_logger().addHandler(handler)
    fetch(tmp_path, f"{server.url}/good")
    pooch.get_logger().removeHandler(handler)
    out, err = capfd.readouterr()
    assert str(tmp_path) not in out + err + notes.getvalue()
    assert "100%" in err, "no progress bar"


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("404", "404"),
        ("503", "503"),
        ("cut", "IncompleteRead"),
        ("damaged", "checksum mismatch"),
        ("html", "a web page came instead of the file"),
        ("slow", "Read timed out"),
    ],
)
def test_a_failed_download_leaves_nothing_and_names_the_manual_route(tmp_path, server, path, word):
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, f"{server.url}/{path}")
    message = str(caught.value)
    for part in (
        word,
        "part.zip could not be downloaded",
        "https://example.org/page",
        "data/raw",
        "load_ham10000()",
    ):
        assert part in message
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("path", ["404", "503", "cut", "damaged", "html", "slow"])
def test_the_second_source_stands_in(tmp_path, server, path):
    got = fetch(tmp_path, f"{server.url}/{path}", f"{server.url}/good")
    assert got.read_bytes() == CONTENT
    assert names_in(tmp_path) == ["part.zip"]


def test_a_failed_download_can_be_started_again(tmp_path, server):
    with pytest.raises(DownloadError):
        fetch(tmp_path, f"{server.url}/cut")
    assert fetch(tmp_path, f"{server.url}/good").read_bytes() == CONTENT


def test_manual_route_on_colab_names_upload_and_drive(monkeypatch):
    assert "Drive" not in download.manual_route("kaggle")
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    route = download.manual_route("kaggle")
    assert "upload the files" in route and "drive.mount('/content/drive')" in route
    assert "os.environ['HAM10000_DIR'] = '/content/drive/MyDrive/ham10000'" in route
    code = route[route.index("from google.colab") :]
    compile(code, "what the reader is to run", "exec")


def test_eight_processes_at_once_download_a_file_once(tmp_path, server):
    program = (
        "import sys; from pathlib import Path; from utils import download as d; "
        "file = d.RemoteFile('part.zip', (sys.argv[1],), None, sys.argv[2]); "
        "group = d.Group('dataverse', 'a file', 'https://example.org', None, (file,)); "
        "path = d.fetch(file, Path(sys.argv[3]), group, limits=d.Limits(10, 10, 30)); "
        "print(len(path.read_bytes()))"
    )
    command = [sys.executable, "-c", program, f"{server.url}/pause", SHA256, str(tmp_path / "raw")]
    root = Path(download.__file__).parents[2]
    running = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(8)
    ]
    results = [process.communicate(timeout=120) for process in running]
    assert all(process.returncode == 0 for process in running), results
    assert {out.strip() for out, _ in results} == {str(len(CONTENT)).encode()}
    assert len(server.asked) == 1, "each process fetched the file for itself"
    assert names_in(tmp_path / "raw") == ["part.zip"]


def test_no_network_is_noticed_soon(tmp_path, closed):
    start = time.monotonic()
    with pytest.raises(DownloadError, match="no network"):
        fetch(tmp_path, f"{closed}/good", f"{closed}/other")
    assert time.monotonic() - start < 3


def test_a_server_that_never_answers_costs_no_more_than_its_limit():
    # A socket that listens and never accepts: the connection stands, the answer does not come.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not download.reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.5)
        assert time.monotonic() - start < 2


def test_a_name_look_up_that_hangs_costs_no_more_than_its_limit(monkeypatch):
    import requests

    monkeypatch.setattr(requests, "head", lambda *_, **__: time.sleep(5))
    start = time.monotonic()
    assert not download.reachable("http://example.org", 0.3)
    assert time.monotonic() - start < 2


def test_a_file_that_is_there_is_not_downloaded_again(tmp_path, server):
    (tmp_path / "part.zip").write_bytes(CONTENT)
    fetch(tmp_path, f"{server.url}/good")
    assert server.asked == []


def test_another_file_of_the_name_is_neither_taken_nor_overwritten(tmp_path, server):
    (tmp_path / "part.zip").write_bytes(b"PK of another version")
    with pytest.raises(DownloadError, match=r"not the published file.*Move it away.*by hand"):
        fetch(tmp_path, f"{server.url}/good")
    assert (tmp_path / "part.zip").read_bytes() == b"PK of another version"


# --- groups -------------------------------------------------------------------------------------


def test_the_registry_lists_what_the_readers_look_for():
    groups = download.registry()
    names = {name: {file.name for file in group.files} for name, group in groups.items()}
    assert names["kaggle"] == {sources.KAGGLE_CSV, "HAM10000_metadata.csv"}
    assert names["dataverse"] == {*sources.ZIPS, "HAM10000_metadata.csv"}
    assert names["dermamnist"] == {
        "dermamnist.npz",
        "dermamnist_64.npz",
        "dermamnist_128.npz",
        "dermamnist_224.npz",
    }
    lengths = {"md5": 32, "sha256": 64}
    for group in groups.values():
        assert group.page.startswith("https://")
        for file in group.files:
            assert all(url.startswith("https://") for url in file.urls)
            assert file.urls or group.handle, f"{file.name} has no source"
            if file.urls:
                algorithm, value = file.hash.split(":")
                assert len(value) == lengths[algorithm] and int(value, 16)


@pytest.fixture
def kaggle(tmp_path, server):
    """Return a Kaggle group on the local server, and a stand-in for kagglehub's function."""
    shop = tmp_path / "kaggle's cache"
    shop.mkdir()
    datafiles.make_kaggle(shop)
    metadata = RemoteFile("HAM10000_metadata.csv", (f"{server.url}/good",), None, SHA256)
    csv = RemoteFile(sources.KAGGLE_CSV, (), None, None)
    group = Group("kaggle", "the CSV", f"{server.url}/page", "someone/lesions", (csv, metadata))

    def get(handle, *, path):
        assert handle == "someone/lesions"
        return str(shop / path)

    return shop, group, get


def test_kaggle(tmp_path, kaggle):
    shop, group, get = kaggle
    raw = tmp_path / "raw"
    paths = download.fetch_kaggle(raw, group=group, download=get, limits=QUICK)
    assert names_in(raw) == sorted(path.name for path in paths)
    for path in paths:
        assert path.read_bytes() == (shop / path.name).read_bytes()

    def again(*_, **__):
        raise AssertionError("downloaded again")

    assert download.fetch_kaggle(raw, group=group, download=again, limits=QUICK) == []


def test_metadata_of_another_name_is_not_downloaded_again(tmp_path, kaggle):
    _, group, get = kaggle
    raw = tmp_path / "raw"
    raw.mkdir()
    datafiles.write_metadata(raw, datafiles.make_metadata(), "HAM10000_metadata.tab", "\t")
    download.fetch_kaggle(raw, group=group, download=get, limits=QUICK)
    assert names_in(raw) == sorted(["HAM10000_metadata.tab", sources.KAGGLE_CSV])


def test_the_metadata_has_a_second_source(tmp_path, kaggle):
    _, group, get = kaggle

    def only_csv(handle, *, path):
        if "metadata" in path:
            raise RuntimeError("403 Client Error")
        return get(handle, path=path)

    raw = tmp_path / "raw"
    download.fetch_kaggle(raw, group=group, download=only_csv, limits=QUICK)
    assert (raw / "HAM10000_metadata.csv").read_bytes() == CONTENT


@pytest.mark.parametrize("trouble", ["error", "html"])
def test_kaggle_trouble_names_the_manual_route(tmp_path, kaggle, trouble):
    shop, group, get = kaggle

    def fails(handle, *, path):
        if path == sources.KAGGLE_CSV:
            if trouble == "error":
                raise RuntimeError("403 Client Error")
            (shop / path).write_bytes(b"<html>Sign in</html>")
        return get(handle, path=path)

    raw = tmp_path / "raw"
    with pytest.raises(DownloadError) as caught:
        download.fetch_kaggle(raw, group=group, download=fails, limits=QUICK)
    message = str(caught.value)
    for part in (
        "403" if trouble == "error" else "a web page",
        f"{sources.KAGGLE_CSV} could not be downloaded",
        group.page,
        "data/raw",
        "load_ham10000()",
    ):
        assert part in message
    assert names_in(raw) == ["HAM10000_metadata.csv"]


def test_kaggle_without_network(tmp_path, kaggle, closed):
    _, group, _ = kaggle
    group = Group("kaggle", group.what, closed, group.handle, group.files)

    def asked(*_, **__):
        raise AssertionError("kagglehub was asked without network")

    start = time.monotonic()
    with pytest.raises(DownloadError, match=f"{sources.KAGGLE_CSV}.*no network"):
        download.fetch_kaggle(tmp_path / "raw", group=group, download=asked, limits=QUICK)
    assert time.monotonic() - start < 3


def test_the_waiting_times_without_network_stay_within_ten_seconds():
    # At most two addresses are asked in turn before "auto" goes on to the phantom.
    assert 2 * Limits().answer <= 10
    assert max(len(file.urls) for g in download.registry().values() for file in g.files) <= 2


def test_dermamnist_of_a_size_that_is_not_published(tmp_path):
    with pytest.raises(sources.DataError, match="28 × 28 or 64 × 64 or 128 × 128 or 224 × 224"):
        download.fetch_dermamnist(32, tmp_path)


def test_the_official_zips(tmp_path, server):
    files = tuple(
        RemoteFile(name, (f"{server.url}/good",), len(CONTENT), SHA256)
        for name in ("HAM10000_metadata.csv", *sources.ZIPS)
    )
    group = Group("dataverse", "the zips", "https://example.org", None, files)
    datafiles.write_metadata(tmp_path, datafiles.make_metadata(), "HAM10000_metadata.tab", "\t")
    paths = download.fetch_dataverse(tmp_path, group=group, limits=QUICK)
    assert [path.name for path in paths] == list(sources.ZIPS)
    (tmp_path / sources.ZIPS[0]).write_bytes(b"PK shorter")
    with pytest.raises(DownloadError, match="it has 10 bytes"):
        download.fetch_dataverse(tmp_path, group=group, limits=QUICK)
