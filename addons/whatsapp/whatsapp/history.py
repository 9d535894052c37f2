"""Read what was written before a number was connected that the WhatsApp Business app has, too.

It comes in chunks of threads, in any order and sometimes twice. A message is known by its id, and each is an
event of its own. A file comes by itself, under the id of a placeholder that a chunk has.
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/history
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from host.sdk import clock
from host.sdk.i18n import noop
from host.sdk.messages import AccountNoticed
from host.sdk.webhooks import Envelope

from . import people
from .accounts import Bound
from .values import identifier, items, moment, text

PLACEHOLDER = "media_placeholder"
CHANGES = frozenset({"reaction", "edit", "revoke"})
"""Types that change another message. Of the history, its messages are as they were at last."""
_NOT_SHARED = noop("WhatsApp doesn't share this number's earlier messages with Lobby.")
_SHARE = noop(
    "It was declined in the WhatsApp Business app. To share them, disconnect the number in that app, "
    "connect it again, and allow the history to be shared. New messages arrive either way."
)


def cut(bound: Bound, entry: Mapping[str, Any], value: Mapping[str, Any], ours: str) -> Iterator[Envelope]:
    """Yield an event for each message, oldest first, and one if the history is not shared.

    :param ours: the digits of the number itself.
    """
    declined = False
    told: list[tuple[people.Person, Mapping[str, Any]]] = []
    for chunk in items(value.get("history")):
        declined = declined or any(True for _ in items(chunk.get("errors")))
        for thread in items(chunk.get("threads")):
            person = people.remembered(thread)
            told += [(person, said) for said in items(thread.get("messages"))]
    for said in items(value.get("messages")):
        by_us = _is_ours(said, ours)
        told.append((people.recipient_of(said) if by_us else people.writer_of(said, {}), said))
    for person, said in sorted(told, key=lambda one: str(one[1].get("timestamp"))):
        yield _message(bound, person, said, ours)
    if declined:
        at = moment(entry.get("time")) or clock.now()
        body = json.dumps({"declined": True}).encode()
        key = f"history:declined:{hashlib.sha256(json.dumps(value).encode()).hexdigest()}"
        yield Envelope(bound.account_id, "", key, "account", body, occurred_at=at)


def declined(envelope: Envelope) -> AccountNoticed | None:
    """Return the notice that the history is not shared."""
    at = envelope.occurred_at
    return None if at is None else AccountNoticed("history", at, _NOT_SHARED, _SHARE)


def _is_ours(said: Mapping[str, Any], ours: str) -> bool:
    return bool(said.get("to") or said.get("to_user_id")) or (bool(ours) and said.get("from") == ours)


def _message(bound: Bound, person: people.Person, said: Mapping[str, Any], ours: str) -> Envelope:
    wrote, sort = identifier(said.get("id")), text(said.get("type"), 40)
    body = json.dumps(
        {
            "person": person.id,
            "who": {"phone": person.phone, "users": list(person.users)},
            "past": said,
            "ours": _is_ours(said, ours),
        }
    ).encode()
    ignored = (
        f"{sort} of the history" if sort in CHANGES else "written in a group" if said.get("group_id") else ""
    )
    return Envelope(
        bound.account_id,
        person.id,
        # A placeholder, its file, and the same message when it is delivered are different events.
        f"history:{wrote}:{sort == PLACEHOLDER}" if wrote else f"odd:{hashlib.sha256(body).hexdigest()}",
        "history",
        body,
        occurred_at=moment(said.get("timestamp")),
        any_age=True,
        set_aside="" if person.id and wrote else "It names no customer or has no id.",
        ignored=ignored,
    )
