"""Devices and backends: the same answers from the same weights, and all can train."""

import subprocess
import sys
from importlib import metadata

import nbformat
import numpy as np
import pytest
from small_dataset import small_dataset

from tools.book.course import ROOT, environment, execute, text_output
from tools.measure import devices, harness
from utils.augment import predict_averaged, symmetry
from utils.models import BUILDERS
from utils.training import BEST

OTHERS = ("torch", "jax")  # no part of the course, so they may be missing


def answers() -> dict[str, np.ndarray]:
    """What published weights say of noise on this process' backend."""
    images, found = small_dataset().images[::9], {}
    for network, weights in (("original_cnn", "original"), (BEST.network, "best")):
        model = BUILDERS[network]()
        model.load_weights(harness.MODELS / f"{weights}.weights.h5")
        found[network] = model.predict(images, verbose=0)
    found["averaged"] = predict_averaged(model, images)
    found["turned"] = predict_averaged(model, np.ascontiguousarray(symmetry(images, 5)))
    return found


@pytest.mark.parametrize("backend", OTHERS)
def test_same_weights_give_the_same_answers(backend, tmp_path):
    pytest.importorskip(backend)
    code = "import numpy; from tests.measure.test_devices import answers; "
    code += f"numpy.savez({str(tmp_path / 'other.npz')!r}, **answers())"
    env = environment() | {"KERAS_BACKEND": backend, "PYTHONPATH": "tests"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)
    ours, other = answers(), np.load(tmp_path / "other.npz")
    for name, probabilities in ours.items():
        assert probabilities.shape == other[name].shape and len(probabilities)
        assert np.abs(probabilities - other[name]).max() <= devices.TOLERANCE, name
        # The answers say something: they differ between images by far more than the tolerance.
        assert np.ptp(probabilities, axis=0).max() > 0.01
    np.testing.assert_allclose(other["averaged"], other["turned"], atol=1e-5)


@pytest.mark.parametrize("backend", OTHERS)  # TensorFlow runs it among all chapters
def test_chapter_5_trains_unchanged_on_every_backend(backend, monkeypatch, tmp_path):
    pytest.importorskip(backend)
    small = {"COURSE_QUICK": "1", "HAM10000_DIR": "phantom"}
    for name, value in (small | {"KERAS_BACKEND": backend}).items():
        monkeypatch.setenv(name, value)
    copy = tmp_path / "executed.ipynb"
    execute(ROOT / "chapters" / "05_training_on_a_gpu.ipynb", copy)
    printed = text_output(nbformat.read(copy, 4))
    assert f"{backend} {metadata.version(backend)}" in printed
    assert "Keras computes on: " in printed and "runs/original-trial.weights.h5" in printed


def comparison(monkeypatch, gap):
    """What is stored with the processes replaced: the joining and the arithmetic."""

    def apart(task, *, env):
        backend, answers = env["KERAS_BACKEND"], np.full((4, 7), 1 / 7)
        answers[2, 5] += gap * (backend == "torch")
        row = {"device": "CPU", "backend": backend, "seconds": 1.0, "rows": 9}
        more = {"data": {"source": "noise"}, "versions": {}}
        return {"row": row, "answers": answers.tolist()} | more

    kept = {"devices": {"rows": []}}
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: name != "jax")
    monkeypatch.setattr(harness, "stored", kept.get)
    monkeypatch.setattr(harness, "store", kept.__setitem__)
    devices.measure(apart=apart)
    assert [row["backend"] for row in kept["devices"]["rows"]] == ["tensorflow", "torch"]
    return kept["backends"]


def test_comparison_joins_what_the_processes_found(monkeypatch, capsys):
    keys = harness.stored("backends").keys()
    found = comparison(monkeypatch, 5e-5)
    assert found["largest_difference"] == pytest.approx(5e-5) and found["same_answer"] == 0.75
    assert found.keys() == keys and "JAX is not installed" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="differ by 2.0e-04"):
        comparison(monkeypatch, 2e-4)


def test_stored_numbers_are_of_real_images_and_no_device_waits():
    stored = harness.stored("backends")
    assert stored["largest_difference"] <= devices.TOLERANCE and stored["images"] == 256
    assert not stored["data"]["phantom"] and stored["backends"].keys() == set(devices.COMPARED)
    for found in harness.stored("devices")["rows"]:
        assert found["rows"] > 5000 and "phantom" not in found["data"]
        assert found["batches_seconds"] < found["seconds"] / 5, "the device waits for its input"


def test_fresh_row_takes_the_place_of_the_older_one_of_its_device_and_backend():
    first = {"device": "CPU, 2 cores", "backend": "tensorflow", "seconds": 6.0}
    later, torch = first | {"seconds": 5.0}, first | {"backend": "torch"}
    card = first | {"device": "NVIDIA H100"}
    assert devices.merged([first, torch, later, card]) == [later, torch, card]


@pytest.mark.parametrize("backend", harness.BACKENDS)
def test_every_backend_is_measured_in_a_process_of_its_own(backend):
    pytest.importorskip(backend)
    env = {"KERAS_BACKEND": backend, "HAM10000_DIR": "phantom"}
    found = harness.apart("networks.device", env=env, rows=300)
    assert len(found["answers"]) == 256 and found["data"]["phantom"]
    found = found["row"]
    assert found["backend"] == backend and found["rows"] == 300
    assert found["seconds"] > found["batches_seconds"] > 0 and found["device"]
