"""PrettyTables: numbers as tables that read well in a page, a terminal and Colab."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from prettytable import PrettyTable

from utils.classes import CLASSES
from utils.data import LesionImages


def table(rows: Iterable[Sequence], columns: Sequence[str], *, title: str = "") -> PrettyTable:
    """Make a PrettyTable: text to the left, numbers to the right.

    Parameters
    ----------
    rows : iterable of sequences
        One sequence per row. Integers get thousands separators, floats three decimals,
        NaN and None a dash.
    columns : sequence of str
        Column headings; no two alike.
    title : str
        Stands above the table; say which data it shows.

    Returns
    -------
    PrettyTable
    """
    rows = [list(row) for row in rows]
    made = PrettyTable(list(columns))
    if title:
        made.title = title
    for row in rows:
        made.add_row([_cell(value) for value in row])
    for k, column in enumerate(columns):
        text = any(isinstance(row[k], str) for row in rows)
        made.align[column] = "l" if text else "r"
    return made


def class_table(dataset: LesionImages) -> PrettyTable:
    """List the seven classes with their numbers of images and lesions.

    Parameters
    ----------
    dataset : LesionImages

    Returns
    -------
    PrettyTable
        One row per class in the order of the labels, and a row of totals.
    """
    lesions = dataset.metadata.groupby("dx")["lesion_id"].nunique()
    counts = np.bincount(dataset.labels, minlength=len(CLASSES))
    rows = [
        (c.dx, c.name, int(counts[c.kaggle_label]), int(lesions.get(c.dx, 0)), _share(n, counts))
        for c, n in zip(CLASSES, counts, strict=True)
    ]
    rows.append(("all", "", int(counts.sum()), int(lesions.sum()), "100.0 %"))
    columns = ["dx", "name", "images", "lesions", "share of images"]
    made = table(rows, columns, title=f"The seven classes ({dataset.source})")
    made.align["share of images"] = "r"
    return made


def class_report(numbers: pd.DataFrame, *, title: str) -> PrettyTable:
    """Show the result of ``utils.metrics.per_class`` as a PrettyTable.

    Parameters
    ----------
    numbers : DataFrame
        From ``utils.metrics.per_class``.
    title : str
        Which model on which data.

    Returns
    -------
    PrettyTable
    """
    return table(numbers.itertuples(index=False), list(numbers.columns), title=title)


def _share(count: int, counts: np.ndarray) -> str:
    return f"{100 * count / counts.sum():.1f} %"


def _cell(value: object) -> str:
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return "–"
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, (float, np.floating)):
        return f"{value:.3f}"
    return str(value)
