"""How unlike the training images an image is, so that a model can decline to answer.

Each picture is described by what a stage of the network sees in it. The training lesions form a
cloud in this space; *strangeness* is the distance from its middle, in units of its own width in
each direction (Mahalanobis distance; Lee and others, 2018). Chapter 13 fits the cloud.
"""

from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from utils.augment import averaged
from utils.files import read_json
from utils.weights import MODELS, CertificateError, network_of, read_certificate

__all__ = ["answer_averaged", "features", "with_strangeness"]


def features(model: keras.Model, *, stage: int = 0) -> keras.Model:
    """Return a model that describes images by the feature maps at the end of a stage.

    Images (n, 28, 28, 3) go in; mean and spread of each feature map come out, (n, 2 * maps). Each
    residual block of a `small_resnet` ends a stage, 0 to 2; the first tells strangers best.
    """
    ends = [layer.output for layer in model.layers if isinstance(layer, layers.Add)]
    if stage not in range(len(ends)):
        raise ValueError(
            f"the network {model.name!r} has {len(ends)} residual stages; stage {stage} is none of "
            "them. The refusal is made for utils.models.small_resnet."
        )
    maps = ops.relu(ends[stage])
    mean = ops.mean(maps, axis=(1, 2), keepdims=True)
    spread = ops.sqrt(ops.mean(ops.square(maps - mean), axis=(1, 2)) + 1e-3)
    joined = ops.concatenate([ops.squeeze(mean, axis=(1, 2)), spread], axis=1)
    return keras.Model(model.input, joined, name="features")


def with_strangeness(
    model: keras.Model, centre: np.ndarray, whiten: np.ndarray, *, stage: int = 0
) -> keras.Model:
    """Give a model a second output, so that one run answers both questions.

    Outputs by name: ``probabilities`` (n, 7), as before, and ``strangeness`` (n,): about 1 for an
    image like the training images, more for one unlike them.

    The cloud of the training lesions: `centre`, (k,), is the mean of their `features`, and
    `whiten`, (k, k), turns features into directions in which training lesions have spread 1.
    """
    apart = features(model, stage=stage).output - centre
    distance = ops.sqrt(ops.mean(ops.square(ops.matmul(apart, whiten)), axis=1))
    outputs = {"probabilities": model.output, "strangeness": distance}
    return keras.Model(model.input, outputs, name=f"{model.name}_with_strangeness")


def answer_averaged(model: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (n, 7) and strangeness (n,), float32, each the mean over the symmetries.

    The model is from `with_strangeness`; the images (n, 28, 28, 3) have values 0 to 255.
    """
    return tuple(averaged(partial(ask, model), images))


def ask(model: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities (n, 7) and strangeness (n,) of float32 images as they lie."""
    answers = model.predict_on_batch(images)
    return np.asarray(answers["probabilities"]), np.asarray(answers["strangeness"])


def published(folder: Path = MODELS) -> tuple[keras.Model, dict]:
    """Return the published network with both outputs, and its manifest, to use on new images.

    CertificateError says so if a file is missing, damaged, or was made for other weights.
    """
    certificate = read_certificate("best", folder=folder)
    model = network_of("best", certificate, folder=folder)
    try:
        files = (folder / f"best-{part}.json" for part in ("manifest", "refusal"))
        manifest, stored = map(read_json, files)
        for part in (manifest["certificate"], stored):
            if part["weights_sha256"] != certificate.weights_sha256:
                raise ValueError("made for other weights than best.weights.h5 is now")
        cloud = [np.array(stored[name], np.float32) for name in ("centre", "whiten")]
        model = with_strangeness(model, *cloud)
    except (OSError, ValueError, RecursionError) as error:
        raise CertificateError(
            f"best-manifest.json and best-refusal.json in {folder.name}/ cannot be used "
            f"({type(error).__name__}: {error}). Make them again, with the real images: "
            "`python -m tools.demo.measure_demo`."
        ) from None
    return model, manifest
