"""`make studies`: the long runs whose results chapters 6 to 10 show, made once and stored.

Each run is stored as soon as it is finished, so a stopped command goes on where it was. A run
that fits its recipe, data and split is not made again. Words name the beginnings of those to make
(``best-fold``); ``--list`` lists the studies and makes none.
"""

import io
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import keras
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from tools.book.course import real_images
from utils import models, splits, training, weights
from utils.augment import predict_averaged
from utils.classes import CLASSES
from utils.data import DataError, LesionImages, load_ham10000
from utils.splits import Split, image_split, lesion_folds, lesion_groups, lesion_split
from utils.training import BEST, ORIGINAL, EpochLine, FineTuning, Recipe, oversampled_indices
from utils.weights import MODELS, RUNS, STUDIES, BirthCertificate, CertificateError, Judged

SEEDS, FOLDS, OLDER_SEEDS = 5, 5, 3
PUBLISHED = ("best", "transfer")  # the weights of their first seed
FINE_TUNED_FOLDS = 2  # half an hour each on two cores
RESIDUAL = "12-residual-network"  # the step that larger images are compared with
# A fourth of the images to choose by: of the rare classes ten images would decide too little.
# The test lesions are those of every other split with seed 0, and stay untouched.
TO_CHOOSE_BY = 0.25
SHARES = (8, 4, 2)  # one lesion in so many is learned from
PIXELS = 64  # of the comparison with larger images, where the data source has them
# The whole procedure of the older notebook, mistakes included, for chapter 8. One thing is mended,
# or nothing could be judged: the checkpoint watches ``val_accuracy``, which exists.
OLDER = {
    "procedure": "older notebook", "network": "original_cnn", "epochs": 50, "batch_size": 128,
    "learning_rate": 1e-3, "rebalance": "oversample", "validation_split": 0.2, "keep": "best",
    "monitor": "val_accuracy",
}  # fmt: skip


def scaled_cnn() -> keras.Model:
    """Build the original network with pixels brought to the range −1 to 1 by a first layer."""
    network, image = models.original_cnn(), keras.Input((28, 28, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)
    return keras.Sequential([image, scaled, *network.layers], name="scaled_cnn")


# Networks that only studies need.
models.BUILDERS["scaled_cnn"] = scaled_cnn
models.BUILDERS[f"small_resnet_{PIXELS}"] = partial(models.small_resnet, size=PIXELS)
for pixels in (PIXELS, 96):  # beside the 128 of the published weights
    models.BUILDERS[f"efficientnet_lite0_{pixels}"] = partial(models.efficientnet_lite0, pixels)
CHANCE = f"efficientnet_lite0_{PIXELS}_by_chance"
models.BUILDERS[CHANCE] = lambda: keras.models.clone_model(models.efficientnet_lite0(PIXELS))


@dataclass(frozen=True, eq=False)
class Study:
    """One run: what it is to be made from, and the rows of each part that it answers about."""

    name: str
    dataset: LesionImages
    recipe: Recipe | dict  # a dict is a variant of OLDER
    split: Split
    parts: dict[str, np.ndarray]
    seed: int = 0
    seeds: int = 1  # trainings that differ in the seed only, from `seed` on; a part for each
    rows: np.ndarray | None = None  # in the order in which the older notebook shows them
    pixels: int = 28  # side of the images; others than those of `dataset` are loaded when needed

    def images(self) -> LesionImages:
        """Return the data set in the size of this run."""
        return self.dataset if self.pixels == 28 else _larger(self.pixels)

    def stale(self, *, folder: Path = STUDIES) -> str:
        """Say why the stored run cannot stand, in a few words; empty where it can."""
        try:
            run = weights.read_contaminated_run(self.name, folder=folder)
        except CertificateError:
            return "missing or damaged"
        stored, recipe = run.certificate, as_dict(self.recipe)
        fits = {
            "made with another recipe": (stored.recipe, stored.seed) == (recipe, self.seed),
            "made from other data": stored.data["fingerprint"] == self.images().fingerprint,
            "made on another split": stored.split["fingerprint"] == self.split.fingerprint,
            "made with fewer seeds": len(run.parts) >= len(self.parts) * self.seeds,
        }
        return next((why for why, fit in fits.items() if not fit), "")

    def make(self) -> tuple[BirthCertificate, dict[str, Judged]]:
        """Train, and return the first seed's certificate and what the networks answer."""
        certificate, answers = self._train(self.seed)
        for seed in range(self.seed + 1, self.seed + self.seeds):
            for part, judged in self._train(seed)[1].items():
                answers[f"{part}, seed {seed}"] = replace(judged, single=None)
        return certificate, answers

    def _train(self, seed: int) -> tuple[BirthCertificate, dict[str, Judged]]:
        name = self.name if seed == self.seed else f"{self.name}-seed-{seed}"
        kept, dataset = {"name": name, "seed": seed}, self.images()
        if self.rows is None:
            model, certificate = training.train(dataset, self.split, self.recipe, **kept)
        else:
            start = time.perf_counter()
            model, history = train_older(dataset, self.rows, self.recipe["epochs"], seed)
            kept |= {"recipe": self.recipe, "dataset": dataset, "split": self.split}
            kept |= {"history": history, "seconds": time.perf_counter() - start}
            certificate = weights.make_certificate(**kept)
        mean = as_dict(self.recipe).get("symmetries", False)
        return certificate, {
            part: judged(dataset, model, rows, mean=mean) for part, rows in self.parts.items()
        }


@lru_cache(maxsize=1)  # 128 pixels are half a gigabyte
def _larger(pixels: int) -> LesionImages:
    return load_ham10000(pixels)


def as_dict(recipe: Recipe | dict) -> dict:
    """Return a recipe as certificates hold it."""
    return recipe if isinstance(recipe, dict) else asdict(recipe)


def judged(dataset: LesionImages, model: keras.Model, rows: np.ndarray, *, mean: bool) -> Judged:
    """Ask a network about some rows of a data set."""
    images = dataset.images[rows]
    single = model.predict(images, batch_size=512, verbose=0).astype(np.float32)
    ids = dataset.metadata["image_id"].to_numpy(dtype=str)[rows]
    lesions = lesion_groups(dataset.metadata)[rows].astype(str)
    asked = {"probabilities": predict_averaged(model, images) if mean else single, "single": single}
    return Judged(image_ids=ids, lesions=lesions, labels=dataset.labels[rows], **asked)


def write_run(
    certificate: BirthCertificate, parts: dict[str, Judged], *, folder: Path = STUDIES
) -> BirthCertificate:
    """Store the answers of a run and its certificate, which is returned with the check sum."""
    for part, judged in parts.items():
        expected = (len(judged.labels), len(CLASSES))
        if any(a.shape != expected for a in (judged.probabilities, judged.single) if a is not None):
            raise ValueError(f"the part {part!r} needs probabilities of shape {expected}")
    arrays = {
        f"{part}/{name}": values
        for part, judged in parts.items()
        for name, values in vars(judged).items()
        if values is not None
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return weights.write_pair(certificate, "npz", file.getvalue(), folder=folder)


def ablation() -> dict[str, Recipe]:
    """Return the steps of chapter 9 by name; those with ``-or-`` in it are roads not taken.

    Up to the last but one, about the same number of images is shown. All keep the last weights, so
    no step is judged on images that have chosen its epoch.
    """
    steps: dict[str, Recipe] = {}

    def add(name: str, recipe: Recipe, **changes) -> Recipe:
        steps[f"step-{name}"] = changed = replace(recipe, **changes)
        return changed

    recipe = add("00-original", ORIGINAL, epochs=4, keep="last", prior=True)
    recipe = add("01-scaled-input", recipe, network="scaled_cnn")
    recipe = add("02-symmetries", recipe, symmetries=True)
    recipe = add("03-shift", recipe, shift=BEST.shift)
    recipe = add("04-light-and-colour", recipe, colour=BEST.colour)
    # As many images, drawn anew for each of more and shorter epochs.
    even = recipe = add("05-drawn-evenly", recipe, rebalance="draw", power=1.0, epochs=20)
    recipe = add("06-drawn-by-root", even, power=BEST.power)
    add("06-or-no-rebalancing", even, rebalance="none")
    add("06-or-weights", even, rebalance="weight")
    recipe = add("07-schedule", recipe, schedule=BEST.schedule)
    recipe = add("08-larger-steps", recipe, learning_rate=BEST.learning_rate)
    recipe = add("09-weight-decay", recipe, weight_decay=BEST.weight_decay)
    recipe = add("10-label-smoothing", recipe, label_smoothing=BEST.label_smoothing)
    recipe = add("11-averaged-weights", recipe, average=BEST.average)
    recipe = add(RESIDUAL, recipe, network=BEST.network)
    add("13-or-stronger-colour", recipe, colour=2 * BEST.colour)
    add("13-or-zoom", recipe, zoom=0.15)
    add("14-longer", recipe, epochs=BEST.epochs)
    return steps


def without_one_source(dataset, recipe: Recipe = BEST, called="without", pixels=28) -> list[Study]:
    """Return the runs that have seen every source but one, which judges them."""
    sources, lesions = dataset.metadata["dataset"], lesion_groups(dataset.metadata)
    studies = []
    for source in sources.dropna().unique():  # Kaggle's copy of the metadata names none
        left_out = (sources == source).to_numpy()
        seen = ~np.isin(lesions, lesions[left_out])  # no lesion on both sides
        split = splits.split_of_parts(dataset, np.where(left_out, 2, np.where(seen, 0, 1)))
        split, parts = replace(split, validation=split.validation[:0]), {"test": split.test}
        studies.append(Study(f"{called}-{source}", dataset, recipe, split, parts, pixels=pixels))
    return studies


def learning_curve(dataset: LesionImages, to_choose: Split) -> list[Study]:
    """Return the studies of chapter 10 that learn from a share of the lesions, nested.

    A share has a recipe's epochs, and more where they would be too few steps to end a training.
    """
    lesions, order = lesion_groups(dataset.metadata), splits._order(dataset)
    order = order[np.isin(order, to_choose.train)]
    divider = StratifiedGroupKFold(n_splits=8, shuffle=True, random_state=0)
    folds = [some for _, some in divider.split(order, dataset.labels[order], lesions[order])]
    studies, transfer = [], _fine_tuning(PIXELS)
    for name, recipe, pixels, least_steps, shares in (
        ("small", BEST, 28, 1000, SHARES),
        ("transfer", transfer, PIXELS, 500, SHARES),
        ("gentle", replace(transfer, body_rate=transfer.body_rate / 5), PIXELS, 500, SHARES[:1]),
    ):
        for part in shares:
            part_of = np.full(len(lesions), 2)  # not used
            part_of[order[np.concatenate(folds[: 8 // part])]] = 0
            part_of[to_choose.validation] = 1
            split = splits.split_of_parts(dataset, part_of, 0, lesions)
            epochs = -(-least_steps // -(-len(split.train) // recipe.batch_size))
            split = replace(split, validation=split.validation[:0])
            longer = replace(recipe, epochs=max(recipe.epochs, epochs))
            parts, called = {"validation": to_choose.validation}, f"{name}-from-one-in-{part}"
            studies.append(Study(called, dataset, longer, split, parts, pixels=pixels))
    return studies


def _fine_tuning(pixels: int) -> FineTuning:
    shift = round(FineTuning.shift * pixels / 128, 1)
    return FineTuning(network=f"efficientnet_lite0_{pixels}", shift=shift)


def larger_images(dataset: LesionImages, main: Split, to_choose: Split) -> list[Study]:
    """Return the studies with larger images; none where the data source has but 28 pixels.

    The step with 64 pixels differs from ``12-residual-network`` in the pixels, and in a shift that
    is as large a part of the image as there. The others are those of chapter 10, and of chapter
    12 for each source that has at least 1,000 images to judge by.
    """
    try:
        _larger(PIXELS)
    except DataError:
        return []
    network, shift = f"small_resnet_{PIXELS}", round(BEST.shift * PIXELS / 28, 1)
    step = replace(ablation()[f"step-{RESIDUAL}"], network=network, shift=shift)
    studies, chosen_by = [], {"validation": to_choose.validation}
    # From nothing there is nothing that large steps of the body could wipe out.
    tuned, at = _fine_tuning(PIXELS), f"{PIXELS}-pixels"
    from_nothing = replace(tuned, network=CHANCE, body_rate=1.0)
    for name, recipe, pixels, seed in (
        (f"step-15-or-{at}", step, PIXELS, 0),
        (f"transfer-{at}", tuned, PIXELS, 0),
        (f"transfer-{at}-seed-1", tuned, PIXELS, 1),
        (f"transfer-{at}-gentle", replace(tuned, body_rate=tuned.body_rate / 5), PIXELS, 0),
        (f"transfer-{at}-shorter", replace(tuned, epochs=tuned.epochs // 2), PIXELS, 0),
        (f"transfer-{at}-longer", replace(tuned, epochs=2 * tuned.epochs), PIXELS, 0),
        (f"by-chance-{at}", from_nothing, PIXELS, 0),
        (f"by-chance-{at}-longer", replace(from_nothing, epochs=2 * tuned.epochs), PIXELS, 0),
        ("transfer-96-pixels", _fine_tuning(96), 96, 0),
        ("transfer-128-pixels", _fine_tuning(128), 128, 0),
    ):
        studies.append(Study(name, dataset, recipe, to_choose, chosen_by, seed, pixels=pixels))

    both, given = {"validation": main.validation, "test": main.test}, {"pixels": 128}
    studies.append(Study("transfer-seed-0", dataset, FineTuning(), main, both, **given))
    for k, fold in enumerate(lesion_folds(dataset, folds=FOLDS)[:FINE_TUNED_FOLDS]):
        parts = {"test": fold.test}
        studies.append(Study(f"transfer-fold-{k}", dataset, FineTuning(), fold, parts, **given))
    for recipe, called in ((tuned, "transfer-without"), (from_nothing, "by-chance-without")):
        left_out = without_one_source(dataset, recipe, called, PIXELS)
        studies += [study for study in left_out if len(study.split.test) >= 1000]
    return studies + learning_curve(dataset, to_choose)


def all_studies(dataset: LesionImages) -> list[Study]:
    """List the studies in the order in which they are made."""
    main, to_choose = lesion_split(dataset), lesion_split(dataset, validation=TO_CHOOSE_BY)
    assert np.array_equal(main.test, to_choose.test)
    both, chosen_by = {"validation": main.validation, "test": main.test}, to_choose.validation
    folds = lesion_folds(dataset, folds=FOLDS)
    return [
        *(Study(f"best-seed-{n}", dataset, BEST, main, both, seed=n) for n in range(SEEDS)),
        *(Study(f"best-fold-{k}", dataset, BEST, f, {"test": f.test}) for k, f in enumerate(folds)),
        *(
            Study(name, dataset, recipe, to_choose, {"validation": chosen_by}, seeds=seeds)
            for name, recipe in ablation().items()
            for seeds in [1 if "-or-" in name or "longer" in name else SEEDS]
        ),
        *without_one_source(dataset),
        *larger_images(dataset, main, to_choose),
        *older_studies(dataset, main),
    ]


def older_studies(dataset: LesionImages, main: Split) -> list[Study]:
    """Return the runs of the older notebook, with the three ways of dividing of chapter 8."""
    by_image, other = image_split(dataset, seed=0), image_split(dataset, seed=1)
    train = np.sort(np.concatenate([main.train, main.validation]))
    by_lesion = replace(main, train=train)
    studies = []
    for name, split, parts in (
        ("older-image-split", by_image, {"test": by_image.test, "other test": other.test}),
        ("older-lesion-split", by_lesion, {"test": by_lesion.test}),
    ):
        shuffled = np.random.default_rng(0).permutation(split.train)
        rows = oversampled_indices(dataset.labels, shuffled, seed=0)
        held_back = np.unique(rows[int(len(rows) * (1 - OLDER["validation_split"])) :])
        split = replace(split, validation=held_back)
        studies.append(Study(name, dataset, OLDER, split, parts, seeds=OLDER_SEEDS, rows=rows))
    rows = oversampled_indices(dataset.labels, np.arange(len(dataset.labels)), seed=0)
    rows = np.random.default_rng(0).permutation(rows)
    train, test = np.split(rows, [round(0.8 * len(rows))])
    split = replace(by_image, train=np.unique(train), validation=train[:0], test=np.unique(test))
    recipe = OLDER | {"rebalance": "oversample before the split", "epochs": 15}
    name = "older-oversampled-first"
    return [*studies, Study(name, dataset, recipe, split, {"test": test}, rows=train)]


def train_older(dataset, rows: np.ndarray, epochs: int, seed: int) -> tuple[keras.Model, dict]:
    """Train as the older notebook did, on rows in the order in which its oversampler left them."""
    keras.utils.set_random_seed(seed)
    model = models.original_cnn()
    adam = keras.optimizers.Adam(OLDER["learning_rate"])
    model.compile(adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best_model.weights.h5"
        watch = {"monitor": OLDER["monitor"], "mode": "max", "save_best_only": True}
        checkpoint = keras.callbacks.ModelCheckpoint(best, save_weights_only=True, **watch)
        # Held back are the last rows: copies of the rare classes.
        fit = {key: OLDER[key] for key in ("validation_split", "batch_size")}
        fit |= {"callbacks": [checkpoint, EpochLine(watch=OLDER["monitor"])], "verbose": 0}
        images, labels = dataset.images[rows], dataset.labels[rows]
        history = model.fit(images, labels, epochs=epochs, **fit).history
        model.load_weights(best)
    return model, history


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--list"]
    every = [s for s in all_studies(real_images()) if s.name.startswith(tuple(words or [""]))]
    chosen = {study: study.stale() for study in every}
    todo = {study: why for study, why in chosen.items() if why}
    print(f"{len(chosen)} studies, {len(chosen) - len(todo)} stored, {len(todo)} to make")
    if "--list" in sys.argv:
        print("\n".join(f"  {study.name:32} {why or 'stored'}" for study, why in chosen.items()))
        sys.exit()
    for number, (study, why) in enumerate(todo.items(), 1):
        print(f"[{number}/{len(todo)}] {study.name} ({why})", flush=True)
        write_run(*study.make())
        name = study.name.removesuffix("-seed-0")
        if name in PUBLISHED and name != study.name:  # its weights, just left in runs/
            certificate = replace(weights.read_certificate(study.name, folder=RUNS), name=name)
            content = (RUNS / f"{study.name}.weights.h5").read_bytes()
            weights.write_pair(certificate, "weights.h5", content, folder=MODELS)
