"""The same Keras code on TensorFlow and on PyTorch: same weights in, same answers out, and time.

    python -m tools.measure.backends

Keras takes its backend once, at import, so each has a process of its own. It loads the published
weights, predicts the same test images and trains one epoch of the course's recipe. The results go
into ``models/backends.json``. PyTorch is not among the course's packages: ``pip install torch``
adds it.
"""

import importlib.util
import sys
import tempfile
from collections.abc import Iterator

from tools.measure import harness

COMPARED = ("tensorflow", "torch")
TOLERANCE = 1e-4  # largest difference of a probability


def measure(*, apart=harness.apart) -> Iterator[dict]:
    """Yield the comparison; raise if a backend is missing or fails, or the answers differ."""
    import numpy as np

    results, answers, settings = {}, [], {"weights": "best", "images": 256}
    for backend in COMPARED:
        env = {"KERAS_BACKEND": backend}
        if importlib.util.find_spec(backend) is None:
            text = "{} is not installed here: `python -m pip install {}` adds it."
            raise harness.MeasureError(text.format(harness.BACKENDS[backend], backend))
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/answers.npy"
            results[backend] = apart("networks.answers", env=env, file=file, **settings)
            answers.append(np.load(file))
    first, second = answers
    data, other = (results[backend].pop("data") for backend in COMPARED)
    largest = float(np.abs(first - second).max())
    if data != other or largest > TOLERANCE:
        raise harness.MeasureError(
            f"The two backends differ by {largest:.1e} on {data} and {other}; {TOLERANCE:.0e} on "
            "the same data is allowed. Nothing was stored."
        )
    yield (
        harness.occasion()
        | settings
        | {
            "data": data,
            "images": len(first),
            "largest_difference": largest,
            "same_answer": float((first.argmax(axis=1) == second.argmax(axis=1)).mean()),
            "backends": results,
        }
    )


if __name__ == "__main__":
    sys.exit(harness.command("backends", measure))
