"""The structure of a page, without words: tags and how they nest, roles, ids, fields, forms and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import groupby
from urllib.parse import urlsplit

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SHOWN = {"id", "role", "name", "type", "action", "method", "href", "src", "for", "formaction", "data-testid"}
"""Attributes whose values are shown. Of switches and of ``data-`` and ``aria-`` attributes, the names are."""
SWITCHES = {"required", "checked", "selected", "multiple", "open", "hidden", "autofocus", "disabled"}
MANY = 12
LEFT_OUT = {"svg", "script", "style"}
"""Elements whose inside is no structure of the page."""


class _Node:
    """An element: what it is, and what is in it."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.inside: list[_Node] = []


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.top = _Node("")
        self._open = [("", self.top)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if any(name in LEFT_OUT for name, _node in self._open):
            return
        node = _Node(_word(tag, attrs))
        self._open[-1][1].inside.append(node)
        if tag not in VOID:
            self._open.append((tag, node))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not any(name in LEFT_OUT for name, _node in self._open):
            self._open[-1][1].inside.append(_Node(_word(tag, attrs)))

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth][0] == tag:
                del self._open[depth:]
                return


def _word(tag: str, attrs: list[tuple[str, str | None]]) -> str:
    said = [tag]
    for name, value in sorted(attrs):
        if name in SHOWN:
            said.append(f"{name}={_plain(name, value or '')}")
        elif name.startswith(("data-", "aria-")) or name in SWITCHES:
            said.append(name)
    return " ".join(said)


def _plain(name: str, value: str) -> str:
    """Return the value of an attribute without what another run has differently: numbers and fingerprints."""
    if name in {"href", "src", "action", "formaction"}:
        address = urlsplit(value)
        if address.path.startswith(("/static/", "/modules/", "/styles/", "/bootstrap/")):
            value = re.sub("^/(modules|styles)/[^/]+", r"/\1", address.path)
    value = re.sub(r"[\w-]{30,}", "…", value)
    return re.sub(r"\d+", "#", value)


def _lines(node: _Node, depth: int) -> list[str]:
    """Return the lines of an element; one without anything to tell of shows what is in it on its own line."""
    short = _short(node)
    if len(short) <= 110 - depth:
        return [" " * depth + short]
    inner = [_lines(one, depth + 1) for one in node.inside]
    return [" " * depth + node.word, *_grouped(inner)]


def _times(number: int) -> str:
    """Return how often something stands there; long lists, as of time zones, are no structure."""
    return "" if number == 1 else f" ×{number}" if number <= MANY else " ×many"


def _grouped(parts: list[list[str]]) -> list[str]:
    """Return the lines of neighbours; those that are the same stand once, with how many there are."""
    found: list[str] = []
    for lines, equal in groupby(parts):
        found += [lines[0] + _times(len(list(equal))), *lines[1:]]
    return found


def _short(node: _Node) -> str:
    if not node.inside:
        return node.word
    inner = [word + _times(len(list(equal))) for word, equal in groupby(_short(one) for one in node.inside)]
    return f"{node.word} > {inner[0]}" if len(inner) == 1 else f"{node.word} ({', '.join(inner)})"


def _taken(node: _Node, tag: str) -> _Node | None:
    """Take the first element *tag* below *node* out of it, and return it."""
    for place, one in enumerate(node.inside):
        if one.word.partition(" ")[0] == tag:
            return node.inside.pop(place)
        if (found := _taken(one, tag)) is not None:
            return found
    return None


@dataclass(frozen=True)
class Outline:
    """The lines of a page.

    :ivar head: what it loads.
    :ivar shell: what stands around its own part: header, navigation.
    :ivar main: its own part; all of it where it has no ``main``.
    """

    head: list[str]
    shell: list[str]
    main: list[str]


def outline(html: str) -> Outline:
    """Return the outline of a page: a line for each element that does not fit beside its neighbours."""
    reader = _Reader()
    reader.feed(html)
    head, main = _taken(reader.top, "head"), _taken(reader.top, "main")
    rest = _grouped([_lines(one, 0) for one in reader.top.inside])
    return Outline(
        head=[] if head is None else [one.word for one in head.inside],
        shell=rest if main is not None else [],
        main=_lines(main, 0) if main is not None else rest,
    )
