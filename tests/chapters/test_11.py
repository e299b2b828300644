"""What chapter 11 defines: maps that are right where it is known, masks, drawings on skin."""

import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from tools.book.course import definitions
from utils.models import small_resnet

chapter = definitions("11")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(60, 200, (3, 28, 28, 3)).astype(np.uint8)
CLASSES = np.array([0, 6, 4])
as_array = keras.ops.convert_to_numpy


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


def test_gradient_is_the_slope_that_small_steps_measure(network):
    images = IMAGES.astype("float32")
    slope = chapter.gradient(network, images, CLASSES)
    assert slope.shape == images.shape
    way = RNG.normal(size=images.shape).astype("float32")
    ends = (images + 0.05 * way, images - 0.05 * way)
    up, down = (as_array(chapter.log_probability(network, end, CLASSES)) for end in ends)
    expected = (slope * way).sum(axis=(1, 2, 3))
    assert (up - down) / 0.1 == pytest.approx(expected, rel=0.05, abs=2e-3)


@pytest.mark.parametrize("method, reach", [("saliency", 0), ("smoothgrad", 0), ("occlusion", 6)])
def test_maps_lie_where_the_answer_comes_from(method, reach, corner_network):
    maps = getattr(chapter, method)(corner_network, IMAGES, np.array([1, 1, 1]))
    assert maps.shape == (3, 28, 28)
    inside = np.abs(maps[:, :14, :14]).max()
    maps[:, : 14 + reach, : 14 + reach] = 0  # a patch reaches over the border
    assert np.abs(maps).max() < 1e-6 < inside


def test_occlusion_falls_by_what_the_covered_pixels_gave(corner_network):
    images = np.full((1, 28, 28, 3), 50, np.uint8)
    images[0, 4:10, 4:10] = 200  # the only thing that is not like the rim
    fall = chapter.occlusion(corner_network, images, np.array([1]))[0]
    covered = images.copy()
    covered[0, :6, :6] = 50  # the one patch that reaches the corner
    three = np.concatenate([images, covered, np.full_like(images, 50)]).astype("float32")
    with_it, one_patch, without = np.log(as_array(corner_network(three))[:, 1])
    assert fall[0, 0] == pytest.approx(with_it - one_patch, rel=1e-4)
    assert fall[4, 4] > 0 and fall[2, 2] == pytest.approx(fall[3, 3])
    assert fall[4:10, 4:10].max() == fall.max() and 0 < fall.max() <= with_it - without + 1e-6
    assert np.abs(fall[20:, 20:]).max() < 1e-6


def test_grad_cam_is_the_weighted_sum_of_maps_at_the_last_layer(network):
    assert list(chapter.stages(network)) == [28, 14, 7, 4]
    last = network.get_layer(chapter.stages(network)[4]).output
    maps = keras.Model(network.input, last).predict(IMAGES * 1.0, verbose=0)
    answers, kernel = network.predict(IMAGES * 1.0, verbose=0), network.layers[-1].get_weights()[0]
    # With a mean and one dense layer behind it, the slope of log p is known by hand.
    weights = np.stack([kernel[:, k] - kernel @ p for k, p in zip(CLASSES, answers, strict=True)])
    by_hand = np.maximum((maps * weights[:, None, None] / 16).sum(-1, keepdims=True), 0)
    large = as_array(keras.ops.image.resize(by_hand.astype("float32"), (28, 28)))[..., 0]
    cam = chapter.grad_cam(network, IMAGES, CLASSES)
    np.testing.assert_allclose(cam, large, atol=1e-3 * large.max())


@pytest.mark.parametrize("kept", [0, 9, 30])
def test_randomising_leaves_what_is_kept_and_changes_the_rest(network, kept):
    before = [weights.copy() for weights in network.get_weights()]
    fresh = chapter.randomised(network, kept, seed=3)
    for number, (old, new) in enumerate(zip(network.layers, fresh.layers, strict=True)):
        same = all(map(np.array_equal, old.get_weights(), new.get_weights()))
        assert same or number >= kept, old.name
        assert not (same and number >= kept and isinstance(old, layers.Conv2D | layers.Dense))
    assert all(map(np.array_equal, before, network.get_weights()))


def test_rank_correlation_knows_order_alone_and_no_flat_map():
    a, b = RNG.normal(size=(2, 4, 6, 6)).round(1)
    ranks = [pd.DataFrame(maps.reshape(4, -1).T).rank() for maps in (a, b)]
    assert chapter.rank_correlation(a, b) == pytest.approx(ranks[0].corrwith(ranks[1]).to_numpy())
    assert chapter.rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert np.isnan(chapter.rank_correlation(a, np.zeros_like(a))).all()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_is_right_as_well(backend, root):
    pytest.importorskip(backend)
    env, tests = os.environ | {"KERAS_BACKEND": backend}, "the_slope_that or is_the_weighted_sum"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", tests]
    subprocess.run([*command, __file__], check=True, env=env, cwd=root)


def lesion(*, dark_corners=False, colour=(90, 60, 50)):
    """A dark disc of radius 6 at (12, 15) on light skin."""
    y, x = np.mgrid[:28, :28]
    image = np.full((28, 28, 3), 200, np.uint8)
    disc = np.hypot(y - 12, x - 15) <= 6
    image[disc] = colour
    if dark_corners:
        image[np.hypot(y - 13.5, x - 13.5) > 15.5] = 5
    return image, disc


@pytest.mark.parametrize("colour", [(90, 60, 50), (165, 150, 150)])
@pytest.mark.parametrize("dark_corners", [False, True])
def test_the_lesion_is_found_and_dark_corners_are_not(dark_corners, colour):
    image, disc = lesion(dark_corners=dark_corners, colour=colour)
    mask = chapter.otsu_mask(image[None])[0]
    assert (mask & disc).sum() / (mask | disc).sum() > 0.85
    image[20:23, 22:25] = colour  # a second spot at the rim does not win over the one in the middle
    assert (chapter.otsu_mask(image[None])[0] & disc).sum() > 0.85 * disc.sum()


def test_share_inside_of_a_flat_map_is_the_area():
    mask = np.stack([lesion()[1], ~lesion()[1]])
    flat = np.ones(mask.shape)
    assert chapter.share_inside(flat, mask) == pytest.approx(mask.mean(axis=(1, 2)))
    assert chapter.share_inside(mask * 3.0 - ~mask, mask) == pytest.approx(1)
    assert np.isnan(chapter.share_inside(-flat, mask)).all()


@pytest.fixture(scope="module")
def images():
    """Thirty small lesions: skin with a gradient, a darker spot of another colour, fine grain."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    drawn = []
    for _ in range(30):
        skin = rng.uniform((170, 120, 110), (220, 170, 165)) + 0.5 * (x + y)[..., None]
        spot = np.hypot(y - rng.uniform(10, 18), x - rng.uniform(10, 18)) < rng.uniform(4, 8)
        skin[spot] *= rng.uniform(0.35, 0.7, 3)
        drawn.append(skin + rng.normal(0, 3, skin.shape))
    return chapter.as_bytes(np.array(drawn))


@pytest.mark.parametrize("name", chapter.ARTEFACTS)
def test_artefacts_cover_a_part_and_differ_from_image_to_image(images, name):
    plain = np.full_like(images, 128)
    drawn = chapter.add_artefact(plain, name)
    touched = (np.abs(drawn.astype(int) - 128) > 4).any(axis=-1)
    assert 0.01 < touched.mean() < 0.5
    assert len({one.tobytes() for one in drawn}) > 10
    assert np.array_equal(drawn, chapter.add_artefact(plain, name))
    assert (drawn.mean() > 128) == (name == "gel bubbles")
    if name == "ink":
        red, green, blue = drawn[touched].mean(axis=0)
        assert blue > red > green, "gentian violet"


@pytest.mark.parametrize("name", chapter.ARTEFACTS)
def test_drawn_on_the_photograph_it_would_look_the_same(images, name):
    """The sheet laid over the small image, against the sheet drawn on a photo and shrunk."""
    sheets, colour = chapter.sheets(name)[: len(images)], chapter.ARTEFACTS[name][1]
    for image, sheet in zip(images, sheets, strict=True):
        photo = Image.fromarray(image).resize(sheet.size, Image.Resampling.BICUBIC)
        small = np.asarray(photo.resize((28, 28), Image.Resampling.BOX)).astype(int)
        cover = chapter.shrunk(sheet, image[None])
        photo.paste(colour, mask=sheet)
        on_photo = np.asarray(photo.resize((28, 28), Image.Resampling.BOX)).astype(int)
        difference = np.abs(chapter.as_bytes(small * (1 - cover) + cover * colour) - on_photo)
        assert difference.mean() < 0.1 * np.abs(on_photo - small).mean() + 0.5
        assert np.quantile(difference, 0.99) <= 8


def test_corners_are_dark_where_they_are_and_where_they_are_drawn_and_the_middle_stays(images):
    both = np.stack([lesion()[0], lesion(dark_corners=True)[0]])
    bright, dark = chapter.corner_brightness(both)
    assert bright == pytest.approx(1, abs=0.02) and dark < 0.5
    drawn = chapter.add_artefact(images, "dark corners")
    assert (chapter.corner_brightness(drawn) < 0.5).all()
    assert np.array_equal(images[:, 12:16, 12:16], drawn[:, 12:16, 12:16])
    assert (chapter.corner_brightness(images) > 0.9).all()


def test_skin_gets_the_colour_that_is_wanted(images):
    assert chapter.rim_colour(lesion()[0][None]).tolist() == [[200, 200, 200]]
    skin = chapter.rim_colour(chapter.with_skin(images, np.array([150, 130, 140])))
    assert skin == pytest.approx(np.broadcast_to([150, 130, 140], skin.shape), abs=3)
