"""The rules that every chapter keeps, the stamp of its outputs, and chapter 4's network."""

import ast
import re
from pathlib import Path
from statistics import median

import nbformat
import pytest

from tools.book import publish, stamp
from tools.book.course import ROOT, output_texts, pictures
from tools.book.set_repository import address

v4 = nbformat.v4
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
BOX = ("**Time to read**", "**Time to run**", "**You need**", "**You will be able to**")
# A bold number: **6,705**, **0.432**, **67 %**, **+1.5**.
BOLD_NUMBER = re.compile(r"\*\*([-+−]?\d[\d,]*(?:\.\d+)?)\s?(%?)\*\*")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def prose(text: str) -> str:
    """Markdown without code, link targets and HTML comments."""
    text = re.sub(r"```.*?```|~~~.*?~~~", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]*`|<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)|https?://\S+", "]", text)


# The sections a chapter ends with, in their order, and those that a page beside the course (First
# steps, the capstone, an appendix) may leave out.
ENDS = ["## In one minute", "## Exercises", "## Check yourself", "## Further reading"]
OPTIONAL = ENDS[1:3]
OF_THE_END = {"exercise", "solution", "quiz"}  # tags of cells that are not the chapter's own

# How long a chapter may be: words of Markdown, open code cells (parameters too, without set-up,
# exercises and quiz), half of which have no more lines than MEDIAN; and lines of a cell by its tag.
WORDS, OPEN, MEDIAN = 3500, 20, 5
LINES = {"hide-input": 25, "solution": 15}
OTHER_LINES = 12


def beside_the_course(path: Path) -> bool:
    """Say whether a notebook is no numbered chapter: 00_…, or its name begins with a letter."""
    return not re.match(r"(?!00)\d\d_", path.name)


def problems(notebook, *, dois, beside=False) -> list[str]:
    """Return the rules that a chapter breaks, each with the number of its cell."""
    return [
        *_frame(notebook, beside), *_cells(notebook), *_length(notebook, 3 if beside else 8),
        *_parameters(notebook), *_outputs(notebook), *_text(notebook, dois),
    ]  # fmt: skip


def _frame(notebook, beside):
    cells = notebook.cells
    if not (cells[0].cell_type == "markdown" and re.match(r"# \S", cells[0].source)):
        yield "cell 1 must be the title, '# …'"
    if re.match(r"# (chapter )?\d", cells[0].source, re.IGNORECASE):
        yield "cell 1: the book numbers the chapters, the title must not"
    box = cells[1].source if cells[1].cell_type == "markdown" else ""
    if not box.startswith(">") or any(not re.match(r">|$", line) for line in box.splitlines()):
        yield "cell 2 must be the box and nothing else: Markdown lines that begin with '>'"
    yield from (f"cell 2, the box, lacks {word}" for word in BOX if word not in box)
    ends = [c.source.splitlines()[0] for c in cells if c.source.startswith("## ")]
    wanted = [name for name in ENDS if not (beside and name in OPTIONAL and name not in ends)]
    if ends[-len(wanted) :] != wanted:
        names = ", ".join(f"'{name}'" for name in wanted)
        yield f"the last {len(wanted)} sections must be {names}"
    section = ""
    for number, cell in enumerate(cells, 1):
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            section = cell.source.splitlines()[0]
        for name, words in zip(OPTIONAL, ({"exercise", "solution"}, {"quiz"}), strict=True):
            if section == name and not words & set(tags(cell)):
                yield f"cell {number} of '{name}' lacks the tag {' or '.join(sorted(words))}"
            if section != name and words & set(tags(cell)):
                yield f"cell {number} has a tag of '{name}' and does not stand there"


def _cells(notebook):
    before = None
    for number, cell in enumerate(notebook.cells, 1):
        folded = number != 3 and "hide-input" in tags(cell)
        if "QUICK" in cell.source:
            yield f"cell {number} says QUICK; small values for trial runs stand in the metadata"
        if cell.cell_type == "code" and number != 3:
            longest = next((LINES[tag] for tag in tags(cell) if tag in LINES), OTHER_LINES)
            if lines(cell) > longest:
                yield f"cell {number} has {lines(cell)} lines; {longest} are the most"
            if folded and not _folded_everywhere(cell):
                where = "in the book, JupyterLab and Colab"
                yield f"cell {number} is not folded {where}, with one title"
            follows_text = before is not None and before.cell_type == "markdown"
            if not follows_text and "solution" not in tags(cell):
                yield f"cell {number} lacks a sentence before it that says why"
            if re.search(r"filterwarnings|simplefilter", cell.source):
                yield f"cell {number} filters warnings away"
        if not folded:  # a folded cell may stand between a sentence and the cell that it serves
            before = cell


def lines(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def _folded_everywhere(cell, in_book=None):
    in_lab = cell.metadata.get("jupyter", {}).get("source_hidden")
    title = cell.source.partition("\n")[0].removeprefix("# @title ")
    on_colab = cell.metadata.get("cellView") == "form" and cell.source.startswith("# @title ")
    if in_book is None:
        in_book = cell.metadata.get("mystnb", {}).get("code_prompt_show") == title
    return in_lab and on_colab and in_book


def _length(notebook, least):
    not_open = {"hide-input", *OF_THE_END}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [lines(cell) for cell in code if not not_open & set(tags(cell))]
    if not least <= len(shown) <= OPEN:
        yield f"it has {len(shown)} open code cells; {least} to {OPEN} are wanted"
    if shown and median(shown) > MEDIAN:
        yield f"the median of its open cells is {median(shown):g} lines; {MEDIAN} are the most"
    words = sum(len(c.source.split()) for c in notebook.cells if c.cell_type == "markdown")
    if words > WORDS:
        yield f"it has {words:,} words of Markdown; {WORDS:,} are the most"


def _parameters(notebook):
    cells = [cell for cell in notebook.cells if "parameters" in tags(cell)]
    if len(cells) > 1:
        yield f"its parameters stand in {len(cells)} cells; one is wanted"
    for cell in cells:
        names = set()
        for statement in ast.parse(cell.source).body:
            try:
                ast.literal_eval(statement.value)
                (target,) = statement.targets
                names |= {name.id for name in getattr(target, "elts", [target])}
            except (AttributeError, ValueError):
                yield f"its parameters are not all plain values: {ast.unparse(statement)}"
        if unknown := set(cell.metadata.get("small", {})) - names:
            yield f"its parameters have small values of {unknown}, which the cell does not assign"


def _outputs(notebook):
    yield from publish.check(notebook)
    counts = []
    for number, cell in enumerate(notebook.cells, 1):
        after = (c for c in notebook.cells[number:] if "remove-output" not in tags(c))
        following = next(after, None)  # a slider may stand between
        if cell.cell_type == "code":
            counts.append(cell.execution_count)
            if "remove-output" in tags(cell) and cell.outputs:
                yield f"cell {number} has the tag remove-output and a stored output"
        if pictures(cell):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if len(alt) < 30:
                yield f"cell {number}: its picture lacks alt text (mystnb, image, alt; 30 letters)"
            followed = following is not None and following.cell_type == "markdown"
            if not followed and "solution" not in tags(cell):
                yield f"cell {number}: after its picture a sentence must say what to see"
    if counts != list(range(1, len(counts) + 1)):
        yield f"its code cells were not run from first to last: {counts}"


def _text(notebook, dois):
    own = [cell for cell in notebook.cells if "quiz" not in tags(cell)]  # its script has numbers
    outputs = (output for cell in own for output in cell.get("outputs", ()))
    shown = "\n".join(output_texts(o)[-1] for o in outputs if output_texts(o))  # the plain text
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "markdown":
            continue
        for doi in re.findall(r"\b10\.\d{4,}/[^\s>\]\"'`]+", cell.source):
            if _bare(doi) not in dois:
                yield f"cell {number}: the doi {_bare(doi)} is not in references.bib"
        for value, percent in BOLD_NUMBER.findall(prose(cell.source)):
            if not appears(value, shown):
                bold = f"the bold number {value}{percent}"
                yield f"cell {number}: {bold} is in no text output of this chapter"


def _bare(doi: str) -> str:
    """A doi without the punctuation around it; a closing bracket is its own if one opens in it."""
    doi = doi.rstrip(".,;:*").lower()
    while doi.endswith(")") and doi.count(")") > doi.count("("):
        doi = doi[:-1].rstrip(".,;:*")
    return doi


def appears(value: str, shown: str) -> bool:
    """Say whether a number stands in the outputs, alone and with or without its commas."""
    value = value.replace("−", "-")
    forms = "|".join(map(re.escape, (value, value.replace(",", ""))))
    return bool(re.search(rf"(?<![\d.,])(?:{forms})(?![\d]|[.,]\d)", shown))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_chapter_keeps_the_rules(path):
    notebook = read(path)
    nbformat.validate(notebook)
    listed = (ROOT / "references.bib").read_text(encoding="utf-8").lower()
    dois = re.findall(r"(?m)^\s*doi\s*=\s*\{(.+?)\}", listed)
    broken = problems(notebook, dois=dois, beside=beside_the_course(path))
    assert not broken, f"{path.name}:\n  " + "\n  ".join(broken)


def test_set_up_cell_is_the_same_in_all_chapters_short_folded_and_has_the_address():
    first, url, branch = read(CHAPTERS[0]).cells[2].source, address(), address(key="branch")
    assert f'REPOSITORY, VERSION = "{url}", "{branch}"' in first
    assert sum(bool(re.match(r"[^#]", line)) for line in first.splitlines()) <= 13
    for path in CHAPTERS:
        cell = read(path).cells[2]
        assert cell.source == first, f"{path.name}: its set-up differs from {CHAPTERS[0].name}'s"
        folded = _folded_everywhere(cell, in_book="hide-input" in tags(cell))
        assert folded, f"{path.name}: its set-up is not folded in the book, JupyterLab and Colab"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_outputs_are_those_of_the_code(path):
    notebook = read(path)
    again = f"Run `make publish CHAPTERS={path.name[:2]}` with the real images."
    made_from = notebook.metadata.get("course")
    assert made_from, f"{path.name} has no stamp: its outputs are from no published run. {again}"
    assert made_from["code"] == stamp.code_hash(notebook), (
        f"{path.name}: its code, or a module of utils that it imports, has changed since its "
        f"outputs were made. {again}"
    )
    now = stamp.weights_of(notebook)
    changed = [name for name, sum_ in made_from["weights"].items() if now.get(name) != sum_]
    assert not changed, f"{path.name}: the weights {changed} in models/ are others now. {again}"


def test_all_chapters_were_published_from_the_same_real_images():
    made_from = {p.name: read(p).metadata.get("course", {}).get("data", {}) for p in CHAPTERS}
    assert len({data.get("fingerprint") for data in made_from.values()}) == 1, made_from
    assert not any("phantom" in data.get("source", "") for data in made_from.values()), made_from


def test_network_of_chapter_4_is_that_of_utils():
    import keras
    from keras import layers

    from utils.models import original_cnn

    path = next(path for path in CHAPTERS if path.name.startswith("04"))
    cells = [cell.source for cell in read(path).cells if "original-cnn" in tags(cell)]
    names = {"keras": keras, "layers": layers}
    exec("\n".join(cells), names)

    def described(model):
        layers = ((type(x).__name__, x.get_config()) for x in model.layers)
        return [(kind, {k: v for k, v in own.items() if k != "name"}) for kind, own in layers]

    assert names["model"].count_params() == 504_103
    assert described(names["model"]) == described(original_cnn())


# --- The rules themselves: a chapter that breaks one is found out. -------------------------------
DOIS = {"10.1000/a(1)2"}


def tagged(cell: nbformat.NotebookNode, *names: str) -> nbformat.NotebookNode:
    cell.metadata["tags"] = list(names)
    return cell


def counted(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Number the code cells as if they were run from first to last."""
    for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        cell.execution_count = count
    return notebook


def text(words: str) -> nbformat.NotebookNode:
    return v4.new_output("stream", name="stdout", text=words)


def good_chapter() -> nbformat.NotebookNode:
    """A small chapter that keeps every rule."""
    markdown, code = v4.new_markdown_cell, v4.new_code_cell
    box = "> **Time to read** 5\n> **Time to run** 1\n> **You need** x\n> **You will be able to** y"
    cells = [markdown("# Title"), markdown(box), tagged(code("import sys"), "hide-input")]
    for number in range(8):
        cells += [markdown("Why."), code(f"print({number})  # why")]
    cells += [
        markdown("## In one minute\n\n**1,234** and **5 %**, doi 10.1000/a(1)2."),
        tagged(markdown("## Exercises"), "exercise"),
        tagged(code("a = None"), "exercise", "starter"),
        tagged(code("a = 1"), "solution"),
        tagged(markdown("## Check yourself"), "quiz"),
        tagged(code('show_quiz("01")', outputs=[text("777")]), "quiz"),
        markdown("## Further reading"),
    ]
    styled = v4.new_output("display_data", {"text/html": "<p width=7em>", "text/plain": "a"})
    cells[4].outputs = [text("1234, 5%"), styled]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return counted(v4.new_notebook(cells=cells, metadata=metadata))


def picture(kilobytes: float = 1) -> nbformat.NotebookNode:
    data = {"image/png": "A" * int(kilobytes * 1000 * 4 / 3 / 4) * 4}
    return v4.new_output("display_data", data=data)


def test_a_good_chapter_has_no_problems_and_beside_the_course_it_may_be_small():
    """Beside it three code cells will do, without exercises and quiz."""
    notebook = good_chapter()
    assert problems(notebook, dois=DOIS) == []
    del notebook.cells[-6:-1], notebook.cells[9:19]
    assert problems(counted(notebook), dois=DOIS, beside=True) == []
    ends, cells = problems(notebook, dois=DOIS)
    assert "3 open code cells" in cells and "8 to 20" in cells
    assert "the last 4 sections must be '## In one minute', '## Exercises'" in ends
    names = ["00_first_steps", "C1_template", "A1_more", "01_data", "09_more", "10_more"]
    assert [beside_the_course(Path(f"{name}.ipynb")) for name in names] == [True] * 3 + [False] * 3


BREAKS = {
    "must be the box": lambda n: n.cells[1].update(source=n.cells[1].source + "\nmore"),
    "lacks **You need**": lambda n: n.cells[1].update(source="> **Time to read**"),
    "the last 4 sections must be": lambda n: n.cells.pop(),
    "of '## Exercises' lacks the tag exercise or solution": lambda n: tagged(n.cells[-4]),
    "of '## Check yourself' lacks the tag quiz": lambda n: tagged(n.cells[-2], "exercise"),
    "has a tag of '## Exercises' and does not stand": lambda n: tagged(n.cells[4], "solution"),
    "cell 22 has 13 lines; 12": lambda n: n.cells[21].update(source="x = 1\n" * 13),
    "lines; 15": lambda n: n.cells[22].update(source="x = 1\n" * 16),
    "lines; 25": lambda n: tagged(n.cells[4], "hide-input").update(source="x = 1\n" * 26),
    "is 6 lines; 5": lambda n: [c.update(source="x = 1\n" * 6) for c in n.cells[4:14]],
    "stand in 2 cells": lambda n: [tagged(n.cells[k], "parameters") for k in (4, 6)],
    "not all plain values: print(0)": lambda n: tagged(n.cells[4], "parameters"),
    "small values of {'B'}": lambda n: (
        tagged(n.cells[4], "parameters").update(source="A = 1\nC, D = 2, None"),
        n.cells[4].metadata.update(small={"A": 1, "B": 2, "D": 3}),
    ),
    "in the book, JupyterLab and Colab": lambda n: tagged(n.cells[4], "hide-input"),
    "says why": lambda n: n.cells.insert(5, v4.new_code_cell("1", execution_count=1)),
    "7 open code cells; 8 to 20": lambda n: n.cells.__delitem__(slice(3, 5)),
    "21 open code cells": lambda n: n.cells.extend(v4.new_code_cell("1") for _ in range(13)),
    "1 MB is the limit": lambda n: n.cells[3].update(source="x" * 1_000_000),
    "alt text": lambda n: n.cells[4].outputs.append(picture()),
    "what to see": lambda n: (
        n.cells[4].outputs.append(picture()),
        n.cells.pop(5),
        n.cells[4].metadata.update(mystnb={"image": {"alt": "x" * 30}}),
    ),
    "150 is most": lambda n: n.cells[4].outputs.append(picture(160)),
    "it failed with KeyError": lambda n: n.cells[4].outputs.append(
        v4.new_output("error", ename="KeyError", evalue="", traceback=[])
    ),
    "somebody's machine": lambda n: n.cells[4].outputs[0].update(text="1234 5 /home/me/x"),
    "first to last": lambda n: n.cells[4].update(execution_count=99),
    "references.bib": lambda n: n.cells[3].update(source="See 10.1000/other."),
    "bold number 1,234": lambda n: n.cells[4].outputs[0].update(text="12345, 5"),
    "remove-output and a stored": lambda n: tagged(n.cells[4], "remove-output"),
    "bold number 7": lambda n: n.cells[3].update(source="**7 %** of them."),
    "bold number +7": lambda n: n.cells[3].update(source="**+7 %** of them."),
}


@pytest.mark.parametrize("message", BREAKS)
def test_broken_rule_is_found(message):
    notebook = good_chapter()
    BREAKS[message](notebook)
    broken = problems(notebook, dois=DOIS)
    assert any(message in problem for problem in broken), broken
