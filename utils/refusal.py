"""Say how unlike the training images an image is, and refuse to answer where it is too unlike.

A softmax always adds up to 1: it names a diagnosis for a cat too, and often a sure one. So a second
number comes with every answer. Each picture is described by what the first stage of the network
sees in it: the mean and the spread of its feature maps, 64 numbers that tell of colours, edges and
texture. The training lesions form a cloud in this space, and the *strangeness* of a picture is its
distance from the middle of the cloud, measured in the cloud's own width in each direction
(Mahalanobis distance). Lee and others (2018) found strangers this way, in every layer of a network.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from utils.augment import symmetry
from utils.weights import MODELS, CertificateError

STAGE = 0  # of three: the one that tells strangers best, see `tools.demo.measure_demo`
SHARE = 0.03  # of the validation images that may be refused
RIDGE = 1e-3  # share of the mean variance that is added in each direction


@dataclass(frozen=True, eq=False)
class Refusal:
    """From which strangeness on a model does not answer.

    Attributes
    ----------
    centre : ndarray of float32, shape (k,)
        Mean of the features of the training lesions.
    whiten : ndarray of float32, shape (k, k)
        Turns the features into directions in which training lesions have spread 1.
    threshold : float
        A picture whose strangeness is above it is refused.
    made_from : dict
        Name and check sum of the weights, data, split and what was measured.
    """

    centre: np.ndarray
    whiten: np.ndarray
    threshold: float
    made_from: dict


def features(model: keras.Model, *, stage: int = STAGE) -> keras.Model:
    """Return a model that describes images by the feature maps at the end of a stage.

    Parameters
    ----------
    model : keras.Model
        From ``utils.models.small_resnet``.
    stage : int
        0 to 2; each residual block ends a stage.

    Returns
    -------
    keras.Model
        Images (n, 28, 28, 3) in; mean and spread of each feature map out, (n, 2 * maps).
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


def fit_refusal(
    model: keras.Model,
    training: np.ndarray,
    validation: np.ndarray,
    *,
    share: float = SHARE,
    stage: int = STAGE,
    made_from: dict | None = None,
) -> Refusal:
    """Learn how lesions look, and set the threshold.

    Parameters
    ----------
    model : keras.Model
    training : ndarray of uint8, shape (n, 28, 28, 3)
        Training lesions: centre and width of the cloud come from them.
    validation : ndarray of uint8, shape (m, 28, 28, 3)
        Validation lesions: the threshold comes from them, because a cloud lies closer to the
        images it was fitted to than to others.
    share : float
        Share of the validation images that is above the threshold.
    stage : int
    made_from : dict, optional
        Kept with the result.

    Returns
    -------
    Refusal
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, such as {SHARE}; got {share}")
    seen = np.asarray(features(model, stage=stage).predict(training, batch_size=512, verbose=0))
    centre = seen.mean(axis=0, dtype=np.float64)
    covariance = np.cov(seen - centre, rowvar=False)
    variances, directions = np.linalg.eigh(covariance)
    whiten = directions / np.sqrt(variances + RIDGE * variances.mean())
    refusal = Refusal(centre.astype(np.float32), whiten.astype(np.float32), np.inf, made_from or {})
    _, strangeness = answer_averaged(with_strangeness(model, refusal, stage=stage), validation)
    threshold = float(np.quantile(strangeness, 1 - share))
    return Refusal(refusal.centre, refusal.whiten, threshold, refusal.made_from)


def with_strangeness(model: keras.Model, refusal: Refusal, *, stage: int = STAGE) -> keras.Model:
    """Give a model a second output, so that one run answers both questions.

    Parameters
    ----------
    model : keras.Model
    refusal : Refusal
    stage : int

    Returns
    -------
    keras.Model
        Outputs by name: ``probabilities`` (n, 7), as before, and ``strangeness`` (n,): about 1
        for an image like the training images, more for one unlike them.
    """
    described = features(model, stage=stage).output
    apart = ops.matmul(described - refusal.centre, refusal.whiten)
    distance = ops.sqrt(ops.mean(ops.square(apart), axis=1))
    outputs = {"probabilities": model.output, "strangeness": distance}
    return keras.Model(model.input, outputs, name=f"{model.name}_with_strangeness")


def answer_averaged(model: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and strangeness, each the mean over the eight symmetries.

    Parameters
    ----------
    model : keras.Model
        From `with_strangeness`.
    images : ndarray, shape (n, 28, 28, 3)
        Values 0 to 255.

    Returns
    -------
    (ndarray of float32, shape (n, 7), ndarray of float32, shape (n,))
    """
    probabilities, strangeness = [], []
    for start in range(0, len(images), 64):
        piece = images[start : start + 64]
        turned = np.concatenate([symmetry(piece, number) for number in range(8)])
        found = model.predict_on_batch(turned.astype(np.float32))
        for name, means in (("probabilities", probabilities), ("strangeness", strangeness)):
            values = np.asarray(found[name])
            means.append(values.reshape(8, len(piece), *values.shape[1:]).mean(axis=0))
    return np.concatenate(probabilities), np.concatenate(strangeness)


def write_refusal(refusal: Refusal) -> str:
    """Return a refusal as JSON."""
    return json.dumps(
        {
            **refusal.made_from,
            "threshold": refusal.threshold,
            "centre": [float(f"{v:.9g}") for v in refusal.centre],
            "whiten": [[float(f"{v:.9g}") for v in row] for row in refusal.whiten],
        },
        separators=(",", ":"),
    )


def read_refusal(
    name: str = "best", *, sha256: str | None = None, folder: Path = MODELS
) -> Refusal:
    """Read the stored refusal of published weights.

    Parameters
    ----------
    name : str
        Name of the weights.
    sha256 : str, optional
        Check sum of the weights it is to be used with.
    folder : Path

    Returns
    -------
    Refusal

    Raises
    ------
    CertificateError
        If it is missing, damaged, or was made for other weights.
    """
    path = folder / f"{name}-refusal.json"
    again = "Make it again: `python -m tools.demo.export_demo --measure` with the real images."
    try:
        made_from = json.loads(path.read_text(encoding="utf-8"))
        centre = np.array(made_from.pop("centre"), dtype=np.float32)
        whiten = np.array(made_from.pop("whiten"), dtype=np.float32)
        threshold = float(made_from.pop("threshold"))
        if whiten.shape != (len(centre), len(centre)):
            raise ValueError(f"{len(centre)} features and a matrix of shape {whiten.shape}")
        fits = made_from["weights_sha256"]
    except FileNotFoundError:
        raise CertificateError(f"{path.name} is missing in {folder.name}/. {again}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CertificateError(f"{path.name} is damaged ({error}). {again}") from None
    if sha256 is not None and fits != sha256:
        raise CertificateError(
            f"{path.name} was made for other weights than the ones here, so its threshold says "
            f"nothing about them. {again}"
        )
    return Refusal(centre, whiten, threshold, made_from)
