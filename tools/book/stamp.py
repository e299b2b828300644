"""What stored outputs were made from: the stamp in a chapter's metadata, and the code's hash.

The hash covers what can change an output: the chapter's own code, and of ``utils`` the functions,
classes and constants that this code reaches, each for itself, wherever it stands. Comments,
docstrings, the words of an error, and the names of modules leave no trace in it, so a function that
moves from one module to another makes no chapter stale.
"""

import ast
import hashlib
import io
import json
import platform
import re
import tokenize
from functools import cache
from importlib import metadata
from operator import attrgetter
from pathlib import Path

import nbformat

from tools.book.course import ROOT
from utils.files import hash_file

# Outputs are published from real images, which are named by their fingerprint: how they are found,
# read and kept leaves no trace. What the set-up cell says of the machine is no result; a quiz is
# compared with its source by a test of its own; a check shows only that the solution is right.
WITHOUT_TRACE = ("utils.data", "utils.start", "utils.quiz", "utils.files", "exercises")
PACKAGES = ("keras", "tensorflow", "numpy", "pandas", "matplotlib", "scikit-learn")
SET_UP = 2  # the place of the set-up cell, the same in all chapters

Bindings = dict[str, tuple[str, str]]  # name used here -> (module, name there; "" is the module)


def essence(source: str, bindings: Bindings | None = None) -> str:
    """Return what of `source` can leave a trace in an output.

    Comments, docstrings, blank lines, trailing white space, the arguments of exceptions that are
    raised, the messages of ``assert`` and the imports from ``utils`` and ``exercises`` are cut out;
    so is the module's name where something is taken from a module of `bindings`
    (``metrics.headline`` is ``headline``). Works on positions, which all Python versions share.
    """
    tree = ast.parse(source)
    text = bytearray(source.encode())  # positions of ast count UTF-8 bytes
    starts = [0, *(place + 1 for place, byte in enumerate(text) if byte == ord("\n"))]
    cuts = list(_cuts(tree, bindings or {}))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, before = token.start[0], len(token.line[: token.start[1]].encode())
            cuts.append(((row, before), (row, before + len(token.string.encode()))))
    for node in ast.walk(tree):
        string = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        if string or isinstance(node, ast.JoinedStr):
            for row in range(node.lineno, node.end_lineno):
                text[starts[row] - 1] = 0  # no end of a line: it belongs to the program
    kept, end = [], 0
    for first, last in sorted((starts[a - 1] + b, starts[c - 1] + d) for (a, b), (c, d) in cuts):
        kept.append(text[end:first])  # nothing, if this cut lies within another
        end = max(end, last)
    lines = b"".join([*kept, text[end:]]).split(b"\n")
    return b"\n".join(line.rstrip() for line in lines if line.strip()).decode().replace("\0", "\n")


def _cuts(tree: ast.Module, bindings: Bindings):
    """Yield begin and end, (row, column) each, of what leaves no trace, comments aside."""
    begin, end = attrgetter("lineno", "col_offset"), attrgetter("end_lineno", "end_col_offset")
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, owners) and ast.get_docstring(node, clean=False) is not None:
            yield begin(node.body[0]), end(node.body[0])
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield end(node.exc.func), end(node.exc)
        elif isinstance(node, ast.Assert) and node.msg is not None:
            yield end(node.test), end(node.msg)
        elif isinstance(node, ast.ImportFrom) and _ours(node.module):
            yield begin(node), end(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if bindings.get(node.value.id, ("", "x"))[1] == "":
                row, column = end(node)
                yield begin(node), (row, column - len(node.attr.encode()))


def _ours(module: str | None) -> bool:
    return (module or "").split(".")[0] in ("utils", "exercises")


# --- What is reached in utils --------------------------------------------------------------------


def file_of(module: str, root: Path) -> Path | None:
    """Return the file of a module or package of the course, or None."""
    path = root / Path(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def imports(tree: ast.AST, root: Path) -> Bindings:
    """Return what `tree` takes from the course's own code, at its top or within a function."""
    bindings: Bindings = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _ours(node.module):
            for alias in node.names:
                as_module = f"{node.module}.{alias.name}"
                there = (as_module, "") if file_of(as_module, root) else (node.module, alias.name)
                bindings[alias.asname or alias.name] = there
    return bindings


@cache
def _module(source: str, root: Path) -> tuple[Bindings, dict[str, str]]:
    """Return what a module imports, and from each name the source that defines it."""
    tree, lines = ast.parse(source), source.splitlines()
    definitions: dict[str, str] = {}
    for node in tree.body:
        first = min(n.lineno for n in [node, *getattr(node, "decorator_list", ())])
        for name in defined(node):
            definitions.setdefault(name, "\n".join(lines[first - 1 : node.end_lineno]))
    return imports(tree, root), definitions


def defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)}


def reached(source: str, root: Path = ROOT, *, leave_out: tuple[str, ...] = WITHOUT_TRACE):
    """Return the definitions of ``utils`` that `source` uses, directly or through each other.

    A dict from (module, name) to the definition's `essence`; `leave_out` names modules that are
    not followed.
    """
    definitions: dict[tuple[str, str], str] = {}
    tree = ast.parse(source)
    todo = list(used(tree, imports(tree, root)))
    while todo:
        module, name = todo.pop()
        path = file_of(module, root)
        skipped = path is None or f"{module}.".startswith(tuple(f"{out}." for out in leave_out))
        if skipped or (module, name) in definitions:
            continue
        bindings, own = _module(path.read_text(encoding="utf-8"), root)
        if name in own:
            definitions[module, name] = essence(own[name], bindings)
            names = bindings | {other: (module, other) for other in own}
            todo += used(ast.parse(own[name]), names)
        elif name in bindings:  # handed on by this module
            todo.append(bindings[name])
    return definitions


def used(tree: ast.AST, bindings: Bindings):
    """Yield (module, name) of what `tree` takes through `bindings`, error messages aside."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node = node.exc.func
        elif isinstance(node, ast.Assert):
            node = node.test
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, name = bindings.get(node.value.id, ("", "x"))
            if module and not name:
                yield module, node.attr
                continue
        if isinstance(node, ast.Name):
            if (there := bindings.get(node.id, ("", "")))[1]:
                yield there
        todo += ast.iter_child_nodes(node)


# --- The hash and the stamp ----------------------------------------------------------------------


def source_of(notebook: nbformat.NotebookNode, between: str = "\n") -> str:
    """Return the code of a chapter as one program, the set-up cell left out."""
    cells = (c for place, c in enumerate(notebook.cells) if place != SET_UP)
    return between.join(c.source for c in cells if c.cell_type == "code")


def code_hash(notebook: nbformat.NotebookNode, root: Path = ROOT) -> str:
    """Return 16 hexadecimal digits that name a chapter's code and what of utils it reaches."""
    source = source_of(notebook)
    bindings = imports(ast.parse(source), root)
    cells = (essence(cell, bindings) for cell in source_of(notebook, "\0").split("\0"))
    digest = hashlib.sha256("\n# %%\n".join(filter(None, cells)).encode())
    for name, text in sorted((name, text) for (_, name), text in reached(source, root).items()):
        digest.update(f"\n## {name}\n{text}".encode())
    return digest.hexdigest()[:16]


def weights_of(notebook: nbformat.NotebookNode, root: Path = ROOT) -> dict[str, str]:
    """Return name and check sum of the published weights and stored runs a chapter asks for.

    The code holds their names, or, ending in a dash, how the names of stored runs begin.
    """
    code, models = source_of(notebook), root / "models"
    pages = {}
    if re.search(r"load_weights|load_published|\bMODELS\b|models/", code):
        for page in sorted(models.glob("*.json")):
            if re.search(rf"""["']{re.escape(page.stem)}(?:\.json)?["']""", code):
                pages[page.stem] = page
    if re.search(r"studies|read_(?:contaminated_)?run|run_names", code):
        words = set(re.findall(r"""["']([a-z0-9-]+)(?=["'{])""", code))
        beginnings = tuple(word for word in words if word.endswith("-"))
        for page in sorted((models / "studies").glob("*.json")):
            if page.stem in words or page.stem.startswith(beginnings):
                pages[f"studies/{page.stem}"] = page
    sums = {}
    for name, page in pages.items():
        weights = json.loads(page.read_bytes()).get("weights_sha256")
        sums[name] = weights or hash_file(page)
    return sums


def make(
    notebook: nbformat.NotebookNode, *, source: str, fingerprint: str, seconds: float
) -> dict[str, object]:
    """Return the stamp of a chapter that ran for some seconds on the data named here."""
    installed = {d.name.lower().replace("_", "-"): d.version for d in metadata.distributions()}
    versions = {"python": platform.python_version()}
    versions |= {name: installed.get(name) or installed[f"{name}-cpu"] for name in PACKAGES}
    return {
        "code": code_hash(notebook),
        "data": {"source": source, "fingerprint": fingerprint},
        "weights": weights_of(notebook),
        "versions": versions,
        "seconds": round(seconds, 1),
    }
