"""What is true of lesions, as a layer: they have no up and no left, and light and camera differ."""

import keras
import numpy as np
from keras import ops

from utils.classes import symmetry


@keras.saving.register_keras_serializable("reading_skin")
class Augment(keras.layers.Layer):
    """Show each image in another orientation, place, size and light each time it is trained on.

    Works on whole batches with Keras' own operations, on the device the network runs on, and
    only while training; otherwise it hands the images on as they are.

    Parameters
    ----------
    symmetries : bool
        Turn and mirror: each of the eight symmetries of the square is equally likely.
    shift : float
        Largest displacement along each axis, in pixels.
    zoom : float
        Largest change of size, as a share: 0.15 means between 1/1.15 and 1.15 times.
    colour : float
        Strength of the changes of brightness, contrast and colour balance; 1 is a standard
        deviation of 10 % for brightness and contrast and of 8 % for each of red, green, blue.
    seed : int or None
        Seed of the draws.

    Notes
    -----
    Shift and zoom act along rows and columns one after the other, so each is a small matrix
    that holds the weights of linear interpolation; beyond the edge the last pixel is repeated.
    """

    def __init__(
        self,
        *,
        symmetries: bool = True,
        shift: float = 2.0,
        zoom: float = 0.0,
        colour: float = 0.5,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.symmetries, self.shift, self.zoom, self.colour = symmetries, shift, zoom, colour
        self.seed = seed
        self.draws = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """Change a batch of images, shape (n, height, width, 3), values 0 to 255."""
        images = ops.cast(images, self.compute_dtype)
        if not training:
            return images
        if self.symmetries:
            images = self._turned(images)
        if self.shift or self.zoom:
            images = self._moved(images)
        if self.colour:
            images = self._lit(images)
        return images

    def _turned(self, images):
        def maybe(changed):
            return ops.where(self._uniform(images, (1, 1, 1)) < 0.5, changed, images)

        images = maybe(ops.flip(images, axis=1))
        images = maybe(ops.flip(images, axis=2))
        return maybe(ops.transpose(images, (0, 2, 1, 3)))

    def _moved(self, images):
        scale = ops.exp(self._uniform(images, (1,), -1, 1) * float(np.log1p(self.zoom)))
        height, width = images.shape[1:3]
        images = ops.einsum("nij,njkc->nikc", self._matrix(images, height, scale), images)
        return ops.einsum("nlk,nikc->nilc", self._matrix(images, width, scale), images)

    def _matrix(self, images, size, scale):
        """Return the weights of the old pixels (last axis) in each new one, (n, size, size)."""
        place = ops.arange(size, dtype=self.compute_dtype)
        centre = (size - 1) / 2
        shift = self._uniform(images, (1,), -self.shift, self.shift)
        source = ops.clip(centre + (place - centre) * scale + shift, 0, size - 1)
        return ops.maximum(1 - ops.abs(source[:, :, None] - place), 0)

    def _lit(self, images):
        grey = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        contrast = 1 + self._normal(images, (1, 1, 1), 0.10)
        light = (1 + self._normal(images, (1, 1, 1), 0.10)) * (
            1 + self._normal(images, (1, 1, 3), 0.08)
        )
        return ops.clip(((images - grey) * contrast + grey) * light, 0, 255)

    def _uniform(self, images, shape, low=0.0, high=1.0):
        shape = (ops.shape(images)[0], *shape)
        return keras.random.uniform(shape, low, high, dtype=self.compute_dtype, seed=self.draws)

    def _normal(self, images, shape, deviation):
        shape = (ops.shape(images)[0], *shape)
        return keras.random.normal(
            shape, stddev=deviation * self.colour, dtype=self.compute_dtype, seed=self.draws
        )

    def get_config(self):
        """Return what the layer was made with."""
        own = {key: getattr(self, key) for key in ("symmetries", "shift", "zoom", "colour", "seed")}
        return super().get_config() | own


def predict_averaged(
    model: keras.Model, images: np.ndarray, *, batch_size: int = 512
) -> np.ndarray:
    """Predict each image in all eight orientations and take the mean of the probabilities.

    A lesion photographed upside down is the same lesion; the averaged answer is the same too.

    Parameters
    ----------
    model : keras.Model
        Takes images of shape (n, 28, 28, 3), gives probabilities of shape (n, 7).
    images : ndarray, shape (n, 28, 28, 3)
    batch_size : int
        Pictures per step, all eight orientations counted; a single image takes one step.

    Returns
    -------
    ndarray of float32, shape (n, 7)

    References
    ----------
    Called test-time augmentation; the symmetries are those of Cohen and Welling, ICML 2016.
    """
    size = max(1, batch_size // 8)
    means = []
    for start in range(0, len(images), size):
        piece = images[start : start + size]
        turned = np.concatenate([symmetry(piece, number) for number in range(8)])
        answers = np.asarray(model.predict_on_batch(turned))
        means.append(answers.reshape(8, len(piece), -1).mean(axis=0))
    return np.concatenate(means).astype(np.float32)
