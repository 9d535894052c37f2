"""Ice breakers and menus in the overview of automation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.channels import button_payloads
from host.channels.directory import Directory
from host.features.automation_overview import (
    AutomationOverview,
    HandlingStep,
    OverviewAccount,
    OverviewCell,
    OverviewColumn,
    OverviewState,
)
from host.features.hookspecs import hookimpl
from host.web.request_helpers import url_for_each


@hookimpl
def automation_overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount], directory: Directory
) -> AutomationOverview | None:
    """Return the ice breakers and the menu of each account, as saved here. No statement.

    Their provider may show others, which only it knows.
    """
    able = {one.key: one.capabilities for one in directory.adapters}
    breakers = {key for key, one in able.items() if one.ice_breakers is not None}
    menus = {key for key, one in able.items() if one.menu is not None}
    columns = []
    if any(one.channel in breakers for one in accounts):
        columns.append(
            OverviewColumn(
                _l("Ice breakers"),
                30,
                {
                    one.id: OverviewCell(
                        OverviewState.LIVE, ngettext("%(num)s question", "%(num)s questions", number)
                    )
                    for one in accounts
                    if (number := _number(one.settings, "ice_breakers"))
                },
                url_for_each("channels.ice_breakers", "account_id", workspace_id=workspace_id),
                supported={one.id for one in accounts if one.channel in breakers},
            )
        )
    if any(one.channel in menus for one in accounts):
        columns.append(
            OverviewColumn(
                _l("Menu"),
                40,
                {
                    one.id: OverviewCell(
                        OverviewState.LIVE, ngettext("%(num)s item", "%(num)s items", number)
                    )
                    for one in accounts
                    if (number := _number(one.settings, "menu"))
                },
                url_for_each("channels.menu", "account_id", workspace_id=workspace_id),
                supported={one.id for one in accounts if one.channel in menus},
            )
        )
    step = HandlingStep(
        15,
        "send",
        _("Ice breakers and menu"),
        _("A tap with an answer of its own gets it, after the greeting. Rules then send nothing more."),
    )
    return AutomationOverview(columns, steps=[step] if columns else ())


def _number(settings: Mapping[str, object], name: str) -> int:
    known = settings.get(button_payloads.SETTING)
    kept = known.get(name) if isinstance(known, Mapping) else None
    return len(kept) if isinstance(kept, list) else 0
