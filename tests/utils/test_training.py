import dataclasses
import json

import keras
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from small_dataset import small_dataset

from utils import training
from utils import weights as certificates
from utils.files import hash_file
from utils.models import original_cnn
from utils.splits import lesion_groups, lesion_split
from utils.weights import CertificateError

TINY = dataclasses.replace(training.ORIGINAL, epochs=2, batch_size=64)


@pytest.fixture(scope="module")
def dataset():
    return small_dataset()


@pytest.fixture(scope="module")
def split(dataset):
    return lesion_split(dataset)


@pytest.fixture(scope="module")
def trained(dataset, split, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    model, certificate = training.train(dataset, split, TINY, name="tiny", folder=folder)
    return model, certificate, folder


def test_the_original_network_has_its_published_size():
    model = original_cnn()
    assert model.count_params() == 504_103
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 502_983
    assert model.input_shape == (None, 28, 28, 3)
    assert model.output_shape == (None, 7)


def test_oversampling_balances_the_training_rows_and_takes_no_other():
    labels = np.array([0] * 50 + [1] * 5 + [2] * 20)
    rows = np.arange(0, 75, 2)
    drawn = training.oversampled_indices(labels, rows, seed=3)
    assert set(drawn) == set(rows)
    assert np.unique(np.bincount(labels[drawn])).size == 1
    assert np.array_equal(drawn, training.oversampled_indices(labels, rows, seed=3))


def test_balanced_accuracy_is_scikit_learns_over_several_batches():
    rng = np.random.default_rng(0)
    labels = rng.choice(7, size=300, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05, 0])
    probabilities = rng.dirichlet(np.ones(7), size=300)
    metric = training.BalancedAccuracy()
    for start in range(0, 300, 64):
        metric.update_state(labels[start : start + 64], probabilities[start : start + 64])
    expected = balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_training_leaves_weights_and_a_complete_certificate(trained, dataset, split):
    model, certificate, folder = trained
    assert sorted(p.name for p in folder.iterdir()) == ["tiny.json", "tiny.weights.h5"]
    assert certificate == certificates.read_certificate("tiny", folder=folder)
    assert certificate.split["fingerprint"] == split.fingerprint
    assert certificate.data["fingerprint"] == dataset.fingerprint
    assert len(certificate.history["val_balanced_accuracy"]) == TINY.epochs
    values = certificate.history["val_balanced_accuracy"]
    assert values[certificate.best_epoch - 1] == max(values)
    groups = lesion_groups(dataset.metadata)
    assert set(certificate.train_lesions) == set(groups[split.train])
    assert not set(certificate.train_lesions) & set(groups[split.test])


def test_loaded_weights_predict_what_the_trained_model_predicts(trained, dataset, split):
    model, _, folder = trained
    loaded, _ = certificates.load_weights("tiny", dataset, test=split.test, folder=folder)
    images = dataset.images[split.test]
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )


def test_weights_are_refused_on_lesions_they_were_trained_on(trained, dataset):
    _, certificate, folder = trained
    other = lesion_split(dataset, seed=1)
    with pytest.raises(CertificateError) as refusal:
        certificates.load_weights("tiny", dataset, test=other.test, folder=folder)
    groups = lesion_groups(dataset.metadata)
    overlap = sorted(set(groups[other.test]) & set(certificate.train_lesions))
    assert f"{len(overlap):,} of the" in str(refusal.value)
    assert overlap[0] in str(refusal.value)


def test_weights_are_refused_on_lesions_that_chose_them(trained, dataset, split):
    folder = trained[2]
    with pytest.raises(CertificateError, match="chosen by"):
        certificates.load_weights("tiny", dataset, test=split.validation, folder=folder)


def test_one_contaminated_lesion_is_enough(trained, dataset, split):
    folder = trained[2]
    test = np.append(split.test, split.train[0])
    with pytest.raises(CertificateError, match="trained on 1 of the"):
        certificates.load_weights("tiny", dataset, test=test, folder=folder)


def test_phantom_and_real_weights_are_not_mixed(trained, split, dataset):
    certificate = dataclasses.replace(
        trained[1], data={**trained[1].data, "phantom": not dataset.is_phantom}
    )
    with pytest.raises(CertificateError, match="Load weights that were made for these images"):
        certificates.check_certificate(certificate, dataset, split.test)


def test_weights_without_certificate_or_changed_are_refused(trained, dataset, split, tmp_path):
    _, certificate, folder = trained
    with pytest.raises(CertificateError, match="without a birth certificate"):
        certificates.load_weights("nobody", dataset, test=split.test, folder=tmp_path)
    page = json.dumps(dataclasses.asdict(certificate))
    (tmp_path / "tiny.json").write_text(page)
    with pytest.raises(CertificateError, match="missing or is not the file"):
        certificates.load_weights("tiny", dataset, test=split.test, folder=tmp_path)
    damaged = bytearray((folder / "tiny.weights.h5").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "tiny.weights.h5").write_bytes(bytes(damaged))
    with pytest.raises(CertificateError, match="missing or is not the file"):
        certificates.load_weights("tiny", dataset, test=split.test, folder=tmp_path)
    (tmp_path / "tiny.json").write_text("{}")
    with pytest.raises(CertificateError, match="is not a birth certificate"):
        certificates.load_weights("tiny", dataset, test=split.test, folder=tmp_path)


def test_same_seed_gives_the_same_first_weights_and_order(dataset, split, tmp_path):
    histories = [
        training.train(
            dataset, split, dataclasses.replace(TINY, epochs=1), name=name, folder=tmp_path
        )[1].history["loss"]
        for name in ("a", "b")
    ]
    assert histories[0] == pytest.approx(histories[1], rel=1e-3)


def test_published_weights_fit_their_certificate_and_their_lesions():
    """The pairs in models/ belong together, whatever data this computer has."""
    files = certificates.MODELS.glob("*.weights.h5")
    names = sorted(path.name.removesuffix(".weights.h5") for path in files)
    assert {"original", "original-phantom", "best", "best-phantom"} <= set(names)
    for name in names:
        certificate = certificates.read_certificate(name)
        path = certificates.MODELS / f"{name}.weights.h5"
        assert hash_file(path) == certificate.weights_sha256
        assert not set(certificate.train_lesions) & set(certificate.validation_lesions)
        keras.backend.clear_session()
        model = training.BUILDERS[certificate.recipe["network"]]()
        model.load_weights(path)
