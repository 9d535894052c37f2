"""Build the bodies of events: built-in ones, and those of a channel's addon.

An event's body and id are the same for every receiver: both depend only on the event and the name.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core.cleaning import clean_value
from host.core.ports import AdapterDirectory
from host.events.catalogue import KINDS
from host.events.declaration import ConversationRow, EventSubject
from host.events.kinds import parts
from host.events.kinds.contacts import CONTACT_IDENTITY_ADDED, OfIdentity
from host.events.kinds.conversations import OfConversation, OfLabel, state_of
from host.events.kinds.messages import MESSAGE_REACTED, OfReaction, is_claimed
from host.events.kinds.rules import RULE_CALLED, OfRule
from host.events.kinds.shapes import Shape, timestamp
from host.events.models import ActorKind
from host.events.reading import Recorded
from host.features import registry
from host.inbox.labels.queries import LabelRef, labels_of_conversations
from host.inbox.messages import Entry, load_messages
from host.models.channels import ChannelAccount, ref
from host.models.inbox import ContactIdentity, Conversation, Message
from host.sdk.outgoing import (
    DeskEvent,
    OutgoingEvent,
    ToldConversation,
    ToldFile,
    ToldMessage,
    ToldReaction,
)

log = logging.getLogger("lobby.outgoing")

_encoder = msgspec.json.Encoder()
_IDS = ("id", "messageId", "conversationId", "contactId", "channelId", "channelType")
_OWN_NAME = re.compile(r"[a-z][a-z_]{0,30}")


class Body(NamedTuple):
    """The body of one event under one name."""

    id: str
    workspace_id: int
    event_id: int
    name: str
    body: str
    account_id: int | None = None
    conversation_id: int | None = None
    message_id: int | None = None
    contact_id: int | None = None


class OutgoingBody(NamedTuple):
    """A body of an event, with the rules for delivering it.

    :param replaces: whether it replaces the built-in event for its subscribers.
    :param is_hosts: whether its name is one of the host's.
    :param labels: labels of its conversation, by id; None: no conversation.
    :param later: whether it is sent with a later event: here it only replaces the built-in event.
    :param only: id of the only endpoint that gets it, regardless of its subscriptions; None: every
        subscriber.
    """

    body: Body
    replaces: bool = False
    is_hosts: bool = True
    labels: frozenset[int] | None = None
    only: int | None = None
    later: bool = False


class _BatchSubjects(NamedTuple):
    """The subjects of a batch of events, by id; *names* as in :class:`EventSubject`."""

    messages: Mapping[int, Entry]
    talks: Mapping[int, ConversationRow]
    accounts: Mapping[int, ChannelAccount]
    labels: Mapping[int, Sequence[LabelRef]]
    names: Mapping[str, Mapping[int, str]]
    base: str


def event_id(event: Recorded, name: str) -> str:
    """Return the stable id of an event under a name: ``evt_`` and 20 characters."""
    # The time separates the events of two desks that share a receiver.
    digest = hashlib.sha256(f"{event.id} {event.at.timestamp():.6f} {name}".encode()).digest()
    return f"evt_{base64.urlsafe_b64encode(digest[:15]).decode()}"


def build(
    session: Session,
    events: Sequence[Recorded],
    directory: AdapterDirectory,
    base: str,
    *,
    lock: bool = False,
) -> Iterator[tuple[Recorded, Sequence[OutgoingBody]]]:
    """Yield each of *events* with its bodies, except kinds this version does not know.

    :param base: the public address of the desk.
    :param lock: whether to lock the subjects, so that they cannot be erased before this write ends.
    """
    known = [one for one in events if _is_known(one)]
    found = _found(session, known, base, lock=lock)
    for event in known:
        about = _about(event, found)
        data = KINDS[event.kind].make(about)
        if data is None:
            continue
        own = OutgoingBody(
            _body(about, event.kind, _erased(data) if _is_erased(about) else data),
            labels=_label_ids(about),
            only=event.facts(OfRule).endpoint if event.kind == RULE_CALLED else None,
        )
        yield event, [own, *_of_channel(about, directory)]


def _label_ids(about: EventSubject) -> frozenset[int] | None:
    """Return the labels that endpoints filter the event by, including one that is being removed."""
    if about.talk is None:
        return None
    kind = KINDS[about.event.kind].facts
    is_of_label = kind is OfLabel
    if issubclass(kind, OfConversation):
        ids = frozenset(id_ for id_, _name in state_of(about, about.talk).labels)
    else:
        ids = frozenset(one.id for one in about.labels)
    return ids | {about.event.facts(OfLabel).label} if is_of_label else ids


def _is_known(event: Recorded) -> bool:
    """Return whether a body can be built for *event*. A damaged one must not block the others."""
    if event.kind not in KINDS:
        return False
    try:
        event.facts(KINDS[event.kind].facts)
    except msgspec.MsgspecError:
        log.error("the facts of event %s, %s, cannot be read; nobody is told of it", event.id, event.kind)
        return False
    return True


def _about(event: Recorded, found: _BatchSubjects) -> EventSubject:
    talk = found.talks.get(event.conversation_id or 0)
    account_id = event.account_id or (0 if talk is None else talk.account_id)
    return EventSubject(
        event,
        found.accounts.get(account_id),
        talk,
        found.messages.get(event.message_id or 0),
        found.labels.get(event.conversation_id or 0, ()),
        found.names,
        found.base,
    )


def _found(session: Session, events: Sequence[Recorded], base: str, *, lock: bool) -> _BatchSubjects:
    conversations = {one.conversation_id for one in events if one.conversation_id is not None}
    ids = {one.message_id for one in events if one.message_id is not None}
    if lock:
        # Lock in the order of the inbox. An erasure waits until these bodies exist, to erase them.
        for column, some in ((Conversation.id, conversations), (Message.id, ids)):
            query = sa.select(column).where(column.in_(sorted(some))).order_by(column)
            session.execute(query.with_for_update(read=True)).all()
    messages: dict[int, Entry] = {}
    for workspace_id in {one.workspace_id for one in events}:
        some = {one.message_id for one in events if one.workspace_id == workspace_id and one.message_id}
        if some:
            messages |= {one.id: one for one in load_messages(session, workspace_id, None, some, parts=False)}
    talks = {
        row.id: ConversationRow._make(row)
        for row in session.execute(_talks.where(Conversation.id.in_(conversations)))
    }
    account_ids = {one.account_id for one in events} | {one.account_id for one in talks.values()}
    accounts = session.scalars(sa.select(ChannelAccount).where(ChannelAccount.id.in_(account_ids - {None})))
    return _BatchSubjects(
        messages,
        talks,
        {one.id: one for one in accounts},
        labels_of_conversations(session, [*talks]),
        _names(session, events, talks.values()),
        base,
    )


@cache
def _queries() -> Mapping[str, sa.Select[int, str]]:
    """Return queries for the names of objects that events refer to by id."""
    return {what: registry.names_of(what) for what in registry.named("names")}


def _names(
    session: Session, events: Iterable[Recorded], talks: Iterable[ConversationRow]
) -> dict[str, Mapping[int, str]]:
    """Return the names of the existing objects that the events and their conversations refer to by id."""
    ids: dict[str, set[int | None]] = {what: set() for what in _queries()}
    ids["people"] |= {one.assignee_id for one in talks}
    ids["teams"] |= {one.team_id for one in talks}
    for event in events:
        if event.actor_kind == ActorKind.USER:
            ids["people"].add(event.actor_id)
        facts = event.facts(KINDS[event.kind].facts)
        for field, what in facts.named.items():
            ids.setdefault(what, set()).add(getattr(facts, field))
        if isinstance(facts, OfConversation) and facts.state is not None:
            ids["people"].add(facts.state.assignee)
            ids["teams"].add(facts.state.team)
    found: dict[str, Mapping[int, str]] = {}
    for what, all_ids in ids.items():
        wanted, query = all_ids - {0, None}, _queries().get(what)
        if query is None or not wanted:
            found[what] = {}
            continue
        column = query.selected_columns[0]
        found[what] = {row[0]: row[1] for row in session.execute(query.where(column.in_(wanted)))}
    return found


_talks = sa.select(
    Conversation.id,
    Conversation.account_id,
    Conversation.contact_id,
    Conversation.status,
    Conversation.handled_by,
    Conversation.assignee_id,
    Conversation.team_id,
    ContactIdentity.external_id,
    ContactIdentity.username,
    ContactIdentity.erased_at,
    Conversation.snooze_kind,
    Conversation.snoozed_until,
    Conversation.spam_at,
).join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)


def _body(about: EventSubject, name: str, data: Shape | Mapping[str, Any]) -> Body:
    event, talk = about.event, about.talk
    return Body(
        id=event_id(event, name),
        workspace_id=event.workspace_id,
        event_id=event.id,
        name=name,
        body=_encoder.encode({"event": name, "data": data}).decode(),
        account_id=None if about.account is None else about.account.id,
        conversation_id=event.conversation_id,
        message_id=event.message_id,
        contact_id=_contact_of(event) if talk is None else talk.contact_id,
    )


def _contact_of(event: Recorded) -> int | None:
    """Return whose id a body has although they have no conversation: it is erased with them."""
    return event.facts(OfIdentity).contact if event.kind == CONTACT_IDENTITY_ADDED else None


# Erased data


def tombstone(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of an event after erasure."""
    return {name: data[name] for name in _IDS if name in data} | {"erased": True}


def _is_erased(about: EventSubject) -> bool:
    event, talk, message = about.event, about.talk, about.message
    if talk is not None and talk.erased_at is not None and event.at <= talk.erased_at:
        return True
    return message is not None and (
        message.erased or (message.unsent_at is not None and KINDS[event.kind].says_content)
    )


def _erased(data: Shape) -> dict[str, Any]:
    return tombstone(msgspec.to_builtins(data))


# Additions by channels


def _of_channel(about: EventSubject, directory: AdapterDirectory) -> Iterator[OutgoingBody]:
    """Yield the bodies that the channel's addon adds; a failing addon adds none, without blocking others."""
    account, talk, event = about.account, about.talk, about.event
    adapter = None if account is None else directory.adapter(account.channel)
    if adapter is None or not adapter.outgoing_kinds or account is None or talk is None:
        return
    if not KINDS[event.kind].for_channels or is_claimed(event):
        return
    facts = event.facts(OfReaction) if event.kind == MESSAGE_REACTED else None
    asked = DeskEvent(
        kind=event.kind,
        account=ref(account),
        contact=talk.external_id,
        at=event.occurred_at,
        username=talk.username,
        reaction=None if facts is None else ToldReaction(facts.name, facts.emoji, facts.removed),
        conversation=ToldConversation(
            status=talk.status,
            labels=tuple(one.name for one in about.labels),
            snoozed=talk.snooze_kind is not None,
            snoozed_until=talk.snoozed_until,
            spam=talk.spam_at is not None,
        ),
    )
    names = {one.name for one in adapter.outgoing_kinds}
    try:
        given = list(adapter.outgoing(asked, _told_message(about)))
    except Exception:
        log.exception("the adapter of %s raised while it was asked what to tell of an event", account.channel)
        return
    for one in given:
        if not _is_usable(one, {account.channel, adapter.beside}, names):
            log.error("the adapter of %s names an event twice, or one it did not declare", account.channel)
            continue
        names.discard(one.name)
        at = about.message.sent_at if facts is None and about.message is not None else event.occurred_at
        data = {
            "channelId": account.uuid,
            "from": talk.external_id,
            **clean_value(one.data),
            "timestamp": timestamp(at),
        }
        left = tombstone(data) if _is_erased(about) else data
        body = _body(about, one.name, left)
        yield OutgoingBody(
            body, replaces=one.replaces, is_hosts=False, labels=_label_ids(about), later=one.later
        )


def _is_usable(one: OutgoingEvent, channels: set[str], names: set[str]) -> bool:
    start, _dot, rest = one.name.partition(".")
    return start in channels and bool(_OWN_NAME.fullmatch(rest)) and one.name in names


def _told_message(about: EventSubject) -> ToldMessage | None:
    message = about.message
    if message is None:
        return None
    return ToldMessage(
        id=str(message.id),
        external_id=message.external_id,
        kind=message.kind,
        sent_at=message.sent_at,
        text=message.text,
        content=message.content,
        files=tuple(ToldFile(one.kind, parts.url(one, about.base)) for one in message.files),
    )
