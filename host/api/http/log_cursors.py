"""Cursors of lists in the order of the event log: events, and what changed since a time."""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.api.http import cursors
from host.core import clock
from host.core.errors import LobbyError
from host.events import reading
from host.events.reading import Position
from host.users import data_retention


class EventsGoneError(LobbyError):
    """The events after that cursor have been removed."""

    code = "events_gone"
    status = 410
    title = _l("Events no longer available")
    default_sentence = _l("Some events after this cursor have been deleted.")
    default_next_step = _l("Start without a cursor, and read what you missed from the conversations.")


def since(session: Session, workspace_id: int, at: datetime, field: str) -> Position:
    """Return the position from which everything that changed at *at* or later follows.

    :param field: the parameter with the time, for errors.
    :raises EventsGoneError: if the event log doesn't reach back to that time.
    """
    if not data_retention.log_reaches_back(session, at.timestamp()):
        raise EventsGoneError(
            _l("Changes of that time have been deleted."),
            next_step=_l("Read the whole list, then ask for what changed since you began."),
            field=field,
        )
    return reading.before(session, workspace_id, at)


def write(name: str, position: Position) -> str:
    """Return the cursor of the list *name* for what follows *position*."""
    made_at = int(clock.now().timestamp())
    return cursors.write_numbers(name, position.place, position.event_id, made_at)


def read(session: Session, name: str, text: str, field: str) -> Position:
    """Return the position in a cursor of the list *name*.

    :param field: the parameter it came in, for errors.
    :raises CursorError: for anything :func:`write` did not create for that list.
    :raises EventsGoneError: if what follows may have been deleted.
    """
    place, id_, made_at = cursors.read_numbers(name, text, field)
    if not data_retention.log_reaches_back(session, made_at):
        raise EventsGoneError(field=field)
    # A desk restored elsewhere has other positions for the same events.
    moved = reading.place_of(session, id_)
    return Position(place if moved is None else moved, id_)
