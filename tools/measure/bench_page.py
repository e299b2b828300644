"""The table of `make bench`, in the terminal and on the page *How long things take*."""

import json
from pathlib import Path

from tools.book.course import ROOT
from utils.files import replace_file

RESULTS = ROOT / "models" / "bench.json"
PAGE = ROOT / "how-long-things-take.md"
START = "<!-- what make bench measured: start -->"
END = "<!-- what make bench measured: end -->"
COLUMNS = (
    "what",
    "seconds",
    "peak memory (MB)",
    "balanced accuracy",
    "macro AUC",
    "as a ratio",
)
BACKENDS = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
NOT_YET = "Not measured yet: `make bench` writes the table here."


def read_results(path: Path = RESULTS) -> dict | None:
    """Return the stored results, or None if nothing has been measured yet.

    Raises
    ------
    ValueError
        If the file is there but is not one that `make bench` wrote.
    """
    if not path.is_file():
        return None
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        lines(results)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path.name} is not a result of this version of `make bench` ({error!r}). "
            "Run `make bench` again."
        ) from error
    return results


def lines(results: dict) -> list[list[str]]:
    """Return the rows of the table, one string for each of `COLUMNS`.

    Parameters
    ----------
    results : dict
        As `tools.measure.bench.bench` returns it.
    """
    found = results["measured"]
    old, new, short = found["original"], found["recipe"], found["short"]
    key = "balanced accuracy"
    reached = "" if short["validation"][key] >= old["test"][key] else " not"
    table = [
        _line(f"Original procedure, pandas way, {old['epochs']} epochs", old, None),
        _line(f"The course's recipe, {new['epochs']} epochs", new, old),
        _line(
            f"The recipe cut to {short['epochs']} epochs: the original's quality{reached} reached",
            short,
            old,
        ),
        _line("Load, oversample, train 1 epoch: pandas way", found["original epoch"], None),
        _line("The same the course's way", found["course epoch"], found["original epoch"]),
        ["Python and Keras started, nothing done", "", _number(found["nothing"]["peak_mb"])]
        + [""] * 3,
        _line("Read the Kaggle CSV with pandas", found["csv pandas"], None),
    ]
    if found["csv pyarrow"]:
        table.append(
            _line("The same with pyarrow", found["csv pyarrow"], found["csv pandas"]),
        )
    table += [
        _line(f"`load_ham10000`, no cache: {source(results)}", found["cold"], found["csv pandas"]),
        _line("`load_ham10000`, from its cache", found["warm"], found["csv pandas"]),
    ]
    first = found["growth"][0]
    table += [
        _line(
            f"One augmented epoch, {row['images']:,} phantom images (× {row['factor']}; read in "
            f"{_number(row['load_seconds'])} s)",
            row,
            None if row is first else first,
        )
        for row in found["growth"]
    ]
    small, large = found["pixels"]
    for row, other in ((small, None), (large, small)):
        text = f"A step of {row['batch']} images of {row['size']} × {row['size']} pixels"
        table.append(_line(text, row, other))
    table.append(_line("One image, averaged over its 8 symmetries", found["prediction"], None))
    return table


def source(results: dict) -> str:
    """Name the source of the images in a word or two."""
    return "the phantom" if results["data"]["phantom"] else results["data"]["source"]


def remarks(results: dict) -> list[str]:
    """Return the sentences that stand with the table: machine, versions, data, what is absent."""
    machine, versions, data = results["machine"], results["versions"], results["data"]
    backend = versions["backend"]
    said = [
        f"Measured on {results['date']} in one run of {results['seconds'] / 60:.0f} minutes on "
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB of memory "
        f"({machine['system']}), with Python {versions['python']}, Keras {versions['keras']} and "
        f"{BACKENDS[backend]} {versions[backend]}.",
        f"Data: {data['source']}, {data['images']:,} images.",
    ]
    if not results["measured"]["csv pyarrow"]:
        said.append("pyarrow is not installed there, so its row is absent.")
    return said


def section(results: dict | None) -> str:
    """Return what stands between the markers of the page, markers included."""
    if results is None:
        return f"{START}\n{NOT_YET}\n{END}"
    table = [f"| {' | '.join(COLUMNS)} |", "|---|" + "---:|" * 4 + "---|"]
    table += [f"| {' | '.join(row)} |" for row in lines(results)]
    return "\n".join([START, *remarks(results), "", *table, "", END])


def spliced(text: str, results: dict | None) -> str:
    """Return the text of the page with the results between its markers.

    Raises
    ------
    ValueError
        If the page does not have the two markers, once each and in order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in rest or END in after:
        raise ValueError(
            f"{PAGE.name} must have the lines {START!r} and {END!r} once each; put them back."
        )
    return before + section(results) + after


def write_page(results: dict | None, page: Path = PAGE) -> None:
    """Write the results into the page."""
    replace_file(page, spliced(page.read_text(encoding="utf-8"), results))


def _line(text: str, found: dict, other: dict | None) -> list[str]:
    judged = found.get("test", {})
    ratio = ""
    if other is not None:
        ratio = (
            f"time × {_number(found['seconds'] / other['seconds'])}, "
            f"memory × {_number(found['peak_mb'] / other['peak_mb'])}"
        )
    return [
        text,
        _number(found["seconds"]),
        _number(found["peak_mb"]),
        *(f"{judged[key]:.3f}" if judged else "" for key in ("balanced accuracy", "macro AUC")),
        ratio,
    ]


def _number(value: float) -> str:
    """Write a number with two or three digits that count, never as a power of ten."""
    if value >= 99.5:
        return f"{value:,.0f}"
    if value >= 9.95:
        return f"{value:.1f}"
    if value >= 0.095:
        return f"{value:.2f}"
    return f"{value:.2g}" if value >= 1e-4 else f"{value:.5f}"
