"""A customer is asked for their phone number, and shares it; other contact cards are somebody’s."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from host.authoring.desk import TrialDesk
from host.core import db
from host.inbox.sendable import NotSendableError
from host.models.inbox import ContactIdentity
from host.sdk.channel import AccountRef

NewCustomer = Callable[[], Any]
USERS = itertools.count(13491208655302750000)


def card(number: str, *, origin: str | None = "contact_request", name: str = "Ann Lee") -> dict[str, Any]:
    """A contact card as WhatsApp passes it on."""
    made: dict[str, Any] = {
        "name": {"formatted_name": name, "first_name": name.split(maxsplit=1)[0]},
        "phones": [{"phone": f"+{number}", "wa_id": number, "type": "CELL"}],
    }
    return made if origin is None else {"origin": origin, **made}


class Hidden:
    """A customer whose number WhatsApp keeps to itself."""

    def __init__(self, customer: Any) -> None:
        self.customer, self.user = customer, f"US.{next(USERS)}"

    def says(self, **said: Any) -> None:
        told = self.customer.message(from_user_id=self.user, **said)["entry"][0]["changes"][0]["value"]
        message = {key: value for key, value in told["messages"][0].items() if key != "from"}
        about = {"profile": {"name": "Ann Lee"}, "user_id": self.user}
        self.customer.told(self.customer.value(contacts=[about], messages=[message]))

    def shares(self, *cards: Any) -> None:
        self.says(type="contacts", contacts=list(cards))


@pytest.fixture
def hidden(customer: NewCustomer) -> Callable[[], Hidden]:
    return lambda: Hidden(customer())


def people(*ids: str) -> list[tuple[int, str | None]]:
    """Return contact and phone of each of *ids* that is stored."""
    with db.read() as session:
        found = sa.select(ContactIdentity).where(ContactIdentity.external_id.in_(ids))
        rows = session.scalars(found.order_by(ContactIdentity.id))
        return [(row.contact_id, row.phone) for row in rows]


def test_the_request_is_whatsapps_own(hidden: Callable[[], Hidden], whatsapp: Any, desk: TrialDesk) -> None:
    ann = hidden()
    ann.says(type="text", text={"body": "Can you call me?"})
    desk.reply(ann.user, "Sure, on which number?", content={"quick_replies": [{"ask": "phone"}]})
    desk.work()
    sent = whatsapp.sent[-1]
    assert (sent["type"], sent["recipient"]) == ("interactive", ann.user)
    assert sent["interactive"] == {
        "type": "request_contact_info",
        "body": {"text": "Sure, on which number?"},
        "action": {"name": "request_contact_info"},
    }


@pytest.mark.parametrize(
    ("text", "offered", "code", "limit"),
    [
        ("Call you?", [{"ask": "phone"}, {"title": "No"}], "too_many_quick_replies", 1),
        ("x" * 1025, [{"ask": "phone"}], "buttons_text", 1024),
        ("Write you?", [{"ask": "email"}], "quick_reply_ask", None),
    ],
)
def test_what_whatsapp_would_refuse_is_refused_before(
    customer: NewCustomer, desk: TrialDesk, text: str, offered: list[dict[str, str]], code: str, limit: Any
) -> None:
    ann = customer()
    ann.writes("Hello")
    with pytest.raises(NotSendableError) as error:
        desk.reply(ann.phone, text, content={"quick_replies": offered})
    assert (error.value.code, error.value.limit) == (code, limit)


def test_the_number_they_share_is_theirs(hidden: Callable[[], Hidden], desk: TrialDesk) -> None:
    ann = hidden()
    ann.says(type="text", text={"body": "Hello"})
    number = ann.customer.phone
    ann.shares({**card(number), "emails": [{"email": "ann@example.com", "type": "HOME"}]})
    first, second = people(ann.user, number)
    assert first[0] == second[0]
    assert {number} == {phone for _contact, phone in (first, second) if phone}
    shared = newest_of(desk, ann.user, number)
    assert (shared.kind, shared.text) == ("quick_reply", f"+{number}, ann@example.com")
    assert shared.content == {"payload": f"+{number}", "ask": "phone"}
    ann.customer.writes("It is me, with my number")
    assert len({contact for contact, _phone in people(ann.user, number)}) == 1


def newest_of(desk: TrialDesk, *ids: str) -> Any:
    """Return the newest message of the conversation of a customer with several ids."""
    found = [message for one in ids for message in desk.messages(one)]
    return max(found, key=lambda message: message.id)


def test_who_was_known_by_their_number_is_one_person(hidden: Callable[[], Hidden]) -> None:
    ann = hidden()
    ann.customer.writes("Hello from my number")
    ann.says(type="text", text={"body": "Hello without it"})
    number = ann.customer.phone
    assert len({contact for contact, _phone in people(ann.user, number)}) == 2
    ann.shares(card(number))
    assert len({contact for contact, _phone in people(ann.user, number)}) == 1


@pytest.mark.parametrize("origin", ["other", None, "", "CONTACT_REQUEST", 7, ["contact_request"]])
def test_a_card_that_nobody_asked_for_is_somebodys(
    hidden: Callable[[], Hidden], desk: TrialDesk, origin: Any
) -> None:
    ann, bob = hidden(), hidden()
    bob.customer.writes("Hello, I am Bob")
    ann.says(type="text", text={"body": "Write to Bob, please"})
    before = people(ann.user, bob.customer.phone)
    ann.shares(card(bob.customer.phone, origin=origin, name="Bob Ray"))
    assert people(ann.user, bob.customer.phone) == before
    assert len({contact for contact, _phone in before}) == 2
    shown = newest_of(desk, ann.user)
    assert (shown.kind, shown.text) == ("contacts", f"Bob Ray, +{bob.customer.phone}")


REASON = "their number is on a card this customer sent"


def pages(desk: TrialDesk, *ids: str) -> list[str]:
    """Return the page of each contact."""
    path = f"/w/{desk.workspace_id}/contacts"
    return [desk.get(f"{path}/{contact}").text for contact, _phone in people(*ids)]


@pytest.mark.parametrize("origin", ["other", None, 7])
def test_a_card_of_who_hides_their_number_offers_to_merge(
    hidden: Callable[[], Hidden], desk: TrialDesk, origin: Any
) -> None:
    ann = hidden()
    ann.customer.writes("Hello from my number")
    ann.says(type="text", text={"body": "Hello without it"})
    ann.shares(card(ann.customer.phone, origin=origin))
    shown, other = pages(desk, ann.user)[0], pages(desk, ann.customer.phone)[0]
    assert REASON in shown
    assert REASON not in other
    assert len({contact for contact, _phone in people(ann.user, ann.customer.phone)}) == 2


def test_the_card_of_who_shows_their_number_is_a_friends(
    customer: NewCustomer, hidden: Callable[[], Hidden], desk: TrialDesk
) -> None:
    ann, bob = hidden(), customer()
    bob.writes("Hello, I am Bob")
    ann.shares(card(ann.customer.phone))
    ann.shares(card(bob.phone, origin="other"))
    cem = customer()
    cem.told(cem.message(type="contacts", contacts=[card(bob.phone)]))
    assert not [page for page in pages(desk, ann.user, cem.phone) if REASON in page]


@pytest.mark.parametrize(
    ("known", "phone"),
    [
        ("5215512345671", {"phone": "+52 55 1234 5671"}),
        ("525512345672", {"phone": "+52 1 55 1234 5672", "wa_id": "5215512345672"}),
        ("5491112345673", {"phone": "+54 11 1234-5673"}),
        ("541112345674", {"phone": "+54 9 11 1234-5674"}),
        ("551161234575", {"phone": "+55 (11) 96123-4575"}),
        ("5511961234576", {"phone": "+55 11 6123-4576"}),
        ("5511961234577", {"phone": "011 6123-4577"}),
        ("4915112349978", {"phone": "home", "wa_id": "4915112349978"}),
        ("4915112349979", {"wa_id": "4915112349979"}),
    ],
)
def test_the_number_on_the_card_may_be_written_in_any_way(
    hidden: Callable[[], Hidden], customer: NewCustomer, desk: TrialDesk, known: str, phone: dict[str, str]
) -> None:
    ann, bob = hidden(), customer()
    bob.phone = known
    bob.writes("Hello, I am Bob")
    ann.shares({"origin": "other", "name": {"formatted_name": "Bob"}, "phones": [phone]})
    assert REASON in pages(desk, ann.user)[0]


def test_of_a_card_with_many_phones_the_first_count(hidden: Callable[[], Hidden], desk: TrialDesk) -> None:
    ann, bob = hidden(), hidden()
    bob.customer.writes("Hello, I am Bob")
    many = [{"phone": f"+4917600000{number:03}"} for number in range(50)]
    made = {"origin": "other", "name": {"formatted_name": "Bob"}}
    ann.shares({**made, "phones": [*many, {"phone": f"+{bob.customer.phone}"}]})
    assert REASON not in pages(desk, ann.user)[0]
    ann.shares({**made, "phones": [{"phone": ann.user}, {"phone": f"+{bob.customer.phone}"}, *many]})
    assert REASON in pages(desk, ann.user)[0]


def test_a_card_that_names_another_number_than_the_message_is_not_theirs(
    customer: NewCustomer, desk: TrialDesk
) -> None:
    ann, bob = customer(), customer()
    bob.writes("Hello, I am Bob")
    told = ann.message(type="contacts", contacts=[card(bob.phone)], from_user_id=f"US.{next(USERS)}")
    ann.told(told)
    first, second = people(ann.phone, bob.phone)
    assert first[0] != second[0]
    assert newest_of(desk, ann.phone).kind == "contacts"


def test_who_shows_their_number_may_share_it_in_its_other_spelling(
    customer: NewCustomer, desk: TrialDesk
) -> None:
    ann = customer()
    ann.phone = "5511961234567"
    ann.told(ann.message(type="contacts", contacts=[card("551161234567")]))
    shared = newest_of(desk, ann.phone)
    assert (shared.kind, shared.text) == ("quick_reply", "+551161234567")


@pytest.mark.parametrize(
    "cards",
    [
        [card("4915112345001"), card("4915112345002")],
        [{**card("4915112345003"), "phones": [*card("1555000001")["phones"], *card("1555000002")["phones"]]}],
        [{**card("4915112345004"), "phones": [{"phone": "+4915112345004"}]}],
        [{**card("4915112345005"), "phones": [{"phone": "+49 151", "wa_id": "US.13491208655302741918"}]}],
        [{**card("4915112345006"), "phones": [{"phone": "1", "wa_id": "0" * 12}]}],
        [{**card("4915112345007"), "phones": [{"phone": "1", "wa_id": "9" * 4000}]}],
        [{**card("4915112345008"), "phones": [{"phone": "1", "wa_id": "٤٩١٥١١٢٣٤٥٠"}]}],
        [{**card("4915112345009"), "phones": {"wa_id": "4915112345009"}}],
        [{**card("4915112345010"), "phones": None}],
        [{**card("4915112345011"), "phones": [{"wa_id": 4915112345011}]}],
        ["contact_request"],
        [{"origin": "contact_request"}],
        [None, 7, []],
    ],
)
def test_an_odd_card_identifies_nobody(
    hidden: Callable[[], Hidden], desk: TrialDesk, cards: list[Any]
) -> None:
    ann = hidden()
    ann.shares(*cards)
    ((_contact, phone),) = people(ann.user)
    assert phone is None
    assert newest_of(desk, ann.user).kind in {"contacts", "unsupported"}


def test_a_card_sent_from_the_phone_app_is_the_teams(customer: NewCustomer, account: AccountRef) -> None:
    ann = customer()
    ann.writes("Hello")
    other, user = f"{ann.phone}9", f"US.{next(USERS)}"
    echo = {
        "from": "15550783881",
        "to": ann.phone,
        "to_user_id": user,
        "id": f"wamid.E{ann.phone}",
        "timestamp": "1790000000",
        "type": "contacts",
        "contacts": [card(other)],
    }
    ann.told(ann.value(field="smb_message_echoes", message_echoes=[echo]))
    assert people(other) == []
    assert [one.kind for one in ann.thread if one.direction == "outbound"] == ["contacts"]


def test_a_card_sent_from_the_phone_app_offers_nothing(hidden: Callable[[], Hidden], desk: TrialDesk) -> None:
    ann, bob = hidden(), hidden()
    bob.customer.writes("Hello, I am Bob")
    ann.says(type="text", text={"body": "What is the number of your colleague?"})
    echo = {
        "from": "15550783881",
        "to_user_id": ann.user,
        "id": f"wamid.E{ann.user}",
        "timestamp": "1790000000",
        "type": "contacts",
        "contacts": [card(bob.customer.phone, origin="other")],
    }
    ann.customer.told(ann.customer.value(field="smb_message_echoes", message_echoes=[echo]))
    assert newest_of(desk, ann.user).direction == "outbound"
    assert REASON not in pages(desk, ann.user)[0]
