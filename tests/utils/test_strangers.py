"""Pictures that show no lesion: what they are made of, and that the two parts are apart."""

import numpy as np
import pytest

from utils import strangers
from utils.strangers import CHOOSING, MEASURING


@pytest.fixture(scope="module")
def parts():
    return {part: strangers.strangers(part, per_kind=6) for part in ("choosing", "measuring")}


def test_every_kind_is_there_and_every_picture_another(parts):
    for part, kinds in (("choosing", CHOOSING), ("measuring", MEASURING)):
        made = parts[part]
        assert made.images.shape == (6 * len(kinds), 28, 28, 3)
        assert made.images.dtype == np.uint8
        assert list(dict.fromkeys(made.kinds.tolist())) == list(kinds)
        assert len({image.tobytes() for image in made.images}) == len(made.images)


def test_what_was_chosen_with_is_not_what_is_measured_on(parts):
    assert not set(CHOOSING) & set(MEASURING)
    makers = {make for make in CHOOSING.values()} & {make for make in MEASURING.values()}
    assert not makers
    seen = {image.tobytes() for image in parts["choosing"].images}
    assert not seen & {image.tobytes() for image in parts["measuring"].images}


def test_the_seed_decides():
    first, again, other = (
        strangers.strangers("choosing", per_kind=2, seed=seed).images for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    # More of a kind does not change the first ones.
    assert np.array_equal(strangers.strangers("choosing", per_kind=3, seed=1).images[:2], first[:2])


def test_skin_is_skin_and_text_is_black_and_white(parts):
    made = parts["measuring"]
    for kind in ("face skin (photograph)", "far spots (drawing)"):
        red, green, blue = made.images[made.kinds == kind].mean(axis=(0, 1, 2))
        assert red > green > blue, kind
    text = made.images[made.kinds == "text"].astype(int)
    assert np.ptp(text, axis=-1).max() <= 12


def test_unknown_part_is_told():
    with pytest.raises(ValueError, match="'choosing' or 'measuring'"):
        strangers.strangers("testing")
