"""`make book`: render the committed notebooks with their stored outputs to _build/html."""

import sys
import time

from tools.book.course import ROOT, ChapterError, publish_html, stage


def main() -> int:
    """Render the book; return the exit status."""
    start = time.perf_counter()
    print("Rendering the book from the stored notebooks …", flush=True)
    try:
        stage(ROOT / "_build" / "book")
        page = publish_html(ROOT / "_build" / "book")
    except (ChapterError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Done in {time.perf_counter() - start:.0f} s. Open {page.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
