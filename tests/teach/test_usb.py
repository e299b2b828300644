"""`make usb`: what is for students, what is the teacher's, and the images on it."""

import re
import subprocess
import sys
import urllib.request
import zipfile

import nbformat
import pytest

from tests import datafiles
from tools.book.course import ChapterError
from tools.book.set_repository import address
from tools.teach import usb
from utils.data import find


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small clone of a course with real images; packages and books are only marked."""
    root, new = tmp_path / "course", nbformat.v4
    for name in (
        "requirements.lock", ".venv/x", "extra.md", "teaching/exam-bank.md", "utils/classes.py",
        "data/cache/lesions_64_abc.npz", "_build/html/index.html", "_build/wheels/a.whl",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    link = new.new_markdown_cell("[AUC](../teaching/glossary.md#AUC) [it](../try-it.md)")
    answer = new.new_code_cell("answer = 7", metadata={"tags": ["solution"]})
    (root / "chapters").mkdir()
    nbformat.write(new.new_notebook(cells=[link, answer]), root / "chapters" / "01_data.ipynb")
    (root / "_toc.yml").write_text("parts: [{chapters: [{file: chapters/01_data}]}]")
    (root / "_config.yml").write_text(f"repository: {{url: {address()}, branch: main}}")
    (root / ".gitignore").write_text(".venv/\ndata/cache/\ndata/raw/\n_build/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    datafiles.make(tmp_path / "images", "zips")
    monkeypatch.setenv("HAM10000_DIR", str(tmp_path / "images"))
    images = find(tmp_path / "images", rows=datafiles.ROWS).read()
    monkeypatch.setattr(usb.course, "best_images", lambda: images)
    monkeypatch.setattr(usb, "_wheels", lambda folder, lock: None)
    monkeypatch.setattr(usb, "loaded", lambda place, phantom: "HAM10000 from here")
    monkeypatch.setattr(usb, "students_book", lambda html: html.mkdir())
    return root


def test_students_get_no_solution_and_the_teacher_everything(course, tmp_path):
    stick = tmp_path / "stick"
    (stick / "student").mkdir(parents=True)
    (stick / "student" / "solutions.zip").write_text("of an earlier version")
    assert usb.build(stick, root=course) == "HAM10000 from here"
    files = {p.relative_to(stick).as_posix(): p for p in stick.rglob("*") if p.is_file()}
    raw = [f"data/raw/{name}" for name in ("HAM10000_metadata.csv", *datafiles.ZIPS)]
    both = ["requirements.lock", ".gitignore", "utils/classes.py", "chapters/01_data.ipynb", *raw]
    teachers = ["extra.md", "teaching/exam-bank.md", "_toc.yml", "_config.yml"]
    assert set(files) == {
        "student/README.txt", "student/book.py", "student/wheels/a.whl",
        "teacher/README.txt", "teacher/book.py", "teacher/book/index.html",
        *(f"student/reading-skin/{name}" for name in ["README.md", *both]),
        *(f"teacher/reading-skin/{name}" for name in [*both, *teachers]),
    }  # fmt: skip
    assert "answer = 7" in files["teacher/reading-skin/chapters/01_data.ipynb"].read_text()
    for name in (name for name in files if name.startswith("student/") and "/raw/" not in name):
        text = files[name].read_text(encoding="utf-8")
        assert "answer = 7" not in text and "teacher/" not in text, name
        links = "[AUC](../teaching/glossary.md#AUC) [it](https://"
        assert links in text or not name.endswith(".ipynb")
        assert "Colab" not in text or "/OWNER/" not in address(), "a link that leads nowhere"


@pytest.mark.parametrize("form", ["zips", "jpegs", "jpegs in folders", "csv"])
def test_images_of_every_form_are_carried_photographs_smaller(form, tmp_path, monkeypatch):
    monkeypatch.setattr(usb, "WIDTH", 20)
    datafiles.make(tmp_path / "all", form)
    (tmp_path / "all" / "thesis.pdf").write_text("private")
    with zipfile.ZipFile(tmp_path / "all" / "thesis.zip", "w") as archive:
        archive.writestr("thesis.docx", "private")
    if form == "zips":  # as a browser names a second download
        (tmp_path / "all" / datafiles.ZIPS[0]).rename(tmp_path / "all" / "part 1 (1).ZIP")
    usb.copy_images(tmp_path / "all", tmp_path / "raw")
    images = find(tmp_path / "raw", rows=datafiles.ROWS).read()
    assert "20 × 15 pixels" in images.source or form == "csv"
    assert not list((tmp_path / "raw").glob("thesis.*"))
    monkeypatch.setattr(usb, "WIDTH", 60)  # small enough: the same bytes, so the same fingerprint
    usb.copy_images(tmp_path / "all", tmp_path / "raw")
    again = find(tmp_path / "raw", rows=datafiles.ROWS).read()
    before = find(tmp_path / "all", rows=datafiles.ROWS).read()
    assert again.fingerprint == before.fingerprint


def test_the_loader_must_find_on_the_stick_what_was_here(tmp_path):
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "data.py").write_text(
        "import os\ndef load_ham10000(): print('Data:', os.environ.get('HAM10000_DIR', 'HAM10000'))"
    )
    assert usb.loaded(tmp_path, phantom=False) == "HAM10000"
    assert usb.loaded(tmp_path, phantom=True) == "phantom"
    (tmp_path / "utils" / "data.py").write_text("def load_ham10000(): print('Data: the phantom')")
    with pytest.raises(ChapterError, match="the phantom"):
        usb.loaded(tmp_path, phantom=False)


def test_students_book_has_no_solution_and_no_page_of_the_teacher(tmp_path, monkeypatch):
    staged = []
    monkeypatch.setattr(usb.render, "publish_html", lambda folder, *_, html: staged.append(folder))
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "a.html").write_text('a<aside class="notes">b\nc</aside>d')
    usb.students_book(tmp_path)
    assert (tmp_path / "slides" / "a.html").read_text() == "ad"
    chapters = list(staged[0].glob("chapters/*.ipynb"))
    cells = [cell for path in chapters for cell in nbformat.read(path, as_version=4).cells]
    assert len(chapters) > 10 and any(cell.get("outputs") for cell in cells)
    assert not [cell for cell in cells if "solution" in cell.metadata.get("tags", ())]
    toc = (staged[0] / "_toc.yml").read_text("utf-8")
    assert "teaching/glossary" in toc and "exam-bank" not in toc and "guide" not in toc


def test_readme_has_the_commands_of_the_system_and_says_if_there_are_no_images():
    for system, words in (("Linux", "python3 -m venv venv"), ("Windows", "py -m venv venv")):
        lines = usb.readme("HAM10000 from the Kaggle CSV", system).splitlines()
        assert [line[:2] for line in lines if line[:1].isdigit()] == ["1.", "2.", "3."]
        assert words in lines[1]
        assert "book.py" in lines[4] and lines[6] == "Images: HAM10000 from the Kaggle CSV"
    assert usb.readme("the phantom (…)").count(usb.PHANTOM) == 2


def test_book_opens_as_from_a_server(tmp_path):
    (tmp_path / "book.py").write_bytes(usb.OPENER.read_bytes())
    (tmp_path / "book").mkdir()
    for name in ("index.html", "try.js"):
        (tmp_path / "book" / name).write_text(name)
    program = [sys.executable, "book.py"]
    env = {"BROWSER": "true", "PATH": ""}
    with subprocess.Popen(program, cwd=tmp_path, env=env, stdout=-1, text=True) as server:
        address = re.search(r"http://127\S+/", server.stdout.readline())[0]
        with urllib.request.urlopen(f"{address}try.js") as answer:
            assert answer.read() == b"try.js"
            assert answer.headers["Content-Type"] == "text/javascript"
        server.kill()


def test_wheels_that_the_lock_no_longer_names_are_removed(tmp_path):
    wheels, lock = tmp_path / "wheels", tmp_path / "empty.lock"
    wheels.mkdir()
    (wheels / "gone-1.0-py3-none-any.whl").write_bytes(b"")
    lock.write_text("")
    usb._wheels(wheels, lock)
    assert not list(wheels.iterdir())
