"""Sanitise the formatted form of a message, which is untrusted HTML.

The stored HTML stays unchanged. Sanitising removes scripts, forms, frames, styles that affect other elements,
and every URL that a browser would load automatically. The content security policy of the response
(:mod:`host.media.pages.formatted_views`) enforces the same a second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

import nh3

MOST = 2 * 1024 * 1024
"""Maximum size of a form that is shown, in bytes; of a larger one, only the text is shown."""
_MOST_TAGS = 20_000
"""Maximum number of tags in a form that is shown: cleaning time grows with the square of their depth."""
_MOST_ATTRIBUTES = 20_000
"""Maximum number of attributes of a tag: each is compared with all before it."""

_TAGS = frozenset(
    """a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd
    del dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li
    main mark nav ol p pre q rp rt ruby s samp section small span strike strong sub sup table tbody
    td tfoot th thead time tr tt u ul var wbr""".split()  # noqa: SIM905 - reads better than 80 quotes
)
_DROPPED = {"script", "style", "title", "template", "noscript", "noembed", "iframe", "object", "svg", "math"}
_ATTRIBUTES: Mapping[str, set[str]] = {
    "*": {"style", "dir", "lang", "title", "align", "valign", "bgcolor", "width", "height", "class", "id"},
    "a": {"href"},
    "blockquote": {"type"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"color", "face", "size"},
    "img": {"src", "alt", "border", "hspace", "vspace"},
    "li": {"value"},
    "ol": {"start", "type", "reversed"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan", "nowrap"},
    "th": {"colspan", "rowspan", "nowrap", "scope"},
}
# Left out are shorthands that may contain a URL (background, list-style), and position, which moves elements
# out of their place. Float is harmless, and z-index has no effect without position.
_STYLES = frozenset(
    """background-color border border-bottom border-bottom-color border-bottom-left-radius
    border-bottom-right-radius border-bottom-style border-bottom-width border-collapse border-color
    border-left border-left-color border-left-style border-left-width border-radius border-right
    border-right-color border-right-style border-right-width border-spacing border-style border-top
    border-top-color border-top-left-radius border-top-right-radius border-top-style
    border-top-width border-width box-sizing caption-side clear color direction display float font
    font-family font-size font-style font-variant font-weight height letter-spacing line-height
    list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width
    min-height min-width opacity overflow overflow-wrap padding padding-bottom padding-left
    padding-right padding-top table-layout text-align text-decoration text-indent text-transform
    vertical-align white-space width word-break word-spacing word-wrap""".split()  # noqa: SIM905
)
_CALL = re.compile(r"([a-z-]*)\s*\(")
_CALLS = {"rgb", "rgba", "hsl", "hsla", "calc", "min", "max", "clamp"}
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}
_LINKS = ("http://", "https://", "mailto:", "tel:")
_DATA = re.compile(r"data:image/(?:png|gif|jpeg|webp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
_QUOTED_CLASSES = {
    *("gmail_quote", "gmail_quote_container", "yahoo_quoted", "protonmail_quote", "zmail_extra"),
    "freshdesk_quote",
}
_QUOTED_IDS = {"mail-editor-reference-message-container", "isforwardcontent", "orc_em_signature"}
_REST_IDS = {"divrplyfwdmsg", "appendonsend", "x_divrplyfwdmsg", "stopspelling", "ms-outlook-mobile-quote"}
"""Ids in Outlook's HTML after which everything is quoted."""
_REST_STYLE = re.compile(r"border:\s*none;\s*border-top:\s*solid\s+#(?:e1e1e1|b5c4df)\b", re.IGNORECASE)
"""The border with which Outlook for Windows separates quoted text, which has no other mark."""
_QUOTED_STYLE = re.compile(r"border-left:\s*2px\s+solid\s+#c3d9e5\b", re.IGNORECASE)
"""The same for GMX and Web.de."""
_UNSEEN_STYLE = re.compile(r"font-size:\s*0(?:px|pt|em)?\s*(?:;|\Z)", re.IGNORECASE)
"""The style with which ticket systems hide their numbers."""
_SEPARATOR = re.compile(
    r"\s*-{5,}\s*(?:original message|ursprüngliche nachricht|originalnachricht|message d'origine)"
    r"\s*-{5,}\s*\Z",
    re.IGNORECASE,
)
"""A line that phones put above quoted text."""
_VOID = {"br", "col", "hr", "img", "wbr"}
_BETWEEN_ATTRIBUTES = re.compile(r"""[\s"'/=]+""")


@dataclass(frozen=True, slots=True)
class CleanedForm:
    """A sanitised form.

    :param blocked: number of blocked remote pictures.
    """

    html: str = field(repr=False)
    blocked: int = 0


def is_cleaned_in_time(html: str) -> bool:
    """Return whether cleaning *html* takes at most seconds, even if it is malicious.

    Text between two tags counts as attributes, too, since only a parser can find the end of a tag.
    """
    parts = html.split("<")
    return len(parts) <= _MOST_TAGS + 1 and all(
        len(_BETWEEN_ATTRIBUTES.findall(part)) <= _MOST_ATTRIBUTES
        for part in parts
        if len(part) > _MOST_ATTRIBUTES
    )


def clean(
    html: str,
    *,
    inline: Callable[[str], str | None],
    remote: Callable[[str], str] | None,
    earlier: str,
) -> CleanedForm:
    """Return *html* without scripts, requests to other hosts, and effects outside of its frame.

    The time is unbounded unless :func:`is_cleaned_in_time` is true.

    :param inline: returns the desk's URL of the picture with a content id, or None if there is none.
    :param remote: returns the desk's URL for a remote picture; None blocks them.
    :param earlier: label of the button that unfolds quoted mails; empty folds nothing.
    """
    blocked = 0

    def kept(tag: str, name: str, value: str) -> str | None:
        nonlocal blocked
        if name == "style":
            return _style(value)
        if name in {"width", "height"}:
            return value if re.fullmatch(r"\s*[0-9]{1,5}(?:\.[0-9]{1,4})?\s*(?:%|px)?\s*", value) else None
        if name == "href":
            return value if value.strip().lower().startswith(_LINKS) else None
        if name != "src":
            return value
        address = value.strip()
        lower = address.lower()
        if lower.startswith("cid:"):
            return inline(unquote(address[4:]).strip("<> "))
        if lower.startswith(("http://", "https://")):
            if remote is None:
                blocked += 1
                return None
            return remote(address)
        return address if _DATA.match(address) else None

    made = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=_DROPPED,
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=kept,
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes=_SCHEMES,
        url_relative="pass_through",  # `kept` runs before and allows only our URLs
        filter_style_properties=set(_STYLES),
    )
    return CleanedForm(_fold(made, earlier) if earlier else made, blocked)


def _style(value: str) -> str | None:
    """Return the declarations of a style whose only functions are colours and calculations."""
    kept = []
    for one in re.sub(r"/\*.*?(?:\*/|\Z)", "", value, flags=re.DOTALL).split(";"):
        lower = one.lower()
        if (
            "\\" not in one
            and "@" not in one
            and all(name in _CALLS for name in _CALL.findall(lower))
            and one.count('"') % 2 == one.count("'") % 2 == 0
            and not ("display" in lower and ("none" not in lower and "block" not in lower))
        ):
            kept.append(one.strip())
    return "; ".join(filter(None, kept)) or None


# ---- quoted mails ------------------------------------------------------------------------------------


def _fold(html: str, label: str) -> str:
    """Return cleaned *html* with the mail quoted at its end folded behind a button."""
    finder = _QuoteFinder()
    finder.feed(html)
    finder.close()
    return finder.folded(label)


class _QuoteFinder(HTMLParser):
    """Finds the beginning of the quoted mail in cleaned HTML, in which every element is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._out: list[str] = []
        self._open: list[str] = []
        self._said = False
        """Whether any text was found yet."""
        self._start: int | None = None
        self._depth = 0
        self._rest = False
        self._end: int | None = None
        self._after = False
        self._places: list[int] = []
        """Positions of the start tags of the open elements."""
        self._last_said = -1
        self._around: list[int] = []
        """Positions of the elements that were open at the beginning of the quote."""
        self._unseen: int | None = None

    def _begin(self, *, rest: bool, outside: bool = False) -> None:
        """Begin the quote here; with *outside*, include outer elements without other content."""
        self._rest, self._start, self._depth = rest, len(self._out), len(self._open)
        self._around = list(self._places)
        while outside and self._depth and self._places[self._depth - 1] > self._last_said:
            self._depth -= 1
            self._start = self._places[self._depth]

    def _go_on(self) -> None:
        """Extend the quote with a second one directly after it: iPhones put the line above it in a separate
        quote."""
        depth = len(self._open)
        if depth < self._depth and self._around[depth] > self._last_said:
            self._start, self._depth, self._end = self._around[depth], depth, None
        elif depth == self._depth:
            self._end = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        style = values.get("style", "")
        is_cited = tag == "blockquote" and values.get("type", "").lower() == "cite"
        if self._start is None and self._said:
            marks = set(values.get("class", "").lower().split())
            id_ = values.get("id", "").lower()
            ruled = bool(_REST_STYLE.search(style))
            # Thunderbird's line above the quote, and everything after Outlook's mark, are siblings of the
            # quote.
            rest = ruled or id_ in _REST_IDS or "moz-cite-prefix" in marks
            quoted = bool(marks & _QUOTED_CLASSES) or id_ in _QUOTED_IDS or bool(_QUOTED_STYLE.search(style))
            if rest or quoted or is_cited:
                self._begin(rest=rest, outside=ruled)
        elif is_cited and self._end is not None and not self._after and not self._rest:
            self._go_on()
        if self._unseen is None and tag not in _VOID and _UNSEEN_STYLE.search(style):
            self._unseen = len(self._open)
        self._out.append(_without_marks(tag, self.get_starttag_text() or ""))
        if tag not in _VOID:
            self._places.append(len(self._out) - 1)
            self._open.append(tag)
        elif tag == "img":
            self._note_said()

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if self._open:
            self._open.pop()
            self._places.pop()
        if self._unseen is not None and len(self._open) <= self._unseen:
            self._unseen = None
        # A quote up to the end of its parent ends with the parent, an element that is a quote with itself.
        if self._start is not None and self._end is None:
            if self._rest and len(self._open) < self._depth:
                self._end = len(self._out)
            elif not self._rest and len(self._open) == self._depth:
                self._out.append(f"</{tag}>")
                self._end = len(self._out)
                return
        self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._start is None and self._said and _SEPARATOR.match(data):
            self._begin(rest=True, outside=True)
        if data.strip("\ufeff\u200b \t\r\n"):
            self._note_said()
        self._out.append(data)

    def handle_entityref(self, name: str) -> None:
        if name != "nbsp":
            self._note_said()
        self._out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._note_said()
        self._out.append(f"&#{name};")

    def _note_said(self) -> None:
        if self._unseen is not None:
            return
        self._said = True
        if self._start is None:
            self._last_said = len(self._out)
        self._after = self._after or self._end is not None

    def folded(self, label: str) -> str:
        """Return the HTML, folded only if the quote is at its end, so that inline answers stay visible."""
        if self._start is None or self._after:
            return "".join(self._out)
        end = len(self._out) if self._end is None else self._end
        quoted = "".join(self._out[self._start : end])
        button = f'<details class="lobby-earlier"><summary title="{label}">\u2026</summary>'
        return "".join(self._out[: self._start]) + button + quoted + "</details>" + "".join(self._out[end:])


def _without_marks(tag: str, source: str) -> str:
    """Return a start tag without its class and id."""
    if ' class="' in source or ' id="' in source or (tag == "blockquote" and ' type="' in source):
        names = r"class|id|type" if tag == "blockquote" else r"class|id"
        source = re.sub(rf' (?:{names})="[^"]*"', "", source)
    return source
