"""A temperature that makes probabilities true, and an alarm: its threshold, hits and price."""

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from utils import calibration
from utils.classes import DX

MEL, NV = DX.index("mel"), DX.index("nv")


def drawn(n: int, *, temperature: float = 1.0):
    """Labels drawn from probabilities, and those probabilities at another temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(n, 7))
    true = softmax(logits, axis=1)
    labels = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return labels, softmax(logits / temperature, axis=1)


def melanomas_and_nevi(melanomas, nevi):
    """Labels, probabilities and lesions of images with these probabilities of melanoma."""
    scores = np.array([*melanomas, *nevi], dtype=float)
    labels = np.r_[np.full(len(melanomas), MEL), np.full(len(nevi), NV)]
    probabilities = np.zeros((len(scores), 7))
    probabilities[:, MEL], probabilities[:, NV] = scores, 1 - scores
    return labels, probabilities, np.array([f"L{k}" for k in range(len(labels))])


def random_case():
    rng = np.random.default_rng(1)
    return melanomas_and_nevi(rng.beta(3, 2, 60), rng.beta(2, 4, 300))


# --- A temperature -------------------------------------------------------------------------------


def test_temperature_divides_logits_and_survives_probabilities_of_zero():
    logits = np.random.default_rng(0).normal(scale=3, size=(40, 7))
    for temperature in (0.5, 1, 2.5):
        changed = calibration.apply_temperature(softmax(logits, axis=1), temperature)
        assert changed == pytest.approx(softmax(logits / temperature, axis=1), abs=1e-9)
    certain = np.array([[1.0, 0, 0], [0.5, 0.5, 0]], "float32")
    changed = calibration.apply_temperature(certain, 2)
    assert changed.sum(axis=1) == pytest.approx([1, 1]) and changed[0, 0] > 0.999
    for temperature in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            calibration.apply_temperature(certain, temperature)


@pytest.mark.parametrize("sharpened", [0.4, 1.0, 2.0])
def test_fit_recovers_a_known_temperature(sharpened):
    labels, probabilities = drawn(20_000, temperature=sharpened)
    best = calibration.fit_temperature(labels, probabilities)
    assert best == pytest.approx(1 / sharpened, rel=0.03)
    losses = [
        log_loss(labels, calibration.apply_temperature(probabilities, factor * best))
        for factor in (0.9, 1, 1.1)
    ]
    assert min(losses) == losses[1]


@pytest.mark.parametrize("turn", [0, 1], ids=["all right", "all wrong"])
def test_answers_that_fix_no_temperature_are_named(turn):
    labels = np.arange(50) % 7
    answers = 0.05 + 0.65 * np.eye(7)[(labels + turn) % 7]
    with pytest.raises(ValueError, match="these 50 images do not fix a temperature"):
        calibration.fit_temperature(labels, answers)


@pytest.mark.parametrize(
    "labels, probabilities",
    [
        ([0, 1], [[0.5, 0.5]]),
        ([2, 1], [[0.5, 0.5], [0.2, 0.8]]),
        ([0, 1], [[0.5, 0.5], [2.0, 3.0]]),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]]),
    ],
    ids=["a row short", "no such class", "logits", "nan"],
)
def test_what_is_no_answer_is_refused(labels, probabilities):
    with pytest.raises(ValueError):
        calibration.fit_temperature(np.array(labels), np.array(probabilities))


# --- An alarm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sensitivity", [0.05, 0.5, 0.7, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("form", ["float64", "float32", "two decimals"])
def test_threshold_reaches_the_sensitivity_and_no_larger_one_does(sensitivity, form):
    labels, probabilities, _ = random_case()
    probabilities = probabilities.round(2) if form == "two decimals" else probabilities.astype(form)
    find = calibration.threshold_for_sensitivity
    threshold = find(labels, probabilities, sensitivity=sensitivity)
    scores = probabilities[:, MEL].astype(float)
    own = scores[labels == MEL]
    assert (own >= threshold).mean() >= sensitivity
    larger = np.unique(scores[scores > threshold])
    assert all((own >= other).mean() < sensitivity for other in larger)
    for impossible in (90, 0):
        with pytest.raises(ValueError, match=f"at most 1, not {impossible}"):
            find(labels, probabilities, sensitivity=impossible)


def test_operating_point_by_hand():
    given = melanomas_and_nevi([0.9, 0.6, 0.4, 0.1], [0.7, 0.5, 0.5, 0.3, 0.2, 0.1])
    point = calibration.operating_point(*given, threshold=0.5, resamples=200)
    assert (point.hit, point.missed, point.false_alarm, point.dismissed) == (2, 2, 3, 3)
    assert point.sensitivity.value == 0.5 and point.specificity.value == 0.5
    assert point.ppv.value == pytest.approx(2 / 5) and point.npv.value == pytest.approx(3 / 5)
    assert point.excised_per_hit.value == pytest.approx(5 / 2)


def test_intervals_of_an_operating_point():
    given = random_case()
    point = calibration.operating_point(*given, threshold=0.4, resamples=8000)
    for share, n in ((point.sensitivity, 60), (point.specificity, 300)):
        p = share.value
        expected = 2 * 1.96 * math.sqrt(p * (1 - p) / n)
        assert share.high - share.low == pytest.approx(expected, rel=0.12)
        assert share.low < p < share.high
    assert point.excised_per_hit.low == pytest.approx(1 / point.ppv.high)
    assert point.excised_per_hit.high == pytest.approx(1 / point.ppv.low)
    copies = [np.repeat(x, 4, axis=0) for x in given]
    again = calibration.operating_point(*copies, threshold=0.4, resamples=8000)
    assert again.hit == 4 * point.hit
    # Four copies of each image tell no more than one.
    assert again.sensitivity.low == pytest.approx(point.sensitivity.low, abs=0.02)
    assert again.sensitivity.high == pytest.approx(point.sensitivity.high, abs=0.02)


def test_operating_point_where_nothing_is_alarmed_or_nothing_hit():
    given = melanomas_and_nevi([0.2, 0.3], [0.4, 0.1, 0.1])
    none, no_hit = (calibration.operating_point(*given, threshold=t) for t in (0.9, 0.4))
    assert none.sensitivity.value == 0 and math.isnan(none.ppv.value)
    assert math.isnan(none.excised_per_hit.value)
    assert no_hit.ppv.value == 0 and no_hit.excised_per_hit.value == math.inf


@pytest.mark.parametrize("melanomas, nevi", [([0.5, 0.6], []), ([], [0.5, 0.6])])
def test_an_alarm_needs_images_of_both_kinds(melanomas, nevi):
    labels, probabilities, lesions = melanomas_and_nevi(melanomas, nevi)
    with pytest.raises(ValueError, match="one kind is absent"):
        calibration.operating_point(labels, probabilities, lesions, threshold=0.5)
    with pytest.raises(ValueError, match="one kind is absent"):
        calibration.threshold_for_sensitivity(labels, probabilities)
