"""The listener: a count of messages, and a note about customers who write often."""

from __future__ import annotations

from collections.abc import Sequence

from host.sdk import db, desk
from host.sdk.events import DeskEvent

from . import models

OFTEN = 3
pigeons_desk = desk.of("pigeon")


def wrote(events: Sequence[DeskEvent]) -> None:
    """Count each message, and note it when a customer writes for the third time.

    The same event may come twice: it is counted once, and its id makes the note unique.
    """
    for event in events:
        if event.contact_id is None or event.conversation_id is None:
            continue
        if db.write(models.remember, event.id, event.contact_id) == OFTEN:
            pigeons_desk.add_note(event.conversation_id, "They wrote three times.", key=event.id)
