"""The process that runs an addon's revisions for :mod:`host.addons.migrating.apart`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import event

from host.addons.migrating import blocking, copying, rows
from host.addons.migrating.guarding import ForeignTableError, Guard, guarded
from host.addons.package import manifest as manifests
from host.core import child, child_limits, db, migrations
from host.sdk import strictjson
from host.sdk.migrations import MigrationRefusedError

Kind = Literal["foreign", "refused", "locked", "failed", "ended", "late"]


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a revision failed.

    :param kind: ``foreign``: it accessed something that is not the addon's; ``locked``: a lock was not free
        in time; ``ended``: its code exited the process; ``late``: it timed out.
    :param what: the table it accessed, or the message of the refusal.
    :param words: the database's message.
    """

    kind: Kind
    what: str = ""
    statement: str = ""
    words: str = ""


class FailedError(Exception):
    """A revision failed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind)
        self.failure = failure


def failure_of(error: BaseException) -> Failure:
    """Return the failure for *error*, raised by a revision."""
    if isinstance(error, FailedError):
        return error.failure
    if isinstance(error, ForeignTableError):
        return Failure("foreign", error.what, error.statement)
    if isinstance(error, MigrationRefusedError):
        return Failure("refused", str(error), error.statement, error.way_out)
    if not isinstance(error, Exception):
        return Failure("ended", words=repr(error))
    statement, words = db.describe(error)
    kind: Kind = "locked" if blocking.is_lock_timeout(error) else "failed"
    return Failure(kind, "", statement or "", words or type(error).__name__)


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request to the process.

    :param revision: the revision to run; empty: compute the checksums of every table that is not the addon's.
    """

    url: str
    folder: str
    revision: str
    seconds: float


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to an order."""

    failure: Failure | None = None
    sums: rows.Sums | None = None


def main() -> None:
    """Answer requests on the descriptor ``argv[2]`` until it is closed."""
    child_limits.end_with_parent()
    child_limits.no_core()
    child.answer(int(sys.argv[2]), _answer)


def _answer(asked: bytes) -> bytes:
    order = strictjson.decode(asked, Order)
    try:
        answer = Answer(sums=take(order))
    except BaseException as error:  # noqa: BLE001 - a revision may raise anything, SystemExit too
        answer = Answer(failure=failure_of(error))
    return msgspec.json.encode(answer)


def take(order: Order) -> rows.Sums | None:
    """Carry out *order*; return the requested sums."""
    folder = Path(order.folder)
    manifest = manifests.read_manifest(folder)
    with _engine(order.url) as engine:
        _limit_statements(engine, order.seconds)
        if not order.revision:
            with engine.connect() as connection:
                guard = Guard(manifest, connection)
                tables = [one for one in sa.inspect(connection).get_table_names() if not guard.is_own(one)]
                return rows.of_tables(connection, rows.columns_of(connection, tables))
        table = migrations.addon_version_table(manifest.slug)
        with guarded(manifest, engine) as guard:
            migrations.upgrade(engine, folder / "migrations", table, order.revision, check=guard.compare)
    return None


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    """Yield an engine: that of a copy without the lock of migrations, which would keep out other addons'."""
    if not copying.is_copy(url):
        with migrations.locked(url) as engine:
            yield engine
        return
    engine = migrations.migration_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _limit_statements(engine: sa.Engine, seconds: float) -> None:
    """Make the server cancel statements that exceed this process's timeout: it doesn't notice that the
    process is gone.
    """
    words = {
        "postgresql": f"SET statement_timeout = {round(seconds * 1000)}",
        "mysql": f"SET SESSION max_statement_time = {round(seconds)}",
        "mariadb": f"SET SESSION max_statement_time = {round(seconds)}",
    }.get(engine.dialect.name)
    if words is None:
        return

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(words)
        connection.commit()
