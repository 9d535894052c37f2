"""Handle one request of the API: its key, its scope, its limit, and its answer."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, overload

import msgspec
import sqlalchemy as sa
from flask import Response, g, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from host.api import reading
from host.api.http import deprecation, expiry, fields, idempotency, limits, versions
from host.api.http.declare import BASE, Nothing, Route
from host.api.http.errors import (
    KEY_ENDED,
    KeyEndedError,
    KeyExpiredError,
    KeyInvalidError,
    KeyLimitedError,
    KeyRevokedError,
    NoVersionError,
    RateLimitedError,
    ScopeError,
    UnauthorizedError,
)
from host.api.http.idempotency import Claim, Stored
from host.automation import asking_addons
from host.channels.directory import Directory, current_directory
from host.core import clock, db
from host.core.errors import ArchivedError, LobbyError, NotFoundError
from host.core.ids import MAX_ID
from host.events.models import ActorKind
from host.models.api_keys import KeyEnd
from host.sdk.channel import ChannelAdapter
from host.users import api_keys as keys
from host.users import reach
from host.users.actor import Acting, Actor, UnitOfWork
from host.users.api_keys import Caller, Scope
from host.users.reach import Accounts
from host.web.request_helpers import client_address, config, request_id

log = logging.getLogger("lobby.api")

_PIECE = 1024 * 1024
NOBODY = 0
_encoder = msgspec.json.Encoder()
A = TypeVar("A")
R = TypeVar("R")
_FIELD = re.compile(r"\{([^}]*)\}")


@dataclass(slots=True)
class Call:
    """A request, as passed to a route's function.

    :param claim: the claim on the request's Idempotency-Key, if it has one whose answer is not stored yet.
    :param ids: the ids in its path.
    """

    route: Route
    caller: Caller
    directory: Directory
    now: datetime
    claim: Claim | None = None
    ids: Mapping[str, int | str] = field(default_factory=dict)
    _written: tuple[Any, bytes] | None = None

    @property
    def workspace_id(self) -> int:
        return self.caller.workspace_id

    @property
    def accounts(self) -> Accounts:
        """Return the accounts the key is limited to; None: all."""
        return self.caller.accounts

    def may(self, scope: Scope) -> bool:
        """Return whether the key has *scope*, for parts of an answer that need one of their own."""
        return scope in self.caller.scopes

    def adapter(self, channel: str) -> ChannelAdapter | None:
        return self.directory.adapter(channel)

    def contact_id_name(self, channel: str) -> str:
        """Return the channel's name for the id of a contact."""
        adapter = self.adapter(channel)
        return "id" if adapter is None else adapter.contact_id_name

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.KEY, name=self.caller.name, remote=client_address())

    def list_name(self, name: str) -> str:
        """Return the name of a list of the workspace, for its cursors."""
        return f"{name} of {self.workspace_id}"

    def commit(self, use_case: Callable[[Session], R]) -> R:
        """Run *use_case* in one write and return its answer, which must not be changed afterwards.

        The header If-Match is checked first, in the same write; see :attr:`Route.current`.

        What a route without an answer returns is not shown: it may be anything.

        If the request carries an Idempotency-Key, the answer is stored in the same write, so that neither
        exists without the other.
        """

        def write(session: Session) -> tuple[R, bytes]:
            if self.route.current is not None and "If-Match" in request.headers:
                versions.check_match(request, encode(self.route.current(session, self, **self.ids)))
            answer = use_case(session)
            encoded = encode(None if self.route.answer is None else answer)
            self._keep(session, encoded)
            return answer, encoded

        self._written = asking_addons.write(write)
        self.claim = None
        return self._written[0]

    @property
    def acting(self) -> Acting:
        """The key in its workspace, now."""
        return Acting(self.workspace_id, self.actor, self.now, self.accounts)

    def work(self, session: Session) -> UnitOfWork:
        """Return the unit of work of the key in *session*."""
        return self.acting.work(session)

    @overload
    def write(self, use_case: Callable[[UnitOfWork], R]) -> R: ...

    @overload
    def write(self, use_case: Callable[[UnitOfWork], R], shown: Callable[[UnitOfWork, R], A]) -> A: ...

    def write(
        self, use_case: Callable[[UnitOfWork], Any], shown: Callable[[UnitOfWork, Any], Any] | None = None
    ) -> Any:
        """Run *use_case* in one write by the key, and return its answer; see :meth:`commit`.

        :param shown: makes the answer of what *use_case* returned, in the same write; None: it is the answer.
        """

        def write(session: Session) -> Any:
            work = self.work(session)
            found = use_case(work)
            return found if shown is None else shown(work, found)

        return self.commit(write)

    def encode(self, answer: Any) -> Any:
        """Return *answer* as JSON, and a response as it is.

        That of :meth:`commit` is encoded already.
        """
        if isinstance(answer, Response):
            return answer
        if self._written is not None and answer is self._written[0]:
            return self._written[1]
        return encode(answer)

    def keep(self, answer: bytes) -> None:
        """Store the answer of a route whose changes were not one write, unless it is stored."""
        if self.claim is not None:
            db.write(self._keep, answer)
            self.claim = None

    def _keep(self, session: Session, answer: bytes) -> None:
        if self.claim is not None:
            route = self.route
            idempotency.keep_answer(session, self.claim, route.status, answer.decode(), secret=route.secret)


def encode(answer: Any) -> bytes:
    """Return *answer* as JSON."""
    return b"" if answer is None else _encoder.encode(answer)


def locked(session: Session, model: type[Any], id_: int) -> None:
    """Lock a row, if it exists, until the write ends."""
    session.execute(sa.select(model.id).where(model.id == id_).with_for_update())


def new_reply_key() -> str:
    """Return a reply key for the messages this request writes."""
    return secrets.token_hex(16)


def answer(route: Route, **ids: int | str) -> Response:
    """Answer the current request as *route* declares it."""
    g.lobby_user = None  # cookies are ignored here
    g.api_deprecation = deprecation.headers(route, ids)
    try:
        return _answer(route, ids)
    except LobbyError as error:
        fields.name_field(route, error)
        if error.wrong_values and route.body is not None:
            fields.name_position(error, reading.body(request))
        raise


def _answer(route: Route, ids: dict[str, int | str]) -> Response:
    versions.check(request)
    if any(isinstance(id_, int) and id_ > MAX_ID for id_ in ids.values()):
        raise NotFoundError()
    if route.scope is None:
        return _response(route, encode(route.run()))
    caller = _caller(route)
    _count(caller)
    _check_limit(route, caller, ids)
    return _answered(Call(route, caller, current_directory(), clock.now(), ids=ids), ids)


def _caller(route: Route) -> Caller:
    """Return the key in the request's Authorization header; nothing else is used."""
    scheme, _space, token = request.headers.get("Authorization", "").strip().partition(" ")
    if not scheme:
        raise UnauthorizedError()
    if scheme.lower() != "bearer":
        raise UnauthorizedError()
    with db.read() as session:
        caller = keys.find_key(session, token.strip())
    if caller is None or caller.ended is not None:
        log.info("request %s from %s shows a key that opens nothing", request_id(), client_address())
        raise _refusal(caller)
    if caller.last_used_at is None or clock.now() - caller.last_used_at >= keys.TOUCH_EVERY:
        with suppress(SQLAlchemyError):
            db.write(keys.touch, caller.key_id)
    g.api_headers = expiry.headers(caller)
    if missing := route.missing(caller.scopes):
        raise ScopeError(missing)
    if route.writes and caller.archived:
        raise ArchivedError()
    return caller


def _check_limit(route: Route, caller: Caller, ids: Mapping[str, int | str]) -> None:
    """Check a route and the ids in its path against the accounts that a key is limited to.

    An account's public id is left to the route, which has to look it up anyway.

    :raises KeyLimitedError: if the route is not for limited keys.
    :raises NotFoundError: if an id belongs to other accounts, as if it did not exist.
    """
    if caller.accounts is None:
        return
    if not route.limited:
        raise KeyLimitedError()
    numbers = {name: id_ for name, id_ in ids.items() if isinstance(id_, int)}
    with db.read() as session:
        if not reach.sees(session, caller.workspace_id, NOBODY, caller.accounts, numbers):
            raise NotFoundError()


def _refusal(caller: Caller | None) -> KeyInvalidError:
    if caller is None or caller.ended is None:
        return KeyInvalidError()
    if caller.ended is KeyEnd.EXPIRED:
        return KeyExpiredError()
    return KeyRevokedError() if caller.ended is KeyEnd.REVOKED else KeyEndedError(KEY_ENDED[caller.ended])


def _count(caller: Caller) -> None:
    """Count the request against the key's limit; every answer contains the remaining number."""
    settings = config()
    standing = limits.count(settings.limits_url, settings.api_limit, caller.key_id)
    g.api_standing, g.api_headers = standing, {**g.api_headers, **standing.headers}
    if not standing.allowed:
        raise RateLimitedError(retry_after=standing.reset, limit=standing.limit)


def _answered(call: Call, ids: dict[str, int | str]) -> Response:
    route = call.route
    arguments: dict[str, Any] = dict(ids)
    if "If-Match" in request.headers and route.current is None and route.method not in {"GET", "POST"}:
        raise NoVersionError(field="If-Match")
    given = reading.query(request, route.query)
    if route.query is not Nothing:
        arguments["query"] = given
    value: Any = None
    if route.body is not None:
        value = reading.body(request)
        arguments["body"] = reading.as_declared(value, route)
    name = request.headers.get("Idempotency-Key") if route.idempotent else None
    if name is None:
        return _response(route, call.encode(route.run(call, **arguments)))
    path = request.path if route.query is Nothing else request.full_path
    fingerprint = idempotency.fingerprint(route.method, path, _files() if route.upload else value)
    held = idempotency.claim(call.caller.key_id, name, fingerprint, call.now)
    if isinstance(held, Stored):
        response = _response(route, held.answer.encode(), held.status)
        response.headers["Idempotent-Replayed"] = "true"
        return response
    call.claim = held
    try:
        with idempotency.renewed(held):
            body = call.encode(route.run(call, **arguments))
            call.keep(body)
            return _response(route, body)
    except BaseException:
        # Nothing was written; if an answer was stored after all, releasing the claim keeps it.
        with suppress(SQLAlchemyError):
            idempotency.release(held)
        raise


def _files() -> list[list[str]]:
    """Return the identity of a form with files: for each file its field, name and digest."""
    found = []
    for name, file in request.files.items(multi=True):
        digest = hashlib.sha256()
        while piece := file.stream.read(_PIECE):
            digest.update(piece)
        file.stream.seek(0)
        found.append([name, file.filename or "", digest.hexdigest()])
    return found


def _response(route: Route, body: Response | bytes, status: int | None = None) -> Response:
    if isinstance(body, Response):
        return body
    if route.answer is None:
        return Response(status=204)
    status = versions.success_status(versions.asked(request), status or route.status, goes_on=route.goes_on)
    response = Response(body, status=status, mimetype="application/json")
    if route.location and (path := _location(route, body)) is not None:
        response.headers["Location"] = BASE + path
    if route.tagged:
        tag = versions.tag_of(body)
        response.set_etag(tag)
        if route.scope is None:
            response.headers["Cache-Control"] = "no-cache"
        if route.method == "GET" and versions.is_known(request, tag):
            response.status_code = 304
            response.set_data(b"")
    return response


def _location(route: Route, body: bytes) -> str | None:
    """Return the path of what a route created, filled in from its answer and the ids of its path.

    None if the answer doesn't name it: what was done must not fail for a header.
    """
    answer = msgspec.json.decode(body)

    def value(name: str) -> str:
        if name in (request.view_args or {}):
            return str((request.view_args or {})[name])
        found: Any = answer
        for part in name.split("."):
            found = found[int(part)] if isinstance(found, list) else found[part]
        return str(found)

    try:
        return _FIELD.sub(lambda place: value(place[1]), route.location)
    except LookupError:
        return None
