"""`load_ham10000` takes the right source, says which, and keeps a cache that cannot mislead."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import datafiles
import numpy as np
import pandas as pd
import pytest
from datafiles import ROWS

from utils import data
from utils.data import DataError, download, load_ham10000, sources
from utils.data import photographs as read_images

# The fixture below hides the variable from the code under test.
REAL = os.environ.get("HAM10000_DIR", "")
real_images = pytest.mark.skipif(
    REAL in ("", "phantom"),
    reason="HAM10000_DIR is not set to a folder with the real images, which are not in the "
    "repository",
)


@pytest.fixture(autouse=True)
def house(tmp_path, monkeypatch):
    """Give each test its own data folders, no HAM10000_DIR and no network."""

    def no_network(folder, **_):
        raise download.DownloadError("no network in this test. By hand: ...")

    monkeypatch.setattr(data, "CACHE_DIR", tmp_path / "cache")
    monkeypatch.setattr(data, "RAW_DIR", tmp_path / "raw")
    monkeypatch.delenv("HAM10000_DIR", raising=False)
    monkeypatch.setattr(download, "fetch_kaggle", no_network)
    (tmp_path / "raw").mkdir()
    return tmp_path


@pytest.fixture
def official(tmp_path):
    folder = tmp_path / "official"
    folder.mkdir()
    datafiles.make_official(folder)
    return folder


def load(source="auto", size=28):
    return load_ham10000(size, source, expected_rows=ROWS)


def cached():
    return sorted(data.CACHE_DIR.glob("*")) if data.CACHE_DIR.exists() else []


def assert_same(one, other):
    assert np.array_equal(one.images, other.images)
    assert np.array_equal(one.labels, other.labels)
    pd.testing.assert_frame_equal(one.metadata, other.metadata)
    assert (one.source, one.fingerprint) == (other.source, other.fingerprint)


# --- the record and the one line ----------------------------------------------------------------


@pytest.mark.parametrize("form", ["official", "jpegs", "kaggle", "bare csv", "npz"])
def test_the_record_is_the_same_from_the_source_and_from_the_cache(tmp_path, form):
    {
        "official": datafiles.make_official,
        "jpegs": lambda folder: datafiles.make_jpeg_folder(folder, parts=True),
        "kaggle": datafiles.make_kaggle,
        "bare csv": datafiles.make_kaggle,
        "npz": lambda folder: datafiles.write_npz(folder, datafiles.make_npz_arrays()),
    }[form](tmp_path)
    if form == "bare csv":
        (tmp_path / "HAM10000_metadata.csv").unlink()
    cold, warm = load(tmp_path), load(tmp_path)
    assert_same(cold, warm)
    for dataset in (cold, warm):
        assert dataset.images.shape == (ROWS, 28, 28, 3) and dataset.images.dtype == np.uint8
        assert dataset.labels.shape == (ROWS,) and dataset.labels.dtype == np.int64
        assert tuple(dataset.metadata.columns) == sources.COLUMNS
        assert isinstance(dataset.metadata.index, pd.RangeIndex)
        assert dataset.labels.tolist() == datafiles.make_labels(dataset.metadata).tolist()
        assert dataset.has_lesions == (form not in ("bare csv", "npz"))
        assert not dataset.is_phantom
    with pytest.raises(dataclasses.FrozenInstanceError):
        cold.source = "elsewhere"


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            datafiles.make_official,
            "Data: HAM10000 from the official zips, 14 images of 7 lesions, 28 × 28 pixels\n",
        ),
        (
            lambda folder: datafiles.write_npz(folder, datafiles.make_npz_arrays()),
            "Data: DermaMNIST, 14 images, no lesion ids (so no split by lesion), 28 × 28 pixels\n",
        ),
    ],
)
def test_one_line_says_where_the_data_come_from(tmp_path, capsys, make, line):
    make(tmp_path)
    for _ in "cold", "warm":
        load(tmp_path)
        assert capsys.readouterr().out == line


def test_the_fingerprint_follows_content_and_size(tmp_path, official):
    first = load(official).fingerprint
    copy = tmp_path / "copy"
    shutil.copytree(official, copy)
    assert load(copy).fingerprint == first
    assert load(official, size=32).fingerprint != first
    jpegs = datafiles.make_jpegs(datafiles.make_metadata())
    jpegs["ISIC_0024306"] = jpegs["ISIC_0024307"]
    datafiles.write_zips(official, jpegs)
    changed = load(official)
    assert changed.fingerprint != first
    assert np.array_equal(changed.images[0], changed.images[1])
    metadata = datafiles.make_metadata()
    metadata.loc[0, "sex"] = "male"
    datafiles.write_metadata(copy, metadata)
    again = load(copy)
    assert again.fingerprint != first
    assert again.metadata["sex"][0] == "male"


# --- which source -------------------------------------------------------------------------------


def test_auto_takes_the_folder_of_the_variable_before_data_raw(official, monkeypatch):
    datafiles.make_kaggle(data.RAW_DIR)
    assert load().source == "HAM10000 from the Kaggle CSV"
    monkeypatch.setenv("HAM10000_DIR", str(official))
    assert load().source == "HAM10000 from the official zips"


@pytest.mark.parametrize("what", ["missing", "empty", "incomplete"])
def test_auto_does_not_pass_over_a_variable_that_leads_nowhere(
    tmp_path, official, monkeypatch, what
):
    datafiles.make_kaggle(data.RAW_DIR)
    folder = {"missing": tmp_path / "nowhere", "empty": tmp_path / "empty"}.get(what, official)
    (tmp_path / "empty").mkdir()
    (official / sources.ZIPS[1]).unlink()
    monkeypatch.setenv("HAM10000_DIR", str(folder))
    with pytest.raises(DataError) as caught:
        load()
    assert str(folder) in str(caught.value)
    if what == "empty":
        for name in ("HAM10000_DIR", *sources.ZIPS, sources.KAGGLE_CSV, "dermamnist*.npz"):
            assert name in str(caught.value)


def test_auto_downloads_where_nothing_is_there(monkeypatch):
    def fetch(folder):
        datafiles.make_kaggle(folder)

    monkeypatch.setattr(download, "fetch_kaggle", fetch)
    assert load().source == "HAM10000 from the Kaggle CSV"


def test_auto_ends_at_the_phantom_and_prints_the_manual_route(capsys):
    with pytest.warns(UserWarning, match="no network in this test. By hand"):
        dataset = load_ham10000()
    line = capsys.readouterr().out
    assert line.startswith("Data: the phantom (synthetic lesions, no patient's image), 10,015")
    assert line.count("\n") == 1
    assert dataset.is_phantom and dataset.has_lesions
    assert len(cached()) == 1
    assert_same(dataset, load_ham10000(source="phantom"))


def test_the_variable_can_ask_for_the_phantom(monkeypatch):
    datafiles.make_kaggle(data.RAW_DIR)
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    assert data._choose(28, "auto", ROWS).name == data.PHANTOM


def test_the_phantom_has_one_size_only():
    with pytest.raises(DataError, match="the phantom has images of 28 × 28 pixels, not 64 × 64"):
        load("phantom", size=64)


def test_auto_of_another_size_without_images_names_the_ways_to_get_them():
    with pytest.raises(DataError, match="HAM10000_images_part_1.zip.*source='dermamnist'"):
        load(size=64)


@pytest.mark.parametrize("source", ["kaggle", "dataverse", "dermamnist"])
def test_a_source_asked_for_by_name_is_fetched_and_taken(monkeypatch, source):
    def fetch_npz(size, folder):
        datafiles.write_npz(folder, datafiles.make_npz_arrays(size=size))

    monkeypatch.setattr(download, "fetch_kaggle", datafiles.make_kaggle)
    monkeypatch.setattr(download, "fetch_dataverse", datafiles.make_official)
    monkeypatch.setattr(download, "fetch_dermamnist", fetch_npz)
    datafiles.make_official(data.RAW_DIR)  # a better source there does not take its place
    names = {"kaggle": "the Kaggle CSV", "dataverse": "the official zips", "dermamnist": "DermaM"}
    assert names[source] in load(source).source


def test_a_source_by_name_that_cannot_be_had_is_an_error_not_the_phantom():
    with pytest.raises(download.DownloadError, match="By hand"):
        load("kaggle")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="from source. does not exist"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, -1, 28.0, "28", True])
def test_a_size_that_is_none(size):
    with pytest.raises(ValueError, match="size must be a whole number"):
        load(size=size)


# --- the cache ----------------------------------------------------------------------------------


def test_the_second_call_reads_no_image(official, monkeypatch):
    cold = load(official)

    def decode(*_):
        raise AssertionError("the images were decoded again")

    monkeypatch.setattr(read_images.Photographs, "read_all", decode)
    assert_same(cold, load(official))


def test_the_cache_holds_no_pickles_and_each_size_has_its_file(official):
    load(official)
    load(official, size=32)
    assert len(cached()) == 2
    for path in cached():
        with np.load(path, allow_pickle=False) as file:
            assert not any(file[name].dtype.hasobject for name in file.files)


@pytest.mark.parametrize(
    "damage", ["empty", "half", "flipped", "html", "labels", "images", "pickles"]
)
def test_a_damaged_cache_file_is_made_again(official, damage):
    good = load(official)
    (path,) = cached()
    content = path.read_bytes()
    if damage in ("labels", "images"):
        with np.load(path) as file:
            arrays = dict(file)
        other = arrays["labels"][:-1] if damage == "labels" else arrays["images"][:, :14]
        np.savez(path, **{**arrays, damage: other})
    elif damage == "pickles":
        np.savez(path, images=np.array([{}], dtype=object))
    else:
        flipped = bytearray(content)
        flipped[3000] ^= 255
        path.write_bytes(
            {
                "empty": b"",
                "half": content[: len(content) // 2],
                "flipped": bytes(flipped),
                "html": b"<html>",
            }[damage]
        )
    with pytest.warns(UserWarning, match="is damaged"):
        assert_same(good, load(official))
    assert_same(good, load(official))
    assert len(cached()) == 1


def test_bad_input_leaves_the_cache_as_it_was(tmp_path, official):
    load(official)
    before = [(path, path.read_bytes()) for path in cached()]
    jpegs = datafiles.make_jpegs(datafiles.make_metadata())
    jpegs["ISIC_0024310"] = b"no picture"
    datafiles.write_zips(official, jpegs)
    with pytest.raises(DataError, match="ISIC_0024310 cannot be decoded"):
        load(official)
    assert [(path, path.read_bytes()) for path in cached()] == before


def test_a_cache_folder_that_cannot_be_written(tmp_path, official, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(data, "CACHE_DIR", tmp_path / "file" / "cache")
    monkeypatch.setattr(
        read_images.Photographs, "read_all", lambda *_: pytest.fail("read 20 s for nothing")
    )
    with pytest.raises(DataError) as caught:
        load(official)
    assert str(tmp_path / "file" / "cache") in str(caught.value)
    assert "Make it writable" in str(caught.value)


def test_a_disk_that_is_full_leaves_no_half_file(official, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(DataError, match="No space left on device.*the disk has room"):
            load(official)
    assert cached() == []
    assert len(load(official).labels) == ROWS


def test_a_write_within_a_write_of_the_same_cache_file(official, monkeypatch):
    """Two processes write the same file; the second begins and ends while the first writes."""
    plain, nested = np.savez, []

    def savez(file, **arrays):
        monkeypatch.setattr(np, "savez", plain)
        nested.append(load(official))
        plain(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    first = load(official)
    assert len(nested) == 1
    assert_same(first, nested[0])
    assert_same(first, load(official))
    assert [path.suffix for path in cached()] == [".npz"]


def test_processes_that_load_at_once_do_not_disturb_each_other(tmp_path, official):
    program = (
        "import sys; from pathlib import Path; from utils import data; "
        "data.CACHE_DIR = Path(sys.argv[2]); "
        f"d = data.load_ham10000(28, sys.argv[1], expected_rows={ROWS}); "
        "print(d.fingerprint, int(d.images.sum()))"
    )
    command = [sys.executable, "-c", program, str(official), str(tmp_path / "shared")]
    root = Path(data.__file__).parents[2]
    running = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    results = [process.communicate(timeout=120) for process in running]
    assert all(process.returncode == 0 for process in running), results
    assert len({out.splitlines()[-1] for out, _ in results}) == 1
    assert all(b"damaged" not in err for _, err in results)
    assert [path.suffix for path in (tmp_path / "shared").iterdir()] == [".npz"]


def test_a_shared_cache_folder_that_is_filled_may_be_read_only(tmp_path, official):
    program = (
        "import sys; from utils import data; "
        f"d = data.load_ham10000(28, sys.argv[1], expected_rows={ROWS}); "
        "print(data.CACHE_DIR, d.fingerprint)"
    )
    shared = tmp_path / "shared"
    root = Path(data.__file__).parents[2]

    def load():
        done = subprocess.run(
            [sys.executable, "-c", program, str(official)],
            cwd=root,
            env=os.environ | {"HAM10000_CACHE": str(shared)},
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    first = load()
    (file,) = shared.iterdir()
    before = file.stat().st_mtime_ns
    shared.chmod(0o555)
    try:
        assert load() == first and first.startswith(str(shared))
    finally:
        shared.chmod(0o755)
    assert [path.name for path in shared.iterdir()] == [file.name]
    assert file.stat().st_mtime_ns == before


# --- the real images ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "CACHE_DIR", tmp_path_factory.mktemp("real_cache"))
        yield load_ham10000(source=REAL)


@real_images
def test_the_real_images_are_complete(real):
    assert real.images.shape == (10_015, 28, 28, 3)
    # akiec, bcc, bkl, df, nv, vasc, mel, as published: doi 10.1038/sdata.2018.161
    assert np.bincount(real.labels).tolist() == [327, 514, 1099, 115, 6705, 142, 1113]
    assert real.images.std(axis=(1, 2, 3)).min() > 1, "an image of one colour"


@real_images
def test_the_real_lesions_are_complete(real):
    per_lesion = real.metadata.groupby("lesion_id").size()
    assert per_lesion.value_counts().sort_index().to_dict() == {
        1: 5514,
        2: 1423,
        3: 490,
        4: 34,
        5: 5,
        6: 4,
    }
    lesions = real.metadata.groupby("dx")["lesion_id"].nunique().to_dict()
    assert lesions == {
        "akiec": 228,
        "bcc": 327,
        "bkl": 727,
        "df": 73,
        "nv": 5403,
        "vasc": 98,
        "mel": 614,
    }
    assert real.metadata["age"].isna().sum() == 57
    assert (real.metadata["sex"] == "unknown").sum() == 57
    assert (real.metadata["localization"] == "unknown").sum() == 234
    assert real.metadata["dx_type"].value_counts().to_dict() == {
        "histo": 5340,
        "follow_up": 3704,
        "consensus": 902,
        "confocal": 69,
    }
