"""What the cards say in numbers: counts of the data, and how the published weights do on the test.

Measured once, on the real images, and stored; `tools.results.cards` makes the pages from that.
"""

from functools import partial

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from tools.book.course import definitions
from utils import calibration, metrics
from utils.augment import predict_averaged
from utils.classes import DX
from utils.data import LesionImages
from utils.metrics import Interval
from utils.splits import lesion_groups, lesion_split
from utils.training import class_shares
from utils.weights import load_weights

PARTS = ("train", "validation", "test")
AGES = {"under 30": 0, "30 to 45": 30, "50 to 65": 50, "70 and over": 70}  # in steps of five
BY_CLASS = ["images", "lesions", "sensitivity", "specificity", "PPV", "AUC"]
ALARM = ["sensitivity", "specificity", "ppv", "hit", "missed", "false_alarm", "dismissed"]
SENSITIVITY = 0.9  # wanted of the melanoma alarm, on the validation part
RESAMPLES = 2000


def describe(dataset: LesionImages) -> dict:
    """Count a data set with lesion ids; in the parts of its split, known duplicates are one."""
    metadata, split = dataset.metadata, lesion_split(dataset)
    grouped = metadata.assign(merged=lesion_groups(metadata))
    parts = {part: grouped.iloc[getattr(split, part)] for part in PARTS}
    several = metadata.groupby("lesion_id").size()
    classes = {}
    for dx in DX:
        rows = metadata[metadata["dx"] == dx]
        classes[dx] = _counts(rows) | {
            "several": int((several[rows["lesion_id"].unique()] > 1).sum()),
            "age": float(rows["age"].median()),
            **{sex: int((rows["sex"] == sex).sum()) for sex in ("female", "male")},
        }
        for part, own in parts.items():
            own = own[own["dx"] == dx]
            classes[dx][part] = {"images": len(own), "lesions": own["merged"].nunique()}
    ages = pd.cut(metadata["age"], [*AGES.values(), 200], right=False, labels=list(AGES))
    ages = ages.cat.add_categories("missing").fillna("missing")
    columns = metadata[["age", "sex", "localization"]]
    missing = columns.isna() | (columns == "unknown")
    number, times = np.unique(several, return_counts=True)
    kinds = pd.crosstab(metadata["dx_type"], metadata["dx"])
    sites = metadata["localization"].value_counts().index
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
            for part, rows in parts.items()
        },
        "images": len(metadata),
        "lesions": len(several),
        "classes": classes,
        "dx_type": kinds.loc[metadata["dx_type"].value_counts().index, list(DX)].to_dict("index"),
        "dataset": by_source(dataset),
        "age": {age: _counts(rows) for age, rows in metadata.groupby(ages, observed=False)},
        "sex": {sex: _counts(rows) for sex, rows in metadata.groupby("sex")},
        "site": {site: _counts(metadata[metadata["localization"] == site]) for site in sites},
        "missing": missing.sum().to_dict() | {"any of the three": int(missing.any(axis=1).sum())},
        "age given as 0": int((metadata["age"] == 0).sum()),
        "images of a lesion": dict(zip(map(str, number), map(int, times), strict=True)),
    }


def by_source(dataset: LesionImages) -> dict[str, dict[str, int]]:
    """Count images by source and class."""
    table = pd.crosstab(dataset.metadata["dataset"], dataset.metadata["dx"])
    return table.reindex(columns=list(DX)).to_dict("index")


def judge(name: str, dataset: LesionImages) -> dict:
    """Judge published weights, such as ``"best"``, on the test part of the usual split.

    Numbers come with intervals from resampled lesions, and with what they were made from.
    """
    split = lesion_split(dataset)
    model, certificate = load_weights(name, dataset, test=split.test)
    # As the chapters ask: the mean over eight symmetries where the recipe trains with them.
    ask = partial(model.predict, batch_size=512, verbose=0)
    if certificate.recipe["symmetries"]:
        ask = partial(predict_averaged, model)
    chosen_by, answers = (ask(dataset.images[part]) for part in (split.validation, split.test))
    own, labels = dataset.labels[split.validation], dataset.labels[split.test]
    lesions = lesion_groups(dataset.metadata)[split.test]
    shares = class_shares(dataset.labels[split.train])
    ways = {"most probable class": None}
    if certificate.recipe["prior"]:  # the probabilities answer for the shares of the data
        ways = {"probability / share": shares} | ways
    judged = {
        way: metrics.bootstrap(labels, answers, lesions, shares=given, resamples=RESAMPLES)
        for way, given in ways.items()
    }
    first = next(iter(ways))
    rows = judged[first].per_class.to_dict("records")
    called = metrics.decide(answers, ways[first])
    threshold = calibration.threshold_for_sensitivity(own, chosen_by, sensitivity=SENSITIVITY)
    alarm = {"threshold": threshold, "resamples": RESAMPLES}
    point = calibration.operating_point(labels, answers, lesions, **alarm)
    temperature = calibration.fit_temperature(own, chosen_by)
    cooled = calibration.apply_temperature(answers, temperature)
    return {
        "weights_sha256": certificate.weights_sha256,
        "data": certificate.data, "split": certificate.split,
        "parameters": model.count_params(), "shares": shares.round(6).tolist(),
        "resamples": RESAMPLES, "images": len(labels), "lesions": len(set(lesions)),
        "decision": first,
        "headline": {way: _shown(one.headline) for way, one in judged.items()},
        "classes": {row.pop("dx"): _shown(row, BY_CLASS) for row in rows},
        "confusion": confusion_matrix(labels, called, labels=range(len(DX))).tolist(),
        "alarm": {
            "wanted": SENSITIVITY, "threshold": round(threshold, 6), **_shown(vars(point), ALARM),
        },
        "calibration": {
            "temperature": round(temperature, 4),
            "as trained": _calibrated(labels, answers, lesions),
            "with temperature": _calibrated(labels, cooled, lesions),
        },
    }  # fmt: skip


def _calibrated(labels: np.ndarray, probabilities: np.ndarray, lesions: np.ndarray) -> dict:
    """Chapter 7's calibration error and Brier score, the same lesions drawn as elsewhere."""
    chapter = definitions("07")
    judges = {"calibration error": chapter.calibration_error, "Brier score": chapter.brier_score}
    draws = metrics.resample_weights(labels, lesions, resamples=RESAMPLES)
    drawn = np.concatenate([*draws], axis=1).T.astype(int)  # a row says how often each image
    samples = [np.repeat(np.arange(len(labels)), times) for times in drawn]
    numbers = {}
    for name, one in judges.items():
        values = [one(labels[rows], probabilities[rows]) for rows in samples]
        numbers[name] = metrics.interval(one(labels, probabilities), values)
    return _shown(numbers)


def _shown(numbers: dict, keys: list[str] | None = None) -> dict:
    """Choose numbers and make them storable: counts, and intervals as `as_record` does."""
    chosen = {key: numbers[key] for key in keys or numbers}
    return {k: as_record(n) if isinstance(n, Interval) else int(n) for k, n in chosen.items()}


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    melanoma = rows[rows["dx"] == "mel"]
    lesions, melanomas = (int(some["lesion_id"].nunique()) for some in (rows, melanoma))
    counts = {"images": len(rows), "lesions": lesions, "melanoma images": len(melanoma)}
    return counts | {"melanomas": melanomas}


def as_record(number: Interval, *, digits: int = 6) -> dict[str, float | None]:
    """Return an interval as it is stored: rounded, and None for what is undefined."""
    ends = {key: getattr(number, key) for key in ("value", "low", "high")}
    return {key: None if np.isnan(x) else round(float(x), digits) for key, x in ends.items()}
