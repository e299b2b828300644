"""Pictures of one's own: a folder a class, a table, or a file of MedMNIST, as the same record."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.data import dataset_from_folders, tables
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
    (tmp_path / "leaves" / "rust" / "gone.png").symlink_to("nowhere")
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
    assert (
        "leaves, 36 images of 18 groups, 16 × 16 pixels" in told and ": 1 .heic, 1 .png\n" in told
    )
    assert dataset.images.shape == (36, 16, 16, 3) and dataset.images.dtype == np.uint8
    assert (np.array(list(KINDS))[dataset.labels] == dataset.metadata["dx"]).all()
    greys = np.array(list(KINDS.values()))[dataset.labels]
    assert np.abs(dataset.images.mean(axis=(1, 2, 3)) - greys).max() < 2
    split, groups = lesion_split(dataset), lesion_groups(dataset.metadata)
    assert not set(groups[split.train]) & set(groups[split.test])
    monkeypatch.chdir(folder)
    assert dataset_from_folders(".", 16, group_of=plant).fingerprint == dataset.fingerprint
    stripes = np.tile(np.uint8([[[200, 100, 0]], [[0, 0, 0]]]), (16, 32, 1))
    Image.fromarray(stripes).convert("RGBA").save(folder / "rust" / "rust0-0.JPG", "PNG")
    other = dataset_from_folders(folder, 16, group_of=plant)
    assert other.fingerprint != dataset.fingerprint
    assert "1 file(s): What is transparent" in capsys.readouterr().out
    assert (other.images == (100, 50, 0)).all(axis=(1, 2, 3)).sum() == 1, "the mean of an area"
    assert tables._plain("\udce8") != tables._plain("\udce9"), "names of other bytes are one"
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
def test_medmnist_in_its_own_size_grey_or_coloured(tmp_path, shape, monkeypatch):
    monkeypatch.delattr(np, "repeat")  # grey would be in memory as colours twice
    dataset = dataset_from_folders(save_npz(tmp_path / "bloodmnist.npz", shape))
    assert dataset.images.shape == (15, shape[0], shape[0], 3) and not dataset.has_lesions
    assert dataset.labels.tolist() == [*range(5)] * 3
    assert dataset.metadata["image_id"][5] == "bloodmnist_val_0000"
    many = dataset_from_folders(save_npz(tmp_path / "organ.npz", labels=np.arange(7, 12)[:, None]))
    names = many.metadata.groupby(many.labels)["dx"].first().tolist()
    assert names == sorted(names) and names[0] == "class 07"


# fmt: off
WRONG = [
    *((lambda folder, text=text: (folder / "t.csv").write_bytes(text) and folder / "t.csv", message)
      for text, message in (
        (b"file\na.png\n", r"lacks .*label"), (b"file,l\xe4bel\n", "CSV in UTF-8"),
        (b"file,label\na.png,x\n./b/..//a.png,y\n", "a.png: it is there twice"),
        (b"file,label,Group\na.png,x,1\n", "the column Group is called group here"),
        (b"file,label,lesion_id\na.png,x,1", "the column lesion_id is called group here"),
        (b"file,label\n" + b"a,x\n" * 3 * 10**6, "than 10,000,000 bytes"),
        (b"file,label\na.png,Train\nb.png,test\n", "folder inside"),
        (b"file,label\nb.png,x\na.png,y\n", r"b\.png: there is no file that may.*\(2 such"),
        (b"file,label\n" + b"x" * 150 + b"/a.png,\n", r"/a\.png: label is empty"),
        (b'file,label,age\na.png,x,\nb.png,x,"45,5"\n', r"b\.png: age is no number"))),
    (lambda folder: (folder / "a.png").touch(), r"leaves/a.png: label is empty \(1 such"),
    (lambda folder: (folder / "rust/a.png").touch(), "rust/a.png: .*not an image"),
    (lambda folder: folder / "gone", "gone does not exist or may not be read, from"),
    (lambda folder: folder / ("x" * 300), "x does not exist or may not be read"),
    (lambda folder: (folder / "x").symlink_to(folder / "rust"), "it is there twice"),
    (lambda folder: save_npz(folder / "c.npz", labels=np.eye(5, dtype=int)), "several"),
    (lambda folder: save_npz(folder / "c.npz", (0, 0)), r"not .* \(5, 28, 28, 3\)"),
    (lambda folder: (folder / "new").mkdir() or folder / "new", "of 0 class"),
    (lambda folder: save_npz(folder / "c.npz", labels=[[3]] * 5), r"of 1 class\(es\)"),
]
# fmt: on


@pytest.mark.parametrize("change, message", WRONG, ids=range(len(WRONG)))
def test_what_cannot_be_used_is_named(folder, change, message):
    path = change(folder) or folder
    with pytest.raises(DataError, match=message):
        dataset_from_folders(path)
