"""Write into each chapter's box how long it takes to read, to run and to work through.

    python -m tools.book.reading_time

Words are read at 200 a minute. For English non-fiction most adults lie between 175 and 300, 238 on
average, and readers in a second language are slower (Brysbaert 2019, doi
10.1016/j.jml.2019.104047). A code cell with its output takes a minute, a figure half a minute
more; these two are the course's own estimates. Exercises and quiz are not read but worked
through: their minutes are the sum of those that the exercises state. The time to run is that of
the stored run, where there is one. Only Markdown changes, so no chapter has to run again.
"""

import math
import re
import sys
import textwrap
from pathlib import Path

import nbformat

from tools.book.course import ROOT, chapters, pictures
from utils.files import replace_file

WORDS_A_MINUTE, MINUTES_A_CELL, MINUTES_A_FIGURE = 200, 1.0, 0.5
STEP = 5  # minutes; anything finer would look more exact than it is
WORKED_THROUGH = {"exercise", "solution", "quiz"}  # tags
PLANS = "teaching/session-plans.md"


class TimeError(Exception):
    """A box cannot be brought up to date; the message says which and why."""


def words(markdown: str) -> int:
    """Return the number of words that are read: a link counts with its words, tags do not."""
    text = re.sub(r"(!?\[[^\]]*\])\([^)]*\)", r"\1", markdown)
    text = re.sub(r"<[^>]+>", " ", text)
    return sum(any(c.isalnum() for c in word) for word in text.split())


def minutes_to_read(notebook: nbformat.NotebookNode) -> int:
    """Return the minutes a learner needs for text, code and figures, rounded to `STEP`.

    The set-up cell, which is the same everywhere, and what is worked through do not count.
    """
    minutes = 0.0
    for number, cell in enumerate(notebook.cells):
        if WORKED_THROUGH & set(cell.metadata.get("tags", ())) or number == 2:
            continue
        if cell.cell_type == "markdown":
            minutes += words(cell.source) / WORDS_A_MINUTE
        elif cell.cell_type == "code":
            minutes += MINUTES_A_CELL + MINUTES_A_FIGURE * len(pictures(cell))
    return max(STEP, STEP * round(minutes / STEP))


def minutes_of_exercises(notebook: nbformat.NotebookNode) -> int:
    """Return the sum of the minutes that the exercises state (``*5 minutes · …*``)."""
    return sum(
        int(minutes)
        for cell in notebook.cells
        if "exercise" in cell.metadata.get("tags", ())
        for minutes in re.findall(r"^\*(\d+) minutes? · ", cell.source, re.MULTILINE)
    )


def time_to_run(seconds: float) -> str:
    """Return seconds in words, in whole minutes and never too few."""
    if seconds < 55:  # a slower computer still needs less than the minute that is said
        return "less than 1 minute"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def box(notebook: nbformat.NotebookNode) -> str:
    """Return the box of a chapter with its times brought up to date.

    What is said behind a number stays ("(CPU)", "the long runs are stored"). So does a range of
    minutes, as chapter 5 has it for its long run, if the stored run lies in it.

    Raises
    ------
    TimeError
        If the box has no times, or a stored run lies outside the range that the box gives.
    """
    first, gap, rest = notebook.cells[1].source.partition("\n>\n")
    line = " ".join(part.lstrip("> ").strip() for part in first.splitlines())
    form = re.fullmatch(
        r"\*\*Time to read\*\* \d+ minutes(?P<lessons>.*?)"
        r" · \*\*Time to run\*\* (?P<run>.*?)(?: · \*\*Exercises\*\* \d+ minutes)?",
        line,
    )
    if not form:
        raise TimeError(f"the box does not begin with the times to read and to run: {line!r}")
    run, seconds = form["run"], notebook.metadata.get("course", {}).get("seconds")
    spread = re.match(r"(\d+) to (\d+) minutes", run)
    if spread and seconds is not None:
        if not int(spread[1]) <= max(1, round(seconds / 60)) <= int(spread[2]):
            raise TimeError(f"the box says {spread[0]}, the stored run took {seconds:.0f} s")
    elif seconds is not None:
        stated = r"^(?:less than 1 minute|\d+ minutes?)"
        run, changed = re.subn(stated, time_to_run(seconds), run)
        if not changed:
            raise TimeError(f"the time to run begins with no number of minutes: {run!r}")
    read, exercises = minutes_to_read(notebook), minutes_of_exercises(notebook)
    line = f"**Time to read** {read} minutes{form['lessons']} · **Time to run** {run}"
    line += f" · **Exercises** {exercises} minutes" if exercises else ""
    line = re.sub(r"(?<=[*\d]) (?=\d|minutes?)", "\N{NO-BREAK SPACE}", line)  # stays together
    filled = textwrap.fill(line, 102, initial_indent="> ", subsequent_indent="> ")
    return filled.replace("\N{NO-BREAK SPACE}", " ") + gap + rest


def update(path: Path) -> bool:
    """Write the times into the box of the chapter at `path`; say whether anything changed."""
    notebook = nbformat.read(path, as_version=4)
    try:
        fresh = box(notebook)
    except TimeError as error:
        raise TimeError(f"{path.name}: {error}") from None
    if fresh == notebook.cells[1].source:
        return False
    notebook.cells[1].source = fresh
    replace_file(path, nbformat.writes(notebook, version=4) + "\n")
    return True


def plans(page: str, times: dict[str, tuple[int, int]]) -> str:
    """Return the session plans with the minutes of their table brought up to date.

    `times` holds minutes to read and minutes of exercises by the chapter's file name without
    ``.ipynb``: the two columns behind the link to a chapter with which a row begins.
    """

    def row(match: re.Match) -> str:
        if match["stem"] not in times:
            return match[0]
        read, exercises = times[match["stem"]]
        return f"{match['link']} | {read} | {exercises or '–'} |"

    link = r"(?P<link>\| \[[^\]]+\]\(\.\./chapters/(?P<stem>\w+)\.ipynb\)[^|\n]*?)"
    return re.sub(rf"(?m)^{link} \| \d+ \| (?:\d+|–) \|", row, page)


def update_plans(root: Path = ROOT) -> None:
    """Bring the table of the session plans up to date."""
    times = {}
    for path in chapters(root):
        notebook = nbformat.read(path, as_version=4)
        times[path.stem] = (minutes_to_read(notebook), minutes_of_exercises(notebook))
    page = (root / PLANS).read_text(encoding="utf-8")
    fresh = plans(page, times)
    if fresh != page:
        replace_file(root / PLANS, fresh)


def main() -> int:
    """Bring all boxes and the session plans up to date; return the exit status."""
    try:
        for path in chapters():
            print(f"{path.stem}: {'written' if update(path) else 'as before'}")
        update_plans()
    except TimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
