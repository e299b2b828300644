"""`make questions`: read back by another way, nothing of a question is lost on a platform."""

import html
import itertools
import re
import zipfile
from xml.etree import ElementTree as xml

import pytest
from markupsafe import escape

from tools.teach import questions
from utils import quiz

BANK = [q for q in questions.exam_questions() if q.kind == "multiple choice"]
QUOTES = str.maketrans("‘’“”", "''\"\"")
QUIZZES = {path.stem: quiz.read_quiz(path.stem) for path in quiz.FOLDER.glob("[0-9]*.json")}


def test_the_exam_bank_is_read_whole_or_the_question_is_named(tmp_path, monkeypatch):
    bank = questions.exam_questions()
    assert [q.number for q in bank] == list(range(1, 33)) and len(BANK) >= 12
    for q in bank:
        assert bool(q.options) == (q.kind == "multiple choice") == (q.right in q.options)
    text = questions.BANK.read_text("utf-8").replace("*Chapter 1 · recall", "*Chapter 1, recall")
    monkeypatch.setattr(questions, "BANK", tmp_path / "bank.md")
    questions.BANK.write_text(text, "utf-8")
    with pytest.raises(questions.ChapterError, match="bank.md: this question has another form: 1."):
        questions.exam_questions()


def test_a_sheet_has_no_answer_and_its_key_has_them_all():
    bank = questions.exam_questions()
    made = questions.exam([str(question.number) for question in bank])
    for number, question in enumerate(bank, start=1):
        begin = questions.MarkdownIt().renderInline(question.answer.split("\n")[0])
        assert begin not in made["sheet"] and begin in made["key"], question.number
        assert f"{number}. {escape(question.title)}" in made["sheet"]
    options = sum(len(question.options) for question in bank)
    assert made["sheet"].count("<li>☐ ") == options > 40
    with pytest.raises(questions.ChapterError, match="no question 99; it has 1 to 32"):
        questions.exam(["3", "99"])


def plain(text: str) -> str:
    """The words of a text in HTML or Markdown, with typewriter's quotes."""
    text = html.unescape(re.sub(r"</?\w+>|[`*]", "", text)).translate(QUOTES)
    return " ".join(text.split())


def answer_of(answer: dict) -> object:
    """An answer's words, or from where to where a number is meant, or None for all others."""
    if "answer" in answer:
        return plain(answer["answer"])
    if answer["type"] == "default":
        return None
    low, high = answer.get("range", [answer.get("value")] * 2)
    return round(float(low), 6), round(float(high), 6)


def expected():
    """Each question's words and its answers: (answer, share of the points, feedback)."""
    for q in itertools.chain(*QUIZZES.values()):
        right = sum(a.get("correct", False) for a in q["answers"])
        wrong = -1 / (len(q["answers"]) - right) if q["type"] == "many_choice" else 0
        shares = [1 / right if a.get("correct") else wrong for a in q["answers"]]
        answers = {(answer_of(a), round(share, 4), plain(a["feedback"]))
                   for a, share in zip(q["answers"], shares, strict=True)}  # fmt: skip
        yield plain(q["question"]), answers
    for q in BANK:
        options = {(plain(f"{k}: {t}"), int(k == q.right), plain(q.answer))
                   for k, t in q.options.items()}  # fmt: skip
        yield plain(q.text), options


EXPECTED = dict(expected())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return {path.name: path for path in questions.build(tmp_path_factory.mktemp("questions"))}


def moodle_answer(node) -> object:
    text = node.findtext("text")
    if node.find("tolerance") is None:
        return plain(text)
    around, wide = (0 if text == "*" else float(text)), float(node.findtext("tolerance"))
    return None if text == "*" else (round(around - wide, 6), round(around + wide, 6))


def test_moodle_gets_every_question_answer_mark_and_feedback(files):
    nodes = list(xml.parse(files["moodle.xml"]).getroot())
    categories = [n.findtext("category/text") for n in nodes if n.get("type") == "category"]
    assert len(set(categories)) == len(categories)
    assert {c.split("/")[-2][:2] for c in categories if c.endswith("/Quiz")} == set(QUIZZES)
    found = {}
    for node in (n for n in nodes if n.get("type") != "category"):
        found[plain(node.findtext("questiontext/text"))] = {
            (moodle_answer(a), round(float(a.get("fraction")) / 100, 4),
             plain(a.findtext("feedback/text"))) for a in node.findall("answer")
        }  # fmt: skip
        several = sum(float(a.get("fraction")) > 0 for a in node.findall("answer")) > 1
        assert node.findtext("single") in (None, str(not several).lower())
    assert found == EXPECTED
    html_of_code = [n.findtext("questiontext/text") for n in nodes if "Exam 17" in n.findtext("*/")]
    assert "<code>ModelCheckpoint(monitor=&quot;val_acc&quot;" in html_of_code[0]


def items(path):
    """The items of a QTI package."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (n for n in archive.namelist() if re.search(r"/text2qti_assessment_\w+\.xml", n))
        tree = xml.fromstring(re.sub(rb' xmlns="[^"]+"', b"", archive.read(name)))
    return list(tree.iter("item"))


def test_qti_gets_every_question_right_answer_and_feedback(files):
    assert {name[4:6] for name in files if name.startswith("qti-")} == {*QUIZZES, "ex"}
    found = {}
    for item in (item for name in files if name.endswith(".zip") for item in items(files[name])):
        answers = EXPECTED[question := plain(item.findtext("presentation/material/mattext"))]
        found[question] = {f.get("ident"): plain(f.findtext(".//mattext"))
                           for f in item.findall("itemfeedback")}  # fmt: skip
        scored = [r for r in item.iter("respcondition") if r.find("setvar") is not None]
        no = [v for r in scored for v in r.findall(".//not/varequal")]
        right = {v.text for r in scored for v in r.iter("varequal") if v not in no}
        if item.find(".//render_choice") is not None:
            told = {(plain(label.findtext(".//mattext")), label.get("ident") in right,
                     found[question][f"{label.get('ident')}_fb"])
                    for label in item.iter("response_label")}  # fmt: skip
            assert told == {(text, share > 0, feedback) for text, share, feedback in answers}
        else:
            limits = [float(item.findtext(f".//{name}")) for name in ("vargte", "varlte")]
            ((number, said),) = [(a, feedback) for a, share, feedback in answers if share > 0]
            assert tuple(limits) == number and found[question]["correct_fb"] == said
            wrong = found[question]["general_incorrect_fb"]
            assert all(said in wrong for _, share, said in answers if share <= 0)
    assert set(found) == set(EXPECTED)
