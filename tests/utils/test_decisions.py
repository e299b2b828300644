import math

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from utils import decisions, evaluation_plots
from utils.classes import DX

MEL, NV = DX.index("mel"), DX.index("nv")


def melanomas_and_nevi(melanomas, nevi):
    """Labels, probabilities and lesions of images with these probabilities of melanoma."""
    scores = np.array([*melanomas, *nevi], dtype=float)
    labels = np.r_[np.full(len(melanomas), MEL), np.full(len(nevi), NV)]
    probabilities = np.zeros((len(scores), 7))
    probabilities[:, MEL], probabilities[:, NV] = scores, 1 - scores
    return labels, probabilities, np.array([f"L{k}" for k in range(len(labels))])


def random_case(seed: int = 0, melanomas: int = 60, nevi: int = 300):
    rng = np.random.default_rng(seed)
    return melanomas_and_nevi(rng.beta(3, 2, melanomas), rng.beta(2, 4, nevi))


def test_threshold_by_hand():
    labels, probabilities, _ = melanomas_and_nevi(
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.3, 0.2, 0.1], [0.85, 0.25, 0.15]
    )
    for sensitivity, expected in ((0.9, 0.2), (1.0, 0.1), (0.85, 0.2), (0.1, 0.9), (0.05, 0.9)):
        found = decisions.threshold_for_sensitivity(labels, probabilities, sensitivity=sensitivity)
        assert found == expected


@pytest.mark.parametrize("sensitivity", [0.5, 0.7, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("form", ["float64", "float32", "two decimals"])
def test_threshold_reaches_the_sensitivity_and_no_larger_one_does(sensitivity, form):
    labels, probabilities, _ = random_case(seed=1)
    probabilities = probabilities.round(2) if form == "two decimals" else probabilities.astype(form)
    found = decisions.threshold_for_sensitivity(labels, probabilities, sensitivity=sensitivity)
    scores = probabilities[:, MEL].astype(float)
    own = scores[labels == MEL]
    assert (own >= found).mean() >= sensitivity
    larger = np.unique(scores[scores > found])
    assert all((own >= threshold).mean() < sensitivity for threshold in larger)


def test_operating_point_by_hand():
    given = melanomas_and_nevi([0.9, 0.6, 0.4, 0.1], [0.7, 0.5, 0.5, 0.3, 0.2, 0.1])
    found = decisions.operating_point(*given, threshold=0.5, resamples=200)
    assert (found.hit, found.missed, found.false_alarm, found.dismissed) == (2, 2, 3, 3)
    assert found.sensitivity.value == 0.5 and found.specificity.value == 0.5
    assert found.ppv.value == pytest.approx(2 / 5) and found.npv.value == pytest.approx(3 / 5)
    assert found.excised_per_hit.value == pytest.approx(5 / 2)
    assert found.dx == "mel" and found.threshold == 0.5


def test_intervals_of_an_operating_point():
    labels, probabilities, lesions = random_case()
    found = decisions.operating_point(labels, probabilities, lesions, threshold=0.4, resamples=8000)
    for share, n in ((found.sensitivity, 60), (found.specificity, 300)):
        p = share.value
        expected = 2 * 1.96 * math.sqrt(p * (1 - p) / n)
        assert share.high - share.low == pytest.approx(expected, rel=0.12)
        assert share.low < p < share.high
    assert found.excised_per_hit.low == pytest.approx(1 / found.ppv.high)
    assert found.excised_per_hit.high == pytest.approx(1 / found.ppv.low)
    twice = [np.repeat(x, 4, axis=0) for x in (labels, probabilities, lesions)]
    again = decisions.operating_point(*twice, threshold=0.4, resamples=8000)
    assert again.hit == 4 * found.hit
    # Four copies of each image tell no more than one.
    assert again.sensitivity.low == pytest.approx(found.sensitivity.low, abs=0.02)
    assert again.sensitivity.high == pytest.approx(found.sensitivity.high, abs=0.02)


def test_operating_point_where_nothing_is_alarmed_or_nothing_hit():
    given = melanomas_and_nevi([0.2, 0.3], [0.4, 0.1, 0.1])
    none = decisions.operating_point(*given, threshold=0.9, resamples=50)
    assert none.sensitivity.value == 0 and math.isnan(none.ppv.value)
    assert math.isnan(none.excised_per_hit.value)
    no_hit = decisions.operating_point(*given, threshold=0.4, resamples=50)
    assert no_hit.ppv.value == 0 and no_hit.excised_per_hit.value == math.inf


def test_net_benefit_by_hand():
    positive = np.array([True] * 10 + [False] * 90)
    alarm = np.array([True] * 8 + [False] * 2 + [True] * 18 + [False] * 72)
    # 8 hits of 100, and 18 false alarms of which nine weigh as much as one hit.
    found = decisions.net_benefit(positive, alarm, threshold=0.1)
    assert found == pytest.approx((8 - 18 / 9) / 100)
    found = decisions.net_benefit(positive, alarm, threshold=0.5)
    assert found == pytest.approx((8 - 18) / 100)
    nobody = np.zeros(100, dtype=bool)
    assert decisions.net_benefit(positive, nobody, threshold=0.3) == 0
    assert decisions.net_benefit(positive, positive, threshold=0.3) == pytest.approx(0.1)
    # Treating all is worth nothing at a threshold that equals the share of the class.
    assert decisions.net_benefit(positive, ~nobody, threshold=0.1) == pytest.approx(0)


def test_decision_curve_is_net_benefit_at_each_threshold():
    labels, probabilities, lesions = random_case()
    thresholds = [0.05, 0.2, 0.5, 0.8]
    curve = decisions.decision_curve(
        labels, probabilities, lesions, thresholds=thresholds, resamples=400
    )
    assert curve["threshold"].tolist() == thresholds and (curve["treat none"] == 0).all()
    positive = labels == MEL
    for row in curve.to_dict("records"):
        t = row["threshold"]
        alarm = probabilities[:, MEL] >= t
        assert row["model"] == pytest.approx(decisions.net_benefit(positive, alarm, threshold=t))
        everyone = np.ones_like(positive)
        expected = decisions.net_benefit(positive, everyone, threshold=t)
        assert row["treat all"] == pytest.approx(expected)
        assert row["low"] <= row["model"] <= row["high"]
    # The spread at one threshold is that of a mean over melanomas and over nevi drawn apart.
    gain = np.where(positive, 1.0, -0.2 / 0.8) * (probabilities[:, MEL] >= 0.2)
    error = math.sqrt(gain[positive].var() * 60 + gain[~positive].var() * 300) / 360
    row = curve.iloc[1]
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_another_class_can_be_the_target():
    labels, probabilities, lesions = random_case()
    point = decisions.operating_point(
        labels, probabilities, lesions, threshold=0.5, dx="nv", resamples=20
    )
    alarm = probabilities[:, NV] >= 0.5
    assert point.hit == (alarm & (labels == NV)).sum() and point.dx == "nv"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda y, p, g: decisions.threshold_for_sensitivity(y, p, sensitivity=90), "not 90"),
        (lambda y, p, g: decisions.threshold_for_sensitivity(y, p, sensitivity=0), "not 0"),
        (lambda y, p, g: decisions.threshold_for_sensitivity(y, p[:, :6]), "must have shape"),
        (
            lambda y, p, g: decisions.threshold_for_sensitivity(y, p, dx="df"),
            "no image of class df",
        ),
        (
            lambda y, p, g: decisions.operating_point(y[:9], p[:9], g[:9], threshold=0.5),
            "nothing but images of class mel",
        ),
        (
            lambda y, p, g: decisions.operating_point(y, p * np.nan, g, threshold=0.5),
            "row 0 of probabilities holds nan",
        ),
        (
            lambda y, p, g: decisions.decision_curve(y, p, g, thresholds=[0.1, 1.0]),
            "between 0 and 1, both excluded",
        ),
        (
            lambda y, p, g: decisions.net_benefit(y == MEL, p[:9, MEL] > 0, threshold=0.1),
            "one per image",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*random_case())


def test_unknown_class_is_named():
    with pytest.raises(KeyError, match="there is no class 'melanoma'"):
        decisions.threshold_for_sensitivity(*random_case()[:2], dx="melanoma")


def test_decision_curves_show_every_plan():
    curve = decisions.decision_curve(*random_case(), thresholds=[0.1, 0.3], resamples=50)
    figure = evaluation_plots.decision_curves({"a": curve, "b": curve})
    axis = figure.axes[0]
    names = [text.get_text() for text in axis.get_legend().get_texts()]
    assert names == ["a", "b", "treat all", "treat none"]
    assert axis.lines[0].get_ydata() == pytest.approx(curve["model"].to_numpy())
    assert axis.lines[2].get_ydata() == pytest.approx(curve["treat all"].to_numpy())
    plt.close(figure)
