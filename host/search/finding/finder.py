"""Find what a query asks for, newest first, in bounded time.

The postings of the rarest need are read in windows, back from the newest. Of each window only those stay
that every other need has too, and that are in conversations whoever asks may see. A search that has not
found enough when its time is over says how far back it got, and goes on from there when it is asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.db import padded
from host.inbox import queries
from host.inbox.apply import phone_numbers
from host.inbox.contacts import look_alikes
from host.inbox.labels.models import ConversationLabel, Label
from host.inbox.queries import ConversationFilter
from host.models.channels import ChannelAccount
from host.models.inbox import (
    Attachment,
    Contact,
    ContactIdentity,
    Conversation,
    Direction,
    Message,
    is_sent_along,
)
from host.models.search import DocumentKind
from host.models.users import User
from host.search import documents, postings, words
from host.search.finding.filters import ResolvedQuery
from host.search.finding.query import Need, Phrase, Query, read_query
from host.search.postings import POSTINGS
from host.users.reach import Accounts

PAGE = 50
PATIENCE_SECONDS = 0.2
"""Most seconds of a search; results found by then are shown."""
FIRST_WINDOW, LARGEST_WINDOW = 64, 2_000
RARE = 200
"""Documents below which a term counts as rare; for others their density is compared."""
MOST_BEGINNINGS = 40
"""Most terms with the same prefix that are searched together."""
LOOKED_THROUGH = 200
"""Postings read at once for the terms with a prefix: many rare ones, or one that is common."""
MOST_PEOPLE = 100
MOST_READ = 1_000
"""Postings that are read of a word of a name, and of each beginning, at most."""
MOST_LABELS = 8
"""Most labels counted for a page."""
LAST_LETTER = "\U0010ffff"


class SearchPosition(NamedTuple):
    """A position in the results: after this document."""

    at: int
    id: int


START = SearchPosition(2**62, 2**62)


class Hit(msgspec.Struct, frozen=True):
    """A matching message."""

    id: int
    conversation_id: int
    account_id: int
    direction: str
    kind: str
    author_name: str | None
    origin: str
    sent_at: Any
    texts: Sequence[str]
    """Its text, followed by its other searchable texts."""
    files: Sequence[str]


class FoundMessages(msgspec.Struct, frozen=True):
    """The results of a search.

    :param next: where it continues; None if there is no more.
    :param stopped: whether its time was over before the page was full.
    :param counted: ids of the matches on the page and after it; *complete*: whether these are all.
    """

    hits: Sequence[Hit]
    next: SearchPosition | None
    stopped: bool = False
    counted: Sequence[int] = ()
    complete: bool = True


NOTHING = FoundMessages((), None)


@lru_cache(maxsize=512)
def _window_query(driver: int, others: tuple[int, ...], barred: int = 0) -> Any:
    """Return the query of a window: the next documents of the driver, and whether each has the others' terms.

    :param driver: how many terms the driver has.
    :param others: the same of each other need.
    :param barred: how many terms none may have; whether it has one is the first column behind its place.
    """
    parts = [_postings(f"d{number}") for number in range(driver)]
    if driver == 1:
        newest: Any = parts[0].subquery("newest")
    else:
        # Each for itself: so none is read further than a window.
        united = sa.union(*(sa.select(one.subquery()) for one in parts)).subquery()
        newest = (
            sa.select(united.c.at, united.c.document_id)
            .order_by(united.c.at.desc(), united.c.document_id.desc())
            .limit(sa.bindparam("size", type_=sa.Integer))
            .subquery("newest")
        )
    columns = [newest.c.at, newest.c.document_id]
    asked = [(f"o{number}", count) for number, count in enumerate(others)]
    for name, count in [("barred", barred), *asked] if barred else asked:
        other = POSTINGS.alias(name)
        names = [sa.bindparam(f"{name}_{place}", type_=POSTINGS.c.term.type) for place in range(count)]
        # A subquery of a value, not EXISTS: no planner turns it into a join with all documents of the term.
        has = (
            sa.select(sa.literal_column("1"))
            .where(
                other.c.workspace_id == sa.bindparam("workspace"),
                other.c.kind == sa.bindparam("kind"),
                other.c.term == names[0] if count == 1 else other.c.term.in_(names),
                other.c.at == newest.c.at,
                other.c.document_id == newest.c.document_id,
            )
            .limit(1)
            .scalar_subquery()
        )
        columns.append(has.label(f"has_{name}"))
    return sa.select(*columns).order_by(newest.c.at.desc(), newest.c.document_id.desc())


def _postings(name: str) -> Any:
    """Select the next postings of a term, the newest first."""
    table = POSTINGS
    return (
        sa.select(table.c.at, table.c.document_id)
        .where(
            table.c.workspace_id == sa.bindparam("workspace"),
            table.c.kind == sa.bindparam("kind"),
            table.c.term == sa.bindparam(name, type_=table.c.term.type),
            table.c.at >= sa.bindparam("since", type_=sa.BigInteger),
            # In two conditions, so that databases use the key for the first.
            table.c.at <= sa.bindparam("at", type_=sa.BigInteger),
            sa.or_(
                table.c.at < sa.bindparam("at", type_=sa.BigInteger),
                table.c.document_id < sa.bindparam("id", type_=sa.BigInteger),
            ),
        )
        .order_by(table.c.at.desc(), table.c.document_id.desc())
        .limit(sa.bindparam("size", type_=sa.Integer))
    )


@lru_cache(maxsize=128)
def _rarity_query(count: int) -> Any:
    """Return the query of how many of the next postings *count* terms have, and the oldest of these."""
    some = [_postings(f"d{number}").subquery() for number in range(count)]
    each = [sa.select(sa.func.count(), sa.func.min(one.c.at)) for one in some]
    return each[0] if count == 1 else sa.union_all(*each)


@lru_cache(maxsize=1)
def _beginning_query() -> Any:
    """Return the query of the terms of the next postings between two terms, each with its number of these."""
    table = POSTINGS
    some = (
        sa.select(table.c.term)
        .where(
            table.c.workspace_id == sa.bindparam("workspace"),
            table.c.kind == sa.bindparam("kind"),
            table.c.term > sa.bindparam("after", type_=table.c.term.type),
            table.c.term < sa.bindparam("end", type_=table.c.term.type),
        )
        .order_by(table.c.term)
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    return sa.select(some.c.term, sa.func.count()).group_by(some.c.term).order_by(some.c.term)


class _Reader:
    """Reads the postings that every one of some needs has."""

    def __init__(
        self,
        session: Session,
        workspace_id: int,
        kind: DocumentKind,
        needs: Sequence[Need],
        since: int,
        barred: Sequence[str] = (),
    ) -> None:
        self._session = session
        self._barred = barred
        self._base = {"workspace": workspace_id, "kind": int(kind), "since": since}
        self._needs = list(dict.fromkeys(Need(self._terms(one)) if one.beginnings else one for one in needs))
        self._query: Any = None
        self._values: dict[str, Any] = {}

    def _terms(self, need: Need) -> tuple[str, ...]:
        """Return the terms a need stands for that asks for a beginning."""
        found = dict.fromkeys(need.terms)
        for begin in need.beginnings:
            after, more = begin, True
            while more and len(found) < MOST_BEGINNINGS:
                values = {**self._base, "after": after, "end": begin + LAST_LETTER}
                rows = self._session.connection().execute(_beginning_query(), values).all()
                found |= dict.fromkeys(term for term, _ in rows)
                # The last one may be all there was to read: the next statement goes on behind it.
                more = sum(number for _, number in rows) == LOOKED_THROUGH
                after = rows[-1][0] if rows else after
        return tuple(found)[:MOST_BEGINNINGS]

    def choose(self, place: SearchPosition) -> bool:
        """Choose the rarest need to read by; return False if one of them has nothing behind *place*."""
        ranked = []
        for need in self._needs:
            # Of several terms the commonest says how common the need is.
            rank = max(self._rarities(need.terms, place))
            if rank == (0, 0):
                return False
            ranked.append((rank, need))
        ranked.sort(key=lambda one: one[0])
        driver, others = ranked[0][1], [need for _, need in ranked[1:]]
        counts = tuple(len(one.terms) for one in others)
        self._query = _window_query(len(driver.terms), counts, len(self._barred))
        self._values = {**self._base, **{f"d{n}": term for n, term in enumerate(driver.terms)}}
        for number, need in enumerate(others):
            self._values |= {f"o{number}_{n}": term for n, term in enumerate(need.terms)}
        self._values |= {f"barred_{n}": term for n, term in enumerate(self._barred)}
        return True

    def _rarities(self, terms: Sequence[str], place: SearchPosition) -> list[tuple[int, int]]:
        values = {**self._base, **{f"d{n}": term for n, term in enumerate(terms)}}
        values |= {**place._asdict(), "size": RARE}
        rows = self._session.connection().execute(_rarity_query(len(terms)), values)
        return [(0, count) if count < RARE else (1, int(oldest)) for count, oldest in rows]

    def window(self, place: SearchPosition, size: int) -> tuple[list[SearchPosition], SearchPosition | None]:
        """Return those of the next *size* documents that have everything, and where they end.

        The end is None where there are no more.
        """
        values = {**self._values, **place._asdict(), "size": size}
        rows = self._session.connection().execute(self._query, values).all()
        first = 3 if self._barred else 2
        kept = (row for row in rows if None not in row[first:] and (not self._barred or row[2] is None))
        found = [SearchPosition(row[0], row[1]) for row in kept]
        return found, SearchPosition(rows[-1][0], rows[-1][1]) if len(rows) == size else None


def find(
    session: Session,
    workspace_id: int,
    user_id: int | None,
    wanted: ResolvedQuery,
    *,
    after: SearchPosition | None = None,
    limit: int = PAGE,
    patience: float = PATIENCE_SECONDS,
    count: int = 0,
) -> FoundMessages:
    """Return up to *limit* messages that fit, the newest first.

    :param user_id: who asks; None: a program.
    :param after: where an earlier search stopped.
    :param patience: seconds after which it stops.
    :param count: how many are looked for to be counted, in half the time, where the page has been filled.
    """
    if wanted.unknown or wanted.clashing or wanted.query.empty:
        return NOTHING
    until = clock.monotonic() + patience
    needs = (*wanted.query.needs, *wanted.marks) or (Need(documents.SIDES),)
    place = after or START
    if wanted.until is not None:
        place = min(place, SearchPosition(wanted.until, 0))
    contacts = _people(session, workspace_id, wanted)
    if contacts is not None and not contacts:
        return NOTHING
    since = -(2**62) if wanted.since is None else wanted.since
    reader = _Reader(session, workspace_id, DocumentKind.MESSAGE, needs, since, wanted.query.barred)
    if not reader.choose(place):
        return NOTHING
    allowed = _Allowed(session, workspace_id, user_id, wanted, contacts)
    hits: list[SearchPosition] = []
    size = FIRST_WINDOW
    end: SearchPosition | None = place
    looked = clock.monotonic()
    while end is not None and len(hits) <= max(limit, count):
        if end != place and looked >= (until if len(hits) <= limit else until - patience / 2):
            break
        found, end = reader.window(end, size)
        hits += allowed.of(found)
        before, looked = looked, clock.monotonic()
        # The last window should not take longer than there is time.
        fitting = size * max(until - looked, 0) / max(looked - before, 1e-6)
        size = int(min(max(fitting, FIRST_WINDOW), size * 4, LARGEST_WINDOW))
    counted = tuple(one.id for one in hits[:count])
    complete = end is None and len(hits) <= count
    page = _hits(session, workspace_id, hits[:limit])
    if len(hits) > limit:
        return FoundMessages(page, hits[limit - 1], counted=counted, complete=complete)
    return FoundMessages(page, end, stopped=end is not None, counted=counted, complete=complete)


def _people(session: Session, workspace_id: int, wanted: ResolvedQuery) -> list[int] | None:
    """Return the contacts that have to have written; None: anybody."""
    if wanted.people is None:
        return None
    return find_contacts(session, workspace_id, wanted.people, MOST_PEOPLE, within=False)


@lru_cache(maxsize=1)
def _looked_at_query() -> Any:
    # By key alone: of a join, or with a workspace, some planner reads whole conversations for a few messages.
    return sa.select(
        Message.id, Message.conversation_id, Message.author_id, Message.hidden_at, Message.unsent_at
    ).where(Message.id.in_(sa.bindparam("ids", expanding=True)))


class _Allowed:
    """Knows which messages are in conversations that a filter lets through, and say what was asked for."""

    def __init__(
        self,
        session: Session,
        workspace_id: int,
        user_id: int | None,
        wanted: ResolvedQuery,
        contacts: list[int] | None,
    ) -> None:
        self._session = session
        self._exact, self._barred = wanted.query.exact, wanted.query.barred_exactly
        self._workspace_id = workspace_id
        self._author_id = wanted.author_id
        self._query: Any = None
        if wanted.conversations != ConversationFilter() or contacts is not None:
            conditions, self._values = queries.narrowing(wanted.conversations, workspace_id, user_id)
            some = Conversation.id.in_(sa.bindparam("conversation_ids", expanding=True))
            self._query = sa.select(Conversation.id).where(some, *conditions)
            if contacts is not None:
                self._query = self._query.where(Conversation.contact_id.in_(contacts))

    def of(self, places: Sequence[SearchPosition]) -> list[SearchPosition]:
        """Return those of *places* that fit, in their order."""
        if not places:
            return []
        rows = db.read_rows(self._session, _looked_at_query(), ids=padded([one.id for one in places]))
        within = {
            row.id: row.conversation_id
            for row in rows
            if row.hidden_at is None and row.unsent_at is None and self._author_id in {None, row.author_id}
        }
        if self._query is not None and within:
            values = {**self._values, "conversation_ids": padded(sorted(set(within.values())))}
            allowed = set(self._session.connection().execute(self._query, values).scalars())
            within = {id_: conversation for id_, conversation in within.items() if conversation in allowed}
        ids = set(within)
        if (self._exact or self._barred) and ids:
            said = _texts(self._session, self._workspace_id, ids)
            ids = {id_ for id_ in ids if _says(said[id_], self._exact, self._barred)}
        return [one for one in places if one.id in ids]


def _says(texts: Sequence[str], phrases: Sequence[Phrase], barred: Sequence[Phrase]) -> bool:
    """Return whether some of *texts* have each of *phrases*, and none has one of *barred*."""
    cut = [list(words.atoms(words.composed(one))) for one in texts]

    def has(phrase: Phrase) -> bool:
        return any(phrase_places(atoms, phrase) for atoms in cut)

    return all(map(has, phrases)) and not any(map(has, barred))


def phrase_places(atoms: Sequence[words.Atom], phrase: Phrase) -> list[tuple[int, int]]:
    """Return where *phrase* stands among *atoms*: the first and the last place of each."""
    sought = [one.text for one in phrase.atoms]
    length = len(sought)
    found = []
    for place in range(len(atoms) - length + 1):
        here = [one.text for one in atoms[place : place + length]]
        same = here[:-1] == sought[:-1] and (
            here[-1] == sought[-1] or (phrase.beginning and here[-1].startswith(sought[-1]))
        )
        if same:
            found.append((place, place + length - 1))
    if phrase.whole is not None:
        begin = phrase.whole_beginning
        found += [
            (place, place)
            for place, one in enumerate(atoms)
            if one.text == phrase.whole or (begin and one.text.startswith(begin))
        ]
    if length == 1:
        found += _joined_places(atoms, phrase)
        if sought[0].isdecimal():
            numbered = ((place, words.numbers(one.text)) for place, one in enumerate(atoms))
            found += [
                (place, place) for place, numbers in numbered if any(_fits(one, phrase) for one in numbers)
            ]
    return found


def _fits(word: str, phrase: Phrase) -> bool:
    """Return whether *word* is the only one of *phrase*, or begins so where that is enough."""
    sought = phrase.atoms[0].text
    return word == sought or (phrase.beginning and word.startswith(sought))


def _joined_places(atoms: Sequence[words.Atom], phrase: Phrase) -> list[tuple[int, int]]:
    """Return where several parts are a phrase in one: ``ab12`` where the text says ``AB-12``."""
    found, place = [], 0
    for chain in words.chains(atoms):
        whole = words.joined(chain)
        if whole is not None and _fits(whole, phrase):
            found.append((place, place + len(chain) - 1))
        place += len(chain)
    return found


def _texts(session: Session, workspace_id: int, ids: Collection[int]) -> dict[int, list[str]]:
    """Return everything that messages can be found by."""
    return {one.id: list(one.texts) for one in _load(session, workspace_id, ids)}


def _hits(session: Session, workspace_id: int, places: Sequence[SearchPosition]) -> list[Hit]:
    loaded = {one.id: one for one in _load(session, workspace_id, [one.id for one in places])}
    return [loaded[one.id] for one in places if one.id in loaded]


@lru_cache(maxsize=1)
def _message_query() -> Any:
    return (
        sa.select(
            Message.id,
            Message.workspace_id,
            Message.conversation_id,
            Message.account_id,
            Message.direction,
            Message.kind,
            Message.origin,
            Message.sent_at,
            Message.text,
            Message.content,
            User.name.label("author_name"),
        )
        .outerjoin(User, User.id == Message.author_id)
        .where(Message.id.in_(sa.bindparam("ids", expanding=True)))
    )


@lru_cache(maxsize=1)
def _file_query() -> Any:
    return (
        sa.select(Attachment.message_id, Attachment.name)
        .where(Attachment.message_id.in_(sa.bindparam("ids", expanding=True)), is_sent_along())
        .order_by(Attachment.id)
    )


def _load(session: Session, workspace_id: int, ids: Collection[int]) -> list[Hit]:
    if not ids:
        return []
    some = padded(sorted(ids))
    # Not in the query: PostgreSQL reads all messages of the workspace for it where it has no statistics yet.
    rows = [
        row for row in db.read_rows(session, _message_query(), ids=some) if row.workspace_id == workspace_id
    ]
    begun = documents.subjects(session, {row.conversation_id for row in rows})
    files: dict[int, list[str]] = {}
    for message_id, name in db.read_rows(session, _file_query(), ids=some):
        files.setdefault(message_id, []).append(name)
    return [
        Hit(
            id=row.id,
            conversation_id=row.conversation_id,
            account_id=row.account_id,
            direction=row.direction,
            kind=row.kind,
            author_name=row.author_name,
            origin=row.origin,
            sent_at=row.sent_at,
            texts=list(documents.texts(row.text, row.content, files.get(row.id, []), begun.get(row.id))),
            files=files.get(row.id, []),
        )
        for row in rows
    ]


Fact = tuple[str, Any]
"""A fact about a message or its conversation: its name and value."""


@lru_cache(maxsize=1)
def _fact_query() -> Any:
    file = sa.exists().where(Attachment.message_id == Message.id, is_sent_along())
    return (
        sa.select(
            Message.direction,
            Message.kind,
            Message.author_id,
            Message.account_id,
            Conversation.status,
            Conversation.assignee_id,
            Conversation.team_id,
            Message.sent_at,
            file.label("file"),
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id.in_(sa.bindparam("ids", expanding=True)))
    )


def facts(session: Session, ids: Collection[int], days: Mapping[str, datetime]) -> list[Sequence[Fact]]:
    """Return of each of some messages what the filters that a page offers ask for.

    :param days: when the day after each begins, for the fact ``after``.
    """
    if not ids:
        return []
    return [
        (
            ("kind", row.kind),
            ("said", row.direction != Direction.INTERNAL),
            ("file", bool(row.file)),
            ("customer", row.direction == Direction.INBOUND),
            ("author", row.author_id),
            ("account", row.account_id),
            ("status", row.status),
            ("assignee", row.assignee_id),
            ("team", row.team_id),
            *(("after", day) for day, begin in days.items() if row.sent_at >= begin),
        )
        for row in db.read_rows(session, _fact_query(), ids=padded(sorted(ids)))
    ]


@lru_cache(maxsize=1)
def _label_query() -> Any:
    number = sa.func.count()
    return (
        sa.select(Label.name, Label.tone, number)
        .join(ConversationLabel, ConversationLabel.label_id == Label.id)
        .join(Message, Message.conversation_id == ConversationLabel.conversation_id)
        .where(Message.id.in_(sa.bindparam("ids", expanding=True)))
        .group_by(Label.id, Label.name, Label.tone)
        .order_by(number.desc(), Label.name)
        .limit(MOST_LABELS)
    )


def label_counts(session: Session, ids: Collection[int]) -> list[tuple[str, str, int]]:
    """Return the labels that the conversations of some messages have most: name, tone, number of messages."""
    if not ids:
        return []
    return [tuple(row) for row in db.read_rows(session, _label_query(), ids=padded(sorted(ids)))]


# ---- people ------------------------------------------------------------------------------------------


class FoundPerson(msgspec.Struct, frozen=True):
    """A matching customer, with their most recent conversation.

    :param conversation_id: None if there is none that the person may see; then so is *last_message_at*.
    :param handle: their name or address at the provider; *account*: the account they wrote to. Either may be
        empty.
    :param channel: where they wrote; None if there is no account to see them on.
    """

    contact_id: int
    conversation_id: int | None
    name: str
    handle: str | None
    channel: str | None
    account: str
    last_message_at: datetime | None


def find_people(
    session: Session, workspace_id: int, query: Query, *, accounts: Accounts, limit: int = 6
) -> list[FoundPerson]:
    """Return customers with each word in a name, handle or address.

    First those in which each word begins one, then the rest; of both the newest first, and those without a
    conversation last. Of somebody limited to *accounts*, only customers who are on one of these.
    """
    if not query.needs:
        return []
    beginning = _named(session, workspace_id, query)
    ids = list(beginning)[: limit * 4]
    if not ids:
        return []
    rows = (
        sa.select(
            Conversation.contact_id,
            Conversation.id,
            Conversation.channel,
            Conversation.last_message_at,
            Contact.name.label("contact_name"),
            Contact.email,
            ContactIdentity.name,
            ContactIdentity.username,
            ContactIdentity.external_id,
            ChannelAccount.handle,
        )
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .where(Conversation.workspace_id == workspace_id, Conversation.contact_id.in_(padded(sorted(ids))))
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(400)
    )
    if accounts is not None:
        rows = rows.where(Conversation.account_id.in_(sorted(accounts)))
    found: dict[int, FoundPerson] = {}
    for row in session.execute(rows):
        found.setdefault(row.contact_id, _person(row))
    silent = [id_ for id_ in ids if id_ not in found]
    if silent:
        for row in session.execute(_silent_query(workspace_id, silent, accounts)):
            found.setdefault(row.contact_id, _person(row))
    people = list(found.values())
    people.sort(key=lambda one: (not beginning[one.contact_id], one.conversation_id is None))
    return people[:limit]


def _person(row: Any) -> FoundPerson:
    return FoundPerson(
        row.contact_id,
        row.id,
        row.contact_name or row.name or row.username or row.email or row.external_id or "",
        row.username or row.email,
        row.channel,
        row.handle or "",
        row.last_message_at,
    )


def _silent_query(workspace_id: int, ids: Sequence[int], accounts: Accounts) -> Any:
    """Return the query of contacts without a conversation.

    Contacts belong to the accounts they have an identity on, as :func:`host.inbox.contacts.people.check_seen`
    has it.
    """
    on = [ContactIdentity.contact_id == Contact.id]
    if accounts is not None:
        on.append(ContactIdentity.account_id.in_(sorted(accounts)))
    talk = sa.select(Conversation.id).where(Conversation.contact_id == Contact.id)
    if accounts is not None:
        talk = talk.where(Conversation.account_id.in_(sorted(accounts)))
    return (
        sa.select(
            Contact.id.label("contact_id"),
            sa.null().label("id"),
            ChannelAccount.channel,
            sa.null().label("last_message_at"),
            Contact.name.label("contact_name"),
            Contact.email,
            ContactIdentity.name,
            ContactIdentity.username,
            ContactIdentity.external_id,
            ChannelAccount.handle,
        )
        .join(ContactIdentity, sa.and_(*on), isouter=accounts is None)
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id, isouter=accounts is None)
        .where(
            Contact.workspace_id == workspace_id,
            Contact.id.in_(padded(ids)),
            Contact.merged_into_id.is_(None),
            ~talk.exists(),
        )
        .order_by(Contact.id.desc(), ContactIdentity.id)
    )


def find_contacts(
    session: Session, workspace_id: int, query: Query, limit: int, *, within: bool = True
) -> list[int]:
    """Return the ids of contacts with each word in a name, handle or address, first those that it begins.

    :param within: False leaves out those in which a word stands within another.
    """
    return list(_named(session, workspace_id, query, within=within))[:limit] if query.needs else []


class _NameNeed(msgspec.Struct, frozen=True):
    """A word that a name must have: one of *terms*, or a term that begins with one of *beginnings*."""

    terms: tuple[str, ...]
    beginnings: tuple[str, ...]

    def place(self, terms: Iterable[str]) -> bool | None:
        """Return whether some of *terms* have it at the beginning of a word; None if they have it nowhere."""
        places = {not one.startswith(words.PART) for one in terms if self._fits(one)}
        return max(places, default=None)

    def _fits(self, term: str) -> bool:
        return term in self.terms or term.startswith(self.beginnings)


def _name_need(need: Need, within: bool) -> _NameNeed:
    """Return what a name must have for a word, in any of its spellings, or *within* a word of the name."""
    spellings = dict.fromkeys((need.terms[0], words.short_spelling(need.terms[0])))
    beginnings = list(spellings)
    if within:
        beginnings += [f"{words.PART}{one}" for one in spellings if len(one) >= words.FEWEST_LETTERS]
    wholes = [spelling for one in need.terms[1:] for spelling in (one, words.short_spelling(one))]
    return _NameNeed(tuple(dict.fromkeys(wholes)), tuple(beginnings))


@lru_cache(maxsize=32)
def _names_query(terms: int, beginnings: int) -> Any:
    """Return the query of contacts with one of some terms, and of some beginnings.

    Of each it reads a number of the newest: of a beginning first those with this very word, then others in
    the order of the index.
    """
    table = POSTINGS
    # An index is read from its end: the newest of a term come first.
    order = (table.c.term.desc(), table.c.at.desc(), table.c.document_id.desc())

    def some(*conditions: Any) -> Any:
        query = sa.select(table.c.term, table.c.document_id).where(
            table.c.workspace_id == sa.bindparam("workspace"),
            table.c.kind == int(DocumentKind.CONTACT),
            *conditions,
        )
        return sa.select(query.order_by(*order).limit(sa.bindparam("size", type_=sa.Integer)).subquery())

    def value(name: str) -> Any:
        return sa.bindparam(name, type_=table.c.term.type)

    each = [some(table.c.term == value(f"t{n}")) for n in range(terms)]
    for n in range(beginnings):
        each.append(some(table.c.term == value(f"b{n}")))
        each.append(some(table.c.term > value(f"b{n}"), table.c.term < value(f"e{n}")))
    return sa.union_all(*each)


def _named(session: Session, workspace_id: int, query: Query, *, within: bool = True) -> dict[int, bool]:
    """Return contacts with each word in a name, and whether each begins one: these first, the newest first.

    Those with the phone number that the words are in, however it is written, come with the first.
    """
    found = _with_words(session, workspace_id, query.needs, within=within)
    written = query.words.replace('"', "")
    numbered = look_alikes.with_number(session, workspace_id, written)
    if (number := phone_numbers.with_plus(written)) is not None:
        numbered.update(_with_words(session, workspace_id, read_query(number).needs, within=False))
    if numbered:
        found |= dict.fromkeys(numbered, True)
    return dict(sorted(found.items(), key=lambda one: (not one[1], -one[0])))


def _with_words(
    session: Session, workspace_id: int, needs: Sequence[Need], *, within: bool = True
) -> dict[int, bool]:
    """Return contacts with each word in a name, and whether each begins one.

    One statement for each word. Of a very common word not all contacts are read: those that have the rarest
    word are checked for it.
    """
    sets: list[tuple[bool, _NameNeed, dict[int, bool]]] = []
    for need in dict.fromkeys(_name_need(one, within) for one in needs):
        values: dict[str, Any] = {"workspace": workspace_id, "size": MOST_READ}
        values |= {f"t{n}": term for n, term in enumerate(need.terms)}
        for n, begin in enumerate(need.beginnings):
            values |= {f"b{n}": begin, f"e{n}": begin + LAST_LETTER}
        statement = _names_query(len(need.terms), len(need.beginnings))
        rows = session.connection().execute(statement, values).all()
        found: dict[int, bool] = {}
        for term, id_ in rows:
            found[id_] = found.get(id_, False) or not term.startswith(words.PART)
        if not found:
            return {}
        sets.append((len(rows) >= MOST_READ, need, found))
    sets.sort(key=lambda one: (one[0], len(one[2])))
    named = sets[0][2]
    for partial, need, found in sets[1:]:
        places: Mapping[int, bool | None] = found
        if partial:
            kept = postings.kept(session.connection(), DocumentKind.CONTACT, named)
            places = {id_: need.place(content.terms) for id_, content in kept.items()}
        both = {id_: (begins, places.get(id_)) for id_, begins in named.items()}
        named = {id_: begins and place for id_, (begins, place) in both.items() if place is not None}
    return named
