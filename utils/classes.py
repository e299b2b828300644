"""The seven diagnostic classes of HAM10000 in the course's label order."""

from dataclasses import dataclass

__all__ = ["CLASSES", "COLOURS", "DX", "by_dx"]


@dataclass(frozen=True)
class LesionClass:
    """One diagnostic class of HAM10000; `CLASSES` has one a row."""

    dx: str  # the abbreviation used in the metadata column of this name
    name: str  # the medical name
    description: str  # one sentence in plain words
    malignant: bool  # a cancer or its early form
    kaggle_label: int  # in ``hmnist_28_28_RGB.csv``; the course uses this coding
    dermamnist_label: int  # in DermaMNIST; it differs for ``nv``, ``vasc`` and ``mel``
    colour: str  # in every figure: Okabe and Ito's palette, which colour-blind readers tell apart


# fmt: off
CLASSES: tuple[LesionClass, ...] = (
    LesionClass("akiec", "actinic keratosis or Bowen's disease",
        "A rough, scaly patch on sun-damaged skin; an early form of skin cancer that has not "
        "grown into the depth.", True, 0, 0, "#E69F00"),
    LesionClass("bcc", "basal cell carcinoma",
        "The most common skin cancer; it grows slowly into its surroundings and rarely spreads.",
        True, 1, 1, "#56B4E9"),
    LesionClass("bkl", "benign keratosis-like lesion",
        "A harmless thickening or spot of the outer skin: seborrheic keratosis, solar lentigo "
        "(age spot) or lichen-planus-like keratosis.", False, 2, 2, "#009E73"),
    LesionClass("df", "dermatofibroma",
        "A firm, harmless nodule of connective tissue, often on the leg.", False, 3, 3, "#CC79A7"),
    LesionClass("nv", "melanocytic nevus",
        "A harmless growth of the cells that make pigment; what most people call a mole.",
        False, 4, 5, "#0072B2"),
    LesionClass("vasc", "vascular lesion",
        "A harmless growth or bleeding of small blood vessels: angioma, angiokeratoma, pyogenic "
        "granuloma, haemorrhage.", False, 5, 6, "#A6960A"),
    LesionClass("mel", "melanoma",
        "A cancer of the cells that make pigment; dangerous because it spreads early, curable "
        "when it is removed in time.", True, 6, 4, "#D55E00"),
)
# fmt: on

DX: tuple[str, ...] = tuple(c.dx for c in CLASSES)
COLOURS: dict[str, str] = {c.dx: c.colour for c in CLASSES}


def by_dx(dx: str) -> LesionClass:
    """Return the class with the abbreviation `dx`; a `KeyError` lists the seven that exist."""
    if dx not in DX:
        raise KeyError(f"there is no class {dx!r}; the classes are {', '.join(DX)}")
    return CLASSES[DX.index(dx)]
