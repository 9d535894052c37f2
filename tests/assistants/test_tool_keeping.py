"""The tools of an assistant that are other programs: what may be kept."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from host.assistants import program_tools
from host.assistants.assistants import AssistantNotFoundError
from host.assistants.models import AssistantTool
from host.assistants.program_tools import (
    ToolError,
    TooManyToolsError,
)
from host.channels import tool_schemas
from host.core import db
from tests import helpers
from tests.assistants.staffed import SCHEMA, Staffed, wanted_tool
from tests.helpers import do
from tests.inbox import toys

SECRET = "Bearer shop-secret-42"
DEEP: dict[str, Any] = {"type": "object"}
for _ in range(60):
    DEEP = {"type": "object", "properties": {"x": DEEP}}


def made(staffed: Staffed, **more: Any) -> AssistantTool:
    return do(program_tools.create, staffed.workspace, staffed.assistant, wanted_tool(**more))


def test_a_tool_is_kept_with_its_secret_sealed(staffed: Staffed) -> None:
    row = made(staffed)
    with db.read() as session:
        stored = session.execute(sa.text("SELECT * FROM assistant_tools")).one()
        reached = program_tools.reached(row)
    assert "shop-secret-42" not in str(stored)
    assert reached.secret is not None
    assert reached.secret.reveal() == SECRET
    assert "shop-secret-42" not in repr(reached)
    assert program_tools.offer(row).parameters == SCHEMA


def test_a_secret_stays_unless_the_host_changes(staffed: Staffed) -> None:
    row = made(staffed)
    where = staffed.workspace, staffed.assistant, row.id
    do(program_tools.change, *where, wanted_tool(secret=None, url="https://shop.example.com/v2"))
    kept = program_tools.reached(toys.only(AssistantTool)).secret
    assert kept is not None
    assert kept.reveal() == SECRET
    with pytest.raises(ToolError) as refused:
        do(program_tools.change, *where, wanted_tool(secret=None, url="https://evil.example.com/"))
    assert refused.value.field == "secret"
    do(program_tools.change, *where, wanted_tool(secret="", url="https://evil.example.com/"))
    assert toys.only(AssistantTool).secret is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Order"}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "x" * 41}, "name"),
        ({"name": "answer"}, "name"),
        ({"name": "hand_over"}, "name"),
        ({"title": ""}, "title"),
        ({"about": " "}, "about"),
        ({"about": "x" * 1001}, "about"),
        ({"url": "http://shop.example.com/"}, "url"),
        ({"url": "https://127.0.0.1:9000/"}, "url"),
        ({"url": "https://user:word@shop.example.com/"}, "url"),
        ({"url": "https://shop.example.com:99999/"}, "url"),
        ({"url": ""}, "url"),
        ({"parameters": {"type": "array"}}, "parameters"),
        ({"parameters": {"type": "object", "properties": 5}}, "parameters"),
        ({"parameters": {"type": "object", "required": 5}}, "parameters"),
        ({"parameters": {"type": "object", "$ref": "https://evil.example.com/schema"}}, "parameters"),
        ({"parameters": {"type": "object", "description": "x" * 17_000}}, "parameters"),
        ({"parameters": DEEP}, "parameters"),
        ({"parameters": {"type": "object", "title": "a\x00b"}}, "parameters"),
        ({"parameters": {"type": "object", "title": "a\ud800b"}}, "parameters"),
        ({"effect": "destroys"}, "effect"),
        ({"header": "Host"}, "header"),
        ({"header": "X-Key: 1\r\nX"}, "header"),
        ({"header": "Idempotency-Key"}, "header"),
        ({"secret": "a\nb"}, "secret"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_field(
    staffed: Staffed, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(ToolError) as refused:
        made(staffed, **change)
    assert refused.value.field == field
    assert toys.everything(AssistantTool) == []


def test_names_are_given_once_and_there_are_twenty(staffed: Staffed) -> None:
    first = made(staffed)
    with pytest.raises(ToolError) as refused:
        made(staffed)
    assert refused.value.field == "name"
    for number in range(program_tools.MOST - 1):
        made(staffed, name=f"order_{number}")
    with pytest.raises(TooManyToolsError):
        made(staffed, name="one_more")
    where = staffed.workspace, staffed.assistant
    with pytest.raises(ToolError):
        do(program_tools.change, *where, first.id, wanted_tool(name="order_3"))
    assert do(program_tools.delete, *where, first.id) == "Order by number"


def test_another_workspace_has_none_of_it(staffed: Staffed) -> None:
    row, other = made(staffed), helpers.make_workspace("Other")
    with pytest.raises(AssistantNotFoundError):
        do(program_tools.create, other, staffed.assistant, wanted_tool(name="x"))
    with pytest.raises(AssistantNotFoundError):
        do(program_tools.change, other, staffed.assistant, row.id, wanted_tool(name="x"))
    with pytest.raises(AssistantNotFoundError):
        do(program_tools.delete, other, staffed.assistant, row.id)


def test_a_pattern_takes_no_time_that_explodes() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    assert tool_schemas.is_usable(schema)
    assert tool_schemas.wrong(schema, {"x": "a" * 50_000 + "b"}) != ""
    assert tool_schemas.wrong(schema, {"x": "a" * 50_000}) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, JSON)
def test_no_schema_and_no_arguments_raise(schema: Any, arguments: Any) -> None:
    tool_schemas.is_usable(schema)
    tool_schemas.wrong(schema if isinstance(schema, dict) else {}, arguments)
    assert tool_schemas.wrong(SCHEMA, arguments) != "" or set(arguments) == {"number"}
