"""Read earlier conversations through the Conversations API: its threads, and the newest messages of one.

Meta's pages: docs/messenger-platform/instagram/features/conversation,
docs/instagram-platform/instagram-api-with-instagram-login/messaging-api. Limits: two calls per second and
account; details only of a thread's newest 20 messages, of older ones just the id; message requests inactive
for 30 days are not listed; a thread's folder is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from host.sdk.channel import AccountRef
from host.sdk.history import (
    HistoryPage,
    HistoryThread,
    HistoryTrouble,
    LatestMessage,
    ListedMessage,
    ListedThread,
    NewestPage,
    ThreadPage,
)
from host.sdk.i18n import noop
from host.sdk.messages import (
    InboundChange,
    MessageEchoed,
    MessageKind,
    MessageReacted,
    MessageReceived,
)
from host.sdk.webhooks import Envelope

from .. import restrictions
from ..accounts import Credentials
from ..answers import Paging
from ..capabilities import HISTORY as RULES
from ..errors import CatalogueEntry, Outcome, classify, problem
from ..graph import GraphError, Usage
from ..values import identifier, mapping, moment, plain, text
from ..webhook.contents import said
from ..webhook.events import EMOJI, OTHER

THREADS = 50
"""Threads per response; with their participants, they stay far below the response size limit."""
LOOKED_AT = 25
LISTED = 10
"""Threads per response that also lists their newest messages, and the number of messages of each."""
NAMES = 100
"""Ids per response, where Meta gives only ids."""
SLOW = 30.0
"""Seconds to pause an account that Meta calls too busy, if Meta names no time."""

_CURSOR = re.compile(r"[A-Za-z0-9_=+/-]{1,2000}")
"""Characters allowed in a cursor; any other ends the thread."""

NO_CREDENTIALS = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("This account's credentials can't be read."),
    cause=noop("Their encryption key is missing."),
    next_step=noop("Reconnect the account."),
)
CANNOT_READ = CatalogueEntry(
    code=0,
    outcome=Outcome.WAIT,
    sentence=noop("Instagram didn't return the conversations."),
    cause=noop("Meta's reason is shown after the error."),
    next_step=noop("Choose Diagnose on the account's card, then choose Catch up again."),
)


class _Person(msgspec.Struct, frozen=True):
    id: str = ""
    username: str = ""


class _People(msgspec.Struct, frozen=True):
    data: tuple[_Person, ...] = ()


class _Messages(msgspec.Struct, frozen=True):
    data: tuple[dict[str, Any], ...] = ()
    paging: Paging = Paging()


class _Thread(msgspec.Struct, frozen=True):
    id: str = ""
    updated_time: str | int = ""
    participants: _People = _People()
    messages: _Messages = _Messages()


class _Threads(msgspec.Struct, frozen=True):
    data: tuple[_Thread, ...] = ()
    paging: Paging = Paging()


class _Content(msgspec.Struct, frozen=True):
    messages: _Messages = _Messages()


def threads(found: Credentials | None, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
    """List a page of the account's threads."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    try:
        answer = _list(found, THREADS, "id,updated_time,participants", after)
    except GraphError as error:
        return trouble_of(error)
    listed = [one for thread in answer.data if (one := _listed(thread, found, account)) is not None]
    return ThreadPage(listed, answer.paging.after)


def _list(
    found: Credentials,
    limit: int,
    fields: str,
    after: str,
    heard: Callable[[Usage], object] | None = None,
) -> _Threads:
    params = {
        "platform": "instagram",
        "fields": fields,
        "limit": str(limit),
        **({"after": after} if after else {}),
    }
    return found.graph().call("GET", f"{found.node}/conversations", _Threads, params=params, heard=heard)


def _listed(thread: _Thread, found: Credentials, account: AccountRef) -> HistoryThread | None:
    person = next((one for one in thread.participants.data if not _is_ours(one, found, account)), None)
    if person is None or not person.id or not thread.id:
        return None
    return HistoryThread(
        external_id=identifier(thread.id),
        contact=identifier(person.id),
        updated_at=moment(thread.updated_time),
        username=text(person.username) or None,
    )


def _is_ours(person: _Person, found: Credentials, account: AccountRef) -> bool:
    own = account.handle.removeprefix("@")
    return person.id in {found.ig_user_id, found.page_id} or bool(own and person.username == own)


def newest(found: Credentials | None, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
    """List a page of the account's threads with the ids of their newest messages, in one call.

    It requests several ids of each, because a delivered message may follow a missed one.
    """
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    fields = f"id,updated_time,participants,messages.limit({LISTED}){{id,created_time,from}}"
    heard: list[Usage] = []
    try:
        answer = _list(found, LOOKED_AT, fields, after, heard.append)
    except GraphError as error:
        return trouble_of(error)
    listed = []
    for thread in answer.data:
        one = _listed(thread, found, account)
        if one is not None:
            messages = [
                named
                for message in thread.messages.data
                if (named := _named_in_list(message, found, account)).external_id
            ]
            listed.append(ListedThread(one, messages, bool(thread.messages.paging.after)))
    return NewestPage(listed, answer.paging.after, heard[0].percent if heard else 0)


def _named_in_list(message: Mapping[str, Any], found: Credentials, account: AccountRef) -> ListedMessage:
    author = _author(message)
    return ListedMessage(
        identifier(message.get("id")),
        moment(message.get("created_time")),
        _is_ours(author, found, account) if author.id else None,
    )


def _author(message: Mapping[str, Any]) -> _Person:
    author = mapping(message.get("from"))
    return _Person(identifier(author.get("id")), text(author.get("username")))


def latest(
    found: Credentials | None, account: AccountRef, thread: HistoryThread
) -> Sequence[LatestMessage] | HistoryTrouble:
    """Read the newest messages of a thread as webhooks would have brought them, oldest first."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    try:
        answer = _read_details(found, thread)
    except GraphError as error:
        return trouble_of(error)
    return [
        LatestMessage(
            named,
            _envelope(message, named, found, account, thread)
            if named.ours is False and named.sent_at is not None
            else None,
        )
        for message in reversed(answer.messages.data)
        if (named := _named_in_list(message, found, account)).external_id
    ]


def _envelope(
    message: Mapping[str, Any],
    named: ListedMessage,
    found: Credentials,
    account: AccountRef,
    thread: HistoryThread,
) -> Envelope:
    """Return a message in an envelope with the key of the webhook that should have brought it."""
    author = _author(message)
    sender = {"id": thread.contact, **({"username": author.username} if author.username else {})}
    spoken = {name: value for name, value in _as_webhook(message).items() if value is not None}
    event = {
        "sender": sender,
        "recipient": {"id": found.ig_user_id},
        "message": {"mid": named.external_id, **spoken},
    }
    return Envelope(
        account_id=account.id,
        lane=thread.contact,
        dedupe_key=f"message:{named.external_id}",
        kind="message",
        body=msgspec.json.encode(
            {"entry": found.ig_user_id, "in": "messaging", "event": event, "missed": True}
        ),
        occurred_at=named.sent_at,
    )


def read(
    found: Credentials | None, account: AccountRef, thread: HistoryThread, after: str
) -> HistoryPage | HistoryTrouble:
    """Read the newest messages of a thread with their details, or of a later page the ids alone."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    try:
        if after:
            fields = f"messages.limit({NAMES}).after({after}){{id,created_time}}"
            answer = _read(found, thread, fields)
        else:
            answer = _read_details(found, thread)
    except GraphError as error:
        return trouble_of(error)
    changes: list[InboundChange] = []
    untold: list[str] = []
    for message in reversed(answer.messages.data):
        mid = identifier(message.get("id"))
        made = [] if after else _changes(message, mid, found, account, thread)
        changes += made
        if mid and not made:
            untold.append(mid)
    following = answer.messages.paging.after
    return HistoryPage(changes, untold, following if _CURSOR.fullmatch(following) else "")


def _read_details(found: Credentials, thread: HistoryThread) -> _Content:
    inner = "id,created_time,from,to,message,attachments,story,shares,reactions,reply_to,is_unsupported"
    return _read(found, thread, f"messages.limit({RULES.details}){{{inner}}}")


def _read(found: Credentials, thread: HistoryThread, fields: str) -> _Content:
    path = quote(thread.external_id, safe="")
    return found.graph().call("GET", path, _Content, params={"fields": fields})


def cannot_ask(found: Credentials | None) -> HistoryTrouble:
    """Return why Meta cannot be asked: the account has no credentials, or its app is restricted."""
    if found is None:
        return HistoryTrouble(problem(NO_CREDENTIALS), final=True)
    return HistoryTrouble(problem(restrictions.RESTRICTED), held=True)


def trouble_of(error: GraphError) -> HistoryTrouble:
    """Return the trouble for an error while reading. It is final only if a retry would fail too."""
    known = classify(error)
    if known.restriction:
        # The watchdog and sending detect restrictions, not reading. Nor is this a limit to wait for.
        return HistoryTrouble(problem(known, error))
    if known.outcome is Outcome.REJECTED:
        return HistoryTrouble(problem(CANNOT_READ, error), final=True)
    wait = error.usage.regain_seconds or known.wait_seconds
    if known.outcome is Outcome.WAIT:
        return HistoryTrouble(problem(known, error), retry_after=wait or SLOW)
    return HistoryTrouble(problem(CANNOT_READ, error), retry_after=wait)


def _changes(
    message: Mapping[str, Any], mid: str, found: Credentials, account: AccountRef, thread: HistoryThread
) -> list[InboundChange]:
    """Return the changes of one message and its reactions; none if Meta gives no details."""
    at, sender = moment(message.get("created_time")), _author(message)
    if at is None or not mid or not sender.id:
        return []
    spoken = said(_as_webhook(message))
    content = dict(spoken.content)
    if spoken.kind is MessageKind.UNSUPPORTED:
        content["raw"] = plain(message)
    ours = _is_ours(sender, found, account)
    change: InboundChange
    if ours:
        change = MessageEchoed(
            contact=thread.contact,
            external_id=mid,
            sent_at=at,
            kind=spoken.kind,
            text=spoken.text,
            attachments=spoken.attachments,
            content=content,
            reply_to=spoken.reply_to,
        )
    else:
        change = MessageReceived(
            contact=thread.contact,
            external_id=mid,
            sent_at=at,
            kind=spoken.kind,
            text=spoken.text,
            attachments=spoken.attachments,
            content=content,
            contact_username=sender.username or None,
            reply_to=spoken.reply_to,
        )
    made: list[InboundChange] = [change]
    names = {emoji: name for name, emoji in EMOJI.items()}
    for reaction in _items(message.get("reactions")):
        emoji = text(reaction.get("reaction"))
        for user in reaction.get("users") or () if emoji else ():
            person = _Person(identifier(mapping(user).get("id")), text(mapping(user).get("username")))
            made.append(
                # Meta doesn't say when it was set, so any webhook about it counts as later.
                MessageReacted(
                    contact=thread.contact,
                    external_id=mid,
                    at=at,
                    emoji=emoji,
                    name=names.get(emoji, OTHER),
                    ours=_is_ours(person, found, account),
                )
            )
    return made


def _as_webhook(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message of a thread with its parts named as in webhooks."""
    shown: dict[str, Any] = {"text": message.get("message"), "is_unsupported": message.get("is_unsupported")}
    attachments = [_attachment(one) for one in _items(message.get("attachments"))]
    attachments += [
        {"type": "share", "payload": {"url": one.get("link"), "title": one.get("name")}}
        for one in _items(message.get("shares"))
    ]
    story = mapping(message.get("story"))
    mention, answered = mapping(story.get("mention")), mapping(story.get("reply_to"))
    if mention:
        told = {"url": mention.get("link"), "story_media_id": mention.get("id")}
        attachments.append({"type": "story_mention", "payload": told})
    reply = dict(mapping(message.get("reply_to")))
    if answered:
        reply["story"] = {"id": answered.get("id"), "url": answered.get("link")}
    if attachments:
        shown["attachments"] = attachments
    if reply:
        shown["reply_to"] = reply
    return shown


def _attachment(file: Mapping[str, Any]) -> dict[str, Any]:
    image, film = mapping(file.get("image_data")), mapping(file.get("video_data"))
    family = text(file.get("mime_type")).partition("/")[0]
    if image:
        sticker = image.get("render_as_sticker") is True or image.get("animated_gif_url")
        url = image.get("animated_gif_url") or image.get("url")
        return _named("sticker" if sticker else "image", url, file)
    if film:
        return _named("video", film.get("url"), file)
    kind = family if family in {"image", "video", "audio"} else "file"
    return _named(kind, file.get("file_url"), file)


def _named(kind: str, url: object, file: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": kind, "payload": {"url": url, "title": file.get("name") if kind == "file" else None}}


def _items(value: object) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list as the Graph API wraps it."""
    data = mapping(value).get("data")
    return [mapping(one) for one in data] if isinstance(data, list) else []
