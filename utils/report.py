"""PrettyTables: numbers as tables that read well in a page, a terminal and Colab."""

from collections.abc import Iterable, Sequence

import numpy as np
from prettytable import PrettyTable

from utils.classes import CLASSES
from utils.data import LesionImages

__all__ = ["class_table", "table"]


def table(rows: Iterable[Sequence], columns: Sequence[str], *, title: str = "") -> PrettyTable:
    """Make a PrettyTable: text to the left, numbers to the right.

    Parameters
    ----------
    rows : iterable of sequences
        Integers get thousands separators, floats three decimals, NaN and None a dash.
    columns : sequence of str, headings; no two alike
    title : str, above the table; say which data it shows
    """
    rows = [list(row) for row in rows]
    # In a notebook: inline styles hold the alignment, and a class gives pandas' own look.
    as_html = {"format": True, "attributes": {"class": "dataframe"}}
    shown = PrettyTable(list(columns), title=title or None, **as_html)
    shown.add_rows([[_cell(value) for value in row] for row in rows])
    for k, column in enumerate(columns):
        shown.align[column] = "l" if any(isinstance(row[k], str) for row in rows) else "r"
    return shown


def class_table(dataset: LesionImages) -> PrettyTable:
    """List the seven classes, and in the last row all, with numbers of images and lesions."""
    lesions = dataset.metadata.groupby("dx")["lesion_id"].nunique()
    counts, total = dataset.metadata["dx"].value_counts(), len(dataset.labels)
    rows = [(c.dx, c.name, counts.get(c.dx, 0), lesions.get(c.dx, 0)) for c in CLASSES]
    rows.append(("all", "", total, lesions.sum()))
    rows = [(*row, f"{100 * row[2] / total:.1f} %") for row in rows]
    columns = ["dx", "name", "images", "lesions", "share of images"]
    shown = table(rows, columns, title=f"The seven classes ({dataset.source})")
    shown.align["share of images"] = "r"
    return shown


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "–"
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float | np.floating) else str(value)
