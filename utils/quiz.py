"""The quiz at a chapter's end: questions to click and, below, the same ones to read."""

import html
from functools import partial
from pathlib import Path

from utils.files import own_file, read_json

__all__ = ["show_quiz"]

FOLDER = Path(__file__).resolve().parents[1] / "teaching" / "quizzes"
_escaped = partial(html.escape, quote=False)


def show_quiz(chapter: str) -> None:
    """Show the quiz of a chapter, by its file's number, "03": to click and, below, to read."""
    from IPython.display import display

    with own_file(FOLDER / f"{chapter}.json"):
        display(as_output(read_quiz(chapter)), raw=True)


def read_quiz(chapter: str) -> list[dict]:
    """Return the questions of a chapter; their form is that of utils/schemas.json."""
    return read_json(FOLDER / f"{chapter}.json")


def as_output(questions: list[dict]) -> dict[str, str]:
    """Return the quiz, by MIME type, as text and as HTML: a list, which quiz.js makes clickable."""
    items, lines = [], []
    for number, question in enumerate(questions, 1):
        asked, kind = question["question"], question["type"]
        if kind == "many_choice":
            asked += " (More than one answer is right.)"
        lines.append(f"{number}. {asked}")
        answers = ""
        for answer in question["answers"]:
            name, data = _name_and_data(answer)
            verdict = "Right" if answer.get("correct") else "Wrong"
            lines.append(f"   - {name}\n     {verdict}: {answer['feedback']}")
            answers += (
                f'<li data-verdict="{verdict}"{data}><span>{_escaped(name)}</span><br>'
                f"<span><strong>{verdict}.</strong> {_escaped(answer['feedback'])}</span></li>\n"
            )
        items.append(f'<li data-kind="{kind}"><p>{_escaped(asked)}</p><ul>\n{answers}</ul></li>\n')
    style, script = ((FOLDER / f"quiz.{kind}").read_text("utf-8") for kind in ("css", "js"))
    page = (
        # The attribute keeps JupyterLab's own keys (Enter: edit the cell) away from the quiz.
        '<div class="skin-quiz" data-lm-suppress-shortcuts="true">\n'
        "<p>The questions to click appear here where JavaScript runs (in JupyterLab: if the "
        "notebook is trusted). Without it, read them below.</p>\n"
        "<details><summary>The same questions to read, with the answers explained</summary>\n"
        f"<ol>\n{''.join(items)}</ol></details>\n"
        f"<style>\n{style}</style>\n<script>\n{script}</script>\n</div>"
    )
    return {"text/html": page, "text/plain": "\n".join(lines)}


def _name_and_data(answer: dict) -> tuple[str, str]:
    """Return an answer in words, and the attributes by which the script knows a number."""
    if "answer" in answer:
        return answer["answer"], ""
    if answer["type"] == "value":
        return f"The number {answer['value']}", f' data-value="{answer["value"]}"'
    if answer["type"] == "range":
        low, high = answer["range"]
        return f"A number from {low} to just below {high}", f' data-low="{low}" data-high="{high}"'
    return "Any other number", ""
