import operator

import numpy as np

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


EarlyStopping = type("EarlyStopping", (), {"monitor": "val_loss"})
GIVEN = {"rows": ROWS, "epochs": EPOCHS, "history": HISTORY, "log": HISTORY}
RIGHT = {
    1: [(STEPS, STEPS * EPOCHS), np.array([3.0, 12.0])],
    2: [(RANKED[0] + 1, 4), np.array([2, HISTORY["val_accuracy"].index(0.71) + 1])],
    3: [ModelCheckpoint("val_loss", mode="min", monitor_op=None),
        ModelCheckpoint("val_loss", mode="auto", monitor_op=None),
        ModelCheckpoint("val_loss", monitor_op=np.less), [ModelCheckpoint("val_loss", mode="min")]],
    4: ["It may have learned the hair and the light of these 80 pictures, each shown thousands "
        "of times. I would ask it about dermatofibromas of the validation part, and turn and "
        "mirror the copies so that learning by heart is harder.",
        "It might rely on freckles or on the device rather than on the tissue. I would score it "
        "on cases from a different hospital. Gathering scans from further people would help.",
        "A ruler or the colour of one camera stands on many of them. Whether it knows the disease "
        "shows on patients from another clinic, never met before; and collecting more lesions "
        "would help most."],
}  # fmt: skip
MISTAKES = {
    1: [((2, 8), "a last, smaller batch"),
        ((1_300 / 512, 4 * 1_300 / 512), "a last, smaller batch"),
        ((USUAL, USUAL * EPOCHS), "steps with batches of 128"),
        ((STEPS, STEPS), "Both are the steps of one epoch"), ((STEPS * EPOCHS, STEPS), "exchanged"),
        ((512, 2048), "how many rows a step has"), ((7, 28), "each of the 1,300 rows"),
        ((STEPS, 99), "in all epochs together")],
    2: [((1, 3), "counted from 0"), ((5, 4), "where the loss is largest"), ((4, 2), "exchanged"),
        ((5, 5), "training values"), ((1.1, 0.71), "values, not epochs"),
        ((2, 3), "by val_balanced_accuracy"), ((2, 1), "The first is right"),
        ((3, 4), "The second is right"), ((1, 1), "Neither")],
    3: [(ModelCheckpoint("validation_loss", mode="min"), "No number is logged"),
        (ModelCheckpoint("val_acc", mode="max"), "No number is logged"),
        (ModelCheckpoint("loss", mode="min"), "training loss"),
        (ModelCheckpoint("val_balanced_accuracy", mode="max"), "validation images"),
        (ModelCheckpoint("val_loss", mode="max"), "the smaller it is"),
        (ModelCheckpoint("val_loss", monitor_op=operator.gt), "the smaller it is"),
        (ModelCheckpoint("val_loss", mode="min", best=False), "after every epoch"),
        (ModelCheckpoint("val_loss", mode="min", weights=False), "weights only"),
        (ModelCheckpoint("val_loss", mode="min", save_freq=100), "counts batches"),
        (ModelCheckpoint, "the class itself"), (EarlyStopping(), "writes no file"),
        ("best.weights.h5", "no ModelCheckpoint"), (len, "no ModelCheckpoint"),
        (np.zeros(3), "no ModelCheckpoint"), ({"monitor": "val_loss"}, "no ModelCheckpoint")],
    4: [("It learned the hair by heart; show it new lesions, and collect more.", "has 13 words"),
        ("I would show it the test part, which is new to it, and then collect more lesions. " * 2,
         "what it may have learned"),
        ("It may know the hair and the ruler. One should collect more lesions of this kind. " * 2,
         "how you would find out"),
        ("It may know the hair and the ruler. One should look at the validation part then. " * 2,
         "what would help")],
}  # fmt: skip
LATER = {"val_loss": [3.0, 2.0, 1.0], "val_accuracy": [0.9, 0.2, 0.9], "loss": [1.0, 1.0, 1.0]}
OTHERWISE = [
    (1, {"rows": 95, "epochs": 2, "batch_size": 10}, (10, 20), True, ""),
    (1, {"rows": np.zeros(30), "epochs": 1, "batch_size": 10}, (3, 3), True, ""),
    (2, {"history": LATER}, (3, 1), True, ""),
    (2, {"history": LATER}, (3, 3), True, ""),
    (3, {"log": {"loss": [1.0]}}, ModelCheckpoint("val_loss", mode="min"), False, ""),
]
