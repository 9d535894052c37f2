"""A contact card of somebody who hides their number offers to merge, and merges nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from host.channels.directory import Directory
from host.core import clock, db
from host.inbox import erasure
from host.inbox.contacts import finding, merging, named_by_card
from host.inbox.contacts.models import ContactMerge
from host.models.inbox import Contact, ContactIdentity, Message
from host.sdk.channel import AccountRef
from host.sdk.messages import ContactIdentified, IdChange, MessageKind, PersonId
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.toys import START

BOB = "4915112345678"
REASON = "may be the same person: their number is on a card this customer sent"


class Hiding(toys.Windowed):
    """A channel whose ids are phone numbers, and others of people who hide theirs."""

    def id_kind(self, contact: str) -> str:
        return "Business-scoped ID" if contact.startswith("US.") else ""

    def other_ids(self, contact: str) -> Sequence[str]:
        short = contact.startswith("52") and len(contact) == 12
        long = contact.startswith("521") and len(contact) == 13
        return (f"521{contact[2:]}",) if short else (f"52{contact[3:]}",) if long else ()


class Broken(Hiding):
    def other_ids(self, contact: str) -> Sequence[str]:
        raise RuntimeError("broken")


class BrokenKinds(Hiding):
    def id_kind(self, contact: str) -> str:
        raise RuntimeError("broken")


def cards(*phones: Any) -> dict[str, Any]:
    """Return what a message of one contact card is made of."""
    content = {"contacts": [{"name": "Bob Ray", "phones": list(phones), "emails": []}]}
    return {"kind": MessageKind.CONTACTS, "text": "Bob Ray", "content": content}


class Place:
    """An account to which Bob writes with his number, and Ann without hers."""

    def __init__(self, adapter: toys.Windowed | None = None) -> None:
        self.adapter = adapter or Hiding()
        self.workspace = toys.make_workspace()
        self.account = toys.make_account(self.workspace)
        self.other = toys.make_account(self.workspace)

    def says(
        self, contact: str, *, account: AccountRef | None = None, phone: str | None = None, **said: Any
    ) -> None:
        toys.apply(
            account or self.account,
            toys.received(contact=contact, contact_phone=phone, **said),
            adapter=self.adapter,
        )

    def number(self, number: str = BOB, account: AccountRef | None = None) -> int:
        self.says(number, phone=number, account=account)
        return self.owner(number)

    def owner(self, contact: str) -> int:
        found: list[int] = [
            one.contact_id for one in toys.everything(ContactIdentity) if one.external_id == contact
        ]
        return found[-1]

    def named(self, contact: str = "US.1", *seen: AccountRef) -> list[int]:
        """Return whom the cards of *contact* name, to a viewer who sees all or the accounts *seen*."""
        accounts = frozenset(one.id for one in seen) if seen else None
        id_ = self.owner(contact)
        with db.read() as session:
            mine = finding.identities_of(session, [id_], accounts).get(id_, ())
            return named_by_card.named_by_cards(
                session, self.workspace, id_, mine, accounts, Directory([self.adapter])
            )


@pytest.fixture
def place(database: db.Database) -> Place:
    return Place()


@pytest.fixture
def anywhere(any_database: db.Database) -> Place:
    return Place()


@pytest.mark.parametrize(
    "written",
    [f"+{BOB}", BOB, "+49 151 / 123 456-78", "0049 151 12345678", "0151 12345678", "+49 (0)151 12345678"],
)
def test_who_has_the_number_is_named_however_it_is_written(anywhere: Place, written: str) -> None:
    bob = anywhere.number()
    anywhere.number("4915112345679")
    anywhere.says("US.1")
    assert anywhere.named() == []
    anywhere.says("US.1", **cards(written))
    assert anywhere.named() == [bob]
    assert anywhere.owner("US.1") != bob, "nobody is merged by it"


@pytest.mark.parametrize("known", ["525512345678", "5215512345678"])
@pytest.mark.parametrize("written", ["+52 55 1234 5678", "+5215512345678", "5215512345678", "55 1234 5678"])
def test_the_other_spelling_of_the_provider_is_the_same_number(
    anywhere: Place, known: str, written: str
) -> None:
    mia = anywhere.number(known)
    anywhere.says("US.1", **cards(written))
    assert anywhere.named() == [mia]


def test_it_may_be_on_any_account_of_the_channel_that_the_viewer_sees(place: Place) -> None:
    bob = place.number(account=place.other)
    place.says("US.1", **cards(BOB))
    assert place.named() == place.named("US.1", place.account, place.other) == [bob]
    assert place.named("US.1", place.account) == []


def test_an_account_of_another_channel_or_workspace_names_nobody(place: Place) -> None:
    place.says(BOB, phone=BOB, account=toys.make_account(place.workspace, "instagram"))
    place.says(BOB, phone=BOB, account=toys.make_account(toys.make_workspace("Elsewhere")))
    place.says("US.1", **cards(BOB))
    assert place.named() == []


def test_who_shows_their_number_names_nobody(place: Place) -> None:
    place.number()
    place.says("US.1", phone="4915100000001", **cards(BOB))
    place.says("4915100000002", **cards(BOB))
    place.says("4915100000003", phone="4915100000003", **cards(BOB))
    for contact in ("US.1", "4915100000002", "4915100000003"):
        assert place.named(contact) == []


def test_a_number_known_as_a_further_id_is_known(place: Place) -> None:
    place.number()
    both = (PersonId("US.1", lasting=True), PersonId("4915100000001"))
    place.says("US.1", **cards(BOB))
    assert place.named() == [place.owner(BOB)]
    toys.apply(place.account, ContactIdentified("US.1", START, both), adapter=place.adapter)
    assert place.named() == []


def test_a_former_number_is_nobodys(place: Place) -> None:
    place.number()
    ids = (PersonId("4915100000009"), PersonId(BOB, former=True))
    changed = ContactIdentified("4915100000009", START, ids, IdChange.NUMBER)
    toys.apply(place.account, changed, adapter=place.adapter)
    place.says("US.1", **cards(BOB))
    assert place.named() == []


def test_cards_of_the_team_and_unsent_ones_name_nobody(place: Place) -> None:
    bob = place.number()
    place.says("US.1")
    toys.apply(place.account, toys.echoed(contact="US.1", **cards(BOB)), adapter=place.adapter)
    assert place.named() == []
    place.says("US.1", external_id="card-1", **cards(BOB))
    assert place.named() == [bob]
    toys.apply(place.account, toys.unsent("card-1", contact="US.1", at=1), adapter=place.adapter)
    assert place.named() == []


def test_a_card_of_a_participant_names_nobody(place: Place) -> None:
    place.number()
    place.says("US.1", external_id="card-1", **cards(BOB))
    card = next(one for one in toys.everything(Message) if one.kind == MessageKind.CONTACTS)
    toys.change_row(Message, card.id, writer_id=1)
    assert place.named() == []


def test_who_was_erased_is_not_named_until_they_write_again(place: Place) -> None:
    bob = place.number()
    place.says("US.1", **cards(BOB))
    erase(place.workspace, bob)
    assert place.named() == []
    place.says(BOB, phone=BOB, at=clock.now().timestamp() - START.timestamp() + 60)
    assert place.named() == [place.owner(BOB)]
    erase(place.workspace, place.owner("US.1"))
    assert place.named() == []


def erase(workspace: int, contact: int) -> None:
    do(erasure.erase, workspace, contact)


@pytest.mark.parametrize(
    "phones",
    [
        [],
        ["", "+", "١٥١١٢٣٤٥٦٧٨", "call me", "9" * 60, "+0", "12345678", "\x00", "US.1", "+49 151"],
        [None, 7, [BOB], {"phone": BOB}],
    ],
)
def test_what_is_no_number_names_nobody(place: Place, phones: list[Any]) -> None:
    place.number()
    place.says("US.1", **cards())
    card = next(one for one in toys.everything(Message) if one.kind == MessageKind.CONTACTS)
    toys.change_row(Message, card.id, content=cards(*phones)["content"])
    assert place.named() == []
    for content in ({"contacts": None}, {"contacts": [None, 7]}, {"contacts": [{"phones": BOB}]}, {}):
        toys.change_row(Message, card.id, content=content)
        assert place.named() == []


def test_of_many_numbers_the_newest_are_looked_up(place: Place) -> None:
    bob = place.number()
    place.says("US.1", at=1, **cards(BOB))
    for at in range(2, 4):
        place.says("US.1", at=at, **cards(*(f"+4917{at}{number:08}" for number in range(50))))
    assert place.named() == []
    place.says("US.1", at=5, **cards(*(f"+49179{number:08}" for number in range(49)), BOB))
    assert place.named() == [bob]


@pytest.mark.parametrize(("adapter", "is_named"), [(Broken(), True), (BrokenKinds(), False)])
def test_an_adapter_that_raises_breaks_no_page(
    database: db.Database, adapter: toys.Windowed, is_named: bool
) -> None:
    place = Place(adapter)
    bob = place.number()
    place.says("US.1", **cards(BOB))
    assert place.named() == ([bob] if is_named else [])


def test_the_page_offers_it_until_somebody_says_no(database: db.Database, data: Path) -> None:
    desk = open_desk(data, Hiding())
    place, ann, bob = placed(desk)
    address = f"/w/{desk.workspace}/contacts/{ann}"
    assert "may be the same person" not in desk.browser.get(address).text
    place.says("US.1", **cards(f"+{BOB}"))
    assert f"{REASON}." in desk.browser.get(address).text
    assert "Bob R." in desk.browser.get(f"{address}/merge").text
    assert "Merge with Bob R." in desk.browser.get(address).text
    assert REASON not in desk.browser.get(f"/w/{desk.workspace}/contacts/{bob}").text
    desk.browser.post(
        f"{address}/merge", data={"with": str(bob), "different": "1", "csrf_token": desk.browser.csrf()}
    )
    place.says("US.1", at=9, **cards(BOB))
    for shown in (address, f"{address}/merge"):
        assert "Bob R." not in desk.browser.get(shown).text


def placed(desk: Desk) -> tuple[Place, int, int]:
    """Return a place on *desk*, Ann's contact and Bob's."""
    place = Place.__new__(Place)
    place.adapter, place.workspace, place.account = Hiding(), desk.workspace, desk.account
    place.says(BOB, phone=BOB, contact_name="Bob R.")
    place.says("US.1", contact_name="Ann Lee")
    return place, place.owner("US.1"), place.owner(BOB)


def test_merging_from_there_is_undone(database: db.Database, data: Path) -> None:
    desk = open_desk(data, Hiding())
    place, ann, bob = placed(desk)
    place.says("US.1", **cards(BOB))
    address = f"/w/{desk.workspace}/contacts/{ann}"
    fields = {"with": str(bob), "csrf_token": desk.browser.csrf()}
    assert "Contacts merged" in desk.browser.post(f"{address}/merge", data=fields, follow_redirects=True).text
    assert place.owner(BOB) == ann
    assert "may be the same person" not in desk.browser.get(address).text
    (merged,) = toys.everything(ContactMerge)
    do(merging.split, desk.workspace, ann, merged.id)
    assert place.owner(BOB) == bob
    assert len(toys.everything(Contact)) == 2
