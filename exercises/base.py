"""What every self-check is made of: its feedback, and how an answer of any kind is met."""

import functools
import html
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Feedback:
    """What a self-check says: shown as a small box in a notebook, as text elsewhere.

    Attributes
    ----------
    passed : bool or None
        None as long as the exercise is not answered.
    message : str
        One sentence: what is right, or which mistake this answer comes from.
    got, expected, look : str
        The answer as it was understood, what was wanted, and where in the chapter to look.
    """

    passed: bool | None
    message: str
    got: str = ""
    expected: str = ""
    look: str = ""

    @property
    def heading(self) -> str:
        """The verdict in two words at most."""
        return {True: "Right", False: "Not yet", None: "Your turn"}[self.passed]

    def _rows(self) -> list[tuple[str, str]]:
        rows = (("You got", self.got), ("Expected", self.expected), ("Look at", self.look))
        return [(name, text) for name, text in rows if text]

    def __repr__(self) -> str:
        mark = {True: "✓", False: "✗", None: "…"}[self.passed]
        rows = [f"  {name + ':':10}{text}" for name, text in self._rows()]
        return "\n".join([f"{mark} {self.heading}. {self.message}", *rows])

    def _repr_html_(self) -> str:
        mark = {True: "✓", False: "✗", None: "…"}[self.passed]
        colour = {True: "#0a7d5a", False: "#b3261e", None: "#5a6470"}[self.passed]
        rows = "".join(f"<br><b>{name}:</b> {html.escape(text)}" for name, text in self._rows())
        return (
            f'<div role="status" style="border-left:4px solid {colour};padding:.3em .8em">'
            f'<b><span style="color:{colour}" aria-hidden="true">{mark}</span> '
            f"{self.heading}.</b> {html.escape(self.message)}{rows}</div>"
        )


class WrongKind(Exception):
    """The answer is of a kind that the check cannot read; the message says which is wanted."""


def right(message: str, *, got: object = None) -> Feedback:
    """Return the feedback on a correct answer."""
    return Feedback(True, message, got="" if got is None else show(got))


def wrong(message: str, *, got: object, expected: object, look: str) -> Feedback:
    """Return the feedback on a mistake: what was got, what was wanted, where to look."""
    return Feedback(False, message, got=show(got), expected=show(expected), look=look)


def exercise(*, wanted: str, look: str) -> Callable[[Callable[..., Feedback]], Callable]:
    """Make a function a self-check that survives every answer.

    The answer is the first argument. As long as it is ``None``, ``...`` or a tuple or dict of
    these, the feedback is "Your turn"; where the check raises because the answer is of another
    kind than `wanted`, the feedback says so.

    Parameters
    ----------
    wanted : str
        What an answer is: "a whole number", "an array of 7 shares".
    look : str
        Where in the chapter to look.
    """

    def decorate(check: Callable[..., Feedback]) -> Callable[..., Feedback]:
        @functools.wraps(check)
        def checked(answer: object, /, *args: object, **options: object) -> Feedback:
            if _open(answer):
                return Feedback(None, f"Put your answer in: {wanted}.")
            try:
                return check(answer, *args, **options)
            except WrongKind as error:
                message = str(error)
            except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
                message = f"The check could not read this answer ({type(error).__name__}: {error})."
            return wrong(message, got=answer, expected=wanted, look=look)

        return checked

    return decorate


def _open(answer: object) -> bool:
    if isinstance(answer, dict):
        return any(map(_blank, answer.values()))
    if isinstance(answer, tuple | list) and len(answer) < 20:
        return any(map(_blank, answer))
    return _blank(answer)


def _blank(part: object) -> bool:
    # A shape such as (None, 10, 10, 32) is an answer; (None, None) within a pair is none.
    if isinstance(part, tuple | list) and 0 < len(part) < 20:
        return all(map(_blank, part))
    return part is None or part is ...


def essay(answer: object, elements: Mapping[str, str], *, fewest: int, look: str) -> Feedback:
    """Look in the text that answers an open question for what it should name.

    Only words are looked for, which the feedback says: an argument cannot be judged here.

    Parameters
    ----------
    answer : object
        The text.
    elements : mapping of str to str
        What the text should name, each with a regular expression for words that show it; upper
        and lower case are alike, and white space counts as one blank.
    fewest : int
        Number of words that an argument needs at least.
    look : str
        Where in the chapter to look.

    Raises
    ------
    WrongKind
        If the answer is no text.
    """
    if not isinstance(answer, str):
        raise WrongKind("This is no text. A text in quotation marks is wanted.")
    text = " ".join(answer.split())
    words = len(text.split())
    lacking = [
        what for what, stems in elements.items() if not re.search(stems, text, re.IGNORECASE)
    ]
    if words >= fewest and not lacking:
        return right(
            "Your answer names all that is looked for. The check looks for words and cannot judge "
            "the argument: compare with the solution.",
            got=f"{words} words",
        )
    if words < fewest:
        message = f"This has {words} words; an argument needs at least {fewest}."
        message += f" So far it lacks: {'; '.join(lacking)}." if lacking else ""
    else:
        message = f"The check looks for words only, and did not find: {'; '.join(lacking)}."
    return wrong(message, got=answer, expected="; ".join(elements), look=look)


def number(answer: object) -> float:
    """Return an answer as a float: a Python number, a NumPy or Keras scalar, an array of one.

    Raises
    ------
    WrongKind
        If it is no single number.
    """
    if isinstance(answer, bool | np.bool_) or isinstance(answer, str):
        raise WrongKind(f"This is {_kind(answer)}; one number is wanted.")
    if isinstance(answer, numbers.Real):
        return float(answer)
    values = array(answer)
    if values.size != 1:
        raise WrongKind(f"These are {values.size} numbers; one is wanted.")
    return float(values.reshape(()))


def array(answer: object, *, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return an answer as a NumPy array: a list, tuple, Series, DataFrame, tensor or array.

    Raises
    ------
    WrongKind
        If it holds no numbers, or its shape is not `shape`.
    """
    try:
        values = np.asarray(answer)
    except Exception as error:
        raise WrongKind(f"This is {_kind(answer)}; an array is wanted.") from error
    if values.dtype.kind not in "biuf":
        raise WrongKind(f"This is {_kind(answer)}; an array of numbers is wanted.")
    if shape is not None and values.shape != shape:
        raise WrongKind(f"This has the shape {values.shape}; {shape} is wanted.")
    return values


def close(a: float, b: float, *, to: float = 0.005) -> bool:
    """Say whether two numbers agree to within `to`, so that a rounded answer passes."""
    return abs(float(a) - float(b)) <= to + 1e-12


def show(value: object) -> str:
    """Return a value in at most 80 letters (a text in 200), numbers rounded to four digits."""
    if isinstance(value, str):
        return value if len(value) <= 200 else value[:197] + "…"
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        return f"{float(value):.4g}" if abs(value) < 1000 else f"{float(value):,.1f}"
    if isinstance(value, np.ndarray) and value.size > 12:
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        text = ", ".join(show(part) for part in value)
    else:
        text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "…"


def _kind(answer: object) -> str:
    names = {bool: "True or False", str: "a text", dict: "a dictionary", set: "a set"}
    return names.get(type(answer), f"of the type {type(answer).__name__}")
