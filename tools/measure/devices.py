"""The course's recipe on this device, on each backend that is installed: time, and same answers.

    python -m tools.measure.devices [--page]   (with it: measure nothing, write the page again)

Keras takes its backend once, at import, so each has a process of its own. A device would wait for
its input if putting an epoch's batches together took longer than computing with them.

Newer rows in ``models/devices.json`` take the place of older ones of the same device and backend.
If PyTorch is there (``pip install torch``; the course does not need it), what it answers with the
published weights is compared with TensorFlow's, and ``models/backends.json`` gets the result.
"""

import importlib.util

from tools.measure import harness
from tools.measure.harness import BACKENDS

PAGE = harness.ROOT / "how-long-things-take.md"
COMPARED = ("tensorflow", "torch")
TOLERANCE = 1e-4  # largest difference of a probability
COLUMNS = {
    "device": "{device}",
    "backend": "{name} {version}",
    "batch": "{batch}",
    "seconds per epoch": "{seconds:.1f}",
    "minutes for 50 epochs": "{minutes:.1f}",
    "seconds to get its batches": "{batches_seconds:.3f}",
    "measured": "{date}",
}


def measure(*, apart=harness.apart) -> None:
    """Store a row for each installed backend, and the comparison if both are there."""
    found = {}
    for backend, name in BACKENDS.items():
        if importlib.util.find_spec(backend):
            found[backend] = apart("networks.device", env={"KERAS_BACKEND": backend})
            rows = [*harness.stored("devices")["rows"], found[backend]["row"]]
            harness.store("devices", {"rows": merged(rows)})
        else:
            print(f"{name} is not installed here: no row.", flush=True)
    if found.keys() >= set(COMPARED):
        harness.store("backends", compared({backend: found[backend] for backend in COMPARED}))


def merged(rows: list[dict]) -> list[dict]:
    """Leave the last row of each device and backend, and sort them."""
    latest = {(row["device"], row["backend"]): row for row in rows}
    return [latest[key] for key in sorted(latest)]


def compared(found: dict[str, dict]) -> dict:
    """Compare what two backends answered; raise if it was not the same."""
    import numpy as np

    first, second = (np.array(one["answers"]) for one in found.values())
    data, other = (one["data"] for one in found.values())
    largest = float(np.abs(first - second).max())
    if data != other or largest > TOLERANCE:
        raise harness.MeasureError(
            f"The two backends differ by {largest:.1e} on {data} and {other}; {TOLERANCE:.0e} on "
            "the same data is allowed. The comparison was not stored."
        )
    backends = {
        backend: {key: one["row"][key] for key in ("device", "rows")}
        | {"seconds_per_epoch": one["row"]["seconds"], "versions": one["versions"]}
        for backend, one in found.items()
    }
    return harness.occasion() | {
        "weights": "best",
        "data": data,
        "images": len(first),
        "largest_difference": largest,
        "same_answer": float((first.argmax(axis=1) == second.argmax(axis=1)).mean()),
        "backends": backends,
    }


def section(results: dict) -> str:
    """Return the page's table."""
    cells = []
    for row in results["rows"]:
        more = {"name": BACKENDS[row["backend"]], "minutes": row["seconds"] * 50 / 60}
        cells.append([cell.format(**row, **more) for cell in COLUMNS.values()])
    return harness.markdown(cells, list(COLUMNS), numbers=range(2, 6))


if __name__ == "__main__":
    harness.command("devices", measure, section, page=PAGE)
