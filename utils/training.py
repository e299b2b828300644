"""Recipes for training, and what they use: oversampling, a metric, one tidy line."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from imblearn.over_sampling import RandomOverSampler
from keras import ops

from utils.certificates import RUNS, BirthCertificate, save_weights
from utils.classes import CLASSES
from utils.data import LesionImages
from utils.models import BUILDERS
from utils.splits import Split


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    network : str
        Name of the function in ``utils.models``.
    epochs, batch_size : int
        Passes over the (oversampled) training images, and images per step.
    learning_rate : float
        Of the Adam optimiser.
    oversample : bool
        Whether rare classes are drawn as often as the most frequent one.
    """

    network: str = "original_cnn"
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 1e-3
    oversample: bool = True


ORIGINAL = Recipe()


def oversampled_indices(labels: np.ndarray, indices: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Draw images of the rare classes again until all classes are equally frequent.

    Works on row numbers, so no pixel is copied.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Labels of the whole data set.
    indices : ndarray of int, shape (n,)
        The training rows. Never the validation or test rows.
    seed : int
        Seed of the draw.

    Returns
    -------
    ndarray of int64
        Row numbers, each training row at least once.

    References
    ----------
    Lemaitre, Nogueira, Aridas, JMLR 18(17), 2017: ``RandomOverSampler``.
    """
    sampler = RandomOverSampler(random_state=seed)
    drawn, _ = sampler.fit_resample(np.asarray(indices).reshape(-1, 1), labels[indices])
    return drawn.ravel().astype(np.int64)


@keras.saving.register_keras_serializable("reading_skin")
class BalancedAccuracy(keras.metrics.Metric):
    """Mean over the classes present of the share of their images that are recognised.

    The same number as ``sklearn.metrics.balanced_accuracy_score``, computed while training.
    """

    def __init__(self, name: str = "balanced_accuracy", **kwargs) -> None:
        super().__init__(name=name, **kwargs)
        shape = (len(CLASSES),)
        self.right = self.add_weight(shape=shape, initializer="zeros", name="right")
        self.total = self.add_weight(shape=shape, initializer="zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        truth = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), len(CLASSES))
        guess = ops.one_hot(ops.argmax(y_pred, axis=-1), len(CLASSES))
        self.total.assign_add(ops.sum(truth, axis=0))
        self.right.assign_add(ops.sum(truth * guess, axis=0))

    def result(self):
        present = ops.cast(self.total > 0, "float32")
        recall = self.right / ops.maximum(self.total, 1.0)
        return ops.sum(recall) / ops.maximum(ops.sum(present), 1.0)


class EpochLine(keras.callbacks.Callback):
    """Show one line that is renewed after every epoch, in a notebook as in a terminal."""

    def on_train_begin(self, logs=None) -> None:
        self.start, self.best, self.handle = time.perf_counter(), (-1.0, 0), None

    def on_epoch_end(self, epoch, logs=None) -> None:
        value = (logs or {}).get("val_balanced_accuracy", float("nan"))
        self.best = max(self.best, (value, epoch + 1), key=lambda pair: pair[0])
        per_epoch = (time.perf_counter() - self.start) / (epoch + 1)
        self._show(
            f"epoch {epoch + 1:2d} of {self.params['epochs']}, {per_epoch:.1f} s each: "
            f"loss {logs['loss']:.3f}, validation balanced accuracy {value:.3f}, "
            f"best so far {self.best[0]:.3f} (epoch {self.best[1]})"
        )

    def _show(self, line: str) -> None:
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            get_ipython = None
        if get_ipython is None or get_ipython() is None:
            print(line, flush=True)
        elif self.handle is None:
            self.handle = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": line}, raw=True)


def train(
    dataset: LesionImages,
    split: Split,
    recipe: Recipe = ORIGINAL,
    *,
    name: str,
    seed: int = 0,
    folder: Path = RUNS,
) -> tuple[keras.Model, BirthCertificate]:
    """Train a network by a recipe and save its best weights with their birth certificate.

    The weights kept are those of the epoch with the highest balanced accuracy on the
    validation part. Chapter 5 does the same step by step.

    Parameters
    ----------
    dataset : LesionImages
    split : Split
        From ``utils.splits.lesion_split``. The test part is not touched.
    recipe : Recipe
    name : str
        Name of the files in `folder`: ``name.weights.h5`` and ``name.json``.
    seed : int
        Seed of initial weights, order of images, oversampling and dropout.
    folder : Path
        Made if it is missing.

    Returns
    -------
    (keras.Model, BirthCertificate)
        The model with the best weights, and their certificate.
    """
    keras.utils.set_random_seed(seed)
    model = BUILDERS[recipe.network]()
    rows = split.train
    if recipe.oversample:
        rows = oversampled_indices(dataset.labels, rows, seed=seed)
    model.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy", BalancedAccuracy()],
    )
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{name}-checkpoint.weights.h5"
    start = time.perf_counter()
    history = model.fit(
        dataset.images[rows],  # one byte a value: a copy of the rows costs less than 100 MB
        dataset.labels[rows],
        batch_size=recipe.batch_size,
        validation_data=(dataset.images[split.validation], dataset.labels[split.validation]),
        epochs=recipe.epochs,
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                checkpoint,
                monitor="val_balanced_accuracy",
                mode="max",
                save_best_only=True,
                save_weights_only=True,
            ),
            EpochLine(),
        ],
        verbose=0,
    )
    seconds = time.perf_counter() - start
    model.load_weights(checkpoint)
    checkpoint.unlink()
    certificate = save_weights(
        model,
        name=name,
        recipe=dataclasses.asdict(recipe),
        dataset=dataset,
        split=split,
        seed=seed,
        history=history.history,
        seconds=seconds,
        folder=folder,
    )
    return model, certificate
