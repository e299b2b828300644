"""Write the numbers of the data set card, the model card and the reporting checklist.

    python -m tools.results.cards            measure what is out of date (real images), then write
    python -m tools.results.cards --pages    write the pages from what is stored; needs no images

Only what stands between two markers is written, as the templates in pages/ say.
"""

import re
import sys
from pathlib import Path

import numpy as np

from tools.book.course import ROOT, real_images
from tools.book.splice import filled, sections
from tools.results import card_measure
from utils import metrics
from utils.classes import CLASSES
from utils.data import load_external, load_ham10000
from utils.files import read_json, replace_file, write_json
from utils.weights import read_certificate, read_contaminated_run, read_run, run_names

DATA, MODELS = ROOT / "data", ROOT / "models"
CHECKLIST, FOLDER = ROOT / "reporting-checklist.md", Path(__file__).with_name("pages")
TEMPLATES = {"data": DATA / "README.md", "models": MODELS / "README.md", "checklist": CHECKLIST}
COUNTS, NUMBERS = DATA / "card.json", MODELS / "cards.json"
REAL = {"best": 28, "original": 28, "transfer": 128}  # with the pixels of their images
PHANTOM = ("best-phantom", "original-phantom")
KEYS = ("balanced accuracy", "macro AUC", "melanoma sensitivity", "melanoma AUC", "accuracy")
# The estimate of energy, after Lannelongue, Grealey and Inouye 2021 (10.1002/advs.202100707): the
# defaults of their calculator for a core, for memory and for a data centre, and its world average.
CORE_WATTS, MEMORY_WATTS, OVERHEAD, GRAMS = 12.0, 25 * 0.3725, 1.67, 475


def measure() -> None:
    """Measure and store what no longer fits the data or the weights."""
    dataset, phantom = real_images(), load_ham10000(source="phantom")
    counts, numbers = (stored()[name] for name in ("counts", "cards"))
    for name, data in (("ham10000", dataset), ("phantom", phantom)):
        if counts.get(name, {}).get("fingerprint") != data.fingerprint:
            print(f"Counting {name}", flush=True)
            counts[name] = card_measure.describe(data)
            write_json(COUNTS, counts)
    outside = load_external()
    if not outside.is_phantom:
        known = {"fingerprint": outside.fingerprint, "images": len(outside.labels)}
        known["lesions"] = outside.metadata["lesion_id"].nunique()
        counts["external"] = known | {"dataset": card_measure.by_source(outside)}
        write_json(COUNTS, counts)
    # Larger images are made from the same files, and are loaded only when they are judged.
    others = dataset.fingerprint != read_certificate("best").data["fingerprint"]
    for name, pixels in REAL.items():
        old, weights = numbers.get(name), read_certificate(name).weights_sha256
        if others or not old or old["weights_sha256"] != weights:
            print(f"Judging {name}", flush=True)
            larger = dataset if pixels == 28 else load_ham10000(pixels)
            numbers[name] = card_measure.judge(name, larger)
            write_json(NUMBERS, numbers)


def stored() -> dict[str, dict]:
    """Return all that was measured, under the names that the templates use."""
    files = {"counts": COUNTS, "measured": DATA / "phantom.json", "cards": NUMBERS}
    files |= {"demo": MODELS / "best-manifest.json", "looking": MODELS / "looking_inside.json"}
    return {name: read_json(path) for name, path in files.items()}


def pages(numbers: dict[str, dict]) -> dict[Path, str]:
    """Return what the pages should hold, by their path, from what is `stored`."""
    certificates = {name: read_certificate(name) for name in (*REAL, *PHANTOM)}
    best = np.array(numbers["cards"]["best"]["shares"])
    given = {"certificates": certificates, "luck": luck(best)}
    given |= {"cost": cost(certificates), "keys": KEYS, "names": {c.dx: c.name for c in CLASSES}}
    return {
        path: filled(path, sections(FOLDER / f"{template}.j2", numbers | given))
        for template, path in TEMPLATES.items()
    }


def luck(shares: np.ndarray) -> list[tuple]:
    """Return, for the seeds and for the folds, mean and deviation of each of `KEYS`."""
    rows = []
    for prefix, words in (("best-seed-", "seeds, usual split"), ("best-fold-", "folds, by lesion")):
        scores = []
        for name in run_names(prefix):
            part = read_run(name).parts["test"]
            score = metrics.headline(part.labels, part.probabilities, shares=shares)
            score["melanoma AUC"] = metrics.class_auc(part.labels, part.probabilities)[metrics.MEL]
            scores.append([score[key] for key in KEYS])
        numbers = np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1)
        rows.append((f"{len(scores)} {words}", *numbers))
    return rows


def cost(certificates: dict) -> list[tuple]:
    """Return time and devices from the certificates, energy and carbon estimated from them."""
    runs = [read_contaminated_run(name).certificate for name in run_names()]
    trainings = {f"`{name}`": [certificate] for name, certificate in certificates.items()}
    trainings[f"all {len(runs)} stored runs of `make studies`"] = runs
    rows = []
    for name, group in trainings.items():
        seconds = np.array([certificate.seconds for certificate in group])
        cores = [re.fullmatch(r"CPU, (\d+) cores?", certificate.device) for certificate in group]
        watts = [int(n[1]) * CORE_WATTS + MEMORY_WATTS if n else np.nan for n in cores]
        energy = float(seconds @ watts) / 3600 * OVERHEAD
        known = (f"{energy:.1f}", f"{energy / 1000 * GRAMS:.1f}") if all(cores) else ("–", "–")
        devices = "; ".join(sorted({certificate.device for certificate in group}))
        rows.append((name, devices, seconds.sum() / 60, *known))
    return rows


if __name__ == "__main__":
    if "--pages" not in sys.argv:
        measure()
    for path, text in pages(stored()).items():
        replace_file(path, text)
