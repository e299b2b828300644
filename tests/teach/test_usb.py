"""`make usb`: what the folder holds."""

import subprocess

import pytest

from tools.book.course import ChapterError
from tools.teach import usb


@pytest.fixture
def course(tmp_path):
    """A small clone of a course: files that git knows, an ignored one, prepared images."""
    root = tmp_path / "course"
    for name in (
        "chapters/01_data_overview.ipynb",
        "requirements.lock",
        ".venv/x",
        "extra.md",
        "data/cache/lesions_28_abc.npz",
        "data/cache/lesions_64_abc.npz",
        "_build/html/index.html",
        "_build/student/index.html",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".gitignore").write_text(".venv/\ndata/cache/\n_build/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root


def test_folder_holds_course_book_copies_and_prepared_images(course, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(usb, "_wheels", lambda folder, lock: asked.append((folder, lock)))
    stick = usb.build(tmp_path / "stick", root=course)
    inside = {str(p.relative_to(stick)) for p in stick.rglob("*") if p.is_file()}
    assert inside == {
        "README.txt",
        "book/index.html",
        "student/index.html",
        "reading-skin/.gitignore",
        "reading-skin/chapters/01_data_overview.ipynb",
        "reading-skin/data/cache/lesions_28_abc.npz",
        "reading-skin/extra.md",  # not committed yet, and not ignored
        "reading-skin/requirements.lock",
    }
    assert asked == [(stick / "wheels", course / "requirements.lock")]
    subprocess.run(["git", "add", "--all"], cwd=course, check=True)
    (course / "extra.md").unlink()  # git knows it still
    usb.build(stick, root=course)
    assert not (stick / "reading-skin" / "extra.md").exists(), "a file of an earlier run stayed"
    (course / "_build" / "html").rename(course / "_build" / "other")
    with pytest.raises(ChapterError, match="make book"):
        usb.build(stick, root=course)


def test_readme_has_three_lines_with_the_commands_of_the_system():
    for system, words in (("Linux", "python3 -m venv venv"), ("Windows", "py -m venv venv")):
        lines = usb.readme(system).splitlines()
        assert [line[:2] for line in lines] == ["1.", "2.", "3."] and words in lines[1]


def test_wheels_that_the_lock_no_longer_names_are_removed(tmp_path):
    wheels, lock = tmp_path / "wheels", tmp_path / "empty.lock"
    wheels.mkdir()
    (wheels / "gone-1.0-py3-none-any.whl").write_bytes(b"")
    lock.write_text("")
    usb._wheels(wheels, lock)
    assert not list(wheels.iterdir())
