"""The long computations of chapter 9, made once and stored in ``models/looking_inside.json``.

    python -m tools.results.look_inside                       # all parts, some twenty minutes on two cores
    python -m tools.results.look_inside subgroups labels      # these anew, and what is out of date

Everything is computed from the published weights and stored runs. What is chosen (a layer, an
amount of noise) is chosen on validation images; the test part is opened for the reported results
and nothing is tuned on it. The file says which weights, data, split and code it was made from, and
`stale` compares.
"""

import argparse
import hashlib
import json
import sys
import time

from tools.book.course import ROOT
from tools.book.stamp import essence
from tools.results.look_material import WEIGHTS, Material
from tools.results.look_parts import FOLDS, PARTS
from utils import studies
from utils.data import LesionImages
from utils.files import write_json
from utils.splits import Split
from utils.weights import MODELS, read_certificate

FILE = MODELS / "looking_inside.json"
# Which modules of utils each part stands on: a change there makes the part stale, no other.
CODE = {
    "maps": ("explain", "lesion_mask"),
    "shortcuts": ("corruptions", "lesion_mask"),
    "corruptions": ("corruptions",),
    "clinics": ("corruptions",),
    "subgroups": ("subgroups", "lesion_mask"),
    "labels": (),
}


def made_from_files() -> dict:
    """Say which weights, stored runs and code stand here; no images are needed for that."""

    def digest(module):
        source = essence((ROOT / "utils" / f"{module}.py").read_text(encoding="utf-8"))
        return hashlib.sha256(source.encode()).hexdigest()[:16]

    return {
        "weights": {name: read_certificate(name).weights_sha256 for name in WEIGHTS},
        "folds": {
            name: read_certificate(name, folder=studies.FOLDER).weights_sha256
            for name in studies.names(FOLDS)
        },
        "code": {name: digest(name) for name in sorted({m for of in CODE.values() for m in of})},
    }


def made_from(dataset: LesionImages, split: Split) -> dict:
    """Say what the results of this module stand on, here and now."""
    return {**made_from_files(), "data": dataset.fingerprint, "split": split.fingerprint}


def stale(stored: dict, now: dict) -> list[str]:
    """Return the parts that are missing or were made from something that is another now."""
    before = stored.get("made_from", {})
    if any(before.get(key) != value for key, value in now.items() if key != "code"):
        return list(CODE)
    code = before.get("code", {})
    return [
        part
        for part, modules in CODE.items()
        if part not in stored or any(code.get(m) != now["code"][m] for m in modules)
    ]


def main(arguments: list[str]) -> int:
    """Make all parts, or those that are named; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.results.look_inside")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all unless named")
    chosen = parser.parse_args(arguments).parts or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    material = Material()
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    now = made_from(material.dataset, material.split)
    old = stale(stored, now)
    stored = {part: result for part, result in stored.items() if part not in old}
    chosen += [part for part in old if part not in chosen]
    for part in chosen:
        start = time.perf_counter()
        print(part, flush=True)
        stored[part] = PARTS[part](material)
        print(f"    {time.perf_counter() - start:.0f} s", flush=True)
        done = {name: stored[name] for name in PARTS if name in stored}
        write_json(FILE, {"made_from": now, **done})  # a stopped run goes on after this part
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
