"""Corruptions and artefacts: grow with their strength, repeat, and look like the real thing."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from utils import corruptions
from utils.corruptions import ARTEFACTS, CLINICS, LEVELS, STRENGTHS, add_artefact, corrupt
from utils.lesion_mask import corner_brightness, rim_colour


@pytest.fixture(scope="module")
def images():
    """Thirty small lesions: skin with a gradient, a darker spot of another colour, fine grain."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    made = []
    for _ in range(30):
        skin = rng.uniform((170, 120, 110), (220, 170, 165)) + 0.5 * (x + y)[..., None]
        spot = np.hypot(y - rng.uniform(10, 18), x - rng.uniform(10, 18)) < rng.uniform(4, 8)
        skin[spot] *= rng.uniform(0.35, 0.7, 3)
        made.append(skin + rng.normal(0, 3, skin.shape))
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def changed(images, other):
    return np.abs(images.astype(float) - other).mean()


@pytest.mark.parametrize("name", LEVELS)
def test_corruption_grows_repeats_and_leaves_its_input(images, name):
    before = images.copy()
    found = [corrupt(images, name, strength) for strength in STRENGTHS]
    amounts = [changed(images, one) for one in found]
    assert all(one.dtype == np.uint8 and one.shape == images.shape for one in found)
    assert amounts == sorted(amounts) and 0 < amounts[0] < 0.7 * amounts[-1], amounts
    assert np.array_equal(images, before)
    assert np.array_equal(found[2], corrupt(images, name, 3))
    assert name in corruptions.LIKE and len(LEVELS[name]) == len(STRENGTHS)


@pytest.mark.parametrize("name", ["noise", "brightness", "hue", "colour cast"])
def test_what_is_drawn_by_lot_depends_on_the_seed(images, name):
    assert not np.array_equal(corrupt(images, name, 3, seed=0), corrupt(images, name, 3, seed=1))


def test_brightness_goes_both_ways_and_hue_keeps_the_light(images):
    middle = np.full_like(images, 120)
    ratio = corrupt(middle, "brightness", 2).mean(axis=(1, 2, 3)) / 120
    assert set(ratio.round(2)) == {0.8, 1.2}
    turned = corrupt(images, "hue", 3)
    assert turned.mean() == pytest.approx(images.mean(), abs=1)
    assert changed(images, turned) > 3
    assert np.array_equal(corrupt(middle, "hue", 5), middle), "grey has no hue"


def test_zoom_enlarges_the_middle(images):
    square = np.zeros((1, 28, 28, 3), np.uint8)
    square[0, 10:18, 10:18] = 200
    sides = [np.sqrt((corrupt(square, "zoom", s)[0, ..., 0] > 100).sum()) for s in STRENGTHS]
    assert sides == pytest.approx([8 * times for times in LEVELS["zoom"]], abs=1)


def test_dark_corners_are_dark_corners(images):
    for found in (corrupt(images, "dark corners", 3), add_artefact(images, "dark corners")):
        assert (corner_brightness(found) < 0.5).all() and (corner_brightness(images) > 0.9).all()
        assert changed(images[:, 12:16, 12:16], found[:, 12:16, 12:16]) == 0


@pytest.mark.parametrize("clinic, most, least", [("warmer", 0, 2), ("cooler", 2, 0),
                                                 ("greener", 1, 0), ("pinker", 0, 1)])  # fmt: skip
def test_clinics_shift_all_images_the_same_way(images, clinic, most, least):
    gains = corruptions.colour_cast(images, clinic, 2) / np.maximum(images, 1.0)
    typical = np.median(gains, axis=(1, 2))
    assert typical.std(axis=0).max() < 0.02
    assert typical.mean(axis=0)[most] > 1.02 and typical.mean(axis=0)[least] < 0.98


def test_skin_gets_the_colour_that_is_wanted(images):
    found = corruptions.with_skin(images, np.array([180, 140, 150]))
    assert rim_colour(found) == pytest.approx(np.broadcast_to([180, 140, 150], (30, 3)), abs=2)


@pytest.mark.parametrize("name", ARTEFACTS)
def test_artefacts_cover_a_part_and_differ_from_image_to_image(images, name):
    plain = np.full_like(images, 128)
    found = add_artefact(plain, name)
    touched = (np.abs(found.astype(int) - 128) > 4).any(axis=-1)
    assert 0.01 < touched.mean() < 0.5
    assert len({one.tobytes() for one in found}) > 10
    assert np.array_equal(found, add_artefact(plain, name))
    lighter = found.mean() > 128
    assert lighter == (name == "gel bubbles")
    if name == "ink":
        strokes = found[touched].mean(axis=0)
        assert strokes[2] > strokes[0] > strokes[1], "gentian violet"


def test_what_there_is_is_named_in_the_refusals(images):
    with pytest.raises(ValueError, match="no corruption 'fog'.*blur, noise"):
        corrupt(images, "fog", 1)
    with pytest.raises(ValueError, match="strength 6"):
        corrupt(images, "blur", 6)
    with pytest.raises(ValueError, match="no artefact 'plaster'.*ruler"):
        add_artefact(images, "plaster")
    with pytest.raises(ValueError, match="no clinic 'elsewhere'"):
        corruptions.colour_cast(images, "elsewhere", 1)
    assert set(CLINICS) == {"warmer", "cooler", "greener", "pinker"}


@pytest.mark.parametrize("name", ARTEFACTS)
def test_drawn_on_the_photograph_it_would_look_the_same(real_data_folder, name):
    """The sheet laid over the small image, against the sheet drawn on the photo and shrunk."""
    path = real_data_folder / "HAM10000_images_part_1.zip"
    if not path.exists():
        pytest.skip("no zip of photographs here")
    rng = np.random.default_rng(sorted(ARTEFACTS).index(name))
    drawn = [corruptions._DRAW[name](rng) for _ in range(12)]
    with zipfile.ZipFile(path) as file:
        names = [n for n in file.namelist() if n.endswith(".jpg")][:: 5000 // 12][:12]
        photos = [Image.open(io.BytesIO(file.read(n))).convert("RGB") for n in names]
    colours, covers = corruptions.sheets(name, (28, 28))
    small = np.stack([np.asarray(p.resize((28, 28), Image.Resampling.BOX)) for p in photos])
    overlaid = corruptions._overlaid(small, colours, covers, np.arange(12))
    on_photo = []
    for photo, (colour, sheet) in zip(photos, drawn, strict=True):
        large = photo.resize(sheet.size, Image.Resampling.BICUBIC)
        large.paste(colour, mask=sheet)
        on_photo.append(np.asarray(large.resize((28, 28), Image.Resampling.BOX)))
    difference = np.abs(overlaid.astype(int) - np.stack(on_photo))
    effect = np.abs(np.stack(on_photo).astype(int) - small)
    assert difference.mean() < 0.1 * effect.mean() + 0.5
    assert np.quantile(difference, 0.99) <= 8
