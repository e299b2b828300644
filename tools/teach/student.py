"""`make student`: copies of the chapters without solutions and outputs, and zips to hand out.

They go to ``_build/student/``, which is emptied of other notebooks before.
"""

import copy
import io
import sys
import zipfile
from collections.abc import Collection
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor

from tools.book.course import ROOT, ChapterError, chapters
from tools.book.set_repository import address
from utils.files import replace_file

FOLDER = ROOT / "_build" / "student"
STUDENT, SOLUTIONS = "reading-skin-student", "reading-skin-solutions"
STEPS = (TagRemovePreprocessor(remove_cell_tags={"solution"}), ClearOutputPreprocessor())
KEPT = ("cellView", "jupyter", "mystnb", "tags")  # of a cell's metadata; not times, not slides
README = ROOT / "teaching" / "student-copies.txt"
NOTE = "*This copy has no solutions and no outputs: run it from the top, and ask your teacher.*"
TITLES = {
    STUDENT: "the chapters to work through",
    SOLUTIONS: "the chapters with their solutions and outputs, for teachers. Solutions are\n"
    "folded in JupyterLab and Colab.",
}


def student_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a chapter without solutions, outputs, counts, stamp and slides, and a note on that."""
    fresh = copy.deepcopy(notebook)
    for step in STEPS:
        fresh, _ = step.preprocess(fresh, {})
    for key in set(fresh.metadata) - {"kernelspec", "language_info"}:
        del fresh.metadata[key]
    for cell in fresh.cells:
        tags = [tag for tag in cell.metadata.get("tags", ()) if tag != "slide"]
        entries = {**cell.metadata, "tags": tags}
        cell.metadata = nbformat.from_dict({k: entries[k] for k in KEPT if entries.get(k)})
        if cell.cell_type == "markdown" and cell.source.split("\n")[0] == "## Exercises":
            cell.source = f"{cell.source.rstrip()}\n\n{NOTE}"
    return fresh


def build(numbers: Collection[str] = (), *, folder: Path = FOLDER) -> list[Path]:
    """Write the copies of the chapters named ("03"; none: all) and both zips; return the files."""
    paths = [path for path in chapters() if not numbers or path.name[:2] in numbers]
    if unknown := ", ".join(sorted(set(numbers) - {path.name[:2] for path in paths})):
        raise ChapterError(f'There is no chapter {unknown}; write CHAPTERS="03 06".')
    teachers = {path.name: path.read_text(encoding="utf-8") for path in paths}
    students = {
        name: nbformat.writes(student_copy(nbformat.reads(text, as_version=4))) + "\n"
        for name, text in teachers.items()
    }
    for old in folder.glob("*.ipynb"):
        old.unlink()
    written = dict(students)
    for name, files in ((STUDENT, students), (SOLUTIONS, teachers)):
        text = README.read_text(encoding="utf-8").format(title=TITLES[name], address=address(ROOT))
        written[f"{name}.zip"] = zipped(name, files | {"README.txt": text})
    for name, content in written.items():
        replace_file(folder / name, content)
    return [folder / name for name in written]


def zipped(folder: str, files: dict[str, str]) -> bytes:
    """Return a zip of texts in one folder: sorted and dated alike, so that it is reproducible."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}")  # of 1980
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name].encode(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


if __name__ == "__main__":
    for path in build(sys.argv[1:]):
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:,.0f} KB")
