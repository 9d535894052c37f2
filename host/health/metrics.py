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
from host.delivery import held_lanes
from host.features import registry
from host.health import current_state, dependencies, versions
from host.health.process_state import DatabaseState, ProcessState
from host.media import fetching
from host.models.health import TOTAL, HealthMinute, Metric, Outcome
from host.notifications import mail
from host.queue.spool import folder_of, measure

COUNTERS = {
    Metric.RECEIVED: ("lobby_events_received", "Events received from providers.", ("channel",)),
    Metric.HANDLED: (
        "lobby_events_handled",
        "Received events that were handled, by outcome.",
        ("channel", "outcome"),
    ),
    Metric.SENDS: ("lobby_sends", "Attempts to send a message, by outcome.", ("channel", "outcome")),
    Metric.REFUSED: (
        "lobby_requests_refused",
        "Webhook requests that failed verification.",
        ("channel", "reason"),
    ),
    Metric.ERRORS: (
        "lobby_http_errors",
        "Responses of pages and of the API with status 500 or above.",
        ("kind", "status"),
    ),
    Metric.MISSED: (
        "lobby_messages_missed",
        "Messages that a provider did not deliver and Lobby recovered.",
        ("channel",),
    ),
    Metric.ADDON_FAULTS: ("lobby_addon_faults", "Errors in the code of addons.", ("addon",)),
    Metric.CALLS_HUNG: (
        "lobby_addon_calls_hung",
        "Calls of an addon that did not return in time, by kind of function.",
        ("addon", "kind"),
    ),
}
HISTOGRAMS = {
    Metric.VISIBLE: (
        "lobby_visible_seconds",
        "Time from the receipt of an event until it is visible.",
        "channel",
    ),
    Metric.ANSWERED: ("lobby_webhook_seconds", "Time to answer a webhook request.", "channel"),
    Metric.HTTP: ("lobby_http_seconds", "Time to answer a request to a page or the API.", "kind"),
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
    yield InfoMetricFamily("lobby_build", "The version this process runs.", {"version": __version__})
    for name, text, value in (
        ("lobby_database_up", "Whether this process can reach the database.", database.answers),
        (
            "lobby_ready",
            "Whether this process is ready to serve: database reachable, migrations applied.",
            _ready(process, database),
        ),
        (
            "lobby_generation",
            "Revision of the running app, with its set of addons.",
            process.generation or 0,
        ),
        ("lobby_addons_failed", "Active addons that failed to start in this process.", process.failures),
        (
            "lobby_loop_held_seconds",
            "Longest time the event loop was blocked within the last minute.",
            process.loop_held,
        ),
        ("lobby_live_streams", "Browsers connected to this process for live updates.", process.streams),
        ("lobby_files_up", "Whether this process can reach the file storage.", storage.away() is None),
        ("lobby_spool_requests", "Provider requests waiting as files for the database.", holding.requests),
        (
            "lobby_spool_aside",
            "Waiting requests that were set aside: rejected by the database, or damaged.",
            holding.aside,
        ),
        ("lobby_spool_bytes", "Disk space used by waiting requests.", holding.bytes),
        ("lobby_spool_bytes_most", "Disk space that waiting requests may use.", config.spool_mb * 1024**2),
        (
            "lobby_disk_free_bytes",
            "Free space on the disk of the data folder.",
            disk_usage(config.data).free,
        ),
        ("lobby_time_seconds", "The clock of this process, in seconds since 1970.", clock.now().timestamp()),
    ):
        yield GaugeMetricFamily(name, text, float(value))
    text = "Webhook requests answered with 503, so that providers retry them."
    yield CounterMetricFamily("lobby_webhooks_put_off", text, process.put_off)
    held = db.current().connections()
    text = "Database connections of this process, by state."
    connections = GaugeMetricFamily("lobby_database_connections", text, labels=["state"])
    for state in ("used", "idle"):
        connections.add_metric([state], held[state])
    yield connections
    text = "Maximum number of database connections of this process."
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
    text = "Conversations whose replies are held, by reason."
    held = GaugeMetricFamily("lobby_replies_held", text, labels=["reason"])
    for reason, count in state.held.items():
        held.add_metric([reason], count)
    yield held
    text = "Replies that the provider has not confirmed and Lobby is checking."
    yield GaugeMetricFamily("lobby_replies_unconfirmed", text, state.unfinished.unconfirmed)
    yield GaugeMetricFamily(
        "lobby_dead_letters", "Received events that could not be read or were set aside.", state.dead
    )
    accounts = GaugeMetricFamily("lobby_accounts", "Accounts by state.", labels=["channel", "state"])
    for (channel, account_state), count in sorted(state.accounts.items()):
        accounts.add_metric([channel, account_state.value], count)
    yield accounts
    text = "Connected accounts with a problem, by channel."
    warned = GaugeMetricFamily("lobby_accounts_warned", text, labels=["channel"])
    for channel in sorted({channel for channel, _state in state.accounts}):
        warned.add_metric([channel], state.warned.get(channel, 0))
    yield warned
    processes = GaugeMetricFamily(
        "lobby_processes", "Processes seen within the last minute.", labels=["kind"]
    )
    for kind in ("web", "worker"):
        processes.add_metric([kind], sum(one.kind == kind for one in state.alive))
    yield processes
    text = "Age of the oldest event in the event log that a consumer has not processed."
    behind = GaugeMetricFamily("lobby_record_behind_seconds", text, labels=["consumer"])
    for one in state.behind:
        if one.kept_until is not None:
            continue  # this release doesn't have it: Health shows it, without an alert
        behind.add_metric([one.consumer], max((state.at - one.since).total_seconds(), 0.0))
    yield behind
    text = "Processes seen within the last minute, by version."
    running = GaugeMetricFamily("lobby_processes_by_version", text, labels=["version"])
    for version, several in versions.by_version(state).items():
        running.add_metric([version], len(several))
    yield running
    text = "Processes with delivery threads that reported within the last seconds."
    yield GaugeMetricFamily("lobby_processes_delivering", text, len(state.delivering))
    text = "Processes that ended without shutting down and have not been restarted on their machine."
    yield GaugeMetricFamily("lobby_processes_lost", text, len(state.lost))
    text = "How long a database connection has been blocking rows, for connections that exceed the limit."
    blocking = GaugeMetricFamily("lobby_blocking_seconds", text, labels=["program", "connection", "holds"])
    for blocker in state.blockers:
        blocking.add_metric([blocker.program, str(blocker.number), blocker.holds], blocker.seconds)
    yield blocking
    text = "Processes that can't reach the broker."
    yield GaugeMetricFamily("lobby_broker_away", text, len(dependencies.broker_answers(state)[1]))
    newest = state.worker_seen_at
    if newest is not None:
        text = "Time since a process with delivery threads was last seen."
        yield GaugeMetricFamily("lobby_worker_seen_seconds", text, (state.at - newest).total_seconds())


def _beside(state: current_state.CurrentState) -> Iterator[Family]:
    """Yield the metrics of shared services other than the database."""
    text = "Largest difference between the clock of a running process and the database's."
    off = max((abs(ahead) for _process, ahead in state.clocks), default=timedelta()).total_seconds()
    yield GaugeMetricFamily("lobby_clock_off_seconds", text, off)
    text = "Processes that can't reach the server where provider limits are counted."
    yield GaugeMetricFamily("lobby_limits_away", text, len(dependencies.limits_away(state)))


def _ages(session: Session) -> Iterator[Family]:
    text = "How long Lobby has been checking the oldest unconfirmed reply."
    yield _age("lobby_unconfirmed_age_seconds", text, held_lanes.oldest_unconfirmed(session))
    text = "How long the oldest file from a customer has been waiting to be fetched."
    yield _age("lobby_media_age_seconds", text, fetching.oldest_due(session))
    text = "Warning emails that have not been sent yet."
    yield GaugeMetricFamily("lobby_mails_waiting", text, mail.waiting(session))


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
    text = "Database writes that were rolled back and retried, by reason."
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
