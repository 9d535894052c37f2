"""Restore a backup into an empty database of any kind, and an empty data folder.

The tables are created by the original migrations up to the revisions in the backup, so that a newer Lobby
upgrades them from there. Addons come first, because their migrations change tables of the host.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from secrets import randbits
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.addons import preinstalled
from host.addons.package import archive as package_archive
from host.addons.package import shipped, store, trust
from host.backup import archive, making
from host.backup.archive import BackupError, Contents, Reading, value_for
from host.core import clock, db, migrations, secrets, storage
from host.core.config import Config, ConfigError
from host.core.migrations import addon_version_table
from host.core.storage import StoreAwayError
from host.events import reading
from host.features import registry
from host.inbox import outcome
from host.inbox.unsent import scheduled
from host.media import claiming
from host.models.addons import Addon, AddonArchivePart, AddonRelease
from host.models.inbox import ARRIVED, Message
from host.models.queue import OutboxEntry
from host.models.users import User
from host.queue import lanes, outbox, spool
from host.sdk.channel import ProviderProblem
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import noop
from host.users import audit

_ROWS = 500
_CHARACTERS = 16 * 1024 * 1024
"""Rows and their characters written at a time; a single row may have more."""
_FIRST = (User, AddonRelease, AddonArchivePart, Addon)
"""Tables needed to restore the addons: their migrations change tables that are empty at that time."""
_MARK = "lobby_restoring"
"""Table that exists during a restore, so that the next restore removes the remains of an interrupted one."""


class Waiting(StrEnum):
    """How to treat replies that were pending when the backup was made. Some may have been sent since."""

    CHECK = "check"
    """Check with the provider whether they were sent. None is resent; people see the result and decide."""
    SEND = "send"
    """Continue as before: pending replies are sent."""
    DROP = "drop"
    """Mark each as failed."""


def read_through(source: Reading) -> Contents:
    """Return the contents list of *source* after reading everything and checking it.

    :raises BackupError: if the backup is damaged, or was made by an unknown version of Lobby.
    """
    at = source.contents.revisions.get(migrations.HOST_VERSION_TABLE)
    if at is not None and at not in migrations.revisions():
        raise BackupError(
            f"This backup was made by Lobby {source.contents.lobby}, and this version does not know its "
            f"tables (host {at}). Install that version, or a newer one, and restore it there."
        )
    source.check()
    return source.contents


def open_replies(source: Reading) -> int:
    """Return the number of replies that were pending at the time of the backup, including scheduled ones."""
    return sum(1 for row in source.rows("outbox") if row["open"] or row.get("not_before"))


def restore(
    config: Config,
    source: Reading,
    *,
    waiting: Waiting,
    passphrase: str | None,
    tell: Callable[[str], None],
    unverified: bool = False,
) -> list[str]:
    """Restore a backup that passed :func:`read_through`, according to *config*; return the tables left out.

    :param waiting: how to treat pending replies.
    :param passphrase: opens the keys in it; None: the desk's keys are already in place.
    :param tell: called with each step.
    :param unverified: whether a backup without a signature by the desk's keys is accepted. A missing
        signature is recorded in the audit log.
    :raises BackupError: if the target is not empty, or the keys are different or did not sign the backup. The
        target is then unchanged, except for keys and files, which do no harm.
    """
    placed = as_it_was(config, source, passphrase=passphrase, tell=tell, unverified=unverified)
    with placed as (url, left_out):
        migrations.upgrade_host(url)
        tell("what waits")
        db.connect(url)
        _settle(waiting)
        problem = _unverified(source)
        if problem is not None:
            db.write(
                audit.record,
                "desk.restored_unverified",
                source.contents.made_at,
                user_id=None,
                details={"lobby": source.contents.lobby, "problem": problem},
            )
        db.current().dispose()
    return left_out


@contextmanager
def as_it_was(
    config: Config,
    source: Reading,
    *,
    passphrase: str | None,
    tell: Callable[[str], None],
    unverified: bool = False,
) -> Iterator[tuple[str, list[str]]]:
    """Restore everything as it was, including the tables if an older Lobby made the backup.

    Yields the address of the database, which gets its final name after the block, and the tables that were
    left out. Parameters and errors are those of :func:`restore`.
    """
    _keys(config, source, passphrase)
    if not unverified:
        source.check_signature(secrets.keyring())
    with _empty_database(config) as url:
        tell("files")
        number = _own_store(config, source)
        _files(config, source)
        tell("tables")
        left_out = _tables(config, url, source)
        if number is not None:
            db.connect(url)
            counters.note_files(number)
            db.current().dispose()
        yield url, left_out


# Keys


def _keys(config: Config, source: Reading, passphrase: str | None) -> None:
    """Put the keys of the backup's desk in place, and check them."""
    if passphrase is not None:
        if not source.contents.keys:
            raise BackupError("No keys are in this backup. Put secret.keys of its desk into the data folder.")
        files = archive.opened(b"".join(source.pieces(archive.KEYS)), passphrase)
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, text in files.items():
            # Keep existing keys; keys of another desk are detected below.
            secrets.private_file(config.data / name, text.strip())
    file = secrets.keys_file(config)
    if file is not None and not file.exists():
        raise BackupError(
            f"{file} is missing, and without the keys of the desk its credentials cannot be read. Put it "
            "there, or give the passphrase if the backup holds the keys."
        )
    try:
        keyring = secrets.load_keyring(config)
        for proof in source.contents.proofs:
            keyring.open(proof, archive.PROOF)
    except (ConfigError, SecretUnreadableError) as error:
        raise BackupError(
            "The keys here are not those of the backup's desk: what it keeps encrypted could not be read."
        ) from error
    secrets.use(keyring)


def _unverified(source: Reading) -> str | None:
    """Return the problem with the signature of *source*; None if it is valid."""
    try:
        source.check_signature(secrets.keyring())
    except BackupError as error:
        return str(error)
    return None


# The place


@contextmanager
def _empty_database(config: Config) -> Iterator[str]:
    """Yield the address of an empty database, which becomes the desk's database after the block."""
    url = sa.make_url(config.database_url)
    if url.get_backend_name() != "sqlite":
        with _marked(config.database_url):
            yield config.database_url
        return
    final = Path(str(url.database))
    if final.exists():
        raise BackupError(f"{final} is there already. Restore into an empty data folder, or move it away.")
    draft = final.with_name(f"{final.name}.restoring")
    for path in _of_sqlite(draft):
        path.unlink(missing_ok=True)
    try:
        yield url.set(database=str(draft)).render_as_string(hide_password=False)
        _one_file(draft)
        draft.replace(final)
    finally:
        for path in _of_sqlite(draft):
            path.unlink(missing_ok=True)


def _of_sqlite(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm", "-journal"))]


def _one_file(path: Path) -> None:
    """Move everything into the database file, and sync it to disk."""
    engine = migrations.migration_engine(f"sqlite:///{path}")
    raw = engine.raw_connection()
    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    engine.dispose()
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _marked(url: str) -> Iterator[None]:
    """Refuse a database with tables in it, except those of a restore that died."""
    engine = migrations.migration_engine(url)
    mark = sa.Table(_MARK, sa.MetaData(), sa.Column("at", sa.String(32)))
    try:
        with engine.begin() as connection:
            there = set(sa.inspect(connection).get_table_names())
            if there and _MARK not in there:
                raise BackupError(
                    f"The database {engine.url.database} is not empty. Restore into a new one, and leave "
                    "this as it is until you have looked at the other."
                )
            if there:
                _drop_everything(connection)
            mark.create(connection)
        yield
        with engine.begin() as connection:
            mark.drop(connection)
    finally:
        engine.dispose()


def _drop_everything(connection: sa.Connection) -> None:
    metadata = sa.MetaData()
    metadata.reflect(connection, resolve_fks=False)
    if connection.dialect.name == "postgresql":
        for table in metadata.tables.values():
            connection.exec_driver_sql(f'DROP TABLE "{table.name}" CASCADE')
        for enum in sa.inspect(connection).get_enums():  # type: ignore[attr-defined]
            connection.exec_driver_sql(f'DROP TYPE "{enum["name"]}"')
        return
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    for table in metadata.tables.values():
        connection.exec_driver_sql(f"DROP TABLE `{table.name}`")
    connection.exec_driver_sql("SET foreign_key_checks = 1")


# Restored data


def _own_store(config: Config, source: Reading) -> int | None:
    """Check that the store belongs to the backup's desk; return the number in its marker, or None."""
    store = storage.opened(config)
    storage.use(store)
    number: int | None = next(
        (row["value"] for row in source.rows("counters") if row["name"] == counters.FILES), None
    )
    if number is None and config.files:
        number = randbits(48)
    if number is None:
        return None
    try:
        marker = store.marker()
        if marker is None:
            store.mark(claiming.written(number))
    except StoreAwayError as error:
        raise BackupError(f"The files cannot be put where they belong: {error.words}.") from error
    if marker is not None and claiming.number_in(marker) != number:
        raise BackupError(f"{store.place} holds the files of another desk. Name another place.")
    return number


def _files(config: Config, source: Reading) -> None:
    try:
        _put_files(source)
    except StoreAwayError as error:
        raise BackupError(f"The files cannot be put where they belong: {error.words}.") from error
    trusted = config.data / trust.FILE_NAME
    if archive.TRUSTED in source.contents.digests and not trusted.exists():
        trusted.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        trusted.write_bytes(b"".join(source.pieces(archive.TRUSTED)))
    folder = spool.folder_of(config.data)
    for name in source.names("spool"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Only the number and the extension of the name are used.
        (folder / Path(name).name).write_bytes(b"".join(source.pieces(name)))


def _put_files(source: Reading) -> None:
    kept = storage.current()
    for name in source.names("files"):
        key = name.partition("/")[2]
        with kept.stage(_Pieces(source.pieces(name)), most=2**62) as staged:
            if staged.key != key:
                raise BackupError(f"{name} in this backup is not what its name says.")
            staged.keep()


class _Pieces:
    """A file-like object that reads bytes from an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def read(self, size: int = -1, /) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        found, self._left = self._left[:size], self._left[size:]
        return found


def _tables(config: Config, url: str, source: Reading) -> list[str]:
    """Create the tables and fill them; return those that cannot be created here."""
    contents = source.contents
    with migrations.locked(url) as engine:
        table = migrations.HOST_VERSION_TABLE
        if table in contents.revisions:
            migrations.upgrade(engine, migrations.host_directory(), table, contents.revisions[table])
        first = [model.__tablename__ for model in _FIRST]
        with _without_references(engine):
            _fill(engine, source, first)
        db.connect(url)
        with _addons(config) as folders:
            known = {addon_version_table(slug): folder for slug, folder in folders.items()}
            for table, revision in contents.revisions.items():
                if table in known:
                    migrations.upgrade(engine, known[table], table, revision)
        db.current().dispose()
        with engine.connect() as connection:
            there = set(sa.inspect(connection).get_table_names())
        with _without_references(engine):
            # Backups of earlier versions have browsers that get pushes, but not the sessions they name.
            there -= making.PUSHES
            _fill(engine, source, [name for name in contents.tables if name in there and name not in first])
        _count(engine, contents, there)
    lost = contents.tables.keys() - there - making.PUSHES
    return sorted(name for name in lost if contents.tables[name])


@contextmanager
def _addons(config: Config) -> Iterator[Mapping[str, Path]]:
    """Yield the migrations of the addons installed in the restored desk.

    Preinstalled addons are included: a desk of a Lobby into which they were built has their tables but no
    row.
    """
    with db.read() as session:
        found = session.execute(sa.select(Addon.slug, Addon.release_id)).all()
        releases = {slug: store.as_release(session.get_one(AddonRelease, id_)) for slug, id_ in found}
    folders = {slug: store.materialise(config.data, one) / "migrations" for slug, one in releases.items()}
    with store.scratch(config.data) as scratch:
        for one in shipped.addons():
            slug = one.manifest.slug
            if slug in preinstalled.SLUGS and slug not in folders:
                package_archive.extract(package_archive.inspect(one.path), scratch / slug)
                folders[slug] = scratch / slug / "migrations"
        yield folders


@contextmanager
def _without_references(engine: sa.Engine) -> Iterator[None]:
    """Allow rows to be written in any order, without foreign key checks.

    SQLite does not check while migrating, and MariaDB has a switch. PostgreSQL's switch requires privileges,
    so its foreign keys are dropped and created again, which checks every row.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    query = sa.text(
        "SELECT format('ALTER TABLE %s', conrelid::regclass), quote_ident(conname), pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
    )
    with engine.begin() as connection:
        found = connection.execute(query).all()
        for table, name, _definition in found:
            connection.exec_driver_sql(f"{table} DROP CONSTRAINT {name}")
    yield
    with engine.begin() as connection:
        for table, name, definition in found:
            connection.exec_driver_sql(f"{table} ADD CONSTRAINT {name} {definition}")


def _fill(engine: sa.Engine, source: Reading, names: Collection[str]) -> None:
    metadata = sa.MetaData()
    metadata.reflect(engine, only=list(names), resolve_fks=False)
    for name in names:
        table = metadata.tables[name]
        insert = _insert(table, engine.dialect.name)
        rows = source.rows(name)
        with engine.begin() as connection:
            if engine.dialect.name in {"mysql", "mariadb"}:
                connection.exec_driver_sql("SET foreign_key_checks = 0")
            for some in _portions(rows):
                connection.execute(insert, [_values(table, row) for row in some])
            _go_on_counting(connection, table)


def _portions(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    some: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        more = sum(len(one) for one in map(_written, row.values()))
        if some and (len(some) == _ROWS or size + more > _CHARACTERS):
            yield some
            some, size = [], 0
        some.append(row)
        size += more
    if some:
        yield some


def _written(value: Any) -> str:
    """Return the text or the encoded bytes of a value from :func:`archive.plain`, or nothing."""
    found = value.get("bytes", "") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""


def _insert(table: sa.Table, dialect: str) -> sa.Insert:
    """Return the INSERT of a whole row. JSON is passed as its original text."""
    binds: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, sa.JSON):
            text = sa.bindparam(column.name, type_=sa.Text)
            binds[column.name] = sa.cast(text, column.type) if dialect == "postgresql" else text
        else:
            binds[column.name] = sa.bindparam(column.name)
    return sa.insert(table).values(binds)


def _values(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {column.name: value_for(column.type, row.get(column.name)) for column in table.columns}


def _go_on_counting(connection: sa.Connection, table: sa.Table) -> None:
    """Continue the id sequence after the last row; SQLite and MariaDB do this automatically."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = connection.scalar(
            sa.select(sa.func.pg_get_serial_sequence(f'"{table.name}"', column.name))
        )
        if sequence:
            last = sa.select(sa.func.max(column)).scalar_subquery()
            connection.execute(
                sa.select(sa.func.setval(sequence, sa.func.coalesce(last, 1), last.is_not(None)))
            )


def _count(engine: sa.Engine, contents: Contents, there: Collection[str]) -> None:
    with engine.connect() as connection:
        for name, wanted in contents.tables.items():
            if name in there:
                found = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name)))
                if found != wanted:
                    raise BackupError(f"{name} has {found} rows after restoring, and {wanted} in the backup.")


# Pending work

PORTION = 200
"""Maximum number of replies handed to people in one write."""


_RESTORED = ProviderProblem(
    "restored",
    noop("This desk was restored from a backup that was made before the message was sent."),
    noop("Check the conversation in the provider's own app, then send it again or leave it."),
    "",
    noop("The backup doesn't show whether it was sent after that."),
)


def _settle(waiting: Waiting) -> None:
    """Restart interrupted work without sending anything that was not requested now."""
    db.write(lanes.begin_anew)
    db.write(reading.put_behind)
    if waiting is Waiting.SEND:
        return
    # A copy of the desk must not send what the original has sent, or is still sending.
    hooks = registry.hooks()
    db.write(lambda session: hooks.restored(session=session, now=clock.now()))
    while db.write(_leave_to_people):
        pass
    with db.read() as session:
        # Scheduled replies that have become due may have been sent as well.
        unsent = sa.or_(OutboxEntry.open.is_(True), OutboxEntry.not_before <= clock.now())
        rows = session.execute(
            sa.select(OutboxEntry.message_id, Message.state)
            .join(Message, Message.id == OutboxEntry.message_id)
            .where(unsent)
            .order_by(OutboxEntry.id)
        ).all()
    for message_id, state in rows:
        if state in ARRIVED:
            # The echo arrived before the provider's answer, which would have closed the entry.
            db.write(outbox.close, message_id)
        else:
            db.write(_set_aside, message_id, waiting)
    with db.read() as session:
        conversations = scheduled.waiting_in(session)
    for id_ in conversations:
        db.write(scheduled.keep_here, id_, clock.now())


def _leave_to_people(session: Session) -> bool:
    return bool(registry.hooks().leave_to_people(session=session, now=clock.now(), most=PORTION))


def _set_aside(session: Session, message_id: int, waiting: Waiting) -> None:
    if waiting is Waiting.CHECK:
        outcome.record_unknown(session, message_id, _RESTORED)
        outbox.check_now(session, message_id)
    else:
        outcome.record_failed(session, message_id, _RESTORED)
        outbox.close(session, message_id)
