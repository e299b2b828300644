"""Write the numbers of the data set card, the model card and the reporting checklist.

    python -m tools.results.cards            measure what is out of date (real images), then write
    python -m tools.results.cards --again    measure everything anew
    python -m tools.results.cards --pages    write the pages from what is stored; needs no images

data/README.md, models/README.md and reporting-checklist.md keep their text; only what stands
between two markers is written here. `make publish` does the first at its end.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np

from tools.book.course import ROOT, ChapterError, real_images
from tools.book.splice import markdown_table as table
from tools.book.splice import places, splice
from utils import metrics
from utils.classes import CLASSES, DX
from utils.files import replace_file, write_json
from utils.weights import (
    BirthCertificate,
    read_certificate,
    read_contaminated_run,
    read_run,
    run_names,
)

DATA, MODELS = ROOT / "data", ROOT / "models"
DATA_PAGE, MODEL_PAGE = DATA / "README.md", MODELS / "README.md"
CHECKLIST = ROOT / "reporting-checklist.md"
COUNTS, NUMBERS = DATA / "card.json", MODELS / "cards.json"
LOOKING = MODELS / "looking_inside.json"
REAL, PHANTOM = ("best", "original"), ("best-phantom", "original-phantom")
KEYS = ("balanced accuracy", "macro AUC", "melanoma sensitivity", "melanoma AUC", "accuracy")
# The estimate of energy, after Lannelongue, Grealey and Inouye 2021 (10.1002/advs.202100707): the
# defaults of their calculator for a core, for memory and for a data centre, and its world average.
CORE_WATTS, MEMORY_WATTS, OVERHEAD, GRAMS = 12.0, 25 * 0.3725, 1.67, 475


class CardError(Exception):
    """A card cannot be written; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.results.cards", description=__doc__)
    parser.add_argument("--again", action="store_true", help="measure everything anew")
    parser.add_argument("--pages", action="store_true", help="only write the pages")
    options = parser.parse_args(arguments)
    try:
        if not options.pages:
            measure(again=options.again)
        for path, text in pages().items():
            if path.read_text(encoding="utf-8") != text:
                replace_file(path, text)
                print(f"Written: {path.relative_to(ROOT)}", flush=True)
    except (CardError, ChapterError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure(*, again: bool = False) -> None:
    """Measure and store what no longer fits the data or the weights."""
    from tools.results import card_measure
    from utils.data import load_ham10000

    dataset, phantom = real_images(), load_ham10000(source="phantom")
    counts, numbers = (read(p) if p.is_file() else {} for p in (COUNTS, NUMBERS))
    for name, data in (("ham10000", dataset), ("phantom", phantom)):
        if again or counts.get(name, {}).get("fingerprint") != data.fingerprint:
            print(f"Counting {name}", flush=True)
            counts[name] = card_measure.describe(data)
            write_json(COUNTS, counts)
    for name in REAL:
        fits = numbers.get(name, {}).get("weights_sha256") == read_certificate(name).weights_sha256
        if again or not fits or numbers[name]["data"]["fingerprint"] != dataset.fingerprint:
            print(f"Judging {name}", flush=True)
            numbers[name] = card_measure.judge(name, dataset)
            write_json(NUMBERS, numbers)


def pages() -> dict[Path, str]:
    """Return what the pages should hold, by their path, from what is stored.

    Raises
    ------
    CardError
        If stored numbers are missing or belong to other weights, or if a page lacks a marker.
    """
    numbers, demo, looking = read(NUMBERS), read(MODELS / "demo.json"), read(LOOKING)
    data = data_sections(read(COUNTS), read(DATA / "phantom.json"))
    models = model_sections(numbers, demo) | looking_sections(looking)
    return {
        DATA_PAGE: filled(DATA_PAGE, data),
        MODEL_PAGE: filled(MODEL_PAGE, models),
        CHECKLIST: filled(CHECKLIST, {"summary of best": summary(numbers["best"])}),
    }


def filled(path: Path, sections: dict[str, str]) -> str:
    """Return the text of a page with the sections between their markers."""
    text = path.read_text(encoding="utf-8")
    try:
        if strangers := sorted(set(places(text)) - set(sections)):
            raise ValueError(f"No numbers belong to {strangers}. Take the markers out.")
        for name, content in sections.items():
            text = splice(text, name, content)
    except ValueError as error:
        raise CardError(f"{path.relative_to(ROOT)}: {error}") from error
    return text


def read(path: Path) -> dict:
    """Read stored numbers; refuse if they are missing."""
    if not path.is_file():
        tool = "look_inside" if path == LOOKING else "cards"
        raise CardError(f"{path.name} is missing: python -m tools.results.{tool} makes it.")
    return json.loads(path.read_text(encoding="utf-8"))


def refuse_others(weights_sha256: str, name: str, path: str, tool: str) -> None:
    """Refuse numbers that were measured on other weights than the published ones."""
    if weights_sha256 != read_certificate(name).weights_sha256:
        raise CardError(
            f"{path}: measured on other weights than {name}. Measure again, on the real images: "
            f"python -m {tool}"
        )


def cells(row: dict, *keys: str) -> list:
    """Return numbers of a record as a table shows them, those with an interval with it."""
    return [interval(row[key]) if isinstance(row[key], dict) else row[key] for key in keys]


def interval(number: dict) -> str:
    """Return ``0.519 (0.470 to 0.566)``, or what of it is known."""
    value, low, high = (number[key] for key in ("value", "low", "high"))
    if value is None:
        return "–"
    return f"{value:.3f}" if None in (low, high) else f"{value:.3f} ({low:.3f} to {high:.3f})"


# --- The data set card ---------------------------------------------------------------------------


def data_sections(card: dict, measured: dict) -> dict[str, str]:
    """Return the sections of data/README.md, from data/card.json and data/phantom.json."""
    real, phantom = card["ham10000"], card["phantom"]
    sexes = {"female": "women", "male": "men", "unknown": "sex not known"}
    people = {f"age {name}": row for name, row in real["age"].items()}
    people |= {sexes[name]: row for name, row in real["sex"].items()}
    sites = {"not known" if k == "unknown" else k: row for k, row in real["site"].items()}
    counts = ["images", "lesions", "images of melanoma", "melanomas"]
    return {
        "data made of": (
            f"Counted on {real['source']} (fingerprint `{real['fingerprint']}`) and on the "
            f"phantom (`{phantom['fingerprint']}`)."
        ),
        "classes": _classes(real),
        "labels": _labels(real),
        "people": table(["who", *counts], [[k, *row.values()] for k, row in people.items()]),
        "sites": table(["body site", *counts], [[k, *row.values()] for k, row in sites.items()]),
        "missing": _missing(real),
        "parts": _parts(real),
        "beside": _beside(real, phantom),
        "phantom measured": _phantom(measured),
    }


def _classes(card: dict) -> str:
    rows = []
    for c in CLASSES:
        row = card["classes"][c.dx]
        rows.append(
            [c.dx, c.name, *cells(row, "images", "lesions", "several"), f"{row['age']:.0f}"]
        )
        rows[-1] += [row["female"], row["male"], row["images"] - row["female"] - row["male"]]
    rows.append(["all", ""] + ["" if k == 5 else sum(row[k] for row in rows) for k in range(2, 9)])
    head = ["dx", "name", "images", "lesions", "with several images", "median age"]
    return table([*head, "images of women", "of men", "sex not known"], rows, words=2)


def _labels(card: dict) -> str:
    kinds = {"histo": "histopathology", "follow_up": "follow-up", "consensus": "expert consensus"}
    kinds["confocal"] = "confocal microscopy"
    rows = [
        [f"{kinds[kind]} (`{kind}`)", *by_class.values(), sum(by_class.values())]
        for kind, by_class in card["dx_type"].items()
    ]
    return table(["label from", *DX, "all"], rows)


def _missing(card: dict) -> str:
    *columns, any_of_them = card["missing"]
    counts = {f"`{name}`": card["missing"][name] for name in columns}
    counts[any_of_them] = card["missing"][any_of_them]
    counts["age given as 0, which may mean *not known*"] = card["age given as 0"]
    rows = [[name, count, _percent(count, card)] for name, count in counts.items()]
    for what in ("skin type or tone", "patient", "device", "date"):
        rows.append([f"{what}: not recorded", card["images"], "100 %"])
    return table(["what is missing", "images", "share"], rows)


def _parts(card: dict) -> str:
    parts = {"train": "training", "validation": "validation", "test": "test"}
    kinds = ("images", "lesions")
    rows = [
        [dx, *(row[part][kind] for part in parts for kind in kinds)]
        for dx, row in card["classes"].items()
    ]
    rows.append(["all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])])
    counts = table(["dx", *(f"{part}: {k}" for part in parts.values() for k in kinds)], rows)
    rows = [
        [parts[part], f"{row['median age']:.0f}"]
        + [f"{100 * row[key]:.1f} %" for key in ("women", "back")]
        for part, row in card["parts"].items()
    ]
    alike = table(["part", "median age", "images of women", "images from the back"], rows)
    split = card["split"]
    return (
        f"{counts}\n\n{alike}\n\n`lesion_split(dataset, seed={split['seed']})`, fingerprint "
        f"`{split['fingerprint']}`. Known duplicates count as one lesion here."
    )


def _beside(*cards: dict) -> str:
    rows = {
        "images": lambda card: card["images"],
        "lesions": lambda card: card["lesions"],
        "lesions with several images": lambda card: sum(
            count for images, count in card["images of a lesion"].items() if images != "1"
        ),
        "labels from histopathology": lambda card: sum(card["dx_type"]["histo"].values()),
        "median age, nv": lambda card: f"{card['classes']['nv']['age']:.0f}",
        "median age, mel": lambda card: f"{card['classes']['mel']['age']:.0f}",
        "images of women": lambda card: _percent(card["sex"]["female"]["images"], card),
        "images from the back": lambda card: _percent(card["site"]["back"]["images"], card),
        "age missing": lambda card: card["missing"]["age"],
        "sex not known": lambda card: card["missing"]["sex"],
        "body site not known": lambda card: card["missing"]["localization"],
    }
    rows = [[name, *map(number, cards)] for name, number in rows.items()]
    return table(["", "HAM10000", "phantom"], rows)


def _phantom(measured: dict) -> str:
    auc, far = measured["trained on the phantom"], measured["distances, first percentile"]
    text = (
        "macro AUC on all 10,015 real images of the original CNN trained on the phantom alone "
        f"({auc['epochs']} epochs; the epoch kept is the best on a second phantom)"
    )
    rows = [[text, f"{auc['macro AUC on the real images']:.4f}", "at least 0.86"]]
    texts = {
        "phantom to nearest real image": "distance of a phantom image to the nearest real image, "
        "1st percentile, in grey levels",
        "real to nearest other real image": "distance of a real image to the nearest other real "
        "image, 1st percentile",
        "real to nearest real image of another lesion": "the same, to the nearest real image of "
        "another lesion",
    }
    rows += [[text, f"{far[key]:.1f}", ""] for key, text in texts.items()]
    rows[1][2] = "at least the next row"
    return table(["what", "measured", "wanted"], rows)


def _percent(count: int, card: dict) -> str:
    return f"{100 * count / card['images']:.1f} %"


# --- The model card ------------------------------------------------------------------------------


def model_sections(cards: dict, demo: dict) -> dict[str, str]:
    """Return sections of models/README.md, from models/cards.json and models/demo.json."""
    for name in REAL:
        sums = cards[name]["weights_sha256"]
        refuse_others(sums, name, f"models/cards.json, {name}", "tools.results.cards")
    refuse_others(
        demo["weights_sha256"], "best", "models/demo.json", "tools.demo.export_demo --measure"
    )
    certificates = {name: read_certificate(name) for name in (*REAL, *PHANTOM)}
    card = cards["best"]
    sections = {
        "judged on": (
            f"Judged on {card['images']:,} test images of {card['lesions']:,} lesions, "
            f"{card['data']['source']}, split `{card['split']['fingerprint']}`. In brackets: the "
            f"middle 95 % of {card['resamples']:,} resamples, each of which draws lesions, not "
            "images."
        ),
        "recipes": _recipes(certificates, cards),
        "headline": _headline(cards),
        "alarm": _alarm(cards),
        "calibration": _calibration(cards),
        "refusal": _refusal(demo),
        "luck": _luck(np.array(card["shares"])),
        "cost": _cost(certificates),
        "phantom models": _phantom_models(certificates),
    }
    keys = ("images", "lesions", "sensitivity", "specificity", "PPV", "AUC")
    for name in REAL:
        rows = [[dx, *cells(row, *keys)] for dx, row in cards[name]["classes"].items()]
        sections[f"classes of {name}"] = table(["dx", *keys], rows)
        rows = [[f"**{dx}**", *row] for dx, row in zip(DX, cards[name]["confusion"], strict=True)]
        sections[f"confusion of {name}"] = table(["true \\ called", *DX], rows)
    return sections


def summary(card: dict) -> str:
    """Return what a reader of the reporting checklist gets in place of an abstract."""
    numbers = {key: f"**{interval(n)}**" for key, n in card["headline"][card["decision"]].items()}
    split, warm = card["split"], card["calibration"]["with temperature"]["calibration error"]
    return (
        "**Development and internal evaluation** of a network that tells seven groups of "
        "pigmented skin lesions apart on dermatoscopic images of 28 × 28 pixels, made to teach. "
        f"**Data:** HAM10000, divided by lesion into {split['train']:,} images to train, "
        f"{split['validation']:,} to choose and {split['test']:,} to judge. **Model:** "
        f"`small_resnet`, {card['parameters']:,} numbers. **Results** on {card['lesions']:,} "
        f"lesions, with 95 % intervals: balanced accuracy {numbers['balanced accuracy']}, macro "
        f"AUC {numbers['macro AUC']}, melanoma sensitivity {numbers['melanoma sensitivity']}, "
        f"melanoma AUC {numbers['melanoma AUC']}; calibration error {interval(warm)} after "
        "temperature scaling. **Not shown:** any other clinic, camera or skin type, any comparison "
        "with doctors, any use. **Availability:** weights, code and recipe are in this repository; "
        "not registered."
    )


def _recipes(certificates: dict[str, BirthCertificate], cards: dict) -> str:
    words = {"True": "yes", "False": "no"}
    kept = {"best": "the best by balanced accuracy on validation", "last": "the last"}
    columns = []
    for name in REAL:
        c = certificates[name]
        recipe = {f"`{k}`": words.get(str(v), str(v)) for k, v in c.recipe.items()}
        column = {"network": f"`{c.recipe['network']}`"}
        column |= {"numbers that are learned or kept": cards[name]["parameters"]}
        column |= {"weights, check sum begins": f"`{c.weights_sha256[:12]}`"}
        column |= {k: v for k, v in recipe.items() if k not in ("`network`", "`keep`")}
        column |= {"epoch kept": f"{c.best_epoch}, {kept[c.recipe['keep']]}", "seed": c.seed}
        backend = c.versions["backend"]
        column |= {"Keras, backend": f"{c.versions['keras']}, {backend} {c.versions[backend]}"}
        columns.append(column)
    best, original = columns
    return table(["", *REAL], [[key, value, original[key]] for key, value in best.items()])


def _headline(cards: dict) -> str:
    rows = [
        [f"`{name}`", way, *cells(numbers, *KEYS)]
        for name in REAL
        for way, numbers in cards[name]["headline"].items()
    ]
    counts = {dx: row["images"] for dx, row in cards["best"]["classes"].items()}
    constant = counts["nv"] / sum(counts.values())
    rows.append(["always nevus", "–", f"{1 / 7:.3f}", "0.500", "0.000", "0.500", f"{constant:.3f}"])
    return table(["model", "how a class is called", *KEYS], rows, words=2)


def _alarm(cards: dict) -> str:
    keys = ("sensitivity", "specificity", "ppv", "missed", "false_alarm")
    alarms = {name: cards[name]["alarm"] for name in REAL}
    rows = [[f"`{k}`", f"{row['threshold']:.3g}", *cells(row, *keys)] for k, row in alarms.items()]
    head = ["model", "threshold", "sensitivity", "specificity", "PPV", "missed", "false alarms"]
    return table(head, rows)


def _calibration(cards: dict) -> str:
    rows, keys = [], ("calibration error", "Brier score")
    for name in REAL:
        numbers = cards[name]["calibration"]
        rows.append([f"`{name}`", "as trained", *cells(numbers["as trained"], *keys)])
        words = f"temperature {numbers['temperature']:.2f}"
        rows.append([f"`{name}`", words, *cells(numbers["with temperature"], *keys)])
    return table(["model", "probabilities", *keys], rows, words=2)


def _refusal(demo: dict) -> str:
    numbers = demo["refusal"]
    shown, refused = numbers["n_strangers"], numbers["refused_strangers"]
    rows = [
        ["test images, which it should answer", numbers["n_real"], numbers["refused_real"]]
        + [f"{100 * numbers['refused_real_share']:.1f} %"],
        ["pictures that show no such lesion", shown, refused, f"{100 * refused / shown:.1f} %"],
    ]
    first = table(["what it is shown", "pictures", "refused", "share"], rows)
    per_kind = numbers["per_kind"]
    rows = [[kind, per_kind, f"{100 * x:.0f} %"] for kind, x in numbers["by_kind"].items()]
    second = table(["kind of picture", "pictures", "refused"], rows)
    rows = [[name, f"{100 * x:.1f} %"] for name, x in demo["altered"].items()]
    return f"{first}\n\n{second}\n\n" + table(
        ["test images, light and colour changed", "refused"], rows
    )


def _luck(shares: np.ndarray) -> str:
    rows = []
    for prefix, words in (("best-seed-", "seeds, usual split"), ("best-fold-", "folds, by lesion")):
        scores = []
        for name in run_names(prefix):
            part = read_run(name).parts["test"]
            score = metrics.headline(part.labels, part.probabilities, shares=shares)
            score["melanoma AUC"] = metrics.class_auc(part.labels, part.probabilities)[metrics.MEL]
            scores.append([score[key] for key in KEYS])
        spread = zip(np.mean(scores, axis=0), np.std(scores, axis=0, ddof=1), strict=True)
        rows.append([f"{len(scores)} {words}", *(f"{m:.3f} ± {s:.3f}" for m, s in spread)])
    return table(["mean ± standard deviation", *KEYS], rows)


def _cost(certificates: dict[str, BirthCertificate]) -> str:
    """Time from the certificates, energy and carbon estimated from it."""
    stored = [read_contaminated_run(name).certificate for name in run_names()]
    trainings = {f"`{name}`": [certificate] for name, certificate in certificates.items()}
    trainings[f"all {len(stored)} stored runs of `make studies`"] = stored
    rows = []
    for name, group in trainings.items():
        seconds, energy = 0.0, 0.0
        for certificate in group:
            cores = re.fullmatch(r"CPU, (\d+) cores?", certificate.device)
            watts = int(cores[1]) * CORE_WATTS + MEMORY_WATTS if cores else np.nan
            seconds += certificate.seconds
            energy += certificate.seconds / 3600 * watts * OVERHEAD
        numbers = [f"{energy:.1f}", f"{energy / 1000 * GRAMS:.1f}"]
        devices = "; ".join(sorted({certificate.device for certificate in group}))
        known = ["–", "–"] if np.isnan(energy) else numbers
        rows.append([name, devices, f"{seconds / 60:.1f}", *known])
    return table(["training", "device", "minutes", "energy, Wh", "carbon, g CO₂e"], rows, words=2)


def _phantom_models(certificates: dict[str, BirthCertificate]) -> str:
    rows = []
    for name in PHANTOM:
        c = certificates[name]
        reached = c.history["val_balanced_accuracy"][c.best_epoch - 1]
        rows.append([f"`{name}`", f"`{c.recipe['network']}`", f"`{c.data['fingerprint'][:12]}`"])
        rows[-1] += [c.recipe["epochs"], c.best_epoch, f"{reached:.3f}"]
    head = ["name", "network", "phantom", "epochs", "epoch kept"]
    return table([*head, "balanced accuracy on phantom validation images"], rows, words=3)


# --- What chapter 9 explains ---------------------------------------------------------------------


def looking_sections(stored: dict) -> dict[str, str]:
    """Return sections of models/README.md, from models/looking_inside.json."""
    for name, own in stored["made_from"]["weights"].items():
        refuse_others(own, name, "models/looking_inside.json", "tools.results.look_inside")
    return {
        "subgroups": _subgroups(stored["subgroups"]["tables"]),
        "gaps": _gaps(stored["subgroups"]["gaps"]),
        "corruptions": _worse(stored["corruptions"]),
        "clinics": _worse(stored["clinics"]),
        "artefacts": _artefacts(stored["shortcuts"]),
    }


def _subgroups(tables: dict) -> str:
    headings = {
        "best": "`best`, test part",
        "cross-validation": "The recipe of `best`, every lesion judged once (five folds)",
        "original": "`original`, test part",
    }
    keys = ("images", "lesions", "melanomas", "melanoma lesions", "sensitivity", "specificity")
    head = ["group", "images", "lesions", "images of melanoma", "melanomas", *keys[4:]]
    parts = []
    for name, heading in headings.items():
        names = [f"{row['by']}: {row['group']}" if row["by"] else "all" for row in tables[name]]
        rows = [[n, *cells(row, *keys)] for n, row in zip(names, tables[name], strict=True)]
        parts += [f"**{heading}**", table(head, rows)]
    return "\n\n".join(parts)


def _gaps(stored: dict) -> str:
    words = {"best": "`best`, test", "cross-validation": "`best`, folds", "original": "`original`"}
    rows = [
        [words[name], number, by, f"{gap['gap']:.3f}", f"{gap['median gap by lot']:.3f}"]
        + [f"{100 * gap['as large by lot']:.0f} %"]
        for name in words
        for number, groups in stored[name].items()
        for by, gap in groups.items()
    ]
    head = ["model", "number", "groups by", "largest gap", "median gap by lot"]
    return table([*head, "lots with a gap as large"], rows, words=3)


def _worse(stored: dict) -> str:
    """Relative error of the balanced accuracy, strength by strength."""
    rows = []
    for name in REAL:
        for kind, levels in stored[name].items():
            if kind != "clean":
                errors = (f"{levels[s]['relative error']['value']:.2f}" for s in "12345")
                rows.append([f"`{name}`", kind, *errors, *cells(levels["3"], "balanced accuracy")])
    head = ["model", "images made worse by", *(f"strength {s}" for s in "12345")]
    return table([*head, "balanced accuracy at 3"], rows, words=2)


def _artefacts(stored: dict) -> str:
    keys = ("changed decisions", "melanoma probability", "melanomas found")
    rows = [
        [f"`{name}`", artefact, *cells(row, *keys)]
        for name in REAL
        for artefact, row in stored[name].items()
    ]
    head = ["model", "drawn into the image", "decisions that change", "melanoma probability"]
    return table([*head, "share of melanomas found"], rows, words=2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
