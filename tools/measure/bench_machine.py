"""What a measurement needs to know of the computer: its name and its memory."""

import os
import platform
import subprocess
import sys
from pathlib import Path


def peak_memory() -> float:
    """Return the largest memory that this process has held so far, in MB (10**6 bytes).

    On Linux the high-water mark of this program alone is read from ``/proc``, because
    `resource.getrusage` also counts what the parent held at the moment it started this process.
    Elsewhere `getrusage` answers, and on Windows, which has none, psutil.

    Returns
    -------
    float

    Raises
    ------
    RuntimeError
        If neither the system nor psutil tells.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        try:
            import psutil
        except ImportError as error:
            raise RuntimeError(
                "this system does not tell how much memory a process held: pip install psutil"
            ) from error
        return psutil.Process().memory_info().peak_wset / 1e6
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 1e6 if sys.platform == "darwin" else largest * 1024 / 1e6


def machine() -> dict[str, str | int | float]:
    """Describe this computer: processor, usable cores, memory in GB, system.

    Returns
    -------
    dict
        ``cpu`` (str), ``cores`` (int), ``memory_gb`` (float, 10**9 bytes; 0 where unknown) and
        ``system`` (str). Nothing that names its owner or a folder.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _cpu(),
        "cores": cores or 1,
        "memory_gb": round(_memory() / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu() -> str:
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        try:
            import psutil
        except ImportError:
            return 0
        return psutil.virtual_memory().total
