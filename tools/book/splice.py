"""Put what a tool computed into a page, between two markers; the rest of the page is kept.

<!-- counted: NAME -->

what the tool writes

<!-- end of NAME -->
"""

import re


def splice(text: str, name: str, content: str) -> str:
    """Return the text of a page with new content between the markers of that name.

    Raises ValueError if the two markers are not there once each and in this order.
    """
    start, end = f"<!-- counted: {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    if text.count(start) != 1 or text.count(end) != 1 or end in before:
        raise ValueError(
            f"The section {name!r} must stand once, between the lines\n    {start}    {end}\n"
            "That is not so here. Put the markers back, or take one out."
        )
    return f"{before}{start}\n{content}\n\n{end}{after}"


def places(text: str) -> list[str]:
    """List the names of a page's markers, in order."""
    return re.findall(r"<!-- counted: (.*?) -->", text)


def markdown_table(head: list[str], rows: list[list], *, words: int = 1) -> str:
    """Return a Markdown table, the first `words` columns to the left, the others to the right."""
    # PrettyTable's own Markdown pads the cells: one longer number would change every line.
    lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *rows]
    texts = ([f"{v:,}" if isinstance(v, int) else str(v) for v in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in texts)
