"""Fixtures every test may use: a migrated database, a keyring, and the databases people run Lobby on."""

from __future__ import annotations

import fcntl
import gc
import os
import re
import shutil
import sqlite3
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as examples
from jinja2.bccache import Bucket, FileSystemBytecodeCache
from pymysql.constants import CLIENT
from sqlalchemy import event
from werkzeug.routing import Rule

from host import counters
from host.core import clock, db, migrations, secrets
from host.features import registry
from host.process import app as app_module
from host.queue import send_limiter
from host.sdk import settings
from host.users import passwords
from tests import calling_watch, costs, mail, medium, parsing_watch
from tests.helpers import Browser, LiveServer, browser, build_app, serving
from tests.kept_database import KeptDatabase

registry.load_models()

POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1:5432/"
MARIADB = "mariadb+pymysql://root@127.0.0.1:3306/"
REQUIRED = "REQUIRE_SERVICES"
if "LOBBY_REQUIRE_SERVICES" in os.environ:
    # No setting of Lobby's: a command a test runs in this environment would refuse to start with it.
    os.environ[REQUIRED] = os.environ.pop("LOBBY_REQUIRE_SERVICES")
KEYS = {"k1": bytes(range(32))}
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""Debian's Chromium without its windows, where it is installed: each page takes a third of the time."""
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A microphone that beeps, which every page may use.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


# A machine that also does other work is slow, and no test holds a time.
examples.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("any machine")

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""An app is some 20,000: with the 700 of Python they are looked at again and again while it is made."""

SERVERS = {"postgresql", "mariadb"}
ABOVE_STORAGE = ("tests/api/", "tests/channels/", "tests/email/", "tests/instagram/", "tests/media/")
THE_SERVERS_OWN = (
    "tests/core/",
    "tests/delivery/",
    "tests/models/",
    "tests/pins/",
    "tests/queue/",
    "tests/events/",
    "tests/storage/",
)
"""What differs between the servers: these run on both, each time."""
THE_JOURNEY = "tests/browser/test_journey.py"
"""What everybody does, in a browser: the one walk of ``make test``."""
EACH_TIME = (
    *("tests/whole/test_isolation.py", "tests/whole/test_webhooks.py"),
    "tests/features/test_all_off.py",
)
"""Whole desks that too much depends on to wait for their tenth of the longer loop."""
COSTLY = (
    "tests/addons/",
    "tests/backup/",
    "tests/cli/",
    "tests/process/",
    "tests/upgrade/",
    "tests/delivery/test_held_rows.py",
    "tests/instagram/test_many_accounts.py",
)
"""Where each case starts processes or fills a desk: of the cases of one test, the first runs each time and
every eighth of the others."""
LONG = (
    "tests/torture/test_alerts.py",
    "tests/mutations/test_sample.py",
    "tests/upgrade/test_rolling_upgrade.py",
    "tests/addons/",
    "tests/inbox/test_browser.py",
    "tests/browser/",
    "tests/whole/",
)


def _turn(item: pytest.Item) -> int:
    return next((turn for turn, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to ``make test-long`` what ``make test`` has no time for, the same each time.

    - What stands above storage, or says so, on PostgreSQL and MariaDB: what lies under a desk has tests of
      its own on each kind of server, so each of these runs on one of the two there, unless
      ``TEST_SERVERS=all``. Others run on one of the two here, and on the other there.
    - Walks in a browser, but for the journey. They and :data:`EACH_TIME` are in every share.
    - Most of the cases of :data:`COSTLY` tests.

    Tests that :mod:`tests.medium` names are left to ``make test-medium``.

    Files whose tests take long begin first, so that at the end no worker waits for another's; those with a
    browser once everything is compiled. ``TEST_SHARE`` leaves out the files of other parts.
    """
    items.sort(key=_turn)
    share = os.environ.pop("TEST_SHARE", None)  # a test that runs tests runs all of them
    elsewhere = set()
    seen: set[tuple[Path, str]] = set()
    medium_tests = medium.named()
    for item in items:
        if medium.function_of(item.nodeid) in medium_tests:
            item.add_marker(pytest.mark.medium)
        names = getattr(item, "fixturenames", ())
        each_time = item.nodeid.startswith(EACH_TIME) or (
            "chromium" in names and not item.get_closest_marker("slow")
        )
        if share and not each_time and not _is_in(share, item):
            elsewhere.add(item)
        if each_time and not item.nodeid.startswith(THE_JOURNEY):
            item.add_marker(pytest.mark.slow)
        call = getattr(item, "callspec", None)
        if call is None:
            continue
        if item.nodeid.startswith(COSTLY) and not item.get_closest_marker("slow"):
            test = (item.path, item.originalname)  # type: ignore[attr-defined]
            if test in seen and zlib.crc32(item.name.encode()) % 8:
                item.add_marker(pytest.mark.slow)
            seen.add(test)
        if not any(isinstance(one, str) and one in SERVERS for one in call.params.values()):
            continue
        whole = "any_desk" in names or item.nodeid.startswith(ABOVE_STORAGE)
        if whole or item.get_closest_marker("sqlite_first"):
            item.add_marker(pytest.mark.slow)
            if _runs_on_the_other_server(item.nodeid):
                elsewhere.add(item)
        elif not item.nodeid.startswith(THE_SERVERS_OWN) and _runs_on_the_other_server(item.nodeid):
            item.add_marker(pytest.mark.slow)
    if elsewhere:
        items[0].config.hook.pytest_deselected(items=list(elsewhere))
        items[:] = [item for item in items if item not in elsewhere]


def _is_in(share: str, item: pytest.Item) -> bool:
    """Tell whether the file of a test is in *share*: ``2/6`` is one of six parts, ``8/6`` the same."""
    part, _slash, parts = share.partition("/")
    # With this letter the six parts take about as long as each other.
    name = f"W{item.nodeid.partition('::')[0]}"
    return zlib.crc32(name.encode()) % int(parts) == int(part) % int(parts)


def _runs_on_the_other_server(nodeid: str) -> bool:
    """Tell whether this test, of the two on servers, is the one that is left out: half of either."""
    seed = os.environ.get("TEST_SERVERS") or "1"
    if seed == "all":
        return False
    name = re.sub("postgresql|mariadb", "", nodeid)
    taken = ("postgresql", "mariadb")[zlib.crc32(f"{seed} {name}".encode()) % 2]
    return taken not in nodeid


@pytest.fixture(autouse=True, scope="session")
def _passwords_are_hashed_quickly() -> Iterator[PasswordHasher]:
    """Nobody's password is at stake in a test; ``tests/users/test_passwords.py`` takes the real one."""
    real, passwords._hasher = passwords._hasher, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    yield real
    passwords._hasher = real


@pytest.fixture(autouse=True, scope="session")
def _what_is_made_anew_for_each_test_is_made_once() -> Iterator[None]:
    """Keep what every new application and connection would make again.

    What werkzeug makes of the address of a route depends on the rule and the converters alone, and the
    authorities PyMySQL reads for each connection are the same.
    """
    compiled: dict[object, dict[str, Any]] = {}
    compile_rule = Rule.compile
    contexts: dict[object, Any] = {}
    create_context = pymysql.connections.Connection._create_ssl_ctx

    def compiled_once(rule: Rule) -> None:
        if rule.defaults:
            compile_rule(rule)
            return
        key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, *rule.map.converters.values())
        if key not in compiled:
            compile_rule(rule)
            parts = {name: vars(rule)[name] for name in ("_parts", "_trace", "_converters", "arguments")}
            builders = {name: vars(rule)[name].__func__ for name in ("_build", "_build_unknown")}
            compiled[key] = parts | builders
        for name, made in compiled[key].items():
            vars(rule)[name] = made.__get__(rule, None) if name.startswith("_build") else made
        rule.arguments = set(rule.arguments)

    def context(connection: Any, options: Any) -> Any:
        key = repr(options)
        if key not in contexts:
            contexts[key] = create_context(connection, options)
        return contexts[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compiled_once)
        patch.setattr(pymysql.connections.Connection, "_create_ssl_ctx", context)
        yield


@pytest.fixture(autouse=True, scope="session")
def _mail_is_imported_once() -> Iterator[None]:
    with mail.imported_once():
        yield


@pytest.fixture(autouse=True, scope="session")
def _parsers_are_watched() -> Iterator[None]:
    with parsing_watch.watching():
        yield


@pytest.fixture(autouse=True)
def _nothing_is_parsed_inside_a_write(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a quick test that parsed something inside a write; :mod:`tests.parsing_watch` has the rule."""
    yield
    found, parsing_watch.found[:] = parsing_watch.found[:], []
    # The longer loops go the same ways with more data, and whole processes that are not watched.
    is_longer = any(request.node.get_closest_marker(name) for name in ("medium", "slow", "browser"))
    if found and not is_longer:
        pytest.fail("\n".join(found[:3]))


@pytest.fixture(autouse=True, scope="session")
def _addons_are_watched() -> Iterator[None]:
    with calling_watch.watching():
        yield


@pytest.fixture(autouse=True)
def _no_addon_is_called_inside_a_write() -> Iterator[None]:
    """Fail a test that called an addon inside a write; :mod:`tests.calling_watch` has the rule."""
    yield
    found, calling_watch.found[:] = calling_watch.found[:], []
    if found:
        pytest.fail("\n".join(found[:3]))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Have the garbage collector pass over what is here for the whole run: modules and tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 20, 20)
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Fail a test that leaves the clock moved, which the tests after it would pay for."""
    yield
    if clock._offset and (nextitem is None or nextitem.path != item.path):
        moved, clock._offset = clock._offset, timedelta()
        pytest.fail(f"a test of this file left the clock moved by {moved}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """After each file, free its circles and pass over what stays: statements and templates kept for all."""
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            gc.collect()
            gc.freeze()


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run, the same for all its workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(pytestconfig, "workerinput") else own


def made_once(run_folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Return the file *name* of this run: the worker that is first makes it, the others wait and take it."""
    path = run_folder / name
    with (run_folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            making = run_folder / f"{name}.making"
            making.unlink(missing_ok=True)
            make(making)
            making.rename(path)
    return path


class _Templates(app_module._CompiledTemplates):
    """The compiled templates of a process, those included that another worker has compiled."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._others = FileSystemBytecodeCache(str(folder))

    def load_bytecode(self, bucket: Bucket) -> None:
        super().load_bytecode(bucket)
        if bucket.code is None:
            self._others.load_bytecode(bucket)
            if bucket.code is not None:
                super().dump_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        super().dump_bytecode(bucket)
        self._others.dump_bytecode(bucket)


@pytest.fixture(autouse=True, scope="session")
def _templates_are_compiled_once(run_folder: Path) -> Iterator[None]:
    folder = run_folder / "templates"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_module, "_compiled", _Templates(folder))
        yield


def refusal(server: str) -> str | None:
    """Return why *server* lets nobody in, in its own words; None where it does."""
    name = "postgres" if server is POSTGRESQL else "mysql"
    engine = sa.create_engine(server + name, poolclass=sa.pool.NullPool)
    try:
        with engine.connect():
            return None
    except sa.exc.OperationalError as error:
        return str(error.orig)
    finally:
        engine.dispose()


def missing(service: str, why: str = "") -> None:
    """Skip the test because *service* does not answer; fail it where CI says that it has to."""
    said = f": {why}" if why else ""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{service} does not answer, and LOBBY_REQUIRE_SERVICES=1 says it must{said}")
    pytest.skip(f"{service} does not answer{said}")


def _execute(server: str, statement: str) -> None:
    name = "postgres" if server is POSTGRESQL else "mysql"
    engine = sa.create_engine(server + name, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def fresh_server_database(server: str, how: str = "") -> Iterator[str]:
    """Yield the URL of a database of this test's own on *server*, empty unless *how*; drop it afterwards."""
    service = "PostgreSQL" if server is POSTGRESQL else "MariaDB"
    deadline = time.monotonic() + (30 if os.environ.get(REQUIRED) == "1" else 0)
    while (why := refusal(server)) is not None:
        if time.monotonic() > deadline:
            missing(service, why)
        time.sleep(0.5)
    name = f"lobby_test_{uuid.uuid4().hex[:12]}"
    costs.spend("databases")
    _execute(server, f"CREATE DATABASE {name}{how}")
    try:
        yield server + name
    finally:
        force = " WITH (FORCE)" if server is POSTGRESQL else ""
        _execute(server, f"DROP DATABASE IF EXISTS {name}{force}")


@pytest.fixture(scope="session")
def migrated_file(run_folder: Path) -> Path:
    """An SQLite file with the host's tables, made once; tests work on copies."""
    return made_once(run_folder, "host.sqlite3", lambda path: migrations.upgrade_host(f"sqlite:///{path}"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of one installation."""
    path = tmp_path / "data"
    path.mkdir()
    return path


_statements: dict[str, tuple[sa.Dialect, Any]] = {}


def _compiled_once(engine: sa.Engine) -> None:
    """Let *engine* share the statements that engines before it compiled: their databases are of one kind."""
    kind = engine.dialect.name
    if kind in {"mysql", "mariadb"}:
        return  # its dialect knows the name of its database, which is another for each test
    if kind not in _statements:
        with engine.connect():  # has the dialect learn about its server
            _statements[kind] = engine.dialect, sa.util.LRUCache(4000)
    engine.dialect, engine._compiled_cache = _statements[kind]


def _unsynced(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _use(url: str) -> Iterator[db.Database]:
    database = db.connect(url)
    for engine in database.engines:
        _compiled_once(engine)
        if database.is_sqlite:
            # No test here outlives a power cut; tests/core/test_database.py holds engines to FULL.
            event.listen(engine, "connect", _unsynced)
    counters.reset()
    send_limiter.use("memory://")
    secrets.use(secrets.Keyring(KEYS))
    settings.provide("", {"public_url": "http://127.0.0.1:8080"})
    try:
        yield database
    finally:
        database.dispose()


@pytest.fixture
def database(migrated_file: Path, data: Path) -> Iterator[db.Database]:
    """The process's database: SQLite, migrated by the real migrations, empty."""
    path = data / "lobby.sqlite3"
    shutil.copy(migrated_file, path)
    yield from _use(f"sqlite:///{path}")


@pytest.fixture
def app(database: db.Database, data: Path) -> Flask:
    """The app of a desk reached over plain http, without addons, on a migrated database."""
    return build_app(data)


@pytest.fixture
def client(app: Flask) -> Browser:
    """A browser nobody is signed in with. Unlike pytest-flask's, it lets each request and its session end."""
    return browser(app)


@pytest.fixture
def live_server(app: Flask) -> Iterator[LiveServer]:
    """The app over a real socket, in this process: no connection of SQLite survives pytest-flask's fork."""
    with serving(app) as server:
        yield server


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Keep pytest-flask from pushing a request around the whole test.

    Two requests of a test would share ``flask.g`` and one app context, and the session of a request would
    never end.
    """


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once for each kind of server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    else:
        yield from fresh_server_database(POSTGRESQL if request.param == "postgresql" else MARIADB)


@pytest.fixture(scope="session")
def migrated_postgresql() -> Iterator[str]:
    """The name of a database with the host's tables, made once; tests get copies."""
    for url in fresh_server_database(POSTGRESQL):
        migrations.upgrade_host(url)
        yield url.removeprefix(POSTGRESQL)


@pytest.fixture(scope="session")
def migrated_mariadb(run_folder: Path) -> str:
    """The statements that make the host's tables as the migrations left them, and the version they are at."""

    def make(path: Path) -> None:
        for url in fresh_server_database(MARIADB):
            migrations.upgrade_host(url)
            path.write_text(_schema(url))

    return made_once(run_folder, "host.sql", make).read_text()


def _schema(url: str) -> str:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    statements = ["SET foreign_key_checks = 0"]
    with engine.connect() as connection:
        for table in connection.exec_driver_sql("SHOW TABLES").scalars().all():
            statements.append(connection.exec_driver_sql(f"SHOW CREATE TABLE `{table}`").one()[1])
            if table.endswith("alembic_version"):
                at = connection.exec_driver_sql(f"SELECT version_num FROM `{table}`").scalar_one()
                statements.append(f"INSERT INTO `{table}` VALUES ('{at}')")
    engine.dispose()
    return ";\n".join(statements)


def _replay(url: str, schema: str) -> None:
    """Run all of *schema* in one go: a round trip and a look at the clock less for each of its statements."""
    parts = sa.engine.make_url(url)
    connection = pymysql.connect(
        host=parts.host,
        port=parts.port or 3306,
        user=parts.username or "",
        password=parts.password or "",
        database=parts.database,
        client_flag=CLIENT.MULTI_STATEMENTS,
        unix_socket=parts.query.get("unix_socket"),
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(schema)
        while cursor.nextset():
            pass
        connection.commit()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[db.Database]:
    """The process's database, migrated and empty, once for each kind of server."""
    if request.param == "sqlite":
        path = tmp_path / "any.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield from _use(f"sqlite:///{path}")
    else:
        kept: KeptDatabase = request.getfixturevalue(f"kept_{request.param}")
        fresh = request.node.get_closest_marker("fresh_database") is not None
        yield from _use(kept.take(fresh=fresh))
        kept.give_back(again=not fresh)


@pytest.fixture(scope="session")
def kept_postgresql(migrated_postgresql: str) -> Iterator[KeptDatabase]:
    """What gives each test of this process a migrated database on PostgreSQL."""
    with KeptDatabase(lambda: fresh_server_database(POSTGRESQL, f" TEMPLATE {migrated_postgresql}")) as kept:
        yield kept


@pytest.fixture(scope="session")
def kept_mariadb(migrated_mariadb: str) -> Iterator[KeptDatabase]:
    """The same on MariaDB."""

    def make() -> Iterator[str]:
        for url in fresh_server_database(MARIADB):
            _replay(url, migrated_mariadb)
            yield url

    with KeptDatabase(make) as kept:
        yield kept


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, started once; each test opens a context of its own in it."""
    if CHROMIUM is None:
        missing("Chromium")
    from playwright.sync_api import BrowserContext, expect, sync_playwright

    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patched:
        # As long as a busy machine may take; what is there sooner is seen sooner.
        expect.set_options(timeout=30_000)
        patched.setattr(BrowserContext, "close", _without_routes(BrowserContext.close))
        patched.setattr(BrowserContext, "new_page", costs.counted("pages", BrowserContext.new_page))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def _without_routes(close: Callable[..., None]) -> Callable[..., None]:
    """A request that a route is answering when its page is closed fails no later test."""

    def closed(context: Any, **options: Any) -> None:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
        close(context, **options)

    return closed
