"""How strange an image is: the distance, the threshold, and what is stored."""

import json
import shutil

import keras
import numpy as np
import pytest

from tools.book.chapter_code import definitions
from tools.book.course import ROOT
from utils import refusal
from utils.models import original_cnn, small_resnet
from utils.weights import CertificateError, network_of, read_certificate

MODELS = ROOT / "models"
chapter = definitions("10")


@pytest.fixture(scope="module")
def lesions():
    from utils.data import phantom

    images = phantom.sample()[0][::8]
    return images[:800], images[800:1200]


@pytest.fixture(scope="module")
def model():
    return network_of("best", read_certificate("best"), folder=MODELS)


@pytest.fixture(scope="module")
def both(model, lesions):
    points = refusal.features(model).predict(lesions[0], batch_size=400, verbose=0)
    return refusal.with_strangeness(model, *chapter.fit_cloud(points))


def test_features_are_mean_and_spread_of_the_maps(model, lesions):
    describe = refusal.features(model)
    assert describe.output_shape == (None, 64)
    few = lesions[0][:5].astype("float32")
    values = np.asarray(describe.predict_on_batch(few))
    # The end of the first stage is the first Add with its relu: 32 maps of 14 by 14.
    add = next(layer for layer in model.layers if isinstance(layer, keras.layers.Add))
    maps = np.maximum(np.asarray(keras.Model(model.input, add.output).predict_on_batch(few)), 0)
    assert maps.shape == (5, 14, 14, 32)
    assert np.allclose(values[:, :32], maps.mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(values[:, 32:], np.sqrt(maps.var(axis=(1, 2)) + 1e-3), atol=1e-4)


def test_strangeness_is_the_mahalanobis_distance(model, lesions, both):
    points = refusal.features(model).predict(lesions[0], batch_size=400, verbose=0)
    centre, covariance = points.mean(axis=0), np.cov(points, rowvar=False)
    covariance += chapter.RIDGE * np.trace(covariance) / 64 * np.eye(64)
    apart = points[:50] - centre
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart) / 64)
    few = lesions[0][:50].astype("float32")
    answers = both.predict_on_batch(few)
    assert set(answers) == {"probabilities", "strangeness"}
    assert np.allclose(np.asarray(answers["strangeness"]), wanted, rtol=2e-3)
    alone = np.asarray(model.predict_on_batch(few))
    assert np.allclose(np.asarray(answers["probabilities"]), alone, atol=1e-6)


def test_the_answer_is_the_same_in_all_orientations(lesions, both):
    some = lesions[1][:70]  # more than one block
    first = refusal.answer_averaged(both, some)
    again = refusal.answer_averaged(both, np.rot90(some, axes=(1, 2))[:, :, ::-1])
    for one, other in zip(first, again, strict=True):
        assert len(one) == 70 and np.allclose(one, other, atol=1e-5)


def test_strangers_are_told_from_lesions(lesions, both):
    others, kinds = chapter.strangers(chapter.KINDS, per_kind=8)
    strange, own = (refusal.answer_averaged(both, images)[1] for images in (others, lesions[1]))
    assert (strange[:, None] > own).mean() > 0.97
    assert (strange[np.isin(kinds, ["text", "plot"])] > np.quantile(own, 0.97)).all()


def test_networks_and_stages_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="small_resnet"):
        refusal.features(original_cnn())
    with pytest.raises(ValueError, match="stage 3"):
        refusal.features(small_resnet(), stage=3)


# --- Stored --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["best-refusal.json", "best-manifest.json"])
@pytest.mark.parametrize(
    "change, message",
    [
        (lambda content: None, "No such file"),
        (lambda content: "{", "JSONDecodeError"),
        (lambda content: "[]", "TypeError"),
        (lambda content: json.dumps(content | {"centre": [1, 2], "certificate": 0}), "Error"),
        (lambda content: json.dumps({}), "KeyError"),
        (lambda content: json.dumps(content).replace(SHA256, "other"), "other weights"),
    ],
)
def test_damaged_or_foreign_files_are_told(tmp_path, name, change, message):
    for path in MODELS.glob("best[.-]*"):
        shutil.copy(path, tmp_path)
    assert refusal.published(tmp_path)[1]["name"] == "best"
    text = change(json.loads((MODELS / name).read_text(encoding="utf-8")))
    (tmp_path / name).unlink() if text is None else (tmp_path / name).write_text(text)
    with pytest.raises(CertificateError, match=message) as caught:
        refusal.published(tmp_path)
    assert "export_demo --measure" in str(caught.value)


SHA256 = read_certificate("best").weights_sha256


def test_damaged_weights_are_not_published(tmp_path):
    for path in MODELS.glob("best[.-]*"):
        shutil.copy(path, tmp_path)
    (tmp_path / "best.weights.h5").write_bytes(b"other")
    with pytest.raises(CertificateError, match="Get both files again"):
        refusal.published(tmp_path)
