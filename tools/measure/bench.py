"""`make bench`: how long things take and what they hold in memory, in one run on one machine.

Computers are noisy: compare the numbers of one run with each other, as the ratios of its table do,
and not with another run's. ``--quick`` tries it out on the phantom and leaves results and page
alone; ``--page`` measures nothing and writes the page from what is stored.
"""

import importlib.util
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.measure import harness
from tools.measure.harness import measured, peak_memory

PAGE = harness.ROOT / "how-long-things-take.md"
PHANTOM = {"HAM10000_DIR": "phantom"}
COLUMNS = ["what", "seconds", "peak memory (MB)", "balanced accuracy", "macro AUC", "as a ratio"]
KEYS = ("seconds", "peak_mb")
ROWS = (  # what the page says, the measurement, and what it is compared with
    ("Original procedure, pandas way, {epochs} epochs", "original", ""),
    ("The course's recipe, {epochs} epochs", "recipe", "original"),
    ("The recipe cut to {epochs} epochs: the original's quality {reached}", "short", "original"),
    ("Load, oversample, train 1 epoch: pandas way", "original epoch", ""),
    ("The same the course's way", "course epoch", "original epoch"),
    ("Python and Keras started, nothing done", "nothing", ""),
    ("Read the Kaggle CSV with pandas", "csv pandas", ""),
    ("The same with pyarrow", "csv pyarrow", "csv pandas"),
    ("`load_ham10000`, no cache: {source}", "cold", "csv pandas"),
    ("`load_ham10000`, from its cache", "warm", "csv pandas"),
    # Of these there are several, compared with the first of them.
    ("One augmented epoch, {images:,} phantom images (× {factor}; read in {read} s)", "growth", ""),
    ("A step of {batch} images of {size} × {size} pixels", "pixels", ""),
    ("One image, averaged over its 8 symmetries", "prediction", ""),
)
# `recipe` and `short` are changes of the course's recipe: in full, and what only has to reach the
# original's quality. That takes smaller batches and larger steps, and a running mean that does not
# reach back to the untrained network; found on the validation part.
PLAN = {
    "original": 50,  # epochs
    "recipe": {},
    "short": {"epochs": 2, "batch_size": 64, "learning_rate": 3e-3, "average": 0.97},
    "factors": [1, 2, 4],  # multiples of the phantom
    "size": 64,  # pixels along each side of the enlarged images
    "steps": 30,  # batches timed there
    "calls": 50,  # predictions of one image
}
SMALL = {"original": 1, "recipe": {"epochs": 1}, "short": {"epochs": 1, "average": 0.5}}
QUICK = PLAN | SMALL | {"factors": [1, 2], "steps": 2, "calls": 3}


def bench(plan: dict, *, env: dict | None = None, apart=harness.apart) -> dict:
    """Measure everything and return the results; nothing is stored."""
    start, results = time.perf_counter(), {"csv pyarrow": None, "growth": [], "pixels": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sizes = {"factors": plan["factors"], "size": plan["size"]}
        data = apart("bench.prepare", env=env, folder=folder, **sizes)
        if data["phantom"]:  # the measurements need not try a download each
            env = PHANTOM
        for key, task, settings in measurements(plan, folder):
            print(f"[{time.strftime('%H:%M:%S')}] {key}", flush=True)
            result = apart(task, env=env, **settings)
            results[key] = [*results[key], result] if key in ("growth", "pixels") else result
    return harness.occasion() | {
        "versions": results["nothing"].pop("versions"),
        "data": data,
        "seconds": round(time.perf_counter() - start, 1),
        "measured": results,
    }


def measurements(plan: dict, folder: str) -> Iterator[tuple[str, str, dict]]:
    """Yield the key, the function and the settings of each measurement.

    What is compared stands side by side, so that a change of the machine's pace touches both.
    """
    csv, once = {"csv": f"{folder}/images.csv"}, {"epochs": 1}
    original, course = csv | {"parts": f"{folder}/parts.npz"}, "networks.course"
    yield "nothing", "bench.nothing", {}
    for engine in (None, "pyarrow"):
        if engine is None or importlib.util.find_spec(engine):
            yield f"csv {engine or 'pandas'}", "bench.read_csv", csv | {"engine": engine}
    for key in ("cold", "warm"):
        yield key, "bench.load", {"cache": f"{folder}/cache"}
    yield "original epoch", "networks.original", original | once | {"judge": False}
    yield "course epoch", course, {"changes": once, "judge": False}
    for factor in plan["factors"]:
        file = f"{folder}/times-{factor}.npz"
        yield "growth", "networks.epoch", {"file": file, "factor": factor}
    small, large = (f"{folder}/pixels-{size}.npz" for size in (28, plan["size"]))
    for file in (small, large):
        yield "pixels", "networks.epoch", {"file": file, "steps": plan["steps"]}
    yield "prediction", "networks.predict", {"file": small, "calls": plan["calls"]}
    yield "short", course, {"changes": plan["short"]}
    yield "recipe", course, {"changes": plan["recipe"]}
    yield "original", "networks.original", original | {"epochs": plan["original"]}


# --- Reading: each function imports what it needs, so that the memory it holds is its own --------


def prepare(*, folder: str, factors: list[int], size: int) -> dict:
    """Write what the measurements read, and fill the cache; return what the data are."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    from utils import data
    from utils.data import phantom
    from utils.splits import lesion_split

    dataset, place = data.load_ham10000(), Path(folder)
    images, labels = dataset.images, dataset.labels
    pixels = images.reshape(len(labels), -1)
    table = pd.DataFrame(pixels, columns=[f"pixel{k:04d}" for k in range(pixels.shape[1])])
    table.assign(label=labels).to_csv(place / "images.csv", index=False)  # in the form of Kaggle's
    split = lesion_split(dataset)
    learn = np.sort(np.concatenate([split.train, split.validation]))
    np.savez(place / "parts.npz", learn=learn, test=split.test)
    for side in (28, size):
        bilinear = ((side, side), Image.Resampling.BILINEAR)
        resized = np.stack([Image.fromarray(image).resize(*bilinear) for image in images])
        np.savez(place / f"pixels-{side}.npz", images=resized, labels=labels)
    drawn = [phantom.sample(seed)[:2] for seed in range(max(factors))]
    for factor in factors:
        many, classes = map(np.concatenate, zip(*drawn[:factor], strict=True))
        np.savez(place / f"times-{factor}.npz", images=many, labels=classes)
    return {"source": dataset.source, "phantom": dataset.is_phantom, "images": len(labels)}


def nothing() -> dict:
    """Start Python and Keras with its backend, and do nothing: what every training holds."""
    from utils import training  # noqa: F401
    from utils.weights import versions

    return {"peak_mb": peak_memory(), "versions": versions()}


def read_csv(*, csv: str, engine: str | None) -> dict:
    """Read the Kaggle CSV with pandas, by its own parser or by the engine named."""
    import numpy as np
    import pandas as pd

    with measured() as result:
        table = pd.read_csv(csv, engine=engine)
        images = np.array(table.drop(columns="label")).reshape(-1, 28, 28, 3)
    return result | {"images": len(images)}


def load(*, cache: str) -> dict:
    """Call `load_ham10000` with its cache in the folder named, empty or filled."""
    from utils import data

    data.CACHE_DIR = Path(cache)
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
    for text, name, other in ROWS:
        group = measured[name] if isinstance(measured[name], list) else [measured[name]]
        for number, result in enumerate(filter(None, group)):  # pyarrow may be missing
            first, test = group[0] if number else measured.get(other), result.get("test")
            read = _number(result.get("load_seconds", 0))
            row = [text.format_map(facts | result | {"read": read})]
            row += [_number(result[key]) if key in result else "" for key in KEYS]
            row += [f"{test[key]:.3f}" if test else "" for key in COLUMNS[3:5]]
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
    remarks = [
        f"Measured on {results['date']} in one run of {results['seconds'] / 60:.0f} minutes on "
        f"{computer['cpu']}, {computer['cores']} cores, {computer['memory_gb']:.0f} GB of memory "
        f"({computer['system']}), with Python {versions['python']}, Keras {versions['keras']} and "
        f"{harness.BACKENDS[backend]} {versions[backend]}.",
        f"Data: {data['source']}, {data['images']:,} images.",
    ]
    if not results["measured"]["csv pyarrow"]:
        remarks.append("pyarrow is not installed there, so its row is absent.")
    table = harness.markdown(list(lines(results)), COLUMNS, numbers=range(1, 5))
    return "\n".join([*remarks, "", table])


def measure(*, quick: bool = False) -> Iterator[dict]:
    """Yield the results, once; a quick run only shows them."""
    if quick:
        print(section(bench(QUICK, env=PHANTOM)))
    else:
        yield bench(PLAN)


if __name__ == "__main__":
    quick = {"action": "store_true", "help": "tiny, on the phantom, to see that it runs"}
    sys.exit(harness.command("bench", measure, section, page=PAGE, quick=quick))
