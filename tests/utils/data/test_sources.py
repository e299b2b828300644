"""Every form of the data is read right, and every bad input is refused with a helpful message."""

import gzip
import io
import zipfile

import datafiles
import numpy as np
import pandas as pd
import pytest
from datafiles import JPEG_FOLDERS, METADATA, NPZ, ROWS
from PIL import Image

from utils import data
from utils.data import records
from utils.data.photographs import ZIPS, Photographs
from utils.data.records import DataError, IncompleteError
from utils.data.tables import KAGGLE_CSV


def read(folder, size=28, rows=ROWS):
    return data.find(folder, size, expected_rows=rows).read()


@pytest.mark.parametrize(
    "form, size", [("zips", 28), ("zips", 17), ("jpegs", 17), ("jpegs in two folders", 17)]
)
def test_photographs_are_box_filtered_in_metadata_order_and_the_same_one_at_a_time(
    tmp_path, form, size
):
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
            assert np.array_equal(photographs.read(name, size), small)
            assert photographs.fetch(name) == jpegs[name]
            assert photographs.open(name).size == (60, 45)
        with pytest.raises(DataError, match=r"ISIC_9999999 is none of the 14 in .*Correct the id"):
            photographs.read("ISIC_9999999", 28)


def test_a_photograph_is_the_same_from_zips_and_folders(tmp_path):
    folders = [tmp_path / form for form in ("zips", "jpegs", "jpegs in two folders")]
    for folder in folders:
        datafiles.make(folder, folder.name)
    assert len({read(folder).fingerprint for folder in folders}) == 1
    with pytest.raises(DataError, match=f"neither {ZIPS[0]}.*nor any JPEG"):
        Photographs(tmp_path / "empty")


TAB, BARE = "HAM10000_metadata.tab", "HAM10000_metadata"


@pytest.mark.parametrize(
    "name, separator, newer",
    [(METADATA, ",", False), (TAB, "\t", True), (BARE, ",", True), (BARE, "\t", False)],
)
def test_metadata_in_each_of_its_forms(tmp_path, name, separator, newer):
    written = datafiles.make_metadata()
    if newer:
        written["dataset"] = "vidir_modern"
    path = datafiles.write_metadata(tmp_path, written, name, separator)
    assert records.find_table(tmp_path) == path
    table = records.read_metadata(path)
    assert tuple(table.columns) == records.COLUMNS
    assert set(table["dataset"]) == {"vidir_modern" if newer else None}
    assert table["age"].dtype == np.float64
    for column in ("age", "sex", "localization", "lesion_id"):
        pd.testing.assert_series_equal(table[column], written[column], check_dtype=False)


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
    lines(lambda b: [*b[:-1], b"999" + b[-1][b[-1].index(b",") :]])(tmp_path)
    with pytest.raises(DataError, match=f"line {rows + 1}, column pixel0000: '999'"):
        read(tmp_path, rows=rows)


@pytest.mark.parametrize("size", [28, 64])
def test_dermamnist_of_the_size_asked_for_is_taken_and_its_labels_converted(tmp_path, size):
    for other, name in ((28, NPZ), (64, "dermamnist_64.npz"), (28, "dermamnist_corrected.npz")):
        arrays = datafiles.make_npz_arrays(other)
        if "corrected" in name:
            arrays["train_images"] = 255 - arrays["train_images"]
        datafiles.write_npz(tmp_path, arrays, name)
    dataset, metadata = read(tmp_path, size), datafiles.make_metadata()
    assert np.array_equal(dataset.images, datafiles.make_images(ROWS, size, size))
    assert dataset.labels.tolist() == datafiles.make_labels(metadata).tolist()
    assert dataset.metadata["dx"].tolist() == metadata["dx"].tolist()
    assert dataset.metadata["lesion_id"].isna().all()


def test_the_best_complete_source_of_a_folder_is_taken(tmp_path):
    datafiles.write_metadata(tmp_path, datafiles.make_metadata())
    assert data.find(tmp_path) is None, "metadata alone are no source"
    names = []
    for form in ("npz", "csv", "jpegs in two folders", "zips"):
        (tmp_path / ZIPS[0]).write_bytes(b"still downloading")
        datafiles.make(tmp_path, form)
        names.append(data.find(tmp_path).name)
    expected = ("DermaMNIST", "the Kaggle CSV", "a folder of JPEGs", "the official zips")
    assert all(one in name for one, name in zip(expected, names, strict=True)), names


def renamed(old, new):
    """Return what moves a file; where the new name ends so, it is packed."""

    def move(folder):
        path = folder / new
        path.parent.mkdir(parents=True, exist_ok=True)
        (folder / old).rename(path)
        if new.endswith(".csv.zip"):
            content = path.read_bytes()
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"__MACOSX/._{old}", b"")
                archive.writestr(f"x/{old}", content)
        elif new.endswith(".gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))

    return move


def kaggle_archive(folder):
    """Pack all into one archive as Kaggle does, each JPEG twice."""
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        for name, content in datafiles.make_jpegs().items():
            for part in ("HAM10000_images_part_1", "ham10000_images_part_1"):
                archive.writestr(f"{part}/{name}.JPG", content)
        archive.write(folder / METADATA, METADATA)
    for name in (METADATA, *ZIPS):
        (folder / name).unlink()


NEARLY = [
    ("zips", kaggle_archive),
    ("zips", renamed(ZIPS[0], "a/b/ham10000_images_part_1 (1).ZIP")),
    ("zips", renamed(METADATA, "a/ham10000_metadata (1).CSV")),
    ("zips", renamed(METADATA, METADATA + ".zip")),
    ("csv", renamed(KAGGLE_CSV, KAGGLE_CSV + ".zip")),
    ("csv", renamed(KAGGLE_CSV, f"archive/{KAGGLE_CSV}.gz")),
    ("jpegs", renamed("ISIC_0024306.jpg", "all images/b/isic_0024306.JPEG")),
    ("zips", lambda folder: (folder / "gone.zip").symlink_to("nowhere")),
]


@pytest.mark.parametrize("form, edit", NEARLY)
def test_nearly_right_names_and_places_are_the_same_data(tmp_path, form, edit):
    datafiles.make(tmp_path, form)
    expected = read(tmp_path)
    edit(tmp_path)
    found = read(tmp_path)
    assert np.array_equal(found.images, expected.images)
    assert found.fingerprint == expected.fingerprint
    pd.testing.assert_frame_equal(found.metadata, expected.metadata)


def change(name, edit):
    """Return what changes a file: its bytes become those that `edit` returns."""
    return lambda folder: (folder / name).write_bytes(edit((folder / name).read_bytes()))


def page(name, start=b"<html>"):
    return change(name, lambda _: start + b"<h1>503 Service Unavailable</h1>")


def table(name, edit):
    """Return what edits a table, read as text."""

    def edited(content):
        frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        return edit(frame).to_csv(index=False).encode()

    return change(name, edited)


def cell(name, row, column, value):
    def edit(frame):
        frame.loc[row, column] = value
        return frame

    return table(name, edit)


def without(name, column):
    return table(name, lambda frame: frame.drop(columns=column))


def lines(edit):
    """Return what edits the list of the Kaggle CSV's lines."""
    return change(KAGGLE_CSV, lambda content: b"\n".join(edit(content.split())) + b"\n")


def flip(name, at):
    """Return what inverts eight bytes of a file."""
    return change(name, lambda b: b[:at] + bytes(255 - x for x in b[at : at + 8]) + b[at + 8 :])


def zips(**changed):
    """Return what writes the zips again with other contents of images; without those of None."""
    jpegs = datafiles.make_jpegs(**changed).items()
    kept = {name: content for name, content in jpegs if content is not None}
    return lambda folder: datafiles.write_zips(folder, kept)


def image_twice(folder):
    with zipfile.ZipFile(folder / ZIPS[1], "a") as archive:
        archive.writestr("ISIC_0024306.jpg", b"")


def jpeg_twice(folder):
    (folder / JPEG_FOLDERS[1]).mkdir()
    (folder / JPEG_FOLDERS[1] / "ISIC_0024306.jpg").write_bytes(b"")


def array(name, edit):
    """Return what replaces an array of the npz; None takes it out."""
    arrays = datafiles.make_npz_arrays()
    arrays[name] = edit(arrays[name])
    kept = {key: value for key, value in arrays.items() if value is not None}
    return lambda folder: datafiles.write_npz(folder, kept)


def unpacked_and_flipped(folder):
    np.savez(folder / NPZ, **datafiles.make_npz_arrays())
    flip(NPZ, 5000)(folder)


def nothing(folder):
    pass


HUGE = io.BytesIO()
Image.new("L", (4000, 3000)).save(HUGE, "JPEG")
AGAIN, TORN = "ownload it again", datafiles.make_jpegs()["ISIC_0024315"][:400]
PAGES = b"<!DOCTYPE html>", b"\n  <html>", b"\xef\xbb\xbf<?xml"
NO_PIXELS = "256", "-1", "4294967297", "99999999999999999999", "abc", "", "12.5", "inf"
CELLS = [
    ("dx", "nevus", "the diagnosis is none of akiec, bcc"),
    ("dx", "", "('';"),
    ("image_id", "ISIC_0024306", "an earlier line has the same image id"),
    ("image_id", "", "there is no image id"),
    ("lesion_id", "", "there is no lesion id"),
    ("age", "forty", "this is no age in years ('forty'"),
    ("age", "-5", "('-5'"),
    ("age", "400", "('400'"),
]
ARRAYS = [
    ("train_images", lambda a: a[..., 0], "not uint8 of shape (7, 28, 28, 3)"),
    ("val_images", lambda a: a[:, :20], "(4, 20, 28, 3), not"),
    ("test_images", lambda a: a.astype(np.float32), "float32|not uint8"),
    ("train_labels", lambda a: np.repeat(a, 2, 1), "for each label"),
    ("val_labels", lambda a: a.astype(object), "allow_pickle=False"),
    ("val_labels", lambda a: a.astype(float), "integers, not float64"),
    ("test_images", lambda a: a[:-1], "one for each label"),
    ("val_labels", lambda a: a + 7, "dermamnist_val_0000|not from 0 to 6"),
    ("val_labels", lambda a: None, f"val_labels is not|{AGAIN}"),
]
# The form of the data, what is done to it, words of the message, and the rows asked for.
BAD = [
    ("zips", change(ZIPS[1], lambda b: b[:-100]), f"{ZIPS[1]}|truncated or damaged|{AGAIN}"),
    *(("zips", page(ZIPS[0], start), f"{ZIPS[0]}|a web page|{AGAIN}") for start in PAGES),
    ("zips", change(METADATA, lambda b: b[:-3]), f"{METADATA}|it is cut off|'female,ba'|{AGAIN}"),
    ("zips", change(METADATA, lambda b: b[:-9]), f"{METADATA}|line 15 has 6 cells|{AGAIN}"),
    ("zips", zips(ISIC_0024315=bytes(10**7 + 1)), "ISIC_0024315|10,000,001 bytes|no photograph"),
    ("zips", zips(ISIC_0024315=HUGE.getvalue()), "ISIC_0024315|4,000 × 3,000 pixels are too many"),
    ("zips", flip(ZIPS[0], 400), f"{ZIPS[0]}|ISIC_0024306|cannot be decoded"),
    ("zips", image_twice, f"ISIC_0024306|{ZIPS[1]}|is there twice"),
    ("jpegs", jpeg_twice, f"ISIC_0024306|{JPEG_FOLDERS[1]}|is there twice"),
    ("zips", zips(ISIC_0024310=None), "ISIC_0024310|has metadata but no image|1 such image(s)"),
    ("zips", table(METADATA, lambda t: t.drop(index=4)), "ISIC_0024310|image without metadata", 13),
    *(
        ("zips", zips(ISIC_0024315=content), f"{ZIPS[1]}|ISIC_0024315|cannot be decoded|{AGAIN}")
        for content in (b"no picture", TORN, b"")
    ),
    ("jpegs", change("ISIC_0024315.jpg", lambda _: TORN), f"5.jpg|cannot be decoded|{AGAIN}"),
    *(
        ("zips", cell(METADATA, 5, column, value), f"{METADATA}|line 7|column {column}|{words}")
        for column, value, words in CELLS
    ),
    *(
        ("zips", without(METADATA, column), f"{METADATA}|lacks the column(s) {column}")
        for column in records.REQUIRED
    ),
    *(("zips", nothing, f"{METADATA}|14 rows where {n} were expected", n) for n in (13, 15)),
    *(
        ("zips", change(METADATA, lambda _, content=content: content), METADATA)
        for content in (b"", b"\xff\xfe\x00\x01", b'image_id,dx\n"a,b\nc')
    ),
    *(("csv", page(name), f"{name}|a web page") for name in (METADATA, KAGGLE_CSV)),
    *(
        ("csv", cell(KAGGLE_CSV, 8, "pixel1234", value), "line 10, column pixel1234|0 to 255")
        for value in NO_PIXELS
    ),
    *(
        ("csv", cell(KAGGLE_CSV, 8, "label", value), f"{KAGGLE_CSV}|10, column label|0 to 6")
        for value in ("7", "-1", "mel", "")
    ),
    *(
        ("csv", without(KAGGLE_CSV, column), f"lacks 1 of its 2,353 columns, first '{column}'")
        for column in ("pixel0000", "pixel2351", "label")
    ),
    (
        "csv",
        cell(KAGGLE_CSV, 4, "label", "6"),
        f"{KAGGLE_CSV}|line 6: label 6 means mel|ISIC_0024310, says nv|1 such line|both",
    ),
    ("csv", lines(lambda b: [b[0], *b[:0:-1]]), "line 2: label 6 means mel|re-ordered"),
    ("csv", lines(lambda b: b[:-3]), f"{KAGGLE_CSV}|rows where 14 were expected"),
    ("csv", lines(lambda b: [*b, b[1]]), f"{KAGGLE_CSV}|rows where 14 were expected"),
    ("csv", change(KAGGLE_CSV, lambda b: b[:-3000]), "line 15, column pixel"),
    ("csv", lines(lambda b: [b[0], *(x + b",1" for x in b[1:])]), "not a readable table"),
    ("csv", lines(lambda b: [*b[:-1], b[-1] + b",1"]), "not a readable table|line 15"),
    ("npz", page(NPZ), f"{NPZ}|a web page"),
    *(("npz", array(name, edit), f"{NPZ}|{words}") for name, edit, words in ARRAYS),
    ("npz", change(NPZ, lambda b: b[:30]), f"{NPZ}|cannot be used|{AGAIN}"),
    ("npz", change(NPZ, lambda b: b[: len(b) // 2]), f"{NPZ}|cannot be used|{AGAIN}"),
    ("npz", unpacked_and_flipped, f"{NPZ}|CRC|{AGAIN}"),
    ("npz", nothing, f"{NPZ}|14 rows where 20 were expected", 20),
]


@pytest.mark.parametrize("fault", BAD, ids=[f"{i}-{fault[0]}" for i, fault in enumerate(BAD)])
def test_bad_input_is_refused_with_words_that_help(tmp_path, fault):
    form, damage, words, rows = (*fault, ROWS)[:4]
    datafiles.make(tmp_path, form)
    damage(tmp_path)
    with pytest.raises(DataError) as caught:
        read(tmp_path, rows=rows)
    for word in (str(tmp_path), *words.split("|")):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", [*ZIPS, METADATA])
def test_a_missing_file_of_the_official_three(tmp_path, name):
    datafiles.make(tmp_path, "zips")
    (tmp_path / name).unlink()
    with pytest.raises(IncompleteError, match=rf"{tmp_path}.*not {name}.*Put the missing file"):
        data.find(tmp_path)


@pytest.mark.parametrize("form, name", [("csv", KAGGLE_CSV), ("npz", "DermaMNIST")])
def test_a_size_that_a_source_does_not_have(tmp_path, form, name):
    datafiles.make(tmp_path, form)
    with pytest.raises(IncompleteError, match=f"{name}.*28 × 28 pixels, not 64 × 64.*official"):
        data.find(tmp_path, 64)
    datafiles.write_npz(tmp_path, datafiles.make_npz_arrays(64), "dermamnist_64.npz")
    assert data.find(tmp_path, 64).name == "DermaMNIST"
