"""Notify people about conversations: :class:`Notifier` consumes the event log and writes notices.

A notice, its key and the consumer's position are one write, so each notice is created once, even if a process
dies. People are not notified of their own actions, of conversations they have open or have read, or of
accounts they do not see. Imported history is not in the event log, so it notifies nobody.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.events.consuming import ConsumerContext
from host.events.kinds.browsers import OfTold
from host.events.kinds.conversations import (
    CONVERSATION_ASSIGNED,
    CONVERSATION_REPLY_DUE,
    CONVERSATION_WINDOW_CLOSING,
    NOTE_ADDED,
    NOTE_EDITED,
    OfAssignment,
    OfDue,
)
from host.events.kinds.messages import MESSAGE_FAILED, MESSAGE_RECEIVED, MESSAGE_UNSENT, is_claimed
from host.events.kinds.rules import RULE_TOLD, OfRule
from host.events.models import ActorKind
from host.events.reading import Recorded
from host.events.writing import Happened, record_all
from host.features import registry
from host.inbox.teams.models import Team, TeamMember
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, ConversationRead, DeliveryState, Message, Presence
from host.models.mentions import Mention
from host.models.notifications import Notification, NotificationKey, NotificationRule
from host.models.users import Membership, User
from host.notifications import pushes, rules
from host.notifications.rules import KINDS, Kind, Way, Ways
from host.users import reach

MAIL_WAITS = timedelta(minutes=2)
"""Delay of a mail; notices read in the desk by then are not mailed."""
TOO_OLD = timedelta(days=1)
"""Age after which an event notifies nobody, for example after the workers were down."""
MOST_GIVEN = 5
"""Number of conversations assigned to one person together above which they share one notice."""

_OF_NOBODY = {Kind.REPLY: Kind.NEW, Kind.WINDOW: Kind.NEW_LATE, Kind.DUE: Kind.NEW_LATE}
"""Kinds used instead for unassigned conversations, for those who chose them."""
_KINDS = {
    MESSAGE_RECEIVED: Kind.REPLY,
    CONVERSATION_WINDOW_CLOSING: Kind.WINDOW,
    CONVERSATION_REPLY_DUE: Kind.DUE,
    CONVERSATION_ASSIGNED: Kind.ASSIGNED,
    MESSAGE_FAILED: Kind.FAILED,
    NOTE_ADDED: Kind.MENTION,
    NOTE_EDITED: Kind.MENTION,
    RULE_TOLD: Kind.RULE,
}
_TONES = {Kind.FAILED: "bad", Kind.WINDOW: "warn", Kind.DUE: "warn", Kind.NEW_LATE: "warn"}


def consumer(_context: ConsumerContext) -> Notifier:
    """Return the consumer that writes notices."""
    return Notifier()


class Notifier:
    """The consumer that writes notices."""

    name = "notices"
    from_beginning = False
    batch = 200
    shown = False

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Notify everyone concerned by *events*."""
        since = clock.now() - TOO_OLD
        about = [
            one
            for one in events
            if one.kind in _KINDS
            and one.conversation_id is not None
            and one.at > since
            and not is_claimed(one)
        ]
        if about:
            _tell(session, about)
        if unsent := [one for one in events if one.kind == MESSAGE_UNSENT and one.at > since]:
            pushes.take_back_messages(session, {one.message_id for one in unsent if one.message_id})


class _PendingNotice(NamedTuple):
    """A notice for one person, if they want it.

    :param thing: key of the notice, unique per person.
    """

    user_id: int
    kind: Kind
    thing: str
    event: Recorded


class _World(msgspec.Struct, frozen=True):
    """Current rows that the events refer to.

    :param choosers: people who want notices about unassigned conversations, by workspace and kind.
    :param mentioned: people mentioned in a note who have not seen it, by note; each with the name of the team
        through which they are mentioned, empty if directly.
    :param teams: members of the teams that rules notify.
    :param given: for each conversation, the id of the last of these events that assigned it to somebody else.
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
    notes = {one.message_id for one in events if _KINDS[one.kind] is Kind.MENTION}
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
        _members(session, {one.facts(OfRule).team for one in events if one.kind == RULE_TOLD}),
        {one.conversation_id: one.id for one in events if one.kind == CONVERSATION_ASSIGNED},
    )


def _members(session: Session, teams: Collection[int]) -> dict[int, list[int]]:
    """Return the members of each of *teams*, ignoring 0."""
    found: dict[int, list[int]] = defaultdict(list)
    ids = set(teams) - {0}
    query = sa.select(TeamMember.team_id, TeamMember.user_id).order_by(TeamMember.user_id)
    for team_id, user_id in session.execute(query.where(TeamMember.team_id.in_(ids))) if ids else ():
        found[team_id].append(user_id)
    return found


def _whom(world: _World, event: Recorded) -> Iterator[_PendingNotice]:
    """Yield the people concerned by *event*, whether or not they may see it or want a notice."""
    conversation = world.conversations.get(event.conversation_id or 0)
    if conversation is None:
        return
    kind, thing = _KINDS[event.kind], f"{event.id}"
    message = None if event.message_id is None else world.messages.get(event.message_id)
    people: Iterable[int | None] = ()
    match kind:
        case Kind.ASSIGNED:
            # If it was reassigned since, the later event notifies the new assignee.
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
            yield _PendingNotice(user_id, kind, f"{kind}:{thing}", event)


def _waits(world: _World, event: Recorded, conversation: Any, message: Any) -> bool:
    """Return whether a customer's message or wait is still worth a notice."""
    if conversation.spam_at is not None or conversation.snooze_kind is not None:
        return False
    if world.given.get(conversation.id, 0) > event.id:
        return False  # the new assignee gets a notice of the assignment, and not of this as well
    taken_back = message is None or message.unsent_at is not None
    return event.kind != MESSAGE_RECEIVED or not taken_back


def _without_idle(session: Session, world: _World, found: Sequence[_PendingNotice]) -> list[_PendingNotice]:
    """Leave out people who may not see the conversation, have it open, or have read the message."""
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

    def concerns(one: _PendingNotice) -> bool:
        row = world.conversations[one.event.conversation_id or 0]
        accounts = seen.get((one.user_id, row.workspace_id), frozenset())
        if (accounts is not None and row.account_id not in accounts) or (one.user_id, row.id) in here:
            return False
        arrives = one.event.kind == MESSAGE_RECEIVED
        return not arrives or row.arrived_count > reads.get((one.user_id, row.id), row.read_count)

    return [one for one in found if concerns(one)]


def _seen(
    session: Session, users: Collection[int], workspaces: Collection[int]
) -> dict[tuple[int, int], frozenset[int] | None]:
    """Return the accounts each of *users* sees in their workspaces among *workspaces*; None for all."""
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


def _not_known(session: Session, found: Sequence[_PendingNotice]) -> list[_PendingNotice]:
    """Leave out notices that were already created."""
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
    """A notice to write.

    :param conversation_id: None if it is about several that were assigned together.
    """

    user_id: int
    kind: Kind
    workspace_id: int
    conversation_id: int | None
    told: list[_PendingNotice] = field(default_factory=list)


def _write(
    session: Session, world: _World, found: Sequence[_PendingNotice], ways: Mapping[int, Mapping[Kind, Ways]]
) -> None:
    notices = _gathered(world, found)
    unread = _unread(session, notices)
    names, by_rule = _names(session, found), _rule_names(session, found)
    now = clock.now()
    keys: list[dict[str, Any]] = []
    pushed: dict[int, int] = {}
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
        if Way.PUSH in ways[notice.user_id][notice.kind]:
            pushed[row.id] = notice.user_id
        keys += [
            {"user_id": one.user_id, "thing": one.thing, "notification_id": row.id} for one in notice.told
        ]
    session.execute(sa.insert(NotificationKey), keys)
    pushes.queue(session, pushed)
    record_all(session, _shown(world, found))


def _gathered(world: _World, found: Sequence[_PendingNotice]) -> list[_Notice]:
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
    """Return the unread notices that further events join."""
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


def _names(session: Session, found: Sequence[_PendingNotice]) -> dict[int, str]:
    ids = {one.event.actor_id for one in found if one.event.actor_kind == ActorKind.USER}
    query = sa.select(User.id, User.name).where(User.id.in_(ids))
    return {row.id: row.name for row in session.execute(query)}


def _rule_names(session: Session, found: Sequence[_PendingNotice]) -> dict[int, str]:
    ids = {one.event.facts(OfRule).rule for one in found if one.kind is Kind.RULE}
    query = registry.names_of("rules")
    if query is None or not ids:
        return {}
    return {row[0]: row[1] for row in session.execute(query.where(query.selected_columns[0].in_(ids)))}


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


def _shown(world: _World, found: Sequence[_PendingNotice]) -> Iterator[Happened]:
    """Yield the events that let open browsers of the notified people load their notices."""
    people: dict[int, set[int]] = defaultdict(set)
    for one in found:
        people[one.event.conversation_id or 0].add(one.user_id)
    for id_, users in people.items():
        row = world.conversations[id_]
        facts = OfTold(users=tuple(sorted(users)))
        yield Happened(
            row.workspace_id, "", "notice", account_id=row.account_id, conversation_id=id_, facts=facts
        )
