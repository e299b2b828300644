"""`make book`: render the committed notebooks with their stored outputs to _build/html."""

import io
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import nbformat
from filelock import FileLock, Timeout
from PIL import Image

from tools.book import npm
from tools.book.course import KERNEL, ROOT, ChapterError, chapters, emptied, pictures, run_python
from utils.files import replace_file

# What the book is made of besides the chapters.
PAGES = ("*.md", "data/README.md", "models/README.md", "*.bib", "_config.yml", "_toc.yml")
STRICT = ("-W", "--keep-going", "--quiet")  # a warning is an error
HELD: list[FileLock] = []  # on folders that are this command's until it ends
# Of MathJax, which pages look for where mathjax_path in _config.yml says.
SCRIPT, FONTS = "tex-mml-chtml.js", "output/chtml/fonts/woff-v2"
# What the theme writes and what stands there instead: light or dark, known before the page is
# drawn, so that nothing flashes or moves; a landmark for the sidebar; folded cells that are read
# aloud as they are labelled; no list whose parts are none; no heading of a table without words.
MENDED = {
    r'(dataset\.theme = localStorage\.getItem\("theme"\) \|\| )"auto"': (
        r'\1(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
    ),
    r'(?<= id="pst-primary-sidebar")': ' role="complementary" aria-label="Book"',
    ' aria-label="Toggle hidden content"': "",
    ' role="list"(?= class="citation-list")': "",
    r"<th\b([^>]*)>(?:\s|<p></p>)*</th>": r"<td\1></td>",
}


def stage(folder: Path, *, with_chapters: bool = True) -> None:
    """Put what the book is made of into `folder`, emptied before, where no other command works."""
    if set("[]") & set(str(folder)):
        raise ChapterError(f"Sphinx finds no page below {folder}: rename the folder with brackets.")
    HELD.append(FileLock(f"{folder}.lock"))
    try:
        HELD[-1].acquire(timeout=0)
    except Timeout:
        print(f"Another command works in {folder}; this one waits for its end.", flush=True)
        HELD[-1].acquire()
    (emptied(folder) / "chapters").mkdir()
    for page in (path for pattern in PAGES for path in ROOT.glob(pattern)):
        copy = folder / page.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(page, copy)
    for pages in ("_static", "teaching"):
        shutil.copytree(ROOT / pages, folder / pages)
    for chapter in chapters() if with_chapters else ():
        shutil.copy2(chapter, folder / "chapters")


def fit_pictures(notebook: nbformat.NotebookNode) -> None:
    """Show each picture at half its pixels, sharp on any screen; a click opens it at full size."""
    for cell in notebook.cells:
        if widths := [Image.open(io.BytesIO(file)).width for file in pictures(cell)]:
            image = cell.metadata.setdefault("mystnb", {}).setdefault("image", {})
            image["width"] = f"{max(widths) // 2}px"


def lighten(html: Path) -> None:
    """Take out of each page the scripts that it does not use, most of its weight, and mend it."""
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        # The style sheet draws the same icons from a font; no cell of a page runs (thebe).
        unused = ["fontawesome", "sphinx-thebe"]
        if 'class="math' not in text:
            unused.append(SCRIPT.removesuffix(".js"))
        if path.name != "search.html":
            unused += ["searchindex", "searchtools", "language_data"]
        source = rf' src="[^"]*\b(?:{"|".join(unused)})\.js[^"]*">|>const THEBE_JS_URL[^<]*'
        lighter = re.sub(rf"\s*<script(?:[^>]*{source})</script>", "", text)
        for pattern, instead in MENDED.items():
            lighter = re.sub(pattern, instead, lighter)
        plain = r'<img(?![^>]*\s(?:width|height)=)[^>]*? src="([^":?]+\.(?:png|jpe?g))"'
        replace_file(path, re.sub(plain, partial(sized, path.parent), lighter))


def sized(folder: Path, tag: re.Match[str]) -> str:
    """Add to the tag of an image the size of its file: its place is kept while it loads."""
    file = folder / unquote(unescape(tag[1]))
    if not file.is_file():
        return tag[0]
    with Image.open(file) as image:
        return '{} width="{}" height="{}"'.format(tag[0], *image.size)


def render(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Let Jupyter Book build the staged book in `folder` to ``folder/_build/html``."""
    code = "from jupyter_book.cli.main import main; main()"
    return run_python(["-c", code, "build", folder, *(options or STRICT)], cwd=folder)


def render_fitted(folder: Path, *options: str) -> None:
    """Render the staged book with its pictures fitted; an error or a warning is a ChapterError."""
    for chapter in (folder / "chapters").glob("*.ipynb"):
        notebook = nbformat.read(chapter, as_version=4)
        fit_pictures(notebook)
        notebook.metadata |= nbformat.from_dict(KERNEL)
        nbformat.write(notebook, chapter)
    done = render(folder, *options)
    if done.returncode:
        raise ChapterError(f"The book could not be rendered:\n{done.stdout[-4000:]}")


def install_mathjax(html: Path) -> None:
    """Put MathJax into a rendered book, for use without a network; say so where it is missing."""
    try:
        package = npm.install(ROOT / "tools" / "formulas") / "mathjax" / "es5"
    except npm.NpmError as error:
        print(f"Formulas show as they are typed: MathJax is missing.\n{error}", file=sys.stderr)
        return
    place = html / "_static" / "mathjax"
    shutil.copytree(package / FONTS, place / FONTS, dirs_exist_ok=True)
    shutil.copy2(package / SCRIPT, place)


def publish_html(folder: Path, *options: str, html: Path = ROOT / "_build" / "html") -> Path:
    """Render the staged book in `folder`, with all it has, to `html`; return its first page.

    After an error or a warning, which are a ChapterError, the book that was there before stays.
    """
    render_fitted(folder, *options)
    lighten(ready := folder / "_build" / "html")
    install_mathjax(ready)
    for step in ("tools.demo.install", "tools.teach.slides"):
        if run_python(["-m", step, ready], capture=False).returncode:
            raise ChapterError(f"python -m {step} failed; its message stands above.")
    with FileLock(ROOT / "_build" / "html.lock"):  # of two commands, the later book stays
        shutil.rmtree(html, ignore_errors=True)
        ready.rename(html)
    return html / "index.html"


if __name__ == "__main__":
    start = time.perf_counter()
    print("Rendering the book from the stored notebooks …", flush=True)
    stage(ROOT / "_build" / "book")
    page = publish_html(ROOT / "_build" / "book")
    print(f"Done in {time.perf_counter() - start:.0f} s. Open {page.as_uri()}")
