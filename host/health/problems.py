"""Find problems an operator should look at, as sentences: what is wrong, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from flask_babel import format_datetime, ngettext
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host import recording
from host.core.config import Config
from host.health import dependencies
from host.health.current_state import MOST_DEAD, CurrentState
from host.models.channels import AccountState, ChannelAccount
from host.models.health import HealthMinute, Kind, Metric, Outcome, Process
from host.queue.wakeups import IN, OUT
from host.web.formats import size

LATE = timedelta(seconds=60)
"""Work that has been due for longer than this is stuck."""
LEAST_FREE = 1024**3
ALMOST_FULL = 0.8
"""Share of its limit at which a spool is almost full."""
NAMED = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at.

    :param tone: ``bad`` if something is lost or stuck, ``warn`` otherwise.
    :param link: endpoint and arguments of the page that helps, or None.
    """

    tone: str
    fact: str
    advice: str
    link: tuple[str, Mapping[str, str]] | None = None
    link_text: str = ""


def find_problems(
    session: Session, now: CurrentState, config: Config, failures: Mapping[str, str]
) -> list[Problem]:
    """Return the problems, the worst first.

    :param failures: addons that should run but do not, with a sentence each.
    """
    found = [
        *_spool(now),
        *_workers(now),
        *_queues(now),
        *_broker(now),
        *_limits(now),
        *_addons(failures),
        *_disk(config),
        *_accounts(session, now),
        *_dead(now),
        *_sends(session),
    ]
    return sorted(found, key=lambda one: one.tone != "bad")


def _spool(now: CurrentState) -> Iterator[Problem]:
    for machine, one in dependencies.spools(now):
        if one.spool_aside:
            fact = ngettext(
                "%(num)s request of a provider was put aside on %(machine)s.",
                "%(num)s requests of providers were put aside on %(machine)s.",
                one.spool_aside,
                machine=machine,
            )
            advice = _(
                "The database refused them, or their files are damaged. The log names each; what was refused "
                "is tried again at the next start."
            )
            yield Problem("warn", fact, advice)
        if not one.spooled:
            continue
        fact = ngettext(
            "%(num)s request of a provider waits on %(machine)s since %(since)s.",
            "%(num)s requests of providers wait on %(machine)s since %(since)s.",
            one.spooled,
            machine=machine,
            since=format_datetime(one.spooled_since or one.seen_at, "short"),
        )
        advice = _(
            "They are taken in by themselves once the database answers. If they stay, look into the log."
        )
        if one.spool_most and one.spooled_bytes >= ALMOST_FULL * one.spool_most:
            advice = _(
                "They take %(size)s of the %(most)s they may. Once that is full, webhooks are answered with "
                "503, and providers send them again only for a while: see that the database answers.",
                size=size(one.spooled_bytes),
                most=size(one.spool_most),
            )
        yield Problem("bad", fact, advice)


def _workers(now: CurrentState) -> Iterator[Problem]:
    delivering = [one for one in now.processes if one.workers]
    if not any(now.is_alive(one) for one in delivering):
        seen_at = max((one.seen_at for one in delivering), default=None)
        minutes = 0 if seen_at is None else int((now.at - seen_at).total_seconds()) // 60
        fact = (
            _("No process delivers.")
            if seen_at is None
            else ngettext(
                "No worker has been seen for %(num)s minute.",
                "No worker has been seen for %(num)s minutes.",
                minutes,
            )
        )
        yield Problem("bad", fact, _("Start `lobby worker`, or `lobby run` with LOBBY_WORKERS above 0."))
    for one in lost(now):
        at = format_datetime(one.seen_at, "short")
        fact = (
            _("A worker on %(machine)s has not been seen since %(at)s.", machine=one.machine, at=at)
            if one.kind == Kind.WORKER
            else _("A web process on %(machine)s has not been seen since %(at)s.", machine=one.machine, at=at)
        )
        advice = _("It did not say that it ends. Look whether it still runs, and start it again.")
        yield Problem("bad", fact, advice)


def lost(now: CurrentState) -> list[Process]:
    """Return the processes that died, unless one of the same kind was started on their machine since."""
    return [
        one
        for one in now.processes
        if not now.is_alive(one)
        and not any(
            other.kind == one.kind and other.machine == one.machine and other.started_at > one.seen_at
            for other in now.processes
        )
    ]


def _queues(now: CurrentState) -> Iterator[Problem]:
    facts = {
        IN: _("Received events have waited %(n)s s to be applied.", n=int(now.waited(IN).total_seconds())),
        OUT: _("Replies have waited %(n)s s to be sent.", n=int(now.waited(OUT).total_seconds())),
    }
    for direction, fact in facts.items():
        if now.waited(direction) > LATE:
            yield Problem(
                "bad",
                fact,
                _("Workers are away or have more to do than they can. The log says what is in the way."),
            )


def _broker(now: CurrentState) -> Iterator[Problem]:
    _answers, away = dependencies.broker_answers(now)
    if away:
        fact = _(
            "The broker has not answered %(names)s since %(since)s.",
            names=_listed(sorted(f"{one.machine}:{one.pid}" for one in away)),
            since=format_datetime(min(one.broker_since or one.seen_at for one in away), "short"),
        )
        advice = _(
            "Nothing is lost: work is found a second or two later. Start it, or mend LOBBY_BROKER_URL."
        )
        yield Problem("warn", fact, advice)


def _limits(now: CurrentState) -> Iterator[Problem]:
    counting = dependencies.counting(now)
    if not counting.apart:
        return
    fact = ngettext(
        "%(num)s process sends, and each counts the limits of providers by itself.",
        "%(num)s processes send, and each counts the limits of providers by itself.",
        counting.senders,
    )
    advice = _(
        "Together they may send that many times what a limit allows, until the provider refuses. Set "
        "LOBBY_LIMITS_URL to one redis:// address for all of them."
    )
    yield Problem("warn", fact, advice)


def _addons(failures: Mapping[str, str]) -> Iterator[Problem]:
    for slug, sentence in sorted(failures.items()):
        fact = _("The addon %(name)s does not run.", name=slug)
        yield Problem("bad", fact, sentence, ("addons.index", {}), _("Addons"))


def _disk(config: Config) -> Iterator[Problem]:
    free = shutil.disk_usage(config.data).free
    if free < LEAST_FREE:
        fact = _("Only %(n)s MB are free where Lobby keeps its files.", n=free // 1024**2)
        yield Problem(
            "bad", fact, _("Make room: files of messages, requests that wait and SQLite live there.")
        )


def _accounts(session: Session, now: CurrentState) -> Iterator[Problem]:
    stopped = ChannelAccount.state == AccountState.NEEDS_RECONNECT
    handles = _handles(session, stopped)
    if handles:
        fact = ngettext(
            "%(num)s account must be connected again: %(names)s.",
            "%(num)s accounts must be connected again: %(names)s.",
            now_of(now, AccountState.NEEDS_RECONNECT),
            names=_listed(handles),
        )
        yield Problem("warn", fact, _("Their replies wait. Owners find Reconnect under Settings, Channels."))
    held = sa.and_(ChannelAccount.blocked_until > now.at, ChannelAccount.state == AccountState.CONNECTED)
    handles = _handles(session, held)
    if handles:
        fact = _("The provider holds back replies of %(names)s.", names=_listed(handles))
        yield Problem("warn", fact, _("They go out by themselves once its limit allows it."))


def now_of(now: CurrentState, state: AccountState) -> int:
    """Return how many accounts are in *state*."""
    return sum(count for (_channel, one), count in now.accounts.items() if one is state)


def _handles(session: Session, which: sa.ColumnElement[bool]) -> Sequence[str]:
    query = sa.select(ChannelAccount.handle).where(which).order_by(ChannelAccount.handle).limit(NAMED + 1)
    return session.scalars(query).all()


def _listed(handles: Sequence[str]) -> str:
    return ", ".join([*handles[:NAMED], *(["…"] if len(handles) > NAMED else [])])


def _dead(now: CurrentState) -> Iterator[Problem]:
    if now.dead:
        fact = (
            _("More than %(n)s received events could not be read.", n=MOST_DEAD)
            if now.dead >= MOST_DEAD
            else ngettext(
                "%(num)s received event could not be read.",
                "%(num)s received events could not be read.",
                now.dead,
            )
        )
        advice = _("Each is kept with its reason. Mend the cause, then replay them.")
        yield Problem(
            "warn", fact, advice, ("delivery.journal", {"state": "dead"}), _("Events that could not be read")
        )


def _sends(session: Session) -> Iterator[Problem]:
    rows = HealthMinute.__table__.c
    query = (
        sa.select(rows.label, sa.func.sum(rows["count"]))
        .where(rows.minute > recording.this_minute() - 60, rows.metric == Metric.SENDS)
        .group_by(rows.label)
    )
    counts = {label: int(count) for label, count in session.execute(query)}
    failed = counts.get(Outcome.FAILED, 0)
    if failed:
        fact = ngettext(
            "%(num)s reply failed in the last hour.", "%(num)s replies failed in the last hour.", failed
        )
        yield Problem("warn", fact, _("Each says why in its conversation; agents can try it again there."))


def weakening(config: Config) -> list[tuple[str, str]]:
    """Return the settings that weaken this desk, and what each does."""
    found = []
    if not config.secure:
        found.append(
            (
                "LOBBY_PUBLIC_URL",
                _("It is not https: passwords and cookies travel unprotected, and no provider delivers."),
            )
        )
    if config.allow_hosts:
        hosts = ", ".join(config.allow_hosts)
        found.append(
            ("LOBBY_ALLOW_HOSTS", _("Lobby may reach these private addresses: %(hosts)s.", hosts=hosts))
        )
    if config.development:
        found.append(("LOBBY_DEVELOPMENT", _("An upload may replace an addon of the same version.")))
    if config.safe_mode:
        found.append(("LOBBY_SAFE_MODE", _("No addon runs.")))
    if config.signatures == "off":
        found.append(("LOBBY_SIGNATURES", _("Nobody looks who made an addon.")))
    return found
