"""The health page: problems first, then a day or a week in plots, then the processes."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_datetime, format_time
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from host.core import clock
from host.core.db import db
from host.core.errors import InvalidError
from host.delivery.waiting import Reason
from host.health import current_state, dependencies, history, plots, problems
from host.health.history import History, Period
from host.health.plots import Bars, Line, Plot
from host.models.channels import AccountState
from host.models.health import Outcome
from host.queue.wakeups import IN, OUT
from host.web import navigation
from host.web.formats import duration, number, whole
from host.web.request_helpers import admin_required, config, generation

bp = Blueprint("health", __name__)

navigation.add_admin("health.index", _l("Health"), order=15)

OUTCOMES = {
    Outcome.SENT: (_l("Sent"), "bar-a"),
    Outcome.RETRIED: (_l("Tried again"), "bar-b"),
    Outcome.HELD: (_l("Held"), "bar-d"),
    Outcome.UNCONFIRMED: (_l("Not confirmed"), "bar-e"),
    Outcome.FAILED: (_l("Failed"), "bar-c"),
}
"""The label and the colour of each outcome."""
BARS = {Period.DAY: 4, Period.WEEK: 6}
"""Steps of a period that share a bar: an hour, six hours."""


@bp.get("/admin/health")
@admin_required
def index() -> ResponseReturnValue:
    """Show the health page."""
    period, channel = _period(), request.args.get("channel") or None
    session = db.session()
    state = current_state.read_current_state(session)
    channels = sorted({channel for channel, _state in state.accounts})
    if channel is not None and channel not in channels:
        raise InvalidError()
    past = history.read_history(session, period, channel)
    found = problems.find_problems(session, state, config(), generation().failures)
    return render_template(
        "health/index.html",
        period=period,
        periods=Period,
        channel_key=channel,
        channels=channels,
        problems=found,
        weakening=problems.weakening(config()),
        past=past,
        plots=_plots(past),
        state=state,
        held=_held(state),
        lost=problems.lost(state),
        standing=dependencies.check_dependencies(state, broker=bool(config().broker_url)),
        accounts={one: problems.now_of(state, one) for one in AccountState},
        duration=duration,
        whole=whole,
        most_busy=max((one.events for one in past.busiest), default=1),
    )


def _period() -> Period:
    try:
        return Period(request.args.get("period") or Period.DAY)
    except ValueError:
        raise InvalidError() from None


HELD = {
    Reason.LIMIT: _l("Waiting for a limit: %(n)s"),
    Reason.RECONNECT: _l("Waiting for Reconnect: %(n)s"),
    Reason.LATER: _l("Waiting for a later time: %(n)s"),
}
"""The labels of conversations whose replies wait on purpose, by reason."""


def _held(state: current_state.CurrentState) -> str:
    return "; ".join(
        str(text) % {"n": whole(state.held[reason])} for reason, text in HELD.items() if state.held[reason]
    )


def _plots(past: History) -> list[Plot]:
    ticks = _ticks(past)
    rate = _a_minute(past, past.received)
    handled = _a_minute(past, [sum(counts) for counts in zip(*past.handled.values(), strict=True)])
    p50, p99 = past.percentiles(0.5), past.percentiles(0.99)
    waits = [max(one) for one in zip(past.waiting[IN], past.waiting[OUT], strict=True)]
    return [
        plots.lines(
            "events",
            _("Events a minute"),
            _("Events received a minute; %(most)s at most.", most=number(max(rate))),
            past.starts,
            [Line(_("Received"), "line", rate, filled=True), Line(_("Handled"), "line line-2", handled)],
            said=number,
            ticks=ticks,
        ),
        _sends(past, ticks),
        plots.lines(
            "visible",
            _("From received to visible"),
            _(
                "Time until an event can be seen. Slowest 1 %%: %(most)s.",
                most=duration(past.percentile(0.99)),
            ),
            past.starts,
            [Line(_("Half of them"), "line", p50), Line(_("Slowest 1 %"), "line line-2", p99)],
            said=duration,
            ticks=ticks,
            times=True,
        ),
        plots.lines(
            "waiting",
            _("Queue age"),
            _("How long the oldest due work waited; %(most)s at most.", most=duration(max(waits))),
            past.starts,
            [
                Line(_("Received"), "line", past.waiting[IN], filled=True),
                Line(_("To be sent"), "line line-2", past.waiting[OUT]),
            ],
            said=duration,
            ticks=ticks,
            times=True,
        ),
    ]


def _a_minute(past: History, counts: Sequence[int]) -> list[float]:
    """Return counts per minute; the last step is not over, so it is divided by its elapsed minutes."""
    so_far = (clock.now() - past.starts[-1]).total_seconds() / 60
    return [*(count / past.period.step for count in counts[:-1]), counts[-1] / max(so_far, 1.0)]


def _sends(past: History, ticks: Sequence[str]) -> Plot:
    together = BARS[past.period]
    series = [
        Bars(str(label), style, _summed(past.sends[outcome], together))
        for outcome, (label, style) in OUTCOMES.items()
    ]
    title = _("Sends an hour") if past.period is Period.DAY else _("Sends in six hours")
    failed = sum(past.sends[Outcome.FAILED])
    sent = sum(past.sends[Outcome.SENT])
    summary = _("%(sent)s replies sent, %(failed)s failed.", sent=whole(sent), failed=whole(failed))
    return plots.bars("sends", title, summary, past.starts[::together], series, said=whole, ticks=ticks)


def _summed(values: Sequence[int], together: int) -> list[int]:
    return [sum(values[start : start + together]) for start in range(0, len(values), together)]


def _ticks(past: History) -> list[str]:
    """Return the labels below a plot: four times or days, and now."""
    parts = 4 if past.period is Period.DAY else 7
    every = len(past.starts) // parts
    starts = past.starts[::every][:parts]
    if past.period is Period.DAY:
        return [*(format_time(at, "short") for at in starts), _("now")]
    return [*(format_datetime(at, "EEE") for at in starts), _("now")]
