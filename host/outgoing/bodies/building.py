"""Make the bodies of events: the host's own, and what a channel's addon adds.

An event's body is the same whoever asks for it, and its id too: both follow from the event and the name.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, UnsetType
from sqlalchemy.orm import Session

from host.core.cleaning import clean_value
from host.core.ports import AdapterDirectory
from host.inbox.messages import Entry, File, load_messages
from host.inbox.queries import LabelRef, labels_of
from host.models.assistants import Assistant
from host.models.automation import Rule
from host.models.channels import ChannelAccount, ref
from host.models.inbox import ContactIdentity, Conversation, Direction, Message
from host.models.labels import Label
from host.models.record import ActorKind
from host.models.teams import Team
from host.models.users import User
from host.outgoing import erasing
from host.outgoing.bodies import shapes
from host.outgoing.bodies.shapes import Shape, timestamp
from host.outgoing.waiting import Body
from host.record import catalogue
from host.record.catalogue import (
    OfAssignment,
    OfAssistant,
    OfBeginning,
    OfConsent,
    OfContact,
    OfContactChange,
    OfDue,
    OfHandler,
    OfLabel,
    OfMerge,
    OfReaction,
    OfRule,
    OfSnooze,
    OfTeam,
    OfWaking,
)
from host.record.reading import Recorded
from host.sdk.messages import MessageKind
from host.sdk.outgoing import (
    DeskEvent,
    OutgoingEvent,
    ToldConversation,
    ToldFile,
    ToldMessage,
    ToldReaction,
)

log = logging.getLogger("lobby.outgoing")

FILES = "/api/v1/attachments"
"""Where a program gets a file of a message, with its key."""

_encoder = msgspec.json.Encoder()
_OWN_NAME = re.compile(r"[a-z][a-z_]{0,30}")
_WITH_KEY = frozenset(
    {MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE, MessageKind.STICKER}
)


class Told(NamedTuple):
    """A body of an event.

    :param replaces: whether who hears of it needs not hear of the host's own.
    :param is_hosts: whether its name is the host's.
    :param labels: those of its conversation, by id; None: it is of no conversation.
    :param later: whether it is told with a later event: here it only takes the place of the host's own.
    :param only: the one endpoint that hears of it, by id, whatever it hears of else; None: whoever wants to.
    """

    body: Body
    replaces: bool = False
    is_hosts: bool = True
    labels: frozenset[int] | None = None
    only: int | None = None
    later: bool = False


class _Talk(NamedTuple):
    """A conversation and its customer."""

    id: int
    account_id: int
    contact_id: int
    status: str
    handled_by: str
    assignee_id: int | None
    team_id: int | None
    external_id: str
    username: str | None
    erased_at: Any
    snooze_kind: str | None
    snoozed_until: datetime | None
    spam_at: datetime | None


class _Found(NamedTuple):
    """What the events of a batch are about, by id."""

    messages: Mapping[int, Entry]
    talks: Mapping[int, _Talk]
    accounts: Mapping[int, ChannelAccount]
    people: Mapping[int, str]
    teams: Mapping[int, str]
    labels: Mapping[int, Sequence[LabelRef]]
    gone: Mapping[int, str]
    rules: Mapping[int, str]
    assistants: Mapping[int, str]
    base: str


class _About(NamedTuple):
    """What one event is about."""

    event: Recorded
    account: ChannelAccount | None
    talk: _Talk | None
    message: Entry | None
    people: Mapping[int, str]
    teams: Mapping[int, str]
    labels: Sequence[LabelRef]
    label: str
    rules: Mapping[int, str]
    assistants: Mapping[int, str]
    base: str


def event_id(event: Recorded, name: str) -> str:
    """Return the id of an event under a name: ``evt_`` and 20 characters, the same whenever it is asked."""
    # The time keeps apart what two desks tell one receiver.
    digest = hashlib.sha256(f"{event.id} {event.at.timestamp():.6f} {name}".encode()).digest()
    return f"evt_{base64.urlsafe_b64encode(digest[:15]).decode()}"


def build(
    session: Session,
    events: Sequence[Recorded],
    directory: AdapterDirectory,
    base: str,
    *,
    lock: bool = False,
) -> Iterator[tuple[Recorded, Sequence[Told]]]:
    """Yield each of *events* with its bodies; kinds this Lobby does not know have none.

    :param base: the public address of the desk.
    :param lock: whether nothing it tells of may be erased before the end of this write.
    """
    known = [one for one in events if _is_known(one)]
    found = _found(session, known, base, lock=lock)
    for event in known:
        about = _about(event, found)
        data = _MAKERS[event.kind](about)
        if data is None:
            continue
        own = Told(
            _body(about, event.kind, _erased(data) if _is_erased(about) else data),
            labels=_label_ids(about),
            only=event.facts(OfRule).endpoint if event.kind == catalogue.RULE_CALLED else None,
        )
        yield event, [own, *_of_channel(about, directory)]


def _label_ids(about: _About) -> frozenset[int] | None:
    """Return the labels by which an endpoint hears of the event: one that is taken off counts once more."""
    if about.talk is None:
        return None
    ids = frozenset(one.id for one in about.labels)
    return ids | {about.event.facts(OfLabel).label} if about.event.kind in _OF_LABELS else ids


_OF_LABELS = frozenset({catalogue.CONVERSATION_LABELLED, catalogue.CONVERSATION_UNLABELLED})
_OF_RULES = frozenset({catalogue.RULE_CALLED, catalogue.RULE_TOLD})
_OF_ASSISTANTS = frozenset(
    name for name, kind in catalogue.KINDS.items() if issubclass(kind.facts, OfAssistant)
)


def _is_known(event: Recorded) -> bool:
    """Tell whether something can be made of *event*. One that is damaged must not hold up the others."""
    if event.kind not in _MAKERS:
        return False
    try:
        event.facts(catalogue.KINDS[event.kind].facts)
    except msgspec.MsgspecError:
        log.error("the facts of event %s, %s, cannot be read; nobody is told of it", event.id, event.kind)
        return False
    return True


def _about(event: Recorded, found: _Found) -> _About:
    talk = found.talks.get(event.conversation_id or 0)
    account_id = event.account_id or (0 if talk is None else talk.account_id)
    return _About(
        event,
        found.accounts.get(account_id),
        talk,
        found.messages.get(event.message_id or 0),
        found.people,
        found.teams,
        found.labels.get(event.conversation_id or 0, ()),
        found.gone.get(event.facts(OfLabel).label, "") if event.kind in _OF_LABELS else "",
        found.rules,
        found.assistants,
        found.base,
    )


def _found(session: Session, events: Sequence[Recorded], base: str, *, lock: bool) -> _Found:
    conversations = {one.conversation_id for one in events if one.conversation_id is not None}
    ids = {one.message_id for one in events if one.message_id is not None}
    if lock:
        # In the order in which the inbox locks them. Who erases waits until these bodies are there to erase.
        for column, some in ((Conversation.id, conversations), (Message.id, ids)):
            query = sa.select(column).where(column.in_(sorted(some))).order_by(column)
            session.execute(query.with_for_update(read=True)).all()
    messages: dict[int, Entry] = {}
    for workspace_id in {one.workspace_id for one in events}:
        some = {one.message_id for one in events if one.workspace_id == workspace_id and one.message_id}
        if some:
            messages |= {one.id: one for one in load_messages(session, workspace_id, None, some, parts=False)}
    talks = {
        row.id: _Talk._make(row) for row in session.execute(_talks.where(Conversation.id.in_(conversations)))
    }
    account_ids = {one.account_id for one in events} | {one.account_id for one in talks.values()}
    accounts = session.scalars(sa.select(ChannelAccount).where(ChannelAccount.id.in_(account_ids - {None})))
    people = sa.select(User.id, User.name).where(User.id.in_(_people(events, talks.values())))
    return _Found(
        messages,
        talks,
        {one.id: one for one in accounts},
        {row.id: row.name for row in session.execute(people)},
        _team_names(session, events, talks.values()),
        labels_of(session, [*talks]),
        _label_names(session, events),
        _rule_names(session, events),
        _assistant_names(session, events),
        base,
    )


def _label_names(session: Session, events: Sequence[Recorded]) -> dict[int, str]:
    """Return the names of the labels that were put on or taken off, of those there still are."""
    ids = {one.facts(OfLabel).label for one in events if one.kind in _OF_LABELS}
    rows = session.execute(sa.select(Label.id, Label.name).where(Label.id.in_(ids))) if ids else ()
    return {row.id: row.name for row in rows}


def _rule_names(session: Session, events: Iterable[Recorded]) -> dict[int, str]:
    """Return the names of the rules that asked for something, of those there still are."""
    ids = {one.facts(OfRule).rule for one in events if one.kind in _OF_RULES}
    rows = session.execute(sa.select(Rule.id, Rule.name).where(Rule.id.in_(ids))) if ids else ()
    return {row.id: row.name for row in rows}


def _assistant_names(session: Session, events: Iterable[Recorded]) -> dict[int, str]:
    """Return the names of the assistants that did something, of those there still are."""
    ids = {one.facts(OfAssistant).assistant for one in events if one.kind in _OF_ASSISTANTS}
    rows = (
        session.execute(sa.select(Assistant.id, Assistant.name).where(Assistant.id.in_(ids))) if ids else ()
    )
    return {row.id: row.name for row in rows}


def _team_names(session: Session, events: Iterable[Recorded], talks: Iterable[_Talk]) -> dict[int, str]:
    """Return the names of the teams that look after the conversations, or that an event names."""
    ids = {one.team_id for one in talks if one.team_id}
    for one in events:
        if one.kind == catalogue.CONVERSATION_TEAM_ASSIGNED:
            ids.add(one.facts(OfTeam).team)
        elif one.kind in _OF_RULES:
            ids.add(one.facts(OfRule).team)
    rows = session.execute(sa.select(Team.id, Team.name).where(Team.id.in_(ids - {0}))) if ids else ()
    return {row.id: row.name for row in rows}


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


def _people(events: Iterable[Recorded], talks: Iterable[_Talk]) -> set[int]:
    found = {one.actor_id for one in events if one.actor_kind == ActorKind.USER}
    found |= {one.assignee_id for one in talks}
    found |= {
        one.facts(OfAssignment).assignee for one in events if one.kind == catalogue.CONVERSATION_ASSIGNED
    }
    found |= {one.facts(OfRule).person for one in events if one.kind in _OF_RULES}
    return {one for one in found if one}


def _body(about: _About, name: str, data: Shape | Mapping[str, Any]) -> Body:
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
        contact_id=None if talk is None else talk.contact_id,
    )


# What is erased

_OF_CONTENT = frozenset(
    {
        *(catalogue.MESSAGE_RECEIVED, catalogue.MESSAGE_SENT, catalogue.MESSAGE_FAILED),
        *(catalogue.MESSAGE_UNCONFIRMED, catalogue.MESSAGE_EDITED, catalogue.NOTE_ADDED),
        catalogue.MESSAGE_COMPLETED,
    }
)
"""Kinds that say what a message says."""


def _is_erased(about: _About) -> bool:
    event, talk, message = about.event, about.talk, about.message
    if talk is not None and talk.erased_at is not None and event.at <= talk.erased_at:
        return True
    return message is not None and (
        message.erased or (message.unsent_at is not None and event.kind in _OF_CONTENT)
    )


def _erased(data: Shape) -> dict[str, Any]:
    return erasing.tombstone(msgspec.to_builtins(data))


# The host's own

_Maker = Callable[[_About], Shape | None]
"""Makes the body of an event; None: what it is about is not here any more."""


def _of_talk(make: Callable[[_About, ChannelAccount, _Talk], Shape | None]) -> _Maker:
    """Return the maker for a kind that needs the account and the conversation."""

    def made(about: _About) -> Shape | None:
        account, talk = about.account, about.talk
        return None if account is None or talk is None else make(about, account, talk)

    return made


def _of_message(make: Callable[[_About, ChannelAccount, _Talk, Entry], Shape | None]) -> _Maker:
    """Return the maker for a kind that needs the message besides."""

    def made(about: _About, account: ChannelAccount, talk: _Talk) -> Shape | None:
        return None if about.message is None else make(about, account, talk, about.message)

    return _of_talk(made)


@_of_message
def _received(about: _About, account: ChannelAccount, talk: _Talk, message: Entry) -> Shape:
    return shapes.MessageReceived(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        direction="inbound",
        from_=talk.external_id,
        conversation_id=str(talk.id),
        contact_id=str(talk.contact_id),
        content=_content(message, about.base),
        timestamp=timestamp(message.sent_at),
        metadata=_metadata(message, talk),
    )


@_of_message
def _ours(about: _About, account: ChannelAccount, talk: _Talk, message: Entry) -> Shape:
    error = message.error if about.event.kind != catalogue.MESSAGE_SENT else None
    return shapes.OurMessage(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        direction="outbound",
        to=talk.external_id,
        conversation_id=str(talk.id),
        contact_id=str(talk.contact_id),
        origin=message.origin,
        author=_author(message),
        content=_content(message, about.base),
        error=shapes.Problem(code=str(error.get("code") or ""), message=str(error.get("sentence") or ""))
        if error
        else UNSET,
        timestamp=timestamp(about.event.occurred_at),
        metadata=_metadata(message, talk),
    )


@_of_message
def _read(about: _About, account: ChannelAccount, talk: _Talk, message: Entry) -> Shape:
    return shapes.MessageRead(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        to=talk.external_id,
        conversation_id=str(talk.id),
        contact_id=str(talk.contact_id),
        timestamp=timestamp(about.event.occurred_at),
        metadata=_metadata(message, talk),
    )


@_of_message
def _edited(about: _About, account: ChannelAccount, talk: _Talk, message: Entry) -> Shape:
    inbound = message.direction == Direction.INBOUND
    return shapes.MessageEdited(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        direction="inbound" if inbound else "outbound",
        from_=talk.external_id if inbound else "",
        to="" if inbound else talk.external_id,
        conversation_id=str(talk.id),
        contact_id=str(talk.contact_id),
        content=_content(message, about.base),
        timestamp=timestamp(about.event.occurred_at),
        metadata=_metadata(message, talk),
    )


@_of_message
def _unsent(about: _About, account: ChannelAccount, talk: _Talk, message: Entry) -> Shape:
    return shapes.MessageUnsent(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        direction="inbound" if message.direction == Direction.INBOUND else "outbound",
        conversation_id=str(talk.id),
        contact_id=str(talk.contact_id),
        timestamp=timestamp(about.event.occurred_at),
    )


@_of_message
def _moderated(about: _About, account: ChannelAccount, talk: _Talk, message: Entry) -> Shape:
    return shapes.MessageModerated(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        from_=talk.external_id,
        conversation_id=str(talk.id),
        contact_id=str(talk.contact_id),
        timestamp=timestamp(about.event.occurred_at),
        metadata=_metadata(message, talk),
    )


@_of_talk
def _reacted(about: _About, account: ChannelAccount, talk: _Talk) -> Shape | None:
    if about.event.message_id is None:
        return None
    facts = about.event.facts(OfReaction)
    return shapes.MessageReacted(
        message_id=str(about.event.message_id),
        channel_id=account.uuid,
        channel_type=account.channel,
        from_=talk.external_id,
        conversation_id=str(talk.id),
        contact_id=str(talk.contact_id),
        reaction=facts.name,
        emoji=facts.emoji,
        action="unreact" if facts.removed else "react",
        timestamp=timestamp(about.event.occurred_at),
    )


@_of_talk
def _conversation(about: _About, account: ChannelAccount, talk: _Talk) -> Shape:
    event = about.event
    status, assignee, team = talk.status, talk.assignee_id, talk.team_id
    # What it was at that moment, as far as the event itself says so.
    if event.kind in {catalogue.CONVERSATION_CREATED, catalogue.CONVERSATION_REOPENED}:
        status = "open"
    elif event.kind == catalogue.CONVERSATION_CLOSED:
        status = "closed"
    elif event.kind == catalogue.CONVERSATION_ASSIGNED:
        assignee = event.facts(OfAssignment).assignee
    elif event.kind == catalogue.CONVERSATION_TEAM_ASSIGNED:
        team = event.facts(OfTeam).team
    handler = talk.handled_by
    if event.kind == catalogue.CONVERSATION_HANDLER_CHANGED:
        handler = event.facts(OfHandler).handler
    return shapes.Conversation(
        id=str(talk.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        from_=talk.external_id,
        contact_id=str(talk.contact_id),
        status="closed" if status == "closed" else "open",
        assignee=_person(assignee, about.people),
        team=_team(team, about.teams),
        handled_by=cast(Any, handler),
        by=_person(event.actor_id, about.people) if event.actor_kind == ActorKind.USER else UNSET,
        labels=[shapes.Label(id=str(one.id), name=one.name) for one in about.labels],
        **_keeping(about),
        timestamp=timestamp(event.occurred_at),
    )


def _keeping(about: _About) -> dict[str, Any]:
    """Return what an event about a label, a snooze or somebody who waits says besides."""
    event = about.event
    if event.kind == catalogue.CONVERSATION_CREATED:
        previous = event.facts(OfBeginning).before
        return {"previous_id": str(previous)} if previous else {}
    if event.kind in _OF_LABELS:
        return {"label": shapes.Label(id=str(event.facts(OfLabel).label), name=about.label)}
    if event.kind == catalogue.CONVERSATION_SNOOZED:
        snooze = event.facts(OfSnooze)
        until = timestamp(datetime.fromisoformat(snooze.until)) if snooze.until else UNSET
        return {"snooze": shapes.Snooze(kind=cast(Any, snooze.snooze), until=until)}
    if event.kind == catalogue.CONVERSATION_WOKEN:
        return {"because": event.facts(OfWaking).because}
    if event.kind in {catalogue.CONVERSATION_WINDOW_CLOSING, catalogue.CONVERSATION_REPLY_DUE}:
        until = event.facts(OfDue).until
        return {"until": timestamp(datetime.fromisoformat(until))} if until else {}
    return {}


def _label_deleted(about: _About) -> Shape:
    facts = about.event.facts(OfLabel)
    into = str(facts.into) if facts.into else UNSET
    return shapes.LabelDeleted(id=str(facts.label), into=into, timestamp=timestamp(about.event.occurred_at))


def _team_deleted(about: _About) -> Shape:
    event = about.event
    return shapes.TeamDeleted(id=str(event.facts(OfTeam).team), timestamp=timestamp(event.occurred_at))


@_of_message
def _note(about: _About, account: ChannelAccount, talk: _Talk, message: Entry) -> Shape:
    return shapes.NoteAdded(
        id=str(message.id),
        channel_id=account.uuid,
        channel_type=account.channel,
        conversation_id=str(talk.id),
        text=message.text,
        author=_author(message),
        timestamp=timestamp(message.sent_at),
    )


def _contact(about: _About) -> Shape:
    contact = about.event.facts(OfContact).contact
    return shapes.ContactErased(id=str(contact), timestamp=timestamp(about.event.occurred_at))


def _contact_changed(about: _About) -> Shape:
    facts = about.event.facts(OfContactChange)
    return shapes.ContactChanged(
        id=str(facts.contact),
        field=cast(Any, facts.field) if facts.field else UNSET,
        attribute_id=str(facts.attribute) if facts.attribute else UNSET,
        timestamp=timestamp(about.event.occurred_at),
    )


def _contact_state(about: _About) -> Shape:
    contact = about.event.facts(OfContact).contact
    return shapes.ContactChanged(id=str(contact), timestamp=timestamp(about.event.occurred_at))


def _contact_agreed(about: _About) -> Shape:
    facts = about.event.facts(OfConsent)
    return shapes.ContactAgreed(
        id=str(facts.contact),
        word=facts.word,
        message_id=str(facts.message) if facts.message else "",
        timestamp=timestamp(about.event.occurred_at),
    )


def _contact_merged(about: _About) -> Shape:
    facts = about.event.facts(OfMerge)
    return shapes.ContactMerged(
        id=str(facts.contact), other=str(facts.other), timestamp=timestamp(about.event.occurred_at)
    )


def _rule(about: _About, account: ChannelAccount, talk: _Talk) -> dict[str, Any]:
    """Return what both kinds of events of rules say."""
    event, rule = about.event, about.event.facts(OfRule).rule
    return {
        "rule": shapes.Rule(id=str(rule), name=about.rules.get(rule, "")),
        "channel_id": account.uuid,
        "channel_type": account.channel,
        "from_": talk.external_id,
        "contact_id": str(talk.contact_id),
        "conversation_id": str(talk.id),
        "message_id": str(event.message_id) if event.message_id is not None else "",
        "timestamp": timestamp(event.occurred_at),
    }


@_of_talk
def _rule_called(about: _About, account: ChannelAccount, talk: _Talk) -> Shape:
    return shapes.RuleCalled(**_rule(about, account, talk))


@_of_talk
def _rule_told(about: _About, account: ChannelAccount, talk: _Talk) -> Shape:
    facts = about.event.facts(OfRule)
    return shapes.RuleTold(
        person=_person(facts.person, about.people),
        team=_team(facts.team, about.teams),
        **_rule(about, account, talk),
    )


def _assistant(about: _About) -> shapes.Assistant:
    id_ = about.event.facts(OfAssistant).assistant
    return shapes.Assistant(id=str(id_), name=about.assistants.get(id_, ""))


def _by(about: _About) -> shapes.Person | UnsetType:
    event = about.event
    return _person(event.actor_id, about.people) if event.actor_kind == ActorKind.USER else UNSET


@_of_talk
def _assistant_turn(about: _About, account: ChannelAccount, talk: _Talk) -> Shape:
    event, facts = about.event, about.event.facts(OfAssistant)
    return shapes.AssistantTurn(
        assistant=_assistant(about),
        turn_id=str(facts.turn),
        channel_id=account.uuid,
        channel_type=account.channel,
        from_=talk.external_id,
        contact_id=str(talk.contact_id),
        conversation_id=str(talk.id),
        message_id=str(event.message_id) if event.message_id is not None else "",
        reason=facts.reason,
        edited=facts.edited if event.kind == catalogue.ASSISTANT_TAKEN else UNSET,
        by=_by(about),
        timestamp=timestamp(event.occurred_at),
    )


def _assistant_mode(about: _About) -> Shape | None:
    account, facts = about.account, about.event.facts(OfAssistant)
    if account is None:
        return None
    return shapes.AssistantMode(
        assistant=_assistant(about),
        channel_id=account.uuid,
        channel_type=account.channel,
        mode=cast(Any, facts.mode),
        before=cast(Any, facts.before),
        by=_by(about),
        timestamp=timestamp(about.event.occurred_at),
    )


def _assistant_state(about: _About) -> Shape:
    return shapes.AssistantState(
        assistant=_assistant(about), by=_by(about), timestamp=timestamp(about.event.occurred_at)
    )


def _account(about: _About) -> Shape | None:
    account = about.account
    if account is None:
        return None
    return shapes.Account(
        channel_id=account.uuid,
        channel_type=account.channel,
        name=account.name,
        handle=account.handle,
        timestamp=timestamp(about.event.occurred_at),
    )


_MAKERS: Mapping[str, _Maker] = {
    catalogue.MESSAGE_RECEIVED: _received,
    catalogue.MESSAGE_SENT: _ours,
    catalogue.MESSAGE_FAILED: _ours,
    catalogue.MESSAGE_UNCONFIRMED: _ours,
    catalogue.MESSAGE_READ: _read,
    catalogue.MESSAGE_EDITED: _edited,
    catalogue.MESSAGE_UNSENT: _unsent,
    catalogue.MESSAGE_REACTED: _reacted,
    catalogue.MESSAGE_HIDDEN: _moderated,
    catalogue.MESSAGE_SHOWN: _moderated,
    catalogue.MESSAGE_DELETED: _moderated,
    catalogue.MESSAGE_COMPLETED: _moderated,
    catalogue.CONVERSATION_CREATED: _conversation,
    catalogue.CONVERSATION_CLOSED: _conversation,
    catalogue.CONVERSATION_REOPENED: _conversation,
    catalogue.CONVERSATION_ASSIGNED: _conversation,
    catalogue.CONVERSATION_TEAM_ASSIGNED: _conversation,
    catalogue.CONVERSATION_HANDLER_CHANGED: _conversation,
    catalogue.CONVERSATION_LABELLED: _conversation,
    catalogue.CONVERSATION_UNLABELLED: _conversation,
    catalogue.CONVERSATION_SNOOZED: _conversation,
    catalogue.CONVERSATION_WOKEN: _conversation,
    catalogue.CONVERSATION_MARKED_SPAM: _conversation,
    catalogue.CONVERSATION_UNMARKED_SPAM: _conversation,
    catalogue.CONVERSATION_FORWARDED: _conversation,
    catalogue.CONVERSATION_WINDOW_CLOSING: _conversation,
    catalogue.CONVERSATION_REPLY_DUE: _conversation,
    catalogue.LABEL_DELETED: _label_deleted,
    catalogue.TEAM_DELETED: _team_deleted,
    catalogue.NOTE_ADDED: _note,
    catalogue.CONTACT_CHANGED: _contact_changed,
    catalogue.CONTACT_MERGED: _contact_merged,
    catalogue.CONTACT_SPLIT: _contact_merged,
    catalogue.CONTACT_BLOCKED: _contact_state,
    catalogue.CONTACT_UNBLOCKED: _contact_state,
    catalogue.CONTACT_OPTED_OUT: _contact_agreed,
    catalogue.CONTACT_OPTED_IN: _contact_agreed,
    catalogue.CONTACT_ERASED: _contact,
    catalogue.RULE_CALLED: _rule_called,
    catalogue.RULE_TOLD: _rule_told,
    catalogue.ASSISTANT_SUGGESTED: _assistant_turn,
    catalogue.ASSISTANT_TAKEN: _assistant_turn,
    catalogue.ASSISTANT_ANSWERED: _assistant_turn,
    catalogue.ASSISTANT_HANDED_OVER: _assistant_turn,
    catalogue.ASSISTANT_DISMISSED: _assistant_turn,
    catalogue.ASSISTANT_FAILED: _assistant_turn,
    catalogue.ASSISTANT_MODE_CHANGED: _assistant_mode,
    catalogue.ASSISTANT_STOPPED: _assistant_state,
    catalogue.ASSISTANT_RESUMED: _assistant_state,
    catalogue.ACCOUNT_CONNECTED: _account,
    catalogue.ACCOUNT_STOPPED: _account,
    catalogue.ACCOUNT_DISCONNECTED: _account,
}


# Parts


def _metadata(message: Entry, talk: _Talk) -> shapes.Metadata:
    return shapes.Metadata(mid=message.external_id or "", username=talk.username or "")


def _author(message: Entry) -> shapes.Person | UnsetType:
    if message.author_id is None:
        return UNSET
    return shapes.Person(id=str(message.author_id), name=message.author_name or "")


def _person(id_: int | None, people: Mapping[int, str]) -> shapes.Person | UnsetType:
    return shapes.Person(id=str(id_), name=people.get(id_, "")) if id_ else UNSET


def _team(id_: int | None, teams: Mapping[int, str]) -> shapes.Team | UnsetType:
    return shapes.Team(id=str(id_), name=teams.get(id_, "")) if id_ else UNSET


def _url(file: File, base: str) -> str:
    return file.outside or f"{base}{FILES}/{file.id}"


def _content(message: Entry, base: str) -> shapes.Content:
    """Return what a message says; of several files the first stands where a single one does."""
    named: dict[str, Any] = {}
    files = list(message.files)
    if message.kind in _WITH_KEY:
        if files:
            named[message.kind] = shapes.Media(url=_url(files[0], base))
        elif message.content.get("sticker"):
            named["sticker"] = shapes.Media(id=str(message.content["sticker"]))
        files = files if len(files) > 1 else []
    return shapes.Content(
        type=message.kind,
        text=message.text,
        payload=str(message.content.get("payload") or ""),
        quick_replies=[_quick_reply(one) for one in message.content.get("quick_replies") or ()],
        template=_template(message.content.get("template")),
        attachments=[shapes.Attachment(type=one.kind, url=_url(one, base), name=one.name) for one in files],
        **named,
    )


def _quick_reply(offered: Mapping[str, Any]) -> dict[str, Any]:
    if "ask" in offered:
        return {"contentType": str(offered["ask"])}
    return {"contentType": "text", **offered}


def _template(value: Mapping[str, Any] | None) -> dict[str, Any] | UnsetType:
    if not value:
        return UNSET
    found: dict[str, Any] = _camel(value)
    return {
        "type": "generic" if "elements" in found else "button" if "buttons" in found else "product"
    } | found


def _camel(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_camel_name(name): _camel(inner) for name, inner in value.items()}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


# What a channel adds


_OF_CHANNELS = frozenset({catalogue.MESSAGE_RECEIVED, catalogue.MESSAGE_REACTED, catalogue.MESSAGE_COMPLETED})
"""Kinds of which addons can tell something of their own."""


def _of_channel(about: _About, directory: AdapterDirectory) -> Iterator[Told]:
    """Yield what the channel's addon makes of an event; one that fails adds nothing and holds up nobody."""
    account, talk, event = about.account, about.talk, about.event
    adapter = None if account is None else directory.adapter(account.channel)
    if adapter is None or not adapter.outgoing_kinds or account is None or talk is None:
        return
    if event.kind not in _OF_CHANNELS:
        return
    facts = event.facts(OfReaction) if event.kind == catalogue.MESSAGE_REACTED else None
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
        left = erasing.tombstone(data) if _is_erased(about) else data
        body = _body(about, one.name, left)
        yield Told(body, replaces=one.replaces, is_hosts=False, labels=_label_ids(about), later=one.later)


def _is_usable(one: OutgoingEvent, channels: set[str], names: set[str]) -> bool:
    start, _dot, rest = one.name.partition(".")
    return start in channels and bool(_OWN_NAME.fullmatch(rest)) and one.name in names


def _told_message(about: _About) -> ToldMessage | None:
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
        files=tuple(ToldFile(one.kind, _url(one, about.base)) for one in message.files),
    )
