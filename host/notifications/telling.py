"""Tell people what happened in conversations: :class:`Telling` reads the record and writes notices.

A notice, its key and the consumer's position are one write, so each thing is told once, whoever dies. Nobody
is told of what they did themselves, of what they look at or have read, or of accounts they do not see. What a
provider's history brings is in no record, so nobody is told of that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.automation import Rule
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, ConversationRead, DeliveryState, Message, Presence
from host.models.mentions import Mention
from host.models.notifications import Notification, NotificationKey, NotificationRule
from host.models.record import ActorKind
from host.models.teams import Team, TeamMember
from host.models.users import Membership, User
from host.notifications import rules
from host.notifications.rules import KINDS, Kind, Way, Ways
from host.record import catalogue
from host.record.catalogue import OfAssignment, OfDue, OfRule, OfTold
from host.record.reading import Recorded
from host.record.writing import Happened, record_all
from host.users import reach

MAIL_WAITS = timedelta(minutes=2)
"""Who reads it in the desk by then gets no mail."""
TOO_OLD = timedelta(days=1)
"""What happened so long ago, as before the workers stood still, is told to nobody: it is in the inbox."""
MOST_GIVEN = 5
"""More conversations given to one person at once are one notice."""

_OF_NOBODY = {Kind.REPLY: Kind.NEW, Kind.WINDOW: Kind.NEW_LATE, Kind.DUE: Kind.NEW_LATE}
"""What a kind is where nobody has the conversation: for those who chose it."""
_KINDS = {
    catalogue.MESSAGE_RECEIVED: Kind.REPLY,
    catalogue.CONVERSATION_WINDOW_CLOSING: Kind.WINDOW,
    catalogue.CONVERSATION_REPLY_DUE: Kind.DUE,
    catalogue.CONVERSATION_ASSIGNED: Kind.ASSIGNED,
    catalogue.MESSAGE_FAILED: Kind.FAILED,
    catalogue.NOTE_ADDED: Kind.MENTION,
    catalogue.RULE_TOLD: Kind.RULE,
}
_TONES = {Kind.FAILED: "bad", Kind.WINDOW: "warn", Kind.DUE: "warn", Kind.NEW_LATE: "warn"}


class Telling:
    """The consumer that writes notices."""

    name = "notices"
    from_beginning = False
    batch = 200
    shown = False

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Tell everybody whom *events* concern."""
        since = clock.now() - TOO_OLD
        about = [
            one for one in events if one.kind in _KINDS and one.conversation_id is not None and one.at > since
        ]
        if about:
            _tell(session, about)


class _Told(NamedTuple):
    """Somebody who is to be told of something, if they want to be.

    :param thing: what it is: nobody is told of the same one twice.
    """

    user_id: int
    kind: Kind
    thing: str
    event: Recorded


@dataclass(frozen=True, slots=True)
class _World:
    """What the rows say now that the events are about.

    :param choosers: who wants to be told of what nobody has, by workspace and kind.
    :param mentioned: who is named in a note and has not seen it, by the note; each with the name of the
        team of theirs that stands there, empty where they are named themselves.
    :param teams: who is in the teams that rules tell.
    :param given: the id of the last event that gave each conversation to somebody else, of those told of now.
    """

    conversations: Mapping[int, Any]
    messages: Mapping[int, Any]
    mentioned: Mapping[int, Mapping[int, str]]
    choosers: Mapping[tuple[int, str], Sequence[int]]
    teams: Mapping[int, Sequence[int]]
    given: Mapping[int | None, int]


def _tell(session: Session, events: Sequence[Recorded]) -> None:
    world = _world(session, events)
    found = [told for event in events for told in _whom(world, event)]
    if not found:
        return
    found = _not_known(session, _without_idle(session, world, found))
    ways = rules.chosen(session, {one.user_id for one in found})
    found = [one for one in found if ways[one.user_id][one.kind]]
    if found:
        _write(session, world, found, ways)


def _world(session: Session, events: Sequence[Recorded]) -> _World:
    ids = {one.conversation_id for one in events}
    conversations = sa.select(
        Conversation.id,
        Conversation.workspace_id,
        Conversation.account_id,
        Conversation.assignee_id,
        Conversation.arrived_count,
        Conversation.read_count,
        Conversation.spam_at,
        Conversation.snooze_kind,
        ChannelAccount.name.label("account"),
    ).join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
    found = {row.id: row for row in session.execute(conversations.where(Conversation.id.in_(ids)))}
    named = {one.message_id for one in events if one.message_id is not None}
    messages = sa.select(Message.id, Message.author_id, Message.state, Message.unsent_at)
    mentioned: dict[int, dict[int, str]] = defaultdict(dict)
    notes = {one.message_id for one in events if one.kind == catalogue.NOTE_ADDED}
    if notes:
        mentions = (
            sa.select(Mention.message_id, Mention.user_id, Team.name)
            .outerjoin(Team, Team.id == Mention.team_id)
            .where(Mention.message_id.in_(notes), Mention.seen_at.is_(None))
            .order_by(Mention.user_id)
        )
        for message_id, user_id, team in session.execute(mentions):
            mentioned[message_id][user_id] = team or ""
    choosers: dict[tuple[int, str], list[int]] = defaultdict(list)
    if any(row.assignee_id is None for row in found.values()):
        chose = (
            sa.select(Membership.workspace_id, NotificationRule.kind, NotificationRule.user_id)
            .join(Membership, Membership.user_id == NotificationRule.user_id)
            .where(
                NotificationRule.kind.in_(sorted(set(_OF_NOBODY.values()))),
                NotificationRule.ways != "",
                Membership.workspace_id.in_({row.workspace_id for row in found.values()}),
            )
            .order_by(NotificationRule.user_id)
        )
        for workspace_id, kind, user_id in session.execute(chose):
            choosers[workspace_id, kind].append(user_id)
    return _World(
        found,
        {row.id: row for row in session.execute(messages.where(Message.id.in_(named)))},
        mentioned,
        choosers,
        _members(session, {one.facts(OfRule).team for one in events if one.kind == catalogue.RULE_TOLD}),
        {one.conversation_id: one.id for one in events if one.kind == catalogue.CONVERSATION_ASSIGNED},
    )


def _members(session: Session, teams: Collection[int]) -> dict[int, list[int]]:
    """Return who is in each of *teams*; 0 is none."""
    found: dict[int, list[int]] = defaultdict(list)
    ids = set(teams) - {0}
    query = sa.select(TeamMember.team_id, TeamMember.user_id).order_by(TeamMember.user_id)
    for team_id, user_id in session.execute(query.where(TeamMember.team_id.in_(ids))) if ids else ():
        found[team_id].append(user_id)
    return found


def _whom(world: _World, event: Recorded) -> Iterator[_Told]:
    """Yield whom *event* concerns, whether or not they may see it or want to be told."""
    conversation = world.conversations.get(event.conversation_id or 0)
    if conversation is None:
        return
    kind, thing = _KINDS[event.kind], f"{event.id}"
    message = None if event.message_id is None else world.messages.get(event.message_id)
    people: Iterable[int | None] = ()
    match kind:
        case Kind.ASSIGNED:
            # Given on meanwhile: whoever has it now is told by what happened then.
            given = event.facts(OfAssignment).assignee
            people = [given] if given == conversation.assignee_id else []
        case Kind.MENTION:
            people, thing = world.mentioned.get(event.message_id or 0, {}), f"{event.message_id}"
        case Kind.RULE:
            facts = event.facts(OfRule)
            people = [facts.person] if facts.person else world.teams.get(facts.team, ())
        case Kind.FAILED:
            if message is not None and message.state == DeliveryState.FAILED:
                people = [message.author_id or conversation.assignee_id]
        case _:
            if not _waits(world, event, conversation, message):
                return
            people = [conversation.assignee_id]
            thing = f"{event.message_id}"
            if kind is not Kind.REPLY:
                thing = f"{conversation.id}:{event.facts(OfDue).until or event.id}"
            if conversation.assignee_id is None:
                kind = _OF_NOBODY[kind]
                people = world.choosers.get((conversation.workspace_id, kind), ())
    for user_id in people:
        own = kind is not Kind.FAILED and event.actor_kind == ActorKind.USER and event.actor_id == user_id
        if user_id and not own:
            yield _Told(user_id, kind, f"{kind}:{thing}", event)


def _waits(world: _World, event: Recorded, conversation: Any, message: Any) -> bool:
    """Tell whether a customer's message, or that one waits, is still worth telling."""
    if conversation.spam_at is not None or conversation.snooze_kind is not None:
        return False
    if world.given.get(conversation.id, 0) > event.id:
        return False  # whoever has it since is told that they have, and not of this as well
    taken_back = message is None or message.unsent_at is not None
    return event.kind != catalogue.MESSAGE_RECEIVED or not taken_back


def _without_idle(session: Session, world: _World, found: Sequence[_Told]) -> list[_Told]:
    """Leave out who may not see the conversation, who looks at it now, and who has read the message."""
    users = {one.user_id for one in found}
    ids = {one.event.conversation_id for one in found}
    seen = _seen(session, users, {world.conversations[id_].workspace_id for id_ in ids if id_})
    present = sa.select(Presence.user_id, Presence.conversation_id).where(
        Presence.conversation_id.in_(ids), Presence.user_id.in_(users), Presence.until > clock.now()
    )
    here = {tuple(row) for row in session.execute(present)}
    read = sa.select(ConversationRead.user_id, ConversationRead.conversation_id, ConversationRead.seen_count)
    reads = {
        (user_id, id_): count
        for user_id, id_, count in session.execute(
            read.where(ConversationRead.conversation_id.in_(ids), ConversationRead.user_id.in_(users))
        )
    }

    def concerns(one: _Told) -> bool:
        row = world.conversations[one.event.conversation_id or 0]
        accounts = seen.get((one.user_id, row.workspace_id), frozenset())
        if (accounts is not None and row.account_id not in accounts) or (one.user_id, row.id) in here:
            return False
        arrives = one.event.kind == catalogue.MESSAGE_RECEIVED
        return not arrives or row.arrived_count > reads.get((one.user_id, row.id), row.read_count)

    return [one for one in found if concerns(one)]


def _seen(
    session: Session, users: Collection[int], workspaces: Collection[int]
) -> dict[tuple[int, int], frozenset[int] | None]:
    """Return the accounts each of *users* sees in each of *workspaces* they are in; None: all."""
    query = (
        sa.select(Membership.user_id, Membership.workspace_id, Membership.limited)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.user_id.in_(users), Membership.workspace_id.in_(workspaces), User.disabled_at.is_(None)
        )
    )
    members = session.execute(query).all()
    limits = reach.limits(session, users={one.user_id for one in members if one.limited})
    return {
        (one.user_id, one.workspace_id): limits.get((one.user_id, one.workspace_id), frozenset())
        if one.limited
        else None
        for one in members
    }


def _not_known(session: Session, found: Sequence[_Told]) -> list[_Told]:
    """Leave out what somebody was told of already."""
    query = sa.select(NotificationKey.user_id, NotificationKey.thing).where(
        NotificationKey.user_id.in_({one.user_id for one in found}),
        NotificationKey.thing.in_({one.thing for one in found}),
    )
    known = {tuple(row) for row in session.execute(query)}
    new = []
    for one in found:
        if (one.user_id, one.thing) not in known:
            known.add((one.user_id, one.thing))
            new.append(one)
    return new


# ---- the notices ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Notice:
    """A notice to be.

    :param conversation_id: None: it is about several that were given to somebody at once.
    """

    user_id: int
    kind: Kind
    workspace_id: int
    conversation_id: int | None
    told: list[_Told] = field(default_factory=list)


def _write(
    session: Session, world: _World, found: Sequence[_Told], ways: Mapping[int, Mapping[Kind, Ways]]
) -> None:
    notices = _gathered(world, found)
    unread = _unread(session, notices)
    names, by_rule = _names(session, found), _rule_names(session, found)
    now = clock.now()
    keys: list[dict[str, Any]] = []
    for notice in notices:
        row = unread.get((notice.user_id, notice.kind, notice.workspace_id, notice.conversation_id))
        if row is None:
            row = _new(world, notice, ways[notice.user_id][notice.kind], names, by_rule, now)
            session.add(row)
        else:
            row.times, row.told_at = row.times + len(notice.told), now
            row.message_id = notice.told[-1].event.message_id
            row.details = {**row.details, "number": str(row.times)}
        session.flush()
        keys += [
            {"user_id": one.user_id, "thing": one.thing, "notification_id": row.id} for one in notice.told
        ]
    session.execute(sa.insert(NotificationKey), keys)
    record_all(session, _shown(world, found))


def _gathered(world: _World, found: Sequence[_Told]) -> list[_Notice]:
    given = Counter(one.user_id for one in found if one.kind is Kind.ASSIGNED)
    notices: dict[Any, _Notice] = {}
    for one in found:
        conversation = world.conversations[one.event.conversation_id or 0]
        many = one.kind is Kind.ASSIGNED and given[one.user_id] > MOST_GIVEN
        notice = _Notice(one.user_id, one.kind, conversation.workspace_id, None if many else conversation.id)
        apart = "" if many or KINDS[one.kind].many else one.thing
        key = notice.user_id, notice.kind, notice.workspace_id, notice.conversation_id, apart
        notices.setdefault(key, notice).told.append(one)
    return list(notices.values())


def _unread(session: Session, notices: Sequence[_Notice]) -> dict[Any, Notification]:
    """Return the notices that people have not read yet and that more is told in."""
    kinds = sorted({one.kind for one in notices if KINDS[one.kind].many or one.conversation_id is None})
    if not kinds:
        return {}
    ids = {one.conversation_id for one in notices if one.conversation_id is not None}
    query = (
        sa.select(Notification)
        .where(
            Notification.user_id.in_({one.user_id for one in notices}),
            Notification.read_at.is_(None),
            Notification.kind.in_(kinds),
            sa.or_(
                Notification.conversation_id.in_(ids),
                sa.and_(Notification.conversation_id.is_(None), Notification.kind == Kind.ASSIGNED),
            ),
        )
        .order_by(Notification.id)
        .with_for_update()
    )
    return {
        (row.user_id, row.kind, row.workspace_id, row.conversation_id): row
        for row in session.scalars(query)
        if row.conversation_id is None or KINDS[Kind(row.kind or "")].many
    }


def _names(session: Session, found: Sequence[_Told]) -> dict[int, str]:
    ids = {one.event.actor_id for one in found if one.event.actor_kind == ActorKind.USER}
    query = sa.select(User.id, User.name).where(User.id.in_(ids))
    return {row.id: row.name for row in session.execute(query)}


def _rule_names(session: Session, found: Sequence[_Told]) -> dict[int, str]:
    ids = {one.event.facts(OfRule).rule for one in found if one.kind is Kind.RULE}
    query = sa.select(Rule.id, Rule.name).where(Rule.id.in_(ids))
    return {row.id: row.name for row in session.execute(query)} if ids else {}


def _new(
    world: _World,
    notice: _Notice,
    ways: Ways,
    names: Mapping[int, str],
    by_rule: Mapping[int, str],
    now: datetime,
) -> Notification:
    event = notice.told[-1].event
    conversation = world.conversations[event.conversation_id or 0]
    who = names.get(event.actor_id or 0, "") if event.actor_kind == ActorKind.USER else ""
    sentence = KINDS[notice.kind].sentence
    path = f"/w/{conversation.workspace_id}/inbox/{conversation.id}"
    if notice.conversation_id is None:
        sentence, path = rules.MANY, f"/w/{conversation.workspace_id}/inbox?view=mine"
    if not who and notice.kind is Kind.ASSIGNED:
        sentence = rules.BY_NOBODY if notice.conversation_id is not None else rules.MANY_BY_NOBODY
    team = world.mentioned[event.message_id or 0][notice.user_id] if notice.kind is Kind.MENTION else ""
    if notice.kind is Kind.MENTION:
        named = (rules.BY_PROGRAM, sentence), (rules.BY_PROGRAM_TO_TEAM, rules.BY_SOMEBODY_TO_TEAM)
        sentence = named[bool(team)][bool(who)]
    rule = by_rule.get(event.facts(OfRule).rule, "") if notice.kind is Kind.RULE else ""
    if not rule and notice.kind is Kind.RULE:
        sentence = rules.BY_RULE_GONE
    return Notification(
        user_id=notice.user_id,
        workspace_id=conversation.workspace_id,
        account_id=conversation.account_id,
        tone=_TONES.get(notice.kind, "accent"),
        title=conversation.account[:255],
        sentence=sentence,
        next_step="",
        details={"who": who, "team": team, "rule": rule, "number": str(len(notice.told))},
        path=path,
        created_at=now,
        mail_due_at=now + MAIL_WAITS if Way.MAIL in ways else None,
        mail_failures=0,
        kind=notice.kind,
        conversation_id=notice.conversation_id,
        message_id=event.message_id,
        times=len(notice.told),
        in_bell=Way.DESK in ways,
        ways=rules.text_of(ways - {Way.DESK}),
    )


def _shown(world: _World, found: Sequence[_Told]) -> Iterator[Happened]:
    """Yield what open browsers are told: whom to ask for."""
    people: dict[int, set[int]] = defaultdict(set)
    for one in found:
        people[one.event.conversation_id or 0].add(one.user_id)
    for id_, users in people.items():
        row = world.conversations[id_]
        facts = OfTold(users=tuple(sorted(users)))
        yield Happened(
            row.workspace_id, "", "notice", account_id=row.account_id, conversation_id=id_, facts=facts
        )
