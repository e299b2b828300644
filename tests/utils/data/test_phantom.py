"""The phantom: plausible metadata, lesions that resemble themselves, a file that is whole."""

import numpy as np
import pandas as pd
import pytest

from utils.classes import DX
from utils.data import phantom
from utils.data.records import COLUMNS


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    return phantom.sample()


def test_metadata_have_their_form_and_are_plausible(drawn):
    images, labels, metadata = drawn
    assert images.dtype == np.uint8 and labels.dtype == np.int64
    assert isinstance(metadata.index, pd.RangeIndex) and tuple(metadata.columns) == COLUMNS
    assert metadata["image_id"].is_unique
    assert metadata["image_id"].str.fullmatch(r"PHANTOM_\d{7}").all()
    assert (metadata["dx"] == np.array(DX, dtype=object)[labels]).all()
    # The images of a lesion share what is said of it, and stand together.
    same = ["dx", "dx_type", "age", "sex", "localization", "dataset"]
    assert (metadata.groupby("lesion_id")[same].nunique(dropna=False) == 1).all().all()
    starts = metadata["lesion_id"] != metadata["lesion_id"].shift()
    assert starts.sum() == metadata["lesion_id"].nunique()
    assert set(metadata["age"].dropna()) <= set(range(0, 90, 5))
    assert set(metadata["sex"]) == {"male", "female", "unknown"}
    assert set(metadata["localization"]) <= set(phantom.SITES)
    mean_age = metadata.groupby("dx")["age"].mean()
    assert mean_age["nv"] < 50 < 60 < mean_age["akiec"]
    only_biopsied = metadata["dx"].isin(["akiec", "bcc", "mel"])
    assert set(metadata.loc[only_biopsied, "dx_type"]) == {"histo"}


def test_the_seed_decides(drawn):
    again, other = phantom.sample(0), phantom.sample(1)
    assert all(map(np.array_equal, drawn[:2], again[:2])) and drawn[2].equals(again[2])
    assert not np.array_equal(drawn[0], other[0])
    assert np.array_equal(np.bincount(other[1]), np.bincount(drawn[1]))
    assert phantom.fingerprint() == phantom.fingerprint(seed=0) != phantom.fingerprint(seed=1)
    corners = drawn[0][5:13, :7, :7].mean(axis=(1, 2, 3))  # other ones need another CODE_VERSION
    assert corners == pytest.approx([163, 154, 176, 152, 218, 108, 123, 165], abs=1)
