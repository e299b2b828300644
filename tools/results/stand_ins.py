"""Train models/…-phantom, the weights that stand in where there are only synthetic lesions.

Only where they are missing, or the phantom or the recipe has changed since. A few epochs are
enough: on the phantom the original network is at its best after one or two (data/phantom.json).
"""

import dataclasses
import sys
import time

from utils.data import load_ham10000
from utils.splits import lesion_split
from utils.training import BEST, ORIGINAL, train
from utils.weights import MODELS, CertificateError, read_certificate

STAND_INS = {
    "original-phantom": dataclasses.replace(ORIGINAL, epochs=4),
    "best-phantom": dataclasses.replace(BEST, epochs=6),
}


def main() -> int:
    """Train what is out of date; return the exit status."""
    dataset = load_ham10000(source="phantom")
    for name, recipe in STAND_INS.items():
        try:
            own = read_certificate(name)
            if (own.data["fingerprint"], own.recipe) == (
                dataset.fingerprint,
                dataclasses.asdict(recipe),
            ):
                continue
            print(f"{name}: the phantom or the recipe has changed, trained anew.", flush=True)
        except CertificateError:
            print(f"{name}: not there yet, trained now.", flush=True)
        start = time.perf_counter()
        train(dataset, lesion_split(dataset), recipe, name=name, folder=MODELS)
        print(f"    {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
