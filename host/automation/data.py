"""Data hooks for automation runs."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation import restored as restored_desk
from host.automation import running
from host.automation.deciding import RunKind
from host.automation.runs import finish
from host.core import clock, db
from host.features.hookspecs import hookimpl
from host.features.use import Use
from host.models.automation import AccountAutomation, AutomationRun, ButtonAnswer, RunState
from host.models.channels import ChannelAccount
from host.users import data_retention
from host.web.languages import gettext as _


@hookimpl
def clean_up(most: int) -> None:
    """Remove runs that are older than the retention period of the event log."""
    before = clock.now() - data_retention.read().log
    while db.write(running.remove_old, before, most) == most:
        pass


@hookimpl
def restored(session: Session, now: datetime) -> None:
    """Leave everything that happened before *now* to people."""
    restored_desk.begin_at(session, now)


@hookimpl
def leave_to_people(session: Session, now: datetime, most: int) -> bool | None:
    """Cancel the greetings and away messages that were due."""
    query = (
        sa.select(AutomationRun)
        .where(AutomationRun.state == RunState.DUE, AutomationRun.kind == RunKind.WORDS)
        .order_by(AutomationRun.id)
        .limit(most)
    )
    found = session.scalars(query).all()
    for run in found:
        finish(run, RunState.SKIPPED, now, reason="restored")
    session.flush()
    return bool(found) or None


@hookimpl
def uses(session: Session, workspace_id: int, kind: str) -> dict[int, list[Use]]:
    """Return the accounts whose new conversations, or whose buttons, go to each team."""
    found: dict[int, list[Use]] = {}
    if kind != "team":
        return found
    for table, what in (
        (AccountAutomation, _("New conversations of")),
        (ButtonAnswer, _("Ice breakers or menu of")),
    ):
        query = (
            sa.select(table.team_id, ChannelAccount.name, ChannelAccount.id)
            .join(ChannelAccount, ChannelAccount.id == table.account_id)
            .where(table.workspace_id == workspace_id, table.team_id.is_not(None))
            .distinct()
            .order_by(ChannelAccount.name, ChannelAccount.id)
        )
        for team_id, name, _account in session.execute(query):
            assert team_id is not None
            found.setdefault(team_id, []).append(Use(what, name, "", ("channels.index", {}), "accounts"))
    return found
