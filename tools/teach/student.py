"""`make student`: copies of the chapters without solutions and outputs, and zips to hand out.

    make student                      all chapters
    make student CHAPTERS="03 06"     these

writes to ``_build/student/``, which is emptied of other notebooks before.
"""

import copy
import io
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import nbformat

from tools.book.course import ROOT, ChapterError, chapters
from tools.book.set_repository import address
from utils.files import replace_file

FOLDER = ROOT / "_build" / "student"
STUDENT, SOLUTIONS = "reading-skin-student", "reading-skin-solutions"
NOTE = "*This copy has no solutions and no outputs: run it from the top, and ask your teacher.*"
DATA = """\
Where the data come from
    The first code cell fetches the course's code if it is not beside the notebook (this needs
    git and a network). The images, HAM10000, are looked for in the folder that the environment
    variable HAM10000_DIR names, in data/raw/ of the course, and on the web; if there are none,
    made-up lesions (the "phantom") take their place, and the notebook says so. Numbers then
    differ from those in the book.

Text CC BY 4.0, code MIT, figures that show HAM10000 images CC BY-NC 4.0. HAM10000 Dataset: (c) by
ViDIR Group, Department of Dermatology, Medical University of Vienna. For learning; not a medical
device.
"""
OPEN = """\
How to open them
    JupyterLab   Put this folder into the course's folder ({address}),
                 run `make lab` there, and open a notebook.
    Colab        https://colab.research.google.com, File, Upload notebook. The first code cell
                 installs what is missing.
    Run the cells from the first to the last; an exercise needs what stands above it.
"""


def student_copy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a chapter without solutions, outputs, counts, its stamp and what belongs to slides.

    Parameters
    ----------
    notebook : NotebookNode
        The chapter; it stays as it is.

    Returns
    -------
    NotebookNode
        The other cells in their order, with their ids. The section of exercises gains a line
        that says what this copy lacks.
    """
    fresh = copy.deepcopy(notebook)
    fresh.cells = [cell for cell in fresh.cells if "solution" not in _tags(cell)]
    kept = ("kernelspec", "language_info")
    fresh.metadata = nbformat.from_dict({k: v for k, v in fresh.metadata.items() if k in kept})
    for cell in fresh.cells:
        for key in ("slide", "slideshow", "execution", "papermill", "collapsed", "ExecuteTime"):
            cell.metadata.pop(key, None)
        if "slide" in _tags(cell):
            cell.metadata.tags = [tag for tag in cell.metadata.tags if tag != "slide"]
        if "tags" in cell.metadata and not cell.metadata.tags:
            del cell.metadata["tags"]
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif cell.source.split("\n")[0] == "## Exercises":
            cell.source = f"{cell.source.rstrip()}\n\n{NOTE}"
    return fresh


def build(numbers: Iterable[str] = (), *, folder: Path = FOLDER, root: Path = ROOT) -> list[Path]:
    """Write the students' copies and both zips; return the files.

    Parameters
    ----------
    numbers : iterable of str
        The first two letters of the chapters' names ("03"); none: all.
    folder : Path
        Where they go. Notebooks of earlier runs in it are removed.
    root : Path
        The repository.

    Raises
    ------
    ChapterError
        If there is no chapter of a number.
    """
    numbers = list(numbers)
    todo = [path for path in chapters(root) if not numbers or path.name[:2] in numbers]
    unknown = sorted(set(numbers) - {path.name[:2] for path in todo})
    if unknown:
        raise ChapterError(
            f"There is no chapter {', '.join(unknown)}; write their first two letters, as in "
            'CHAPTERS="03 06".'
        )
    students = {
        path.name: nbformat.writes(student_copy(nbformat.read(path, as_version=4))) + "\n"
        for path in todo
    }
    readme = f"Reading Skin: the chapters to work through\n\n{_open(root)}\n{DATA}"
    teachers = {path.name: path.read_text(encoding="utf-8") for path in todo}
    for_teachers = (
        "Reading Skin: the chapters with their solutions and outputs, for teachers. Solutions are\n"
        f"folded in JupyterLab and Colab.\n\n{_open(root)}\n{DATA}"
    )
    for old in folder.glob("*.ipynb"):
        if old.name not in students:
            old.unlink()
    written = []
    for name, text in students.items():
        written.append(folder / name)
        replace_file(written[-1], text)
    for name, files, text in (
        (STUDENT, students, readme),
        (SOLUTIONS, teachers, for_teachers),
    ):
        written.append(folder / f"{name}.zip")
        replace_file(written[-1], zipped(name, files | {"README.txt": text}))
    return written


def zipped(folder: str, files: dict[str, str]) -> bytes:
    """Return a zip of texts in one folder: sorted and dated alike, so that it is reproducible."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name].encode())
    return buffer.getvalue()


def _open(root: Path) -> str:
    return OPEN.format(address=address(root))


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def main(arguments: list[str]) -> int:
    """Build for the chapters in `arguments` (none: all); return the exit status."""
    try:
        for path in build(arguments):
            shown = path.relative_to(ROOT)
            print(f"{shown}  {path.stat().st_size / 1000:,.0f} KB")
    except (ChapterError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
