"""Accounts that have stopped, or stop by the end of tomorrow, and reply windows that close soon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import g, url_for
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.features.today import TodayAsked, TodayRow, TodaySection
from host.inbox.pages import reply_window
from host.inbox.queries import Order
from host.models.channels import AccountState, AccountWarning, ChannelAccount, ref
from host.models.inbox import Conversation, ConversationStatus
from host.notifications.notify import translated
from host.users.roles import Permission
from host.web.languages import gettext as _

MOST = 20
"""Most reasons that are listed one by one, the worst first; the page may not grow with the workspace."""
SOON = timedelta(days=1)
"""Time before the end of a reply window from which it counts."""


def rows(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield the rows of the section. Two statements."""
    query = (
        sa.select(ChannelAccount, AccountWarning)
        .outerjoin(AccountWarning, AccountWarning.account_id == ChannelAccount.id)
        .where(
            ChannelAccount.workspace_id == asked.workspace_id,
            ChannelAccount.state != AccountState.DISCONNECTED,
            *asked.seen(ChannelAccount.id),
        )
        .order_by(ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.id, AccountWarning.since)
    )
    accounts: dict[int, ChannelAccount] = {}
    warnings: dict[int, list[AccountWarning]] = {}
    for account, warning in session.execute(query):
        accounts[account.id] = account
        if warning is not None:
            warnings.setdefault(account.id, []).append(warning)
    yield from _windows(session, asked, list(accounts.values()))
    found = [
        one for account in accounts.values() for one in _account(asked, account, warnings.get(account.id, ()))
    ]
    found.sort(key=lambda one: one.order)
    yield from found[:MOST]
    if len(found) > MOST:
        may = g.workspace.may(Permission.ACCOUNTS)
        url = url_for("channels.index", workspace_id=asked.workspace_id, state="attention") if may else ""
        name = _("Other reasons on accounts")
        yield TodayRow(TodaySection.STOPS, 40, name, len(found) - MOST, url=url, tone="warn")


def _account(
    asked: TodayAsked, account: ChannelAccount, warnings: Sequence[AccountWarning]
) -> Iterator[TodayRow]:
    url = ""
    if g.workspace.may(Permission.ACCOUNTS):
        anchor = f"account-{account.id}"
        url = url_for("channels.index", workspace_id=asked.workspace_id, account=account.id, _anchor=anchor)
    said: list[tuple[str, str]] = []
    if current_directory().adapter(account.channel) is None:
        said.append(("bad", _("Addon not active")))
    elif account.state == AccountState.NEEDS_RECONNECT:
        said.append(("bad", _("It has to be reconnected, so it cannot send.")))
    said += [
        (one.tone, translated(one.sentence, one.details))
        for one in warnings
        if not _is_later(one.details, asked.tomorrow_ends)
    ]
    for tone, sentence in said:
        yield TodayRow(
            TodaySection.STOPS,
            20 if tone == "bad" else 30,
            account.handle or account.name,
            url=url,
            detail=sentence,
            tone=tone,
            own=True,
        )


def _is_later(details: Mapping[str, str], end: datetime) -> bool:
    """Return whether a warning is about a time after *end*, such as a token that expires next week."""
    times = [at for value in details.values() if (at := _time(value)) is not None]
    return bool(times) and min(times) > end


def _time(value: object) -> datetime | None:
    """Return a time among the details of a warning, which are stored as text."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return None if found.tzinfo is None else found


def _windows(session: Session, asked: TodayAsked, accounts: Sequence[ChannelAccount]) -> Iterator[TodayRow]:
    """Yield how many customers who wait can soon not be answered any more. One statement."""
    ends: dict[int, timedelta | None] = {}
    lengths = reply_window.stretches(map(ref, accounts), current_directory(), asked.now)
    for one in sorted(lengths, key=lambda one: one.since):  # the last period of an account counts
        ends |= dict.fromkeys(one.accounts, one.until)
    groups: dict[timedelta, list[int]] = {}
    for account_id, length in ends.items():
        if length is not None:
            groups.setdefault(length, []).append(account_id)
    if not groups:
        return
    last = Conversation.last_inbound_at
    closing = [
        sa.and_(
            Conversation.account_id.in_(sorted(ids)),
            last > asked.now - length,
            last <= asked.now - length + SOON,
        )
        for length, ids in groups.items()
    ]
    query = (
        sa.select(sa.func.count())
        .select_from(Conversation)
        .where(
            Conversation.workspace_id == asked.workspace_id,
            Conversation.status == ConversationStatus.OPEN,
            Conversation.waiting_since.is_not(None),
            Conversation.snooze_kind.is_(None),
            Conversation.spam_at.is_(None),
            # The list has an index by it; a provider's time may be a little ahead of it.
            Conversation.last_message_at > asked.now - max(groups) - SOON,
            sa.or_(*closing),
        )
    )
    number = session.scalar(query)
    if number:
        url = url_for("inbox.index", workspace_id=asked.workspace_id, sort=str(Order.CLOSING))
        name = _("Reply windows of waiting customers that close within a day")
        yield TodayRow(TodaySection.STOPS, 10, name, number, url=url, tone="warn")
