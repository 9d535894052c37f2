"""Claim rows that schedule a request to a provider, each about one account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from host.core import clock
from host.core.db import Base
from host.models.channels import AccountState, ChannelAccount, ref
from host.queue import policy
from host.sdk.channel import AccountRef

R = TypeVar("R", bound=Base)


def claim(
    session: Session,
    kind: type[R],
    account_id: InstrumentedAttribute[int],
    due: InstrumentedAttribute[Any],
    most: int,
    forget: Callable[[R], object] | None = None,
) -> list[tuple[R, AccountRef]]:
    """Return up to *most* due rows, each with its account, and hide them from other processes for a while.

    A row of a disconnected account is never due again; one whose account must be reconnected is due later.

    :param due: the column with the due time; NULL: never.
    :param forget: the values to set on a row of a disconnected account instead.
    """
    now = clock.now()
    rows = session.execute(
        sa.select(kind, ChannelAccount)
        .join(ChannelAccount, ChannelAccount.id == account_id)
        .where(due <= now)
        .order_by(due)
        .limit(most)
        .with_for_update(skip_locked=True, of=kind)
    ).all()
    claimed = []
    for row, account in rows:
        if account.state == AccountState.DISCONNECTED:
            if forget is not None:
                forget(row)
            else:
                setattr(row, due.key, None)
        elif account.state == AccountState.NEEDS_RECONNECT:
            setattr(row, due.key, now + policy.WAIT_FOR_CHANNEL)
        else:
            setattr(row, due.key, now + policy.PROFILE_CLAIM)
            claimed.append((row, ref(account)))
    session.flush()
    return claimed
