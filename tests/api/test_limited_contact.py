"""A key limited to one account, and a customer who is on two: nothing of the other is in any answer."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from host.api.http.declare import Route
from host.api.http.declare import routes as api_routes
from host.users.api_keys import GRANTABLE, Limit
from tests.api.desks import BASE, ApiDesk, Program, endpoint_ids, kept_ids, sent_ids
from tests.api.test_scopes import program
from tests.inbox import toys

LIMITED = [route for route in api_routes() if route.limited]
WORDS = ("zebra", "Zebra")
"""Everything of the other account has one of them in it: texts, notes, names, handles, files."""
NAMED = {"contact_id", "conversation_id", "account_id", "q"}


class Both:
    """A customer on two accounts, as one contact, and a key that sees the first account only."""

    def __init__(self, desk: ApiDesk) -> None:
        self.other = toys.make_account(desk.workspace, "toy", name="Zebra shop", handle="@zebra.shop")
        desk.scene.said("ana.sample", "Ana", "Sample in the open", desk.scene.ago(minutes=3))
        desk.scene.said("zebra.id", "Zebra name", "zebra text", desk.scene.ago(minutes=2), account=self.other)
        self.seen = desk.scene.conversation("ana.sample")
        self.hidden = desk.scene.conversation("zebra.id")
        told = {one["id"]: one["contact"]["id"] for one in desk.program.get("/conversations")["data"]}
        self.contact = told[self.seen]
        desk.program.send("POST", f"/conversations/{self.hidden}/notes", {"text": "zebra note"}, 201)
        merge = {"other": told[self.hidden]}
        desk.program.send("POST", f"/contacts/{self.contact}/merge", merge)
        self.ids = {
            **endpoint_ids(desk),
            **kept_ids(desk),
            **sent_ids(desk),
            "contact_id": self.contact,
            "conversation_id": self.seen,
            "account_id": desk.inbox.account.id,
            "message_id": self.message(desk, self.seen),
        }
        self.hidden_ids = {
            "conversation_id": self.hidden,
            "account_id": self.other.id,
            "message_id": self.message(desk, self.hidden),
        }
        self.key = program(desk, GRANTABLE, limit=Limit((desk.inbox.account.id,)))

    def message(self, desk: ApiDesk, conversation: int) -> int:
        return int(desk.program.get(f"/conversations/{conversation}/messages")["data"][0]["id"])


@pytest.fixture
def both(desk: ApiDesk) -> Both:
    return Both(desk)


def told_by(answer: Any) -> str:
    """Return everything that is in an answer; of a zip, what is in its members."""
    data = answer.get_data()
    if answer.mimetype != "application/zip":
        return data.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [name.encode() + archive.read(name) for name in archive.namelist()]
    return b"\n".join(parts).decode("utf-8", "replace")


def calls(route: Route, both: Both) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield path, query and body of every call of a route that names the customer, or the other account."""
    for ids in (both.ids, {**both.ids, **both.hidden_ids}):
        if ids is not both.ids and not both.hidden_ids.keys() & set(route.places):
            continue
        path = route.path.format_map({name: ids.get(name, 2**40) for name in route.places})
        fields = set(route.query.__struct_fields__) & NAMED if route.query is not None else set()
        queries: list[dict[str, Any]] = [{}]
        queries += [{_wire(name): both.ids[name]} for name in fields - {"q"}]
        queries += [{_wire(name): both.hidden_ids[name]} for name in fields & both.hidden_ids.keys()]
        queries += [{"q": word} for word in ("zebra", "sample") if "q" in fields]
        for query in queries:
            yield path, query, next(iter(route.examples.values())) if route.examples else None


def _wire(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(one.capitalize() for one in rest)


def test_nothing_of_the_other_account_is_in_any_answer(desk: ApiDesk, both: Both) -> None:
    wrong, worked, client = [], set(), desk.app.test_client()
    for route in sorted(LIMITED, key=lambda one: one.writes):
        for path, query, body in calls(route, both):
            more: dict[str, Any] = {"query_string": query} if query else {}
            if route.upload:
                more["data"] = {"file": (io.BytesIO(b"x"), "x.png")}
            if body is not None and not route.upload:
                more["json"] = body
            headers = {"Authorization": f"Bearer {both.key.token}"}
            answer = client.open(BASE + path, method=route.method, headers=headers, **more)
            said = told_by(answer)
            for word in (query.get("q"), json.dumps(body)):
                said = said.replace(str(word), "")  # what it was asked for itself
            if any(word in said for word in WORDS):
                wrong.append(f"{route.method} {path} {query}: {said[:300]}")
            if answer.status_code < 300:
                worked.add(f"{route.method} {route.path}")
    assert wrong == []
    assert {"GET /contacts/{contact_id}", "GET /contacts/{contact_id}/export", "GET /messages"} <= worked


def exported(caller: Program, contact: int) -> tuple[dict[str, Any], str]:
    """Return the JSON and the page of an export."""
    answer = caller.call("GET", f"/contacts/{contact}/export")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as archive:
        return json.loads(archive.read("contact.json")), archive.read("contact.html").decode()


def test_an_export_says_how_much_of_other_accounts_was_left_out(desk: ApiDesk, both: Both) -> None:
    told, page = exported(both.key, both.contact)
    assert told["leftOut"] == {"accounts": 1, "conversations": 1}
    assert "Left out: accounts: 1, conversations: 1." in page
    assert [one["id"] for one in told["conversations"]] == [both.seen]
    assert [one["externalId"] for one in told["contact"]["identities"]] == ["ana.sample"]
    whole, page = exported(desk.program, both.contact)
    assert whole["leftOut"] == {"accounts": 0, "conversations": 0}
    assert "Left out" not in page
    assert len(whole["conversations"]) == 2
    assert all(word in str(whole) for word in ("zebra text", "zebra note", "zebra.id"))
