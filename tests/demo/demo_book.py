"""A small rendered book with the page "Try it", a server for it, and a browser."""

import contextlib
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from tools.book.course import ROOT
from tools.book.render import render

# What try-it.md refers to; the real pages would take a minute to render.
NEIGHBOURS = (
    "intro",
    "chapters/08_better_predictions",
    "chapters/10_putting_it_to_use",
    "data-and-licence",
)


def small_book(folder: Path) -> Path:
    """Render the page "Try it" with stand-ins for the pages around it; return the HTML's folder."""
    shutil.copytree(ROOT / "_static", folder / "_static")
    for name in ("_config.yml", "references.bib", "references.md", "try-it.md"):
        shutil.copy2(ROOT / name, folder)
    (folder / "chapters").mkdir()
    for name in NEIGHBOURS:
        (folder / f"{name}.md").write_text(f"# {name}\n\nA stand-in.\n", encoding="utf-8")
    pages = "".join(f"  - file: {name}\n" for name in (*NEIGHBOURS[1:], "try-it", "references"))
    (folder / "_toc.yml").write_text(
        f"format: jb-book\nroot: {NEIGHBOURS[0]}\nchapters:\n{pages}", encoding="utf-8"
    )
    done = render(folder)
    assert done.returncode == 0, done.stdout[-4000:]
    return folder / "_build" / "html"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extra: dict[str, bytes] = {}

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.extra.get(self.path)
        if body is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def served(html: Path, extra: dict[str, bytes] | None = None) -> Iterator[str]:
    """Serve a folder, and the files in `extra` by their paths; give the address."""
    handler = type("Handler", (_Quiet,), {"extra": extra if extra is not None else {}})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(html))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def browser_path() -> str | None:
    """Find a Chromium or a relative of it on this computer; None leaves it to playwright's own."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"):
        if found := shutil.which(name):
            return found
    return None


@contextlib.contextmanager
def browser():
    """Start a headless Chromium with a made-up camera.

    Raises
    ------
    playwright.sync_api.Error
        If there is none, or it does not start.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browser_path(),
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
            ],
        )
        try:
            yield started
        finally:
            started.close()
