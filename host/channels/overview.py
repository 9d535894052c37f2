"""Ice breakers and menus in the overview of automation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_babel.speaklater import LazyString
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
from host.web.languages import gettext as _
from host.web.request_helpers import url_for_each


@hookimpl
def automation_overview(
    session: Session, workspace_id: int, accounts: Sequence[OverviewAccount], directory: Directory
) -> AutomationOverview | None:
    """Return the ice breakers and the menu of each account, as saved here. No statement.

    Their provider may show others, which only it knows.
    """
    kinds: Sequence[tuple[str, LazyString, int, Callable[[int], str]]] = (
        (
            "ice_breakers",
            _l("Ice breakers"),
            30,
            lambda n: ngettext("%(num)s question", "%(num)s questions", n),
        ),
        ("menu", _l("Menu"), 40, lambda n: ngettext("%(num)s item", "%(num)s items", n)),
    )
    columns = []
    for name, label, order, said in kinds:
        able = {one.key for one in directory.adapters if getattr(one.capabilities, name) is not None}
        supported = {one.id for one in accounts if one.channel in able}
        cells = {
            one.id: OverviewCell(OverviewState.LIVE, said(number))
            for one in accounts
            if (number := _number(one.settings, name))
        }
        if supported:
            url = url_for_each(f"channels.{name}", "account_id", workspace_id=workspace_id)
            columns.append(OverviewColumn(label, order, cells, url, supported=supported))
    step = HandlingStep(
        15,
        "send",
        _("Ice breakers and menu") if len(columns) > 1 else "".join(str(one.label) for one in columns),
        _(
            "When a customer taps an entry with an answer, they get the greeting or away message, then that "
            "answer, and nothing else."
        ),
    )
    return AutomationOverview(columns, steps=[step] if columns else ())


def _number(settings: Mapping[str, object], name: str) -> int:
    known = settings.get(button_payloads.SETTING)
    kept = known.get(name) if isinstance(known, Mapping) else None
    return len(kept) if isinstance(kept, list) else 0
