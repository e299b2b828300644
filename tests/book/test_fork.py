"""A fork points to itself: badges, launch buttons, set-up cells, links, citation."""

import contextlib
import os
import subprocess
import sys

import nbformat
import pytest
import yaml

from tools.book import stamp
from tools.book.course import ROOT, ChapterError, chapters, copy_working_tree
from tools.book.set_repository import address, pages_address, set_address
from utils.files import replace_file

FORK, PAGES = "https://github.com/somebody/skin-in-class", "somebody.github.io/skin-in-class"
NOTEBOOKS = [path.relative_to(ROOT).as_posix() for path in chapters()]


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    """The working tree in a folder of its own, after `make fork`'s command."""
    folder = tmp_path_factory.mktemp("fork")
    try:
        copy_working_tree(folder)
    except ChapterError as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "tools.book.set_repository", f"{FORK}.git", "spring"]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return folder


def texts(folder):
    """Return name and text of what readers and their programs meet; not the code of the tools."""
    texts = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(("tests/", "tools/")):
            with contextlib.suppress(UnicodeDecodeError):
                texts[name] = path.read_text(encoding="utf-8")
    return texts


def test_the_new_address_is_in_every_place_and_the_old_one_in_none(fork):
    files = texts(fork)
    for old in (address().removeprefix("https://github.com/"), pages_address()[8:]):
        assert not [f"{name}: {text[text.find(old) - 40 :][:100]}"
                    for name, text in files.items() if old in text]  # fmt: skip
    config = yaml.safe_load(files["_config.yml"])
    assert config["repository"] == {"url": FORK, "branch": "spring"}
    for name in NOTEBOOKS:
        assert f'REPOSITORY, VERSION = \\"{FORK}\\", \\"spring\\"' in files[name], name
        assert f"<https://{PAGES}>" in files[name], "the link to the book stays with the old one"
    readme = files["README.md"]
    assert "somebody/skin-in-class/blob/spring/chapters" in readme and "/spring?urlpath" in readme
    assert "/blob/main/" not in readme and "/main?" not in readme
    assert FORK in files["CITATION.cff"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_outputs_and_their_stamp_stay_valid(fork, name):
    before, after = (nbformat.read(folder / name, as_version=4) for folder in (ROOT, fork))
    assert stamp.code_hash(after) == stamp.code_hash(before)
    assert [c.get("outputs") for c in after.cells] == [c.get("outputs") for c in before.cells]


def test_a_branch_alone_changes_and_comes_back(fork):
    assert set_address(FORK, fork) == [], "the branch stays where none is named"
    before = texts(fork)
    for branch in ("autumn-2026", "spring"):
        changed = set_address(FORK, fork, new_branch=branch)
        names = {path.relative_to(fork).as_posix() for path in changed}
        assert names == {"_config.yml", "README.md", *NOTEBOOKS}
    assert texts(fork) == before


@pytest.mark.parametrize("owner, asked", [("OWNER", ""), ("somebody", "0\n")])
def test_set_up_cell_ends_with_a_sentence_and_asks_for_no_password(tmp_path, owner, asked):
    cell = nbformat.read(ROOT / NOTEBOOKS[0], as_version=4).cells[2].source
    cell = cell.replace(address(), f"https://github.com/{owner}/reading-skin")
    (tmp_path / "git").write_text("#!/bin/sh\necho $GIT_TERMINAL_PROMPT > asked\nexit 1\n")
    (tmp_path / "git").chmod(0o755)
    (tmp_path / "asked").touch()
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-c", cell]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, encoding="utf-8")
    assert f"No course in {tmp_path}" in done.stdout and "Traceback" not in done.stderr
    assert done.returncode == 1 and done.stderr.startswith("Not fetched. OWNER")
    assert (tmp_path / "asked").read_text() == asked, "git ran with that GIT_TERMINAL_PROMPT"


def test_links_go_to_either_kind_of_pages_and_who_is_interrupted_can_go_on(fork, monkeypatch):
    def stop(path, text):
        assert path.suffix != ".ipynb"
        replace_file(path, text)

    for name, pages in [("other/other.github.io", "other.github.io"), (FORK[19:], PAGES)]:
        with monkeypatch.context() as patch, pytest.raises(AssertionError):
            patch.setattr("tools.book.set_repository.replace_file", stop)
            set_address(f"https://github.com/{name}", fork)
        set_address(f"https://github.com/{name}", fork)
        assert pages_address(fork) == f"https://{pages}"
        assert f"<https://{pages}>" in texts(fork)[NOTEBOOKS[1]]


@pytest.mark.parametrize("url, branch, complaint", [
    ("somebody/course", None, "https://github.com/owner/name"), (FORK, 'x" # y', "of a branch"),
])  # fmt: skip
def test_wrong_address_and_branch_are_refused(fork, url, branch, complaint):
    with pytest.raises(ChapterError, match=complaint):
        set_address(url, fork, new_branch=branch)
