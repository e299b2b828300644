"""Run chapters as Google Colab does: with Colab's versions, in a folder with one notebook in it.

    python -m tools.teach.colab [03 06]

The Python that runs this runs the chapters: that of Colab's published image, or of an environment
with Colab's versions (CONTRIBUTING.md says how to make one). Each chapter runs small, and gets the
course's code from a repository that holds this working tree under another name, as a fork would.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from importlib import metadata
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError

from tools.book import course
from tools.book.course import ROOT, chapters, copy_working_tree, run_cells, small, text_output

# Outside the course, or the set-up cells would find that and fetch nothing.
FOLDER = Path(tempfile.gettempdir()) / "reading-skin-colab"
FORK = "skin-course-of-2027"
SILENT = "the kernel did not answer"
NOT_COLABS = ("HAM10000_DIR", "PYTHONPATH", "KERAS_BACKEND", "VIRTUAL_ENV")


def installed() -> dict[str, str]:
    """Return the version of every package that is installed now."""
    return {package.name: package.version for package in metadata.distributions()}


def make_repository(folder: Path, *, root: Path = ROOT) -> str:
    """Put the working tree into a git repository of its own in `folder`; return its address."""
    copy_working_tree(course.emptied(folder), root=root)
    git = ["git", "-c", "user.name=course", "-c", "user.email=course@example.org"]
    for words in ("init --quiet --initial-branch main", "add --all", "commit --quiet -m fork"):
        subprocess.run([*git, *words.split()], cwd=folder, check=True)
    return folder.as_uri()


def run(chapter: Path, *, repository: str) -> str:
    """Run a copy of one chapter in an empty folder, as Colab would; return what went wrong, or "".

    The set-up cell clones `repository`.
    """
    folder = course.emptied(FOLDER / "run" / chapter.stem)
    notebook = small(nbformat.read(chapter, as_version=4))
    for cell in notebook.cells:
        own = r'(?m)^(REPOSITORY, VERSION = )".*"$'
        cell.source = re.sub(own, rf'\1"{repository}", "main"', cell.source)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / chapter.name)
    env = {name: value for name, value in os.environ.items() if name not in NOT_COLABS} | {
        "COLAB_RELEASE_TAG": "release-colab",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "HAM10000_CACHE": str(FOLDER / "cache"),  # the only thing that chapters share here
    }
    problem, log = "", FOLDER / "kernel.log"
    with log.open("wb") as noise:
        try:
            run_cells(notebook, cwd=folder, env=env, log=noise, timeout=300)
        except CellExecutionError as error:
            problem = f"{error.ename}: {error.evalue}"
        except (RuntimeError, TimeoutError) as error:
            end = log.read_text(encoding="utf-8", errors="replace")[-1500:]
            problem = f"{SILENT}: {error}\n{end}"
    shutil.rmtree(folder / FORK, ignore_errors=True)  # once a chapter, it adds up
    said = dict(re.findall(r"(?m)^(Versions|Device|Data): (.*)$", text_output(notebook)))
    print(*said.values(), sep=" | ", flush=True)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    expected = ["Versions", "Device"] + ["Data"] * ("load_ham10000(" in "\n".join(sources))
    missing = ", ".join(name for name in expected if name not in said)
    return problem or (f"it did not say its {missing}" if missing else "")


def main(numbers: list[str]) -> int:
    """Run the chapters whose names begin so (none: all); return the exit status."""
    before, failed = installed(), []
    repository = make_repository(FOLDER / "repository" / FORK)
    todo = [path for path in chapters() if path.name.startswith(tuple(numbers or [""]))]
    if not todo:
        sys.exit("No such chapter.")
    for path in todo:
        start, problem = time.perf_counter(), run(path, repository=repository)
        if problem.startswith(SILENT):  # kernels of Colab's age lose a message now and then
            print(f"again  {path.stem}: {problem.splitlines()[0]}", flush=True)
            problem = run(path, repository=repository)
        failed += [path] if problem else []
        seconds, verdict = time.perf_counter() - start, "FAILED" if problem else "ran"
        print(f"{verdict:7}{path.stem:34}{seconds:6.0f} s", flush=True)
        if problem:
            print(textwrap.indent(problem, "       "), flush=True)
    # Colab has packages in memory when a chapter installs something, so none may change.
    now = installed()
    changed = [name for name, version in before.items() if now.get(name) != version]
    for name in changed:
        became = f"{name} {before[name]} became {now.get(name, 'nothing')}"
        print(f"FAILED a chapter replaced one of Colab's packages: {became}")
    return 1 if changed or failed else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix=FOLDER.name) as own:  # runs do not disturb each other
        FOLDER = Path(own)
        sys.exit(main(sys.argv[1:]))
