"""Render the light Markdown of the composer: bold, italic, lists, links, quotes.

``**bold**``, ``*italic*``, ``- item``, ``1. item``, ``[words](https://…)``, ``> quote``, and bare addresses.
``![mug.png]`` places a picture: the message's file with this name. Line breaks are kept. Everything else
stays unchanged: underscores, headings and code are not markup here, because mails are full of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

MOST_LINKS = 50
"""Maximum number of bare addresses that become links; later ones stay text."""

TAGS = frozenset({"p", "br", "strong", "em", "ul", "ol", "li", "a", "blockquote"})

PICTURE_TYPES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
"""Picture types allowed in a text: those that every mail program shows."""

_RULES = (
    *("picture", "emphasis", "list", "link", "blockquote"),
    *("newline", "balance_pairs", "fragments_join", "address"),
)
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"\u201c\u201d\u00ab\u00bb]{2,2000}", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]\n]{1,500})\]\(https?://[^\s()]{0,2000}\)")
_PICTURE = re.compile(r"!\[([^\[\]\n]{1,200}\.(?:gif|jpe?g|png|webp))\](?!\()", re.IGNORECASE)
_AROUND = re.compile(r"(?<![\w*])(\*{1,3})(?![\s*])([^*\n]{1,500})(?<!\s)\1(?![\w*])")
_TRAILING = ".,:;!?'\u2019\u2026"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_INVISIBLE = re.compile("[\x00-\x1f\x7f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def safe(address: object) -> str | None:
    """Return *address* if it is safe as a link: http or https, with a host and no password. Else None."""
    if not isinstance(address, str) or len(address) > 8000 or _INVISIBLE.search(address):
        return None
    address = address.strip()
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in {"http", "https"} or not host or "@" in parts.netloc:
        return None
    return address if ascii_host(host) else None


def ascii_host(host: str) -> str | None:
    """Return *host* in ASCII, so that lookalikes differ; None if it is not a host name."""
    if host.isascii():
        return host.lower() if re.fullmatch(r"[a-z0-9._\[\]:-]+", host.lower()) else None
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None


def addresses(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start and end of each bare web address in *text*, and the safe address it links to."""
    for number, match in enumerate(_ADDRESS.finditer(text)):
        if number == MOST_LINKS:
            break
        before = text[match.start() - 1 : match.start()]
        written = _trimmed(match.group())
        href = safe(written if "://" in written else f"https://{written}")
        if href is None or before.isalnum() or before in {"@", "/"}:
            continue
        yield match.start(), match.start() + len(written), href


def _trimmed(address: str) -> str:
    """Return *address* without the punctuation of the sentence around it."""
    while address:
        last = address[-1]
        if last in _TRAILING or (last in _PAIRS and address.count(last) > address.count(_PAIRS[last])):
            address = address[:-1]
        else:
            break
    return address


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in a text.

    :param src: its address on this desk, or ``cid:`` and its name in a mail.
    :param width: and *height*: displayed size in pixels; None if unknown.
    """

    src: str
    width: int | None = None
    height: int | None = None


def pictures(text: str) -> list[str]:
    """Return the names of the pictures in *text*, in order, without duplicates."""
    return list(dict.fromkeys(match[1] for match in _PICTURE.finditer(text)))


def without_pictures(text: str) -> str:
    """Return *text* for readers who see no pictures: each becomes ``[mug.png]``."""
    return _PICTURE.sub(r"[\1]", text)


def to_html(
    text: str,
    styles: Mapping[str, str] | None = None,
    pictures: Mapping[str, Picture] | None = None,
) -> str:
    """Return *text* as HTML with only :data:`TAGS`, and links only to http and https addresses.

    :param styles: the ``style`` of each tag, for places without a style sheet, such as mails.
    :param pictures: pictures by name: each becomes an ``img``. Other picture marks stay as written.
    """
    given, shown = styles or {}, pictures or {}
    sources = {one.src for one in shown.values()}
    attributes = {**{tag: {"style"} for tag in given}, "a": {"href", "style"}, "ol": {"start", "style"}}
    if shown:
        attributes["img"] = {"src", "alt", "width", "height", "style"}

    def attribute(tag: str, name: str, value: str) -> str | None:
        if name == "src":
            return value if value in sources else None
        return value if name != "style" or value == given.get(tag) else None

    return nh3.clean(
        _markdown().render(text, {"styles": given, "pictures": shown}),
        tags=TAGS | {"img"} if shown else set(TAGS),
        attributes=attributes,
        attribute_filter=attribute,
        url_schemes={"http", "https", "cid"} if shown else {"http", "https"},
        link_rel="noopener noreferrer nofollow",
    )


def to_text(text: str) -> str:
    """Return *text* as plain text: without the marks that :func:`to_html` turns into formatting.

    ``[words](https://…)`` becomes ``words <https://…>``. Lists, quotes and line breaks stay as written.
    """
    source = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines: list[str | None] = [*source]
    for token in _markdown().parse("\n".join(source), {}):
        if token.type != "inline" or token.map is None:
            continue
        shown = _words(token.children or []).split("\n")
        for number, written in enumerate(token.content.split("\n"), token.map[0]):
            # A link's address on a separate line leaves fewer lines.
            words = shown.pop(0) if shown else None
            if words is None:
                lines[number] = None
            elif words.strip() != written.strip():
                lines[number] = _marks_before(source[number], written) + words
    return "\n".join(line for line in lines if line is not None)


def _marks_before(line: str, words: str) -> str:
    """Return the part of *line* before *words*: markers of a list or a quote, and spaces."""
    return line[: len(line.rstrip()) - len(words.strip())]


def _words(tokens: list[Token]) -> str:
    """Return the text of one paragraph's tokens, with the address after the text of each link."""
    found: list[str] = []
    link, since = "", 0
    for token in tokens:
        if token.type == "link_open":
            link, since = str(token.attrs.get("href", "")), len(found)
        elif token.type == "link_close":
            if "".join(found[since:]) not in {link, link.removeprefix("https://")}:
                found.append(f" <{link}>")
        elif token.type in {"softbreak", "hardbreak"}:
            found.append("\n")
        else:
            found.append(token.content)
    return "".join(found)


def plain(text: str) -> str:
    """Return *text* without markup and link addresses, for excerpts."""
    return _AROUND.sub(r"\2", _AROUND.sub(r"\2", _LINK.sub(r"\1", without_pictures(text))))


@cache
def _markdown() -> MarkdownIt:
    found = MarkdownIt("zero", {"html": False, "breaks": True})
    found.inline.ruler.at("emphasis", _stars)
    found.inline.ruler.before("emphasis", "picture", _place)
    found.core.ruler.push("address", _linked)
    found.core.ruler.push("style", _styled)
    found.enable([*_RULES, "style"])
    found.validateLink = lambda url: safe(url) is not None  # type: ignore[method-assign]
    return found


def _place(state: StateInline, silent: bool) -> bool:
    """Insert a picture at its position."""
    match = _PICTURE.match(state.src, state.pos) if state.src[state.pos] == "!" else None
    found: Picture | None = state.env.get("pictures", {}).get(match[1]) if match else None
    if match is None or found is None:
        return False
    if not silent:
        sizes = {"width": found.width, "height": found.height}
        token = state.push("picture", "img", 0)
        token.attrs = {
            "src": found.src,
            "alt": match[1],
            **{name: value for name, value in sizes.items() if value is not None},
        }
    state.pos = match.end()
    return True


def _stars(state: StateInline, silent: bool) -> bool:
    """Parse asterisks around words as markup. Underscores occur in names, and ``10*20*30`` is a size."""
    if silent or state.src[state.pos] != "*":
        return False
    scanned = state.scanDelims(state.pos, canSplitWord=False)
    for _ in range(scanned.length):
        state.push("text", "", 0).content = "*"
        state.delimiters.append(
            Delimiter(
                marker=ord("*"),
                length=scanned.length,
                token=len(state.tokens) - 1,
                end=-1,
                open=scanned.can_open,
                close=scanned.can_close,
            )
        )
    state.pos += scanned.length
    return True


def _each(state: StateCore, change: Callable[[list[Token]], list[Token]]) -> None:
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = change(token.children)


def _linked(state: StateCore) -> None:
    """Turn bare addresses into links."""
    _each(state, _with_links)


def _with_links(tokens: list[Token]) -> list[Token]:
    found: list[Token] = []
    depth = 0
    for token in _without_empty_links(tokens):
        depth += token.nesting if token.type in {"link_open", "link_close"} else 0
        if token.type != "text" or depth:
            found.append(token)
            continue
        start = 0
        for begins, ends, href in addresses(token.content):
            found += [
                Token("text", "", 0, content=token.content[start:begins]),
                Token("link_open", "a", 1, attrs={"href": href}),
                Token("text", "", 0, content=token.content[begins:ends]),
                Token("link_close", "a", -1),
            ]
            start = ends
        found.append(Token("text", "", 0, content=token.content[start:]))
    return found


def _without_empty_links(tokens: list[Token]) -> Iterator[Token]:
    """Yield *tokens*, with ``[words]()`` as it was typed: Markdown makes it a link to the current page."""
    is_empty = False
    for token in tokens:
        if token.type == "link_open":
            is_empty = not token.attrs.get("href")
        if is_empty and token.type in {"link_open", "link_close"}:
            yield Token("text", "", 0, content="[" if token.type == "link_open" else "]()")
        else:
            yield token


def _styled(state: StateCore) -> None:
    """Add a style to each tag; a paragraph within a tight list or quote has no tag."""
    styles: Mapping[str, str] = state.env.get("styles", {})
    for token in state.tokens:
        for one in (token, *(token.children or ())):
            if one.nesting >= 0 and one.tag in styles:
                one.attrSet("style", styles[one.tag])
