"""Building blocks for tests of pages: an app with a small generation, people, workspaces, signed-in clients.

Use with the fixtures ``app``, ``client`` and ``live_server`` of :mod:`tests.conftest`::

    def test_owner_sees_the_page(app):
        workspace = make_workspace()
        owner = make_user(workspace=workspace, role=Role.OWNER)
        browser = client_for(app, owner)
        assert browser.get(f"/w/{workspace}/settings/people").status_code == 200
        browser.post_form(f"/w/{workspace}/settings/general", name="Shop")

A desk with addons, with other settings or on every kind of database is made with :func:`build_app`.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import sqlalchemy as sa
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from host.addons.running.contributions import BLUEPRINTS, Kind
from host.channels.directory import Directory
from host.core import clock, config, db
from host.inbox.reply import Draft, queue_parts
from host.live import events
from host.models.inbox import Message
from host.models.users import Role, User
from host.process.app import create_app
from host.sdk._forms.values import Forms
from host.start import steps
from host.users import members, passwords, sessions, users, workspaces
from host.users.actor import Acting, Actor, DeskWork, UnitOfWork, person_or_desk
from host.users.reach import ALL_ACCOUNTS, Accounts

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PASSWORD = "correct horse battery"
ORIGIN = "http://127.0.0.1:8080"

T = TypeVar("T")
_numbers = itertools.count(1)


def _manifest() -> SimpleNamespace:
    return SimpleNamespace(version="1.0.0", forms=Forms())


class StandInGeneration:
    """What ``create_app`` and the pages read of a generation; give what your test needs."""

    def __init__(self, **given: Any) -> None:
        self.number = 1
        self.directory: Any = Directory((), ())
        self.blueprints: tuple[tuple[str, Any], ...] = ()
        self.template_folders: Mapping[str, Path] = {}
        self.static_folders: Mapping[str, Path] = {}
        self.catalogues: Mapping[str, Path] = {}
        self.public_paths: frozenset[str] = frozenset()
        self.failures: Mapping[str, str] = {}
        self.attention: Mapping[str, tuple[str, ...]] = {}
        self.admin_pages: Mapping[str, Any] = {}
        self.api_routes: tuple[tuple[str, Any], ...] = ()
        self.names: Mapping[str, str] = {}
        self.manifests: Mapping[str, Any] = defaultdict(
            lambda: SimpleNamespace(version="1.0.0", forms=Forms())
        )
        self.releases: Mapping[str, Any] = defaultdict(lambda: SimpleNamespace(sha256=""))
        for name, value in given.items():
            setattr(self, name, value)

    def each(self, kind: Kind[Any]) -> list[tuple[str, Any]]:
        return list(self.blueprints) if kind is BLUEPRINTS else []


def make_config(data: Path, **environment: str) -> config.Config:
    """Return the settings of an installation whose data lies in *data*; ``LOBBY_`` names as keywords."""
    given = {"LOBBY_DATA": str(data), "LOBBY_SESSION_KEY": "a key for tests"}
    given.update({f"LOBBY_{name.upper()}": value for name, value in environment.items()})
    return config.load(given)


def build_app(
    data: Path,
    *,
    generation: Any = None,
    host: Any = None,
    settings: config.Config | None = None,
    **environment: str,
) -> Flask:
    """Return the Flask app of a generation; by default one with no addon and nothing running beside it."""
    settings = settings or make_config(data, **environment)
    return create_app(settings, cast(Any, generation or StandInGeneration()), host)


@cache
def hashed_password() -> passwords.Hashed:
    """Return the hash of :data:`PASSWORD`, made once: hashing is slow on purpose."""
    return passwords.hashed(PASSWORD)


def make_user(
    email: str = "",
    name: str = "Mia Reuter",
    *,
    is_admin: bool = False,
    workspace: int | None = None,
    role: Role = Role.AGENT,
) -> User:
    """Add a person whose password is :data:`PASSWORD`, in *workspace* if given."""
    address = email or f"person{next(_numbers)}@example.com"

    def use_case(session: Session) -> User:
        user = users.create(session, address, name, hashed_password(), is_admin=is_admin)
        if workspace is not None:
            members.add(session, workspace, user.id, role)
        return user

    return db.write(use_case)


def make_workspace(name: str = "Pottery", *, leads: bool = False) -> int:
    """Add a workspace without people and return its id.

    :param leads: whether its first steps stand in the inbox's place while it is empty.
    """

    def use_case(session: Session) -> int:
        workspace = workspaces.create(session, name, None)
        if not leads:
            steps.hide(session, workspace.id)
        return workspace.id

    return db.write(use_case)


def work(
    session: Session,
    workspace: int,
    actor: Actor | int | str | None = None,
    now: datetime | None = None,
    sees: Accounts = ALL_ACCOUNTS,
) -> UnitOfWork:
    """Return the unit of work of *session* in a workspace, see :func:`do`."""
    if actor is None or isinstance(actor, str):
        actor = person_or_desk(None, actor or "")
    elif isinstance(actor, int):
        actor = person_or_desk(actor)
    return UnitOfWork(session, workspace, actor, now or clock.now(), sees)


def acting(workspace: int, **by: Any) -> Acting:
    """Return who acts in a workspace, see :func:`do`."""
    actor = by.get("actor")
    if not isinstance(actor, Actor):
        actor = person_or_desk(actor)
    return Acting(workspace, actor, by.get("now") or clock.now(), by.get("sees", ALL_ACCOUNTS))


def do(use_case: Callable[..., T], workspace: int, *what: Any, **changes: Any) -> T:
    """Run a use case in one write of *workspace*: by Lobby itself and now, or by *actor* and at *now*.

    :param changes: those of the use case, and ``actor`` (an actor, the id of a person or the name of a
        program), ``now`` and ``sees`` (the accounts that they see) of its unit of work.
    """
    by = {name: changes.pop(name) for name in ("actor", "now", "sees") if name in changes}
    return db.write(lambda session: use_case(work(session, workspace, **by), *what, **changes))


def do_desk(use_case: Callable[..., T], *what: Any, **changes: Any) -> T:
    """Run a use case about the desk or a person in one write, see :func:`do`."""
    actor = changes.pop("actor", None)
    if not isinstance(actor, Actor):
        actor = person_or_desk(actor)
    now = changes.pop("now", None) or clock.now()
    return db.write(lambda session: use_case(DeskWork(session, actor, now), *what, **changes))


def queue_reply(work: UnitOfWork, conversation_id: int, text: str, **how: Any) -> list[Message]:
    """Queue a text, see :func:`host.inbox.reply.queue_parts`."""
    return queue_parts(work, conversation_id, [Draft(text=text)], **how)


def join(workspace: int, user: User, role: Role = Role.AGENT) -> None:
    """Let *user* into *workspace*."""
    db.write(members.add, workspace, user.id, role)


class Browser(FlaskClient):
    """A test client that sends the CSRF token of its session along with every form."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request; what has a length is read at once, so that no file stays open behind a response."""
        response = super().open(*args, **kwargs)
        if "Content-Length" in response.headers:
            response.get_data()
            response.close()
        return response

    def csrf(self) -> str:
        """Return a token for the session as it is now."""
        if (known := self._csrf_of_the_cookie()) is not None:
            return known
        from flask import g
        from flask_wtf.csrf import generate_csrf

        with self.session_transaction() as session, self.application.test_request_context():
            from flask import session as flask_session

            flask_session.update(session)
            g.pop("csrf_token", None)
            token: str = generate_csrf()
            session["csrf_token"] = flask_session["csrf_token"]
        return token

    def _csrf_of_the_cookie(self) -> str | None:
        """Return a token for the session in the cookie, if it has had one; a request for it takes long."""
        app = self.application
        cookie = self.get_cookie(app.config["SESSION_COOKIE_NAME"])
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        if cookie is None or serializer is None:
            return None
        try:
            held = serializer.loads(cookie.value).get("csrf_token")
        except BadSignature:
            return None
        if held is None:
            return None
        token: str = URLSafeTimedSerializer(app.config["SECRET_KEY"], salt="wtf-csrf-token").dumps(held)
        return token

    def post_form(self, path: str, **fields: Any) -> Any:
        """POST *fields* with the CSRF token."""
        return self.post(path, data={"csrf_token": self.csrf(), **fields})


def browser(app: Flask) -> Browser:
    """Return a client nobody is signed in with."""
    app.test_client_class = Browser
    client = app.test_client()
    assert isinstance(client, Browser)
    return client


def client_for(app: Flask, user: User, *, remote: str = "127.0.0.1") -> Browser:
    """Return a client *user* is signed in with, by a real session in the database."""
    client = browser(app)
    token = db.write(sessions.start, user.id, remote)
    with client.session_transaction() as session:
        session.permanent = True
        session["login"] = token
    return client


@dataclass(frozen=True)
class LiveServer:
    """Where an app listens: on a free port of this machine."""

    port: int
    host: str = "127.0.0.1"

    def url(self, path: str = "") -> str:
        """Return the whole address of *path*."""
        return f"http://{self.host}:{self.port}{path}"


@contextmanager
def serving(app: WSGIApplication, port: int = 0) -> Iterator[LiveServer]:
    """Serve *app* over a real socket, with a thread for each request; 0: at any free port."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield LiveServer(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def on_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Return what *work* returns, on an event loop of its own: a browser test has one in this thread."""
    with ThreadPoolExecutor(1, "loop") as thread:
        return thread.submit(asyncio.run, work).result()


@contextmanager
def takes_at_most(counts: int) -> Iterator[None]:
    """Fail if the block takes more processor time than counting to a million *counts* times does now."""
    before = _counting()
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < counts * max(before, _counting())


def _counting() -> float:
    began = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number
    return time.process_time() - began


def read_first(app: Flask) -> None:
    """Have every request of *app* read through its session before anything else, as a page may."""
    app.before_request_funcs.setdefault(None, []).insert(
        0, lambda: db.db.session.execute(sa.select(User.id)).first() and None
    )


def now_text() -> str:
    """Return the host's time as ISO text."""
    return clock.now().isoformat()


def shown() -> list[events.Event]:
    """Return what browsers were told, oldest first."""
    with db.read() as session:
        return [event for event in events.newer(session, 0, 1_000_000) if event.topic]
