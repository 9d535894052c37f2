"""The API's own description, and what a key is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from flask import g, request
from msgspec import Meta

from host import __version__
from host.api.http import addon_routes, versions
from host.api.http.call import Call
from host.api.http.declare import ANY_KEY, Id, Router, Wire
from host.api.http.openapi import document
from host.channels.directory import current_directory
from host.web.request_helpers import config, generation

routes = Router("About", read=ANY_KEY)


class MyWorkspace(Wire, frozen=True):
    """The workspace of the key."""

    id: Id
    name: str


class RateLimit(Wire, frozen=True):
    """The requests of the key in the current window, as in the headers `RateLimit-*`."""

    limit: int
    remaining: int
    reset: Annotated[int, Meta(description="Seconds until the window ends.")]


class Me(Wire, frozen=True):
    """The key of the request."""

    name: str
    workspace: MyWorkspace
    scopes: Annotated[list[str], Meta(description="What it can do, such as `messages:write`.")]
    before_scopes: Annotated[
        bool,
        Meta(description="Whether the key is older than scopes: it can still do everything it could then."),
    ]
    accounts: Annotated[
        list[Id] | None,
        Meta(description="The accounts it is limited to, with those of its teams; null: all."),
    ]
    teams: Annotated[
        list[Id] | None,
        Meta(description="The teams whose accounts it is limited to; null: it isn't limited to teams."),
    ]
    automatic: Annotated[bool, Meta(description="Whether its messages count as automated.")]
    expires_at: Annotated[datetime | None, Meta(description="When it stops working; null: never.")]
    read_only: Annotated[bool, Meta(description="Whether the workspace is archived, so nothing can change.")]
    rate_limit: RateLimit
    version: Annotated[str, Meta(description="The version of Lobby.", examples=["1.0.0"])]


@routes.get("/me", "Get the key", limited=True)
def get_me(call: Call) -> Me:
    """The key of the request: its name, what it can do and until when."""
    caller = call.caller
    standing = g.api_standing
    return Me.of(
        caller,
        workspace=MyWorkspace(id=caller.workspace_id, name=caller.workspace),
        scopes=sorted(caller.scopes),
        before_scopes=caller.before,
        accounts=None if caller.accounts is None else sorted(caller.accounts),
        teams=sorted(caller.team_ids) or None,
        read_only=caller.archived,
        rate_limit=RateLimit.of(standing),
        version=__version__,
    )


@routes.get("/openapi.json", "This description, as OpenAPI 3.1", scope=None)
def get_description() -> dict[str, Any]:
    """Needs no key. It includes the events of the channels that are active.

    It describes the version that `Lobby-Version` names.
    """
    return document(
        config().public_url,
        current_directory().adapters,
        versions.asked(request),
        addon_routes.routes_of(generation().api_routes),
    )
