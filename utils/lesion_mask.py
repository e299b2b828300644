"""Find the lesion in an image without being told where it is, and look at what surrounds it."""

import numpy as np
from scipy import ndimage


def otsu_mask(images: np.ndarray) -> np.ndarray:
    """Cut out the lesion: pixels darker than Otsu's threshold, in the piece nearest the centre.

    The threshold divides the grey levels into two groups that differ as much as possible. What
    lies outside the ellipse that touches the four edges is left out, because dark corners would
    pass for a lesion. Of the dark pieces, the one with the most pixels in the middle of the image
    is taken, and its holes are filled.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)

    Returns
    -------
    ndarray of bool, shape (n, height, width)

    References
    ----------
    Otsu, IEEE Trans. Systems, Man, and Cybernetics 9:62-66 (1979), doi 10.1109/TSMC.1979.4310076.
    """
    grey = ndimage.gaussian_filter(images.mean(axis=-1), (0, 1, 1))
    height, width = grey.shape[1:]
    y, x = np.mgrid[:height, :width]
    apart = ((2 * y + 1) / height - 1) ** 2 + ((2 * x + 1) / width - 1) ** 2  # 1 on the ellipse
    field, central = apart <= 1, np.exp(-4 * apart)
    masks = np.zeros(grey.shape, bool)
    for k, picture in enumerate(grey):
        pieces, count = ndimage.label(field & (picture <= _otsu(picture[field])))
        mass = ndimage.sum_labels(central, pieces, range(1, count + 1))
        masks[k] = ndimage.binary_fill_holes(pieces == 1 + int(np.argmax(mass)))
    return masks


def _otsu(grey: np.ndarray) -> float:
    values = np.sort(grey, axis=None)
    below = np.arange(1, len(values))
    sums = np.cumsum(values)
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / (len(values) - below)
    return float(values[np.argmax(below * (len(values) - below) * (high - low) ** 2)])


def share_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the share of each map (what is above 0) that lies inside a mask, shape (n,).

    By chance it is the mask's share of the area. NaN for a map without anything above 0.
    """
    positive = np.maximum(maps, 0)
    with np.errstate(invalid="ignore"):
        return (positive * masks).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))


def rim_colour(images: np.ndarray, *, width: int = 2) -> np.ndarray:
    """Return the median colour of the outermost pixels, shape (n, 3): mostly skin."""
    inside = np.zeros(images.shape[1:3], bool)
    inside[width:-width, width:-width] = True
    return np.median(images[:, ~inside], axis=1).astype(images.dtype)


def skin_brightness(images: np.ndarray, masks: np.ndarray | None = None) -> np.ndarray:
    """Return the median grey level outside the lesion, shape (n,): what surrounds it.

    Two pixels around the mask are left out, because the lesion fades into them. It is no measure
    of skin tone: light, exposure, camera and body site change it as well.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    masks : ndarray of bool, shape (n, height, width), optional
        From `otsu_mask`, which is asked unless they are given. Where no skin is left around a
        mask, the rim of the image is taken.
    """
    masks = otsu_mask(images) if masks is None else masks
    grey, rim = images.mean(axis=-1), rim_colour(images).mean(axis=-1)
    grown = ndimage.binary_dilation(masks, np.ones((1, 5, 5), bool))
    outside = np.where(grown, np.nan, grey).reshape(len(images), -1)
    enough = np.isfinite(outside).sum(axis=1) >= 20
    found = rim.astype(float)
    found[enough] = np.nanmedian(outside[enough], axis=1)
    return found


def corner_brightness(images: np.ndarray, *, side: int = 3) -> np.ndarray:
    """Return the mean grey level of the four corners over that of the middle of the four edges.

    About 1 on evenly lit skin; far below 1 where the round field of view of the dermatoscope
    leaves the corners dark. Shape (n,).

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    side : int
        Side of a corner in pixels.
    """
    grey = images.mean(axis=-1)
    height, width = grey.shape[1:]
    rows, columns = (slice(n // 2 - side, n // 2 + side) for n in (height, width))
    ends = (slice(0, side), slice(-side, None))
    corners = np.mean([grey[:, a, b].mean(axis=(1, 2)) for a in ends for b in ends], axis=0)
    edges = [grey[:, a, columns].mean(axis=(1, 2)) for a in ends]
    edges += [grey[:, rows, b].mean(axis=(1, 2)) for b in ends]
    return corners / np.maximum(np.mean(edges, axis=0), 1)
