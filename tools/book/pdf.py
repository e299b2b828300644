"""`make pdf`: the whole book in one file to print or to take along, _build/reading-skin.pdf.

Chromium prints the book's one long page by the print rules of ``_static/course.css``: what is
folded stays out, and so do solutions and the exam bank. Its headings become the file's bookmarks.
"""

import shutil
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

from tools.book.course import ROOT, ChapterError
from tools.book.render import STRICT, install_mathjax, render_fitted, stage
from utils.files import replace_file

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NO_CHROMIUM = """The PDF is printed by Chromium, and none could be started here ({}).
Install it (Debian and Ubuntu: sudo apt-get install chromium), or let playwright fetch its own:
    {} -m playwright install chromium"""
FOOTER = """<div style="width: 100%; margin: 0 15mm; display: flex; font: 7px sans-serif">
<span style="flex: 1">Reading Skin · text CC BY 4.0 · figures with HAM10000 images CC BY-NC 4.0,
(c) ViDIR Group, Medical University of Vienna · not a medical device</span>
<span class="pageNumber"></span></div>"""
# Links to files beside the page, such as the large pictures, would name a folder of this computer.
LOOSEN = """() => document.querySelectorAll("a[href]").forEach(link => {
  if (link.protocol === "file:" && link.pathname !== location.pathname)
    link.removeAttribute("href");
})"""


def start_chromium(playwright: Playwright, *options: str) -> Browser:
    """Start Chromium or a relative of it, else the one of playwright; ChapterError without one."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    try:
        return playwright.chromium.launch(executable_path=program, args=["--no-sandbox", *options])
    except Error as error:
        reason = str(error).splitlines()[0]
        raise ChapterError(NO_CHROMIUM.format(reason, sys.executable)) from None


def print_page(html: Path, browser: Browser) -> bytes:
    """Return an HTML file as a PDF with bookmarks; nothing is fetched from elsewhere."""
    page = browser.new_page(offline=True)
    page.set_default_timeout(300_000)  # four hundred pages on a busy computer
    page.goto(html.as_uri())
    page.evaluate("window.MathJax?.startup?.promise")  # formulas are set
    page.evaluate(LOOSEN)
    printed = page.pdf(
        prefer_css_page_size=True, print_background=True, outline=True, tagged=True,
        display_header_footer=True, header_template="<i></i>", footer_template=FOOTER,
    )  # fmt: skip
    page.close()
    return printed


if __name__ == "__main__":
    begin, folder = time.perf_counter(), ROOT / "_build" / "pdf"
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)  # at once, so that nobody waits for its absence
        print("Rendering the book as one page (about a minute) …", flush=True)
        stage(folder)
        render_fitted(folder, *STRICT, "--builder", "singlehtml")
        install_mathjax(folder / "_build" / "singlehtml")
        print("Printing it (up to two minutes) …", flush=True)
        printed = print_page(folder / "_build" / "singlehtml" / "intro.html", browser)
        browser.close()
    replace_file(ROOT / "_build" / "reading-skin.pdf", printed)
    took, size = time.perf_counter() - begin, len(printed) / 1e6
    print(f"Done in {took:.0f} s: {ROOT / '_build' / 'reading-skin.pdf'} ({size:.0f} MB)")
