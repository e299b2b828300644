"""`python -m tools.demo.demo_samples`: draw the six sample images of the page "Try it".

From the synthetic lesions of `utils.data.phantom`, 28 × 28 pixels each, enlarged smoothly so that they
can be looked at. Of each class the image is taken that the exported model answers best.
"""

import json
import sys

import numpy as np
from PIL import Image

from tools.book.course import ROOT
from utils.augment import symmetry
from utils.classes import by_dx
from utils.data.phantom import sample
from utils.files import replace_file

CLASSES = ("nv", "mel", "bkl", "bcc", "vasc", "akiec")
SIDE = 168  # six times 28
MOST = 300  # images of a class that are looked at


def enlarge(image: np.ndarray) -> bytes:
    """Enlarge an image of 28 × 28 pixels; return it as a PNG file.

    Shrunk again by averaging it is the same image within a few grey levels.
    """
    from io import BytesIO

    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    file = BytesIO()
    large.save(file, format="PNG", optimize=True)
    return file.getvalue()


def shrunk(png: bytes) -> np.ndarray:
    """Shrink a sample as the page does."""
    from io import BytesIO

    small = Image.open(BytesIO(png)).convert("RGB").resize((28, 28), Image.Resampling.BOX)
    return np.asarray(small)


def main() -> int:
    """Write ``demo/samples/*.png``; return the exit status."""
    import onnxruntime

    made = ROOT / "_build" / "demo"
    if not (made / "manifest.json").is_file():
        print("Export the model first: python -m tools.demo.export_demo", file=sys.stderr)
        return 1
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(made / manifest["model"])
    names = [manifest["outputs"][name] for name in ("probabilities", "strangeness")]
    images, labels, _ = sample()
    for dx in CLASSES:
        label = by_dx(dx).kaggle_label
        files = [enlarge(image) for image in images[labels == label][:MOST]]
        batch = np.stack([shrunk(file) for file in files]).astype(np.float32)
        answers = [
            session.run(
                names, {manifest["input"]["name"]: np.ascontiguousarray(symmetry(batch, i))}
            )
            for i in range(8)
        ]
        probabilities, strangeness = (
            np.mean(answer, axis=0) for answer in zip(*answers, strict=True)
        )
        strangeness = strangeness.reshape(len(batch))
        sure = np.where(
            strangeness < 0.9 * manifest["refusal"]["threshold"], probabilities[:, label], 0
        )
        best = int(sure.argmax())
        replace_file(ROOT / "demo" / "samples" / f"{dx}.png", files[best])
        print(f"{dx}: {sure[best]:.2f}, {len(files[best]) / 1e3:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
