"""Which device is named: made-up backends, because a test machine seldom has a card."""

import os
import sys
from types import SimpleNamespace

import keras
import pytest

from utils.weights import device_name


def put_backend(monkeypatch, name, module):
    monkeypatch.setattr(keras.backend, "backend", lambda: name)
    monkeypatch.setitem(sys.modules, name, module)


def tensorflow(gpus, details):
    config = SimpleNamespace(
        list_physical_devices=lambda kind: gpus if kind == "GPU" else ["cpu"],
        experimental=SimpleNamespace(get_device_details=lambda gpu: details),
    )
    return SimpleNamespace(config=config)


def torch(*, cuda=False, mps=False):
    return SimpleNamespace(
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        cuda=SimpleNamespace(is_available=lambda: cuda, get_device_name=lambda number: "Tesla T4"),
    )


def jax(kind):
    devices_ = [SimpleNamespace(device_kind="TPU v5e")]
    return SimpleNamespace(default_backend=lambda: kind, devices=lambda: devices_)


CPU = f"CPU, {os.cpu_count()} cores"


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
    put_backend(monkeypatch, name, module)
    assert device_name() == expected
