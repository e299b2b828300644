"""What the tests of all self-checks ask of the feedback to an answer."""

from collections.abc import Callable

import numpy as np

from exercises.base import Feedback

NONSENSE = ("what?", object(), np.ones((2, 3, 4)), {"a": 1}, [], True, np.nan)


def assert_right(feedback: Feedback) -> None:
    """The answer is accepted."""
    assert feedback.passed, feedback


def assert_explained(feedback: Feedback, fragment: str) -> None:
    """The answer is refused, and the mistake named: what was got and expected, where to look."""
    assert feedback.passed is False and fragment in feedback.message, feedback
    assert feedback.got and feedback.expected and feedback.look.startswith("section")


def assert_looks_for_words(ask: Callable[[object], Feedback], essay: str) -> None:
    """Whatever the text, the check says that it cannot judge an argument."""
    for answer in (essay, "word " * 30):
        assert "looks for words" in ask(answer).message


def assert_nonsense_is_met(ask: Callable[[object], Feedback]) -> None:
    """An open answer is the reader's turn; what cannot be meant is refused without an error."""
    for still_open in (None, ..., (None, None)):
        assert ask(still_open).passed is None
    for nonsense in NONSENSE:
        assert ask(nonsense).passed is False, nonsense
