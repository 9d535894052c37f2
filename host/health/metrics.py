"""Write the text of ``/metrics``, which Prometheus reads.

What is counted over all processes comes from the database, so that one process answers for the workers too,
which have no address. What only this process knows (its memory, its spool) comes from here. No metric is
about one account or one person: their number has no end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from sqlalchemy.orm import Session

from host.core import clock, db, histogram
from host.health import current_state
from host.health.process_state import DatabaseState, ProcessState
from host.models.health import TOTAL, HealthMinute, Metric
from host.queue.spool import measure

COUNTERS = {
    Metric.RECEIVED: ("lobby_events_received", "Events taken into the journal.", ()),
    Metric.HANDLED: ("lobby_events_handled", "Events of which is known what became of them.", ("outcome",)),
    Metric.SENDS: ("lobby_sends", "Attempts to send, by what became of them.", ("outcome",)),
    Metric.REFUSED: ("lobby_requests_refused", "Webhook requests nobody believed.", ("reason",)),
}
HISTOGRAMS = {
    Metric.VISIBLE: ("lobby_visible_seconds", "From an event's receipt until it can be seen."),
    Metric.ANSWERED: ("lobby_webhook_seconds", "Until a webhook was answered."),
}
_EVERY = 2
"""Of the classes times are counted in, every second one is told: one for each doubling."""

Totals = Mapping[Metric, Mapping[tuple[str, str], int]]


def exposition(process: ProcessState, database: DatabaseState, spool: Path) -> tuple[str, bytes]:
    """Return content type and body of ``/metrics``."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Families([*_own(process, database, spool), *_shared(database)]))
    body: bytes = generate_latest(registry)
    return CONTENT_TYPE_LATEST, body


class _Families:
    """What the registry collects from: families that are there already."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _own(process: ProcessState, database: DatabaseState, spool: Path) -> Iterator[Family]:
    holding = measure(spool)
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
        ("lobby_spool_requests", "Requests kept as files until the database takes them.", holding.requests),
        (
            "lobby_spool_aside",
            "Requests put aside there: refused by the database, or damaged.",
            holding.aside,
        ),
        ("lobby_spool_bytes", "What the spool takes of the disk.", holding.bytes),
    ):
        yield GaugeMetricFamily(name, text, float(value))


def _ready(process: ProcessState, database: DatabaseState) -> bool:
    return process.serving and process.generation is not None and database.migrated


def _shared(database: DatabaseState) -> list[Family]:
    """Return what the database tells; nothing while it does not answer."""
    if not database.answers:
        return []
    try:
        with db.read() as session:
            return [*_gauges(current_state.read_current_state(session)), *_counted(_totals(session))]
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
    yield GaugeMetricFamily("lobby_dead_letters", "Events given up or set aside.", state.dead)
    accounts = GaugeMetricFamily("lobby_accounts", "Accounts by state.", labels=["channel", "state"])
    for (channel, account_state), count in sorted(state.accounts.items()):
        accounts.add_metric([channel, account_state.value], count)
    yield accounts
    processes = GaugeMetricFamily("lobby_processes", "Processes seen within a minute.", labels=["kind"])
    for kind in ("web", "worker"):
        processes.add_metric([kind], sum(one.kind == kind for one in state.alive))
    yield processes
    newest = max((one.seen_at for one in state.processes if one.workers), default=None)
    if newest is not None:
        text = "Since a process with delivery threads was last seen."
        yield GaugeMetricFamily("lobby_worker_seen_seconds", text, (clock.now() - newest).total_seconds())


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


def _counted(totals: Totals) -> Iterator[Family]:
    for metric, (name, text, labels) in COUNTERS.items():
        family = CounterMetricFamily(name, text, labels=["channel", *labels])
        for (channel, label), count in sorted(totals.get(metric, {}).items()):
            family.add_metric([channel, *([label] if labels else [])], count)
        yield family
    for metric, (name, text) in HISTOGRAMS.items():
        yield _histogram(name, text, totals.get(metric, {}))


def _histogram(name: str, text: str, counts: Mapping[tuple[str, str], int]) -> Family:
    family = HistogramMetricFamily(name, text, labels=["channel"])
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
