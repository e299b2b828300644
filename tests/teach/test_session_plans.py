"""The teacher's pages: minutes add up, sections exist, every question has an answer."""

import math
import re
from datetime import datetime, timedelta
from functools import cache

import nbformat

from tools.book.course import ROOT, chapters
from tools.book.renew import minutes_of_exercises
from tools.teach.questions import exam_questions
from utils.classes import DX

PAGES = {path.stem: path for path in (ROOT / "teaching").glob("*.md")}
PAGES["troubleshooting"] = ROOT / "troubleshooting.md"
# The six sessions take nine chapters.
TAUGHT = [path.stem for path in chapters() if re.match(r"0[1-9]", path.name)]
SESSION_MINUTES = 90
SHARE, DAY_SHARE = 0.5, 1 / 3  # of the time to read a chapter alone that a plan gives it at least
# The plans' one change of a parameter: chapter 5 with 10 epochs in place of its 50.
EPOCHS = {"05": (10, 50)}


def text(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of the same or a higher level."""
    below = page.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{heading.index(' ')}}} ", below)[0]


def tables(page: str) -> list[list[dict[str, str]]]:
    """Return the tables of a page, each as rows by column heading."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", page + "\n", re.MULTILINE):
        lines = [[c.strip() for c in line.strip("|").split("|")] for line in block.splitlines()]
        found.append([dict(zip(lines[0], line, strict=True)) for line in lines[2:]])
    return found


def linked(cell: str) -> list[str]:
    return re.findall(r"\(\.\./chapters/([\w]+)\.ipynb\)", cell)


@cache
def chapter(stem: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "chapters" / f"{stem}.ipynb", as_version=4)


def reading_minutes(stem: str) -> int:
    return int(re.search(r"\*\*Time to read\*\*\s(\d+) ", chapter(stem).cells[1].source)[1])


def in_the_room(said: str) -> set[str]:
    """Return the numbers of exercises that are done in the room: not at home, nor only named."""
    parts = [part for part in re.split(r"[.;?] ", said) if "home" not in part]
    named = re.findall(r"xercises? (\d(?: and \d)?)(?! \w+s )", " ".join(parts))
    return set(re.findall(r"\d", " ".join(named)))


def sessions(page: str) -> dict[str, list[dict[str, str]]]:
    """Return the blocks of the six sessions, of one for those who go on, and of the day."""
    form = r"(?m)^### (Session [1-7]): .*\n(?:.*\n)+?((?:^\|.*\n)+)"
    rows = {name: tables(table)[0] for name, table in re.findall(form, page + "\n")}
    assert len(rows) == 7
    return rows | {"Day": tables(section(page, "### Day"))[0]}


def test_sessions_and_the_day_add_up():
    plans = sessions(text("session-plans"))
    day, now = plans.pop("Day"), datetime(2027, 1, 1, hour=9)
    minutes = {name: sum(int(row["minutes"]) for row in rows) for name, rows in plans.items()}
    assert minutes == dict.fromkeys(plans, SESSION_MINUTES)
    for row in day:
        assert row["from"] == f"{now:%H:%M}"
        now += timedelta(minutes=int(row["minutes"]))
    assert f"{now:%H:%M}" == "17:00"


def test_every_chapter_has_its_time_and_every_section_exists():
    minutes, sections, said = {"sessions": {}, "Day": {}}, 0, {}
    for name, rows in sessions(text("session-plans")).items():
        spent = minutes.get(name, minutes["sessions"])
        for row in rows:
            stems, names = linked(row["where"]), re.findall(r"\*([^*]+)\*", row["where"])
            assert len(stems) <= 1, "a block stands in one chapter, so that minutes count once"
            for stem in stems:
                spent[stem] = spent.get(stem, 0) + int(row["minutes"])
                so_far = said.get((stem, name == "Day"), "")
                said[stem, name == "Day"] = f"{so_far} {row['what happens']}"
                texts = "\n".join(c.source for c in chapter(stem).cells if c.cell_type != "code")
                headings = re.findall(r"^#{1,4} (.*)$", texts, re.MULTILINE)
                assert set(names) <= set(headings), f"{name}: {stem} has no section of this name"
                sections += len(names)
    assert sections > 60
    for (stem, day), plan in said.items():
        notes = " ".join(c.metadata.get("slide", {}).get("notes", "") for c in chapter(stem).cells)
        planned, noted = in_the_room(plan), in_the_room(notes)
        assert planned == noted or day and planned < noted, f"{stem}: exercises {planned}, {noted}"
    for stem in TAUGHT:
        read = reading_minutes(stem)
        assert minutes["sessions"].get(stem, 0) >= SHARE * read, f"sessions, {stem}: {read}"
        assert minutes["Day"].get(stem, 0) >= DAY_SHARE * read, f"the day, {stem}: {read} to read"


def test_times_are_those_of_the_chapters():
    table = tables(section(text("session-plans"), "## The chapters in minutes"))[0]
    rows = {linked(row["chapter"])[0]: row for row in table}
    assert list(rows) == [path.stem for path in chapters()]
    for stem, row in rows.items():
        assert int(row["read"]) == reading_minutes(stem), stem
        assert row["exercises"] == (str(minutes_of_exercises(chapter(stem)) or "–")), stem
        some, full = EPOCHS.get(stem[:2], (1, 1))
        seconds = chapter(stem).metadata.get("course", {}).get("seconds", 0)  # 0: not published
        needed = math.ceil(seconds * some / full / 60)
        assert int(row["allow for running"]) >= needed, f"{stem}: {needed} minutes needed"
    for last in (9, 13):
        taken = [row for stem, row in rows.items() if stem[:2].isdigit() and int(stem[:2]) <= last]
        columns = ("read", "exercises", "allow for running")
        hours = sum(int(row[column]) for row in taken for column in columns) / 60
        assert f"**{hours:.0f} hours** up to chapter {last}" in text("session-plans"), hours


def test_a_chapter_is_run_before_its_cells_are_shown():
    for name, rows in sessions(text("session-plans")).items():
        said, seen = "", set()
        for row in rows:
            said += row["what happens"].lower()
            for stem in () if "Check yourself" in row["where"] else linked(row["where"]):
                run = stem in seen or re.search(r"runs? (all|chapter)|in the book", said)
                assert run, f"{name}: nobody has run {stem} before {row['what happens']!r}"
                seen.add(stem)
                said = ""


def test_entry_questions_print_what_the_comments_say(capsys):
    code = re.search(r"```python\n(.*?)```", text("instructor-guide"), re.DOTALL)[1]
    exec(compile(code, "entry questions", "exec"), {})
    expected = [line.partition(":")[0].strip() for line in re.findall(r"(?m)# (.*)$", code)]
    assert expected == capsys.readouterr().out.splitlines()


BANK = {question.number: question for question in exam_questions()}


def test_questions_are_of_all_chapters_and_every_wrong_choice_is_explained():
    for number, question in BANK.items():
        assert question.level in ("recall", "apply", "judge") and "minute" in question.minutes
        assert len(question.answer.split()) >= 12, number
        assert "".join(question.options) in ("", "ABCD"), number
        for wrong in set(question.options) - {question.right}:
            assert f"*{wrong}*" in question.answer, f"question {number}: {wrong} is not explained"
    named = {int(n) for question in BANK.values() for n in re.findall(r"\d+", question.chapter)}
    assert named == set(range(1, len(TAUGHT) + 2))  # and chapter 10


def test_numbers_of_the_answers_follow_from_the_tables():
    def value(cell):
        return float(cell.replace(",", "")) if cell[:1].isdigit() else cell

    def table(number):
        return [{k: value(v) for k, v in row.items()} for row in tables(BANK[number].text)[0]]

    def bold(number, *values):
        for value in values:
            assert f"**{value}**" in BANK[number].answer, f"question {number}: {value}"

    classes = table(4)[0]
    assert sum(v for k, v in classes.items() if k != "all") == classes["all"]
    bold(4, f"{classes['nv'] / classes['all']:.3f}", f"{1 / 7:.3f}")
    nevi, everything = table(6)
    of_nevi = sum(v for v in nevi.values() if isinstance(v, float))
    bold(6, f"{nevi['histo'] / of_nevi:.3f}", f"{nevi['histo'] / everything['histo']:.3f}")
    images = {row["dx"]: row["images"] for row in table(10)}
    bold(10, f"{100 / images['df']:.1f}", f"{100 / images['mel']:.1f}")
    best = max(table(18), key=lambda row: row["validation balanced accuracy"])
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
    source = nbformat.writes(chapter("08_anatomy_of_a_result"))
    for row in tables(BANK[20].text)[0]:
        numbers = ", ".join(row[dx] for dx in DX)
        assert f"[{numbers}]" in source, f"chapter 8 has no row {numbers}"
    outputs = nbformat.writes(chapter("03_splitting_and_oversampling"))
    for row in tables(BANK[10].text)[0]:
        line = re.search(rf"\| {row['dx']} +\|([^\\]*)\|", outputs)[1].split("|")
        assert (row["images"], row["lesions"]) == (line[2].strip(), line[5].strip()), row["dx"]


def test_points_of_the_brief_add_up_to_100():
    rubric = tables(section(text("project-brief"), "## How it is marked"))[0]
    assert sum(int(row["points"]) for row in rubric) == 100


# Messages of Python, git, pooch and TensorFlow, which the course does not write itself.
OTHERS = re.compile(
    r"(ModuleNotFound|Name|Import|Attribute|ResourceExhausted)Error|No module named"
    r"|…: ValueError: … hash of"
)


def code_texts() -> str:
    """Return the course's code with literals that stand on several lines joined."""
    paths = [p for room in ("utils", "exercises", "tools") for p in (ROOT / room).rglob("*.py")]
    code = "\n".join(p.read_text(encoding="utf-8") for p in [*paths, ROOT / "Makefile"])
    code += chapter("03_splitting_and_oversampling").cells[2].source  # the set-up, as in all
    return re.sub(r'"\s*\n\s*(?:\w+ \+= )?f?"', "", code)


def quoted(page: str) -> list[str]:
    """Return the messages that a page quotes: blocks of text, and code in a line with a blank."""
    lines = "".join(re.findall(r"(?ms)^```text\n(.*?)^```", page)).splitlines()
    prose = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    inline = [m for m in re.findall(r"`([^`\n]+)`", prose) if " " in m]
    commands = re.compile(r"(make|git|python|xcode-select|EPOCHS) ?")
    return [m for m in lines + inline if not OTHERS.match(m) and not commands.match(m)]


def test_quoted_messages_are_in_the_code():
    """Piece by piece; … stands for what varies."""
    evening = section(text("evening-before"), "## What really goes wrong")
    messages, code = quoted(text("troubleshooting")), code_texts()
    assert len(messages) >= 22
    for message in messages + quoted(evening):
        for piece in re.split(r"…|the environment variable HAM10000_DIR", message):
            assert piece.strip(" ()'.:/") in code, message
