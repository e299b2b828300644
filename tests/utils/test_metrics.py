import numpy as np
import pytest
from sklearn.metrics import classification_report, roc_auc_score

from utils import metrics
from utils.classes import DX


@pytest.fixture
def judged():
    rng = np.random.default_rng(0)
    labels = np.r_[np.arange(7), rng.choice(7, size=193, p=[0.05, 0.05, 0.1, 0.05, 0.6, 0.05, 0.1])]
    right = np.eye(7)[labels]
    return labels, 0.5 * rng.dirichlet(np.ones(7), size=200) + 0.5 * rng.random((200, 1)) * right


def normalised(values):
    return values / values.sum(axis=1, keepdims=True)


def test_headline_by_hand():
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 4, 4, 4])
    probabilities = np.eye(7)[[4, 1, 2, 3, 4, 5, 4, 4, 4, 4]]
    found = metrics.headline(labels, probabilities)
    assert found["accuracy"] == pytest.approx(0.8)
    assert found["balanced accuracy"] == pytest.approx(5 / 7)
    assert found["melanoma sensitivity"] == 0


def test_per_class_is_scikit_learns(judged):
    labels, probabilities = judged
    probabilities = normalised(probabilities)
    found = metrics.per_class(labels, probabilities).set_index("dx")
    predicted = probabilities.argmax(axis=1)
    expected = classification_report(labels, predicted, target_names=DX, output_dict=True)
    for dx in DX:
        assert found.loc[dx, "support"] == expected[dx]["support"]
        for ours, theirs in (
            ("precision", "precision"),
            ("sensitivity", "recall"),
            ("f1", "f1-score"),
        ):
            assert found.loc[dx, ours] == pytest.approx(expected[dx][theirs])
        k = DX.index(dx)
        negative = labels != k
        assert found.loc[dx, "specificity"] == pytest.approx((predicted[negative] != k).mean())
        assert found.loc[dx, "auc"] == pytest.approx(
            roc_auc_score(labels == k, probabilities[:, k])
        )
    macro = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert metrics.headline(labels, probabilities)["macro AUC"] == pytest.approx(macro)


def test_a_class_never_predicted_has_no_precision_and_f1_zero():
    labels = np.arange(7)
    probabilities = np.tile(np.eye(7)[4], (7, 1))
    found = metrics.per_class(labels, probabilities).set_index("dx")
    assert np.isnan(found.loc["mel", "precision"]) and found.loc["mel", "f1"] == 0
    assert found.loc["nv", "sensitivity"] == 1 and found.loc["nv", "specificity"] == 0


def test_confusion_has_true_classes_in_rows():
    counts = metrics.confusion(np.array([6, 6, 4]), np.array([4, 6, 4]))
    assert counts[6, 4] == 1 and counts[6, 6] == 1 and counts[4, 4] == 1 and counts.sum() == 3


def test_bad_input_is_named(judged):
    labels, probabilities = judged
    with pytest.raises(ValueError, match=r"must have shape \(200, 7\)"):
        metrics.headline(labels, probabilities[:, :6])
    keep = labels != DX.index("df")
    with pytest.raises(ValueError, match="no image of class df"):
        metrics.per_class(labels[keep], probabilities[keep])
