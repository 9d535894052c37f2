"""Values of a batch: loaded rows, drafts, and the result to write.

``Stored...`` are rows of the database and never change. :class:`Draft` and its values change while the batch
is decided. Writing takes :class:`Decided` and fills in the ids of the rows it inserts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from host.core.cleaning import external_id
from host.events.facts import Facts
from host.inbox.apply.incoming import NO_MEDIA, Incoming, other_ids
from host.inbox.apply.opt_out_words import OptOutWord
from host.models.inbox import Handler
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef
from host.sdk.messages import InboundAttachment, MessageKind, Post

Key = tuple[int, str]
"""Account id and an external id."""


# ---- stored rows -------------------------------------------------------------------------------------


class StoredPerson(NamedTuple):
    """A contact identity and the name and address of its contact."""

    id: int
    contact_id: int
    account_id: int
    external_id: str
    username: str | None
    name: str | None
    seen_at: datetime | None
    seen_early: Sequence[str] | None
    unreachable_since: datetime | None
    profile_at: datetime | None
    erased_at: datetime | None
    phone: str | None
    verified_email: str | None
    same_as_id: int | None
    contact_name: str | None
    contact_email: str | None
    contact_blocked_at: datetime | None = None


class StoredId(NamedTuple):
    """An id of a person: of the identity that has their conversations, or of one beside it."""

    id: int
    account_id: int
    external_id: str
    same_as_id: int | None
    id_kind: str | None
    id_named_at: datetime | None


class KnownBeside(NamedTuple):
    """The contact of a new person who is known by the same id on the account beside theirs."""

    account_id: int
    external_id: str
    contact_id: int
    username: str | None
    name: str | None
    contact_name: str | None
    contact_email: str | None
    contact_blocked_at: datetime | None


class StoredThread(NamedTuple):
    """A conversation."""

    id: int
    identity_id: int
    channel: str
    status: str
    subject: str | None
    closed_at: datetime | None
    last_message_at: datetime
    last_inbound_at: datetime | None
    last_direction: str
    last_kind: str
    last_preview: str
    last_author_id: int | None
    snooze_kind: str | None
    snoozed_until: datetime | None
    woken_at: datetime | None
    spam_at: datetime | None
    waiting_since: datetime | None
    handled_by: str = Handler.NOBODY
    post_id: int | None = None
    responder: dict[str, Any] | None = None


class StoredMessage(NamedTuple):
    """A message without its content.

    :param imported_at: set while the message is only known from the provider's history.
    """

    id: int
    account_id: int
    external_id: str
    conversation_id: int
    direction: str
    sent_at: datetime
    unsent_at: datetime | None = None
    imported_at: datetime | None = None
    attempted_at: datetime | None = None
    state: str | None = None

    @property
    def position(self) -> datetime:
        """The time to compare with read receipts: for our messages, the start of the attempt to send."""
        return self.attempted_at or self.sent_at


class StoredBody(NamedTuple):
    """The content of a stored message."""

    id: int
    conversation_id: int
    sent_at: datetime
    text: str
    content: dict[str, Any]
    reply_to: str | None
    edited_at: datetime | None
    edit_count: int
    unsent_at: datetime | None
    sources: Sequence[int] | None


class Unconfirmed(NamedTuple):
    """A message of ours that the provider has not confirmed and an echo may confirm.

    :param files: the number of its files.
    :param message_key: the key it was sent with, see :func:`host.queue.outbox.message_key`.
    """

    id: int
    workspace_id: int
    conversation_id: int
    identity_id: int
    kind: str
    files: int
    attempted_at: datetime
    origin: str
    author_id: int | None
    message_key: str
    body: StoredBody
    reply_key: str | None = None


class StoredMark(NamedTuple):
    """An annotation of a message that is not stored."""

    id: int
    account_id: int
    external_id: str
    identity_id: int
    kind: str
    at: datetime
    number: int
    text: str
    sources: Sequence[int] | None

    @property
    def key(self) -> Key:
        """The key of the message."""
        return self.account_id, self.external_id


class StoredReaction(NamedTuple):
    """One side's reaction to a message."""

    id: int
    account_id: int
    external_id: str
    actor: str
    emoji: str
    name: str
    at: datetime
    removed_at: datetime | None
    state: str | None


class ConsentAnswer(NamedTuple):
    """An answer of a contact about automated messages.

    :param closes: whether they opted out.
    :param source: how it is known.
    :param author_id: the member who recorded it, if any.
    """

    at: datetime
    closes: bool
    source: str = ""
    author_id: int | None = None


class Standing(NamedTuple):
    """The consent of a contact to automated messages, and every recorded answer.

    :param since: time of the opt-out; None if not opted out.
    :param source: how it is known; *author_id*: the member who recorded it, if any.
    :param log: the newest answers, by time.
    """

    since: datetime | None = None
    source: str | None = None
    author_id: int | None = None
    log: tuple[ConsentAnswer, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """All rows a batch needs.

    :param people: every customer of the batch, with the account, and the row if there is one.
    :param ids: every id of the people of whom the batch tells new ids; None: it tells of none.
    :param beside: customers without a row who are known on the account beside theirs.
    :param standings: consents of the customers who wrote an opt-out or opt-in word.
    :param marks: kept annotations; *reports*: kept delivery reports.
    :param sending: identity ids of customers with a message that may have been sent and has no id yet, of
        those with a report.
    :param threads: oldest first.
    :param unconfirmed: oldest attempt first.
    :param bodies: contents of messages the batch may edit or unsend, by the message's id, in the order of
        ids.
    :param reactions: in the order of ids.
    :param posts: ids of the batch's posts that are stored.
    :param strangers: customers outside the batch whose conversations its messages refer to. They are not
        locked and must not be changed.
    :param elsewhere: accounts of *strangers* that are not accounts of the batch, by id.
    :param answered: contents of stored messages referred to by somebody other than their customer, by id.
    :param shown: contents of the messages in those conversations, by the conversation's id.
    :param fitting: messages of ours that reports which name none may be about, by recipient, newest first.
    :param claims: payloads of quick replies whose taps a running addon claims, each with the customer.
    :param typed: such payloads that a customer named by a text, by the customer and the text.
    """

    people: Mapping[Key, tuple[AccountRef, StoredPerson | None]] = msgspec.field(default_factory=dict)
    ids: Sequence[StoredId] | None = None
    marks: Sequence[StoredMark] = ()
    reports: Sequence[StoredMark] = ()
    sending: Collection[int] = frozenset()
    messages: Mapping[Key, StoredMessage] = msgspec.field(default_factory=dict)
    threads: Sequence[StoredThread] = ()
    unconfirmed: Sequence[Unconfirmed] = ()
    bodies: Mapping[int, StoredBody] = msgspec.field(default_factory=dict)
    reactions: Sequence[StoredReaction] = ()
    standings: Mapping[Key, Standing] = msgspec.field(default_factory=dict)
    posts: Mapping[Key, int] = msgspec.field(default_factory=dict)
    beside: Mapping[Key, KnownBeside] = msgspec.field(default_factory=dict)
    strangers: Sequence[StoredPerson] = ()
    elsewhere: Mapping[int, AccountRef] = msgspec.field(default_factory=dict)
    answered: Mapping[int, Mapping[str, Any]] = msgspec.field(default_factory=dict)
    shown: Mapping[int, Sequence[Mapping[str, Any]]] = msgspec.field(default_factory=dict)
    fitting: Mapping[Key, Sequence[Fitting]] = msgspec.field(default_factory=dict)
    claims: Collection[tuple[Key, str]] = frozenset()
    typed: Mapping[tuple[Key, str], str] = msgspec.field(default_factory=dict)


# ---- drafts, changed while deciding ------------------------------------------------------------------


@dataclass(slots=True)
class Thread:
    """A conversation. One without an id is inserted."""

    person: Person
    channel: str
    status: str
    last_message_at: datetime
    last_direction: str
    last_kind: str
    id: int | None = None
    subject: str | None = None
    closed_at: datetime | None = None
    last_inbound_at: datetime | None = None
    last_preview: str = ""
    last_author_id: int | None = None
    snooze_kind: str | None = None
    snoozed_until: datetime | None = None
    woken_at: datetime | None = None
    is_spam: bool = False
    waiting_since: datetime | None = None
    handled_by: str = Handler.NOBODY
    responder: dict[str, Any] | None = None
    """The other program that answers here, see :mod:`host.inbox.apply.responders`."""
    post: str | None = None
    """External id of the post it is about; set if the conversation is new or the batch names the post."""
    post_id: int | None = None
    unread: int = 0
    """Number to add to ``unread_count`` and ``arrived_count``."""
    changed: bool = False
    last: NewMessage | None = None
    """The message of this batch that the list shows, if one of them is the last."""


@dataclass(slots=True)
class Person:
    """A contact identity and its contact. Both are inserted if it has no id."""

    account: AccountRef
    external_id: str
    id: int | None = None
    contact_id: int | None = None
    username: str | None = None
    name: str | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    phone: str | None = None
    verified_email: str | None = None
    seen_at: datetime | None = None
    seen_early: list[str] = field(default_factory=list)
    unreachable_since: datetime | None = None
    profile_at: datetime | None = None
    erased_at: datetime | None = None
    is_blocked: bool = False
    wrote: bool = False
    newest: Thread | None = None
    about: dict[str, Thread] = field(default_factory=dict)
    """Their newest conversation about each post, by the post's external id."""
    identity_changed: bool = False
    contact_changed: bool = False
    seen_raised: bool = False


@dataclass(slots=True)
class KnownId:
    """An id of a person, who is sent to by it if it is their ``external_id``.

    :param kind: an :class:`~host.models.inbox.IdKind`, or empty.
    :param at: since when it is known to be theirs; of a former one, until when it was.
    :param row_id: its row; None: it has none yet. Of a *renamed* one, the row that gets it.
    :param before: whose it was, if it moved on.
    :param added: whether it is this person's since this batch.
    """

    key: Key
    person: Person
    kind: str
    at: datetime
    row_id: int | None = None
    changed: bool = False
    renamed: bool = False
    before: Person | None = None
    added: bool = False


@dataclass(slots=True)
class NewMessage:
    """A message to insert."""

    thread: Thread
    account: AccountRef
    external_id: str
    direction: str
    origin: str
    kind: str
    text: str
    content: dict[str, Any]
    sent_at: datetime
    state: str | None = None
    attachments: tuple[InboundAttachment, ...] = ()
    stored: dict[int, str] = field(default_factory=dict)
    media: InboundMedia = NO_MEDIA
    """The channel's rules for the files its messages link to."""
    reply_to: str | None = None
    edited_at: datetime | None = None
    edit_count: int = 0
    unsent_at: datetime | None = None
    imported_at: datetime | None = None
    erased_at: datetime | None = None
    sources: list[int] = field(default_factory=list)
    """Ids of the journalled events that contain its content."""
    late: bool = False
    """Whether the conversation already had a later message."""
    writer: Person | None = None
    """The author, if not the conversation's customer."""


class Confirmed(NamedTuple):
    """A message of ours whose echo has arrived.

    :param key: with the id the provider gave it.
    """

    key: Key
    person: Person
    message: Unconfirmed
    state: str
    sources: list[int]


class DeliveryReport(StrEnum):
    """Kind of a report about a sent message, in the order in which those of one message are applied."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELETED = "deleted"
    DELIVERED = "delivered"
    READ = "read"


class Bounced(NamedTuple):
    """A report about a sent message that the provider had accepted.

    :param error: the error for its row.
    :param copy: the recipient of the copy; empty for the customer's own message.
    :param person: the person the report is about.
    :param tells: whether the channel tells when a message was delivered.
    :param closed_at: when nothing else could be sent to the customer, either; None: the report doesn't say.
    :param templates: whether approved templates could.
    """

    message: StoredMessage
    error: dict[str, str]
    copy: str
    person: str
    kind: DeliveryReport
    tells: bool = False
    closed_at: datetime | None = None
    templates: bool = False


class Fitting(NamedTuple):
    """A message of ours that a report which names none may be about.

    :param external_id: None while the provider's answer is not recorded.
    :param customer: external id of the customer of its conversation.
    """

    id: int
    external_id: str | None
    conversation_id: int
    direction: str
    state: str
    sent_at: datetime
    attempted_at: datetime | None
    content: Mapping[str, Any]
    customer: str

    @property
    def went_out_at(self) -> datetime:
        """The start of the last attempt to send it."""
        return self.attempted_at or self.sent_at


class Wish(NamedTuple):
    """A message with an opt-out or opt-in word.

    :param at: the time from which it counts.
    """

    message: NewMessage
    word: OptOutWord
    at: datetime


@dataclass(slots=True)
class Removals:
    """Content to remove because its messages were unsent or erased.

    :param events: ids of journalled events.
    :param keys: further events, by channel, account id and dedupe key.
    :param files: keys of ``host.core.storage``.
    :param messages: external ids of the messages.
    """

    events: set[int] = field(default_factory=set)
    keys: set[tuple[str, int, str]] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)


class Draft:
    """A batch while it is decided, one change after another.

    :param repeats: redelivered messages, with the change that contained them.
    :param refused: messages that belong to another customer than the change names, with the change.
    :param arrived: messages known from the history that were now delivered, by the ids of their rows.
    :param filled: messages of the history whose files came by themselves, by the ids of their rows.
    :param posts: posts that are referred to but not stored.
    :param bounced: reports about our messages, by id, person and kind.
    :param early: reports about messages that are not recorded as sent yet, by the message and kind.
    :param reported: ids of marks with such reports that are applied now.
    :param wishes: messages with opt-out and opt-in words.
    :param heard: when accounts last received an event, by account id.
    :param ids: ids of the people of whom the batch tells new ids.
    :param joins: what says that two stored people are one, by their identities' ids, the older first.
    :param readdressed: people with the id they were sent to, and the one from now on.
    """

    def __init__(self, loaded: Loaded, now: datetime) -> None:
        self.loaded = loaded
        self.now = now
        stored: dict[int, Person] = {}
        self.people: dict[Key, Person] = {}
        for key, (account, row) in loaded.people.items():
            person = _person(account, key[1], row or loaded.beside.get(key))
            # Somebody may be named by two ids.
            self.people[key] = person if person.id is None else stored.setdefault(person.id, person)
        accounts = {account.id: account for account, _ in loaded.people.values()} | dict(loaded.elsewhere)
        strangers = {
            (row.account_id, row.external_id): _person(accounts[row.account_id], row.external_id, row)
            for row in loaded.strangers
        }
        self.threads = _threads({**strangers, **self.people}, loaded.threads, loaded.posts)
        self.stored = dict(loaded.messages)
        self.new: dict[Key, NewMessage] = {}
        self.confirmed: dict[Key, Confirmed] = {}
        self.arrived: list[tuple[int, NewMessage]] = []
        self.filled: list[tuple[int, NewMessage]] = []
        self.repeats: list[tuple[Key, Incoming]] = []
        self.refused: list[tuple[Key, Incoming]] = []
        self.posts: dict[Key, tuple[AccountRef, Post]] = {}
        self.wishes: list[Wish] = []
        self.bounced: dict[tuple[int, str, DeliveryReport], Bounced] = {}
        self.early: dict[tuple[Key, str], NewMark] = {}
        self.reported: list[int] = []
        self.removals = Removals()
        self.heard: dict[int, datetime] = {}
        self.ids: dict[Key, KnownId] = {}
        self.joins: dict[tuple[int, int], Incoming] = {}
        self.moved: set[Key] = set()
        self.readdressed: list[tuple[Person, str, str]] = []

    def is_here(self, key: Key) -> bool:
        """Return whether the message *key* is stored or in the batch."""
        return key in self.stored or key in self.new

    def sources(self, key: Key) -> Sequence[int] | None:
        """Return the ids of the events that contain the message *key*; None if it is missing.

        For a stored message, they are only known if its body was loaded.
        """
        if (new := self.new.get(key)) is not None:
            return new.sources
        stored = self.stored.get(key)
        body = None if stored is None else self.loaded.bodies.get(stored.id)
        return None if body is None else body.sources or ()

    def is_of_another(self, key: Key, person: Person) -> bool:
        """Return whether the message *key* is here but not in a conversation of *person*."""
        return self.is_here(key) and self.owner(key) is not person

    def everybody(self) -> list[Person]:
        """Return each person once."""
        return list({id(person): person for person in self.people.values()}.values())

    def alike(self, item: Incoming, contact: str) -> list[Person]:
        """Return the person *contact* of a report, and those who may be the same under another id."""
        names = (external_id(contact), *other_ids(item.adapter, contact))
        found = (self.people.get((item.account.id, name)) for name in names)
        return list({id(person): person for person in found if person is not None}.values())

    def told_of(self, item: Incoming, key: Key, contact: str) -> Person:
        """Return the person that a report about the message *key* is about, which names *contact*."""
        people, owner = self.alike(item, contact), self.owner(key)
        return next((person for person in people if person is owner), people[0])

    def owner(self, key: Key) -> Person | None:
        """Return the customer of the message *key*, if it is here and the customer was loaded."""
        if (new := self.new.get(key)) is not None:
            return new.thread.person
        if (stored := self.stored.get(key)) is None:
            return None
        if (thread := self.threads.get(stored.conversation_id)) is not None:
            return thread.person
        confirmed = self.confirmed.get(key)
        return None if confirmed is None else confirmed.person

    def note_repeat(self, key: Key, item: Incoming, person: Person) -> None:
        """Record that *item* contains the message *key* again, or its id for another customer."""
        (self.refused if self.is_of_another(key, person) else self.repeats).append((key, item))

    def fill(self, key: Key, item: Incoming, message: Callable[[Thread], NewMessage]) -> None:
        """Put the files of *message*, made of *item*, into message *key* of the history if it lacks them."""
        if not item.imported or not getattr(item.change, "attachments", ()):
            return
        here, stored = self.new.get(key), self.stored.get(key)
        if here is not None and here.kind == MessageKind.UNSUPPORTED and here.imported_at is not None:
            filled = message(here.thread)
            here.kind, here.text, here.content = filled.kind, filled.text, filled.content
            here.attachments, here.stored, here.media = filled.attachments, filled.stored, filled.media
        elif stored is not None and stored.imported_at is not None and stored.unsent_at is None:
            thread = self.threads.get(stored.conversation_id)
            if thread is not None:
                self.filled.append((stored.id, message(thread)))

    def add(self, message: NewMessage) -> None:
        """Add a message to insert. Its key must not be here."""
        self.new[message.account.id, message.external_id] = message


def _person(account: AccountRef, name: str, row: StoredPerson | KnownBeside | None) -> Person:
    if row is None:
        return Person(account, name)
    if isinstance(row, KnownBeside):
        return Person(
            account,
            name,
            contact_id=row.contact_id,
            username=row.username,
            name=row.name,
            contact_name=row.contact_name,
            contact_email=row.contact_email,
            is_blocked=row.contact_blocked_at is not None,
        )
    return Person(
        account,
        row.external_id,
        id=row.id,
        contact_id=row.contact_id,
        username=row.username,
        name=row.name,
        contact_name=row.contact_name,
        contact_email=row.contact_email,
        phone=row.phone,
        verified_email=row.verified_email,
        seen_at=row.seen_at,
        seen_early=list(row.seen_early or ()),
        unreachable_since=row.unreachable_since,
        profile_at=row.profile_at,
        erased_at=row.erased_at,
        is_blocked=row.contact_blocked_at is not None,
    )


def _threads(
    people: Mapping[Key, Person], rows: Sequence[StoredThread], posts: Mapping[Key, int]
) -> dict[int, Thread]:
    by_identity = {person.id: person for person in people.values() if person.id is not None}
    named = {id_: external for (_, external), id_ in posts.items()}
    threads = {}
    for row in rows:
        person = by_identity.get(row.identity_id)
        if person is None:
            continue
        threads[row.id] = person.newest = Thread(  # rows are sorted oldest first, so the newest stays
            person=person,
            id=row.id,
            channel=row.channel,
            status=row.status,
            subject=row.subject,
            closed_at=row.closed_at,
            last_message_at=row.last_message_at,
            last_inbound_at=row.last_inbound_at,
            last_direction=row.last_direction,
            last_kind=row.last_kind,
            last_preview=row.last_preview,
            last_author_id=row.last_author_id,
            snooze_kind=row.snooze_kind,
            snoozed_until=row.snoozed_until,
            woken_at=row.woken_at,
            is_spam=row.spam_at is not None,
            waiting_since=row.waiting_since,
            handled_by=row.handled_by,
            responder=row.responder,
            post=named.get(row.post_id) if row.post_id is not None else None,
            post_id=row.post_id,
        )
        if (post := threads[row.id].post) is not None:
            person.about[post] = threads[row.id]
    return threads


# ---- values to write ---------------------------------------------------------------------------------


class NewMark(NamedTuple):
    """An annotation or report to keep until its message arrives."""

    person: Person
    key: Key
    kind: str
    values: dict[str, Any]


class SetReaction(NamedTuple):
    """A reaction to write.

    :param row_id: id of the stored row, or None.
    :param place: its message; while that is missing, the conversation with a line about it; or None.
    """

    key: Key
    workspace_id: int
    actor: str
    row_id: int | None
    place: NewMessage | StoredMessage | Thread | None
    values: dict[str, Any]


class Annotation(NamedTuple):
    """A reaction, edit or unsend that was applied now, for the event log.

    :param kind: a name of :mod:`host.events.catalogue`.
    """

    message: NewMessage | StoredMessage
    kind: str
    at: datetime
    facts: Facts


@dataclass(slots=True)
class Annotated:
    """The changes made by annotations, by the ids of the changed rows.

    :param bodies: new content of messages that were edited or unsent.
    :param unsent: ids of messages whose files are removed.
    :param lines: lines of the conversation whose text changed.
    :param gone: lines to remove, because their message has arrived or they are outdated.
    :param done: ids of marks whose message has arrived.
    :param looks: stored messages that browsers must redraw.
    :param quoted: external ids of messages whose quotes must be redrawn, with their conversations.
    :param happened: events to record; none for annotations from the provider's history.
    """

    bodies: dict[int, dict[str, Any]] = field(default_factory=dict)
    unsent: list[int] = field(default_factory=list)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    gone: list[StoredMessage] = field(default_factory=list)
    reactions: list[SetReaction] = field(default_factory=list)
    new_marks: list[NewMark] = field(default_factory=list)
    marks: dict[int, dict[str, Any]] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    looks: list[StoredMessage] = field(default_factory=list)
    quoted: list[tuple[str, StoredMessage | Thread]] = field(default_factory=list)
    happened: list[Annotation] = field(default_factory=list)


class Noted(NamedTuple):
    """A recorded opt-out or opt-in word.

    :param turned: whether it changed the contact's consent.
    """

    wish: Wish
    turned: bool


@dataclass(slots=True)
class Consent:
    """The change of one contact's consent."""

    person: Person
    before: Standing
    standing: Standing
    noted: list[Noted] = field(default_factory=list)


class Decided(msgspec.Struct, frozen=True):
    """Everything a batch writes.

    :param people: every customer of the batch who is already stored.
    :param new_posts: posts to insert, by account and external id; *posts*: ids of stored posts.
    :param refused: reasons by id of journalled events of which no change was applied.
    :param overtaken: messages that get their id in this batch, and have kept reports.
    :param ids: ids to write, of people who are stored by then.
    :param joins: what says that two stored people are one, by their identities' ids, the older first.
    :param readdressed: people with the id they were sent to, and the one from now on.
    :param same: all ids of each person some of whose ids are written, and of who had one of them before.
    :param moved: ids that became another person's in this batch.
    :param filled: messages of the history whose files came by themselves, by the ids of their rows.
    """

    now: datetime
    confirmed: Sequence[Confirmed]
    new_people: Sequence[Person]
    new_threads: Sequence[Thread]
    new_messages: Mapping[Key, NewMessage]
    people: Sequence[Person]
    changed_threads: Sequence[Thread]
    arrived: Sequence[tuple[int, NewMessage]]
    annotated: Annotated
    removals: Removals
    heard: Mapping[int, datetime]
    refused: Mapping[int, str]
    consents: Sequence[Consent] = ()
    bounced: Sequence[Bounced] = ()
    new_posts: Mapping[Key, tuple[AccountRef, Post]] = msgspec.field(default_factory=dict)
    posts: Mapping[Key, int] = msgspec.field(default_factory=dict)
    overtaken: frozenset[Key] = frozenset()
    ids: Sequence[KnownId] = ()
    joins: Mapping[tuple[int, int], Incoming] = msgspec.field(default_factory=dict)
    readdressed: Sequence[tuple[Person, str, str]] = ()
    same: Sequence[Sequence[Key]] = ()
    moved: Collection[Key] = ()
    filled: Sequence[tuple[int, NewMessage]] = ()
