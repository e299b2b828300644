"""How much memory each chapter needs, small and in full: the table of *A classroom's server*.

    python -m tools.measure.memory [--chapters 03 06] [--page]   (the latter measures nothing)

Small runs (``COURSE_QUICK=1``) are made on the phantom, as on Binder; full ones on the best data
there is. Chapter 5 trains two epochs in full: more of them take time and no more memory. The
numbers go into ``models/peak_memory.json``, those of other chapters stay.
"""

import contextlib
import math
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

from tools.measure import harness

PAGE = harness.ROOT / "teaching" / "classroom-server.md"
BINDER_MB, HEADROOM, PEOPLE, SERVER_MB = 2000, 1.3, 30, 150
COLUMNS = ["chapter", "small, on the phantom (MB)", "in full (MB)", "fits into Binder's 2 GB"]
QUICK, FULL = {"COURSE_QUICK": "1", "HAM10000_DIR": "phantom"}, {"COURSE_QUICK": "0"}


def run(*, chapter: str, **parameters: int) -> dict:
    """Run a chapter; return its ``seconds``, ``peak_mb`` and ``data``, what it said it ran on.

    Memory is looked at ten times a second: the peak of each process that this one has started,
    and the sum that all of them hold together.
    """
    import nbformat
    import psutil

    from tools.book.course import data_of, execute

    largest, end = 0.0, threading.Event()

    def watch() -> None:
        nonlocal largest
        while not end.wait(0.1):
            together = 0.0
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                    together += process.memory_info().rss / 1e6
                    largest = max(largest, together, harness.peak_memory(process.pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "executed.ipynb"
        seconds = execute(Path(chapter), copy, parameters=parameters)
        data = data_of(nbformat.read(copy, as_version=4)) or ""
    end.set()
    thread.join()
    return {"seconds": round(seconds, 1), "peak_mb": round(largest), "data": data}


def largest_numbered(results: dict) -> tuple[int, str]:
    """Return the MB and the name of the numbered chapter that needs the most in full."""
    found = results["chapters"].items()
    return max((one["full"]["peak_mb"], name) for name, one in found if name[0].isdigit())


def per_person(results: dict) -> float:
    """Return the memory to give a person, in GB: the largest numbered chapter and room to spare."""
    return math.ceil((largest_numbered(results)[0] * HEADROOM + SERVER_MB) / 100) / 10


def section(results: dict) -> str:
    """Return the page's table, with the sentences around it."""
    computer, rows = results["machine"], []
    for name, found in sorted(results["chapters"].items()):
        small, full = found["quick"]["peak_mb"], found["full"]["peak_mb"]
        fits = "yes" if full < BINDER_MB else "small only" if small < BINDER_MB else "no"
        rows.append([f"`{name}`", f"{small:,}", f"{full:,}", fits])
    (megabytes, name), limit = largest_numbered(results), per_person(results)
    sentence = (
        f"The largest of the numbered chapters is `{name}` with {megabytes:,} MB. With "
        f"30 % to spare and {SERVER_MB} MB for the server that runs a person's notebooks, give "
        f"everybody **{limit:.1f} GB**; for {PEOPLE} people at once that is "
        f"**{math.ceil(PEOPLE * limit)} GB**."
    )
    return (
        f"Measured on {results['date']} on {computer['cpu']}, {computer['cores']} cores "
        f"({computer['system']}).\n\n{harness.markdown(rows, COLUMNS, numbers=range(1, 3))}\n\n"
        f"{textwrap.fill(sentence, 108, break_on_hyphens=False)}"
    )


def measure(*, chapters: list[str]) -> Iterator[dict]:
    """Yield the numbers of all chapters whenever one was measured."""
    from tools.book.course import chapters as all_chapters

    results, listed = harness.stored("peak_memory")["chapters"], all_chapters()
    for path in (path for path in listed if path.name.startswith(tuple(chapters))):
        full = {"EPOCHS": 2} if path.name.startswith("05") else {}
        results[path.stem] = {
            "quick": harness.apart("memory.run", env=QUICK, chapter=str(path)),
            "full": harness.apart("memory.run", env=FULL, chapter=str(path), **full),
        }
        numbers = {p.stem: results[p.stem] for p in listed if p.stem in results}
        yield harness.occasion() | {"chapters": numbers}


if __name__ == "__main__":
    chapters = {"nargs": "+", "default": [""], "help": "beginnings of names; all unless given"}
    sys.exit(harness.command("peak_memory", measure, section, page=PAGE, chapters=chapters))
