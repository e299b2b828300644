"""`make bench`: how long things take and what they hold in memory, in one run on one machine.

Every measurement runs in a process of its own, one after the other. Computers are noisy: compare
the numbers of one run with each other, as the ratios of its table do, and not with another run's.
"""

import argparse
import dataclasses
import datetime
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.measure.harness import BACKENDS, MODELS, ROOT, MeasureError, apart, machine, markdown
from tools.measure.harness import measured, peak_memory, stored

PAGE = ROOT / "how-long-things-take.md"
COLUMNS = ["what", "seconds", "peak memory (MB)", "balanced accuracy", "macro AUC", "as a ratio"]


@dataclass(frozen=True)
class Plan:
    """How much is measured; the defaults are those of `make bench`.

    `recipe` and `short` hold what the two runs of the course's recipe change in it: the full one,
    and the one that only has to reach the original's quality. That one takes smaller batches and
    larger steps, and a running mean that does not reach back to the untrained network; found on
    the validation part.
    """

    rows: int | None = None  # images; None: all
    original_epochs: int = 50
    recipe: dict = field(default_factory=dict)
    short: dict = field(
        default_factory=lambda: dict(epochs=2, batch_size=64, learning_rate=3e-3, average=0.97)
    )
    factors: tuple[int, ...] = (1, 2, 4)  # multiples of the phantom
    size: int = 64  # pixels along each side of the enlarged images
    steps: int = 30  # batches timed there
    calls: int = 50  # predictions of one image


ONE, SHORT = {"epochs": 1}, {"epochs": 1, "average": 0.5}
QUICK = Plan(700, 1, recipe=ONE, short=SHORT, factors=(1, 2), steps=2, calls=3)


def bench(plan: Plan, *, run: Callable[..., dict] = apart) -> dict:
    """Measure everything and return the results; nothing is stored. `run` is as `apart`."""
    start, results = time.perf_counter(), {"csv pyarrow": None, "growth": [], "pixels": []}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = {"rows": plan.rows, "factors": plan.factors, "size": plan.size}
        data = run("bench.prepare", folder=folder, **settings)
        # On the phantom, the measurements need not try a download each.
        env = {"HAM10000_DIR": "phantom"} if data["phantom"] else {}
        for key, task, settings in measurements(plan, folder):
            print(f"[{time.strftime('%H:%M:%S')}] {key}", flush=True)
            result = run(f"bench.{task}", env=env, **settings)
            seconds = f"{result['seconds']:.3g} s, " if "seconds" in result else ""
            print(f"           {seconds}{result['peak_mb']:,.0f} MB", flush=True)
            if isinstance(results.get(key), list):
                results[key].append(result)
            else:
                results[key] = result
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": results["nothing"].pop("versions"),
        "data": data,
        "seconds": round(time.perf_counter() - start, 1),
        "measured": results,
    }


def measurements(plan: Plan, folder: str) -> Iterator[tuple[str, str, dict]]:
    """Yield the name, the function and the settings of each measurement, in their order.

    Long and short runs of both ways stand side by side, so that a change of the machine's pace
    during the run touches both.
    """
    csv, cache = {"csv": f"{folder}/images.csv"}, {"cache": f"{folder}/cache"}
    original, course = csv | {"parts": f"{folder}/parts.npz"}, {"rows": plan.rows}
    yield "nothing", "nothing", {}
    yield "csv pandas", "read_csv", csv | {"engine": None}
    if importlib.util.find_spec("pyarrow"):
        yield "csv pyarrow", "read_csv", csv | {"engine": "pyarrow"}
    yield "cold", "load", cache
    yield "warm", "load", cache
    yield "original epoch", "original", original | {"epochs": 1, "judge": False}
    yield "course epoch", "course", course | {"changes": {"epochs": 1}, "judge": False}
    for factor in plan.factors:
        yield "growth", "epoch", {"file": f"{folder}/times-{factor}.npz", "factor": factor}
    for size in (28, plan.size):
        yield "pixels", "epoch", {"file": f"{folder}/pixels-{size}.npz", "steps": plan.steps}
    yield "prediction", "predict", {"file": f"{folder}/pixels-28.npz", "calls": plan.calls}
    yield "short", "course", course | {"changes": plan.short}
    yield "recipe", "course", course | {"changes": plan.recipe}
    yield "original", "original", original | {"epochs": plan.original_epochs}


# --- The measurements: each imports what it needs, so that its memory is its own -----------------


def prepare(*, folder: str, rows: int | None, factors: list[int], size: int) -> dict:
    """Write what the measurements read, and fill the cache; return what the data are."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    from utils.data import phantom
    from utils.splits import lesion_split

    dataset, place = _dataset(rows), Path(folder)
    table = pd.DataFrame(dataset.images.reshape(len(dataset.labels), -1))
    table.assign(label=dataset.labels).to_csv(place / "images.csv", index=False)  # as Kaggle's
    split = lesion_split(dataset)
    learn = np.sort(np.concatenate([split.train, split.validation]))
    np.savez(place / "parts.npz", learn=learn, test=split.test)
    for side in (28, size):
        images = [Image.fromarray(image).resize((side, side), 2) for image in dataset.images]
        np.savez(place / f"pixels-{side}.npz", images=np.stack(images), labels=dataset.labels)
    drawn = [phantom.sample(seed)[:2] for seed in range(max(factors))]  # bilinear
    for factor in factors:
        images, labels = (np.concatenate([d[k][:rows] for d in drawn[:factor]]) for k in (0, 1))
        np.savez(place / f"times-{factor}.npz", images=images, labels=labels)
    is_phantom, count = dataset.is_phantom, len(dataset.labels)
    return {"source": dataset.source, "phantom": is_phantom, "images": count}


def _dataset(rows: int | None):
    from utils.data import load_ham10000

    data, part = load_ham10000(), slice(rows)
    images, labels, metadata = data.images[part], data.labels[part], data.metadata.iloc[part]
    return dataclasses.replace(data, images=images, labels=labels, metadata=metadata)


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


def original(*, csv: str, parts: str, epochs: int, judge: bool = True) -> dict:
    """Run the older notebook's procedure in its own way: one table of pixels, copied.

    Read the CSV, shuffle, copy rows of the rare classes until all are as frequent as the
    largest, train with the last fifth of these rows as validation, keep the epoch with the best
    accuracy there. Two things differ: the test part holds lesions of its own, and the checkpoint
    is written.
    """
    import numpy as np
    import pandas as pd
    from imblearn.over_sampling import RandomOverSampler

    from tools.results import older_notebook
    from utils.metrics import headline

    with measured() as result:
        table = pd.read_csv(csv)
        with np.load(parts) as rows:
            train, test = table.iloc[rows["learn"]], table.iloc[rows["test"]]
        train = train.sample(frac=1, random_state=0)
        x_train, y_train = train.drop(columns="label"), train["label"]
        x_test, y_test = test.drop(columns="label"), test["label"].to_numpy()
        x_train, y_train = RandomOverSampler(random_state=0).fit_resample(x_train, y_train)
        x_train = np.array(x_train).reshape(-1, 28, 28, 3)
        model, _, _ = older_notebook.run(x_train, y_train.to_numpy(), seed=0, epochs=epochs)
    if judge:
        images = np.array(x_test).reshape(-1, 28, 28, 3)
        result["test"] = headline(y_test, model.predict(images, batch_size=512, verbose=0))
    return result | {"epochs": epochs}


def course(*, rows: int | None, changes: dict, judge: bool = True) -> dict:
    """Run the course's recipe, with some fields changed, on lesions split by `lesion_split`."""
    from utils.augment import predict_averaged
    from utils.metrics import headline
    from utils.splits import lesion_split
    from utils.training import BEST, class_shares, train

    recipe = dataclasses.replace(BEST, **changes)
    with measured() as result, tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(rows)
        split = lesion_split(dataset)
        model, _ = train(dataset, split, recipe, name="bench", folder=Path(folder))
    # Where the answers are put back to the natural shares, decide as if all classes were as
    # frequent: what the original procedure learns from its copied rows.
    shares = class_shares(dataset.labels[split.train]) if recipe.prior else None
    for part in ("validation", "test") if judge else ():
        chosen = getattr(split, part)
        answers = predict_averaged(model, dataset.images[chosen])
        result[part] = headline(dataset.labels[chosen], answers, shares=shares)
    return result | {"epochs": recipe.epochs}


def epoch(*, file: str, steps: int | None = None, **labels) -> dict:
    """Load images and train on them once, augmented; the time is that of the epoch, or of a step.

    `file` is an npz with images, uint8 (n, size, size, 3), and labels, int64 (n,); `steps` is a
    number of batches to train on, and then the time is that of one; `labels` are passed on.
    """
    import numpy as np
    import pandas as pd

    from utils.data import LesionImages
    from utils.models import small_resnet
    from utils.training import BEST

    with measured() as loading, np.load(file) as arrays:
        images, labels_ = arrays["images"], arrays["labels"]
    dataset = LesionImages(images, labels_, pd.DataFrame(index=range(len(images))), "bench", "")
    rows = np.arange(len(images))[: steps and steps * BEST.batch_size]
    seconds, done = timed_epoch(small_resnet(size=images.shape[1]), dataset, rows, BEST)
    return labels | {
        "load_seconds": loading["seconds"],
        "seconds": seconds / (done if steps else 1),
        "steps": done,
        "batch": min(BEST.batch_size, len(rows)),
        "peak_mb": peak_memory(),
        "images": len(images),
        "size": images.shape[1],
    }


def timed_epoch(network, dataset, rows, recipe) -> tuple[float, int]:
    """Train a network once over some rows, int (n,); return the seconds and number of batches.

    Two batches go before, untimed: Keras compiles the step at the first one.
    """
    from utils.training import Rows, compiled

    batches = Rows(dataset, rows, recipe, seed=0)
    model = compiled(network, recipe, steps=len(batches))
    model.fit(batches, steps_per_epoch=min(2, len(batches)), verbose=0)
    with measured() as result:
        model.fit(Rows(dataset, rows, recipe, seed=1), verbose=0)
    return result["seconds"], len(batches)


def predict(*, file: str, calls: int) -> dict:
    """Predict one image at a time, averaged over the eight symmetries; report the median."""
    import numpy as np

    from utils.augment import predict_averaged
    from utils.models import BUILDERS
    from utils.training import BEST

    model, seconds = BUILDERS[BEST.network](), []
    images = np.load(file)["images"]
    for number in range(calls + 3):  # Keras compiles in the first ones
        with measured() as result:
            predict_averaged(model, images[number % len(images)][None])
        seconds.append(result["seconds"])
    return result | {"seconds": statistics.median(seconds[3:]), "calls": calls}


# --- The page ------------------------------------------------------------------------------------


def lines(results: dict) -> list[list[str]]:
    """Return the rows of the table, one string for each of `COLUMNS`."""
    found = results["measured"]
    old, new, short = found["original"], found["recipe"], found["short"]
    key = "balanced accuracy"
    reached = "" if short["validation"][key] >= old["test"][key] else " not"
    goal = f"The recipe cut to {short['epochs']} epochs: the original's quality{reached} reached"
    csv, pyarrow, one = found["csv pandas"], found["csv pyarrow"], found["original epoch"]
    small, large = found["pixels"]
    step = "A step of {batch} images of {size} × {size} pixels"
    growth = "One augmented epoch, {images:,} phantom images (× {factor}; read in {read} s)"
    return [
        _line(f"Original procedure, pandas way, {old['epochs']} epochs", old),
        _line(f"The course's recipe, {new['epochs']} epochs", new, old),
        _line(goal, short, old),
        _line("Load, oversample, train 1 epoch: pandas way", one),
        _line("The same the course's way", found["course epoch"], one),
        _line("Python and Keras started, nothing done", found["nothing"]),
        _line("Read the Kaggle CSV with pandas", csv),
        *([_line("The same with pyarrow", pyarrow, csv)] if pyarrow else []),
        _line(f"`load_ham10000`, no cache: {source(results)}", found["cold"], csv),
        _line("`load_ham10000`, from its cache", found["warm"], csv),
        *(
            _line(
                growth.format(read=_number(row["load_seconds"]), **row),
                row,
                found["growth"][0] if number else None,
            )
            for number, row in enumerate(found["growth"])
        ),
        _line(step.format(**small), small),
        _line(step.format(**large), large, small),
        _line("One image, averaged over its 8 symmetries", found["prediction"]),
    ]


def _line(text: str, result: dict, other: dict | None = None) -> list[str]:
    numbers = [_number(result[key]) if key in result else "" for key in ("seconds", "peak_mb")]
    judged = result.get("test")
    quality = [f"{judged[key]:.3f}" if judged else "" for key in COLUMNS[3:5]]
    ratio = ""
    if other:
        time_, memory = (_number(result[key] / other[key]) for key in ("seconds", "peak_mb"))
        ratio = f"time × {time_}, memory × {memory}"
    return [text, *numbers, *quality, ratio]


def _number(value: float) -> str:
    """Write a number with two or three digits that count."""
    if value < 0.095:
        return f"{value:.2g}"
    return f"{value:,.{0 if value >= 99.5 else 1 if value >= 9.95 else 2}f}"


def source(results: dict) -> str:
    """Name the source of the images in a word or two."""
    return "the phantom" if results["data"]["phantom"] else results["data"]["source"]


def section(results: dict) -> str:
    """Return what the page shows: machine, versions, data, what is absent, and the table."""
    computer, versions, data = results["machine"], results["versions"], results["data"]
    backend = versions["backend"]
    remarks = [
        f"Measured on {results['date']} in one run of {results['seconds'] / 60:.0f} minutes on "
        f"{computer['cpu']}, {computer['cores']} cores, {computer['memory_gb']:.0f} GB of memory "
        f"({computer['system']}), with Python {versions['python']}, Keras {versions['keras']} and "
        f"{BACKENDS[backend]} {versions[backend]}.",
        f"Data: {data['source']}, {data['images']:,} images.",
    ]
    if not results["measured"]["csv pyarrow"]:
        remarks.append("pyarrow is not installed there, so its row is absent.")
    table = markdown(lines(results), COLUMNS, numbers=(1, 2, 3, 4))
    return "\n".join([*remarks, "", table, ""])
