"""What stands on pages: no keys of programs, no lonely separators, no addon in English on a German page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sqlalchemy as sa
from babel.messages.pofile import read_po
from flask import Flask

from host.addons.package import manifest as manifests
from host.addons.package import shipped
from host.addons.package.build import build_release
from host.addons.package.translated import in_words, read_texts
from host.core import db
from host.models.inbox import Contact
from host.models.users import User
from tests.pins.filled import FilledDesk, filled_desk

ADDONS = Path(__file__).parents[2] / "addons"
HIDDEN = {"script", "style", "template", "code", "pre", "textarea", "svg", "noscript", "title"}
"""Elements whose text is none for readers, or is a program's on purpose."""
INLINE = {"a", "b", "bdi", "i", "mark", "small", "span", "time", "kbd", "q", "em", "strong", "abbr"}
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Lines(HTMLParser):
    """Collects the visible text of a page by line: what stands in one block, with its inline elements.

    :ivar plain: pieces of text that a program did not write: none that is monospaced, or not translated.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.plain: list[str] = []
        self._line, self._open = "", [("", False, False)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in INLINE:
            self._end()
        if tag in VOID:
            return
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        _tag, hidden, programs = self._open[-1]
        hidden = hidden or tag in HIDDEN or "visually-hidden" in classes
        programs = programs or "mono" in classes or given.get("translate") == "no"
        self._open.append((tag, hidden, programs))

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE:
            self._end()
        while tag in {name for name, *_ in self._open} and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        _tag, hidden, programs = self._open[-1]
        if not hidden:
            self._line += data
            if not programs and data.strip():
                self.plain.append(" ".join(data.split()))

    def _end(self) -> None:
        if line := " ".join(self._line.split()):
            self.lines.append(line)
        self._line = ""


KEY = re.compile(r"(?<![\w./@:-])[a-z]{2,}(?:[_.][a-z]{2,})+(?![\w./@:(-])")
KNOWN = {
    # Names of an event, which one sees in a program of one's own.
    "message.received",
    # Names of what is to be selected on a page of the provider.
    *("messaging_postbacks", "message_reactions", "messaging_referrals", "messaging_handovers"),
    *("message_edit", "messaging_optins", "live_comments"),
}
ADDRESS = re.compile(r"\.(?:com|org|example|toml|zip)$")


def keys(html: str) -> list[str]:
    """Return the names that programs have for something and that a page shows as words."""
    page = Lines()
    page.feed(html)
    return [
        one
        for text in page.plain
        for one in KEY.findall(text)
        if one not in KNOWN and not ADDRESS.search(one)
    ]


def loose(html: str) -> list[str]:
    """Return the lines of a page that begin or end with a separator, or have two in a row."""
    page = Lines()
    page.feed(html)
    page.close()
    return [one for one in page.lines if re.search(r"^·|·$|· *·", one)]


class Names(HTMLParser):
    """Collects where one of *names* stands alone, and its direction may mix with the text around it."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names, self.found = names, list[str]()
        self._open: list[tuple[str, bool]] = [("", False)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            apart = tag in {"bdi", "option"} or tag in HIDDEN or "dir" in dict(attrs)
            self._open.append((tag, apart or self._open[-1][1]))

    def handle_endtag(self, tag: str) -> None:
        while tag in {name for name, _apart in self._open} and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, apart = self._open[-1]
        if not apart and data.strip() in self.names:
            self.found.append(f"<{tag}>{data.strip()}")


def mixed_names(html: str, names: set[str]) -> list[str]:
    """Return where a page shows one of *names*, and its direction may mix with the text around it."""
    page = Names(names)
    page.feed(html)
    page.close()
    return page.found


def outer_directions(html: str) -> list[str]:
    """Return the bubbles whose own direction follows their text."""
    return re.findall(r'<\w+ class="bubble\b[^>]*\bdir="auto"[^>]*>', html)


@pytest.fixture(scope="module")
def desk(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledDesk]:
    with filled_desk(migrated_file, tmp_path_factory.mktemp("visible")) as desk:
        yield desk


def pages(desk: FilledDesk, language: str) -> Iterator[tuple[str, str]]:
    """Yield address and HTML of every page in *language*."""
    db.write(lambda session: session.execute(sa.update(User).values(locale=language)))
    more = [f"/admin/addons/{slug}" for slug in ("email", "shop", "satisfaction", "telegram", "whatsapp")]
    for address in (*(address for _rule, address in desk.pages()), *more):
        answer, _statements = desk.open("admin" if address.startswith("/admin") else "owner", address)
        if answer.status_code == 200 and answer.mimetype == "text/html":
            yield address, answer.text


def test_pages_show_no_keys_and_no_loose_separators(desk: FilledDesk) -> None:
    found, seen = [], 0
    for address, html in pages(desk, "en"):
        seen += 1
        for look in (keys, loose, outer_directions):
            found += [f"{address}: {look.__name__}: {one}" for one in dict.fromkeys(look(html))]
    assert not found, "\n".join(found)
    assert seen > 100


def test_names_of_customers_keep_their_direction(desk: FilledDesk) -> None:
    with db.read() as session:
        names = {name for name in session.scalars(sa.select(Contact.name)) if name}
    assert names
    found, seen = [], 0
    for address, html in pages(desk, "en"):
        seen += any(name in html for name in names)
        found += [f"{address}: {one}" for one in dict.fromkeys(mixed_names(html, names))]
    assert not found, "\n".join(found)
    assert seen > 10


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p>to <b>Ana</b></p>", ["<b>Ana"]),
        ("<p>to <b><bdi>Ana</bdi></b>, <i dir=auto>Ana</i>, Ana Q.</p>", []),
        ("<title>Ana</title><option>Ana</option>", []),
    ],
)
def test_mixed_names_are_found(html: str, found: list[str]) -> None:
    assert mixed_names(html, {"Ana"}) == found


def test_german_pages_call_addons_and_channels_in_german(
    desk: FilledDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ADDONS.glob("*/addon.toml"):
        build_release(path.parent, tmp_path)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    english = {
        text
        for path in ADDONS.glob("*/addon.toml")
        for text in (
            manifests.read_manifest(path.parent).name,
            manifests.read_manifest(path.parent).description,
        )
    } | {"Instagram comments"}
    english -= {text for text in english if _german(text) == text}
    assert {"Customer satisfaction", "Instagram comments"} < english
    assert len(english) > len(list(ADDONS.glob("*/addon.toml")))
    found = []
    for address, html in pages(desk, "de"):
        page = Lines()
        page.feed(html)
        found += [f"{address}: {line}" for line in page.lines for text in english if text in line]
    assert not found, "\n".join(found)


def _german(text: str) -> str:
    for path in (*ADDONS.glob("*/translations/de/LC_MESSAGES/messages.po"),):
        with path.open("rb") as file:
            message = read_po(file).get(text)
        if message is not None:
            return str(message.string)
    raise AssertionError(f"no addon translates {text}")


def test_an_addon_that_does_not_run_is_named_from_its_zip(app: Flask) -> None:
    folder = ADDONS / "satisfaction"
    manifest = manifests.read_manifest(folder)
    path = "translations/de/LC_MESSAGES/messages.mo"
    texts = read_texts(manifest, {path: (folder / path).read_bytes(), "static/icon.svg": b"<svg/>"})
    assert list(texts) == ["de"]
    for language, name in (("de", "Kundenzufriedenheit"), ("en", "Customer satisfaction")):
        with app.test_request_context(headers={"Accept-Language": language}):
            said = in_words(manifest, texts)
            assert said.name == name
            assert said.description.startswith("Fragt" if language == "de" else "Asks")
            assert in_words(manifest).slug == manifest.slug


def test_a_catalogue_that_cannot_be_read_leaves_the_english_name(app: Flask) -> None:
    manifest = manifests.read_manifest(ADDONS / "satisfaction")
    assert read_texts(manifest, {"translations/de/LC_MESSAGES/messages.mo": b"none"}) == {}


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<dt>instagram_id</dt>", ["instagram_id"]),
        ("<p>ran account.action</p>", ["account.action"]),
        ("<code>instagram_id</code><dt class=mono>a_b</dt><p translate=no>shop.example</p>", []),
        ("<p>Sent. Done. See https://example.com/a_b or ana.q@example.com</p>", []),
    ],
)
def test_keys_are_found(html: str, found: list[str]) -> None:
    assert keys(html) == found


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p><span></span> · since May</p>", ["· since May"]),
        ("<p>Ana · </p>", ["Ana ·"]),
        ("<p>Ana · <b></b> · May</p>", ["Ana · · May"]),
        ("<p>Ana · <b>May</b></p><p>3</p>", []),
    ],
)
def test_loose_separators_are_found(html: str, found: list[str]) -> None:
    assert loose(html) == found


def test_a_bubble_with_a_direction_of_its_own_is_found() -> None:
    assert outer_directions(
        '<p class="bubble" dir="auto">a</p><p class="bubble"><span dir="auto">b</span></p>'
    ) == ['<p class="bubble" dir="auto">']
