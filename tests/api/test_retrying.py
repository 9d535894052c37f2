"""Failed and unconfirmed messages by the API: sent again, or looked up, under the rules of sending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox import outcome
from host.models.inbox import Contact, Message
from host.models.queue import OutboxEntry
from host.sdk.channel import ProviderProblem
from tests import helpers
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.inbox import toys

PROBLEM = ProviderProblem("1", "It did not arrive.", "Try again.")


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, Everything())
    opened.scene.said("ana", "Ana", "Is it in stock?", opened.scene.ago(minutes=5))
    return opened


def sent(desk: ApiDesk, **body: Any) -> int:
    body = {"conversationId": desk.scene.conversation("ana"), "kind": "text", "text": "Yes.", **body}
    return int(desk.program.send("POST", "/messages", body, 201)["data"][0]["id"])


def failed(desk: ApiDesk, **body: Any) -> int:
    id_ = sent(desk, **body)
    db.write(outcome.record_failed, id_, PROBLEM)
    return id_


def retried(desk: ApiDesk, message_id: int, **body: Any) -> Any:
    return desk.program.send("POST", f"/messages/{message_id}/retry", body)


def refused(caller: Program, message_id: int, **body: Any) -> tuple[int, str]:
    status, error = caller.refused("POST", f"/messages/{message_id}/retry", body)
    return status, error["code"]


def is_open(message_id: int) -> bool:
    with db.read() as session:
        return session.query(OutboxEntry).filter_by(message_id=message_id).one().open


def test_a_failed_message_is_queued_again(desk: ApiDesk) -> None:
    id_ = failed(desk)
    assert desk.program.get(f"/messages/{id_}")["state"] == "failed"
    again = retried(desk, id_)
    assert (again["id"], again["state"], again["error"]) == (id_, "queued", None)
    assert is_open(id_)
    assert desk.program.get("/conversations")["data"][0]["failedCount"] == 0


def test_the_parts_held_back_with_it_go_out_too(desk: ApiDesk) -> None:
    first = failed(desk, text="é" * 700)
    rest = first + 1
    db.write(outcome.hold_rest, first)
    assert not is_open(rest)
    retried(desk, first)
    assert is_open(rest)


def test_repeated_with_the_same_key_it_is_queued_once(desk: ApiDesk) -> None:
    id_ = failed(desk)
    options = {"headers": {"Idempotency-Key": "again"}}
    desk.program.send("POST", f"/messages/{id_}/retry", {}, **options)
    db.write(outcome.record_failed, id_, PROBLEM)
    response = desk.program.call("POST", f"/messages/{id_}/retry", {}, **options)
    assert response.headers["Idempotent-Replayed"] == "true"
    assert desk.program.get(f"/messages/{id_}")["state"] == "failed"


def test_only_a_failed_message_is_retried(desk: ApiDesk) -> None:
    id_ = sent(desk)
    assert refused(desk.program, id_) == (409, "state_moved_on")
    db.write(outcome.record_sent, id_, "mid-1")
    assert refused(desk.program, id_, mayRepeat=True) == (409, "state_moved_on")
    inbound = desk.program.get(f"/conversations/{desk.scene.conversation('ana')}/messages")["data"][0]["id"]
    assert refused(desk.program, inbound) == (404, "not_in_outbox")
    assert refused(desk.program, 2**40) == (404, "message_not_found")
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert refused(stranger, failed(desk)) == (404, "message_not_found")


def test_a_message_that_may_have_arrived_is_sent_again_only_if_that_was_meant(desk: ApiDesk) -> None:
    id_ = sent(desk)
    db.write(outcome.record_unknown, id_, PROBLEM)
    assert refused(desk.program, id_) == (409, "state_moved_on")
    assert refused(desk.program, id_, mayRepeat=True, ownAddress="toy@example.org") == (400, "invalid_body")
    assert desk.program.get(f"/messages/{id_}")["state"] == "unknown"
    assert retried(desk, id_, mayRepeat=True)["state"] == "queued"


def test_a_program_does_not_send_what_only_a_person_may(desk: ApiDesk) -> None:
    """A person wrote late, where only people can: a retry by a program would not be theirs any more."""
    desk.scene.said("late", "Late", "Hello", desk.scene.ago(hours=30))
    (theirs,) = desk.scene.reply("late", "Sorry for the wait.", desk.scene.now)
    db.write(outcome.record_failed, theirs, PROBLEM)
    assert refused(desk.program, theirs) == (409, "people_only")
    assert desk.program.get(f"/messages/{theirs}")["state"] == "failed"


def test_an_automatic_program_keeps_to_its_rules(desk: ApiDesk) -> None:
    id_ = failed(desk)
    automatic = Program(desk.app, make_key(desk.workspace, automatic=True))
    assert refused(automatic, id_) == (409, "handled_by_person")
    contact = toys.only(Contact).id
    desk.program.send("POST", f"/contacts/{contact}/opt-out", {})
    desk.program.send("PATCH", f"/conversations/{desk.scene.conversation('ana')}", {"handledBy": "nobody"})
    assert refused(automatic, id_) == (409, "opted_out")
    assert retried(desk, id_)["state"] == "queued"


def test_another_address_has_to_be_the_accounts(desk: ApiDesk) -> None:
    id_ = failed(desk)
    status, error = desk.program.refused("POST", f"/messages/{id_}/retry", {"ownAddress": "x@example.org"})
    assert (status, error["code"], error["field"]) == (422, "sender_not_own", "ownAddress")
    assert desk.program.get(f"/messages/{id_}")["state"] == "failed"


def test_an_unconfirmed_message_is_looked_up_and_not_sent(desk: ApiDesk) -> None:
    id_ = sent(desk)
    assert desk.program.refused("POST", f"/messages/{id_}/check")[1]["code"] == "state_moved_on"
    db.write(outcome.record_unknown, id_, PROBLEM)
    db.write(lambda session: setattr(entry_of(session, id_), "open", False))
    assert desk.program.send("POST", f"/messages/{id_}/check", None)["state"] == "unknown"
    with db.read() as session:
        entry = entry_of(session, id_)
        assert (entry.open, session.get_one(Message, id_).state) == (True, "unknown")


def entry_of(session: Any, message_id: int) -> Any:
    return session.query(OutboxEntry).filter_by(message_id=message_id).one()
