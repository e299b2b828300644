"""Link the first use of each word of the glossary in every chapter.

    python -m tools.book.glossary

The links lead to the published book, so that they work in Colab and JupyterLab too; the book
itself gets MyST's ``{term}`` in their place, and links within (`within_book`). Only Markdown cells
change, so no chapter has to run again.
"""

import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
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
ONLY = {"bias (in data)": ("selection bias",), "interval": ("95 % interval", "interval")}
ONLY |= dict.fromkeys(
    ("bias (in a layer)", "consensus", "dx", "dx_type", "follow-up", "kernel (in a convolution)")
    + ("kernel (of a notebook)", "localization", "parameter", "prior", "symmetry", "weight"),
    (),
)
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


DIRECTIVE = re.compile(r"^(:{3,}|`{3,})\{glossary\}\n(.*?)^\1\s*?$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One term with its definition, as it stands in the page (lines joined)."""

    direction: str
    term: str
    definition: str


def parse(text: str) -> list[Entry]:
    """Return the entries of all glossary directives, each with the heading (##) it stands under.

    A directive begins with ``:::{glossary}`` or the same with backticks. In it, a line at the
    margin is a term, bold or not, and the indented lines below it are its definition. Raises
    ValueError if a directive is not closed, or a term or a definition lacks the other.
    """
    entries = []
    for directive in DIRECTIVE.finditer(text):
        direction = re.findall(r"^## (.*\S)", text[: directive.start()], re.MULTILINE)[-1:]
        for item in re.split(r"\n(?=\S)", directive[2].strip("\n")):
            first, _, rest = item.partition("\n")
            definition = " ".join(rest.split())
            if first.startswith((" ", "\t")):
                raise ValueError(f"a definition without a term: {first.strip()!r}")
            term = first.strip().removeprefix("**").removesuffix("**")
            if not definition:
                raise ValueError(f"the term {term!r} has no definition")
            entries.append(Entry("".join(direction), term, definition))
    if len(re.findall(r"^[:`]{3,}\{glossary\}", text, re.MULTILINE)) > len(DIRECTIVE.findall(text)):
        raise ValueError(
            "a glossary directive is not closed: a line with the same ::: or ``` has to end it"
        )
    return entries


def terms() -> tuple[str, ...]:
    """Return the terms of the glossary in the order of the page."""
    return tuple(entry.term for entry in parse((ROOT / PAGE).read_text(encoding="utf-8")))


def anchor(term: str) -> str:
    """Return the name of a term's place in the glossary's page, as Sphinx makes it."""
    plain = unicodedata.normalize("NFKD", term).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-zA-Z0-9._]+", "-", " ".join(plain.split()))
    return "term-" + re.sub(r"^[^a-zA-Z]+|-+$", "", name)


def forms(term: str) -> list[str]:
    """Return the words and phrases that stand for a term, singular and plural."""
    words = ONLY[term] if term in ONLY else (term, *ALSO.get(term, ()))
    ends = (("", ""), ("", "s"), ("", "es"), *IRREGULAR)
    return [w.removesuffix(end) + new for w in words for end, new in ends if w.endswith(end)]


@lru_cache
def _finder(all_terms: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern for every form of every term, longest first, and the term of each form."""
    term_of = {form.lower(): term for term in reversed(all_terms) for form in forms(term)}
    # A term on its own is worth more than the plural of another.
    term_of |= {term.lower(): term for term in all_terms if term not in ONLY}
    longest_first = sorted(term_of, key=len, reverse=True)
    words = "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in longest_first)
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE), term_of


def _body(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the Markdown cells between the set-up cell and the recap, exercises left out."""
    end = re.compile(r"## (In one minute|Exercises|Check yourself|Further reading)")
    cells = [cell for cell in notebook.cells[3:] if cell.cell_type == "markdown"]
    return list(takewhile(lambda cell: not end.match(cell.source), cells))


def link_first_uses(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Link the first use of each term in a chapter's running prose; the chapter is changed.

    Links made before are taken out first, so the function gives the same when it is repeated,
    and follows a text that has changed. What is `MASKED` stays as it is, and so does what stands
    after the chapter's own text: recap, exercises, reading.
    """
    all_terms = terms()
    finder, term_of = _finder(all_terms)
    page = f"{pages_address()}/teaching/glossary.html"
    link = re.compile(rf"\[([^\]]+)\]\({re.escape(page)}#([^)\s]*)\)")
    body = _body(notebook)
    for cell in body:
        cell.source = link.sub(lambda m: m[1] if finder.fullmatch(m[1]) else m[0], cell.source)
    done = {place for cell in body for _, place in link.findall(cell.source)}
    for cell in body:
        hidden = [match.span() for match in MASKED.finditer(cell.source)]

        def linked(match: re.Match, hidden=hidden) -> str:
            place = anchor(term_of[" ".join(match[0].lower().split())])
            masked = any(match.start() < end and match.end() > start for start, end in hidden)
            if masked or place in done:
                return match[0]
            done.add(place)
            return f"[{match[0]}]({page}#{place})"

        cell.source = finder.sub(linked, cell.source)
    return notebook


def within_book() -> Callable[[str], str]:
    """Return a function that makes a chapter's links to the published book links within it.

    Those to words of the glossary become MyST's ``{term}`` roles, those to pages relative.
    """
    term_of = {anchor(term): term for term in terms()}
    book = re.escape(pages_address())
    to_term = re.compile(rf"\[([^\]]+)\]\({book}/teaching/glossary\.html#([^)\s]*)\)")
    to_page = re.compile(rf"\]\({book}/([^)#\s]+)\.html(#[^)\s]*)?\)")

    def role(match: re.Match) -> str:
        term = term_of.get(match[2])
        return f"{{term}}`{' '.join(match[1].split())} <{term}>`" if term else match[0]

    def relative(match: re.Match) -> str:
        page = f"{match[1]}.md"
        return f"](../{page}{match[2] or ''})" if (ROOT / page).is_file() else match[0]

    return lambda markdown: to_page.sub(relative, to_term.sub(role, markdown))


def linked_chapters() -> list[Path]:
    """Return the chapters with prose to link: those with a number, not the forms to fill in."""
    return [path for path in chapters() if path.name[0].isdigit()]


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
