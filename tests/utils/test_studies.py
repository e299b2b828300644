"""Stored runs: written whole, read back equal, refused when they judge what they have seen."""

import dataclasses

import numpy as np
import pytest
from small_dataset import small_dataset

from tools.results import studies as runner
from utils import studies
from utils.splits import image_split, lesion_groups, lesion_split
from utils.studies import Judged
from utils.training import BEST
from utils.weights import CertificateError, make_certificate


@pytest.fixture(scope="module")
def dataset():
    return small_dataset(lesions_per_class=60)


def judged(dataset, rows):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(7), size=len(rows)).astype(np.float32)
    return Judged(
        dataset.metadata["image_id"].to_numpy(dtype=str)[rows],
        lesion_groups(dataset.metadata)[rows].astype(str),
        dataset.labels[rows],
        probabilities,
        probabilities[::-1],
    )


def certificate(dataset, split, name="run", **recipe):
    recipe = {"network": "original_cnn", "keep": "best"} | recipe
    return make_certificate(
        name=name,
        recipe=recipe,
        dataset=dataset,
        split=split,
        seed=0,
        history={"loss": [2, 1], "val_balanced_accuracy": [0.4, 0.3]},
        seconds=1,
    )


@pytest.fixture
def stored(dataset, tmp_path):
    split = lesion_split(dataset)
    parts = {"validation": judged(dataset, split.validation), "test": judged(dataset, split.test)}
    return studies.write_run(certificate(dataset, split), parts, folder=tmp_path), tmp_path


def test_a_run_comes_back_as_it_was_written(stored):
    run, folder = stored
    again = studies.read_run("run", folder=folder)
    assert again.certificate == run.certificate and set(again.parts) == {"validation", "test"}
    for part, judged_ in run.parts.items():
        for field in dataclasses.fields(Judged):
            expected = getattr(judged_, field.name)
            np.testing.assert_array_equal(getattr(again.parts[part], field.name), expected)
    assert studies.names(folder=folder) == ["run"]
    assert studies.names("best", folder=folder) == []
    assert sorted(p.name for p in folder.iterdir()) == ["run.json", "run.npz"]


def test_a_split_by_image_is_refused_and_can_be_read_on_purpose(dataset, tmp_path):
    split = image_split(dataset)
    parts = {"test": judged(dataset, split.test)}
    studies.write_run(certificate(dataset, split), parts, folder=tmp_path)
    groups = lesion_groups(dataset.metadata)
    overlap = sorted(set(groups[split.train]) & set(groups[split.test]))
    with pytest.raises(CertificateError, match="'run' was trained on") as refusal:
        studies.read_run("run", folder=tmp_path)
    assert f"{len(overlap):,} of the" in str(refusal.value) and overlap[0] in str(refusal.value)
    assert studies.read_contaminated_run("run", folder=tmp_path).parts["test"].labels.size


def test_test_lesions_that_chose_the_weights_are_refused(dataset, tmp_path):
    split = lesion_split(dataset)
    parts = {"test": judged(dataset, split.validation)}
    studies.write_run(certificate(dataset, split), parts, folder=tmp_path)
    with pytest.raises(CertificateError, match="was chosen by"):
        studies.read_run("run", folder=tmp_path)


def test_missing_and_changed_runs_are_named(stored):
    _, folder = stored
    with pytest.raises(CertificateError, match="no stored run 'other'. The stored runs are: run"):
        studies.read_run("other", folder=folder)
    path = folder / "run.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CertificateError, match="not the file that run.json describes"):
        studies.read_run("run", folder=folder)


def test_predictions_of_a_wrong_shape_are_not_stored(dataset, tmp_path):
    split = lesion_split(dataset)
    part = dataclasses.replace(judged(dataset, split.test), single=np.zeros((3, 7)))
    with pytest.raises(ValueError, match="'test' needs probabilities of shape"):
        studies.write_run(certificate(dataset, split), {"test": part}, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_last_epoch_is_the_one_kept_where_the_recipe_says_so(dataset):
    split = lesion_split(dataset)
    assert certificate(dataset, split).best_epoch == 1
    assert certificate(dataset, split, keep="last").best_epoch == 2


def test_a_study_says_when_it_is_out_of_date(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", tmp_path)
    split = lesion_split(dataset)
    recipe = {"network": "original_cnn", "keep": "best"}
    study = runner.Study("run", dataset, recipe, split, 0, lambda: None)
    assert study.stale() == "not made yet"
    parts = {"test": judged(dataset, split.test)}
    studies.write_run(certificate(dataset, split), parts, folder=tmp_path)
    assert study.stale() == ""
    assert "recipe" in dataclasses.replace(study, recipe={}).stale()
    assert "recipe" in dataclasses.replace(study, seed=1).stale()
    other = lesion_split(dataset, seed=1)
    assert "split" in dataclasses.replace(study, split=other).stale()
    others = small_dataset(lesions_per_class=60, seed=1)
    assert "data" in dataclasses.replace(study, dataset=others).stale()


def test_every_step_of_the_ablation_changes_one_thing_and_ends_at_the_recipe():
    steps = runner.ablation()
    assert list(steps) == sorted(steps), "the names give the order in which they are shown"
    taken = [recipe for name, recipe in steps.items() if "-or-" not in name]
    assert taken[-1] == BEST
    assert len({str(recipe) for recipe in steps.values()}) == len(steps)


def test_stored_runs_are_those_that_the_command_would_make_now(real_data_folder):
    """The numbers in chapters 6 to 8 are read from runs whose certificates match."""
    from utils.data import load_ham10000

    dataset = load_ham10000()
    wanted = {study.name: study.stale() for study in runner.all_studies(dataset)}
    stale = {name: why for name, why in wanted.items() if why}
    if stale.keys() == wanted.keys() and set(stale.values()) == {"made from other data"}:
        pytest.skip("the stored runs were made from other files of the same images")
    assert not stale, f"run `make studies`: {stale}"
    of_larger_images = {f"step-12-or-{runner.PIXELS}-pixels"} - set(wanted)  # not had here
    assert set(studies.names()) - of_larger_images == set(wanted), "a run belongs to no study"
    for name in wanted:
        run = studies.read_contaminated_run(name)
        labels = dict(zip(dataset.metadata["image_id"], dataset.labels, strict=True))
        for part in run.parts.values():
            assert [labels[i] for i in part.image_ids] == part.labels.tolist()


def test_honest_runs_are_read_without_complaint():
    honest = [name for name in studies.names() if name.startswith(("best", "step", "older-les"))]
    assert honest, "models/studies holds no run"
    for name in honest:
        studies.read_run(name)


def test_published_best_weights_are_those_of_the_first_seed(real_data_folder):
    from utils.augment import predict_averaged
    from utils.data import load_ham10000
    from utils.weights import load_weights

    dataset = load_ham10000()
    run = studies.read_run("best-seed-0")
    if run.certificate.data["fingerprint"] != dataset.fingerprint:
        pytest.skip("the stored runs were made from other files of the same images")
    test = lesion_split(dataset).test[:100]
    assert dataset.metadata["image_id"].to_numpy()[test].tolist() == (
        run.parts["test"].image_ids[:100].tolist()
    )
    model, certificate = load_weights("best", dataset, test=test)
    assert certificate.history == run.certificate.history
    answers = predict_averaged(model, dataset.images[test])
    np.testing.assert_allclose(answers, run.parts["test"].probabilities[:100], atol=1e-3)
