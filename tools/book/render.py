"""`make book`: render the committed notebooks with their stored outputs to _build/html.

With ``--links``, open every outside link of the book instead, and name those that are broken.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat

from tools.book import glossary, npm
from tools.book.course import ROOT, ChapterError, chapters, pictures, png_size, run_python
from utils.files import replace_file

# What the book is made of besides the chapters.
PAGES = ("*.md", "data/README.md", "models/README.md", "*.bib", "_config.yml", "_toc.yml")
STRICT = ("-W", "--keep-going", "--quiet")  # a warning is an error
SCRIPT, FONTS = "tex-mml-chtml.js", "output/chtml/fonts/woff-v2"  # of MathJax
# What Sphinx writes into pages with formulas; it loads MathJax from a public server.
PUBLIC = f"https://cdn.jsdelivr.net/npm/mathjax@3/es5/{SCRIPT}"
# What the theme writes and what stands there instead: light or dark, known before the page is
# drawn, so that nothing flashes or moves; a landmark for the sidebar; folded cells that are read
# aloud as they are labelled; in a table's corner no heading without words.
MENDED = {
    r'(dataset\.theme = localStorage\.getItem\("theme"\) \|\| )"auto"': (
        r'\1(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
    ),
    r'(?<= id="pst-primary-sidebar")': ' role="complementary" aria-label="Book"',
    ' aria-label="Toggle hidden content"': "",
    r"<th\b([^>]*)>(?:\s|<p></p>)*</th>": r"<td\1></td>",
}


def stage(folder: Path, *, with_chapters: bool = True) -> None:
    """Put what the book is made of into `folder`, emptied before."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "chapters").mkdir(parents=True)
    for page in (path for pattern in PAGES for path in ROOT.glob(pattern)):
        copy = folder / page.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(page, copy)
    for pages in ("_static", "teaching"):
        shutil.copytree(ROOT / pages, folder / pages)
    if with_chapters:
        for chapter in chapters():
            shutil.copy2(chapter, folder / "chapters")


def fit_pictures(notebook: nbformat.NotebookNode) -> None:
    """Show each picture at half its pixels, sharp on any screen; a click opens it at full size."""
    for cell in notebook.cells:
        if widths := [png_size(picture)[0] for picture in pictures(cell)]:
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
        if lighter != text:
            replace_file(path, lighter)


def render(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Let Jupyter Book build the staged book in `folder` to ``folder/_build/html``.

    The chapters there, stored or just run, get their links to the glossary in the book's form.
    """
    within = glossary.within_book()
    for chapter in (folder / "chapters").glob("*.ipynb"):
        notebook = nbformat.read(chapter, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = within(cell.source)
        nbformat.write(notebook, chapter)
    code = "from jupyter_book.cli.main import main; main()"
    return run_python(["-c", code, "build", folder, *(options or STRICT)], cwd=folder)


def render_fitted(folder: Path, *options: str) -> None:
    """Render the staged book with its pictures fitted; an error or a warning is a ChapterError."""
    for chapter in (folder / "chapters").glob("*.ipynb"):
        notebook = nbformat.read(chapter, as_version=4)
        fit_pictures(notebook)
        nbformat.write(notebook, chapter)
    done = render(folder, *options)
    if done.returncode:
        raise ChapterError(f"The book could not be rendered:\n{done.stdout[-4000:]}")


def install_mathjax(html: Path) -> str:
    """Put MathJax into a rendered book, for use without a network; return what is missing."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(html.rglob("*.html"))}
    pages = {path: text for path, text in pages.items() if PUBLIC in text}
    if not pages:
        return ""
    try:
        package = npm.install(ROOT / "tools" / "formulas") / "mathjax" / "es5"
    except npm.NpmError as error:
        return f"Formulas need a network when the book is read: MathJax is missing.\n{error}"
    place = html / "_static" / "mathjax"
    shutil.copytree(package / FONTS, place / FONTS, dirs_exist_ok=True)
    shutil.copy2(package / SCRIPT, place)
    for path, text in pages.items():
        up = "../" * (len(path.relative_to(html).parts) - 1)
        replace_file(path, text.replace(PUBLIC, f"{up}_static/mathjax/{SCRIPT}"))
    return ""


def publish_html(folder: Path, *options: str, html: Path = ROOT / "_build" / "html") -> Path:
    """Render the staged book in `folder` and put it at `html`; return its first page.

    After an error or a warning, which are a ChapterError, the book that was there before stays.
    """
    render_fitted(folder, *options)
    lighten(folder / "_build" / "html")
    if problem := install_mathjax(folder / "_build" / "html"):
        print(problem, file=sys.stderr, flush=True)
    old = html.with_name(f"{html.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if html.exists():  # moved aside, so that a stopped command leaves a whole book
        html.rename(old)
    (folder / "_build" / "html").rename(html)
    shutil.rmtree(old, ignore_errors=True)
    return html / "index.html"


def check_links() -> None:
    """Open every outside link of the book and name those that are broken (needs a network)."""
    folder = ROOT / "_build" / "links"
    stage(folder)
    done = render(folder, "--builder", "linkcheck")
    report = folder / "_build" / "html" / "output.txt"  # Jupyter Book gives no folder of its own
    if not report.exists():
        raise ChapterError(f"The links could not be checked:\n{done.stdout[-3000:]}")
    lines = report.read_text(encoding="utf-8").splitlines()
    if broken := [line for line in lines if "[broken]" in line or "[timeout]" in line]:
        raise ChapterError("\n".join(broken))
    print("No broken links.")


def main() -> None:
    """Render the book."""
    start = time.perf_counter()
    print("Rendering the book from the stored notebooks …", flush=True)
    stage(ROOT / "_build" / "book")
    page = publish_html(ROOT / "_build" / "book")
    print(f"Done in {time.perf_counter() - start:.0f} s. Open {page.as_uri()}")


if __name__ == "__main__":
    check_links() if "--links" in sys.argv else main()
