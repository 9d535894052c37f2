"""The units of `deploy/`: read as systemd reads them, started with the environment it would give them."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from demo.processes import Program, clean_environment, free_port
from tests.conftest import MARIADB, POSTGRESQL, fresh_server_database
from tests.whole.rig import until
from tests.whole.systemd import Machine, Notices, UnitError, environment_of_file, machine
from tests.wire import Wire

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("*.service"))
REDIS = "redis://127.0.0.1:6379/9"


def uncommented(text: str, **values: str) -> str:
    """Return *text* of a settings file with these settings switched on, each of which has to be in it."""
    for name, value in values.items():
        text, times = re.subn(rf"^#? ?{name}=.*$", f"{name}={value}", text, flags=re.M)
        assert times == 1, name
    return text


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Machine]:
    """A machine with Lobby installed and all of `deploy/` where the install page puts it."""
    with machine(tmp_path / "machine") as found:
        for name in UNITS:
            shutil.copy(DEPLOY / name, found.units / name)
        (found.folder / "etc" / "lobby").mkdir()
        for file in DEPLOY.glob("*.env"):
            shutil.copy(file, found.folder / "etc" / "lobby" / file.name)
        lobby = found.folder / "opt" / "lobby" / "bin" / "lobby"
        lobby.parent.mkdir(parents=True)
        lobby.write_text(f'#!/bin/sh\nexec {sys.executable} -m host.cli "$@"\n')
        lobby.chmod(0o755)
        (found.folder / "var" / "lib" / "lobby" / "attachments").mkdir(parents=True)
        yield found


def set_up(here: Machine, **values: str) -> None:
    """Switch settings of lobby.env on."""
    file = here.folder / "etc" / "lobby" / "lobby.env"
    file.write_text(uncommented(file.read_text(), **values))


def shared(url: str) -> dict[str, str]:
    """Return what lobby.env comments out, for several processes on the database at *url*."""
    return {
        "LOBBY_DATABASE_URL": url,
        "LOBBY_LIMITS_URL": REDIS,
        "LOBBY_BROKER_URL": "redis://127.0.0.1:6379/10",
        "LOBBY_WORKERS": "0",
        "LOBBY_SENDERS": "0",
        "LOBBY_SECRET_KEYS": "k1:" + "A" * 43 + "=",
        "LOBBY_SESSION_KEY": "b" * 64,
    }


def status(port: int, path: str = "/readyz") -> int:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return int(answer.status)


def test_a_file_of_settings_is_read_as_systemd_reads_it() -> None:
    text = "# a\n; b\n\nA=1\n B = two words \nC=\"quoted $HOME\"\nD='it is'\nnothing\nE=x\\\ny\n"
    assert environment_of_file(text) == {
        "A": "1",
        "B": "two words",
        "C": "quoted $HOME",
        "D": "it is",
        "E": "xy",
    }


def test_a_file_overrides_the_unit_and_a_later_file_an_earlier_one(here: Machine) -> None:
    (here.units / "x.service").write_text(
        "[Service]\nEnvironmentFile=/etc/lobby/one\nEnvironmentFile=/etc/lobby/two\n"
        'EnvironmentFile=-/etc/lobby/none\nEnvironment=A=unit "B=of the unit" C=unit\n'
    )
    (here.folder / "etc" / "lobby" / "one").write_text("A=one\nC=one\n")
    (here.folder / "etc" / "lobby" / "two").write_text("C=two\n")
    found = here.unit("x").environment()
    assert (found["A"], found["B"], found["C"]) == ("one", "of the unit", "two")
    (here.folder / "etc" / "lobby" / "two").unlink()
    with pytest.raises(UnitError, match="environment files"):
        here.unit("x").environment()


@pytest.mark.parametrize("name", UNITS)
def test_no_file_overrides_what_a_unit_sets(here: Machine, name: str) -> None:
    """Not even with everything switched on that is commented out."""
    unit = here.unit(name.replace("@.", "@8080."))
    own = {word.split("=")[0] for line in unit.values("Environment") for word in line.split()}
    for file in unit.values("EnvironmentFile"):
        assert not own & set(re.findall(r"^#? ?(\w+)=", Path(file).read_text(), re.M))


def test_a_worker_has_the_numbers_of_a_worker_although_web_processes_have_none(here: Machine) -> None:
    set_up(here, **shared("postgresql://x@127.0.0.1/x"))
    worker, web = here.unit("lobby-worker").environment(), here.unit("lobby-web@8081").environment()
    assert (worker["LOBBY_WORKERS"], worker["LOBBY_SENDERS"]) == ("4", "32")
    assert (web["LOBBY_WORKERS"], web["LOBBY_SENDERS"]) == ("0", "0")
    assert web["LOBBY_BIND"] == "127.0.0.1:8081"


@pytest.mark.slow
def test_the_unit_for_one_machine_starts_and_stops(here: Machine) -> None:
    port = free_port()
    file = here.folder / "etc" / "lobby" / "lobby.env"
    file.write_text(f"{file.read_text()}\nLOBBY_BIND=127.0.0.1:{port}\n")
    unit = here.unit("lobby")
    unit.start()
    assert status(port) == 200, "it said that it is ready"
    unit.stop()
    assert "stopped after" in unit.log.read_text()
    assert (here.folder / "var" / "lib" / "lobby" / "lobby.sqlite3").exists()


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("server", [POSTGRESQL, MARIADB], ids=["postgresql", "mariadb"])
def test_several_units_share_a_machine_and_one_web_process_always_answers(here: Machine, server: str) -> None:
    """Started with the documented files, and restarted one after the other."""
    ports = [free_port(), free_port()]
    webs = [here.unit(f"lobby-web@{port}") for port in ports]
    worker = here.unit("lobby-worker")
    for url in fresh_server_database(server):
        set_up(here, **shared(url))
        try:
            for unit in (*webs, worker):
                unit.start()
            first = [unit.pid for unit in (*webs, worker)]
            for web, other in ((webs[0], ports[1]), (webs[1], ports[0])):
                web.stop()
                assert status(other) == 200
                web.start()
                assert status(int(web.instance)) == 200, "it said that it is ready"
            worker.stop()
            worker.start()
            pids = [unit.pid for unit in (*webs, worker)]
            assert None not in pids
            assert not set(pids) & set(first)
            said = "".join(unit.log.read_text() for unit in webs)
            assert said.count("/setup?token=") == 1
            for unit in (*webs, worker):
                unit.stop()
        finally:
            here.power_off()


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("server", ["uvicorn", "granian"])
def test_a_process_is_ready_once_its_database_is_there_and_says_when_it_stops(
    tmp_path: Path, server: str
) -> None:
    port, wire = free_port(), Wire(5432)
    wire.cut()
    for url in fresh_server_database(POSTGRESQL):
        with Notices() as notices:
            program = Program.start(
                "lobby",
                [sys.executable, "-u", "-m", "host.cli", "run"],
                {
                    **clean_environment(),
                    "LOBBY_DATA": str(tmp_path),
                    "LOBBY_BIND": f"127.0.0.1:{port}",
                    "LOBBY_SERVER": server,
                    "LOBBY_DATABASE_URL": url.replace(":5432/", f":{wire.port}/"),
                    "NOTIFY_SOCKET": notices.address,
                },
            )
            try:
                program.wait_for("lobby listening on ")
                assert notices.next(60) == ["STATUS=Waiting for the database, which does not answer."]
                assert status(port, "/healthz") == 200
                assert notices.next(0) == [], "it answers, and that it waits is not ready"
                wire.mend()
                assert notices.next(60) == ["READY=1", "STATUS="]
                assert until(lambda: status(port), "ready") == 200
                program.process.terminate()
                assert notices.next(60) == ["STOPPING=1"]
            finally:
                program.stop()
                wire.close()
