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

    ``rich``: it shows more than the text does, in what its sender wrote; ``remote``: how many pictures
    from elsewhere it would show; ``unfolded``: nothing in it is an old quote.

    :param passes_on: whether it passes another mail on: then that is what its sender says.
    """
    body = source[_body_start(source) : len(source) if passes_on else _body_end(source)]
    found: dict[str, object] = {"rich": bool(_RICH.search(body)), "remote": len(_REMOTE.findall(source))}
    return {**found, "unfolded": True} if passes_on else found


def _body_start(source: str) -> int:
    """Return the position after the head, because names in its styles need not occur in the body."""
    return max(0, source.lower().find("<body"))


def _body_end(source: str) -> int:
    quote = _QUOTE.search(source)
    return len(source) if quote is None else quote.start()


def inline_names(source: str) -> set[str]:
    """Return the content ids of the pictures that *source* shows in their place."""
    names = _CID.findall(source) if "cid:" in source.lower() else ()
    return {html.unescape(unquote(name)).strip("<>") for name in names}


def of_plain(text: str) -> str:
    """Return a part that is plain text as one of a formatted form."""
    return f'<div style="white-space:pre-wrap">{html.escape(text)}</div>' if text else ""
