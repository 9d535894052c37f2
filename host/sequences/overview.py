"""Sequences in the overview of automation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence as Many

from flask import url_for
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels import abilities
from host.channels.directory import Directory
from host.features.automation_overview import (
    AutomationOverview,
    HandlingStep,
    OverviewAccount,
    OverviewCell,
    OverviewColumn,
    OverviewState,
)
from host.sequences import sequences, triggers
from host.web.languages import gettext as _


def overview(
    session: Session, workspace_id: int, accounts: Many[OverviewAccount], directory: Directory
) -> AutomationOverview:
    """Return the live sequences of each account."""
    live, _any = triggers.live(session, [workspace_id])
    names = {one.id: one.name for one in sequences.listing(session, workspace_id)} if live else {}
    on: dict[int, list[str]] = defaultdict(list)
    for one in live.get(workspace_id, ()):
        for account in accounts:
            if not one.body.accounts or account.id in one.body.accounts:
                on[account.id].append(names[one.id])
    cells = {account: _cell(found) for account, found in on.items()}

    def link(_account: int) -> str:
        return url_for("sequences.index", workspace_id=workspace_id)

    column = OverviewColumn(_l("Sequences"), 55, cells, link, sends=True)
    step = HandlingStep(
        12,
        "split",
        _("Sequences"),
        _(
            "If a message or tap starts a sequence or answers one, the customer gets the sequence and "
            "nothing else. If several match, the first in the list starts."
        )
        if abilities.of_workspace(directory.adapters, {one.channel for one in accounts}).taps
        else _(
            "If a message starts a sequence or answers one, the customer gets the sequence and nothing else. "
            "If several match, the first in the list starts."
        ),
    )
    return AutomationOverview([column], [], [step])


def _cell(names: Many[str]) -> OverviewCell:
    if len(names) == 1:
        return OverviewCell(OverviewState.LIVE, names[0])
    words = ngettext("%(num)s sequence", "%(num)s sequences", len(names))
    return OverviewCell(OverviewState.LIVE, words)
