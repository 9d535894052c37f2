"""The filters of the Reports page (days, accounts, team, person, label) and the order of its table.

Read from the page's address, and written to it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from flask import request
from sqlalchemy.orm import Session

from host.core.clock import Days
from host.core.errors import InvalidError
from host.inbox.labels import labels
from host.inbox.labels.models import Label
from host.inbox.teams import teams
from host.inbox.teams.models import Team
from host.models.channels import ChannelAccount
from host.reports.figures import NO_LABEL, Selection
from host.reports.tables import Grouping, Key
from host.users import members
from host.users.members import Member
from host.web.account_picker import Picker, picker
from host.web.languages import reader
from host.web.periods import given_days, recent_days
from host.web.request_helpers import id_argument

IN_HOURS = "business"
"""Value in the address that selects working hours."""
UNLABELLED = "none"
"""Value in the address that selects conversations without labels."""


class Column(StrEnum):
    """A column to sort a table by."""

    NAME = "name"
    RECEIVED = "received"
    SENT = "sent"
    CONVERSATIONS = "conversations"
    FIRST = "first"
    NINE = "nine"
    NEXT = "next"
    RESOLUTION = "resolution"
    CLOSED = "closed"
    MISSED = "missed"
    LATE = "late"
    IN_TIME = "in-time"


class Order(msgspec.Struct, frozen=True):
    """The order of a table's rows; in the address a column, after ``-`` if the largest comes first."""

    column: Column
    descending: bool

    def __str__(self) -> str:
        return f"-{self.column}" if self.descending else self.column.value

    @classmethod
    def of(cls, text: str) -> Order:
        """Return the order written as *text*.

        :raises InvalidError: for an unknown column.
        """
        try:
            return cls(Column(text.removeprefix("-")), text.startswith("-"))
        except ValueError:
            raise InvalidError() from None


SLOWEST = Order(Column.FIRST, descending=True)
"""The default order of labels. Other tables have their own, which no column has."""


class Account(msgspec.Struct, frozen=True):
    """An account to choose from."""

    id: int
    channel: str
    handle: str


class Choice(msgspec.Struct, frozen=True):
    """The chosen filters and the available options.

    :param arguments: the choice as arguments of an address, without defaults.
    :param order: the order of the table's rows; None: the default of other tables than that of labels.
    """

    selection: Selection
    today: date
    accounts: Sequence[Account]
    people: Sequence[Member]
    teams: Sequence[Team]
    labels: Sequence[Label]
    account: Account | None
    channel: str
    person: Member | None
    team: Team | None
    label: Label | None
    by: Grouping
    order: Order | None
    arguments: dict[str, Any]
    offered: Picker
    """The accounts that the form shows."""

    @property
    def channels(self) -> list[str]:
        return sorted({one.channel for one in self.accounts})

    @property
    def unlabelled(self) -> bool:
        """Whether only conversations without labels are chosen."""
        return self.selection.label_id == NO_LABEL

    @property
    def days(self) -> Days:
        return self.selection.days

    @property
    def recent(self) -> list[tuple[int, str | None, bool]]:
        return recent_days(self.days, self.today)

    def grouped(self, by: Grouping) -> dict[str, Any]:
        """Return the arguments for the table grouped by *by*."""
        return {**self.arguments, "by": None if by is Grouping.PERSON else by.value, "order": None}

    def sorted_by(self, name: str) -> dict[str, Any]:
        """Return the arguments for the table sorted by the column *name*; the other way round if it is.

        Names begin with the first, numbers with the largest.
        """
        column, now = Column(name), self.order
        flipped = now is not None and now.column is column
        descending = not now.descending if now and flipped else column is not Column.NAME
        order = Order(column, descending)
        is_default = self.by is Grouping.LABEL and order == SLOWEST
        return {**self.arguments, "order": None if is_default else str(order)}

    def of_row(self, by: Grouping, key: Key) -> dict[str, Any] | None:
        """Return the arguments that filter by one row of a table; None: the row cannot be a filter."""
        choices: dict[Grouping, tuple[str, Collection[Key]]] = {
            Grouping.PERSON: ("agent", [one.user_id for one in self.people]),
            Grouping.TEAM: ("team", [one.id for one in self.teams]),
            Grouping.LABEL: ("label", [one.id for one in self.labels]),
            Grouping.ACCOUNT: ("account", [one.id for one in self.accounts]),
            Grouping.CHANNEL: ("channel", self.channels),
            Grouping.HOUR: ("", ()),
        }
        name, known = choices[by]
        return {**self.arguments, name: key} if key in known else None

    def of_day(self, day: date) -> dict[str, Any]:
        """Return the arguments for one day."""
        return {**self.arguments, "from": day.isoformat(), "to": day.isoformat()}


def read_choice(session: Session, workspace_id: int, now: datetime) -> Choice:
    """Return the filters in the page's address.

    :raises InvalidError: for days out of order, an account, channel, person, team or label not of the
        workspace, or an unknown table or column.
    """
    rows = session.execute(
        sa.select(ChannelAccount.id, ChannelAccount.channel, ChannelAccount.handle)
        .where(ChannelAccount.workspace_id == workspace_id)
        .order_by(ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.id)
    )
    accounts = [Account(*row) for row in rows]
    people = members.listing(session, workspace_id)
    there = teams.all_of(session, workspace_id)
    known = labels.all_of(session, workspace_id)
    account_id, channel, user_id, team_id = (
        id_argument("account"),
        request.args.get("channel", ""),
        id_argument("agent"),
        id_argument("team"),
    )
    unlabelled = request.args.get("label") == UNLABELLED
    label_id = None if unlabelled else id_argument("label")
    account = next((one for one in accounts if one.id == account_id), None)
    person = next((one for one in people if one.user_id == user_id), None)
    team = next((one for one in there if one.id == team_id), None)
    unknown = channel and channel not in {one.channel for one in accounts}
    label = next((one for one in known if one.id == label_id), None)
    asked = (account_id, account), (user_id, person), (team_id, team), (label_id, label)
    if unknown or any(id_ is not None and one is None for id_, one in asked):
        raise InvalidError()
    try:
        by = Grouping(request.args.get("by") or Grouping.PERSON)
    except ValueError:
        raise InvalidError() from None
    today = now.astimezone(reader().zone).date()
    days = given_days(today)
    chosen = None
    if account is not None or channel:
        chosen = [one.id for one in accounts if account in (None, one) and channel in ("", one.channel)]
    text = request.args.get("order", "")
    order = Order.of(text) if text else SLOWEST if by is Grouping.LABEL else None
    in_hours = request.args.get("hours", "") == IN_HOURS
    arguments = {
        "from": request.args.get("from") and days.first.isoformat(),
        "to": request.args.get("to") and days.last.isoformat(),
        "account": account_id,
        "channel": channel,
        "agent": user_id,
        "team": team_id,
        "label": UNLABELLED if unlabelled else label_id,
        "hours": IN_HOURS if in_hours else "",
        "by": "" if by is Grouping.PERSON else by.value,
        "order": "" if by is Grouping.LABEL and order == SLOWEST else text,
    }
    return Choice(
        Selection(
            workspace_id, days, chosen, user_id, in_hours, team_id, NO_LABEL if unlabelled else label_id
        ),
        today,
        accounts,
        people,
        there,
        known,
        account,
        channel,
        person,
        team,
        label,
        by,
        order,
        {name: value for name, value in arguments.items() if value},
        picker(session, workspace_id, [] if account is None else [account.id]),
    )
