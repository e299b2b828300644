"""What the commands share: the chapters in the book's order, running one, staging the book."""

import ast
import atexit
import base64
import errno
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import nbformat
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image
from tqdm import tqdm
from traitlets.config import Config

from utils.files import named_source

ROOT = Path(__file__).resolve().parents[2]
NOTES = r"(?m)^(?:WARNING: All log messages before absl|I0000 ).*\n"  # TensorFlow's, on the CPU
# A chapter's metadata, whatever an editor made of them.
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
TRAINS = "05"  # the chapter that trains the network; its cell `parameters` takes EPOCHS


class ChapterError(SystemExit):
    """What a command cannot do; where nothing catches it, Python prints its message and no more."""


def end(kind: type, error: BaseException, trace: types.TracebackType | None) -> None:
    """End a command in a sentence where the disk refused it; print all other errors in full."""
    why = error.args[0][0][2] if isinstance(error, shutil.Error) else str(error)  # of copytree
    cure = "Make room, or make the folder writable"
    if any(f"[Errno {code}]" in why for code in (errno.ENOLCK, errno.EOPNOTSUPP)):
        cure = "This disk keeps no locks: copy the course to a disk of this computer"
    codes = (errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EROFS, errno.ENOLCK, errno.EOPNOTSUPP)
    if isinstance(error, OSError) and any(f"[Errno {code}]" in why for code in codes):
        sys.exit(f"{why}\n{cure}; then type the command again.")
    sys.__excepthook__(kind, error, trace)


sys.excepthook = end


def chapters(root: Path = ROOT) -> list[Path]:
    """Return the chapters' notebooks in the order of ``_toc.yml``."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = (entry["file"] for part in toc["parts"] for entry in part["chapters"])
    return [root / f"{file}.ipynb" for file in files if file.startswith("chapters/")]


def environment() -> dict[str, str]:
    """Return the environment in which chapters run: `os.environ` with what the kernels need.

    Relative folders are made absolute, because kernels start in ``chapters/``.
    """
    env = dict(os.environ)
    if cache := named_source("HAM10000_CACHE"):
        env["HAM10000_CACHE"] = str(ROOT / os.path.expanduser(cache))
    if folder := named_source():
        whole = str(Path(os.path.expanduser(folder)).resolve())
        env["HAM10000_DIR"] = folder if folder == "phantom" else whole
    env.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no notes of TensorFlow about the machine
    env["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one in the home folder
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    env["IPYTHONDIR"] = str(ROOT / ".ipython")  # not the settings in the home folder
    return env


def run_python(
    arguments: Sequence[str | Path], *,
    env: Mapping[str, str] | None = None, cwd: Path = ROOT, capture: bool = True,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run ``python arguments…`` in `env`, else in the chapters' environment; UTF-8 both ways."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if capture else {}
    env = {**(env or environment()), "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, encoding="utf-8", errors="replace", **streams)


def real_data() -> str | None:
    """Return HAM10000_DIR, or data/raw if more is in it than a killed download left."""
    if folder := environment().get("HAM10000_DIR"):
        return None if folder == "phantom" else folder
    raw = ROOT / "data" / "raw"
    filled = raw.is_dir() and any(not re.match(r"\.|tmp\w{8}$", p.name) for p in raw.iterdir())
    return str(raw) if filled else None


def best_images():
    """Load the best data there is; ChapterError, with what to do, if that cannot be used."""
    from utils.data import DataError, load_ham10000  # here, because `make book` needs no numpy

    try:
        return load_ham10000()
    except DataError as error:
        raise ChapterError(str(error)) from error


def real_images():
    """Load the real images with their lesion ids; ChapterError, with what to do, without them."""
    dataset = best_images()
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


def small(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Give a chapter the values for a trial run that its cell ``parameters`` carries; return it."""
    cells = (c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
    return with_values(notebook, next((c.metadata.get("small", {}) for c in cells), {}))


def with_values(notebook: nbformat.NotebookNode, values: Mapping) -> nbformat.NotebookNode:
    """Write values for a chapter's parameters into a cell behind those; return the chapter."""
    tagged = ["parameters" in c.metadata.get("tags", ()) for c in notebook.cells]
    if values:
        lines = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        fresh = nbformat.v4.new_code_cell(lines, metadata={"tags": ["injected-parameters"]})
        notebook.cells.insert(tagged.index(True) + 1, fresh)
    return notebook


def with_palette(picture: str) -> str:
    """Return a PNG (base64) with at most 256 colours, if that makes it smaller."""
    image, file = Image.open(io.BytesIO(base64.b64decode(picture))), io.BytesIO()
    image.convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    smaller = base64.b64encode(file.getvalue()).decode()
    return min(picture, smaller, key=len)


def execute(notebook: Path, copy: Path, *, parameters: Mapping[str, object] | None = None) -> float:
    """Run a chapter in its own folder, which only reads it; return the seconds it took.

    `copy` is the file of the executed copy. `parameters` are values for the cell tagged
    ``parameters``; with ``COURSE_QUICK=1`` the chapter's small values are given too.
    """
    from nbconvert.filters import strip_ansi  # here, because it takes a second

    ran, start = nbformat.read(notebook, as_version=4), time.perf_counter()
    with_values(ran, parameters or {})
    if os.environ.get("COURSE_QUICK") == "1":
        small(ran)  # in a cell before that one
    # A live line on a terminal, a line every 20 s elsewhere.
    look = {"leave": False, "mininterval": 0.1 if sys.stderr.isatty() else 20}
    bar = tqdm(total=len(ran.cells), desc=f"  {notebook.stem}", **look)
    try:
        after = {"on_cell_executed": lambda cell_index, **_: bar.update(cell_index + 1 - bar.n)}
        run_cells(ran, cwd=notebook.parent, env=environment(), **after)
    except CellExecutionError as error:
        raise ChapterError(
            f"{notebook.name} stopped with {error.ename}.\n{strip_ansi(str(error)).strip()}\n"
            f"The copy up to that cell: {copy}"
        ) from None
    finally:
        bar.close()
        ran.metadata.pop("widgets", None)
        for cell in (cell for cell in ran.cells if cell.cell_type == "code"):
            if "remove-output" in cell.metadata.get("tags", ()):  # a slider lives with its kernel
                cell.outputs = [output for output in cell.outputs if "ename" in output]
            for output in cell.outputs:
                if picture := output.get("data", {}).get("image/png"):
                    output.data["image/png"] = with_palette(picture)
                elif output.get("name") == "stderr":
                    output.text = re.sub(NOTES, "", output.text)
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
        copy.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(ran, copy)
    return time.perf_counter() - start


def run_cells(
    notebook: nbformat.NotebookNode, *, cwd: Path, env: Mapping[str, str],
    log: int | IO = subprocess.DEVNULL, **options,
) -> None:  # fmt: skip
    """Run the cells in a kernel of this Python; what the process itself says goes to `log`."""
    with tempfile.TemporaryDirectory() as folder:
        files = os.name != "nt" and len(os.fsencode(folder)) < 90  # else open ports, with a warning
        sockets = {"transport": "ipc", "ip": f"{folder}/kernel"} if files else {}
        options |= {"kernel_name": "python3", "config": Config({"KernelManager": sockets})}
        client = NotebookClient(notebook, **options)
        client.create_kernel_manager().kernel_spec.argv[0] = sys.executable
        client.comm_open_handlers.clear()  # answering a slider it can miss the kernel's own answer
        try:
            client.execute(cwd=str(cwd), env=dict(env), stdout=log, stderr=log)
        except RuntimeError:
            atexit.unregister(client._cleanup_kernel)  # which fails for a kernel that never was
            raise


def definitions(number: str) -> types.ModuleType:
    """Return the functions, classes and CONSTANTS of a chapter's cells, without running the rest.

    The notebook is the one place where they stand; tools and tests take them from there. `number`
    begins the file's name: ``"09"``. What needs the chapter's variables cannot be called.
    """
    (path,) = (ROOT / "chapters").glob(f"{number}_*.ipynb")
    module = types.ModuleType(f"chapter_{number}", f"Definitions of {path.name}.")
    for index, cell in enumerate(nbformat.read(path, as_version=4).cells):
        others = {"parameters", "exercise", "solution", "quiz"} & set(cell.metadata.get("tags", ()))
        if cell.cell_type == "code" and not others and index != 2:  # 2: the set-up cell
            tree = ast.parse(cell.source)
            tree.body = [*filter(defines, tree.body)]
            exec(compile(tree, f"{path.name}, cell {index + 1}", "exec"), module.__dict__)
    return module


def defines(statement: ast.stmt) -> bool:
    """Say whether a statement imports, or makes a function, a class or CONSTANTS."""
    if isinstance(statement, ast.Assign):
        names = [n.id for t in statement.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        return all(name.isupper() for name in names)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def emptied(folder: Path) -> Path:
    """Return a folder that is there, whatever was in it removed."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def copy_working_tree(folder: Path, *parts: str, root: Path = ROOT) -> None:
    """Copy into `folder` the files that git knows or does not ignore: all, or those of `parts`."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *parts]
    needs = "This needs git and a clone of the course, to know its files."
    if not shutil.which("git"):
        raise ChapterError(needs)
    done = subprocess.run(listed, cwd=root, capture_output=True)
    if done.returncode:
        raise ChapterError(f"{needs} Git says:\n{done.stderr.decode(errors='replace').strip()}")
    for name in filter(None, done.stdout.decode().split("\0")):
        if (root / name).is_file():  # a file that was removed is listed until that is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
