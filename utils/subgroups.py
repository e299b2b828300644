"""For whom: how a result differs between groups of patients, and how much of that is chance."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.classes import CLASSES, DX
from utils.metrics import Interval, interval, resample_weights

FEWEST = 10  # lesions that a share must stand on; with fewer none is given
AGES = ((0, 40, "under 40"), (40, 55, "40 to 54"), (55, 70, "55 to 69"), (70, 200, "70 and over"))
SITES = {
    "head and neck": ("face", "scalp", "ear", "neck"),
    "trunk": ("back", "trunk", "chest", "abdomen", "genital"),
    "arm": ("upper extremity",),
    "leg": ("lower extremity",),
    "hand or foot": ("hand", "foot", "acral"),
}
UNKNOWN = "not known"


def patient_groups(metadata: pd.DataFrame) -> pd.DataFrame:
    """Name the group of each image by age, sex and body site.

    Parameters
    ----------
    metadata : DataFrame
        With ``age``, ``sex`` and ``localization``.

    Returns
    -------
    DataFrame
        Columns ``age``, ``sex`` and ``body site``, a row per image; `UNKNOWN` where the table
        says nothing.
    """
    age = pd.Series(UNKNOWN, index=metadata.index)
    for low, high, name in AGES:
        age[(metadata["age"] >= low) & (metadata["age"] < high)] = name
    of_site = {site: name for name, sites in SITES.items() for site in sites}
    return pd.DataFrame(
        {
            "age": age,
            "sex": metadata["sex"].where(metadata["sex"].isin(["female", "male"]), UNKNOWN),
            "body site": metadata["localization"].map(of_site).fillna(UNKNOWN),
        }
    )


def subgroup_table(
    labels: np.ndarray,
    predicted: np.ndarray,
    lesions: np.ndarray,
    groups: Mapping[str, np.ndarray] | pd.DataFrame,
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute sensitivity and specificity for melanoma, and balanced accuracy, in each group.

    Parameters
    ----------
    labels, predicted : ndarray of int, shape (n,)
        True and predicted classes, Kaggle coding.
    lesions : ndarray of str, shape (n,)
        From ``utils.splits.lesion_groups``.
    groups : DataFrame or mapping of str to ndarray of str, shape (n,)
        A column for each way to divide the images, `patient_groups` for example.
    resamples, seed : int
        Of the bootstrap over lesions, as in ``utils.metrics``.

    Returns
    -------
    DataFrame
        One row for all images and one per group: ``by``, ``group``, ``images``, ``lesions``,
        ``melanomas`` (images), ``melanoma lesions``, and as `Interval` ``sensitivity``,
        ``specificity`` and ``balanced accuracy``. A share that stands on fewer than `FEWEST`
        lesions (the balanced accuracy: in any class) is left undefined.
    """
    labels, predicted, lesions = (np.asarray(a) for a in (labels, predicted, lesions))
    if not len(labels) == len(predicted) == len(lesions):
        raise ValueError("labels, predicted and lesions must have one entry per image")
    weights = np.concatenate(
        list(resample_weights(labels, lesions, resamples=resamples, seed=seed)), axis=1
    )
    masks = [("", "all", np.ones(len(labels), bool))]
    for by in groups:
        values = np.asarray(groups[by], dtype=str)
        if len(values) != len(labels):
            raise ValueError(f"the groups by {by} have {len(values)} entries; {len(labels)} images")
        masks += [(by, name, values == name) for name in _ordered(values)]
    is_mel, called = labels == DX.index("mel"), predicted == DX.index("mel")
    rows = []
    for by, name, member in masks:
        hits = [member & (labels == k) & (predicted == k) for k in range(len(CLASSES))]
        of_class = [member & (labels == k) for k in range(len(CLASSES))]
        each = [_share(hit, one, lesions, weights) for hit, one in zip(hits, of_class, strict=True)]
        balanced = (np.mean([v for v, _ in each]), np.mean([d for _, d in each], axis=0))
        spared = _share(member & ~is_mel & ~called, member & ~is_mel, lesions, weights)
        rows.append(
            {
                "by": by,
                "group": name,
                "images": int(member.sum()),
                "lesions": len(set(lesions[member])),
                "melanomas": int((member & is_mel).sum()),
                "melanoma lesions": len(set(lesions[member & is_mel])),
                "sensitivity": interval(*each[DX.index("mel")]),
                "specificity": interval(*spared),
                "balanced accuracy": interval(*balanced),
            }
        )
    return pd.DataFrame(rows)


def _share(hit, among, lesions, weights) -> tuple[float, np.ndarray]:
    """A share and its resamples; NaN where it stands on fewer than `FEWEST` lesions."""
    if len(set(lesions[among])) < FEWEST:
        return math.nan, np.full(weights.shape[1], math.nan)
    with np.errstate(invalid="ignore"):  # 0/0 where a resample holds none of the group
        drawn = hit.astype(float) @ weights / (among.astype(float) @ weights)
    return hit.sum() / among.sum(), drawn


def _ordered(values: np.ndarray) -> list[str]:
    order = [name for *_, name in AGES] + list(SITES)
    key = {name: k for k, name in enumerate(order)}
    return sorted(set(values.tolist()), key=lambda v: (v == UNKNOWN, key.get(v, 0), v))


def gap_by_chance(
    hit: np.ndarray,
    lesions: np.ndarray,
    groups: np.ndarray,
    *,
    shuffles: int = 2000,
    seed: int = 0,
) -> tuple[float, np.ndarray]:
    """Compare the largest gap between groups with the gaps when groups are dealt out by lot.

    Parameters
    ----------
    hit : ndarray of bool, shape (n,)
        Whether each image, of melanomas for example, was recognised.
    lesions, groups : ndarray of str, shape (n,)
        Groups with fewer than `FEWEST` lesions, and `UNKNOWN`, are left out. A lesion belongs to
        one group, that of its first image; where images of a lesion are in several groups (by
        brightness of the skin, say), the gap is not the one between shares of images.
    shuffles, seed : int

    Returns
    -------
    gap : float
        Highest minus lowest share of hits among the groups.
    by_lot : ndarray of float, shape (shuffles,)
        The same after each lesion, with all its images, was dealt to a group by lot. However
        many groups there are: a gap that is often reached by lot says nothing.
    """
    groups, lesions = np.asarray(groups, dtype=str), np.asarray(lesions)
    sizes = {g: len(set(lesions[groups == g])) for g in set(groups.tolist()) - {UNKNOWN}}
    kept = [g for g, size in sizes.items() if size >= FEWEST]
    if len(kept) < 2:
        raise ValueError(f"fewer than two groups have {FEWEST} lesions; there is no gap to look at")
    chosen = np.isin(groups, kept)
    _, first, member = np.unique(lesions[chosen], return_index=True, return_inverse=True)
    _, code = np.unique(groups[chosen][first], return_inverse=True)
    hits = np.bincount(member, hit[chosen].astype(float))
    images = np.bincount(member)

    def gap(codes):
        shares = np.bincount(codes, hits) / np.bincount(codes, images)
        return float(np.ptp(shares))

    rng = np.random.default_rng(seed)
    return gap(code), np.array([gap(rng.permutation(code)) for _ in range(shuffles)])


def repeatability(values: np.ndarray, lesions: np.ndarray) -> tuple[float, float]:
    """Say how far two photographs of the same lesion lie apart, and two of different lesions.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        A number measured in each image, the brightness of the skin for example.
    lesions : ndarray of str, shape (n,)

    Returns
    -------
    (float, float)
        Typical (root mean square) difference within a lesion, and between lesions.
    """
    table = pd.DataFrame({"lesion": lesions, "value": np.asarray(values, float)})
    by = table.groupby("lesion")["value"]
    several = by.transform("size") > 1
    within = by.var()[table.loc[several, "lesion"].unique()].mean()
    return math.sqrt(2 * within), math.sqrt(2 * by.first().var())


def as_record(found: Interval, *, digits: int = 4) -> dict[str, float | None]:
    """Return an interval as it is stored in JSON: None for what is undefined."""
    parts = {"value": found.value, "low": found.low, "high": found.high}
    return {k: None if math.isnan(v) else round(float(v), digits) for k, v in parts.items()}


def as_interval(record: Mapping[str, float | None]) -> Interval:
    """Read what `as_record` wrote."""
    return Interval(
        *(math.nan if record[k] is None else record[k] for k in ("value", "low", "high"))
    )
