"""Pictures that show no lesion, to try on a model what it was never meant for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib import cbook
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits, load_sample_image

SIZE = 28
# From very light to very dark, in the order of the six Fitzpatrick types; chosen by eye.
SKINS = ("#f6dcca", "#eac0a2", "#d8a37c", "#b97f56", "#8a5632", "#4f3020")
UPRIGHT = ("text", "digit", "plot")
WORDS = "what you see here is a line of plain text that says nothing about the skin at all".split()


@dataclass(frozen=True, eq=False)
class Strangers:
    """Pictures that are no dermatoscopic images.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 28, 28, 3)
    kinds : ndarray of str, shape (n,)
        What each shows: a key of `CHOOSING` or `MEASURING`.
    """

    images: np.ndarray
    kinds: np.ndarray


def strangers(part: str, *, per_kind: int = 60, seed: int = 0) -> Strangers:
    """Draw, or cut out of pictures that scikit-learn and matplotlib bring along, many strangers.

    Parameters
    ----------
    part : {"choosing", "measuring"}
        The two parts have no kind of picture in common: what is chosen by the first is measured
        on kinds that have no part in the choice.
    per_kind : int
        Pictures of each kind.
    seed : int
        The same seed gives the same pictures with the same versions of the packages.

    Returns
    -------
    Strangers

    Raises
    ------
    ValueError
        If there is no such part.
    """
    makers = {"choosing": CHOOSING, "measuring": MEASURING}.get(part)
    if makers is None:
        raise ValueError(f"part is {part!r}; it can be 'choosing' or 'measuring'")
    images, kinds = [], []
    for number, (kind, make) in enumerate(makers.items()):
        rng = np.random.default_rng([seed, number, part == "measuring"])
        for _ in range(per_kind):
            small = make(rng).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BOX)
            images.append(np.asarray(small) if kind in UPRIGHT else _turned(np.asarray(small), rng))
            kinds.append(kind)
    return Strangers(np.stack(images), np.array(kinds))


def _turned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = np.rot90(image, rng.integers(4))
    return image[:, ::-1] if rng.uniform() < 0.5 else image


# --- Photographs: many cut-outs of each ----------------------------------------------------------


@cache
def _photograph(name: str) -> Image.Image:
    if name in ("flower.jpg", "china.jpg"):
        return Image.fromarray(load_sample_image(name))
    with cbook.get_sample_data(name) as file, Image.open(file) as picture:
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def _cut_outs(name: str) -> Callable[[np.random.Generator], Image.Image]:
    """Return a function that cuts a square of a fifth to all of the height out of a photograph."""

    def cut(rng):
        picture = _photograph(name)
        side = int(min(picture.size) * rng.uniform(0.2, 1))
        left, top = (int(rng.integers(length - side + 1)) for length in picture.size)
        return picture.crop((left, top, left + side, top + side))

    return cut


# --- Drawn -------------------------------------------------------------------------------------


def _colour(rng) -> np.ndarray:
    return rng.uniform(0, 255, 3)


def _skin(rng) -> np.ndarray:
    low = rng.integers(len(SKINS) - 1)
    share = rng.uniform()
    a, b = (np.array([int(h[k : k + 2], 16) for k in (1, 3, 5)]) for h in SKINS[low : low + 2])
    return a * share + b * (1 - share)


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _lit(colour: np.ndarray, rng, *, side: int = 112, spread: float = 20) -> np.ndarray:
    """A surface of one colour, lit from one side, with a little noise."""
    y, x = np.mgrid[-1 : 1 : 1j * side, -1 : 1 : 1j * side]
    angle = rng.uniform(0, 2 * np.pi)
    light = (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0, spread)
    return colour + light[..., None] + rng.normal(0, rng.uniform(0, 8), (side, side, 3))


def _wall(rng):
    return _picture(_lit(_colour(rng), rng))


def _gradient(rng):
    across = np.linspace(0, 1, 112)[None, :, None]
    return _picture(
        np.broadcast_to(_colour(rng) * across + _colour(rng) * (1 - across), (112, 112, 3))
    )


def _noise(rng):
    noise = rng.normal(rng.uniform(60, 200), rng.uniform(20, 90), (SIZE, SIZE, 3))
    return _picture(noise)


def _blurred_noise(rng):
    noise = gaussian_filter(rng.normal(size=(112, 112, 3)), (rng.uniform(4, 24),) * 2 + (0,))
    return _picture(_colour(rng) + noise / noise.std() * rng.uniform(15, 60))


def _stripes(rng):
    line = np.floor(np.arange(112) / rng.uniform(6, 28)) % 2
    board = line[:, None] if rng.uniform() < 0.5 else (line[:, None] + line) % 2
    mask = np.broadcast_to(board, (112, 112))[..., None]
    return _picture(_colour(rng) * mask + _colour(rng) * (1 - mask))


@cache
def _digits() -> np.ndarray:
    return load_digits().images


def _digit(rng):
    ink = rng.choice(_digits())[..., None] / 16
    paper, pen = (np.array([250.0] * 3), np.array([20.0] * 3))
    if rng.uniform() < 0.5:
        paper, pen = _colour(rng), _colour(rng)
    return _picture(paper * (1 - ink) + pen * ink).resize((112, 112), Image.Resampling.BILINEAR)


def _text(rng):
    page = Image.new("RGB", (240, 240), "white" if rng.uniform() < 0.7 else "#202428")
    draw, ink = ImageDraw.Draw(page), "black" if page.getpixel((0, 0))[0] > 128 else "white"
    size = int(rng.integers(12, 60))
    for top in range(8, 240, int(size * 1.4)):
        line = " ".join(rng.permutation(WORDS)[:10])
        draw.text((8, top), line, fill=ink, font=ImageFont.load_default(size))
    return page


def _plot(rng):
    figure = Figure(figsize=(2.4, 2.4), dpi=80)
    canvas = FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    kind = rng.integers(4)
    if kind == 0:
        axis.bar(range(7), rng.uniform(size=7), color=[f"C{k}" for k in rng.permutation(7)])
    elif kind == 1:
        axis.plot(rng.normal(size=(40, 3)).cumsum(axis=0))
    elif kind == 2:
        axis.scatter(*rng.normal(size=(2, 60)), c=rng.uniform(size=60), s=30)
    else:
        axis.imshow(rng.uniform(size=(7, 7)), cmap=rng.choice(["viridis", "Blues", "magma"]))
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _spot(draw: ImageDraw.ImageDraw, place, radius: float, colour: np.ndarray) -> None:
    x, y = place
    draw.ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), _hex(colour))


def _hex(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(colour, 0, 255))


def _limb(rng):
    """An arm or a leg from a metre away, with a spot or two, before a wall or clothes."""
    page = _picture(_lit(_colour(rng), rng))
    draw, skin = ImageDraw.Draw(page), _skin(rng)
    middle, upper, lower = rng.uniform(40, 72), rng.uniform(20, 38), rng.uniform(12, 28)
    for k in range(24):  # strips from the lit edge to the shaded one
        share, nearer = k / 24, (k + 1) / 24
        edges = [
            (middle - w + 2 * w * s, y)
            for s, w, y in (
                (share, upper, 0),
                (nearer, upper, 0),
                (nearer, lower, 112),
                (share, lower, 112),
            )
        ]
        draw.polygon(edges, _hex(skin * (1.05 - 0.45 * share**2)))
    for _ in range(rng.integers(1, 4)):
        place = (middle + rng.uniform(-10, 10), rng.uniform(10, 100))
        _spot(draw, place, rng.uniform(1, 3), skin * 0.5)
    return page.filter(ImageFilter.GaussianBlur(1))


def _bare_skin(rng):
    """Skin from near, with pores and folds, and no lesion on it."""
    fine = gaussian_filter(rng.normal(size=(112, 112)), rng.uniform(1, 5))
    values = _lit(_skin(rng), rng, spread=30) + 4 * (fine / fine.std())[..., None]
    return _picture(values)


def _far_spots(rng):
    """Skin from half a metre with a few spots, as a phone would see it."""
    page = _bare_skin(rng)
    skin = np.asarray(page).reshape(-1, 3).mean(axis=0)
    for _ in range(rng.integers(1, 5)):
        _spot(ImageDraw.Draw(page), rng.uniform(15, 97, 2), rng.uniform(1.5, 5), skin * 0.45)
    return page.filter(ImageFilter.GaussianBlur(0.8))


# Left, top, right, bottom of skin without spectacles, in the portrait that matplotlib brings.
FACE = ((200, 145, 300, 172), (195, 230, 235, 290), (305, 225, 340, 290))


def _face_skin(rng):
    left, top, right, bottom = FACE[rng.integers(len(FACE))]
    side = int(rng.integers(18, min(right - left, bottom - top) + 1))
    x, y = rng.integers(left, right - side + 1), rng.integers(top, bottom - side + 1)
    return _photograph("grace_hopper.jpg").crop((x, y, x + side, y + side))


Maker = Callable[[np.random.Generator], Image.Image]
CHOOSING: dict[str, Maker] = {
    "flower (photograph)": _cut_outs("flower.jpg"),
    "wall": _wall,
    "colour gradient": _gradient,
    "noise": _noise,
    "digit": _digit,
    "bare skin (drawing)": _bare_skin,
}
MEASURING: dict[str, Maker] = {
    "temple (photograph)": _cut_outs("china.jpg"),
    "portrait (photograph)": _cut_outs("grace_hopper.jpg"),
    "face skin (photograph)": _face_skin,
    "presents (drawing)": _cut_outs("Minduka_Present_Blue_Pack.png"),
    "text": _text,
    "plot": _plot,
    "stripes": _stripes,
    "blurred noise": _blurred_noise,
    "arm or leg (drawing)": _limb,
    "far spots (drawing)": _far_spots,
}
