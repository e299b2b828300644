"""The networks of the course."""

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


BUILDERS = {"original_cnn": original_cnn}
