"""`make classroom`: a folder that is a class's own repository, without solutions; a zip.

FOLDER= names it (_build/classroom), URL=https://github.com/you/class where it will stand. The zip
``_build/reading-skin-student.zip`` holds its chapters alone, for a learning platform.
"""

import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor

from tools.book.course import KERNEL, ROOT, ChapterError, chapters, copy_working_tree
from tools.book.set_repository import address, pages_address, set_address
from utils.files import replace_file

FOLDER = ROOT / "_build" / "classroom"
STUDENT = "reading-skin-student"
WITHOUT_SOLUTIONS = TagRemovePreprocessor(remove_cell_tags={"solution"})
KEPT = ("cellView", "jupyter", "mystnb", "tags")  # of a cell's metadata; not times, not slides
README, ZIP_README = (ROOT / "teaching" / f"{name}.txt" for name in ("classroom", "student-copies"))
NOTE = "*This copy has no solutions and no outputs: run it from the top, and ask your teacher.*"
HANDOUTS = ("case-card", "glossary", "project-brief")  # how the names of students' pages begin
# What a class gets besides its chapters; what is not named is the teacher's.
PARTS = (
    "utils", "exercises", "models", "data", "teaching/quizzes", "_config.yml", "environment.yml",
    ".binder", "pyproject.toml", "requirements.lock", "LICENSE", ".gitignore", "troubleshooting.md",
    "data-and-licence.md", "reporting-checklist.md", *(f"teaching/{name}*.md" for name in HANDOUTS),
)  # fmt: skip
HERE = rf"(teaching/(?:{'|'.join(HANDOUTS)})[\w-]*)"
IN_BOOK = r"\]\((?:\.\./)?(teaching/classroom-server|teaching/evening-before|try-it)\.md"


def student_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a chapter without solutions, outputs, counts, stamp and slides, and a note on that."""
    fresh, _ = WITHOUT_SOLUTIONS.preprocess(copy.deepcopy(notebook), {})
    fresh, _ = ClearOutputPreprocessor().preprocess(fresh, {})
    fresh.metadata = nbformat.from_dict(KERNEL)
    for cell in fresh.cells:
        tags = [tag for tag in cell.metadata.get("tags", ()) if tag != "slide"]
        entries = {**cell.metadata, "tags": tags}
        cell.metadata = nbformat.from_dict({k: entries[k] for k in KEPT if entries.get(k)})
        cell.source = to_published(cell.source)
        if cell.cell_type == "markdown" and cell.source.split("\n")[0] == "## Exercises":
            cell.source = f"{cell.source.rstrip()}\n\n{NOTE}"
    return fresh


def to_published(markdown: str) -> str:
    """Return a chapter's text with its links to pages of the book leading to the published ones."""
    page = rf"]({pages_address()}/\1.html\2)"
    return re.sub(r"\]\(\.\./([\w/-]+)\.md(#[^)\s]*)?\)", page, markdown)


def copies(root: Path = ROOT) -> dict[str, str]:
    """Return the file of each chapter's student copy, by its name."""
    read = {path.name: nbformat.read(path, as_version=4) for path in chapters(root)}
    return {name: nbformat.writes(student_copy(it)) + "\n" for name, it in read.items()}


def build(
    texts: dict[str, str] | None = None, *, where: str = "", folder: Path = ROOT / "_build"
) -> Path:
    """Write the zip of these copies (or all) into a folder, for the class `where`; return it."""
    readme = ZIP_README.read_text(encoding="utf-8").format(address=where or address(ROOT))
    path = folder / f"{STUDENT}.zip"

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in ((texts or copies()) | {"README.txt": readme}).items():
                archive.writestr(f"{STUDENT}/{name}", text)

    replace_file(path, write)
    return path


def classroom(folder: Path = FOLDER, url: str = "", *, root: Path = ROOT) -> Path:
    """Write a class's folder anew; its history, its images and what was added beside stay."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise ChapterError(f"{there} is a file; name a new folder in FOLDER=.")
    if there == folder and any(folder.iterdir()):
        title, page = README.read_bytes().splitlines()[0], folder / "README.md"
        if not page.is_file() or not page.read_bytes().startswith(title):
            raise ChapterError(f"{folder} holds something else; name a new folder in FOLDER=.")
    with tempfile.TemporaryDirectory() as temporary:
        fresh = Path(temporary) / folder.name  # the outer one is for this user alone
        _write(fresh, url, root)
        # First what the next command knows the folder by, if this one is interrupted.
        replace_file(folder / "README.md", (fresh / "README.md").read_bytes())
        for part in ("chapters", "utils", "exercises", "models", "teaching"):
            shutil.rmtree(folder / part, ignore_errors=True)
        shutil.copytree(fresh, folder, dirs_exist_ok=True)
    return folder


def _write(folder: Path, url: str, root: Path) -> None:
    copy_working_tree(folder, *PARTS, root=root)
    for name, text in (texts := copies(root)).items():
        replace_file(folder / "chapters" / name, text)
    where, branch = address(root).rpartition("github.com/")[2], address(root, "branch")
    colab = f"https://colab.research.google.com/github/{where}/blob/{branch}/chapters/"
    lines = "\n".join(f"- [{name}](chapters/{name}) ([Colab]({colab}{name}))" for name in texts)
    readme = README.read_text(encoding="utf-8").format(where=where, branch=branch)
    readme = readme.replace("CHAPTERS", lines)
    if not url and "OWNER/" in where:  # it is nowhere on the web yet
        readme = re.sub(r"(?m) \(\[Colab.*$|^.*(\[Binder|\*Colab).*\n", "", readme)
    replace_file(folder / "README.md", readme)
    book = own = pages_address(root)
    if url:
        set_address(url, folder, new_branch="main")
        own = pages_address(folder)
    for path in [*folder.rglob("*.md"), *folder.glob("chapters/*.ipynb")]:
        text = path.read_text(encoding="utf-8").replace(own, book)  # a class has no book of its own
        if not url:  # read where it stands, without a network, too
            text = re.sub(rf"\]\({book}/{HERE}\.html", r"](../\1.md", text)
        replace_file(path, re.sub(IN_BOOK, rf"]({book}/\1.html", text))
    (folder / "_config.yml").unlink()
    copy_working_tree(folder, "CITATION.cff", root=root)  # which names the course


def commit(folder: Path) -> str:
    """Record all with git, whatever the teacher's git ignores; return what went wrong, or ""."""
    for left in folder.glob(".git/*.lock"):  # of a git that was killed
        left.unlink()
    for words in ("init --quiet --initial-branch=main", "add --all", "commit --quiet -m Chapters"):
        command = ["git", "-c", f"core.excludesFile={os.devnull}", *words.split()]
        env = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        if done.returncode and "nothing to commit" not in done.stdout:
            return f"`git {words}` stopped:\n{done.stderr.strip()}"
    return ""


if __name__ == "__main__":
    where, url = [*sys.argv[1:], "", ""][:2]
    if (home := os.path.expanduser(where)).startswith("~"):
        raise ChapterError(f"{where}: nobody here has this home; name a new folder in FOLDER=.")
    place = classroom(Path(home).resolve() if home else FOLDER, url)
    texts = {p.name: p.read_text("utf-8") for p in place.glob("chapters/*")}
    archive = build(texts if url else None, where=url)
    print(f"The class's repository: {place}\nIts chapters alone, to upload: {archive}")
    if problem := commit(place):
        print(f"{problem}\nMend it and type there: git add --all && git commit -m Chapters")
    if url:
        print("Make it on GitHub, empty and public; then type in the folder, the first time:")
        print(f"    git remote add origin {url} && git push --set-upstream origin main")
    else:
        print("Links and set-up cells name the course's own address; URL=… names the class's.")
