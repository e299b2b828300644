"""What all tests share."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for name in ("GIT_DIR", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"):
    os.environ.pop(name, None)  # of a hook that runs tests, whose commits go elsewhere


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data_folder() -> Path:
    """The folder with the real images; the test is skipped where HAM10000_DIR names none."""
    folder = os.environ.get("HAM10000_DIR", "")
    if folder in ("", "phantom"):
        pytest.skip("HAM10000_DIR names no folder with the real images")
    return Path(folder).expanduser()


@pytest.fixture(scope="module")  # of two at a time playwright refuses the second
def browser():
    """Chromium, or a relative of it, with a made-up camera; without one the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    from tools.book.pdf import ChapterError, start_chromium

    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_api.sync_playwright() as playwright:
        try:
            started = start_chromium(playwright, *camera)
        except ChapterError as error:
            pytest.skip(f"no browser here: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def new_page(browser):
    """Open addresses in fresh profiles; a page notes what it asks for and which errors it has."""

    def opened(address, **options):
        page = contexts.enter_context(browser.new_context(**options)).new_page()
        page.set_default_timeout(60_000)
        page.requests, page.errors = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        # Each page of the theme declares THEBE_JS_URL twice, which harms nothing.
        page.on("pageerror", lambda e: "THEBE_JS" in str(e) or page.errors.append(str(e)))
        page.goto(address)
        return page

    with ExitStack() as contexts:
        yield opened


@pytest.fixture(scope="session")
def serious():
    """What axe finds on a page in a theme, or in a part of it, that shuts somebody out."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page, theme, part=None):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        page.wait_for_timeout(300)  # colours fade over
        bad = Axe().run(page, context=part).response["violations"]
        grave = [v for v in bad if v["impact"] in ("serious", "critical")]
        return [f"{v['id']}: {node['html']:.120}" for v in grave for node in v["nodes"]]

    return found
