"""Compute plots for SVG: points, bars, scales, and a table with the same figures.

It is independent of HTML.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

LEFT, RIGHT, TOP, BOTTOM = 40.0, 472.0, 20.0, 120.0
"""The box of a plot within its 480 by 144 units."""

Number = Callable[[float], str]


class Line(msgspec.Struct, frozen=True):
    """One series. *style* is a class of the style sheet; None is a gap."""

    label: str
    style: str
    values: Sequence[float | None]
    filled: bool = False
    band: tuple[Sequence[float | None], Sequence[float | None]] | None = None
    """The band around it, from the first to the second series, None where the line has a gap."""


class Bars(msgspec.Struct, frozen=True):
    """One series of bars, stacked on the series before."""

    label: str
    style: str
    values: Sequence[int]


class Rect(msgspec.Struct, frozen=True):
    style: str
    x: float
    y: float
    width: float
    height: float


class Path(msgspec.Struct, frozen=True):
    style: str
    d: str


class Hit(msgspec.Struct, frozen=True):
    """A part of a plot with a tooltip and a link."""

    x: float
    width: float
    text: str
    url: str


@dataclass(slots=True)
class Plot:
    """One drawing, ready to be rendered.

    :param legend: style and label of each series.
    :param ticks: x, label, and the SVG text-anchor.
    :param summary: description of the plot in one sentence.
    :param rows: the same figures as a table, newest first: time, and one text for each series.
    :param heads: column headings; empty: the labels of the legend.
    """

    key: str
    title: str
    summary: str
    legend: list[tuple[str, str]] = field(default_factory=list)
    grid: list[tuple[float, str]] = field(default_factory=list)
    ticks: list[tuple[float, str, str]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    rects: list[Rect] = field(default_factory=list)
    rows: list[tuple[datetime, list[str]]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.rows


def strip(tones: Sequence[str]) -> list[Path]:
    """Return a strip of one mark for each of *tones*, 16 units high and 5 wide, as a path for each tone."""
    return [
        Path(
            f"f-{tone}", "".join(f"M{place * 5} 0h4v16h-4z" for place, one in enumerate(tones) if one == tone)
        )
        for tone in sorted(set(tones))
    ]


def lines(
    key: str,
    title: str,
    summary: str,
    starts: Sequence[datetime],
    series: Sequence[Line],
    *,
    said: Number,
    ticks: Sequence[str],
    times: bool = False,
) -> Plot:
    """Draw *series* as lines.

    :param said: formats a number for the scale and the table.
    :param times: whether the numbers are seconds; long ones get a scale of whole minutes or hours.
    :param ticks: labels below the plot, at equal distances.
    """
    drawn = [values for one in series for values in (one.values, *(one.band or ()))]
    known = [value for values in drawn for value in values if value is not None]
    top = _end_of_scale(max(known, default=0.0), times=times)
    plot = Plot(key, title, summary, [(one.style, one.label) for one in series])
    plot.grid = _grid(top, said)
    plot.ticks = _ticks(ticks)
    if any(known):
        for one in series:
            plot.paths += _paths(one, top)
    for place in reversed(range(len(starts))):
        values = [one.values[place] for one in series]
        if any(values):
            texts = ["–" if value is None else said(value) for value in values]
            plot.rows.append((starts[place], texts))
    return plot


def bars(
    key: str,
    title: str,
    summary: str,
    starts: Sequence[datetime],
    series: Sequence[Bars],
    *,
    said: Number,
    ticks: Sequence[str],
    beside: bool = False,
) -> Plot:
    """Draw *series* as bars, stacked, or *beside* each other."""
    sums = [sum(one.values[place] for one in series) for place in range(len(starts))]
    most = (
        max((value for one in series for value in one.values), default=0) if beside else max(sums, default=0)
    )
    top = _end_of_scale(max(most, 4))  # counts are whole numbers
    plot = Plot(key, title, summary, [(one.style, one.label) for one in series])
    plot.grid = _grid(top, said)
    plot.ticks = _ticks(ticks)
    room = (RIGHT - LEFT) / max(len(starts), 1)
    width = room * 0.7 / (len(series) if beside else 1)
    for place in range(len(starts)):
        y = BOTTOM
        for number, one in enumerate(series):
            height = (BOTTOM - TOP) * one.values[place] / top
            if height:
                y = (BOTTOM if beside else y) - height
                x = LEFT + place * room + room * 0.15 + (number * width if beside else 0)
                plot.rects.append(
                    Rect(one.style, round(x, 1), round(y, 1), round(width, 1), round(height, 1))
                )
    for place in reversed(range(len(starts))):
        if sums[place]:
            plot.rows.append((starts[place], [said(one.values[place]) for one in series]))
    return plot


def add_hits(plot: Plot, texts: Sequence[str], urls: Sequence[str]) -> None:
    """Give each step of *plot* its tooltip text and its link."""
    room = (RIGHT - LEFT) / max(len(texts), 1)
    plot.hits = [
        Hit(round(LEFT + place * room, 1), round(room, 1), text, url)
        for place, (text, url) in enumerate(zip(texts, urls, strict=True))
    ]


def spark(values: Sequence[float | None], *, width: float = 120, height: float = 26) -> str:
    """Return the points of a small line without a scale, from 0; gaps are drawn through."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return ""  # one dot is no line
    top = max((value for _place, value in known), default=0) or 1
    count = max(len(values) - 1, 1)
    return " ".join(
        f"{round(width * place / count, 1)},{round(height - 2 - (height - 4) * value / top, 1)}"
        for place, value in known
    )


def _paths(line: Line, top: float) -> list[Path]:
    """Return the line, broken at gaps, and the area below it."""
    count = max(len(line.values) - 1, 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(line.values):
        if value is None:
            runs.append([])
            continue
        x = LEFT + (RIGHT - LEFT) * place / count
        runs[-1].append((round(x, 1), round(BOTTOM - (BOTTOM - TOP) * value / top, 1)))
    found = _band(line, top)
    for run in runs:
        if not run:
            continue
        drawn = " ".join(f"{x},{y}" for x, y in run)
        if line.filled:
            found.append(Path("area", f"M{run[0][0]},{BOTTOM} L{drawn} {run[-1][0]},{BOTTOM}z"))
        # A single point is drawn as a very short line, whose round ends make a dot.
        found.append(Path(line.style, f"M{drawn}" if len(run) > 1 else f"M{drawn}h.01"))
    return found


def _band(line: Line, top: float) -> list[Path]:
    """Return the areas around the line, broken where it has gaps."""
    if line.band is None:
        return []
    count = max(len(line.values) - 1, 1)
    found, lower, upper = [], list[str](), list[str]()
    for place, (low, high) in enumerate(itertools.chain(zip(*line.band, strict=True), [(None, None)])):
        if low is not None and high is not None:
            x = round(LEFT + (RIGHT - LEFT) * place / count, 1)
            lower.append(f"{x},{round(BOTTOM - (BOTTOM - TOP) * low / top, 1)}")
            upper.append(f"{x},{round(BOTTOM - (BOTTOM - TOP) * high / top, 1)}")
        elif lower:
            found.append(Path("area", f"M{' '.join([*upper, *reversed(lower)])}z"))
            lower, upper = [], []
    return found


def _end_of_scale(most: float, *, times: bool = False) -> float:
    """Return the end of a scale of four steps: 4, 8, 20, 40, 80 and so on, or tenths of them."""
    if most <= 0:
        return 1.0 if times else 4.0
    if times and most > 120:
        unit = 60 if most <= 7200 else 3600
        return unit * next(one for one in itertools.count(4, 4) if one * unit >= most)
    power = 10.0 ** math.floor(math.log10(most))
    return next(one * power for one in (1, 2, 4, 8, 10, 20) if one * power >= most)


def _grid(top: float, said: Number) -> list[tuple[float, str]]:
    return [(round(BOTTOM - (BOTTOM - TOP) * part / 4, 1), said(top * part / 4)) for part in range(5)]


def _ticks(words: Sequence[str]) -> list[tuple[float, str, str]]:
    last = len(words) - 1
    anchors = ["start", *["middle"] * (last - 1), "end"]
    return [
        (round(LEFT + (RIGHT - LEFT) * place / last, 1), word, anchors[place])
        for place, word in enumerate(words)
    ]
