"""The stamp: what moves a chapter's hash and what does not."""

import pytest
from nbformat import v4

from tools.book import stamp
from tools.book.course import ROOT

A = '''"""Module."""

from utils import b
from utils.b import LIMIT as most


def f(x):
    """Doc."""
    if x > most:
        raise ValueError(f"too large: {words(x)}")
    return b.g(x)


def unused():
    return 1


def words(x):
    return "many"
'''
B = "LIMIT = 3\n\n\nclass Box:\n    side = 1\n\n\ndef g(x):\n    return Box.side + x  # é\n"
CELL = 'import numpy\nfrom utils import a\n\n\ndef h():\n    """Doc."""\n    return a.f(" # no ")\n'


def code_hash(root, *, cell=CELL, set_up="import sys", **modules):
    """The hash of the chapter of a course with two modules, or with other ones."""
    (root / "utils").mkdir(exist_ok=True)
    for name, source in ({"a": A, "b": B} | modules).items():
        (root / "utils" / f"{name}.py").write_text(source)
    cells = [v4.new_markdown_cell("# T"), v4.new_markdown_cell("> box")]
    cells += [v4.new_code_cell(set_up), v4.new_code_cell(cell)]
    return stamp.code_hash(v4.new_notebook(cells=cells), root)


KEEP = {
    "a docstring of the chapter": {"cell": CELL.replace('"""Doc."""', '"""A\n\n    text."""')},
    "a comment behind code": {"cell": CELL.replace('")\n', '")  # why é\n\n')},
    "blanks at the end": {"cell": CELL.replace("numpy\n", "numpy   \n")},
    "the set-up cell": {"set_up": "import os"},
    "where a line ends": {"cell": CELL.replace("a.f(", "a.f(\n")},
    "the words of an error": {"a": A.replace("too large: {words(x)}", "{words(x)} is too large")},
    "what only an error says": {"a": A.replace('return "many"', 'return "lots"')},
    "a function that is not reached": {"a": A.replace("return 1", "return 2")},
    "a comment in utils": {"b": B.replace("  # é", "")},
    "another alias": {"cell": CELL.replace("import a", "import a as z").replace("a.f", "z.f")},
    "a module without trace": {"files": "x = 1\n", "a": A.replace("def unused", "def unused_too")},
    "a constant that a module hands on": {
        "b": B.replace("LIMIT = 3\n", "from utils.c import LIMIT\n"), "c": "LIMIT = 3\n",
    },
    "a function that moved to another module": {
        "a": A.replace("b.g(x)", "c.g(x)").replace("import b\n", "import c\n"),
        "b": B[: B.index("class")],
        "c": B[B.index("class") :],
    },
}  # fmt: skip
MOVE = {
    "an argument": {"cell": CELL.replace("f(", "f(1, ")},
    "a string that looks like a comment": {"cell": CELL.replace(" # no ", " # yes ")},
    "an import": {"cell": CELL.replace("import numpy", "import numpy as np")},
    "a function of utils": {"a": A.replace("b.g(x)", "-b.g(x)")},
    "a function reached through another": {"b": B.replace("+ x", "- x")},
    "a constant": {"b": B.replace("LIMIT = 3", "LIMIT = 4")},
    "a line that changes a constant": {"b": B.replace("LIMIT = 3", "LIMIT = 3\nLIMIT += 1")},
    "a class": {"b": B.replace("side = 1", "side = 2")},
    "the kind of an error": {"a": A.replace("ValueError", "KeyError")},
}


@pytest.mark.parametrize("what", KEEP | MOVE)
def test_the_hash_moves_with_what_can_change_an_output_and_with_nothing_else(tmp_path, what):
    before = code_hash(tmp_path)
    assert (code_hash(tmp_path, **(KEEP | MOVE)[what]) == before) == (what in KEEP)


def test_blank_lines_and_hashes_in_strings_belong_to_the_program():
    before = stamp.essence('x = f"""{1}\n\n# b\n"""')
    assert before == stamp.essence('x = (  # c\n\n    f"""{1}\n\n# b\n"""\n)')
    assert before != stamp.essence('x = f"""{1}\n# b\n"""')
    assert before != stamp.essence('x = f"""{1}\n\n# c\n"""')


def test_readers_leave_no_trace_and_training_does():
    source = "from utils.data import load_ham10000\nfrom utils.training import train\n"
    names = {name for _, name in stamp.reached(source + "load_ham10000()\ntrain()\n", ROOT)}
    assert {"train", "Recipe", "Augment"} <= names
    assert not names & {"load_ham10000", "LesionImages"}
