"""What was taken back or erased is told to nobody any more."""

from __future__ import annotations

import json
from datetime import timedelta

from host.core import clock, db
from host.events.models import ActorKind
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.erasure import erase
from host.inbox.notes import add_note, delete_note, edit_note
from host.sdk.messages import ContactIdentified, MessageReceived, MessageUnsent, PersonId
from host.users.actor import Actor
from tests import helpers
from tests.helpers import do
from tests.receiver import Receiver
from tests.webhooks.desk import HookDesk


def wrote(desk: HookDesk, mid: str, text: str, contact: str = "anna") -> None:
    change = MessageReceived(contact, mid, clock.now(), text=text)
    db.write(apply_changes, [Incoming(desk.account, desk.toy, change, clock.now(), mid)])


def unsent(desk: HookDesk, mid: str, contact: str = "anna") -> None:
    change = MessageUnsent(contact, mid, clock.now())
    db.write(apply_changes, [Incoming(desk.account, desk.toy, change, clock.now(), f"unsend {mid}")])


def test_what_is_taken_back_before_it_was_sent_is_sent_as_a_tombstone(
    any_desk: HookDesk, receiver: Receiver
) -> None:
    any_desk.endpoint(receiver.url, "message.received")
    wrote(any_desk, "m1", "my secret")
    any_desk.tell()
    [before] = any_desk.bodies()
    assert "my secret" in before.body
    unsent(any_desk, "m1")
    [after] = any_desk.bodies()
    assert after.id == before.id
    any_desk.deliver()
    [got] = receiver.got
    told = json.loads(before.body)["data"]
    assert got.told == {
        "event": "message.received",
        "data": {
            **{name: told[name] for name in ("id", "conversationId", "contactId", "channelId")},
            "channelType": "email",
            "erased": True,
        },
    }


def test_a_further_id_is_told_until_its_contact_is_erased(desk: HookDesk, receiver: Receiver) -> None:
    desk.endpoint(receiver.url, "contact.identity_added")
    wrote(desk, "m1", "Hello")
    told = ContactIdentified("anna", clock.now(), (PersonId("anna"), PersonId("DE.7", lasting=True)))
    db.write(apply_changes, [Incoming(desk.account, desk.toy, told, clock.now(), "ids")])
    desk.deliver()
    [got], [body] = receiver.got, desk.bodies()
    assert got.told["data"]["externalId"] == "DE.7"
    assert body.contact_id == int(got.told["data"]["id"])
    with clock.travel(timedelta(seconds=1)):
        do(erase, desk.workspace_id, body.contact_id)
    [body] = desk.bodies()
    kept = {name: got.told["data"][name] for name in ("id", "channelId", "channelType")}
    assert json.loads(body.body)["data"] == {**kept, "erased": True}


def test_what_is_taken_back_before_it_was_read_leaves_no_body(desk: HookDesk, receiver: Receiver) -> None:
    desk.endpoint(receiver.url, "message.received")
    wrote(desk, "m1", "my secret")
    unsent(desk, "m1")
    desk.deliver()
    [got] = receiver.got
    assert got.told["data"]["erased"] is True
    assert b"secret" not in got.body
    assert b"anna" not in got.body


def test_who_is_erased_is_gone_from_bodies_and_answers(any_desk: HookDesk, receiver: Receiver) -> None:
    any_desk.endpoint(receiver.url)
    receiver.words = b"thanks for: my secret"
    wrote(any_desk, "m1", "my secret")
    wrote(any_desk, "m2", "of somebody else", contact="ben")
    any_desk.deliver()
    assert [one.words for one in any_desk.deliveries()] == ["thanks for: my secret"] * len(receiver.got)
    with clock.travel(timedelta(seconds=1)):
        contact_id = next(one.contact_id for one in any_desk.bodies() if "my secret" in one.body)
        assert contact_id is not None
        do(erase, any_desk.workspace_id, contact_id)
    mine = [one for one in any_desk.bodies() if one.contact_id == contact_id]
    assert mine
    for one in mine:
        assert one.erased_at is not None
        assert json.loads(one.body)["data"]["erased"] is True
        assert "secret" not in one.body
        assert "anna" not in one.body
    assert any("of somebody else" in one.body for one in any_desk.bodies())
    answers = {one.body_id: one.words for one in any_desk.deliveries()}
    assert all(answers[one.id] is None for one in mine)


def test_a_deleted_note_is_sent_as_a_tombstone_and_its_deletion_without_words(
    desk: HookDesk, receiver: Receiver
) -> None:
    mia = helpers.make_user(name="Mia R.", workspace=desk.workspace_id)
    desk.endpoint(receiver.url, "note.*")
    added = do(
        add_note,
        desk.workspace_id,
        desk.customer_wrote("anna"),
        text="my secret",
        reply_key="12345678",
        actor=mia.id,
    )
    do(edit_note, desk.workspace_id, added.id, text="my other secret", actor=Actor(ActorKind.USER, mia.id))
    desk.tell()
    assert ["secret" in one.body for one in desk.bodies()] == [True, True]
    do(delete_note, desk.workspace_id, added.id, actor=Actor(ActorKind.USER, mia.id))
    desk.deliver()
    assert [(got.told["event"], got.told["data"].get("erased")) for got in receiver.got] == [
        ("note.added", True),
        ("note.edited", True),
        ("note.deleted", None),
    ]
    assert not any(b"secret" in got.body for got in receiver.got)
    assert receiver.got[-1].told["data"]["author"]["name"] == "Mia R."
