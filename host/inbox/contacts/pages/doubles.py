"""Likely duplicates of a contact, found by name, address, phone number and contact card, with reasons."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.inbox.contacts import finding, look_alikes, merging, named_by_card
from host.inbox.contacts.finding import ContactRow, Identity
from host.inbox.contacts.pages.shown import handle_of, name_of
from host.models.inbox import Contact
from host.search.finding import finder
from host.search.finding.query import read_query
from host.users.reach import Accounts
from host.web.languages import gettext as _

LOOKED_AT = 20
"""Maximum number of contacts compared for each name or address."""
_NUMBER = 4
"""Weight of a shared phone number."""
_CARD = 2
"""Weight of a phone number on a contact card, which may be a friend's."""


class Duplicate(msgspec.Struct, frozen=True):
    """A contact that may be the same person.

    :param reasons: why, in words; the strongest first.
    :param mergeable: whether the viewer sees every account of both, and can merge them.
    """

    found: ContactRow
    name: str
    handle: str
    reasons: Sequence[str]
    mergeable: bool = True


def likely(
    session: Session,
    workspace_id: int,
    contact: Contact,
    identities: Sequence[Identity],
    accounts: Accounts,
    directory: Directory,
) -> Duplicate | None:
    """Return the contact most likely the same person as *contact*, or None.

    A shared single name is no reason: many people are called Ana.
    """
    numbers = look_alikes.numbers_of(session, [contact.id], accounts).get(contact.id, ())
    mine = _said(contact.name, contact.email, identities)
    ids: set[int] = set()
    for text in sorted(mine.addresses | mine.handles | mine.names)[:6]:
        query = read_query(f'"{text}"' if " " in text else text)
        ids |= set(finder.find_contacts(session, workspace_id, query, LOOKED_AT, within=False))
    refused = merging.refused(session, contact.id)
    ids -= {contact.id} | refused
    alike = look_alikes.with_same_number(session, workspace_id, contact.id, numbers, accounts)
    named: list[int] = []
    if not numbers:
        named = named_by_card.named_by_cards(
            session, workspace_id, contact.id, identities, accounts, directory
        )
    named = [id_ for id_ in named if id_ not in refused]
    looked_at = [*alike, *named, *sorted(ids - {*alike, *named})][: LOOKED_AT * 2]
    rows = finding.rows_of(session, workspace_id, looked_at, accounts)
    best: tuple[int, ContactRow, list[str]] | None = None
    for row in rows:
        if accounts is not None and not row.identities:
            continue
        weight, reasons = _compare(mine, _said(row.name, row.email, row.identities))
        if row.id in alike:
            weight, reasons = weight + _NUMBER, [_("the same phone number"), *reasons]
        if row.id in named:
            sent = _("their number is on a card this customer sent")
            weight, reasons = weight + _CARD, [sent, *reasons]
        if reasons and (best is None or weight > best[0]):
            best = weight, row, reasons
    if best is None:
        return None
    _weight, row, reasons = best
    return _duplicate(session, contact.id, row, reasons, accounts, directory)


def by_number(
    session: Session, workspace_id: int, contact_id: int, accounts: Accounts, directory: Directory
) -> Duplicate | None:
    """Return a contact with the same phone number, or None: one statement if there is no number."""
    numbers = look_alikes.numbers_of(session, [contact_id], accounts).get(contact_id, ())
    alike = look_alikes.with_same_number(session, workspace_id, contact_id, numbers, accounts)
    for row in finding.rows_of(session, workspace_id, alike, accounts):
        if row.identities:
            reasons = [_("the same phone number")]
            return _duplicate(session, contact_id, row, reasons, accounts, directory)
    return None


def _duplicate(
    session: Session,
    contact_id: int,
    row: ContactRow,
    reasons: Sequence[str],
    accounts: Accounts,
    directory: Directory,
) -> Duplicate:
    name = name_of(row.name, row.email, row.identities, directory)
    handle = handle_of(row.identities[0], directory) if row.identities else name
    mergeable = look_alikes.is_wholly_seen(session, [contact_id, row.id], accounts)
    return Duplicate(row, name, handle, reasons, mergeable)


class _Identifiers(msgspec.Struct, frozen=True):
    """The lower-case identifiers of a contact, for comparison."""

    addresses: frozenset[str]
    handles: frozenset[str]
    names: frozenset[str]


def _said(name: str | None, email: str | None, identities: Sequence[Identity]) -> _Identifiers:
    addresses, handles, names = set(), set(), set()
    if email:
        addresses.add(email.casefold())
    for one in identities:
        for text in (one.username, one.external_id):
            if text and "@" in text.strip("@"):
                addresses.add(text.casefold())
        if one.username and "@" not in one.username:
            handles.add(one.username.casefold())
    for text in (name, *(one.name for one in identities)):
        folded = " ".join((text or "").casefold().split())
        if len(folded.split()) > 1:
            names.add(folded)
    return _Identifiers(frozenset(addresses), frozenset(handles), frozenset(names))


def _compare(mine: _Identifiers, theirs: _Identifiers) -> tuple[int, list[str]]:
    reasons, weight = [], 0
    if mine.addresses & theirs.addresses:
        reasons.append(_("the same email address"))
        weight += 4
    if mine.handles & theirs.handles:
        reasons.append(_("the same handle"))
        weight += 2
    if mine.names & theirs.names:
        reasons.append(_("the same name"))
        weight += 1
    return weight, reasons
