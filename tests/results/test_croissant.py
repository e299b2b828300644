"""The Croissant descriptions in data/ say what the files hold and what the loader gives."""

import gzip
import hashlib
import json

import datafiles
import pytest

from tools.book.set_repository import address
from utils.classes import CLASSES
from utils.data import phantom
from utils.data.download import registry
from utils.data.records import COLUMNS

NAMES = ("croissant.json", "croissant-phantom.json")


@pytest.fixture
def described(root):
    return lambda name: json.loads((root / "data" / name).read_text(encoding="utf-8"))


@pytest.fixture
def mlcroissant():
    """It is not among the course's packages: see pyproject.toml."""
    return pytest.importorskip("mlcroissant", reason="`pip install mlcroissant`")


def files_in(description):
    return {file["name"]: file for file in description["distribution"] if "contentUrl" in file}


@pytest.mark.parametrize("name", NAMES)
def test_columns_and_classes_are_those_of_the_loader(described, name):
    sets = {one["@id"]: one for one in described(name)["recordSet"]}
    fields = sets["images"]["field"]
    columns = [(field["name"], field["source"]["extract"]["column"]) for field in fields]
    assert columns == [(column, column) for column in COLUMNS]
    keys = ("dx", "name", "malignant", "label", "dermamnist")
    rows = [(c.dx, c.name, c.malignant, c.kaggle_label, c.dermamnist_label) for c in CLASSES]
    stored = [[row[f"diagnoses/{key}"] for key in keys] for row in sets["diagnoses"]["data"]]
    assert stored == [list(row) for row in rows]


def test_official_files_are_those_of_the_registry(described):
    files = files_in(described("croissant.json"))
    listed = registry()["dataverse"]["files"]
    assert sorted(files) == sorted(file["name"] for file in listed)
    for file in listed:
        stored, (algorithm, digest) = files[file["name"]], file["hash"].split(":")
        assert (stored[algorithm], stored["contentSize"]) == (digest, f"{file['bytes']} B")
        assert stored["contentUrl"] in file["urls"]


def test_files_of_the_phantom_are_those_beside_the_description(described, root):
    description = described("croissant-phantom.json")
    files = files_in(description)
    assert sorted(files) == ["phantom.npz", "phantom_metadata.csv.gz"]
    for name, file in files.items():
        content = (root / "data" / name).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest(), "`make phantom` renews it"
        assert file["contentSize"] == f"{len(content)} B"
    rows = phantom.sample()[2].to_csv(index=False, lineterminator="\n")
    stored = gzip.decompress((root / "data" / "phantom_metadata.csv.gz").read_bytes())
    assert stored.decode() == rows, "`make phantom` writes the records anew"
    assert description["version"] == f"{phantom.CODE_VERSION}.0.0"
    assert description["url"] == f"{address()}/tree/main/data"
    for count in (f"{rows.count('PHANTOM_0'):,}", "7,470"):
        assert count in description["description"]


@pytest.mark.parametrize("name", NAMES)
def test_mlcroissant_finds_no_error_and_the_one_that_is_there(mlcroissant, described, name):
    dataset = mlcroissant.Dataset(jsonld=described(name))
    assert not dataset.metadata.ctx.issues.errors
    assert {one.id for one in dataset.metadata.record_sets} >= {"diagnoses", "images"}
    broken = described(name)
    broken["recordSet"][-1]["field"][0]["source"]["fileObject"]["@id"] = "nowhere.csv"
    with pytest.raises(mlcroissant.ValidationError, match="nowhere.csv"):
        mlcroissant.Dataset(jsonld=broken)


def test_records_of_the_official_files_can_be_read(mlcroissant, described, tmp_path):
    metadata = datafiles.make(tmp_path, "zips").assign(dataset="rosendahl")
    datafiles.write_metadata(tmp_path, metadata)
    description = described("croissant.json")
    for name, file in files_in(description).items():
        algorithm = "sha256" if "sha256" in file else "md5"
        file[algorithm] = hashlib.new(algorithm, (tmp_path / name).read_bytes()).hexdigest()
    mapping = {path.name: str(path) for path in tmp_path.iterdir()}
    dataset = mlcroissant.Dataset(jsonld=description, mapping=mapping)
    images = list(dataset.records("images"))
    assert [r["images/lesion_id"].decode() for r in images] == metadata["lesion_id"].tolist()
    pictures = {r["pictures/image_id"].decode(): r for r in dataset.records("pictures")}
    assert sorted(pictures) == sorted(metadata["image_id"])
    assert next(iter(pictures.values()))["pictures/image"].mode == "RGB"
