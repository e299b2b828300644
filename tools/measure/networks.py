"""What is measured of networks. Each function runs in a process of its own: `harness.apart`."""

import dataclasses
import datetime
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from imblearn.over_sampling import RandomOverSampler

from tools.measure.harness import measured
from utils.augment import predict_averaged
from utils.data import LesionImages, load_ham10000
from utils.metrics import headline
from utils.models import BUILDERS, original_cnn, small_resnet
from utils.splits import lesion_split
from utils.training import BEST, Rows, class_shares, compiled, train
from utils.weights import device_name, load_weights, versions

PAIRS, IDLE_PAIRS = 4, 25  # of epochs; short ones are noisy, so many of them
ANSWERS = 256  # images


def original(*, folder: str, epochs: int, judge: bool = True) -> dict:
    """Run the older notebook's procedure in its own way: one table of pixels, copied.

    Two things differ: the test part holds lesions of its own, and the checkpoint is written.
    """
    with measured() as result:
        table, rows = pd.read_csv(f"{folder}/images.csv"), np.load(f"{folder}/parts.npz")
        learn, test = table.iloc[rows["learn"]].sample(frac=1, random_state=0), rows["test"]
        x_test, y_test = table.iloc[test].drop(columns="label"), table["label"].to_numpy()[test]
        x, y = learn.drop(columns="label"), learn["label"]
        x, y = RandomOverSampler(random_state=0).fit_resample(x, y)
        x = np.array(x).reshape(-1, 28, 28, 3)
        keras.utils.set_random_seed(0)
        model, file = original_cnn(), f"{folder}/best.weights.h5"
        loss = "sparse_categorical_crossentropy"
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
        keep = {"monitor": "val_accuracy", "save_best_only": True, "save_weights_only": True}
        fit = {"epochs": epochs, "batch_size": 128, "validation_split": 0.2, "verbose": 0}
        fit["callbacks"] = [keras.callbacks.ModelCheckpoint(file, **keep)]
        model.fit(x, y.to_numpy(), **fit)
        model.load_weights(file)
    if judge:
        images = np.array(x_test).reshape(-1, 28, 28, 3)
        result["test"] = headline(y_test, model.predict(images, batch_size=512, verbose=0))
    return result | {"epochs": epochs}


def course(*, folder: str, judge: bool = True, **changes: float) -> dict:
    """Run the course's recipe, with some fields changed, on lesions split by `lesion_split`."""
    recipe = dataclasses.replace(BEST, **changes)
    with measured() as result:
        dataset = load_ham10000()
        split = lesion_split(dataset)
        model, _ = train(dataset, split, recipe, name="bench", folder=Path(folder))
    # Answers at the natural shares are judged as if all classes were as frequent: that is what
    # the original procedure learns from its copied rows.
    shares = class_shares(dataset.labels[split.train]) if recipe.prior else None
    for part in ("validation", "test") if judge else ():
        rows = getattr(split, part)
        answers = predict_averaged(model, dataset.images[rows])
        result[part] = headline(dataset.labels[rows], answers, shares=shares)
    return result | {"epochs": recipe.epochs}


def epoch(*, folder: str, file: str, steps: int | None = None, factor: int = 1) -> dict:
    """Train once on an npz of images, uint8 (n, size, size, 3), and labels.

    With `steps` on so many batches only, and the seconds are those of one. `factor` is passed on.
    """
    with measured() as loading, np.load(f"{folder}/{file}") as arrays:
        images, classes = arrays["images"], arrays["labels"]
    size, count = images.shape[1], len(images)
    dataset = LesionImages(images, classes, pd.DataFrame(index=range(count)), "bench", "")
    batches = Rows(dataset, np.arange(count)[: steps and steps * BEST.batch_size], BEST, seed=0)
    model = compiled(small_resnet(size=size), BEST, steps=len(batches))
    # Untimed: Keras compiles the step at the first batch.
    model.fit(batches, steps_per_epoch=min(2, len(batches)), verbose=0)
    with measured() as result:
        model.fit(batches, verbose=0)
    result["seconds"] /= len(batches) if steps else 1
    more = {"load_seconds": loading["seconds"], "batch": min(BEST.batch_size, len(batches.rows))}
    return result | more | {"images": count, "size": size, "factor": factor}


def predict(*, folder: str, file: str, calls: int) -> dict:
    """Predict one image at a time, averaged over the eight symmetries."""
    images = np.load(f"{folder}/{file}")["images"]
    model, seconds = BUILDERS[BEST.network](), []
    for number in range(calls + 3):  # Keras compiles in the first ones
        with measured() as result:
            predict_averaged(model, images[number % len(images)][None])
        seconds.append(result["seconds"])
    return result | {"seconds": statistics.median(seconds[3:]), "calls": calls}


def device(*, rows: int | None = None) -> dict:
    """Measure this process' backend on its device; return a row, and answers to compare.

    The `ratio` compares the shortest epochs of real batches and of one batch. ``idle_`` stands for
    a network with next to nothing to compute, `batches_seconds` for none.
    """
    dataset, backend, layers = load_ham10000(), keras.backend.backend(), keras.layers
    split = lesion_split(dataset)
    batches = Rows(dataset, split.train[:rows], BEST, seed=1)
    with measured() as alone:
        for number in range(len(batches)):
            batches[number]
    network = BUILDERS[BEST.network]()
    idle = keras.Sequential([keras.Input(network.input_shape[1:]), layers.GlobalAveragePooling2D()])
    idle.add(layers.Dense(network.output_shape[-1], activation="softmax"))
    idle.compile(optimizer="sgd", loss="categorical_crossentropy")
    idle_real, idle_same = timed_pairs(idle, batches, pairs=IDLE_PAIRS)
    model = compiled(network, BEST, steps=(2 + 2 * PAIRS) * len(batches))
    real, same = timed_pairs(model, batches, pairs=PAIRS)
    row = {
        "device": device_name(),
        "backend": backend,
        "version": versions()[backend],
        "batch": BEST.batch_size,
        "rows": len(batches.rows),
        "seconds": round(statistics.median(real), 2),
        "ratio": round(min(same) / min(real), 2),
        "idle_seconds": round(statistics.median(idle_real), 3),
        "idle_ratio": round(min(idle_same) / min(idle_real), 2),
        "batches_seconds": round(alone["seconds"], 4),
        "data": dataset.source,
        "date": datetime.date.today().isoformat(),
    }
    test = split.test[:ANSWERS]
    best, _ = load_weights("best", dataset, test=test)
    answers = best.predict(dataset.images[test], batch_size=128, verbose=0).tolist()
    data = {"source": dataset.source, "phantom": dataset.is_phantom, "split": split.fingerprint}
    data["fingerprint"] = dataset.fingerprint
    return {"row": row, "answers": answers, "data": data, "versions": versions()}


def timed_pairs(
    model: keras.Model, batches: keras.utils.PyDataset, *, pairs: int
) -> tuple[list[float], list[float]]:
    """Train on real batches and on one and the same batch, an epoch each in turn.

    Returns the seconds of the epochs of either kind. Compare the shortest ones: other programs
    only make an epoch longer.
    """
    kept, start, seconds = None, 0.0, []

    class Turns(keras.utils.PyDataset):
        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, number: int):
            return batches[number] if kept is None else kept

        def on_epoch_end(self) -> None:
            batches.on_epoch_end()

    # Keras calls a data set's `on_epoch_end` once more before the first epoch, so this is what
    # changes between the two kinds.
    def begin(epoch: int, _) -> None:
        nonlocal kept, start
        kept, start = batches[0] if epoch % 2 else None, time.perf_counter()

    def end(*_) -> None:
        seconds.append(time.perf_counter() - start)

    clock = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
    model.fit(Turns(), epochs=2 + 2 * pairs, callbacks=[clock], verbose=0, shuffle=False)
    # The step is compiled in the first epoch, under JAX once more in the second.
    return seconds[2::2], seconds[3::2]
