"""The networks of the course, and the layer that changes the images they learn from."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from utils.files import hash_file

__all__ = ["Augment", "efficientnet_lite0", "original_cnn", "pretrained_body", "small_resnet"]

IMAGENET = Path(__file__).resolve().parent.parent / "models" / "imagenet.weights.h5"
# The stages of EfficientNet-Lite0: how many times a block widens what comes in, the feature maps
# that leave it, blocks, side of the kernel, stride of the first block.
STAGES = (
    (1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2), (6, 320, 1, 3, 1),
)  # fmt: skip


def original_cnn() -> keras.Model:
    """Build the network of the older notebook that this course grew out of, not compiled.

    504,103 parameters, of which 502,983 are trained. Chapter 4 builds the same network in the open.
    Input: images of shape (batch, 28, 28, 3) with raw values 0 to 255. Output: seven probabilities
    per image, in the order of ``utils.classes.CLASSES``.
    """
    convolution = partial(layers.Conv2D, kernel_size=3, activation="relu")
    dense = partial(layers.Dense, activation="relu")
    stack = [
        keras.Input((28, 28, 3), name="image"),
        convolution(16, padding="same"), layers.MaxPooling2D(2), layers.BatchNormalization(),
        convolution(32), convolution(64), layers.MaxPooling2D(2), layers.BatchNormalization(),
        convolution(128), convolution(256), layers.Flatten(), layers.Dropout(0.2),
        dense(256), layers.BatchNormalization(), layers.Dropout(0.2),
        dense(128), layers.BatchNormalization(),
        dense(64), layers.BatchNormalization(), layers.Dropout(0.2),
        dense(32), layers.BatchNormalization(),
        layers.Dense(7, activation="softmax"),
    ]  # fmt: skip
    return keras.Sequential(stack, name="original_cnn")


def small_resnet(
    widths: Sequence[int] = (32, 64, 128), *, blocks: Sequence[int] = (1, 1, 1),
    stem: int = 16, dropout: float = 0.3, size: int = 28,
) -> keras.Model:  # fmt: skip
    """Build a small residual network (He, Zhang, Ren, Sun, CVPR 2016), not compiled.

    A convolution, then residual blocks that each halve the image and widen it, the mean over
    what is left of the image, and one dense layer. Input and output are those of `original_cnn`.

    Parameters
    ----------
    widths : sequence of int, feature maps of each stage
    blocks : sequence of int, residual blocks of each stage; the first halves height and width
    stem : int, feature maps of the first convolution
    dropout : float, share of the features left out while training, before the dense layer
    size : int, height and width of the images in pixels
    """
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 64, offset=-2.4)(image)  # about mean 0 and spread 1
    x = layers.Activation("relu")(_convolution(x, stem))
    for width, count in zip(widths, blocks, strict=True):
        for number in range(count):
            x = _residual_block(x, width, stride=2 if number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(7, activation="softmax", name="probabilities")(x)
    return keras.Model(image, x, name="small_resnet")


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


def pretrained_body(size: int = 128) -> keras.Model:
    """Build EfficientNet-Lite0 without its last layer, as it is after a million photographs.

    3,413,024 parameters (Tan and Le, ICML 2019; the Lite variant has no squeeze-and-excitation, and
    ReLU6 for swish), in half precision; ``models/imagenet.json`` says from where. Input: images of
    shape (batch, size, size, 3), raw values 0 to 255. Output: features, float32, (batch, 1280). A
    `FileNotFoundError` says if the file of the weights is missing or damaged.
    """
    body = untrained_body(size)
    facts = IMAGENET.with_name("imagenet.json")  # with the check sum
    if not IMAGENET.exists() or hash_file(IMAGENET) not in facts.read_text(encoding="utf-8"):
        raise FileNotFoundError(
            f"{IMAGENET}, the weights from ImageNet, is missing or damaged; get that file again."
        )
    body.load_weights(IMAGENET)
    return body


def efficientnet_lite0(size: int = 128, *, dropout: float = 0.2) -> keras.Model:
    """Build `pretrained_body` with a head that answers as `original_cnn` does, not compiled."""
    body = pretrained_body(size)
    x = layers.Dropout(dropout)(body.output)
    x = layers.Dense(7, activation="softmax", name="probabilities")(x)
    return keras.Model(body.input, x, name="efficientnet_lite0")


def untrained_body(size: int) -> keras.Model:
    """Build the body with weights by chance."""
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(image)
    options = {"padding": "same", "use_bias": False}
    x = _normed(layers.Conv2D(32, 3, strides=2, name="stem", **options)(x))
    for widening, width, blocks, kernel, first_stride in STAGES:
        for number in range(blocks):
            before, stride = x, first_stride if number == 0 else 1
            if widening > 1:
                x = _normed(layers.Conv2D(widening * x.shape[-1], 1, **options)(x))
            x = _normed(layers.DepthwiseConv2D(kernel, strides=stride, **options)(x))
            x = _normed(layers.Conv2D(width, 1, **options)(x), relu=False)
            if number > 0:
                x = layers.Add()([before, x])
    x = _normed(layers.Conv2D(1280, 1, **options)(x))
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="body")


def _normed(x, *, relu=True):
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    return layers.ReLU(6)(x) if relu else x


BUILDERS = {
    "original_cnn": original_cnn, "small_resnet": small_resnet,
    "efficientnet_lite0_128": efficientnet_lite0,
}  # fmt: skip


@keras.saving.register_keras_serializable("reading_skin")
class Augment(keras.layers.Layer):
    """Show each image in another orientation, place, size and light each time it is trained on.

    Works on whole batches with Keras' own operations, on the device the network runs on, and
    only while training; otherwise it hands the images on as they are.

    Parameters
    ----------
    symmetries : bool
        Turn and mirror: each of the eight symmetries of the square is equally likely.
    shift : float, the largest displacement along each axis, in pixels
    zoom : float, the largest change of size: 0.15 means between 1/1.15 and 1.15 times
    colour : float
        Strength of the changes of brightness, contrast and colour balance; 1 is a standard
        deviation of 10 % for brightness and contrast and of 8 % for each of red, green, blue.
    seed : int or None, of the draws
    """

    def __init__(
        self, *, symmetries: bool = True, shift: float = 2.0, zoom: float = 0.0,
        colour: float = 0.5, seed: int | None = None, **kwargs,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.symmetries, self.shift, self.zoom, self.colour = symmetries, shift, zoom, colour
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
        """Return the weights of the old pixels (last axis) in each new one, (n, size, size)."""
        place = ops.arange(size, dtype=self.compute_dtype)
        centre = (size - 1) / 2
        shift = self._uniform(images, (1,), -self.shift, self.shift)
        source = ops.clip(centre + (place - centre) * scale + shift, 0, size - 1)
        return ops.maximum(1 - ops.abs(source[:, :, None] - place), 0)

    def _lit(self, images):
        grey = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        contrast = 1 + self._normal(images, (1, 1, 1), 0.10)
        brightness = 1 + self._normal(images, (1, 1, 1), 0.10)
        balance = 1 + self._normal(images, (1, 1, 3), 0.08)
        return ops.clip(((images - grey) * contrast + grey) * (brightness * balance), 0, 255)

    def _uniform(self, images, shape, low=0.0, high=1.0):
        shape = (ops.shape(images)[0], *shape)
        return keras.random.uniform(shape, low, high, dtype=self.compute_dtype, seed=self.draws)

    def _normal(self, images, shape, deviation):
        shape = (ops.shape(images)[0], *shape)
        options = {"dtype": self.compute_dtype, "seed": self.draws}
        return keras.random.normal(shape, stddev=deviation * self.colour, **options)
