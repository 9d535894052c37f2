"""Render ``/metrics`` for Prometheus.

Metrics of all processes come from the database, so that one process can report for the workers, which have no
address. Metrics of this process (its memory, its spool) are local. No metric is labelled by account or
person: their number is unbounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain, product
from shutil import disk_usage

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from sqlalchemy.orm import Session

from host import __version__
from host.core import clock, db, histogram, storage
from host.core.config import Config
from host.delivery import waiting
from host.features import registry
from host.health import current_state, dependencies, versions
from host.health.process_state import DatabaseState, ProcessState
from host.media import fetching
from host.models.health import TOTAL, HealthMinute, Metric, Outcome
from host.notifications import mailing
from host.queue.spool import folder_of, measure

COUNTERS = {
    Metric.RECEIVED: ("lobby_events_received", "Events taken into the journal.", ("channel",)),
    Metric.HANDLED: (
        "lobby_events_handled",
        "Events of which is known what became of them.",
        ("channel", "outcome"),
    ),
    Metric.SENDS: ("lobby_sends", "Attempts to send, by what became of them.", ("channel", "outcome")),
    Metric.REFUSED: ("lobby_requests_refused", "Webhook requests nobody believed.", ("channel", "reason")),
    Metric.ERRORS: ("lobby_http_errors", "Answers of pages and of the API from 500 on.", ("kind", "status")),
    Metric.MISSED: ("lobby_messages_missed", "Messages providers did not deliver.", ("channel",)),
    Metric.ADDON_FAULTS: ("lobby_addon_faults", "Errors in the code of addons.", ("addon",)),
    Metric.TOOLS_HUNG: ("lobby_tools_hung", "Uses of addons' tools that did not return.", ("addon",)),
}
HISTOGRAMS = {
    Metric.VISIBLE: ("lobby_visible_seconds", "From an event's receipt until it can be seen.", "channel"),
    Metric.ANSWERED: ("lobby_webhook_seconds", "Until a webhook was answered.", "channel"),
    Metric.HTTP: ("lobby_http_seconds", "Until a page or the API answered.", "kind"),
}
_OUTCOMES = {
    Metric.HANDLED: ("applied", "ignored", "dead"),
    Metric.SENDS: tuple(Outcome),
    Metric.MISSED: ("",),
}
_EVERY = 2
"""Step between the reported histogram classes: one for each doubling."""

Totals = Mapping[Metric, Mapping[tuple[str, str], int]]


def exposition(process: ProcessState, database: DatabaseState, config: Config) -> tuple[str, bytes]:
    """Return content type and body of ``/metrics``."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Families([*_own(process, database, config), *_shared(database)]))
    body: bytes = generate_latest(registry)
    return CONTENT_TYPE_LATEST, body


class _Families:
    """A collector of existing metric families for the registry."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _own(process: ProcessState, database: DatabaseState, config: Config) -> Iterator[Family]:
    holding = measure(folder_of(config.data))
    yield InfoMetricFamily("lobby_build", "What this process runs.", {"version": __version__})
    for name, text, value in (
        ("lobby_database_up", "Whether the database answers this process.", database.answers),
        ("lobby_ready", "Whether this process serves with the tables it needs.", _ready(process, database)),
        (
            "lobby_generation",
            "Number of the generation of addons this process runs.",
            process.generation or 0,
        ),
        ("lobby_addons_failed", "Addons that should run in this process and do not.", process.failures),
        (
            "lobby_loop_held_seconds",
            "How long the event loop was held at most within the last minute.",
            process.loop_held,
        ),
        ("lobby_live_streams", "Browsers this process tells what changes.", process.streams),
        ("lobby_files_up", "Whether this process reaches the files of messages.", storage.away() is None),
        ("lobby_spool_requests", "Requests kept as files until the database takes them.", holding.requests),
        (
            "lobby_spool_aside",
            "Requests put aside there: refused by the database, or damaged.",
            holding.aside,
        ),
        ("lobby_spool_bytes", "What the spool takes of the disk.", holding.bytes),
        ("lobby_spool_bytes_most", "How much of the disk the spool may take.", config.spool_mb * 1024**2),
        (
            "lobby_disk_free_bytes",
            "What is free on the disk the desk keeps its files on.",
            disk_usage(config.data).free,
        ),
        ("lobby_time_seconds", "The clock of this process, in seconds since 1970.", clock.now().timestamp()),
    ):
        yield GaugeMetricFamily(name, text, float(value))
    text = "Webhooks this process answered with 503, for their providers to send again."
    yield CounterMetricFamily("lobby_webhooks_put_off", text, process.put_off)
    held = db.current().connections()
    text = "Connections of this process to the database."
    connections = GaugeMetricFamily("lobby_database_connections", text, labels=["state"])
    for state in ("used", "idle"):
        connections.add_metric([state], held[state])
    yield connections
    text = "How many connections this process may open at once."
    yield GaugeMetricFamily("lobby_database_connections_most", text, held["most"])


def _ready(process: ProcessState, database: DatabaseState) -> bool:
    return process.serving and process.generation is not None and database.migrated


def _shared(database: DatabaseState) -> list[Family]:
    """Return the metrics from the database; none while it does not answer."""
    if not database.answers:
        return []
    try:
        with db.read() as session:
            state = current_state.read_current_state(session)
            return [
                *_gauges(state),
                *_beside(state),
                *_ages(session),
                *chain.from_iterable(registry.hooks().metrics(session=session)),
                *_counted(_totals(session), {channel for channel, _state in state.accounts}),
            ]
    except sa.exc.SQLAlchemyError:
        return []


def _gauges(state: current_state.CurrentState) -> Iterator[Family]:
    age = GaugeMetricFamily(
        "lobby_queue_age_seconds",
        "How long the oldest due work has waited for a worker.",
        labels=["direction"],
    )
    for direction in state.waiting:
        age.add_metric([direction], state.waited(direction).total_seconds())
    yield age
    text = "Conversations whose replies wait on purpose, by what for."
    held = GaugeMetricFamily("lobby_replies_held", text, labels=["reason"])
    for reason, count in state.held.items():
        held.add_metric([reason], count)
    yield held
    text = "Replies nobody has confirmed, which the desk looks for at their providers."
    yield GaugeMetricFamily("lobby_replies_unconfirmed", text, state.unfinished.unconfirmed)
    yield GaugeMetricFamily("lobby_dead_letters", "Events given up or set aside.", state.dead)
    accounts = GaugeMetricFamily("lobby_accounts", "Accounts by state.", labels=["channel", "state"])
    for (channel, account_state), count in sorted(state.accounts.items()):
        accounts.add_metric([channel, account_state.value], count)
    yield accounts
    text = "Connected accounts with a warning of the worse kind, by channel."
    warned = GaugeMetricFamily("lobby_accounts_warned", text, labels=["channel"])
    for channel in sorted({channel for channel, _state in state.accounts}):
        warned.add_metric([channel], state.warned.get(channel, 0))
    yield warned
    processes = GaugeMetricFamily("lobby_processes", "Processes seen within a minute.", labels=["kind"])
    for kind in ("web", "worker"):
        processes.add_metric([kind], sum(one.kind == kind for one in state.alive))
    yield processes
    text = "How long the first event a consumer of the record has not done has stood there."
    behind = GaugeMetricFamily("lobby_record_behind_seconds", text, labels=["consumer"])
    for one in state.behind:
        if one.kept_until is not None:
            continue  # this release doesn't have it: Health shows it, without an alert
        behind.add_metric([one.consumer], max((state.at - one.since).total_seconds(), 0.0))
    yield behind
    text = "Processes seen within a minute, by the version they run."
    running = GaugeMetricFamily("lobby_processes_by_version", text, labels=["version"])
    for version, several in versions.by_version(state).items():
        running.add_metric([version], len(several))
    yield running
    text = "Processes with threads to deliver with that reported within the last seconds."
    yield GaugeMetricFamily("lobby_processes_delivering", text, len(state.delivering))
    text = "Processes that ended without a word and were not started again on their machine."
    yield GaugeMetricFamily("lobby_processes_lost", text, len(state.lost))
    text = "How long a connection to the database has held rows, if that is long."
    blocking = GaugeMetricFamily("lobby_blocking_seconds", text, labels=["program", "connection", "holds"])
    for blocker in state.blockers:
        blocking.add_metric([blocker.program, str(blocker.number), blocker.holds], blocker.seconds)
    yield blocking
    text = "Processes the broker of wake-ups does not answer."
    yield GaugeMetricFamily("lobby_broker_away", text, len(dependencies.broker_answers(state)[1]))
    newest = state.worker_seen_at
    if newest is not None:
        text = "Since a process with delivery threads was last seen."
        yield GaugeMetricFamily("lobby_worker_seen_seconds", text, (state.at - newest).total_seconds())


def _beside(state: current_state.CurrentState) -> Iterator[Family]:
    """Yield the metrics of shared services other than the database."""
    text = "How far the clock of a live process is off the database's at most."
    off = max((abs(ahead) for _process, ahead in state.clocks), default=timedelta()).total_seconds()
    yield GaugeMetricFamily("lobby_clock_off_seconds", text, off)
    text = "Processes the place where limits are counted does not answer."
    yield GaugeMetricFamily("lobby_limits_away", text, len(dependencies.limits_away(state)))


def _ages(session: Session) -> Iterator[Family]:
    text = "How long the oldest reply the provider has not confirmed has been looked for."
    yield _age("lobby_unconfirmed_age_seconds", text, waiting.oldest_unconfirmed(session))
    text = "How long the oldest file customers sent has been due to be fetched."
    yield _age("lobby_media_age_seconds", text, fetching.oldest_due(session))
    text = "Warnings of the desk that are still to be mailed."
    yield GaugeMetricFamily("lobby_mails_waiting", text, mailing.waiting(session))


def _age(name: str, text: str, since: datetime | None) -> Family:
    age = 0.0 if since is None else (clock.now() - since).total_seconds()
    return GaugeMetricFamily(name, text, max(age, 0.0))


def _totals(session: Session) -> Totals:
    found: dict[Metric, dict[tuple[str, str], int]] = defaultdict(dict)
    query = sa.select(HealthMinute.metric, HealthMinute.channel, HealthMinute.label, HealthMinute.count)
    known = {metric.value for metric in Metric}
    for metric, channel, label, count in session.execute(
        query.where(HealthMinute.metric.in_(list(Metric)), HealthMinute.minute == TOTAL)
    ):
        if metric in known:
            found[Metric(metric)][channel, label] = count
    return found


def _counted(totals: Totals, channels: Collection[str]) -> Iterator[Family]:
    text = "Writes the database undid, which were tried again."
    undone = CounterMetricFamily("lobby_writes_undone", text, labels=["reason"])
    counts = totals.get(Metric.UNDONE, {})
    for reason in (db.DEADLOCK, db.LOCK, db.CONFLICT):
        undone.add_metric([reason], counts.get(("", reason), 0))
    yield undone
    for metric, (name, text, labels) in COUNTERS.items():
        family = CounterMetricFamily(name, text, labels=labels)
        counts = _none_yet(metric, channels) | dict(totals.get(metric, {}))
        for values, count in sorted(counts.items()):
            family.add_metric(values[: len(labels)], count)
        yield family
    for metric, (name, text, by) in HISTOGRAMS.items():
        yield _histogram(name, text, by, totals.get(metric, {}))


def _none_yet(metric: Metric, channels: Collection[str]) -> dict[tuple[str, str], int]:
    """Return zeros for labels without a count yet: a counter that starts at 1 shows no increase."""
    if metric is Metric.ERRORS:
        return dict.fromkeys(product(("page", "api"), ("500", "503")), 0)
    return dict.fromkeys(product(channels, _OUTCOMES.get(metric, ())), 0)


def _histogram(name: str, text: str, by: str, counts: Mapping[tuple[str, str], int]) -> Family:
    family = HistogramMetricFamily(name, text, labels=[by])
    for channel in sorted({channel for channel, _ in counts}):
        seen, buckets = 0, []
        for place, bound in enumerate(histogram.BOUNDS):
            seen += counts.get((channel, f"{place:02}"), 0)
            if place % _EVERY == 0:
                buckets.append((f"{bound / 1000:g}", seen))
        seen += counts.get((channel, f"{len(histogram.BOUNDS):02}"), 0)
        buckets.append(("+Inf", seen))
        family.add_metric([channel], buckets, counts.get((channel, histogram.SUM), 0) / 1000)
    return family
