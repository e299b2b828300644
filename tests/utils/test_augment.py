import keras
import numpy as np
import pytest

from utils.augment import predict_averaged, symmetry
from utils.models import Augment


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(6, 28, 28, 3), dtype=np.uint8)


def asymmetric_model():
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


def as_numbers(changed) -> np.ndarray:
    return keras.ops.convert_to_numpy(changed)


def test_the_eight_symmetries_are_eight_and_undo_each_other(images):
    turned = [symmetry(images, k) for k in range(8)]
    assert len({t.tobytes() for t in turned}) == 8
    assert np.array_equal(turned[0], images)
    for first in turned:  # closed: a symmetry of a symmetry is one of the eight
        again = {symmetry(first, k).tobytes() for k in range(8)}
        assert again == {t.tobytes() for t in turned}
    with pytest.raises(ValueError, match="0 to 7, not 8"):
        symmetry(images, 8)


def test_averaged_prediction_is_the_same_whichever_way_up(images):
    model = asymmetric_model()
    expected = predict_averaged(model, images)
    assert expected.shape == (6, 7) and np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    single = model.predict(images, verbose=0)
    turned_once = model.predict(np.ascontiguousarray(symmetry(images, 5)), verbose=0)
    assert np.abs(single - turned_once).max() > 0.01  # the model alone is not invariant
    for number in range(1, 8):
        turned = np.ascontiguousarray(symmetry(images, number))
        np.testing.assert_allclose(predict_averaged(model, turned), expected, atol=1e-6)


def test_averaging_in_small_batches_changes_nothing(images):
    model = asymmetric_model()
    np.testing.assert_allclose(
        predict_averaged(model, images, batch_size=8), predict_averaged(model, images), atol=1e-6
    )


def test_augmentation_rests_outside_training(images):
    layer = Augment(seed=0)
    np.testing.assert_array_equal(as_numbers(layer(images)), images.astype(np.float32))


def test_symmetries_alone_only_turn_and_mirror(images):
    layer = Augment(symmetries=True, shift=0, zoom=0, colour=0, seed=0)
    seen = set()
    for _ in range(20):
        changed = as_numbers(layer(images, training=True))
        for k, image in enumerate(changed):
            which = [
                j for j in range(8) if np.array_equal(symmetry(images[k : k + 1], j)[0], image)
            ]
            assert len(which) == 1
            seen.add(which[0])
    assert seen == set(range(8))


def test_shift_moves_a_point_by_no_more_than_it_says():
    dot = np.zeros((64, 28, 28, 3), dtype=np.uint8)
    dot[:, 14, 10] = 255
    layer = Augment(symmetries=False, shift=2, zoom=0, colour=0, seed=0)
    changed = as_numbers(layer(dot, training=True))[..., 0]
    weights = changed / changed.sum(axis=(1, 2), keepdims=True)
    rows = (weights.sum(axis=2) * np.arange(28)).sum(axis=1)
    columns = (weights.sum(axis=1) * np.arange(28)).sum(axis=1)
    assert np.abs(rows - 14).max() <= 2 and np.abs(columns - 10).max() <= 2
    assert rows.std() > 0.5 and columns.std() > 0.5  # a uniform draw: 2 / sqrt(3) = 1.15
    np.testing.assert_allclose(changed.sum(axis=(1, 2)), 255, rtol=1e-4)


def test_zoom_changes_sizes_both_ways():
    square = np.zeros((200, 28, 28, 3), dtype=np.uint8)
    square[:, 8:20, 8:20] = 255
    layer = Augment(symmetries=False, shift=0, zoom=0.5, colour=0, seed=0)
    area = as_numbers(layer(square, training=True))[..., 0].sum(axis=(1, 2)) / 255
    assert area.min() == pytest.approx(144 / 1.5**2, rel=0.1)
    assert area.max() == pytest.approx(144 * 1.5**2, rel=0.1)


def test_light_and_colour_leave_shapes_and_stay_in_range(images):
    flat = np.full((500, 28, 28, 3), 120, dtype=np.uint8)
    layer = Augment(symmetries=False, shift=0, zoom=0, colour=1, seed=0)
    changed = as_numbers(layer(flat, training=True))
    assert changed.std(axis=(1, 2)).max() < 0.01  # one colour stays one colour
    ratio = changed[:, 0, 0] / 120
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert 0.09 < ratio.std() < 0.16  # 10 % of brightness with 8 % of each colour: 12.8 %
    between = ratio / ratio.mean(axis=1, keepdims=True)
    assert 0.04 < between.std() < 0.09  # the balance of the colours moves too
    strong = as_numbers(Augment(colour=5, seed=0)(images, training=True))
    assert strong.min() >= 0 and strong.max() <= 255


def test_same_seed_same_changes(images):
    first, second = (as_numbers(Augment(seed=3)(images, training=True)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = as_numbers(Augment(seed=4)(images, training=True))
    assert np.abs(first - other).max() > 1


def test_layer_is_rebuilt_from_its_config():
    layer = Augment(shift=1, zoom=0.1, colour=0.5, symmetries=False, seed=7)
    again = Augment.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
