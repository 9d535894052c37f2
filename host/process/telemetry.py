"""OpenTelemetry, if installed and configured: the lines of :func:`host.core.logs.follow` as spans.

Every process creates its own spans, and those of one message join one trace without any communication between
processes: the trace's id is derived from a number stored with the message: the id of the request that brought
it or, for a reply, of the message itself. Without configuration, the packages are not imported.
"""

from __future__ import annotations

import base64
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import sqlalchemy as sa

import host
from host.core import clock, config, db, logs, secrets
from host.models.inbox import Message, Origin
from host.models.queue import InboundEvent
from host.queue.spool import requested_at

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

log = logging.getLogger(__name__)

WAITING = 16_384
"""Maximum number of queued log lines; beyond it, the oldest are dropped."""
BATCH = 512
PAUSE_SECONDS = 0.5
FLUSH_SECONDS = 3.0
"""Time in seconds an ending process waits for a collector to accept the remaining spans."""
QUIET_SECONDS = 60.0

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")

_BEGINS = frozenset({"received", "spooled", "queued"})
"""Log lines that begin a trace; all its other spans are children of that one."""
_ERRORS = frozenset({"dead", "failed"})

_running: Telemetry | None = None


class SpanLine(NamedTuple):
    """A log line to become a span."""

    what: str
    since: datetime | None
    at: datetime
    http: str
    ids: logs.Ids


class Trace(msgspec.Struct, frozen=True):
    """The trace of a request or a message, and its first span."""

    trace_id: int
    span_id: int

    @classmethod
    def of(cls, kind: str, id_: int) -> Trace:
        """Return the trace of *kind* (``request``, ``message``) *id_*, which is equal in every process of the
        desk.

        Other desks with the same numbers have different traces, because traces are derived from the desk's
        key.
        """
        digest = base64.urlsafe_b64decode(secrets.keyring().sign("trace", kind, id_) + "=")
        return cls(int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]))


def start(kind: str) -> None:
    """Start sending spans from this process, if configured.

    :param kind: kind of the process: ``web`` or ``worker``.
    """
    global _running  # noqa: PLW0603 - a process has one
    if _running is not None or not configured():
        return
    for name in _HEADERS:
        for pair in config.of_opentelemetry().get(name, "").split(","):
            logs.mask(pair.strip())
            logs.mask(pair.partition("=")[2].strip())
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("%s is set, but spans need a package: %s", _ENDPOINTS[1], host.installing("otel"))
        return
    logging.getLogger(OTLPSpanExporter.__module__).addFilter(_Seldom())
    try:
        _running = Telemetry(kind, BatchSpanProcessor(OTLPSpanExporter()))
    except Exception:
        # A setting that the exporter cannot read must not prevent the desk from serving.
        log.exception("no spans are sent: a setting OTEL_... cannot be used")
        return
    logs.follow_with(_running.take)


def stop() -> None:
    """Send the remaining spans, for at most :data:`FLUSH_SECONDS`, and stop."""
    global _running
    running, _running = _running, None
    if running is not None:
        logs.follow_with(None)
        running.close()


def configured() -> bool:
    """Return whether the environment enables spans over OTLP and HTTP."""
    given = config.of_opentelemetry()
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if not any(given.get(name) for name in _ENDPOINTS):
        return False
    if given.get("OTEL_TRACES_EXPORTER", "") not in ("", "otlp"):
        return False
    protocol = next((value for name in _PROTOCOLS if (value := given.get(name))), "")
    if protocol not in ("", "http/protobuf"):
        log.warning("no spans are sent: OTEL_EXPORTER_OTLP_PROTOCOL can only be http/protobuf")
        return False
    return True


class Telemetry:
    """A converter of log lines to spans, in a separate thread; writing a line only queues it.

    :param kind: see :func:`start`.
    :param processor: receives the finished spans.
    """

    def __init__(self, kind: str, processor: SpanProcessor) -> None:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.sdk.trace.sampling import Decision

        class Ids(RandomIdGenerator):
            """Fixed ids for a trace's first span, random ones for the rest."""

            first: Trace | None = None

            def generate_trace_id(self) -> int:
                return self.first.trace_id if self.first else super().generate_trace_id()

            def generate_span_id(self) -> int:
                return self.first.span_id if self.first else super().generate_span_id()

        ours: dict[str, str | int] = {
            "service.name": "lobby",
            "service.version": host.__version__,
            "lobby.process": kind,
            "process.pid": os.getpid(),
        }
        # The environment overrides our attributes.
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        self._trace = trace
        self._sampled = Decision.RECORD_AND_SAMPLE
        self._ids = Ids()
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("lobby", host.__version__)
        self._kinds = {
            "received": trace.SpanKind.SERVER,
            "spooled": trace.SpanKind.SERVER,
            "queued": trace.SpanKind.PRODUCER,
            "shown": trace.SpanKind.PRODUCER,
        }
        self._lines: deque[SpanLine] = deque(maxlen=WAITING)
        self._stopping = threading.Event()
        # A daemon, because a collector that accepts but never answers must not block the process.
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def take(self, what: str, steps: Sequence[logs.Ids], since: datetime | None) -> None:
        """Queue lines to become spans. Neither blocks nor raises."""
        at, http = clock.now(), logs.http()
        self._lines.extend([SpanLine(what, since, at, http, ids) for ids in steps])

    def close(self) -> None:
        """Send the remaining spans, for at most :data:`FLUSH_SECONDS`, and stop."""
        self._stopping.set()
        self._thread.join(FLUSH_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            self._make()
        self._make()
        self._provider.shutdown()

    def _make(self) -> None:
        while lines := self._next():
            try:
                traces = _traces(lines)
                for line in lines:
                    self._span(line, traces)
            except Exception:
                log.exception("%s spans could not be made", len(lines))
            if self._lines:
                # Spans produced faster than they are sent would only evict each other from the processor's
                # queue.
                self._provider.force_flush()

    def _next(self) -> list[SpanLine]:
        lines: list[SpanLine] = []
        while self._lines and len(lines) < BATCH:
            lines.append(self._lines.popleft())
        return lines

    def _span(self, line: SpanLine, traces: Mapping[int, Trace]) -> None:
        of = _trace_of(line, traces)
        if of is None:
            return
        trace = self._trace
        if line.what in _BEGINS:
            self._ids.first, context = of, None
        else:
            # The first span is in another process, so the sampler repeats its decision here.
            decision = self._provider.sampler.should_sample(None, of.trace_id, line.what).decision
            sampled = decision is self._sampled
            flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
            first = trace.SpanContext(of.trace_id, of.span_id, is_remote=True, trace_flags=flags)
            self._ids.first = None
            context = trace.set_span_in_context(trace.NonRecordingSpan(first))
        span = self._tracer.start_span(
            line.what,
            context=context,
            kind=self._kinds.get(line.what, trace.SpanKind.CONSUMER),
            attributes={f"lobby.{name}": value for name, value in _named(line).items()},
            start_time=min(_nanoseconds(_since(line)), _nanoseconds(line.at)),
        )
        if line.what in _ERRORS:
            span.set_status(trace.StatusCode.ERROR)
        span.end(_nanoseconds(line.at))


def _named(line: SpanLine) -> dict[str, int | str]:
    ids = {name: value for name, value in line.ids.items() if value is not None}
    return {**ids, "http_id": line.http} if line.http else ids


def _since(line: SpanLine) -> datetime:
    """Return the start of the span that *line* ends: for the result of an event, when its request arrived."""
    request = line.ids.get("request_id")
    if line.since is None and isinstance(request, int):
        return requested_at(request)
    return line.since or line.at


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


def _trace_of(line: SpanLine, traces: Mapping[int, Trace]) -> Trace | None:
    request, message = line.ids.get("request_id"), line.ids.get("message_id")
    if isinstance(request, int):
        return Trace.of("request", request)
    if not isinstance(message, int):
        return None
    return traces.get(message) or Trace.of("message", message)


def _traces(lines: Sequence[SpanLine]) -> dict[int, Trace]:
    """Return the traces of those messages in *lines* that a request brought."""
    shown = {line.ids.get("message_id") for line in lines if line.what == "shown"} - {None}
    if not shown:
        return {}
    try:
        with db.read() as session:
            brought = sa.select(Message.id, Message.sources).where(
                Message.id.in_(shown), Message.origin.in_((Origin.CUSTOMER, Origin.PROVIDER))
            )
            first = {id_: min(sources) for id_, sources in session.execute(brought) if sources}
            events = sa.select(InboundEvent.id, InboundEvent.request_id).where(
                InboundEvent.id.in_(first.values())
            )
            requests = dict(session.execute(events).all())
    except sa.exc.SQLAlchemyError:
        # They get separate traces then; sending does not wait.
        return {}
    return {id_: Trace.of("request", requests[event]) for id_, event in first.items() if event in requests}


class _Seldom(logging.Filter):
    """A filter that passes one line per :data:`QUIET_SECONDS`: an absent collector would fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._again_at = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now < self._again_at:
            return False
        self._again_at = now + QUIET_SECONDS
        return True
