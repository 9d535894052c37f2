"""Routes for an assistant's tools that are other programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from msgspec import UNSET, Meta, UnsetType, field
from sqlalchemy.orm import Session

from host.api.http.call import Call
from host.api.http.declare import Id, Moment, Router, Wire
from host.api.http.errors import BodyError
from host.assistants import assistants, program_tools, tools
from host.assistants.assistants import AssistantNotFoundError
from host.assistants.models import AssistantTool as Row
from host.assistants.program_tools import (
    ToolError,
    ToolInput,
    ToolNotFoundError,
    TooManyToolsError,
)
from host.core import db
from host.sdk.rules import ToolEffect
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Assistants", read=Scope.AUTOMATION_READ, write=Scope.SETTINGS_WRITE)

Effect = Annotated[
    Literal["reads", "reversible", "asks"],
    Meta(
        description=(
            "`reads`: it looks something up. `reversible`: a person can undo it easily. `asks`: "
            "everything else; a person approves each use."
        )
    ),
]
Secret = Annotated[str, Meta(max_length=5_000, description="ASCII on one line, at most 4,000 characters.")]
Parameters = Annotated[
    dict[str, Any],
    Meta(description="The JSON schema of the object a model fills in, of at most 16 KB."),
]


class AssistantTool(Wire, frozen=True):
    """Another program that an assistant can call. Its secret is never shown."""

    id: Id
    name: Annotated[str, Meta(description="The name the model uses.")]
    title: str
    about: Annotated[str, Meta(description="When the assistant should use it.")]
    url: str
    parameters: dict[str, Any]
    header: Annotated[str, Meta(description="The header that carries its secret.")]
    has_secret: bool
    effect: Effect
    uses: Annotated[int, Meta(description="Number of calls in 30 days.")]
    failed: Annotated[int, Meta(description="Number of those calls that failed.")]
    created_at: Moment


class AssistantTools(Wire, frozen=True):
    """An assistant's tools that are other programs, in the order they were added; at most 20."""

    data: list[AssistantTool]


class CreateAssistantTool(Wire, frozen=True):
    """A tool to create."""

    name: Annotated[
        str, Meta(max_length=200, description="Lowercase letters, digits and underscores, at most 40.")
    ]
    title: Annotated[str, Meta(max_length=500, description="What it does, in at most 64 characters.")]
    about: Annotated[str, Meta(max_length=5_000, description="When to use it, in at most 1,000 characters.")]
    url: Annotated[str, Meta(max_length=5_000, description="An https URL on port 443.")]
    effect: Effect = "asks"
    parameters: Annotated[Parameters | UnsetType, Meta(description="Left out: it fills in nothing.")] = UNSET
    header: Annotated[str, Meta(max_length=200, description="The header that carries its secret.")] = (
        "Authorization"
    )
    secret: Annotated[
        Secret | UnsetType | None,
        Meta(description="Omitted: unchanged, unless the URL has another host. Null: none."),
    ] = UNSET


class ReplaceAssistantTool(CreateAssistantTool, frozen=True):
    """A complete tool, in place of the one before."""


class Trial(Wire, frozen=True):
    """The arguments to try a tool with."""

    arguments: Annotated[dict[str, Any], Meta(description="The arguments a model would provide.")] = field(
        default_factory=dict
    )


class TriedTool(Wire, frozen=True):
    """The result of trying a tool."""

    good: Annotated[bool, Meta(description="Whether the response was valid.")]
    said: Annotated[str, Meta(description="The result for the model, or why it failed; never the secret.")]
    took_ms: int


SMALLEST: dict[str, Any] = {"type": "object", "properties": {}}
OF = (AssistantNotFoundError, ToolNotFoundError)
ERRORS = (BodyError, ToolError, AssistantNotFoundError)
EXAMPLE: dict[str, Any] = {
    "name": "order",
    "title": "Look up an order",
    "about": "When they ask where an order is.",
    "url": "https://shop.example.com/lobby/order",
    "effect": "reads",
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "integer"}},
        "required": ["number"],
    },
    "secret": "Bearer s3cret-of-the-shop",
}


def _shown(row: Row, uses: int = 0, failed: int = 0) -> AssistantTool:
    return AssistantTool.of(
        row,
        has_secret=row.secret is not None,
        effect=cast(Any, row.effect if row.effect in set(ToolEffect) else str(ToolEffect.ASKS)),
        uses=uses,
        failed=failed,
    )


def _one(session: Session, call: Call, assistant_id: int, tool_id: int) -> AssistantTool:
    assistants.get(session, call.workspace_id, assistant_id)
    program_tools.get(session, call.workspace_id, assistant_id, tool_id)
    found = [one for one in program_tools.listing(session, assistant_id) if one.row.id == tool_id]
    return _shown(found[0].row, found[0].uses, found[0].failed)


def _wanted(body: CreateAssistantTool) -> ToolInput:
    return ToolInput(
        name=body.name,
        title=body.title,
        about=body.about,
        url=body.url,
        parameters=SMALLEST if body.parameters is UNSET else body.parameters,
        header=body.header,
        secret=None if body.secret is UNSET else body.secret or "",
        effect=body.effect,
    )


@routes.get(
    "/assistants/{assistant_id}/tools", "List tools of an assistant", errors=(AssistantNotFoundError,)
)
def list_assistant_tools(call: Call, assistant_id: int) -> AssistantTools:
    """Tools that are other programs. Built-in ones and those of addons are in its `body.tools`."""
    with db.read() as session:
        assistants.get(session, call.workspace_id, assistant_id)
        found = program_tools.listing(session, assistant_id)
        return AssistantTools(data=[_shown(one.row, one.uses, one.failed) for one in found])


@routes.post(
    "/assistants/{assistant_id}/tools",
    "Add a tool to an assistant",
    location="/assistants/{assistant_id}/tools/{id}",
    errors=(*ERRORS, TooManyToolsError),
    examples={"An order of the shop": EXAMPLE},
)
def create_assistant_tool(call: Call, assistant_id: int, body: CreateAssistantTool) -> AssistantTool:
    """From now on, customers' messages can be sent to its URL. The audit log records the key."""
    return call.write(lambda work: _shown(program_tools.create(work, assistant_id, _wanted(body))))


@routes.get("/assistants/{assistant_id}/tools/{tool_id}", "Get a tool of an assistant", errors=OF)
def get_assistant_tool(call: Call, assistant_id: int, tool_id: int) -> AssistantTool:
    """Includes whether the tool has a secret, but never the secret."""
    with db.read() as session:
        return _one(session, call, assistant_id, tool_id)


@routes.put(
    "/assistants/{assistant_id}/tools/{tool_id}",
    "Replace a tool of an assistant",
    errors=(*ERRORS, ToolNotFoundError),
    examples={"Keep its secret": {name: value for name, value in EXAMPLE.items() if name != "secret"}},
)
def replace_assistant_tool(
    call: Call, assistant_id: int, tool_id: int, body: ReplaceAssistantTool
) -> AssistantTool:
    """A secret is bound to its host: enter it again for another host."""

    def change(work: UnitOfWork) -> AssistantTool:
        program_tools.change(work, assistant_id, tool_id, _wanted(body))
        return _one(work.session, call, assistant_id, tool_id)

    return call.write(change)


@routes.post(
    "/assistants/{assistant_id}/tools/{tool_id}/try",
    "Try a tool of an assistant",
    errors=(ToolError, *OF),
    examples={"With a number": {"arguments": {"number": 10482}}},
)
def try_assistant_tool(call: Call, assistant_id: int, tool_id: int, body: Trial) -> TriedTool:
    """Calls the program once, marked as a test. Nothing is stored."""
    tried = tools.try_one(call.workspace_id, assistant_id, tool_id, body.arguments)
    return TriedTool(good=tried.is_good, said=tried.said, took_ms=tried.ms)


@routes.delete("/assistants/{assistant_id}/tools/{tool_id}", "Delete a tool of an assistant", errors=OF)
def delete_assistant_tool(call: Call, assistant_id: int, tool_id: int) -> None:
    """Its past calls stay with their turns."""
    call.write(lambda work: program_tools.delete(work, assistant_id, tool_id))
