"""Pages carry what they need, and no more: formulas without a network, sharp pictures."""

import base64
import io
from unittest.mock import Mock

import pytest
import yaml
from demo_images import saved
from nbformat import v4
from PIL import Image

from tools.book import npm, render
from tools.book.course import with_palette


@pytest.fixture
def html(tmp_path):
    (tmp_path / "html").mkdir()
    return tmp_path / "html"


def test_formulas_come_from_the_book_or_it_is_said(html, tmp_path, monkeypatch, capsys):
    package = tmp_path / "mathjax" / "es5"
    (package / render.FONTS).mkdir(parents=True)
    (package / render.FONTS / "a.woff").write_bytes(b"font")
    (package / render.SCRIPT).write_text("// MathJax")
    monkeypatch.setattr(npm, "install", lambda folder: tmp_path)
    render.install_mathjax(html)
    config = yaml.safe_load((render.ROOT / "_config.yml").read_text(encoding="utf-8"))
    script = html / "_static" / config["sphinx"]["config"]["mathjax_path"]
    assert script.read_text() == "// MathJax"
    assert (script.parent / render.FONTS / "a.woff").is_file()

    monkeypatch.setattr(npm, "install", Mock(side_effect=npm.NpmError("no network")))
    render.install_mathjax(html)
    assert "no network" in capsys.readouterr().err


def test_a_page_keeps_the_scripts_that_it_uses_and_no_other(html):
    names = ("tex-mml-chtml", "scripts/fontawesome", "searchindex", "doctools")
    scripts = "".join(f'<script defer src="_static/{n}.js?v=1"></script>' for n in names)
    scripts += '<script>const THEBE_JS_URL = "x"</script>'
    formula = '<span class="math notranslate">x</span>'
    for name, text in (("index", ""), ("search", ""), ("formula", formula)):
        (html / f"{name}.html").write_text(f'{scripts}{text}<img alt="x" src="a%20b.png" />')
    Image.new("L", (30, 20)).save(html / "a b.png")
    render.lighten(html)
    kept = {"index": "doctools", "search": "searchindex doctools", "formula": "tex-mml doctools"}
    for name, words in kept.items():
        page = (html / f"{name}.html").read_text()
        assert page.count("<script") == len(words.split()), name
        assert 'src="a%20b.png" width="30" height="20" />' in page
        assert all(word in page for word in words.split()), name


def test_pictures_have_half_their_pixels_as_width_and_few_colours():
    noise = Image.effect_noise((300, 40), 50).convert("RGB")
    picture = base64.b64encode(saved(noise)).decode()
    cell = v4.new_code_cell(outputs=[v4.new_output("display_data", {"image/png": picture})])
    cell.metadata["mystnb"] = {"image": {"alt": "noise"}}
    render.fit_pictures(v4.new_notebook(cells=[cell, v4.new_code_cell()]))
    assert cell.metadata.mystnb.image == {"alt": "noise", "width": "150px"}
    small = with_palette(picture)
    assert len(small) < len(picture) and with_palette(small) in (small, picture)
    assert Image.open(io.BytesIO(base64.b64decode(small))).size == (300, 40)
