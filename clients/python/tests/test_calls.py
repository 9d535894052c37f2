"""Every route of the API has its call, in both clients, and asks for what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clients.python.tests.standin import KEY, Asked, Reply, StandIn, refusal
from host.api.http import versions
from tools import api_document

from lobby_client import errors, types
from lobby_client._async import client as source

DOCUMENT = api_document.described()
UNTOLD = {"content": {}, "attachments": [], "reactions": [], "state": "queued"}
MESSAGE = {
    "id": 7,
    "conversationId": 42,
    "accountId": 3,
    "kind": "text",
    "text": "Hello",
    "sentAt": "2026-11-20T09:41:07.250000Z",
    "somethingNew": {"of": "a newer desk"},
    **UNTOLD,
}
CHANNEL = "3f2b8c1d9a7b4c6e8f1a2b3c4d5e6f70"


def routes() -> dict[tuple[str, str], bool]:
    """Return method and path of each route of the document, and whether it takes an idempotency key."""
    return {
        (method, re.sub(r"\{\w+\}", "{}", path)): any(
            one["name"] == "Idempotency-Key" for one in operation["parameters"]
        )
        for method, path, operation in api_document.operations(DOCUMENT).values()
    }


def signatures() -> dict[tuple[str, str], str]:
    """Return what each call in the source takes, as it is written there."""
    return {call: body.partition(") ->")[0] for call, body in bodies().items()}


def bodies() -> dict[tuple[str, str], str]:
    """Return the source of each call, by method and path."""
    found = {}
    for body in re.split(r"^    async def ", Path(str(source.__file__)).read_text(), flags=re.MULTILINE)[1:]:
        made = re.search(r'_?(?:call|raw)\(\s*"([A-Z]+)", (?:"([^"]+)"|path)', body)
        if made:
            path = made[2] or re.search(r'path(?:, body)? = "([^"]+)"', body)[1]  # type: ignore[index]
            found[made[1], path] = body
    return found


def test_there_is_a_call_for_every_route_and_for_no_other() -> None:
    """A deprecated route is none: the client calls what is there instead."""
    assert bodies().keys() == routes().keys()


def test_the_newest_version_of_the_api_is_named_in_every_request(
    run: Callable[..., Any], stand_in: Callable[..., StandIn]
) -> None:
    desk = stand_in(Reply(200, {"data": []}))
    run(desk, lambda client: client.members.list())
    run(desk, lambda client: client.request("GET", "/me"))
    assert [one.headers["Lobby-Version"] for one in desk.asked] == [versions.CURRENT] * 2


def test_whole_numbers_of_the_document_are_whole_numbers_of_the_calls() -> None:
    asked = 0
    for (method, template), signature in signatures().items():
        (operation,) = [
            operations[method.lower()]
            for path, operations in DOCUMENT["paths"].items()
            if re.sub(r"\{\w+\}", "{}", path) == template
        ]
        for one in operation["parameters"]:
            given = re.search(rf"\b{one['name']}: (?:Optional\[)?(\w+)", signature)
            if one["in"] == "query" and given and _is_integer(one["schema"]):
                asked += 1
                assert given[1] == "int", (template, one["name"])
    assert asked > 5


def _is_integer(schema: Any) -> bool:
    return schema.get("type") == "integer"


def test_each_call_that_takes_an_idempotency_key_sends_one_and_no_other(
    stand_in: Callable[..., StandIn], run: Callable[..., Any]
) -> None:
    takes = {route for route, one in routes().items() if one}
    assert takes == {route for route in routes() if route[0] == "POST"}
    desk = stand_in(Reply(200, MESSAGE))
    run(desk, lambda client: client.messages.cancel(7))
    run(desk, lambda client: client.messages.get(7))
    assert [one.headers.get("Idempotency-Key") is not None for one in desk.asked] == [True, False]


@pytest.mark.parametrize(
    ("call", "asked", "body"),
    [
        (
            lambda client: client.hours.set_team(
                3,
                {"monday": [("09:00", "24:00")]},
                timezone="Europe/Berlin",
                exceptions=[{"first": "2030-12-24", "last": "2030-12-24", "hours": [("10:00", "14:00")]}],
            ),
            "PUT /teams/3/hours",
            {
                "week": {
                    "monday": [{"starts": "09:00", "ends": "24:00"}],
                    **{
                        day: []
                        for day in ("tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
                    },
                },
                "exceptions": [
                    {
                        "first": "2030-12-24",
                        "last": "2030-12-24",
                        "hours": [{"starts": "10:00", "ends": "14:00"}],
                    }
                ],
                "timezone": "Europe/Berlin",
                "version": None,
            },
        ),
        (
            lambda client: client.messages.send(
                channel_id=CHANNEL,
                to="1026",
                content={"type": "text", "text": "Grüße 💙", "quick_replies": []},
            ),
            "POST /messages",
            {
                "channelId": CHANNEL,
                "to": "1026",
                "content": {"type": "text", "text": "Grüße 💙", "quick_replies": []},
            },
        ),
        (
            lambda client: client.messages.send(
                channel_id=CHANNEL, to="1026", content=types.ImageContent(types.FileRef(upload="ab"))
            ),
            "POST /messages",
            {"channelId": CHANNEL, "to": "1026", "content": {"type": "image", "image": {"upload": "ab"}}},
        ),
        (
            lambda client: client.messages.reply(
                types.SendText(
                    "Which?", conversation_id=42, quick_replies=[types.QuickReply("Small", payload="s")]
                )
            ),
            "POST /messages",
            {
                "kind": "text",
                "conversationId": 42,
                "text": "Which?",
                "overflow": "split",
                "private": False,
                "unlessWritten": True,
                "quickReplies": [{"title": "Small", "payload": "s"}],
                "answer": "everyone",
                "cc": [],
                "bcc": [],
                "files": [],
            },
        ),
        (
            lambda client: client.contacts.start(5, 2, "Hi", cc=["a@x.example"], own_address="b@x.example"),
            "POST /contacts/5/conversations",
            {
                "accountId": 2,
                "text": "Hi",
                "cc": ["a@x.example"],
                "bcc": [],
                "ownAddress": "b@x.example",
                "files": [],
            },
        ),
        (
            lambda client: client.contacts.start(
                5, 3, template=types.SendApprovedTemplate("t-1", parameters={"1": "Ana"})
            ),
            "POST /contacts/5/conversations",
            {
                "accountId": 3,
                "template": {"templateId": "t-1", "parameters": {"1": "Ana"}},
                "cc": [],
                "bcc": [],
                "files": [],
            },
        ),
        (
            lambda client: client.conversations.change(42, assignee=None),
            "PATCH /conversations/42",
            {"assignee": None},
        ),
        (
            lambda client: client.conversations.change(42, status="closed"),
            "PATCH /conversations/42",
            {"status": "closed"},
        ),
        (
            lambda client: client.instagram.set_ice_breakers(
                channel_id=CHANNEL, ice_breakers=[{"question": "Are you open?", "payload": "HOURS"}]
            ),
            f"PUT /accounts/{CHANNEL}/ice-breakers",
            {"locales": {"default": [{"question": "Are you open?", "payload": "HOURS"}]}},
        ),
        (
            lambda client: client.accounts.set_menu(
                3, {"de_DE": [types.MenuItem("Mensch", payload="person")]}
            ),
            "PUT /accounts/3/menu",
            {"locales": {"de_DE": [{"title": "Mensch", "payload": "person", "url": ""}]}},
        ),
        (
            lambda client: client.rules.replace(9, "Bulk", {"when": "note.added"}, version=2),
            "PUT /rules/9",
            {"name": "Bulk", "body": {"when": "note.added"}, "version": 2},
        ),
        (
            lambda client: client.accounts.set_automation(
                3,
                greeting={"on": True, "text": "Hi", "silenceDays": 7},
                away={"on": False},
                routing={"on": False},
            ),
            "PUT /accounts/3/automation",
            {
                "greeting": {"on": True, "text": "Hi", "silenceDays": 7},
                "away": {"on": False},
                "routing": {"on": False},
                "version": None,
            },
        ),
        (lambda client: client.messages.edit(7, "Better"), "PATCH /messages/7", {"text": "Better"}),
        (
            lambda client: client.endpoints.change(5, state="paused"),
            "PATCH /endpoints/5",
            {"state": "paused"},
        ),
        (
            lambda client: client.endpoints.replay(5, failed=True),
            "POST /endpoints/5/replay",
            {"failed": True},
        ),
        (lambda client: client.messages.react(7, "❤️"), "PUT /messages/7/reactions", {"emoji": "❤️"}),
        (
            lambda client: client.conversations.add_note(42, "Paid"),
            "POST /conversations/42/notes",
            {"text": "Paid"},
        ),
        (
            lambda client: client.conversations.edit_note(9, "Paid", mentions=[], edit_count=0),
            "PATCH /notes/9",
            {"text": "Paid", "mentions": [], "editCount": 0},
        ),
        (
            lambda client: client.conversations.forward(42, ["ana@example.org"], message_id=7, note="Look"),
            "POST /conversations/42/forwards",
            {"to": ["ana@example.org"], "note": "Look", "files": True, "messageId": 7},
        ),
        (lambda client: client.conversations.show_typing(42), "POST /conversations/42/typing", {"on": True}),
        (
            lambda client: client.conversations.hand_on(42, to="26390"),
            "POST /conversations/42/pass-control",
            {"to": "26390", "note": ""},
        ),
        (
            lambda client: client.conversations.release(42, note="Answered."),
            "POST /conversations/42/release-control",
            {"note": "Answered."},
        ),
    ],
)
def test_a_call_asks_for_what_it_says(
    run: Callable[..., Any], stand_in: Callable[..., StandIn], call: Any, asked: str, body: Any
) -> None:
    desk = stand_in(Reply(200, {"data": [], "locales": {}}))
    run(desk, call)
    (one,) = desk.asked
    assert desk.paths == [asked]
    assert one.json == body
    assert one.headers["Authorization"] == f"Bearer {KEY}"
    assert one.headers["Content-Type"] == "application/json"


TOOL = {
    "name": "order",
    "title": "Orders",
    "about": "Where it is.",
    "url": "https://shop.example.com/order",
}
CASE = {"question": "To Norway?", "handsOver": False, "says": ["14"], "neverSays": []}
SENT_TOOL = {**TOOL, "effect": "asks", "header": "Authorization"}


@pytest.mark.parametrize(
    ("call", "asked", "body", "kind"),
    [
        (lambda client: client.assistants.list(), "GET /assistants", None, list),
        (lambda client: client.assistants.get(7), "GET /assistants/7", None, types.Assistant),
        (
            lambda client: client.assistants.create("Shop desk"),
            "POST /assistants",
            {"name": "Shop desk"},
            types.Assistant,
        ),
        (
            lambda client: client.assistants.replace(7, "Shop", {"prompt": "Be brief."}, version=2),
            "PUT /assistants/7",
            {"name": "Shop", "body": {"prompt": "Be brief."}, "version": 2},
            types.Assistant,
        ),
        (
            lambda client: client.assistants.change(7, stopped=True),
            "PATCH /assistants/7",
            {"stopped": True},
            types.Assistant,
        ),
        (
            lambda client: client.assistants.change(7, model_id=None),
            "PATCH /assistants/7",
            {"modelId": None},
            types.Assistant,
        ),
        (lambda client: client.assistants.delete(7), "DELETE /assistants/7", None, type(None)),
        (lambda client: client.conversations.delete_note(9), "DELETE /notes/9", None, type(None)),
        (lambda client: client.assistants.versions(7), "GET /assistants/7/versions", None, list),
        (
            lambda client: client.assistants.set_mode(7, CHANNEL, "suggest", needed=20),
            f"PUT /assistants/7/accounts/{CHANNEL}",
            {"mode": "suggest", "typedName": None, "needed": 20},
            types.Assistant,
        ),
        (
            lambda client: client.assistants.figures(7, days=3),
            "GET /assistants/7/figures?days=3",
            None,
            types.AssistantFigures,
        ),
        (lambda client: client.assistants.models(), "GET /language-models", None, list),
        (
            lambda client: client.assistants.knowledge(7, search="norway"),
            "GET /assistants/7/knowledge?search=norway&limit=100",
            None,
            list,
        ),
        (
            lambda client: client.assistants.add_knowledge(7, title="Shipping", text="A week."),
            "POST /assistants/7/knowledge",
            {"title": "Shipping", "text": "A week.", "questions": [], "url": ""},
            types.KnowledgeEntry,
        ),
        (
            lambda client: client.assistants.get_knowledge(7, 8),
            "GET /assistants/7/knowledge/8",
            None,
            types.KnowledgeEntry,
        ),
        (
            lambda client: client.assistants.replace_knowledge(7, 8, title="Shipping", questions=["When?"]),
            "PUT /assistants/7/knowledge/8",
            {"title": "Shipping", "text": "", "questions": ["When?"]},
            types.KnowledgeEntry,
        ),
        (
            lambda client: client.assistants.check_knowledge(7, 8),
            "POST /assistants/7/knowledge/8/check",
            None,
            types.KnowledgeEntry,
        ),
        (
            lambda client: client.assistants.delete_knowledge(7, 8),
            "DELETE /assistants/7/knowledge/8",
            None,
            type(None),
        ),
        (
            lambda client: client.assistants.turns(7, show="wrong"),
            "GET /assistants/7/turns?show=wrong&limit=100",
            None,
            list,
        ),
        (
            lambda client: client.assistants.judge(7, 9, right=False),
            "PATCH /assistants/7/turns/9",
            {"right": False},
            types.AssistantTurn,
        ),
        (
            lambda client: client.assistants.suggestions(42, limit=1),
            "GET /conversations/42/turns?limit=1",
            None,
            types.AssistantTurns,
        ),
        (
            lambda client: client.assistants.take(42, 9),
            "POST /conversations/42/turns/9/send",
            None,
            types.Sent,
        ),
        (
            lambda client: client.assistants.dismiss(42, 9),
            "POST /conversations/42/turns/9/dismiss",
            None,
            types.AssistantTurn,
        ),
        (
            lambda client: client.assistants.play(
                7, "To Sweden?", before=[{"by": "customer", "text": "Hi"}], account_id=3
            ),
            "POST /assistants/7/playground",
            {"question": "To Sweden?", "before": [{"by": "customer", "text": "Hi"}], "accountId": 3},
            types.PlayedAnswer,
        ),
        (lambda client: client.assistants.tools(7), "GET /assistants/7/tools", None, list),
        (
            lambda client: client.assistants.get_tool(7, 5),
            "GET /assistants/7/tools/5",
            None,
            types.AssistantTool,
        ),
        (
            lambda client: client.assistants.add_tool(7, **TOOL, parameters={"type": "object"}, secret="s"),
            "POST /assistants/7/tools",
            {**SENT_TOOL, "parameters": {"type": "object"}, "secret": "s"},
            types.AssistantTool,
        ),
        (
            lambda client: client.assistants.replace_tool(7, 5, **TOOL),
            "PUT /assistants/7/tools/5",
            SENT_TOOL,
            types.AssistantTool,
        ),
        (
            lambda client: client.assistants.replace_tool(7, 5, **TOOL, secret=None),
            "PUT /assistants/7/tools/5",
            {**SENT_TOOL, "secret": None},
            types.AssistantTool,
        ),
        (
            lambda client: client.assistants.try_tool(7, 5, {"number": 1}),
            "POST /assistants/7/tools/5/try",
            {"arguments": {"number": 1}},
            types.TriedTool,
        ),
        (
            lambda client: client.assistants.delete_tool(7, 5),
            "DELETE /assistants/7/tools/5",
            None,
            type(None),
        ),
        (
            lambda client: client.assistants.cases(7),
            "GET /assistants/7/cases?limit=100",
            None,
            list,
        ),
        (
            lambda client: client.assistants.get_case(7, 4),
            "GET /assistants/7/cases/4",
            None,
            types.AssistantCase,
        ),
        (
            lambda client: client.assistants.add_case(7, "To Norway?", says=["14"]),
            "POST /assistants/7/cases",
            {**CASE, "turnId": None},
            types.AssistantCase,
        ),
        (
            lambda client: client.assistants.replace_case(7, 4, "To Norway?", says=["14"]),
            "PUT /assistants/7/cases/4",
            CASE,
            types.AssistantCase,
        ),
        (
            lambda client: client.assistants.delete_case(7, 4),
            "DELETE /assistants/7/cases/4",
            None,
            type(None),
        ),
        (
            lambda client: client.assistants.try_cases(7, [4, 5]),
            "POST /assistants/7/cases/try",
            {"cases": [4, 5]},
            types.TriedCases,
        ),
        (
            lambda client: client.assistants.try_cases(7),
            "POST /assistants/7/cases/try",
            {},
            types.TriedCases,
        ),
    ],
)
def test_calls_of_assistants_ask_for_what_they_say(
    run: Callable[..., Any], stand_in: Callable[..., StandIn], call: Any, asked: str, body: Any, kind: Any
) -> None:
    gone = kind is type(None)
    desk = stand_in(Reply(204) if gone else Reply(200, {"data": [], "next": None}))
    found = run(desk, call)
    assert isinstance(found, (list, tuple) if kind is list else kind)
    (one,) = desk.asked
    assert f"{one.method} {one.path.removeprefix('/api/v1')}" == asked
    assert (one.json if one.body else None) == body


def test_a_file_an_assistant_knows_is_sent_as_a_form(
    run: Callable[..., Any], stand_in: Callable[..., StandIn]
) -> None:
    desk = stand_in(Reply(200, {"id": 8, "kind": "file", "title": "Shipping"}))
    added = run(
        desk, lambda client: client.assistants.add_knowledge_file(7, b"A week.", name="w.md", title="Sent by")
    )
    assert (added.id, added.title) == (8, "Shipping")
    run(desk, lambda client: client.assistants.replace_knowledge_file(7, 8, b"A day.", name="d.txt"))
    assert [f"{one.method} {one.path}" for one in desk.asked] == [
        "POST /api/v1/assistants/7/knowledge/files?title=Sent+by",
        "PUT /api/v1/assistants/7/knowledge/8/file",
    ]
    for one, name, content in zip(desk.asked, (b"w.md", b"d.txt"), (b"A week.", b"A day."), strict=True):
        assert one.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        assert b'filename="' + name + b'"' in one.body
        assert b"\r\n\r\n" + content + b"\r\n--" in one.body


def test_what_costs_each_time_is_tried_once(
    run: Callable[..., Any], stand_in: Callable[..., StandIn], slept: list[float]
) -> None:
    for call in (
        lambda client: client.assistants.play(7, "Hi"),
        lambda client: client.assistants.try_cases(7),
        lambda client: client.assistants.try_tool(7, 5),
        lambda client: client.assistants.add_knowledge_file(7, b"x", name="x.md"),
    ):
        desk = stand_in(Reply(0))
        with pytest.raises(errors.APIConnectionError):
            run(desk, call)
        assert len(desk.asked) == 1
    assert slept == []


def test_an_answer_is_typed_and_what_is_new_in_it_is_passed_over(
    run: Callable[..., Any], stand_in: Callable[..., StandIn]
) -> None:
    message = run(stand_in(Reply(200, MESSAGE)), lambda client: client.messages.get(7))
    assert isinstance(message, types.Message)
    assert (message.conversation_id, message.external_id) == (42, None)
    assert message.sent_at == datetime(2026, 11, 20, 9, 41, 7, 250000, tzinfo=UTC)


def test_all_pages_come_one_after_the_other(
    run: Callable[..., Any], stand_in: Callable[..., StandIn]
) -> None:
    pages = [
        {"data": [{"id": 1}, {"id": 2}], "next": "a b&c"},
        {"data": [], "next": "d"},
        {"data": [{"id": 3}], "next": None},
    ]
    desk = stand_in(*(Reply(200, page) for page in pages))
    found = run(desk, lambda client: client.conversations.list(status="open"))
    assert [one.id for one in found] == [1, 2, 3]
    assert [one.path.partition("?")[2] for one in desk.asked] == [
        "status=open&limit=100",
        "status=open&limit=100&cursor=a+b%26c",
        "status=open&limit=100&cursor=d",
    ]


def test_messages_come_newest_first(run: Callable[..., Any], stand_in: Callable[..., StandIn]) -> None:
    def page(ids: list[int], *, more: bool) -> Reply:
        data = [{**MESSAGE, "id": id_} for id_ in ids]
        return Reply(200, {"data": data, "before": "b", "after": "a", "hasBefore": more, "hasAfter": False})

    desk = stand_in(page([3, 4], more=True), page([1, 2], more=False))
    assert [one.id for one in run(desk, lambda client: client.messages.list(42))] == [4, 3, 2, 1]
    assert desk.asked[1].path.endswith("?cursor=b&limit=100")


def test_events_come_as_pages_each_from_the_place_behind_the_one_before(
    run: Callable[..., Any], stand_in: Callable[..., StandIn]
) -> None:
    happened = {"id": "evt_1", "event": "message.sent", "data": {"a": 1}, "at": "2026-01-15T10:30:00Z"}
    pages = ({"data": [], "next": "c0", "more": False}, {"data": [happened], "next": "c1", "more": False})
    desk = stand_in(*(Reply(200, page) for page in pages), refusal(401, "key_revoked"))
    with pytest.raises(errors.KeyRevokedError):
        run(desk, lambda client: client.events.pages())
    assert [one.path.partition("?")[2] for one in desk.asked] == [
        "wait=25",
        "cursor=c0&wait=25",
        "cursor=c1&wait=25",
    ]
    page = run(stand_in(Reply(200, pages[1])), lambda client: client.events.page(after="c0", limit=5, wait=2))
    (event,) = page.data
    assert (event.id, event.event, event.data) == ("evt_1", "message.sent", {"a": 1})
    assert event.at == datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def test_a_file_is_uploaded_as_a_form_and_comes_as_it_is(
    run: Callable[..., Any], stand_in: Callable[..., StandIn]
) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            return Reply(201, {"id": "ab", "kind": "image"})
        return Reply(200, b"\x89PNG\r\n", {"Content-Type": "image/png"})

    desk = stand_in(answer=answer)
    name = 'a "mug"\r\nX: y.png'
    assert run(desk, lambda client: client.files.upload(b"\x00--\r\n", name=name)).id == "ab"
    (asked,) = desk.asked
    boundary = asked.headers["Content-Type"].partition("boundary=")[2].encode()
    head, _, content = asked.body.partition(b"\r\n\r\n")
    assert content == b"\x00--\r\n\r\n--" + boundary + b"--\r\n"
    assert b'filename="a %22mug%22%0D%0AX: y.png"' in head
    file = run(desk, lambda client: client.files.get(77))
    assert (file.content, file.content_type) == (b"\x89PNG\r\n", "image/png")


@pytest.mark.parametrize("id_", ["..", ".", ""])
def test_an_id_names_no_other_path(
    run: Callable[..., Any], stand_in: Callable[..., StandIn], id_: str
) -> None:
    desk = stand_in()
    with pytest.raises(ValueError, match="is no id"):
        run(desk, lambda client: client.accounts.get(id_))
    assert desk.asked == []


def test_what_is_in_an_id_stays_in_it(run: Callable[..., Any], stand_in: Callable[..., StandIn]) -> None:
    desk = stand_in(Reply(200, {}))
    run(desk, lambda client: client.accounts.get("a/../b?c#d {} é"))
    assert desk.asked[0].path == "/api/v1/accounts/a%2F..%2Fb%3Fc%23d%20%7B%7D%20%C3%A9"


def test_the_secret_of_an_endpoint_is_not_in_what_is_printed_of_it() -> None:
    made = types.WithSecret.from_wire(
        {"endpoint": {"id": 5, "url": "https://x.example"}, "secret": "whsec_x"}
    )
    assert made.secret == "whsec_x"
    assert "whsec_x" not in repr(made)
