"""What the cards say in numbers: counts of the data, and how the published weights do on the test.

Slow things are measured once, on the real images, and stored; `tools.results.cards` makes the pages
from what is stored.
"""

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from tools.book.chapter_code import definitions
from utils import calibration, metrics
from utils.augment import predict_averaged
from utils.classes import DX
from utils.data import LesionImages
from utils.metrics import Interval
from utils.splits import lesion_groups, lesion_split
from utils.training import class_shares
from utils.weights import load_weights

PARTS = ("train", "validation", "test")
AGES = {"under 30": (0, 30), "30 to 45": (30, 46), "50 to 65": (50, 66), "70 and over": (70, 200)}
SENSITIVITY = 0.9  # wanted of the melanoma alarm, on the validation part
RESAMPLES = 2000


def describe(dataset: LesionImages) -> dict:
    """Count a data set with lesion ids: by class, origin of the label, age, sex, site and part.

    Lesions are counted by their ids; in the parts of the usual split, known duplicates are one.
    """
    metadata = dataset.metadata
    split, groups = lesion_split(dataset), lesion_groups(metadata)
    parts = {part: getattr(split, part) for part in PARTS}
    several = metadata.groupby("lesion_id").size()
    classes = {}
    for label, dx in enumerate(DX):
        rows = metadata[metadata["dx"] == dx]
        classes[dx] = {
            **_counts(rows),
            "several": int((several[rows["lesion_id"].unique()] > 1).sum()),
            "age": float(rows["age"].median()),
            **{sex: int((rows["sex"] == sex).sum()) for sex in ("female", "male")},
        }
        for part, chosen in parts.items():
            own = chosen[dataset.labels[chosen] == label]
            classes[dx][part] = {"images": len(own), "lesions": len(set(groups[own]))}
    ages = {
        name: _counts(metadata[metadata["age"].between(low, high, inclusive="left")])
        for name, (low, high) in AGES.items()
    }
    columns = metadata[["age", "sex", "localization"]]
    missing = columns.isna() | (columns == "unknown")
    kinds = pd.crosstab(metadata["dx_type"], metadata["dx"])
    return {
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "split": {"seed": split.seed, "fingerprint": split.fingerprint},
        "parts": {
            part: {
                "median age": float(rows["age"].median()),
                "women": round(float((rows["sex"] == "female").mean()), 4),
                "back": round(float((rows["localization"] == "back").mean()), 4),
            }
            for part, rows in ((part, metadata.iloc[chosen]) for part, chosen in parts.items())
        },
        "images": len(metadata),
        "lesions": int(metadata["lesion_id"].nunique()),
        "classes": classes,
        "dx_type": kinds.loc[metadata["dx_type"].value_counts().index, list(DX)].to_dict("index"),
        "age": ages | {"missing": _counts(metadata[metadata["age"].isna()])},
        "sex": {sex: _counts(rows) for sex, rows in metadata.groupby("sex")},
        "site": {
            site: _counts(metadata[metadata["localization"] == site])
            for site in metadata["localization"].value_counts().index
        },
        "missing": missing.sum().to_dict() | {"any of the three": int(missing.any(axis=1).sum())},
        "age given as 0": int((metadata["age"] == 0).sum()),
        "images of a lesion": {
            str(n): int(k) for n, k in several.value_counts().sort_index().items()
        },
    }


def judge(name: str, dataset: LesionImages) -> dict:
    """Judge published weights, ``"best"`` or ``"original"``, on the test part of the usual split.

    Returns numbers with intervals from resampled lesions, each as value, low, high, and what they
    were made from: the check sum of the weights, the fingerprints of data and split.
    """
    split = lesion_split(dataset)
    model, certificate = load_weights(name, dataset, test=split.test)
    validation, answers = (
        _answers(model, dataset.images[part], certificate.recipe)
        for part in (split.validation, split.test)
    )
    labels, lesions = dataset.labels[split.test], lesion_groups(dataset.metadata)[split.test]
    shares = class_shares(dataset.labels[split.train])
    ways = {"most probable class": None}
    if certificate.recipe["prior"]:  # the probabilities answer for the shares of the data
        ways = {"probability / share": shares} | ways
    judged = {
        way: metrics.bootstrap(labels, answers, lesions, shares=given, resamples=RESAMPLES)
        for way, given in ways.items()
    }
    first = next(iter(ways))
    called = metrics.decide(answers, ways[first])
    own = dataset.labels[split.validation]
    threshold = calibration.threshold_for_sensitivity(own, validation, sensitivity=SENSITIVITY)
    point = calibration.operating_point(
        labels, answers, lesions, threshold=threshold, resamples=RESAMPLES
    )
    temperature = calibration.fit_temperature(own, validation)
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
            for way, one in judged.items()
        },
        "classes": {
            row["dx"]: {"images": int(row["images"]), "lesions": int(row["lesions"])}
            | {key: _triple(row[key]) for key in ("sensitivity", "specificity", "PPV", "AUC")}
            for row in judged[first].per_class.to_dict("records")
        },
        "confusion": confusion_matrix(labels, called, labels=range(len(DX))).tolist(),
        "alarm": {
            "wanted": SENSITIVITY,
            "threshold": round(threshold, 6),
            **{key: _triple(getattr(point, key)) for key in ("sensitivity", "specificity", "ppv")},
            **{key: getattr(point, key) for key in ("hit", "missed", "false_alarm", "dismissed")},
        },
        "calibration": {
            "temperature": round(temperature, 4),
            "as trained": _calibrated(labels, answers, lesions),
            "with temperature": _calibrated(
                labels, calibration.apply_temperature(answers, temperature), lesions
            ),
        },
    }


def _answers(model: keras.Model, images: np.ndarray, recipe: dict) -> np.ndarray:
    """As the chapters ask: the mean over eight symmetries where the recipe trains with them."""
    if recipe["symmetries"]:
        return predict_averaged(model, images)
    return np.asarray(model.predict(images, batch_size=512, verbose=0))


def _calibrated(labels: np.ndarray, probabilities: np.ndarray, lesions: np.ndarray) -> dict:
    """Chapter 6's calibration error and Brier score, the same lesions drawn as elsewhere."""
    chapter = definitions("06")
    numbers = {"calibration error": chapter.calibration_error, "Brier score": chapter.brier_score}
    drawn = {name: [] for name in numbers}
    for block in metrics.resample_weights(labels, lesions, resamples=RESAMPLES):
        for times in block.T.astype(int):
            rows = np.repeat(np.arange(len(labels)), times)
            for name, number in numbers.items():
                drawn[name].append(number(labels[rows], probabilities[rows]))
    return {
        name: _triple(metrics.interval(number(labels, probabilities), drawn[name]))
        for name, number in numbers.items()
    }


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    melanoma = rows[rows["dx"] == "mel"]
    return {
        "images": len(rows),
        "lesions": int(rows["lesion_id"].nunique()),
        "melanoma images": len(melanoma),
        "melanomas": int(melanoma["lesion_id"].nunique()),
    }


def _triple(number: Interval) -> dict[str, float]:
    return {key: round(float(getattr(number, key)), 6) for key in ("value", "low", "high")}
