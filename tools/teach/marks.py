"""`make marks FOLDER=…`: put submitted chapters before the course's checks; a table and reports.

Submitted code is foreign code: each notebook runs in processes of its own, in a copy of the course,
with limits of time and memory and, where Linux allows it (`unshare`), without a network. What that
does not guard against stands in the instructor guide.
"""

import contextlib
import csv
import html
import inspect
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePath

import nbformat
import psutil
from tqdm import tqdm

from tools.book import course
from tools.book.course import ROOT, ChapterError, chapters, small
from utils.files import replace_file

OUT = ROOT / "_build" / "marks"
COLUMNS = ("student", "file", "chapter", "exercise", "result", "message")
RESULTS = {True: "right", False: "not yet", None: "unanswered"}
LIMITS = {"cell": 120, "notebook": 900, "memory": 4 * 2**30}  # seconds, seconds, bytes a process
LARGEST, IN_ALL = 50_000_000, 2_000_000_000  # bytes of a file, and of all that a zip holds
LEFT_OUT = shutil.ignore_patterns(*".* _build raw cache runs tests tools *.ipynb".split())
GIVEN = r"(PATH|LANG|SYSTEMROOT|KERAS_BACKEND|JUPYTER_PREFER_ENV_PATH|TF_CPP_\w+|MALLOC_\w+)$"
ALONE = "unshare --map-root-user --net --pid --fork --kill-child --mount-proc".split()


class Marker:
    """What marks in the kernel, where its source runs before any submitted cell.

    It keeps checks of its own, and what the chapter's starters give them beside the answer.
    """

    def __init__(self, number, token):
        import importlib
        import socket
        import sys

        def refuse(*_, **__):
            raise OSError("there is no network while notebooks are marked")

        self.check, self.given = importlib.import_module(f"exercises.chapter_{number}"), {}
        for name in [name for name in sys.modules if name.split(".")[0] == "exercises"]:
            del sys.modules[name]  # what a submission imports, and may change, is another copy
        self.token, socket.socket.connect, socket.getaddrinfo = token, refuse, refuse

    def __getattr__(self, name):
        return lambda answer, *args, **options: self.given.update({name: (args, options)})

    def verdict(self, name, answer):
        from IPython.display import display

        args, options = self.given[name]
        said = getattr(self.check, name)(answer, *args, **options)
        message = said.message + (f" You got: {said.got}." if said.got else "")
        verdict = {"token": self.token, "passed": said.passed, "message": message}
        display({"application/json": verdict}, raw=True)


# --- In the process of one notebook --------------------------------------------------------------


def chapter_of(notebook: nbformat.NotebookNode, file: str, root: Path) -> Path | None:
    """Return the chapter a notebook is a copy of: by its title, else by the number in its name."""
    heads = {path: nbformat.read(path, as_version=4).cells[0].source for path in chapters(root)}
    paths = {source.split("\n")[0]: path for path, source in heads.items()}
    paths |= {path.name[:2]: path for path in paths.values()}
    titles = [cell.source.strip().split("\n")[0] for cell in notebook.cells]
    number = re.findall(r"(?<![^\W_])([0-9A-Z]\d)_[a-z]", Path(file).name)[-1:]
    return next((paths[key] for key in titles + number if key in paths), None)


def composed(chapter: Path, submitted: list, token: str) -> list[nbformat.NotebookNode]:
    """Return the chapter's own cells, the submitted ones below *Exercises*, and the marker's.

    A marker's cell stands behind the last one with its answer, and has its exercise as metadata.
    """
    number, marker, exercises = chapter.name[:2], f"_{token}", 0
    begins, own = f"from exercises import chapter_{number} as check", []
    for cell in small(nbformat.read(chapter, as_version=4)).cells:
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type == "code" and not tags & {"solution", "quiz"}:
            own.append(cell.source)
            exercises += "starter" in tags
            if begins in cell.source:  # the starters that follow tell the marker
                made = f"check = {marker} = Marker({number!r}, {token!r})"
                own.append(f"{inspect.getsource(Marker)}\n{made}")
    cells = [(source, {"own": True}) for source in [*own, begins]]
    answers = [set(re.findall(r"\banswer_(\d+)", c.source)) for c in submitted]
    head = [c.source.startswith("## Exercises") for c in submitted]
    first = head.index(True) if any(head) else next((k for k, a in enumerate(answers) if a), 0)
    fresh = [k for k in range(first, len(submitted)) if submitted[k].cell_type == "code"]
    last = {int(n): k for k in fresh for n in answers[k]}
    for place in [*fresh, None]:
        cells += [] if place is None else [(submitted[place].source, {})]
        for n in (n for n in range(1, exercises + 1) if last.get(n) == place):
            ask = f"{marker}.verdict('exercise_{n}', globals().get('answer_{n}'))"
            cells.append((ask, {"exercise": n}))
    return [nbformat.v4.new_code_cell(source, metadata=metadata) for source, metadata in cells]


def run(file: str, path: Path, copy: Path, root: Path, limits: Mapping[str, int]) -> None:
    """Run a submission; print what becomes of it, a line of JSON for each verdict."""
    token, trouble = secrets.token_hex(16), []

    def say(**record: object) -> None:
        print(json.dumps(record), flush=True)

    def told(cell: nbformat.NotebookNode, **_: object) -> None:
        errors = [f"{o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"]
        trouble.extend(error.split("\n")[0][:300] for error in errors)
        if trouble and "own" in cell.metadata:
            raise ChapterError(f"The chapter's own code stopped here: {trouble[0]}")
        if exercise := cell.metadata.get("exercise"):
            said = [o.data.get("application/json", {}) for o in cell.outputs if "data" in o]
            said = next((s for s in said if s.get("token") == token), {"passed": None})
            crashed = trouble and not said["passed"]
            message = "; ".join(trouble) if crashed else said.get("message", "")
            result = "crashed" if crashed else RESULTS[said["passed"]]
            say(exercise=exercise, result=result, message=message)
            trouble.clear()

    try:
        notebook = nbformat.read(path, as_version=4)
        chapter = chapter_of(notebook, file, root)
        cells = composed(chapter, notebook.cells, token) if chapter else []
    except Exception:  # whatever a file can hold
        return say(problem="This is no notebook that can be read; ask for the .ipynb file.")
    exercises = [c.metadata["exercise"] for c in cells if "exercise" in c.metadata]
    if not exercises:
        return say(problem="This is no copy of a chapter with exercises, by its title or name.")
    say(chapter=chapter.stem, exercises=sorted(exercises))
    options = {"timeout": limits["cell"], "interrupt_on_timeout": True, "allow_errors": True}
    options |= {"cwd": copy / "chapters", "env": os.environ, "on_cell_executed": told}
    try:
        course.run_cells(nbformat.v4.new_notebook(cells=cells), **options)
    except ChapterError as error:
        say(problem=str(error))
    except Exception as error:  # whatever foreign code can do to a kernel
        say(problem=f"The program ended here: exit, or no memory ({type(error).__name__}).")


# --- In the process that marks -------------------------------------------------------------------


def handed_in(folder: Path) -> list[Path]:
    """Return the files of a folder, those aside that systems hide in it; ChapterError without."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if files := [path for path in files if not hidden(path.relative_to(folder))]:
        return files
    raise ChapterError(f"{folder} is no folder with files in it. Name one: make marks FOLDER=path")


def hidden(path: PurePath) -> bool:
    """Say whether a file, or a folder around it, is one that systems write beside the reader's."""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def unpacked(name: str, file: io.BufferedIOBase, place: Path, depth: int = 0) -> Iterator[tuple]:
    """Yield (name, path) of each notebook in a file, zips opened, or (name, what is wrong)."""
    kind, path = Path(name).suffix.lower(), place / f"{len(os.listdir(place))}.ipynb"
    if kind == ".ipynb":
        path.write_bytes(content := file.read(LARGEST + 1))
        yield name, path if len(content) <= LARGEST else "This file is too large for a notebook."
    elif kind != ".zip" or depth > 1:
        yield name, "This is no notebook (.ipynb), and no zip with one."
    else:
        found = []
        try:
            with zipfile.ZipFile(file) as archive:
                parts = [info for info in archive.infolist() if not info.is_dir()]
                if sum(info.file_size + 10_000 for info in parts) > IN_ALL:
                    raise ValueError("it says that it holds gigabytes")
                for info in (i for i in parts if not hidden(PurePath(i.filename))):
                    whole = io.BytesIO(archive.open(info).read(LARGEST + 1))
                    found += unpacked(f"{name}/{info.filename}", whole, place, depth + 1)
        except Exception as error:  # whatever a zip can hold
            found.append((name, f"This zip cannot be opened: {error}."))
        yield from found or [(name, "This zip holds no notebook.")]


def marked(file: str, path: Path | str, root: Path, limits: Mapping[str, int]) -> list[dict]:
    """Return the rows of one submission, or the one that says why there are none."""
    told = [{"problem": path}] if isinstance(path, str) else _told(file, path, root, limits)
    verdicts = {record["exercise"]: record for record in told if "exercise" in record}
    first = {key: value for record in told[::-1] for key, value in record.items()}
    row = dict.fromkeys(COLUMNS, "") | {"file": file, "chapter": first.get("chapter", "")}
    row |= {"result": "not marked", "message": first.get("problem", "")}
    return [row | {"exercise": n} | verdicts.get(n, {}) for n in first.get("exercises", [""])]


def _told(file: str, path: Path, root: Path, limits: Mapping[str, int]) -> list[dict]:
    """Run a submission in processes of its own; return the records that it told."""
    env, aside = course.environment(), alone()
    # Without a network kernels are reached by files, whose paths must be short.
    short = "/tmp" if aside and os.access("/tmp", os.W_OK) else None
    room = partial(tempfile.TemporaryDirectory, ignore_cleanup_errors=True)
    with room() as folder, room(dir=short) as home:
        copy = Path(folder, "course")
        shutil.copytree(root, copy, ignore=LEFT_OUT)
        cache = Path(env.get("HAM10000_CACHE") or root / "data" / "cache")
        if cache.is_dir():
            shutil.copytree(cache, copy / "data" / "cache")
        # Of the environment only what is needed, so no password.
        env = {k: v for k, v in env.items() if re.match(GIVEN, k)}
        env |= {"HOME": home, "TMPDIR": home, "PYTHONUTF8": "1"}
        env |= {"HAM10000_DIR": course.real_data() or "phantom"}
        command = [*aside, sys.executable, "-m", "tools.teach.marks", "--one", file]
        process = subprocess.Popen(
            [*map(str, [*command, path, copy, root, json.dumps(limits)])], cwd=ROOT, env=env,
            encoding="utf-8", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        whole = psutil.Process(process.pid)
        try:
            said, ended = process.communicate(timeout=limits["notebook"])[0], "It ended here."
        except subprocess.TimeoutExpired:
            for each in [*whole.children(recursive=True)[::-1], whole]:
                with contextlib.suppress(psutil.Error):
                    each.kill()
            said = process.communicate()[0]
            ended = f"Stopped after {limits['notebook'] / 60:.0f} minutes: does a loop never end?"
    told = [json.loads(line) for line in said.splitlines() if line.endswith("}")]
    return [*told, {"problem": ended}]


def alone() -> list[str]:
    """Return the command that runs another without a network; empty where it is not allowed."""
    there = shutil.which(ALONE[0]) and subprocess.run([*ALONE, "true"], capture_output=True)
    return ALONE if there and there.returncode == 0 else []


def student_of(file: str, files: Collection[str] = ()) -> str:
    """Return who handed a file in, by Moodle's names, Canvas' names, or the first folder or zip.

    A zip is a class's where, of all `files`, notebooks stand in several folders or zips in it.
    """
    canvas = r"((?!\d+_)[^/_]+)_(?:LATE_)?(?!(?:19|20)\d\d_\d\d?_)\d+_\d+_"  # no date
    if found := re.search(rf"([^/]+_\d+)_assignsubmission|{canvas}", file):
        return found[1] or found[2]
    first, *rest = file.split("/")
    within = [name.split("/")[1:] for name in files if name.startswith(f"{first}/")]
    owners = {path[0] for path in within if path[1:] and path[-1].lower().endswith(".ipynb")}
    if rest[1:] and len(owners) > 1 and first.lower().endswith(".zip"):
        first = rest[0]
    return Path(first).stem if not rest or first.lower().endswith(".zip") else first


def write(rows: list[dict], out: Path) -> None:
    """Write the table of all rows, and a report for each student."""
    text, reports = io.StringIO(), {}
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    for row in rows:  # what begins like a formula would be one in a spreadsheet
        table.writerow({k: re.sub(r"^(?=[=+@-])", "'", str(v)) for k, v in row.items()})
        where = f"{row['chapter'] or row['file']}, exercise {row['exercise'] or '–'}"
        line = f"- {where}: **{row['result']}**. {html.escape(row['message'])}"
        reports.setdefault(row["student"], [f"# {row['student']}\n"]).append(line)
    files = {"marks.csv": "\ufeff" + text.getvalue()}  # by this mark Excel knows UTF-8
    for student, lines in reports.items():
        name = re.sub(r"[^\w. -]+", "_", student)[:50]  # of up to four bytes; 255 are the most
        while f"{name}.md".lower() in map(str.lower, files):  # two names can become one
            name += "+"
        files[f"{name}.md"] = "\n".join(lines)
    for name, content in files.items():
        replace_file(out / name, content.encode("utf-8", "replace"))


def mark(
    folder: Path, *, out: Path = OUT, root: Path = ROOT, limits: Mapping[str, int] = LIMITS
) -> list[dict]:
    """Mark all that lies in a folder; return the rows of the table, which is written to `out`."""
    files = handed_in(folder)
    for old in [*out.glob("*.md"), *out.glob("*.csv")]:
        old.unlink()
    rows, found = [], []
    with tempfile.TemporaryDirectory() as place:
        for path in files:
            with path.open("rb") as file:
                found += unpacked(path.relative_to(folder).as_posix(), file, Path(place))
        names = [name for name, _ in found]
        for name, path in tqdm(found, desc="  notebooks"):
            own = {"student": student_of(name, names)}
            rows += [row | own for row in marked(name, path, root, limits)]
            write(rows, out)
    return rows


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        file, *paths, given = sys.argv[2:]
        limits = json.loads(given)
        with contextlib.suppress(ImportError, ValueError, OSError):  # as far as the system has it
            import resource

            resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"], limits["memory"]))
            resource.setrlimit(resource.RLIMIT_FSIZE, (IN_ALL, IN_ALL))
        run(file, *map(Path, paths), limits)
    else:
        handed_in(folder := Path(os.path.expanduser(sys.argv[1])))
        course.best_images()  # fills the cache once
        if not alone():
            print("Here is no room without a network (unshare): the guide says what that means.")
        results = Counter(row["result"] for row in mark(folder))
        print(", ".join(f"{count} {result}" for result, count in results.items()))
        print(f"{OUT.relative_to(ROOT)}/marks.csv, and beside it a report for each student")
