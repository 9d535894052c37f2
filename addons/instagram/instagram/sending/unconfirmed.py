"""Search a thread at Instagram for a message whose sending was not confirmed.

Meta's page: docs/messenger-platform/instagram/features/conversation. Details come for the newest 20 messages
of a thread only; times are in whole seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from host.sdk.channel import (
    Absent,
    CannotTell,
    Found,
    Held,
    NotSent,
    Pause,
    SearchRequest,
    SearchResult,
    Unknown,
)
from host.sdk.messages import MessageKind, OutgoingPart

from ..accounts import Credentials
from ..errors import problem
from ..graph import GraphError
from ..values import identifier, moment, text
from .replies import NO_CREDENTIALS, outcome
from .requests import alike, file_count

DETAILED = 20
SKEW = timedelta(seconds=5)
AGAIN_SECONDS = 8.0
"""Seconds until a failed read is retried, if Meta names no time."""
AGAIN_SOON_SECONDS = 5.0
"""The same for an error that Meta marks as transient."""
NO_THREAD = CannotTell("Instagram lists no thread with this person")
LONGEST = timedelta(minutes=10)
"""How long after the attempt a message may still have been accepted."""
CLOCK_OFF = timedelta(hours=2)
"""Maximum error of our clock at the attempt. A message with the same text in that range may be ours."""


class _Person(msgspec.Struct, frozen=True):
    id: str = ""


class _File(msgspec.Struct, frozen=True):
    """A file in the Conversations API, whose kind follows from the fields it has."""

    mime_type: str | None = None
    image_data: dict[str, Any] | None = None
    video_data: dict[str, Any] | None = None
    file_url: str | None = None

    @property
    def kind(self) -> MessageKind | None:
        """The kind, or None if unknown: audio and documents look the same."""
        family = (self.mime_type or "").partition("/")[0]
        if self.image_data is not None or family == "image":
            return MessageKind.IMAGE
        if self.video_data is not None or family == "video":
            return MessageKind.VIDEO
        return MessageKind.AUDIO if family == "audio" else None


class _Files(msgspec.Struct, frozen=True):
    data: tuple[_File, ...] = ()


class _Message(msgspec.Struct, frozen=True):
    id: str
    created_time: str | int = ""
    message: str | None = None
    sender: _Person | None = msgspec.field(default=None, name="from")
    attachments: _Files | None = None


class _Messages(msgspec.Struct, frozen=True):
    data: tuple[_Message, ...] = ()


class _Thread(msgspec.Struct, frozen=True):
    id: str = ""
    messages: _Messages = _Messages()


class _Threads(msgspec.Struct, frozen=True):
    data: tuple[_Thread, ...] = ()


def search(found: Credentials | None, request: SearchRequest) -> SearchResult:
    """Search for our message: sent by us within the attempt's time, with the same content, and not stored
    yet.
    """
    if found is None:
        return Held(problem(NO_CREDENTIALS))
    fields = f"messages.limit({DETAILED}){{id,created_time,from,message,attachments}}"
    params = {"platform": "instagram", "user_id": request.recipient, "fields": fields}
    try:
        answer = found.graph().call("GET", f"{found.node}/conversations", _Threads, params=params)
    except GraphError as error:
        return not_read(found, error)
    if not answer.data:
        return NO_THREAD
    listed = [message for thread in answer.data for message in thread.messages.data]
    return _look(listed, found.ig_user_id, request)


def not_read(found: Credentials, error: GraphError) -> SearchResult:
    """Return the result for an error while reading, by the catalogue used for sending; nothing was sent."""
    if error.code is None and error.status is not None and error.status < 300:
        return CannotTell(error.quote)  # a retry would get a response of the same unexpected shape
    match outcome(found, error, f"look-up of {found.account_id}"):
        case Held() as held:
            return held
        case NotSent(what, seconds, whole, others):
            known = seconds is not None
            return Pause(what, seconds or AGAIN_SECONDS, whole and known, others if known else ())
        case Unknown(what, transient):
            return Pause(what, AGAIN_SOON_SECONDS if transient else AGAIN_SECONDS, whole_account=False)
    return CannotTell(error.quote)


def _look(listed: list[_Message], ours: str, request: SearchRequest) -> SearchResult:
    earliest = request.attempted_at.replace(microsecond=0) - SKEW
    latest = request.attempted_at + LONGEST
    matches: list[tuple[datetime, str]] = []
    reaches_back = len(listed) < DETAILED
    unclear = elsewhere = False
    for message in listed:
        at = moment(message.created_time)
        if at is None:
            unclear = True
            continue
        if not earliest <= at <= latest:
            reaches_back |= at < earliest
            elsewhere |= abs(at - request.attempted_at) <= CLOCK_OFF and _our_words(message, ours, request)
            continue
        if message.sender is None or message.message is None:
            unclear = True
            continue
        if message.sender.id != ours:
            continue
        same = _same(message, request.part)
        if same:
            matches.append((at, identifier(message.id)))
        elif same is None and identifier(message.id) not in request.known:
            unclear = True
    fresh = sorted(match for match in matches if match[1] not in request.known)
    if fresh:
        return Found(fresh[0][1])
    if unclear:
        return CannotTell("Instagram shows messages of that time without their content")
    if elsewhere:
        return CannotTell("Instagram shows these words at a time at which this desk did not send them")
    return Absent() if reaches_back else CannotTell("Instagram shows the newest 20 messages only")


def _our_words(message: _Message, ours: str, request: SearchRequest) -> bool:
    """Return whether *message* has the same text as ours and is not stored yet."""
    return (
        request.part.kind is MessageKind.TEXT
        and message.sender is not None
        and message.sender.id == ours
        and _same(message, request.part) is True
        and identifier(message.id) not in request.known
    )


def _same(message: _Message, part: OutgoingPart) -> bool | None:
    """Return whether *message* is the sent *part*, or None if that is unclear.

    Sending twice is worse than asking a person, so False means that it is certainly another message.
    """
    if part.kind is MessageKind.TEXT:
        return alike(message.message or "", part.text)
    if message.message:
        # For a text with buttons, Meta may return the text as the message's own.
        words = text(part.content.get("template", {}).get("text"))
        return None if words and alike(message.message, words) else False
    files = () if message.attachments is None else message.attachments.data
    kinds = {file.kind for file in files}
    if part.kind not in _LOOKS_LIKE:
        # How Meta shows a heart, a template or a post here is not documented.
        return False if files and None not in kinds else None
    if not files or not kinds <= _LOOKS_LIKE[part.kind]:
        return False if files and not kinds & _LOOKS_LIKE[part.kind] else None
    if kinds != {part.kind} or len(files) < file_count(part):
        return None
    return len(files) == file_count(part)


_LOOKS_LIKE: dict[MessageKind, set[MessageKind | None]] = {
    MessageKind.IMAGE: {MessageKind.IMAGE, MessageKind.VIDEO, None},
    MessageKind.VIDEO: {MessageKind.VIDEO, None},
    MessageKind.AUDIO: {MessageKind.AUDIO, MessageKind.VIDEO, None},
    MessageKind.FILE: {None},
}
"""Kinds Meta may return for a file: video for an animated picture, none for a document."""
