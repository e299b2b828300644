"""What a recipe can ask for: how rows are drawn, the prior put back, the optimiser's steps."""

import dataclasses

import keras
import numpy as np
import pytest
from small_dataset import small_dataset

from utils import metrics, models, training
from utils.augment import predict_averaged
from utils.classes import DX
from utils.splits import lesion_folds, lesion_split
from utils.training import BEST, ORIGINAL, Recipe, Rows


@pytest.fixture(scope="module")
def unequal():
    """A data set in which class 4 is ten times as frequent as the others."""
    dataset = small_dataset(lesions_per_class=30)
    often = np.flatnonzero(dataset.labels == 4)
    rows = np.concatenate([np.arange(len(dataset.labels)), np.tile(often, 9)])
    metadata = dataset.metadata.iloc[rows].reset_index(drop=True)
    return dataclasses.replace(
        dataset, images=dataset.images[rows], labels=dataset.labels[rows], metadata=metadata
    )


def drawn(dataset, **changes):
    recipe = dataclasses.replace(BEST, batch_size=64, **changes)
    return Rows(dataset, np.arange(len(dataset.labels)), recipe, seed=0)


def shares_seen(rows, epochs=30):
    counts = np.zeros(7)
    for _ in range(epochs):
        for k in range(len(rows)):
            counts += rows[k][1].sum(axis=0)
        rows.on_epoch_end()
    return counts / counts.sum()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_drawn_rows_have_the_shares_that_their_power_says(unequal, power):
    rows = drawn(unequal, rebalance="draw", power=power)
    counts = np.bincount(unequal.labels)
    expected = counts ** (1 - power) / (counts ** (1 - power)).sum()
    np.testing.assert_allclose(rows.shares, expected, rtol=1e-9)
    np.testing.assert_allclose(shares_seen(rows), expected, atol=0.01)


def test_an_epoch_without_rebalancing_shows_every_image_once(unequal):
    rows = drawn(unequal, rebalance="none")
    images = np.concatenate([rows[k][0] for k in range(len(rows))])
    assert images.dtype == np.uint8  # no batch is turned into decimals on the way
    first = sorted(image.tobytes() for image in images)
    assert first == sorted(image.tobytes() for image in unequal.images)
    order = rows.order.copy()
    rows.on_epoch_end()
    assert not np.array_equal(order, rows.order)


def test_oversampled_rows_are_balanced(unequal):
    np.testing.assert_allclose(shares_seen(drawn(unequal, rebalance="oversample"), 1), 1 / 7)


def test_weights_make_every_class_count_the_same_and_average_to_one(unequal):
    rows = drawn(unequal, rebalance="weight", power=1.0)
    total, weights = np.zeros(7), []
    for k in range(len(rows)):
        _, labels, weight = rows[k]
        total += (labels * weight[:, None]).sum(axis=0)
        weights.append(weight)
    np.testing.assert_allclose(total / total.sum(), 1 / 7, rtol=1e-5)
    assert np.concatenate(weights).mean() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("build", [models.original_cnn, models.scaled_cnn, models.small_resnet])
def test_prior_is_put_back_by_bayes_rule(build):
    network = build()
    images = np.random.default_rng(0).integers(0, 256, size=(5, 28, 28, 3), dtype=np.uint8)
    before = network.predict(images, verbose=0).astype(float)
    seen, shares = np.full(7, 1 / 7), np.array([0.05, 0.05, 0.1, 0.01, 0.6, 0.04, 0.15])
    training.restore_prior(network, seen, shares)
    expected = before * shares / seen
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict(images, verbose=0), expected, atol=1e-5)


def test_decision_divides_by_the_shares():
    probabilities = np.array([[0.1, 0.1, 0.05, 0.05, 0.5, 0.05, 0.15]])
    shares = np.array([0.03, 0.05, 0.11, 0.01, 0.67, 0.02, 0.11])
    assert metrics.decide(probabilities)[0] == DX.index("nv")
    assert metrics.decide(probabilities, shares)[0] == DX.index("df")  # 0.05 / 0.01 is the largest
    with pytest.raises(ValueError, match="7 numbers above 0"):
        metrics.decide(probabilities, np.zeros(7))


def test_shares_change_the_decision_and_leave_the_auc():
    rng = np.random.default_rng(0)
    labels = np.r_[
        np.arange(7), rng.choice(7, size=400, p=[0.03, 0.05, 0.1, 0.02, 0.65, 0.05, 0.1])
    ]
    shares = np.bincount(labels) / len(labels)
    evidence = np.exp(1.2 * np.eye(7)[labels] + 0.7 * rng.normal(size=(len(labels), 7)))
    probabilities = shares * evidence
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    plain = metrics.headline(labels, probabilities)
    even = metrics.headline(labels, probabilities, shares=shares)
    assert even["balanced accuracy"] > plain["balanced accuracy"] + 0.1
    assert even["accuracy"] < plain["accuracy"]
    assert even["macro AUC"] == plain["macro AUC"]


def test_step_sizes_rise_and_fall_as_the_schedule_says():
    rate = training.optimizer_of(BEST, 1000)._learning_rate
    values = np.array([float(rate(step)) for step in range(1000)])
    assert values.argmax() == pytest.approx(100, abs=1)
    assert values.max() == pytest.approx(BEST.learning_rate, rel=1e-3)
    assert values[-1] < 0.02 * values.max()
    constant = training.optimizer_of(ORIGINAL, 1000)
    assert float(constant.learning_rate) == pytest.approx(1e-3)
    assert type(constant) is keras.optimizers.Adam


@pytest.mark.parametrize(
    "field, value", [("network", "vgg"), ("rebalance", "smote"), ("schedule", "x"), ("keep", "x")]
)
def test_unknown_words_in_a_recipe_are_named_with_what_there_is(field, value):
    with pytest.raises(ValueError, match=f"{field} is '{value}'; it can be"):
        Recipe(**{field: value})


def test_the_small_network_has_its_published_size():
    model = models.small_resnet()
    assert model.count_params() == 305_143 and model.output_shape == (None, 7)
    assert models.scaled_cnn().count_params() == 504_103
    assert models.small_resnet(size=64).input_shape == (None, 64, 64, 3)


def test_recipe_trains_without_a_validation_part_and_answers_alike_for_all_orientations(tmp_path):
    dataset = small_dataset(lesions_per_class=12)
    fold = lesion_folds(dataset, folds=3)[0]
    recipe = dataclasses.replace(BEST, epochs=2, batch_size=64, average=0.9)
    model, certificate = training.train(dataset, fold, recipe, name="fold", folder=tmp_path)
    assert certificate.validation_lesions == [] and certificate.best_epoch == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fold.json", "fold.weights.h5"]
    answers = predict_averaged(model, dataset.images[fold.test])
    turned = np.ascontiguousarray(dataset.images[fold.test][:, ::-1].transpose(0, 2, 1, 3))
    np.testing.assert_allclose(predict_averaged(model, turned), answers, atol=1e-5)


def test_the_best_epoch_cannot_be_chosen_without_a_validation_part(tmp_path):
    dataset = small_dataset(lesions_per_class=12)
    fold = lesion_folds(dataset, folds=3)[0]
    with pytest.raises(ValueError, match="this split has none"):
        training.train(
            dataset, fold, dataclasses.replace(ORIGINAL, epochs=1), name="x", folder=tmp_path
        )


def test_kept_weights_are_the_running_mean(tmp_path):
    """Without the mean the last weights are kept: the two differ, and both are reproducible."""
    dataset = small_dataset(lesions_per_class=12)
    split = lesion_split(dataset)
    kept = {}
    for average in (0.0, 0.9):
        recipe = dataclasses.replace(BEST, epochs=2, batch_size=32, average=average, prior=False)
        model, _ = training.train(dataset, split, recipe, name="x", folder=tmp_path)
        kept[average] = model.get_weights()[0]
    assert np.abs(kept[0.0] - kept[0.9]).max() > 1e-4
