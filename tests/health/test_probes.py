"""The addresses a load balancer and Prometheus ask: in front of everything, with no login and no secret."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from shutil import disk_usage
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from host import __version__, recording
from host.addons.metrics import in_process
from host.core import clock, db
from host.core.backports.values import replace
from host.core.config import CannotGoOnError, Exit
from host.health import libraries, process_state
from host.health.probes import Probes
from host.health.process_state import ProcessState
from host.models.health import TOTAL, HealthMinute, Kind, Metric, Outcome, Process
from host.process import connections, probe_server
from host.process.asgi import AsgiApplication
from host.process.serving import HostApplication
from tests.addons.conftest import configuration
from tests.delivery.desk import Desk
from tests.health import pretend
from tests.live.worker import uvicorn_server
from tests.process.asking import ask, connect, head, rest, status

TOKEN = "a token of some length"[:22].replace(" ", "-")
Travel = Callable[[timedelta], None]


@pytest.fixture
def serving(any_database: db.Database, data: Path) -> Iterator[HostApplication]:
    application = HostApplication(configuration(any_database, data, LOBBY_METRICS_TOKEN=TOKEN))
    application.start()
    yield application
    application.close()


@pytest.fixture
def application(database: db.Database, data: Path) -> Iterator[HostApplication]:
    made = HostApplication(configuration(database, data))
    made.start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_state, "FRESH_SECONDS", 0.0)


def ready(application: HostApplication) -> tuple[int, dict[str, bool]]:
    answer = Client(application).get("/readyz")
    return answer.status_code, json.loads(answer.text)


def samples(application: HostApplication) -> dict[tuple[Any, ...], float]:
    answer = Client(application).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_desk_that_serves_is_healthy_and_ready(serving: HostApplication) -> None:
    answer = Client(serving).get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert answer.headers["Cache-Control"] == "no-store"
    status, body = ready(serving)
    assert status == 200
    parts = ("serving", "generation", "database", "migrations", "libraries")
    assert body == {"ready": True, **dict.fromkeys(parts, True)}
    assert Client(serving).head("/readyz").text == ""
    assert Client(serving).post("/healthz").status_code == 405


@pytest.mark.parametrize(
    ("setting", "value", "module"),
    [
        ("LOBBY_FILES", "s3://bucket", "obstore.store"),
        ("LOBBY_LIMITS_URL", "redis://127.0.0.1:1/0", "redis"),
        ("LOBBY_BROKER_URL", "redis://127.0.0.1:1/0", "dramatiq.brokers.redis"),
        ("LOBBY_BROKER_URL", "amqp://127.0.0.1:1", "pika"),
        ("LOBBY_DATABASE_URL", "postgresql://localhost/lobby", "psycopg"),
    ],
)
def test_it_is_not_ready_where_a_library_of_a_configured_service_is_broken(
    database: db.Database,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    setting: str,
    value: str,
    module: str,
) -> None:
    """The package is there, but what it needs is not."""
    made = configuration(database, data)
    server = "postgresql+psycopg://localhost/lobby"
    settings = {"database_url": server, setting.removeprefix("LOBBY_").lower(): value}
    if setting == "LOBBY_DATABASE_URL":
        settings["database_url"] = server
    config = replace(made, **settings)
    assert list(libraries.missing(config)) == []
    monkeypatch.setitem(sys.modules, module, None)
    probes = Probes(config, lambda: ProcessState(serving=True, generation=1, failures=0))
    status, _headers, body = probes.answer("/readyz", "GET", "")
    assert (status, json.loads(body)["libraries"]) == (503, False)
    assert f"{setting} needs the library {module}" in caplog.text
    status, _headers, body = probes.answer("/readyz/webhooks", "GET", "")
    assert (status, json.loads(body)["libraries"]) == (200, False)


def test_services_that_are_not_configured_need_nothing(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("obstore", "redis", "dramatiq", "pika", "psycopg", "pymysql"):
        monkeypatch.setitem(sys.modules, module, None)
    assert list(libraries.missing(configuration(database, data))) == []


def test_it_is_not_ready_before_it_starts_nor_after_it_was_told_to_end(
    database: db.Database, data: Path
) -> None:
    made = HostApplication(configuration(database, data))
    assert ready(made)[1]["serving"] is False
    made.start()
    assert ready(made)[0] == 200
    made.close()
    assert ready(made)[0] == 503
    assert Client(made).get("/healthz").status_code == 200


def test_without_the_database_webhooks_are_taken_in_as_long_as_the_spool_has_room(
    serving: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    def webhooks() -> tuple[int, Any]:
        answer = Client(serving).get("/readyz/webhooks")
        return answer.status_code, answer.json

    assert webhooks() == (200, Client(serving).get("/readyz").json)
    monkeypatch.setattr("host.health.process_state.FRESH_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(db, "read", away)
        assert Client(serving).get("/readyz").status_code == 503
        status, parts = webhooks()
        assert (status, parts["ready"], parts["spool"], parts["database"]) == (200, True, True, False)
        patch.setattr(serving.probes, "_spool_most", 0)
        status, parts = webhooks()
        assert (status, parts["ready"], parts["spool"]) == (503, False, False)


def test_tables_of_an_older_version_are_not_ready_and_those_of_a_newer_are(serving: HostApplication) -> None:
    def version(to: str) -> None:
        db.write(lambda s: s.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": to}))

    version("0001")
    status, body = ready(serving)
    assert (status, body["database"], body["migrations"]) == (503, True, False)
    version("9999")
    assert ready(serving)[0] == 200


def test_without_the_database_it_is_healthy_and_not_ready(
    application: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(db, "read", away)
    assert Client(application).get("/healthz").status_code == 200
    status, body = ready(application)
    assert (status, body["database"], body["migrations"]) == (503, False, False)


def test_that_the_database_is_away_is_said_once_and_then_how_often(
    application: HostApplication, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    with monkeypatch.context() as patch:
        patch.setattr(db, "read", away)
        for _ in range(4):
            assert ready(application)[0] == 503
    assert ready(application)[0] == 200
    said = [one.getMessage() for one in caplog.records if one.name == "host.health.process_state"]
    assert said == [
        "a probe could not use the database: away",
        "probes can use the database again; 4 in a row could not",
    ]


def test_a_database_that_hangs_does_not_hold_the_probe(
    application: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    asked = []

    def hangs() -> None:
        asked.append(1)
        goes_on.wait()
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(process_state, "PATIENCE_SECONDS", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(db, "read", hangs)
        probe = process_state.DatabaseProbe()
        assert [probe.state().answers for _ in range(3)] == [False, False, False]
        assert len(asked) == 1, "one waits, the others do not ask again"
    goes_on.set()


def test_probes_answer_while_no_generation_can_be_had(
    application: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("no generation")

    monkeypatch.setattr(application, "generation", broken)
    assert Client(application).get("/healthz").status_code == 200
    assert ready(application)[0] == 200


def test_without_a_token_there_are_no_metrics(application: HostApplication) -> None:
    assert Client(application).get("/metrics").status_code == 404
    assert Client(application).get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe4"]
)
def test_metrics_are_for_who_has_the_token(database: db.Database, data: Path, header: str) -> None:
    made = HostApplication(configuration(database, data, LOBBY_METRICS_TOKEN=TOKEN))
    answer = Client(made).get("/metrics", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert "lobby_" not in answer.text


def test_metrics_tell_of_all_processes(serving: HostApplication, travel: Travel) -> None:
    recording.received([("email", 1, "pending"), ("email", 2, "dead")])
    recording.took(Metric.VISIBLE, "email", [timedelta(milliseconds=3), timedelta(hours=2)])
    recording.count(Metric.REFUSED, "email", "signature")
    recording.count(Metric.UNDONE, "", "deadlock", 2)
    recording.flush()
    serving.loop.note(0.25)
    serving.loop.note(0.001)

    def worker(session: Any) -> None:
        at = clock.now() - timedelta(seconds=5)
        some = {"generation": 1, "workers": 4, "spooled": 0, "spooled_bytes": 0, "version": "1", "pid": 1}
        session.add(Process(id="w", kind="worker", machine="m", started_at=at, seen_at=at, **some))

    db.write(worker)
    found = samples(serving)
    assert found["lobby_events_received_total", "email"] == 2
    assert found["lobby_events_handled_total", "dead", "email"] == 1
    assert found["lobby_requests_refused_total", "email", "signature"] == 1
    assert (found["lobby_writes_undone_total", "deadlock"], found["lobby_writes_undone_total", "lock"]) == (
        2,
        0,
    )
    assert found["lobby_visible_seconds_count", "email"] == 2
    assert found["lobby_visible_seconds_sum", "email"] == pytest.approx(7200.003)
    assert found["lobby_visible_seconds_bucket", "0.004", "email"] == 1
    assert found["lobby_visible_seconds_bucket", "+Inf", "email"] == 2
    assert found["lobby_processes", "worker"] == 1
    assert found["lobby_processes_by_version", "1"] == 1
    assert found["lobby_build_info", __version__] == 1
    assert found[("lobby_dead_letters",)] == 0
    assert found["lobby_queue_age_seconds", "in"] == 0
    assert found[("lobby_database_up",)] == found[("lobby_ready",)] == 1
    assert found[("lobby_loop_held_seconds",)] == 0.25
    assert (found[("lobby_processes_delivering",)], found[("lobby_processes_lost",)]) == (1, 0)
    travel(timedelta(seconds=12))
    found = samples(serving)
    assert found[("lobby_processes_delivering",)] == 0, "nobody delivers, as far as is known"
    assert 11 < found[("lobby_worker_seen_seconds",)] < 60
    travel(timedelta(minutes=2))
    found = samples(serving)
    assert found["lobby_processes", "worker"] == 0
    assert found[("lobby_processes_delivering",)] == 0
    assert found[("lobby_processes_lost",)] >= 1, "and this one, once it has said that it is there"


def test_what_has_not_happened_yet_is_told_as_0(serving: HostApplication) -> None:
    Desk()
    found = samples(serving)
    sends = {labels[1]: value for (name, *labels), value in found.items() if name == "lobby_sends_total"}
    assert sends == dict.fromkeys(Outcome, 0)
    assert found["lobby_events_handled_total", "dead", "email"] == 0
    recording.sent("email", Outcome.FAILED)
    recording.flush()
    assert samples(serving)["lobby_sends_total", "email", "failed"] == 1


def test_metrics_tell_of_what_this_process_stands_on(serving: HostApplication, travel: Travel) -> None:
    serving._front.put_off = 3
    db.write(pretend.process, "worker", Kind.WORKER, broker="away", limits_away_since=clock.now())
    in_process.metrics().note("toy", "1.0.0", "parse", 0.1, ValueError("no"))
    in_process.metrics().note("toy", "1.0.0", "parse", 0.1)
    recording.flush()
    found = samples(serving)
    assert found[("lobby_webhooks_put_off_total",)] == 3
    assert found[("lobby_broker_away",)] == 1
    assert found[("lobby_limits_away",)] == 1
    assert found["lobby_addon_faults_total", "toy"] == 1
    assert found[("lobby_spool_bytes_most",)] == serving.config.spool_mb * 1024**2
    assert 0 < found[("lobby_disk_free_bytes",)] <= disk_usage(serving.config.data).total
    assert found[("lobby_time_seconds",)] == pytest.approx(time.time(), abs=60)
    travel(timedelta(hours=1))
    assert samples(serving)[("lobby_time_seconds",)] == pytest.approx(time.time() + 3600, abs=60)


def test_metrics_tell_of_pages_and_the_api(serving: HostApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a page that fails")

    with uvicorn_server(AsgiApplication(serving)) as port:
        for path in ("/login", "/none", "/api/v1/accounts", "/static/lobby.css"):
            ask(port, head("GET", path))
        monkeypatch.setitem(serving.generation().app.view_functions, "accounts.login", broken)
        assert status(ask(port, head("GET", "/login"))) == 500
    recording.flush()
    found = samples(serving)
    assert found["lobby_http_seconds_count", "page"] == 3
    assert found["lobby_http_seconds_count", "api"] == 1
    assert found["lobby_http_seconds_sum", "page"] >= 0
    assert found["lobby_http_errors_total", "500", "page"] == 1
    assert found["lobby_http_errors_total", "500", "api"] == 0, "told before it happens"
    with db.read() as session:
        rows = sa.select(HealthMinute.minute).where(HealthMinute.metric.in_([Metric.HTTP, Metric.ERRORS]))
        assert set(session.scalars(rows)) == {TOTAL}, "no history is kept of them"


def test_metrics_tell_of_streams_and_of_the_pool(serving: HostApplication) -> None:
    assert samples(serving)[("lobby_live_streams",)] == 0
    stream = serving.hub.subscribe(1, 1, 1, capacity=5)
    connections = [db.current().read_engine.connect() for _ in range(3)]
    try:
        found = samples(serving)
        assert found[("lobby_live_streams",)] == 1
        assert found["lobby_database_connections", "used"] >= 3
        assert found[("lobby_database_connections_most",)] > found["lobby_database_connections", "used"]
    finally:
        stream.end()
        for connection in connections:
            connection.close()


def test_metrics_say_that_the_database_is_away(
    serving: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    (serving.config.data / "spool").mkdir(exist_ok=True)
    (serving.config.data / "spool" / "1.request").write_bytes(b"abc")
    with monkeypatch.context() as patch:
        patch.setattr(db, "read", away)
        found = samples(serving)
    assert found[("lobby_database_up",)] == found[("lobby_ready",)] == 0
    assert (found[("lobby_spool_requests",)], found[("lobby_spool_bytes",)]) == (1, 4096)
    (serving.config.data / "spool" / "1.request").unlink()


# A process that only delivers


@pytest.fixture
def worker(database: db.Database, data: Path) -> Iterator[HostApplication]:
    settings = {"LOBBY_METRICS_TOKEN": TOKEN, "LOBBY_WORKERS": "1", "LOBBY_SENDERS": "1"}
    made = HostApplication(configuration(database, data, **settings))
    made.start(web=False)
    yield made
    made.close()


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_worker_answers_probes_where_it_is_told_to(worker: HostApplication) -> None:
    port = free()
    with probe_server.answering(worker.probes, ("127.0.0.1", port)):
        answer = ask(port, head("GET", "/healthz"))
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\nok")
        assert b"server:" not in answer.lower()
        assert b"Python" not in answer
        answer = ask(port, head("GET", "/readyz"))
        assert status(answer) == 200
        assert json.loads(answer.split(b"\r\n\r\n")[1])["delivering"] is True
        assert status(ask(port, head("GET", "/metrics"))) == 401
        answer = ask(port, head("GET", "/metrics", f"Authorization: Bearer {TOKEN}"))
        assert b'lobby_processes{kind="worker"}' in answer
        assert [status(ask(port, head("GET", path))) for path in ("/", "/readyz/webhooks", "/login")] == [
            404
        ] * 3
        assert status(ask(port, head("POST", "/healthz"))) == 405
        assert status(ask(port, b"nonsense\r\n\r\n")) == 400
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


def test_a_worker_that_was_told_to_end_delivers_no_more(worker: HostApplication) -> None:
    worker.retire()
    body = ready(worker)[1]
    assert (body["ready"], body["delivering"]) == (False, False)


def test_without_an_address_a_worker_answers_nowhere(worker: HostApplication) -> None:
    before = threading.active_count()
    with probe_server.answering(worker.probes, None):
        assert threading.active_count() == before


def test_callers_who_say_nothing_do_not_use_a_worker_up(
    worker: HostApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    port = free()
    with probe_server.answering(worker.probes, ("127.0.0.1", port)):
        silent = [connect(port) for _ in range(probe_server.MOST + 8)]
        for one in silent:
            assert rest(one) == b""
            one.close()
        assert status(ask(port, head("GET", "/healthz"))) == 200


def test_an_address_that_is_taken_is_said(worker: HostApplication) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(CannotGoOnError, match=r"set LOBBY_WORKER_LISTEN to") as told,
            probe_server.answering(worker.probes, taken.getsockname()),
        ):
            pass
    assert told.value.code is Exit.BUSY
