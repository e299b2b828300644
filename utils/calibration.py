"""Whether probabilities can be believed, and two ways to make them more believable."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

# Probabilities below this count as this: their logarithm stays finite. The smallest float32.
FLOOR = float(np.finfo(np.float32).tiny)
TEMPERATURES = (0.02, 50.0)  # where the best temperature is looked for


def reliability_table(
    labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 15
) -> pd.DataFrame:
    """Sort images by the probability of their predicted class, and count how many are right.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes.
    probabilities : ndarray of float, shape (n, k)
        One row per image, summing to 1.
    bins : int
        Bins of equal width between 0 and 1, the upper edge belonging to the bin.

    Returns
    -------
    DataFrame, one row per bin
        ``low`` and ``high`` (edges), ``images``, ``confidence`` (mean probability of the
        predicted class) and ``accuracy`` (share that is right); NaN in an empty bin.

    Raises
    ------
    ValueError
        If the shapes do not fit, rows do not sum to 1, or `bins` is below 1.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, ICML 2017,
    arXiv 1706.04599 (who use 15 bins).
    """
    labels, probabilities = _checked(labels, probabilities)
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, not {bins}")
    edges = np.linspace(0, 1, bins + 1)
    top = probabilities.max(axis=1)
    bin_of = np.searchsorted(edges[1:-1], top)
    images = np.bincount(bin_of, minlength=bins)
    right = probabilities.argmax(axis=1) == labels
    with np.errstate(invalid="ignore"):  # 0/0 in an empty bin is NaN
        return pd.DataFrame(
            {
                "low": edges[:-1],
                "high": edges[1:],
                "images": images,
                "confidence": np.bincount(bin_of, weights=top, minlength=bins) / images,
                "accuracy": np.bincount(bin_of, weights=right, minlength=bins) / images,
            }
        )


def expected_calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 15
) -> float:
    """Compute the mean distance between confidence and accuracy, each bin by its images.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    probabilities : ndarray of float, shape (n, k)
    bins : int

    Returns
    -------
    float
        0 is perfect, 1 the worst. It depends on the number of bins and, being a mean of
        absolute distances, is above 0 even for a perfect model on a small sample.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, ICML 2017, arXiv 1706.04599.
    """
    table = reliability_table(labels, probabilities, bins=bins)
    distance = (table["accuracy"] - table["confidence"]).abs()
    return float((distance * table["images"]).sum() / table["images"].sum())


def brier_score(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the mean squared distance between probabilities and the truth, over all classes.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    probabilities : ndarray of float, shape (n, k)

    Returns
    -------
    float
        0 if the true class always gets 1; 2 if a wrong class always does; (k - 1) / k if every
        class always gets 1/k.

    References
    ----------
    Brier, Monthly Weather Review 78:1-3 (1950), in its original form, with the sum over classes.
    """
    labels, probabilities = _checked(labels, probabilities)
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the mean negative logarithm of the true class's probability (cross-entropy).

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    probabilities : ndarray of float, shape (n, k)

    Returns
    -------
    float
        0 is perfect, ln k what equal probabilities get. It is what training makes small.
    """
    labels, probabilities = _checked(labels, probabilities)
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, FLOOR)).mean())


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Flatten (above 1) or sharpen (below 1) probabilities; the order of classes stays.

    Dividing the logits by a temperature is raising the probabilities to the power
    1/temperature, normalised; so no logits are needed.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, k)
    temperature : float
        Above 0; 1 changes nothing.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If `temperature` is not above 0.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, ICML 2017, arXiv 1706.04599.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), FLOOR)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Find the temperature that makes the log loss smallest.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Of images that were not trained on and will not be judged on: the validation part.
    probabilities : ndarray of float, shape (n, k)

    Returns
    -------
    float
        Above 1 if the model was too sure of itself.

    Raises
    ------
    ValueError
        If no temperature between 0.02 and 50 is best: when all answers are right (the colder,
        the better), or when they are no better than chance (the hotter).

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, ICML 2017, arXiv 1706.04599.
    """
    labels, probabilities = _checked(labels, probabilities)
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log_t: log_loss(labels, apply_temperature(probabilities, np.exp(log_t))),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    all_right = (probabilities.argmax(axis=1) == labels).all()
    if all_right or min(found.x - low, high - found.x) < 1e-3:
        why = "all answers are right" if all_right else f"the best is beyond {np.exp(found.x):.3g}"
        raise ValueError(
            f"these {len(labels):,} images do not fix a temperature: {why}. Fit it on a "
            "validation part where some answers are wrong, and most are better than chance."
        )
    return float(np.exp(found.x))


def change_shares(
    probabilities: np.ndarray, shares: np.ndarray, *, seen: np.ndarray | None = None
) -> np.ndarray:
    """Turn the answers of a model that learned on rebalanced classes into those for other shares.

    Who has seen every class equally often expects every class equally often. By Bayes' rule each
    probability is multiplied by how common the class is, divided by how common it was in
    training, and the row normalised.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, k)
    shares : ndarray of float, shape (k,)
        Class shares (or counts) where the model is used; from the training part before
        oversampling, for instance. Not from the test part.
    seen : ndarray of float, shape (k,), optional
        Class shares (or counts) it was trained with; equal by default, as oversampling makes
        them.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If there is not one share above 0 for each class.

    References
    ----------
    Saerens, Latinne, Decaestecker, Neural Computation 14:21-41 (2002),
    doi 10.1162/089976602753284446.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    classes = probabilities.shape[1]
    shares = np.asarray(shares, dtype=np.float64)
    seen = np.ones(classes) if seen is None else np.asarray(seen, dtype=np.float64)
    for name, given in (("shares", shares), ("seen", seen)):
        if given.shape != (classes,) or not (given > 0).all():
            raise ValueError(f"{name} must hold one number above 0 for each class; got {given}")
    changed = probabilities * (shares / seen)
    return changed / changed.sum(axis=1, keepdims=True)


def _checked(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or len(probabilities) != len(labels) or not len(labels):
        raise ValueError(
            f"probabilities must have one row per label and one column per class; got "
            f"{probabilities.shape} for {len(labels)} labels"
        )
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(
            f"labels must lie between 0 and {probabilities.shape[1] - 1}, the columns of "
            f"probabilities; found {labels.min()} to {labels.max()}"
        )
    off = np.abs(probabilities.sum(axis=1) - 1)
    if not (off < 1e-3).all():
        row = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        raise ValueError(
            f"row {row} of probabilities sums to {probabilities[row].sum():.4g}, not to 1. Hand "
            "over the output of the softmax, not logits or counts."
        )
    return labels, probabilities
