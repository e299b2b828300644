"""The quizzes: valid, one for each chapter and shown in it, readable without JavaScript."""

import copy
import html
import json
import random
import re
import shutil
import sys

import nbformat
import pytest

from tools.book.course import ROOT, chapters
from tools.teach.quiz_rules import FEWEST_WORDS, validate
from utils import quiz

CHAPTERS = [path for path in chapters() if re.match(r"(?!00)\d\d_", path.name)]
NUMBERS = [path.name[:2] for path in CHAPTERS]
WHY = "Because this sentence has a few more words than eight."


def choice(text: str, right: int, kind: str = "multiple_choice") -> dict:
    """A question with three answers; `right` is the right one's position."""
    answers = [
        {"answer": f"{text} {n}", "correct": n == right, "feedback": f"{WHY} {text} {n} < 4 & so."}
        for n in range(3)
    ]
    return {"question": f"{text}, if p < 0.05?", "type": kind, "answers": answers}


def good() -> list[dict]:
    """A quiz that keeps every rule, with each kind of question."""
    many = choice("Many", 0, "many_choice")
    many["answers"][2]["correct"] = True
    number = {
        "question": "How many of each hundred?",
        "type": "numeric",
        "answers": [
            {"type": "value", "value": 25, "correct": True, "feedback": f"{WHY} Right."},
            {"type": "range", "range": [0, 1], "correct": False, "feedback": f"{WHY} A share."},
            {"type": "default", "feedback": f"{WHY} Default."},
        ],
    }
    return [choice("One", 0), choice("Two", 2), many, number, choice("Three", 1)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with two quizzes, in which show_quiz looks; its schema is the real one."""
    (tmp_path / "schema.json").write_bytes((quiz.FOLDER / "schema.json").read_bytes())
    for name in ("03", "04"):
        (tmp_path / f"{name}.json").write_text(json.dumps(good()))
    monkeypatch.setattr(quiz, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def shown(monkeypatch, folder):
    """show_quiz, returning what it displays: text of each kind."""
    got: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: got.append(data))

    def show(chapter: str) -> dict:
        quiz.show_quiz(chapter)
        return got[-1]

    return show


def without_script(page: str) -> str:
    return re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)


# --- The course's own quizzes --------------------------------------------------------------------


def test_every_quiz_belongs_to_a_chapter():
    files = {path.stem for path in quiz.FOLDER.glob("*.json")} - {"schema"}
    assert files <= {path.name[:2] for path in chapters()}
    assert NUMBERS, "chapters/ holds no numbered chapter"


@pytest.mark.parametrize("number", NUMBERS)
def test_quiz_is_valid(number):
    found = validate(quiz.read_quiz(number))
    assert not found, f"teaching/quizzes/{number}.json:\n  " + "\n  ".join(found)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_quiz_is_shown_in_its_chapter(path):
    number = path.name[:2]
    cells = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and "quiz" in cell.metadata.get("tags", ())
    ]
    assert len(cells) == 1, f"{path.name} needs one code cell with the tag quiz"
    assert f'show_quiz("{number}")' in cells[0].source
    texts = [o.data["text/plain"] for o in cells[0].outputs if "text/html" in o.get("data", {})]
    assert texts == [quiz.as_text(quiz.read_quiz(number))], (
        f"{path.name} does not show teaching/quizzes/{number}.json as it is now. "
        f"Run `make publish CHAPTERS={number}` with the real images."
    )


# --- What is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("with_jupyterquiz", [True, False])
def test_what_to_read_is_whole_and_has_no_script(shown, monkeypatch, with_jupyterquiz):
    if not with_jupyterquiz:
        monkeypatch.setitem(sys.modules, "jupyterquiz", None)
    data = shown("03")
    page = without_script(data["text/html"])
    said = html.unescape(page)
    assert ("<script>" in data["text/html"]) == with_jupyterquiz
    assert ("jupyterquiz is not installed" in page) != with_jupyterquiz
    assert "<script" not in page and "onclick" not in page and "p < 0.05" not in page
    for question in good():
        for text in (said, data["text/plain"]):
            assert text.count(question["question"]) == 1
        for answer in question["answers"]:
            verdict = "Right" if answer.get("correct") else "Wrong"
            assert f"<strong>{verdict}.</strong> {answer['feedback']}" in said
            assert f"{verdict}: {answer['feedback']}" in data["text/plain"]
            assert answer.get("answer", "") in said
    assert "The number 25" in said and "A number from 0 to just below 1" in said
    assert said.count("(More than one answer is right.)") == 1
    # Every element that is opened is closed again: the rest of the page stays outside.
    for tag in ("div", "details", "ol", "ul", "li", "p"):
        assert len(re.findall(rf"<{tag}\b", page)) == page.count(f"</{tag}>"), tag


def test_another_jupyterquiz_leaves_what_to_read(shown, monkeypatch):
    import jupyterquiz

    monkeypatch.setattr(jupyterquiz, "display_quiz", lambda questions: None)
    page = shown("03")["text/html"]
    assert "<script>" not in page and "is not the version" in page


def test_output_is_the_same_every_time_small_and_fetches_nothing(shown):
    random.seed(1)
    expected = random.random()
    random.seed(1)
    first = shown("03")
    assert random.random() == expected, "the quiz took random numbers from the notebook"
    assert shown("03") == first
    page = first["text/html"]
    assert len(page.encode()) < 60_000
    assert "://" not in page
    assert not re.search(r"\b(fetch|XMLHttpRequest|import)\(|\bsrc=|@import|<link", page)
    assert 'data-shufflequestions="False"' in page and 'data-shuffleanswers="False"' in page
    assert page.count("</script>") == 1, "the script holds its own end"


def test_quizzes_of_one_page_have_places_of_their_own(shown):
    places = [re.search(r'<div id="(\w+)"', shown(n)["text/html"])[1] for n in ("03", "04")]
    assert len(set(places)) == 2


def contrast(one: str, other: str) -> float:
    def light(colour):
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", [name for name in quiz.COLOURS if "border" not in name])
def test_colours_can_be_read(shown, name):
    assert f"{name}: {quiz.COLOURS[name]};" in shown("03")["text/html"]
    if name != "--jq-text-color":  # light letters on it; and it on the white of a feedback
        assert contrast(quiz.COLOURS[name], "#ffffff") >= 4.5
    else:
        assert quiz.COLOURS[name] == "#ffffff"


def test_missing_and_broken_files_are_named(folder):
    with pytest.raises(FileNotFoundError, match=r"no quiz '99'.*there are: 03, 04"):
        quiz.read_quiz("99")
    (folder / "05.json").write_text("[1,")
    with pytest.raises(ValueError, match=r"05\.json is not valid JSON"):
        quiz.read_quiz("05")
    (folder / "05.json").write_text('{"question": "?"}')
    with pytest.raises(ValueError, match="must hold a list"):
        quiz.read_quiz("05")


# --- In a browser --------------------------------------------------------------------------------


@pytest.fixture
def opened(tmp_path):
    """Open HTML in Chromium; return the page, the addresses it asked for and its errors."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def open_(body: str, *, javascript: bool = True):
            file = tmp_path / "page.html"
            file.write_text(f"<!doctype html><title>x</title>{body}", encoding="utf-8")
            page = browser.new_context(java_script_enabled=javascript).new_page()
            asked, errors = [], []
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(file.as_uri())
            return page, asked, errors

        yield open_
        browser.close()


def test_answers_can_be_clicked_typed_and_chosen_with_the_keyboard(shown, opened):
    first, second = (shown(number)["text/html"] for number in ("03", "04"))
    # The third is the first once more, as after running a cell's copy.
    page, asked, errors = opened(first + second + first)
    page.wait_for_function("document.querySelectorAll('.Quiz').length == 15")
    quizzes = page.locator(".Quiz")

    def said(number):
        feedback = quizzes.nth(number).locator(".Feedback")
        assert feedback.get_attribute("role") == "status"
        return feedback.inner_text(), "incorrect" not in feedback.get_attribute("class").split()

    assert said(0)[0] == said(5)[0] == said(10)[0] == ""
    quizzes.nth(0).locator("label").nth(0).click()
    assert said(0) == (good()[0]["answers"][0]["feedback"], True)
    quizzes.nth(0).locator("label").nth(2).click()
    assert said(0) == (good()[0]["answers"][2]["feedback"], False)
    assert said(5)[0] == said(10)[0] == "", "the answer went to another quiz too"

    quizzes.nth(6).locator("input").nth(2).focus()
    page.keyboard.press("Space")
    assert said(6) == (good()[1]["answers"][2]["feedback"], True)

    for typed, answer, right in (("25", 0, True), ("0.25", 1, False), ("7", 2, False)):
        page.get_by_label("Your number, then Enter:").nth(1).focus()
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
        assert said(8) == (good()[3]["answers"][answer]["feedback"], right)
    assert [url for url in asked if not url.endswith("page.html")] == [] == errors


def test_without_javascript_the_questions_can_be_read(shown, opened):
    page, _, _ = opened(shown("03")["text/html"], javascript=False)
    assert page.locator(".Quiz").count() == 0
    assert page.get_by_text("Without it, read them below").is_visible()
    feedback = page.get_by_text(good()[4]["answers"][1]["feedback"])
    assert not feedback.is_visible()
    page.locator("summary").click()
    assert feedback.is_visible()


# --- The rules: a quiz that breaks one is found out. ---------------------------------------------


def test_good_quiz_has_no_problems():
    assert validate(good()) == []


def change(question: int, *path: object, to: object):
    """Return a function that sets one part of a question."""

    def changed(questions):
        part = questions[question]
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = to

    return changed


BREAKS = {
    "at least 5 questions are wanted; there are 4": lambda q: q.pop(),
    "at most 5 questions are wanted; there are 6": lambda q: q.append(choice("Six", 0)),
    "question 2: 'answers' is a required property": lambda q: q[1].pop("answers"),
    "question 2, type: 'string' is not one of": change(1, "type", to="string"),
    "'colour' was unexpected": change(0, "colour", to="red"),
    "question 2, answer 3: 'feedback' is a required": lambda q: q[1]["answers"][2].pop("feedback"),
    "question 1, answer 2, correct: 'yes' is not of type 'boolean'": change(
        0, "answers", 1, "correct", to="yes"
    ),
    "question 1, question: '  '": change(0, "question", to="  "),
    "at least 3 answers are wanted; there are 2": lambda q: q[0]["answers"].pop(),
    "question 4, answer 1: 'value' is a required": lambda q: q[3]["answers"][0].pop("value"),
    "exactly one right answer; it has 2": change(0, "answers", 1, "correct", to=True),
    "exactly one right answer; it has 0": change(0, "answers", 0, "correct", to=False),
    "two or more right answers; it has 1": change(2, "answers", 0, "correct", to=False),
    f"answer 2: its feedback has 2 words; {FEWEST_WORDS}": change(
        1, "answers", 1, "feedback", to="Wrong, sorry"
    ),
    "question 4: answer 3: its feedback has 2 words": change(
        3, "answers", 2, "feedback", to="Wrong, sorry"
    ),
    "plain text is wanted, and here is '<b>'": change(0, "question", to="Is <b>this</b> it?"),
    "plain text is wanted, and here is '&lt;'": change(0, "answers", 0, "answer", to="p &lt; 1"),
    "plain text is wanted, and here is '$'": change(0, "question", to="Is $p$ small?"),
    "no exclamation marks": change(0, "answers", 0, "feedback", to=f"Well done! {WHY}"),
    "this answer is given 2 times": change(0, "answers", 0, "answer", to="One 1"),
    "this question is asked 2 times": change(0, "question", to="Two, if p < 0.05?"),
    "always at position 2": lambda q: q.__setitem__(
        slice(0, 2), [choice("One", 1), choice("Two", 1)]
    ),
    "more than one question asks for a number": lambda q: q.__setitem__(
        0, copy.deepcopy(q[3]) | {"question": "Again?"}
    ),
    "question 4: numeric needs exactly one right answer": change(
        3, "answers", 0, "correct", to=False
    ),
    "question 4: numeric needs one answer of the type default": lambda q: q[3]["answers"].pop(),
    "the range 1 to 0 is empty": change(3, "answers", 1, "range", to=[1, 0]),
    "its range covers the right answer": lambda q: (
        q[3]["answers"].insert(0, q[3]["answers"].pop(1)),
        q[3]["answers"][0].update(range=[0, 100]),
    ),
}


@pytest.mark.parametrize("message", BREAKS)
def test_broken_rule_is_found(message):
    questions = good()
    BREAKS[message](questions)
    found = validate(questions)
    assert any(message in problem for problem in found), found


def test_the_schema_is_one():
    import jsonschema

    schema = json.loads((ROOT / "teaching" / "quizzes" / "schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
