"""The glossary: lists in order, no word twice, good links; its words are linked in the chapters."""

import copy
import re

import nbformat
import pytest

from tools.book import glossary
from tools.book.course import ROOT, chapters
from tools.book.glossary import Entry, anchor, link_first_uses, parse, within_book
from tools.book.render import stage
from tools.book.set_repository import pages_address, set_address

PAGE = ROOT / "teaching" / "glossary.md"
DIRECTIONS = ("Machine-learning words for biologists", "Dermatology words for programmers")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
CHAPTER = re.compile(r"[^\s()]*chapters/[^\s()]+\.ipynb")
PUBLISHED = f"{pages_address()}/teaching/glossary.html#"


def order(term: str) -> str:
    """Letters and digits alone decide the order, large and small alike."""
    return "".join(c for c in term.casefold() if c.isalnum())


def faults(entries: list[Entry]) -> list[str]:
    """Return what is wrong with the entries, one sentence each."""
    faults = []
    for one, other in zip(entries, entries[1:], strict=False):
        if one.direction == other.direction and order(one.term) > order(other.term):
            faults.append(f"{other.term!r} stands after {one.term!r}")
    terms = [order(entry.term) for entry in entries]
    for entry in entries:
        if terms.count(order(entry.term)) > 1:
            faults.append(f"{entry.term!r} is there twice")
        length = len(LINK.sub(r"\1", entry.definition))  # a link counts with its words
        if not 20 <= length <= 500:
            faults.append(f"{entry.term!r} is explained in {length} characters")
        for target in CHAPTER.findall(entry.definition):
            if not (PAGE.parent / target).is_file():
                faults.append(f"{entry.term!r} points to {target}, which is not there")
    return faults


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return parse(PAGE.read_text(encoding="utf-8"))


def test_the_page_has_two_directions_and_keeps_the_rules(entries):
    counts = {name: sum(e.direction == name for e in entries) for name in DIRECTIONS}
    assert sum(counts.values()) == len(entries) >= 70
    assert min(counts.values()) >= 30, counts
    assert faults(entries) == []


def test_chapter_links_are_links_and_say_which_chapter(entries):
    linked = 0
    for entry in entries:
        links = [pair for pair in LINK.findall(entry.definition) if "chapters/" in pair[1]]
        assert [address for _, address in links] == CHAPTER.findall(entry.definition), entry.term
        for words, address in links:
            number = re.search(r"chapters/(\d\d)_", address)[1]
            assert words == f"chapter {int(number)}", f"{entry.term}: {words}, {address}"
        linked += len(links)
    assert linked >= 60


def test_every_word_of_dermatology_has_a_source(entries):
    sources = PAGE.read_text(encoding="utf-8").split("\n## Sources\n")[1]
    items = [" ".join(item.split()) for item in sources.split("\n- ")[1:]]
    assert all(re.match(r"\[[^\]]+\]\(https?://", item) for item in items)
    lists = (item.rsplit(": ", 1)[1].rstrip(".").split(",") for item in items)
    named = {term.strip() for words in lists for term in words}
    assert named == {entry.term for entry in entries if entry.direction == DIRECTIONS[1]}


GOOD = """\
## Words

:::{glossary}

**Alpha**
  The first letter of the Greek alphabet,
  see [chapter 1](../chapters/01_data_overview.ipynb).

beta
  The second letter of the Greek alphabet.

:::
"""


@pytest.mark.parametrize("fence", [":::", "```"])
def test_the_parser_reads_a_small_page_in_both_spellings(fence):
    alpha, beta = parse(GOOD.replace(":::", fence))
    assert (alpha.direction, alpha.term, beta.term) == ("Words", "Alpha", "beta")
    assert alpha.definition.startswith("The first letter of the Greek alphabet, see [chapter")
    assert faults([alpha, beta]) == []
    assert parse("## Words\n\nAlpha\n  outside of any directive\n") == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("beta", "aleph", "'aleph' stands after 'Alpha'"),
        ("beta", "alpha", "'alpha' is there twice"),
        ("The second letter of the Greek alphabet.", "Greek.", "explained in 6 characters"),
        ("The second", "The " + "very " * 100 + "second", "explained in 540 characters"),
        ("01_data_overview", "01_nothing", "01_nothing.ipynb, which is not there"),
        ("\n:::\n", "\n", "a glossary directive is not closed"),
        ("**Alpha**\n", "", "a definition without a term: 'The first letter"),
        ("  The second letter of the Greek alphabet.\n", "", "'beta' has no definition"),
    ],
)
def test_broken_entries_and_directives_are_found(old, new, complaint):
    assert GOOD.count(old) == 1
    try:
        complaints = faults(parse(GOOD.replace(old, new)))
    except ValueError as error:
        complaints = [str(error)]
    assert any(complaint in one for one in complaints), complaints


# --- Links from the chapters ----------------------------------------------------------------------

MOST_LINKS = 45  # in a chapter; with more, a page is blue
TEXT = """\
## A nevus in a heading

Two Nevi, `melanoma` as code, a [melanoma elsewhere](x.ipynb), and then a
**melanoma**. Balanced
accuracy is not accuracy. The lesion-grouped split; a lesion's edge.

| nevus | dermatofibroma |
|---|---|

> A dermatofibroma in a quotation.

<details><summary>Hint</summary>

A dermatofibroma.

</details>

The weight of a person. No basal cell carcinomas, and a second melanoma.
"""


def chapter(*texts):
    front = ("# A nevus", "> a nevus", "set-up: nevus")
    cells = [nbformat.v4.new_markdown_cell(text) for text in (*front, *texts)]
    return nbformat.v4.new_notebook(cells=cells)


def links(notebook) -> list[tuple[str, str]]:
    """Return words and anchor of every link to the published glossary, in order."""
    link = re.compile(rf"\[([^\]]+)\]\({re.escape(PUBLISHED)}([^)]*)\)")
    return [pair for cell in notebook.cells for pair in link.findall(cell.source)]


def test_first_uses_in_running_prose_are_linked():
    notebook = link_first_uses(chapter(TEXT, "Again a nevus; a Dermatofibroma.", "## In one minute",
                                       "A biopsy."))  # fmt: skip
    assert links(notebook) == [
        ("Nevi", "term-nevus"),
        ("melanoma", "term-melanoma"),
        ("Balanced\naccuracy", "term-balanced-accuracy"),
        ("accuracy", "term-accuracy"),
        ("split", "term-split"),
        ("lesion", "term-lesion"),
        ("basal cell carcinomas", "term-basal-cell-carcinoma"),
        ("Dermatofibroma", "term-dermatofibroma"),
    ]
    assert "**[melanoma](" in notebook.cells[3].source
    assert "lesion-grouped [split]" in notebook.cells[3].source


def test_linking_again_changes_nothing_and_follows_the_text():
    notebook = link_first_uses(chapter(TEXT))
    assert link_first_uses(copy.deepcopy(notebook)) == notebook
    notebook.cells.insert(3, nbformat.v4.new_markdown_cell("An earlier melanoma."))
    link_first_uses(notebook)
    assert links(notebook)[0] == ("melanoma", "term-melanoma")
    assert sum(name == "term-melanoma" for _, name in links(notebook)) == 1


def test_a_link_made_by_hand_stays():
    text = f"A parameter; [a parameter]({PUBLISHED}term-parameter) of the network."
    assert links(link_first_uses(chapter(text))) == [("a parameter", "term-parameter")]


def test_every_term_is_found_in_its_own_form_and_plural():
    for term in glossary.terms():
        word = term if term not in glossary.ONLY else next(iter(glossary.ONLY[term]), None)
        if word:
            linked = links(link_first_uses(chapter(f"Once {word} here.")))
            assert [name for _, name in linked] == [anchor(term)], term
    for plural, term in [
        ("metastases", "metastasis"), ("biopsies", "biopsy"), ("solar lentigines", "solar lentigo"),
        ("confusion matrices", "confusion matrix"), ("actinic keratoses", "actinic keratosis"),
    ]:  # fmt: skip
        assert links(link_first_uses(chapter(f"Two {plural}."))) == [(plural, anchor(term))]


BOOK = pages_address()


@pytest.mark.parametrize(
    ("link", "within"),
    [
        (f"**[Nevi]({PUBLISHED}term-nevus)**", "**{term}`Nevi <nevus>`**"),
        (f"[balanced\naccuracy]({PUBLISHED}term-balanced-accuracy)",
         "{term}`balanced accuracy <balanced accuracy>`"),
        (f"[x]({PUBLISHED}term-nothing)", "[x](../teaching/glossary.md#term-nothing)"),
        (f"[a]({BOOK}/try-it.html) b", "[a](../try-it.md) b"),
        (f"[b]({BOOK}/teaching/case-card-1.html#x).", "[b](../teaching/case-card-1.md#x)."),
        *[(same, same) for same in (f"[a]({BOOK}/no-page.html)", "[b](https://a.example/x.html)",
                                    "[c](05_x.ipynb)")],
    ],
)  # fmt: skip
def test_links_to_the_published_book_lead_within_it(link, within):
    assert within_book()(link) == within


def test_the_published_address_follows_the_repository(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text(encoding="utf-8"))
    path = tmp_path / "chapters" / "01_x.ipynb"
    nbformat.write(link_first_uses(chapter("A nevus.")), path)
    for new, pages in [
        ("https://github.com/somebody/their-course", "https://somebody.github.io/their-course"),
        ("https://github.com/other/other.github.io", "https://other.github.io"),
        ("https://github.com/third/reading-skin", "https://third.github.io/reading-skin"),
    ]:
        set_address(new, tmp_path)
        assert pages_address(tmp_path) == pages
        source = nbformat.read(path, 4).cells[3].source
        assert source == f"A [nevus]({pages}/teaching/glossary.html#term-nevus)."


@pytest.mark.parametrize("path", glossary.linked_chapters(), ids=lambda path: path.stem)
def test_a_chapter_links_each_term_once_at_its_first_use(path):
    notebook = nbformat.read(path, as_version=4)
    linked = [name for _, name in links(notebook)]
    assert len(linked) == len(set(linked)) <= MOST_LINKS, "too many, or a term is linked twice"
    assert set(linked) <= {anchor(term) for term in glossary.terms()}
    again = link_first_uses(copy.deepcopy(notebook))
    missing = [one for one in links(again) if one not in links(notebook)]
    assert [c.source for c in again.cells] == [c.source for c in notebook.cells], (
        f"{path.name}: run `python -m tools.book.glossary`; it would link {missing}"
    )


def test_staged_chapters_hold_no_link_to_the_published_book(tmp_path):
    stage(tmp_path)
    assert len(list((tmp_path / "chapters").glob("*.ipynb"))) == len(chapters())
    for path in chapters():
        staged = nbformat.read(tmp_path / "chapters" / path.name, as_version=4)
        prose = [c.source for c in staged.cells if c.cell_type == "markdown"]
        assert pages_address() not in "\n".join(prose), path.name
        stored = nbformat.read(path, as_version=4)
        assert [c.get("outputs") for c in staged.cells] == [c.get("outputs") for c in stored.cells]


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_links_to_pages_work_on_colab_and_lead_somewhere(path):
    """A relative link leads nowhere on Colab, so chapters name the published page."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "](../" not in text
    for name in re.findall(rf"\({re.escape(pages_address())}/([^)#\s]+)\.html", text):
        assert (ROOT / f"{name}.md").is_file(), f"{path.name} links to {name}.html"
