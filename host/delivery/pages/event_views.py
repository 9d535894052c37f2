"""The received events, for admins: search, results, replay of one or many."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from host.channels.directory import current_directory
from host.core.db import db
from host.core.errors import InvalidError
from host.delivery import fixture_recorder
from host.models.queue import EventState, InboundEvent
from host.queue import event_search
from host.queue.event_search import LONGEST, SHORTEST, EventFilter
from host.queue.refusals import read_counts
from host.queue.replay import EventNotFoundError, replay, replay_many, replayable, replayable_among, why_not
from host.users import data_retention
from host.web import local_times, navigation
from host.web.formats import duration
from host.web.languages import gettext as _
from host.web.request_helpers import admin_required, flash_good, id_argument, id_in, write_desk

bp = Blueprint("delivery", __name__)

navigation.add_admin(
    "delivery.journal",
    _l("Received events"),
    order=20,
    section=navigation.HEALTH,
    icon="arrow-in",
    words="journal, webhooks, incoming, Eingang, empfangen",
)

STATES = {
    EventState.PENDING: (_l("Waiting"), "warn"),
    EventState.APPLIED: (_l("Applied"), "good"),
    EventState.IGNORED: (_l("Not for the inbox"), ""),
    EventState.DEAD: (_l("Failed"), "bad"),
}
"""Name of each state, and the tone of its chip."""

AT_ONCE = 5000
"""Most events replayed by one request."""
BATCH = 200
"""Events replayed in one write."""


@bp.get("/admin/journal")
@admin_required
def journal() -> ResponseReturnValue:
    """List received events and their results, newest first."""
    wanted, before = _wanted(request.args), id_argument("before")
    session = db.session()
    page = event_search.page(session, wanted, before=before)
    counts = {one: event_search.count(session, one) for one in (EventState.PENDING, EventState.DEAD)}
    refused = read_counts(session)
    channels = event_search.channels(session)
    return render_template(
        "delivery/journal.html",
        page=page,
        rows=page.rows,
        newest=before is None,
        wanted=wanted,
        query=_query(wanted),
        states=STATES,
        counts=counts,
        most=event_search.MOST_COUNTED,
        window=event_search.WINDOW,
        refused=refused,
        kept=data_retention.chosen(session),
        channels=channels,
        longest=LONGEST,
        duration=duration,
    )


@bp.get("/admin/journal/<int:event_id>")
@admin_required
def event(event_id: int) -> ResponseReturnValue:
    """Show one event with its content."""
    found = event_search.detail(db.session(), event_id)
    if found is None:
        raise EventNotFoundError()
    return render_template(
        "delivery/event.html",
        found=found,
        row=found.row,
        states=STATES,
        why_not=why_not(found.event),
        kept=data_retention.chosen(db.session()),
    )


@bp.get("/admin/journal/<int:event_id>/fixture")
@admin_required
def fixture(event_id: int) -> ResponseReturnValue:
    """Download the event as an anonymous test fixture."""
    with db.read() as session:
        found = session.get(InboundEvent, event_id)
    if found is None:
        raise EventNotFoundError()
    made = fixture_recorder.record(found, current_directory().adapter(found.channel))
    answer = current_app.response_class(fixture_recorder.written(made), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="event-{event_id}.json"'
    return answer


@bp.post("/admin/journal/<int:event_id>/replay")
@admin_required
def replay_event(event_id: int) -> ResponseReturnValue:
    """Apply a failed or ignored event again."""
    write_desk(replay, event_id)
    flash_good(_("The event is queued for replay. Reload in a moment to see the result."))
    return redirect(url_for("delivery.event", event_id=event_id))


@bp.post("/admin/journal/replay")
@admin_required
def replay_events() -> ResponseReturnValue:
    """Replay the selected events, or all that match: the first request asks for confirmation."""
    wanted = _wanted(request.form)
    selected = _selected()
    everything = "all" in request.form
    if everything == bool(selected):
        raise InvalidError(_("No events selected."), next_step=_("Go back and select at least one."))
    if everything and wanted.state not in {EventState.DEAD, EventState.IGNORED}:
        raise InvalidError(_("Only events that failed or were not for the inbox can be replayed in bulk."))
    with db.read() as session:
        ids = replayable(session, wanted, AT_ONCE + 1) if everything else replayable_among(session, selected)
    more, ids = len(ids) > AT_ONCE, ids[:AT_ONCE]
    query = _query(wanted)
    if "confirmed" not in request.form:
        return render_template(
            "delivery/replay.html",
            count=len(ids),
            left=len(selected) - len(ids) if selected else 0,
            more=more,
            selected=selected,
            everything=everything,
            query=query,
            states=STATES,
        )
    details = {"matching": query} if everything else {"events": ids}
    replayed = sum(
        write_desk(replay_many, ids[start : start + BATCH], details) for start in range(0, len(ids), BATCH)
    )
    flash_good(
        ngettext(
            "%(num)s event is queued for replay. Reload in a moment to see the result.",
            "%(num)s events are queued for replay. Reload in a moment to see the results.",
            replayed,
        )
    )
    return redirect(url_for("delivery.journal", **query))


def _wanted(given: Any) -> EventFilter:
    """Return the filter in the query or form *given*."""
    account = id_in(given["account"], "account") if given.get("account") else None
    channel = given.get("channel") or None
    text = (given.get("q") or "").strip()
    if (channel is not None and len(channel) > 32) or len(text) > LONGEST:
        raise InvalidError()
    if text and (len(text) < SHORTEST or any(one.isspace() or not one.isprintable() for one in text)):
        text = _told_shortest(text)
    try:
        state = EventState(given["state"]) if given.get("state") else None
    except ValueError:
        raise InvalidError() from None
    return EventFilter(state, channel, account, _time(given, "since"), _time(given, "until"), text)


def _told_shortest(text: str) -> str:
    if text.isascii() and text.isdigit():
        return text  # the number of an event
    raise InvalidError(
        _("An ID is one word of at least %(n)s characters.", n=SHORTEST),
        next_step=_("Search for the ID of a message, customer, account, event or request."),
        field="q",
    )


def _time(given: Any, name: str) -> datetime | None:
    """Return the time in a ``datetime-local`` field, or that with its offset in a link."""
    text = given.get(name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return local_times.typed(given, name) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidError(field=name) from None


def _query(wanted: EventFilter) -> dict[str, Any]:
    """Return the parameters of a link or form that requests *wanted* again."""
    values = {
        "state": wanted.state.value if wanted.state else "",
        "channel": wanted.channel or "",
        "account": str(wanted.account_id or ""),
        "since": wanted.since.isoformat() if wanted.since else "",
        "until": wanted.until.isoformat() if wanted.until else "",
        "q": wanted.text,
    }
    return {name: value for name, value in values.items() if value}


def _selected() -> list[int]:
    return [id_in(text, "event") for text in request.form.getlist("event")[: event_search.PAGE]]
