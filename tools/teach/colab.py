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
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy_working_tree(folder, root=root)
    git = ["git", "-c", "user.name=course", "-c", "user.email=course@example.org"]
    for words in ("init --quiet --initial-branch main", "add --all", "commit --quiet -m fork"):
        subprocess.run([*git, *words.split()], cwd=folder, check=True)
    return folder.as_uri()


def run(chapter: Path, *, repository: str) -> dict:
    """Run a copy of one chapter in an empty folder, as Colab would; return a row of the report.

    The set-up cell clones `repository`.
    """
    folder = FOLDER / "run" / chapter.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
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
    start, problem, log = time.perf_counter(), "", FOLDER / "kernel.log"
    with log.open("wb") as noise:
        try:
            run_cells(notebook, cwd=folder, env=env, log=noise, timeout=300)
        except CellExecutionError as error:
            problem = f"{error.ename}: {error.evalue}"
        except (RuntimeError, TimeoutError) as error:
            end = log.read_text(encoding="utf-8", errors="replace")[-1500:]
            problem = f"{SILENT}: {error}\n{end}"
    shutil.rmtree(folder / FORK, ignore_errors=True)  # once a chapter, it adds up
    printed = dict(reversed(re.findall(r"(?m)^(\w+): (.*)$", text_output(notebook))))
    expected = ["Versions", "Device"]
    if any("load_ham10000(" in cell.source for cell in notebook.cells if cell.cell_type == "code"):
        expected.append("Data")
    if missing := [name for name in expected if name not in printed]:
        problem = problem or f"it did not say its {', '.join(missing)}"
    return {
        "chapter": chapter.stem,
        "seconds": round(time.perf_counter() - start, 1),
        **{name: printed.get(name.capitalize(), "") for name in ("versions", "device", "data")},
        "problem": problem,
    }


def main(numbers: list[str]) -> int:
    """Run the chapters whose names begin so (none: all); return the exit status."""
    before = installed()
    repository = make_repository(FOLDER / "repository" / FORK)
    rows = []
    for path in filter(lambda path: path.name.startswith(tuple(numbers or [""])), chapters()):
        ran = run(path, repository=repository)
        if ran["problem"].startswith(SILENT):  # kernels of Colab's age lose a message now and then
            print(f"again  {path.stem}: {ran['problem'].splitlines()[0]}", flush=True)
            ran = run(path, repository=repository)
        rows.append(ran)
        verdict = "FAILED" if ran["problem"] else "ran"
        print(f"{verdict:7}{path.stem:34}{ran['seconds']:6.0f} s", flush=True)
        if ran["problem"]:
            print(textwrap.indent(ran["problem"], "       "), flush=True)
    print("{versions} | {device} | {data}".format(**rows[0]) if rows else "No such chapter.")
    # Colab has packages in memory when a chapter installs something, so none may change.
    now = installed()
    changed = [name for name, version in before.items() if now.get(name) != version]
    for name in changed:
        became = f"{name} {before[name]} became {now.get(name, 'nothing')}"
        print(f"FAILED a chapter replaced one of Colab's packages: {became}")
    return 1 if not rows or changed or any(row["problem"] for row in rows) else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix=FOLDER.name) as own:  # runs do not disturb each other
        FOLDER = Path(own)
        sys.exit(main(sys.argv[1:]))
