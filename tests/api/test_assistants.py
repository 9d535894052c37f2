"""Programs keep assistants, let them know things, and take what they suggest."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.assistants import keeping
from host.core import clock, db
from host.models.assistants import AssistantTurn, LanguageModel, Mode, TurnState
from host.models.inbox import Conversation, Handler, Message
from host.models.record import DomainEvent
from host.models.users import AuditEntry
from tests.api.desks import ApiDesk, Program, make_key
from tests.automation.assistants.making import store_turn


def made(desk: ApiDesk, name: str = "Shop desk") -> int:
    return int(desk.program.send("POST", "/assistants", {"name": name}, 201)["id"])


def asked(desk: ApiDesk) -> tuple[int, int]:
    """Have a customer ask something; return the ids of conversation and message."""
    desk.scene.said("ana", "Ana", "Do you ship to Norway?", clock.now())
    with db.read() as session:
        row = session.scalars(sa.select(Message).order_by(Message.id.desc())).first()
    assert row is not None
    return row.conversation_id, row.id


def turn(desk: ApiDesk, assistant: int, **more: Any) -> tuple[int, int]:
    """Return the ids of a conversation and of what an assistant suggests there."""
    conversation, message = asked(desk)
    about: dict[str, Any] = {
        "workspace_id": desk.workspace,
        "assistant_id": assistant,
        "account_id": desk.inbox.account.id,
        "conversation_id": conversation,
        "message_id": message,
        "state": TurnState.READY,
        "text": "It takes 4 to 6 days.",
        "sources": [
            {"number": 1, "title": "Shipping", "entry": 7},
            {"number": 2, "title": "Tea", "used": False},
        ],
        "tokens_in": 900,
        "tokens_out": 100,
        "cost": 12,
        "took_ms": 800,
    }
    return conversation, store_turn(clock.now(), **{**about, **more})


def audited() -> list[tuple[str, dict[str, Any]]]:
    with db.read() as session:
        rows = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id))
        return [(one.action, dict(one.details)) for one in rows if one.action.startswith(("assist", "know"))]


def told() -> list[str]:
    with db.read() as session:
        query = sa.select(DomainEvent.kind).where(DomainEvent.kind.like("assistant.%"))
        return [str(one) for one in session.scalars(query.order_by(DomainEvent.id))]


class TestKeeping:
    def test_an_assistant_is_made_changed_and_deleted(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        one = desk.program.get(f"/assistants/{id_}")
        assert (one["version"], one["accounts"], one["body"]["pause"]) == (1, [], 4)
        assert one["body"]["limits"]["conversation"] == {"turns": 6, "tokens": 0, "money": 0}
        body = {"prompt": "Be brief.", "phrases": ["You are welcome!"], "limits": {"day": {"turns": 9}}}
        whole = {"name": "Shop", "body": body, "version": 1}
        saved = desk.program.send("PUT", f"/assistants/{id_}", whole)
        assert (saved["name"], saved["version"], saved["body"]["prompt"]) == ("Shop", 2, "Be brief.")
        assert saved["body"]["limits"]["day"]["turns"] == 9
        assert saved["body"]["limits"]["conversation"]["turns"] == 6, "what is left out is as at first"
        assert desk.program.refused("PUT", f"/assistants/{id_}", whole)[1]["code"] == "saved_meanwhile"
        versions = desk.program.get(f"/assistants/{id_}/versions")["data"]
        newest, _first = versions
        assert (newest["version"], newest["author"], newest["body"]["prompt"]) == (2, "Shop", "Be brief.")
        assert [one["id"] for one in desk.reader.get("/assistants")["data"]] == [id_]
        assert desk.program.call("DELETE", f"/assistants/{id_}").status_code == 204
        assert desk.program.get("/assistants")["data"] == []
        assert [action for action, _ in audited()] == [
            "assistant.added",
            "assistant.renamed",
            "assistant.changed",
            "assistant.deleted",
        ]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"prompt": "x" * 4_001}, "body.prompt"),
            ({"pause": 0}, "body.pause"),
            ({"phrases": ["x" * 201]}, "body.phrases"),
            ({"limits": {"seconds": 3}}, "body.limits.seconds"),
            ({"tools": ["rm -rf"]}, "body.tools"),
        ],
    )
    def test_what_cannot_be_kept_is_refused_with_its_place(
        self, desk: ApiDesk, body: dict[str, Any], field: str
    ) -> None:
        id_ = made(desk)
        whole = {"name": "Shop", "body": body}
        status, error = desk.program.refused("PUT", f"/assistants/{id_}", whole)
        assert (status, error["code"], error["field"]) == (400, "assistant_invalid", field)
        assert desk.program.get(f"/assistants/{id_}")["version"] == 1

    def test_the_same_key_makes_one(self, desk: ApiDesk) -> None:
        for _ in range(2):
            headers = {"Idempotency-Key": "one"}
            desk.program.send("POST", "/assistants", {"name": "Shop"}, 201, headers=headers)
        assert len(desk.program.get("/assistants")["data"]) == 1

    def test_stopping_is_at_once_and_told(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        _conversation, waiting = turn(desk, id_)
        for _ in range(2):
            one = desk.program.send("PATCH", f"/assistants/{id_}", {"stopped": True})
            assert one["stoppedAt"] is not None
        with db.read() as session:
            assert session.get_one(AssistantTurn, waiting).state == TurnState.DISCARDED
        assert desk.program.send("PATCH", f"/assistants/{id_}", {"stopped": False})["stoppedAt"] is None
        assert told() == ["assistant.stopped", "assistant.resumed"]

    def test_a_model_is_chosen_and_says_nothing_of_its_address_and_key(self, desk: ApiDesk) -> None:
        id_ = made(desk)

        def add(session: Session) -> int:
            row = LanguageModel(
                uuid="u-1",
                workspace_id=desk.workspace,
                name="Ours",
                speaks="openai",
                address="https://models.private.example/v1",
                model="large",
                key="sealed",
                price_in=0,
                price_out=0,
                currency="EUR",
                created_at=clock.now(),
            )
            session.add(row)
            session.flush()
            return row.id

        model = db.write(add)
        found = desk.program.call("GET", "/language-models")
        assert found.json == {"data": [{"id": model, "name": "Ours", "model": "large", "currency": "EUR"}]}
        assert desk.program.send("PATCH", f"/assistants/{id_}", {"modelId": model})["modelId"] == model
        status, error = desk.program.refused("PATCH", f"/assistants/{id_}", {"modelId": 999})
        assert (status, error["field"]) == (400, "modelId")
        assert desk.program.send("PATCH", f"/assistants/{id_}", {"modelId": None})["modelId"] is None


class TestModes:
    def path(self, desk: ApiDesk, id_: int) -> str:
        return f"/assistants/{id_}/accounts/{desk.inbox.account.id}"

    def test_answering_is_earned_or_the_name_is_passed_and_kept(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        path = self.path(desk, id_)
        one = desk.program.send("PUT", path, {"mode": "shadow", "needed": 10, "answersOn": ["message"]})
        (place,) = one["accounts"]
        assert (place["mode"], place["needed"], place["earned"]) == ("shadow", 10, 0)
        status, error = desk.program.refused("PUT", path, {"mode": "answer"})
        assert (status, error["code"], error["field"]) == (400, "assistant_not_earned", "mode")
        status, error = desk.program.refused("PUT", path, {"mode": "answer", "typedName": "other"})
        assert (status, error["code"], error["field"]) == (400, "assistant_typed_name", "typedName")
        assert desk.program.get(f"/assistants/{id_}")["accounts"][0]["mode"] == "shadow"
        name = {"mode": "answer", "typedName": place["name"]}
        (place,) = desk.program.send("PUT", path, name)["accounts"]
        assert (place["mode"], place["openedBy"], place["answersOn"]) == ("answer", "Shop", ["message"])
        assert audited()[-1][0] == "assistant.opened"
        assert audited()[-1][1]["by"] == "Shop"
        assert told() == ["assistant.mode_changed"] * 2

    def test_what_programs_took_earns_nothing_and_what_is_right_does(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        conversation, one = turn(desk, id_)
        sent = desk.program.send("POST", f"/conversations/{conversation}/turns/{one}/take", None, 201)
        assert [message["text"] for message in sent["data"]] == ["It takes 4 to 6 days."]
        again = desk.program.send("POST", f"/conversations/{conversation}/turns/{one}/take", None, 201)
        assert [message["id"] for message in again["data"]] == [message["id"] for message in sent["data"]]
        account = desk.inbox.account.id
        with db.read() as session:
            row = session.get_one(AssistantTurn, one)
            assert (row.state, row.outcome, row.decided_by) == ("sent", "used", None)
            assert keeping.earned(session, id_, [account]) == {}
            count = sa.select(sa.func.count()).where(Message.reply_key == f"accepted-{one}")
            assert session.scalar(count) == 1
        judged = desk.program.send("PATCH", f"/assistants/{id_}/turns/{one}", {"right": True})
        assert judged["right"] is True
        with db.read() as session:
            assert keeping.earned(session, id_, [account]) == {account: 1}
        assert told() == ["assistant.taken"]
        days = desk.program.get(f"/assistants/{id_}/figures", days=1)["days"]
        assert (days[0]["counts"]["used"], days[0]["counts"]["right"]) == (1, 1)


class TestTurns:
    def test_suggestions_are_read_and_dismissed(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        conversation, one = turn(desk, id_)
        (found,) = desk.reader.get(f"/conversations/{conversation}/turns")["data"]
        assert (found["id"], found["state"], found["text"]) == (one, "ready", "It takes 4 to 6 days.")
        assert [(source["title"], source["entryId"]) for source in found["sources"]] == [("Shipping", 7)]
        path = f"/conversations/{conversation}/turns/{one}/dismiss"
        for _ in range(2):
            assert desk.program.send("POST", path, None)["outcome"] == "dismissed"
        take = f"/conversations/{conversation}/turns/{one}/take"
        assert desk.program.refused("POST", take)[1]["code"] == "suggestion_gone"
        assert told() == ["assistant.dismissed"]

    def test_one_that_somebody_answered_is_not_sent(self, desk: ApiDesk) -> None:
        conversation, one = turn(desk, made(desk))
        desk.scene.reply("ana", "Yes.", clock.now())
        path = f"/conversations/{conversation}/turns/{one}/take"
        status, error = desk.program.refused("POST", path)
        assert (status, error["code"]) == (409, "answered_meanwhile")

    def test_a_key_that_is_automatic_is_silent_where_a_person_handles_it(self, desk: ApiDesk) -> None:
        conversation, one = turn(desk, made(desk))

        def take_over(session: Session) -> None:
            session.get_one(Conversation, conversation).handled_by = Handler.PERSON

        db.write(take_over)
        robot = Program(desk.app, make_key(desk.workspace, name="Robot", automatic=True))
        status, error = robot.refused("POST", f"/conversations/{conversation}/turns/{one}/take")
        assert (status, error["code"]) == (409, "handled_by_person")

    def test_shadow_is_the_assistants_alone(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        conversation, one = turn(desk, id_, mode=Mode.SHADOW, answered_id=77)
        assert desk.program.get(f"/conversations/{conversation}/turns")["data"] == []
        take = f"/conversations/{conversation}/turns/{one}"
        for what in ("take", "dismiss"):
            assert desk.program.refused("POST", f"{take}/{what}")[0] == 404
        (found,) = desk.program.get(f"/assistants/{id_}/turns", show="shadow")["data"]
        assert (found["id"], found["answeredMessageId"], found["mode"]) == (one, 77, "shadow")

    def test_pages_go_on(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        ids = [turn(desk, id_, message_id=10_000 + number)[1] for number in range(3)]
        first = desk.program.get(f"/assistants/{id_}/turns", limit=2)
        second = desk.program.get(f"/assistants/{id_}/turns", limit=2, cursor=first["next"])
        assert [one["id"] for one in [*first["data"], *second["data"]]] == ids[::-1]
        assert second["next"] is None


class TestKnowledge:
    def test_a_text_is_added_found_changed_and_forgotten(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        path = f"/assistants/{id_}/knowledge"
        given = {"title": "Shipping", "text": "Four to six days.", "questions": ["To Norway?"]}
        one = desk.program.send("POST", path, given, 201)
        assert (one["kind"], one["state"], one["origin"]) == ("pasted", "ready", "Shop")
        desk.program.send("POST", path, {"title": "Glazes", "text": "Food-safe."}, 201)
        first = desk.program.get(path, limit=1)
        assert [entry["text"] for entry in first["data"]] == [None]
        rest = desk.program.get(path, limit=1, cursor=first["next"])
        assert [entry["title"] for entry in [*first["data"], *rest["data"]]] == ["Shipping", "Glazes"]
        assert [entry["title"] for entry in desk.program.get(path, search="norway")["data"]] == ["Shipping"]
        saved = desk.program.send("PUT", f"{path}/{one['id']}", {"title": "Shipping", "text": "A week."})
        assert (saved["text"], saved["questions"]) == ("A week.", [])
        assert desk.program.send("POST", f"{path}/{one['id']}/check", None)["state"] == "ready"
        assert desk.program.call("DELETE", f"{path}/{one['id']}").status_code == 204
        assert desk.program.refused("GET", f"{path}/{one['id']}")[1]["code"] == "entry_not_found"
        assert [action for action, _ in audited()][1:] == [
            *("knowledge.added", "knowledge.added"),
            *("knowledge.changed", "knowledge.checked", "knowledge.deleted"),
        ]

    def test_a_page_waits_to_be_read_and_an_inner_address_is_refused(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/knowledge"
        one = desk.program.send("POST", path, {"url": "https://pottery.example/shipping"}, 201)
        assert (one["kind"], one["state"], one["origin"]) == (
            "page",
            "waiting",
            "https://pottery.example/shipping",
        )
        for url in ("http://127.0.0.1/", "file:///etc/passwd", "nonsense"):
            status, error = desk.program.refused("POST", path, {"url": url})
            assert (status, error["code"], error["field"]) == (400, "knowledge_entry", "url")

    def test_nothing_is_no_entry(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/knowledge"
        assert desk.program.refused("POST", path, {})[1]["field"] == "title"
        assert desk.program.refused("POST", path, {"title": "Shipping"})[1]["field"] == "text"
