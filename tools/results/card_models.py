"""The tables of the model card, models/README.md, from what is stored in models/."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tools.book.course import ROOT
from tools.results.card_data import table
from utils import metrics, studies
from utils.classes import DX
from utils.weights import BirthCertificate, read_certificate

MODELS = ROOT / "models"
REAL, PHANTOM = ("best", "original"), ("best-phantom", "original-phantom")
# The estimate of energy, after Lannelongue, Grealey and Inouye 2021 (10.1002/advs.202100707): the
# defaults of their calculator for a core, for memory and for a data centre, and its world average.
CORE_WATTS, MEMORY_WATTS, OVERHEAD, GRAMS = 12.0, 25 * 0.3725, 1.67, 475
YES_NO = {"True": "yes", "False": "no"}
KEYS = ("balanced accuracy", "macro AUC", "melanoma sensitivity", "melanoma AUC", "accuracy")


class CardError(Exception):
    """A card cannot be written; the message says why and what to do."""


def sections(cards: dict, demo: dict) -> dict[str, str]:
    """Return the Markdown of each section of the page, by the name in its markers.

    Parameters
    ----------
    cards : dict
        What models/cards.json holds.
    demo : dict
        What models/demo.json holds.

    Raises
    ------
    CardError
        If stored numbers belong to other weights than the published ones.
    """
    certificates = {name: read_certificate(name) for name in (*REAL, *PHANTOM)}
    for name in REAL:
        _same(cards[name], certificates[name], f"models/cards.json, {name}", "tools.results.cards")
    _same(demo, certificates["best"], "models/demo.json", "tools.demo.measure_demo")
    found = {
        "judged on": judged_on(cards["best"]),
        "recipes": recipes(certificates, cards),
        "headline": headline(cards),
        "alarm": alarm(cards),
        "calibration": calibration(cards),
        "refusal": refusal(demo),
        "luck": luck(cards),
        "cost": cost(certificates),
        "phantom models": phantom(certificates),
    }
    for name in REAL:
        found[f"classes of {name}"] = classes(cards[name])
        found[f"confusion of {name}"] = confusion(cards[name])
    return found


def judged_on(card: dict) -> str:
    """Which images, how many resamples."""
    return (
        f"Judged on {card['images']:,} test images of {card['lesions']:,} lesions, "
        f"{card['data']['source']}, split `{card['split']['fingerprint']}`. In brackets: the "
        f"middle 95 % of {card['resamples']:,} resamples, each of which draws lesions, not images."
    )


def summary(cards: dict) -> str:
    """What a reader of the reporting checklist gets in place of an abstract."""
    card = cards["best"]
    found = card["headline"][card["decision"]]
    said = {key: f"**{_interval(number)}**" for key, number in found.items()}
    split, warm = card["split"], card["calibration"]["with temperature"]["calibration error"]
    return (
        "**Development and internal evaluation** of a network that tells seven groups of "
        "pigmented skin lesions apart on dermatoscopic images of 28 × 28 pixels, made to teach. "
        f"**Data:** HAM10000, divided by lesion into {split['train']:,} images to train, "
        f"{split['validation']:,} to choose and {split['test']:,} to judge. **Model:** "
        f"`small_resnet`, {card['parameters']:,} numbers. **Results** on {card['lesions']:,} "
        f"lesions, with 95 % intervals: balanced accuracy {said['balanced accuracy']}, macro AUC "
        f"{said['macro AUC']}, melanoma sensitivity {said['melanoma sensitivity']}, melanoma AUC "
        f"{said['melanoma AUC']}; calibration error {_interval(warm)} after temperature scaling. "
        "**Not shown:** any other clinic, camera or skin type, any comparison with doctors, any "
        "use. **Availability:** weights, code and recipe are in this repository; not registered."
    )


def recipes(certificates: dict[str, BirthCertificate], cards: dict) -> str:
    """Network and recipe of the two models."""
    best, original = (certificates[name] for name in REAL)
    rows = [
        ["network", *(f"`{c.recipe['network']}`" for c in (best, original))],
        ["numbers that are learned or kept", *(cards[name]["parameters"] for name in REAL)],
        ["weights, check sum begins", *(f"`{c.weights_sha256[:12]}`" for c in (best, original))],
    ]
    words = {"best": "the best by balanced accuracy on validation", "last": "the last"}
    for key in best.recipe:
        if key not in ("network", "keep"):
            values = (c.recipe[key] for c in (best, original))
            rows.append([f"`{key}`", *(YES_NO.get(str(v), str(v)) for v in values)])
    rows += [
        ["epoch kept", *(f"{c.best_epoch}, {words[c.recipe['keep']]}" for c in (best, original))],
        ["seed", best.seed, original.seed],
        ["Keras, backend", *(_versions(c) for c in (best, original))],
    ]
    return table(["", *REAL], rows)


def headline(cards: dict) -> str:
    """The numbers that stand together, for each model and way to decide."""
    rows = []
    for name in REAL:
        for way, found in cards[name]["headline"].items():
            rows.append([f"`{name}`", way, *(_interval(found[key]) for key in KEYS)])
    counts = [row["images"] for row in cards["best"]["classes"].values()]
    constant = counts[DX.index("nv")] / sum(counts)
    rows.append(["always nevus", "–", f"{1 / 7:.3f}", "0.500", "0.000", "0.500", f"{constant:.3f}"])
    return table(["model", "how a class is called", *KEYS], rows, words=2)


def classes(card: dict) -> str:
    """Sensitivity and the like of each class against the rest."""
    keys = ("sensitivity", "specificity", "PPV", "AUC")
    rows = [
        [dx, row["images"], row["lesions"], *(_interval(row[key]) for key in keys)]
        for dx, row in card["classes"].items()
    ]
    return table(["dx", "images", "lesions", *keys], rows)


def confusion(card: dict) -> str:
    """The confusion matrix in images."""
    rows = [[f"**{dx}**", *row] for dx, row in zip(DX, card["confusion"], strict=True)]
    return table(["true \\ called", *DX], rows)


def alarm(cards: dict) -> str:
    """The melanoma alarm, its threshold from validation images."""
    rows = []
    for name in REAL:
        found = cards[name]["alarm"]
        rows.append(
            [f"`{name}`", f"{found['threshold']:.3g}"]
            + [_interval(found[key]) for key in ("sensitivity", "specificity", "ppv")]
            + [found["missed"], found["false_alarm"]]
        )
    head = ["model", "threshold", "sensitivity", "specificity", "PPV", "missed", "false alarms"]
    return table(head, rows)


def calibration(cards: dict) -> str:
    """Whether probabilities can be believed, before and after a temperature."""
    rows = []
    for name in REAL:
        found = cards[name]["calibration"]
        for way in ("as trained", "with temperature"):
            words = f"temperature {found['temperature']:.2f}" if way != "as trained" else way
            values = (_interval(found[way][key]) for key in ("calibration error", "Brier score"))
            rows.append([f"`{name}`", words, *values])
    return table(["model", "probabilities", "calibration error", "Brier score"], rows, words=2)


def refusal(demo: dict) -> str:
    """What the try-it page's refusal does, and how often it is right where it answers."""
    found = demo["refusal"]
    share = f"{100 * found['refused_real_share']:.1f} %"
    rows = [
        ["test images, which it should answer", found["n_real"], found["refused_real"], share],
        ["pictures that show no such lesion", found["n_strangers"], found["refused_strangers"]]
        + [f"{100 * found['refused_strangers'] / found['n_strangers']:.1f} %"],
    ]
    parts = [table(["what it is shown", "pictures", "refused", "share"], rows)]
    rows = [
        [kind, found["per_kind"], f"{100 * refused:.0f} %"]
        for kind, refused in found["by_kind"].items()
    ]
    parts.append(table(["kind of picture", "pictures", "refused"], rows))
    rows = [[name, f"{100 * refused:.1f} %"] for name, refused in demo["altered"].items()]
    parts.append(table(["test images, light and colour changed", "refused"], rows))
    return "\n\n".join(parts)


def luck(cards: dict) -> str:
    """Mean and spread over stored seeds and folds of the recipe."""
    shares = np.array(cards["best"]["shares"])
    rows = []
    for prefix, words in (("best-seed-", "seeds, usual split"), ("best-fold-", "folds, by lesion")):
        scores = []
        for name in studies.names(prefix):
            part = studies.read_run(name).parts["test"]
            score = metrics.headline(part.labels, part.probabilities, shares=shares)
            areas = metrics.class_auc(part.labels, part.probabilities)
            scores.append([{**score, "melanoma AUC": areas[DX.index("mel")]}[key] for key in KEYS])
        mean, spread = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)
        rows.append(
            [f"{len(scores)} {words}"]
            + [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)]
        )
    return table(["mean ± standard deviation", *KEYS], rows)


def cost(certificates: dict[str, BirthCertificate]) -> str:
    """Time from the certificates, energy and carbon estimated from it."""
    rows = [_cost(f"`{name}`", [certificate]) for name, certificate in certificates.items()]
    stored = [studies.read_contaminated_run(name).certificate for name in studies.names()]
    rows.append(_cost(f"all {len(stored)} stored runs of `make studies`", stored))
    return table(["training", "device", "minutes", "energy, Wh", "carbon, g CO₂e"], rows, words=2)


def phantom(certificates: dict[str, BirthCertificate]) -> str:
    """The stand-ins, a line each."""
    rows = []
    for name in PHANTOM:
        c = certificates[name]
        kept = c.history["val_balanced_accuracy"][c.best_epoch - 1]
        rows.append(
            [f"`{name}`", f"`{c.recipe['network']}`", f"`{c.data['fingerprint'][:12]}`"]
            + [c.recipe["epochs"], c.best_epoch, f"{kept:.3f}"]
        )
    head = ["name", "network", "phantom", "epochs", "epoch kept"]
    return table([*head, "balanced accuracy on phantom validation images"], rows, words=3)


def _cost(name: str, certificates: Iterable[BirthCertificate]) -> list[str]:
    seconds, energy, devices = 0.0, 0.0, set()
    for certificate in certificates:
        cores = re.fullmatch(r"CPU, (\d+) cores?", certificate.device)
        watts = int(cores[1]) * CORE_WATTS + MEMORY_WATTS if cores else np.nan
        seconds += certificate.seconds
        energy += certificate.seconds / 3600 * watts * OVERHEAD
        devices.add(certificate.device)
    known = not np.isnan(energy)
    numbers = (f"{energy:.1f}", f"{energy / 1000 * GRAMS:.1f}") if known else ("–", "–")
    return [name, "; ".join(sorted(devices)), f"{seconds / 60:.1f}", *numbers]


def _interval(number: dict) -> str:
    return f"{number['value']:.3f} ({number['low']:.3f} to {number['high']:.3f})"


def _versions(certificate: BirthCertificate) -> str:
    backend = certificate.versions["backend"]
    return f"{certificate.versions['keras']}, {backend} {certificate.versions[backend]}"


def _same(stored: dict, certificate: BirthCertificate, what: str, tool: str) -> None:
    if stored["weights_sha256"] != certificate.weights_sha256:
        raise CardError(
            f"{what}: measured on other weights than models/{certificate.name}.weights.h5. "
            f"Measure again, on the real images: python -m {tool}"
        )


def read(path: Path) -> dict:
    """Read a stored record.

    Raises
    ------
    CardError
        If it is missing.
    """
    if not path.is_file():
        raise CardError(
            f"{path.relative_to(ROOT)} is missing: python -m tools.results.cards makes it."
        )
    return json.loads(path.read_text(encoding="utf-8"))
