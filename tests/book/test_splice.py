"""What a tool computed gets into a page, and nothing else of the page changes."""

import pytest

from tools.book.course import ChapterError
from tools.book.splice import filled

START, END = "<!-- counted: seconds -->", "<!-- end of seconds -->"
PAGE = f"before\n\n{START}\n\nold\n\n{END}\n\nafter\n"


def test_only_the_section_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert filled(page, {"seconds": r"new \1"}) == PAGE.replace("old", r"new \1")
    page.write_text(f"{PAGE}<!-- counted: more -->\n<!-- end of more -->\n")
    with pytest.raises(ChapterError, match=r"page.md: .* \['more'\]"):
        filled(page, {"seconds": ""})


@pytest.mark.parametrize(
    "page",
    ["", PAGE.replace(START, ""), PAGE.replace(END, ""), PAGE + PAGE, f"{END}\n{START}\n"],
    ids=["none", "no start", "no end", "twice", "wrong order"],
)
def test_missing_and_doubled_markers_are_refused(page: str, tmp_path):
    (tmp_path / "page.md").write_text(page)
    with pytest.raises(ChapterError, match="page.md: the section 'seconds' must stand once"):
        filled(tmp_path / "page.md", {"seconds": "new"})
