"""The model card's tables of subgroups, corruptions and artefacts, from models/looking_inside.json.

Chapter 9 explains these numbers; `python -m tools.results.look_inside` measures them.
"""

import json

from tools.results.card_data import table
from tools.results.card_models import MODELS, REAL, CardError
from utils.weights import read_certificate

FILE = MODELS / "looking_inside.json"
NAMES = ("subgroups", "gaps", "corruptions", "clinics", "artefacts")
NOT_YET = "Not measured yet: `python -m tools.results.look_inside` does it."
STRENGTHS = ("1", "2", "3", "4", "5")


def sections(stored: dict | None = None) -> dict[str, str]:
    """Return the Markdown of each section, by the name in its markers.

    Parameters
    ----------
    stored : dict, optional
        What models/looking_inside.json holds; read from there unless given.

    Raises
    ------
    CardError
        If it was measured on other weights than the published ones.
    """
    if stored is None:
        if not FILE.is_file():
            return dict.fromkeys(NAMES, NOT_YET)
        stored = json.loads(FILE.read_text(encoding="utf-8"))
    for name in REAL:
        if stored["made_from"]["weights"][name] != read_certificate(name).weights_sha256:
            raise CardError(
                f"models/looking_inside.json was measured on other weights than {name}. Measure "
                "again, on the real images: python -m tools.results.look_inside"
            )
    made = {
        "subgroups": lambda: subgroups(stored["subgroups"]["tables"]),
        "gaps": lambda: gaps(stored["subgroups"]["gaps"]),
        "corruptions": lambda: worse(stored["corruptions"]),
        "clinics": lambda: worse(stored["clinics"]),
        "artefacts": lambda: artefacts(stored["shortcuts"]),
    }
    part = {"gaps": "subgroups", "artefacts": "shortcuts"}
    return {n: make() if part.get(n, n) in stored else NOT_YET for n, make in made.items()}


def subgroups(tables: dict) -> str:
    """Melanoma sensitivity and specificity by age, sex and body site."""
    parts = []
    for heading, name in (
        ("`best`, test part", "best"),
        ("The recipe of `best`, every lesion judged once (five folds)", "cross-validation"),
        ("`original`, test part", "original"),
    ):
        rows = [
            [f"{row['by']}: {row['group']}" if row["by"] else "all"]
            + [row[key] for key in ("images", "lesions", "melanomas", "melanoma lesions")]
            + [_interval(row[key]) for key in ("sensitivity", "specificity")]
            for row in tables[name]
        ]
        head = ["group", "images", "lesions", "images of melanoma", "melanomas"]
        parts.append(f"**{heading}**")
        parts.append(table([*head, "sensitivity", "specificity"], rows))
    return "\n\n".join(parts)


def gaps(stored: dict) -> str:
    """The largest gap between groups, beside the gaps that a lot makes."""
    words = {"best": "`best`, test", "cross-validation": "`best`, folds", "original": "`original`"}
    rows = [
        [words[name], number, by, f"{gap['gap']:.3f}", f"{gap['median gap by lot']:.3f}"]
        + [f"{100 * gap['as large by lot']:.0f} %"]
        for name in words
        for number, of in stored[name].items()
        for by, gap in of.items()
    ]
    head = ["model", "number", "groups by", "largest gap", "median gap by lot"]
    return table([*head, "lots with a gap as large"], rows, words=3)


def worse(stored: dict) -> str:
    """Relative error of the balanced accuracy, strength by strength."""
    rows = []
    for name in REAL:
        for kind, levels in stored[name].items():
            if kind == "clean":
                continue
            ratios = [f"{levels[s]['relative error']['value']:.2f}" for s in STRENGTHS]
            middle = levels["3"]["balanced accuracy"]
            rows.append([f"`{name}`", kind, *ratios, _interval(middle)])
    head = ["model", "images made worse by", *(f"strength {s}" for s in STRENGTHS)]
    return table([*head, "balanced accuracy at 3"], rows, words=2)


def artefacts(stored: dict) -> str:
    """What rulers, hairs and the like, drawn into test images, do to the answers."""
    rows = [
        [f"`{name}`", artefact]
        + [_interval(found[key]) for key in ("changed decisions", "melanoma probability")]
        + [_interval(found["melanomas found"])]
        for name in REAL
        for artefact, found in stored[name].items()
    ]
    head = ["model", "drawn into the image", "decisions that change", "melanoma probability"]
    return table([*head, "share of melanomas found"], rows, words=2)


def _interval(number: dict) -> str:
    if number["value"] is None:
        return "–"
    low, high = number["low"], number["high"]
    if low is None or high is None:
        return f"{number['value']:.3f}"
    return f"{number['value']:.3f} ({low:.3f} to {high:.3f})"
