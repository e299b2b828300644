"""Sheets and keys on paper, and what the published book encloses."""

import pytest

from tools.book.course import ChapterError
from tools.book.npm import NpmError
from tools.teach import enclose, exam, slides
from tools.teach.questions import exam_questions


def test_a_sheet_has_no_answer_and_its_key_has_them_all():
    bank = exam_questions()
    made = exam.pages([str(question.number) for question in bank])
    for number, question in enumerate(bank, start=1):
        begin = exam.MarkdownIt().renderInline(question.answer.split("\n")[0])
        assert begin not in made["sheet"] and begin in made["key"], question.number
        assert f"{number}. {exam.jinja2.utils.markupsafe.escape(question.title)}" in made["sheet"]
    options = sum(len(question.options) for question in bank)
    assert made["sheet"].count("<li>☐ ") == options > 40
    with pytest.raises(ChapterError, match="no question 99; it has 1 to 32"):
        exam.pages(["3", "99"])


def test_a_book_encloses_slides_and_the_students_zip_and_no_solution(tmp_path, monkeypatch):
    def fail(folder):
        raise NpmError("no network")

    monkeypatch.setattr(slides, "build", lambda folder: folder.mkdir())
    assert enclose.enclose(tmp_path) == ""
    assert [path.name for path in tmp_path.rglob("*.*")] == ["reading-skin-student.zip"]
    monkeypatch.setattr(slides, "build", fail)
    assert enclose.enclose(tmp_path).endswith("no network")
