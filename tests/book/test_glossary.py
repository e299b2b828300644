"""The glossary: lists in order, no word twice; a copy's links to it lead to the published one."""

import re

import nbformat
import pytest

from tools.book.course import ROOT, chapters
from tools.book.set_repository import pages_address
from tools.teach.student import student_copy, to_published

PAGE = ROOT / "teaching" / "glossary.md"
DIRECTIONS = ("Machine-learning words for biologists", "Dermatology words for programmers")
BOOK = pages_address()
TERM, HTML = "../teaching/glossary.md#term-", "teaching/glossary.html#term-"


def test_the_page_has_two_directions_in_order_and_no_word_twice():
    """Terms stand at the margin; letters and digits alone decide their order, in any case."""
    terms = {}
    for section in re.split(r"(?m)^## ", PAGE.read_text(encoding="utf-8"))[1:]:
        glossaries = re.findall(r"(?ms)^:::\{glossary\}\n(.*?)^:::", section)
        found = re.findall(r"(?m)^\S.*", "\n".join(glossaries))
        if found:
            heading = section.partition("\n")[0].strip()
            terms[heading] = [re.sub(r"[\W_]", "", term.casefold()) for term in found]
    assert tuple(terms) == DIRECTIONS and min(map(len, terms.values())) >= 30
    assert all(own == sorted(own) for own in terms.values())
    assert len(set().union(*terms.values())) == sum(map(len, terms.values()))


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
