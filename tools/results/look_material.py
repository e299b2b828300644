"""What the parts of ``tools.results.look_inside`` compute with: test images, networks, resamples."""

import os

import numpy as np

from tools.book.course import environment

os.environ.update(environment())

from utils.augment import predict_averaged  # noqa: E402
from utils.classes import DX  # noqa: E402
from utils.data import load_ham10000  # noqa: E402
from utils.metrics import class_auc, decide, interval, resample_weights  # noqa: E402
from utils.splits import lesion_groups, lesion_split  # noqa: E402
from utils.subgroups import as_record  # noqa: E402
from utils.training import class_shares  # noqa: E402
from utils.weights import load_weights  # noqa: E402

WEIGHTS = ("best", "original")
RESAMPLES = 1000
MEL, NV = DX.index("mel"), DX.index("nv")


class Material:
    """The test part, both published networks with their way to answer, and the resamples."""

    def __init__(self) -> None:
        self.dataset = load_ham10000()
        if self.dataset.is_phantom:
            raise SystemExit("These results are made from the real images: set HAM10000_DIR.")
        self.split = lesion_split(self.dataset)
        rows = self.split.test
        self.images, self.labels = self.dataset.images[rows], self.dataset.labels[rows]
        self.lesions = lesion_groups(self.dataset.metadata)[rows]
        self.shares = class_shares(self.dataset.labels[self.split.train])
        self.networks = {name: load_weights(name, self.dataset, test=rows)[0] for name in WEIGHTS}
        blocks = resample_weights(self.labels, self.lesions, resamples=RESAMPLES)
        self.weights = np.concatenate(list(blocks), axis=1)
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
        weights = self.weights[among]
        drawn = values[among].astype(float) @ weights / weights.sum(axis=0)
        return as_record(interval(values[among].mean(), drawn))

    def scores(self, name: str, probabilities: np.ndarray) -> tuple[dict, np.ndarray]:
        """Numbers of one set of answers, and the balanced accuracy of every resample."""
        predicted = self.decided(name, probabilities)
        right, mel = predicted == self.labels, self.labels == MEL
        each = [self.labels == k for k in range(len(DX))]
        draws = np.mean([right[k] @ self.weights[k] / self.weights[k].sum(axis=0) for k in each], 0)
        return {
            "balanced accuracy": as_record(
                interval(np.mean([right[k].mean() for k in each]), draws)
            ),
            "accuracy": round(float(right.mean()), 4),
            "macro AUC": round(float(class_auc(self.labels, probabilities).mean()), 4),
            "melanoma sensitivity": self.mean(predicted == MEL, mel),
            "melanoma specificity": self.mean(predicted != MEL, ~mel),
        }, draws
