"""Keeping a copy: what changed since a time, orders, cursors, versions of resources and of the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.api.http import cursors, versions
from host.api.http.declare import BASE
from host.api.http.declare import routes as api_routes
from host.core import clock, db
from host.events.models import DomainEvent
from host.models.users import User
from host.users.data_retention import DataRetention
from tests import helpers
from tests.api.desks import ApiDesk, Program, kept_ids, make_key
from tests.inbox.scenes import whole

ROOT = Path(__file__).resolve().parents[2]
LISTS = ("/conversations", "/contacts", "/messages")


def said(desk: ApiDesk, contact: str, text: str = "Hello") -> None:
    desk.scene.said(contact, contact.capitalize(), text, clock.now())


def everything(desk: ApiDesk, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return the data of all pages of a list."""
    found: list[dict[str, Any]] = []
    for _page in range(50):
        page = desk.program.get(path, **query)
        found += page["data"]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]
    raise AssertionError(f"{path} does not end")


def stamped(at: datetime) -> str:
    return at.isoformat()


@pytest.fixture
def settled(desk: ApiDesk) -> str:
    """Make a desk with customers whose last change is hours ago; return the time by now."""
    for contact in ("ana", "ben", "cleo"):
        said(desk, contact)
    _age()
    return stamped(clock.now())


def _age() -> None:
    """Make everything in the event log two hours older."""

    def older(session: Any) -> None:
        for row in session.scalars(sa.select(DomainEvent)):
            row.at -= timedelta(hours=2)

    db.write(older)


def test_only_what_changed_comes_and_the_oldest_change_first(desk: ApiDesk, settled: str) -> None:
    for path in LISTS:
        assert everything(desk, path, updatedSince=settled) == [], path
    said(desk, "cleo", "Is it in stock?")
    talk = desk.scene.conversation("ana")
    desk.program.send("PATCH", f"/conversations/{talk}", {"status": "closed"})
    found = everything(desk, "/conversations", updatedSince=settled)
    assert [one["contact"]["externalId"] for one in found] == ["cleo", "ana"]
    assert found[1]["status"] == "closed"
    assert [one["id"] for one in found] == [
        one["id"] for one in everything(desk, "/conversations", updatedSince=settled, sort="updated", limit=1)
    ]
    assert "Is it in stock?" in [one["text"] for one in everything(desk, "/messages", updatedSince=settled)]
    names = [
        one["identities"][0]["externalId"] for one in everything(desk, "/contacts", updatedSince=settled)
    ]
    assert names == ["cleo", "ana"]
    assert [
        one["status"] for one in everything(desk, "/conversations", updatedSince=settled, status="open")
    ] == ["open"]


def test_labels_reactions_and_details_of_a_contact_are_changes(desk: ApiDesk, settled: str) -> None:
    talk = desk.scene.conversation("ben")
    label = desk.program.send("POST", "/labels", {"name": "order"}, 201)["id"]
    desk.program.send("PATCH", f"/conversations/{talk}", {"addLabels": [label]})
    (found,) = everything(desk, "/conversations", updatedSince=settled)
    assert [one["name"] for one in found["labels"]] == ["order"]
    contact = desk.program.get(f"/conversations/{desk.scene.conversation('ana')}")["contact"]["id"]
    desk.program.send("PATCH", f"/contacts/{contact}", {"name": "Ana Lima"})
    names = [one["name"] for one in everything(desk, "/contacts", updatedSince=settled)]
    assert names[-1] == "Ana Lima"
    message = desk.program.get(f"/conversations/{talk}/messages")["data"][0]["id"]
    desk.program.call("POST", f"/messages/{message}/reactions", {"emoji": "❤"})
    if desk.program.get(f"/messages/{message}")["reactions"]:
        assert message in [one["id"] for one in everything(desk, "/messages", updatedSince=settled)]


def test_nothing_that_changes_while_a_list_is_read_is_lost(desk: ApiDesk, settled: str) -> None:
    for number in range(6):
        said(desk, f"new-{number}")
    first = desk.program.get("/conversations", updatedSince=settled, limit=2)
    said(desk, "new-0", "Once more")
    seen = [one["contact"]["externalId"] for one in first["data"]]
    rest = everything(desk, "/conversations", updatedSince=settled, limit=2, cursor=first["next"])
    seen += [one["contact"]["externalId"] for one in rest]
    assert seen == [*(f"new-{number}" for number in range(6)), "new-0"]


@pytest.mark.parametrize("path", LISTS)
def test_a_time_before_the_event_log_is_refused(desk: ApiDesk, path: str) -> None:
    long_ago = stamped(clock.now() - DataRetention().log - timedelta(days=1))
    status, error = desk.program.refused("GET", path, query_string={"updatedSince": long_ago})
    assert (status, error["code"], error["field"]) == (410, "events_gone", "updatedSince")
    assert desk.program.get(path, updatedSince=stamped(clock.now() + timedelta(days=1)))["data"] == []


@pytest.mark.parametrize("path", LISTS)
def test_only_orders_with_an_index_are_there(desk: ApiDesk, path: str) -> None:
    status, error = desk.program.refused("GET", path, query_string={"sort": "text"})
    assert (status, error["field"]) == (400, "sort")
    assert "newest" in error["next"]
    assert "updated" in error["next"]
    status, error = desk.program.refused("GET", path, query_string={"sort": "updated"})
    assert (status, error["field"]) == (400, "updatedSince")
    other = {"/conversations": "waiting", "/contacts": "quiet", "/messages": "oldest"}[path]
    query = {"sort": other, "updatedSince": stamped(clock.now())}
    assert desk.program.refused("GET", path, query_string=query)[1]["field"] == "sort"


def test_messages_of_all_conversations_come_by_their_ids(desk: ApiDesk) -> None:
    whole(desk.inbox)
    oldest = [one["id"] for one in everything(desk, "/messages", sort="oldest", limit=3)]
    assert oldest == sorted(oldest)
    assert len(oldest) == len(set(oldest))
    assert [one["id"] for one in everything(desk, "/messages", limit=4)] == oldest[::-1]
    talks = {one["conversationId"] for one in everything(desk, "/messages")}
    assert len(talks) > 1


def test_conversations_by_waiting_customers(desk: ApiDesk) -> None:
    for minutes, contact in ((5, "ana"), (9, "ben")):
        desk.scene.said(contact, contact, "Hello", desk.scene.ago(minutes=minutes))
    found = everything(desk, "/conversations", sort="waiting", limit=1)
    assert [one["contact"]["externalId"] for one in found] == ["ben", "ana"]


def test_the_conversations_of_a_contact(desk: ApiDesk) -> None:
    whole(desk.inbox)
    talk = desk.program.get(f"/conversations/{desk.scene.conversation('ana.sample')}")
    contact = talk["contact"]["id"]
    found = everything(desk, f"/contacts/{contact}/conversations", limit=1)
    assert talk["id"] in [one["id"] for one in found]
    assert {one["contact"]["id"] for one in found} == {contact}
    assert desk.program.refused("GET", f"/contacts/{2**40}/conversations")[0] == 404


@pytest.mark.parametrize("path", [*LISTS, "/events"])
def test_cursors_that_are_damaged_or_of_another_workspace_are_refused(desk: ApiDesk, path: str) -> None:
    for contact in ("ana", "ben", "cleo"):
        said(desk, contact)
    cursor = desk.program.get(path, limit=1)["next"]
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.refused("GET", path, query_string={"cursor": cursor})[1]["code"] == "invalid_cursor"
    for damaged in (cursor[:-3], cursor[3:], cursor[::-1], "x", "ä", cursor + "AA"):
        status, error = desk.program.refused("GET", path, query_string={"cursor": damaged})
        assert (status, error["code"], error["field"]) == (400, "invalid_cursor", "cursor")
    for other in {*LISTS, "/events"} - {path}:
        assert (
            desk.program.refused("GET", other, query_string={"cursor": cursor})[1]["code"] == "invalid_cursor"
        )
    assert (
        desk.reader.get(path, cursor=cursor, limit=1)["data"]
        == desk.program.get(path, cursor=cursor, limit=1)["data"]
    ), "another key of the workspace goes on"


def test_a_cursor_from_before_is_still_read(desk: ApiDesk) -> None:
    for contact in ("ana", "ben", "cleo"):
        said(desk, contact)
    page = desk.program.get("/conversations", limit=1)
    place = cursors.read(f"conversations of {desk.workspace}", page["next"], "cursor")
    old = cursors.write("conversations", place)
    assert (
        desk.program.get("/conversations", cursor=old)["data"]
        == desk.program.get("/conversations", cursor=page["next"])["data"]
    )


def test_messages_of_a_conversation_take_the_same_cursor_and_the_old_parameter(desk: ApiDesk) -> None:
    for number in range(5):
        said(desk, "ana", f"Text {number}")
    path = f"/conversations/{desk.scene.conversation('ana')}/messages"
    page = desk.program.get(path, limit=2)
    assert page["next"] == page["before"]
    assert (
        desk.program.get(path, cursor=page["next"])["data"]
        == desk.program.get(path, before=page["before"])["data"]
    )
    assert desk.program.get(path, cursor=page["next"])["next"] is None
    both = {"cursor": page["next"], "before": page["before"]}
    assert desk.program.refused("GET", path, query_string=both)[1]["field"] == "before"


def test_events_of_some_kinds_and_of_one_account(desk: ApiDesk) -> None:
    start = desk.program.get("/events")["next"]
    said(desk, "ana")
    desk.program.send("PATCH", f"/conversations/{desk.scene.conversation('ana')}", {"status": "closed"})

    def names(**query: Any) -> set[str]:
        return {one["event"] for one in desk.program.get("/events", cursor=start, **query)["data"]}

    assert {"message.received", "conversation.closed"} <= names()
    assert names(events="conversation.closed") == {"conversation.closed"}
    assert {one.partition(".")[0] for one in names(events="message.*")} == {"message"}
    assert names(account=desk.inbox.account.id) >= {"message.received"}
    assert names(account=2**40) == set()
    status, error = desk.program.refused("GET", "/events", query_string={"events": "message.sung"})
    assert (status, error["field"]) == (400, "events")
    assert names() == {one["event"] for one in desk.program.get("/events", after=start)["data"]}
    both = {"cursor": start, "after": start}
    assert desk.program.refused("GET", "/events", query_string=both)[1]["field"] == "after"


def test_emails_of_members_are_for_keys_that_write(desk: ApiDesk) -> None:
    with db.read() as session:
        emails = set(session.scalars(sa.select(User.email)))
    assert {one["email"] for one in desk.program.get("/members")["data"]} <= emails
    assert {one["email"] for one in desk.reader.get("/members")["data"]} == {None}


def test_what_can_be_created_can_be_read_at_its_location(desk: ApiDesk) -> None:
    whole(desk.inbox)
    gets = {route.path for route in api_routes() if route.method == "GET"}
    created = [route for route in api_routes() if route.status == 201]
    assert created
    for route in created:
        assert re.sub(r"\{[^}]*\}", "{}", route.location) in {
            re.sub(r"\{[^}]*\}", "{}", one) for one in gets
        }, f"POST {route.path} says no location that can be read"
    contact = desk.program.get("/contacts")["data"][0]["id"]
    for path, body in {
        "/labels": {"name": "glaze"},
        "/teams": {"name": "Kiln"},
        "/views": {"name": "All", "filter": {"status": "open"}},
        "/contact-attributes": {"name": "Glaze"},
        "/canned-replies": {"shortcut": "hi", "title": "Hi", "texts": {"default": "Hi"}},
        f"/contacts/{contact}/notes": {"text": "Rings the bell twice."},
    }.items():
        made = desk.program.call("POST", path, body, headers={"Idempotency-Key": path.replace("/", "-")})
        again = desk.program.call("POST", path, body, headers={"Idempotency-Key": path.replace("/", "-")})
        where = made.headers["Location"]
        assert again.headers["Location"] == where
        assert desk.program.get(where.removeprefix(BASE))["id"] == made.json["id"]


def test_an_upload_can_be_read_until_it_is_sent(desk: ApiDesk) -> None:
    made = desk.program.call("POST", "/uploads", data={"file": (BytesIO(b"x,y\n1,2\n"), "a.csv")})
    where = made.headers["Location"].removeprefix(BASE)
    assert desk.program.get(where) == made.json
    stranger = Program(desk.app, make_key(helpers.make_workspace("Studio")))
    assert stranger.refused("GET", where)[1]["code"] == "upload_not_found"
    assert desk.program.refused("GET", "/uploads/12")[1]["code"] == "upload_not_found"


def test_an_unchanged_answer_is_304(desk: ApiDesk) -> None:
    said(desk, "ana")
    path = f"/conversations/{desk.scene.conversation('ana')}"
    first = desk.program.call("GET", path)
    tag = first.headers["ETag"]
    same = desk.program.call("GET", path, headers={"If-None-Match": tag})
    assert (same.status_code, same.text, same.headers["ETag"]) == (304, "", tag)
    compressed = tag[:-1] + ':gzip"'
    assert desk.program.call("GET", path, headers={"If-None-Match": f'"a", {compressed}'}).status_code == 304
    desk.program.send("PATCH", path, {"status": "closed"})
    assert desk.program.call("GET", path, headers={"If-None-Match": tag}).status_code == 200


def test_the_document_is_kept_by_its_etag(desk: ApiDesk) -> None:
    client = desk.app.test_client()
    first = client.get(f"{BASE}/openapi.json")
    assert first.headers["Cache-Control"] == "no-cache"
    tag = first.headers["ETag"]
    again = client.get(f"{BASE}/openapi.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_a_change_is_made_only_to_what_was_read(desk: ApiDesk) -> None:
    whole(desk.inbox)
    ids = {**kept_ids(desk), "conversation_id": desk.scene.conversation("ana.sample")}
    ids["contact_id"] = desk.program.get("/contacts")["data"][0]["id"]
    checked = set()
    for route in api_routes():
        if route.method in {"GET", "POST"} or not set(route.places) <= set(ids):
            continue
        path = route.path.format_map(ids)
        body = next(iter(route.examples.values())) if route.examples else None
        code = "no_version" if route.current is None else "version_mismatch"
        status, error = desk.program.refused(route.method, path, body, headers={"If-Match": '"lies"'})
        assert (status, error["code"], error["field"]) == (412, code, "If-Match"), route.operation
        if route.current is not None:
            checked.add(route.path)
    assert {"/conversations/{conversation_id}", "/labels/{label_id}", "/contacts/{contact_id}"} <= checked
    label = f"/labels/{ids['label_id']}"
    tag = desk.program.call("GET", label).headers["ETag"]
    changed = desk.program.call("PATCH", label, {"tone": "red"}, headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == desk.program.call("GET", label).headers["ETag"] != tag
    for lie in (tag, '""', 'W/""', "", "null", "ä", '"' * 3):
        assert desk.program.refused("DELETE", label, headers={"If-Match": lie})[0] == 412, lie
    assert desk.program.call("DELETE", label, headers={"If-Match": "*"}).status_code == 204
    assert desk.program.refused("PATCH", label, {"tone": "red"}, headers={"If-Match": "*"})[0] == 404


def test_each_resource_that_checks_a_version_shows_it_as_its_get_does(desk: ApiDesk) -> None:
    whole(desk.inbox)
    ids = {**kept_ids(desk), "conversation_id": desk.scene.conversation("ana.sample")}
    ids["contact_id"] = desk.program.get("/contacts")["data"][0]["id"]
    bodies = {
        "/conversations/{conversation_id}": {"status": "open"},
        "/contacts/{contact_id}": {"name": "Ana"},
        "/labels/{label_id}": {"tone": "red"},
        "/views/{view_id}": {"name": "Orders"},
        "/teams/{team_id}": {"name": "Returns"},
        "/contact-attributes/{attribute_id}": {"name": "Colour"},
        "/canned-replies/{canned_id}": {"title": "The parcel left"},
    }
    for template, body in bodies.items():
        path = template.format_map(ids)
        tag = desk.program.call("GET", path).headers["ETag"]
        desk.program.send("PATCH", path, body, headers={"If-Match": tag})


def test_every_answer_names_the_version_and_another_is_refused(desk: ApiDesk) -> None:
    answer = desk.program.call("GET", "/accounts", headers={"Lobby-Version": versions.CURRENT})
    assert (answer.status_code, answer.headers["Lobby-Version"]) == (200, versions.CURRENT)
    refused = desk.program.call("GET", "/accounts", headers={"Lobby-Version": "2020-01-01"})
    assert (refused.status_code, refused.json["error"]["code"]) == (400, "unknown_version")
    assert refused.headers["Lobby-Version"] == versions.FIRST
    for version in versions.VERSIONS:
        assert f"### {version}" in (ROOT / "docs" / "api-changes.md").read_text()


STATEMENTS = {
    "/conversations": 6,
    "/conversations?sort=waiting": 5,
    "/conversations?updatedSince": 6,
    "/messages": 4,
    "/messages?updatedSince": 6,
    "/contacts?updatedSince": 11,
    "/contacts/{contact}/conversations": 6,
    "/events": 5,
}
"""Statements of a request, without that which finds its key; the same for 2 rows and for 30."""


def test_lists_take_as_many_statements_however_long_they_are(desk: ApiDesk, settled: str) -> None:
    contact = desk.program.get("/contacts")["data"][0]["id"]
    found: dict[int, dict[str, int]] = {}
    for number in (2, 30):
        for index in range(number):
            said(desk, f"more-{index}")
        found[number] = {}
        for name in STATEMENTS:
            path = name.replace("{contact}", str(contact))
            query = {"updatedSince": settled} if path.endswith("?updatedSince") else None
            with counted() as seen:
                answer = desk.program.call("GET", path.removesuffix("?updatedSince"), query_string=query)
            assert answer.status_code == 200, answer.text
            found[number][name] = len(seen) - 1
    assert found[2] == found[30] == STATEMENTS


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that run inside the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_old_parameters_are_deprecated_in_the_document(desk: ApiDesk) -> None:
    paths = desk.program.get("/openapi.json")["paths"]
    old = {
        (path, one["name"])
        for path, methods in paths.items()
        for operation in methods.values()
        for one in operation["parameters"]
        if one.get("deprecated")
    }
    assert old == {
        ("/conversations/{conversation_id}/messages", "before"),
        ("/events", "after"),
        ("/endpoints/{endpoint_id}/deliveries", "before"),
    }
    text = (ROOT / "docs" / "api-changes.md").read_text()
    assert [name for _path, name in old if f"`{name}`" not in text] == []
    paged = {path for path, methods in paths.items() if "get" in methods and _has(methods["get"], "limit")}
    assert {path for path in paged if not _has(paths[path]["get"], "cursor")} == set()


def _has(operation: dict[str, Any], name: str) -> bool:
    return name in {one["name"] for one in operation["parameters"]}


def test_of_two_changes_of_one_version_one_is_refused(desk: ApiDesk) -> None:
    label = desk.program.send("POST", "/labels", {"name": "order"}, 201)["id"]
    path = f"/labels/{label}"
    tag = desk.program.call("GET", path).headers["ETag"]
    tones = ("red", "green", "teal", "pink")

    def change(tone: str) -> Any:
        return desk.program.call("PATCH", path, {"tone": tone}, headers={"If-Match": tag})

    with ThreadPoolExecutor(len(tones)) as threads:
        found = [one.status_code for one in threads.map(change, tones)]
    assert sorted(found) == [200, 412, 412, 412]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "at",
    [
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z",
        "2026-01-15T10:30:00",
        "2026-02-30T10:30:00Z",
        "yesterday",
        "null",
        "",
        "1",
    ],
)
def test_no_time_breaks_a_list(desk: ApiDesk, path: str, at: str) -> None:
    answer = desk.program.call("GET", path, query_string={"updatedSince": at})
    assert answer.status_code in {200, 400, 410}, answer.text
    if answer.status_code != 200:
        assert answer.json["error"]["field"] == "updatedSince"
    if path == "/contacts":
        assert desk.program.call("GET", path, query_string={"since": at}).status_code in {200, 400}
