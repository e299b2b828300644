"""Recipes for training, and what they use: oversampling, a metric, one tidy line."""

import dataclasses
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from imblearn.over_sampling import RandomOverSampler
from keras import ops

from utils.classes import CLASSES
from utils.data import LesionImages
from utils.models import BUILDERS, Augment
from utils.splits import Split
from utils.weights import RUNS, BirthCertificate, save_weights


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are the course's own recipe, found in chapter 8.

    Attributes
    ----------
    network : str
        Name of the function in ``utils.models``.
    epochs, batch_size : int
        Passes over the training rows, and images per step.
    learning_rate : float
        The largest one. With ``schedule="cosine"`` it rises to it over the first tenth of the
        steps and falls to almost nothing along a cosine; with ``"constant"`` it stays.
    schedule : str
        ``"cosine"`` or ``"constant"``.
    weight_decay : float
        Of the AdamW optimiser, for convolution and dense kernels; 0 means plain Adam.
    rebalance : str
        How the rare classes are made to count. ``"none"``; ``"oversample"``: their images are
        repeated until all classes are equally frequent; ``"draw"``: each epoch draws as many
        rows as there are images, an image of a class with n images with weight 1/n**`power`;
        ``"weight"``: the same numbers as weights of the loss.
    power : float
        From 0 (no rebalancing) to 1 (full), for ``"draw"`` and ``"weight"``.
    prior : bool
        Put the answers back to the class shares of the training part when the training is over,
        where rows were drawn in other shares (`restore_prior`).
    label_smoothing : float
        Share of the certainty of a label that is spread over all classes.
    average : float
        Momentum of the running mean of the weights that is kept in the end; 0 means none.
    symmetries, shift, zoom, colour
        Of `utils.augment.Augment`; all off: no augmentation.
    keep : str
        ``"last"``: the weights after the last epoch. ``"best"``: those of the epoch with the
        highest balanced accuracy on the validation part.

    References
    ----------
    Loshchilov and Hutter, ICLR 2019 (AdamW); Szegedy et al., CVPR 2016 (label smoothing);
    Polyak and Juditsky, SIAM J. Control Optim. 1992 (average).
    """

    network: str = "small_resnet"
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float = 0.05
    rebalance: str = "draw"
    power: float = 0.5
    prior: bool = True
    label_smoothing: float = 0.05
    average: float = 0.995
    symmetries: bool = True
    shift: float = 2.0
    zoom: float = 0.0
    colour: float = 0.5
    keep: str = "last"

    def __post_init__(self) -> None:
        for field, allowed in (
            ("network", tuple(BUILDERS)),
            ("schedule", ("cosine", "constant")),
            ("rebalance", ("none", "oversample", "draw", "weight")),
            ("keep", ("last", "best")),
        ):
            if getattr(self, field) not in allowed:
                raise ValueError(
                    f"{field} is {getattr(self, field)!r}; it can be {', '.join(allowed)}"
                )


BEST = Recipe()
ORIGINAL = Recipe(
    network="original_cnn",
    epochs=50,
    learning_rate=1e-3,
    schedule="constant",
    weight_decay=0.0,
    rebalance="oversample",
    prior=False,
    label_smoothing=0.0,
    average=0.0,
    symmetries=False,
    shift=0.0,
    zoom=0.0,
    colour=0.0,
    keep="best",
)


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
    """Show one line that is renewed after every epoch, in a notebook as in a terminal.

    Parameters
    ----------
    watch : str
        The number in Keras' history that says how good an epoch is, the higher the better.
    """

    def __init__(self, watch: str = "val_balanced_accuracy") -> None:
        super().__init__()
        self.watch = watch

    def on_train_begin(self, logs=None) -> None:
        self.start, self.best, self.handle = time.perf_counter(), (-1.0, 0), None

    def on_epoch_end(self, epoch, logs=None) -> None:
        per_epoch = (time.perf_counter() - self.start) / (epoch + 1)
        line = f"epoch {epoch + 1:2d} of {self.params['epochs']}, {per_epoch:.1f} s each: "
        line += f"loss {logs['loss']:.3f}"
        value = logs.get(self.watch)
        if value is not None:
            self.best = max(self.best, (value, epoch + 1), key=lambda pair: pair[0])
            name = self.watch.replace("val_", "validation ").replace("_", " ")
            line += f", {name} {value:.3f}, best so far {self.best[0]:.3f} (epoch {self.best[1]})"
        self._show(line)

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


class Rows(keras.utils.PyDataset):
    """Hand the network a batch of images at a time, by row number; no pixel is stored twice.

    Parameters
    ----------
    dataset : LesionImages
    rows : ndarray of int, shape (n,)
        The training rows.
    recipe : Recipe
        Its `batch_size`, `rebalance` and `power`.
    seed : int
        Seed of the order and of the draws.
    """

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
        drawn = dataset.labels[self.rows]
        chances = self.chances if recipe.rebalance == "draw" else None
        shares = np.bincount(drawn, chances, minlength=len(CLASSES))
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
        if self.recipe.rebalance == "weight":
            return self.dataset.images[rows], labels, self.weights[rows]
        return self.dataset.images[rows], labels


def class_shares(labels: np.ndarray) -> np.ndarray:
    """Return the share of each class among `labels`, ndarray of float, shape (7,)."""
    return np.bincount(labels, minlength=len(CLASSES)) / len(labels)


def restore_prior(network: keras.Model, drawn: np.ndarray, shares: np.ndarray) -> None:
    """Let a network that was trained on drawn rows answer for the shares of the whole data.

    By Bayes' rule a probability is proportional to likelihood times prior, so the answer is
    multiplied by the new share over the old one: a change of the last layer's bias by the
    logarithm of that quotient.

    Parameters
    ----------
    network : keras.Model
        Its last layer is dense with a softmax over the seven classes; changed in place.
    drawn, shares : ndarray of float, shape (7,)
        Class shares among the rows it was trained on, and those it shall answer for.

    References
    ----------
    Saerens, Latinne, Decaestecker, Neural Computation 14:21-41 (2002); Menon et al., ICLR 2021.
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
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **averaging)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def compiled(
    network: keras.Model, recipe: Recipe, *, steps: int, seed: int = 0
) -> keras.Sequential:
    """Put a recipe's augmentation before a network and its optimiser, loss and metrics behind.

    Parameters
    ----------
    network : keras.Model
    recipe : Recipe
    steps : int
        Batches of the whole training; the schedule of the learning rate is laid over them.
    seed : int
        Seed of the augmentation.

    Returns
    -------
    keras.Sequential
        Ready for ``fit`` with raw images and one-hot labels.
    """
    augment = Augment(
        symmetries=recipe.symmetries,
        shift=recipe.shift,
        zoom=recipe.zoom,
        colour=recipe.colour,
        seed=seed,
    )
    model = keras.Sequential([keras.Input(network.input_shape[1:]), augment, network])
    model.compile(
        optimizer=optimizer_of(recipe, steps),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy", BalancedAccuracy()],
    )
    return model


def train(
    dataset: LesionImages,
    split: Split,
    recipe: Recipe = BEST,
    *,
    name: str,
    seed: int = 0,
    folder: Path = RUNS,
) -> tuple[keras.Model, BirthCertificate]:
    """Train a network by a recipe and save its weights with their birth certificate.

    ``recipe.keep`` says which epoch's weights. Chapter 5 does the same step by step.

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
    network = BUILDERS[recipe.network]()
    rows = Rows(dataset, split.train, recipe, seed=seed)
    model = compiled(network, recipe, steps=len(rows) * recipe.epochs, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as temporary:
        checkpoint = Path(temporary) / "best.weights.h5"
        history = model.fit(
            rows,
            validation_data=_validation(dataset, split),
            epochs=recipe.epochs,
            callbacks=[*_averaging(recipe), *_keeping(recipe, split, checkpoint), EpochLine()],
            verbose=0,
        )
        if checkpoint.exists():
            model.load_weights(checkpoint)
        elif recipe.average:
            model.optimizer.finalize_variable_values(model.trainable_variables)
    if recipe.prior:
        restore_prior(network, rows.shares, class_shares(dataset.labels[split.train]))
    seconds = time.perf_counter() - start
    certificate = save_weights(
        network,
        name=name,
        recipe=dataclasses.asdict(recipe),
        dataset=dataset,
        split=split,
        seed=seed,
        history=history.history,
        seconds=seconds,
        folder=folder,
    )
    return network, certificate


def _validation(dataset, split):
    if not len(split.validation):
        return None
    labels = keras.utils.to_categorical(dataset.labels[split.validation], len(CLASSES))
    return dataset.images[split.validation], labels


def _averaging(recipe):
    # Validation numbers are those of the averaged weights, which are the ones that are kept.
    return [keras.callbacks.SwapEMAWeights()] if recipe.average else []


def _keeping(recipe, split, checkpoint):
    if recipe.keep == "last":
        return []
    if not len(split.validation):
        raise ValueError('keep="best" chooses by the validation part, and this split has none')
    return [
        keras.callbacks.ModelCheckpoint(
            checkpoint,
            monitor="val_balanced_accuracy",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
        )
    ]
