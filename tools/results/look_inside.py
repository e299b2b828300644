"""The long computations of chapters 11 and 12, stored in ``models/looking_inside.json``.

    python -m tools.results.look_inside     # the parts that are out of date; all: fifteen minutes

The functions are the chapters' own. What is chosen (a layer, an amount of noise) is chosen on
validation images. The file says which weights, data, split and functions a part was made from.
"""

import ast
import hashlib
import json
from collections import Counter

import nbformat
import numpy as np
import pandas as pd

from tools.book import stamp
from tools.book.course import ROOT, ChapterError, defines, definitions, real_images
from tools.results.card_measure import as_record
from utils.augment import predict_averaged
from utils.calibration import for_shares
from utils.classes import DX
from utils.data import load_external, load_ham10000
from utils.files import read_json, write_json
from utils.metrics import decide, interval
from utils.splits import lesion_groups, lesion_split
from utils.training import class_shares
from utils.weights import MODELS, STUDIES, load_weights, read_certificate, read_run, run_names

CHAPTERS, FILE = ("11", "12"), MODELS / "looking_inside.json"
WEIGHTS, LARGER = ("best", "original"), ("transfer", 128)  # the second: with its pixels
RESAMPLES, LOTS = 1000, 10_000
EXPLAINED = 200  # images, one per lesion, whose answers are explained
NOISE = (5, 10, 20, 40)  # grey levels, for SmoothGrad
RANDOM_SEEDS = (1001, 1002, 1003)  # of random weights; none is the seed of a training
LISTED = 12  # suspected labels that are stored by name
THIRDS = ("darker third", "middle third", "lighter third")
MEL = DX.index("mel")
# The chapters' functions that the results stand on: a change there makes them stale.
FUNCTIONS = (
    "smoothgrad grad_cam occlusion randomised rank_correlation otsu_mask share_inside add_artefact "
    "patient_groups skin_brightness resamples_of judge areas by_lesion contrast"
)
inside, whom = map(definitions, CHAPTERS)


class Material:
    """The test part, how both published networks answer about it, and the resamples."""

    def __init__(self) -> None:
        self.dataset = real_images()
        self.split, self.groups = lesion_split(self.dataset), lesion_groups(self.dataset.metadata)
        rows = self.split.test
        self.images, self.labels = self.dataset.images[rows], self.dataset.labels[rows]
        self.shares = class_shares(self.dataset.labels[self.split.train])
        self.networks = {name: load_weights(name, self.dataset, test=rows)[0] for name in WEIGHTS}
        self.weights = whom.resamples_of(self.labels == MEL, self.groups[rows], RESAMPLES)
        self.clean = {name: self.answer(name, self.images) for name in WEIGHTS}

    def answer(self, name: str, images: np.ndarray) -> np.ndarray:
        """Probabilities for the shares of the data: `original` learned on equal ones."""
        if name == "best":
            return predict_averaged(self.networks[name], images)
        answers = self.networks[name].predict(images, batch_size=512, verbose=0)
        return for_shares(answers, self.shares)

    def mean(self, values: np.ndarray, among: np.ndarray | None = None) -> dict:
        """The mean of a number over images, with its interval over lesions."""
        among = np.ones(len(self.labels), bool) if among is None else among
        weights = self.weights[among]
        return stored_as(values[among].astype(float) @ weights / weights.sum(axis=0))


def stored_as(values: np.ndarray) -> dict[str, float | None]:
    """Return a number, the first, with the interval of its resamples, as it is stored."""
    return as_record(interval(values[0], values[1:]), digits=4)


def joined(prefix: str, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return names (n,), labels (n,) and answers (n, 7), for the shares of `counts`, of runs."""
    parts = [read_run(name).parts["test"] for name in run_names(prefix)]
    learned = [counts - np.bincount(part.labels, minlength=len(DX)) for part in parts]
    pairs = zip(parts, learned, strict=True)
    answers = [for_shares(part.probabilities, counts, own) for part, own in pairs]
    named = (np.concatenate([getattr(p, key) for p in parts]) for key in ("image_ids", "labels"))
    return *named, np.concatenate(answers)


def maps(m: Material) -> dict:
    """Choose layer and noise on validation images; judge the maps on test images."""
    network, sizes = m.networks["best"], inside.stages(m.networks["best"])

    def sample(rows):
        first = np.unique(m.groups[rows], return_index=True)[1]
        rows = rows[np.sort(np.random.default_rng(0).permutation(first)[:EXPLAINED])]
        images = m.dataset.images[rows]
        return images, decide(network.predict(images, batch_size=512, verbose=0), m.shares)

    given = sample(m.split.validation)
    fall = inside.occlusion(network, *given)

    def agreement(method, reference, **options):
        alike = inside.rank_correlation(method(network, *given, **options), reference)
        return round(float(np.nanmean(alike)), 4)

    chosen = {
        "Grad-CAM": {str(n): agreement(inside.grad_cam, fall, size=n) for n in sizes},
        "SmoothGrad": {str(n): agreement(inside.smoothgrad, abs(fall), noise=n) for n in NOISE},
        "saliency": agreement(inside.saliency, abs(fall)),
    }
    given = images, _ = sample(m.split.test)
    masks, names = inside.otsu_mask(images), [layer.name for layer in network.layers]
    ends = [0, *(names.index(end) + 1 for end in sizes.values())]  # layers kept, by stages kept
    shares, sanity = {}, {}
    for name in ("saliency", "SmoothGrad", "Grad-CAM", "occlusion"):
        method = getattr(inside, name.lower().replace("-", "_"))
        learned, sanity[name] = method(network, *given), {}
        shares[name] = _mean(inside.share_inside(learned, masks))
        for kept in (4, 3, 2, 1, 0):
            copies = (inside.randomised(network, ends[kept], seed) for seed in RANDOM_SEEDS)
            random = [method(copy, *given) for copy in copies]
            alike = [inside.rank_correlation(learned, one) for one in random]
            sanity[name][str(kept)] = _mean(np.nanmean(alike, axis=0))
        by_chance = [inside.share_inside(one, masks) for one in random]  # where all are random
        shares[f"{name}, random weights"] = _mean(np.nanmean(by_chance, axis=0))
    grey = images.mean(axis=-1)
    dark = grey.max(axis=(1, 2), keepdims=True) - grey
    shares["darkness of the pixel"] = _mean(inside.share_inside(dark, masks))
    shares["chance (share of the area)"] = _mean(masks.mean(axis=(1, 2)))
    made = {"chosen on validation": {"agreement with occlusion": chosen}, "inside": shares}
    return made | {"rank correlation by stages kept": sanity}


def _mean(values: np.ndarray) -> dict:
    """Mean with a bootstrap interval, where each value is of another lesion."""
    values = values[np.isfinite(values)]
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    return stored_as(np.array([values.mean(), *values[drawn].mean(axis=1)]))


def shortcuts(m: Material) -> dict:
    """Add each artefact to the test images and see what becomes of the answers."""
    mel, effects = m.labels == MEL, {name: {} for name in WEIGHTS}
    for name, by_artefact in effects.items():
        before = decide(m.clean[name], m.shares)
        for artefact in inside.ARTEFACTS:
            answers = m.answer(name, inside.add_artefact(m.images, artefact))
            now, moved = decide(answers, m.shares), answers[:, MEL] - m.clean[name][:, MEL]
            alarms = (now == MEL) * 1.0 - (before == MEL)
            by_artefact[artefact] = {
                "changed decisions": m.mean(now != before),
                "melanoma probability": m.mean(moved),
                "melanoma alarms on others": m.mean(alarms, ~mel),
                "melanomas found": m.mean(alarms, mel),
            }
    return effects


def subgroups(m: Material) -> dict:
    """Judge by age, sex, body site, brightness and source, at home and on the outside test."""
    metadata, skin = m.dataset.metadata, whom.skin_brightness(m.dataset.images)
    if metadata["dataset"].isna().any():
        raise ChapterError("Kaggle's copy of the metadata lacks the column dataset; take another.")
    groups, third = whom.patient_groups(metadata), np.quantile(skin[m.split.train], [1 / 3, 2 / 3])
    groups["skin in the image"] = np.array(THIRDS)[np.digitize(skin, third)]
    proofs = {"histo": "histology", "follow_up": "follow-up"}
    groups["label by"] = metadata["dx_type"].map(proofs).fillna("consensus or confocal")
    groups["source"] = metadata["dataset"]

    def of_runs(prefix):  # every image was judged by one network
        ids, _, answers = joined(prefix, np.bincount(m.dataset.labels))
        rows = pd.Index(metadata["image_id"]).get_indexer(ids)
        return m.dataset.labels[rows], answers, m.groups[rows], groups.iloc[rows]

    rows = m.split.test
    judged = {n: (m.labels, m.clean[n], m.groups[rows], groups.iloc[rows]) for n in WEIGHTS}
    judged["cross-validation"] = of_runs("best-fold-")
    *left_out, by_source = of_runs("without-")
    judged["source left out"] = *left_out, by_source[["source"]]
    outside = load_external()
    lesions = lesion_groups(outside.metadata)
    source = outside.metadata["dataset"].to_frame("source")
    for name in WEIGHTS:
        judged[f"{name}, outside"] = outside.labels, m.answer(name, outside.images), lesions, source
    name, pixels = LARGER
    larger, outside = load_ham10000(pixels), load_external(pixels)
    network, _ = load_weights(name, larger, test=rows)
    home, abroad = (predict_averaged(network, i) for i in (larger.images[rows], outside.images))
    judged[name] = m.labels, home, *judged["best"][2:]
    judged[f"{name}, outside"] = outside.labels, abroad, *judged["best, outside"][2:]
    tables = {name: _table(*given, m.shares) for name, given in judged.items()}
    return {"tables": tables, "contrasts": _contrasts(*judged["cross-validation"], m.shares)}


def _table(labels, answers, lesions, groups, shares) -> list[dict]:
    melanoma, called, rows = labels == MEL, decide(answers, shares) == MEL, []
    weights = whom.resamples_of(melanoma, lesions, RESAMPLES)
    for by, group in [("", "all"), *_in_order(groups)]:
        member = (groups[by] == group).to_numpy() if by else np.ones(len(labels), bool)
        row = whom.judge(member, melanoma, called, lesions, weights)
        row |= {key: as_record(row[key], digits=4) for key in ("sensitivity", "specificity")}
        row["lesions"] = len(set(lesions[member]))
        row["melanoma lesions"] = len(set(lesions[member & melanoma]))
        area = dict.fromkeys(("melanoma", "all classes"), np.full(2, np.nan))
        if row["melanoma lesions"] >= whom.FEWEST:
            area = whom.areas(labels[member], answers[member], lesions[member], weights[member])
        row |= {"AUC": stored_as(area["melanoma"]), "macro AUC": stored_as(area["all classes"])}
        rows.append({"by": by, "group": group} | row)
    return rows


def _contrasts(labels, answers, lesions, groups, shares) -> dict:
    """Compare each group with all others of its kind, and with groups dealt out by lot."""
    melanoma, called = labels == MEL, decide(answers, shares) == MEL
    contrasts = {"sensitivity": [], "specificity": []}
    for rows, among in zip(contrasts.values(), (melanoma, ~melanoma), strict=True):
        right = (called == melanoma)[among]
        for by, group in _in_order(groups):
            table = whom.by_lesion(right, lesions[among], groups[by][among])
            size = int((table["group"] == group).sum())
            if whom.FEWEST <= size < len(table):
                gap, as_large = whom.contrast(table, group, shuffles=LOTS)
                row = {"by": by, "group": group, "lesions": size, "gap": round(float(gap), 4)}
                rows.append(row | {"as large by lot": round(float(as_large), 4)})
    return contrasts


def _in_order(groups: pd.DataFrame) -> list[tuple[str, str]]:
    place = {name: k for k, name in enumerate([*whom.AGES, *whom.SITES, *THIRDS, whom.UNKNOWN])}
    names = {by: sorted(set(groups[by]), key=lambda n: (place.get(n, 0), n)) for by in groups}
    return [(by, name) for by in names for name in names[by]]


def labels(m: Material) -> dict:
    """Let cleanlab look for labels that the out-of-fold answers contradict."""
    from cleanlab.filter import find_label_issues

    ids, given, answers = joined("best-fold-", np.bincount(m.dataset.labels))
    ranked = find_label_issues(given, answers, return_indices_ranked_by="self_confidence", n_jobs=1)
    how = dict(zip(m.dataset.metadata["image_id"], m.dataset.metadata["dx_type"], strict=True))
    counts, doubted = Counter(how.values()), Counter(how[ids[k]] for k in ranked)
    suspects = []
    for k in ranked[:LISTED]:
        top = answers[k].argmax()
        suspects.append({"image_id": str(ids[k]), "given": DX[given[k]], "answer": DX[top]})
        suspects[-1]["probability of answer"] = round(float(answers[k, top]), 4)
    return {
        "suspected": len(ranked),
        "by class": {dx: int((given[ranked] == k).sum()) for k, dx in enumerate(DX)},
        "by dx_type": {key: [doubted[key], n] for key, n in sorted(counts.items())},
        "most suspected": suspects,
    }


# Each part with the weights and the stored runs that it is made from.
PARTS = {
    maps: (["best"], []), shortcuts: (WEIGHTS, []), labels: ([], ["best-fold-"]),
    subgroups: ([*WEIGHTS, LARGER[0]], ["best-fold-", "without-"]),
}  # fmt: skip


def made_from_files() -> dict[str, dict]:
    """Say which weights, stored runs and functions stand here for each part; no images needed."""
    chapters = [path for n in CHAPTERS for path in (ROOT / "chapters").glob(f"{n}_*.ipynb")]
    source = "\n".join(stamp.source_of(nbformat.read(path, as_version=4)) for path in chapters)
    code, made_from = code_hash(source, FUNCTIONS.split()), {}
    for part, (networks, prefixes) in PARTS.items():
        runs = [name for prefix in prefixes for name in run_names(prefix)]
        sums = {name: read_certificate(name).weights_sha256 for name in networks}
        stored = {n: read_certificate(n, folder=STUDIES).weights_sha256 for n in runs}
        made_from[part.__name__] = {"weights": sums, "runs": stored, "code": code}
    return made_from


def code_hash(source: str, names: list[str]) -> str:
    """Return 16 digits that name functions and CONSTANTS of `source` and what they reach there."""
    nodes = filter(defines, ast.parse(source).body)
    defined = {name: node for node in nodes for name in stamp.defined(node)}
    todo, reached = set(names), {}
    while todo:
        name = todo.pop()
        if name in defined and name not in reached:
            node = defined[name]
            reached[name] = stamp.essence(ast.get_source_segment(source, node))
            todo |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return hashlib.sha256(json.dumps(sorted(reached.items())).encode()).hexdigest()[:16]


if __name__ == "__main__":
    material = Material()
    data = {"data": material.dataset.fingerprint, "split": material.split.fingerprint}
    results = read_json(FILE) if FILE.exists() else {"made_from": {}}
    for part, made_from in zip(PARTS, made_from_files().values(), strict=True):
        if results["made_from"].get(name := part.__name__) != made_from | data:
            print(name, flush=True)
            results[name] = part(material)
            results["made_from"][name] = made_from | data
            write_json(FILE, results)
