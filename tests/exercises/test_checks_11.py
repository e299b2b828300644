import numpy as np
from test_checks_06 import MEL, NV, TRUTH, P

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(120, 256, (5, 8, 8, 3)).astype(np.uint8)
MASKS = np.zeros((5, 8, 8), bool)
for number, image in enumerate(IMAGES):
    MASKS[number, 2 : 3 + number, 1:4] = True
    image[MASKS[number]] //= 3
GREY = IMAGES.mean(axis=-1)
DARK = np.stack([one.max() - one for one in GREY])


def one_by_one(maps=DARK, masks=MASKS):
    return [float(m[k].sum() / m.sum()) for m, k in zip(maps, masks, strict=True)]


HOW = np.where((TRUTH == NV) & (np.arange(len(TRUTH)) % 2 == 0), "follow_up", "histo")
ANSWERS = np.where(HOW[:, None] == "follow_up", P * (1 - 0.8 * np.eye(7)[MEL]), P)
ALL, KEPT = np.ones(len(TRUTH), bool), HOW != "follow_up"


def area(rows, code=MEL):
    """The area under the curve as the share of pairs in the right order."""
    own, scores = TRUTH[rows] == code, ANSWERS[rows, code]
    return float(np.mean(scores[own][:, None] > scores[~own]))


TOP = ANSWERS.argmax(axis=1)
RINGS, ILL = TOP == MEL, TRUTH == MEL
SHARE, PRICE = RINGS[ILL].mean(), RINGS.sum() / (RINGS & ILL).sum()

ANYWAY = "The darkest pixels lie on the lesion too, with no network at all in the game. "
WHERE = "And the map does not say which reason it had in that spot, the colour for instance. "
INSTEAD = "Let us see its sensitivity on patients from our practice first. "
FILLER = "Thank you very much for your visit and for all the nice slides you brought along today. "

GIVEN = {"images": IMAGES, "masks": MASKS, "truth": TRUTH, "probabilities": ANSWERS}
GIVEN |= {"label_by": HOW}
RIGHT = {
    1: [round(100 * np.mean(one_by_one()), 1), round(np.mean(one_by_one()), 2)],
    2: [[round(area(ALL), 2), round(area(KEPT), 2)]],
    3: [(SHARE, PRICE), [float(round(SHARE, 2)), float(round(PRICE, 2))]],
    4: [ANYWAY + WHERE + INSTEAD,
        "An untrained copy\ngives heat maps that convince just as much. A network may stare at "
        "the right place and be wrong there. We should exchange the light and count decisions.",
        "The maps may be cherry-picked, and tell me nothing about accuracy. Where is the trial "
        "that says how many cancers are found?"],
}  # fmt: skip
MISTAKES = {
    1: [(np.mean(one_by_one()) + 0.03, "divided by all darkness"),
        (MASKS.mean(), "a flat map would reach"), (1 - np.mean(one_by_one()), "share outside"),
        (np.mean(one_by_one(GREY)), "map of brightness"),
        ((DARK * MASKS).sum() / DARK.sum(), "in one pot"), (0.123, "divided by all darkness")],
    2: [((area(KEPT), area(ALL)), "exchanged"), ((area(ALL), area(ALL)), "Twice"),
        ((area(ALL), area(TRUTH != NV)), "left out all nevi"),
        ((area(ALL), area(~KEPT | (TRUTH == MEL))), "turn the condition round"),
        ((area(ALL, NV), area(KEPT, NV)), "AUC of the nevi"), ((0.5, 0.5), "roc_auc_score")],
    3: [((PRICE, SHARE), "exchanged"), ((SHARE, PRICE - 1), "false alarms only"),
        ((SHARE, RINGS.sum() / ILL.sum()), "by all melanomas"), ((SHARE, 1 / PRICE), "inverse"),
        ((RINGS.mean(), PRICE), "all images"), ((1 - SHARE, PRICE), "missed"),
        ((0.5, 50), "all alarms over"), (SHARE, "one number")],
    4: [("A random map, where it looks, test it.", "has 8 words"),
        (FILLER + "I wonder which colour it used, so let us measure that.", "can look right"),
        (FILLER + "A random network paints such a map too; measure it.", "what it uses"),
        (FILLER + "A random network looks at the same place as well.", "instead"),
        (FILLER, "; that where")],
}  # fmt: skip
OTHERWISE = []
