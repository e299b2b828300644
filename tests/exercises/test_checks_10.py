import numpy as np
from sklearn.metrics import roc_auc_score

RNG = np.random.default_rng(26)
LABELS, TRUTH = RNG.integers(0, 7, 210), RNG.integers(0, 7, 140)
KNOWN, NEW = (RNG.gamma(1, 1, (len(p), 9)) + 2 * np.eye(7, 9)[p] for p in (LABELS, TRUTH))
OURS = TRUTH == 6


def of_nearest(like):
    """Ask for each new image the training images, one after the other, for their class."""
    return np.array([LABELS[max(range(210), key=lambda k: like(a, KNOWN[k]))] for a in NEW])


def cosine(a, b):
    return sum(a * b) / (sum(a * a) * sum(b * b)) ** 0.5


COSINE = of_nearest(cosine)
OTHERS = (lambda a, b: -cosine(a, b)), np.dot, (lambda a, b: -sum((a - b) ** 2))
CALLED = (COSINE, *map(of_nearest, OTHERS))
SHARE, LEAST, DOT, DISTANCE = (sum(classes[OURS] == 6) / sum(OURS) for classes in CALLED)

SMALL, TUNED = (np.eye(7)[TRUTH] + RNG.gamma(1, size, (140, 7)) for size in (0.9, 0.6))
SMALL, TUNED = (p / p.sum(axis=1, keepdims=True) for p in (SMALL, TUNED))
MIXED = [0.1 * k * TUNED + (1 - 0.1 * k) * SMALL for k in range(11)]
AUCS = [roc_auc_score(TRUTH, p, multi_class="ovr") for p in MIXED]
BEST = int(np.argmax(AUCS))
STEPS = "Use smaller steps for the body than for the head, after a warm-up. "
CHOICE = "Choose the epoch by a validation part and open the test once. "
PLANTS = "Keep all photographs of the same plant in one part, or they are not new. "
PLAIN = "And put a small network from nothing beside it, with intervals for the difference."
GIVEN = {"features": KNOWN, "labels": LABELS, "features_of_validation": NEW, "truth": TRUTH}
GIVEN |= {"small": SMALL, "tuned": TUNED}
RIGHT = {
    1: [(32 * 9 + 32 * 16, 16 * 32 * 9), [800.0, 4608], {"block": 800, "ordinary": 4608}],
    2: [SHARE, round(SHARE, 2), round(100 * SHARE, 1), np.array([SHARE], np.float32)],
    3: [BEST / 10, np.float32(BEST / 10)],
    4: [STEPS + CHOICE + PLANTS + PLAIN,
        "Freeze the body first and train the head. Stop by validation images. Split by plant, as "
        "several\nphotographs show one leaf. Compare with logistic regression on its features."],
}  # fmt: skip
MISTAKES = {
    1: [((4608, 800), "exchanged"), ((848, 4624), "biases"), ((288, 4608), "one layer"),
        ((512, 4608), "one layer"), ((147_456, 4608), "multiplied"), ((608, 4608), "has 9"),
        ((800, 1536), "has 9"), ((9728, 4608), "one map by itself"), ((800, 144), "all 32 maps"),
        ((800, 5.76), "first is right"), ((900, 4608), "second is right"), ((1, 2), "Count"),
        (800, "one number; two are wanted"), (("800", "4608"), "quotation marks: 800")],
    2: [(SHARE * sum(OURS), "divide it by all"), (1 - SHARE, "another class"),
        (np.mean(COSINE == TRUTH), "of all classes"), (np.mean(OURS[COSINE == 6]), "Turned"),
        (LEAST, "argmax"), (DOT, "lengths"), (DISTANCE, "by distance"),
        (np.mean(LABELS == 6), "by lot"), (0.33, "Rows to length 1"), (len, "a function"),
        (f"{SHARE:.1%}", "quotation marks"), (COSINE[OURS] == 6, "mean of such a mask")],
    3: [(1 - BEST / 10, "weighs the small network"), (BEST, "place in the list"), (0, "lowest"),
        (max(AUCS), "macro AUC"), (0.5, "Another weight"), (0.33, "eleven weights"),
        (1.1, "eleven weights"), ("0.7", "quotation marks"), ((0.7, 0.95), "is wanted")],
    4: [("Smaller steps, please.", "has 3 words"), (CHOICE + PLANTS + PLAIN, "smaller steps"),
        (STEPS + PLANTS + PLAIN, "the epoch is chosen"), (STEPS + CHOICE + PLAIN, "of a plant"),
        (STEPS + CHOICE + PLANTS, "a small network"),
        ("A number of 97 % on photographs of plant leaves is very good. " * 3, "; that all")],
}  # fmt: skip
OTHERWISE = [(1, {"side": 5, "maps": 480, "to": 80}, (50_400, 960_000), True, "")]
