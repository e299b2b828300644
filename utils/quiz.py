"""The quiz at a chapter's end: jupyterquiz's questions to click, and the same ones to read."""

import html
import json
import random
import re
import sys
from pathlib import Path
from unittest import mock

FOLDER = Path(__file__).resolve().parents[1] / "teaching" / "quizzes"

# Dark ground and light letters inside the boxes: they read the same in a light and a dark page.
COLOURS = {
    "--jq-multiple-choice-bg": "#1f4e79",
    "--jq-many-choice-bg": "#5b2a6e",
    "--jq-numeric-bg": "#1f4e79",
    "--jq-numeric-input-bg": "#1f4e79",
    "--jq-mc-button-border": "#6b7785",
    "--jq-incorrect-color": "#a3201a",
    "--jq-correct-color": "#0a6b3d",
    "--jq-text-color": "#ffffff",
}
STYLE = """
#ID .Quiz { font-size: 1rem; line-height: 1.4; }
#ID .Answer { border-radius: 8px; }
#ID .MCButton { font-size: .95rem; text-align: left; justify-content: start; color: #222222; }
#ID .MCButton.correctButton, #ID .MCButton.incorrectButton { color: #ffffff; }
#ID .MCButton:focus-within { outline: 3px solid #c8813c; outline-offset: 2px; }
#ID .sr-only { position: absolute; opacity: 0; width: 1px; height: 1px; }
#ID .InpLabel { color: inherit; font-size: 1rem; }
#ID .Input-text { border: 1px solid #ffffff; font-size: 1rem; }
#ID .Feedback { font-size: 1rem; line-height: 1.4; text-align: left; }
#ID .Feedback.correct, #ID .Feedback.incorrect { background: #ffffff; border-left: 4px solid;
  padding: .5em .8em; margin-bottom: 1.5em; }
"""
# Runs jupyterquiz's script in a scope of its own: its place is an element that no other quiz has
# filled, MathJax (which it would fetch from another site) and its log are hidden from it. What a
# screen reader needs is added.
SCRIPT = """
(function start() {
  var all = Array.from(document.querySelectorAll('[id="ID"]'));
  var place = all.find(function (e) { return !e.querySelector(".Quiz"); });
  if (!all.length) { setTimeout(start, 200); }
  if (!place) { return; }
  place.textContent = "";
  var quiet = { log: function () {}, error: function () {} };
  (function (ID, MathJax, console) {
QUIZ
  })(place, undefined, quiet);
  place.querySelectorAll(".Quiz").forEach(function (quiz) {
    quiz.setAttribute("role", "group");
    quiz.setAttribute("aria-label", quiz.firstChild.textContent);
    quiz.querySelector(".Feedback").setAttribute("role", "status");
    var label = quiz.querySelector(".InpLabel");
    if (label) {
      label.textContent = "Your number, then Enter:";
      label.htmlFor = quiz.querySelector(".Input-text").id;
    }
  });
})();
"""


def show_quiz(chapter: str) -> None:
    """Show the quiz of a chapter: questions to click and, below, all of them to read.

    What to read needs no JavaScript. The same questions give the same output, letter for letter,
    and nothing in it is fetched from another site.

    Parameters
    ----------
    chapter : str
        The chapter's number as its file has it, "03".
    """
    from IPython.display import display

    questions = read_quiz(chapter)
    clickable = _clickable(chapter, questions)
    if clickable is None:
        clickable = (
            "<p>The package jupyterquiz is not installed here (or is not the version that the "
            "course knows), so there is nothing to click. Here are the questions to read.</p>"
        )
        summary = "The questions, with the answers explained"
    else:
        summary = "The same questions to read, with the answers explained"
    page = clickable + _static(questions, summary)
    display({"text/html": page, "text/plain": as_text(questions)}, raw=True)


def read_quiz(chapter: str) -> list[dict]:
    """Return the questions of a chapter, in jupyterquiz's format.

    Raises
    ------
    FileNotFoundError
        If there is no quiz of this name.
    ValueError
        If its file holds no JSON list.
    """
    path = FOLDER / f"{chapter}.json"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in FOLDER.glob("[0-9A-Z]*.json"))) or "none"
        raise FileNotFoundError(
            f"There is no quiz {chapter!r} in teaching/quizzes/; there are: {there}."
        )
    try:
        questions = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"teaching/quizzes/{path.name} is not valid JSON: {error}") from error
    if not isinstance(questions, list):
        raise ValueError(f"teaching/quizzes/{path.name} must hold a list of questions.")
    return questions


def as_text(questions: list[dict]) -> str:
    """Return the quiz as plain text: each answer with its verdict and its feedback."""
    lines = []
    for number, question in enumerate(questions, 1):
        lines.append(f"{number}. {_asked(question)}")
        for name, verdict, feedback in _answers(question):
            lines.append(f"   - {name}\n     {verdict}: {feedback}")
    return "\n".join(lines)


def _asked(question: dict) -> str:
    more = " (More than one answer is right.)" if question["type"] == "many_choice" else ""
    return question["question"] + more


def _answers(question: dict):
    """Yield each answer's name, its verdict and its feedback, as text."""
    for answer in question["answers"]:
        if "answer" in answer:
            name = answer["answer"]
        elif answer["type"] == "value":
            name = f"The number {answer['value']}"
        elif answer["type"] == "range":
            name = f"A number from {answer['range'][0]} to just below {answer['range'][1]}"
        else:
            name = "Any other number"
        yield name, "Right" if answer.get("correct") else "Wrong", answer["feedback"]


def _static(questions: list[dict], summary: str) -> str:
    """The quiz as HTML that needs no JavaScript."""
    items = []
    for question in questions:
        answers = "".join(
            f"<li>{html.escape(name)}<br><strong>{verdict}.</strong> {html.escape(feedback)}</li>"
            for name, verdict, feedback in _answers(question)
        )
        items.append(f"<li><p>{html.escape(_asked(question))}</p><ul>{answers}</ul></li>")
    return f"<details><summary>{summary}</summary><ol>{''.join(items)}</ol></details>"


def _clickable(chapter: str, questions: list[dict]) -> str | None:
    """The quiz as HTML with jupyterquiz's script; None where that is missing or another one."""
    try:
        from jupyterquiz import display_quiz

        shown: list = []
        state = random.getstate()  # jupyterquiz draws an id for its element
        try:
            random.seed(f"quiz {chapter}")
            with mock.patch.object(sys.modules[display_quiz.__module__], "display", shown.append):
                display_quiz(
                    _escaped(
                        [q | {"question": f"{n}. {_asked(q)}"} for n, q in enumerate(questions, 1)]
                    ),
                    shuffle_questions=False,
                    shuffle_answers=False,
                    border_radius=8,
                    max_width=680,
                    colors=COLOURS,
                )
        finally:
            random.setstate(state)
        place, script = (part.data for part in shown)
        id_ = re.match(r'<div id="(\w+)"', place)[1]
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    without = (
        "<p>The questions to click appear here where JavaScript runs (in JupyterLab: if the "
        "notebook is trusted). Without it, read them below.</p></div>"
    )
    # jupyterquiz leaves its element open; the browser would put all that follows into it.
    place = place.replace("<style>", f"{without}<style>", 1)
    place = place.replace("</style>", STYLE.replace("ID", id_) + "</style>", 1)
    # Without indents and comments it is a third smaller; the only address in it is MathJax's.
    script = re.sub(r"^\s*//.*\n|^\s+", "", script, flags=re.MULTILINE)
    script = re.sub(r"(['\"])https?://.*?\1", '""', script)
    script = SCRIPT.replace("ID", id_).replace("QUIZ", script).replace("</", "<\\/")
    return f"{place}<script>{script}</script>"


def _escaped(part):
    """Return the questions with <, > and & as HTML writes them, for jupyterquiz inserts HTML."""
    if isinstance(part, str):
        return html.escape(part, quote=False)
    if isinstance(part, list):
        return [_escaped(one) for one in part]
    if isinstance(part, dict):
        return {key: _escaped(value) for key, value in part.items()}
    return part
