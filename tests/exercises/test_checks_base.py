"""The base of the self-checks: every answer gets feedback, whatever it is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exercises.base import Feedback, close, compare, exercise, number, numbers, show


@exercise("a whole number", "'Counting'")
def count_to_seven(answer):
    known = [(7, "Seven classes."), (6, "You forgot one."), (..., "Not the number.")]
    return compare(number(answer), known, 7)


@exercise("two shares, (half, quarter)", "'Shares'")
def halves(answer):
    known = [
        ((0.5, 0.25), "Right."), ((0.5, None), "The first is right.", 0.1),
        (answer == "never", "Never."), (..., "Neither."),
    ]  # fmt: skip
    return compare(numbers(answer, 2), known, "two shares", within=(0.01, 0.02), percent=True)


def test_mistake_gets_its_own_message_with_got_expected_and_where_to_look():
    got, expected, look = "  You got:  6", "  Expected: 7", "  Look at:  section 'Counting'"
    lines = ["✗ Not yet. You forgot one.", got, expected, look]
    assert repr(count_to_seven(6)).splitlines() == lines
    assert halves((0.25, 0.5)).expected == "two shares, (half, quarter)"


@pytest.mark.parametrize(("check", "answer", "message"), [
    *((count_to_seven, seven, "Seven classes.") for seven in (7.0, np.int64(7), np.array([7]))),
    *((halves, right, "Right.") for right in (
        (0.509, 0.269), [50, 25.0], {"a": 0.5, "b": 0.25}, pd.Series([0.5, 0.25]))),
    (halves, (0.25, 0.5), "The two are exchanged."), (halves, (0.9, 0.25), "Neither."),
    *((halves, half, "The first is right.") for half in ((0.5, 0.275), (0.58, 0.9))),
])  # fmt: skip
def test_the_first_known_answer_that_fits_is_named(check, answer, message):
    feedback = check(answer)
    assert feedback.message == message
    assert feedback.passed is (message in ("Right.", "Seven classes."))


NO_NUMBER = [
    ("seven", "This is a text; one number is wanted."), ("7", "without quotation marks: 7."),
    ("12,832", "marks: 12832."), ("0,125", "marks: 0.125."), (True, "True or False"),
    ((12, 832), "A comma divides numbers: write 12832"), (object(), "This is no number"),
    ([1, 2, 3], "These are 3 numbers; one is wanted."), ({"a": 1}, "This is a dictionary"),
    ([], "There is no number in it; one is wanted."), (float("nan"), "This is NaN"),
    (len, "This is a function, not what it returns: call it"), (["a", "b"], "These are texts"),
    ([[1], [2, 3]], "cannot be read"),
]  # fmt: skip
NOT_TWO = [
    (("50 %", 0.25), "marks: 0.5."), (0.5, "This is one number; two are wanted."),
    (np.zeros((2, 2)), "These are 4 numbers; two"), ({0.5, 0.25}, "This is a set, which has no"),
    ((np.ones(3).mean, 0.2), "This is a function"), (np.array([0.5, np.nan]), "these is NaN"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answer", "part"), [
    *((count_to_seven, *case) for case in NO_NUMBER), *((halves, *case) for case in NOT_TWO)
])  # fmt: skip
def test_answer_of_another_kind_is_named_in_plain_words(check, answer, part):
    feedback = check(answer)
    assert feedback.passed is False and part in feedback.message
    assert feedback.look.startswith("section") and feedback.expected
    assert "at 0x" not in feedback.got


def test_a_mistake_that_cannot_be_computed_fits_nothing_and_warns_nobody(recwarn):
    @exercise("a number", "'Means'")
    def broken(answer):
        known = [(1, "Right."), (np.zeros(0).mean(), "Nobody's mistake."), (..., "Another.")]
        return compare(number(answer), known, "a mean")

    assert broken(1).passed and broken(2).message == "Another." and not recwarn


def test_box_escapes_what_the_reader_typed_and_says_the_verdict_in_words():
    html = Feedback(False, "No.", got="<script>x</script>")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "Not yet" in html and "You got" in html and "Expected" not in html


def test_values_are_shown_short():
    assert show(10015) == "10,015" and show(0.123456) == "0.1235" and show(1234.56) == "1,234.6"
    assert show(np.zeros((28, 28))) == "an array of 28 × 28 values"
    assert show(3250.0) == "3,250"
    assert show([1, 0.5]) == "1, 0.5" and len(show(list(range(1000)))) <= 80
    assert show(True) == "True" and len(show("x" * 500)) <= 200
    assert show([]) == "nothing" and show(pd.Series([1, None])) == "1, nan"
    for machine in (np, Path.cwd(), object(), {"a": [np, Path.cwd()]}, {np}, pd.Series([np])):
        assert "something of the kind " in show(machine) and "/" not in show(machine)


def test_percent_passes_only_where_a_check_accepts_it():
    assert close(50, 0.5, percent=True) and not close(50, 0.5)
