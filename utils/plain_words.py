"""What the try-it page and `utils.predict` say to people who are not doctors, with its sources."""

from dataclasses import dataclass

from utils.classes import CLASSES

SEEN_ON = "2026-11-25"


@dataclass(frozen=True)
class PlainWords:
    """A diagnosis for lay readers.

    Attributes
    ----------
    plain : str
        A name of a few everyday words.
    meaning : str
        What it is, in one or two sentences.
    source : str
        Address of the page that `meaning` was checked against.
    """

    plain: str
    meaning: str
    source: str


PLAIN_WORDS: dict[str, PlainWords] = {
    "akiec": PlainWords(
        "rough, sun-damaged patch or very early skin cancer",
        "A dry, scaly patch of skin damaged by the sun, with a small chance of becoming a skin "
        "cancer, or Bowen's disease, a very early form of one. Have it looked at.",
        "https://www.nhs.uk/conditions/actinic-keratoses/",
    ),
    "bcc": PlainWords(
        "basal cell carcinoma, a common skin cancer",
        "A common skin cancer. It grows slowly and does not usually spread to other parts of the "
        "body, but it damages the skin around it and is treated, mostly with a small operation.",
        "https://www.nhs.uk/conditions/non-melanoma-skin-cancer/",
    ),
    "bkl": PlainWords(
        "harmless age spot or warty growth",
        "A harmless, often warty or waxy spot of the outer skin that is common as people get "
        "older. It does not turn into cancer.",
        "https://healthify.nz/health-a-z/s/seborrhoeic-keratosis",
    ),
    "df": PlainWords(
        "dermatofibroma, a harmless firm lump",
        "A harmless firm lump in the skin, most often on the legs of adults.",
        "https://www.euromelanoma.eu/fr-lu/learn-about-skin-cancer/benign-lesion/dermatofibroma",
    ),
    "nv": PlainWords(
        "mole",
        "A small coloured spot. Most people have moles, and most moles are harmless unless they "
        "change in size, shape or colour.",
        "https://111.wales.nhs.uk/Encyclopaedia/m/article/moles/",
    ),
    "vasc": PlainWords(
        "harmless spot of small blood vessels",
        "A red, blue or purple spot made of small blood vessels, such as a cherry angioma. Very "
        "common and harmless; some kinds bleed easily.",
        "https://dermnetnz.org/cme/lesions/dermal-and-subcutaneous-lesions",
    ),
    "mel": PlainWords(
        "melanoma, the more serious kind of skin cancer",
        "A skin cancer that can spread to other parts of the body. Found early enough, it can be "
        "cured before it spreads.",
        "https://www.nice.org.uk/guidance/ng14/ifp/chapter/Skin-cancer-melanoma",
    ),
}
assert tuple(PLAIN_WORDS) == tuple(c.dx for c in CLASSES)

NOT_A_MEDICAL_DEVICE = (
    "This is a teaching example, not a medical device. It is often wrong. It has not been tested "
    "on photographs from phones or on dark skin. Do not decide anything about anybody's health by "
    "it, least of all not to see a doctor."
)
WHEN_WORRIED = {
    "text": (
        "Worried about a spot on your skin? Show it to a doctor, whatever the program says: above "
        "all a mole, freckle or patch that changes, itches, hurts, bleeds, crusts or scabs, and a "
        "new growth or sore that does not heal. It is probably nothing serious; if it is skin "
        "cancer, finding it early makes it easier to treat."
    ),
    "source": "https://www.nhs.uk/be-clear-on-cancer/symptoms/skin-cancer",
    "source_name": "National Health Service (NHS), England",
}
REFUSED = (
    "This does not look like a dermatoscopic image, so there is no answer. The network knows only "
    "close-up photographs of single spots taken through a dermatoscope, most of them on light "
    "skin. An image with other light, another distance or darker skin can be refused too."
)
