"""What chapter 7 defines: bins, scores, a line through log odds, promises, net benefit."""

import math

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tools.book.course import definitions
from utils.classes import DX

CHAPTER = definitions("07")
MEL, NV = DX.index("mel"), DX.index("nv")


def drawn(n: int, *, temperature: float = 1.0):
    """Labels drawn from probabilities, and those probabilities at another temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(n, 7))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return labels, softmax(logits / temperature, axis=1)


def two_classes(*pairs):
    """Labels and probabilities of predicted class 1, from (probability, right) pairs."""
    labels = np.array([int(right) for _, right in pairs])
    return labels, np.array([[1 - p, p] for p, _ in pairs])


def test_an_edge_belongs_to_the_bin_below():
    table = CHAPTER.reliability_table(*two_classes((0.75, 1), (1.0, 1)), bins=4)
    assert table["high"].tolist() == [0.75, 1]
    above = np.array([[np.float32(0), np.nextafter(np.float32(1), np.float32(2))]])
    assert CHAPTER.reliability_table(np.array([1]), above)["high"].tolist() == [1]


@pytest.mark.parametrize("bins", [10, 15])
@pytest.mark.parametrize("form", ["float64", "float32"])
def test_bins_are_scikit_learns(bins, form):
    labels, probabilities = drawn(500)
    table = CHAPTER.reliability_table(labels, probabilities.astype(form), bins=bins)
    right = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(right, probabilities.max(axis=1), n_bins=bins)
    assert table["accuracy"].to_numpy() == pytest.approx(accuracy)
    assert table["confidence"].to_numpy() == pytest.approx(confidence)
    assert table["images"].sum() == 500


def test_probabilities_that_are_true_are_calibrated_and_sure_ones_are_not():
    by_hand = two_classes(*[(0.95, 1)] * 4, (0.95, 0), (0.55, 0))
    assert CHAPTER.calibration_error(*by_hand) == pytest.approx(5 / 6 * 0.15 + 1 / 6 * 0.55)
    assert CHAPTER.calibration_error(*drawn(50_000)) < 0.01
    assert CHAPTER.calibration_error(*drawn(50_000, temperature=0.4)) > 0.1


def test_brier_score_by_hand_and_twice_scikit_learns_for_two_classes():
    labels = np.array([0, 2])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])
    first, second = 0.3**2 + 0.2**2 + 0.1**2, 0.5**2 + 0.5**2 + 1
    assert CHAPTER.brier_score(labels, probabilities) == pytest.approx((first + second) / 2)
    assert CHAPTER.brier_score(labels, np.eye(3)[labels]) == 0
    assert CHAPTER.brier_score(labels, np.eye(3)[[1, 1]]) == 2
    labels, probabilities = two_classes(*((p, p > 0.3) for p in np.linspace(0, 1, 50)))
    expected = 2 * brier_score_loss(labels, probabilities[:, 1])
    assert CHAPTER.brier_score(labels, probabilities) == pytest.approx(expected)


def test_an_honest_network_has_an_error_that_shrinks_with_its_images():
    few, many = (CHAPTER.error_if_honest(drawn(n)[1], draws=50) for n in (200, 20_000))
    assert few[0] < few[1] and many[0] < many[1] < few[0] / 5
    labels, probabilities = drawn(2000)
    assert CHAPTER.calibration_error(labels, probabilities) <= 1.3 * few[1]
    assert CHAPTER.error_if_honest(np.eye(7), draws=3) == (0, 0)  # certain, and right
    seldom = CHAPTER.error_if_honest(np.array([[0.96, 0.04]]), draws=1000)
    assert seldom == pytest.approx((0.96 * 0.04 * 2, 0.96), abs=0.02)  # wrong in 4 of 100


def test_slope_and_intercept_find_the_line_that_bars_were_bent_by():
    rng = np.random.default_rng(1)
    log_odds = rng.normal(-2, 1.5, 100_000)
    kept = rng.random(len(log_odds)) < expit(log_odds)
    assert CHAPTER.slope_and_intercept(kept, expit(log_odds)) == pytest.approx((1, 0), abs=0.05)
    bent = expit((log_odds + 0.6) / 0.5)  # too far apart, and too high
    assert CHAPTER.slope_and_intercept(kept, bent) == pytest.approx((0.5, -0.6), abs=0.05)
    certain = CHAPTER.slope_and_intercept(np.array([1, 0, 1, 0]), np.array([1, 0, 0, 1]))
    assert np.isfinite(certain).all()


def test_promises_are_added_up_and_lesions_drawn_with_all_their_images(monkeypatch):
    monkeypatch.setattr(CHAPTER, "RESAMPLES", 400, raising=False)
    bars, own = np.full(200, 0.2), np.arange(200) % 10 == 0
    by_image = CHAPTER.promised_to_observed(own, bars, np.arange(200))
    assert by_image.value == pytest.approx(2) and by_image.low < 2 < by_image.high
    twice = [np.tile(part, 2) for part in (own, bars, np.arange(200))]
    assert CHAPTER.promised_to_observed(*twice) == by_image  # nothing new was learned


def test_decision_curve_by_hand():
    """Of 100 images 10 melanomas: 8 of them and 18 others raise the alarm, at 0.1 and at 0.5."""
    labels = np.repeat([MEL, NV], [10, 90])
    bars = np.r_[np.full(8, 0.9), np.zeros(2), np.full(18, 0.9), np.zeros(72)]
    lesions, risks, own = np.arange(100), np.array([0.1, 0.5, 0.95]), labels == MEL
    curve = CHAPTER.decision_curve(own, bars, lesions, risks, 400)
    # At 0.1 nine false alarms weigh as much as one hit, at 0.5 one does.
    assert curve["model"].tolist() == pytest.approx([(8 - 18 / 9) / 100, (8 - 18) / 100, 0])
    # Treating all is worth nothing at a risk that equals the share of melanomas.
    cut_out_all = [CHAPTER.gains(own, np.ones(100), risk).mean() for risk in risks]
    assert cut_out_all == pytest.approx([0, (10 - 90) / 100, 0.1 - 0.9 * 19])
    assert (curve["low"] <= curve["model"]).all() and (curve["model"] <= curve["high"]).all()
    # The spread is that of a mean over melanomas and over nevi drawn apart.
    gain = np.where(labels == MEL, 1, -1 / 9) * (bars >= 0.1)
    error = math.sqrt(gain[:10].var() * 10 + gain[10:].var() * 90) / 100
    assert curve["high"][0] - curve["low"][0] == pytest.approx(2 * 1.96 * error, rel=0.2)
