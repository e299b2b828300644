from types import SimpleNamespace

import numpy as np

KERNEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype="float32")
PATCH = np.array([[180, 190, 200], [120, 140, 150], [60, 80, 100]])
ACROSS = (200 - 180) + 2 * (150 - 120) + (100 - 60)
DOWN = (60 + 2 * 80 + 100) - (180 + 2 * 190 + 200)


def layer(*kernel: int, height: int = 0) -> SimpleNamespace:
    """A stand-in for a Keras layer: the shape of its kernel, and of what comes in."""
    weights = {"kernel": SimpleNamespace(shape=kernel)} if kernel else {}
    return SimpleNamespace(input=SimpleNamespace(shape=(None, height, height, 3)), **weights)


LAYERS = [layer(3, 3, 3, 16, height=28), layer(), layer(3, 3, 16, 32, height=14), layer(256, 7)]
MODEL = SimpleNamespace(layers=LAYERS)
# The same count one by one: for each kernel and channel 25 weights, and a bias for each kernel.
COUNT = sum(1 + sum(25 for _ in range(16)) for _ in range(32))
HEIGHT = len([start for start in range(14) if start + 5 <= 14])

CAUTIOUS, BOLD = np.array([0.45, 0.40, 0.20]), np.array([0.98, 0.97, 0.02])
LOSSES = [-(np.log(p[0]) + np.log(p[1]) + np.log(p[2])) / 3 for p in (CAUTIOUS, BOLD)]
MEANS = [p.mean() for p in (CAUTIOUS, BOLD)]
GIVEN = {"patch": PATCH, "kernel": KERNEL, "model": MODEL, "cautious": CAUTIOUS, "bold": BOLD}
RIGHT = {
    1: [(ACROSS, DOWN, 0), np.array([120, -440, 0], dtype="float32")],
    2: [(COUNT, HEIGHT), [32 * (5 * 5 * 16 + 1), 14 - 4], (np.int64(12_832), 10.0)],
    3: [LOSSES, (1.11, 1.32), np.log(1 / np.stack([CAUTIOUS, BOLD])).mean(axis=1)],
    4: ["Softmax divides 100 % among seven names, so one of them must come out. A person could "
        "look at each photograph first and refuse what is no lesion; that costs time, and a "
        "scar may pass.",
        "The last layer normalises what it gets, so one label always wins, even for a coin. Staff "
        "could look at every upload first; that is extra work, and a tattoo slips through.",
        "The seven outputs add up to 1 and there is no name for anything else. One could add an "
        "eighth class for other things. However, nobody can photograph all other things, so it "
        "will be wrong sometimes."],
}  # fmt: skip
MISTAKES = {
    1: [((ACROSS, DOWN, -DOWN), "does not take the sign away"),
        ((ACROSS, DOWN, DOWN), "lets nothing negative pass"),
        ((ACROSS, -DOWN, -DOWN), "upside down"), ((-ACROSS, DOWN, 0), "the wrong way round"),
        ((DOWN, ACROSS, ACROSS), "exchanged"),
        ((-ACROSS, -DOWN, 0), "Both are the wrong way round"),
        ((ACROSS, DOWN, ACROSS), "The first two are right"),
        (((PATCH @ KERNEL).sum(), (PATCH @ KERNEL.T).sum(), 0), "multiplies matrices"),
        ((PATCH * KERNEL, PATCH * KERNEL.T, 0), "nine products"),
        ((ACROSS / 9, DOWN / 9, 0), "means of the nine products"), ((1, 2, 3), "number by number"),
        ((ACROSS, DOWN), "2 numbers; three are wanted")],
    2: [((32 * 400, 10), "the bias"), ((32 * 26, 10), "all 16 channels"), ((401, 10), "one kernel"),
        ((32 * 76, 10), "colours in the image only"), ((16 * 76, 28), "the first convolution"),
        ((4640, 12), "3 × 3"), ((7, 10), "Count the weights"), ((COUNT, 14), "frame of zeros"),
        ((COUNT, 12), "a larger kernel loses more"), ((COUNT, 9), "one more"),
        ((COUNT, 100), "number of parameters is right"), ((10, COUNT), "exchanged"),
        ((COUNT, (10, 10, 32)), "holds several numbers")],
    3: [([-x for x in LOSSES], "minus is missing"), ([3 * x for x in LOSSES], "These are sums"),
        (-np.log(MEANS), "logarithm of the mean"),
        ([-np.log10(p).mean() for p in (CAUTIOUS, BOLD)], "base 10"),
        ([-np.log2(p).mean() for p in (CAUTIOUS, BOLD)], "base 2"), (LOSSES[::-1], "exchanged"),
        ([-np.log(p) for p in (CAUTIOUS, BOLD)], "losses of each lesion"),
        ([-np.log(p[2]) for p in (CAUTIOUS, BOLD)], "the worst lesion alone"),
        ((0.667, 0.667), "the accuracy"), ([1 - p for p in MEANS], "1 minus the mean"),
        ((0.1, 0.2), "not the mean of minus"),
        (np.round(LOSSES, 1), "two decimals")],
    4: [("Softmax always gives a name. A doctor should look, but it costs time.", "has 13 words"),
        ("A doctor should look at each photograph first, but this costs time and money. " * 2,
         "why one of the seven"),
        ("Softmax gives 100 % to the names that it has, and a coin has none of them. " * 2,
         "what could be done"),
        ("Softmax gives 100 % to the names that it has. A person looks at each photograph. " * 2,
         "what that costs")],
}  # fmt: skip
OTHERWISE = [
    (1, {"patch": np.ones((3, 3))}, (0, 0, 0), True, ""),
    (1, {"patch": -PATCH}, (-ACROSS, -DOWN, -DOWN), True, ""),
    (2, {"size": 7}, (32 * (49 * 16 + 1), 8), True, ""),
    (3, {"cautious": [0.5], "bold": [0.25]}, (np.log(2), np.log(4)), True, ""),
]
