"""Find problems for the operator, each with a sentence and a next step."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host import recording
from host.core import db, storage
from host.core.config import Config
from host.core.ports import AdapterDirectory
from host.delivery.held_lanes import Reason
from host.features import registry
from host.features.problem import Problem
from host.health import dependencies, slow_pages, versions
from host.health.current_state import MOST_DEAD, CurrentState, is_warned
from host.models.addons import Addon, AddonState
from host.models.channels import AccountState, ChannelAccount
from host.models.health import HealthMinute, Kind, Metric, Outcome
from host.models.queue import MissedMessage
from host.queue.wakeups import IN, OUT
from host.web.formats import duration, size
from host.web.languages import gettext as _
from host.web.languages import moment

LATE = timedelta(seconds=60)
"""Delay after which due work counts as stuck."""
STANDS_STILL = timedelta(minutes=5)
"""Time after which an event log consumer that is behind counts as stuck."""
CLOCKS_DIFFER = timedelta(seconds=5)
"""Difference from the database's clock above which a clock counts as wrong."""
LEAST_FREE = 1024**3
ALMOST_FULL = 0.8
"""Share of its limit at which a spool is almost full."""
NAMED = 3

_BUSY = _l("Workers have stopped or are overloaded. The log shows the cause.")
ADVICE: Mapping[str, LazyString] = {
    "LobbyDatabaseAway": _l("Start the database, or correct LOBBY_DATABASE_URL."),
    "LobbyNothingDelivers": _l("Start `lobby worker`, or `lobby run` with LOBBY_WORKERS above 0."),
    "LobbyProcessLost": _l(
        "It did not shut down properly. Check whether it is still running, and start it again."
    ),
    "LobbyEventsWait": _BUSY,
    "LobbyRepliesWait": _BUSY,
    "LobbyRequestsAside": _l(
        "The database rejected them, or their files are damaged. The log names each one; "
        "rejected requests are retried at the next start."
    ),
    "LobbySpoolWaits": _l(
        "They are processed automatically once the database responds. If they remain, check the log."
    ),
    "LobbySpoolAlmostFull": _l(
        "Once the space is full, webhooks are answered with 503, and providers retry them "
        "only for a while: make sure the database responds."
    ),
    "LobbyDiskAlmostFull": _l(
        "Free up disk space: message files, waiting requests and SQLite are stored there."
    ),
    "LobbyBrokerAway": _l(
        "Nothing is lost: work starts a second or two later. Start the broker, or correct LOBBY_BROKER_URL."
    ),
    "LobbyClockWrong": _l(
        "Synchronize the clocks of all machines, including the database's, with NTP or "
        "chrony. Leases use the database's clock, so nothing stops in the meantime."
    ),
    "LobbyRowsHeld": _l(
        "Only customers whose rows it has locked are waiting. End its transaction, or the "
        "connection with the statement that Health shows."
    ),
    "LobbyLimitsAway": _l(
        "Nothing is lost and no limit is exceeded: each process uses its share, so replies "
        "may wait longer. Start Redis, or correct LOBBY_LIMITS_URL."
    ),
    "LobbyAccountStopped": _l("Their replies wait. Owners can press Reconnect under Settings, Channels."),
    "LobbyAccountWarned": _l(
        "Each account under Settings, Channels shows what is wrong and what to do. Its owners were notified."
    ),
    "LobbyMessagesMissed": _l(
        "Nothing is lost: each message is in the inbox, in its place. Run Diagnose on the "
        "account to check whether deliveries are set up correctly."
    ),
    "LobbyRepliesUnconfirmed": _l("Lobby checks whether they arrived before it sends any of them again."),
    "LobbyFilesAway": _l(
        "Nothing is lost: pages work without them, and files from customers are fetched once "
        "the storage can be reached. Make sure it responds, or correct LOBBY_FILES."
    ),
    "LobbyRecordStandsStill": _l(
        "Nothing is lost: it continues from where it stopped, and retries every minute. "
        "Start a worker, or fix the problem in the log."
    ),
    "LobbyEventsUnread": _l("Each is kept with its reason. Fix the cause, then replay them."),
}
"""Advice for problems that also have an alert and a runbook section, with the same texts."""


def _alerting(tone: str, fact: str, alert: str, **more: Any) -> Problem:
    return Problem(tone, fact, str(ADVICE[alert]), alert=alert, **more)


def find_problems(
    session: Session,
    now: CurrentState,
    config: Config,
    failures: Mapping[str, str],
    directory: AdapterDirectory,
) -> list[Problem]:
    """Return the problems, the worst first.

    :param failures: addons that should run but do not, with a sentence each.
    :param directory: the channels of active addons.
    """
    channels = {channel for channel, _state in now.accounts if directory.adapter(channel) is not None}
    found = [
        *_spool(now),
        *_workers(now),
        *_versions(now),
        *_queues(now),
        *_blocking(now),
        *_clocks(now),
        *_broker(now),
        *_files(),
        *_limits(now),
        *_record(now),
        *_addons(session, failures),
        *_disk(config),
        *_accounts(session, now, channels),
        *_unfinished(now),
        *_dead(now),
        *_sends(session),
        *_slow_pages(session),
        *chain.from_iterable(registry.hooks().problems(session=session)),
    ]
    return sorted(found, key=lambda one: one.tone != "bad")


def _spool(now: CurrentState) -> Iterator[Problem]:
    for machine, one in dependencies.spools(now):
        if one.spool_aside:
            fact = ngettext(
                "%(num)s provider request was set aside on %(machine)s.",
                "%(num)s provider requests were set aside on %(machine)s.",
                one.spool_aside,
                machine=machine,
            )
            yield _alerting("warn", fact, "LobbyRequestsAside")
        if not one.spooled:
            continue
        fact = ngettext(
            "%(num)s provider request has been waiting on %(machine)s since %(since)s.",
            "%(num)s provider requests have been waiting on %(machine)s since %(since)s.",
            one.spooled,
            machine=machine,
            since=moment(one.spooled_since or one.seen_at),
        )
        if one.spool_most and one.spooled_bytes >= ALMOST_FULL * one.spool_most:
            taken = _(
                "They use %(size)s of the available %(most)s.",
                size=size(one.spooled_bytes),
                most=size(one.spool_most),
            )
            yield _alerting("bad", f"{fact} {taken}", "LobbySpoolAlmostFull")
        else:
            yield _alerting("bad", fact, "LobbySpoolWaits")


def _workers(now: CurrentState) -> Iterator[Problem]:
    if not now.delivering:
        seen_at = now.worker_seen_at
        seconds = 0 if seen_at is None else int((now.at - seen_at).total_seconds())
        if seen_at is None:
            fact = _("No process is delivering.")
        else:
            fact = _("No worker has reported for %(time)s.", time=duration(seconds))
        yield _alerting("bad", fact, "LobbyNothingDelivers")
    for one in now.lost:
        at = moment(one.seen_at)
        fact = (
            _("A worker on %(machine)s has not reported since %(at)s.", machine=one.machine, at=at)
            if one.kind == Kind.WORKER
            else _("A web process on %(machine)s has not reported since %(at)s.", machine=one.machine, at=at)
        )
        yield _alerting("bad", fact, "LobbyProcessLost")


def _record(now: CurrentState) -> Iterator[Problem]:
    for one in now.behind:
        if now.at - one.since < STANDS_STILL:
            continue
        if one.kept_until is not None:
            fact = _(
                "This version does not have “%(consumer)s”, which another version had.", consumer=one.consumer
            )
            advice = _(
                "Events are kept for it until %(time)s. If you downgraded temporarily, upgrade again "
                "before then.",
                time=moment(one.kept_until),
            )
            yield Problem("warn", fact, advice)
            continue
        fact = _(
            "“%(consumer)s” has not received any events since %(since)s.",
            consumer=one.consumer,
            since=moment(one.since),
        )
        yield _alerting("bad", fact, "LobbyRecordStandsStill")


def _versions(now: CurrentState) -> Iterator[Problem]:
    found = versions.by_version(now)
    if len(found) < 2:
        return
    newest, *older = found
    names = [f"{one.machine}:{one.pid}" for version in older for one in found[version]]
    fact = _(
        "Processes are running different versions of Lobby: %(newest)s, and %(older)s on %(names)s.",
        newest=newest,
        older=_listed(older),
        names=_listed(names),
    )
    advice = _("This is expected during an upgrade. Afterwards, restart the processes on the older version.")
    yield Problem("warn", fact, advice)


def _queues(now: CurrentState) -> Iterator[Problem]:
    events, replies = (int(now.waited(direction).total_seconds()) for direction in (IN, OUT))
    if now.waited(IN) > LATE:
        fact = _("Received events have been waiting for %(time)s.", time=duration(events))
        yield _alerting("bad", fact, "LobbyEventsWait")
    if now.waited(OUT) > LATE:
        fact = _("Replies have been waiting for %(time)s.", time=duration(replies))
        yield _alerting("bad", fact, "LobbyRepliesWait")


def _blocking(now: CurrentState) -> Iterator[Problem]:
    for one in now.blockers:
        details = [
            _("in %(tables)s", tables=one.holds) if one.holds else "",
            _("last statement %(words)s …", words=one.statement) if one.statement else "",
            _("its statements are readable to its own role only") if one.is_hidden else "",
            ngettext("%(num)s connection waits", "%(num)s connections wait", one.waiting)
            if one.waiting
            else "",
        ]
        fact = _(
            "Connection %(number)s of %(program)s has locked database rows for %(time)s",
            number=one.number,
            program=f"{one.program} ({one.client})" if one.client else one.program,
            time=duration(one.seconds),
        )
        ends = (
            f"SELECT pg_terminate_backend({one.number});"
            if db.current().dialect == "postgresql"
            else f"KILL {one.number};"
        )
        ends = _("To end it: %(statement)s", statement=ends)
        fact = f"{', '.join([fact, *(detail for detail in details if detail)])}. {ends}"
        yield _alerting("bad", fact, "LobbyRowsHeld")


def _clocks(now: CurrentState) -> Iterator[Problem]:
    for one, ahead in now.clocks:
        if abs(ahead) <= CLOCKS_DIFFER:
            continue
        name, time = f"{one.machine}:{one.pid}", duration(abs(ahead).total_seconds())
        fact = (
            _("The clock of %(name)s is %(time)s ahead of the database's.", name=name, time=time)
            if ahead > timedelta()
            else _("The clock of %(name)s is %(time)s behind the database's.", name=name, time=time)
        )
        yield _alerting("warn", fact, "LobbyClockWrong")


def _broker(now: CurrentState) -> Iterator[Problem]:
    _answers, away = dependencies.broker_answers(now)
    if away:
        fact = _(
            "The broker has been unreachable from %(names)s since %(since)s.",
            names=_listed(sorted(f"{one.machine}:{one.pid}" for one in away)),
            since=moment(min(one.broker_since or one.seen_at for one in away)),
        )
        yield _alerting("warn", fact, "LobbyBrokerAway")


def _files() -> Iterator[Problem]:
    """Yield problems with the file store, as seen by this process."""
    away = storage.away()
    if away is not None:
        fact = _(
            "Message files have been unreachable since %(since)s: %(words)s.",
            since=moment(away.since),
            words=away.words,
        )
        yield _alerting("bad", fact, "LobbyFilesAway")


def _limits(now: CurrentState) -> Iterator[Problem]:
    away = dependencies.limits_away(now)
    if away:
        fact = _(
            "The Redis server that counts provider limits has been unreachable from %(names)s "
            "since %(since)s.",
            names=_listed(sorted(f"{one.machine}:{one.pid}" for one in away)),
            since=moment(min(one.limits_away_since or one.seen_at for one in away)),
        )
        yield _alerting("warn", fact, "LobbyLimitsAway")
    counting = dependencies.counting(now)
    if not counting.apart:
        return
    fact = ngettext(
        "%(num)s process sends and counts provider limits separately.",
        "%(num)s processes send, and each counts provider limits separately.",
        counting.senders,
    )
    advice = _(
        "Together they may exceed a limit by that factor, until the provider rejects "
        "messages. Set LOBBY_LIMITS_URL to the same redis:// URL for all of them."
    )
    yield Problem("warn", fact, advice)


def _addons(session: Session, failures: Mapping[str, str]) -> Iterator[Problem]:
    set_aside = sa.select(Addon.slug, Addon.error).where(Addon.state == AddonState.QUARANTINED, Addon.wanted)
    found = {slug: _((error or {}).get("sentence", "")) for slug, error in session.execute(set_aside)}
    for slug, sentence in sorted({**found, **failures}.items()):
        fact = _("The addon %(name)s is not running.", name=slug)
        yield Problem("bad", fact, sentence, ("addons.index", {}), _("Addons"), "LobbyAddonStopped")


def _disk(config: Config) -> Iterator[Problem]:
    free = shutil.disk_usage(config.data).free
    if free < LEAST_FREE:
        fact = _("Only %(n)s MB are free where Lobby stores its files.", n=free // 1024**2)
        yield _alerting("bad", fact, "LobbyDiskAlmostFull")


def _accounts(session: Session, now: CurrentState, channels: Collection[str]) -> Iterator[Problem]:
    running = ChannelAccount.channel.in_(channels)
    off = sum(
        count
        for (channel, state), count in now.accounts.items()
        if channel not in channels and state is not AccountState.DISCONNECTED
    )
    if off:
        without = sa.and_(~running, ChannelAccount.state != AccountState.DISCONNECTED)
        fact = ngettext(
            "%(num)s account is inactive because its addon is not active: %(names)s.",
            "%(num)s accounts are inactive because their addons are not active: %(names)s.",
            off,
            names=_listed(_handles(session, without)),
        )
        advice = _("Install or activate the addon again. Until then, nothing is received or sent.")
        yield Problem("warn", fact, advice, ("addons.index", {}), _("Addons"))
    # Other problems need the addon: reconnecting, Diagnose.
    stopped = sum(
        count
        for (channel, state), count in now.accounts.items()
        if channel in channels and state is AccountState.NEEDS_RECONNECT
    )
    if stopped:
        fact = ngettext(
            "%(num)s account must be reconnected: %(names)s.",
            "%(num)s accounts must be reconnected: %(names)s.",
            stopped,
            names=_listed(_handles(session, ChannelAccount.state == AccountState.NEEDS_RECONNECT, running)),
        )
        number = now.held.get(Reason.RECONNECT, 0)
        waiting = (
            ngettext("%(num)s conversation waits.", "%(num)s conversations wait.", number) if number else ""
        )
        alert = "LobbyAccountStopped"
        link = _channels(session, ChannelAccount.state == AccountState.NEEDS_RECONNECT, running)
        advice = f"{waiting} {ADVICE[alert]}".lstrip()
        yield Problem("warn", fact, advice, link, _("Channels"), alert=alert)
    warned = sum(count for channel, count in now.warned.items() if channel in channels)
    if warned:
        fact = ngettext(
            "%(num)s account has a problem: %(names)s.",
            "%(num)s accounts have a problem: %(names)s.",
            warned,
            names=_listed(_handles(session, is_warned(), running)),
        )
        link = _channels(session, is_warned(), running)
        yield _alerting("warn", fact, "LobbyAccountWarned", link=link, link_text=_("Channels"))
    yield from _missed(session, now, running)
    held = sa.and_(ChannelAccount.blocked_until > now.at, ChannelAccount.state == AccountState.CONNECTED)
    handles = _handles(session, held, running)
    if handles:
        fact = _("Replies from %(names)s have reached a provider limit.", names=_listed(handles))
        yield Problem("warn", fact, _("They are sent automatically once the limit allows it."))


def _missed(session: Session, now: CurrentState, running: sa.ColumnElement[bool]) -> Iterator[Problem]:
    # No action is possible for a disconnected account.
    connected = sa.select(ChannelAccount.id).where(ChannelAccount.state != AccountState.DISCONNECTED, running)
    lately = sa.and_(
        MissedMessage.found_at >= now.at - timedelta(days=1), MissedMessage.account_id.in_(connected)
    )
    count = session.scalar(sa.select(sa.func.count()).select_from(MissedMessage).where(lately))
    if not count:
        return
    handles = _handles(session, ChannelAccount.id.in_(sa.select(MissedMessage.account_id).where(lately)))
    fact = ngettext(
        "Lobby recovered %(num)s message that was not delivered in the last day: %(names)s.",
        "Lobby recovered %(num)s messages that were not delivered in the last day: %(names)s.",
        count,
        names=_listed(handles),
    )
    link = _channels(session, ChannelAccount.id.in_(sa.select(MissedMessage.account_id).where(lately)))
    yield _alerting("warn", fact, "LobbyMessagesMissed", link=link, link_text=_("Channels"))


def now_of(now: CurrentState, state: AccountState) -> int:
    """Return the number of accounts in *state*."""
    return sum(count for (_channel, one), count in now.accounts.items() if one is state)


def _handles(session: Session, *which: sa.ColumnElement[bool]) -> Sequence[str]:
    query = (
        sa.select(ChannelAccount.handle)
        .where(*which)
        .distinct()
        .order_by(ChannelAccount.handle)
        .limit(NAMED + 1)
    )
    return session.scalars(query).all()


def _channels(session: Session, *which: sa.ColumnElement[bool]) -> tuple[str, Mapping[str, str]] | None:
    """Return the page of the first of these accounts."""
    query = sa.select(ChannelAccount.workspace_id, ChannelAccount.id).where(*which)
    first = session.execute(query.order_by(ChannelAccount.handle, ChannelAccount.id).limit(1)).first()
    if first is None:
        return None
    return "channels.index", {"workspace_id": str(first[0]), "_anchor": f"account-{first[1]}"}


def _listed(handles: Sequence[str]) -> str:
    return ", ".join([*handles[:NAMED], *(["…"] if len(handles) > NAMED else [])])


def _unfinished(now: CurrentState) -> Iterator[Problem]:
    found = now.unfinished
    behind = (
        ngettext("%(num)s later reply is waiting.", "%(num)s later replies are waiting.", found.behind)
        if found.behind
        else ""
    )
    if found.unconfirmed:
        seconds = 0 if found.since is None else max(0, int((now.at - found.since).total_seconds()))
        fact = ngettext(
            "%(num)s reply has not been confirmed by its provider for %(time)s.",
            "%(num)s replies have not been confirmed by their providers, the first for %(time)s.",
            found.unconfirmed,
            time=duration(seconds),
        )
        alert = "LobbyRepliesUnconfirmed"
        yield Problem("warn", fact, f"{ADVICE[alert]} {behind}".rstrip(), alert=alert)
    if found.refused:
        fact = ngettext(
            "%(num)s reply could not be sent yet and will be retried.",
            "%(num)s replies could not be sent yet and will be retried.",
            found.refused,
        )
        advice = _("Each conversation shows the reason.")
        yield Problem("warn", fact, advice if found.unconfirmed else f"{advice} {behind}".rstrip())


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
        link = ("delivery.journal", {"state": "dead"})
        yield _alerting(
            "warn", fact, "LobbyEventsUnread", link=link, link_text=_("Events that could not be read")
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
        yield Problem("warn", fact, _("Each conversation shows the reason; agents can retry there."))


def _slow_pages(session: Session) -> Iterator[Problem]:
    found = slow_pages.find_slow_pages(session, timedelta(hours=1))
    if found:
        fact = ngettext(
            "%(num)s page took longer than %(most)s seconds in the last hour: %(names)s.",
            "%(num)s pages took longer than %(most)s seconds in the last hour: %(names)s.",
            len(found),
            most=int(recording.SLOW_SECONDS),
            names=_listed([f"{one.name} ({duration(one.seconds)})" for one in found]),
        )
        advice = _(
            "Nothing is lost, but people waited. The log names each request and its time. If it is always "
            "the same page, report it; otherwise check the load of the database and of this machine."
        )
        yield Problem("warn", fact, advice)


def weakening(config: Config) -> list[tuple[str, str]]:
    """Return the settings that weaken this desk, and the effect of each."""
    found = []
    if not config.secure:
        found.append(
            (
                "LOBBY_PUBLIC_URL",
                _(
                    "The URL is not https: passwords and cookies are sent unencrypted, and no provider "
                    "delivers messages."
                ),
            )
        )
    if config.allow_hosts:
        hosts = ", ".join(config.allow_hosts)
        found.append(
            ("LOBBY_ALLOW_HOSTS", _("Lobby can reach these private addresses: %(hosts)s.", hosts=hosts))
        )
    if config.development:
        found.append(("LOBBY_DEVELOPMENT", _("An upload can replace an addon of the same version.")))
    if config.safe_mode:
        found.append(("LOBBY_SAFE_MODE", _("No addons are running.")))
    if config.signatures == "off":
        found.append(("LOBBY_SIGNATURES", _("Addon signatures are not checked.")))
    return found
