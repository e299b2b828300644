"""Self-checks of chapter 5: right answers in several ways, and the mistakes they know."""

import operator

import numpy as np
import pytest

from exercises import chapter_05 as check

ROWS, EPOCHS = np.arange(1_300), 4
# Steps counted one by one, as Keras makes them.
STEPS = len([start for start in range(0, len(ROWS), 512)])
USUAL = len(range(0, len(ROWS), 128))

HISTORY = {
    "loss": [1.9, 1.2, 0.8, 0.5, 0.2],
    "accuracy": [0.30, 0.50, 0.70, 0.85, 0.95],
    "val_loss": [1.5, 1.1, 1.3, 1.6, 2.2],
    "val_accuracy": [0.40, 0.55, 0.60, 0.71, 0.66],
    "val_balanced_accuracy": [0.30, 0.41, 0.50, 0.44, 0.43],
}
RANKED = sorted(range(5), key=lambda k: HISTORY["val_loss"][k])


class ModelCheckpoint:
    """A stand-in for that of Keras, with the attributes that newer and older versions have."""

    def __init__(self, monitor, *, best=True, weights=True, **direction):
        self.monitor, self.save_best_only, self.save_weights_only = monitor, best, weights
        self.__dict__.update(direction)


class EarlyStopping:
    monitor = "val_loss"


ESSAY = (
    "It may have learned the hair and the light of these 80 pictures, each shown thousands of "
    "times. I would ask it about dermatofibromas of the validation part, and turn and mirror the "
    "copies so that learning by heart is harder."
)
CALLS = {
    1: lambda answer: check.exercise_1(answer, ROWS, EPOCHS),
    2: lambda answer: check.exercise_2(answer, HISTORY),
    3: lambda answer: check.exercise_3(answer, HISTORY),
    4: check.exercise_4,
}
RIGHT = [
    (1, (STEPS, STEPS * EPOCHS)),
    (1, [-(-len(ROWS) // 512), sum(-(-len(ROWS) // 512) for _ in range(EPOCHS))]),
    (1, np.array([3.0, 12.0])),
    (1, {"an epoch": np.int64(3), "the run": 12}),
    (2, (RANKED[0] + 1, 4)),
    (2, [np.argmin(HISTORY["val_loss"]) + 1, 1 + np.argmax(HISTORY["val_accuracy"])]),
    (2, np.array([2, HISTORY["val_accuracy"].index(0.71) + 1])),
    (3, ModelCheckpoint("val_loss", mode="min", monitor_op=None)),
    (3, ModelCheckpoint("val_loss", mode="auto", monitor_op=None)),
    (3, ModelCheckpoint("val_loss", monitor_op=np.less)),
    (3, [ModelCheckpoint("val_loss", mode="min")]),
    (4, ESSAY),
    (4, "It might rely on freckles or on the device rather than on the tissue. I would score it "
     "on cases from a different hospital. Gathering scans from further people would help."),
    (4, "A ruler or the colour of one camera stands on many of them. Whether it knows the disease "
     "shows on patients from another clinic, never met before; and collecting more lesions would "
     "help most."),
]  # fmt: skip


MISTAKES = [
    (1, (2, 8), "a last, smaller batch"),
    (1, (1_300 / 512, 4 * 1_300 / 512), "a last, smaller batch"),
    (1, (USUAL, USUAL * EPOCHS), "steps with batches of 128"),
    (1, (STEPS, STEPS), "Both are the steps of one epoch"),
    (1, (STEPS * EPOCHS, STEPS), "exchanged"),
    (1, (512, 2048), "how many rows a step has"),
    (1, (7, 28), "How many batches"),
    (1, (STEPS, 99), "in all epochs together"),
    (1, STEPS, "one number; two are wanted"),
    (2, (1, 3), "counted from 0"),
    (2, (5, 4), "where the loss is largest"),
    (2, (4, 2), "exchanged"),
    (2, (5, 5), "training values"),
    (2, (1.1, 0.71), "values, not epochs"),
    (2, (2, 3), "The first is right"),
    (2, (3, 4), "The second is right"),
    (2, (1, 1), "Neither"),
    (3, ModelCheckpoint("validation_loss", mode="min"), "No number is logged"),
    (3, ModelCheckpoint("val_acc", mode="max"), "No number is logged"),
    (3, ModelCheckpoint("loss", mode="min"), "training loss"),
    (3, ModelCheckpoint("val_balanced_accuracy", mode="max"), "validation images"),
    (3, ModelCheckpoint("val_loss", mode="max"), "the smaller it is"),
    (3, ModelCheckpoint("val_loss", monitor_op=operator.gt), "the smaller it is"),
    (3, ModelCheckpoint("val_loss", mode="min", best=False), "after every epoch"),
    (3, ModelCheckpoint("val_loss", mode="min", weights=False), "weights only"),
    (3, ModelCheckpoint, "the class itself"),
    (3, EarlyStopping(), "writes no file"),
    (3, "best.weights.h5", "no ModelCheckpoint"),
    (4, "It learned the hair by heart; show it new lesions, and collect more.", "has 13 words"),
    (4, "I would show it the test part, which is new to it, and then collect more lesions. " * 2,
     "what it may have learned"),
    (4, "It may know the hair and the ruler. One should collect more lesions of this kind. " * 2,
     "how you would find out"),
    (4, "It may know the hair and the ruler. One should look at the validation part then. " * 2,
     "what would help"),
]  # fmt: skip


def test_expected_follows_from_what_is_passed():
    assert check.exercise_1((10, 20), 95, 2, batch_size=10).passed
    assert check.exercise_1((3, 3), np.zeros(30), 1, batch_size=10).passed
    later = {"val_loss": [3.0, 2.0, 1.0], "val_accuracy": [0.9, 0.2, 0.9], "loss": [1.0, 1.0, 1.0]}
    assert check.exercise_2((3, 1), later).passed and check.exercise_2((3, 3), later).passed
    assert not check.exercise_3(ModelCheckpoint("val_loss", mode="min"), {"loss": [1.0]}).passed


def test_a_checkpoint_of_keras(tmp_path):
    keras = pytest.importorskip("keras")

    def made(**options):
        return keras.callbacks.ModelCheckpoint(tmp_path / "a.weights.h5", **options)

    options = {"save_best_only": True, "save_weights_only": True}
    for right in (made(**options), made(monitor="val_loss", mode="min", **options)):
        assert check.exercise_3(right, HISTORY).passed
    feedback = check.exercise_3(made(mode="max", **options), HISTORY)
    assert "the smaller it is" in feedback.message and str(tmp_path) not in repr(feedback)
    assert "after every epoch" in check.exercise_3(made(save_weights_only=True), HISTORY).message
    assert "counts batches" in check.exercise_3(made(**options, save_freq=100), HISTORY).message
    stops = keras.callbacks.EarlyStopping(monitor="val_loss")
    assert "writes no file" in check.exercise_3(stops, HISTORY).message
