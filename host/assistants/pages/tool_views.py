"""Pages for an assistant's tools: the desk's own and other programs, their effects, and trying one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from host.assistants import assistants, program_tools, tools
from host.assistants.assistants import AssistantNotFoundError
from host.assistants.models import Assistant, AssistantTool
from host.assistants.program_tools import (
    ToolError,
    ToolInput,
    ToolNotFoundError,
)
from host.assistants.tools import ToolTrial
from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import LobbyError
from host.inbox.labels import labels
from host.sdk.rules import ToolEffect
from host.users.pages import sudo
from host.web.languages import gettext as _
from host.web.request_helpers import (
    Permission,
    flash_good,
    workspace_view,
    write,
)

bp = Blueprint("assistant_tools", __name__, template_folder="../templates")

TOOLS = "/w/<int:workspace_id>/assistants/<int:assistant_id>/tools"
ONE = f"{TOOLS}/<int:tool_id>"
SMALLEST = '{\n  "type": "object",\n  "properties": {}\n}'

EFFECTS = {
    ToolEffect.READS: _l("Reads only"),
    ToolEffect.REVERSIBLE: _l("Reversible"),
    ToolEffect.ASKS: _l("Asks for approval"),
}
EFFECTS_SAY = {
    ToolEffect.READS: _l("It only looks something up. The assistant uses it automatically."),
    ToolEffect.REVERSIBLE: _l("A person can undo it easily. The assistant uses it automatically."),
    ToolEffect.ASKS: _l("Everything else, such as payments or deletions. A person approves each use."),
}


class BuiltInTool(msgspec.Struct, frozen=True):
    """A tool of the desk or of an addon.

    :param asked_as: its name for the model, if that differs.
    """

    name: str
    title: LazyString
    about: LazyString
    effect: ToolEffect
    asked_as: str = ""


OWN = (
    BuiltInTool(
        "contact",
        _l("Customer details"),
        _l("Name, handle, attributes and labels"),
        ToolEffect.READS,
    ),
    BuiltInTool("label", _l("Add a label"), _l("An existing label"), ToolEffect.REVERSIBLE),
    BuiltInTool(
        "hand_over", _l("Hand off to a person"), _l("With a reason for the team"), ToolEffect.REVERSIBLE
    ),
    BuiltInTool("close", _l("Close the conversation"), _l("When nothing is left to do"), ToolEffect.ASKS),
)


class ToolForm(msgspec.Struct, frozen=True):
    """The submitted form."""

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
    """List the tools with their effects and how often they were used."""
    with db.read() as session:
        assistant = assistants.get(session, workspace_id, assistant_id)
        listed = program_tools.listing(session, assistant_id)
        body = program_tools.body_of(session, assistant)
        uses = program_tools.uses_of(session, assistant_id, clock.now() - program_tools.LATELY)
        has_labels = bool(labels.all_of(session, workspace_id))
    return render_template(
        "assistants/assistant_tools.html",
        assistant=assistant,
        tab="tools",
        own=_own(),
        has_labels=has_labels,
        in_use=None if body is None else frozenset(body.builtin),
        uses={name: number for name, (number, _failed) in uses.items()},
        listed=listed,
        effects=EFFECTS,
        host=_host,
        most=program_tools.MOST,
    )


def _own() -> list[BuiltInTool]:
    """Return the desk's tools and those of active addons, with their channel."""
    directory = current_directory()
    brought = [
        BuiltInTool(
            one.name,
            _l(one.title),
            _l("In conversations of every channel")
            if one.channel is None
            else _l("In conversations of %(channel)s", channel=directory.label(one.channel)),
            one.effect,
            program_tools.asked_as(one),
        )
        for one in directory.tools.values()
    ]
    return [*OWN, *brought]


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


@bp.post(f"{TOOLS}/built-in")
@workspace_view(Permission.ACCOUNTS)
def built_in(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Choose which of the desk's tools the assistant may use, as a new version."""
    wanted = frozenset(request.form.getlist("builtin"))
    titles = {each.name: str(each.title) for each in _own()}
    write(program_tools.use_built_in, assistant_id, wanted=wanted, titles=titles)
    flash_good(_("Saved."))
    return redirect(
        url_for("assistant_tools.index", workspace_id=workspace_id, assistant_id=assistant_id), 303
    )


@bp.get(f"{TOOLS}/new")
@workspace_view(Permission.ACCOUNTS)
@sudo.fresh_password
def new(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Show the form for a tool."""
    return _form(_its(workspace_id, assistant_id), ToolForm())


@bp.post(f"{TOOLS}/new")
@workspace_view(Permission.ACCOUNTS)
def add(workspace_id: int, assistant_id: int) -> ResponseReturnValue:
    """Add a tool. The password is required because customers' messages can be sent there."""
    return _save(_its(workspace_id, assistant_id), None)


@bp.get(ONE)
@workspace_view(Permission.ACCOUNTS)
@sudo.fresh_password
def tool(workspace_id: int, assistant_id: int, tool_id: int) -> ResponseReturnValue:
    """Show a tool without its secret."""
    assistant, row = _one(workspace_id, assistant_id, tool_id)
    return _form(assistant, _filled(row), row)


@bp.post(ONE)
@workspace_view(Permission.ACCOUNTS)
def change(workspace_id: int, assistant_id: int, tool_id: int) -> ResponseReturnValue:
    """Change a tool."""
    return _save(*_one(workspace_id, assistant_id, tool_id))


def _save(assistant: Assistant, before: AssistantTool | None) -> ResponseReturnValue:
    """Save the form, or show it again with the error.

    :param before: the tool that is changed; None for a new one.
    """
    filled = _given()
    try:
        sudo.require()
        wanted = _wanted(filled)
        if before is None:
            row = write(program_tools.create, assistant.id, wanted)
        else:
            row = write(program_tools.change, assistant.id, before.id, wanted)
    except (AssistantNotFoundError, ToolNotFoundError):
        raise
    except LobbyError as error:
        # Also for a missing password: the page that asks for one would contain the secret.
        return _form(assistant, filled, before, problem=error)
    flash_good(_("Tool %(name)s was saved.", name=row.title))
    return redirect(
        url_for("assistant_tools.index", workspace_id=assistant.workspace_id, assistant_id=assistant.id), 303
    )


@bp.post(f"{ONE}/try")
@workspace_view(Permission.ACCOUNTS)
def try_it(workspace_id: int, assistant_id: int, tool_id: int) -> ResponseReturnValue:
    """Call a tool once with typed arguments, and show the result. The program knows that it is a trial."""
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
    """Remove a tool from the assistant."""
    title = write(program_tools.delete, assistant_id, tool_id)
    flash_good(_("Tool %(name)s was deleted.", name=title))
    return redirect(
        url_for("assistant_tools.index", workspace_id=workspace_id, assistant_id=assistant_id), 303
    )


def _its(workspace_id: int, assistant_id: int) -> Assistant:
    with db.read() as session:
        return assistants.get(session, workspace_id, assistant_id)


def _one(workspace_id: int, assistant_id: int, tool_id: int) -> tuple[Assistant, AssistantTool]:
    with db.read() as session:
        assistant = assistants.get(session, workspace_id, assistant_id)
        return assistant, program_tools.get(session, workspace_id, assistant_id, tool_id)


# ---- the form ------------------------------------------------------------------------------------------


def _given() -> ToolForm:
    names = ("name", "title", "about", "url", "parameters", "header", "effect")
    return ToolForm(**{name: request.form.get(name, "") for name in names})


def _filled(row: AssistantTool) -> ToolForm:
    shown = json.dumps(row.parameters, indent=2, ensure_ascii=False)
    return ToolForm(row.name, row.title, row.about, row.url, shown, row.header, row.effect)


def _wanted(filled: ToolForm) -> ToolInput:
    """Return the tool from the form. An empty secret keeps the stored one, unless its box is ticked."""
    secret = sudo.secret("secret")
    return ToolInput(
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
    """Return *text* as a JSON object.

    :raises ToolError: if it is not valid.
    """
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ToolError(
            _l("This isn't a JSON object."),
            next_step=_l('Enter something like {"number": 10482}.'),
            field=field,
        )
    return found


def _form(
    assistant: Assistant,
    filled: ToolForm,
    row: AssistantTool | None = None,
    *,
    problem: LobbyError | None = None,
    tried: ToolTrial | None = None,
    arguments: str = "{}",
) -> ResponseReturnValue:
    page = render_template(
        "assistants/assistant_tool.html",
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
