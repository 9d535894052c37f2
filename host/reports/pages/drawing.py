"""Figures as text and plots, as the page shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from flask import url_for
from flask_babel import ngettext

from host.core.clock import HOUR
from host.inbox.pages import durations
from host.reports.figures import NONE, Figure, Figures, Times, Totals
from host.reports.models import AUTOMATION, CAMPAIGN
from host.reports.pages.choosing import Choice, Column, Order
from host.reports.tables import Grouping, Key
from host.web import plots
from host.web.formats import duration, whole
from host.web.languages import gettext as _
from host.web.languages import reader
from host.web.plots import Bars, Line, Plot
from host.web.template_filters import mark_of

LEVELS = 4
"""Number of shades for the hours of the week, not counting the one for zero."""
_MOST_TICKS = 5
_SECONDS_COUNT = 10 * durations.MINUTE
"""A time of up to ten minutes has its seconds, too."""
FEW = 5
"""Fewest of which a share says something: one of one is no 100 %."""


class Tile(msgspec.Struct, frozen=True):
    """One figure of the strip.

    :param value: None: there is not enough data, and *note* says when there will be.
    :param icon: of the change: ``up``, ``down`` or nothing; *tone*: ``good``, ``bad`` or nothing.
    """

    figure: Figure
    title: str
    value: str | None
    unit: str
    note: str
    icon: str
    tone: str
    url: str
    spark: str


class Class(msgspec.Struct, frozen=True):
    """The number of conversations closed within a time."""

    label: str
    count: int
    share: str
    width: float
    late: bool
    url: str


class Row(msgspec.Struct, frozen=True):
    """One row of the table of people, teams, labels, accounts, channels or hours.

    :param url: the page filtered by it; *opened*: for each figure, its conversations. None: cannot be a
        filter.
    :param sent: and *waited*: lengths of the bars next to answers and first responses, out of 92.
    :param tone: of a label; *change* of its first response since the days before, in words, and *way*:
        ``good``, ``bad`` or nothing.
    """

    name: str
    key: Key
    totals: Totals
    url: str | None
    opened: Mapping[str, str | None]
    sent: float
    waited: float
    tone: str = ""
    change: str = ""
    way: str = ""


class Week(msgspec.Struct, frozen=True):
    """The hours of the week as shades.

    :param days: name of the day, and of each hour: shade from 0 to :data:`LEVELS`, and how many messages.
    :param most: the busiest time, in words.
    """

    days: Sequence[tuple[str, Sequence[tuple[int, int]]]]
    most: str


def length(seconds: int | None) -> str:
    """Return a duration in its two largest units: ``40 s``, ``1 min 44 s``, ``14 min``, ``3 h 20 min``.

    Stored durations are whole seconds, so a shorter one is 0.
    """
    if seconds is None:
        return "–"
    if seconds == 0:
        return str(_("under 1 s"))
    if seconds < durations.MINUTE:
        return duration(seconds)
    minutes = durations.exact(timedelta(seconds=seconds))
    left = seconds % durations.MINUTE
    return f"{minutes} {duration(left)}" if left and seconds < _SECONDS_COUNT else minutes


def _link(choice: Choice, figure: Figure, **more: Any) -> str:
    return url_for(
        "reports.opened",
        workspace_id=choice.selection.workspace_id,
        figure=figure.value,
        **{**choice.arguments, **more},
    )


def tiles(choice: Choice, found: Figures) -> list[Tile]:
    """Return the strip of figures: five, and the share of answers on time if there are targets."""
    before = found.before
    past = choice.days.last < choice.today

    def soon(text: str) -> str:
        return _("None in this period") if past else text

    def waited(figure: Figure, title: str, get: Callable[[Totals], Times], empty: str) -> Tile:
        mine = get(found.total)
        note, icon, tone = _faster(mine.half, None if before is None else get(before).half)
        spark = plots.spark([get(one).half for _at, one in found.steps])
        if not mine.count:
            note, icon, tone, spark = soon(empty), "", "", ""
        value = length(mine.half) if mine.count else None
        return Tile(figure, title, value, _("median"), note, icon, tone, _link(choice, figure), spark)

    return [
        waited(Figure.FIRST, _("First response"), lambda one: one.first, _("Shown after the first response")),
        waited(Figure.NEXT, _("Next responses"), lambda one: one.next, _("Shown after the second response")),
        waited(
            Figure.RESOLVE,
            _("Resolution"),
            lambda one: one.resolve,
            _("Shown after the first closed conversation"),
        ),
        _conversations(choice, found),
        _missed(choice, found, soon(_("Shown after the first reply window ends"))),
        *_in_time(choice, found),
    ]


def _share(one: Totals) -> int:
    """Return the percentage of answers on time."""
    return one.in_time * 100 // one.promised


def _in_time(choice: Choice, found: Figures) -> list[Tile]:
    """Return the figure of answers on time; none if no account had a response target."""
    total, before = found.total, found.before
    if not total.promised:
        return []
    note, icon, tone = ngettext("%(num)s late", "%(num)s late", total.late), "", ""
    if total.promised < FEW:
        note, before = _("too few to tell"), None
    change = 0 if before is None or not before.promised else _share(total) - _share(before)
    if change:
        icon, tone = ("up", "good") if change > 0 else ("down", "bad")
    value = in_time(total)
    spark = plots.spark([_share(one) if one.promised else None for _at, one in found.steps])
    url = _link(choice, Figure.LATE)
    return [Tile(Figure.LATE, _("Responses on time"), value, "", note, icon, tone, url, spark)]


def in_time(one: Totals) -> str:
    """Return the share of answers on time, in words; of a few, how many they are."""
    if not one.promised:
        return "–"
    if one.promised < FEW:
        return str(_("%(n)s of %(total)s", n=whole(one.in_time), total=whole(one.promised)))
    return str(_("%(n)s %%", n=whole(_share(one))))


def _faster(mine: int | None, theirs: int | None) -> tuple[str, str, str]:
    """Return the change of a time in words, its icon and tone; less than 5 % counts as no change."""
    if mine is None or theirs is None:
        return "", "", ""
    change = abs(mine - theirs)
    if change * 20 < max(theirs, 20):
        return _("no change"), "", ""
    if mine < theirs:
        return _("%(n)s faster", n=length(change)), "down", "good"
    return _("%(n)s slower", n=length(change)), "up", "bad"


def _conversations(choice: Choice, found: Figures) -> Tile:
    total, before = found.total, found.before
    of_person = total.opened is None
    count = total.closed if total.opened is None else total.opened
    note = "" if of_person else _("%(n)s closed", n=whole(total.closed_by_team))
    if total.closed_automatically:
        note = _(
            "%(n)s closed, %(num)s automatically",
            n=whole(total.closed_by_team),
            num=whole(total.closed_automatically),
        )
    icon = ""
    theirs = None if before is None else before.closed if before.opened is None else before.opened
    if theirs:
        percent = round(100 * (count - theirs) / theirs)
        icon = "up" if percent > 0 else "down" if percent else ""
        if not percent:
            words = _("no change")
        elif theirs < FEW:
            change = count - theirs
            words = _("%(n)s more", n=whole(change)) if change > 0 else _("%(n)s fewer", n=whole(-change))
        elif percent > 0:
            words = _("%(n)s %% more", n=whole(percent))
        else:
            words = _("%(n)s %% fewer", n=whole(-percent))
        note = f"{words}, {note}" if note else words
    spark = [one.closed if one.opened is None else one.opened for _at, one in found.steps]
    known = found.since is not None
    return Tile(
        Figure.OPENED,
        _("Conversations"),
        whole(count) if known else None,
        _("closed") if of_person else _("opened"),
        note if known else _("Shown after the first message"),
        icon,
        "",
        _link(choice, Figure.RESOLVE if of_person else Figure.OPENED),
        plots.spark(spark) if any(spark) else "",
    )


def _missed(choice: Choice, found: Figures, empty: str) -> Tile:
    total, before = found.total, found.before
    note, icon, tone = "", "", ""
    if found.windows:
        note = _("%(n)s %% of all", n=whole(100 * total.missed / found.windows))
        if found.windows < FEW:
            note = _("too few to tell")
        change = 0 if before is None else total.missed - before.missed
        if change:
            icon, tone = ("up", "bad") if change > 0 else ("down", "good")
            words = _("%(n)s more", n=whole(change)) if change > 0 else _("%(n)s fewer", n=whole(-change))
            note = f"{words}, {note}"
    return Tile(
        Figure.MISSED,
        _("Windows missed"),
        whole(total.missed) if found.windows else None,
        "",
        note or empty,
        icon,
        tone,
        _link(choice, Figure.MISSED),
        plots.spark([one.missed for _at, one in found.steps]) if total.missed else "",
    )


def step_name(choice: Choice) -> Callable[[datetime], str]:
    """Return a function that names a step: by its day or, for a single day, by its hour."""
    zone = choice.days.zone
    if len(choice.days) == 1:
        return lambda at: f"{at.astimezone(zone):%H:%M}"
    # In a zone that is half an hour off, a day's first hour begins on the previous day.
    return lambda at: reader().date_text((at + HOUR - timedelta(seconds=1)).astimezone(zone), "d MMM")


def answers_plot(choice: Choice, found: Figures) -> Plot:
    """Draw how long the first answers took."""
    times = [one.first for _at, one in found.steps]
    name = step_name(choice)
    plot = plots.lines(
        "first",
        _("First response"),
        _(
            "First response: median %(half)s, 90th percentile %(nine)s.",
            half=length(found.total.first.half),
            nine=length(found.total.first.nine),
        ),
        [at for at, _one in found.steps],
        [
            Line(
                _("Median"),
                "line",
                [one.half for one in times],
                band=([one.tenth for one in times], [one.nine for one in times]),
            )
        ],
        said=lambda seconds: duration(seconds) if seconds else "0",
        ticks=_ticks(choice, found),
        times=True,
    )
    plot.legend.append(("area", _("10th to 90th percentile")))
    plot.heads = [_("Median"), _("10th percentile"), _("90th percentile")]
    plot.rows = [
        (at, [length(one.first.half), length(one.first.tenth), length(one.first.nine)])
        for at, one in reversed(found.steps)
        if one.first.count
    ]
    texts = [
        f"{name(at)}: "
        + (
            _(
                "median %(half)s, 90th percentile %(nine)s",
                half=length(one.half),
                nine=length(one.nine),
            )
            if one.count
            else _("no response")
        )
        for (at, _totals), one in zip(found.steps, times, strict=True)
    ]
    plots.add_hits(
        plot, texts, [_link(choice, Figure.FIRST, **_of_step(choice, at)) for at, _o in found.steps]
    )
    return plot


def is_a_line(found: Figures) -> bool:
    """Return whether first responses make a line: one dot is no chart."""
    return sum(1 for _at, one in found.steps if one.first.count) > 1


def _automatic(one: Totals) -> int:
    return one.sent_automatically + one.sent_by_campaigns


def messages_plot(choice: Choice, found: Figures) -> Plot:
    """Draw messages in, and out by the team and automatically."""
    name, total = step_name(choice), found.total
    into, out, alone = (
        [get(one) or 0 for _at, one in found.steps]
        for get in (lambda one: one.received, lambda one: one.answers, _automatic)
    )
    series = [Bars(_("Sent, %(n)s", n=whole(total.answers or 0)), "bar-f", out)]
    if total.received is not None:
        series.insert(0, Bars(_("Received, %(n)s", n=whole(total.received)), "bar-a", into))
    said = _("%(into)s messages received, %(out)s sent.", into=whole(sum(into)), out=whole(sum(out)))
    texts = [
        _("%(when)s: %(into)s received, %(out)s sent", when=name(at), into=whole(received), out=whole(sent))
        for (at, _totals), received, sent in zip(found.steps, into, out, strict=True)
    ]
    if any(alone):
        automatic = _("Automation, %(n)s", n=whole(total.sent_automatically))
        if total.sent_by_campaigns:
            automatic = _(
                "Automation, %(n)s; campaigns, %(num)s",
                n=whole(total.sent_automatically),
                num=whole(total.sent_by_campaigns),
            )
        series.append(Bars(automatic, "bar-e", alone))
        said = f"{said} {automatic}."
        texts = [
            _("%(text)s, %(num)s automatically", text=text, num=whole(number))
            for text, number in zip(texts, alone, strict=True)
        ]
    plot = plots.bars(
        "messages",
        _("Messages"),
        said,
        [at for at, _one in found.steps],
        series,
        said=whole,
        ticks=_ticks(choice, found),
        beside=True,
    )
    index = [
        url_for(
            "reports.index",
            workspace_id=choice.selection.workspace_id,
            **{**choice.arguments, **_of_step(choice, at)},
        )
        for at, _one in found.steps
    ]
    plots.add_hits(plot, texts, index)
    return plot


def missed_plot(choice: Choice, found: Figures) -> Plot:
    """Draw the missed reply windows."""
    return plots.bars(
        "missed",
        _("Per day") if len(choice.days) > 1 else _("Per hour"),
        ngettext("%(num)s window missed.", "%(num)s windows missed.", found.total.missed),
        [at for at, _one in found.steps],
        [Bars(_("Windows missed"), "bar-c", [one.missed for _at, one in found.steps])],
        said=whole,
        ticks=_ticks(choice, found),
    )


def _of_step(choice: Choice, at: datetime) -> dict[str, Any]:
    there = (at + HOUR - timedelta(seconds=1)).astimezone(choice.days.zone)
    return choice.of_day(choice.days.first if len(choice.days) == 1 else there.date())


def _ticks(choice: Choice, found: Figures) -> list[str]:
    """Return the labels below a plot, at equal distances."""
    name = step_name(choice)
    last = len(found.steps) - 1
    count = min(_MOST_TICKS, last + 1)
    words = [name(found.steps[round(place * last / (count - 1))][0]) for place in range(count)]
    if len(choice.days) > 1 and choice.days.last == choice.today:
        words[-1] = _("Today")
    return words


def table(
    choice: Choice,
    found: Mapping[Key, Totals],
    names: Mapping[Key, str],
    before: Mapping[Key, Times] | None = None,
) -> list[Row]:
    """Return the rows of the table in the chosen order; by default the largest first, hours in order.

    :param names: of people, teams, labels or accounts.
    :param before: first responses of the days before; None: not known.
    """
    tones = {one.id: one.tone for one in choice.labels} if choice.by is Grouping.LABEL else {}
    most_sent = max((one.answers or 0 for one in found.values()), default=0) or 1
    longest = max((one.first.half or 0 for one in found.values()), default=0) or 1

    def row(key: Key, one: Totals) -> Row:
        there = choice.of_row(choice.by, key)
        address = {"workspace_id": choice.selection.workspace_id, **(there or {})}
        change, _icon, way = _faster(one.first.half, (before or {}).get(key, NONE).half)
        return Row(
            _name(choice.by, key, names),
            key,
            one,
            None if there is None else url_for("reports.index", **address),
            {
                figure.value: None if there is None else url_for("reports.opened", figure=figure, **address)
                for figure in Figure
            },
            round(92 * (one.answers or 0) / most_sent, 1),
            round(92 * (one.first.half or 0) / longest, 1),
            tones.get(int(key), "") if tones else "",
            change,
            way,
        )

    rows = [row(key, one) for key, one in found.items()]
    if choice.order is not None:
        return _sorted(rows, choice.order)
    if choice.by is Grouping.HOUR:
        return sorted(rows, key=lambda one: int(one.key))

    def work(one: Totals) -> int:
        return one.first.count if one.answers is None else one.answers

    def last(key: Key) -> bool:
        return key in (0, AUTOMATION, CAMPAIGN)

    return sorted(rows, key=lambda one: (last(one.key), -work(one.totals), one.name))


def each_once(choice: Choice, whole: Totals, before: Totals | None) -> Row:
    """Return the last row of the table of labels, in which each conversation counts once."""
    theirs = None if before is None else before.first.half
    change, _icon, way = _faster(whole.first.half, theirs)
    address = {"workspace_id": choice.selection.workspace_id, **choice.arguments}
    opened = {figure.value: url_for("reports.opened", figure=figure, **address) for figure in Figure}
    return Row(_("All, each once"), 0, whole, None, opened, 0, 0, "", change, way)


_VALUES: dict[Column, Callable[[Totals], int | None]] = {
    Column.RECEIVED: lambda one: one.received,
    Column.SENT: lambda one: one.answers,
    Column.CONVERSATIONS: lambda one: one.opened,
    Column.FIRST: lambda one: one.first.half,
    Column.NINE: lambda one: one.first.nine,
    Column.NEXT: lambda one: one.next.half,
    Column.RESOLUTION: lambda one: one.resolve.half,
    Column.CLOSED: lambda one: one.closed_by_team,
    Column.MISSED: lambda one: one.missed,
    Column.LATE: lambda one: one.late if one.promised else None,
    Column.IN_TIME: lambda one: _share(one) if one.promised else None,
}


def _sorted(rows: Sequence[Row], order: Order) -> list[Row]:
    """Return *rows* in an order: those without a value last, equal ones by name."""
    by_name = sorted(rows, key=lambda one: (one.name.casefold(), str(one.key)))
    get = _VALUES.get(order.column)
    if get is None:
        return by_name[::-1] if order.descending else by_name
    valued = [(get(one.totals), one) for one in by_name]
    there = [(value, one) for value, one in valued if value is not None]
    there.sort(key=lambda pair: pair[0], reverse=order.descending)
    return [one for _value, one in there] + [one for value, one in valued if value is None]


def _name(by: Grouping, key: Key, names: Mapping[Key, str]) -> str:
    if by is Grouping.HOUR:
        return f"{int(key):02d}:00–{int(key) + 1:02d}:00"
    if by is Grouping.CHANNEL:
        return mark_of(str(key))[1] if key else _("Deleted")
    if by is Grouping.PERSON and key in (AUTOMATION, CAMPAIGN):
        return str(_("Automation") if key == AUTOMATION else _("Campaigns"))
    nameless = {Grouping.PERSON: _("Nobody on the team"), Grouping.TEAM: _("No team")}
    return nameless.get(by, "") if not key else names.get(key) or _("Deleted")


def classes(choice: Choice, found: Figures) -> list[Class]:
    """Return the distribution of the time until closed, in classes."""
    labels = [
        _("Within 1 hour"),
        _("1 to 4 hours"),
        _("4 to 24 hours"),
        _("1 to 3 days"),
        _("Longer"),
    ]
    counts = found.until_closed
    total, most = sum(counts) or 1, max(counts) or 1
    return [
        Class(
            label,
            count,
            _("%(n)s %%", n=round(100 * count / total)) if total >= FEW else "",
            round(400 * count / most, 1),
            number == len(labels) - 1,
            _link(choice, Figure.RESOLVE, within=number),
        )
        for number, (label, count) in enumerate(zip(labels, counts, strict=True))
    ]


def week(found: Figures) -> Week | None:
    """Return the hours of the week; None for one person or label, as messages are not known by those."""
    if found.week is None:
        return None
    most = max(max(day) for day in found.week)
    monday = date(2024, 1, 1)  # a Monday, for its name alone
    names = [reader().date_text(monday + timedelta(days=number), "EEE") for number in range(7)]
    days = [
        (name, [(-(-count * LEVELS // most) if most else 0, count) for count in day])
        for name, day in zip(names, found.week, strict=True)
    ]
    if not most:
        return Week(days, "")
    number, hour = next(
        (number, hour) for number, day in enumerate(found.week) for hour in range(24) if day[hour] == most
    )
    weekday = reader().date_text(monday + timedelta(days=number), "EEEE")
    return Week(days, _("Busiest: %(day)s, %(start)s to %(end)s", day=weekday, start=hour, end=hour + 1))
