"""Self-checks of chapter 8: images that are no news, the mix of classes, and an abstract."""

import numpy as np

from exercises.base import WrongKind, compare, exercise, number, numbers, open_question, show
from utils.classes import DX

PAIR = "a pair of shares: (accuracy, balanced accuracy)"


@exercise(
    "a share between 0 and 1",
    "'Step 2: the checkpoint that was never written', below the two splits",
)
def exercise_1(answer, trained_on, tested_on):
    """Check the share of test images of one random split that another split trained on."""
    is_known = np.isin(tested_on, trained_on)
    share = is_known.mean()
    return compare(number(answer), [
        (share, "With this chance the other split gave an image to training."),
        # Of the images that were trained on, as large a share is tested on.
        (1 - share, "This is the share of new ones, or of the images trained on. "
         "How many of those tested on are known?", 0.03),
        (is_known.sum(), "This is a count; divide it by the number of test images.", 0),
        (share * (1 - share), "This is a share of all images; take it of the second test part."),
        (share**2, "Images are in the second test part already; only one draw is left to chance."),
        (0.8, "This is the chapter's number; these splits give another share to training."),
        (..., "Ask of one test image: with which chance did the first split train on it?"),
    ], "a share within the second test part", within=0.02, percent=True)  # fmt: skip


@exercise(PAIR, "'Step 3: weights of one split, judged on another', the mask `unseen`")
def exercise_2(answer, run):
    """Check accuracy and balanced accuracy of a run on the lesions that it never met."""
    # `run` is the contaminated run; judged is its part "other test".
    own, other = run.parts["test"], run.parts["other test"]
    lesions = np.asarray(list(run.certificate.train_lesions))
    met = np.isin(other.lesions, lesions)
    accuracy, balanced = _scores(other, ~met)
    return compare(numbers(answer, 2), [
        ((accuracy, balanced), "So much is left when no lesion is an old acquaintance."),
        ((accuracy, accuracy), "Both are the accuracy; the second is the mean over the classes."),
        ((None, 1 / len(DX)), "This is *always nevus*; score what the network answers."),
        (_scores(other, np.isin(other.image_ids, own.image_ids)),
         "These are images never trained on; siblings of theirs were. Ask for lesions."),
        (_scores(other, met), "These are the lesions that were met: turn the mask round with ~."),
        (_scores(other, np.ones(len(met), dtype=bool)),
         "This is the whole test part; first select the lesions that were never met."),
        (_scores(own, ~np.isin(own.lesions, lesions)),
         "This is the run's own test part; take `other`, that of the second split."),
        (..., "Make the mask from other.lesions and record.train_lesions, then score within it."),
    ], "(accuracy, balanced accuracy) on lesions of `other` never met", percent=True)  # fmt: skip


@exercise(PAIR, "'Step 7: accuracy, and what it is made of', the table of contributions")
def exercise_3(answer, share, recognised, *, nevi=0.9):
    """Check both accuracies where `nevi` of all are nevi and the rest keeps its proportions."""
    # Each class's share of the test part, and its sensitivity, shape (7,).
    nv = np.arange(len(DX)) == DX.index("nv")
    balanced, of_nevi = recognised.mean(), nevi * recognised[nv].sum()
    mixed = of_nevi + (1 - nevi) * np.average(recognised[~nv], weights=share[~nv])
    return compare(numbers(answer, 2), [
        # Equal shares of the rest come near in the accuracy; the other may have two digits only.
        ((mixed, balanced),
         "The accuracy moved with the mix of images, the network did not.", (0.003, 0.006)),
        ((nevi, 1 / len(DX)), "This is *always nevus*; take what this network recognises."),
        (mixed, "The accuracy is right. Do shares occur in the balanced accuracy at all?", 0.003),
        (of_nevi + (share * recognised)[~nv].sum(),
         "Your shares add up to more than 1: the six other classes must become rarer."),
        (of_nevi + (1 - nevi) * recognised[~nv].mean(),
         "You made the six other classes equally frequent; they keep their proportions.", 0.002),
        (of_nevi, "These are the nevi alone; a part of the others is recognised too."),
        (share @ recognised, "This accuracy is that of the test part; put in the new shares."),
        (..., "Multiply each class's new share by `recognised`, and add up."),
    ], "(sum of new share × recognised, mean of recognised)", percent=True)  # fmt: skip


# The invented abstract of exercise 4, held against the checklist's twelve questions.
SPOILED = {
    4: "pictures were divided and not lesions, so siblings stand on both sides",
    5: "classes were filled up before the division, so copies stand on both sides",
    6: "the epoch was chosen on the test images",
}
ANSWERED = {1, 2, 3, 8, 12}
SILENT = {7, 9, 10, 11}


@exercise(
    "the numbers of the checklist's questions, such as [1, 2]",
    "'A checklist for reading a paper', and steps 4 to 6",
)
def exercise_4(answer):
    """Check which answers of the invented abstract spoil its number: questions 4, 5 and 6."""
    got = _questions(answer)
    unknown = got - set(SPOILED) - ANSWERED - SILENT
    told, silent = (show(sorted(got & part)) for part in (ANSWERED, SILENT))
    answered = f"It answers {told} in a way that spoils nothing by itself."
    if 8 in got:
        answered += " What spoils the measures of 8 happened before they were taken."
    missing = len(SPOILED) - len(got)
    return compare(sorted(got), [
        (got == set(SPOILED), "Parts, order and choice: no number of this paper can be judged."),
        (bool(unknown), f"Of twelve questions there is no number {min(unknown, default=0)}."),
        (bool(got & SILENT),
         f"The abstract is silent on {silent}: a question to ask, no flaw to find."),
        (bool(got & ANSWERED), answered),
        (..., f"Right so far: {SPOILED.get(min(got))}. {missing} of the flaws still missing."),
    ], "the questions whose answer stands in the text and makes the number worthless")  # fmt: skip


exercise_5 = open_question("a text of some sentences", fewest=15, elements={
    "why the printed number does not hold for a new lesion":
        r"\b(?:train|memor|by heart|cop(?:y|ies|ied)|leak|sibling|overlap|acquaint|another split|"
        r"other split|already (?:seen|met|knew|known|stud)|seen before|fitted|learn(?:ed|t)|"
        r"had (?:seen|met|studied))",
    "what that means for a patient":
        r"\b(?:miss|overlook|undetect|unrecogni|too late|delay|false alarm|harm|reassur|(?:not|"
        r"never) (?:be )?(?:found|recogni)|biops|excis|unnecessary|untreated|false negative|die\b|"
        r"dies\b|death|fatal|metasta|(?:would|could|may|might|can) (?:grow|spread))",
    "what to ask for before the program is used":
        r"\b(?:own (?:patient|image|lesion|clinic|practice|picture|photo)|your practice|"
        r"new (?:lesion|patient)|by lesion|interval|external|independent|prospective|"
        r"other (?:clinic|hospital)|another (?:clinic|hospital)|never (?:seen|met|trained)|"
        r"lesions? (?:kept )?(?:apart|together)|not seen)",
}, look="'Step 3: weights of one split, judged on another', and 'Step 8'")  # fmt: skip


def _scores(judged: object, part: np.ndarray) -> tuple[float, float]:
    """Return accuracy and balanced accuracy within a mask, over the classes that occur in it."""
    labels = judged.labels[part]
    hit = judged.probabilities.argmax(axis=1)[part] == labels
    return float(hit.mean()), float(np.mean([hit[labels == k].mean() for k in np.unique(labels)]))


def _questions(answer: object) -> set[int]:
    values = numbers(list(answer) if isinstance(answer, set | frozenset) else answer)
    if not values.size or (values % 1).any():
        raise WrongKind("Numbers of questions are wanted, whole numbers from 1 to 12.")
    return set(values.astype(int).tolist())
