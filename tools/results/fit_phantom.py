"""Fit the phantom to the real images, write its parameters, and measure how good it is.

    python tools/results/fit_phantom.py            fit, write data/phantom.npz, then check
    python tools/results/fit_phantom.py --check    check the parameters that are there

Both need the real images (HAM10000_DIR, or data/raw/) and write what they measure to
data/phantom.json. The check asks two questions. Does a network that has seen the phantom alone
recognise real lesions? And is a synthetic image no nearer to a real image than real images are
to each other, so that no patient's image is given away?
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tools.results import phantom_fit  # noqa: E402
from utils.data import (  # noqa: E402
    PHANTOM,
    LesionImages,
    load_ham10000,
    phantom,  # noqa: E402
)

REPORT = ROOT / "data" / "phantom.json"
COMMAND = "python tools/results/fit_phantom.py --check"
LEAST_AUC = 0.86
PERCENTILE = 1


def synthetic(seed: int = 0) -> LesionImages:
    """Return the phantom in the form that the rest of the course uses."""
    images, labels, metadata = phantom.sample(seed)
    return LesionImages(images, labels, metadata, PHANTOM, phantom.fingerprint(seed=seed))


def nearest(
    images: np.ndarray, others: np.ndarray, forbidden: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Return each image's distance to the nearest of the others, in grey levels.

    Parameters
    ----------
    images, others : ndarray of uint8, shapes (N, 28, 28, 3) and (M, 28, 28, 3)
    forbidden : two ndarrays of int, shapes (N,) and (M,), optional
        Groups of the images and of the others; nothing of the same group is compared.

    Returns
    -------
    ndarray of float, shape (N,)
        Euclidean over the 2,352 values.
    """
    flat = others.reshape(len(others), -1).astype(np.float32)
    squares = np.einsum("ij,ij->i", flat, flat)
    found = []
    for start in range(0, len(images), 1000):
        part = images[start : start + 1000].reshape(-1, flat.shape[1]).astype(np.float32)
        # Up to the part's own squares, which are the same for all others and come at the end.
        distance = squares - 2 * (part @ flat.T)
        if forbidden is not None:
            own = forbidden[0][start : start + 1000, None]
            distance[own == forbidden[1][None, :]] = np.inf
        best = distance.argmin(axis=1)  # the exact distance of the nearest, without cancellation
        found.append(np.sqrt(((part - flat[best]) ** 2).sum(axis=1)))
    return np.concatenate(found)


def distances(
    real: LesionImages, synthetic_images: np.ndarray, *, most: int | None = None
) -> dict[str, float]:
    """Measure the first percentile of three distances to the nearest real image.

    With `most`, only so many synthetic and so many real images, drawn at random with a fixed
    seed, look for their nearest; they still look among all real images.
    """
    rng = np.random.default_rng(0)
    fakes, some = (
        np.arange(len(images)) if most is None else rng.choice(len(images), most, replace=False)
        for images in (synthetic_images, real.images)
    )
    rows = np.arange(len(real.images))
    lesions = np.unique(real.metadata["lesion_id"].astype(str), return_inverse=True)[1]
    found = {
        "phantom to nearest real image": nearest(synthetic_images[fakes], real.images),
        "real to nearest other real image": nearest(
            real.images[some], real.images, (rows[some], rows)
        ),
        "real to nearest real image of another lesion": nearest(
            real.images[some], real.images, (lesions[some], lesions)
        ),
    }
    return {name: round(float(np.percentile(d, PERCENTILE)), 1) for name, d in found.items()}


def trained_on_phantom(real: LesionImages, data: LesionImages, epochs: int) -> dict:
    """Train the original network on the phantom alone and test it on all real images.

    The recipe is the original one (oversampled, raw pixels, Adam 1e-3, batches of 128), except
    that the epoch kept is the one with the best macro AUC on a second phantom, drawn with another
    seed. No real image has a say in it.
    """
    import keras

    from utils.models import original_cnn
    from utils.training import oversampled_indices

    keras.utils.set_random_seed(0)
    validation = synthetic(seed=1)
    rows = oversampled_indices(data.labels, np.arange(len(data.labels)))
    model = original_cnn()
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    images, labels = data.images[rows], data.labels[rows]
    best, chosen, result, history = -1.0, 0, {}, []
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        model.fit(images, labels, batch_size=128, epochs=1, verbose=0)
        auc = _judge(model, validation)["macro AUC"]
        on_real = _judge(model, real)
        history.append([round(auc, 4), round(on_real["macro AUC"], 4)])
        print(
            f"  epoch {epoch} of {epochs}: macro AUC {history[-1][0]:.4f} on the second phantom, "
            f"{history[-1][1]:.4f} on the real images ({time.perf_counter() - start:.0f} s)",
            flush=True,
        )
        if auc > best:
            best, chosen, result = auc, epoch, on_real
    return {
        "epochs": epochs,
        "chosen epoch": chosen,
        "macro AUC on the second phantom and on the real images, each epoch": history,
    } | {f"{name} on the real images": round(value, 4) for name, value in result.items()}


def _judge(model, data: LesionImages) -> dict[str, float]:
    from utils.metrics import headline

    return headline(data.labels, model.predict(data.images, batch_size=1000, verbose=0))


def check(real: LesionImages, epochs: int) -> bool:
    """Measure, print and write to data/phantom.json; return whether both criteria hold."""
    start = time.perf_counter()
    data = synthetic()
    seconds = time.perf_counter() - start
    near = distances(real, data.images)
    names = list(near)
    print(f"{PERCENTILE}st percentile of the distance to the nearest, in grey levels:")
    for name, value in near.items():
        print(f"  {name}: {value:.1f}")
    print("The original network, trained on the phantom alone:")
    network = trained_on_phantom(real, data, epochs)
    auc = network["macro AUC on the real images"]
    passed = {
        f"macro AUC at least {LEAST_AUC}": bool(auc >= LEAST_AUC),
        "not nearer than another image": bool(near[names[0]] >= near[names[1]]),
        "not nearer than another lesion's image": bool(near[names[0]] >= near[names[2]]),
    }
    for name, value in network.items():
        print(f"  {name}: {value}")
    for name, value in passed.items():
        print(f"{'holds' if value else 'FAILS'}: {name}")
    write(
        {
            "command": COMMAND,
            "fingerprint": data.fingerprint,
            "bytes": phantom.PARAMETERS.stat().st_size,
            "images": len(data.images),
            "lesions": int(data.metadata["lesion_id"].nunique()),
            "missing": {
                "age": int(data.metadata["age"].isna().sum()),
                "sex": int((data.metadata["sex"] == "unknown").sum()),
                "localization": int((data.metadata["localization"] == "unknown").sum()),
            },
            "seconds to draw": round(seconds, 1),
            "distances, first percentile": near,
            "trained on the phantom": network,
            "criteria": passed,
        }
    )
    return all(passed.values())


def write(report: dict) -> None:
    """Write data/phantom.json, whole or not at all."""
    temporary = REPORT.with_name(f".{REPORT.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, REPORT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="do not fit, only measure")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of the check (default 6)")
    options = parser.parse_args()
    real = load_ham10000()
    if real.is_phantom or not real.has_lesions:
        print(
            "This needs the real images with their lesion ids. Set HAM10000_DIR to the folder "
            "with the two zips and HAM10000_metadata.csv.",
            file=sys.stderr,
        )
        return 2
    if not options.check:
        start = time.perf_counter()
        phantom_fit.save(phantom_fit.fit(real.images, real.labels, real.metadata))
        size = phantom.PARAMETERS.stat().st_size / 1e6
        seconds = time.perf_counter() - start
        print(f"Fitted in {seconds:.0f} s: {phantom.PARAMETERS} ({size:.2f} MB)")
    return 0 if check(real, options.epochs) else 1


if __name__ == "__main__":
    sys.exit(main())
