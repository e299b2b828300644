"""Subgroups: counted right, silent where there are too few, and honest about chance."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from utils import looking, subgroups
from utils.classes import DX
from utils.metrics import Interval
from utils.subgroups import FEWEST, UNKNOWN, gap_by_chance, patient_groups, subgroup_table

MEL, NV = DX.index("mel"), DX.index("nv")


def test_every_patient_has_one_group_of_each_kind():
    metadata = pd.DataFrame(
        {
            "age": [0, 39.9, 40, 55, 69, 70, 85, np.nan],
            "sex": ["female", "male", None, "unknown", "male", "male", "female", "male"],
            "localization": ["scalp", "back", "hand", "unknown", None, "acral", "lower extremity",
                             "upper extremity"],
        },
        index=[7, 3, 9, 1, 2, 5, 4, 6],
    )  # fmt: skip
    found = patient_groups(metadata)
    assert found["age"].tolist() == ["under 40", "under 40", "40 to 54", "55 to 69", "55 to 69",
                                     "70 and over", "70 and over", UNKNOWN]  # fmt: skip
    assert found["sex"].tolist()[2:4] == [UNKNOWN, UNKNOWN] and found["sex"].iloc[0] == "female"
    assert found["body site"].tolist() == ["head and neck", "trunk", "hand or foot", UNKNOWN,
                                           UNKNOWN, "hand or foot", "leg", "arm"]  # fmt: skip
    assert (found.index == metadata.index).all()


def test_every_site_of_the_data_has_a_group():
    from utils.data import load_ham10000

    dataset = load_ham10000(source="phantom")
    known = dataset.metadata["localization"].dropna()
    sites = {site for part in subgroups.SITES.values() for site in part}
    assert set(known) - sites <= {"unknown"}


@pytest.fixture(scope="module")
def judged():
    """Two images of each of 40 lesions per class; a third of the melanomas are missed, by sex."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 80)
    lesions = np.array([f"L{k // 2:04}" for k in range(len(labels))])
    sex = np.where(np.arange(len(labels)) // 2 % 2 == 0, "female", "male")
    predicted = labels.copy()
    missed = (labels == MEL) & (sex == "male") & (np.arange(len(labels)) % 3 > 0)
    predicted[missed] = NV
    false_alarms = (labels == NV) & (rng.random(len(labels)) < 0.2)
    predicted[false_alarms] = MEL
    return labels, predicted, lesions, sex


def test_shares_and_counts_are_those_of_the_group(judged):
    labels, predicted, lesions, sex = judged
    table = subgroup_table(labels, predicted, lesions, {"sex": sex}, resamples=300)
    assert table["group"].tolist() == ["all", "female", "male"]
    for _, row in table.iterrows():
        member = np.ones(len(labels), bool) if row["group"] == "all" else sex == row["group"]
        mel = member & (labels == MEL)
        assert row["images"] == member.sum() and row["melanomas"] == mel.sum()
        assert row["melanoma lesions"] == len(set(lesions[mel]))
        assert row["sensitivity"].value == pytest.approx((predicted[mel] == MEL).mean())
        rest = member & ~mel & (labels != MEL)
        assert row["specificity"].value == pytest.approx((predicted[rest] != MEL).mean())
        each = [(predicted == labels)[member & (labels == k)].mean() for k in range(7)]
        assert row["balanced accuracy"].value == pytest.approx(np.mean(each))
        for name in ("sensitivity", "specificity", "balanced accuracy"):
            found = row[name]
            assert found.low <= found.value <= found.high
    by_group = table.set_index("group")["sensitivity"]
    assert by_group["male"].high < by_group["female"].low


def test_intervals_know_that_two_images_of_a_lesion_are_one_witness(judged):
    labels, predicted, lesions, sex = judged
    missed = (labels == MEL) & (np.arange(len(labels)) // 2 % 3 == 0)  # whole lesions
    predicted = np.where(missed, NV, labels)
    single = np.arange(len(labels)).astype(str)
    wide, narrow = (
        subgroup_table(labels, predicted, of, {"sex": sex}, resamples=600)["sensitivity"][0]
        for of in (lesions, single)
    )
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_too_few_lesions_give_no_number(judged):
    labels, predicted, lesions, _ = judged
    few = np.full(len(labels), "many")
    mel = np.flatnonzero(labels == MEL)
    few[mel[: 2 * (FEWEST - 1)]] = "few"
    table = subgroup_table(labels, predicted, lesions, {"x": few}, resamples=50)
    row = table.set_index("group").loc["few"]
    assert row["melanoma lesions"] == FEWEST - 1 and math.isnan(row["sensitivity"].value)
    assert str(row["sensitivity"]) == "– (– to –)"
    few[mel[: 2 * FEWEST]] = "few"
    table = subgroup_table(labels, predicted, lesions, {"x": few}, resamples=50)
    row = table.set_index("group").loc["few"]
    assert row["sensitivity"].value == 1.0 or 0 < row["sensitivity"].value < 1
    assert math.isnan(row["balanced accuracy"].value), "no other class in the group"


def test_lengths_must_fit(judged):
    labels, predicted, lesions, sex = judged
    with pytest.raises(ValueError, match="one entry per image"):
        subgroup_table(labels, predicted[:-1], lesions, {"sex": sex})
    with pytest.raises(ValueError, match="groups by sex have 559 entries"):
        subgroup_table(labels, predicted, lesions, {"sex": sex[:-1]}, resamples=5)


def test_gap_is_told_from_chance(judged):
    labels, predicted, lesions, sex = judged
    mel = labels == MEL
    hit = (predicted == MEL)[mel]
    gap, by_lot = gap_by_chance(hit, lesions[mel], sex[mel], shuffles=500)
    assert gap == pytest.approx(hit[sex[mel] == "female"].mean() - hit[sex[mel] == "male"].mean())
    assert (by_lot >= gap).mean() < 0.01
    lot = np.random.default_rng(3).permutation(sex[mel][::2]).repeat(2)
    rare = []
    for seed in range(20):
        noise = np.random.default_rng(seed).random(mel.sum()) < 0.7
        found, chance = gap_by_chance(noise, lesions[mel], lot, shuffles=200, seed=seed)
        rare.append((chance >= found).mean())
    assert 0.2 < np.mean(rare) < 0.8, "by chance, all shares are about equally likely"


def test_small_and_unknown_groups_have_no_gap(judged):
    labels, predicted, lesions, sex = judged
    mel = labels == MEL
    groups = np.where(np.arange(mel.sum()) < 2 * (FEWEST - 1), "few", sex[mel])
    groups[-4:] = UNKNOWN
    hit = np.where(groups == "few", False, True)
    assert gap_by_chance(hit, lesions[mel], groups, shuffles=5)[0] == 0
    with pytest.raises(ValueError, match="fewer than two groups"):
        gap_by_chance(hit, lesions[mel], np.full(mel.sum(), "one"), shuffles=5)


def test_repeatability_tells_measuring_from_differing():
    rng = np.random.default_rng(0)
    lesions = np.array([f"L{k // 2}" for k in range(4000)])
    own = rng.normal(0, 10, 2000).repeat(2)
    same, other = subgroups.repeatability(own + rng.normal(0, 3, 4000), lesions)
    assert same == pytest.approx(3 * math.sqrt(2), rel=0.1)
    assert other == pytest.approx(math.sqrt(2 * (100 + 9)), rel=0.1)


def test_records_keep_an_interval_and_what_is_undefined():
    for found in (Interval(0.5, 0.25, 0.75), Interval(math.nan, math.nan, math.nan)):
        again = subgroups.as_interval(subgroups.as_record(found))
        assert str(again) == str(found)
    assert subgroups.as_record(Interval(math.nan, 0, 1))["value"] is None


# --- What is stored, as text and as figures -------------------------------------------------------


def record(value, spread=0.1):
    return {"value": value, "low": value - spread, "high": value + spread}


def test_stored_intervals_are_said_and_missing_results_are_named(tmp_path):
    assert looking.said(record(0.5)) == "0.50 (0.40 to 0.60)"
    with pytest.raises(
        FileNotFoundError, match=r"x\.json is missing.*python -m tools.results.look_inside"
    ):
        looking.read_results("x.json", folder=tmp_path)


def test_figures_draw_what_is_stored():
    nothing = {"value": None, "low": None, "high": None}
    rows = [
        {"by": "", "group": "all", "images": 90, "melanomas": 9, "sensitivity": record(0.7),
         "specificity": record(0.8)},
        {"by": "age", "group": UNKNOWN, "images": 5, "melanomas": 0, "sensitivity": nothing,
         "specificity": record(0.6)},
    ]  # fmt: skip
    figure = looking.group_intervals(rows)
    left, right = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["all (9 of 90)",
                                                             "age not known (0 of 5)"]  # fmt: skip
    assert right.lines[0].get_xdata().tolist() == [0.8, 0.6]
    assert np.isnan(left.lines[0].get_xdata()[1])

    by_strength = {str(s): {"relative error": record(1 + s / 10)} for s in range(1, 6)}
    found = {m: {"clean": {}, "blur": by_strength, "zoom": by_strength} for m in looking.TWO}
    figure = looking.relative_errors(found)
    assert [axis.get_title() for axis in figure.axes] == ["blur", "zoom"]
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([1.1, 1.2, 1.3, 1.4, 1.5])

    curves = {name: {str(k): record(k / 4) for k in range(5)} for name in "abcd"}
    axis = looking.sanity_curves(curves).axes[0]
    assert axis.lines[0].get_ydata() == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    plt.close("all")
