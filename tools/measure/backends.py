"""The same Keras code on TensorFlow and on PyTorch: same weights in, same answers out, and time.

    python -m tools.measure.backends [--epochs 80]

Keras takes its backend once, at import, so each has a process of its own. It loads the published
weights, predicts the same test images and trains one epoch of the course's recipe; with
``--epochs`` it trains so long as well. The results go into ``models/backends.json``. PyTorch is
not among the course's packages: ``pip install torch`` adds it.
"""

import datetime
import importlib.util
import sys
import tempfile
from collections.abc import Iterator

from tools.measure import harness

COMPARED = ("tensorflow", "torch")
TOLERANCE = 1e-4  # largest difference of a probability


def compare(*, rows: int | None = None, epochs: int = 0, apart=harness.apart) -> dict:
    """Run both backends, one after the other, on so many rows (None: all), and compare them.

    Raises `MeasureError` if one is missing or fails, or if their answers differ too much.
    """
    import numpy as np

    results, answers, settings = {}, [], {"weights": "best", "images": 256}
    for backend in COMPARED:
        name, env = harness.BACKENDS[backend], {"KERAS_BACKEND": backend}
        if importlib.util.find_spec(backend) is None:
            command = f"python -m pip install {backend}"
            raise harness.MeasureError(f"{name} is not installed here: `{command}` adds it.")
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/answers.npy"
            result = apart("networks.answers", env=env, file=file, rows=rows, **settings)
            answers.append(np.load(file))
        if epochs:
            result["training"] = apart("networks.course", env=env, changes={"epochs": epochs})
        results[backend] = result
    first, second = answers
    data, other = (results[backend].pop("data") for backend in COMPARED)
    largest = float(np.abs(first - second).max())
    if data != other or largest > TOLERANCE:
        raise harness.MeasureError(
            f"The two backends differ by {largest:.1e} on {data} and {other}; {TOLERANCE:.0e} on "
            "the same data is allowed. Nothing was stored."
        )
    return settings | {
        "date": datetime.date.today().isoformat(),
        "machine": harness.machine(),
        "data": data,
        "images": len(first),
        "largest_difference": largest,
        "same_answer": float((first.argmax(axis=1) == second.argmax(axis=1)).mean()),
        "backends": results,
    }


def measure(*, epochs: int) -> Iterator[dict]:
    """Yield the comparison."""
    yield compare(epochs=epochs)


def section(results: dict) -> str:
    """Return the comparison in words."""
    name, seconds = harness.BACKENDS, "seconds_per_epoch"
    times = [f"{name[b]}: {r[seconds]:.2f} s per epoch" for b, r in results["backends"].items()]
    largest, same = results["largest_difference"], results["same_answer"]
    return "; ".join(
        [*times, f"largest difference of a probability {largest:.1e}, same answer {same:.1%}"]
    )


if __name__ == "__main__":
    epochs = {"type": int, "default": 0, "help": "also train so many epochs on each"}
    sys.exit(harness.command("backends", measure, section, epochs=epochs))
