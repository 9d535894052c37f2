"""What a reader of the reports chose: days, accounts, team, person. From the page's address, and into it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from flask import request
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import InvalidError
from host.inbox import teams
from host.models.channels import ChannelAccount
from host.models.teams import Team
from host.reports.figures import MOST_DAYS, Days, Selection
from host.reports.tables import By, Key
from host.users import members
from host.users.members import Member
from host.web import languages
from host.web.account_picker import Picker, picker
from host.web.request_helpers import id_argument

USUAL_DAYS = 28
IN_HOURS = "business"
"""What the address says where times are those of business hours."""


@dataclass(frozen=True, slots=True)
class Account:
    """One of the accounts to choose from."""

    id: int
    channel: str
    handle: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and what there is to choose from.

    :param arguments: the choice as arguments of an address; what is as usual is left out.
    """

    selection: Selection
    today: date
    accounts: Sequence[Account]
    people: Sequence[Member]
    teams: Sequence[Team]
    account: Account | None
    channel: str
    person: Member | None
    team: Team | None
    by: By
    arguments: dict[str, Any]
    offered: Picker
    """The accounts that the form shows."""

    @property
    def channels(self) -> list[str]:
        return sorted({one.channel for one in self.accounts})

    @property
    def days(self) -> Days:
        return self.selection.days

    @property
    def recent(self) -> int | None:
        """How many days up to today were chosen; None: they end earlier, or later."""
        return len(self.days) if self.days.last == self.today else None

    def recent_days(self, count: int) -> dict[str, Any]:
        """Return the arguments for the last *count* days."""
        arguments = {name: value for name, value in self.arguments.items() if name not in {"from", "to"}}
        if count == USUAL_DAYS:
            return arguments
        return {**arguments, "from": (self.today - timedelta(days=count - 1)).isoformat()}

    def grouped(self, by: By) -> dict[str, Any]:
        """Return the arguments for another table of the same."""
        return {**self.arguments, "by": None if by is By.PERSON else by.value}

    def of_row(self, by: By, key: Key) -> dict[str, Any] | None:
        """Return the arguments for a row of a table alone; None: they cannot be chosen."""
        choices: dict[By, tuple[str, Collection[Key]]] = {
            By.PERSON: ("agent", [one.user_id for one in self.people]),
            By.TEAM: ("team", [one.id for one in self.teams]),
            By.ACCOUNT: ("account", [one.id for one in self.accounts]),
            By.CHANNEL: ("channel", self.channels),
            By.HOUR: ("", ()),
        }
        name, known = choices[by]
        return {**self.arguments, name: key} if key in known else None

    def of_day(self, day: date) -> dict[str, Any]:
        """Return the arguments for one day alone."""
        return {**self.arguments, "from": day.isoformat(), "to": day.isoformat()}


def zone() -> ZoneInfo:
    """Return the reader's time zone."""
    try:
        return ZoneInfo(languages.zone())
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def read_choice(session: Session, workspace_id: int, now: datetime) -> Choice:
    """Return what the address of the page chooses.

    :raises InvalidError: for days out of order, or an account, channel, person or team not of the workspace.
    """
    rows = session.execute(
        sa.select(ChannelAccount.id, ChannelAccount.channel, ChannelAccount.handle)
        .where(ChannelAccount.workspace_id == workspace_id)
        .order_by(ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.id)
    )
    accounts = [Account(*row) for row in rows]
    people = members.listing(session, workspace_id)
    there = teams.all_of(session, workspace_id)
    account_id, channel, user_id, team_id = (
        id_argument("account"),
        request.args.get("channel", ""),
        id_argument("agent"),
        id_argument("team"),
    )
    account = next((one for one in accounts if one.id == account_id), None)
    person = next((one for one in people if one.user_id == user_id), None)
    team = next((one for one in there if one.id == team_id), None)
    unknown = channel and channel not in {one.channel for one in accounts}
    asked = (account_id, account), (user_id, person), (team_id, team)
    if unknown or any(id_ is not None and one is None for id_, one in asked):
        raise InvalidError()
    try:
        by = By(request.args.get("by") or By.PERSON)
    except ValueError:
        raise InvalidError() from None
    today = now.astimezone(zone()).date()
    days = _days(today)
    chosen = None
    if account is not None or channel:
        chosen = [one.id for one in accounts if account in (None, one) and channel in ("", one.channel)]
    in_hours = request.args.get("hours", "") == IN_HOURS
    arguments = {
        "from": request.args.get("from") and days.first.isoformat(),
        "to": request.args.get("to") and days.last.isoformat(),
        "account": account_id,
        "channel": channel,
        "agent": user_id,
        "team": team_id,
        "hours": IN_HOURS if in_hours else "",
        "by": "" if by is By.PERSON else by.value,
    }
    return Choice(
        Selection(workspace_id, days, chosen, user_id, in_hours, team_id),
        today,
        accounts,
        people,
        there,
        account,
        channel,
        person,
        team,
        by,
        {name: value for name, value in arguments.items() if value},
        picker(session, workspace_id, [] if account is None else [account.id]),
    )


def _days(today: date) -> Days:
    """Return the days of the address: up to today, and four weeks of them, unless it says otherwise."""
    try:
        last = date.fromisoformat(request.args.get("to") or today.isoformat())
        usual = last - timedelta(days=USUAL_DAYS - 1)
        return Days(date.fromisoformat(request.args.get("from") or usual.isoformat()), last, zone())
    except (ValueError, OverflowError):
        raise InvalidError(
            _l("No figures can be shown for these days."),
            next_step=_l(
                "Choose a first day that is not after the last, and at most %(n)s days.", n=MOST_DAYS
            ),
        ) from None
