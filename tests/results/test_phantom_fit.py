"""Fitting the phantom keeps patients out; what its report says is about these parameters."""

import gzip
import hashlib
import json
import shutil

import numpy as np
import pytest

from tools.results import phantom as tool
from utils.augment import symmetry
from utils.classes import DX
from utils.data import load_ham10000, phantom
from utils.splits import lesion_split


@pytest.fixture(scope="module")
def drawn():
    return phantom.sample()


@pytest.fixture(scope="module")
def report(root) -> dict:
    return json.loads((root / "data" / "phantom.json").read_text(encoding="utf-8"))


def test_no_component_rests_on_a_few_patients():
    parameters = phantom.load()
    assert (parameters["support"] >= (tool.MIN_IMAGES, tool.MIN_LESIONS)).all()
    for name in ("sex_kind", "site_kind", "site_sex", "site_band"):
        assert not np.isin(parameters[name], range(1, tool.MIN_CELL)).any(), name


def test_records_and_description_follow_the_parameters(tmp_path):
    shutil.copy(tool.DATA / "croissant-phantom.json", tmp_path)
    parameters = phantom.load()
    tool.store(parameters | {"lesions": parameters["lesions"] // 2}, tmp_path)
    table = gzip.decompress((tmp_path / "phantom_metadata.csv.gz").read_bytes())
    assert phantom.fingerprint(path=tmp_path / "phantom.npz") != phantom.fingerprint()
    rows = phantom.sample(path=tmp_path / "phantom.npz")[2]
    assert len(table.splitlines()) == len(rows) + 1
    paths = [folder / "croissant-phantom.json" for folder in (tmp_path, tool.DATA)]
    new, stored = (json.loads(p.read_text(encoding="utf-8"))["distribution"] for p in paths)
    for file, old in zip(new, stored, strict=True):
        content = (tmp_path / file["name"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest() != old["sha256"]
        assert file["contentSize"] == f"{len(content)} B"
        old |= {"sha256": file["sha256"], "contentSize": file["contentSize"]}
        assert file == old


def test_fit_refuses_other_sizes_and_missing_lesions(drawn):
    images, labels, metadata = drawn
    with pytest.raises(ValueError, match="size=28"):
        tool.fit(images[:, :14], labels, metadata)
    with pytest.raises(ValueError, match="lesion ids are missing"):
        tool.fit(images, labels, metadata.assign(lesion_id=None))
    with pytest.raises(ValueError, match="class 'akiec' has .* to keep patients out"):
        tool.fit(images[:40], labels[:40], metadata[:40])


def test_a_fit_can_be_drawn_from(drawn, tmp_path):
    lesions = drawn[2].drop_duplicates("lesion_id").groupby("dx").head(60)["lesion_id"]
    rows = np.flatnonzero(drawn[2]["lesion_id"].isin(lesions))
    images, labels, metadata = drawn[0][rows], drawn[1][rows], drawn[2].iloc[rows]
    fitted = tool.fit(images, labels, metadata)
    assert fitted.keys() == phantom.load().keys()
    assert (fitted["support"] >= (tool.MIN_IMAGES, tool.MIN_LESIONS)).all()
    path = tmp_path / "phantom.npz"
    np.savez_compressed(path, **fitted)
    again, its_labels, its_metadata = phantom.sample(path=path)
    assert np.array_equal(np.bincount(its_labels), np.bincount(labels))
    assert its_metadata["lesion_id"].nunique() == metadata["lesion_id"].nunique()
    for c in range(len(DX)):  # colours, in grey levels
        mean = images[labels == c].mean(axis=(0, 1, 2))
        assert again[its_labels == c].mean(axis=(0, 1, 2)) == pytest.approx(mean, abs=15)


def test_the_stored_report_is_about_these_parameters(report):
    """After a fit, `make phantom` measures again; the dataset card quotes the report."""
    assert report["fingerprint"] == phantom.fingerprint()
    assert report["bytes"] == phantom.PARAMETERS.stat().st_size
    assert report["membership AUC"]["high"] <= tool.MOST_MEMBERSHIP
    assert report["membership AUC of noisy copies"]["low"] > tool.MOST_MEMBERSHIP
    assert min(report["macro AUC on real test images, each seed"]) >= tool.LEAST_AUC


def test_who_was_fitted_on_cannot_be_told_from_the_phantom(drawn, real_data_folder, report):
    real = load_ham10000(source=real_data_folder)
    found = tool.membership(real, lesion_split(real), drawn[0])
    assert found.high <= tool.MOST_MEMBERSHIP
    assert found.value == pytest.approx(report["membership AUC"]["value"], abs=0.01)


@pytest.mark.parametrize("turned", [0, 3])
def test_copies_with_noise_betray_who_was_copied(drawn, turned):
    """The attack works: also on copies that were turned, and on no others."""
    data = tool.synthetic()
    split = lesion_split(data)
    copies = symmetry(tool.noisy_copies(data.images[split.train]), turned)
    assert tool.membership(data, split, copies).low > 0.9
    other = tool.synthetic(seed=1).images
    assert tool.membership(data, split, other).value == pytest.approx(0.5, abs=0.05)
