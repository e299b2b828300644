from types import SimpleNamespace

import numpy as np
from sklearn.metrics import accuracy_score, recall_score

from utils.classes import DX

TRAINED, TESTED = np.arange(700), np.arange(493, 793)  # 207 of 300 were trained on
IN_BOTH = len(set(TRAINED.tolist()) & set(TESTED.tolist())) / len(TESTED)


def judged(seed, *, prefix, hit):
    """120 images of 60 lesions; `hit` is the share recognised among the lesions L0 to L39."""
    rng = np.random.default_rng(seed)
    lesions = np.repeat([f"L{k}" for k in range(60)], 2)
    labels = np.repeat(np.arange(60) % 7, 2)
    labels[80:110] = 4  # the lesions never met are mostly nevi
    right = rng.random(120) < np.where(np.arange(120) < 80, hit, 0.5)
    answers = np.eye(7)[np.where(right, labels, 3)]
    ids = np.array([f"{prefix}{k}" for k in range(120)])
    return SimpleNamespace(image_ids=ids, lesions=lesions, labels=labels, probabilities=answers)


OWN, OTHER = judged(0, prefix="a", hit=0.6), judged(1, prefix="b", hit=0.9)
OTHER.image_ids[60:100] = OWN.image_ids[60:100]  # trained on by neither split
CERTIFICATE = SimpleNamespace(train_lesions=[f"L{k}" for k in range(40)])
RUN = SimpleNamespace(parts={"test": OWN, "other test": OTHER}, certificate=CERTIFICATE)


def scores(part, judged=OTHER):
    answers = judged.probabilities.argmax(axis=1)[part]
    labels = judged.labels[part]
    # Not balanced_accuracy_score, which warns: classes are answered that do not occur.
    recall = recall_score(labels, answers, labels=np.unique(labels), average="macro")
    return accuracy_score(labels, answers), recall


NEVER = scores(slice(80, None))
COUNTED = OTHER.probabilities[80:][np.arange(40), OTHER.labels[80:]].mean()
SHARE = np.array([3, 5, 11, 1, 67, 2, 11]) / 100
FOUND = np.array([0.3, 0.25, 0.6, 0.1, 0.9, 0.2, 0.45])
REST = np.delete(np.arange(7), DX.index("nv"))
# One image at a time: 9,000 nevi, and the others 1,000 in their proportions of 33.
MIXED = (9000 * 0.9 + sum(1000 / 33 * 100 * SHARE[k] * FOUND[k] for k in REST)) / 10_000
BALANCED = sum(FOUND) / 7
NEW = SHARE * 0.1 / 0.33
NEW[DX.index("nv")] = 0.9
WHY = "The printed number was taken on images most of which the program had been trained on. "
WHAT = "For your patients this means that melanomas are missed although you feel reassured. "
ASK = "Please ask for a test on lesions of your own patients, with an interval around it. "
GIVEN = {"trained_on": TRAINED, "tested_on": TESTED, "run": RUN, "share": SHARE}
GIVEN |= {"recognised": FOUND}
RIGHT = {
    1: [0.7, 70, IN_BOTH, np.isin(TESTED, TRAINED).mean(), [0.69]],
    2: [NEVER, [round(float(COUNTED), 2), round(NEVER[1], 3)], (100 * COUNTED, 100 * NEVER[1])],
    3: [(MIXED, BALANCED), np.round([100 * NEW @ FOUND, 100 * BALANCED], 1),
        (round(MIXED, 3), round(BALANCED, 2))],
    4: [[4, 5, 6], {6, 5, 4}, (4.0, 5, np.int64(6)), np.arange(4, 7)],
    5: [WHY + WHAT + ASK,
        "Four fifths of the pictures it was judged on were copies it knew by heart.\nIn your "
        "practice more early tumours would be overlooked than you expect. Demand a split by "
        "lesion and a score from another hospital.",
        "The weights had been fitted on four of five of the pictures they were scored on. "
        "Somebody may die of a tumour that was called a nevus. First get results on pictures "
        "from your practice."],
}  # fmt: skip
MISTAKES = {
    1: [(0.3, "share of new ones"), (30, "share of new ones"), (207, "a count"),
        (0.21, "share of all images"), (0.49, "only one draw"), (0.8, "chapter's number"),
        (0.35, "Ask of one test image"), (True, "one number"),
        (IN_BOTH - 0.06, "Ask of one test image")],  # near, and not near enough
    2: [(NEVER[::-1], "exchanged"), ((NEVER[0], NEVER[0]), "Both are the accuracy"),
        (scores(slice(60, 100)), "never trained on; siblings"),
        (scores(slice(0, 80)), "turn the mask round"), (scores(slice(None)), "whole test part"),
        (scores(slice(80, None), OWN), "own test part"), ((0.01, 0.02), "Make the mask"),
        ((NEVER[0], 1 / 7), "always nevus"), (0.795, "one number; two")],
    3: [((MIXED, BALANCED + 0.02), "Do shares occur"), ((BALANCED, MIXED), "exchanged"),
        ((0.81 + SHARE[REST] @ FOUND[REST], BALANCED), "more than 1"),
        ((0.81 + 0.1 * np.mean(FOUND[REST]), BALANCED), "equally frequent"),
        ((0.81, BALANCED), "nevi alone"), ((SHARE @ FOUND, BALANCED), "that of the test part"),
        ((MIXED, MIXED), "Do shares occur"), ((0.9, 1 / 7), "always nevus"),
        ((0.813 + 0.1 * np.mean(FOUND[REST]), BALANCED), "Multiply each class")],
    4: [([4, 5, 6, 9], "silent on 9"), ([4, 5, 6, 7, 9, 10, 11], "silent on 7, 9, 10, 11"),
        ([4, 5, 6, 8], "happened before they were taken"),
        ([4, 5, 6, 1, 2, 3, 8, 12], "It answers 1, 2, 3, 8, 12 in"),
        ([4, 5], "1 of the flaws still missing"), (6, "chosen on the test images. 2 of the flaws"),
        ([4, 5, 6, 13], "no number 13"), ("4, 5 and 6", "This is a text"),
        ([4.5], "Numbers of questions"), ([], "Numbers of questions"),
        (np.ones((2, 2, 2)) * 3, "It answers 3")],
    5: [("It was trained on them; missed melanomas; ask for intervals.", "has 10 words"),
        (WHAT + "Please ask for a report with an interval around each number in it.", "why the"),
        (WHY + ASK, "what that means for a patient"), (WHY + WHAT, "what to ask for"),
        ("Please do buy this program, because its accuracy is high and " * 3, "; what that")],
}  # fmt: skip
HALF = (0.5 * 0.9 + 0.5 * (SHARE[REST] @ FOUND[REST]) / 0.33, BALANCED)
OTHERWISE = [(3, {"nevi": 0.5}, HALF, True, ""), (3, {"nevi": 0.9}, HALF, False, "")]
