"""Write anew, without a run, what chapters show of other files: their times and their quizzes.

    python -m tools.book.renew

The box says how long a chapter takes to read, to run and to work through. The coefficients are
fitted to estimates for a beginner, who reads, runs and turns back, in five chapters (45, 60, 75, 70
and 115 minutes; they give 53, 68, 69, 69 and 111). Folded code does not count, exercises take the
minutes they state, and the time to run is that of the stored run.
"""

import math
import re
import textwrap

import nbformat

from tools.book.course import ChapterError, chapters, pictures
from utils.files import replace_file
from utils.quiz import as_output, read_quiz

WORDS_A_MINUTE, LINES_A_MINUTE, MINUTES_A_FIGURE = 75, 5, 0.5
STEP = 5  # minutes; anything finer would look more exact than it is
WORKED_THROUGH = {"exercise", "solution", "quiz"}  # tags


def words(markdown: str) -> int:
    """Return the number of words that are read: a link counts with its words, tags do not."""
    text = re.sub(r"(!?\[[^\]]*\])\([^)]*\)", r"\1", markdown)
    return sum(any(c.isalnum() for c in word) for word in re.sub(r"<[^>]+>", " ", text).split())


def minutes_to_read(notebook: nbformat.NotebookNode) -> int:
    """Return the minutes for text, open code and figures, rounded to `STEP`; without the set-up."""
    minutes = 0.0
    for cell in notebook.cells[:2] + notebook.cells[3:]:
        tags = set(cell.metadata.get("tags", ()))
        if WORKED_THROUGH & tags:
            continue
        if cell.cell_type == "markdown":
            minutes += words(cell.source) / WORDS_A_MINUTE
        else:
            lines = [] if "hide-input" in tags else filter(str.strip, cell.source.splitlines())
            minutes += len(list(lines)) / LINES_A_MINUTE + MINUTES_A_FIGURE * len(pictures(cell))
    return max(STEP, STEP * round(minutes / STEP))


def minutes_of_exercises(notebook: nbformat.NotebookNode) -> int:
    """Return the sum of the minutes that the exercises state (``*5 minutes · …*``)."""
    tasks = [c.source for c in notebook.cells if "exercise" in c.metadata.get("tags", ())]
    stated = re.findall(r"^\*(\d+) minutes? · ", "\n".join(tasks), re.MULTILINE)
    return sum(map(int, stated))


def time_to_run(seconds: float) -> str:
    """Return seconds in words, in whole minutes and never too few."""
    if seconds < 55:  # a slower computer still needs less than the minute that is said
        return "less than 1 minute"
    return f"{math.ceil(seconds / 60)} minute{'s' if seconds > 60 else ''}"


def box(notebook: nbformat.NotebookNode) -> str:
    """Return a chapter's box, up to date; words and a range around the stored run's time stay."""
    first, gap, rest = notebook.cells[1].source.partition("\n>\n")
    form = re.fullmatch(
        r"\*\*Time to read\*\* \d+ minutes(?P<lessons>.*?)"
        r" · \*\*Time to run\*\* (?P<run>.*?)(?: · \*\*Exercises\*\* \d+ minutes)?",
        " ".join(part.lstrip("> ").strip() for part in first.splitlines()),
    )
    if not form:
        raise ChapterError(f"the box does not begin with the times to read and to run: {first!r}")
    run, seconds = form["run"], notebook.metadata.get("course", {}).get("seconds")
    spread = re.match(r"(\d+) to (\d+) minutes", run)
    if spread and seconds is not None:
        if not int(spread[1]) <= max(1, round(seconds / 60)) <= int(spread[2]):
            raise ChapterError(f"the box says {spread[0]}, the stored run took {seconds:.0f} s")
    elif seconds is not None:
        stated = r"^(?:less than 1 minute|\d+ minutes?)"
        run, changed = re.subn(stated, time_to_run(seconds), run)
        if not changed:
            raise ChapterError(f"the time to run begins with no number of minutes: {run!r}")
    read, exercises = minutes_to_read(notebook), minutes_of_exercises(notebook)
    line = f"**Time to read** {read} minutes{form['lessons']} · **Time to run** {run}"
    line += f" · **Exercises** {exercises} minutes" if exercises else ""
    line = re.sub(r"(?<=[*\d]) (?=\d|minutes?)", "\N{NO-BREAK SPACE}", line)  # stays together
    filled = textwrap.fill(line, 102, initial_indent="> ", subsequent_indent="> ")
    return filled.replace("\N{NO-BREAK SPACE}", " ") + gap + rest


def show_quiz(notebook: nbformat.NotebookNode, number: str) -> None:
    """Put the quiz of a chapter as it is now into the outputs that show one."""
    for cell in [cell for cell in notebook.cells if "quiz" in cell.metadata.get("tags", ())]:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output.data = nbformat.from_dict(as_output(read_quiz(number)))


if __name__ == "__main__":
    for path in chapters():
        notebook = nbformat.read(path, as_version=4)
        before = nbformat.writes(notebook, version=4)
        notebook.cells[1].source = box(notebook)
        show_quiz(notebook, path.name[:2])
        if (text := nbformat.writes(notebook, version=4)) != before:
            replace_file(path, text + "\n")
            print(f"{path.stem}: written")
