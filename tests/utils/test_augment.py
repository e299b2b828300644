"""The eight orientations of a picture, and answers averaged over them."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from utils.augment import averaged, predict_averaged, symmetry


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(6, 28, 28, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    """A network whose answer depends on which way up the image is."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((28, 28, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(7, activation="softmax"),
        ]
    )


def test_the_eight_symmetries_are_eight_and_undo_each_other(images):
    turned = [symmetry(images, k) for k in range(8)]
    assert len({t.tobytes() for t in turned}) == 8
    assert np.array_equal(turned[0], images)
    for first in turned:  # closed: a symmetry of a symmetry is one of the eight
        again = {symmetry(first, k).tobytes() for k in range(8)}
        assert again == {t.tobytes() for t in turned}
    with pytest.raises(ValueError, match="0 to 7, not 8"):
        symmetry(images, 8)


def test_symmetries_keep_the_order_in_which_exported_models_list_them(images):
    """Bit 4 swaps rows and columns, then bit 2 mirrors up and down, bit 1 left and right."""
    for number in range(8):
        expected = images.transpose(0, 2, 1, 3) if number & 4 else images
        expected = expected[:, ::-1] if number & 2 else expected
        expected = expected[:, :, ::-1] if number & 1 else expected
        assert np.array_equal(symmetry(images, number), expected), number


def test_averaged_prediction_is_the_same_whichever_way_up(images, model):
    expected = predict_averaged(model, images)
    assert expected.shape == (6, 7) and np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    single = model.predict(images, verbose=0)
    turned_once = model.predict(np.ascontiguousarray(symmetry(images, 5)), verbose=0)
    assert np.abs(single - turned_once).max() > 0.01  # the model alone is not invariant
    for number in range(1, 8):
        np.testing.assert_allclose(
            predict_averaged(model, symmetry(images, number)), expected, atol=1e-6
        )
    np.testing.assert_allclose(predict_averaged(model, images, batch_size=8), expected, atol=1e-6)


def test_every_array_of_an_answer_is_averaged(images):
    def answer(views):
        assert views.dtype == np.float32 and len(views) in (32, 16)  # pieces of 4 and of 2
        return views[:, 0, 0], views[:, 0, 0, 0]

    corners, reds = averaged(answer, images, piece=4)
    expected = images[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(axis=1)  # each corner comes twice
    np.testing.assert_allclose(corners, expected, rtol=1e-6)
    np.testing.assert_allclose(reds, expected[:, 0], rtol=1e-6)


def test_neither_keras_nor_a_backend_is_needed(root):
    code = "import sys, utils.augment; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
