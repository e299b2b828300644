"""`python -m tools.measure.bench_demo`: measure the page "Try it": seconds to an answer, bytes on the way.

Needs a rendered book (`make book`) and a Chromium. Everything comes from this computer, so the
seconds are those of reading, starting and computing, not of a network.
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

from tools.book.course import ROOT

REPEATS = 20
# Time from the choice to the answer, taken in the page itself, by what it says of its state.
WATCH = """() => {
  const root = document.getElementById('tryit');
  window.answered = () => new Promise((resolve) => {
    const start = performance.now();
    const seen = [];
    new MutationObserver((_, observer) => {
      seen.push([root.dataset.state, performance.now() - start]);
      if (['explained', 'failed'].includes(root.dataset.state)) {
        observer.disconnect();
        resolve(Object.fromEntries(seen));
      }
    }).observe(root, { attributes: true, attributeFilter: ['data-state'] });
  });
}"""
CHOOSE = """async (dx) => {
  const done = window.answered();
  document.querySelector(`[data-sample=${dx}]`).click();
  return done;
}"""


def measure(page, address: str) -> dict[str, float]:
    """Open the page, take one sample after the other; return milliseconds."""
    page.goto(f"{address}/try-it.html")
    page.wait_for_selector("#tryit[data-state=waiting]")
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH)
    samples = ("nv", "mel", "bkl", "bcc", "vasc", "akiec")
    first = page.evaluate(CHOOSE, samples[0])
    later = [page.evaluate(CHOOSE, samples[(i + 1) % len(samples)]) for i in range(REPEATS)]
    return {
        "first answer": first["answered"],
        "later answers, median": statistics.median(one["answered"] for one in later),
        "later answers, longest": max(one["answered"] for one in later),
        "map, after the answer, median": statistics.median(
            one["explained"] - one["answered"] for one in later
        ),
    }


def sizes(html: Path) -> dict[str, int]:
    """Return bytes as a server that compresses would send them, and as they lie there."""
    place = html / "_static" / "demo"
    found = {"page itself": 0, "page itself, compressed": 0, "runtime and model, compressed": 0}
    heavy = ("ort.js", "ort.wasm.gz", "model.onnx", "manifest.json")
    for path in [html / "try-it.html", *sorted(p for p in place.rglob("*") if p.is_file())]:
        content = path.read_bytes()
        packed = len(content if path.suffix == ".gz" else gzip.compress(content, 6))
        if path.name in heavy:
            found["runtime and model, compressed"] += packed
        else:
            found["page itself"] += len(content)
            found["page itself, compressed"] += packed
    return found


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main(arguments: list[str]) -> int:
    """Measure ``_build/html``, or the folder named; print a table as JSON."""
    from playwright.sync_api import sync_playwright

    html = Path(arguments[0]) if arguments else ROOT / "_build" / "html"
    info = html / "_static" / "demo" / "build.json"
    if not info.is_file() or not json.loads(info.read_text(encoding="utf-8"))["ready"]:
        print(f"{html} holds no complete page Try it; run `make book`.", file=sys.stderr)
        return 1
    handler = functools.partial(_Quiet, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        # Every page below is a fresh profile, so each first answer starts the runtime anew.
        runs = []
        for _ in range(3):
            context = browser.new_context()
            runs.append(measure(context.new_page(), f"http://127.0.0.1:{server.server_port}"))
            context.close()
        version = browser.version
        browser.close()
    server.shutdown()
    milliseconds = {
        name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]
    }
    print(json.dumps({"chromium": version, "ms": milliseconds, "bytes": sizes(html)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
