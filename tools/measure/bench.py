"""`make bench`: how long things take and what they hold in memory, in one run on one machine.

Computers are noisy: compare the numbers of one run with each other, as the ratios of its table do,
and not with another run's. ``--page`` measures nothing and writes the page from what is stored.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.measure import harness
from tools.measure.harness import PHANTOM, measured, peak_memory

PAGE = harness.ROOT / "how-long-things-take.md"
COLUMNS = ["what", "seconds", "peak memory (MB)", "balanced accuracy", "macro AUC", "as a ratio"]
KEYS = ("seconds", "peak_mb")
ORIGINAL, COURSE = "networks.original", "networks.course"
ONCE = {"epochs": 1, "judge": False}
# What only has to reach the original's quality takes smaller batches and larger steps, and a
# running mean that does not reach back to the untrained network; found on the validation part.
SHORT = {"epochs": 2, "batch_size": 64, "learning_rate": 3e-3, "average": 0.97}
# What the page says, the measurement, what it is compared with, the function and its settings.
# What is compared stands side by side, so that a change of the machine's pace touches both.
ROWS = (
    ("Original procedure, pandas way, {epochs} epochs", "original", "", ORIGINAL, {"epochs": 50}),
    ("The course's recipe, {epochs} epochs", "recipe", "original", COURSE, {}),
    (
        "The recipe cut to {epochs} epochs: the original's quality {reached}",
        *("short", "original", COURSE, SHORT),
    ),
    ("Load, oversample, train 1 epoch: pandas way", "original epoch", "", ORIGINAL, ONCE),
    ("The same the course's way", "course epoch", "original epoch", COURSE, ONCE),
    ("Python and Keras started, nothing done", "nothing", "", "bench.nothing", {}),
    ("Read the Kaggle CSV with pandas", "csv pandas", "", "bench.read_csv", {}),
    ("`load_ham10000`, no cache: {source}", "cold", "csv pandas", "bench.load", {}),
    ("`load_ham10000`, from its cache", "warm", "csv pandas", "bench.load", {}),
)


def measure(*, apart=harness.apart) -> None:
    """Measure everything, and store the results."""
    start, results, env = time.perf_counter(), {}, None
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data = apart("bench.prepare", env=env, folder=folder)
        if data["phantom"]:  # the measurements need not try a download each
            env = PHANTOM
        for _, key, _, task, settings in ROWS:
            print(f"[{time.strftime('%H:%M:%S')}] {key}", flush=True)
            results[key] = apart(task, env=env, folder=folder, **settings)
    versions, seconds = results["nothing"].pop("versions"), round(time.perf_counter() - start, 1)
    facts = {"versions": versions, "data": data, "seconds": seconds, "measured": results}
    harness.store("bench", harness.occasion() | facts)


# --- Reading: each function imports what it needs, so that the memory it holds is its own --------


def prepare(*, folder: str) -> dict:
    """Write what the measurements read, and fill the cache; return what the data are."""
    import numpy as np
    import pandas as pd

    from utils import data
    from utils.splits import lesion_split

    dataset, place = data.load_ham10000(), Path(folder)
    images, labels, split = dataset.images, dataset.labels, lesion_split(dataset)
    table = pd.DataFrame(images.reshape(len(labels), -1)).rename(columns="pixel{:04d}".format)
    table.assign(label=labels).to_csv(place / "images.csv", index=False)  # in the form of Kaggle's
    learn = np.sort(np.concatenate([split.train, split.validation]))
    np.savez(place / "parts.npz", learn=learn, test=split.test)
    return {"source": dataset.source, "phantom": dataset.is_phantom, "images": len(labels)}


def nothing(**_: str) -> dict:
    """Start Python and Keras with its backend, and do nothing: what every training holds."""
    from utils import training  # noqa: F401
    from utils.weights import versions

    return {"peak_mb": peak_memory(), "versions": versions()}


def read_csv(*, folder: str) -> dict:
    """Read the Kaggle CSV with pandas."""
    import numpy as np
    import pandas as pd

    with measured() as result:
        table = pd.read_csv(f"{folder}/images.csv")
        images = np.array(table.drop(columns="label")).reshape(-1, 28, 28, 3)
    return result | {"images": len(images)}


def load(*, folder: str) -> dict:
    """Call `load_ham10000` with a cache of its own, which is empty the first time."""
    from utils import data

    data.CACHE_DIR = Path(folder, "cache")
    with measured() as result:
        dataset = data.load_ham10000()
    return result | {"images": len(dataset.labels)}


# --- The page ------------------------------------------------------------------------------------


def lines(results: dict) -> Iterator[list[str]]:
    """Yield the rows of the table, one string for each of `COLUMNS`."""
    measured, data, key = results["measured"], results["data"], "balanced accuracy"
    reached = measured["short"]["validation"][key] >= measured["original"]["test"][key]
    facts = {"source": "the phantom" if data["phantom"] else data["source"]}
    facts["reached"] = "reached" if reached else "not reached"
    for text, name, other, *_ in ROWS:
        result, first = measured[name], measured.get(other)
        row = [text.format_map(facts | result)]
        row += [_number(result[key]) if key in result else "" for key in KEYS]
        row += [f"{result['test'][key]:.3f}" if "test" in result else "" for key in COLUMNS[3:5]]
        times = [_number(result[key] / first[key]) for key in KEYS if first]
        yield [*row, "time × {}, memory × {}".format(*times) if first else ""]


def _number(value: float) -> str:
    """Write a number with two or three digits that count."""
    if value < 0.095:
        return f"{value:.2g}"
    return f"{value:,.{0 if value >= 99.5 else 1 if value >= 9.95 else 2}f}"


def section(results: dict) -> str:
    """Return what the page shows."""
    computer, versions, data = results["machine"], results["versions"], results["data"]
    backend = versions["backend"]
    remarks = (
        f"Measured on {results['date']} in one run of {results['seconds'] / 60:.0f} minutes on "
        f"{computer['cpu']}, {computer['cores']} cores, {computer['memory_gb']:.0f} GB of memory "
        f"({computer['system']}), with Python {versions['python']}, Keras {versions['keras']} and "
        f"{harness.BACKENDS[backend]} {versions[backend]}.\n"
        f"Data: {data['source']}, {data['images']:,} images."
    )
    table = harness.markdown(list(lines(results)), COLUMNS, numbers=range(1, 5))
    return f"{remarks}\n\n{table}"


if __name__ == "__main__":
    harness.command("bench", measure, section, page=PAGE)
