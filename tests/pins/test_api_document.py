"""The API's document without its words: operations, parameters, bodies, answers, types and events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from host.api.http import versions
from host.api.http.openapi import document
from tests.pins.pinning import changes, hold

WORDS = {"description", "summary", "title", "examples", "example"}
"""What a schema holds for people."""
CODE = re.compile(r"^- `(\w+)`", re.MULTILINE)


def facts(made: Mapping[str, Any]) -> list[str]:
    """Return a line for each fact of the document *made*."""
    lines = [f"security {name}" for name in made["components"]["securitySchemes"]]
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            head = f"{path} {method.upper()}"
            lines += [f"{head} {fact}" for fact in _operation(operation)]
    for name, hook in made["webhooks"].items():
        post = hook["post"]
        lines += [f"event {name} {fact}" for fact in _contents("is", post["requestBody"])]
        lines += [f"events {fact}" for fact in (*_parameters(post), *_answers(post))]
    for name, schema in made["components"]["schemas"].items():
        lines += _type(name, schema)
    return sorted(set(lines))


def _operation(operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"is {operation['operationId']} of {', '.join(operation['tags'])}"
    if "security" in operation:
        yield f"security {operation['security']}"
    if "requestBody" in operation:
        mark = "*" if operation["requestBody"].get("required") else ""
        yield from _contents(f"body{mark}", operation["requestBody"])
    yield from _parameters(operation)
    yield from _answers(operation)


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    for one in operation["parameters"]:
        yield f"{one['in']} {one['name']}{'*' if one.get('required') else ''}: {_short(one['schema'])}"


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each answer that holds something, and one for all refusals, by their codes."""
    refused = []
    for status, answer in operation["responses"].items():
        if codes := CODE.findall(answer["description"]):
            refused.append(f"{status} {' '.join(codes)}")
            continue
        headers = "".join(f", {name}" for name in answer.get("headers", ()))
        yield from (
            _contents(f"answers {status}{headers},", answer)
            if "content" in answer
            else [f"answers {status}{headers}"]
        )
    if refused:
        yield f"refuses: {'; '.join(refused)}"


def _contents(what: str, holder: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in holder.get("content", {}).items():
        yield f"{what} {kind}: {_short(content['schema'])}"


def _type(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each field of a type, and one for what it is besides; ``*``: it has to be there."""
    fields = schema.get("properties", {})
    rest = {key: value for key, value in schema.items() if key not in {"properties", "required"}}
    yield f"type {name}: {_short(rest)}"
    for field, kind in fields.items():
        mark = "*" if field in schema.get("required", ()) else ""
        yield f"type {name}.{field}{mark}: {_short(kind)}"


def _short(schema: Any) -> str:
    """Return a schema in one line, without what it says to people."""
    if not isinstance(schema, dict):
        return json.dumps(schema, ensure_ascii=False)
    left = {key: value for key, value in schema.items() if key not in WORDS}
    said = []
    if "$ref" in left:
        said.append(left.pop("$ref").rpartition("/")[2])
    for key in ("anyOf", "oneOf"):
        if key in left:
            said.append(f"({' | '.join(_short(one) for one in left.pop(key))})")
    if left.get("type") == "array":
        left.pop("type")
        said.append(f"[{_short(left.pop('items', {}))}]")
    if "type" in left:
        said.append(str(left.pop("type")))
    for key in ("properties", "additionalProperties", "patternProperties"):
        if isinstance(left.get(key), dict):
            of = left.pop(key)
            inner = _short(of) if key == "additionalProperties" else _fields(of)
            said.append(f"{key} {{{inner}}}")
    return " ".join([*said, *(f"{key}={_short(value)}" for key, value in sorted(left.items()))])


def _fields(properties: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_short(kind)}" for name, kind in properties.items())


def test_the_document_says_what_it_said() -> None:
    hold("api", facts(document("http://127.0.0.1:8080")))


def test_each_newer_version_differs_from_the_first_as_it_did() -> None:
    """The file of a version has only the lines that the first has not (``+``), or it has not (``-``)."""
    first = facts(document("http://127.0.0.1:8080"))
    for version in versions.VERSIONS[1:]:
        newer = facts(document("http://127.0.0.1:8080", version=version))
        assert newer != first
        hold(f"api-{version}", changes(first, newer))


def test_a_field_an_answer_and_a_parameter_that_change_are_seen_and_words_are_not() -> None:
    made = document("http://127.0.0.1:8080")
    before = facts(made)
    made = deepcopy(made)
    made["components"]["schemas"]["Team"]["properties"]["name"]["description"] = "Other words."
    assert changes(before, facts(made)) == []
    made["components"]["schemas"]["Team"]["required"].remove("name")
    answers = made["paths"]["/teams"]["post"]["responses"]
    answers["202"] = answers.pop("201")
    made["paths"]["/search"]["get"]["parameters"].pop()
    del made["webhooks"]["note.added"]
    found = changes(before, facts(made))
    assert [re.split(", |: ", line)[0] for line in found] == [
        "-/search GET query cursor",
        "-/teams POST answers 201",
        "+/teams POST answers 202",
        "-event note.added is application/json",
        "-type Team.name*",
        "+type Team.name",
    ]
