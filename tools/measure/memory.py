"""The most memory held: by each chapter, and by an epoch's batches when images stay on disk.

    python -m tools.measure.memory [03 06] [--page]   (the latter measures nothing)
    python -m tools.measure.memory --streaming        (needs the photographs)

The first writes ``models/peak_memory.json`` and the page *A classroom's server*, from runs in full
on the best data there is; the numbers of other chapters stay. The second writes
``models/streaming.json``, which appendix A1 shows (and needs up to 1.5 GB of disk).
"""

import contextlib
import hashlib
import tempfile
import threading
from pathlib import Path

from tools.measure import harness
from tools.measure.harness import measured, peak_memory


def measure(*words: str) -> None:
    """Store the numbers of the chapters whose names begin so (none: all), or of the streaming."""
    from tools.book.course import TRAINS, chapters

    if "--streaming" in words:
        return harness.store("streaming", streamed())
    results, listed = harness.stored("peak_memory")["chapters"], chapters()
    for path in (path for path in listed if path.name.startswith(words or "")):
        # More epochs take time and no more memory.
        fewer = {"EPOCHS": 2} if path.name.startswith(TRAINS) else {}
        results[path.stem] = harness.apart("memory.run", chapter=str(path), **fewer)
        numbers = {p.stem: results[p.stem] for p in listed if p.stem in results}
        harness.store("peak_memory", harness.occasion() | {"chapters": numbers})


def run(*, chapter: str, **parameters: int) -> dict:
    """Run a chapter; return its time, the most that all its processes held together, its data."""
    import nbformat
    import psutil

    from tools.book.course import data_of, execute

    largest, end = 0.0, threading.Event()

    def watch() -> None:
        nonlocal largest
        while not end.wait(0.05):
            with contextlib.suppress(psutil.Error):  # one has ended meanwhile
                held = [p.memory_info().rss for p in psutil.Process().children(recursive=True)]
                largest = max(largest, sum(held) / 1e6)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "executed.ipynb"
        seconds = execute(Path(chapter), copy, parameters=parameters)
        data = data_of(nbformat.read(copy, as_version=4)) or ""
    end.set()
    thread.join()
    return {"seconds": round(seconds, 1), "peak_mb": round(largest), "data": data}


def streamed(*, sizes: tuple[int, ...] = (64, 128, 224), apart=harness.apart) -> dict:
    """Measure all sizes (pixels), each step in a process of its own."""
    results = harness.occasion() | {"nothing": apart("memory.batches"), "sizes": []}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="stream-") as folder:
            results["data"] = apart("memory.write", folder=folder, size=size)
            whole = apart("memory.batches", folder=folder, way="memory")
            rows = apart("memory.batches", folder=folder, way="streamed")
        if whole.pop("batches") != rows.pop("batches"):
            raise SystemExit(f"At {size} pixels the streamed batches are others.")
        results["sizes"].append({"size": size, "memory": whole, "streamed": rows})
    return results


def write(*, folder: str, size: int) -> dict:
    """Write images of a size, and their labels, as the two ways of reading take them."""
    import numpy as np

    from utils.data import load_ham10000

    dataset = load_ham10000(size)
    np.save(f"{folder}/labels.npy", dataset.labels)
    np.save(f"{folder}/images.npy", dataset.images)
    return {"source": dataset.source, "images": len(dataset.labels)}


def batches(*, folder: str = "", way: str = "") -> dict:
    """Go through the batches of one epoch of the course's recipe, or, without a folder, do not."""
    import numpy as np
    import pandas as pd

    from tools.book.course import definitions
    from utils.data import LesionImages
    from utils.training import BEST, Rows

    on_disk, digest = definitions("A1").ImagesOnDisk, hashlib.sha256()
    if not folder:
        return {"peak_mb": peak_memory()}
    labels, path = np.load(f"{folder}/labels.npy"), Path(folder, "images.npy")
    with measured() as result:
        images = on_disk(path) if way == "streamed" else np.load(path)
        dataset = LesionImages(images, labels, pd.DataFrame(index=range(len(labels))), "", "")
        rows = Rows(dataset, np.arange(len(labels)), BEST, seed=0)
        for number in range(len(rows)):
            digest.update(rows[number][0].tobytes())
    return result | {"batches": digest.hexdigest()}


if __name__ == "__main__":
    harness.command(measure)
