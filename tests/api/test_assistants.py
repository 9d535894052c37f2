"""Programs keep assistants, let them know things, and take what they suggest."""

from __future__ import annotations

import io
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import assistants, program_tools
from host.assistants.language import asking
from host.assistants.models import (
    Assistant,
    AssistantCall,
    AssistantTool,
    AssistantTurn,
    LanguageModel,
    Mode,
    TurnState,
)
from host.assistants.values import Ask, ModelAnswer, ModelError, ModelUsage, Thought
from host.core import clock, db
from host.events.models import DomainEvent
from host.models.inbox import Conversation, Handler, Message
from host.models.users import AuditEntry
from host.sdk.http import Client, Response
from host.users.api_keys import GRANTABLE
from tests.api.desks import TOOL, ApiDesk, Program, make_key
from tests.assistants.making import store_turn
from tests.assistants.papers import pdf


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
        assert [action for action, *_ in audited()[-2:]] == ["assistant.opened", "assistant.mode"]
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
            assert assistants.earned(session, id_, [account]) == {}
            count = sa.select(sa.func.count()).where(Message.reply_key == f"accepted-{one}")
            assert session.scalar(count) == 1
        judged = desk.program.send("PATCH", f"/assistants/{id_}/turns/{one}", {"right": True})
        assert judged["right"] is True
        with db.read() as session:
            assert assistants.earned(session, id_, [account]) == {account: 1}
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

    def test_a_file_is_added_and_another_put_in_its_place(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/knowledge"
        one = upload(desk, "POST", f"{path}/files", b"# Shipping\n\nFour to six days.", "to/ship.md", 201)
        assert (one["kind"], one["title"], one["origin"]) == ("file", "ship", "ship.md")
        assert (one["state"], one["text"]) == ("ready", "# Shipping\n\nFour to six days.")
        asked_like = {"title": "Shipping", "questions": ["To Norway?"]}
        desk.program.send("PUT", f"{path}/{one['id']}", asked_like)
        again = upload(desk, "PUT", f"{path}/{one['id']}/file", b"A week.", "week.txt", 200)
        assert (again["id"], again["title"], again["questions"]) == (one["id"], "Shipping", ["To Norway?"])
        assert (again["text"], again["origin"]) == ("A week.", "week.txt")
        named = upload(desk, "PUT", f"{path}/{one['id']}/file?title=Parcels", b"A day.", "week.txt", 200)
        assert (named["title"], named["text"]) == ("Parcels", "A day.")
        assert [action for action, _ in audited()][1:] == ["knowledge.added", *["knowledge.changed"] * 3]

    def test_a_pdf_is_read(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/knowledge/files"
        data = pdf("Parcels to Norway take four days.", title="All about parcels")
        one = upload(desk, "POST", path, data, "parcels.pdf", 201)
        assert (one["title"], "four days" in one["text"]) == ("All about parcels", True)

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b"\x89PNG\r\n", "mug.png"),
            (b"Words", "words"),
            (b"Words", ""),
            (b"", "empty.txt"),
            (b"%PDF-1.4 nonsense", "broken.pdf"),
            (b"no pdf", "other.pdf"),
        ],
    )
    def test_a_file_that_cannot_be_read_leaves_what_was_there(
        self, desk: ApiDesk, content: bytes, name: str
    ) -> None:
        path = f"/assistants/{made(desk)}/knowledge"
        one = upload(desk, "POST", f"{path}/files", b"A week.", "week.txt", 201)
        for method, where in (("POST", f"{path}/files"), ("PUT", f"{path}/{one['id']}/file")):
            error = upload(desk, method, where, content, name, 400)["error"]
            assert error["field"] == "file", (method, error)
            assert error["code"] in {"knowledge_entry", "invalid_body"}
        assert desk.program.get(f"{path}/{one['id']}")["text"] == "A week."
        assert len(desk.program.get(path)["data"]) == 1

    def test_a_text_is_no_file_and_a_form_is_wanted(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/knowledge"
        one = desk.program.send("POST", path, {"title": "Shipping", "text": "Four days."}, 201)
        error = upload(desk, "PUT", f"{path}/{one['id']}/file", b"A week.", "week.txt", 400)["error"]
        assert (error["code"], error["field"]) == ("knowledge_entry", "file")
        assert desk.program.get(f"{path}/{one['id']}")["text"] == "Four days."
        assert desk.program.refused("POST", f"{path}/files", {"file": "x"})[0] == 415
        two = {"file": (io.BytesIO(b"x"), "x.txt"), "title": "y"}
        assert desk.program.refused("POST", f"{path}/files", data=two)[1]["field"] == "file"


def upload(desk: ApiDesk, method: str, path: str, data: bytes, name: str, status: int) -> Any:
    answer = desk.program.call(method, path, data={"file": (io.BytesIO(data), name)})
    assert answer.status_code == status, answer.text
    return answer.json


class TestTools:
    def test_a_tool_is_added_changed_and_deleted_and_its_secret_never_shown(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/tools"
        one = desk.program.send("POST", path, TOOL, 201)
        assert (one["name"], one["effect"], one["hasSecret"], one["header"]) == (
            *("order", "reads"),
            True,
            "Authorization",
        )
        assert one["parameters"] == {"type": "object", "properties": {}}
        at = f"{path}/{one['id']}"
        stays = {name: value for name, value in TOOL.items() if name != "secret"} | {"title": "Orders"}
        answers = [
            desk.program.call("GET", path),
            desk.reader.call("GET", at),
            desk.program.call("PUT", at, stays),
        ]
        assert answers[2].json is not None
        assert (answers[2].json["title"], answers[2].json["hasSecret"]) == ("Orders", True)
        with db.read() as session:
            kept = program_tools.reached(session.get_one(AssistantTool, one["id"])).secret
        assert kept is not None
        assert kept.reveal() == TOOL["secret"], "what is left out stays"
        assert "s3cret" not in "".join(answer.text for answer in answers)
        assert desk.program.send("PUT", at, {**stays, "secret": None})["hasSecret"] is False
        assert desk.program.call("DELETE", at).status_code == 204
        assert desk.program.refused("GET", at)[1]["code"] == "assistant_tool_not_found"
        said = audited()[1:]
        assert [action for action, _ in said] == [
            "assistant_tool.added",
            *["assistant_tool.changed"] * 2,
            "assistant_tool.deleted",
        ]
        assert said[0][1] == {"of": "Shop desk", "by": "Shop"}

    def test_a_secret_goes_to_no_other_host(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/tools"
        at = f"{path}/{desk.program.send('POST', path, TOOL, 201)['id']}"
        there = {name: value for name, value in TOOL.items() if name != "secret"}
        there["url"] = "https://evil.example/order"
        status, error = desk.program.refused("PUT", at, there)
        assert (status, error["code"], error["field"]) == (400, "assistant_tool_not_usable", "secret")
        assert desk.program.get(at)["url"] == TOOL["url"]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"name": "Order!"}, "name"),
            ({"name": "answer"}, "name"),
            ({"title": " "}, "title"),
            ({"about": "x" * 1_001}, "about"),
            ({"url": "http://shop.example/"}, "url"),
            ({"url": "https://shop.example:8443/"}, "url"),
            ({"parameters": {"type": "array"}}, "parameters"),
            ({"header": "Host"}, "header"),
            ({"secret": "ü"}, "secret"),
        ],
    )
    def test_what_cannot_be_kept_is_refused_with_its_place(
        self, desk: ApiDesk, wrong: dict[str, Any], field: str
    ) -> None:
        path = f"/assistants/{made(desk)}/tools"
        status, error = desk.program.refused("POST", path, {**TOOL, **wrong})
        assert (status, error["code"], error["field"]) == (400, "assistant_tool_not_usable", field)
        assert desk.program.get(path)["data"] == []

    def test_it_is_tried_with_what_it_takes(self, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
        asked_for: list[Any] = []

        def there(_client: Client, _method: str, url: str, **given: Any) -> Response:
            asked_for.append((url, given["json"], given["headers"]["Authorization"]))
            return Response(200, {}, b"Sent on Monday; your secret is s3cret-of-the-shop.")

        monkeypatch.setattr(Client, "request", there)
        path = f"/assistants/{made(desk)}/tools"
        takes = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
        at = f"{path}/{desk.program.send('POST', path, {**TOOL, 'parameters': takes}, 201)['id']}/try"
        status, error = desk.program.refused("POST", at, {"arguments": {"number": "x"}})
        assert (status, error["code"], error["field"]) == (400, "assistant_tool_not_usable", "arguments")
        assert asked_for == []
        tried = desk.program.send("POST", at, {"arguments": {"number": 7}})
        assert (tried["good"], tried["said"]) == (True, "Sent on Monday; your secret is ….")
        ((url, body, secret),) = asked_for
        assert (url, body["arguments"], body["trial"]) == (TOOL["url"], {"number": 7}, True)
        assert secret == TOOL["secret"]


def answering(
    monkeypatch: pytest.MonkeyPatch, desk: ApiDesk, assistant: int, says: Any, uses: str = ""
) -> list[Ask]:
    """Have an assistant ask a model that says *says*, after it asked for the tool *uses*; return the asks."""
    heard: list[Ask] = []

    def ask(_setting: Any, about: Ask, call: Any) -> Thought:
        heard.append(about)
        if uses:
            call(uses, {})
        if isinstance(says, Exception):
            raise says
        return Thought(says, ModelUsage("large", 900, 100))

    monkeypatch.setattr(asking, "ask", ask)

    def add(session: Session) -> None:
        model = LanguageModel(
            uuid=f"u-{assistant}",
            workspace_id=desk.workspace,
            name="Ours",
            speaks="openai",
            address="https://models.example/v1",
            model="large",
            price_in=1_000_000,
            price_out=2_000_000,
            currency="EUR",
            created_at=clock.now(),
        )
        session.add(model)
        session.flush()
        session.get_one(Assistant, assistant).model_id = model.id

    db.write(add)
    return heard


class TestCases:
    def test_a_case_is_added_changed_and_deleted(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/cases"
        given = {"question": "To Norway?", "says": ["14 €"], "neverSays": ["free"]}
        one = desk.program.send("POST", path, given, 201)
        assert {name: one[name] for name in given} == given
        assert (one["passed"], one["triedVersion"], one["conversationId"]) == (None, None, None)
        desk.program.send("POST", path, {"question": "Candles?", "handsOver": True}, 201)
        first = desk.program.get(path, limit=1)
        rest = desk.program.get(path, limit=1, cursor=first["next"])
        assert [case["question"] for case in [*first["data"], *rest["data"]]] == ["To Norway?", "Candles?"]
        assert rest["next"] is None
        at = f"{path}/{one['id']}"
        saved = desk.program.send("PUT", at, {"question": "To Sweden?", "handsOver": True})
        assert (saved["question"], saved["handsOver"], saved["says"]) == ("To Sweden?", True, [])
        assert desk.reader.get(at) == saved
        assert desk.program.call("DELETE", at).status_code == 204
        assert desk.program.refused("GET", at)[1]["code"] == "case_not_found"
        with db.read() as session:
            query = sa.select(AuditEntry.action).where(AuditEntry.action.like("case.%"))
            noted = list(session.scalars(query.order_by(AuditEntry.id)))
        assert noted == ["case.added", "case.added", "case.changed", "case.deleted"]

    def test_a_turn_that_was_wrong_becomes_one(self, desk: ApiDesk) -> None:
        id_ = made(desk)
        conversation, one = turn(desk, id_)
        desk.program.send("PATCH", f"/assistants/{id_}/turns/{one}", {"right": False})
        path = f"/assistants/{id_}/cases"
        case = desk.program.send("POST", path, {"turnId": one, "says": ["14 €"]}, 201)
        assert (case["question"], case["conversationId"]) == ("Do you ship to Norway?", conversation)
        own = {"turnId": one, "question": "To Norway?", "handsOver": True}
        assert desk.program.send("POST", path, own, 201)["question"] == "To Norway?"
        other = made(desk, "Other")
        status, error = desk.program.refused("POST", f"/assistants/{other}/cases", own)
        assert (status, error["code"]) == (404, "case_not_found")

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"question": " ", "handsOver": True}, "question"),
            ({"question": "?"}, "says"),
            ({"question": "?", "says": ["x" * 101]}, "says"),
            ({"question": "?", "neverSays": ["x"] * 10 + [f"y{n}" for n in range(20)]}, "neverSays"),
        ],
    )
    def test_what_is_no_case_is_refused_with_its_place(
        self, desk: ApiDesk, wrong: dict[str, Any], field: str
    ) -> None:
        path = f"/assistants/{made(desk)}/cases"
        status, error = desk.program.refused("POST", path, wrong)
        assert (status, error["code"], error["field"]) == (400, "assistant_case", field)

    def test_those_that_are_due_are_tried(self, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
        id_ = made(desk)
        path = f"/assistants/{id_}/cases"
        knows = {"title": "Shipping", "text": "To Norway it costs 14 €."}
        desk.program.send("POST", f"/assistants/{id_}/knowledge", knows, 201)
        heard = answering(monkeypatch, desk, id_, ModelAnswer("It costs 14 €.", (1,)))
        good = desk.program.send("POST", path, {"question": "To Norway?", "says": ["14"]}, 201)["id"]
        bad = desk.program.send("POST", path, {"question": "To Norway?", "says": ["15"]}, 201)["id"]
        tried = desk.program.send("POST", f"{path}/try", {"cases": [good]})
        assert tried == {
            "data": [
                {
                    "caseId": good,
                    "passed": True,
                    "answer": "It costs 14 €.",
                    "handsOver": False,
                    "problem": None,
                }
            ],
            "left": 0,
        }
        tried = desk.program.send("POST", f"{path}/try", {})
        assert [(one["caseId"], one["passed"]) for one in tried["data"]] == [(bad, False)]
        assert len(heard) == 2, "what passed is not asked again"
        assert desk.program.get(f"{path}/{bad}")["answer"] == "It costs 14 €."
        assert desk.program.refused("POST", f"{path}/try", {"cases": [999]})[1]["code"] == "case_not_found"

    def test_one_that_cannot_be_tried_is_left_as_it_was(
        self, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id_ = made(desk)
        path = f"/assistants/{id_}/cases"
        answering(monkeypatch, desk, id_, ModelError("model_timeout"))
        case = desk.program.send("POST", path, {"question": "Candles?", "handsOver": True}, 201)["id"]
        (tried,) = desk.program.send("POST", f"{path}/try", {})["data"]
        assert (tried["passed"], tried["problem"]) == (None, "model_timeout")
        assert desk.program.get(f"{path}/{case}")["passed"] is None


class TestPlayground:
    def test_it_says_what_it_would_answer_and_keeps_nothing(
        self, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        id_ = made(desk)
        knows = {"title": "Shipping", "text": "To Norway it costs 14 €."}
        entry = desk.program.send("POST", f"/assistants/{id_}/knowledge", knows, 201)["id"]
        desk.program.send("POST", f"/assistants/{id_}/tools", TOOL, 201)
        monkeypatch.setattr(Client, "request", lambda *_given, **_named: Response(200, {}, b"On its way."))
        heard = answering(monkeypatch, desk, id_, ModelAnswer("It costs 14 €. [1] [8]", (1,)), uses="order")
        before = [{"by": "customer", "text": "Hello"}, {"by": "assistant", "text": "Hi!"}]
        asked_for = {"question": "To Norway?", "before": before}
        one = desk.program.send("POST", f"/assistants/{id_}/playground", asked_for)
        assert (one["outcome"], one["reason"], one["text"]) == ("answers", None, "It costs 14 €.")
        (source,) = one["sources"]
        assert (source["title"], source["entryId"], source["kind"]) == ("Shipping", entry, "entry")
        assert source["citations"] == [14]
        assert source["at"].startswith(str(clock.now().year))
        (use,) = one["tools"]
        assert (use["tool"], use["arguments"], "On its way." in use["told"]) == ("order", {}, True)
        assert (one["model"], one["tokens"], one["cost"], one["currency"]) == ("large", 1000, 1100, "EUR")
        assert one["there"] is None
        assert [(line.by, line.text) for line in heard[0].lines] == [
            ("customer", "Hello"),
            ("assistant", "Hi!"),
            ("customer", "To Norway?"),
        ]
        with db.read() as session:
            for table in (AssistantTurn, AssistantCall, Message):
                assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table

    @pytest.mark.parametrize(
        ("says", "outcome", "reason"),
        [
            (ModelAnswer("It costs 14 €."), "hands_over", "no_source"),
            (ModelAnswer(hands_over=True, because="candles"), "hands_over", "no_source"),
            (ModelError("model_busy"), "failed", "model_busy"),
        ],
    )
    def test_it_says_why_it_would_say_nothing(
        self, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch, says: Any, outcome: str, reason: str
    ) -> None:
        id_ = made(desk)
        answering(monkeypatch, desk, id_, says)
        one = desk.program.send("POST", f"/assistants/{id_}/playground", {"question": "Candles?"})
        assert (one["outcome"], one["reason"], one["text"]) == (outcome, reason, "")
        assert one["because"] == getattr(says, "because", "")

    def test_nothing_asked_is_refused(self, desk: ApiDesk) -> None:
        path = f"/assistants/{made(desk)}/playground"
        assert desk.program.refused("POST", path, {"question": " "})[1]["field"] == "question"
        status, error = desk.program.refused("POST", path, {"question": "Hi", "accountId": 999})
        assert (status, error["code"], error["field"]) == (404, "account_not_found", "accountId")


def test_only_a_person_lets_an_assistant_answer_by_itself(desk: ApiDesk) -> None:
    new = Program(desk.app, make_key(desk.workspace, *GRANTABLE))
    assistant = new.send("POST", "/assistants", {"name": "Desk"}, 201)["id"]
    path = f"/assistants/{assistant}/accounts/{desk.inbox.account.id}"
    suggesting = new.send("PUT", path, {"mode": "suggest", "needed": 10})
    typed = {"mode": "answer", "typedName": suggesting["accounts"][0]["name"]}
    for body in ({"mode": "answer"}, typed):
        status, error = new.refused("PUT", path, body)
        assert (status, error["code"]) == (403, "person_required")
    assert new.get(f"/assistants/{assistant}")["accounts"][0]["mode"] == "suggest"
    desk.program.send("PUT", path, typed)
    new.send("PUT", path, {"mode": "answer", "needed": 20})  # as it is: only other fields change
    new.send("PATCH", f"/assistants/{assistant}", {"stopped": True})
    status, error = new.refused("PATCH", f"/assistants/{assistant}", {"stopped": False})
    assert (status, error["code"]) == (403, "person_required")
    new.send("PUT", path, {"mode": "suggest"})
    assert not new.send("PATCH", f"/assistants/{assistant}", {"stopped": False})["stoppedAt"]
