"""The addresses a load balancer and Prometheus ask: in front of everything, with no login and no secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from host import recording
from host.core import clock, db
from host.health import process_state
from host.models.health import Metric, Process
from host.process.serving import HostApplication
from tests.addons.conftest import configuration

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
    assert body == {"ready": True, "serving": True, "generation": True, "database": True, "migrations": True}
    assert Client(serving).head("/readyz").text == ""
    assert Client(serving).post("/healthz").status_code == 405


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
    recording.flush()
    serving.loop.note(0.25)
    serving.loop.note(0.001)

    def worker(session: Any) -> None:
        at = clock.now() - timedelta(seconds=30)
        some = {"generation": 1, "workers": 4, "spooled": 0, "spooled_bytes": 0, "version": "1", "pid": 1}
        session.add(Process(id="w", kind="worker", machine="m", started_at=at, seen_at=at, **some))

    db.write(worker)
    found = samples(serving)
    assert found["lobby_events_received_total", "email"] == 2
    assert found["lobby_events_handled_total", "dead", "email"] == 1
    assert found["lobby_requests_refused_total", "email", "signature"] == 1
    assert found["lobby_visible_seconds_count", "email"] == 2
    assert found["lobby_visible_seconds_sum", "email"] == pytest.approx(7200.003)
    assert found["lobby_visible_seconds_bucket", "0.004", "email"] == 1
    assert found["lobby_visible_seconds_bucket", "+Inf", "email"] == 2
    assert found["lobby_processes", "worker"] == 1
    assert found[("lobby_dead_letters",)] == 0
    assert found["lobby_queue_age_seconds", "in"] == 0
    assert found[("lobby_database_up",)] == found[("lobby_ready",)] == 1
    assert found[("lobby_loop_held_seconds",)] == 0.25
    travel(timedelta(minutes=2))
    assert samples(serving)["lobby_processes", "worker"] == 0


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
