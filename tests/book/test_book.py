"""The book builds without a warning, and a warning would be an error."""

import re
import shutil

import pytest

from tools.book.course import ROOT, chapters
from tools.book.render import render, stage
from tools.book.set_repository import address


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The committed notebooks, rendered; its folder of HTML pages."""
    folder = tmp_path_factory.mktemp("book")
    stage(folder)
    done = render(folder)
    assert done.returncode == 0, done.stdout[-4000:]
    return folder / "_build" / "html"


def page(book, name):
    return (book / f"{name}.html").read_text(encoding="utf-8")


def test_every_page_is_there(book):
    names = [f"chapters/{path.stem}" for path in chapters()]
    assert names
    names += [f"teaching/{path.stem}" for path in (ROOT / "teaching").glob("*.md")]
    for name in [
        *names,
        "intro",
        "data-and-licence",
        "how-long-things-take",
        "references",
        "search",
    ]:
        assert (book / f"{name}.html").stat().st_size > 500, name
    assert "intro.html" in page(book, "index")


def test_launch_buttons_have_the_address(book):
    owner_and_name = address().removeprefix("https://github.com/")
    for path in chapters():
        html = page(book, f"chapters/{path.stem}")
        place = f"chapters/{path.name}"
        assert (
            f"https://colab.research.google.com/github/{owner_and_name}/blob/main/{place}" in html
        )
        assert f"https://mybinder.org/v2/gh/{owner_and_name}/main?urlpath=lab/tree/{place}" in html
        assert f'href="{address()}"' in html


def test_chapters_are_numbered_through(book):
    html = page(book, "intro")
    numbered = [path for path in chapters() if re.match(r"(?!00)\d\d_", path.name)]
    assert len(numbered) >= 8
    for number, _ in enumerate(numbered, 1):
        assert f">{number}. " in html


def test_logo_style_icon_and_bibliography(book):
    html = page(book, "intro")
    assert "_static/logo.svg" in html and (book / "_static" / "logo.svg").exists()
    assert "_static/favicon.png" in html and (book / "_static" / "favicon.png").exists()
    assert "_static/course.css" in html
    assert "10.1038/sdata.2018.161" in page(book, "references")


def test_every_picture_of_the_book_has_alt_text(book):
    for file in book.rglob("*.html"):
        for picture in re.findall(r"<img\b[^>]*>", file.read_text(encoding="utf-8")):
            assert re.search(r'\balt="[^"]+"', picture), f"{file.name}: {picture}"


def test_broken_reference_is_an_error(tmp_path):
    folder = tmp_path / "book"
    (folder / "_static").mkdir(parents=True)
    for name in ("_config.yml", "references.bib"):
        shutil.copy2(ROOT / name, folder)
    for name in ("logo.svg", "favicon.png"):
        shutil.copy2(ROOT / "_static" / name, folder / "_static")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: intro\n")
    (folder / "intro.md").write_text("# Title\n\nA [whole](https://example.org) link.\n")
    done = render(folder)
    assert done.returncode == 0, done.stdout[-4000:]
    (folder / "intro.md").write_text("# Title\n\nA {ref}`broken` link.\n")
    done = render(folder)
    assert done.returncode != 0
    assert "broken" in done.stdout
