"""The Reports page, the conversations behind each of its figures, and both as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock
from host.core.backports.values import replace
from host.core.db import db, padded
from host.core.errors import InvalidError, NotFoundError
from host.inbox.pages import durations
from host.inbox.pages.arguments import numbers_from_request, position_from_request
from host.live.following import follows
from host.models.users import User
from host.reports import figures, tables
from host.reports import opened as opening
from host.reports.figures import CLOSED_WITHIN, Figure, Figures, Times, Totals
from host.reports.opened import MEASURED, Opened, Sort
from host.reports.pages import drawing
from host.reports.pages.choosing import Choice, read_choice
from host.reports.resuming import off_periods
from host.reports.tables import Grouping, Key
from host.users.roles import Permission
from host.web import navigation
from host.web.csv_file import Cell, csv_response
from host.web.languages import gettext as _
from host.web.languages import reader
from host.web.periods import said_days
from host.web.portions import portion
from host.web.request_helpers import workspace_view

navigation.add_main(
    "reports.index", _l("Reports"), order=40, icon="chart", section="/reports", permission=Permission.REPORTS
)

bp = Blueprint("reports", __name__, template_folder="../templates")

BY = {
    Grouping.PERSON: (_l("Person"), _l("By person")),
    Grouping.TEAM: (_l("Team"), _l("By team")),
    Grouping.LABEL: (_l("Label"), _l("By label")),
    Grouping.ACCOUNT: (_l("Account"), _l("By account")),
    Grouping.CHANNEL: (_l("Channel"), _l("By channel")),
    Grouping.HOUR: (_l("Hour"), _l("By hour of the day")),
}
"""Names of each table: on its button, and above it."""

SORTS = {Sort.NEWEST: _l("Newest"), Sort.SLOWEST: _l("Slowest")}
"""Names of the orders of a figure's conversations."""

PAGE = 50
MOST_EXPORTED = 100_000
"""Maximum number of rows in a CSV file; for more, the reader chooses fewer days."""

ABOUT = {
    Figure.FIRST: (
        _l("First response"),
        _l("with a customer's first message after the conversation starts or is reopened."),
        _l("with the team's first reply after it. Automated messages don't count."),
    ),
    Figure.NEXT: (
        _l("Next responses"),
        _l("with a customer's message after an earlier reply by the team."),
        _l("with the team's next reply. Automated messages don't count."),
    ),
    Figure.RESOLVE: (
        _l("Resolution"),
        _l("when the conversation starts or is reopened."),
        _l("when it is closed."),
    ),
    Figure.OPENED: (
        _l("Conversations"),
        _l("when the conversation starts or is reopened."),
        _l("when it is closed. It counts on the day it starts."),
    ),
    Figure.MISSED: (
        _l("Windows missed"),
        _l("with a customer's message that opens a reply window."),
        _l("when the window ends without a reply. A later reply, where allowed, is late."),
    ),
    Figure.LATE: (
        _l("Late responses"),
        _l("with a customer's message, on an account that had a response time at that moment."),
        _l("with the team's reply, after the response time. Automated messages don't count."),
    ),
}
"""The title of each figure, and the events at which its span begins and ends."""


def _off_periods(session: Session, choice: Choice, now: datetime) -> list[tuple[str, str]]:
    """Return when reports were disabled in the chosen days, in the reader's time."""
    first, *_days, end = choice.days.bounds()
    return [
        (durations.moment(begin, now), durations.moment(until, now))
        for begin, until in off_periods(session)
        if begin < end and until > first
    ]


@bp.get("/w/<int:workspace_id>/reports")
@workspace_view(Permission.REPORTS)
def index(workspace_id: int) -> ResponseReturnValue:
    """Show the figures and plots of a range of days."""
    session, now, choice = _asked(workspace_id)
    found = figures.read_figures(session, choice.selection, now, by_hour=len(choice.days) == 1)
    first_day = found.since is None or found.since.astimezone(choice.days.zone).date() == choice.today
    hidden = {by for by, any_ in ((Grouping.TEAM, choice.teams), (Grouping.LABEL, choice.labels)) if not any_}
    by_label = choice.by is Grouping.LABEL
    labelled = choice.selection.label_id is not None
    return render_template(
        "reports/index.html",
        choice=choice,
        found=found,
        said=said_days(choice.days, choice.today),
        since=None if found.since is None else reader().date_text(reader().local(found.since), "d MMMM y"),
        begins_today=first_day and found.since is not None,
        off=_off_periods(session, choice, now),
        tiles=drawing.tiles(choice, found),
        plots=None
        if first_day
        else [
            *([drawing.answers_plot(choice, found)] if drawing.is_a_line(found) else []),
            *([] if labelled else [drawing.messages_plot(choice, found)]),
        ],
        classes=drawing.classes(choice, found),
        week=drawing.week(found),
        by_names={by: name for by, name in BY.items() if by not in hidden or by is choice.by},
        part=portion(_rows(session, choice, now, compared=found.before is not None)),
        whole=drawing.each_once(choice, _each_once(session, choice, now, found), found.before)
        if by_label
        else None,
        unlabelled=_count_unlabelled(session, choice, now) if by_label else 0,
        sections=current_directory().report_sections_shown(),
        step_name=drawing.step_name(choice),
        length=drawing.length,
        in_time=drawing.in_time,
    )


@bp.get("/w/<int:workspace_id>/reports.csv")
@workspace_view(Permission.REPORTS)
def series(workspace_id: int) -> ResponseReturnValue:
    """Return the figures of each day, or of one day's hours, as CSV."""
    session, now, choice = _asked(workspace_id)
    found = figures.read_figures(session, choice.selection, now, by_hour=len(choice.days) == 1)
    return csv_response(f"reports-{_file_days(choice)}", _series(choice, found))


def _series(choice: Choice, found: Figures) -> Iterator[Sequence[Cell]]:
    yield ["begins", *_HEADS]
    for at, one in found.steps:
        yield [at.astimezone(choice.days.zone).isoformat(timespec="minutes"), *_cells(one)]


@bp.get("/w/<int:workspace_id>/reports/table.csv")
@workspace_view(Permission.REPORTS)
def table_csv(workspace_id: int) -> ResponseReturnValue:
    """Return the figures by person, team, label, account, channel or hour of the day, as CSV."""
    session, now, choice = _asked(workspace_id)
    rows = _rows(session, choice, now)
    heads, cells = _HEADS, _cells
    if choice.by is Grouping.LABEL:
        heads, cells = _LABEL_HEADS, _label_cells
        found = figures.read_figures(session, choice.selection, now)
        rows.append(drawing.each_once(choice, _each_once(session, choice, now, found), None))
    return csv_response(
        f"reports-by-{choice.by.value}-{_file_days(choice)}",
        [[choice.by.value, *heads], *([row.name, *cells(row.totals)] for row in rows)],
    )


_KINDS = ("first", "next", "resolve")
_HEADS = [
    *("received", "sent", "created", "reopened", "closed"),
    *(f"{kind}_{what}" for kind in _KINDS for what in ("count", "half_seconds", "nine_in_ten_seconds")),
    "windows_missed",
    "answers_with_target",
    "answers_in_time",
    "sent_automatically",
    "sent_by_campaigns",
    "closed_automatically",
]
_SUMS = 5
_LABEL_HEADS = ["conversations", *_HEADS[_SUMS:]]
"""The figures known by label: not the hourly sums."""


def _cells(one: Totals) -> list[Cell]:
    """Return the figures in the order of :data:`_HEADS`."""
    measured: list[Cell] = []
    for kind in _KINDS:
        time: Times = getattr(one, kind)
        measured += [time.count, time.half, time.nine]
    return [
        one.received,
        one.sent,
        one.created,
        one.reopened,
        one.closed,
        *measured,
        one.missed,
        one.promised,
        one.in_time,
        one.sent_automatically,
        one.sent_by_campaigns,
        one.closed_automatically,
    ]


def _label_cells(one: Totals) -> list[Cell]:
    """Return the figures in the order of :data:`_LABEL_HEADS`."""
    return [one.opened, *_cells(one)[_SUMS:]]


def _asked(workspace_id: int) -> tuple[Session, datetime, Choice]:
    """Return the session, the time and the choice of the request."""
    session, now = db.session(), clock.now()
    return session, now, read_choice(session, workspace_id, now)


def _each_once(session: Session, choice: Choice, now: datetime, found: Figures) -> Totals:
    """Return the figures of all conversations as the rows of labels have them, with spans that began."""
    if found.total.opened is None:  # of one person
        return found.total
    began = opening.count_opened(session, Figure.OPENED, choice.selection, now)
    return replace(found.total, created=None, reopened=None, began=began)


def _count_unlabelled(session: Session, choice: Choice, now: datetime) -> int:
    """Return how many conversations began without a label; 0 for one person or label."""
    chosen = choice.selection
    if chosen.user_id is not None or chosen.label_id is not None:
        return 0
    return opening.count_opened(session, Figure.OPENED, replace(chosen, label_id=figures.NO_LABEL), now)


def _rows(session: Session, choice: Choice, now: datetime, *, compared: bool = False) -> list[drawing.Row]:
    """Return the rows of the chosen table.

    :param compared: whether labels are compared with the days before.
    """
    channels = {one.id: one.channel for one in choice.accounts}
    found = tables.read_table(session, choice.selection, now, choice.by, channels)
    names: dict[Key, str] = {one.id: one.handle for one in choice.accounts}
    if choice.by is Grouping.PERSON:  # those who have left the workspace, too
        people = sa.select(User.id, User.name).where(User.id.in_(padded(list(found) or [0])))
        names = {row.id: row.name for row in session.execute(people)}
    if choice.by is Grouping.TEAM:
        names = {one.id: one.name for one in choice.teams}
    if choice.by is Grouping.LABEL:
        names = {one.id: one.name for one in choice.labels}
    before = None
    if compared and choice.by is Grouping.LABEL:
        before = tables.read_before(session, choice.selection, now)
    return drawing.table(choice, found, names, before)


@bp.get("/w/<int:workspace_id>/reports/<figure>")
@workspace_view(Permission.REPORTS)
@follows
def opened(workspace_id: int, figure: str) -> ResponseReturnValue:
    """Show the conversations behind a figure."""
    which = _figure(figure)
    session, now, choice = _asked(workspace_id)
    within, sort = _within(which), _sort(which)
    page = opening.list_opened(
        session, which, choice.selection, now, most=PAGE, **_begins(sort), sort=sort, within=within
    )
    plot = None
    if which is Figure.MISSED:
        found = figures.read_figures(session, choice.selection, now, by_hour=len(choice.days) == 1)
        plot = drawing.missed_plot(choice, found)
    since = figures.counting_since(session, workspace_id)
    arguments = {**choice.arguments, "within": within, "sort": None if sort is Sort.NEWEST else sort.value}
    return render_template(
        "reports/opened.html",
        choice=choice,
        figure=which,
        about=ABOUT[which],
        said=said_days(choice.days, choice.today),
        count=opening.count_opened(session, which, choice.selection, now, within=within),
        left_out=opening.count_left_out(session, which, choice.selection),
        since=None if since is None else reader().date_text(reader().local(since), "d MMMM y"),
        rows=page.rows,
        next=page.next,
        within=within,
        sort=sort,
        sorts=SORTS if which in MEASURED else {},
        arguments=arguments,
        sorted_by=lambda one: {**arguments, "sort": None if one is Sort.NEWEST else one.value},
        plot=plot,
        now=now,
        length=drawing.length,
        moment_of=lambda at: durations.moment(at, now),
        late=_late,
        step_name=drawing.step_name(choice),
    )


@bp.get("/w/<int:workspace_id>/reports/<figure>.csv")
@workspace_view(Permission.REPORTS)
def opened_csv(workspace_id: int, figure: str) -> ResponseReturnValue:
    """Return all conversations behind a figure as CSV."""
    which = _figure(figure)
    session, now, choice = _asked(workspace_id)
    page = opening.list_opened(
        session,
        which,
        choice.selection,
        now,
        most=MOST_EXPORTED,
        sort=_sort(which),
        within=_within(which),
    )
    return _list_file(choice, which, page.rows)


def _list_file(choice: Choice, figure: Figure, rows: Sequence[Opened]) -> Response:
    def written(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(choice.days.zone).isoformat(timespec="seconds")

    def cells() -> Iterator[Sequence[Cell]]:
        yield [
            "conversation", "customer", "account", "ended_by", "began", "ended", "seconds", "window_until",
            "target_seconds",
        ]  # fmt: skip
        for one in rows:
            began, ended, until = map(written, (one.started_at, one.ended_at, one.window_until))
            head = [
                one.conversation_id,
                one.customer,
                one.account,
                one.who or one.by,
                began,
                ended,
                one.seconds,
            ]
            yield [*head, until, one.target_seconds]

    return csv_response(f"{figure.value}-{_file_days(choice)}", cells())


def _figure(name: str) -> Figure:
    try:
        return Figure(name)
    except ValueError:
        raise NotFoundError() from None


def _within(figure: Figure) -> int | None:
    text = request.args.get("within", "")
    if not text:
        return None
    if figure is not Figure.RESOLVE or text not in map(str, range(len(CLOSED_WITHIN) + 1)):
        raise InvalidError()
    return int(text)


def _sort(figure: Figure) -> Sort:
    text = request.args.get("sort") or Sort.NEWEST
    if text not in SORTS or (text == Sort.SLOWEST and figure not in MEASURED):
        raise InvalidError()
    return Sort(text)


def _begins(sort: Sort) -> dict[str, Any]:
    """Return the place in the address where the page begins."""
    if sort is Sort.SLOWEST:
        return {"slower": numbers_from_request("before")}
    return {"before": position_from_request()}


def _file_days(choice: Choice) -> str:
    return f"{choice.days.first}-{choice.days.last}"


def _late(one: Opened) -> str:
    """Return how late the answer to a missed window was."""
    if one.ended_at is None or one.closed or one.window_until is None:
        return _("Never") if one.closed else _("Not yet")
    late = int((one.ended_at - one.window_until).total_seconds())
    return _("%(length)s late", length=drawing.length(late))
