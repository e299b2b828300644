"""What a chapter defines, for tools and tests: the notebook is the one place where it stands."""

import ast
import types

import nbformat

from tools.book.course import ROOT

NOT_THE_CHAPTERS_OWN = {"parameters", "exercise", "solution", "quiz"}


def definitions(number: str) -> types.ModuleType:
    """Return the functions, classes and CONSTANTS of a chapter's cells, without running the rest.

    `number` begins the file's name: ``"09"``. What needs its variables cannot be called.
    """
    paths = sorted((ROOT / "chapters").glob(f"{number}_*.ipynb"))
    if not paths:
        raise FileNotFoundError(f"chapters/ holds no notebook whose name begins with {number}_")
    module = types.ModuleType(f"chapter_{number}", f"Definitions of {paths[0].name}.")
    for index, cell in enumerate(nbformat.read(paths[0], as_version=4).cells):
        own = not NOT_THE_CHAPTERS_OWN & set(cell.metadata.get("tags", ()))
        if cell.cell_type == "code" and own and index != 2:  # 2: the set-up cell
            tree = ast.parse(cell.source)
            tree.body = [statement for statement in tree.body if _defines(statement)]
            exec(compile(tree, f"{paths[0].name}, cell {index + 1}", "exec"), module.__dict__)
    return module


def _defines(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        return all(isinstance(t, ast.Name) and t.id.isupper() for t in statement.targets)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
