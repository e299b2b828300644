"""Which class is named: `utils.metrics.decide`."""

import numpy as np
import pytest

from utils import metrics
from utils.classes import DX


def test_decision_divides_by_the_shares():
    probabilities = np.array([[0.1, 0.1, 0.05, 0.05, 0.5, 0.05, 0.15]])
    shares = np.array([0.03, 0.05, 0.11, 0.01, 0.67, 0.02, 0.11])
    assert metrics.decide(probabilities)[0] == DX.index("nv")
    assert metrics.decide(probabilities, shares)[0] == DX.index("df")  # 0.05 / 0.01 is the largest
    with pytest.raises(ValueError, match="numbers above 0"):
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
