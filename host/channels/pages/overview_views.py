"""Settings -> Automation: what runs on which account, and in which order a message meets it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
import sqlalchemy as sa
from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext, ngettext
from sqlalchemy.orm import Session

from host.channels import abilities
from host.channels.directory import Directory, current_directory
from host.channels.pages.blueprint import bp
from host.core import db
from host.core.backports.values import replace
from host.features import registry
from host.features.automation_overview import (
    AutomationOverview,
    OverviewAccount,
    OverviewCell,
    OverviewColumn,
    OverviewProblem,
    OverviewState,
)
from host.models.channels import AccountState, ChannelAccount
from host.web import navigation
from host.web.languages import gettext as _
from host.web.portions import portion
from host.web.request_helpers import Permission, seen_accounts, workspace_view

navigation.add_settings(
    "channels.overview",
    _l("Overview"),
    order=22,
    section=navigation.AUTOMATION,
    icon="bolt",
    words="greeting, welcome, away, out of office, ice breakers, menu, routing, assign, Begrüßung, abwesend, "
    "Gesprächseinstiege, Menü, Verteilung, zuweisen, stop words, opt out, Stoppwörter, Abmeldung",
    finds=(navigation.Find(_l("How a message is handled"), "au-order", "order, flow, Reihenfolge, Ablauf"),),
)

STATES = {
    OverviewState.LIVE: _l("Live"),
    OverviewState.SUGGESTS: _l("Suggests"),
    OverviewState.ANSWERS: lazy_pgettext("language model", "Answers"),
    OverviewState.SHADOW: _l("Shadow"),
    OverviewState.DRAFT: _l("Draft"),
    OverviewState.OFF: _l("Off"),
    OverviewState.STOPPED: _l("Stopped"),
}
"""Words for the states."""
SENDING = {OverviewState.LIVE, OverviewState.ANSWERS}
MOST_PROBLEMS = 5
"""Problems that are shown; others are folded."""


class ShownCell(msgspec.Struct, frozen=True):
    """A cell of the table.

    :param label: of its column.
    :param cell: None: nothing runs there.
    :param url: where it is set; empty: nowhere at the moment.
    :param supported: whether the channel supports it.
    :param elsewhere: if not, the account beside this one whose channel does, if there is one.
    :param turn_on: what has to be turned on first, in words; empty: nothing could help.
    """

    label: object
    cell: OverviewCell | None
    url: str
    supported: bool
    turn_on: str
    elsewhere: OverviewAccount | None = None


class ShownAccount(msgspec.Struct, frozen=True):
    """A row of the table.

    :param runs: whether the addon of its channel is active.
    """

    account: OverviewAccount
    url: str
    runs: bool
    cells: Sequence[ShownCell]


@bp.get("/w/<int:workspace_id>/settings/automation")
@workspace_view(Permission.ACCOUNTS)
def overview(workspace_id: int) -> ResponseReturnValue:
    """Show what runs on each account, and the order in which a message meets it."""
    directory = current_directory()
    with db.read() as session:
        accounts = _accounts(session, directory, workspace_id)
        found: list[AutomationOverview] = registry.hooks().automation_overview(
            session=session, workspace_id=workspace_id, accounts=accounts, directory=directory
        )
    columns = sorted((one for part in found for one in part.columns), key=lambda one: one.order)
    problems = [
        *_unable(workspace_id, accounts, columns),
        *sorted((one for part in found for one in part.problems), key=lambda one: one.tone != "bad"),
    ]
    part = portion(accounts)
    running = {one.key for one in directory.adapters}
    by_id = {one.id: one for one in accounts}
    return render_template(
        "channels/overview.html",
        columns=columns,
        part=part,
        rows=[_row(workspace_id, one, columns, running, by_id) for one in part.rows],
        problems=problems[:MOST_PROBLEMS],
        folded=problems[MOST_PROBLEMS:],
        steps=sorted((one for part in found for one in part.steps), key=lambda one: one.order),
        states=STATES,
        able=abilities.of_workspace(directory.adapters, {one.channel for one in accounts}),
    )


def _accounts(session: Session, directory: Directory, workspace_id: int) -> list[OverviewAccount]:
    """Return the connected accounts the viewer sees, by channel and name. One statement."""
    seen = seen_accounts()
    columns = (
        *(ChannelAccount.id, ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.name),
        *(ChannelAccount.settings, ChannelAccount.state, ChannelAccount.beside_id),
    )
    query = sa.select(*columns).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.state != AccountState.DISCONNECTED
    )
    places = {key: place for place, key in enumerate(directory.keys)}
    found = [
        OverviewAccount(
            row.id,
            row.channel,
            row.handle or row.name,
            row.settings,
            row.state == AccountState.CONNECTED and row.channel in places,
            row.beside_id,
        )
        for row in session.execute(query)
        if seen is None or row.id in seen
    ]
    return sorted(
        found, key=lambda one: (places.get(one.channel, len(places)), one.channel, one.name, one.id)
    )


def _unable(
    workspace_id: int, accounts: Sequence[OverviewAccount], columns: Sequence[OverviewColumn]
) -> list[OverviewProblem]:
    """Return the problem of accounts that should send automatically, but can't send."""
    silent = [
        one
        for one in accounts
        if not one.sends
        and any(_is_stopped(one, column, column.cells.get(one.id)) for column in columns if column.sends)
    ]
    if not silent:
        return []
    what = ngettext(
        "%(name)s can't send.",
        "%(num)s accounts can't send, such as %(name)s.",
        len(silent),
        name=silent[0].name,
    )
    why = _("Nothing is sent automatically. Reconnect the account, or activate its addon.")
    if len(silent) == 1:
        url = _channels(workspace_id, silent[0].id)
    else:
        url = url_for("channels.index", workspace_id=workspace_id, state="attention")
    return [OverviewProblem("bad", what, why, url, _("Open channels"))]


def _is_stopped(account: OverviewAccount, column: OverviewColumn, cell: OverviewCell | None) -> bool:
    """Return whether it should send on an account that can't."""
    return cell is not None and column.sends and not account.sends and cell.state in SENDING


def _channels(workspace_id: int, account_id: int) -> str:
    anchor = f"account-{account_id}"
    return url_for("channels.index", workspace_id=workspace_id, account=account_id, _anchor=anchor)


def _row(
    workspace_id: int,
    account: OverviewAccount,
    columns: Sequence[OverviewColumn],
    running: Collection[str],
    accounts: Mapping[int, OverviewAccount],
) -> ShownAccount:
    """Return the row of an account.

    :param running: channels whose addons are active; accounts of others have no pages.
    :param accounts: all accounts of the table, by id.
    """
    return ShownAccount(
        account,
        _channels(workspace_id, account.id),
        account.channel in running,
        [_cell(workspace_id, account, column, running, accounts) for column in columns],
    )


def _cell(
    workspace_id: int,
    account: OverviewAccount,
    column: OverviewColumn,
    running: Collection[str],
    accounts: Mapping[int, OverviewAccount],
) -> ShownCell:
    cell = column.cells.get(account.id)
    link = column.link if cell is not None or column.add is None else column.add
    supported = column.supported is None or account.id in column.supported
    if cell is not None and _is_stopped(account, column, cell):
        cell = replace(cell, state=OverviewState.STOPPED)
    runs = account.channel in running
    turn_on = column.turn_on.get(account.id, "") if runs else ""
    url = _channels(workspace_id, account.id) if turn_on else link(account.id) if runs else ""
    beside = accounts.get(account.beside or 0)
    if (
        supported
        or beside is None
        or beside.channel not in running
        or beside.id not in (column.supported or ())
    ):
        return ShownCell(column.label, cell, url, supported, turn_on)
    there = column.link if column.add is None or beside.id in column.cells else column.add
    return ShownCell(column.label, cell, there(beside.id), supported, turn_on, elsewhere=beside)
