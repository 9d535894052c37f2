"""Read the event log for what changed since a position, in the order of the changes.

Each change of a conversation, message or contact is written to the event log in its own transaction, and
nothing is ever inserted before what was read (:mod:`host.events.reading`). A list in this order needs no
column and no index of its own, and misses no change that was committed late.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from sqlalchemy.orm import Session

from host.events import reading
from host.events.facts import Facts
from host.events.reading import Position, Recorded

BATCH = 500
MOST_BATCHES = 4
"""Maximum number of batches read at a time: a page may then be short, or empty, although there is more."""

T = TypeVar("T", bound=Hashable)


def changed(
    session: Session,
    workspace_id: int,
    position: Position,
    limit: int,
    named: Callable[[Recorded], Iterable[T]],
) -> tuple[list[T], Position, bool]:
    """Return up to *limit* different things that changed after *position*, their end, and if there are more.

    :param named: what an event is about. An event about several is never split, so there may be one more.
    """
    found: dict[T, None] = {}
    for _ in range(MOST_BATCHES):
        batch = reading.after(session, position, BATCH, workspace_id=workspace_id, shown=True)
        for event in batch.events:
            new = [one for one in named(event) if one not in found]
            if found and len(found) + len(new) > limit:
                return list(found), position, True
            found.update(dict.fromkeys(new))
            position = event.position
        position = batch.end
        if not batch.more:
            return list(found), position, False
    return list(found), position, True


def conversations(event: Recorded) -> Iterable[int]:
    """Return the id of the conversation an event is about."""
    return () if event.conversation_id is None else (event.conversation_id,)


def messages(event: Recorded) -> Iterable[int]:
    """Return the id of the message an event is about."""
    return () if event.message_id is None else (event.message_id,)


class _Contacts(Facts, frozen=True):
    contact: int = 0
    other: int = 0


def contacts(event: Recorded) -> Iterable[tuple[str, int]]:
    """Return the contacts an event is about, by their ids or that of a conversation."""
    if event.conversation_id is not None:
        return (("conversation", event.conversation_id),)
    if not event.kind.startswith("contact."):
        return ()
    facts = event.facts(_Contacts)
    return [("contact", id_) for id_ in (facts.contact, facts.other) if id_]
