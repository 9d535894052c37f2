"""Remove files. A file is removed with the last row that references it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, storage
from host.inbox.canned.models import CannedFile
from host.media.uploads import KEPT
from host.models.inbox import Attachment
from host.models.media import FileRemoval, Upload
from host.models.users import DeskSetting, User, Workspace

log = logging.getLogger(__name__)

CHUNK = 200
STRAY = timedelta(days=1)
"""Age from which unreferenced files are removed by a walk."""

_attachments = Attachment.metadata.tables["attachments"]
_uploads = Upload.metadata.tables["uploads"]
_removals = FileRemoval.metadata.tables["file_removals"]
_NAMING = (
    _attachments.c.storage_key,
    _uploads.c.storage_key,
    CannedFile.__table__.c.storage_key,
    User.__table__.c.picture_key,
    Workspace.__table__.c.picture_key,
    DeskSetting.__table__.c.picture_key,
)
"""The columns that reference files."""


def forget_files(session: Session, message_ids: Collection[int]) -> None:
    """Remove the files of messages: rows and URLs in this write, the bytes right after its commit.

    Bytes that another message or upload references stay. If the process dies in between, a note in the
    database remains, and the next clean-up removes the bytes.
    """
    if not message_ids:
        return
    mine = _attachments.c.message_id.in_(message_ids)
    keys = set(session.scalars(sa.select(_attachments.c.storage_key).where(mine)).all()) - {None}
    session.execute(sa.delete(_attachments).where(mine))
    session.execute(
        sa.delete(_uploads).where(_uploads.c.storage_key.in_(keys), _uploads.c.attached_at.is_not(None))
    )
    remove_later(session, keys)


def remove_later(session: Session, keys: Iterable[str]) -> None:
    """Remove the files under *keys* after this write's commit, unless a row references them then."""
    rows = [{"storage_key": key} for key in sorted(set(keys))]
    if rows:
        session.execute(sa.insert(_removals), rows)
        db.after_commit(session, _remove_now)


def _remove_now() -> None:
    try:
        remove_noted()
    except storage.StoreAwayError as error:
        log.warning("files could not be removed yet; it is tried again: %s", error.words)
    except Exception:
        log.exception("files could not be removed yet; it is tried again")


def remove_noted() -> None:
    """Remove the files named in notes."""
    while True:
        with db.read() as session:
            noted = session.execute(
                sa.select(_removals.c.id, _removals.c.storage_key).order_by(_removals.c.id).limit(CHUNK)
            ).all()
        if not noted:
            return
        for _, key in noted:
            remove_unused(key)
        db.write(_forget_notes, [id_ for id_, _ in noted])


def remove_unused(key: str) -> bool:
    """Remove one file unless a row references it; return whether it was removed."""
    return storage.current().remove(key, in_use=lambda: is_used(key))


def is_used(key: str) -> bool:
    """Return whether an attachment, upload, canned reply, person, workspace or the desk references the
    file."""
    return bool(named([key]))


def _forget_notes(session: Session, ids: list[int]) -> None:
    session.execute(sa.delete(_removals).where(_removals.c.id.in_(ids)))


class Cleaner:
    """Removes old uploads and unreferenced files, a part of the store at a time."""

    def __init__(self) -> None:
        self._shards: list[str] = []

    def clean_up(self) -> None:
        """Remove old uploads and noted files, and walk through the next part of the store."""
        while db.write(_remove_old_uploads) == CHUNK:
            pass
        if storage.away() is not None:
            return
        remove_noted()
        if not self._shards:
            self._shards = list(storage.SHARDS)
        self.walk(self._shards.pop())

    def walk(self, shard: str) -> None:
        """Delete unreferenced files of one part of the store; a crash may leave some."""
        keys = storage.current().keys(shard, older_than=(clock.now() - STRAY).timestamp())
        for start in range(0, len(keys), CHUNK):
            some = keys[start : start + CHUNK]
            for key in set(some) - named(some):
                remove_unused(key)


_cleaner = Cleaner()


def clean_up() -> None:
    """Remove unneeded files from the next part of the store."""
    _cleaner.clean_up()


def named(keys: Collection[str]) -> set[str]:
    """Return the *keys* that an attachment, upload, canned reply, person, workspace or the desk
    references."""
    with db.read() as session:
        return {
            key
            for column in _NAMING
            for key in session.scalars(sa.select(column).where(column.in_(keys)).distinct())
        }


def _remove_old_uploads(session: Session) -> int:
    """Remove uploads that were not sent within a day, and the rows of those that were."""
    query = (
        sa.select(_uploads.c.id, _uploads.c.storage_key)
        .where(_uploads.c.created_at <= clock.now() - KEPT)
        .order_by(_uploads.c.created_at)
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(query).all()
    session.execute(sa.delete(_uploads).where(_uploads.c.id.in_([row.id for row in rows])))
    remove_later(session, (row.storage_key for row in rows))
    return len(rows)
