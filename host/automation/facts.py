"""Load the facts for decisions about automatic messages and routing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.automation import texts
from host.automation.deciding import Arrival, ConversationFacts, Person, RunKind, Sent, Settings, sent_as
from host.core import db
from host.inbox import queries
from host.inbox.apply import responders
from host.inbox.queries import answers
from host.inbox.reply import policy_for
from host.inbox.teams.models import TeamMember
from host.inbox.variable_values import values_of_conversation
from host.models.automation import AutomationRun
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import (
    Contact,
    ContactIdentity,
    Conversation,
    ConversationStatus,
    DeliveryState,
    Direction,
    Handler,
    Message,
    Origin,
)
from host.models.users import Membership, User, Workspace
from host.sdk.channel import ChannelAdapter, ReplyState
from host.sdk.messages import MessageKind
from host.users.reach import ALL_ACCOUNTS
from host.working_hours.hours import Hours

PEOPLE = (Origin.AGENT, Origin.PROVIDER)
"""Origins of messages written by a person: here, or in the provider's app."""
NAME_WAITS = timedelta(seconds=2)
"""How long texts for a new customer wait for their name, which the provider is asked for."""
NEVER_WENT = (DeliveryState.CANCELLED, DeliveryState.FAILED)
_NEEDS_NOTHING = sorted(str(kind) for kind in MessageKind if sent_as(kind) is Sent.NOTHING)
UNSAID = sorted(str(kind) for kind in MessageKind if sent_as(kind) in {Sent.MENTION, Sent.NOTHING})


class MessageFacts(msgspec.Struct, frozen=True):
    """A customer's message with the facts for deciding about it.

    :param row: the columns of :func:`_query`.
    """

    row: Any

    def talk(
        self,
        now: datetime,
        theirs: Hours,
        hindrance: str = "",
        unanswered: int = 0,
        *,
        is_answered: bool = False,
    ) -> ConversationFacts:
        """Return the facts about the conversation.

        :param theirs: the working hours of the account's team.
        :param is_answered: whether it is a tap whose answer needs nobody of the team.
        """
        row = self.row
        is_open = theirs.is_open(now)
        return ConversationFacts(
            now=now,
            wrote_at=min(row.sent_at, now),
            sent=sent_as(row.kind),
            wrote_before=_latest(row.wrote_before, row.elsewhere),
            said_before=_latest(row.said_before, row.elsewhere),
            person_at=row.person_at,
            greeted_at=row.greeted_at,
            away_for=None if row.told is None else str(row.told.get("absence", "")),
            is_open=is_open,
            opens_at=None if is_open else theirs.opens_at(now),
            unanswered=unanswered,
            hindrance=hindrance,
            is_persons=row.handled_by == Handler.PERSON,
            is_answered=is_answered,
        )

    def hindrance(self, adapter: ChannelAdapter | None, now: datetime, *, closed_too: bool = False) -> str:
        """Return why no automatic message may be sent here, as a key of the reasons, or an empty string.

        :param closed_too: whether one may be sent in a closed conversation.
        """
        row = self.row
        account: ChannelAccount = row.ChannelAccount
        if row.archived_at is not None or row.deleting_at is not None:
            return "archived"
        if account.state != AccountState.CONNECTED:
            return "account_stopped"
        if adapter is None:
            return "addon_off"
        if row.spam_at is not None:
            return "spam"
        if row.handled_by == Handler.AUTOMATION:
            return "automation"
        if responders.other(row.responder, now) is not None:
            return "answered_elsewhere"
        if not row.Contact.accepts_automatic:
            return "opted_out"
        if row.content.get("automatic") is True:
            return "from_machine"
        if row.imported_at is not None:
            return "imported"
        if row.unsent_at is not None:
            return "taken_back"
        if row.status != ConversationStatus.OPEN and not closed_too:
            return "closed_by_team"
        policy = policy_for(adapter, ref(account), row.last_inbound_at, now, by_person=False)
        if policy.state is ReplyState.CLOSED:
            return "window_closed"
        return "people_only" if policy.state is ReplyState.PEOPLE_ONLY else ""


def _latest(*times: datetime | None) -> datetime | None:
    return max((one for one in times if one is not None), default=None)


def known(session: Session, messages: Collection[int]) -> dict[int, MessageFacts]:
    """Return the facts about customers' *messages*, by id, in one statement."""
    rows = session.execute(_query(), {"ids": db.padded(messages)}).all() if messages else []
    return {row.id: MessageFacts(row) for row in rows}


_this = aliased(Message)


def _newest(column: Any, *conditions: Any) -> Any:
    """Return a subquery for *column* of the conversation's newest message that meets *conditions*."""
    return (
        sa.select(column)
        .where(Message.conversation_id == Conversation.id, *conditions)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
        .correlate(Conversation, _this)
        .scalar_subquery()
    )


def _last_run(column: Any, outcome: str) -> Any:
    return (
        sa.select(column)
        .where(AutomationRun.conversation_id == Conversation.id, AutomationRun.outcome == outcome)
        .order_by(AutomationRun.id.desc())
        .limit(1)
        .correlate(Conversation)
        .scalar_subquery()
    )


@cache
def _query() -> Any:
    before = sa.or_(
        Message.sent_at < _this.sent_at, sa.and_(Message.sent_at == _this.sent_at, Message.id < _this.id)
    )
    theirs = Message.direction == Direction.INBOUND
    others = aliased(Conversation)
    elsewhere = (
        sa.select(sa.func.max(others.last_inbound_at))
        .where(
            others.identity_id == Conversation.identity_id,
            others.id != Conversation.id,
            others.last_inbound_at < _this.sent_at,
        )
        .correlate(Conversation, _this)
        .scalar_subquery()
    )
    return (
        sa.select(
            *(_this.id, _this.kind, _this.content, _this.sent_at, _this.imported_at, _this.unsent_at),
            *(
                Conversation.status,
                Conversation.handled_by,
                Conversation.responder,
                Conversation.spam_at,
                Conversation.last_inbound_at,
            ),
            *(Workspace.archived_at, Workspace.deleting_at),
            Contact,
            ChannelAccount,
            _newest(Message.sent_at, theirs, before).label("wrote_before"),
            _newest(Message.sent_at, theirs, before, Message.kind.not_in(UNSAID)).label("said_before"),
            elsewhere.label("elsewhere"),
            _newest(Message.sent_at, *by_people()).label("person_at"),
            _last_run(AutomationRun.done_at, "greeting").label("greeted_at"),
            _last_run(AutomationRun.facts, "away").label("told"),
        )
        .join(Conversation, Conversation.id == _this.conversation_id)
        .join(Workspace, Workspace.id == Conversation.workspace_id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .where(_this.id.in_(sa.bindparam("ids", expanding=True)))
        .execution_options(populate_existing=True)
    )


def by_people() -> tuple[Any, ...]:
    """Return the conditions of messages that people of the team wrote, and that were not given up."""
    return (
        Message.direction == Direction.OUTBOUND,
        Message.origin.in_(PEOPLE),
        sa.or_(Message.state.is_(None), Message.state.not_in(NEVER_WENT)),
    )


def last_inbound(session: Session, conversation_id: int) -> int | None:
    """Return the id of the customer's last message, or None."""
    query = (
        sa.select(Message.id)
        .where(Message.conversation_id == conversation_id, Message.direction == Direction.INBOUND)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def inbound_since(session: Session, conversation_id: int, since: datetime) -> Sequence[int]:
    """Return the ids of the customer's messages since then that may need an answer."""
    query = sa.select(Message.id).where(
        Message.conversation_id == conversation_id,
        Message.direction == Direction.INBOUND,
        Message.sent_at >= since,
        Message.kind.not_in(_NEEDS_NOTHING),
    )
    return session.scalars(query).all()


def unanswered(session: Session, conversation_id: int, last: int | None = None) -> int:
    """Return the number of automatic messages since the customer last wrote.

    :param last: the customer's last message, if known.
    """
    if last is None:
        last = last_inbound(session, conversation_id)
    count = sa.select(sa.func.count()).where(
        Message.conversation_id == conversation_id,
        Message.direction == Direction.OUTBOUND,
        Message.origin == Origin.SYSTEM,
        Message.id > (last or 0),
    )
    return session.scalar(count) or 0


def values(
    session: Session,
    conversation: Conversation,
    adapter: ChannelAdapter | None,
    opens_at: datetime | None,
    now: datetime,
) -> dict[str, str]:
    """Return the values of variables from the customer, the account and the working hours.

    :param adapter: of the conversation's channel.
    :param opens_at: when working hours begin again; None: unknown, or it is within them.
    """
    workspace = session.get_one(Workspace, conversation.workspace_id)
    row = queries.get_row(session, conversation.workspace_id, conversation.id, accounts=ALL_ACCOUNTS)
    assert row is not None
    opens = texts.said_time(opens_at, now, workspace.timezone, workspace.language)
    found = {**values_of_conversation(session, row, None), texts.OPENS_AT: opens}
    has_profiles = adapter is not None and type(adapter).fetch_profile is not ChannelAdapter.fetch_profile
    if has_profiles and not found["contact.name"] and _is_name_awaited(session, row.identity_id, now):
        found[texts.NAME_AWAITED] = "yes"
    return found


def _is_name_awaited(session: Session, identity_id: int, now: datetime) -> bool:
    """Return whether a new customer's profile is being fetched for the first time."""
    return (
        session.scalar(
            sa.select(ContactIdentity.id).where(
                ContactIdentity.id == identity_id,
                ContactIdentity.created_at > now - NAME_WAITS,
                ContactIdentity.profile_due_at.is_not(None),
                ContactIdentity.profile_failures == 0,
            )
        )
        is not None
    )


# ---- routing -----------------------------------------------------------------------------------------


def last_writer(session: Session, conversation: Conversation) -> int | None:
    """Return the id of the member who last wrote in a conversation, or None."""
    query = (
        sa.select(Message.author_id)
        .where(Message.conversation_id == conversation.id, Message.author_id.is_not(None), *by_people())
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    return session.scalar(query)


def people(
    session: Session, workspace_id: int, account_id: int, team_id: int | None, also: Iterable[int] = ()
) -> list[Person]:
    """Return the members of a team, and of *also*, who may answer on an account, by name."""
    in_team = sa.and_(TeamMember.user_id == Membership.user_id, TeamMember.team_id == (team_id or 0))
    query = (
        sa.select(
            *(User.id, User.name, TeamMember.team_id, Membership.on_duty_since, Membership.given_at),
        )
        .join(Membership, Membership.user_id == User.id)
        .outerjoin(TeamMember, in_team)
        .where(
            Membership.workspace_id == workspace_id,
            sa.or_(TeamMember.team_id.is_not(None), User.id.in_(list(also))),
            answers(account_id),
            User.disabled_at.is_(None),
        )
        .order_by(User.name, User.id)
    )
    return [
        Person(id_, name, team is not None, since, given)
        for id_, name, team, since, given in session.execute(query)
    ]


def arrival(
    session: Session, settings: Settings, conversation: Conversation, theirs: Hours, now: datetime
) -> Arrival:
    """Return the facts for routing a locked conversation."""
    team_id = conversation.team_id or settings.team_id
    last_id = last_writer(session, conversation)
    return Arrival(
        team_id=team_id,
        assigned=conversation.assignee_id is not None,
        last_id=last_id,
        is_open=theirs.is_open(now),
        people=people(
            session,
            conversation.workspace_id,
            conversation.account_id,
            team_id,
            () if last_id is None else (last_id,),
        ),
        hindrance=_stays(session, conversation),
    )


def _stays(session: Session, conversation: Conversation) -> str:
    """Return why a conversation must not be assigned automatically, or an empty string."""
    workspace = session.get_one(Workspace, conversation.workspace_id)
    account = session.get_one(ChannelAccount, conversation.account_id)
    if workspace.archived_at is not None or workspace.deleting_at is not None:
        return "archived"
    if account.state == AccountState.DISCONNECTED:
        return "account_stopped"
    if conversation.spam_at is not None:
        return "spam"
    if conversation.status != ConversationStatus.OPEN:
        return "closed_by_team"
    newest = (
        sa.select(Message.imported_at)
        .where(Message.conversation_id == conversation.id, Message.direction == Direction.INBOUND)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    return "imported" if session.scalar(newest) is not None else ""


def counted(session: Session, account_id: int, since: datetime) -> Mapping[str, int]:
    """Return the counts of an account's automation runs since then, by outcome."""
    query = (
        sa.select(AutomationRun.outcome, sa.func.count())
        .where(
            AutomationRun.kind.in_([RunKind.WORDS, RunKind.ROUTING]),
            AutomationRun.automation_id == account_id,
            AutomationRun.done_at >= since,
            AutomationRun.outcome.is_not(None),
        )
        .group_by(AutomationRun.outcome)
    )
    return {str(outcome): count for outcome, count in session.execute(query)}
