"""Declaration of a route: its input and output, used for handling requests and for the API document."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self, TypeVar

import msgspec
from flask import Response
from msgspec import Meta

from host.api.http.errors import BodyError
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.core.ids import MAX_ID
from host.features import registry
from host.features.feature import Feature
from host.users.api_keys import Scope

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=msgspec.Struct)

Id = Annotated[int, Meta(ge=0, le=MAX_ID, description="An id from this API.", examples=[42])]
ChannelId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="The public id of an account, a string; the last part of its webhook address.",
        examples=["3f2b8c1d9a7b4c6e8f1a2b3c4d5e6f70"],
    ),
]

Moment = Annotated[datetime, Meta(tz=True)]

DEPRECATED = {"deprecated": True}
"""For ``Meta.extra_json_schema`` of a parameter that still works, and has a better name."""

BASE = "/api/v1"
NAMED_PLACES = ("account_id", "upload_id")
"""Ids in paths that may be a string."""
ANY_KEY: tuple[Scope, ...] = ()
"""The scope of a route that any key may use."""
TAGS: dict[str, str] = {
    "Conversations": "Messages between one contact and the team on one account.",
    "Messages": "Read, send and react to messages.",
    "Labels": "Labels of conversations, and shared views.",
    "Teams": "Groups of members that conversations can be assigned to.",
    "Hours": "Business hours of the workspace and its teams.",
    "Rules": "Automated messages, routing, rules and campaigns.",
    "Sequences": "Steps that follow a customer's message, and the customers in them.",
    "Assistants": "Assistants, which suggest answers or answer automatically.",
    "Canned replies": "Canned replies and macros.",
    "Contacts": "Customers, with their details and notes.",
    "Search": "Search messages and contacts.",
    "Accounts": "Channel accounts, and what each can send.",
    "Events": "Webhook endpoints, and polling for events.",
    "Webhooks": "Requests that Lobby posts to webhook endpoints.",
    "Team": "Members of the workspace.",
    "Files": "Files to send, and files of messages.",
    "Reports": "The figures of the Reports page.",
    "Addons": "What active addons add to this API.",
    "About": "The description of this API, and of the key.",
}


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base class of all requests and answers: camelCase, no unknown fields."""

    @classmethod
    def of(cls, source: object, /, **computed: Any) -> Self:
        """Return an answer with the values that *source* has under the names of its fields.

        Nothing is checked, so that a stored value longer than today's limit is shown as it is.

        :param computed: the fields that *source* has not, or not in this form.
        """
        names, read = _same(cls, tuple(computed))
        return cls(**dict(zip(names, read(source), strict=True)), **computed)

    def make(self, kind: type[S], /, **computed: Any) -> S:
        """Return a value of a feature with what this request has under the names of its fields."""
        names, read = _same(kind, tuple(computed))
        return kind(**dict(zip(names, read(self), strict=True)), **computed)


@cache
def _same(
    made: type[msgspec.Struct], computed: tuple[str, ...]
) -> tuple[tuple[str, ...], Callable[[object], tuple[Any, ...]]]:
    """Return the fields of *made* but those *computed*, and what reads them, kept for the next row."""
    names = tuple(name for name in made.__struct_fields__ if name not in computed)
    read = attrgetter(*names)
    return names, read if len(names) > 1 else lambda source: (read(source),)


class Nothing(Wire, frozen=True):
    """No parameters."""


if TYPE_CHECKING:
    Binary = Response
else:

    class Binary:
        """The answer of a route that sends a file."""


class Refused(NamedTuple):
    """An error answer without its own error class."""

    status: int
    code: str
    sentence: str


class OtherForm(NamedTuple):
    """An alternative form of a route's body, recognised by a field that only it has."""

    told_by: str
    body: type[Wire]


Scopes = Scope | tuple[Scope, ...] | None


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API.

    :param path: below :data:`BASE`, with ids as ``{conversation_id}``.
    :param operation: its name in clients generated from the document.
    :param scope: the scope a key needs; several: one of them is enough; :data:`ANY_KEY`: any key will do;
        None: no key is needed.
    :param also: scopes a key needs besides.
    :param limited: whether a key limited to some accounts may use it. It then keeps to ``call.accounts``: ids
        in the path are checked for it, lists and ids in bodies are its own work. False: it is refused.
    :param query: the parameters it takes.
    :param body: the type of its JSON body; None: none.
    :param other_form: another form its JSON body may have, with names in camelCase or snake_case.
    :param upload: whether it takes a file as multipart/form-data instead.
    :param answer: the type of its JSON answer; None: 204 and no body; :class:`Binary`: a file.
    :param location: for 201, the path of what was created: ``/labels/{id}``, with ids of the path and fields
        of the answer, also nested ones (``{endpoint.id}``, ``{data.0.id}``).
    :param current: returns what the route changes as its GET does, locked until the write ends, for the
        header If-Match; None: the route can't check that.
    :param errors: its errors, in addition to those of every route.
    :param fields: the field or parameter that an error is about, where the error doesn't name one itself.
    :param goes_on: whether what it starts is carried out after its answer.
    :param since: the version of the API from which on it is documented; empty: the first. It answers in all.
    :param replaced_by: what programs use instead, which makes this one deprecated, such as ``PUT /hours``.
    :param replaced_in: the version of the API from which on it is deprecated; empty: it isn't.
    :param secret: whether its answer contains a secret, so that answers stored for repeats are sealed.
    :param examples: example bodies, by a short title.
    """

    method: str
    path: str
    operation: str
    tag: str
    summary: str
    description: str
    run: Callable[..., Any]
    scope: Scopes
    also: tuple[Scope, ...] = ()
    limited: bool = False
    query: type[Wire] = Nothing
    body: Any = None
    other_form: OtherForm | None = None
    upload: bool = False
    answer: Any = None
    status: int = 200
    location: str = ""
    current: Callable[..., Any] | None = None
    errors: tuple[type[LobbyError] | Refused, ...] = ()
    fields: Mapping[type[LobbyError], str] = field(default_factory=dict)
    goes_on: bool = False
    since: str = ""
    replaced_by: str = ""
    replaced_in: str = ""
    secret: bool = False
    body_limit: int | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)

    @property
    def any_of(self) -> tuple[Scope, ...]:
        """Return the scopes of which a key needs one, besides :attr:`also`; none: any key, or no key."""
        if self.scope is None:
            return ()
        return (self.scope,) if isinstance(self.scope, Scope) else self.scope

    @property
    def writes(self) -> bool:
        """Return whether it changes something, so that an archived workspace refuses it."""
        alternatives = bool(self.any_of) and all(scope.writes for scope in self.any_of)
        return alternatives or any(scope.writes for scope in self.also)

    def missing(self, scopes: Collection[Scope]) -> Scope | None:
        """Return the first scope that a key with *scopes* lacks for it; None: it may use it."""
        if self.any_of and not set(self.any_of) & set(scopes):
            return self.any_of[0]
        return next((scope for scope in self.also if scope not in scopes), None)

    @property
    def rule(self) -> str:
        """Return the path in Flask's syntax."""
        path = self.path
        for name in NAMED_PLACES:
            path = path.replace(f"{{{name}}}", f"<api_account:{name}>")
        return BASE + path.replace("{", "<api_id:").replace("}", ">")

    @property
    def tagged(self) -> bool:
        """Return whether its answers have an ETag: every JSON of a GET, and of what checks If-Match."""
        shows = self.method == "GET" or self.current is not None
        return shows and self.answer is not None and self.answer is not Binary

    @property
    def idempotent(self) -> bool:
        """Return whether it honours Idempotency-Key: every POST does; other methods need none."""
        return self.method == "POST"

    @property
    def places(self) -> list[str]:
        """Return the names of the ids in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


_declared: list[Route] = []


_BY_METHOD: Any = object()


class Router:
    """Declares the routes of a module.

    A route is a function ``run(call, **ids, query, body)``, the last two only where it takes them. Its
    annotations say what it takes and answers, its name becomes the operation's, its docstring the
    description.

    :param tag: the tag of its routes, one of :data:`TAGS`.
    :param read: the scope of routes that read; *write*: of those that change something.
    """

    def __init__(self, tag: str, *, read: Scopes = None, write: Scopes = None) -> None:
        self._tag, self._read, self._write = tag, read, write
        self.get = partial(self._route, "GET")
        self.post = partial(self._route, "POST")
        self.put = partial(self._route, "PUT")
        self.patch = partial(self._route, "PATCH")
        self.delete = partial(self._route, "DELETE")

    def _route(
        self, method: str, path: str, summary: str, *, scope: Scopes = _BY_METHOD, **more: Any
    ) -> Callable[[F], F]:
        """Declare the decorated function; see :class:`Route` for *more*.

        A route with a *location* answers with 201; one with a JSON body may also answer with
        :class:`BodyError`.

        :param scope: instead of the router's.
        """
        if scope is _BY_METHOD:
            scope = self._read if method == "GET" else self._write

        def decorate(run: F) -> F:
            types = inspect.get_annotations(run, eval_str=True)
            declared: dict[str, Any] = {name: types[name] for name in ("body", "query") if name in types}
            declared |= {"answer": types["return"], "tag": self._tag, **more}
            if "location" in declared:
                declared["status"] = 201
            if "body" in declared:
                declared["errors"] = (BodyError, *declared.get("errors", ()))
            first, *rest = run.__name__.split("_")
            _declared.append(
                Route(
                    method=method,
                    path=path,
                    operation=first + "".join(word.capitalize() for word in rest),
                    summary=summary,
                    description=_paragraphs(run.__doc__ or ""),
                    run=run,
                    scope=scope,
                    **declared,
                )
            )
            return run

        return decorate


def rename(run: Callable[..., Any], method: str, path: str, *, operation: str, since: str) -> None:
    """Give the route of *run* a better name; the old one goes on answering, and is deprecated.

    :param since: the version of the API whose document has the new name.
    """
    at, old = next((at, one) for at, one in enumerate(_declared) if one.run is run)
    _declared[at] = replace(old, replaced_by=f"{method} {path}", replaced_in=since)
    _declared.append(replace(old, method=method, path=path, operation=operation, since=since))


def routes(of: Collection[Feature] | None = None) -> list[Route]:
    """Return the routes of features, in the order of the document.

    :param of: the features; None: those that are on.
    """
    modules = {module.__name__ for module in registry.parts("routes", of)}
    order = {tag: number for number, tag in enumerate(TAGS)}
    found = [one for one in _declared if one.run.__module__ in modules]
    return sorted(found, key=lambda one: (order[one.tag], one.path, one.method))


def _paragraphs(docstring: str) -> str:
    """Return a docstring with each paragraph on one line."""
    blocks = docstring.strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in block.splitlines()) for block in blocks)
