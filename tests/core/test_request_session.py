"""The session of a request: it reads, never commits, and is not held while the request waits for others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import urlopen

import pytest
import sqlalchemy as sa
from flask import Flask, has_app_context
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from host.core import clock, guard
from host.core.db import (
    Base,
    Database,
    OpenTransactionError,
    ReadOnlyError,
    UncommittableError,
    connect,
    current,
    db,
)
from host.models.users import Workspace
from host.sdk.http import Client
from tests.core.servers import Server, always, answer, serving
from tests.helpers import Browser, LiveServer, make_user

AT_ONCE = 64


def make_app(view: Callable[[], Any]) -> Flask:
    app = Flask(__name__)
    db.init_app(app)
    app.add_url_rule("/", view_func=lambda: str(view()))
    return app


def held() -> int:
    """Return how many connections of the database are in use."""
    return sum(engine.pool.checkedout() for engine in current().engines)  # type: ignore[attr-defined]


def count() -> int:
    return db.session.scalars(sa.select(sa.func.count()).select_from(Workspace)).one()


def add(session: Session, name: str = "Pottery") -> int:
    workspace = Workspace(name=name, created_at=clock.now())
    session.add(workspace)
    session.flush()
    return workspace.id


def test_the_object_offers_the_base_of_the_models_and_every_app_the_same_engine(database: Database) -> None:
    assert db.Model is Base
    assert db.metadata is Base.metadata
    for app in (make_app(count), make_app(count)):
        assert app.extensions["sqlalchemy"] is db
        with app.app_context():
            assert db.engine is database.read_engine
            assert db.session().get_bind() is database.read_engine


def test_a_view_reads_and_the_session_ends_with_the_request(any_database: Database) -> None:
    any_database.write(add)
    seen: list[Session] = []

    def view() -> int:
        seen.append(db.session())
        assert held() == 0
        found = count()
        assert held() == 1
        assert db.session() is seen[-1]
        return found

    client = make_app(view).test_client()
    for _ in range(2):
        assert client.get("/").text == "1"
        assert held() == 0
    assert seen[0] is not seen[1]


def test_the_session_ends_with_a_request_that_fails(database: Database) -> None:
    def view() -> None:
        count()
        raise LookupError

    assert make_app(view).test_client().get("/").status_code == 500
    assert held() == 0


def test_two_requests_of_a_test_share_neither_it_nor_a_context(app: Flask, client: Browser) -> None:
    seen: list[Session] = []
    app.before_request_funcs.setdefault(None, []).append(lambda: seen.append(db.session()))
    for _ in range(2):
        assert client.get("/login").status_code == 200
        assert not has_app_context()
        assert held() == 0
    assert seen[0] is not seen[1]


def test_a_live_server_serves_the_desk_of_the_test(live_server: LiveServer) -> None:
    """Its log-in page asks whether there is anybody yet: it reads this test's database."""
    pages = []
    for _ in range(2):
        with urlopen(live_server.url("/login")) as page:
            pages.append(page.read().decode())
        make_user()
    assert ["This desk is not set up yet." in page for page in pages] == [True, False]


def test_there_is_none_without_a_request(database: Database) -> None:
    with pytest.raises(RuntimeError, match="application context"):
        count()


def test_it_cannot_be_committed(any_database: Database) -> None:
    with make_app(count).app_context():
        add(db.session(), "By the side door") if any_database.dialect == "mysql" else count()
        with pytest.raises(UncommittableError):
            db.session.commit()
    with make_app(count).app_context():
        with pytest.raises(UncommittableError), db.session.begin():
            pass
        db.session.rollback()
        assert count() == 0


def test_on_sqlite_it_cannot_write_at_all(database: Database) -> None:
    with make_app(count).app_context(), pytest.raises(OperationalError, match="readonly"):
        add(db.session())


@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_on_postgresql_it_cannot_write_or_lock_at_all(any_database: Database) -> None:
    """Without a transaction, it would be committed at once."""
    with make_app(count).app_context(), pytest.raises(ReadOnlyError):
        add(db.session())
    lock = sa.select(Workspace.id).with_for_update()
    with make_app(count).app_context(), pytest.raises(ReadOnlyError):
        db.session.execute(lock)
    with any_database.read() as session, pytest.raises(ReadOnlyError):
        session.execute(sa.text("  truncate workspaces"))
    with any_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Workspace)) == 0


def test_rows_are_found_or_there_is_no_such_page(database: Database) -> None:
    ids = iter([database.write(add), 999])
    client = make_app(lambda: db.get_or_404(Workspace, next(ids)).name).test_client()
    assert client.get("/").text == "Pottery"
    assert client.get("/").status_code == 404


def test_rows_come_in_pages(database: Database) -> None:
    for number in range(5):
        database.write(add, f"Shop {number}")

    def view() -> str:
        page = db.paginate(sa.select(Workspace).order_by(Workspace.id), per_page=2)
        return f"{[row.name for row in page]} of {page.total}"

    assert make_app(view).test_client().get("/?page=2").text == "['Shop 2', 'Shop 3'] of 5"


def test_a_request_holds_one_connection_at_a_time(any_database: Database) -> None:
    def view() -> int:
        kept = db.session.get(Workspace, first)
        with db.read() as reading:
            assert reading.get(Workspace, first) is not kept
            assert held() == 1
        assert held() == 0
        count()
        assert held() == 1
        assert db.write(lambda session: (add(session), held())) == (first + 1, 1)
        assert held() == 0
        assert kept is not None
        assert kept.name == "Pottery", "what was read is lost"
        return count()

    first = any_database.write(add)
    assert make_app(view).test_client().get("/").text == "2"


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_many_requests_read_and_then_write_at_once_over_few_connections(any_database: Database) -> None:
    database = connect(any_database.url.render_as_string(hide_password=False), pool_size=4)
    connections = 4  # the others are for those who have one
    assert database.connections()["most"] < AT_ONCE
    lock, all_held, readers = threading.Lock(), threading.Event(), iter(range(1, AT_ONCE + 1))

    def view() -> int:
        count()
        with lock:
            if next(readers) == connections:
                all_held.set()
        # Every connection is held by a request that has read and is about to write.
        assert all_held.wait(30)
        return db.write(add)

    app = make_app(view)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: app.test_client().get("/").status_code, range(AT_ONCE)))
    assert answers == [200] * AT_ONCE
    assert held() == 0


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(always(answer(b"{}"))) as found:
        guard.allow([f"127.0.0.1:{found.port}"])
        yield found
        guard.allow(())


def test_nothing_is_asked_of_other_servers_while_it_is_in_a_transaction(
    database: Database, server: Server
) -> None:
    client, url = Client(frozenset()), f"http://127.0.0.1:{server.port}/"

    def ask() -> int:
        db.session()
        return client.request("GET", url).status

    def read_and_ask() -> int:
        count()
        with pytest.raises(OpenTransactionError):
            client.request("GET", url)
        with pytest.raises(OpenTransactionError):
            client.open(url)
        asked = server.accepted
        db.session.close()
        return client.request("GET", url).status + asked

    assert make_app(ask).test_client().get("/").text == "200"
    assert make_app(read_and_ask).test_client().get("/").text == "201", "the server was asked"


def test_an_answer_that_goes_out_slowly_does_not_hold_it(database: Database) -> None:
    def chunks() -> Iterator[str]:
        for _ in range(3):
            yield f"{held()} "

    app = Flask(__name__)
    db.init_app(app)

    @app.get("/")
    def view() -> Any:
        count()
        assert held() == 1
        return app.response_class(chunks())

    with app.test_client().get("/", buffered=False) as response:
        assert response.get_data(as_text=True) == "0 0 0 "
