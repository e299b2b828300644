"""How strange an image is: the distance, the threshold, and what is stored."""

import json
import shutil

import numpy as np
import pytest

from tools.book.course import ROOT
from utils import refusal
from utils.export import published
from utils.models import original_cnn, small_resnet
from utils.strangers import strangers
from utils.weights import CertificateError

MODELS = ROOT / "models"


@pytest.fixture(scope="module")
def lesions():
    from utils.data import phantom

    images = phantom.sample()[0][::8]
    return images[:800], images[800:1200]


@pytest.fixture(scope="module")
def model():
    return published("best")[0]


@pytest.fixture(scope="module")
def borders(model, lesions):
    return refusal.fit_refusal(model, *lesions)


def test_features_are_mean_and_spread_of_the_maps(model, lesions):
    describe = refusal.features(model)
    assert describe.output_shape == (None, 64)
    found = np.asarray(describe.predict_on_batch(lesions[0][:5].astype("float32")))
    # The end of the first stage is the first Add with its relu: 32 maps of 14 by 14.
    import keras

    add = next(layer for layer in model.layers if isinstance(layer, keras.layers.Add))
    maps = keras.Model(model.input, add.output).predict_on_batch(lesions[0][:5].astype("float32"))
    maps = np.maximum(np.asarray(maps), 0)
    assert maps.shape == (5, 14, 14, 32)
    assert np.allclose(found[:, :32], maps.mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(found[:, 32:], np.sqrt(maps.var(axis=(1, 2)) + 1e-3), atol=1e-4)


def test_strangeness_is_the_mahalanobis_distance(model, lesions, borders):
    training = lesions[0]
    seen = refusal.features(model).predict(training, batch_size=400, verbose=0)
    centre, covariance = seen.mean(axis=0), np.cov(seen, rowvar=False)
    covariance += refusal.RIDGE * np.trace(covariance) / 64 * np.eye(64)
    apart = seen[:50] - centre
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart) / 64)
    both = refusal.with_strangeness(model, borders)
    found = both.predict_on_batch(training[:50].astype("float32"))
    assert set(found) == {"probabilities", "strangeness"}
    assert np.allclose(np.asarray(found["strangeness"]), wanted, rtol=2e-3)
    alone = model.predict_on_batch(training[:50].astype("float32"))
    assert np.allclose(np.asarray(found["probabilities"]), np.asarray(alone), atol=1e-6)


def test_threshold_is_a_quantile_of_the_validation_images(model, lesions, borders):
    _, strange = refusal.answer_averaged(refusal.with_strangeness(model, borders), lesions[1])
    assert (strange > borders.threshold).mean() == pytest.approx(0.03, abs=1 / 400)
    stricter = refusal.fit_refusal(model, *lesions, share=0.2)
    assert stricter.threshold < borders.threshold
    assert np.array_equal(stricter.centre, borders.centre)


def test_the_answer_is_the_same_in_all_orientations(model, lesions, borders):
    both = refusal.with_strangeness(model, borders)
    some = lesions[1][:70]  # more than one block
    first = refusal.answer_averaged(both, some)
    again = refusal.answer_averaged(both, np.rot90(some, axes=(1, 2))[:, :, ::-1])
    for one, other in zip(first, again, strict=True):
        assert len(one) == 70 and np.allclose(one, other, atol=1e-5)


def test_strangers_are_told_from_lesions(model, lesions, borders):
    others = strangers("measuring", per_kind=8)
    _, strange = refusal.answer_averaged(refusal.with_strangeness(model, borders), others.images)
    _, own = refusal.answer_averaged(refusal.with_strangeness(model, borders), lesions[1])
    assert (strange[:, None] > own).mean() > 0.97
    assert (strange[np.isin(others.kinds, ["text", "plot"])] > borders.threshold).all()


def test_impossible_wishes_are_refused(model, lesions):
    with pytest.raises(ValueError, match="small_resnet"):
        refusal.features(original_cnn())
    with pytest.raises(ValueError, match="stage 3"):
        refusal.features(small_resnet(), stage=3)
    with pytest.raises(ValueError, match="share"):
        refusal.fit_refusal(model, *lesions, share=3)


# --- Stored --------------------------------------------------------------------------------------


def test_what_is_written_is_read(borders, tmp_path):
    made = refusal.Refusal(borders.centre, borders.whiten, 1.5, {"weights_sha256": "abc"})
    (tmp_path / "x-refusal.json").write_text(refusal.write_refusal(made))
    read = refusal.read_refusal("x", sha256="abc", folder=tmp_path)
    assert np.array_equal(read.centre, made.centre) and np.array_equal(read.whiten, made.whiten)
    assert read.threshold == 1.5 and read.made_from == {"weights_sha256": "abc"}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda content: None, "missing"),
        (lambda content: "{", "damaged"),
        (lambda content: "[]", "damaged"),
        (lambda content: json.dumps(content | {"centre": [1, 2]}), "matrix of shape"),
        (lambda content: json.dumps({k: v for k, v in content.items() if k != "threshold"}),
         "damaged"),
        (lambda content: json.dumps(content | {"weights_sha256": "other"}), "other weights"),
    ],
)  # fmt: skip
def test_damaged_or_foreign_refusals_are_told(tmp_path, change, message):
    content = json.loads((MODELS / "best-refusal.json").read_text(encoding="utf-8"))
    shutil.copy(MODELS / "best-refusal.json", tmp_path / "best-refusal.json")
    text = change(content)
    path = tmp_path / "best-refusal.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(CertificateError, match=message) as caught:
        refusal.read_refusal("best", sha256=content["weights_sha256"], folder=tmp_path)
    assert "export_demo --measure" in str(caught.value)
