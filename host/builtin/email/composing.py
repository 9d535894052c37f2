"""Compose a mail from a reply. Only this module makes headers; no value can start a new one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.charset import QP, Charset
from email.header import Header
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr

from .addresses import domain_of

MAX_REFERENCES = 20
OURS = "X-Lobby-Message"
"""The header that tells our own mail when it comes back, should a server on its way change its Message-ID."""

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SAFE_ID = re.compile(r"(?=.{3,250}\Z)[!-;=?A-~]+@[!-;=?A-~]+\Z")
_REPLY = re.compile(r"(?i)\s*(re|aw|sv|antw)\s*(\[\d+\])?\s*:")


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a mail.

    :param message_id: without angle brackets.
    :param references: external ids of the conversation, newest first.
    """

    sender_name: str
    sender: str
    recipient: str
    subject: str | None
    text: str
    message_id: str
    references: tuple[str, ...]
    date: datetime


def message_id(message_key: str, address: str) -> str:
    """Return the Message-ID of a reply: the same for every attempt, so a mail sent twice is shown once."""
    return f"{message_key}@{domain_of(address)}"


def subject(of_conversation: str | None) -> str:
    """Return the subject of a reply."""
    line = " ".join(_UNSAFE.sub(" ", of_conversation or "").split())[:400]
    return line if _REPLY.match(line) else f"Re: {line}".strip()


def compose(reply: Reply) -> bytes:
    """Return the mail as it goes over the wire, lines ending in CRLF."""
    charset = Charset("utf-8")
    charset.body_encoding = QP
    text = reply.text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    mail = MIMEText(text, "plain", charset)  # type: ignore[arg-type]  # typeshed knows only its name
    name = " ".join(_UNSAFE.sub(" ", reply.sender_name).split())[:100]
    mail["From"] = formataddr((name, reply.sender))
    mail["To"] = reply.recipient
    line = subject(reply.subject)
    charset_of_line = "us-ascii" if line.isascii() else "utf-8"
    mail["Subject"] = Header(line, charset_of_line, header_name="Subject").encode()
    mail["Date"] = format_datetime(reply.date)
    mail["Message-ID"] = f"<{reply.message_id}>"
    mail[OURS] = reply.message_id
    known = [reference for reference in reply.references if _SAFE_ID.match(reference)][:MAX_REFERENCES]
    if known:
        mail["In-Reply-To"] = f"<{known[0]}>"
        mail["References"] = " ".join(f"<{reference}>" for reference in reversed(known))
    return mail.as_bytes(policy=compat32.clone(linesep="\r\n"))
