"""Spans: those of one message join one trace, say nothing but ids, and no collector can hold a desk up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from demo.processes import free_port
from host.core import db, logs, secrets
from host.models.inbox import Message
from host.process import telemetry
from host.process.telemetry import Telemetry, Trace
from host.queue import policy
from host.queue.spool import request_id, requested_at
from host.sdk.channel import NotSent, Unknown
from tests.conftest import KEYS
from tests.delivery.conftest import Door, Travel
from tests.delivery.desk import PROBLEM, Desk

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
IDS = {"request_id", "event_id", "conversation_id", "message_id", "live_id", "events", "http_id"}


@pytest.fixture(autouse=True)
def _nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in os.environ:
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    yield
    telemetry.stop()
    assert logs._follower is None


@contextmanager
def spans(kind: str = "web") -> Iterator[list[ReadableSpan]]:
    """Collect the spans of what happens inside; they are there afterwards."""
    exporter = InMemorySpanExporter()
    running = Telemetry(kind, SimpleSpanProcessor(exporter))
    logs.follow_with(running.take)
    found: list[ReadableSpan] = []
    try:
        yield found
    finally:
        logs.follow_with(None)
        running.close()
        found.extend(exporter.get_finished_spans())


def one(found: list[ReadableSpan], name: str) -> ReadableSpan:
    (span,) = [span for span in found if span.name == name]
    return span


def child_of(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return (
        span.parent is not None
        and (span.parent.trace_id, span.parent.span_id) == (parent.context.trace_id, parent.context.span_id)
        and span.context.trace_id == parent.context.trace_id
    )


def shown(message_id: int) -> None:
    """Say what the hub says of a message that goes to the browsers."""
    with db.read() as session:
        conversation = session.get_one(Message, message_id).conversation_id
    logs.follow("shown", live_id=1, message_id=message_id, conversation_id=conversation)


def newest() -> int:
    with db.read() as session:
        return session.scalars(sa.select(sa.func.max(Message.id))).one()


def test_a_message_is_one_trace_from_its_webhook_to_the_screen(any_desk: Desk, door: Door) -> None:
    with spans() as found:
        logs.begin_request()
        door.receive(any_desk.account.id, "m1")
        logs.end_request()
        assert any_desk.drain("in") == 1
        shown(newest())
        door.journal.stop()  # It says what it received behind the answer.
    received, applied, seen = (one(found, name) for name in ("received", "applied", "shown"))
    assert received.parent is None
    assert child_of(applied, received)
    assert child_of(seen, received)
    assert received.attributes["lobby.request_id"] == applied.attributes["lobby.request_id"]
    assert received.attributes["lobby.http_id"]
    assert seen.attributes["lobby.message_id"] == applied.attributes["lobby.message_id"] == newest()
    assert (received.kind, applied.kind) == (SpanKind.SERVER, SpanKind.CONSUMER)
    assert applied.start_time <= received.start_time <= applied.end_time, "it lasted from the webhook on"


def test_a_reply_is_a_trace_of_its_own(any_desk: Desk, door: Door) -> None:
    door.receive(any_desk.account.id, "m1")
    any_desk.drain("in")
    talk = any_desk.message(newest()).conversation_id
    with spans() as found:
        reply = any_desk.reply("hi", talk)
        any_desk.drain("out")
        shown(reply)
    queued, sent = one(found, "queued"), one(found, "sent")
    assert queued.parent is None
    assert child_of(sent, queued)
    assert child_of(one(found, "shown"), queued)
    assert sent.start_time <= queued.end_time <= sent.end_time


def test_a_reply_an_echo_confirmed_stays_the_trace_it_was(any_desk: Desk, door: Door) -> None:
    talk = any_desk.customer_wrote()
    any_desk.toy.script = [Unknown(PROBLEM)]
    with spans() as found:
        reply = any_desk.reply("hi", talk)
        any_desk.drain("out")
        door.receive(any_desk.account.id, "mid-1", kind="echo", text="hi")
        any_desk.drain("in")
        assert any_desk.message(reply).sources, "the event that brought the echo"
        shown(reply)
        door.journal.stop()
    assert child_of(one(found, "shown"), one(found, "queued"))
    assert one(found, "received").context.trace_id != one(found, "queued").context.trace_id


def test_what_failed_is_an_error(any_desk: Desk, door: Door, travel: Travel) -> None:
    with spans() as found:
        door.receive(any_desk.account.id, "m1", kind="garbage")
        for _ in range(policy.EVENT_TRIES):
            any_desk.drain("in")
            travel(policy.EVENT_DELAYS[-1])
    assert one(found, "dead").status.status_code is StatusCode.ERROR
    assert [span.status.status_code for span in found if span.name == "tried"] == [StatusCode.UNSET] * (
        policy.EVENT_TRIES - 1
    )


def test_spans_hold_ids_and_nothing_that_was_said(any_desk: Desk, door: Door) -> None:
    with spans() as found:
        door.receive(any_desk.account.id, "m1", text="my number is 555")
        any_desk.drain("in")
        any_desk.reply("call me", any_desk.message(newest()).conversation_id)
        any_desk.toy.script = [NotSent(PROBLEM)]
        any_desk.drain("out")
        shown(newest())
        door.journal.stop()
    assert {span.name for span in found} == {"received", "applied", "queued", "retried", "shown"}
    for span in found:
        for name, value in span.attributes.items():
            assert name.removeprefix("lobby.") in IDS
            assert isinstance(value, int)
        assert not span.events
        assert span.status.description is None


def test_another_process_makes_the_same_trace_and_another_desk_another(database: db.Database) -> None:
    first = Trace.of("request", 7)
    secrets.use(secrets.Keyring(KEYS))
    assert Trace.of("request", 7) == first
    assert Trace.of("message", 7) != first
    secrets.use(secrets.Keyring({"k1": bytes(32)}))
    assert Trace.of("request", 7) != first


def test_what_is_shown_while_the_database_is_away_is_a_trace_of_its_own(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(telemetry.db, "read", away)
    with spans() as found:
        logs.follow("shown", live_id=1, message_id=7, conversation_id=1)
    assert found[0].context.trace_id == Trace.of("message", 7).trace_id


def test_a_sampler_takes_a_trace_whole_or_not_at_all(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    with spans("web") as begun:
        logs.follow_each("received", [{"request_id": number} for number in range(64)])
    with spans("worker") as ended:
        logs.follow_each("applied", [{"request_id": number, "event_id": number} for number in range(64)])
    taken = {span.context.trace_id for span in begun}
    assert taken == {span.context.trace_id for span in ended}
    assert 0 < len(taken) < 64  # The keys are always the same here, and so are the ids made of them.


def test_the_oldest_lines_are_dropped_where_too_many_wait(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "WAITING", 10)
    with spans() as found:
        logs.follow_each("received", [{"request_id": number} for number in range(20)])
    assert [span.attributes["lobby.request_id"] for span in found] == list(range(10, 20))


def test_many_lines_leave_in_batches(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "BATCH", 3)
    with spans() as found:
        logs.follow_each("received", [{"request_id": number} for number in range(10)])
    assert len(found) == 10


def test_a_line_without_an_id_of_a_message_is_no_span(database: db.Database) -> None:
    with spans() as found:
        logs.follow_each("applied", [])
        logs.follow("shown", live_id=1, message_id=None)
    assert found == []


def test_the_environment_names_the_service(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def service() -> Any:
        with spans("worker") as found:
            logs.follow("received", request_id=1)
        assert found[0].resource.attributes["lobby.process"] == "worker"
        return found[0].resource.attributes["service.name"]

    assert service() == "lobby"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=desk,team=a")
    assert service() == "desk"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "front desk")
    assert service() == "front desk"


def test_the_time_of_a_request_is_in_its_id() -> None:
    at = datetime(2026, 3, 1, 12, 30, 15, 123_000, tzinfo=UTC)
    assert requested_at(request_id(at, 77)) == at


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "desk"}, False),
        ({ENDPOINT: "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, True),
        ({ENDPOINT: "http://c", "OTEL_SDK_DISABLED": "True"}, False),
        ({ENDPOINT: "http://c", "OTEL_SDK_DISABLED": "false"}, True),
        ({ENDPOINT: "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINT: "http://c", "OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({ENDPOINT: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({ENDPOINT: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
    ],
)
def test_the_environment_decides(
    environment: dict[str, str], asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert telemetry.configured() is asked


def test_where_nothing_is_configured_nothing_is_imported_and_nobody_called() -> None:
    code = (
        "import sys; from host.core import logs; from host.process import telemetry; telemetry.start('web'); "
        "assert logs._follower is None; "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LOBBY_"))}
    subprocess.run([sys.executable, "-c", code], check=True, env=clean)


def test_where_it_is_not_installed_the_log_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    telemetry.start("web")
    assert "[otel]'" in caplog.text
    assert logs._follower is None


def test_a_setting_that_cannot_be_used_stops_the_spans_and_not_the_desk(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    telemetry.start("web")
    assert "no spans are sent" in caplog.text
    assert logs._follower is None


def test_a_key_for_the_collector_is_masked_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=abcdefgh12345678, x-other=zyxwvuts%2087654321")
    telemetry.start("web")
    text = logs.redact("not right: x-team=abcdefgh12345678 and zyxwvuts%2087654321")
    assert "abcdefgh" not in text
    assert "zyxwvuts" not in text


def test_a_collector_that_is_away_costs_a_line_a_minute(
    database: db.Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    telemetry.start("web")
    logs.follow_each("received", [{"request_id": number} for number in range(5)])
    telemetry.stop()
    said = [record for record in caplog.records if record.name.startswith("opentelemetry")]
    assert len(said) == 1


def test_a_collector_that_never_answers_does_not_hold_the_end_up(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "FLUSH_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{mute.getsockname()[1]}")
        telemetry.start("web")
        running = telemetry._running
        assert running is not None
        logs.follow("received", request_id=1)
        telemetry.stop()
        assert running._thread.is_alive(), "it still waits for an answer"
        connection, _ = mute.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        running._thread.join()
