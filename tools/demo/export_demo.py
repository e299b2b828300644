"""Export the published model for the page "Try it": `_build/demo/model.onnx` and `manifest.json`.

`python -m tools.demo.export_demo` needs no real images, and writes nothing if nothing has changed.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tools.book.chapter_code import definitions
from tools.book.course import ROOT, ChapterError
from utils.data.phantom import sample
from utils.files import hash_file, replace_file, write_json

FOLDER = ROOT / "_build" / "demo"
CHECKED = 256  # images
TOLERANCE = 1e-4  # largest allowed difference of a probability
SOURCES = (
    *(f"models/best{end}" for end in (".weights.h5", ".json", "-refusal.json", "-manifest.json")),
    *(f"utils/{name}.py" for name in ("models", "refusal")),
    "chapters/13_putting_it_to_use.ipynb",
    "tools/demo/export_demo.py",
)


def state(root: Path = ROOT) -> str:
    """Return a check sum of everything that the export depends on."""
    sums = "".join(f"{name} {hash_file(root / name)} " for name in SOURCES)
    return hashlib.sha256(sums.encode()).hexdigest()


def is_current(folder: Path, now: str) -> bool:
    """Say whether the folder holds an export of this state, whole."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        whole = hash_file(folder / manifest["model"]) == manifest["sha256"]
        return whole and manifest["made_from"] == now
    except (OSError, ValueError, KeyError):
        return False


def export(folder: Path = FOLDER) -> bool:
    """Write the folder unless it is current; return whether. After an error the old files stay."""
    now = state()
    if is_current(folder, now):
        return False
    from utils.refusal import ask, published  # Keras, which takes seconds

    model, manifest = published()
    images = sample()[0]
    images = images[:: len(images) // CHECKED][:CHECKED].astype(np.float32)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        definitions("13").export_onnx(model, path)
        facts = {"model": path.name, "sha256": hash_file(path), "bytes": path.stat().st_size}
        write_json(path.with_name("manifest.json"), manifest | facts)
        check = compare(asker(path, manifest), partial(ask, model), images)
        replace_file(folder / path.name, path.read_bytes())
    facts |= {"check": check | {"images_are": "the phantom"}, "made_from": now}
    write_json(folder / "manifest.json", manifest | facts)
    return True


def asker(path: Path, manifest: dict) -> Callable:
    """Return what asks an exported model: `utils.predict.Answerer.ask`, without Keras."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [manifest["outputs"][name] for name in ("probabilities", "strangeness")]
    return lambda images: tuple(session.run(names, {manifest["input"]["name"]: images}))


def compare(ask_file: Callable, ask_model: Callable, images: np.ndarray) -> dict:
    """Ask both about float32 images (n, 28, 28, 3); raise ChapterError unless they agree."""
    by_file, by_model = ask_file(images), ask_model(images)
    same = by_file[0].argmax(axis=1) == by_model[0].argmax(axis=1)
    largest = float(np.max([np.abs(a - b).max() for a, b in zip(by_file, by_model, strict=True)]))
    if not same.all() or not largest <= TOLERANCE:
        raise ChapterError(
            f"model.onnx does not answer as the model does: {(~same).sum()} of {len(images)} "
            f"images get another top class, the largest difference is {largest:.2g} "
            f"({TOLERANCE:g} is allowed)."
        )
    return {"images": len(images), "same_class": 1.0, "largest_difference": largest}


def main() -> None:
    """Export; end with a message if that cannot be done."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        written = export()
    except ImportError as error:
        packages = "onnx, tf2onnx and onnxruntime (with PyTorch as backend: onnxscript)"
        sys.exit(f"The model cannot be exported: {error}. Install {packages}.")
    print(f"{FOLDER.relative_to(ROOT)}: {'written' if written else 'nothing has changed'}")


if __name__ == "__main__":
    main()
