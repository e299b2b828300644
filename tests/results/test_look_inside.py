"""The stored results of chapter 10 fit the weights, the data and the chapter's functions."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from tools.book.course import real_images
from tools.results import look_inside
from utils.splits import lesion_split
from utils.weights import read_certificate

STORED = json.loads(look_inside.FILE.read_text(encoding="utf-8"))
AGAIN = "are out of date: run python -m tools.results.look_inside"


def test_stored_results_fit_weights_runs_and_code():
    assert set(STORED) == {"made_from", *look_inside.PARTS}
    old = look_inside.stale(STORED, look_inside.made_from_files())
    assert not old, f"{old} {AGAIN}"


def test_stored_results_were_made_from_the_data_that_stands_here(real_data_folder):
    dataset = real_images()
    if STORED["made_from"]["data"] != dataset.fingerprint:
        pytest.skip("the stored results were made from other files of the same images")
    assert STORED["made_from"]["split"] == lesion_split(dataset).fingerprint, f"they {AGAIN}"


def test_other_weights_and_other_code_are_noticed():
    now, parts = look_inside.made_from_files(), dict.fromkeys(look_inside.PARTS, {})
    assert set(look_inside.CODE) == set(look_inside.PARTS)
    assert look_inside.stale({"made_from": now, **parts}, now) == []
    other = {**now, "weights": {**now["weights"], "best": "0" * 64}}
    assert look_inside.stale({"made_from": other, **parts}, now) == list(look_inside.PARTS)
    other = {**now, "code": {**now["code"], "subgroups": "0" * 16}}
    assert look_inside.stale({"made_from": other, **parts}, now) == ["subgroups"]
    assert look_inside.stale({"made_from": now}, now) == list(look_inside.PARTS)


@pytest.mark.parametrize(
    ("change", "same"),
    [(("MOST = 3", "MOST = 4"), False), (("+ MOST", "- MOST"), False), (("+ 1", "- 1"), False),
     (("# why", "# because"), True), (("Doc.", "More."), True), (("x * 2", "x * 3"), True)],
)  # fmt: skip
def test_a_part_is_named_by_the_functions_it_reaches(change, same):
    source = (
        'MOST = 3\ndef inner(x):\n    return x + MOST\n\ndef outer(x):\n    """Doc."""\n'
        "    return inner(x) + 1  # why\n\ndef other(x):\n    return x * 2\n"
    )
    before, after = (
        look_inside.code_hash(text, ["outer"]) for text in (source, source.replace(*change))
    )
    assert (before == after) is same


def test_every_function_of_the_chapter_that_is_used_counts():
    tree = ast.parse(Path(look_inside.__file__).read_text(encoding="utf-8"))
    taken = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
             and ast.unparse(node.value) == "chapter"}  # fmt: skip
    counted = " ".join(look_inside.CODE.values()).split()
    # Reached through those that are listed.
    inner = {"saliency", "stages", "share", "ARTEFACTS", "FEWEST"}
    assert taken <= {*counted, *inner} and set(counted) <= taken | {"judge"}


def test_random_weights_are_not_those_that_a_training_began_with():
    seeds = {read_certificate(name).seed for name in look_inside.WEIGHTS}
    in_chapter = look_inside.chapter.randomised.__defaults__[1]
    assert not seeds & {in_chapter, *look_inside.RANDOM_SEEDS}


IMAGES = np.random.default_rng(0).integers(90, 180, (30, 28, 28, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("clinic", "most", "least"),
    [("warmer", 0, 2), ("cooler", 2, 0), ("greener", 1, 0), ("pinker", 0, 1)],
)
def test_clinics_shift_all_images_the_same_way(clinic, most, least):
    gains = np.median(look_inside.colour_cast(IMAGES, clinic, 2) / IMAGES, axis=(1, 2))
    assert gains.std(axis=0).max() < 0.02
    assert gains.mean(axis=0)[most] > 1.02 and gains.mean(axis=0)[least] < 0.98


def test_skin_gets_the_colour_that_is_wanted():
    skin = look_inside.with_skin(IMAGES, np.array([150, 130, 140]))
    rim = look_inside.chapter.rim_colour(skin)
    assert rim == pytest.approx(np.broadcast_to([150, 130, 140], (30, 3)), abs=2)
