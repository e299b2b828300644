"""`make publish`: run chapters in full on the real images; store outputs and weights.

Nothing in the repository changes before every chapter has run and passed the checks.
"""

import base64
import contextlib
import io
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from PIL import Image

from tools.book import reading_time, stamp
from tools.book.course import (
    ROOT,
    TRAINS,
    ChapterError,
    chapters,
    execute,
    output_texts,
    pictures,
    real_images,
)
from utils.files import replace_file

MAX_NOTEBOOK, MAX_PICTURE = 1_000_000, 150_000  # bytes
MODELS = ROOT / "models"
EDITED = "{} was edited while it ran. Publish it again."
WEIGHTS = ("original.weights.h5", "original.json")
MACHINE_PATH = re.compile(
    r"/(?:home|root|Users|tmp|work|private)/[\w.~-]+|\b[A-Z]:\\\w|" + re.escape(str(ROOT))
)


def main(arguments: list[str]) -> int:
    """Publish the chapters whose two-digit numbers are in `arguments` (none: all)."""
    start = time.perf_counter()
    try:
        todo = _chosen(arguments)
        dataset = real_images()
        with _fresh_weights() as install:
            notebooks = _run(todo, dataset, install)
            for path, notebook in notebooks.items():
                replace_file(path, nbformat.writes(notebook, version=4) + "\n")
    except (ChapterError, FileNotFoundError) as error:
        print(f"\n{error}\nNothing was published.", file=sys.stderr)
        return 1
    print(f"Published: {', '.join(path.stem for path in notebooks)}", flush=True)
    reading_time.update_plans()
    print(f"Done in {(time.perf_counter() - start) / 60:.1f} minutes.")
    return 0


def _chosen(numbers: list[str]) -> list[Path]:
    todo = [path for path in chapters() if not numbers or path.name[:2] in numbers]
    unknown = set(numbers) - {path.name[:2] for path in todo}
    if unknown:
        raise ChapterError(f'There is no chapter {", ".join(sorted(unknown))}; write "03 06".')
    # The chapter that trains goes first: the weights it makes are shown in earlier chapters too.
    return sorted(todo, key=lambda path: not path.name.startswith(TRAINS))


def _run(todo, dataset, install_weights) -> dict[Path, nbformat.NotebookNode]:
    folder = ROOT / "_build" / "publish"
    shutil.rmtree(folder, ignore_errors=True)
    notebooks, before = {}, {}
    for number, path in enumerate(todo, 1):
        print(f"[{number}/{len(todo)}] {path.stem}", flush=True)
        before[path] = path.read_bytes()
        seconds = execute(path, folder / path.name)
        print(f"    {seconds:.0f} s", flush=True)
        if path.name.startswith(TRAINS):
            install_weights()
        notebooks[path] = notebook = tidy(path, folder / path.name)
        notebook.metadata["course"] = stamp.make(
            notebook, source=dataset.source, fingerprint=dataset.fingerprint, seconds=seconds
        )
        try:
            notebook.cells[1].source = reading_time.box(notebook)
        except ChapterError as error:
            raise ChapterError(f"{path.name}: {error}") from None
        if problems := check(notebook):
            raise ChapterError("\n".join(f"{path.name}, {problem}" for problem in problems))
    for path, content in before.items():
        if path.read_bytes() != content:
            raise ChapterError(EDITED.format(path.name))
    return notebooks


def tidy(path: Path, executed: Path) -> nbformat.NotebookNode:
    """Return the notebook at `path` with the outputs of its executed copy, made tidy.

    Streams of one name are merged, and of a line that was overwritten the last form is kept.
    """
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
                pack(output.data)
        cell.outputs = [o for o in source.outputs if o.get("data") or o.get("text", "").strip()]
    notebook.metadata.pop("widgets", None)
    return notebook


def pack(data: dict) -> None:
    """Store a picture in as few bytes as it takes; no pixel changes."""
    if "image/png" in data:
        packed = io.BytesIO()
        with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as picture:
            picture.save(packed, "png", optimize=True)
        data["image/png"] = base64.b64encode(packed.getvalue()).decode()


def check(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what forbids that an executed notebook is stored, a sentence each."""
    problems = []
    size = len(nbformat.writes(notebook, version=4).encode())
    if size > MAX_NOTEBOOK:
        problems.append(f"the whole notebook is {size / 1e6:.2f} MB; 1 MB is the limit")
    for number, cell in enumerate(notebook.cells, 1):
        for bytes_ in pictures(cell):
            if bytes_ > MAX_PICTURE:
                problems.append(f"cell {number}: a picture of {bytes_ / 1e3:.0f} KB; 150 is most")
        texts = [cell.source]
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                problems.append(f"cell {number}: it failed with {output.ename}")
            texts += output_texts(output)
        if place := MACHINE_PATH.search("\n".join(texts)):
            problems.append(f"cell {number} names a path of somebody's machine: {place.group()}")
    return problems


@contextlib.contextmanager
def _fresh_weights() -> Iterator[Callable[[], None]]:
    """Yield a function that copies new weights from runs/ to models/; take them back on failure."""
    began = time.time()
    old = {path: path.read_bytes() for name in WEIGHTS if (path := MODELS / name).is_file()}

    def install() -> None:
        for name in WEIGHTS:  # the certificate last: it refuses weights that are not its own
            fresh = ROOT / "runs" / name
            if not fresh.is_file() or fresh.stat().st_mtime < began:
                raise ChapterError(f"Chapter 5 ran, but did not write runs/{name}.")
            replace_file(MODELS / name, fresh.read_bytes())

    try:
        yield install
    except BaseException:
        for name in WEIGHTS:
            (MODELS / name).unlink(missing_ok=True)
        for path, content in old.items():
            replace_file(path, content)
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
