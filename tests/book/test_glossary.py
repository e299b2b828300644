"""The glossary: lists in order, no word twice; links to it, and within the book, lead somewhere."""

import re

import nbformat
import pytest

from tools.book.course import ROOT, chapters
from tools.book.glossary import Entry, anchor, parse, terms, to_published, within_book
from tools.book.set_repository import pages_address
from tools.teach.student import student_copy

PAGE = ROOT / "teaching" / "glossary.md"
DIRECTIONS = ("Machine-learning words for biologists", "Dermatology words for programmers")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
CHAPTER = re.compile(r"[^\s()]*chapters/[^\s()]+\.ipynb")
BOOK = pages_address()
TERM, HTML = "../teaching/glossary.md#term-", "teaching/glossary.html#term-"


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
    ("link", "within", "published"),
    [
        (f"**[Nevi]({TERM}nevus)**", "**{term}`Nevi <nevus>`**", f"**[Nevi]({BOOK}/{HTML}nevus)**"),
        (f"[balanced\naccuracy]({TERM}balanced-accuracy)",
         "{term}`balanced accuracy <balanced accuracy>`",
         f"[balanced\naccuracy]({BOOK}/{HTML}balanced-accuracy)"),
        (f"[x]({TERM}nothing)", f"[x]({TERM}nothing)", f"[x]({BOOK}/{HTML}nothing)"),
        ("[a](../try-it.md) b", "[a](../try-it.md) b", f"[a]({BOOK}/try-it.html) b"),
        *[(same, same, same) for same in ("[b](https://a.example/x.html)", "[c](05_x.ipynb)")],
    ],
)  # fmt: skip
def test_links_lead_within_the_book_and_from_a_copy_to_the_published_one(link, within, published):
    assert within_book()(link) == within
    assert to_published(link) == published


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_links_lead_to_terms_and_pages_and_no_address_stands_in_the_text(path):
    """The set-up cell alone names the published book; to it lead the links of a student's copy."""
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert BOOK not in text and f"<{BOOK}>" in notebook.cells[2].source
    unknown = set(re.findall(rf"\({re.escape(TERM)}([^)]*)\)", text)) - {
        anchor(term).removeprefix("term-") for term in terms()
    }
    assert not unknown, f"{path.name} links to {unknown}, which the glossary does not have"
    for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text):
        assert (path.parent / link).is_file(), f"{path.name} links to {link}"
    copy = student_copy(notebook).cells
    assert not [cell.source for cell in copy if "](../" in cell.source]
