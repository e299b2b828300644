"""What it costs to leave the images on disk: memory and seconds of an epoch's batches.

    HAM10000_DIR=/path/to/photographs python -m tools.measure.streaming

For each size the photographs are written into one file (up to 1.5 GB), and two processes go through
the batches of one epoch, as appendix A1 does: one reads the whole file first, the other the rows of
each batch when they are asked for. The appendix shows the results, ``models/streaming.json``.
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.measure import harness
from tools.measure.harness import measured, peak_memory

SIZES = (64, 128, 224)  # pixels


def describe(*, folder: str) -> dict:
    """Load the table once and leave ids and labels in the folder."""
    import numpy as np

    from utils.data import load_ham10000
    from utils.training import BEST

    dataset = load_ham10000()
    ids = dataset.metadata["image_id"].to_numpy(dtype=str)
    np.savez(f"{folder}/table.npz", ids=ids, labels=dataset.labels)
    data = {"source": dataset.source, "images": len(ids)}
    return {"data": data, "batch_size": BEST.batch_size, "sizes": []}


def write(*, folder: str, photographs: str, size: int) -> dict:
    """Write the images of one size into a file, as A1 does."""
    import numpy as np

    from tools.book.chapter_code import definitions
    from utils.data.photographs import Photographs

    a1, path = definitions("A1"), Path(folder) / f"{size}.npy"
    ids = np.load(f"{folder}/table.npz")["ids"].tolist()
    with measured() as result, Photographs(Path(photographs)) as reader:
        images = (reader.read(image_id, size) for image_id in ids)
        a1.write_images(path, images, (len(ids), size, size, 3))
    return result | {"file_mb": path.stat().st_size / 1e6}


def go_through(*, folder: str, size: int = 0, way: str = "") -> dict:
    """Go through the batches of one epoch of the course's recipe, or, without a size, do not."""
    import numpy as np
    import pandas as pd

    from tools.book.chapter_code import definitions
    from utils.data import LesionImages
    from utils.training import BEST, Rows

    a1, path, digest = definitions("A1"), Path(folder) / f"{size}.npy", hashlib.sha256()
    if not size:
        return {"peak_mb": peak_memory()}
    labels = np.load(f"{folder}/table.npz")["labels"]
    with measured() as result:
        images = a1.ImagesOnDisk(path) if way == "streamed" else np.load(path)
        dataset = LesionImages(images, labels, pd.DataFrame(index=range(len(labels))), "", "")
        batches = Rows(dataset, np.arange(len(labels)), BEST, seed=0)
        for number in range(len(batches)):
            digest.update(batches[number][0].tobytes())
    return result | {"batches": digest.hexdigest()}


def measure(*, sizes: tuple[int, ...] = SIZES, apart=harness.apart) -> Iterator[dict]:
    """Measure all sizes, each step in a process of its own, and yield the results."""
    from tools.book.course import real_data

    photographs = real_data()
    if not photographs:
        raise harness.MeasureError(
            "The photographs are needed: name their folder in HAM10000_DIR (data/README.md says "
            "where they come from)."
        )
    with tempfile.TemporaryDirectory(prefix="stream-") as folder:
        results = apart("streaming.describe", folder=folder)
        results["nothing"] = apart("streaming.go_through", folder=folder)
        for size in sizes:
            settings = {"folder": folder, "size": size}
            ways = {"written": apart("streaming.write", photographs=photographs, **settings)}
            for way in ("memory", "streamed"):
                ways[way] = apart("streaming.go_through", way=way, **settings)
            if ways["memory"].pop("batches") != ways["streamed"].pop("batches"):
                raise harness.MeasureError(f"At {size} pixels the streamed batches are others.")
            results["sizes"].append({"size": size} | ways)
            Path(folder, f"{size}.npy").unlink()
    yield harness.occasion() | results


if __name__ == "__main__":
    sys.exit(harness.command("streaming", measure))
