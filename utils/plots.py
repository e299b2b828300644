"""Figures that more than one chapter draws, all with the classes' own colours."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from utils.data import LesionImages

__all__ = ["GREY", "label_source", "lesion_grid", "use_style"]

GREY = "#555555"


def use_style() -> None:
    """Set the look of all figures: white ground, no box, letters of readable size."""
    look = {
        "figure.dpi": 180, "axes.spines.top": False, "axes.spines.right": False,
        "axes.titlesize": 12, "axes.labelsize": 11, "legend.frameon": False,
        "image.interpolation": "nearest",
    }  # fmt: skip
    sns.set_theme(style="ticks", rc=look)


def label_source(figure: Figure, dataset: LesionImages, *, part: str = "") -> None:
    """Write below a figure which data it shows; on the phantom it says *phantom*.

    `part` says which part of it, for example ``"test part, 2,003 images"``.
    """
    name = "ISIC 2018 test images" if dataset.source.startswith("ISIC") else "HAM10000"
    name = "Synthetic lesions (phantom)" if dataset.is_phantom else f"{name}, © ViDIR Group"
    text = f"{name}, {part}" if part else name
    figure.text(0.99, -0.01, text, ha="right", va="top", fontsize=9.5, color=GREY)


def lesion_grid(
    images: np.ndarray, titles: Sequence[str] | None = None, *,
    columns: int = 7, size: float = 1.25, colours: Sequence[str] | None = None,
) -> Figure:  # fmt: skip
    """Draw images side by side, row by row.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width, 3)
    titles, colours : sequences of str, optional; above each image, and of a bar under its title
    columns, size : int, images per row; float, width of an image in inches
    """
    rows = -(-len(images) // columns)
    inches = (columns * size, rows * (size + (0.3 if titles is not None else 0.05)))
    figure, axes = plt.subplots(rows, columns, figsize=inches, squeeze=False)
    for k, axis in enumerate(axes.flat):
        axis.axis("off")
        if k < len(images):
            axis.imshow(images[k])
            if titles is not None:
                axis.set_title(titles[k], fontsize=10, pad=5)
            if colours is not None:  # a bar: coloured letters would be hard to read
                bar = {"transform": axis.transAxes, "clip_on": False, "solid_capstyle": "butt"}
                axis.plot([0, 1], [1, 1], color=colours[k], linewidth=5, **bar)
    figure.tight_layout(pad=0.4)
    return figure
