"""Check that a store belongs to this desk: all its processes use the same store, and no other desk does.

A store has a marker with a number that is also in the database. An empty mount point, whose disk or share is
not mounted, has no marker and is refused. A desk that has always kept its files in the data folder needs no
marker.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from host import counters
from host.core import db, migrations, storage
from host.core.config import CannotGoOnError, Config, Exit
from host.core.storage import Store, StoreAwayError, WatchedStore
from host.models.inbox import Attachment

log = logging.getLogger(__name__)

_TEXT = "The files of a Lobby desk. Leave this here: without it the desk does not know them as its own.\n"


def written(number: int) -> str:
    """Return the marker with *number*."""
    return f"{_TEXT}{number:012x}\n"


def number_in(marker: str) -> int | None:
    """Return the number in a marker; None if it is not a marker of Lobby."""
    with suppress(IndexError, ValueError):
        return int(marker.rsplit(maxsplit=1)[-1], 16)
    return None


def expected() -> str | None:
    """Return the marker that the store must have, or None if it needs none."""
    number = counters.files()
    return None if number is None else written(number)


def require(config: Config, store: Store) -> None:
    """Check that *store*, set by LOBBY_FILES, belongs to this desk and works; mark it the first time.

    If it is temporarily unavailable, the desk starts without it.

    :raises CannotGoOnError: if it belongs to another desk, or has a permanent problem.
    """
    if isinstance(store, WatchedStore) and store.hangs():
        return
    try:
        if check(config, store, first=True):
            try_out(store)
    except StoreAwayError as error:
        if error.passing:
            log.warning("files cannot be reached: %s. Lobby goes on without them until they can", error.words)
            return
        code = Exit.SETTINGS if config.files.startswith("s3://") else Exit.FOLDER
        raise CannotGoOnError(f"The files cannot be used: {error.words}.", code) from error


def check(config: Config, store: Store, *, first: bool = False) -> bool:
    """Check that *store* belongs to this desk; return whether it has a marker.

    :param first: whether to mark it if the desk has no marked store yet; only starting processes do.
    :raises CannotGoOnError: if it does not belong to this desk.
    :raises StoreAwayError: if the store cannot be read.
    """
    counters.forget()
    number = counters.files()
    if number is None:
        if not config.files:
            return False
        if not first:
            raise CannotGoOnError(
                f"{store.place} is not marked as this desk's yet: `lobby run` does that when it starts.",
                Exit.SETTINGS,
            )
        with _alone(config):
            counters.forget()
            number = counters.files()
            if number is None:
                _first(config, store)
                return True
    marker = store.marker()
    if marker is None:
        if config.files:
            sentence = (
                f"{store.place} has no {storage.MARKER} in it, so it is not where this desk keeps its files. "
                "Is it mounted, and is LOBBY_FILES the same for every process?"
            )
        else:
            sentence = "This desk keeps its files elsewhere. Set LOBBY_FILES as for its other processes."
        raise CannotGoOnError(sentence, Exit.SETTINGS)
    if number_in(marker) != number:
        raise _others(store)
    return True


def _first(config: Config, store: Store) -> None:
    """Mark *store* for the desk, whose files were in the data folder so far."""
    if store.marker() is not None:
        raise _others(store)
    with db.read() as session:
        query = sa.select(Attachment.storage_key).where(Attachment.storage_key.is_not(None))
        key = session.scalar(query.order_by(Attachment.id.desc()).limit(1))
    if key is not None and store.size(key) is None and storage.opened(config, "").size(key) is not None:
        raise CannotGoOnError(
            f"The files this desk has are not at {store.place} yet. Start it without LOBBY_FILES, run "
            f"`lobby files copy {config.files}`, and then set it.",
            Exit.SETTINGS,
        )
    mark(store, secrets.randbits(48))


def mark(store: Store, number: int) -> None:
    """Mark *store* with *number*, and store the number as the desk's unless it has one.

    :raises StoreAwayError: if it cannot be marked.
    """
    store.mark(written(number))
    counters.note_files(number)


def take(config: Config, source: Store, target: Store) -> None:
    """Mark *target* as a second store of the desk, in addition to *source*.

    :raises CannotGoOnError: if one of them belongs to another desk.
    :raises StoreAwayError: if one of them cannot be marked.
    """
    with _alone(config):
        counters.forget()
        number = counters.files()
        if number is None:
            number = secrets.randbits(48)
            mark(source, number)
        for store in (source, target):
            marker = store.marker()
            if marker is not None and number_in(marker) != number:
                raise _others(store)
        if target.marker() is None:
            target.mark(written(number))


def try_out(store: Store) -> None:
    """Write, read and remove a few bytes.

    :raises StoreAwayError: if one of these fails.
    """
    content = b"Lobby tries whether it can keep files here. " + secrets.token_bytes(16)
    with storage.bytes_staged(store, content) as staged:
        staged.keep()
    try:
        with store.open_stored(staged.key) as file:
            same = file.read() == content
    except storage.NotStoredError:
        same = False
    if not (store.remove(staged.key, in_use=lambda: False) and same):
        raise StoreAwayError(f"{store.place} does not give what it was given", passing=False)


def _others(store: Store) -> CannotGoOnError:
    return CannotGoOnError(
        f"{store.place} holds the files of another desk: two may not share one, because each removes what it "
        f"does not need. Name another place. If that desk is no more, remove {storage.MARKER} there.",
        Exit.SETTINGS,
    )


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    """Serialise decisions about a store's owner between processes; with SQLite there is only one."""
    if db.current().is_sqlite:
        yield
        return
    engine = migrations.migration_engine(config.database_url)
    try:
        with migrations.advisory_lock(engine, "files", wait=60) as got:
            if not got:
                raise CannotGoOnError("Another process has been marking the files for a minute.", Exit.BUSY)
            yield
    finally:
        engine.dispose()
