"""Figures about how sure a result is: intervals, precision, calibration, decisions, spread."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from utils.classes import CLASSES, COLOURS
from utils.intervals import Interval
from utils.metrics import class_auc
from utils.plots import GREY

# Okabe and Ito's colours that stand for no group of the figure they are used in.
PAIR = (COLOURS["mel"], COLOURS["bcc"], COLOURS["bkl"])


def interval_bars(
    intervals: Mapping[str, Mapping[str, Interval]], *, axis: Axes | None = None
) -> Axes:
    """Draw intervals below each other, one colour for each way they were computed.

    Parameters
    ----------
    intervals : mapping of str to mapping of str to Interval
        From the way (the legend) to the intervals by the name of their number.
    axis : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
    """
    names = list(next(iter(intervals.values())))
    if axis is None:
        _, axis = plt.subplots(figsize=(7.5, 0.7 + 0.6 * len(names)), layout="constrained")
    for k, (way, of_way) in enumerate(intervals.items()):
        height = np.arange(len(names)) + 0.28 * (k - (len(intervals) - 1) / 2)
        value, low, high = np.array(
            [(i.value, i.low, i.high) for i in (of_way[name] for name in names)]
        ).T
        axis.hlines(height, low, high, color=PAIR[k], lw=3, label=way)
        axis.plot(value, height, "o", color=PAIR[k], ms=7)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlabel("value on the test part, with 95 % interval")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return axis


def roc_and_precision_recall(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw each class against the rest twice: ROC curves and precision over sensitivity.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
    probabilities : ndarray of float, shape (n, 7)

    Returns
    -------
    Figure
        Each with its summary in the legend: area under the ROC curve (AUC) and average
        precision (AP), beside the share of the class, which is the AP of guessing.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.9))
    areas = class_auc(labels, probabilities)
    for c, area in zip(CLASSES, areas, strict=True):
        own, scores = labels == c.kaggle_label, probabilities[:, c.kaggle_label]
        false_alarms, hits, _ = roc_curve(own, scores)
        left.plot(false_alarms, hits, color=c.colour, label=f"{c.dx}, AUC {area:.2f}")
        precision, sensitivity, _ = precision_recall_curve(own, scores)
        ap = average_precision_score(own, scores)
        label = f"{c.dx}, AP {ap:.2f} (guessing {own.mean():.2f})"
        right.plot(sensitivity, precision, color=c.colour, label=label)
    left.plot([0, 1], [0, 1], color=GREY, ls=":", lw=1)
    left.set(
        title="ROC",
        xlabel="false alarms (1 − specificity)",
        ylabel="hits (sensitivity)",
        xlim=(0, 1),
        ylim=(0, 1.01),
    )
    right.set(
        title="precision and sensitivity",
        xlabel="hits (sensitivity, recall)",
        ylabel="precision (PPV)",
        xlim=(0, 1),
        ylim=(0, 1.01),
    )
    left.legend(fontsize=8, loc="lower right")
    right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    return figure


def reliability_diagrams(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw reliability diagrams side by side, and below each how many images a bin holds.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        From the title to what ``utils.calibration.reliability_table`` returned.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(
        2,
        len(tables),
        figsize=(4.6 * len(tables), 5.2),
        sharex=True,
        sharey="row",
        squeeze=False,
        gridspec_kw={"height_ratios": [3, 1]},
    )
    for (upper, lower), (title, table) in zip(axes.T, tables.items(), strict=True):
        filled = table[table["images"] > 0]
        width = filled["high"] - filled["low"]
        upper.bar(
            filled["low"],
            filled["accuracy"],
            width=width,
            align="edge",
            color=COLOURS["bcc"],
            edgecolor="white",
            label="share that is right",
        )
        upper.plot(
            filled["confidence"],
            filled["confidence"],
            "o",
            color=COLOURS["mel"],
            ms=5,
            label="mean probability given",
        )
        upper.vlines(
            filled["confidence"],
            filled["accuracy"],
            filled["confidence"],
            color=COLOURS["mel"],
            lw=1.5,
        )
        upper.plot([0, 1], [0, 1], color=GREY, ls=":", lw=1)
        upper.set(title=title, xlim=(0, 1), ylim=(0, 1))
        lower.bar(filled["low"], filled["images"], width=width, align="edge", color=GREY)
        lower.set_xlabel("probability of the predicted class")
    axes[0, 0].set_ylabel("share that is right")
    axes[1, 0].set_ylabel("images")
    axes[0, 0].legend(fontsize=9, loc="upper left")
    figure.tight_layout()
    return figure


def decision_curves(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw net benefit over threshold for one or more models, treat all and treat none.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        From the legend to what ``utils.decisions.decision_curve`` returned, all for the same
        images and thresholds.

    Returns
    -------
    Figure
    """
    figure, axis = plt.subplots(figsize=(7.5, 4))
    for k, (name, curve) in enumerate(curves.items()):
        axis.fill_between(
            curve["threshold"], curve["low"], curve["high"], color=PAIR[k], alpha=0.2, lw=0
        )
        axis.plot(curve["threshold"], curve["model"], color=PAIR[k], lw=2, label=name)
    axis.plot(curve["threshold"], curve["treat all"], color=GREY, ls="--", label="treat all")
    axis.plot(curve["threshold"], curve["treat none"], color="black", lw=1, label="treat none")
    top = max(curve["high"].max() for curve in curves.values())
    axis.set(
        xlabel="threshold: the risk of melanoma from which on you would act",
        ylabel="net benefit (hits per image)",
        xlim=(0, curve["threshold"].max()),
        ylim=(-0.4 * top, 1.1 * top),
    )
    axis.legend(fontsize=9)
    figure.tight_layout()
    return figure


def spread(scores: pd.DataFrame, *, columns: list[str]) -> Figure:
    """Draw the numbers of repeated runs as dots, with mean and standard deviation.

    Parameters
    ----------
    scores : DataFrame, one row per run
        ``kind`` (how the runs differ) and `columns`.
    columns : list of str
        Numbers to draw, a panel each.

    Returns
    -------
    Figure
    """
    kinds = list(dict.fromkeys(scores["kind"]))
    figure, axes = plt.subplots(1, len(columns), figsize=(3.4 * len(columns), 3.4), squeeze=False)
    for axis, column in zip(axes[0], columns, strict=True):
        for k, kind in enumerate(kinds):
            values = scores.loc[scores["kind"] == kind, column].to_numpy()
            places = k - 0.16 + 0.32 * np.arange(len(values)) / max(1, len(values) - 1)
            axis.plot(places, values, "o", color=PAIR[k], ms=6)
            axis.errorbar(
                k + 0.3, values.mean(), values.std(ddof=1), color=PAIR[k], fmt="D", ms=5, capsize=4
            )
        axis.set(title=column, xlim=(-0.5, len(kinds) - 0.4))
        axis.set_xticks(range(len(kinds)), kinds)
    axes[0, 0].set_ylabel("value on the run's own test part")
    text = "HAM10000, © ViDIR Group; stored runs"
    figure.text(0.99, -0.01, text, ha="right", va="top", fontsize=8, color=GREY)
    figure.tight_layout()
    return figure
