"""What was measured and the pages: each shows what is stored."""

import pytest

from tools.book.splice import splice
from tools.measure import bench, devices, harness, memory


@pytest.mark.parametrize(
    "name, module", [("bench", bench), ("devices", devices), ("peak_memory", memory)]
)
def test_page_shows_what_is_stored(name, module):
    page = module.PAGE.read_text(encoding="utf-8")
    section = module.section(harness.stored(name))
    assert splice(page, name, section) == page, f"run `python -m {module.__name__} --page`"


def test_a_command_stores_and_writes_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "MODELS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- counted: sum -->\n<!-- end of sum -->\nMore.\n")

    def measure(*, numbers):
        if not numbers:
            raise harness.MeasureError("nothing to add")
        harness.store("sum", {"sum": sum(numbers)})

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["command", *arguments])
        numbers = {"type": int, "nargs": "*", "default": []}
        show = "{sum} in all".format_map
        harness.command("sum", measure, show, page=page, numbers=numbers)

    run("--numbers", "3", "4")
    assert harness.stored("sum") == {"sum": 7}
    assert "\n7 in all\n" in page.read_text() and page.read_text().endswith("-->\nMore.\n")
    with pytest.raises(SystemExit, match="nothing to add"):
        run()
    page.write_text("no markers")
    with pytest.raises(SystemExit, match="markers"):
        run("--page")
    assert harness.stored("sum") == {"sum": 7} and page.read_text() == "no markers"
