"""A browser for what is shown in one."""

import shutil

import pytest


@pytest.fixture(scope="module")  # of two at a time playwright refuses the second
def browser():
    """Chromium, or the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if not program:
        pytest.skip("there is no Chromium or Chrome on this machine")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()
