"""The plan of the house: how large the rooms are, who may import whom, who uses a public name."""

import ast
import re
from graphlib import TopologicalSorter

import nbformat
import pytest

from tools.book import stamp
from tools.book.course import ROOT

# The plan: 3,500 lines for utils, 1,800 for exercises, 4,500 for tools, 10,000 for tests. What has
# grown since: readers' own pictures, what damaged files found (utils), full messages (exercises).
LINES = {"utils": 3603, "exercises": 1830, "tools": 4500, "tests": 9998}
MOST_FILES_OF_UTILS = 22
# From the ground up; a module imports only from floors below its own.
FLOORS = [
    ["classes", "files", "augment", "start"],
    ["data.records", "data.photographs", "data.tables", "data.download", "data.phantom"],
    ["data"], ["splits"], ["models"], ["weights"], ["training"], ["metrics"], ["calibration"],
    ["plots", "report"], ["refusal"], ["predict"], ["quiz"],
]  # fmt: skip


def modules(room):
    """Every module of a room: its dotted name and its syntax tree."""
    for path in sorted((ROOT / room).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """What a module imports of the course, anywhere in it: dotted names of modules."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if stamp.file_of(inner, ROOT) else node.module)
    return {n for n in names if n.split(".")[0] in ("utils", "exercises", "tools", "tests")}


UTILS = {name: tree for name, tree in modules("utils") if name != "utils"}
TOOLS = dict(modules("tools"))


@pytest.mark.parametrize("room", LINES)
def test_a_room_holds_no_more_than_planned(room):
    files = list((ROOT / room).rglob("*.py"))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert lines <= LINES[room], f"{room}/ has {lines:,} lines; the plan has {LINES[room]:,}"
    assert room != "utils" or len(files) <= MOST_FILES_OF_UTILS


def test_utils_imports_only_from_floors_below():
    floor = {f"utils.{name}": k for k, names in enumerate(FLOORS) for name in names}
    assert set(UTILS) == set(floor), "a module of utils has no floor, or a floor no module"
    for name, tree in UTILS.items():
        for other in imported(tree) - {name}:
            beside = name.startswith("utils.data") and other.startswith("utils.data")
            assert other in floor, f"{name} imports {other}"
            assert beside or floor[other] < floor[name], f"{name} imports {other}, not below it"


def test_no_circle_of_imports():
    for room in (UTILS, TOOLS, dict(modules("exercises"))):
        TopologicalSorter({name: imported(tree) - {name} for name, tree in room.items()}).prepare()


def test_rooms_of_tools_know_the_room_book_only():
    for name, tree in TOOLS.items():
        for other in imported(tree):
            if other.startswith("tools."):
                assert other.split(".")[1] in ("book", name.split(".")[1]), f"{name}: {other}"
    for name, tree in modules("exercises"):
        assert all(other.split(".")[0] in ("utils", "exercises") for other in imported(tree)), name
    assert not [name for name, tree in TOOLS.items() if "tools.book.run_tests" in imported(tree)]


def test_no_import_changes_the_environment():
    changes = {"update", "setdefault", "pop", "clear"}
    for name, tree in (UTILS | TOOLS).items():
        at_import = [s for s in tree.body if not isinstance(s, ast.FunctionDef | ast.ClassDef)]
        for node in (n for s in at_import if "__main__" not in ast.dump(s) for n in ast.walk(s)):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                assert ast.unparse(node.value) != "os.environ", name
            elif isinstance(node, ast.Attribute) and node.attr in changes:
                assert ast.unparse(node.value) != "os.environ", name


# --- Public names --------------------------------------------------------------------------------
def public_names():
    """Return (module, name) of all that the modules of utils list in ``__all__``."""
    names = set()
    for module, tree in UTILS.items():
        lists = [n for n in tree.body if "__all__" in stamp.defined(n)]
        assert len(lists) == 1, f"{module} has no list __all__ of its public names"
        names |= {(module, name) for name in ast.literal_eval(lists[0].value)}
    return names


def users():
    """Return what chapters, the page and the published results reach in utils."""
    sources = {}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        sources[path.name[:2]] = "\n".join(c.source for c in cells if c.cell_type == "code")
    # The page is written in JavaScript by the rules of `predict`; its test holds both together.
    for user, rooms in (
        ("the page", ("tools/demo", "tests/demo")),
        ("the published results", ("tools/results",)),
    ):
        files = sorted(path for room in rooms for path in (ROOT / room).glob("*.py"))
        sources[user] = "\n".join(path.read_text(encoding="utf-8") for path in files)
        sources[user] = sources[user].replace("from __future__ import annotations", "")
    return {user: set(stamp.reached(source, leave_out=())) for user, source in sources.items()}


# Its other users are the notebooks of readers with pictures of their own.
FOR_READERS = {("utils.data", "dataset_from_folders")}


def test_every_public_name_has_two_users():
    used = users()
    for module, name in sorted(public_names() - FOR_READERS):
        who = [user for user, names in used.items() if (module, name) in names]
        assert len(who) >= 2, (
            f"{module}.{name} is used by {who or 'nobody'}. With one user it stands in that "
            "chapter, with none it goes; an inner name is not listed in __all__."
        )


def test_chapters_import_public_names_only():
    public = public_names()
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        tree = ast.parse(stamp.source_of(nbformat.read(path, as_version=4)))
        for module, name in stamp.used(tree, stamp.imports(tree, ROOT)):
            known = not module.startswith("utils") or (module, name) in public
            assert known, f"{path.name} uses {module}.{name}, which is not in its __all__"


def test_pages_name_code_that_is_there():
    """What stands in a page's backticks as `module.name`, with a module of utils, exists."""
    files = {"py", "npz", "json"}  # endings
    names = {}
    for module, tree in UTILS.items():
        inner = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        top = {name for node in tree.body for name in stamp.defined(node)}
        names[module.rpartition(".")[2]] = inner | top
    for page in (*ROOT.glob("*.md"), *ROOT.glob("teaching/*.md"), *ROOT.glob("data/*.md")):
        text = page.read_text(encoding="utf-8")
        for module, name in re.findall(r"`(?:utils\.)?(\w+)\.(\w+)(?=[`(])", text):
            known = module not in names or name in names[module] | files
            assert known, f"{page.name} names {module}.{name}, which is not there"
