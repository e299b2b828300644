"""The cards say what is stored, and what is stored fits data and weights."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tools.book import splice
from tools.book.course import ROOT
from tools.results import card_measure, cards
from utils import metrics
from utils.classes import DX
from utils.data import load_ham10000
from utils.weights import read_certificate, read_run

CARDS = ("data/README.md", "models/README.md", "reporting-checklist.md")


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture
def stored():
    return cards.stored()


def test_pages_hold_what_the_tool_would_write(stored):
    pages = cards.pages(stored)
    written = {str(path.relative_to(ROOT)): text for path, text in pages.items()}
    assert sorted(written) == sorted(CARDS)
    for name, text in written.items():
        assert page(name) == text, f"{name} is stale: python -m tools.results.cards --pages"


def test_stored_numbers_are_those_of_the_published_weights(stored):
    for name in cards.REAL:
        weights = hashlib.sha256((cards.MODELS / f"{name}.weights.h5").read_bytes()).hexdigest()
        certificate, card = read_certificate(name), stored["cards"][name]
        assert card["weights_sha256"] == weights, f"{name}: python -m tools.results.cards"
        assert (card["data"], card["split"]) == (certificate.data, certificate.split)
        assert card["images"] == certificate.split["test"]
    best = read_certificate("best")
    assert stored["demo"]["certificate"]["weights_sha256"] == best.weights_sha256, "measure_demo"
    fingerprint = best.data["fingerprint"]
    assert stored["counts"]["ham10000"]["fingerprint"] == fingerprint


def test_what_has_moved_is_noticed(stored):
    stored["cards"]["best"]["headline"]["probability / share"]["macro AUC"]["low"] -= 0.01
    assert cards.pages(stored)[cards.CHECKLIST] != page("reporting-checklist.md")


def test_numbers_of_the_stored_answers_are_the_same(stored, monkeypatch):
    """The weights `best` are those of the stored run best-seed-0: two ways to the same numbers."""
    card = stored["cards"]["best"]
    part = read_run("best-seed-0").parts["test"]
    score = metrics.headline(part.labels, part.probabilities, shares=np.array(card["shares"]))
    for key, value in score.items():
        number = card["headline"]["probability / share"][key]
        assert number["value"] == pytest.approx(value, abs=0.002), key
        assert number["low"] <= number["value"] <= number["high"]
    counts = [card["classes"][dx]["images"] for dx in DX]
    assert [sum(row) for row in card["confusion"]] == counts
    mel = card["alarm"]
    assert mel["hit"] + mel["missed"] == card["classes"]["mel"]["images"]
    share = mel["hit"] / (mel["hit"] + mel["missed"])
    assert mel["sensitivity"]["value"] == pytest.approx(share, abs=1e-5)
    monkeypatch.setattr(card_measure, "RESAMPLES", 50)
    warm = card_measure._calibrated(part.labels[::4], part.probabilities[::4], part.lesions[::4])
    for number in warm.values():
        assert number["low"] < number["value"] < number["high"]


def test_the_counts_are_those_of_the_data(stored, request):
    counts = stored["counts"]
    assert counts["phantom"] == card_measure.describe(load_ham10000(source="phantom"))
    dataset = load_ham10000(source=request.getfixturevalue("real_data_folder"))
    # The same images can come in several forms, and Kaggle's metadata lack the column dataset.
    only = dict.fromkeys(("fingerprint", "source"))
    if dataset.metadata["dataset"].isna().all():
        only["dataset"] = None
    assert counts["ham10000"] | only == card_measure.describe(dataset) | only


def test_counts_agree_with_each_other(stored):
    for name in ("ham10000", "phantom"):
        card = stored["counts"][name]
        images = {dx: row["images"] for dx, row in card["classes"].items()}
        for group in ("age", "sex", "site"):
            assert sum(row["images"] for row in card[group].values()) == card["images"] == 10015
            assert sum(row["melanoma images"] for row in card[group].values()) == images["mel"]
        for dx, row in card["classes"].items():
            parts = [row[part]["images"] for part in ("train", "validation", "test")]
            assert sum(parts) == images[dx] == sum(k[dx] for k in card["dx_type"].values())


@pytest.mark.parametrize("number, text", [
    ((0.5, 0.4, 0.6), "0.500 (0.400 to 0.600)"), ((0.5, None, 0.6), "0.500"), ((None,) * 3, "–"),
])  # fmt: skip
def test_an_interval_says_what_is_known(number, text):
    assert splice.cell(dict(zip(("value", "low", "high"), number, strict=True))) == text


def test_no_card_names_a_folder_of_this_computer():
    for path in (*CARDS, "data/card.json", "models/cards.json"):
        assert str(ROOT) not in page(path) and str(Path.home()) + "/" not in page(path)
