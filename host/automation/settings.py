"""Automation settings of an account: read, validate and save."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.automation import texts
from host.automation.deciding import GREETED, Sent, Settings
from host.core import db
from host.core.backports.values import replace
from host.core.errors import InvalidError
from host.core.statements import Statement
from host.inbox.teams import teams
from host.models.automation import AccountAutomation
from host.models.channels import AccountState, ChannelAccount
from host.sdk.errors import AccountGoneError
from host.users.actor import UnitOfWork
from host.users.workspaces import SavedMeanwhileError

FEWEST_DAYS, MOST_DAYS = 1, 365


class SilenceError(InvalidError):
    """The days of silence are not a valid number."""

    code = "silence_days"
    title = _l("Invalid number of days")
    default_sentence = _l("The number of days must be from 1 to 365, so nothing was saved.")
    default_next_step = _l("Type another number.")
    program_step = _l("Send another number.")


class RouteError(InvalidError):
    """Conversations should go to a team, but none is chosen."""

    code = "route_without_team"
    title = _l("Team missing")
    default_sentence = _l("Routing new conversations needs a team, and none is selected. Nothing was saved.")
    default_next_step = _l("Choose a team, or turn routing off.")
    program_step = _l("Send a team, or turn routing off.")


def of_accounts(session: Session, accounts: Collection[int]) -> dict[int, Settings]:
    """Return the settings of those of *accounts* that have any automation, in one statement."""
    if not accounts:
        return {}
    rows = _doing.rows(session.connection(), {"accounts": db.padded(accounts)})
    return {row[0]: _settings(_Row._make(row)) for row in rows}


_COLUMNS = tuple(AccountAutomation.__table__.columns)
_Row = namedtuple("_Row", [column.name for column in _COLUMNS])  # type: ignore[misc]
_doing = Statement(
    sa.select(*_COLUMNS).where(
        AccountAutomation.account_id.in_(sa.bindparam("accounts", expanding=True)),
        sa.or_(
            AccountAutomation.greets,
            AccountAutomation.tells_away,
            AccountAutomation.routes,
            AccountAutomation.has_buttons,
        ),
    )
)


def of_account(session: Session, workspace_id: int, account_id: int) -> Settings:
    """Return the settings of an account; everything is off by default."""
    row = session.get(AccountAutomation, account_id, populate_existing=True)
    return Settings(account_id=account_id, workspace_id=workspace_id) if row is None else _settings(row)


def _settings(row: Any) -> Settings:
    return Settings(
        account_id=row.account_id,
        workspace_id=row.workspace_id,
        version=row.version,
        greets=row.greets,
        greeting=row.greeting,
        silence_days=row.silence_days,
        # Ignore kinds that only another release knows.
        greets_on=frozenset(Sent(one) for one in row.greets_on if one in set(Sent)),
        tells_away=row.tells_away,
        away=row.away,
        routes=row.routes,
        team_id=row.team_id,
        to_person=row.to_person,
        to_last=row.to_last,
        has_buttons=row.has_buttons,
    )


def save(work: UnitOfWork, wanted: Settings, *, limit: int | None, version: int | None = None) -> None:
    """Save the settings *wanted* of an account.

    A text that is turned off is kept, so that it can be turned on again.

    :param limit: of a message of the channel, in bytes or with its unit; None: unknown.
    :param version: the version the page showed; None: overwrite newer versions.
    :raises AccountGoneError: if the account is missing or disconnected.
    :raises SavedMeanwhileError: if a newer version than *version* was saved.
    :raises AutomationTextError, VariableError: as :func:`host.automation.texts.checked`.
    :raises SilenceError: if the days are not between 1 and 365.
    :raises RouteError: if no team is chosen.
    :raises TeamNotFoundError: if the workspace has no such team.
    """
    session, now = work.session, work.now
    account = session.get(ChannelAccount, wanted.account_id, with_for_update={"key_share": True})
    if account is None or account.workspace_id != wanted.workspace_id:
        raise AccountGoneError("There is no such account in this workspace.")
    if account.state == AccountState.DISCONNECTED:
        raise AccountGoneError("The account is disconnected already.")
    row = session.get(AccountAutomation, wanted.account_id, populate_existing=True)
    before = of_account(session, wanted.workspace_id, wanted.account_id)
    if version is not None and version != before.version:
        raise SavedMeanwhileError()
    found = checked(session, wanted, limit)
    wanted = replace(found, version=before.version, has_buttons=before.has_buttons)
    if wanted == before:
        return
    if row is None:
        row = new_row(wanted, now)
        session.add(row)
    else:
        _fill(row, wanted)
    row.version, row.changed_at = before.version + 1, now
    session.flush()
    details = {"channel": account.channel, **_differences(before, wanted)}
    work.audit("account.automation_changed", account.handle, details=details)


def _differences(before: Settings, after: Settings) -> dict[str, object]:
    """Return the changed fields, for the audit log; of texts only that they changed."""
    fields = {"greeting": "greets", "away": "tells_away", "routing": "routes"}
    found: dict[str, object] = {
        name: {"from": getattr(before, field), "to": getattr(after, field)}
        for name, field in fields.items()
        if getattr(before, field) != getattr(after, field)
    }
    texts = {"greeting_text": "greeting", "away_text": "away"}
    return found | {
        name: "changed" for name, field in texts.items() if getattr(before, field) != getattr(after, field)
    }


def new_row(wanted: Settings, now: datetime) -> AccountAutomation:
    """Return a row with the settings *wanted*, not yet added to a session."""
    row = AccountAutomation(
        account_id=wanted.account_id, workspace_id=wanted.workspace_id, version=wanted.version, changed_at=now
    )
    _fill(row, wanted)
    return row


def _fill(row: AccountAutomation, wanted: Settings) -> None:
    for name in ("greets", "greeting", "silence_days", "tells_away", "away"):
        setattr(row, name, getattr(wanted, name))
    for name in ("routes", "team_id", "to_person", "to_last"):
        setattr(row, name, getattr(wanted, name))
    row.greets_on = sorted(wanted.greets_on)


def checked(session: Session, wanted: Settings, limit: int | None) -> Settings:
    """Return *wanted* validated; raises the same errors as :func:`save`."""
    if not FEWEST_DAYS <= wanted.silence_days <= MOST_DAYS:
        raise SilenceError(field="silenceDays")
    greeting, away = wanted.greeting, wanted.away
    greeting = _text(greeting, limit, wanted.greets, "greeting")
    away = _text(away, limit, wanted.tells_away, "away")
    if wanted.routes and wanted.team_id is None:
        raise RouteError(field="teamId")
    if wanted.team_id is not None:
        teams.get(session, wanted.workspace_id, wanted.team_id)
    return replace(
        wanted,
        greeting=greeting,
        away=away,
        greets_on=(wanted.greets_on & {*GREETED, Sent.MENTION}) or GREETED,
    )


def _text(text: str, limit: int | None, on: bool, field: str) -> str:
    if not on and not text.strip():
        return ""
    try:
        return texts.checked(text, limit)
    except InvalidError as error:
        error.field = error.field or field
        raise
