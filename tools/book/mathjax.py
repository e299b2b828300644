"""Let the rendered book draw its formulas without a network: MathJax stands in the book itself."""

import shutil
from pathlib import Path

from tools.book import npm
from tools.book.course import ROOT
from utils.files import replace_file

SCRIPT = "tex-mml-chtml.js"
FONTS = "output/chtml/fonts/woff-v2"
# What Sphinx writes into pages with formulas; it loads MathJax from a public server.
PUBLIC = f"https://cdn.jsdelivr.net/npm/mathjax@3/es5/{SCRIPT}"


def install(html: Path) -> str:
    """Put MathJax into ``_static/mathjax/`` of a rendered book, and let its pages load it there.

    Returns what is missing, if anything is; then pages load it from a public server, as before.
    """
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(html.rglob("*.html"))}
    pages = {path: text for path, text in pages.items() if PUBLIC in text}
    if not pages:
        return ""
    try:
        package = npm.install(ROOT / "tools" / "formulas") / "mathjax" / "es5"
    except npm.NpmError as error:
        return f"Formulas need a network when the book is read: MathJax is missing.\n{error}"
    place = html / "_static" / "mathjax"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(package / FONTS, place / FONTS)
    shutil.copy2(package / SCRIPT, place)
    for path, text in pages.items():
        up = "../" * (len(path.relative_to(html).parts) - 1)
        replace_file(path, text.replace(PUBLIC, f"{up}_static/mathjax/{SCRIPT}"))
    return ""
