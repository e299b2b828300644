"""The stored results of chapters 11 and 12 fit weights, data and the chapters' functions."""

import ast
import json
from pathlib import Path

import pytest

from tools.book.course import real_images
from tools.results import look_inside
from utils.splits import lesion_split
from utils.weights import read_certificate

STORED = json.loads(look_inside.FILE.read_text(encoding="utf-8"))
AGAIN = "run python -m tools.results.look_inside"


def test_stored_results_fit_weights_runs_and_code():
    wanted = look_inside.made_from_files()
    assert set(STORED) == {"made_from", *wanted}
    for part, now in wanted.items():
        for what, values in now.items():
            assert STORED["made_from"][part][what] == values, f"{part}, other {what}: {AGAIN}"


def test_stored_results_were_made_from_the_data_that_stands_here(real_data_folder):
    dataset = real_images()
    for part in STORED["made_from"].values():
        if part["data"] != dataset.fingerprint:
            pytest.skip("the stored results were made from other files of the same images")
        assert part["split"] == lesion_split(dataset).fingerprint, AGAIN


@pytest.mark.parametrize("change, same", [
    (("MOST = 3", "MOST = 4"), False), (("+ MOST", "- MOST"), False), (("+ 1", "- 1"), False),
    (("# why", "# because"), True), (("Doc.", "More."), True), (("x * 2", "x * 3"), True),
])  # fmt: skip
def test_results_are_named_by_the_functions_it_reaches(change, same):
    source = (
        'MOST = 3\ndef inner(x):\n    return x + MOST\n\ndef outer(x):\n    """Doc."""\n'
        "    return inner(x) + 1  # why\n\ndef other(x):\n    return x * 2\n"
    )
    texts = (source, source.replace(*change))
    before, after = (look_inside.code_hash(text, ["outer"]) for text in texts)
    assert (before == after) is same


def test_every_function_of_the_chapters_that_is_used_counts():
    tree = ast.parse(Path(look_inside.__file__).read_text(encoding="utf-8"))
    taken = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
             and ast.unparse(node.value) in ("inside", "whom")}  # fmt: skip
    counted = set(look_inside.FUNCTIONS.split())
    # Reached through those that are listed, or asked for by name.
    inner = {"saliency", "stages", "ARTEFACTS", "FEWEST", "AGES", "SITES", "UNKNOWN"}
    assert taken <= counted | inner and counted <= taken | {"smoothgrad", "grad_cam", "occlusion"}


def test_random_weights_are_not_those_that_a_training_began_with():
    seeds = {read_certificate(name).seed for name in look_inside.WEIGHTS}
    in_chapter = look_inside.inside.randomised.__defaults__[1]
    assert not seeds & {in_chapter, *look_inside.RANDOM_SEEDS}
