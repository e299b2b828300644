"""Fit the refusal and measure what the page "Try it" says of the model, once for new weights.

``python -m tools.demo.measure_demo`` needs the real images. It writes models/best-refusal.json and
the numbers in models/best-manifest.json. The words in that file are its own: edit them there.
"""

import dataclasses
import json
import sys
from functools import partial

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from tools.book.course import definitions, real_images
from utils import calibration, metrics, splits
from utils.classes import CLASSES
from utils.files import replace_file, write_json
from utils.refusal import answer_averaged, features, with_strangeness
from utils.training import class_shares
from utils.weights import MODELS, BirthCertificate, load_weights

PER_KIND, SHARE, STAGES = 60, 0.03, 3
SAYS_ON = "test images that are not refused; the interval holds 95 % of 2,000 resamples of lesions"
chapter = definitions("13")


def choosing() -> dict:
    """Return the kinds of strangers that the stage is chosen by; none of them is measured on."""
    digits, picture, colour = load_digits().images, chapter.as_picture, chapter.random_colour

    def gradient(rng):
        across = np.broadcast_to(np.linspace(0, 1, 112)[None, :, None], (112, 112, 1))
        return picture(colour(rng) * across + colour(rng) * (1 - across))

    def noise(rng):
        return picture(rng.normal(rng.uniform(60, 200), rng.uniform(20, 90), (28, 28, 3)))

    def digit(rng):
        ink = rng.choice(digits)[..., None] / 16
        paper, pen = np.full(3, 250.0), np.full(3, 20.0)
        if rng.uniform() < 0.5:
            paper, pen = colour(rng), colour(rng)
        small = picture(paper * (1 - ink) + pen * ink)
        return small.resize((112, 112), Image.Resampling.BILINEAR)

    return {
        "flower (photograph)": partial(chapter.cut_out, name="flower.jpg"),
        "wall": lambda rng: picture(chapter.lit(rng, colour(rng))),
        "colour gradient": gradient,
        "noise": noise,
        "digit": digit,
        "bare skin (drawing)": chapter.bare_skin,
    }


def filled(manifest: dict, certificate: BirthCertificate, says: dict, measured: dict) -> dict:
    """Return the manifest with what follows from the weights and from what was measured."""
    birth = dataclasses.asdict(certificate)
    del birth["history"], birth["own_sha256"]
    for part in ("train_lesions", "validation_lesions"):
        birth[part] = len(birth[part])
    classes = []
    for words, c in zip(manifest["classes"], CLASSES, strict=True):
        facts = {"dx": c.dx, "name": c.name, "malignant": c.malignant, "label": c.kaggle_label}
        classes.append(words | facts | {"colour": c.colour, "says": says[c.dx]})
    refusal = manifest["refusal"] | measured["refusal"]
    return manifest | measured | {"classes": classes, "refusal": refusal, "certificate": birth}


def fit(model, dataset, split) -> tuple[np.ndarray, np.ndarray, dict]:
    """Fit the cloud at the end of each stage; the one that the page takes has to be the best."""
    training, validation = dataset.images[split.train], dataset.images[split.validation]
    others, _ = chapter.strangers(choosing(), per_kind=PER_KIND, upright=("digit",), part=0)
    clouds, aucs = [], []
    for stage in range(STAGES):
        points = features(model, stage=stage).predict(training, batch_size=512, verbose=0)
        clouds.append(chapter.fit_cloud(points))
        both = with_strangeness(model, *clouds[-1], stage=stage)
        aucs.append(_auc(*(answer_averaged(both, images)[1] for images in (validation, others))))
    if max(aucs) != aucs[0]:
        sys.exit(f"A later stage tells strangers best ({aucs}); make it that of utils/refusal.py.")
    return *clouds[0], {"chosen_by": {f"stage {k}": round(v, 4) for k, v in enumerate(aucs, 1)}}


def judge(both, threshold, validation, test, lesions, labels) -> dict:
    """Say who is refused, of the real images (by their strangeness) and of strangers."""
    others, kinds = chapter.strangers(chapter.KINDS, per_kind=PER_KIND)
    strange = answer_averaged(both, others)[1]
    refused = test > threshold
    draws = metrics.resample_weights(labels, lesions)
    shares = np.concatenate([refused @ weights / weights.sum(axis=0) for weights in draws])
    share = metrics.interval(refused.mean(), shares)
    named = tuple(f"refused_real_{part}" for part in ("share", "low", "high"))
    found = {"auc": round(_auc(test, strange), 4)}
    for name, values in (("real", test), ("validation", validation), ("strangers", strange)):
        found[f"refused_{name}"] = int((values > threshold).sum())
        found[f"n_{name}"] = len(values)
        found |= _rounded(share, named) if name == "real" else {}
    by_kind = {kind: _share(strange[kinds == kind] > threshold) for kind in chapter.KINDS}
    return found | {"by_kind": by_kind, "per_kind": PER_KIND}


def alter(both, threshold, test: np.ndarray) -> dict[str, float]:
    """Return the share of the test images that is refused when light and colour are others."""
    images = test.astype(float)
    mean = images.mean(axis=(1, 2), keepdims=True)
    changes = {
        "as they are": images,
        "20 % darker": images * 0.8,
        "15 % lighter": images * 1.15,
        "warmer light": images * [1.1, 1.0, 0.9],
        "colder light": images * [0.9, 1.0, 1.1],
        "more contrast": (images - mean) * 1.3 + mean,
        # Brown skin's colour over light skin: a crude stand-in for images that are not there.
        "tinted brown": images * [0.62, 0.55, 0.50],
    }
    clipped = {name: np.clip(changed, 0, 255) for name, changed in changes.items()}
    return {name: _share(answer_averaged(both, x)[1] > threshold) for name, x in clipped.items()}


def _share(true: np.ndarray) -> float:
    return round(float(true.mean()), 4)


def _rounded(number, names: tuple[str, ...] = ("value", "low", "high")) -> dict[str, float]:
    parts = (number.value, number.low, number.high)
    return {name: round(part, 4) for name, part in zip(names, parts, strict=True)}


def _auc(own: np.ndarray, foreign: np.ndarray) -> float:
    truth = np.repeat([0, 1], [len(own), len(foreign)])
    return float(roc_auc_score(truth, np.concatenate([own, foreign])))


if __name__ == "__main__":
    dataset = real_images()
    split = splits.lesion_split(dataset)
    model, certificate = load_weights("best", dataset, test=split.test)
    centre, whiten, chosen_by = fit(model, dataset, split)
    both = with_strangeness(model, centre, whiten)
    validation = answer_averaged(both, dataset.images[split.validation])
    test = answer_averaged(both, dataset.images[split.test])
    threshold = float(np.quantile(validation[1], 1 - SHARE))
    temperature = calibration.fit_temperature(dataset.labels[split.validation], validation[0])
    probabilities = calibration.apply_temperature(test[0], temperature)
    answered = test[1] <= threshold
    labels = dataset.labels[split.test]
    lesions = splits.lesion_groups(dataset.metadata)[split.test]
    scores = metrics.bootstrap(labels[answered], probabilities[answered], lesions[answered])
    called = probabilities.argmax(axis=1)
    says = {}
    for c in CLASSES:
        rows = answered & (called == c.kaggle_label)
        says[c.dx] = {"said": int(rows.sum()), "right": int((labels[rows] == c.kaggle_label).sum())}
        says[c.dx]["melanomas"] = int((labels[rows] == metrics.MEL).sum())
        says[c.dx] |= _rounded(scores.per_class["PPV"][c.kaggle_label], ("share", "low", "high"))
    refused = judge(both, threshold, validation[1], test[1], lesions, labels)
    measured = {
        "temperature": round(temperature, 6),
        "shares": class_shares(dataset.labels[split.train]).round(6).tolist(),
        "says_on": SAYS_ON,
        "tested": {name: _rounded(number) for name, number in scores.headline.items()}
        | {"images": int(answered.sum()), "lesions": len(set(lesions[answered]))},
        "altered": alter(both, threshold, dataset.images[split.test]),
        "refusal": refused | chosen_by | {"threshold": threshold},
    }
    # Nine digits give back the same float32 numbers.
    refusal = {"weights_sha256": certificate.weights_sha256, "threshold": threshold}
    refusal["centre"] = [float(f"{v:.9g}") for v in centre]
    refusal["whiten"] = [[float(f"{v:.9g}") for v in row] for row in whiten]
    manifest = json.loads((MODELS / "best-manifest.json").read_bytes())  # as far as it is whole
    replace_file(MODELS / "best-refusal.json", json.dumps(refusal, separators=(",", ":")) + "\n")
    write_json(MODELS / "best-manifest.json", filled(manifest, certificate, says, measured))
