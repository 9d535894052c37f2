"""The client has all that the API's document has: calls, parameters, fields of bodies and words."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients.python.tests.test_calls import DOCUMENT, bodies
from tools import api_document

from lobby_client import Lobby, types
from lobby_client._async import client
from lobby_client._given import Sendable

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {
    name: type(value)
    for name, value in vars(Lobby("https://desk.example.com", api_key="k")).items()
    if not name.startswith("_")
}
LEFT_OUT = {
    "editMessage": {"text"},  # in `edit`, beside `reschedule`
}
"""Parameters that a call has by another name, and fields of another call."""
SOURCE = Path(str(client.__file__)).read_text()
HELPERS = {found[1]: found[0] for found in re.finditer(r"^def (_\w+)\(.*?\n(?=\n\n|\Z)", SOURCE, re.M | re.S)}


def calls(group: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(group, inspect.isfunction) if not name.startswith("_")}


def operations() -> Iterator[tuple[str, Any, str]]:
    """Yield id, description and source of the call of each operation."""
    found = bodies()
    for name, (method, path, operation) in api_document.operations(DOCUMENT).items():
        source = found[method, re.sub(r"\{\w+\}", "{}", path)]
        yield name, operation, re.sub(r'""".*?"""', "", source, flags=re.DOTALL)


def test_the_readme_has_every_call() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| `client\.(\w+)` \| (.*) \|$", readme, re.MULTILINE))
    assert {name: set(re.findall(r"`(\w+)`", row)) for name, row in rows.items()} == {
        name: calls(group) for name, group in GROUPS.items()
    }


def test_every_operation_has_a_call_with_all_its_parameters() -> None:
    asked = 0
    for name, operation, source in operations():
        for parameter in operation["parameters"]:
            if parameter["in"] == "query" and not parameter.get("deprecated"):
                asked += 1
                given = parameter["name"] in LEFT_OUT.get(name, ()) or _mentions(source, parameter["name"])
                assert given, (name, parameter["name"])
    assert asked > 50


def test_no_call_sends_a_deprecated_parameter() -> None:
    asked = 0
    for name, operation, source in operations():
        sent = set(re.findall(r'"(\w+)": ', source))
        for parameter in operation["parameters"]:
            if parameter.get("deprecated"):
                asked += 1
                assert parameter["name"] not in sent, name
    assert asked


def test_every_field_of_a_body_is_in_its_call() -> None:
    asked = 0
    for name, operation, source in operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {"schema": {}})
        if "$ref" in content["schema"]:  # the forms of a message have dataclasses
            schema = DOCUMENT["components"]["schemas"][api_document.name_of(content["schema"])]
            whole = source + "".join(text for helper, text in HELPERS.items() if f"{helper}(" in source)
            for field in schema.get("properties", {}):
                asked += 1
                assert field in LEFT_OUT.get(name, ()) or _mentions(whole, field), (name, field)
    assert asked > 100


def test_every_call_takes_the_version_that_its_operation_takes() -> None:
    for name, operation, source in operations():
        takes = any(one["name"] == "If-Match" for one in operation["parameters"])
        assert takes == ("if_match=if_match" in source), name


def _mentions(source: str, name: str) -> bool:
    snake = re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name)
    return re.search(rf"\b({name}|{snake}_?)\b", source) is not None


def test_words_of_the_document_are_words_of_the_calls() -> None:
    asked = 0
    for name, operation, source in operations():
        method = re.match(r"(\w+)\(", source)
        assert method is not None
        for parameter in operation["parameters"]:
            words = parameter["schema"].get("enum")
            if parameter["in"] == "query" and words:
                asked += 1
                hint = _hint(method[1], parameter["name"], set(words))
                assert hint, (name, parameter["name"])
    assert asked > 5


def _hint(method: str, parameter: str, words: set[str]) -> bool:
    """Return whether a call of that name takes exactly these words for the parameter."""
    snake = re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", parameter)
    for group in GROUPS.values():
        call = getattr(group, method, None)
        hint = typing.get_type_hints(call).get(snake) if call is not None else None
        for choice in typing.get_args(hint):
            if set(typing.get_args(choice)) == words:
                return True
    return False


def test_every_kind_of_message_can_be_sent() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    forms = {
        name for name, schema in schemas.items() if name.startswith("Send") and "kind" in schema["properties"]
    }
    assert {form.__name__ for form in typing.get_args(Sendable)} == forms


@pytest.mark.parametrize("form", ["SendContent", "SendText", "SendImage", "SendPost"])
def test_a_form_of_a_message_has_all_fields(form: str) -> None:
    properties = DOCUMENT["components"]["schemas"][form]["properties"]
    fields = {re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name) for name in properties}
    assert set(getattr(types, form).__dataclass_fields__) == fields
