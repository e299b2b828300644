"""Run chapters as Google Colab does: Colab's versions, and a folder with one notebook in it.

    python -m tools.teach.colab --constraints FILE [03 06]
    python -m tools.teach.colab --here [03 06]

FILE lists Colab's versions (a pip constraints file). An environment is made from it under
``_build/colab``, with the packages of the course that Colab has; it is kept until FILE or the
list changes. With ``--here`` the Python that runs this does it, as it is: for use inside Colab's
published image. Each chapter then runs small, in an empty folder, with ``google.colab`` in place,
and gets the course's code from a local git repository that holds this working tree under another
name, as a fork would. It prints a table: what each chapter found, seconds, peak memory.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tools.book.course import ROOT, chapters, copy_working_tree, environment
from tools.book.process import run_python
from utils.files import write_json

FOLDER = ROOT / "_build" / "colab"
# What the chapters use and Colab has. Whatever else they need, the set-up cell must install.
ON_COLAB = (
    "numpy pandas matplotlib seaborn scipy scikit-learn imbalanced-learn keras tensorflow "
    "pooch kagglehub pillow tqdm prettytable ipykernel nbclient dask jax joblib psutil"
).split()
FORK = "skin-course-of-2027"
PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
NOT_ON_COLAB = ("HAM10000_DIR", "PYTHONPATH", "KERAS_BACKEND", "VIRTUAL_ENV")  # variables
PEAK = "import resource\nprint('Peak:', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


@dataclass(frozen=True)
class Ran:
    """One chapter's run: seconds, the kernel's memory, the lines it printed first, what failed."""

    chapter: str
    seconds: float
    peak_mb: int
    versions: str
    device: str
    data: str
    problem: str


def pythons() -> list[str]:
    """Return the suitable interpreters that run here, the newest first, pyenv's among them."""
    usable = []
    for version in ("3.13", "3.12", "3.11"):
        own = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True)
        for python in filter(None, (shutil.which(f"python{version}"), *own)):
            done = run_python(["--version"], python=python)
            if done.stdout.startswith(f"Python {version}."):  # a shim of pyenv may refuse
                usable.append(str(python))
                break
    return usable


def make_environment(constraints: Path, candidates: list[str]) -> Path:
    """Return the environment's interpreter; make it with the first candidate that can."""
    env = FOLDER / "env"
    stamp, inside = env / ".made-from", env / "bin" / "python"
    made_from = hashlib.sha256(constraints.read_bytes() + repr([candidates, ON_COLAB]).encode())
    if stamp.is_file() and stamp.read_text() == made_from.hexdigest():
        # What an earlier run's set-up cell installed is taken away: Colab starts fresh.
        before, now = json.loads((env / ".installed").read_text()), installed(inside)
        if extra := sorted(set(now) - set(before)):
            run_python([*PIP, "uninstall", "--yes", *extra], python=inside, capture=False)
        if not replaced(before, now):
            return inside
    for python in candidates:
        print(f"Making an environment with Colab's versions and {python} (2.6 GB)", flush=True)
        shutil.rmtree(env, ignore_errors=True)
        run_python(["-m", "venv", env], python=python, capture=False).check_returncode()
        words = ["install", "--constraint", constraints.resolve(), *ON_COLAB]
        if run_python([*PIP, *words], python=inside, capture=False).returncode == 0:
            (env / ".installed").write_text(json.dumps(installed(inside)))
            stamp.write_text(made_from.hexdigest())
            return inside
    raise SystemExit(
        "Colab's versions could not be installed; pip's message stands above. Python 3.13, 3.12 "
        f"and 3.11 are looked for; found: {', '.join(candidates) or 'none'}."
    )


def installed(python: Path) -> dict[str, str]:
    """Return the version of every package of an environment."""
    done = run_python([*PIP, "list", "--format=freeze"], python=python)
    done.check_returncode()
    return dict(re.findall(r"^(\S+)==(\S+)$", done.stdout, re.MULTILINE))


def replaced(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Say which packages have another version: none may, for Colab has some of them in memory."""
    changed = [name for name in before if now.get(name) != before[name]]
    return [f"{name} {before[name]} became {now.get(name, 'nothing')}" for name in changed]


def make_repository(folder: Path, *, root: Path = ROOT) -> str:
    """Put the working tree into a git repository of its own in `folder`; return its address."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy_working_tree(folder, root=root)
    git = ["git", "-c", "user.name=course", "-c", "user.email=course@example.org"]
    for words in ("init -q --initial-branch main", "add --all", "commit -q -m working-tree"):
        subprocess.run([*git, *words.split()], cwd=folder, check=True)
    return folder.as_uri()


def run(
    chapter: Path, *, python: Path, repository: str, limit: int = 600, stand_in: bool = True
) -> Ran:
    """Run one chapter in an empty folder, as Colab would; the notebook itself is only read.

    `python` has ipykernel; the set-up cell clones `repository`; a cell may take `limit` seconds.
    With `stand_in` an empty ``google.colab`` is put in place, where there is no real one.
    """
    # Colab's image has nbclient and no papermill, and the kernel belongs to another environment:
    # so these notebooks are not for `course.execute`.
    folder = FOLDER / "run" / chapter.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    notebook = nbformat.read(chapter, as_version=4)
    for cell in notebook.cells:
        cell.source = re.sub(
            r'(?m)^REPOSITORY = ".*"$', f'REPOSITORY = "{repository}"', cell.source
        )
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / chapter.name)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))

    env = {name: value for name, value in environment().items() if name not in NOT_ON_COLAB}
    env |= {"COLAB_RELEASE_TAG": "release-colab", "COURSE_QUICK": "1"}
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    if stand_in:
        fake = FOLDER / "fake" / "google" / "colab"
        fake.mkdir(parents=True, exist_ok=True)
        (fake / "__init__.py").write_text('"""Stands in for Colab\'s own package."""\n')
        env["PYTHONPATH"] = str(fake.parents[1])
    launch = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": launch, "display_name": "Colab", "language": "python"}
    write_json(FOLDER / "kernels" / "colab" / "kernel.json", spec)
    specs = KernelSpecManager(kernel_dirs=[str(FOLDER / "kernels")], ensure_native_kernel=False)
    kernel = KernelManager(kernel_name="colab", kernel_spec_manager=specs)
    place = {"metadata": {"path": str(folder)}}
    start, problem = time.perf_counter(), ""
    try:
        NotebookClient(notebook, km=kernel, timeout=limit, resources=place).execute(env=env)
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    except (RuntimeError, TimeoutError) as error:  # a kernel that died, or a cell without an end
        problem = f"the kernel did not answer: {error}"
    finally:
        kernel.shutdown_kernel(now=True)
    printed = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream" and output.name == "stdout"
    )

    def line(beginning: str) -> str:
        match = re.search(rf"^{beginning}: (.*)$", printed, re.MULTILINE)
        return match[1] if match else ""

    seconds, peak = round(time.perf_counter() - start, 1), int(line("Peak") or 0) // 1024
    return Ran(chapter.stem, seconds, peak, line("Versions"), line("Device"), line("Data"), problem)


def failed(ran: Ran) -> str:
    """Return what is wrong with a run; empty if nothing is."""
    wanted = ["versions", "device", "data"]
    if ran.chapter.startswith(("C2", "07")):  # they read stored runs alone and load no data
        wanted.remove("data")
    missing = [name for name in wanted if not getattr(ran, name)]
    return ran.problem or (f"it did not say its {', '.join(missing)}" if missing else "")


def _has_colab() -> bool:
    try:
        return importlib.util.find_spec("google.colab") is not None
    except ModuleNotFoundError:  # not even a package google
        return False


def main(arguments: list[str] | None = None) -> int:
    """Run the chapters named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description="Run chapters as Google Colab does.")
    parser.add_argument("chapters", nargs="*", help="beginnings of names; all unless given")
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--constraints", type=Path, help="Colab's versions")
    ways.add_argument("--here", action="store_true", help="this Python, inside Colab's image")
    parser.add_argument("--python", help="the interpreter; the newest suitable one unless given")
    options = parser.parse_args(arguments)
    if options.constraints and not options.constraints.is_file():
        parser.error(f"there is no file {options.constraints}")
    todo = [path for path in chapters() if path.name.startswith(tuple(options.chapters) or "")]
    if not todo:
        parser.error("no chapter's name begins so")
    if options.here:
        python = Path(sys.executable)
    else:
        candidates = [options.python] if options.python else pythons()
        python = make_environment(options.constraints, candidates)
    before, rows = installed(python), []
    stand_in = not (options.here and _has_colab())
    repository = make_repository(FOLDER / "repository" / FORK)
    for path in todo:
        ran = run(path, python=python, repository=repository, stand_in=stand_in)
        rows.append(ran)
        verdict = "FAILED" if failed(ran) else "ran"
        print(f"{verdict:7}{ran.chapter:34}{ran.seconds:6.0f} s {ran.peak_mb:6,} MB", flush=True)
        if failed(ran):
            print(textwrap.indent(failed(ran), "       "), flush=True)
    print(f"{rows[0].versions} | {rows[0].device} | {rows[0].data}")
    write_json(FOLDER / "report.json", [vars(ran) for ran in rows])
    changed = replaced(before, installed(python))
    for change in changed:
        print(f"FAILED a chapter replaced one of Colab's packages: {change}")
    return int(bool(changed) or any(map(failed, rows)))


if __name__ == "__main__":
    sys.exit(main())
