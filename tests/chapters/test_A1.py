"""Appendix A1: two devices give the loss of one, a lost worker costs nothing, images on disk."""

import dataclasses
import logging
import os
import random
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from small_dataset import small_dataset

from tools.book.course import definitions
from utils.models import small_resnet
from utils.training import BEST, Rows

distributed = pytest.importorskip("distributed")
A1 = definitions("A1")

TWO_DEVICES = """
import keras, numpy as np
from tools.book.course import definitions

layers, devices = keras.layers, keras.distribution.list_devices("cpu")
rng, draw_weights = np.random.default_rng(0), definitions("A1").draw_weights
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


def test_two_devices_give_the_loss_of_one(root):
    pytest.importorskip("jax")
    virtual = "--xla_force_host_platform_device_count=2"
    env = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": virtual}
    command = [sys.executable, "-c", TWO_DEVICES]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    (one, copies_of_one), (two, copies_of_two) = eval(done.stdout.partition("@@")[2])
    assert (copies_of_one, copies_of_two) == (1, 2)
    assert len(set(one)) == 4, "nothing was learned, so nothing is compared"
    np.testing.assert_allclose(two, one, rtol=1e-3)


def test_weights_follow_their_own_seed_and_no_other_generator():
    def weights(seed, before):
        random.seed(before)
        network = small_resnet((4,), blocks=(1,), stem=3)
        A1.draw_weights(network, seed)
        dropout = next(layer for layer in network.layers if hasattr(layer, "seed_generator"))
        state = keras.ops.convert_to_numpy(dropout.seed_generator.state)
        return [*network.get_weights(), state]

    first, again, other = weights(1, before=5), weights(1, before=6), weights(2, before=5)
    assert all(map(np.array_equal, first, again))
    kernels = [k for k, a in enumerate(first) if a.ndim >= 2]
    assert len(kernels) == 5  # stem, two of the block, the shortcut, the dense layer
    for k in (*kernels, -1):
        assert not np.array_equal(first[k], other[k])
    # he_normal, as the network asks for: the spread is that of its number of inputs
    wide = small_resnet((64,), blocks=(1,), stem=64)
    A1.draw_weights(wide, 0)
    kernel = max((w for w in wide.get_weights() if w.ndim == 4), key=np.size)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.05)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    settings = A1.worker_settings(str(tmp_path_factory.mktemp("compiled")), phantom=True)
    quiet = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with (
        distributed.LocalCluster(2, threads_per_worker=1, env=settings, **quiet) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


JOBS = [(fold, seed) for fold in range(5) for seed in range(2)]


def job(fold, seed):
    time.sleep(0.2)
    return fold, np.random.default_rng([fold, seed]).random()


def test_killed_worker_costs_no_answer_and_changes_none(client):
    undisturbed = dict(A1.as_they_finish(job, JOBS))
    assert undisturbed == {one: job(*one) for one in JOBS}
    before = set(client.run(os.getpid).values())
    assert A1.kill_busy_worker(client) == 0, "without work nobody is killed"
    assert set(client.run(os.getpid).values()) == before
    answers, lost = {}, 0
    for arguments, answer in A1.as_they_finish(job, JOBS):
        assert arguments not in answers, "a repeated job was reported twice"
        answers[arguments] = answer
        if len(answers) >= 3 and not lost:
            lost = A1.kill_busy_worker(client)
    assert lost >= 1, "no worker was killed, so nothing was tested"
    assert answers == undisturbed
    client.wait_for_workers(2, timeout=60)
    after = set(client.run(os.getpid).values())
    assert len(before & after) == 1 and len(after) == 2


def test_answers_come_as_they_are_ready_and_a_job_that_fails_is_an_error_here(client):
    def wait(seconds):
        time.sleep(seconds)
        return 1 / seconds

    assert next(A1.as_they_finish(wait, [(2.0,), (0.1,)]))[0] == (0.1,)
    with pytest.raises(ZeroDivisionError):
        dict(A1.as_they_finish(wait, [(1,), (0,)]))


def test_batches_from_disk_are_those_from_memory(tmp_path):
    dataset, path = small_dataset(), tmp_path / "images.npy"
    A1.write_images(path, iter(dataset.images), dataset.images.shape)
    on_disk = A1.ImagesOnDisk(path)
    assert (len(on_disk), on_disk.shape) == (len(dataset.images), dataset.images.shape)
    np.testing.assert_array_equal(np.load(path), dataset.images)
    assert type(on_disk[3:5]) is np.ndarray, "a map would keep the file open"
    recipe, rows = dataclasses.replace(BEST, batch_size=32), np.arange(len(dataset.labels))
    memory = Rows(dataset, rows, recipe, seed=3)
    disk = Rows(dataclasses.replace(dataset, images=on_disk), rows, recipe, seed=3)
    assert len(memory) == len(disk) > 2
    for number in range(len(memory)):
        for a, b in zip(memory[number], disk[number], strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype and type(b) is np.ndarray
