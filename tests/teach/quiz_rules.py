"""What a quiz must be like: the schema, and what no schema can say."""

import json
import re
from collections import Counter

import jsonschema

from utils.quiz import FOLDER

FEWEST_WORDS = 8  # of a feedback; fewer only repeat the verdict


def validate(questions: list[dict]) -> list[str]:
    """Return what is wrong with a quiz, a sentence each; an empty list if nothing is.

    The form is that of teaching/quizzes/schema.json; beyond it, every question needs its right
    answer, and every answer a feedback that explains.
    """
    schema = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(questions))
    if errors:
        return [f"{error.json_path}: {error.message}" for error in errors]
    problems = _repeated([question["question"] for question in questions])
    for number, question in enumerate(questions, 1):
        problems += [f"question {number}: {problem}" for problem in _problems(question)]
    choices = [q["answers"] for q in questions if q["type"] == "multiple_choice"]
    places = {[answer["correct"] for answer in a].index(True) for a in choices if _right(a)}
    if len(choices) > 1 and len(places) == 1:
        problems.append(f"the right answer is always at position {places.pop() + 1}")
    return problems


def _repeated(texts: list[str]) -> list[str]:
    return [f"this stands {times} times: {t}" for t, times in Counter(texts).items() if times > 1]


def _right(answers: list[dict]) -> list[dict]:
    return [answer for answer in answers if answer.get("correct")]


def _problems(question: dict):
    """What the schema cannot say of one question."""
    kind, answers = question["type"], question["answers"]
    right = len(_right(answers))
    if kind == "multiple_choice" and right != 1:
        yield f"multiple_choice needs exactly one right answer; it has {right}"
    if kind == "many_choice" and right < 2:
        yield f"many_choice needs two or more right answers; it has {right}"
    yield from (
        _numeric_problems(answers)
        if kind == "numeric"
        else _repeated([answer["answer"] for answer in answers])
    )
    for number, answer in enumerate(answers, 1):
        words = len(answer["feedback"].split())
        if words < FEWEST_WORDS:
            yield f"answer {number}: its feedback has {words} words; {FEWEST_WORDS} are the least"
    texts = [answer[key] for answer in answers for key in ("answer", "feedback") if key in answer]
    for text in [question["question"], *texts]:
        if markup := re.search(r"</?[a-zA-Z][^>]*>|&#?\w+;|\$|\]\(|\*\*|`", text):
            yield f"plain text is wanted, and here is {markup.group()!r}: {text[:60]}"


def _numeric_problems(answers: list[dict]):
    right = _right(answers)
    if len(right) != 1 or right[0]["type"] == "default":
        yield "numeric needs exactly one right answer, a value or a range"
    if sum(answer["type"] == "default" for answer in answers) != 1:
        yield "numeric needs one answer of the type default, for all other numbers"
    for number, answer in enumerate(answers, 1):
        low, high = answer.get("range", (0, 1))
        if not low < high:
            yield f"answer {number}: the range {low} to {high} is empty"
        for later in answers[number:] if "range" in answer else ():  # the first that fits is taken
            value = later.get("value", later.get("range", [None])[0])
            if later.get("correct") and not answer["correct"] and low <= value < high:
                yield f"answer {number}: its range covers the right answer, which comes later"
