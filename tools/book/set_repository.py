"""Write another repository address into the book, set-up cells, badges and CITATION.cff.

    python -m tools.book.set_repository https://github.com/you/your-fork [branch]

The address and the branch (or tag) stand in ``_config.yml``; everything else follows it. Without
a branch it stays as it is.
"""

import json
import os
import re
import sys
from pathlib import Path

import yaml

from tools.book.course import ROOT

FOLLOWERS = (
    "_config.yml",
    "README.md",
    "CITATION.cff",
    "intro.md",
    "troubleshooting.md",
    "data/croissant*.json",
    "chapters/*.ipynb",
)


def address(root: Path = ROOT) -> str:
    """Return the repository's address from ``_config.yml``."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"]


def pages_address(root: Path = ROOT) -> str:
    """Return the address at which GitHub Pages shows the book of this repository."""
    return _pages(address(root).removeprefix("https://github.com/"))


def _pages(owner_and_name: str) -> str:
    owner, _, name = owner_and_name.partition("/")
    host = f"{owner}.github.io"
    return f"https://{host}" if name.lower() == host.lower() else f"https://{host}/{name}"


def branch(root: Path = ROOT) -> str:
    """Return the repository's branch from ``_config.yml``; set-up cells call it VERSION."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return str(config["repository"]["branch"])


def set_address(new: str, root: Path = ROOT, *, new_branch: str | None = None) -> list[Path]:
    """Replace the address in every file that has it; return the files that changed.

    The short form ``OWNER/reading-skin`` in the addresses of Colab and Binder goes with it, and
    so does the address of the published book, ``OWNER.github.io/reading-skin``. In notebooks only
    sources are touched, so outputs and their stamp stay valid.

    Parameters
    ----------
    new : str
        The address.
    root : Path
        The repository.
    new_branch : str, optional
        The branch or tag from which set-up cells, Colab and Binder fetch the course.

    Raises
    ------
    ValueError
        If `new` is not of the form ``https://github.com/owner/name``, or `new_branch` no name.
    """
    form = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", new)
    if not form:
        raise ValueError(f"{new!r} is not of the form https://github.com/owner/name")
    old_short = address(root).removeprefix("https://github.com/")
    # The next character must not belong to a longer name.
    short = re.compile(re.escape(old_short) + r"(?![\w-])")
    pages = re.compile(re.escape(_pages(old_short)) + r"(?![\w-])")
    old = re.escape(branch(root))
    new_branch = branch(root) if new_branch is None else new_branch
    if not re.fullmatch(r"[\w][\w./-]*", new_branch):
        raise ValueError(f"{new_branch!r} is not the name of a branch or tag")
    versions = (
        rf"(?m)^(  branch: ){old}$",  # _config.yml
        rf'(?m)^(VERSION = "){old}(?=")',  # set-up cells
        rf"({re.escape(form[1])}/(?:blob/)?){old}(?=[/?])",  # addresses of Colab and Binder
    )

    def renewed(text: str) -> str:
        text = pages.sub(_pages(form[1]), short.sub(form[1], text))
        for pattern in versions:
            text = re.sub(pattern, lambda found: found[1] + new_branch, text)
        return text

    changed = []
    for pattern in FOLLOWERS:
        for path in sorted(root.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".ipynb":
                notebook = json.loads(text)
                for cell in notebook["cells"]:
                    lines = cell["source"]
                    cell["source"] = (
                        renewed(lines)
                        if isinstance(lines, str)
                        else [renewed(line) for line in lines]
                    )
                fresh = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
                if notebook == json.loads(text):
                    continue
            else:
                fresh = renewed(text)
                if fresh == text:
                    continue
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_text(fresh, encoding="utf-8")
            os.replace(temporary, path)
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        for file in set_address(sys.argv[1], new_branch=(sys.argv[2:] or [None])[0]):
            print(file.relative_to(ROOT))
    except ValueError as error:
        sys.exit(str(error))
