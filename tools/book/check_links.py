"""Open every outside link of the book and name those that are broken (needs a network)."""

import sys

from tools.book.course import ROOT
from tools.book.render import render, stage


def main() -> int:
    """Check the links; return the exit status."""
    folder = ROOT / "_build" / "links"
    stage(folder)
    done = render(folder, "--builder", "linkcheck")
    report = folder / "_build" / "html" / "output.txt"  # Jupyter Book gives no folder of its own
    if not report.exists():
        print(f"The links could not be checked:\n{done.stdout[-3000:]}", file=sys.stderr)
        return 1
    lines = report.read_text(encoding="utf-8").splitlines()
    broken = [line for line in lines if "[broken]" in line or "[timeout]" in line]
    print("\n".join(broken) or "No broken links.")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
