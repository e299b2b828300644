"""What published results were made from: none of it may change unnoticed."""

import hashlib
import json

import pytest

from utils.data import load_ham10000, phantom
from utils.splits import lesion_split

# Digests of recipe, data and split fingerprints, seed and check sum in the run's certificate.
RUNS = {
    "best-fold-0": "dd9a8f09331327b7",
    "best-fold-1": "8afd6b10245267e0",
    "best-fold-2": "820973332bcc6c64",
    "best-fold-3": "6e9c74f7aa333b5b",
    "best-fold-4": "e6c9941cef042a00",
    "best-seed-0": "3edb40dbd3434bb0",
    "best-seed-1": "c13ad8cec9968059",
    "best-seed-2": "784fd6686e95279d",
    "best-seed-3": "3c4b77144f7f8519",
    "best-seed-4": "d99114cc1d04afed",
    "older-image-split": "ae9192a0fdfb4e67",
    "older-lesion-split": "b8c8744dac9489b8",
    "older-oversampled-first": "3f12623f2264ed7f",
    "step-00-original": "c191129cefe15d09",
    "step-01-scaled-input": "054a9b89741ecff2",
    "step-02-symmetries": "cba77c0e1280b62f",
    "step-03-shift": "05517f5398d52f36",
    "step-04-light-and-colour": "d7d47472c70336cd",
    "step-05-drawn-by-root": "b54e799a8fd34255",
    "step-05-or-no-rebalancing": "bf2901d5d4fdf46e",
    "step-05-or-weights": "6a5c598a4e52cccb",
    "step-06-schedule-and-adamw": "e98033a3a0fb0817",
    "step-07-label-smoothing": "46cea55ff7af023e",
    "step-08-averaged-weights": "76e06fb26dda61f6",
    "step-09-residual-network": "9249259142b88aef",
    "step-10-or-stronger-colour": "9e09f44f5e46b094",
    "step-10-or-zoom": "713be490f8f73c87",
    "step-11-longer": "ac3da9b670ad9c9f",
    "step-12-or-64-pixels": "07c49793e876673f",
}


@pytest.fixture(scope="module")
def real(real_data_folder):
    return load_ham10000(source=real_data_folder)


def test_the_real_images_have_the_fingerprint_of_the_published_weights(real):
    if "official zips" not in real.source and "JPEGs" not in real.source:
        pytest.skip("another source of the images has another fingerprint")
    assert real.fingerprint == "e98fb118b1960ea6e0fde03efeb2e124"


def test_the_split_of_the_real_images_is_the_published_one(real):
    assert lesion_split(real).fingerprint == "6ddd0f7dc38f375f"


def test_the_phantom_is_the_one_its_report_and_its_rehearsals_were_made_with():
    assert phantom.fingerprint() == "6f5e240d57a57714"


def test_the_stored_runs_are_the_published_ones(root):
    keys = {}
    for path in sorted((root / "models" / "studies").glob("*.json")):
        certificate = json.loads(path.read_text(encoding="utf-8"))
        parts = [
            certificate["recipe"],
            certificate["data"]["fingerprint"],
            certificate["split"]["fingerprint"],
            certificate["seed"],
            certificate["weights_sha256"],
        ]
        text = json.dumps(parts, sort_keys=True)
        keys[path.stem] = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert keys == RUNS
