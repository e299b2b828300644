"""Appendix A1: two devices give the loss of one, a lost worker costs nothing, images on disk."""

import dataclasses
import io
import json
import logging
import os
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from datafiles import ROWS, jpeg, make_images, make_metadata
from PIL import Image
from small_dataset import small_dataset

from tools.book.course import ROOT
from tools.measure import bench_stream
from utils import scaling
from utils.data.records import DataError

# --- Several devices -----------------------------------------------------------------------------

TWO_DEVICES = """
import sys
import keras, numpy as np
from utils.scaling import draw_weights

layers, devices = keras.layers, keras.distribution.list_devices("cpu")
rng = np.random.default_rng(0)
images, labels = rng.random((48, 8, 8, 3), dtype="float32"), rng.integers(0, 7, 48)


def losses(devices):
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    network = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(), layers.GlobalAveragePooling2D(), layers.Dropout(0.2),
        layers.Dense(7, activation="softmax"),
    ])
    draw_weights(network, 0)
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    run = network.fit(images, labels, batch_size=16, epochs=4, shuffle=False, verbose=0)
    return run.history["loss"], len(network.layers[-1].kernel.value.devices())


print("@@", [losses(devices[:1]), losses(devices)])
"""


def test_two_devices_give_the_loss_of_one():
    pytest.importorskip("jax")
    virtual = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": virtual},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    (one, copies_of_one), (two, copies_of_two) = eval(done.stdout.partition("@@")[2])
    assert (copies_of_one, copies_of_two) == (1, 2)
    assert len(set(one)) == 4, "nothing was learned, so nothing is compared"
    np.testing.assert_allclose(two, one, rtol=1e-3)


def test_weights_follow_their_own_seed_and_no_other_generator():
    import random

    import keras

    from utils.models import small_resnet

    def weights(seed, before):
        random.seed(before)
        network = small_resnet((4,), blocks=(1,), stem=3)
        scaling.draw_weights(network, seed)
        dropout = next(layer for layer in network.layers if hasattr(layer, "seed_generator"))
        state = keras.ops.convert_to_numpy(dropout.seed_generator.state)
        return [*network.get_weights(), state]

    first, again, other = weights(1, before=5), weights(1, before=6), weights(2, before=5)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [k for k, a in enumerate(first) if a.ndim >= 2]
    assert len(kernels) == 5  # stem, two of the block, the shortcut, the dense layer
    for k in kernels:
        assert first[k].std() > 0 and not np.array_equal(first[k], other[k])
    assert not np.array_equal(first[-1], other[-1])
    # he_normal, as the network asks for: the spread is that of its number of inputs
    wide = small_resnet((64,), blocks=(1,), stem=64)
    scaling.draw_weights(wide, 0)
    kernel = max((w for w in wide.get_weights() if w.ndim == 4), key=np.size)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.05)


# --- Several workers -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


JOBS = [(fold, seed) for fold in range(5) for seed in range(2)]


def job(fold, seed):
    time.sleep(0.2)
    return fold, np.random.default_rng([fold, seed]).random()


def test_killed_worker_costs_no_answer_and_changes_none(client):
    undisturbed = dict(scaling.as_they_finish(job, JOBS))
    assert undisturbed == {one: job(*one) for one in JOBS}
    before = set(client.run(os.getpid).values())
    found, lost = {}, 0
    for arguments, answer in scaling.as_they_finish(job, JOBS):
        assert arguments not in found, "a repeated job was reported twice"
        found[arguments] = answer
        if len(found) >= 3 and not lost:
            lost = scaling.kill_busy_worker(client)
    assert lost >= 1, "no worker was killed, so nothing was tested"
    assert found == undisturbed
    client.wait_for_workers(2, timeout=60)
    after = set(client.run(os.getpid).values())
    assert len(before & after) == 1 and len(after) == 2


def test_without_work_nobody_is_killed(client):
    before = set(client.run(os.getpid).values())
    assert scaling.kill_busy_worker(client) == 0
    assert set(client.run(os.getpid).values()) == before


def test_answers_come_as_they_are_ready(client):
    def wait(seconds):
        time.sleep(seconds)
        return seconds

    assert [one for one, _ in scaling.as_they_finish(wait, [(2.0,), (0.1,)])] == [(0.1,), (2.0,)]


def test_a_job_that_fails_is_an_error_here(client):
    def divide(by):
        return 1 / by

    with pytest.raises(ZeroDivisionError):
        dict(scaling.as_they_finish(divide, [(1,), (0,)]))


def test_settings_reach_the_workers(tmp_path):
    distributed = pytest.importorskip("distributed")
    settings = scaling.worker_settings(str(tmp_path), phantom=True)
    assert settings["HAM10000_DIR"] == "phantom"
    assert "HAM10000_DIR" not in scaling.worker_settings("x")
    quiet = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with (
        distributed.LocalCluster(1, threads_per_worker=1, env=settings, **quiet) as cluster,
        distributed.Client(cluster) as client,
    ):

        def environment():
            import os

            return dict(os.environ)

        assert settings.items() <= client.submit(environment).result().items()


def test_jobs_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match=r"two jobs have the arguments \(1, 2\)"):
        list(scaling.as_they_finish(job, [(1, 2), (3, 4), (1, 2)]))


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(scaling, "on_colab", lambda: False)
    monkeypatch.setattr(scaling.importlib.util, "find_spec", lambda n: None if "d" in n else n)
    scaling.need("jax", "numpy")
    with pytest.raises(ModuleNotFoundError) as caught:
        scaling.need("jax", "dask", "distributed")
    assert "needs dask, distributed," in str(caught.value)
    assert 'pip install dask "dask[distributed]"`' in str(caught.value)


@pytest.mark.parametrize("status", [0, 1])
def test_on_colab_what_is_missing_is_installed(monkeypatch, status):
    seen = []

    def run(command):
        seen.append(command[1:])
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(scaling, "on_colab", lambda: True)
    monkeypatch.setattr(scaling.importlib.util, "find_spec", lambda n: None if "d" in n else n)
    monkeypatch.setattr(scaling.subprocess, "run", run)
    if status:
        with pytest.raises(ModuleNotFoundError, match="needs distributed"):
            scaling.need("jax", "distributed")
    else:
        scaling.need("jax", "distributed")
    assert seen == [["-m", "pip", "install", "--quiet", "dask[distributed]"]]


# --- Images on disk ------------------------------------------------------------------------------


def test_batches_from_disk_are_those_from_memory(tmp_path):
    from utils.training import BEST, Rows

    dataset = small_dataset()
    on_disk = scaling.write_images(tmp_path / "images.npy", dataset.images)
    assert (len(on_disk), on_disk.shape) == (len(dataset.images), dataset.images.shape)
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), dataset.images)
    assert type(on_disk[3:5]) is np.ndarray, "a map would keep the file open"
    recipe = dataclasses.replace(BEST, batch_size=32)
    rows = np.arange(len(dataset.labels))
    memory, disk = (
        Rows(dataclasses.replace(dataset, images=images), rows, recipe, seed=3)
        for images in (dataset.images, on_disk)
    )
    for _ in range(2):
        assert len(memory) == len(disk) > 2
        for number in range(len(memory)):
            for a, b in zip(memory[number], disk[number], strict=True):
                np.testing.assert_array_equal(a, b)
                assert a.dtype == b.dtype and type(b) is np.ndarray
        memory.on_epoch_end(), disk.on_epoch_end()


HOLDS = """
import sys
import numpy as np
from tools.measure.bench_machine import peak_memory
from utils.scaling import ImagesOnDisk

images = ImagesOnDisk(sys.argv[1]) if sys.argv[2] == "disk" else np.load(sys.argv[1])
order, total = np.random.default_rng(0).permutation(len(images)), 0
for start in range(0, len(images), 128):
    total += int(images[order[start : start + 128]].sum())
print(total, peak_memory())
"""


def test_images_on_disk_are_not_held(tmp_path):
    """120 MB of images: from disk a process stays small, although it reads every row."""
    path = tmp_path / "large.npy"
    shape = (2_500, 128, 128, 3)
    block = np.random.default_rng(0).integers(0, 256, shape[1:], dtype=np.uint8)
    scaling._fill(path, shape, lambda row: np.roll(block, row, axis=0))

    def run(way):
        command = [sys.executable, "-c", HOLDS, str(path), way]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
        total, peak = done.stdout.split()
        return int(total), float(peak)

    (sum_in_memory, memory), (sum_from_disk, disk) = run("memory"), run("disk")
    assert sum_in_memory == sum_from_disk
    assert memory - disk > 0.7 * path.stat().st_size / 1e6


@pytest.fixture
def zips(tmp_path):
    """A folder with two zips of JPEGs, as the official ones are."""
    folder = tmp_path / "zips"
    folder.mkdir()
    metadata, images = make_metadata(), make_images(height=45, width=60)
    for number, rows in enumerate((range(0, 8), range(8, ROWS)), 1):
        with zipfile.ZipFile(folder / f"part_{number}.zip", "w") as archive:
            for row in rows:
                name = f"part_{number}/{metadata['image_id'][row]}.jpg"
                archive.writestr(name, jpeg(images[row]))
    return folder, metadata["image_id"].tolist(), images


def test_photographs_are_shrunk_as_the_loader_does(tmp_path, zips):
    folder, ids, images = zips
    order = [9, 0, 3]
    on_disk = scaling.write_images(
        tmp_path / "large.npy", folder, [ids[row] for row in order], size=30
    )
    assert on_disk.shape == (3, 30, 30, 3)
    for place, row in enumerate(order):
        with Image.open(io.BytesIO(jpeg(images[row]))) as image:
            small = image.convert("RGB").resize((30, 30), Image.Resampling.BOX)
        np.testing.assert_array_equal(on_disk[place], np.asarray(small))
    np.testing.assert_array_equal(
        on_disk[np.array([2, 0])], np.load(tmp_path / "large.npy")[[2, 0]]
    )


def test_a_photograph_that_is_missing_or_damaged_leaves_no_file(tmp_path, zips):
    folder, ids, _ = zips
    path = tmp_path / "large.npy"
    with pytest.raises(DataError, match="ISIC_9999999 is in none of the 2 zips"):
        scaling.write_images(path, folder, [ids[0], "ISIC_9999999"])
    with zipfile.ZipFile(folder / "part_3.zip", "w") as archive:
        archive.writestr("ISIC_7777777.jpg", b"no image")
    with pytest.raises(DataError, match=r"ISIC_7777777\.jpg cannot be decoded"):
        scaling.write_images(path, folder, ["ISIC_7777777"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no zip with JPEGs"):
        scaling.write_images(path, tmp_path / "empty", ids)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []


def test_a_file_that_holds_no_images_is_refused(tmp_path):
    np.save(tmp_path / "numbers.npy", np.zeros((3, 4)))
    with pytest.raises(DataError, match="float64 of shape"):
        scaling.ImagesOnDisk(tmp_path / "numbers.npy")
    (tmp_path / "text.npy").write_text("hello")
    for name in ("text.npy", "nothing.npy"):
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            scaling.ImagesOnDisk(tmp_path / name)


# --- The stored measurement ----------------------------------------------------------------------


def test_measurement_runs_small(zips, tmp_path, monkeypatch, capsys):
    """The whole of it on 14 photographs; the table comes from a made-up loader."""
    folder, ids, _ = zips
    monkeypatch.setenv("HAM10000_DIR", str(folder))
    own = bench_stream._in_own_process

    def step(name, settings):
        if name != "describe":
            return own(name, settings)
        place = f"{settings['folder']}/table.npz"
        np.savez(place, ids=np.array(ids), labels=np.arange(len(ids)) % 7)
        return {"source": "made up", "images": len(ids)}

    monkeypatch.setattr(bench_stream, "_in_own_process", step)
    found = bench_stream.measure(sizes=(16,))
    (size,) = found["sizes"]
    assert size["written"]["file_mb"] == pytest.approx((ROWS * 16 * 16 * 3 + 128) / 1e6)
    assert size["memory"]["peak_mb"] > 50 and size["streamed"]["peak_mb"] > 50
    assert found["data"] == {"source": "made up", "images": ROWS}
    assert "16 pixels: 0 MB on disk" in capsys.readouterr().out


def test_measurement_without_photographs_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("HAM10000_DIR", str(tmp_path))
    with pytest.raises(bench_stream.StreamError, match="official zips in HAM10000_DIR"):
        bench_stream.measure()


def test_batches_that_differ_are_an_error(monkeypatch):
    answers = iter([{"file_mb": 1.0}, {"batches": "a"}, {"batches": "b"}])
    monkeypatch.setattr(bench_stream, "_in_own_process", lambda *_: next(answers))
    with pytest.raises(bench_stream.StreamError, match="At 64 pixels"):
        bench_stream._one_size(64, {"folder": "x", "rows": None})


def test_stored_measurement_is_bounded_and_complete():
    stored = json.loads(bench_stream.RESULTS.read_text(encoding="utf-8"))
    assert stored["data"] == {"source": "HAM10000 from the official zips", "images": 10_015}
    assert [size["size"] for size in stored["sizes"]] == list(bench_stream.SIZES)
    base = stored["nothing"]["peak_mb"]
    for size in stored["sizes"]:
        all_images = 10_015 * size["size"] ** 2 * 3 / 1e6
        assert size["written"]["file_mb"] == pytest.approx(all_images, rel=1e-3)
        assert size["memory"]["peak_mb"] - base > 0.9 * all_images
        batch = 128 * size["size"] ** 2 * 3 / 1e6
        assert size["streamed"]["peak_mb"] - base < 5 * batch + 30
        assert size["written"]["peak_mb"] < 150  # nor does writing need them all
    assert {"cpu", "cores"} <= set(stored["machine"])
