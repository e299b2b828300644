"""The glossary: lists in order, no word twice; links to it, and within the book, lead somewhere."""

import re

import nbformat
import pytest

from tools.book.course import ROOT, chapters
from tools.book.glossary import Entry, anchor, parse, terms, within_book
from tools.book.set_repository import pages_address

PAGE = ROOT / "teaching" / "glossary.md"
DIRECTIONS = ("Machine-learning words for biologists", "Dermatology words for programmers")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
CHAPTER = re.compile(r"[^\s()]*chapters/[^\s()]+\.ipynb")
BOOK = pages_address()
PUBLISHED = f"{BOOK}/teaching/glossary.html#"


def order(entry: Entry) -> str:
    """Letters and digits alone decide the order, large and small alike."""
    return "".join(c for c in entry.term.casefold() if c.isalnum())


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return parse(PAGE.read_text(encoding="utf-8"))


def test_the_page_has_two_directions_in_order_and_no_word_twice(entries):
    lists = [[e for e in entries if e.direction == name] for name in DIRECTIONS]
    assert sum(lists, []) == entries and min(map(len, lists)) >= 30
    assert all(one == sorted(one, key=order) for one in lists)
    assert len({order(entry) for entry in entries}) == len(entries)


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


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_links_work_on_colab_and_lead_to_terms_and_pages(path):
    """A relative link leads nowhere on Colab, so chapters name the published page."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "](../" not in text
    linked = set(re.findall(rf"\({re.escape(PUBLISHED)}([^)]*)\)", text))
    unknown = linked - {anchor(term) for term in terms()}
    assert not unknown, f"{path.name} links to {unknown}, which the glossary does not have"
    for name in re.findall(rf"\({re.escape(BOOK)}/([^)#\s]+)\.html", text):
        assert (ROOT / f"{name}.md").is_file(), f"{path.name} links to {name}.html"
