"""`make bench`: how long things take and what they hold in memory, in one run on one machine.

Computers are noisy: compare the numbers of one run with each other, as the ratios of the page's
table do, and not with another run's.
"""

import tempfile
import time
from pathlib import Path

from tools.measure import harness
from tools.measure.harness import measured, peak_memory

ORIGINAL, COURSE = "networks.original", "networks.course"
ONCE = {"epochs": 1, "judge": False}
# What only has to reach the original's quality takes smaller batches and larger steps, and a
# running mean that does not reach back to the untrained network; found on the validation part.
SHORT = {"epochs": 2, "batch_size": 64, "learning_rate": 3e-3, "average": 0.97}
# The measurement, the function and its settings. What the page compares stands side by side, so
# that a change of the machine's pace touches both.
ROWS = (
    ("original", ORIGINAL, {"epochs": 50}), ("recipe", COURSE, {}), ("short", COURSE, SHORT),
    ("original epoch", ORIGINAL, ONCE), ("course epoch", COURSE, ONCE),
    ("nothing", "bench.nothing", {}), ("csv pandas", "bench.read_csv", {}),
    ("cold", "bench.load", {}), ("warm", "bench.load", {}),
)  # fmt: skip


def measure(*, apart=harness.apart) -> None:
    """Measure everything, and store the results."""
    start, results, env = time.perf_counter(), {}, None
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data = apart("networks.prepare", env=env, folder=folder)
        if data["phantom"]:  # the measurements need not try a download each
            env = {"HAM10000_DIR": "phantom"}
        for key, task, settings in ROWS:
            print(f"[{time.strftime('%H:%M:%S')}] {key}", flush=True)
            results[key] = apart(task, env=env, folder=folder, **settings)
    versions, seconds = results["nothing"].pop("versions"), round(time.perf_counter() - start, 1)
    facts = {"versions": versions, "data": data, "seconds": seconds, "measured": results}
    harness.store("bench", harness.occasion() | facts)


# Each function imports what it needs, so that the memory it holds is its own.


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


if __name__ == "__main__":
    harness.command(measure)
