"""`make test`: style, tests, every chapter small on the phantom and on real images."""

import subprocess
import sys
import time

from tools.book import trial
from tools.book.course import ROOT, environment, real_data

PARALLEL = ["-n", "2", "--dist", "loadfile"]


def steps() -> list[tuple[str, list[str], dict[str, str]]]:
    """Return heading, command and additional environment of every step."""
    python = [sys.executable, "-m"]
    real = real_data()
    copies = [str(path) for path in trial.write()]
    nbval = [*python, "pytest", "--nbval-lax", *copies, *PARALLEL, "-p", "no:cacheprovider"]
    small = {"COURSE_QUICK": "1"}
    found = [
        ("ruff: rules", [*python, "ruff", "check", "."], {}),
        ("ruff: format", [*python, "ruff", "format", "--check", "."], {}),
        ("pytest", [*python, "pytest", "tests", *PARALLEL], {"HAM10000_DIR": real or "phantom"}),
        ("chapters on the phantom", nbval, small | {"HAM10000_DIR": "phantom"}),
    ]
    if real:
        found.append(("chapters on the real images", nbval, small | {"HAM10000_DIR": real}))
    return found


def main() -> int:
    """Run all steps, whatever fails; return the exit status."""
    failed, start = [], time.perf_counter()
    for heading, command, extra in steps():
        print(f"\n{'=' * 20} {heading} {'=' * 20}", flush=True)
        begin = time.perf_counter()
        if subprocess.run(command, cwd=ROOT, env=environment() | extra).returncode:
            failed.append(heading)
        print(f"({heading}: {time.perf_counter() - begin:.0f} s)", flush=True)
    minutes = (time.perf_counter() - start) / 60
    if not real_data():
        print("\nNo real images here: everything ran on the phantom. (HAM10000_DIR names them.)")
    if failed:
        print(f"\nFAILED after {minutes:.1f} minutes: {', '.join(failed)}")
        return 1
    print(f"\nAll passed in {minutes:.1f} minutes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
