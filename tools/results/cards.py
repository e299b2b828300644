"""Write the numbers of the data set card and the model card.

    python -m tools.results.cards            measure what is out of date (real images), write the pages
    python -m tools.results.cards --again    measure everything anew
    python -m tools.results.cards --pages    write the pages from what is stored; needs no images

data/README.md, models/README.md and reporting-checklist.md keep their text; only what stands
between two markers is written here. `make publish` does the first at its end.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path

from tools.book.course import ROOT, environment
from utils.files import replace_file, write_json

os.environ.update(environment())

from tools.results import card_data, card_looking, card_models  # noqa: E402
from tools.results.card_models import CardError, read  # noqa: E402
from utils.weights import read_certificate  # noqa: E402

DATA, MODELS = ROOT / "data", ROOT / "models"
DATA_PAGE, MODEL_PAGE = DATA / "README.md", MODELS / "README.md"
CHECKLIST = ROOT / "reporting-checklist.md"
COUNTS, NUMBERS = DATA / "card.json", MODELS / "cards.json"
MARKED = re.compile(
    r"(?P<start><!-- counted: (?P<name>[^>]*?) -->\n)(?P<body>.*?)(?P<end><!-- end of \2 -->)",
    re.DOTALL,
)


def main(arguments: list[str]) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.results.cards", description=__doc__)
    parser.add_argument("--again", action="store_true", help="measure everything anew")
    parser.add_argument("--pages", action="store_true", help="only write the pages")
    options = parser.parse_args(arguments)
    try:
        if not options.pages:
            measure(again=options.again)
        for path in write_pages():
            print(f"Written: {path.relative_to(ROOT)}", flush=True)
    except (CardError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure(*, again: bool = False) -> None:
    """Measure and store what no longer fits the data or the weights.

    Raises
    ------
    CardError
        If there are no real images here.
    """
    from tools.results import card_measure
    from utils.data import load_ham10000

    dataset, phantom = load_ham10000(), load_ham10000(source="phantom")
    if dataset.is_phantom or not dataset.has_lesions:
        raise CardError(
            "The cards' numbers are measured on the real images with lesion ids. Set HAM10000_DIR "
            "to their folder, or write the pages from stored numbers: python -m tools.results.cards --pages"
        )
    stored = _stored(COUNTS)
    for name, data in (("ham10000", dataset), ("phantom", phantom)):
        if again or stored.get(name, {}).get("fingerprint") != data.fingerprint:
            print(f"Counting {name}", flush=True)
            stored[name] = card_measure.describe(data)
    _store(COUNTS, stored)
    stored = _stored(NUMBERS)
    for name in card_models.REAL:
        made_from = (read_certificate(name).weights_sha256, dataset.fingerprint)
        old = stored.get(name, {})
        if (
            again
            or (old.get("weights_sha256"), old.get("data", {}).get("fingerprint")) != made_from
        ):
            print(f"Judging {name}", flush=True)
            stored[name] = card_measure.judge(name, dataset)
    _store(NUMBERS, stored)


def pages() -> dict[Path, str]:
    """Return what the pages should hold, from what is stored.

    Returns
    -------
    dict
        Path to text: both cards and the reporting checklist.

    Raises
    ------
    CardError
        If stored numbers are missing or belong to other weights, or if a page lacks a marker.
    """
    data = card_data.sections(read(COUNTS), read(DATA / "phantom.json"))
    models = card_models.sections(read(NUMBERS), read(MODELS / "demo.json"))
    models |= card_looking.sections()
    summary = {"summary of best": card_models.summary(read(NUMBERS))}
    return {
        DATA_PAGE: spliced(DATA_PAGE.read_text(encoding="utf-8"), data, DATA_PAGE.name),
        MODEL_PAGE: spliced(MODEL_PAGE.read_text(encoding="utf-8"), models, MODEL_PAGE.name),
        CHECKLIST: spliced(CHECKLIST.read_text(encoding="utf-8"), summary, CHECKLIST.name),
    }


def write_pages() -> list[Path]:
    """Write what changed; return the files."""
    written = []
    for path, text in pages().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            replace_file(path, text)
            written.append(path)
    return written


def spliced(page: str, sections: dict[str, str], name: str) -> str:
    """Return the text of a page with the sections between their markers.

    Raises
    ------
    CardError
        If a section has no marker, or a marker no section.
    """
    marked = [found["name"] for found in MARKED.finditer(page)]
    if sorted(marked) != sorted(sections):
        lost = sorted(set(sections) - set(marked)) or sorted(set(marked) - set(sections)) or marked
        raise CardError(
            f"{name}: each of its counted sections stands there once, between\n"
            "    <!-- counted: NAME -->\n    <!-- end of NAME -->\n"
            f"That is not so for: {', '.join(lost)}. Put the markers back, or take them out."
        )

    def fill(found: re.Match) -> str:
        return f"{found['start']}\n{sections[found['name']]}\n\n{found['end']}"

    return MARKED.sub(fill, page)


def _stored(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _store(path: Path, content: dict) -> None:
    if _stored(path) != content:
        write_json(path, content)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
