"""The eight orientations of a picture, and answers averaged over them."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from utils.augment import predict_averaged, symmetry

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(6, 28, 28, 3), dtype=np.uint8)


def test_the_eight_symmetries_are_those_that_exported_models_list(root):
    stored = json.loads((root / "models" / "best-manifest.json").read_text(encoding="utf-8"))
    assert len(stored["symmetries"]) == 8
    for number, how in enumerate(stored["symmetries"]):
        turned = np.rot90(IMAGES, how["rotate"] // 90, axes=(1, 2))
        expected = turned[:, :, ::-1] if how["flip"] else turned
        assert np.array_equal(symmetry(IMAGES, number), expected), number


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
