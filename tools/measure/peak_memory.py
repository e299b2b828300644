"""How much memory each chapter needs, small and in full: the table of *A classroom's server*.

    python -m tools.measure.peak_memory [03 06]      measure all chapters, or these, and write the page
    python -m tools.measure.peak_memory --page       measure nothing, write the page from what is stored

Small runs (``COURSE_QUICK=1``) are made on the phantom, as on Binder; full ones on the best data
there is. Chapter 5 trains two epochs in full: more of them take time and no more memory. The
numbers go into ``models/peak_memory.json``, those of other chapters stay.
"""

import argparse
import datetime
import json
import math
import re
import sys
import textwrap
import threading
import time
from pathlib import Path

import nbformat

from tools.book.course import ROOT, chapters, data_of, environment
from tools.measure.bench_machine import machine
from utils.files import replace_file, write_json

RESULTS = ROOT / "models" / "peak_memory.json"
PAGE = ROOT / "teaching" / "classroom-server.md"
START, END = "<!-- what tools.measure.peak_memory measured: start -->", "<!-- and its end -->"
BINDER_MB, HEADROOM, PEOPLE, SERVER_MB = 2000, 1.3, 30, 150
EPOCHS = {"05": 2}
ASK = f"""import sys
sys.path.insert(0, {str(ROOT)!r})
from tools.measure.bench_machine import peak_memory
print("@peak", peak_memory())
"""


def measure(chapter: Path, *, quick: bool) -> dict:
    """Run a chapter in a kernel of its own and return what it took.

    Parameters
    ----------
    chapter : Path
        Only read.
    quick : bool
        Small, on the phantom.

    Returns
    -------
    dict
        ``seconds``, ``peak_mb`` (10**6 bytes: the kernel's largest memory as the system counted
        it, or that of the kernel and the processes it started together, where that is more) and
        ``data``, what the chapter said it ran on.
    """
    from nbclient import NotebookClient

    notebook = nbformat.read(chapter, as_version=4)
    epochs = None if quick else EPOCHS.get(chapter.name[:2])
    for cell in notebook.cells:
        if epochs and "parameters" in cell.metadata.get("tags", ()):
            cell.source = re.sub(r"^EPOCHS = .*$", f"EPOCHS = {epochs}", cell.source, flags=re.M)
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))
    env = environment() | {"COURSE_QUICK": "1" if quick else "0"}
    if quick:
        env["HAM10000_DIR"] = "phantom"
    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        resources={"metadata": {"path": str(chapter.parent)}},
    )
    start = time.perf_counter()
    with _Watch() as watch:
        client.execute(env=env)
    (said,) = (output.text for output in notebook.cells[-1].outputs)
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "peak_mb": round(max(float(said.split()[1]), watch.largest / 1e6)),
        "data": data_of(notebook) or "",
    }


class _Watch:
    """Adds up, ten times a second, the memory of all processes that this one has started."""

    def __init__(self) -> None:
        self.largest = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        import psutil

        own = psutil.Process()
        while not self._stop.wait(0.1):
            total = 0
            for process in own.children(recursive=True):
                try:
                    total += process.memory_info().rss
                except psutil.Error:  # it has ended meanwhile
                    continue
            self.largest = max(self.largest, total)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def read() -> dict:
    """Return the stored measurements, without chapters if there are none."""
    if RESULTS.is_file():
        return json.loads(RESULTS.read_text(encoding="utf-8"))
    return {"chapters": {}}


def table(results: dict) -> str:
    """Return the page's table, with the sentences that follow from it."""
    lines = [
        f"Measured on {results['date']} on {results['machine']['cpu']}, "
        f"{results['machine']['cores']} cores ({results['machine']['system']}).",
        "",
        "| chapter | small, on the phantom (MB) | in full (MB) | fits into Binder's 2 GB |",
        "|---|---:|---:|---|",
    ]
    for name, found in sorted(results["chapters"].items()):
        small, full = found["quick"]["peak_mb"], found["full"]["peak_mb"]
        fits = "yes" if full < BINDER_MB else "small only" if small < BINDER_MB else "no"
        lines.append(f"| `{name}` | {small:,} | {full:,} | {fits} |")
    full = {name: found["full"]["peak_mb"] for name, found in results["chapters"].items()}
    numbered = {name: mb for name, mb in full.items() if name[0].isdigit()}
    largest = max(numbered, key=numbered.get)
    limit = per_person(results)
    sentence = (
        f"The largest of the numbered chapters is `{largest}` with {numbered[largest]:,} MB. With "
        f"30 % to spare and {SERVER_MB} MB for the server that runs a person's notebooks, give "
        f"everybody **{limit:.1f} GB**; for {PEOPLE} people at once that is "
        f"**{math.ceil(PEOPLE * limit)} GB**."
    )
    lines += ["", textwrap.fill(sentence, 108, break_on_hyphens=False)]
    return "\n".join(lines)


def per_person(results: dict) -> float:
    """Return the memory to give a person, in GB: the largest numbered chapter and room to spare."""
    most = max(
        found["full"]["peak_mb"] for name, found in results["chapters"].items() if name[0].isdigit()
    )
    return math.ceil((most * HEADROOM + SERVER_MB) / 100) / 10


def write_page(results: dict) -> None:
    """Put the table into the page, between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise SystemExit(f"{PAGE.name} lacks the marks {START} and {END}, between which it stands.")
    replace_file(PAGE, f"{before}{START}\n{table(results)}\n{END}{after}")


def main(arguments: list[str] | None = None) -> int:
    """Measure, store, write the page; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure.peak_memory", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("chapters", nargs="*", help="beginnings of names; all unless given")
    parser.add_argument("--page", action="store_true", help="write the page from what is stored")
    options = parser.parse_args(arguments)
    results = read()
    listed = chapters()
    if not options.page:
        for path in listed:
            if not path.name.startswith(tuple(options.chapters) or ("",)):
                continue
            found = {}
            for way in ("quick", "full"):
                found[way] = measure(path, quick=way == "quick")
                print(f"{path.stem:32}{way:6}{found[way]['peak_mb']:7,} MB", flush=True)
            results["chapters"][path.stem] = found
            known = {p.stem for p in listed}
            results["chapters"] = {k: v for k, v in results["chapters"].items() if k in known}
            results = {"date": datetime.date.today().isoformat(), "machine": machine()} | {
                "chapters": results["chapters"]
            }
            write_json(RESULTS, results)
    write_page(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
