"""The quizzes: valid, one for each chapter and shown in it, to click and to read."""

import copy
import html
import json
import re
from collections import Counter

import jsonschema
import nbformat
import pytest

from tools.book.course import chapters
from tools.book.renew import show_quiz
from utils import quiz
from utils.files import SCHEMAS

CHAPTERS = [path for path in chapters() if re.match(r"(?!00)\d\d_", path.name)]
SCHEMA = jsonschema.Draft202012Validator(json.loads(SCHEMAS.read_bytes())["quiz"])
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
    answers = [
        {"type": "value", "value": 25, "correct": True, "feedback": f"{WHY} Right."},
        {"type": "range", "range": [0, 1], "correct": False, "feedback": f"{WHY} A share."},
        {"type": "default", "feedback": f"{WHY} Default."},
    ]
    number = {"question": "How many of each hundred?", "type": "numeric", "answers": answers}
    return [choice("One", 0), choice("Two", 2), many, number, choice("Three", 1)]


@pytest.fixture
def output(tmp_path, monkeypatch):
    """The output of a small quiz, by MIME type; another with its questions stands beside it."""
    for name in ("quiz.css", "quiz.js"):
        (tmp_path / name).write_bytes((quiz.FOLDER / name).read_bytes())
    for name in ("03", "04"):
        (tmp_path / f"{name}.json").write_text(json.dumps(good()))
    monkeypatch.setattr(quiz, "FOLDER", tmp_path)
    return quiz.as_output(quiz.read_quiz("03"))


def problems(questions: list[dict]) -> list[str]:
    """Return what is wrong with a quiz: what its schema says and, beyond it, what no schema can."""
    if errors := list(SCHEMA.iter_errors(questions)):
        return [f"{error.json_path}: {error.message}" for error in errors]
    choices = [q for q in questions if q["type"] != "numeric"]
    texts = [q["question"] for q in questions]
    texts += [f"{q['question']} {a['answer']}" for q in choices for a in q["answers"]]
    wrong = [f"this stands {n} times: {text}" for text, n in Counter(texts).items() if n > 1]
    one_right = [q["answers"] for q in choices if q["type"] == "multiple_choice"]
    places = {[a["correct"] for a in answers].index(True) for answers in one_right}
    if len(places) == 1 < len(one_right):
        wrong.append(f"the right answer is always at position {places.pop() + 1}")
    for answers in (q["answers"] for q in questions if q["type"] == "numeric"):
        for place, (low, high) in ((k, a["range"]) for k, a in enumerate(answers) if "range" in a):
            if not low < high:
                wrong.append(f"the range {low} to {high} is empty")
            for later in answers[place + 1 :]:  # the first that fits is taken
                value = later.get("value", later.get("range", [high])[0])
                if later.get("correct") and low <= value < high:
                    wrong.append(f"the range {low} to {high} covers the right answer behind it")
    return wrong


def test_every_quiz_belongs_to_a_chapter_and_the_schema_is_one():
    files = {path.stem for path in quiz.FOLDER.glob("*.json")}
    assert CHAPTERS and files <= {path.name[:2] for path in chapters()}
    for form in json.loads(SCHEMAS.read_bytes()).values():
        SCHEMA.check_schema(form)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_quiz_is_valid_and_shown_in_its_chapter(path):
    number = path.name[:2]
    assert problems(quiz.read_quiz(number)) == []
    notebook = nbformat.read(path, as_version=4)
    (cell,) = (c for c in notebook.cells if "quiz" in c.metadata.get("tags", ()) and "outputs" in c)
    assert f'show_quiz("{number}")' in cell.source
    (output,) = cell.outputs
    assert dict(output.data) == quiz.as_output(quiz.read_quiz(number)), (
        f"{path.name} does not show teaching/quizzes/{number}.json as it is now. "
        "Run `python -m tools.book.renew`."
    )
    # The tool that renews outputs changes one that is old, and nothing else.
    wanted, output.data = copy.deepcopy(notebook), {"text/html": "old", "text/plain": "old"}
    show_quiz(notebook, number)
    assert notebook == wanted


def test_what_to_read_is_whole(output):
    page = re.sub(r"<(script|style)>.*?</\1>", "", output["text/html"], flags=re.DOTALL)
    read = html.unescape(page)
    assert "<script" not in page and "onclick" not in page and "p < 0.05" not in page
    for question in good():
        for text in (read, output["text/plain"]):
            assert text.count(question["question"]) == 1
        for answer in question["answers"]:
            verdict = "Right" if answer.get("correct") else "Wrong"
            assert f"<strong>{verdict}.</strong> {answer['feedback']}" in read
            assert f"{verdict}: {answer['feedback']}" in output["text/plain"]
            assert answer.get("answer", "") in read
    assert "The number 25" in read and "A number from 0 to just below 1" in read
    assert read.count("(More than one answer is right.)") == 1
    # Every element that is opened is closed again: the rest of the page stays outside.
    for tag in ("div", "details", "ol", "ul", "li", "p", "span"):
        assert len(re.findall(rf"<{tag}\b", page)) == page.count(f"</{tag}>"), tag


def test_output_is_the_same_every_time_small_and_fetches_nothing(output, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    quiz.show_quiz("04")
    assert shown == [output], "the same questions gave another output"
    page = output["text/html"]
    assert len(page.encode()) < 15_000
    assert "://" not in page and page.count("</script>") == 1
    assert not re.search(r"\b(fetch|XMLHttpRequest|import)\(|\bsrc=|@import|<link|url\(", page)


@pytest.fixture
def opened(new_page, tmp_path):
    def open_(body: str, **options):
        (tmp_path / "page.html").write_text(f"<!doctype html><title>x</title>{body}", "utf-8")
        return new_page((tmp_path / "page.html").as_uri(), **options)

    return open_


def test_answers_can_be_clicked_typed_and_chosen_with_the_keyboard(output, opened):
    page = opened(output["text/html"] * 3)  # as after running a cell's copy
    questions = page.locator(".skin-quiz > [role=group]")
    assert questions.count() == 15

    def check(number, answer, verdict):
        """The feedback of a question is that of an answer, with its verdict in words."""
        feedback = good()[number % 5]["answers"][answer]["feedback"]
        status = questions.nth(number).get_by_role("status")
        assert status.inner_text() == f"{verdict}. {feedback}"

    one = questions.nth(0).get_by_role("button")
    one.nth(0).click()
    check(0, 0, "Right")
    one.nth(2).click()
    check(0, 2, "Wrong")
    marks = [re.findall(r"\((\w+)\)$", text) for text in one.all_inner_texts()]
    assert marks == [["Right"], [], ["Wrong"]], "what was found once stays marked"
    statuses = page.get_by_role("status").all_inner_texts()
    assert [bool(text) for text in statuses] == [True] + 14 * [False], "another quiz answered too"
    for key, answer in (("Enter", 1), ("Space", 2)):
        questions.nth(6).get_by_role("button").nth(answer).focus()
        page.keyboard.press(key)
        check(6, answer, "Wrong" if answer == 1 else "Right")
    for answer, verdict in enumerate(("Right", "Wrong", "Right")):
        questions.nth(7).get_by_role("button").nth(answer).click()
        check(7, answer, verdict)
    field = questions.nth(8).get_by_label("Your number:")
    for typed, answer in {"25": 0, "0": 1, "0.25": 1, "1": 2, "-7": 2}.items():
        field.fill(typed)
        field.press("Enter")
        check(8, answer, "Wrong" if answer else "Right")
    field.fill("")
    questions.nth(8).get_by_role("button", name="Check").click()
    assert "Write a number" in questions.nth(8).get_by_role("status").inner_text()
    assert len(page.requests) == 1 and not page.errors


def test_without_javascript_the_questions_can_be_read(output, opened):
    page = opened(output["text/html"], java_script_enabled=False)
    assert page.get_by_role("button").count() == 0
    assert page.get_by_text("Without it, read them below").is_visible()
    feedback = page.get_by_text(good()[4]["answers"][1]["feedback"])
    assert not feedback.is_visible()
    page.locator("summary").click()
    assert feedback.is_visible()


CONTRASTS = """() => {
  const channel = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3)
    .reduce((sum, v, n) => sum + [0.2126, 0.7152, 0.0722][n] * channel(v / 255), 0);
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const ground = (one) => {
    while (/, 0\\)$/.test(getComputedStyle(one).backgroundColor)) one = one.parentElement;
    return light(getComputedStyle(one).backgroundColor);
  };
  return [...document.querySelectorAll(".skin-quiz :is(p, button, input, label, strong)")].map(
    (one) => [contrast(light(getComputedStyle(one).color), ground(one)),
      ...["Left", "Top"].map((side) =>
        contrast(light(getComputedStyle(one)[`border${side}Color`]), ground(one)))]);
}"""


@pytest.mark.parametrize("colours", ["#222832; background: #fff", "#ced6dd; background: #14181e"])
def test_it_can_be_read_in_a_light_and_a_dark_page_also_a_narrow_one(output, opened, colours):
    page = opened(
        f"<meta name='viewport' content='width=device-width'><style>html {{ color: {colours} }}"
        f"</style>{output['text/html']}",
        viewport={"width": 320, "height": 600},
    )
    for answer in (0, 1):
        page.locator(".skin-quiz > [role=group]").nth(0).get_by_role("button").nth(answer).click()
    measured = page.evaluate(CONTRASTS)
    assert len(measured) > 20
    assert min(text for text, *_ in measured) >= 4.5
    assert min(border for _, *borders in measured for border in borders) >= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
