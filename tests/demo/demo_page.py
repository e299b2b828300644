"""What the tests of the page "Try it" do again and again: choose, wait, look."""

import numpy as np
from PIL import Image

from utils.predict import middle_square


def choose(page, content: bytes, name: str = "image.png", kind: str = "image/png") -> str:
    """Choose a file and wait until the page has dealt with it; return how."""
    asked(page)
    page.set_input_files("#tryit-file", {"name": name, "mimeType": kind, "buffer": content})
    return settled(page)


def take(page, dx: str) -> str:
    """Choose a sample and wait for its answer; return what came."""
    asked(page)
    page.click(f"[data-sample={dx}]")
    return settled(page)


def asked(page) -> None:
    """Forget the state, so that an answer that stands there already is not taken for the next."""
    page.evaluate("() => { document.getElementById('tryit').dataset.state = 'asked'; }")


def settled(page) -> str:
    """Wait for an answer, a refusal or an error; return which. The map may still be drawn."""
    states = ("answered", "explained", "failed")
    page.wait_for_selector(", ".join(f"#tryit[data-state={state}]" for state in states))
    if page.get_attribute("#tryit", "data-state") == "failed":
        return "failed"
    refused = page.get_attribute("#tryit-answer", "data-refused") == "true"
    return "refused" if refused else "answered"


def until(page, condition: str) -> None:
    """Wait for a condition; playwright's own way needs `eval`, which the page's policy forbids."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it never came true: {condition}")


def bars(page):
    """Return the classes in the page's answer, the first one first."""
    return page.locator(".tryit-bars > li")


def value(page, slider: str) -> int:
    """Return where a slider of the square stands: x, y or size."""
    return int(page.input_value(f"#tryit-{slider}"))


def box(page) -> dict[str, float]:
    """Return the place and the size of the square on the screen."""
    page.locator("#tryit-square").scroll_into_view_if_needed()
    return page.locator("#tryit-square").bounding_box()


def seen(page) -> np.ndarray:
    """Return the 28 × 28 pixels that the page shows as the network's input."""
    data = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
    values = page.locator("#tryit-sees").evaluate(data)
    return np.array(values, np.uint8).reshape(28, 28, 4)[..., :3]


def boxed(image: Image.Image) -> np.ndarray:
    """Shrink the centred square as Pillow does."""
    return np.asarray(middle_square(image).convert("RGB").resize((28, 28), Image.Resampling.BOX))


def apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())
