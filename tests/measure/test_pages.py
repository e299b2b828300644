"""What was measured and the pages: each shows what is stored, and nothing else in it changes."""

import copy

import pytest

from tools.book.course import ChapterError
from tools.book.splice import filled, sections
from tools.measure import harness

TEMPLATE = harness.ROOT / "tools" / "measure" / "pages" / "how-long-things-take.j2"
START, END = "<!-- counted: seconds -->", "<!-- end of seconds -->"
PAGE = f"before\n\n{START}\n\nold\n\n{END}\n\nafter\n"


def test_pages_show_what_is_stored():
    for page, text in harness.pages().items():
        assert page.read_text(encoding="utf-8") == text, "python -m tools.measure.bench --page"


def test_rows_and_ratios_follow_from_the_results():
    bench = copy.deepcopy(harness.stored("bench"))
    found = bench["measured"]
    found["original"] |= {"seconds": 400.0, "peak_mb": 3000.0}
    found["recipe"] |= {"seconds": 200.0, "peak_mb": 750.0}
    found["original"]["test"]["balanced accuracy"] = 0.43
    found["short"]["test"]["balanced accuracy"] = 0.1  # validation, and not test, says it
    given = {"bench": bench, "devices": harness.stored("devices")}
    given |= {"number": harness._number, "backends": harness.BACKENDS}
    for quality, words in ((0.43, "quality reached |"), (0.42, "quality not reached |")):
        found["short"]["validation"]["balanced accuracy"] = quality
        rows = sections(TEMPLATE, given)["bench"].splitlines()[-9:]
        assert {row.count("|") for row in rows} == {7}
        assert "| 200 | 750 |" in rows[1] and "| time × 0.50, memory × 0.25 |" in rows[1]
        assert words in rows[2]


def test_a_command_stores_and_writes_the_pages(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- counted: sum -->\n<!-- end of sum -->\nMore.\n")
    monkeypatch.setattr(harness, "MODELS", tmp_path)

    def pages():
        return {page: filled(page, {"sum": str(harness.stored("sum")["sum"])})}

    monkeypatch.setattr(harness, "pages", pages)

    def measure(*numbers):
        if not numbers:
            raise SystemExit("nothing to add")
        harness.store("sum", {"sum": sum(map(int, numbers))})

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["command", *arguments])
        harness.command(measure)

    run("3", "4")
    assert "\n7\n" in page.read_text() and page.read_text().endswith("-->\nMore.\n")
    with pytest.raises(SystemExit, match="nothing to add"):
        run()
    page.write_text("no markers")
    with pytest.raises(SystemExit, match="must stand once"):
        run("--page")
    assert harness.stored("sum") == {"sum": 7} and page.read_text() == "no markers"


def test_only_the_section_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert filled(page, {"seconds": r"new \1"}) == PAGE.replace("old", r"new \1")
    page.write_text(f"{PAGE}<!-- counted: more -->\n<!-- end of more -->\n")
    with pytest.raises(ChapterError, match=r"page.md: .* \['more'\]"):
        filled(page, {"seconds": ""})


@pytest.mark.parametrize("page", [
    "", PAGE.replace(START, ""), PAGE.replace(END, ""), PAGE + PAGE, f"{END}\n{START}\n",
])  # fmt: skip
def test_missing_and_doubled_markers_are_refused(page: str, tmp_path):
    (tmp_path / "page.md").write_text(page)
    with pytest.raises(ChapterError, match="page.md: the section 'seconds' must stand once"):
        filled(tmp_path / "page.md", {"seconds": "new"})
