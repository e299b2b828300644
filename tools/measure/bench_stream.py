"""What it costs to leave the images on disk: memory and seconds of an epoch's batches.

    HAM10000_DIR=/path/to/zips python -m tools.measure.bench_stream [--sizes 64 128 224]

For each size the images are written from the zips into one file in a temporary folder (up to
1.5 GB at 224 pixels), and two processes go through the batches of one epoch: one reads the whole
file first, the other reads the rows of each batch when they are asked for. Nothing is trained.
The results go into ``models/streaming.json``, which appendix A1 shows.
"""

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.book.course import ROOT, environment
from tools.measure.bench_machine import machine, peak_memory
from utils.files import write_json

RESULTS = ROOT / "models" / "streaming.json"
SIZES = (64, 128, 224)
BATCH = 128


class StreamError(RuntimeError):
    """A measurement did not come to its end, or the two ways gave different batches."""


def measure(*, sizes: tuple[int, ...] = SIZES, rows: int | None = None) -> dict:
    """Measure all sizes, each step in a process of its own; nothing is stored.

    Parameters
    ----------
    sizes : tuple of int
        Height and width in pixels.
    rows : int or None
        Take only so many images; None takes all.

    Returns
    -------
    dict
        ``date``, ``machine``, ``data`` (source, images), ``batch_size``, ``nothing`` (peak memory
        with everything imported and no image read) and ``sizes``: for each the ``file_mb``, what
        writing it took, and ``memory`` and ``streamed`` with ``seconds`` and ``peak_mb``.

    Raises
    ------
    StreamError
        If there are no zips, a process fails, or the batches differ.
    """
    folder = environment().get("HAM10000_DIR", "")
    if not list(Path(folder or ".").glob("*.zip")):
        raise StreamError(
            "The photographs are needed: name the folder with the official zips in HAM10000_DIR "
            "(data/README.md says where they come from)."
        )
    with tempfile.TemporaryDirectory(prefix="stream-") as place:
        given = {"folder": place, "rows": rows}
        table = _in_own_process("describe", given)
        found = [_one_size(size, given) for size in sizes]
        nothing = _in_own_process("go_through", given | {"way": "nothing", "size": 0})
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "data": table,
        "batch_size": BATCH,
        "nothing": {"peak_mb": nothing["peak_mb"]},
        "sizes": found,
    }


def _one_size(size: int, given: dict) -> dict:
    settings = given | {"size": size}
    written = _in_own_process("write", settings)
    memory, streamed = (
        _in_own_process("go_through", settings | {"way": way}) for way in ("memory", "streamed")
    )
    if memory.pop("batches") != streamed.pop("batches"):
        raise StreamError(f"At {size} pixels the streamed batches differ from those in memory.")
    (Path(given["folder"]) / f"{size}.npy").unlink()
    print(
        f"{size} pixels: {written['file_mb']:,.0f} MB on disk; in memory {memory['peak_mb']:,.0f} "
        f"MB, streamed {streamed['peak_mb']:,.0f} MB",
        flush=True,
    )
    return {"size": size, "written": written, "memory": memory, "streamed": streamed}


def _in_own_process(step: str, settings: dict) -> dict:
    """Run one of `STEPS` in a process of its own and return its answer."""
    command = [
        sys.executable,
        "-m",
        "tools.measure.bench_stream",
        "--step",
        step,
        json.dumps(settings),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, encoding="utf-8"
    )
    before, mark, answer = done.stdout.rpartition("@@")
    if done.returncode or not mark:
        raise StreamError(f"the step {step!r} with {settings} failed; its message stands above")
    return json.loads(answer)


# --- The steps: each runs in a process of its own, and what it imports it imports there. ---------


def describe(*, folder: str, rows: int | None) -> dict:
    """Load the table once and leave ids and labels in `folder`."""
    import numpy as np

    from utils.data import load_ham10000

    dataset = load_ham10000()
    ids = dataset.metadata["image_id"].to_numpy(dtype=str)[:rows]
    np.savez(Path(folder) / "table.npz", ids=ids, labels=dataset.labels[:rows])
    return {"source": dataset.source, "images": len(ids)}


def write(*, folder: str, rows: int | None, size: int) -> dict:
    """Write the images of one size from the zips into a file."""
    import numpy as np

    from utils.scaling import write_images

    ids = np.load(Path(folder) / "table.npz")["ids"].tolist()
    path, start = Path(folder) / f"{size}.npy", time.perf_counter()
    write_images(path, Path(os.environ["HAM10000_DIR"]), ids, size=size)
    return {
        "file_mb": path.stat().st_size / 1e6,
        "seconds": time.perf_counter() - start,
        "peak_mb": peak_memory(),
    }


def go_through(*, folder: str, rows: int | None, size: int, way: str) -> dict:
    """Go through the batches of one epoch of the course's recipe."""
    import numpy as np
    import pandas as pd

    from utils.data import LesionImages
    from utils.scaling import ImagesOnDisk
    from utils.training import BEST, Rows

    if way == "nothing":
        return {"peak_mb": peak_memory()}
    path, start = Path(folder) / f"{size}.npy", time.perf_counter()
    labels = np.load(Path(folder) / "table.npz")["labels"]
    images = ImagesOnDisk(path) if way == "streamed" else np.load(path)
    dataset = LesionImages(images, labels, pd.DataFrame(index=range(len(labels))), "", "")
    batches, sum_ = Rows(dataset, np.arange(len(labels)), BEST, seed=0), hashlib.sha256()
    if BEST.batch_size != BATCH:
        raise StreamError(f"the recipe takes batches of {BEST.batch_size}; set BATCH to that")
    for number in range(len(batches)):
        sum_.update(batches[number][0].tobytes())
    return {
        "seconds": time.perf_counter() - start,
        "peak_mb": peak_memory(),
        "batches": sum_.hexdigest(),
    }


STEPS = {step.__name__: step for step in (describe, write, go_through)}


def main(arguments: list[str] | None = None) -> int:
    """Measure and store, or do one step; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure.bench_stream", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pixels")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        name, settings = options.step
        print("@@" + json.dumps(STEPS[name](**json.loads(settings))), flush=True)
        return 0
    try:
        results = measure(sizes=tuple(options.sizes))
    except StreamError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    write_json(RESULTS, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
