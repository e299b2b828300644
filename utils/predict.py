"""Ask the published model about one image: a file, bytes, a Pillow image or an array."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from utils.augment import averaged
from utils.classes import LesionClass, by_dx
from utils.files import SIZE, open_image

__all__ = ["predict"]


@dataclass(frozen=True, eq=False)
class Answerer:
    """A model that can be asked, and its manifest: what has to be known to use it rightly."""

    # From float32 images (n, 28, 28, 3) to probabilities (n, 7) and strangeness (n,).
    ask: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    manifest: dict


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model answers about one image; prints as text, shows as HTML in a notebook.

    `probabilities` (by ``dx``, calibrated) are there for a refused image too; do not use them then.
    An image is refused if its `strangeness` is above `threshold`. `image` is what the network saw,
    uint8 (28, 28, 3); `notes` say what was done to the file.
    """

    probabilities: dict[str, float]
    strangeness: float
    threshold: float
    image: np.ndarray
    notes: tuple[str, ...]
    manifest: dict

    @property
    def refused(self) -> bool:
        """True if the image is too unlike the training images to be answered."""
        return self.strangeness > self.threshold

    @property
    def ranked(self) -> list[tuple[LesionClass, float]]:
        """The classes with their probabilities, the most probable first."""
        pairs = sorted(self.probabilities.items(), key=lambda pair: -pair[1])
        return [(by_dx(dx), share) for dx, share in pairs]

    def _lines(self) -> tuple[str, list[str], list[str]]:
        """Return a heading, the answer line by line, and the sentences that go with it."""
        words = {c["dx"]: c for c in self.manifest["classes"]}
        after = [*self.notes]
        if self.refused:
            heading, lines = "No answer", [self.manifest["refusal"]["text"]]
        else:
            first = words[self.ranked[0][0].dx]
            says = first["says"]
            heading = f"Most likely: {first['plain']} ({first['dx']})"
            lines = [f"{share:6.1%}  {c.dx:5}  {words[c.dx]['plain']}" for c, share in self.ranked]
            after.append(
                f"Of {says['said']:,} test images for which the model said {first['dx']}, it was "
                f"right in {says['share']:.0%} ({says['low']:.0%} to {says['high']:.0%})."
            )
            if first["dx"] != "mel":  # the mistake that matters most
                after[-1] += f" {says['melanomas']:,} of them were melanomas."
        after += [self.manifest["not_a_medical_device"], self.manifest["when_worried"]["text"]]
        return heading, lines, after

    def __str__(self) -> str:
        heading, lines, after = self._lines()
        return "\n".join([heading, *(f"  {line}" for line in lines), "", *after])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        heading, lines, after = self._lines()
        shown = "\n".join(map(html.escape, lines))
        tag = "p" if self.refused else "pre"
        rest = "".join(f"<p>{html.escape(text)}</p>" for text in after)
        return (
            f'<div style="border-left:4px solid #5a6470;padding:.3em .8em;max-width:46em">'
            f"<b>{html.escape(heading)}</b><{tag}>{shown}</{tag}>{rest}</div>"
        )


def predict(
    image: str | Path | bytes | Image.Image | np.ndarray, *,
    model: Answerer | None = None, square: bool = False,
) -> Prediction:  # fmt: skip
    """Ask the published model about one image.

    PredictError says in plain words why an image cannot be read, and what to do.

    Parameters
    ----------
    image : str, Path, bytes, Pillow image or ndarray
        A file's path or content, or the picture itself; arrays are uint8, (height, width) or
        (height, width, 3 or 4). A file is turned as its EXIF entry says.
    model : Answerer, optional; by default the published Keras weights answer
    square : bool
        Take the largest square in the middle. Otherwise the whole picture is squeezed to a
        square, as the training images, 4:3, were.
    """
    picture, notes = open_image(image)
    small = shrink(middle_square(picture) if square else picture)
    model = model or keras_answerer()
    manifest = model.manifest
    probabilities, strangeness = averaged(model.ask, small[None])
    mean = probabilities[0].astype(np.float64)
    sharpened = mean ** (1 / manifest["temperature"])
    shares = (sharpened / sharpened.sum()).tolist()
    by_class = dict(zip((c["dx"] for c in manifest["classes"]), shares, strict=True))
    threshold = float(manifest["refusal"]["threshold"])
    return Prediction(by_class, float(strangeness[0]), threshold, small, tuple(notes), manifest)


@cache
def keras_answerer() -> Answerer:
    """Return the published weights, ready to be asked; they are read from disk once."""
    from utils import refusal  # Keras, which takes seconds

    model, manifest = refusal.published()
    return Answerer(partial(refusal.ask, model), manifest)


def middle_square(picture: Image.Image) -> Image.Image:
    """Cut the largest square out of the middle of a picture."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def shrink(picture: Image.Image) -> np.ndarray:
    """Shrink a picture by area average, as the training images were: uint8 (28, 28, 3)."""
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX))
