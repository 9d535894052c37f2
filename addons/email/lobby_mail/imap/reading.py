"""Import the mails of a mailbox into the inbound log: new ones first, then earlier ones, newest first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import clock, db
from host.sdk.webhooks import Envelope, Ingest

from ..mail import kept, trips
from ..models import MailState, Role
from . import conversations, cursor, folders
from .connection import Client, told
from .cursor import AcceptedMail, Place
from .server import RefusedError, Settings, plain

log = logging.getLogger(__name__)
T = TypeVar("T")

BATCH_MAILS = 50
BATCH_BYTES = 4 * 1024 * 1024
"""Maximum bytes per write, because every other writer waits for it."""
HEADERS_AT_ONCE = 500
PLANNED = 20_000
"""Number of earlier mails sorted at a time."""
LOOK_BETWEEN = 10.0
"""Seconds of importing between checks for new mail."""
LANES_AHEAD = 200
"""Number of waiting ordered queues of an account at which no more of its earlier mails are fetched."""
SURELY_KNOWN = timedelta(days=89)
"""The inbound log recognises duplicates for 90 days. Older mail is imported as history."""
TRIES = 3
"""Number of times a mail may break the connection before it is skipped."""
PIECE = 4 * 1024 * 1024
"""Bytes fetched at a time of a mail that is larger than this."""
LARGE_SHOWN = 256 * 1024
"""Bytes read of a mail that is too large."""

_SIZES = ["INTERNALDATE", "RFC822.SIZE"]
_IDS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID IN-REPLY-TO REFERENCES)]"


@dataclass(frozen=True, slots=True)
class PendingMail:
    """A mail on the server that is to be fetched."""

    at: Place
    uid: int
    size: int
    came_at: datetime
    earlier: bool
    ids: tuple[int, ...] = ()
    """Hashes of its Message-ID and of those it references, its own first."""


@dataclass(slots=True)
class Memory:
    """State shared by consecutive connections: mails that broke one."""

    trying: tuple[tuple[int, int], ...] = ()
    broke: dict[tuple[int, int], int] = field(default_factory=dict)

    def note_break(self) -> None:
        """Record that the connection broke while fetching these mails."""
        for key in self.trying:
            self.broke[key] = self.broke.get(key, 0) + 1
        self.trying = ()


Unlisted = dict[int, list[int]]
"""UIDs of mails to fetch, newest first, by the folder's index in :attr:`Reader.places`."""


def _came_at(one: PendingMail) -> datetime:
    return one.came_at


class Reader:
    """Reads the folders of one mailbox over one connection. Used by one thread.

    :param stopping: returns whether to stop; called between batches.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        ingest: Callable[[], Ingest],
        stopping: Callable[[], bool],
        memory: Memory,
    ) -> None:
        self._client = client
        self._settings = settings
        self._ingest = ingest
        self._stopping = stopping
        self._memory = memory
        self._selected: int | None = None
        self._left: set[int] = set()
        self.places = self._find_places()
        self._highest: dict[int, int] = {}
        self._status: dict[int, object] = {}

    # ---- folders -------------------------------------------------------------------------------------

    def _find_places(self) -> list[Place]:
        with told(self._settings.server):
            listed = self._client.list_folders()
        sent = folders.sent_folder(listed)
        names = [("INBOX", Role.INBOX), *([] if sent is None else [(sent, Role.SENT)])]
        there = {name for flags, _, name in listed if folders.can_be_opened(flags)}
        further = [name for name in self._settings.folders if name not in {"INBOX", sent}]

        def use_case(session: Session) -> list[Place]:
            account = self._settings.account_id
            return [
                *(cursor.place(session, account, name, role) for name, role in names),
                *cursor.further(session, account, further, there),
            ]

        return db.write(use_case)

    def _leave(self, at: Place, error: RefusedError) -> None:
        """Skip an additional folder that cannot be opened until the next comparison of all folders."""
        log.warning("the folder %s of account %s: %s", at.name, at.account_id, error)
        self._left.add(at.id)
        self._selected = None
        cursor.note_problem(at, plain(str(error)))

    def select(self, at: Place) -> None:
        """Open a folder read-only, so that nothing is marked as seen.

        If its UIDs have changed, the old ones are forgotten.
        """
        if self._selected == at.id:
            return
        self._selected = None
        with told(self._settings.server):
            answer = self._client.select_folder(at.name, readonly=True)
            validity = int(answer[b"UIDVALIDITY"])
            next_uid = answer.get(b"UIDNEXT")
            if next_uid is None:
                next_uid = max(self._client.search("ALL"), default=0) + 1
        self._selected = at.id
        if at.uidvalidity != validity:
            known = at.uidvalidity is not None
            cursor.begin_anew(at, validity, int(next_uid))
            if known:
                log.warning("the folder %s of account %s has new numbers", at.name, at.account_id)

    # ---- new mail ------------------------------------------------------------------------------------

    def reconcile(self) -> Unlisted:
        """Compare each folder with the mails accounted for; fetch new ones, return the rest, newest first."""
        rest: Unlisted = {}
        if self._left:
            self.places, self._left = self._find_places(), set()
        for number, at in enumerate(self.places):
            try:
                missing = self._compare(at)
            except RefusedError as error:
                if not at.is_further:
                    raise
                self._leave(at, error)
                continue
            if not at.is_further:
                self._take(self._listed(at, [uid for uid in missing if uid >= at.base_uid]))
                missing = [uid for uid in missing if uid < at.base_uid]
            rest[number] = missing[::-1]
            if self._stopping():
                break
        return rest

    def _compare(self, at: Place) -> list[int]:
        """Compare a folder with the mails accounted for; return the missing ones, oldest first."""
        self.select(at)
        server = self._wanted(at)
        here = cursor.uids(at.id)
        cursor.forget(at, here - server)
        cursor.note_count(at, len(server))
        self._highest[at.id] = max([*server, at.base_uid - 1])
        return sorted(server - here)

    def look(self) -> None:
        """Fetch new mail. The inbox is checked last, and stays open."""
        for at in reversed(self.places):
            if self._stopping() or at.id in self._left:
                continue
            try:
                self._look_into(at)
            except RefusedError as error:
                if not at.is_further:
                    raise
                self._leave(at, error)

    def _look_into(self, at: Place) -> None:
        status = None
        if self._selected == at.id:
            with told(self._settings.server):
                self._client.noop()
        elif at is not self.places[0]:
            status = self._status_of(at)
            if status == self._status.get(at.id):
                return
        self.select(at)
        self._client.has_news()
        first = self._highest.get(at.id, at.base_uid - 1) + 1
        with told(self._settings.server):
            # "n:*" names the last mail even if it is older.
            found = sorted(uid for uid in self._client.search(["UID", f"{first}:*"]) if uid >= first)
        if found:
            listed = self._listed(at, found)
            # Mails moved into a further folder may be old: the hourly comparison finds those, in order.
            self._take([one for one in listed if not (at.is_further and one.earlier)])
            self._highest[at.id] = found[-1]
        self._status[at.id] = status

    def _status_of(self, at: Place) -> object:
        with told(self._settings.server):
            return self._client.folder_status(at.name, ["MESSAGES", "UIDNEXT", "UIDVALIDITY"])

    def _wanted(self, at: Place) -> set[int]:
        since = self._settings.since
        with told(self._settings.server):
            if since is None:
                return set(self._client.search("ALL"))
            # Add a day, because servers compare days in their own time zone.
            day = (since - timedelta(days=1)).date()
            recent = set(self._client.search(["SINCE", day]))
            # A mail in a further folder may have been moved there, so its UID says nothing about its age.
            if at.is_further:
                return recent
            return recent | {
                uid for uid in self._client.search(["UID", f"{at.base_uid}:*"]) if uid >= at.base_uid
            }

    def _listed(self, at: Place, numbers: Sequence[int]) -> list[PendingMail]:
        found: list[PendingMail] = []
        for some in _in_parts(numbers, HEADERS_AT_ONCE):
            self.select(at)
            with told(self._settings.server):
                answer = self._client.fetch(some, [*_SIZES, _IDS])
                found += [self._read_listed(at, uid, answer.get(uid, {})) for uid in some]
            if self._stopping():
                break
        return found

    def _read_listed(self, at: Place, uid: int, told_of: Mapping[bytes, Any]) -> PendingMail:
        came_at = _aware(told_of.get(b"INTERNALDATE"))
        now = clock.now()
        before = uid < at.base_uid and came_at < self._settings.connected_at
        if at.added_at is not None:
            # Servers report whole seconds.
            before = came_at < max(at.added_at, self._settings.connected_at).replace(microsecond=0)
        size = told_of.get(b"RFC822.SIZE")
        head = next((value for name, value in told_of.items() if name.startswith(b"BODY[")), b"")
        return PendingMail(
            at,
            uid,
            size if isinstance(size, int) else 0,
            min(came_at, now),
            earlier=before or came_at < now - SURELY_KNOWN,
            ids=conversations.ids(head if isinstance(head, bytes) else b""),
        )

    # ---- earlier mail --------------------------------------------------------------------------------

    def bring_in(self, rest: Unlisted) -> bool:
        """Fetch the rest by conversation, newest first; return whether all were fetched.

        New mail that arrives in the meantime goes first.
        """
        looked = time.monotonic()
        for window in self._windows(rest):
            # Mail that arrived after the mailbox was connected is new, regardless of its UID.
            self._take(sorted((one for one in window if not one.earlier), key=_came_at))
            for batch in _batches(conversations.in_order([one for one in window if one.earlier])):
                while self._are_workers_behind() and not self._stopping():
                    time.sleep(0.25)
                if self._stopping():
                    return False
                self._take(batch)
                if time.monotonic() - looked > LOOK_BETWEEN:
                    self.look()
                    looked = time.monotonic()
        return not self._stopping()

    def _windows(self, rest: Unlisted) -> Iterator[list[PendingMail]]:
        """Yield mails of all folders, in portions small enough to be sorted.

        A window covers the same period in each folder, so that no reply is imported long before its question.
        """
        listed: list[PendingMail] = []
        left = {number: list(numbers) for number, numbers in rest.items()}
        while listed or any(left.values()):
            known_since = datetime.min.replace(tzinfo=UTC)
            for number, numbers in left.items():
                found = self._listed(self.places[number], numbers[:PLANNED])
                del numbers[:PLANNED]
                listed += found
                if numbers and found:
                    known_since = max(known_since, min(map(_came_at, found)))
            yield [one for one in listed if one.came_at >= known_since]
            listed = [one for one in listed if one.came_at < known_since]
            if self._stopping():
                return

    def _are_workers_behind(self) -> bool:
        lanes = db.host_table("lanes")
        query = (
            sa.select(lanes.c.key)
            .where(
                lanes.c.direction == "in",
                lanes.c.account_id == self._settings.account_id,
                lanes.c.next_at <= db.now(),
            )
            .limit(LANES_AHEAD)
        )
        with db.read() as session:
            return len(session.execute(query).all()) == LANES_AHEAD

    # ---- fetching ------------------------------------------------------------------------------------

    def _take(self, listed: Sequence[PendingMail]) -> None:
        """Fetch mails and write them to the inbound log, in order, in bounded batches."""
        for batch in _batches([[one] for one in listed]):
            if self._stopping():
                return
            self._take_batch(batch)

    def _take_batch(self, batch: Sequence[PendingMail]) -> None:
        doubtful = [one for one in batch if self._memory.broke.get((one.at.id, one.uid))]
        if doubtful and len(batch) > 1:
            for one in batch:
                self._take_batch([one])
            return
        try:
            found = list(self._fetched(batch))
        except RefusedError as error:
            self._memory.trying = ()
            if len(batch) > 1:
                for one in batch:
                    self._take_batch([one])
                return
            found = [self._passed_over(batch[0], str(error))]
        self._journal(found)

    def _fetched(self, batch: Sequence[PendingMail]) -> Iterator[tuple[Envelope, AcceptedMail, PendingMail]]:
        bodies: dict[tuple[int, int], bytes] = {}
        for at in {one.at.id: one.at for one in batch}.values():
            bodies |= self._bodies(at, [one for one in batch if one.at.id == at.id])
        for one in batch:
            key = one.at.id, one.uid
            if key in bodies:
                yield self._envelope(one, bodies[key])
            elif self._memory.broke.get(key, 0) >= TRIES:
                yield self._passed_over(one, "the connection broke each time it was fetched")

    def _bodies(self, at: Place, listed: Iterable[PendingMail]) -> dict[tuple[int, int], bytes]:
        self.select(at)
        memory = self._memory
        wanted = [one for one in listed if memory.broke.get((at.id, one.uid), 0) < TRIES]
        found: dict[tuple[int, int], bytes] = {}
        whole = [one.uid for one in wanted if one.size <= min(PIECE, self._settings.largest)]
        for one in wanted:
            if PIECE < one.size <= self._settings.largest:
                memory.trying = ((at.id, one.uid),)
                body = self._in_pieces(one)
                memory.trying = ()
                if body is not None:
                    found[at.id, one.uid] = body
        large = [one.uid for one in wanted if one.size > self._settings.largest]
        for some, item in ((whole, "BODY.PEEK[]"), (large, f"BODY.PEEK[]<0.{LARGE_SHOWN}>")):
            if not some:
                continue
            memory.trying = tuple((at.id, uid) for uid in some)
            with told(self._settings.server):
                answer = self._client.fetch(some, [item])
                for uid in some:
                    body = _body_in(answer.get(uid, {}))
                    if body is not None:
                        found[at.id, uid] = body
            memory.trying = ()
        return found

    def _in_pieces(self, one: PendingMail) -> bytes | None:
        """Fetch a large mail piece by piece, so that no response is as large; None: it is gone.

        One that turns out to be over the limit is fetched to just above that.
        """
        pieces: list[bytes] = []
        size = 0
        while size <= self._settings.largest:
            with told(self._settings.server):
                answer = self._client.fetch([one.uid], [f"BODY.PEEK[]<{size}.{PIECE}>"])
                piece = _body_in(answer.get(one.uid, {}))
            if piece is None and not pieces:
                return None
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
            # A server may return less than asked for, or the whole mail, or be wrong about its size.
            if len(piece) > PIECE or (len(piece) < PIECE and size >= one.size):
                break
        return b"".join(pieces)

    def _envelope(self, one: PendingMail, body: bytes) -> tuple[Envelope, AcceptedMail, PendingMail]:
        settings = self._settings
        own = {settings.address, *settings.aliases}
        sent = one.at.role is Role.SENT or (one.at.is_further and kept.is_of_ours(body, own))
        kind = kept.kind_of(sent=sent, earlier=one.earlier)
        size = max(one.size, len(body))
        cut = size > settings.largest
        made = kept.envelope(
            body[:LARGE_SHOWN] if cut else body,
            settings.address,
            settings.account_id,
            kind,
            one.came_at,
            whole_size=size if cut else None,
            aliases=settings.aliases,
        )
        return made, AcceptedMail(one.at, one.uid, MailState.CUT if cut else MailState.TAKEN), one

    def _passed_over(self, one: PendingMail, why: str) -> tuple[Envelope, AcceptedMail, PendingMail]:
        log.warning("mail %s of %s of account %s: %s", one.uid, one.at.name, one.at.account_id, why)
        made = Envelope(
            account_id=one.at.account_id,
            lane="",
            dedupe_key=f"unreadable:{one.at.id}:{one.at.uidvalidity}:{one.uid}",
            kind="mail",
            body=b"",
            occurred_at=one.came_at,
            set_aside=f"The mail server did not hand out mail {one.uid} of {one.at.name}: {why}",
        )
        return made, AcceptedMail(one.at, one.uid, MailState.UNREADABLE), one

    def _journal(self, found: Sequence[tuple[Envelope, AcceptedMail, PendingMail]]) -> None:
        if not found:
            return
        account_id = self._settings.account_id
        own = {id(made): trips.marker_in(account_id, made.body) for made, _, _ in found}
        back = [
            (marker, trips.verdicts_in(made.body, "imap"))
            for made, _, one in found
            if (marker := own[id(made)]) and one.at.role is Role.INBOX
        ]
        live = not all(one.earlier for _, _, one in found)
        also = partial(
            cursor.account_for,
            taken=[taken for _, taken, _ in found],
            came_at=clock.now() if live else None,
        )

        def account_for(session: Session) -> None:
            also(session)
            for marker, verdicts in back:
                trips.note_arrived(session, account_id, marker, verdicts)

        mails = tuple(made for made, _, _ in found if own[id(made)] is None)
        if mails:
            self._ingest()(b"", mails, account_for)
        else:
            db.write(account_for)


def _batches(conversations_: Iterable[Sequence[PendingMail]]) -> Iterator[list[PendingMail]]:
    """Yield mails in batches that fit in one write; a single mail may be larger."""
    batch: list[PendingMail] = []
    size = 0
    for one in (mail for conversation in conversations_ for mail in conversation):
        if batch and (len(batch) >= BATCH_MAILS or size + one.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
    if batch:
        yield batch


def _body_in(told_of: Mapping[bytes, Any]) -> bytes | None:
    body = next((value for name, value in told_of.items() if name.startswith(b"BODY[")), None)
    return body if isinstance(body, bytes) else None


def _in_parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]


def _aware(value: object) -> datetime:
    """Return a server's time in UTC, or the current time if it has none."""
    if not isinstance(value, datetime):
        return clock.now()
    with suppress(OverflowError, ValueError):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return clock.now()
