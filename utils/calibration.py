"""From probabilities to decisions: a temperature, an alarm for melanoma, its hits and its price."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import log_loss, roc_curve

from utils.metrics import MEL, Interval, interval, rates, resample_weights

__all__ = [
    "apply_temperature", "fit_temperature", "for_shares", "operating_point",
    "threshold_for_sensitivity",
]  # fmt: skip

# Probabilities below this count as this: their logarithm stays finite. The smallest float32.
FLOOR = float(np.finfo(np.float32).tiny)
TEMPERATURES = (0.02, 50.0)  # where the best temperature is looked for


def for_shares(
    probabilities: np.ndarray, shares: np.ndarray, learned: np.ndarray | float = 1
) -> np.ndarray:
    """Let probabilities (n, 7) answer for other class shares than those they were `learned` at.

    By Bayes' rule, as chapter 7 shows (Saerens, Latinne, Decaestecker, Neural Computation
    14:21-41, 2002). Both shares, (7,), count up to a factor; returned is float64, (n, 7).
    """
    answers = probabilities * (shares / np.asarray(learned))
    return answers / answers.sum(axis=1, keepdims=True)


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Flatten (above 1) or sharpen (below 1) probabilities; the order of classes stays.

    To divide their logits by a temperature is to raise them to the power 1/temperature and
    normalise (Guo and others, ICML 2017, arXiv 1706.04599). Both arrays have the shape (n, k).
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    probabilities = np.maximum(np.asarray(probabilities, dtype=np.float64), FLOOR)
    return softmax(np.log(probabilities) / temperature, axis=1)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature that makes the log loss smallest: above 1 if the model was too sure.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Of images that were not trained on and will not be judged on: the validation part.
    probabilities : ndarray of float, shape (n, k)

    Raises
    ------
    ValueError
        If none between 0.02 and 50 is best: when all answers are right (the colder, the better),
        or none is better than chance (the hotter); if rows do not sum to 1.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ValueError("rows of probabilities must sum to 1: hand over the output of the softmax")
    classes, bounds = range(probabilities.shape[1]), np.log(TEMPERATURES)

    def loss(t: float) -> float:
        return log_loss(labels, apply_temperature(probabilities, np.exp(t)), labels=classes)

    best = minimize_scalar(loss, bounds=bounds, options={"xatol": 1e-6}).x
    if (probabilities.argmax(axis=1) == labels).all() or np.abs(best - bounds).min() < 1e-3:
        raise ValueError(
            f"these {len(labels):,} images do not fix a temperature. Fit it on a validation part "
            "where some answers are wrong, and most are better than chance."
        )
    return float(np.exp(best))


def threshold_for_sensitivity(
    labels: np.ndarray, probabilities: np.ndarray, *, sensitivity: float = 0.9
) -> float:
    """Find the largest threshold at which this share of melanomas, or more, raises the alarm.

    Labels, (n,), and probabilities, (n, 7), are those of validation images: a threshold looks
    better than it is on the images it was chosen on. The sensitivity is above 0, at most 1.
    """
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity must be above 0 and at most 1, not {sensitivity}")
    melanoma, scores = _against_rest(labels, probabilities)
    _, reached, thresholds = roc_curve(melanoma, scores, drop_intermediate=False)
    return float(thresholds[np.argmax(reached >= sensitivity)])  # thresholds fall


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does: images in the four boxes, shares, alarms for each hit (1 / PPV)."""

    hit: int
    missed: int
    false_alarm: int
    dismissed: int
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    npv: Interval
    excised_per_hit: Interval


def operating_point(
    labels: np.ndarray, probabilities: np.ndarray, lesions: np.ndarray, *,
    threshold: float, resamples: int = 2000,
) -> OperatingPoint:  # fmt: skip
    """Judge an alarm for melanoma whose `threshold` was fixed elsewhere; at or above it, it rings.

    The other parameters are those of `utils.metrics.bootstrap`, of the test images.
    """
    melanoma, scores = _against_rest(labels, probabilities)
    boxes = np.eye(4)[2 * melanoma + (scores >= threshold)]  # dismissed, false alarm, missed, hit
    drawn = [boxes.sum(axis=0)[:, None]]
    drawn += [boxes.T @ times for times in resample_weights(labels, lesions, resamples=resamples)]
    shares = rates(np.concatenate(drawn, axis=1).T.reshape(-1, 2, 2))
    intervals = {name: interval(values[0, 1], values[1:, 1]) for name, values in shares.items()}
    ppv = intervals["PPV"]
    with np.errstate(divide="ignore"):  # no hit among the alarms: infinitely many for each
        price = Interval(*(1 / np.array([ppv.value, ppv.high, ppv.low])).tolist())
    counts = boxes.sum(axis=0).astype(int).tolist()[::-1]
    return OperatingPoint(*counts, *intervals.values(), price)


def _against_rest(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which images show a melanoma, and the probability each got for it."""
    melanoma = np.asarray(labels) == MEL
    if melanoma.all() or not melanoma.any():
        raise ValueError("an alarm is judged on images of melanomas and others; one kind is absent")
    return melanoma, np.asarray(probabilities)[:, MEL].astype(np.float64)
