"""Put what a tool computed into a page; the rest of the page is kept.

It stands between ``<!-- counted: NAME -->`` and ``<!-- end of NAME -->``, in the page and in the
template that makes it.
"""

import re
from pathlib import Path

import jinja2

from tools.book.course import ROOT, ChapterError


def templates(folder: Path, **options: object) -> jinja2.Environment:
    """Return the templates of a folder; a name that nobody gives them is an error."""
    options |= {"undefined": jinja2.StrictUndefined, "trim_blocks": True}
    return jinja2.Environment(loader=jinja2.FileSystemLoader(folder), **options)


def sections(template: Path, given: dict) -> dict[str, str]:
    """Render what stands between the markers of a template, by the markers' names."""
    environment = templates(template.parent, finalize=cell)
    environment.globals["percent"] = lambda share, digits=1: f"{100 * share:.{digits}f} %"
    text = environment.get_template(template.name).render(given)
    between = r"<!-- counted: (.*?) -->\n(.*?)\n+<!-- end of \1 -->"
    return dict(re.findall(between, text, re.DOTALL))


def filled(path: Path, contents: dict[str, str]) -> str:
    """Return the text of a page with the sections between their markers."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    markers = re.findall(r"<!-- counted: (.*?) -->", text)
    if strangers := sorted(set(markers) - set(contents)):
        raise ChapterError(f"{name}: no numbers belong to {strangers}. Take the markers out.")
    for section, content in contents.items():
        start, end = f"<!-- counted: {section} -->\n", f"<!-- end of {section} -->"
        between = f"{re.escape(start)}.*?{re.escape(end)}"
        whole = f"{start}\n{content}\n\n{end}"
        text, times = re.subn(between, lambda _, whole=whole: whole, text, flags=re.DOTALL)
        if times != 1:
            raise ChapterError(
                f"{name}: the section {section!r} must stand once, between the lines\n    {start}"
                f"    {end}\nThat is not so here. Put the markers back, or take one out."
            )
    return text


def cell(value) -> str:
    """Return a value as pages show it: 10,015, yes, or ``0.519 (0.470 to 0.566)``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, dict):
        return str(value)
    number, low, high = (value[key] for key in ("value", "low", "high"))
    if number is None:
        return "–"
    return f"{number:.3f}" if None in (low, high) else f"{number:.3f} ({low:.3f} to {high:.3f})"
