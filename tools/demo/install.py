"""`python -m tools.demo.install`: put the page "Try it" together in the rendered book.

Its files, the runtime from npm and the exported model go there, and not into the staged book:
Jupyter Book loads every script and style sheet below ``_static/`` on every page, and these are for
one page only.
"""

import gzip
import shutil
import sys
from pathlib import Path

from tools.book import npm
from tools.book.course import ROOT, run_python
from utils.files import replace_file, write_json

# Name in the package onnxruntime-web → name here. The smallest build that runs the model:
# WebAssembly only, its own JavaScript bundled.
RUNTIME = {
    "ort.wasm.bundle.min.mjs": "ort.js",
    "ort-wasm-simd-threaded.wasm": "ort.wasm.gz",
}
MODEL = ("manifest.json", "model.onnx")
PAGE = ("*.js", "*.css", "samples/*.png")


def install(html: Path, *, root: Path = ROOT) -> list[str]:
    """Fill ``_static/demo/`` of a rendered book; return what is missing, a sentence each.

    The book is whole without runtime or model: the page says that they are missing, and why.
    """
    place = html / "_static" / "demo"
    shutil.rmtree(place, ignore_errors=True)
    (place / "samples").mkdir(parents=True)
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
        path = package / "dist" / name
        if here.endswith(".gz"):
            # Servers differ in what they compress; packed here, it is small from all of them.
            packed = package.parents[1] / here
            if not packed.is_file() or packed.stat().st_mtime < path.stat().st_mtime:
                replace_file(packed, gzip.compress(path.read_bytes(), 9, mtime=0))
            path = packed
        shutil.copyfile(path, place / here)
    return ""


def _install_model(place: Path, root: Path) -> str:
    # It writes nothing if nothing has changed, and fetches no data.
    done = run_python(["-m", "tools.demo.export_demo"], cwd=root)
    if done.returncode:
        return f"The model could not be exported.\n{done.stdout.strip()[-1500:]}"
    for name in MODEL:
        shutil.copyfile(root / "_build" / "demo" / name, place / name)
    return ""


def main() -> None:
    """Complete the rendered book; that its page lacks a model is said and is no error."""
    html = Path(*sys.argv[1:2] or (ROOT, "_build", "html"))
    if not (html / "try-it.html").is_file():
        sys.exit(f"{html} holds no rendered book with this page; run `make book`.")
    missing = install(html)
    print(*missing, sep="\n", end="\n" if missing else "", file=sys.stderr)
    print("The page Try it is without a model." if missing else "The page Try it is complete.")


if __name__ == "__main__":
    main()
