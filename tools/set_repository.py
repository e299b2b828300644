"""Write another repository address into the book, set-up cells, badges and CITATION.cff.

    python -m tools.set_repository https://github.com/you/your-fork

The address stands in ``_config.yml``; everything else follows it.
"""

import json
import os
import re
import sys
from pathlib import Path

import yaml

from tools.course import ROOT

FOLLOWERS = ("_config.yml", "README.md", "CITATION.cff", "intro.md", "chapters/*.ipynb")


def address(root: Path = ROOT) -> str:
    """Return the repository's address from ``_config.yml``."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"]


def set_address(new: str, root: Path = ROOT) -> list[Path]:
    """Replace the address in every file that has it; return the files that changed.

    The short form ``OWNER/reading-skin`` in the addresses of Colab and Binder goes with it. In
    notebooks only sources are touched, so outputs and their stamp stay valid.

    Raises
    ------
    ValueError
        If `new` is not of the form ``https://github.com/owner/name``.
    """
    form = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", new)
    if not form:
        raise ValueError(f"{new!r} is not of the form https://github.com/owner/name")
    old_short = address(root).removeprefix("https://github.com/")
    # The next character must not belong to a longer name.
    short = re.compile(re.escape(old_short) + r"(?![\w-])")
    changed = []
    for pattern in FOLLOWERS:
        for path in sorted(root.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".ipynb":
                notebook = json.loads(text)
                for cell in notebook["cells"]:
                    lines = cell["source"]
                    cell["source"] = (
                        short.sub(form[1], lines)
                        if isinstance(lines, str)
                        else [short.sub(form[1], line) for line in lines]
                    )
                fresh = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
                if notebook == json.loads(text):
                    continue
            else:
                fresh = short.sub(form[1], text)
                if fresh == text:
                    continue
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_text(fresh, encoding="utf-8")
            os.replace(temporary, path)
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        for file in set_address(sys.argv[1]):
            print(file.relative_to(ROOT))
    except ValueError as error:
        sys.exit(str(error))
