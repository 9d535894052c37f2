"""Convert an HTML mail to plain text in one pass, even if deeply nested or broken."""

from __future__ import annotations

import html
import re

_DROPPED = {"script", "style", "title", "template", "noscript", "svg"}
_BREAKS = frozenset(
    """address article aside blockquote br center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6
    header hr li main nav ol p pre section table tr ul""".split()  # noqa: SIM905 - reads better than 32 quotes
)
_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table", "ul", "ol"}
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9:-]{0,30})")
_HREF = re.compile(r"""\bhref\s{0,5}=\s{0,5}["']?((?:https?://|mailto:)[^"'\s>]{1,2000})""", re.IGNORECASE)
_MANY_LINES = re.compile(r"\n{3,}")


def to_text(source: str) -> str:
    """Return the text of *source* with line breaks where blocks end, and link URLs in brackets."""
    out: list[str] = []
    link = _Link()
    lower = source.lower()
    # End tags that no longer occur, so that they aren't searched for again.
    missing: set[str] = set()
    position = 0
    while position < len(source):
        start = source.find("<", position)
        if start < 0:
            out.append(_words(source[position:]))
            break
        out.append(_words(source[position:start]))
        if lower.startswith("<!--", start):
            position = _after(lower, "-->", start + 4, missing)
            continue
        name = _NAME.match(source, start + 1)
        if name is None and source[start + 1 : start + 2] not in {"!", "?"}:
            out.append("<")
            position = start + 1
            continue
        end = source.find(">", start)
        if end < 0:
            out.append(_words(source[start:]))
            break
        if name is None:
            position = end + 1
            continue
        position = end + 1
        tag, closing = name.group(1).lower(), source[start + 1] == "/"
        if tag in _DROPPED or (tag == "head" and not closing and _is_closed(lower, position)):
            if not closing:
                close = _after(lower, f"</{tag}", position, missing)
                position = source.find(">", close) + 1 or len(source)
            continue
        _mark(out, link, tag, closing, source[start : min(end, start + 4000)])
    lines = [" ".join(line.split()) for line in "".join(out).split("\n")]
    return _MANY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _is_closed(lower: str, position: int) -> bool:
    """Return whether a head that starts before *position* has an end tag, which HTML does not require."""
    end = lower.find("</head", position)
    return end >= 0 and lower.find("<body", position, end) < 0 and lower.find("<head", position, end) < 0


def _after(lower: str, end: str, position: int, missing: set[str]) -> int:
    """Return the position after the next *end*; without one, the end of the text: the rest is not shown."""
    if end not in missing:
        found = lower.find(end, position)
        if found >= 0:
            return found + len(end)
        missing.add(end)
    return len(lower)


def _words(text: str) -> str:
    return html.unescape(text.replace("\r", " ").replace("\n", " ").replace("\t", " "))


class _Link:
    """The link whose text is being read. Links do not nest; a second one closes the first."""

    target = ""
    since = 0


def _mark(out: list[str], link: _Link, tag: str, closing: bool, element: str) -> None:
    if tag == "a":
        if not closing:
            href = _HREF.search(element)
            link.target, link.since = html.unescape(href.group(1)) if href else "", len(out)
        elif link.target:
            shown = "".join(out[link.since :]).strip()
            bare = link.target.removeprefix("mailto:")
            if shown not in {link.target, bare}:
                out.append(f" ({bare})")
            link.target = ""
    elif tag in _BREAKS:
        out.append("\n\n" if tag in _PARAGRAPHS and closing else "\n")
        if tag == "li" and not closing:
            out.append("• ")
    elif tag in {"td", "th"} and closing:
        out.append(" ")
