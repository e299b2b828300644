"""`make usb`: everything for a room without internet, in one folder to copy to a stick.

    make usb                 writes _build/usb/
    python -m tools.teach.usb --check    installs from it into a new environment and runs chapter 1

The folder holds ``wheels/`` (the packages of requirements.lock, for this system and this version
of Python), ``reading-skin/`` (the course, with the phantom and, where there are some, the images
prepared in data/cache), ``book/`` (the rendered pages), ``student/`` (copies without solutions)
and README.txt, three lines.
"""

import argparse
import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.book.course import ROOT, ChapterError, copy_working_tree, environment
from utils.files import replace_file

FOLDER = ROOT / "_build" / "usb"
LINES = (
    "1. Copy this folder to the computer and open a terminal in it. "
    "(Made for {system}, Python {python}.)",
    "2. {create} && {pip} install --no-index --find-links wheels "
    "--requirement reading-skin/requirements.lock",
    "3. {jupyter} lab --notebook-dir=reading-skin/chapters    "
    "(to read: open book/index.html; with the page Try it: {python3} -m http.server -d book)",
)


def build(folder: Path = FOLDER, *, root: Path = ROOT, lock: Path | None = None) -> Path:
    """Fill the folder; what is there already and still fits is kept.

    Parameters
    ----------
    folder : Path
    root : Path
        The repository.
    lock : Path, optional
        The lock file; ``requirements.lock`` of `root` unless given.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ChapterError
        If packages cannot be downloaded, or the book or the students' copies are missing.
    """
    lock = lock or root / "requirements.lock"
    folder.mkdir(parents=True, exist_ok=True)
    _wheels(folder / "wheels", lock)
    _course(folder / "reading-skin", root)
    for name, source, command in (
        ("book", root / "_build" / "html", "make book"),
        ("student", root / "_build" / "student", "make student"),
    ):
        if not source.is_dir():
            raise ChapterError(f"{source.name} is missing; run `{command}` first.")
        with _replaced(folder / name) as fresh:
            shutil.copytree(source, fresh)
    replace_file(folder / "README.txt", readme())
    return folder


def readme(system: str | None = None) -> str:
    """Return the three lines, with the commands of this operating system."""
    system = system or platform.system()
    windows = system == "Windows"
    inside = "venv\\Scripts\\" if windows else "venv/bin/"
    return "\n".join([*LINES, ""]).format(
        system=f"{system} {platform.machine()}",
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        python3="py" if windows else "python3",
        create=f"{'py' if windows else 'python3'} -m venv venv",
        pip=f"{inside}python -m pip",
        jupyter=f"{inside}python -m jupyter",
    )


def _wheels(folder: Path, lock: Path) -> None:
    """Download what the lock names, hashes checked; files that are no longer in it are removed."""
    print("Packages: downloading what is missing (1 to 2 GB at the first time)", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheels-") as fresh:
        words = ["download", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
        words += ["--require-hashes", "--requirement", str(lock), "--dest", fresh]
        words += ["--find-links", str(folder)]
        if subprocess.run([sys.executable, "-m", "pip", *words]).returncode:
            raise ChapterError(
                "The packages could not be downloaded; pip's message stands above. This step needs "
                "a network, once."
            )
        names = {path.name for path in Path(fresh).iterdir()}
        for path in Path(fresh).iterdir():
            os.replace(path, folder / path.name)
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()


def _course(folder: Path, root: Path) -> None:
    """Copy the files that git knows, as they stand, and the prepared images."""
    with _replaced(folder) as fresh:
        copy_working_tree(fresh, root=root)
        for path in sorted((root / "data" / "cache").glob("lesions_28_*.npz")):
            copy = fresh / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)


@contextlib.contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Give a new folder to fill, which takes the place of `folder` at the end."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    yield fresh
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def check(folder: Path = FOLDER, *, chapter: str = "01_data_overview") -> None:
    """Install from the folder alone into a new environment, and run a chapter there.

    The environment is made in a temporary folder and removed. pip is told of no index, so a
    package that is missing in ``wheels/`` is an error.

    Raises
    ------
    ChapterError
        If the installation or the chapter fails; the message holds the end of what was said.
    """
    with tempfile.TemporaryDirectory(prefix="usb-") as name:
        stick, env = Path(name) / "stick", Path(name) / "venv"
        stick.mkdir()
        (stick / "wheels").symlink_to(folder / "wheels")
        shutil.copytree(folder / "reading-skin", stick / "reading-skin")
        inside = env / ("Scripts" if os.name == "nt" else "bin") / "python"
        pip = [str(inside), "-m", "pip", "install", "--no-index", "--find-links", "wheels"]
        for words in (
            [sys.executable, "-m", "venv", str(env)],
            [*pip, "--quiet", "--requirement", "reading-skin/requirements.lock"],
            [str(inside), "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider",
             f"reading-skin/chapters/{chapter}.ipynb"],
        ):  # fmt: skip
            clean = {k: v for k, v in environment().items() if not k.startswith(("PIP_", "PYTHON"))}
            done = subprocess.run(
                words,
                cwd=stick,
                env=clean | {"COURSE_QUICK": "1", "HAM10000_DIR": "phantom", "PIP_NO_INDEX": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
            )
            if done.returncode:
                raise ChapterError(f"{' '.join(words[1:4])} … failed:\n{done.stdout[-2500:]}")


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(arguments: list[str] | None = None) -> int:
    """Fill the folder, or check it; return the exit status."""
    parser = argparse.ArgumentParser(description="A folder for a room without internet.")
    parser.add_argument("--check", action="store_true", help="install from it and run chapter 1")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            check()
            print("Installed from the folder alone; chapter 1 ran.")
            return 0
        folder = build()
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    parts = ", ".join(
        f"{path.name} {size(path) / 1e6:,.0f} MB"
        for path in sorted(folder.iterdir())
        if path.is_dir()
    )
    print(f"Ready to be copied: {folder} ({parts}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
