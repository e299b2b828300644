"""Splits that keep all images of a lesion together, and the fingerprint that names a split."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from utils.data import LesionImages

__all__ = ["DUPLICATE_PAIRS", "image_split", "lesion_folds", "lesion_groups", "lesion_split"]

# Images with different lesion_id that show the same lesion (numbers of ISIC image ids).
# Source: Abhishek, Jain, Hamarneh, Scientific Data 12:196 (2025), arXiv 2401.14497.
_PAIRS = (
    "0033481-0033421 0033556-0032634 0029152-0033173 0029036-0027027 0027820-0028209 "
    "0027689-0032647 0030906-0024879 0033391-0034186 0025226-0030074 0026087-0025664 "
    "0024736-0029748 0024770-0027811 0027162-0029061 0024602-0032283 0029625-0024629 "
    "0030000-0031392 0024437-0031299 0033374-0033417"
)
DUPLICATE_PAIRS = tuple((f"ISIC_{pair[:7]}", f"ISIC_{pair[8:]}") for pair in _PAIRS.split())

_VALIDATION, _TEST = 1, 2  # parts; 0 is for training


@dataclass(frozen=True)
class Split:
    """Which images are for training, for choosing (validation) and for judging (test).

    The parts are row numbers into the data set, ndarray of int64, ascending. `fingerprint` is 16
    hexadecimal digits that depend on which image is in which part and on nothing else.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    seed: int
    fingerprint: str


def lesion_groups(metadata: pd.DataFrame) -> np.ndarray:
    """Name the lesion of every image, with the 18 known duplicate pairs merged.

    Parameters
    ----------
    metadata : DataFrame, N rows
        With columns ``image_id`` and ``lesion_id``; a `ValueError` if lesion ids are missing.
        Returned is an ndarray of str, shape (N,).
    """
    missing = metadata["lesion_id"].isna()
    if missing.any():
        raise ValueError(
            f"lesion_id is missing in {int(missing.sum()):,} of {len(metadata):,} rows, so images "
            "of one lesion cannot be kept together. Load a source with lesion ids (the official "
            "zips, the Kaggle CSV with its metadata); of your own pictures name the groups."
        )
    # A copy: the array may be a view of the table, and the merging below would change it.
    groups = metadata["lesion_id"].astype(str).to_numpy(dtype=object, copy=True)
    row = {image: i for i, image in enumerate(metadata["image_id"])}
    for first, second in DUPLICATE_PAIRS:
        if first in row and second in row:
            keep, merge = sorted((groups[row[first]], groups[row[second]]))
            groups[groups == merge] = keep
    return groups.astype(str)


def lesion_split(
    dataset: LesionImages, *, validation: float = 0.1, test: float = 0.2, seed: int = 0
) -> Split:
    """Divide the images so that every lesion is in exactly one part.

    Lesions are drawn within each class (that of their first image), and each part takes lesions
    until it has its share of the class's images: up to one lesion, the class shares are the same.
    The draw does not depend on the order of the rows: every source of the images gives the same.

    Parameters
    ----------
    dataset : LesionImages, with lesion ids; a class with fewer than three lesions is a `ValueError`
    validation, test : float
        Shares of the images, each above 0, together below 1. The rest is for training.
    seed : int
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(
            "validation and test must be above 0 and together below 1; "
            f"got validation={validation}, test={test}"
        )
    groups = lesion_groups(dataset.metadata)
    lesions = pd.DataFrame({"group": groups, "dx": dataset.metadata["dx"].to_numpy()})
    lesions = lesions.groupby("group").agg(dx=("dx", "first"), images=("dx", "size"))
    rng = np.random.default_rng(seed)
    part_of: dict[str, int] = {}
    for dx in sorted(lesions["dx"].unique()):
        of_class = lesions[lesions["dx"] == dx]  # in alphabetical order of the lesion ids
        if len(of_class) < 3:
            raise ValueError(f"class {dx!r} has {len(of_class)} lesions; three parts need three")
        drawn = of_class.iloc[rng.permutation(len(of_class))]
        before = (drawn["images"].cumsum() - drawn["images"]) / drawn["images"].sum()
        parts = np.where(before < test, _TEST, np.where(before < test + validation, _VALIDATION, 0))
        parts[-1] = 0  # no part may stay empty, however small the class
        if _VALIDATION not in parts:
            parts[-2] = _VALIDATION
        part_of.update(zip(drawn.index, parts.tolist(), strict=True))
    return split_of_parts(dataset, np.array([part_of[group] for group in groups]), seed, groups)


def image_split(dataset: LesionImages, *, test: float = 0.2, seed: int = 0) -> Split:
    """Divide the images at random, whatever lesion they show: how it should not be done.

    The older notebook did it so; chapter 8 shows what that does to a result. `test` is a share of
    the images; `validation` stays empty.
    """
    if not 0 < test < 1:
        raise ValueError(f"test must be between 0 and 1; got {test}")
    order = np.random.default_rng(seed).permutation(_order(dataset))
    part = np.zeros(len(order), dtype=int)
    part[order[: round(test * len(order))]] = _TEST
    return split_of_parts(dataset, part, seed)


def lesion_folds(dataset: LesionImages, *, folds: int = 5, seed: int = 0) -> list[Split]:
    """Divide the images into folds for cross-validation; no lesion is in two of them.

    Parameters
    ----------
    dataset : LesionImages
    folds : int, 2 or more; at most the number of lesions of the rarest class
    seed : int

    Returns
    -------
    list of Split, with no `validation`; every image is a test image exactly once
    """
    groups = lesion_groups(dataset.metadata)
    lesions = pd.DataFrame({"group": groups, "dx": dataset.metadata["dx"].to_numpy()})
    fewest = lesions.groupby("dx")["group"].nunique()
    if folds < 2 or folds > fewest.min():
        rarest = f"the number of lesions of class {fewest.idxmin()!r}"
        raise ValueError(f"folds must be 2 to {fewest.min()}, {rarest}; got {folds}")
    order = _order(dataset)
    divider = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    splits = []
    for _, chosen in divider.split(order, dataset.labels[order], groups[order]):
        part = np.zeros(len(groups), dtype=int)
        part[order[chosen]] = _TEST
        splits.append(split_of_parts(dataset, part, seed, groups))
    return splits


def _order(dataset: LesionImages) -> np.ndarray:
    """Return the rows by image id: every source of the same images then gives the same draw."""
    return np.argsort(dataset.metadata["image_id"].to_numpy(dtype=str), kind="stable")


def split_of_parts(dataset: LesionImages, part: np.ndarray, seed: int = 0, groups=None) -> Split:
    """Make a split of the part (0, 1, 2) of each image; see that no group is in two parts."""
    rows = [np.flatnonzero(part == p).astype(np.int64) for p in (0, _VALIDATION, _TEST)]
    if groups is not None:
        of_one_part = pd.Series(part).groupby(groups).nunique() == 1
        assert of_one_part.all(), f"lesions in two parts: {list(of_one_part.index[~of_one_part])}"
    ids = dataset.metadata["image_id"]
    lines = sorted(f"{image}:{p}" for image, p in zip(ids, part, strict=True))
    fingerprint = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return Split(*rows, seed, fingerprint)
