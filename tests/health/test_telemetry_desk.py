"""A desk of several processes sends its spans to a collector, and needs none to work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from demo import journey
from demo.journey import ANSWER, QUESTION, Journey
from demo.outside import Outside
from demo.processes import Host, Program, Sandbox, clean_environment, free_port, sandbox_settings
from tests.conftest import POSTGRESQL, fresh_server_database
from tests.health.collector import Collector, Span
from tests.health.watching import SECONDS, watching
from tests.whole.rig import until

pytestmark = [pytest.mark.slow]

KEY = "a-key-of-the-collector"


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(stack: ExitStack, data: Path, **more: str) -> tuple[Journey, dict[str, str]]:
    """Start a desk with a connected account beside a sandbox; return it and its settings."""
    sandbox, outside = Sandbox.start(), Outside()
    stack.callback(sandbox.program.stop)
    outside.start()
    stack.callback(outside.stop)
    settings = sandbox_settings(sandbox)
    settings["LOBBY_ALLOW_HOSTS"] += f",{outside.addresses}"
    settings |= {"LOBBY_LOG_FORMAT": "json", **more}
    host = Host.start(data, port=free_port(), settings=settings)
    stack.callback(host.program.stop)
    j = Journey(sandbox, host, outside, free_port())
    for step in (journey.sandbox_answers, journey.set_up, journey.invite, journey.upload, journey.install):
        step(j)
    for step in (journey.activate, journey.connect, journey.verify):
        step(j)
    return j, settings


def first(program: Program, **ids: Any) -> dict[str, Any]:
    """Return the first line with *ids* on the way of a message, once it is there."""
    wanted = ids.items()

    def look() -> dict[str, Any] | None:
        for line in program.output.splitlines():
            if line.startswith("{") and "lobby.path" in line and wanted <= (one := json.loads(line)).items():
                return one
        return None

    found = until(look, str(ids), SECONDS)
    assert found is not None
    return found


def history_is_read(url: str) -> bool:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        states = connection.scalars(sa.text("SELECT state FROM catch_ups")).all()
    engine.dispose()
    return states == ["done"]


def talk(j: Journey, delivering: Program) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let a customer write, and be answered; return the lines that say so."""
    web = j.host.program
    with watching(j):
        j.control("POST", "dm", {"customer": "ana.sample", "text": QUESTION})
        received = first(web, message="received")
        applied = first(delivering, message="applied", request_id=received["request_id"])
        first(web, message="shown", message_id=applied["message_id"])
        j.agent.open(f"/w/{j.workspace}/inbox/{applied['conversation_id']}")
        j.agent.press("Send", {"text": ANSWER})
        queued = first(web, message="queued")
        first(delivering, message="sent", message_id=queued["message_id"])
        first(web, message="shown", message_id=queued["message_id"])
    return applied, queued


@pytest.mark.services
def test_the_spans_of_one_message_come_from_several_processes_and_are_one_trace(
    started: ExitStack, tmp_path: Path
) -> None:
    collector = Collector()
    started.callback(collector.close)
    database = started.enter_context(contextmanager(fresh_server_database)(POSTGRESQL))
    telling = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={KEY}",
        "OTEL_SERVICE_NAME": "front-desk",
        # Most comes at the end: nothing may be lost there.
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
    j, settings = connected(
        started, tmp_path / "data", LOBBY_DATABASE_URL=database, LOBBY_WORKERS="0", **telling
    )
    environment = {
        **clean_environment(),
        "LOBBY_DATA": str(tmp_path / "data"),
        **settings,
        "LOBBY_WORKERS": "2",
    }
    worker = Program.start("worker", [sys.executable, "-u", "-m", "host.cli", "worker"], environment)
    started.callback(worker.stop)
    worker.wait_for("lobby worker running")
    # What reading the history finds first is applied without making a message.
    until(lambda: history_is_read(database), "the history read", SECONDS)
    applied, queued = talk(j, worker)
    worker.stop()
    j.host.program.stop()

    inbound = _trace(collector, "lobby.request_id", applied["request_id"])
    outbound = _trace(collector, "lobby.message_id", queued["message_id"], name="queued")
    for trace, root, by_worker in ((inbound, "received", "applied"), (outbound, "queued", "sent")):
        (begun,) = [span for span in trace if not span.parent_id]
        assert begun.name == root
        assert {span.parent_id for span in trace if span is not begun} == {begun.span_id}
        assert {root, by_worker, "shown"} <= {span.name for span in trace}
        for span in trace:
            assert span.resource["service.name"] == "front-desk"
            here = "worker" if span.name == by_worker else "web"
            assert span.resource["lobby.process"] == here
    pids = {span.resource["lobby.process"]: span.resource["process.pid"] for span in collector.spans}
    assert pids["worker"] == worker.process.pid
    assert pids["web"] == j.host.program.process.pid
    assert {one["x-key"] for one in collector.headers} == {KEY}
    token = next(one["value"] for one in j.seed["tokens"] if one["id"] == "pottery-long")
    told = str(collector.spans)
    for text in (QUESTION[:-2], ANSWER, "ana.sample", token, KEY):
        assert text not in told, "spans hold ids, never what was said"
    assert KEY not in j.host.program.output + worker.output


def _trace(collector: Collector, attribute: str, value: Any, *, name: str | None = None) -> list[Span]:
    named = [span for span in collector.spans if name in (None, span.name)]
    (trace_id,) = {span.trace_id for span in named if span.attributes.get(attribute) == value}
    return [span for span in collector.spans if span.trace_id == trace_id]


def test_a_desk_works_and_ends_as_ever_while_no_collector_answers(started: ExitStack, tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    j, _ = connected(started, tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT=dead)
    talk(j, j.host.program)
    j.host.program.stop()
    assert j.host.program.process.returncode == 0
    assert "Traceback" not in j.host.program.output
    said = [line for line in j.host.program.output.splitlines() if '"opentelemetry' in line]
    assert len(said) <= 2, said
