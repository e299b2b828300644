"""Weights and stored runs: written, read back equal, refused where they have seen the test."""

import dataclasses
from contextlib import nullcontext
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from small_dataset import judged, small_dataset

from tools.results.studies import write_run
from utils import models, weights
from utils.data import PHANTOM
from utils.files import hash_file
from utils.models import original_cnn
from utils.splits import DUPLICATE_PAIRS, image_split, lesion_groups, lesion_split
from utils.weights import MODELS, CertificateError, Judged, read_contaminated_run, read_run


@pytest.fixture(scope="module")
def dataset():
    dataset = small_dataset(lesions_per_class=30)
    dataset.metadata.loc[278:, "image_id"] = DUPLICATE_PAIRS[0]  # two lesions that are one
    return dataset


@pytest.fixture(scope="module")
def split(dataset):
    return lesion_split(dataset, seed=2)


def certificate(dataset, split, name="tiny", keep="best"):
    history = {"loss": [float("inf"), 1], "val_balanced_accuracy": [0.4, 0.3]}
    recipe = {"network": "original_cnn", "keep": keep}
    given = {"name": name, "recipe": recipe, "history": history, "seconds": 1, "seed": 0}
    return weights.make_certificate(dataset=dataset, split=split, **given)


@pytest.fixture(scope="module")
def saved(dataset, split, tmp_path_factory):
    folder, model = tmp_path_factory.mktemp("own") / "runs", original_cnn()
    model.compile("adam", loss="sparse_categorical_crossentropy")
    model.train_on_batch(dataset.images[:8], dataset.labels[:8])
    return model, weights.save_weights(model, certificate(dataset, split), folder=folder), folder


def test_a_certificate_says_what_the_weights_have_seen(saved, dataset, split):
    _, born, folder = saved
    assert sorted(p.name for p in folder.iterdir()) == ["tiny.json", "tiny.weights.h5"]
    assert born == weights.read_certificate("tiny", folder=folder)
    sizes = {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
    assert born.split == {"fingerprint": split.fingerprint, "seed": 2, **sizes}
    data = {"source": "test noise", "fingerprint": dataset.fingerprint, "phantom": False}
    assert born.data == data | {"images": len(dataset.labels)}
    groups = lesion_groups(dataset.metadata)
    assert set(born.train_lesions) == set(groups[split.train])
    assert set(born.validation_lesions) == set(groups[split.validation])
    assert born.best_epoch == 1
    assert certificate(dataset, split, keep="last").best_epoch == 2
    assert born.device == weights.device_name() > "" and {"keras", "numpy"} <= set(born.versions)


def test_a_large_network_is_saved_in_half_precision(dataset, split, tmp_path):
    network = models.efficientnet_lite0(64)
    weights.save_weights(network, certificate(dataset, split), folder=tmp_path)
    assert (tmp_path / "tiny.weights.h5").stat().st_size < 8e6
    again = keras.models.clone_model(network)  # other weights
    again.load_weights(tmp_path / "tiny.weights.h5")
    for own, read in zip(network.weights, again.weights, strict=True):
        wanted = np.asarray(own).astype(np.float16 if own.ndim > 1 else np.float32)
        np.testing.assert_array_equal(wanted.astype(np.float32), read)


def test_weights_alone_are_saved_and_predict_as_before(saved, dataset, split, monkeypatch):
    """The optimiser's state would be twice as large again; files that hold it are read as well."""
    model, born, folder = saved
    shorter = keras.Sequential([keras.Input((28, 28, 3)), *model.layers[:-2], model.layers[-1]])
    assert (folder / "tiny.weights.h5").stat().st_size < 5 * model.count_params()
    loaded, _ = weights.load_weights("tiny", dataset, test=split.test, folder=folder)
    large = folder / "large.weights.h5"
    model.save_weights(large)  # as Keras does it
    assert large.stat().st_size > 10 * model.count_params()
    born = dataclasses.replace(born, weights_sha256=hash_file(large))
    images = dataset.images[split.test]
    for name, builder in {"small_resnet": models.small_resnet, "x": lambda: shorter}.items():
        monkeypatch.setitem(models.BUILDERS, name, builder)  # as if it had changed since
        other = dataclasses.replace(born, recipe={"network": name})
        with pytest.raises(CertificateError, match="large.weights.h5 fits no network of this ed"):
            weights.network_of("large", other, folder=folder)
    for network in (loaded, weights.network_of("large", born, folder=folder)):
        again, expected = (one.predict(images, verbose=0) for one in (network, model))
        np.testing.assert_allclose(again, expected, atol=1e-6)


@pytest.mark.parametrize("part, how", [("train", "trained on"), ("validation", "chosen by")])
def test_one_lesion_that_was_seen_is_enough_to_refuse(saved, dataset, split, part, how):
    row = getattr(split, part)[-1]
    test = np.append(split.test, row)
    with pytest.raises(CertificateError, match=f"were {how} 1 of the") as refusal:
        weights.load_weights("tiny", dataset, test=test, folder=saved[2])
    assert lesion_groups(dataset.metadata)[row] in str(refusal.value)


def test_another_split_or_source_is_refused(saved, dataset, split):
    _, born, folder = saved
    other = lesion_split(dataset, seed=1)
    overlap = set(lesion_groups(dataset.metadata)[other.test]) & set(born.train_lesions)
    with pytest.raises(CertificateError, match=f"{len(overlap):,} of the .*, …"):
        weights.load_weights("tiny", dataset, test=other.test, folder=folder)
    phantom = dataclasses.replace(born, data={**born.data, "phantom": not dataset.is_phantom})
    on_phantom = dataclasses.replace(dataset, source=PHANTOM)
    with pytest.raises(CertificateError, match="Load weights that were made for these images"):
        weights.check_certificate(phantom, dataset, split.test)
    with pytest.raises(CertificateError, match="Load weights that were made for these images"):
        weights.load_weights("tiny", on_phantom, test=split.test, folder=folder)
    asked = [("original", dataset), ("original", on_phantom), ("original-phantom", on_phantom)]
    found = [weights.load_weights(*one, test=split.test)[1].name for one in asked]
    assert found == ["original", "original-phantom", "original-phantom"]


def test_published_weights_fit_their_certificate_and_their_lesions():
    names = sorted(path.name.removesuffix(".weights.h5") for path in MODELS.glob("*.weights.h5"))
    names.remove("imagenet")  # it has seen no lesion; tests/results/test_imagenet.py has its sums
    assert {"original", "original-phantom", "best", "best-phantom"} <= set(names)
    for name in names:
        born = weights.read_certificate(name)
        assert not set(born.train_lesions) & set(born.validation_lesions)
        weights.network_of(name, born, folder=MODELS)


@pytest.fixture
def stored(dataset, split, tmp_path):
    """Write a run of these parts into a folder of its own; what it wrote, and how to read it."""

    def write(split=split, **parts):
        answers = {part: judged(dataset, rows) for part, rows in parts.items()}
        return write_run(certificate(dataset, split, "run"), answers, folder=tmp_path), answers

    return SimpleNamespace(
        write=write, folder=tmp_path, read=lambda: read_run("run", folder=tmp_path)
    )


def test_a_run_comes_back_as_it_was_written(split, stored):
    born, answers = stored.write(validation=split.validation, test=split.test)
    run, folder = stored.read(), stored.folder
    assert run.certificate == born and list(run.parts) == list(answers)
    for part in answers:
        for field in dataclasses.fields(Judged):
            again, written = (getattr(x[part], field.name) for x in (run.parts, answers))
            np.testing.assert_array_equal(again, written)
            assert again.dtype == written.dtype
    assert [weights.run_names(start, folder=folder) for start in ("ru", "best")] == [["run"], []]
    assert sorted(p.name for p in folder.iterdir()) == ["run.json", "run.npz"]
    with pytest.raises(CertificateError, match="no stored run 'other'. The stored runs are: run"):
        read_run("other", folder=folder)


def test_a_split_by_image_is_refused_and_can_be_read_on_purpose(dataset, stored):
    split, groups = image_split(dataset), lesion_groups(dataset.metadata)
    stored.write(split, test=split.test)
    overlap = sorted(set(groups[split.train]) & set(groups[split.test]))
    message = f"'run' was trained on {len(overlap):,} of the .*{overlap[0]}"
    with pytest.raises(CertificateError, match=message):
        stored.read()
    assert read_contaminated_run("run", folder=stored.folder).parts["test"].labels.size


def test_lesions_that_chose_the_weights_may_be_those_of_the_validation_part_only(split, stored):
    stored.write(validation=split.validation)
    stored.read()
    stored.write(test=split.validation)
    with pytest.raises(CertificateError, match="was chosen by"):
        stored.read()


@pytest.mark.parametrize("name", weights.run_names())
def test_stored_runs_are_read_and_refused_as_they_should(name):
    run = read_contaminated_run(name)
    assert run.parts and all(part.probabilities.shape[1] == 7 for part in run.parts.values())
    older = name in ("older-image-split", "older-oversampled-first")
    with pytest.raises(CertificateError, match="was trained on") if older else nullcontext():
        read_run(name)
