"""The Today page, and the conversations behind one of its numbers."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.clock import Days
from host.core.errors import NotFoundError
from host.features import registry
from host.features.today import TodayAsked, TodayRow, TodaySection
from host.inbox import queries
from host.inbox.pages import durations
from host.inbox.pages.conversation_view import name_of
from host.inbox.queries import ConversationFilter
from host.live.following import follows
from host.web import navigation
from host.web.languages import is_zone, reader
from host.web.request_helpers import Permission, current_user, seen_accounts, workspace_view

navigation.add_main(
    "today.index", _l("Today"), order=35, icon="clock", section="/today", permission=Permission.REPORTS
)

bp = Blueprint("today", __name__, template_folder="templates")

SECTIONS = {
    TodaySection.CAME: _l("Came in"),
    TodaySection.ANSWERED: _l("Answered"),
    TodaySection.SAID: _l("Automation said"),
    TodaySection.UNSENT: _l("Automation couldn’t say"),
    TodaySection.WAITING: _l("Waiting longest"),
    TodaySection.STOPS: _l("Stopped, or stops by tomorrow"),
}
"""The headings of the sections, in order."""
MOST = 200
"""Most conversations that are listed behind a number: the newest."""


def _asked(workspace_id: int) -> TodayAsked:
    """Return the day in the time zone of the workspace, or the reader's if it has none."""
    membership, now = current_user().membership(workspace_id), clock.now()
    named = "" if membership is None else membership.timezone
    zone = clock.zone(named) if is_zone(named) else reader().zone
    today = now.astimezone(zone).date()
    since = Days(today, today, zone).bounds()[0]
    before = today - timedelta(days=7)
    return TodayAsked(
        workspace_id,
        seen_accounts(),
        now,
        since,
        (Days(before, before, zone).bounds()[0], now - timedelta(days=7)),
        datetime.combine(today + timedelta(days=2), time(), zone),
    )


def _said_day(asked: TodayAsked) -> str:
    zone = asked.tomorrow_ends.tzinfo
    return reader().date_text(asked.now.astimezone(zone), "EEEE, d MMMM")


@bp.get("/w/<int:workspace_id>/today")
@workspace_view(Permission.REPORTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """Show the numbers of the day."""
    asked = _asked(workspace_id)
    with db.read() as session:
        found: list[TodayRow] = [
            row for part in registry.hooks().today_rows(session=session, asked=asked) for row in part
        ]
    rows = sorted(found, key=lambda row: (row.order, row.name))
    return render_template(
        "today/index.html",
        day=_said_day(asked),
        zone=str(asked.tomorrow_ends.tzinfo).replace("_", " "),
        sections=[
            (section, heading, its)
            for section, heading in SECTIONS.items()
            if (its := [row for row in rows if row.section is section])
        ],
        length=lambda seconds: durations.exact(timedelta(seconds=seconds)),
    )


@bp.get("/w/<int:workspace_id>/today/<number>")
@workspace_view(Permission.REPORTS)
@follows
def conversations(workspace_id: int, number: str) -> ResponseReturnValue:
    """Show the conversations behind a number."""
    asked, directory = _asked(workspace_id), current_directory()
    with db.read() as session:
        ids = registry.hooks().today_conversations(session=session, asked=asked, key=number, most=MOST)
        if ids is None:
            raise NotFoundError()
        reach = ConversationFilter(accounts=asked.accounts)
        rows = queries.matching_rows(session, workspace_id, None, reach, ids)
    place = {id_: index for index, id_ in enumerate(ids)}
    return render_template(
        "today/conversations.html",
        day=_said_day(asked),
        rows=[
            (row, name_of(row, directory.adapter(row.channel)))
            for row in sorted(rows, key=lambda row: place[row.id])
        ],
        most=MOST,
        moment_of=lambda at: durations.moment(at, asked.now),
    )
