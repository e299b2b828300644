"""Write the quizzes as they are now into the chapters' stored outputs, without a run.

python -m tools.teach.quizzes
"""

import nbformat

from tools.book.course import chapters
from utils.files import replace_file
from utils.quiz import as_output, read_quiz


def renew(notebook: nbformat.NotebookNode, number: str) -> bool:
    """Put the quiz into the cells tagged ``quiz`` that show one; say whether that changed any."""
    before = nbformat.writes(notebook)
    for cell in [cell for cell in notebook.cells if "quiz" in cell.metadata.get("tags", ())]:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output.data = nbformat.from_dict(as_output(read_quiz(number)))
    return nbformat.writes(notebook) != before


if __name__ == "__main__":
    for path in chapters():
        notebook = nbformat.read(path, as_version=4)
        if renew(notebook, path.name[:2]):
            replace_file(path, nbformat.writes(notebook, version=4) + "\n")
            print(f"{path.name}: its quiz is shown as it is now")
