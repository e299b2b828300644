"""Pages carry what they need, and no more: formulas without a network, sharp pictures."""

import base64
import io

import pytest
from nbformat import v4
from PIL import Image

from tools.book import npm, render
from tools.book.course import with_palette


@pytest.fixture
def html(tmp_path):
    """A book with a formula on a page of a folder, and none on its first page."""
    html = tmp_path / "html"
    (html / "chapters").mkdir(parents=True)
    (html / "index.html").write_text("<p>none</p>")
    (html / "chapters" / "one.html").write_text(f'<script src="{render.PUBLIC}"></script>')
    return html


def test_pages_load_it_from_the_book(html, tmp_path, monkeypatch):
    package = tmp_path / "node_modules" / "mathjax" / "es5"
    (package / render.FONTS).mkdir(parents=True)
    (package / render.FONTS / "a.woff").write_bytes(b"font")
    (package / render.SCRIPT).write_text("// MathJax")
    monkeypatch.setattr(npm, "install", lambda folder: tmp_path / "node_modules")
    assert render.install_mathjax(html) == ""
    page = html / "chapters" / "one.html"
    assert page.read_text() == '<script src="../_static/mathjax/tex-mml-chtml.js"></script>'
    assert (page.parent / "../_static/mathjax/tex-mml-chtml.js").read_text() == "// MathJax"
    assert (html / "_static" / "mathjax" / render.FONTS / "a.woff").is_file()
    assert (html / "index.html").read_text() == "<p>none</p>"


def test_without_npm_pages_stay_as_they_are_and_it_is_said(html, monkeypatch):
    def fail(folder):
        raise npm.NpmError("no npm; install Node.js")

    monkeypatch.setattr(npm, "install", fail)
    assert "install Node.js" in render.install_mathjax(html)
    assert render.PUBLIC in (html / "chapters" / "one.html").read_text()


def test_a_page_keeps_the_scripts_that_it_uses_and_no_other(html):
    scripts = "".join(
        f'<script defer src="_static/{name}.js?v=1"></script>'
        for name in ("tex-mml-chtml", "scripts/fontawesome", "searchindex", "doctools")
    )
    scripts += '<script>const THEBE_JS_URL = "x"</script>'
    formula = '<span class="math notranslate">x</span>'
    for name, text in (("index", ""), ("search", ""), ("formula", formula)):
        (html / f"{name}.html").write_text(scripts + text)
    render.lighten(html)
    kept = {"index": "doctools", "search": "searchindex doctools", "formula": "tex-mml doctools"}
    for name, words in kept.items():
        page = (html / f"{name}.html").read_text()
        assert page.count("<script") == len(words.split()), name
        assert all(word in page for word in words.split()), name


def png(width: int) -> str:
    file = io.BytesIO()
    Image.effect_noise((width, 40), 50).convert("RGB").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_pictures_have_half_their_pixels_as_width_and_few_colours():
    picture = png(300)
    cell = v4.new_code_cell(outputs=[v4.new_output("display_data", {"image/png": picture})])
    cell.metadata["mystnb"] = {"image": {"alt": "noise"}}
    render.fit_pictures(v4.new_notebook(cells=[cell, v4.new_code_cell()]))
    assert cell.metadata.mystnb.image == {"alt": "noise", "width": "150px"}
    small = with_palette(picture)
    assert len(small) < len(picture) and with_palette(small) in (small, picture)
    assert Image.open(io.BytesIO(base64.b64decode(small))).size == (300, 40)
