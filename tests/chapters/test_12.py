"""What chapter 12 defines: groups of patients, shares, areas, gaps by lot, recalibration."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tools.book.course import definitions
from utils.classes import DX
from utils.data import load_ham10000

chapter = definitions("12")
MEL = DX.index("mel")


def test_every_patient_has_one_group_of_each_kind():
    no = "not known"
    columns = ["age", "age group", "sex", "sex group", "localization", "site group"]
    rows = [
        (0, "under 40", "female", "female", "scalp", "head and neck"),
        (39.9, "under 40", "male", "male", "back", "trunk"),
        (40, "40 to 54", None, no, "hand", "hand or foot"),
        (55, "55 to 69", "unknown", no, "unknown", no),
        (69, "55 to 69", "male", "male", None, no),
        (70, "70 and over", "male", "male", "acral", "hand or foot"),
        (85, "70 and over", "female", "female", "lower extremity", "leg"),
        (np.nan, no, "male", "male", "upper extremity", "arm"),
    ]
    metadata = pd.DataFrame(rows, columns=columns, index=[7, 3, 9, 1, 2, 5, 4, 6])
    groups = chapter.patient_groups(metadata)
    for ours, expected in zip(("age", "sex", "body site"), columns[1::2], strict=True):
        assert groups[ours].tolist() == metadata[expected].tolist()
    assert (groups.index == metadata.index).all()
    known = set(load_ham10000(source="phantom").metadata["localization"].dropna())
    assert known - {site for sites in chapter.SITES.values() for site in sites} <= {"unknown"}


@pytest.fixture(scope="module")
def judged():
    """Two images of each of 40 lesions per class; a third of the melanomas are missed, by sex."""
    rng, number = np.random.default_rng(0), np.arange(560)
    labels, lesions = number // 80, np.array([f"L{k // 2:04}" for k in number])
    sex = np.where(number // 2 % 2 == 0, "female", "male")
    called = labels == MEL
    called[(labels == MEL) & (sex == "male") & (number % 3 > 0)] = False
    called[(labels != MEL) & (rng.random(560) < 0.2)] = True
    return labels, called, lesions, sex


def test_shares_and_counts_are_those_of_the_group(judged):
    labels, called, lesions, sex = judged
    melanoma, rows = labels == MEL, {}
    weights = chapter.resamples_of(melanoma, lesions, 300)
    assert weights.shape == (560, 301) and (weights[:, 0] == 1).all()
    assert np.array_equal(weights[::2], weights[1::2]) and np.ptp(weights) > 1, "lesions are whole"
    for name in ("female", "male"):
        member = sex == name
        row = rows[name] = chapter.judge(member, melanoma, called, lesions, weights)
        assert (row["images"], row["melanomas"]) == (280, 40)
        assert row["sensitivity"].value == pytest.approx(called[member & melanoma].mean())
        assert row["specificity"].value == pytest.approx((~called)[member & ~melanoma].mean())
        assert all(r.low < r.value < r.high or r.value in (0, 1) for r in [row["specificity"]])
    assert rows["male"]["sensitivity"].high < rows["female"]["sensitivity"].low
    for count in (9, 10):
        few = np.isin(np.arange(560), np.flatnonzero(melanoma)[: 2 * count])
        row = chapter.judge(few, melanoma, called, lesions, weights)
        assert np.isnan(row["sensitivity"].value) == (count < 10)
        assert str(row["specificity"]) == "– (– to –)"


def test_areas_are_those_of_scikit_learn_and_leave_out_rare_classes(judged):
    labels, _, lesions, _ = judged
    rng = np.random.default_rng(1)
    answers = rng.dirichlet(np.ones(7), 560) + 0.3 * np.eye(7)[labels]
    weights = chapter.resamples_of(labels == MEL, lesions, 20)
    each = [roc_auc_score(labels == k, answers[:, k]) for k in range(7)]
    area = chapter.areas(labels, answers, lesions, weights)
    assert area["all classes"][0] == pytest.approx(np.mean(each))
    assert area["melanoma"][0] == pytest.approx(each[MEL])
    again = roc_auc_score(labels == MEL, answers[:, MEL], sample_weight=weights[:, 7])
    assert area["melanoma"][7] == pytest.approx(again)
    few = (labels > 0) | (np.arange(560) < 8)  # four lesions of the first class
    area = chapter.areas(labels[few], answers[few], lesions[few], weights[few])
    each = [roc_auc_score(labels[few] == k, answers[few, k]) for k in range(1, 7)]
    assert area["all classes"][0] == pytest.approx(np.mean(each))


def test_a_difference_is_told_from_chance(judged):
    labels, called, lesions, sex = judged
    mel = labels == MEL
    table = chapter.by_lesion(called[mel], lesions[mel], sex[mel])
    assert len(table) == 40 and table["images"].eq(2).all()
    gap, as_large = chapter.contrast(table, "male", shuffles=500)
    expected = called[mel & (sex == "male")].mean() - called[mel & (sex == "female")].mean()
    assert gap == pytest.approx(expected) and as_large < 0.01
    lot, rare = np.random.default_rng(3).permutation(sex[::2][:40]).repeat(2), []
    for seed in range(20):
        noise = np.random.default_rng(seed).random(80) < 0.7
        noisy = chapter.by_lesion(noise, lesions[mel], lot)
        rare.append(chapter.contrast(noisy, "male", shuffles=200)[1])
    assert 0.2 < np.mean(rare) < 0.8, "by chance, all shares are about equally likely"
    unknown = np.where(np.arange(80) < 4, "not known", sex[mel])
    assert len(chapter.by_lesion(called[mel], lesions[mel], unknown)) == 38


def test_a_shift_brings_promises_to_what_is_there():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.01, 0.6, 4000)
    melanoma, first = rng.random(4000) < p / 2, np.arange(4000) < 2000
    mended = chapter.shifted(p, melanoma, first)
    assert mended[first].sum() == pytest.approx(melanoma[first].sum())
    assert (np.argsort(mended) == np.argsort(p)).all()
    honest = rng.random(4000) < p
    assert chapter.slope_of(p, honest) == pytest.approx(1, abs=0.15)
    assert chapter.slope_of(p**2 / (p**2 + (1 - p) ** 2), honest) == pytest.approx(0.5, abs=0.08)


def test_skin_is_lighter_than_three_of_four_pixels():
    image = np.full((1, 28, 28, 3), 200, np.uint8)
    image[0, 6:22, 6:22] = (90, 60, 50)
    assert chapter.skin_brightness(image) == pytest.approx(200)
