"""The exported model answers as Keras does; its manifest and the stored numbers fit the weights."""

import hashlib
import json
from functools import partial

import numpy as np
import pytest

from tools.book.course import ROOT, ChapterError
from tools.demo import export_demo, measure_demo
from utils import calibration
from utils.classes import CLASSES, DX
from utils.data import load_ham10000
from utils.data.phantom import sample
from utils.refusal import answer_averaged, ask, published
from utils.splits import lesion_split
from utils.weights import check_certificate, read_certificate

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
MODELS = ROOT / "models"
chapter = measure_demo.chapter


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "made"
    assert export_demo.export(folder) is True
    return folder


@pytest.fixture(scope="module")
def manifest(exported):
    return json.loads((exported / "manifest.json").read_text(encoding="utf-8"))


def test_folder_holds_the_model_and_what_is_known_of_it(exported, manifest):
    names = ["large.onnx", "manifest.json", "model.onnx"]
    assert sorted(p.name for p in exported.iterdir()) == names
    content = (exported / "model.onnx").read_bytes()
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["bytes"] == len(content) < 2_000_000
    check = manifest["check"]
    assert check["images"] == 256 and check["same_class"] == 1
    assert check["largest_difference"] <= 1e-4
    graph = onnx.load(exported / "model.onnx").graph
    assert [i.name for i in graph.input] == [manifest["input"]["name"]]
    assert {o.name for o in graph.output} == set(manifest["outputs"].values())
    assert "HAM_" not in json.dumps(manifest)


def test_the_larger_network_is_small_enough_and_what_is_said_of_it_was_measured(exported, manifest):
    large, file = manifest["large"], exported / "large.onnx"
    assert large["bytes"] == file.stat().st_size < 7_000_000 and large["check"]["same_class"] == 1
    assert large["check"]["largest_difference"] <= 5e-3
    cards = json.loads((MODELS / "cards.json").read_text(encoding="utf-8"))
    for name in ("best", "transfer"):
        assert large[name] == cards[name]["headline"]["most probable class"]
    assert large["temperature"] == cards["transfer"]["calibration"]["temperature"]
    answer = [np.full((2, 7), 1 / 7)]
    with pytest.raises(ChapterError, match="large.onnx does not answer"):
        other, tolerance = [answer[0] + 6e-3], export_demo.HALF_TOLERANCE
        compare = partial(export_demo.compare, path=file, tolerance=tolerance)
        compare(lambda _: answer, lambda _: other, answer[0])


def test_another_answer_is_refused(exported, manifest):
    path, images = exported / "model.onnx", sample()[0][::39][:256].astype(np.float32)
    by_file = export_demo.asker(path, manifest)
    model = partial(ask, published()[0])
    compare = partial(export_demo.compare, path=path, tolerance=export_demo.TOLERANCE)
    assert compare(by_file, model, images)["check"]["same_class"] == 1

    def off(views, *, probability=0.0, strangeness=0.0):
        p, s = model(views)
        return p + probability, s + strangeness

    def other_class(views):
        p, s = model(views)
        return p[:, ::-1], s

    # A difference that is too small to change a class counts too, in either output.
    far = {"probability": 2e-4}, {"strangeness": 2e-4}, {"strangeness": np.nan}
    for wrong in (other_class, *(partial(off, **by) for by in far)):
        with pytest.raises(ChapterError, match="model.onnx does not answer as the mo"):
            compare(by_file, wrong, images)


def test_nothing_is_exported_twice_and_everything_that_matters_counts(exported, tmp_path):
    before = (exported / "manifest.json").read_bytes()
    assert export_demo.export(exported) is False
    assert (exported / "manifest.json").read_bytes() == before
    for name in export_demo.SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert not export_demo.is_current(exported, tmp_path)
    (tmp_path / "made").mkdir()
    for name in ("manifest.json", "large.onnx", "model.onnx"):
        assert not export_demo.is_current(tmp_path / "made", tmp_path)
        (tmp_path / "made" / name).touch()
    assert export_demo.is_current(tmp_path / "made", tmp_path)


def test_a_failed_export_leaves_the_old_files_and_says_why(tmp_path, monkeypatch):
    (tmp_path / "manifest.json").write_text("old")
    monkeypatch.setattr(export_demo, "TOLERANCE", -1)
    monkeypatch.setattr(export_demo, "is_current", lambda folder: False)
    with pytest.raises(ChapterError, match="does not answer"):
        export_demo.export(tmp_path)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


@pytest.fixture(scope="module")
def stored():
    """The manifest of the published weights, with what was measured of them."""
    return json.loads((MODELS / "best-manifest.json").read_text(encoding="utf-8"))


def test_manifest_is_what_the_tool_would_write(stored):
    certificate = read_certificate("best")
    refusal = json.loads((MODELS / "best-refusal.json").read_text(encoding="utf-8"))
    assert refusal["weights_sha256"] == certificate.weights_sha256, "tools.demo.measure_demo"
    says = {c["dx"]: c["says"] for c in stored["classes"]}
    threshold = {"refusal": {"threshold": refusal["threshold"]}}
    assert measure_demo.filled(stored, certificate, says, threshold) == stored
    assert (MODELS / "best-refusal.json").stat().st_size < 200_000


def test_stored_numbers_fit_together(stored):
    refusal, said = stored["refusal"], [c["says"] for c in stored["classes"]]
    answered = refusal["n_real"] - refusal["refused_real"]
    assert sum(says["said"] for says in said) == answered
    assert stored["tested"]["images"] == answered
    right = sum(says["right"] for says in said)
    assert stored["tested"]["accuracy"]["value"] == pytest.approx(right / answered, abs=1e-4)
    assert refusal["refused_real"] / refusal["n_real"] <= 0.05
    assert refusal["refused_validation"] / refusal["n_validation"] <= 0.031
    assert refusal["auc"] >= 0.97
    assert max(refusal["chosen_by"], key=refusal["chosen_by"].get) == "stage 1"
    # The chapter draws the same strangers as were measured on, and refuses as many of each kind.
    (model, manifest), (images, kinds) = published(), chapter.strangers(chapter.KINDS)
    strange = answer_averaged(model, images)[1] > manifest["refusal"]["threshold"]
    refused = {kind: round(float(strange[kinds == kind].mean()), 4) for kind in chapter.KINDS}
    assert refused == refusal["by_kind"]
    strangers = sum(round(share * refusal["per_kind"]) for share in refusal["by_kind"].values())
    assert strangers == refusal["refused_strangers"]
    assert refusal["n_strangers"] == refusal["per_kind"] * len(refusal["by_kind"]) >= 300


def test_stored_numbers_are_those_of_the_real_images(real_data_folder, stored):
    dataset = load_ham10000(source=real_data_folder)
    split = lesion_split(dataset)
    check_certificate(read_certificate("best"), dataset, split.test)
    model, manifest = published()
    threshold, said = manifest["refusal"]["threshold"], [c["says"] for c in stored["classes"]]
    probabilities, strange = answer_averaged(model, dataset.images[split.test])
    assert (strange > threshold).sum() == stored["refusal"]["refused_real"]
    called = calibration.apply_temperature(probabilities, stored["temperature"]).argmax(axis=1)
    labels = dataset.labels[split.test]
    for c in CLASSES:
        rows = (strange <= threshold) & (called == c.kaggle_label)
        assert rows.sum() == said[c.kaggle_label]["said"]
        assert (labels[rows] == c.kaggle_label).sum() == said[c.kaggle_label]["right"]
        assert (labels[rows] == DX.index("mel")).sum() == said[c.kaggle_label]["melanomas"]
    validation, strange = answer_averaged(model, dataset.images[split.validation])
    fitted = calibration.fit_temperature(dataset.labels[split.validation], validation)
    assert fitted == pytest.approx(stored["temperature"], rel=1e-3)
    assert np.quantile(strange, 0.97) == pytest.approx(threshold, rel=1e-5)


def test_strangers_are_of_every_kind_and_the_two_parts_are_apart():
    sets = []
    for kinds, part in ((chapter.KINDS, 1), (measure_demo.choosing(), 0)):
        images, names = chapter.strangers(kinds, per_kind=6, part=part)
        assert images.shape == (6 * len(kinds), 28, 28, 3) and images.dtype == np.uint8
        assert list(dict.fromkeys(names.tolist())) == list(kinds)
        sets.append(({image.tobytes() for image in images}, set(kinds)))
        assert len(sets[-1][0]) == len(images), "the same picture twice"
        # More of a kind does not change the first ones.
        fewer, _ = chapter.strangers(kinds, per_kind=2, part=part)
        assert np.array_equal(fewer[:2], images[:2]) and np.array_equal(fewer[-2:], images[-6:-4])
    assert not sets[0][0] & sets[1][0] and not sets[0][1] & sets[1][1]
