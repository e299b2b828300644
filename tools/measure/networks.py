"""What is measured of networks. Each function runs in a process of its own: `harness.apart`."""

import dataclasses
import datetime
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from imblearn.over_sampling import RandomOverSampler

from tools.measure.harness import measured
from utils.augment import predict_averaged
from utils.data import load_ham10000
from utils.metrics import headline
from utils.models import BUILDERS, original_cnn
from utils.splits import lesion_split
from utils.training import BEST, Rows, class_shares, compiled, train
from utils.weights import device_name, load_weights, versions

EPOCHS, ANSWERS = 4, 256  # timed; images that are answered to compare


def prepare(*, folder: str) -> dict:
    """Write what the measurements read, and fill the cache; return what the data are."""
    dataset, place = load_ham10000(), Path(folder)
    images, labels, split = dataset.images, dataset.labels, lesion_split(dataset)
    table = pd.DataFrame(images.reshape(len(labels), -1)).rename(columns="pixel{:04d}".format)
    table.assign(label=labels).to_csv(place / "images.csv", index=False)  # in the form of Kaggle's
    learn = np.sort(np.concatenate([split.train, split.validation]))
    np.savez(place / "parts.npz", learn=learn, test=split.test)
    return {"source": dataset.source, "phantom": dataset.is_phantom, "images": len(labels)}


def original(*, folder: str, epochs: int, judge: bool = True) -> dict:
    """Run the older notebook's procedure, one table of pixels, but with a test part of lesions."""
    with measured() as result:
        table, rows = pd.read_csv(f"{folder}/images.csv"), np.load(f"{folder}/parts.npz")
        learn, test = table.iloc[rows["learn"]].sample(frac=1, random_state=0), rows["test"]
        x_test, y_test = table.iloc[test].drop(columns="label"), table["label"].to_numpy()[test]
        x, y = learn.drop(columns="label"), learn["label"]
        x, y = RandomOverSampler(random_state=0).fit_resample(x, y)
        x = np.array(x).reshape(-1, 28, 28, 3)
        keras.utils.set_random_seed(0)
        model, file = original_cnn(), f"{folder}/best.weights.h5"
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
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


def device(*, rows: int | None = None) -> dict:
    """Measure this process' backend on its device; return a row, and answers to compare."""
    dataset, backend = load_ham10000(), keras.backend.backend()
    split = lesion_split(dataset)
    batches = Rows(dataset, split.train[:rows], BEST, seed=1)
    with measured() as alone:
        for number in range(len(batches)):
            batches[number]
    model = compiled(BUILDERS[BEST.network](), BEST, steps=(2 + EPOCHS) * len(batches))
    ends = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(time.perf_counter()))
    # In one call: JAX cannot go on with averaged weights, whose buffers two variables share. The
    # step is compiled in the first epoch, under JAX once more in the second.
    model.fit(batches, epochs=2 + EPOCHS, callbacks=[clock], verbose=0)
    seconds = np.diff(ends)[1:]
    row = {
        "device": device_name(), "backend": backend, "version": versions()[backend],
        "batch": BEST.batch_size, "rows": len(batches.rows),
        "seconds": round(float(np.median(seconds)), 2),
        "batches_seconds": round(alone["seconds"], 4),
        "data": dataset.source, "date": datetime.date.today().isoformat(),
    }  # fmt: skip
    test = split.test[:ANSWERS]
    best, _ = load_weights("best", dataset, test=test)
    answers = best.predict(dataset.images[test], batch_size=128, verbose=0).tolist()
    data = {"source": dataset.source, "phantom": dataset.is_phantom, "split": split.fingerprint}
    data["fingerprint"] = dataset.fingerprint
    return {"row": row, "answers": answers, "data": data, "versions": versions()}
