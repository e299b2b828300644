"""The networks of the course, and the layer that changes the images they learn from."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

__all__ = ["Augment", "original_cnn", "small_resnet"]


def original_cnn() -> keras.Model:
    """Build the network of the older notebook that this course grew out of.

    504,103 parameters, of which 502,983 are trained. Chapter 4 builds the same network in the open.

    Returns
    -------
    keras.Model
        Not compiled. Input: images of shape (batch, 28, 28, 3) with raw values 0 to 255.
        Output: seven probabilities per image, in the order of ``utils.classes.CLASSES``.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 3), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Conv2D(128, 3, activation="relu"),
            layers.Conv2D(256, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(256, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(128, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(64, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(32, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(7, activation="softmax"),
        ],
        name="original_cnn",
    )


def small_resnet(
    widths: Sequence[int] = (32, 64, 128),
    *,
    blocks: Sequence[int] = (1, 1, 1),
    stem: int = 16,
    dropout: float = 0.3,
    size: int = 28,
) -> keras.Model:
    """Build a small residual network.

    A convolution, then residual blocks that each halve the image and widen it, the mean over
    what is left of the image, and one dense layer.

    Parameters
    ----------
    widths : sequence of int
        Feature maps of each stage.
    blocks : sequence of int
        Residual blocks of each stage; the first of a stage halves height and width.
    stem : int
        Feature maps of the first convolution.
    dropout : float
        Share of the features left out while training, before the dense layer.
    size : int
        Height and width of the images in pixels.

    Returns
    -------
    keras.Model
        Not compiled. Input: raw values 0 to 255. Output: seven probabilities.

    References
    ----------
    He, Zhang, Ren, Sun, Deep residual learning for image recognition, CVPR 2016.
    """
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 64, offset=-2.4)(image)  # about mean 0 and spread 1
    x = layers.Activation("relu")(_convolution(x, stem))
    for width, count in zip(widths, blocks, strict=True):
        for number in range(count):
            x = _residual_block(x, width, stride=2 if number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(
        image, layers.Dense(7, activation="softmax", name="probabilities")(x), name="small_resnet"
    )


def _convolution(x, width, *, kernel=3, stride=1):
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    x = layers.Conv2D(width, kernel, strides=stride, **options)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def _residual_block(x, width, *, stride):
    y = layers.Activation("relu")(_convolution(x, width, stride=stride))
    y = _convolution(y, width)
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same")(x)
    if x.shape[-1] != width:
        x = _convolution(x, width, kernel=1)
    return layers.Activation("relu")(layers.Add()([x, y]))


BUILDERS = {"original_cnn": original_cnn, "small_resnet": small_resnet}


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
        # Along rows and columns one after the other, so each is a small matrix.
        scale = ops.exp(self._uniform(images, (1,), -1, 1) * float(np.log1p(self.zoom)))
        height, width = images.shape[1:3]
        images = ops.einsum("nij,njkc->nikc", self._matrix(images, height, scale), images)
        return ops.einsum("nlk,nikc->nilc", self._matrix(images, width, scale), images)

    def _matrix(self, images, size, scale):
        """Return the weights of the old pixels (last axis) in each new one, (n, size, size).

        They interpolate linearly; beyond the edge the last pixel is repeated.
        """
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
