"""`make slides`: a deck for every chapter in _build/slides, from the cells tagged ``slide``.

``python -m tools.teach.slides FOLDER`` puts them, and the students' zip, into a rendered book.
"""

import io
import re
import shutil
import sys
from base64 import b64encode
from pathlib import Path

import nbformat
import numpy as np
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from nbconvert.filters import strip_ansi
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.book.course import ROOT, ChapterError, chapters, pictures
from tools.book.npm import NpmError, install
from tools.book.splice import templates
from tools.teach import student
from utils.files import replace_file

SOURCE = ROOT / "teaching" / "slides"
# What a deck needs of reveal.js, by where it goes in _build/slides/reveal.
FONTS = "dist/theme/fonts/source-sans-pro"
FACES = [f"{FONTS}/source-sans-pro-{face}.woff" for face in ("regular", "semibold", "italic")]
PLUGINS = ("plugin/notes/notes.js", "plugin/zoom/zoom.js")
REVEAL = {
    "": ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js", *PLUGINS),
    "fonts": (f"{FONTS}/LICENSE", *FACES),
}
# A picture wider than this, in heights, stands above its points; a narrower one beside them. One
# higher than that, in widths, is cut in two, and its lower half stands beside the upper.
WIDE, HIGH = 1.75, 1.6


def deck(notebook: nbformat.NotebookNode, *, name: str) -> dict:
    """Return what teaching/slides/deck.html shows of the chapter in the file `name`.ipynb."""
    slides = []
    for cell in notebook.cells:
        if "slide" in cell.metadata.get("tags", ()):
            try:
                slides.append(_slide(cell))
            except ChapterError as error:
                start = cell.source.strip().partition("\n")[0][:60]
                raise ChapterError(f"{name}, the cell that begins {start!r}: {error}") from None
    place = f"Chapter {int(name[:2])}" if name[:2].isdigit() else "Capstone"
    title = inline(notebook.cells[0].source.partition("\n")[0].lstrip("# "))
    able = objectives(notebook.cells[1].source)
    return {"name": name, "place": place, "chapter": title, "objectives": able, "slides": slides}


def objectives(box: str) -> list[Markup]:
    """Return the objectives that stand in the box below a chapter's title, as HTML."""
    lines = re.sub(r"^> ?", "", box, flags=re.MULTILINE)
    listed = re.search(r"\*\*You will be able to\*\*.*\n((?:.+\n?)*)", lines)
    items = re.split(r"^- ", listed[1], flags=re.MULTILINE)[1:] if listed else ()
    return [inline(" ".join(item.split()).rstrip(";.")) for item in items]


def inline(markdown: str) -> Markup:
    """Return a line of Markdown as HTML; of a link the text stays, since nobody can click it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    return Markup(MarkdownIt("js-default").renderInline(text))


def _slide(cell: nbformat.NotebookNode) -> dict:
    entry = cell.metadata.get("slide", {})
    if missing := {"title", "points", "notes", "show"} - set(entry):
        raise ChapterError(f"its metadata 'slide' have no {', '.join(sorted(missing))}")
    layout, shown = "nothing", []
    if cell.cell_type != "code" and entry["show"] != "nothing":
        block = re.search(r"^```text\n(.*?)^```", cell.source, re.MULTILINE | re.DOTALL)
        if not block:
            raise ChapterError("a Markdown cell can show 'nothing', or a block of text in it")
        layout, shown = "text", [_pre(block[1], escape(block[1].rstrip()))]
    elif entry["show"] == "source":
        code = highlight(cell.source.strip(), PythonLexer(), HtmlFormatter(nowrap=True))
        lines = "".join(f'<span class="line">{line}</span>' for line in code.splitlines())
        layout, shown = "text", [_pre(cell.source, Markup(lines))]
    elif entry["show"] == "output":
        layout, shown = _pictures(cell) or ("text", _texts(cell))
        if layout == "below" and not entry["points"]:
            layout = "side"
    elif entry["show"] != "nothing":
        raise ChapterError(f"show is {entry['show']!r}, not output, source or nothing")
    if not shown and not entry["points"]:
        raise ChapterError("it shows nothing and has no points")
    points, title = [inline(point) for point in entry["points"]], inline(entry["title"])
    made = {"title": title, "points": points, "shown": shown, "layout": layout}
    return entry | made | {"guess": entry.get("guess", "")}


def _pictures(cell: nbformat.NotebookNode) -> tuple[str, list[Markup]] | None:
    """Return layout and HTML of the pictures that a code cell made, if it made any."""
    if not (images := pictures(cell)):
        return None
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    if not alt:
        raise ChapterError("its picture has no alt text")
    tag = Markup('<img src="data:image/png;base64,{}" alt="{}">')
    width, height = Image.open(io.BytesIO(images[0])).size
    layout = "below" if width * len(images) > WIDE * height else "side"
    images = [part for image in images for part in _halves(image)]
    return layout, [tag.format(b64encode(image).decode(), alt) for image in images]


def _halves(picture: bytes) -> list[bytes]:
    """Return a picture, cut in two where it is emptiest near its middle if it is high."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    width, height = image.size
    if height <= HIGH * width:
        return [picture]
    start, parts = int(0.35 * height), []
    ink = (np.asarray(image).min(axis=2) < 250).sum(axis=1)[start : int(0.65 * height)]
    runs = np.flatnonzero(np.diff(np.r_[0, ink == ink.min(), 0])).reshape(-1, 2)  # from, to
    cut = start + int(runs[np.diff(runs).argmax()].mean())
    for top, bottom in ((0, cut), (cut, height)):
        image.crop((0, top, width, bottom)).save(file := io.BytesIO(), "PNG")
        parts.append(file.getvalue())
    return parts


def _texts(cell: nbformat.NotebookNode) -> list[Markup]:
    """Return the HTML of the tables and texts that a code cell made."""
    parts = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "text/html" in data:
            # Without the styles of the tags; a cell with words gets a class for its own.
            for table in re.findall(r"<table.*?</table>", data["text/html"], re.DOTALL)[:1]:
                table = re.sub(r"<(t\w+) [^>]*text-align: left[^>]*>", r'<\1 class="words">', table)
                parts.append(Markup(re.sub(r'<(t\w+) (?!class="words">)[^>]*>', r"<\1>", table)))
            continue
        text = strip_ansi(output.get("text") or data.get("text/plain", "")).strip("\n")
        parts += [_pre(text, escape(text))] if text.strip() else []
    if not parts:
        raise ChapterError("it has no output to show; `make publish` stores outputs")
    return parts


def _pre(text: str, html: Markup) -> Markup:
    """Return preformatted HTML, in larger letters where the text is short."""
    lines = text.splitlines()
    short = ' class="short"' if len(lines) <= 6 and max(map(len, lines)) <= 62 else ""
    return Markup(f"<pre{short}>{html}</pre>")


def write(decks: list[dict], folder: Path, *, modules: Path) -> Path:
    """Write into `folder` decks, reveal.js and, returned, the page that lists the decks."""
    shutil.rmtree(folder, ignore_errors=True)
    for place, names in REVEAL.items():
        target = folder / "reveal" / place
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(modules / "reveal.js" / name, target / Path(name).name)
    shutil.copyfile(SOURCE / "slides.css", folder / "reveal" / "slides.css")
    pages = templates(SOURCE, autoescape=True)
    for one in decks:
        replace_file(folder / f"{one['name']}.html", pages.get_template("deck.html").render(one))
    replace_file(folder / "index.html", pages.get_template("index.html").render(decks=decks))
    return folder / "index.html"


def build(folder: Path) -> list[dict]:
    """Write the decks of all chapters that have slides into `folder`, and return them."""
    decks = [deck(nbformat.read(path, 4), name=path.stem) for path in chapters()]
    decks = [one for one in decks if one["slides"]]
    write(decks, folder, modules=install(SOURCE))
    return decks


def enclose(html: Path) -> str:
    """Fill ``slides/`` and ``student/`` of a rendered book, no more; say if slides are missing."""
    student.build(folder=html / "student")
    try:
        build(html / "slides")
    except NpmError as error:
        return f"The book is without its slides: reveal.js is missing.\n{error}"
    return "The book has the slides and the students' zip."


if __name__ == "__main__":
    if sys.argv[1:]:
        print(enclose(Path(sys.argv[1])), file=sys.stderr)
    else:
        for one in build(ROOT / "_build" / "slides"):
            print(f"{one['name']}: {len(one['slides']) + 1} slides")
        print(f"Open {(ROOT / '_build' / 'slides' / 'index.html').as_uri()}")
