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
    """Run ``python arguments…`` in `env`, else in the chapters' environment; UTF-8 both ways.

    With `capture`, both output streams are kept, together, in `stdout`; else they show as they
    come. The `returncode` is for the caller to judge.
    """
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if capture else {}
    env = {**(environment() if env is None else env), "PYTHONUTF8": "1"}
    command = [str(python), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, encoding="utf-8", errors="replace", **streams)
