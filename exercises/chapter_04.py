"""Self-checks of chapter 4: a convolution, a layer's size, the loss, an answer for every image."""

import numpy as np

from exercises.base import Feedback, WrongKind, array, essay, exercise, number, right, wrong


@exercise(
    wanted="three numbers, (edge_kernel, turned, turned after ReLU)", look="section 'Convolution'"
)
def exercise_1(answer: object, patch: np.ndarray, kernel: np.ndarray) -> Feedback:
    """Check what a kernel and the same kernel turned give on a patch, and the second after ReLU.

    Mistakes met: ReLU taken for the absolute value, ReLU left out, the kernel upside down (wrong
    sign), the two kernels exchanged, a mean in place of the sum.

    Parameters
    ----------
    patch, kernel : ndarray, shape (3, 3)
        The pixels, and the kernel that looks from left to right.
    """
    got = array(answer, shape=(3,)).astype(float)
    across, down = (float((np.asarray(patch, float) * k).sum()) for k in (kernel, kernel.T))
    expected = np.array([across, down, max(down, 0.0)])
    look = "section 'Convolution', the nine products and ReLU"

    def same(one: np.ndarray | list[float]) -> bool:
        return bool(np.allclose(got, one, atol=0.5))

    if same(expected):
        text = "It gets lighter from left to right and darker from top to bottom; ReLU drops that."
        return right(text, got=got)
    if same([across, down, abs(down)]) and down < 0:
        message = "ReLU does not take the sign away; it sets a negative number to 0."
    elif same([across, down, down]) and down < 0:
        message = "The third number is that after ReLU, which lets nothing negative pass."
    elif np.allclose(got[:2], [across, -down], atol=0.5) and down:
        message = "The turned kernel is upside down: its negative weights lie on the upper row."
    elif np.allclose(got[:2], [-across, down], atol=0.5) and across:
        message = "edge_kernel is the wrong way round: its negative weights lie on the left."
    elif np.allclose(got[:2], [down, across], atol=0.5):
        message = "The two kernels are exchanged: edge_kernel looks from left to right."
    elif np.allclose(9 * got[:2], expected[:2], atol=0.5):
        message = "These are means of the nine products; a convolution adds them up."
    else:
        message = "Multiply number by number (nine products), then add up."
    wanted = "sum(patch × edge_kernel), sum(patch × edge_kernel.T), then max(0, the second)"
    return wrong(message, got=got, expected=wanted, look=look)


@exercise(
    wanted="two whole numbers, (parameters, pixels of height)", look="section 'Layer by layer'"
)
def exercise_2(answer: object, model: object, *, size: int = 5) -> Feedback:
    """Check parameters and height of the output of the second convolution with larger kernels.

    The height may be given as a shape as well, with or without the maps. Mistakes met: no bias,
    the incoming channels forgotten, one kernel only, nothing changed, and for the height a frame
    of zeros, one pixel lost on each side as before, the whole kernel size lost.

    Parameters
    ----------
    model : keras.Model
        The network of the chapter; its second convolution is looked at.
    size : int
        Height and width of the larger kernels, odd.
    """
    parameters, height = _two(answer)
    old, channels, filters, entering = _second_convolution(model)
    each = size * size * channels
    expected, high = (each + 1) * filters, entering - size + 1
    look = "section 'Layer by layer', the layer worked out by hand"
    if (parameters, height) == (expected, high):
        text = "More weights in each kernel, and a smaller map: fewer places to lay the kernel on."
        return right(text, got=(int(parameters), int(height)))
    if parameters == each * filters:
        message = f"One number per kernel is missing: the bias, {filters} of them."
    elif parameters == (size * size + 1) * filters:
        message = f"A kernel reaches through all {channels} channels that come in; this counts one."
    elif parameters == each + 1:
        message = f"This is one kernel; there are {filters} of them."
    elif parameters == (old * old * channels + 1) * filters:
        message = f"This is the count for kernels of {old} × {old}; they are {size} × {size} now."
    elif parameters != expected:
        message = "Count the weights of one kernel, add its bias, times the number of kernels."
    elif height == entering:
        message = f"{entering} pixels come in. Without a frame of zeros, the outermost are lost."
    elif height == entering - old + 1:
        message = f"That is the height for {old} × {old}: a larger kernel loses more at each side."
    elif height == entering - size:
        message = f"Lay a row of {size} on a row of {entering} and count the places: one more."
    else:
        message = "The number of parameters is right. How often does the kernel fit, one by one?"
    wanted = f"parameters of {filters} kernels, and the places for a row of {size} on {entering}"
    return wrong(message, got=(parameters, height), expected=wanted, look=look)


@exercise(wanted="two numbers, (loss of cautious, loss of bold)", look="section 'The loss'")
def exercise_3(answer: object, cautious: np.ndarray, bold: np.ndarray) -> Feedback:
    """Check the mean cross-entropy of two networks' answers.

    Mistakes met: the minus forgotten, the sum in place of the mean, the logarithm of the mean in
    place of the mean of the logarithms, the decimal or binary logarithm, the two exchanged.

    Parameters
    ----------
    cautious, bold : ndarray of float
        The probability that each network gave to the right diagnosis of each lesion.
    """
    got = array(answer, shape=(2,)).astype(float)
    shares = [np.asarray(p, float) for p in (cautious, bold)]
    logs = [np.log(p) for p in shares]
    expected = np.array([-log.mean() for log in logs])
    look = "section 'The loss: how wrong is an answer?'"

    def same(one: object) -> bool:
        return bool(np.allclose(got, one, atol=0.006))

    if same(expected):
        dear = max(range(len(logs[1])), key=lambda k: -logs[1][k])
        text = f"One answer costs bold most: {shares[1][dear]:.2f} for the truth costs "
        return right(text + f"{-logs[1][dear]:.2f} alone.", got=got)
    if same(-expected):
        message = "The minus is missing: the logarithm of a share below 1 is negative."
    elif same([-log.sum() for log in logs]):
        message = "These are sums; the loss of several images is their mean."
    elif same([-np.log(p.mean()) for p in shares]):
        message = "This is the logarithm of the mean: take the logarithm of each, then the mean."
    elif same(expected / np.log(10)):
        message = "This is the logarithm to base 10; the loss takes the natural one, np.log."
    elif same(expected / np.log(2)):
        message = "This is the logarithm to base 2; the loss takes the natural one, np.log."
    elif same(expected[::-1]):
        message = "The two are exchanged: cautious comes first."
    elif np.allclose(got, expected, atol=0.06):
        message = "Nearly: it is the right mean, rounded too much. Give two decimals or more."
    elif same([1 - p.mean() for p in shares]):
        message = "This is 1 minus the mean share; the loss is minus the logarithm of each share."
    else:
        message = "This is not the mean of minus the logarithm of the three shares."
    return wrong(message, got=got, expected="for each the mean of -ln p", look=look)


# What the open answer should name, each by any of several word stems.
ELEMENTS = {
    "why one of the seven names must come out": (
        r"softmax|sum|add(s|ed)? up|100|hundred|\bseven\b|\b7\b|none of (these|them)|no other|"
        r"(must|has to|have to) (choose|answer|give|pick|divide|hand|name)|forced|normali[sz]|"
        r"always (gives|divides|answers|names|wins)|one whole|only (knows|ever|learned|taught)"
    ),
    "what could be done about it": (
        r"threshold|refus|reject|eighth|8th|another class|other class|extra class|new class|"
        r"second (program|network|model)|person|human|doctor|nurse|physician|clinician|"
        r"dermatologist|warn|filter|check(s|ed)? (first|the|whether|that)|detector|staff|"
        r"some(body|one) (look|see|check)|look(s|ed)? at (each|every)|\bgate\b|outlier|"
        r"out.of.distribution"
    ),
    "what that costs, or where it still fails": (
        r"cost|price|\bbut\b|however|still|miss|wrong|false|effort|\btime\b|money|delay|fewer|"
        r"also (refus|reject|turn)|(real|genuine) lesion|(more|extra|some) work|or work|"
        r"never complete|cannot|slips? through"
    ),
}


@exercise(wanted="a text of two to five sentences", look="section 'Softmax'")
def exercise_4(answer: object, *, fewest: int = 25) -> Feedback:
    """Look in the open answer for the cause, a remedy and its cost.

    It looks for words and cannot judge an argument. Named are: a text that is too short, and each
    of the three elements that is missing.
    """
    look = "section 'Softmax', its last paragraph"
    return essay(answer, ELEMENTS, fewest=fewest, look=look)


def _two(answer: object) -> tuple[float, float]:
    """Return parameters and height; a shape in place of the height gives its first number."""
    if isinstance(answer, str) or not hasattr(answer, "__len__") or len(answer) != 2:
        raise WrongKind("Two numbers are wanted, (parameters, height).")
    parameters, height = answer
    if isinstance(height, tuple | list):
        if not 2 <= len(height) <= 4:
            raise WrongKind(f"A shape of {len(height)} numbers has no height; two are the least.")
        height = height[1] if len(height) == 4 else height[0]
    return number(parameters), number(height)


def _second_convolution(model: object) -> tuple[int, int, int, int]:
    """Return kernel size, channels, filters and the height that comes in."""
    kernels = [
        (layer, getattr(getattr(layer, "kernel", None), "shape", ())) for layer in model.layers
    ]
    layer, shape = [(layer, shape) for layer, shape in kernels if len(shape) == 4][1]
    size, _, channels, filters = (int(n) for n in shape)
    return size, channels, filters, int(layer.input.shape[1])
