"""What published results were made from: none of it may change unnoticed."""

import hashlib
import inspect
import json

import pytest

from utils import augment, calibration, data, metrics, models, plots, refusal, splits, training
from utils.data import load_ham10000, phantom
from utils.splits import lesion_split


def test_defaults_are_those_that_published_results_rest_on():
    told = [training.BEST, training.ORIGINAL, training.FineTuning()]
    for module in (augment, calibration, data, metrics, models, plots, refusal, splits, training):
        for function in filter(callable, map(vars(module).get, module.__all__)):
            for given in inspect.signature(function).parameters.values():
                told.append((function.__name__, given.name, given.default))
    told = "\n".join(t for t in map(repr, told) if "Path(" not in t and "inspect._empty" not in t)
    assert hashlib.sha256(told.encode()).hexdigest()[:16] == "f7788c06b150b13c", told


def test_the_real_images_and_their_split_are_those_of_the_published_weights(real_data_folder):
    dataset = load_ham10000(source=real_data_folder)
    assert lesion_split(dataset).fingerprint == "6ddd0f7dc38f375f"
    if "zips" not in dataset.source and "JPEGs" not in dataset.source:
        pytest.skip("another source of the images has another fingerprint")
    assert dataset.fingerprint == "e98fb118b1960ea6e0fde03efeb2e124"


def test_the_phantom_is_the_one_its_report_and_its_rehearsals_were_made_with():
    assert phantom.fingerprint() == "3af7da0448d46728"
    # Pixels may differ by one grey level between computers; which quarter is brightest does not.
    images, _, table = phantom.sample()
    lines = table.to_csv(index=False, lineterminator="\n")
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == "047f17121778f5f1", lines[:200]
    quarters = images[:70].reshape(-1, 2, 14, 2, 14, 3).mean(axis=(2, 4, 5))
    brightest = "".join(map(str, quarters.reshape(-1, 4).argmax(axis=1)))
    assert brightest == "1331220301101113102111223133320031112100230211030010333300133220131322"


def test_the_stored_runs_are_the_published_ones(root):
    """Their names, and what their certificates say that they were made from."""
    keys = {}
    for path in sorted((root / "models" / "studies").glob("*.json")):
        run = json.loads(path.read_text(encoding="utf-8"))
        prints = run["data"]["fingerprint"], run["split"]["fingerprint"]
        keys[path.stem] = [run["recipe"], *prints, run["seed"], run["weights_sha256"]]
    assert len(keys) == 61
    digest = hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()
    assert digest[:16] == "658190852d34ce07", "git diff models/studies shows which run is another"
