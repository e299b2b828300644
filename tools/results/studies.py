"""`make studies`: the long runs whose results chapters 6 to 8 show, made once and stored.

Each run is stored as soon as it is finished, so a stopped command goes on where it was. A run
that fits its recipe, data and split is not made again.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tools.book.course import environment
from utils.files import replace_file

os.environ.update(environment())

from tools.results import older_notebook  # noqa: E402
from utils import studies, training  # noqa: E402
from utils.augment import predict_averaged  # noqa: E402
from utils.data import DataError, LesionImages, load_ham10000  # noqa: E402
from utils.models import BUILDERS, small_resnet  # noqa: E402
from utils.splits import (  # noqa: E402
    Split,
    image_split,
    lesion_folds,
    lesion_groups,
    lesion_split,
)
from utils.studies import Judged  # noqa: E402
from utils.training import BEST, ORIGINAL, Recipe  # noqa: E402
from utils.weights import (  # noqa: E402
    MODELS,
    RUNS,
    BirthCertificate,
    make_certificate,
    read_certificate,
)

SEEDS, FOLDS = 5, 5
# A fourth of the images to choose by: of the rare classes ten images would decide too little.
# The test lesions are those of every other split with seed 0, and stay untouched.
TO_CHOOSE_BY = 0.25
# The comparison with larger images, where the data source has them. Only it needs this network.
PIXELS = 64
BUILDERS[f"small_resnet_{PIXELS}"] = partial(small_resnet, size=PIXELS)


@dataclass(frozen=True)
class Study:
    """One run: its name, what it must have been made from, and the function that makes it."""

    name: str
    dataset: LesionImages
    recipe: dict
    split: Split
    seed: int
    make: Callable[[], tuple[BirthCertificate, dict[str, Judged]]]

    def stale(self) -> str:
        """Say why the stored run cannot stand, in a few words; empty where it can."""
        if self.name not in studies.names():
            return "not made yet"
        certificate = studies.read_contaminated_run(self.name).certificate
        if certificate.recipe != self.recipe or certificate.seed != self.seed:
            return "made with another recipe"
        if certificate.data["fingerprint"] != self.dataset.fingerprint:
            return "made from other data"
        if certificate.split["fingerprint"] != self.split.fingerprint:
            return "made on another split"
        return ""


def ablation() -> dict[str, Recipe]:
    """Return the steps of chapter 8, from the older recipe to the course's, by name.

    Each changes one thing of a step before it. Those with ``-or-`` in their names are roads not
    taken. Up to the last but one, about the same number of images is shown.
    """
    steps: dict[str, Recipe] = {}

    def add(name: str, recipe: Recipe, **changes) -> Recipe:
        steps[f"step-{name}"] = changed = dataclasses.replace(recipe, **changes)
        return changed

    recipe = add("00-original", ORIGINAL, epochs=4)
    recipe = add("01-scaled-input", recipe, network="scaled_cnn")
    recipe = add("02-symmetries", recipe, symmetries=True)
    recipe = add("03-shift", recipe, shift=BEST.shift)
    recipe = add("04-light-and-colour", recipe, colour=BEST.colour)
    before, drawn = recipe, {"rebalance": "draw", "power": BEST.power, "prior": BEST.prior}
    recipe = add("05-drawn-by-root", before, epochs=20, **drawn)
    add("05-or-no-rebalancing", before, rebalance="none", epochs=20)
    add("05-or-weights", before, rebalance="weight", power=1.0, epochs=20)
    rate = {"learning_rate": BEST.learning_rate, "schedule": BEST.schedule, "keep": BEST.keep}
    recipe = add("06-schedule-and-adamw", recipe, weight_decay=BEST.weight_decay, **rate)
    recipe = add("07-label-smoothing", recipe, label_smoothing=BEST.label_smoothing)
    recipe = add("08-averaged-weights", recipe, average=BEST.average)
    recipe = add("09-residual-network", recipe, network=BEST.network)
    add("10-or-stronger-colour", recipe, colour=2 * BEST.colour)
    add("10-or-zoom", recipe, zoom=0.15)
    add("11-longer", recipe, epochs=BEST.epochs)
    return steps


def larger_images() -> Study | None:
    """Return the study of chapter 8 with 64 pixels; None where the data source has but 28.

    It differs from the step ``09-residual-network`` in the pixels, and in a shift that is as
    large a part of the image as there.
    """
    try:
        dataset = load_ham10000(PIXELS)
    except DataError:
        return None
    steps = ablation()
    recipe = dataclasses.replace(
        steps["step-09-residual-network"],
        network=f"small_resnet_{PIXELS}",
        shift=round(BEST.shift * PIXELS / 28, 1),
    )
    split = lesion_split(dataset, validation=TO_CHOOSE_BY)
    name = f"step-12-or-{PIXELS}-pixels"
    return _trained(dataset, name, recipe, split, 0, ("validation",))


def all_studies(dataset: LesionImages) -> list[Study]:
    """List the studies in the order in which they are made."""
    main, to_choose = lesion_split(dataset), lesion_split(dataset, validation=TO_CHOOSE_BY)
    assert np.array_equal(main.test, to_choose.test)
    found = [
        _trained(dataset, f"best-seed-{seed}", BEST, main, seed, ("validation", "test"))
        for seed in range(SEEDS)
    ]
    found += [
        _trained(dataset, f"best-fold-{k}", BEST, fold, 0, ("test",))
        for k, fold in enumerate(lesion_folds(dataset, folds=FOLDS))
    ]
    found += [
        _trained(dataset, name, recipe, to_choose, 0, ("validation",))
        for name, recipe in ablation().items()
    ]
    larger = larger_images()
    found += [larger] if larger else []
    by_image, other = image_split(dataset, seed=0), image_split(dataset, seed=1)
    by_lesion = dataclasses.replace(
        main,
        train=np.sort(np.concatenate([main.train, main.validation])),
        validation=np.empty(0, np.int64),
    )
    parts = {"test": by_image.test, "other test": other.test}
    found.append(_older(dataset, "older-image-split", by_image, parts))
    found.append(_older(dataset, "older-lesion-split", by_lesion, {"test": by_lesion.test}))
    found.append(_older_oversampled_first(dataset))
    return found


def _judged(dataset, model, rows, *, averaged) -> Judged:
    images = dataset.images[rows]
    single = model.predict(images, batch_size=512, verbose=0).astype(np.float32)
    return Judged(
        image_ids=dataset.metadata["image_id"].to_numpy(dtype=str)[rows],
        lesions=lesion_groups(dataset.metadata)[rows].astype(str),
        labels=dataset.labels[rows],
        probabilities=predict_averaged(model, images) if averaged else single,
        single=single,
    )


def _trained(dataset, name, recipe, split, seed, parts) -> Study:
    def make():
        model, certificate = training.train(dataset, split, recipe, name=name, seed=seed)
        return certificate, {
            part: _judged(dataset, model, getattr(split, part), averaged=recipe.symmetries)
            for part in parts
        }

    return Study(name, dataset, dataclasses.asdict(recipe), split, seed, make)


def _older(dataset, name, split, parts) -> Study:
    def make():
        rows = training.oversampled_indices(
            dataset.labels, np.random.default_rng(0).permutation(split.train), seed=0
        )
        held_back = np.unique(rows[int(len(rows) * (1 - older_notebook.HELD_BACK)) :])
        model, history, seconds = older_notebook.run(
            dataset.images[rows], dataset.labels[rows], seed=0
        )
        certificate = make_certificate(
            name=name,
            recipe=older_notebook.RECIPE,
            dataset=dataset,
            split=dataclasses.replace(split, validation=held_back),
            seed=0,
            history=history,
            seconds=seconds,
        )
        return certificate, {
            part: _judged(dataset, model, rows, averaged=False) for part, rows in parts.items()
        }

    return Study(name, dataset, older_notebook.RECIPE, split, 0, make)


def _older_oversampled_first(dataset) -> Study:
    recipe = older_notebook.RECIPE | {"rebalance": "oversample before the split", "epochs": 15}
    everything = np.arange(len(dataset.labels))
    rows = training.oversampled_indices(dataset.labels, everything, seed=0)
    rows = np.random.default_rng(0).permutation(rows)
    cut = round(0.8 * len(rows))
    train, test = rows[:cut], rows[cut:]
    split = dataclasses.replace(
        image_split(dataset), train=np.unique(train), validation=train[:0], test=np.unique(test)
    )

    def make():
        model, history, seconds = older_notebook.run(
            dataset.images[train], dataset.labels[train], seed=0, epochs=recipe["epochs"]
        )
        certificate = make_certificate(
            name="older-oversampled-first",
            recipe=recipe,
            dataset=dataset,
            split=split,
            seed=0,
            history=history,
            seconds=seconds,
        )
        return certificate, {"test": _judged(dataset, model, test, averaged=False)}

    return Study("older-oversampled-first", dataset, recipe, split, 0, make)


def stale_studies() -> dict[str, str]:
    """Return the studies that are missing or out of date, with the reason, on the data here."""
    dataset = load_ham10000()
    reasons = {study.name: study.stale() for study in all_studies(dataset)}
    return {name: why for name, why in reasons.items() if why}


def install_best() -> None:
    """Publish the weights that ``best-seed-0`` has just left in ``runs/`` as ``models/best``."""
    own = read_certificate("best-seed-0", folder=RUNS)
    page = json.dumps(
        dataclasses.asdict(dataclasses.replace(own, name="best")), separators=(",", ":")
    )
    weights = (RUNS / "best-seed-0.weights.h5").read_bytes()
    replace_file(MODELS / "best.weights.h5", weights)
    replace_file(MODELS / "best.json", f"{page}\n")


def main(arguments: list[str]) -> int:
    """Make the studies that are missing or out of date; return the exit status."""
    parser = argparse.ArgumentParser(prog="make studies", description=__doc__)
    parser.add_argument("only", nargs="*", help='beginnings of names, for example "best-fold"')
    parser.add_argument("--list", action="store_true", help="list the studies, run none")
    options = parser.parse_args(arguments)
    dataset = load_ham10000()
    if dataset.is_phantom or not dataset.has_lesions:
        print(
            f"Studies are made from the real images with lesion ids; here is: {dataset.source}.\n"
            "Name their folder: HAM10000_DIR=/path/to/folder make studies",
            file=sys.stderr,
        )
        return 1
    chosen = [
        study
        for study in all_studies(dataset)
        if not options.only or study.name.startswith(tuple(options.only))
    ]
    todo = [(study, why) for study in chosen if (why := study.stale())]
    print(f"{len(chosen)} studies, {len(chosen) - len(todo)} stored, {len(todo)} to make")
    if options.list:
        for study in chosen:
            print(f"  {study.name:32} {study.stale() or 'stored'}")
        return 0
    for number, (study, why) in enumerate(todo, 1):
        print(f"[{number}/{len(todo)}] {study.name} ({why})", flush=True)
        start = time.perf_counter()
        studies.write_run(*study.make())
        if study.name == "best-seed-0":
            install_best()
        print(f"    stored after {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
