"""A desk whose webhooks are chosen one by one, with the stand-in for Meta behind it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db
from host.delivery import second_look
from host.delivery.worker import drain
from host.models.inbox import Message
from host.models.queue import CatchUp, MissedMessage, SecondLook
from host.queue import journal_rows
from host.sdk.channel import AccountRef
from sandbox import commenting, play
from sandbox.world import Comment, Flavour
from sandbox.world import Message as Said
from tests.instagram import world
from tests.instagram.world import ANA, Addon, Meta

MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """The process died at this point."""


class Lookout:
    """The journal, the worker and the second look of one account, on one clock with Meta's."""

    def __init__(self, ig: Addon, meta: Meta, account: AccountRef, adapter: Any = None) -> None:
        self.ig, self.meta, self.account = ig, meta, account
        self.adapter = adapter or ig.channel.InstagramAdapter()
        self.directory = Directory([self.adapter])
        db.write(lambda session: session.execute(sa.update(CatchUp).values(next_at=None)) and None)
        second_look.begin(self.directory)

    def write(self, text: str, igsid: str = ANA, kind: str = "text", **args: Any) -> Said:
        """Let a customer write at this moment of the desk's clock; no webhook tells of it."""
        box = self.meta.box
        customer = box.world.customers[igsid]
        mid, _ = play.perform(box, box.world.accounts[customer.igid], customer, kind, {"text": text, **args})
        said = box.world.messages[mid or ""]
        said.at = clock.now().timestamp()
        return said

    def comment(self, text: str, igsid: str = ANA, **args: Any) -> Comment:
        """Let a customer comment at this moment of the desk's clock; no webhook tells of it."""
        box = self.meta.box
        customer = box.world.customers[igsid]
        kind = args.pop("kind", "comment")
        name, _ = play.perform(box, box.world.accounts[customer.igid], customer, kind, {"text": text, **args})
        said = box.world.comments[name or ""]
        said.at = clock.now().timestamp()
        return said

    def change(self, said: Comment) -> dict[str, Any]:
        """Return the change of a webhook that tells of a comment."""
        box = self.meta.box
        media = {"id": said.post_id, "media_product_type": "FEED"}
        return commenting._change(box, box.world.accounts[said.igid], said, media, Flavour.F)

    def event(self, said: Said) -> dict[str, Any]:
        """Return the item of a webhook that tells of *said*."""
        body = {"mid": said.mid, "text": said.text or ""}
        return world.item(sender=said.igsid, timestamp=int(said.at * 1000), message=body)

    def deliver(self, *items: dict[str, Any], work: bool = True) -> None:
        """Let a webhook with *items*, which are alike, come."""
        container = "changes" if "field" in items[0] else "messaging"
        entry = world.entry(*items, container=container, time=int(clock.now().timestamp() * 1000))
        accepted = self.ig.webhook.verification.authenticate(world.post(world.payload(entry)))
        envelopes = accepted.envelopes
        db.write(
            lambda session: journal_rows.write(
                session, source="webhook", channel="instagram", envelopes=envelopes
            )
        )
        if work:
            self.work()

    def work(self) -> None:
        drain(SimpleNamespace(directory=self.directory, number=1), direction="in")

    def look(self) -> None:
        """Take every step that is due now, and apply what was put in."""
        for _ in range(200):
            if not second_look.step_due(self.directory, pace=timedelta(0)):
                break
        else:
            raise AssertionError("it does not end")
        self.work()

    def pass_time(self, minutes: float, every: float = 0.5) -> None:
        """Let time pass; the desk looks whenever it is due. Only inside ``clock.travel``."""
        for _ in range(int(minutes / every)):
            advance(timedelta(minutes=every))
            self.look()

    def row(self) -> SecondLook:
        with db.read() as session:
            return session.scalars(sa.select(SecondLook)).one()


def advance(by: timedelta) -> None:
    clock._offset += by


def messages() -> list[Message]:
    with db.read() as session:
        return list(session.scalars(sa.select(Message).order_by(Message.sent_at, Message.id)))


def texts() -> list[str]:
    return [row.text for row in messages() if row.direction == "inbound"]


def marked() -> list[str]:
    return [row.text for row in messages() if row.content.get("missed") is True]


def missed() -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(MissedMessage.external_id).order_by(MissedMessage.id)))
