"""Self-checks of chapter 5: steps of a batch, the epoch kept, a checkpoint mended, by heart."""

import math
from collections.abc import Mapping

import numpy as np

from exercises.base import Feedback, WrongKind, essay, exercise, number, right, wrong

BATCH = "section 'Batch size'"
CURVES = "section 'Learning curves'"
CHECKPOINT = "section 'A checkpoint that watches nothing'"


@exercise(wanted="two whole numbers, (steps in an epoch, steps in the run)", look=BATCH)
def exercise_1(
    answer: object, rows: object, epochs: int, *, batch_size: int = 512, before: int = 128
) -> Feedback:
    """Check how many steps an epoch and the run have with another batch size.

    Mistakes met: the last, smaller batch forgotten, the old batch size, the steps of one epoch
    given twice, the two exchanged, images per step in place of steps.

    Parameters
    ----------
    rows : ndarray of int, or int
        The row numbers that are trained on, or how many there are.
    epochs : int
        Epochs of the run.
    batch_size, before : int
        The new batch size, and the chapter's.
    """
    steps, all_steps = _two(answer)
    n = int(rows) if isinstance(rows, int | np.integer) else len(rows)
    expected = math.ceil(n / batch_size)
    if (steps, all_steps) == (expected, expected * epochs):
        usual = math.ceil(n / before)
        text = f"With batches of {before} it is {usual:,} steps an epoch, {usual * epochs:,} in all"
        return right(f"{text}: the weights are turned less often now.", got=_ints(answer))
    if (steps, all_steps) == (expected * epochs, expected):
        message = "The two are exchanged: the steps of one epoch come first."
    elif steps == math.ceil(n / before):
        message = f"These are the steps with batches of {before}; they hold {batch_size} rows now."
    elif steps == n // batch_size or abs(steps - n / batch_size) < 0.01:
        message = "The rows that are left over make a last, smaller batch; it is a step as well."
    elif steps == batch_size:
        message = "This is how many rows a step has; the question is how many steps there are."
    elif steps != expected:
        message = "How many batches are needed until every row was shown once?"
    elif all_steps == expected:
        message = f"Both are the steps of one epoch; the run has {epochs} epochs."
    else:
        message = "The steps of an epoch are right. How many are there in all epochs together?"
    wanted = f"{n:,} rows in batches of {batch_size}, rounded up; then times {epochs} epochs"
    return wrong(message, got=_ints(answer), expected=wanted, look=BATCH)


@exercise(
    wanted="two whole numbers, (epoch of the smallest val_loss, epoch of the largest val_accuracy)",
    look=CURVES,
)
def exercise_2(answer: object, history: Mapping[str, list[float]]) -> Feedback:
    """Check which epochs two other numbers would keep.

    Where a value occurs twice, the first epoch is kept and both are accepted. Mistakes met:
    counted from 0, the largest loss, the training values, the two exchanged, values in place of
    epochs.

    Parameters
    ----------
    history : dict of list of float
        ``history.history`` of the run: one value per epoch under each name.
    """
    got = _two(answer)
    loss, accuracy = (np.asarray(history[k], float) for k in ("val_loss", "val_accuracy"))
    best = [_places(loss == loss.min()), _places(accuracy == accuracy.max())]
    expected = [min(epochs) for epochs in best]

    def same(one: list[set[int]]) -> bool:
        return all(g in epochs for g, epochs in zip(got, one, strict=True))

    balanced = history.get("val_balanced_accuracy")
    if same(best):
        text = "Another number to watch, another network."
        if balanced is not None:
            values = [float(balanced[epoch - 1]) for epoch in expected]
            text = (
                f"Their balanced accuracy is {values[0]:.3f} and {values[1]:.3f}; the best epoch "
                f"by that number has {max(balanced):.3f}."
            )
        return right(text, got=_ints(answer))
    if same([{e - 1 for e in epochs} for epochs in best]):
        message = "These are counted from 0, as Python counts; the first epoch is number 1."
    elif same([_places(loss == loss.max()), best[1]]):
        message = "This is where the loss is largest; a loss is the better the smaller it is."
    elif same(best[::-1]):
        message = "The two are exchanged: the epoch by val_loss comes first."
    elif same(_of_training(history)):
        message = "These are the epochs of the training values; take those that begin with val_."
    elif any(not float(g).is_integer() for g in got):
        message = "These are values, not epochs: where in the list do they stand?"
    elif got[0] in best[0]:
        message = "The first is right. The second is the epoch with the largest val_accuracy."
    elif got[1] in best[1]:
        message = "The second is right. The first is the epoch with the smallest val_loss."
    else:
        message = "Neither is the epoch in which its number was best."
    wanted = "1 + the place of the smallest val_loss, and of the largest val_accuracy"
    return wrong(message, got=_ints(answer), expected=wanted, look=CURVES)


@exercise(wanted="a keras.callbacks.ModelCheckpoint", look=CHECKPOINT)
def exercise_3(answer: object, log: Mapping[str, list[float]]) -> Feedback:
    """Check a checkpoint that keeps the weights of the epoch with the smallest validation loss.

    Mistakes met: a name that is not logged, the training loss, another number, the wrong
    direction, every epoch saved, the whole model saved, saved by batches, another callback.

    Parameters
    ----------
    log : dict of list of float
        A history: its names are those that can be watched.
    """
    callback = answer[0] if isinstance(answer, list | tuple) and len(answer) == 1 else answer
    kinds = [kind.__name__ for kind in type(callback).__mro__]
    wanted = "watches val_loss, keeps the smallest, saves the best epoch only, and weights only"
    if "ModelCheckpoint" not in kinds:
        message = "This is no ModelCheckpoint."
        if isinstance(callback, type):
            message = "This is the class itself; call it, so that it becomes a checkpoint."
        elif "EarlyStopping" in kinds:
            message = "This ends a training early and writes no file; a checkpoint is wanted."
        return wrong(message, got=kinds[0], expected="a ModelCheckpoint", look=CHECKPOINT)
    watched, direction = callback.monitor, _direction(callback)
    got = (
        f"monitor={watched!r}, direction {direction}, save_best_only={callback.save_best_only}, "
        f"save_weights_only={callback.save_weights_only}"
    )
    if watched not in log:
        message = f"No number is logged under this name: {watched}. Keras warns, and goes on."
    elif watched == "loss":
        message = "This watches the training loss, which falls on while it learns by heart."
    elif watched != "val_loss":
        message = f"This watches {watched}; the task asks for the loss on the validation images."
    elif direction != "min":
        message = "A loss is the better the smaller it is; this keeps the epoch with the largest."
    elif not callback.save_best_only:
        message = "This saves after every epoch, better or not: in the end the file holds the last."
    elif not callback.save_weights_only:
        message = "This saves the whole model; the task asks for the weights only."
    elif getattr(callback, "save_freq", "epoch") != "epoch":
        message = "save_freq counts batches here, but val_loss is known only after an epoch."
    else:
        text = "A name that is logged, the right direction, and the best epoch only."
        return right(f"{text} Now look whether the file is there.", got=got)
    return wrong(message, got=got, expected=wanted, look=CHECKPOINT)


# What the open answer should name, each by any of several word stems.
ELEMENTS = {
    "what it may have learned in place of the disease (name something of the pictures)": (
        r"by heart|memor|hair|corner|border|edge|ruler|\bink\b|marker|bubble|gel\b|light|"
        r"colou?r|background|camera|\bskin around|artefact|artifact|position|pixel|"
        r"these (very )?(80|eighty|pictures|images|photographs)|same (picture|image|photograph)|"
        r"recogni[sz]e[sd]? (the|each)|\bmarks\b|vignett|freckl|illuminat|\bdevice|bright|shadow"
    ),
    "how you would find out (on which images)": (
        r"validation|test (part|image|lesion|set)|other (image|lesion|patient|clinic|people)|"
        r"new (image|lesion|patient|picture|dermato)|unseen|never (seen|met|shown)|not (seen|shown|"
        r"trained)|(held|kept) (out|back|aside)|cover|hide|mask|"
        r"(another|different|second) (clinic|hospital|camera|practice|collection)"
    ),
    "what would help": (
        r"more (lesion|patient|image|dermatofibroma|picture|photograph|case)|collect|augment|"
        r"turn|mirror|flip|rotat|shift|crop|stop (early|earlier|before|in time)|early stop|gather|"
        r"fewer epoch|fewer cop|dropout|regulari|smaller network|class weight|vary|varied|"
        r"change[sd]? (each|the|every) cop"
    ),
}


@exercise(
    wanted="a text of two to five sentences", look="section 'Why oversampling makes it faster'"
)
def exercise_4(answer: object, *, fewest: int = 25) -> Feedback:
    """Look in the open answer for what was learned instead, a test of it, and a remedy.

    It looks for words and cannot judge an argument. Named are: a text that is too short, and each
    of the three elements that is missing.
    """
    look = "section 'Why oversampling makes it faster', the table and what follows it"
    return essay(answer, ELEMENTS, fewest=fewest, look=look)


def _two(answer: object) -> list[float]:
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    if isinstance(answer, str) or not hasattr(answer, "__len__") or len(answer) != 2:
        raise WrongKind("Two numbers are wanted, in brackets with a comma between them.")
    return [number(one) for one in answer]


def _ints(answer: object) -> tuple[float, ...]:
    return tuple(int(one) if float(one).is_integer() else one for one in _two(answer))


def _places(mask: np.ndarray) -> set[int]:
    """Return the epochs, counted from 1, at which a mask is true."""
    return {int(place) + 1 for place in np.flatnonzero(mask)}


def _of_training(history: Mapping[str, list[float]]) -> list[set[int]]:
    loss, accuracy = (np.asarray(history.get(k, [np.nan]), float) for k in ("loss", "accuracy"))
    return [_places(loss == loss.min()), _places(accuracy == accuracy.max())]


def _direction(callback: object) -> str:
    """Return whether a checkpoint keeps the smallest or the largest value, in any Keras 3."""
    mode, better = getattr(callback, "mode", None), getattr(callback, "monitor_op", None)
    if mode in ("min", "max"):
        return mode
    if better is not None:
        return "min" if bool(better(0.0, 1.0)) else "max"
    return "min" if callback.monitor.endswith("loss") else "max"
