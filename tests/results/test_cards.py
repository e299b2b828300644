"""The cards say what is stored, what is stored fits data and weights, and every link leads on."""

import hashlib
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

from tools.book import splice
from tools.book.course import ROOT, ChapterError
from tools.book.render import stage
from tools.results import card_measure, cards
from utils import metrics
from utils.classes import DX
from utils.data import load_ham10000
from utils.weights import read_certificate, read_run

CARDS = ("data/README.md", "models/README.md", "reporting-checklist.md")
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
# The items of TRIPOD+AI, Collins and others 2024, table 2.
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef"}
PARTS |= {20: "abc", 23: "ab", 27: "abc"}
ITEMS = [f"{item}{part}".strip() for item in range(1, 28) for part in PARTS.get(item, " ")]


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def links(name):
    """Text and target of every link within the repository."""
    every = LINK.findall(page(name))
    return [link for link in every if not link[1].startswith(("http", "mailto:"))]


def headings(path):
    """The headings of a page or notebook, without marks of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return [line.replace("`", "") for line in re.findall(r"(?m)^#+ (.+?)\s*$", text)]


@pytest.fixture
def stored():
    return cards.stored()


# --- Pages and stored numbers --------------------------------------------------------------------


def test_pages_hold_what_the_tool_would_write(stored):
    pages = cards.pages(stored)
    written = {str(path.relative_to(ROOT)): text for path, text in pages.items()}
    assert sorted(written) == sorted(CARDS)
    for name, text in written.items():
        assert page(name) == text, f"{name} is stale: python -m tools.results.cards --pages"


def test_stored_numbers_are_those_of_the_published_weights(stored):
    for name in cards.REAL:
        weights = hashlib.sha256((cards.MODELS / f"{name}.weights.h5").read_bytes()).hexdigest()
        certificate, card = read_certificate(name), stored["cards"][name]
        assert card["weights_sha256"] == weights, f"{name}: python -m tools.results.cards"
        assert (card["data"], card["split"]) == (certificate.data, certificate.split)
        assert card["images"] == certificate.split["test"]
    assert stored["counts"]["ham10000"]["fingerprint"] == certificate.data["fingerprint"]


@pytest.mark.parametrize(
    "place, message",
    [
        (("cards", "best", "weights_sha256"), "than best.*results.cards"),
        (("cards", "original", "weights_sha256"), "than original"),
        (("demo", "certificate", "weights_sha256"), "other weights than best.*measure_demo"),
        (("looking", "made_from", "weights", "best"), "look_inside"),
    ],
)
def test_other_weights_are_noticed(stored, place, message):
    inner = stored
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = "0"
    with pytest.raises(ChapterError, match=message):
        cards.pages(stored)


def test_what_is_missing_or_moved_is_noticed(stored, tmp_path):
    with pytest.raises(ChapterError, match="none.json is missing: python -m"):
        cards.read(tmp_path / "none.json")
    stored["cards"]["best"]["headline"]["probability / share"]["macro AUC"]["low"] -= 0.01
    assert cards.pages(stored)[cards.CHECKLIST] != page("reporting-checklist.md")
    text = page("reporting-checklist.md")
    with pytest.raises(ChapterError, match=r"reporting-checklist.md: .*'more' must stand once"):
        splice.filled(cards.CHECKLIST, {"summary of best": "", "more": ""})
    with pytest.raises(ChapterError, match=r"belong to \['summary of best'\]"):
        splice.filled(cards.CHECKLIST, {})
    assert text == page("reporting-checklist.md")


def test_numbers_of_the_stored_answers_are_the_same(stored, monkeypatch):
    """The weights `best` are those of the stored run best-seed-0: two ways to the same numbers."""
    card = stored["cards"]["best"]
    part = read_run("best-seed-0").parts["test"]
    score = metrics.headline(part.labels, part.probabilities, shares=np.array(card["shares"]))
    for key, value in score.items():
        number = card["headline"]["probability / share"][key]
        assert number["value"] == pytest.approx(value, abs=0.002), key
        assert number["low"] <= number["value"] <= number["high"]
    counts = [card["classes"][dx]["images"] for dx in DX]
    assert [sum(row) for row in card["confusion"]] == counts
    mel = card["alarm"]
    assert mel["hit"] + mel["missed"] == card["classes"]["mel"]["images"]
    share = mel["hit"] / (mel["hit"] + mel["missed"])
    assert mel["sensitivity"]["value"] == pytest.approx(share, abs=1e-5)
    monkeypatch.setattr(card_measure, "RESAMPLES", 50)
    warm = card_measure._calibrated(part.labels[::4], part.probabilities[::4], part.lesions[::4])
    for number in warm.values():
        assert number["low"] < number["value"] < number["high"]


def test_the_counts_are_those_of_the_data(stored, request):
    counts = stored["counts"]
    assert counts["phantom"] == card_measure.describe(load_ham10000(source="phantom"))
    folder = request.getfixturevalue("real_data_folder")
    dataset = load_ham10000(source=folder)
    # The same images can come in several forms, and Kaggle's metadata lack the column dataset.
    only = dict.fromkeys(("fingerprint", "source"))
    if dataset.metadata["dataset"].isna().all():
        only["dataset"] = None
    assert counts["ham10000"] | only == card_measure.describe(dataset) | only


def test_counts_agree_with_each_other_and_with_the_paper(stored):
    for name in ("ham10000", "phantom"):
        card = stored["counts"][name]
        images = {dx: row["images"] for dx, row in card["classes"].items()}
        assert list(images.values()) == [327, 514, 1099, 115, 6705, 142, 1113], name
        lesions = [row["lesions"] for row in card["classes"].values()]
        assert lesions == [228, 327, 727, 73, 5403, 98, 614], name
        for group in ("age", "sex", "site"):
            assert sum(row["images"] for row in card[group].values()) == card["images"] == 10015
            assert sum(row["melanoma images"] for row in card[group].values()) == images["mel"]
        for dx, row in card["classes"].items():
            parts = [row[part]["images"] for part in ("train", "validation", "test")]
            assert sum(parts) == images[dx] == sum(k[dx] for k in card["dx_type"].values())


def test_what_the_card_says_of_subgroups_is_so(stored):
    tables = stored["looking"]["subgroups"]["tables"]
    for name in ("best", "cross-validation"):
        rows = {(row["by"], row["group"]): row for row in tables[name]}
        sites = ("head and neck", "trunk", "arm", "leg")
        head, *others = (rows["body site", site]["sensitivity"]["value"] for site in sites)
        assert head < min(others)
        ways = ("follow-up", "histology")
        watched, cut = (rows["label by", way]["specificity"]["value"] for way in ways)
        assert watched > 0.98 and cut < rows["", "all"]["specificity"]["value"] - 0.1


@pytest.mark.parametrize(
    "number, text",
    [((0.5, 0.4, 0.6), "0.500 (0.400 to 0.600)"), ((0.5, None, 0.6), "0.500"), ((None,) * 3, "–")],
)
def test_an_interval_says_what_is_known(number, text):
    assert splice.cell(dict(zip(("value", "low", "high"), number, strict=True))) == text


# --- Links, items, sources -----------------------------------------------------------------------


def test_every_link_leads_to_a_page_and_a_heading_here_and_in_the_book(tmp_path):
    stage(tmp_path)
    toc = yaml.safe_load(page("_toc.yml"))
    listed = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    for name in CARDS:
        assert name.removesuffix(".md") in listed and links(name)
        for text, target in links(name):
            path = ((ROOT / name).parent / target).resolve()
            assert path.is_file(), f"{name}: there is no {target}"
            for heading in re.findall(r"\*([^*]+)\*", text):
                assert heading.replace("`", "") in headings(path), f"{target}: no {heading!r}"
            inside = path.relative_to(ROOT)
            assert (tmp_path / inside).is_file(), f"{name}: {target} is not in the book"
            assert inside.with_suffix("").as_posix() in listed, f"{target} is no page of the book"


def test_every_item_of_the_guideline_is_answered_or_it_is_said_why_not():
    lines = page("reporting-checklist.md").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [row for row in rows if len(row) == 4 and re.fullmatch(r"\d+[a-g]?", row[0])]
    assert [item for item, *_ in rows] == ITEMS and len(ITEMS) == 52
    for item, _, verdict, answer in rows:
        assert verdict in ("yes", "partly", "no", "–"), item
        if verdict == "yes":
            assert LINK.search(answer) or "summary above" in answer, f"{item} names no place"
        else:
            words = re.findall(r"\w{2,}", LINK.sub("", answer))
            assert len(words) >= 2, f"{item} does not say why not"


@pytest.mark.parametrize("name", CARDS)
def test_every_source_is_in_the_bibliography(name):
    bibliography = page("references.bib")
    for doi in re.findall(r"https://doi\.org/([^)\s]+(?:\([^)]*\))?[^)\s]*)", page(name)):
        assert doi.lower() in bibliography.lower() or doi.startswith("10.7910/DVN"), doi
    for key in re.findall(r"\{cite\}`([^`]+)`", page(name)):
        assert f"{{{key}," in bibliography


def test_readme_and_first_page_lead_to_the_cards():
    assert "](data/README.md)" in page("README.md") and "](models/README.md)" in page("README.md")
    assert "<data/README>" in page("intro.md") and "<models/README>" in page("intro.md")


def test_no_card_names_a_folder_of_this_computer():
    for path in (*CARDS, "data/card.json", "models/cards.json"):
        assert str(ROOT) not in page(path) and str(Path.home()) + "/" not in page(path)
