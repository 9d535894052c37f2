"""Send a part, a reaction, or a typing or seen indicator, and translate Meta's answer for the host.

The outcomes are those of docs/architecture.md. An upload never reaches the customer, so if one fails, the
message is certainly not sent.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from host.sdk import clock
from host.sdk.channel import (
    Held,
    NotSent,
    ProviderProblem,
    ReactRequest,
    Rejected,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind, OutgoingFile, OutgoingPart
from host.sdk.text import byte_length

from .. import pace, posts, restrictions, rights
from ..accounts import Credentials, sharing_app
from ..answers import ActionAnswer, SendAnswer
from ..capabilities import CAPABILITIES, TEXT_LIMIT_BYTES
from ..errors import CatalogueEntry, Outcome, Scope, classify, problem
from ..graph import GraphError, Usage
from ..values import identifier
from .requests import (
    MEDIA,
    Body,
    UnsendableError,
    action_body,
    file_count,
    react_body,
    send_body,
    upload_form,
)

log = logging.getLogger(__name__)

FETCH_PATIENCE = 100.0
"""Seconds to wait while Meta fetches our file; Meta itself gives up on a video after 75."""
NOT_FETCHED = frozenset({2018008, 2018294})
"""Subcodes for a file that Meta could not fetch; Lobby uploads it instead."""

NO_CREDENTIALS = CatalogueEntry(
    code=0,
    outcome=Outcome.RECONNECT,
    sentence=noop("This account's sign-in can't be read."),
    cause=noop("The stored credentials or their encryption key are missing."),
    next_step=noop("Ask the workspace owner to reconnect the account. The message waits until then."),
)
TOO_LONG = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("The message is longer than the 1,000 bytes Instagram allows."),
    cause=noop("The text wasn't split."),
    next_step=noop("Shorten it, or send it as several messages."),
)
NOT_SENDABLE = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("This kind of message can't be sent on Instagram."),
    cause=noop("Instagram doesn't support this kind of message, or part of the message is missing."),
    next_step=noop("Use another channel or message type."),
)
REFUSED_ONCE = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("Instagram rejected this account's sign-in once, but accepts it now."),
    cause=noop("A temporary error at Meta."),
    next_step=noop("No action needed. It will be sent again automatically."),
)
NOT_PREPARED = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("An attachment or post of this message hasn't been handed to Instagram yet."),
    cause=noop("A file upload or post search was interrupted or not confirmed."),
    next_step=noop("No action needed. It will be retried automatically."),
)
NO_SUCH_POST = CatalogueEntry(
    code=0,
    outcome=Outcome.REJECTED,
    sentence=noop("This post wasn't found in this account."),
    cause=noop("The link points to another account's post, a story or an old post."),
    next_step=noop("Copy the link of one of this account's posts, then send the message again."),
)


def send(found: Credentials | None, request: SendRequest) -> SendResult:
    """Send one part of a reply."""
    part = request.part
    refused = _refused(part)
    if refused is not None:
        return Rejected(problem(refused))
    if found is None:
        return Held(problem(NO_CREDENTIALS))
    return restrictions.guarded(found, lambda: _send_part(found, request))


def _send_part(found: Credentials, request: SendRequest) -> SendResult:
    part, key = request.part, request.message_key
    if part.kind is MessageKind.SHARE and posts.is_link(part.content["own_post"]):
        try:
            post = posts.find(found, part.content["own_post"])
        except GraphError as error:
            return _before_outcome(found, error, key)
        if post is None:
            return Rejected(problem(NO_SUCH_POST))
        request = replace(request, part=replace(part, content={"own_post": post}))
    by_url = [{"url": file.url} for file in part.files if file.url]
    if len(by_url) == len(part.files):
        try:
            return _send(found, request, by_url)
        except GraphError as error:
            if error.subcode not in NOT_FETCHED or not part.files:
                return outcome(found, error, key)
            log.warning("Meta cannot fetch a file of ours (%s); it is uploaded instead", error.key)
    uploaded: list[Body] = []
    for file in part.files:
        try:
            uploaded.append({"attachment_id": _upload(found, file)})
        except GraphError as error:
            return _before_outcome(found, error, key)
    try:
        return _send(found, request, uploaded)
    except GraphError as error:
        return outcome(found, error, key)


def _refused(part: OutgoingPart) -> CatalogueEntry | None:
    """Return why no account could send *part*; the host has already checked the same."""
    if part.kind is MessageKind.TEXT and byte_length(part.text) > TEXT_LIMIT_BYTES:
        return TOO_LONG
    most = CAPABILITIES.images_per_message if part.kind is MessageKind.IMAGE else 1
    if file_count(part) > (most if part.kind in MEDIA else 0):
        return NOT_SENDABLE
    try:
        send_body("0", part, [{} for _ in part.files], None)
    except (UnsendableError, KeyError, TypeError, AttributeError):
        return NOT_SENDABLE
    return None


def _send(found: Credentials, request: SendRequest, files: list[Body]) -> SendResult:
    body = send_body(request.recipient, request.part, files, request.tag)
    said: list[Usage] = []
    answer = found.graph().call(
        "POST",
        f"{found.node}/messages",
        SendAnswer,
        json=body,
        patience=FETCH_PATIENCE if files or request.part.kind is MessageKind.TEMPLATE else None,
        heard=said.append,
    )
    if not identifier(answer.message_id):
        raise GraphError("the answer names no message", status=200)
    return Sent(identifier(answer.message_id), pace.pause(found, said[0]))


def _upload(found: Credentials, file: OutgoingFile) -> str:
    answer = found.graph().upload(found.node, upload_form(file))
    if not identifier(answer.attachment_id):
        raise GraphError("the answer names no attachment", status=200)
    return identifier(answer.attachment_id)


def react(found: Credentials | None, request: ReactRequest) -> SendResult:
    """Set, change or remove our reaction."""
    if found is None:
        return Held(problem(NO_CREDENTIALS))
    return restrictions.guarded(found, lambda: _react(found, request))


def _react(found: Credentials, request: ReactRequest) -> SendResult:
    body = react_body(request.recipient, request.message, request.emoji)
    try:
        found.graph().call("POST", f"{found.node}/messages", ActionAnswer, json=body)
    except GraphError as error:
        return outcome(found, error, f"reaction to {request.message}")
    return Sent(request.message)


def act(found: Credentials | None, contact: str, action: str) -> None:
    """Show typing or seen to the customer.

    :raises GraphError: if Meta refuses.
    """
    if found is not None:
        found.graph().call("POST", f"{found.node}/messages", ActionAnswer, json=action_body(contact, action))


def outcome(found: Credentials, error: GraphError, message: str, *, private: bool = False) -> SendResult:
    """Return the outcome of an error while sending.

    :param message: the key of the message to send or find, the same for every attempt.
    :param private: whether a comment is answered privately.
    """
    known = classify(error)
    if known.restriction:
        return restrictions.refused(found, error, message)
    held = rights.held(found, known, error, private=private) if known.inspects else None
    if held is not None:
        return held
    if known.outcome is Outcome.RECONNECT:
        return _confirmed(found, known, error)
    what = problem(known, error)
    if known.outcome is Outcome.WAIT:
        return _limited(found, known, error, what)
    if known.outcome is Outcome.UNKNOWN:
        return Unknown(what, transient=known.transient and error.transient)
    until = None if known.wait_seconds is None else clock.now() + timedelta(seconds=known.wait_seconds)
    return Rejected(what, whole_contact=known.closes, until=until if known.closes else None)


def _limited(found: Credentials, known: CatalogueEntry, error: GraphError, what: ProviderProblem) -> NotSent:
    """Return how long to wait, and for which scope: an app's limit stops all its accounts."""
    wait = error.usage.regain_seconds or known.wait_seconds
    others = sharing_app(found.account_id) if known.scope is Scope.APP else ()
    whole = known.scope in {Scope.ACCOUNT, Scope.APP}
    return NotSent(what, retry_after=wait, whole_account=whole, other_accounts=others)


def _before_outcome(found: Credentials, error: GraphError, message: str) -> SendResult:
    """Return the outcome of an error in a call before the message itself: nothing was sent."""
    result = outcome(found, error, message)
    return NotSent(problem(NOT_PREPARED, error)) if isinstance(result, Unknown) else result


def _confirmed(found: Credentials, known: CatalogueEntry, error: GraphError) -> SendResult:
    """Ask again before an account needs a new sign-in, because Meta sometimes refuses valid tokens."""
    try:
        found.graph().me()
    except GraphError as second:
        again = classify(second)
        if again.outcome is Outcome.RECONNECT:
            return Held(problem(known, error))
    return NotSent(problem(REFUSED_ONCE, error))
