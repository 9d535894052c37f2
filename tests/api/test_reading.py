"""Conversations, messages, contacts, accounts and people, read page by page."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from host.api.http import versions
from host.core import clock, db
from host.inbox import outcome
from host.inbox.unsent import placement
from tests import helpers
from tests.api.desks import ApiDesk, open_api_desk
from tests.inbox import toys
from tests.inbox.scenes import whole


def fill(desk: ApiDesk, number: int) -> None:
    for index in range(number):
        desk.scene.said(
            f"contact-{index:03}", f"Contact {index}", "Hello", desk.scene.ago(minutes=number - index)
        )


def test_conversations_come_latest_first_and_page_by_page(desk: ApiDesk) -> None:
    fill(desk, 25)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 10}
    for _page in range(4):
        page = desk.program.get("/conversations", **query)
        seen += [one["contact"]["externalId"] for one in page["data"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [f"contact-{index:03}" for index in reversed(range(25))]


def test_a_page_that_is_exactly_full_is_the_last(desk: ApiDesk) -> None:
    fill(desk, 5)
    page = desk.program.get("/conversations", limit=5)
    assert (len(page["data"]), page["next"]) == (5, None)


def test_open_and_closed_ones_come_in_one_order(desk: ApiDesk) -> None:
    fill(desk, 9)
    for index in (1, 4, 8):
        desk.scene.close(f"contact-{index:03}", desk.inbox.mia.id, desk.scene.now)
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = desk.program.get("/conversations", limit=2, **cursor)
        seen += [one["contact"]["externalId"] for one in page["data"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [f"contact-{index:03}" for index in reversed(range(9))]
    closed = desk.program.get("/conversations", status="closed")["data"]
    assert {one["contact"]["externalId"] for one in closed} == {"contact-001", "contact-004", "contact-008"}
    assert all(one["closedAt"] for one in closed)
    assert len(desk.program.get("/conversations", status="open")["data"]) == 6


def test_conversations_are_narrowed_by_what_they_have_in_common(desk: ApiDesk) -> None:
    fill(desk, 4)
    second = toys.make_account(desk.workspace)
    desk.scene.said("contact-001", "Same id", "Hi", desk.scene.ago(minutes=1), account=second)
    mia = desk.inbox.mia.id
    desk.scene.assign("contact-002", mia, mia, desk.scene.now)

    def found(**query: Any) -> list[tuple[int, str]]:
        page = desk.program.get("/conversations", **query)
        return [(one["accountId"], one["contact"]["externalId"]) for one in page["data"]]

    first = desk.inbox.account.id
    assert found(account=second.id) == [(second.id, "contact-001")]
    assert sorted(found(contact="contact-001")) == sorted(
        [(first, "contact-001"), (second.id, "contact-001")]
    )
    assert found(contact="contact-001", account=first) == [(first, "contact-001")]
    assert found(assignee=mia) == [(first, "contact-002")]
    assert len(found(assignee="none")) == 4
    assert len(found(channel="email")) == 5
    for nothing in ({"channel": "nothing"}, {"account": 999}, {"contact": "nobody"}, {"assignee": 0}):
        assert found(**nothing) == []


def test_a_conversation_says_whom_it_is_with_and_whether_the_api_may_reply(desk: ApiDesk) -> None:
    whole(desk.inbox)
    shown = desk.program.get(f"/conversations/{desk.scene.conversation('ana.sample')}")
    assert shown["contact"] | {"id": 0} == {
        "id": 0,
        "name": "Ana Q.",
        "username": "ana.sample",
        "externalId": "ana.sample",
        "externalIdName": "id",
    }
    assert shown["assignee"]["name"] == "Mia R."
    assert shown["replyWindow"]["state"] == "open"
    assert shown["lastMessage"]["preview"] == "We open at nine."
    late = desk.program.get(f"/conversations/{desk.scene.conversation('rosa.sample')}")
    assert late["replyWindow"]["state"] == "people_only"
    assert late["replyWindow"]["sentence"]
    gone = desk.program.get(f"/conversations/{desk.scene.conversation('olu.sample')}")
    assert gone["replyWindow"]["state"] == "closed"


def test_messages_are_read_in_both_directions(desk: ApiDesk) -> None:
    for index in range(23):
        desk.scene.said("ana", "Ana", f"message {index}", desk.scene.ago(minutes=100 - index))
    path = f"/conversations/{desk.scene.conversation('ana')}/messages"
    expected = [f"message {index}" for index in range(23)]

    page = desk.program.get(path, limit=10)
    assert [one["text"] for one in page["data"]] == expected[13:]
    assert (page["hasBefore"], page["hasAfter"]) == (True, False)
    back = [one["text"] for one in page["data"]]
    while page["hasBefore"]:
        page = desk.program.get(path, limit=10, before=page["before"])
        back = [one["text"] for one in page["data"]] + back
    assert back == expected

    forth = [one["text"] for one in page["data"]]
    while page["hasAfter"]:
        page = desk.program.get(path, limit=7, after=page["after"])
        forth += [one["text"] for one in page["data"]]
    assert forth == expected
    assert desk.program.get(path, after=page["after"])["data"] == []

    desk.scene.said("ana", "Ana", "one more", desk.scene.ago(minutes=1))
    page = desk.program.get(path, after=desk.program.get(path, after=page["after"], limit=1)["before"])
    assert desk.program.get(path, limit=1)["data"][0]["text"] == "one more"


def test_messages_at_the_same_moment_are_neither_lost_nor_doubled(desk: ApiDesk) -> None:
    at = desk.scene.ago(minutes=5)
    for index in range(9):
        desk.scene.said("ana", "Ana", f"message {index}", at)
    path = f"/conversations/{desk.scene.conversation('ana')}/messages"
    page = desk.program.get(path, limit=2)
    seen = [one["text"] for one in page["data"]]
    while page["hasBefore"]:
        page = desk.program.get(path, limit=2, before=page["before"])
        seen = [one["text"] for one in page["data"]] + seen
    assert seen == [f"message {index}" for index in range(9)]


def test_no_page_misses_a_message_that_moves_meanwhile(desk: ApiDesk) -> None:
    for index in range(4):
        desk.scene.said("ana", "Ana", f"message {index}", desk.scene.ago(minutes=50 - index))
    (held,) = desk.scene.reply("ana", "held", desk.scene.ago(minutes=40))
    for index in range(4, 8):
        desk.scene.said("ana", "Ana", f"message {index}", desk.scene.ago(minutes=30 - index))
    path = f"/conversations/{desk.scene.conversation('ana')}/messages"
    page = desk.program.get(path, limit=3)
    seen = [one["text"] for one in page["data"]]
    newest = {"Lobby-Version": versions.CURRENT}
    assert desk.program.get(f"/messages/{held}")["sentAt"], "the first version has always a time"
    shown = desk.program.send("GET", f"/messages/{held}", None, headers=newest)
    assert shown["sentAt"] is None, "not accepted yet"
    db.write(placement.move_to, held, clock.now())
    while page["hasBefore"]:
        page = desk.program.get(path, limit=3, before=page["before"])
        seen = [one["text"] for one in page["data"]] + seen
    words = [f"message {index}" for index in range(8)]
    assert sorted(seen) == sorted([*words, "held"])
    db.write(outcome.record_sent, held, "held-1")
    shown = desk.program.send("GET", f"/messages/{held}", None, headers=newest)
    assert shown["sentAt"] > shown["createdAt"]


def test_a_message_says_where_it_stands(desk: ApiDesk) -> None:
    whole(desk.inbox)
    page = desk.program.get(f"/conversations/{desk.scene.conversation('ana.sample')}/messages", limit=100)
    by_text = {one["text"]: one for one in page["data"]}
    failed = by_text["Here is a picture of the shelf."]
    assert (failed["state"], failed["error"]["code"]) == ("failed", "10/2534022")
    assert failed["error"]["nextStep"] == "It opens again when the customer writes."
    assert by_text["See you on Monday!"]["waiting"]["sentence"].startswith("The channel allows no more")
    assert by_text["It is wrapped."]["state"] == "unknown"
    assert by_text["Two rim plates are set aside for you."]["state"] == "read"
    assert by_text["Two to four working days, and free above 60."]["origin"] == "provider"
    note = by_text["Only three left on the shelf. Shall I put two aside?"]
    assert (note["direction"], note["kind"], note["author"]["name"]) == ("internal", "note", "Bo T.")
    picture = next(one for one in page["data"] if one["kind"] == "image")
    assert [file["name"] for file in picture["attachments"]] == ["", "measurements.pdf"]
    assert picture["attachments"][1]["size"] == 8
    one = desk.program.get(f"/messages/{failed['id']}")
    assert one == failed


def test_a_contact_has_an_id_on_every_account(desk: ApiDesk) -> None:
    desk.scene.said("1784140000000000123", "Ana", "Hello", desk.scene.ago(minutes=1))
    contact = desk.program.get("/conversations")["data"][0]["contact"]["id"]
    shown = desk.program.get(f"/contacts/{contact}")
    assert shown["name"] == "Ana"
    (identity,) = shown["identities"]
    assert identity["externalId"] == "1784140000000000123"
    assert identity["externalIdName"] == "id"
    assert identity["accountId"] == desk.inbox.account.id


def test_a_contact_has_all_their_ids_on_an_account(desk: ApiDesk) -> None:
    desk.scene.said("49151", "Ana", "Hello", desk.scene.ago(minutes=2))
    contact = desk.program.get("/conversations")["data"][0]["contact"]["id"]
    at = desk.scene.ago(minutes=1).replace(microsecond=0)
    desk.scene.also_known("49151", "DE.7", former="49150", replaced="DE.6", at=at)
    shown = desk.program.get(f"/contacts/{contact}")["identities"]
    told = {
        one["externalId"]: (one["primary"], one["kind"], one["since"], one["until"], one["name"])
        for one in shown
    }
    text = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    assert told == {
        "49151": (True, "passing", text, None, "Ana"),
        "DE.7": (False, "lasting", text, None, None),
        "49150": (False, "former", None, text, None),
        "DE.6": (False, "former", None, text, None),
    }


def test_accounts_and_people_are_listed(desk: ApiDesk) -> None:
    (account,) = desk.program.get("/accounts")["data"]
    assert (account["channel"], account["channelName"], account["state"]) == ("email", "Toy", "connected")
    people = desk.program.get("/members")["data"]
    assert {"id": desk.inbox.mia.id, "name": "Mia R.", "role": "agent", "onDutySince": None} in [
        {name: value for name, value in one.items() if name != "email"} for one in people
    ]


def test_a_channel_nobody_brings_stays_readable(desk: ApiDesk) -> None:
    from host.channels.directory import Directory

    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    desk.inbox.generation.directory = Directory(())
    (account,) = desk.program.get("/accounts")["data"]
    assert account["active"] is False
    (conversation,) = desk.program.get("/conversations")["data"]
    assert conversation["replyWindow"]["state"] == "unavailable"
    contact = desk.program.get(f"/contacts/{conversation['contact']['id']}")
    assert contact["identities"][0]["externalIdName"] == "id"


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/conversations", "limit=0", "limit"),
        ("/conversations", "limit=101", "limit"),
        ("/conversations", "limit=ten", "limit"),
        ("/conversations", "limit=5&limit=6", "limit"),
        ("/conversations", "status=snoozed", "status"),
        ("/conversations", "stauts=open", "stauts"),
        ("/conversations", "assignee=mia", "assignee"),
        ("/conversations", "account=-1", "account"),
        ("/conversations", "account=99999999999999999999", "account"),
        ("/conversations", "contact=", "contact"),
        ("/conversations", "account=null", "account"),
        ("/contacts", "blocked=NULL", "blocked"),
        ("/conversations", "channel=" + "x" * 33, "channel"),
        ("/conversations", "cursor=", "cursor"),
        ("/conversations", "cursor=abc", "cursor"),
        ("/conversations", "cursor=" + "A" * 27, "cursor"),
        ("/conversations", "cursor=" + "%C3%A9" * 9, "cursor"),
        ("/accounts", "limit=5", "limit"),
    ],
)
def test_a_query_that_cannot_be_used_names_what_is_wrong(
    desk: ApiDesk, path: str, query: str, field: str
) -> None:
    status, error = desk.program.refused("GET", f"{path}?{query}")
    assert (status, error["field"]) == (400, field)
    assert error["message"]
    assert error["request_id"]


def test_a_cursor_of_another_list_is_refused(desk: ApiDesk) -> None:
    fill(desk, 3)
    other = desk.program.get("/conversations", limit=1)["next"]
    path = f"/conversations/{desk.scene.conversation('contact-001')}/messages"
    for name in ("before", "after"):
        status, error = desk.program.refused("GET", f"{path}?{name}={other}")
        assert (status, error["code"], error["field"]) == (400, "invalid_cursor", name)
    assert desk.program.refused("GET", f"{path}?before={other}&after={other}")[0] == 400


def test_reading_takes_the_same_number_of_queries_however_much_there_is(
    desk: ApiDesk, database: db.Database
) -> None:
    def asked(path: str) -> int:
        desk.program.get(path)
        with toys.Statements(database) as counted:
            desk.program.get(path)
        return len(counted.seen)

    fill(desk, 1)
    conversation = desk.scene.conversation("contact-000")
    paths = (
        "/conversations?limit=100",
        f"/conversations/{conversation}/messages?limit=100",
        "/accounts",
        "/members",
    )
    before = {path: asked(path) for path in paths}
    fill(desk, 60)
    for index in range(60):
        desk.scene.said("contact-000", "Contact", f"message {index}", desk.scene.ago(minutes=index))
        desk.scene.sent("contact-000", f"reply {index}", desk.scene.ago(minutes=index))
    for _more in range(3):
        toys.make_account(desk.workspace)
        helpers.make_user(workspace=desk.workspace)
    assert {path: asked(path) for path in paths} == before
    assert max(before.values()) <= 7


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "ix_conversations_list"),
        ({"channel": "email"}, "ix_conversations_channel"),
        ({"assignee": "none"}, "ix_conversations_list"),
        ({"assignee": 1}, "ix_conversations_assignee"),
        ({"team": "1"}, "ix_conversations_team"),
        ({"account": 1}, "ix_conversations_account"),
        ({"account": 1, "assignee": 1}, "ix_conversations_account"),
        ({"contact": "contact-000"}, "ix_conversations_identity"),
        ({"contact": "contact-000", "account": 1, "channel": "email"}, "ix_conversations_identity"),
    ],
)
def test_each_narrowing_goes_along_its_index(
    desk: ApiDesk, database: db.Database, query: dict[str, Any], index: str
) -> None:
    fill(desk, 3)
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    cursor = desk.program.get("/conversations", limit=1, **query)["next"]
    sa.event.listen(database.read_engine, "before_cursor_execute", note)
    more = {} if cursor is None else {"cursor": cursor}
    desk.program.get("/conversations", limit=1, **query, **more)
    sa.event.remove(database.read_engine, "before_cursor_execute", note)
    listed = [one for one in asked if "FROM conversations JOIN" in " ".join(one[0].split())]
    assert len(listed) == 3  # of the open ones those that came back from a snooze are a part of their own
    with database.read_engine.connect() as connection:
        for statement, parameters in listed:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            words = " ".join(str(row[3]) for row in plan)
            indexes = (index, "ix_conversations_woken")
            assert any(f"conversations USING INDEX {one} " in words for one in indexes), words
            if index != "ix_conversations_identity":
                assert "TEMP B-TREE" not in words, words


def test_reading_works_on_every_database(any_database: db.Database, data: Any) -> None:
    desk = open_api_desk(data)
    whole(desk.inbox)
    seen = [one["id"] for one in desk.program.get("/conversations")["data"]]
    assert len(seen) == 7
    paged: list[int] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = desk.program.get("/conversations", **query)
        paged += [one["id"] for one in page["data"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert paged == seen
    for narrowed in (
        {"status": "open"},
        {"channel": "email"},
        {"channel": "nothing"},
        {"contact": "ana.sample"},
    ):
        desk.program.get("/conversations", **narrowed)
    for conversation in seen:
        page = desk.program.get(f"/conversations/{conversation}/messages", limit=3)
        for message in page["data"]:
            assert desk.program.get(f"/messages/{message['id']}") == message
        desk.program.get(f"/conversations/{conversation}/messages", before=page["before"])


def test_late_messages_stand_where_their_time_puts_them(desk: ApiDesk) -> None:
    desk.scene.said("ana", "Ana", "second", desk.scene.ago(minutes=5))
    desk.scene.said("ana", "Ana", "first", desk.scene.ago(minutes=9))
    page = desk.program.get(f"/conversations/{desk.scene.conversation('ana')}/messages")
    assert [one["text"] for one in page["data"]] == ["first", "second"]
