"""`make test`: style, tests, every chapter small on the phantom and on real images."""

import sys
import time

from tools.book import trial
from tools.book.course import environment, real_data, run_python

PARALLEL = ["-n", "2", "--dist", "loadfile"]


def steps() -> list[tuple[str, list[str], dict[str, str]]]:
    """Return heading, arguments of Python and additional environment of every step."""
    real = real_data()
    copies = [str(path) for path in trial.write()]
    nbval = ["-m", "pytest", "--nbval-lax", *copies, *PARALLEL, "-p", "no:cacheprovider"]
    small = {"COURSE_QUICK": "1"}
    listed = [
        ("ruff: rules", ["-m", "ruff", "check", "."], {}),
        ("ruff: format", ["-m", "ruff", "format", "--check", "."], {}),
        ("pytest", ["-m", "pytest", "tests", *PARALLEL], {"HAM10000_DIR": real or "phantom"}),
        ("chapters on the phantom", nbval, small | {"HAM10000_DIR": "phantom"}),
    ]
    if real:
        listed.append(("chapters on the real images", nbval, small | {"HAM10000_DIR": real}))
    return listed


def main() -> int:
    """Run all steps, whatever fails; return the exit status."""
    failed, start = [], time.perf_counter()
    for heading, arguments, extra in steps():
        print(f"\n{'=' * 20} {heading} {'=' * 20}", flush=True)
        begin = time.perf_counter()
        if run_python(arguments, env=environment() | extra, capture=False).returncode:
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
