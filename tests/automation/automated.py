"""A desk that says and does things by itself, run step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import routing, running
from host.automation import settings as account_settings
from host.automation.consuming import Automating
from host.automation.deciding import Settings
from host.core import clock, db
from host.core.backports.values import replace
from host.events import reading
from host.events.reading import BEGINNING, Position
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.inbox.teams import teams
from host.models.automation import AutomationRun
from host.models.inbox import Conversation, Direction, Message, Origin
from host.models.users import Membership, Role
from host.working_hours import hours
from tests import helpers
from tests.helpers import do
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene

GREETING = 'Hello {{contact.first_name || "there"}}, we answer {{hours.opens_at || "soon"}}.'
AWAY = 'We are away until {{hours.opens_at || "soon"}}.'


class Shut(hours.Hours, frozen=True):
    """Hours that are over until a moment."""

    week: hours.Week = hours.ALWAYS.week
    exceptions: hours.Exceptions = msgspec.field(default_factory=dict)
    timezone: str = "UTC"
    until: datetime | None = None

    def is_open(self, at: datetime) -> bool:
        return self.until is not None and at >= self.until

    def opens_at(self, at: datetime) -> datetime | None:
        return self.until


@contextmanager
def shut(until: datetime | None) -> Iterator[None]:
    """Let every team be outside its hours until then."""
    with mock.patch.object(hours.LoadedHours, "of", return_value=Shut(until=until)):
        yield


class Automated:
    """A desk with what its account does by itself."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.scene = Scene(desk)
        self.position: Position = BEGINNING
        self.consumer = Automating(lambda: desk.generation.directory)

    @property
    def settings(self) -> Settings:
        with db.read() as session:
            return account_settings.of_account(session, self.desk.workspace, self.desk.account.id)

    def set(self, **values: Any) -> None:
        wanted = replace(self.settings, **values)
        do(account_settings.save, self.desk.workspace, wanted, limit=1000)

    def label(self, name: str) -> int:
        return do(labels.create, self.desk.workspace, name=name, tone=LabelTone.GREEN).id

    def team(self, *people: int, name: str = "Shop") -> int:
        return do(teams.create, self.desk.workspace, name=name, people=dict.fromkeys(people, False)).id

    def person(self, name: str, *, on: bool = True) -> int:
        id_ = helpers.make_user(name=name, workspace=self.desk.workspace).id
        if on:
            self.duty(id_, True)
        return id_

    def duty(self, user_id: int, on: bool) -> None:
        do(routing.set_duty, self.desk.workspace, user_id, on=on)

    def read(self, *, again: bool = False) -> None:
        """Have the consumer do what the record says since the last time, or all of it once more."""
        reading.number_all()
        position, more = BEGINNING if again else self.position, True
        while more:
            with db.read() as session:
                batch = reading.after(session, position, Automating.batch)
            db.write(self.consumer.consume, batch.events)
            position, more = batch.end, batch.more
        self.position = position

    def run(self) -> None:
        """Read and do what there is, as often as there is more."""
        self.read()
        while running.run_due(self.desk.generation.directory):
            pass
        while routing.give_waiting(clock.now()):
            pass

    def said(self, contact: str = "ana", text: str = "Hello?", at: datetime | None = None, **v: Any) -> None:
        self.scene.said(contact, v.pop("name", f"{contact.title()} Q."), text, at or clock.now(), **v)

    def automatic(self, contact: str = "ana") -> list[str]:
        """Return what was said by itself to somebody."""
        with db.read() as session:
            query = sa.select(Message.text).where(
                Message.conversation_id == self.scene.conversation(contact),
                Message.direction == Direction.OUTBOUND,
                Message.origin == Origin.SYSTEM,
            )
            return list(session.scalars(query.order_by(Message.id)))

    def run_after_a_person_answered(self, contact: str) -> None:
        """Have Mia answer between the message and what rules do because of it, and do that."""
        self.read()
        self.scene.reply(contact, "I am on it", clock.now())
        self.run()

    def limited_owner(self) -> helpers.Browser:
        """Return the browser of an owner who sees no account."""
        person = helpers.make_user(name="Lim O.", workspace=self.desk.workspace, role=Role.OWNER)

        def use_case(session: Session) -> None:
            session.get_one(Membership, (person.id, self.desk.workspace)).limited = True

        db.write(use_case)
        return helpers.client_for(self.desk.app, person)

    def runs(self) -> list[tuple[str, str, str | None, str | None]]:
        with db.read() as session:
            rows = session.scalars(sa.select(AutomationRun).order_by(AutomationRun.id))
            return [(row.kind, row.state, row.outcome, row.reason) for row in rows]

    def talk(self, contact: str = "ana") -> Conversation:
        with db.read() as session:
            return session.get_one(Conversation, self.scene.conversation(contact))

    def lines(self, contact: str = "ana") -> list[tuple[str, str | None, str | None]]:
        """Return the activity lines of a conversation: what, the name, and why."""
        with db.read() as session:
            query = sa.select(Message.content).where(
                Message.conversation_id == self.scene.conversation(contact),
                Message.direction == Direction.INTERNAL,
            )
            found = session.scalars(query.order_by(Message.id))
            return [(one.get("what", "note"), one.get("name"), one.get("why")) for one in found]
