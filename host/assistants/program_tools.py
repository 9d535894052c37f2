"""An assistant's tools that are other programs: their addresses, parameters and secrets."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.models import (
    Assistant,
    AssistantCall,
    AssistantTool,
    AssistantTurn,
    AssistantVersion,
    CallState,
)
from host.assistants.values import Body, ToolOffer
from host.channels import tool_schemas
from host.core import clock, secrets
from host.core.cleaning import clean
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.core.secrets import Place, Secret
from host.inbox import names
from host.sdk import strictjson
from host.sdk.http import Client
from host.sdk.rules import AssistantTool as BroughtTool
from host.sdk.rules import ToolEffect
from host.users.actor import UnitOfWork

MOST = 20
"""Most tools of an assistant."""
LONGEST_TITLE = 64
LONGEST_ABOUT = 1000
LONGEST_URL = 2000
LONGEST_SECRET = 4000
LATELY = timedelta(days=30)
BUILT_IN = ("contact", "label", "hand_over", "close")
"""Names of the desk's own tools, see :mod:`.tools`."""
RESERVED = frozenset({*BUILT_IN, "answer"})

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
"""Headers that the desk sets, or that control the connection."""


class ToolNotFoundError(NotFoundError):
    """The assistant has no such tool."""

    code = "assistant_tool_not_found"
    title = _l("Tool not found")
    default_sentence = _l("This tool does not exist. Someone may have deleted it.")
    default_next_step = _l("Choose another one.")
    program_step = ""
    place = "tool_id"


class ToolError(InvalidError):
    """A setting of a tool is invalid."""

    code = "assistant_tool_not_usable"
    default_sentence = _l("The tool is invalid, so nothing was changed.")
    default_next_step = ""


class TooManyToolsError(ConflictError):
    """The assistant has the maximum number of tools."""

    code = "too_many_assistant_tools"
    default_sentence = _l("An assistant can have at most 20 tools.")
    default_next_step = lazy_pgettext("tool", "Delete one you no longer use.")


class ToolInput(msgspec.Struct, frozen=True):
    """A tool as entered; see :class:`~host.assistants.models.AssistantTool`.

    :param secret: None to keep the stored one; empty for no secret.
    """

    name: str
    title: str
    about: str
    url: str
    parameters: Mapping[str, Any]
    header: str = "Authorization"
    secret: str | None = None
    effect: str = ToolEffect.READS


class ToolSummary(msgspec.Struct, frozen=True):
    """A tool in the list.

    :param uses: number of calls in 30 days.
    :param failed: number of those that failed.
    """

    row: AssistantTool
    uses: int
    failed: int


class ToolConnection(msgspec.Struct, frozen=True):
    """The connection data of a tool."""

    name: str
    url: str
    header: str
    secret: Secret | None
    effect: ToolEffect
    parameters: Mapping[str, Any]


def uses_of(session: Session, assistant_id: int, since: datetime) -> dict[str, tuple[int, int]]:
    """Return the number of calls since then and of failed ones, by tool."""
    failed = sa.func.sum(sa.case((AssistantCall.state == CallState.FAILED, 1), else_=0))
    query = (
        sa.select(AssistantCall.tool, sa.func.count(), failed)
        .join(AssistantTurn, AssistantTurn.id == AssistantCall.turn_id)
        .where(AssistantTurn.assistant_id == assistant_id, AssistantTurn.created_at >= since)
        .group_by(AssistantCall.tool)
    )
    return {tool: (int(number), int(bad or 0)) for tool, number, bad in session.execute(query)}


def listing(session: Session, assistant_id: int) -> list[ToolSummary]:
    """Return the tools of an assistant in the order they were added."""
    uses = uses_of(session, assistant_id, clock.now() - LATELY)
    return [ToolSummary(row, *uses.get(row.name, (0, 0))) for row in all_of(session, assistant_id)]


def all_of(session: Session, assistant_id: int) -> Sequence[AssistantTool]:
    """Return the tools of an assistant that are other programs."""
    query = sa.select(AssistantTool).where(AssistantTool.assistant_id == assistant_id)
    return session.scalars(query.order_by(AssistantTool.id)).all()


def get(
    session: Session, workspace_id: int, assistant_id: int, tool_id: int, *, lock: bool = False
) -> AssistantTool:
    """Return a tool of an assistant of the workspace.

    :param lock: lock it until the write ends.
    :raises ToolNotFoundError: if there is none.
    """
    query = sa.select(AssistantTool).where(
        AssistantTool.id == tool_id,
        AssistantTool.assistant_id == assistant_id,
        AssistantTool.workspace_id == workspace_id,
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise ToolNotFoundError()
    return row


def body_of(session: Session, assistant: Assistant) -> Body | None:
    """Return the current version of an assistant, or None if a newer Lobby wrote it."""
    row = session.get(AssistantVersion, (assistant.id, assistant.version))
    if row is None:
        return Body()
    try:
        return strictjson.convert(row.body, Body)
    except msgspec.ValidationError:
        return None


def asked_as(tool: BroughtTool) -> str:
    """Return the name of an addon's tool for the model: unique, as other programs' have no hyphens."""
    return tool.name.replace(".", "-")


def use_built_in(
    work: UnitOfWork, assistant_id: int, *, wanted: Collection[str], titles: Mapping[str, str]
) -> Assistant:
    """Set the desk's and addons' tools an assistant may use, as a new version if they changed. Return it.

    :param titles: the desk's tools and those of active addons, by name. A tool of an inactive addon stays
        unchanged.
    :raises AssistantNotFoundError: if there is no such assistant.
    :raises ToolError: if a tool doesn't exist, or a newer Lobby wrote the current version.
    """
    row = assistants.get(work.session, work.workspace_id, assistant_id, lock=True)
    body = body_of(work.session, row)
    there = (*BUILT_IN, *sorted(titles.keys() - set(BUILT_IN)))
    if body is None or not set(wanted) <= set(there):
        raise ToolError(field="builtin")
    away = [name for name in body.builtin if name not in there]
    names_ = (*(name for name in there if name in wanted), *away)
    if names_ == body.builtin:
        return row
    kept = msgspec.to_builtins(msgspec.structs.replace(body, builtin=names_))
    row.version += 1
    assistants.add_version(work, row, kept)
    what = ", ".join(title for name, title in titles.items() if name in wanted) or "–"
    work.audit("assistant_tool.chosen", what, details={"of": row.name})
    return row


def create(work: UnitOfWork, assistant_id: int, wanted: ToolInput) -> AssistantTool:
    """Create a tool and return it.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises ToolError: if a setting is invalid.
    :raises TooManyToolsError: if it has :data:`MOST`.
    """
    of = assistants.get(work.session, work.workspace_id, assistant_id, lock=True).name
    wanted = checked(wanted)
    others = all_of(work.session, assistant_id)
    if len(others) >= MOST:
        raise TooManyToolsError(limit=MOST)
    _check_free(wanted.name, others)
    row = AssistantTool(
        uuid=str(uuid.uuid4()),
        workspace_id=work.workspace_id,
        assistant_id=assistant_id,
        created_at=work.now,
    )
    _take(row, wanted)
    work.session.add(row)
    work.session.flush()
    work.audit("assistant_tool.added", row.title, details={"of": of})
    return row


def change(work: UnitOfWork, assistant_id: int, tool_id: int, wanted: ToolInput) -> AssistantTool:
    """Change a tool and return it. Without a new secret it keeps its own, unless the host changes.

    :raises AssistantNotFoundError, ToolNotFoundError: if there is none.
    :raises ToolError: if a setting is invalid.
    """
    of = assistants.get(work.session, work.workspace_id, assistant_id, lock=True).name
    row = get(work.session, work.workspace_id, assistant_id, tool_id, lock=True)
    wanted = checked(wanted)
    _check_free(wanted.name, [one for one in all_of(work.session, assistant_id) if one.id != row.id])
    if wanted.secret is None and row.secret is not None and urlsplit(wanted.url)[:2] != urlsplit(row.url)[:2]:
        raise ToolError(
            _l("The secret was given for another host, so nothing was changed."),
            next_step=_l("Enter the secret for this address."),
            field="secret",
        )
    _take(row, wanted)
    work.session.flush()
    work.audit("assistant_tool.changed", row.title, details={"of": of})
    return row


def _check_free(name: str, others: Sequence[AssistantTool]) -> None:
    if any(one.name == name for one in others):
        raise ToolError(_l("This assistant already has a tool with that name."), field="name")


def _take(row: AssistantTool, wanted: ToolInput) -> None:
    row.name, row.title, row.about = wanted.name, wanted.title, wanted.about
    row.url, row.header, row.effect = wanted.url, wanted.header, wanted.effect
    row.parameters = dict(wanted.parameters)
    if wanted.secret is not None:
        row.secret = secrets.keyring().seal(Secret(wanted.secret), _place(row)) if wanted.secret else None


def delete(work: UnitOfWork, assistant_id: int, tool_id: int) -> str:
    """Delete a tool and return its title. Its past calls stay with their turns.

    :raises AssistantNotFoundError, ToolNotFoundError: if there is none.
    """
    of = assistants.get(work.session, work.workspace_id, assistant_id).name
    row = get(work.session, work.workspace_id, assistant_id, tool_id, lock=True)
    title = row.title
    work.session.delete(row)
    work.session.flush()
    work.audit("assistant_tool.deleted", title, details={"of": of})
    return title


def reached(row: AssistantTool) -> ToolConnection:
    """Return the connection data of a tool, with its secret.

    :raises SecretUnreadableError: if that cannot be read.
    """
    secret = None if row.secret is None else secrets.keyring().open(row.secret, _place(row))
    return ToolConnection(row.name, row.url, row.header, secret, _effect(row), row.parameters)


def check_arguments(row: AssistantTool, arguments: Mapping[str, Any]) -> None:
    """Check *arguments* against the schema of a tool.

    :raises ToolError: if they are invalid.
    """
    if problem := tool_schemas.wrong(row.parameters, arguments):
        # The error message comes from a library, in English.
        raise ToolError(
            _l("The input doesn't match the tool's schema: %(problem)s", problem=problem), field="arguments"
        )


def offer(row: AssistantTool) -> ToolOffer:
    """Return a tool as the model is offered it."""
    return ToolOffer(row.name, f"{row.title}. {row.about}", row.parameters, _effect(row))


def _effect(row: AssistantTool) -> ToolEffect:
    """Return the effect of a tool; an unknown effect may do anything, so a person is asked."""
    return ToolEffect(row.effect) if row.effect in set(ToolEffect) else ToolEffect.ASKS


def _place(row: AssistantTool) -> Place:
    return Place("assistant_tools", "secret", row.workspace_id, row.uuid)


# ---- validation ---------------------------------------------------------------------------------------


def checked(wanted: ToolInput) -> ToolInput:
    """Return *wanted* normalized.

    :raises ToolError: if a setting is invalid.
    """
    name = wanted.name.strip()
    if not _NAME.fullmatch(name):
        raise ToolError(
            _l("The name can contain lowercase letters, digits and underscores, at most 40 characters."),
            field="name",
        )
    if name in RESERVED:
        raise ToolError(_l("This name is used by a built-in tool."), field="name")
    title = names.checked(
        wanted.title,
        ToolError(_l("The title must have 1 to 64 characters."), field="title"),
        longest=LONGEST_TITLE,
    )
    about = clean(wanted.about).strip()
    if not about or len(about) > LONGEST_ABOUT:
        raise ToolError(
            _l("Describe when the assistant should use it, in at most 1,000 characters."), field="about"
        )
    url = wanted.url.strip()
    if len(url) > LONGEST_URL or "#" in url or not url.isascii() or not _any_host(url).allows(url):
        raise ToolError(
            _l("Lobby can't send to this URL."),
            next_step=_l("Use an https URL on port 443 with a public hostname."),
            field="url",
        )
    if not tool_schemas.is_usable(wanted.parameters):
        raise ToolError(
            _l("The parameters must be a JSON schema of an object, at most 16 KB."),
            next_step=_l('The smallest valid schema is {"type": "object", "properties": {}}.'),
            field="parameters",
        )
    if wanted.effect not in set(ToolEffect):
        raise ToolError(_l("Choose what the tool may do."), field="effect")
    header, secret = _checked_secret(wanted)
    return ToolInput(name, title, about, url, wanted.parameters, header, secret, wanted.effect)


def _checked_secret(wanted: ToolInput) -> tuple[str, str | None]:
    header = wanted.header.strip() or "Authorization"
    if not _HEADER.fullmatch(header) or header.lower() in _OWN_HEADERS:
        raise ToolError(_l("This header can't carry a secret."), field="header")
    secret = None if wanted.secret is None else wanted.secret.strip()
    if secret and (len(secret) > LONGEST_SECRET or not secret.isascii() or not secret.isprintable()):
        raise ToolError(_l("The secret must be ASCII on one line."), field="secret")
    return header, secret


def _any_host(url: str) -> Client:
    """Return a client that may reach only the host of *url*."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return Client(frozenset({host}))
