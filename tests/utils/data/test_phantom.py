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
    assert metadata["lesion_id"].str.fullmatch(r"PHANTOM_L\d{6}").all()
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
    on_the_face = (metadata["localization"] == "face").groupby(metadata["dx"]).mean()
    assert on_the_face["akiec"] > 5 * on_the_face["nv"]
    only_biopsied = metadata["dx"].isin(["akiec", "bcc", "mel"])
    assert set(metadata.loc[only_biopsied, "dx_type"]) == {"histo"}


def test_the_seed_decides(drawn):
    again = phantom.sample(0)
    assert np.array_equal(drawn[0], again[0])
    assert np.array_equal(drawn[1], again[1])
    pd.testing.assert_frame_equal(drawn[2], again[2])
    other = phantom.sample(1)
    assert not np.array_equal(drawn[0], other[0])
    assert np.array_equal(np.bincount(other[1]), np.bincount(drawn[1]))
    assert phantom.fingerprint() == phantom.fingerprint(seed=0) != phantom.fingerprint(seed=1)


def test_images_of_a_lesion_resemble_each_other(drawn):
    images, _, metadata = drawn
    flat = images.reshape(len(images), -1).astype(np.float32)
    lesion = metadata["lesion_id"].to_numpy()
    pairs = np.flatnonzero(lesion[:-1] == lesion[1:])
    within = np.linalg.norm(flat[pairs] - flat[pairs + 1], axis=1)
    rng, dx, between = np.random.default_rng(0), metadata["dx"].to_numpy(), []
    for row in pairs:  # against another lesion of the same class
        choice = np.flatnonzero((dx == dx[row]) & (lesion != lesion[row]))
        between.append(np.linalg.norm(flat[row] - flat[rng.choice(choice)]))
    # The real images have 0.74 here; lesions whose images share no random numbers about 0.86.
    assert 0.6 < np.median(within) / np.median(between) < 0.78
    assert within.min() > 100, "two images of a lesion are never the same image"
    assert images.std(axis=(1, 2, 3)).min() > 3, "no image is a plain surface"


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: None,
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:5000] + b"flipped!" + whole[5008:],
        lambda whole: b"<html>404</html>",
    ],
)
def test_missing_or_damaged_parameters_are_named(tmp_path, damage):
    path = tmp_path / "phantom.npz"
    content = damage(phantom.PARAMETERS.read_bytes())
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"phantom\.npz is missing or damaged.*git checkout"):
        phantom.sample(path=path)
