"""Channels, accounts and conversations to test the inbox with."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.apply.incoming import media_of
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Message
from host.models.users import Membership, Role, User, Workspace
from host.sdk import accounts as sdk_accounts
from host.sdk.channel import (
    AccountRef,
    Ask,
    ButtonsLimits,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    MediaLimits,
    Moderation,
    PrivateContext,
    PrivateReplyLimits,
    QuickReplyLimits,
    ReplyContext,
    ReplyPhase,
    ReplyPolicy,
    ReplyState,
    SendRequest,
    SendResult,
    Sent,
    TemplateLimits,
    Threading,
)
from host.sdk.messages import (
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageKind,
    MessageReacted,
    MessageReceived,
    MessagesRead,
    MessageUnsent,
    PostKind,
)
from host.sdk.webhooks import Envelope

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Toy(ChannelAdapter):
    """A channel with one conversation per contact, 1,000 bytes, a day for everybody and a week for people."""

    key: ClassVar[str] = "email"
    label: ClassVar[str] = "Toy"
    mark: ClassVar[ChannelMark] = ChannelMark(text="TY", tone=5)
    capabilities: ClassVar[Capabilities] = Capabilities(text_limit_bytes=1000)

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        raise NotImplementedError

    def send(self, request: SendRequest) -> SendResult:
        return Sent(uuid.uuid4().hex)

    def contact_label(self, contact: str) -> str:
        return f"Toy user …{contact[-4:]}"


class Windowed(Toy):
    """A toy with a reply window."""

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        if context.last_inbound_at is None:
            return ReplyPolicy(ReplyState.CLOSED, sentence="Only the customer can start a conversation.")
        day = context.last_inbound_at + timedelta(hours=24)
        week = context.last_inbound_at + timedelta(days=7)
        phases = (
            ReplyPhase(ReplyState.OPEN, context.last_inbound_at, day),
            ReplyPhase(ReplyState.PEOPLE_ONLY, day, week),
        )
        if context.now < day:
            return ReplyPolicy(ReplyState.OPEN, until=day, phases=phases)
        if context.now < week:
            return ReplyPolicy(
                ReplyState.PEOPLE_ONLY,
                until=week,
                phases=phases,
                tag="PERSON",
                sentence="More than 24 hours have passed since the customer last wrote.",
            )
        return ReplyPolicy(
            ReplyState.CLOSED,
            phases=phases,
            sentence="Toy allows answers for 7 days after the customer's last message.",
        )


class ByReference(Toy):
    """A toy that threads like mail."""

    capabilities: ClassVar[Capabilities] = Capabilities(threading=Threading.REFERENCES, has_subject=True)


class Rich(Windowed):
    """A toy that takes everything a reply can have."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit_bytes=1000,
        sends=frozenset(
            {
                MessageKind.TEXT,
                MessageKind.IMAGE,
                MessageKind.VIDEO,
                MessageKind.AUDIO,
                MessageKind.FILE,
                MessageKind.STICKER,
                MessageKind.SHARE,
                MessageKind.TEMPLATE,
                MessageKind.LOCATION,
                MessageKind.CONTACTS,
            }
        ),
        media={
            MessageKind.IMAGE: MediaLimits(frozenset({"image/jpeg", "image/png"}), 2 * 1024 * 1024),
            MessageKind.VIDEO: MediaLimits(frozenset({"video/mp4"}), 4 * 1024 * 1024),
            MessageKind.AUDIO: MediaLimits(frozenset({"audio/wav", "audio/mp4"}), 4 * 1024 * 1024),
            MessageKind.FILE: MediaLimits(frozenset({"application/pdf"}), 4 * 1024 * 1024),
        },
        images_per_message=3,
        quick_replies=QuickReplyLimits(
            most=3, title_length=20, payload_length=100, asks=frozenset({Ask.PHONE})
        ),
        buttons=ButtonsLimits(text_length=60, buttons=2, title_length=20, payload_length=100),
        provider_files=True,
        template=TemplateLimits(
            elements=3, buttons=2, title_length=80, subtitle_length=80, button_title_length=20
        ),
        product_template=2,
        own_post=True,
        heart=True,
        reply_quote=True,
        reactions=frozenset(),
        typing=True,
        mark_seen=True,
        mobile_only=frozenset({"quick_replies", "template", "product_template"}),
    )


class Public(Toy):
    """A toy whose messages stand below posts; each may have one private reply."""

    label: ClassVar[str] = "Comments"
    mark: ClassVar[ChannelMark] = ChannelMark(text="CM", tone=4)
    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit_bytes=300,
        threading=Threading.POST,
        public=True,
        reply_quote=True,
        private_only=frozenset({PostKind.LIVE}),
        private_replies=PrivateReplyLimits(text_limit_bytes=100),
        moderation=frozenset(Moderation),
    )

    def private_policy(self, context: PrivateContext) -> ReplyPolicy:
        if context.post is not None and context.post.ended_at is not None:
            return ReplyPolicy(ReplyState.CLOSED, sentence="The broadcast is over.")
        until = context.sent_at + timedelta(days=7)
        if context.now >= until:
            return ReplyPolicy(ReplyState.CLOSED, sentence="Seven days have passed.")
        return ReplyPolicy(ReplyState.OPEN, until=until)


TOY = Toy()
PUBLIC = Public()
RICH = Rich()
WINDOWED = Windowed()
BY_REFERENCE = ByReference()

_numbers = itertools.count(1)


def make_workspace(name: str = "Sample Pottery") -> int:
    def use_case(session: Session) -> int:
        row = Workspace(name=name, created_at=clock.now())
        session.add(row)
        session.flush()
        return row.id

    return db.write(use_case)


def make_user(workspace_id: int, name: str = "Mia R.", *, role: Role = Role.AGENT) -> int:
    def use_case(session: Session) -> int:
        number = next(_numbers)
        row = User(
            email=f"user{number}@example.com",
            name=name,
            password_hash="x",
            created_at=clock.now(),
            is_admin=False,
        )
        session.add(row)
        session.flush()
        session.add(Membership(user_id=row.id, workspace_id=workspace_id, role=role))
        return row.id

    return db.write(use_case)


def make_account(workspace_id: int, channel: str = "email", **values: Any) -> AccountRef:
    def use_case(session: Session) -> AccountRef:
        number = next(_numbers)
        row = ChannelAccount(
            uuid=str(uuid.uuid4()),
            workspace_id=workspace_id,
            channel=channel,
            external_id=f"acct-{number}",
            claim=f"{channel}:acct-{number}",
            name="Shop",
            handle="@sample.pottery",
            way="pasted",
            state=AccountState.CONNECTED,
            settings={},
            created_at=clock.now(),
            connected_at=clock.now(),
        )
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        return sdk_accounts.ref(row)

    return db.write(use_case)


def received(text: str = "Hello", *, at: float = 0, contact: str = "ana", **values: Any) -> MessageReceived:
    """A customer's message *at* seconds after :data:`START`."""
    values.setdefault("external_id", f"in-{next(_numbers)}")
    return MessageReceived(contact=contact, sent_at=START + timedelta(seconds=at), text=text, **values)


def echoed(text: str = "Hi there", *, at: float = 0, contact: str = "ana", **values: Any) -> MessageEchoed:
    values.setdefault("external_id", f"out-{next(_numbers)}")
    return MessageEchoed(contact=contact, sent_at=START + timedelta(seconds=at), text=text, **values)


def read(external_id: str, *, at: float = 0, contact: str = "ana") -> MessagesRead:
    return MessagesRead(contact=contact, external_id=external_id, read_at=START + timedelta(seconds=at))


def reacted(
    external_id: str, emoji: str = "❤️", *, at: float = 0, contact: str = "ana", **values: Any
) -> MessageReacted:
    when = START + timedelta(seconds=at)
    return MessageReacted(contact=contact, external_id=external_id, at=when, emoji=emoji, **values)


def edited(
    external_id: str, text: str, number: int | None = 1, *, at: float = 0, contact: str = "ana"
) -> MessageEdited:
    when = START + timedelta(seconds=at)
    return MessageEdited(contact=contact, external_id=external_id, at=when, text=text, number=number)


def unsent(external_id: str, *, at: float = 0, contact: str = "ana", **values: Any) -> MessageUnsent:
    when = START + timedelta(seconds=at)
    return MessageUnsent(contact=contact, external_id=external_id, at=when, **values)


def incoming(
    account: AccountRef, change: InboundChange, *, adapter: ChannelAdapter = TOY, key: str = "", **values: Any
) -> Incoming:
    values.setdefault("received_at", START + timedelta(days=30))
    values.setdefault("media", media_of(adapter, change))
    return Incoming(
        account=account, adapter=adapter, change=change, event_key=key or uuid.uuid4().hex, **values
    )


def apply(account: AccountRef, *changes: InboundChange, adapter: ChannelAdapter = TOY) -> None:
    db.write(apply_changes, [incoming(account, change, adapter=adapter) for change in changes])


def thread(conversation_id: int | None = None) -> list[Message]:
    """All messages, as an agent sees them from top to bottom."""
    query = sa.select(Message).order_by(Message.sent_at, Message.id)
    if conversation_id is not None:
        query = query.where(Message.conversation_id == conversation_id)
    with db.read() as session:
        return list(session.scalars(query))


def texts(conversation_id: int | None = None) -> list[str]:
    return [message.text for message in thread(conversation_id) if message.direction != "internal"]


def only(model: type[Any]) -> Any:
    with db.read() as session:
        return session.scalars(sa.select(model)).one()


def everything(model: type[Any]) -> list[Any]:
    with db.read() as session:
        return list(session.scalars(sa.select(model).order_by(model.id)))


def everything_of(model: type[Any]) -> list[Any]:
    """The rows of a table that has no id."""
    with db.read() as session:
        return list(session.scalars(sa.select(model)))


def change_row(model: type[Any], id_: int, **values: Any) -> None:
    def use_case(session: Session) -> None:
        row = session.get(model, id_)
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)

    db.write(use_case)


class Statements:
    """Counts what a database is asked while the block runs."""

    def __init__(self, database: db.Database) -> None:
        self.engines = database.engines
        self.seen: list[str] = []

    def _count(self, _c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "COMMIT")):
            self.seen.append(statement)

    def __enter__(self) -> Statements:
        for engine in self.engines:
            sa.event.listen(engine, "before_cursor_execute", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.engines:
            sa.event.remove(engine, "before_cursor_execute", self._count)
