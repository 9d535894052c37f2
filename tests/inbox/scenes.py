"""A workspace with every state the inbox can show, for looking at and for browser tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from host.core import clock, db
from host.inbox import outcome
from host.inbox.apply.changes import apply_changes
from host.inbox.conversation_actions import set_fields
from host.inbox.notes import add_note
from host.models.inbox import ContactIdentity, Conversation, ConversationStatus
from host.sdk.channel import ProviderProblem
from host.sdk.messages import (
    ContactIdentified,
    InboundAttachment,
    MessageEchoed,
    MessageKind,
    MessageReceived,
    MessagesRead,
    PersonId,
)
from tests import helpers
from tests.helpers import do, queue_reply
from tests.inbox import toys
from tests.inbox.desks import Desk

LIMIT = ProviderProblem(
    "10/2534022",
    "It was outside the time in which the channel allows answers.",
    "It opens again when the customer writes.",
    "(#10) This message is sent outside of allowed window.",
)
SILENT = ProviderProblem("", "The connection broke off before it answered.", "", "ReadTimeout after 20 s")


class Scene:
    """Writes conversations into a desk's workspace."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = clock.now()
        self.number = 0

    def ago(self, **values: float) -> datetime:
        return self.now - timedelta(**values)

    def said(self, contact: str, name: str, text: str, at: datetime, **values: Any) -> str:
        """A customer writes; returns the id of the message."""
        self.number += 1
        values.setdefault("external_id", f"scene-in-{self.number}")
        adapter = values.pop("adapter", None) or self.desk.generation.directory.adapters[0]
        account = values.pop("account", self.desk.account)
        change = MessageReceived(
            contact=contact, contact_name=name, contact_username=contact, text=text, sent_at=at, **values
        )
        self._apply(account, adapter, change, at)
        return str(change.external_id)

    def echo(self, contact: str, text: str, at: datetime) -> None:
        self.number += 1
        change = MessageEchoed(contact=contact, external_id=f"scene-app-{self.number}", text=text, sent_at=at)
        self._apply(self.desk.account, self.desk.generation.directory.adapters[0], change, at)

    def apply(self, change: Any) -> None:
        self._apply(self.desk.account, self.desk.generation.directory.adapters[0], change, change.at)

    def also_known(
        self, contact: str, *lasting: str, former: str = "", replaced: str = "", at: datetime
    ) -> None:
        """The provider names further ids of a customer."""
        old = (PersonId(former, former=True),) if former else ()
        if replaced:
            old = (*old, PersonId(replaced, lasting=True, former=True))
        ids = (PersonId(contact), *(PersonId(one, lasting=True) for one in lasting), *old)
        self.apply(ContactIdentified(contact, at, ids))

    def seen(self, contact: str, external_id: str) -> None:
        change = MessagesRead(contact=contact, external_id=external_id, read_at=self.now)
        self._apply(self.desk.account, self.desk.generation.directory.adapters[0], change, self.now)

    def _apply(self, account: Any, adapter: Any, change: Any, at: datetime) -> None:
        item = toys.incoming(account, change, adapter=adapter, received_at=at + timedelta(seconds=1))
        with clock.travel(item.received_at - clock.now()):
            db.write(apply_changes, [item])

    def conversation(self, contact: str) -> int:
        with db.read() as session:
            return (
                session.scalars(
                    sa.select(Conversation.id)
                    .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
                    .where(ContactIdentity.external_id == contact)
                    .order_by(Conversation.id.desc())
                ).first()
                or 0
            )

    def reply(
        self, contact: str, text: str, at: datetime, *, by: int | None = None, adapter: Any = None
    ) -> list[int]:
        self.number += 1
        messages = do(
            queue_reply,
            self.desk.workspace,
            self.conversation(contact),
            text,
            reply_key=f"scene-{self.number:08d}",
            adapter=adapter or self.desk.generation.directory.adapters[0],
            actor=by or self.desk.mia.id,
            now=at,
        )
        return [message.id for message in messages]

    def reply_anyway(self, contact: str, text: str) -> int:
        """Write a reply whatever the reply window says; return its id."""
        (message,) = self.reply(contact, text, self.now, adapter=toys.TOY)
        return message

    def sent(self, contact: str, text: str, at: datetime) -> str:
        for message in self.reply(contact, text, at):
            external_id = f"scene-out-{message}"
            db.write(outcome.record_sent, message, external_id)
        return external_id

    def note(self, contact: str, text: str, at: datetime, by: int) -> None:
        self.number += 1
        do(
            add_note,
            self.desk.workspace,
            self.conversation(contact),
            text=text,
            reply_key=f"scene-{self.number:08d}",
            actor=by,
            now=at,
        )

    def assign(self, contact: str, to: int | None, by: int, at: datetime) -> None:
        do(set_fields, self.desk.workspace, self.conversation(contact), {"assignee_id": to}, actor=by, now=at)

    def close(self, contact: str, by: int, at: datetime) -> None:
        do(
            set_fields,
            self.desk.workspace,
            self.conversation(contact),
            {"status": ConversationStatus.CLOSED},
            actor=by,
            now=at,
        )


def whole(desk: Desk) -> Scene:
    """Write every state there is; Ana's conversation has every delivery state."""
    scene = Scene(desk)
    ago, mia = scene.ago, desk.mia.id
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace).id
    scene.said("ana.sample", "Ana Q.", "Are any of these still in the shop?", ago(hours=27))
    picture = InboundAttachment(MessageKind.IMAGE, url="https://cdn.example/mug.jpg")
    pdf = InboundAttachment(
        MessageKind.FILE, content=b"%PDF-1.4", name="measurements.pdf", content_type="application/pdf"
    )
    scene.said("ana.sample", "", "", ago(hours=26.9), kind=MessageKind.IMAGE, attachments=(picture, pdf))
    scene.said("ana.sample", "", "", ago(hours=26.8), kind=MessageKind.STORY_MENTION)
    scene.echo("ana.sample", "Two to four working days, and free above 60.", ago(hours=26))
    scene.said("ana.sample", "", "Delivery times", ago(hours=25.9), kind=MessageKind.QUICK_REPLY)
    last_seen = scene.sent("ana.sample", "Two rim plates are set aside for you.", ago(hours=5))
    scene.seen("ana.sample", last_seen)
    scene.assign("ana.sample", mia, bo, ago(hours=4.5))
    scene.note("ana.sample", "Only three left on the shelf. Shall I put two aside?", ago(hours=4), bo)
    scene.said("ana.sample", "", "Wonderful. Could you hold the blue one until Monday?", ago(minutes=40))
    scene.said("ana.sample", "", "🙏🏽 And wrap it?", ago(minutes=39.5))
    scene.sent("ana.sample", "Of course, it is on the shelf by the door.", ago(minutes=30))
    (failed,) = scene.reply("ana.sample", "Here is a picture of the shelf.", ago(minutes=20))
    db.write(outcome.record_failed, failed, LIMIT)
    (unknown,) = scene.reply("ana.sample", "It is wrapped.", ago(minutes=15))
    db.write(outcome.record_sending, unknown)
    db.write(outcome.record_unknown, unknown, SILENT)
    (waiting,) = scene.reply("ana.sample", "See you on Monday!", ago(minutes=4))
    until = (scene.now + timedelta(minutes=3)).isoformat()
    db.write(
        outcome.record_waiting,
        waiting,
        {"sentence": "The channel allows no more messages from this account for now.", "until": until},
    )
    scene.reply("ana.sample", "We open at nine.", ago(minutes=1))
    scene.said("jon.b", "Jon B.", "Invoice for the March workshop, second try", ago(minutes=9))
    scene.said("kit.makes.sample", "Kit L.", "", ago(hours=21), kind=MessageKind.AUDIO)
    scene.assign("kit.makes.sample", bo, bo, ago(hours=20))
    scene.said("rosa.sample", "Rosa S.", "The lid arrived cracked, what can we do?", ago(hours=45))
    scene.sent("rosa.sample", "The replacement lid ships tomorrow.", ago(hours=40))
    scene.assign("rosa.sample", mia, mia, ago(hours=40))
    scene.said("olu.sample", "Olu P.", "Thanks, I will think about it.", ago(days=9))
    scene.said("1026000000004711", "", "Hello", ago(days=3))
    scene.said("hal.sample", "Hal M.", "Thank you, the parcel arrived whole.", ago(days=12))
    scene.close("hal.sample", mia, ago(days=11))
    return scene
