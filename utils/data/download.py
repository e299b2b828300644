"""Download the data files: checked, whole or not at all, with the manual route in every error."""

import logging
import threading
from pathlib import Path

from utils.data import records
from utils.files import own_file, read_json, replace_file
from utils.start import on_colab

__all__: list[str] = []

REGISTRY = Path(__file__).resolve().parents[2] / "data" / "registry.json"
# Seconds to wait: for a first answer, for a connection, and between two pieces of data.
ANSWER, CONNECT, READ = 4.0, 5.0, 30.0
HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; reading-skin-course)"}  # some want a browser
ON_COLAB = (
    " On Colab, upload the files with the folder symbol on the left, or, so that they are still "
    "there tomorrow, put them into a folder ham10000 of your Google Drive and run, before the "
    "set-up cell: from google.colab import drive; drive.mount('/content/drive')"
)


class DownloadError(RuntimeError):
    """A file could not be downloaded; the message spells how to get it by hand."""


def registry(path: Path = REGISTRY) -> dict[str, dict]:
    """Return the groups of files that can be downloaded, as `data/registry.json` lists them."""
    with own_file(path):
        return read_json(path)["groups"]


def manual_route(group: dict, names: list[str]) -> str:
    """Return in words how to get files by hand: from where, into which folder, what next."""
    loader = "load_external" if names[0].startswith("ISIC2018") else "load_ham10000"
    return (
        f"By hand: open {group['page']} in a browser, download {' and '.join(names)} (unpack a CSV "
        "that comes in a zip, leave the zips of images packed), put what you got into the folder "
        f"data/raw of this repository under the same name, and call {loader}() again."
        + (ON_COLAB if on_colab() else "")
    )


def no_answer(url: str) -> str:
    """Say why a server does not answer within `ANSWER` seconds, name look-up included, or ""."""
    why = ["nothing came"]

    def ask() -> None:
        import requests

        try:
            requests.head(url, timeout=ANSWER, headers=HEADERS, allow_redirects=False)
            why.append("")
        except Exception as error:  # its last part tells the cause: a proxy, a certificate, a name
            why.append(f"{type(error).__name__}: {str(error).rpartition('Caused by ')[2]}"[:200])

    # A look-up of names has no time limit of its own; a daemon thread can be left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER)
    return why[-1]


def fetch(file: dict, folder: Path, group: dict) -> Path:
    """Download one file, whole or not at all, unless it is there: from Kaggle, then its urls."""
    from filelock import FileLock

    route, target = manual_route(group, [file["name"]]), folder / file["name"]
    if target.exists():
        if _is_published(target, file):
            return target
        raise DownloadError(
            f"{target} is there but is not the published file (checksum or length differ; it has "
            f"{target.stat().st_size:,} bytes). Move it away and call again. {route}"
        )
    problems = []
    for address in [*([group["page"]] if group["handle"] else []), *file["urls"]]:
        if why := no_answer(address):
            problems.append(f"{address}: no answer within {ANSWER:g} s (no network?), {why}")
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # In a classroom thirty kernels start over one folder in the same minute: one of them
            # downloads, the others wait for what it brings.
            with FileLock(folder / ".download.lock"):
                for broken_off in filter(Path.is_file, folder.glob(f"tmp{'[a-z0-9_]' * 8}")):
                    broken_off.unlink()
                if not target.exists():
                    if address == group["page"]:
                        _from_kaggle(group["handle"], target)
                    else:
                        _from_url(address, file["hash"], target)
                    target.chmod(0o644)  # pooch leaves it to its owner; a classroom shares it
            return target
        except records.DataError:
            problems.append(f"{address}: a web page came instead of the file")
        except Exception as error:  # kagglehub lets through errors of several libraries
            problems.append(f"{address}: {type(error).__name__}: {str(error)[:200]}")
    raise DownloadError(f"{file['name']} could not be downloaded. {'; '.join(problems)}. {route}")


def _from_kaggle(handle: str, target: Path) -> None:
    import kagglehub

    path = Path(kagglehub.dataset_download(handle, path=target.name))
    records.refuse_html(path)
    replace_file(target, path.read_bytes())


def _from_url(url: str, known_hash: str | None, target: Path) -> None:
    # Not pooch's DOI downloader: its wait is not bounded by ours, and for Dataverse's metadata it
    # fetches the ingested .tab, not the published CSV. Its retry asks the same address again.
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # its notes would print the folder's full path
    patience = {"timeout": (CONNECT, READ), "chunk_size": 2**18}
    get = pooch.HTTPDownloader(progressbar=True, headers=HEADERS, **patience)

    def downloader(url: str, output: str, keeper: object) -> None:
        get(url, output, keeper)
        records.refuse_html(Path(output))

    pooch.retrieve(url, known_hash, target.name, target.parent, downloader=downloader)


def _is_published(target: Path, file: dict) -> bool:
    """Say whether a file that stands there is the one of the registry."""
    import pooch

    # It got its name after its hash was right, so for the big ones the length is enough.
    if file["bytes"] is not None:
        return target.stat().st_size == file["bytes"]
    algorithm, _, value = (file["hash"] or "").partition(":")
    return not value or pooch.file_hash(str(target), alg=algorithm) == value


def fetch_source(name: str, folder: Path, size: int = 28, group: dict | None = None) -> list[Path]:
    """Download what is missing of a group of `registry`: "kaggle", "dataverse", "external"."""
    if name == "kaggle":
        records.require_28(size, "the Kaggle CSV, which 'auto' downloads,")
    group = group or registry()[name]
    files = group["files"]
    if records.find_table(folder):
        files = [file for file in files if "metadata" not in file["name"]]
    missing = [file for file in files if not (folder / file["name"]).exists()]
    if any(not file["urls"] for file in missing) and (why := no_answer(group["page"])):
        names = [file["name"] for file in missing]
        what = f"could not be downloaded: no answer from {group['page']} (no network?). {why}."
        raise DownloadError(f"{' and '.join(names)} {what} {manual_route(group, names)}")
    # The metadata first: images without lesion ids would not be of much use.
    files.sort(key=lambda file: "metadata" not in file["name"])
    return [fetch(file, folder, group) for file in files]
