"""The journey on a database server, with a second web process and a worker beside the first."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.__main__ import desk_settings
from demo.journey import AGENT, PASSWORD, STEPS, Journey, until
from demo.outside import Outside
from demo.person import Person
from demo.processes import Host, Program, Sandbox, clean_environment, free_port, sandbox_settings
from tests.conftest import MARIADB, POSTGRESQL, fresh_server_database

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture(params=["postgresql", "mariadb"])
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    yield from fresh_server_database(POSTGRESQL if request.param == "postgresql" else MARIADB)


@pytest.fixture
def journey(server_url: str, tmp_path: Path) -> Iterator[Journey]:
    sandbox = Sandbox.start()
    outside = Outside()
    outside.start()
    smtp_port = free_port()
    settings = {**desk_settings(sandbox, outside, smtp_port), "LOBBY_DATABASE_URL": server_url}
    host = Host.start(tmp_path / "data", port=free_port(), settings=settings)
    yield Journey(sandbox, host, outside, smtp_port)
    host.program.stop()
    sandbox.program.stop()
    outside.stop()


def test_the_whole_journey_with_several_processes_on_one_database(
    journey: Journey, server_url: str, tmp_path: Path
) -> None:
    for _, step in STEPS:
        step(journey)
    settings = {**sandbox_settings(journey.sandbox), "LOBBY_DATABASE_URL": server_url}
    second = Host.start(tmp_path / "data", port=free_port(), settings=settings)
    environment = {**clean_environment(), "LOBBY_DATA": str(tmp_path / "data"), **settings}
    worker = Program.start("worker", [sys.executable, "-u", "-m", "host.cli", "worker"], environment)
    try:
        worker.wait_for("lobby worker running")
        person = Person(second.url)
        person.open("/login")
        person.press("Sign in", {"email": AGENT, "password": PASSWORD})
        inbox = f"/w/{journey.workspace}/inbox"
        journey.control("POST", "dm", {"customer": "kit.makes.sample", "text": "Do you ship to Norway?"})
        until(lambda: "Do you ship to Norway?" in person.open(inbox), "the DM in the second process")
        assert "channel=instagram" in person.html
        journey.admin.open("/admin/addons")
        journey.admin.press("Deactivate", to="/instagram/")
        started = time.monotonic()
        until(lambda: person.open(inbox) and "channel=instagram" not in person.html, "the filter's end there")
        print(f"\na deactivation reached the second process in {time.monotonic() - started:.2f} s")
        for program in (journey.host.program, second.program, worker):
            assert "Traceback" not in program.output
    finally:
        worker.stop()
        second.program.stop()
