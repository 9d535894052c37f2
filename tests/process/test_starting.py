"""A process that starts while its database is away, or beside another one, or after one that was cut off."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host import counters
from host.core import config, db, migrations, secrets
from host.core.config import CannotGoOnError, Config, Exit
from host.core.migrations import State
from host.process import starting
from host.process.asgi import AsgiApplication
from host.process.serving import AlreadyServingError, HostApplication
from host.process.starting import Start, bring_up
from host.process.waiting import WaitingHost
from host.users import setup, users
from tests.conftest import KEYS, MARIADB, POSTGRESQL, fresh_server_database
from tests.helpers import on_a_loop
from tests.wire import Wire

PORTS = {POSTGRESQL: 5432, MARIADB: 3306}
AWAY = "postgresql://lobby:sesame@127.0.0.1:1/lobby"


def settings(data: Path, url: str, **environ: str) -> Config:
    return config.load(
        {
            "LOBBY_DATA": str(data),
            "LOBBY_DATABASE_URL": url,
            "LOBBY_WORKERS": "0",
            "LOBBY_THREADS": "2",
            **environ,
        }
    )


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    counters.reset()
    secrets.use(secrets.Keyring(KEYS))
    yield
    counters.reset()


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of its own on a server."""
    yield from fresh_server_database(request.param)


on_servers = pytest.mark.parametrize(
    "url",
    [
        pytest.param(POSTGRESQL, id="postgresql"),
        pytest.param(MARIADB, id="mariadb", marks=pytest.mark.slow),
    ],
    indirect=True,
)


async def ask(
    application: Any, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of what an ASGI application answers."""
    given = {"host": "desk", "content-length": str(len(body)), **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("198.51.100.1", 4000),
        "server": ("desk", 80),
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(one.get("body", b"") for one in sent[1:]).decode()


def test_while_it_waits_it_is_alive_not_ready_and_says_so_plainly(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    db.connect(AWAY)
    config = settings(data, AWAY, LOBBY_METRICS_TOKEN="for-prometheus-alone")
    waiting = AsgiApplication(WaitingHost(config))

    def answer(*given: Any, **options: Any) -> tuple[int, dict[str, str], str]:
        return on_a_loop(ask(waiting, *given, **options))

    assert answer("GET", "/healthz")[0] == 200
    for path in ("/readyz", "/readyz/webhooks"):
        status, _, body = answer("GET", path)
        assert (status, json.loads(body)["ready"], json.loads(body)["database"]) == (503, False, False)
    status, headers, page = answer("GET", "/w/1/inbox")
    assert (status, headers["retry-after"]) == (503, "30")
    assert "The database does not respond." in page
    dresses = re.findall(r'(?:href|src)="(/[^"?]+\.(?:css|js|svg))', page)
    assert any("bootstrap" in one for one in dresses), "it looks like the other pages"
    assert {answer("GET", one)[0] for one in dresses} == {200}
    status, _, body = answer("POST", "/api/v1/messages", b"{}")
    assert (status, json.loads(body)["error"]["code"]) == (503, "unavailable")
    for path in ("/login", "/addons/toy/webhook", "/webhooks/toy/abc"):
        status, headers, _ = answer("POST", path, b"{}")
        assert (status, headers["retry-after"]) == (503, "30")
    token = {"authorization": "Bearer for-prometheus-alone"}
    status, _, text = answer("GET", "/metrics", headers=token)
    assert status == 200
    for line in ("lobby_ready 0.0", "lobby_database_up 0.0", "lobby_webhooks_put_off_total 1.0"):
        assert f"\n{line}\n" in text
    assert [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []


def test_what_seals_is_at_hand_before_the_database_answers(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = settings(data, AWAY)
    secrets.load_keyring(used)  # a start before this one
    db.connect(AWAY)
    monkeypatch.setattr(secrets, "_keyring", None)
    assert Start(used).attempt() is None
    assert secrets.is_ready()


@on_servers
@pytest.mark.slow
def test_it_goes_on_by_itself_as_soon_as_the_database_answers(
    url: str, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = POSTGRESQL if url.startswith(POSTGRESQL) else MARIADB
    wire = Wire(PORTS[server])
    wire.cut()
    there = url.replace(f":{PORTS[server]}/", f":{wire.port}/")
    used = settings(data, there)
    db.connect(used.database_url)
    start = Start(used)
    try:
        assert start.attempt() is None
        assert start.attempt() is None
        (line,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
        assert f"127.0.0.1:{wire.port}, database" in line, "it says where it looked, once"
        wire.mend()
        application = start.insist(threading.Event())
        assert application is not None
        try:
            assert re.search(r"at try \d+; Lobby goes on", caplog.text)
            assert migrations.state(there) is State.CURRENT

            async def before_and_after() -> tuple[int, int]:
                waiting = WaitingHost(used)
                answers = AsgiApplication(waiting)
                before = (await ask(answers, "GET", "/login"))[0]
                waiting.hand_over(answers, application)
                return before, (await ask(answers, "GET", "/login"))[0]

            assert on_a_loop(before_and_after()) == (503, 200)
            assert "0 webhooks were kept and 1 requests answered with 503" in caplog.text
        finally:
            application.close()
    finally:
        db.current().dispose()
        wire.close()


@pytest.mark.parametrize("where", ["ensure_setup_token", "HostApplication"])
def test_a_database_that_goes_away_in_the_middle_of_the_start_is_waited_for(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    used = settings(data, database.url.render_as_string())
    monkeypatch.setattr(db, "may_come_back", lambda error: isinstance(error, sa.exc.OperationalError))
    real = getattr(starting, where)
    cut = True

    def once(*given: Any, **named: Any) -> Any:
        nonlocal cut
        if cut:
            cut = False
            raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))
        return real(*given, **named)

    monkeypatch.setattr(starting, where, once)
    start = Start(used)
    assert start.attempt() is None
    application = start.attempt()
    assert application is not None
    application.close()


@on_servers
def test_a_server_that_lets_nobody_in_is_not_waited_for(url: str, data: Path) -> None:
    used = settings(data, f"{url}_nonesuch")
    db.connect(used.database_url)
    with pytest.raises(sa.exc.OperationalError):
        Start(used).attempt()


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
def test_a_server_that_says_nothing_is_given_up_and_asked_again(
    data: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(db, "REACH_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        used = settings(data, f"{scheme}://lobby:sesame@127.0.0.1:{silent.getsockname()[1]}/lobby")
        db.connect(used.database_url)
        assert Start(used).attempt() is None


def test_a_wait_that_is_told_to_end_ends(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = settings(data, AWAY)
    db.connect(AWAY)
    stopping = threading.Event()
    monkeypatch.setattr(starting, "PAUSE_SECONDS", 600)
    waiting = threading.Thread(target=Start(used).insist, args=(stopping,))
    waiting.start()
    stopping.set()
    waiting.join(30)
    assert not waiting.is_alive()


def cut_off_after(url: str, statements: int) -> None:
    """Have the first start of a desk die after so many of its statements that change the database."""
    left = statements

    class PowerCut(BaseException):
        """Nothing after it runs."""

    def count(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal left
        if statement.lstrip().upper().startswith(("CREATE", "ALTER", "INSERT", "UPDATE")):
            left -= 1
            if left < 0:
                raise PowerCut

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
    try:
        with pytest.raises(PowerCut):
            migrations.upgrade_host(url)
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", count)


@pytest.mark.sqlite_first
@pytest.mark.parametrize("statements", [1, 60, 112])
def test_a_first_start_that_was_cut_off_is_done_by_the_next(
    empty_url: str, data: Path, statements: int
) -> None:
    cut_off_after(empty_url, statements)
    used = settings(data, empty_url)
    db.connect(used.database_url)
    application = bring_up(used)
    try:
        assert migrations.state(empty_url) is State.CURRENT
    finally:
        application.close()
        db.current().dispose()


def test_first_start_says_that_it_makes_the_tables_and_where_and_how_far_it_is(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PROGRESS_SECONDS", 0.0)
    used = settings(data, f"sqlite:///{data / 'new.sqlite3'}")
    db.connect(used.database_url)
    told = f"Setting up the database: SQLite in {data / 'new.sqlite3'}."
    try:
        bring_up(used).close()
        first, *others = capsys.readouterr().out.splitlines()
        count = len(migrations.revisions())
        assert first == told
        assert others[:count] == [
            f"Setting up the database: {number} of {count} steps done." for number in range(1, count + 1)
        ]
        bring_up(used).close()
        assert told not in capsys.readouterr().out
    finally:
        db.current().dispose()


@pytest.mark.slow
@on_servers
def test_two_that_start_at_once_on_an_empty_database_both_serve(
    url: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used = settings(data, url)
    db.connect(used.database_url)
    began: list[HostApplication] = []
    failed: list[BaseException] = []
    together = threading.Barrier(2)

    def start() -> None:
        together.wait()
        try:
            began.append(bring_up(used))
        except BaseException as error:  # noqa: BLE001 - shown below
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for application in began:
        application.close()
    db.current().dispose()
    assert failed == []
    assert len(began) == 2
    assert migrations.state(url) is State.CURRENT
    assert capsys.readouterr().out.count("/setup?token=") == 1


@pytest.mark.slow
@on_servers
def test_the_first_start_on_a_server_prints_the_set_up_link_and_later_ones_leave_it_alone(
    url: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used = settings(data, url)
    db.connect(used.database_url)
    try:
        bring_up(used).close()
        (token,) = re.findall(r"Set up this desk: \S+/setup\?token=(\S+)", capsys.readouterr().out)
        bring_up(used).close()
        said = capsys.readouterr().out
        assert "Set up this desk" not in said
        assert "`lobby setup-link`" in said
        with db.read() as session:
            setup.check(session, token)
        db.write(users.create, "mia@example.com", "Mia", "correct horse battery", is_admin=True)
        bring_up(used).close()
        assert "setup-link" not in capsys.readouterr().out
    finally:
        db.current().dispose()


def test_a_worker_prints_no_set_up_link(
    database: db.Database, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring_up(settings(data, database.url.render_as_string()), web=False).close()
    said = capsys.readouterr().out
    assert ("Set up this desk" in said, "setup-link" in said) == (False, False)


def test_a_second_one_on_a_file_writes_nothing_and_says_why(
    database: db.Database, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used = settings(data, database.url.render_as_string())
    first = bring_up(used)
    try:
        assert "Set up this desk" in capsys.readouterr().out
        with pytest.raises(AlreadyServingError) as told:
            bring_up(used)
        assert (told.value.code, str(database.url.database) in str(told.value)) == (Exit.BUSY, True)
        assert capsys.readouterr().out == "", "the first one's link to set it up still works"
    finally:
        first.close()


@pytest.mark.parametrize(("revision", "said"), [("0006", "an older Lobby"), ("9999", "a newer Lobby")])
def test_tables_of_another_version_are_left_alone(
    database: db.Database, data: Path, revision: str, said: str
) -> None:
    used = settings(data, database.url.render_as_string())
    bring_up(used).close()
    statement = "INSERT INTO workspaces (name, created_at) VALUES ('Pottery', '2026-01-01 00:00:00')"
    db.write(lambda session: session.execute(sa.text(statement)))
    db.write(lambda s: s.execute(sa.text("UPDATE alembic_version SET version_num = :to"), {"to": revision}))
    with pytest.raises(CannotGoOnError, match=said) as told:
        bring_up(used)
    assert told.value.code is Exit.SETTINGS
