"""The API document has none of the traps that generators of clients fall into."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

import jsonschema_rs
import pytest

from host.api.http import posted, schemas, versions
from host.api.http.declare import BASE, TAGS
from host.api.http.openapi import document
from host.core import db
from host.events.bodies import samples
from host.events.bodies.building import tombstone
from host.sdk.outgoing import OutgoingKind
from tests.api.desks import open_api_desk
from tests.inbox import toys

METHODS = {"post": "Create", "patch": "Update"}
NOT_OF_ONE_THING = {
    "approveToolCall",
    "connectAccount",
    "dismissPastAnswer",
    "markConversationRead",
    "markConversationUnread",
    "previewMessage",
    "retryMessage",
    # These POSTs act, and these PATCHes judge, instead of making or changing the thing of their path.
    *("handOverConversation", "passConversation", "takeConversation", "releaseControl"),
    *("showTyping", "sendMessage"),
    *("moveSequence", "startSequenceRun", "turnOffSequence"),
    *("mergeLabel", "moveRule", "tryAssistantCases", "playAssistant", "tryAssistantTool", "judgeTurn"),
    *("mergeContact", "optContactOut", "splitContact", "replayDeliveries"),
}


def operations(made: Mapping[str, Any], part: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in made[part].values():
        yield from path.items()


def twice(names: Iterable[str]) -> list[str]:
    """Return the names that are the same in a file system, or in a language, that ignores case."""
    counted = Counter(re.sub(r"[^a-z0-9]", "", name.lower()) for name in names)
    return sorted(name for name, count in counted.items() if count > 1)


def nested(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield *schema* and every schema in it."""
    if isinstance(schema, list):
        for one in schema:
            yield from nested(one)
    elif isinstance(schema, dict):
        yield schema
        inner = [*schema.get("properties", {}).values(), schema.get("anyOf", []), schema.get("oneOf", [])]
        for one in (*inner, schema.get("items"), schema.get("additionalProperties")):
            yield from nested(one)


def inline(made: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every schema that is not a component itself."""
    for schema in made["components"]["schemas"].values():
        yield from list(nested(schema))[1:]
    for _method, operation in (*operations(made, "paths"), *operations(made, "webhooks")):
        for parameter in operation["parameters"]:
            yield from nested(parameter["schema"])
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in holder.get("content", {}).values():
                yield from nested(content["schema"])


def untyped(made: Mapping[str, Any]) -> Iterator[str]:
    """Yield the webhooks that openapi-generator writes no Python for, or none with a type of its own."""
    for _method, one in operations(made, "webhooks"):
        name = one.get("operationId", "")
        body = one["requestBody"]
        event = body["content"]["application/json"]["schema"]["properties"]["event"]
        hints = [parameter.get("x-py-typing") for parameter in one["parameters"]]
        if (
            {*hints} != {"StrictStr"}
            or body.get("x-py-typing") != f"{name[:1].upper()}{name[1:]}Request"
            or not body.get("required")
            or (event.get("type"), len(event.get("enum", ()))) != ("string", 1)
        ):
            yield name


def traps(made: Mapping[str, Any]) -> list[str]:
    """Return a line for each thing in *made* that some generator makes a broken client of."""
    named = made["components"]["schemas"]
    every = [one for _method, one in (*operations(made, "paths"), *operations(made, "webhooks"))]
    ids = [one.get("operationId", "") for one in every]
    found = [f"operation without an id: {one['summary']}" for one in every if not one.get("operationId")]
    found += [f"operation id: {name}" for name in ids if name and not re.fullmatch("[a-z][a-zA-Z0-9]*", name)]
    found += [f"operation id twice: {name}" for name in twice(filter(None, ids))]
    # TypeScript: one class for each tag, and the one of the webhooks would be written over the other.
    of_paths, of_webhooks = (
        {tag for _method, one in operations(made, part) for tag in one["tags"]}
        for part in ("paths", "webhooks")
    )
    found += [f"tag of paths and webhooks: {tag}" for tag in sorted(of_paths & of_webhooks)]
    found += [f"tag twice: {tag}" for tag in twice(of_paths | of_webhooks)]
    found += [f"schema name: {name}" for name in named if not re.fullmatch("[A-Z][a-zA-Z0-9]*", name)]
    found += [f"schema name twice: {name}" for name in twice(named)]
    # Go: each type X has a constructor NewX and a wrapper NullableX; each operation a type ApiYRequest.
    made_by_go = {f"{word}{name}" for name in named for word in ("New", "Nullable")}
    made_by_go |= {f"Api{name[:1].upper()}{name[1:]}Request" for name in ids}
    found += [f"name that Go needs: {name}" for name in sorted(made_by_go & set(named))]
    # TypeScript: the parameters of each operation are a type of this name.
    of_operations = {f"{name[:1].upper()}{name[1:]}Request" for name in ids}
    found += [f"name that TypeScript needs: {name}" for name in sorted(of_operations & set(named))]
    found += [f"webhook without a type: {name}" for name in untyped(made)]
    # Python: a type is named after its title.
    found += [
        f"title of {name}: {one.get('title')}" for name, one in named.items() if one.get("title") != name
    ]
    # TypeScript: properties are in camelCase, so ``request_id`` and ``requestId`` would be one.
    found += [
        f"field of {name} twice: {field}"
        for name, one in named.items()
        for field in twice(one.get("properties", ()))
    ]
    found += [f"title inside: {one['title']}" for one in inline(made) if isinstance(one.get("title"), str)]
    whole = [*named.values(), *inline(made)]
    found += [f"object as default: {one['default']}" for one in whole if isinstance(one.get("default"), dict)]
    found += [
        f"integer of 32 bits: {one}"
        for one in whole
        if one.get("type") == "integer" and "format" not in one and one.get("maximum", 2**31) >= 2**31
    ]
    found += [f"enum of booleans: {one['enum']}" for one in whole if True in one.get("enum", ())]
    found += [
        "several types, of which one fits" for one in whole if "anyOf" in one and "discriminator" in one
    ]
    found += [
        f"answer of any type alone: {one['operationId']}"
        for one in every
        for answer in one["responses"].values()
        if list(answer.get("content", ())) == ["*/*"]
    ]
    text = json.dumps(made)
    found += [f"nothing needs: {name}" for name in named if f'"#/components/schemas/{name}"' not in text]
    return found


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_the_document_has_no_trap(version: str) -> None:
    assert traps(document("https://desk.example.com", version=version)) == []


def rename(made: dict[str, Any], name: str, to: str) -> None:
    text = json.dumps(made).replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{to}"')
    parts = json.loads(text)
    parts["components"]["schemas"][to] = {**parts["components"]["schemas"].pop(name), "title": to}
    made.update(parts)


def _post(made: dict[str, Any]) -> Any:
    return made["webhooks"]["message.received"]["post"]


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "operation without an id: A customer's message arrived.": lambda made: _post(made).pop("operationId"),
    "operation id: on-message": lambda made: _post(made).update(operationId="on-message"),
    "operation id twice: listlabels": lambda made: _post(made).update(operationId="listLabels"),
    "tag of paths and webhooks: Events": lambda made: _post(made).update(tags=["Events"]),
    "tag twice: cannedreplies": lambda made: _post(made).update(tags=["CannedReplies"]),
    "schema name: host.api.shapes.Team": lambda made: rename(made, "Team", "host.api.shapes.Team"),
    "schema name twice: team": lambda made: rename(made, "Post", "TEAM"),
    "name that Go needs: NewTeam": lambda made: rename(made, "CreateTeam", "NewTeam"),
    "name that Go needs: NullableTeam": lambda made: rename(made, "CreateTeam", "NullableTeam"),
    "name that Go needs: ApiCreateLabelRequest": lambda made: rename(
        made, "CreateLabel", "ApiCreateLabelRequest"
    ),
    "name that TypeScript needs: CreateLabelRequest": lambda made: rename(
        made, "CreateLabel", "CreateLabelRequest"
    ),
    "title of EventPerson: Person": lambda made: made["components"]["schemas"]["EventPerson"].update(
        title="Person"
    ),
    "title inside: Query": lambda made: made["paths"]["/search"]["get"]["parameters"][0]["schema"].update(
        title="Query"
    ),
    "field of Error twice: requestid": lambda made: made["components"]["schemas"]["Error"][
        "properties"
    ].update(request_id={"type": "string"}),
    "object as default: {'seconds': 20}": lambda made: made["components"]["schemas"]["AssistantBodyInput"][
        "properties"
    ]["limits"].update(default={"seconds": 20}),
    "integer of 32 bits: {'type': 'integer'}": lambda made: made["components"]["schemas"]["Team"][
        "properties"
    ].update(size={"type": "integer"}),
    "enum of booleans: [True]": lambda made: made["components"]["schemas"]["Replay"]["properties"][
        "failed"
    ].update(enum=[True]),
    "several types, of which one fits": lambda made: made["components"]["schemas"]["SendContent"][
        "properties"
    ]["content"].update(anyOf=[]),
    "answer of any type alone: exportContact": lambda made: made["paths"]["/contacts/{contact_id}/export"][
        "get"
    ]["responses"]["200"]["content"].pop("application/octet-stream"),
    "webhook without a type: onMessageReceived": lambda made: _post(made)["parameters"][1].pop("x-py-typing"),
    "webhook without a type: onLabelDeleted": lambda made: made["webhooks"]["label.deleted"]["post"][
        "requestBody"
    ].pop("x-py-typing"),
    "webhook without a type: onTeamDeleted": lambda made: made["webhooks"]["team.deleted"]["post"][
        "requestBody"
    ]["content"]["application/json"]["schema"]["properties"].update(event={"const": "team.deleted"}),
    "nothing needs: Lost": lambda made: made["components"]["schemas"].update(Lost={"title": "Lost"}),
}


@pytest.mark.parametrize("found", BROKEN)
def test_each_trap_is_found(found: str) -> None:
    made = deepcopy(document("https://desk.example.com"))
    BROKEN[found](made)
    assert found in traps(made)


def test_a_body_that_creates_or_changes_something_says_so_in_its_name() -> None:
    made = document("https://desk.example.com")
    asked = {
        operation["operationId"]: (method, content["schema"].get("$ref", "").rpartition("/")[2])
        for method, operation in operations(made, "paths")
        for content in [operation.get("requestBody", {"content": {}})["content"].get("application/json")]
        if content is not None
    }
    assert set(asked) >= NOT_OF_ONE_THING
    odd = {
        name: body
        for name, (method, body) in asked.items()
        if method in METHODS and name not in NOT_OF_ONE_THING and not body.startswith(METHODS[method])
    }
    assert odd == {}


def test_a_schema_is_made_portable_wherever_it_is() -> None:
    bad = {"type": "object", "default": {"a": 1}}
    good = {"type": "object"}
    one_of = {"anyOf": [bad], "discriminator": {"propertyName": "kind"}}
    assert schemas.portable(
        {
            "properties": {
                "default": {"type": "string", "default": ""},
                "enum": {"enum": [True]},
                "many": one_of,
            },
            "anyOf": [bad, {"type": "null"}],
            "items": {"type": "integer", "maximum": 2**31},
            "additionalProperties": bad,
        }
    ) == {
        "properties": {
            "default": {"type": "string", "default": ""},
            "enum": {"type": "boolean", "const": True},
            "many": {"oneOf": [good], "discriminator": {"propertyName": "kind"}},
        },
        "anyOf": [good, {"type": "null"}],
        "items": {"type": "integer", "maximum": 2**31, "format": "int64"},
        "additionalProperties": good,
    }
    assert schemas.portable({"type": "integer", "maximum": 100}) == {"type": "integer", "maximum": 100}
    assert schemas.portable({"enum": [1]}) == {"enum": [1]}
    assert schemas.portable(True) is True


def test_an_event_and_an_answer_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posted, "described", lambda _adapters: ({}, {"Team": {}}))
    with pytest.raises(ValueError, match=r"names of their own: Team"):
        document("https://desk.example.com")


class Waving(toys.Toy):
    """A channel with events of its own, two of them with names that look alike."""

    outgoing_kinds: ClassVar[Sequence[OutgoingKind]] = (
        OutgoingKind(
            "email.wave", "A customer waved.", {"hand": "left", "times": 2, "fingers": [{"bent": True}]}
        ),
        OutgoingKind("email.big_wave", "A customer waved wildly."),
        OutgoingKind(
            "email.big.wave", "A customer waved as if at sea.", {"force": 1.5, "why": None, "to": []}
        ),
    )


def test_the_document_of_a_running_desk_has_the_events_of_its_channels(
    database: db.Database, data: Any
) -> None:
    toy = Waving()
    desk = open_api_desk(data, toy)
    made: Any = desk.app.test_client().get(f"{BASE}/openapi.json").json
    assert traps(made) == []
    hosts = document("https://desk.example.com")["webhooks"]
    added = {name: path["post"] for name, path in made["webhooks"].items() if name not in hosts}
    assert {name: one["operationId"] for name, one in added.items()} == {
        "email.wave": "onEmailWave",
        "email.big_wave": "onEmailBigWave",
        "email.big.wave": "onEmailBigWaveOf",
    }
    for kind in samples.of_channel(toy):
        schema = added[kind.name]["requestBody"]["content"]["application/json"]["schema"]
        holds = jsonschema_rs.validator_for({**schema, "components": made["components"]})
        holds.validate({"event": kind.name, "data": dict(kind.sample)})
        holds.validate({"event": kind.name, "data": {**kind.sample, "another": 1}})
        holds.validate({"event": kind.name, "data": tombstone(kind.sample)})
        assert not holds.is_valid({"event": kind.name, "data": {**kind.sample, "from": 1}})
        assert not holds.is_valid({"event": "email.other", "data": dict(kind.sample)})


def test_webhooks_have_a_tag_that_is_explained() -> None:
    made = document("https://desk.example.com")
    assert {tag for _method, one in operations(made, "webhooks") for tag in one["tags"]} == {"Webhooks"}
    assert {"name": "Webhooks", "description": TAGS["Webhooks"]} in made["tags"]
