"""Sanitise the formatted form of a message, which is untrusted HTML.

The stored HTML stays unchanged. Sanitising removes scripts, forms, frames, styles that affect other elements,
and every URL that a browser would load automatically. The content security policy of the response
(:mod:`host.media.pages.formatted_views`) enforces the same a second time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import unquote

import nh3

from host.sdk.closings import ClosingKind, closings, is_written

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
_SIGNATURE_CLASSES = {
    *("gmail_signature", "moz-signature", "protonmail_signature_block-user", "yahoo_signature"),
    *("elementtoproof_signature", "x_signature", "mail_signature"),
}
_SIGNATURE_IDS = {"applemailsignature", "signature", "x_signature", "ms-outlook-mobile-signature"}
"""Classes and ids with which mail programs mark a signature."""
_LONGEST_SIGNATURE = 1500
"""Maximum characters of such an element; in a longer one somebody may have written."""
_MANY_LINES, _MANY_CHARACTERS = 8, 600
"""Minimum size of a quote that is folded above text: a shorter one is read with the answer below it."""
_LONGEST_LINE = 4000
_BLOCKS = frozenset(
    """address article aside blockquote caption center dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6
    header hr li main nav ol p pre section table tbody td tfoot th thead tr ul""".split()  # noqa: SIM905
)
_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table", "ul", "ol", "hr"}
_TAG_NAME = re.compile(r"<([a-z][a-z0-9]*)")
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
    names: Mapping[ClosingKind, str] | None = None,
) -> CleanedForm:
    """Return *html* without scripts, requests to other hosts, and effects outside of its frame.

    The time is unbounded unless :func:`is_cleaned_in_time` is true.

    :param inline: returns the desk's URL of the picture with a content id, or None if there is none.
    :param remote: returns the desk's URL for a remote picture; None blocks them.
    :param earlier: label of the button that unfolds quoted mails; empty folds nothing.
    :param names: labels of the buttons that unfold what closes the mail.
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
    return CleanedForm(_fold(made, earlier, names or {}) if earlier else made, blocked)


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


# ---- quoted mails, and what closes a mail ------------------------------------------------------------


def _fold(html: str, label: str, names: Mapping[ClosingKind, str]) -> str:
    """Return cleaned *html* with the quoted mail folded behind a button, and what closes the mail as well."""
    finder = _Finder()
    finder.feed(html)
    finder.close()
    return finder.folded(label, names)


@dataclass(slots=True)
class _TextLine:
    """A line of text.

    :ivar first: index of its first token; *last*: of its last one.
    """

    text: str
    first: int
    last: int


class _Finder(HTMLParser):
    """Finds the quoted mail and the signatures in cleaned HTML, in which every element is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._out: list[str] = []
        self._open: list[str] = []
        self._said = False
        """Whether any text was found yet."""
        self._start: int | None = None
        self._depth = 0
        self._rest = False
        self._prefixed = False
        """Whether the quote began with Thunderbird's line above it, which is a sibling of the quote."""
        self._end: int | None = None
        self._after = False
        self._again = False
        """Whether another quote begins below text below the quote."""
        self._places: list[int] = []
        """Positions of the start tags of the open elements."""
        self._last_said = -1
        self._around: list[int] = []
        """Positions of the elements that were open at the beginning of the quote."""
        self._unseen: int | None = None
        self._lines: list[_TextLine] = []
        self._broken = True
        """Whether the next text begins a line."""
        self._pre: list[int] = []
        """Depths of the elements in which line breaks are shown."""
        self._signatures: list[list[int]] = []
        """Start and end of the elements that mail programs mark as a signature."""
        self._signature_depths: list[int] = []
        self._inner: list[list[int]] = []
        """Start and end of the quotes that are children of the element that was taken for the quote."""

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
        marks = set(values.get("class", "").lower().split())
        id_ = values.get("id", "").lower()
        if self._start is None and self._said:
            ruled = bool(_REST_STYLE.search(style))
            # Thunderbird's line above the quote, and everything after Outlook's mark, are siblings of the
            # quote.
            prefixed = "moz-cite-prefix" in marks
            rest = ruled or id_ in _REST_IDS or prefixed
            quoted = bool(marks & _QUOTED_CLASSES) or id_ in _QUOTED_IDS or bool(_QUOTED_STYLE.search(style))
            if rest or quoted or is_cited:
                self._begin(rest=rest, outside=ruled)
                self._prefixed = prefixed
        elif is_cited and self._end is not None and not self._after and not self._rest:
            self._go_on()
        elif self._after and (is_cited or marks & _QUOTED_CLASSES or "moz-cite-prefix" in marks):
            self._again = True
        if self._unseen is None and tag not in _VOID and _UNSEEN_STYLE.search(style):
            self._unseen = len(self._open)
        if tag == "br" or tag in _BLOCKS:
            self._break(blank=tag == "br")
        if (
            (marks & _SIGNATURE_CLASSES or id_ in _SIGNATURE_IDS)
            and tag not in _VOID
            and not self._signature_depths
        ):
            self._signatures.append([len(self._out), -1])
            self._signature_depths.append(len(self._open))
        if self._start is not None and self._end is None and tag == "blockquote" and self._is_child():
            self._inner.append([len(self._out), -1])
        self._out.append(_without_marks(tag, self.get_starttag_text() or ""))
        if tag not in _VOID:
            if tag == "pre" or "pre-wrap" in style or "pre-line" in style:
                self._pre.append(len(self._open))
            self._places.append(len(self._out) - 1)
            self._open.append(tag)
        elif tag == "img":
            self._note_said()

    def _is_child(self) -> bool:
        """Return whether an element that starts or ended here is a direct part of the quote."""
        return len(self._open) == (self._depth if self._prefixed else self._depth + 1)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if self._open:
            self._open.pop()
            self._places.pop()
        if self._unseen is not None and len(self._open) <= self._unseen:
            self._unseen = None
        if self._pre and len(self._open) <= self._pre[-1]:
            self._pre.pop()
        if tag in _BLOCKS:
            self._break(blank=False)
            if tag in _PARAGRAPHS:
                self._blank()
        # A quote up to the end of its parent ends with the parent, an element that is a quote with itself.
        # Below Thunderbird's quote may stand an answer.
        ended = False
        if self._start is not None and self._end is None:
            if self._rest and len(self._open) < self._depth:
                self._end = len(self._out)
            elif (not self._rest or (self._prefixed and tag == "blockquote")) and len(
                self._open
            ) == self._depth:
                self._rest = False
                ended = True
        self._out.append(f"</{tag}>")
        if self._signature_depths and len(self._open) == self._signature_depths[-1]:
            self._signature_depths.pop()
            self._signatures[-1][1] = len(self._out)
        if self._inner and self._inner[-1][1] < 0 and tag == "blockquote" and self._is_child():
            self._inner[-1][1] = len(self._out)
        if ended:
            self._end = len(self._out)

    def handle_data(self, data: str) -> None:
        if self._start is None and self._said and _SEPARATOR.match(data):
            self._begin(rest=True, outside=True)
        if self._pre and "\n" in data:
            for line in data.splitlines(keepends=True):
                self._say(line)
                if line.endswith("\n"):
                    self._break(blank=True)
            return
        self._say(data)

    def _say(self, data: str) -> None:
        if data.strip("\ufeff\u200b \t\r\n"):
            self._note_said()
            self._write(data)
        self._out.append(data)

    def handle_entityref(self, name: str) -> None:
        if name != "nbsp":
            self._note_said()
        self._write(unescape(f"&{name};"))
        self._out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._note_said()
        self._write(unescape(f"&#{name};"))
        self._out.append(f"&#{name};")

    def _note_said(self) -> None:
        if self._unseen is not None:
            return
        self._said = True
        if self._start is None:
            self._last_said = len(self._out)
        self._after = self._after or self._end is not None

    def _write(self, text: str) -> None:
        """Add *text*, the next token, to the line it stands in."""
        if self._unseen is not None:
            return
        here = len(self._out)
        if self._broken or not self._lines:
            if text.isspace():
                return
            self._lines.append(_TextLine(text, here, here))
        else:
            line = self._lines[-1]
            line.text, line.last = line.text[:_LONGEST_LINE] + text[:_LONGEST_LINE], here
        self._broken = False

    def _break(self, *, blank: bool) -> None:
        """End a line; with *blank*, an empty line is one, too."""
        if blank and self._broken:
            self._blank()
        self._broken = True

    def _blank(self) -> None:
        if self._lines and self._lines[-1].text:
            self._lines.append(_TextLine("", len(self._out), len(self._out)))
        self._broken = True

    def folded(self, label: str, names: Mapping[ClosingKind, str]) -> str:
        """Return the HTML with its folds."""
        folds: list[tuple[int, int, str, str]] = []
        first = after = len(self._out)
        if self._start is not None:
            end = len(self._out) if self._end is None else self._end
            if self._may_fold(self._start, end):
                first, after = self._start, end
                folds.append((first, after, label, "\u2026"))
        if names:
            parts = [*self._closed(0, first, alone=False), *self._closed(after, len(self._out), alone=True)]
            folds += [(start, end, names[kind], names[kind]) for kind, start, end in parts if kind in names]
        opened = {start: (title, shown) for start, _, title, shown in folds}
        closed = {end for _, end, _, _ in folds}
        made: list[str] = []
        for number, token in enumerate(self._out):
            if number in closed:
                made.append("</details>")
            if number in opened:
                title, shown = map(escape, opened[number])
                made.append(f'<details class="lobby-earlier"><summary title="{title}">{shown}</summary>')
            made.append(token)
        if len(self._out) in closed:
            made.append("</details>")
        return "".join(made)

    def _within(self, first: int, after: int) -> list[_TextLine]:
        return [line for line in self._lines if first <= line.first and line.last < after]

    def _may_fold(self, start: int, end: int) -> bool:
        """Return whether the quote from *start* to *end* is folded: what is written below it stays shown, and
        answers between quotes are read with them."""
        inner = [(one, stop) for one, stop in self._inner if start <= one and 0 < stop <= end]
        if inner:
            starts = [one for one, _ in inner]
            between = []
            for line in self._within(inner[0][1], end):
                before = bisect_right(starts, line.first) - 1
                if line.first >= inner[before][1]:
                    between.append(line)
            if not _is_closed_by(between):
                return False
        if not self._after:
            return True
        if self._again:
            return False
        if _is_closed_by(self._within(end, len(self._out))):
            return True
        quoted = [line.text for line in self._within(start, end) if line.text.strip()]
        return len(quoted) >= _MANY_LINES or sum(map(len, quoted)) >= _MANY_CHARACTERS

    def _closed(self, first: int, after: int, *, alone: bool) -> list[tuple[ClosingKind, int, int]]:
        """Return kind, start and end of what closes the part from *first* to *after*."""
        lines = self._within(first, after)
        for start, end in self._signatures:
            if not first <= start < end <= after:
                continue
            above = [line for line in lines if line.first < start and line.text.strip()]
            if above and above[-1].text.strip() == "--":
                whole = self._whole(above[-1].first, end, first, after)
                if whole is not None:
                    start, end = whole  # noqa: PLW2901 - it is the same element, with Gmail's line above it
                    above.pop()
            signed = [line for line in lines if start <= line.first < end]
            below = [line for line in lines if line.first >= end]
            if (
                (alone or above)
                and 0 < sum(len(line.text) for line in signed) <= _LONGEST_SIGNATURE
                and not is_written("\n".join(line.text for line in signed))
                and _is_closed_by(below)
            ):
                return [(ClosingKind.SIGNATURE, start, end), *self._placed(below, end, after, alone=True)]
        return self._placed(lines, first, after, alone=alone)

    def _placed(
        self, lines: list[_TextLine], first: int, after: int, *, alone: bool
    ) -> list[tuple[ClosingKind, int, int]]:
        found: list[tuple[ClosingKind, int, int]] = []
        for kind, one, end in closings([line.text for line in lines], alone=alone):
            part = [line for line in lines[one:end] if line.text]
            place = self._whole(part[0].first, part[-1].last + 1, first, after)
            if place is not None:
                found.append((kind, *place))
                first = place[1]
        return found

    def _whole(self, start: int, end: int, first: int, after: int) -> tuple[int, int] | None:
        """Return the part around *start* to *end* in which every element is closed, and that says no more.

        :param first: the part may not begin before; *after*: nor end after.
        """
        left = right = 0
        for token in self._out[start:end]:
            if token.startswith("</"):
                left, right = (left, right - 1) if right else (left + 1, right)
            elif self._opens(token):
                right += 1
        while left:
            start -= 1
            if start < first or self._says(self._out[start]):
                return None
            token = self._out[start]
            left += 1 if token.startswith("</") else -1 if self._opens(token) else 0
        while right:
            if end >= after or self._says(self._out[end]):
                return None
            token = self._out[end]
            right += -1 if token.startswith("</") else 1 if self._opens(token) else 0
            end += 1
        return start, end

    @staticmethod
    def _opens(token: str) -> bool:
        name = _TAG_NAME.match(token)
        return name is not None and name[1] not in _VOID

    @staticmethod
    def _says(token: str) -> bool:
        """Return whether a token is text or a picture."""
        return (
            token.startswith("<img") if token.startswith("<") else bool(token.strip()) and token != "&nbsp;"  # noqa: S105 - of HTML
        )


def _is_closed_by(lines: list[_TextLine]) -> bool:
    """Return whether *lines* only close a mail: signatures, notices, footers or nothing."""
    found = closings([line.text for line in lines], alone=True)
    first = found[0].first if found else len(lines)
    return not any(line.text.strip() for line in lines[:first])


def _without_marks(tag: str, source: str) -> str:
    """Return a start tag without its class and id."""
    if ' class="' in source or ' id="' in source or (tag == "blockquote" and ' type="' in source):
        names = r"class|id|type" if tag == "blockquote" else r"class|id"
        source = re.sub(rf' (?:{names})="[^"]*"', "", source)
    return source
