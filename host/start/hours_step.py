"""The form of the step "Set working hours and a greeting"."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from flask import request

from host.automation import settings as account_settings
from host.channels.directory import Directory
from host.core import clock
from host.core.backports.values import replace
from host.core.errors import InvalidError
from host.start import steps
from host.users import workspaces
from host.users.actor import UnitOfWork
from host.web.languages import gettext as _
from host.web.languages import reader
from host.working_hours import hours
from host.working_hours.hours import DAY_KEYS, HoursError, NotHoursError

WEEKDAYS = frozenset(DAY_KEYS[:5])
LONGEST = 20_000
"""Maximum characters read from the greeting."""


class HoursForm(msgspec.Struct, frozen=True):
    """The fields of the form.

    :param days: the working days, of :data:`host.working_hours.hours.DAY_KEYS`.
    :param opens: the time of day at which each begins, such as ``9:00``; *closes*: at which each ends.
    :param greeting: text for new customers; empty: none.
    :param problem: why it was refused.
    """

    days: Collection[str] = WEEKDAYS
    opens: str = "09:00"
    closes: str = "17:00"
    greeting: str = ""
    problem: InvalidError | None = None


def suggested() -> HoursForm:
    """Return what the form suggests: Monday to Friday, nine to five."""
    return HoursForm(greeting=_("Thanks for your message! We’ll reply as soon as we can."))


def entered() -> HoursForm:
    """Return the form of this request."""
    form = request.form
    return HoursForm(
        frozenset(form.getlist("day")) & frozenset(DAY_KEYS),
        form.get("opens", "").strip()[:10],
        form.get("closes", "").strip()[:10],
        form.get("greeting", "").strip()[:LONGEST],
    )


def save(work: UnitOfWork, typed: HoursForm, directory: Directory) -> None:
    """Save the hours and the greeting, each only if the workspace has none yet.

    :raises HoursError: if the hours are invalid, or no day is chosen.
    :raises InvalidError: if the greeting is, as :func:`host.automation.settings.save`.
    """
    session, workspace_id = work.session, work.workspace_id
    progress = steps.read(session, workspace_id, (), installable=False)
    if not progress.hours:
        if not typed.days:
            raise HoursError(_("Choose at least one working day."))
        try:
            spans = hours.spans_in(f"{typed.opens}-{typed.closes}")
        except NotHoursError:
            raise HoursError(_("Type both times, such as 9:00 and 17:00.")) from None
        zones = (workspaces.settings(session, workspace_id).timezone, str(reader().zone))
        hours.save(
            work,
            None,
            week=[spans if key in typed.days else () for key in DAY_KEYS],
            timezone=next((zone for zone in zones if zone in clock.zones()), "UTC"),
        )
    account = progress.account
    if account is None or progress.greeting or not typed.greeting:
        return
    adapter = directory.adapter(account.channel)
    kept = account_settings.of_account(session, workspace_id, account.id)
    limit = None if adapter is None else adapter.capabilities.text_limit
    account_settings.save(work, replace(kept, greets=True, greeting=typed.greeting), limit=limit)
