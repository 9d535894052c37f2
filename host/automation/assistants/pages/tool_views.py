"""The tools of an assistant: the desk's own and other programs, what each may do, and trying one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.automation.assistants import keeping, tool_keeping, tools
from host.automation.assistants.keeping import AssistantNotFoundError
from host.automation.assistants.tool_keeping import (
    ToolError,
    ToolNotFoundError,
    Wanted,
)
from host.automation.assistants.tools import Tried
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.models.assistants import Assistant, AssistantTool
from host.sdk.rules import ToolEffect
from host.users.pages import sudo
from host.web.request_helpers import (
    Permission,
    audit,
    current_user,
    flash_good,
    workspace_view,
)

bp = Blueprint("assistant_tools", __name__)

TOOLS = "/w/<int:workspace_id>/assistants/<int:assistant_id>/tools"
ONE = f"{TOOLS}/<int:tool_id>"
SMALLEST = '{\n  "type": "object",\n  "properties": {}\n}'

EFFECTS = {
    ToolEffect.READS: _l("Reads only"),
    ToolEffect.REVERSIBLE: _l("Reversible"),
    ToolEffect.ASKS: _l("Asks a person first"),
}
EFFECTS_SAY = {
    ToolEffect.READS: _l("It looks something up. The assistant uses it by itself."),
    ToolEffect.REVERSIBLE: _l("A person can undo it at once. The assistant uses it by itself."),
    ToolEffect.ASKS: _l("Everything else, such as money or deleting. A person says yes each time."),
}


@dataclass(frozen=True, slots=True)
class OfDesk:
    """A tool of the desk or of an addon.

    :param asked_as: what a model asks for it by, where that is not its name.
    """

    name: str
    title: LazyString
    about: LazyString
    effect: ToolEffect
    asked_as: str = ""


OWN = (
    OfDesk(
        "contact",
        _l("What is known of the customer"),
        _l("Name, handle, attributes and labels"),
        ToolEffect.READS,
    ),
    OfDesk("label", _l("Set a label"), _l("One that exists"), ToolEffect.REVERSIBLE),
    OfDesk("hand_over", _l("Give to a person"), _l("With a reason for the team"), ToolEffect.REVERSIBLE),
    OfDesk("close", _l("Close the conversation"), _l("When nothing is left to do"), ToolEffect.ASKS),
)


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as somebody filled it in."""

    name: str = ""
    title: str = ""
    about: str = ""
    url: str = ""
    parameters: str = SMALLEST
    header: str = "Authorization"
    effect: str = ToolEffect.ASKS


@bp.get(TOOLS)
@workspace_view(Permission.ACCOUNTS)
def index(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """List the tools with what each may do and how often it was used."""
    with db.read() as session:
        assistant = keeping.get(session, workspace_id, assistant_id)
        listed = tool_keeping.listing(session, assistant_id)
        body = tool_keeping.body_of(session, assistant)
        uses = tool_keeping.uses_of(session, assistant_id, clock.now() - tool_keeping.LATELY)
    return render_template(
        "automation/assistant_tools.html",
        assistant=assistant,
        tab="tools",
        own=_own(),
        in_use=None if body is None else frozenset(body.builtin),
        uses={name: number for name, (number, _failed) in uses.items()},
        listed=listed,
        effects=EFFECTS,
        host=_host,
        most=tool_keeping.MOST,
    )


def _own() -> list[OfDesk]:
    """Return the desk's tools and those that active addons bring, which say where they are used."""
    directory = current_directory()
    brought = [
        OfDesk(
            one.name,
            _l(one.title),
            _l("In conversations of %(channel)s", channel=directory.label(one.channel)),
            one.effect,
            tool_keeping.asked_as(one),
        )
        for one in directory.tools.values()
    ]
    return [*OWN, *brought]


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


@bp.post(f"{TOOLS}/built-in")
@workspace_view(Permission.ACCOUNTS)
def built_in(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Choose which of the desk's own tools the assistant may use: a new version of it."""
    wanted = frozenset(request.form.getlist("builtin"))

    def use_case(session: Session) -> None:
        before = keeping.get(session, workspace_id, assistant_id).version
        row = tool_keeping.use_built_in(
            session,
            workspace_id=workspace_id,
            assistant_id=assistant_id,
            wanted=wanted,
            brought=current_directory().tools,
            author=current_user().name,
            now=clock.now(),
        )
        if row.version != before:
            details = {"of": row.name}
            what = ", ".join(str(one.title) for one in _own() if one.name in wanted) or "–"
            audit(session, "assistant_tool.chosen", what, workspace_id=workspace_id, details=details)

    db.write(use_case)
    flash_good(_("Saved."))
    return redirect(
        url_for("assistant_tools.index", workspace_id=workspace_id, assistant_id=assistant_id), 303
    )


@bp.get(f"{TOOLS}/new")
@workspace_view(Permission.ACCOUNTS)
def new(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Ask for a tool."""
    return _form(_its(workspace_id, assistant_id), Filled())


@bp.post(f"{TOOLS}/new")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Give the assistant a tool. What customers write may go there, so the password is asked for."""
    assistant, filled = _its(workspace_id, assistant_id), _given()

    def use_case(session: Session) -> AssistantTool:
        row = tool_keeping.create(session, workspace_id, assistant_id, _wanted(filled))
        _audit(session, "added", row.title, assistant)
        return row

    return _saved(assistant, filled, None, use_case)


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
def tool(workspace_id: int, assistant_id: int, tool_id: int) -> ResponseReturnValue:
    """Show a tool, without its secret."""
    assistant, row = _one(workspace_id, assistant_id, tool_id)
    return _form(assistant, _filled(row), row)


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, assistant_id: int, tool_id: int) -> ResponseReturnValue:
    """Change a tool."""
    assistant, before = _one(workspace_id, assistant_id, tool_id)
    filled = _given()

    def use_case(session: Session) -> AssistantTool:
        row = tool_keeping.change(session, workspace_id, assistant_id, tool_id, _wanted(filled))
        _audit(session, "changed", row.title, assistant)
        return row

    return _saved(assistant, filled, before, use_case)


def _saved(
    assistant: Assistant, filled: Filled, before: AssistantTool | None, use_case: Any
) -> ResponseReturnValue:
    try:
        sudo.require()
        row = db.write(use_case)
    except (AssistantNotFoundError, ToolNotFoundError):
        raise
    except LobbyError as error:  # a missing password, too: the page that asks for one would carry the secret
        return _form(assistant, filled, before, problem=error)
    flash_good(_("The tool %(name)s is saved.", name=row.title))
    return redirect(
        url_for("assistant_tools.index", workspace_id=assistant.workspace_id, assistant_id=assistant.id), 303
    )


@bp.post(f"{ONE}/try")
@workspace_view(Permission.ACCOUNTS)
def try_it(workspace_id: int, assistant_id: int, tool_id: int) -> ResponseReturnValue:
    """Use a tool once with what somebody typed, and show what it said. It is told that it is a trial."""
    assistant, row = _one(workspace_id, assistant_id, tool_id)
    given = request.form.get("arguments", "")
    try:
        tried = tools.try_one(workspace_id, assistant_id, tool_id, _json(given, "arguments"))
    except ToolError as error:
        return _form(assistant, _filled(row), row, problem=error, arguments=given)
    return _form(assistant, _filled(row), row, tried=tried, arguments=given)


@bp.post(f"{ONE}/delete")
@workspace_view(Permission.ACCOUNTS)
def delete(workspace_id: int, assistant_id: int, tool_id: int) -> ResponseReturnValue:
    """Take a tool away from the assistant."""
    assistant = _its(workspace_id, assistant_id)

    def use_case(session: Session) -> str:
        title = tool_keeping.delete(session, workspace_id, assistant_id, tool_id)
        _audit(session, "deleted", title, assistant)
        return title

    flash_good(_("The tool %(name)s is gone.", name=db.write(use_case)))
    return redirect(
        url_for("assistant_tools.index", workspace_id=workspace_id, assistant_id=assistant_id), 303
    )


def _its(workspace_id: int, assistant_id: int) -> Assistant:
    with db.read() as session:
        return keeping.get(session, workspace_id, assistant_id)


def _one(workspace_id: int, assistant_id: int, tool_id: int) -> tuple[Assistant, AssistantTool]:
    with db.read() as session:
        assistant = keeping.get(session, workspace_id, assistant_id)
        return assistant, tool_keeping.get(session, workspace_id, assistant_id, tool_id)


def _audit(session: Session, what: str, title: str, assistant: Assistant) -> None:
    details = {"of": assistant.name}
    audit(session, f"assistant_tool.{what}", title, workspace_id=assistant.workspace_id, details=details)


# ---- the form ------------------------------------------------------------------------------------------


def _given() -> Filled:
    names = ("name", "title", "about", "url", "parameters", "header", "effect")
    return Filled(**{name: request.form.get(name, "") for name in names})


def _filled(row: AssistantTool) -> Filled:
    shown = json.dumps(row.parameters, indent=2, ensure_ascii=False)
    return Filled(row.name, row.title, row.about, row.url, shown, row.header, row.effect)


def _wanted(filled: Filled) -> Wanted:
    """Return what the form asks for. An empty secret keeps the one there is, unless its box is ticked."""
    secret = request.form.get("secret", "").strip()
    return Wanted(
        name=filled.name,
        title=filled.title,
        about=filled.about,
        url=filled.url,
        parameters=_json(filled.parameters, "parameters"),
        header=filled.header,
        secret=secret or ("" if "no_secret" in request.form else None),
        effect=filled.effect,
    )


def _json(text: str, field: str) -> dict[str, Any]:
    """Return the JSON object *text* is.

    :raises ToolError: if it is none.
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ToolError(
            _l("This is no JSON object."), next_step=_l('It looks like {"number": 10482}.'), field=field
        )
    return found


def _form(
    assistant: Assistant,
    filled: Filled,
    row: AssistantTool | None = None,
    *,
    problem: LobbyError | None = None,
    tried: Tried | None = None,
    arguments: str = "{}",
) -> ResponseReturnValue:
    page = render_template(
        "automation/assistant_tool.html",
        assistant=assistant,
        tab="tools",
        row=row,
        filled=filled,
        problem=problem,
        effects=EFFECTS,
        effects_say=EFFECTS_SAY,
        tried=tried,
        arguments=arguments,
    )
    return page, 200 if problem is None else problem.status
