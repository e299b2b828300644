"""What stands on a slide, as HTML: a cell's code, its pictures, its tables."""

import re
import struct
from base64 import b64decode

import nbformat
from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

# A picture wider than this, in heights, stands above its points; a narrower one beside them.
WIDE = 1.75
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class SlideError(Exception):
    """A cell cannot become a slide; the message names chapter and cell and says why."""


def inline(markdown: str) -> Markup:
    """Return a line of Markdown as HTML; of a link the text stays, since nobody can click it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    return Markup(MarkdownIt("js-default").renderInline(text))


def source_part(source: str) -> Markup:
    """Return Python code as coloured HTML, a line of code in a line of its own."""
    lines = highlight(source.strip(), PythonLexer(), HtmlFormatter(nowrap=True)).splitlines()
    spans = "".join(f'<span class="line">{line}</span>' for line in lines)
    return Markup(f"<pre{_size(source.splitlines())}>{spans}</pre>")


def _size(lines: list[str]) -> str:
    """Return the class of what is short enough for larger letters, as an attribute."""
    short = len(lines) <= 6 and max(map(len, lines)) <= 62
    return ' class="short"' if short else ""


def output_parts(cell: nbformat.NotebookNode) -> tuple[str, list[Markup]]:
    """Return layout and HTML of what a code cell made: its pictures, or else tables and text."""
    found = [
        o for o in cell.get("outputs", ()) if o.output_type in ("display_data", "execute_result")
    ]
    images = [o.data["image/png"].replace("\n", "") for o in found if "image/png" in o.data]
    if images:
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if not alt:
            raise SlideError("its picture has no alt text")
        tags = [
            Markup('<img src="data:image/png;base64,{}" alt="{}">').format(data, alt)
            for data in images
        ]
        width, height = struct.unpack(">II", b64decode(images[0][:64])[16:24])  # PNG's own header
        return ("below" if width * len(images) > WIDE * height else "side"), tags
    parts = []
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            parts += _text(output.text)
        elif "text/html" in output.get("data", {}):
            table = re.search(r"<table.*?</table>", output.data["text/html"], re.DOTALL)
            parts += (
                [Markup(re.sub(r"<(table|tr|th|td)\b[^>]*>", r"<\1>", table[0]))] if table else []
            )
        elif "text/plain" in output.get("data", {}):
            parts += _text(output.data["text/plain"])
    if not parts:
        raise SlideError("it has no output to show; `make publish` stores outputs")
    return "text", parts


def _text(text: str) -> list[Markup]:
    """Return a printed text as HTML: tables of PrettyTable as tables, the rest as it is."""
    parts: list[tuple[bool, list[str]]] = []
    for line in ANSI.sub("", text).strip("\n").splitlines():
        of_table = line.startswith(("+--", "| "))
        # Where two tables touch, the lower line of one stands above the upper line of the next.
        touch = of_table and bool(parts) and line[0] == parts[-1][1][-1][:1] == "+"
        if not parts or parts[-1][0] != of_table or touch:
            parts.append((of_table, []))
        parts[-1][1].append(line)
    return [
        _table(lines)
        if of_table
        else Markup(f"<pre{_size(lines)}>{{}}</pre>").format("\n".join(lines).strip("\n"))
        for of_table, lines in parts
        if any(line.strip() for line in lines)
    ]


def _table(lines: list[str]) -> Markup:
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line[0] == "|"]
    caption = Markup("<caption>{}</caption>").format(rows.pop(0)[0]) if len(rows[0]) == 1 else ""
    head, *body = rows
    # A column is one of words where its first value begins with two letters.
    words = {n for n, cell in enumerate(body[0] if body else ()) if re.match(r"[^\W\d]{2}", cell)}

    def row(cells: list[str], tag: str) -> Markup:
        return Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup('<{0} class="words">{1}</{0}>' if n in words else "<{0}>{1}</{0}>").format(
                    tag, cell
                )
                for n, cell in enumerate(cells)
            )
        )

    lines_of_body = Markup("").join(row(cells, "td") for cells in body)
    return Markup("<table>{}{}{}</table>").format(caption, row(head, "th"), lines_of_body)
