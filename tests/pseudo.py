"""A language that shows what was forgotten: every translated text stands in ⟦brackets⟧.

Add your pages to a test of your own::

    def test_every_text_of_my_pages_can_be_translated(database, data):
        app = pseudo_app(build_app(data))
        ...
        assert untranslated(client.get(path).text, data=["Mia Reuter"]) == []

What people or providers wrote is no text of ours: give it as *data*, or mark it up as ``<code>``, ``<time>``,
``<kbd>``, ``<pre>`` or ``translate="no"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask_babel import Domain

SPOKEN = (
    "aria-label",
    "aria-description",
    "title",
    "placeholder",
    "alt",
    "data-label",
    "data-confirm",
    "data-copied",
)
QUIET = {"script", "style", "code", "time", "kbd", "pre", "svg"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
BRAND = ("Lobby", "Deutsch")
"""Names that are the same in every language; a language is called what it calls itself."""


class _Pseudo:
    def ugettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ungettext(self, singular: str, plural: str, number: int) -> str:
        return f"⟦{singular if number == 1 else plural}⟧"

    def upgettext(self, _context: str, message: str) -> str:
        return self.ugettext(message)

    def unpgettext(self, _context: str, singular: str, plural: str, number: int) -> str:
        return self.ungettext(singular, plural, number)


class _PseudoDomain(Domain):  # type: ignore[misc]
    def get_translations(self) -> Any:
        return _Pseudo()


def pseudo_app(app: Flask) -> Flask:
    """Make *app* speak the pseudo language, and return it."""
    app.extensions["babel"].instance.domain_instance = _PseudoDomain()
    return app


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        quiet = tag in QUIET or given.get("translate") == "no" or (bool(self._open) and self._open[-1][1])
        if not quiet:
            self.found += [given[name] or "" for name in SPOKEN if name in given]
            if tag == "input" and given.get("type") in {"submit", "button", "reset"}:
                self.found.append(given.get("value") or "")
        if tag not in VOID:
            self._open.append((tag, quiet))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            name, _ = self._open.pop()
            if name == tag:
                return

    def handle_data(self, text: str) -> None:
        if not (self._open and self._open[-1][1]):
            self.found.append(text)


_BRACKETS = re.compile(r"⟦[^⟦⟧]*⟧")


def untranslated(html: str, data: Sequence[str] = ()) -> list[str]:
    """Return the visible texts of *html* that did not come out of a translation, apart from *data*."""
    parser = _Texts()
    parser.feed(html)
    left = []
    for text in parser.found:
        rest = text
        while _BRACKETS.search(rest):
            rest = _BRACKETS.sub(" ", rest)
        for known in sorted((*data, *BRAND), key=len, reverse=True):
            rest = rest.replace(known, " ")
        if any(character.isalpha() for character in rest):
            left.append(" ".join(text.split()))
    return left
