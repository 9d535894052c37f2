"""The health page: problems first, then a day or a week in plots, then the processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import msgspec
from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_datetime, ngettext
from flask_babel import lazy_gettext as _l

from host import recording
from host.core import clock
from host.core.db import db
from host.core.errors import InvalidError
from host.delivery.held_lanes import Reason
from host.features import registry
from host.features.problem import Problem
from host.health import current_state, dependencies, history, problems, slow_pages, undelivered
from host.health.current_state import CurrentState
from host.health.history import History, Period
from host.models.channels import AccountState
from host.models.health import Outcome
from host.queue.wakeups import IN, OUT
from host.search import building
from host.web import navigation, plots
from host.web.formats import duration, number, whole
from host.web.languages import gettext as _
from host.web.languages import local
from host.web.plots import Bars, Line, Plot
from host.web.request_helpers import Permission, admin_required, config, current_user, generation

bp = Blueprint("health", __name__)


_MARK = "lobby.health_mark"
_MARK_KEPT = timedelta(seconds=10)
"""How long other pages reuse the mark: it takes some 20 statements, and every settings page shows it."""


def _mark() -> navigation.Mark | None:
    number, tone = _number_and_tone()
    if not number:
        return None
    words = ngettext("%(num)s issue needs attention", "%(num)s issues need attention", number)
    return navigation.Mark(number, tone, words)


def _number_and_tone() -> tuple[int, str]:
    """Return how many problems there are, and the tone of the worst."""
    now, kept = clock.now(), current_app.extensions.get(_MARK)
    if "health" not in g and kept is not None and abs(now - kept[0]) < _MARK_KEPT:
        return kept[1], kept[2]
    _state, found = _current()
    number, tone = len(found), found[0].tone if found else ""
    current_app.extensions[_MARK] = now, number, tone
    return number, tone


def _current() -> tuple[CurrentState, Sequence[Problem]]:
    """Return the state of the desk and its problems, read once per request, because both page and navigation
    show them.
    """
    if "health" not in g:
        state = current_state.read_current_state(db.session())
        running = generation()
        found = problems.find_problems(db.session(), state, config(), running.failures, running.directory)
        g.health = state, found
    current: tuple[CurrentState, Sequence[Problem]] = g.health
    return current


navigation.add_admin(
    "health.index",
    _l("Health"),
    order=15,
    section=navigation.HEALTH,
    icon="pulse",
    mark=_mark,
    words="status, problems, monitoring, queue, Zustand, Probleme, Überwachung, Warteschlange",
)

OUTCOMES = {
    Outcome.SENT: (_l("Sent"), "bar-a"),
    Outcome.RETRIED: (_l("Retried"), "bar-b"),
    Outcome.HELD: (_l("Held"), "bar-d"),
    Outcome.UNCONFIRMED: (_l("Not confirmed"), "bar-e"),
    Outcome.FAILED: (_l("Failed"), "bar-c"),
}
"""The label and the colour of each outcome."""
BARS = {Period.DAY: 4, Period.WEEK: 6}
"""Steps of a period combined in one bar: an hour, six hours."""
SLOW = 5.0
"""Seconds the oldest due work may have waited in a step that counts as on time."""


class Strip(msgspec.Struct, frozen=True):
    """The results of one direction, with a mark for each step of the period.

    :param text: the results in figures.
    :param tones: for each step: ``good``, ``warn``, ``bad``, or ``idle`` without any messages.
    """

    title: str
    count: int
    text: str
    took: str
    tones: Sequence[str]

    @property
    def paths(self) -> list[plots.Path]:
        return plots.strip(self.tones)

    @property
    def summary(self) -> str:
        """Return the strip in one sentence, for screen readers."""
        text = _(
            "%(all)s intervals: %(late)s delayed, %(bad)s with problems.",
            all=len(self.tones),
            late=self.tones.count("warn"),
            bad=self.tones.count("bad"),
        )
        return str(text)


@bp.get("/admin")
@admin_required
def home() -> ResponseReturnValue:
    """Redirect to the first admin page."""
    return redirect(url_for("health.index"))


@bp.get("/admin/health")
@admin_required
def index() -> ResponseReturnValue:
    """Show the health page."""
    period, channel = _period(), request.args.get("channel") or None
    session = db.session()
    state, found = _current()
    channels = sorted({channel for channel, _state in state.accounts})
    if channel is not None and channel not in channels:
        raise InvalidError()
    past = history.read_history(session, period, channel)
    gone = state.lost
    return render_template(
        "health/index.html",
        period=period,
        periods=Period,
        channel_key=channel,
        channels=channels,
        problems=found,
        opens=_opens,
        weakening=problems.weakening(config()),
        past=past,
        plots=_plots(past),
        slow=slow_pages.find_slow_pages(session, period.length),
        slow_seconds=int(recording.SLOW_SECONDS),
        strips=_strips(past),
        asked="period" in request.args or channel is not None,
        state=state,
        waits=_waits(state),
        late=problems.LATE,
        search=building.progress(session),
        lost=gone,
        others=[one for one in state.processes if one not in gone],
        alive=Counter(one.kind for one in state.alive),
        standing=[
            *dependencies.check_dependencies(state, broker=bool(config().broker_url)),
            *undelivered.check_undelivered(session),
        ],
        accounts={one: problems.now_of(state, one) for one in AccountState},
        lines=[line for lines in registry.hooks().health_lines(session=session) for line in lines],
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
    Reason.LIMIT: (
        _l("Conversations waiting for a provider limit: %(n)s"),
        _l("The provider accepts no more messages for now. They are sent as soon as it does."),
    ),
    Reason.LATER: (
        _l("Conversations waiting for another reason: %(n)s"),
        _l("For the next retry, the provider's confirmation of the previous reply, or an inactive addon."),
    ),
}
"""Conversations whose replies wait on purpose, by reason: the label, and what they wait for."""


def _opens(problem: Problem) -> bool:
    """Return whether the reader may open the page that helps: accounts are their owners' only."""
    if problem.link is None:
        return False
    workspace_id = problem.link[1].get("workspace_id")
    if workspace_id is None:
        return True
    member = current_user().membership(int(workspace_id))
    return member is not None and member.may(Permission.ACCOUNTS)


def _waits(state: current_state.CurrentState) -> list[tuple[str, str]]:
    """Return the work that waits on purpose and continues by itself: the label and the reason."""
    return [
        (str(label) % {"n": whole(state.held[reason])}, str(text))
        for reason, (label, text) in HELD.items()
        if state.held[reason]
    ]


def _strips(past: History) -> list[Strip]:
    handled, sends = past.handled, past.sends
    tried = (Outcome.RETRIED, Outcome.UNCONFIRMED, Outcome.HELD)
    received = [
        _tone(
            past.waiting[IN][at],
            bad=handled["dead"][at],
            late=0,
            good=past.received[at] + handled["applied"][at],
        )
        for at in range(len(past.starts))
    ]
    sent = [
        _tone(
            past.waiting[OUT][at],
            bad=sends[Outcome.FAILED][at],
            late=sum(sends[one][at] for one in tried),
            good=sends[Outcome.SENT][at],
        )
        for at in range(len(past.starts))
    ]
    return [
        Strip(
            _("Received"),
            sum(past.received),
            _(
                "%(handled)s handled in this time: %(applied)s applied, %(ignored)s not for the inbox, "
                "%(dead)s could not be read",
                handled=whole(sum(sum(handled[one]) for one in ("applied", "ignored", "dead"))),
                applied=whole(sum(handled["applied"])),
                ignored=whole(sum(handled["ignored"])),
                dead=whole(sum(handled["dead"])),
            ),
            _(
                "Visible after %(half)s (median); 99th percentile: %(p99)s",
                half=duration(past.percentile(0.5)),
                p99=duration(past.percentile(0.99)),
            ),
            received,
        ),
        Strip(
            _("Sent"),
            sum(sends[Outcome.SENT]),
            _(
                "Besides these: %(retried)s retried, %(failed)s failed, %(unconfirmed)s not confirmed",
                retried=whole(sum(sends[Outcome.RETRIED])),
                failed=whole(sum(sends[Outcome.FAILED])),
                unconfirmed=whole(sum(sends[Outcome.UNCONFIRMED])),
            ),
            _("Longest wait: %(most)s", most=duration(max(past.waiting[OUT]))),
            sent,
        ),
    ]


def _tone(waited: float, *, bad: int, late: int, good: int) -> str:
    if bad or waited > problems.LATE.total_seconds():
        return "bad"
    if late or waited > SLOW:
        return "warn"
    return "good" if good else "idle"


def _plots(past: History) -> list[Plot]:
    ticks = _ticks(past)
    rate = _a_minute(past, past.received)
    handled = _a_minute(past, [sum(counts) for counts in zip(*past.handled.values(), strict=True)])
    p50, p99 = past.percentiles(0.5), past.percentiles(0.99)
    waits = [max(one) for one in zip(past.waiting[IN], past.waiting[OUT], strict=True)]
    return [
        plots.lines(
            "events",
            _("Events per minute"),
            _("Events received per minute; at most %(most)s.", most=number(max(rate))),
            past.starts,
            [Line(_("Received"), "line", rate, filled=True), Line(_("Handled"), "line line-2", handled)],
            said=number,
            ticks=ticks,
        ),
        _sends(past, ticks),
        plots.lines(
            "visible",
            _("Time until visible"),
            _(
                "Time until an event is visible. 99th percentile: %(most)s.",
                most=duration(past.percentile(0.99)),
            ),
            past.starts,
            [Line(_("Median"), "line", p50), Line(_("99th percentile"), "line line-2", p99)],
            said=duration,
            ticks=ticks,
            times=True,
        ),
        plots.lines(
            "waiting",
            _("Queue age"),
            _("Age of the oldest due work; at most %(most)s.", most=duration(max(waits))),
            past.starts,
            [
                Line(_("Received"), "line", past.waiting[IN], filled=True),
                Line(_("To send"), "line line-2", past.waiting[OUT]),
            ],
            said=duration,
            ticks=ticks,
            times=True,
        ),
    ]


def _a_minute(past: History, counts: Sequence[int]) -> list[float]:
    """Return counts per minute; the last step is still running, so it is divided by its elapsed minutes."""
    so_far = (clock.now() - past.starts[-1]).total_seconds() / 60
    return [*(count / past.period.step for count in counts[:-1]), counts[-1] / max(so_far, 1.0)]


def _sends(past: History, ticks: Sequence[str]) -> Plot:
    together = BARS[past.period]
    series = [
        Bars(str(label), style, _summed(past.sends[outcome], together))
        for outcome, (label, style) in OUTCOMES.items()
    ]
    title = _("Sent per hour") if past.period is Period.DAY else _("Sent per six hours")
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
        return [*(f"{local(at):%H:%M}" for at in starts), _("now")]
    return [*(format_datetime(at, "EEE") for at in starts), _("now")]
