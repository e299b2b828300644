"""`make exam QUESTIONS="3 4 6"`: a sheet without answers and its key in _build/exam, to print."""

import sys

import jinja2
from markdown_it import MarkdownIt

from tools.book.course import ROOT, ChapterError
from tools.teach.questions import exam_questions
from utils.files import replace_file

FOLDER = ROOT / "_build" / "exam"


def pages(numbers: list[str]) -> dict[str, str]:
    """Return the sheet and the key, as HTML, with the questions of these numbers in this order."""
    bank = {str(question.number): question for question in exam_questions()}
    if unknown := [number for number in numbers if number not in bank]:
        named = ", ".join(unknown)
        raise ChapterError(f"The exam bank has no question {named}; it has 1 to {len(bank)}.")
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "teaching" / "exam"),
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True,
    )  # fmt: skip
    templates.filters["html"] = MarkdownIt("commonmark").enable("table").render
    asked, page = [bank[number] for number in numbers], templates.get_template("exam.html")
    return {name: page.render(questions=asked, key=name == "key") for name in ("sheet", "key")}


if __name__ == "__main__":
    if not sys.argv[1:]:
        raise ChapterError('Name the questions of the exam bank: make exam QUESTIONS="3 4 6"')
    for name, text in pages(sys.argv[1:]).items():
        replace_file(FOLDER / f"{name}.html", text)
        print(f"Print it from a browser: {(FOLDER / f'{name}.html').as_uri()}")
