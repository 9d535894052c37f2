"""Find problems an operator should look at, as sentences: what is wrong, and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask_babel import format_datetime, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host import installing, recording
from host.automation.assistants.language import asking
from host.core import storage
from host.core.config import Config
from host.core.ports import AdapterDirectory
from host.health import dependencies, versions
from host.health.current_state import MOST_DEAD, CurrentState, is_warned
from host.models.addons import Addon, AddonState
from host.models.assistants import LanguageModel
from host.models.channels import AccountState, ChannelAccount
from host.models.health import HealthMinute, Kind, Metric, Outcome
from host.models.queue import MissedMessage
from host.queue.wakeups import IN, OUT
from host.web.formats import size

LATE = timedelta(seconds=60)
"""Work that has been due for longer than this is stuck."""
STANDS_STILL = timedelta(minutes=5)
"""A consumer of the record that has had something to do for longer than this is stuck."""
CLOCKS_DIFFER = timedelta(seconds=5)
"""A clock that differs from the database's by more than this is wrong."""
LEAST_FREE = 1024**3
ALMOST_FULL = 0.8
"""Share of its limit at which a spool is almost full."""
NAMED = 3

_BUSY = _l("Workers are away or have more to do than they can. The log says what is in the way.")
ADVICE: Mapping[str, LazyString] = {
    "LobbyDatabaseAway": _l("Start the database, or mend LOBBY_DATABASE_URL."),
    "LobbyNothingDelivers": _l("Start `lobby worker`, or `lobby run` with LOBBY_WORKERS above 0."),
    "LobbyProcessLost": _l("It did not say that it ends. Look whether it still runs, and start it again."),
    "LobbyEventsWait": _BUSY,
    "LobbyRepliesWait": _BUSY,
    "LobbyRequestsAside": _l(
        "The database refused them, or their files are damaged. The log names each; what was refused "
        "is tried again at the next start."
    ),
    "LobbySpoolWaits": _l(
        "They are taken in by themselves once the database answers. If they stay, look into the log."
    ),
    "LobbySpoolAlmostFull": _l(
        "Once that is full, webhooks are answered with 503, and providers send them again only for a while: "
        "see that the database answers."
    ),
    "LobbyDiskAlmostFull": _l("Make room: files of messages, requests that wait and SQLite live there."),
    "LobbyBrokerAway": _l(
        "Nothing is lost: work is found a second or two later. Start the broker, or mend LOBBY_BROKER_URL."
    ),
    "LobbyClockWrong": _l(
        "Set the clocks of all machines, the database's too, by NTP or chrony. Leases go by the database's "
        "clock, so nothing stops meanwhile."
    ),
    "LobbyRowsHeld": _l(
        "Only the customers whose rows it holds wait. End its transaction, or the connection: "
        "SELECT pg_terminate_backend(number) on PostgreSQL, KILL number on MariaDB."
    ),
    "LobbyLimitsAway": _l(
        "Nothing is lost, and no limit is exceeded: each process takes its share, so replies may wait "
        "longer. Start Redis, or correct LOBBY_LIMITS_URL."
    ),
    "LobbyAccountStopped": _l("Their replies wait. Owners find Reconnect under Settings, Channels."),
    "LobbyAccountWarned": _l(
        "The row of each under Settings, Channels says what is wrong and what to do. Its owners were told."
    ),
    "LobbyMessagesMissed": _l(
        "Nothing is lost: each is in the inbox, in its place. Run Diagnose on the account: it says whether "
        "deliveries are set up right."
    ),
    "LobbyEndpointsLate": _l(
        "Nothing is lost. See that a worker runs, and look into the log for lobby.outgoing."
    ),
    "LobbyRepliesUnconfirmed": _l("The desk looks whether they arrived before it sends any of them again."),
    "LobbyFilesAway": _l(
        "Nothing is lost: pages do without them, and what customers send is fetched once they can be "
        "reached. See that the place answers, or mend LOBBY_FILES."
    ),
    "LobbyRecordStandsStill": _l(
        "Nothing is lost: it goes on from where it stands, and tries again every minute. Start a worker, or "
        "mend what the log names."
    ),
    "LobbyEventsUnread": _l("Each is kept with its reason. Mend the cause, then replay them."),
}
"""What to do about what also has an alert and a part of the runbook, which says it in these words."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at.

    :param tone: ``bad`` if something is lost or stuck, ``warn`` otherwise.
    :param link: endpoint and arguments of the page that helps, or None.
    :param alert: the alert that fires when it lasts; its part of the runbook says more. Empty: there is none.
    """

    tone: str
    fact: str
    advice: str
    link: tuple[str, Mapping[str, str]] | None = None
    link_text: str = ""
    alert: str = ""


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
    :param directory: the channels that addons bring now.
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
        *_endpoints(now),
        *_addons(session, failures),
        *_disk(config),
        *_accounts(session, now, channels),
        *_unfinished(now),
        *_dead(now),
        *_sends(session),
        *_tools(session),
        *_models(session),
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
            yield _alerting("warn", fact, "LobbyRequestsAside")
        if not one.spooled:
            continue
        fact = ngettext(
            "%(num)s request of a provider waits on %(machine)s since %(since)s.",
            "%(num)s requests of providers wait on %(machine)s since %(since)s.",
            one.spooled,
            machine=machine,
            since=format_datetime(one.spooled_since or one.seen_at, "short"),
        )
        if one.spool_most and one.spooled_bytes >= ALMOST_FULL * one.spool_most:
            taken = _(
                "They take %(size)s of the %(most)s they may.",
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
            fact = _("No process delivers.")
        elif seconds < 120:
            fact = _("No worker has been seen for %(num)s seconds.", num=seconds)
        else:
            fact = ngettext(
                "No worker has been seen for %(num)s minute.",
                "No worker has been seen for %(num)s minutes.",
                seconds // 60,
            )
        yield _alerting("bad", fact, "LobbyNothingDelivers")
    for one in now.lost:
        at = format_datetime(one.seen_at, "short")
        fact = (
            _("A worker on %(machine)s has not been seen since %(at)s.", machine=one.machine, at=at)
            if one.kind == Kind.WORKER
            else _("A web process on %(machine)s has not been seen since %(at)s.", machine=one.machine, at=at)
        )
        yield _alerting("bad", fact, "LobbyProcessLost")


def _endpoints(now: CurrentState) -> Iterator[Problem]:
    if now.told_late is not None and now.at - now.told_late > LATE:
        fact = _(
            "Other programs are told late: the oldest event waits since %(since)s.",
            since=format_datetime(now.told_late, "short"),
        )
        yield _alerting("bad", fact, "LobbyEndpointsLate")
    off = now.endpoints.get("off", 0)
    if off:
        fact = ngettext(
            "%(num)s endpoint of another program is switched off.",
            "%(num)s endpoints of other programs are switched off.",
            off,
        )
        advice = _(
            "The owners of its workspace were told why, and can resume it under Settings, Integrations."
        )
        yield Problem("warn", fact, advice)


def _record(now: CurrentState) -> Iterator[Problem]:
    for one in now.behind:
        if now.at - one.since < STANDS_STILL:
            continue
        if one.kept_until is not None:
            fact = _(
                "This release does not have “%(consumer)s”, which another one had.", consumer=one.consumer
            )
            advice = _(
                "Events are kept for it until %(time)s. If you went back to an older release for a while, "
                "go on to the newer one before that.",
                time=format_datetime(one.kept_until, "short"),
            )
            yield Problem("warn", fact, advice)
            continue
        fact = _(
            "“%(consumer)s” has not been told of what happened since %(since)s.",
            consumer=one.consumer,
            since=format_datetime(one.since, "short"),
        )
        yield _alerting("bad", fact, "LobbyRecordStandsStill")


def _versions(now: CurrentState) -> Iterator[Problem]:
    found = versions.by_version(now)
    if len(found) < 2:
        return
    newest, *older = found
    names = [f"{one.machine}:{one.pid}" for version in older for one in found[version]]
    fact = _(
        "Processes run different versions of Lobby: %(newest)s, and %(older)s on %(names)s.",
        newest=newest,
        older=_listed(older),
        names=_listed(names),
    )
    advice = _("That is fine during an upgrade. Once it is over, start what still runs the older one anew.")
    yield Problem("warn", fact, advice)


def _queues(now: CurrentState) -> Iterator[Problem]:
    events, replies = (int(now.waited(direction).total_seconds()) for direction in (IN, OUT))
    if now.waited(IN) > LATE:
        fact = _("Received events have waited %(n)s s to be applied.", n=events)
        yield _alerting("bad", fact, "LobbyEventsWait")
    if now.waited(OUT) > LATE:
        yield _alerting("bad", _("Replies have waited %(n)s s to be sent.", n=replies), "LobbyRepliesWait")


def _blocking(now: CurrentState) -> Iterator[Problem]:
    for one in now.blockers:
        details = [
            _("in %(tables)s", tables=one.holds) if one.holds else "",
            _("last statement %(words)s …", words=one.statement) if one.statement else "",
            ngettext("%(num)s connection waits", "%(num)s connections wait", one.waiting)
            if one.waiting
            else "",
        ]
        fact = _(
            "Connection %(number)s of %(program)s has held rows of the database for %(seconds)s s",
            number=one.number,
            program=f"{one.program} ({one.client})" if one.client else one.program,
            seconds=round(one.seconds),
        )
        fact = f"{', '.join([fact, *(detail for detail in details if detail)])}."
        yield _alerting("bad", fact, "LobbyRowsHeld")


def _clocks(now: CurrentState) -> Iterator[Problem]:
    for one, ahead in now.clocks:
        if abs(ahead) <= CLOCKS_DIFFER:
            continue
        name, seconds = f"{one.machine}:{one.pid}", round(abs(ahead).total_seconds())
        fact = (
            _("The clock of %(name)s is %(num)s s ahead of the database's.", name=name, num=seconds)
            if ahead > timedelta()
            else _("The clock of %(name)s is %(num)s s behind the database's.", name=name, num=seconds)
        )
        yield _alerting("warn", fact, "LobbyClockWrong")


def _broker(now: CurrentState) -> Iterator[Problem]:
    _answers, away = dependencies.broker_answers(now)
    if away:
        fact = _(
            "The broker has not answered %(names)s since %(since)s.",
            names=_listed(sorted(f"{one.machine}:{one.pid}" for one in away)),
            since=format_datetime(min(one.broker_since or one.seen_at for one in away), "short"),
        )
        yield _alerting("warn", fact, "LobbyBrokerAway")


def _files() -> Iterator[Problem]:
    """The store of files, as this process finds it."""
    away = storage.away()
    if away is not None:
        fact = _(
            "Files of messages have not been reached since %(since)s: %(words)s.",
            since=format_datetime(away.since, "short"),
            words=away.words,
        )
        yield _alerting("bad", fact, "LobbyFilesAway")


def _limits(now: CurrentState) -> Iterator[Problem]:
    away = dependencies.limits_away(now)
    if away:
        fact = _(
            "The Redis where limits of providers are counted has not answered %(names)s since %(since)s.",
            names=_listed(sorted(f"{one.machine}:{one.pid}" for one in away)),
            since=format_datetime(min(one.limits_away_since or one.seen_at for one in away), "short"),
        )
        yield _alerting("warn", fact, "LobbyLimitsAway")
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


def _addons(session: Session, failures: Mapping[str, str]) -> Iterator[Problem]:
    set_aside = sa.select(Addon.slug, Addon.error).where(Addon.state == AddonState.QUARANTINED, Addon.wanted)
    found = {slug: _((error or {}).get("sentence", "")) for slug, error in session.execute(set_aside)}
    for slug, sentence in sorted({**found, **failures}.items()):
        fact = _("The addon %(name)s does not run.", name=slug)
        yield Problem("bad", fact, sentence, ("addons.index", {}), _("Addons"), "LobbyAddonStopped")


def _disk(config: Config) -> Iterator[Problem]:
    free = shutil.disk_usage(config.data).free
    if free < LEAST_FREE:
        fact = _("Only %(n)s MB are free where Lobby keeps its files.", n=free // 1024**2)
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
            "%(num)s account does nothing, because its addon is not active: %(names)s.",
            "%(num)s accounts do nothing, because their addons are not active: %(names)s.",
            off,
            names=_listed(_handles(session, without)),
        )
        advice = _("Install or activate the addon again. Until then, nothing is received or sent.")
        yield Problem("warn", fact, advice, ("addons.index", {}), _("Addons"))
    # What the others are told takes their addon: reconnecting, Diagnose.
    stopped = sum(
        count
        for (channel, state), count in now.accounts.items()
        if channel in channels and state is AccountState.NEEDS_RECONNECT
    )
    if stopped:
        fact = ngettext(
            "%(num)s account must be connected again: %(names)s.",
            "%(num)s accounts must be connected again: %(names)s.",
            stopped,
            names=_listed(_handles(session, ChannelAccount.state == AccountState.NEEDS_RECONNECT, running)),
        )
        yield _alerting("warn", fact, "LobbyAccountStopped")
    warned = sum(count for channel, count in now.warned.items() if channel in channels)
    if warned:
        fact = ngettext(
            "Something is wrong with %(num)s account: %(names)s.",
            "Something is wrong with %(num)s accounts: %(names)s.",
            warned,
            names=_listed(_handles(session, is_warned(), running)),
        )
        yield _alerting("warn", fact, "LobbyAccountWarned")
    yield from _missed(session, now, running)
    held = sa.and_(ChannelAccount.blocked_until > now.at, ChannelAccount.state == AccountState.CONNECTED)
    handles = _handles(session, held, running)
    if handles:
        fact = _("The provider holds back replies of %(names)s.", names=_listed(handles))
        yield Problem("warn", fact, _("They go out by themselves once its limit allows it."))


def _missed(session: Session, now: CurrentState, running: sa.ColumnElement[bool]) -> Iterator[Problem]:
    # Nobody can do anything about an account that is disconnected.
    connected = sa.select(ChannelAccount.id).where(ChannelAccount.state != AccountState.DISCONNECTED, running)
    lately = sa.and_(
        MissedMessage.found_at >= now.at - timedelta(days=1), MissedMessage.account_id.in_(connected)
    )
    count = session.scalar(sa.select(sa.func.count()).select_from(MissedMessage).where(lately))
    if not count:
        return
    handles = _handles(session, ChannelAccount.id.in_(sa.select(MissedMessage.account_id).where(lately)))
    fact = ngettext(
        "%(num)s message was not delivered within a day, and was found: %(names)s.",
        "%(num)s messages were not delivered within a day, and were found: %(names)s.",
        count,
        names=_listed(handles),
    )
    yield _alerting("warn", fact, "LobbyMessagesMissed")


def now_of(now: CurrentState, state: AccountState) -> int:
    """Return how many accounts are in *state*."""
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


def _listed(handles: Sequence[str]) -> str:
    return ", ".join([*handles[:NAMED], *(["…"] if len(handles) > NAMED else [])])


def _unfinished(now: CurrentState) -> Iterator[Problem]:
    found = now.unfinished
    behind = (
        ngettext("%(num)s reply behind waits.", "%(num)s replies behind wait.", found.behind)
        if found.behind
        else ""
    )
    if found.unconfirmed:
        seconds = 0 if found.since is None else max(0, int((now.at - found.since).total_seconds()))
        fact = ngettext(
            "%(num)s reply was not confirmed by its provider %(n)s s ago.",
            "%(num)s replies were not confirmed by their providers, the first %(n)s s ago.",
            found.unconfirmed,
            n=seconds,
        )
        alert = "LobbyRepliesUnconfirmed"
        yield Problem("warn", fact, f"{ADVICE[alert]} {behind}".rstrip(), alert=alert)
    if found.refused:
        fact = ngettext(
            "%(num)s reply could not be sent yet and is tried again.",
            "%(num)s replies could not be sent yet and are tried again.",
            found.refused,
        )
        advice = _("Each says in its conversation what stands in the way.")
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
        yield Problem("warn", fact, _("Each says why in its conversation; agents can try it again there."))


def _models(session: Session) -> Iterator[Problem]:
    """Tell of language models nobody here can ask: the extra was forgotten, as with a new release."""
    if asking.available() or session.scalar(sa.select(LanguageModel.id).limit(1)) is None:
        return
    fact = _("Assistants cannot ask their models: what it takes is not installed here.")
    advice = _("An admin can add it: %(command)s", command=installing("assistants"))
    yield Problem("bad", fact, advice)


def _tools(session: Session) -> Iterator[Problem]:
    """Tell of tools of addons that hung within the last hour."""
    rows = HealthMinute.__table__.c
    query = (
        sa.select(rows.channel, sa.func.sum(rows["count"]))
        .where(rows.minute > recording.this_minute() - 60, rows.metric == Metric.TOOLS_HUNG)
        .group_by(rows.channel)
        .order_by(rows.channel)
    )
    for slug, times in session.execute(query):
        fact = ngettext(
            "A tool of the addon %(addon)s did not return in the last hour, %(num)s time.",
            "Tools of the addon %(addon)s did not return in the last hour, %(num)s times.",
            int(times),
            addon=slug,
        )
        advice = _(
            "Assistants go on without it. While a use of it hangs, a process asks it nothing more. "
            "Turn the addon off, or mend what it waits for."
        )
        yield Problem("warn", fact, advice, ("addons.index", {}), _("Addons"))


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
