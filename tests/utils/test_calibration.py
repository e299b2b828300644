import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sklearn.metrics
from sklearn.calibration import calibration_curve

from utils import calibration, evaluation_plots

RNG = np.random.default_rng(0)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def drawn(n: int, *, temperature: float = 1.0, seed: int = 0):
    """Labels drawn from probabilities, and those probabilities at another temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, 7))
    true = softmax(logits)
    labels = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return labels, softmax(logits / temperature)


def two_classes(*pairs):
    """Labels and probabilities of predicted class 1, from (probability, right) pairs."""
    labels = np.array([int(right) for _, right in pairs])
    return labels, np.array([[1 - p, p] for p, _ in pairs])


def test_reliability_by_hand():
    labels, probabilities = two_classes((0.9, 1), (0.9, 1), (0.8, 0), (0.6, 1), (0.6, 0))
    table = calibration.reliability_table(labels, probabilities, bins=4)
    assert table["images"].tolist() == [0, 0, 2, 3]
    assert table["confidence"].iloc[2] == pytest.approx(0.6)
    assert table["accuracy"].iloc[2] == pytest.approx(0.5)
    assert table["confidence"].iloc[3] == pytest.approx(2.6 / 3)
    assert table["accuracy"].iloc[3] == pytest.approx(2 / 3)
    assert table["accuracy"].iloc[:2].isna().all()
    error = calibration.expected_calibration_error(labels, probabilities, bins=4)
    assert error == pytest.approx(2 / 5 * 0.1 + 3 / 5 * 0.2)


def test_an_edge_belongs_to_the_bin_below():
    labels, probabilities = two_classes((0.75, 1), (1.0, 1))
    table = calibration.reliability_table(labels, probabilities, bins=4)
    assert table["images"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("bins", [10, 15])
def test_reliability_is_scikit_learns(bins):
    labels, probabilities = drawn(500)
    table = calibration.reliability_table(labels, probabilities, bins=bins)
    right = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=1), n_bins=bins)
    filled = table[table["images"] > 0]
    assert filled["accuracy"].to_numpy() == pytest.approx(accuracy)
    assert filled["confidence"].to_numpy() == pytest.approx(confidence)
    assert table["images"].sum() == 500


def test_probabilities_that_are_true_are_calibrated_and_sure_ones_are_not():
    labels, probabilities = drawn(50_000)
    assert calibration.expected_calibration_error(labels, probabilities) < 0.01
    labels, probabilities = drawn(50_000, temperature=0.4)
    assert calibration.expected_calibration_error(labels, probabilities) > 0.1


def test_brier_score_by_hand():
    labels = np.array([0, 2])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])
    first, second = 0.3**2 + 0.2**2 + 0.1**2, 0.5**2 + 0.5**2 + 1
    assert calibration.brier_score(labels, probabilities) == pytest.approx((first + second) / 2)
    assert calibration.brier_score(labels, np.eye(3)[labels]) == 0
    assert calibration.brier_score(labels, np.eye(3)[[1, 1]]) == 2
    assert calibration.brier_score(labels, np.full((2, 3), 1 / 3)) == pytest.approx(2 / 3)


def test_two_class_brier_score_is_twice_scikit_learns():
    labels, probabilities = two_classes(*((p, p > 0.3) for p in RNG.random(50)))
    expected = 2 * sklearn.metrics.brier_score_loss(labels, probabilities[:, 1])
    assert calibration.brier_score(labels, probabilities) == pytest.approx(expected)


def test_log_loss_is_scikit_learns_and_finite_at_zero():
    labels, probabilities = drawn(200)
    expected = sklearn.metrics.log_loss(labels, probabilities, labels=range(7))
    assert calibration.log_loss(labels, probabilities) == pytest.approx(expected)
    assert 80 < calibration.log_loss(np.array([0]), np.array([[0.0, 1.0]])) < 100


def test_temperature_on_probabilities_is_division_of_logits():
    logits = RNG.normal(scale=3, size=(40, 7))
    for temperature in (0.5, 1, 2.5):
        found = calibration.apply_temperature(softmax(logits), temperature)
        assert found == pytest.approx(softmax(logits / temperature), abs=1e-9)
        assert (found.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_temperature_survives_probabilities_of_zero():
    found = calibration.apply_temperature(np.array([[1.0, 0, 0], [0.5, 0.5, 0]], "float32"), 2)
    assert np.isfinite(found).all() and found.sum(axis=1) == pytest.approx([1, 1])
    assert found[0, 0] > 0.999


@pytest.mark.parametrize("sharpened", [0.4, 1.0, 2.0])
def test_fit_recovers_a_known_temperature(sharpened):
    labels, probabilities = drawn(20_000, temperature=sharpened)
    found = calibration.fit_temperature(labels, probabilities)
    assert found == pytest.approx(1 / sharpened, rel=0.03)
    scaled = calibration.apply_temperature(probabilities, found)
    for other in (0.9 * found, 1.1 * found):
        worse = calibration.apply_temperature(probabilities, other)
        assert calibration.log_loss(labels, worse) > calibration.log_loss(labels, scaled)
    if sharpened != 1:
        errors = [
            calibration.expected_calibration_error(labels, p) for p in (probabilities, scaled)
        ]
        assert errors[1] < errors[0] / 5


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_impossible_temperature_is_named(temperature):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        calibration.apply_temperature(np.eye(2), temperature)


def test_a_temperature_that_is_not_fixed_is_named():
    labels = np.arange(7)
    always_right = 0.5 * np.eye(7) + 0.5 / 7
    with pytest.raises(
        ValueError, match="7 images do not fix a temperature: all answers are right"
    ):
        calibration.fit_temperature(labels, always_right)
    with pytest.raises(ValueError, match="do not fix a temperature: the best is beyond 50"):
        calibration.fit_temperature(labels, np.roll(always_right, 1, axis=0))


def test_other_shares_by_hand():
    found = calibration.change_shares(np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([10, 90]))
    assert found == pytest.approx(np.array([[0.1, 0.9], [0.5, 0.5]]))
    same = calibration.change_shares(found, np.array([1, 1]), seen=np.array([0.1, 0.9]))
    assert same == pytest.approx(np.array([[0.5, 0.5], [0.9, 0.1]]))


def test_other_shares_give_back_the_truth_of_a_rebalanced_model():
    # One measurement per image, normal within each class: Bayes' rule gives the exact answers.
    rng = np.random.default_rng(2)
    shares = np.array([0.7, 0.2, 0.1])
    labels = rng.choice(3, size=40_000, p=shares)
    x = rng.normal(loc=1.5 * labels)
    likelihood = np.exp(-0.5 * (x[:, None] - 1.5 * np.arange(3)) ** 2)
    balanced = likelihood / likelihood.sum(axis=1, keepdims=True)
    assert calibration.expected_calibration_error(labels, balanced) > 0.04
    found = calibration.change_shares(balanced, shares)
    assert calibration.expected_calibration_error(labels, found) < 0.01
    assert found.mean(axis=0) == pytest.approx(shares, abs=0.01)


@pytest.mark.parametrize("shares", [[1, 2], [1, 0, 2], [1, np.nan, 2]])
def test_impossible_shares_are_named(shares):
    with pytest.raises(ValueError, match="one number above 0 for each class"):
        calibration.change_shares(np.eye(3), np.array(shares))


@pytest.mark.parametrize(
    "labels, probabilities, message",
    [
        ([0, 1], [[0.5, 0.5]], "one row per label"),
        ([0], [0.5], "one row per label"),
        ([2], [[0.5, 0.5]], "labels must lie between 0 and 1"),
        ([0, 1], [[0.5, 0.5], [2.0, 3.0]], "row 1 of probabilities sums to 5"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "row 1 of probabilities sums to nan"),
    ],
)
def test_bad_input_is_named(labels, probabilities, message):
    labels, probabilities = np.array(labels), np.array(probabilities)
    for function in (
        calibration.reliability_table,
        calibration.brier_score,
        calibration.log_loss,
        calibration.fit_temperature,
    ):
        with pytest.raises(ValueError, match=message):
            function(labels, probabilities)


def test_no_bins_is_named():
    with pytest.raises(ValueError, match="bins must be 1 or more"):
        calibration.reliability_table(np.array([0]), np.array([[1.0, 0.0]]), bins=0)


def test_reliability_diagrams_show_each_filled_bin():
    labels, probabilities = two_classes((0.9, 1), (0.9, 1), (0.8, 0), (0.6, 1), (0.6, 0))
    table = calibration.reliability_table(labels, probabilities, bins=4)
    figure = evaluation_plots.reliability_diagrams({"before": table, "after": table})
    upper, _, lower, _ = figure.axes
    assert [bar.get_height() for bar in upper.patches] == pytest.approx([1 / 2, 2 / 3])
    assert upper.lines[0].get_xdata() == pytest.approx([0.6, 2.6 / 3])
    assert [bar.get_height() for bar in lower.patches] == [2, 3]
    assert [axis.get_title() for axis in figure.axes[:2]] == ["before", "after"]
    plt.close(figure)
