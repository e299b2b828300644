"""Export the published networks for the page "Try it", to `_build/demo/`.

`model.onnx` is the small one, `large.onnx` the fine-tuned one, and `manifest.json` says of both
what the page needs. `python -m tools.demo.export_demo` needs no real images, and writes nothing if
nothing has changed.
"""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tools.book.course import ROOT, ChapterError, definitions
from tools.demo.install import LARGE, MODEL
from utils.data.phantom import sample
from utils.files import hash_file, read_json, replace_file, write_json

FOLDER = ROOT / "_build" / "demo"
CHECKED = 256  # images; every eighth of them for the larger network
TOLERANCE = 1e-4  # largest allowed difference of a probability
HALF_TOLERANCE = 5e-3  # of the larger network, whose kernels are rounded; 0.001 was seen
SOURCES = (
    *(f"models/best{end}" for end in (".weights.h5", ".json", "-refusal.json", "-manifest.json")),
    *(f"models/{name}" for name in ("transfer.weights.h5", "transfer.json", "cards.json")),
    *(f"utils/{name}.py" for name in ("models", "refusal")),
    "chapters/13_putting_it_to_use.ipynb",
    "tools/demo/export_demo.py",
)


def is_current(folder: Path, root: Path = ROOT) -> bool:
    """Say whether the files, of which the manifest is written last, are as new as their sources."""
    made_from = max((root / name).stat().st_mtime_ns for name in SOURCES)
    files = [folder / name for name in (*MODEL, LARGE)]
    return all(file.is_file() and file.stat().st_mtime_ns >= made_from for file in files)


def export(folder: Path = FOLDER) -> bool:
    """Write the folder unless it is current; return whether. After an error the old files stay."""
    if is_current(folder):
        return False
    from utils.refusal import ask, published  # Keras, which takes seconds

    model, manifest = published()
    images = sample()[0]
    images = images[:: len(images) // CHECKED][:CHECKED].astype(np.float32)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.onnx"
        definitions("13").export_onnx(model, path)
        answer = partial(ask, model)
        facts = compare(asker(path, manifest), answer, images, path, tolerance=TOLERANCE)
        large = path.with_name("large.onnx")
        facts["large"] = export_large(large, images[::8])
        for file in (path, large):
            replace_file(folder / file.name, file.read_bytes())
    write_json(folder / "manifest.json", manifest | facts)
    return True


def export_large(path: Path, images: np.ndarray) -> dict:
    """Write the fine-tuned network, compare it on drawn-up images, return what is said of it."""
    import keras

    from utils.weights import MODELS, network_of, read_certificate

    cards = read_json(MODELS / "cards.json")
    model = network_of("transfer", read_certificate("transfer"), folder=MODELS)
    model = keras.Model(model.input, {"probabilities": model.output})
    size, card = model.input_shape[1:3], cards["transfer"]
    definitions("13").export_onnx(model, path)
    halve(path)
    facts = {name: cards[name]["headline"]["most probable class"] for name in ("best", "transfer")}
    facts |= {"temperature": card["calibration"]["temperature"], "images": card["images"]}
    facts["input"] = {"name": "image", "size": size}
    facts["outputs"] = {"probabilities": "probabilities"}
    drawn = np.stack([Image.fromarray(np.uint8(i)).resize(size) for i in images]).astype("float32")

    def by_keras(views: np.ndarray) -> list[np.ndarray]:
        return [model.predict_on_batch(views)["probabilities"]]

    return compare(asker(path, facts), by_keras, drawn, path, tolerance=HALF_TOLERANCE) | facts


def halve(path: Path) -> None:
    """Store the large arrays of an ONNX file in half precision; they are cast when it is loaded."""
    from onnx import TensorProto, helper, load, numpy_helper, save

    whole, casts = load(path), []
    for array in whole.graph.initializer:
        values, name = numpy_helper.to_array(array), array.name
        if values.dtype == np.float32 and values.size > 1000:
            array.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [array.name], [name], to=TensorProto.FLOAT))
    for place, cast in enumerate(casts):
        whole.graph.node.insert(place, cast)
    save(whole, path)


def asker(path: Path, manifest: dict) -> Callable:
    """Return what asks an exported model: `utils.predict.Answerer.ask`, without Keras."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = list(manifest["outputs"].values())  # probabilities, of the small one strangeness too
    return lambda images: tuple(session.run(names, {manifest["input"]["name"]: images}))


def compare(
    ask_file: Callable, ask_model: Callable, images: np.ndarray, path: Path, *, tolerance: float
) -> dict:  # fmt: skip
    """Describe a file; ChapterError unless both answer float32 images (n, size, size, 3) alike."""
    by_file, by_model = ask_file(images), ask_model(images)
    same = by_file[0].argmax(axis=1) == by_model[0].argmax(axis=1)
    largest = float(np.max([np.abs(a - b).max() for a, b in zip(by_file, by_model, strict=True)]))
    if not same.all() or not largest <= tolerance:
        raise ChapterError(
            f"{path.name} does not answer as the model does: {(~same).sum()} of {len(images)} "
            f"images get another top class, the largest difference is {largest:.2g} "
            f"({tolerance:g} is allowed)."
        )
    check = {"images": len(images), "same_class": 1.0, "largest_difference": largest}
    facts = {"model": path.name, "sha256": hash_file(path), "bytes": path.stat().st_size}
    return facts | {"check": check | {"images_are": "the phantom"}}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    written = export()
    print(f"{FOLDER.relative_to(ROOT)}: {'written' if written else 'nothing has changed'}")
