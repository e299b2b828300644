"""Fit the phantom's parameters to the real images, and save them.

`utils.data.phantom` describes the model and draws from it.

How it keeps patients out. The parameters are averages. No mixture component rests on fewer than
`MIN_IMAGES` images or `MIN_LESIONS` lesions; means are drawn towards the mean of the class and
covariances towards a common one, so no component can shrink onto one image; the tables of
sex and site count at least `MIN_CELL` lesions in every cell or none, those of age are blurred.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.special import logsumexp

from utils.classes import DX
from utils.data.phantom import (
    AGE_BANDS,
    AGES,
    COMPONENTS,
    DX_TYPES,
    LEVELS,
    MARGIN,
    MOST_IMAGES,
    PARAMETERS,
    PIXELS,
    SEXES,
    SITES,
    SIZE,
    _turned,
)

MIN_IMAGES, MIN_LESIONS, MIN_CELL = 15, 10, 3
LESIONS_PER_COMPONENT, MOST_COMPONENTS = 25, 40
PRIOR_IMAGES, PRIOR_MEAN = 100, 2  # weight of the prior covariance and mean, counted in images


def fit(images: np.ndarray, labels: np.ndarray, metadata: pd.DataFrame) -> dict[str, np.ndarray]:
    """Fit the model to real images.

    A lesion has no right way up, so all eight symmetries of an image count as data. Each
    component of a mixture finds its own orientation of every image (the symmetry is one more
    hidden variable of the EM algorithm).

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 28, 28, 3)
    labels : ndarray of int64, shape (N,)
        The Kaggle coding.
    metadata : DataFrame, N rows
        As `utils.data.phantom.sample` returns it.

    Returns
    -------
    dict of ndarray
        The parameters, for `save`.

    Raises
    ------
    ValueError
        If the images have another shape, lesion ids are missing, or a class is too small.
    """
    if images.shape[1:] != (SIZE, SIZE, 3):
        raise ValueError(f"expected images of 28x28x3, got {images.shape[1:]}: use size=28")
    if metadata["lesion_id"].isna().any():
        raise ValueError("lesion ids are missing; use a source that has them")
    lesion = pd.factorize(metadata["lesion_id"])[0]
    for c, dx in enumerate(DX):
        found = int((labels == c).sum()), len(np.unique(lesion[labels == c]))
        if found[0] < MIN_IMAGES or found[1] < MIN_LESIONS:
            raise ValueError(
                f"class {dx!r} has {found[0]} images of {found[1]} lesions; to keep patients out "
                f"of the parameters it takes {MIN_IMAGES} images of {MIN_LESIONS} lesions or more"
            )
    dx_type = pd.Categorical(metadata["dx_type"], categories=DX_TYPES).codes
    logits = _to_logits(images)
    centre, basis = _principal_components(logits)
    turned = [(_turned(logits, g).reshape(len(logits), PIXELS) - centre) for g in range(8)]
    scores = np.stack([t @ basis.T for t in turned])  # (8, N, COMPONENTS)
    del turned

    within = np.mean(
        [np.cov(scores[:, labels == c].reshape(-1, COMPONENTS).T) for c in range(len(DX))], axis=0
    )
    parts: dict[str, list] = {
        name: [] for name in ("means", "factors", "weights", "class_of", "support")
    }
    component = np.empty(len(labels), dtype=np.int64)
    chosen, white = 0, np.empty((len(labels), COMPONENTS), dtype=np.float32)
    for c in range(len(DX)):
        rows = np.flatnonzero(labels == c)
        means, factors, share = _mixture(scores[:, rows], lesion[rows], within)
        by_type = np.stack([share[dx_type[rows] == t].sum(0) for t in range(4)], 1)
        overall = by_type.sum(1, keepdims=True) / by_type.sum()
        parts["weights"].append((by_type + 20 * overall) / (by_type.sum(0) + 20))
        parts["support"].append(_support(share, lesion[rows]))
        parts["means"].append(means)
        parts["factors"].append(factors)
        parts["class_of"].append(np.full(len(means), c))
        component[rows], white[rows] = _whiten(scores[:, rows], lesion[rows], means, factors)
        component[rows] += chosen
        chosen += len(means)
    lower = np.tril_indices(COMPONENTS)
    factors = np.concatenate(parts["factors"])[:, lower[0], lower[1]]
    texture, loudness, loudness_sd = _texture(logits, centre, basis, labels, component, chosen)
    fitted = {
        "centre": centre.astype(np.float16),
        "basis": basis.astype(np.float16),
        "class_of": np.concatenate(parts["class_of"]).astype(np.uint8),
        "support": np.concatenate(parts["support"]).astype(np.float32),
        "weights": np.concatenate(parts["weights"]).astype(np.float32),
        "means": np.concatenate(parts["means"]).astype(np.float16),
        "factors": factors.astype(np.float16),
        "likeness": _likeness(white, lesion).astype(np.float16),
        "texture": texture.astype(np.float16),
        "loudness": loudness.astype(np.float32),
        "loudness_sd": loudness_sd.astype(np.float32),
    }
    return fitted | _tables(metadata, labels, dx_type)


def _to_logits(images: np.ndarray) -> np.ndarray:
    """Logits of grey levels; MARGIN keeps the black corners of some images from ruling them."""
    levels = images.astype(np.float32) + MARGIN
    return np.log(levels / (255 + 2 * MARGIN - levels))


def _principal_components(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and leading principal components of all images in all eight orientations."""
    places = [_turned(np.arange(PIXELS).reshape(1, SIZE, SIZE, 3), g).ravel() for g in range(8)]
    flat = logits.reshape(len(logits), PIXELS)
    centre = np.mean([flat.mean(0)[p] for p in places], axis=0)
    deviation = flat - centre
    covariance = (deviation.T @ deviation).astype(np.float64) / len(flat)
    covariance = np.mean([covariance[np.ix_(p, p)] for p in places], axis=0)
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :COMPONENTS].T
    return centre.astype(np.float32), np.ascontiguousarray(vectors, dtype=np.float32)


def _mixture(scores, lesion, within, *, rounds: int = 20):
    """Fit one class by EM; return means, Cholesky factors, and the shares of every image."""
    count, everything = scores.shape[1], scores.reshape(-1, COMPONENTS)
    own = np.cov(everything.T)
    weight = count / (count + PRIOR_IMAGES)
    prior = weight * own + (1 - weight) * within
    middle = everything.mean(0)
    lesions = len(np.unique(lesion))
    number = int(np.clip(lesions // LESIONS_PER_COMPONENT, 1, MOST_COMPONENTS))
    if number > 1:
        prior = 0.5 * prior  # a part of the class spreads less than the whole
    rng = np.random.default_rng(0)
    starts = scores[0, rng.choice(count, number, replace=False)]
    spread = 2 * np.sqrt(np.diag(prior))[:16]
    log = np.stack(
        [-0.5 * (((scores[..., :16] - s[:16]) / spread) ** 2).sum(-1) for s in starts], -1
    )
    left = rounds
    while left:
        left -= 1
        share = np.exp(log - logsumexp(log, axis=(0, 2), keepdims=True)).astype(np.float32)
        support = _support(share.sum(0), lesion)
        enough = (support >= (MIN_IMAGES, MIN_LESIONS)).all(1)
        enough[support[:, 0].argmax()] |= not enough.any()
        if left < rounds // 2 and not enough.all():  # late, as small components may still grow
            share = share[..., enough]
            left = max(left, 4)  # time for the others to take over the images
        mass = share.sum((0, 1))
        means, factors, log = [], [], np.empty(share.shape, dtype=np.float32)
        for k in range(len(mass)):
            r = share[..., k].ravel()
            used = r > 1e-4
            points, r = everything[used], r[used]
            mean = (r @ points + PRIOR_MEAN * middle) / (r.sum() + PRIOR_MEAN)
            deviation = (points - mean) * np.sqrt(r)[:, None]
            covariance = deviation.T @ deviation + PRIOR_IMAGES * prior
            factor = np.linalg.cholesky((covariance / (r.sum() + PRIOR_IMAGES)).astype(np.float64))
            log[..., k] = _log_density(scores, mean, factor) + np.log((mass[k] + 1) / count)
            means.append(mean)
            factors.append(factor)
    share = np.exp(log - logsumexp(log, axis=(0, 2), keepdims=True)).sum(0)
    return np.stack(means), np.stack(factors), share


def _support(share: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """How many images and how many lesions each component rests on, (components, 2).

    A lesion counts as one at most, however many images it has.
    """
    index = np.unique(lesion, return_inverse=True)[1]
    per_lesion = np.stack([np.bincount(index, s) for s in share.T])
    return np.stack([share.sum(0), per_lesion.clip(max=1).sum(1)], axis=1)


def _log_density(scores, mean, factor) -> np.ndarray:
    white = (scores - mean) @ np.linalg.inv(factor).T.astype(np.float32)
    return -0.5 * (white**2).sum(-1) - np.log(np.diag(factor)).sum()


def _whiten(scores, lesion, means, factors) -> tuple[np.ndarray, np.ndarray]:
    """For each lesion choose the component and orientation that suit all its images best."""
    log = np.stack([_log_density(scores, m, f) for m, f in zip(means, factors, strict=True)], -1)
    names, index = np.unique(lesion, return_inverse=True)
    total = np.zeros((len(names), log.shape[0] * log.shape[2]))
    np.add.at(total, index, log.transpose(1, 0, 2).reshape(len(lesion), -1))
    turn, component = np.divmod(total.argmax(1)[index], len(means))
    white = np.empty(scores.shape[1:], dtype=np.float32)
    for k in np.unique(component):
        rows = np.flatnonzero(component == k)
        deviation = scores[turn[rows], rows] - means[k]
        white[rows] = deviation @ np.linalg.inv(factors[k]).T
    return component, white


def _likeness(white: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """Correlation of the whitened scores of two images of a lesion, (LEVELS, COMPONENTS).

    Some lesions were photographed twice in a row, others from another distance and in other
    light; hence several levels, each for the same number of pairs.
    """
    order = np.argsort(lesion, kind="stable")
    near = lesion[order][:-1] == lesion[order][1:]
    a, b = white[order[:-1][near]], white[order[1:][near]]
    weight = 1 / np.sqrt(1 + np.arange(COMPONENTS))  # leading components show most
    level = np.argsort(np.argsort(-((a - b) ** 2 @ weight))) * LEVELS // len(a)
    result = np.empty((LEVELS, COMPONENTS))
    for t in range(LEVELS):
        x, y = a[level == t], b[level == t]
        raw = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
        padded = np.pad(raw, 4, mode="edge")
        result[t] = np.convolve(padded, np.ones(9) / 9, mode="valid")
    return result.clip(0, 0.98)


def _texture(logits, centre, basis, labels, component, number):
    """Spectrum (per class) and strength (per component) of what the components leave out."""
    flat = logits.reshape(len(logits), PIXELS) - centre
    rest = (flat - (flat @ basis.T) @ basis).reshape(logits.shape)
    strength = np.sqrt((rest**2).mean((1, 2, 3)))
    waves = dctn(rest / strength[:, None, None, None], axes=(1, 2), norm="ortho")
    texture = np.empty((len(DX), SIZE, SIZE, 3, 3))
    loudness, sd = np.empty(number), np.empty(len(DX))
    for c in range(len(DX)):
        mine = labels == c
        covariance = np.einsum("nhwa,nhwb->hwab", waves[mine], waves[mine]) / mine.sum()
        covariance = (covariance + covariance.transpose(1, 0, 2, 3)) / 2 + 1e-5 * np.eye(3)
        texture[c] = np.linalg.cholesky(covariance)
        log = np.log(strength[mine])
        for k in np.unique(component[mine]):
            group = log[component[mine] == k]
            loudness[k] = (group.sum() + 10 * log.mean()) / (len(group) + 10)
        unused = np.setdiff1d(np.arange(number), component)
        loudness[unused] = log.mean()
        sd[c] = (log - loudness[component[mine]]).std()
    return texture, loudness, sd


def _tables(metadata: pd.DataFrame, labels: np.ndarray, dx_type: np.ndarray) -> dict:
    """Count lesions per class by two features at a time; never a row of a patient."""
    frame = pd.DataFrame({"label": labels, "type": dx_type})
    frame["sex"] = pd.Categorical(metadata["sex"].fillna("unknown"), categories=SEXES).codes
    age = metadata["age"].fillna(-5).to_numpy() // 5
    frame["age"] = np.where(age < 0, len(AGES) - 1, age.clip(0, len(AGES) - 2)).astype(int)
    site = metadata["localization"].fillna("unknown")
    frame["site"] = pd.Categorical(site, categories=SITES).codes
    frame["band"] = AGE_BANDS[frame["age"]]
    grouped = frame.groupby(metadata["lesion_id"].to_numpy())
    lesions = grouped.first()
    lesions["images"] = grouped.size().clip(upper=MOST_IMAGES) - 1
    lesions["kind"] = 2 * lesions["type"] + (lesions["images"] > 0)
    sizes = {"type": len(DX_TYPES), "kind": 2 * len(DX_TYPES), "images": MOST_IMAGES}
    sizes |= {"sex": len(SEXES), "age": len(AGES), "site": len(SITES), "band": 5}

    def count(first: str, second: str, least: int = MIN_CELL) -> np.ndarray:
        table = np.zeros((len(DX), sizes[first], sizes[second]), dtype=np.uint16)
        np.add.at(table, tuple(lesions[["label", first, second]].to_numpy().T), 1)
        if second == "age":  # blur over about ten years to either side, but not into "unknown"
            years = table[..., :-1].astype(np.float32)
            for _ in range(2):
                wide = np.pad(years, ((0, 0), (0, 0), (1, 1)), mode="symmetric")
                years = (wide[..., :-2] + 2 * wide[..., 1:-1] + wide[..., 2:]) / 4
            unknown = np.where(table[..., -1:] < least, 0, table[..., -1:])
            return np.concatenate([years, unknown], axis=-1).astype(np.float32)
        return np.where(table < least, 0, table).astype(np.uint16)

    pairs = ["sex_kind", "age_kind", "age_sex", "site_kind", "site_sex", "site_band"]
    tables = {pair: count(*reversed(pair.split("_"))) for pair in pairs}
    # How a data set is divided tells nothing about a person, and the counts must be exact.
    return tables | {"lesions": count("type", "images", 0)}


def save(parameters: dict[str, np.ndarray], path: Path = PARAMETERS) -> None:
    """Write the parameters as a compressed npz without pickles, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **parameters)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
