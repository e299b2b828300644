"""Maps of an answer: right where it is known, the same on another backend, and not stale."""

import importlib.util
import inspect
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from tools.book.course import ROOT
from tools.results import look_inside, look_parts
from utils import explain, lesion_mask
from utils.models import small_resnet
from utils.weights import read_certificate

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(60, 200, (3, 28, 28, 3)).astype(np.uint8)
CLASSES = np.array([0, 6, 4])


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return small_resnet()


@pytest.fixture(scope="module")
def corner_network():
    """Its answer depends on the red of the upper left 14 × 14 pixels and on nothing else."""
    image = keras.Input((28, 28, 3))
    maps = layers.Conv2D(1, 1, use_bias=False, activation="relu")(image)
    weights = np.zeros((28, 28, 1, 2), np.float32)
    weights[:14, :14, :, 1] = 1e-4
    answer = layers.Dense(2, use_bias=False, activation="softmax")(layers.Flatten()(maps))
    model = keras.Model(image, answer)
    model.layers[1].set_weights([np.array([1.0, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    model.layers[-1].set_weights([weights.reshape(784, 2)])
    return model


INSIDE = np.zeros((3, 28, 28), bool)
INSIDE[:, :14, :14] = True
ONES = np.array([1, 1, 1])


def test_gradient_is_the_slope_that_small_steps_measure(network):
    score = explain.log_probability(network, CLASSES)
    images = IMAGES.astype("float32")
    slope = explain.gradient(score, images)
    assert slope.shape == images.shape
    way = RNG.normal(size=images.shape).astype("float32")
    step = 0.05
    up, down = (np.asarray(score(images + sign * step * way)) for sign in (1, -1))
    measured = (up - down) / (2 * step)
    assert measured == pytest.approx((slope * way).sum(axis=(1, 2, 3)), rel=0.05, abs=2e-3)


@pytest.mark.parametrize("method", [explain.saliency, explain.smoothgrad, explain.occlusion])
def test_maps_lie_where_the_answer_comes_from(method, corner_network):
    found = method(corner_network, IMAGES, ONES)
    assert found.shape == (3, 28, 28)
    reach = 6 if method is explain.occlusion else 0  # a patch reaches over the border
    outside = np.ones((28, 28), bool)
    outside[: 14 + reach, : 14 + reach] = False
    assert np.abs(found[:, outside]).max() < 1e-6 < np.abs(found[:, :14, :14]).max()


def test_occlusion_falls_by_what_the_covered_pixels_gave(corner_network):
    images = np.full((1, 28, 28, 3), 50, np.uint8)
    images[0, 4:10, 4:10] = 200  # the only thing that is not like the rim
    found = explain.occlusion(corner_network, images, np.array([1]), patch=6, step=2)
    answers = [np.asarray(corner_network(x.astype("float32"))) for x in
               (images, np.full_like(images, 50))]  # fmt: skip
    whole = float(np.log(answers[0][0, 1]) - np.log(answers[1][0, 1]))
    assert np.unravel_index(found[0].argmax(), (28, 28)) in {(r, c) for r in range(4, 10)
                                                           for c in range(4, 10)}  # fmt: skip
    assert 0 < found.max() <= whole + 1e-6
    assert found[0, 20:, 20:].max() == pytest.approx(0, abs=1e-6)


def test_grad_cam_is_the_weighted_sum_of_maps_at_the_last_layer(network):
    last = list(explain.stages(network))[-1]
    found = explain.grad_cam(network, IMAGES, CLASSES, layer=last)
    maps = np.asarray(keras.Model(network.input, network.get_layer(last).output)(IMAGES * 1.0))
    answers = np.asarray(network(IMAGES * 1.0))
    kernel = network.layers[-1].get_weights()[0]
    # With a mean and one dense layer behind it, the slope of log p is known by hand.
    weights = np.stack([kernel[:, k] - kernel @ p for k, p in zip(CLASSES, answers, strict=True)])
    by_hand = np.maximum((maps * weights[:, None, None] / 16).sum(-1, keepdims=True), 0)
    large = np.asarray(keras.ops.image.resize(by_hand.astype("float32"), (28, 28)))[..., 0]
    np.testing.assert_allclose(found, large, atol=1e-3 * large.max())


def test_stages_are_the_last_maps_of_each_size(network):
    assert list(explain.stages(network).values()) == [28, 14, 7, 4]


def test_random_weights_are_not_those_that_a_training_began_with():
    seeds = {read_certificate(name).seed for name in look_inside.WEIGHTS}
    default = inspect.signature(explain.randomised).parameters["seed"].default
    assert not seeds & {default, *look_parts.RANDOM_SEEDS}


def test_randomising_leaves_what_is_kept_and_changes_the_rest(network):
    names = [layer.name for layer in network.layers]
    for kept in (0, 2, 4):
        fresh = explain.randomised(network, stages_kept=kept, seed=3)
        end = names.index(list(explain.stages(network))[kept - 1]) + 1 if kept else 0
        for number, (old, new) in enumerate(zip(network.layers, fresh.layers, strict=True)):
            pairs = list(zip(old.get_weights(), new.get_weights(), strict=True))
            same = all(np.array_equal(a, b) for a, b in pairs)
            if number < end:
                assert same, old.name
            elif isinstance(old, layers.Conv2D | layers.Dense):
                assert not same, old.name
    assert np.array_equal(network.layers[-1].get_weights()[0], small_weights(network))


def small_weights(network):
    keras.utils.set_random_seed(1)
    return small_resnet().layers[-1].get_weights()[0]


def test_rank_correlation_is_spearmans():
    from scipy.stats import spearmanr

    a, b = RNG.normal(size=(2, 4, 6, 6)).round(1)
    expected = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    assert explain.rank_correlation(a, b) == pytest.approx(expected)
    assert explain.rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert np.isnan(explain.rank_correlation(a, np.zeros_like(a))).all()


# --- The lesion -----------------------------------------------------------------------------------


def lesion(*, dark_corners=False):
    """A dark disc of radius 6 at (12, 15) on light skin."""
    y, x = np.mgrid[:28, :28]
    image = np.full((28, 28, 3), 200, np.uint8)
    disc = np.hypot(y - 12, x - 15) <= 6
    image[disc] = (90, 60, 50)
    if dark_corners:
        image[np.hypot(y - 13.5, x - 13.5) > 15.5] = 5
    return image, disc


@pytest.mark.parametrize("dark_corners", [False, True])
def test_the_lesion_is_found_and_dark_corners_are_not(dark_corners):
    image, disc = lesion(dark_corners=dark_corners)
    mask = lesion_mask.otsu_mask(image[None])[0]
    assert (mask & disc).sum() / (mask | disc).sum() > 0.85
    # A second spot at the rim does not win over the one in the middle.
    image[20:23, 22:25] = 30
    assert (lesion_mask.otsu_mask(image[None])[0] & disc).sum() > 0.85 * disc.sum()


def test_share_inside_of_a_flat_map_is_the_area():
    mask = np.stack([lesion()[1], ~lesion()[1]])
    flat = np.ones(mask.shape)
    assert lesion_mask.share_inside(flat, mask) == pytest.approx(mask.mean(axis=(1, 2)))
    assert lesion_mask.share_inside(mask * 3.0 - ~mask, mask) == pytest.approx(1)
    assert np.isnan(lesion_mask.share_inside(-flat, mask)).all()


def test_brightness_of_skin_and_corners():
    images = np.stack([lesion()[0], lesion(dark_corners=True)[0]])
    assert lesion_mask.skin_brightness(images) == pytest.approx(200, abs=3)
    assert lesion_mask.rim_colour(images[:1]).tolist() == [[200, 200, 200]]
    bright, dark = lesion_mask.corner_brightness(images)
    assert bright == pytest.approx(1, abs=0.02) and dark < 0.5


# --- Another backend, and the stored results ------------------------------------------------------

ON_ANOTHER = """
import keras, numpy as np
from utils import explain
from utils.models import small_resnet
given = np.load({path!r})
network = small_resnet()
network.set_weights([given[f"w{{k}}"] for k in range(len(network.weights))])
maps = [m(network, given["images"], given["classes"]) for m in
        (explain.saliency, explain.grad_cam)]
np.savez({out!r}, *maps, backend=keras.backend.backend())
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_draws_the_same_maps(network, backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    given, out = str(tmp_path / "given.npz"), str(tmp_path / "out.npz")
    weights = {f"w{k}": w for k, w in enumerate(network.get_weights())}
    np.savez(given, images=IMAGES, classes=CLASSES, **weights)
    env = {**os.environ, "KERAS_BACKEND": backend}
    code = ON_ANOTHER.format(path=given, out=out)
    subprocess.run([sys.executable, "-c", code], check=True, env=env, cwd=ROOT)
    found = np.load(out)
    assert str(found["backend"]) == backend
    here = [explain.saliency(network, IMAGES, CLASSES), explain.grad_cam(network, IMAGES, CLASSES)]
    for name, maps in zip(("arr_0", "arr_1"), here, strict=True):
        np.testing.assert_allclose(found[name], maps, atol=1e-3 * maps.max())


def test_stored_results_were_made_from_what_stands_here(real_data_folder):
    from utils.data import load_ham10000
    from utils.splits import lesion_split

    dataset = load_ham10000()
    stored = json.loads(look_inside.FILE.read_text(encoding="utf-8"))
    now = look_inside.made_from(dataset, lesion_split(dataset))
    if stored["made_from"]["data"] != now["data"]:
        pytest.skip("the stored results were made from other files of the same images")
    old = look_inside.stale(stored, now)
    assert not old, f"{old} are out of date: run python -m tools.results.look_inside"


def test_stored_results_fit_weights_runs_and_code():
    """As above, as far as it can be said without the images."""
    stored = json.loads(look_inside.FILE.read_text(encoding="utf-8"))
    assert set(stored) == {"made_from", *look_inside.PARTS}
    old = look_inside.stale(stored, look_inside.made_from_files())
    assert not old, f"{old} are out of date: run python -m tools.results.look_inside"


def test_other_weights_and_other_code_are_noticed():
    now, parts = look_inside.made_from_files(), dict.fromkeys(look_inside.PARTS, {})
    assert set(look_inside.CODE) == set(look_inside.PARTS)
    assert look_inside.stale({"made_from": now, **parts}, now) == []
    other = {**now, "weights": {**now["weights"], "best": "0" * 64}}
    assert look_inside.stale({"made_from": other, **parts}, now) == list(look_inside.PARTS)
    other = {**now, "code": {**now["code"], "subgroups": "0" * 16}}
    assert look_inside.stale({"made_from": other, **parts}, now) == ["subgroups"]
    assert look_inside.stale({"made_from": now}, now) == list(look_inside.PARTS)
