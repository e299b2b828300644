"""What chapter 10 defines: maps that are right where it is known, masks, groups, worse images."""

import importlib.util
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from tools.book.chapter_code import definitions
from utils.classes import DX
from utils.data import load_ham10000
from utils.metrics import resample_weights
from utils.models import small_resnet

chapter = definitions("10")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(60, 200, (3, 28, 28, 3)).astype(np.uint8)
CLASSES = np.array([0, 6, 4])
MEL, NV = DX.index("mel"), DX.index("nv")
STRENGTHS, as_array = (1, 2, 3, 4, 5), keras.ops.convert_to_numpy

# --- Maps ----------------------------------------------------------------------------------------


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
    up, down = (
        as_array(chapter.log_probability(network, images + step * way, CLASSES))
        for step in (0.05, -0.05)
    )
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
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    env, tests = os.environ | {"KERAS_BACKEND": backend}, "the_slope_that or is_the_weighted_sum"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", tests]
    subprocess.run([*command, __file__], check=True, env=env, cwd=root)


# --- The lesion and what surrounds it ------------------------------------------------------------


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


def test_brightness_of_skin_and_corners():
    images = np.stack([lesion()[0], lesion(dark_corners=True)[0]])
    assert chapter.skin_brightness(images) == pytest.approx(200, abs=3)
    assert chapter.rim_colour(images[:1]).tolist() == [[200, 200, 200]]
    bright, dark = chapter.corner_brightness(images)
    assert bright == pytest.approx(1, abs=0.02) and dark < 0.5


# --- Worse images --------------------------------------------------------------------------------


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


def changed(images, other):
    return np.abs(images.astype(float) - other).mean()


@pytest.mark.parametrize("way", chapter.LEVELS)
def test_corruption_grows_repeats_and_leaves_its_input(images, way):
    before = images.copy()
    worse = [chapter.corrupt(images, way, strength) for strength in STRENGTHS]
    amounts = [changed(images, one) for one in worse]
    assert all(one.dtype == np.uint8 and one.shape == images.shape for one in worse)
    assert amounts == sorted(amounts) and 0 < amounts[0] < 0.7 * amounts[-1], amounts
    assert np.array_equal(images, before)
    assert np.array_equal(worse[2], chapter.corrupt(images, way, 3))
    by_lot = way in ("noise", "brightness", "hue", "colour cast")
    assert by_lot != np.array_equal(worse[2], chapter.corrupt(images, way, 3, seed=1))


def test_each_way_does_what_it_is_called(images):
    middle, square = np.full_like(images, 120), np.zeros((1, 28, 28, 3), np.uint8)
    ratio = chapter.corrupt(middle, "brightness", 2).mean(axis=(1, 2, 3)) / 120
    assert set(ratio.round(2)) == {0.8, 1.2}, "both ways"
    turned = chapter.corrupt(images, "hue", 3)
    assert turned.mean() == pytest.approx(images.mean(), abs=1) and changed(images, turned) > 3
    assert np.array_equal(chapter.corrupt(middle, "hue", 5), middle), "grey has no hue"
    square[0, 10:18, 10:18] = 200
    larger = [chapter.corrupt(square, "zoom", strength) for strength in STRENGTHS]
    sides = [np.sqrt((one[0, ..., 0] > 100).sum()) for one in larger]
    assert sides == pytest.approx([8 * times for times in chapter.LEVELS["zoom"]], abs=1)
    drawn = chapter.add_artefact(images, "dark corners")
    for dark in (chapter.corrupt(images, "dark corners", 3), drawn):
        assert (chapter.corner_brightness(dark) < 0.5).all()
        assert changed(images[:, 12:16, 12:16], dark[:, 12:16, 12:16]) == 0
    assert (chapter.corner_brightness(images) > 0.9).all()


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


# --- For whom ------------------------------------------------------------------------------------


def test_every_patient_has_one_group_of_each_kind():
    no = "not known"
    columns = ["age", "age group", "sex", "sex group", "localization", "site group"]
    rows = [
        (0, "under 40", "female", "female", "scalp", "head and neck"),
        (39.9, "under 40", "male", "male", "back", "trunk"),
        (40, "40 to 54", None, no, "hand", "hand or foot"),
        (55, "55 to 69", "unknown", no, "unknown", no),
        (69, "55 to 69", "male", "male", None, no),
        (70, "70 and over", "male", "male", "acral", "hand or foot"),
        (85, "70 and over", "female", "female", "lower extremity", "leg"),
        (np.nan, no, "male", "male", "upper extremity", "arm"),
    ]
    metadata = pd.DataFrame(rows, columns=columns, index=[7, 3, 9, 1, 2, 5, 4, 6])
    groups = chapter.patient_groups(metadata)
    for ours, expected in zip(("age", "sex", "body site"), columns[1::2], strict=True):
        assert groups[ours].tolist() == metadata[expected].tolist()
    assert (groups.index == metadata.index).all()
    order = [(by, name) for by, name, _ in chapter.members(groups)]
    assert order[:6] == [("", "all"), *(("age", name) for name in [*chapter.AGES, no])]
    assert order[-6:-1] == [("body site", name) for name in chapter.SITES]
    known = set(load_ham10000(source="phantom").metadata["localization"].dropna())
    assert known - {site for sites in chapter.SITES.values() for site in sites} <= {"unknown"}


@pytest.fixture(scope="module")
def judged():
    """Two images of each of 40 lesions per class; a third of the melanomas are missed, by sex."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 80)
    number = np.arange(len(labels))
    lesions = np.array([f"L{k // 2:04}" for k in number])
    sex = np.where(number // 2 % 2 == 0, "female", "male")
    predicted = labels.copy()
    predicted[(labels == MEL) & (sex == "male") & (number % 3 > 0)] = NV
    predicted[(labels == NV) & (rng.random(len(labels)) < 0.2)] = MEL
    return labels, predicted, lesions, sex


def drawn(labels, lesions):
    return np.concatenate([*resample_weights(labels, lesions, resamples=300)], axis=1)


def test_shares_and_counts_are_those_of_the_group(judged):
    labels, predicted, lesions, sex = judged
    draws, rows = drawn(labels, lesions), {}
    for _, name, member in chapter.members(pd.DataFrame({"sex": sex})):
        row = rows[name] = chapter.judge(member, labels, predicted, lesions, draws)
        mel, rest = member & (labels == MEL), member & (labels != MEL)
        assert row["images"] == member.sum() and row["melanomas"] == mel.sum()
        assert row["sensitivity"].value == pytest.approx((predicted[mel] == MEL).mean())
        assert row["specificity"].value == pytest.approx((predicted[rest] != MEL).mean())
        for number in (row["sensitivity"], row["specificity"]):
            assert number.low <= number.value <= number.high
    assert list(rows) == ["all", "female", "male"]
    assert rows["male"]["sensitivity"].high < rows["female"]["sensitivity"].low


def test_too_few_lesions_give_no_number(judged):
    labels, predicted, lesions, _ = judged
    for count in (9, 10):
        member = np.zeros(len(labels), bool)
        member[np.flatnonzero(labels == MEL)[: 2 * count]] = True
        row = chapter.judge(member, labels, predicted, lesions, drawn(labels, lesions))
        assert math.isnan(row["sensitivity"].value) == (count < 10)
        assert str(row["specificity"]) == "– (– to –)"


def test_gap_is_told_from_chance(judged):
    labels, predicted, lesions, sex = judged
    mel = labels == MEL
    hit, lesions, sex = (predicted == MEL)[mel], lesions[mel], sex[mel]
    gap, by_lot = chapter.gap_by_chance(chapter.by_lesion(hit, lesions, sex), shuffles=500)
    assert gap == pytest.approx(hit[sex == "female"].mean() - hit[sex == "male"].mean())
    assert (by_lot >= gap).mean() < 0.01
    lot, rare = np.random.default_rng(3).permutation(sex[::2]).repeat(2), []
    for seed in range(20):
        noise = np.random.default_rng(seed).random(mel.sum()) < 0.7
        gap, by_lot = chapter.gap_by_chance(chapter.by_lesion(noise, lesions, lot), shuffles=200)
        rare.append((by_lot >= gap).mean())
    assert 0.2 < np.mean(rare) < 0.8, "by chance, all shares are about equally likely"


def test_small_and_unknown_groups_have_no_gap(judged):
    labels, _, lesions, sex = judged
    mel = np.flatnonzero(labels == MEL)
    groups = np.where(np.arange(len(mel)) < 18, "few", sex[mel])
    groups[-4:] = "not known"
    table = chapter.by_lesion(groups != "few", lesions[mel], groups)
    assert set(table["group"]) == {"female", "male"} and len(table) == 40 - 9 - 2
    assert chapter.gap_by_chance(table, shuffles=5)[0] == 0


def test_repeatability_tells_measuring_from_differing():
    rng = np.random.default_rng(0)
    lesions, own = np.array([f"L{k // 2}" for k in range(4000)]), rng.normal(0, 10, 2000).repeat(2)
    same, other = chapter.repeatability(own + rng.normal(0, 3, 4000), lesions)
    assert same == pytest.approx(3 * math.sqrt(2), rel=0.1)
    assert other == pytest.approx(math.sqrt(2 * (100 + 9)), rel=0.1)
