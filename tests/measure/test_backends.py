"""All backends give the same answers from the same weights, and all can train."""

import importlib.util
import json
import os
import subprocess
import sys
from importlib import metadata

import nbformat
import numpy as np
import pytest

from tools.book.course import ROOT, environment, execute
from tools.measure import backends
from utils.files import write_json

OTHERS = [  # PyTorch is no part of the course, so it may be missing
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"{name} is not installed"
        ),
    )
    for name in ("torch", "jax")
]
RECIPE = {"epochs": 1, "batch_size": 32, "average": 0.5}

# Trains on noise on TensorFlow, predicts on every backend with those weights, trains on the others
# as well. The written files are compared by the tests.
SCRIPT = """
import dataclasses, json, sys
from pathlib import Path
import keras, numpy as np
from tests.small_dataset import small_dataset
from utils.augment import predict_averaged, symmetry
from utils.models import BUILDERS
from utils.splits import lesion_split
from utils.training import BEST, train

folder, backend = Path(sys.argv[1]), keras.backend.backend()
dataset = small_dataset()
split = lesion_split(dataset)
recipe = dataclasses.replace(BEST, **json.loads(sys.argv[2]))
_, certificate = train(dataset, split, recipe, name=backend, folder=folder)
for name in ("original_cnn", recipe.network):
    model = BUILDERS[name]()
    shared = folder / f"{name}.weights.h5"
    if name == recipe.network:
        shared = folder / "tensorflow.weights.h5"
    elif not shared.exists():
        model.save_weights(shared)
    model.load_weights(shared)
    np.save(folder / f"{name}-{backend}.npy", model.predict(dataset.images, verbose=0))
np.save(folder / f"averaged-{backend}.npy", predict_averaged(model, dataset.images[:9]))
turned = np.ascontiguousarray(symmetry(dataset.images[:9], 5))
np.save(folder / f"turned-{backend}.npy", predict_averaged(model, turned))
(folder / f"{backend}.history").write_text(
    json.dumps([recipe.network, certificate.versions, certificate.history])
)
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A function that returns the folder where TensorFlow and a backend wrote about the noise."""
    folder = tmp_path_factory.mktemp("backends")

    def write(backend):
        for name in ("tensorflow", backend):
            if not (folder / f"{name}.history").exists():
                done = subprocess.run(
                    [sys.executable, "-c", SCRIPT, str(folder), json.dumps(RECIPE)],
                    cwd=ROOT,
                    env=environment() | {"KERAS_BACKEND": name},
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, done.stderr[-3000:]
        return folder

    return write


@pytest.mark.parametrize("backend", OTHERS)
def test_same_weights_give_the_same_answers(written, backend):
    folder = written(backend)
    network = json.loads((folder / f"{backend}.history").read_text())[0]
    for name in (network, "original_cnn", "averaged"):
        ours, other = (np.load(folder / f"{name}-{b}.npy") for b in ("tensorflow", backend))
        assert ours.shape == other.shape and np.isfinite(ours).all() and len(ours)
        assert np.abs(ours - other).max() <= backends.TOLERANCE, name
    # The answers say something: they differ between images by far more than the tolerance.
    assert np.ptp(np.load(folder / f"{network}-{backend}.npy"), axis=0).max() > 0.01


@pytest.mark.parametrize("backend", OTHERS)
def test_averaging_does_not_depend_on_the_orientation(written, backend):
    folder = written(backend)
    as_is, turned = (np.load(folder / f"{name}-{backend}.npy") for name in ("averaged", "turned"))
    np.testing.assert_allclose(as_is, turned, atol=1e-5)


@pytest.mark.parametrize("backend", OTHERS)
def test_the_recipe_trains(written, backend):
    folder = written(backend)
    for name in ("tensorflow", backend):
        _, versions, history = json.loads((folder / f"{name}.history").read_text())
        assert versions["backend"] == name and name in versions
        assert np.isfinite(history["loss"]).all() and len(history["loss"]) == RECIPE["epochs"]
        assert (folder / f"{name}.weights.h5").exists()


def results():
    """A comparison as `compare` returns it."""
    one = {
        "versions": {"backend": "tensorflow", "tensorflow": "2.21.0"},
        "device": "CPU, 2 cores",
        "seconds_per_epoch": 6.25,
        "rows": 7007,
        "training": None,
    }
    trained = {
        "epochs": 80,
        "seconds": 640.0,
        "history": [0.5],
        "validation": {"balanced accuracy": 0.612, "macro AUC": 0.934},
    }
    two = one | {"versions": {"backend": "torch", "torch": "2.13.0"}, "training": trained}
    return {
        "date": "2026-01-01",
        "machine": {"cpu": "a processor", "cores": 2, "memory_gb": 8.0, "system": "Linux"},
        "weights": "best",
        "data": {"source": "noise", "fingerprint": "0", "split": "0", "phantom": False},
        "images": 256,
        "largest_difference": 3e-6,
        "same_answer": 1.0,
        "backends": {"tensorflow": one, "torch": two},
    }


def test_table_shows_both_backends():
    text = backends.show(results())
    for expected in ("TensorFlow 2.21.0", "PyTorch 2.13.0", "6.25", "80", "0.612", "0.934"):
        assert expected in text
    assert "3.0e-06" in text and "256 images" in text


@pytest.mark.parametrize("gap, status", [(1e-5, 0), (2e-4, 1)])
def test_backends_that_disagree_are_an_error(monkeypatch, tmp_path, gap, status):
    monkeypatch.setattr(backends, "compare", lambda **_: results() | {"largest_difference": gap})
    output = tmp_path / "backends.json"
    assert backends.main(["--output", str(output)]) == status
    assert output.exists() == (status == 0)


def test_missing_torch_is_said_with_the_command(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: None)
    assert backends.main(["--output", str(tmp_path / "backends.json")]) == 1
    assert "pip install torch" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_whole_comparison_joins_what_the_processes_wrote(monkeypatch, tmp_path):
    """`compare` with the two processes replaced: the joining and the arithmetic."""
    answers = {"tensorflow": np.full((4, 7), 1 / 7), "torch": np.full((4, 7), 1 / 7)}
    answers["torch"][2, 5] += 5e-5

    def written(backend, module, settings, folder):
        assert json.loads(settings) == {"weights": "w", "images": 4, "rows": 9, "epochs": 0}
        np.save(f"{folder}/{backend}.npy", answers[backend])
        path = backends.Path(folder) / f"{backend}.json"
        write_json(path, {"data": {"source": "noise"}, "seconds_per_epoch": 1.0})

    monkeypatch.setattr(backends, "run_on", written)
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: True)
    found = backends.compare(weights="w", images=4, rows=9)
    assert found["largest_difference"] == pytest.approx(5e-5)
    assert found["same_answer"] == 0.75
    assert set(found["backends"]) == set(backends.BACKENDS)


def test_stored_comparison_holds_what_chapter_8_shows():
    if not backends.RESULTS.exists():
        pytest.skip("models/backends.json is not there: nothing has been compared yet")
    stored = json.loads(backends.RESULTS.read_text(encoding="utf-8"))
    assert stored["largest_difference"] <= backends.TOLERANCE and stored["images"] == 256
    assert not stored["data"]["phantom"]
    for backend in backends.BACKENDS:
        assert stored["backends"][backend]["versions"]["backend"] == backend
        assert stored["backends"][backend]["seconds_per_epoch"] > 0


def test_a_failing_backend_is_named():
    with pytest.raises(backends.BackendError, match="TensorFlow ended with status"):
        backends.run_on("tensorflow", "tools.no_such_module")
    assert backends.INSIDE not in os.environ


@pytest.mark.parametrize("backend", OTHERS)  # TensorFlow runs it among all chapters
def test_chapter_5_trains_unchanged_on_every_backend(backend, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setenv("COURSE_QUICK", "1")
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    copy = tmp_path / "executed.ipynb"
    execute(ROOT / "chapters" / "05_training_on_a_gpu.ipynb", copy)
    cells = nbformat.read(copy, 4).cells
    printed = "".join(
        output.get("text", "") for cell in cells for output in cell.get("outputs", [])
    )
    assert f"{backend} {metadata.version(backend)}" in printed
    assert "Keras computes on: " in printed and "runs/original-quick.weights.h5" in printed
