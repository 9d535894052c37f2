"""The database is gone: what is answered with 200 is on the disk, and comes out once and in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from demo.processes import free_port
from tests.conftest import POSTGRESQL, fresh_server_database
from tests.whole.rig import Rig, running, until
from tests.whole.shops import APP_SECRET, POTTERY, furnish
from tests.whole.test_webhooks import body_of, entry, event, post, shared, sign
from tests.wire import Wire

pytestmark = [pytest.mark.services, pytest.mark.slow]


class Far:
    """A desk whose database is at the far end of a line."""

    def __init__(self, rig: Rig, wire: Wire, url: str) -> None:
        self.rig = rig
        self.wire = wire
        self.engine = sa.create_engine(url, poolclass=sa.pool.NullPool)

    def texts(self, prefix: str) -> list[Any]:
        query = sa.text("SELECT text FROM messages WHERE text LIKE :like ORDER BY id")
        with self.engine.connect() as connection:
            return list(connection.execute(query, {"like": f"{prefix}%"}).scalars())

    def spooled(self) -> list[Path]:
        return sorted((self.rig.data / "spool").glob("*.request"))

    def deliver(self, text: str) -> int:
        raw = body_of(entry(POTTERY, event(POTTERY, text)))
        return post(shared(self.rig), raw, sign(raw, APP_SECRET)).status_code


@pytest.fixture
def far(tmp_path: Path, addon_zip: Path) -> Iterator[Far]:
    for url in fresh_server_database(POSTGRESQL):
        wire = Wire(5432)
        settings = {"LOBBY_DATABASE_URL": url.replace(":5432/", f":{wire.port}/"), "LOBBY_THREADS": "16"}
        for rig in running(tmp_path, settings=settings, port=free_port()):
            furnish(rig, addon_zip)
            rig.start()
            yield Far(rig, wire, url)
        wire.close()


def test_what_comes_meanwhile_is_on_the_disk_and_applied_in_order_afterwards(far: Far) -> None:
    assert far.deliver("before") == 200
    until(lambda: far.texts("before"), "the first message", 60)
    far.wire.cut()
    answers = []
    for number in range(12):
        answers.append(far.deliver(f"meanwhile {number:02}"))
        assert answers[-1] == 503 or len(far.spooled()) == answers.count(200), "a 200 for nothing stored"
    assert answers == [200] * 12
    raw = body_of(entry(POTTERY, event(POTTERY, "forged")))
    assert post(shared(far.rig), raw, sign(raw, "not the secret")).status_code == 401
    far.rig.kill()  # a power cut on top of it
    far.wire.mend()
    far.rig.start()
    after = 0

    def all_there() -> bool:
        nonlocal after
        assert far.deliver(f"then {after:03}") == 200
        after += 1
        return len(far.texts("meanwhile")) == 12 and not far.spooled()

    until(all_there, "what was kept being applied", 60)
    until(lambda: len(far.texts("then")) == after, "what came then", 60)
    assert far.texts("meanwhile") == [f"meanwhile {number:02}" for number in range(12)]
    assert far.texts("then") == [f"then {number:03}" for number in range(after)]
    assert far.texts("forged") == []


def test_without_a_disk_the_provider_is_asked_to_come_again(far: Far) -> None:
    assert far.deliver("before") == 200
    far.wire.cut()
    assert far.deliver("kept") == 200
    spool = far.rig.data / "spool"
    away = spool.rename(spool.with_name("elsewhere"))
    spool.write_text("no folder")
    assert far.deliver("lost") == 503
    spool.unlink()
    away.rename(spool)
    assert far.deliver("kept too") == 200
    far.wire.mend()
    until(lambda: far.texts("kept") == ["kept", "kept too"], "what was kept being applied", 60)
    far.rig.kill()
    far.rig.start()
    far.wire.cut()  # the new process has decided on nothing yet, and knows whose secret is whose
    assert far.deliver("known") == 200
    raw = body_of(entry(POTTERY, event(POTTERY, "forged")))
    assert post(shared(far.rig), raw, sign(raw, "not the secret")).status_code == 401
    far.wire.mend()
    until(lambda: far.texts("known") == ["known"], "what was kept being applied", 60)


def test_a_desk_that_starts_meanwhile_waits_keeps_what_comes_and_goes_on(far: Far) -> None:
    assert far.deliver("before") == 200
    until(lambda: far.texts("before"), "the first message", 60)
    far.rig.kill()
    far.wire.cut()
    far.rig.start()
    assert requests.get(f"{far.rig.url}/healthz", timeout=10).status_code == 200
    assert requests.get(f"{far.rig.url}/readyz", timeout=10).status_code == 503
    assert requests.get(f"{far.rig.url}/readyz/webhooks", timeout=10).status_code == 200
    page = requests.get(f"{far.rig.url}/login", timeout=10)
    assert (page.status_code, "The database does not respond" in page.text) == (503, True)
    assert [far.deliver(f"meanwhile {number}") for number in range(5)] == [200] * 5
    raw = body_of(entry(POTTERY, event(POTTERY, "forged")))
    assert post(shared(far.rig), raw, sign(raw, "not the secret")).status_code == 200, "nobody can tell yet"
    far.rig.kill()  # a power cut on top of it
    far.rig.start()
    assert far.deliver("meanwhile 5") == 200
    far.wire.mend()
    until(lambda: len(far.texts("meanwhile")) == 6, "what was kept being applied", 60)
    assert far.texts("meanwhile") == [f"meanwhile {number}" for number in range(6)]
    until(lambda: requests.get(f"{far.rig.url}/readyz", timeout=10).status_code == 200, "being ready", 60)
    assert far.deliver("then") == 200
    until(lambda: far.texts("then"), "what came then", 60)
    assert far.texts("forged") == []
    assert "Traceback" not in far.rig.output
