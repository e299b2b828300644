"""`make slides`: a deck for every chapter in _build/slides, from the cells tagged ``slide``."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2
import nbformat
from markupsafe import Markup

from tools.book.course import ROOT, chapters
from tools.book.npm import NpmError, install
from tools.teach.slide_parts import SlideError, inline, output_parts, source_part
from utils.files import replace_file

SOURCE = ROOT / "teaching" / "slides"
KEYS = ("title", "points", "notes", "show")
SHOWS = ("output", "source", "nothing")
# What a deck needs of reveal.js, and where it goes in _build/slides/reveal.
REVEAL = {
    "LICENSE": "LICENSE",
    "dist/reset.css": "reset.css",
    "dist/reveal.css": "reveal.css",
    "dist/reveal.js": "reveal.js",
    "plugin/notes/notes.js": "notes.js",
    "dist/theme/fonts/source-sans-pro/LICENSE": "fonts/LICENSE",
    **{
        f"dist/theme/fonts/source-sans-pro/source-sans-pro-{face}.woff": (
            f"fonts/source-sans-pro-{face}.woff"
        )
        for face in ("regular", "semibold", "italic")
    },
}


@dataclass(frozen=True)
class Slide:
    """One slide after the first."""

    title: Markup
    points: list[Markup]
    notes: str
    shown: list[Markup]
    layout: str


@dataclass(frozen=True)
class Deck:
    """The slides of a chapter."""

    name: str
    chapter: Markup
    objectives: list[Markup]
    slides: list[Slide]

    @property
    def place(self) -> str:
        """Return where the chapter stands in the course, in words."""
        number = self.name[:2]
        return f"Chapter {int(number)}" if number.isdigit() else "Capstone"

    @property
    def welcome(self) -> str:
        """Return the notes of the first slide."""
        return (
            "Everybody opens the notebook and runs all cells now, so that nobody waits later. Read "
            "the objectives aloud. Ask: which of them could you do already? Come back to this "
            "slide at the end, and let each learner name one that they can do."
        )


def deck(notebook: nbformat.NotebookNode, *, name: str) -> Deck:
    """Make the deck of a chapter.

    Parameters
    ----------
    notebook : NotebookNode
        The chapter with its stored outputs. Cells tagged ``slide`` have the metadata
        ``slide: {title, points, notes, show}``; `show` is one of ``output``, ``source``,
        ``nothing``.
    name : str
        The name of its file without ``.ipynb``, which begins with the chapter's number.

    Raises
    ------
    SlideError
        If a cell's metadata are incomplete or there is nothing to show.
    """
    slides = []
    for cell in notebook.cells:
        if "slide" not in cell.metadata.get("tags", ()):
            continue
        try:
            slides.append(_slide(cell))
        except SlideError as error:
            start = cell.source.strip().partition("\n")[0][:60]
            raise SlideError(f"{name}, the cell that begins {start!r}: {error}") from None
    first = notebook.cells[0].source.partition("\n")[0].lstrip("# ")
    return Deck(name, inline(first), objectives(notebook.cells[1].source), slides)


def objectives(box: str) -> list[Markup]:
    """Return the objectives that stand in the box below a chapter's title, as HTML."""
    lines = [line.lstrip("> ").rstrip() for line in box.splitlines()]
    start = next((i for i, line in enumerate(lines) if "**You will be able to**" in line), None)
    found: list[str] = []
    for line in lines[start + 1 :] if start is not None else ():
        if line.startswith("- "):
            found.append(line[2:])
        elif not line:
            break
        elif found:
            found[-1] += f" {line}"
    return [inline(text.rstrip(";.")) for text in found]


def _slide(cell: nbformat.NotebookNode) -> Slide:
    entry = cell.metadata.get("slide", {})
    missing = [key for key in KEYS if key not in entry]
    if missing:
        raise SlideError(f"its metadata 'slide' have no {', '.join(missing)}")
    if entry["show"] not in SHOWS:
        raise SlideError(f"show is {entry['show']!r}, not one of {', '.join(SHOWS)}")
    if cell.cell_type != "code" and entry["show"] != "nothing":
        raise SlideError("a Markdown cell can show 'nothing' only; its points are the slide")
    layout, shown = "nothing", []
    if entry["show"] == "source":
        layout, shown = "text", [source_part(cell.source)]
    elif entry["show"] == "output":
        layout, shown = output_parts(cell)
        if layout == "below" and not entry["points"]:
            layout = "side"
    if not shown and not entry["points"]:
        raise SlideError("it shows nothing and has no points")
    points = [inline(point) for point in entry["points"]]
    return Slide(inline(entry["title"]), points, entry["notes"], shown, layout)


def write(decks: list[Deck], folder: Path, *, modules: Path) -> Path:
    """Write decks, reveal.js and the page that lists them into `folder`, emptied before.

    Parameters
    ----------
    decks : list of Deck
        At least one.
    folder : Path
        Where they go.
    modules : Path
        The folder ``node_modules`` with reveal.js in it.

    Returns
    -------
    Path
        The page that lists the decks.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for source, target in REVEAL.items():
        (folder / "reveal" / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(modules / "reveal.js" / source, folder / "reveal" / target)
    shutil.copyfile(SOURCE / "slides.css", folder / "reveal" / "slides.css")
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SOURCE), autoescape=True, trim_blocks=True
    )
    pages.undefined = jinja2.StrictUndefined
    for one in decks:
        page = pages.get_template("deck.html").render(
            chapter=one.chapter,
            place=one.place,
            welcome=one.welcome,
            objectives=one.objectives,
            slides=one.slides,
        )
        replace_file(folder / f"{one.name}.html", page)
    listing = pages.get_template("index.html").render(decks=decks)
    replace_file(folder / "index.html", listing)
    return folder / "index.html"


def main() -> int:
    """Make the decks of all chapters that have slides; return the exit status."""
    try:
        decks = [deck(nbformat.read(path, 4), name=path.stem) for path in chapters()]
        decks = [one for one in decks if one.slides]
        if not decks:
            raise SlideError("No chapter has a cell tagged 'slide'.")
        page = write(decks, ROOT / "_build" / "slides", modules=install(SOURCE))
    except (SlideError, NpmError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    for one in decks:
        print(f"{one.name}: {len(one.slides) + 1} slides")
    print(f"Open {page.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
