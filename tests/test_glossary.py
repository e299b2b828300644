"""The glossary: lists in order, no word twice, definitions of a readable length, good links."""

import re
from dataclasses import dataclass

import pytest

from tools.course import ROOT

PAGE = ROOT / "teaching" / "glossary.md"
DIRECTIONS = ("Machine-learning words for biologists", "Dermatology words for programmers")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
CHAPTER = re.compile(r"[^\s()]*chapters/[^\s()]+\.ipynb")


@dataclass(frozen=True)
class Entry:
    """One term with its definition, as it stands in the page (lines joined)."""

    direction: str
    term: str
    definition: str

    @property
    def plain(self) -> str:
        """The definition as it is read: a link counts with its words, not with its address."""
        return LINK.sub(r"\1", self.definition)


def parse(text: str) -> list[Entry]:
    """Return the entries of all glossary directives, each with the heading (##) it stands under.

    A directive begins with ``:::{glossary}`` or the same with backticks. In it, a line at the
    margin is a term, bold or not, and the indented lines below it are its definition.

    Raises
    ------
    ValueError
        If a directive is not closed, a definition has no term, or a term has no definition.
    """
    entries: list[Entry] = []
    direction, fence, term, lines = "", "", "", []

    def close(number: int) -> None:
        nonlocal term, lines
        if term and not lines:
            raise ValueError(f"line {number}: the term {term!r} has no definition")
        if term:
            entries.append(Entry(direction, term, " ".join(lines)))
        term, lines = "", []

    for number, line in enumerate(text.splitlines(), 1):
        opening = re.fullmatch(r"(:{3,}|`{3,})\{glossary\}\s*", line)
        if not fence and opening:
            fence = opening[1]
        elif not fence and line.startswith("## "):
            direction = line[3:].strip()
        elif fence and line.strip() == fence:
            close(number)
            fence = ""
        elif fence and line.startswith((" ", "\t")) and line.strip():
            if not term:
                raise ValueError(f"line {number}: a definition without a term: {line.strip()!r}")
            lines.append(line.strip())
        elif fence and line.strip():
            close(number)
            term = line.strip().removeprefix("**").removesuffix("**")
    if fence:
        raise ValueError(f"a glossary directive is not closed; its last term is {term!r}")
    return entries


def order(term: str) -> str:
    """Letters and digits alone decide the order, large and small alike."""
    return "".join(c for c in term.casefold() if c.isalnum())


def faults(entries: list[Entry], page=PAGE) -> list[str]:
    """Return what is wrong with the entries, one sentence each."""
    found = []
    for one, other in zip(entries, entries[1:], strict=False):
        if one.direction == other.direction and order(one.term) > order(other.term):
            found.append(f"{other.term!r} stands after {one.term!r}")
    terms = [order(entry.term) for entry in entries]
    for entry in entries:
        if terms.count(order(entry.term)) > 1:
            found.append(f"{entry.term!r} is there twice")
        if not 20 <= len(entry.plain) <= 500:
            found.append(f"{entry.term!r} is explained in {len(entry.plain)} characters")
        for target in CHAPTER.findall(entry.definition):
            if not (page.parent / target).is_file():
                found.append(f"{entry.term!r} points to {target}, which is not there")
    return found


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
        links = LINK.findall(entry.definition)
        addresses = [address for _, address in links if "chapters/" in address]
        assert addresses == CHAPTER.findall(entry.definition), entry.term
        for words, address in links:
            if "chapters/" in address:
                number = re.search(r"chapters/(\d\d)_", address)[1]
                assert words == f"chapter {int(number)}", f"{entry.term}: {words}, {address}"
                linked += 1
    assert linked >= 60


def test_every_word_of_dermatology_has_a_source(entries):
    sources = PAGE.read_text(encoding="utf-8").split("\n## Sources\n")[1]
    items = [" ".join(item.split()) for item in sources.split("\n- ")[1:]]
    assert all(re.match(r"\[[^\]]+\]\(https?://", item) for item in items)
    named = {
        term.strip() for item in items for term in item.rsplit(": ", 1)[1].rstrip(".").split(",")
    }
    words = {entry.term for entry in entries if entry.direction == DIRECTIONS[1]}
    assert named == words


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


def test_the_parser_reads_a_small_page_in_both_spellings():
    for fence in (":::", "```"):
        alpha, beta = parse(GOOD.replace(":::", fence))
        assert (alpha.direction, alpha.term, beta.term) == ("Words", "Alpha", "beta")
        assert alpha.definition.startswith("The first letter of the Greek alphabet, see [chapter")
        assert alpha.plain == "The first letter of the Greek alphabet, see chapter 1."
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
    ],
)
def test_broken_entries_are_found(old, new, complaint):
    assert old in GOOD
    found = faults(parse(GOOD.replace(old, new)))
    assert len(found) >= 1 and any(complaint in fault for fault in found), found


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("\n:::\n", "\n", "not closed; its last term is 'beta'"),
        ("**Alpha**\n", "", "line 5: a definition without a term"),
        ("  The second letter of the Greek alphabet.\n", "", "'beta' has no definition"),
    ],
)
def test_broken_directives_are_refused(old, new, complaint):
    assert GOOD.count(old) == 1
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse(GOOD.replace(old, new))
