"""The first steps of a workspace: what is done, which comes next, and what people skipped."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.automation import AccountAutomation
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, Direction, Message
from host.models.users import Invitation, Membership, Workspace
from host.start.models import WorkspaceStart
from host.working_hours.models import BusinessHours


class Key(StrEnum):
    """The steps, in order."""

    INSTALL = "install"
    CONNECT = "connect"
    WRITE = "write"
    INVITE = "invite"
    HOURS = "hours"


NAMES: Mapping[Key, LazyString] = {
    Key.INSTALL: _l("Install a channel"),
    Key.CONNECT: _l("Connect an account"),
    Key.WRITE: _l("Send yourself a message"),
    Key.INVITE: _l("Invite your team"),
    Key.HOURS: _l("Set working hours and a greeting"),
}
MINUTES: Mapping[Key, int] = {
    Key.INSTALL: 1,
    Key.CONNECT: 3,
    Key.WRITE: 1,
    Key.INVITE: 1,
    Key.HOURS: 2,
}
"""About how long each takes."""


class State(StrEnum):
    """The state of a step."""

    DONE = "done"
    SKIPPED = "skipped"
    OPEN = "open"
    LOCKED = "locked"
    """Not possible before the step above it."""


class ConnectedAccount(msgspec.Struct, frozen=True):
    """The account that was connected first."""

    id: int
    channel: str
    handle: str
    connected_at: datetime


class FirstMessage(msgspec.Struct, frozen=True):
    """The first message of a customer, and its answer.

    :param answer: text of the team's first answer; None: there is none yet.
    """

    conversation_id: int
    text: str
    sent_at: datetime
    answer: str | None = None
    answered_at: datetime | None = None


class Progress(msgspec.Struct, frozen=True):
    """How far a workspace is.

    :param is_empty: whether it has no conversation.
    :param others: members besides one; *invited*: invitations that are open.
    :param row: whether the list was shown before; *began_at* and the like as in :class:`WorkspaceStart`.
    """

    states: Mapping[Key, State]
    account: ConnectedAccount | None
    message: FirstMessage | None
    is_empty: bool
    others: int
    invited: int
    hours: bool
    greeting: bool
    row: bool = False
    began_at: datetime | None = None
    step: str = ""
    finished_at: datetime | None = None
    hidden: bool = False

    @property
    def current(self) -> Key | None:
        """The step to do next: the first that is neither done nor skipped; None: there is none."""
        return next(iter(self.left), None)

    @property
    def left(self) -> list[Key]:
        """The steps that are neither done nor skipped."""
        return [key for key in Key if self.states[key] in {State.OPEN, State.LOCKED}]

    @property
    def done(self) -> int:
        """The number of steps that are done."""
        return sum(state is State.DONE for state in self.states.values())

    @property
    def minutes_left(self) -> int:
        """About how many minutes the remaining steps take."""
        return sum(MINUTES[key] for key in self.left)

    @property
    def leads(self) -> bool:
        """Whether the list belongs in the inbox's place.

        A conversation may be a customer's, so the first one brings the inbox back. A page that shows the list
        goes on showing it.
        """
        return not self.hidden and self.is_empty


def read(session: Session, workspace_id: int, channels: Collection[str], *, installable: bool) -> Progress:
    """Return how far a workspace is.

    :param channels: the channels that can be connected, without those every desk starts with.
    :param installable: whether there is a channel to install.
    """
    row = session.get(WorkspaceStart, workspace_id)
    account, message = _account(session, workspace_id), _message(session, workspace_id)
    some = sa.select(Conversation.id).where(Conversation.workspace_id == workspace_id).limit(1)
    others = _count(session, Membership.workspace_id == workspace_id, Membership) - 1
    open_invitation = (
        Invitation.workspace_id == workspace_id,
        Invitation.used_at.is_(None),
        Invitation.expires_at > clock.now(),
    )
    invited = _count(session, sa.and_(*open_invitation), Invitation)
    of_workspace = (BusinessHours.workspace_id == workspace_id, BusinessHours.week.is_not(None))
    hours = session.scalar(sa.select(BusinessHours.id).where(*of_workspace).limit(1)) is not None
    greeted = (AccountAutomation.workspace_id == workspace_id, AccountAutomation.greets)
    greeting = session.scalar(sa.select(AccountAutomation.account_id).where(*greeted).limit(1)) is not None
    done = {
        Key.INSTALL: bool(channels) or account is not None or not installable,
        Key.CONNECT: account is not None,
        Key.WRITE: message is not None,
        Key.INVITE: others > 0 or invited > 0,
        Key.HOURS: hours and greeting,
    }
    return Progress(
        _states(done, () if row is None else row.skipped),
        account,
        message,
        is_empty=session.scalar(some) is None,
        others=max(others, 0),
        invited=invited,
        hours=hours,
        greeting=greeting,
        row=row is not None,
        began_at=None if row is None else row.began_at,
        step="" if row is None else row.step,
        finished_at=None if row is None else row.finished_at,
        hidden=row is not None and row.hidden_at is not None,
    )


def _states(done: Mapping[Key, bool], skipped: Sequence[str]) -> Mapping[Key, State]:
    states: dict[Key, State] = {}
    for key in Key:
        if done[key]:
            states[key] = State.DONE
        elif key in skipped or (key is Key.WRITE and states[Key.CONNECT] is State.SKIPPED):
            states[key] = State.SKIPPED
        elif (key is Key.CONNECT and states[Key.INSTALL] is State.OPEN) or (
            key is Key.WRITE and not done[Key.CONNECT]
        ):
            states[key] = State.LOCKED
        else:
            states[key] = State.OPEN
    return states


def _count(session: Session, where: sa.ColumnElement[bool], table: Any) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table).where(where)) or 0


def _account(session: Session, workspace_id: int) -> ConnectedAccount | None:
    query = (
        sa.select(
            ChannelAccount.id, ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.connected_at
        )
        .where(
            ChannelAccount.workspace_id == workspace_id,
            ChannelAccount.state != AccountState.DISCONNECTED,
        )
        .order_by(ChannelAccount.beside_id.is_not(None), ChannelAccount.id)
        .limit(1)
    )
    row = session.execute(query).first()
    return None if row is None else ConnectedAccount(*row)


def _message(session: Session, workspace_id: int) -> FirstMessage | None:
    """Return the first message of the first conversation that has one."""
    ids = (
        sa.select(Conversation.id)
        .where(Conversation.workspace_id == workspace_id, Conversation.last_inbound_at.is_not(None))
        .order_by(Conversation.id)
        .limit(1)
    )
    conversation_id = session.scalar(ids)
    if conversation_id is None:
        return None
    columns = sa.select(Message.text, Message.sent_at).where(Message.conversation_id == conversation_id)
    in_order = columns.order_by(Message.sent_at, Message.id).limit(1)
    first = session.execute(in_order.where(Message.direction == Direction.INBOUND)).first()
    if first is None:
        return None
    by_team = (Message.direction == Direction.OUTBOUND, Message.author_id.is_not(None))
    answer = session.execute(in_order.where(*by_team)).first()
    if answer is None:
        return FirstMessage(conversation_id, first.text, first.sent_at)
    return FirstMessage(conversation_id, first.text, first.sent_at, answer.text, answer.sent_at)


def note(session: Session, workspace_id: int, current: Key | None) -> None:
    """Record which step is next, for how long set-up takes and where people stop."""
    now, step = clock.now(), current or ""
    row = _row(session, workspace_id)
    if row.step != step:
        row.step, row.step_at = step, now
    if current is None and row.finished_at is None:
        row.finished_at = now


def skip(session: Session, workspace_id: int, key: Key) -> None:
    """Record that somebody skipped a step; it can still be done."""
    row = _row(session, workspace_id)
    if key not in row.skipped:
        row.skipped = [*row.skipped, key.value]


def hide(session: Session, workspace_id: int) -> None:
    """Hide the list."""
    row = _row(session, workspace_id)
    row.hidden_at = row.hidden_at or clock.now()


def _row(session: Session, workspace_id: int) -> WorkspaceStart:
    """Return the row of a workspace, locked; it is added if there is none."""
    # Two people of a team may open the inbox at once: the workspace is what both lock.
    session.execute(sa.select(Workspace.id).where(Workspace.id == workspace_id).with_for_update())
    row = session.get(WorkspaceStart, workspace_id)
    if row is None:
        now = clock.now()
        row = WorkspaceStart(
            workspace_id=workspace_id, began_at=now, step=Key.INSTALL, step_at=now, skipped=[]
        )
        session.add(row)
        session.flush()
    return row


class Totals(msgspec.Struct, frozen=True):
    """The first steps of all workspaces of this desk.

    :param took: median seconds from the first look at the list until nothing was left; None: nobody finished.
    :param finished: the number of workspaces that finished.
    :param stopped: for each step, how many workspaces have stayed there for an hour, or hid the list there.
    """

    took: float | None
    finished: int
    stopped: Mapping[Key, int]


def totals(session: Session, stays: datetime) -> Totals:
    """Return the first steps of all workspaces.

    :param stays: a workspace that has been at its step since before then has stopped there.
    """
    spans = sorted(
        (row.finished_at - row.began_at).total_seconds()
        for row in session.execute(
            sa.select(WorkspaceStart.began_at, WorkspaceStart.finished_at)
            .where(WorkspaceStart.finished_at.is_not(None))
            .order_by(WorkspaceStart.finished_at.desc())
            .limit(1000)
        )
    )
    stopped = (
        sa.select(WorkspaceStart.step, sa.func.count())
        .where(
            WorkspaceStart.finished_at.is_(None),
            sa.or_(WorkspaceStart.step_at < stays, WorkspaceStart.hidden_at.is_not(None)),
        )
        .group_by(WorkspaceStart.step)
    )
    counts = dict(session.execute(stopped).all())
    return Totals(
        spans[len(spans) // 2] if spans else None,
        len(spans),
        {key: counts[key.value] for key in Key if key.value in counts},
    )


def remove(session: Session, workspace_id: int, most: int) -> int:
    """Remove what is stored about a workspace; return how many rows there were."""
    return db.delete_some(session, WorkspaceStart, WorkspaceStart.workspace_id == workspace_id, most)
