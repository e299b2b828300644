"""What happens to images outside the collection: other cameras, and things that lie on the skin."""

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from utils.lesion_mask import rim_colour

STRENGTHS = (1, 2, 3, 4, 5)
# What strength 1 to 5 means for each; the units stand in `LIKE`.
LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (0.5, 0.75, 1.0, 1.3, 1.7),
    "noise": (4, 8, 13, 19, 26),
    "JPEG": (70, 45, 25, 15, 8),
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
    "hue": (6, 12, 18, 24, 30),
    "colour cast": (0.04, 0.08, 0.12, 0.16, 0.20),
    "dark corners": (1.25, 1.15, 1.05, 0.95, 0.85),
    "zoom": (1.1, 1.2, 1.35, 1.5, 1.75),
}
LIKE: dict[str, str] = {
    "blur": "out of focus: a Gaussian blur, its width in pixels",
    "noise": "too little light: standard deviation of each value in grey levels",
    "JPEG": "a thumbnail saved with JPEG's quality of",
    "brightness": "darker or lighter by this share, by lot",
    "hue": "all colours turned by so many degrees, one way or the other by lot",
    "colour cast": "another white balance: a channel up, another down by this share, by lot",
    "dark corners": "a round field of view, its radius in halves of the image's height",
    "zoom": "a device that magnifies so many times more",
}
# A clinic's camera shifts all its images the same way: logarithms of the gains of red, green and
# blue, to be multiplied by a strength.
CLINICS: dict[str, tuple[float, float, float]] = {
    "warmer": (1, 0, -1),
    "cooler": (-1, 0, 1),
    "greener": (-0.5, 1, -0.5),
    "pinker": (0.5, -1, 0.5),
}
ARTEFACTS = ("ruler", "hair", "dark corners", "ink", "gel bubbles")
# Artefacts are drawn on a sheet of the photographs' shape (4:3), large enough for a hair, and the
# sheet is shrunk like a photograph. To lay a shrunk sheet over a shrunk photograph is the same as
# to draw on the photograph and shrink that, as long as the skin under a stroke is like its
# surroundings; and it works where there is no photograph.
SHEET = (224, 168)
SHEETS = 48  # different drawings of each artefact


def corrupt(images: np.ndarray, name: str, strength: int, *, seed: int = 0) -> np.ndarray:
    """Make images worse in one way.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    name : str
        One of `LEVELS`; `LIKE` says what it stands for.
    strength : int
        1 (hardly visible) to 5 (strong).
    seed : int
        Of what is drawn by lot, image by image; the same for two networks, so that both see the
        same images.

    Returns
    -------
    ndarray of uint8, same shape

    Raises
    ------
    ValueError
        If there is no such corruption or strength.

    References
    ----------
    After Hendrycks, Dietterich, ICLR 2019, doi 10.48550/arXiv.1903.12261.
    """
    if name not in LEVELS or strength not in STRENGTHS:
        raise ValueError(
            f"no corruption {name!r} of strength {strength!r}; there are {', '.join(LEVELS)}, "
            f"of strength {STRENGTHS[0]} to {STRENGTHS[-1]}"
        )
    level, rng, n = LEVELS[name][strength - 1], np.random.default_rng(seed), len(images)
    values = images.astype(np.float32)
    way = rng.choice([-1.0, 1.0], size=(n, 1, 1, 1)).astype(np.float32)
    if name == "blur":
        values = ndimage.gaussian_filter(values, (0, level, level, 0), mode="nearest")
    elif name == "noise":
        values = values + rng.normal(0, level, values.shape)
    elif name == "JPEG":
        return np.stack([_saved(image, int(level)) for image in images]) if n else images
    elif name == "brightness":
        values = values * (1 + way * level)
    elif name == "hue":
        values = np.einsum("nhwc,ndc->nhwd", values, _turned_hue(np.radians(level) * way.ravel()))
    elif name == "colour cast":
        casts = np.array([list(CLINICS.values())[k] for k in rng.integers(len(CLINICS), size=n)])
        values = values * np.exp(level * casts.reshape(-1, 1, 1, 3))
    elif name == "dark corners":
        cover = _round_field(level, images.shape[2:0:-1])[None]
        return _overlaid(images, np.zeros((1, 3)), cover, np.zeros(n, int))
    else:
        values = _enlarged(values, level)
    return _bytes(values)


def colour_cast(images: np.ndarray, clinic: str, strength: int) -> np.ndarray:
    """Give all images the cast of one imagined clinic's camera.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    clinic : str
        One of `CLINICS`.
    strength : int
        1 to 5; the shares are those of ``LEVELS["colour cast"]``.
    """
    if clinic not in CLINICS or strength not in STRENGTHS:
        raise ValueError(
            f"no clinic {clinic!r} of strength {strength!r}; there are {', '.join(CLINICS)}"
        )
    gains = np.exp(LEVELS["colour cast"][strength - 1] * np.array(CLINICS[clinic]))
    return _bytes(images * gains)


def with_skin(images: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Give each image the gains that make its rim, which is mostly skin, have one colour.

    Light and camera of one series of photographs are so exchanged for those of another, as far
    as three numbers go; the lesion gets the same gains as the skin.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    colour : ndarray of float, shape (3,)
        Red, green and blue of the rim, for example the median over the images of a series.
    """
    rim = np.maximum(rim_colour(images).astype(float), 1)
    return _bytes(images * (np.asarray(colour) / rim)[:, None, None])


def add_artefact(images: np.ndarray, name: str, *, seed: int = 0) -> np.ndarray:
    """Put something on the skin, or before the lens, another drawing of it on each image.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    name : str
        One of `ARTEFACTS`.
    seed : int
        Which drawing comes on which image.

    Returns
    -------
    ndarray of uint8, same shape
    """
    if name not in ARTEFACTS:
        raise ValueError(f"no artefact {name!r}; there are {', '.join(ARTEFACTS)}")
    colours, covers = sheets(name, images.shape[1:3])
    which = np.random.default_rng(seed).integers(SHEETS, size=len(images))
    return _overlaid(images, colours, covers, which)


@cache
def sheets(name: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the colour of each drawing, (k, 3), and its cover of each pixel, (k, h, w)."""
    rng = np.random.default_rng(sorted(ARTEFACTS).index(name))
    drawn = [_DRAW[name](rng) for _ in range(SHEETS)]
    small = [cover.resize(shape[::-1], Image.Resampling.BOX) for _, cover in drawn]
    return np.array([colour for colour, _ in drawn], float), np.stack(small) / np.float32(255)


def _overlaid(images, colours, covers, which):
    cover = covers[which][..., None]
    return _bytes(images * (1 - cover) + cover * colours[which][:, None, None])


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _saved(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _turned_hue(angles: np.ndarray) -> np.ndarray:
    """Rotations about the grey axis of the colour cube, (n, 3, 3): grey stays grey."""
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    around = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    return cosine * np.eye(3) + sine * around + (1 - cosine) * np.full((3, 3), 1 / 3)


def _enlarged(values: np.ndarray, times: float) -> np.ndarray:
    rows, columns = (_interpolation(n, times) for n in values.shape[1:3])
    return np.einsum("ij,njkc,lk->nilc", rows, values, columns, optimize=True)


def _interpolation(size: int, times: float) -> np.ndarray:
    place = np.arange(size)
    source = (size - 1) / 2 + (place - (size - 1) / 2) / times
    return np.maximum(1 - np.abs(source[:, None] - place), 0)


# --- The drawings: a colour, and a sheet that is white where it covers the skin -------------------


def _sheet() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    sheet = Image.new("L", SHEET)
    return sheet, ImageDraw.Draw(sheet)


def _curve(rng, start, end, bend: float) -> list[tuple[float, float]]:
    start, end = np.array(start, float), np.array(end, float)
    middle = (start + end) / 2 + rng.normal(0, bend, 2)
    t = np.linspace(0, 1, 24)[:, None]
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end
    return [tuple(point) for point in points]


def _ruler(rng):
    """Ticks a millimetre apart, every fifth longer, as if some 20 mm lay from side to side."""
    sheet, draw = _sheet()
    across, first = 11 * rng.uniform(0.85, 1.15), rng.uniform(0, 11)
    length, edge = (SHEET[0], SHEET[1]) if rng.random() < 0.5 else (SHEET[1], SHEET[0])
    depth, upside = rng.uniform(2, 10), rng.random() < 0.5
    for k in range(int((length - first) / across) + 1):
        place, reach = first + k * across, 14 if k % 5 else 24
        ends = (edge - depth, edge - depth - reach) if upside else (depth, depth + reach)
        line = [(place, ends[0]), (place, ends[1])]
        draw.line(line if length == SHEET[0] else [p[::-1] for p in line], fill=235, width=2)
    return (25, 25, 30), sheet


def _hair(rng):
    sheet, draw = _sheet()
    for _ in range(rng.integers(6, 13)):
        start, end = rng.uniform((0, 0), SHEET), rng.uniform((0, 0), SHEET)
        width = int(rng.integers(1, 4))
        draw.line(_curve(rng, start, end, 25), fill=int(rng.uniform(170, 240)), width=width)
    return (45, 30, 25), sheet


def _round_field(radius: float, size: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: SHEET[1], : SHEET[0]]
    from_centre = np.hypot(x - SHEET[0] / 2 + 0.5, y - SHEET[1] / 2 + 0.5) / (SHEET[1] / 2)
    soft = np.clip((from_centre - radius) / 0.06 + 0.5, 0, 1)
    sheet = Image.fromarray((255 * soft).astype(np.uint8))
    return np.asarray(sheet.resize(size, Image.Resampling.BOX)) / np.float32(255)


def _dark_corners(rng):
    cover = _round_field(rng.uniform(1.0, 1.2), SHEET)
    return (8, 6, 8), Image.fromarray((255 * cover).astype(np.uint8))


def _ink(rng):
    """Strokes of a surgical marker (gentian violet) around the place of the lesion."""
    sheet, draw = _sheet()
    start = rng.uniform(0, 2 * np.pi)
    for k in range(rng.integers(2, 5)):
        angle = start + k * np.pi / 2 + rng.normal(0, 0.2)
        centre = np.array(SHEET) / 2 + 0.42 * np.array(SHEET) * (np.cos(angle), np.sin(angle))
        way = rng.uniform(14, 28) * np.array((-np.sin(angle), np.cos(angle)))
        points = _curve(rng, centre - way, centre + way, 5)
        dark, width = int(rng.uniform(150, 215)), int(rng.integers(10, 15))
        draw.line(points, fill=dark, width=width, joint="curve")
    return (75, 50, 140), sheet


def _gel_bubbles(rng):
    """Air in the contact fluid: a bright rim, and a little brighter inside."""
    sheet, draw = _sheet()
    for _ in range(rng.integers(3, 9)):
        (x, y), r = rng.uniform((0, 0), SHEET), rng.uniform(4, 15)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=45, outline=190, width=3)
    return (250, 248, 250), sheet


_DRAW = {
    "ruler": _ruler,
    "hair": _hair,
    "dark corners": _dark_corners,
    "ink": _ink,
    "gel bubbles": _gel_bubbles,
}
