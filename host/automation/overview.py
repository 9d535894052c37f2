"""Greetings, away messages and routing in the overview of automation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import url_for
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.core import clock
from host.features.automation_overview import (
    AutomationOverview,
    HandlingStep,
    OverviewAccount,
    OverviewCell,
    OverviewColumn,
    OverviewProblem,
    OverviewState,
)
from host.features.hookspecs import hookimpl
from host.features.today import AutomaticKind
from host.inbox.apply import opt_out_words
from host.inbox.teams.models import Team, TeamMember
from host.models.automation import AccountAutomation
from host.models.inbox import DeliveryState, Direction, Message, Origin
from host.web.languages import gettext as _
from host.web.request_helpers import url_for_each
from host.working_hours import hours
from host.working_hours.hours import ALWAYS

LATELY = timedelta(days=7)
LOOKED_AT = 10_000
"""Most of the newest messages of a workspace that are looked at for those that were not sent."""


@hookimpl
def automation_overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount]
) -> AutomationOverview:
    """Return the greeting, the away message and the routing of each account, and what was not sent. Four
    statements.
    """
    rows = _rows(session, workspace_id, {one.id for one in accounts})
    teams = _teams(session, workspace_id)
    closes = _closing(session, workspace_id, rows)
    page = url_for_each("channels.automation", "account_id", workspace_id=workspace_id)

    def link(part: str, account_id: int) -> str:
        return f"{page(account_id)}#{part}"

    def add(switch: str, part: str, account_id: int) -> str:
        return f"{page(account_id)}?add={switch}#{part}"

    columns = (
        OverviewColumn(
            _l("Greeting"),
            10,
            {id_: cell for id_, row in rows.items() if (cell := _greeting(row)) is not None},
            lambda id_: link("auto-greets", id_),
            lambda id_: add("greets", "auto-greets", id_),
            sends=True,
        ),
        OverviewColumn(
            _l("Away"),
            20,
            {id_: cell for id_, row in rows.items() if (cell := _away(row, id_ in closes)) is not None},
            lambda id_: link("auto-tells", id_),
            lambda id_: add("tells_away", "auto-tells", id_),
            sends=True,
        ),
        OverviewColumn(
            _l("Routing"),
            50,
            {id_: cell for id_, row in rows.items() if (cell := _route(row, teams)) is not None},
            lambda id_: link("auto-routes", id_),
            lambda id_: add("routes", "auto-routes", id_),
        ),
    )
    names = {one.id: one.name for one in accounts}
    problems = [
        *_problems(workspace_id, rows, names, teams, closes),
        *_not_sent(session, workspace_id, names),
    ]
    return AutomationOverview(columns, problems, _steps())


_KEPT = (
    AccountAutomation.account_id,
    AccountAutomation.greets,
    AccountAutomation.silence_days,
    AccountAutomation.tells_away,
    AccountAutomation.routes,
    AccountAutomation.team_id,
    AccountAutomation.to_person,
    (AccountAutomation.greeting != "").label("has_greeting"),
    (AccountAutomation.away != "").label("has_away"),
)


def _rows(session: Session, workspace_id: int, accounts: Collection[int]) -> dict[int, Any]:
    query = sa.select(*_KEPT).where(AccountAutomation.workspace_id == workspace_id)
    return {row.account_id: row for row in session.execute(query) if row.account_id in accounts}


def _teams(session: Session, workspace_id: int) -> dict[int, tuple[str, bool]]:
    """Return the name of each team, and whether it has members."""
    has_members = sa.exists().where(TeamMember.team_id == Team.id)
    query = sa.select(Team.id, Team.name, has_members).where(Team.workspace_id == workspace_id)
    return {id_: (name, bool(members)) for id_, name, members in session.execute(query)}


def _closing(session: Session, workspace_id: int, rows: Mapping[int, Any]) -> set[int]:
    """Return the accounts with working hours: outside of them, the away message is sent."""
    kept = hours.load(session, [workspace_id])
    return {id_ for id_, row in rows.items() if kept.of(workspace_id, row.team_id) is not ALWAYS}


def _greeting(row: Any) -> OverviewCell | None:
    if not row.greets:
        return OverviewCell(OverviewState.OFF) if row.has_greeting else None
    again = ngettext("again after %(num)s day", "again after %(num)s days", row.silence_days)
    return OverviewCell(OverviewState.LIVE, detail=again)


def _away(row: Any, closes: bool) -> OverviewCell | None:
    if not row.tells_away:
        return OverviewCell(OverviewState.OFF) if row.has_away else None
    if not closes:
        return OverviewCell(OverviewState.STOPPED, detail=_("no business hours"))
    return OverviewCell(OverviewState.LIVE)


def _route(row: Any, teams: Mapping[int, tuple[str, bool]]) -> OverviewCell | None:
    name, members = teams.get(row.team_id or 0, ("", False))
    if not row.routes:
        return OverviewCell(OverviewState.OFF, name) if name else None
    if not name:
        return OverviewCell(OverviewState.STOPPED, detail=_("no team"))
    if not members:
        return OverviewCell(OverviewState.STOPPED, name, _("no members"))
    return OverviewCell(OverviewState.LIVE, name, _("to a person") if row.to_person else _("to the team"))


def _problems(
    workspace_id: int,
    rows: Mapping[int, Any],
    names: Mapping[int, str],
    teams: Mapping[int, tuple[str, bool]],
    closes: Collection[int],
) -> Iterator[OverviewProblem]:
    """Yield one problem of each kind, whatever the number of accounts."""
    lost = [id_ for id_, row in rows.items() if row.routes and row.team_id not in teams]
    if lost:
        first = url_for("channels.automation", workspace_id=workspace_id, account_id=lost[0])
        yield OverviewProblem(
            "bad",
            ngettext(
                "Routing of %(name)s has no team.",
                "Routing of %(num)s accounts has no team, such as %(name)s.",
                len(lost),
                name=names[lost[0]],
            ),
            _("New conversations stay unassigned."),
            f"{first}#auto-routes",
            _("Choose a team"),
        )
    empty = {row.team_id for row in rows.values() if row.routes and not teams.get(row.team_id, ("", True))[1]}
    for team_id in sorted(empty):
        yield OverviewProblem(
            "bad",
            _("The team %(name)s has no members.", name=teams[team_id][0]),
            _("New conversations wait there, and nobody gets them."),
            url_for("teams.team", workspace_id=workspace_id, team_id=team_id),
            _("Add members"),
        )
    never = [id_ for id_, row in rows.items() if row.tells_away and id_ not in closes]
    if never:
        yield OverviewProblem(
            "warn",
            ngettext(
                "The away message of %(name)s is never sent.",
                "The away messages of %(num)s accounts are never sent, such as that of %(name)s.",
                len(never),
                name=names[never[0]],
            ),
            _("Without business hours, you count as always open."),
            url_for("working_hours.workspace_hours", workspace_id=workspace_id),
            _("Set business hours"),
        )


def _not_sent(session: Session, workspace_id: int, accounts: Collection[int]) -> Iterator[OverviewProblem]:
    """Yield a problem for each reason why automatic messages were not sent lately."""
    newest = (
        sa.select(
            *(Message.conversation_id, Message.account_id, Message.direction, Message.origin),
            *(Message.state, Message.error, Message.sent_at),
        )
        .where(Message.workspace_id == workspace_id)
        .order_by(Message.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    query = sa.select(newest.c.conversation_id, newest.c.account_id, newest.c.error).where(
        newest.c.origin == Origin.SYSTEM,
        newest.c.direction == Direction.OUTBOUND,
        newest.c.state.in_([DeliveryState.CANCELLED, DeliveryState.FAILED]),
        newest.c.sent_at > clock.now() - LATELY,
    )
    reasons: dict[str, tuple[int, int]] = {}
    for conversation_id, account_id, error in session.execute(query):
        # Without an error, a person took it back.
        sentence = (error or {}).get("sentence")
        if sentence and account_id in accounts:
            number, first = reasons.get(sentence, (0, conversation_id))
            reasons[sentence] = number + 1, first
    for sentence, (number, conversation_id) in sorted(reasons.items(), key=lambda one: -one[1][0]):
        yield OverviewProblem(
            "warn",
            ngettext(
                "%(num)s automatic message was not sent in the last 7 days.",
                "%(num)s automatic messages were not sent in the last 7 days.",
                number,
            ),
            _(sentence),
            url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=conversation_id),
            _("Open the newest"),
        )


def _steps() -> list[HandlingStep]:
    languages = len(opt_out_words.LANGUAGES)
    return [
        HandlingStep(
            10,
            "shield",
            _("Opt-out words"),
            _(
                "STOP and similar words, in %(number)s languages: the customer gets no automated messages "
                "from then on.",
                number=languages,
            ),
        ),
        HandlingStep(
            30,
            "users",
            _("Routing"),
            _(
                "The customer’s new or reopened conversation goes to the account’s team, unless somebody has "
                "it already."
            ),
        ),
        HandlingStep(
            40,
            "clock",
            _("Away message or greeting"),
            _(
                "Outside business hours, the customer gets the away message. Otherwise, new customers get "
                "the greeting. Neither is sent while a person answers."
            ),
        ),
        HandlingStep(
            90,
            "user",
            _("Your team"),
            _("Sees every message. As soon as a person answers, the customer gets no automatic replies."),
        ),
    ]


@hookimpl
def automatic_messages() -> Sequence[AutomaticKind]:
    """Return greetings, away messages and answers to taps, by the keys of their messages."""
    return [
        AutomaticKind("auto-greeting-", 10, _l("Greeting")),
        AutomaticKind("auto-away-", 20, _l("Away message")),
        AutomaticKind("auto-tap-", 30, _l("Answers to ice breakers and menus")),
    ]
