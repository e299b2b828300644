"""Self-checks of chapter 4: a convolution, a layer's size, the loss, an answer for every image."""

import numpy as np

from exercises.base import WrongKind, compare, exercise, numbers, open_question


@exercise(
    "three numbers, (edge_kernel, turned, turned after ReLU)",
    "'Convolution', the nine products and ReLU",
)
def exercise_1(answer, patch, kernel):
    """Check what a kernel and the same kernel turned give on a patch, and the second after ReLU."""
    # `patch` and `kernel` have the shape (3, 3); the kernel looks from left to right.
    patch = np.asarray(patch, float)
    across, down = (float((patch * k).sum()) for k in (kernel, kernel.T))
    matrix = [float((patch @ k).sum()) for k in (kernel, kernel.T)]
    if isinstance(answer, tuple | list) and any(np.size(part) == 9 for part in answer):
        raise WrongKind("These are nine products; add them up, to one number.")
    return compare(numbers(answer, 3), [
        ((across, down, max(down, 0)),
         "It gets lighter from left to right and darker from top to bottom; ReLU drops that."),
        ((across, down, -down), "ReLU does not take the sign away; it sets negative numbers to 0."),
        ((across, down, down), "The third number is after ReLU, which lets nothing negative pass."),
        ((across, -down), "The turned kernel is upside down: its upper row is the negative one."),
        ((-across, down), "edge_kernel is the wrong way round: its negative weights lie left."),
        ((-across, -down), "Both are the wrong way round: lay the kernel on as it is printed."),
        ((down, across), "The two kernels are exchanged: edge_kernel looks from left to right."),
        ((across / 9, down / 9), "These are means of the nine products; a convolution adds.", 0.06),
        ((across, down), "The first two are right. The third is the larger of the second and 0."),
        (matrix, "The sign @ multiplies matrices; a convolution multiplies place by place: *."),
        (..., "Multiply number by number (nine products), then add up."),
    ], "sum(patch × edge_kernel), the same with .T, max(0, the second)", within=0.5)  # fmt: skip


@exercise(
    "two whole numbers, (parameters, pixels of height)",
    "'Layer by layer', the layer worked out by hand",
)
def exercise_2(answer, model, *, size=5):
    """Check parameters and height of the output of the second convolution with larger kernels."""
    # `model` is the chapter's network, `size` (odd) the height and width of the larger kernels.
    (_, colours, first, _), (old, channels, filters, entering) = _two_convolutions(model)
    each = size * size * channels
    parameters, height = (each + 1) * filters, entering - size + 1
    return compare(numbers(answer, 2), [
        ((parameters, height),
         "More weights in each kernel, and a smaller map: fewer places to lay the kernel on."),
        (each * filters, f"One number per kernel is missing: the bias, {filters} of them."),
        ((size * size + 1) * filters,
         f"A kernel reaches through all {channels} channels that come in; this counts one."),
        ((size * size * colours + 1) * filters,
         f"There are {colours} colours in the image only; here {channels} channels come in."),
        ((size * size * colours + 1) * first,
         "This is the first convolution; the task is about the second, the one with 32 kernels."),
        (each + 1, f"This is one kernel; there are {filters} of them."),
        ((old * old * channels + 1) * filters,
         f"This is the count for kernels of {old} × {old}; they are {size} × {size} now."),
        ((parameters, entering),
         f"{entering} pixels come in. Without a frame of zeros, the outermost are lost."),
        ((parameters, entering - old + 1),
         f"That is the height for {old} × {old}: a larger kernel loses more at each side."),
        ((parameters, entering - size),
         f"Lay a row of {size} on a row of {entering} and count the places: one more."),
        (parameters, "The number of parameters is right. At how many places does a kernel fit?"),
        (..., "Count the weights of one kernel, add its bias, times the number of kernels."),
    ], f"parameters of {filters} kernels, places for {size} in {entering}", within=0)  # fmt: skip


@exercise("two numbers, (loss of cautious, loss of bold)", "'The loss: how wrong is an answer?'")
def exercise_3(answer, cautious, bold):
    """Check the mean cross-entropy of two networks' answers."""
    # `cautious` and `bold` are what each gave to the right diagnosis of each lesion.
    shares = [np.asarray(p, float) for p in (cautious, bold)]
    losses = np.array([-np.log(p).mean() for p in shares])
    worst = shares[1].min()
    if isinstance(answer, tuple | list) and any(np.size(part) > 1 for part in answer):
        raise WrongKind("These are losses of each lesion; a network's loss is their mean.")
    return compare(numbers(answer, 2), [
        (losses, f"One answer costs bold most: {worst:.2f} for the truth costs "
                 f"{-np.log(worst):.2f} alone."),
        (-losses, "The minus is missing: the logarithm of a share below 1 is negative."),
        ([-np.log(p).sum() for p in shares], "These are sums; the loss is the mean over images."),
        ([-np.log(p.mean()) for p in shares],
         "This is the logarithm of the mean: take the logarithm of each, then the mean."),
        (losses / np.log(10), "This is the logarithm to base 10; take the natural one, np.log."),
        (losses / np.log(2), "This is the logarithm to base 2; take the natural one, np.log."),
        (losses, "Nearly: the right mean, rounded too much. Give two decimals or more.", 0.06),
        ([-np.log(p.min()) for p in shares], "This is the worst lesion alone; take the mean."),
        ([2 / 3, 2 / 3], "This is the share of right answers, the accuracy; it is the same here."),
        ([1 - p.mean() for p in shares], "This is 1 minus the mean; the loss takes logarithms."),
        (..., "This is not the mean of minus the logarithm of the three shares."),
    ], "for each the mean of -ln p", within=0.006)  # fmt: skip


exercise_4 = open_question("a text of two to five sentences", fewest=25, elements={
    "why one of the seven names must come out":
        r"softmax|sum|add(s|ed)? up|100|hundred|\bseven\b|\b7\b|none of (these|them)|no other|"
        r"(must|has to|have to) (choose|answer|give|pick|divide|hand|name)|forced|normali[sz]|"
        r"always (gives|divides|answers|names|wins)|one whole|only (knows|ever|learned|taught)",
    "what could be done about it":
        r"threshold|refus|reject|eighth|8th|other class|extra class|new class|second (program|"
        r"network|model)|person|human|doctor|nurse|physician|clinician|dermatologist|warn|filter|"
        r"check(s|ed)? (first|the|whether|that)|detector|staff|some(body|one) (look|see|check)|"
        r"look(s|ed)? at (each|every)|\bgate\b|outlier|out.of.distribution",
    "what that costs, or where it still fails":
        r"cost|price|\bbut\b|however|still|miss|wrong|false|effort|\btime\b|money|delay|fewer|"
        r"also (refus|reject|turn)|(real|genuine) lesion|(more|extra|some) work|or work|"
        r"never complete|cannot|slips? through",
}, look="'Softmax', its last paragraph")  # fmt: skip


def _two_convolutions(model: object) -> list[tuple[int, int, int, int]]:
    """Return kernel size, channels, filters and the height that comes in, of the first two."""
    with_kernel = [layer for layer in model.layers if hasattr(layer, "kernel")]
    found = [layer for layer in with_kernel if len(layer.kernel.shape) == 4][:2]
    return [(*map(int, layer.kernel.shape[1:]), int(layer.input.shape[1])) for layer in found]
