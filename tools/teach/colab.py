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
from dataclasses import dataclass
from pathlib import Path

from tools.book.course import ROOT, chapters, copy_working_tree
from utils.files import write_json

FOLDER = ROOT / "_build" / "colab"
# What the chapters use and Colab has. Whatever else they need, the set-up cell must install.
ON_COLAB = (
    "numpy pandas matplotlib seaborn scipy scikit-learn imbalanced-learn keras tensorflow "
    "pooch kagglehub pillow tqdm prettytable ipykernel nbclient dask jax joblib psutil"
).split()
FORK = "skin-course-of-2027"

RUNNER = textwrap.dedent(
    """
    import json, sys, time
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    path, seconds = sys.argv[1], int(sys.argv[2])
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(
        "import resource\\n"
        "print('@peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    ))
    start, problem = time.perf_counter(), ""
    try:
        NotebookClient(notebook, timeout=seconds, kernel_name="python3").execute()
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    said = "".join(
        output.text
        for cell in notebook.cells if cell.cell_type == "code"
        for output in cell.outputs if output.output_type == "stream" and output.name == "stdout"
    )
    print("@@" + json.dumps(
        {"seconds": time.perf_counter() - start, "problem": problem, "said": said}
    ))
    """
)


@dataclass(frozen=True)
class Ran:
    """One chapter's run.

    Attributes
    ----------
    chapter : str
    seconds : float
    peak_mb : int
        Largest resident memory of the kernel, in megabytes.
    versions, device, data : str
        The lines that the chapter printed within its first cells; empty if it did not.
    problem : str
        Why it stopped; empty if it ran to its end.
    """

    chapter: str
    seconds: float
    peak_mb: int
    versions: str
    device: str
    data: str
    problem: str


def pythons() -> list[str]:
    """Return the suitable interpreters that run here, the newest first, pyenv's among them."""
    found = []
    for version in ("3.13", "3.12", "3.11"):
        own = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), reverse=True)
        for candidate in (f"python{version}", *map(str, own)):
            words = [candidate, "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
            try:
                done = subprocess.run(words, capture_output=True, encoding="utf-8")
            except OSError:
                continue
            if done.stdout.strip() == version:  # a shim of pyenv may be there and refuse
                found.append(candidate)
                break
    return found


def make_environment(constraints: Path, candidates: list[str]) -> Path:
    """Make the environment unless it is there; return its interpreter.

    Parameters
    ----------
    constraints : Path
        Colab's versions.
    candidates : list of str
        Interpreters; the first with which the versions can be installed is taken.

    Raises
    ------
    SystemExit
        If the packages could not be installed with any; pip has said why.
    """
    env = FOLDER / "env"
    stamp, inside = env / ".made-from", env / "bin" / "python"
    made_from = hashlib.sha256(constraints.read_bytes() + repr([candidates, ON_COLAB]).encode())
    if stamp.is_file() and stamp.read_text() == made_from.hexdigest():
        # What an earlier run's set-up cell installed is taken away: Colab starts fresh.
        before, now = json.loads((env / ".installed").read_text()), installed(inside)
        extra = sorted(set(now) - set(before))
        if extra:
            _pip(inside, "uninstall", "--yes", *extra)
        if all(now.get(name) == version for name, version in before.items()):
            return inside
    for python in candidates:
        print(f"Making an environment with Colab's versions and {python} (2.6 GB)", flush=True)
        shutil.rmtree(env, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(env)], check=True)
        if not _pip(inside, "install", "--constraint", str(constraints.resolve()), *ON_COLAB):
            (env / ".installed").write_text(json.dumps(installed(inside)))
            stamp.write_text(made_from.hexdigest())
            return inside
    raise SystemExit(
        "Colab's versions could not be installed; pip's message stands above. Python 3.13, 3.12 "
        f"and 3.11 are looked for; found: {', '.join(candidates) or 'none'}."
    )


def _pip(python: Path, *words: str) -> int:
    quiet = ["--quiet", "--disable-pip-version-check"]
    return subprocess.run([str(python), "-m", "pip", words[0], *quiet, *words[1:]]).returncode


def installed(python: Path) -> dict[str, str]:
    """Return the version of every package of an environment."""
    done = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True,
        check=True,
    )
    return {package["name"]: package["version"] for package in json.loads(done.stdout)}


def replaced(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Say which of Colab's packages have another version after the chapters than before.

    Colab has some of them in memory when a chapter installs something, so none may change.
    """
    return [
        f"{name} {version} became {now.get(name, 'nothing')}"
        for name, version in before.items()
        if now.get(name) != version
    ]


def make_repository(folder: Path, *, root: Path = ROOT) -> str:
    """Put the working tree into a git repository of its own in `folder`; return its address."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy_working_tree(folder, root=root)
    git = ["git", "-c", "user.name=course", "-c", "user.email=course@example.org"]
    for words in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "--all"],
        ["commit", "--quiet", "-m", "working tree"],
    ):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder.as_uri()


def run(
    chapter: Path, *, python: Path, repository: str, limit: int = 600, stand_in: bool = True
) -> Ran:
    """Run one chapter in an empty folder, as Colab would.

    Parameters
    ----------
    chapter : Path
        The notebook; it is only read.
    python : Path
        The interpreter, with nbclient and ipykernel.
    repository : str
        Address that the set-up cell clones.
    limit : int
        Seconds for a cell.
    stand_in : bool
        Put an empty ``google.colab`` in place; not needed where there is a real one.

    Returns
    -------
    Ran
    """
    folder = FOLDER / "run" / chapter.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = json.loads(chapter.read_text(encoding="utf-8"))
    for cell in text["cells"]:
        source = "".join(cell["source"])
        own = re.compile(r'^REPOSITORY = ".*"$', re.MULTILINE)
        cell["source"] = own.sub(f'REPOSITORY = "{repository}"', source)
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    copy = folder / chapter.name
    copy.write_text(json.dumps(text), encoding="utf-8")
    fake = FOLDER / "fake" / "google" / "colab"
    if stand_in:
        fake.mkdir(parents=True, exist_ok=True)
        (fake / "__init__.py").write_text('"""Stands in for Colab\'s own package."""\n')
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HAM10000_DIR", "PYTHONPATH", "KERAS_BACKEND", "VIRTUAL_ENV")
    } | {
        "COLAB_RELEASE_TAG": "release-colab",
        "COURSE_QUICK": "1",
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if stand_in:
        environment["PYTHONPATH"] = str(fake.parents[1])
    done = subprocess.run(
        [str(python), "-c", RUNNER, copy.name, str(limit)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    _, found, answer = done.stdout.rpartition("@@")
    if not found:
        return Ran(
            chapter.stem, 0.0, 0, "", "", "", f"the kernel did not answer:\n{done.stdout[-1500:]}"
        )
    answer = json.loads(answer)
    said = answer["said"]

    def line(beginning: str) -> str:
        match = re.search(rf"^{beginning}:? ?(.*)$", said, re.MULTILINE)
        return match[1] if match else ""

    return Ran(
        chapter.stem,
        round(answer["seconds"], 1),
        int(line("@peak") or 0) // 1024,
        line("Versions"),
        line("Device"),
        line("Data"),
        answer["problem"],
    )


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
    wanted = tuple(options.chapters) or ("",)
    todo = [path for path in chapters() if path.name.startswith(wanted)]
    if options.here:
        python = Path(sys.executable)
    else:
        candidates = [options.python] if options.python else pythons()
        python = make_environment(options.constraints, candidates)
    before = installed(python)
    stand_in = not (options.here and _has_colab())
    repository = make_repository(FOLDER / "repository" / FORK)
    rows = []
    for path in todo:
        ran = run(path, python=python, repository=repository, stand_in=stand_in)
        rows.append(ran)
        verdict = "FAILED" if failed(ran) else "ran"
        print(f"{verdict:7}{ran.chapter:34}{ran.seconds:6.0f} s {ran.peak_mb:6,} MB", flush=True)
        if failed(ran):
            print(textwrap.indent(failed(ran), "       "), flush=True)
    print(f"{rows[0].versions} | {rows[0].device} | {rows[0].data}" if rows else "No such chapter.")
    write_json(FOLDER / "report.json", [vars(ran) for ran in rows])
    changed = replaced(before, installed(python))
    for line in changed:
        print(f"FAILED a chapter replaced one of Colab's packages: {line}")
    return 1 if not rows or changed or any(map(failed, rows)) else 0


def _has_colab() -> bool:
    try:
        return importlib.util.find_spec("google.colab") is not None
    except ModuleNotFoundError:  # not even a package google
        return False


def failed(ran: Ran) -> str:
    """Return what is wrong with a run; empty if nothing is."""
    if ran.problem:
        return ran.problem
    missing = [name for name in ("versions", "device", "data") if not getattr(ran, name)]
    # Chapters that read stored runs alone load no data.
    if "data" in missing and ran.chapter.startswith(("C2", "07")):
        missing.remove("data")
    return f"it did not say its {', '.join(missing)}" if missing else ""


if __name__ == "__main__":
    sys.exit(main())
