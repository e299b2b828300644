"""Run Python in a process of its own."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.book.course import ROOT, environment


def run_python(
    arguments: Sequence[str | Path],
    *,
    python: str | Path = sys.executable,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    capture: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run ``python arguments…`` in the chapters' environment; UTF-8 both ways.

    Parameters
    ----------
    arguments : sequence of str or Path
        What stands behind the interpreter: ``"-m", "pip", …``.
    python : str or Path
        The interpreter; this one unless given.
    env : mapping, optional
        The whole environment; `course.environment()` unless given.
    cwd : Path
        Where it runs.
    capture : bool
        Keep both output streams, together, in `stdout`; else they show as they come.

    Returns
    -------
    CompletedProcess
        Its `returncode` is for the caller to judge.
    """
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if capture else {}
    env = {**(environment() if env is None else env), "PYTHONUTF8": "1"}
    command = [str(python), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, encoding="utf-8", errors="replace", **streams)
