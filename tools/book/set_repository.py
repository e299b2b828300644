"""Write another repository address into the book, set-up cells, badges and CITATION.cff.

    python -m tools.book.set_repository https://github.com/you/your-fork [branch]

Address and branch (or tag) stand in ``_config.yml``, which everything else follows.
"""

import re
import sys
from pathlib import Path

import yaml

from tools.book.course import ROOT, ChapterError
from utils.files import replace_file

# The last is read for the old address: whoever is interrupted finds it there again.
FOLLOWERS = ("README.md", "CITATION.cff", "intro.md", "troubleshooting.md", "data/croissant*.json",
             "chapters/*.ipynb", "_config.yml")  # fmt: skip
GITHUB = "https://github.com/"


def address(root: Path = ROOT, key: str = "url") -> str:
    """Return the repository's address, or its branch, from ``_config.yml``."""
    return str(yaml.safe_load((root / "_config.yml").read_text("utf-8"))["repository"][key])


def pages_address(root: Path = ROOT) -> str:
    """Return the address at which GitHub Pages shows the book of this repository."""
    return _pages(address(root).removeprefix(GITHUB))


def _pages(owner_and_name: str) -> str:
    owner, _, name = owner_and_name.partition("/")
    host = f"{owner}.github.io"
    return f"https://{host}" if name.lower() == host.lower() else f"https://{host}/{name}"


def set_address(new: str, root: Path = ROOT, *, new_branch: str | None = None) -> list[Path]:
    """Replace the address, and the branch, in every file that has it; return those that changed."""
    form = re.fullmatch(rf"{GITHUB}([\w.-]+/[\w.-]+?)(?:\.git)?/?", new)
    if not form:
        raise ChapterError(f"{new!r} is not of the form {GITHUB}owner/name")
    new_branch = address(root, "branch") if new_branch is None else new_branch
    if not re.fullmatch(r"[\w][\w./-]*", new_branch):
        raise ChapterError(f"{new_branch!r} is not the name of a branch or tag")
    old, old_branch = address(root).removeprefix(GITHUB), re.escape(address(root, "branch"))
    replacements = {
        # The next character must not belong to a longer name.
        rf"{re.escape(_pages(old))}(?![\w-])": _pages(form[1]),
        rf"{re.escape(old)}(?![\w-])": form[1],
        # The branch: in _config.yml, in set-up cells, in the new addresses of Colab and Binder.
        rf"(?m)^(  branch: ){old_branch}$": rf"\g<1>{new_branch}",
        rf'(REPOSITORY, VERSION = \\".+\\", \\"){old_branch}(?=\\")': rf"\g<1>{new_branch}",
        rf"({re.escape(form[1])}/(?:blob/)?){old_branch}(?=[/?])": rf"\g<1>{new_branch}",
    }

    changed = []
    for path in (path for pattern in FOLLOWERS for path in sorted(root.glob(pattern))):
        before = after = path.read_text(encoding="utf-8")
        for pattern, replacement in replacements.items():
            after = re.sub(pattern, replacement, after)
        if after != before:
            replace_file(path, after)
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    for file in set_address(sys.argv[1], new_branch=(sys.argv[2:] or [None])[0]):
        print(file.relative_to(ROOT))
