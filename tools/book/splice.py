"""Put what a tool computed into a page, between two markers; the rest of the page is kept.

<!-- counted: NAME -->

what the tool writes

<!-- end of NAME -->
"""

import re


def splice(text: str, name: str, content: str) -> str:
    """Return a page with new content between the markers of that name, once there and in order."""
    start, end = f"<!-- counted: {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    if text.count(start) != 1 or text.count(end) != 1 or end in before:
        raise ValueError(
            f"The section {name!r} must stand once, between the lines\n    {start}    {end}\n"
            "That is not so here. Put the markers back, or take one out."
        )
    return f"{before}{start}\n{content}\n\n{end}{rest.partition(end)[2]}"


def places(text: str) -> list[str]:
    """List the names of a page's markers, in order."""
    return re.findall(r"<!-- counted: (.*?) -->", text)
