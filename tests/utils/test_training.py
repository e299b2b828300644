"""What a recipe can ask for, and the training that follows it."""

import dataclasses
import functools
from unittest.mock import Mock

import keras
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss
from small_dataset import chosen, small_dataset

from utils import models, training, weights
from utils.splits import lesion_folds, lesion_split
from utils.training import BEST, ORIGINAL, Recipe, Rows


@pytest.fixture(scope="module")
def unequal():
    """A data set in which class 4 is ten times as frequent as the others."""
    dataset = small_dataset(lesions_per_class=30)
    often = np.flatnonzero(dataset.labels == 4)
    return chosen(dataset, np.concatenate([np.arange(len(dataset.labels)), np.tile(often, 9)]))


def drawn(dataset, seed=0, **changes):
    recipe = dataclasses.replace(BEST, batch_size=60, **changes)
    return Rows(dataset, np.arange(len(dataset.labels)), recipe, seed=seed)


@pytest.mark.parametrize(
    "rebalance, power", [("draw", 0.0), ("draw", 0.5), ("draw", 1.0), ("oversample", 1.0)]
)
def test_drawn_rows_have_the_shares_that_their_power_says(unequal, rebalance, power):
    rows, counts = drawn(unequal, rebalance=rebalance, power=power), np.zeros(7)
    for _ in range(30):
        counts += sum(rows[k][1].sum(axis=0) for k in range(len(rows)))
        rows.on_epoch_end()
    expected = np.bincount(unequal.labels) ** (1 - power)
    np.testing.assert_allclose(rows.shares, expected / expected.sum(), rtol=1e-9)
    np.testing.assert_allclose(counts / counts.sum(), expected / expected.sum(), atol=0.01)


def test_an_epoch_without_rebalancing_shows_every_image_once(unequal):
    rows = drawn(unequal, rebalance="none")
    images = np.concatenate([rows[k][0] for k in range(len(rows))])
    assert images.dtype == np.uint8  # no batch is turned into decimals on the way
    first = sorted(image.tobytes() for image in images)
    assert first == sorted(image.tobytes() for image in unequal.images)
    order = rows.order.copy()
    assert not np.array_equal(order, drawn(unequal, seed=1, rebalance="none").order)
    rows.on_epoch_end()
    assert not np.array_equal(order, rows.order)


def test_weights_make_every_class_count_the_same_and_average_to_one(unequal):
    rows = drawn(unequal, rebalance="weight", power=1.0)
    batches = [rows[k] for k in range(len(rows))]
    total = sum((labels * weights[:, None]).sum(axis=0) for _, labels, weights in batches)
    np.testing.assert_allclose(total / total.sum(), 1 / 7, rtol=1e-5)
    weights = np.concatenate([weights for *_, weights in batches])
    assert weights.mean() == pytest.approx(1, rel=1e-5)


def test_oversampling_balances_the_training_rows_and_takes_no_other():
    labels = np.array([0] * 50 + [1] * 5 + [2] * 20)
    rows = np.arange(0, 75, 2)
    drawn, again, other = (training.oversampled_indices(labels, rows, seed=s) for s in (3, 3, 4))
    assert set(drawn) == set(rows) and np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)
    assert np.unique(np.bincount(labels[drawn])).size == 1


def test_balanced_accuracy_is_scikit_learns_over_several_batches():
    rng = np.random.default_rng(0)
    labels = rng.choice(6, size=300, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    answers = rng.dirichlet([*np.ones(6), 1e-9], size=300)
    metric = training.BalancedAccuracy()
    for start in range(0, 300, 64):
        metric.update_state(labels[start : start + 64], answers[start : start + 64])
    expected = balanced_accuracy_score(labels, answers.argmax(axis=1))
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0
    metric.update_state(np.array([2, 2]), np.eye(7)[[2, 3]])
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize("build", [models.original_cnn, models.small_resnet])
def test_prior_is_put_back_by_bayes_rule(build):
    network = build()
    images = np.random.default_rng(0).integers(0, 256, size=(5, 28, 28, 3), dtype=np.uint8)
    before = network.predict(images, verbose=0).astype(float)
    seen = np.array([0.1, 0.2, 0.1, 0.1, 0.3, 0.05, 0.15])
    shares = np.array([0.05, 0.05, 0.1, 0.01, 0.6, 0.04, 0.15])
    training.restore_prior(network, seen, shares)
    expected = before * shares / seen
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict(images, verbose=0), expected, atol=1e-5)


def test_step_sizes_rise_and_fall_as_the_schedule_says():
    best = training.optimizer_of(BEST, 1000)
    values = np.array([float(best._learning_rate(step)) for step in range(1001)])
    assert values.argmax() == pytest.approx(100, abs=1)
    assert values.max() == pytest.approx(BEST.learning_rate, rel=1e-3)
    assert values[[0, -1]] == pytest.approx(np.array([1 / 20, 1 / 100]) * values.max())
    assert best.ema_momentum == BEST.average
    constant = training.optimizer_of(ORIGINAL, 1000)
    assert float(constant.learning_rate) == pytest.approx(1e-3)
    assert type(constant) is keras.optimizers.Adam
    published = [weights.read_certificate(name).recipe for name in ("original", "best", "transfer")]
    assert published == [dataclasses.asdict(one) for one in (ORIGINAL, BEST, training.FineTuning())]


def test_the_rest_of_a_recipe_is_compiled_as_it_says():
    model = training.compiled(models.original_cnn(), training.FineTuning(), steps=10, seed=4)
    augment, wanted = model.layers[0], dataclasses.asdict(training.FineTuning())
    assert augment.draws.get_config()["seed"] == 4
    for name in ("symmetries", "shift", "zoom", "colour"):
        assert getattr(augment, name) == wanted[name]
    assert model.loss.label_smoothing == wanted["label_smoothing"]
    for one in (BEST, training.FineTuning()):
        decayed = [keras.Variable(np.ones(3), name=n) for n in ("kernel", "bias", "gamma", "beta")]
        training.optimizer_of(one, 10).apply([np.zeros(3)] * 4, decayed)
        lost = [one.learning_rate / 20 * one.weight_decay, 0, 0, 0]
        assert [1 - float(variable[0]) for variable in decayed] == pytest.approx(lost, rel=0.02)


@pytest.mark.parametrize("field", ["network", "rebalance", "schedule", "keep"])
def test_unknown_words_in_a_recipe_are_named_with_what_there_is(field):
    with pytest.raises(ValueError, match=f"{field} is 'vgg'; it can be"):
        Recipe(**{field: "vgg"})


@pytest.fixture(scope="module")
def dataset():
    """A small one in which class 4 is three times as frequent as the others."""
    dataset = small_dataset(lesions_per_class=12)
    rows = np.arange(len(dataset.labels))
    return chosen(dataset, rows[(dataset.labels == 4) | (rows % 3 == 0)])


@pytest.fixture
def train(dataset, tmp_path, monkeypatch):
    """Train by a changed recipe for two epochs, a network that is small and compiles soon."""
    small = functools.partial(models.small_resnet, (8,), blocks=(1,), stem=8)
    monkeypatch.setitem(models.BUILDERS, "small_resnet", small)
    for name in ("Rows", "compiled"):  # as before, and what they were given can be asked
        monkeypatch.setattr(training, name, Mock(wraps=getattr(training, name)))

    def train(split, **changes):
        recipe = dataclasses.replace(BEST, **{"epochs": 2, "batch_size": 32} | changes)
        return training.train(dataset, split, recipe, name="tiny", folder=tmp_path, seed=1)

    return train


def test_the_epoch_with_the_best_validation_value_is_kept(dataset, train, capsys, monkeypatch):
    split, losses = lesion_split(dataset), []
    for average in (0.0, 0.5):
        options = {"prior": False, "label_smoothing": 0.0, "colour": 0.0, "epochs": 3}
        model, certificate = train(split, keep="best", average=average, **options)
        assert np.array_equal(training.Rows.call_args.args[1], split.train)
        assert training.compiled.call_args.kwargs["steps"] == 3 * -(-len(split.train) // 32)
        values = certificate.history["val_balanced_accuracy"]
        assert len(set(values)) > 1 and values[certificate.best_epoch - 1] == max(values)
        answers = model.predict(dataset.images[split.validation], verbose=0)
        losses.append(certificate.history["val_loss"][certificate.best_epoch - 1])
        of_kept = log_loss(dataset.labels[split.validation], answers, labels=range(7))
        assert of_kept == pytest.approx(losses[-1], rel=1e-4)
    assert abs(losses[0] - losses[1]) > 1e-3, "the mean is not what was judged"
    *_, line = capsys.readouterr().out.splitlines()
    assert f"validation balanced accuracy {values[-1]:.3f}, best so far {max(values):.3f}" in line
    assert f"(epoch {certificate.best_epoch})" in line and line.startswith("epoch  3 of 3")
    monkeypatch.setattr(training, "get_ipython", object)  # a notebook: one line, which is renewed
    monkeypatch.setattr(training, "display", shown := Mock())
    train(split, epochs=2)
    assert shown.call_count == shown.return_value.update.call_count == 1


def test_kept_weights_are_the_running_mean_with_prior_and_seed_decides(dataset, train, tmp_path):
    """Trained without a validation part: the last weights, their mean, and that for the prior."""
    fold = lesion_folds(dataset, folds=3)[0]
    kinds = ((0.0, False), (0.9, False), (0.9, True))
    runs = [train(fold, average=average, prior=prior) for average, prior in kinds]
    (last, _), (mean, certificate), (best, _) = runs
    assert certificate.validation_lesions == [] and certificate.best_epoch == 2
    assert certificate.seed == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.json", "tiny.weights.h5"]
    (*last, _), (*mean, bias), (*again, moved) = (m.get_weights() for m in (last, mean, best))
    assert np.abs(last[0] - mean[0]).max() > 1e-4
    for one, other in zip(again, mean, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    drawn = Rows(dataset, fold.train, BEST, seed=0).shares
    prior = np.log(training.class_shares(dataset.labels[fold.train]) / drawn)
    np.testing.assert_allclose(moved - bias, prior, atol=1e-4)
    with pytest.raises(ValueError, match="this split has none"):
        train(fold, keep="best")
    (tmp_path / ".tiny.probe").mkdir()  # as if nothing could be written there
    with pytest.raises(OSError, match="probe"):
        train(fold)


def test_fine_tuning_takes_smaller_steps_in_the_body_than_in_the_head():
    recipe = training.FineTuning(weight_decay=0.001, average=0, schedule="constant", body_rate=0.1)
    variables = [keras.Variable(np.zeros(shape, "float32")) for shape in ((5, 4), (4, 7), (7,))]
    gradients = [keras.ops.ones(variable.shape) for variable in variables]
    training.optimizer_of(recipe, 10).apply(gradients, variables)
    body, kernel, bias = (np.abs(np.asarray(variable)).mean() for variable in variables)
    assert kernel == pytest.approx(recipe.learning_rate, rel=1e-3) == bias
    assert body == pytest.approx(0.1 * kernel, rel=1e-3)


def test_the_seed_draws_the_first_weights_the_rows_and_their_views(dataset, train, monkeypatch):
    first = []
    build = lambda: first.append(models.small_resnet().get_weights()[0])  # noqa: E731
    monkeypatch.setitem(models.BUILDERS, "small_resnet", build)
    for seed in (1, 1, 2):
        with pytest.raises(AttributeError):  # no network came back
            training.train(dataset, lesion_split(dataset), name="tiny", seed=seed)
        given = [one.call_args.kwargs["seed"] for one in (training.Rows, training.compiled)]
        assert given == [seed, seed]
    assert np.array_equal(*first[:2]) and not np.array_equal(*first[1:])
