"""The page "Try it" in a browser: it answers, declines, explains, and lets nothing out."""

import base64
import functools
import http.server
import json
import re
import shutil
import threading
from unittest.mock import Mock

import numpy as np
import pytest
from demo_images import UNREADABLE, animated, lesion, lesions, lying, saved, strangers
from demo_page import apart, asked, bars, box, boxed, choose, seen, settled, take, until, value
from PIL import Image

from tools.book import npm
from tools.book.course import ROOT
from tools.book.render import render
from tools.demo import install
from tools.demo.export_demo import asker
from utils.augment import averaged
from utils.calibration import apply_temperature
from utils.data.photographs import Photographs
from utils.predict import predict

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
REAL = 200  # real images for the comparison with Python
# What try-it.md refers to; the real pages would take a minute to render.
NEIGHBOURS = re.findall(r"{doc}`([^`]+)`", (ROOT / "try-it.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The page and stand-ins for its neighbours as HTML, still without model and runtime."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "_static", folder / "_static")
    for name in ("_config.yml", "references.bib", "references.md", "try-it.md"):
        shutil.copy2(ROOT / name, folder)
    (folder / "chapters").mkdir()
    for name in ("intro", *NEIGHBOURS):
        (folder / f"{name}.md").write_text(f"# {name}\n\nA stand-in.\n", encoding="utf-8")
    pages = "".join(f"  - file: {name}\n" for name in (*NEIGHBOURS, "try-it", "references"))
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: intro\nchapters:\n{pages}")
    done = render(folder)
    assert done.returncode == 0, done.stdout[-4000:]
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def html(rendered):
    missing = install.install(rendered)
    if any("runtime" in problem for problem in missing):
        pytest.skip(f"no onnxruntime-web here: {missing[0]}")
    assert not missing, missing
    return rendered


@pytest.fixture(scope="module")
def manifest(html):
    return json.loads((html / "_static" / "demo" / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def address(html):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def open_page(new_page, address):
    def opened(viewport=WIDE, **options):
        page = new_page(f"{address}/try-it.html", viewport=viewport, **options)
        page.wait_for_selector("#tryit[data-state=waiting]")
        return page

    return opened


@pytest.fixture
def page(open_page):
    return open_page()


def test_a_sample_is_answered_in_words_bars_and_map(page, manifest):
    for dx in ("nv", "bkl", "bcc", "vasc", "akiec", "mel"):  # as what they were drawn as
        assert take(page, dx) == "answered", dx
        assert bars(page).first.get_attribute("data-dx") == dx
    page.wait_for_selector("#tryit[data-state=explained]")
    assert bars(page).count() == 7 and page.locator(".tryit-bars > li.tryit-top").count() == 3
    texts = page.locator(".tryit-value").all_inner_texts()
    shares = [float(re.sub(r"under|over|%", "", text)) for text in texts]
    assert shares == sorted(shares, reverse=True) and abs(sum(shares) - 100) <= 7
    fills = page.locator(".tryit-fill")
    widths = fills.evaluate_all("(all) => all.map((e) => parseFloat(e.style.width))")
    assert abs(sum(widths) - 100) < 0.01
    entries, text = {c["dx"]: c for c in manifest["classes"]}, bars(page).first.inner_text()
    says, nevus = (entries[dx]["says"] for dx in ("mel", "nv"))
    assert entries["mel"]["meaning"] in text and "Melanomas among them" not in text
    assert f"{says['right']} of {says['said']} test images" in text
    folded = page.text_content(".tryit-bars > li[data-dx=nv]")
    assert f"Melanomas among them: {nevus['melanomas']}." in folded
    assert "%" in page.inner_text("#tryit-map-text")
    status = page.text_content("#tryit-status")
    assert status.startswith("Most like: Melanoma") and status.count("%") == 3
    warning = page.inner_text("#tryit-warning")
    assert manifest["not_a_medical_device"] in warning
    assert manifest["when_worried"]["text"] in warning and not page.errors


HAND = """([event, kind, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  if (kind === 'file') transfer.items.add(new File([bytes], 'x.png', { type: 'image/png' }));
  else transfer.setData('text/plain', 'words');
  document.getElementById('tryit').dataset.state = 'asked';
  document.body.dispatchEvent(event === 'paste'
    ? new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true })
    : new DragEvent('drop', { dataTransfer: transfer, bubbles: true }));
}"""


def test_paste_and_drop_answer_as_the_file_does_and_what_is_absent_is_said(page):
    content = saved(lesion())
    choose(page, content)
    wanted = page.inner_text("#tryit-details")
    for event in ("paste", "drop"):
        take(page, "nv")
        assert page.inner_text("#tryit-details") != wanted
        page.evaluate(HAND, [event, "file", base64.b64encode(content).decode()])
        settled(page)
        assert page.inner_text("#tryit-details") == wanted, event
    page.evaluate(HAND, ["paste", "words", ""])
    assert "no image" in page.inner_text("#tryit-error")
    page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject('none'); }")
    page.click("#tryit-camera")
    page.wait_for_selector("#tryit-error:has-text('No camera')")
    assert page.is_visible("#tryit-work") and page.inner_text("#tryit-details") == wanted


@pytest.mark.parametrize("end", ["taken", "closed", "closed at once"])
def test_camera_takes_a_picture_or_is_closed_and_is_switched_off(open_page, end):
    page = open_page(permissions=["camera"])
    if end == "closed at once":  # before the video plays
        page.evaluate("void (HTMLMediaElement.prototype.play = () => new Promise(() => {}))")
    if end == "closed":  # while an answer is under way
        page.click("[data-sample=nv]")
    page.dblclick("#tryit-camera")
    until(page, "!!(window.stream = document.querySelector('#tryit-dialog video').srcObject)")
    if end == "taken":
        page.click("#tryit-dialog [value=take]")
        assert settled(page) in ("answered", "refused") and seen(page).std() > 5
    else:
        page.wait_for_timeout(500 * (end == "closed"))
        page.keyboard.press("Escape")
    until(page, "window.stream.getTracks().every((t) => t.readyState === 'ended')")
    assert not page.locator("#tryit-dialog").is_visible()
    if end == "closed":
        page.wait_for_selector("#tryit[data-state=explained]")
    assert page.is_visible("#tryit-work") == (end != "closed at once") and not page.errors


def test_strangers_get_no_diagnosis(page, manifest):
    for name, content in strangers().items():
        assert choose(page, content) == "refused", name
        text = page.inner_text("#tryit-answer")
        assert "does not look like a dermatoscopic image" in text
        assert manifest["when_worried"]["text"] in text
        assert page.locator(".tryit-bars").count() == 0 and not page.is_visible("#tryit-map")
        assert page.text_content("#tryit-status").strip().startswith("This does not look like")
    choose(page, saved(lesion()))  # and it comes back
    assert bars(page).count() == 7


def test_unreadable_files_are_told_plainly(page):
    for name, (content, word) in UNREADABLE.items():
        assert choose(page, content, name, "") == "failed", name
        message = page.inner_text("#tryit-error")
        assert word in message and len(message) > 40, f"{name}: {message}"
        assert not page.locator("#tryit-work").is_visible()
    assert page.get_attribute("#tryit-error", "role") == "alert"
    choose(page, saved(lesion()))
    assert page.is_visible("#tryit-answer") and not (page.is_visible("#tryit-error") or page.errors)


def test_rotation_transparency_colours_and_animation(page):
    def notes(content, name="image.png", kind="image/png"):
        choose(page, content, name, kind)
        return page.inner_text("#tryit-notes").lower()

    upright = lesion((150, 210))
    notes(lying(upright, 6, "JPEG", quality=100), "a.jpg", "image/jpeg")
    assert apart(seen(page), boxed(upright)) <= 3
    assert "transparent" in notes(saved(Image.new("RGBA", (64, 64), (0, 0, 0, 0))))
    assert (seen(page) == 255).all()
    grey = lesion().convert("L")
    notes(saved(grey))
    assert apart(seen(page), boxed(grey)) == 0
    if page.get_attribute("#tryit-answer", "data-refused") == "false":
        assert "no colour" in page.inner_text("#tryit-answer")
    assert "cmyk" in notes(saved(lesion().convert("CMYK"), "JPEG"), "c.jpg", "image/jpeg")
    for kind in ("GIF", "PNG", "WEBP"):
        assert "only its first picture" in notes(animated(kind)), kind
        assert apart(seen(page), boxed(lesion())) <= 12, kind  # a GIF has 256 colours
    assert "smaller than" in notes(saved(lesion((20, 20))))


def test_keyboard_alone_chooses_moves_and_sizes(page):
    def press(*keys):
        for key in keys:
            page.keyboard.press(key)

    page.focus("#tryit-file")
    press("Tab", "Tab")  # the camera, then the first sample
    asked(page)
    press("Enter")
    settled(page)
    before = seen(page)
    for _ in range(30):
        if page.evaluate("document.activeElement.id") != "tryit-square":
            press("Tab")
    size = value(page, "size")
    press(*"-----")
    smaller, left, top = (value(page, slider) for slider in ("size", "x", "y"))
    press("ArrowLeft", "ArrowDown")
    assert value(page, "x") < left and value(page, "y") > top
    press("+")
    assert smaller < value(page, "size") < size
    page.wait_for_timeout(100)  # the page waits until the square has come to rest
    settled(page)
    assert apart(seen(page), before) > 0
    press("Tab")
    assert page.evaluate("document.activeElement.id") == "tryit-size"


def test_mouse_moves_and_sizes_the_square(page):
    def drag(x, y, right, down):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + right, y + down, steps=5)
        page.mouse.up()
        return box(page)

    choose(page, saved(lesion((300, 200))))
    first = box(page)
    moved = drag(first["x"] + first["width"] / 2, first["y"] + first["height"] / 2, 30, 0)
    assert abs(moved["x"] - first["x"] - 30) < 6 and abs(moved["width"] - first["width"]) < 2
    sized = drag(moved["x"] + 8, moved["y"] + 8, 40, 40)  # the corner at the top left
    assert sized["width"] < moved["width"] - 20


def test_on_a_phone_a_finger_moves_the_square_and_nothing_scrolls_sideways(open_page):
    page = open_page(PHONE, has_touch=True, is_mobile=True)
    choose(page, saved(lesion((400, 200))))
    first, before = box(page), value(page, "x")
    touch = page.context.new_cdp_session(page)
    for kind, right in (("Start", 0), ("Move", 25), ("Move", 50), ("End", None)):
        x, y = first["x"] + first["width"] / 2 + (right or 0), first["y"] + first["height"] / 2
        points = [] if right is None else [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    assert value(page, "x") > before + 10
    assert page.is_visible("label:has(#tryit-photo[capture=environment])")
    for content in (saved(lesion((2000, 700))), strangers()["text"], b"words"):
        choose(page, content)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("motion, wanted", [("reduce", "auto"), ("no-preference", "smooth")])
def test_motion_is_reduced_where_that_is_wanted(open_page, motion, wanted):
    page = open_page(reduced_motion=motion)
    page.evaluate("void (Element.prototype.scrollIntoView = (how) => (window.how = how.behavior))")
    choose(page, saved(lesion()))
    assert page.evaluate("window.how") == wanted


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, serious, theme):
    page = open_page()
    for content in (None, saved(lesion()), strangers()["text"], b"words"):
        if content:
            choose(page, content)
        assert not (bad := serious(page, theme, "#tryit")), "\n".join(bad)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground != {"dark": "rgb(255, 255, 255)", "light": "rgb(0, 0, 0)"}[theme]


def test_no_foreign_request_and_no_runtime_before_it_is_needed(page, address):
    heavy = ("ort.js", "ort.wasm.gz", "model.onnx", "manifest.json")
    page.wait_for_timeout(300)
    assert not [url for url in page.requests if url.endswith(heavy)]
    page.focus("#tryit-file")  # the network is loaded as soon as it is likely to be needed
    page.wait_for_event("requestfinished", lambda request: request.url.endswith("model.onnx"))
    choose(page, saved(lesion()))
    for name in heavy:
        assert sum(url.endswith(name) for url in page.requests) == 1, name
    count = len(page.requests)
    choose(page, saved(lesion(number=1)))
    assert len(page.requests) == count, page.requests[count:]
    assert not [url for url in page.requests if not url.startswith((address, "data:"))]


def test_a_failed_load_is_tried_again_and_after_an_answer_no_network_is_needed(page):
    page.route("**/ort.wasm.gz", lambda route: route.fulfill(body="<html>"), times=1)
    choose(page, saved(lesion()))
    assert "do not fit together" in page.inner_text("#tryit-error")
    page.reload()
    page.wait_for_selector("#tryit[data-state=waiting]")
    page.context.set_offline(True)
    choose(page, saved(lesion()))
    assert "could not be loaded (Failed to fetch)" in page.inner_text("#tryit-error")
    page.context.set_offline(False)
    page.route("**/manifest.json", lambda route: route.fulfill(body='{"temperature": 0}'), times=1)
    choose(page, saved(lesion()))
    assert "do not fit together" in page.inner_text("#tryit-error")
    take(page, "nv")
    page.context.set_offline(True)
    choose(page, saved(lesion()))
    assert bars(page).count() == 7
    assert take(page, "mel") == "answered" and bars(page).first.get_attribute("data-dx") == "mel"


def test_policy_stands_before_every_script_and_forbids_foreign_hosts(page, html):
    head = (html / "try-it.html").read_text(encoding="utf-8").partition("</head>")[0]
    policy = re.search(r'content="([^"]*)"\s+http-equiv="Content-Security-Policy"', head)
    assert policy and policy.end() < min(map(head.index, ("<script", "<link")))
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


def switched(page, *, on: bool, state: str) -> str:
    """Move the switch of the larger network; return what the page says when that is done."""
    page.set_checked("#tryit-larger", on)
    until(page, f"document.querySelector('#tryit-larger-box[data-state={state}]') !== null")
    return page.inner_text("#tryit-larger-text")


def test_the_larger_network_answers_beside_the_small_one_as_python_does(page, html, manifest):
    def loads():
        return sum(url.endswith("large.onnx") for url in page.requests)

    assert choose(page, strangers()["wall"]) == "refused"
    assert "no measure of strangeness" in switched(page, on=True, state="refused")
    assert loads() == 0 and page.locator(".tryit-second").count() == 0
    place = html / "_static" / "demo"
    ask = asker(place / "large.onnx", manifest["large"])
    for dx in ("nv", "mel"):
        take(page, dx)
        said = switched(page, on=True, state="answered")
        assert loads() == 1
        page.context.set_offline(True)
        with Image.open(place / "samples" / f"{dx}.png") as image:
            large = image.convert("RGB").resize((128, 128), Image.Resampling.BOX)
        (mean,) = averaged(ask, np.asarray(large)[None])
        wanted = apply_temperature(mean, manifest["large"]["temperature"])[0]
        for c, share in zip(manifest["classes"], wanted, strict=True):
            width = page.get_attribute(f"li[data-dx={c['dx']}] .tryit-second .tryit-fill", "style")
            assert abs(float(re.search(r"width: ([\d.e-]+)%", width)[1]) / 100 - share) < 0.01
        first = bars(page).first.get_attribute("data-dx")
        same = manifest["classes"][wanted.argmax()]["dx"] == first
        assert ("names the same" in said) == same and ("right by that" in said) != same
        score = round(100 * manifest["large"]["transfer"]["accuracy"]["value"])
        assert f"{score} (" in page.inner_text("#tryit-larger-tested")
    assert not switched(page, on=False, state="off") and not page.errors
    assert page.locator(".tryit-second").count() == 0 and bars(page).count() == 7


def test_a_damaged_larger_network_is_told_and_the_small_answer_stays(page):
    take(page, "nv")
    before = page.inner_text("#tryit-details")
    for how, words in (({"body": b"half"}, "do not fit"), ({"status": 404}, "not be loaded")):
        page.route("**/large.onnx", lambda route, _, how=how: route.fulfill(**how))
        said = switched(page, on=True, state="failed")
        assert words in said and said.endswith("The answer of the small network stands.")
        assert page.inner_text("#tryit-details") == before and page.is_visible("#tryit-work")
        switched(page, on=False, state="off")
        page.unroute("**/large.onnx")
    held = []
    page.route("**/large.onnx", lambda route: held.append(route))
    for on in (True, False, True):  # all while it loads
        switched(page, on=on, state="asked" if on else "off")
    held[0].continue_()
    assert "Larger network: most like" in switched(page, on=True, state="answered")
    page.wait_for_timeout(1000)
    assert page.locator(".tryit-second").count() == 7


COMPARE = """async ([count, square]) => {
  const { decode } = await import('/_static/demo/decode.js');
  const { shrink, centredSquare } = await import('/_static/demo/shrink.js');
  const { loadNetwork, answerOf } = await import('/_static/demo/network.js');
  const network = await loadNetwork();
  const answers = [];
  for (let i = 0; i < count; i += 1) {
    const picture = await decode(await (await fetch(`/images/${i}`)).blob());
    const region = square ? centredSquare(picture) : { ...picture, x: 0, y: 0 };
    const image = shrink(picture.bitmap, region);
    answers.push({ ...(await answerOf(network, image)), image: [...image] });
    picture.bitmap.close();
  }
  return answers;
}"""


def compare(page, html, files: list[bytes], *, square: bool) -> None:
    """Ask the page and `utils.predict`; hold both answers together."""
    (html / "images").mkdir(exist_ok=True)
    for i, content in enumerate(files):
        (html / "images" / str(i)).write_bytes(content)
    answers = page.evaluate(COMPARE, [len(files), square])
    wanted = [predict(content, square=square) for content in files]
    here = np.array([answer["probabilities"] for answer in answers])
    there = np.array([list(one.probabilities.values()) for one in wanted])
    differing = np.flatnonzero(here.argmax(axis=1) != there.argmax(axis=1))
    assert not differing.size, f"another top class for the images {differing.tolist()}"
    assert np.abs(here - there).max() <= 0.01
    for i, (answer, one) in enumerate(zip(answers, wanted, strict=True)):
        if abs(one.strangeness - one.threshold) > 0.02:
            assert answer["refused"] == one.refused, i
        if files[i].startswith(b"\x89PNG"):  # of a JPEG, two decoders make nearly the same
            assert apart(np.reshape(answer["image"], (28, 28, 3)), one.image) == 0, i


@pytest.mark.parametrize("square", [False, True])
def test_answers_equal_pythons_on_pictures_of_all_sizes(page, html, square):
    files = [
        saved(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC), kind)
        for image in lesions()[:10]
        for size, kind in (((28, 28), "PNG"), ((600, 450), "PNG"), ((211, 97), "JPEG"))
    ]
    rng = np.random.default_rng(0)
    for width, height in ((28, 28), (29, 61), (200, 150), (450, 600), (97, 31), (13, 20)):
        files.append(saved(Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))))
    small = Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8))
    large = small.resize((4000, 3000), Image.Resampling.NEAREST)  # shrunk in strips
    files.append(saved(large, compress_level=1))
    compare(page, html, [*files, *strangers().values()], square=square)


def test_answers_equal_pythons_on_real_images(page, html, real_data_folder):
    if not list(real_data_folder.glob("HAM10000_images_part_*.zip")):
        pytest.skip(f"{real_data_folder.name} holds no zip with the JPEG files")
    with Photographs(real_data_folder) as photographs:
        ids = np.random.default_rng(0).choice(list(photographs.places), REAL, replace=False)
        files = [photographs.fetch(name) for name in ids]
    compare(page, html, files, square=False)


def test_without_npm_or_model_the_page_says_so(rendered, page, address, monkeypatch, html):
    no_npm = Mock(side_effect=npm.NpmError("npm is needed, and there is none.\nInstall Node.js."))
    shutil.copytree(rendered, html / "bare", ignore=shutil.ignore_patterns("bare", "images"))
    monkeypatch.setattr(npm, "install", no_npm)
    monkeypatch.setattr(install, "_install_model", lambda *_: "The model is absent.\nDetails")
    missing = install.install(html / "bare")
    assert len(missing) == 2 and "Install Node.js" in missing[0]
    page.goto(f"{address}/bare/try-it.html")
    page.wait_for_selector("text=The model is absent.")
    said = "not part of this build", "http.server", "onnxruntime-web"
    assert all(words in page.inner_text(".tryit-missing") for words in said)
    assert not page.locator("#tryit-file").count()


def test_only_this_page_loads_the_demo_and_its_files_are_small(html):
    for path in (ROOT / "demo").glob("*.js"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 300, path.name
    for path in html.rglob("*.html"):
        content = path.read_text(encoding="utf-8")
        assert ("_static/demo/" in content) == (path.name == "try-it.html"), path.name
    place = html / "_static" / "demo"
    sizes = {path.name: path.stat().st_size for path in place.rglob("*") if path.is_file()}
    assert sizes.pop(install.LARGE) < 7_000_000  # loaded only when asked for
    heavy = (*install.RUNTIME.values(), *install.MODEL)
    own = sum(size for name, size in sizes.items() if name not in heavy)
    assert own + (html / "try-it.html").stat().st_size < 300_000
    assert sum(sizes.values()) < 7_000_000
