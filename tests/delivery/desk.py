"""A desk for delivery tests: a workspace, accounts of a toy channel, a provider that does as it is told."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.delivery.worker import drain
from host.inbox.apply.changes import Incoming, apply_changes
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Conversation, DeliveryState, Direction, Message, Origin
from host.models.queue import EventState, InboundEvent, Lane, OutboxEntry
from host.models.users import Workspace
from host.queue import outbox, policy
from host.sdk.cards import SettingsCard
from host.sdk.channel import (
    Absent,
    AccountRef,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    NoProfile,
    Profile,
    ProviderProblem,
    ReactRequest,
    ReplyContext,
    ReplyPhase,
    ReplyPolicy,
    ReplyState,
    SearchRequest,
    SearchResult,
    SendLimit,
    SendRequest,
    SendResult,
    Sent,
)
from host.sdk.messages import (
    AccountNoticed,
    ContactIdentified,
    Ignored,
    InboundAttachment,
    InboundChange,
    MessageEchoed,
    MessageEdited,
    MessageKind,
    MessageReceived,
    MessageUnsent,
    PersonId,
)
from host.sdk.reports import ReportSection
from host.sdk.webhooks import Envelope

PROBLEM = ProviderProblem("42", "The toy is broken.", "Mend it.", raw="toy says no")

Script = SendResult | Exception | Callable[[SendRequest], SendResult]


class ToyAdapter(ChannelAdapter):
    """A channel whose provider answers what the test wrote down, and takes everything after that."""

    key: ClassVar[str] = "email"  # the one channel every fresh database knows
    label: ClassVar[str] = "Toy"
    mark: ClassVar[ChannelMark] = ChannelMark("TY")
    capabilities: ClassVar[Capabilities] = Capabilities(text_limit_bytes=100)

    def __init__(self) -> None:
        self.window: timedelta | None = timedelta(hours=24)
        self.script: list[Script] = []
        self.searches: list[SearchResult | Exception] = []
        self.profiles: list[Profile | NoProfile | Exception] = []
        self.sent: list[SendRequest] = []
        self.searched: list[SearchRequest] = []
        self.asked: list[str] = []
        self.parsed: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.policy_error: Exception | None = None
        self.pace: Callable[[SendRequest | ReactRequest | SearchRequest], Sequence[SendLimit]] = lambda _: ()

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        data = json.loads(envelope.body)
        self.parsed.append(data.get("mid", data["kind"]))
        if data.get("mid") in self.broken:
            raise self.broken[data["mid"]]
        at = datetime.fromtimestamp(data["at"], UTC)
        return [*_identified(data, at), *self._changes(data, at)]

    def _changes(self, data: dict[str, Any], at: datetime) -> Sequence[InboundChange]:
        match data["kind"]:
            case "message":
                attachments = tuple(
                    InboundAttachment(MessageKind.FILE, content=text.encode(), name="a.txt")
                    for text in data.get("files", ())
                )
                return [
                    MessageReceived(data["from"], data["mid"], at, text=data["text"], attachments=attachments)
                ]
            case "echo":
                links = tuple(
                    InboundAttachment(MessageKind(data["shows"]), url=link) for link in data.get("links", ())
                )
                kind = MessageKind(data.get("shows", "text"))
                text = "" if links else data["text"]
                return [MessageEchoed(data["from"], data["mid"], at, kind=kind, text=text, attachments=links)]
            case "edit":
                return [MessageEdited(data["from"], data["about"], at, data["text"])]
            case "unsend":
                return [MessageUnsent(data["from"], data["about"], at)]
            case "notice":
                over, bad = data["mid"] == "over", data["mid"] != "soon"
                told = {"reason": data["mid"]}
                return [
                    AccountNoticed("policy", at, "Blocked: %(reason)s", "Look.", told, bad=bad, over=over)
                ]
            case "nothing":
                return [Ignored("a test")]
            case "garbage":
                return ["not a change"]  # type: ignore[list-item]
        return []

    def send(self, request: SendRequest) -> SendResult:
        self.sent.append(request)
        step = self.script.pop(0) if self.script else Sent(f"mid-{len(self.sent)}")
        if isinstance(step, Exception):
            raise step
        return step(request) if callable(step) else step

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        if self.policy_error is not None:
            raise self.policy_error
        if self.window is None:
            return ReplyPolicy(ReplyState.OPEN)
        start = context.last_inbound_at or context.now - timedelta(days=99)
        closes = start + self.window
        if context.now < closes:
            phase = ReplyPhase(ReplyState.OPEN, start, closes)
            return ReplyPolicy(ReplyState.OPEN, closes, (phase,))
        if context.now < closes + timedelta(days=1) and context.account.settings.get("people"):
            state = ReplyState.PEOPLE_ONLY
            return ReplyPolicy(state, closes + timedelta(days=1), (), tag="PERSON")
        return ReplyPolicy(ReplyState.CLOSED)

    def limits(self, request: SendRequest | ReactRequest | SearchRequest) -> Sequence[SendLimit]:
        return self.pace(request)

    def search(self, request: SearchRequest) -> SearchResult:
        self.searched.append(request)
        step = self.searches.pop(0) if self.searches else Absent()
        if isinstance(step, Exception):
            raise step
        return step

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile | NoProfile:
        self.asked.append(contact)
        step = self.profiles.pop(0) if self.profiles else NoProfile("none", retry=False)
        if isinstance(step, Exception):
            raise step
        return step


def _identified(data: dict[str, Any], at: datetime) -> Sequence[InboundChange]:
    """Return what an event tells of its customer's ids: lasting ones begin with U, former ones with -."""
    if "ids" not in data:
        return []
    ids = [PersonId(one.lstrip("-"), "U" in one, one.startswith("-")) for one in data["ids"]]
    return [ContactIdentified(data["from"], at, ids, data.get("changed"))]


@dataclass
class ToyDirectory:
    adapters: dict[str, ChannelAdapter] = field(default_factory=dict)
    cards: dict[str, SettingsCard] = field(default_factory=dict)

    def adapter(self, key: str) -> ChannelAdapter | None:
        return self.adapters.get(key)

    def card(self, key: str) -> SettingsCard | None:
        return self.cards.get(key)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.adapters)

    def mark(self, key: str) -> ChannelMark:
        return self.adapters[key].mark

    def label(self, key: str) -> str:
        return self.adapters[key].label

    def report_sections_shown(self) -> list[ReportSection]:
        return []


@dataclass
class ToyGeneration:
    directory: ToyDirectory
    number: int = 1


class Desk:
    """What a test needs to write messages, deliver events and look at what became of them."""

    def __init__(self) -> None:
        self.toy = ToyAdapter()
        self.generation = ToyGeneration(ToyDirectory({"email": self.toy}))
        self.workspace_id = db.write(_workspace)
        self.account = self.connect("100")

    # making things

    def connect(self, external_id: str, **settings: Any) -> AccountRef:
        def make(session: Session) -> AccountRef:
            row = ChannelAccount(
                uuid=uuid.uuid4().hex,
                workspace_id=self.workspace_id,
                channel="email",
                external_id=external_id,
                claim=f"toy:{external_id}",
                name="Toy",
                handle=f"toy{external_id}",
                way="pasted",
                state=AccountState.CONNECTED,
                settings=settings,
                created_at=clock.now(),
                connected_at=clock.now(),
            )
            session.add(row)
            session.flush()
            return ref(row)

        return db.write(make)

    def customer_wrote(self, contact: str = "anna", *, account: AccountRef | None = None) -> int:
        """Let a customer have written just now; return the conversation's id."""
        account = account or self.account
        at = clock.now()
        mid = uuid.uuid4().hex
        change = MessageReceived(contact, mid, at, text="hello")
        db.write(apply_changes, [Incoming(account, self.toy, change, at, mid)])
        with db.read() as session:
            return session.scalars(sa.select(Message.conversation_id).where(Message.external_id == mid)).one()

    def reply(
        self,
        text: str,
        conversation_id: int,
        *,
        contact: str = "anna",
        origin: Origin = Origin.AGENT,
        reply_key: str = "",
        position: int = 0,
    ) -> int:
        """Write a reply, or a part of one, into the outbox; return the message's id."""

        def make(session: Session) -> int:
            conversation = session.get_one(Conversation, conversation_id)
            message = Message(
                workspace_id=conversation.workspace_id,
                conversation_id=conversation.id,
                account_id=conversation.account_id,
                direction=Direction.OUTBOUND,
                origin=origin,
                kind="text",
                text=text,
                content={},
                reply_key=reply_key or uuid.uuid4().hex,
                position=position,
                state=DeliveryState.QUEUED,
                sent_at=clock.now(),
                created_at=clock.now(),
            )
            session.add(message)
            session.flush()
            outbox.take_lane(session, message.account_id, contact)
            outbox.enqueue(session, message, contact)
            return message.id

        return db.write(make)

    def reply_in_parts(self, conversation_id: int, *texts: str, contact: str = "anna") -> list[int]:
        """Write one reply of several messages into the outbox; return their ids."""
        key = uuid.uuid4().hex
        return [
            self.reply(text, conversation_id, contact=contact, reply_key=key, position=position)
            for position, text in enumerate(texts)
        ]

    def echo(self, mid: str, text: str, *, contact: str = "anna", at: datetime | None = None) -> None:
        """Let the provider tell of a message from our side."""
        now = clock.now()
        change = MessageEchoed(contact, mid, at or now, text=text)
        db.write(apply_changes, [Incoming(self.account, self.toy, change, now, mid)])

    def set_account(self, account_id: int | None = None, **values: Any) -> None:
        wanted = account_id or self.account.id
        db.write(
            lambda session: (
                session.execute(sa.update(ChannelAccount).where(ChannelAccount.id == wanted).values(**values))
                and None
            )
        )

    # making time pass

    def drain(self, direction: str | None = None) -> int:
        return drain(self.generation, direction=direction)

    def later(
        self, travel: Callable[[timedelta], None], by: timedelta, *, step: timedelta | None = None
    ) -> None:
        """Let *by* pass, doing what is due on the way every *step*."""
        left = by
        step = step or timedelta(seconds=15)
        while left > timedelta():
            travel(min(step, left))
            left -= step
            self.drain()

    # looking at things

    def message(self, message_id: int) -> Message:
        with db.read() as session:
            return session.get_one(Message, message_id)

    def state(self, message_id: int) -> str | None:
        return self.message(message_id).state

    def states(self, *ids: int) -> list[str | None]:
        return [self.state(one) for one in ids]

    def entry(self, message_id: int) -> OutboxEntry:
        with db.read() as session:
            return session.scalars(sa.select(OutboxEntry).where(OutboxEntry.message_id == message_id)).one()

    def account_row(self, account_id: int | None = None) -> ChannelAccount:
        with db.read() as session:
            return session.get_one(ChannelAccount, account_id or self.account.id)

    def lanes(self) -> list[Lane]:
        with db.read() as session:
            return list(session.scalars(sa.select(Lane).order_by(Lane.key)))

    def events(self) -> list[InboundEvent]:
        with db.read() as session:
            return list(session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id)))

    def event_states(self) -> list[str]:
        return [one.state for one in self.events()]

    def texts(self, direction: Direction = Direction.INBOUND) -> list[str]:
        with db.read() as session:
            return list(
                session.scalars(
                    sa.select(Message.text).where(Message.direction == direction).order_by(Message.id)
                )
            )


def _workspace(session: Session) -> int:
    row = Workspace(name="Acme", created_at=clock.now())
    session.add(row)
    session.flush()
    return row.id


def event_body(kind: str, mid: str, *, contact: str = "anna", text: str = "", **more: Any) -> bytes:
    return json.dumps(
        {
            "kind": kind,
            "mid": mid,
            "from": contact,
            "text": text or mid,
            "at": clock.now().timestamp(),
            **more,
        }
    ).encode()


def envelope(
    account_id: int | None, mid: str, *, kind: str = "message", contact: str = "anna", **more: Any
) -> Envelope:
    return Envelope(
        account_id=account_id,
        lane=contact,
        dedupe_key=f"{kind}:{mid}",
        kind=kind,
        body=event_body(kind, mid, contact=contact, **more),
    )


__all__ = ["PROBLEM", "Desk", "EventState", "ToyAdapter", "envelope", "event_body", "policy"]
