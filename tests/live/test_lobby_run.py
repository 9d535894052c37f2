"""Streams of `lobby run`: several processes, granian, and stopping while browsers watch."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from demo.processes import Host, free_port
from host.core import clock, db
from host.events.writing import show
from host.users import members
from tests import helpers
from tests.inbox import desks, scenes
from tests.inbox.desks import Desk
from tests.live.served import Reader, cookie

pytestmark = pytest.mark.sqlite_first

SESSION_KEY = "a key for tests"
THREADS = 9


@contextmanager
def lobby(data: Path, **settings: str) -> Iterator[Host]:
    """Run `lobby run` on the database of this process, which people of this process are signed in at."""
    url = db.current().url.render_as_string(hide_password=False)
    given = {f"LOBBY_{name.upper()}": value for name, value in settings.items()}
    host = Host.start(
        data,
        port=free_port(),
        settings={
            "LOBBY_DATABASE_URL": url,
            "LOBBY_SESSION_KEY": SESSION_KEY,
            "LOBBY_THREADS": str(THREADS),
            "LOBBY_WORKERS": "0",
            **given,
        },
    )
    try:
        yield host
    finally:
        host.program.stop()


def port_of(host: Host) -> int:
    return int(host.url.rpartition(":")[2])


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def path(desk: Desk, rest: str = "") -> str:
    return f"/w/{desk.workspace}/live{rest}"


def say(workspace: int, number: int) -> None:
    db.write(show, workspace, "conversation", conversation_id=number)


def told(reader: Reader) -> str:
    return reader.frame()["data"]


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["uvicorn", pytest.param("granian", marks=pytest.mark.slow)])
def test_streams_hold_no_thread_and_end_at_once_when_it_stops(server: str, desk: Desk, data: Path) -> None:
    people = [helpers.client_for(desk.app, helpers.make_user(workspace=desk.workspace)) for _ in range(40)]
    with lobby(data, server=server) as host, ExitStack() as opened:
        readers = [opened.enter_context(Reader(port_of(host), path(desk), each)) for each in people]
        assert {reader.status for reader in readers} == {200}
        say(desk.workspace, 2)
        assert {told(reader) for reader in readers} == {'{"conversation":2}'}
        # Far fewer than there are streams: the server's own, and those that run beside requests.
        assert threads_of(host.program.process.pid) < THREADS + 20
        connection = http.client.HTTPConnection("127.0.0.1", port_of(host), timeout=60)
        connection.request("GET", path(desk, "/poll"), headers={"Cookie": cookie(desk.browser)})
        usual = connection.getresponse()
        assert usual.status == 200
        connection.close()
        # What every answer says, a stream says too.
        unlike = {"content-length", *map(str.lower, readers[0].response.headers.keys())}
        assert set(map(str.lower, usual.headers.keys())) <= unlike
        assert not usual.headers.get("Server"), "nobody needs to know what answers"
        assert not readers[0].response.headers.get("Server")
        assert len({reader.response.headers["X-Request-Id"] for reader in readers}) == len(readers)
        stop_while(host, lambda: [reader.frame() for reader in readers] == [{}] * 40)
        assert host.program.process.returncode == 0
        assert "Traceback" not in host.program.output


def stop_while(host: Host, check: Callable[[], bool]) -> None:
    stopping = threading.Thread(target=host.program.stop, args=(120,))
    stopping.start()
    assert check()
    stopping.join(120)


@pytest.mark.services
@pytest.mark.parametrize(
    "any_database", ["postgresql", pytest.param("mariadb", marks=pytest.mark.slow)], indirect=True
)
def test_a_change_in_one_process_reaches_browsers_of_another(any_database: db.Database, data: Path) -> None:
    desk = desks.open_desk(data)
    scene = scenes.Scene(desk)
    scene.said("ana", "Ana Q.", "Hello", clock.now())
    other = helpers.make_workspace("Other")
    eve = helpers.client_for(desk.app, helpers.make_user(workspace=other))
    with lobby(data) as one, lobby(data) as two, ExitStack() as opened:
        here = opened.enter_context(Reader(port_of(one), path(desk), desk.browser))
        there = opened.enter_context(Reader(port_of(two), path(desk), desk.browser))
        stranger = opened.enter_context(Reader(port_of(two), f"/w/{other}/live", eve))
        token = desk.browser.csrf()
        connection = http.client.HTTPConnection("127.0.0.1", port_of(one), timeout=60)
        connection.request(
            "POST",
            desk.path(f"/{scene.conversation('ana')}/close"),
            urlencode({"csrf_token": token}),
            {"Cookie": cookie(desk.browser), "Content-Type": "application/x-www-form-urlencoded"},
        )
        assert connection.getresponse().status < 400
        connection.close()
        frames = [here.frame(), there.frame()]
        assert frames[0] == frames[1]
        assert str(scene.conversation("ana")) in frames[0]["data"]
        # Who is put out of the workspace by anybody loses the stream wherever it is.
        db.write(members.remove, desk.workspace, desk.mia.id)
        while there.frame():
            pass
        while here.frame():
            pass
        say(other, 5)
        assert told(stranger) == '{"conversation":5}'
