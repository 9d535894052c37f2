"""Which person an id means, when the provider names several ids of one person. Pure.

An id is *lasting* if it never means anybody else, or *passing*, like a phone number. A passing id moves on
when an event names it beside the lasting id of another person; the former owner keeps the conversation.
Otherwise ids named together are one person. Of two people who are both stored, that is only noted here: see
:mod:`host.inbox.contacts.one_person`. Times decide, not the order in which events come.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from host.core.cleaning import external_id
from host.inbox.apply import conversations, phone_numbers
from host.inbox.apply.incoming import Incoming, believable, identified_id
from host.inbox.apply.values import Draft, Key, KnownId, Person, StoredId
from host.models.inbox import LASTING_KINDS, PAST_KINDS, IdKind
from host.sdk.messages import ContactIdentified

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Named:
    """An id of an event."""

    key: Key
    lasting: bool
    former: bool

    @property
    def kind(self) -> str:
        if self.lasting:
            return IdKind.REPLACED if self.former else IdKind.LASTING
        return IdKind.FORMER if self.former else IdKind.PASSING


def named(account_id: int, change: ContactIdentified) -> dict[Key, _Named]:
    """Return the ids of a change by their keys, in its order, with the one its other changes name."""
    found: dict[Key, _Named] = {}
    for one in change.ids:
        key = account_id, external_id(one.external_id)
        before = found.get(key)
        lasting = one.lasting or (before is not None and before.lasting)
        found[key] = _Named(key, lasting, one.former and (before is None or before.former))
    key = account_id, external_id(change.contact)
    found.setdefault(key, _Named(key, lasting=False, former=False))
    return found


def is_new(change: ContactIdentified, stored: Sequence[int | None]) -> bool:
    """Return whether a change tells more than is stored.

    :param stored: the ids of the people its ids mean; None for an id that is not stored.
    """
    return change.changed is not None or None in stored or len(set(stored)) > 1


def resolve(draft: Draft, rows: Iterable[StoredId], items: Iterable[Incoming]) -> None:
    """Apply what *items* say of ids: afterwards ``draft.people`` has the person of each.

    :param rows: every id of the people of whom they tell new ones.
    """
    told = [(item, item.change) for item in items if isinstance(item.change, ContactIdentified)]
    mains = {person.id: person for person in draft.people.values() if person.id is not None}
    for row in rows:
        person = mains.get(row.same_as_id or row.id)
        if person is not None:
            draft.ids[row.account_id, row.external_id] = _known(row, person)
    for item, change in sorted(told, key=lambda one: one[1].at):
        ids = named(item.account.id, change)
        if is_new(change, [draft.people[key].id for key in ids]):
            _identify(draft, item, change, list(ids.values()))


def _known(row: StoredId, person: Person) -> KnownId:
    return KnownId(
        (row.account_id, row.external_id), person, row.id_kind or "", row.id_named_at or _EVER, row.id
    )


def _identify(draft: Draft, item: Incoming, change: ContactIdentified, ids: Sequence[_Named]) -> None:
    at = believable(change.at, item.received_at)
    owner = _owner(draft, ids, at) or _new(draft, ids)
    if owner is None:
        return
    for one in ids:
        known = draft.ids.get(one.key)
        if known is None:
            # Of a stranger in the history nobody is told, nor of their messages.
            added = owner.id is not None or not item.imported
            draft.ids[one.key] = KnownId(one.key, owner, one.kind, at, changed=True, added=added)
        elif known.person is owner:
            _say(known, one, at)
        elif one.lasting or (_was_theirs(known, at) and not _has_lasting(draft, known.person)):
            owner = _join(draft, item, owner, known.person)
            _say(known, one, at)
        elif known.at < at and not one.former:
            _move(draft, known, owner, at)
    _choose(draft, owner, ids, at)
    for one in ids:
        if (known := draft.ids.get(one.key)) is not None:
            draft.people[one.key] = known.person
    _tell(draft, item, change, owner, at)


def _owner(draft: Draft, ids: Sequence[_Named], at: datetime) -> Person | None:
    """Return the person who has one of the lasting *ids*, or else one of the others."""
    known = [(one, draft.ids[one.key]) for one in ids if one.key in draft.ids]
    lasting = any(one.lasting for one in ids)
    for one, found in sorted(known, key=lambda pair: pair[0].former):
        if one.lasting:
            return found.person
    for _one, found in known:
        is_free = not _has_lasting(draft, found.person)
        if _was_theirs(found, at) and (is_free or (not lasting and found.at <= at)):
            return found.person
    return None


def _new(draft: Draft, ids: Sequence[_Named]) -> Person | None:
    """Return a person who is not stored yet, to whom nobody's ids belong; None if all have somebody."""
    free = [one for one in ids if one.key not in draft.ids]
    free.sort(key=lambda one: (one.former, one.lasting))
    return draft.people[free[0].key] if free else None


def _was_theirs(known: KnownId, at: datetime) -> bool:
    return known.kind != IdKind.FORMER or at <= known.at


def _has_lasting(draft: Draft, person: Person) -> bool:
    return any(one.kind in LASTING_KINDS for one in _of(draft, person))


def _of(draft: Draft, person: Person) -> Iterator[KnownId]:
    return (one for one in draft.ids.values() if one.person is person)


def _say(known: KnownId, one: _Named, at: datetime) -> None:
    """Note what an event says of an id that is this person's."""
    was_lasting = known.kind in LASTING_KINDS
    if known.kind == one.kind or (was_lasting and not one.lasting):
        return
    if known.at <= at or (one.lasting and not was_lasting):
        known.kind, known.at, known.changed = one.kind, at, True


def _join(draft: Draft, item: Incoming, first: Person, second: Person) -> Person:
    """Make two people one, and return the one who stays. Two stored people are only noted."""
    if first is second:
        return first
    if first.id is not None and second.id is not None:
        draft.joins[min(first.id, second.id), max(first.id, second.id)] = item
        return first
    stays, goes = (second, first) if first.id is None and second.id is not None else (first, second)
    for known in list(_of(draft, goes)):
        known.person, known.changed = stays, True
    for key, person in draft.people.items():
        if person is goes:
            draft.people[key] = stays
    return stays


def _move(draft: Draft, known: KnownId, owner: Person, at: datetime) -> None:
    """Give a passing id to another person than before."""
    before = known.person
    if known.key[1] == before.external_id:
        others = [one for one in _of(draft, before) if one is not known]
        _promote(draft, known, min(others, key=_preference) if others else _nameless(draft, known, at))
    _forget_phone(before, known.key[1])
    known.person, known.kind, known.at = owner, IdKind.PASSING, at
    known.changed = known.added = True
    draft.moved.add(known.key)
    if known.before is None or before.id is not None:
        known.before = before


def _nameless(draft: Draft, known: KnownId, at: datetime) -> KnownId:
    """Return an id for somebody who has no other: nothing can be sent to it, and no event names it."""
    key = known.key[0], external_id(f"{known.key[1]}~{int(at.timestamp())}")
    return draft.ids.setdefault(key, KnownId(key, known.person, IdKind.FORMER, at))


def to_write(draft: Draft, new: Collection[int]) -> list[KnownId]:
    """Return the changed ids of people who are or will be stored.

    An id that moved on to somebody of whom nothing is kept yet stays, as one of before, where it was.

    :param new: the ``id()`` of each person to store.
    """
    found = []
    for known in draft.ids.values():
        if known.person.id is None and id(known.person) not in new and known.before is not None:
            known.person, known.kind, known.added = known.before, IdKind.FORMER, False
        if known.changed and (known.person.id is not None or id(known.person) in new):
            found.append(known)
    return found


def of_one_person(draft: Draft, written: Iterable[KnownId]) -> list[list[Key]]:
    """Return all ids of each person whose ids are *written*, with those of who had one of them before."""
    befores: dict[int, dict[int, Person]] = {}
    for one in written:
        people = befores.setdefault(id(one.person), {id(one.person): one.person})
        if one.before is not None:
            people[id(one.before)] = one.before
    return [
        [one.key for person in people.values() for one in _of(draft, person)] for people in befores.values()
    ]


def _choose(draft: Draft, owner: Person, ids: Sequence[_Named], at: datetime) -> None:
    """Set the id that *owner* is sent to: of a new person, and where it was replaced."""
    theirs = [draft.ids[one.key] for one in ids if one.key in draft.ids]
    theirs = [one for one in theirs if one.person is owner]
    if owner.id is None:
        # A row of its own: an id that moved on has the row it had.
        owner.external_id = min(_of(draft, owner), key=lambda one: (one.row_id or 0, _preference(one))).key[1]
        return
    replaced = {one.key for one in ids if one.former}
    main = next((one for one in _of(draft, owner) if one.key[1] == owner.external_id), None)
    now = sorted((one for one in theirs if one.key not in replaced), key=_preference)
    if main is None or main.key not in replaced or not now or now[0].kind == IdKind.FORMER:
        return
    if main.kind == IdKind.PASSING or (main.kind == IdKind.LASTING and main.at > at):
        return  # an older event: they have it back
    _promote(draft, main, now[0])
    now[0].at = max(now[0].at, at)
    if owner.phone is not None and owner.phone == phone_numbers.international(main.key[1]):
        owner.phone = phone_numbers.international(now[0].key[1])
        owner.identity_changed = True


def _preference(known: KnownId) -> tuple[bool, bool]:
    """Return the sort key of the id to send to: passing ones that are theirs now, then lasting ones."""
    return known.kind in PAST_KINDS, known.kind in LASTING_KINDS


def _promote(draft: Draft, main: KnownId, other: KnownId) -> None:
    """Let the person be sent to by *other*: the rows change their ids, so that conversations stay."""
    main.row_id, other.row_id = other.row_id, main.row_id
    for one in (main, other):
        one.changed = one.renamed = True
    main.person.external_id = other.key[1]
    draft.readdressed.append((main.person, main.key[1], other.key[1]))


def _forget_phone(person: Person, moved: str) -> None:
    if person.phone is not None and person.phone == phone_numbers.international(moved):
        person.phone, person.identity_changed = None, True


def _tell(draft: Draft, item: Incoming, change: ContactIdentified, person: Person, at: datetime) -> None:
    """Add a line about a new id to the conversation, if there is one."""
    key = item.account.id, identified_id(item.event_key)
    if change.changed is None or person.newest is None or draft.is_here(key):
        return
    what = f"new_{change.changed}"
    draft.add(conversations.activity(person.newest, item.account, key, at, what=what))
