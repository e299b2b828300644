"""Maps of what a network's answer depends on, and two tests that such maps must pass."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops
from scipy.stats import rankdata

from utils.lesion_mask import rim_colour


def gradient(score: Callable, values: np.ndarray) -> np.ndarray:
    """Say how much a score changes when each of the values changes a little.

    Derivatives are the one thing that Keras leaves to the library below it, so this is the one
    place that asks which that is.

    Parameters
    ----------
    score : function
        Takes a tensor like `values`, returns a tensor of scores; each may depend on its own entry
        of the first axis alone.
    values : ndarray of float, shape (n, ...)

    Returns
    -------
    ndarray of float32, shape of `values`
    """
    backend = keras.backend.backend()
    values = ops.convert_to_tensor(np.asarray(values, dtype="float32"))
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(values)
            total = ops.sum(score(values))
        found = tape.gradient(total, values)
    elif backend == "torch":
        import torch

        values = values.detach().requires_grad_(True)
        (found,) = torch.autograd.grad(ops.sum(score(values)), values)
    elif backend == "jax":
        import jax

        found = jax.grad(lambda given: ops.sum(score(given)))(values)
    else:
        raise RuntimeError(f"no gradients for the Keras backend {backend!r}; use tensorflow")
    return np.array(ops.convert_to_numpy(found))


def log_probability(network: keras.Model, classes: np.ndarray) -> Callable:
    """Return a function from images to the logarithm of the probability of one class each.

    Parameters
    ----------
    network : keras.Model
        Its output are probabilities, shape (n, k).
    classes : ndarray of int, shape (n,)
        The class to explain, for each image.
    """
    chosen = ops.one_hot(
        ops.convert_to_tensor(np.asarray(classes, "int32")), network.output.shape[-1]
    )

    def score(values):
        given = ops.sum(network(values, training=False) * chosen, axis=-1)
        return ops.log(ops.maximum(given, 1e-12))

    return score


def saliency(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return, for each pixel, the largest change of the answer that a grey level there makes.

    Parameters
    ----------
    model : keras.Model
    images : ndarray, shape (n, height, width, 3)
    classes : ndarray of int, shape (n,)
        The class whose probability is explained.

    Returns
    -------
    ndarray of float32, shape (n, height, width)
        0 or more: the direction of the change is left out.

    References
    ----------
    Simonyan, Vedaldi, Zisserman, ICLR 2014 workshop, doi 10.48550/arXiv.1312.6034.
    """
    return np.abs(gradient(log_probability(model, classes), images)).max(axis=-1)


def smoothgrad(
    model: keras.Model,
    images: np.ndarray,
    classes: np.ndarray,
    *,
    copies: int = 24,
    noise: float = 10.0,
    seed: int = 0,
) -> np.ndarray:
    """Return the mean saliency of noisy copies of each image.

    Parameters
    ----------
    model, images, classes
        As in `saliency`.
    copies : int
    noise : float
        Standard deviation in grey levels.
    seed : int

    References
    ----------
    Smilkov et al., doi 10.48550/arXiv.1706.03825.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros(images.shape[:3], dtype=np.float32)
    for _ in range(copies):
        total += saliency(model, images + rng.normal(0, noise, images.shape), classes)
    return total / copies


def grad_cam(
    model: keras.Model, images: np.ndarray, classes: np.ndarray, *, layer: str | None = None
) -> np.ndarray:
    """Weight the feature maps of a layer by what they do for a class, and add them up.

    Parameters
    ----------
    model, images, classes
        As in `saliency`.
    layer : str, optional
        One of `stages`; unless given, the last one, whose maps agree best with `occlusion` on
        validation images (``tools.results.look_inside``).

    Returns
    -------
    ndarray of float32, shape (n, height, width)
        0 or more, enlarged to the size of the images.

    References
    ----------
    Selvaraju et al., ICCV 2017, doi 10.1109/ICCV.2017.74.
    """
    middle = model.get_layer(layer or list(stages(model))[-1]).output
    maps = _outputs(keras.Model(model.input, middle), images)
    slopes = gradient(log_probability(keras.Model(middle, model.output), classes), maps)
    weights = slopes.mean(axis=(1, 2), keepdims=True)
    small = np.maximum((maps * weights).sum(axis=-1, keepdims=True), 0)
    return np.asarray(ops.image.resize(small, images.shape[1:3], interpolation="bilinear"))[..., 0]


def occlusion(
    model: keras.Model,
    images: np.ndarray,
    classes: np.ndarray,
    *,
    patch: int = 6,
    step: int = 2,
) -> np.ndarray:
    """Cover one patch after the other with the colour of the rim; say how much the answer falls.

    Parameters
    ----------
    model, images, classes
        As in `saliency`.
    patch, step : int
        Side of the patch, and its way from one place to the next, in pixels.

    Returns
    -------
    ndarray of float32, shape (n, height, width)
        Mean fall of the log-probability over the patches that covered a pixel. Below 0 where
        the cover made the class more probable.

    References
    ----------
    Zeiler, Fergus, ECCV 2014, doi 10.1007/978-3-319-10590-1_53.
    """

    def answer(changed):
        given = _outputs(model, changed)[np.arange(len(images)), classes]
        return np.log(np.maximum(given, 1e-12))

    colour, before = rim_colour(images), answer(images)
    fall, times = np.zeros(images.shape[:3], np.float32), np.zeros(images.shape[1:3])
    height, width = images.shape[1:3]
    for top in range(0, height - patch + 1, step):
        for left in range(0, width - patch + 1, step):
            covered = images.copy()
            place = np.s_[top : top + patch, left : left + patch]
            covered[:, *place] = colour[:, None, None]
            fall[:, *place] += (before - answer(covered))[:, None, None]
            times[place] += 1
    return fall / times


def _outputs(model, images, *, size=512):
    # Called, not `predict`: that compiles a function for every network and every shape.
    starts = range(0, len(images), size)
    given = [model(images[k : k + size].astype("float32"), training=False) for k in starts]
    return np.concatenate([ops.convert_to_numpy(one) for one in given])


def stages(model: keras.Model) -> dict[str, int]:
    """Return the layers whose maps a Grad-CAM can use: the last of each size, by its height."""
    found = {}
    for one in model.layers:
        if isinstance(one, keras.layers.Activation) and len(one.output.shape) == 4:
            found[one.output.shape[1]] = one.name
    return {name: places for places, name in found.items()}


def randomised(model: keras.Model, *, stages_kept: int = 0, seed: int = 1001) -> keras.Model:
    """Copy a network with fresh random weights, from the answer downwards.

    Parameters
    ----------
    model : keras.Model
    stages_kept : int
        So many of its `stages`, counted from the image, keep what they have learned.
    seed : int
        Not that of the training: the copy would get the weights that the training began with,
        and these are still much like the learned ones.

    References
    ----------
    Adebayo et al., NeurIPS 2018, doi 10.48550/arXiv.1810.03292 ("cascading randomization").
    """
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(model)
    ends = list(stages(model))
    names = [layer.name for layer in model.layers]
    kept = names.index(ends[stages_kept - 1]) + 1 if stages_kept else 0
    for old, new in zip(model.layers[:kept], fresh.layers[:kept], strict=True):
        new.set_weights(old.get_weights())
    return fresh


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of two maps of each image; NaN where one is flat."""
    ranks = [rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (one, other)]
    a, b = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    with np.errstate(invalid="ignore"):  # 0/0 for a map without any difference is NaN
        return (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
