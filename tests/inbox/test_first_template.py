"""Writing first with an approved template, to a phone number, where the window is closed until they write."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from host.core import clock, db
from host.core.backports.values import replace
from host.delivery import results
from host.inbox import approved_fetching
from host.inbox.apply.phone_numbers import with_plus
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.sdk.channel import Capabilities, ReplyPolicy, ReplyState
from host.users import members
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import open_desk
from tests.inbox.phones import FILLED, JSON, KEY, NUMBER, OFFERED, PHONES, Phones, Scene, opened_up
from tests.inbox.toys import WINDOWED, apply, received


@pytest.fixture
def scene(database: db.Database, data: Path) -> Iterator[Scene]:
    opened_up(data)
    yield Scene(open_desk(data, WINDOWED, PHONES))
    PHONES.reset()
    approved_fetching.forget_pages()


def after_it() -> float:
    """Return when a customer writes who answers what was just sent."""
    return (clock.now() - toys.START).total_seconds()


def row(model: type[Any], id_: int) -> Any:
    with db.read() as session:
        return session.get_one(model, id_)


def pickers(page: str) -> list[str]:
    return re.findall(r'data-templates-open="([^"]+)"', page)


def started() -> Conversation:
    (found,) = [one for one in toys.everything(Conversation) if one.channel == "sms"]
    return found


def test_from_their_page_the_picker_of_the_number_begins_a_conversation(scene: Scene) -> None:
    page = scene.get(scene.path())
    assert OFFERED in page
    assert '/write"' not in page, "nothing but a template can be the first message"
    (picker,) = pickers(page)
    assert f"place={scene.phones.id}:{NUMBER}" in picker
    (listed,) = re.findall(r'data-list="([^"]+)"', scene.get(picker))
    forms = scene.get(listed)
    assert forms.count('type="submit"') == 2
    assert f'name="place" value="{scene.phones.id}:{NUMBER}"' in forms
    assert 'value="Ana"' in forms, "their first name is prefilled"
    (more,) = re.findall(r'data-templates-next="([^"]+)"', forms)
    assert "old_offer" in scene.get(more), "the second page"
    answer = scene.send()
    assert answer.status_code == 200, answer.text
    new = started()
    assert answer.json["goto"].endswith(f"/inbox/{new.id}")
    (message,) = toys.thread(new.id)
    assert (message.text, message.state) == ("Hello Ana, your order B-9 is on its way.", "queued")
    assert (new.contact_id, new.status) == (scene.contact, "open")
    assert pickers(scene.get(scene.path())) == [], "the picker is in the conversation they have"
    assert scene.send().json == answer.json, "once more sends nothing twice"
    assert len(toys.thread(new.id)) == 1
    assert row(Conversation, scene.old).status == "open", "it goes on by itself"


def test_where_the_window_is_closed_a_template_elsewhere_continues_the_conversation(scene: Scene) -> None:
    page = scene.get(scene.desk.path(f"/{scene.old}"))
    (picker,) = pickers(page)
    assert OFFERED in page
    (listed,) = re.findall(r'data-list="([^"]+)"', scene.get(picker))
    assert f'name="before" value="{scene.old}"' in scene.get(listed)
    assert scene.send(before=str(scene.old)).status_code == 200
    assert row(Conversation, scene.old).status == "closed"
    assert f"/inbox/{started().id}" in scene.get(scene.desk.path(f"/{scene.old}"))
    assert scene.send(before=str(scene.old), reply_key=KEY[::-1]).json["error"]["code"] == "goes_on_already"


def test_their_answer_arrives_in_the_same_conversation_and_opens_the_window(scene: Scene) -> None:
    scene.send()
    there = started()
    apply(scene.phones, received("Thanks", contact=NUMBER, at=after_it()), adapter=PHONES)
    assert row(Conversation, there.id).last_inbound_at is not None
    assert [one.direction for one in toys.thread(there.id)] == ["outbound", "inbound"]
    again = scene.send(reply_key=KEY[::-1])
    assert (again.status_code, again.json["error"]["code"]) == (409, "conversation_exists")
    assert len(toys.thread(there.id)) == 2


def test_a_number_that_the_provider_writes_in_another_way_stays_the_same_customer(scene: Scene) -> None:
    """In Brazil, WhatsApp knows some people by a number without its ninth digit."""
    scene.send()
    there = started()
    shorter = NUMBER[:4] + NUMBER[5:]
    db.write(results.note_recipient, there.identity_id, shorter)
    apply(scene.phones, received("Thanks", contact=shorter, at=after_it()), adapter=PHONES)
    assert [one.direction for one in toys.thread(there.id)] == ["outbound", "inbound"]
    assert len(toys.everything(Contact)) == 1


def test_a_number_that_is_already_somebody_elses_is_left_to_them(scene: Scene) -> None:
    scene.send()
    there = started()
    apply(scene.phones, received("Hello", contact="4915900000001", at=9), adapter=PHONES)
    db.write(results.note_recipient, there.identity_id, "4915900000001")
    assert row(ContactIdentity, there.identity_id).external_id == NUMBER
    db.write(results.note_recipient, 999, "4915900000001")


@pytest.mark.parametrize("written", [None, "0151 123 456 78", "ask him", "+49", "+" + "9" * 40])
def test_without_a_number_with_its_country_code_nothing_is_offered(scene: Scene, written: str | None) -> None:
    scene.gives(written)
    assert pickers(scene.get(scene.path())) == []
    assert scene.send().json["error"]["code"] == "cannot_write_first"


def test_an_id_of_another_channel_is_no_phone_number(scene: Scene) -> None:
    scene.gives(None)
    toys.change_row(ContactIdentity, toys.only(ContactIdentity).id, external_id="4915199999999")
    assert pickers(scene.get(scene.path())) == []


def test_a_number_of_another_contact_is_refused(scene: Scene) -> None:
    apply(scene.phones, received("Hello", contact=NUMBER, at=9), adapter=PHONES)
    assert pickers(scene.get(scene.path())) == []
    assert scene.send().json["error"]["code"] == "address_of_another"


def test_a_verified_number_is_written_to_as_well(scene: Scene) -> None:
    scene.gives(None)
    toys.change_row(ContactIdentity, toys.only(ContactIdentity).id, phone=NUMBER, phone_key=NUMBER[-7:])
    assert len(pickers(scene.get(scene.path()))) == 1
    assert scene.send().status_code == 200


def test_two_numbers_are_told_apart(scene: Scene) -> None:
    toys.change_row(
        ContactIdentity, toys.only(ContactIdentity).id, phone="4915987654321", phone_key="7654321"
    )
    page = scene.get(scene.path())
    assert {f"Write on Shop phone · {one}" in page for one in (NUMBER, "4915987654321")} == {True}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"parameter.order": ""}, 422, "template_parameter"),
        ({"template": "old-en"}, 409, "template_not_approved"),
        ({"template": ""}, 404, "template_not_found"),
        ({"place": ""}, 409, "cannot_write_first"),
        ({"place": "1"}, 409, "cannot_write_first"),
        ({"place": "99999999999999999999:1"}, 409, "cannot_write_first"),
        ({"reply_key": ""}, 400, "reply_key"),
    ],
)
def test_what_is_refused_says_why_and_starts_nothing(
    scene: Scene, fields: dict[str, str], status: int, code: str
) -> None:
    answer = scene.send(**fields)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert len(toys.everything(Conversation)) == 1
    assert len(toys.everything(ContactIdentity)) == 1


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "77"])
def test_a_conversation_before_that_there_is_not_is_not_found(scene: Scene, before: str) -> None:
    assert scene.send(before=before).status_code == 404
    assert len(toys.everything(Conversation)) == 1


def test_a_place_without_templates_has_no_picker(database: db.Database, data: Path) -> None:
    class Plain(Phones):
        capabilities: ClassVar[Capabilities] = replace(Phones.capabilities, approved_templates=False)

    opened_up(data)
    scene = Scene(open_desk(data, WINDOWED, Plain()))
    for rest in ("", "/list"):
        scene.get(scene.path(f"/write/templates{rest}?place={scene.phones.id}:{NUMBER}"), 404)
    assert scene.send().status_code == 404


def test_who_refused_messages_is_named_before_the_first_one(scene: Scene) -> None:
    (picker,) = pickers(scene.get(scene.path()))
    assert "opted out" not in scene.get(picker)
    toys.change_row(Contact, scene.contact, opted_out_at=clock.now())
    assert "opted out of automated messages" in scene.get(picker)
    toys.change_row(Contact, scene.contact, blocked_at=clock.now())
    assert pickers(scene.get(scene.path())) == [], "somebody who is blocked is not written to"
    assert scene.send().json["error"]["code"] == "cannot_write_first"


def test_who_does_not_see_the_account_is_offered_nothing_there(scene: Scene) -> None:
    tom = helpers.make_user(name="Tom T.", workspace=scene.desk.workspace)
    db.write(members.set_accounts, scene.desk.workspace, tom.id, frozenset({scene.desk.account.id}))
    browser = helpers.client_for(scene.desk.app, tom)
    assert pickers(html.unescape(browser.get(scene.path()).text)) == []
    data = {"csrf_token": browser.csrf(), "reply_key": KEY, **FILLED, "place": f"{scene.phones.id}:{NUMBER}"}
    answer = browser.post(scene.path("/write/templates"), data=data, headers=JSON)
    assert answer.json["error"]["code"] == "cannot_write_first"


def test_where_the_window_is_open_before_anything_a_text_begins(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Phones, "reply_policy", lambda *_: ReplyPolicy(ReplyState.OPEN))
    page = scene.get(scene.path())
    assert pickers(page) == []
    assert f'href="{scene.path("/write")}"' in page


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 (0)151 123-456.78", "+4915112345678"),
        ("0049 151 12345678", "+4915112345678"),
        ("0151 12345678", None),
        ("15112345678", None),
        ("+49 call me", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_is_dialled_only_with_its_country_code(written: str | None, number: str | None) -> None:
    assert with_plus(written) == number
