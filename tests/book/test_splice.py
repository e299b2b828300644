"""What a tool computed gets into a page, and nothing else of the page changes."""

import pytest

from tools.book.splice import places, splice

START, END = "<!-- counted: seconds -->", "<!-- end of seconds -->"
PAGE = f"before\n\n{START}\n\nold\n\n{END}\n\n<!-- counted: more -->\n<!-- end of more -->\nafter\n"


def test_only_the_section_changes():
    filled = splice(PAGE, "seconds", r"new \1")
    assert filled == PAGE.replace("old", r"new \1")
    assert splice(filled, "seconds", "old") == PAGE
    assert places(PAGE) == ["seconds", "more"]


@pytest.mark.parametrize(
    "page",
    ["", PAGE.replace(START, ""), PAGE.replace(END, ""), PAGE + PAGE, f"{END}\n{START}\n"],
    ids=["none", "no start", "no end", "twice", "wrong order"],
)
def test_missing_and_doubled_markers_are_refused(page: str):
    with pytest.raises(ValueError, match="The section 'seconds' must stand once"):
        splice(page, "seconds", "new")
