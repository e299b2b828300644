"""The eight orientations of a picture, and answers averaged over them."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from utils.augment import predict_averaged, symmetry

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(6, 28, 28, 3), dtype=np.uint8)


def test_the_eight_symmetries_are_eight_in_the_order_in_which_exported_models_list_them():
    """Bit 4 swaps rows and columns, then bit 2 mirrors up and down, bit 1 left and right."""
    for number in range(8):
        expected = IMAGES.transpose(0, 2, 1, 3) if number & 4 else IMAGES
        expected = expected[:, ::-1] if number & 2 else expected
        expected = expected[:, :, ::-1] if number & 1 else expected
        assert np.array_equal(symmetry(IMAGES, number), expected), number
    with pytest.raises(ValueError, match="0 to 7, not 8"):
        symmetry(IMAGES, 8)


def test_averaged_prediction_is_the_same_whichever_way_up():
    weights = RNG.normal(0, 0.05, (28 * 28 * 3, 7))  # each pixel has its own, so up is not down
    model = SimpleNamespace(
        predict_on_batch=lambda views: softmax(views.reshape(len(views), -1) / 255 @ weights, 1)
    )
    expected = predict_averaged(model, IMAGES)
    assert expected.shape == (6, 7) and np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    for number in range(1, 8):
        again = predict_averaged(model, symmetry(IMAGES, number), batch_size=8)
        np.testing.assert_allclose(again, expected, atol=1e-6)


@pytest.mark.parametrize("module", ["augment", "predict", "start"])
def test_neither_keras_nor_a_backend_is_needed(module, root):
    """An exported model answers without them, and the set-up cell imports nothing that is slow."""
    slow = {"keras", "tensorflow"} | ({"numpy", "pandas"} if module == "start" else set())
    code = f"import sys, utils.{module} as m; m.__name__ == 'utils.start' and m.prepare(); "
    code += f"sys.exit(bool({slow} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
