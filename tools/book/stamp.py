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
from pathlib import Path

import nbformat

from tools.book.course import ROOT

# Outputs are published from real images only, and those are named by their fingerprint: how they
# are found, fetched, read and kept, and how the phantom is drawn, leaves no trace in an output.
# What the set-up cell says of the machine is no result either; versions stand in the stamp. The
# questions of a quiz are compared with their source by a test of their own, and of the checks of
# exercises an output shows only that the solution is right.
WITHOUT_TRACE = ("utils.data", "utils.start", "utils.quiz", "utils.files", "exercises")
PACKAGES = ("keras", "tensorflow", "numpy", "pandas", "matplotlib", "scikit-learn")
SET_UP = 2  # the place of the set-up cell, the same in all chapters

Bindings = dict[str, tuple[str, str]]  # name used here -> (module, name there; "" is the module)


def essence(source: str, bindings: Bindings | None = None) -> str:
    """Return what of `source` can leave a trace in an output.

    Comments, docstrings, blank lines, trailing white space, the arguments of exceptions that are
    raised, the messages of ``assert`` and the imports from ``utils`` and ``exercises`` are cut out;
    so is the module's name where something is taken from a module of `bindings`
    (``metrics.headline`` is ``headline``). Works on positions in the text alone, so every Python
    version from 3.11 gives the same. IPython's ``%`` and ``!`` lines may occur.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        magic = re.compile(r"^([ \t]*)([%!].*)$", re.MULTILINE)
        source = magic.sub(lambda m: f"{m[1]}magic({json.dumps(m[2])})", source)
        tree = ast.parse(source)
    lines = source.encode().splitlines()  # positions of ast count UTF-8 bytes

    inside = set()  # lines that end inside a string: their blanks belong to the program
    for node in ast.walk(tree):
        text = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        if text or isinstance(node, ast.JoinedStr):
            inside.update(range(node.lineno, node.end_lineno))
    cuts = list(_cuts(tree, bindings or {}))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            before = len(token.line[: token.start[1]].encode())
            row = token.start[0]
            cuts.append((row, before, row, before + len(token.string.encode())))

    for first, start, last, end in reversed(_joined(cuts)):  # from the end, so places stay
        inside.difference_update(range(first, last))
        lines[first - 1] = lines[first - 1][:start] + lines[last - 1][end:]
        lines[first:last] = [b""] * (last - first)
    kept = []
    for number, line in enumerate(lines, 1):
        if number in inside:
            kept.append(line)
        elif line.strip() or number - 1 in inside:
            kept.append(line.rstrip())
    return b"\n".join(kept).decode()


def _cuts(tree: ast.Module, bindings: Bindings):
    """Yield (first line, start, last line, end) of what leaves no trace, comments aside."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, owners) and ast.get_docstring(node, clean=False) is not None:
            yield _place(node.body[0])
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            called = node.exc.func
            yield called.end_lineno, called.end_col_offset, *_place(node.exc)[2:]
        elif isinstance(node, ast.Assert) and node.msg is not None:
            yield node.test.end_lineno, node.test.end_col_offset, *_place(node.msg)[2:]
        elif isinstance(node, ast.ImportFrom) and _ours(node.module or ""):
            yield _place(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if bindings.get(node.value.id, ("", "x"))[1] == "":
                start = _place(node)
                yield *start[:2], node.end_lineno, node.end_col_offset - len(node.attr.encode())


def _joined(cuts: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Return places in order, without those that lie within another (a comment in a message)."""
    joined: list[tuple[int, int, int, int]] = []
    for first, start, last, end in sorted(cuts, key=lambda cut: (*cut[:2], -cut[2], -cut[3])):
        if not joined or (first, start) >= joined[-1][2:]:
            joined.append((first, start, last, end))
    return joined


def _place(node: ast.AST) -> tuple[int, int, int, int]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _ours(module: str) -> bool:
    return module.split(".")[0] in ("utils", "exercises")


# --- What is reached in utils --------------------------------------------------------------------


@cache
def _module(name: str, path: Path, _changed: int) -> tuple[ast.Module, str]:
    source = path.read_text(encoding="utf-8")
    return ast.parse(source), source


def file_of(module: str, root: Path) -> Path | None:
    path = root / Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imports(tree: ast.AST, root: Path) -> Bindings:
    """Return what `tree` takes from the course's own code, at its top or within a function."""
    bindings: Bindings = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _ours(node.module or ""):
            for alias in node.names:
                as_module = f"{node.module}.{alias.name}"
                there = (as_module, "") if file_of(as_module, root) else (node.module, alias.name)
                bindings[alias.asname or alias.name] = there
    return bindings


def _definition(module: str, name: str, root: Path) -> tuple[str, ast.stmt | None, Bindings]:
    """Return the source and the statement that defines a name, and its module's bindings."""
    path = file_of(module, root)
    if path is None:
        return "", None, {}
    tree, source = _module(module, path, path.stat().st_mtime_ns)
    bindings = imports(tree, root)
    for node in tree.body:
        if name in defined(node):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            return "\n".join(source.splitlines()[first - 1 : node.end_lineno]), node, bindings
    return "", None, bindings


def defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)}


def reached(source: str, root: Path = ROOT, *, leave_out: tuple[str, ...] = WITHOUT_TRACE):
    """Return the definitions of ``utils`` that `source` uses, directly or through each other.

    Parameters
    ----------
    source : str
        Python code, for example that of a whole chapter.
    root : Path
        The repository.
    leave_out : tuple of str
        Modules and packages that are not followed.

    Returns
    -------
    dict
        From (module, name) to the definition's `essence`.
    """
    definitions: dict[tuple[str, str], str] = {}
    tree = ast.parse(source)
    todo = list(used(tree, imports(tree, root)))
    while todo:
        module, name = todo.pop()
        skipped = any(module == out or module.startswith(f"{out}.") for out in leave_out)
        if skipped or (module, name) in definitions:
            continue
        text, node, bindings = _definition(module, name, root)
        if node is None:
            todo += [bindings[name]] if name in bindings else []  # handed on by this module
            continue
        definitions[module, name] = essence(text, bindings)
        bindings = {**bindings, **dict.fromkeys(_names_of(module, root), (module, "="))}
        todo += used(ast.parse(text), bindings)
    return definitions


def _names_of(module: str, root: Path) -> set[str]:
    """Return the names that are defined at the top of a module."""
    path = file_of(module, root)
    tree, _ = _module(module, path, path.stat().st_mtime_ns)
    return set().union(*map(defined, tree.body))


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
            module, name = bindings.get(node.id, ("", ""))
            if name:
                yield module, node.id if name == "=" else name
        todo += ast.iter_child_nodes(node)


# --- The hash and the stamp ----------------------------------------------------------------------


def code_of(notebook: nbformat.NotebookNode, root: Path = ROOT) -> str:
    """Return the essence of the code cells but the set-up cell, a cell after the other."""
    bindings = imports(ast.parse(source_of(notebook)), root)
    cells = (essence(cell.source, bindings) for cell in _code_cells(notebook))
    return "\n# %%\n".join(filter(None, cells))


def _code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [c for k, c in enumerate(notebook.cells) if c.cell_type == "code" and k != SET_UP]


def source_of(notebook: nbformat.NotebookNode) -> str:
    """Return the code of a chapter as one program, without IPython's ``%`` and ``!`` lines."""
    magic = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)
    return "\n".join(magic.sub(r"\1pass", cell.source) for cell in _code_cells(notebook))


def code_hash(notebook: nbformat.NotebookNode, root: Path = ROOT) -> str:
    """Return 16 hexadecimal digits that name a chapter's code and what of utils it reaches."""
    digest = hashlib.sha256(code_of(notebook, root).encode())
    definitions = reached(source_of(notebook), root)
    for name, text in sorted((name, text) for (_, name), text in definitions.items()):
        digest.update(f"\n## {name}\n{text}".encode())
    return digest.hexdigest()[:16]


def weights_of(notebook: nbformat.NotebookNode, root: Path = ROOT) -> dict[str, str]:
    """Return name and check sum of the published weights and stored runs a chapter asks for.

    A stored run counts if the code holds its name, or, ending in a dash, the beginning of it.
    """
    code = source_of(notebook)
    sums = {}
    if re.search(r"load_weights|load_published|\bMODELS\b|models/", code):
        for page in sorted((root / "models").glob("*.json")):
            if re.search(rf"""["']{re.escape(page.stem)}(?:\.json)?["']""", code):
                sums[page.stem] = _sum_in(page)
    if re.search(r"studies|read_(?:contaminated_)?run|run_names", code):
        words = set(re.findall(r"""["']([a-z0-9-]+)(?=["'{])""", code))
        for page in sorted((root / "models" / "studies").glob("*.json")):
            beginnings = (word for word in words if word.endswith("-"))
            if page.stem in words or page.stem.startswith(tuple(beginnings)):
                sums[f"studies/{page.stem}"] = _sum_in(page)
    return sums


def _sum_in(page: Path) -> str:
    content = json.loads(page.read_text(encoding="utf-8"))
    if "weights_sha256" in content:
        return content["weights_sha256"]
    return hashlib.sha256(page.read_bytes()).hexdigest()


def make(
    notebook: nbformat.NotebookNode,
    *,
    source: str,
    fingerprint: str,
    seconds: float,
    root: Path = ROOT,
) -> dict:
    """Return the stamp of a chapter that has just run.

    Parameters
    ----------
    notebook : NotebookNode
    source, fingerprint : str
        Of the data it ran on.
    seconds : float
        How long it ran.
    root : Path
        The repository.

    Returns
    -------
    dict
        With the keys code, data, weights, versions and seconds.
    """
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = metadata.version(f"{package}-cpu")
    return {
        "code": code_hash(notebook, root),
        "data": {"source": source, "fingerprint": fingerprint},
        "weights": weights_of(notebook, root),
        "versions": versions,
        "seconds": round(seconds, 1),
    }
