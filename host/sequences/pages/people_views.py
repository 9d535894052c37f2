"""Settings -> Sequences -> Numbers and People: how many customers reach each step, and who they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_percent
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.clock import Days
from host.core.errors import InvalidError
from host.inbox.pages import durations
from host.live.following import follows
from host.sequences import body as bodies
from host.sequences import numbers, people, sequences
from host.sequences.filters import RunFilter
from host.sequences.numbers import Numbers, StepNumbers
from host.sequences.pages import wording
from host.sequences.pages.blueprint import ONE, Opened, bp, head, open_sequence
from host.web.formats import duration, whole
from host.web.languages import gettext as _
from host.web.languages import reader
from host.web.periods import given_days, recent_days, said_days
from host.web.request_helpers import (
    Permission,
    flash_good,
    id_argument,
    seen_accounts,
    workspace_view,
    write,
)

BAR = 100
"""Width of a full bar of the funnel."""
_STATES = {"": True, "active": True, "ended": False, "all": None}


# ---- numbers -------------------------------------------------------------------------------------------


class Tile(msgspec.Struct, frozen=True):
    """A number above the funnel.

    :param url: the customers that it counts; empty: it is not a count, or nobody.
    :param parts: smaller numbers it is made of: words, count and address.
    """

    title: str
    value: str
    url: str = ""
    parts: list[tuple[str, int, str]] = []


class FunnelStep(msgspec.Struct, frozen=True):
    """A step of the funnel.

    :param reached: customers who came to it; *share*: of all; *width*: of the bar, of :data:`BAR`.
    :param left: those who left at it: reason, count and address.
    """

    number: int
    kind: tuple[str, Any]
    tag: str
    words: str
    reached: int
    share: str
    width: float
    here: int
    time: str
    left: list[tuple[str, int, str]]
    url: str
    here_url: str


@bp.get(f"{ONE}/numbers")
@workspace_view(Permission.ACCOUNTS)
def numbers_of(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """Show how many customers reached each step of a version, of those who started in a period.

    With ``version``, of that one instead of the live one; ``from`` and ``to`` are days.
    """
    opened, now = open_sequence(workspace_id, sequence_id), clock.now()
    one = opened.sequence
    number = id_argument("version") or one.live_version or one.version
    today = now.astimezone(reader().zone).date()
    days = given_days(today)
    since, until = _ends(days)
    with db.read() as session:
        body = bodies.read(sequences.version(session, sequence_id, number).body)
        found = None
        if body is not None:
            found = numbers.of_version(
                session, sequence_id, number, body, since, until, accounts=seen_accounts()
            )

    def link(**filters: Any) -> str:
        period = {"version": number, "from": days.first.isoformat(), "to": days.last.isoformat()}
        where = {"workspace_id": workspace_id, "sequence_id": sequence_id, "state": "all"}
        return url_for("sequences.people_in", **{**where, **period, **filters})

    steps = []
    if body is not None and found is not None:
        place = wording.numbers(body)
        for step, counts in zip(body.steps, found.steps, strict=True):
            kind = wording.kind_of(step)
            words = wording.step(step, body, opened.there)
            steps.append(_funnel_step(place[step.id], kind, words, counts, found.all, link))
    return render_template(
        "sequences/numbers.html",
        here="numbers",
        **head(opened),
        number=number,
        days=days,
        said=said_days(days, today),
        periods=recent_days(days, today),
        tiles=[] if found is None else _tiles(found, link),
        steps=steps,
        found=found,
        limited=seen_accounts() is not None,
        bar=BAR,
    )


def _ends(days: Days) -> tuple[datetime, datetime]:
    """Return when days begin and end."""
    bounds = days.bounds()
    return bounds[0], bounds[-1]


def _tiles(found: Numbers, link: Any) -> list[Tile]:
    def counted(title: str, count: int, **filters: Any) -> Tile:
        return Tile(title, whole(count), link(**filters) if count else "")

    started = [
        (str(wording.STARTED_BY.get(by, by)), count, link(started_by=by))
        for by, count in sorted(found.started.items(), key=lambda one: -one[1])
    ]
    alone = Tile(
        _("Needed nobody"),
        format_percent(found.alone / 100) if found.all > found.active else "–",
        link(ended="done") if found.done else "",
        [(_("reached an end"), found.done, link(ended="done"))] if found.done else [],
    )
    stopped = Tile(
        _("Stopped otherwise"),
        whole(sum(found.stopped.values())),
        "",
        [
            (wording.end(reason), count, link(ended=reason))
            for reason, count in sorted(found.stopped.items(), key=lambda one: -one[1])
        ],
    )
    return [
        msgspec.structs.replace(counted(_("Started"), found.all), parts=started),
        counted(_("In it now"), found.active, state="active"),
        alone,
        counted(_("Handed to people as planned"), found.planned, ended="people"),
        counted(_("Asked for a person"), found.asked, ended="asked"),
        stopped,
        Tile(_("Median time to an end"), _time(found.time)),
    ]


def _funnel_step(
    number: int, kind: str, words: str, counts: StepNumbers, every: int, link: Any
) -> FunnelStep:
    share = counts.reached / every if every else 0
    return FunnelStep(
        number,
        wording.KINDS[kind],
        kind,
        words,
        counts.reached,
        format_percent(share),
        round(BAR * share, 1),
        counts.here,
        _time(counts.time),
        [
            (wording.end(reason), count, link(step=counts.step, ended=reason))
            for reason, count in sorted(counts.left.items(), key=lambda one: -one[1])
        ],
        link(reached=counts.step),
        link(step=counts.step, state="active"),
    )


def _time(time: timedelta | None) -> str:
    return "–" if time is None else duration(time.total_seconds())


# ---- people --------------------------------------------------------------------------------------------


@bp.get(f"{ONE}/people")
@workspace_view(Permission.ACCOUNTS)
@follows
def people_in(workspace_id: int, sequence_id: int) -> ResponseReturnValue:
    """List the customers who are in a sequence, or those behind a number, the newest first.

    ``state`` is *active* (the default), *ended* or *all*; the other filters are those of
    :class:`host.sequences.filters.RunFilter`, and days as on the numbers.
    """
    opened, now = open_sequence(workspace_id, sequence_id), clock.now()
    wanted = _wanted(now)
    with db.read() as session:
        found = people.listing(
            session, sequence_id, wanted, before=id_argument("before"), limit=people.PAGE + 1
        )
        some = found[: people.PAGE]
        versions = {one.version for one in some} | {wanted.version or opened.sequence.version}
        steps = {number: _steps(session, opened, number) for number in versions}
    lines = [
        (one, steps[one.version].get(one.step, ""), durations.since(one.ended_at or one.since, now))
        for one in some
    ]
    named = steps[wanted.version or opened.sequence.version]
    arguments = {name: value for name, value in request.args.items() if name != "before"}
    return render_template(
        "sequences/people.html",
        here="people",
        **head(opened),
        lines=lines,
        older=some[-1].id if len(found) > len(some) else None,
        waits=wording.WAITS,
        end_of=wording.end,
        only_active=wanted.active is True,
        filters=list(wording.filters(wanted, named)),
        arguments=arguments,
        numbers_arguments={key: arguments[key] for key in ("version", "from", "to") if key in arguments},
    )


def _wanted(now: datetime) -> RunFilter:
    """Return the filters in the address.

    :raises InvalidError: if one of them is impossible.
    """
    text = request.args
    since = until = None
    if text.get("from") or text.get("to"):
        since, until = _ends(given_days(now.astimezone(reader().zone).date()))
    if text.get("state", "") not in _STATES:
        raise InvalidError()
    return RunFilter(
        version=id_argument("version"),
        since=since,
        until=until,
        started_by=text.get("started_by", "")[:16],
        step=text.get("step", "")[:64],
        reached=text.get("reached", "")[:64],
        active=_STATES[text.get("state", "")],
        ended=text.get("ended", "")[:64],
        accounts=seen_accounts(),
    )


def _steps(session: Session, opened: Opened, number: int) -> dict[str, str]:
    """Return the words of the steps of a version, with their numbers."""
    body = bodies.read(sequences.version(session, opened.sequence.id, number).body)
    if body is None:
        return {}
    place = wording.numbers(body)
    return {one.id: f"{place[one.id]} · {wording.step(one, body, opened.there)}" for one in body.steps}


@bp.post(f"{ONE}/people/<int:sequence_run_id>/end")
@workspace_view(Permission.ACCOUNTS)
def end_run(workspace_id: int, sequence_id: int, sequence_run_id: int) -> ResponseReturnValue:
    """Let one customer's run end."""
    write(people.end, sequence_id, sequence_run_id)
    flash_good(_("It ends in a moment."))
    return redirect(url_for("sequences.people_in", workspace_id=workspace_id, sequence_id=sequence_id), 303)
