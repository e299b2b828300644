"""A lesion has no up and no left: the eight ways in which its picture can lie. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

__all__ = ["predict_averaged"]

# The eight symmetries of the square: quarters to turn counter-clockwise, then whether to mirror
# left and right. The exported model's manifest lists them in this order.
SYMMETRIES = (
    (0, False), (0, True), (2, True), (2, False), (3, True), (3, False), (1, False), (1, True),
)  # fmt: skip


def symmetry(images: np.ndarray, number: int) -> np.ndarray:
    """Bring images, shape (n, size, size, channels), into one of the eight orientations; a view."""
    if number not in range(8):
        raise ValueError(f"the symmetries are numbered 0 to 7, not {number!r}")
    quarters, mirror = SYMMETRIES[number]
    images = np.rot90(images, quarters, axes=(-3, -2))
    return images[..., ::-1, :] if mirror else images


def averaged(
    answer: Callable[[np.ndarray], Sequence[np.ndarray]], images: np.ndarray, *, piece: int = 64
) -> list[np.ndarray]:
    """Ask about each image in all eight orientations and take the means of the answers, n rows.

    `answer` takes float32 images, shape (8 * m, size, size, channels), where m is at most `piece`,
    and returns one array or several, in a sequence, each with a row for each of them.
    """
    pieces = []
    for start in range(0, len(images), piece):
        some = images[start : start + piece]
        views = np.concatenate([symmetry(some, number) for number in range(8)])
        answers = [np.asarray(values) for values in answer(views.astype(np.float32))]
        pieces.append([v.reshape(8, len(some), *v.shape[1:]).mean(axis=0) for v in answers])
    return [np.concatenate(means) for means in zip(*pieces, strict=True)]


def predict_averaged(
    model: keras.Model, images: np.ndarray, *, batch_size: int = 512
) -> np.ndarray:
    """Predict images (n, size, size, 3) in all eight orientations; return means, float32 (n, 7).

    Called test-time augmentation; the symmetries are those of Cohen and Welling, ICML 2016.
    `batch_size` counts pictures per step, all orientations; a single image takes one step.
    """
    piece = max(1, batch_size // 8)
    (means,) = averaged(lambda views: [model.predict_on_batch(views)], images, piece=piece)
    return means.astype(np.float32)
