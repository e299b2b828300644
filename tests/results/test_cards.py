"""The cards say what is stored, what is stored fits data and weights, and every link leads on."""

import copy
import hashlib
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from tools.book.course import ROOT
from tools.book.render import stage
from tools.results import card_data, card_looking, card_measure, card_models, cards
from utils.classes import DX
from utils.data import load_ham10000
from utils.weights import MODELS, read_certificate

CARDS = ("data/README.md", "models/README.md", "reporting-checklist.md")
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
# The items of TRIPOD+AI, Collins and others 2024, table 2.
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef"}
PARTS |= {20: "abc", 23: "ab", 27: "abc"}
ITEMS = [f"{item}{part}" for item in range(1, 28) for part in PARTS.get(item, " ")]


@pytest.fixture(scope="module")
def written():
    """What the tool would write, by the path."""
    return {str(path.relative_to(ROOT)): text for path, text in cards.pages().items()}


@pytest.fixture(scope="module")
def phantom():
    return load_ham10000(source="phantom")


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def links(name):
    """Text and target of every link within the repository."""
    for found in LINK.finditer(page(name)):
        if not found["target"].startswith(("http", "mailto:")):
            yield found["text"], found["target"]


def headings(path):
    """The headings of a page or notebook, without marks of code."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    return [line.replace("`", "") for line in re.findall(r"(?m)^#+ (.+?)\s*$", text)]


# --- pages and stored numbers --------------------------------------------------------------------


@pytest.mark.parametrize("name", CARDS)
def test_a_page_holds_what_the_tool_would_write(name, written):
    assert page(name) == written[name], "python -m tools.results.cards --pages writes it"


def test_every_page_is_compared(written):
    assert sorted(written) == sorted(CARDS)


def test_stored_numbers_are_those_of_the_published_weights():
    stored = cards.read(cards.NUMBERS)
    for name in card_models.REAL:
        weights = hashlib.sha256((MODELS / f"{name}.weights.h5").read_bytes()).hexdigest()
        assert stored[name]["weights_sha256"] == weights, f"{name}: python -m tools.results.cards"
        certificate = read_certificate(name)
        assert stored[name]["data"] == certificate.data
        assert stored[name]["split"] == certificate.split
        assert stored[name]["images"] == certificate.split["test"]
    assert cards.read(cards.COUNTS)["ham10000"]["fingerprint"] == certificate.data["fingerprint"]


@pytest.mark.parametrize("name", card_models.REAL)
def test_other_weights_are_noticed(name):
    stored, demo = cards.read(cards.NUMBERS), cards.read(MODELS / "demo.json")
    other = copy.deepcopy(stored)
    other[name]["weights_sha256"] = "0" * 64
    with pytest.raises(cards.CardError, match=f"cards.json, {name}.*python -m tools.results.cards"):
        card_models.sections(other, demo)


def test_numbers_that_moved_are_noticed():
    stored, demo = cards.read(cards.NUMBERS), cards.read(MODELS / "demo.json")
    stored["best"]["headline"]["probability / share"]["macro AUC"]["low"] -= 0.01
    sections = card_models.sections(stored, demo) | card_looking.sections()
    assert cards.spliced(page("models/README.md"), sections, "x") != page("models/README.md")


def test_numbers_of_the_stored_answers_are_the_same():
    """The weights `best` are those of the stored run best-seed-0: two ways to the same numbers."""
    from utils import metrics, studies

    card = cards.read(cards.NUMBERS)["best"]
    part = studies.read_run("best-seed-0").parts["test"]
    score = metrics.headline(part.labels, part.probabilities, shares=card["shares"])
    for key, value in score.items():
        found = card["headline"]["probability / share"][key]
        assert found["value"] == pytest.approx(value, abs=0.002), key
        assert found["low"] <= found["value"] <= found["high"]
    rows = card["confusion"]
    assert [sum(row) for row in rows] == [card["classes"][dx]["images"] for dx in DX]
    mel = card["alarm"]
    assert mel["hit"] + mel["missed"] == card["classes"]["mel"]["images"]
    assert mel["sensitivity"]["value"] == pytest.approx(
        mel["hit"] / (mel["hit"] + mel["missed"]), abs=1e-5
    )


def test_a_page_without_a_marker_is_refused():
    text = page("data/README.md")
    sections = card_data.sections(cards.read(cards.COUNTS), cards.read(cards.DATA / "phantom.json"))
    with pytest.raises(cards.CardError, match="not so for: labels"):
        cards.spliced(text.replace("<!-- counted: labels -->", ""), sections, "README.md")
    with pytest.raises(cards.CardError, match="not so for: more"):
        cards.spliced(text, sections | {"more": ""}, "README.md")


# --- counts --------------------------------------------------------------------------------------


def test_the_phantoms_counts(phantom):
    assert cards.read(cards.COUNTS)["phantom"] == card_measure.describe(phantom)


def test_the_real_counts(real_data_folder):
    real = load_ham10000(source=real_data_folder)
    found, stored = card_measure.describe(real), cards.read(cards.COUNTS)["ham10000"]
    for only in ("fingerprint", "source"):  # the same images can come in several forms
        found.pop(only), stored.pop(only)
    assert found == stored


def test_counts_agree_with_each_other_and_with_the_paper():
    for name, card in cards.read(cards.COUNTS).items():
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


# --- what chapter 9 adds -------------------------------------------------------------------------


def looked(value=0.5, *, weights=None):
    """As tools/results/look_inside.py stores it, in small."""
    number = {"value": value, "low": 0.4, "high": 0.6}
    group = {"by": "age", "group": "under 40", "images": 9, "lesions": 8, "melanomas": 3}
    group |= {"melanoma lesions": 2, "sensitivity": dict.fromkeys(number), "specificity": number}
    gap = {"gap": 0.1, "median gap by lot": 0.08, "as large by lot": 0.3}
    names = ("best", "cross-validation", "original")
    level = {"relative error": number, "balanced accuracy": number}
    blur = {"clean": {}, "blur": dict.fromkeys(card_looking.STRENGTHS, level)}
    ruler = ("changed decisions", "melanoma probability", "melanomas found")
    own = {name: read_certificate(name).weights_sha256 for name in card_models.REAL}
    return {
        "made_from": {"weights": weights or own},
        "subgroups": {
            "tables": {name: [group] for name in names},
            "gaps": {name: {"sensitivity": {"age": gap}} for name in names},
        },
        "corruptions": dict.fromkeys(card_models.REAL, blur),
        "clinics": dict.fromkeys(card_models.REAL, blur),
        "shortcuts": dict.fromkeys(card_models.REAL, {"ruler": dict.fromkeys(ruler, number)}),
    }


def test_subgroups_and_corruptions_are_shown_and_belong_to_the_weights():
    found = card_looking.sections(looked())
    assert "| age: under 40 | 9 | 8 | 3 | 2 | – | 0.500 (0.400 to 0.600) |" in found["subgroups"]
    assert "0.080 | 30 % |" in found["gaps"]
    assert found["corruptions"].count("| blur | 0.50 | 0.50 | 0.50 | 0.50 | 0.50 |") == 2
    assert "clean" not in found["clinics"] and "| ruler | 0.500" in found["artefacts"]
    with pytest.raises(cards.CardError, match="other weights than best"):
        card_looking.sections(looked(weights=dict.fromkeys(card_models.REAL, "0")))


def test_what_chapter_9_measured_stands_in_the_card():
    measured = card_looking.FILE.is_file()
    assert measured == (card_looking.NOT_YET not in page("models/README.md"))


def test_what_the_card_says_of_subgroups_is_so():
    if not card_looking.FILE.is_file():
        pytest.skip("models/looking_inside.json is not there yet")
    tables = cards.read(card_looking.FILE)["subgroups"]["tables"]
    for name in ("best", "cross-validation"):
        rows = {(row["by"], row["group"]): row for row in tables[name]}
        head, *others = (
            rows["body site", site]["sensitivity"]["value"]
            for site in ("head and neck", "trunk", "arm", "leg")
        )
        assert head < min(others)
        watched, cut = (
            rows["label by", way]["specificity"]["value"] for way in ("follow-up", "histology")
        )
        assert watched > 0.98 and cut < rows["", "all"]["specificity"]["value"] - 0.1


# --- links, items, sources -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CARDS)
def test_every_link_leads_to_a_page_and_a_heading(name):
    found = list(links(name))
    assert found
    for text, target in found:
        path = ((ROOT / name).parent / target).resolve()
        assert path.is_file(), f"{name}: there is no {target}"
        for heading in re.findall(r"\*([^*]+)\*", text):
            assert heading.replace("`", "") in headings(path), (
                f"{name}: {target} has no heading {heading!r}"
            )


def test_links_lead_to_pages_of_the_book_too(tmp_path):
    stage(tmp_path / "book")
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    for name in CARDS:
        assert name.removesuffix(".md") in listed
        for _, target in links(name):
            path = ((tmp_path / "book" / name).parent / target).resolve()
            assert path.is_file(), f"{name}: {target} is not in the book"
            inside = path.relative_to((tmp_path / "book").resolve()).with_suffix("")
            assert inside.as_posix() in listed, f"{name}: {target} is no page of the book"


def items():
    """Item, verdict and answer of each line of the checklist."""
    for line in page("reporting-checklist.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"\d+[a-g]?", cells[0]):
            yield cells[0], cells[2], cells[3]


def test_every_item_of_the_guideline_is_there_once_and_in_order():
    assert [item for item, *_ in items()] == [item.strip() for item in ITEMS]
    assert len(ITEMS) == 52


def test_every_item_is_answered_or_it_is_said_why_not():
    for item, verdict, answer in items():
        assert verdict in ("yes", "partly", "no", "–"), item
        if verdict == "yes":
            assert LINK.search(answer) or "summary above" in answer, f"{item} names no place"
        else:
            said = LINK.sub("", answer)
            assert len(re.findall(r"\w{2,}", said)) >= 2, f"{item} does not say why not"


@pytest.mark.parametrize("name", CARDS)
def test_every_source_is_in_the_bibliography(name):
    bibliography = page("references.bib").lower()
    for doi in re.findall(r"https://doi\.org/([^)\s]+(?:\([^)]*\))?[^)\s]*)", page(name)):
        assert doi.lower() in bibliography or doi.startswith("10.7910/DVN"), doi
    for key in re.findall(r"\{cite\}`([^`]+)`", page(name)):
        assert f"{{{key}," in page("references.bib")


def test_readme_and_first_page_lead_to_the_cards():
    assert "](data/README.md)" in page("README.md") and "](models/README.md)" in page("README.md")
    assert "<data/README>" in page("intro.md") and "<models/README>" in page("intro.md")


def test_no_card_names_a_folder_of_this_computer():
    for path in (*map(Path, CARDS), Path("data/card.json"), Path("models/cards.json")):
        text = page(path)
        assert str(ROOT) not in text and str(Path.home()) + "/" not in text
