"""Sheets and keys on paper, and what the published book encloses."""

import pytest
from markupsafe import escape

from tools.book.course import ChapterError
from tools.book.npm import NpmError
from tools.teach import questions, slides
from tools.teach.questions import exam, exam_questions


def test_a_sheet_has_no_answer_and_its_key_has_them_all():
    bank = exam_questions()
    made = exam([str(question.number) for question in bank])
    for number, question in enumerate(bank, start=1):
        begin = questions.MarkdownIt().renderInline(question.answer.split("\n")[0])
        assert begin not in made["sheet"] and begin in made["key"], question.number
        assert f"{number}. {escape(question.title)}" in made["sheet"]
    options = sum(len(question.options) for question in bank)
    assert made["sheet"].count("<li>☐ ") == options > 40
    with pytest.raises(ChapterError, match="no question 99; it has 1 to 32"):
        exam(["3", "99"])


def test_a_book_encloses_slides_and_the_students_zip_and_no_solution(tmp_path, monkeypatch):
    def fail(folder):
        raise NpmError("no network")

    monkeypatch.setattr(slides, "build", lambda folder: folder.mkdir())
    assert slides.enclose(tmp_path).startswith("The book has")
    assert [path.name for path in tmp_path.rglob("*.*")] == ["reading-skin-student.zip"]
    monkeypatch.setattr(slides, "build", fail)
    assert slides.enclose(tmp_path).endswith("no network")
