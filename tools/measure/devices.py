"""Seconds per epoch on this device, one row for each backend that is installed here.

    python -m tools.measure.devices [--page]   (with it: measure nothing, write the page again)

Trains one epoch of the course's recipe, augmentation included, and another one on the same batch
again and again: what that one saves is the time spent on getting batches. On a GPU the quotient
should be 0.8 or more, or the card waits for its input. The same is done with a network that has
next to nothing to compute: while its quotient is 0.8 or more, no card waits, however fast.

Newer rows in ``models/devices.json`` take the place of older ones of the same device and backend.
"""

import importlib.util
import sys
from collections.abc import Iterator

from tools.measure import harness
from tools.measure.harness import BACKENDS

PAGE = harness.ROOT / "how-long-things-take.md"
COLUMNS = {
    "device": "{device}",
    "backend": "{name} {version}",
    "batch": "{batch}",
    "seconds per epoch": "{seconds:.1f}",
    "minutes for 50 epochs": "{minutes:.1f}",
    "same batch again, as a ratio": "{ratio:.2f}",
    "the same, nothing to compute": "{idle_ratio:.2f}",
    "measured": "{date}",
}


def measure() -> Iterator[dict]:
    """Yield all rows whenever one was measured."""
    rows = harness.stored("devices")["rows"]
    for backend, name in BACKENDS.items():
        if importlib.util.find_spec(backend):
            rows.append(harness.apart("networks.device", env={"KERAS_BACKEND": backend}))
            yield {"rows": merged(rows)}
        else:
            print(f"{name} is not installed here: no row.", flush=True)


def merged(rows: list[dict]) -> list[dict]:
    """Leave the last row of each device and backend, and sort them."""
    latest = {(row["device"], row["backend"]): row for row in rows}
    return [latest[key] for key in sorted(latest)]


def section(results: dict) -> str:
    """Return the page's table."""
    cells = []
    for row in results["rows"]:
        more = {"name": BACKENDS[row["backend"]], "minutes": row["seconds"] * 50 / 60}
        cells.append([cell.format(**row, **more) for cell in COLUMNS.values()])
    return harness.markdown(cells, list(COLUMNS), numbers=range(2, 7))


if __name__ == "__main__":
    sys.exit(harness.command("devices", measure, section, page=PAGE))
