"""`make studies`: the long runs whose results chapters 6 to 8 show, made once and stored.

Each run is stored as soon as it is finished, so a stopped command goes on where it was. A run
that fits its recipe, data and split is not made again.
"""

import argparse
import dataclasses
import io
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np

from tools.book.course import ChapterError, real_images
from utils import models, training, weights
from utils.augment import predict_averaged
from utils.classes import CLASSES
from utils.data import DataError, LesionImages, load_ham10000
from utils.splits import Split, image_split, lesion_folds, lesion_groups, lesion_split
from utils.training import BEST, ORIGINAL, EpochLine, Recipe, oversampled_indices
from utils.weights import MODELS, RUNS, STUDIES, BirthCertificate, CertificateError, Judged

SEEDS, FOLDS = 5, 5
# A fourth of the images to choose by: of the rare classes ten images would decide too little.
# The test lesions are those of every other split with seed 0, and stay untouched.
TO_CHOOSE_BY = 0.25
PIXELS = 64  # of the comparison with larger images, where the data source has them
# The whole procedure of the older notebook, mistakes included, for chapter 7. One thing is
# repaired, because nothing could be judged otherwise: the checkpoint watches ``val_accuracy``,
# which exists, so it is really written.
OLDER = {
    "procedure": "older notebook",
    "network": "original_cnn",
    "epochs": 50,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "rebalance": "oversample",
    "validation_split": 0.2,
    "keep": "best",
    "monitor": "val_accuracy",
}


def scaled_cnn() -> keras.Model:
    """Build the original network with pixels brought to the range −1 to 1 by a first layer."""
    network, image = models.original_cnn(), keras.Input((28, 28, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)
    return keras.Sequential([image, scaled, *network.layers], name="scaled_cnn")


# Networks that only studies need.
models.BUILDERS["scaled_cnn"] = scaled_cnn
models.BUILDERS[f"small_resnet_{PIXELS}"] = partial(models.small_resnet, size=PIXELS)


@dataclass(frozen=True)
class Study:
    """One run: its name, what it must have been made from, and the function that makes it."""

    name: str
    dataset: LesionImages
    recipe: dict
    split: Split
    seed: int
    make: Callable[[], tuple[BirthCertificate, dict[str, Judged]]]

    def stale(self, *, folder: Path = STUDIES) -> str:
        """Say why the stored run cannot stand, in a few words; empty where it can."""
        if self.name not in weights.run_names(folder=folder):
            return "not made yet"
        try:
            certificate = weights.read_contaminated_run(self.name, folder=folder).certificate
        except CertificateError:
            return "damaged"
        if certificate.recipe != self.recipe or certificate.seed != self.seed:
            return "made with another recipe"
        if certificate.data["fingerprint"] != self.dataset.fingerprint:
            return "made from other data"
        if certificate.split["fingerprint"] != self.split.fingerprint:
            return "made on another split"
        return ""


def write_run(
    certificate: BirthCertificate, parts: dict[str, Judged], *, folder: Path = STUDIES
) -> BirthCertificate:
    """Store the answers of a run and its certificate, which is returned with the check sum."""
    for part, judged in parts.items():
        expected = (len(judged.labels), len(CLASSES))
        if not judged.probabilities.shape == judged.single.shape == expected:
            raise ValueError(f"the part {part!r} needs probabilities of shape {expected}")
    fields = [field.name for field in dataclasses.fields(Judged)]
    file = io.BytesIO()
    np.savez_compressed(
        file,
        **{f"{part}/{f}": getattr(judged, f) for part, judged in parts.items() for f in fields},
    )
    return weights.write_pair(certificate, "npz", file.getvalue(), folder=folder)


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
    studies = [
        _trained(dataset, f"best-seed-{seed}", BEST, main, seed, ("validation", "test"))
        for seed in range(SEEDS)
    ]
    studies += [
        _trained(dataset, f"best-fold-{k}", BEST, fold, 0, ("test",))
        for k, fold in enumerate(lesion_folds(dataset, folds=FOLDS))
    ]
    studies += [
        _trained(dataset, name, recipe, to_choose, 0, ("validation",))
        for name, recipe in ablation().items()
    ]
    larger = larger_images()
    return [*studies, *([larger] if larger else []), *older_studies(dataset, main)]


def older_studies(dataset: LesionImages, main: Split) -> list[Study]:
    """Return the runs of the older notebook, with the three ways of dividing of chapter 7."""
    by_image, other = image_split(dataset, seed=0), image_split(dataset, seed=1)
    by_lesion = dataclasses.replace(
        main,
        train=np.sort(np.concatenate([main.train, main.validation])),
        validation=np.empty(0, np.int64),
    )
    studies = []
    for name, split, parts in (
        ("older-image-split", by_image, {"test": by_image.test, "other test": other.test}),
        ("older-lesion-split", by_lesion, {"test": by_lesion.test}),
    ):
        shuffled = np.random.default_rng(0).permutation(split.train)
        rows = oversampled_indices(dataset.labels, shuffled, seed=0)
        held_back = np.unique(rows[int(len(rows) * (1 - OLDER["validation_split"])) :])
        born = dataclasses.replace(split, validation=held_back)
        studies.append(_older(dataset, name, OLDER, born, rows, parts))
    rows = oversampled_indices(dataset.labels, np.arange(len(dataset.labels)), seed=0)
    rows = np.random.default_rng(0).permutation(rows)
    train, test = np.split(rows, [round(0.8 * len(rows))])
    split = dataclasses.replace(
        by_image, train=np.unique(train), validation=train[:0], test=np.unique(test)
    )
    recipe = OLDER | {"rebalance": "oversample before the split", "epochs": 15}
    first = _older(dataset, "older-oversampled-first", recipe, split, train, {"test": test})
    return [*studies, first]


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


def _older(dataset, name, recipe, split, rows, parts) -> Study:
    def make():
        start = time.perf_counter()
        model, history = train_as_before(dataset, rows, epochs=recipe["epochs"])
        seconds = time.perf_counter() - start
        born = {"name": name, "recipe": recipe, "dataset": dataset, "split": split, "seed": 0}
        certificate = weights.make_certificate(**born, history=history, seconds=seconds)
        return certificate, {
            part: _judged(dataset, model, judged, averaged=False) for part, judged in parts.items()
        }

    return Study(name, dataset, recipe, split, 0, make)


def train_as_before(dataset, rows: np.ndarray, *, epochs: int) -> tuple[keras.Model, dict]:
    """Train as the older notebook did, on rows in the order in which its oversampler left them.

    Keras' ``validation_split`` takes the last fifth, so the copies of the rare classes' images.
    The model has the weights of the epoch of the highest ``val_accuracy``.
    """
    keras.utils.set_random_seed(0)
    model = models.original_cnn()
    adam = keras.optimizers.Adam(OLDER["learning_rate"])
    model.compile(adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best_model.weights.h5"
        watch = {"monitor": OLDER["monitor"], "mode": "max", "save_best_only": True}
        checkpoint = keras.callbacks.ModelCheckpoint(best, save_weights_only=True, **watch)
        history = model.fit(
            dataset.images[rows],
            dataset.labels[rows],
            validation_split=OLDER["validation_split"],
            batch_size=OLDER["batch_size"],
            epochs=epochs,
            verbose=0,
            callbacks=[checkpoint, EpochLine(watch=OLDER["monitor"])],
        ).history
        model.load_weights(best)
    return model, history


def stale_studies() -> dict[str, str]:
    """Return the studies that are missing or out of date, with the reason, on the data here."""
    dataset = load_ham10000()
    reasons = {study.name: study.stale() for study in all_studies(dataset)}
    return {name: why for name, why in reasons.items() if why}


def install_best() -> None:
    """Publish the weights that ``best-seed-0`` has just left in ``runs/`` as ``models/best``."""
    own = weights.read_certificate("best-seed-0", folder=RUNS)
    content = (RUNS / "best-seed-0.weights.h5").read_bytes()
    weights.write_pair(dataclasses.replace(own, name="best"), "weights.h5", content, folder=MODELS)


def main(arguments: list[str]) -> int:
    """Make the studies that are missing or out of date; return the exit status."""
    parser = argparse.ArgumentParser(prog="make studies", description=__doc__)
    parser.add_argument("only", nargs="*", help='beginnings of names, for example "best-fold"')
    parser.add_argument("--list", action="store_true", help="list the studies, run none")
    options = parser.parse_args(arguments)
    try:
        every = all_studies(real_images())
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    chosen = [study for study in every if study.name.startswith(tuple(options.only or [""]))]
    todo = [(study, why) for study in chosen if (why := study.stale())]
    print(f"{len(chosen)} studies, {len(chosen) - len(todo)} stored, {len(todo)} to make")
    if options.list:
        print("\n".join(f"  {study.name:32} {study.stale() or 'stored'}" for study in chosen))
        return 0
    for number, (study, why) in enumerate(todo, 1):
        print(f"[{number}/{len(todo)}] {study.name} ({why})", flush=True)
        start = time.perf_counter()
        write_run(*study.make())
        if study.name == "best-seed-0":
            install_best()
        print(f"    stored after {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
