"""Mails attached to a mail: read to be shown, and their words to be found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from email.message import Message

from host.sdk.formatting import PICTURE_TYPES
from host.sdk.messages import (
    AttachmentRole,
    EnclosedMail,
    InboundAttachment,
    InboundChange,
    MessageReceived,
    is_mail,
)

from . import headers
from .parsing import _check_cost, _Content

log = logging.getLogger(__name__)

MOST = 10 * 1024 * 1024
"""Maximum bytes of a mail that is taken apart."""
MOST_NOTED = 20
"""Maximum number of attached mails whose words are noted."""
MOST_WORDS = 10_000
"""Maximum characters noted of each; together at most three times as many."""
_PEOPLE = 20


def read(content: bytes) -> EnclosedMail | None:
    """Return an attached mail, or None if it can't be read."""
    if len(content) > MOST:
        return None
    try:
        _check_cost(content)
        message = headers.parse_mail(content)
        words, files = _Content(message).taken_apart()
        return _made(message, words, files)
    except Exception:  # as for mails themselves: the package may raise anything
        log.warning("an attached mail of %d bytes can't be read", len(content), exc_info=True)
        return None


def _made(message: Message, words: str, files: Sequence[InboundAttachment]) -> EnclosedMail:
    form = next((one.content for one in files if one.role is AttachmentRole.FORMATTED), None)
    inline = [one for one in files if one.role is AttachmentRole.INLINE]
    rest = [one for one in files if one.role is AttachmentRole.FILE]
    mails = [one for one in rest if is_mail(one.content_type, one.name)]
    return EnclosedMail(
        subject=headers.text(message, "Subject", 500),
        author=_people(message, "From"),
        to=_people(message, "To"),
        sent_at=headers.date(message),
        text=words,
        html=(form or b"").decode("utf-8", "replace"),
        pictures={
            one.content_id: (one.content_type, one.content or b"")
            for one in inline
            if one.content_type in PICTURE_TYPES
        },
        files=tuple(one.name or "file" for one in rest if one not in mails),
        mails=tuple((one.name, one.content or b"") for one in mails),
    )


def _people(message: Message, name: str) -> str:
    people = headers.addresses(message, name)[:_PEOPLE]
    return ", ".join(f"{label} <{address}>" if label else address for label, address in people)


def noted(changes: Sequence[InboundChange]) -> tuple[InboundChange, ...]:
    """Return *changes* with the words of attached mails in their content, where the search finds them."""
    return tuple(_noted(one) if isinstance(one, MessageReceived) else one for one in changes)


def _noted(received: MessageReceived) -> MessageReceived:
    found: list[dict[str, str]] = []
    left = 3 * MOST_WORDS
    for file in received.attachments[: 10 * MOST_NOTED]:
        if len(found) == MOST_NOTED or left <= 0:
            break
        if file.content is None or not is_mail(file.content_type, file.name):
            continue
        mail = read(file.content)
        if mail is None:
            continue
        text = mail.text[: min(MOST_WORDS, left)]
        left -= len(text)
        found.append({"title": mail.subject, "name": mail.author, "text": text})
    return replace(received, content={**received.content, "enclosed": found}) if found else received
