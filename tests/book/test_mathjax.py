"""Formulas show without a network: the book carries MathJax."""

import pytest

from tools.book import npm, render


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
