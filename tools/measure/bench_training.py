"""Measurements of training and predicting: the older notebook's way and the course's."""

import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

from tools.measure.bench_data import dataset_of
from tools.measure.bench_machine import peak_memory


def nothing() -> dict:
    """Start Python and Keras with its backend, and do nothing: what every training holds."""
    from utils import training  # noqa: F401
    from utils.weights import versions

    return {"peak_mb": peak_memory(), "versions": versions()}


def original(*, csv: str, parts: str, epochs: int) -> dict:
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

    start = time.perf_counter()
    table = pd.read_csv(csv)
    with np.load(parts) as rows:
        train, test = table.iloc[rows["learn"]], table.iloc[rows["test"]]
    train = train.sample(frac=1, random_state=0)
    x_train, y_train = train.drop(columns="label"), train["label"]
    x_test, y_test = test.drop(columns="label"), test["label"]
    x_train, y_train = RandomOverSampler(random_state=0).fit_resample(x_train, y_train)
    x_train = np.array(x_train).reshape(-1, 28, 28, 3)
    model, _, _ = older_notebook.run(x_train, y_train.to_numpy(), seed=0, epochs=epochs)
    done = {"seconds": time.perf_counter() - start, "peak_mb": peak_memory(), "epochs": epochs}
    images = np.array(x_test).reshape(-1, 28, 28, 3)
    answers = model.predict(images, batch_size=512, verbose=0)
    return done | {"test": headline(y_test.to_numpy(), answers)}


def course(*, rows: int | None, changes: dict) -> dict:
    """Run the course's recipe, with some fields changed, on lesions split by `lesion_split`."""
    from utils.augment import predict_averaged
    from utils.metrics import headline
    from utils.splits import lesion_split
    from utils.training import BEST, class_shares, train

    recipe = dataclasses.replace(BEST, **changes)
    start = time.perf_counter()
    dataset = dataset_of(rows)
    split = lesion_split(dataset)
    with tempfile.TemporaryDirectory() as folder:
        model, _ = train(dataset, split, recipe, name="bench", folder=Path(folder))
    done = {
        "seconds": time.perf_counter() - start,
        "peak_mb": peak_memory(),
        "epochs": recipe.epochs,
    }
    # Where the answers are put back to the natural shares, decide as if all classes were as
    # frequent: what the original procedure learns from its copied rows.
    shares = class_shares(dataset.labels[split.train]) if recipe.prior else None
    for part in ("validation", "test"):
        rows_of = getattr(split, part)
        answers = predict_averaged(model, dataset.images[rows_of])
        done[part] = headline(dataset.labels[rows_of], answers, shares=shares)
    return done


def epoch(*, file: str, steps: int | None) -> dict:
    """Load images and train on them once, augmented; report the time without the start.

    Parameters
    ----------
    file : str
        An npz with ``images``, uint8 (n, size, size, 3), and ``labels``, int64 (n,).
    steps : int or None
        Batches to train on; None means all.
    """
    import numpy as np
    import pandas as pd

    from utils.data import LesionImages
    from utils.models import small_resnet
    from utils.training import BEST

    start = time.perf_counter()
    with np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    loaded = time.perf_counter() - start
    dataset = LesionImages(images, labels, pd.DataFrame(index=range(len(labels))), "bench", "")
    rows = np.arange(len(labels))[: steps and steps * BEST.batch_size]
    network = small_resnet(size=images.shape[1])
    seconds, done = timed_epoch(network, dataset, rows, BEST)
    return {
        "load_seconds": loaded,
        "seconds": seconds,
        "steps": done,
        "batch": min(BEST.batch_size, len(rows)),
        "peak_mb": peak_memory(),
        "images": len(labels),
        "size": images.shape[1],
    }


def predict(*, file: str, calls: int) -> dict:
    """Predict one image at a time, averaged over the eight symmetries; report the median."""
    import numpy as np

    from utils.augment import predict_averaged
    from utils.models import BUILDERS
    from utils.training import BEST

    model = BUILDERS[BEST.network]()
    with np.load(file) as arrays:
        images = arrays["images"]
    times = []
    for number in range(calls + 3):
        image = images[number % len(images)][None]
        start = time.perf_counter()
        predict_averaged(model, image)
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times[3:]), "peak_mb": peak_memory(), "calls": calls}


def timed_epoch(network, dataset, rows, recipe) -> tuple[float, int]:
    """Train a network once over some rows by a recipe.

    Two batches go before, untimed: Keras compiles the step at the first one.

    Parameters
    ----------
    network : keras.Model
    dataset : utils.data.LesionImages
    rows : ndarray of int, shape (n,)
    recipe : utils.training.Recipe

    Returns
    -------
    (float, int)
        Seconds, and the number of batches.
    """
    from utils.training import Rows, compiled

    batches = Rows(dataset, rows, recipe, seed=0)
    model = compiled(network, recipe, steps=len(batches))
    model.fit(batches, steps_per_epoch=min(2, len(batches)), verbose=0)
    batches = Rows(dataset, rows, recipe, seed=1)
    start = time.perf_counter()
    model.fit(batches, verbose=0)
    return time.perf_counter() - start, len(batches)
