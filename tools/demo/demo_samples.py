"""`python -m tools.demo.demo_samples`: draw the six sample images of the page "Try it".

From the synthetic lesions of `utils.data.phantom`, 28 × 28 pixels each, enlarged smoothly so that
they can be looked at. Of each class the image is taken that the model answers best.
"""

import io

import numpy as np
from PIL import Image

from tools.book.course import ROOT
from utils.classes import by_dx
from utils.data.phantom import sample
from utils.files import replace_file
from utils.predict import predict

CLASSES = ("nv", "mel", "bkl", "bcc", "vasc", "akiec")
SIDE = 168  # six times 28
MOST = 300  # images of a class that are looked at


def enlarge(image: np.ndarray) -> bytes:
    """Enlarge an image of 28 × 28 pixels; return a PNG file."""
    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    large.save(file, format="PNG", optimize=True)
    return file.getvalue()


def main() -> None:
    """Write ``demo/samples/*.png``."""
    images, labels, _ = sample()
    for dx in CLASSES:
        rows = np.flatnonzero(labels == by_dx(dx).kaggle_label)[:MOST]
        files = [enlarge(images[row]) for row in rows]
        answers = [predict(file) for file in files]  # shrunk and averaged as on the page
        known = [answer.strangeness < 0.9 * answer.threshold for answer in answers]
        sure = [a.probabilities[dx] * k for a, k in zip(answers, known, strict=True)]
        best = int(np.argmax(sure))
        replace_file(ROOT / "demo" / "samples" / f"{dx}.png", files[best])
        print(f"{dx}: {sure[best]:.2f}, {len(files[best]) / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
