"""Every form of the data is read right, and every bad input is refused with a helpful message."""

import io
import os
import zipfile

import datafiles
import numpy as np
import pytest
from datafiles import METADATA, ROWS
from PIL import Image

from utils import data
from utils.data.photographs import ZIPS, Photographs
from utils.data.records import DataError, IncompleteError
from utils.data.tables import KAGGLE_CSV


def read(folder, size=28, rows=ROWS):
    return data.find(folder, size, rows).read()


@pytest.mark.parametrize(
    "form, size", [("zips", 28), ("zips", 17), ("jpegs", 17), ("jpegs in two folders", 17)]
)
def test_photographs_are_box_filtered_in_metadata_order_and_alike_one_by_one(tmp_path, form, size):
    metadata, jpegs = datafiles.make(tmp_path, form).iloc[::-1], datafiles.make_jpegs()
    datafiles.write_metadata(tmp_path, metadata)
    if form == "zips":  # other files do no harm
        with zipfile.ZipFile(tmp_path / ZIPS[0], "a") as archive:
            archive.writestr("LICENSE.txt", "CC BY-NC 4.0")
            archive.writestr("__MACOSX/._ISIC_0024306.jpg", b"\0")
    dataset = read(tmp_path, size)
    assert dataset.images.dtype == np.uint8
    assert dataset.metadata["image_id"].tolist() == metadata["image_id"].tolist()
    assert dataset.labels.tolist() == datafiles.make_labels(metadata).tolist()
    with Photographs(tmp_path) as photographs:
        assert sorted(photographs.places) == sorted(jpegs)
        for image, name in zip(dataset.images, metadata["image_id"], strict=True):
            small = Image.open(io.BytesIO(jpegs[name])).resize((size, size), Image.Resampling.BOX)
            assert np.array_equal(image, small)
            assert photographs.fetch(name) == jpegs[name]
            assert photographs.open(name).size == (60, 45)
            assert np.array_equal(photographs.open(name), Image.open(io.BytesIO(jpegs[name])))
        with pytest.raises(DataError, match=r"ISIC_9999999 is none of the 14 in .*Correct the id"):
            photographs.open("ISIC_9999999")
    with pytest.raises(DataError, match=f"neither {ZIPS[0]}.*nor any JPEG"):
        Photographs(tmp_path / "empty")


def test_a_folder_that_may_not_be_read_is_not_passed_over(tmp_path, monkeypatch):
    datafiles.make(tmp_path, "jpegs in two folders")
    refused, scandir = str(tmp_path / "HAM10000_images_part_2"), os.scandir

    def scan(path):
        if str(path) == refused:
            raise PermissionError(13, "Permission denied", refused)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(
        DataError, match=f"{refused} cannot be read .Perm.*get the right to read it"
    ):
        data.find(tmp_path)


@pytest.mark.parametrize("rows", [ROWS, 1030])  # more than the reader takes at a time
@pytest.mark.parametrize("alone", [False, True])
def test_kaggle_csv_with_metadata_and_alone(tmp_path, rows, alone):
    metadata = datafiles.make_kaggle(tmp_path, rows)
    if alone:
        (tmp_path / METADATA).unlink()
    dataset = read(tmp_path, rows=rows)
    assert np.array_equal(dataset.images, datafiles.make_images(rows))
    assert dataset.labels.dtype == np.int64
    assert dataset.labels.tolist() == datafiles.make_labels(metadata).tolist()
    assert dataset.metadata["dx"].tolist() == metadata["dx"].tolist()
    lesions = [None] * rows if alone else metadata["lesion_id"].tolist()
    assert dataset.metadata["lesion_id"].tolist() == lesions
    with pytest.raises(IncompleteError, match=f"{KAGGLE_CSV}.*28 × 28 pixels, not 64 × 64.*offi"):
        data.find(tmp_path, 64)
    *lines, last = (tmp_path / KAGGLE_CSV).read_text().split()
    (tmp_path / KAGGLE_CSV).write_text("\n".join([*lines, f"999{last[last.index(',') :]}"]))
    with pytest.raises(DataError, match=f"line {rows + 1}, column pixel0000: '999'"):
        read(tmp_path, rows=rows)


def test_the_best_complete_source_of_a_folder_is_taken(tmp_path):
    datafiles.write_metadata(tmp_path, datafiles.make_metadata())
    assert data.find(tmp_path) is None, "metadata alone are no source"
    names = []
    for form in ("csv", "jpegs in two folders", "zips"):
        (tmp_path / ZIPS[0]).write_bytes(b"still downloading")
        datafiles.make(tmp_path, form)
        names.append(data.find(tmp_path).name)
    expected = ("the Kaggle CSV", "a folder of JPEGs", "the official zips")
    assert all(one in name for one, name in zip(expected, names, strict=True)), names
