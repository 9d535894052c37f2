"""Write bodies of events that are larger than one row holds.

Smaller ones cost no statement: whether a body continues is told by the number of bytes in its event's row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from host.models.queue import MOST_IN_ROW

Large = tuple[tuple[str, str, str], bytes]
"""Channel, account and dedupe key of an event, and its whole body of ``MOST_IN_ROW`` bytes or more."""

_KEY = "channel = %s AND account_key = %s AND dedupe_key = %s"
_SET_ASIDE = "attempts = 0 AND state IN ('dead', 'ignored') AND forgotten_at IS NULL"
_DROP = (
    "DELETE FROM inbound_parts WHERE event_id = "  # noqa: S608 - constants only
    f"(SELECT id FROM inbound_events WHERE {_KEY} AND {_SET_ASIDE})"
)
# A repeat of a stored body finds that body's parts, and adds none.
_FIND = (
    f"SELECT id FROM inbound_events WHERE {_KEY} AND length(body) = {MOST_IN_ROW} "  # noqa: S608 - as above
    "AND NOT EXISTS (SELECT 1 FROM inbound_parts WHERE event_id = inbound_events.id)"
)
_ADD = "INSERT INTO inbound_parts (event_id, number, body) VALUES (%s, %s, %s)"


def drop_replaced(cursor: Any, events: Iterable[Large], *, is_sqlite: bool) -> None:
    """Delete the parts of bodies that these are about to replace: those of events that were set aside.

    On a server the rows of these events are locked.
    """
    for key, _ in events:
        cursor.execute(_marked(_DROP, is_sqlite), key)


def add_parts(cursor: Any, events: Iterable[Large], *, is_sqlite: bool) -> None:
    """Store the parts of bodies whose events were written, unless they are stored."""
    for key, body in events:
        cursor.execute(_marked(_FIND, is_sqlite), key)
        found = cursor.fetchone()
        if found is None:
            continue
        # One by one, so that only one is copied into a statement at a time.
        for number, at in enumerate(range(MOST_IN_ROW, len(body) + 1, MOST_IN_ROW), 1):
            cursor.execute(_marked(_ADD, is_sqlite), (found[0], number, body[at : at + MOST_IN_ROW]))


def _marked(text: str, is_sqlite: bool) -> str:
    return text.replace("%s", "?") if is_sqlite else text
