"""Rules and campaigns in the overview of automation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import sqlalchemy as sa
from flask import url_for
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock
from host.core.backports.values import replace
from host.features.automation_overview import (
    AutomationOverview,
    HandlingStep,
    OverviewAccount,
    OverviewCell,
    OverviewColumn,
    OverviewProblem,
    OverviewState,
)
from host.models.channels import AccountState, ChannelAccount
from host.rules import body as bodies
from host.rules import people
from host.rules import rules as rule_cases
from host.rules.body import RuleTargets
from host.rules.models import RuleState
from host.rules.rules import RuleView
from host.sdk.channel import ChannelAdapter
from host.web.languages import gettext as _

STATES: Mapping[RuleState, OverviewState] = {
    RuleState.LIVE: OverviewState.LIVE,
    RuleState.SHADOW: OverviewState.SHADOW,
    RuleState.DRAFT: OverviewState.DRAFT,
    RuleState.OFF: OverviewState.OFF,
}


def overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount], directory: Directory
) -> AutomationOverview:
    """Return the rules and campaigns of each account, and those that can't run."""
    what = rule_cases.there(session, workspace_id, directory)
    found = rule_cases.listing(session, workspace_id, what)
    limited = [one.id for one in found if one.body and one.body.campaign and one.body.campaign.people]
    counts = people.counted(session, limited)
    now = clock.now()
    ended = {one.id for one in found if people.has_ended(one, counts.get(one.id, people.Counts()), now)}
    ids = [one.id for one in accounts]
    seen = [(one, mine) for one in found if (mine := _where(one, what, ids))]
    rules = [(one, mine) for one, mine in seen if not one.is_campaign]
    campaigns = [(one, mine) for one, mine in seen if one.is_campaign]
    columns = [_column(workspace_id, "rules", _l("Rules"), 60, rules, ended)]
    below = set(what.below).intersection(ids)
    turn_on = _without_comments(session, accounts, directory)
    if below or campaigns or turn_on:
        column = _column(workspace_id, "campaigns", _l("Campaigns"), 70, campaigns, ended, below)
        columns.append(replace(column, turn_on=turn_on))
    # A rule that can't run anywhere concerns everybody; others only those who see their accounts.
    named = [one for one in found if _stops(one) and (_where(one, what, ids) or one.rests)]
    step = HandlingStep(
        20,
        "bolt",
        _("Rules and campaigns"),
        _(
            "The customer gets what each matching rule sends, from the top of the list down, unless one of "
            "them skips the rest."
        ),
    )
    return AutomationOverview(columns, [*_problems(workspace_id, named)], [step])


def _without_comments(
    session: Session, accounts: Sequence[OverviewAccount], directory: Directory
) -> dict[int, str]:
    """Return what to turn on for campaigns, by account whose comments could be but are not. One statement."""
    comments = {one.beside: one for one in directory.adapters if one.beside and _has_replies(one)}
    asked = [one for one in accounts if one.channel in comments]
    if not asked:
        return {}
    on = sa.select(ChannelAccount.beside_id).where(
        ChannelAccount.beside_id.in_([one.id for one in asked]),
        ChannelAccount.state != AccountState.DISCONNECTED,
    )
    has = set(session.scalars(on))
    return {
        one.id: _("Turn on %(what)s", what=comments[one.channel].label) for one in asked if one.id not in has
    }


def _has_replies(adapter: ChannelAdapter) -> bool:
    return adapter.capabilities.private_replies is not None


def _stops(one: RuleView) -> bool:
    """Return whether a rule should act, but can't, or not fully."""
    return one.acts and (one.rests or bool(one.gone) or one.body is None)


def _where(one: RuleView, what: RuleTargets, ids: Collection[int]) -> frozenset[int]:
    where = None if one.body is None else bodies.accounts_of(one.body, what)
    return frozenset(ids) if where is None else where.intersection(ids)


def _column(
    workspace_id: int,
    part: str,
    label: object,
    order: int,
    found: Sequence[tuple[RuleView, frozenset[int]]],
    ended: Collection[int],
    supported: Collection[int] | None = None,
) -> OverviewColumn:
    by_account: dict[int, list[RuleView]] = {}
    for one, mine in found:
        for account_id in mine:
            by_account.setdefault(account_id, []).append(one)
    listed = url_for("rules.index", workspace_id=workspace_id, show=part)
    new = url_for("rules.new", workspace_id=workspace_id)
    return OverviewColumn(
        label,
        order,
        # Most accounts have the same rules.
        _cells(by_account, part, ended),
        lambda _id: listed,
        lambda _id: f"{new}?from=campaign" if part == "campaigns" else new,
        supported,
        sends=part == "campaigns",
    )


def _cells(
    by_account: Mapping[int, list[RuleView]], part: str, ended: Collection[int]
) -> dict[int, OverviewCell]:
    made: dict[tuple[int, ...], OverviewCell] = {}
    cells = {}
    for account_id, mine in by_account.items():
        key = tuple(one.id for one in mine)
        if key not in made:
            made[key] = _cell(mine, part, ended)
        cells[account_id] = made[key]
    return cells


def _cell(mine: Sequence[RuleView], part: str, ended: Collection[int]) -> OverviewCell:
    """Return the cell of an account's rules: the most active of them, and how many others there are."""
    states = Counter(_state(one, ended) for one in mine)
    state = next(one for one in _WORST_FIRST if states[one])
    number = states[state]
    only = [one for one in mine if _state(one, ended) is state]
    if number == 1:
        title = only[0].name
    elif part == "rules":
        title = ngettext("%(num)s rule", "%(num)s rules", number)
    else:
        title = ngettext("%(num)s campaign", "%(num)s campaigns", number)
    more = len(mine) - number
    return OverviewCell(state, title, _("%(num)s more", num=more) if more else "")


_WORST_FIRST = (
    OverviewState.STOPPED,
    OverviewState.LIVE,
    OverviewState.SHADOW,
    OverviewState.DRAFT,
    OverviewState.OFF,
)


def _state(one: RuleView, ended: Collection[int]) -> OverviewState:
    if one.id in ended:
        return OverviewState.OFF
    return OverviewState.STOPPED if _stops(one) else STATES[one.state]


def _problems(workspace_id: int, named: Sequence[RuleView]) -> Iterator[OverviewProblem]:
    for one in named:
        if one.body is None:
            why = _("Created by a newer version of Lobby. It doesn't run here.")
        elif one.rests:
            why = _("It needs an addon or account that is not active. It runs again when that is active.")
        else:
            why = _("It refers to something that was deleted, so that part can't run.")
        yield OverviewProblem(
            "bad",
            _("The campaign %(name)s can't run.", name=one.name)
            if one.is_campaign
            else _("The rule %(name)s can't run.", name=one.name),
            why,
            url_for("rules.rule", workspace_id=workspace_id, rule_id=one.id),
            _("Open campaign") if one.is_campaign else _("Open rule"),
        )
