import dataclasses

import numpy as np
import pandas as pd
import pytest
from small_dataset import small_dataset

from utils.splits import DUPLICATE_PAIRS, image_split, lesion_folds, lesion_groups, lesion_split


def parts(split):
    return split.train, split.validation, split.test


def test_every_image_is_in_exactly_one_part_and_no_lesion_crosses():
    dataset = small_dataset(lesions_per_class=40)
    split = lesion_split(dataset)
    everything = np.sort(np.concatenate(parts(split)))
    assert np.array_equal(everything, np.arange(len(dataset.labels)))
    groups = lesion_groups(dataset.metadata)
    seen = [set(groups[part]) for part in parts(split)]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_shares_are_right_in_every_class():
    dataset = small_dataset(lesions_per_class=100)
    split = lesion_split(dataset, validation=0.1, test=0.2)
    whole = np.bincount(dataset.labels)
    for part, share in zip(parts(split), (0.7, 0.1, 0.2), strict=True):
        found = np.bincount(dataset.labels[part], minlength=7)
        assert np.all(np.abs(found - share * whole) <= 2), (share, found, whole)


def test_seed_decides_and_row_order_does_not():
    dataset = small_dataset()
    order = np.random.default_rng(1).permutation(len(dataset.labels))
    shuffled = dataclasses.replace(
        dataset,
        images=dataset.images[order],
        labels=dataset.labels[order],
        metadata=dataset.metadata.iloc[order].reset_index(drop=True),
    )
    first, again, other = (
        lesion_split(d, seed=s) for d, s in ((dataset, 0), (shuffled, 0), (dataset, 1))
    )
    assert first.fingerprint == again.fingerprint != other.fingerprint
    ids = dataset.metadata["image_id"]
    assert set(ids[first.test]) == set(shuffled.metadata["image_id"][again.test])


def test_known_duplicates_become_one_lesion():
    assert len(DUPLICATE_PAIRS) == 18
    a, b = DUPLICATE_PAIRS[0]
    metadata = pd.DataFrame(
        {"image_id": [a, b, "ISIC_1", "ISIC_2"], "lesion_id": ["H9", "H2", "H9", "H3"]}
    )
    assert lesion_groups(metadata).tolist() == ["H2", "H2", "H2", "H3"]


def test_missing_lesion_ids_are_refused_with_the_way_out():
    dataset = small_dataset()
    metadata = dataset.metadata.assign(lesion_id=None)
    with pytest.raises(ValueError, match="lesion_id is missing .* official zips"):
        lesion_split(dataclasses.replace(dataset, metadata=metadata))


@pytest.mark.parametrize("shares", [(0.0, 0.2), (0.1, 0.0), (0.5, 0.5), (-0.1, 0.2)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match="above 0 and together below 1"):
        lesion_split(small_dataset(), validation=shares[0], test=shares[1])


def test_a_class_with_two_lesions_is_refused_by_name():
    with pytest.raises(ValueError, match="class 'akiec' has 2 lesions"):
        lesion_split(small_dataset(lesions_per_class=2))


def test_three_lesions_a_class_fill_all_parts():
    split = lesion_split(small_dataset(lesions_per_class=3))
    dataset = small_dataset(lesions_per_class=3)
    for part in parts(split):
        assert np.all(np.bincount(dataset.labels[part], minlength=7) > 0)


def test_folds_judge_every_image_once_and_keep_lesions_together():
    dataset = small_dataset(lesions_per_class=30)
    folds = lesion_folds(dataset, folds=5, seed=2)
    judged = np.concatenate([fold.test for fold in folds])
    assert np.array_equal(np.sort(judged), np.arange(len(dataset.labels)))
    groups = lesion_groups(dataset.metadata)
    for fold in folds:
        assert len(fold.validation) == 0
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert len(fold.train) + len(fold.test) == len(dataset.labels)
        assert np.all(np.bincount(dataset.labels[fold.test], minlength=7) > 0)
    assert len({fold.fingerprint for fold in folds}) == 5


def test_folds_do_not_depend_on_the_order_of_the_rows():
    dataset = small_dataset()
    order = np.random.default_rng(1).permutation(len(dataset.labels))
    shuffled = dataclasses.replace(
        dataset,
        images=dataset.images[order],
        labels=dataset.labels[order],
        metadata=dataset.metadata.iloc[order].reset_index(drop=True),
    )
    first = [fold.fingerprint for fold in lesion_folds(dataset)]
    assert first == [fold.fingerprint for fold in lesion_folds(shuffled)]
    assert first != [fold.fingerprint for fold in lesion_folds(dataset, seed=1)]


@pytest.mark.parametrize("folds", [1, 21])
def test_impossible_number_of_folds_is_refused(folds):
    with pytest.raises(ValueError, match="folds must be 2 to 20"):
        lesion_folds(small_dataset(lesions_per_class=20), folds=folds)


def test_image_split_cuts_images_and_lets_lesions_cross():
    dataset = small_dataset(lesions_per_class=60)
    split = image_split(dataset, test=0.25, seed=0)
    assert len(split.test) == round(0.25 * len(dataset.labels))
    both = np.sort(np.concatenate([split.train, split.test]))
    assert np.array_equal(both, np.arange(len(dataset.labels)))
    groups = lesion_groups(dataset.metadata)
    assert set(groups[split.train]) & set(groups[split.test])
    assert split.fingerprint != image_split(dataset, test=0.25, seed=1).fingerprint
    with pytest.raises(ValueError, match="between 0 and 1"):
        image_split(dataset, test=1)


def test_the_table_stays_as_it_is_when_duplicates_are_merged():
    dataset = small_dataset(lesions_per_class=5)
    metadata = dataset.metadata.copy()
    for lesion, image in zip(metadata["lesion_id"].unique(), DUPLICATE_PAIRS[0], strict=False):
        metadata.loc[(metadata["lesion_id"] == lesion).idxmax(), "image_id"] = image
    before = metadata.copy(deep=True)
    groups = lesion_groups(metadata)
    assert (groups != before["lesion_id"].astype(str)).sum() > 0, "nothing was merged"
    pd.testing.assert_frame_equal(metadata, before)
