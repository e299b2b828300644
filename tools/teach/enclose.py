"""`python -m tools.teach.enclose [FOLDER]`: slides and the students' zip into a rendered book."""

import sys
from pathlib import Path

from tools.book.course import ROOT
from tools.book.npm import NpmError
from tools.teach import slides, student


def enclose(html: Path) -> str:
    """Fill ``slides/`` and ``student/`` of a rendered book; return what is missing, if anything.

    Nothing else of what goes to teachers or students is published with it.
    """
    student.build(folder=html / "student")
    try:
        slides.build(html / "slides")
    except NpmError as error:
        return f"The book is without its slides: reveal.js is missing.\n{error}"
    return ""


if __name__ == "__main__":
    problem = enclose(Path(*sys.argv[1:2] or (ROOT, "_build", "html")))
    print(problem or "The book has the slides and the students' zip.", file=sys.stderr)
