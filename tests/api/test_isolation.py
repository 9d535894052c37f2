"""A key opens its own workspace and nothing else: every route, every id of somebody else's."""

from __future__ import annotations

import io
from typing import Any

import pytest
import sqlalchemy as sa

from host.api.http.declare import Route
from host.api.http.declare import routes as api_routes
from host.core import db
from host.models.inbox import Attachment, Contact, Message
from tests import helpers
from tests.api.desks import ApiDesk, Program, endpoint_ids, kept_ids, make_key, sent_ids
from tests.inbox import toys
from tests.inbox.scenes import whole

GUARDED = [route for route in api_routes() if route.scope is not None]
TABLES = ("conversations", "messages", "contacts", "attachments", "channel_accounts", "outbox")


def first_id(model: type[Any], *conditions: Any) -> int:
    with db.read() as session:
        return int(session.scalars(sa.select(sa.func.min(model.id)).where(*conditions)).one())


def ids_of(desk: ApiDesk) -> dict[str, Any]:
    """Return the id of something of the desk's workspace for each place of a path."""
    conversation = desk.scene.conversation("ana.sample")
    return {
        "conversation_id": conversation,
        "message_id": first_id(Message, Message.conversation_id == conversation),
        "contact_id": first_id(Contact),
        "account_id": desk.inbox.account.id,
        "attachment_id": first_id(Attachment),
        **endpoint_ids(desk),
        **kept_ids(desk),
        **sent_ids(desk),
    }


def fingerprint() -> dict[str, list[Any]]:
    with db.read() as session:
        return {
            table: list(map(tuple, session.execute(sa.text(f"SELECT * FROM {table} ORDER BY id"))))
            for table in TABLES
        }


def call(program: Program, route: Route, path: str) -> Any:
    body = next(iter(route.examples.values())) if route.examples else None
    options: dict[str, Any] = {}
    if route.upload:
        options = {"data": {"file": (io.BytesIO(b"x"), "x.png")}}
    return program.call(route.method, path, body, **options)


@pytest.fixture
def stranger(desk: ApiDesk) -> Program:
    whole(desk.inbox)
    return Program(desk.app, make_key(helpers.make_workspace("Studio"), name="Elsewhere"))


def test_every_id_of_another_workspace_is_answered_404(desk: ApiDesk, stranger: Program) -> None:
    ids = ids_of(desk)
    before = fingerprint()
    checked = 0
    for route in GUARDED:
        if route.places:
            assert set(route.places) <= set(ids), f"say in ids_of what {route.path} needs"
            answer = call(stranger, route, route.path.format_map(ids))
            assert answer.status_code == 404, f"{route.method} {route.path}: {answer.text}"
            nobodys = call(stranger, route, route.path.format_map(dict.fromkeys(ids, 2**40)))
            assert answer.json["error"] | {"request_id": "", "requestId": ""} == nobodys.json["error"] | {
                "request_id": "",
                "requestId": "",
            }, f"{route.path} tells what is somebody else's from what is not there"
            checked += 1
    assert checked >= 5
    assert fingerprint() == before


def test_lists_hold_nothing_of_another_workspace(desk: ApiDesk, stranger: Program) -> None:
    paths = [route.path for route in GUARDED if route.method == "GET" and not route.places]
    lists = ["/search?q=sample" if path == "/search" else path for path in paths]
    words = {"sample", "Mia R.", "Shop", "Rosa"}
    told = "".join(desk.program.call("GET", path).text for path in lists)
    assert {word for word in words if word not in told} == set(), (
        "a program of the workspace itself hears them"
    )
    for path in lists:
        answer = stranger.call("GET", path)
        assert answer.status_code == 200
        assert {word for word in words if word in answer.text} == set(), path
    account = desk.inbox.account.id
    for query in ({"account": account}, {"contact": "ana.sample"}, {"assignee": desk.inbox.mia.id}):
        assert stranger.get("/conversations", **query)["data"] == []


def test_a_conversation_cannot_be_given_to_somebody_of_another_workspace(
    desk: ApiDesk, stranger: Program
) -> None:
    outsider = toys.make_user(helpers.make_workspace("Third"))
    conversation = desk.scene.conversation("ana.sample")
    before = desk.program.get(f"/conversations/{conversation}")["assignee"]
    status, error = desk.program.refused("PATCH", f"/conversations/{conversation}", {"assignee": outsider})
    assert (status, error["code"]) == (400, "not_a_member")
    assert desk.program.get(f"/conversations/{conversation}")["assignee"] == before


def test_without_a_key_no_route_answers_and_a_reading_key_writes_nowhere(desk: ApiDesk) -> None:
    whole(desk.inbox)
    ids = ids_of(desk)
    before = fingerprint()
    nobody = Program(desk.app, "")
    for route in GUARDED:
        path = route.path.format_map(ids)
        assert call(nobody, route, path).status_code == 401, f"{route.method} {route.path}"
        if route.writes:
            assert call(desk.reader, route, path).status_code == 403, f"{route.method} {route.path}"
        assert fingerprint() == before, f"{route.method} {route.path}"
