import numpy as np

RNG = np.random.default_rng(0)
MELANOMA = RNG.random(400) < 0.15
FOREIGN = RNG.random(400) < 0.4
SCORES = np.clip(RNG.beta(1, 6, 400) + 0.35 * MELANOMA - 0.06 * FOREIGN, 0.001, 0.999)
THRESHOLD = 0.3
RINGS = SCORES >= THRESHOLD


def rung(among):
    own, others = among & MELANOMA, among & ~MELANOMA
    return float(np.average(RINGS, weights=own)), float(RINGS[others].mean())


def promised(among):
    return float(sum(SCORES[among]) / np.count_nonzero(MELANOMA[among]))


def drawn(groups):
    missed = np.random.default_rng(0).random((400_000, groups)) < 0.05
    return missed.any(axis=1).mean()


HERE, ALL = rung(FOREIGN), np.ones(400, bool)
NO_MISS = 1 - np.prod(np.full(17, 0.95))
FIRST = "I would collect a hundred of your own images with their diagnoses before any patient. "
LOOK = "Then count what the alarm finds and its false alarms, with the threshold as it is. "
LIMIT = "With ten melanomas the interval stays wide, and nothing is known about dark skin. "
FILLER = "Thank you for your letter and and for all the kind words in it about our work. "
GIVEN = {"groups": 17, "melanoma": MELANOMA, "scores": SCORES, "foreign": FOREIGN}
GIVEN |= {"threshold": THRESHOLD}
RIGHT = {
    1: [NO_MISS, round(drawn(17), 2), round(100 * NO_MISS), [NO_MISS]],
    2: [HERE, np.array(HERE), [round(HERE[0], 2), round(HERE[1], 2)]],
    3: [promised(FOREIGN), round(promised(FOREIGN), 2), np.array([promised(FOREIGN)])],
    4: [FIRST + LOOK + LIMIT,
        "Test it on consecutive patients with the local camera, and see whether the probabilities "
        "are true there. Rare cancers will be missing, so it must be tested again later on."],
}  # fmt: skip
MISTAKES = {
    1: [(0.05, "one given interval"), (0.95**17, "none misses"), (0.85, "how many miss on average"),
        (0.05**17, "all of them"), (1.5e-4, "0.95 times itself"),
        (NO_MISS + 0.03, "0.95 times itself")],  # near, and not near enough
    2: [(HERE[::-1], "exchanged"), (rung(ALL), "all images"), (rung(~FOREIGN), "HAM10000"),
        ((HERE[0], 1 - HERE[1]), "quiet ones"), ((1 - HERE[0], HERE[1]), "missed"),
        ((HERE[0], (~MELANOMA)[FOREIGN & RINGS].mean()), "among the alarms"),
        ((HERE[0], MELANOMA[FOREIGN & ~RINGS].mean()), "among the quiet"),
        (((RINGS == MELANOMA)[FOREIGN].mean(), HERE[1]), "accuracy"),
        ((0.5, 0.5), "among foreign"), (HERE[0], "one number")],
    3: [(1 / promised(FOREIGN), "turn it round"), (promised(ALL), "all images"),
        (promised(~FOREIGN), "HAM10000"), (SCORES[FOREIGN].sum(), "many are promised"),
        (SCORES[FOREIGN].mean(), "mean probability"),
        (SCORES[FOREIGN & MELANOMA].mean(), "melanomas alone"),
        (SCORES[FOREIGN].sum() - MELANOMA[FOREIGN].sum(), "difference"),
        ((SCORES[FOREIGN] >= 0.5).sum() / MELANOMA[FOREIGN].sum(), "above a half"),
        (7.3, "divided by")],
    4: [("Test it on new images, with intervals.", "has 7 words"),
        (FILLER + LOOK + "The interval is wide.", "own images"),
        (FILLER + FIRST + "The interval is wide.", "has to be looked at"),
        (FILLER + FIRST + "We should compare the alarm there.", "cannot show")],
}  # fmt: skip
OTHERWISE = [(1, {"groups": 12}, drawn(12), True, ""), (1, {}, drawn(12), False, "")]
