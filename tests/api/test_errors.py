"""Every refusal has one form: a stable code, a sentence for programs, and the path of the value at fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from host.api import reading
from host.api.http import openapi, validation, versions
from host.api.http.declare import Route, Wire
from host.api.http.declare import routes as api_routes
from host.api.http.error_list import error_list
from host.api.http.errors import BodyError
from host.api.http.validation import Path
from host.models.inbox import Contact, Message
from host.users.api_keys import Scope
from tests.api.desks import (
    BASE,
    ApiDesk,
    Program,
    endpoint_ids,
    kept_ids,
    make_key,
    open_api_desk,
    sent_ids,
)
from tests.api.refusals import OF_PAGES, PROBLEM
from tests.inbox import toys

PROBLEMS = {"Accept": "application/problem+json"}
NEWEST = {"Lobby-Version": versions.CURRENT}
NOBODY = 2**40


def ids_of(desk: ApiDesk) -> dict[str, Any]:
    desk.scene.said("ana", "Ana", "Hello", desk.scene.ago(minutes=1))
    return {
        "conversation_id": desk.scene.conversation("ana"),
        "message_id": toys.everything(Message)[0].id,
        "account_id": desk.inbox.account.id,
        "contact_id": toys.everything(Contact)[0].id,
        "attachment_id": NOBODY,
        "delivery_id": NOBODY,
        **endpoint_ids(desk),
        **kept_ids(desk),
        **sent_ids(desk),
    }


def bad_requests(route: Route, ids: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield paths and options of requests that *route* refuses, each for another reason."""
    path = route.path.format_map(ids)
    body = {"data": "{}", "content_type": "application/json"} if route.body is not None else {}
    yield path, {"headers": {"Authorization": "Bearer lobby_nothing"}, **body}
    yield path, {"headers": {"Lobby-Version": "2020-01-01"}, **body}
    yield path, {"query_string": {"surely-unknown": "1"}, **body}  # no route has it, so nothing is done
    if route.places:
        yield route.path.format_map(dict.fromkeys(ids, NOBODY)), body
        yield route.path.format_map(dict.fromkeys(ids, "9" * 30)), body
    if route.idempotent:
        yield path, {"headers": {"Idempotency-Key": "\u00e9"}, **body}
    if route.body is not None:
        json_of = {"content_type": "application/json"}
        yield path, {"data": "{", **json_of}
        yield path, {"data": "[]", **json_of}
        yield path, {"data": '{"surelyUnknown": 1}', **json_of}
        yield path, {"data": '{"name": "\\u0000"}', **json_of}
        yield path, {"data": "{}", "content_type": "text/plain"}
        for example in route.examples.values():
            for name in example:
                yield path, {"data": json.dumps({**example, name: {"x": [1.5]}}), **json_of}
                yield path, {"data": json.dumps({**example, name: NOBODY}), **json_of}


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_every_route_refuses_in_one_form(desk: ApiDesk, version: str) -> None:
    """What a refusal has to look like is checked by :func:`tests.api.refusals.check`, in each call."""
    ids = ids_of(desk)
    refused = 0
    for form in ({}, PROBLEMS):
        for route in api_routes():
            if route.scope is None or (route.method, route.path) == ("DELETE", "/uploads/{upload_id}"):
                continue
            for path, options in bad_requests(route, ids):
                headers = {"Lobby-Version": version, **form, **options.pop("headers", {})}
                answer = desk.program.call(route.method, path, headers=headers, **options)
                assert answer.status_code < 500, answer.text
                refused += answer.status_code >= 400
                if answer.status_code >= 400:
                    assert (answer.mimetype == "application/problem+json") is bool(form)
    assert refused > 1000


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_every_code_of_the_document_has_a_sentence_without_pages(version: str) -> None:
    for route in api_routes():
        for refusal in openapi.refusals(route, version):
            assert refusal.sentence, refusal.code
            assert not OF_PAGES.search(refusal.sentence), f"{route.operation}: {refusal}"
            if version != versions.FIRST and refusal.status == 404:
                assert route.places, f"{route.operation}: {refusal}"


def test_the_type_of_a_problem_leads_to_an_entry_that_explains_its_code(desk: ApiDesk) -> None:
    problem = desk.program.call("GET", f"/contacts/{NOBODY}", headers={**PROBLEMS, **NEWEST}).json
    assert problem is not None
    address, _hash, code = problem["type"].partition("#")
    page = desk.app.test_client().get(address).text
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "a code is the name of another part of the page"
    entry = page.split(f'<div id="{code}">')[1].split("</div>")[0]
    for text in ("404, 422", problem["detail"], "#/Contacts/getContact"):
        assert text in entry
    body = {code for route in api_routes() for _, code, _ in openapi.refusals(route, versions.CURRENT)}
    assert body | {"internal", "method_not_allowed"} <= set(ids)


def test_every_entry_says_what_happened_and_where_and_speaks_to_programs() -> None:
    listed = {one.code: one for one in error_list(versions.CURRENT)}
    for code, one in listed.items():
        assert one.sentences, code
        assert one.everywhere or one.operations, code
        assert not OF_PAGES.search(" ".join([*one.sentences, *one.steps])), one
    assert listed["rate_limited"].everywhere
    many = listed["invalid_body"]
    assert (many.everywhere, many.named) == (False, [])
    assert len(many.operations) > 20


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "code", "first"),
    [
        ("PATCH", "/conversations/{c}", {"addLabels": [NOBODY]}, "addLabels[0]", "label_not_found", 404),
        ("PATCH", "/conversations/{c}", {"team": NOBODY}, "team", "team_not_found", 404),
        ("PATCH", "/conversations/{c}", {"assignee": NOBODY}, "assignee", "not_a_member", 400),
        ("POST", "/labels/{l}/merge", {"into": NOBODY}, "into", "label_not_found", 404),
        ("POST", "/contacts/{k}/merge", {"other": NOBODY}, "other", "contact_not_found", 404),
        ("POST", "/contacts/{k}/split", {"merge": NOBODY}, "merge", "merge_not_found", 404),
        (
            "POST",
            "/messages",
            {"conversationId": NOBODY, "kind": "text", "text": "a"},
            "conversationId",
            "conversation_not_found",
            404,
        ),
        ("POST", "/labels", {"name": " "}, "name", "label_name", 400),
        ("GET", "/analytics?account=1099511627776", None, "account", "account_not_found", 404),
    ],
)
def test_what_a_body_or_query_names_is_422_since_the_second_version(
    desk: ApiDesk, method: str, path: str, body: Any, field: str, code: str, first: int
) -> None:
    ids = ids_of(desk)
    path = path.format(c=ids["conversation_id"], l=ids["label_id"], k=ids["contact_id"])
    for headers, status in (({}, first), (NEWEST, 422)):
        got, error = desk.program.refused(method, path, body, headers=headers)
        assert (got, error["code"], error["field"]) == (status, code, field)


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "code"),
    [
        (
            "PATCH",
            "/conversations/{conversation_id}",
            {"addLabels": ["{label_id}", "{label_id}", NOBODY]},
            "addLabels[2]",
            "label_not_found",
        ),
        (
            "POST",
            "/teams",
            {"name": "A", "members": [{"id": "{member_id}"}, {"id": NOBODY}]},
            "members[1].id",
            "not_a_member",
        ),
        ("PATCH", "/teams/{team_id}", {"accounts": ["{account_id}", NOBODY]}, "accounts[1]", "team_account"),
        (
            "POST",
            "/conversations/{conversation_id}/notes",
            {"text": "a", "mentions": ["{member_id}", NOBODY], "teams": [NOBODY]},
            "mentions[1]",
            "cannot_be_mentioned",
        ),
        (
            "POST",
            "/conversations/{conversation_id}/notes",
            {"text": "a", "mentions": ["{member_id}"], "teams": [NOBODY]},
            "teams[0]",
            "cannot_be_mentioned",
        ),
        (
            "POST",
            "/conversations/{conversation_id}/notes",
            {"text": "a", "teams": ["{team_id}"]},
            "teams[0]",
            "cannot_be_mentioned",
        ),
        (
            "POST",
            "/endpoints",
            {"url": "https://crm.example.com/a", "events": ["message.*", "nonsense"]},
            "events[1]",
            "unknown_event",
        ),
        (
            "POST",
            "/endpoints",
            {"url": "https://crm.example.com/a", "events": ["*"], "accounts": ["{account_id}", NOBODY]},
            "accounts[1]",
            "account_not_found",
        ),
        (
            "POST",
            "/endpoints",
            {"url": "https://crm.example.com/a", "events": ["*"], "labels": ["{label_id}", NOBODY]},
            "labels[1]",
            "label_not_found",
        ),
        (
            "POST",
            "/assistants/{assistant_id}/cases/try",
            {"cases": ["{case_id}", NOBODY]},
            "cases[1]",
            "case_not_found",
        ),
        (
            "POST",
            "/bulk-actions",
            {"action": "read", "conversationIds": [NOBODY]},
            "conversationIds",
            "bulk_action",
        ),
        (
            "POST",
            "/bulk-actions",
            {"action": "label", "conversationIds": ["{conversation_id}"]},
            "label",
            "bulk_action",
        ),
    ],
)
def test_the_field_leads_to_the_wrong_value_of_a_list(
    desk: ApiDesk, method: str, path: str, body: Any, field: str, code: str
) -> None:
    ids = ids_of(desk)
    filled = json.loads(re.sub(r'"\{(\w+)\}"', lambda name: str(ids[name[1]]), json.dumps(body)))
    status, error = desk.program.refused(method, path.format_map(ids), filled, headers=NEWEST)
    assert (status, error["code"], error["field"]) == (422, code, field)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/labels/{n}/merge", {"into": 1}, "label_id"),
        ("/contacts/{n}/merge", {"other": 1}, "contact_id"),
        ("/conversations/{n}/notes", {"text": "a"}, "conversation_id"),
    ],
)
def test_what_the_path_names_stays_404(desk: ApiDesk, path: str, body: Any, field: str) -> None:
    ids_of(desk)
    status, error = desk.program.refused("POST", path.format(n=NOBODY), body, headers=NEWEST)
    assert (status, error["field"]) == (404, field)


def test_what_goes_on_after_the_answer_is_202_since_the_second_version(desk: ApiDesk) -> None:
    body = {"action": "read", "conversationIds": [ids_of(desk)["conversation_id"]]}
    assert desk.program.call("POST", "/bulk-actions", body).status_code == 201
    answer = desk.program.call("POST", "/bulk-actions", body, headers=NEWEST)
    assert answer.status_code == 202
    assert answer.headers["Location"].startswith(f"{BASE}/bulk-actions/")
    paths = {version: openapi.document("", version=version)["paths"] for version in versions.VERSIONS}
    created = [set(paths[one]["/bulk-actions"]["post"]["responses"]) for one in versions.VERSIONS]
    assert [sorted(one & {"201", "202"}) for one in created] == [["201"], ["202"]]


def test_the_document_describes_the_version_that_is_asked_for(desk: ApiDesk) -> None:
    for headers, status in (({}, "400"), (NEWEST, "422")):
        answer = desk.program.call("GET", "/openapi.json", headers=headers)
        assert answer.json is not None
        responses = answer.json["paths"]["/labels"]["post"]["responses"]
        assert "label_name" in responses[status]["description"]


def test_the_filter_of_a_view_is_read_as_it_is_sent(desk: ApiDesk) -> None:
    wish = {"name": "Open", "filter": {"status": "open", "noLabels": str(ids_of(desk)["label_id"])}}
    view = desk.program.send("POST", "/views", wish, 201)
    assert set(view["filter"]) == {"status", "noLabels", "spam"}
    assert set(view["condition"]) == {"status", "no_labels", "spam"}
    assert view["search"] is None
    found = desk.program.send("POST", "/views", {"name": "Glaze", "search": "glaze"}, 201)
    assert (found["filter"], found["search"]) == (None, "glaze")


def test_a_better_name_does_the_same_as_the_old_one(desk: ApiDesk) -> None:
    contact = ids_of(desk)["contact_id"]
    for path, body in (("block", None), ("opt-out", {"source": "wrote stop"})):
        new = desk.program.send("PUT", f"/contacts/{contact}/{path}", body)
        assert desk.program.send("POST", f"/contacts/{contact}/{path}", body) == new
    assert desk.program.get(f"/contacts/{contact}")["optedOutAt"]


class TestProblemDetails:
    def test_every_kind_of_refusal_is_one_where_asked_for(
        self, desk: ApiDesk, monkeypatch: pytest.MonkeyPatch, data: Any
    ) -> None:
        reader = Program(desk.app, make_key(desk.workspace, Scope.CONTACTS_READ), PROBLEMS)
        program = Program(desk.app, desk.program.token, PROBLEMS)
        asked = {
            401: Program(desk.app, "lobby_nothing", PROBLEMS).call("GET", "/accounts"),
            403: reader.call("GET", "/conversations"),
            404: program.call("GET", "/nothing"),
            405: program.call("DELETE", "/accounts"),
            413: program.call("POST", "/labels", {"name": "x" * 2_000_000}),
            415: program.call("POST", "/labels", data="a", content_type="text/plain"),
            422: program.call("POST", "/labels", {"name": " "}, headers=NEWEST),
        }
        monkeypatch.setattr("host.inbox.queries.list_conversations", None)
        asked[500] = program.call("GET", "/conversations")
        for status, answer in asked.items():
            assert answer.status_code == status, answer.text
            assert answer.mimetype == "application/problem+json", status
            assert answer.json is not None
            assert {"type", "title", "status", "detail", "instance", "code", "requestId"} <= set(answer.json)
            assert set(answer.json) <= PROBLEM
            assert answer.json["status"] == status
            assert answer.json["type"].endswith(f"/api/docs#{answer.json['code']}")
            assert answer.json["instance"].startswith(BASE)
        assert asked[405].headers["Allow"]
        assert asked[401].headers["WWW-Authenticate"]

    def test_too_many_requests_are_one(self, database: Any, data: Any) -> None:
        desk = open_api_desk(data, api_limit="1/minute")
        program = Program(desk.app, desk.program.token, PROBLEMS)
        program.call("GET", "/accounts")
        answer = program.call("GET", "/accounts")
        assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
        assert answer.headers["Retry-After"]

    @pytest.mark.parametrize(
        ("accept", "problem"),
        [
            ("application/problem+json", True),
            ("application/json, application/problem+json", True),
            ("application/problem+json;q=0, */*", False),
            ("*/*", False),
            ("application/json", False),
            ("application/*", False),
            ("nonsense", False),
        ],
    )
    def test_only_who_names_the_type_gets_it(self, desk: ApiDesk, accept: str, problem: bool) -> None:
        refused = desk.program.call("GET", "/nothing", headers={"Accept": accept})
        assert (refused.mimetype == "application/problem+json") is problem
        good = desk.program.call("GET", "/accounts", headers={"Accept": accept})
        assert good.mimetype == "application/json"


class Leaf(Wire, frozen=True):
    size: Annotated[int, Meta(ge=0)] = 0


class Branch(Wire, frozen=True):
    leaves: tuple[Leaf, ...] = ()
    by_name: Mapping[str, Leaf] = msgspec.field(default_factory=dict)
    deeper: Mapping[str, list[dict[str, Leaf]]] = msgspec.field(default_factory=dict)


class Tree(Wire, frozen=True):
    branches: tuple[Branch, ...] = ()


leaves = st.fixed_dictionaries({"size": st.integers(0, 9)})
names = st.text("abcdefghijklmnop_-", min_size=1, max_size=8)
trees = st.fixed_dictionaries(
    {
        "branches": st.lists(
            st.fixed_dictionaries(
                {
                    "leaves": st.lists(leaves, max_size=4),
                    "byName": st.dictionaries(names, leaves, max_size=5),
                    "deeper": st.dictionaries(
                        names,
                        st.lists(st.dictionaries(names, leaves, max_size=4), max_size=3),
                        max_size=4,
                    ),
                }
            ),
            max_size=4,
        )
    }
)


def places_of_leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict) and "size" in value:
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from places_of_leaves(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places_of_leaves(inner, (*path, at))


@given(tree=trees, data=st.data())
def test_the_field_leads_to_the_first_value_at_fault(tree: Any, data: st.DataObject) -> None:
    """Several values of one kind may be wrong: msgspec stops at the first, and the path has to lead there."""
    places = list(places_of_leaves(tree))
    if not places:
        return
    wrong = data.draw(st.lists(st.sampled_from(places), min_size=1, unique=True))
    bad = data.draw(st.sampled_from([-1, "text", None, [1], 1.5]))
    for place in wrong:
        inner: Any = tree
        for step in place:
            inner = inner[step]
        inner["size"] = bad
    with pytest.raises(BodyError) as caught:
        reading.converted(tree, Tree)
    first = next(place for place in places if place in wrong)
    assert caught.value.field == validation.written((*first, "size"))


class Kinds(Wire, frozen=True):
    text: Annotated[str, Meta(min_length=2, max_length=3)] = "ab"
    pattern: Annotated[str, Meta(pattern="^a$")] = "a"
    number: float | None = None
    flag: bool = False
    at: Annotated[datetime, Meta(tz=True)] | None = None
    some: Annotated[tuple[int, ...], Meta(max_length=1)] = ()
    keys: Mapping[Annotated[str, Meta(max_length=2)], int] = msgspec.field(default_factory=dict)


@given(
    name=st.sampled_from([one.encode_name for one in msgspec.structs.fields(Kinds)]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_no_sentence_has_types_of_python(name: str, value: Any) -> None:
    error = refusal_of({name: value})
    if error is None:
        return
    assert error.field is not None
    assert error.field.startswith(name)
    sentence = error.sentence.replace(error.field, "")
    assert "`" not in sentence
    assert not any(word in sentence for word in ("Expected", "NoneType", "datetime", "RFC3339"))


def refusal_of(body: Any) -> BodyError | None:
    try:
        reading.converted(body, Kinds)
    except BodyError as error:
        return error
    return None
