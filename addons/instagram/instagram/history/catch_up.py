"""Read earlier conversations: all threads of an account, and each thread page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from host.sdk.channel import AccountRef
from host.sdk.history import (
    HistoryPage,
    HistoryThread,
    HistoryTrouble,
    ThreadPage,
)
from host.sdk.messages import (
    InboundChange,
    MessageEchoed,
    MessageKind,
    MessageReacted,
    MessageReceived,
)

from .. import restrictions
from ..accounts import Credentials
from ..graph import GraphError
from ..values import identifier, mapping, moment, plain, text
from ..webhook.contents import said
from ..webhook.events import EMOJI, OTHER
from .threads import (
    Person,
    as_webhook,
    author_of,
    cannot_ask,
    history_thread,
    is_ours,
    items,
    list_threads,
    read_details,
    read_thread,
    trouble_of,
)

THREADS = 50
"""Threads per response; with their participants, they stay far below the response size limit."""
NAMES = 100
"""Ids per response, where Meta gives only ids."""

_CURSOR = re.compile(r"[A-Za-z0-9_=+/-]{1,2000}")
"""Characters allowed in a cursor; any other ends the thread."""


def threads(found: Credentials | None, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
    """List a page of the account's threads."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    try:
        answer = list_threads(found, THREADS, "id,updated_time,participants", after)
    except GraphError as error:
        return trouble_of(error)
    listed = [one for thread in answer.data if (one := history_thread(thread, found, account)) is not None]
    return ThreadPage(listed, answer.paging.after)


def read(
    found: Credentials | None, account: AccountRef, thread: HistoryThread, after: str
) -> HistoryPage | HistoryTrouble:
    """Read the newest messages of a thread with their details, or of a later page the ids alone."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    try:
        if after:
            fields = f"messages.limit({NAMES}).after({after}){{id,created_time}}"
            answer = read_thread(found, thread, fields)
        else:
            answer = read_details(found, thread)
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


def _changes(
    message: Mapping[str, Any], mid: str, found: Credentials, account: AccountRef, thread: HistoryThread
) -> list[InboundChange]:
    """Return the changes of one message and its reactions; none if Meta gives no details."""
    at, sender = moment(message.get("created_time")), author_of(message)
    if at is None or not mid or not sender.id:
        return []
    spoken = said(as_webhook(message))
    content = dict(spoken.content)
    if spoken.kind is MessageKind.UNSUPPORTED:
        content["raw"] = plain(message)
    ours = is_ours(sender, found, account)
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
    for reaction in items(message.get("reactions")):
        emoji = text(reaction.get("reaction"))
        for user in reaction.get("users") or () if emoji else ():
            person = Person(identifier(mapping(user).get("id")), text(mapping(user).get("username")))
            made.append(
                # Meta doesn't say when it was set, so any webhook about it counts as later.
                MessageReacted(
                    contact=thread.contact,
                    external_id=mid,
                    at=at,
                    emoji=emoji,
                    name=names.get(emoji, OTHER),
                    ours=is_ours(person, found, account),
                )
            )
    return made
