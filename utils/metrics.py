"""Numbers that say how good predictions are, for seven classes of very unequal size."""

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from utils.classes import CLASSES, DX


def headline(
    labels: np.ndarray, probabilities: np.ndarray, *, shares: np.ndarray | None = None
) -> dict[str, float]:
    """Compute the numbers that stand together wherever the course reports a result.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes, Kaggle coding.
    probabilities : ndarray of float, shape (n, 7)
        Predicted probabilities, one row per image.
    shares : ndarray of float, shape (7,), optional
        Class shares of the training part. With them the class is `decide`d as if all classes
        were equally frequent; the AUC is that of the probabilities as they are.

    Returns
    -------
    dict of float
        ``accuracy``, ``balanced accuracy`` (mean sensitivity of the classes), ``macro AUC``
        (mean over the classes of the area under the one-against-rest ROC curve) and
        ``melanoma sensitivity`` (share of melanomas called melanoma).

    Raises
    ------
    ValueError
        If the shapes do not fit or a class is missing among the labels.
    """
    labels, probabilities = _checked(labels, probabilities)
    predicted = decide(probabilities, shares)
    melanoma = labels == DX.index("mel")
    return {
        "accuracy": float((predicted == labels).mean()),
        "balanced accuracy": float(balanced_accuracy_score(labels, predicted)),
        "macro AUC": float(class_auc(labels, probabilities).mean()),
        "melanoma sensitivity": float((predicted[melanoma] == DX.index("mel")).mean()),
    }


def decide(probabilities: np.ndarray, shares: np.ndarray | None = None) -> np.ndarray:
    """Turn probabilities into one class per image.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, 7)
    shares : ndarray of float, shape (7,), optional
        Class shares of the data that the probabilities answer for. Without them the most probable
        class is taken, which gives the highest accuracy. With them each probability is divided by
        the share of its class first: the rule that gives the highest balanced accuracy, because
        there a melanoma counts as much as the number of melanomas is small.

    Returns
    -------
    ndarray of int64, shape (n,)

    References
    ----------
    Menon et al., Long-tail learning via logit adjustment, ICLR 2021, section 3.
    """
    probabilities = np.asarray(probabilities)
    if shares is None:
        return probabilities.argmax(axis=1)
    shares = np.asarray(shares, dtype=float)
    if shares.shape != (probabilities.shape[1],) or not (shares > 0).all():
        raise ValueError(
            f"shares must be {probabilities.shape[1]} numbers above 0, one per class; got {shares}"
        )
    return (probabilities / shares).argmax(axis=1)


def class_auc(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve of each class against the rest.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    probabilities : ndarray of float, shape (n, 7)

    Returns
    -------
    ndarray of float, shape (7,)
        0.5 is chance, 1 is perfect.
    """
    labels, probabilities = _checked(labels, probabilities)
    return np.array([roc_auc_score(labels == k, probabilities[:, k]) for k in range(len(CLASSES))])


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count how often each true class was called each class.

    Parameters
    ----------
    labels, predicted : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (7, 7)
        Rows are true classes, columns predicted ones.
    """
    return confusion_matrix(labels, predicted, labels=range(len(CLASSES)))


def per_class(labels: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Compute one row of numbers for each class, taken against all others.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    probabilities : ndarray of float, shape (n, 7)

    Returns
    -------
    DataFrame, 7 rows
        ``dx``, ``support`` (images of the class), ``precision``, ``sensitivity`` (recall),
        ``specificity``, ``f1`` and ``auc``. Precision is NaN for a class that was never
        predicted, and F1 is 0 then.
    """
    labels, probabilities = _checked(labels, probabilities)
    counts = confusion(labels, probabilities.argmax(axis=1))
    hit = np.diag(counts).astype(float)
    missed = counts.sum(axis=1) - hit
    false_alarm = counts.sum(axis=0) - hit
    rest = counts.sum() - hit - missed - false_alarm
    with np.errstate(invalid="ignore"):  # 0/0 for a class that was never predicted is NaN
        precision = hit / (hit + false_alarm)
    return pd.DataFrame(
        {
            "dx": DX,
            "support": counts.sum(axis=1),
            "precision": precision,
            "sensitivity": hit / (hit + missed),
            "specificity": rest / (rest + false_alarm),
            "f1": 2 * hit / (2 * hit + missed + false_alarm),
            "auc": class_auc(labels, probabilities),
        }
    )


def _checked(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if probabilities.shape != (len(labels), len(CLASSES)):
        raise ValueError(
            f"probabilities must have shape ({len(labels)}, {len(CLASSES)}), one row per label; "
            f"got {probabilities.shape}"
        )
    missing = sorted(set(range(len(CLASSES))) - set(np.unique(labels).tolist()))
    if missing:
        names = ", ".join(DX[k] for k in missing)
        raise ValueError(
            f"no image of class {names} among the labels: sensitivity and AUC of that class are "
            "undefined. Judge on a part that holds every class."
        )
    return labels, probabilities
