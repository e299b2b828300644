"""Download the data files: checked, whole or not at all, with the manual route in every error."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from utils.data.sources import DataError, find_metadata, refuse_html, require_size
from utils.start import on_colab

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = ROOT / "data" / "registry.json"
# Some servers refuse programs that do not look like a browser.
HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; reading-skin-course)"}
DERMAMNIST_SIZES = (28, 64, 128, 224)
ON_COLAB = (
    " On Colab, upload the files with the folder symbol on the left, or, so that they are still "
    "there tomorrow, put them into a folder ham10000 of your Google Drive and run, before the "
    "set-up cell: from google.colab import drive; drive.mount('/content/drive'); import os; "
    "os.environ['HAM10000_DIR'] = '/content/drive/MyDrive/ham10000'"
)


class DownloadError(RuntimeError):
    """A file could not be downloaded; the message spells how to get it by hand."""


@dataclass(frozen=True)
class RemoteFile:
    """One file: name, addresses in the order to try, size in bytes and hash where published."""

    name: str
    urls: tuple[str, ...]
    bytes: int | None
    hash: str | None


@dataclass(frozen=True)
class Group:
    """Files that are one source: where a person finds them, and the Kaggle handle if any."""

    name: str
    what: str
    page: str
    handle: str | None
    files: tuple[RemoteFile, ...]

    def file(self, name: str) -> RemoteFile:
        """Return the file with this name."""
        return next(file for file in self.files if file.name == name)


@dataclass(frozen=True)
class Limits:
    """Seconds to wait: for a first answer, for a connection, and between two pieces of data."""

    answer: float = 4.0
    connect: float = 5.0
    read: float = 30.0


def registry(path: Path = REGISTRY) -> dict[str, Group]:
    """Return what can be downloaded, as `data/registry.json` lists it."""
    groups = json.loads(path.read_text(encoding="utf-8"))["groups"]
    return {
        name: Group(
            name=name,
            what=group["what"],
            page=group["page"],
            handle=group["handle"],
            files=tuple(
                RemoteFile(file["name"], tuple(file["urls"]), file["bytes"], file["hash"])
                for file in group["files"]
            ),
        )
        for name, group in groups.items()
    }


def manual_route(group: str | Group, names: list[str] | None = None, size: int = 28) -> str:
    """Return in words how to get files by hand: which, from where, into which folder, what next."""
    if isinstance(group, str):
        group = registry()[group]
    names = names or [file.name for file in group.files]
    call = f"load_ham10000({size})" if size != 28 else "load_ham10000()"
    if group.name == "dermamnist":
        call = f"load_ham10000({size}, source='dermamnist')"
    return (
        f"By hand: open {group.page} in a browser, download {' and '.join(names)} (unpack a CSV "
        "that comes in a zip, leave the zips of images packed), put what you got into the folder "
        f"data/raw of this repository under the same name, and call {call} again."
        + (ON_COLAB if on_colab() else "")
    )


def reachable(url: str, seconds: float = 4.0) -> bool:
    """Say whether a server answers at all, within a time that holds for name look-up too."""
    answered = threading.Event()

    def ask() -> None:
        import requests

        with contextlib.suppress(requests.RequestException):
            requests.head(url, timeout=seconds, headers=HEADERS, allow_redirects=False)
            answered.set()

    # A look-up of names has no time limit of its own; a daemon thread can be left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


def fetch(file: RemoteFile, folder: Path, group: Group, *, limits: Limits | None = None) -> Path:
    """Download one file into a folder unless it stands there already.

    The file is written under a temporary name, compared with its hash, and then given its name.
    Interrupted downloads leave nothing behind and start anew.

    Raises
    ------
    DownloadError
        If no address gives the file, what came is not the file, or another file has its name.
    """
    import pooch

    limits = limits or Limits()
    route = manual_route(group, [file.name], _size_of(file.name))
    target = folder / file.name
    if target.exists():
        _check_existing(target, file, route)
        return target
    pooch.get_logger().setLevel(logging.WARNING)  # its notes would print the folder's full path
    problems = []
    for url in file.urls:
        if not reachable(url, limits.answer):
            problems.append(f"{url}: no answer within {limits.answer:g} s (no network?)")
            continue
        download = pooch.HTTPDownloader(
            progressbar=True,
            chunk_size=2**18,
            headers=HEADERS,
            timeout=(limits.connect, limits.read),
        )

        def checked(url: str, output: str, keeper: object, download: Callable = download) -> None:
            download(url, output, keeper)
            refuse_html(Path(output))

        try:
            with _one_at_a_time(folder):
                if not target.exists():  # another process may have been quicker
                    pooch.retrieve(
                        url, known_hash=file.hash, fname=file.name, path=folder, downloader=checked
                    )
            return target
        except DataError:
            problems.append(f"{url}: a web page came instead of the file")
        except ValueError as error:  # pooch's word for another hash
            problems.append(f"{url}: checksum mismatch, the file is damaged or changed ({error})")
        except OSError as error:  # requests' errors are OSErrors too
            problems.append(f"{url}: {type(error).__name__}: {error}")
    raise DownloadError(f"{file.name} could not be downloaded. {'; '.join(problems)}. {route}")


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process download into a folder while the others wait for what it brings.

    In a classroom, thirty kernels may start over one folder in the same minute.
    """
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".download.lock"):
        yield


def _size_of(name: str) -> int:
    return next((s for s in DERMAMNIST_SIZES[1:] if name == f"dermamnist_{s}.npz"), 28)


def _check_existing(target: Path, file: RemoteFile, route: str) -> None:
    """Raise if a file of the name stands there that is not the one of the registry."""
    import pooch

    # It got its name after its hash was right, so for the big ones the length is enough.
    if file.bytes is not None:
        same = target.stat().st_size == file.bytes
    else:
        algorithm, value = (file.hash or "").split(":")
        same = pooch.file_hash(str(target), alg=algorithm) == value
    if not same:
        raise DownloadError(
            f"{target} is there but is not the published file (checksum or length differ; it has "
            f"{target.stat().st_size:,} bytes). Move it away and call again, or {route[0].lower()}"
            f"{route[1:]}"
        )


def fetch_dermamnist(size: int, folder: Path, *, limits: Limits | None = None) -> Path:
    """Download the DermaMNIST file of a size (28, 64, 128 or 224) from Zenodo."""
    require_size(size, DERMAMNIST_SIZES, "DermaMNIST")
    group = registry()["dermamnist"]
    name = "dermamnist.npz" if size == 28 else f"dermamnist_{size}.npz"
    return fetch(group.file(name), folder, group, limits=limits)


def fetch_dataverse(
    folder: Path, *, group: Group | None = None, limits: Limits | None = None
) -> list[Path]:
    """Download the two official zips (2.8 GB) and the metadata, whichever are missing."""
    group = group or registry()["dataverse"]
    metadata = find_metadata(folder)
    wanted = [file for file in group.files if metadata is None or not _is_metadata(file.name)]
    return [fetch(file, folder, group, limits=limits) for file in wanted]


def _is_metadata(name: str) -> bool:
    return name.startswith("HAM10000_metadata")


def fetch_kaggle(
    folder: Path,
    *,
    group: Group | None = None,
    download: Callable[..., str] | None = None,
    limits: Limits | None = None,
) -> list[Path]:
    """Download the Kaggle CSV and its metadata, whichever are missing, through kagglehub.

    Parameters
    ----------
    folder : Path
        Where the files shall stand.
    group : Group, optional
        Names and addresses; from the registry by default.
    download : callable, optional
        ``kagglehub.dataset_download`` by default; called with a handle and ``path=``.
    limits : Limits, optional
        Waiting times. Without network the function gives up after `limits.answer` seconds, or
        twice that where only the metadata is missing, which has a second source.

    Raises
    ------
    DownloadError
        If one of the two files cannot be had; the message spells the manual route.
    """
    group = group or registry()["kaggle"]
    limits = limits or Limits()
    # The metadata first: images without lesion ids would not be of much use.
    missing = [
        file
        for file in reversed(group.files)
        if not (folder / file.name).exists()
        and not (_is_metadata(file.name) and find_metadata(folder))
    ]
    if not missing:
        return []
    online = reachable(group.page, limits.answer)
    paths = []
    for file in missing:
        problem = f"{group.page} gives no answer (no network?)"
        if online:
            problem = _from_kaggle(file, folder, group, download)
        if problem and file.urls and (online or len(missing) == 1):
            try:
                fetch(file, folder, group, limits=limits)
                problem = ""
            except DownloadError as error:
                raise DownloadError(f"Kaggle: {problem}. {error}") from error
        if problem:
            names = [file.name for file in missing if not (folder / file.name).exists()]
            raise DownloadError(
                f"{' and '.join(names)} could not be downloaded: {problem}. "
                f"{manual_route(group, names)}"
            )
        paths.append(folder / file.name)
    return paths


def _from_kaggle(
    file: RemoteFile, folder: Path, group: Group, download: Callable[..., str] | None
) -> str:
    """Get one file through kagglehub; return what went wrong, "" if nothing did."""
    try:
        if download is None:
            from kagglehub import dataset_download as download
        with _one_at_a_time(folder):
            if not (folder / file.name).exists():  # another process may have been quicker
                path = Path(download(group.handle, path=file.name))
                refuse_html(path)
                _place(path, folder / file.name)
    except DataError:
        return "a web page came instead of the file"
    except Exception as error:  # kagglehub lets through errors of several libraries
        return f"{type(error).__name__}: {error}"
    return ""


def _place(path: Path, target: Path) -> None:
    """Copy a file so that its name stands for the whole file or for nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as copy, path.open("rb") as original:
            shutil.copyfileobj(original, copy)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
