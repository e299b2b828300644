"""Fit the refusal and measure what the try-it page says of the model; needs the real images.

Writes models/best-refusal.json and models/demo.json, each stamped with the weights' check sum.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from tools.book.course import ROOT
from utils.files import replace_file, write_json

MODELS = ROOT / "models"
PER_KIND = 60


def measure() -> dict:
    """Fit, measure, store; return what models/demo.json then holds."""
    from utils import calibration, data, metrics, refusal, splits
    from utils.classes import CLASSES
    from utils.training import class_shares
    from utils.weights import load_weights

    dataset = data.load_ham10000()
    if dataset.is_phantom:
        sys.exit("These numbers are about real images. Set HAM10000_DIR to the folder with them.")
    split = splits.lesion_split(dataset)
    model, certificate = load_weights("best", dataset, test=split.test)
    borders, choice = _fit(model, dataset, split, certificate)
    both = refusal.with_strangeness(model, borders)
    parts = {
        name: refusal.answer_averaged(both, dataset.images[getattr(split, name)])
        for name in ("validation", "test")
    }
    temperature = calibration.fit_temperature(
        dataset.labels[split.validation], parts["validation"][0]
    )
    probabilities, strangeness = parts["test"]
    probabilities = calibration.apply_temperature(probabilities, temperature)
    answered = strangeness <= borders.threshold
    labels = dataset.labels[split.test]
    lesions = splits.lesion_groups(dataset.metadata)[split.test]
    found = metrics.bootstrap(labels[answered], probabilities[answered], lesions[answered])
    called = probabilities.argmax(axis=1)
    says = {}
    for c in CLASSES:
        said = answered & (called == c.kaggle_label)
        ppv = found.per_class["PPV"][c.kaggle_label]
        says[c.dx] = {
            "said": int(said.sum()),
            "right": int((labels[said] == c.kaggle_label).sum()),
            "share": round(ppv.value, 4),
            "low": round(ppv.low, 4),
            "high": round(ppv.high, 4),
        }
    stored = {
        "weights_sha256": certificate.weights_sha256,
        "data": certificate.data,
        "split": certificate.split,
        "temperature": round(temperature, 6),
        "shares": class_shares(dataset.labels[split.train]).round(6).tolist(),
        "says": says,
        "says_on": (
            "test images that are not refused; the interval holds 95 % of 2,000 resamples of "
            "lesions"
        ),
        "tested": {
            name: {key: round(getattr(number, key), 4) for key in ("value", "low", "high")}
            for name, number in found.headline.items()
        }
        | {"images": int(answered.sum()), "lesions": len(set(lesions[answered]))},
        "refusal": _judged(both, borders, strangeness, lesions, labels, parts) | choice,
        "crop": _cropped(both, borders, dataset, split, temperature),
        "altered": _altered(both, borders, dataset, split),
    }
    write_json(MODELS / "demo.json", stored)
    return stored


def _fit(model, dataset, split, certificate):
    """Fit at the end of each stage, take the one that tells the strangers of one part best."""
    from utils import refusal
    from utils.strangers import strangers

    training, validation = (dataset.images[rows] for rows in (split.train, split.validation))
    others = strangers("choosing", per_kind=PER_KIND).images
    tried = {}
    for stage in range(3):
        borders = refusal.fit_refusal(model, training, validation, stage=stage)
        both = refusal.with_strangeness(model, borders, stage=stage)
        own, foreign = (refusal.answer_averaged(both, x)[1] for x in (validation, others))
        tried[f"stage {stage + 1}"] = _auc(own, foreign)
        if stage == refusal.STAGE:
            chosen = borders
    best = max(tried, key=tried.get)
    if best != f"stage {refusal.STAGE + 1}":
        sys.exit(f"{best} tells strangers best ({tried}); set STAGE in utils/refusal.py to it.")
    chosen.made_from.update(
        weights="best",
        weights_sha256=certificate.weights_sha256,
        data=certificate.data["fingerprint"],
        split=certificate.split["fingerprint"],
        fitted_on=f"{len(training)} training images",
        threshold_from=f"{len(validation)} validation images, {refusal.SHARE:.0%} above it",
    )
    replace_file(MODELS / "best-refusal.json", refusal.write_refusal(chosen) + "\n")
    return refusal.read_refusal("best"), {"chosen_by": {k: round(v, 4) for k, v in tried.items()}}


def _judged(both, borders, strangeness, lesions, labels, parts):
    from utils import refusal
    from utils.metrics import interval, resample_weights
    from utils.strangers import strangers

    others = strangers("measuring", per_kind=PER_KIND)
    foreign = refusal.answer_averaged(both, others.images)[1]
    refused = strangeness > borders.threshold
    draws = np.concatenate([refused @ w / w.sum(axis=0) for w in resample_weights(labels, lesions)])
    share = interval(refused.mean(), draws)
    return {
        "auc": round(_auc(strangeness, foreign), 4),
        "refused_real": int(refused.sum()),
        "n_real": len(refused),
        "refused_real_share": round(share.value, 4),
        "refused_real_low": round(share.low, 4),
        "refused_real_high": round(share.high, 4),
        "refused_validation": int((parts["validation"][1] > borders.threshold).sum()),
        "n_validation": len(parts["validation"][1]),
        "refused_strangers": int((foreign > borders.threshold).sum()),
        "n_strangers": len(foreign),
        "by_kind": {
            kind: round(float((foreign[others.kinds == kind] > borders.threshold).mean()), 4)
            for kind in dict.fromkeys(others.kinds.tolist())
        },
        "per_kind": PER_KIND,
    }


def _altered(both, borders, dataset, split):
    """Share of the test images that is refused when light and colour are others."""
    from utils import refusal

    images = dataset.images[split.test].astype(float)
    mean = images.mean(axis=(1, 2), keepdims=True)
    changes = {
        "as they are": images,
        "20 % darker": images * 0.8,
        "15 % lighter": images * 1.15,
        "warmer light": images * [1.1, 1.0, 0.9],
        "colder light": images * [0.9, 1.0, 1.1],
        "more contrast": (images - mean) * 1.3 + mean,
        # The colour of brown skin over light skin: a crude stand-in for images that do not exist
        # in this data set.
        "tinted brown": images * [0.62, 0.55, 0.50],
    }
    shares = {}
    for name, changed in changes.items():
        _, found = refusal.answer_averaged(both, np.clip(changed, 0, 255))
        shares[name] = round(float((found > borders.threshold).mean()), 4)
    return shares


def _cropped(both, borders, dataset, split, temperature):
    """Compare the middle square of the photographs with the whole, squeezed to a square."""
    import io
    import os
    import zipfile

    from PIL import Image
    from sklearn.metrics import balanced_accuracy_score

    from utils import calibration, refusal
    from utils.data.photographs import ZIPS
    from utils.metrics import decide
    from utils.training import class_shares

    folder = Path(os.environ["HAM10000_DIR"]).expanduser()
    archives = [zipfile.ZipFile(folder / name) for name in ZIPS]
    members = {Path(n).stem: (a, n) for a in archives for n in a.namelist() if n.endswith(".jpg")}
    squares = []
    for name in dataset.metadata["image_id"].to_numpy()[split.test]:
        archive, member = members[name]
        with Image.open(io.BytesIO(archive.read(member))) as photograph:
            width, height = photograph.size
            left = (width - height) // 2
            square = photograph.convert("RGB").crop((left, 0, left + height, height))
            squares.append(np.asarray(square.resize((28, 28), Image.Resampling.BOX)))
    labels, shares = dataset.labels[split.test], class_shares(dataset.labels[split.train])
    found, called = {}, []
    for name, images in (("whole", dataset.images[split.test]), ("square", np.stack(squares))):
        probabilities, strangeness = refusal.answer_averaged(both, images)
        probabilities = calibration.apply_temperature(probabilities, temperature)
        called.append(probabilities.argmax(axis=1))
        balanced = balanced_accuracy_score(labels, decide(probabilities, shares))
        found[name] = {
            "accuracy": round(float((called[-1] == labels).mean()), 4),
            "balanced_accuracy": round(float(balanced), 4),
            "refused": round(float((strangeness > borders.threshold).mean()), 4),
        }
    return found | {"same_answer": round(float((called[0] == called[1]).mean()), 4)}


def _auc(own: np.ndarray, foreign: np.ndarray) -> float:
    truth = np.repeat([0, 1], [len(own), len(foreign)])
    return float(roc_auc_score(truth, np.concatenate([own, foreign])))
