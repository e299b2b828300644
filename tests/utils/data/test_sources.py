"""Every form of the data is read right, and every bad input is refused with a helpful message."""

import io
import zipfile

import datafiles
import numpy as np
import pandas as pd
import pytest
from datafiles import ROWS
from PIL import Image

from utils.data import sources
from utils.data.photographs import Photographs
from utils.data.sources import DataError, IncompleteError


def read(folder, size=28, rows=ROWS):
    return sources.find(folder, size, expected_rows=rows).read()


def refused(folder, *words, size=28, rows=ROWS):
    """Assert that a folder is refused with a message that contains these words."""
    with pytest.raises(DataError) as caught:
        found = sources.find(folder, size, expected_rows=rows)
        found.read()
    message = str(caught.value)
    for word in words:
        assert str(word) in message, f"{word!r} is missing in: {message}"
    return message


# --- good input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [28, 17])
def test_zips_give_the_box_filtered_images_in_metadata_order(tmp_path, size):
    metadata = datafiles.make_official(tmp_path).iloc[::-1]
    datafiles.write_metadata(tmp_path, metadata)
    jpegs = datafiles.make_jpegs(datafiles.make_metadata())
    reading = read(tmp_path, size)
    assert reading.images.shape == (ROWS, size, size, 3)
    assert reading.images.dtype == np.uint8
    assert reading.metadata["image_id"].tolist() == metadata["image_id"].tolist()
    assert reading.labels.tolist() == datafiles.make_labels(metadata).tolist()
    for row, name in enumerate(metadata["image_id"]):
        expected = Image.open(io.BytesIO(jpegs[name])).resize((size, size), Image.Resampling.BOX)
        assert np.array_equal(reading.images[row], expected)


@pytest.mark.parametrize("parts", [False, True])
def test_a_folder_of_jpegs_equals_the_zips(tmp_path, parts):
    (tmp_path / "zips").mkdir()
    (tmp_path / "jpegs").mkdir()
    datafiles.make_official(tmp_path / "zips")
    datafiles.make_jpeg_folder(tmp_path / "jpegs", parts=parts)
    zips, jpegs = read(tmp_path / "zips"), read(tmp_path / "jpegs")
    assert np.array_equal(zips.images, jpegs.images)
    assert np.array_equal(zips.labels, jpegs.labels)
    pd.testing.assert_frame_equal(zips.metadata, jpegs.metadata)
    assert zips.fingerprint == jpegs.fingerprint


def test_other_files_in_a_zip_do_no_harm(tmp_path):
    datafiles.make_official(tmp_path)
    with zipfile.ZipFile(tmp_path / sources.ZIPS[0], "a") as archive:
        archive.writestr("LICENSE.txt", "CC BY-NC 4.0")
        archive.writestr("__MACOSX/._ISIC_0024306.jpg", b"\0")
    assert len(read(tmp_path).labels) == ROWS


@pytest.mark.parametrize(
    ("name", "separator", "dataset"),
    [
        ("HAM10000_metadata.csv", ",", False),
        ("HAM10000_metadata.csv", ",", True),
        ("HAM10000_metadata.tab", "\t", True),
        ("HAM10000_metadata", ",", True),
        ("HAM10000_metadata", "\t", False),
    ],
)
def test_metadata_in_each_of_its_forms(tmp_path, name, separator, dataset):
    written = datafiles.make_metadata()
    if dataset:
        written["dataset"] = "vidir_modern"
    path = datafiles.write_metadata(tmp_path, written, name, separator)
    assert sources.find_metadata(tmp_path) == path
    table = sources.read_metadata(path, expected_rows=ROWS)
    assert tuple(table.columns) == sources.COLUMNS
    assert table["age"].dtype == np.float64
    assert np.isnan(table["age"][1]) and table["age"][0] == 40
    assert table["sex"][2] == "unknown" and table["localization"][3] == "unknown"
    assert table["lesion_id"].tolist() == written["lesion_id"].tolist()


def test_kaggle_csv_with_metadata(tmp_path):
    metadata = datafiles.make_kaggle(tmp_path)
    reading = read(tmp_path)
    assert np.array_equal(reading.images, datafiles.make_images())
    assert reading.labels.tolist() == datafiles.make_labels(metadata).tolist()
    assert reading.labels.dtype == np.int64
    assert reading.metadata["lesion_id"].tolist() == metadata["lesion_id"].tolist()


def test_kaggle_csv_of_many_rows_is_read_in_pieces(tmp_path):
    metadata = datafiles.make_kaggle(tmp_path, rows=1030)
    reading = read(tmp_path, rows=1030)
    assert np.array_equal(reading.images, datafiles.make_images(1030))
    assert reading.labels.tolist() == datafiles.make_labels(metadata).tolist()


def test_kaggle_csv_alone_has_no_lesion_ids(tmp_path):
    metadata = datafiles.make_kaggle(tmp_path)
    (tmp_path / "HAM10000_metadata.csv").unlink()
    reading = read(tmp_path)
    assert reading.metadata["lesion_id"].isna().all()
    assert reading.metadata["dx"].tolist() == metadata["dx"].tolist()


@pytest.mark.parametrize("size", [28, 64])
def test_dermamnist_labels_are_converted(tmp_path, size):
    name = "dermamnist.npz" if size == 28 else f"dermamnist_{size}.npz"
    datafiles.write_npz(tmp_path, datafiles.make_npz_arrays(size=size), name)
    reading = read(tmp_path, size)
    metadata = datafiles.make_metadata()
    assert np.array_equal(reading.images, datafiles.make_images(ROWS, size, size))
    assert reading.labels.tolist() == datafiles.make_labels(metadata).tolist()
    assert reading.metadata["dx"].tolist() == metadata["dx"].tolist()
    assert reading.metadata["lesion_id"].isna().all()


def test_dermamnist_of_the_size_asked_for_is_taken(tmp_path):
    for size, name in ((28, "dermamnist.npz"), (64, "dermamnist_64.npz")):
        datafiles.write_npz(tmp_path, datafiles.make_npz_arrays(size=size), name)
    assert read(tmp_path, 64).images.shape == (ROWS, 64, 64, 3)
    assert read(tmp_path, 28).images.shape == (ROWS, 28, 28, 3)


def test_the_best_source_of_a_folder_is_taken(tmp_path):
    datafiles.write_npz(tmp_path, datafiles.make_npz_arrays())
    names = [sources.find(tmp_path).name]
    datafiles.make_kaggle(tmp_path)
    names.append(sources.find(tmp_path).name)
    datafiles.make_jpeg_folder(tmp_path, parts=True)
    names.append(sources.find(tmp_path).name)
    datafiles.make_official(tmp_path)
    names.append(sources.find(tmp_path).name)
    assert names == [
        "DermaMNIST",
        "HAM10000 from the Kaggle CSV",
        "HAM10000 from a folder of JPEGs",
        "HAM10000 from the official zips",
    ]


def test_an_incomplete_source_gives_way_to_a_complete_one(tmp_path):
    datafiles.make_kaggle(tmp_path)
    (tmp_path / sources.ZIPS[0]).write_bytes(b"still downloading")
    assert sources.find(tmp_path).name == "HAM10000 from the Kaggle CSV"


@pytest.mark.parametrize("what", ["nothing", "metadata only"])
def test_a_folder_without_images_holds_no_source(tmp_path, what):
    if what == "metadata only":
        datafiles.write_metadata(tmp_path, datafiles.make_metadata())
    assert sources.find(tmp_path) is None


@pytest.mark.parametrize("form", ["zips", "jpegs"])
def test_photographs_are_read_one_at_a_time(tmp_path, form):
    if form == "zips":
        metadata = datafiles.make_official(tmp_path)
    else:
        metadata = datafiles.make_jpeg_folder(tmp_path, parts=True)
    jpegs = datafiles.make_jpegs(metadata)
    whole = read(tmp_path, 17)
    with Photographs(tmp_path) as photographs:
        assert sorted(photographs.ids) == sorted(jpegs)
        for row, image_id in enumerate(metadata["image_id"]):
            small = photographs.read(image_id, 17)
            assert small.dtype == np.uint8 and np.array_equal(small, whole.images[row])
            assert photographs.fetch(image_id) == jpegs[image_id]
            assert photographs.open(image_id).size == (60, 45)
        with pytest.raises(DataError, match=r"ISIC_9999999 is none of the 14 in .*Correct the id"):
            photographs.read("ISIC_9999999", 28)


def test_a_folder_without_photographs(tmp_path):
    with pytest.raises(DataError, match=f"neither {datafiles.ZIPS[0]}.*nor any JPEG"):
        Photographs(tmp_path)


# --- bad zips and JPEGs -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*sources.ZIPS, "HAM10000_metadata.csv"])
def test_a_missing_file_of_the_official_three(tmp_path, name):
    datafiles.make_official(tmp_path)
    (tmp_path / name).unlink()
    refused(tmp_path, f"not {name}", "Put the missing file(s) beside it", tmp_path)
    with pytest.raises(IncompleteError):
        sources.find(tmp_path)


def test_a_truncated_zip(tmp_path):
    datafiles.make_official(tmp_path)
    path = tmp_path / sources.ZIPS[1]
    path.write_bytes(path.read_bytes()[:-100])
    refused(tmp_path, path, "truncated or damaged", "Delete it and download it again")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\n  <html>", b"\xef\xbb\xbf<?xml"])
def test_a_web_page_saved_as_a_zip(tmp_path, page):
    datafiles.make_official(tmp_path)
    path = tmp_path / sources.ZIPS[0]
    path.write_bytes(page + b"<h1>503 Service Unavailable</h1>")
    refused(tmp_path, path, "a web page", "download it again")


@pytest.mark.parametrize("name", ["HAM10000_metadata.csv", sources.KAGGLE_CSV])
def test_a_web_page_saved_as_a_table(tmp_path, name):
    datafiles.make_kaggle(tmp_path)
    (tmp_path / name).write_bytes(b"<html>Sign in</html>")
    refused(tmp_path, tmp_path / name, "a web page")


def test_a_web_page_saved_as_npz(tmp_path):
    (tmp_path / "dermamnist.npz").write_bytes(b"<html>503</html>")
    refused(tmp_path, tmp_path / "dermamnist.npz", "a web page")


@pytest.mark.parametrize("damage", ["text", "cut", "empty"])
@pytest.mark.parametrize("form", ["zips", "jpegs"])
def test_a_jpeg_that_cannot_be_decoded(tmp_path, damage, form):
    metadata = datafiles.make_metadata()
    datafiles.write_metadata(tmp_path, metadata)
    jpegs = datafiles.make_jpegs(metadata)
    bad = metadata["image_id"][9]
    jpegs[bad] = {"text": b"no picture", "cut": jpegs[bad][:400], "empty": b""}[damage]
    if form == "zips":
        datafiles.write_zips(tmp_path, jpegs)
    else:
        for name, data in jpegs.items():
            (tmp_path / f"{name}.jpg").write_bytes(data)
    file = sources.ZIPS[1] if form == "zips" else f"{bad}.jpg"
    refused(tmp_path, file, bad, "cannot be decoded", "download it again")


def test_flipped_bytes_within_a_zip_are_noticed(tmp_path):
    datafiles.make_official(tmp_path)
    path = tmp_path / sources.ZIPS[0]
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.infolist()[2]
    place = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    data[place : place + 8] = bytes(255 - byte for byte in data[place : place + 8])
    path.write_bytes(data)
    refused(tmp_path, path, entry.filename[:-4], "cannot be decoded")


def test_an_image_without_metadata(tmp_path):
    metadata = datafiles.make_official(tmp_path)
    datafiles.write_metadata(tmp_path, metadata.drop(index=4))
    refused(
        tmp_path,
        metadata["image_id"][4],
        sources.ZIPS[0],
        "an image without metadata",
        rows=ROWS - 1,
    )


def test_metadata_without_an_image(tmp_path):
    metadata = datafiles.make_official(tmp_path)
    jpegs = datafiles.make_jpegs(metadata)
    del jpegs[metadata["image_id"][4]]
    datafiles.write_zips(tmp_path, jpegs)
    refused(tmp_path, metadata["image_id"][4], "has metadata but no image", "1 such image(s)")


@pytest.mark.parametrize("form", ["zips", "jpegs"])
def test_an_image_that_is_there_twice(tmp_path, form):
    metadata = datafiles.make_official(tmp_path)
    name = metadata["image_id"][0]
    data = datafiles.make_jpegs(metadata)[name]
    if form == "zips":
        with zipfile.ZipFile(tmp_path / sources.ZIPS[1], "a") as archive:
            archive.writestr(f"{name}.jpg", data)
    else:
        for zip_name in sources.ZIPS:
            (tmp_path / zip_name).unlink()
        (tmp_path / sources.JPEG_FOLDERS[1]).mkdir()
        (tmp_path / f"{name}.jpg").write_bytes(data)
        (tmp_path / sources.JPEG_FOLDERS[1] / f"{name}.jpg").write_bytes(data)
    refused(tmp_path, name, "is there twice")


# --- bad metadata -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("dx", "nevus", ["'nevus'", "none of akiec, bcc", "line 7", "column dx"]),
        ("dx", "", ["''", "none of akiec, bcc"]),
        ("image_id", "ISIC_0024306", ["an earlier line has the same image id", "line 7"]),
        ("image_id", "", ["there is no image id", "line 7"]),
        ("lesion_id", "", ["there is no lesion id", "line 7"]),
        ("age", "forty", ["'forty'", "no age in years", "line 7", "column age"]),
        ("age", "-5", ["'-5'", "no age in years"]),
        ("age", "400", ["'400'", "no age in years"]),
    ],
)
def test_a_bad_cell_in_the_metadata(tmp_path, column, value, words):
    metadata = datafiles.make_official(tmp_path).astype({"age": object})
    metadata.loc[5, column] = value
    path = datafiles.write_metadata(tmp_path, metadata)
    refused(tmp_path, path, *words)


@pytest.mark.parametrize("column", sources.COLUMNS)
def test_a_missing_column_in_the_metadata(tmp_path, column):
    metadata = datafiles.make_official(tmp_path)
    path = datafiles.write_metadata(tmp_path, metadata.drop(columns=column))
    refused(tmp_path, path, f"lacks the column(s) {column}")


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS + 1])
def test_metadata_of_another_number_of_rows(tmp_path, rows):
    datafiles.make_official(tmp_path)
    refused(tmp_path, "HAM10000_metadata.csv", f"{ROWS} rows where {rows} were expected", rows=rows)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b'image_id,dx\n"a,b\nc'])
def test_metadata_that_is_no_table(tmp_path, content):
    datafiles.make_official(tmp_path)
    (tmp_path / "HAM10000_metadata.csv").write_bytes(content)
    refused(tmp_path, tmp_path / "HAM10000_metadata.csv")


# --- bad Kaggle CSV -----------------------------------------------------------------------------


def rewrite_cell(folder, row, column, value):
    path = folder / sources.KAGGLE_CSV
    lines = path.read_text().splitlines()
    cells = lines[row + 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    lines[row + 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("value", ["256", "-1", "4294967297", "abc", "", "12.5", "1e3", "inf"])
def test_a_pixel_that_is_no_number_from_0_to_255(tmp_path, value):
    datafiles.make_kaggle(tmp_path)
    path = rewrite_cell(tmp_path, 8, "pixel1234", value)
    refused(tmp_path, path, "line 10", "column pixel1234", "0 to 255")


@pytest.mark.parametrize("value", ["7", "-1", "mel", ""])
def test_a_label_that_is_none(tmp_path, value):
    datafiles.make_kaggle(tmp_path)
    refused(tmp_path, rewrite_cell(tmp_path, 8, "label", value), "line 10, column label", "0 to 6")


def test_a_bad_pixel_far_down_is_named_by_its_line(tmp_path):
    datafiles.make_kaggle(tmp_path, rows=530)
    rewrite_cell(tmp_path, 525, "pixel0003", "999")
    refused(tmp_path, "line 527, column pixel0003: '999'", rows=530)


@pytest.mark.parametrize("column", ["pixel0000", "pixel2351", "label"])
def test_a_missing_column_in_the_csv(tmp_path, column):
    datafiles.make_kaggle(tmp_path)
    path = tmp_path / sources.KAGGLE_CSV
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    refused(tmp_path, path, "lacks 1 of its 2,353 columns", column)


def test_labels_that_contradict_the_metadata(tmp_path):
    metadata = datafiles.make_kaggle(tmp_path)
    path = rewrite_cell(tmp_path, 4, "label", "6")
    refused(
        tmp_path,
        path,
        "line 6",
        "label 6 means mel",
        metadata["image_id"][4],
        "says nv",
        "download both from the same Kaggle page",
    )


def test_a_csv_whose_rows_were_shuffled(tmp_path):
    datafiles.make_kaggle(tmp_path)
    path = tmp_path / sources.KAGGLE_CSV
    pd.read_csv(path).iloc[::-1].to_csv(path, index=False)
    refused(tmp_path, "line 2: label 6 means mel", "re-ordered")


@pytest.mark.parametrize("change", [-3, 2])
@pytest.mark.parametrize("with_metadata", [True, False])
def test_a_csv_of_another_number_of_rows(tmp_path, change, with_metadata):
    metadata = datafiles.make_metadata()
    rows = ROWS + change
    labels = np.resize(datafiles.make_labels(metadata), rows)
    path = datafiles.write_kaggle_csv(tmp_path, datafiles.make_images(rows), labels)
    if with_metadata:
        datafiles.write_metadata(tmp_path, metadata)
    refused(tmp_path, path, f"{rows} rows where {ROWS} were expected")


def test_a_csv_cut_off_within_a_line(tmp_path):
    datafiles.make_kaggle(tmp_path)
    path = tmp_path / sources.KAGGLE_CSV
    path.write_bytes(path.read_bytes()[:-3000])
    refused(tmp_path, path, f"line {ROWS + 1}, has 1,")


def test_a_csv_line_with_more_values_than_the_header(tmp_path):
    datafiles.make_kaggle(tmp_path)
    path = tmp_path / sources.KAGGLE_CSV
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0]] + [line + ",1" for line in lines[1:]]))
    refused(tmp_path, path, "line 2, has 2,354 values where the header has 2,353 columns")


# --- bad npz ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("train_images", lambda a: a[..., 0], ["'train_images'", "not uint8 (N, S, S, 3)"]),
        ("val_images", lambda a: a[:, :20], ["'val_images'", "of shape"]),
        ("test_images", lambda a: a.astype(np.float32), ["'test_images'", "float32"]),
        ("train_labels", lambda a: np.repeat(a, 2, 1), ["'train_labels'", "not integers (N, 1)"]),
        ("val_labels", lambda a: a.astype(object), ["'val_labels'", "pickled"]),
        ("test_images", lambda a: a[:-1], ["do not fit together"]),
        ("val_images", lambda a: a[:, :20, :20], ["do not fit together", "[20, 28]"]),
        ("val_labels", lambda a: a + 7, ["dermamnist_val_0000", "not from 0 to 6"]),
    ],
)
def test_npz_of_the_wrong_form(tmp_path, name, change, words):
    arrays = datafiles.make_npz_arrays()
    arrays[name] = change(arrays[name])
    path = datafiles.write_npz(tmp_path, arrays)
    refused(tmp_path, path, *words)


def test_npz_without_an_array(tmp_path):
    arrays = datafiles.make_npz_arrays()
    del arrays["val_labels"]
    refused(tmp_path, datafiles.write_npz(tmp_path, arrays), "lacks the array 'val_labels'")


@pytest.mark.parametrize("keep", [30, 0.5])
def test_npz_cut_off(tmp_path, keep):
    path = datafiles.write_npz(tmp_path, datafiles.make_npz_arrays())
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    refused(tmp_path, path, "damaged")


def test_npz_with_flipped_bytes(tmp_path):
    path = tmp_path / "dermamnist.npz"
    np.savez(path, **datafiles.make_npz_arrays())
    data = bytearray(path.read_bytes())
    data[5000] ^= 255
    path.write_bytes(data)
    refused(tmp_path, path, "cannot be read", "damaged")


def test_npz_of_another_number_of_images(tmp_path):
    path = datafiles.write_npz(tmp_path, datafiles.make_npz_arrays())
    refused(tmp_path, path, f"{ROWS} images where 20 were expected", rows=20)


# --- sizes --------------------------------------------------------------------------------------


def test_a_size_that_the_csv_does_not_have(tmp_path):
    datafiles.make_kaggle(tmp_path)
    refused(tmp_path, sources.KAGGLE_CSV, "28 × 28", "not 64 × 64", "official zips", size=64)


def test_a_size_that_dermamnist_does_not_have(tmp_path):
    datafiles.write_npz(tmp_path, datafiles.make_npz_arrays())
    refused(tmp_path, "DermaMNIST", "28 × 28", "not 64 × 64", size=64)


def test_a_source_of_the_size_is_found_beside_one_that_lacks_it(tmp_path):
    datafiles.make_kaggle(tmp_path)
    datafiles.write_npz(tmp_path, datafiles.make_npz_arrays(size=64), "dermamnist_64.npz")
    assert sources.find(tmp_path, 64).name == "DermaMNIST"
