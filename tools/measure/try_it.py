"""`python -m tools.measure.try_it [FOLDER]`: seconds to an answer of the page *Try it*, and bytes.

Needs a rendered book (`make book`; ``_build/html`` unless named) and a Chromium. Everything comes
from this computer, so the seconds are those of reading, starting and computing, not of a network.
"""

import functools
import gzip
import http.server
import json
import shutil
import statistics
import sys
import threading
from pathlib import Path

from tools.measure.harness import ROOT

REPEATS = 20
HEAVY = ("ort.js", "ort.wasm.gz", "model.onnx", "manifest.json")
SAMPLES = ("nv", "mel", "bkl", "bcc", "vasc", "akiec")
# Milliseconds from the choice to each state that the page says it is in.
CHOOSE = """(dx) => new Promise((resolve) => {
  const root = document.getElementById('tryit'), start = performance.now(), seen = {};
  new MutationObserver((_, observer) => {
    seen[root.dataset.state] = performance.now() - start;
    if (!['explained', 'failed'].includes(root.dataset.state)) return;
    observer.disconnect();
    resolve(seen);
  }).observe(root, { attributes: true, attributeFilter: ['data-state'] });
  document.querySelector(`[data-sample=${dx}]`).click();
})"""


def milliseconds(page, address: str) -> dict[str, float]:
    """Open the page, take one sample after the other; return milliseconds."""
    page.goto(f"{address}/try-it.html")
    page.wait_for_selector("#tryit[data-state=waiting]")
    page.wait_for_load_state("networkidle")
    first, *later = (page.evaluate(CHOOSE, SAMPLES[k % len(SAMPLES)]) for k in range(1 + REPEATS))
    answered = [one["answered"] for one in later]
    explained = [one["explained"] - one["answered"] for one in later]
    return {
        "first answer": first["answered"],
        "later answers, median": statistics.median(answered),
        "later answers, longest": max(answered),
        "map, after the answer, median": statistics.median(explained),
    }


def sizes(html: Path) -> dict[str, int]:
    """Return bytes as a server that compresses would send them, and as they lie there."""
    demo = sorted((html / "_static" / "demo").rglob("*"))
    files = [html / "try-it.html", *(path for path in demo if path.is_file())]
    packed = {
        path: len(
            path.read_bytes() if path.suffix == ".gz" else gzip.compress(path.read_bytes(), 6)
        )
        for path in files
    }
    own = [path for path in files if path.name not in HEAVY]
    page = sum(packed[path] for path in own)
    return {
        "page itself": sum(path.stat().st_size for path in own),
        "page itself, compressed": page,
        "runtime and model, compressed": sum(packed.values()) - page,
    }


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main(arguments: list[str]) -> int:
    """Measure, print as JSON; return the exit status."""
    from playwright.sync_api import sync_playwright

    html = Path(arguments[0]) if arguments else ROOT / "_build" / "html"
    info = html / "_static" / "demo" / "build.json"
    if not info.is_file() or not json.loads(info.read_text(encoding="utf-8"))["ready"]:
        print(f"{html} holds no complete page Try it; run `make book`.", file=sys.stderr)
        return 1
    handler, runs = functools.partial(_Quiet, directory=str(html)), []
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for _ in range(3):  # each a fresh profile, so each first answer starts the runtime anew
            page = browser.new_context().new_page()
            runs.append(milliseconds(page, f"http://127.0.0.1:{server.server_port}"))
        version = browser.version
        browser.close()
        server.shutdown()
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    print(json.dumps({"chromium": version, "ms": medians, "bytes": sizes(html)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
