"""The whole procedure of the older notebook, mistakes included; chapter 7 and the bench need it.

One thing is repaired, because nothing could be judged otherwise: the checkpoint watches
``val_accuracy``, which exists, so it is really written.
"""

import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from utils.models import original_cnn
from utils.training import EpochLine

EPOCHS, BATCH_SIZE, HELD_BACK = 50, 128, 0.2
RECIPE = {
    "procedure": "older notebook",
    "network": "original_cnn",
    "epochs": EPOCHS,
    "batch_size": BATCH_SIZE,
    "learning_rate": 1e-3,
    "rebalance": "oversample",
    "validation_split": HELD_BACK,
    "keep": "best",
    "monitor": "val_accuracy",
}


def run(
    images: np.ndarray, labels: np.ndarray, *, seed: int, epochs: int = EPOCHS
) -> tuple[keras.Model, dict, float]:
    """Train as the older notebook did on rows that are oversampled already.

    Parameters
    ----------
    images : ndarray of int, shape (n, 28, 28, 3)
        In the order in which the oversampler left them: Keras' ``validation_split`` takes the
        last fifth, so the copies of the rare classes' images.
    labels : ndarray of int, shape (n,)
    seed : int
    epochs : int

    Returns
    -------
    (keras.Model, dict, float)
        The model with the weights of the epoch of the highest ``val_accuracy``, the history,
        and the seconds it took.
    """
    keras.utils.set_random_seed(seed)
    model = original_cnn()
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best_model.weights.h5"
        history = model.fit(
            images,
            labels,
            validation_split=HELD_BACK,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            verbose=0,
            callbacks=[
                keras.callbacks.ModelCheckpoint(
                    best,
                    monitor="val_accuracy",
                    mode="max",
                    save_best_only=True,
                    save_weights_only=True,
                ),
                EpochLine(watch="val_accuracy"),
            ],
        ).history
        model.load_weights(best)
    return model, history, time.perf_counter() - start
