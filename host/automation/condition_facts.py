"""Load the facts about events that conditions check, in a fixed number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.automation import asking_addons
from host.automation.asking_addons import Question
from host.automation.conditions import Condition, Facts, FilterCondition, OfAddon, leaves
from host.core import db
from host.core.ports import AdapterDirectory, RuleDirectory
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.events.models import ActorKind
from host.inbox.contacts.models import ContactValue
from host.inbox.labels.models import ConversationLabel
from host.inbox.reply import policy_for
from host.models.channels import ChannelAccount, ref
from host.models.inbox import (
    Contact,
    ContactIdentity,
    Conversation,
    ConversationStatus,
    Direction,
    Message,
    Origin,
)
from host.models.mentions import Mention
from host.models.posts import Post
from host.sdk.channel import ReplyState
from host.sdk.messages import MessageKind
from host.sdk.rules import AskedAbout, RuleAction
from host.working_hours import hours
from host.working_hours.hours import LoadedHours

_TO = {ReplyState.OPEN: "programs", ReplyState.PEOPLE_ONLY: "people", ReplyState.CLOSED: "closed"}


class HasConditions(Protocol):
    """An object with conditions, such as a rule."""

    @property
    def conditions(self) -> Sequence[Condition]:
        """Conditions that must all be met."""


class Event(msgspec.Struct, frozen=True):
    """An event for which conditions are evaluated.

    :param key: identifies it among the events processed together.
    :param concerns: see :attr:`Facts.concerns`.
    """

    key: int
    workspace_id: int
    kind: str
    conversation_id: int
    message_id: int | None
    actor: str = ""
    concerns: Mapping[str, int] = msgspec.field(default_factory=dict)


class EventFacts(msgspec.Struct, frozen=True):
    """An event with the current facts about its conversation.

    :param row: the columns of :func:`_conversations` and, if it has a message, of :func:`_messages`.
    """

    event: Event
    facts: Facts
    row: Any

    def asks(self, action: RuleAction) -> Question:
        """Return the question to an addon what its action is to do."""
        return Question(action, self.event.key, self.event.message_id, "", _about(self.row), _state(self.row))

    def about(self) -> AskedAbout:
        """Return the arguments of an addon's conditions and actions."""
        return _about(self.row)


def _about(row: Any) -> AskedAbout:
    return AskedAbout(
        account=ref(row.ChannelAccount),
        kind=row.message_kind or "",
        text=row.text or "",
        content=row.content or {},
        profile=row.profile or {},
        email=row.email,
        contact_id=row.contact_id,
        conversation_id=row.id,
    )


_STATE = (
    *("status", "assignee_id", "team_id", "handled_by", "snooze_kind", "spam_at", "waiting_since"),
    *("failed_count", "scheduled_at", "last_inbound_at", "post_id", "caption", "unsent_at"),
)
"""The columns that have to be the same when an addon's answer is used."""


def _state(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name, None) for name in _STATE)


def needs(asked: Sequence[HasConditions]) -> frozenset[str]:
    """Return the facts that the conditions of *asked* need and that take an extra database query."""
    found: set[str] = set()
    for one in asked:
        for condition in leaves(one.conditions):
            found.add(str(condition.__struct_config__.tag))
            if isinstance(condition, FilterCondition):
                found |= set(condition.filter)
    return frozenset(found)


def seen(
    session: Session,
    events: Sequence[Event],
    needs: Collection[str],
    directory: RuleDirectory,
    now: datetime,
    asked: Mapping[int, Sequence[HasConditions]],
    *,
    assumed: bool = False,
) -> dict[int, EventFacts]:
    """Return the facts about *events* whose conversation and message exist, by key.

    :param needs: the facts to query, see :func:`needs`; the rest stay empty.
    :param asked: what has conditions in each workspace, such as rules.
    :param assumed: count the conditions of addons as met, without asking the addons.
    """
    ids = {one.conversation_id for one in events}
    rows = {row.id: row for row in session.execute(_conversations(), {"ids": db.padded(ids)})} if ids else {}
    messages = _messages(session, {one.message_id for one in events if one.message_id is not None})
    labels = _grouped(session, _labels(ids)) if _LABELS.intersection(needs) else {}
    mentioned = _grouped(session, _mentions(ids)) if "mentioned" in needs else {}
    before = _wrote_before(session, ids) if "before" in needs else {}
    values = _values(session, {row.contact_id for row in rows.values()}) if "contact" in needs else {}
    theirs = hours.load(session, {one.workspace_id for one in events}) if "hours" in needs else None
    joined: dict[int, tuple[Event, _Joined]] = {}
    for event in events:
        talk = rows.get(event.conversation_id)
        message = messages.get(event.message_id) if event.message_id is not None else None
        if talk is not None and (event.message_id is None or message is not None):
            joined[event.key] = event, _Joined(talk, message)
    addon = _addons(session, asked, joined, directory, assumed=assumed) if "addon" in needs else {}
    found = {}
    for key, (event, row) in joined.items():
        message = messages.get(event.message_id) if event.message_id is not None else None
        found[key] = EventFacts(
            event,
            Facts(
                text=(message.text or "") if message is not None else "",
                kind=message.message_kind if message is not None else "",
                actor=event.actor,
                status=row.status,
                channel=row.channel,
                account_id=row.account_id,
                assignee_id=row.assignee_id,
                team_id=row.team_id,
                handled_by=row.handled_by,
                labels=labels.get(row.id, frozenset()),
                mentioned=mentioned.get(row.id, frozenset()),
                snoozed=row.snooze_kind is not None,
                spam=row.spam_at is not None,
                needs_reply=row.waiting_since is not None,
                failed=row.failed_count > 0,
                late=_late(row, now),
                scheduled=row.scheduled_at is not None,
                is_open=_is_open(theirs, row, now),
                window=_window(row, directory, now) if "window" in needs else "",
                wrote_before=_earlier(before.get(row.id, ()), message),
                attributes=values.get(row.contact_id, {}),
                concerns=event.concerns,
                post=row.post_id,
                caption=row.caption or "",
                addon=addon.get(key, {}),
            ),
            row,
        )
    return found


def of_first_message(
    session: Session,
    account: ChannelAccount,
    text: str,
    bodies: Sequence[HasConditions],
    directory: RuleDirectory,
    now: datetime,
) -> EventFacts:
    """Return the facts about *text* as if a new customer had just written it on *account*."""
    row = SimpleNamespace(
        ChannelAccount=account,
        channel=account.channel,
        message_kind=str(MessageKind.TEXT),
        text=text,
        content={},
        profile={},
        email=None,
        contact_id=None,
        id=None,
        last_inbound_at=now,
    )
    theirs = hours.load(session, {account.workspace_id}).of(account.workspace_id, None)
    event = Event(0, account.workspace_id, MESSAGE_RECEIVED, 0, None, str(ActorKind.CUSTOMER))
    facts = Facts(
        text=text,
        kind=row.message_kind,
        actor=event.actor,
        channel=account.channel,
        account_id=account.id,
        needs_reply=True,
        is_open=theirs.is_open(now),
        window=_window(row, directory, now),
        addon=_addons(session, {account.workspace_id: bodies}, {0: (event, row)}, directory).get(0, {}),
    )
    return EventFacts(event, facts, row)


_LABELS = frozenset({"labels", "all_labels", "no_labels"})


class _Joined:
    """The columns of a conversation and of its message, if any."""

    def __init__(self, conversation: Any, message: Any) -> None:
        self._conversation, self._message = conversation, message

    def __getattr__(self, name: str) -> Any:
        if name in _OF_MESSAGE:
            return getattr(self._message, name, None)
        return getattr(self._conversation, name)


_OF_MESSAGE = frozenset(
    {"message_kind", "direction", "text", "content", "origin", "sent_at", "imported_at", "unsent_at"}
    | {"external_id"}
)


@cache
def _conversations() -> Any:
    columns = sa.select(
        Conversation.id,
        Conversation.workspace_id,
        Conversation.contact_id,
        Conversation.account_id,
        Conversation.channel,
        Conversation.status,
        Conversation.assignee_id,
        Conversation.team_id,
        Conversation.handled_by,
        Conversation.snooze_kind,
        Conversation.spam_at,
        Conversation.waiting_since,
        Conversation.failed_count,
        Conversation.scheduled_at,
        Conversation.last_inbound_at,
        Conversation.post_id,
        Contact.email,
        Post.text.label("caption"),
        ContactIdentity.profile,
        ChannelAccount,
    )
    return (
        columns.join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .outerjoin(Post, Post.id == Conversation.post_id)
        .where(Conversation.id.in_(sa.bindparam("ids", expanding=True)))
    )


def _messages(session: Session, ids: Collection[int]) -> dict[int, Any]:
    if not ids:
        return {}
    return {row.id: row for row in session.execute(_message_columns(), {"ids": db.padded(ids)})}


@cache
def _message_columns() -> Any:
    return sa.select(
        Message.id,
        Message.kind.label("message_kind"),
        Message.direction,
        Message.text,
        Message.content,
        Message.origin,
        Message.sent_at,
        Message.imported_at,
        Message.unsent_at,
        Message.external_id,
    ).where(Message.id.in_(sa.bindparam("ids", expanding=True)))


def _labels(ids: Collection[int]) -> Any:
    return sa.select(ConversationLabel.conversation_id, ConversationLabel.label_id).where(
        ConversationLabel.conversation_id.in_(ids)
    )


def _mentions(ids: Collection[int]) -> Any:
    return sa.select(Mention.conversation_id, Mention.user_id).where(Mention.conversation_id.in_(ids))


def _grouped(session: Session, query: Any) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for key, value in session.execute(query):
        found[key].add(value)
    return {key: frozenset(value) for key, value in found.items()}


def _values(session: Session, contacts: Collection[int]) -> dict[int, dict[int, str]]:
    found: dict[int, dict[int, str]] = defaultdict(dict)
    query = sa.select(ContactValue.contact_id, ContactValue.attribute_id, ContactValue.value)
    for contact_id, attribute_id, value in session.execute(
        query.where(ContactValue.contact_id.in_(contacts))
    ):
        found[contact_id][attribute_id] = value
    return found


def _wrote_before(session: Session, ids: Collection[int]) -> dict[int, Sequence[datetime]]:
    """Return when the customer wrote first and second in each conversation, and last in an earlier one."""
    others = aliased(Conversation)
    elsewhere = (
        sa.select(sa.func.max(others.last_inbound_at))
        .where(others.identity_id == Conversation.identity_id, others.id < Conversation.id)
        .correlate(Conversation)
        .scalar_subquery()
    )
    query = sa.select(Conversation.id, _inbound(0), _inbound(1), elsewhere)
    return {
        id_: sorted(at for at in times if at is not None)
        for id_, *times in session.execute(query.where(Conversation.id.in_(ids)))
    }


def _inbound(offset: int) -> Any:
    return (
        sa.select(Message.sent_at)
        .where(Message.conversation_id == Conversation.id, Message.direction == Direction.INBOUND)
        .order_by(Message.sent_at, Message.id)
        .limit(1)
        .offset(offset)
        .correlate(Conversation)
        .scalar_subquery()
    )


def _earlier(firsts: Sequence[datetime], message: Any) -> datetime | None:
    """Return when the customer wrote before the message; without a message, before their last one."""
    if message is not None:
        return next((at for at in firsts if at < message.sent_at), None)
    return firsts[0] if len(firsts) > 1 else None


def _late(row: Any, now: datetime) -> bool:
    target = row.ChannelAccount.reply_target
    put_away = row.snooze_kind is not None or row.spam_at is not None
    if target is None or row.waiting_since is None or put_away or row.status != ConversationStatus.OPEN:
        return False
    return bool(row.waiting_since + timedelta(minutes=target) <= now)


def _is_open(theirs: LoadedHours | None, row: Any, now: datetime) -> bool:
    return theirs is None or theirs.of(row.workspace_id, row.team_id).is_open(now)


def _window(row: Any, directory: AdapterDirectory, now: datetime) -> str:
    adapter = directory.adapter(row.channel)
    if adapter is None:
        return ""
    policy = policy_for(adapter, ref(row.ChannelAccount), row.last_inbound_at, now, by_person=False)
    return _TO[policy.state]


def _addons(
    session: Session,
    asked: Mapping[int, Sequence[HasConditions]],
    rows: Mapping[int, tuple[Event, Any]],
    directory: RuleDirectory,
    *,
    assumed: bool = False,
) -> dict[int, dict[tuple[str, str], bool]]:
    """Return whether the addon conditions used in each event's workspace are met, by the event's key.

    A condition that failed or took too long is left out.

    :param rows: each event with its row.
    :param assumed: count each as met and ask no addon.
    """
    wanted = {workspace_id: _of_addons(bodies) for workspace_id, bodies in asked.items()}
    questions = []
    for name in sorted({name for values in wanted.values() for name in values}):
        condition = directory.condition(name)
        if condition is None:
            continue
        for key, (event, row) in rows.items():
            if condition.channel not in {None, row.channel}:
                continue
            about, state = _about(row), _state(row)
            for value in sorted(wanted.get(event.workspace_id, {}).get(name, ())):
                questions.append(Question(condition, key, event.message_id, value, about, state))
    found: dict[int, dict[tuple[str, str], bool]] = defaultdict(dict)
    if assumed:
        for one in questions:
            found[one.key][one.of.name, one.value] = True
        return found
    answers = asking_addons.answers_to(session, questions)
    for one in questions:
        answer = answers[one]
        if answer.came:
            found[one.key][one.of.name, one.value] = answer.said
    return found


def _of_addons(bodies: Iterable[HasConditions]) -> dict[str, set[str]]:
    """Return the addon conditions that *bodies* use: the values by name."""
    found: dict[str, set[str]] = defaultdict(set)
    for body in bodies:
        for one in leaves(body.conditions):
            if isinstance(one, OfAddon):
                found[one.name].add(one.value)
    return found


def is_ours(row: Any) -> bool:
    """Return whether the message of an event was written by Lobby."""
    return bool(row.origin == Origin.SYSTEM)
