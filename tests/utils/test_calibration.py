"""A temperature that makes probabilities true, and an alarm: its threshold, hits and price."""

import math

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from tools.book.course import definitions
from utils import calibration
from utils.classes import DX

MEL, NV = DX.index("mel"), DX.index("nv")


def melanomas_and_nevi(melanomas, nevi):
    """Labels, probabilities and lesions of images with these probabilities of melanoma."""
    scores = np.array([*melanomas, *nevi], dtype=float)
    labels = np.r_[np.full(len(melanomas), MEL), np.full(len(nevi), NV)]
    probabilities = np.zeros((len(scores), 7))
    probabilities[:, MEL], probabilities[:, NV] = scores, 1 - scores
    return labels, probabilities, np.array([f"L{k}" for k in range(len(labels))])


RNG = np.random.default_rng(1)
RANDOM = melanomas_and_nevi(RNG.beta(3, 2, 60), RNG.beta(2, 4, 300))


def test_temperature_divides_logits_and_survives_probabilities_of_zero():
    logits = np.random.default_rng(0).normal(scale=3, size=(40, 7))
    for temperature in (0.5, 1, 2.5):
        changed = calibration.apply_temperature(softmax(logits, axis=1), temperature)
        assert changed == pytest.approx(softmax(logits / temperature, axis=1), abs=1e-9)
    certain = np.array([[1.0, 0, 0], [0.5, 0.5, 0]], "float32")
    changed = calibration.apply_temperature(certain, 2)
    assert changed.sum(axis=1) == pytest.approx(1) and 0 < changed[0, 1] == changed[0, 2] < 1e-18
    for temperature in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="temperature must be above 0"):
            calibration.apply_temperature(certain, temperature)


@pytest.mark.parametrize("sharpened", [0.1, 1.0, 20.0])
def test_fit_recovers_a_known_temperature(sharpened):
    """Labels are drawn from probabilities; these are judged at another temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(20_000, 7))
    sums = softmax(logits, axis=1).cumsum(axis=1)
    labels, probabilities = (sums < rng.random((20_000, 1))).sum(1), softmax(logits / sharpened, 1)
    best = calibration.fit_temperature(labels, probabilities)
    assert best == pytest.approx(1 / sharpened, rel=0.03)
    near = (calibration.apply_temperature(probabilities, k * best) for k in (0.9, 1, 1.1))
    losses = [log_loss(labels, changed) for changed in near]
    assert min(losses) == losses[1]


FIFTY = np.arange(50) % 7


@pytest.mark.parametrize("labels, probabilities, message", [
    (FIFTY, 0.05 + 0.65 * np.eye(7)[FIFTY], "these 50 images do not fix"),  # all right
    (FIFTY, 0.05 + 0.65 * np.eye(7)[(FIFTY + 1) % 7], "these 50 images do not fix"),
    ([0, 1], [[0.5, 0.5]], None),  # a row short
    ([2, 1], [[0.5, 0.5], [0.2, 0.8]], None),  # no such class
    ([0, 1], [[0.5, 0.5], [0.6, 0.41]], "sum to 1"),  # nor do logits
    ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "sum to 1"),
])  # fmt: skip
def test_answers_that_fix_no_temperature_are_refused(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        calibration.fit_temperature(np.array(labels), np.array(probabilities))


@pytest.mark.parametrize("sensitivity", [0.05, 0.5, 0.7, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("form", ["float64", "float32", "two decimals"])
def test_threshold_reaches_the_sensitivity_and_no_larger_one_does(sensitivity, form):
    labels, probabilities, _ = RANDOM
    probabilities = probabilities.round(2) if form == "two decimals" else probabilities.astype(form)
    find, wanted = calibration.threshold_for_sensitivity, {"sensitivity": sensitivity}
    threshold = find(labels, probabilities, **({} if sensitivity == 0.9 else wanted))
    scores = probabilities[:, MEL].astype(float)
    own = scores[labels == MEL]
    assert (own >= threshold).mean() >= sensitivity
    assert all((own >= s).mean() < sensitivity for s in scores[scores > threshold])
    for impossible in (90, 1.5, 0):
        with pytest.raises(ValueError, match=f"at most 1, not {impossible}"):
            find(labels, probabilities, sensitivity=impossible)


def test_operating_point_by_hand():
    given = melanomas_and_nevi([0.9, 0.6, 0.4, 0.1], [0.7, 0.5, 0.5, 0.3, 0.2, 0.1])
    point = calibration.operating_point(*given, threshold=0.5, resamples=1)
    assert (point.hit, point.missed, point.false_alarm, point.dismissed) == (2, 2, 3, 3)
    shares = (point.sensitivity, point.specificity, point.ppv, point.npv, point.excised_per_hit)
    assert [one.value for one in shares] == pytest.approx([0.5, 0.5, 2 / 5, 3 / 5, 5 / 2])
    given = melanomas_and_nevi([0.2, 0.3], [0.4, 0.1, 0.1])
    none, no_hit = (calibration.operating_point(*given, threshold=t) for t in (0.9, 0.4))
    assert none.sensitivity.value == 0 and math.isnan(none.ppv.value)
    assert math.isnan(none.excised_per_hit.value) and point.npv.low == point.npv.high
    assert no_hit.ppv.value == 0 and no_hit.excised_per_hit.value == math.inf and hash(point)


def test_intervals_of_an_operating_point():
    point = calibration.operating_point(*RANDOM, threshold=0.4, resamples=8000)
    p = point.sensitivity.value
    expected = 2 * 1.96 * math.sqrt(p * (1 - p) / 60)
    assert point.sensitivity.high - point.sensitivity.low == pytest.approx(expected, rel=0.12)
    assert point.excised_per_hit.low == pytest.approx(1 / point.ppv.high)
    assert point.excised_per_hit.high == pytest.approx(1 / point.ppv.low)
    # Four copies of each image tell no more than one.
    copies = [np.repeat(x, 4, axis=0) for x in RANDOM]
    again = calibration.operating_point(*copies, threshold=0.4, resamples=8000)
    assert again.hit == 4 * point.hit
    assert again.sensitivity.low == pytest.approx(point.sensitivity.low, abs=0.02)
    assert again.sensitivity.high == pytest.approx(point.sensitivity.high, abs=0.02)


@pytest.mark.parametrize("melanomas, nevi", [([0.5, 0.6], []), ([], [0.5, 0.6])])
def test_an_alarm_needs_images_of_both_kinds(melanomas, nevi):
    given = melanomas_and_nevi(melanomas, nevi)
    with pytest.raises(ValueError, match="one kind is absent"):
        calibration.operating_point(*given, threshold=0.5)
    with pytest.raises(ValueError, match="one kind is absent"):
        calibration.threshold_for_sensitivity(*given[:2])


def test_other_shares_and_back_are_the_answers_and_chapter_7_shows_the_rule():
    answers = np.random.default_rng(0).dirichlet(np.ones(7), 5)
    few, many = np.arange(1, 8), np.arange(7, 0, -1)
    there = calibration.for_shares(answers, few, many)
    assert there.sum(axis=1) == pytest.approx(1)
    assert calibration.for_shares(there, many, few) == pytest.approx(answers)
    chapter = definitions("07")
    chapter.shares = few / few.sum()
    assert chapter.put_right(answers) == pytest.approx(calibration.for_shares(answers, few))
