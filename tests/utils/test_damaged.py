"""Damaged and nearly right files, some hundreds, put through every door that takes files.

A row says the door, what is done to a small valid original, and what has to come of it: SAME, what
the original gives (IDENTICAL: with its fingerprint), with a warning of the words after it; words,
divided by "|", that the door's own error has; EITHER of these two, where a check sum guards; ANY
result of the right form or error, where none can. Always soon, in little memory, every error with
its file and a cure, and no file written but whole ones into the cache.
"""

import filecmp
import functools
import gzip
import io
import json
import os
import random
import re
import shutil
import signal
import struct
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import datafiles
import numpy as np
import pandas as pd
import pytest
from datafiles import METADATA, NPZ
from demo_images import DICOM, HEIC, PDF, VIDEO, WORDS, huge_jpeg, huge_png, lying, saved
from PIL import Image

from utils import data, files, predict, quiz
from utils.data import download, phantom, records
from utils.data.photographs import EXTERNAL_TABLE, EXTERNAL_ZIP, ZIPS, Photographs
from utils.data.tables import KAGGLE_CSV

SAME, IDENTICAL, EITHER, ANY = "SAME", "IDENTICAL", "EITHER", "ANY"
SECONDS, MEMORY = 10, 10**9
CURES = re.compile(
    "ownload|Put |Corr|Compl|Keep|Use |[Gg]et |Make |`make|estore|[Ss]ave|Export|Give|Train"
)
AGAIN, TABLE, JPEGS = "ownload it again", f"{EXTERNAL_TABLE}.csv", datafiles.make_jpegs()
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (45, 60, 3), dtype=np.uint8))
DEEP, FLAT = IMAGE.convert("I").point(lambda v: v * 100), Image.new("L", (2500, 2500))
TIFF, LONG = saved(IMAGE, "TIFF"), saved(FLAT, "JPEG", progressive=True)
FIRST, ODD, MODELS = "ISIC_0024306", "ISIC_0024315", data.ROOT / "models"
PACKED = ".gz", ".zip", ".gz.zip"


# --- Doors: how an original is made, and how one asks for what is in it
def told(dataset):
    """What a data set holds, to be compared; whatever it is, its form is right."""
    images, table = dataset.images, dataset.metadata
    assert images.dtype == np.uint8 and images.shape == (len(table), 28, 28, 3)
    assert dataset.labels.tolist() == datafiles.make_labels(table).tolist()
    assert table["image_id"].is_unique and table["age"].dropna().between(0, 120).all()
    return dataset.fingerprint, images.tobytes(), table.astype(str).to_csv(), dataset.source


def own(folder):
    dataset = data.dataset_from_folders(folder / NPZ)
    assert dataset.images.shape == (14, 28, 28, 3) and dataset.labels.min() >= 0
    return dataset.fingerprint, dataset.images.tobytes(), dataset.labels.tolist()


def ham(folder):
    return told(data.load_ham10000(28, folder, expected_rows=datafiles.ROWS))


def make_external(folder):
    datafiles.make_external(folder, more=4)[["image_id"]].to_csv(folder / "ids.csv", index=False)


def external(folder):
    os.environ["HAM10000_DIR"], data.EXTERNAL_IDS = str(folder), folder / "ids.csv"
    return told(data.load_external())


def cached(folder):
    data.CACHE_DIR = folder / "cache"
    first = ham(folder)
    with warnings.catch_warnings(action="error"):
        assert ham(folder) == first, "it was not made again"
    return first


def fetched(folder):
    with Photographs(folder) as photographs:
        return photographs.fetch(FIRST)


def image(folder):
    manifest = {"temperature": 1.0, "refusal": {"threshold": 2.0}}
    manifest["classes"] = [{"dx": dx} for dx in "abcdefg"]
    model = predict.Answerer(lambda x: (np.full((len(x), 7), 1 / 7), np.ones(len(x))), manifest)
    return predict.predict(folder / "image.png", model=model).image.tolist()


def trained(folder):
    from utils import weights

    born = weights.read_certificate("original", folder=folder)
    model = weights.network_of("original", born, folder=folder)
    return [w.tobytes() for w in model.get_weights()] + born.train_lesions


def stored(folder):
    from utils.weights import read_run

    parts = read_run("best-seed-0", folder=folder).parts
    return {name: part.probabilities.tobytes() for name, part in parts.items()}


@functools.cache
def network():
    from utils.weights import network_of, read_certificate

    return network_of("best", read_certificate("best"), folder=MODELS)


def published(folder):
    from utils import refusal

    name, built = "best.weights.h5", refusal.network_of
    with pytest.MonkeyPatch.context() as patch:  # whole weights are read once
        same = (folder / name).is_file() and filecmp.cmp(folder / name, MODELS / name, False)
        patch.setattr(refusal, "network_of", (lambda *_, **__: network()) if same else built)
        model, manifest = refusal.published(folder)
    answers = refusal.ask(model, np.zeros((1, 28, 28, 3), np.float32))
    assert all(np.isfinite(answer).all() for answer in answers)
    return [*map(np.ndarray.tobytes, answers), manifest["temperature"], manifest["refusal"]]


def shown(folder):
    quiz.FOLDER, out = folder, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("IPython.display.display", lambda output, raw: raw and out.append(output))
        quiz.show_quiz("04")
    return out[0]


def drawn(folder, load=phantom.load):
    phantom.load = lambda *_: load(folder / "phantom.npz")
    return told(data.load_ham10000(28, "phantom"))


def copies(source, *patterns):
    return lambda folder: [shutil.copy(p, folder) for name in patterns for p in source.glob(name)]


def form(name):
    return lambda folder: datafiles.make(folder, name)


# Its original, how it is asked, its error; files that have a check sum, and others.
# fmt: off
DOORS = {
    "zips": (form("zips"), ham, "DataError", [ZIPS[0]], [METADATA]),
    "jpegs": (form("jpegs"), ham, "DataError", [], [f"{FIRST}.jpg"]),
    "csv": (form("csv"), ham, "DataError", [], [METADATA, KAGGLE_CSV]),
    "npz": (form("npz"), own, "DataError", [NPZ], []),
    "external": (make_external, external, "DataError", [EXTERNAL_ZIP], [TABLE]),
    "one": (form("zips"), fetched, "DataError", [], []),
    "cache": (lambda folder: (form("csv")(folder), cached(folder)), cached, "DataError",
              ["cache/lesions*.npz"], []),
    "image": (lambda folder: (folder / "image.png").write_bytes(saved(IMAGE)), image,
              "PredictError", [], ["image.png"]),
    "weights": (copies(MODELS, "original.*"), trained, "CertificateError",
                ["original.json", "original.weights.h5"], []),
    "run": (copies(MODELS / "studies", "best-seed-0.*"), stored, "CertificateError",
            ["best-seed-0.json", "best-seed-0.npz"], []),
    "published": (copies(MODELS, "best[.-]*"), published, "CertificateError",
                  ["best.weights.h5"], ["best-manifest.json", "best-refusal.json"]),
    "quiz": (copies(quiz.FOLDER, "04.json", "quiz.*"), shown, "ValueError", [], ["04.json"]),
    "registry": (copies(download.REGISTRY.parent, "registry.json"),
                 lambda folder: download.registry(folder / "registry.json"), "ValueError", [],
                 ["registry.json"]),
    "phantom": (copies(phantom.PARAMETERS.parent, "phantom.npz"),
                lambda folder: str(phantom.fingerprint(path=folder / "phantom.npz")),
                "ValueError", ["phantom.npz"], []),
    "drawn": (copies(phantom.PARAMETERS.parent, "phantom.npz"), drawn, "ValueError", [], []),
    "ids": (make_external, external, "ValueError", [], []),
}
# fmt: on


# --- Damage: what changes a folder
def change(name, edit):
    """Return what changes a file: `edit` is, or makes of its bytes, others or what makes a path."""

    def damage(folder):
        path = next(folder.glob(name), folder / name)
        content = path.read_bytes() if path.exists() else b""
        new = edit(content) if callable(edit) else edit
        path.unlink(missing_ok=True)
        new(path) if callable(new) else path.write_bytes(new)

    return damage


def both(*damages):
    return lambda folder: [damage(folder) for damage in damages]


def table(name, edit, **form):
    """Return what edits a table, read as text."""

    def edited(content):
        frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        return edit(frame).to_csv(**{"index": False, **form}).encode()

    return change(name, edited)


def cell(name, row, column, value):
    return table(name, lambda t: t.assign(**{column: t[column].where(t.index != row, value)}))


def zips(rename=str, packed=zipfile.ZIP_DEFLATED, **changed):
    """Return what writes the zips with other names, contents or packing; without those of None."""
    kept = {rename(name): jpeg for name, jpeg in (JPEGS | changed).items() if jpeg is not None}
    return lambda folder: datafiles.write_zips(folder, kept, packed)


def add(name, member, content):
    def damage(folder):
        with zipfile.ZipFile(folder / name, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # two members of one name
            archive.writestr(member, content)

    return damage


def arrays(name, save=np.savez_compressed, **changed):
    """Return what replaces arrays of an npz by others, by bytes, or (None) by nothing."""

    def edit(content):
        held, file = dict(np.load(io.BytesIO(content))), io.BytesIO()
        held |= {key: new(held[key]) if callable(new) else new for key, new in changed.items()}
        save(file, **{key: a for key, a in held.items() if isinstance(a, np.ndarray)})
        with zipfile.ZipFile(file, "a") as archive:
            for key in (key for key, new in held.items() if isinstance(new, bytes)):
                archive.writestr(f"{key}.npy", held[key])
        return file.getvalue()

    return change(name, edit)


class Trap:
    """What an array must not hold: to read it is to run what it names."""

    def __reduce__(self):
        return pytest.fail, ("it was unpickled",)


def header(shape, dtype="|u1", start=b"\x93NUMPY\1\0"):
    """Return an array's file that says of itself what is not so."""
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return start + struct.pack("<H", len(text)) + text.encode() + bytes(100)


def field(name, value, *keys):
    """Return what sets a field of a file's JSON; a value that can be called takes it out."""

    def edit(content):
        inner = record = json.loads(content)
        for key in keys[:-1]:
            inner = inner[key]
        inner.__delitem__(keys[-1]) if callable(value) else inner.__setitem__(keys[-1], value)
        return json.dumps(record).encode()

    return change(name, edit)


def moved(old, new):
    """Return what moves a file; where the new name ends so, it is packed."""

    def move(folder):
        path, content = folder / new, (folder / old).read_bytes()
        (folder / old).unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        content = gzip.compress(content) if ".csv.gz" in new else content
        path.write_bytes(content)
        if ".csv" in new and new.endswith(".zip"):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"__MACOSX/._{old}", b"")
                archive.writestr(f"x\\{path.name[:-4]}", content)

    return move


def kaggle_archive(folder):
    """Pack all into one archive as Kaggle does, each JPEG twice."""
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        for name, content in JPEGS.items():
            for part in ("HAM10000_images_part_1", "ham10000_images_part_1"):
                archive.writestr(f"{part}/{name}.JPG", content)
        archive.write(folder / METADATA, METADATA)
    for name in (METADATA, *ZIPS):
        (folder / name).unlink()


# --- What is done to every file
WRONG = {
    "missing": lambda path: None, "a folder": Path.mkdir,
    "a pipe": getattr(os, "mkfifo", Path.mkdir),  # Windows has none
    "a link to itself": lambda path: path.symlink_to(path.name), "empty": Path.touch,
    "of 8 GB": lambda path: (path.touch(), os.truncate(path, 2**33)), "a PDF": PDF,
    "a web page": b"\n<!DOCTYPE html><h1>503</h1>", "random": random.Random(0).randbytes(5000),
}  # fmt: skip
EDITS = {f"cut at {at}": lambda b, at=at: b[: max(1, int(len(b) * at))] for at in (0, 0.5, 0.99)}
EDITS |= {f"zeros {n}": lambda b, n=n: b + bytes(n) for n in (100, 70_000)}
EDITS |= {f"more {n}": lambda b, n=n: random.Random(n).randbytes(n) + b for n in (1, 9_999)}
for k in range(1, 5):  # one bit is flipped, a fifth, two fifths … of the way
    EDITS[f"bit {k}"] = lambda b, k=k: (
        b[: (at := len(b) * k // 5)] + bytes([b[at] ^ 1 << k]) + b[at + 1 :]
    )
TEXTS = {
    "in UTF-16": lambda b: b.decode().encode("utf-16"), "with a BOM": lambda b: b"\xef\xbb\xbf" + b,
    "in UTF-32": lambda b: b.decode().encode("utf-32"), "with empty lines": lambda b: b + b"\n\n",
    "in Latin-1": lambda b: b.replace(b"a", b"\xe4", 9), "with no end": lambda b: b.rstrip(b"\n"),
    "with NUL": lambda b: b[:-40] + b"\0" + b[-40:], "CR": lambda b: b.replace(b"\n", b"\r"),
    "CRLF": lambda b: b.replace(b"\n", b"\r\n"),
}  # fmt: skip


def of_every_file():
    """Yield door, damage, what has to come, and a name."""
    for door, (*_, guarded, free) in DOORS.items():
        for file in guarded + free:
            word = "" if door in ("image", "csv") else file.split(".")[0]
            for kind, new in WRONG.items():
                comes, gone = SAME if door == "cache" else word, kind in list(WRONG)[:4]
                if gone and (door, file) == ("csv", METADATA):  # a CSV alone
                    comes = ANY
                # The phantom would stand in; nobody puts a pipe into the course's own folder.
                odd = gone and file in (EXTERNAL_ZIP, f"{FIRST}.jpg", "phantom.npz")
                if not odd and (door, kind) != ("cache", "a folder"):  # it warns each time
                    new = new if isinstance(new, bytes) else lambda _, new=new: new
                    yield door, change(file, new), comes, f"{file} is {kind}"
            for name, edit in (EDITS | (TEXTS if file.endswith(("csv", "json")) else {})).items():
                comes = EITHER if file in guarded else ANY
                if name.startswith("cut") and file in guarded:
                    comes = SAME if door == "cache" else word
                yield door, change(file, edit), comes, f"{file} {name}"


# --- What is done to one
NO_PIXELS = "256", "-1", "4294967297", "99999999999999999999", "abc", "", "12.5", "inf", "NaN"
CELLS = [
    ("dx", "nevus", "the diagnosis is none of akiec, bcc"), ("dx", "", "('';"),
    ("dx", "NV", "the diagnosis is none of"), ("image_id", "", "there is no image id"),
    ("image_id", FIRST, "an earlier line has the same image id"),
    *(("lesion_id", none, f"there is no lesion id ({none!r}") for none in ("", "#N/A", "NA")),
    ("age", "forty", "this is no age in years ('forty'"),
    *(("age", bad, f"({bad!r}") for bad in ("-5", "400", "120.5", "1e400", "-inf", "4 0", "0x20")),
]  # fmt: skip
ARRAYS = [
    ("train_images", lambda a: a[..., :2], "not uint8 of shape (7, 28, 28, 3)"),
    ("val_images", lambda a: a[:, :20], "(4, 20, 28, 3), not"),
    ("test_images", lambda a: a.astype(np.float32), "float32|not uint8"),
    *((k, lambda a: a.astype(object), "allow_pickle=False") for k in ("test_images", "val_labels")),
    ("test_images", lambda a: a[:-1], "one for each label"),
    ("train_labels", lambda a: np.repeat(a, 2, 1), "an integer a picture"),
    *(("val_labels", lambda a, k=k: a.astype(k), f"picture, not {k}") for k in ("float64", "bool")),
    ("val_labels", lambda a: a.astype(np.uint64) + 2**63, "labels are 0 to 999"),
    ("val_labels", lambda a: a.astype(np.int8) - 9, "labels are 0 to 999"),
    ("val_labels", lambda a: None, f"val_labels|{AGAIN}"),
    *((name, content, f"cannot be used|{AGAIN}")
      for name in ("val_labels", "val_images") for content in (
        header((10**12,)), header((-5,)), header((True, 10)), header((2**62, 2**62)),
        header((4, 1), "|O"), header((4, 1), "nonsense"), header((4, 1), "<U999999"),
        header((4, 1), [("a", "<i8")]), header((4, 1), start=b"\x93NUMPY\x09\0"), b"\x93NUMPY",
        b"\x80\x04N.", b"\x93NUMPY\1\0" + struct.pack("<H", 22) + b"__import__('os').ab()\n")),
]  # fmt: skip
IMAGES = [
    (b"", "empty"), (WORDS, "not an image"), (HEIC, "iPhones"), (PDF, "PDF"), (VIDEO, "video"),
    (DICOM, "DICOM"), (b'<?xml version="1.0"?><svg/>', "SVG"), (b"<svg/>", "SVG"),
    (b"\n  <!DOCTYPE html>", "web page"), (b"<html>", "web page"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n{} loop\n", "PostScript"),  # a program that never ends
    (saved(IMAGE)[:900], "broken or incomplete"), (saved(IMAGE, "JPEG") + b"PK\3\4", ANY),
    (saved(IMAGE.resize((600, 450)), "JPEG")[:5000], "broken or incomplete"),
    (huge_png(8_100, 8_100), "100 million"), (huge_png(30_000, 10_000), "100 million"),
    (huge_jpeg(), ""), (huge_png(5, 2**31 - 1), "100 million"), (huge_png(0, 5), ""),
    *((lambda _, new=new: saved(Image.new(*new)), ANY) for new in (  # four are bombs
        ("RGB", (9_900, 9_900)), ("RGBA", (8_000, 8_000)), ("I;16", (8_000, 8_000)),
        ("L", (9_900, 9_900)), ("RGB", (1, 3000)), ("RGB", (3000, 1)), ("RGB", (1, 1)))),
    (saved(IMAGE, "TIFF", save_all=True, append_images=[IMAGE])[:-8200], SAME),  # the first is so
    (saved(IMAGE, "JPEG2000").replace(b"\x14ftyp", b"\1ftyp\xf0" + bytes(7)), "broken"),
    *((saved(IMAGE, kind, lossless=True), SAME) for kind in ("BMP", "TIFF", "WEBP")),
    *((saved(IMAGE, kind), ANY) for kind in ("JPEG", "GIF", "JPEG2000")),
    *((saved(IMAGE, kind), "not an image") for kind in ("ICO", "TGA", "PCX", "DDS", "PPM")),
    *((lambda _, start=start, more=more: start + more * 10**5, word) for start, more, word in (
        (b"P3 5000 4000 9\n", b"9 " * 600, "not an"), (b"\xff\xd8", b"\xff" * 900, "after 1 s"),
        (saved(IMAGE, "GIF")[:-1] + b"!\xfe", b"\xff" + bytes(255), "after 1 s"))),
    *((saved(IMAGE, kind), word) for kind, word in (("EPS", "PostScript"), ("PDF", "PDF"))),
    *((saved(IMAGE.convert(mode)), ANY) for mode in ("1", "L", "LA", "P", "I;16")),
    *((saved(IMAGE.convert(mode), "TIFF"), ANY) for mode in ("CMYK", "YCbCr", "LAB")),
    (TIFF.replace(b"\x1c\1\3\0\1\0\0\0\1\0\0", b"C\1\4\0\1\0\0\0\0\0\xff"), "100,000"),  # tile
    *((saved(DEEP.convert(mode), "TIFF").replace(old, new), "no greys") for mode, old, new in (
        ("I", b"", b""), ("F", b"", b""), ("I;16", b"\1\3\0\1\0\0\0\x10", b"\1\3\0\1\0\0\0\x0c"),
        ("I;16", b"\6\1\3\0\1\0\0\0\1", b"\6\1\3\0\1\0\0\0\0"))),  # 12 bits; 0 is white
    (LONG[:-2] + LONG[LONG.rindex(b"\xff\xda") : -2] * 2300, "after 1 s"),
    *((saved(IMAGE, kind, save_all=True, append_images=[IMAGE] * 99), ANY)
      for kind in ("GIF", "PNG", "TIFF", "WEBP")),
    *((saved(IMAGE, kind, exif=exif, lossless=True), SAME) for kind in ("PNG", "WEBP")
      for exif in (b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0MM", b"Exif\0\0" + bytes(90))),
    *((lying(IMAGE, k, "PNG"), SAME) for k in (3, 6, 8)), (saved(IMAGE.convert("RGBA")), SAME),
]  # fmt: skip
# Names of fields, and values that they cannot have; nan and inf are written as NaN and Infinity.
NAN, INF = float("nan"), float("inf")
NO_JSON = b"?", b"{", b"[7]", b"{}", b"null", b"NaN", b"7", b"[" * 10**5, b"[" + b"9" * 5000 + b"]"
CERTIFICATE = json.loads((MODELS / "original.json").read_bytes())
FIELDS = [
    ("weights", "original.json", "original.json|changed after it was written", [
        (["train_lesions"], [["x"]]), (["validation_lesions"], [[]]), (["seed"], [1]),
        (["weights_sha256"], ["0" * 64]), (["name"], ["other"])]),
    ("weights", "original.json", "original.json|not a birth certificate: $", [
        (["train_lesions"], [[], "all", {}, ["a", "a"]]), (["seed"], ["0", NAN, INF]),
        (["recipe"], [{}]), (["data", "phantom"], ["no", 0]), (["more"], [1]),
        *(([key], ["", [3], pytest.fail]) for key in CERTIFICATE)]),
    ("published", "best-refusal.json", "best-refusal.json|ValueError: $|measure_demo", [
        ([key], [None, "x", [], {}, 0.0, [[1.0]], [NAN] * 64, [INF] * 64, pytest.fail])
        for key in ("centre", "whiten", "weights_sha256")]),
    ("published", "best-manifest.json", "best-manifest.json|ValueError: $|measure_demo", [
        (keys, [None, "mel", [], {}, 0, -1.0, NAN, INF, pytest.fail]) for keys in (
            ["temperature"], ["refusal", "threshold"], ["certificate"], ["classes"],
            ["classes", 4, "says"], ["symmetries", 3, "flip"], ["classes", 4, "dx"])]),
    ("quiz", "04.json", "04.json|ValueError: $|git checkout", [
        (keys, [None, 3, "false", pytest.fail])
        for keys in ([0, "answers"], [0, "type"], [0, "answers", 0, "correct"], [0])]),
    ("registry", "registry.json", "registry.json|ValueError: $|git checkout", [
        (["groups"], [None, [], 3]), *((["groups", "kaggle", "files", 0, key], [{}, 0, "../x", [3]])
        for key in ("name", "urls", "bytes", "hash"))]),
]  # fmt: skip
FEWER = both(zips(ISIC_0024310=None), table(METADATA, lambda t: t.drop(index=4)))
# fmt: off
MORE = both(zips(ISIC_0099999=JPEGS[ODD]),
            table(METADATA, lambda t: pd.concat([t, t[:1].assign(image_id="ISIC_0099999")])))
CASES = [
    # archives
    ("zips", change(ZIPS[1], lambda b: b[:-100]), f"{ZIPS[1]}|truncated or damaged|{AGAIN}"),
    *(("zips", change(ZIPS[0], start + b"<h1>503"), f"{ZIPS[0]}|a web page|{AGAIN}")
      for start in (b"<!DOCTYPE html>", b"\n  <html>", b"\xef\xbb\xbf<?xml")),
    *(("zips", change(name, lambda _: lambda path: None), f"not {name}|Put the missing file")
      for name in (METADATA, *ZIPS)),
    *((door, change(ZIPS[0], lambda b: b[:400] + b"flipped!" + b[408:]),
       f"{ZIPS[0]}|{FIRST}|cannot be decoded") for door in ("zips", "one")),
    ("zips", zips(ISIC_0024315=bytes(10**7 + 1)), f"{ODD}|10,000,001 bytes|no photograph"),
    ("zips", zips(ISIC_0024315=saved(Image.new("L", (4000, 3000)), "JPEG")),
     f"{ODD}|4,000 × 3,000 pixels are too many"),
    *(("zips", zips(ISIC_0024315=content), f"{ZIPS[1]}|{ODD}|cannot be decoded|{AGAIN}")
      for content in (b"no picture", JPEGS[ODD][:400], b"", saved(IMAGE), PDF, huge_jpeg())),
    *(("zips", zips(ISIC_0024315=saved(picture, "JPEG")), ANY)
      for picture in (IMAGE.convert("L"), IMAGE.convert("CMYK"), IMAGE.resize((1, 2000)))),
    ("zips", zips(ISIC_0024310=None), "ISIC_0024310|has metadata but no image; 1 such|unpack both"),
    ("jpegs", change(f"{ODD}.jpg", JPEGS[ODD][:400]), f"{ODD}.jpg|cannot be decoded|{AGAIN}"),
    ("jpegs", lambda f: shutil.copytree(f, f / "b") and (f / f"b/{FIRST}.jpg").write_bytes(b""),
     f"{FIRST}|is there twice"),
    *(("zips", add(name, f"{FIRST}.jpg", other), f"{FIRST}|{name}|is there twice")
      for name in ZIPS for other in (b"", JPEGS[FIRST][::-1])),
    *(("zips", add(ZIPS[0], name, JPEGS[FIRST]), IDENTICAL)
      for name in (f"{FIRST}.jpg", f"x/{FIRST}.jpg", "isic2018 task3 test/ISIC_0034525.jpg")),
    ("zips", change("thesis.zip", b"PK"), f"thesis.zip|Move it away if it is no part|{AGAIN}"),
    ("one", both(form("jpegs"), lambda f: (f / ZIPS[1]).unlink(), change(ZIPS[0], b"PK")), SAME),
    *(("zips", zips(rename.format), IDENTICAL)
      for rename in ("/{}", "../../{}", "a/b/{}", "C:\\a\\{}", "__MACOSX/../{}")),
    *(("zips", zips(packed=kind), IDENTICAL)
      for kind in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
    *(("zips", change(ZIPS[0], lambda b, to=to: b.replace(b"\x14\0\0\0\x08\0", to)), f"{w}|program")
      for to, w in ((b"\x14\0\1\0\x08\0", "encrypted"), (b"\x14\0\0\0\x09\0", "compression"))),
    ("zips", zips("no_{}".format), METADATA),
    ("zips", both(kaggle_archive, lambda f: add("x.zip", "a", (f / "archive.zip").read_bytes())(f),
                  lambda f: (f / "archive.zip").unlink()), "x.zip|zip that holds zips"),
    # names and places that are nearly right
    *(("zips", damage, IDENTICAL) for damage in (
        kaggle_archive, moved(ZIPS[0], "a/b/ham10000_images_part_1 (1).ZIP"),
        moved(METADATA, "a/ham10000_metadata (1).CSV"), moved(METADATA, METADATA + ".zip"),
        moved(METADATA, "HAM10000_metadata"),
        both(table(METADATA, lambda t: t, sep="\t"), moved(METADATA, "HAM10000_metadata.tab")),
        lambda folder: (folder / "gone.zip").symlink_to("nowhere"),
        lambda folder: (folder / "loop").symlink_to("."))),
    ("zips", change("HAM10000_metadata (1).csv", b"<html>"), IDENTICAL),
    *(("csv", moved(KAGGLE_CSV, f"archive/{KAGGLE_CSV}{end}"), IDENTICAL) for end in PACKED),
    *(("jpegs", moved(f"{FIRST}.jpg", name), IDENTICAL) for name in (
        "all images/b/isic_0024306.JPEG", f"{FIRST} .jpg", f"{FIRST}(1).jpg", f"{FIRST} (1).JPG")),
    ("jpegs", moved(f"{FIRST}.jpg", f"{FIRST} copy.jpg"), f"{FIRST} has metadata but no image"),
    ("jpegs", change(f"{FIRST}(1).jpg", JPEGS[ODD]), f"{FIRST}|is there twice"),
    # tables; the first two are bombs of 3 GB
    *((door, both(change(name, lambda _: lambda path: None), change(f"{name}.gz",
       lambda _: gzip.compress(bytes(10**8)) * 30)), f"{name}.gz|120,000,000 bytes")
      for door, name in (("zips", METADATA), ("csv", KAGGLE_CSV))),
    *(("csv", both(change(KAGGLE_CSV, edit), moved(KAGGLE_CSV, KAGGLE_CSV + end)), "in one line")
      for edit in (lambda _: b"," * 10**7, lambda b: b + bytes(10**8)) for end in ("", *PACKED)),
    *(("zips", change(METADATA, lambda b, n=n: b[:-n]), f"{METADATA}|it is cut off|{end}'|{AGAIN}")
      for n, end in ((3, "'female,ba"), (5, "0,female,"))),
    ("zips", change(METADATA, lambda b: b[:-9]), f"{METADATA}|line 15 has 6 cells|{AGAIN}"),
    ("zips", table(METADATA, lambda t: t.drop(index=4)), "ISIC_0024310|image without metadata"),
    *(("zips", cell(METADATA, 5, column, value), f"{METADATA}|line 7|column {column}|{words}")
      for column, value, words in CELLS),
    *(("zips", cell(METADATA, *where), comes) for where, comes in (
        ((1, "age", "NaN"), SAME), ((1, "age", "unknown"), SAME), ((5, "sex", "a\n\"b\""), ANY),
        ((5, "image_id", "../../x"), "has metadata but no image"),
        ((5, "sex", "x" * 200_000), f"{METADATA}|50,000 in one line"))),
    *(("zips", table(METADATA, edit), f"{METADATA}|lacks the column(s) {column}")
      for column in records.REQUIRED for edit in (
        lambda t, c=column: t.drop(columns=c), lambda t, c=column: pd.concat([t, t[c]], axis=1),
        lambda t, c=column: t.rename(columns={c: f" {c.upper()}"}))),
    *(("zips", table(METADATA, lambda t: t, **form), comes) for form, comes in (
        ({"sep": "\t"}, IDENTICAL), ({"sep": ";"}, IDENTICAL), ({"index": True}, IDENTICAL),
        ({"quoting": 1}, IDENTICAL), ({"sep": "|"}, "lacks"), ({"header": False}, "lacks"))),
    *(("zips", table(METADATA, edit), comes) for edit, comes in (
        (lambda t: t + " ", IDENTICAL), (lambda t: t[::-1], ANY), (lambda t: t.T, "lacks"),
        (lambda t: t[sorted(t)], IDENTICAL),
        (lambda t: pd.concat([t, t]), "earlier line has the same image id"))),
    ("zips", FEWER, f"{METADATA}|13 rows where 14 were expected"),
    ("zips", MORE, f"{METADATA}|15 rows where 14 were expected"),
    *(("zips", change(METADATA, b), METADATA) for b in (b"\xff\xfe\0\1", b'image_id,dx\n"a,b\nc')),
    *(("csv", change(METADATA, edit), comes) for edit, comes in (
        (gzip.compress, SAME), (lambda b: b"PK\3\4" + b, "zip under another name"),
        (bytes.rstrip, SAME),
        (lambda b: b + b" \t\n\xc2\xa0\n", SAME))),
    *(("csv", change(name, b"<html>"), f"{name}|a web page") for name in (METADATA, KAGGLE_CSV)),
    *(("csv", cell(KAGGLE_CSV, 8, "pixel1234", value), "line 10, column pixel1234|0 to 255")
      for value in NO_PIXELS),
    *(("csv", cell(KAGGLE_CSV, 8, "label", value), f"{KAGGLE_CSV}|10, column label|0 to 6")
      for value in ("7", "-1", "mel", "")),
    *(("csv", table(KAGGLE_CSV, lambda t, c=column: t.drop(columns=c)),
       f"lacks 1 of its 2,353 columns, first '{column}'")
      for column in ("pixel0000", "pixel2351", "label")),
    ("csv", cell(KAGGLE_CSV, 4, "label", "6"),
     f"{KAGGLE_CSV}|line 6: label 6 means mel|ISIC_0024310, says nv|1 such line|both"),
    *(("csv", table(KAGGLE_CSV, edit), comes) for edit, comes in (
        (lambda t: t[::-1], "line 2: label 6 means mel|re-ordered"),
        (lambda t: t[:-3], f"{KAGGLE_CSV}|11 rows where 14 were expected"),
        (lambda t: pd.concat([t, t[:1]]), f"{KAGGLE_CSV}|15 rows where 14 were expected"),
        (lambda t: t[sorted(t)], SAME), (lambda t: t.iloc[:, -785:], "lacks 1,568 of its 2,353"))),
    *(("csv", table(KAGGLE_CSV, lambda t: t, **form), comes) for form, comes in (
        ({"index": True}, SAME), ({"sep": ";"}, "of its 2,353"), ({"header": False}, "of its"))),
    ("csv", change(KAGGLE_CSV, lambda b: b[:-3000]), "line 15, column pixel"),
    ("csv", change(KAGGLE_CSV, lambda b: b.replace(b",", b", ")), SAME),
    ("csv", change(KAGGLE_CSV, lambda b: b.replace(b"\n", b",1\n").replace(b"l,1\n", b"l\n")),
     "not a readable table"),
    ("csv", change(KAGGLE_CSV, lambda b: b[:-1] + b",1\n"), "not a readable table|line 15"),
    ("external", table(TABLE, lambda t: t[1:]), f"{FIRST}|image without metadata"),
    ("external", lambda f: (f / TABLE).unlink(), f"not {TABLE}. Put the missing file"),
    ("external", lambda f: datafiles.make_external(f, leave_out=[FIRST]),
     f"{FIRST} has metadata but no image; 1 such|Use both of one version"),
    ("external", both(lambda f: datafiles.make_external(f, leave_out=[FIRST]),
                      table(TABLE, lambda t: t[1:])), f"9 rows where 10 were expected|{AGAIN[1:]}"),
    ("external", cell(TABLE, 12, "dx", "unknown"), SAME),  # of the closed half
    ("external", cell(TABLE, 3, "dx", "unknown"), f"{TABLE}, line 5, column dx"),
    # arrays
    ("npz", change(NPZ, b"<html>"), f"{NPZ}|a web page"),
    *(("npz", arrays(NPZ, **{name: edit}), f"{NPZ}|{words}") for name, edit, words in ARRAYS),
    *(("npz", arrays(NPZ, **changed), SAME) for changed in (
        {"val_labels": lambda a: a.astype(">i8")}, {"val_labels": np.ravel}, {"more": b"x"},
        {"val_images": np.asfortranarray})),
    *(("npz", change(NPZ, content), f"{NPZ}|cannot be used|{AGAIN}")
      for content in (header((4, 1)), saved(IMAGE), b"\x80\x04N.")),
    ("npz", both(arrays(NPZ, np.savez), change(NPZ, lambda b: b[:5000] + b"flipped!" + b[5008:])),
     f"{NPZ}|CRC|{AGAIN}"),
    *(("cache", arrays("cache/*.npz", np.savez, **{name: value}), f"{SAME}|is damaged")
      for name, value in (
        ("labels", np.zeros(13, np.int64)), ("images", np.zeros((14, 14, 28, 3), np.uint8)),
        ("dx", np.array(["nv"])), ("images", np.array([Trap()], dtype=object)),
        ("images", np.zeros((14, 28, 28, 3), np.uint8)), ("check_sum", np.array("x")),
        ("lesion_id", np.array(["HAM_0000000"] * 14)))),
    *(("cache", change("cache/*.npz", edit), f"{SAME}|is damaged") for edit in (
        header((4, 1)), b"", b"<html>", lambda b: b[:9000], lambda b: b[:3000] + b[3009:])),
    ("cache", arrays("cache/*.npz"), f"{SAME}|it is packed"),
    # images and records
    *(("image", change("image.png", content), comes) for content, comes in IMAGES),
    *((door, field(file, value, *keys), words)
      for door, file, words, fields in FIELDS for keys, values in fields for value in values),
    *((door, change(file, content), words)
      for door, file, words in dict.fromkeys((*one[:2], one[2].split("|")[0]) for one in FIELDS)
      for content in NO_JSON),
    ("weights", change("original.json", lambda b: b'{"seed":5,' + b[1:]), SAME),  # the later
    ("weights", change("original.json", lambda b: b[:-2] + b',"seed":5}'), "changed after it was"),
    ("weights", lambda f: (f / "original.json").unlink(), "without a birth certificate"),
    ("weights", change("original.weights.h5", lambda b: b[:-1] + b"?"), "or is not the file"),
    ("run", change("best-seed-0.npz", lambda b: b[:-1] + b"x"), "best-seed-0.npz in|not the file"),
    ("run", lambda f: (f / "best-seed-0.json").unlink(), "no stored run|make studies"),
    ("quiz", change("04.json", b"[]" + b" " * 20_000_000), "04.json|larger than 20 MB"),
    ("phantom", change("phantom.npz", header((4, 1))), "missing or damaged|checkout"),
    *(("drawn", arrays("phantom.npz", np.savez, **{name: edit}), "phantom.npz is missing")
      for name, edit in (("lesions", None), ("lesions", np.ravel), ("sex_kind", None))),
    *(("ids", change("ids.csv", new), "ids.csv is missing or damaged|git checkout")
      for new in (b"", b"a\n1\n", b"\xff\xfe", lambda _: lambda path: None, header((4, 1)),
                  b"image_id\n", lambda b: b[:-13], lambda b: b.replace(b"06", b"60"))),
]
# fmt: on


# --- The promise
@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Make an original once; say of a door where it is and what it gives."""
    made = {}

    def get(door):
        if door not in made:
            folder = tmp_path_factory.mktemp("original")
            DOORS[door][0](folder)
            made[door] = folder, DOORS[door][1](folder)
        return made[door]

    return get


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer of one's own, without a network, on which what waits for ever is ended."""

    def no_network(*_):
        raise download.DownloadError("no network in this test. By hand: ...")

    for name in ("home", "here", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    monkeypatch.setattr(download, "fetch_source", no_network)
    for name, value in {"CACHE_DIR": "cache", "RAW_DIR": "raw", "EXTERNAL_IDS": "none"}.items():
        monkeypatch.setattr(data, name, tmp_path / value)
    monkeypatch.setattr(data, "_LISTED", datafiles.LISTED)
    monkeypatch.setattr(quiz, "FOLDER", quiz.FOLDER)
    monkeypatch.setattr(phantom, "load", phantom.load)
    monkeypatch.setattr(files, "PATIENCE", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield tmp_path
    if ALARM:
        signal.alarm(0)


def there(top):
    """Name all that stands in a folder, caches aside, with time and length."""
    paths = [p for p in top.rglob("*") if "cache" not in p.relative_to(top).parts]
    return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_size) for p in paths)


def peak():
    """Return the most memory that this process has had since it was last told to forget it."""
    if not LINUX:
        return 0
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


CORPUS = [*((*case, case[2][:50]) for case in CASES), *of_every_file()]
ALARM, LINUX = hasattr(signal, "SIGALRM"), Path("/proc/self/clear_refs").exists()


@pytest.mark.parametrize("case", CORPUS, ids=[f"{k}-{c[0]}-{c[3]}" for k, c in enumerate(CORPUS)])
def test_the_same_or_an_error_that_helps(case, originals, computer):
    (door, damage, comes, _), (_, ask, error, *_) = case, DOORS[case[0]]
    original, want = originals(door)
    folder = shutil.copytree(original, computer / "files")
    damage(folder)
    (word, *words), before, start = comes.split("|"), there(computer), time.process_time()
    if ALARM:
        signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
        signal.alarm(3 * SECONDS)
    if LINUX:
        Path("/proc/self/clear_refs").write_text("5")
    memory = peak()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            got = ask(folder)
        except Exception as caught:
            said = str(caught)
            assert type(caught).__name__ in (error, "IncompleteError"), repr(caught)
            assert word not in (SAME, IDENTICAL), said
            words = [] if word in (EITHER, ANY) else [word, *words]
            assert CURES.search(said) and len(said) < 1500 and "Traceback" not in said, said
            assert error != "DataError" or str(computer) in said, said
        else:
            said = " ".join(str(w.message) for w in warned if w.category is UserWarning)
            assert word in (SAME, IDENTICAL, EITHER, ANY), f"it was believed: {said}"
            first = isinstance(want, tuple) and word != IDENTICAL  # without the fingerprint
            assert word == ANY or (got[1:] == want[1:] if first else got == want)
    assert all(one in said for one in words), said
    assert time.process_time() - start < SECONDS and peak() - memory < MEMORY
    assert door == "cache" or there(computer) == before, "a file was written or changed"
    kept = [path.name for path in computer.glob("**/cache/*")]
    assert all(re.fullmatch(r"lesions_28_\w+\.npz", name) for name in kept), kept
