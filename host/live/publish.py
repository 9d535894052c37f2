"""Publish changes to browsers: a row in the same transaction, a nudge once it is committed."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import Insert
from host.models.live import LiveEvent

_EVENTS = cast(sa.Table, LiveEvent.__table__)
_insert = Insert(_EVENTS)

EVERYBODY = 0
"""The workspace id of an event that concerns all of them."""


class Change(NamedTuple):
    """One live event to be."""

    workspace_id: int
    topic: str
    payload: Mapping[str, Any]


_listeners: weakref.WeakSet[threading.Event] = weakref.WeakSet()
_lock = threading.Lock()


def listen(event: threading.Event) -> None:
    """Have *event* set whenever this process committed live events, for as long as it exists."""
    with _lock:
        _listeners.add(event)


def nudge() -> None:
    """Set every listener's event."""
    with _lock:
        listeners = list(_listeners)
    for event in listeners:
        event.set()


def publish(session: Session, workspace_id: int, topic: str, payload: Mapping[str, Any]) -> None:
    """Record one change of a workspace. *payload* holds ids and little else; the browser fetches the rest."""
    publish_many(session, [Change(workspace_id, topic, payload)])


def publish_many(session: Session, changes: Iterable[Change]) -> None:
    """Record several changes with one statement, in the order given."""
    at = clock.now()
    rows = [
        {
            "workspace_id": change.workspace_id,
            "topic": change.topic,
            "payload": msgspec.json.encode(change.payload).decode(),
            "created_at": at,
        }
        for change in changes
    ]
    if not rows:
        return
    _insert.run(session.connection(), rows)
    if nudge not in session.info.get("after_commit", ()):
        db.after_commit(session, nudge)
