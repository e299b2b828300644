"""All self-checks: right answers in several forms pass, and each known mistake is explained.

A file for each chapter has what its checks are given besides the answer (GIVEN, by name) and, by
the number of the exercise, right answers (RIGHT), wrong ones with a part of the message (MISTAKES),
and what is right and wrong where something else is given (OTHERWISE).
"""

import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

FILES = sorted(Path(__file__).parent.glob("test_checks_[0-9][0-9].py"))
CHAPTERS = {int(file.stem[-2:]): importlib.import_module(file.stem) for file in FILES}
CHECKS = {n: importlib.import_module(f"exercises.chapter_{n:02}") for n in CHAPTERS}
EXERCISES = [(n, k) for n, chapter in CHAPTERS.items() for k in chapter.RIGHT]
ESSAYS = {(n, k) for n, k in EXERCISES if n and k == max(CHAPTERS[n].RIGHT)}
OTHERWISE = [(n, case) for n in CHAPTERS for case in CHAPTERS[n].OTHERWISE]
NONSENSE = ["what?", "2, 94", "70 %", "", object(), np.ones((2, 3, 4)), np.ones((2, 2))]
NONSENSE += [np.zeros(3), {"a": 1}, {"melanoma": "four"}, ["a", "b"], [True, False], [], True]
NONSENSE += [np.nan, len, np, {"a": np}, "many", {}, ([1, 2], [3, 4]), np.array([True, False])]
# Labels as texts, a function that was not called, what is not run through yet, a whole table.
NONSENSE += ["67 percent", np.mean, np.zeros(2).mean, zip(), print, float]
NONSENSE += [CHAPTERS[0].TABLE, CHAPTERS[0].TABLE["dx"]]
# Words of the interpreter, which a reader need not know, and what has no name but its repr.
FOREIGN = r"<\w|\bshape \(|ndarray|dtype|[A-Z]\w+Error|of the type| at 0x|\btuple; |NoneType|got an"


def ask(chapter, exercise, answer, **other):
    check = getattr(CHECKS[chapter], f"exercise_{exercise}")
    given, takes = CHAPTERS[chapter].GIVEN, inspect.signature(check).parameters
    own = {name: value for name, value in given.items() if name in takes}
    return check(answer, **own | given.get(exercise, {}) | other)


def cases(name):
    tables = {n: getattr(chapter, name) for n, chapter in CHAPTERS.items()}
    return [(n, k, case) for n in tables for k in tables[n] for case in tables[n][k]]


@pytest.mark.parametrize(("chapter", "exercise", "answer"), cases("RIGHT"))
def test_right_answers_pass(chapter, exercise, answer):
    feedback = ask(chapter, exercise, answer)
    assert feedback.passed is True and feedback.message, feedback
    if (chapter, exercise) in ESSAYS:  # it says that it cannot judge an argument
        assert "looks for words" in feedback.message or "found the words" in feedback.message


@pytest.mark.parametrize(("chapter", "exercise", "case"), cases("MISTAKES"))
def test_mistakes_are_explained(chapter, exercise, case, capsys):
    answer, part = case
    feedback = ask(chapter, exercise, answer)
    assert feedback.passed is False and part in feedback.message, feedback
    assert (feedback.got or np.size(answer) == 0) and feedback.expected
    assert feedback.look.startswith("section")
    assert not re.search(FOREIGN, repr(feedback))
    assert not capsys.readouterr().out


@pytest.mark.parametrize(("chapter", "case"), OTHERWISE)
def test_what_is_expected_follows_from_what_is_given(chapter, case):
    exercise, other, answer, passed, part = case
    feedback = ask(chapter, exercise, answer, **other)
    assert feedback.passed is passed and part in feedback.message, feedback


@pytest.mark.parametrize(("chapter", "exercise"), EXERCISES)
def test_open_and_nonsensical_answers(chapter, exercise):
    essay = (chapter, exercise) in ESSAYS
    for still_open in (None, ..., (None, None), (None, 3), [1, None], {"a": ...}):
        feedback = ask(chapter, exercise, still_open)
        assert feedback.passed is None and feedback.message.startswith("Put your answer in: ")
    for nonsense in NONSENSE:
        feedback = ask(chapter, exercise, nonsense)
        assert feedback.passed is False or essay and nonsense == ""
        assert not re.search(rf"{FOREIGN}|[Pp]ython", repr(feedback)), feedback
    if essay:
        assert "looks for words" in ask(chapter, exercise, "word " * 30).message
        assert ask(chapter, exercise, "  \n").passed is None


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_is_tried(chapter):
    exercises = {int(name[9:]) for name in dir(CHECKS[chapter]) if name.startswith("exercise_")}
    assert exercises == set(CHAPTERS[chapter].RIGHT) == set(CHAPTERS[chapter].MISTAKES)
