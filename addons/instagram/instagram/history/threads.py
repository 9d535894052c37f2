"""Calls of the Conversations API: an account's threads, and the messages of one, named as in webhooks.

Meta's pages: docs/messenger-platform/instagram/features/conversation,
docs/instagram-platform/instagram-api-with-instagram-login/messaging-api. Limits: two calls per second and
account; details only of a thread's newest 20 messages, of older ones just the id; message requests inactive
for 30 days are not listed; a thread's folder is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from host.sdk.channel import AccountRef
from host.sdk.history import HistoryThread, HistoryTrouble
from host.sdk.i18n import noop

from .. import restrictions
from ..accounts import Credentials
from ..answers import Paging
from ..capabilities import HISTORY as RULES
from ..errors import CatalogueEntry, Outcome, classify, problem
from ..graph import GraphError, Usage
from ..values import identifier, mapping, moment, text

SLOW = 30.0
"""Seconds to pause an account that Meta calls too busy, if Meta names no time."""
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


class Person(msgspec.Struct, frozen=True):
    id: str = ""
    username: str = ""


class _People(msgspec.Struct, frozen=True):
    data: tuple[Person, ...] = ()


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


class Content(msgspec.Struct, frozen=True):
    messages: _Messages = _Messages()


def list_threads(
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


def history_thread(thread: _Thread, found: Credentials, account: AccountRef) -> HistoryThread | None:
    person = next((one for one in thread.participants.data if not is_ours(one, found, account)), None)
    if person is None or not person.id or not thread.id:
        return None
    return HistoryThread(
        external_id=identifier(thread.id),
        contact=identifier(person.id),
        updated_at=moment(thread.updated_time),
        username=text(person.username) or None,
    )


def is_ours(person: Person, found: Credentials, account: AccountRef) -> bool:
    own = account.handle.removeprefix("@")
    return person.id in {found.ig_user_id, found.page_id} or bool(own and person.username == own)


def author_of(message: Mapping[str, Any]) -> Person:
    author = mapping(message.get("from"))
    return Person(identifier(author.get("id")), text(author.get("username")))


def read_thread(found: Credentials, thread: HistoryThread, fields: str) -> Content:
    path = quote(thread.external_id, safe="")
    return found.graph().call("GET", path, Content, params={"fields": fields})


def read_details(found: Credentials, thread: HistoryThread) -> Content:
    inner = "id,created_time,from,to,message,attachments,story,shares,reactions,reply_to,is_unsupported"
    return read_thread(found, thread, f"messages.limit({RULES.details}){{{inner}}}")


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


def as_webhook(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message of a thread with its parts named as in webhooks."""
    shown: dict[str, Any] = {"text": message.get("message"), "is_unsupported": message.get("is_unsupported")}
    attachments = [_attachment(one) for one in items(message.get("attachments"))]
    attachments += [
        {"type": "share", "payload": {"url": one.get("link"), "title": one.get("name")}}
        for one in items(message.get("shares"))
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


def items(value: object) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list as the Graph API wraps it."""
    data = mapping(value).get("data")
    return [mapping(one) for one in data] if isinstance(data, list) else []
