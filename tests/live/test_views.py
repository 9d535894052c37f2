"""Streams and polling as browsers meet them, over real sockets."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.events.writing import Happened, record_all, show
from host.live import hub
from host.users import members, sessions
from host.web import headers
from tests import helpers
from tests.inbox import desks
from tests.inbox.desks import Desk
from tests.live.served import Reader, cookie, serve, until


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def port(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(hub, "CHECK_SECONDS", 0.05)
    with serve(desk) as served:
        yield served


def say(desk: Desk, number: int, topic: str = "conversation") -> None:
    db.write(show, desk.workspace, topic, conversation_id=number)


def path(desk: Desk, rest: str = "") -> str:
    return f"/w/{desk.workspace}/live{rest}"


def test_what_was_missed_and_then_what_happens(desk: Desk, port: int) -> None:
    for number in range(3):
        say(desk, number)
    with Reader(port, path(desk, "?after=1"), desk.browser) as reader:
        assert reader.status == 200
        assert reader.response.headers["Content-Type"].startswith("text/event-stream")
        assert reader.response.headers["X-Accel-Buffering"] == "no"
        assert reader.response.headers["Cache-Control"] == "no-cache"
        assert [reader.frame()["data"] for _ in range(2)] == ['{"conversation":1}', '{"conversation":2}']
        say(desk, 3, "message")
        assert reader.frame() == {"id": "4", "event": "message", "data": '{"conversation":3}'}


def test_a_browser_that_comes_back_says_where_it_was(desk: Desk, port: int) -> None:
    for number in range(3):
        say(desk, number)
    with Reader(port, path(desk, "?after=1"), desk.browser, **{"Last-Event-ID": "2"}) as reader:
        assert reader.frame()["id"] == "3"


def test_too_much_missed_asks_for_a_fresh_page(desk: Desk, port: int) -> None:
    say(desk, 1)
    with Reader(port, path(desk, "?after=99"), desk.browser) as reader:
        assert reader.frame() == {"id": "1", "event": "resync", "data": "{}"}


def test_an_open_stream_holds_no_connection_to_the_database(
    database: db.Database, desk: Desk, port: int
) -> None:
    helpers.read_first(desk.app)
    say(desk, 1)
    with Reader(port, path(desk, "?after=0"), desk.browser) as reader:
        reader.frame()
        until(lambda: database.read_engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
        assert desk.hub.count == 1


def test_there_are_only_so_many_streams(desk: Desk, port: int) -> None:
    desk.app.extensions["lobby.config"] = helpers.make_config(Path("data"), live_streams="1")
    with Reader(port, path(desk), desk.browser) as reader:
        assert reader.status == 200
        with Reader(port, path(desk), desk.browser) as another:
            assert another.status == 503
            assert int(another.response.headers["Retry-After"]) > 0
    until(lambda: desk.hub.count == 0)
    with Reader(port, path(desk), desk.browser) as reader:
        assert reader.status == 200


def test_the_head_is_that_of_any_answer(desk: Desk, port: int) -> None:
    usual = desk.browser.get(path(desk, "/poll")).headers
    with Reader(port, path(desk), desk.browser) as reader:
        found = reader.response.headers
        assert reader.response.version == 11
        for name in headers.HEADERS:
            assert found[name] == usual[name]
        assert "Content-Length" not in found


def test_asking_for_the_head_opens_nothing(desk: Desk, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(2):
        connection.request("HEAD", path(desk), headers={"Cookie": cookie(desk.browser)})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert answer.headers["Content-Type"].startswith("text/event-stream")
    connection.close()
    assert desk.hub.count == 0


def test_the_quiet_hear_that_we_are_still_here(desk: Desk, port: int) -> None:
    with Reader(port, path(desk), desk.browser) as reader:
        lines = [reader.response.readline() for _ in range(6)]
    assert lines.count(hub.HEARTBEAT.whole.splitlines()[0] + b"\n") == 2


@pytest.mark.slow
def test_who_takes_nothing_is_cut_off_and_holds_nobody_up(desk: Desk, port: int) -> None:
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", port))
        stuck.sendall(
            f"GET {path(desk)} HTTP/1.1\r\nHost: x\r\nCookie: {cookie(desk.browser)}\r\n\r\n".encode()
        )
        until(lambda: desk.hub.count == 1)
        with Reader(port, path(desk), desk.browser) as quick:
            heard = 0
            while desk.hub.count == 2 or not heard:
                many = [Happened(desk.workspace, topic="conversation", conversation_id=1)] * 200
                db.write(record_all, many)
                for _ in many:
                    assert quick.frame()
                heard += len(many)
                assert heard < 200_000, "it is never cut off"
        data = b"x"
        with suppress(ConnectionResetError):
            while data:
                data = stuck.recv(1 << 16)


def test_without_asgi_pages_ask(desk: Desk) -> None:
    answer = desk.browser.get(path(desk))
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert desk.hub.count == 0


def test_nothing_is_missed_or_told_twice_by_who_comes_and_goes(desk: Desk, port: int) -> None:
    most = 300
    talking = threading.Thread(target=lambda: [say(desk, number) for number in range(1, most + 1)])
    talking.start()
    heard: list[int] = []
    while not heard or heard[-1] < most:
        with Reader(port, path(desk, f"?after={heard[-1] if heard else 0}"), desk.browser) as reader:
            assert heard == list(range(1, len(heard) + 1))
            for _ in range(min(7, most - len(heard))):
                frame = reader.frame()
                if not frame:
                    break
                assert frame["event"] == "conversation", frame
                heard.append(int(frame["id"]))
    talking.join()
    assert heard == list(range(1, most + 1))


def test_a_person_who_left_loses_the_stream(desk: Desk, port: int) -> None:
    kim = helpers.make_user(workspace=desk.workspace)
    browser = helpers.client_for(desk.app, kim)
    with Reader(port, path(desk), browser) as reader:
        db.write(members.remove, desk.workspace, kim.id)
        # Which of the two threads is first is open: the one that tells, or the one that ends it.
        assert [frame["event"] for frame in iter(reader.frame, {})] in ([], ["access"])
    assert browser.get(path(desk, "/poll")).status_code == 404  # which covers the page as well
    with Reader(port, path(desk), desk.browser) as reader:
        db.write(sessions.end_all, desk.mia.id)
        assert reader.frame() == {}
    until(lambda: desk.hub.count == 0)


def test_a_person_who_left_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "CHECK_SECONDS", 3600)
    kim = helpers.make_user(workspace=desk.workspace)
    with serve(desk) as port, Reader(port, path(desk), helpers.client_for(desk.app, kim)) as reader:
        db.write(members.remove, desk.workspace, kim.id)
        assert reader.frame()["event"] == "access"  # which covers the page


def test_a_busy_stream_is_checked_too(desk: Desk, port: int) -> None:
    with Reader(port, path(desk), desk.browser) as reader:
        db.write(sessions.end_all, desk.mia.id)
        for number in range(200):
            say(desk, number)
        while reader.frame():
            pass
    until(lambda: desk.hub.count == 0)


def test_a_browser_that_went_away_frees_its_place(desk: Desk, port: int) -> None:
    reader = Reader(port, path(desk), desk.browser)
    until(lambda: desk.hub.count == 1)
    reader.close()
    until(lambda: desk.hub.count == 0)


def test_stopping_the_server_ends_the_streams(desk: Desk, port: int) -> None:
    with Reader(port, path(desk), desk.browser) as reader:
        until(lambda: desk.hub.count == 1)
        desk.hub.close()
        assert reader.frame() == {}


def test_polling_tells_the_same(desk: Desk) -> None:
    for number in range(3):
        say(desk, number)
    db.write(show, 0, "addons")
    db.write(show, desk.workspace + 1, "conversation", conversation_id=7)
    answer: Any = desk.browser.get(path(desk, "/poll?after=1")).json
    assert answer["last"] == 5
    assert not answer["resync"]
    assert [(e["id"], e["topic"], e["data"]) for e in answer["events"]] == [
        (2, "conversation", '{"conversation":1}'),
        (3, "conversation", '{"conversation":2}'),
        (4, "addons", "{}"),
    ]
    assert desk.browser.get(path(desk, "/poll")).json == {"last": 5, "resync": False, "events": []}
    assert (desk.browser.get(path(desk, "/poll?after=99")).json or {})["resync"]
    assert len(helpers.shown()) == 5


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, "1.5"])
def test_a_bad_place_is_the_callers_fault(desk: Desk, after: str) -> None:
    assert desk.browser.get(path(desk, f"/poll?after={after}")).status_code == 400
    assert desk.browser.get(path(desk, f"?after={after}")).status_code == 400
    assert desk.hub.count == 0


def test_only_members_hear_anything(desk: Desk) -> None:
    eve = helpers.client_for(desk.app, helpers.make_user(workspace=helpers.make_workspace("Other")))
    for rest in ("", "/poll"):
        assert eve.get(path(desk, rest)).status_code == 404
        assert helpers.browser(desk.app).get(path(desk, rest)).status_code == 302
