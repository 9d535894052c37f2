"""Decide how often to check an account for messages that were not delivered.

Checks may use a fiftieth of the calls the provider allows the account, or four calls a day if that is less.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.models.inbox import Conversation, ConversationStatus
from host.sdk.history import LookRules

SHARE = 0.02
DAY = timedelta(days=1)
STEPS = tuple(timedelta(minutes=minutes) for minutes in (3, 5, 10, 15, 20, 30, 60, 120, 180, 360))
"""The possible intervals: an account whose budget changes slightly keeps its place among the others."""
LONGEST = STEPS[-1]
NEARLY_USED_UP = 75
"""Percentage of the provider's limit from which an account is checked less often."""
LESS_OFTEN = 4

BUDGET, QUIET, LIMIT = "budget", "quiet", "limit"
TWICE, ONCE = "found", "found-once"
"""A check found something: the next two are quick, or one more is, whatever the budget says."""
ON_CREDIT = {TWICE: ONCE}
"""The reason after that of a quick check; none: the budget decides again."""


def choose(rules: LookRules, customers: int, calls: int, used_percent: int) -> tuple[timedelta, str]:
    """Return the interval, and why it is not the shortest; empty if it is.

    :param customers: number of customers with whom the account exchanged messages within a day.
    :param calls: number of calls of the latest check, including those for reading threads.
    """
    paid = rules.calls_per_customer * customers * SHARE
    wanted = DAY * max(calls, 1) / paid if paid else LONGEST
    reason = BUDGET if wanted > rules.shortest else ""
    wanted = max(wanted, rules.shortest)
    if not customers:
        reason = QUIET
    if used_percent >= NEARLY_USED_UP:
        wanted, reason = wanted * LESS_OFTEN, LIMIT
    return next((step for step in STEPS if step >= wanted), LONGEST), reason


def next_time(uuid: str, now: datetime, interval: timedelta) -> datetime:
    """Return when an account is checked next: accounts are spread over the interval by a hash of their id.

    The result is between 0.4 and 1 interval from now.
    """
    seconds = interval.total_seconds()
    digest = hashlib.sha256(uuid.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 * seconds
    ahead = (place - now.timestamp()) % seconds
    at = datetime.fromtimestamp(now.timestamp() + ahead, UTC)
    # A check that was late, or whose interval changed, reaches its place in two steps.
    return at if ahead >= 0.4 * seconds else at + interval / 2


def count_customers(session: Session, account_id: int, now: datetime) -> int:
    """Return the number of customers with whom an account exchanged messages within a day."""
    query = sa.select(sa.func.count(sa.distinct(Conversation.identity_id))).where(
        Conversation.account_id == account_id,
        Conversation.status.in_([str(one) for one in ConversationStatus]),
        Conversation.last_message_at >= now - DAY,
    )
    return session.scalar(query) or 0
