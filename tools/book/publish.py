"""`make publish`: run chapters in full on the real images; store outputs and weights.

Nothing in the repository changes before every chapter has run and passed the checks, but chapter
5's weights (killed, `git checkout models` brings the old ones back). Git shows what differs.
"""

import re
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from tools.book import course, renew, stamp
from tools.book.course import ROOT, TRAINS, ChapterError, chapters
from utils.files import replace_file

MAX_NOTEBOOK, MAX_PICTURE = 1_000_000, 150_000  # bytes
MODELS = ROOT / "models"
EDITED = "{} was edited while it ran. Publish it again."
WEIGHTS = ("original.weights.h5", "original.json")
MACHINE_PATH = r"/(home|root|Users|tmp|work|private)/[\w.~-]+|\b[A-Z]:\\\w|" + re.escape(str(ROOT))


def main(numbers: list[str]) -> None:
    """Publish the chapters with these two-digit numbers (none: all)."""
    start, folder = time.time(), ROOT / "_build" / "publish"
    todo = [path for path in chapters() if not numbers or path.name[:2] in numbers]
    if unknown := set(numbers) - {path.name[:2] for path in todo}:
        raise ChapterError(f'There is no chapter {", ".join(sorted(unknown))}; write "03 06".')
    # The chapter that trains goes first: the weights it makes are shown in earlier chapters too.
    todo.sort(key=lambda path: not path.name.startswith(TRAINS))
    dataset = course.real_images()
    shutil.rmtree(folder, ignore_errors=True)
    notebooks, before = {}, {}
    old_weights = {name: (MODELS / name).read_bytes() for name in WEIGHTS}
    try:
        for number, path in enumerate(todo, 1):
            print(f"[{number}/{len(todo)}] {path.stem}", flush=True)
            before[path] = path.read_bytes()
            seconds = course.execute(path, folder / path.name)
            if path.name.startswith(TRAINS):
                _install_weights(start)  # before the stamp, which names them
            notebook = tidy(path, folder / path.name)
            notebook.metadata["course"] = stamp.make(notebook, dataset, seconds)
            print(f"    {seconds:.0f} s", flush=True)
            notebook.cells[1].source, notebooks[path] = renew.box(notebook), notebook
            if problems := check(notebook):
                raise ChapterError("\n".join(f"{path.name}, {problem}" for problem in problems))
        for path, content in before.items():
            if path.read_bytes() != content:
                raise ChapterError(EDITED.format(path.name))
        for path, notebook in notebooks.items():
            replace_file(path, nbformat.writes(notebook, version=4) + "\n")
    except BaseException:  # nothing is published, so the weights that were there come back
        for name, content in old_weights.items():
            replace_file(MODELS / name, content)
        raise
    print(f"Done in {(time.time() - start) / 60:.1f} minutes.")


def _install_weights(since: float) -> None:
    """Copy the weights that were trained since a time from runs/ to models/."""
    for name in WEIGHTS:  # the certificate last: it refuses weights that are not its own
        fresh = ROOT / "runs" / name
        if not fresh.is_file() or fresh.stat().st_mtime < since:
            raise ChapterError(f"Chapter 5 ran, but did not write runs/{name}.")
        replace_file(MODELS / name, fresh.read_bytes())


def tidy(path: Path, executed: Path) -> nbformat.NotebookNode:
    """Return the notebook at `path` with the outputs of its executed copy, made tidy."""
    notebook = nbformat.read(path, as_version=4)
    ran = nbformat.read(executed, as_version=4)
    ran.cells = [c for c in ran.cells if "injected-parameters" not in c.metadata.get("tags", ())]
    if [c.source for c in notebook.cells] != [c.source for c in ran.cells]:
        raise ChapterError(EDITED.format(path.name))
    ran, _ = CoalesceStreamsPreprocessor().preprocess(ran, {})
    for cell, source in zip(notebook.cells, ran.cells, strict=True):
        if cell.cell_type != "code":
            continue
        for key in ("execution", "collapsed"):  # JupyterLab's
            cell.metadata.pop(key, None)
        cell.execution_count = source.execution_count
        for output in source.outputs:
            if "data" in output:
                output.data.pop("application/vnd.jupyter.widget-view+json", None)
                output.metadata = {}
        cell.outputs = [o for o in source.outputs if o.get("data") or o.get("text", "").strip()]
    notebook.metadata = nbformat.from_dict(course.KERNEL)
    return notebook


def check(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what forbids that an executed notebook is stored, a sentence each."""
    problems = []
    if (size := len(nbformat.writes(notebook, version=4).encode())) > MAX_NOTEBOOK:
        problems.append(f"the whole notebook is {size / 1e6:.2f} MB; 1 MB is the limit")
    for number, cell in enumerate(notebook.cells, 1):
        for picture in course.pictures(cell):
            if (size := len(picture)) > MAX_PICTURE:
                problems.append(f"cell {number}: a picture of {size / 1e3:.0f} KB; 150 is most")
        texts = [cell.source]
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                problems.append(f"cell {number}: it failed with {output.ename}")
            texts += course.output_texts(output)
        if place := re.search(MACHINE_PATH, "\n".join(texts)):
            problems.append(f"cell {number} names a path of somebody's machine: {place.group()}")
    return problems


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ChapterError:
        print("Nothing was published.", file=sys.stderr)
        raise
