"""Assign conversations to teams and to their members on duty.

A member is on duty if their switch is on and it is within their team's working hours. The one who has waited
longest for a conversation is next. The row of the team is locked while a member is chosen, so that two
simultaneous conversations go to two people. If no member is on duty, a conversation waits in its team's
queue. The next member on duty gets the conversations that have waited longest, but no more than
:data:`host.automation.deciding.A_FEW` that they have not answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import facts
from host.automation import settings as account_settings
from host.automation.deciding import (
    A_FEW,
    Choice,
    Person,
    RunKind,
    Settings,
    longest_waiting,
    on_duty,
    route,
)
from host.automation.runs import finish
from host.core import clock, db
from host.events.writing import because
from host.inbox.conversation_actions import set_fields
from host.inbox.conversations import locked_conversation
from host.inbox.errors import ConversationNotFoundError, NotAMemberError
from host.inbox.teams.errors import TeamNotFoundError
from host.inbox.teams.models import Team, TeamMember
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, ConversationStatus
from host.models.users import Membership
from host.users.actor import DESK, UnitOfWork
from host.working_hours import hours

PORTION = 10
"""Most queued conversations assigned in one round."""


def route_run(
    session: Session, run: AutomationRun, conversation: Conversation, its: Settings, now: datetime
) -> None:
    """Route the locked conversation of *run*, or note why it is not assigned."""
    team_id = conversation.team_id or its.team_id
    if team_id is not None:
        _take_turn(session, team_id)
    arrival = facts.arrival(
        session, its, conversation, hours.of_team(session, run.workspace_id, team_id), now
    )
    choice = route(its, arrival)
    run.facts = _seen(arrival.people, arrival.is_open)
    _give(session, run, conversation, choice, now)


def give_out(session: Session, run: AutomationRun, conversation: Conversation, now: datetime) -> None:
    """Assign the locked conversation of *run*, which a rule or a tap gave to a team, to a member on duty."""
    its = _settings(session, run)
    _take_turn(session, run.team_id or 0)
    theirs = hours.of_team(session, run.workspace_id, run.team_id)
    arrival = facts.arrival(session, its, conversation, theirs, now)
    _give(session, run, conversation, route(its, arrival), now)


def _settings(session: Session, run: AutomationRun) -> Settings:
    """Return the routing settings for *run*: those of its account, or the team of a rule or a tap."""
    if run.kind not in {RunKind.GIVE_OUT, RunKind.HAND_OVER}:
        return account_settings.of_account(session, run.workspace_id, run.automation_id)
    team_id = run.team_id
    return Settings(workspace_id=run.workspace_id, routes=True, team_id=team_id, to_last=False)


def _take_turn(session: Session, team_id: int) -> None:
    """Lock the team, so that no other write chooses a member of it until this one ends."""
    session.execute(sa.select(Team.id).where(Team.id == team_id).with_for_update())


def _seen(people: Sequence[Person], is_open: bool) -> dict[str, object]:
    on = [one.user_id for one in people if one.on_duty_since is not None]
    return {"open": is_open, "people": [one.user_id for one in people], "on_duty": on}


def _give(
    session: Session, run: AutomationRun, conversation: Conversation, choice: Choice, now: datetime
) -> None:
    work = UnitOfWork(session, conversation.workspace_id, DESK, now)
    try:
        if choice.team_id is not None:
            why = choice.reason if choice.person is None else "account"
            set_fields(work, conversation.id, {"team_id": choice.team_id}, why=why)
        if choice.person is not None:
            id_ = choice.person.user_id
            set_fields(work, conversation.id, {"assignee_id": id_}, why=choice.reason)
            mine = Membership.user_id == id_, Membership.workspace_id == conversation.workspace_id
            # Use the current time: *now* is from before this write waited for the lock.
            session.execute(sa.update(Membership).where(*mine).values(given_at=clock.now()))
    except (NotAMemberError, TeamNotFoundError) as error:
        # They were removed after they were read.
        finish(run, RunState.SKIPPED, now, reason=error.code)
        return
    if choice.person is not None:
        finish(run, RunState.DONE, now, outcome="person", reason=choice.reason)
    elif choice.waits:
        finish(run, RunState.WAITING, now, outcome="team", reason=choice.reason)
        run.team_id = choice.team_id
    elif choice.team_id is not None:
        finish(run, RunState.DONE, now, outcome="team", reason=choice.reason)
    else:
        finish(run, RunState.SKIPPED, now, reason=choice.reason)


# ---- the queues of teams -----------------------------------------------------------------------------


def due(_now: Any) -> sa.Select[Any]:
    """Return what makes the job due: a queued conversation."""
    queued = sa.select(AutomationRun.id).where(AutomationRun.state == RunState.WAITING)
    return queued.order_by(AutomationRun.due_at)


def hand_out() -> bool:
    """Assign queued conversations to members who came on duty, or who answered theirs."""
    return give_waiting(clock.now())


def give_waiting(now: datetime) -> bool:
    """Assign a batch of queued conversations to members on duty. Return whether there may be more."""
    with db.read() as session:
        teams = list(
            session.scalars(
                sa.select(AutomationRun.team_id).where(AutomationRun.state == RunState.WAITING).distinct()
            )
        )
        found = [run for team_id in teams if team_id is not None for run in _next_of(session, team_id, now)]
    given = sum(db.write(give_next, run_id, now) for run_id in found[:PORTION])
    return given == PORTION


def _next_of(session: Session, team_id: int, now: datetime) -> Sequence[int]:
    """Return the runs queued for a team, oldest first, if any member could take one."""
    workspace_id = session.scalar(sa.select(Team.workspace_id).where(Team.id == team_id))
    waiting = (
        sa.select(AutomationRun.id)
        .where(AutomationRun.team_id == team_id, AutomationRun.state == RunState.WAITING)
        .order_by(AutomationRun.id)
        .limit(PORTION)
    )
    if workspace_id is None:
        return session.scalars(waiting).all()  # its team was deleted, which is noted
    if not hours.of_team(session, workspace_id, team_id).is_open(now):
        return []
    ready = sa.select(TeamMember.user_id).join(
        Membership,
        sa.and_(Membership.user_id == TeamMember.user_id, Membership.workspace_id == TeamMember.workspace_id),
    )
    there = ready.where(TeamMember.team_id == team_id, Membership.on_duty_since.is_not(None))
    busy = _waiting_for(session, workspace_id, session.scalars(there).all())
    return session.scalars(waiting).all() if any(count < A_FEW for count in busy.values()) else []


def _waiting_for(session: Session, workspace_id: int, users: Sequence[int]) -> dict[int, int]:
    """Return how many customers wait for an answer from each of *users*."""
    if not users:
        return {}
    query = (
        sa.select(Conversation.assignee_id, sa.func.count())
        .where(
            Conversation.workspace_id == workspace_id,
            Conversation.status == ConversationStatus.OPEN,
            Conversation.assignee_id.in_(users),
            Conversation.waiting_since.is_not(None),
            Conversation.spam_at.is_(None),
            Conversation.snooze_kind.is_(None),
        )
        .group_by(Conversation.assignee_id)
    )
    found: dict[int | None, int] = {row[0]: row[1] for row in session.execute(query)}
    return {user_id: found.get(user_id, 0) for user_id in users}


def give_next(session: Session, run_id: int, now: datetime) -> bool:
    """Assign the conversation of a queued run to a member on duty who has few enough, if any.

    Return whether it left the queue.
    """
    run = session.get(AutomationRun, run_id)
    if run is None or run.state != RunState.WAITING:
        return False
    try:
        conversation = locked_conversation(
            UnitOfWork(session, run.workspace_id, DESK, now), run.conversation_id
        )
    except ConversationNotFoundError:
        return False
    team_id = run.team_id or 0
    _take_turn(session, team_id)
    session.refresh(run, with_for_update=True)
    if run.state != RunState.WAITING:
        return False
    its = _settings(session, run)
    theirs = hours.of_team(session, run.workspace_id, conversation.team_id)
    arrival = facts.arrival(session, its, conversation, theirs, now)
    with because(session, cause_id=run.cause_id, root_id=run.root_id, depth=run.depth):
        if arrival.hindrance or arrival.assigned or not its.routes or conversation.team_id != team_id:
            # A person handled it meanwhile.
            reason = arrival.hindrance or ("assigned" if arrival.assigned else "off")
            finish(run, RunState.DONE, now, outcome="team", reason=reason)
            return True
        ready = [one for one in on_duty(arrival) if one.in_team]
        busy = _waiting_for(session, run.workspace_id, [one.user_id for one in ready])
        chosen = longest_waiting(one for one in ready if busy[one.user_id] < A_FEW)
        if chosen is None:
            return False
        _give(session, run, conversation, Choice("waited_its_turn", chosen), now)
    session.flush()
    return True


# ---- members on duty ---------------------------------------------------------------------------------


def set_duty(work: UnitOfWork, user_id: int, *, on: bool) -> bool:
    """Put a member on duty, or take them off. Return whether that was a change."""
    row = work.session.get(Membership, (user_id, work.workspace_id), with_for_update=True)
    if row is None or (row.on_duty_since is not None) is on:
        return False
    row.on_duty_since = work.now if on else None
    work.session.flush()
    return True
