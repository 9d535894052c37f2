"""Have the desk tell people what the record says, and look at what they were told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from host.core import db
from host.events import reading
from host.events.consuming import _make_rows
from host.events.reading import BEGINNING, Position
from host.inbox.notes import add_note
from host.models.notifications import Notification
from host.notifications import rules
from host.notifications.delivery import Notifier
from host.notifications.rules import KINDS, Kind, Way
from tests.helpers import do
from tests.inbox.scenes import Scene

_read: WeakKeyDictionary[db.Database, Position] = WeakKeyDictionary()


def tell() -> None:
    """Have the consumer do what the record says since the last time, in this database."""
    name = db.current()
    db.write(_make_rows, [Notifier()])
    reading.number_all()
    position, more = _read.get(name, BEGINNING), True
    while more:
        with db.read() as session:
            batch = reading.after(session, position, Notifier.batch)
        db.write(Notifier().consume, batch.events)
        position, more = batch.end, batch.more
    _read[name] = position


def again() -> None:
    """Have the consumer do everything once more, as if nobody had stored how far it was."""
    _read.pop(db.current(), None)
    tell()


def told(user_id: int) -> list[tuple[str, int]]:
    """Return the kinds of notices somebody has not read, each with how many things it tells of."""
    with db.read() as session:
        query = sa.select(Notification.kind, Notification.times).where(
            Notification.user_id == user_id, Notification.read_at.is_(None)
        )
        return [(str(kind), times) for kind, times in session.execute(query.order_by(Notification.id))]


def choose(user_id: int, wanted: Mapping[Kind, Sequence[Way]]) -> None:
    """Have somebody told of the kinds in *wanted* by those ways, and of the others as usual."""
    usual = {kind: about.usual for kind, about in KINDS.items()}
    db.write(rules.choose, user_id, usual | {kind: frozenset(ways) for kind, ways in wanted.items()})


def mention(scene: Scene, contact: str, text: str, by: int, *people: int) -> int:
    """Write a note that mentions *people*; return its id."""
    scene.number += 1
    note = do(
        add_note,
        scene.desk.workspace,
        scene.conversation(contact),
        text=text,
        reply_key=f"scene-{scene.number:08d}",
        mentioned=people,
        typed=True,
        actor=by,
    )
    return note.id
