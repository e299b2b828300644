"""`make bench`: how long things take and what they hold in memory, in one run on one machine.

Every measurement runs in a process of its own, one after the other. Computers are noisy: compare
the numbers of one run with each other, as the ratios of its table do, and not with another run's.
"""

import argparse
import datetime
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.book.course import ROOT, environment
from tools.measure import bench_page
from tools.measure.bench_machine import machine
from utils.files import write_json

QUICK_RESULTS = ROOT / "_build" / "bench-quick.json"


@dataclass(frozen=True)
class Plan:
    """How much is measured. The defaults are those of `make bench`.

    Attributes
    ----------
    rows : int or None
        Take only so many images; None takes all.
    original_epochs : int
        Passes of the original procedure.
    recipe, short : dict
        Fields of `utils.training.Recipe` that the two runs of the course's recipe change: the
        full one, and the one that only has to reach the original's quality. The short one takes
        smaller batches and larger steps, and a running mean that does not reach back to the
        untrained network; found on the validation part.
    factors : tuple of int
        Multiples of the phantom.
    size, steps : int
        Pixels along each side of the upscaled images, and batches timed there.
    calls : int
        Predictions of one image.
    """

    rows: int | None = None
    original_epochs: int = 50
    recipe: dict = field(default_factory=dict)
    short: dict = field(
        default_factory=lambda: {
            "epochs": 2,
            "batch_size": 64,
            "learning_rate": 3e-3,
            "average": 0.97,
        }
    )
    factors: tuple[int, ...] = (1, 2, 4)
    size: int = 64
    steps: int = 30
    calls: int = 50


QUICK = Plan(
    rows=700,
    original_epochs=1,
    recipe={"epochs": 1},
    short={"epochs": 1, "average": 0.5},
    factors=(1, 2),
    steps=2,
    calls=3,
)

Measure = Callable[[str, dict], dict]


class BenchError(RuntimeError):
    """A measurement did not come to its end; the message says which."""


def in_own_process(task: str, settings: dict) -> dict:
    """Run a function of `tools.measure.bench_tasks` in a process of its own and return its result.

    Raises
    ------
    BenchError
        If the process fails; its own message stands above.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [
            sys.executable,
            "-m",
            "tools.measure.bench_tasks",
            task,
            json.dumps(settings),
            str(file),
        ]
        status = subprocess.run(command, cwd=ROOT, env=environment()).returncode
        if status or not file.is_file():
            raise BenchError(
                f"the measurement {task!r} ended with status {status} before its result was "
                "written (137 or -9: the memory did not suffice). Nothing was stored."
            )
        return json.loads(file.read_text(encoding="utf-8"))


def bench(plan: Plan | None = None, *, measure: Measure = in_own_process) -> dict:
    """Measure everything and return the results; nothing is stored.

    Parameters
    ----------
    plan : Plan
        How much to measure.
    measure : function
        Takes the name of a function of `tools.measure.bench_tasks` and its settings, returns its result.

    Returns
    -------
    dict
        ``date``, ``machine``, ``versions``, ``data``, ``seconds`` and ``measured``, which holds a
        dict (or a list of them) of seconds, peak memory in MB and more for each measurement.
    """
    plan, start = plan or Plan(), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        prepared = _told(
            "the data, the Kaggle CSV, the phantom drawn several times",
            measure,
            "prepare",
            folder=folder,
            rows=plan.rows,
            factors=list(plan.factors),
            size=plan.size,
        )
        if prepared["phantom"]:  # the measurements need not try a download each
            os.environ["HAM10000_DIR"] = "phantom"
        measured = _measured(plan, measure, Path(folder), prepared["csv"])
    versions = measured["nothing"].pop("versions")
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": versions,
        "data": {key: prepared[key] for key in ("source", "phantom", "images")},
        "seconds": round(time.perf_counter() - start, 1),
        "measured": measured,
    }


def _measured(plan: Plan, measure: Measure, folder: Path, csv: str) -> dict:
    # Long and short runs of both ways stand side by side, so that a change of the machine's pace
    # during the run touches both.
    parts, rows, found = str(folder / "parts.npz"), plan.rows, {}

    def run(key, text, task, **settings):
        found[key] = _told(text, measure, task, **settings)

    run("nothing", "Python and Keras, nothing done", "nothing")
    run("csv pandas", "Kaggle CSV with pandas", "read_csv", csv=csv, engine=None)
    found["csv pyarrow"] = None
    if importlib.util.find_spec("pyarrow"):
        run("csv pyarrow", "Kaggle CSV with pyarrow", "read_csv", csv=csv, engine="pyarrow")
    else:
        print("[ – ] pyarrow is not installed: that way of reading is left out", flush=True)
    cache = str(folder / "cache")
    run("cold", "load_ham10000 without its cache", "load", cache=cache)
    run("warm", "load_ham10000 from its cache", "load", cache=cache)
    one = {"csv": csv, "parts": parts, "epochs": 1}
    run("original epoch", "one epoch, pandas way", "original", **one)
    run("course epoch", "one epoch, the course's way", "course", rows=rows, changes={"epochs": 1})
    for key in ("original epoch", "course epoch"):
        for part in ("validation", "test"):
            found[key].pop(part, None)  # one epoch says nothing about quality
    found["growth"] = [
        _told(
            f"one augmented epoch of × {factor}",
            measure,
            "epoch",
            file=str(folder / f"times-{factor}.npz"),
            steps=None,
        )
        | {"factor": factor}
        for factor in plan.factors
    ]
    found["pixels"] = [
        _per_step(
            _told(
                f"steps at {size} × {size} pixels",
                measure,
                "epoch",
                file=str(folder / f"pixels-{size}.npz"),
                steps=plan.steps,
            )
        )
        for size in (28, plan.size)
    ]
    run(
        "prediction",
        "single predictions",
        "predict",
        file=str(folder / "pixels-28.npz"),
        calls=plan.calls,
    )
    run("short", "the course's recipe, short", "course", rows=rows, changes=plan.short)
    run("recipe", "the course's recipe", "course", rows=rows, changes=plan.recipe)
    epochs = plan.original_epochs
    run("original", "the original procedure", "original", csv=csv, parts=parts, epochs=epochs)
    return found


def _per_step(found: dict) -> dict:
    return found | {"seconds": found["seconds"] / found["steps"]}


def _told(text: str, measure: Measure, task: str, **settings) -> dict:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)
    found = measure(task, settings)
    took = f"{found['seconds']:.3g} s" if "seconds" in found else "done"
    memory = f", {found['peak_mb']:,.0f} MB" if "peak_mb" in found else ""
    print(f"           {took}{memory}", flush=True)
    return found


def show(results: dict) -> str:
    """Return the results as a PrettyTable with the machine above, ready to print."""
    from utils.report import table

    title = f"How long things take ({bench_page.source(results)})"
    made = table(bench_page.lines(results), bench_page.COLUMNS, title=title)
    for column in bench_page.COLUMNS[1:-1]:
        made.align[column] = "r"
    return "\n".join([*bench_page.remarks(results), str(made)])


def main(arguments: list[str] | None = None) -> int:
    """Measure, store, write the page, print the table; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure.bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny, on the phantom, to see that it runs; leaves results and page alone",
    )
    parser.add_argument(
        "--page", action="store_true", help="measure nothing, write the page from the results"
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.page:
            bench_page.write_page(bench_page.read_results())
            return 0
        if chosen.quick:
            os.environ["HAM10000_DIR"] = "phantom"
        results = bench(QUICK if chosen.quick else Plan())
    except (BenchError, ValueError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    write_json(QUICK_RESULTS if chosen.quick else bench_page.RESULTS, results)
    if not chosen.quick:
        bench_page.write_page(results)
    print(show(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
