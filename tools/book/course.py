"""What the commands share: the chapters in the book's order, running one, staging the book."""

import base64
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
TRAINS = "05"  # the chapter that trains the network; its cell `parameters` takes EPOCHS

# TensorFlow's C++ log while it starts: dates and CPU features of one machine, no Python warning.
NATIVE_LOG = re.compile(
    r"^(?:WARNING: All log messages before absl::InitializeLog\(\)"
    r"|[IW]\d{4} [\d:. ]+ +\d+ \w+\.cc:\d+\]"
    r"|To enable the following instructions:).*\n?",
    re.MULTILINE,
)


class ChapterError(Exception):
    """A chapter did not run to its end; the message says where and why."""


def chapters(root: Path = ROOT) -> list[Path]:
    """Return the chapters' notebooks in the order of ``_toc.yml``, which all have to be there."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = (entry["file"] for part in toc["parts"] for entry in part["chapters"])
    paths = [root / f"{file}.ipynb" for file in files if file.startswith("chapters/")]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"_toc.yml names chapters that do not exist: {', '.join(missing)}")
    return paths


def environment() -> dict[str, str]:
    """Return the environment in which chapters run: `os.environ` with what the kernels need.

    A relative ``HAM10000_DIR`` is made absolute, because kernels start in ``chapters/``.
    TensorFlow's C++ log stays out of the outputs, as on Colab.
    """
    env = dict(os.environ)
    folder = env.get("HAM10000_DIR", "")
    if folder and folder != "phantom":
        env["HAM10000_DIR"] = str(Path(folder).expanduser().resolve())
    env.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    env["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one in the home folder
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return env


def run_python(
    arguments: Sequence[str | Path],
    *,
    python: str | Path = sys.executable,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    capture: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run ``python arguments…`` in `env`, else in the chapters' environment; UTF-8 both ways."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if capture else {}
    env = {**(environment() if env is None else env), "PYTHONUTF8": "1"}
    command = [str(python), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, encoding="utf-8", errors="replace", **streams)


def real_data() -> str | None:
    """Return the folder with real images: HAM10000_DIR, or data/raw if something is in it."""
    folder = environment().get("HAM10000_DIR")
    if folder:
        return None if folder == "phantom" else folder
    raw = ROOT / "data" / "raw"
    filled = raw.is_dir() and any(not p.name.startswith(".") for p in raw.iterdir())
    return str(raw) if filled else None


def real_images():
    """Load the real images with their lesion ids; ChapterError, with what to do, without them."""
    from utils.data import DataError, load_ham10000  # here, because `make book` needs no numpy

    try:
        dataset = load_ham10000()
    except DataError as error:
        raise ChapterError(str(error)) from error
    if dataset.is_phantom or not dataset.has_lesions:
        raise ChapterError(
            f"This needs the real images with lesion ids; here is: {dataset.source}. Put them into "
            "data/raw/, or name their folder in HAM10000_DIR (data-and-licence.md says how)."
        )
    return dataset


def data_of(notebook: nbformat.NotebookNode) -> str | None:
    """Return the data an executed chapter says it ran on: the line that the loader prints."""
    line = re.search(r"^Data: (.+?), [\d,]+ images", text_output(notebook), re.MULTILINE)
    return line[1] if line else None


def text_output(notebook: nbformat.NotebookNode) -> str:
    """Return everything the code cells of `notebook` say in text: streams, results, HTML."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return "\n".join(text for output in outputs for text in output_texts(output))


def output_texts(output: nbformat.NotebookNode) -> list[str]:
    """Return the texts of one output: a stream, a traceback, or all text forms of a result."""
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return ["\n".join(output.traceback)]
    return [str(value) for kind, value in output.data.items() if not kind.startswith("image/p")]


def pictures(cell: nbformat.NotebookNode) -> list[bytes]:
    """Return the PNG files of the pictures that a cell shows."""
    shown = [output.get("data", {}) for output in cell.get("outputs", ())]
    return [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]


def png_size(picture: bytes) -> tuple[int, int]:
    """Return width and height in pixels, which stand at the beginning of a PNG file."""
    return struct.unpack(">II", picture[16:24])


def small_values(notebook: nbformat.NotebookNode) -> dict[str, object]:
    """Return the small values for a trial run that the cell tagged ``parameters`` carries."""
    cells = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    return {name: value for cell in cells for name, value in cell.metadata.get("small", {}).items()}


def small(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Write the small values of a chapter into a cell behind its parameters; return the chapter."""
    lines = [f"{name} = {value!r}" for name, value in small_values(notebook).items()]
    tagged = ["parameters" in c.metadata.get("tags", ()) for c in notebook.cells]
    if lines:
        fresh = nbformat.v4.new_code_cell("\n".join(lines))
        notebook.cells.insert(tagged.index(True) + 1, fresh)
    return notebook


def with_palette(picture: str) -> str:
    """Return a PNG (base64) with at most 256 colours, if that makes it smaller."""
    from PIL import Image

    image, file = Image.open(io.BytesIO(base64.b64decode(picture))), io.BytesIO()
    image.convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    smaller = base64.b64encode(file.getvalue()).decode()
    return min(picture, smaller, key=len)


def execute(notebook: Path, copy: Path, *, parameters: Mapping[str, object] | None = None) -> float:
    """Run a chapter in its own folder, which only reads it; return the seconds it took.

    `copy` is the file of the executed copy. `parameters` are values for the cell tagged
    ``parameters``; with ``COURSE_QUICK=1`` the chapter's small values are given too. Raises
    ChapterError if a cell fails; the message names chapter, cell and the end of the traceback.
    """
    import papermill  # here, because it takes a second that `make book` does not need
    from jupyter_client.manager import AsyncKernelManager
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    class Quiet(AsyncKernelManager):
        """Keeps TensorFlow's own start-up notes from the terminal; what cells say is kept."""

        async def _async_launch_kernel(self, command, **options) -> None:
            await super()._async_launch_kernel(command, stderr=subprocess.DEVNULL, **options)

    copy.parent.mkdir(parents=True, exist_ok=True)
    if os.environ.get("COURSE_QUICK") == "1":
        parameters = small_values(nbformat.read(notebook, as_version=4)) | dict(parameters or {})
    # A live line on a terminal, a line every 20 s elsewhere.
    every = 0.1 if sys.stderr.isatty() else 20
    # Sockets of the file system where there are some: no open ports, and no warning about them.
    config = Config({} if os.name == "nt" else {"KernelManager": {"transport": "ipc"}})
    before = dict(os.environ)
    os.environ.update(environment())
    start = time.perf_counter()
    try:
        papermill.execute_notebook(
            notebook,
            copy,
            parameters=dict(parameters or {}),
            kernel_name="python3",
            language="python",
            cwd=notebook.parent,
            progress_bar={"desc": f"  {notebook.stem}", "leave": False, "mininterval": every},
            kernel_manager_class=Quiet,
            config=config,
        )
    except PapermillExecutionError as error:
        trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)).splitlines()
        raise ChapterError(
            f"{notebook.name}, code cell {error.exec_count} stopped with {error.ename}.\n"
            f"The cell begins: {(error.source.strip().splitlines() or [''])[0]}\n"
            + "\n".join(f"    {line}" for line in trace[-12:])
            + f"\nThe copy up to that cell: {copy}"
        ) from None
    finally:
        os.environ.clear()
        os.environ.update(before)
    seconds = time.perf_counter() - start
    ran = nbformat.read(copy, as_version=4)
    for cell in (cell for cell in ran.cells if cell.cell_type == "code"):
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = NATIVE_LOG.sub("", output.text)
            elif picture := output.get("data", {}).get("image/png"):
                output.data["image/png"] = with_palette(picture)
        cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    nbformat.write(ran, copy)
    return seconds


def copy_working_tree(folder: Path, *, root: Path = ROOT) -> None:
    """Copy into `folder` the files that git knows or does not ignore, as they stand."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=root, capture_output=True)
    if done.returncode:
        raise ChapterError("This needs git and a clone of the course, to know its files.")
    for name in filter(None, done.stdout.decode().split("\0")):
        if (root / name).is_file():  # a file that was removed is listed until that is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
