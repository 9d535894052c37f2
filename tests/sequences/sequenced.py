"""A desk with sequences, run step by step."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import Any

import sqlalchemy as sa

from host.core import db
from host.events.models import ActorKind
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind, ContactValue
from host.models.inbox import Message
from host.sequences import sequences as sequence_cases
from host.sequences import waits
from host.sequences.body import Body, Starts, Step
from host.sequences.models import Sequence, SequenceAnswer, SequenceRun, SequenceVisit
from host.users.actor import Actor
from tests.automation.automated import Automated
from tests.helpers import do


class Sequenced(Automated):
    """A desk with sequences on its one account."""

    def sequence(
        self,
        *steps: Step,
        starts: Starts | None = None,
        name: str = "Orders",
        publish: bool = True,
        **more: Any,
    ) -> int:
        """Create a sequence, publish it, and return its id."""
        body = Body(steps=steps, starts=starts or Starts(words=("order",)), **more)
        directory, workspace = self.desk.generation.directory, self.desk.workspace
        ada = Actor(ActorKind.SYSTEM, person="Ada")
        id_ = do(sequence_cases.create, workspace, name=name, body=body, directory=directory, actor=ada).id
        if publish:
            do(sequence_cases.publish, workspace, id_, directory)
        return id_

    def publish(self, id_: int, *steps: Step) -> None:
        """Publish other steps of a sequence."""
        directory, workspace = self.desk.generation.directory, self.desk.workspace
        body = Body(steps=steps, starts=Starts(words=("order",)))
        do(sequence_cases.change, workspace, id_, name="Orders", body=body, directory=directory)
        do(sequence_cases.publish, workspace, id_, directory)

    def run(self) -> None:
        """Do all there is to do: what the event log says, and what is due."""
        super().run()
        while waits.run_due(self.desk.generation.directory):
            pass
        super().run()

    def runs_of_automation(self) -> list[tuple[str, str, str | None, str | None]]:
        """Return what messages led to: the kind, the state, the outcome, and why."""
        return super().runs()

    def runs(self) -> Many[SequenceRun]:  # type: ignore[override]
        with db.read() as session:
            found = session.scalars(sa.select(SequenceRun).order_by(SequenceRun.id)).all()
            session.expunge_all()
            return found

    @property
    def last(self) -> SequenceRun:
        return self.runs()[-1]

    def visits(self) -> list[tuple[str, str | None]]:
        """Return the steps that runs entered, with their ways out."""
        with db.read() as session:
            query = sa.select(SequenceVisit.step, SequenceVisit.way)
            return [
                (step, way)
                for step, way in session.execute(query.order_by(SequenceVisit.run_id, SequenceVisit.number))
            ]

    def answers(self) -> dict[str, str]:
        with db.read() as session:
            return {one.name: one.value for one in session.scalars(sa.select(SequenceAnswer))}

    def attribute(self, name: str) -> int:
        """Add a text attribute of contacts and return its id."""
        return do(attributes.create, self.desk.workspace, name=name, kind=AttributeKind.TEXT).id

    def values(self) -> dict[int, str]:
        """Return the attributes of all contacts."""
        with db.read() as session:
            return {one.attribute_id: one.value for one in session.scalars(sa.select(ContactValue))}

    def quick_replies(self) -> list[dict[str, str]]:
        """Return those of our last message."""
        with db.read() as session:
            query = sa.select(Message.content).where(Message.direction == "outbound")
            content = session.scalars(query.order_by(Message.id.desc()).limit(1)).one()
            return list(content.get("quick_replies", []))

    def sequences(self) -> Many[Sequence]:
        with db.read() as session:
            return sequence_cases.listing(session, self.desk.workspace)
