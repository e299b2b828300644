"""Fit the phantom to the real images, write what draws it, and measure how good it is.

    python -m tools.results.phantom [--check]   (with it: only check the parameters that are there)

Needs the real images and writes what it measures to data/phantom.json: does a network that has seen
the phantom alone recognise real lesions, and can somebody who has the phantom tell which real
lesions it was fitted on? It is fitted on the training lesions and judged on the test lesions.

How it keeps patients out. The parameters are averages. No mixture component rests on fewer than
`MIN_IMAGES` images or `MIN_LESIONS` lesions; means are drawn towards the mean of the class and
covariances towards a common one, so no component can shrink onto one image; the tables of
sex and site count at least `MIN_CELL` lesions in every cell or none, those of age are blurred.
"""

import gzip
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from tools.book.course import real_images
from tools.results.card_measure import as_record
from utils.augment import symmetry
from utils.classes import DX
from utils.data import PHANTOM, LesionImages, phantom
from utils.data.phantom import COMPONENTS, DX_TYPES, LEVELS, MARGIN, PIXELS, SIZE, TURNS
from utils.files import hash_file, read_json, replace_file, write_json
from utils.metrics import Interval, headline, interval, resample_weights, weighted_auc
from utils.models import original_cnn
from utils.splits import Split, lesion_groups, lesion_split
from utils.training import oversampled_indices

DATA = phantom.PARAMETERS.parent
LEAST_AUC, MOST_MEMBERSHIP = 0.80, 0.55  # chance: 0.50 both
SEEDS, EPOCHS = 3, 3  # of the trainings
NOISE = 13  # grey levels on the copies that have to be found
MIN_IMAGES, MIN_LESIONS, MIN_CELL = 15, 10, 3
LESIONS_PER_COMPONENT, MOST_COMPONENTS = 25, 40
PRIOR_IMAGES, PRIOR_MEAN = 100, 2  # weight of the prior covariance and mean, counted in images


# --- The fit --------------------------------------------------------------------------------------


def fit(images: np.ndarray, labels: np.ndarray, metadata: pd.DataFrame) -> dict[str, np.ndarray]:
    """Fit the model to images (N, 28, 28, 3), labels (N,) and metadata (N rows); for `store`.

    A lesion has no right way up, so all eight symmetries of an image count as data: which one a
    component of a mixture sees is one more hidden variable of the EM algorithm.
    """
    if images.shape[1:] != (SIZE, SIZE, 3):
        raise ValueError(f"expected images of 28x28x3, got {images.shape[1:]}: use size=28")
    if metadata["lesion_id"].isna().any():
        raise ValueError("lesion ids are missing; use a source that has them")
    lesion = pd.factorize(metadata["lesion_id"])[0]
    for c, dx in enumerate(DX):
        own = lesion[labels == c]
        if len(own) < MIN_IMAGES or len(np.unique(own)) < MIN_LESIONS:
            raise ValueError(f"class {dx!r} has too few lesions to keep patients out")
    dx_type = pd.Categorical(metadata["dx_type"], categories=DX_TYPES).codes
    levels = images.astype(np.float32) + MARGIN  # or black corners would rule the logits
    logits = np.log(levels / (255 + 2 * MARGIN - levels))
    turned = np.stack([symmetry(logits, s).reshape(-1, PIXELS) for s in TURNS])
    pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(turned.reshape(-1, PIXELS))
    centre, basis = pca.mean_, pca.components_
    scores = (turned - centre) @ basis.T  # (8, N, COMPONENTS)
    spreads = [np.cov(scores[:, labels == c].reshape(-1, COMPONENTS).T) for c in range(len(DX))]
    within = np.mean(spreads, axis=0)
    classes, number = [], 0
    component = np.empty(len(labels), dtype=np.int64)
    white = np.empty((len(labels), COMPONENTS), dtype=np.float32)
    for c in range(len(DX)):
        rows = np.flatnonzero(labels == c)
        means, factors, share = _mixture(scores[:, rows], lesion[rows], within)
        by_type = np.stack([share[dx_type[rows] == t].sum(0) for t in range(4)], 1)
        overall = by_type.sum(1, keepdims=True) / by_type.sum()
        weights = (by_type + 20 * overall) / (by_type.sum(0) + 20)
        support = _support(share, lesion[rows])
        classes.append((means, factors, weights, support, np.full(len(means), c)))
        component[rows], white[rows] = _whiten(scores[:, rows], lesion[rows], means, factors)
        component[rows] += number
        number += len(means)
    means, factors, weights, support, class_of = map(np.concatenate, zip(*classes, strict=True))
    factors = factors[:, *np.tril_indices(COMPONENTS)]
    texture, loudness, loudness_sd = _texture(logits, centre, basis, labels, component, number)
    rough = dict(centre=centre, basis=basis, texture=texture, factors=factors, means=means)
    rough["likeness"] = _likeness(white, lesion)
    fine = dict(loudness=loudness, loudness_sd=loudness_sd, support=support, weights=weights)
    fitted = {name: array.astype(np.float16) for name, array in rough.items()}
    fitted |= {name: array.astype(np.float32) for name, array in fine.items()}
    fitted["class_of"] = class_of.astype(np.uint8)
    return fitted | _tables(metadata, labels)


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
    far = [(((scores[..., :16] - s[:16]) / spread) ** 2).sum(-1) for s in starts]
    log = -0.5 * np.stack(far, -1)
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
    """How many images and how many lesions (one at most each) components rest on, (n, 2)."""
    per_lesion = np.stack([np.bincount(lesion, s) for s in share.T])
    return np.stack([share.sum(0), per_lesion.clip(max=1).sum(1)], axis=1)


def _log_density(scores, mean, factor) -> np.ndarray:
    white = (scores - mean) @ np.linalg.inv(factor).T.astype(np.float32)
    return -0.5 * (white**2).sum(-1) - np.log(np.diag(factor)).sum()


def _whiten(scores, lesion, means, factors) -> tuple[np.ndarray, np.ndarray]:
    """For each lesion choose the component and orientation that suit all its images best."""
    log = np.stack([_log_density(scores, m, f) for m, f in zip(means, factors, strict=True)], -1)
    each = pd.DataFrame(log.transpose(1, 0, 2).reshape(len(lesion), -1))
    total = each.groupby(lesion).transform("sum").to_numpy()
    turn, component = np.divmod(total.argmax(1), len(means))
    white = np.empty(scores.shape[1:], dtype=np.float32)
    for k in np.unique(component):
        rows = np.flatnonzero(component == k)
        deviation = scores[turn[rows], rows] - means[k]
        white[rows] = deviation @ np.linalg.inv(factors[k]).T
    return component, white


def _likeness(white: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """Correlation of the whitened scores of two images of a lesion, (LEVELS, COMPONENTS)."""
    order = np.argsort(lesion, kind="stable")
    near = lesion[order][:-1] == lesion[order][1:]
    a, b = white[order[:-1][near]], white[order[1:][near]]
    weight = 1 / np.sqrt(1 + np.arange(COMPONENTS))  # leading components show most
    level = np.argsort(np.argsort(-((a - b) ** 2 @ weight))) * LEVELS // len(a)
    result = np.empty((LEVELS, COMPONENTS))
    for t in range(LEVELS):
        x, y = a[level == t], b[level == t]
        raw = (x * y).sum(0) / np.sqrt((x**2).sum(0) * (y**2).sum(0))
        result[t] = uniform_filter1d(raw, 9, mode="nearest")
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


def _tables(metadata: pd.DataFrame, labels: np.ndarray) -> dict:
    """Count lesions per class by two features at a time; never a row of a patient."""
    most, none = phantom.MOST_IMAGES, len(phantom.AGES) - 1
    age = metadata["age"].floordiv(5).clip(0, none - 1).fillna(none).astype(int)
    known = metadata.rename(columns={"dx_type": "type", "localization": "site"})
    known = known.fillna({"sex": "unknown", "site": "unknown"})
    listed = {"type": DX_TYPES, "sex": phantom.SEXES, "site": phantom.SITES}
    listed["dataset"] = phantom.DATASETS
    features = {name: pd.Categorical(known[name], values).codes for name, values in listed.items()}
    features |= {"label": labels, "age": age, "band": phantom.AGE_BANDS[age]}
    if min(features["dataset"]) < 0:
        raise ValueError("the column dataset is missing; use the official HAM10000_metadata")
    grouped = pd.DataFrame(features).groupby(metadata["lesion_id"].to_numpy())
    lesions = grouped.first().assign(images=grouped.size().clip(upper=most) - 1)
    lesions["kind"] = 2 * lesions["type"] + (lesions["images"] > 0)
    sizes = {name: len(values) for name, values in listed.items()}
    sizes |= {"kind": 2 * len(DX_TYPES), "images": most, "age": none + 1, "band": 5}

    def count(first: str, second: str, least: int = MIN_CELL) -> np.ndarray:
        table = np.zeros((len(DX), sizes[first], sizes[second]), dtype=np.uint16)
        np.add.at(table, tuple(lesions[["label", first, second]].to_numpy().T), 1)
        if second == "age":  # blur over about ten years to either side, but not into "unknown"
            years = gaussian_filter1d(table[..., :-1].astype(np.float32), 1)  # in steps of five
            unknown = np.where(table[..., -1:] < least, 0, table[..., -1:])
            return np.concatenate([years, unknown], axis=-1).astype(np.float32)
        return np.where(table < least, 0, table).astype(np.uint16)

    pairs = "sex_kind age_kind age_sex site_kind site_sex site_band dataset_type"
    tables = {pair: count(*reversed(pair.split("_"))) for pair in pairs.split()}
    return tables | {"lesions": count("type", "images", 0)}


def store(parameters: dict[str, np.ndarray], folder: Path = DATA) -> None:
    """Store parameters and metadata; put sizes and check sums into the Croissant description."""
    path = folder / phantom.PARAMETERS.name
    replace_file(path, lambda file: np.savez_compressed(file, **parameters))
    rows = phantom.sample(path=path)[2].to_csv(index=False, lineterminator="\n")
    replace_file(folder / "phantom_metadata.csv.gz", gzip.compress(rows.encode(), 9, mtime=0))
    path = folder / "croissant-phantom.json"
    description = read_json(path)
    for file in description["distribution"]:
        file["contentSize"] = f"{(folder / file['name']).stat().st_size} B"
        file["sha256"] = hash_file(folder / file["name"])
    write_json(path, description)


# --- The check ------------------------------------------------------------------------------------


def synthetic(seed: int = 0) -> LesionImages:
    """Return the phantom as the rest of the course has it."""
    return LesionImages(*phantom.sample(seed), PHANTOM, phantom.fingerprint(seed=seed))


def membership(real: LesionImages, split: Split, released: np.ndarray) -> Interval:
    """Tell fitted lesions from held-out ones by what was released: AUC, 0.5 if it cannot be done.

    The attack: a real image was fitted on if some released image lies near it (Chen and others,
    ACM CCS 2020), at 14 x 14 pixels, so that noise hides no copy, and in all eight orientations.
    """
    rng = np.random.default_rng(0)
    members = rng.choice(split.train, len(split.test), replace=False)
    rows = np.concatenate([members, split.test])
    is_member = np.repeat([1, 0], len(split.test))
    everywhere = np.concatenate([_small(symmetry(released, s)) for s in TURNS])
    finder = NearestNeighbors(n_neighbors=1).fit(everywhere)
    distance = finder.kneighbors(_small(real.images[rows]))[0][:, 0]
    lesions = lesion_groups(real.metadata)[rows]
    drawn = [np.ones((len(rows), 1)), *resample_weights(is_member, lesions, resamples=500)]
    auc = weighted_auc(is_member, -distance, np.concatenate(drawn, axis=1))
    return interval(auc[0], auc[1:])


def _small(images: np.ndarray) -> np.ndarray:
    blocks = images.reshape(len(images), SIZE // 2, 2, SIZE // 2, 2, 3)
    return blocks.mean(axis=(2, 4), dtype=np.float32).reshape(len(images), -1)


def noisy_copies(images: np.ndarray) -> np.ndarray:
    """Return what a phantom must not be: the fitted images with a little noise."""
    noise = np.random.default_rng(0).normal(0, NOISE, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def trained_on_phantom(real, split: Split, data: LesionImages, seed: int) -> float:
    """Train the original network on the phantom alone; return its macro AUC on real test images."""

    def judge(images: np.ndarray, labels: np.ndarray) -> float:
        return headline(labels, model.predict(images, batch_size=1000, verbose=0))["macro AUC"]

    keras.utils.set_random_seed(seed)
    other, given = synthetic(seed=seed + 1), (real.images[split.test], real.labels[split.test])
    rows = oversampled_indices(data.labels, np.arange(len(data.labels)), seed=seed)
    model = original_cnn()
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    results = []
    for _ in range(EPOCHS):
        model.fit(data.images[rows], data.labels[rows], batch_size=128, epochs=1, verbose=0)
        results.append((judge(other.images, other.labels), judge(*given)))
    print(f"  seed {seed}: macro AUC on another phantom, on real test images", results, flush=True)
    return round(max(results)[1], 4)  # the best epoch on the other phantom: no real image chooses


def check(real: LesionImages) -> bool:
    """Measure, print and write to data/phantom.json; return whether both criteria hold."""
    data = synthetic()
    split = lesion_split(real)
    found = membership(real, split, data.images)
    copies = membership(real, split, noisy_copies(real.images[split.train]))
    aucs = [trained_on_phantom(real, split, data, seed) for seed in range(SEEDS)]
    report = {"fingerprint": data.fingerprint, "bytes": phantom.PARAMETERS.stat().st_size}
    for name, auc in (("membership AUC", found), ("membership AUC of noisy copies", copies)):
        report[name] = as_record(auc, digits=4)
    report["macro AUC on real test images, each seed"] = aucs
    print(json.dumps(report, indent=1))
    write_json(DATA / "phantom.json", report)
    return min(aucs) >= LEAST_AUC and found.high <= MOST_MEMBERSHIP < copies.low


if __name__ == "__main__":
    real = real_images()
    if "--check" not in sys.argv:
        train = lesion_split(real).train
        given = real.images[train], real.labels[train], real.metadata.iloc[train]
        # How a data set is divided tells nothing about a person, and the counts must be exact.
        store(fit(*given) | {"lesions": _tables(real.metadata, real.labels)["lesions"]})
    if not check(real):
        sys.exit(
            f"This is wanted: macro AUC {LEAST_AUC} or more for every seed, and membership AUC "
            f"{MOST_MEMBERSHIP} or less with its interval, below that of noisy copies."
        )
