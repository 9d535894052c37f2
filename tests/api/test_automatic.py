"""Who handles a conversation: people, or a program that answers by itself, which never speaks beside them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.backports.values import replace
from host.delivery.worker import drain
from host.events.kinds.conversations import CONVERSATION_HANDLER_CHANGED
from host.events.models import DomainEvent
from host.inbox.contacts import consent
from host.models.inbox import Contact, Conversation, DeliveryState, Handler, Message, Origin
from tests.api.channels import Everything
from tests.api.desks import ApiDesk, Program, make_key, open_api_desk
from tests.helpers import do
from tests.inbox import toys


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    opened = open_api_desk(data, Everything())
    opened.scene.said("ana", "Ana", "Where is my order?", opened.scene.ago(minutes=5))
    return opened


@pytest.fixture
def bot(desk: ApiDesk) -> Program:
    return Program(desk.app, make_key(desk.workspace, name="Order bot", automatic=True))


def talk(desk: ApiDesk, contact: str = "ana") -> int:
    return desk.scene.conversation(contact)


def words(desk: ApiDesk, text: str = "It is on its way.", contact: str = "ana") -> dict[str, Any]:
    return {"conversationId": talk(desk, contact), "kind": "text", "text": text}


def handler(desk: ApiDesk, contact: str = "ana") -> str:
    return str(desk.program.get(f"/conversations/{talk(desk, contact)}")["handledBy"])


def changes() -> list[tuple[str, str, str]]:
    with db.read() as session:
        rows = session.scalars(
            sa.select(DomainEvent)
            .where(DomainEvent.kind == CONVERSATION_HANDLER_CHANGED)
            .order_by(DomainEvent.id)
        ).all()
        facts = [json.loads(one.data) for one in rows]
    return [(one.get("before", "nobody"), one.get("handler", "nobody"), one["because"]) for one in facts]


def test_a_program_answers_until_a_person_does(desk: ApiDesk, bot: Program) -> None:
    assert handler(desk) == "nobody"
    (sent,) = bot.send("POST", "/messages", words(desk), 201)["data"]
    assert (handler(desk), sent["origin"]) == ("automation", "system")
    desk.scene.reply("ana", "Mia here: it left today.", clock.now())
    assert handler(desk) == "person"
    assert bot.refused("POST", "/messages", words(desk, "Anything else?"))[1]["code"] == "handled_by_person"
    assert bot.refused("POST", f"/conversations/{talk(desk)}/typing", {})[1]["code"] == "handled_by_person"
    assert changes() == [("nobody", "automation", "reply"), ("automation", "person", "reply")]
    desk.scene.close("ana", desk.inbox.mia.id, clock.now())
    assert handler(desk) == "nobody"
    bot.send("POST", "/messages", words(desk, "Tell me how it was."), 201)


def test_any_other_key_speaks_for_people(desk: ApiDesk, bot: Program) -> None:
    desk.program.send("POST", "/messages", words(desk), 201)
    assert handler(desk) == "person"
    assert bot.refused("POST", "/messages", words(desk))[1]["code"] == "handled_by_person"


def test_it_is_refused_where_another_program_answers(
    desk: ApiDesk, bot: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = replace(Everything.capabilities, responder_keeps=timedelta(hours=24))
    monkeypatch.setattr(Everything, "capabilities", several)
    desk.scene.said("ana", "Ana", "Hello?", clock.now(), content={"standby": True})
    status, problem = bot.refused("POST", "/messages", words(desk))
    assert (status, problem["code"]) == (409, "answered_elsewhere")
    assert bot.refused("POST", f"/conversations/{talk(desk)}/typing", {})[1]["code"] == "answered_elsewhere"
    desk.program.send("POST", "/messages", words(desk, "Mia here."), 201)
    drain(desk.inbox.generation, direction="out")
    desk.scene.said("ana", "Ana", "Thanks!", clock.now() + timedelta(seconds=5))
    assert handler(desk) == "person", "a key that speaks for people took it over"


def test_what_waits_is_taken_back_when_another_program_answers(
    desk: ApiDesk, bot: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = replace(Everything.capabilities, responder_keeps=timedelta(hours=24))
    monkeypatch.setattr(Everything, "capabilities", several)
    (sent,) = bot.send("POST", "/messages", words(desk), 201)["data"]
    desk.scene.said("ana", "Ana", "Hello?", clock.now(), content={"standby": True})
    drain(desk.inbox.generation, direction="out")
    found = desk.program.get(f"/messages/{sent['id']}")
    assert (found["state"], found["error"]["code"]) == ("cancelled", "answered_elsewhere")


def test_a_word_in_the_providers_own_app_takes_over(desk: ApiDesk, bot: Program) -> None:
    bot.send("POST", "/messages", words(desk), 201)
    desk.scene.echo("ana", "Mia, from the phone: it left today.", clock.now())
    assert handler(desk) == "person"


def test_whoever_is_given_it_by_a_person_handles_it(desk: ApiDesk, bot: Program) -> None:
    mia = desk.inbox.mia.id
    desk.program.send("PATCH", f"/conversations/{talk(desk)}", {"assignee": mia}, 200)
    assert handler(desk) == "nobody", "a program gave it: nobody said a word"
    desk.scene.assign("ana", None, mia, clock.now())
    desk.scene.assign("ana", mia, mia, clock.now())
    assert handler(desk) == "person"


def test_a_program_hands_over_to_people(desk: ApiDesk, bot: Program) -> None:
    bot.send("POST", "/messages", words(desk), 201)
    team = desk.program.send("POST", "/teams", {"name": "Orders"}, 201)["id"]
    path = f"/conversations/{talk(desk)}/hand-over"
    body = {"team": team, "note": "Wants to change an order."}
    answer = bot.send("POST", path, body, 200)
    assert (answer["handledBy"], answer["team"]["name"]) == ("person", "Orders")
    assert answer["waitingSince"], "they wait for a person now"
    assert bot.refused("POST", "/messages", words(desk))[1]["code"] == "handled_by_person"
    notes = [one for one in toys.everything(Message) if one.kind == "note"]
    assert [(one.text, one.content["by"]) for one in notes] == [("Wants to change an order.", "Order bot")]
    bot.send("POST", path, {}, 200)
    assert changes()[1:] == [("automation", "person", "handed_over")], "once, however often it is asked"
    for body, code in (({"team": 999}, "team_not_found"), ({"assignee": 999}, "not_a_member")):
        assert bot.refused("POST", path, body)[1]["code"] == code


def test_a_closed_conversation_is_opened_for_people(desk: ApiDesk, bot: Program) -> None:
    desk.scene.close("ana", desk.inbox.mia.id, clock.now())
    answer = bot.send("POST", f"/conversations/{talk(desk)}/hand-over", {}, 200)
    assert (answer["status"], answer["handledBy"]) == ("open", "person")


def test_a_person_says_who_handles_it(desk: ApiDesk, bot: Program) -> None:
    path = f"/conversations/{talk(desk)}"
    desk.program.send("PATCH", path, {"handledBy": "person"}, 200)
    assert bot.refused("POST", "/messages", words(desk))[1]["code"] == "handled_by_person"
    desk.program.send("PATCH", path, {"handledBy": "nobody"}, 200)
    bot.send("POST", "/messages", words(desk), 201)
    assert desk.program.refused("PATCH", path, {"handledBy": "automation"})[0] == 400
    found = desk.program.get("/conversations?handledBy=automation")["data"]
    assert [one["id"] for one in found] == [talk(desk)]
    assert desk.program.get("/conversations?handledBy=person")["data"] == []


def test_nothing_automatic_goes_to_who_wants_none(desk: ApiDesk, bot: Program) -> None:
    contact = toys.everything(Contact)[0].id
    do(consent.opt_out, desk.workspace, contact, "")
    assert bot.refused("POST", "/messages", words(desk))[1]["code"] == "opted_out"
    desk.program.send("POST", "/messages", words(desk), 201)
    do(consent.opt_in, desk.workspace, contact)
    desk.program.send("PATCH", f"/conversations/{talk(desk)}", {"handledBy": "nobody"}, 200)
    bot.send("POST", "/messages", words(desk), 201)


def test_only_the_whole_window_is_open_to_it(desk: ApiDesk, bot: Program) -> None:
    desk.scene.said("old", "Old", "Two days ago", desk.scene.ago(days=2))
    assert bot.refused("POST", "/messages", words(desk, contact="old"))[1]["code"] == "people_only"


@pytest.mark.parametrize("what", ["person", "opted out"])
def test_what_waits_is_taken_back_when_somebody_takes_over(desk: ApiDesk, bot: Program, what: str) -> None:
    later = clock.now().replace(microsecond=0)
    with db.read() as session:
        listed = session.get_one(Conversation, talk(desk))
        before = listed.last_direction, listed.last_preview
    bot.send("POST", "/messages", words(desk), 201)
    if what == "person":
        desk.program.send("PATCH", f"/conversations/{talk(desk)}", {"handledBy": "person"}, 200)
    else:
        contact = toys.everything(Contact)[0].id
        do(consent.opt_out, desk.workspace, contact, "", now=later)
    drain(desk.inbox.generation, direction="out")
    (message,) = [one for one in toys.everything(Message) if one.origin == Origin.SYSTEM and one.state]
    assert message.state == DeliveryState.CANCELLED
    assert message.error["code"] == ("handled_by_person" if what == "person" else "opted_out")
    with db.read() as session:
        assert session.get_one(Conversation, talk(desk)).failed_count == 0
        expected = Handler.PERSON if what == "person" else Handler.AUTOMATION
        assert session.get_one(Conversation, talk(desk)).handled_by == expected
        listed = session.get_one(Conversation, talk(desk))
        assert (listed.last_direction, listed.last_preview) == before, "the list shows what was said before"
