"""Seconds per epoch on this device, one row for each backend that is installed here.

    python -m tools.measure.devices                all backends that can be imported
    python -m tools.measure.devices --backends jax torch
    python -m tools.measure.devices --page         measure nothing, write the page from what is stored

Trains one epoch of the course's recipe, augmentation included, and another one on the same batch
again and again: what that one saves is the time spent on getting batches. On a GPU the quotient
should be 0.8 or more, or the card waits for its input.

The same is done with a network that has next to nothing to compute. That stands for the fastest
card there can be: what is left of a step is what Keras itself does in it. While its quotient is 0.8
or more, no card waits for batches.

Rows go into ``models/devices.json``, one for each device and backend, newer ones in place of older
ones, and from there into the page *How long things take*. No row is there that was not measured.
"""

import argparse
import datetime
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tools.book.course import ROOT, environment
from utils.files import replace_file, write_json

RESULTS = ROOT / "models" / "devices.json"
PAGE = ROOT / "how-long-things-take.md"
BACKENDS = ("tensorflow", "torch", "jax")
NAMES = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
PAIRS, IDLE_PAIRS = 4, 25  # short epochs are noisy, so many of them
START, END = "<!-- what devices measured: start -->", "<!-- what devices measured: end -->"
COLUMNS = (
    "device",
    "backend",
    "batch",
    "seconds per epoch",
    "minutes for 50 epochs",
    "same batch again, as a ratio",
    "the same, nothing to compute",
    "measured",
)


def timed_pairs(model, batches, *, pairs: int) -> tuple[list[float], list[float]]:
    """Train on real batches and on one and the same batch, an epoch each in turn.

    Parameters
    ----------
    model : keras.Model
        Compiled. Its first two epochs are not counted: the step is compiled there, under JAX
        once more in the second.
    batches : keras.utils.PyDataset
    pairs : int
        So many pairs of epochs.

    Returns
    -------
    (list of float, list of float)
        Seconds of each epoch of real batches, and of each that gets the same batch every time.
        Compare the shortest ones: other programs only make an epoch longer.
    """
    import keras

    class Turns(keras.utils.PyDataset):
        """The real batches, or one and the same while it is `kept`."""

        kept = None

        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, number: int):
            return batches[number] if self.kept is None else self.kept

        def on_epoch_end(self) -> None:
            batches.on_epoch_end()

    class Clock(keras.callbacks.Callback):
        """Changes between the two, and notes how long each epoch takes.

        The change is made here, because Keras calls a data set's `on_epoch_end` once more
        before the first epoch.
        """

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            turns.kept = batches[0] if epoch % 2 else None
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            seconds.append(time.perf_counter() - self.start)

    turns = Turns()
    seconds: list[float] = []
    model.fit(turns, epochs=2 + 2 * pairs, callbacks=[Clock()], verbose=0, shuffle=False)
    return seconds[2::2], seconds[3::2]


def measure(rows: int | None = None) -> dict:
    """Measure the backend of this process on the device it chooses.

    Parameters
    ----------
    rows : int or None
        Train on so many rows of the training part; None takes all.

    Returns
    -------
    dict
        ``device``, ``backend``, ``version``, ``batch``, ``rows``, ``seconds`` (an epoch, the
        median), ``ratio`` (the shortest epoch of one and the same batch over the shortest real
        one), ``idle_seconds`` and ``idle_ratio`` (the same two for a network with next to
        nothing to compute), ``batches_seconds`` (all batches of an epoch, and no network),
        ``data`` and ``date``.
    """
    import keras

    from utils.classes import CLASSES
    from utils.data import load_ham10000
    from utils.models import BUILDERS
    from utils.splits import lesion_split
    from utils.training import BEST, Rows, compiled
    from utils.weights import device_name, versions

    dataset = load_ham10000()
    chosen = lesion_split(dataset).train[:rows]
    batches = Rows(dataset, chosen, BEST, seed=1)
    start = time.perf_counter()
    for number in range(len(batches)):
        batches[number]
    alone = time.perf_counter() - start
    network = BUILDERS[BEST.network]()
    idle = keras.Sequential(
        [
            keras.Input(network.input_shape[1:]),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(len(CLASSES), activation="softmax"),
        ]
    )
    idle.compile(optimizer="sgd", loss="categorical_crossentropy")
    idle_real, idle_same = timed_pairs(idle, batches, pairs=IDLE_PAIRS)
    model = compiled(network, BEST, steps=(2 + 2 * PAIRS) * len(batches))
    real, same = timed_pairs(model, batches, pairs=PAIRS)
    backend = keras.backend.backend()
    return {
        "device": device_name(),
        "backend": backend,
        "version": versions()[backend],
        "batch": BEST.batch_size,
        "rows": len(chosen),
        "seconds": round(statistics.median(real), 2),
        "ratio": round(min(same) / min(real), 2),
        "idle_seconds": round(statistics.median(idle_real), 3),
        "idle_ratio": round(min(idle_same) / min(idle_real), 2),
        "batches_seconds": round(alone, 4),
        "data": dataset.source,
        "date": datetime.date.today().isoformat(),
    }


def measure_apart(backend: str, *, rows: int | None = None) -> dict:
    """Run `measure` in a process of its own, because Keras takes its backend at import.

    Raises
    ------
    RuntimeError
        If it does not come to its end; the message holds the end of what it said.
    """
    code = f"import json; from tools.measure.devices import measure; print('@@' + json.dumps(measure({rows})))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment() | {"KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    _, found, answer = done.stdout.rpartition("@@")
    if done.returncode or not found:
        raise RuntimeError(f"{NAMES[backend]} stopped:\n{done.stdout[-1500:]}")
    return json.loads(answer)


def merged(stored: list[dict], fresh: list[dict]) -> list[dict]:
    """Put fresh rows in place of stored ones of the same device and backend; sort them."""
    rows = {(row["device"], row["backend"]): row for row in [*stored, *fresh]}
    return [rows[key] for key in sorted(rows)]


def table(rows: list[dict]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---:|---:|---:|---:|---:|---|"]
    lines += [
        f"| {row['device']} | {NAMES[row['backend']]} {row['version']} | {row['batch']} "
        f"| {row['seconds']:.1f} | {row['seconds'] * 50 / 60:.1f} | {row['ratio']:.2f} "
        f"| {row['idle_ratio']:.2f} | {row['date']} |"
        for row in rows
    ]
    return "\n".join(lines)


def with_table(page: str, rows: list[dict]) -> str:
    """Return the page with the table of `rows` between its two marks.

    Raises
    ------
    ValueError
        If the page lacks the marks.
    """
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"{PAGE.name} lacks the two marks {START} and {END}")
    made = f"{START}\n{table(rows)}\n\n{END}"
    return pattern.sub(lambda _: made, page)


def read_rows(path: Path = RESULTS) -> list[dict]:
    """Return the stored rows; none where nothing was measured yet."""
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []


def main(arguments: list[str] | None = None) -> int:
    """Measure, store, write the page; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure.devices", description=__doc__)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page")
    chosen = parser.parse_args(arguments)
    fresh, status = [], 0
    for backend in () if chosen.page else chosen.backends:
        if importlib.util.find_spec(backend) is None:
            print(f"{NAMES[backend]} is not installed here: no row.", flush=True)
            continue
        print(f"Measuring {NAMES[backend]} …", flush=True)
        try:
            fresh.append(measure_apart(backend))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            status = 1
            continue
        row = fresh[-1]
        print(f"    {row['device']}: {row['seconds']} s an epoch, ratio {row['ratio']}", flush=True)
    rows = merged(read_rows(), fresh)
    if fresh:
        write_json(RESULTS, {"rows": rows})
    replace_file(PAGE, with_table(PAGE.read_text(encoding="utf-8"), rows))
    return status


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
