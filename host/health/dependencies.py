"""Check what the desk needs besides its database: broker, spool of each machine, storage of limit counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from flask_babel import ngettext

from host.core import storage
from host.health.current_state import CurrentState
from host.models.health import BrokerState, Process
from host.queue.policy import SWEEP_SECONDS
from host.web.formats import number, size
from host.web.languages import gettext as _
from host.web.languages import moment


class Dependency(msgspec.Struct, frozen=True):
    """A dependency of the desk, as a line of the page.

    :param tone: ``pass``, ``warn`` or ``fail``.
    :param share: how full it is, 0 to 1, if known.
    """

    tone: str
    name: str
    fact: str
    share: float | None = None


class Counting(msgspec.Struct, frozen=True):
    """The places where live sending processes count their calls.

    :param places: distinct values of :func:`host.queue.limit_counters.place`.
    """

    senders: int
    places: tuple[str, ...]

    @property
    def apart(self) -> bool:
        """Return whether two processes count the same limit separately."""
        return self.senders > 1 and (len(self.places) > 1 or not self.places[0])


def spools(now: CurrentState) -> list[tuple[str, Process]]:
    """Return the fullest spool of each machine's live processes: each process may have its own folder.

    For a machine without a live process, return the last report.
    """
    machines: dict[str, list[Process]] = {}
    for one in now.processes:
        machines.setdefault(one.machine, []).append(one)

    def fullest(one: Process) -> tuple[object, ...]:
        alive = now.is_alive(one)
        return alive, (one.spooled, one.spooled_bytes) if alive else (0, 0), one.seen_at

    return [(machine, max(machines[machine], key=fullest)) for machine in sorted(machines)]


def counting(now: CurrentState) -> Counting:
    """Return the places where calls to providers are counted now."""
    sending = [one for one in now.alive if one.senders]
    return Counting(len(sending), tuple(sorted({one.counts_at for one in sending})))


def broker_answers(now: CurrentState) -> tuple[list[Process], list[Process]]:
    """Return the live processes that reach the broker, and those that do not; others use no broker."""
    return (
        [one for one in now.alive if one.broker == BrokerState.ANSWERS],
        [one for one in now.alive if one.broker == BrokerState.AWAY],
    )


def limits_away(now: CurrentState) -> list[Process]:
    """Return the live processes that do not reach the storage of limit counts."""
    return [one for one in now.alive if one.limits_away_since is not None]


def check_dependencies(now: CurrentState, *, broker: bool) -> list[Dependency]:
    """Return a line for each dependency.

    :param broker: whether a broker is configured.
    """
    return [_files(), _broker(now, is_set=broker), *_spools(now), _counting(now)]


def _files() -> Dependency:
    """Return the line for the file store, as seen by this process."""
    name = _("Message files")
    away = storage.away()
    if away is not None:
        fact = _("Unreachable since %(since)s: %(words)s.", since=when(away.since), words=away.words)
        return Dependency("fail", name, fact)
    return Dependency("pass", name, _("Stored in %(place)s.", place=storage.current().place))


def _broker(now: CurrentState, *, is_set: bool) -> Dependency:
    name = _("Broker, which wakes other processes")
    answers, away = broker_answers(now)
    if away:
        fact = ngettext(
            "Unreachable from %(num)s process since %(since)s; it polls for work instead.",
            "Unreachable from %(num)s processes since %(since)s; they poll for work instead.",
            len(away),
            since=when(min(one.broker_since or one.seen_at for one in away)),
        )
        return Dependency("warn", name, fact)
    if answers:
        fact = ngettext(
            "Connected to %(num)s process since %(since)s.",
            "Connected to %(num)s processes since %(since)s.",
            len(answers),
            since=when(max(one.broker_since or one.started_at for one in answers)),
        )
        return Dependency("pass", name, fact)
    if is_set:
        return Dependency(
            "pass", name, _("Configured but not used: with SQLite, one process does everything.")
        )
    return Dependency(
        "pass", name, _("Not configured: each process polls for work every %(n)s s.", n=number(SWEEP_SECONDS))
    )


def _spools(now: CurrentState) -> Iterator[Dependency]:
    for machine, one in spools(now):
        name = _("Provider requests waiting for the database on %(machine)s", machine=machine)
        most = size(one.spool_most)
        share = one.spooled_bytes / one.spool_most if one.spool_most else None
        if one.spooled:
            fact = ngettext(
                "%(num)s request since %(since)s, using %(size)s of %(most)s.",
                "%(num)s requests since %(since)s, using %(size)s of %(most)s.",
                one.spooled,
                since=when(one.spooled_since or one.seen_at),
                size=size(one.spooled_bytes),
                most=most,
            )
            yield Dependency("fail", name, fact, share)
        elif one.spool_aside:
            fact = ngettext(
                "%(num)s request set aside, using %(size)s of %(most)s.",
                "%(num)s requests set aside, using %(size)s of %(most)s.",
                one.spool_aside,
                size=size(one.spooled_bytes),
                most=most,
            )
            yield Dependency("warn", name, fact, share)
        else:
            yield Dependency("pass", name, _("None; up to %(most)s can be used.", most=most), share)


def _counting(now: CurrentState) -> Dependency:
    name = _("Provider limits")
    found = counting(now)
    if not found.senders:
        return Dependency("pass", name, _("No process is sending."))
    away = limits_away(now)
    if away:
        fact = ngettext(
            "Unreachable from %(num)s process since %(since)s; it uses its share of each limit.",
            "Unreachable from %(num)s processes since %(since)s; each uses its share of each limit.",
            len(away),
            since=when(min(one.limits_away_since or one.seen_at for one in away)),
        )
        return Dependency("warn", name, fact)
    if found.apart:
        fact = _("Counted separately by each of %(num)s processes.", num=found.senders)
        return Dependency("warn", name, fact)
    if found.places[0]:
        return Dependency("pass", name, _("Counted together at %(place)s.", place=found.places[0]))
    return Dependency("pass", name, _("Counted by the only process that sends."))


def when(at: datetime) -> str:
    """Return a time in the format of these lines."""
    return moment(at)
