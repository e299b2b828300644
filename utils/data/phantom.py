"""The phantom: synthetic 28x28 lesions with metadata, drawn from a small model of HAM10000.

Principal components of the pixels' logits carry colour, size, shape and place of a lesion; there
each class is a mixture of normal distributions. Texture is noise with the spectrum of the class;
images of a lesion share random numbers. `tools.results.phantom` fits it, and keeps patients out.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.fft import idctn
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from utils.augment import symmetry
from utils.classes import DX
from utils.files import own_file

__all__: list[str] = []

PARAMETERS = Path(__file__).resolve().parents[2] / "data" / "phantom.npz"
CODE_VERSION = 2  # raise it whenever the same file and seed give other images than before

SIZE, PIXELS, COMPONENTS = 28, 28 * 28 * 3, 96
MARGIN = 16  # grey levels
LEVELS = 4  # degrees of likeness between images of a lesion, from unlike to nearly the same
MOST_IMAGES = 6  # of one lesion

DX_TYPES = ("histo", "follow_up", "consensus", "confocal")
SEXES = ("male", "female", "unknown")
AGES = (*range(0, 90, 5), None)
AGE_BANDS = np.array([0] * 6 + [1] * 4 + [2] * 4 + [3] * 4 + [4])  # <30, 30-45, 50-65, 70+, none
SITES = (
    "abdomen", "acral", "back", "chest", "ear", "face", "foot", "genital", "hand",
    "lower extremity", "neck", "scalp", "trunk", "unknown", "upper extremity",
)  # fmt: skip
DATASETS = ("rosendahl", "vidir_modern", "vidir_molemax", "vienna_dias")
ELSEWHERE = 2018  # the seed of the lesions that stand in for another hospital's
CAMERAS = {  # a cast of red, green and blue, and a blur in pixels
    "rosendahl": ((1.05, 1.0, 0.95), 0.4), "vidir_modern": ((0.95, 0.97, 1.0), 0.3),
    "vidir_molemax": ((1.0, 0.95, 0.92), 0.6), "vienna_dias": ((0.92, 0.9, 0.95), 0.5),
    "external": ((1.1, 0.92, 0.8), 0.8),
}  # fmt: skip
Drawn = tuple[np.ndarray, np.ndarray, pd.DataFrame]  # images, labels and metadata
TURNS = (0, 6, 3, 5, 4, 2, 7, 1)  # the drawn numbers as `symmetry` counts


def load(path: Path = PARAMETERS) -> dict[str, np.ndarray]:
    """Read the parameters; an error says what is wrong with the file and what to do."""
    with own_file(path), np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def fingerprint(*, seed: int = 0, path: Path = PARAMETERS) -> str:
    """Name the phantom by parameters, seed and code: a few pixels differ between computers."""
    digest = hashlib.sha256(f"phantom {CODE_VERSION} {seed}".encode())
    for name, array in sorted(load(path).items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def sample(seed: int = 0, *, path: Path = PARAMETERS) -> Drawn:
    """Draw a whole synthetic data set: as many images and lesions per class as HAM10000 has.

    The same seed gives the same images on the same computer; images of a lesion are neighbours.
    Returns images, uint8 (10015, 28, 28, 3), labels, int64 (10015,), metadata of `LesionImages`.
    """
    model = load(path)
    rng = np.random.default_rng(seed)
    lesions = np.repeat(np.argwhere(model["lesions"] >= 0), model["lesions"].ravel(), axis=0)
    lesions = rng.permutation(lesions)
    label, dx_type, images_each = lesions[:, 0], lesions[:, 1], lesions[:, 2] + 1
    kind = 2 * dx_type + (images_each > 1)
    sex, age, site = _draw_metadata(model, label, kind, rng)
    lesion = np.repeat(np.arange(len(lesions)), images_each)  # of every image
    columns = {
        "image_id": [f"PHANTOM_{i + 1:07d}" for i in range(len(lesion))],
        "lesion_id": [f"PHANTOM_L{i + 1:06d}" for i in lesion],
        "dx": np.array(DX, dtype=object)[label[lesion]],
        "dx_type": np.array(DX_TYPES, dtype=object)[dx_type[lesion]],
        "age": np.array([np.nan if a is None else a for a in AGES])[age[lesion]],
        "sex": np.array(SEXES, dtype=object)[sex[lesion]],
        "localization": np.array(SITES, dtype=object)[site[lesion]],
    }
    images = _draw_images(model, label, dx_type, lesion, rng)
    origin = np.empty(len(lesions), dtype=np.int64)
    for (c, t), here in _alike(label, dx_type):
        origin[here] = _even_draw(_shares(model["dataset_type"][c])[t], len(here), rng)
    columns["dataset"] = np.array(DATASETS, dtype=object)[origin[lesion]]
    return images, label[lesion].astype(np.int64), pd.DataFrame(columns)


def elsewhere(seed: int = ELSEWHERE) -> Drawn:
    """Draw about 750 images of other lesions as imagined cameras show them, a fifth `external`."""
    images, labels, table = sample(seed)
    here = table["lesion_id"] < table["lesion_id"][750]  # whole lesions, of all classes
    images, labels, table = images[here].astype(np.float32), labels[here], table[here].copy()
    for name in ("image_id", "lesion_id"):
        table[name] = table[name].str.replace("PHANTOM", "ELSEWHERE")
    table.loc[table["lesion_id"].str[-1].isin(["3", "7"]), "dataset"] = "external"
    for source, (cast, blur) in CAMERAS.items():
        rows = table["dataset"] == source
        images[rows] = gaussian_filter(images[rows], (0, blur, blur, 0)) * np.array(cast)
    return np.rint(images).clip(0, 255).astype(np.uint8), labels, table


def _draw_images(model, label, dx_type, lesion, rng) -> np.ndarray:
    component = np.empty(len(lesion), dtype=np.int64)
    for (c, t), here in _alike(label[lesion], dx_type[lesion]):
        weights = np.where(model["class_of"] == c, model["weights"][:, t], 0).astype(np.float64)
        component[here] = rng.choice(len(weights), size=len(here), p=weights / weights.sum())
    # Images of a lesion come from one component, except at the lower levels of likeness: there
    # each has its own, as if taken from another distance and in other light.
    first = np.searchsorted(lesion, np.arange(len(label)))
    level = rng.integers(0, LEVELS, len(label))
    component = np.where(level[lesion] >= LEVELS // 2, component[first[lesion]], component)
    turn = rng.integers(0, 8, len(label))
    shared = model["likeness"][level].astype(np.float32)[lesion]
    latent = rng.standard_normal((len(label), COMPONENTS), dtype=np.float32)[lesion]
    latent *= np.sqrt(shared)
    latent += np.sqrt(1 - shared) * rng.standard_normal(latent.shape, dtype=np.float32)
    loudness = rng.standard_normal(len(lesion)).astype(np.float32)

    for k in np.unique(component):
        factor = np.zeros((COMPONENTS, COMPONENTS), dtype=np.float32)
        factor[np.tril_indices(COMPONENTS)] = model["factors"][k]
        rows = np.flatnonzero(component == k)
        latent[rows] = latent[rows] @ factor.T + model["means"][k].astype(np.float32)

    basis, centre = model["basis"].astype(np.float32), model["centre"].astype(np.float32)
    texture = model["texture"].astype(np.float32)
    images = np.empty((len(lesion), SIZE, SIZE, 3), dtype=np.uint8)
    for start in range(0, len(lesion), 1000):  # in pieces, to keep the memory small
        rows = slice(start, min(start + 1000, len(lesion)))
        c, k = label[lesion[rows]], component[rows]
        noise = rng.standard_normal((len(c), SIZE, SIZE, 3), dtype=np.float32)
        for j in np.unique(c):
            mine = c == j
            noise[mine] = np.einsum("nhwa,hwba->nhwb", noise[mine], texture[j])
        scale = np.exp(model["loudness"][k] + model["loudness_sd"][c] * loudness[rows])
        noise = idctn(noise, axes=(1, 2), norm="ortho") * scale[:, None, None, None]
        logits = (latent[rows] @ basis + centre).reshape(noise.shape) + noise
        levels = (255 + 2 * MARGIN) * expit(logits) - MARGIN
        pixels = np.rint(levels).clip(0, 255).astype(np.uint8)
        for t in range(8):
            mine = turn[lesion[rows]] == t
            images[rows][mine] = symmetry(pixels[mine], TURNS[t])
    return images


def _draw_metadata(model, label, kind, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw sex, then age, then site of every lesion from tables of two features per class."""
    sex, age, site = (np.empty(len(label), dtype=np.int64) for _ in range(3))
    for (c, k), here in _alike(label, kind):
        sex[here] = _even_draw(_shares(model["sex_kind"][c])[k], len(here), rng)
    for (c, k, s), here in _alike(label, kind, sex):
        by_kind, by_sex = model["age_kind"][c], model["age_sex"][c]
        shares = _shares(by_kind)[k] * _shares(by_sex)[s] / _whole(by_kind)
        age[here] = _even_draw(shares, len(here), rng)
    for (c, k, s, b), here in _alike(label, kind, sex, AGE_BANDS[age]):
        by_kind, by_sex, by_age = (model[f"site_{name}"][c] for name in ("kind", "sex", "band"))
        shares = _shares(by_kind)[k] * _shares(by_sex)[s] * _shares(by_age)[b]
        site[here] = _even_draw(shares / _whole(by_kind) ** 2, len(here), rng)
    return sex, age, site


def _alike(*features: np.ndarray) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Yield each combination of the features that occurs, and the lesions that have it."""
    combinations, index = np.unique(np.stack(features, 1), axis=0, return_inverse=True)
    for i, combination in enumerate(combinations.tolist()):
        yield tuple(combination), np.flatnonzero(index.ravel() == i)


def _whole(table: np.ndarray) -> np.ndarray:
    """Shares over all rows; a little above zero, to divide by."""
    total = table.sum(0) + 1e-3
    return total / total.sum()


def _shares(table: np.ndarray) -> np.ndarray:
    """Shares within each row, drawn a little towards the shares over all rows."""
    smooth = table + _whole(table)
    return smooth / smooth.sum(1, keepdims=True)


def _even_draw(shares: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Draw categories so that each comes as often as its share says, give or take one."""
    steps = (np.arange(number) + rng.random()) / number
    drawn = np.searchsorted(np.cumsum(shares / shares.sum()), steps)
    return rng.permutation(drawn.clip(0, len(shares) - 1))
