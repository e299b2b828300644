"""Export the published model for the try-it page: `_build/demo/` with model.onnx and manifest.json.

`python -m tools.demo.export_demo` needs no real images. `--measure` does: it fits the refusal again and
measures what the page says of the model, which is stored in models/ and to be done once for new
weights.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

from tools.book.course import ROOT

FOLDER = ROOT / "_build" / "demo"
CHECKED = 256  # images


def sources(root: Path = ROOT) -> list[Path]:
    """Return the files that the export depends on."""
    models = root / "models"
    code = ("certificates", "classes", "export", "manifest", "models", "plain_words", "refusal")
    return [
        *(models / name for name in ("best.weights.h5", "best.json", "best-refusal.json")),
        models / "demo.json",
        *(root / "utils" / f"{name}.py" for name in code),
        root / "tools" / "export_demo.py",
    ]


def state(root: Path = ROOT) -> str:
    """Return a check sum of everything that the export depends on."""
    digest = hashlib.sha256()
    for path in sources(root):
        digest.update(f"{path.name} ".encode() + path.read_bytes())
    return digest.hexdigest()


def is_current(folder: Path, now: str) -> bool:
    """Say whether the folder holds an export of this state, whole."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        content = (folder / manifest["model"]).read_bytes()
    except (OSError, ValueError, KeyError):
        return False
    same = hashlib.sha256(content).hexdigest() == manifest["sha256"]
    return same and manifest.get("made_from") == now


def export(folder: Path = FOLDER) -> bool:
    """Write the folder unless it is current already.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
        True if it was written, False if nothing had changed.
    """
    now = state()
    if is_current(folder, now):
        return False
    from utils import export, manifest, refusal

    model, certificate = export.published("best")
    borders = refusal.read_refusal("best", sha256=certificate.weights_sha256)
    measured = manifest.read_measured(certificate)
    images, images_are = _images()
    export.write_demo(
        folder,
        model=refusal.with_strangeness(model, borders),
        certificate=certificate,
        refusal=borders,
        measured=measured,
        images=images,
        images_are=images_are,
        made_from=now,
    )
    return True


def _images():
    """Return images to compare on: real ones where HAM10000_DIR names them, else the phantom."""
    if os.environ.get("HAM10000_DIR", "phantom") in ("", "phantom"):
        from utils.data import phantom

        images, images_are = phantom.sample()[0], "the phantom"
    else:
        from utils import data

        dataset = data.load_ham10000()
        images, images_are = dataset.images, dataset.source
    return images[:: len(images) // CHECKED][:CHECKED], images_are


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure anew on the real images")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.measure:
        from tools.demo import measure_demo

        measure_demo.measure()
    written = export()
    where = FOLDER.relative_to(ROOT)
    print(f"{where}: written" if written else f"{where}: nothing has changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
