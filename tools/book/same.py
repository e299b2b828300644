"""`make same`: after code was rewritten, show that the chapters' outputs stay the same.

    python -m tools.book.same [--old REVISION] [03 06 …]

Runs the chapters that are named, else those whose stamp is out of date, on this machine and the
real images: as they stood in a revision (HEAD unless named), and as they stand now. Where every text
and picture is the same, the chapter gets a new stamp; what differs is shown and left alone. What
differs between two runs of the *old* chapter as well (seconds) does not count. Chapter 5 runs two
epochs, and the losses that its certificate holds, to the last digit, are compared too.
"""

import argparse
import base64
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from tools.book import stamp
from tools.book.course import ROOT, TRAINS, ChapterError, chapters, execute, real_images
from tools.book.publish import tidy
from utils.files import replace_file

PIXEL_TOLERANCE = 0.5  # mean difference of two pictures in grey levels of 255
# Addresses in memory, seconds, and a check sum of weights (their losses are compared).
VARIES = re.compile(
    r"0x[0-9a-f]+|(?<=check sum of the weights: )\w+|\d[\d,.]*(?= ?(?:s|ms|seconds|minutes)\b)"
)


def main(arguments: list[str]) -> int:
    """Compare; return the exit status, 1 if a chapter is not the same."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--old", default="HEAD", help="the revision to compare with")
    parser.add_argument("numbers", nargs="*", help="chapters, such as 03 06; none: what is stale")
    given, different = parser.parse_args(arguments), []
    try:
        with tempfile.TemporaryDirectory() as folder:
            real_images()
            done = subprocess.run(["git", "archive", given.old], cwd=ROOT, capture_output=True)
            if done.returncode:
                raise ChapterError(f"git archive failed: {done.stderr.decode().strip()}")
            with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
                archive.extractall(folder, filter="data")
            for path in chapters():
                code = nbformat.read(path, as_version=4).metadata.get("course", {}).get("code")
                stale = code != stamp.code_hash(nbformat.read(path, as_version=4))
                if path.name[:2] in given.numbers if given.numbers else stale:
                    problems = compare(path, Path(folder))
                    print(path.stem, *problems or ["the same"], sep="\n    ", flush=True)
                    different += [path.stem] * bool(problems)
    except (ChapterError, FileNotFoundError) as error:
        sys.exit(str(error))
    if different:
        print(f"Not the same, and left alone: {', '.join(different)}. If that is right, publish.")
    return int(bool(different))


def compare(path: Path, old: Path) -> list[str]:
    """Run a chapter in the old tree and in this one; return the differences, or stamp it anew."""
    old_path, trains = old / "chapters" / path.name, path.name.startswith(TRAINS)
    if not old_path.is_file():
        return ["it has no counterpart in the old tree"]

    def run(chapter: Path) -> nbformat.NotebookNode:
        copy = old / "_build" / chapter.name
        execute(chapter, copy, parameters={"EPOCHS": 2} if trains else {})
        return tidy(chapter, copy)

    before, new = shown(run(old_path)), run(path)
    if problems := differences(before, shown(new)):
        same = differences(before, shown(run(old_path)))
        problems = {place: words for place, words in problems.items() if place not in same}
    if trains and len({_history(root) for root in (old, ROOT)}) > 1:
        problems[-2] = "the short run's weights gave other losses"
    notebook = nbformat.read(path, as_version=4)
    counts = ([len(cell.get("outputs", ())) for cell in each.cells] for each in (notebook, new))
    if len(set(map(tuple, counts))) > 1:
        problems[-3] = "its cells make another number of outputs than they have stored"
    if not problems:
        notebook.metadata["course"] |= {
            "code": stamp.code_hash(notebook),
            "weights": stamp.weights_of(notebook),
        }
        replace_file(path, nbformat.writes(notebook, version=4) + "\n")
    return list(problems.values())


def shown(notebook: nbformat.NotebookNode) -> list[str | np.ndarray]:
    """Return the lines and pictures of a notebook in order, without those of set-up and quiz."""
    parts = []
    for index, cell in enumerate(notebook.cells):
        if index == stamp.SET_UP or "quiz" in cell.metadata.get("tags", ()):
            continue
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
                parts.append(np.asarray(image.convert("RGB"), dtype=float))
            else:
                text = output.get("text") or data.get("text/html") or data.get("text/plain")
                parts += VARIES.sub("#", str(text)).splitlines()
    return parts


def differences(before: list, after: list) -> dict[int, str]:
    """Return how two runs differ: the words for each place; -1 if one has more to show."""
    if len(before) != len(after):
        return {-1: f"{len(before)} lines and pictures have become {len(after)}"}
    found = {}
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        if isinstance(old, str) or isinstance(new, str):
            if not isinstance(old, type(new)) or old != new:
                found[place] = f"{old} | {new}"
        elif old.shape != new.shape or np.abs(old - new).mean() > PIXEL_TOLERANCE:
            found[place] = "a picture is another"
    return found


def _history(root: Path) -> str:
    record = json.loads((root / "runs" / "original.json").read_text(encoding="utf-8"))
    return str(record["history"])  # every digit of the losses after each epoch


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
