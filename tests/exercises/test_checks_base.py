"""The base of the self-checks: every answer gets feedback, whatever it is."""

import numpy as np
import pandas as pd
import pytest

from exercises.base import (
    Feedback,
    WrongKind,
    array,
    close,
    exercise,
    number,
    right,
    show,
    wrong,
)


@exercise(wanted="a whole number", look="section 'Counting'")
def count_to_seven(answer):
    value = number(answer)
    if value == 6:
        return wrong("You forgot one.", got=value, expected=7, look="section 'Counting'")
    if value != 7:
        return wrong("Not the number.", got=value, expected=7, look="section 'Counting'")
    return right("Seven classes.", got=value)


@pytest.mark.parametrize("answer", [7, 7.0, np.int64(7), np.array([7]), pd.Series([7.0])])
def test_right_answer_of_any_kind_passes(answer):
    assert count_to_seven(answer).passed is True


@pytest.mark.parametrize("answer", [None, ..., (None, 3), ((None, None), 3), {"a": ...}, [1, None]])
def test_open_answer_is_the_readers_turn(answer):
    feedback = count_to_seven(answer)
    assert feedback.passed is None
    assert "a whole number" in feedback.message and "Your turn" in repr(feedback)


def test_mistake_gets_its_own_message_with_got_expected_and_where_to_look():
    text = repr(count_to_seven(6))
    assert text.splitlines() == [
        "✗ Not yet. You forgot one.",
        "  You got:  6",
        "  Expected: 7",
        "  Look at:  section 'Counting'",
    ]


@pytest.mark.parametrize(
    ("answer", "fragment"),
    [
        ("seven", "a text"),
        (True, "True or False"),
        ([1, 2, 3], "3 numbers"),
        (object(), "array"),
        ({"a": 1}, "dictionary"),
    ],
)
def test_answer_of_another_kind_is_named_and_raises_nothing(answer, fragment):
    feedback = count_to_seven(answer)
    assert feedback.passed is False
    assert fragment in feedback.message
    assert feedback.expected == "a whole number" and feedback.look == "section 'Counting'"


def test_error_inside_a_check_becomes_feedback():
    @exercise(wanted="a table with a column dx", look="section 'Tables'")
    def broken(answer):
        return right(answer["dx"].upper())

    feedback = broken({"other": 1})
    assert feedback.passed is False and "KeyError" in feedback.message


def test_box_escapes_what_the_reader_typed_and_says_the_verdict_in_words():
    html = Feedback(False, "No.", got="<script>x</script>")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "Not yet" in html and "You got" in html and "Expected" not in html


def test_array_reads_lists_series_and_arrays_and_refuses_words_and_other_shapes():
    assert array([1, 2], shape=(2,)).tolist() == [1, 2]
    assert array(pd.Series([0.5, 0.5])).sum() == 1
    with pytest.raises(WrongKind, match=r"\(3,\)"):
        array([1, 2], shape=(3,))
    with pytest.raises(WrongKind, match="numbers"):
        array(["a", "b"])


def test_rounded_answers_are_close():
    assert close(0.674, 0.6731) and close(0.67, 0.675)
    assert not close(0.67, 0.676)


def test_values_are_shown_short():
    assert show(10015) == "10,015" and show(0.123456) == "0.1235" and show(1234.56) == "1,234.6"
    assert show(np.zeros((28, 28))) == "an array of shape (28, 28) and type float64"
    assert show([1, 0.5]) == "1, 0.5" and len(show(list(range(1000)))) <= 80
    assert show(True) == "True" and len(show("x" * 500)) <= 200
