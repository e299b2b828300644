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
from collections import Counter
from pathlib import Path

from tools.book.course import ROOT

PROFILES = 3  # each a fresh one, so each first answer starts the runtime anew
SAMPLES = ("nv", "mel", "bkl", "bcc", "vasc", "akiec") * 4
HEAVY = ("ort.js", "ort.wasm.gz", "model.onnx", "manifest.json")
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
    first, *later = (page.evaluate(CHOOSE, dx) for dx in SAMPLES)
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
    result, demo = Counter(), filter(Path.is_file, (html / "_static" / "demo").rglob("*"))
    for path in (html / "try-it.html", *demo):
        content = path.read_bytes()
        packed = len(content if path.suffix == ".gz" else gzip.compress(content, 6))
        if path.name in HEAVY:
            result["runtime and model, compressed"] += packed
        else:
            result += {"page itself": len(content), "page itself, compressed": packed}
    return result


def main(arguments: list[str]) -> int:
    """Measure, print as JSON; return the exit status."""
    from playwright.sync_api import sync_playwright

    html = Path(arguments[0]) if arguments else ROOT / "_build" / "html"
    info = html / "_static" / "demo" / "build.json"
    if not info.is_file() or not json.loads(info.read_text(encoding="utf-8"))["ready"]:
        print(f"{html} holds no complete page Try it; run `make book`.", file=sys.stderr)
        return 1
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        pages = (browser.new_context().new_page() for _ in range(PROFILES))
        runs = [milliseconds(page, address) for page in pages]
        version = browser.version
        browser.close()
    medians = {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}
    print(json.dumps({"chromium": version, "ms": medians, "bytes": sizes(html)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
