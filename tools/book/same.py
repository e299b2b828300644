"""`make same`: after code was moved or rewritten, show that the chapters' outputs stay the same.

    python -m tools.book.same [--old REVISION] [03 06 …]

Runs each chapter whose stamp is out of date twice, on this machine and the real images: as it
stood in a revision (HEAD unless named), and as it stands now. Where every text and picture is
the same, the stored outputs get a new stamp; what differs is shown and the chapter left alone. What
differs between two runs of the *old* chapter as well (seconds, a measured speed) does not count.
Chapter 5 runs two epochs, and the weights it saves are compared too.
"""

import argparse
import base64
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from itertools import zip_longest
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from tools.book import stamp
from tools.book.course import ROOT, TRAINS, ChapterError, chapters, execute, real_images
from tools.book.publish import pack, tidy
from utils.files import replace_file

PIXEL_TOLERANCE = 0.5  # mean difference of two pictures in grey levels of 255
SHORT = {"EPOCHS": 2}  # of the chapter that trains
# Addresses in memory, seconds, and a check sum of weights, which are compared themselves. Whatever
# else is measured is told by the second run of the old chapter: "12 times" may be a count.
VARIES = re.compile(
    r"0x[0-9a-f]+|(?<=check sum of the weights: )\w+|\d[\d,.]*(?= ?(?:s|ms|seconds|minutes)\b)"
)


def main(arguments: list[str]) -> int:
    """Compare; return the exit status, 1 if a chapter is not the same."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--old", default="HEAD", help="the revision to compare with")
    parser.add_argument("numbers", nargs="*", help="chapters, such as 03 06; none: what is stale")
    given = parser.parse_args(arguments)
    todo = [p for p in chapters() if (p.name[:2] in given.numbers if given.numbers else _stale(p))]
    if not todo:
        print("Every chapter's stamp fits its code.")
        return 0
    different = []
    try:
        real_images()
        with tempfile.TemporaryDirectory() as folder:
            old = _tree(given.old, Path(folder) / "old")
            for path in todo:
                print(path.stem, flush=True)
                problems = compare(path, old, Path(folder) / "runs")
                print("\n".join(f"    {line}" for line in problems or ["the same"]), flush=True)
                different += [path.stem] * bool(problems)
    except (ChapterError, FileNotFoundError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    if different:
        print(f"Not the same, and left alone: {', '.join(different)}. If that is right, publish.")
    return int(bool(different))


def _stale(path: Path) -> bool:
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get("course", {}).get("code") != stamp.code_hash(notebook)


def _tree(revision: str, folder: Path) -> Path:
    """Unpack a revision of the repository into `folder`."""
    done = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True)
    if done.returncode:
        raise ChapterError(f"git archive failed: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def compare(path: Path, old_root: Path, runs: Path) -> list[str]:
    """Run a chapter in the old tree and in this one; return the differences, a line each.

    Where there are none, the chapter gets the old one's stored outputs and a new stamp.
    """
    old_path = next((old_root / "chapters").glob(f"{path.name[:2]}_*.ipynb"), None)
    if not old_path:
        raise ChapterError(f"{path.name} has no counterpart in the old tree. Publish it.")
    parameters = SHORT if path.name.startswith(TRAINS) else {}

    def run(chapter: Path, name: str) -> nbformat.NotebookNode:
        execute(chapter, runs / name / chapter.name, parameters=parameters)
        return tidy(chapter, runs / name / chapter.name)

    before, new = outputs(run(old_path, "old")), run(path, "new")
    changed = differences(before, outputs(new))
    if changed:
        again = differences(before, outputs(run(old_path, "again")))
        unstable = {place for place, _ in again if place}
        changed = [(place, lines) for place, lines in changed if place not in unstable]
    problems = [line for _, lines in changed for line in lines]
    if parameters and not _same_weights(old_root / "runs", ROOT / "runs"):
        problems.append("+ the weights after the short run are others")
    if not problems:
        stored = nbformat.read(old_path, as_version=4)
        notebook = with_outputs(nbformat.read(path, as_version=4), new, outputs(stored))
        notebook.metadata["course"] = stored.metadata["course"] | {
            "code": stamp.code_hash(notebook),
            "weights": stamp.weights_of(notebook),
        }
        replace_file(path, nbformat.writes(notebook, version=4) + "\n")
    return problems


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the outputs of a notebook one after the other, without those of set-up and quiz."""
    compared = (cell for index, cell in enumerate(notebook.cells) if _compared(index, cell))
    return [output for cell in compared for output in cell.outputs]


def _compared(index: int, cell: nbformat.NotebookNode) -> bool:
    quiz = "quiz" in cell.metadata.get("tags", ())
    return cell.cell_type == "code" and index != stamp.SET_UP and not quiz


def differences(before: list, after: list) -> list[tuple[tuple[int, int] | None, list[str]]]:
    """Return how two runs differ: a place each, (output, line), and the lines that show it.

    Line -1 is the picture. The place is None where one run has a line or an output more, which
    counts even where lines vary from run to run.
    """
    found = []
    for number, pair in enumerate(zip_longest(before, after)):
        for row, (old, new) in enumerate(zip_longest(*map(_lines, pair))):
            if old != new:
                lines = [
                    f"{sign} {line}" for sign, line in (("-", old), ("+", new)) if line is not None
                ]
                found.append((None if len(lines) == 1 else (number, row), lines))
        one, other = map(_picture, pair)
        if one.shape != other.shape:
            found.append(
                ((number, -1), [f"+ a picture of {other.shape} pixels; it had {one.shape}"])
            )
        elif one.size and (apart := float(np.abs(one - other).mean())) > PIXEL_TOLERANCE:
            found.append(((number, -1), [f"+ a picture {apart:.1f} grey levels apart on average"]))
    return found


def _lines(output: nbformat.NotebookNode | None) -> list[str]:
    if output is None:
        return []
    text = output.get("text") or output.data.get("text/html") or output.data.get("text/plain")
    picture = "image/png" in output.get("data", {})
    return ["(a picture)"] if picture else VARIES.sub("#", str(text)).splitlines()


def _picture(output: nbformat.NotebookNode | None) -> np.ndarray:
    data = (output or {}).get("data", {})
    if "image/png" not in data:
        return np.empty(0)
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    return np.asarray(image.convert("RGB"), dtype=float)


def _same_weights(old: Path, new: Path) -> bool:
    import h5py

    def arrays(folder: Path) -> list[np.ndarray]:
        names: list[str] = []
        with h5py.File(folder / "original.weights.h5") as file:
            file["layers"].visit(names.append)
            items = (file["layers"][name] for name in names)
            return [item[()] for item in items if isinstance(item, h5py.Dataset)]

    one, other = arrays(old), arrays(new)
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def with_outputs(notebook: nbformat.NotebookNode, ran: nbformat.NotebookNode, stored: list):
    """Give each cell of a chapter the stored outputs that it makes now, in their order.

    `ran` is the chapter after it ran, which says how many outputs each cell makes; `stored` are
    those of the old chapter. Raises ChapterError if the number of outputs differs.
    """
    if (number := len(outputs(ran))) != len(stored):
        raise ChapterError(f"The run has {number} outputs, {len(stored)} are stored. Publish it.")
    for output in stored:
        pack(output.get("data", {}))
    count, rest = 0, iter(stored)
    for index, (cell, run) in enumerate(zip(notebook.cells, ran.cells, strict=True)):
        if cell.cell_type == "code":
            cell.execution_count = count = count + 1
            if _compared(index, cell):
                cell.outputs = [next(rest) for _ in run.outputs]
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    return notebook


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
