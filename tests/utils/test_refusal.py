"""How strange an image is: the distance, the threshold, and what is stored."""

import keras
import numpy as np
import pytest

from tools.book.course import definitions
from utils import refusal
from utils.data import phantom
from utils.metrics import class_auc
from utils.models import original_cnn, small_resnet
from utils.weights import MODELS, network_of, read_certificate

chapter = definitions("13")
CERTIFICATE = read_certificate("best")


@pytest.fixture(scope="module")
def lesions():
    images, labels = (part[::8] for part in phantom.sample()[:2])
    return images[:800], images[800:1200], labels[:800]


@pytest.fixture(scope="module")
def model():
    return network_of("best", CERTIFICATE, folder=MODELS)


@pytest.fixture(scope="module")
def points(model, lesions):
    return refusal.features(model).predict(lesions[0], batch_size=400, verbose=0)


@pytest.fixture(scope="module")
def both(model, points):
    return refusal.with_strangeness(model, *chapter.fit_cloud(points))


def test_the_published_network_does_not_guess_as_with_other_pixel_values_or_labels(model, lesions):
    answers = model.predict(lesions[0], batch_size=400, verbose=0)
    assert class_auc(lesions[2], answers).mean() > 0.8


def test_features_are_mean_and_spread_of_the_maps(model, lesions, points):
    # The end of the first stage is the first Add with its relu: 32 maps of 14 by 14.
    add = next(layer for layer in model.layers if isinstance(layer, keras.layers.Add))
    images = lesions[0][:5].astype("float32")
    maps = np.maximum(keras.Model(model.input, add.output).predict_on_batch(images), 0)
    assert maps.shape == (5, 14, 14, 32) and points.shape == (800, 64)
    assert np.allclose(points[:5, :32], maps.mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(points[:5, 32:], np.sqrt(maps.var(axis=(1, 2)) + 1e-3), atol=1e-4)
    with pytest.raises(ValueError, match="small_resnet"):
        refusal.features(original_cnn())
    with pytest.raises(ValueError, match="stage 3"):
        refusal.features(small_resnet(), stage=3)


def test_strangeness_is_the_mahalanobis_distance(model, lesions, points, both):
    centre, covariance = points.mean(axis=0), np.cov(points, rowvar=False)
    covariance += chapter.RIDGE * np.trace(covariance) / 64 * np.eye(64)
    apart = points[:50] - centre
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart) / 64)
    few = lesions[0][:50].astype("float32")
    answers = both.predict_on_batch(few)
    assert set(answers) == {"probabilities", "strangeness"}
    assert np.allclose(answers["strangeness"], wanted, rtol=2e-3)
    assert np.allclose(answers["probabilities"], model.predict_on_batch(few), atol=1e-6)


def test_strangers_are_told_from_lesions(lesions, both):
    others, kinds = chapter.strangers(chapter.KINDS, per_kind=8)
    strange, own = (refusal.answer_averaged(both, images)[1] for images in (others, lesions[1]))
    assert (strange[:, None] > own).mean() > 0.97
    assert (strange[np.isin(kinds, ["text", "plot"])] > np.quantile(own, 0.97)).all()
