"""From what happens on the desk to a note and to a rule."""

from __future__ import annotations

from host.authoring.desk import TrialDesk
from host.sdk import db


def notes(desk: TrialDesk, contact: str) -> list[str]:
    return [each.text for each in desk.messages(contact) if each.direction == "internal"]


def test_a_note_says_when_a_customer_writes_for_the_third_time(desk: TrialDesk) -> None:
    for text in ("Hello?", "Anybody there?"):
        desk.receive("ann", text)
    desk.work()
    assert notes(desk, "ann") == []
    for text in ("Last try.", "Really."):
        desk.receive("ann", text)
        desk.work()
    assert notes(desk, "ann") == ["They wrote three times."]


def test_an_event_that_comes_twice_is_counted_once(desk: TrialDesk) -> None:
    desk.receive("bo", "Hello?")
    desk.work()
    models, contact_id = desk.module("models"), desk.customer("bo").contact_id
    assert [db.write(models.remember, "an-event", contact_id) for _ in range(2)] == [2, 2]


def test_a_rule_can_ask_how_often_they_wrote(desk: TrialDesk) -> None:
    for expected in (False, False, True):
        desk.receive("cy", "Hello?")
        desk.work()
        assert desk.holds("pigeon.often", "cy", "3") is expected
    assert not desk.holds("pigeon.often", "cy", "10")
