"""What a quiz must be like: the schema, and what no schema can say."""

import json
import re
from collections import Counter

from utils.quiz import FOLDER

FEWEST_WORDS = 8  # of a feedback; fewer only repeat the verdict


def validate(questions: list[dict]) -> list[str]:
    """Return what is wrong with a quiz, a sentence each; an empty list if nothing is.

    The form is that of teaching/quizzes/schema.json; beyond it, every question needs its right
    answer, and every answer a feedback that explains.
    """
    import jsonschema

    schema = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    errors = sorted(
        jsonschema.Draft202012Validator(schema).iter_errors(questions),
        key=lambda error: [str(step) for step in error.absolute_path],
    )
    if errors:
        return [_in_words(error) for error in errors]
    problems = []
    for number, question in enumerate(questions, 1):
        problems += [f"question {number}: {problem}" for problem in _problems(question)]
    places = [
        [answer["correct"] for answer in question["answers"]].index(True)
        for question in questions
        if question["type"] == "multiple_choice" and any(a["correct"] for a in question["answers"])
    ]
    if len(places) > 1 and len(set(places)) == 1:
        problems.append(f"the right answer is always at position {places[0] + 1}")
    if sum(question["type"] == "numeric" for question in questions) > 1:
        problems.append("more than one question asks for a number")
    for text, times in Counter(question["question"] for question in questions).items():
        if times > 1:
            problems.append(f"this question is asked {times} times: {text}")
    return problems


def _in_words(error) -> str:
    """One error of jsonschema as a sentence with its place."""
    path = list(error.absolute_path)
    place = [f"question {path[0] + 1}"] if path else []
    if path[1:2] == ["answers"] and len(path) > 2:
        place.append(f"answer {path[2] + 1}")
    place += [str(key) for key in path[1:] if isinstance(key, str) and key != "answers"]
    message = error.message
    if error.validator in ("minItems", "maxItems"):
        what = "answers are" if path else "questions are"
        most = "at least" if error.validator == "minItems" else "at most"
        message = f"{most} {error.validator_value} {what} wanted; there are {len(error.instance)}"
    return f"{', '.join(place) or 'the quiz'}: {message}"


def _problems(question: dict):
    """What the schema cannot say of one question."""
    answers = question["answers"]
    right = sum(answer.get("correct", False) for answer in answers)
    if question["type"] == "multiple_choice" and right != 1:
        yield f"multiple_choice needs exactly one right answer; it has {right}"
    if question["type"] == "many_choice" and right < 2:
        yield f"many_choice needs two or more right answers; it has {right}"
    if question["type"] == "numeric":
        yield from _numeric_problems(answers)
    else:
        for text, times in Counter(answer["answer"] for answer in answers).items():
            if times > 1:
                yield f"this answer is given {times} times: {text}"
    for number, answer in enumerate(answers, 1):
        words = len(answer["feedback"].split())
        if words < FEWEST_WORDS:
            yield f"answer {number}: its feedback has {words} words; {FEWEST_WORDS} are the least"
    texts = [question["question"]]
    texts += [answer[key] for answer in answers for key in ("answer", "feedback") if key in answer]
    for text in texts:
        if found := re.search(r"</?[a-zA-Z][^>]*>|&#?\w+;|\$|\]\(|\*\*|`", text):
            yield f"plain text is wanted, and here is {found.group()!r}: {text[:60]}"
        if found := re.search(r"\w!(?=\s|$)|\bsimply\b", text, re.IGNORECASE):
            yield f"no exclamation marks, no 'simply': {text[max(0, found.start() - 20) :][:60]}"


def _numeric_problems(answers: list[dict]):
    right = [answer for answer in answers if answer.get("correct")]
    if len(right) != 1 or right[0]["type"] == "default":
        yield "numeric needs exactly one right answer, a value or a range"
    if sum(answer["type"] == "default" for answer in answers) != 1:
        yield "numeric needs one answer of the type default, for all other numbers"
    for number, answer in enumerate(answers, 1):
        if answer["type"] != "range":
            continue
        low, high = answer["range"]
        if not low < high:
            yield f"answer {number}: the range {low} to {high} is empty"
        for later in answers[number:]:  # the first answer that fits is taken
            value = later.get("value", later.get("range", [None])[0])
            if later.get("correct") and not answer["correct"] and low <= value < high:
                yield f"answer {number}: its range covers the right answer, which comes later"
