"""Numbers as scikit-learn has them, and intervals that know which images show one lesion."""

import math

import numpy as np
import pytest
from sklearn.metrics import classification_report, roc_auc_score

from utils import metrics
from utils.classes import DX

MEL = DX.index("mel")
PER_CLASS = (12, 12, 31, 2, 60, 11, 40)  # lesions
SHARES = np.array([0.05, 0.05, 0.1, 0.05, 0.6, 0.05, 0.1])


def judged(*, images_per_lesion: int = 1, strength: float = 0.3):
    """Labels, probabilities and lesions; all images of a lesion get the same answer."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), PER_CLASS)
    probabilities = rng.dirichlet(np.ones(7), size=len(labels)) + strength * np.eye(7)[labels]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    lesions = np.array([f"L{k}" for k in range(len(labels))])
    return tuple(np.repeat(x, images_per_lesion, axis=0) for x in (labels, probabilities, lesions))


def drawn_weights(*given, **options) -> np.ndarray:
    return np.concatenate(list(metrics.resample_weights(*given, **options)), axis=1)


def test_numbers_of_each_class_are_scikit_learns_and_those_observed_before_drawing():
    labels, probabilities, lesions = judged(images_per_lesion=2)
    drawn = metrics.bootstrap(labels, probabilities, lesions, resamples=20)
    rows = metrics.per_class(labels, probabilities)
    predicted = probabilities.argmax(axis=1)
    expected = classification_report(labels, predicted, target_names=DX, output_dict=True)
    names = {"support": "support", "precision": "precision", "recall": "sensitivity"}
    for k, dx in enumerate(DX):
        for theirs, ours in (names | {"f1-score": "f1"}).items():
            assert rows[ours][k] == pytest.approx(expected[dx][theirs])
        assert rows["specificity"][k] == pytest.approx((predicted[labels != k] != k).mean())
        assert rows["auc"][k] == pytest.approx(roc_auc_score(labels == k, probabilities[:, k]))
    macro = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    headline = metrics.headline(labels, probabilities)
    assert headline["macro AUC"] == pytest.approx(macro)
    for name, value in (headline | {"melanoma AUC": rows["auc"][MEL]}).items():
        assert drawn.headline[name].value == pytest.approx(value, abs=1e-12)
    table = drawn.per_class
    assert list(table["dx"]) == list(rows["dx"]) == list(DX)
    assert list(table["images"]) == [2 * n for n in table["lesions"]] == list(rows["support"])
    assert list(table["lesions"]) == list(PER_CLASS)
    pairs = {"PPV": "precision", "AUC": "auc"}
    for ours in ("sensitivity", "specificity", "PPV", "AUC"):
        values = [interval.value for interval in table[ours]]
        assert values == pytest.approx(rows[pairs.get(ours, ours)].tolist(), abs=1e-12)
    assert table["NPV"][MEL].value == pytest.approx((labels[predicted != MEL] != MEL).mean())


def test_a_class_never_predicted_has_no_precision_and_f1_zero():
    rows = metrics.per_class(np.arange(7), np.tile(np.eye(7)[4], (7, 1))).set_index("dx")
    assert np.isnan(rows.loc["mel", "precision"]) and rows.loc["mel", "f1"] == 0
    assert rows.loc["nv", "sensitivity"] == 1 and rows.loc["nv", "specificity"] == 0
    labels, probabilities, lesions = judged()
    probabilities = probabilities * (np.arange(7) != MEL)
    row = metrics.bootstrap(labels, probabilities, lesions, resamples=20).per_class.iloc[MEL]
    assert f"{row['PPV']}" == "– (– to –)" and row["sensitivity"].value == 0


def test_shares_change_what_is_called_and_leave_the_auc():
    one = np.array([[0.1, 0.1, 0.05, 0.05, 0.5, 0.05, 0.15]])
    assert metrics.decide(one) == DX.index("nv")
    prevalence = np.array([0.03, 0.05, 0.11, 0.01, 0.67, 0.02, 0.11])
    assert metrics.decide(one, prevalence) == DX.index("df")  # 0.05 / 0.01 is the largest
    labels, probabilities, lesions = judged(strength=0.5)
    probabilities = probabilities * SHARES  # as of a network that has learned the shares
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    plain, even = (metrics.headline(labels, probabilities, shares=s) for s in (None, SHARES))
    assert even["balanced accuracy"] > plain["balanced accuracy"] + 0.1
    assert even["melanoma sensitivity"] != plain["melanoma sensitivity"]
    assert even["macro AUC"] == plain["macro AUC"]
    drawn = metrics.bootstrap(labels, probabilities, lesions, shares=SHARES, resamples=20)
    for name, value in even.items():
        assert drawn.headline[name].value == pytest.approx(value, abs=1e-12)


def test_every_draw_is_the_number_of_the_drawn_images():
    labels, probabilities, lesions = judged(images_per_lesion=2)
    draws = metrics.bootstrap(labels, probabilities, lesions, resamples=5, seed=3).draws
    for r, times in enumerate(drawn_weights(labels, lesions, resamples=5, seed=3).T):
        rows = np.repeat(np.arange(len(labels)), times.astype(int))
        for name, value in metrics.headline(labels[rows], probabilities[rows]).items():
            assert draws[name].iloc[r] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("k", [2, 4])
def test_lesions_of_k_identical_images_widen_the_interval_by_the_root_of_k(k):
    given = judged(images_per_lesion=k)
    # And k identical images tell as much as one: the interval of lesions stays as it was.
    ways = given, (*given[:2], np.arange(len(given[0]))), judged()
    by_lesion, by_image, single = (metrics.bootstrap(*one, resamples=6000) for one in ways)
    for name, interval in single.headline.items():
        spreads = [one.draws[name].std() for one in (by_lesion, by_image)]
        assert spreads[0] / spreads[1] == pytest.approx(math.sqrt(k), rel=0.06), name
        wide = by_lesion.headline[name]
        assert wide.high - wide.low == pytest.approx(interval.high - interval.low, rel=0.06)
    p = single.headline["melanoma sensitivity"].value  # whose standard error a formula gives
    expected = math.sqrt(p * (1 - p) / PER_CLASS[MEL])
    assert single.draws["melanoma sensitivity"].std() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("decimals", [9, 0])
def test_weighted_auc_is_scikit_learns(decimals):
    rng = np.random.default_rng(5)
    positive = rng.random(150) < 0.3
    scores = (rng.normal(size=150) + positive).round(decimals)
    assert (len(np.unique(scores)) < 10) == (decimals == 0), "with and without ties"
    weights = np.hstack([rng.random((150, 3)), rng.integers(0, 4, size=(150, 3))])
    expected = [roc_auc_score(positive, scores, sample_weight=w) for w in weights.T]
    assert metrics.weighted_auc(positive, scores, weights) == pytest.approx(expected, abs=1e-12)
    one_sided = positive[:, None].astype(float)
    assert np.isnan(metrics.weighted_auc(positive, scores, one_sided)).all()


def test_resamples_keep_lesions_whole_and_classes_full():
    labels, _, lesions = judged(images_per_lesion=3)
    weights = drawn_weights(labels, lesions)
    assert weights.shape == (len(labels), 2000)
    assert np.array_equal(weights[:, :9], drawn_weights(labels, lesions, resamples=9, seed=0))
    assert (np.ptp(weights.reshape(-1, 3, 2000), axis=1) == 0).all()
    for label, count in enumerate(PER_CLASS):
        assert (weights[labels == label].sum(axis=0) == 3 * count).all()
    first, second = (np.sort(weights[labels == label], axis=0) for label in (0, 1))
    assert not np.array_equal(first, second), "two classes are drawn alike"


def test_draws_do_not_depend_on_the_size_of_blocks_but_on_the_seed(monkeypatch):
    given = judged()
    whole, other = (metrics.bootstrap(*given, resamples=70, seed=s).draws for s in (0, 1))
    monkeypatch.setattr(metrics, "BLOCK", 13 * len(given[0]))
    pieces = metrics.bootstrap(*given).draws
    assert len(pieces) == 2000 and np.allclose(whole, pieces[:70], atol=1e-12)
    assert not np.allclose(whole, other)
    monkeypatch.setattr(metrics, "BLOCK", 1)  # less than one resample's weights
    assert drawn_weights(*given[::2], resamples=3).shape == (len(given[0]), 3)


def test_undefined_resamples_are_left_out_or_make_the_interval_undefined():
    whole = metrics.interval(50, np.arange(101))
    assert (whole.value, whole.low, whole.high) == (50, pytest.approx(2.5), pytest.approx(97.5))
    some = metrics.interval(48, np.r_[np.full(5, np.nan), np.arange(95)])
    assert (some.low, some.high) == pytest.approx((0.025 * 94, 0.975 * 94))
    assert math.isnan(metrics.interval(48, np.r_[np.full(6, np.nan), np.arange(94)]).low)


def test_intervals_print_as_in_the_text():
    interval = metrics.Interval(0.519, 0.4701, 0.5659)
    assert str(interval) == f"{interval}" == "0.519 (0.470 to 0.566)"
    assert interval.stacked == "0.519\n(0.470 to 0.566)"
    assert f"{metrics.Interval(7.42, 6, math.inf):.1f}" == "7.4 (6.0 to inf)"


BAD = {
    "one entry per image": {"lesions": lambda lesions, labels: lesions[:-1]},
    r"shape \(168, 7\), no NaN; got": {"probabilities": lambda answers, labels: answers[:, :6]},
    "no NaN": {"probabilities": lambda answers, _: np.where(answers == answers.max(), np.nan, 0)},
    "shares must be numbers above 0, one per class": {"shares": lambda _, labels: SHARES[:6]},
    "shares must be numbers above 0": {"shares": lambda _, labels: np.arange(7)},
    "got .* nan": {"shares": lambda _, labels: np.where(SHARES > 0.5, np.nan, 1)},
    "no image of class df": {"labels": lambda _, labels: np.where(labels == 3, 4, labels)},
    "class df has a single lesion": {"lesions": lambda old, labels: np.where(labels == 3, "", old)},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    labels, probabilities, lesions = judged()
    given = {"labels": labels, "probabilities": probabilities, "lesions": lesions, "shares": None}
    given |= {name: change(given[name], labels) for name, change in BAD[message].items()}
    with pytest.raises(ValueError, match=message):
        metrics.bootstrap(**given, resamples=5)
