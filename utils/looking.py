"""What ``python -m tools.results.look_inside`` has stored, and the figures that chapter 9 makes of it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from utils.classes import COLOURS
from utils.corruptions import STRENGTHS
from utils.plots import GREY
from utils.subgroups import UNKNOWN, as_interval
from utils.weights import MODELS

TWO = {"best": COLOURS["nv"], "original": COLOURS["mel"]}
METHODS = ("#0072B2", "#56B4E9", "#D55E00", "#009E73")  # Okabe and Ito's, no class is meant


def read_results(name: str = "looking_inside.json", *, folder: Path = MODELS) -> dict:
    """Read the stored results, one entry for each part of ``tools.results.look_inside``.

    Raises
    ------
    FileNotFoundError
        If they are missing; the message says how they are made.
    """
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(
            f"{name} is missing in {folder.name}/. `python -m tools.results.look_inside` makes it, from "
            "the real images, in some ten minutes."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def said(record: Mapping[str, float | None], spec: str = ".2f") -> str:
    """Return a stored interval as text, ``0.52 (0.47 to 0.57)``."""
    return format(as_interval(record), spec)


def sanity_curves(found: Mapping[str, Mapping[str, Mapping]]) -> Figure:
    """Draw how alike maps stay while more and more layers get random weights.

    Parameters
    ----------
    found : mapping
        By the map's name, by the number of stages kept, the stored rank correlation.

    Returns
    -------
    Figure
    """
    figure, axis = plt.subplots(figsize=(6.5, 2.7), layout="constrained")
    for (name, by_kept), colour in zip(found.items(), METHODS, strict=True):
        records = [by_kept[str(kept)] for kept in (4, 3, 2, 1, 0)]
        low, value, high = (np.array([r[k] for r in records]) for k in ("low", "value", "high"))
        axis.fill_between(range(5), low, high, color=colour, alpha=0.2, lw=0)
        axis.plot(range(5), value, "o-", color=colour, label=name)
    axis.axhline(0, color=GREY, lw=1, ls=":")
    axis.set_xticks(range(5), ["last layer", "+ 4 × 4", "+ 7 × 7", "+ 14 × 14", "all"])
    axis.set(xlabel="layers with random weights", ylabel="rank correlation", ylim=(-0.25, 1))
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def group_intervals(records: Sequence[Mapping]) -> Figure:
    """Draw sensitivity and specificity for melanoma of each group, with intervals and counts.

    Parameters
    ----------
    records : sequence of mappings
        Rows of a stored subgroup table; the first is for all images and gives the dotted line.

    Returns
    -------
    Figure
    """
    names = [
        f"{r['by'] + ' ' if r['group'] == UNKNOWN else ''}{r['group']} "
        f"({r['melanomas']} of {r['images']:,})"
        for r in records
    ]
    height = np.arange(len(records))
    figure, axes = plt.subplots(
        1, 2, figsize=(8, 0.9 + 0.24 * len(records)), sharey=True, layout="constrained"
    )
    for axis, key, dx in zip(axes, ("sensitivity", "specificity"), ("mel", "nv"), strict=True):
        low, value, high = (
            np.array([r[key][k] for r in records], float) for k in ("low", "value", "high")
        )
        axis.hlines(height, low, high, color=COLOURS[dx], lw=3)
        axis.plot(value, height, "o", color=COLOURS[dx])
        axis.axvline(value[0], color=GREY, ls=":", lw=1)
        axis.set_xlabel(f"{key} for melanoma")
    axes[0].set_yticks(height, names, fontsize=9)
    axes[0].invert_yaxis()
    return figure


def relative_errors(found: Mapping[str, Mapping[str, Mapping]]) -> Figure:
    """Draw the relative error over the strength of each corruption, for the two networks.

    Parameters
    ----------
    found : mapping
        By the network's name, by the corruption, by the strength, the stored numbers; what is
        called ``clean`` or ``levels`` is left out.

    Returns
    -------
    Figure
    """
    ways = [way for way in found["best"] if way != "clean"]
    figure, axes = plt.subplots(
        2,
        -(-len(ways) // 2),
        figsize=(8, 3.8),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, way in zip(axes.flat, ways, strict=False):
        for name, colour in TWO.items():
            records = [found[name][way][str(s)]["relative error"] for s in STRENGTHS]
            low, value, high = (np.array([r[k] for r in records]) for k in ("low", "value", "high"))
            axis.fill_between(STRENGTHS, low, high, color=colour, alpha=0.2, lw=0)
            axis.plot(STRENGTHS, value, "o-", ms=4, color=colour, label=name)
        axis.axhline(1, color=GREY, lw=1, ls=":")
        axis.set(title=way, xticks=STRENGTHS)
    axes[0, 0].legend(fontsize=9)
    figure.supylabel("relative error", fontsize=11)
    figure.supxlabel("strength", fontsize=11)
    return figure
