"""A fork points to itself: badges, launch buttons, set-up cells, links, citation."""

import os
import subprocess
import sys

import pytest
import yaml

from tools.book.course import ROOT, ChapterError, copy_working_tree
from tools.book.set_repository import address, pages_address

FORK = "https://github.com/somebody/skin-in-class"


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """The working tree in a folder of its own, after `make fork`'s command."""
    folder = tmp_path_factory.mktemp("fork")
    try:
        copy_working_tree(folder)
    except ChapterError as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "tools.book.set_repository", FORK, "spring"]
    said = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
    assert said.returncode == 0, said.stderr
    return folder


def texts(folder):
    """Yield name and text of what readers and their programs meet; not the code of the tools."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(("tests/", "tools/")):
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_old_address_is_left(fork):
    old = address().removeprefix("https://github.com/")
    places = [
        f"{name}: …{text[max(0, text.find(word) - 40) : text.find(word) + 60]}…"
        for name, text in texts(fork)
        for word in (old, pages_address().removeprefix("https://"))
        if word in text
    ]
    assert not places, "\n".join(places)


def test_new_address_and_branch_are_in_every_place(fork):
    config = yaml.safe_load((fork / "_config.yml").read_text(encoding="utf-8"))
    assert config["repository"] == {"url": FORK, "branch": "spring"}
    found = dict(texts(fork))
    notebooks = [name for name in found if name.endswith(".ipynb")]
    assert len(notebooks) >= 11
    for name in notebooks:
        assert f'REPOSITORY = \\"{FORK}\\"' in found[name], name
        assert 'VERSION = \\"spring\\"' in found[name], name
    assert "somebody/skin-in-class/blob/spring/chapters" in found["README.md"]
    assert FORK in found["CITATION.cff"]
    linked = [name for name in notebooks if "somebody.github.io/skin-in-class" in found[name]]
    assert len(linked) >= 10, "links to the glossary stay with the old book"


def test_make_names_the_missing_address():
    done = subprocess.run(
        ["make", "--no-print-directory", "fork"],
        cwd=ROOT,
        env=os.environ | {"URL": ""},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode and "make fork URL=https://github.com/you/name" in done.stderr
