"""What a program has to know to use the exported model rightly: the manifest beside it."""

import dataclasses
import json
from pathlib import Path

from utils.classes import CLASSES
from utils.plain_words import NOT_A_MEDICAL_DEVICE, PLAIN_WORDS, REFUSED, SEEN_ON, WHEN_WORRIED
from utils.refusal import Refusal
from utils.weights import MODELS, BirthCertificate, CertificateError

FORMAT = 1
# `utils.augment.symmetry` 0 to 7: turn counter-clockwise by so many degrees, then mirror left and
# right.
SYMMETRIES = (
    (0, False),
    (0, True),
    (180, True),
    (180, False),
    (270, True),
    (270, False),
    (90, False),
    (90, True),
)


def read_measured(certificate: BirthCertificate, *, folder: Path = MODELS) -> dict:
    """Read what was measured of published weights on the real images, ``demo.json``.

    Raises
    ------
    CertificateError
        If the file is missing, or tells of other weights.
    """
    again = "Run `python -m tools.demo.export_demo --measure` with the real images."
    try:
        measured = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CertificateError(f"demo.json in {folder.name}/ cannot be read. {again}") from error
    if measured.get("weights_sha256") != certificate.weights_sha256:
        raise CertificateError(
            f"demo.json in {folder.name}/ tells of other weights than {certificate.name!r} is now. "
            f"{again}"
        )
    return measured


def manifest(certificate: BirthCertificate, refusal: Refusal, measured: dict) -> dict:
    """Return everything that a program needs to know in order to use the model rightly.

    Parameters
    ----------
    certificate : BirthCertificate
    refusal : Refusal
    measured : dict

    Returns
    -------
    dict
        The manifest, without what is known only when the file is written.
    """
    left_out = ("train_lesions", "validation_lesions", "history")
    birth = {k: v for k, v in dataclasses.asdict(certificate).items() if k not in left_out}
    birth["train_lesions"] = len(certificate.train_lesions)
    birth["validation_lesions"] = len(certificate.validation_lesions)
    classes = []
    for c in sorted(CLASSES, key=lambda c: c.kaggle_label):
        words = PLAIN_WORDS[c.dx]
        classes.append(
            {
                "dx": c.dx,
                "name": c.name,
                "plain": words.plain,
                "meaning": words.meaning,
                "source": words.source,
                "malignant": c.malignant,
                "label": c.kaggle_label,
                "colour": c.colour,
                "says": measured["says"][c.dx],
            }
        )
    return {
        "format": FORMAT,
        "name": certificate.name,
        "input": {
            "name": "image",
            "size": [28, 28],
            "layout": "NHWC",
            "dtype": "float32",
            "range": [0, 255],
        },
        "outputs": {"probabilities": "probabilities", "strangeness": "strangeness"},
        "classes": classes,
        "symmetries": [{"rotate": turn, "flip": flip} for turn, flip in SYMMETRIES],
        "symmetries_mean": (
            "turn the 28 x 28 image counter-clockwise by `rotate` degrees (numpy.rot90), then, if "
            "`flip`, mirror left and right"
        ),
        "average": "probabilities",
        "temperature": measured["temperature"],
        "calibration": (
            "Take the mean of the probabilities over the eight symmetries, raise each to the power "
            "1 / temperature, and divide by their sum. Fitted on the validation images."
        ),
        "shares": measured["shares"],
        "shares_mean": (
            "Class shares of the training images. The probabilities answer for this mix already; "
            "nothing is to be multiplied."
        ),
        "refusal": {
            "threshold": refusal.threshold,
            "rule": "refuse if the mean strangeness over the eight symmetries is above threshold",
            "text": REFUSED,
            **measured["refusal"],
        },
        "preprocessing": {
            "resize": "area average (PIL BOX)",
            "rows_first": True,
            "colour": "sRGB values as stored, no colour profile applied",
            "rotation": "as the EXIF entry says",
            "transparency": "on white",
            "crop": (
                "The training images, 4:3, were squeezed to a square as a whole. A square cut out "
                "of the middle gives nearly the same answers (see `crop`)."
            ),
        },
        "crop": measured["crop"],
        "altered": measured["altered"],
        "says_on": measured["says_on"],
        "tested": measured["tested"],
        "certificate": birth,
        "not_a_medical_device": NOT_A_MEDICAL_DEVICE,
        "when_worried": WHEN_WORRIED,
        "words_checked": SEEN_ON,
    }
