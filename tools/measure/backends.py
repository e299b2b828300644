"""The same Keras code on TensorFlow and on PyTorch: same weights in, same answers out, and time.

``python -m tools.measure.backends`` starts one process for each backend, because Keras takes its backend
once, at import. Each loads the published weights, predicts the same test images and trains one
epoch of the course's recipe. ``--epochs 80`` trains so long as well, and judges the result on the
validation part. The results go into ``models/backends.json``. PyTorch is not among the course's
packages: ``pip install torch`` adds it.
"""

import argparse
import datetime
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.book.course import ROOT, environment
from tools.measure.bench_machine import machine
from tools.measure.devices import NAMES
from utils.files import write_json

RESULTS = ROOT / "models" / "backends.json"
BACKENDS = ("tensorflow", "torch")
TOLERANCE = 1e-4  # largest difference of a probability
MISSING = (
    "PyTorch is not installed here, so there is nothing to compare. It is not among the course's "
    "packages, because only this comparison needs it. Install it into the same environment with\n"
    "    .venv/bin/python -m pip install torch\n"
    "and run this again."
)


class BackendError(RuntimeError):
    """A backend did not come to its end; the message says which."""


def compare(
    *, weights: str = "best", images: int = 256, rows: int | None = None, epochs: int = 0
) -> dict:
    """Run both backends, one after the other, and compare what they say.

    Parameters
    ----------
    weights : str
        Name of published weights.
    images : int
        Number of test images to predict.
    rows : int or None
        Train on so many rows of the training part; None takes all.
    epochs : int
        Length of a real training by the course's recipe on each backend; 0 leaves it out.

    Returns
    -------
    dict
        ``largest_difference`` (of a probability), ``same_answer`` (share of the images with the
        same most probable class), ``images``, ``weights``, ``data``, ``date``, ``machine`` and
        ``backends``: for each its versions, device, ``seconds_per_epoch`` over ``rows`` rows, and
        ``training`` (None or a dict of epochs, seconds, history and validation numbers).

    Raises
    ------
    BackendError
        If PyTorch is missing or a process fails.
    """
    import numpy as np

    if importlib.util.find_spec("torch") is None:
        raise BackendError(MISSING)
    settings = {"weights": weights, "images": images, "rows": rows, "epochs": epochs}
    found, answers = {}, {}
    with tempfile.TemporaryDirectory(prefix="backends-") as folder:
        for backend in BACKENDS:
            print(f"[{time.strftime('%H:%M:%S')}] {NAMES[backend]}", flush=True)
            run_on(backend, "tools.measure.backends", json.dumps(settings), folder)
            report = Path(folder) / f"{backend}.json"
            found[backend] = json.loads(report.read_text(encoding="utf-8"))
            answers[backend] = np.load(Path(folder) / f"{backend}.npy")
    first, second = (answers[backend] for backend in BACKENDS)
    data = [found[backend].pop("data") for backend in BACKENDS]
    if data[0] != data[1]:
        raise BackendError(f"the two backends were given different data: {data[0]} and {data[1]}")
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "weights": weights,
        "data": data[0],
        "images": len(first),
        "largest_difference": float(np.abs(first - second).max()),
        "same_answer": float((first.argmax(axis=1) == second.argmax(axis=1)).mean()),
        "backends": found,
    }


def run_on(backend: str, module: str, *arguments: str) -> None:
    """Run a module as a program in a process whose Keras computes with the backend named.

    Raises
    ------
    BackendError
        If it fails; its own message stands above.
    """
    env = environment() | {"KERAS_BACKEND": backend, INSIDE: backend}
    command = [sys.executable, "-m", module, *arguments]
    status = subprocess.run(command, cwd=ROOT, env=env).returncode
    if status:
        raise BackendError(f"the run with {NAMES[backend]} ended with status {status}")


INSIDE = "COURSE_BACKEND_RUN"  # set in the processes that `run_on` starts


def measure(settings: dict, folder: Path) -> None:
    """Do one backend's part, in its own process; write ``BACKEND.json`` and ``BACKEND.npy``."""
    import keras
    import numpy as np

    from tools.measure.bench_training import timed_epoch
    from utils.data import load_ham10000
    from utils.models import BUILDERS
    from utils.splits import lesion_split
    from utils.training import BEST
    from utils.weights import device_name, load_weights, versions

    backend = keras.backend.backend()
    if backend != os.environ[INSIDE]:
        raise RuntimeError(f"Keras computes with {backend}, not with {os.environ[INSIDE]}")
    dataset = load_ham10000()
    split = lesion_split(dataset)
    test = split.test[: settings["images"]]
    model, _ = load_weights(settings["weights"], dataset, test=test)
    answers = model.predict(dataset.images[test], batch_size=128, verbose=0)
    np.save(folder / f"{backend}.npy", answers)
    rows = split.train[: settings["rows"]]
    seconds, _ = timed_epoch(BUILDERS[BEST.network](), dataset, rows, BEST)
    report = {
        "versions": versions(),
        "device": device_name(),
        "seconds_per_epoch": seconds,
        "rows": len(rows),
        "training": _training(dataset, split, rows, settings["epochs"]),
        "data": {
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "split": split.fingerprint,
            "phantom": dataset.is_phantom,
        },
    }
    write_json(folder / f"{backend}.json", report)


def _training(dataset, split, rows, epochs: int) -> dict | None:
    if not epochs:
        return None
    import dataclasses

    from utils.augment import predict_averaged
    from utils.metrics import headline
    from utils.training import BEST, class_shares, train

    recipe = dataclasses.replace(BEST, epochs=epochs)
    with tempfile.TemporaryDirectory() as folder:
        model, certificate = train(
            dataset,
            dataclasses.replace(split, train=rows),
            recipe,
            name="backend",
            folder=Path(folder),
        )
    answers = predict_averaged(model, dataset.images[split.validation])
    shares = class_shares(dataset.labels[rows]) if recipe.prior else None
    return {
        "epochs": epochs,
        "seconds": certificate.seconds,
        "history": certificate.history["val_balanced_accuracy"],
        "validation": headline(dataset.labels[split.validation], answers, shares=shares),
    }


def show(results: dict) -> str:
    """Return the comparison as text: what differs, and a PrettyTable of the times."""
    from utils.report import table

    rows = []
    for backend, found in results["backends"].items():
        trained = found["training"] or {}
        judged = trained.get("validation", {})
        rows.append(
            (
                f"{NAMES[backend]} {found['versions'][backend]}",
                found["device"],
                f"{found['seconds_per_epoch']:.2f}",
                trained.get("epochs"),
                judged.get("balanced accuracy"),
                judged.get("macro AUC"),
            )
        )
    columns = ["backend", "device", "seconds per epoch", "epochs trained"]
    columns += ["balanced accuracy (validation)", "macro AUC (validation)"]
    return (
        f"Same weights ({results['weights']}), {results['images']:,} images of "
        f"{results['data']['source']}: the largest difference of a probability is "
        f"{results['largest_difference']:.1e} (at most {TOLERANCE:.0e} is allowed), and the most "
        f"probable class is the same for {100 * results['same_answer']:.1f} % of the images.\n"
        f"{table(rows, columns, title=f'The same Keras code on {len(rows)} backends')}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Compare, store, print; return 1 if PyTorch is missing or the answers differ too much."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure.backends", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--weights", default="best", help="name of published weights (best)")
    parser.add_argument("--images", type=int, default=256, help="test images to predict (256)")
    parser.add_argument("--rows", type=int, help="train on so many images only, to try it out")
    parser.add_argument("--epochs", type=int, default=0, help="also train so many epochs on each")
    parser.add_argument("--output", type=Path, default=RESULTS, help="file for the results")
    chosen = vars(parser.parse_args(arguments))
    output = chosen.pop("output")
    try:
        results = compare(**chosen)
    except BackendError as error:
        print(error, file=sys.stderr)
        return 1
    print(show(results))
    if results["largest_difference"] > TOLERANCE:
        print("The backends disagree, so nothing was stored.", file=sys.stderr)
        return 1
    write_json(output, results)
    return 0


if __name__ == "__main__":
    if INSIDE in os.environ:
        measure(json.loads(sys.argv[1]), Path(sys.argv[2]))
    else:
        sys.exit(main())
