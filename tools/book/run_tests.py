"""`make test`: style, spelling, tests, every chapter small on the phantom and on real images."""

import sys
import time

from tools.book import trial
from tools.book.course import environment, real_data, run_python

PARALLEL = ["-n", "2", "--dist", "loadfile"]


if __name__ == "__main__":  # all steps, whatever fails
    failed, start, real = [], time.perf_counter(), real_data()
    copies = [str(path) for path in trial.write()]
    chapters = ["pytest", "--nbval-lax", *copies, *PARALLEL, "-p", "no:cacheprovider"]
    steps = {
        "ruff: rules": (["ruff", "check", "."], ""),
        "ruff: format": (["ruff", "format", "--check", "."], ""),
        "codespell": (["codespell_lib", "."], ""),
        "pytest": (["pytest", "tests", *PARALLEL], real or "phantom"),
        "chapters on the phantom": (chapters, "phantom"),
    }
    if real:
        steps["chapters on the real images"] = (chapters, real)
    for heading, (arguments, data) in steps.items():
        print(f"\n{'=' * 20} {heading} {'=' * 20}", flush=True)
        env, begin = environment() | {"HAM10000_DIR": data}, time.perf_counter()
        if run_python(["-m", *arguments], env=env, capture=False).returncode:
            failed.append(heading)
        print(f"({heading}: {time.perf_counter() - begin:.0f} s)", flush=True)
    minutes = (time.perf_counter() - start) / 60
    if not real:
        print("\nNo real images here: everything ran on the phantom. (HAM10000_DIR names them.)")
    print(f"\nFAILED: {', '.join(failed)}" if failed else f"\nAll passed in {minutes:.1f} minutes.")
    sys.exit(bool(failed))
