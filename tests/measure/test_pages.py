"""What was measured and the pages: each shows what is stored, and what it tells is enough."""

import re

import nbformat
import pytest
import yaml

from tools.book.course import ROOT, chapters
from tools.book.splice import splice
from tools.measure import bench, devices, harness, memory

CLASSROOM = memory.PAGE.read_text(encoding="utf-8")
HUB = yaml.safe_load(re.search(r"```yaml\n(.*?)```", CLASSROOM, re.DOTALL)[1])["singleuser"]


@pytest.mark.parametrize(
    "name, module", [("bench", bench), ("devices", devices), ("peak_memory", memory)]
)
def test_page_shows_what_is_stored(name, module):
    page = module.PAGE.read_text(encoding="utf-8")
    section = module.section(harness.stored(name))
    assert splice(page, name, section) == page, f"run `python -m {module.__name__} --page`"


def test_a_command_stores_and_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(harness, "MODELS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- counted: sum -->\n<!-- end of sum -->\nMore.\n")

    def measure(*, numbers):
        if not numbers:
            raise harness.MeasureError("nothing to add")
        yield {"sum": sum(numbers)}

    def run(*arguments, **options):
        numbers = {"type": int, "nargs": "*", "default": []}
        show = "{sum} in all".format_map
        return harness.command(
            "sum", measure, show, numbers=numbers, arguments=arguments, **options
        )

    assert run("--numbers", "3", "4", page=page) == 0
    assert "7 in all" in capsys.readouterr().out and harness.stored("sum") == {"sum": 7}
    assert "\n7 in all\n" in page.read_text() and page.read_text().endswith("-->\nMore.\n")
    assert run() == 1 and "nothing to add" in capsys.readouterr().err
    page.write_text("no markers")
    assert run("--page", page=page) == 1 and "markers" in capsys.readouterr().err
    assert harness.stored("sum") == {"sum": 7} and page.read_text() == "no markers"


# --- The memory of chapters ----------------------------------------------------------------------


def test_every_chapter_was_measured():
    stored = harness.stored("peak_memory")["chapters"]
    missing = sorted({path.stem for path in chapters()} - stored.keys())
    assert not missing, f"measure.memory --chapters {' '.join(name[:2] for name in missing)}"
    for name, found in stored.items():
        for way in ("quick", "full"):
            assert 100 < found[way]["peak_mb"] < 6_000, (name, way)
        assert "phantom" in found["quick"]["data"] or not found["quick"]["data"], name
        assert "phantom" not in found["full"]["data"], name


def test_what_the_page_tells_to_set_is_enough():
    stored = harness.stored("peak_memory")
    limits = [HUB["memory"]["limit"], re.search(r"limits\.memory (\w+)", CLASSROOM)[1]]
    for limit in limits:
        assert int(limit.removesuffix("M")) / 1000 >= memory.per_person(stored), limit
    # All small runs of the numbered chapters fit into Binder, as the intro of its section says.
    found = stored["chapters"].items()
    small = {n: one["quick"]["peak_mb"] for n, one in found if n[0].isdigit()}
    assert max(small.values()) < memory.BINDER_MB, small


def test_the_folders_that_the_page_names_exist():
    (mount,) = HUB["storage"]["extraVolumeMounts"].values()
    assert mount["readOnly"] is True and HUB["extraEnv"].keys() == {
        "HAM10000_DIR",
        "HAM10000_CACHE",
    }
    assert all(folder.startswith(mount["mountPath"]) for folder in HUB["extraEnv"].values())
    for name in re.findall(r"`(tests/[\w./]+)`", CLASSROOM):
        assert (ROOT / name).is_file(), name


def test_limit_follows_the_largest_numbered_chapter_and_leaves_appendices_out():
    def results(**full):
        found = {n: {"quick": {"peak_mb": m // 2}, "full": {"peak_mb": m}} for n, m in full.items()}
        machine = {"cpu": "x", "cores": 2, "system": "y"}
        return {"date": "2026-01-01", "machine": machine, "chapters": found}

    three = results(**{"03_x": 1000, "05_y": 1500, "A1_z": 5000})
    assert memory.per_person(three) == 2.1  # 1500 × 1.3 + 150 = 2100
    words = " ".join(memory.section(three).split())
    assert "`05_y` with 1,500 MB" in words and "**2.1 GB**" in words and "**63 GB**" in words
    assert "`05_y` | 750 | 1,500 | yes |" in words and "`A1_z` | 2,500 | 5,000 | no |" in words
    assert "small only" in memory.section(results(**{"05_y": 3000}))


def test_measurement_sees_the_kernel_and_the_processes_it_starts(tmp_path, monkeypatch):
    def run(*sources, **settings):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        cells[0].metadata["tags"] = ["parameters"]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, tmp_path / "03_x.ipynb")
        return memory.run(chapter=str(tmp_path / "03_x.ipynb"), **settings)

    small = run("EPOCHS = 50", "print(f'Data: made up {EPOCHS}, 5 images')", EPOCHS=2)
    assert small["data"] == "made up 2" and 30 < small["peak_mb"] < 250
    hold = "x = b'x' * 200_000_000; time.sleep(0.3)"
    assert run(f"import time; {hold}; del x")["peak_mb"] > small["peak_mb"] + 150
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', \"import time; {hold}\"])"
    )
    assert run(child)["peak_mb"] > small["peak_mb"] + 150
