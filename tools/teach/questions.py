"""The exam bank and the quizzes as questions."""

import re
from dataclasses import dataclass

from tools.book.course import ROOT, ChapterError

BANK = ROOT / "teaching" / "exam-bank.md"
LETTERS = re.compile(r"\*([A-E])\*")


@dataclass(frozen=True)
class ExamQuestion:
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

    def feedback(self, letter: str) -> str:
        """Return what the answer says of one option; all of it for the right one."""
        # A sentence without a letter goes on with what the one before it spoke of.
        parts = re.split(r"(?<=[.?!)])\s+(?=[A-Z*(])", self.answer)
        said, of = [], set()
        for part in parts:
            of = set(LETTERS.findall(part)) or of
            said += [part] if letter in of else []
        return " ".join(said) if said and letter != self.right else self.answer


def exam_questions() -> list[ExamQuestion]:
    """Return all questions of teaching/exam-bank.md in their order."""
    text = BANK.read_text(encoding="utf-8")
    parts = re.split(r"^##+ ", text, flags=re.MULTILINE)
    return [_question(part) for part in parts if re.match(r"\d+\. ", part)]


def _question(part: str) -> ExamQuestion:
    """Read one question: heading, line in italics, text, options, answer."""
    form = r"(\d+)\. ([^\n]+)\n\n\*([^\n]+)\*\n\n(.*?)\n\n\*\*Answer\.\*\* (.*)"
    if not (found := re.fullmatch(form, part.strip(), re.DOTALL)):
        raise ChapterError(f"{BANK.name}: this question has another form: {part.splitlines()[0]}")
    number, title, line, body, answer = found.groups()
    try:
        chapter, level, kind, points, minutes = line.split(" · ")
        points = int(points.split()[0])
    except ValueError:
        where = f"{BANK.name}, question {number}"
        form = "*Chapter 1 · recall · short answer · 2 points · 3 minutes*"
        raise ChapterError(f"{where}: write the line below its heading as {form}") from None
    body, *options = re.split(r"\n+- \*\*([A-E])\*\* ", body)
    texts = [" ".join(text.split()) for text in options[1::2]]
    right = answer[0] if options else None
    return ExamQuestion(
        int(number), title, chapter, level, kind, points, minutes, body,
        dict(zip(options[::2], texts, strict=True)), right, answer,
    )  # fmt: skip
