import math

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from utils import evaluation_plots, intervals, metrics
from utils.classes import DX

MEL = DX.index("mel")
PER_CLASS = (12, 15, 20, 10, 60, 11, 40)  # lesions


def judged(*, images_per_lesion: int = 1, seed: int = 0, strength: float = 0.3):
    """Labels, probabilities and lesions; all images of a lesion get the same answer."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(7), PER_CLASS)
    probabilities = rng.dirichlet(np.ones(7), size=len(labels))
    probabilities += strength * np.eye(7)[labels]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    lesions = np.array([f"L{k}" for k in range(len(labels))])
    return tuple(np.repeat(x, images_per_lesion, axis=0) for x in (labels, probabilities, lesions))


def width(found: intervals.Interval) -> float:
    return found.high - found.low


def test_observed_numbers_are_those_of_metrics():
    labels, probabilities, lesions = judged(images_per_lesion=2)
    found = intervals.bootstrap(labels, probabilities, lesions, resamples=20)
    for name, value in metrics.headline(labels, probabilities).items():
        assert found.headline[name].value == pytest.approx(value, abs=1e-12)
    rows = metrics.per_class(labels, probabilities)
    assert list(found.per_class["dx"]) == list(DX)
    assert list(found.per_class["images"]) == [2 * n for n in PER_CLASS]
    assert list(found.per_class["lesions"]) == list(PER_CLASS)
    for ours, theirs in (
        ("sensitivity", "sensitivity"),
        ("specificity", "specificity"),
        ("PPV", "precision"),
        ("AUC", "auc"),
    ):
        values = [interval.value for interval in found.per_class[ours]]
        assert values == pytest.approx(rows[theirs].tolist(), abs=1e-12)
    called = probabilities.argmax(axis=1) == MEL
    npv = found.per_class["NPV"].iloc[MEL].value
    assert npv == pytest.approx((labels[~called] != MEL).mean())
    auc = found.headline["melanoma AUC"].value
    assert auc == pytest.approx(roc_auc_score(labels == MEL, probabilities[:, MEL]))


def test_shares_say_how_a_class_is_called():
    labels, probabilities, lesions = judged()
    shares = np.array([0.05, 0.05, 0.1, 0.05, 0.6, 0.05, 0.1])
    found = intervals.bootstrap(labels, probabilities, lesions, shares=shares, resamples=20)
    expected = metrics.headline(labels, probabilities, shares=shares)
    plain = metrics.headline(labels, probabilities)
    assert expected["melanoma sensitivity"] != plain["melanoma sensitivity"]
    for name, value in expected.items():
        assert found.headline[name].value == pytest.approx(value, abs=1e-12)


def test_every_draw_is_the_number_of_the_drawn_images():
    labels, probabilities, lesions = judged(images_per_lesion=2)
    found = intervals.bootstrap(labels, probabilities, lesions, resamples=5, seed=3)
    weights = np.concatenate(
        list(intervals.resample_weights(labels, lesions, resamples=5, seed=3)), axis=1
    )
    for r in range(5):
        rows = np.repeat(np.arange(len(labels)), weights[:, r].astype(int))
        for name, value in metrics.headline(labels[rows], probabilities[rows]).items():
            assert found.draws[name].iloc[r] == pytest.approx(value, abs=1e-12)


def test_standard_error_of_a_proportion_where_every_lesion_is_one_image():
    labels, probabilities, lesions = judged()
    found = intervals.bootstrap(labels, probabilities, lesions, resamples=20_000)
    p, n = found.headline["melanoma sensitivity"].value, PER_CLASS[MEL]
    assert 0.2 < p < 0.8
    expected = math.sqrt(p * (1 - p) / n)
    assert found.draws["melanoma sensitivity"].std() == pytest.approx(expected, rel=0.03)
    # Balanced accuracy is the mean of seven independent proportions.
    shares = np.array([interval.value for interval in found.per_class["sensitivity"]])
    expected = math.sqrt((shares * (1 - shares) / PER_CLASS).sum()) / 7
    assert found.draws["balanced accuracy"].std() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("k", [2, 4])
def test_lesions_of_k_identical_images_widen_the_interval_by_the_root_of_k(k):
    labels, probabilities, lesions = judged(images_per_lesion=k)
    by_unit = {
        unit: intervals.bootstrap(labels, probabilities, lesions, resamples=8000, unit=unit)
        for unit in intervals.UNITS
    }
    for name in ("accuracy", "balanced accuracy", "macro AUC", "melanoma AUC"):
        by_lesion, by_image = (by_unit[unit].draws[name].std() for unit in intervals.UNITS)
        assert by_lesion / by_image == pytest.approx(math.sqrt(k), rel=0.05)
    # And k identical images tell as much as one: the interval of lesions stays as it was.
    single = intervals.bootstrap(*judged(), resamples=8000)
    for name in single.headline:
        assert width(by_unit["lesion"].headline[name]) == pytest.approx(
            width(single.headline[name]), rel=0.05
        )


def test_intervals_are_those_of_scipy():
    labels, probabilities, lesions = judged()
    found = intervals.bootstrap(labels, probabilities, lesions, resamples=20_000).headline
    right = probabilities[labels == MEL].argmax(axis=1) == MEL
    options = {"n_resamples": 20_000, "method": "percentile", "rng": np.random.default_rng(1)}
    theirs = stats.bootstrap((right.astype(float),), np.mean, **options)
    ours = found["melanoma sensitivity"]
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.026)

    def area(own, other, axis=-1):
        return (own[..., :, None] > other[..., None, :]).mean(axis=(-2, -1))

    # scipy draws the two sides apart; ours draws the other side class by class, which comes to
    # the same here because scores of all other classes are drawn from one distribution.
    sides = probabilities[labels == MEL, MEL], probabilities[labels != MEL, MEL]
    options.update(n_resamples=4000, vectorized=True, batch=200)
    theirs = stats.bootstrap(sides, area, **options)
    ours = found["melanoma AUC"]
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.01)


@pytest.mark.parametrize("ties", [False, True])
def test_weighted_auc_is_scikit_learns(ties):
    rng = np.random.default_rng(5)
    positive = rng.random(150) < 0.3
    scores = rng.normal(size=150) + positive
    if ties:
        scores = scores.round(0)
        assert len(np.unique(scores)) < 10
    weights = rng.random((150, 6))
    weights[:, 3:] = rng.integers(0, 4, size=(150, 3))
    found = intervals.weighted_auc(positive, scores, weights)
    expected = [roc_auc_score(positive, scores, sample_weight=w) for w in weights.T]
    assert found == pytest.approx(expected, abs=1e-12)


def test_weighted_auc_without_weight_on_one_side_is_undefined():
    positive, scores = np.array([True, False]), np.array([0.9, 0.1])
    assert np.isnan(intervals.weighted_auc(positive, scores, np.array([[1.0], [0.0]]))).all()


def test_resamples_keep_lesions_whole_and_classes_full():
    labels, _, lesions = judged(images_per_lesion=3)
    weights = np.concatenate(
        list(intervals.resample_weights(labels, lesions, resamples=50)), axis=1
    )
    assert weights.shape == (len(labels), 50)
    for lesion in np.unique(lesions):
        assert (np.ptp(weights[lesions == lesion], axis=0) == 0).all()
    for label, count in enumerate(PER_CLASS):
        assert (weights[labels == label].sum(axis=0) == 3 * count).all()
    alone = np.concatenate(
        list(intervals.resample_weights(labels, lesions, resamples=50, unit="image")), axis=1
    )
    assert (np.ptp(alone[lesions == "L0"], axis=0) > 0).any()


def test_draws_do_not_depend_on_the_size_of_blocks_but_on_the_seed(monkeypatch):
    labels, probabilities, lesions = judged()
    whole = intervals.bootstrap(labels, probabilities, lesions, resamples=70).draws
    other = intervals.bootstrap(labels, probabilities, lesions, resamples=70, seed=1).draws
    monkeypatch.setattr(intervals, "BLOCK", 13 * len(labels))
    blocks = list(intervals.resample_weights(labels, lesions, resamples=70))
    assert [block.shape[1] for block in blocks] == [13, 13, 13, 13, 13, 5]
    pieces = intervals.bootstrap(labels, probabilities, lesions, resamples=70).draws
    assert np.allclose(whole, pieces, atol=1e-12) and not np.allclose(whole, other)


def test_level_says_how_wide():
    found = intervals.interval(50, np.arange(101), level=0.9)
    assert (found.value, found.low, found.high) == (50, pytest.approx(5), pytest.approx(95))


def test_undefined_resamples_are_left_out_or_make_the_interval_undefined():
    draws = np.r_[np.full(4, np.nan), np.arange(96)]
    found = intervals.interval(48, draws)
    assert (found.low, found.high) == pytest.approx((0.025 * 95, 0.975 * 95))
    draws[:6] = np.nan
    assert math.isnan(intervals.interval(48, draws).low)


def test_a_class_never_called_has_no_ppv():
    labels, probabilities, lesions = judged()
    probabilities = probabilities * (np.arange(7) != MEL)
    row = intervals.bootstrap(labels, probabilities, lesions, resamples=20).per_class.iloc[MEL]
    assert f"{row['PPV']}" == "– (– to –)" and row["sensitivity"].value == 0


def test_intervals_print_as_in_the_text():
    assert str(intervals.Interval(0.519, 0.4701, 0.5659)) == "0.519 (0.470 to 0.566)"
    assert f"{intervals.Interval(7.42, 6, 9.08):.1f}" == "7.4 (6.0 to 9.1)"
    assert f"{intervals.Interval(7.42, 6, math.inf):.1f}" == "7.4 (6.0 to inf)"


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a: a.update(lesions=a["lesions"][:-1]), "one entry per image"),
        (lambda a: a.update(unit="patient"), "'lesion' or 'image', not 'patient'"),
        (lambda a: a.update(resamples=0), "resamples must be 1 or more"),
        (lambda a: a.update(level=95), "such as 0.95; got 95"),
        (lambda a: a.update(probabilities=a["probabilities"][:, :6]), "must have shape"),
        (lambda a: a["labels"].__setitem__(a["labels"] == 3, 4), "no image of class df"),
        (
            lambda a: a["lesions"].__setitem__(a["labels"] == 3, "the same"),
            "class df has a single lesion",
        ),
    ],
)
def test_bad_input_is_named(change, message):
    labels, probabilities, lesions = judged()
    given = {"labels": labels, "probabilities": probabilities, "lesions": lesions.astype(object)}
    change(given)
    with pytest.raises(ValueError, match=message):
        intervals.bootstrap(**{"resamples": 5, **given})


def test_interval_bars_reach_from_low_to_high():
    ways = {"a": {"x": intervals.Interval(0.5, 0.4, 0.7)}, "b": {"x": intervals.Interval(2, 1, 3)}}
    axis = evaluation_plots.interval_bars(ways)
    ends = [bars.get_segments()[0][:, 0].tolist() for bars in axis.collections]
    assert ends == [[0.4, 0.7], [1, 3]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["x"]
    plt.close("all")


def test_precision_recall_says_what_guessing_gives():
    labels, probabilities, _ = judged()
    left, right = evaluation_plots.roc_and_precision_recall(labels, probabilities).axes
    texts = [text.get_text() for text in right.get_legend().get_texts()]
    expected = average_precision_score(labels == MEL, probabilities[:, MEL])
    share = (labels == MEL).mean()
    assert texts[MEL] == f"mel, AP {expected:.2f} (guessing {share:.2f})"
    assert len(texts) == 7 and len(left.get_legend().get_texts()) == 7
    plt.close("all")


def test_spread_shows_every_run_and_the_sample_standard_deviation():
    scores = pd.DataFrame({"kind": ["a"] * 3 + ["b"] * 2, "x": [1.0, 2.0, 3.0, 5.0, 7.0]})
    axis = evaluation_plots.spread(scores, columns=["x"]).axes[0]
    assert axis.lines[0].get_ydata().tolist() == [1, 2, 3]
    (bar,) = axis.containers[0].lines[2]
    assert bar.get_segments()[0][:, 1].tolist() == [1.0, 3.0]  # 2 ± 1
    assert [text.get_text() for text in axis.get_xticklabels()] == ["a", "b"]
    plt.close("all")
