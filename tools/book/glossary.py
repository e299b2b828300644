"""Link the first use of each word of the glossary in every chapter.

    python -m tools.book.glossary

The links lead to the published book, so that they work in Colab and JupyterLab too; the book
itself gets MyST's ``{term}`` in their place (`as_roles`) and links within. Only Markdown cells
change, so no chapter has to run again.
"""

import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nbformat

from tools.book.course import ROOT, chapters
from tools.book.set_repository import pages_address
from utils.files import replace_file

PAGE = "teaching/glossary.md"
# Other words for a term, beside its plural.
ALSO = {
    "bias (in data)": ("selection bias",),
    "dermatoscopy": ("dermoscopy",),
    "nevus": ("melanocytic nevus",),
    "over-fitting": ("overfitting",),
    "principal component analysis": ("PCA",),
    "vascular lesion": (),
}
# Words with an everyday meaning too are linked in these phrases only, and never where there are
# none. A link that somebody wrote by hand stays.
ONLY = {
    "bias (in a layer)": (),
    "bias (in data)": ("selection bias",),
    "consensus": (),
    "dx": (),
    "dx_type": (),
    "follow-up": (),
    "interval": ("95 % interval", "interval"),
    "kernel (in a convolution)": (),
    "kernel (of a notebook)": (),
    "localization": (),
    "parameter": (),
    "prior": (),
    "symmetry": (),
    "weight": (),
}
# What is no running prose, or is a link already.
MASKED = re.compile(
    r"""
    ^```.*?^```\s*$                       # blocks of code
    | `[^`\n]+`                           # code in a line
    | \$\$.*?\$\$ | \$[^$\n]+\$           # formulas
    | ^\#.*?$                             # headings
    | ^\|.*?$                             # tables
    | ^>.*?$                              # block quotes: the box, a case
    | !?\[[^\]]*\]\([^)]*\)               # links and pictures
    | \[[^\]]*\]\[[^\]]*\]
    | \{[\w:-]+\}`[^`]*`                  # MyST's roles
    | <https?://[^>]*> | https?://\S+
    | <details>.*?</details>              # folded text
    | <[^<>]+>                            # tags
    | \*\*[\d.,\s×%/]+\*\*                # computed numbers
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
IRREGULAR = (("us", "i"), ("is", "es"), ("y", "ies"), ("ix", "ices"), ("igo", "igines"))


@dataclass(frozen=True)
class Entry:
    """One term with its definition, as it stands in the page (lines joined)."""

    direction: str
    term: str
    definition: str

    @property
    def plain(self) -> str:
        """The definition as it is read: a link counts with its words, not with its address."""
        return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"\1", self.definition)


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
    direction, fence = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        opening = re.fullmatch(r"(:{3,}|`{3,})\{glossary\}", stripped)
        closing = fence and stripped == fence
        is_term = fence and stripped and not closing and not line.startswith((" ", "\t"))
        if (is_term or closing) and entries and not entries[-1].definition:
            raise ValueError(f"line {number}: the term {entries[-1].term!r} has no definition")
        if not fence and opening:
            fence, first = opening[1], len(entries)
        elif not fence and line.startswith("## "):
            direction = line[3:].strip()
        elif closing:
            fence = ""
        elif is_term:
            term = stripped.removeprefix("**").removesuffix("**")
            entries.append(Entry(direction, term, ""))
        elif fence and stripped:
            if len(entries) == first:
                raise ValueError(f"line {number}: a definition without a term: {stripped!r}")
            entry = entries[-1]
            joined = f"{entry.definition} {stripped}".strip()
            entries[-1] = Entry(entry.direction, entry.term, joined)
    if fence:
        raise ValueError(
            f"a glossary directive is not closed; its last term is {entries[-1].term!r}"
        )
    return entries


def terms(root: Path = ROOT) -> tuple[str, ...]:
    """Return the terms of the glossary in the order of the page."""
    return tuple(entry.term for entry in parse((root / PAGE).read_text(encoding="utf-8")))


def anchor(term: str) -> str:
    """Return the name of a term's place in the glossary's page, as Sphinx makes it."""
    plain = unicodedata.normalize("NFKD", term).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-zA-Z0-9._]+", "-", " ".join(plain.split()))
    return "term-" + re.sub(r"^[^a-zA-Z]+|-+$", "", name)


def address_of(term: str, root: Path = ROOT) -> str:
    """Return the address of a term in the published book."""
    return f"{pages_address(root)}/teaching/glossary.html#{anchor(term)}"


def forms(term: str) -> list[str]:
    """Return the words and phrases that stand for a term, singular and plural."""
    singular = ONLY[term] if term in ONLY else (term, *ALSO.get(term, ()))
    found = []
    for word in singular:
        found += [word, f"{word}s", f"{word}es"]
        found += [word.removesuffix(end) + new for end, new in IRREGULAR if word.endswith(end)]
    return found


@lru_cache
def _finder(all_terms: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern for every form of every term, longest first, and the term of each form."""
    term_of = {form.lower(): term for term in reversed(all_terms) for form in forms(term)}
    # A term on its own is worth more than the plural of another.
    term_of |= {term.lower(): term for term in all_terms if term not in ONLY}
    alternatives = "|".join(
        re.escape(form).replace(r"\ ", r"\s+") for form in sorted(term_of, key=len, reverse=True)
    )
    return re.compile(rf"(?<![\w-])(?:{alternatives})(?![\w-])", re.IGNORECASE), term_of


def _body(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the Markdown cells between the set-up cell and the recap, exercises left out."""
    found = []
    for cell in notebook.cells[3:]:
        if cell.cell_type != "markdown":
            continue
        if re.match(r"## (In one minute|Exercises|Check yourself|Further reading)", cell.source):
            break
        found.append(cell)
    return found


def link_first_uses(notebook: nbformat.NotebookNode, *, root: Path = ROOT) -> nbformat.NotebookNode:
    """Link the first use of each term in a chapter's running prose; the chapter is changed.

    Links made before are taken out first, so the function gives the same when it is repeated,
    and follows a text that has changed.

    Parameters
    ----------
    notebook : NotebookNode
        The chapter. Headings, tables, code, block quotes, folded text and links stay as they
        are, and so does what stands after the chapter's own text: recap, exercises, reading.
    root : Path, optional
        The repository, for its glossary and its address.

    Returns
    -------
    NotebookNode
        The same notebook.
    """
    all_terms = terms(root)
    finder, term_of = _finder(all_terms)
    page = f"{pages_address(root)}/teaching/glossary.html#"
    ours = re.compile(rf"\[([^\]]+)\]\({re.escape(page)}[^)\s]*\)")

    def unlinked(match: re.Match) -> str:
        return match[1] if finder.fullmatch(match[1]) else match[0]

    body = _body(notebook)
    for cell in body:
        cell.source = ours.sub(unlinked, cell.source)
    done = {term for cell in body for term in all_terms if f"{page}{anchor(term)})" in cell.source}
    for cell in body:
        hidden = [match.span() for match in MASKED.finditer(cell.source)]
        pieces, at = [], 0
        for match in finder.finditer(cell.source):
            start, end = match.span()
            if any(start < last and end > first for first, last in hidden):
                continue
            term = term_of[" ".join(match[0].lower().split())]
            if term in done:
                continue
            done.add(term)
            pieces += [cell.source[at:start], f"[{match[0]}]({page}{anchor(term)})"]
            at = end
        cell.source = "".join(pieces) + cell.source[at:]
    return notebook


def as_roles(root: Path = ROOT) -> Callable[[str], str]:
    """Return a function that makes links to the published glossary MyST's ``{term}`` roles."""
    term_of = {anchor(term): term for term in terms(root)}
    link = re.compile(
        rf"\[([^\]]+)\]\({re.escape(pages_address(root))}/teaching/glossary\.html#([^)\s]*)\)"
    )

    def role(match: re.Match) -> str:
        term = term_of.get(match[2])
        return f"{{term}}`{' '.join(match[1].split())} <{term}>`" if term else match[0]

    return lambda markdown: link.sub(role, markdown)


def within_book(root: Path = ROOT) -> Callable[[str], str]:
    """Return a function that makes links to the published book's pages relative to a chapter."""
    link = re.compile(rf"\]\({re.escape(pages_address(root))}/([^)#\s]+)\.html(#[^)\s]*)?\)")

    def relative(match: re.Match) -> str:
        page = f"{match[1]}.md"
        return f"](../{page}{match[2] or ''})" if (root / page).is_file() else match[0]

    return lambda markdown: link.sub(relative, markdown)


def linked_chapters(root: Path = ROOT) -> list[Path]:
    """Return the chapters with prose to link: those with a number, not the forms to fill in."""
    return [path for path in chapters(root) if path.name[0].isdigit()]


def main(paths: list[Path]) -> int:
    """Link the words of the glossary in all chapters, or in `paths`; return the exit status."""
    for path in paths or linked_chapters():
        notebook = nbformat.read(path, as_version=4)
        before = [cell.source for cell in notebook.cells]
        link_first_uses(notebook)
        links = sum(cell.source.count("/teaching/glossary.html#") for cell in _body(notebook))
        if [cell.source for cell in notebook.cells] != before:
            replace_file(path, nbformat.writes(notebook, version=4) + "\n")
        print(f"{path.stem}: {links} words linked")
    return 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
