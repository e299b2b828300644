"""What all measurements share: a process of its own for each, this machine, files, pages.

What is imported at the top counts to the memory that each process holds, so that is little.
"""

import contextlib
import datetime
import importlib
import multiprocessing
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from utils.files import read_json, replace_file, write_json

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
PAGES = (ROOT / "how-long-things-take.md", ROOT / "teaching" / "classroom-server.md")
BACKENDS = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}


def apart(task: str, *, env: dict[str, str] | None = None, **settings) -> dict:
    """Return what ``MODULE.FUNCTION`` of `tools.measure` returns in a process of its own."""
    from tools.book.course import environment

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_run, task, environment() | (env or {}), settings).result()


def _run(task: str, env: dict[str, str], settings: dict) -> dict:
    """Run a measurement here, where nothing was imported yet that reads the environment."""
    os.environ.update(env)
    module, function = task.split(".")
    return getattr(importlib.import_module(f"tools.measure.{module}"), function)(**settings)


@contextlib.contextmanager
def measured() -> Iterator[dict]:
    """Yield a dict that gets, at the end of the block, its ``seconds`` and ``peak_mb``."""
    result, start = {}, time.perf_counter()
    yield result
    result |= {"seconds": time.perf_counter() - start, "peak_mb": peak_memory()}


def peak_memory() -> float:
    """Return the most memory that this process has held, in 10**6 bytes.

    On Linux from ``/proc``: `resource.getrusage` counts what the parent held at the start, too.
    """
    if (status := Path("/proc/self/status")).is_file():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024 / 1e6
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def occasion() -> dict:
    """Return today's date and this computer, naming neither its owner nor a folder."""
    import psutil

    listed = Path("/proc/cpuinfo")
    model = listed.is_file() and re.search(r"model name\s*:(.*)", listed.read_text())
    machine = {
        "cpu": model[1].strip() if model else platform.processor() or "unknown processor",
        "cores": len(psutil.Process().cpu_affinity()) if listed.is_file() else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }
    return {"date": datetime.date.today().isoformat(), "machine": machine}


def stored(name: str) -> dict:
    """Return what ``models/NAME.json`` holds."""
    return read_json(MODELS / f"{name}.json")


def store(name: str, results: dict) -> None:
    """Write ``models/NAME.json``."""
    write_json(MODELS / f"{name}.json", results)


def pages() -> dict[Path, str]:
    """Return what the pages should hold, by their path, from what is stored."""
    from tools.book.splice import filled, sections

    given = {name: stored(name) for name in ("bench", "devices", "peak_memory")}
    given |= {"number": _number, "backends": BACKENDS}
    here = Path(__file__).with_name("pages")
    return {page: filled(page, sections(here / f"{page.stem}.j2", given)) for page in PAGES}


def _number(value: float) -> str:
    """Write a number with two or three digits that count."""
    if value < 0.095:
        return f"{value:.2g}"
    return f"{value:,.{0 if value >= 99.5 else 1 if value >= 9.95 else 2}f}"


def command(measure: Callable) -> None:
    """Measure by the words given, or, by ``--page``, nothing; write what is stored into pages."""
    if "--page" not in sys.argv:
        measure(*sys.argv[1:])
    for page, text in pages().items():
        replace_file(page, text)
