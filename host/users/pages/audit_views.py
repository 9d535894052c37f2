"""The audit log: of a workspace, for owners and auditors, and of the whole desk, for admins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_date
from flask_babel import lazy_gettext as _l

from host.core import clock
from host.core.db import db
from host.users import audit as journal
from host.users.audit import AuditFilter, AuditRow
from host.users.pages.audit_details import changes, raw
from host.users.pages.audit_sentences import KINDS, icon_of, more, sentence, subject
from host.users.pages.blueprint import bp
from host.web import navigation
from host.web.csv_file import Cell, csv_response
from host.web.languages import gettext as _
from host.web.languages import local
from host.web.request_helpers import Permission, admin_required, config, id_argument, workspace_view

TIMES = {"1": _l("Last 24 hours"), "7": _l("Last 7 days"), "30": _l("Last 30 days")}
"""Periods to look back, in days, with their labels."""

navigation.add_settings(
    "accounts.audit",
    _l("Audit log"),
    order=90,
    icon="list",
    words="history, changes, who did what, Protokoll, Verlauf, Änderungen",
)
navigation.add_admin(
    "accounts.audit_journal",
    _l("Desk audit log"),
    order=60,
    section=navigation.DESK,
    icon="list",
    words="history, changes, who did what, Protokoll, Verlauf, Änderungen",
)


@bp.get("/w/<int:workspace_id>/settings/audit")
@workspace_view(Permission.AUDIT)
def audit(workspace_id: int) -> ResponseReturnValue:
    """Show who changed what in a workspace, newest first."""
    return _answer(workspace_id)


@bp.get("/admin/audit")
@admin_required
def audit_journal() -> ResponseReturnValue:
    """Show who changed what on the whole desk, newest first."""
    return _answer(None)


def _answer(workspace_id: int | None) -> ResponseReturnValue:
    arguments = request.args
    kind, days = arguments.get("kind", ""), arguments.get("days", "")
    wanted = AuditFilter(
        workspace_id=workspace_id,
        person=id_argument("person"),
        kinds=KINDS[kind][1] if kind in KINDS else (),
        since=clock.now() - timedelta(days=int(days)) if days in TIMES else None,
        text=arguments.get("q", "").strip()[:200],
    )
    if arguments.get("format") == "csv":
        return csv_response("audit", _cells(wanted))
    before = id_argument("before")
    with db.read() as reading:
        rows, older = journal.page(reading, wanted, before=before)
        people = journal.people(reading, workspace_id)
    chosen = {name: arguments[name] for name in ("q", "kind", "person", "days") if arguments.get(name)}
    return render_template(
        "accounts/audit.html",
        frame="admin.html" if workspace_id is None else "settings.html",
        days_of_rows=[(day, list(some)) for day, some in groupby(rows, _day)],
        older=older,
        newest=before is None,
        here=request.endpoint,
        chosen=chosen,
        people=people,
        kinds=KINDS,
        times=TIMES,
        sentence=sentence,
        more=more,
        changes=changes,
        subject=subject,
        icon_of=icon_of,
        kept=config().audit_days,
        whole=workspace_id is None,
    )


def _day(row: AuditRow) -> str:
    """Return the day of a line in the reader's time zone, as a heading."""
    day: date = local(row.at).date()
    today = local(clock.now()).date()
    if day == today:
        return str(_("Today"))
    return str(_("Yesterday")) if day == today - timedelta(days=1) else str(format_date(row.at, "full"))


def _cells(wanted: AuditFilter) -> Iterator[Sequence[Cell]]:
    """Yield every line that matches *wanted*, read in batches."""
    yield "time", "who", "workspace", "action", "subject", "details", "from"
    before: int | None = None
    while True:
        with db.read() as reading:
            rows, before = journal.page(reading, wanted, before=before, size=journal.CHUNK)
        for row in rows:
            yield (
                row.at.isoformat(timespec="seconds"),
                row.person,
                row.workspace,
                row.action,
                row.subject,
                "; ".join(f"{name}: {raw(value)}" for name, value in row.details.items()),
                row.remote,
            )
        if before is None:
            return
