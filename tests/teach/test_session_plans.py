"""The teacher's pages: minutes add up, sections exist, every question has an answer."""

import importlib
import json
import math
import re
from pathlib import Path

import nbformat
import pytest

from tools.book.course import ROOT, chapters
from tools.book.reading_time import minutes_of_exercises

TEACHING = ROOT / "teaching"
PAGES = (
    "instructor-guide",
    "session-plans",
    "exam-bank",
    "project-brief",
    "evening-before",
    "slides",
)
# The six sessions take eight chapters; the guide has notes on those for which there is time after.
TAUGHT = [path for path in chapters() if re.match(r"0[1-8]", path.name)]
GUIDED = [path for path in chapters() if re.match(r"0[1-9]|10", path.name)]
SESSION_MINUTES, DAY = 90, ("09:00", "17:00")
DAY_SHARE = 0.75  # in a day, a chapter gets at least this share of its reading time
# The plans' one change of a parameter: chapter 5 with 10 epochs in place of its 50.
EPOCHS = {"05": (10, 50)}


def text(page: str) -> str:
    return (TEACHING / f"{page}.md").read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of the same or a higher level."""
    marks = heading.split()[0]
    below = page.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(marks)}}} ", below)[0]


def tables(page: str) -> list[list[dict[str, str]]]:
    """Return the tables of a page, each as rows by column heading."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", page + "\n", re.MULTILINE):
        lines = [[c.strip() for c in line.strip("|").split("|")] for line in block.splitlines()]
        assert all(len(line) == len(lines[0]) for line in lines), f"ragged table: {lines[0]}"
        found.append([dict(zip(lines[0], line, strict=True)) for line in lines[2:]])
    return found


def linked(cell: str) -> list[str]:
    return re.findall(r"\(\.\./chapters/([\w]+)\.ipynb\)", cell)


def headings(stem: str) -> set[str]:
    notebook = json.loads((ROOT / "chapters" / f"{stem}.ipynb").read_text(encoding="utf-8"))
    lines = [
        line
        for cell in notebook["cells"]
        if cell["cell_type"] == "markdown"
        for line in "".join(cell["source"]).splitlines()
    ]
    return {line.lstrip("# ").strip() for line in lines if re.match(r"#{1,4} ", line)}


def box(stem: str) -> str:
    notebook = json.loads((ROOT / "chapters" / f"{stem}.ipynb").read_text(encoding="utf-8"))
    return "".join(notebook["cells"][1]["source"]).replace("\n> ", " ")


def reading_minutes(stem: str) -> int:
    return int(re.search(r"\*\*Time to read\*\* (\d+) minutes", box(stem))[1])


def sessions(page: str) -> dict[str, list[dict[str, str]]]:
    """Return the blocks of every session by its heading."""
    names = re.findall(r"^### (Session \d+: .*)$", page, re.MULTILINE)
    return {name: tables(section(page, f"### {name}"))[0] for name in names}


def clock(time: str) -> int:
    hours, minutes = time.split(":")
    return 60 * int(hours) + int(minutes)


def problems(page: str) -> list[str]:
    """Say what is wrong with the sums and times of a page of session plans."""
    wrong = []
    for name, blocks in sessions(page).items():
        total = sum(int(block["minutes"]) for block in blocks)
        if total != SESSION_MINUTES:
            wrong.append(f"{name}: {total} minutes, not {SESSION_MINUTES}")
    now = clock(DAY[0])
    for block in tables(section(page, "### Day"))[0]:
        if clock(block["from"]) != now:
            wrong.append(f"the day: {block['from']} should be {now // 60:02}:{now % 60:02}")
        now = clock(block["from"]) + int(block["minutes"])
    if now != clock(DAY[1]):
        wrong.append(f"the day ends at {now // 60:02}:{now % 60:02}, not {DAY[1]}")
    return wrong


def minutes_by_chapter(blocks: list[dict[str, str]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for block in blocks:
        for stem in set(linked(block["where"])):
            total[stem] = total.get(stem, 0) + int(block["minutes"])
    return total


# --- Session plans --------------------------------------------------------------------------------


def test_six_sessions_and_a_day_add_up():
    page = text("session-plans")
    assert len(sessions(page)) == 6
    assert problems(page) == []


@pytest.mark.parametrize(
    "right, wrong, said",
    [
        ("| 20 | One convolution", "| 25 | One convolution", "Session 3.*95 minutes, not 90"),
        ("| 10:45 | 15 | Break", "| 10:45 | 20 | Break", "11:00 should be 11:05"),
        ("| 16:45 | 15 |", "| 16:45 | 30 |", "ends at 17:15, not 17:00"),
    ],
)
def test_wrong_sum_is_found(right, wrong, said):
    page = text("session-plans")
    assert page.count(right) == 1
    assert re.search(said, "\n".join(problems(page.replace(right, wrong))))


def test_every_chapter_has_its_time():
    page = text("session-plans")
    in_sessions = minutes_by_chapter([b for blocks in sessions(page).values() for b in blocks])
    in_day = minutes_by_chapter(tables(section(page, "### Day"))[0])
    for path in TAUGHT:
        read = reading_minutes(path.stem)
        assert in_sessions.get(path.stem, 0) >= read, f"six sessions, {path.stem}: {read} to read"
        assert in_day.get(path.stem, 0) >= DAY_SHARE * read, f"the day, {path.stem}: {read} to read"


def test_sessions_use_the_exercises_and_the_quizzes():
    """Every chapter's exercises have their place, every session has exercises, and all but the
    first begin with a quiz."""
    page = text("session-plans")
    worked = set()
    for number, (name, blocks) in enumerate(sessions(page).items(), 1):
        exercises = [b for b in blocks if "*Exercises*" in b["where"]]
        assert exercises, name
        worked |= {linked(block["where"])[0] for block in exercises}
        if number > 1:
            assert any("*Check yourself*" in block["where"] for block in blocks[:2]), name
    assert worked == {path.stem for path in TAUGHT}
    day = tables(section(page, "### Day"))[0]
    assert sum("*Exercises*" in block["where"] for block in day) >= 3


def test_sections_of_the_plans_exist():
    page = text("session-plans")
    blocks = [b for rows in sessions(page).values() for b in rows]
    named = 0
    for block in blocks + tables(section(page, "### Day"))[0]:
        stems = linked(block["where"])
        assert len(stems) <= 1, "a block stands in one chapter, so that minutes count once"
        for name in re.findall(r"\*([^*]+)\*", block["where"]):
            named += 1
            assert name in headings(stems[0]), f"{stems[0]} has no section {name!r}"
    assert named > 60


def test_times_are_those_of_the_chapters():
    table = tables(section(text("session-plans"), "## The chapters in minutes"))[0]
    rows = {linked(row["chapter"])[0]: row for row in table}
    assert list(rows) == [path.stem for path in chapters()]
    for stem, row in rows.items():
        assert int(row["read"]) == reading_minutes(stem), stem
        notebook = nbformat.read(ROOT / "chapters" / f"{stem}.ipynb", as_version=4)
        assert row["exercises"] == (str(minutes_of_exercises(notebook) or "–")), stem
        seconds = notebook["metadata"].get("course", {}).get("seconds")
        if seconds is None:  # not published yet
            continue
        some, full = EPOCHS.get(stem[:2], (1, 1))
        needed = math.ceil(seconds * some / full / 60)
        assert int(row["allow for running"]) >= needed, f"{stem}: {needed} minutes needed"


def test_guide_has_a_section_for_every_chapter():
    page = text("instructor-guide")
    for number, path in enumerate(GUIDED, 1):
        heading = re.search(rf"^## Chapter {number}: .*$", page, re.MULTILINE)
        assert heading, f"no section for chapter {number}"
        part = section(page, heading[0])
        assert path.stem in linked(part)
        for name in ("What it is for", "Misconceptions", "Board", "Discuss"):
            assert f"**{name}" in part, f"chapter {number}: {name}"
        assert len(tables(part)[0]) >= 5
        assert 2 <= len(re.findall(r"^\d\. \*", part, re.MULTILINE)) <= 3
        assert part.count("Notes:") == len(re.findall(r"^\d\. \*", part, re.MULTILINE))


def test_entry_questions_print_what_the_comments_say(capsys):
    code = re.search(r"```python\n(.*?)```", text("instructor-guide"), re.DOTALL)[1]
    exec(compile(code, "entry questions", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    expected = re.findall(r"# (.*)$", code, re.MULTILINE)
    assert [line.partition(":")[0].strip() for line in expected] == printed


# --- Exam bank ------------------------------------------------------------------------------------


def questions(page: str) -> list[dict[str, str]]:
    """Return number, line of facts, task and answer of every question; raise if one is missing."""
    found = []
    parts = re.split(r"^### (\d+)\. .*$", page, flags=re.MULTILINE)
    for number, body in zip(parts[1::2], parts[2::2], strict=True):
        facts, task = re.match(r"\s*\*([^*]+)\*\n(.*)", body, re.DOTALL).groups()
        pieces = task.split("\n**Answer.** ")
        if len(pieces) != 2 or len(pieces[1].split()) < 12:
            raise ValueError(f"question {number} has no answer")
        found.append({"number": number, "facts": facts, "task": pieces[0], "answer": pieces[1]})
    return found


def test_thirty_numbered_questions_with_answers():
    found = questions(text("exam-bank"))
    assert [int(q["number"]) for q in found] == list(range(1, 31))
    kinds = [re.search(r"multiple choice|short answer|read a table|essay", q["facts"])[0]
             for q in found]  # fmt: skip
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "multiple choice": 12, "short answer": 10, "read a table": 6, "essay": 2,
    }  # fmt: skip
    named = set()
    for q in found:
        assert re.search(r"· (recall|apply|judge) ·", q["facts"]), q["number"]
        assert re.search(r"\d+ points?", q["facts"]) and "minute" in q["facts"], q["number"]
        named |= {int(n) for n in re.findall(r"\d+", q["facts"].split("·")[0])}
        if "table" in q["facts"]:
            assert tables(q["task"]) and re.search(r"\*(from the course|invented)\*", q["task"])
    assert named == set(range(1, len(TAUGHT) + 1))


def test_every_wrong_choice_is_explained():
    for q in questions(text("exam-bank")):
        if "multiple choice" not in q["facts"]:
            continue
        letters = re.findall(r"^- \*\*([A-D])\*\* ", q["task"], re.MULTILINE)
        assert letters == list("ABCD"), q["number"]
        right = q["answer"][0]
        assert right in letters, q["number"]
        for letter in set(letters) - {right}:
            assert f"*{letter}*" in q["answer"], f"question {q['number']}: {letter}"


def test_missing_answer_is_found():
    page = text("exam-bank")
    broken = page.replace("**Answer.** C. For the next patient", "C. For the next patient")
    assert broken != page
    with pytest.raises(ValueError, match="question 5 has no answer"):
        questions(broken)


def test_numbers_of_the_answers_follow_from_the_tables():
    by_number = {int(q["number"]): q for q in questions(text("exam-bank"))}

    def table(number):
        rows = tables(by_number[number]["task"])[0]
        return [
            {k: float(v.replace(",", "")) if v[:1].isdigit() else v for k, v in row.items()}
            for row in rows
        ]

    def bold(number, *values):
        for value in values:
            assert f"**{value}**" in by_number[number]["answer"], f"question {number}: {value}"

    classes = table(4)[0]
    assert sum(v for k, v in classes.items() if k != "all") == classes["all"]
    bold(4, f"{classes['nv'] / classes['all']:.3f}", f"{1 / 7:.3f}")
    nevi, everything = table(6)
    of_nevi = sum(v for v in nevi.values() if isinstance(v, float))
    bold(6, f"{nevi['histo'] / of_nevi:.3f}", f"{nevi['histo'] / everything['histo']:.3f}")
    images = {row["dx"]: row["images"] for row in table(10)}
    bold(10, f"{100 / images['df']:.1f}", f"{100 / images['mel']:.1f}")
    curve = table(18)
    best = max(curve, key=lambda row: row["validation balanced accuracy"])
    bold(18, f"{best['epoch']:.0f}")
    matrix = [[v for v in row.values() if isinstance(v, float)] for row in table(20)]
    total, mel = sum(map(sum, matrix)), sum(matrix[6])
    alarms = sum(row[6] for row in matrix)
    false = alarms - matrix[6][6]
    bold(20, f"{matrix[6][6] / mel:.3f}", f"{1 - false / (total - mel):.3f}")
    bold(20, f"{matrix[6][6] / alarms:.3f}", f"{matrix[3][3] / sum(matrix[3]):.3f}")
    bins = table(24)
    gaps = [row["images"] * abs(row["mean probability"] - row["share right"]) for row in bins]
    bold(24, f"{sum(gaps) / sum(row['images'] for row in bins):.3f}")


def test_tables_from_the_course_are_those_of_the_chapters():
    by_number = {int(q["number"]): q["task"] for q in questions(text("exam-bank"))}
    from utils.classes import DX

    source = (ROOT / "chapters" / "07_anatomy_of_a_result.ipynb").read_text(encoding="utf-8")
    for row in tables(by_number[20])[0]:
        numbers = ", ".join(row[dx] for dx in DX)
        assert f"[{numbers}]" in source, f"chapter 7 has no row {numbers}"
    outputs = (ROOT / "chapters" / "03_splitting_and_oversampling.ipynb").read_text("utf-8")
    for row in tables(by_number[10])[0]:
        line = re.search(rf"\| {row['dx']} +\|([^\\]*)\|", outputs)[1].split("|")
        assert (row["images"], row["lesions"]) == (line[2].strip(), line[5].strip()), row["dx"]


# --- Project, evening before, links ---------------------------------------------------------------


def test_rubric_adds_up_to_100():
    rubric = tables(section(text("project-brief"), "## How it is marked"))[0]
    assert sum(int(row["points"]) for row in rubric) == 100
    assert all(row["full"] and row["about half"] and row["none"] for row in rubric)


def test_functions_named_in_the_brief_exist():
    named = set(re.findall(r"`(\w+)\.(\w+)\b", text("project-brief")))
    modules = {p.stem for p in (ROOT / "utils").glob("*.py")}
    checked = [(module, name) for module, name in named if module in modules]
    assert len(checked) >= 8
    for module, name in checked:
        assert hasattr(importlib.import_module(f"utils.{module}"), name), f"{module}.{name}"


# Messages of Python, git, pooch and TensorFlow, which the course does not write itself.
OTHERS = re.compile(
    r"(CalledProcess|ModuleNotFound|Name|Import|Attribute|ResourceExhausted)Error|No module named"
    r"|…: ValueError: … hash of"
)


def code_texts() -> str:
    """Return the course's code with literals that stand on several lines joined."""
    rooms = ("utils", "exercises", "tools")
    paths = [path for room in rooms for path in (ROOT / room).rglob("*.py")] + [ROOT / "Makefile"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return re.sub(r'"\s*\n\s*f?"', "", code)


def quoted(page: str) -> list[str]:
    """Return the messages that a page quotes: blocks of text, and code in a line with a blank."""
    blocks = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    inline = [m for m in re.findall(r"`([^`\n]+)`", prose) if " " in m]
    lines = [line for block in blocks for line in block.splitlines()]
    commands = re.compile(r"(make|git|python|xcode-select|EPOCHS) ?")
    return [m for m in lines + inline if not OTHERS.match(m) and not commands.match(m)]


def unknown(messages: list[str], code: str) -> list[str]:
    """Return the pieces of messages that the code does not contain; … stands for what varies."""
    pieces = [
        piece.strip(" ()'.:/")
        for message in messages
        for piece in re.split(r"…|the environment variable HAM10000_DIR", message)
    ]
    return [piece for piece in pieces if piece not in code]


def test_quoted_messages_are_in_the_code():
    page = (ROOT / "troubleshooting.md").read_text(encoding="utf-8")
    messages = quoted(page)
    assert len(messages) >= 22
    assert unknown(messages, code_texts()) == []
    wrong = quoted(page.replace("a web page came instead of the file", "a page came instead"))
    assert unknown(wrong, code_texts()) == ["a page came instead"]


def test_messages_of_the_evening_before_are_in_the_code():
    part = section(text("evening-before"), "## What really goes wrong")
    assert unknown(quoted(part), code_texts()) == []


def test_each_trouble_has_a_reason_and_a_way_out():
    page = (ROOT / "troubleshooting.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (.*)$", page, flags=re.MULTILINE)
    assert len(parts) // 2 >= 20
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        body = re.split(r"^#{1,2} ", body, flags=re.MULTILINE)[0]
        assert body.count("**Why.**") == body.count("**What to do.**") == 1, heading
        assert body.index("**Why.**") < body.index("**What to do.**"), heading
    for name in ("README.md", "intro.md", "teaching/evening-before.md"):
        assert "troubleshooting" in (ROOT / name).read_text(encoding="utf-8"), name


def broken_links(page: str, folder: Path = TEACHING) -> list[str]:
    """Return the links of a page in `folder` that lead to no file."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.replace("\n", ""))
    return [
        target
        for target in targets
        if not target.startswith("https://")
        and not (folder / target.partition("#")[0]).resolve().is_file()
    ]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    assert broken_links(text(page)) == []


def test_links_of_the_troubles_lead_somewhere():
    assert broken_links((ROOT / "troubleshooting.md").read_text(encoding="utf-8"), ROOT) == []


def test_link_check_sees_a_broken_link():
    page = text("session-plans").replace("01_data_overview", "01_data_overwiev", 1)
    assert broken_links(page) == ["../chapters/01_data_overwiev.ipynb"]
