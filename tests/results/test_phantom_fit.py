"""Fitting the phantom keeps patients out; what its report says is about these parameters."""

import gzip
import hashlib
import json
import shutil

import numpy as np
import pytest

from tools.results import phantom as tool
from utils.classes import DX
from utils.data import load_ham10000, phantom


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


def test_saving_is_whole_or_nothing(tmp_path):
    path = tmp_path / "phantom.npz"
    parameters = phantom.load()
    tool.save(parameters, path)
    assert phantom.fingerprint(path=path) == phantom.fingerprint()
    before = path.read_bytes()
    with pytest.raises(ValueError):
        tool.save(parameters | {"basis": [[0], [0, 1]]}, path)  # no array can be made of it
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    tool.save(parameters | {"weights": parameters["weights"] * 2}, path)
    assert phantom.fingerprint(path=path) != phantom.fingerprint()


def test_records_and_description_follow_the_parameters(tmp_path):
    for name in ("phantom.npz", "croissant-phantom.json"):
        shutil.copy(tool.DATA / name, tmp_path)
    parameters = phantom.load()
    tool.save(parameters | {"lesions": parameters["lesions"] // 2}, tmp_path / "phantom.npz")
    tool.store_records(tmp_path)
    table = gzip.decompress((tmp_path / "phantom_metadata.csv.gz").read_bytes())
    rows = phantom.sample(path=tmp_path / "phantom.npz")[2]
    assert len(table.splitlines()) == len(rows) + 1
    new, stored = (
        json.loads((folder / "croissant-phantom.json").read_text(encoding="utf-8"))["distribution"]
        for folder in (tmp_path, tool.DATA)
    )
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
    assert fitted.keys() == phantom.NAMES
    assert (fitted["support"] >= (tool.MIN_IMAGES, tool.MIN_LESIONS)).all()
    path = tmp_path / "phantom.npz"
    tool.save(fitted, path)
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
    near = report["distances, first percentile"]
    assert near["phantom to nearest real image"] >= near["real to nearest other real image"]
    auc = report["trained on the phantom"]["macro AUC on the real images"]
    assert auc >= tool.LEAST_AUC
    assert all(report["criteria"].values())


def test_nearest_finds_the_nearest():
    levels, unit = np.array([0, 1, 3, 200], np.uint8), np.sqrt(28 * 28 * 3)
    images = np.broadcast_to(levels[:, None, None, None], (4, 28, 28, 3))
    for groups, expected in (([0, 1, 2, 3], [1, 1, 2, 197]), ([0, 0, 1, 2], [3, 2, 2, 197])):
        groups = np.array(groups)
        np.testing.assert_allclose(
            tool.nearest(images, images, (groups, groups)), unit * np.array(expected)
        )


def test_a_sample_is_no_nearer_than_real_images_are(drawn, real_data_folder, report):
    """2,500 fixed images of either kind against all real ones; `make phantom` takes them all."""
    real = load_ham10000(source=real_data_folder)
    near = tool.distances(real, drawn[0], most=2500)
    synthetic = near["phantom to nearest real image"]
    assert synthetic >= near["real to nearest other real image"]
    assert synthetic >= near["real to nearest real image of another lesion"]
    for name, value in report["distances, first percentile"].items():
        assert near[name] == pytest.approx(value, rel=0.05), name
