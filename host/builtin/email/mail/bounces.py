"""Read reports of mail servers that a mail of ours did not arrive (RFC 3464, and the forms before it)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import NamedTuple

from host.sdk.i18n import noop

from ..addresses import normal
from ..composing import OURS
from . import headers

MOST_PARTS = 50
_SENDERS = ("mailer-daemon@", "postmaster@", "mail-daemon@", "mailerdaemon@", "microsoftexchange")
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"\b([45])\d\d[ -]")
_ID = re.compile(r"(?im)^[>|\s]{0,8}(?:Message-ID|X-Lobby-Message):\s{0,5}<?([0-9a-f]{32}@[^<>\s]{3,250})>?")
_NAMED = re.compile(r"<([^<>@\s]{1,64}@[^<>@\s]{3,255})>")
_QUOTED = 64 * 1024
"""Characters of a text that are searched for the headers of the mail that came back."""


class Why(NamedTuple):
    sentence: str
    next_step: str


_ADDRESS = Why(
    noop("There is no such address at that mail server."),
    noop("Ask them for their address another way, and check how it is written."),
)
_FULL = Why(noop("Their mailbox is full."), noop("Try again in a few days, or reach them another way."))
_SIZE = Why(
    noop("It was too large for their mail server."), noop("Send it with smaller files, or with links.")
)
_REFUSED = Why(
    noop("Their mail server refused it, as it does with mail it takes for spam or does not trust."),
    noop("Ask whoever looks after your mail to check SPF, DKIM and DMARC of your domain."),
)
_ROUTE = Why(
    noop("Their mail server could not be reached."),
    noop("Check the part of the address behind the @, and try again later."),
)
_OTHER = Why(noop("It came back."), noop("The error below says what their mail server wrote."))
_BY_STATUS = {
    "1": _ADDRESS,
    "2": _OTHER,
    "3": _OTHER,
    "4": _ROUTE,
    "5": _OTHER,
    "6": _OTHER,
    "7": _REFUSED,
}
_EXACTLY = {"2.1": _ADDRESS, "2.2": _FULL, "2.3": _SIZE, "3.4": _SIZE, "1.8": _REFUSED, "1.7": _REFUSED}


class Bounce(NamedTuple):
    """A mail of ours that did not arrive.

    :param message_id: its Message-ID.
    :param recipient: whom it did not reach; empty: the report does not say.
    :param raw: the status and what the other server said.
    """

    message_id: str
    recipient: str
    why: Why
    raw: str


def read(message: Message) -> Bounce | None:
    """Return what *message* reports; None: it reports no final failure, or nobody can tell of which mail."""
    parts = list(_parts(message))
    report = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    failed = headers.addresses(message, "X-Failed-Recipients")
    if report is None and not failed and not _is_from_a_server(message):
        return None
    id_ = _of_mail(parts) or _answered(message)
    if id_ is None:
        return None
    if report is not None:
        return _by_fields(report, id_)
    text = "\n".join(_text(part) for part in parts if part.get_content_type() == "text/plain")[:_QUOTED]
    status = _STATUS.search(text)
    if not failed and not (status and status.group(1) == "5") and not re.search(r"\b5\d\d[ -]", text):
        return None  # a server that only says something, or that mail is delayed
    named = failed[0][1] if failed else next(filter(None, map(normal, _NAMED.findall(text))), "")
    return Bounce(id_, named, _why(status), _around(text))


def _by_fields(report: Message, id_: str) -> Bounce | None:
    """Return what the fields of a delivery status say of the first recipient it did not reach."""
    blocks = report.get_payload()
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, Message) or headers.raw(block, "Action").strip().lower() != "failed":
            continue
        recipient = ""
        for name in ("Original-Recipient", "Final-Recipient"):
            recipient = recipient or normal(headers.raw(block, name).rpartition(";")[2].strip(" <>")) or ""
        status, said = headers.raw(block, "Status").strip(), headers.raw(block, "Diagnostic-Code").strip()
        found = _STATUS.search(status) if not status.endswith(".0.0") else None
        raw = " ".join(f"{status} {said}".split())[:1000]
        return Bounce(id_, recipient, _why(found or _STATUS.search(said)), raw)
    return None


def _why(status: re.Match[str] | None) -> Why:
    if status is None:
        return _OTHER
    _, subject, detail = status.groups()
    return _EXACTLY.get(f"{subject}.{detail}", _BY_STATUS.get(subject, _OTHER))


def _parts(message: Message) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        if number >= MOST_PARTS:
            return
        yield part


def _of_mail(parts: list[Message]) -> str | None:
    """Return the Message-ID of the mail of ours that came back with a report, or whose headers did."""
    for part in parts[1:]:
        for name in (OURS, "Message-ID"):
            found = _ID.match(f"Message-ID: {headers.raw(part, name).strip()}")
            if found is not None:
                return found.group(1)
    for part in parts:
        if part.get_content_type() in {"text/rfc822-headers", "text/plain", "message/rfc822"}:
            found = _ID.search(_text(part)[:_QUOTED])
            if found is not None:
                return found.group(1)
    return None


def _answered(message: Message) -> str | None:
    """Return the id of ours that a report names as the mail it answers."""
    for reference in headers.references(message):
        found = _ID.match(f"Message-ID: {reference}")
        if found is not None:
            return found.group(1)
    return None


def _is_from_a_server(message: Message) -> bool:
    authors = headers.authors(message)
    return any(address.startswith(_SENDERS) for address in authors) or (
        headers.raw(message, "Return-Path").strip() == "<>" and not authors
    )


def _text(part: Message) -> str:
    if part.is_multipart():
        return ""
    content = part.get_payload(decode=True)
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""


def _around(text: str) -> str:
    """Return the lines around what a server said."""
    found = _STATUS.search(text) or _REPLY.search(text)
    place = max(0, (found.start() if found else 0) - 200)
    return " ".join(text[place : place + 600].split())
