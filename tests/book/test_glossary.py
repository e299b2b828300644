"""The glossary: lists in order, no word twice; a copy's links to it lead to the published one."""

import re
from typing import NamedTuple

import nbformat
import pytest

from tools.book.course import ROOT, chapters
from tools.book.set_repository import pages_address
from tools.teach.student import student_copy, to_published

PAGE = ROOT / "teaching" / "glossary.md"
DIRECTIONS = ("Machine-learning words for biologists", "Dermatology words for programmers")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
CHAPTER = re.compile(r"[^\s()]*chapters/[^\s()]+\.ipynb")
BOOK = pages_address()
TERM, HTML = "../teaching/glossary.md#term-", "teaching/glossary.html#term-"


class Entry(NamedTuple):
    direction: str
    term: str
    definition: str


def parse(text: str) -> list[Entry]:
    """Return the entries of all glossary directives, each with the heading (##) it stands under."""
    entries = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        direction = section.partition("\n")[0].strip()
        for body in re.findall(r"^:::\{glossary\}\n(.*?)^:::", section, re.MULTILINE | re.DOTALL):
            # A line at the margin is a term, the indented lines below it are its definition.
            for item in re.split(r"\n(?=\S)", body.strip("\n")):
                term, _, definition = item.partition("\n")
                entries.append(Entry(direction, term.strip(" *"), " ".join(definition.split())))
    return entries


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


@pytest.mark.parametrize("link, published", [
    (f"**[Nevi]({TERM}nevus)**", f"**[Nevi]({BOOK}/{HTML}nevus)**"),
    (f"[balanced\naccuracy]({TERM}x)", f"[balanced\naccuracy]({BOOK}/{HTML}x)"),
    ("[a](../try-it.md) b", f"[a]({BOOK}/try-it.html) b"),
    *[(same, same) for same in ("[b](https://a.example/x.html)", "[c](05_x.ipynb)")],
])  # fmt: skip
def test_links_of_a_copy_lead_to_the_published_book(link, published):
    assert to_published(link) == published


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_links_lead_to_pages_and_no_address_stands_in_the_text(path):
    """The set-up cell alone names the published book; to it lead the links of a student's copy."""
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert BOOK not in text and f"<{BOOK}>" in notebook.cells[2].source
    for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text):
        assert (path.parent / link).is_file(), f"{path.name} links to {link}"
    copy = student_copy(notebook).cells
    assert not [cell.source for cell in copy if "](../" in cell.source]
