"""One image, asked of the published model: what can be opened, what cannot, what is answered."""

import io
import re

import numpy as np
import pytest
from demo_images import lying, saved
from PIL import Image

from utils import predict
from utils.classes import DX
from utils.data import phantom
from utils.files import PredictError, open_image

PICTURE = np.random.default_rng(0).integers(0, 255, (45, 60, 3), dtype=np.uint8)
IMAGE = Image.fromarray(PICTURE)


def answerer(probabilities=None, strangeness=1.0, *, temperature=1.0):
    """A model that knows nothing: the same answer to everything, and what it was asked."""
    asked = []
    probabilities = np.full(7, 1 / 7) if probabilities is None else np.array(probabilities)
    says = {"said": 1234, "right": 617, "melanomas": 56, "share": 0.5, "low": 0.4, "high": 0.6}

    def ask(images):
        asked.append(images)
        return np.tile(probabilities, (len(images), 1)), np.full(len(images), strangeness)

    manifest = {
        "classes": [{"dx": dx, "plain": f"plain <{dx}>", "says": says} for dx in DX],
        "temperature": temperature,
        "refusal": {"threshold": 2.0, "text": "REFUSED."},
        "not_a_medical_device": "NOT A DEVICE.",
        "when_worried": {"text": "SEE A DOCTOR."},
    }
    return predict.Answerer(ask, manifest), asked


def opened(source):
    picture, notes = open_image(source)
    return np.asarray(picture), notes


def test_preprocessing_is_that_of_training_and_answers_are_averaged_and_calibrated():
    (model, asked), tall, middle = answerer(), PICTURE.transpose(1, 0, 2), {"square": True}
    for how, whole, part in (
        ({}, PICTURE, PICTURE), (middle, PICTURE, PICTURE[:, 7:52]), (middle, tall, tall[7:52])
    ):  # fmt: skip
        answer = predict.predict(saved(Image.fromarray(whole)), model=model, **how)
        wanted = Image.fromarray(part).resize((28, 28), Image.Resampling.BOX)
        assert np.array_equal(answer.image, np.asarray(wanted))
    assert asked[0].dtype == np.float32 and asked[0].shape == (8, 28, 28, 3)
    share = np.array([0.05, 0.05, 0.1, 0.05, 0.5, 0.05, 0.2])
    model, asked = answerer(share, 2.0, temperature=0.5)  # just as strange as is allowed
    answer = predict.predict(PICTURE, model=model)
    assert np.allclose(list(answer.probabilities.values()), share**2 / (share**2).sum())
    assert [c.dx for c, _ in answer.ranked][:2] == ["nv", "mel"] and not answer.refused
    assert len({image.tobytes() for image in asked[0]}) == 8, "the orientations are not eight"


def test_the_same_picture_from_everywhere_and_what_is_done_to_others_is_noted(tmp_path):
    content, path = saved(IMAGE), tmp_path / "a.png"
    path.write_bytes(content)
    turned = [lying(IMAGE, orientation, "PNG") for orientation in (3, 6, 8)]
    for source in (path, str(path), content, bytearray(content), IMAGE, PICTURE, *turned):
        array, notes = opened(source)
        assert np.array_equal(array, PICTURE) and notes == [], type(source)
    clear, half = (np.dstack([PICTURE, np.full((45, 60), a, np.uint8)]) for a in (0, 128))
    half[..., :3] = 0
    array, notes = opened(saved(Image.fromarray(clear)))
    assert (array == 255).all() and "white" in notes[0]
    assert np.abs(opened(half)[0].astype(int) - 127).max() <= 1
    palette = IMAGE.quantize(8)
    palette.info["transparency"] = int(np.asarray(palette)[0, 0])
    assert opened(saved(palette))[0][0, 0].tolist() == [255] * 3
    grey, notes = opened(saved(Image.fromarray(PICTURE[..., 0])))
    assert np.array_equal(grey, np.repeat(PICTURE[..., :1], 3, axis=2)) and notes == []
    deep = np.maximum(PICTURE[..., 0] * 257.0 - 120, 0).astype(np.uint16)  # rounded up again
    clear = saved(Image.fromarray(deep), transparency=int(deep[0, 0]))
    for source in (Image.fromarray(deep), clear, saved(Image.fromarray(deep), "TIFF")):
        assert np.array_equal(opened(source)[0], grey)
    assert "as the grey that it is" in opened(clear)[1][0]
    assert "CMYK" in opened(saved(IMAGE.convert("CMYK"), "JPEG"))[1][0]
    frames = [Image.new("RGB", (40, 40), c) for c in ("red", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    moved = Image.open(io.BytesIO(content))
    moved.seek(1)
    for source in (content, moved):
        array, notes = opened(source)
        assert array[0, 0].tolist() == [255, 0, 0] and "first" in notes[0]
    assert "smaller than the 28" in opened(np.zeros((60, 27, 3), np.uint8))[1][0]
    assert opened(np.zeros((28, 28, 3), np.uint8))[1] == []
    lost = b"II*\0\x08\0\0\0\2\0\x0f\1\2\0c\0\0\0\0\x99\0\0\x12\1\3\0\1\0\0\0\6" + bytes(7)
    assert "on its side" in opened(saved(IMAGE, "JPEG", exif=b"Exif\0\0" + lost))[1][0]


REFUSED = {
    "no file": ("nothing/here.png", r"nothing/here\.png cannot be read: No such file"),
    "web": ("https:/example.org/a", "Download the image"), "no home": ("~nobody-here/a", "cannot"),
    "endless": ("/dev/zero", "no file of at most"), "NUL": ("a\0b", "cannot be read: embedded"),
    "floats": (PICTURE / 255, r"float64.* `array\.round.*\(255"), "I": (IMAGE.convert("I"), "no"),
    "deep": (np.uint16(PICTURE), "uint16.* / 257"), "a number": (7, "int is no path"),
    "many pictures": (np.zeros((2, 28, 28, 3), np.uint8), r"shape \(2, 28, 28, 3\)"),
    "huge array": (np.broadcast_to(np.uint8(0), (10_001, 10_000)), "100 million"),
    "long": (np.zeros((100_001, 1), np.uint8), "side"), "La": (Image.new("La", (9, 9)), "La to"),
    "F": (Image.new("F", (9, 9)), "no greys as read"), "0": (Image.new("L", (0, 0)), "no pixels"),
    "EPS": (Image.open(io.BytesIO(saved(IMAGE, "EPS"))), "EPS is not read"),
    "cut": (Image.open(io.BytesIO(saved(IMAGE)[:-60])), "broken"),
}  # fmt: skip


@pytest.mark.parametrize("source, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_told_in_plain_words(source, message):
    with pytest.raises(PredictError, match=message) as caught:
        predict.predict(source, model=answerer()[0])
    assert not re.search(r"cannot identify|<_io|Traceback", str(caught.value))


def test_the_answer_says_what_it_is_and_what_it_is_not_and_a_stranger_gets_no_diagnosis():
    answer = predict.predict(PICTURE[:9], model=answerer([0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1])[0])
    page, parts = answer._repr_html_(), ("nv", "1,234", "50%", "40% to 60%", "56 of them were mel")
    assert "<pre> " in page  # which keeps the columns
    for text in (str(answer), repr(answer), page):
        assert all(part in text for part in (*parts, "NOT A DEVICE.", "SEE A DOCTOR.", "smaller"))
    assert "plain <nv>" in str(answer) and "plain &lt;nv&gt;" in page and "plain <nv>" not in page
    assert all(f" 10.0%  {dx:5}  plain <{dx}>\n" in str(answer) for dx in DX if dx != "nv")
    assert "of them" not in str(predict.predict(PICTURE, model=answerer(np.eye(7)[6])[0]))
    answer = predict.predict(PICTURE, model=answerer(strangeness=2.5)[0])
    assert answer.refused
    for text in (str(answer), answer._repr_html_()):
        assert all(part in text for part in ("No answer", "REFUSED.", "SEE A DOCTOR."))
        assert "plain" not in text and "%" not in text.replace("100%", "")


def test_published_weights_answer_a_phantom_lesion():
    images, labels, _ = phantom.sample()
    nevus = images[int(np.flatnonzero(labels == DX.index("nv"))[0])]
    answer = predict.predict(nevus)
    assert list(answer.probabilities) == list(DX) and 0.5 < answer.strangeness < 3
    shares = list(answer.probabilities.values())
    assert abs(sum(shares) - 1) < 1e-9
    turned = predict.predict(np.rot90(nevus)[:, ::-1].copy())
    assert np.allclose(shares, list(turned.probabilities.values()), atol=1e-5)
