"""Build the OpenAPI 3.1 document from the declarations of the routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import msgspec

from host import __version__
from host.api import shapes
from host.api.http import expiry, fields, posted, schemas, versions
from host.api.http.declare import (
    BASE,
    DEPRECATED,
    NAMED_PLACES,
    TAGS,
    Binary,
    Nothing,
    Refused,
    Route,
    routes,
)
from host.api.http.errors import (
    IdempotencyKeyError,
    IdempotencyReusedError,
    InFlightError,
    KeyEndedError,
    KeyExpiredError,
    KeyInvalidError,
    KeyLimitedError,
    KeyRevokedError,
    MediaTypeError,
    NoVersionError,
    PreconditionFailedError,
    QueryError,
    RateLimitedError,
    ScopeError,
    UnauthorizedError,
    UnknownVersionError,
)
from host.core.errors import LobbyError, NotFoundError, TooLargeError, UnavailableError
from host.core.ids import MAX_ID
from host.features import registry
from host.sdk.channel import ChannelAdapter
from host.web.problems import PROBLEM

ABOUT = """\
Every request needs an API key of one workspace: `Authorization: Bearer lobby_…`. Owners create keys under
Settings, Integrations, API keys. Only this header is accepted: cookies are ignored, and pages of other sites
can't call the API. A key has scopes, which each operation names, and may be limited to some accounts, may
expire, and says in `GET /me` what it can do.

Requests and responses are JSON in camelCase. A field or parameter that is not in this document is rejected
by name. Times are RFC 3339 in UTC. Ids of Lobby are numbers, ids of a provider are strings. Where a path
names an account, you can use its `channelId` instead of its `id`.

Lists are paginated: send the cursor of a response back unchanged. GET responses have an `ETag`: with
`If-None-Match` an unchanged one is answered with 304, and where `If-Match` is a parameter, a change is made
only if nothing changed in between. `Lobby-Version` is the dated version of the API.

With an `Idempotency-Key`, a POST can be retried safely for 24 hours: the first response is returned again.
Requests are limited per key:
`RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds) show the current state, and a 429
says in `Retry-After` when to retry. In the 14 days before a key expires, answers say when in
`Lobby-Key-Expires`.

All errors have the same form: `{"error": {"code", "message", "requestId"}}`, with `next`, `field` and
`limit` if they apply. `code` is for programs; `message` and `next` are for people, in the language of
`Accept-Language`.
"""

_ID = schemas.portable({"type": "integer", "minimum": 0, "maximum": MAX_ID})
_ACCOUNT_ID = {"anyOf": [_ID, {"type": "string", "minLength": 1, "maxLength": 64}]}


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Shape of every error."""

    error: shapes.Error


ANSWER_HEADERS: dict[str, str] = {
    "ETag": "The version of this answer, for `If-None-Match` and `If-Match`.",
    "Location": "The path of what was created.",
    "Lobby-Version": "The version of the API that answered.",
}
KEY_HEADERS: dict[str, str] = {
    expiry.HEADER: "When the key expires, in UTC; only sent in the 14 days before.",
}
HEADERS: dict[str, str] = {
    "RateLimit-Limit": "Number of requests allowed per window.",
    "RateLimit-Remaining": "Number of requests left in this window.",
    "RateLimit-Reset": "Seconds until the window ends.",
}


def document(
    public_url: str,
    adapters: Iterable[ChannelAdapter] = (),
    version: str = versions.FIRST,
    of_addons: Sequence[Route] = (),
) -> dict[str, Any]:
    """Return the document of a version for the desk at *public_url*.

    :param adapters: the channels whose events it has.
    :param of_addons: the routes of addons.
    """
    paths, components = _made(tuple(feature.package for feature in registry.active()), version)
    for route in of_addons:
        operation, more = _of_addon(route, version)
        paths = {**paths, route.path: {**paths.get(route.path, {}), **operation}}
        components = {**components, "schemas": {**components["schemas"], **more}}
    webhooks, shapes_of_events = posted.described(adapters) if registry.hooks().posts_events() else ({}, {})
    used = {route["tags"][0] for path in (*paths.values(), *webhooks.values()) for route in path.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lobby", "version": __version__, "description": ABOUT},
        "servers": [{"url": public_url + BASE}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "webhooks": webhooks,
        "components": {**components, "schemas": schemas.merged(components["schemas"], shapes_of_events)},
    }


def _of_addon(route: Route, version: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the operation of an addon's route, by method, and its schemas, named after the addon."""
    types = list(_types(route))
    prefix = route.path.split("/")[2].capitalize()
    made, components = schemas.of_types(types, prefix)
    by_type = dict(zip(map(id, types), made, strict=True))
    return {route.method.lower(): _operation(route, by_type, version)}, components


@cache
def _made(_features: tuple[str, ...], version: str) -> tuple[dict[str, Any], dict[str, Any]]:
    declared = [route for route in routes() if route.since <= version]
    types = [ErrorAnswer, shapes.ProblemDetails, *(kind for route in declared for kind in _types(route))]
    made, components = schemas.of_types(types)
    by_type = dict(zip(map(id, types), made, strict=True))
    paths: dict[str, Any] = {}
    for route in declared:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type, version)
    return paths, {
        "schemas": versions.without_null(version, components),
        "securitySchemes": {
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key of one workspace, `lobby_…`.",
            }
        },
        "headers": {
            **{name: {"description": text, "schema": {"type": "integer"}} for name, text in HEADERS.items()},
            **{
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in ANSWER_HEADERS.items()
            },
            **{
                name: {"description": text, "schema": {"type": "string", "format": "date-time"}}
                for name, text in KEY_HEADERS.items()
            },
        },
    }


def _types(route: Route) -> Iterable[Any]:
    other = None if route.other_form is None else route.other_form.body
    for kind in (route.body, other, route.answer):
        if kind is not None and kind is not Binary:
            yield kind


def _operation(route: Route, by_type: dict[int, Any], version: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "description": route.description + _scope_line(route),
        "parameters": parameters(route),
        "responses": _responses(route, by_type, version),
    }
    if route.replaced_by and version != versions.FIRST:
        made |= DEPRECATED
        made["description"] += f"\n\nDeprecated: use `{route.replaced_by}`."
    if route.scope is None:
        made["security"] = []
    elif route.any_of:
        also = [str(scope) for scope in route.also]
        made["security"] = [{"key": [str(scope), *also]} for scope in route.any_of]
    if route.body is not None:
        schema = by_type[id(route.body)]
        if route.other_form is not None:
            # One list, so that pages generated from the document show all forms together.
            forms = schema.get("oneOf", [schema])
            schema = {"oneOf": [*forms, by_type[id(route.other_form.body)]]}
        content: dict[str, Any] = {"schema": schema}
        if route.examples:
            content["examples"] = {
                f"example{number}": {"summary": words, "value": value}
                for number, (words, value) in enumerate(route.examples.items(), 1)
            }
        made["requestBody"] = {"required": True, "content": {"application/json": content}}
    if route.upload:
        file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
        schema = {
            "type": "object",
            "properties": {"file": file},
            "required": ["file"],
            "additionalProperties": False,
        }
        made["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    return made


def _scope_line(route: Route) -> str:
    if route.scope is None:
        return ""
    if not route.any_of:
        return "\n\nAny key can do this."
    choice = " or ".join(f"`{scope}`" for scope in route.any_of)
    also = "".join(f" and `{scope}`" for scope in route.also)
    line = f"\n\nRequires the scope {choice}{also}."
    return line if route.limited else f"{line} Not for keys that are limited to some accounts."


def parameters(route: Route) -> list[dict[str, Any]]:
    """Return the parameters of a route: ids in the path, the query, headers."""
    made: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The id of the {name.removesuffix('_id').replace('_', ' ')}.",
            "schema": _ACCOUNT_ID if name in NAMED_PLACES else _ID,
        }
        for name in route.places
    ]
    if route.query is not Nothing:
        schema = msgspec.json.schema(route.query)
        properties = next(iter(schema["$defs"].values()))["properties"]
        for name, one in properties.items():
            described = schemas.portable(_present(one))
            text = described.pop("description", "")
            old = DEPRECATED if described.pop("deprecated", False) else {}
            made.append({"name": name, "in": "query", "description": text, **old, "schema": described})
    if route.current is not None:
        made.append(
            {
                "name": "If-Match",
                "in": "header",
                "description": "Do it only if this is still the `ETag` of the resource.",
                "schema": {"type": "string"},
            }
        )
    if route.idempotent:
        made.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Identifies this request, so that it can be retried safely.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }
        )
    return made


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter without null, which only represents an omitted one."""
    schema = {name: value for name, value in schema.items() if (name, value) != ("default", None)}
    variants = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    if len(variants) == 1:
        schema = {**variants[0], **schema}
    if None in schema.get("enum", ()):
        schema["enum"] = [one for one in schema["enum"] if one is not None]
    return schema


def _responses(route: Route, by_type: dict[int, Any], version: str) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if route.answer is Binary:
        file = {"schema": {"type": "string", "format": "binary"}}
        # Some generators know no wildcard; the first that a generator knows is what its client returns.
        good["content"] = {"application/octet-stream": file, "*/*": file}
    elif route.answer is not None:
        good["content"] = {"application/json": {"schema": by_type[id(route.answer)]}}
    status = 204
    if route.answer is not None:
        status = versions.success_status(version, route.status, goes_on=route.goes_on)
    names = ["Lobby-Version", *((*HEADERS, *KEY_HEADERS) if route.scope is not None else ())]
    if route.tagged:
        names.append("ETag")
    if route.location:
        names.append("Location")
    good["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    made = {str(status): good}
    if route.tagged and route.method == "GET":
        made["304"] = {"description": "`If-None-Match` names the current version."}
    problems: dict[int, list[str]] = {}
    for one in refusals(route, version):
        problems.setdefault(one.status, []).append(f"- `{one.code}`: {one.sentence}")
    for number, lines in problems.items():
        made[str(number)] = {
            "description": "\n".join(lines),
            "content": {
                "application/json": {"schema": schemas.reference(ErrorAnswer.__name__)},
                PROBLEM: {"schema": schemas.reference(shapes.ProblemDetails.__name__)},
            },
        }
    return made


def sentence_of(error: type[LobbyError]) -> str:
    """Return the English sentence of an error: the document is the same for every reader."""
    return _in_english(error, "program_sentence", "default_sentence")


def step_of(error: type[LobbyError]) -> str:
    """Return in English what a program can do about an error; empty: nothing."""
    return _in_english(error, "program_step", "default_next_step")


def _in_english(error: type[LobbyError], *names: str) -> str:
    """Return the first of *names* that the nearest class with one of them has."""
    found = (vars(kind)[name] for kind in error.__mro__ for name in names if name in vars(kind))
    text = next(found)
    return str(getattr(text, "_args", (text,))[0])


def known_errors(route: Route) -> list[type[LobbyError] | Refused]:
    """Return the errors of a route, with those of every route."""
    known: list[type[LobbyError] | Refused] = [*route.errors, UnknownVersionError]
    if route.scope is not None:
        known += [
            UnauthorizedError,
            KeyInvalidError,
            KeyRevokedError,
            KeyEndedError,
            KeyExpiredError,
            RateLimitedError,
            UnavailableError,
        ]
        known.append(QueryError)
    if route.current is not None:
        known.append(PreconditionFailedError)
    elif route.method not in {"GET", "POST"}:
        known.append(NoVersionError)
    if route.any_of:
        known.append(ScopeError)
    if route.scope is not None and not route.limited:
        known.append(KeyLimitedError)
    if route.body is not None or route.upload:
        known += [MediaTypeError, TooLargeError]
    if route.idempotent:
        known += [IdempotencyKeyError, IdempotencyReusedError, InFlightError]
    if route.places:
        known.append(NotFoundError)
    return known


def refusals(route: Route, version: str = versions.FIRST) -> list[Refused]:
    """Return all error answers of a route in a version, by status and code."""
    known = known_errors(route)
    found = {(one.status, one.code): one for one in _by_status(route, known, version)}
    return [found[place] for place in sorted(found)]


def _by_status(route: Route, known: Iterable[type[LobbyError] | Refused], version: str) -> Iterator[Refused]:
    """Yield each error with its status in *version*: both, if the path or the body can be at fault."""
    for one in known:
        status = versions.refusal_status(version, one.code, one.status, in_path=True)
        if isinstance(one, Refused):
            yield one._replace(status=status)
            continue
        found = Refused(status, one.code, sentence_of(one))
        path = fields.in_path(route, one)
        if path or status != 404:
            yield found
        if status == 404 and (not path or fields.declared(route, one)):
            status = versions.refusal_status(version, one.code, one.status, in_path=False)
            yield found._replace(status=status)
