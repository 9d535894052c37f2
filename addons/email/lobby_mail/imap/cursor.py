"""The processed mails of a mailbox, per folder, stored in the same write as the inbound log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db

from ..models import Folder, FolderMail, Mailbox, MailState, Role

AT_ONCE = 5_000
"""Maximum rows per DELETE statement, because other writers wait for it."""

_mails: Any = FolderMail.__table__


class SupersededError(Exception):
    """Another process now reads this folder, or its UIDs changed: nothing was written."""


@dataclass(slots=True)
class Place:
    """A folder that is being read: its row, detached from a session.

    :param base_uid: mails from this UID on arrived after it was first read under *uidvalidity*.
    :param added_at: when a further folder was added; None for the inbox and the sent folder.
    """

    id: int
    account_id: int
    name: str
    role: Role
    uidvalidity: int | None
    base_uid: int
    added_at: datetime | None = None

    @property
    def is_further(self) -> bool:
        return self.added_at is not None


def place(session: Session, account_id: int, name: str, role: Role) -> Place:
    """Return a folder of an account, created if it was not read before."""
    query = sa.select(Folder).where(Folder.account_id == account_id, Folder.name == name)
    row = session.scalars(query).one_or_none()
    if row is None:
        row = Folder(account_id=account_id, name=name, role=role, base_uid=1)
        session.add(row)
        session.flush()
    row.role, row.added_at, row.problem = role, None, None
    return Place(row.id, account_id, row.name, role, row.uidvalidity, row.base_uid)


MISSING = ""
"""Problem of a further folder that does not exist on the server."""


def further(
    session: Session, account_id: int, names: Collection[str], there: Collection[str]
) -> Sequence[Place]:
    """Return the additional folders of an account that exist on the server, and note a problem for the
    others.

    Like the inbox, they hold received mail.
    """
    found = []
    for row in keep_further(session, account_id, names):
        row.problem = None if row.name in there else MISSING
        if row.problem is None:
            found.append(
                Place(row.id, account_id, row.name, Role.INBOX, row.uidvalidity, row.base_uid, row.added_at)
            )
    return found


def keep_further(session: Session, account_id: int, names: Collection[str]) -> Sequence[Folder]:
    """Add folders to read from now on, unless already read; return their rows."""
    query = sa.select(Folder).where(Folder.account_id == account_id, Folder.name.in_(names))
    rows = {row.name: row for row in session.scalars(query)}
    for name in names:
        if name not in rows:
            rows[name] = Folder(account_id=account_id, name=name, role=Role.INBOX, base_uid=1)
            session.add(rows[name])
        if rows[name].added_at is None:
            rows[name].added_at, rows[name].role = clock.now(), Role.INBOX
    session.flush()
    return [rows[name] for name in names]


def note_problem(at: Place, words: str) -> None:
    """Record why an additional folder is not read."""

    def use_case(session: Session) -> None:
        row = session.get(Folder, at.id)
        if row is not None:
            row.problem = words[:300] or "refused"

    db.write(use_case)


def drop_further(account_id: int, wanted: Collection[str]) -> None:
    """Remove the additional folders that are no longer *wanted*. Messages from them stay in the inbox."""
    query = sa.select(Folder.id).where(
        Folder.account_id == account_id, Folder.added_at.is_not(None), Folder.name.not_in(wanted)
    )
    with db.read() as session:
        gone = list(session.scalars(query))
    for folder_id in gone:
        while db.write(_forget_some, folder_id):
            pass
        db.write(_drop, folder_id)


def _drop(session: Session, folder_id: int) -> None:
    session.execute(sa.delete(Folder).where(Folder.id == folder_id))


def uids(folder_id: int) -> set[int]:
    """Return the UIDs of the mails of a folder that are accounted for."""
    with db.read() as session:
        return set(session.scalars(sa.select(_mails.c.uid).where(_mails.c.folder_id == folder_id)))


def begin_anew(at: Place, uidvalidity: int, next_uid: int) -> None:
    """Delete the stored UIDs of a folder because the server has assigned new ones to the same mails.

    Its mails are fetched again, and the inbound log recognises duplicates.
    """
    while db.write(_forget_some, at.id):
        pass
    db.write(_set_validity, at.id, uidvalidity, next_uid)
    at.uidvalidity, at.base_uid = uidvalidity, next_uid


def _forget_some(session: Session, folder_id: int) -> bool:
    query = sa.select(_mails.c.uid).where(_mails.c.folder_id == folder_id).limit(AT_ONCE)
    found = list(session.scalars(query))
    return bool(found) and _forget(session, folder_id, found)


def _set_validity(session: Session, folder_id: int, uidvalidity: int, next_uid: int) -> None:
    row = session.get_one(Folder, folder_id, with_for_update=True)
    row.uidvalidity, row.base_uid, row.on_server, row.counted_at = uidvalidity, next_uid, None, None


def forget(at: Place, gone: Collection[int]) -> None:
    """Delete the rows of mails the server no longer has."""
    numbers = sorted(gone)
    for start in range(0, len(numbers), AT_ONCE):
        db.write(_forget, at.id, numbers[start : start + AT_ONCE])


def _forget(session: Session, folder_id: int, numbers: Collection[int]) -> bool:
    session.execute(sa.delete(_mails).where(_mails.c.folder_id == folder_id, _mails.c.uid.in_(numbers)))
    return True


def note_count(at: Place, on_server: int) -> None:
    """Store how many of the wanted mails the server has."""

    def use_case(session: Session) -> None:
        row = session.get(Folder, at.id)
        if row is not None:
            row.on_server, row.counted_at = on_server, clock.now()

    db.write(use_case)


@dataclass(frozen=True, slots=True)
class AcceptedMail:
    """A mail that goes into the inbound log."""

    at: Place
    uid: int
    state: MailState


def account_for(session: Session, taken: Iterable[AcceptedMail], *, came_at: datetime | None) -> None:
    """Mark mails as accounted for, in the write that logs them.

    :param came_at: when the newest arrived; None: they are earlier mails.
    :raises SupersededError: if their UIDs are no longer valid.
    """
    of_folder: dict[int, list[AcceptedMail]] = {}
    for one in taken:
        of_folder.setdefault(one.at.id, []).append(one)
    for folder_id in sorted(of_folder):
        mails = of_folder[folder_id]
        row = session.get(Folder, folder_id, with_for_update=True)
        if row is None or row.uidvalidity != mails[0].at.uidvalidity:
            raise SupersededError
        numbers = {one.uid: one.state for one in mails}
        query = sa.select(_mails.c.uid).where(
            _mails.c.folder_id == folder_id, _mails.c.uid.in_(list(numbers))
        )
        here = set(session.scalars(query))
        new = [
            {"folder_id": folder_id, "uid": uid, "state": state}
            for uid, state in numbers.items()
            if uid not in here
        ]
        if new:
            session.execute(sa.insert(_mails), new)
        if came_at is not None:
            box = session.get(Mailbox, row.account_id)
            if box is not None:
                box.came_at = came_at


def counts(session: Session, account_id: int) -> Mapping[int, Mapping[str, int]]:
    """Return the number of mails by :class:`MailState`, for each folder of an account."""
    query = (
        sa.select(_mails.c.folder_id, _mails.c.state, sa.func.count())
        .join(Folder, Folder.id == _mails.c.folder_id)
        .where(Folder.account_id == account_id)
        .group_by(_mails.c.folder_id, _mails.c.state)
    )
    found: dict[int, dict[str, int]] = {}
    for folder_id, state, count in session.execute(query):
        found.setdefault(folder_id, {})[state] = count
    return found
