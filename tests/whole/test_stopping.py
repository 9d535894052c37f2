"""A process that is told to stop finishes the call it is in, and leaves everything else for the next."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from demo.processes import Program, sandbox_settings
from tests.conftest import POSTGRESQL, fresh_server_database
from tests.whole.rig import Rig, running, until
from tests.whole.shops import POTTERY, POTTERY_AGENT, furnish, point_webhooks
from tests.wire import Wire

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.fixture(params=["worker", "run"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, addon_zip: Path) -> Iterator[tuple[Any, ...]]:
    """A desk, who delivers for it (a worker of its own or itself), and the line to the provider."""
    for url in fresh_server_database(POSTGRESQL):
        for rig in running(tmp_path):
            port = rig.sandbox.url.rpartition(":")[2]
            wire = Wire(int(port))
            plain = sandbox_settings(rig.sandbox)
            rig.settings |= {name: value.replace(port, str(wire.port)) for name, value in plain.items()}
            rig.settings |= {"LOBBY_DATABASE_URL": url, "LOBBY_THREADS": "16"}
            if request.param == "worker":
                rig.settings["LOBBY_WORKERS"] = "0"
            furnish(rig, addon_zip)
            rig.start()
            point_webhooks(rig)
            program = rig.program
            if request.param == "worker":
                arguments = [sys.executable, "-u", *rig.command, "worker"]
                program = Program.start("worker", arguments, {**rig.environment, "LOBBY_WORKERS": "2"})
                program.wait_for("lobby worker running", 60)
            yield rig, program, wire, sa.create_engine(url, poolclass=sa.pool.NullPool)
            wire.close()
            assert program is not None
            program.stop()


def one(engine: sa.Engine, query: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(sa.text(query)).scalar()


def test_a_send_under_way_is_finished_and_written_down(scene: tuple[Rig, Program, Wire, sa.Engine]) -> None:
    rig, program, wire, engine = scene
    rig.control("POST", "dm", {"account": POTTERY.igid, "customer": POTTERY.customer, "text": "Hello?"})
    conversation = until(lambda: one(engine, "SELECT id FROM conversations"), "the conversation", 60)
    person = rig.person(POTTERY_AGENT)
    person.open("/account")
    form = {
        "text": "Just a moment",
        "reply_key": "under-way",
        "csrf_token": person.forms[-1].values["csrf_token"],
    }
    wire.hold()
    answer = person.session.post(f"{rig.url}/w/1/inbox/{conversation}/reply", data=form, timeout=30)
    assert answer.status_code == 200, answer.text
    state = "SELECT state FROM messages WHERE direction = 'outbound'"
    until(lambda: one(engine, state) == "sending", "the send beginning", 60)
    program.process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(1.5)  # as long as the provider takes, it does not end
    wire.mend()
    assert program.process.wait(60) == 0
    assert one(engine, state) == "sent"
    assert one(engine, "SELECT external_id FROM messages WHERE direction = 'outbound'"), "the provider's id"
    assert "Traceback" not in program.output
