"""All self-checks: right answers in several forms pass, and each known mistake is explained.

The answers stand in test_checks_00.py to test_checks_10.py: how each exercise is asked (CALLS),
right answers (RIGHT), and wrong ones with a part of the message (MISTAKES), each with the number
of its exercise.
"""

import importlib
import re

import numpy as np
import pytest

CHAPTERS = {n: importlib.import_module(f"test_checks_{n:02}") for n in range(11)}
ESSAYS = {1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 6: 5, 7: 5, 8: 5, 9: 4, 10: 4}
NONSENSE = (
    "what?",
    "2, 94",
    "70 %",
    "",
    object(),
    np.ones((2, 3, 4)),
    np.ones((2, 2)),
    np.zeros(3),
)
NONSENSE += ({"a": 1}, {"melanoma": "four"}, ["a", "b"], [True, False], [], True, np.nan, len)
# Words of the interpreter, which a reader need not know.
FOREIGN = r"\bshape \(|ndarray|dtype|[A-Z]\w+Error|of the type| at 0x|\btuple; |NoneType|got an"


def cases(name):
    return [(n, *case) for n, chapter in CHAPTERS.items() for case in getattr(chapter, name)]


@pytest.mark.parametrize(("chapter", "exercise", "answer"), cases("RIGHT"))
def test_right_answers_pass(chapter, exercise, answer):
    feedback = CHAPTERS[chapter].CALLS[exercise](answer)
    assert feedback.passed is True and feedback.message, feedback
    if ESSAYS.get(chapter) == exercise:  # it says that it cannot judge an argument
        assert "looks for words" in feedback.message or "found the words" in feedback.message


@pytest.mark.parametrize(("chapter", "exercise", "answer", "part"), cases("MISTAKES"))
def test_mistakes_are_explained(chapter, exercise, answer, part):
    feedback = CHAPTERS[chapter].CALLS[exercise](answer)
    assert feedback.passed is False and part in feedback.message, feedback
    assert (feedback.got or np.size(answer) == 0) and feedback.expected
    assert feedback.look.startswith("section")
    assert not re.search(FOREIGN, repr(feedback))


@pytest.mark.parametrize(
    ("chapter", "exercise"), [(n, k) for n, chapter in CHAPTERS.items() for k in chapter.CALLS]
)
def test_open_and_nonsensical_answers(chapter, exercise):
    ask = CHAPTERS[chapter].CALLS[exercise]
    for still_open in (None, ..., (None, None)):
        assert ask(still_open).passed is None
    for nonsense in NONSENSE:
        feedback = ask(nonsense)
        assert feedback.passed is False or ESSAYS.get(chapter) == exercise and nonsense == ""
        assert not re.search(FOREIGN, repr(feedback)), feedback
    if ESSAYS.get(chapter) == exercise:
        assert "looks for words" in ask("word " * 30).message
        assert ask("  \n").passed is None


def test_every_exercise_is_tried():
    for n, chapter in CHAPTERS.items():
        exercises = {int(name[9:]) for name in dir(chapter.check) if name.startswith("exercise_")}
        assert exercises == set(chapter.CALLS), f"chapter {n}"
        for table in (chapter.RIGHT, chapter.MISTAKES):
            assert {case[0] for case in table} == exercises, f"chapter {n}"
