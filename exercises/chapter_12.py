"""Self-checks of chapter 12: many comparisons, a threshold abroad, promises kept, a hospital."""

from exercises.base import compare, exercise, number, numbers, open_question


@exercise("one probability between 0 and 1", "'For whom', the picture of all groups")
def exercise_1(answer, groups):
    """Check the probability that at least one of so many 95 % intervals misses by chance."""
    none = 0.95**groups
    return compare(number(answer), [
        (1 - none, "So one that stands out is what you must expect."),
        (0.05, "This is the chance that one given interval misses; there are many of them.", 0.001),
        (none, "This is the probability that none misses; you want the opposite."),
        (0.05 * groups, "This is how many miss on average, and no probability: it grows beyond 1."),
        (0.05**groups, "This is the probability that all of them miss.", 1e-4),
        (..., "All are right with 0.95 times itself, once for each group; 1 minus that."),
    ], f"1 minus a power of 0.95, {groups} groups", percent=True)  # fmt: skip


@exercise(
    "two shares: (melanomas that raise the alarm, others that raise it)",
    "'What does the alarm do?', the table",
)
def exercise_2(answer, melanoma, scores, foreign, threshold):
    """Check what a threshold from home does on the images of foreign clinics."""
    rings = scores >= threshold

    def shares(among):
        return rings[among & melanoma].mean(), rings[among & ~melanoma].mean()

    hit, false = shares(foreign)
    right = (rings == melanoma)[foreign]
    return compare(numbers(answer, 2), [
        ((hit, false), "The threshold is the one from home; nobody has asked these clinics."),
        (shares(melanoma | ~melanoma), "These are all images; take those where foreign is True."),
        (shares(~foreign), "These are HAM10000's clinics; take those where foreign is True."),
        ((hit, 1 - false), "The second is the share of quiet ones; you want those that ring."),
        ((1 - hit, None), "The first is the share that is missed; you want the share that rings."),
        ((None, melanoma[foreign & ~rings].mean()),
         "The second is the share of melanomas among the quiet; divide by all others instead."),
        ((None, (~melanoma)[foreign & rings].mean()),
         "The second is the share of false ones among the alarms; divide by all others instead."),
        ((right.mean(), None), "The first is the accuracy; take the melanomas alone."),
        (..., "The mean of scores >= threshold among foreign & melanoma, then & ~melanoma."),
    ], "(share of foreign melanomas at or above the threshold, the same of others)")  # fmt: skip


@exercise("one number, above 1 if too many are promised", "'Are the probabilities still true?'")
def exercise_3(answer, melanoma, scores, foreign):
    """Check how many melanomas are promised among the foreign images, for each that is there."""

    def promised(among):
        return scores[among].sum() / melanoma[among].sum()

    return compare(number(answer), [
        (promised(foreign), "A sum of probabilities is a number of patients to expect."),
        (1 / promised(foreign), "This is found over promised; turn it round."),
        (promised(melanoma | ~melanoma), "These are all images; take the foreign ones."),
        (promised(~foreign), "These are HAM10000's clinics; take those where foreign is True."),
        (scores[foreign].sum(), "This many are promised; divide by how many are there."),
        (scores[foreign].mean(), "This is the mean probability; divide by the share there is."),
        (scores[foreign & melanoma].mean(),
         "These are the probabilities of the melanomas alone; add up those of all images."),
        ((scores[foreign] >= 0.5).sum() / melanoma[foreign].sum(),
         "You counted images above a half; add the probabilities up as they are."),
        (scores[foreign].sum() - melanoma[foreign].sum(),
         "This is the difference; you want promised divided by found."),
        (..., "scores[foreign].sum() divided by melanoma[foreign].sum()."),
    ], "sum of probabilities over number of melanomas")  # fmt: skip


exercise_4 = open_question("a text of some sentences", fewest=20, elements={
    "a test on the hospital's own images before the first patient":
        r"\b(?:(?:own|their|your|our) (?:images|patients|cameras?|lesions)|local|here|hundred|100|"
        r"pilot|test(?:ed)?|valid|new (?:images|patients)|consecutive|collect)",
    "what has to be looked at: what is found, false alarms, or whether probabilities hold":
        r"\b(?:sensitiv|specific|false|alarm|threshold|calibrat|probabilit|miss|found|promis|"
        r"recalibrat|shift|AUC|rank)",
    "what a hundred images cannot show":
        r"\b(?:few|interval|wide|uncertain|rare|too small|only \w+ melanomas|cannot|can't|"
        r"not enough|chance|skin (?:tone|type|colou?r)|dark|groups?|luck|noise|later|again|"
        r"monitor|watch|drift)",
}, look="'The outside test', and 'What would mend it?'")  # fmt: skip
