"""The OpenAPI document and the running routes say the same, in both directions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
import schemathesis
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from host.api.http import openapi, versions
from host.api.http.declare import BASE, Route
from host.api.http.declare import routes as api_routes
from host.api.http.openapi import document
from host.cli.commands import main
from host.core import db
from host.core.backports.values import replace
from host.core.config import Exit
from host.events import api
from host.web.headers import CONTENT_SECURITY_POLICY
from tests.api.desks import ApiDesk, endpoint_ids, kept_ids, open_api_desk, sent_ids
from tests.inbox.scenes import whole

DOCUMENT = document("http://127.0.0.1:8080")
NEWEST = document("http://127.0.0.1:8080", version=versions.CURRENT)
OPERATIONS = [(method, path) for path, methods in NEWEST["paths"].items() for method in methods]
EXAMPLES = 25
LEFT_OUT = (
    # What a well-formed body asks for may still be refused: a text of blanks, a person who is not there.
    "positive_data_acceptance",
    # Both need a whole run of the tool; tests/api has tests of its own for what they look at.
    "use_after_free",
    "ensure_resource_availability",
)


def test_every_route_is_in_the_document_and_nothing_else(desk: ApiDesk) -> None:
    served = {
        (method.lower(), re.sub(r"<api_\w+:(\w+)>", r"{\1}", rule.rule).removeprefix(BASE))
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith(f"{BASE}/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == set(OPERATIONS)
    first = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    added = {(one.method.lower(), one.path) for one in api_routes() if one.since}
    assert first < served
    assert served - first == added


def test_what_has_a_better_name_is_deprecated_in_the_newest_document_only() -> None:
    old = [one for one in api_routes() if one.replaced_by]
    assert len(old) >= 5
    for route in old:
        method, _space, path = route.replaced_by.partition(" ")
        assert NEWEST["paths"][path][method.lower()]["operationId"]
        assert NEWEST["paths"][route.path][route.method.lower()]["deprecated"] is True
        assert "deprecated" not in DOCUMENT["paths"][route.path][route.method.lower()]


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_every_answer_of_a_deprecated_route_says_since_until_and_instead(desk: ApiDesk, version: str) -> None:
    """A refusal, too: nothing these name exists."""
    for route in [one for one in api_routes() if one.replaced_by]:
        path = re.sub(r"\{\w+\}", "7", route.path)
        answer = desk.program.call(route.method, path, {}, headers={versions.HEADER: version})
        assert answer.headers["Deprecation"] == "@1795737600"
        assert answer.headers["Sunset"] == "Sat, 27 Nov 2027 00:00:00 GMT"
        instead = re.sub(r"\{\w+\}", "7", route.replaced_by.partition(" ")[2])
        assert f'<{BASE}{instead}>; rel="successor-version"' in answer.headers["Link"]
    stays = desk.program.call("GET", "/me", headers={versions.HEADER: version})
    assert not {"Deprecation", "Sunset", "Link"} & set(stays.headers.keys())


def test_the_document_is_served_without_a_key_and_printed_by_the_command(desk: ApiDesk) -> None:
    served = desk.app.test_client().get(f"{BASE}/openapi.json")
    assert served.json == json.loads(json.dumps(DOCUMENT))
    printed = CliRunner().invoke(main, ["openapi"], env={"LOBBY_PUBLIC_URL": "http://127.0.0.1:8080"})
    assert printed.exit_code == 0
    assert json.loads(printed.output) == served.json


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_the_command_prints_the_document_of_a_version(desk: ApiDesk, version: str) -> None:
    served = desk.app.test_client().get(f"{BASE}/openapi.json", headers={versions.HEADER: version})
    env = {"LOBBY_PUBLIC_URL": "http://127.0.0.1:8080"}
    printed = CliRunner().invoke(main, ["openapi", "--version", version], env=env)
    assert json.loads(printed.output) == served.json


def test_the_command_names_the_versions_there_are() -> None:
    printed = CliRunner().invoke(main, ["openapi", "--version", "2020-01-01"])
    assert printed.exit_code == 2
    assert all(version in printed.output for version in versions.VERSIONS)


def test_the_command_names_a_setting_that_cannot_be_used() -> None:
    printed = CliRunner().invoke(main, ["openapi"], env={"LOBBY_PUBLIC_URL": "nowhere"})
    assert printed.exit_code == Exit.SETTINGS
    assert "LOBBY_PUBLIC_URL" in printed.output


def test_every_reference_of_the_document_leads_somewhere() -> None:
    names = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))
    assert names
    for name in names:
        found: Any = DOCUMENT
        for part in name.split("/"):
            found = found[part]


def test_everything_in_the_document_is_explained() -> None:
    names = [route.operation for route in api_routes()]
    assert len(names) == len(set(names))
    for route in api_routes():
        assert route.summary, route.path
        assert route.description, route.path
        assert route.tag in {tag["name"] for tag in DOCUMENT["tags"]}, route.path
        if route.body is not None:
            assert route.examples, f"{route.path} shows no body"
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema.get("description") or "anyOf" in schema, name


def test_what_goes_over_the_wire_is_camel_case() -> None:
    schemas = DOCUMENT["components"]["schemas"].items()
    fields = {(name, field) for name, schema in schemas for field in schema.get("properties", ())}
    assert ("Message", "conversationId") in fields
    odd = {(name, field) for name, field in fields if not re.fullmatch(r"[a-z][a-zA-Z0-9]*", field)}
    assert odd == set()


@pytest.mark.parametrize(
    "route", [route for route in api_routes() if route.examples], ids=lambda one: one.operation
)
def test_the_examples_are_what_the_route_takes(route: Route) -> None:
    from host.api import reading

    for body in route.examples.values():
        reading.as_declared(body, route)


def test_the_page_for_people_loads_its_viewer_from_the_desk_and_browsers_keep_it(desk: ApiDesk) -> None:
    client = desk.app.test_client()
    page = client.get("/api/docs")
    assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert f'data-document="{BASE}/openapi.json"' in page.text
    files = re.findall(r'(?:src|href)="(/api/docs/viewer/[^"]+)"', page.text)
    assert [Path(file.partition("?")[0]).name for file in files] == ["swagger-ui.css", "swagger-ui-bundle.js"]
    for file in files:
        with client.get(file) as answer:
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]


@pytest.fixture
def furnished(database: db.Database, data: Path) -> ApiDesk:
    desk = open_api_desk(data, api_limit="1000000/minute")
    whole(desk.inbox)
    return desk


def real_ids(desk: ApiDesk) -> dict[str, int]:
    """Return the id of something that is there, for each place of a path."""
    conversation = desk.scene.conversation("ana.sample")
    messages = desk.program.get(f"/conversations/{conversation}/messages", limit=100)["data"]
    return {
        "conversation_id": conversation,
        "message_id": messages[-1]["id"],
        "contact_id": desk.program.get(f"/conversations/{conversation}")["contact"]["id"],
        "account_id": desk.inbox.account.id,
        "attachment_id": next(file["id"] for one in messages for file in one["attachments"] if file["size"]),
        **endpoint_ids(desk),
        **kept_ids(desk),
        **sent_ids(desk),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda one: one.value
)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_routes_do_what_the_document_says(
    furnished: ApiDesk, method: str, path: str, mode: GenerationMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api._Waiting, "enter", lambda *_: False)  # as if many waited for events
    version = {versions.HEADER: versions.CURRENT}
    schema = schemathesis.openapi.from_wsgi(f"{BASE}/openapi.json", furnished.app, headers=version)
    # The key is a good one whatever is drawn, so a bad one would be told as taken.
    schema.config.generation.update(with_security_parameters=False)
    too_much = schema.config.checks.negative_data_rejection
    too_much.expected_statuses = [*too_much.expected_statuses, "413"]
    operation = schema[path][method.upper()]
    key = {"Authorization": f"Bearer {furnished.program.token}"}
    headers = {**key, **version, "Accept-Encoding": "identity"}
    checks = [CHECKS.get_one(name) for name in CHECKS.get_all_names() if name not in LEFT_OUT]
    ids = real_ids(furnished)
    turn = iter(range(10**9))

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    def ask(case: Any) -> None:
        places = case.path_parameters or {}
        if mode is GenerationMode.POSITIVE and next(turn) % 3:
            places.update({name: ids[name] for name in places})
        case.call_and_validate(headers=headers, checks=checks)

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # there is nothing to get wrong


def test_two_types_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such types would be named after their modules, and a client's names change when one moves."""
    other = msgspec.defstruct("Team", [("name", str)], namespace={"__doc__": "Another team."})
    first = next(route for route in api_routes() if route.operation == "listMembers")
    more = [*api_routes(), replace(first, answer=other)]
    monkeypatch.setattr(openapi, "routes", lambda: more)
    openapi._made.cache_clear()
    with pytest.raises(ValueError, match=r"names of their own: .*\.Team"):
        document("http://127.0.0.1:8080")
