"""From a probability to an action: a threshold for an alarm, what it finds, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from utils.classes import CLASSES, by_dx
from utils.intervals import Interval, interval, resample_weights


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does on a set of images; an image at or above it raises the alarm.

    Attributes
    ----------
    dx : str
        The class the alarm is for.
    threshold : float
    hit, missed, false_alarm, dismissed : int
        Images of the class with and without alarm, other images with and without alarm.
    sensitivity, specificity, ppv, npv : Interval
    excised_per_hit : Interval
        Alarms per image of the class that is found, 1 / PPV: for melanoma, if every alarm is
        cut out, the *number needed to excise*. Its upper end is infinite where the PPV may
        be 0.
    """

    dx: str
    threshold: float
    hit: int
    missed: int
    false_alarm: int
    dismissed: int
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    npv: Interval
    excised_per_hit: Interval


def threshold_for_sensitivity(
    labels: np.ndarray, probabilities: np.ndarray, *, sensitivity: float = 0.9, dx: str = "mel"
) -> float:
    """Find the largest threshold at which at least this share of a class raises the alarm.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes of validation images, Kaggle coding. Not of test images: a threshold that
        was chosen on the images it is judged on looks better than it is.
    probabilities : ndarray of float, shape (n, 7)
    sensitivity : float
        Above 0, at most 1.
    dx : str
        The class to find.

    Returns
    -------
    float
        A probability that one of the images got. On these images, the share of the class at or
        above it is `sensitivity` or more, and no larger threshold reaches that.

    Raises
    ------
    ValueError
        If the shapes do not fit, `sensitivity` is impossible, or one side is empty.
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity must be above 0 and at most 1, not {sensitivity}")
    positive, scores = _against_rest(labels, probabilities, dx)
    _, found, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    return float(thresholds[np.argmax(found >= sensitivity)])  # thresholds fall


def operating_point(
    labels: np.ndarray,
    probabilities: np.ndarray,
    lesions: np.ndarray,
    *,
    threshold: float,
    dx: str = "mel",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> OperatingPoint:
    """Judge a threshold that was fixed elsewhere, with intervals from resampled lesions.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes of test images, Kaggle coding.
    probabilities : ndarray of float, shape (n, 7)
    lesions : ndarray of str, shape (n,)
        The lesion of each image, from ``utils.splits.lesion_groups``.
    threshold : float
        From `threshold_for_sensitivity` on validation images.
    dx : str
        The class the alarm is for.
    resamples, level, seed
        As in ``utils.intervals.bootstrap``.

    Returns
    -------
    OperatingPoint

    Raises
    ------
    ValueError
        If the shapes do not fit or one side is empty.
    """
    positive, scores = _against_rest(labels, probabilities, dx)
    alarm = scores >= threshold
    boxes = np.stack([positive & alarm, positive & ~alarm, ~positive & alarm, ~positive & ~alarm])
    drawn = np.concatenate(
        [
            boxes @ weights
            for weights in resample_weights(labels, lesions, resamples=resamples, seed=seed)
        ],
        axis=1,
    )
    observed = _shares(boxes.sum(axis=1)[:, None])
    found = {
        name: interval(observed[name][0], values, level=level)
        for name, values in _shares(drawn).items()
    }
    ppv = found["ppv"]
    with np.errstate(divide="ignore"):  # no hits among the alarms: infinitely many per hit
        value, low, high = (float(1 / np.float64(x)) for x in (ppv.value, ppv.high, ppv.low))
    return OperatingPoint(
        dx,
        float(threshold),
        *(int(count) for count in boxes.sum(axis=1)),
        **found,
        excised_per_hit=Interval(value, low, high),
    )


def net_benefit(positive: np.ndarray, alarm: np.ndarray, *, threshold: float) -> float:
    """Compute the net benefit of raising the alarm where `alarm` says so.

    A hit counts 1, a false alarm ``-threshold / (1 - threshold)``: who acts at a risk of 10 %
    accepts nine false alarms for one hit. The sum is divided by the number of images, so it
    reads as hits per image after the false alarms have been paid for.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
        True for images of the class.
    alarm : ndarray of bool, shape (n,)
    threshold : float
        The risk from which on one would act, above 0 and below 1.

    Returns
    -------
    float
        0 for no alarm at all, and at most the share of the class.

    Raises
    ------
    ValueError
        If the shapes do not fit or `threshold` is impossible.

    References
    ----------
    Vickers, Elkin, Medical Decision Making 26:565-574 (2006), doi 10.1177/0272989X06295361.
    """
    positive, alarm = np.asarray(positive, dtype=bool), np.asarray(alarm, dtype=bool)
    if positive.shape != alarm.shape:
        raise ValueError(
            f"got {positive.shape} images and {alarm.shape} alarms; give one per image"
        )
    odds = _odds(np.array([threshold]))[0]
    return float((positive & alarm).mean() - odds * (~positive & alarm).mean())


def decision_curve(
    labels: np.ndarray,
    probabilities: np.ndarray,
    lesions: np.ndarray,
    *,
    thresholds: Sequence[float],
    dx: str = "mel",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute the net benefit of a model at many thresholds, beside treating all or none.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    probabilities : ndarray of float, shape (n, 7)
    lesions : ndarray of str, shape (n,)
    thresholds : sequence of float
        Risks from which on one would act, above 0 and below 1.
    dx : str
        The class the alarm is for.
    resamples, level, seed
        As in ``utils.intervals.bootstrap``.

    Returns
    -------
    DataFrame, one row per threshold
        ``threshold``, ``model`` with the ends of its interval ``low`` and ``high``,
        ``treat all`` and ``treat none``.

    Raises
    ------
    ValueError
        If the shapes do not fit, a threshold is impossible or one side is empty.

    References
    ----------
    Vickers, Elkin, Medical Decision Making 26:565-574 (2006), doi 10.1177/0272989X06295361.
    """
    positive, scores = _against_rest(labels, probabilities, dx)
    thresholds = np.asarray(thresholds, dtype=np.float64)
    worth = np.where(positive[:, None], 1.0, -_odds(thresholds))  # of an alarm, for each image
    gained = np.where(scores[:, None] >= thresholds, worth, 0.0)
    drawn = np.concatenate(
        [
            gained.T @ weights / weights.sum(axis=0)
            for weights in resample_weights(labels, lesions, resamples=resamples, seed=seed)
        ],
        axis=1,
    )
    found = [interval(v, d, level=level) for v, d in zip(gained.mean(axis=0), drawn, strict=True)]
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "model": [i.value for i in found],
            "low": [i.low for i in found],
            "high": [i.high for i in found],
            "treat all": worth.mean(axis=0),
            "treat none": 0.0,
        }
    )


def _against_rest(labels, probabilities, dx: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which images are of the class, and the probability each got for it."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if probabilities.shape != (len(labels), len(CLASSES)):
        raise ValueError(
            f"probabilities must have shape ({len(labels)}, {len(CLASSES)}), one row per label; "
            f"got {probabilities.shape}"
        )
    label = by_dx(dx).kaggle_label
    positive = labels == label
    if positive.all() or not positive.any():
        side = "no image" if not positive.any() else "nothing but images"
        raise ValueError(f"there is {side} of class {dx} here; an alarm needs images of both kinds")
    scores = probabilities[:, label].astype(np.float64)
    if not np.isfinite(scores).all():
        row = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(f"row {row} of probabilities holds {scores[row]}, which is no probability")
    return positive, scores


def _shares(boxes: np.ndarray) -> dict[str, np.ndarray]:
    hit, missed, false_alarm, dismissed = boxes
    with np.errstate(invalid="ignore"):  # 0/0: no alarm at all, or alarm for all
        return {
            "sensitivity": hit / (hit + missed),
            "specificity": dismissed / (dismissed + false_alarm),
            "ppv": hit / (hit + false_alarm),
            "npv": dismissed / (dismissed + missed),
        }


def _odds(thresholds: np.ndarray) -> np.ndarray:
    if not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError(f"thresholds must lie between 0 and 1, both excluded; got {thresholds}")
    return thresholds / (1 - thresholds)
