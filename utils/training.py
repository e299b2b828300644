"""Recipes, the function that trains by one, and what it uses: rows, a metric, one tidy line."""

import dataclasses
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from imblearn.over_sampling import RandomOverSampler
from IPython import get_ipython
from IPython.display import display
from keras import ops

from utils.classes import CLASSES
from utils.data import LesionImages
from utils.files import replace_file
from utils.models import BUILDERS, Augment
from utils.splits import Split
from utils.weights import RUNS, BirthCertificate, make_certificate, save_weights

__all__ = [
    "BEST", "ORIGINAL", "BalancedAccuracy", "EpochLine", "FineTuning", "Recipe", "Rows",
    "class_shares", "compiled", "optimizer_of", "oversampled_indices", "train",
]  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are the course's own recipe, found in chapter 9.

    Loshchilov and Hutter, ICLR 2019 (AdamW); Szegedy et al., CVPR 2016 (label smoothing);
    Polyak and Juditsky, SIAM J. Control Optim. 1992 (average).
    """

    network: str = "small_resnet"  # a name in `utils.models.BUILDERS`
    epochs: int = 50  # passes over the training rows
    batch_size: int = 128  # images per step
    learning_rate: float = 3e-3  # the largest one
    # "cosine": it rises to the largest over the first tenth of the steps and falls to almost
    # nothing along a cosine. "constant": it stays.
    schedule: str = "cosine"
    weight_decay: float = 0.05  # of AdamW, for convolution and dense kernels; 0 means plain Adam
    # How the rare classes are made to count. "none"; "oversample": their images are repeated
    # until all classes are equally frequent; "draw": each epoch draws as many rows as there are
    # images, an image of a class with n images with weight 1/n**power; "weight": the same
    # numbers as weights of the loss.
    rebalance: str = "draw"
    power: float = 0.5  # for "draw" and "weight", from 0 (no rebalancing) to 1 (full)
    prior: bool = True  # put the answers back to the class shares of the training part in the end
    label_smoothing: float = 0.05  # share of a label's certainty that all classes get
    average: float = 0.995  # momentum of the running mean of the weights that is kept; 0: none
    symmetries: bool = True  # this and the next three: see `utils.models.Augment`
    shift: float = 2.0
    zoom: float = 0.0
    colour: float = 0.5
    # "last": the weights after the last epoch. "best": those of the epoch with the highest
    # balanced accuracy on the validation part.
    keep: str = "last"

    def __post_init__(self) -> None:
        choices = {"network": tuple(BUILDERS), "schedule": ("cosine", "constant")}
        choices |= {"rebalance": ("none", "oversample", "draw", "weight"), "keep": ("last", "best")}
        for field, allowed in choices.items():
            if (value := getattr(self, field)) not in allowed:
                raise ValueError(f"{field} is {value!r}; it can be {', '.join(allowed)}")


@dataclass(frozen=True)
class FineTuning(Recipe):
    """How a network that has learned from other photographs learns further, found in chapter 10."""

    network: str = "efficientnet_lite0_128"
    epochs: int = 14
    batch_size: int = 64
    body_rate: float = 0.5  # learning rate of all but the last layer, as a share of the last one's
    shift: float = 9.0
    zoom: float = 0.15
    colour: float = 1.0


BEST = Recipe()
ORIGINAL = Recipe(
    network="original_cnn", learning_rate=1e-3, schedule="constant", weight_decay=0.0,
    rebalance="oversample", prior=False, label_smoothing=0.0, average=0.0,
    symmetries=False, shift=0.0, colour=0.0, keep="best",
)  # fmt: skip


def oversampled_indices(labels: np.ndarray, indices: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Draw images of the rare classes again until all classes are equally frequent.

    Works on row numbers, so no pixel is copied (``RandomOverSampler``: Lemaitre, Nogueira,
    Aridas, JMLR 18(17), 2017).

    Parameters
    ----------
    labels : ndarray of int, shape (N,), of the whole data set
    indices : ndarray of int, shape (n,), the training rows; each is among those returned
    """
    sampler = RandomOverSampler(random_state=seed)
    drawn, _ = sampler.fit_resample(np.asarray(indices).reshape(-1, 1), labels[indices])
    return drawn.ravel().astype(np.int64)


@keras.saving.register_keras_serializable("reading_skin")
class BalancedAccuracy(keras.metrics.Metric):
    """``sklearn.metrics.balanced_accuracy_score`` while training; Keras has no mean recall."""

    def __init__(self, name: str = "balanced_accuracy", **kwargs) -> None:
        super().__init__(name=name, **kwargs)
        start = {"shape": (len(CLASSES),), "initializer": "zeros"}
        self.right = self.add_weight(**start, name="right")
        self.total = self.add_weight(**start, name="total")

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        if len(y_true.shape) == 2 and y_true.shape[-1] == len(CLASSES):  # one-hot labels
            y_true = ops.argmax(y_true, axis=-1)
        truth = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), len(CLASSES))
        guess = ops.one_hot(ops.argmax(y_pred, axis=-1), len(CLASSES))
        self.total.assign_add(ops.sum(truth, axis=0))
        self.right.assign_add(ops.sum(truth * guess, axis=0))

    def result(self):
        present = ops.cast(self.total > 0, "float32")
        recall = self.right / ops.maximum(self.total, 1.0)
        return ops.sum(recall) / ops.maximum(ops.sum(present), 1.0)


class EpochLine(keras.callbacks.Callback):
    """Show one line, renewed after every epoch; `watch` names what says how good an epoch is."""

    def __init__(self, watch: str = "val_balanced_accuracy") -> None:
        super().__init__()
        self.watch = watch

    def on_train_begin(self, logs=None) -> None:
        self.start, self.best, self.handle = time.perf_counter(), (-1.0, 0), None

    def on_epoch_end(self, epoch, logs=None) -> None:
        per_epoch = (time.perf_counter() - self.start) / (epoch + 1)
        line = f"epoch {epoch + 1:2d} of {self.params['epochs']}, {per_epoch:.1f} s each: "
        line += f"loss {logs['loss']:.3f}"
        if (value := logs.get(self.watch)) is not None:
            self.best = max(self.best, (value, epoch + 1), key=lambda pair: pair[0])
            name = self.watch.replace("val_", "validation ").replace("_", " ")
            line += f", {name} {value:.3f}, best so far {self.best[0]:.3f} (epoch {self.best[1]})"
        if get_ipython() is None:
            print(line, flush=True)
        elif self.handle is None:
            self.handle = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self.handle.update({"text/plain": line}, raw=True)


class Rows(keras.utils.PyDataset):
    """Hand over images of the training `rows`, (n,), in batches as a recipe says, uncopied."""

    def __init__(self, dataset: LesionImages, rows: np.ndarray, recipe: Recipe, *, seed: int):
        super().__init__(workers=1, max_queue_size=8)
        self.dataset, self.recipe = dataset, recipe
        self.rng = np.random.default_rng(seed)
        labels = dataset.labels[rows]
        counts = np.bincount(labels, minlength=len(CLASSES))
        weight = (1 / np.maximum(counts, 1) ** recipe.power)[labels]
        self.weights = np.zeros(len(dataset.labels), dtype=np.float32)
        self.weights[rows] = weight / weight.mean()
        self.chances = weight / weight.sum()
        self.rows = rows
        if recipe.rebalance == "oversample":
            self.rows = oversampled_indices(dataset.labels, rows, seed=seed)
        chances = self.chances if recipe.rebalance == "draw" else None
        shares = np.bincount(dataset.labels[self.rows], chances, minlength=len(CLASSES))
        self.shares = shares / shares.sum()
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self.rows) // self.recipe.batch_size)

    def on_epoch_end(self) -> None:
        """Draw the rows of the next epoch."""
        if self.recipe.rebalance == "draw":
            self.order = self.rng.choice(self.rows, size=len(self.rows), p=self.chances)
        else:
            self.order = self.rng.permutation(self.rows)

    def __getitem__(self, number: int):
        size = self.recipe.batch_size
        rows = self.order[number * size : (number + 1) * size]
        labels = keras.utils.to_categorical(self.dataset.labels[rows], len(CLASSES))
        weights = (self.weights[rows],) if self.recipe.rebalance == "weight" else ()
        return self.dataset.images[rows], labels, *weights


def class_shares(labels: np.ndarray) -> np.ndarray:
    """Return the share of each class among `labels`, ndarray of float, shape (7,)."""
    return np.bincount(labels, minlength=len(CLASSES)) / len(labels)


def restore_prior(network: keras.Model, drawn: np.ndarray, shares: np.ndarray) -> None:
    """Let a network that was trained on class shares `drawn` answer for `shares`, each (7,).

    What `utils.calibration.for_shares` does to an answer is done here once and for all: the last
    layer is dense with a softmax, whose bias moves by the logarithm of the quotient of shares.
    """
    change = np.log(np.maximum(shares, 1e-9)) - np.log(np.maximum(drawn, 1e-9))
    network.layers[-1].bias.assign_add(ops.convert_to_tensor(change.astype("float32")))


def optimizer_of(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """Return the optimiser of a recipe for a training of so many steps."""
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        warm = max(1, steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 20, max(1, steps - warm), alpha=0.01, warmup_target=rate, warmup_steps=warm
        )
    averaging = {"use_ema": True, "ema_momentum": recipe.average} if recipe.average else {}
    if not recipe.weight_decay:
        return keras.optimizers.Adam(rate, **averaging)
    if hasattr(recipe, "body_rate"):
        optimizer = TwoRates(rate, weight_decay=recipe.weight_decay, **averaging)
        optimizer.body_rate = recipe.body_rate
    else:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **averaging)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


class TwoRates(keras.optimizers.AdamW):
    """AdamW with smaller steps for the body than for the last layer, which has a column a class."""

    def update_step(self, gradient, variable, learning_rate):
        if variable.shape[-1] != len(CLASSES):  # backends pass on no name that would tell
            learning_rate = learning_rate * self.body_rate
        super().update_step(gradient, variable, learning_rate)


def compiled(network: keras.Model, recipe: Recipe, *, steps: int, seed: int = 0) -> keras.Model:
    """Make a network ready for ``fit`` with raw images and one-hot labels, as a recipe says.

    Parameters
    ----------
    network : keras.Model
    recipe : Recipe
    steps : int, batches of the whole training, over which the learning rate follows its schedule
    seed : int, of the augmentation
    """
    options = {name: getattr(recipe, name) for name in ("symmetries", "shift", "zoom", "colour")}
    augment = Augment(**options, seed=seed)
    model = keras.Sequential([keras.Input(network.input_shape[1:]), augment, network])
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing)
    model.compile(optimizer_of(recipe, steps), loss, metrics=["accuracy", BalancedAccuracy()])
    return model


def train(
    dataset: LesionImages, split: Split, recipe: Recipe = BEST, *,
    name: str, seed: int = 0, folder: Path = RUNS,
) -> tuple[keras.Model, BirthCertificate]:  # fmt: skip
    """Train a network by a recipe, save and return it with its certificate, as chapter 5 shows.

    Parameters
    ----------
    dataset : LesionImages
    split : Split, from ``utils.splits.lesion_split``; its test part is not touched
    recipe : Recipe
    name : str, of the files in `folder`: ``name.weights.h5`` and ``name.json``
    seed : int, of initial weights, order of images, oversampling and dropout
    folder : Path, made if it is missing
    """
    if recipe.keep == "best" and not len(split.validation):
        raise ValueError('keep="best" chooses by the validation part, and this split has none')
    replace_file(probe := folder / f".{name}.probe", "")  # an error comes now, not hours later
    probe.unlink(missing_ok=True)
    keras.utils.set_random_seed(seed)
    network = BUILDERS[recipe.network]()
    rows = Rows(dataset, split.train, recipe, seed=seed)
    model = compiled(network, recipe, steps=len(rows) * recipe.epochs, seed=seed)
    labels = keras.utils.to_categorical(dataset.labels[split.validation], len(CLASSES))
    validation = (dataset.images[split.validation], labels) if len(labels) else None
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        best = Path(temporary) / "best.weights.h5"
        # The validation numbers are those of the averaged weights, which are the ones kept: where
        # an epoch's are stored, they have to stay in place until its end.
        choose = recipe.keep == "best"
        callbacks = [keras.callbacks.SwapEMAWeights(choose)] if recipe.average else []
        if choose:
            watch = {"monitor": "val_balanced_accuracy", "mode": "max", "save_best_only": True}
            callbacks += [keras.callbacks.ModelCheckpoint(best, save_weights_only=True, **watch)]
        callbacks += [EpochLine()]
        history = model.fit(
            rows, validation_data=validation, epochs=recipe.epochs, callbacks=callbacks, verbose=0
        )
        if best.exists():
            model.load_weights(best)
        elif recipe.average:
            model.optimizer.finalize_variable_values(model.trainable_variables)
    if recipe.prior:
        restore_prior(network, rows.shares, class_shares(dataset.labels[split.train]))
    certificate = make_certificate(
        name=name, recipe=dataclasses.asdict(recipe), dataset=dataset, split=split, seed=seed,
        history=history.history, seconds=time.perf_counter() - start,
    )  # fmt: skip
    certificate = save_weights(network, certificate, folder=folder)
    network.load_weights(folder / f"{name}.weights.h5")  # as it is stored, to the last digit
    return network, certificate
