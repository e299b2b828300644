"""The book builds without a warning, and a warning would be an error."""

import gzip
import re
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from filelock import FileLock

from tools.book import pdf
from tools.book import render as rendering
from tools.book.course import ROOT, ChapterError, chapters, emptied, run_python
from tools.book.render import MENDED, lighten, render, stage
from tools.book.set_repository import address


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The committed notebooks, rendered; its folder of HTML pages."""
    folder = tmp_path_factory.mktemp("book")
    stage(folder)
    done = render(folder)
    assert done.returncode == 0, done.stdout[-4000:]
    return folder / "_build" / "html"


def test_a_command_waits_until_another_has_left_the_folder(tmp_path, capsys):
    with FileLock(tmp_path / "book.lock"):
        waiting = threading.Thread(target=stage, args=[tmp_path / "book"])
        waiting.start()
        waiting.join(3)
        assert not (tmp_path / "book").exists() and "waits for its end" in capsys.readouterr().out
    waiting.join()
    assert (tmp_path / "book" / "_toc.yml").exists()


def test_a_book_that_cannot_be_finished_leaves_the_one_before(tmp_path, monkeypatch):
    html, _ = (emptied(tmp_path / name) for name in ("html", "_build/html"))
    (html / "before.html").touch()
    for step in ("render_fitted", "lighten", "install_mathjax"):
        monkeypatch.setattr(rendering, step, lambda *_: None)
    monkeypatch.setattr(rendering, "run_python", lambda *_, **__: run_python(["-c", "exit(1)"]))
    with pytest.raises(ChapterError, match="tools.demo.install failed"):
        rendering.publish_html(tmp_path, html=html)
    with pytest.raises(ChapterError, match="brackets"):
        stage(tmp_path / "a[c]" / "book")
    assert (html / "before.html").exists()


def page(book, name):
    return (book / f"{name}.html").read_text(encoding="utf-8")


def test_every_page_is_there(book):
    assert chapters() == sorted((ROOT / "chapters").glob("*.ipynb"))
    names = [f"chapters/{path.stem}" for path in chapters()]
    names += [f"teaching/{path.stem}" for path in (ROOT / "teaching").glob("*.md")]
    for name in [*names, "intro", "data-and-licence", "how-long-things-take", "search"]:
        assert len(page(book, name)) > 500, name
    assert "intro.html" in page(book, "index")
    assert "10.1038/sdata.2018.161" in page(book, "references")


def test_launch_buttons_have_the_address(book):
    name, branch = address().removeprefix("https://github.com/"), address(key="branch")
    for path in chapters():
        html, at = page(book, f"chapters/{path.stem}"), f"chapters/{path.name}"
        assert f"https://colab.research.google.com/github/{name}/blob/{branch}/{at}" in html
        assert f"https://mybinder.org/v2/gh/{name}/{branch}?urlpath=lab/tree/{at}" in html
        assert f'href="{address()}"' in html


def test_chapters_are_numbered_through(book):
    numbered = [path for path in chapters() if re.match(r"(?!00)\d\d_", path.name)]
    assert len(numbered) >= 8
    assert all(f">{number}. " in page(book, "intro") for number in range(1, len(numbered) + 1))


def test_every_link_within_the_book_leads_somewhere(book):
    pages = {path: path.read_text(encoding="utf-8") for path in book.rglob("*.html")}
    places = {path: {"", *re.findall(r'\bid="([^"]+)"', text)} for path, text in pages.items()}
    to_terms, lost = 0, set()
    for path, text in pages.items():
        for link, place in re.findall(r'<a\b[^>]*\bhref="(?!\w+:)([^"#?]*)#?([^"]*)"', text):
            there = (path.parent / unquote(link)).resolve() if link else path
            to_terms += there.name == "glossary.html" and place.startswith("term-")
            found = there.exists() and unquote(place) in places.get(there, {place})
            if not found and there.parent.name not in ("slides", "student"):  # enclosed later
                lost.add(f"{path.relative_to(book)}: {link}#{place}")
    assert not lost, lost
    assert to_terms > 50


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_light_stands_still_and_axe_finds_nothing(
    book, browser, serious, tmp_path, theme
):
    lighten(shutil.copytree(book, tmp_path, dirs_exist_ok=True))
    page, bad, came = browser.new_page(), [], []
    page.add_init_script("""window.moved = 0; new PerformanceObserver((list) => list.getEntries()
      .forEach((one) => (moved += one.value))).observe({type: 'layout-shift', buffered: true})""")
    page.on("requestfinished", lambda request: came.append(unquote(urlsplit(request.url).path)))
    for file in [*tmp_path.glob("*[!x].html"), *tmp_path.glob("[!_]*/*.html")]:  # no index
        came.clear()
        page.goto(file.as_uri())
        # A server packs what it sends, 1.5 MB at most; formulas, not here, take 0.4 of them.
        size = sum(len(gzip.compress(Path(name).read_bytes())) for name in came)
        moved, most = page.evaluate("moved"), 1.0e6 if file.stem == "intro" else 1.1e6
        if not 10_000 < size < most or moved > 0.1:
            bad.append(f"{file.name}: {size:,} bytes, moved by {moved:.2f}")
        bad += [f"{file.name}, {one}" for one in serious(page, theme)]
    assert not bad, "\n".join(bad)


def test_by_keyboard_alone_folds_open_and_every_answer_of_the_quiz_is_reached(book, browser):
    page = browser.new_page()
    page.goto((book / "chapters/01_data_overview.html").as_uri())
    for fold in page.locator(".bd-article summary").all():
        if fold.is_visible() and fold.evaluate("(one) => !one.parentElement.open"):
            fold.focus()
            page.keyboard.press("Enter")
            assert fold.evaluate("(one) => one.parentElement.open"), fold.inner_text()
    page.evaluate("""window.left = new Set([...document.querySelectorAll('.bd-article :is(' +
      'a[href], button, input, summary, [tabindex="0"])')].filter(
      (one) => one.checkVisibility({visibilityProperty: true})));
      document.addEventListener('focusin', (event) => left.delete(event.target))""")
    assert page.evaluate("[...left].filter((one) => one.closest('.skin-quiz')).length") > 10
    page.locator("a").first.focus()
    for _ in range(page.evaluate("left.size") + 100):
        page.keyboard.press("Tab")
    assert page.evaluate("[...left].map((one) => one.outerHTML)") == []


def test_tables_and_printed_lines_stay_within_a_phone_and_what_scrolls_shows_it(book, browser):
    page = browser.new_page(viewport={"width": 320, "height": 640})
    page.route("http*://**", lambda route: route.abort())
    edges = """KIND => [...document.querySelectorAll('.bd-article ' + KIND)].filter(
      (box) => box.scrollWidth > box.clientWidth).map((box) => getComputedStyle(box).maskImage)"""
    kinds = {"troubleshooting": ["pre"], "models/README": [".pst-scrollable-table-container"]}
    kinds |= {"chapters/C3_your_own_images": []}
    kinds |= {"chapters/07_how_sure": ["table.dataframe", ".cell_output:has(img)"]}
    for name in kinds:
        page.goto((book / f"{name}.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((box) => (box.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, name
        for kind in kinds[name]:
            assert {edge[:15] for edge in page.evaluate(edges, kind)} == {"linear-gradient"}
    assert not page.evaluate(edges, ".stream pre") and page.locator("table[tabindex='0']").count()
    dark = "document.documentElement.dataset.theme = 'dark'"
    page.evaluate(f"{dark}; dispatchEvent(new Event('beforeprint'))")
    assert page.get_attribute("html", "data-theme") == "light"


def test_the_theme_writes_what_is_mended(book):
    html = page(book, "chapters/02_exploratory_data_analysis") + page(book, "references")
    assert all(re.search(one, html) for one in (*MENDED, ">const THEBE_JS_URL", "/sphinx-thebe.js"))


def test_broken_reference_is_an_error(tmp_path):
    (tmp_path / "_static").mkdir()
    for name in ("_config.yml", "references.bib", "_static/logo.svg", "_static/favicon.png"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: intro\n")
    (tmp_path / "intro.md").write_text("# Title\n\nA {ref}`broken` link.\n")
    done = render(tmp_path)
    assert done.returncode and "broken" in done.stdout


def test_on_paper_what_is_folded_stays_out_and_links_stay_within(browser, tmp_path):
    shutil.copy(ROOT / "_static" / "course.css", tmp_path)
    chapter = '<span id="c{0}"></span><section><h2>Chapter {0}</h2><p>Text {0}</p>{1}</section>'
    hidden = '<div class="tag_solution">x</div><details><summary>Hint</summary>x</details>'
    body = chapter.format(1, '<a href="#c2">on</a><a href="large.png">x</a>')
    body += chapter.format(2, '<section id="exam-bank"><h3>Exam bank</h3></section>' + hidden)
    style = '<link rel="stylesheet" href="course.css">'
    html = tmp_path / "book.html"
    html.write_text(f'{style}<h1>Book</h1><div class="toctree-wrapper">{body}</div>')
    printed = pdf.print_page(html, browser)
    titles = re.findall(rb"/Title \(([^)]*)\)", printed)
    assert {b"Book", b"Chapter 1", b"Chapter 2"} == {*titles} - {b"book.html"}
    assert len(re.findall(rb"/Type /Page\b", printed)) == 3  # a chapter begins on a new page
    assert len(re.findall(rb"/Dest /?\w*c2\b", printed)) == 1 and b"file:" not in printed


def test_without_chromium_it_says_what_to_do(browser, monkeypatch):
    monkeypatch.setattr(pdf, "CHROMIUM", ("false",))  # a program that is no browser
    with pytest.raises(pdf.ChapterError, match="install chromium"):
        pdf.start_chromium(SimpleNamespace(chromium=browser.browser_type))
