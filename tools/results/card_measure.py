"""What the cards say in numbers: counts of the data, and how the published weights do on the test.

Slow things are measured once, on the real images, and stored (`tools.results.cards`); the pages are made
from what is stored.
"""

from collections.abc import Iterator

import keras
import numpy as np
import pandas as pd

from utils import calibration, decisions, intervals, metrics
from utils.augment import predict_averaged
from utils.classes import DX
from utils.data import LesionImages
from utils.intervals import Interval
from utils.splits import lesion_groups, lesion_split
from utils.training import class_shares
from utils.weights import load_weights

SENSITIVITY = 0.9  # wanted of the melanoma alarm, on the validation part
BINS = 15
AGES = {"under 30": (0, 30), "30 to 45": (30, 46), "50 to 65": (50, 66), "70 and over": (70, 200)}
RESAMPLES = 2000


def describe(dataset: LesionImages) -> dict:
    """Count what the data set card tells about a data set.

    Parameters
    ----------
    dataset : LesionImages
        With lesion ids.

    Returns
    -------
    dict
        Source and fingerprint of the data, and counts by class, origin of the label, age, sex,
        site, and part of the usual split. Lesions are counted by their ids, except in the parts,
        where known duplicates are one lesion.
    """
    metadata = dataset.metadata.copy()
    split = lesion_split(dataset)
    groups = lesion_groups(dataset.metadata)
    parts = {part: getattr(split, part) for part in ("train", "validation", "test")}
    several = metadata.groupby("lesion_id").size()
    classes = {}
    for label, dx in enumerate(DX):
        rows = metadata[metadata["dx"] == dx]
        classes[dx] = {
            **_counts(rows),
            "several": int((several[rows["lesion_id"].unique()] > 1).sum()),
            "age": float(rows["age"].median()),
            **{sex: int((rows["sex"] == sex).sum()) for sex in ("female", "male")},
            **{
                part: {
                    "images": int((dataset.labels[chosen] == label).sum()),
                    "lesions": len(set(groups[chosen[dataset.labels[chosen] == label]])),
                }
                for part, chosen in parts.items()
            },
        }
    ages = {
        name: _counts(metadata[(metadata["age"] >= low) & (metadata["age"] < high)])
        for name, (low, high) in AGES.items()
    }
    ages["missing"] = _counts(metadata[metadata["age"].isna()])
    missing = pd.DataFrame(
        {
            "age": metadata["age"].isna(),
            "sex": metadata["sex"].isna() | (metadata["sex"] == "unknown"),
            "localization": metadata["localization"].isna()
            | (metadata["localization"] == "unknown"),
        }
    )
    return {
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "split": {"seed": split.seed, "fingerprint": split.fingerprint},
        "parts": {
            part: {
                "median age": float(metadata["age"].iloc[chosen].median()),
                "women": round(float((metadata["sex"].iloc[chosen] == "female").mean()), 4),
                "back": round(float((metadata["localization"].iloc[chosen] == "back").mean()), 4),
            }
            for part, chosen in parts.items()
        },
        "images": len(metadata),
        "lesions": int(metadata["lesion_id"].nunique()),
        "classes": classes,
        "dx_type": {
            kind: {
                dx: int(((metadata["dx_type"] == kind) & (metadata["dx"] == dx)).sum()) for dx in DX
            }
            for kind in metadata["dx_type"].value_counts().index
        },
        "age": ages,
        "sex": {sex: _counts(rows) for sex, rows in metadata.groupby("sex")},
        "site": {
            site: _counts(metadata[metadata["localization"] == site])
            for site in metadata["localization"].value_counts().index
        },
        "missing": {name: int(gone.sum()) for name, gone in missing.items()}
        | {"any of the three": int(missing.any(axis=1).sum())},
        "age given as 0": int((metadata["age"] == 0).sum()),
        "images of a lesion": {
            str(n): int(k) for n, k in several.value_counts().sort_index().items()
        },
    }


def judge(name: str, dataset: LesionImages) -> dict:
    """Judge published weights on the test part of the usual split.

    Parameters
    ----------
    name : str
        ``"best"`` or ``"original"``; weights that have seen a test lesion are refused.
    dataset : LesionImages

    Returns
    -------
    dict
        Numbers with intervals from resampled lesions, each as value, low, high; stamped with the
        check sum of the weights and the fingerprints of data and split.
    """
    split = lesion_split(dataset)
    model, certificate = load_weights(name, dataset, test=split.test)
    answers = {
        part: _answers(model, dataset.images[getattr(split, part)], certificate.recipe)
        for part in ("validation", "test")
    }
    labels, lesions = dataset.labels[split.test], lesion_groups(dataset.metadata)[split.test]
    shares = class_shares(dataset.labels[split.train])
    ways = {"most probable class": None}
    if certificate.recipe["prior"]:  # the probabilities answer for the shares of the data
        ways = {"probability / share": shares} | ways
    found = {
        way: intervals.bootstrap(
            labels, answers["test"], lesions, shares=given, resamples=RESAMPLES
        )
        for way, given in ways.items()
    }
    first = next(iter(ways))
    called = metrics.decide(answers["test"], ways[first])
    validation = dataset.labels[split.validation]
    threshold = decisions.threshold_for_sensitivity(
        validation, answers["validation"], sensitivity=SENSITIVITY
    )
    point = decisions.operating_point(
        labels, answers["test"], lesions, threshold=threshold, resamples=RESAMPLES
    )
    temperature = calibration.fit_temperature(validation, answers["validation"])
    tempered = calibration.apply_temperature(answers["test"], temperature)
    return {
        "weights_sha256": certificate.weights_sha256,
        "data": certificate.data,
        "split": certificate.split,
        "parameters": model.count_params(),
        "shares": shares.round(6).tolist(),
        "resamples": RESAMPLES,
        "images": len(labels),
        "lesions": len(set(lesions)),
        "decision": first,
        "headline": {
            way: {key: _triple(number) for key, number in one.headline.items()}
            for way, one in found.items()
        },
        "classes": {
            row["dx"]: {"images": int(row["images"]), "lesions": int(row["lesions"])}
            | {key: _triple(row[key]) for key in ("sensitivity", "specificity", "PPV", "AUC")}
            for row in found[first].per_class.to_dict("records")
        },
        "confusion": metrics.confusion(labels, called).tolist(),
        "alarm": {
            "wanted": SENSITIVITY,
            "threshold": round(threshold, 6),
            **{key: _triple(getattr(point, key)) for key in ("sensitivity", "specificity", "ppv")},
            **{key: getattr(point, key) for key in ("hit", "missed", "false_alarm", "dismissed")},
        },
        "calibration": {
            "temperature": round(temperature, 4),
            "as trained": _calibrated(labels, answers["test"], lesions),
            "with temperature": _calibrated(labels, tempered, lesions),
        },
    }


def _answers(model: keras.Model, images: np.ndarray, recipe: dict) -> np.ndarray:
    """As the chapters ask: the mean over eight symmetries where the recipe trains with them."""
    if recipe["symmetries"]:
        return predict_averaged(model, images)
    return np.asarray(model.predict(images, batch_size=512, verbose=0))


def _calibrated(labels: np.ndarray, probabilities: np.ndarray, lesions: np.ndarray) -> dict:
    """Calibration error and Brier score with intervals, the same lesions drawn as elsewhere."""
    probabilities = np.asarray(probabilities, dtype=float)
    top = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == labels) - top
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    bins = np.eye(BINS)[np.searchsorted(edges, top)].T
    squares = ((probabilities - np.eye(len(DX))[labels]) ** 2).sum(axis=1)
    drawn: dict[str, list] = {"calibration error": [], "Brier score": []}
    for weights in _resamples(labels, lesions):
        total = weights.sum(axis=0)
        drawn["calibration error"].append(
            np.abs(bins @ (gap[:, None] * weights)).sum(axis=0) / total
        )
        drawn["Brier score"].append(squares @ weights / total)
    observed = {
        "calibration error": calibration.expected_calibration_error(
            labels, probabilities, bins=BINS
        ),
        "Brier score": calibration.brier_score(labels, probabilities),
    }
    return {
        name: _triple(intervals.interval(observed[name], np.concatenate(values)))
        for name, values in drawn.items()
    }


def _resamples(labels: np.ndarray, lesions: np.ndarray) -> Iterator[np.ndarray]:
    return intervals.resample_weights(labels, lesions, resamples=RESAMPLES)


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    melanoma = rows["dx"] == "mel"
    return {
        "images": len(rows),
        "lesions": int(rows["lesion_id"].nunique()),
        "melanoma images": int(melanoma.sum()),
        "melanomas": int(rows.loc[melanoma, "lesion_id"].nunique()),
    }


def _triple(number: Interval) -> dict[str, float]:
    return {key: round(float(getattr(number, key)), 6) for key in ("value", "low", "high")}
