"""Notify people of waiting customers before an answer is due or the reply window closes.

The conversation stores each notification in the same write, so it is sent exactly once, regardless of the
number of workers and of crashes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.db import later_by
from host.core.ports import AdapterDirectory
from host.events.kinds.conversations import CONVERSATION_REPLY_DUE, CONVERSATION_WINDOW_CLOSING, OfDue
from host.inbox.conversations import record_conversation
from host.inbox.reply import policy_for
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import Conversation, ConversationStatus
from host.sdk.channel import ReplyState
from host.users.actor import DESK, UnitOfWork

log = logging.getLogger(__name__)

PORTION = 100
"""Most conversations handled in one write."""
LAST_CALL = timedelta(minutes=10)
"""Earliest notification before an answer is due, however long the target time."""
STILL = timedelta(minutes=15)
"""Time after the due date during which people are still notified, in case workers were down. Older cases are
already known.
"""
CLOSES_WITHIN = timedelta(hours=2)


def told_after(target: timedelta) -> timedelta:
    """Return the time after the question at which people are notified that the answer is due."""
    return max(target * 3 / 4, target - LAST_CALL)


class _Group(msgspec.Struct, frozen=True):
    """Accounts with the same notification time, and their workspaces."""

    length: timedelta
    accounts: tuple[int, ...]
    workspaces: tuple[int, ...]


def watch(directory: AdapterDirectory) -> bool:
    """Notify people of customers whose time is near: one batch of each kind. Return whether there may be
    more.
    """
    now = clock.now()
    with db.read() as session:
        accounts = session.scalars(
            sa.select(ChannelAccount)
            .where(ChannelAccount.state != AccountState.DISCONNECTED)
            .order_by(ChannelAccount.id)
        ).all()
        targets = _groups(accounts, _target)
        windows = _groups(accounts, partial(_window, directory, now))
        found = [
            (_tell_due, group, ids)
            for group in targets
            if (ids := session.scalars(_due(group, now).limit(PORTION)).all())
        ] + [
            (_tell_closing, group, ids)
            for group in windows
            if (ids := session.scalars(_closing(group, now).limit(PORTION)).all())
        ]
    for tell, group, ids in found:
        db.write(tell, group, ids, now)
    return any(len(ids) == PORTION for *_rest, ids in found)


def _groups(
    accounts: Sequence[ChannelAccount], length_of: Callable[[ChannelAccount], timedelta | None]
) -> list[_Group]:
    found: dict[timedelta, list[ChannelAccount]] = {}
    for account in accounts:
        length = length_of(account)
        if length is not None:
            found.setdefault(length, []).append(account)
    return [
        _Group(length, tuple(one.id for one in some), tuple(sorted({one.workspace_id for one in some})))
        for length, some in found.items()
    ]


def _target(account: ChannelAccount) -> timedelta | None:
    return None if account.reply_target is None else timedelta(minutes=account.reply_target)


def _window(directory: AdapterDirectory, now: datetime, account: ChannelAccount) -> timedelta | None:
    """Return the longest reply window after a customer's message; None if unlimited or unknown.

    As in the list, the adapter's answer for a message sent now is used for any time.
    """
    adapter = directory.adapter(account.channel)
    if adapter is None:
        return None
    try:
        policy = policy_for(adapter, ref(account), now, now)
    except Exception:
        log.exception("the adapter of %s cannot tell whether a reply is allowed", account.channel)
        return None
    if policy.state is ReplyState.CLOSED:
        return None
    end = policy.phases[-1].until if policy.phases else policy.until
    return None if policy.until is None or end is None else end - now


def _waits(group: _Group) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of an open conversation of *group* whose customer waits."""
    return [
        Conversation.workspace_id.in_(group.workspaces),
        Conversation.status == ConversationStatus.OPEN,
        Conversation.waiting_since.is_not(None),
        Conversation.account_id.in_(group.accounts),
        Conversation.snooze_kind.is_(None),
        Conversation.spam_at.is_(None),
    ]


def _due(group: _Group, now: datetime) -> sa.Select[int]:
    since, told = Conversation.waiting_since, Conversation.due_told_for
    minutes = int(group.length.total_seconds() // 60)
    at = Conversation.scheduled_at
    return (
        sa.select(Conversation.id)
        .where(
            *_waits(group),
            since > now - group.length - STILL,
            since <= now - told_after(group.length),
            sa.or_(told.is_(None), told != since),
            # Skip conversations with a scheduled reply that will be sent in time.
            sa.or_(at.is_(None), at > later_by(since, sa.literal(minutes))),
        )
        .order_by(since, Conversation.id)
    )


def _closing(group: _Group, now: datetime) -> sa.Select[int]:
    last, told = Conversation.last_inbound_at, Conversation.window_told_for
    at = Conversation.scheduled_at
    # For a window shorter than twice the notice, people are not notified in its first half.
    notice = min(CLOSES_WITHIN, group.length / 2)
    return (
        sa.select(Conversation.id)
        .where(
            *_waits(group),
            last > now - group.length,
            last <= now - group.length + notice,
            # Their last message is in the list, which has an index; customers who wrote long ago are skipped.
            Conversation.last_message_at > now - group.length - timedelta(days=1),
            sa.or_(told.is_(None), told != last),
            at.is_(None),
        )
        .order_by(last, Conversation.id)
    )


def _locked(session: Session, query: sa.Select[int], ids: Sequence[int]) -> Sequence[Conversation]:
    """Return those of *ids* that *query* still finds, locked."""
    wanted = query.with_only_columns(Conversation).where(Conversation.id.in_(ids)).order_by(None)
    locked = wanted.order_by(Conversation.id).with_for_update()
    return session.scalars(locked.execution_options(populate_existing=True)).all()


def _tell_due(session: Session, group: _Group, ids: Sequence[int], now: datetime) -> None:
    for conversation in _locked(session, _due(group, now), ids):
        since = conversation.waiting_since
        assert since is not None
        conversation.due_told_for = since
        _tell(session, conversation, CONVERSATION_REPLY_DUE, since + group.length)


def _tell_closing(session: Session, group: _Group, ids: Sequence[int], now: datetime) -> None:
    for conversation in _locked(session, _closing(group, now), ids):
        last = conversation.last_inbound_at
        assert last is not None
        conversation.window_told_for = last
        _tell(session, conversation, CONVERSATION_WINDOW_CLOSING, last + group.length)


def _tell(session: Session, conversation: Conversation, kind: str, until: datetime) -> None:
    session.flush()
    facts = OfDue(until=until.isoformat())
    record_conversation(
        UnitOfWork(session, conversation.workspace_id, DESK, clock.now()), conversation, kind, facts
    )
