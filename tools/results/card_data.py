"""The tables of the data set card, data/README.md, from data/card.json and data/phantom.json."""

from utils.classes import CLASSES, DX

NAMES = {c.dx: c.name for c in CLASSES}
KINDS = {
    "histo": "histopathology (`histo`)",
    "follow_up": "follow-up (`follow_up`)",
    "consensus": "expert consensus (`consensus`)",
    "confocal": "confocal microscopy (`confocal`)",
}
PARTS = {"train": "training", "validation": "validation", "test": "test"}


def sections(card: dict, measured: dict) -> dict[str, str]:
    """Return the Markdown of each section of the page, by the name in its markers.

    Parameters
    ----------
    card : dict
        What data/card.json holds.
    measured : dict
        What data/phantom.json holds.
    """
    real, phantom = card["ham10000"], card["phantom"]
    return {
        "data made of": (
            f"Counted on {real['source']} (fingerprint `{real['fingerprint']}`) and on the "
            f"phantom (`{phantom['fingerprint']}`)."
        ),
        "classes": classes(real),
        "labels": labels(real),
        "people": people(real),
        "sites": sites(real),
        "missing": missing(real),
        "parts": parts(real),
        "beside": beside(real, phantom),
        "phantom measured": phantom_measured(measured),
    }


def table(head: list[str], rows: list[list], *, words: int = 1) -> str:
    """Return a Markdown table, the first `words` columns to the left, the others to the right."""
    lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in lines)


def classes(card: dict) -> str:
    """Images, lesions, age and sex by class."""
    head = ["dx", "name", "images", "lesions", "with several images", "median age"]
    rows = [
        [dx, NAMES[dx], row["images"], row["lesions"], row["several"], f"{row['age']:.0f}"]
        + [row["female"], row["male"], row["images"] - row["female"] - row["male"]]
        for dx, row in card["classes"].items()
    ]
    total = [sum(row[k] for row in rows) for k in (2, 3, 4)]
    ends = [sum(row[k] for row in rows) for k in (6, 7, 8)]
    rows.append(["all", "", *total, "", *ends])
    return table([*head, "images of women", "of men", "sex not known"], rows, words=2)


def labels(card: dict) -> str:
    """How the label was reached, by class."""
    rows = [
        [KINDS.get(kind, kind), *by_class.values(), sum(by_class.values())]
        for kind, by_class in card["dx_type"].items()
    ]
    return table(["label from", *DX, "all"], rows)


def people(card: dict) -> str:
    """Images, lesions and melanomas by age and sex."""
    rows = [[f"age {name}", *_four(row)] for name, row in card["age"].items()]
    words = {"female": "women", "male": "men", "unknown": "sex not known"}
    rows += [[words[name], *_four(row)] for name, row in card["sex"].items()]
    return table(["who", *_HEAD], rows)


def sites(card: dict) -> str:
    """The same by body site."""
    rows = [
        ["not known" if name == "unknown" else name, *_four(row)]
        for name, row in card["site"].items()
    ]
    return table(["body site", *_HEAD], rows)


def missing(card: dict) -> str:
    """How many images lack what."""
    rows = [
        [f"`{name}`" if name != "any of the three" else name, count, _percent(count, card)]
        for name, count in card["missing"].items()
    ]
    zero = card["age given as 0"]
    rows.append(["age given as 0, which may mean *not known*", zero, _percent(zero, card)])
    rows += [
        [f"{what}: not recorded", card["images"], "100 %"]
        for what in ("skin type or tone", "patient", "device", "date")
    ]
    return table(["what is missing", "images", "share"], rows)


def parts(card: dict) -> str:
    """Images and lesions of each class in the three parts of the usual split."""
    head = ["dx"] + [f"{name}: {what}" for name in PARTS.values() for what in ("images", "lesions")]
    rows = [
        [dx, *(row[part][what] for part in PARTS for what in ("images", "lesions"))]
        for dx, row in card["classes"].items()
    ]
    rows.append(["all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])])
    rows_alike = []
    for part, words in PARTS.items():
        row = card["parts"][part]
        shares = (f"{100 * row[key]:.1f} %" for key in ("women", "back"))
        rows_alike.append([words, f"{row['median age']:.0f}", *shares])
    alike = table(["part", "median age", "images of women", "images from the back"], rows_alike)
    split = card["split"]
    said = (
        f"`lesion_split(dataset, seed={split['seed']})`, fingerprint `{split['fingerprint']}`. "
        "Known duplicates count as one lesion here."
    )
    return f"{table(head, rows)}\n\n{alike}\n\n{said}"


def beside(real: dict, phantom: dict) -> str:
    """The phantom's counts beside the real ones."""

    def column(card: dict) -> list:
        mel, nv = card["classes"]["mel"], card["classes"]["nv"]
        every = card["images of a lesion"]
        return [
            card["images"],
            card["lesions"],
            sum(count for images, count in every.items() if images != "1"),
            sum(card["dx_type"]["histo"].values()),
            f"{nv['age']:.0f}",
            f"{mel['age']:.0f}",
            _percent(card["sex"]["female"]["images"], card),
            _percent(card["site"]["back"]["images"], card),
            *(card["missing"][name] for name in ("age", "sex", "localization")),
        ]

    names = ["images", "lesions", "lesions with several images", "labels from histopathology"]
    names += ["median age, nv", "median age, mel", "images of women", "images from the back"]
    names += ["age missing", "sex not known", "body site not known"]
    rows = zip(names, column(real), column(phantom), strict=True)
    return table(["", "HAM10000", "phantom"], [list(row) for row in rows])


def phantom_measured(measured: dict) -> str:
    """What `python -m tools.results.phantom --check` measured."""
    far = measured["distances, first percentile"]
    auc = measured["trained on the phantom"]
    return table(
        ["what", "measured", "wanted"],
        [
            [
                "macro AUC on all 10,015 real images of the original CNN trained on the phantom "
                f"alone ({auc['epochs']} epochs; the epoch kept is the best on a second phantom)",
                f"{auc['macro AUC on the real images']:.4f}",
                "at least 0.86",
            ],
            [
                "distance of a phantom image to the nearest real image, 1st percentile, in grey "
                "levels",
                f"{far['phantom to nearest real image']:.1f}",
                "at least the next row",
            ],
            [
                "distance of a real image to the nearest other real image, 1st percentile",
                f"{far['real to nearest other real image']:.1f}",
                "",
            ],
            [
                "the same, to the nearest real image of another lesion",
                f"{far['real to nearest real image of another lesion']:.1f}",
                "",
            ],
        ],
    )


_HEAD = ["images", "lesions", "images of melanoma", "melanomas"]


def _four(row: dict) -> list[int]:
    return [row[key] for key in ("images", "lesions", "melanoma images", "melanomas")]


def _percent(count: int, card: dict) -> str:
    return f"{100 * count / card['images']:.1f} %"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
