"""Write events: a row in the transaction of the change, and a wake-up of readers after the commit."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import Insert
from host.events.models import ActorKind, DomainEvent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from host.events.facts import Facts
    from host.events.reading import Recorded
    from host.users.actor import UnitOfWork

_insert = Insert(cast(sa.Table, DomainEvent.__table__))

EVERYBODY = 0
"""Workspace id for events that concern all workspaces."""
_CAUSE = "cause of what is recorded"
_ADDON = "the addon that acts"
_TOGETHER = "recorded together"


class Happened(NamedTuple):
    """An event to write.

    :param kind: its name in :mod:`host.events.catalogue`; empty: only for open browsers.
    :param topic: the live event for browsers; empty: none.
    :param facts: the facts that the kind declares beyond the ids.
    :param occurred_at: when it happened by the provider's clock, if not now.
    """

    workspace_id: int
    kind: str = ""
    topic: str = ""
    account_id: int | None = None
    conversation_id: int | None = None
    message_id: int | None = None
    actor_kind: ActorKind | None = None
    actor_id: int | None = None
    facts: Facts | None = None
    occurred_at: datetime | None = None


class _Cause(NamedTuple):
    """The cause of all events written in a session."""

    id: int | None
    root: int | None
    depth: int


_NO_CAUSE = _Cause(None, None, 0)
_listeners: weakref.WeakSet[threading.Event] = weakref.WeakSet()
_lock = threading.Lock()


def listen(event: threading.Event) -> None:
    """Set *event* whenever this process commits events, as long as *event* exists."""
    with _lock:
        _listeners.add(event)


def nudge() -> None:
    """Set every listener's event."""
    with _lock:
        listeners = list(_listeners)
    for event in listeners:
        event.set()


def caused_by(session: Session, event: Recorded) -> AbstractContextManager[None]:
    """Record *event* as the cause of all events written in *session* inside the block."""
    return because(session, cause_id=event.id, root_id=event.root_id or event.id, depth=event.depth + 1)


@contextmanager
def because(session: Session, *, cause_id: int, root_id: int, depth: int) -> Iterator[None]:
    """Replace :func:`caused_by` if the event is not available.

    :param depth: depth of the written events, not of the cause.
    """
    before = session.info.get(_CAUSE, _NO_CAUSE)
    session.info[_CAUSE] = _Cause(cause_id, root_id, depth)
    try:
        yield
    finally:
        session.info[_CAUSE] = before


def cause_of(session: Session) -> tuple[int, int, int] | None:
    """Return id, root and depth of the cause of what is written in *session* now, see :func:`because`."""
    cause: _Cause = session.info.get(_CAUSE, _NO_CAUSE)
    return None if cause.id is None or cause.root is None else (cause.id, cause.root, cause.depth)


@contextmanager
def by_addon(session: Session, slug: str) -> Iterator[None]:
    """Record the addon *slug* as the actor of all events written in *session* inside the block."""
    session.info[_ADDON] = slug
    try:
        yield
    finally:
        del session.info[_ADDON]


def acting_addon(session: Session) -> str | None:
    """Return the slug of the addon that acts in *session*, or None."""
    slug: str | None = session.info.get(_ADDON)
    return slug


@contextmanager
def together(session: Session) -> Iterator[None]:
    """Write the events of the block in one statement when it ends, in the same order.

    If an inner block raises, its events are dropped, as by the rollback of a savepoint.
    """
    kept: list[Mapping[str, Any]] | None = session.info.get(_TOGETHER)
    rows = session.info.setdefault(_TOGETHER, [])
    before = len(rows)
    try:
        yield
    except BaseException:
        del rows[before:]
        raise
    finally:
        if kept is None:
            del session.info[_TOGETHER]
    if kept is None and rows:
        _insert.run(session.connection(), rows)


def is_caused(session: Session) -> bool:
    """Return whether events written in *session* now have a cause, because Lobby acts on another event."""
    return _CAUSE in session.info and session.info[_CAUSE] is not _NO_CAUSE


def publish(work: UnitOfWork, kind: str, facts: Facts | None = None, **about: int | None) -> None:
    """Write an event by the actor of *work*.

    :param about: further ids of :class:`Happened`.
    """
    by = {"actor_kind": work.actor.kind, "actor_id": work.actor.id}
    record(work.session, Happened(work.workspace_id, kind, facts=facts, **by, **about))  # type: ignore[arg-type]


def record(session: Session, *happened: Happened) -> None:
    """Write events, in the order given."""
    record_all(session, happened)


def record_all(session: Session, happened: Iterable[Happened]) -> None:
    """Write events in one statement, in the order given."""
    at = clock.now()
    cause = session.info.get(_CAUSE, _NO_CAUSE)
    addon = acting_addon(session)
    rows = [_row(one, cause, at, addon) for one in happened]
    if not rows:
        return
    kept = session.info.get(_TOGETHER)
    if kept is None:
        _insert.run(session.connection(), rows)
    else:
        kept.extend(rows)
    if nudge not in session.info.get("after_commit", ()):
        db.after_commit(session, nudge)


def show(
    session: Session,
    workspace_id: int,
    topic: str,
    *,
    account_id: int | None = None,
    conversation_id: int | None = None,
    message_id: int | None = None,
) -> None:
    """Notify only open browsers of a change."""
    record(session, Happened(workspace_id, "", topic, account_id, conversation_id, message_id))


def show_conversations(session: Session, conversations: Iterable[tuple[int, int]]) -> None:
    """Notify open browsers that conversations changed.

    :param conversations: ids of the workspace and of the conversation.
    """
    told = (Happened(place, topic="conversation", conversation_id=id_) for place, id_ in conversations)
    record_all(session, told)


def _row(one: Happened, cause: _Cause, at: datetime, addon: str | None) -> Mapping[str, Any]:
    return {
        "workspace_id": one.workspace_id,
        "kind": one.kind or None,
        "topic": one.topic or None,
        "account_id": one.account_id,
        "conversation_id": one.conversation_id,
        "message_id": one.message_id,
        "actor_kind": one.actor_kind if addon is None else ActorKind.ADDON,
        "actor_id": one.actor_id,
        "addon": addon,
        "cause_id": cause.id,
        "root_id": cause.root,
        "depth": cause.depth,
        "occurred_at": one.occurred_at,
        "at": at,
        "data": _text(one.facts),
    }


def _text(facts: Facts | None) -> str | None:
    text = b"{}" if facts is None else msgspec.json.encode(facts)
    return None if text == b"{}" else text.decode()
