"""Inspect the HTML of a mail without sanitizing it: its richness, and the pictures it refers to."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

_RICH = re.compile(
    r"<(?:img|table|h[1-6]|ul|ol|b|strong|i|em|u|pre|center|hr)[\s>/]|background(?:-color)?\s{0,3}[:=]|<font[^<>]{1,200}color",
    re.IGNORECASE,
)
"""Markup that plain text cannot show."""
_QUOTE = re.compile(
    r"<blockquote[^<>]{0,200}type\s*=\s*[\"']?cite"
    r"|(?:<hr[^<>]{0,200}>\s{0,9})?<div[^<>]{0,300}(?:gmail_quote|divRplyFwdMsg|appendonsend|moz-cite-prefix"
    r"|yahoo_quoted|protonmail_quote|freshdesk_quote|border-top:\s?solid #(?:E1E1E1|B5C4DF)"
    r"|border-left:\s?2px solid #C3D9E5)",
    re.IGNORECASE,
)
"""Start of the quoted part in common mail clients, including Outlook's line above it."""
_REMOTE = re.compile(r"<img\b[^<>]{0,4000}?\bsrc\s{0,5}=\s{0,5}[\"']?\s{0,5}https?://", re.IGNORECASE)
_CID = re.compile(r"\bsrc\s{0,5}=\s{0,5}[\"']?\s{0,5}cid:([^\"'\s>]{1,300})", re.IGNORECASE)


def described(source: str, *, passes_on: bool = False) -> dict[str, object]:
    """Return the content entries that describe a message's formatted form.

    ``rich``: its sender's part shows more than the text does; ``remote``: the number of remote pictures;
    ``unfolded``: it contains no quoted history.

    :param passes_on: whether it forwards another mail, which then counts as the sender's part.
    """
    body = source[_body_start(source) : len(source) if passes_on else _body_end(source)]
    found: dict[str, object] = {"rich": bool(_RICH.search(body)), "remote": len(_REMOTE.findall(source))}
    return {**found, "unfolded": True} if passes_on else found


def _body_start(source: str) -> int:
    """Return the position after the head, because names in its styles may not occur in the body."""
    return max(0, source.lower().find("<body"))


def _body_end(source: str) -> int:
    quote = _QUOTE.search(source)
    return len(source) if quote is None else quote.start()


def inline_names(source: str) -> set[str]:
    """Return the content ids of the pictures that *source* shows inline."""
    names = _CID.findall(source) if "cid:" in source.lower() else ()
    return {html.unescape(unquote(name)).strip("<>") for name in names}


def of_plain(text: str) -> str:
    """Return plain text as a part of a formatted form."""
    return f'<div style="white-space:pre-wrap">{html.escape(text)}</div>' if text else ""
