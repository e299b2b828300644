"""Describe the two data sets in Croissant 1.1, so that programs can read what the cards say.

The context is written out in full: nothing is fetched to read the descriptions. `mlcroissant`
reads and checks them (`tests/results/test_cards.py`).
"""

import gzip
import hashlib
import io
import json
from pathlib import Path

from tools.book.course import ROOT
from tools.book.set_repository import address
from utils.classes import CLASSES
from utils.data import LesionImages
from utils.data import phantom as phantom_code
from utils.files import replace_file

DATA = ROOT / "data"
RECORDS = "phantom_metadata.csv.gz"
DOI = "https://doi.org/10.7910/DVN/DBW86T"
LICENCE = "https://creativecommons.org/licenses/by-nc/4.0/"
PAPER = (
    "Tschandl, P., Rosendahl, C. & Kittler, H. The HAM10000 dataset, a large collection of "
    "multi-source dermatoscopic images of common pigmented skin lesions. Scientific Data 5, "
    "180161 (2018). https://doi.org/10.1038/sdata.2018.161"
)
CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
_CR = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty "
    "fileObject fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path "
    "recordSet references regex repeated replace samplingRate separator source subField transform"
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "name": {"@container": "@language"},
    "description": {"@container": "@language"},
    **{name: f"cr:{name}" for name in _CR.split()},
}
# Column, type, and what it says.
COLUMNS = (
    ("image_id", "sc:Text", "Name of the image."),
    ("lesion_id", "sc:Text", "The lesion; several images may show one. Split by it."),
    ("dx", "sc:Text", "Diagnosis, one of seven groups."),
    ("dx_type", "sc:Text", "How the diagnosis was reached; depends on it, so never an input."),
    ("age", "sc:Float", "Age in years, in steps of five; may be missing."),
    ("sex", "sc:Text", "male, female or unknown, as recorded."),
    ("localization", "sc:Text", "Site on the body; may be unknown."),
)


def ham10000(registry: dict) -> dict:
    """Describe HAM10000 in its official files.

    Parameters
    ----------
    registry : dict
        What data/registry.json holds: addresses, sizes, check sums.

    Returns
    -------
    dict
        JSON-LD.
    """
    files = {file["name"]: file for file in registry["groups"]["dataverse"]["files"]}
    zips = [name for name in files if name.endswith(".zip")]
    distribution = [
        _file(name, file["urls"][0], file["bytes"], *file["hash"].split(":"))
        for name, file in files.items()
    ]
    distribution.append(
        {
            "@type": "cr:FileSet",
            "@id": "jpegs",
            "name": "jpegs",
            "description": "The images, 600 × 450 pixels; the course shrinks them to 28 × 28.",
            "containedIn": [{"@id": name} for name in zips],
            "encodingFormat": "image/jpeg",
            "includes": "*.jpg",
        }
    )
    pictures = {
        "@type": "cr:RecordSet",
        "@id": "pictures",
        "name": "pictures",
        "description": "The images, by image_id.",
        "key": {"@id": "pictures/image_id"},
        "field": [
            _field("pictures/image_id", "sc:Text", "Name of the file without its ending.")
            | {
                "source": {
                    "fileSet": {"@id": "jpegs"},
                    "extract": {"fileProperty": "filename"},
                    "transform": {"regex": r"^(.*)\.jpg$"},
                }
            },
            _field("pictures/image", "sc:ImageObject", "The image.")
            | {
                "source": {"fileSet": {"@id": "jpegs"}, "extract": {"fileProperty": "content"}},
            },
        ],
    }
    images = _images("HAM10000_metadata.csv", "One record for each of the 10,015 images.")
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "HAM10000",
        "description": (
            "10,015 dermatoscopic images of 7,470 pigmented skin lesions in seven diagnostic "
            "groups, as used in the course Reading Skin. The whole card is data/README.md."
        ),
        "conformsTo": CONFORMS,
        "url": DOI,
        "sameAs": "https://doi.org/10.1038/sdata.2018.161",
        "license": LICENCE,
        "creditText": (
            "HAM10000 Dataset: (c) by ViDIR Group, Department of Dermatology, Medical University "
            "of Vienna"
        ),
        "citeAs": PAPER,
        "creator": [
            {"@type": "sc:Person", "name": name}
            for name in ("Philipp Tschandl", "Cliff Rosendahl", "Harald Kittler")
        ],
        "datePublished": "2018-08-14",
        "keywords": ["dermatoscopy", "pigmented skin lesions", "melanoma", "image classification"],
        "rai:dataCollection": (
            "Gathered from the records of the Department of Dermatology of the Medical University "
            "of Vienna and of a skin cancer practice in Queensland, Australia."
        ),
        "rai:dataAnnotationProtocol": (
            "Histopathology, follow-up, expert consensus or confocal microscopy; field dx_type."
        ),
        "rai:dataBiases": (
            "Two places; skin type not recorded, so untested on dark skin; class shares of a "
            "collection, not of a clinic; the origin of a label depends on the diagnosis."
        ),
        "rai:dataLimitations": (
            "No patient identifier: independence can be kept between lesions, not persons. 18 "
            "pairs of images carry different lesion ids and show one lesion "
            "(https://doi.org/10.1038/s41597-025-04382-5)."
        ),
        "rai:personalSensitiveInformation": "Age, sex and body site, besides the diagnosis.",
        "rai:dataUseCases": "Teaching and research on methods; not a basis for medical devices.",
        "distribution": distribution,
        "recordSet": [_diagnoses(), pictures, images],
    }


def phantom(folder: Path = DATA) -> dict:
    """Describe the phantom: the files in data/ that hold it, and its records.

    Parameters
    ----------
    folder : Path
        Where `RECORDS` and the parameters lie.

    Returns
    -------
    dict
        JSON-LD.
    """
    distribution = []
    for name, kind in ((RECORDS, "text/csv"), ("phantom.npz", "application/x-npz")):
        content = (folder / name).read_bytes()
        file = _file(name, name, len(content), "sha256", hashlib.sha256(content).hexdigest())
        distribution.append(file | {"encodingFormat": kind})
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "Reading-Skin-phantom",
        "description": (
            "Synthetic stand-in for HAM10000: 10,015 images of 28 × 28 pixels of 7,470 invented "
            "lesions. The images are drawn by utils/data/phantom.py from the parameters in "
            "phantom.npz; their records stand in phantom_metadata.csv.gz. No patient's image is "
            "among them, and nothing measured on them is a result about skin. The whole card is "
            "data/README.md."
        ),
        "conformsTo": CONFORMS,
        "url": f"{address()}/tree/main/data",
        "isBasedOn": DOI,
        "license": LICENCE,
        "citeAs": f"Reading Skin, the phantom; fitted on HAM10000: {PAPER}",
        "creator": {"@type": "sc:Organization", "name": "the Reading Skin authors"},
        "datePublished": "2026-11-25",
        "version": f"{phantom_code.CODE_VERSION}.0.0",
        "keywords": ["synthetic data", "skin lesions", "teaching"],
        "rai:dataCollection": "Drawn at random from a model with parameters fitted on HAM10000.",
        "rai:dataLimitations": (
            "Lesions have soft edges, and images of a lesion are too alike. For rehearsing "
            "methods only."
        ),
        "rai:personalSensitiveInformation": "None: no record belongs to a person.",
        "distribution": distribution,
        "recordSet": [_diagnoses(), _images(RECORDS, "One record for each drawn image.")],
    }


def records(dataset: LesionImages) -> bytes:
    """Return the phantom's metadata as a CSV, unpacked."""
    text = io.StringIO()
    dataset.metadata.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue().encode()


def write_records(dataset: LesionImages, path: Path = DATA / RECORDS) -> None:
    """Store the phantom's metadata, packed; an unchanged file stays as it is."""
    content = records(dataset)
    if not path.is_file() or gzip.decompress(path.read_bytes()) != content:
        replace_file(path, gzip.compress(content, 9, mtime=0))


def text(description: dict) -> str:
    """Return a description as it stands in its file."""
    return json.dumps(description, indent=1, ensure_ascii=False) + "\n"


def _file(name: str, url: str, size: int, algorithm: str, digest: str) -> dict:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": url,
        "contentSize": f"{size} B",
        "encodingFormat": "application/zip" if name.endswith(".zip") else "text/csv",
        algorithm: digest,
    }


def _field(place: str, kind: str, words: str) -> dict:
    name = place.rpartition("/")[2]
    return {"@type": "cr:Field", "@id": place, "name": name, "description": words, "dataType": kind}


def _images(file: str, words: str) -> dict:
    fields = [
        _field(f"images/{name}", kind, said)
        | {"source": {"fileObject": {"@id": file}, "extract": {"column": name}}}
        for name, kind, said in COLUMNS
    ]
    fields[2]["references"] = {"field": {"@id": "diagnoses/dx"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": words,
        "key": {"@id": "images/image_id"},
        "field": fields,
    }


def _diagnoses() -> dict:
    said = (
        ("dx", "sc:Text", "Abbreviation.", lambda c: c.dx),
        ("name", "sc:Text", "Medical name.", lambda c: c.name),
        ("malignant", "sc:Boolean", "A cancer or its early form.", lambda c: c.malignant),
        ("label", "sc:Integer", "Label in this course (Kaggle).", lambda c: c.kaggle_label),
        ("dermamnist", "sc:Integer", "Label in DermaMNIST.", lambda c: c.dermamnist_label),
    )
    return {
        "@type": "cr:RecordSet",
        "@id": "diagnoses",
        "name": "diagnoses",
        "description": "The seven diagnostic groups, and their labels in two codings.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "diagnoses/dx"},
        "field": [_field(f"diagnoses/{name}", kind, words) for name, kind, words, _ in said],
        "data": [{f"diagnoses/{name}": of(c) for name, _, _, of in said} for c in CLASSES],
    }
