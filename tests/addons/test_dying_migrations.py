"""A process that dies at any SQL statement of an activation: activating again ends as if it had not."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from host import counters
from host.addons import activation, lifecycle
from host.addons.migrating import plan, snapshot
from host.addons.operation_lock import TESTED
from host.addons.package import store
from host.addons.running import probe
from host.core import db, migrations
from host.core.backports.values import replace
from host.core.config import Config
from host.models.addons import Addon, AddonRelease, AddonState
from tests.addons.conftest import MakeZip, configuration
from tests.addons.kills import KILLS, spread
from tests.conftest import POSTGRESQL, _execute
from tests.inbox import toys

ROOT = Path(__file__).resolve().parents[2]
# What an activation itself writes.
ITS_OWN = {"addons", "audit_entries", "counters", "domain_events"}
WHEN = ("before_cursor_execute", "after_cursor_execute")


class Place:
    """A database with rows and an installed, inactive addon; put back into that state again and again."""

    def __init__(self, config: Config, slug: str) -> None:
        self.slug = slug
        self.made = config
        self.before = everything()
        self.count = 0
        with db.read() as session:
            self.addon = dict(session.execute(sa.select(Addon.__table__)).one()._mapping)
            self.audit = session.scalar(sa.text("SELECT MAX(id) FROM audit_entries"))
        db.current().dispose()
        self.config = config

    def fresh(self) -> Config:
        """Return the settings of the database in its first state, which is this process's from then on."""
        url = sa.make_url(self.made.database_url)
        if self.made.database_url.startswith("sqlite"):
            self.count += 1
            file = Path(str(url.database)).with_name(f"{uuid.uuid4().hex}.sqlite3")
            shutil.copy(str(url.database), file)
            self._use(url.set(database=str(file)))
        elif self.made.database_url.startswith("postgresql"):
            self.done()
            self.count += 1
            name = f"{url.database}_{self.count}"
            _execute(POSTGRESQL, f"CREATE DATABASE {name} TEMPLATE {url.database}")
            self._use(url.set(database=name))
        else:
            self._put_back()
            self._use(url)
        return self.config

    def _use(self, url: sa.URL) -> None:
        text = url.render_as_string(hide_password=False)
        self.config = replace(self.made, database_url=text)
        db.connect(text)
        counters.reset()

    def _put_back(self) -> None:
        """Undo an activation on MariaDB, where making a database takes seconds."""
        engine = sa.create_engine(self.made.database_url, poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET foreign_key_checks = 0")
            for table in sa.inspect(connection).get_table_names():
                if table.startswith((f"{self.slug}_", f"addon_{self.slug}_")):
                    connection.exec_driver_sql(f"DROP TABLE {table}")
            connection.exec_driver_sql(
                "ALTER TABLE conversations MODIFY channel ENUM('email') NOT NULL DEFAULT 'email'"
            )
            connection.execute(sa.update(Addon.__table__).values(**self.addon))
            connection.execute(sa.text("DELETE FROM audit_entries WHERE id > :id"), {"id": self.audit})
        engine.dispose()

    def done(self) -> None:
        """Throw the last copy away."""
        db.current().dispose()
        if self.config is self.made:
            return
        url = sa.make_url(self.config.database_url)
        if url.get_dialect().name == "sqlite":
            Path(str(url.database)).unlink(missing_ok=True)
        elif url.get_dialect().name == "postgresql":
            _execute(POSTGRESQL, f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)")
        self.config = self.made


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of the host but those an activation writes to."""
    found = {}
    with db.read() as session:
        connection = session.connection()
        names = set(sa.inspect(connection).get_table_names()) & migrations.host_tables() - ITS_OWN
        for name in sorted(names):
            rows = [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}").all()]
            # The names of its channels are kept by the activation, too, and whose migrations it tests.
            found[name] = sorted(row for row in rows if not str(row[0]).startswith(("channel:", TESTED)))
    return found


def schema() -> dict[str, Any]:
    with db.read() as session:
        return snapshot.of_database(session.connection()).tables


@pytest.fixture
def place(
    migrate_here: None,
    request: pytest.FixtureRequest,
    any_database: db.Database,
    data: Path,
    toy_zip: MakeZip,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """A desk with a few conversations and the addon installed."""
    config = configuration(any_database, data, LOBBY_BACKUPS="0")
    account = toys.make_account(toys.make_workspace())
    for number in range(5):
        toys.apply(account, toys.received(f"Text {number} 🙂", contact=f"c{number}", at=number))
    zipped = toy_zip() if request.param == "toy" else next((ROOT / "dist").glob("instagram-*.zip"))
    release = lifecycle.install_file(config, zipped)
    # What runs in a process of its own makes no statement, and most of the time.
    seen = probe.run(store.materialise(config.data, release), release.manifest)
    monkeypatch.setattr(activation.probe, "run", lambda *_: seen)
    found = Place(config, request.param)
    yield found
    found.done()
    db.connect(config.database_url)


def dies_at(config: Config, slug: str, when: str, point: int) -> bool:
    """Activate in a child process that ends itself at its statement number *point*; tell whether it did."""
    db.current().dispose()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            count = 0

            def die(*_: Any) -> None:
                nonlocal count
                count += 1
                if count == point:
                    os._exit(9)

            event.listen(Engine, when, die)
            db.connect(config.database_url)
            counters.reset()
            code = 0 if lifecycle.activate(config, slug).ok else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), f"the activation failed by itself at {when} {point}"
    return code == 9


def check(place: Place, expected: dict[str, Any], where: str) -> None:
    """Look at the database after a death, start again, activate again, and look once more."""
    config = place.config
    settle(config)
    assert everything() == place.before, f"rows changed at {where}"
    lifecycle.recover(config)
    with db.read() as session:
        state = session.get_one(Addon, place.slug).state
    assert state in {AddonState.INACTIVE, AddonState.ACTIVE}, where
    outcome = lifecycle.activate(config, place.slug)
    assert outcome.ok, (where, outcome.error)
    assert everything() == place.before, f"rows changed after {where}"
    assert schema() == expected, f"another schema after {where}"
    with db.read() as session:
        row = session.get_one(Addon, place.slug)
        assert row.state == AddonState.ACTIVE, where
        release = store.as_release(session.get_one(AddonRelease, row.release_id))
    folder = store.materialise(config.data, release)
    assert all(planned.applied for planned in plan.revisions(folder, place.slug)), where
    assert not (config.data / "rehearsal").exists(), where
    with db.read() as session:
        if db.current().dialect != "sqlite":
            left = session.scalars(sa.text("SELECT schema_name FROM information_schema.schemata")).all()
            name = str(db.current().url.database)
            assert not {"lobby_rehearsal", f"{name}_rehearsal"} & set(left), where


def settle(config: Config) -> None:
    """Wait until the server has noticed that the connections of the dead process are gone."""
    if config.database_url.startswith("sqlite"):
        return
    count = (
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        if config.database_url.startswith("postgresql")
        else "SELECT COUNT(*) FROM information_schema.processlist WHERE db LIKE CONCAT(DATABASE(), '%')"
        " AND id <> CONNECTION_ID()"
    )
    deadline = time.monotonic() + 60
    with db.read() as session:
        while session.scalar(sa.text(count)) and time.monotonic() < deadline:
            session.rollback()
            time.sleep(0.01)


def undisturbed(place: Place) -> tuple[dict[str, Any], int]:
    """Activate once without dying; return the schema it ends with and how many statements it took."""
    config = place.fresh()
    count = 0

    def note(*_: Any) -> None:
        nonlocal count
        count += 1

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert lifecycle.activate(config, place.slug).ok
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert everything() == place.before
    return schema(), count


def loop(place: Place, points: Callable[[int], Iterator[int]]) -> int:
    """Die at each of *points*, before and after the statement; return how often it did."""
    expected, count = undisturbed(place)
    died = 0
    for when in WHEN:
        for point in points(count):
            config = place.fresh()
            if not dies_at(config, place.slug, when, point):
                break
            died += 1
            check(place, expected, f"{when} {point} of {count}")
    return died


pytestmark = pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")


@pytest.mark.sqlite_first
@pytest.mark.parametrize("place", ["toy"], indirect=True)
@pytest.mark.slow
def test_wherever_it_dies_activating_again_ends_right(place: Place) -> None:
    """Two points, one while the copy is made; the slow tests take more of them, or all."""
    assert loop(place, lambda count: iter((count // 3, count * 5 // 6))) == 4


@pytest.mark.slow
@pytest.mark.parametrize("place", ["toy", "instagram"], indirect=True)
def test_it_may_die_before_and_after_every_statement(place: Place) -> None:
    place.made = place.config = replace(place.made, rehearsal_mb=0)
    assert loop(place, lambda count: iter(spread(range(1, count + 1)))) >= 2 * min(KILLS or 50, 50) - 2


@pytest.mark.slow
@pytest.mark.parametrize("place", ["toy"], indirect=True)
def test_it_may_die_while_the_copy_is_made_and_migrated(place: Place) -> None:
    assert loop(place, lambda count: iter(spread(range(1, count + 1)))) >= 2 * min(KILLS or 40, 40) - 2
