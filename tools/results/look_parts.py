"""The parts of ``tools.results.look_inside``: each takes the material and returns what is stored."""

from collections import Counter

import numpy as np

from tools.results.look_material import MEL, NV, RESAMPLES, WEIGHTS, Material
from utils import corruptions, explain, studies
from utils.classes import DX
from utils.corruptions import with_skin
from utils.lesion_mask import otsu_mask, rim_colour, share_inside, skin_brightness
from utils.metrics import decide, interval
from utils.splits import lesion_groups
from utils.subgroups import (
    as_record,
    gap_by_chance,
    patient_groups,
    repeatability,
    subgroup_table,
)

FOLDS = "best-fold-"
NOISE = (5, 10, 20, 40)  # grey levels, for SmoothGrad
EXPLAINED = 200  # images, one per lesion, whose answers are explained
RANDOM_SEEDS = (1001, 1002, 1003)  # of random weights; none is the seed of a training
LISTED = 200  # suspected labels that are stored by name


def maps(m: Material) -> dict:
    """Choose layer and noise on validation images; judge the maps on test images."""
    network = m.networks["best"]

    def sample(rows):
        lesions = lesion_groups(m.dataset.metadata)[rows]
        first = np.unique(lesions, return_index=True)[1]
        rows = rows[np.sort(np.random.default_rng(0).permutation(first)[:EXPLAINED])]
        images = m.dataset.images[rows]
        answers = network.predict(images, batch_size=512, verbose=0)
        return images, decide(answers, m.shares)

    images, classes = sample(m.split.validation)
    truth = explain.occlusion(network, images, classes)

    def agreement(found, reference=truth):
        return round(float(np.nanmean(explain.rank_correlation(found, reference))), 4)

    chosen = {
        "images": len(images),
        "agreement with occlusion": {
            "Grad-CAM": {
                str(places): agreement(explain.grad_cam(network, images, classes, layer=layer))
                for layer, places in explain.stages(network).items()
            },
            "SmoothGrad": {
                str(noise): agreement(
                    explain.smoothgrad(network, images, classes, noise=noise), np.abs(truth)
                )
                for noise in NOISE
            },
            "saliency": agreement(explain.saliency(network, images, classes), np.abs(truth)),
        },
    }
    images, classes = sample(m.split.test)
    masks = otsu_mask(images)
    copies = {
        kept: [explain.randomised(network, stages_kept=kept, seed=s) for s in RANDOM_SEEDS]
        for kept in (4, 3, 2, 1, 0)
    }
    methods = {
        "saliency": explain.saliency,
        "SmoothGrad": explain.smoothgrad,
        "Grad-CAM": explain.grad_cam,
        "occlusion": explain.occlusion,
    }
    inside, sanity = {}, {}
    for name, method in methods.items():
        found = method(network, images, classes)
        inside[name] = _mean(share_inside(found, masks))
        sanity[name] = {}
        for kept, networks in copies.items():
            drawn = [method(copy, images, classes) for copy in networks]
            alike = [explain.rank_correlation(found, one) for one in drawn]
            sanity[name][str(kept)] = _mean(np.nanmean(alike, axis=0))
        shares = np.nanmean([share_inside(one, masks) for one in drawn], axis=0)
        inside[f"{name}, random weights"] = _mean(shares)  # of the last, where all are random
        print(f"    {name}", flush=True)
    grey = images.mean(axis=-1)
    inside["darkness of the pixel"] = _mean(
        share_inside(grey.max(axis=(1, 2))[:, None, None] - grey, masks)
    )
    inside["chance (share of the area)"] = _mean(masks.mean(axis=(1, 2)))
    return {"chosen on validation": chosen, "images": len(images), "inside": inside,
            "rank correlation by stages kept": sanity}  # fmt: skip


def _mean(values: np.ndarray) -> dict:
    """Mean with a bootstrap interval, where each value is of another lesion."""
    values = values[np.isfinite(values)]
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    return as_record(interval(values.mean(), values[drawn].mean(axis=1)))


def shortcuts(m: Material) -> dict:
    """Add each artefact to the test images and see what becomes of the answers."""
    found: dict = {}
    for name in WEIGHTS:
        before = m.decided(name, m.clean[name])
        of = {}
        for artefact in corruptions.ARTEFACTS:
            after = m.answer(name, corruptions.add_artefact(m.images, artefact))
            now, mel = m.decided(name, after), m.labels == MEL
            moved = after[:, MEL] - m.clean[name][:, MEL]
            of[artefact] = {
                "changed decisions": m.mean(now != before),
                "melanoma probability": m.mean(moved),
                "melanoma probability of nevi": m.mean(moved, m.labels == NV),
                "melanoma probability of melanomas": m.mean(moved, mel),
                "melanoma alarms on others": m.mean((now == MEL) * 1.0 - (before == MEL), ~mel),
                "melanomas found": m.mean((now == MEL) * 1.0 - (before == MEL), mel),
                "scores": m.scores(name, after)[0],
            }
        found[name] = of
    return {**found, "skin of another series": _exchanged_skin(m)}


def _exchanged_skin(m: Material) -> dict:
    """Give melanomas the skin of the followed-up nevi, and these nevi the skin of the excised.

    The two target colours come from training images.
    """
    how = m.dataset.metadata["dx_type"].to_numpy()
    rim, nevus = rim_colour(m.dataset.images), m.dataset.labels == NV
    train = np.isin(np.arange(len(how)), m.split.train) & nevus
    colour = {w: np.median(rim[train & (how == w)], axis=0) for w in ("follow_up", "histo")}
    of_test = how[m.split.test]
    cases = {
        "melanomas, skin of followed-up nevi": (m.labels == MEL, "follow_up"),
        "excised nevi, skin of followed-up nevi": (
            (m.labels == NV) & (of_test == "histo"),
            "follow_up",
        ),
        "followed-up nevi, skin of excised nevi": (
            (m.labels == NV) & (of_test == "follow_up"),
            "histo",
        ),
        "melanomas, skin of excised nevi": (m.labels == MEL, "histo"),
    }
    found: dict = {"colours": {w: c.tolist() for w, c in colour.items()}}
    for name in WEIGHTS:
        before = m.decided(name, m.clean[name]) == MEL
        found[name] = {}
        for case, (mask, target) in cases.items():
            answers = m.answer(name, with_skin(m.images[mask], colour[target]))
            after = np.zeros(len(mask), bool)
            after[mask] = m.decided(name, answers) == MEL
            found[name][case] = {
                "images": int(mask.sum()),
                "called melanoma": m.mean(before, mask),
                "called melanoma after": m.mean(after, mask),
            }
    return found


def _worse(m: Material, kinds, make) -> dict:
    found: dict = {}
    for name in WEIGHTS:
        clean, clean_draws = m.scores(name, m.clean[name])
        found[name] = {"clean": clean}
        error = 1 - clean["balanced accuracy"]["value"]
        for kind in kinds:
            found[name][kind] = {}
            for strength in corruptions.STRENGTHS:
                scores, draws = m.scores(name, m.answer(name, make(m.images, kind, strength)))
                value = (1 - scores["balanced accuracy"]["value"]) / error
                ratio = interval(value, (1 - draws) / (1 - clean_draws))
                found[name][kind][str(strength)] = {**scores, "relative error": as_record(ratio)}
            print(f"    {name}, {kind}", flush=True)
    return found


def worse(m: Material) -> dict:
    """Judge both networks on test images that were made worse in eight ways."""
    return {"levels": corruptions.LEVELS, **_worse(m, corruptions.LEVELS, corruptions.corrupt)}


def clinics(m: Material) -> dict:
    """Judge both networks on test images with the colour cast of four imagined clinics."""
    return _worse(m, corruptions.CLINICS, corruptions.colour_cast)


def subgroups(m: Material) -> dict:
    """Judge by age, sex, body site and brightness of the skin: test part and cross-validation."""
    metadata, lesions = m.dataset.metadata, lesion_groups(m.dataset.metadata)
    groups, skin = patient_groups(metadata), skin_brightness(m.dataset.images)
    cuts = np.quantile(skin[m.split.train], [1 / 3, 2 / 3])
    groups["skin in the image"] = np.array(["darker third", "middle third", "lighter third"])[
        np.digitize(skin, cuts)
    ]
    proofs = {"histo": "histology", "follow_up": "follow-up"}
    groups["label by"] = metadata["dx_type"].map(proofs).fillna("consensus or confocal")
    row = {name: k for k, name in enumerate(metadata["image_id"])}
    folds = [studies.read_run(name).parts["test"] for name in studies.names(FOLDS)]
    rows = np.array([row[i] for f in folds for i in f.image_ids])
    out_of_fold = decide(np.concatenate([f.probabilities for f in folds]), m.shares)
    judged = {name: (m.split.test, m.decided(name, m.clean[name])) for name in WEIGHTS}
    judged["cross-validation"] = (rows, out_of_fold)
    tables, gaps = {}, {}
    for name, (of, predicted) in judged.items():
        labels = m.dataset.labels[of]
        table = subgroup_table(labels, predicted, lesions[of], groups.iloc[of], resamples=RESAMPLES)
        tables[name] = [
            {k: as_record(v) if hasattr(v, "low") else v for k, v in record.items()}
            for record in table.to_dict("records")
        ]
        gaps[name] = {}
        for number, mask in (("sensitivity", labels == MEL), ("specificity", labels != MEL)):
            hit = (predicted == MEL) == (labels == MEL)
            gaps[name][number] = {}
            for by in groups:
                if number == "sensitivity" and by == "label by":
                    continue  # every melanoma's label comes from histology
                gap, lots = gap_by_chance(hit[mask], lesions[of][mask], groups[by].iloc[of][mask])
                gaps[name][number][by] = {
                    "gap": round(gap, 4),
                    "median gap by lot": round(float(np.median(lots)), 4),
                    "as large by lot": round(float((lots >= gap - 1e-12).mean()), 4),
                }
    same, other = repeatability(skin, lesions)
    return {
        "tables": tables,
        "gaps": gaps,
        "brightness of the skin": {
            "cuts": [round(float(c), 1) for c in cuts],
            "difference within a lesion": round(same, 2),
            "difference between lesions": round(other, 2),
        },
    }


def labels(m: Material) -> dict:
    """Let cleanlab look for labels that the out-of-fold answers contradict."""
    from cleanlab import __version__
    from cleanlab.filter import find_label_issues

    folds = [studies.read_run(name).parts["test"] for name in studies.names(FOLDS)]
    given = np.concatenate([f.labels for f in folds])
    answers = np.concatenate([f.probabilities for f in folds]).astype(np.float64)
    answers /= answers.sum(axis=1, keepdims=True)
    ids = np.concatenate([f.image_ids for f in folds])
    ranked = find_label_issues(given, answers, return_indices_ranked_by="self_confidence", n_jobs=1)
    how = dict(zip(m.dataset.metadata["image_id"], m.dataset.metadata["dx_type"], strict=True))
    top = answers.argmax(axis=1)
    pairs = Counter((DX[given[k]], DX[top[k]]) for k in ranked)
    proof, all_proofs = Counter(how[ids[k]] for k in ranked), Counter(how.values())
    return {
        "cleanlab": __version__,
        "images": len(given),
        "suspected": len(ranked),
        "by class": {dx: int((given[ranked] == k).sum()) for k, dx in enumerate(DX)},
        "by dx_type": {key: [proof[key], n] for key, n in sorted(all_proofs.items())},
        "pairs": [[*pair, count] for pair, count in pairs.most_common()],
        "most suspected": [
            {
                "image_id": str(ids[k]),
                "given": DX[given[k]],
                "probability of given": round(float(answers[k, given[k]]), 4),
                "answer": DX[top[k]],
                "probability of answer": round(float(answers[k, top[k]]), 4),
                "dx_type": how[ids[k]],
            }
            for k in ranked[:LISTED]
        ],
    }


PARTS = {
    "maps": maps,
    "shortcuts": shortcuts,
    "corruptions": worse,
    "clinics": clinics,
    "subgroups": subgroups,
    "labels": labels,
}
