"""Rehearse a session with the clock: hold the cells' times against ``session-plans.md``.

    python -m tools.teach.rehearse 2

runs the chapters of session 2 on the best data there is, and prints for each block of the plan
the minutes it has and the seconds its cells computed.
"""

import re
import sys

import nbformat

from tools.book.course import ROOT, TRAINS, ChapterError, execute

PLANS = ROOT / "teaching" / "session-plans.md"
FOLDER = ROOT / "_build" / "rehearsal"
EPOCHS = 10  # as the plan of session 4 says


def blocks(number: int, page: str) -> list[dict[str, str]]:
    """Return the blocks of a session: a dict for each row of its table."""
    table = re.search(rf"(?m)^### Session {number}: (?:.*\n)+?((?:^\|.*\n)+)", page + "\n")
    if not table:
        raise ChapterError(f"There is no session {number} in {PLANS.name}.")
    lines = [[cell.strip() for cell in row.strip("|").split("|")] for row in table[1].splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def seconds_of_sections(notebook: nbformat.NotebookNode) -> dict[str, float]:
    """Return the seconds that an executed notebook's cells took below each heading, "" before."""
    seconds, heading = {"": 0.0}, ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            seconds[heading] += cell.metadata.get("papermill", {}).get("duration") or 0.0
            continue
        for name in re.findall(r"^#{2,4} (.+)$", cell.source, re.MULTILINE):
            heading = "Exercises" if name.startswith("Exercise ") else name  # below one section
            seconds.setdefault(heading, 0.0)
    return seconds


def rehearse(number: int, page: str) -> list[tuple[int, float, str]]:
    """Run a session's chapters; return for each block minutes, seconds of computing, and what."""
    ran: dict[str, dict[str, float]] = {}
    rows = []
    for block in blocks(number, page):
        names, total = re.findall(r"\*([^*]+)\*", block["where"]), 0.0
        for stem in re.findall(r"\(\.\./chapters/(\w+)\.ipynb\)", block["where"]):
            if stem not in ran:
                path, copy = ROOT / "chapters" / f"{stem}.ipynb", FOLDER / f"{stem}.ipynb"
                execute(path, copy, parameters={"EPOCHS": EPOCHS} if stem[:2] == TRAINS else {})
                ran[stem] = seconds_of_sections(nbformat.read(copy, as_version=4))
                total += ran[stem][""]  # set-up and imports count in a chapter's first block
            if lacking := set(names) - set(ran[stem]):
                raise ChapterError(f"Session {number}: {stem} has no section {lacking}.")
            total += sum(ran[stem][name] for name in names)
        rows.append((int(block["minutes"]), total, block["what happens"]))
    return rows


def main(arguments: list[str]) -> int:
    """Rehearse the sessions named; return the exit status: 1 if a block computes too long."""
    late = False
    try:
        for number in map(int, arguments):
            print(f"Session {number}")
            rows = rehearse(number, PLANS.read_text(encoding="utf-8"))
            for minutes, seconds, what in rows:
                mark = "LATE" if seconds > 60 * minutes else ""
                late |= bool(mark)
                print(f"{minutes:4} min {seconds:7.1f} s {mark:5} {what[:64]}")
            minutes, seconds = (sum(row[n] for row in rows) for n in (0, 1))
            print(f"{minutes:4} min {seconds:7.1f} s       in all")
    except (ChapterError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return int(late)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else __doc__)
