"""Routes of an addon in Lobby's API, used with the same keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import msgspec

from host.sdk.errors import SdkError


class ApiStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base class of the query, body and answer of a route: typed fields, camelCase in JSON."""


class ApiScope(StrEnum):
    """The scope that a key needs for a route. Owners see it where they create the key."""

    CONVERSATIONS_READ = "conversations:read"
    CONVERSATIONS_WRITE = "conversations:write"
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"


class ApiRefusalError(SdkError):
    """The addon refuses a request.

    :param message: one sentence in English for the developer who reads it.
    :param status: 404, 409 or 422.
    :param field: the wrong field or parameter; needed with 422.
    """

    def __init__(self, message: str, *, status: Literal[404, 409, 422] = 422, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.field = field


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request to a route.

    :param query: an instance of :attr:`ApiRoute.query`, or None; *body*: of :attr:`ApiRoute.body`.
    :param key: the name of the API key.
    :param idempotency_key: the caller's, also on a retry; empty: none. Lobby returns the first answer again.
    """

    workspace_id: int
    query: Any
    body: Any
    key: str
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A route at ``/api/v1/addons/<slug>/<path>``.

    Keys that are limited to some accounts are refused.

    :param method: GET reads, and needs a scope to read; the others change something.
    :param path: lower-case words, such as ``orders``.
    :param name: its name in generated clients, such as ``list_orders``; unique in the addon.
    :param summary: what it does, such as ``List orders``; *about*: more about it, in English.
    :param run: returns an instance of *answer*. Called outside any transaction, for 10 seconds at most; it
        may use the network. Raise :class:`ApiRefusalError` for a wrong request.
    :param answer: a subclass of :class:`ApiStruct`, as *query* and *body*.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    name: str
    summary: str
    run: Callable[[ApiCall], ApiStruct]
    scope: ApiScope
    answer: type[ApiStruct]
    query: type[ApiStruct] | None = None
    body: type[ApiStruct] | None = None
    about: str = ""
