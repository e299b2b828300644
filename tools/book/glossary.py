"""The glossary: its entries, and the chapters' links to it.

A chapter links to the glossary's file, and to other pages of the book; the book gets MyST's
``{term}`` in its place (`within_book`), and a copy that leaves the course the published page.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from tools.book.course import ROOT
from tools.book.set_repository import pages_address

PAGE = "teaching/glossary.md"


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


def terms() -> tuple[str, ...]:
    """Return the terms of the glossary in the order of the page."""
    return tuple(entry.term for entry in parse((ROOT / PAGE).read_text(encoding="utf-8")))


def anchor(term: str) -> str:
    """Return the name of a term's place in the glossary's page, as Sphinx makes it."""
    plain = unicodedata.normalize("NFKD", term).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-zA-Z0-9._]+", "-", " ".join(plain.split()))
    return "term-" + re.sub(r"^[^a-zA-Z]+|-+$", "", name)


def within_book() -> Callable[[str], str]:
    """Return a function that makes a chapter's links to the glossary MyST's terms."""
    term_of = {anchor(term): term for term in terms()}

    def role(match: re.Match) -> str:
        term = term_of.get(match[2])
        return f"{{term}}`{' '.join(match[1].split())} <{term}>`" if term else match[0]

    to_term = re.compile(rf"\[([^\]]+)\]\(\.\./{re.escape(PAGE)}#([^)\s]*)\)")
    return lambda markdown: to_term.sub(role, markdown)


def to_published(markdown: str) -> str:
    """Return a chapter's text with its links to pages of the book leading to the published ones."""
    page = rf"]({pages_address()}/\1.html\2)"
    return re.sub(r"\]\(\.\./([\w/-]+)\.md(#[^)\s]*)?\)", page, markdown)
