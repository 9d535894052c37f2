"""Find messages that no webhook brought: list the newest threads with their messages, and read one thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from host.sdk.channel import AccountRef
from host.sdk.history import (
    HistoryThread,
    HistoryTrouble,
    LatestMessage,
    ListedMessage,
    ListedThread,
    NewestPage,
)
from host.sdk.webhooks import Envelope

from .. import restrictions
from ..accounts import Credentials
from ..graph import GraphError, Usage
from ..values import identifier, moment
from .threads import (
    as_webhook,
    author_of,
    cannot_ask,
    history_thread,
    is_ours,
    list_threads,
    read_details,
    trouble_of,
)

LOOKED_AT = 25
LISTED = 10
"""Threads per response that also lists their newest messages, and the number of messages of each."""


def newest(found: Credentials | None, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
    """List a page of the account's threads with the ids of their newest messages, in one call.

    It requests several ids of each, because a delivered message may follow a missed one.
    """
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    fields = f"id,updated_time,participants,messages.limit({LISTED}){{id,created_time,from}}"
    heard: list[Usage] = []
    try:
        answer = list_threads(found, LOOKED_AT, fields, after, heard.append)
    except GraphError as error:
        return trouble_of(error)
    listed = []
    for thread in answer.data:
        one = history_thread(thread, found, account)
        if one is not None:
            messages = [
                named
                for message in thread.messages.data
                if (named := _named_in_list(message, found, account)).external_id
            ]
            listed.append(ListedThread(one, messages, bool(thread.messages.paging.after)))
    return NewestPage(listed, answer.paging.after, heard[0].percent if heard else 0)


def _named_in_list(message: Mapping[str, Any], found: Credentials, account: AccountRef) -> ListedMessage:
    author = author_of(message)
    return ListedMessage(
        identifier(message.get("id")),
        moment(message.get("created_time")),
        is_ours(author, found, account) if author.id else None,
    )


def latest(
    found: Credentials | None, account: AccountRef, thread: HistoryThread
) -> Sequence[LatestMessage] | HistoryTrouble:
    """Read the newest messages of a thread as webhooks would have brought them, oldest first."""
    if found is None or restrictions.is_restricted(found.app):
        return cannot_ask(found)
    try:
        answer = read_details(found, thread)
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
    author = author_of(message)
    sender = {"id": thread.contact, **({"username": author.username} if author.username else {})}
    spoken = {name: value for name, value in as_webhook(message).items() if value is not None}
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
