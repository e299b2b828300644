"""What every self-check is made of: how an answer is read, compared, and answered.

A check reads like the list of the answers that it knows, the right one first: see `exercise_3` of
`chapter_00`. The decorator meets open answers and answers of another kind; `number`, `numbers` and
`array` read; `compare` finds the first known answer that this one is.
"""

import contextlib
import functools
import html
import io
import numbers as kinds
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

MARKS = {
    True: ("✓", "Right", "#0a7d5a"),
    False: ("✗", "Not yet", "#b3261e"),
    None: ("…", "Your turn", "#5a6470"),
}
EXCHANGED = "The two are exchanged."
WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven")


@dataclass(frozen=True)
class Feedback:
    """What a self-check says: shown as a small box in a notebook, as text elsewhere.

    `passed` is None as long as the exercise is not answered. `message` is one sentence: what is
    right, or which mistake this answer comes from. The others are the answer as it was understood,
    what was wanted, and where in the chapter to look.
    """

    passed: bool | None
    message: str
    got: str = ""
    expected: str = ""
    look: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        rows = (("You got", self.got), ("Expected", self.expected), ("Look at", self.look))
        return [(name, text) for name, text in rows if text]

    def __repr__(self) -> str:
        mark, verdict, _ = MARKS[self.passed]
        rows = [f"  {name + ':':10}{text}" for name, text in self._rows()]
        return "\n".join([f"{mark} {verdict}. {self.message}", *rows])

    def _repr_html_(self) -> str:
        mark, verdict, colour = MARKS[self.passed]
        rows = "".join(f"<br><b>{name}:</b> {html.escape(text)}" for name, text in self._rows())
        return (
            f'<div role="status" style="border-left:4px solid {colour};padding:.3em .8em">'
            f'<b><span style="color:{colour}" aria-hidden="true">{mark}</span> '
            f"{verdict}.</b> {html.escape(self.message)}{rows}</div>"
        )


class WrongKind(Exception):
    """The answer is of a kind that the check cannot read; the message says which is wanted."""


def exercise(wanted: str, look: str) -> Callable[[Callable[..., Feedback]], Callable]:
    """Make a function a self-check that survives every answer, its first argument.

    `wanted` says what an answer is ("an array of 7 shares"), if it is still open (``None``, ``...``
    or a tuple or dict with one of these), of another kind, or two numbers exchanged; `look` names
    the section where to look after a mistake.
    """

    def decorate(check: Callable[..., Feedback]) -> Callable[..., Feedback]:
        @functools.wraps(check)
        def checked(answer: object, /, *args: object, **options: object) -> Feedback:
            if _open(answer):
                return Feedback(None, f"Put your answer in: {wanted}.")
            printed = contextlib.redirect_stdout(io.StringIO())  # by a function that is asked often
            try:
                # What a mistake gives may be no number on other data; then it fits no answer.
                with np.errstate(all="ignore"), warnings.catch_warnings(), printed as lines:
                    warnings.simplefilter("ignore", RuntimeWarning)
                    feedback = check(answer, *args, **options)
                if feedback.passed is None and lines.getvalue():
                    raise WrongKind("Your function prints and gives nothing back: write return.")
            except WrongKind as error:
                feedback = Feedback(False, str(error), show(answer), wanted)
            except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
                message = "The check could not read this answer."
                feedback = Feedback(False, message, show(answer), wanted)
            if feedback.passed is not False:
                return feedback
            expected = wanted if feedback.message == EXCHANGED else feedback.expected
            return replace(feedback, expected=expected, look=f"section {look}")

        return checked

    return decorate


def compare(
    got: object,
    known: Sequence[tuple],
    expected: object,
    *,
    within: float | tuple[float, ...] = 0.005,
    percent: bool = False,
) -> Feedback:
    """Find the answer `got`, as it was read, among those that a check knows.

    `known` holds (value, message) or (value, message, within): the right answer first, then each
    mistake, last ``...`` for every other answer. A value is a number or several (fewer where only
    the first matter, None where any will do), or True or False, where the check has decided
    itself. `expected` does not give the answer away. Numbers may lie `within` so much of each
    other; with `percent`, 12.3 may stand for 0.123 as well. Where the right answer is two numbers,
    these two exchanged are the first known mistake.
    """
    right, _, *own = known[0]
    if np.size(right) == 2:
        known = [known[0], (np.ravel(right)[::-1], EXCHANGED, *own), *known[1:]]
    for place, (value, message, *own) in enumerate(known):
        if value is ... or close(got, value, *(own or [within]), percent=percent):
            return Feedback(place == 0, message, show(got), show(expected) if place else "")
    raise AssertionError("the last of the known answers must be ..., for every other one")


def close(got: object, value: object, within: object = 0.005, *, percent: bool = False) -> bool:
    """Say whether numbers agree, place by place; see `compare` for what a value may be."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    got, value = np.ravel(got), np.ravel(value)
    limits = np.broadcast_to(within, len(got))
    if len(value) <= len(got) and all(
        b is None or abs(a - b) <= limit + 1e-12
        for a, b, limit in zip(got, value, limits, strict=False)
    ):
        return True
    return percent and 1 < max(got) <= 100 and close(got / 100, value, within)


def essay(answer: object, elements: Mapping[str, str | bool], *, fewest: int) -> Feedback:
    """Look in the text that answers an open question for what it should name, and say so.

    Each element has a regular expression for word stems that show it (white space counts as one
    blank), or says itself whether it is there. `fewest` words are the least for an argument.
    """
    if not isinstance(answer, str):
        raise WrongKind("This is no text. A text in quotation marks is wanted.")
    text = " ".join(answer.split())
    words = len(text.split())
    if not words:
        return Feedback(None, "Write some sentences between the quotes.")
    lacking = "; ".join(what for what, stems in elements.items() if not mentions(text, stems))
    if words < fewest:
        message = f"This has {words} word{'s'[: words - 1]}; an argument needs at least {fewest}."
        message += f" So far it lacks: {lacking}." if lacking else ""
    elif lacking:
        message = f"The check looks for words only, and did not find: {lacking}. "
        message += "If it is there in other words, trust yourself."
    else:
        message = "Your answer names all that is looked for. The check looks for words and cannot "
        message += "judge the argument: compare with the solution."
        return Feedback(True, message, f"{words} words")
    return Feedback(False, message, show(answer), show("; ".join(elements)))


def open_question(wanted: str, *, fewest: int, elements: Mapping[str, str], look: str) -> Callable:
    """Make the self-check of an open question; see `exercise` and `essay`."""

    def check(answer: object) -> Feedback:
        return essay(answer, elements, fewest=fewest)

    return exercise(wanted, look)(check)


def mentions(text: str, stems: str | bool) -> bool:
    """Say whether a text holds words that a regular expression describes, in any case."""
    return stems if isinstance(stems, bool) else bool(re.search(stems, text, re.IGNORECASE))


def number(answer: object) -> float:
    """Return an answer as a float: a number of any library, a record's value, an array of one."""
    return float(numbers(answer, 1)[0])


def numbers(answer: object, count: int | None = None) -> np.ndarray:
    """Return an answer as so many floats (None: any number): a list, dict, Series, tensor, …"""
    if isinstance(answer, Mapping) and count != 1:
        answer = list(answer.values())
    if isinstance(answer, tuple | list) and count != 1:
        if any(isinstance(part, tuple | list) and len(part) > 1 for part in answer):
            raise WrongKind("One of these holds several numbers; one number each is wanted.")
        answer = [number(part) for part in answer]
    values = array(answer, one=count == 1)
    if values.dtype.kind == "b":
        raise WrongKind("These are True and False; the mean of such a mask is a share.")
    values = values.astype(float).ravel()
    if count is not None and values.size != count:
        few = {0: "There is no number in it", 1: "This is one number"}
        these = few.get(values.size, f"These are {values.size:,} numbers")
        these += f"; {WORDS[count]} {'is' if count == 1 else 'are'} wanted."
        if count == 1 and isinstance(answer, tuple) and len(answer) == values.size == 2:
            these += " A comma divides numbers: write 12832, not 12,832."
        raise WrongKind(these)
    return values


def array(answer: object, *, one: bool = False) -> np.ndarray:
    """Return an answer as an array, in its shape; WrongKind says what it is if not numbers."""
    wanted = "one number is wanted" if one else "numbers are wanted"
    answer = getattr(answer, "value", answer)  # a number with its interval
    if isinstance(answer, str):
        raise WrongKind(_text(answer, wanted))
    if callable(answer):
        raise WrongKind("This is a function, not what it returns: call it, with brackets behind.")
    if isinstance(answer, bool | np.bool_):
        raise WrongKind(f"This is True or False; {wanted}.")
    if isinstance(answer, dict | set | frozenset):
        kind = "dictionary" if isinstance(answer, dict) else "set, which has no order"
        raise WrongKind(f"This is a {kind}; {wanted}.")
    if isinstance(answer, Iterator):
        raise WrongKind("Its values are not computed yet: write list( ) around it.")
    try:
        values = np.asarray(answer)
    except Exception as error:
        raise WrongKind(f"This cannot be read as an array: rows differ, or {wanted}.") from error
    if values.dtype.kind in "US" or values.size and all(isinstance(v, str) for v in values.flat):
        raise WrongKind(f"These are texts; {wanted}.")
    if values.dtype.kind not in "biuf":
        raise WrongKind(f"This is no number; {wanted}.")
    if values.dtype.kind == "f" and np.isnan(values).any():
        which = "This is" if values.size == 1 else "One of these is"
        raise WrongKind(f"{which} NaN, no number: a value is missing, or 0 was divided by 0.")
    return values


def _text(answer: str, wanted: str) -> str:
    if re.fullmatch(r"\s*[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?\s*", answer):
        answer = answer.replace(",", "")  # between thousands, as in 12,832
    figure = re.fullmatch(r"\s*([-+]?\d*[.,]?\d+)\s*(%|per ?cent|)\s*", answer)
    if not figure:
        return f"This is a text; {wanted}."
    value = float(figure[1].replace(",", "."))
    value = value / 100 if figure[2] else value
    return f"This is a text; write the number without quotation marks: {value:.10g}."


def _open(answer: object) -> bool:
    parts = list(answer.values()) if isinstance(answer, dict) else answer
    if not isinstance(parts, tuple | list) or len(parts) >= 20:
        parts = [answer]
    return any(part is None or part is ... for part in parts)


def show(value: object) -> str:
    """Return a value in at most 80 letters (a text in 200), numbers rounded to four digits."""
    if isinstance(value, str):
        return value if len(value) <= 200 else value[:197] + "…"
    value = getattr(value, "value", value)  # a number with its interval
    if value is None or isinstance(value, bool | np.bool_):
        return str(value)
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__.strip('<>')}"
    if isinstance(value, kinds.Real):
        if float(value).is_integer():
            return f"{int(value):,}"
        return f"{float(value):.4g}" if abs(value) < 1000 else f"{float(value):,.1f}"
    if hasattr(value, "__array__"):
        with contextlib.suppress(Exception):  # a tensor may lie on another device
            value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.size <= 12:
            return show(value.tolist())
        return f"an array of {' × '.join(map(str, value.shape))} values"
    if isinstance(value, Mapping):
        text = ", ".join(f"{show(key)}: {show(part)}" for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        text = ", ".join(map(show, value))
    else:
        text = f"something of the kind {type(value).__name__}"  # its repr may hold a path
    return (text if len(text) <= 80 else text[:77] + "…") or "nothing"
