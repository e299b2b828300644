"""Slides: short enough to read, notes to speak from, nothing from outside, nothing cut off."""

import base64
import io
import re
from unittest.mock import Mock

import nbformat
import pytest
from demo_images import saved
from nbformat import v4
from PIL import Image

from tools.book.course import ROOT, ChapterError, chapters
from tools.book.npm import NpmError, install
from tools.teach import slides
from utils import report

TAUGHT = [path for path in chapters() if path.name[:2] in {f"{n:02}" for n in range(1, 14)}]
WIDTH, HEIGHT, SMALLEST = 1280, 720, 24  # pixels
ASKED_FIRST = r"before you show|\b(ask|bet|guess|say|vote)( on \w+ \w+)? first\b|\b(un)?cover\b"


def table():
    """Return a line of text and a table as outputs of a cell."""
    shown = report.table([("nv", 6705), ("a & b", 1113)], ["dx", "images"], title="Two classes")
    data = {"text/html": shown._repr_html_(), "text/plain": str(shown)}
    return [v4.new_output("stream", text="Data: invented\n"), v4.new_output("display_data", data)]


def picture(width, height):
    """Return the output of a grey picture of a size."""
    data = base64.b64encode(saved(Image.new("L", (width, height), 153))).decode()
    return v4.new_output("display_data", {"image/png": data})


def code(source, show, outputs=(), *, points=(), alt="A grey field."):
    metadata = {"tags": ["slide"], "mystnb": {"image": {"alt": alt}}}
    told = {"title": "Short", "points": list(points), "notes": "Say it.", "show": show}
    return v4.new_code_cell(source, outputs=list(outputs), metadata=metadata | {"slide": told})


def book(*cells, box="> box"):
    first = [v4.new_markdown_cell(text) for text in ("# Two & more: the title", box)]
    return v4.new_notebook(cells=[*first, *cells])


@pytest.fixture
def notebook():
    box = "> **Time to read** 5 minutes\n>\n> **You will be able to**\n"
    box += "> - count *images* and\n>   lesions;\n> - read a [table](x.ipynb)."
    points = [f"Point {n} has **fourteen** words, which is as many as one point may have here"
              for n in range(4)]  # fmt: skip
    long = "value = some_function_with_a_long_name(number_one, second=2, x=33)"
    text = v4.new_markdown_cell("Text.", metadata=code("", "nothing", points=points).metadata)
    asked = code("x", "output", [picture(900, 400)], points=points)
    asked.metadata.slide["guess"] = "How many are there?"
    return book(
        asked,
        code("x", "output", [picture(900, 400)]),
        code("x", "output", [picture(600, 500)], points=points[:3], alt='A "b" & c'),
        code("x", "output", [picture(400, 250), picture(400, 250)]),
        code("x", "output", table(), points=points[:1]),
        code("\n".join([long] * 8), "source", points=points[:2]),
        text,
        v4.new_code_cell("untagged", outputs=[picture(10, 10)]),
        box=box,
    )


def test_a_chapter_becomes_a_deck(notebook):
    notebook.cells[7].source += '\nprint("<b>")  # why'
    deck = slides.deck(notebook, name="03_x")
    assert (deck["place"], deck["chapter"]) == ("Chapter 3", "Two &amp; more: the title")
    assert deck["objectives"] == ["count <em>images</em> and lesions", "read a table"]
    layouts = [slide["layout"] for slide in deck["slides"]]
    assert layouts == ["below", "side", "side", "side", "text", "text", "nothing"]
    assert 'alt="A &#34;b&#34; &amp; c"' in deck["slides"][2]["shown"][0]
    assert "<strong>fourteen</strong>" in deck["slides"][0]["points"][0]
    text, table = deck["slides"][4]["shown"]
    assert text == '<pre class="short">Data: invented</pre>'
    table = re.sub(r"\n *", "", table)
    assert table.startswith("<table><caption>Two classes</caption><thead><tr><th>dx</th>")
    assert '<td class="words">a &amp; b</td><td>1,113</td>' in table
    (shown,) = deck["slides"][5]["shown"]
    assert "&lt;b&gt;" in shown and '<span class="c1"># why</span>' in shown


def test_a_high_picture_is_cut_where_it_is_emptiest():
    image = Image.new("L", (100, 200), 153)
    image.paste(255, (2, 110, 100, 118))  # a gap, crossed by a line at the left
    parts = [Image.open(io.BytesIO(part)).size for part in slides._halves(saved(image))]
    assert parts == [(100, 114), (100, 86)]


@pytest.mark.parametrize("cell, why", [
    (code("first line", "output"), "the cell that begins 'first line'.*make publish"),
    (code("x", "picture"), "show is 'picture'"),
    (code("x", "nothing"), "shows nothing and has no points"),
    (code("x", "output", [picture(9, 9)], alt=""), "no alt text"),
    (v4.new_markdown_cell("T", metadata=code("", "output").metadata),
     "can show 'nothing', or a block"),
    (v4.new_markdown_cell("T", metadata={"tags": ["slide"]}), "no notes, points"),
])  # fmt: skip
def test_a_cell_that_cannot_be_a_slide_is_named(cell, why):
    with pytest.raises(ChapterError, match=f"03_x, .*{why}"):
        slides.deck(book(cell), name="03_x")


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem[:2])
def test_slides_of_a_chapter_are_few_and_short(path):
    cells = [c for c in nbformat.read(path, 4).cells if "slide" in c.metadata.get("tags", ())]
    deck = slides.deck(nbformat.read(path, 4), name=path.stem)
    assert 10 <= len(cells) + 1 <= 15, f"{len(cells)} cells and the first slide"
    assert len(deck["objectives"]) >= 3
    assert any("<img" in part for slide in deck["slides"] for part in slide["shown"])
    for cell, made in zip(cells, deck["slides"], strict=True):
        slide = cell.metadata["slide"]
        lines = sum(part.count("<tr>") for part in made["shown"] if "<table" in part)
        rules = {
            "title": 0 < len(slide["title"]) <= 50 and len(slide.get("guess", "")) <= 50,
            "points": len(slide["points"]) <= 4,
            "words of a point": all(len(point.split()) <= 14 for point in slide["points"]),
            "notes": len(slide["notes"].split()) >= 20,
            "guess": "guess" in slide or not re.search(ASKED_FIRST, slide["notes"], re.IGNORECASE),
            "code": slide["show"] != "source" or made["shown"][0].count("\n") < 8,
            "table": lines <= 10,  # 8, heading, sum
        }
        assert all(rules.values()), f"{slide['title']!r}: {rules}"


@pytest.fixture(scope="module")
def modules():
    try:
        return install(ROOT / "teaching" / "slides")
    except NpmError as error:
        pytest.skip(f"reveal.js cannot be installed here: {error}")


@pytest.fixture(scope="module")
def written(modules, tmp_path_factory):
    """The folder with the decks of all chapters that have slides."""
    folder = tmp_path_factory.mktemp("slides")
    decks = [slides.deck(nbformat.read(path, 4), name=path.stem) for path in TAUGHT]
    slides.write(decks, folder, modules=modules)
    return folder


def test_nothing_comes_from_elsewhere(written):
    assert "Chapter 3: " in (written / "index.html").read_text(encoding="utf-8")
    pages = [*written.rglob("*.html"), *written.rglob("*.css")]
    assert len(pages) >= len(TAUGHT) + 4
    foreign = r"(?:(?:src|href)\s*=\s*|url\()[\"']?(?:\w+:)?//"
    assert not [path for path in pages if re.search(foreign, path.read_text(encoding="utf-8"))]
    assert "Permission is hereby granted" in (written / "reveal" / "LICENSE").read_text()


MEASURE = """() => {
  const slide = Reveal.getCurrentSlide(), frame = slide.getBoundingClientRect();
  const problems = [], scale = Reveal.getScale(), images = slide.querySelectorAll("img");
  const inside = (box, what) => {
    const over = Math.max(frame.left - box.left, frame.top - box.top,
                          box.right - frame.right, box.bottom - frame.bottom);
    if (over > 1) problems.push(`${what} is ${Math.round(over)} px outside the slide`);
  };
  const footer = slide.querySelector("footer").getBoundingClientRect();
  const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest("aside")) continue;
    const size = parseFloat(getComputedStyle(parent).fontSize) * scale;
    const what = `'${node.data.trim().slice(0, 30)}'`;
    if (size < SMALLEST - 0.01) problems.push(`${what} has ${size} px`);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      inside(box, what);
      if (!parent.closest("footer") && box.bottom > footer.top + 1)
        problems.push(`${what} runs into the footer`);
    }
  }
  for (const image of images) {
    const box = image.getBoundingClientRect();
    inside(box, "the picture");
    if (!image.complete || !image.naturalWidth) problems.push("the picture does not show");
    const ratio = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    const wide = ratio * image.naturalWidth * images.length / frame.width >= 0.45;
    if (!wide && ratio * image.naturalHeight < 0.6 * frame.height)
      problems.push("the picture is small");
  }
  return [...new Set(problems)];
}""".replace("SMALLEST", str(SMALLEST))


def measured(new_page, file):
    """Return what is wrong on which slide, and what the page asked for elsewhere."""
    page = new_page(file.as_uri(), viewport={"width": WIDTH, "height": HEIGHT})
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("document.fonts.ready")
    problems = []
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number})")
        problems += [f"slide {number + 1}: {problem}" for problem in page.evaluate(MEASURE)]
    assert any(url.endswith("notes.js") for url in page.requests)
    return problems + [url for url in page.requests if not url.startswith(("file:", "data:"))]


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem[:2])
def test_slides_of_a_chapter_can_be_read_from_the_last_row(path, written, new_page):
    assert measured(new_page, written / f"{path.stem}.html") == []


def test_made_up_slides_can_be_read_and_printed(notebook, modules, new_page, tmp_path):
    slides.write([slides.deck(notebook, name="03_x")], tmp_path, modules=modules)
    assert measured(new_page, tmp_path / "03_x.html") == []
    page = new_page((tmp_path / "03_x.html").as_uri() + "#/1")
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    shown = """[...document.querySelectorAll('.present :is(h2 span, .stage)')]
        .map(part => part.checkVisibility({visibilityProperty: true}))"""
    assert page.evaluate(shown) == [True, False, False]
    page.keyboard.press("Space")
    page.wait_for_function(f"JSON.stringify({shown}) == '[false,true,true]'")
    page.goto((tmp_path / "03_x.html").as_uri() + "?print-pdf")
    page.wait_for_function("document.querySelectorAll('.pdf-page').length > 0")
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(notebook.cells) - 2


def test_a_book_encloses_slides_and_the_students_zip_and_no_solution(tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "build", lambda folder: folder.mkdir())
    assert slides.enclose(tmp_path).startswith("The book has")
    assert [path.name for path in tmp_path.rglob("*.*")] == ["reading-skin-student.zip"]
    monkeypatch.setattr(slides, "build", Mock(side_effect=NpmError("no network")))
    assert slides.enclose(tmp_path).endswith("no network")
