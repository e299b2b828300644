"""What stored outputs were made from: the stamp in a chapter's metadata, and the code's hash."""

import ast
import hashlib
import io
import json
import platform
import re
import tokenize
from importlib import metadata
from pathlib import Path

import nbformat

from tools.book.course import ROOT

# Outputs are published from real images only, and those are named by their fingerprint: how the
# phantom is drawn, and how files are fetched, leaves no trace in an output.
# What the set-up cell says of the machine is no result either; versions stand in the stamp. The
# questions of a quiz are compared with their source by a test of their own.
WITHOUT_TRACE = {
    "utils.data.phantom",
    "tools.results.phantom",
    "utils.data.download",
    "utils.start",
    "utils.quiz",
}
PACKAGES = ("keras", "tensorflow", "numpy", "pandas", "matplotlib", "scikit-learn")


def essence(source: str) -> str:
    """Return `source` without comments, docstrings, blank lines and trailing white space.

    Works on positions in the text alone, so every Python version from 3.11 gives the same
    (what ``ast.dump`` and ``ast.unparse`` return differs between versions). IPython's ``%`` and
    ``!`` lines may occur. The repository's address and version in set-up cells do not
    count, because moving the course to another address changes no output.
    """
    own = re.compile(r"^([ \t]*(?:REPOSITORY|VERSION)\s*=).*$", re.MULTILINE)
    source = own.sub(r'\1 ""', source)
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
    cuts = [(d.lineno, d.col_offset, d.end_lineno, d.end_col_offset) for d in _docstrings(tree)]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            before = len(token.line[: token.start[1]].encode())
            row = token.start[0]
            cuts.append((row, before, row, before + len(token.string.encode())))

    dropped = set()
    for first, start, last, end in cuts:
        inside.difference_update(range(first, last))
        tail = lines[last - 1][end:]
        lines[first - 1] = lines[first - 1][:start] + tail
        dropped.update(range(first + 1, last + 1))
    kept = []
    for number, line in enumerate(lines, 1):
        if number in dropped:
            continue
        if number in inside:
            kept.append(line)
        elif line.strip() or number - 1 in inside:
            kept.append(line.rstrip())
    return b"\n".join(kept).decode()


def _docstrings(tree: ast.Module) -> list[ast.Expr]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, owners) and ast.get_docstring(node, clean=False) is not None
    ]


def code_of(notebook: nbformat.NotebookNode) -> str:
    """Return the essence of the code cells, a cell after the other."""
    return "\n# %%\n".join(essence(c.source) for c in notebook.cells if c.cell_type == "code")


def imported_utils(source: str, root: Path = ROOT) -> list[str]:
    """Return the modules of ``utils`` that `source` imports, directly or through each other.

    Those `WITHOUT_TRACE` in an output are left out.
    """
    found: set[str] = set()
    todo = [source]
    while todo:
        for node in ast.walk(ast.parse(todo.pop())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for name in names:
                path = root / Path(*name.split(".")).with_suffix(".py")
                known = name in found or name in WITHOUT_TRACE
                if name.startswith("utils.") and not known and path.is_file():
                    found.add(name)
                    todo.append(path.read_text(encoding="utf-8"))
    return sorted(found)


def code_hash(notebook: nbformat.NotebookNode, root: Path = ROOT) -> str:
    """Return 16 hexadecimal digits that name a chapter's code and the utils it imports."""
    code = code_of(notebook)
    digest = hashlib.sha256(code.encode())
    for name in imported_utils(code, root):
        path = root / Path(*name.split(".")).with_suffix(".py")
        digest.update(f"\n## {name}\n".encode())
        digest.update(essence(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def weights_of(notebook: nbformat.NotebookNode, root: Path = ROOT) -> dict[str, str]:
    """Return name and check sum of the published weights and stored runs a chapter asks for.

    A stored run counts if the code holds its name, or, ending in a dash, the beginning of it.
    """
    code = code_of(notebook)
    sums = {}
    if re.search(r"load_weights|load_published|\bMODELS\b|models/", code):
        for page in sorted((root / "models").glob("*.json")):
            if re.search(rf"""["']{re.escape(page.stem)}(?:\.json)?["']""", code):
                sums[page.stem] = _sum_in(page)
    if "studies" in code:
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
