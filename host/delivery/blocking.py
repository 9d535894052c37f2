"""Who has to wait, or cannot be reached, after what a provider answered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock
from host.channels.models import ChannelAccount
from host.delivery import gate, policy, sentences
from host.inbox import outcome
from host.inbox.models import ContactIdentity, Conversation
from host.live.publish import Change, publish, publish_many
from host.sdk.channel import AccountRef, NotSent, Pause, Rejected


def patience(result: NotSent, attempts: int) -> timedelta:
    """Return how long to wait after try number *attempts*."""
    if result.retry_after is None:
        return policy.send_delay(attempts)
    seconds = min(max(result.retry_after, 1.0), policy.LONGEST_RETRY_AFTER.total_seconds())
    return timedelta(seconds=seconds)


def rest(
    session: Session, account: AccountRef, until: datetime, sentence: str, others: Collection[int] = ()
) -> None:
    """Hold the queues of an account and *others* of its channel back until *until*.

    They are locked in the order of their ids: others may do the same at the same time.
    """
    query = (
        sa.select(ChannelAccount)
        .where(
            ChannelAccount.id.in_({account.id, *others}),
            ChannelAccount.channel == account.channel,
        )
        .order_by(ChannelAccount.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in session.scalars(query).all():
        if row.blocked_until is None or row.blocked_until < until:
            row.blocked_until = until
            row.blocked_reason = (sentence or sentences.WAITS_TO_RETRY)[:500]
            session.flush()
            publish(session, row.workspace_id, "account", {"account": row.id})


def block(session: Session, account: AccountRef, result: NotSent, until: datetime) -> None:
    """Hold the queues back of every account a limit stops.

    Where the provider does not say for how long, once may be an accident: only what it says again, with
    nothing taken in between, holds the account back, and longer each time.
    """
    if result.retry_after is None:
        resting = sa.select(ChannelAccount.blocked_until).where(ChannelAccount.id == account.id)
        known = session.scalar(resting)
        if known is not None and known > clock.now():
            return  # an answer to a call that was under way when the rest began
        times = gate.current().refused(account.id)
        if times < policy.REFUSALS_IN_A_ROW:
            return
        until = max(until, clock.now() + policy.send_delay(times - policy.REFUSALS_IN_A_ROW + 1))
    rest(session, account, until, result.problem.sentence, result.other_accounts)


def pause(session: Session, account: AccountRef, asked: Pause) -> datetime:
    """Do what the provider asked for beside its answer; return when it is over."""
    seconds = min(max(asked.seconds, 1.0), policy.LONGEST_RETRY_AFTER.total_seconds())
    until = clock.now() + timedelta(seconds=seconds)
    if asked.whole_account:
        rest(session, account, until, asked.problem.sentence, asked.other_accounts)
    return until


def out_of_reach(session: Session, identity_id: int, rejected: Rejected) -> None:
    """Note that nothing can be sent to a customer until they write."""
    _reach(session, identity_id, clock.now(), rejected.until, outcome.as_error(rejected.problem))


def within_reach(session: Session, identity_id: int) -> None:
    """Note that something reached a customer after all."""
    _reach(session, identity_id, None, None, None)


def _reach(
    session: Session,
    identity_id: int,
    since: datetime | None,
    until: datetime | None,
    why: dict[str, str] | None,
) -> None:
    session.execute(
        sa.update(ContactIdentity)
        .where(ContactIdentity.id == identity_id)
        .values(
            unreachable_since=since,
            unreachable_until=until,
            unreachable=sa.null() if why is None else why,
        )
    )
    conversations = session.execute(
        sa.select(Conversation.id, Conversation.workspace_id).where(Conversation.identity_id == identity_id)
    )
    publish_many(
        session,
        [Change(workspace_id, "conversation", {"conversation": one}) for one, workspace_id in conversations],
    )
