"""Answer a comment publicly below the post, or once privately; hide, show and delete it.

Meta's pages: docs/instagram-platform/comment-moderation,
docs/messenger-platform/instagram/features/private-replies,
docs/instagram-platform/instagram-graph-api/reference/ig-comment and ig-user/mentions.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from host.sdk.channel import (
    Absent,
    CannotTell,
    Found,
    Held,
    Moderated,
    ModerateRequest,
    Rejected,
    SearchRequest,
    SearchResult,
    SendRequest,
    SendResult,
    Sent,
)
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind, PostKind
from host.sdk.text import byte_length

from .. import pace, restrictions
from ..accounts import Credentials
from ..answers import Node, SendAnswer
from ..errors import CatalogueEntry, Outcome, classify, problem
from ..graph import GraphError, Usage
from ..sending import unconfirmed
from ..sending.replies import NO_CREDENTIALS, NOT_SENDABLE, outcome
from ..sending.requests import alike, message_body
from ..values import clean, identifier, moment
from ..webhook.envelopes import is_own
from .capabilities import PRIVATE_BYTES, PUBLIC_BYTES
from .events import elsewhere
from .posts import GONE

UNNAMED = 100
"""Meta's code for an unsupported call, without a subcode that says why."""

NO_PRIVATE_REPLY = (100, 2534025)
"""Meta's code and subcode for a comment that allows no private reply, for whatever reason."""

TOO_LONG = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("The reply is too long for an Instagram comment."),
    cause=noop("Public replies can have up to 2,200 bytes, private replies up to 1,000."),
    next_step=noop("Shorten it, then send it again."),
)
NO_COMMENT = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("No comment was selected to reply to."),
    cause=noop("On Instagram, each reply belongs to one comment."),
    next_step=noop("Select a comment and reply to it."),
)
COMMENT_GONE = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("This comment no longer exists, or the account isn't allowed to see it."),
    cause=noop("The comment or its post was deleted."),
    next_step=noop("No action needed. A deleted comment can't be answered, hidden or shown."),
)
NOT_TAKEN = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("Instagram doesn't accept public replies to this comment."),
    cause=noop("The comment is hidden or on a live broadcast, or comments are turned off for the post."),
    next_step=noop(
        "If the comment is hidden, show it first. If it is on a live broadcast, reply "
        "privately while it is live."
    ),
)
NOT_MODERATED = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("Instagram rejected this action for the comment."),
    cause=noop("The comment is on someone else's post, or the comments permission is missing."),
    next_step=noop("Do it in the Instagram app."),
)


class _Author(msgspec.Struct, frozen=True):
    id: str = ""
    username: str = ""

    @property
    def key(self) -> str:
        """The author's key, as :func:`author_of` returns it; empty if Meta names none."""
        return self.id or (f"@{self.username}" if self.username else "")


class _Reply(msgspec.Struct, frozen=True):
    """A reply as Meta lists it below a comment."""

    id: str = ""
    text: str = ""
    timestamp: str | int = ""
    author: _Author | None = msgspec.field(default=None, name="from")


class _Replies(msgspec.Struct, frozen=True):
    data: tuple[_Reply, ...] = ()


def send(found: Credentials | None, request: SendRequest) -> SendResult:
    """Answer a comment or a mention, publicly or privately to its author."""
    part = request.part
    most = PRIVATE_BYTES if part.private else PUBLIC_BYTES
    if part.kind is not MessageKind.TEXT or not part.text.strip() or part.files:
        return Rejected(problem(NOT_SENDABLE))
    if byte_length(part.text) > most:
        return Rejected(problem(TOO_LONG))
    if not part.reply_to:
        return Rejected(problem(NO_COMMENT))
    if found is None:
        return Held(problem(NO_CREDENTIALS))
    return restrictions.guarded(found, lambda: _answer(found, request))


def _answer(found: Credentials, request: SendRequest) -> SendResult:
    part = request.part
    try:
        return (
            _privately(found, request) if part.private else _publicly(found, part.reply_to or "", part.text)
        )
    except GraphError as error:
        if part.private and _is_missing(found, error, request):
            return _gone(found, error)
        if not part.private and error.sent and _is_plain(error):
            return _gone(found, error) if _is_gone(error) else Rejected(problem(NOT_TAKEN, error))
        return outcome(found, error, request.message_key, private=part.private)


def _gone(found: Credentials, error: GraphError) -> Rejected:
    """Return a refusal because the comment is gone, unless Meta speaks of the account itself."""
    return Rejected(problem(COMMENT_GONE, error), target_gone=found.ig_user_id not in error.words)


def _is_missing(found: Credentials, error: GraphError, request: SendRequest) -> bool:
    """Return whether the comment is gone that Meta refuses to answer privately, without saying why.

    Meta drops the comments of a broadcast when it ends, which nobody deleted.
    """
    comment, answers = request.part.reply_to or "", request.answers
    is_live = answers is not None and answers.post is not None and answers.post.kind is PostKind.LIVE
    if (error.code, error.subcode) != NO_PRIVATE_REPLY or elsewhere(comment) is not None or is_live:
        return False
    try:
        found.graph().call("GET", quote(comment, safe=""), dict[str, Any], params={"fields": "id"})
    except GraphError as looked:
        return _is_gone(looked)
    return False


def _privately(found: Credentials, request: SendRequest) -> SendResult:
    recipient = {"comment_id": request.part.reply_to}
    body = {"recipient": recipient, "message": message_body(request.part, ())}
    said: list[Usage] = []
    answer = found.graph().call("POST", f"{found.node}/messages", SendAnswer, json=body, heard=said.append)
    if not identifier(answer.message_id):
        raise GraphError("the answer names no message", status=200)
    return Sent(identifier(answer.message_id), pace.pause(found, said[0]))


def _publicly(found: Credentials, comment: str, words: str) -> SendResult:
    mentioned = elsewhere(comment)
    body = {"message": clean(words)}
    path = f"{quote(comment, safe='')}/replies"
    if mentioned is not None:
        media_id, comment_id = mentioned
        path = f"{found.ig_user_id}/mentions"
        body |= {"media_id": media_id} | ({"comment_id": comment_id} if comment_id else {})
    said: list[Usage] = []
    answer = found.graph().call("POST", path, Node, json=body, heard=said.append)
    if not identifier(answer.id):
        raise GraphError("the answer names no comment", status=200)
    return Sent(identifier(answer.id), pace.pause(found, said[0]))


def moderate(found: Credentials | None, request: ModerateRequest) -> SendResult:
    """Hide, show or delete a comment; one that no longer exists counts as deleted."""
    if found is None:
        return Held(problem(NO_CREDENTIALS))
    if elsewhere(request.message) is not None:
        return Rejected(problem(NOT_MODERATED))
    return restrictions.guarded(found, lambda: _moderate(found, request))


def _moderate(found: Credentials, request: ModerateRequest) -> SendResult:
    path = quote(request.message, safe="")
    deleted = request.wanted is Moderated.DELETED
    try:
        if deleted:
            found.graph().call("DELETE", path, dict[str, Any])
        else:
            hide = request.wanted is Moderated.HIDDEN
            found.graph().call("POST", path, dict[str, Any], json={"hide": hide})
    except GraphError as error:
        if _is_gone(error):
            return Sent(request.message) if deleted else _gone(found, error)
        if _is_plain(error):
            return Rejected(problem(NOT_MODERATED, error))
        return outcome(found, error, f"{request.wanted} {request.message}")
    return Sent(request.message)


def _is_gone(error: GraphError) -> bool:
    return (error.code, error.subcode) == GONE


def _is_plain(error: GraphError) -> bool:
    """Return whether Meta only says that this object does not support the call."""
    return error.code == UNNAMED and error.subcode in {None, GONE[1]} and not classify(error).restriction


def search(found: Credentials | None, request: SearchRequest) -> SearchResult:
    """Search for an unconfirmed reply: below its comment, or for a private one in its conversation."""
    if found is None:
        return Held(problem(NO_CREDENTIALS))
    comment = request.part.reply_to or ""
    if request.part.private:
        looked = unconfirmed.search(found, request)
        # If a private reply did arrive, Meta refuses to send it again: each comment allows one.
        return Absent() if looked == unconfirmed.NO_THREAD else looked
    if not comment or elsewhere(comment) is not None:
        return CannotTell("Instagram does not list the answers below somebody else's post")
    params = {"fields": "id,text,timestamp,from", "limit": "50"}
    try:
        path = f"{quote(comment, safe='')}/replies"
        answer = found.graph().call("GET", path, _Replies, params=params)
    except GraphError as error:
        return CannotTell(error.quote) if _is_gone(error) else unconfirmed.not_read(found, error)
    return _look(answer.data, found, request)


def _look(listed: tuple[_Reply, ...], found: Credentials, request: SearchRequest) -> SearchResult:
    """Search for our text among replies; report it as missing only if that is certain."""
    earliest = request.attempted_at.replace(microsecond=0) - unconfirmed.SKEW
    unclear = False
    for reply in listed:
        at = moment(reply.timestamp)
        if identifier(reply.id) in request.known or not alike(reply.text, request.part.text):
            continue
        author = reply.author or _Author()
        ours = is_own(author.key, found.ig_user_id, found.username)
        # A username belongs to one account, so ours with another id may be us; don't risk sending twice.
        if author.key and not ours and not is_own(f"@{author.username}", "", found.username):
            continue
        if not ours or at is None or not earliest <= at <= request.attempted_at + unconfirmed.LONGEST:
            unclear = True
            continue
        return Found(identifier(reply.id))
    if unclear:
        return CannotTell("Instagram shows these words at another time, or does not say whose they are")
    return Absent() if len(listed) < 50 else CannotTell("Instagram shows the first 50 answers only")
