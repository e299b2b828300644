"""The networks of the course."""

from collections.abc import Sequence

import keras
from keras import layers


def original_cnn() -> keras.Model:
    """Build the network of the older notebook that this course grew out of.

    Five convolutions and five dense layers with batch normalisation and dropout between them;
    504,103 parameters, of which 502,983 are trained. Chapter 4 builds the same network step by
    step.

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


def scaled_cnn() -> keras.Model:
    """Build the original network with pixels brought to the range −1 to 1 first.

    Returns
    -------
    keras.Model
        As `original_cnn`, raw values 0 to 255 in: the scaling is its first layer.
    """
    network = original_cnn()
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)
    return keras.Sequential(
        [keras.Input((28, 28, 3), name="image"), scaled, *network.layers], name="scaled_cnn"
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
    x = _convolution(x, stem)
    for width, count in zip(widths, blocks, strict=True):
        for number in range(count):
            x = _residual_block(x, width, stride=2 if number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(
        image, layers.Dense(7, activation="softmax", name="probabilities")(x), name="small_resnet"
    )


def _convolution(x, width, *, kernel=3, stride=1):
    x = layers.Conv2D(
        width,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))


def _residual_block(x, width, *, stride):
    y = _convolution(x, width, stride=stride)
    y = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(y)
    y = layers.BatchNormalization(momentum=0.9)(y)
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same")(x)
    if x.shape[-1] != width:
        x = layers.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation("relu")(layers.Add()([x, y]))


BUILDERS = {"original_cnn": original_cnn, "scaled_cnn": scaled_cnn, "small_resnet": small_resnet}
