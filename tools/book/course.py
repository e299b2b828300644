"""What the commands share: the chapters in the book's order, running one, staging the book."""

import base64
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]

# What the book is made of besides the chapters.
PAGES = ("*.md", "data/README.md", "models/README.md", "*.bib", "_config.yml", "_toc.yml")


@dataclass(frozen=True)
class Data:
    """What ``utils.data.load_ham10000()`` returns here, in words."""

    source: str
    fingerprint: str
    is_phantom: bool
    has_lesion_ids: bool


class ChapterError(Exception):
    """A chapter did not run to its end; the message says where and why."""


def chapters(root: Path = ROOT) -> list[Path]:
    """Return the chapters' notebooks in the order of ``_toc.yml``.

    Raises
    ------
    FileNotFoundError
        If ``_toc.yml`` names a chapter that does not exist.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [
        entry["file"]
        for part in toc["parts"]
        for entry in part["chapters"]
        if entry["file"].startswith("chapters/")
    ]
    paths = [root / f"{name}.ipynb" for name in names]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"_toc.yml names chapters that do not exist: {', '.join(missing)}")
    return paths


def environment() -> dict[str, str]:
    """Return the environment in which chapters run: `os.environ` with what the kernels need.

    A relative ``HAM10000_DIR`` is made absolute, because kernels start in ``chapters/``; the
    word ``phantom`` stays as it is. TensorFlow's C++ log, which Colab hides as well, is
    machine-specific noise (dates, CPU flags), so it stays out of the outputs.
    """
    env = dict(os.environ)
    folder = env.get("HAM10000_DIR", "")
    if folder and folder != "phantom":
        env["HAM10000_DIR"] = str(Path(folder).expanduser().resolve())
    env.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    env["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one in the home folder
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return env


def probe_data(root: Path = ROOT) -> Data:
    """Load the data once in a process of its own (so it is cached) and say what it is.

    Raises
    ------
    ChapterError
        If the data cannot be loaded; the loader has said why.
    """
    code = (
        "from utils.data import load_ham10000\n"
        "d = load_ham10000()\n"
        "print('\\n@', d.source, '@', d.fingerprint, '@', d.is_phantom, '@', "
        "not d.metadata['lesion_id'].isna().any())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    if done.returncode:
        raise ChapterError("The data could not be loaded; the reason stands above.")
    source, fingerprint, phantom, lesions = (
        word.strip() for word in done.stdout.splitlines()[-1].split("@")[1:]
    )
    return Data(source, fingerprint, phantom == "True", lesions == "True")


def gpu_name(root: Path = ROOT) -> str | None:
    """Return the name of the GPU that Keras would use, or None where there is none."""
    code = (
        "import keras\n"
        "b = keras.backend.backend()\n"
        "if b == 'torch':\n"
        "    import torch; n = ['torch GPU'] if torch.cuda.is_available() else []\n"
        "elif b == 'jax':\n"
        "    import jax; n = [d.device_kind for d in jax.devices() if d.platform == 'gpu']\n"
        "else:\n"
        "    import tensorflow as tf\n"
        "    n = [tf.config.experimental.get_device_details(d).get('device_name', 'GPU')\n"
        "         for d in tf.config.list_physical_devices('GPU')]\n"
        "print('@', n[0] if n else '')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise ChapterError(f"Keras cannot be imported:\n{done.stderr[-1500:]}")
    return done.stdout.rpartition("@")[2].strip() or None


def data_of(notebook: nbformat.NotebookNode) -> str | None:
    """Return the data an executed chapter says it ran on: the line that the loader prints."""
    found = re.search(r"^Data: (.+?), [\d,]+ images", text_output(notebook), re.MULTILINE)
    return found.group(1) if found else None


def text_output(notebook: nbformat.NotebookNode) -> str:
    """Return everything the code cells of `notebook` say in text: streams, results, HTML."""
    return "\n".join(
        text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        for text in output_texts(output)
    )


def output_texts(output: nbformat.NotebookNode) -> list[str]:
    """Return the texts of one output: a stream, a traceback, or all text forms of a result."""
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return ["\n".join(output.traceback)]
    return [str(value) for kind, value in output.data.items() if not kind.startswith("image/p")]


def pictures(cell: nbformat.NotebookNode) -> list[int]:
    """Return the sizes in bytes of the pictures that a code cell shows."""
    return [
        len(base64.b64decode(output.data["image/png"]))
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ] + [
        len(output.data["image/svg+xml"].encode())
        for output in cell.get("outputs", ())
        if "image/svg+xml" in output.get("data", {})
    ]


def takes_epochs(notebook: Path) -> bool:
    """Say whether `notebook` has a cell tagged ``parameters`` that assigns EPOCHS."""
    return any(
        "parameters" in cell.metadata.get("tags", ())
        and re.search(r"^EPOCHS\b.*=", cell.source, re.MULTILINE)
        for cell in nbformat.read(notebook, as_version=4).cells
    )


class _Progress:
    """Says which cell is running: a live line on a terminal, a line every 20 s elsewhere."""

    def __init__(self, label: str, cells: int) -> None:
        self.label, self.cells, self.cell = label, cells, 0
        self.start = time.perf_counter()
        self.live = sys.stderr.isatty()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def next_cell(self, *, cell: nbformat.NotebookNode, **_: object) -> None:
        self.cell += cell.cell_type == "code"

    def _run(self) -> None:
        while not self._stop.wait(1 if self.live else 20):
            seconds = time.perf_counter() - self.start
            line = f"  {self.label}: code cell {self.cell} of {self.cells}, {seconds:.0f} s"
            print(f"\r\033[K{line}" if self.live else line, end="" if self.live else "\n",
                  file=sys.stderr, flush=True)  # fmt: skip

    def __enter__(self) -> "_Progress":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def execute(notebook: Path, copy: Path, *, parameters: Mapping[str, object] | None = None) -> float:
    """Run a copy of `notebook` in the notebook's own folder.

    Parameters
    ----------
    notebook : Path
        The chapter; it is only read.
    copy : Path
        Where the executed copy goes; its folder is made.
    parameters : mapping, optional
        Values for the cell tagged ``parameters``; they show as a cell of their own.

    Returns
    -------
    float
        Seconds from the kernel's start to its end.

    Raises
    ------
    ChapterError
        If a cell fails; the message names the chapter, the cell and the end of the traceback.
    """
    import papermill  # here, because it takes a second that `make book` does not need
    from papermill.exceptions import PapermillExecutionError

    copy.parent.mkdir(parents=True, exist_ok=True)
    code_cells = sum(c.cell_type == "code" for c in nbformat.read(notebook, 4).cells)
    before = dict(os.environ)
    os.environ.update(environment())
    start = time.perf_counter()
    try:
        with _Progress(notebook.stem, code_cells + bool(parameters)) as progress:
            papermill.execute_notebook(
                notebook,
                copy,
                parameters=dict(parameters or {}),
                kernel_name="python3",
                language="python",
                cwd=notebook.parent,
                progress_bar=False,
                on_cell_start=progress.next_cell,
                config=_kernel_config(),
            )
    except PapermillExecutionError as error:
        trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)).splitlines()
        raise ChapterError(
            f"{notebook.name}, code cell {progress.cell} stopped with {error.ename}.\n"
            f"The cell begins: {(error.source.strip().splitlines() or [''])[0]}\n"
            + "\n".join(f"    {line}" for line in trace[-12:])
            + f"\nThe copy up to that cell: {copy}"
        ) from None
    finally:
        os.environ.clear()
        os.environ.update(before)
    return time.perf_counter() - start


def copy_working_tree(folder: Path, *, root: Path = ROOT) -> None:
    """Copy into `folder` the files that git knows or does not ignore, as they stand.

    Raises
    ------
    ChapterError
        If `root` is no clone, so that git cannot say which files belong to the course.
    """
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=root, capture_output=True)
    if done.returncode:
        raise ChapterError("This needs git and a clone of the course, to know its files.")
    for name in filter(None, done.stdout.decode().split("\0")):
        if (root / name).is_file():  # a file that was removed is listed until that is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)


def _kernel_config():
    from traitlets.config import Config

    # Sockets of the file system where there are some: no open ports, and no warning about them.
    return Config({} if os.name == "nt" else {"KernelManager": {"transport": "ipc"}})


def stage(folder: Path, *, root: Path = ROOT, with_chapters: bool = True) -> None:
    """Put what the book is made of into `folder`, emptied before, away from everything else.

    The chapters' links to pages of the published book, which work on Colab too, become references
    within the book.
    """
    from tools.book.glossary import as_roles, within_book  # here, because it imports this module

    shutil.rmtree(folder, ignore_errors=True)
    (folder / "chapters").mkdir(parents=True)
    for pattern in PAGES:
        for page in root.glob(pattern):
            copy = folder / page.relative_to(root)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy2(page, copy)
    for pages in ("_static", "teaching"):
        shutil.copytree(root / pages, folder / pages)
    if with_chapters:
        roles, relative = as_roles(root), within_book(root)
        for chapter in chapters(root):
            notebook = nbformat.read(chapter, as_version=4)
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = relative(roles(cell.source))
            nbformat.write(notebook, folder / "chapters" / chapter.name)


def render(folder: Path) -> subprocess.CompletedProcess[str]:
    """Render the staged book in `folder` to ``folder/_build/html``; warnings are errors.

    Returns
    -------
    CompletedProcess
        With both output streams in `stdout`; `returncode` is 0 only if there was no warning.
    """
    return subprocess.run(
        [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
        + ["build", str(folder), "-W", "--keep-going", "--quiet"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def publish_html(folder: Path, *, root: Path = ROOT) -> Path:
    """Render the staged book in `folder` and put it at ``_build/html``; return its first page.

    The page "Try it" gets the model and what runs it; where they cannot be had, it is said here
    and on the page.

    Raises
    ------
    ChapterError
        If the rendering gave an error or a warning; the book that was there before stays.
    """
    done = render(folder)
    if done.returncode:
        raise ChapterError(f"The book could not be rendered:\n{done.stdout[-4000:]}")
    from tools.book import mathjax  # here, because they import this module
    from tools.demo import demo  # here, because they import this module

    for problem in demo.install(folder / "_build" / "html", root=root):
        print(f"The page Try it is without its model. {problem}", file=sys.stderr, flush=True)
    if problem := mathjax.install(folder / "_build" / "html", root=root):
        print(problem, file=sys.stderr, flush=True)
    html, old = root / "_build" / "html", root / "_build" / "html.old"
    shutil.rmtree(old, ignore_errors=True)
    if html.exists():
        html.rename(old)
    (folder / "_build" / "html").rename(html)
    shutil.rmtree(old, ignore_errors=True)
    return html / "index.html"
