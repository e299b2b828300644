"""The long computations of chapter 10, made once and stored in ``models/looking_inside.json``.

    python -m tools.results.look_inside     # what is out of date; all: some twenty minutes

The functions are the chapter's own. What is chosen (a layer, an amount of noise) is chosen on
validation images; nothing is tuned on the test part. The file says which weights, data, split and
functions it was made from, and `stale` compares.
"""

import ast
import hashlib
import json
import sys
import time
from collections import Counter

import nbformat
import numpy as np

from tools.book import stamp
from tools.book.chapter_code import definitions
from tools.book.course import ROOT, ChapterError, real_images
from tools.results.card_measure import as_record
from utils.augment import predict_averaged
from utils.classes import DX
from utils.files import write_json
from utils.metrics import decide, interval, resample_weights, weighted_auc
from utils.splits import lesion_groups, lesion_split
from utils.training import class_shares
from utils.weights import MODELS, STUDIES, load_weights, read_certificate, read_run, run_names

CHAPTER, FILE = "10", MODELS / "looking_inside.json"
WEIGHTS, FOLDS = ("best", "original"), "best-fold-"
RESAMPLES = 1000
EXPLAINED = 200  # images, one per lesion, whose answers are explained
NOISE = (5, 10, 20, 40)  # grey levels, for SmoothGrad
RANDOM_SEEDS = (1001, 1002, 1003)  # of random weights; none is the seed of a training
LISTED = 200  # suspected labels that are stored by name
MEL, NV = DX.index("mel"), DX.index("nv")
# The chapter's functions that each part stands on: a change there makes the part stale, no other.
CODE = {
    "maps": "smoothgrad grad_cam occlusion randomised rank_correlation otsu_mask share_inside",
    "shortcuts": "add_artefact rim_colour",
    "corruptions": "corrupt judge",
    "clinics": "CLINICS LEVELS as_bytes judge",
    "subgroups": "patient_groups members judge by_lesion gap_by_chance skin_brightness",
    "labels": "",
}
chapter = definitions(CHAPTER)


class Material:
    """The test part, both published networks with their way to answer, and the resamples."""

    def __init__(self) -> None:
        self.dataset = real_images()
        self.split, self.groups = lesion_split(self.dataset), lesion_groups(self.dataset.metadata)
        rows = self.split.test
        self.images, self.labels = self.dataset.images[rows], self.dataset.labels[rows]
        self.lesions = self.groups[rows]
        self.shares = class_shares(self.dataset.labels[self.split.train])
        self.networks = {name: load_weights(name, self.dataset, test=rows)[0] for name in WEIGHTS}
        self.draws = _draws(self.labels, self.lesions)
        self.clean = {name: self.answer(name, self.images) for name in WEIGHTS}

    def answer(self, name: str, images: np.ndarray) -> np.ndarray:
        """Probabilities, as each network is used: `best` averages over the symmetries."""
        if name == "best":
            return predict_averaged(self.networks[name], images)
        return self.networks[name].predict(images, batch_size=512, verbose=0)

    def decided(self, name: str, probabilities: np.ndarray) -> np.ndarray:
        """Classes, as each network is used: `original` was trained on balanced rows."""
        return decide(probabilities, self.shares if name == "best" else None)

    def mean(self, values: np.ndarray, among: np.ndarray | None = None) -> dict:
        """The mean of a number over images, with its interval over lesions."""
        among = np.ones(len(self.labels), bool) if among is None else among
        values, draws = values[among].astype(float), self.draws[among]
        return stored_as(values.mean(), values @ draws / draws.sum(axis=0))

    def scores(self, name: str, images: np.ndarray) -> tuple[dict, np.ndarray]:
        """Numbers of one set of images, and the balanced accuracy of every resample."""
        predicted, all_images = self.decided(name, self.answer(name, images)), self.labels >= 0
        given = self.labels, predicted, self.lesions, self.draws
        own = [self.labels == k for k in range(len(DX))]
        each = [chapter.share(k & (predicted == self.labels), k, *given[2:]) for k in own]
        value, drawn = (np.mean(part, axis=0) for part in zip(*each, strict=True))
        judged = chapter.judge(all_images, *given)
        return {
            "balanced accuracy": stored_as(value, drawn),
            "melanoma sensitivity": as_record(judged["sensitivity"], digits=4),
            "melanoma specificity": as_record(judged["specificity"], digits=4),
        }, drawn


def stored_as(value: float, draws: np.ndarray) -> dict[str, float | None]:
    """Return a number with the interval of its resamples, as it is stored."""
    return as_record(interval(value, draws), digits=4)


def _draws(labels, lesions):
    return np.concatenate([*resample_weights(labels, lesions, resamples=RESAMPLES)], axis=1)


def _out_of_fold() -> tuple[np.ndarray, ...]:
    """Return names (n,), labels (n,) and answers (n, 7) of the images, each judged in its fold."""
    folds = [read_run(name).parts["test"] for name in run_names(FOLDS)]
    fields = ("image_ids", "labels", "probabilities")
    return tuple(np.concatenate([getattr(fold, name) for fold in folds]) for name in fields)


# --- The parts -----------------------------------------------------------------------------------


def maps(m: Material) -> dict:
    """Choose layer and noise on validation images; judge the maps on test images."""
    network, sizes = m.networks["best"], chapter.stages(m.networks["best"])

    def sample(rows):
        first = np.unique(m.groups[rows], return_index=True)[1]
        rows = rows[np.sort(np.random.default_rng(0).permutation(first)[:EXPLAINED])]
        images = m.dataset.images[rows]
        return images, decide(network.predict(images, batch_size=512, verbose=0), m.shares)

    given = sample(m.split.validation)
    fall = chapter.occlusion(network, *given)

    def agreement(method, reference, **options):
        alike = chapter.rank_correlation(method(network, *given, **options), reference)
        return round(float(np.nanmean(alike)), 4)

    size_of = np.abs(fall)
    chosen = {
        "Grad-CAM": {str(n): agreement(chapter.grad_cam, fall, size=n) for n in sizes},
        "SmoothGrad": {str(n): agreement(chapter.smoothgrad, size_of, noise=n) for n in NOISE},
        "saliency": agreement(chapter.saliency, size_of),
    }
    given = images, _ = sample(m.split.test)
    masks, names = chapter.otsu_mask(images), [layer.name for layer in network.layers]
    ends = [0, *(names.index(end) + 1 for end in sizes.values())]  # layers kept, by stages kept
    methods = {
        "saliency": chapter.saliency,
        "SmoothGrad": chapter.smoothgrad,
        "Grad-CAM": chapter.grad_cam,
        "occlusion": chapter.occlusion,
    }
    inside, sanity = {}, {}
    for name, method in methods.items():
        learned = method(network, *given)
        inside[name] = _mean(chapter.share_inside(learned, masks))
        sanity[name] = {}
        for kept in (4, 3, 2, 1, 0):
            copies = (chapter.randomised(network, ends[kept], seed) for seed in RANDOM_SEEDS)
            random = [method(copy, *given) for copy in copies]
            alike = [chapter.rank_correlation(learned, one) for one in random]
            sanity[name][str(kept)] = _mean(np.nanmean(alike, axis=0))
        shares = [chapter.share_inside(one, masks) for one in random]  # where all are random
        inside[f"{name}, random weights"] = _mean(np.nanmean(shares, axis=0))
        print(f"    {name}", flush=True)
    grey = images.mean(axis=-1)
    dark = grey.max(axis=(1, 2), keepdims=True) - grey
    inside["darkness of the pixel"] = _mean(chapter.share_inside(dark, masks))
    inside["chance (share of the area)"] = _mean(masks.mean(axis=(1, 2)))
    return {
        "chosen on validation": {"agreement with occlusion": chosen},
        "inside": inside,
        "rank correlation by stages kept": sanity,
    }


def _mean(values: np.ndarray) -> dict:
    """Mean with a bootstrap interval, where each value is of another lesion."""
    values = values[np.isfinite(values)]
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    return stored_as(values.mean(), values[drawn].mean(axis=1))


def shortcuts(m: Material) -> dict:
    """Add each artefact to the test images and see what becomes of the answers."""
    mel, effects = m.labels == MEL, {name: {} for name in WEIGHTS}
    for name, by_artefact in effects.items():
        before = m.decided(name, m.clean[name])
        for artefact in chapter.ARTEFACTS:
            answers = m.answer(name, chapter.add_artefact(m.images, artefact))
            now, moved = m.decided(name, answers), answers[:, MEL] - m.clean[name][:, MEL]
            alarms = (now == MEL) * 1.0 - (before == MEL)
            by_artefact[artefact] = {
                "changed decisions": m.mean(now != before),
                "melanoma probability": m.mean(moved),
                "melanoma alarms on others": m.mean(alarms, ~mel),
                "melanomas found": m.mean(alarms, mel),
            }
    return {**effects, "skin of another series": {"best": _exchanged_skin(m, "best")}}


def with_skin(images: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Give each image the three gains that make its rim, mostly skin, have one colour."""
    rim = np.maximum(chapter.rim_colour(images).astype(float), 1)
    return chapter.as_bytes(images * (colour / rim)[:, None, None])


def _exchanged_skin(m: Material, name: str) -> dict:
    """Exchange the skin of excised and of followed-up nevi; both colours are of training images."""
    how = m.dataset.metadata["dx_type"].to_numpy()
    watched, cut = ((m.dataset.labels == NV) & (how == w) for w in ("follow_up", "histo"))
    rim, train = chapter.rim_colour(m.dataset.images), np.isin(np.arange(len(how)), m.split.train)
    as_watched, as_cut = (np.median(rim[train & nevi], axis=0) for nevi in (watched, cut))
    watched, cut, mel = watched[m.split.test], cut[m.split.test], m.labels == MEL
    before, effects = m.decided(name, m.clean[name]) == MEL, {}
    for case, among, colour in (
        ("melanomas, skin of followed-up nevi", mel, as_watched),
        ("excised nevi, skin of followed-up nevi", cut, as_watched),
        ("followed-up nevi, skin of excised nevi", watched, as_cut),
        ("melanomas, skin of excised nevi", mel, as_cut),
    ):
        answers, after = m.answer(name, with_skin(m.images[among], colour)), np.zeros_like(before)
        after[among] = m.decided(name, answers) == MEL
        effects[case] = {
            "images": int(among.sum()),
            "called melanoma": m.mean(before, among),
            "called melanoma after": m.mean(after, among),
        }
    return effects


def colour_cast(images: np.ndarray, clinic: str, strength: int) -> np.ndarray:
    """Give all images the cast of one clinic's camera."""
    level = chapter.LEVELS["colour cast"][strength - 1]
    return chapter.as_bytes(images * np.exp(level * np.array(chapter.CLINICS[clinic])))


def _worse(m: Material, ways, make) -> dict:
    """Judge both networks on test images that were made worse in several ways."""
    results: dict = {}
    for name in WEIGHTS:
        clean, clean_draws = m.scores(name, m.images)
        results[name] = {"clean": clean}
        error = 1 - clean["balanced accuracy"]["value"]
        for way in ways:
            results[name][way] = {}
            for strength in range(1, 6):
                scores, drawn = m.scores(name, make(m.images, way, strength))
                value = (1 - scores["balanced accuracy"]["value"]) / error
                ratio = stored_as(value, (1 - drawn) / (1 - clean_draws))
                results[name][way][str(strength)] = {**scores, "relative error": ratio}
            print(f"    {name}, {way}", flush=True)
    return results


def subgroups(m: Material) -> dict:
    """Judge by age, sex, body site, brightness and source: test part and cross-validation."""
    metadata = m.dataset.metadata
    if metadata["dataset"].isna().any():
        raise ChapterError(
            "The column dataset is missing. Put the official HAM10000_metadata in place of "
            "Kaggle's copy (data/README.md says where it comes from)."
        )
    groups, skin = chapter.patient_groups(metadata), chapter.skin_brightness(m.dataset.images)
    cuts = np.quantile(skin[m.split.train], [1 / 3, 2 / 3])
    thirds = np.array(["darker third", "middle third", "lighter third"])
    groups["skin in the image"] = thirds[np.digitize(skin, cuts)]
    proofs = {"histo": "histology", "follow_up": "follow-up"}
    groups["label by"] = metadata["dx_type"].map(proofs).fillna("consensus or confocal")
    with_source = groups.assign(source=metadata["dataset"])
    row = {name: k for k, name in enumerate(metadata["image_id"])}
    ids, _, answers = _out_of_fold()
    judged = {n: (m.split.test, m.clean[n], m.decided(n, m.clean[n])) for n in WEIGHTS}
    rows = np.array([row[name] for name in ids])
    judged["cross-validation"] = rows, answers, decide(answers, m.shares)
    tables, gaps = {}, {}
    for name, (rows, answered, predicted) in judged.items():
        given = m.dataset.labels[rows], predicted, m.groups[rows]
        tables[name] = _table(*given, with_source.iloc[rows], answered[:, MEL])
        gaps[name] = _gaps(*given, groups.iloc[rows])
    return {"tables": tables, "gaps": gaps}


def _table(labels, predicted, lesions, groups, scores) -> list[dict]:
    draws, rows = _draws(labels, lesions), []
    weights = np.hstack([np.ones((len(labels), 1)), draws])
    for by, group, member in chapter.members(groups):
        judged = chapter.judge(member, labels, predicted, lesions, draws)
        ends = {k: as_record(judged.pop(k), digits=4) for k in ("sensitivity", "specificity")}
        judged["lesions"] = len(set(lesions[member]))
        judged["melanoma lesions"] = len(set(lesions[member & (labels == MEL)]))
        auc = weighted_auc(labels[member] == MEL, scores[member], weights[member])
        if judged["melanoma lesions"] < chapter.FEWEST:
            auc *= np.nan
        ends["AUC"] = stored_as(auc[0], auc[1:])
        rows.append({"by": by, "group": group, **judged, **ends})
    return rows


def _gaps(labels, predicted, lesions, groups) -> dict:
    gaps, right = {}, (predicted == MEL) == (labels == MEL)
    for number, among in (("sensitivity", labels == MEL), ("specificity", labels != MEL)):
        gaps[number] = {}
        for by in groups:
            if number == "sensitivity" and by == "label by":
                continue  # every melanoma's label comes from histology
            table = chapter.by_lesion(right[among], lesions[among], groups[by][among])
            gap, lots = chapter.gap_by_chance(table)
            gaps[number][by] = {
                "gap": round(float(gap), 4),
                "median gap by lot": round(float(np.median(lots)), 4),
                "as large by lot": round(float((lots >= gap - 1e-12).mean()), 4),
            }
    return gaps


def labels(m: Material) -> dict:
    """Let cleanlab look for labels that the out-of-fold answers contradict."""
    from cleanlab.filter import find_label_issues

    ids, given, answers = _out_of_fold()
    answers = answers.astype(np.float64)
    answers /= answers.sum(axis=1, keepdims=True)
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


PARTS = {
    "maps": maps,
    "shortcuts": shortcuts,
    "corruptions": lambda m: _worse(m, chapter.LEVELS, chapter.corrupt),
    "clinics": lambda m: _worse(m, chapter.CLINICS, colour_cast),
    "subgroups": subgroups,
    "labels": labels,
}


# --- What is out of date -------------------------------------------------------------------------


def made_from_files() -> dict:
    """Say which weights, stored runs and functions stand here; no images are needed for that."""
    sums = {name: read_certificate(name).weights_sha256 for name in WEIGHTS}
    runs = {name: read_certificate(name, folder=STUDIES) for name in run_names(FOLDS)}
    (path,) = (ROOT / "chapters").glob(f"{CHAPTER}_*.ipynb")
    source = stamp.source_of(nbformat.read(path, as_version=4))
    return {
        "weights": sums,
        "folds": {name: run.weights_sha256 for name, run in runs.items()},
        "code": {part: code_hash(source, names.split()) for part, names in CODE.items()},
    }


def code_hash(source: str, names: list[str]) -> str:
    """Return 16 digits that name functions and CONSTANTS of `source` and what they reach there."""
    defined = {
        name: node
        for node in ast.parse(source).body
        for name in stamp.defined(node)
        if isinstance(node, ast.FunctionDef) or name.isupper()
    }
    todo, reached = set(names), {}
    while todo:
        name = todo.pop()
        if name in defined and name not in reached:
            node = defined[name]
            reached[name] = stamp.essence(ast.get_source_segment(source, node))
            todo |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return hashlib.sha256(json.dumps(sorted(reached.items())).encode()).hexdigest()[:16]


def stale(stored: dict, now: dict) -> list[str]:
    """Return the parts that are missing or were made from something that is another now."""
    before = stored.get("made_from", {})
    if any(before.get(key) != value for key, value in now.items() if key != "code"):
        return list(CODE)
    code = before.get("code", {})
    return [p for p in CODE if p not in stored or code.get(p) != now["code"][p]]


def main() -> int:
    """Make what is missing or out of date; return the exit status."""
    try:
        m = Material()
    except ChapterError as error:
        print(error, file=sys.stderr)
        return 1
    stored = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    now = made_from_files() | {"data": m.dataset.fingerprint, "split": m.split.fingerprint}
    old = stale(stored, now)
    results = {part: stored[part] for part in PARTS if part not in old}
    for part in old:
        start = time.perf_counter()
        print(part, flush=True)
        try:
            results[part] = PARTS[part](m)
        except ChapterError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"    {time.perf_counter() - start:.0f} s", flush=True)
        in_order = {part: results[part] for part in PARTS if part in results}
        write_json(FILE, {"made_from": now, **in_order})  # a stopped run goes on after this part
    return 0


if __name__ == "__main__":
    sys.exit(main())
