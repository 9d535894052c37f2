"""A new customer joins the contact with the same verified address; look-alikes are offered."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.events import reading
from host.events.models import DomainEvent
from host.inbox import erasure
from host.inbox.apply import phone_numbers
from host.inbox.apply.changes import apply_changes
from host.inbox.contacts import attributes, consent, details, history, joining, look_alikes, merging
from host.inbox.contacts.history import TimelineFilter
from host.inbox.contacts.models import AttributeKind, ContactEntry, ContactMerge, EntryKind
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.models.users import Role, Workspace
from host.sdk.channel import AccountRef
from tests import helpers
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk

PHONE = "4915112345678"


@dataclass
class Place:
    """A workspace with accounts of several channels."""

    workspace: int
    accounts: list[AccountRef]
    position: reading.Position = reading.BEGINNING

    def write(self, account: int, contact: str, **values: Any) -> None:
        """Have *contact* write to an account."""
        toys.apply(self.accounts[account], toys.received(contact=contact, **values))

    def consume(self) -> None:
        """Give the consumer what happened since the last time."""
        reading.number_all()
        with db.read() as session:
            batch = reading.after(session, self.position, 200, shown=False)
        self.position = batch.end
        db.write(joining.Joining().consume, batch.events)

    def owner(self, contact: str) -> int:
        """Return the id of the contact to whom an identity belongs."""
        with db.read() as session:
            query = sa.select(ContactIdentity.contact_id).where(ContactIdentity.external_id == contact)
            return session.scalars(query).one()

    def is_joined(self, one: str, other: str) -> bool:
        return self.owner(one) == self.owner(other)

    def split(self) -> None:
        found = toys.only(ContactMerge)
        do(merging.split, self.workspace, found.contact_id, found.id)


def place_of() -> Place:
    workspace = toys.make_workspace()
    return Place(workspace, [toys.make_account(workspace, handle=f"@account{n}") for n in range(3)])


@pytest.fixture
def place(database: db.Database) -> Place:
    return place_of()


@pytest.fixture
def anywhere(any_database: db.Database) -> Place:
    return place_of()


def test_a_new_customer_with_a_known_number_joins_and_can_be_split_again(anywhere: Place) -> None:
    place = anywhere
    place.write(0, "ana", contact_phone=PHONE, contact_name="Ana Q.")
    place.consume()
    ana = place.owner("ana")
    place.write(1, "ana.q", contact_phone=f"+{PHONE}", contact_name="Ana", contact_email="ana@example.com")
    assert place.owner("ana.q") != ana, "the message does not wait"
    place.consume()
    assert place.owner("ana.q") == ana
    with db.read() as session:
        assert set(session.scalars(sa.select(Conversation.contact_id))) == {ana}
        entry = session.scalars(sa.select(ContactEntry)).one()
        assert (entry.contact_id, entry.kind, entry.author_id) == (ana, EntryKind.MERGED, None)
        assert (entry.content["proof"], entry.content["messages"]) == ("phone", 1)
        row = session.get_one(Contact, ana)
        assert (row.name, row.email) == ("Ana Q.", "ana@example.com")
        kinds = session.scalars(sa.select(DomainEvent.kind).where(DomainEvent.kind == "contact.merged"))
        assert len(kinds.all()) == 1
    place.split()
    place.write(1, "ana.q", contact_phone=PHONE)
    place.consume()
    assert not place.is_joined("ana", "ana.q"), "people have said that they are two"
    with db.read() as session:
        assert session.get_one(Contact, ana).email is None


def test_a_verified_address_counts_and_a_mere_one_does_not(anywhere: Place) -> None:
    place = anywhere
    place.write(0, "one", contact_email="Ana@Example.com", contact_email_verified=True)
    place.write(1, "two", contact_email="ana@example.com", contact_email_verified=True)
    place.write(2, "three", contact_email="ana@example.com")
    place.consume()
    assert place.is_joined("one", "two")
    assert not place.is_joined("one", "three")
    with db.read() as session:
        assert session.scalars(sa.select(ContactEntry)).one().content["proof"] == "email"


def test_of_two_who_appear_at_once_the_newer_joins_the_older(anywhere: Place) -> None:
    place, troubles = anywhere, []
    together = threading.Barrier(2)

    def talk(number: int) -> None:
        change = toys.received(contact=f"c{number}", contact_phone=PHONE)
        together.wait()
        try:
            db.write(apply_changes, [toys.incoming(place.accounts[number], change)])
        except BaseException as error:  # noqa: BLE001 - told by the test
            troubles.append(error)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    first = min(place.owner("c0"), place.owner("c1"))
    place.consume()
    assert place.owner("c0") == place.owner("c1") == first


def test_of_two_merges_at_once_both_hold(anywhere: Place) -> None:
    """A person merges the earlier contact into another while the new customer joins it."""
    place, troubles = anywhere, []
    place.write(0, "ana", contact_phone=PHONE)
    place.write(1, "other")
    place.consume()
    ana, other = place.owner("ana"), place.owner("other")
    place.write(2, "ana.q", contact_phone=PHONE)
    together = threading.Barrier(2)

    def run(what: Any) -> None:
        together.wait()
        try:
            what()
        except BaseException as error:  # noqa: BLE001 - told by the test
            troubles.append(error)

    def by_hand() -> None:
        do(merging.merge, place.workspace, other, ana)

    threads = [threading.Thread(target=run, args=(what,)) for what in (place.consume, by_hand)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A person whose merge met the other one is told, and presses again.
    for error in troubles:
        assert isinstance(error, merging.MergeError)
        by_hand()
    assert place.owner("ana") == place.owner("other") == place.owner("ana.q") == other
    with db.read() as session:
        apart = sa.select(Conversation.id).join(
            ContactIdentity, ContactIdentity.id == Conversation.identity_id
        )
        assert not session.scalars(apart.where(Conversation.contact_id != ContactIdentity.contact_id)).all()


def test_a_join_that_meets_a_merge_looks_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(0, "ana", contact_phone=PHONE)
    place.consume()
    place.write(1, "ana.q", contact_phone=PHONE)
    merge, failures = merging.merge, [merging.MergeError()]

    def meets(*args: Any, **values: Any) -> Any:
        if failures:
            raise failures.pop()
        return merge(*args, **values)

    monkeypatch.setattr(merging, "merge", meets)
    place.consume()
    assert place.is_joined("ana", "ana.q")


def test_nobody_joins_who_is_already_known_or_might_be_one_of_two(place: Place) -> None:
    place.write(0, "ana")
    place.write(1, "bea", contact_phone=PHONE)
    place.consume()
    place.write(0, "ana", contact_phone=PHONE)
    place.consume()
    assert not place.is_joined("ana", "bea"), "the team knows both"
    place.write(2, "cem", contact_phone=PHONE)
    place.consume()
    assert len({place.owner(one) for one in ("ana", "bea", "cem")}) == 3, "which of the two is unknown"


def test_a_blocked_contact_stays_alone_and_an_opt_out_comes_along(place: Place) -> None:
    place.write(0, "ana", contact_phone=PHONE)
    place.write(0, "bea", contact_phone="4915187654321")
    place.consume()
    ana, bea = place.owner("ana"), place.owner("bea")
    do(consent._set_blocked, place.workspace, ana, True)
    do(consent.opt_out, place.workspace, bea, "stop")
    place.write(1, "ana.q", contact_phone=PHONE)
    place.write(1, "bea.q", contact_phone="4915187654321")
    place.consume()
    assert not place.is_joined("ana", "ana.q")
    assert place.owner("bea.q") == bea
    with db.read() as session:
        assert session.get_one(Contact, bea).opted_out_at is not None


def test_who_opted_out_with_the_first_message_opts_out_for_both(place: Place) -> None:
    place.write(0, "ana", contact_phone=PHONE)
    place.consume()
    place.write(1, "ana.q", contact_phone=PHONE, text="STOP")
    place.consume()
    with db.read() as session:
        assert session.get_one(Contact, place.owner("ana")).opted_out_at is not None


def test_an_erased_contact_has_no_number_until_they_write_again(anywhere: Place) -> None:
    place = anywhere
    place.write(0, "ana", contact_phone=PHONE, contact_email="a@example.com", contact_email_verified=True)
    place.consume()
    ana = place.owner("ana")
    do(erasure.erase, place.workspace, ana)
    with db.read() as session:
        row = session.scalars(sa.select(ContactIdentity)).one()
        assert (row.phone, row.phone_key, row.verified_email) == (None, None, None)
    place.write(1, "ana.q", contact_phone=PHONE)
    place.consume()
    assert not place.is_joined("ana", "ana.q")


def test_a_workspace_can_switch_it_off_and_no_other_workspace_counts(anywhere: Place) -> None:
    place, elsewhere = anywhere, place_of()
    elsewhere.write(0, "eve", contact_phone=PHONE)
    place.write(0, "ana", contact_phone=PHONE)
    place.consume()
    assert not place.is_joined("ana", "eve")
    toys.change_row(Workspace, place.workspace, joins_contacts=False)
    place.write(1, "ana.q", contact_phone=PHONE)
    place.consume()
    assert not place.is_joined("ana", "ana.q")


@pytest.mark.parametrize("phone", ["", "12ab5678", "015112345678", "123456", "1234567890123456", "१२३४५६७८"])
def test_what_is_no_number_is_not_stored(place: Place, phone: str) -> None:
    place.write(0, "ana", contact_phone=phone)
    assert toys.only(ContactIdentity).phone is None


def test_a_number_may_change(place: Place) -> None:
    place.write(0, "ana", contact_phone=PHONE)
    place.write(0, "ana", contact_phone="15550783881")
    row = toys.only(ContactIdentity)
    assert (row.phone, row.phone_key) == ("15550783881", "0783881")


@pytest.mark.parametrize(
    ("written", "number", "same"),
    [
        ("+49 151 12345678", PHONE, True),
        ("+49 (0)151 1234-5678", PHONE, True),
        ("0049 151/12345678", PHONE, True),
        ("0151 12345678", PHONE, True),
        ("(0151) 12345678", PHONE, True),
        (PHONE, PHONE, True),
        ("+43 151 12345678", PHONE, False),
        ("0151 12345679", PHONE, False),
        ("12345678", PHONE, False),
        ("2026-11-20", "4920261120", False),
        ("soon", PHONE, False),
        ("", PHONE, False),
    ],
)
def test_numbers_as_people_write_them(written: str, number: str, same: bool) -> None:
    assert phone_numbers.may_be(written, number) is same
    if same:
        assert phone_numbers.written_key(written) == phone_numbers.key(number)
        assert phone_numbers.may_be_same(written, f"+{number}")


def test_numbers_without_a_country_code_are_compared_whole() -> None:
    assert phone_numbers.may_be_same("0151 12345678", "0151/12345678")
    assert not phone_numbers.may_be_same("0151 12345678", "0152 12345678")
    assert not phone_numbers.may_be_same("0151 12345678", "later")
    assert phone_numbers.may_be_same("+49 151 12345678", "0151 12345678")


# ---- look-alikes, which people decide on -----------------------------------------------------------------


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def attribute_of(workspace: int) -> int:
    return do(attributes.create, workspace, name="Phone", kind=AttributeKind.TEXT).id


def enter(workspace: int, contact: int, attribute: int, value: str | None) -> None:
    do(details.change, workspace, contact, {f"attribute:{attribute}": value})


def test_contacts_with_the_same_number_are_found_and_no_others(anywhere: Place) -> None:
    place, elsewhere = anywhere, place_of()
    elsewhere.write(0, "eve", contact_phone=PHONE)
    place.write(0, "ana", contact_phone=PHONE)
    for contact in ("bea", "cem"):
        place.write(1, contact)
    ana, bea, cem = (place.owner(one) for one in ("ana", "bea", "cem"))
    phone = attribute_of(place.workspace)
    enter(place.workspace, bea, phone, "0151 / 1234 5678")
    enter(place.workspace, cem, phone, "+43 152 12345678")

    def found(contact: int, *accounts: int) -> list[int]:
        seen = frozenset(place.accounts[at].id for at in accounts) if accounts else None
        with db.read() as session:
            numbers = look_alikes.numbers_of(session, [contact], seen).get(contact, ())
            return look_alikes.with_same_number(session, place.workspace, contact, numbers, seen)

    assert (found(ana), found(bea), found(cem)) == ([bea], [ana], [])
    assert found(ana, 0) == [], "they do not see the account that Bea writes to"
    assert found(bea, 1) == []
    assert found(bea, 0, 1) == [ana]
    enter(place.workspace, cem, phone, "0151 12345678")
    assert found(bea) == [ana, cem]
    enter(place.workspace, bea, phone, None)
    assert found(bea) == []
    with db.read() as session:
        assert look_alikes.is_wholly_seen(session, [ana, bea], None)
        assert look_alikes.is_wholly_seen(session, [ana, bea], frozenset(one.id for one in place.accounts))
        assert not look_alikes.is_wholly_seen(session, [ana, bea], frozenset({place.accounts[0].id}))
    place.consume()
    assert len({place.owner(one) for one in ("ana", "bea", "cem")}) == 3, "nobody is merged by this"


def test_the_pane_offers_to_merge_with_one_press_and_to_never_ask_again(desk: Desk) -> None:
    toys.apply(desk.account, toys.received(contact="ana", contact_name="Ana Q.", contact_phone=PHONE))
    toys.apply(desk.account, toys.received(contact="bea", contact_name="Bea W."))
    toys.apply(desk.account, toys.received(contact="cem", contact_name="Cem R.", contact_phone=PHONE))
    rows = {row.external_id: row.contact_id for row in toys.everything(ContactIdentity)}
    talks = {row.contact_id: row.id for row in toys.everything(Conversation)}
    phone = attribute_of(desk.workspace)
    enter(desk.workspace, rows["bea"], phone, "0151 12345678")
    pane = desk.path(f"/{talks[rows['bea']]}")
    page = desk.browser.get(pane).text
    assert "may be the same person: the same phone number." in page
    assert "Merge with Ana Q." in page
    merge = f"/w/{desk.workspace}/contacts/{rows['bea']}/merge"
    assert "Merge with Ana Q." in desk.browser.get(merge.removesuffix("/merge")).text
    fields = {"with": str(rows["ana"]), "different": "1", "csrf_token": desk.browser.csrf()}
    desk.browser.post(merge, data=fields)
    assert "Merge with Cem R." in desk.browser.get(pane).text
    assert "Merge with Ana Q." not in desk.browser.get(pane).text
    fields = {"with": str(rows["cem"]), "csrf_token": desk.browser.csrf()}
    assert "Contacts merged" in desk.browser.post(merge, data=fields, follow_redirects=True).text
    assert "may be the same person" not in desk.browser.get(pane).text.replace("Ana", "")
    assert toys.everything(ContactMerge)[-1].contact_id == rows["bea"]


def test_an_automatic_merge_says_why_in_the_history(desk: Desk) -> None:
    place = Place(desk.workspace, [desk.account, toys.make_account(desk.workspace)])
    place.write(0, "ana", contact_name="Ana Q.", contact_phone=PHONE)
    place.consume()
    place.write(1, "ana.q", contact_name="Ana", contact_phone=PHONE)
    place.consume()
    page = desk.browser.get(f"/w/{desk.workspace}/contacts/{place.owner('ana')}").text
    assert "1 conversation, 1 message · automatically, the same verified phone number" in page
    assert "Split again" in page
    with db.read() as session:
        members, ana = [row.id for row in session.scalars(sa.select(Contact))], place.owner("ana")
        for seen, lines in (({0, 1}, 1), ({1}, 1), ({0}, 0)):
            accounts = frozenset(place.accounts[at].id for at in seen)
            found = history.stretch(session, ana, members, TimelineFilter.CHANGES, accounts=accounts)
            assert len(found.items) == lines, "they do not see the account of the one who was merged"


def test_an_owner_switches_it_off(desk: Desk) -> None:
    boss = helpers.make_user("boss@example.com", workspace=desk.workspace, role=Role.OWNER)
    browser = helpers.client_for(desk.app, boss)
    address = f"/w/{desk.workspace}/settings/general"
    assert '<option selected value="join">' in browser.get(address).text
    browser.post(address, data={"name": "Pottery", "same_person": "", "csrf_token": browser.csrf()})
    assert toys.only(Workspace).joins_contacts is False
