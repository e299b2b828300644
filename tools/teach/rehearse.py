"""Rehearse a session with the clock: run its chapters and hold the cells' times against the plan.

    python -m tools.teach.rehearse 2

runs every chapter of session 2 of ``teaching/session-plans.md`` from its first cell to its last, on
the best data there is, and prints for each block of the plan the minutes it has and the seconds its
cells computed. A chapter that trains runs with the number of epochs the plan names.
"""

import re
import sys
from pathlib import Path

import nbformat

from tools.book.course import ROOT, ChapterError, execute, takes_epochs

PLANS = ROOT / "teaching" / "session-plans.md"
EPOCHS = 10  # as the plan of session 4 says


def blocks(number: int, page: str) -> list[dict[str, str]]:
    """Return the blocks of a session: a dict for each row of its table.

    Raises
    ------
    ChapterError
        If the plans have no such session.
    """
    found = re.search(rf"^### Session {number}: .*$", page, re.MULTILINE)
    if not found:
        raise ChapterError(f"There is no session {number} in {PLANS.name}.")
    table = re.search(r"(?:^\|.*\n)+", page[found.end() :] + "\n", re.MULTILINE)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def seconds_of_sections(notebook: nbformat.NotebookNode) -> dict[str, float]:
    """Return the seconds that the cells below each heading took in an executed notebook.

    Cells before the first section count under "".
    """
    seconds, heading = {"": 0.0}, ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#{2,4} (.+)$", cell.source, re.MULTILINE)
            if headings:
                # Exercises are headings of the third level below one section.
                heading = headings[-1] if not headings[-1].startswith("Exercise ") else "Exercises"
                for name in headings:
                    seconds.setdefault(name, 0.0)
        else:
            took = cell.metadata.get("papermill", {}).get("duration") or 0.0
            seconds[heading] = seconds.get(heading, 0.0) + took
    return seconds


def rehearse(number: int, *, page: str | None = None, folder: Path | None = None) -> list[tuple]:
    """Run a session; return for each block minutes, seconds of computing, and where.

    The cells before the first section (set-up, imports) count in the first block of a chapter.

    Raises
    ------
    ChapterError
        If a chapter fails, or the plan names a section that its chapter lacks.
    """
    page = page if page is not None else PLANS.read_text(encoding="utf-8")
    folder = folder or ROOT / "_build" / "rehearsal"
    ran: dict[str, dict[str, float]] = {}
    rows = []
    for block in blocks(number, page):
        total, where = 0.0, block["where"]
        for stem in dict.fromkeys(re.findall(r"\(\.\./chapters/(\w+)\.ipynb\)", where)):
            if stem not in ran:
                path = ROOT / "chapters" / f"{stem}.ipynb"
                parameters = {"EPOCHS": EPOCHS} if takes_epochs(path) else {}
                execute(path, folder / path.name, parameters=parameters)
                executed = nbformat.read(folder / path.name, as_version=4)
                ran[stem] = seconds_of_sections(executed)
                total += ran[stem][""]
        for name in re.findall(r"\*([^*]+)\*", where):
            sections = next((s for stem, s in ran.items() if stem in where and name in s), None)
            if sections is None:
                raise ChapterError(f"Session {number} names the section {name!r}; there is none.")
            total += sections[name]
        rows.append((int(block["minutes"]), total, block["what happens"], where))
    return rows


def main(arguments: list[str]) -> int:
    """Rehearse the sessions named; return the exit status: 1 if a block computes too long."""
    late = False
    try:
        for number in map(int, arguments):
            print(f"Session {number}")
            rows = rehearse(number)
            for minutes, seconds, what, _ in rows:
                mark = "LATE" if seconds > 60 * minutes else ""
                late = late or bool(mark)
                print(f"{minutes:4} min {seconds:7.1f} s {mark:5} {what[:64]}")
            total = sum(seconds for _, seconds, _, _ in rows)
            print(f"{sum(row[0] for row in rows):4} min {total:7.1f} s       in all")
    except (ChapterError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return int(late)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
