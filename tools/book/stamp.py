"""What stored outputs were made from: the stamp in a chapter's metadata, and the code's hash.

The hash covers what can change an output: the chapter's own code, and of ``utils`` the functions,
classes and constants that this code reaches, each for itself, wherever it stands. Comments,
docstrings, layout, the words of an error, and the names of modules leave no trace in it.
"""

import ast
import hashlib
import json
import platform
import re
from functools import cache
from importlib import metadata
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
    """Return what of `source` can leave a trace in an output, as text: its syntax tree.

    Docstrings, the arguments of exceptions that are raised, the messages of ``assert`` and the
    imports from ``utils`` and ``exercises`` are cut out; so is the module's name where something is
    taken from a module of `bindings` (``metrics.headline`` is ``headline``).
    """
    return json.dumps(_form(ast.parse(source), bindings or {}, []))


def _form(node: object, bindings: Bindings, taken: list[tuple[str, str]]) -> object:
    """Return a syntax tree as lists, and add to `taken` what it takes through `bindings`.

    Empty fields are left out, in which Python versions differ.
    """
    if isinstance(node, list):
        ours = [n for n in node if isinstance(n, ast.ImportFrom) and _ours(n.module)]
        return [_form(child, bindings, taken) for child in node if child not in ours]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        fields["body"] = node.body[ast.get_docstring(node, clean=False) is not None :]
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        fields["exc"] = node.exc.func
    elif isinstance(node, ast.Assert):
        fields["msg"] = None
    elif isinstance(node, ast.Name) and bindings.get(node.id, ("", ""))[1]:
        taken.append(bindings[node.id])
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module, name = bindings.get(node.value.id, ("", "x"))
        if not name:
            taken.append((module, node.attr))
            return _form(ast.Name(node.attr, node.ctx), {}, taken)
    kept = {name: field for name, field in fields.items() if field is not None and field != []}
    parts = ((name, _form(field, bindings, taken)) for name, field in kept.items())
    return [type(node).__name__, *parts]


def _ours(module: str | None) -> bool:
    return (module or "").split(".")[0] in ("utils", "exercises")


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
def _module(source: str, root: Path) -> tuple[Bindings, dict[str, ast.Module]]:
    """Return what a module imports, and of each name the statements that define it."""
    tree, definitions = ast.parse(source), {}
    for node in tree.body:
        for name in defined(node):  # a later statement may change what an earlier one made
            definitions.setdefault(name, ast.Module([], [])).body.append(node)
    return imports(tree, root), definitions


def defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)}


def reached(source: str, root: Path = ROOT, *, leave_out: tuple[str, ...] = WITHOUT_TRACE):
    """Return the `essence` of all that `source` reaches in utils, by (module, name)."""
    definitions: dict[tuple[str, str], str] = {}
    tree = ast.parse(source)
    todo = used(tree, imports(tree, root))
    while todo:
        module, name = todo.pop()
        path = file_of(module, root)
        skipped = path is None or f"{module}.".startswith(tuple(f"{out}." for out in leave_out))
        if skipped or (module, name) in definitions:
            continue
        bindings, own = _module(path.read_text(encoding="utf-8"), root)
        if name in own:
            names = bindings | {other: (module, other) for other in own}
            definitions[module, name] = json.dumps(_form(own[name], names, todo))
        elif name in bindings:  # handed on by this module
            todo.append(bindings[name])
    return definitions


def used(tree: ast.AST, bindings: Bindings) -> list[tuple[str, str]]:
    """Return (module, name) of what `tree` takes through `bindings`, error messages aside."""
    taken: list[tuple[str, str]] = []
    _form(tree, bindings, taken)
    return taken


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
    """Return name and check sum of the published weights and stored results that a chapter names.

    Of stored runs it may name several at once by how they begin, up to a dash.
    """
    models, sums = root / "models", {}
    words = set(re.findall(r"""["']([\w-]+)(?:\.json)?(?=["'{])""", source_of(notebook)))
    beginnings = tuple(word for word in words if word.endswith("-"))
    for page in (*sorted(models.glob("*.json")), *sorted(models.glob("studies/*.json"))):
        name = page.relative_to(models).with_suffix("").as_posix()
        if page.stem in words or name.startswith(tuple(f"studies/{b}" for b in beginnings)):
            sums[name] = json.loads(page.read_bytes()).get("weights_sha256") or hash_file(page)
    return sums


def make(notebook: nbformat.NotebookNode, dataset, seconds: float) -> dict[str, object]:
    """Return the stamp of a chapter that ran for some seconds on a data set."""
    installed = {d.name.lower().replace("_", "-"): d.version for d in metadata.distributions()}
    versions = {"python": platform.python_version()}
    versions |= {name: installed.get(name) or installed[f"{name}-cpu"] for name in PACKAGES}
    data = {"source": dataset.source, "fingerprint": dataset.fingerprint}
    made_from = {"code": code_hash(notebook), "data": data, "weights": weights_of(notebook)}
    return made_from | {"versions": versions, "seconds": round(seconds, 1)}
