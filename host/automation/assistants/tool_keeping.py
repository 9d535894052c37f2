"""An assistant's tools that are other programs: their addresses, what a model fills in, their secrets."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy.orm import Session

from host.automation.assistants import keeping
from host.automation.assistants.language import schemas
from host.automation.assistants.values import Body, ToolOffer
from host.core import clock, secrets
from host.core.cleaning import clean
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.core.secrets import Place, Secret
from host.inbox import names
from host.models.assistants import (
    Assistant,
    AssistantCall,
    AssistantTool,
    AssistantTurn,
    AssistantVersion,
    CallState,
)
from host.sdk import strictjson
from host.sdk.http import Client
from host.sdk.rules import AssistantTool as BroughtTool
from host.sdk.rules import ToolEffect

MOST = 20
"""Most tools of an assistant."""
LONGEST_TITLE = 64
LONGEST_ABOUT = 1000
LONGEST_URL = 2000
LONGEST_SECRET = 4000
LATELY = timedelta(days=30)
BUILT_IN = ("contact", "label", "hand_over", "close")
"""Names of the tools that are the desk's own, see :mod:`.tools`."""
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
"""Headers the desk writes, or that say how the connection goes."""


class ToolNotFoundError(NotFoundError):
    """The assistant has no such tool."""

    code = "assistant_tool_not_found"
    title = _l("No such tool")
    default_sentence = _l("This tool does not exist. Somebody may have deleted it.")
    default_next_step = _l("Choose another one.")


class ToolError(InvalidError):
    """Something of a tool cannot be kept."""

    code = "assistant_tool_not_usable"
    default_sentence = _l("The tool cannot be saved like this, so nothing was changed.")
    default_next_step = ""


class TooManyToolsError(ConflictError):
    """The assistant has as many tools as it may."""

    code = "too_many_assistant_tools"
    default_sentence = _l("An assistant can have twenty tools.")
    default_next_step = lazy_pgettext("tool", "Delete one that is not used any more.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks of a tool; see :class:`~host.models.assistants.AssistantTool`.

    :param secret: None: the one that is kept stays; empty: it gets none.
    """

    name: str
    title: str
    about: str
    url: str
    parameters: Mapping[str, Any]
    header: str = "Authorization"
    secret: str | None = None
    effect: str = ToolEffect.READS


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool in the list.

    :param uses: how often it was used in 30 days, :param failed: how often of these it failed.
    """

    row: AssistantTool
    uses: int
    failed: int


@dataclass(frozen=True, slots=True)
class Reached:
    """What it takes to reach a tool."""

    name: str
    url: str
    header: str
    secret: Secret | None
    effect: ToolEffect
    parameters: Mapping[str, Any]


def uses_of(session: Session, assistant_id: int, since: datetime) -> dict[str, tuple[int, int]]:
    """Return how often each tool of an assistant was used since then, and how often it failed."""
    failed = sa.func.sum(sa.case((AssistantCall.state == CallState.FAILED, 1), else_=0))
    query = (
        sa.select(AssistantCall.tool, sa.func.count(), failed)
        .join(AssistantTurn, AssistantTurn.id == AssistantCall.turn_id)
        .where(AssistantTurn.assistant_id == assistant_id, AssistantTurn.created_at >= since)
        .group_by(AssistantCall.tool)
    )
    return {tool: (int(number), int(bad or 0)) for tool, number, bad in session.execute(query)}


def listing(session: Session, assistant_id: int) -> list[Listed]:
    """Return the tools of an assistant in the order they were added."""
    uses = uses_of(session, assistant_id, clock.now() - LATELY)
    return [Listed(row, *uses.get(row.name, (0, 0))) for row in all_of(session, assistant_id)]


def all_of(session: Session, assistant_id: int) -> Sequence[AssistantTool]:
    """Return the tools of an assistant that are other programs."""
    query = sa.select(AssistantTool).where(AssistantTool.assistant_id == assistant_id)
    return session.scalars(query.order_by(AssistantTool.id)).all()


def get(
    session: Session, workspace_id: int, assistant_id: int, tool_id: int, *, lock: bool = False
) -> AssistantTool:
    """Return a tool of an assistant of the workspace.

    :param lock: until the write ends.
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
    """Return what an assistant says in the version that holds; None: a newer Lobby wrote it."""
    row = session.get(AssistantVersion, (assistant.id, assistant.version))
    if row is None:
        return Body()
    try:
        return strictjson.convert(row.body, Body)
    except msgspec.ValidationError:
        return None


def asked_as(tool: BroughtTool) -> str:
    """Return what a model asks for an addon's tool by: no wire form has dots, and no program a hyphen."""
    return tool.name.replace(".", "-")


def use_built_in(
    session: Session,
    *,
    workspace_id: int,
    assistant_id: int,
    wanted: Collection[str],
    brought: Collection[str],
    author: str,
    now: datetime,
) -> Assistant:
    """Let an assistant use these tools of desk and addons: a new version, unless it is so. Return it.

    :param brought: names of those that active addons bring. Of one that is not active a tool stays as it is.
    :raises AssistantNotFoundError: if there is no such assistant.
    :raises ToolError: if one is none, or a newer Lobby wrote what it says.
    """
    row = keeping.get(session, workspace_id, assistant_id, lock=True)
    body = body_of(session, row)
    there = (*BUILT_IN, *sorted(brought))
    if body is None or not set(wanted) <= set(there):
        raise ToolError(field="builtin")
    away = [name for name in body.builtin if name not in there]
    names_ = (*(name for name in there if name in wanted), *away)
    if names_ == body.builtin:
        return row
    kept = msgspec.to_builtins(msgspec.structs.replace(body, builtin=names_))
    row.version += 1
    session.add(AssistantVersion(assistant_id=row.id, number=row.version, body=kept, author=author, at=now))
    session.flush()
    return row


def create(session: Session, workspace_id: int, assistant_id: int, wanted: Wanted) -> AssistantTool:
    """Give an assistant a tool and return it.

    :raises AssistantNotFoundError: if there is no such assistant.
    :raises ToolError: if something of it cannot be kept.
    :raises TooManyToolsError: if it has :data:`MOST`.
    """
    keeping.get(session, workspace_id, assistant_id, lock=True)
    wanted = checked(wanted)
    others = all_of(session, assistant_id)
    if len(others) >= MOST:
        raise TooManyToolsError(limit=MOST)
    _check_free(wanted.name, others)
    row = AssistantTool(
        uuid=str(uuid.uuid4()),
        workspace_id=workspace_id,
        assistant_id=assistant_id,
        created_at=clock.now(),
    )
    _take(row, wanted)
    session.add(row)
    session.flush()
    return row


def change(
    session: Session, workspace_id: int, assistant_id: int, tool_id: int, wanted: Wanted
) -> AssistantTool:
    """Change a tool and return it. Its secret stays where none is given, unless it would go to another host.

    :raises AssistantNotFoundError, ToolNotFoundError: if there is none.
    :raises ToolError: if something of it cannot be kept.
    """
    keeping.get(session, workspace_id, assistant_id, lock=True)
    row = get(session, workspace_id, assistant_id, tool_id, lock=True)
    wanted = checked(wanted)
    _check_free(wanted.name, [one for one in all_of(session, assistant_id) if one.id != row.id])
    if wanted.secret is None and row.secret is not None and urlsplit(wanted.url)[:2] != urlsplit(row.url)[:2]:
        raise ToolError(
            _l("The secret was given for another host, so nothing was changed."),
            next_step=_l("Enter the secret for this address."),
            field="secret",
        )
    _take(row, wanted)
    session.flush()
    return row


def _check_free(name: str, others: Sequence[AssistantTool]) -> None:
    if any(one.name == name for one in others):
        raise ToolError(_l("This assistant has a tool of that name already."), field="name")


def _take(row: AssistantTool, wanted: Wanted) -> None:
    row.name, row.title, row.about = wanted.name, wanted.title, wanted.about
    row.url, row.header, row.effect = wanted.url, wanted.header, wanted.effect
    row.parameters = dict(wanted.parameters)
    if wanted.secret is not None:
        row.secret = secrets.keyring().seal(Secret(wanted.secret), _place(row)) if wanted.secret else None


def delete(session: Session, workspace_id: int, assistant_id: int, tool_id: int) -> str:
    """Delete a tool and return its title. What it was used for stays with its turns.

    :raises ToolNotFoundError: if there is none.
    """
    row = get(session, workspace_id, assistant_id, tool_id, lock=True)
    title = row.title
    session.delete(row)
    session.flush()
    return title


def reached(row: AssistantTool) -> Reached:
    """Return what it takes to reach a tool, with its secret.

    :raises SecretUnreadableError: if that cannot be read.
    """
    secret = None if row.secret is None else secrets.keyring().open(row.secret, _place(row))
    return Reached(row.name, row.url, row.header, secret, _effect(row), row.parameters)


def check_arguments(row: AssistantTool, arguments: Mapping[str, Any]) -> None:
    """Say what of *arguments* a tool does not take.

    :raises ToolError: if there is something.
    """
    if problem := schemas.wrong(row.parameters, arguments):
        # What is wrong is said by a library, in English.
        raise ToolError(
            _l("This does not fit what the tool takes: %(problem)s", problem=problem), field="arguments"
        )


def offer(row: AssistantTool) -> ToolOffer:
    """Return a tool as the model is told of it."""
    return ToolOffer(row.name, f"{row.title}. {row.about}", row.parameters, _effect(row))


def _effect(row: AssistantTool) -> ToolEffect:
    """Return what a tool may do; what only another release knows may do anything, so a person is asked."""
    return ToolEffect(row.effect) if row.effect in set(ToolEffect) else ToolEffect.ASKS


def _place(row: AssistantTool) -> Place:
    return Place("assistant_tools", "secret", row.workspace_id, row.uuid)


# ---- what may be kept ----------------------------------------------------------------------------------


def checked(wanted: Wanted) -> Wanted:
    """Return *wanted* tidied up.

    :raises ToolError: for what cannot be.
    """
    name = wanted.name.strip()
    if not _NAME.fullmatch(name):
        raise ToolError(
            _l("A tool's name has lower-case letters, digits and underscores, 40 at most."), field="name"
        )
    if name in RESERVED:
        raise ToolError(_l("This name is one of the desk's own tools."), field="name")
    title = names.checked(
        wanted.title,
        ToolError(_l("A tool needs a title of at most 64 letters."), field="title"),
        longest=LONGEST_TITLE,
    )
    about = clean(wanted.about).strip()
    if not about or len(about) > LONGEST_ABOUT:
        raise ToolError(_l("Say in at most 1,000 letters when the assistant is to use it."), field="about")
    url = wanted.url.strip()
    if len(url) > LONGEST_URL or "#" in url or not url.isascii() or not _any_host(url).allows(url):
        raise ToolError(
            _l("Lobby cannot send to this address."),
            next_step=_l("Use an https address on port 443, with a public name."),
            field="url",
        )
    if not schemas.is_usable(wanted.parameters):
        raise ToolError(
            _l("What the model fills in has to be a JSON schema of an object, of at most 16 KB."),
            next_step=_l('The smallest is {"type": "object", "properties": {}}.'),
            field="parameters",
        )
    if wanted.effect not in set(ToolEffect):
        raise ToolError(_l("Choose what the tool may do."), field="effect")
    header, secret = _checked_secret(wanted)
    return Wanted(name, title, about, url, wanted.parameters, header, secret, wanted.effect)


def _checked_secret(wanted: Wanted) -> tuple[str, str | None]:
    header = wanted.header.strip() or "Authorization"
    if not _HEADER.fullmatch(header) or header.lower() in _OWN_HEADERS:
        raise ToolError(_l("A secret cannot be sent in this header."), field="header")
    secret = None if wanted.secret is None else wanted.secret.strip()
    if secret and (len(secret) > LONGEST_SECRET or not secret.isascii() or not secret.isprintable()):
        raise ToolError(_l("A secret is ASCII, on one line."), field="secret")
    return header, secret


def _any_host(url: str) -> Client:
    """Return a client that may reach the host of *url*, and no other."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return Client(frozenset({host}))
