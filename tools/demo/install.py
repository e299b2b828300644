"""`python -m tools.demo.install`: put the page "Try it" together in the rendered book.

Not into the staged book: Jupyter Book loads every script and style sheet below ``_static/`` on
every page, and these are for one page only.
"""

import gzip
import shutil
import sys
from pathlib import Path

from tools.book import npm
from tools.book.course import ROOT, emptied, run_python
from utils.files import write_json

# Name in the package onnxruntime-web → name here. The smallest build that runs the model:
# WebAssembly only, its own JavaScript bundled.
RUNTIME = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm.gz"}
MODEL, LARGE = ("manifest.json", "model.onnx"), "large.onnx"  # the latter only when asked for
PAGE = ("*.js", "*.css", "samples/*.png")


def install(html: Path, *, root: Path = ROOT) -> list[str]:
    """Fill ``_static/demo/`` of a rendered book; return what is missing, a sentence each."""
    place = emptied(html / "_static" / "demo")
    (place / "samples").mkdir()
    for path in (path for pattern in PAGE for path in (root / "demo").glob(pattern)):
        shutil.copyfile(path, place / path.relative_to(root / "demo"))
    missing = [*filter(None, (_install_runtime(place, root), _install_model(place, root)))]
    loaded = filter(Path.is_file, (place / name for name in (*RUNTIME.values(), *MODEL)))
    # The first line for the page, all of it for who builds the book.
    build = {"ready": not missing, "missing": [problem.splitlines()[0] for problem in missing]}
    write_json(place / "build.json", build | {"bytes": sum(p.stat().st_size for p in loaded)})
    return missing


def _install_runtime(place: Path, root: Path) -> str:
    try:
        package = npm.install(root / "demo", root=root) / "onnxruntime-web"
    except npm.NpmError as error:
        return f"The runtime onnxruntime-web is missing.\n{error}"
    for name, here in RUNTIME.items():
        content = (package / "dist" / name).read_bytes()
        if here.endswith(".gz"):  # servers differ in what they compress
            content = gzip.compress(content, 9, mtime=0)
        (place / here).write_bytes(content)
    return ""


def _install_model(place: Path, root: Path) -> str:
    # It writes nothing if nothing has changed, and fetches no data.
    done = run_python(["-m", "tools.demo.export_demo"], cwd=root)
    if done.returncode:
        return f"The model could not be exported.\n{done.stdout.strip()[-1500:]}"
    for name in (*MODEL, LARGE):
        shutil.copyfile(root / "_build" / "demo" / name, place / name)
    return ""


if __name__ == "__main__":
    book = Path(*sys.argv[1:2] or (ROOT, "_build", "html"))
    problems = install(book)
    # That the page lacks a model is said and is no error.
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    print("The page Try it is without a model." if problems else "The page Try it is complete.")
