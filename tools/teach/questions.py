"""`make questions`: the quizzes and the exam bank's choices for Moodle, Canvas and Blackboard.

``_build/questions/`` gets one file for Moodle, with categories by chapter, and a QTI package for
each quiz and for the exam bank. `make exam QUESTIONS="3 4 6"` writes these questions of the bank to
``_build/exam/``, to print: a sheet without answers and its key. The forms of all stand in
``teaching/``.
"""

import html
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import jinja2
import nbformat
from markdown_it import MarkdownIt
from text2qti.config import Config
from text2qti.qti import QTI
from text2qti.quiz import Quiz

from tools.book import splice
from tools.book.course import ROOT, ChapterError, chapters
from utils import quiz
from utils.files import replace_file

OUT, EXAM = ROOT / "_build" / "questions", ROOT / "_build" / "exam"
BANK = ROOT / "teaching" / "exam-bank.md"


class ExamQuestion(NamedTuple):
    """A question of the exam bank; its texts are Markdown.

    `kind` is "multiple choice", "short answer", "read a table" or "essay…"; `options` has the
    choices by their letter, and `right` the letter of the right one (empty and None otherwise).
    """

    number: int
    title: str
    chapter: str
    level: str
    kind: str
    points: int
    minutes: str
    text: str
    options: dict[str, str]
    right: str | None
    answer: str


def exam_questions() -> list[ExamQuestion]:
    """Return all questions of teaching/exam-bank.md in their order."""
    text = BANK.read_text(encoding="utf-8")
    parts = re.split(r"^##+ ", text, flags=re.MULTILINE)
    return [_question(part) for part in parts if re.match(r"\d+\. ", part)]


def _question(part: str) -> ExamQuestion:
    """Read one question: heading, line in italics, text, options, answer."""
    line = r"([^·]+) · ([^·]+) · ([^·]+) · (\d+) points? · ([^·]+)"
    form = rf"(\d+)\. ([^\n]+)\n\n\*{line}\*\n\n(.*?)\n\n\*\*Answer\.\*\* (.*)"
    if not (found := re.fullmatch(form, part.strip(), re.DOTALL)):
        raise ChapterError(f"{BANK.name}: this question has another form: {part.splitlines()[0]}")
    number, title, chapter, level, kind, points, minutes, body, answer = found.groups()
    body, *options = re.split(r"\n+- \*\*([A-E])\*\* ", body)
    texts = [" ".join(text.split()) for text in options[1::2]]
    right = answer[0] if options else None
    return ExamQuestion(
        int(number), title, chapter, level, kind, int(points), minutes, body,
        dict(zip(options[::2], texts, strict=True)), right, answer,
    )  # fmt: skip


def templates(folder: str) -> jinja2.Environment:
    """Return the templates of a folder in teaching/, with filters for texts in Markdown."""
    pages = splice.templates(ROOT / "teaching" / folder, autoescape=jinja2.select_autoescape())
    pages.filters["markdown"] = MarkdownIt("commonmark", {"html": False}).enable("table").render
    pages.filters["line"] = lambda text: " ".join(text.split())
    return pages


def exam(numbers: list[str]) -> dict[str, str]:
    """Return the sheet and the key, as HTML, with the questions of these numbers in this order."""
    bank = {str(question.number): question for question in exam_questions()}
    if unknown := ", ".join(number for number in numbers if number not in bank):
        raise ChapterError(f"The exam bank has no question {unknown}; it has 1 to {len(bank)}.")
    asked, page = [bank[number] for number in numbers], templates("exam").get_template("exam.html")
    return {name: page.render(questions=asked, key=name == "key") for name in ("sheet", "key")}


# --- For learning platforms ----------------------------------------------------------------------


def quiz_questions(number: str) -> list[dict]:
    """Return the quiz of a chapter, in the form of its schema, with Markdown for plain text."""

    def marked_up(part: dict) -> dict:
        signs = r"([\\`*_{}\[\]()#+.!$^~-])"
        for key in part.keys() & {"question", "answer", "feedback"}:
            part[key] = re.sub(signs, r"\\\1", html.escape(part[key], quote=False))
        return part

    questions = json.loads(json.dumps(quiz.read_quiz(number)), object_hook=marked_up)
    return [{"name": f"{number}, {n}", "points": 1} | q for n, q in enumerate(questions, 1)]


def exam_choices() -> list[dict]:
    """Return the exam bank's multiple choice in the form of a quiz, with ``chapter`` ("03")."""
    return [
        {
            "name": f"Exam {q.number}: {q.title}", "points": q.points, "type": "multiple_choice",
            "chapter": re.search(r"\d+", q.chapter)[0].zfill(2), "question": q.text,
            "answers": [  # what is said of them names the letters, and platforms shuffle
                {"answer": f"{k}: {t}", "correct": k == q.right, "feedback": q.answer}
                for k, t in q.options.items()
            ],
        }
        for q in exam_questions() if q.options
    ]  # fmt: skip


def build(folder: Path = OUT) -> list[Path]:
    """Write the files for all platforms; return their paths."""
    pages, choices, categories = templates("questions"), exam_choices(), {}
    quizzes = {"exam-bank": ("Exam bank", choices)}
    for path in chapters():
        number = path.name[:2]
        title = nbformat.read(path, as_version=4).cells[0].source.split("\n")[0].strip("# ")
        name = f"{number} {title}".replace("/", "//")
        if (quiz.FOLDER / f"{number}.json").exists():
            quizzes[number] = name, quiz_questions(number)
            categories[f"{name}/Quiz"] = quizzes[number][1]
        if own := [question for question in choices if question["chapter"] == number]:
            categories[f"{name}/Exam"] = own
    files = {"moodle.xml": pages.get_template("moodle.xml").render(categories=categories)}
    for name, (title, questions) in quizzes.items():
        text = pages.get_template("text2qti.txt").render(title=title, questions=questions)
        files[f"qti-{name}.zip"] = QTI(Quiz(text, config=Config())).zip_bytes()
    for name, content in files.items():
        replace_file(folder / name, content)
    return [folder / name for name in files]


if __name__ == "__main__":
    if "--exam" not in sys.argv:
        for path in build():
            print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:,.0f} KB")
    elif not (numbers := sys.argv[2:]):
        raise ChapterError('Name the questions of the exam bank: make exam QUESTIONS="3 4 6"')
    else:
        for name, text in exam(numbers).items():
            replace_file(EXAM / f"{name}.html", text)
            print(f"Print it from a browser: {(EXAM / f'{name}.html').as_uri()}")
