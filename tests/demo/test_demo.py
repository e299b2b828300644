"""The page "Try it" in a browser: it answers, declines, explains, and lets nothing out."""

import base64
import json
import re
import zipfile

import numpy as np
import pytest
from demo_book import browser, served, small_book
from demo_images import (
    UNREADABLE,
    animated,
    lesion,
    lesions,
    saved,
    strangers,
    transparent,
    turned_by_exif,
)
from demo_page import apart, asked, boxed, choose, seen, settled, take, until
from PIL import Image, ImageOps

from tools.book import npm
from tools.book.course import ROOT
from tools.demo import demo

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
THEME = "THEBE_JS_URL"  # each page of the theme declares it twice, which harms nothing
REAL = 200  # real images for the comparison with Python


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The page and its neighbours as HTML, still without model and runtime."""
    return small_book(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def html(rendered):
    missing = demo.install(rendered)
    if any("runtime" in problem for problem in missing):
        pytest.skip(f"no onnxruntime-web here: {missing[0]}")
    assert not missing, missing
    return rendered


@pytest.fixture(scope="module")
def manifest(html):
    return json.loads((html / "_static" / "demo" / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def extra():
    """Files that the server offers besides the book, by their paths."""
    return {}


@pytest.fixture(scope="module")
def address(html, extra):
    with served(html, extra) as found:
        yield found


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import Error

    try:
        with browser() as started:
            yield started
    except Error as error:
        pytest.skip(f"no browser here: {str(error).splitlines()[0]}")


@pytest.fixture
def open_page(chromium, address):
    """Open the page in a fresh profile; the requests it makes are in ``page.requests``."""
    contexts = []

    def opened(viewport=WIDE, **options):
        context = chromium.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.requests, page.errors = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("pageerror", lambda error: THEME in str(error) or page.errors.append(str(error)))
        page.goto(f"{address}/try-it.html")
        page.wait_for_selector("#tryit[data-state=waiting]")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page):
    return open_page()


# --- Answers -------------------------------------------------------------------------------------


def test_a_sample_is_answered_in_words_bars_and_map(page, manifest):
    assert take(page, "mel") == "answered"
    page.wait_for_selector("#tryit[data-state=explained]")
    bars = page.locator("#tryit-details .tryit-bars > li")
    assert bars.count() == 7
    assert page.locator(".tryit-bars > li.tryit-top").count() == 3
    first = bars.first
    assert first.get_attribute("data-dx") == "mel"
    shares = [
        float(re.sub(r"under|over|%", "", t))
        for t in page.locator(".tryit-value").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    assert abs(sum(shares) - 100) <= 7
    entry = next(c for c in manifest["classes"] if c["dx"] == "mel")
    text = first.inner_text()
    assert entry["meaning"] in text
    assert f"{entry['says']['right']} of {entry['says']['said']} test images" in text
    widths = page.evaluate(
        "[...document.querySelectorAll('.tryit-fill')].map((e) => parseFloat(e.style.width))"
    )
    assert abs(sum(widths) - 100) < 0.01
    assert "%" in page.inner_text("#tryit-map-text")
    status = page.text_content("#tryit-status")
    assert status.startswith("Most like: Melanoma") and status.count("%") == 3
    assert manifest["not_a_medical_device"] in page.inner_text("#tryit-warning")
    assert manifest["when_worried"]["text"] in page.inner_text("#tryit-warning")
    assert not page.errors


def test_samples_are_answered_as_what_they_were_drawn_as(page):
    for dx in ("nv", "mel", "bkl", "bcc", "vasc", "akiec"):
        assert take(page, dx) == "answered", dx
        assert page.get_attribute(".tryit-bars > li >> nth=0", "data-dx") == dx


def test_paste_and_drop_answer_as_the_file_does(page):
    content = saved(lesion())
    choose(page, content)
    wanted = page.inner_text("#tryit-details")
    for event in ("paste", "drop"):
        take(page, "nv")
        assert page.inner_text("#tryit-details") != wanted
        page.evaluate(
            """([event, data]) => {
              const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
              const transfer = new DataTransfer();
              transfer.items.add(new File([bytes], 'x.png', { type: 'image/png' }));
              document.getElementById('tryit').dataset.state = 'asked';
              document.body.dispatchEvent(event === 'paste'
                ? new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true })
                : new DragEvent('drop', { dataTransfer: transfer, bubbles: true }));
            }""",
            [event, base64.b64encode(content).decode()],
        )
        settled(page)
        assert page.inner_text("#tryit-details") == wanted, event


def test_pasted_words_are_no_image(page):
    page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.setData('text/plain', 'words');
          document.body.dispatchEvent(
            new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true }));
        }"""
    )
    assert settled(page) == "failed"
    assert "no image" in page.inner_text("#tryit-error")


def test_camera_takes_a_picture_and_is_switched_off(open_page):
    page = open_page(permissions=["camera"])
    page.click("#tryit-camera")
    until(page, "document.querySelector('#tryit-dialog video').videoWidth > 0")
    page.evaluate("window.stream = document.querySelector('#tryit-dialog video').srcObject")
    page.click("#tryit-dialog [value=take]")
    assert settled(page) in ("answered", "refused")
    assert not page.locator("#tryit-dialog").is_visible()
    assert page.evaluate("window.stream.getTracks().every((t) => t.readyState === 'ended')")
    assert seen(page).std() > 5


def test_escape_closes_the_camera(open_page):
    page = open_page(permissions=["camera"])
    page.click("#tryit-camera")
    until(page, "document.querySelector('#tryit-dialog video').videoWidth > 0")
    page.evaluate("window.stream = document.querySelector('#tryit-dialog video').srcObject")
    page.keyboard.press("Escape")
    until(page, "window.stream.getTracks().every((t) => t.readyState === 'ended')")
    assert not page.locator("#tryit-work").is_visible()
    assert not page.errors


def test_no_camera_is_said(open_page):
    page = open_page()
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none')); }"
    )
    page.click("#tryit-camera")
    assert settled(page) == "failed"
    assert "No camera" in page.inner_text("#tryit-error")


# --- What it does not know, and what it cannot read ----------------------------------------------


def test_strangers_get_no_diagnosis(page, manifest):
    for name, content in strangers().items():
        assert choose(page, content) == "refused", name
        text = page.inner_text("#tryit-answer")
        assert "does not look like a dermatoscopic image" in text
        assert manifest["when_worried"]["text"] in text
        assert page.locator(".tryit-bars").count() == 0
        assert not page.locator("#tryit-map").is_visible()
        assert page.text_content("#tryit-status").strip().startswith("This does not look like")
    choose(page, saved(lesion()))  # and it comes back
    assert page.locator(".tryit-bars > li").count() == 7


def test_unreadable_files_are_told_plainly(page):
    for name, (content, word) in UNREADABLE.items():
        assert choose(page, content, name, "") == "failed", name
        message = page.inner_text("#tryit-error")
        assert word in message and len(message) > 40, f"{name}: {message}"
        assert not page.locator("#tryit-work").is_visible()
    assert page.get_attribute("#tryit-error", "role") == "alert"
    choose(page, saved(lesion()))
    assert page.locator("#tryit-answer").is_visible()
    assert not page.locator("#tryit-error").is_visible()
    assert not page.errors


def test_rotation_transparency_colours_and_animation(page):
    upright = lesion((150, 210))
    choose(page, turned_by_exif(upright), "a.jpg", "image/jpeg")
    assert apart(seen(page), boxed(upright)) <= 3
    choose(page, transparent())
    assert "transparent" in page.inner_text("#tryit-notes")
    assert (seen(page) == 255).all()
    grey = ImageOps.grayscale(lesion())
    choose(page, saved(grey))
    assert apart(seen(page), boxed(grey)) == 0
    if page.get_attribute("#tryit-answer", "data-refused") == "false":
        assert "no colour" in page.inner_text("#tryit-answer")
    choose(page, saved(lesion().convert("CMYK"), "JPEG"), "c.jpg", "image/jpeg")
    assert "CMYK" in page.inner_text("#tryit-notes")
    for kind in ("GIF", "PNG", "WEBP"):
        choose(page, animated(kind))
        assert "only its first picture" in page.inner_text("#tryit-notes").lower(), kind
        assert apart(seen(page), boxed(lesion())) <= 12, kind  # a GIF has 256 colours
    choose(page, saved(lesion((20, 20))))
    assert "smaller than" in page.inner_text("#tryit-notes")


# --- The square, the keyboard, small screens, other senses ---------------------------------------


def test_keyboard_alone_chooses_moves_and_sizes(page):
    page.focus("#tryit-file")
    for _ in range(2):  # the camera, then the first sample
        page.keyboard.press("Tab")
    asked(page)
    page.keyboard.press("Enter")
    settled(page)
    before = seen(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "tryit-square":
            break
    else:
        raise AssertionError("Tab does not reach the square")
    size = int(page.input_value("#tryit-size"))
    for _ in range(5):
        page.keyboard.press("-")
    smaller = int(page.input_value("#tryit-size"))
    assert smaller < size
    left, top = (int(page.input_value(f"#tryit-{axis}")) for axis in "xy")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert int(page.input_value("#tryit-x")) < left
    assert int(page.input_value("#tryit-y")) > top
    page.keyboard.press("+")
    assert smaller < int(page.input_value("#tryit-size")) < size
    page.wait_for_timeout(100)  # the page waits until the square has come to rest
    settled(page)
    assert apart(seen(page), before) > 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "tryit-size"


def test_mouse_moves_and_sizes_the_square(page):
    choose(page, saved(lesion((300, 200))))
    page.locator("#tryit-square").scroll_into_view_if_needed()
    box = page.locator("#tryit-square").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=5)
    page.mouse.up()
    moved = page.locator("#tryit-square").bounding_box()
    assert abs(moved["x"] - box["x"] - 30) < 6 and abs(moved["width"] - box["width"]) < 2
    x, y = moved["x"] + 8, moved["y"] + 8  # the corner at the top left
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 40, steps=5)
    page.mouse.up()
    sized = page.locator("#tryit-square").bounding_box()
    assert sized["width"] < moved["width"] - 20


def test_finger_moves_the_square(open_page):
    page = open_page(PHONE, has_touch=True, is_mobile=True)
    choose(page, saved(lesion((400, 200))))
    page.locator("#tryit-square").scroll_into_view_if_needed()
    before = int(page.input_value("#tryit-x"))
    box = page.locator("#tryit-square").bounding_box()
    touch = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    points = [[], [{"x": x + 25, "y": y}], [{"x": x + 50, "y": y}]]
    touch.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    for point in points[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": point})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert int(page.input_value("#tryit-x")) > before + 10


def test_phone_width_has_no_sideways_scrolling(open_page):
    page = open_page(PHONE, has_touch=True, is_mobile=True)
    assert page.locator("label:has(#tryit-photo)").is_visible()
    assert page.get_attribute("#tryit-photo", "capture") == "environment"
    for content in (saved(lesion((2000, 700))), strangers()["text"], b"words"):
        choose(page, content)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("motion, wanted", [("reduce", "auto"), ("no-preference", "smooth")])
def test_motion_is_reduced_where_that_is_wanted(open_page, motion, wanted):
    page = open_page(reduced_motion=motion)
    page.evaluate(
        "() => { Element.prototype.scrollIntoView = (how) => { window.scrolled = how.behavior; }; }"
    )
    choose(page, saved(lesion()))
    assert page.evaluate("window.scrolled") == wanted


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page()
    page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
    for content in (None, saved(lesion()), strangers()["text"], b"words"):
        if content:
            choose(page, content)
        page.wait_for_timeout(300)  # colours fade over
        found = Axe().run(page, context="#tryit").response["violations"]
        bad = [
            f"{v['id']}: {node['html'][:120]}"
            for v in found
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"]
        ]
        assert not bad, "\n".join(bad)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != (
        "rgb(255, 255, 255)" if theme == "dark" else "rgb(0, 0, 0)"
    )


# --- Nothing leaves ------------------------------------------------------------------------------


def test_no_foreign_request_and_no_runtime_before_it_is_needed(page, address):
    heavy = ("ort.js", "ort.wasm.gz", "model.onnx", "manifest.json")
    page.wait_for_timeout(300)
    assert not [url for url in page.requests if url.endswith(heavy)]
    choose(page, saved(lesion()))
    for name in heavy:
        assert sum(url.endswith(name) for url in page.requests) == 1, name
    count = len(page.requests)
    choose(page, saved(lesion(number=1)))
    assert len(page.requests) == count, page.requests[count:]
    assert not [url for url in page.requests if not url.startswith((address, "data:"))]


def test_focus_in_the_box_loads_the_network(page):
    page.focus("#tryit-file")
    page.wait_for_event("requestfinished", lambda request: request.url.endswith("model.onnx"))


def test_it_answers_without_network_after_the_first_answer(page):
    take(page, "nv")
    page.context.set_offline(True)
    choose(page, saved(lesion()))
    assert page.locator(".tryit-bars > li").count() == 7
    assert take(page, "mel") == "answered"
    assert page.get_attribute(".tryit-bars > li >> nth=0", "data-dx") == "mel"


def test_a_failed_load_is_said_and_tried_again(page):
    page.context.set_offline(True)
    choose(page, saved(lesion()))
    assert "could not be loaded" in page.inner_text("#tryit-error")
    page.context.set_offline(False)
    choose(page, saved(lesion()))
    assert page.locator(".tryit-bars > li").count() == 7


def test_policy_stands_before_every_script_and_forbids_foreign_hosts(page, html):
    head = (html / "try-it.html").read_text(encoding="utf-8").partition("</head>")[0]
    policy = re.search(r'content="([^"]*)"\s+http-equiv="Content-Security-Policy"', head)
    assert policy and head.index("Content-Security-Policy") < head.index("<script")
    assert head.index("Content-Security-Policy") < head.index("<link")
    assert "connect-src 'self';" in policy[1] and "http" not in policy[1] and "*" not in policy[1]
    blocked = page.evaluate(
        """async () => {
          const seen = [];
          document.addEventListener('securitypolicyviolation',
            (event) => seen.push(event.effectiveDirective));
          const failed = await fetch('https://example.org/').then(() => false, () => true);
          navigator.sendBeacon('https://example.org/', 'x');
          new Image().src = 'https://example.org/x.png';
          const script = document.createElement('script');
          script.src = 'https://example.org/x.js';
          document.head.append(script);
          await new Promise((resolve) => setTimeout(resolve, 300));
          return { failed, seen };
        }"""
    )
    assert blocked["failed"]
    assert {"connect-src", "img-src", "script-src-elem"} <= set(blocked["seen"])


# --- The same answer as Python -------------------------------------------------------------------


def test_shrinking_equals_pillow_exactly(page):
    rng = np.random.default_rng(0)
    for width, height in ((28, 28), (29, 61), (200, 150), (450, 600), (97, 31), (13, 20)):
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        found = page.evaluate(
            """async (data) => {
              const { decode } = await import('/_static/demo/decode.js');
              const { shrink } = await import('/_static/demo/shrink.js');
              const blob = new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]);
              const { bitmap, width, height } = await decode(blob);
              return [...shrink(bitmap, { x: 0, y: 0, width, height })];
            }""",
            base64.b64encode(saved(image)).decode(),
        )
        wanted = boxed(image, square=False)
        assert apart(np.array(found).reshape(28, 28, 3), wanted) == 0, (width, height)


def test_large_photo_is_shrunk_in_strips_as_in_one(page):
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8))
    photo = small.resize((4000, 3000), Image.Resampling.NEAREST)
    choose(page, saved(photo, compress_level=1))
    assert apart(seen(page), boxed(photo)) == 0


def compare(page, extra, files: list[bytes], *, square: bool) -> None:
    """Ask the page and `utils.predict`; hold both answers together."""
    from utils.predict import predict

    extra.clear()
    extra.update({f"/images/{i}": content for i, content in enumerate(files)})
    found = page.evaluate(
        """async ([count, square]) => {
          const { decode } = await import('/_static/demo/decode.js');
          const { shrink, centredSquare } = await import('/_static/demo/shrink.js');
          const { loadNetwork, answerOf } = await import('/_static/demo/network.js');
          const network = await loadNetwork();
          const answers = [];
          for (let i = 0; i < count; i += 1) {
            const picture = await decode(await (await fetch(`/images/${i}`)).blob());
            const region = square ? centredSquare(picture) : { ...picture, x: 0, y: 0 };
            answers.push(await answerOf(network, shrink(picture.bitmap, region)));
            picture.bitmap.close();
          }
          return answers;
        }""",
        [len(files), square],
    )
    wanted = [predict(content, square=square) for content in files]
    here = np.array([answer["probabilities"] for answer in found])
    there = np.array([list(one.probabilities.values()) for one in wanted])
    differing = np.flatnonzero(here.argmax(axis=1) != there.argmax(axis=1))
    assert not differing.size, f"another top class for the images {differing.tolist()}"
    assert np.abs(here - there).max() <= 0.01
    for i, (answer, one) in enumerate(zip(found, wanted, strict=True)):
        if abs(one.strangeness - one.threshold) > 0.02:
            assert answer["refused"] == one.refused, i
    print(f"largest difference {np.abs(here - there).max():.1e} on {len(files)} images")


@pytest.mark.parametrize("square", [False, True])
def test_answers_equal_pythons_on_synthetic_lesions(page, extra, square):
    files = [
        saved(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC), kind, **options)
        for image in lesions()[:10]
        for size, kind, options in (
            ((28, 28), "PNG", {}),
            ((600, 450), "PNG", {}),
            ((211, 97), "JPEG", {"quality": 92}),
        )
    ]
    compare(page, extra, [*files, *strangers().values()], square=square)


def test_answers_equal_pythons_on_real_images(page, extra, real_data_folder):
    zips = sorted(real_data_folder.glob("HAM10000_images_part_*.zip"))
    if not zips:
        pytest.skip(f"{real_data_folder.name} holds no zip with the JPEG files")
    members = []
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            members += [(path, n) for n in archive.namelist() if n.endswith(".jpg")]
    rows = np.random.default_rng(0).choice(len(members), REAL, replace=False)
    archives = {path: zipfile.ZipFile(path) for path in zips}
    files = [archives[members[row][0]].read(members[row][1]) for row in rows]
    compare(page, extra, files, square=False)


# --- The build -----------------------------------------------------------------------------------


def test_without_npm_or_model_the_page_says_so(rendered, chromium, tmp_path, monkeypatch, html):
    import shutil

    copy = tmp_path / "html"
    shutil.copytree(rendered, copy)

    def no_npm(folder, *, root):
        raise npm.NpmError("npm is needed, and there is none.\nInstall Node.js.")

    monkeypatch.setattr(npm, "install", no_npm)
    monkeypatch.setattr(demo, "_install_model", lambda place, root: "The model is absent.\nDetails")
    missing = demo.install(copy)
    assert len(missing) == 2 and "Install Node.js" in missing[0]
    with served(copy) as address:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{address}/try-it.html")
        page.wait_for_selector("text=The model is absent.")
        assert "not part of this build" in page.inner_text(".tryit-missing")
        assert "onnxruntime-web" in page.inner_text(".tryit-missing")
        assert page.locator("#tryit-file").count() == 0
        context.close()


def test_only_this_page_loads_the_demo(html):
    for path in html.rglob("*.html"):
        content = path.read_text(encoding="utf-8")
        assert ("_static/demo/" in content) == (path.name == "try-it.html"), path.name


def test_files_are_small(html):
    place = html / "_static" / "demo"
    own = [
        path
        for pattern in ("*.js", "*.css", "samples/*", "build.json")
        for path in place.glob(pattern)
        if path.name != "ort.js"
    ]
    own.append(html / "try-it.html")
    assert sum(path.stat().st_size for path in own) < 300_000
    assert sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) < 7_000_000


def test_source_files_are_short_and_the_runtime_is_pinned():
    for path in (ROOT / "demo").glob("*.js"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 300, path.name
    package = json.loads((ROOT / "demo" / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "demo" / "package-lock.json").read_text(encoding="utf-8"))
    for name, version in package["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
