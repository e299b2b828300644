"""`load_ham10000` takes the right source, says which, and keeps a cache that cannot mislead."""

import dataclasses
import shutil
import subprocess
import sys
import warnings
from unittest.mock import Mock

import datafiles
import numpy as np
import pandas as pd
import pytest
from datafiles import ROWS

from utils import data
from utils.classes import DX
from utils.data import DataError, download, load_external, load_ham10000, phantom, photographs
from utils.data.photographs import ZIPS, Photographs
from utils.data.tables import KAGGLE_CSV

FETCH = download.fetch_source


@pytest.fixture(autouse=True)
def no_data_and_no_network(tmp_path, monkeypatch):
    """Give each test its own data folders, no HAM10000_DIR and no network."""

    no_network = Mock(side_effect=download.DownloadError("no network in this test. By hand: ..."))
    monkeypatch.setattr(data, "CACHE_DIR", tmp_path / "cache")
    monkeypatch.setattr(data, "RAW_DIR", tmp_path / "raw")
    monkeypatch.delenv("HAM10000_DIR", raising=False)
    monkeypatch.setattr(download, "fetch_source", no_network)
    (tmp_path / "raw").mkdir()


@pytest.fixture
def official(tmp_path):
    datafiles.make(tmp_path / "official", "zips")
    return tmp_path / "official"


def load(source="auto", size=28):
    return load_ham10000(size, source, expected_rows=ROWS)


def assert_same(one, other):
    assert np.array_equal(one.images, other.images)
    assert np.array_equal(one.labels, other.labels)
    pd.testing.assert_frame_equal(one.metadata, other.metadata)
    assert (one.source, one.fingerprint) == (other.source, other.fingerprint)


NAMES = {
    "zips": "HAM10000 from copies of the official zips, 60 × 45 pixels",
    "jpegs in two folders": "HAM10000 from a folder of JPEGs, 60 × 45 pixels",
    "csv": "HAM10000 from the Kaggle CSV",
    "bare csv": "HAM10000 from the Kaggle CSV",
}


@pytest.mark.parametrize("form", NAMES)
def test_the_record_is_the_same_from_source_and_cache(tmp_path, form, capsys, monkeypatch):
    written = datafiles.make(tmp_path, form)
    cold = load(tmp_path)
    monkeypatch.setattr(Photographs, "read_all", "nothing is decoded")
    warm = load(tmp_path)
    assert_same(cold, warm)
    has_lesions = form != "bare csv"
    lesions = " of 7 lesions" if has_lesions else ", no lesion ids (so no split by lesion)"
    line = f"Data: {NAMES[form]}, 14 images{lesions}, 28 × 28 pixels"
    assert capsys.readouterr().out.splitlines() == [line, line]
    for dataset in (cold, warm):
        assert dataset.images.shape == (ROWS, 28, 28, 3) and dataset.images.dtype == np.uint8
        assert dataset.labels.shape == (ROWS,) and dataset.labels.dtype == np.int64
        assert tuple(dataset.metadata.columns) == data.records.COLUMNS
        assert isinstance(dataset.metadata.index, pd.RangeIndex)
        assert dataset.labels.tolist() == datafiles.make_labels(dataset.metadata).tolist()
        assert dataset.has_lesions == has_lesions and not dataset.is_phantom
    if has_lesions:
        table = cold.metadata.replace({None: np.nan})[written.columns]
        pd.testing.assert_frame_equal(table, written, check_dtype=False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        cold.source = "elsewhere"


def test_the_fingerprint_follows_content_and_size(tmp_path, official):
    first, copy = load(official).fingerprint, tmp_path / "copy"
    shutil.copytree(official, copy)
    datafiles.make(tmp_path / "folders", "jpegs in two folders")
    assert load(copy).fingerprint == load(tmp_path / "folders").fingerprint == first
    assert load(official, size=32).fingerprint != first
    with_dataset = datafiles.make_metadata().assign(dataset="rosendahl")
    datafiles.write_metadata(copy, with_dataset)  # as the official file; Kaggle's copy lacks it
    longer = load(copy)
    assert longer.fingerprint == first and set(longer.metadata["dataset"]) == {"rosendahl"}
    twice = datafiles.make_jpegs(ISIC_0024306=datafiles.make_jpegs()["ISIC_0024307"])
    datafiles.write_zips(official, twice)
    changed = load(official)
    assert changed.fingerprint != first
    assert np.array_equal(changed.images[0], changed.images[1])
    datafiles.write_metadata(copy, with_dataset.replace({"sex": {"unknown": "male"}}))
    again = load(copy)
    assert again.fingerprint != first and again.metadata["sex"][2] == "male"


FORMS = ["{}", '"{}"', "  '{} '\n", "{}/" + KAGGLE_CSV, "~/official", ' "Phantom"']


@pytest.mark.parametrize("form", FORMS)
def test_auto_takes_what_the_variable_names_first(tmp_path, official, monkeypatch, form):
    for folder in (data.RAW_DIR, official):
        datafiles.make_kaggle(folder)
    assert load().source == NAMES["csv"]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HAM10000_DIR", form.format(official))
    wanted = data.PHANTOM if "Phantom" in form else NAMES["zips"]
    assert data._choose(28, "auto", ROWS).name == wanted
    assert "Phantom" in form or data.data_folder() == official
    monkeypatch.setenv("HAM10000_DIR", "~nobody-of-that-name/x")
    with pytest.raises(DataError, match="~nobody.*does not exist"):
        load()


UNREAD = f"{KAGGLE_CSV}.part hmnist_28_28_L.csv x.crdownload a.zip.001 ISIC_1.png a/b/c/d/x.parquet"
UNREAD += " HAM10000_images_part_1 large.csv ISIC2018-Task3-Test-Input/ISIC_0034524.jpg"


@pytest.mark.parametrize("name", UNREAD.split())
def test_the_phantom_does_not_stand_in_beside_what_could_not_be_read(name, monkeypatch, official):
    outside, folder = "Test" in name, official if "Test" in name else data.RAW_DIR
    for file in (folder / name, folder / ".DS_Store"):
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(bytes(2 * 10**6 if "large" in name else 9))
    monkeypatch.setenv("HAM10000_DIR", str(folder) if outside else "")
    told = rf"There is \S*{name} \(1 such .*does not stand in"
    with pytest.raises(DataError, match=f"{told}.*no net"):
        load_external() if outside else load()
    if not outside:
        monkeypatch.setattr(download, "fetch_source", FETCH)
        with pytest.raises(DataError, match=f"{told}.*pixels, not 64"):
            load(size=64)


def test_on_colab_a_folder_of_the_mounted_drive_stands_in_for_data_raw(root):
    code = "from pathlib import Path; import utils.data, importlib; Path.is_dir = lambda _: True;"
    code += " print(importlib.reload(utils.data).RAW_DIR == utils.data.DRIVE)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True) == "True\n"


@pytest.mark.parametrize("what", ["missing", "empty", "official"])
def test_auto_does_not_pass_over_a_variable_to_nowhere(tmp_path, official, monkeypatch, what):
    datafiles.make_kaggle(data.RAW_DIR)
    (tmp_path / "empty").mkdir()
    (official / ZIPS[1]).unlink()
    monkeypatch.setenv("HAM10000_DIR", str(tmp_path / what))
    with pytest.raises(DataError) as caught:
        load()
    names = ("HAM10000_DIR", *ZIPS, KAGGLE_CSV) if what == "empty" else ()
    assert all(word in str(caught.value) for word in (str(tmp_path / what), *names))


def test_auto_ends_at_the_phantom_and_prints_the_manual_route(capsys):
    for harmless in ("LICENSE", "HAM10000_metadata", "tmp1a2b3_4d", ".DS_Store"):
        (data.RAW_DIR / harmless).write_bytes(bytes(2 * 10**6 * ("tmp" in harmless)))
    with pytest.warns(UserWarning, match="no network in this test. By hand"):
        dataset = load_ham10000()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Data: the phantom (synthetic lesions, no patient's image), 10,015")
    assert dataset.is_phantom and dataset.has_lesions and len([*data.CACHE_DIR.glob("*")]) == 1
    assert_same(dataset, load_ham10000(source="phantom"))


@pytest.mark.parametrize(
    "source, form", [("auto", "csv"), ("kaggle", "csv"), ("dataverse", "zips")]
)
def test_a_source_that_is_not_there_is_fetched(monkeypatch, source, form):
    monkeypatch.setattr(download, "fetch_source", lambda _, raw, size: datafiles.make(raw, form))
    if source != "auto":
        datafiles.make(data.RAW_DIR, "zips")  # a better source there does not take its place
    assert load(source).source == NAMES[form]


@pytest.mark.parametrize("source, form", [("kaggle", "csv"), ("dataverse", "zips")])
def test_a_source_that_is_there_in_another_form_is_not_fetched(source, form):
    datafiles.make(data.RAW_DIR, form)
    assert load(source).source == NAMES[form]


def test_a_source_folder_or_size_that_cannot_be_had_is_no_phantom(tmp_path, monkeypatch):
    with pytest.raises(download.DownloadError, match="By hand"):
        load("kaggle")
    with pytest.raises(DataError, match="from source. does not exist"):
        load(tmp_path / "nowhere")
    for call in (load_ham10000, load_external):
        monkeypatch.setenv("HAM10000_DIR", str(tmp_path / "nowhere"))
        with pytest.raises(DataError, match="variable HAM10000_DIR. does not exist"):
            call()
    monkeypatch.delenv("HAM10000_DIR")
    for size in (14, 64):
        with pytest.raises(DataError, match=f"phantom has images of 28 × 28 pixels, not {size} ×"):
            load("phantom", size=size)
    monkeypatch.setattr(download, "fetch_source", FETCH)
    with pytest.raises(DataError, match="'auto' downloads, has .*source='dataverse'"):
        load(size=64)
    for size in (0, -1, 28.0, "28", True):
        with pytest.raises(ValueError, match="size must be a whole number"):
            load(size=size)


@pytest.fixture
def open_half(tmp_path, monkeypatch):
    """The official files in a folder that HAM10000_DIR names; all images but four are listed."""
    listed = datafiles.make_external(tmp_path / "clinics", more=4)
    monkeypatch.setattr(data, "EXTERNAL_IDS", tmp_path / "ids.csv")
    monkeypatch.setattr(data, "_LISTED", datafiles.LISTED)
    listed[["image_id"]].to_csv(tmp_path / "ids.csv", index=False)
    monkeypatch.setenv("HAM10000_DIR", str(tmp_path / "clinics"))
    return listed


OPEN = "ISIC 2018 test images (the open half), copies of 60 × 45 pixels"


@pytest.mark.parametrize("place", ["HAM10000_DIR", "data/raw", "download"])
def test_only_listed_external_images_are_opened(tmp_path, open_half, monkeypatch, capsys, place):
    if place != "HAM10000_DIR":  # the real images stand there, without the external ones
        datafiles.make(tmp_path / "official", "zips")
        monkeypatch.setenv("HAM10000_DIR", str(tmp_path / "official"))
    if place == "data/raw":
        datafiles.make_external(data.RAW_DIR)
    if place == "download":
        bring = lambda name, raw, size: datafiles.make_external(raw)  # noqa: E731
        monkeypatch.setattr(download, "fetch_source", bring)
    opened, fetch = [], Photographs.fetch
    monkeypatch.setattr(Photographs, "fetch", lambda s, name: opened.append(name) or fetch(s, name))
    dataset = load_external()
    assert set(opened) == set(open_half["image_id"])
    assert_same(dataset, load_external())
    line = f"Data: {OPEN}, 10 images of 7 lesions, 28 × 28 pixels"
    assert capsys.readouterr().out.splitlines() == [line, line]
    assert dataset.metadata["image_id"].tolist() == open_half["image_id"].tolist()
    assert dataset.metadata["dataset"].tolist() == open_half["dataset"].tolist()
    assert dataset.labels.tolist() == datafiles.make_labels(open_half).tolist()
    assert not dataset.is_phantom and load_external(17).images.shape == (10, 17, 17, 3)


@pytest.mark.parametrize("named", ["phantom", "official"])
def test_without_external_files_other_cameras_stand_in(official, monkeypatch, capsys, named):
    monkeypatch.setenv("HAM10000_DIR", "phantom" if named == "phantom" else str(official))
    if named == "phantom":
        dataset = load_external()
    else:
        with pytest.warns(UserWarning, match="no network in this test. By hand.*\n.*stands in"):
            dataset = load_external()
    assert "the phantom with other cameras (synthetic lesions" in capsys.readouterr().out
    assert dataset.is_phantom and dataset.has_lesions and 745 <= len(dataset.labels) <= 755
    assert np.array_equal(dataset.images, phantom.elsewhere()[0]) and not dataset.images.min()
    at_home, table = load_ham10000(source="phantom"), dataset.metadata
    for name in ("image_id", "lesion_id"):
        assert not set(table[name]) & set(at_home.metadata[name])
    assert set(table["dx"]) == set(DX)
    assert set(table["dataset"]) == {*at_home.metadata["dataset"], "external"}
    tints = pd.DataFrame(dataset.images.mean(axis=(1, 2))).groupby(table["dataset"]).mean()
    assert tints.loc["external"].tolist() == pytest.approx([216, 127, 116], abs=1)
    assert tints[0].tolist() == pytest.approx([216, 198, 176, 211, 165], abs=1)
    assert tints[2].tolist() == pytest.approx([116, 147, 152, 127, 141], abs=1)


def test_a_cache_that_cannot_be_written_is_told_and_images_come(tmp_path, official, monkeypatch):
    full = Mock(side_effect=OSError(28, "No space left on device"))
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.warns(UserWarning, match="No space left on device.*the disk has room"):
            load(official)
    assert [*data.CACHE_DIR.glob("*")] == []
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(data, "CACHE_DIR", tmp_path / "file" / "cache")
    with pytest.warns(UserWarning, match=f"{tmp_path / 'file' / 'cache'}.*Make it writable"):
        assert len(load(official).labels) == ROWS


@pytest.fixture(scope="module", params=["phantom", "real"])
def complete(request):
    """The phantom, and the folder of the real images, asked for before the variable is hidden."""
    real = request.param == "real"
    return request.getfixturevalue("real_data_folder") if real else "phantom"


def test_images_and_lesions_are_as_many_as_published(complete):
    """Tschandl, Rosendahl, Kittler, Scientific Data 5:180161 (2018), and the metadata table."""
    dataset = load_ham10000(source=complete)
    metadata, images = dataset.metadata, dataset.images
    assert images.shape == (10_015, 28, 28, 3) and images.dtype == np.uint8
    assert images.std(axis=(1, 2, 3)).min() > 1, "an image of one colour"
    # akiec, bcc, bkl, df, nv, vasc, mel
    assert np.bincount(dataset.labels).tolist() == [327, 514, 1099, 115, 6705, 142, 1113]
    lesions = metadata.groupby("dx")["lesion_id"].nunique()[list(DX)]
    assert lesions.tolist() == [228, 327, 727, 73, 5403, 98, 614]
    per_lesion = metadata.groupby("lesion_id").size().value_counts().sort_index()
    assert per_lesion.tolist() == [5514, 1423, 490, 34, 5, 4]
    dx_types = {"histo": 5340, "follow_up": 3704, "consensus": 902, "confocal": 69}
    assert metadata["dx_type"].value_counts().to_dict() == dx_types
    unknown = (metadata == "unknown").sum()[["sex", "localization"]].tolist()
    near = 0.4 if dataset.is_phantom else 0
    assert [metadata["age"].isna().sum(), *unknown] == pytest.approx([57, 57, 234], rel=near)


def test_a_table_with_other_diagnoses_than_published_is_told(real_data_folder, tmp_path):
    path = data.records.find_table(real_data_folder)
    with warnings.catch_warnings(action="error"):
        real = data.records.read_metadata(path)
    other = real[::-1].assign(dx=real["dx"].where(real.index != 7, "df"))
    with pytest.warns(UserWarning, match="ids or diagnoses are not as published"):
        data.records.read_metadata(datafiles.write_metadata(tmp_path, other))


def test_the_real_external_images(complete):
    if complete == "phantom" or not (complete / photographs.EXTERNAL_ZIP).is_file():
        pytest.skip("the test images of ISIC 2018 are not there")
    ids = (data.ROOT / "data" / "external_ids.csv").read_text().split()[1:]
    assert len(ids) == len(set(ids)) == 748
    dataset = photographs.find_external(complete, 28, set(ids)).read()
    assert sorted(dataset.metadata["image_id"]) == ids
    assert np.bincount(dataset.labels).tolist() == [22, 50, 102, 22, 450, 18, 84]
    sources = {"vidir_molemax": 247, "vidir_modern": 204, "external": 158, "rosendahl": 129}
    assert dataset.metadata["dataset"].value_counts().to_dict() == sources | {"vienna_dias": 10}
    at_home = load_ham10000(source=complete).metadata
    for name in ("image_id", "lesion_id"):
        assert not set(at_home[name]) & set(dataset.metadata[name])
