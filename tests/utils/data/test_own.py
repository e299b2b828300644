"""Pictures of one's own: a folder a class, a table, or a file of MedMNIST, as the same record."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.data import dataset_from_folders
from utils.data.records import DataError
from utils.splits import lesion_groups, lesion_split

KINDS = {"healthy": 60, "mildew": 120, "rust": 180}  # a level of grey for each class


@pytest.fixture
def folder(tmp_path):
    """Two pictures of each of six plants of three kinds, of several sizes and formats."""
    for kind, grey in KINDS.items():
        (tmp_path / "leaves" / kind / "more").mkdir(parents=True)
        for n in range(12):
            name = f"more/{kind}{n // 2}-{n}.png" if n % 3 else f"{kind}{n // 2}-{n}.JPG"
            picture = Image.new("L", (40 + n, 30), grey).convert("RGB" if n % 2 else "L")
            picture.save(tmp_path / "leaves" / kind / name)
    for name in ("a.HEIC", ".DS_Store"):
        (tmp_path / "leaves" / "rust" / name).touch()
    return tmp_path / "leaves"


def plant(file):
    return file.stem.split("-")[0]


def save_npz(path, shape=(28, 28), labels=((0,), (1,), (2,), (3,), (4,))):
    parts = ("train", "val", "test")
    arrays = {f"{part}_images": np.zeros((5, *shape), np.uint8) for part in parts}
    np.savez(path, **arrays, **{f"{part}_labels": labels for part in parts})
    return path


def test_folders_give_classes_groups_and_pictures(folder, capsys, monkeypatch):
    dataset = dataset_from_folders(folder, 16, group_of=plant)
    told = capsys.readouterr().out
    assert "leaves, 36 images of 18 groups, 16 × 16 pixels" in told and ": 1 .heic\n" in told
    assert dataset.images.shape == (36, 16, 16, 3) and dataset.images.dtype == np.uint8
    assert (np.array(list(KINDS))[dataset.labels] == dataset.metadata["dx"]).all()
    greys = np.array(list(KINDS.values()))[dataset.labels]
    assert np.abs(dataset.images.mean(axis=(1, 2, 3)) - greys).max() < 2
    split, groups = lesion_split(dataset), lesion_groups(dataset.metadata)
    assert not set(groups[split.train]) & set(groups[split.test])
    monkeypatch.chdir(folder)
    assert dataset_from_folders(".", 16, group_of=plant).fingerprint == dataset.fingerprint
    stripes = np.tile(np.uint8([[[200, 100, 0]], [[0, 0, 0]]]), (16, 32, 1))
    Image.fromarray(stripes).save(folder / "rust" / "rust0-0.JPG", "PNG")
    other = dataset_from_folders(folder, 16, group_of=plant)
    assert other.fingerprint != dataset.fingerprint
    assert (other.images == (100, 50, 0)).all(axis=(1, 2, 3)).sum() == 1, "the mean of an area"
    with pytest.raises(ValueError, match="of your own pictures name the groups"):
        lesion_split(dataset_from_folders(folder))
    with pytest.raises(DataError, match="group is empty"):
        dataset_from_folders(folder, group_of=lambda file: None)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_gives_the_same_record_and_keeps_its_other_columns(folder, separator):
    whole = dataset_from_folders(folder, group_of=plant)
    table = (whole.metadata[["image_id", "dx", "lesion_id"]] + " ").assign(camera="old", age="45")
    table.columns, leaves = ["file", "label", "group", "camera", "age"], folder.with_suffix(".csv")
    table.to_csv(leaves, sep=separator, index=False)
    dataset = dataset_from_folders(leaves, group_of=lambda _: "not asked")
    assert (dataset.images == whole.images).all() and (dataset.labels == whole.labels).all()
    assert set(dataset.metadata.pop("camera")) == {"old"}
    pd.testing.assert_frame_equal(dataset.metadata, whole.metadata.assign(age=45.0))
    table[::-1].drop(columns="group").to_csv(leaves, sep=separator, index=False)
    turned = dataset_from_folders(leaves, group_of=plant)
    assert (turned.metadata["lesion_id"][::-1] == whole.metadata["lesion_id"].to_numpy()).all()
    assert (turned.labels[::-1] == whole.labels).all(), "classes are in the order of their names"


@pytest.mark.parametrize("shape", [(28, 28), (64, 64, 3)])
def test_medmnist_in_its_own_size_grey_or_coloured(tmp_path, shape):
    dataset = dataset_from_folders(save_npz(tmp_path / "bloodmnist.npz", shape))
    assert dataset.images.shape == (15, shape[0], shape[0], 3) and not dataset.has_lesions
    assert dataset.labels.tolist() == [*range(5)] * 3
    assert dataset.metadata["image_id"][5] == "bloodmnist_val_0000"
    many = dataset_from_folders(save_npz(tmp_path / "organ.npz", labels=np.arange(7, 12)[:, None]))
    names = many.metadata.groupby(many.labels)["dx"].first().tolist()
    assert names == sorted(names) and names[0] == "class 07"


def put(name, content):
    """Return what writes a file; a table is then what is asked for."""
    asked = name.endswith("csv")
    return lambda folder: ((folder / name).write_bytes(content) and asked and folder / name) or None


# fmt: off
WRONG = {
    "loose picture": (put("a.png", b""), r"leaves/a.png: label is empty \(1 such"),
    "no picture": (put("rust/a.png", b"hello"), "rust/a.png: .*not an image"),
    "script": (put("rust/a.png", b"%!PS-Adobe"), "rust/a.png: .*PostScript"),
    "one class": (lambda folder: folder / "rust" / "more", "label is empty"),
    "nothing": (lambda folder: folder / "gone", "gone does not exist, or is no file, seen from"),
    "no label": (put("t.csv", b"file\na.png\n"), r"lacks .*label"),
    "twice": (put("t.csv", b"file,label\na.png,x\na.png,y\n"), "a.png: it is there twice"),
    "a column of the record": (put("t.csv", b"file,label,lesion_id\na.png,x,1"),
                               "the column lesion_id is called group here"),
    "several": (lambda folder: save_npz(folder / "c.npz", labels=np.eye(5, dtype=int)), "several"),
    "a giant": (put("t.csv", b"file,label\n" + b"a,x\n" * 3 * 10**6), "than 10,000,000 bytes"),
    "no pictures": (lambda folder: (folder / "new").mkdir() or folder / "new", "of 0 class"),
    "alike": (lambda folder: save_npz(folder / "c.npz", labels=[[3]] * 5), r"of 1 class\(es\)"),
    "parts": (put("t.csv", b"file,label\na.png,Train\nb.png,test\n"), "folder inside"),
    "latin-1": (put("t.csv", b"file,l\xe4bel\n"), "CSV in UTF-8"),
}
# fmt: on


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_used_is_named(folder, what):
    change, message = WRONG[what]
    path = change(folder) or folder
    with pytest.raises(DataError, match=message):
        dataset_from_folders(path)
