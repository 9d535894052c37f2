"""A reply whose write waited is shown below the one before it, which moved to the time it was sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from host.core import clock, db
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.inbox.unsent.placement import move_to
from host.models.inbox import Message
from tests.delivery.desk import Desk
from tests.helpers import work


def queued(desk: Desk, talk: int, text: str, now: datetime) -> int:
    def write(session: Any) -> int:
        (made,) = queue_parts(
            work(session, desk.workspace_id, now=now),
            talk,
            [Draft(text=text)],
            reply_key=f"{text}0123456789",
            adapter=desk.toy,
        )
        return made.id

    return db.write(write)


def test_a_reply_is_shown_below_one_that_moved_while_it_waited(any_desk: Desk) -> None:
    talk, pressed = any_desk.customer_wrote(), clock.now()
    first = queued(any_desk, talk, "one", pressed)
    db.write(move_to, first, pressed + timedelta(seconds=5))
    second = queued(any_desk, talk, "two", pressed + timedelta(seconds=1))
    with db.read() as session:
        shown = [session.get_one(Message, one).sent_at for one in (first, second)]
        assert shown == sorted(shown)
        assert session.get_one(Message, second).created_at == pressed + timedelta(seconds=1)
