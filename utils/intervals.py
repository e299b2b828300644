"""How far a number could be off: intervals from a bootstrap that resamples lesions, not images."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.classes import CLASSES, DX
from utils.metrics import class_auc, decide

UNITS = ("lesion", "image")
BLOCK = 1_000_000  # weights (images x resamples) held at a time: 8 MB


@dataclass(frozen=True)
class Interval:
    """A number and the interval around it; prints as ``0.519 (0.470 to 0.566)``.

    A format applies to all three: ``f"{interval:.1f}"`` gives ``0.5 (0.5 to 0.6)``. What is
    undefined (NaN) prints as a dash.
    """

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        value, low, high = (
            "–" if math.isnan(x) else format(x, spec or ".3f")
            for x in (self.value, self.low, self.high)
        )
        return f"{value} ({low} to {high})"

    def __str__(self) -> str:
        return format(self, "")


@dataclass(frozen=True)
class Bootstrap:
    """What `bootstrap` found.

    Attributes
    ----------
    headline : dict of Interval
        ``accuracy``, ``balanced accuracy``, ``macro AUC``, ``melanoma sensitivity`` and
        ``melanoma AUC``.
    per_class : DataFrame, 7 rows
        ``dx``, ``images``, ``lesions``, and as `Interval` each ``sensitivity``,
        ``specificity``, ``PPV``, ``NPV`` and ``AUC`` of the class against the rest.
    draws : DataFrame, one row per resample
        The headline numbers of every resample. Two models judged on the same images with the
        same seed are drawn alike, so the difference of their draws is paired.
    unit : str
        What was resampled, ``"lesion"`` or ``"image"``.
    """

    headline: dict[str, Interval]
    per_class: pd.DataFrame
    draws: pd.DataFrame
    unit: str


def bootstrap(
    labels: np.ndarray,
    probabilities: np.ndarray,
    lesions: np.ndarray,
    *,
    shares: np.ndarray | None = None,
    resamples: int = 2000,
    unit: str = "lesion",
    level: float = 0.95,
    seed: int = 0,
) -> Bootstrap:
    """Compute the headline numbers and those of each class, each with its interval.

    A resample draws as many lesions as there are, with replacement, and takes all images of a
    lesion as often as the lesion was drawn (cluster bootstrap). The interval spans the middle
    `level` of the numbers of all resamples (percentile interval).

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes, Kaggle coding; every class must occur.
    probabilities : ndarray of float, shape (n, 7)
        Predicted probabilities, one row per image.
    lesions : ndarray of str, shape (n,)
        The lesion of each image, from ``utils.splits.lesion_groups``.
    shares : ndarray of float, shape (7,), optional
        How a class is called, as in ``utils.metrics.decide``.
    resamples : int
    unit : {"lesion", "image"}
        ``"image"`` draws single images, as if two images of a lesion told as much as images of
        two lesions. Its intervals are too narrow; it is here to show that.
    level : float
        Share of the resamples within the interval.
    seed : int

    Returns
    -------
    Bootstrap

    Raises
    ------
    ValueError
        If shapes do not fit, a class is missing or has a single lesion, or an option is
        impossible.

    Notes
    -----
    Lesions are drawn within each class, so no class is ever lost and the number of lesions of
    each class stays as it is. The intervals therefore hold for this mix of classes; for PPV, NPV
    and accuracy that matters. With few lesions (dermatofibroma) percentile intervals are
    somewhat too narrow, and a share that is 0 or 1 gets an interval of width 0.

    References
    ----------
    Efron, Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval),
    doi 10.1007/978-1-4899-4541-9. Field, Welsh, Bootstrapping clustered data, JRSS B 69:369-390
    (2007), doi 10.1111/j.1467-9868.2007.00593.x.
    """
    areas = class_auc(labels, probabilities)  # refuses shapes that do not fit, missing classes
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    n, k = probabilities.shape
    cells = np.eye(k * k)[k * labels + decide(probabilities, shares)]  # a column per matrix cell
    counts, auc = [], []
    for weights in resample_weights(labels, lesions, resamples=resamples, unit=unit, seed=seed):
        counts.append((cells.T @ weights).T.reshape(-1, k, k))
        auc.append([weighted_auc(labels == j, probabilities[:, j], weights) for j in range(k)])

    observed = _numbers(cells.sum(axis=0).reshape(1, k, k), areas[None])
    drawn = _numbers(np.concatenate(counts), np.concatenate(auc, axis=1).T)
    found = {
        name: [interval(observed[name][0, j], values[:, j], level=level) for j in range(k)]
        for name, values in drawn.items()
        if values.ndim == 2
    }
    draws = pd.DataFrame({name: values for name, values in drawn.items() if values.ndim == 1})
    pairs = pd.DataFrame({"label": labels, "lesion": lesions}).drop_duplicates()
    per_class = pd.DataFrame(
        {
            "dx": DX,
            "images": np.bincount(labels, minlength=k),
            "lesions": np.bincount(pairs["label"], minlength=k),
            **found,
        }
    )
    headline = {name: interval(observed[name][0], draws[name], level=level) for name in draws}
    return Bootstrap(headline, per_class, draws, unit)


def resample_weights(
    labels: np.ndarray,
    lesions: np.ndarray,
    *,
    resamples: int = 2000,
    unit: str = "lesion",
    seed: int = 0,
) -> Iterator[np.ndarray]:
    """Draw resamples, as the number of times each image occurs in each.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Classes; lesions are drawn within the class of their first image.
    lesions : ndarray of str, shape (n,)
    resamples : int
    unit : {"lesion", "image"}
    seed : int

    Yields
    ------
    ndarray of float64, shape (n, block)
        A column per resample, whole numbers. Blocks keep the memory small; the draws do not
        depend on their size.

    Raises
    ------
    ValueError
        If shapes do not fit, a class has a single lesion, or an option is impossible.
    """
    labels, lesions = np.asarray(labels), np.asarray(lesions)
    if labels.ndim != 1 or lesions.shape != labels.shape or not len(labels):
        raise ValueError(
            f"labels and lesions must have one entry per image; got {labels.shape} labels and "
            f"{lesions.shape} lesions"
        )
    if unit not in UNITS:
        raise ValueError(f"unit must be 'lesion' or 'image', not {unit!r}")
    if resamples < 1:
        raise ValueError(f"resamples must be 1 or more, not {resamples}")
    drawn_from = lesions if unit == "lesion" else np.arange(len(labels))
    _, first, member = np.unique(drawn_from, return_index=True, return_inverse=True)
    strata = [np.flatnonzero(labels[first] == label) for label in np.unique(labels[first])]
    for stratum in strata:
        if len(stratum) < 2:
            label = int(labels[first[stratum[0]]])
            name = DX[label] if 0 <= label < len(CLASSES) else label
            raise ValueError(
                f"class {name} has a single {unit}: every resample would hold it once, and its "
                f"interval would be a point. Judge on a part with two or more {unit}s of each "
                "class."
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
    """Compute the area under the ROC curve for many sets of weights at once.

    For every image of the class, the weight of the others with a lower score is looked up in
    a cumulative sum over the others in order of their score; equal scores count half.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
        True for images of the class.
    scores : ndarray of float, shape (n,)
    weights : ndarray of float, shape (n, r)
        A column per set of weights.

    Returns
    -------
    ndarray of float64, shape (r,)
        NaN where one of the two sides has no weight.

    References
    ----------
    The area is the share of pairs in the right order: Hanley, McNeil, Radiology 143:29-36
    (1982), doi 10.1148/radiology.143.1.7063747.
    """
    positive, scores = np.asarray(positive, dtype=bool), np.asarray(scores)
    others = np.flatnonzero(~positive)
    others = others[np.argsort(scores[others], kind="stable")]
    below = np.zeros((len(others) + 1, weights.shape[1]))
    np.cumsum(weights[others], axis=0, out=below[1:])
    first = np.searchsorted(scores[others], scores[positive], side="left")
    last = np.searchsorted(scores[others], scores[positive], side="right")
    own = weights[positive]
    pairs = np.einsum("ir,ir->r", own, below[first]) + np.einsum("ir,ir->r", own, below[last])
    with np.errstate(invalid="ignore"):  # 0/0 where a side has no weight is NaN
        return pairs / (2 * own.sum(axis=0) * below[-1])


def interval(value: float, draws: np.ndarray, *, level: float = 0.95) -> Interval:
    """Put the middle `level` of the resampled numbers around the observed one.

    Resamples in which the number is undefined (a PPV without one alarm) are left out; if they
    are more than 1 - `level` of all, the interval is undefined (NaN) too.

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, such as 0.95; got {level}")
    draws = np.asarray(draws, dtype=float)
    defined = draws[~np.isnan(draws)]
    if len(defined) < level * len(draws) or not len(defined):
        return Interval(float(value), math.nan, math.nan)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))


def _numbers(counts: np.ndarray, auc: np.ndarray) -> dict[str, np.ndarray]:
    """All numbers of each resample: (r, 7) those of the classes, (r,) the headline."""
    mel = DX.index("mel")
    hit = np.diagonal(counts, axis1=1, axis2=2)
    all_, true, called = counts.sum(axis=(1, 2))[:, None], counts.sum(axis=2), counts.sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0/0 for a class that is never predicted is NaN
        sensitivity, ppv = hit / true, hit / called
        specificity = (all_ - true - called + hit) / (all_ - true)
        npv = (all_ - true - called + hit) / (all_ - called)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "PPV": ppv,
        "NPV": npv,
        "AUC": auc,
        "accuracy": hit.sum(axis=1) / all_[:, 0],
        "balanced accuracy": sensitivity.mean(axis=1),
        "macro AUC": auc.mean(axis=1),
        "melanoma sensitivity": sensitivity[:, mel],
        "melanoma AUC": auc[:, mel],
    }
