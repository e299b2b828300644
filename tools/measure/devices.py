"""The course's recipe on this device, on each backend that is installed: time, and same answers.

    python -m tools.measure.devices [--page]   (with it: measure nothing, write the pages again)

Newer rows in ``models/devices.json`` take the place of older ones of the same device and backend.
If PyTorch is there (``pip install torch``; the course does not need it), what it answers with the
published weights is compared with TensorFlow's, and ``models/backends.json`` gets the result.
"""

import importlib.util

from tools.measure import harness
from tools.measure.harness import BACKENDS

COMPARED = ("tensorflow", "torch")
TOLERANCE = 1e-4  # largest difference of a probability


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
        raise SystemExit(
            f"The two backends differ by {largest:.1e} on {data} and {other}; {TOLERANCE:.0e} on "
            "the same data is allowed. The comparison was not stored."
        )
    backends = {}
    for backend, one in found.items():
        row, more = one["row"], {"versions": one["versions"]}
        backends[backend] = {"device": row["device"], "seconds_per_epoch": row["seconds"]} | more
    same = float((first.argmax(axis=1) == second.argmax(axis=1)).mean())
    numbers = {"images": len(first), "largest_difference": largest, "same_answer": same}
    return harness.occasion() | {"data": data} | numbers | {"backends": backends}


if __name__ == "__main__":
    harness.command(measure)
