"""Check what the desk needs besides its database: broker, spool of each machine, storage of limit counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask_babel import format_datetime, ngettext
from flask_babel import gettext as _

from host.core import storage
from host.health.current_state import CurrentState
from host.models.health import BrokerState, Process
from host.queue.policy import SWEEP_SECONDS
from host.web.formats import number, size


@dataclass(frozen=True, slots=True)
class Dependency:
    """One thing the desk needs, as a line of the page.

    :param tone: ``pass``, ``warn`` or ``fail``.
    :param share: how full it is, 0 to 1, if that is known.
    """

    tone: str
    name: str
    fact: str
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    """Where live processes that send count their calls.

    :param places: distinct values of :func:`host.queue.limit_counters.place`.
    """

    senders: int
    places: tuple[str, ...]

    @property
    def apart(self) -> bool:
        """Tell whether two processes count the same limit separately."""
        return self.senders > 1 and (len(self.places) > 1 or not self.places[0])


def spools(now: CurrentState) -> list[tuple[str, Process]]:
    """Return the spool of each machine: the fullest of its live processes: each may have its own folder.

    For a machine without a live process, it is what the last one reported.
    """
    machines: dict[str, list[Process]] = {}
    for one in now.processes:
        machines.setdefault(one.machine, []).append(one)

    def fullest(one: Process) -> tuple[object, ...]:
        alive = now.is_alive(one)
        return alive, (one.spooled, one.spooled_bytes) if alive else (0, 0), one.seen_at

    return [(machine, max(machines[machine], key=fullest)) for machine in sorted(machines)]


def counting(now: CurrentState) -> Counting:
    """Return where calls to providers are counted now."""
    sending = [one for one in now.alive if one.senders]
    return Counting(len(sending), tuple(sorted({one.counts_at for one in sending})))


def broker_answers(now: CurrentState) -> tuple[list[Process], list[Process]]:
    """Return the live processes the broker answers, and those it does not; others use no broker."""
    return (
        [one for one in now.alive if one.broker == BrokerState.ANSWERS],
        [one for one in now.alive if one.broker == BrokerState.AWAY],
    )


def limits_away(now: CurrentState) -> list[Process]:
    """Return the live processes that do not reach the place where calls to providers are counted."""
    return [one for one in now.alive if one.limits_away_since is not None]


def check_dependencies(now: CurrentState, *, broker: bool) -> list[Dependency]:
    """Return a line for each dependency.

    :param broker: whether a broker is set.
    """
    return [_files(), _broker(now, is_set=broker), *_spools(now), _counting(now)]


def _files() -> Dependency:
    """Return the line of the store of files, as this process finds it."""
    name = _("Files of messages")
    away = storage.away()
    if away is not None:
        fact = _("Not reached since %(since)s: %(words)s.", since=when(away.since), words=away.words)
        return Dependency("fail", name, fact)
    return Dependency("pass", name, _("In %(place)s.", place=storage.current().place))


def _broker(now: CurrentState, *, is_set: bool) -> Dependency:
    name = _("Broker")
    answers, away = broker_answers(now)
    if away:
        fact = ngettext(
            "Has not answered %(num)s process since %(since)s; it finds its work by looking.",
            "Has not answered %(num)s processes since %(since)s; they find their work by looking.",
            len(away),
            since=when(min(one.broker_since or one.seen_at for one in away)),
        )
        return Dependency("warn", name, fact)
    if answers:
        fact = ngettext(
            "Answers %(num)s process since %(since)s.",
            "Answers %(num)s processes since %(since)s.",
            len(answers),
            since=when(max(one.broker_since or one.started_at for one in answers)),
        )
        return Dependency("pass", name, fact)
    if is_set:
        return Dependency(
            "pass", name, _("Set, and no process has asked it: with SQLite one does everything.")
        )
    return Dependency(
        "pass", name, _("None is set: each process looks for work every %(n)s s.", n=number(SWEEP_SECONDS))
    )


def _spools(now: CurrentState) -> Iterator[Dependency]:
    for machine, one in spools(now):
        name = _("Requests that wait on %(machine)s", machine=machine)
        most = size(one.spool_most)
        share = one.spooled_bytes / one.spool_most if one.spool_most else None
        if one.spooled:
            fact = ngettext(
                "%(num)s request since %(since)s, %(size)s of %(most)s.",
                "%(num)s requests since %(since)s, %(size)s of %(most)s.",
                one.spooled,
                since=when(one.spooled_since or one.seen_at),
                size=size(one.spooled_bytes),
                most=most,
            )
            yield Dependency("fail", name, fact, share)
        elif one.spool_aside:
            fact = ngettext(
                "%(num)s request put aside, %(size)s of %(most)s.",
                "%(num)s requests put aside, %(size)s of %(most)s.",
                one.spool_aside,
                size=size(one.spooled_bytes),
                most=most,
            )
            yield Dependency("warn", name, fact, share)
        else:
            yield Dependency("pass", name, _("None; they may take %(most)s.", most=most), share)


def _counting(now: CurrentState) -> Dependency:
    name = _("Limits of providers")
    found = counting(now)
    if not found.senders:
        return Dependency("pass", name, _("No process sends."))
    away = limits_away(now)
    if away:
        fact = ngettext(
            "Has not answered %(num)s process since %(since)s; it takes its share of each limit.",
            "Has not answered %(num)s processes since %(since)s; each takes its share of a limit.",
            len(away),
            since=when(min(one.limits_away_since or one.seen_at for one in away)),
        )
        return Dependency("warn", name, fact)
    if found.apart:
        fact = _("Counted by each of %(num)s processes by itself.", num=found.senders)
        return Dependency("warn", name, fact)
    if found.places[0]:
        return Dependency("pass", name, _("Counted together at %(place)s.", place=found.places[0]))
    return Dependency("pass", name, _("Counted by the one process that sends."))


def when(at: datetime) -> str:
    """Return a point in time as the lines show it."""
    return str(format_datetime(at, "short"))
