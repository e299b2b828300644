"""The networks, and the layer that changes the images they learn from."""

import shutil

import keras
import numpy as np
import pytest

from utils import models
from utils.augment import symmetry
from utils.models import Augment, efficientnet_lite0, original_cnn, small_resnet
from utils.training import BEST

IMAGES = np.random.default_rng(0).integers(0, 256, size=(6, 28, 28, 3), dtype=np.uint8)


def changed(images, **options) -> np.ndarray:
    """Return what the layer makes of images while a network learns; it does nothing but that."""
    layer = Augment(**{"symmetries": False, "shift": 0, "zoom": 0, "colour": 0} | options)
    return keras.ops.convert_to_numpy(layer(images, training=True))


@pytest.mark.parametrize("build, name, parameters, trained, rates, said", [
    (original_cnn, "original", 504_103, 502_983, {0.2, 0.99}, {1: 0.8542, 4: 0.1390}),
    (small_resnet, "best", 305_143, 303_767, {0.3, 0.9}, {2: 0.3088, 4: 0.6574}),
])  # fmt: skip
def test_networks_are_the_published_ones(build, name, parameters, trained, rates, said):
    network = build()
    network.load_weights(models.IMAGENET.with_name(f"{name}.weights.h5"))
    answer = network.predict(3 * np.indices((1, 28, 28, 3)).sum(axis=0), verbose=0)[0]
    assert answer[list(said)] == pytest.approx(list(said.values()), abs=1e-3)
    kept = {getattr(one, "rate", getattr(one, "momentum", None)) for one in network.layers}
    assert kept == {None, *rates}  # of dropout and of batch normalisation
    assert network.count_params() == parameters
    assert sum(int(np.prod(w.shape)) for w in network.trainable_weights) == trained
    assert network.input_shape == (None, 28, 28, 3) and network.output_shape == (None, 7)
    deep = small_resnet((8, 16), blocks=(2, 1), size=64)
    ends = [one.output.shape[1:] for one in deep.layers if isinstance(one, keras.layers.Add)]
    assert ends == [(32, 32, 8), (32, 32, 8), (16, 16, 16)]


def test_the_pretrained_network_has_its_published_size_and_a_new_head(monkeypatch, tmp_path):
    network = efficientnet_lite0(64)
    assert network.count_params() == 3_421_991 and network.output_shape == (None, 7)
    body = models.pretrained_body(64)
    for own, given in zip(network.weights, body.weights, strict=False):
        np.testing.assert_array_equal(own, given)
    # As when it was compared with the network it comes from (tests/results/test_imagenet.py).
    features = body.predict(np.indices((1, 64, 64, 3)).sum(axis=0), verbose=0)[0]
    assert features.argsort()[-5:].tolist() == [468, 1167, 54, 226, 997]
    assert features[[900, 997]] == pytest.approx([0.7016, 3.2911], abs=1e-3)
    whole = models.IMAGENET.read_bytes()
    shutil.copy(models.IMAGENET.with_name("imagenet.json"), tmp_path)
    monkeypatch.setattr(models, "IMAGENET", tmp_path / "imagenet.weights.h5")
    for damaged in (b"", whole[:-1000], whole[:-1] + bytes([whole[-1] ^ 1])):
        if damaged:
            models.IMAGENET.write_bytes(damaged)
        with pytest.raises(FileNotFoundError, match="get that file again"):
            efficientnet_lite0(64)


def test_symmetries_alone_only_turn_and_mirror():
    turned = {image.tobytes(): j for j in range(8) for image in symmetry(IMAGES, j)}
    seen = []
    for seed in range(20):
        images = changed(IMAGES, symmetries=True, seed=seed).astype(np.uint8)
        seen += [turned[image.tobytes()] for image in images]
    assert np.bincount(seen, minlength=8).min() > 5  # each is drawn as often: 15 of 120


def test_shift_moves_a_point_by_no_more_than_it_says():
    dot = np.zeros((64, 28, 28, 3), dtype=np.uint8)
    dot[:, 14, 10] = 255
    np.testing.assert_allclose(changed(np.full_like(dot, 200), shift=9), 200, rtol=1e-5)  # no rim
    np.testing.assert_allclose(changed(IMAGES, shift=1e-3), IMAGES, atol=1)  # up to the last row
    moved = changed(dot, shift=2, seed=0)[..., 0]
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), 255, rtol=1e-4)
    for axis, place in ((1, 10), (2, 14)):  # columns, rows
        centre = (moved.sum(axis=axis) * np.arange(28)).sum(axis=1) / 255
        assert np.abs(centre - place).max() <= 2.001
        assert centre.std() > 0.8  # a uniform draw: 2 / sqrt(3) = 1.15


def test_zoom_changes_sizes_both_ways():
    square = np.zeros((200, 28, 28, 3), dtype=np.uint8)
    square[:, 8:20, 8:20] = 255
    zoomed = changed(square, zoom=0.5, seed=0)[..., 0]
    np.testing.assert_allclose(zoomed, zoomed[:, ::-1, ::-1], atol=0.01)  # about the middle
    area = zoomed.sum(axis=(1, 2)) / 255
    assert [area.min(), area.max()] == pytest.approx([144 / 1.5**2, 144 * 1.5**2], rel=0.1)


def test_light_and_colour_leave_shapes_and_stay_in_range():
    halves = np.full((500, 28, 28, 3), 100, dtype=np.uint8)
    halves[:, 14:] = 140
    other = changed(halves, colour=1, seed=0)
    assert other.reshape(1000, -1, 3).std(axis=1).max() < 0.01  # one colour stays one colour
    ratio = other.mean(axis=(1, 2)) / 120
    contrast = (other[:, 14, 0] - other[:, 0, 0]) / ratio / 40
    assert [contrast.mean(), contrast.std()] == pytest.approx([1, 0.1], abs=0.01)
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert 0.09 < ratio.std() < 0.16  # 10 % of brightness with 8 % of each colour: 12.8 %
    between = ratio / ratio.mean(axis=1, keepdims=True)
    assert 0.04 < between.std() < 0.09  # the balance of the colours moves too
    strong = changed(IMAGES, colour=5, seed=0)
    assert strong.min() >= 0 and strong.max() <= 255


def test_the_seed_and_the_config_make_the_layer_which_rests_outside_training():
    plain = Augment(seed=0)
    np.testing.assert_array_equal(plain(IMAGES), IMAGES.astype(np.float32))
    assert all(getattr(plain, k) == getattr(BEST, k) for k in ("symmetries", "shift", "zoom"))
    options = {"shift": 1, "zoom": 0.1, "colour": 0.5, "symmetries": False}
    layer, other = Augment(**options, seed=7), Augment(**options, seed=8)
    again = Augment.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    images = [np.asarray(one(IMAGES, training=True)) for one in (layer, again, other)]
    np.testing.assert_array_equal(images[0], images[1])
    assert np.abs(images[0] - images[2]).max() > 1
