"""Self-checks of chapter 5: steps of a batch, the epoch kept, a checkpoint mended, by heart."""

import math
from collections.abc import Callable

import numpy as np

from exercises.base import compare, exercise, numbers, open_question


@exercise("two whole numbers, (steps in an epoch, steps in the run)", "'Batch size'")
def exercise_1(answer, rows, epochs, *, batch_size=512, before=128):
    """Check how many steps an epoch and the run have with another batch size than `before`."""
    # `rows` are the row numbers that are trained on, or how many there are.
    n = int(rows) if isinstance(rows, int | np.integer) else len(rows)
    steps, usual = math.ceil(n / batch_size), math.ceil(n / before)
    return compare(numbers(answer, 2), [
        ((steps, steps * epochs),
         f"With batches of {before} it is {usual:,} steps an epoch, {usual * epochs:,} in all: the "
         "weights are turned less often now."),
        (usual, f"These are the steps with batches of {before}; they hold {batch_size} rows now."),
        ((steps, steps), f"Both are the steps of one epoch; the run has {epochs} epochs."),
        (steps, "The steps of an epoch are right. How many are there in all epochs together?"),
        *((value, "The rows left over make a last, smaller batch; it is a step as well.", 0.01)
          for value in (n // batch_size, n / batch_size)),
        (batch_size, "This is how many rows a step has; the question is how many steps there are."),
        (..., f"How many batches are needed until each of the {n:,} rows was shown once?"),
    ], f"{n:,} rows / {batch_size}, rounded up; then times {epochs} epochs", within=0)  # fmt: skip


@exercise(
    "two whole numbers, (epoch of the smallest val_loss, epoch of the largest val_accuracy)",
    "'Learning curves'",
)
def exercise_2(answer, history):
    """Check which epochs two other numbers would keep, by ``history.history`` of the run."""
    # Where a value occurs twice, the first epoch is kept and both are accepted.
    loss, accuracy = (np.asarray(history[k], float) for k in ("val_loss", "val_accuracy"))
    by_loss, by_accuracy = _epochs(loss, np.min), _epochs(accuracy, np.max)
    first, second = numbers(answer, 2)

    def are(losses: set[int], accuracies: set[int]) -> bool:
        return first in losses and second in accuracies

    text = "Another number to watch, another network."
    if balanced := history.get("val_balanced_accuracy"):
        a, b = (balanced[min(epochs) - 1] for epochs in (by_loss, by_accuracy))
        text = f"Their balanced accuracy is {a:.3f} and {b:.3f}; the best epoch by that number has "
        text += f"{max(balanced):.3f}."
    watched = _epochs(np.asarray(balanced or [np.nan], float), np.max)
    training = [np.asarray(history.get(k, [np.nan]), float) for k in ("loss", "accuracy")]
    return compare((first, second), [
        (are(by_loss, by_accuracy), text),
        (are({e - 1 for e in by_loss}, {e - 1 for e in by_accuracy}),
         "These are counted from 0, as Python counts; the first epoch is number 1."),
        (are(_epochs(loss, np.max), by_accuracy),
         "This is where the loss is largest; a loss is the better the smaller it is."),
        (are(by_accuracy, by_loss), "The two are exchanged: the epoch by val_loss comes first."),
        (are(_epochs(training[0], np.min), _epochs(training[1], np.max)),
         "These are the epochs of the training values; take those that begin with val_."),
        (first % 1 > 0 or second % 1 > 0, "These are values, not epochs: where do they stand?"),
        (are(by_loss, watched),
         "The first is right. The second is best by val_balanced_accuracy; take val_accuracy."),
        (first in by_loss, "The first is right. The second is where val_accuracy is largest."),
        (second in by_accuracy, "The second is right. The first is where val_loss is smallest."),
        (..., "Neither is the epoch in which its number was best."),
    ], "1 + the place of the smallest val_loss, and of the largest val_accuracy")  # fmt: skip


@exercise("a keras.callbacks.ModelCheckpoint", "'A checkpoint that watches nothing'")
def exercise_3(answer, log):
    """Check a checkpoint that keeps the epoch of the smallest loss; `log` is a history."""
    callback = answer[0] if isinstance(answer, list | tuple) and len(answer) == 1 else answer
    kinds = [kind.__name__ for kind in type(callback).__mro__]
    watched, direction = getattr(callback, "monitor", ""), _direction(callback)
    best = getattr(callback, "save_best_only", False)
    weights = getattr(callback, "save_weights_only", False)
    by_epoch = getattr(callback, "save_freq", "epoch") == "epoch"
    right = watched in log and (watched, direction) == ("val_loss", "min") and by_epoch
    shown = f"monitor={watched!r}, direction {direction}, save_best_only={best}, "
    shown += f"save_weights_only={weights}"
    return compare(shown if "ModelCheckpoint" in kinds else callback, [
        (bool(right and best and weights),
         "A name that is logged, the right direction, and the best epoch only. Now look whether "
         "the file is there."),
        (isinstance(callback, type), "This is the class itself; call it to make a checkpoint."),
        ("EarlyStopping" in kinds, "This stops early and writes no file; a checkpoint is wanted."),
        ("ModelCheckpoint" not in kinds,
         "This is no ModelCheckpoint; it begins with keras.callbacks.ModelCheckpoint( … )."),
        (watched not in log, f"No number is logged as {watched}. Keras warns, and goes on."),
        (watched == "loss", "That is the training loss, which falls on while it learns by heart."),
        (watched != "val_loss", f"This watches {watched}; take the loss on the validation images."),
        (direction != "min", "A loss is the better the smaller it is; this keeps the largest."),
        (not best, "This saves after every epoch, better or not; the last one stays."),
        (not weights, "This saves the whole model; the task asks for the weights only."),
        (..., "save_freq counts batches here, but val_loss is known only after an epoch."),
    ], "watches val_loss, keeps the smallest, saves the best epoch only, weights only")  # fmt: skip


exercise_4 = open_question("a text of two to five sentences", fewest=25, elements={
    "what it may have learned in place of the disease (name something of the pictures)":
        r"by heart|memor|hair|corner|border|edge|ruler|\bink\b|marker|bubble|gel\b|light|colou?r|"
        r"background|camera|\bskin around|artefact|artifact|position|pixel|these (very )?(80|"
        r"eighty|pictures|images|photographs)|same (picture|image|photograph)|"
        r"recogni[sz]e[sd]? (the|each)|\bmarks\b|vignett|freckl|illuminat|\bdevice|bright|shadow",
    "how you would find out (on which images)":
        r"validation|test (part|image|lesion|set)|other (image|lesion|patient|clinic|people)|"
        r"new (image|lesion|patient|picture|dermato)|unseen|never (seen|met|shown)|not (seen|"
        r"shown|trained)|(held|kept) (out|back|aside)|cover|hide|mask|(another|different|"
        r"second) (clinic|hospital|camera|practice|collection)",
    "what would help":
        r"more (lesion|patient|image|dermatofibroma|picture|photograph|case)|collect|augment|turn|"
        r"mirror|flip|rotat|shift|crop|stop (early|earlier|before|in time)|early stop|gather|"
        r"fewer epoch|fewer cop|dropout|regulari|smaller network|class weight|vary|varied|"
        r"change[sd]? (each|the|every) cop",
}, look="'How often each image is shown', the table and what follows it")  # fmt: skip


def _epochs(values: np.ndarray, best: Callable[[np.ndarray], float]) -> set[int]:
    """Return the epochs, counted from 1, with the best value."""
    return {int(place) + 1 for place in np.flatnonzero(values == best(values))}


def _direction(callback: object) -> str:
    """Return whether a checkpoint keeps the smallest or the largest value, in any Keras 3."""
    mode, better = getattr(callback, "mode", None), getattr(callback, "monitor_op", None)
    if mode in ("min", "max"):
        return mode
    is_loss = str(getattr(callback, "monitor", "")).endswith("loss")
    return "min" if (is_loss if better is None else better(0.0, 1.0)) else "max"
