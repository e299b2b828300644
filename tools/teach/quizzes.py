"""Write the quizzes as they are now into the chapters' stored outputs.

    python -m tools.teach.quizzes

The quiz is the same on every computer and needs no images, so who changes a question need not
publish the chapter.
"""

import nbformat

from tools.book.course import chapters
from utils.files import replace_file
from utils.quiz import as_output, read_quiz


def renew(notebook: nbformat.NotebookNode, number: str) -> bool:
    """Put the quiz into the cells tagged ``quiz`` that show one; say whether that changed any."""
    changed = False
    for cell in notebook.cells:
        if "quiz" not in cell.metadata.get("tags", ()):
            continue
        for output in cell.get("outputs", ()):
            fresh = as_output(read_quiz(number)) if "text/html" in output.get("data", {}) else None
            if fresh and dict(output.data) != fresh:
                output.data, changed = nbformat.from_dict(fresh), True
    return changed


def main() -> None:
    """Renew the quizzes of all chapters; name those that changed."""
    for path in chapters():
        notebook = nbformat.read(path, as_version=4)
        if renew(notebook, path.name[:2]):
            replace_file(path, nbformat.writes(notebook, version=4) + "\n")
            print(f"{path.name}: its quiz is shown as it is now")


if __name__ == "__main__":
    main()
