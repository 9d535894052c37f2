"""The results, for the whole desk, of the checks for messages that providers did not deliver."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.core import clock
from host.health.dependencies import Dependency, when
from host.models.channels import AccountState, ChannelAccount
from host.models.queue import MissedMessage, SecondLook
from host.web.languages import gettext as _

OVERDUE = timedelta(minutes=15)
"""Delay after which a check counts as overdue."""


def check_undelivered(session: Session) -> list[Dependency]:
    """Return a line about these checks; none while an account was never checked, or its check is overdue.

    It passes only if every account was checked and nothing was missed.
    """
    now = clock.now()
    columns = SecondLook.looked_at, SecondLook.look_at, SecondLook.problem, SecondLook.failures
    rows = session.execute(
        sa.select(*columns)
        .join(ChannelAccount, ChannelAccount.id == SecondLook.account_id)
        .where(ChannelAccount.state == AccountState.CONNECTED)
    ).all()
    name = _("Undelivered messages")
    # A failed check is retried soon; the next check is only further away once retries did not help.
    unchecked = sum(row.problem is not None and not row.failures for row in rows)
    if unchecked:
        fact = ngettext(
            "%(num)s account could not be checked. Its card shows why.",
            "%(num)s accounts could not be checked. Their cards show why.",
            unchecked,
        )
        return [Dependency("warn", name, fact)]
    if not rows or any(row.looked_at is None or row.problem or row.look_at < now - OVERDUE for row in rows):
        return []
    missed = session.scalar(sa.select(sa.func.count()).select_from(MissedMessage)) or 0
    if missed:
        fact = ngettext(
            "%(num)s was missed in the last 7 days. Lobby found it and added it to the inbox.",
            "%(num)s were missed in the last 7 days. Lobby found them and added them to the inbox.",
            missed,
        )
        return [Dependency("warn", name, fact)]
    fact = ngettext(
        "Nothing missing: %(num)s account was checked against its provider at %(when)s.",
        "Nothing missing: %(num)s accounts were checked against their providers, each at %(when)s or later.",
        len(rows),
        when=when(min(row.looked_at for row in rows)),
    )
    return [Dependency("pass", name, fact)]
