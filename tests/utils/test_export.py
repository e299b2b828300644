"""The exported model answers as Keras does, and its manifest tells how to use it."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest

from tools.book.course import ROOT
from tools.demo import export_demo
from utils import augment, export, manifest, predict, refusal
from utils.calibration import apply_temperature
from utils.classes import CLASSES, DX
from utils.models import original_cnn, small_resnet
from utils.weights import CertificateError

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
MODELS = ROOT / "models"


@pytest.fixture(scope="module")
def images():
    from utils.data import phantom

    return phantom.sample()[0][::39][:256]


@pytest.fixture(scope="module")
def parts():
    """The published model with both outputs, and all that goes with it."""
    model, certificate = export.published("best")
    borders = refusal.read_refusal("best", sha256=certificate.weights_sha256)
    measured = manifest.read_measured(certificate)
    both = refusal.with_strangeness(model, borders)
    return {"model": both, "certificate": certificate, "refusal": borders, "measured": measured}


@pytest.fixture(scope="module")
def demo(parts, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "made"
    made = export.write_demo(folder, **parts, images=images, images_are="the phantom")
    return folder, made


# --- Exporting and comparing ---------------------------------------------------------------------


def test_a_model_with_one_output_is_exported_too(tmp_path, images):
    model = original_cnn()
    path = export.export_onnx(model, tmp_path / "new" / "a.onnx")
    check = export.check_onnx(path, model, images[:40])
    assert check["images"] == 40 and check["same_class"] == 1
    assert check["largest_difference"] <= export.TOLERANCE


def test_another_model_is_found_out(tmp_path, images):
    path = export.export_onnx(small_resnet(), tmp_path / "a.onnx")
    with pytest.raises(export.ExportError, match="a.onnx does not answer as the model does"):
        export.check_onnx(path, small_resnet(), images[:40])


def test_a_small_difference_without_another_class_is_found_out(tmp_path, images):
    model = small_resnet()
    # All classes equally probable but one: no answer is near 0 or 1, where differences vanish.
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 0.01, bias])
    path = export.export_onnx(model, tmp_path / "a.onnx")
    bias = model.layers[-1].bias
    bias.assign(np.array([0, 0, 0, 0, 0.002, 0, 0], np.float32))
    with pytest.raises(export.ExportError, match="does not answer"):
        export.check_onnx(path, model, images)
    bias.assign(np.zeros(7, np.float32))
    assert export.check_onnx(path, model, images)["same_class"] == 1


def test_lacking_outputs_are_found_out(tmp_path, images, parts):
    path = export.export_onnx(small_resnet(), tmp_path / "a.onnx")
    with pytest.raises(export.ExportError, match="outputs"):
        export.check_onnx(path, parts["model"], images[:4])


# --- The page's folder ---------------------------------------------------------------------------


def test_folder_holds_the_model_and_what_is_known_of_it(demo, parts, images):
    folder, made = demo
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "model.onnx"]
    content = (folder / "model.onnx").read_bytes()
    assert json.loads((folder / "manifest.json").read_text()) == json.loads(json.dumps(made))
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert made["bytes"] == len(content) < 2_000_000
    assert made["check"]["images"] == 256 and made["check"]["same_class"] == 1
    assert made["check"]["largest_difference"] <= 1e-4
    graph = onnx.load(folder / "model.onnx").graph
    assert [i.name for i in graph.input] == [made["input"]["name"]]
    assert {o.name for o in graph.output} == set(made["outputs"].values())
    assert made["certificate"]["weights_sha256"] == parts["certificate"].weights_sha256
    assert "train_lesions" in made["certificate"] and "HAM_" not in json.dumps(made)


def test_classes_are_those_of_the_output_in_its_order(demo):
    _, made = demo
    assert [c["dx"] for c in made["classes"]] == list(DX)
    for told, own in zip(made["classes"], CLASSES, strict=True):
        assert (told["label"], told["malignant"], told["colour"], told["name"]) == (
            own.kaggle_label, own.malignant, own.colour, own.name,
        )  # fmt: skip
        says = told["says"]
        assert says["share"] == pytest.approx(says["right"] / says["said"], abs=1e-4)
        assert says["low"] <= says["share"] <= says["high"]
        assert told["source"].startswith("https://") and len(told["meaning"].split()) >= 8


def test_symmetries_are_those_of_training(demo):
    image = np.random.default_rng(0).integers(0, 255, (28, 28, 3))
    _, made = demo
    for number, how in enumerate(made["symmetries"]):
        turned = np.rot90(image, how["rotate"] // 90)
        turned = turned[:, ::-1] if how["flip"] else turned
        assert np.array_equal(turned, augment.symmetry(image[None], number)[0]), number


def test_manifest_alone_leads_to_the_published_answer(demo, parts, images):
    folder, made = demo
    model, _ = export.published("best")
    wanted = apply_temperature(augment.predict_averaged(model, images[:12]), made["temperature"])
    for image, row in zip(images, wanted, strict=False):
        by_file = predict.predict(image, model=folder)
        by_keras = predict.predict(image)
        for found in (by_file, by_keras):
            assert np.allclose(list(found.probabilities.values()), row, atol=1e-4)
        assert by_file.strangeness == pytest.approx(by_keras.strangeness, abs=1e-4)
        assert by_file.refused == by_keras.refused


def test_a_failed_export_leaves_the_old_folder(parts, images, tmp_path, monkeypatch):
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "manifest.json").write_text("old")

    def refuse(*_):
        raise export.ExportError("no")

    monkeypatch.setattr(export, "check_onnx", refuse)
    with pytest.raises(export.ExportError, match="no"):
        export.write_demo(folder, **parts, images=images, images_are="x")
    assert [p.name for p in tmp_path.iterdir()] == ["demo"]
    assert (folder / "manifest.json").read_text() == "old"


@pytest.mark.parametrize("what", ["refusal", "measured"])
def test_parts_made_for_other_weights_are_refused(parts, images, tmp_path, what):
    moved = dict(parts)
    if what == "refusal":
        made_from = parts["refusal"].made_from | {"weights_sha256": "0"}
        moved["refusal"] = dataclasses.replace(parts["refusal"], made_from=made_from)
    else:
        moved["measured"] = parts["measured"] | {"weights_sha256": "0"}
    with pytest.raises(CertificateError, match=what.split("_")[0]):
        export.write_demo(tmp_path / "demo", **moved, images=images, images_are="x")
    assert list(tmp_path.iterdir()) == []


def test_damaged_folders_are_told(demo, tmp_path):
    folder = tmp_path / "demo"
    with pytest.raises(predict.PredictError, match="manifest.json is missing.*export_demo"):
        predict.onnx_reader(folder)
    shutil.copytree(demo[0], folder)
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(predict.PredictError, match="not the one"):
        predict.onnx_reader(folder)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(predict.PredictError, match="cannot be read"):
        predict.onnx_reader(folder)


def test_damaged_weights_are_not_published(tmp_path):
    for name in ("best.json", "best.weights.h5"):
        shutil.copy(MODELS / name, tmp_path / name)
    assert export.published("best", folder=tmp_path)[1].name == "best"
    (tmp_path / "best.weights.h5").write_bytes(b"other")
    with pytest.raises(CertificateError, match="Get both files again"):
        export.published("best", folder=tmp_path)


# --- The tool ------------------------------------------------------------------------------------


def test_nothing_is_exported_twice_and_everything_that_matters_counts(demo, tmp_path, monkeypatch):
    folder = tmp_path / "demo"
    monkeypatch.setenv("HAM10000_DIR", "phantom")
    assert export_demo.export(folder) is True
    before = (folder / "manifest.json").read_bytes()
    assert export_demo.export(folder) is False
    assert (folder / "manifest.json").read_bytes() == before
    now = export_demo.state()
    assert export_demo.is_current(folder, now)
    assert not export_demo.is_current(folder, "other")
    (folder / "model.onnx").write_bytes(b"half")
    assert not export_demo.is_current(folder, now)
    names = {path.name for path in export_demo.sources()}
    assert {"best.weights.h5", "best-refusal.json", "demo.json", "refusal.py"} <= names


def test_state_depends_on_content(tmp_path):
    for path in export_demo.sources():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    assert export_demo.state(tmp_path) == export_demo.state()
    with (tmp_path / "models" / "demo.json").open("a") as file:
        file.write("\n")
    assert export_demo.state(tmp_path) != export_demo.state()


# --- What was measured ---------------------------------------------------------------------------


def test_stored_numbers_are_about_the_weights_that_are_published(parts):
    weights = hashlib.sha256((MODELS / "best.weights.h5").read_bytes()).hexdigest()
    assert parts["certificate"].weights_sha256 == weights
    for name in ("demo.json", "best-refusal.json"):
        stored = json.loads((MODELS / name).read_text(encoding="utf-8"))
        assert stored["weights_sha256"] == weights, f"{name}: tools.demo.export_demo --measure"
    assert (MODELS / "best-refusal.json").stat().st_size < 200_000


def test_stored_numbers_fit_together(parts):
    measured = parts["measured"]
    told = measured["refusal"]
    answered = told["n_real"] - told["refused_real"]
    assert sum(says["said"] for says in measured["says"].values()) == answered
    assert measured["tested"]["images"] == answered
    right = sum(says["right"] for says in measured["says"].values())
    assert measured["tested"]["accuracy"]["value"] == pytest.approx(right / answered, abs=1e-4)
    assert told["refused_real"] / told["n_real"] <= 0.05
    assert told["refused_validation"] / told["n_validation"] <= 0.031
    assert told["auc"] >= 0.97
    assert max(told["chosen_by"], key=told["chosen_by"].get) == f"stage {refusal.STAGE + 1}"
    shares = told["by_kind"].values()
    strangers = sum(round(share * told["per_kind"]) for share in shares)
    assert strangers == told["refused_strangers"]
    assert told["n_strangers"] == told["per_kind"] * len(told["by_kind"]) >= 300


def test_stored_numbers_are_those_of_the_real_images(real_data_folder, parts):
    from utils import calibration, data, splits
    from utils.weights import check_certificate

    dataset = data.load_ham10000()
    if dataset.is_phantom:
        pytest.skip("no real images")
    split = splits.lesion_split(dataset)
    check_certificate(parts["certificate"], dataset, split.test)
    found, strange = refusal.answer_averaged(parts["model"], dataset.images[split.test])
    measured = parts["measured"]
    assert (strange > parts["refusal"].threshold).sum() == measured["refusal"]["refused_real"]
    answered = strange <= parts["refusal"].threshold
    called = calibration.apply_temperature(found, measured["temperature"]).argmax(axis=1)
    labels = dataset.labels[split.test]
    for c in CLASSES:
        said = answered & (called == c.kaggle_label)
        assert said.sum() == measured["says"][c.dx]["said"]
        assert (labels[said] == c.kaggle_label).sum() == measured["says"][c.dx]["right"]
    validation, _ = refusal.answer_averaged(parts["model"], dataset.images[split.validation])
    fitted = calibration.fit_temperature(dataset.labels[split.validation], validation)
    assert fitted == pytest.approx(measured["temperature"], rel=1e-3)
