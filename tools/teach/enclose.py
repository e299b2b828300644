"""`python -m tools.teach.enclose`: put the slides and the students' zip into the rendered book."""

import shutil
import sys
import tempfile
from pathlib import Path

from tools.book.course import ROOT
from tools.book.npm import NpmError
from tools.teach import slides, student


def enclose(html: Path) -> str:
    """Fill ``slides/`` and ``student/`` of a rendered book; return what is missing, if anything.

    The zip with the solutions stays out: what is published is open to students.
    """
    with tempfile.TemporaryDirectory() as folder:
        student.build(folder=Path(folder))
        (html / "student").mkdir(exist_ok=True)
        shutil.copy2(Path(folder) / f"{student.STUDENT}.zip", html / "student")
    try:
        slides.build(html / "slides")
    except NpmError as error:
        return f"The book is without its slides: reveal.js is missing.\n{error}"
    return ""


if __name__ == "__main__":
    book = ROOT / "_build" / "html"
    if not book.is_dir():
        sys.exit("There is no rendered book; run `make book`.")
    problem = enclose(book)
    # That the slides are missing is said and is no error.
    print(problem or "The book has the slides and the students' zip.", file=sys.stderr)
