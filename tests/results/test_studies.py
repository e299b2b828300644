"""`make studies`: which runs there should be, and what makes one stale."""

import dataclasses

import numpy as np
import pytest
from small_dataset import judged, small_dataset

from tools.results import studies
from utils import models, weights
from utils.augment import predict_averaged
from utils.data import load_ham10000
from utils.splits import lesion_split
from utils.training import BEST
from utils.weights import load_weights, make_certificate, read_run


def test_a_study_says_when_it_is_out_of_date(tmp_path):
    dataset = small_dataset(lesions_per_class=30)
    split, recipe = lesion_split(dataset), {"network": "original_cnn", "keep": "last"}
    study = studies.Study("run", dataset, recipe, split, {"test": split.test})
    assert study.stale(folder=tmp_path) == "missing or damaged"
    made_from = {"name": "run", "recipe": recipe, "dataset": dataset, "split": split, "seed": 0}
    certificate = make_certificate(**made_from, history={"loss": [1]}, seconds=1)
    studies.write_run(certificate, {"test": judged(dataset, split.test)}, folder=tmp_path)
    assert study.stale(folder=tmp_path) == ""
    for changes, why in (
        ({"recipe": {}}, "recipe"), ({"seed": 1}, "recipe"),
        ({"split": lesion_split(dataset, seed=1)}, "split"),
        ({"dataset": small_dataset(lesions_per_class=30, seed=1)}, "data"),
    ):  # fmt: skip
        assert why in dataclasses.replace(study, **changes).stale(folder=tmp_path)
    (tmp_path / "run.npz").write_bytes(b"")
    assert study.stale(folder=tmp_path) == "missing or damaged"


def test_every_step_of_the_ablation_changes_one_thing_and_ends_at_the_recipe():
    steps = studies.ablation()
    assert list(steps) == sorted(steps), "the names give the order in which they are shown"
    taken = [name for name in steps if "-or-" not in name]
    assert steps[taken[-1]] == BEST
    assert all((recipe.keep, recipe.prior) == ("last", True) for recipe in steps.values())
    # Even draws are made anew in each of more and shorter epochs: the same number of images.
    changed = {"step-05-drawn-evenly": {"rebalance", "power", "epochs"}}
    for name, recipe in steps.items():
        if earlier := [other for other in taken if other[:7] < name[:7]]:
            before, after = (dataclasses.asdict(step) for step in (steps[earlier[-1]], recipe))
            fields = {field for field in after if before[field] != after[field]}
            assert len(fields) == 1 or fields == changed.get(name), f"{name} changes {fields}"


def test_scaled_input_is_the_original_network_behind_one_layer():
    network = studies.scaled_cnn()
    assert network.count_params() == 504_103
    first = network.layers[0](np.array([[[[0, 127.5, 255]]]], np.float32))
    np.testing.assert_allclose(np.asarray(first).ravel(), [-1, 0, 1])


def test_the_network_by_chance_has_nothing_of_imagenet():
    names = (f"efficientnet_lite0_{studies.PIXELS}", studies.CHANCE)
    large, chance = (models.BUILDERS[name]() for name in names)
    assert large.count_params() == chance.count_params() and chance.layers[-1].units == 7
    stems = [network.get_layer("stem").get_weights()[0].ravel() for network in (large, chance)]
    assert abs(np.corrcoef(*stems)[0, 1]) < 0.2


def test_stored_runs_are_those_that_the_command_would_make_now(real_data_folder):
    """The numbers in chapters 6 to 9 are read from runs whose certificates match."""
    dataset = load_ham10000()
    wanted = {study.name: study.stale() for study in studies.all_studies(dataset)}
    stale = {name: why for name, why in wanted.items() if why}
    if stale.keys() == wanted.keys() and set(stale.values()) == {"made from other data"}:
        pytest.skip("the stored runs were made from other files of the same images")
    assert not stale, f"run `make studies`: {stale}"
    of_larger_images = {f"step-15-or-{studies.PIXELS}-pixels"} - set(wanted)  # not had here
    assert set(weights.run_names()) - of_larger_images == set(wanted), "a run belongs to no study"
    labels = dict(zip(dataset.metadata["image_id"], dataset.labels, strict=True))
    for name in wanted:
        for part in weights.read_contaminated_run(name).parts.values():
            assert [labels[i] for i in part.image_ids] == part.labels.tolist()


def test_published_best_weights_are_those_of_the_first_seed(real_data_folder):
    dataset, run = load_ham10000(), read_run("best-seed-0")
    if run.certificate.data["fingerprint"] != dataset.fingerprint:
        pytest.skip("the stored runs were made from other files of the same images")
    test = lesion_split(dataset).test[:100]
    ids = dataset.metadata["image_id"].to_numpy()[test].tolist()
    assert ids == run.parts["test"].image_ids[:100].tolist()
    model, certificate = load_weights("best", dataset, test=test)
    assert certificate.history == run.certificate.history
    answers = predict_averaged(model, dataset.images[test])
    np.testing.assert_allclose(answers, run.parts["test"].probabilities[:100], atol=1e-3)
