"""Which device is named: made-up backends, because a test machine seldom has a card."""

import os
import sys
from types import SimpleNamespace as Made

import keras
import pytest

from utils.weights import device_name

CPU = f"CPU, {os.cpu_count()} cores"


def tensorflow(gpus, details):
    experimental = Made(get_device_details=lambda gpu: details)
    devices = {"GPU": gpus, "CPU": ["cpu"]}
    return Made(config=Made(list_physical_devices=devices.get, experimental=experimental))


def torch(*, cuda=False, mps=False):
    return Made(
        backends=Made(mps=Made(is_available=lambda: mps)),
        cuda=Made(is_available=lambda: cuda, get_device_name=lambda number: "Tesla T4"),
    )


def jax(kind):
    return Made(default_backend=lambda: kind, devices=lambda: [Made(device_kind="TPU v5e")])


@pytest.mark.parametrize(
    "name, module, expected",
    [
        ("tensorflow", tensorflow(["gpu:0"], {"device_name": "Tesla T4"}), "Tesla T4"),
        ("tensorflow", tensorflow(["gpu:0"], {}), "GPU"),
        ("tensorflow", tensorflow([], {}), CPU),
        ("torch", torch(cuda=True), "Tesla T4"),
        ("torch", torch(mps=True), "Apple GPU"),
        ("torch", torch(), CPU),
        ("jax", jax("tpu"), "TPU v5e"),
        ("jax", jax("cpu"), CPU),
    ],
)
def test_device_is_named_under_every_backend(monkeypatch, name, module, expected):
    monkeypatch.setattr(keras.backend, "backend", lambda: name)
    monkeypatch.setitem(sys.modules, name, module)
    assert device_name() == expected
