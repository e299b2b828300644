"""How good predictions are, for seven classes of unequal size, and how far a number may be off."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from imblearn.metrics import specificity_score
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.metrics import precision_recall_fscore_support as precision_recall

from utils.classes import DX

__all__ = [
    "Interval", "bootstrap", "class_auc", "decide", "headline", "interval", "per_class",
    "resample_weights", "weighted_auc",
]  # fmt: skip

LABELS, MEL = range(len(DX)), DX.index("mel")
BLOCK = 1_000_000  # weights (images x resamples) held at a time: 8 MB


def headline(
    labels: np.ndarray, probabilities: np.ndarray, *, shares: np.ndarray | None = None
) -> dict[str, float]:
    """Compute the numbers that stand together wherever the course reports a result.

    Parameters
    ----------
    labels : ndarray of int, shape (n,), Kaggle coding; a class that is missing is a `ValueError`
    probabilities : ndarray of float, shape (n, 7)
    shares : ndarray of float, shape (7,), optional
        How a class is called, as in `decide`; the AUC is that of the probabilities as they are.

    Returns
    -------
    dict of float
        ``accuracy``, ``balanced accuracy`` (mean sensitivity of the classes), ``macro AUC`` (mean
        of `class_auc`) and ``melanoma sensitivity``.
    """
    labels, probabilities = _checked(labels, probabilities)
    predicted = decide(probabilities, shares)
    return {
        "accuracy": float((predicted == labels).mean()),
        "balanced accuracy": float(balanced_accuracy_score(labels, predicted)),
        "macro AUC": float(class_auc(labels, probabilities).mean()),
        "melanoma sensitivity": float((predicted[labels == MEL] == MEL).mean()),
    }


def decide(probabilities: np.ndarray, shares: np.ndarray | None = None) -> np.ndarray:
    """Turn probabilities into one class per image, ndarray of int64, shape (n,).

    Without `shares` the most probable class is taken, which gives the highest accuracy. With them
    each probability is divided by the share of its class first, which gives the highest balanced
    accuracy (Menon et al., Long-tail learning via logit adjustment, ICLR 2021, section 3).

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, 7)
    shares : ndarray of float, shape (7,), of the classes in the data that is answered for; optional
    """
    probabilities = np.asarray(probabilities)
    if shares is None:
        return probabilities.argmax(axis=1)
    shares = np.asarray(shares, dtype=float)
    if shares.shape != probabilities.shape[1:] or not (shares > 0).all():
        raise ValueError(f"shares must be numbers above 0, one per class; got {shares}")
    return (probabilities / shares).argmax(axis=1)


def class_auc(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute each class's area under the ROC curve against the rest, (7,), as `headline` does."""
    labels, probabilities = _checked(labels, probabilities)
    return np.array([roc_auc_score(labels == k, probabilities[:, k]) for k in LABELS])


def per_class(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute a row of numbers for each class against the rest; takes what `headline` does.

    The columns are ``dx``, ``support`` (images), ``precision`` (NaN for a class that was never
    predicted), ``sensitivity`` (recall), ``specificity``, ``f1`` and ``auc``.
    """
    labels, probabilities = _checked(labels, probabilities)
    predicted = probabilities.argmax(axis=1)
    pairs = {"y_true": labels, "y_pred": predicted, "labels": LABELS, "average": None}
    precision, sensitivity, f1, support = precision_recall(**pairs, zero_division=np.nan)
    rows = {"dx": DX, "support": support, "precision": precision, "sensitivity": sensitivity}
    rows |= {"specificity": specificity_score(**pairs), "f1": f1}
    return pd.DataFrame(rows | {"auc": class_auc(labels, probabilities)})


def _checked(labels, probabilities) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if probabilities.shape != (wanted := (len(labels), len(DX))) or np.isnan(probabilities).any():
        found = f"{probabilities.shape}, {np.isnan(probabilities).sum():,} NaN"
        raise ValueError(f"probabilities need shape {wanted}, no NaN; got {found}")
    if missing := [dx for k, dx in enumerate(DX) if k not in labels]:
        raise ValueError(
            f"no image of class {', '.join(missing)} among the labels: its sensitivity and AUC are "
            "undefined. Judge on a part that holds every class."
        )
    return labels, probabilities


@dataclass(frozen=True)
class Interval:
    """A number and its 95 % interval; ``f"{interval:.1f}"`` writes ``0.5 (0.4 to 0.6)``."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        numbers = (self.value, self.low, self.high)
        texts = ("–" if np.isnan(n) else format(n, spec or ".3f") for n in numbers)
        return "{} ({} to {})".format(*texts)

    def __str__(self) -> str:
        return format(self)

    @property
    def stacked(self) -> str:
        """The interval below its number, for a narrow column."""
        return str(self).replace(" (", "\n(")


@dataclass(frozen=True)
class Bootstrap:
    """What `bootstrap` returns.

    `headline` has the numbers of the function of that name and ``melanoma AUC``; `draws` the same
    of every resample, a row each (the same seed draws alike, so differences of two models are
    paired); `per_class` seven rows with ``dx``, ``images``, ``lesions``, and as `Interval` each
    ``sensitivity``, ``specificity``, ``PPV``, ``NPV`` and ``AUC``.
    """

    headline: dict[str, Interval]
    per_class: pd.DataFrame
    draws: pd.DataFrame


def bootstrap(
    labels: np.ndarray, probabilities: np.ndarray, lesions: np.ndarray, *,
    shares: np.ndarray | None = None, resamples: int = 2000, seed: int = 0,
) -> Bootstrap:  # fmt: skip
    """Compute the headline numbers and those of each class, each with its 95 % interval.

    With few lesions (dermatofibroma) the intervals are somewhat too narrow.

    Parameters
    ----------
    labels, probabilities, shares : as in `headline`; the rest as in `resample_weights`
    """
    labels, probabilities = _checked(labels, probabilities)
    k = len(DX)
    cells = np.eye(k * k)[k * labels + decide(probabilities, shares)]  # a column per matrix cell
    counts, auc = [], []
    # Matrices of weights: 80 times faster than scikit-learn on each resample, the same numbers.
    as_is = [np.ones((len(labels), 1))]
    for weights in chain(as_is, resample_weights(labels, lesions, resamples=resamples, seed=seed)):
        counts.append((cells.T @ weights).T.reshape(-1, k, k))
        auc.append([weighted_auc(labels == j, probabilities[:, j], weights) for j in LABELS])

    pairs = pd.DataFrame({"label": labels, "lesion": lesions}).drop_duplicates()
    rows = {"dx": DX, "images": np.bincount(labels), "lesions": np.bincount(pairs["label"])}
    headline, draws = {}, {}
    for name, values in _numbers(np.concatenate(counts), np.concatenate(auc, axis=1).T).items():
        if values.ndim == 1:
            headline[name], draws[name] = interval(values[0], values[1:]), values[1:]
        else:
            rows[name] = [interval(values[0, j], values[1:, j]) for j in LABELS]
    return Bootstrap(headline, pd.DataFrame(rows), pd.DataFrame(draws))


def resample_weights(
    labels: np.ndarray, lesions: np.ndarray, *, resamples: int = 2000, seed: int = 0
) -> Iterator[np.ndarray]:
    """Draw resamples: as many lesions as there are, with replacement, each with all its images.

    They are drawn within each class, so no class is lost and the number of its lesions stays; the
    intervals of PPV, NPV and accuracy hold for this mix of classes. (Field, Welsh, Bootstrapping
    clustered data, JRSS B 69:369-390, 2007, doi 10.1111/j.1467-9868.2007.00593.x.)

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        A lesion is of the class of its first image; a class with one lesion is a `ValueError`.
    lesions : ndarray of str, shape (n,), of each image, from ``utils.splits.lesion_groups``
    resamples, seed : int

    Yields
    ------
    ndarray of float64, shape (n, block): how often each image occurs, a column per resample
    """
    labels, lesions = np.asarray(labels), np.asarray(lesions)
    if labels.ndim != 1 or lesions.shape != labels.shape or not len(labels):
        raise ValueError(
            f"labels and lesions must have one entry per image; got {labels.shape}, {lesions.shape}"
        )
    _, first, member = np.unique(lesions, return_index=True, return_inverse=True)
    strata = [np.flatnonzero(labels[first] == label) for label in np.unique(labels[first])]
    for label in (labels[first[stratum[0]]] for stratum in strata if len(stratum) < 2):
        raise ValueError(
            f"class {dict(enumerate(DX)).get(label, label)} has a single lesion: its interval "
            "would be a point. Judge on a part with two or more lesions of each class."
        )
    dice = np.random.default_rng(seed).spawn(len(strata))
    block = max(1, BLOCK // len(labels))
    for start in range(0, resamples, block):
        b = min(block, resamples - start)
        times = np.empty((len(first), b))
        for stratum, rng in zip(strata, dice, strict=True):
            m = len(stratum)
            drawn = rng.integers(m, size=(b, m)) + m * np.arange(b)[:, None]
            times[stratum] = np.bincount(drawn.ravel(), minlength=b * m).reshape(b, m).T
        yield times[member]


def weighted_auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve for many sets of weights (n, r) at once: (r,).

    It is the share of pairs in the right order (Hanley, McNeil, Radiology 143:29-36, 1982), equal
    scores counting half; NaN where one of the two sides has no weight.
    """
    positive, scores = np.asarray(positive, dtype=bool), np.asarray(scores)
    others = np.flatnonzero(~positive)
    others = others[np.argsort(scores[others], kind="stable")]
    below = np.zeros((len(others) + 1, weights.shape[1]))
    np.cumsum(weights[others], axis=0, out=below[1:])
    first, last = (np.searchsorted(scores[others], scores[positive], s) for s in ("left", "right"))
    own = weights[positive]
    pairs = np.einsum("ir,ir->r", own, below[first]) + np.einsum("ir,ir->r", own, below[last])
    with np.errstate(invalid="ignore"):  # 0/0 where a side has no weight is NaN
        return pairs / (2 * own.sum(axis=0) * below[-1])


def interval(value: float, draws: np.ndarray) -> Interval:
    """Put the middle 95 % of the resampled numbers around the observed one.

    (Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.)

    Parameters
    ----------
    value : float
    draws : ndarray of float, shape (resamples,)
        Resamples in which the number is undefined (a PPV without one alarm) are left out; if
        they are more than 5 % of all, the interval is undefined (NaN) too.
    """
    draws = np.asarray(draws, dtype=float)
    defined = draws[~np.isnan(draws)]
    if len(defined) < 0.95 * len(draws) or not len(defined):
        return Interval(float(value), np.nan, np.nan)
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(float(value), float(low), float(high))


def _numbers(counts: np.ndarray, auc: np.ndarray) -> dict[str, np.ndarray]:
    """All numbers of each resample: (r, 7) those of the classes, (r,) the headline."""
    of_class = rates(counts) | {"AUC": auc}
    return of_class | {
        "accuracy": np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2)),
        "balanced accuracy": of_class["sensitivity"].mean(axis=1),
        "macro AUC": auc.mean(axis=1),
        "melanoma sensitivity": of_class["sensitivity"][:, MEL],
        "melanoma AUC": auc[:, MEL],
    }


def rates(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Sensitivity and the like of each class, (r, k), from r confusion matrices (r, k, k)."""
    hit, true, called = counts.diagonal(axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)
    others = true.sum(axis=1, keepdims=True) - true
    dismissed = others - called + hit
    with np.errstate(invalid="ignore"):  # 0/0 for a class that is never predicted is NaN
        return {
            "sensitivity": hit / true,
            "specificity": dismissed / others,
            "PPV": hit / called,
            "NPV": dismissed / (dismissed + true - hit),
        }
